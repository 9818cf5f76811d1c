// The loops compiled for the instruction set that every machine of this architecture has; see table.inc.
// Products and sums are never contracted: a fused multiply-add would give other bits than a machine without it.
#include <math.h>
#include <string.h>

#include "table.h"

#pragma clang fp contract(off)
// Every function that takes `lanes` is inlined, so how they would be passed does not matter.
#pragma clang diagnostic ignored "-Wpsabi"
#define PK_TABLE pk_baseline
#include "table.inc"
