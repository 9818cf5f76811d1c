// libmicrohttpd 0.9.75 answers requests that it cannot parse with its own HTML pages and offers no hook for them. It
// queues them through its public MHD_queue_response, which this module overrides (see failures.c). Used by HTTPServing.
#pragma once
#include <microhttpd.h>

// Called on the library's thread before its page is sent. The callback must answer and shut down the socket's sending
// side.
typedef void (*http_failure_callback)(void *context, struct MHD_Connection *connection, unsigned int status);

// Sends the failures of all daemons that the calling thread runs to `callback`.
void http_watch_failures(http_failure_callback callback, void *context);

// Queues one of our own answers; the original MHD_queue_response.
enum MHD_Result http_queue_response(struct MHD_Connection *connection, unsigned int status,
                                    struct MHD_Response *response);
