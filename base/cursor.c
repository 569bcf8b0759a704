#include "base/cursor.h"

bool slg_cursor_take_bytes(struct slg_cursor *c, size_t len, const uint8_t **ret_bytes)
{
    if (len > slg_cursor_left(c))
        return false;
    *ret_bytes = c->at;
    if (len > 0)
        c->at += len;
    return true;
}

bool slg_cursor_take_text(struct slg_cursor *c, const char *text)
{
    size_t len = strlen(text);

    if (len > slg_cursor_left(c) || (len > 0 && memcmp(c->at, text, len) != 0))
        return false;
    if (len > 0)
        c->at += len;
    return true;
}

bool slg_cursor_take_be(struct slg_cursor *c, size_t byte_count, uint64_t *ret_value)
{
    const uint8_t *bytes;
    uint64_t value = 0;

    if (!slg_cursor_take_bytes(c, byte_count, &bytes))
        return false;
    for (size_t i = 0; i < byte_count; i++)
        value = value << 8 | bytes[i];
    *ret_value = value;
    return true;
}

bool slg_cursor_take_u8(struct slg_cursor *c, uint8_t *ret_value)
{
    if (c->at == c->end)
        return false;
    *ret_value = *c->at++;
    return true;
}

bool slg_cursor_take_u16be(struct slg_cursor *c, uint16_t *ret_value)
{
    uint64_t value;

    if (!slg_cursor_take_be(c, 2, &value))
        return false;
    *ret_value = (uint16_t)value;
    return true;
}

bool slg_cursor_take_u32be(struct slg_cursor *c, uint32_t *ret_value)
{
    uint64_t value;

    if (!slg_cursor_take_be(c, 4, &value))
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

bool slg_cursor_take_u64be(struct slg_cursor *c, uint64_t *ret_value)
{
    return slg_cursor_take_be(c, 8, ret_value);
}

bool slg_cursor_take_varint(struct slg_cursor *c, uint64_t *ret_value)
{
    struct slg_cursor probe = *c;
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte;

        if (!slg_cursor_take_u8(&probe, &byte))
            return false;
        if (shift == 63 && byte > 1)
            return false;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if ((byte & 0x80) == 0) {
            *ret_value = value;
            *c = probe;
            return true;
        }
    }
    return false;
}

bool slg_cursor_take_varint_signed(struct slg_cursor *c, int64_t *ret_value)
{
    uint64_t value;

    if (!slg_cursor_take_varint(c, &value))
        return false;
    *ret_value = (int64_t)(value >> 1 ^ (0 - (value & 1)));
    return true;
}

bool slg_cursor_take_uint(struct slg_cursor *c, unsigned digits_max, uint64_t value_max,
                          uint64_t *ret_value)
{
    struct slg_cursor probe = *c;
    uint64_t value = 0;
    unsigned digits = 0;

    while (probe.at < probe.end && *probe.at >= '0' && *probe.at <= '9') {
        uint64_t digit = (uint64_t)(*probe.at - '0');

        if (digits == digits_max || value > (value_max - digit) / 10 || digit > value_max)
            return false;
        value = value * 10 + digit;
        digits++;
        probe.at++;
    }
    if (digits == 0)
        return false;
    *ret_value = value;
    *c = probe;
    return true;
}
