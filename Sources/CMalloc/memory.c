#include "memory.h"
#include <malloc.h>

void memory_set_up(void) {
    // Each arena keeps its own freed blocks. Two arenas are enough for threads that mostly move bytes.
    mallopt(M_ARENA_MAX, 2);
    // A fixed threshold. Otherwise it rises up to 32 MB when the first large block is freed; later blocks of that size
    // then come from arenas, where one small block behind them keeps all of it.
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

void memory_give_back(void) { malloc_trim(0); }
