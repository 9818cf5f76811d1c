// Overrides libmicrohttpd's MHD_queue_response to intercept the library's own error pages. The library calls the
// function through its procedure linkage table, where the definition in the program takes precedence; a test fails if
// it does not.
#define _GNU_SOURCE
#include "failures.h"
#include <dlfcn.h>
#include <stdatomic.h>

typedef enum MHD_Result (*queue_function)(struct MHD_Connection *, unsigned int, struct MHD_Response *);

static _Thread_local http_failure_callback failure_callback;
static _Thread_local void *failure_context;

void http_watch_failures(http_failure_callback callback, void *context) {
    failure_callback = callback;
    failure_context = context;
}

enum MHD_Result http_queue_response(struct MHD_Connection *connection, unsigned int status,
                                    struct MHD_Response *response) {
    static _Atomic(queue_function) known;
    queue_function queue = atomic_load_explicit(&known, memory_order_relaxed);
    if (!queue) {
        queue = (queue_function)dlsym(RTLD_NEXT, "MHD_queue_response");
        atomic_store_explicit(&known, queue, memory_order_relaxed);
    }
    return queue ? queue(connection, status, response) : MHD_NO;
}

// Only the library reaches this line. Its page has to be queued, because the library does not expect a refusal here;
// the callback has closed the sending side, so the page is never sent and the library closes the connection.
enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned int status,
                                   struct MHD_Response *response) {
    if (failure_callback) failure_callback(failure_context, connection, status);
    return http_queue_response(connection, status, response);
}
