// What Swift cannot import from libmicrohttpd (variadic functions, macros, unions behind pointers) and the Linux calls
// of an event loop. HTTPServing alone imports this module.
#pragma once
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

// Called with the request's raw target before anything of it is decoded; what it returns becomes the request's context.
typedef void *(*http_target_callback)(void *context, const char *target, struct MHD_Connection *connection);

// The target is decoded by us, once per path segment: libmicrohttpd must leave `%2F` alone.
static inline size_t http_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

// A daemon without threads and without a listening socket: its owner polls `http_daemon_descriptor` and calls MHD_run.
static inline struct MHD_Daemon *http_daemon_start(MHD_AccessHandlerCallback handler, http_target_callback target,
                                                   MHD_RequestCompletedCallback completed,
                                                   MHD_NotifyConnectionCallback connection, void *context,
                                                   size_t connection_memory, unsigned int connection_limit) {
    return MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL,
                            handler, context,
                            MHD_OPTION_URI_LOG_CALLBACK, target, context,
                            MHD_OPTION_UNESCAPE_CALLBACK, http_keep_escapes, NULL,
                            MHD_OPTION_NOTIFY_COMPLETED, completed, context,
                            MHD_OPTION_NOTIFY_CONNECTION, connection, context,
                            MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_memory,
                            MHD_OPTION_CONNECTION_LIMIT, connection_limit,
                            MHD_OPTION_CONNECTION_TIMEOUT, 0u,
                            MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
                            MHD_OPTION_END);
}

// The daemon's own epoll descriptor, or -1.
static inline int http_daemon_descriptor(struct MHD_Daemon *daemon) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

// The connection's socket, or -1.
static inline int http_connection_descriptor(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

// Has the library look at a connection in its next run without reading from it first, or, with 0, no longer. It does so with
// connections whose timeout is not the daemon's, which is 0 here: a number of seconds that is never reached.
static inline void http_visit(struct MHD_Connection *connection, int every_run) {
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, every_run ? 1u << 20 : 0u);
}

// Bytes from the start of the method to the end of the head; 0 where the library does not tell.
static inline size_t http_head_size(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

// glibc declares them under _GNU_SOURCE alone, which changes types that Swift's Glibc module knows without it.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
extern int pthread_setname_np(pthread_t, const char *);

// Names the calling thread, for `top` and whoever looks into /proc.
static inline void http_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

// The next waiting connection as a socket that never blocks, or -1.
static inline int http_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Has the kernel take no more of an answer than its peer does and this much: it would take megabytes at once, and the next
// answer wait for their copy.
static inline void http_bound_unsent(int descriptor) {
    int most = 1 << 18;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof(most));
}

// Throws away what has arrived, at most 1 MiB; of a TCP socket without copying it.
static inline void http_discard(int descriptor) {
    static _Thread_local char unused[1 << 16];
    for (int count = 0; count < 16; count++)
        if (recv(descriptor, unused, sizeof(unused), MSG_DONTWAIT | MSG_TRUNC) <= 0) return;
}

// Bytes of ours that the peer has acknowledged, or -1 where the socket is not TCP.
// `tcpi_bytes_acked` is at this offset of the kernel's `struct tcp_info` since 4.1; glibc's own copy ends before it.
static inline int64_t http_acknowledged_bytes(int descriptor) {
    enum { bytes_acked_offset = 120 };
    unsigned char info[bytes_acked_offset + sizeof(int64_t)];
    socklen_t length = sizeof(info);
    int64_t acknowledged;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &length) != 0 || length < sizeof(info)) return -1;
    memcpy(&acknowledged, info + bytes_acked_offset, sizeof(acknowledged));
    return acknowledged;
}
