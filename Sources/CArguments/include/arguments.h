// The command line as the kernel gave it to the program. Swift reads it from /proc, which a container may not have.
// ParameterServer imports it, and ParameterServing for the program's file.
#pragma once

// How many arguments there are, with the program's name; 0 where the C library does not tell.
int arguments_count(void);

// The arguments, which live as long as the program.
char **arguments_values(void);

// The path by which the program was started, or NULL.
const char *arguments_program(void);
