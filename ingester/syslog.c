#include "ingester/syslog.h"

#include "ingester/level.h"

#define NS_PER_SEC   INT64_C(1000000000)
#define DAY_SEC      INT64_C(86400)
#define YEAR_UNKNOWN INT64_C(-1)
#define YEAR_MIN     1970
#define YEAR_MAX     2199

/* A stamp as it stands in the message. */
struct stamp {
    int64_t year; /* YEAR_UNKNOWN in RFC 3164 */
    unsigned month, day;
    int32_t second_of_day; /* up to 86400: a leap second counts on */
    int32_t nanosecond;
    bool zoned;
    int32_t offset; /* east of UTC; with zoned */
};

struct tag {
    struct slg_text app;
    struct slg_text pid;
    const char *rest; /* behind the colon and one space */
    bool colon;       /* false: "name[68] text" */
};

static struct slg_text span(const char *from, const char *to)
{
    return slg_text_make(from, (size_t)(to - from));
}

static bool is_digit(char c)
{
    return (unsigned char)(c - '0') <= 9;
}

static bool is_alpha(char c)
{
    return (unsigned char)((c | 0x20) - 'a') < 26;
}

static size_t left(const char *p, const char *end)
{
    return (size_t)(end - p);
}

static bool starts_with(const char *p, const char *end, const char *text, size_t len)
{
    return left(p, end) >= len && memcmp(p, text, len) == 0;
}
#define STARTS_WITH(p, end, literal) starts_with((p), (end), (literal), sizeof(literal) - 1)

/* Two digits as a number; anything above 99 when they are none. */
static unsigned two(const char *p)
{
    unsigned high = (unsigned char)(p[0] - '0');
    unsigned low = (unsigned char)(p[1] - '0');

    return high > 9 || low > 9 ? 1000U : high * 10 + low;
}

/* hh:mm:ss, 8 bytes there. -1 when it is none. RFC 5424 has no second 60; some clocks do. */
static int32_t take_clock(const char *p)
{
    unsigned hour = two(p);
    unsigned minute = two(p + 3);
    unsigned second = two(p + 6);

    if (hour > 23 || minute > 59 || second > 60 || p[2] != ':' || p[5] != ':')
        return -1;
    return (int32_t)(hour * 3600 + minute * 60 + second);
}

/* ".123" into ns; digits behind the ninth are read and dropped. p unchanged when there is no fraction. */
static const char *take_fraction(const char *p, const char *end, int32_t *ret_ns)
{
    static const int32_t units[] = { 1000000000, 100000000, 10000000, 1000000, 100000,
                                     10000,      1000,      100,      10,      1 };
    const char *at = p + 1;
    int32_t value = 0;
    size_t count = 0;

    if (left(p, end) < 2 || *p != '.' || !is_digit(*at))
        return p;
    for (; at < end && is_digit(*at) && count < SLG_ARRAY_LEN(units) - 1; count++)
        value = value * 10 + (*at++ - '0');
    while (at < end && is_digit(*at))
        at++;
    *ret_ns = value * units[count];
    return at;
}

/* Z, +01:00, +0100 or +01. NULL: none of them. */
static const char *take_offset(const char *p, const char *end, int32_t *ret_offset)
{
    unsigned hour;
    unsigned minute = 0;
    bool west;

    if (p < end && (*p == 'Z' || *p == 'z')) {
        *ret_offset = 0;
        return p + 1;
    }
    if (left(p, end) < 3 || (*p != '+' && *p != '-'))
        return NULL;
    west = *p == '-';
    hour = two(p + 1);
    p += 3;
    if (left(p, end) >= 3 && *p == ':') {
        minute = two(p + 1);
        p += 3;
    } else if (left(p, end) >= 2 && is_digit(*p)) {
        minute = two(p);
        p += 2;
    }
    if (hour > 23 || minute > 59)
        return NULL;
    *ret_offset = (int32_t)(hour * 3600 + minute * 60) * (west ? -1 : 1);
    return p;
}

/* RFC 3339 (RFC 5424 section 6.2.3), with lower case letters, any count of digits, and no offset at all.
 * separator_space: a space may stand for the T. Returns the end, or NULL. */
static const char *take_iso_time(const char *p, const char *end, bool separator_space,
                                 struct stamp *stamp)
{
    unsigned century;
    unsigned year;
    const char *after;

    if (left(p, end) < 19 || p[4] != '-' || p[7] != '-')
        return NULL;
    if ((p[10] | 0x20) != 't' && !(separator_space && p[10] == ' '))
        return NULL;
    century = two(p);
    year = two(p + 2);
    stamp->month = two(p + 5);
    stamp->day = two(p + 8);
    stamp->second_of_day = take_clock(p + 11);
    if (century > 99 || year > 99 || stamp->second_of_day < 0)
        return NULL;
    stamp->year = (int64_t)century * 100 + year;
    if (stamp->year < YEAR_MIN || stamp->year > YEAR_MAX ||
        !slg_zone_date_valid(stamp->year, stamp->month, stamp->day))
        return NULL;
    stamp->nanosecond = 0;
    p = take_fraction(p + 19, end, &stamp->nanosecond);
    after = take_offset(p, end, &stamp->offset);
    stamp->zoned = after != NULL;
    return after != NULL ? after : p;
}

#define PACK(a, b, c) ((uint32_t)(a) << 16 | (uint32_t)(b) << 8 | (uint32_t)(c))

static unsigned month_of(const char *p)
{
    switch (PACK((unsigned char)p[0], (unsigned char)p[1], (unsigned char)p[2]) | 0x202020) {
    case PACK('j', 'a', 'n'):
        return 1;
    case PACK('f', 'e', 'b'):
        return 2;
    case PACK('m', 'a', 'r'):
        return 3;
    case PACK('a', 'p', 'r'):
        return 4;
    case PACK('m', 'a', 'y'):
        return 5;
    case PACK('j', 'u', 'n'):
        return 6;
    case PACK('j', 'u', 'l'):
        return 7;
    case PACK('a', 'u', 'g'):
        return 8;
    case PACK('s', 'e', 'p'):
        return 9;
    case PACK('o', 'c', 't'):
        return 10;
    case PACK('n', 'o', 'v'):
        return 11;
    case PACK('d', 'e', 'c'):
        return 12;
    default:
        return 0;
    }
}

/* Four digits of a believable year that end at a space, ": " or the end; 0: none. */
static unsigned take_year(const char *p, const char *end)
{
    unsigned year;

    if (left(p, end) < 4 || two(p) > 99 || two(p + 2) > 99)
        return 0;
    if (left(p, end) > 4 && p[4] != ' ' && !(p[4] == ':' && left(p, end) > 5 && p[5] == ' '))
        return 0; /* "2001:db8::1" is a host */
    year = two(p) * 100 + two(p + 2);
    return year >= YEAR_MIN && year <= YEAR_MAX ? year : 0;
}

/* +01:00 or +0100 right behind a clock, as Huawei has it, and then the end, a space or a colon. p: it is none. */
static const char *take_clock_offset(const char *p, const char *end, struct stamp *stamp)
{
    int32_t offset;
    const char *after =
        left(p, end) > 4 && (*p == '+' || *p == '-') ? take_offset(p, end, &offset) : NULL;

    if (after == NULL || left(p, after) < 5 || (after < end && *after != ' ' && *after != ':'))
        return p;
    stamp->zoned = true;
    stamp->offset = offset;
    return after;
}

/* Mmm dd [yyyy] hh:mm:ss[.fff][+hh:mm] [yyyy]; the day padded by a space, a zero or nothing. The end, or NULL. */
static const char *take_bsd_time(const char *p, const char *end, struct stamp *stamp)
{
    unsigned year;

    if (left(p, end) < 14 || !is_alpha(*p) || p[3] != ' ')
        return NULL;
    stamp->month = month_of(p);
    if (stamp->month == 0)
        return NULL;
    p += 4;
    if (*p == ' ')
        p++;
    if (!is_digit(*p))
        return NULL;
    stamp->day = (unsigned)(*p++ - '0');
    if (is_digit(*p))
        stamp->day = stamp->day * 10 + (unsigned)(*p++ - '0');
    if (*p++ != ' ')
        return NULL;
    stamp->year = YEAR_UNKNOWN;
    year = take_year(p, end);
    if (year != 0) {
        stamp->year = year;
        p += 5;
        if (p > end)
            return NULL;
    }
    if (left(p, end) < 8)
        return NULL;
    stamp->second_of_day = take_clock(p);
    if (stamp->second_of_day < 0 ||
        !slg_zone_date_valid(year != 0 ? year : 2000, stamp->month, stamp->day))
        return NULL;
    stamp->nanosecond = 0;
    stamp->zoned = false;
    p = take_fraction(p + 8, end, &stamp->nanosecond);
    p = take_clock_offset(p, end, stamp);
    if (year == 0 && p < end && *p == ' ' && take_year(p + 1, end) != 0) {
        stamp->year = take_year(p + 1, end);
        p += 5;
    }
    return p;
}

/* The year that puts month and day nearest to near_days (RFC 3164 stamps have none). Feb 29 may have to go some
 * years back or ahead. */
static int64_t nearest_days(unsigned month, unsigned day, int64_t near_days)
{
    int64_t year = YEAR_MIN + near_days * 400 / 146097;
    int64_t best = INT64_MIN;
    int64_t best_distance = INT64_MAX;

    if (slg_zone_date_valid(year, month, day)) {
        best = slg_zone_days_from_civil(year, month, day);
        best_distance = best > near_days ? best - near_days : near_days - best;
        if (best_distance < 180) /* the usual case: no other year can be nearer */
            return best;
    }
    for (int64_t y = year - 8; y <= year + 8; y++) {
        int64_t days;
        int64_t distance;

        if (!slg_zone_date_valid(y, month, day))
            continue;
        days = slg_zone_days_from_civil(y, month, day);
        distance = days > near_days ? days - near_days : near_days - days;
        if (distance < best_distance) {
            best = days;
            best_distance = distance;
        }
    }
    return best;
}

static void set_time(const struct slg_syslog_options *options, int64_t receive_ns,
                     const struct stamp *stamp, struct slg_text text, struct slg_syslog_message *m)
{
    int64_t receive_sec = receive_ns / NS_PER_SEC;
    int64_t days = stamp->year != YEAR_UNKNOWN
                       ? slg_zone_days_from_civil(stamp->year, stamp->month, stamp->day)
                       : nearest_days(stamp->month, stamp->day, receive_sec / DAY_SEC);
    int64_t second = days * DAY_SEC + stamp->second_of_day;

    if (stamp->zoned)
        m->flags |= SLG_SYSLOG_TIME_ZONED;
    if (stamp->zoned && !options->zone_forced)
        second -= stamp->offset;
    else
        second = slg_zone_to_utc(options->zone, second, receive_sec);
    m->event_ns = second * NS_PER_SEC + stamp->nanosecond;
    m->time_text = text;
}

/* PRI, RFC 5424 section 6.2.1. Without one, or with one that is none ("<999>", "<>", "<007>", "<-1>"), p moves past
 * the brackets only, and PRI_MISSING is set. */
static const char *take_pri(const char *p, const char *end, struct slg_syslog_message *m)
{
    const char *at = p + 1;
    unsigned value = 0;

    m->facility = SLG_SYSLOG_FACILITY_DEFAULT;
    m->severity = SLG_SYSLOG_SEVERITY_DEFAULT;
    if (p < end && *p == '<') {
        while (at < end && left(p, at) < 8 && (is_digit(*at) || *at == '-')) {
            value = *at == '-' || value > 999 ? 1000 : value * 10 + (unsigned)(*at - '0');
            at++;
        }
        if (at < end && *at == '>') {
            bool zero_led = p[1] == '0' && left(p, at) > 2;

            if (left(p, at) > 1 && left(p, at) <= 4 && value <= 191 && !zero_led) {
                m->facility = (uint8_t)(value >> 3);
                m->severity = (uint8_t)(value & 7);
                return at + 1;
            }
            p = at + 1;
        }
    }
    m->flags |= SLG_SYSLOG_PRI_MISSING;
    return p;
}

/* ---- RFC 5424 ---- */

/* One word up to a space; p moves behind the space. False: the message ends before one. "-" gives the empty text. */
static bool take_word(const char **p, const char *end, struct slg_text *ret_word)
{
    const char *from = *p;
    const char *at = from;

    while (at < end && *at != ' ')
        at++;
    if (at == end || at == from)
        return false;
    *p = at + 1;
    *ret_word = at - from == 1 && *from == '-' ? slg_text_make(from, 0) : span(from, at);
    return true;
}

static void add_param(struct slg_syslog_message *m, const struct slg_syslog_param *param)
{
    for (size_t i = 0; i < m->param_count; i++) {
        struct slg_syslog_param *old = &m->params[i];

        if (old->name.len == param->name.len && old->id.len == param->id.len &&
            memcmp(old->name.at, param->name.at, param->name.len) == 0 &&
            memcmp(old->id.at, param->id.at, param->id.len) == 0) {
            *old = *param;
            m->param_duplicates++;
            return;
        }
    }
    m->params[m->param_count++] = *param;
}

/* name="value", p at the name. Returns the byte behind the closing quote, or NULL. */
static const char *take_param(const char *p, const char *end, struct slg_text id,
                              struct slg_syslog_message *m)
{
    struct slg_syslog_param param = { .id = id };
    const char *from = p;

    while (p < end && *p != '=' && *p != ' ' && *p != ']' && *p != '"')
        p++;
    if (p == from || left(p, end) < 2 || p[0] != '=' || p[1] != '"')
        return NULL;
    param.name = span(from, p);
    from = p + 2;
    for (p = from; p < end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end) {
            param.escaped = true;
            p++;
        }
    }
    if (p >= end || m->param_count == SLG_SYSLOG_PARAM_COUNT_MAX)
        return NULL;
    param.value = span(from, p);
    if (param.escaped)
        m->flags |= SLG_SYSLOG_PARAM_ESCAPED;
    add_param(m, &param);
    return p + 1;
}

/* STRUCTURED-DATA, RFC 5424 section 6.3: "-" or elements. Returns its end, or NULL (unclosed, too many, no quotes). */
static const char *take_structured_data(const char *p, const char *end,
                                        struct slg_syslog_message *m)
{
    if (p < end && *p == '-' && (p + 1 == end || p[1] == ' '))
        return p + 1;
    if (p == end || *p != '[')
        return NULL;
    while (p < end && *p == '[') {
        const char *from = ++p;
        struct slg_text id;

        while (p < end && *p != ' ' && *p != ']' && *p != '=' && *p != '"')
            p++;
        id = span(from, p);
        for (;;) {
            while (p < end && *p == ' ')
                p++;
            if (p == end)
                return NULL;
            if (*p == ']')
                break;
            p = take_param(p, end, id, m);
            if (p == NULL)
                return NULL;
        }
        if (id.len == 0)
            return NULL;
        p++;
    }
    return p == end || *p == ' ' ? p : NULL;
}

static bool is_cookie(const char *p, const char *end)
{
    return p < end && *p == '@' && STARTS_WITH(p, end, "@cee:");
}

static void strip_cookies(struct slg_syslog_message *m)
{
    const char *p = m->text.at;
    const char *end = p + m->text.len;

    if (m->text.len < 5 || (*p != '@' && *p != ' '))
        return;
    if (*p == ' ')
        p++;
    if (!is_cookie(p, end))
        return;
    p += 5;
    if (p < end && *p == ' ')
        p++;
    m->flags |= SLG_SYSLOG_CEE;
    m->text = span(p, end);
}

static void set_message_5424(const char *p, const char *end, struct slg_syslog_message *m)
{
    if (p < end)
        p++; /* the space */
    /* rsyslog's own template writes a space of its own in front of what it got from a local socket; MSGID is "-"
     * there. Others mean the space that they send. */
    if (p < end && *p == ' ' && m->msgid.len == 0)
        p++;
    if (STARTS_WITH(p, end, "\xEF\xBB\xBF"))
        p += 3;
    m->text = span(p, end);
    strip_cookies(m);
}

/* Neither the stamp nor what follows is as RFC 5424 has it ("<13>1 5 minute load average", "<134>1 1795360533.9 MX84"):
 * words behind a number, of which none is a header field. They stay together, marked. */
static bool take_back(struct slg_syslog_message *m)
{
    const struct slg_text none = { 0 };

    m->format = SLG_SYSLOG_FORMAT_RAW;
    m->flags &= ~(SLG_SYSLOG_TIME_MISSING | SLG_SYSLOG_PARAM_ESCAPED);
    m->flags |= SLG_SYSLOG_PARSE_ERROR;
    m->time_text = none;
    m->host = none;
    m->app = none;
    m->pid = none;
    m->msgid = none;
    m->param_count = 0;
    m->param_duplicates = 0;
    return false;
}

/* p stands behind PRI. False: it is no RFC 5424 header and nothing was changed but fields that 3164 sets anew, and
 * PARSE_ERROR. */
static bool parse_5424(const struct slg_syslog_options *options, int64_t receive_ns, const char *p,
                       const char *end, struct slg_text whole, struct slg_syslog_message *m)
{
    struct stamp stamp;
    const char *from;
    const char *after;
    bool version_1 = *p == '1' && p[1] == ' ';
    bool stamp_bad = false;

    while (*p != ' ')
        p++;
    from = ++p;
    if (STARTS_WITH(p, end, "- ")) {
        m->flags |= SLG_SYSLOG_TIME_MISSING;
        p += 2;
    } else {
        after = take_iso_time(p, end, false, &stamp);
        if (after != NULL && after < end && *after == ' ') {
            set_time(options, receive_ns, &stamp, span(from, after), m);
            p = after + 1;
        } else { /* a stamp that cannot be: believe the rest of the header only from a version 1 */
            if (!version_1 || p == end || !is_digit(*p) || !take_word(&p, end, &m->time_text))
                return false;
            m->flags |= SLG_SYSLOG_TIME_MISSING;
            stamp_bad = true;
        }
    }
    m->format = SLG_SYSLOG_FORMAT_5424;
    if (!take_word(&p, end, &m->host) || !take_word(&p, end, &m->app) ||
        !take_word(&p, end, &m->pid) || !take_word(&p, end, &m->msgid)) {
        if (stamp_bad)
            return take_back(m);
        m->flags |= SLG_SYSLOG_PARSE_ERROR; /* the header is cut short */
        m->text = whole;
        return true;
    }
    after = take_structured_data(p, end, m);
    if (after != NULL) {
        set_message_5424(after, end, m);
        return true;
    }
    if (stamp_bad)
        return take_back(m);
    m->flags |= SLG_SYSLOG_PARSE_ERROR;
    m->param_count = 0;
    m->param_duplicates = 0;
    m->text = span(p, end);
    return true;
}

/* VERSION SP, RFC 5424 section 6.2.2: a digit 1-9 and up to two more. Anything but 1 must be followed by a time. */
static bool looks_like_5424(const char *p, const char *end)
{
    const char *at = p;

    while (at < end && left(p, at) < 3 && is_digit(*at))
        at++;
    if (at == p || *p == '0' || left(at, end) < 2 || *at != ' ')
        return false;
    return is_digit(at[1]) || (at[1] == '-' && left(at, end) > 2 && at[2] == ' ');
}

/* ---- RFC 3164 ---- */

/* May a tag end in a colon that is followed by this? */
static bool ends_tag(const char *p, const char *end)
{
    return p == end || *p == ' ' || *p == '[' || *p == '{' || *p == '@' || *p == '\t';
}

/* [digits] or [word] with p at the bracket; the end behind ']', or NULL. */
static const char *take_pid(const char *p, const char *end, struct slg_text *ret_pid)
{
    const char *at = p + 1;

    while (at < end && left(p, at) <= SLG_SYSLOG_TAG_BYTES_MAX && *at != ']' && *at != ' ' &&
           *at != '[')
        at++;
    if (at == end || *at != ']' || at == p + 1)
        return NULL;
    *ret_pid = span(p + 1, at);
    return at + 1;
}

static bool all_digits(struct slg_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.at[i]))
            return false;
    }
    return text.len > 0;
}

/* Is the text behind a tag's pid one that ends a tag: "]:" or, for a number, "] "? */
static const char *end_of_pid(const char *p, const char *end, struct slg_text pid)
{
    if (p < end && *p == ':')
        return p + 1;
    return p < end && *p == ' ' && all_digits(pid) ? p : NULL;
}

/* TAG, RFC 3164 section 4.1.3: up to '[', ':' or space; "name [68]:" too. A colon inside (Foo::Bar) does not end it. */
static bool take_tag(const char *p, const char *end, struct tag *tag)
{
    const char *from = p;
    const char *after = NULL;

    while (p < end && left(from, p) <= SLG_SYSLOG_TAG_BYTES_MAX && *p != ' ' && *p != '[' &&
           !(*p == ':' && ends_tag(p + 1, end)))
        p++;
    if (p == from || p == end || left(from, p) > SLG_SYSLOG_TAG_BYTES_MAX || is_cookie(from, end))
        return false;
    tag->app = span(from, p);
    tag->pid = slg_text_make(p, 0);
    if (*p == ':') {
        after = p + 1;
    } else if (*p == '[') {
        after = take_pid(p, end, &tag->pid);
        after = after == NULL ? NULL : end_of_pid(after, end, tag->pid);
    } else if (left(p, end) > 2 && p[1] == '[') {
        after = take_pid(p + 1, end, &tag->pid);
        if (after != NULL)
            after = after < end && *after == ':' && all_digits(tag->pid) ? after + 1 : NULL;
    }
    if (after == NULL)
        return false;
    tag->colon = after[-1] == ':';
    if (after < end && *after == ' ')
        after++;
    tag->rest = after;
    return true;
}

static bool is_tag_byte(char c)
{
    return is_alpha(c) || is_digit(c) || c == '-' || c == '_' || c == '.' || c == '/';
}

/* "app:text", with no space behind the colon; only where a host stands before it. Not a word with a second colon
 * (Foo::Bar, main.c:12:3, aa:bb:cc), a URL, a path of Windows, an address with port or a time. */
static bool take_tight_tag(const char *p, const char *end, struct tag *tag)
{
    const char *from = p;
    const char *colon;

    while (p < end && left(from, p) <= SLG_SYSLOG_TAG_BYTES_MAX && is_tag_byte(*p))
        p++;
    colon = p;
    if (left(p, end) < 2 || *p != ':' || left(from, p) > SLG_SYSLOG_TAG_BYTES_MAX ||
        !is_alpha(*from))
        return false;
    p++;
    if (*p == '/' || *p == '\\' || is_digit(*p))
        return false;
    while (p < end && left(colon, p) <= SLG_SYSLOG_TAG_BYTES_MAX && *p != ' ' && *p != ':')
        p++;
    if (p < end && *p == ':')
        return false;
    *tag = (struct tag){
        .app = span(from, colon), .pid = span(colon, colon), .rest = colon + 1, .colon = true
    };
    return true;
}

/* Only hex digits, dots and at least two colons: an IPv6 address, whatever it ends in. */
static bool looks_like_ipv6(const char *p, const char *end)
{
    unsigned colons = 0;

    for (; p < end && *p != ' '; p++) {
        bool hex = is_digit(*p) || (unsigned char)((*p | 0x20) - 'a') < 6;

        if (!hex && *p != ':' && *p != '.')
            return false;
        colons += *p == ':' ? 1 : 0;
    }
    return colons >= 2;
}

static void set_tag(const struct tag *tag, const char *end, struct slg_syslog_message *m)
{
    m->app = tag->app;
    m->pid = tag->pid;
    m->text = span(tag->rest, end);
    strip_cookies(m);
}

/* [HOST] [TAG:] text, p behind the time and its space. */
static void parse_host_and_tag(const char *p, const char *end, struct slg_syslog_message *m)
{
    const char *from;
    struct tag tag;

    while (p < end && *p == ' ')
        p++;
    m->text = span(p, end);
    if (STARTS_WITH(p, end, "last message repeated "))
        return;
    if (is_cookie(p, end)) { /* neither host nor tag */
        strip_cookies(m);
        return;
    }
    if (!looks_like_ipv6(p, end) && take_tag(p, end, &tag)) {
        struct tag inner;

        /* "asa1: %ASA-6-302013: text": Cisco puts a colon behind the host. */
        if (tag.pid.len == 0 && tag.app.at[0] != '%' && tag.rest < end && *tag.rest == '%' &&
            take_tag(tag.rest, end, &inner)) {
            m->host = tag.app;
            tag = inner;
        }
        set_tag(&tag, end, m);
        return;
    }
    from = p;
    while (p < end && *p != ' ')
        p++;
    if (p == end ||
        left(from, p) > SLG_SYSLOG_HOST_BYTES_MAX) /* one word, or none that can be a host */
        return;
    m->host = span(from, p);
    p++;
    if (STARTS_WITH(p, end, ": ")) /* Cisco ASA: "asa1 : %ASA-..." */
        p += 2;
    m->text = span(p, end);
    if (take_tag(p, end, &tag) || take_tight_tag(p, end, &tag))
        set_tag(&tag, end, m);
    else
        strip_cookies(m);
}

/* Seconds east of UTC of zone names that mean one thing. False: another name, to be read as if it were not there. */
static bool known_zone(struct slg_text name, int32_t *ret_offset)
{
    static const struct {
        const char *name;
        int32_t offset;
    } known[] = {
        { "UTC", 0 },    { "GMT", 0 },     { "WET", 0 },     { "WEST", 3600 }, { "CET", 3600 },
        { "MET", 3600 }, { "CEST", 7200 }, { "MEST", 7200 }, { "EET", 7200 },  { "EEST", 10800 },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(known); i++) {
        if (slg_text_equal_to(name, known[i].name)) {
            *ret_offset = known[i].offset;
            return true;
        }
    }
    return false;
}

/* Behind Cisco's time: " CET" (any capitals) and ':', both optional. */
static const char *skip_cisco_zone(const char *p, const char *end, struct stamp *stamp)
{
    const char *at = p;

    if (!stamp->zoned)
        stamp->offset = 0;
    if (!stamp->zoned && left(p, end) > 3 && *p == ' ') {
        at = p + 1;
        while (at < end && left(p, at) < 7 && *at >= 'A' && *at <= 'Z')
            at++;
        if (at == end || left(p, at) < 3 || *at != ':')
            at = p;
        else
            stamp->zoned = known_zone(span(p + 1, at), &stamp->offset);
    }
    return at < end && *at == ':' ? at + 1 : at;
}

/* " UTC" between a BSD time and "HOST TAG: text". Only with all of these, for a host may be named so; WET, WEST and MET
 * (and with it MEST) are words. */
static const char *skip_zone_word(const char *p, const char *end, struct stamp *stamp)
{
    const char *at = p + 1;
    const char *host_end;
    int32_t offset;
    struct tag tag;

    while (at < end && left(p, at) < 6 && *at >= 'A' && *at <= 'Z')
        at++;
    if (at == end || *at != ' ' || p[1] == 'W' || p[1] == 'M' ||
        !known_zone(span(p + 1, at), &offset))
        return p;
    host_end = at + 1;
    while (host_end < end && left(at, host_end) <= SLG_SYSLOG_HOST_BYTES_MAX && *host_end != ' ')
        host_end++;
    if (host_end == end || *host_end != ' ' || host_end == at + 1 || host_end[-1] == ':' ||
        !take_tag(host_end + 1, end, &tag))
        return p;
    stamp->zoned = true;
    stamp->offset = offset;
    return at;
}

/* Cisco IOS: [seq ": "] [host ": "] ["*" or "."] [year, NX-OS] time [zone] ": %FAC-SEV-MNEMONIC: text". p behind PRI. */
static bool parse_cisco(const struct slg_syslog_options *options, int64_t receive_ns, const char *p,
                        const char *end, struct slg_syslog_message *m)
{
    struct slg_text host = slg_text_make(p, 0);
    struct stamp stamp;
    const char *after;
    struct tag tag;
    unsigned year;
    bool unsync;

    for (unsigned item = 0; item < 3; item++) {
        const char *at = p;

        while (at < end && *at != ' ' && *at != '[' && left(p, at) <= SLG_SYSLOG_HOST_BYTES_MAX)
            at++;
        if (at == end || at == p || *at != ' ' || at[-1] != ':')
            break;
        if (!all_digits(span(p, at - 1)))
            host = span(p, at - 1);
        p = at + 1;
    }
    unsync = p < end && (*p == '*' || *p == '.');
    if (unsync)
        p++;
    year = take_year(p, end);
    after = take_bsd_time(year != 0 && left(p, end) > 5 ? p + 5 : p, end, &stamp);
    if (after == NULL || after == end)
        return false;
    if (year != 0 && slg_zone_date_valid(year, stamp.month, stamp.day))
        stamp.year = year;
    m->format = SLG_SYSLOG_FORMAT_3164;
    m->flags |= unsync ? SLG_SYSLOG_CLOCK_UNSYNC : 0;
    m->host = host;
    m->time_text = span(p, after);
    p = skip_cisco_zone(after, end, &stamp);
    set_time(options, receive_ns, &stamp, m->time_text, m);
    while (p < end && *p == ' ')
        p++;
    m->text = span(p, end);
    if (take_tag(p, end, &tag))
        set_tag(&tag, end, m);
    else
        strip_cookies(m);
    return true;
}

/* No time where one belongs: a tag at least, or, behind a PRI, bare words. */
static void parse_without_time(const char *p, const char *end, struct slg_text whole,
                               struct slg_syslog_message *m)
{
    bool pri = (m->flags & SLG_SYSLOG_PRI_MISSING) == 0;
    struct tag tag;

    m->flags |= SLG_SYSLOG_TIME_MISSING;
    m->format = SLG_SYSLOG_FORMAT_3164;
    /* A number is no program: a sequence in front of what is not known would be a new label with each line. */
    if (take_tag(p, end, &tag) && !all_digits(tag.app) && (pri || all_digits(tag.pid))) {
        set_tag(&tag, end, m);
        return;
    }
    m->text = pri ? span(p, end) : whole;
    if (pri) {
        strip_cookies(m);
        return;
    }
    m->format = SLG_SYSLOG_FORMAT_RAW;
    m->flags |= SLG_SYSLOG_PARSE_ERROR;
}

static void parse_3164(const struct slg_syslog_options *options, int64_t receive_ns, const char *p,
                       const char *end, struct slg_text whole, struct slg_syslog_message *m)
{
    struct stamp stamp;
    const char *start = p;
    const char *after;

    while (start < end && *start == ' ' && start - p < 4)
        start++;
    if (start < end && *start == ':') /* Cisco ASA's EMBLEM: ":Nov 21 22:42:29 UTC: %ASA-..." */
        start++;
    after = take_bsd_time(start, end, &stamp);
    if (after == NULL)
        after = take_iso_time(start, end, true, &stamp);
    if (after != NULL && after < end && *after == ':') { /* "Nov 21 23:42:29: %ASA-..." */
        m->time_text = span(start, after);
        after++;
    } else if (after != NULL) {
        m->time_text = span(start, after);
        if (!stamp.zoned && left(after, end) > 6 && after[0] == ' ' && after[1] >= 'A' &&
            after[1] <= 'Z') {
            const char *behind = skip_cisco_zone(after, end, &stamp);

            if (left(behind, end) > 1 && behind > after && behind[1] == '%') {
                after = behind;
            } else {
                stamp.zoned = false;
                after = skip_zone_word(after, end, &stamp);
            }
        }
    }
    if (after == NULL || (after < end && *after != ' ')) {
        if (!parse_cisco(options, receive_ns, p, end, m))
            parse_without_time(p, end, whole, m);
        return;
    }
    m->format = SLG_SYSLOG_FORMAT_3164;
    set_time(options, receive_ns, &stamp, m->time_text, m);
    parse_host_and_tag(after, end, m);
}

static struct slg_text trim_end(const char *bytes, size_t len)
{
    if (len > 0 && bytes[len - 1] == '\n') {
        len--;
        if (len > 0 && bytes[len - 1] == '\r')
            len--;
    } else if (len > 0 && bytes[len - 1] == '\0') {
        len--;
    }
    return slg_text_make(bytes, len);
}

void slg_syslog_parse(const struct slg_syslog_options *options, int64_t receive_ns,
                      const void *bytes, size_t len, struct slg_syslog_message *ret_message)
{
    struct slg_syslog_message *m = ret_message;
    struct slg_text whole = trim_end(bytes, len);
    const char *start = whole.at;
    const char *end;
    const char *p;

    memset(m, 0, offsetof(struct slg_syslog_message, params));
    m->whole = whole;
    if (whole.len == 0) {
        m->facility = SLG_SYSLOG_FACILITY_DEFAULT;
        m->severity = SLG_SYSLOG_SEVERITY_DEFAULT;
        m->flags = SLG_SYSLOG_PRI_MISSING | SLG_SYSLOG_TIME_MISSING | SLG_SYSLOG_PARSE_ERROR;
        return;
    }
    end = whole.at + whole.len;
    if (STARTS_WITH(start, end, "\xEF\xBB\xBF<")) /* the first line of a .NET stream */
        start += 3;
    p = take_pri(start, end, m);
    if (p > start && looks_like_5424(p, end) && parse_5424(options, receive_ns, p, end, whole, m))
        return;
    parse_3164(options, receive_ns, p, end, whole, m);
}

/* Dovecot logs without a pid, and so does much else that begins with a time: a container's host name is its id, or a
 * name with dots, or its host's. */
static bool surely_host(struct slg_text word, struct slg_text outer_host)
{
    size_t hex = 0;

    for (size_t i = 0; i < word.len; i++)
        hex += is_digit(word.at[i]) || (word.at[i] >= 'a' && word.at[i] <= 'f') ? 1 : 0;
    return (word.len == 12 && hex == 12) || memchr(word.at, '.', word.len) != NULL ||
           slg_text_equal(word, outer_host);
}

/* "2026-11-21T22:42:29Z ERROR worker[12]: text" is how many programs write their own log. */
static bool is_level(struct slg_text word)
{
    return slg_level_normalize(word).at != word.at;
}

bool slg_syslog_inner_header(struct slg_text text, struct slg_syslog_message *ret_message)
{
    const char *p = text.at;
    const char *end = p + text.len;
    const char *after;
    const char *host;
    struct stamp stamp;
    struct tag tag;

    if (text.len < 24)
        return false;
    after = take_bsd_time(p, end, &stamp);
    if (after == NULL)
        after = take_iso_time(p, end, false, &stamp);
    if (after == NULL || after == end || *after != ' ')
        return false;
    host = after + 1;
    p = host;
    while (p < end && *p != ' ')
        p++;
    if (p == end || p == host || left(host, p) > SLG_SYSLOG_HOST_BYTES_MAX || p[-1] == ':')
        return false;
    if (is_level(span(host, p)) || !take_tag(p + 1, end, &tag) || !tag.colon ||
        (tag.pid.len == 0 && !surely_host(span(host, p), ret_message->host)))
        return false;
    ret_message->time_text = span(text.at, after);
    ret_message->host = span(host, p);
    set_tag(&tag, end, ret_message);
    return true;
}

size_t slg_syslog_unescape(struct slg_text value, char *out)
{
    size_t len = 0;

    for (size_t i = 0; i < value.len; i++) {
        char c = value.at[i];

        if (c == '\\' && i + 1 < value.len) {
            char next = value.at[i + 1];

            if (next == '"' || next == '\\' || next == ']') {
                c = next;
                i++;
            }
        }
        out[len++] = c;
    }
    return len;
}

struct slg_text slg_syslog_facility_text(uint8_t facility)
{
#define NAME(text)                                                                                 \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    }
    static const struct slg_text names[24] = {
        NAME("kern"),     NAME("user"),   NAME("mail"),   NAME("daemon"), NAME("auth"),
        NAME("syslog"),   NAME("lpr"),    NAME("news"),   NAME("uucp"),   NAME("cron"),
        NAME("authpriv"), NAME("ftp"),    NAME("ntp"),    NAME("audit"),  NAME("alert"),
        NAME("clock"),    NAME("local0"), NAME("local1"), NAME("local2"), NAME("local3"),
        NAME("local4"),   NAME("local5"), NAME("local6"), NAME("local7"),
    };

    SLG_ASSERT(facility < SLG_ARRAY_LEN(names));
    return names[facility];
}

struct slg_text slg_syslog_severity_text(uint8_t severity)
{
    static const struct slg_text names[8] = {
        NAME("emergency"), NAME("alert"),  NAME("critical"),      NAME("error"),
        NAME("warning"),   NAME("notice"), NAME("informational"), NAME("debug"),
    };
#undef NAME

    SLG_ASSERT(severity < SLG_ARRAY_LEN(names));
    return names[severity];
}
