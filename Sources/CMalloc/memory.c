#include "memory.h"
#include <malloc.h>

void memory_set_up(void) {
    // One arena for each thread keeps the freed blocks of each; two are enough for threads that mostly move bytes.
    mallopt(M_ARENA_MAX, 2);
    // A fixed threshold: by itself it rises up to 32 MB with the first large block that is freed, and later ones of that
    // size come from arenas, where one small block behind them keeps all of it.
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
}

void memory_give_back(void) { malloc_trim(0); }
