// The loops compiled for x86-64 with avx-512; see table.inc.
// Products and sums are never contracted: a fused multiply-add would change the bits compared with machines without it,
// except where squares of floats, which are exact in double, are added up.
#include <float.h>
#include <math.h>
#include <string.h>

#include "table.h"

#if defined(__x86_64__)
#pragma clang fp contract(off)
// Every function that takes `lanes` is inlined, so the calling convention for them does not matter.
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("avx512f"))), apply_to = function)
#define PK_FUSED
#define PK_TABLE pk_avx512
#include "table.inc"
#pragma clang attribute pop
#endif
