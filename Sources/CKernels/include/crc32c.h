// CRC32C (Castagnoli), the checksum of all bytes that the journal keeps on disk.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Extends a CRC32C: `crc` is the checksum of the preceding bytes, 0 if there are none.
///
/// Polynomial 0x1EDC6F41 reflected, initial value and final exclusive-or all ones (RFC 3720, appendix B.4), so
/// `paramd_crc32c(paramd_crc32c(0, a, n), b, m)` is the checksum of a followed by b.
uint32_t paramd_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The same function with tables only: the fallback for CPUs without the instruction, and the reference in tests.
uint32_t paramd_crc32c_portable(uint32_t crc, const void *bytes, size_t length);
