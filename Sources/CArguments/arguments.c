#include "arguments.h"
#include <sys/auxv.h>

static int count;
static char **values;

// glibc passes the arguments of main to every constructor.
__attribute__((constructor)) static void keep(int argc, char **argv) {
    count = argc;
    values = argv;
}

int arguments_count(void) { return count; }

char **arguments_values(void) { return values; }

const char *arguments_program(void) { return (const char *)getauxval(AT_EXECFN); }
