// XXH3, the 128-bit checksum behind fingerprints of pushes, definitions and states.
#pragma once
#include <xxhash.h>
