#include "logql/pipe/unicode.h"

/* Ranges of pairs. alternating: even/odd neighbours (upper first); else lower = upper + delta. */
static const struct {
    uint32_t first, last; /* upper case */
    int32_t delta;        /* 0: alternating, upper case at even offsets from first */
} ranges[] = {
    { 'A', 'Z', 32 },          { 0xC0, 0xD6, 32 },     { 0xD8, 0xDE, 32 },
    { 0x100, 0x12F, 0 },       { 0x132, 0x137, 0 },    { 0x139, 0x148, 0 },
    { 0x14A, 0x177, 0 },       { 0x178, 0x178, -121 }, { 0x179, 0x17E, 0 },
    { 0x1CD, 0x1DC, 0 },       { 0x1DE, 0x1EF, 0 },    { 0x1F8, 0x21F, 0 },
    { 0x222, 0x233, 0 },       { 0x370, 0x373, 0 },    { 0x376, 0x377, 0 },
    { 0x386, 0x386, 38 },      { 0x388, 0x38A, 37 },   { 0x38C, 0x38C, 64 },
    { 0x38E, 0x38F, 63 },      { 0x391, 0x3A1, 32 },   { 0x3A3, 0x3AB, 32 },
    { 0x3D8, 0x3EF, 0 },       { 0x400, 0x40F, 80 },   { 0x410, 0x42F, 32 },
    { 0x460, 0x481, 0 },       { 0x48A, 0x4BF, 0 },    { 0x4C1, 0x4CE, 0 },
    { 0x4D0, 0x52F, 0 },       { 0x531, 0x556, 48 },   { 0x1E00, 0x1E95, 0 },
    { 0x1E9E, 0x1E9E, -7615 }, { 0x1EA0, 0x1EFF, 0 },  { 0x2C00, 0x2C2F, 48 },
    { 0x2C80, 0x2CE3, 0 },     { 0xA640, 0xA66D, 0 },  { 0xA722, 0xA72F, 0 },
    { 0xA732, 0xA76F, 0 },     { 0xFF21, 0xFF3A, 32 }, { 0x10400, 0x10427, 40 },
};

uint32_t slg_rune_lower(uint32_t rune)
{
    if (rune == 0x130) /* dotted I */
        return 'i';
    if (rune == 0x2126)
        return 0x3C9; /* ohm */
    if (rune == 0x212A)
        return 'k';
    if (rune == 0x212B)
        return 0xE5;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (rune < ranges[i].first || rune > ranges[i].last)
            continue;
        if (ranges[i].delta != 0)
            return (uint32_t)((int32_t)rune + ranges[i].delta);
        return (rune - ranges[i].first) % 2 == 0 ? rune + 1 : rune;
    }
    return rune;
}

uint32_t slg_rune_upper(uint32_t rune)
{
    if (rune == 0x131)
        return 'I';
    if (rune == 0x17F)
        return 'S';
    if (rune == 0xB5)
        return 0x39C;
    if (rune == 0x3C2)
        return 0x3A3; /* final sigma */
    if (rune == 0xDF)
        return rune; /* sharp s has no simple upper case */
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (ranges[i].delta == 0) {
            if (rune >= ranges[i].first && rune <= ranges[i].last)
                return (rune - ranges[i].first) % 2 == 1 ? rune - 1 : rune;
            continue;
        }
        if ((int32_t)rune >= (int32_t)ranges[i].first + ranges[i].delta &&
            (int32_t)rune <= (int32_t)ranges[i].last + ranges[i].delta)
            return (uint32_t)((int32_t)rune - ranges[i].delta);
    }
    return rune;
}

bool slg_rune_is_space(uint32_t rune)
{
    return (rune >= 9 && rune <= 13) || rune == ' ' || rune == 0x85 || rune == 0xA0 ||
           rune == 0x1680 || (rune >= 0x2000 && rune <= 0x200A) || rune == 0x2028 ||
           rune == 0x2029 || rune == 0x202F || rune == 0x205F || rune == 0x3000;
}

bool slg_rune_is_word(uint32_t rune)
{
    if (rune < 0x80)
        return (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') ||
               (rune >= 'A' && rune <= 'Z') || rune == '_';
    return !slg_rune_is_space(rune);
}
