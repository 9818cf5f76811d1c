// A flag of open(2) that the C library does not show to Swift.
#pragma once

/// O_DIRECT: writes go past the page cache, from whole pages to whole pages.
int paramd_direct_flag(void);
