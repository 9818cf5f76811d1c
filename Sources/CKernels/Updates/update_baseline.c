// The loops compiled for the baseline instruction set of this architecture; see table.inc.
// Products and sums are never contracted: a fused multiply-add would change the bits compared with machines without it.
#include <float.h>
#include <math.h>
#include <string.h>

#include "table.h"

#pragma clang fp contract(off)
// Every function that takes `lanes` is inlined, so the calling convention for them does not matter.
#pragma clang diagnostic ignored "-Wpsabi"
#define PK_TABLE pk_baseline
#include "table.inc"
