// CRC32C with the CPU's instruction where available, with tables otherwise; selected once, before main.
//
// The instruction has a latency of three cycles and a throughput of one, so three stretches of the input are summed
// side by side and combined: the checksum is linear, and appending LANE zero bytes is a table look-up on its state.

#include "include/crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define STEP_TARGET __attribute__((target("sse4.2")))
#define STEP_8(state, word) _mm_crc32_u64((state), (word))
#define STEP_1(state, byte) _mm_crc32_u8((uint32_t)(state), (byte))
#elif defined(__aarch64__) && defined(__linux__)
#include <arm_acle.h>
#include <sys/auxv.h>
#define STEP_TARGET __attribute__((target("+crc")))
#define STEP_8(state, word) __crc32cd((uint32_t)(state), (word))
#define STEP_1(state, byte) __crc32cb((uint32_t)(state), (byte))
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

enum { SLICES = 8, LANE = 2048 };
static const uint32_t polynomial = 0x82F63B78;  // 0x1EDC6F41, bits reversed

static uint32_t slices[SLICES][256];  // slices[k][b]: byte b followed by k zero bytes
static uint32_t lane_shift[4][256];   // lane_shift[k][b]: state byte k = b, followed by LANE zero bytes

static void fill_slices(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t state = byte;
        for (int bit = 0; bit < 8; bit++) state = (state >> 1) ^ ((state & 1) ? polynomial : 0);
        slices[0][byte] = state;
    }
    for (int k = 1; k < SLICES; k++)
        for (int byte = 0; byte < 256; byte++)
            slices[k][byte] = (slices[k - 1][byte] >> 8) ^ slices[0][slices[k - 1][byte] & 0xFF];
}

static void fill_lane_shift(void) {
    for (int k = 0; k < 4; k++)
        for (uint32_t byte = 0; byte < 256; byte++) {
            uint32_t state = byte << (8 * k);
            for (int zero = 0; zero < LANE; zero++) state = (state >> 8) ^ slices[0][state & 0xFF];
            lane_shift[k][byte] = state;
        }
}

static uint64_t load_word(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static uint32_t sum_by_tables(uint32_t state, const uint8_t *bytes, size_t length) {
#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; length >= 8; bytes += 8, length -= 8) {
        uint64_t word = load_word(bytes) ^ state;
        state = slices[7][word & 0xFF] ^ slices[6][(word >> 8) & 0xFF] ^ slices[5][(word >> 16) & 0xFF]
            ^ slices[4][(word >> 24) & 0xFF] ^ slices[3][(word >> 32) & 0xFF] ^ slices[2][(word >> 40) & 0xFF]
            ^ slices[1][(word >> 48) & 0xFF] ^ slices[0][word >> 56];
    }
#endif
    for (; length > 0; bytes++, length--) state = (state >> 8) ^ slices[0][(state ^ *bytes) & 0xFF];
    return state;
}

#ifdef STEP_TARGET
static uint32_t after_lane(uint32_t state) {
    return lane_shift[0][state & 0xFF] ^ lane_shift[1][(state >> 8) & 0xFF] ^ lane_shift[2][(state >> 16) & 0xFF]
        ^ lane_shift[3][state >> 24];
}

STEP_TARGET static uint32_t sum_by_instruction(uint32_t start, const uint8_t *bytes, size_t length) {
    uint64_t state = start;
    for (; length >= 3 * LANE; bytes += 3 * LANE, length -= 3 * LANE) {
        uint64_t second = 0, third = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            state = STEP_8(state, load_word(bytes + i));
            second = STEP_8(second, load_word(bytes + LANE + i));
            third = STEP_8(third, load_word(bytes + 2 * LANE + i));
        }
        state = after_lane(after_lane((uint32_t)state) ^ (uint32_t)second) ^ third;
    }
    for (; length >= 8; bytes += 8, length -= 8) state = STEP_8(state, load_word(bytes));
    for (; length > 0; bytes++, length--) state = STEP_1(state, *bytes);
    return (uint32_t)state;
}

static int has_instruction(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    return __builtin_cpu_supports("sse4.2");
#else
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
#endif
}
#endif

static uint32_t (*sum)(uint32_t, const uint8_t *, size_t) = sum_by_tables;

__attribute__((constructor)) static void choose(void) {
    fill_slices();
#ifdef STEP_TARGET
    fill_lane_shift();
    if (has_instruction()) sum = sum_by_instruction;
#endif
}

uint32_t paramd_crc32c(uint32_t crc, const void *bytes, size_t length) {
    return ~sum(~crc, bytes, length);
}

uint32_t paramd_crc32c_portable(uint32_t crc, const void *bytes, size_t length) {
    return ~sum_by_tables(~crc, bytes, length);
}
