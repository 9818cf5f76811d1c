// What the daemon asks of the C library's allocator, whose header Swift does not import. ParameterServer sets it up, and
// ParameterAPI gives memory back.
#pragma once

// Keeps what is freed from piling up: the daemon promises to stay near its budget.
void memory_set_up(void);

// Gives freed memory back to the system.
void memory_give_back(void);
