// The program's command line, taken from the C runtime: a container may hide /proc. ParameterServer reads the
// arguments, ParameterServing the path of the executable.
#pragma once

// The number of arguments, including the program's name; 0 if the C library does not provide them.
int arguments_count(void);

// The arguments. They live as long as the process.
char **arguments_values(void);

// The path that the program was started with, or NULL.
const char *arguments_program(void);
