#include "base/utf8.h"

#define REPLACEMENT 0xFFFDU

/* RFC 3629 section 4: the allowed range of the second byte depends on the first. */
static bool lead_byte(uint8_t lead, size_t *ret_len, uint8_t *ret_low, uint8_t *ret_high)
{
    *ret_low = 0x80;
    *ret_high = 0xBF;
    if (lead >= 0xC2 && lead <= 0xDF) {
        *ret_len = 2;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        *ret_len = 3;
        if (lead == 0xE0)
            *ret_low = 0xA0;
        else if (lead == 0xED)
            *ret_high = 0x9F;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        *ret_len = 4;
        if (lead == 0xF0)
            *ret_low = 0x90;
        else if (lead == 0xF4)
            *ret_high = 0x8F;
    } else {
        return false;
    }
    return true;
}

bool slg_utf8_check(const uint8_t *text, size_t len, size_t *ret_step)
{
    size_t need;
    uint8_t low, high;

    *ret_step = 1;
    if (text[0] < 0x80)
        return true;
    if (!lead_byte(text[0], &need, &low, &high))
        return false;
    for (size_t i = 1; i < need; i++) {
        if (i >= len || text[i] < low || text[i] > high) {
            *ret_step = i;
            return false;
        }
        low = 0x80;
        high = 0xBF;
    }
    *ret_step = need;
    return true;
}

bool slg_utf8_decode(const uint8_t *text, size_t len, uint32_t *ret_rune, size_t *ret_step)
{
    static const uint8_t lead_mask[5] = { 0, 0x7F, 0x1F, 0x0F, 0x07 };
    uint32_t rune;

    *ret_rune = REPLACEMENT;
    if (!slg_utf8_check(text, len, ret_step))
        return false;
    rune = text[0] & lead_mask[*ret_step];
    for (size_t i = 1; i < *ret_step; i++)
        rune = rune << 6 | (text[i] & 0x3FU);
    *ret_rune = rune;
    return true;
}

size_t slg_utf8_encode(uint32_t rune, uint8_t out[4])
{
    if (rune > 0x10FFFF || (rune >= 0xD800 && rune <= 0xDFFF))
        rune = REPLACEMENT;
    if (rune < 0x80) {
        out[0] = (uint8_t)rune;
        return 1;
    }
    if (rune < 0x800) {
        out[0] = (uint8_t)(0xC0 | rune >> 6);
        out[1] = (uint8_t)(0x80 | (rune & 0x3F));
        return 2;
    }
    if (rune < 0x10000) {
        out[0] = (uint8_t)(0xE0 | rune >> 12);
        out[1] = (uint8_t)(0x80 | (rune >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (rune & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | rune >> 18);
    out[1] = (uint8_t)(0x80 | (rune >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (rune >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (rune & 0x3F));
    return 4;
}
