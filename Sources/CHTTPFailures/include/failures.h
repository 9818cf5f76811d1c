// libmicrohttpd 0.9.75 answers what it cannot parse with HTML pages of its own and offers no hook for them. It queues them
// through its public MHD_queue_response, which this module defines in its place: see failures.c. HTTPServing imports it.
#pragma once
#include <microhttpd.h>

// Told on the library's thread before its page is sent; has to answer itself and to shut the socket's sending side.
typedef void (*http_failure_callback)(void *context, struct MHD_Connection *connection, unsigned int status);

// From now on failures of daemons that this thread runs go to `callback`.
void http_watch_failures(http_failure_callback callback, void *context);

// Queues an answer of our own: what MHD_queue_response is elsewhere.
enum MHD_Result http_queue_response(struct MHD_Connection *connection, unsigned int status,
                                    struct MHD_Response *response);
