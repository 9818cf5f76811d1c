// The loops that a C programmer writes, compiled for the widest vectors of the machine.
#include "CReference.h"

#define INLINE static inline __attribute__((always_inline))

INLINE void adam(float *restrict w, const float *restrict g, float *restrict m, float *restrict v, size_t n, float rate) {
    for (size_t i = 0; i < n; i++) {
        m[i] += (g[i] - m[i]) * 0.1f;
        v[i] += (g[i] * g[i] - v[i]) * 0.001f;
        w[i] -= rate * m[i] / (__builtin_elementwise_sqrt(v[i]) + 1e-8f);
    }
}

INLINE void momentum(float *restrict w, const float *restrict g, float *restrict m, size_t n, float rate) {
    for (size_t i = 0; i < n; i++) {
        m[i] = m[i] * 0.9f + g[i];
        w[i] -= rate * m[i];
    }
}

INLINE void sgd(float *restrict w, const float *restrict g, size_t n, float rate) {
    for (size_t i = 0; i < n; i++) w[i] -= rate * g[i];
}

INLINE void triad(const float *restrict a, const float *restrict b, float *restrict c, size_t n) {
    for (size_t i = 0; i < n; i++) c[i] = a[i] + 3 * b[i];
}

// No ifunc: its resolvers run before a sanitizer is ready.
#if defined(__x86_64__)
#define EACH(name, parameters, arguments) \
    __attribute__((target("avx512f"))) static void name##_512 parameters { name arguments; } \
    __attribute__((target("avx2"))) static void name##_256 parameters { name arguments; } \
    void cr_##name parameters { \
        __builtin_cpu_init(); \
        if (__builtin_cpu_supports("avx512f")) name##_512 arguments; \
        else if (__builtin_cpu_supports("avx2")) name##_256 arguments; \
        else name arguments; \
    }
#else
#define EACH(name, parameters, arguments) \
    void cr_##name parameters { name arguments; }
#endif

EACH(adam, (float *w, const float *g, float *m, float *v, size_t n, float rate), (w, g, m, v, n, rate))
EACH(momentum, (float *w, const float *g, float *m, size_t n, float rate), (w, g, m, n, rate))
EACH(sgd, (float *w, const float *g, size_t n, float rate), (w, g, n, rate))
EACH(triad, (const float *a, const float *b, float *c, size_t n), (a, b, c, n))
