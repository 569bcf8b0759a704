#include "base/units.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/cursor.h"

struct unit {
    const char *name;
    int64_t value;
    bool printed; /* by the print functions */
};

#define MINUTE (60 * SLG_NS_PER_SEC)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* Falling. A name that starts another one (m, ms) is told apart by what follows it. */
static const struct unit duration_units[] = {
    { "y", 365 * DAY, false },     { "w", 7 * DAY, false },       { "d", DAY, true },
    { "h", HOUR, true },           { "m", MINUTE, true },         { "s", SLG_NS_PER_SEC, true },
    { "ms", SLG_NS_PER_MS, true }, { "us", SLG_NS_PER_US, true }, { "ns", 1, true },
};

#define KIB INT64_C(1024)
#define KB  INT64_C(1000)

static const struct unit size_units[] = {
    { "TiB", KIB *KIB *KIB *KIB, true },
    { "GiB", KIB *KIB *KIB, true },
    { "MiB", KIB *KIB, true },
    { "KiB", KIB, true },
    { "TB", KB *KB *KB *KB, false },
    { "GB", KB *KB *KB, false },
    { "MB", KB *KB, false },
    { "kB", KB, false },
    { "B", 1, false },
    { "", 1, true },
};

#define DIGITS_MAX 19 /* of INT64_MAX */

/* The letters at the cursor, compared as a whole. -1: not a unit. */
static int take_unit(struct slg_cursor *c, const struct unit *units, size_t unit_count)
{
    const uint8_t *start = c->at;
    size_t len;

    while (c->at < c->end && ((*c->at >= 'a' && *c->at <= 'z') || (*c->at >= 'A' && *c->at <= 'Z')))
        c->at++;
    len = (size_t)(c->at - start);
    for (size_t i = 0; i < unit_count; i++) {
        if (strlen(units[i].name) == len && (len == 0 || memcmp(units[i].name, start, len) == 0))
            return (int)i;
    }
    return -1;
}

/* sum += number * units[index]; false when that does not fit. */
static bool add_part(int64_t *sum, uint64_t number, int64_t unit)
{
    int64_t part;

    return !__builtin_mul_overflow((int64_t)number, unit, &part) &&
           !__builtin_add_overflow(*sum, part, sum);
}

bool slg_units_parse_duration(const char *text, size_t len, int64_t *ret_ns)
{
    struct slg_cursor c = slg_cursor_make(text, len);
    int last = -1;
    int64_t sum = 0;

    if (len == 1 && text[0] == '0') {
        *ret_ns = 0;
        return true;
    }
    do {
        uint64_t number;
        int unit;

        if (!slg_cursor_take_uint(&c, DIGITS_MAX, INT64_MAX, &number))
            return false;
        unit = take_unit(&c, duration_units, SLG_ARRAY_LEN(duration_units));
        if (unit <= last || !add_part(&sum, number, duration_units[unit].value))
            return false;
        last = unit;
    } while (c.at < c.end);
    *ret_ns = sum;
    return true;
}

bool slg_units_parse_size(const char *text, size_t len, int64_t *ret_bytes)
{
    struct slg_cursor c = slg_cursor_make(text, len);
    uint64_t number;
    int64_t sum = 0;
    int unit;

    if (!slg_cursor_take_uint(&c, DIGITS_MAX, INT64_MAX, &number))
        return false;
    unit = take_unit(&c, size_units, SLG_ARRAY_LEN(size_units));
    if (unit < 0 || c.at != c.end || !add_part(&sum, number, size_units[unit].value))
        return false;
    *ret_bytes = sum;
    return true;
}

void slg_units_print_duration(int64_t ns, char ret_text[SLG_UNITS_TEXT_MAX])
{
    size_t len = 0;

    SLG_ASSERT(ns >= 0);
    (void)snprintf(ret_text, SLG_UNITS_TEXT_MAX, "0s");
    for (size_t i = 0; i < SLG_ARRAY_LEN(duration_units); i++) {
        const struct unit *unit = &duration_units[i];

        if (!unit->printed || ns < unit->value)
            continue;
        /* At most 106751 days and six parts of three digits: 40 bytes. */
        len += (size_t)snprintf(ret_text + len, SLG_UNITS_TEXT_MAX - len, "%lld%s",
                                (long long)(ns / unit->value), unit->name);
        ns %= unit->value;
    }
}

void slg_units_print_size(int64_t bytes, char ret_text[SLG_UNITS_TEXT_MAX])
{
    size_t i = 0;

    SLG_ASSERT(bytes >= 0);
    while (
        i + 1 < SLG_ARRAY_LEN(size_units) &&
        (!size_units[i].printed || bytes < size_units[i].value || bytes % size_units[i].value != 0))
        i++;
    (void)snprintf(ret_text, SLG_UNITS_TEXT_MAX, "%lld%s", (long long)(bytes / size_units[i].value),
                   size_units[i].name); /* at most 22 bytes */
}
