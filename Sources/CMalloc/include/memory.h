// Settings of the C library's allocator, whose header Swift does not import. ParameterServer configures it at start;
// ParameterAPI returns memory.
#pragma once

// Limits how much freed memory the allocator keeps: the daemon promises to stay near its budget.
void memory_set_up(void);

// Returns freed memory to the system.
void memory_give_back(void);
