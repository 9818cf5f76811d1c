// What the machine allows: plain C loops, and a bare server that does to a push what paramd must do at least. Used by
// paramd-benchmark only; nothing here checks its input beyond what its own client sends.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>  // Swift has no module for this one and the next
#include <sys/vfs.h>

/// w, m and v after a step of Adam with gradient g, in place.
void cr_adam(float *w, const float *g, float *m, float *v, size_t count, float rate);
/// w and m after a step of SGD with momentum 0.9, in place.
void cr_momentum(float *w, const float *g, float *m, size_t count, float rate);
/// w after a step of SGD, in place.
void cr_sgd(float *w, const float *g, size_t count, float rate);
/// c = a + 3 b: what memory allows.
void cr_triad(const float *a, const float *b, float *c, size_t count);

typedef struct cr_server cr_server;

typedef enum cr_rule { CR_SGD, CR_ADAM } cr_rule;

typedef struct cr_options {
    size_t parameters;  ///< values of the model
    cr_rule rule;
    int file;           ///< where pushes are written and synced, an open file that was written before; or -1
    size_t file_size;   ///< its size; each push is written behind the one before, then from the start again
} cr_options;

/// Serves on a free port of 127.0.0.1 with two threads until `cr_stop`.
///
///     POST /push    a safetensors file with all values: one step in place, then "ok"
///     POST /small   a body of any size: "ok"
///     GET /pull     the parameters from the memory that the steps change
///     GET /lr       a few bytes
///
/// Returns null if it cannot.
cr_server *cr_start(const cr_options *options, uint16_t *port);
void cr_stop(cr_server *server);
