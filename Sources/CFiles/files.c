// O_DIRECT belongs to the GNU extensions, which Swift's view of the C library leaves out.
#define _GNU_SOURCE
#include "files.h"

#include <fcntl.h>

int paramd_direct_flag(void) { return O_DIRECT; }
