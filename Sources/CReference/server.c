// The bare server: libmicrohttpd with epoll and two threads, bodies in buffers that are used again, one step in place,
// the answer sent from the parameters themselves. No names, no versions, no retries, no checks.
#include "CReference.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct body {
    struct body *next;
    size_t length, capacity;
    char *bytes;
} body;

struct cr_server {
    cr_options options;
    struct MHD_Daemon *daemon;
    float *weights, *slots[2];
    off_t end;             // where the next push is written
    pthread_mutex_t step;  // held over a step and its write: pushes are applied in turn
    pthread_mutex_t shelf;
    body *free;
    struct MHD_Response *ok, *rate, *missing;
};

static body *take_body(cr_server *server) {
    pthread_mutex_lock(&server->shelf);
    body *taken = server->free;
    if (taken) server->free = taken->next;
    pthread_mutex_unlock(&server->shelf);
    if (!taken) taken = calloc(1, sizeof *taken);
    if (taken) taken->length = 0;
    return taken;
}

static void leave_body(cr_server *server, body *left) {
    pthread_mutex_lock(&server->shelf);
    left->next = server->free;
    server->free = left;
    pthread_mutex_unlock(&server->shelf);
}

static int append(body *to, const char *bytes, size_t count, size_t expected) {
    if (to->length + count > to->capacity) {
        size_t capacity = to->length + count > expected ? to->length + count : expected;
        char *grown = realloc(to->bytes, capacity);
        if (!grown) return 0;
        to->bytes = grown;
        to->capacity = capacity;
    }
    memcpy(to->bytes + to->length, bytes, count);
    to->length += count;
    return 1;
}

/// Writes a push into the file, whose blocks exist, and waits for the disk.
static int record(cr_server *server, const body *push) {
    const cr_options *options = &server->options;
    if (options->file < 0) return 1;
    if ((size_t)server->end + push->length > options->file_size) server->end = 0;
    size_t written = 0;
    while (written < push->length) {
        ssize_t count = pwrite(
            options->file, push->bytes + written, push->length - written, server->end + (off_t)written);
        if (count <= 0) return 0;
        written += (size_t)count;
    }
    server->end += (off_t)push->length;
    return fdatasync(options->file) == 0;
}

static int apply(cr_server *server, const body *push, int is_small) {
    size_t count = server->options.parameters, size = count * sizeof(float);
    if (!is_small && push->length < size) return 0;
    pthread_mutex_lock(&server->step);
    int done = record(server, push);
    if (done && !is_small) {
        // The values are at the end of the file; the header is padded to eight bytes, so they are aligned.
        const float *gradient = (const float *)(push->bytes + push->length - size);
        if (server->options.rule == CR_ADAM)
            cr_adam(server->weights, gradient, server->slots[0], server->slots[1], count, 1e-3f);
        else cr_sgd(server->weights, gradient, count, 1e-3f);
    }
    pthread_mutex_unlock(&server->step);
    return done;
}

static enum MHD_Result send_weights(cr_server *server, struct MHD_Connection *connection) {
    struct MHD_Response *response = MHD_create_response_from_buffer(
        server->options.parameters * sizeof(float), server->weights, MHD_RESPMEM_PERSISTENT);
    if (!response) return MHD_NO;
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer(
    void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *upload, size_t *upload_size, void **state) {
    (void)version;
    cr_server *server = context;
    if (!*state) {
        // An answer that is queued before the second call closes the connection.
        *state = take_body(server);
        return *state ? MHD_YES : MHD_NO;
    }
    if (strcmp(method, "GET") == 0) {
        if (strcmp(url, "/pull") == 0) return send_weights(server, connection);
        int is_rate = strcmp(url, "/lr") == 0;
        return MHD_queue_response(connection, is_rate ? 200 : 404, is_rate ? server->rate : server->missing);
    }
    body *push = *state;
    if (*upload_size > 0) {
        int taken = append(push, upload, *upload_size, server->options.parameters * sizeof(float) + 4096);
        *upload_size = 0;
        return taken ? MHD_YES : MHD_NO;
    }
    if (!apply(server, push, strcmp(url, "/small") == 0)) return MHD_NO;
    return MHD_queue_response(connection, MHD_HTTP_OK, server->ok);
}

static void completed(void *context, struct MHD_Connection *connection, void **state, enum MHD_RequestTerminationCode how) {
    (void)connection;
    (void)how;
    if (*state) leave_body(context, *state);
    *state = NULL;
}

static float *zeros(size_t count) {
    size_t size = (count * sizeof(float) + 4095) / 4096 * 4096;
    float *values = aligned_alloc(4096, size);
    if (values) memset(values, 0, size);
    return values;
}

static struct MHD_Response *text(const char *bytes) {
    return MHD_create_response_from_buffer(strlen(bytes), (void *)bytes, MHD_RESPMEM_PERSISTENT);
}

cr_server *cr_start(const cr_options *options, uint16_t *port) {
    // Large blocks are kept: a fresh map of 40 MB costs more than a step.
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    cr_server *server = calloc(1, sizeof *server);
    if (!server) return NULL;
    server->options = *options;
    pthread_mutex_init(&server->step, NULL);
    pthread_mutex_init(&server->shelf, NULL);
    server->weights = zeros(options->parameters);
    for (int i = 0; i < 2 && options->rule == CR_ADAM; i++) server->slots[i] = zeros(options->parameters);
    server->ok = text("ok\n");
    server->rate = text("{\"learning_rate\":0.001}\n");
    server->missing = text("not here\n");
    int is_complete = server->weights && server->ok && server->rate && server->missing;
    if (options->rule == CR_ADAM) is_complete = is_complete && server->slots[0] && server->slots[1];
    if (!is_complete) {
        cr_stop(server);
        return NULL;
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, server, MHD_OPTION_SOCK_ADDR, &address,
        MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 << 10,
        MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_END);
    if (!server->daemon) {
        cr_stop(server);
        return NULL;
    }
    *port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    return server;
}

void cr_stop(cr_server *server) {
    if (server->daemon) MHD_stop_daemon(server->daemon);
    while (server->free) {
        body *left = server->free;
        server->free = left->next;
        free(left->bytes);
        free(left);
    }
    if (server->ok) MHD_destroy_response(server->ok);
    if (server->rate) MHD_destroy_response(server->rate);
    if (server->missing) MHD_destroy_response(server->missing);
    free(server->weights);
    free(server->slots[0]);
    free(server->slots[1]);
    pthread_mutex_destroy(&server->step);
    pthread_mutex_destroy(&server->shelf);
    free(server);
}
