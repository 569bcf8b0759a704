#include "ingester/level.h"

#ifdef __SSE2__
#include <immintrin.h>
#endif

enum level {
    LEVEL_TRACE,
    LEVEL_DEBUG,
    LEVEL_FATAL,
    LEVEL_CRITICAL,
    LEVEL_ERROR,
    LEVEL_WARN,
    LEVEL_INFO,
    LEVEL_COUNT,
    LEVEL_NONE = LEVEL_COUNT
};

static const struct slg_text level_texts[LEVEL_COUNT + 1] = {
    { "trace", 5 }, { "debug", 5 }, { "fatal", 5 }, { "critical", 8 },
    { "error", 5 }, { "warn", 4 },  { "info", 4 },  { "unknown", 7 },
};

struct spelling {
    const char *text; /* lower case */
    size_t len;
    enum level level;
};

/* Values of level fields: what Loki normalises. */
static const struct spelling value_spellings[] = {
    { "trace", 5, LEVEL_TRACE }, { "trc", 3, LEVEL_TRACE },         { "debug", 5, LEVEL_DEBUG },
    { "dbg", 3, LEVEL_DEBUG },   { "info", 4, LEVEL_INFO },         { "inf", 3, LEVEL_INFO },
    { "warn", 4, LEVEL_WARN },   { "information", 11, LEVEL_INFO }, { "wrn", 3, LEVEL_WARN },
    { "error", 5, LEVEL_ERROR }, { "warning", 7, LEVEL_WARN },      { "err", 3, LEVEL_ERROR },
    { "fatal", 5, LEVEL_FATAL }, { "critical", 8, LEVEL_CRITICAL },
};

/* Words anywhere in a line. */
static const struct spelling word_spellings[] = {
    { "trace", 5, LEVEL_TRACE },       { "debug", 5, LEVEL_DEBUG }, { "fatal", 5, LEVEL_FATAL },
    { "critical", 8, LEVEL_CRITICAL }, { "error", 5, LEVEL_ERROR }, { "err", 3, LEVEL_ERROR },
    { "warning", 7, LEVEL_WARN },      { "warn", 4, LEVEL_WARN },   { "info", 4, LEVEL_INFO },
};

#define WORD_BYTES_MAX 8

/* Words with a colon behind them or brackets around them, in the text of a Docker message (Postfix, Dovecot, nginx,
 * mailcow's netfilter). */
static const struct spelling prefix_spellings[] = {
    { "warning", 7, LEVEL_WARN },  { "error", 5, LEVEL_ERROR },
    { "fatal", 5, LEVEL_FATAL },   { "panic", 5, LEVEL_FATAL },
    { "info", 4, LEVEL_INFO },     { "debug", 5, LEVEL_DEBUG },
    { "warn", 4, LEVEL_WARN },     { "err", 3, LEVEL_ERROR },
    { "crit", 4, LEVEL_CRITICAL }, { "alert", 5, LEVEL_CRITICAL },
    { "emerg", 5, LEVEL_FATAL },   { "notice", 6, LEVEL_INFO },
    { "trace", 5, LEVEL_TRACE },   { "critical", 8, LEVEL_CRITICAL },
};

/* Names of level fields, in order of preference. Metadata and labels match exactly, logfmt keys in any case. */
static const struct slg_text field_names[] = {
    { "level", 5 },
    { "LEVEL", 5 },
    { "Level", 5 },
    { "log.level", 9 },
    { "severity", 8 },
    { "SEVERITY", 8 },
    { "Severity", 8 },
    { "SeverityText", 12 },
    { "lvl", 3 },
    { "LVL", 3 },
    { "Lvl", 3 },
    { "severity_text", 13 },
    { "Severity_Text", 13 },
    { "SEVERITY_TEXT", 13 },
};

/* What a scan of the whole line found. */
struct findings {
    enum level word;  /* the first level word, or LEVEL_NONE */
    bool field_maybe; /* letters that every name in field_names has */
};

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

/* text is lower case. */
static bool equal_fold(const char *bytes, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (lower(bytes[i]) != (unsigned char)text[i])
            return false;
    }
    return true;
}

static enum level find_spelling(const struct spelling *table, size_t count, const char *bytes,
                                size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (table[i].len == len && equal_fold(bytes, table[i].text, len))
            return table[i].level;
    }
    return LEVEL_NONE;
}

static enum level value_level(struct slg_text value)
{
    return find_spelling(value_spellings, SLG_ARRAY_LEN(value_spellings), value.at, value.len);
}

/* What may stand before a word (blank, tab, newline and [({"=) and after one (those, ])} and :,!), as in Loki 3.7: not
 * "misc:error", "trace-id", "error." nor \"warn\" inside a JSON string. */
static const uint64_t before_words[4] = { UINT64_C(0x2000010500000600),
                                          UINT64_C(0x0800000008000000) };
static const uint64_t after_words[4] = { UINT64_C(0x2400130700000600),
                                         UINT64_C(0x2800000028000000) };

static bool among(const uint64_t set[4], char c)
{
    unsigned char byte = (unsigned char)c;

    return (set[byte >> 6] >> (byte & 63) & 1) != 0;
}

/* Is there a level word at line.at[i], alone? */
static void check_word(struct slg_text line, size_t i, struct findings *found)
{
    const char *word = line.at + i;
    size_t left = line.len - i;
    unsigned char first = lower(*word);

    if (found->word != LEVEL_NONE || (i > 0 && !among(before_words, word[-1])))
        return;
    for (size_t w = 0; w < SLG_ARRAY_LEN(word_spellings); w++) {
        const struct spelling *known = &word_spellings[w];

        if (known->len <= left && (unsigned char)known->text[0] == first &&
            equal_fold(word, known->text, known->len) &&
            (known->len == left || among(after_words, word[known->len]))) {
            found->word = known->level;
            return;
        }
    }
}

/* line.at[i] is a 'v' with neighbours: the middle of "lvl", "level" or "severity"? */
static void check_field(struct slg_text line, size_t i, struct findings *found)
{
    size_t after = line.len - i;
    const char *v = line.at + i;

    if (lower(v[1]) == 'l')
        found->field_maybe = true;
    else if (after > 2 && lower(v[2]) == 'l')
        found->field_maybe = true;
    else if (after > 5 && equal_fold(v + 2, "rity", 4))
        found->field_maybe = true;
}

static void check_at(struct slg_text line, size_t i, struct findings *found)
{
    unsigned char c = lower(line.at[i]);

    if (c == 'v') {
        if (i > 0 && i + 1 < line.len)
            check_field(line, i, found);
    } else if (c == 't' || c == 'd' || c == 'f' || c == 'c' || c == 'e' || c == 'w' || c == 'i') {
        check_word(line, i, found);
    }
}

#ifdef __SSE2__
#define EQUAL(vector, letter) _mm_cmpeq_epi8((vector), _mm_set1_epi8(letter))

/* Of 16 bytes at p (p[-1] to p[17] can be read): those where a level word may begin (by its first three letters) or
 * where the v of a level field stands. */
static unsigned candidates(const char *p)
{
    const __m128i bit = _mm_set1_epi8(0x20);
    __m128i before = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)(p - 1)), bit);
    __m128i here = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)p), bit);
    __m128i second = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)(p + 1)), bit);
    __m128i third = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)(p + 2)), bit);
    __m128i r2 = EQUAL(second, 'r');
    __m128i a2 = EQUAL(second, 'a');
    __m128i r3 = EQUAL(third, 'r');
    __m128i tra = _mm_and_si128(_mm_and_si128(EQUAL(here, 't'), r2), EQUAL(third, 'a'));
    __m128i cri = _mm_and_si128(_mm_and_si128(EQUAL(here, 'c'), r2), EQUAL(third, 'i'));
    __m128i err = _mm_and_si128(_mm_and_si128(EQUAL(here, 'e'), r2), r3);
    __m128i fat = _mm_and_si128(_mm_and_si128(EQUAL(here, 'f'), a2), EQUAL(third, 't'));
    __m128i war = _mm_and_si128(_mm_and_si128(EQUAL(here, 'w'), a2), r3);
    __m128i deb =
        _mm_and_si128(_mm_and_si128(EQUAL(here, 'd'), EQUAL(second, 'e')), EQUAL(third, 'b'));
    __m128i inf =
        _mm_and_si128(_mm_and_si128(EQUAL(here, 'i'), EQUAL(second, 'n')), EQUAL(third, 'f'));
    __m128i field = _mm_and_si128(
        EQUAL(here, 'v'), _mm_and_si128(_mm_or_si128(EQUAL(before, 'e'), EQUAL(before, 'l')),
                                        _mm_or_si128(EQUAL(second, 'e'), EQUAL(second, 'l'))));
    __m128i any = _mm_or_si128(_mm_or_si128(_mm_or_si128(tra, cri), _mm_or_si128(err, fat)),
                               _mm_or_si128(_mm_or_si128(war, deb), _mm_or_si128(inf, field)));

    return (unsigned)_mm_movemask_epi8(any);
}
#endif

static struct findings scan_line(struct slg_text line)
{
    struct findings found = { .word = LEVEL_NONE };

#ifdef __SSE2__
    if (line.len >= 20) {
        check_at(line, 0, &found);
        for (size_t i = 1; i + 2 < line.len; i += 16) {
            unsigned mask;

            if (i + 18 >
                line.len) /* the last block overlaps; nothing begins in the last two bytes */
                i = line.len - 18;
            mask = candidates(line.at + i);
            while (mask != 0) {
                check_at(line, i + (unsigned)__builtin_ctz(mask), &found);
                mask &= mask - 1;
            }
        }
        return found;
    }
#endif
    for (size_t i = 0; i < line.len; i++)
        check_at(line, i, &found);
    return found;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool looks_like_json(struct slg_text line)
{
    size_t start = 0;
    size_t end = line.len;

    while (start < end && is_space(line.at[start]))
        start++;
    while (end > start && is_space(line.at[end - 1]))
        end--;
    return end - start >= 2 && line.at[start] == '{' && line.at[end - 1] == '}';
}

/* Position behind the closing quote of the string that opens at `at`; len when it is not closed. */
static size_t skip_string(struct slg_text line, size_t at)
{
    for (at++; at < line.len; at++) {
        if (line.at[at] == '\\')
            at++;
        else if (line.at[at] == '"')
            return at + 1;
    }
    return line.len;
}

static bool is_field_name(struct slg_text name)
{
    for (size_t i = 0; i < SLG_ARRAY_LEN(field_names); i++) {
        if (slg_text_equal(name, field_names[i]))
            return true;
    }
    return false;
}

static size_t skip_spaces(struct slg_text line, size_t at)
{
    while (at < line.len && is_space(line.at[at]))
        at++;
    return at;
}

/* Value of the first level field that is a string, in order of the document, in objects within objects down to
 * SLG_LEVEL_JSON_DEPTH_MAX; never in arrays. */
static struct slg_text json_field(struct slg_text line)
{
    unsigned depth = 0;  /* open objects */
    unsigned arrays = 0; /* open arrays; objects inside are not counted */
    unsigned array_braces = 0;

    for (size_t at = 0; at < line.len; at++) {
        char c = line.at[at];

        if (c == '"') {
            size_t key_end = skip_string(line, at);
            size_t value = skip_spaces(line, key_end);

            if (value < line.len && line.at[value] == ':' && arrays == 0 && depth >= 1 &&
                depth <= SLG_LEVEL_JSON_DEPTH_MAX) {
                value = skip_spaces(line, value + 1);
                if (value < line.len && line.at[value] == '"') {
                    size_t end = skip_string(line, value);

                    if (is_field_name(slg_text_make(line.at + at + 1, key_end - at - 2)) &&
                        end > value + 1 && line.at[end - 1] == '"')
                        return slg_text_make(line.at + value + 1, end - value - 2);
                    key_end = end;
                }
            }
            at = key_end - 1;
        } else if (c == '[') {
            arrays++;
        } else if (c == ']' && arrays > 0) {
            arrays--;
        } else if (c == '{') {
            *(arrays > 0 ? &array_braces : &depth) += 1;
        } else if (c == '}') {
            unsigned *open = arrays > 0 ? &array_braces : &depth;

            if (*open > 0)
                *open -= 1;
        }
    }
    return slg_text_make(line.at, 0);
}

/* Order of a logfmt key among field_names, in any case; their count when it is none of them. */
static size_t field_rank(const char *key, size_t len)
{
    static const struct slg_text names[] = {
        /* lower case; the rank of the first spelling counts */
        { "level", 5 },         { "log.level", 9 }, { "severity", 8 },
        { "severitytext", 12 }, { "lvl", 3 },       { "severity_text", 13 },
    };

    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        if (names[i].len == len && equal_fold(key, names[i].at, len))
            return i;
    }
    return SLG_ARRAY_LEN(names);
}

struct pair {
    const char *key;
    size_t key_len;
    struct slg_text value;
};

/* The value behind '=', p at its first byte. NULL: not logfmt from here on. */
static const char *take_value(const char *p, const char *end, struct slg_text *ret_value)
{
    const char *from = p;

    if (p < end && *p == '"') {
        for (p++; p < end && *p != '"'; p++) {
            if (*p == '\\' && p + 1 < end)
                p++;
        }
        if (p >= end)
            return NULL;
        *ret_value = slg_text_make(from + 1, (size_t)(p - from - 1));
        return p + 1;
    }
    while (p < end && (unsigned char)*p > ' ') {
        if (*p == '=' || *p == '"')
            return NULL;
        p++;
    }
    *ret_value = slg_text_make(from, (size_t)(p - from));
    return p;
}

/* Next key[=value] of a logfmt line as go-logfmt reads it. NULL: the end, or a syntax error, which ends it too. */
static const char *take_pair(const char *p, const char *end, struct pair *pair)
{
    while (p < end && (unsigned char)*p <= ' ')
        p++;
    if (p == end)
        return NULL;
    pair->key = p;
    while (p < end && *p != '=' && (unsigned char)*p > ' ') {
        if (*p == '"')
            return NULL;
        p++;
    }
    pair->key_len = (size_t)(p - pair->key);
    pair->value = slg_text_make(p, 0);
    if (p == end || *p != '=')
        return p;
    return pair->key_len == 0 ? NULL : take_value(p + 1, end, &pair->value);
}

static struct slg_text logfmt_field(struct slg_text line)
{
    const char *p = line.at;
    const char *end = p + line.len;
    struct slg_text best = slg_text_make(p, 0);
    size_t best_rank = SIZE_MAX;
    struct pair pair;

    while ((p = take_pair(p, end, &pair)) != NULL) {
        size_t rank = field_rank(pair.key, pair.key_len);

        if (rank < 6 && rank < best_rank) {
            best = pair.value;
            best_rank = rank;
            if (rank == 0)
                break;
        }
    }
    return best;
}

struct slg_text slg_level_of_line(struct slg_text line)
{
    struct findings found;
    enum level level = LEVEL_NONE;

    if (line.len < 3)
        return level_texts[LEVEL_NONE];
    found = scan_line(line);
    if (found.field_maybe) {
        if (looks_like_json(line))
            level = value_level(json_field(line));
        else if (memchr(line.at, '=', line.len) != NULL)
            level = value_level(logfmt_field(line));
    }
    return level_texts[level != LEVEL_NONE ? level : found.word];
}

static enum level prefix_level(const char *word, size_t len)
{
    return find_spelling(prefix_spellings, SLG_ARRAY_LEN(prefix_spellings), word, len);
}

#define PREFIX_PARTS_MAX 4   /* process: queue id: level: text */
#define PREFIX_BYTES_MAX 256 /* where a level word may still be one of the header */

static bool is_upper(const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (word[i] < 'A' || word[i] > 'Z')
            return false;
    }
    return true;
}

/* "[error]" within the head of a line, as nginx writes it. */
static enum level bracket_level(struct slg_text head)
{
    const char *end = head.at + head.len;
    const char *open = memchr(head.at, '[', head.len);

    while (open != NULL) {
        const char *close = memchr(open, ']', (size_t)(end - open));
        enum level level;

        if (close == NULL)
            return LEVEL_NONE;
        level = prefix_level(open + 1, (size_t)(close - open - 1));
        if (level != LEVEL_NONE)
            return level;
        open = memchr(close, '[', (size_t)(end - close));
    }
    return LEVEL_NONE;
}

struct slg_text slg_level_of_text(struct slg_text text)
{
    struct slg_text head =
        slg_text_make(text.at, text.len < PREFIX_BYTES_MAX ? text.len : PREFIX_BYTES_MAX);
    const char *start = head.at;
    const char *end = head.at + head.len;
    enum level level;

    for (unsigned part = 0; part < PREFIX_PARTS_MAX && start < end; part++) {
        const char *colon = memchr(start, ':', (size_t)(end - start));
        const char *word;

        while (colon != NULL && colon + 1 < end && colon[1] != ' ')
            colon = memchr(colon + 1, ':', (size_t)(end - colon - 1));
        if (colon == NULL)
            break;
        word = colon;
        while (word > start && word[-1] != ' ' && colon - word <= WORD_BYTES_MAX)
            word--;
        level = prefix_level(word, (size_t)(colon - word));
        /* "connect error: .." is no level, "2026-11-21 23:42:29 CRIT: .." is one */
        if (level != LEVEL_NONE && (word == start || is_upper(word, (size_t)(colon - word))))
            return level_texts[level];
        start = colon + 1;
        if (start < end)
            start++;
    }
    level = head.len >= 5 ? bracket_level(head) : LEVEL_NONE;
    return level != LEVEL_NONE ? level_texts[level] : slg_level_of_line(text);
}

struct slg_text slg_level_of_severity(uint8_t severity)
{
    static const uint8_t levels[8] = { LEVEL_FATAL, LEVEL_CRITICAL, LEVEL_CRITICAL, LEVEL_ERROR,
                                       LEVEL_WARN,  LEVEL_INFO,     LEVEL_INFO,     LEVEL_DEBUG };

    SLG_ASSERT(severity < SLG_ARRAY_LEN(levels));
    return level_texts[levels[severity]];
}

struct slg_text slg_level_normalize(struct slg_text level)
{
    enum level known = value_level(level);

    return known == LEVEL_NONE ? level : level_texts[known];
}

static bool field_among(const struct slg_label *items, size_t count, struct slg_text *ret_value)
{
    for (size_t f = 0; f < SLG_ARRAY_LEN(field_names); f++) {
        for (size_t i = 0; i < count; i++) {
            if (slg_text_equal(items[i].name, field_names[f])) {
                *ret_value = items[i].value;
                return true;
            }
        }
    }
    return false;
}

/* OpenTelemetry's SeverityNumber, data model section "SeverityNumber": steps of four. */
static enum level otel_level(struct slg_text value)
{
    static const uint8_t levels[6] = { LEVEL_TRACE, LEVEL_DEBUG, LEVEL_INFO,
                                       LEVEL_WARN,  LEVEL_ERROR, LEVEL_FATAL };
    unsigned number = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.at[i] < '0' || value.at[i] > '9' || i > 3)
            return LEVEL_INFO;
        number = number * 10 + (unsigned)(value.at[i] - '0');
    }
    return number >= 1 && number <= 24 ? (enum level)levels[(number - 1) / 4] : LEVEL_NONE;
}

bool slg_level_discover(const struct slg_label_set *labels, const struct slg_label *metadata,
                        size_t metadata_count, struct slg_text line, struct slg_text *ret_level,
                        size_t *ret_replace)
{
    struct slg_text value;

    *ret_replace = SIZE_MAX;
    for (size_t i = 0; i < metadata_count; i++) {
        if (slg_text_equal_to(metadata[i].name, "detected_level")) {
            *ret_level = slg_level_normalize(metadata[i].value);
            *ret_replace = i;
            return !slg_text_equal(*ret_level, metadata[i].value);
        }
    }
    if (field_among(labels->items, labels->count, &value) ||
        field_among(metadata, metadata_count, &value)) {
        *ret_level = slg_level_normalize(value);
        return value.len > 0;
    }
    for (size_t i = 0; i < metadata_count; i++) {
        if (slg_text_equal_to(metadata[i].name, "severity_number")) {
            *ret_level = level_texts[otel_level(metadata[i].value)];
            return true;
        }
    }
    *ret_level = slg_level_of_line(line);
    return true;
}
