#include "logql/pipe/ip.h"

#include <string.h>

#include "base/bytes.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Four decimal fields of 1 to 3 digits, no leading zero. */
static bool parse_v4(struct slg_text text, uint8_t out[4])
{
    size_t i = 0;

    for (int field = 0; field < 4; field++) {
        unsigned value = 0;
        size_t start = i;

        for (; i < text.len && is_digit(text.at[i]); i++) {
            if (i - start == 3)
                return false;
            value = value * 10 + (unsigned)(text.at[i] - '0');
        }
        if (i == start || value > 255 || (i - start > 1 && text.at[start] == '0'))
            return false;
        out[field] = (uint8_t)value;
        if (field < 3 && (i == text.len || text.at[i++] != '.'))
            return false;
    }
    return i == text.len;
}

/* Up to 4 hexadecimal digits at text[*i); false when there are none or more. */
static bool take_group(struct slg_text text, size_t *i, unsigned *ret_value)
{
    size_t start = *i;

    *ret_value = 0;
    while (*i < text.len && slg_bytes_hex_value(text.at[*i]) >= 0) {
        if (*i - start == 4)
            return false;
        *ret_value = *ret_value * 16 + (unsigned)slg_bytes_hex_value(text.at[(*i)++]);
    }
    return *i > start;
}

/* Move what follows "::" to the end and fill with zeros. */
static bool expand(uint8_t out[16], size_t filled, size_t ellipsis)
{
    if (filled == 16)
        return ellipsis == SIZE_MAX;
    if (ellipsis == SIZE_MAX)
        return false;
    memmove(out + 16 - (filled - ellipsis), out + ellipsis, filled - ellipsis);
    memset(out + ellipsis, 0, 16 - filled);
    return true;
}

/* RFC 4291 section 2.2, with an IPv4 tail allowed. */
static bool parse_v6(struct slg_text text, uint8_t out[16])
{
    size_t i = 0, filled = 0, ellipsis = SIZE_MAX;

    if (text.len >= 2 && text.at[0] == ':' && text.at[1] == ':') {
        ellipsis = 0;
        i = 2;
        if (i == text.len)
            return expand(out, 0, 0);
    }
    while (filled < 16) {
        size_t start = i;
        unsigned value;

        if (!take_group(text, &i, &value))
            return false;
        if (i < text.len && text.at[i] == '.') {
            if ((ellipsis == SIZE_MAX && filled != 12) || filled + 4 > 16)
                return false;
            if (!parse_v4(slg_text_make(text.at + start, text.len - start), out + filled))
                return false;
            return expand(out, filled + 4, ellipsis);
        }
        out[filled++] = (uint8_t)(value >> 8);
        out[filled++] = (uint8_t)value;
        if (i == text.len)
            break;
        if (text.at[i] != ':' || i + 1 == text.len)
            return false;
        i++;
        if (text.at[i] == ':') {
            if (ellipsis != SIZE_MAX)
                return false;
            ellipsis = filled;
            if (++i == text.len)
                break;
        }
    }
    return i == text.len && expand(out, filled, ellipsis);
}

bool slg_ip_address_parse(struct slg_text text, struct slg_ip_address *ret_address)
{
    const char *zone;
    size_t i = 0;

    memset(ret_address, 0, sizeof(*ret_address));
    while (i < text.len && text.at[i] != '.' && text.at[i] != ':' && text.at[i] != '%')
        i++;
    if (i == text.len || text.at[i] == '%')
        return false;
    if (text.at[i] == '.')
        return parse_v4(text, ret_address->bytes);
    zone = memchr(text.at, '%', text.len);
    if (zone != NULL) {
        if (zone + 1 == text.at + text.len)
            return false;
        text.len = (size_t)(zone - text.at);
        ret_address->has_zone = true;
    }
    ret_address->is_v6 = true;
    return parse_v6(text, ret_address->bytes);
}

/* "10.0.0.0/8"; the address needs not be the first of its network. */
static bool parse_network(struct slg_text pattern, struct slg_ip_matcher *matcher)
{
    const char *slash = memrchr(pattern.at == NULL ? "" : pattern.at, '/', pattern.len);
    unsigned bits = 0;
    size_t digits;

    if (slash == NULL ||
        !slg_ip_address_parse(slg_text_make(pattern.at, (size_t)(slash - pattern.at)),
                              &matcher->low) ||
        matcher->low.has_zone)
        return false;
    digits = (size_t)(pattern.at + pattern.len - slash) - 1;
    if (digits == 0 || digits > 3 || (digits > 1 && slash[1] == '0'))
        return false;
    for (size_t i = 1; i <= digits; i++) {
        if (!is_digit(slash[i]))
            return false;
        bits = bits * 10 + (unsigned)(slash[i] - '0');
    }
    if (bits > (matcher->low.is_v6 ? 128U : 32U))
        return false;
    matcher->high = matcher->low;
    for (unsigned bit = bits; bit < (matcher->low.is_v6 ? 128U : 32U); bit++) {
        uint8_t mask = (uint8_t)(0x80U >> (bit % 8));

        matcher->low.bytes[bit / 8] &= (uint8_t)~mask;
        matcher->high.bytes[bit / 8] |= mask;
    }
    return true;
}

static bool parse_range(struct slg_text pattern, struct slg_ip_matcher *matcher)
{
    const char *dash = memchr(pattern.at == NULL ? "" : pattern.at, '-', pattern.len);

    if (dash == NULL)
        return false;
    return slg_ip_address_parse(slg_text_make(pattern.at, (size_t)(dash - pattern.at)),
                                &matcher->low) &&
           slg_ip_address_parse(
               slg_text_make(dash + 1, (size_t)(pattern.at + pattern.len - dash) - 1),
               &matcher->high) &&
           matcher->low.is_v6 == matcher->high.is_v6 && !matcher->low.has_zone &&
           !matcher->high.has_zone &&
           memcmp(matcher->low.bytes, matcher->high.bytes, sizeof(matcher->low.bytes)) <= 0;
}

enum slg_status slg_ip_matcher_parse(struct slg_text pattern, struct slg_ip_matcher *ret_matcher,
                                     struct slg_error *reterr)
{
    struct slg_ip_matcher matcher = { 0 };

    if (slg_ip_address_parse(pattern, &matcher.low) && !matcher.low.has_zone)
        matcher.high = matcher.low;
    else if (!parse_network(pattern, &matcher) && !parse_range(pattern, &matcher))
        return slg_errorf(reterr, SLG_INVALID, "ip: invalid pattern: \"%.*s\"",
                          (int)(pattern.len > 128 ? 128 : pattern.len), pattern.at);
    *ret_matcher = matcher;
    return SLG_OK;
}

static bool contains(const struct slg_ip_matcher *matcher, const struct slg_ip_address *address)
{
    size_t len = address->is_v6 ? 16 : 4;

    return address->is_v6 == matcher->low.is_v6 && !address->has_zone &&
           memcmp(address->bytes, matcher->low.bytes, len) >= 0 &&
           memcmp(address->bytes, matcher->high.bytes, len) <= 0;
}

/* Loki's hints of where an address may start. */
static bool v4_hint(const char *at)
{
    return is_digit(at[0]) && (at[1] == '.' || at[2] == '.' || at[3] == '.');
}

static bool v6_hint(const char *at, size_t len)
{
    size_t digits = 0;

    if (len >= 3 && at[0] == ':' && at[1] == ':' && slg_bytes_hex_value(at[2]) >= 0)
        return true;
    while (digits < 4 && digits < len && slg_bytes_hex_value(at[digits]) >= 0)
        digits++;
    return digits > 0 && digits < len && at[digits] == ':';
}

/* Length of the run of address characters at text[i). */
static size_t span(struct slg_text text, size_t i, bool is_v6)
{
    size_t start = i;

    while (i < text.len && (text.at[i] == '.' || is_digit(text.at[i]) ||
                            (is_v6 && (text.at[i] == ':' || slg_bytes_hex_value(text.at[i]) >= 0))))
        i++;
    return i - start;
}

static const bool may_begin[256] = {
    ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true, ['4'] = true, ['5'] = true,
    ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true, ['a'] = true, ['b'] = true,
    ['c'] = true, ['d'] = true, ['e'] = true, ['f'] = true, ['A'] = true, ['B'] = true,
    ['C'] = true, ['D'] = true, ['E'] = true, ['F'] = true, [':'] = true,
};

bool slg_ip_matcher_find(const struct slg_ip_matcher *matcher, struct slg_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        struct slg_ip_address address;
        size_t len;
        bool is_v4;

        /* Letters behind f, spaces and most signs begin nothing: most bytes of a line. */
        if (!may_begin[(uint8_t)text.at[i]])
            continue;
        is_v4 = i + 3 < text.len && v4_hint(text.at + i);

        if (!is_v4 && !v6_hint(text.at + i, text.len - i))
            continue;
        len = span(text, i, !is_v4);
        if (slg_ip_address_parse(slg_text_make(text.at + i, len), &address) &&
            contains(matcher, &address))
            return true;
        i += len; /* and one more: Loki skips the byte after a candidate */
    }
    return false;
}
