// CRC32C (Castagnoli), the checksum over every byte that the journal keeps on disk.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// The CRC32C of `bytes` appended to whatever `crc` is the checksum of; 0 is the checksum of nothing.
///
/// Polynomial 0x1EDC6F41 reflected, initial value and final exclusive-or all ones (RFC 3720, appendix B.4), so
/// `paramd_crc32c(paramd_crc32c(0, a, n), b, m)` is the checksum of a followed by b.
uint32_t paramd_crc32c(uint32_t crc, const void *bytes, size_t length);

/// The same function by tables alone: what runs on a CPU without the instruction, and the check on the other ways.
uint32_t paramd_crc32c_portable(uint32_t crc, const void *bytes, size_t length);
