// Takes the place of libmicrohttpd's MHD_queue_response, so that the library's own error pages come by here. The library
// calls it through its procedure linkage table, where the program's definition wins; a test fails where it does not.
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

// Called by the library alone. Its page is queued nevertheless, since it does not survive a refusal at this point; but
// the callback has closed the sending side, so that the page never leaves and the library closes the connection.
enum MHD_Result MHD_queue_response(struct MHD_Connection *connection, unsigned int status,
                                   struct MHD_Response *response) {
    if (failure_callback) failure_callback(failure_context, connection, status);
    return http_queue_response(connection, status, response);
}
