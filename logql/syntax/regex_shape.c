/* Syntax: https://github.com/google/re2/wiki/Syntax; words of errors: Go's regexp/syntax. */
#include "logql/syntax/regex_shape.h"

#include <string.h>

#define REPEAT_MAX 1000 /* of RE2 and Go */

/* One open group, or the whole: does what was read so far accept ""? */
struct frame {
    bool alternative; /* one of the alternatives that are complete */
    bool sequence;    /* all atoms of this alternative but the last */
    bool atom;        /* the last atom, to which a repetition would apply */
    bool has_atom;
};

struct reader {
    const char *begin, *p, *end;
    struct frame frames[SLG_LOGQL_REGEX_DEPTH_MAX];
    size_t depth; /* index of the open frame */
    bool too_deep;
    const char
        *last_repeat; /* where the repetition before p began; NULL: something else was before p */
    struct slg_logql_str names[SLG_LOGQL_CAPTURE_COUNT_MAX];
    struct slg_logql_regex_shape shape;
    struct slg_error *reterr;
};

static bool fail(struct reader *r, const char *what, const char *from, const char *to)
{
    (void)slg_errorf(r->reterr, SLG_INVALID, "error parsing regexp: %s: `%.*s`", what,
                     to - from > 200 ? 200 : (int)(to - from), from);
    return false;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool is_word(char c)
{
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char at(const struct reader *r, size_t ahead)
{
    return ahead < (size_t)(r->end - r->p) ? r->p[ahead] : '\0';
}

static bool looking_at(const struct reader *r, const char *text)
{
    size_t len = strlen(text);

    return (size_t)(r->end - r->p) >= len && memcmp(r->p, text, len) == 0;
}

/* ---- frames ---- */

static void add_atom(struct reader *r, bool accepts_empty)
{
    struct frame *frame = &r->frames[r->depth];

    frame->sequence = frame->sequence && (!frame->has_atom || frame->atom);
    frame->atom = accepts_empty;
    frame->has_atom = true;
}

static bool frame_accepts_empty(const struct frame *frame)
{
    return frame->alternative || (frame->sequence && (!frame->has_atom || frame->atom));
}

static void next_alternative(struct reader *r)
{
    struct frame *frame = &r->frames[r->depth];

    *frame = (struct frame){ .alternative = frame_accepts_empty(frame), .sequence = true };
}

/* ---- escapes ---- */

/* Length of the escape of one character at p (a backslash); 0 if there is none such. */
static size_t char_escape_len(const struct reader *r)
{
    char c = at(r, 1);
    size_t i = 2;

    if (r->end - r->p < 2)
        return 0;
    if (c >= '1' && c <= '7' && (at(r, 2) < '0' || at(r, 2) > '7'))
        return 0; /* a back reference */
    if (c >= '0' && c <= '7') {
        while (i < 4 && at(r, i) >= '0' && at(r, i) <= '7')
            i++;
        return i;
    }
    if (c == 'x' && at(r, 2) == '{') {
        for (i = 3; is_hex(at(r, i)); i++)
            ;
        return i > 3 && at(r, i) == '}' ? i + 1 : 0;
    }
    if (c == 'x')
        return is_hex(at(r, 2)) && is_hex(at(r, 3)) ? 4 : 0;
    if (strchr("afnrtv", c) != NULL && c != '\0')
        return 2;
    if ((unsigned char)c >= 0x80 || (is_word(c) && c != '_'))
        return 0;
    return 2;
}

/* \d \pL \p{Greek} and their negations; 0 if it is none. */
static size_t class_escape_len(const struct reader *r)
{
    char c = at(r, 1);
    size_t i = 3;

    if (c != '\0' && strchr("dDsSwW", c) != NULL)
        return 2;
    if ((c != 'p' && c != 'P') || r->end - r->p < 3)
        return 0;
    if (at(r, 2) == '{') {
        while (at(r, i) != '}' && i < (size_t)(r->end - r->p))
            i++;
        return at(r, i) == '}' ? i + 1 : 0;
    }
    while ((at(r, i) & 0xC0) == 0x80 && at(r, i) != '\0')
        i++;
    return i;
}

static bool bad_escape(struct reader *r)
{
    size_t len = 2;

    if (r->end - r->p < 2)
        return fail(r, "trailing backslash at end of expression", r->end, r->end);
    while (len < (size_t)(r->end - r->p) && ((unsigned char)r->p[len] & 0xC0) == 0x80)
        len++;
    return fail(r, "invalid escape sequence", r->p, r->p + len);
}

/* \Q ... \E */
static void read_quoted(struct reader *r)
{
    bool any = false;

    r->p += 2;
    while (r->p < r->end && !looking_at(r, "\\E")) {
        r->p++;
        any = true;
    }
    if (any)
        add_atom(r, false);
    if (r->p < r->end)
        r->p += 2;
}

static bool read_escape(struct reader *r)
{
    char c = at(r, 1);
    size_t len;

    if (c == 'Q') {
        read_quoted(r);
        return true;
    }
    /* On the empty text \A, \z and \B hold, \b does not; \C is a byte (RE2 only). */
    if (c != '\0' && strchr("AzBbC", c) != NULL) {
        add_atom(r, c == 'A' || c == 'z' || c == 'B');
        r->p += 2;
        return true;
    }
    len = class_escape_len(r);
    if (len == 0)
        len = char_escape_len(r);
    if (len == 0)
        return bad_escape(r);
    add_atom(r, false);
    r->p += len;
    return true;
}

/* ---- classes ---- */

static size_t rune_len(const struct reader *r)
{
    size_t len = 1;

    while (((unsigned char)at(r, len) & 0xC0) == 0x80)
        len++;
    return len;
}

/* One character of a class; *ret_byte is its value if that is one byte written plainly, else -1. */
static bool read_class_char(struct reader *r, const char *class_start, int *ret_byte)
{
    size_t len;

    if (r->p == r->end)
        return fail(r, "missing closing ]", class_start, r->end);
    *ret_byte = -1;
    if (*r->p == '\\') {
        len = char_escape_len(r);
        if (len == 0)
            return bad_escape(r);
    } else {
        len = rune_len(r);
        if (len == 1)
            *ret_byte = (unsigned char)*r->p;
    }
    r->p += len;
    return true;
}

/* [:alpha:] at p; a name that RE2 does not know is left to RE2. */
static size_t posix_class_len(const struct reader *r)
{
    size_t i = 2;

    if (!looking_at(r, "[:"))
        return 0;
    while (i < (size_t)(r->end - r->p) && (at(r, i) == '^' || is_word(at(r, i))))
        i++;
    return at(r, i) == ':' && at(r, i + 1) == ']' ? i + 2 : 0;
}

static bool read_class(struct reader *r)
{
    const char *start = r->p;
    bool is_first = true;

    r->p++;
    if (at(r, 0) == '^')
        r->p++;
    while (r->p == r->end || *r->p != ']' || is_first) {
        const char *item = r->p;
        size_t len = r->p == r->end ? 0 : posix_class_len(r);
        int low;
        int high;

        is_first = false;
        if (len == 0 && at(r, 0) == '\\')
            len = class_escape_len(r);
        if (len > 0) {
            r->p += len;
            continue;
        }
        if (!read_class_char(r, start, &low))
            return false;
        if (at(r, 0) != '-' || at(r, 1) == ']' || r->end - r->p < 2)
            continue;
        r->p++;
        if (!read_class_char(r, start, &high))
            return false;
        if (low >= 0 && high >= 0 && high < low)
            return fail(r, "invalid character class range", item, r->p);
    }
    r->p++;
    add_atom(r, false);
    return true;
}

/* ---- groups ---- */

static void note_name(struct reader *r, struct slg_logql_str name)
{
    struct slg_logql_regex_shape *shape = &r->shape;

    if (is_digit(*name.ptr) && !shape->has_wrong_name) {
        shape->has_wrong_name = true;
        shape->wrong_name = name;
    }
    for (size_t i = 0; i < shape->named_count && i < SLG_LOGQL_CAPTURE_COUNT_MAX; i++) {
        if (!shape->has_duplicate && r->names[i].len == name.len &&
            memcmp(r->names[i].ptr, name.ptr, name.len) == 0) {
            shape->has_duplicate = true;
            shape->duplicate = name;
        }
    }
    if (shape->named_count < SLG_LOGQL_CAPTURE_COUNT_MAX)
        r->names[shape->named_count] = name;
    shape->named_count++;
}

/* (?P<name> or (?<name>; prefix_len bytes up to the name. */
static bool read_named(struct reader *r, size_t prefix_len)
{
    const char *name = r->p + prefix_len;
    const char *close = memchr(name, '>', (size_t)(r->end - name));

    if (close == NULL)
        return fail(r, "invalid named capture", r->p, r->end);
    for (const char *q = name; q < close; q++) {
        if (!is_word(*q))
            return fail(r, "invalid named capture", r->p, close + 1);
    }
    if (close == name)
        return fail(r, "invalid named capture", r->p, close + 1);
    note_name(r, (struct slg_logql_str){ name, (size_t)(close - name) });
    r->p = close + 1;
    return true;
}

/* (?flags) or (?flags:; *ret_opens tells which. */
static bool read_flags(struct reader *r, bool *ret_opens)
{
    const char *start = r->p;
    bool negated = false;
    bool any = false;

    for (r->p += 2; r->p < r->end; r->p++) {
        char c = *r->p;

        if (c == ')' || c == ':') {
            if (negated && !any)
                break;
            *ret_opens = c == ':';
            r->p++;
            return true;
        }
        if (c == '-' && !negated) {
            negated = true;
            any = false;
        } else if (strchr("imsU", c) != NULL && c != '\0') {
            any = true;
        } else {
            break;
        }
    }
    if (r->p == r->end)
        return fail(r, "missing closing )", r->begin, r->end);
    r->p += rune_len(r);
    return fail(r, "invalid or unsupported Perl syntax", start, r->p);
}

static bool open_group(struct reader *r)
{
    bool opens = true;

    if (looking_at(r, "(?P<")) {
        if (!read_named(r, 4))
            return false;
    } else if (looking_at(r, "(?<") && at(r, 3) != '=' && at(r, 3) != '!') {
        if (!read_named(r, 3))
            return false;
    } else if (looking_at(r, "(?")) {
        if (!read_flags(r, &opens))
            return false;
    } else {
        r->p++;
    }
    if (!opens)
        return true;
    if (r->depth + 1 == SLG_LOGQL_REGEX_DEPTH_MAX) {
        r->too_deep = true;
        return false;
    }
    r->frames[++r->depth] = (struct frame){ .sequence = true };
    return true;
}

static bool close_group(struct reader *r)
{
    bool accepts_empty = frame_accepts_empty(&r->frames[r->depth]);

    if (r->depth == 0)
        return fail(r, "unexpected )", r->begin, r->end);
    r->depth--;
    add_atom(r, accepts_empty);
    r->p++;
    return true;
}

/* ---- repetitions ---- */

/* {n}, {n,}, {n,m} at p: its length, or 0 if the brace stands for itself. */
static size_t braces_len(const struct reader *r, unsigned *ret_min, bool *ret_too_big)
{
    unsigned bounds[2] = { 0, 0 };
    size_t i = 1;
    size_t k = 0;
    size_t digit_count = 0;
    bool comma = false;

    for (;; i++) {
        char c = at(r, i);

        if (is_digit(c)) {
            digit_count++;
            if (bounds[k] <= REPEAT_MAX)
                bounds[k] = bounds[k] * 10 + (unsigned)(c - '0');
        } else if (c == ',' && !comma && digit_count > 0) {
            comma = true;
            k = 1;
            digit_count = 0;
        } else {
            break;
        }
    }
    if (at(r, i) != '}' || (digit_count == 0 && !comma))
        return 0;
    *ret_min = bounds[0];
    *ret_too_big = bounds[0] > REPEAT_MAX || bounds[1] > REPEAT_MAX ||
                   (comma && digit_count > 0 && bounds[1] < bounds[0]);
    return i + 1;
}

/* A repetition at p; *ret_was tells if there is one. */
static bool read_repeat(struct reader *r, bool *ret_was)
{
    struct frame *frame = &r->frames[r->depth];
    const char *start = r->p;
    bool too_big = false;
    unsigned min = 0;
    size_t len = 1;

    *ret_was = true;
    if (*r->p == '{') {
        len = braces_len(r, &min, &too_big);
        if (len == 0) {
            *ret_was = false;
            return true;
        }
    } else if (*r->p == '+') {
        min = 1;
    }
    if (too_big)
        return fail(r, "invalid repeat count", start, start + len);
    r->p += len;
    if (!frame->has_atom)
        return fail(r, "missing argument to repetition operator", start, r->p);
    if (at(r, 0) == '?')
        r->p++;
    if (r->last_repeat != NULL)
        return fail(r, "invalid nested repetition operator", r->last_repeat, r->p);
    frame->atom = frame->atom || min == 0;
    r->last_repeat = start;
    return true;
}

/* ---- the whole ---- */

static bool read_one(struct reader *r)
{
    bool was_repeat = false;

    switch (*r->p) {
    case '*':
    case '+':
    case '?':
    case '{':
        if (!read_repeat(r, &was_repeat))
            return false;
        if (was_repeat)
            return true;
        add_atom(r, false);
        r->p++;
        break;
    case '(':
        r->last_repeat = NULL;
        return open_group(r);
    case ')':
        r->last_repeat = NULL;
        return close_group(r);
    case '|':
        next_alternative(r);
        r->p++;
        break;
    case '[':
        r->last_repeat = NULL;
        return read_class(r);
    case '\\':
        r->last_repeat = NULL;
        return read_escape(r);
    case '^':
    case '$':
        add_atom(r, true);
        r->p++;
        break;
    default:
        add_atom(r, false);
        r->p += rune_len(r);
        break;
    }
    r->last_repeat = NULL;
    return true;
}

enum slg_status slg_logql_regex_inspect(struct slg_logql_str regex,
                                        struct slg_logql_regex_shape *ret_shape,
                                        struct slg_error *reterr)
{
    struct reader r;

    r.begin = regex.ptr;
    r.p = regex.ptr;
    r.end = regex.ptr + regex.len;
    r.depth = 0;
    r.too_deep = false;
    r.last_repeat = NULL;
    r.frames[0] = (struct frame){ .sequence = true };
    r.shape = (struct slg_logql_regex_shape){ 0 };
    r.reterr = reterr;
    while (r.p < r.end) {
        if (read_one(&r))
            continue;
        if (!r.too_deep)
            return SLG_INVALID;
        /* Nobody writes this; RE2 will judge it. Its names are not known, so say that there is one. */
        r.shape.named_count++;
        *ret_shape = r.shape;
        return SLG_OK;
    }
    if (r.depth > 0) {
        (void)fail(&r, "missing closing )", r.begin, r.end);
        return SLG_INVALID;
    }
    r.shape.accepts_empty = frame_accepts_empty(&r.frames[0]);
    *ret_shape = r.shape;
    return SLG_OK;
}
