// The hot loops of paramd: fused optimizer updates, reductions and checksums over plain memory.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "ReductionKernels.h"
#include "UpdateKernels.h"
#include "crc32c.h"
