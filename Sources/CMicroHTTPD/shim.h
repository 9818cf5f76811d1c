// The parts of libmicrohttpd that Swift cannot import (variadic functions, macros, unions behind pointers) and the
// Linux calls of an event loop. Used only by HTTPServing.
#pragma once
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

// Called with the raw target before it is decoded; the return value becomes the request's context.
typedef void *(*http_target_callback)(void *context, const char *target, struct MHD_Connection *connection);

// paramd decodes the target itself, one path segment at a time: libmicrohttpd must leave `%2F` alone.
static inline size_t http_keep_escapes(void *context, struct MHD_Connection *connection, char *text) {
    (void)context;
    (void)connection;
    return strlen(text);
}

// A daemon without threads or a listening socket: its owner polls `http_daemon_descriptor` and calls MHD_run.
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

// Makes the library look at a connection in its next run without reading first; 0 turns that off. The library does so
// for connections whose timeout differs from the daemon's, which is 0 here; 2^20 seconds never pass.
static inline void http_visit(struct MHD_Connection *connection, int every_run) {
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, every_run ? 1u << 20 : 0u);
}

// Bytes from the start of the method to the end of the head; 0 if the library does not know.
static inline size_t http_head_size(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

// Whether all bytes are zero.
static inline int http_is_zero(const uint64_t *words, size_t bytes) {
    uint64_t any = 0;
    for (size_t at = 0; at < bytes / sizeof(uint64_t); at++) any |= words[at];
    return any == 0;
}

// Returns those pages of a connection's memory to the system that hold only zeros; a page that is touched again holds
// zeros as well, so nothing changes. libmicrohttpd clears the whole memory before each request after the first, and
// 10,000 waiting pulls would hold 320 MB of zeros. To be called on the thread that runs the connection.
//
// Up to 32 KiB the memory is one block of malloc, and the request starts at its first byte unless empty lines precede
// it. glibc stores the size of a block in the word before it. No client can place that size in front of a request,
// because the library has overwritten empty lines with zeros. If the word is not the size, nothing is returned. Larger
// memory is mapped, and nothing may be readable before it.
__attribute__((no_sanitize("address", "thread")))
static inline void http_return_zeros(const char *request, size_t connection_memory) {
#ifdef __GLIBC__
    const size_t page = (size_t)getpagesize(), word = sizeof(size_t), flags = 7;
    const uintptr_t memory = (uintptr_t)request;
    if (connection_memory > 32768 || memory % (2 * word) != 0) return;
    const size_t block = *(const size_t *)(memory - word) & ~flags;
    if (block < connection_memory + word || block > connection_memory + 4 * word) return;
    uintptr_t start = (memory + page - 1) & ~(page - 1);
    const uintptr_t end = (memory + connection_memory) & ~(page - 1);
    for (uintptr_t at = start; at <= end; at += page) {
        if (at < end && http_is_zero((const uint64_t *)at, page)) continue;
        if (at > start) madvise((void *)start, at - start, MADV_DONTNEED);
        start = at + page;
    }
#else
    (void)request;
    (void)connection_memory;
#endif
}

// glibc declares these functions only under _GNU_SOURCE, which also changes types that Swift's Glibc module has
// imported without it.
extern int accept4(int, struct sockaddr *, socklen_t *, int);
extern int pthread_setname_np(pthread_t, const char *);

// Sets the name of the calling thread, as `top` and /proc show it.
static inline void http_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

// Accepts the next waiting connection as a non-blocking socket; -1 if there is none.
static inline int http_accept(int listener, struct sockaddr *address, socklen_t *length) {
    return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

// Limits how many unsent bytes the kernel buffers for a connection. Otherwise it accepts megabytes of an answer at
// once, and the next answer waits for that copy.
static inline void http_bound_unsent(int descriptor) {
    int most = 1 << 18;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof(most));
}

// Discards up to 1 MiB of received data; for a TCP socket without copying it.
static inline void http_discard(int descriptor) {
    static _Thread_local char unused[1 << 16];
    for (int count = 0; count < 16; count++)
        if (recv(descriptor, unused, sizeof(unused), MSG_DONTWAIT | MSG_TRUNC) <= 0) return;
}

// Sent bytes that the peer has acknowledged, or -1 if the socket is not TCP.
// `tcpi_bytes_acked` has been at this offset of the kernel's `struct tcp_info` since 4.1; glibc's own copy ends before
// it.
static inline int64_t http_acknowledged_bytes(int descriptor) {
    enum { bytes_acked_offset = 120 };
    unsigned char info[bytes_acked_offset + sizeof(int64_t)];
    socklen_t length = sizeof(info);
    int64_t acknowledged;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &length) != 0 || length < sizeof(info)) return -1;
    memcpy(&acknowledged, info + bytes_acked_offset, sizeof(acknowledged));
    return acknowledged;
}
