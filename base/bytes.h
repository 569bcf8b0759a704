/* base/bytes.h - integers and hexadecimal digits as bytes, big-endian, where there is no cursor or buffer.
 *
 * The caller has checked that the bytes are there. See base/cursor.h and base/buf.h for bytes that come and go in a row.
 * Threads: pure. */
#ifndef SLG_BASE_BYTES_H
#define SLG_BASE_BYTES_H

#include <stdint.h>

static inline void slg_bytes_put_u16be(uint8_t *at, uint16_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static inline void slg_bytes_put_u32be(uint8_t *at, uint32_t value)
{
    slg_bytes_put_u16be(at, (uint16_t)(value >> 16));
    slg_bytes_put_u16be(at + 2, (uint16_t)value);
}

static inline void slg_bytes_put_u64be(uint8_t *at, uint64_t value)
{
    slg_bytes_put_u32be(at, (uint32_t)(value >> 32));
    slg_bytes_put_u32be(at + 4, (uint32_t)value);
}

static inline uint32_t slg_bytes_get_u32be(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t slg_bytes_get_u64be(const uint8_t *at)
{
    return (uint64_t)slg_bytes_get_u32be(at) << 32 | slg_bytes_get_u32be(at + 4);
}

/* Value of a hexadecimal digit, upper or lower case; -1: it is none. */
static inline int slg_bytes_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

#endif
