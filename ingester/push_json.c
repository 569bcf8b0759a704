#include "base/bytes.h"
#include "base/utf8.h"
#include "ingester/push_request.h"

#define DEPTH_MAX 8 /* the format itself needs 5; what is skipped may go as deep */

/* Reads and, in strings, rewrites body in place: an unescaped string is never longer than its escaped form. */
struct json {
    uint8_t *at;
    uint8_t *end;
    uint8_t *start;
    struct slg_push_request *request;
    struct slg_error *reterr;
};

static enum slg_status malformed(const struct json *j, const char *what)
{
    return slg_errorf(j->reterr, SLG_MALFORMED, "could not parse the push body: %s at byte %zu",
                      what, (size_t)(j->at - j->start));
}

static enum slg_status over_limit(const struct json *j)
{
    return slg_errorf(j->reterr, SLG_LIMIT, "the push body needs more than %zu bytes of memory",
                      slg_arena_budget_bytes(j->request->arena));
}

static void skip_space(struct json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\r' || *j->at == '\t'))
        j->at++;
}

/* The next byte that is no space, or -1. */
static int peek(struct json *j)
{
    skip_space(j);
    return j->at < j->end ? *j->at : -1;
}

static bool take(struct json *j, char c)
{
    if (peek(j) != c)
        return false;
    j->at++;
    return true;
}

/* Four hex digits at p; -1: not there. */
static int32_t take_hex4(const uint8_t *p, const uint8_t *end)
{
    int32_t value = 0;

    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = slg_bytes_hex_value((char)p[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* \uXXXX with p at the 'u', a pair of surrogates as one; a lone surrogate is U+FFFD. NULL: not hex. */
static uint8_t *take_unicode(uint8_t *p, const uint8_t *end, uint8_t **out)
{
    int32_t high = take_hex4(p + 1, end);
    uint32_t rune;

    if (high < 0)
        return NULL;
    p += 5;
    rune = (uint32_t)high;
    if (high >= 0xD800 && high <= 0xDBFF && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
        int32_t low = take_hex4(p + 2, end);

        if (low >= 0xDC00 && low <= 0xDFFF) {
            rune = 0x10000 + (((uint32_t)high - 0xD800) << 10) + ((uint32_t)low - 0xDC00);
            p += 6;
        }
    }
    if (rune >= 0xD800 && rune <= 0xDFFF)
        rune = 0xFFFD;
    *out += slg_utf8_encode(rune, *out);
    return p;
}

/* One escape with p behind the backslash. NULL: unknown. */
static uint8_t *take_escape(uint8_t *p, const uint8_t *end, uint8_t **out)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const char *found;

    if (p == end)
        return NULL;
    if (*p == 'u')
        return take_unicode(p, end, out);
    found = *p == '\0' ? NULL : strchr(from, *p);
    if (found == NULL)
        return NULL;
    *(*out)++ = (uint8_t)to[found - from];
    return p + 1;
}

static enum slg_status take_string(struct json *j, struct slg_text *ret_text)
{
    uint8_t *start;
    uint8_t *out;
    uint8_t *p;

    if (!take(j, '"'))
        return malformed(j, "a string is expected");
    start = j->at;
    p = start;
    while (p < j->end && *p != '"' && *p != '\\')
        p++;
    out = p;
    while (p < j->end && *p != '"') {
        if (*p == '\\') {
            p = take_escape(p + 1, j->end, &out);
            if (p == NULL)
                return malformed(j, "invalid escape in a string");
        } else {
            *out++ = *p++;
        }
    }
    if (p == j->end)
        return malformed(j, "a string is not closed");
    *ret_text = slg_text_make(start, (size_t)(out - start));
    j->at = p + 1;
    return SLG_OK;
}

static bool take_word(struct json *j, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(j->end - j->at) < len || memcmp(j->at, word, len) != 0)
        return false;
    j->at += len;
    return true;
}

/* Numbers are only ever skipped: any run of their bytes will do. */
static enum slg_status skip_scalar(struct json *j)
{
    struct slg_text ignored;
    uint8_t *from;

    if (peek(j) == '"')
        return take_string(j, &ignored);
    if (take_word(j, "true") || take_word(j, "false") || take_word(j, "null"))
        return SLG_OK;
    from = j->at;
    while (j->at < j->end && ((*j->at >= '0' && *j->at <= '9') || *j->at == '-' || *j->at == '+' ||
                              *j->at == '.' || (*j->at | 0x20) == 'e'))
        j->at++;
    return j->at > from ? SLG_OK : malformed(j, "a value is expected");
}

/* Any value. `closers` is the stack of brackets still to close: no recursion. */
static enum slg_status skip_value(struct json *j)
{
    char closers[DEPTH_MAX];
    size_t depth = 0;

    for (;;) {
        enum slg_status status = SLG_OK;
        int c = peek(j);
        bool opened = c == '{' || c == '[';

        if (opened) {
            if (depth == DEPTH_MAX)
                return malformed(j, "too deep");
            closers[depth++] = c == '{' ? '}' : ']';
            j->at++;
        } else {
            status = skip_scalar(j);
        }
        if (status != SLG_OK)
            return status;
        while (depth > 0 && peek(j) == closers[depth - 1]) {
            j->at++;
            depth--;
            opened = false;
        }
        if (depth == 0)
            return SLG_OK;
        if (!opened && !take(j, ','))
            return malformed(j, "a comma is expected");
        if (closers[depth - 1] == '}') {
            struct slg_text ignored;

            status = take_string(j, &ignored);
            if (status != SLG_OK)
                return status;
            if (!take(j, ':'))
                return malformed(j, "a colon is expected");
        }
    }
}

/* What follows an item of a list that `closer` ends: 1 another item, 0 the end, -1 neither. */
static int next_item(struct json *j, char closer)
{
    if (take(j, ','))
        return 1;
    return take(j, closer) ? 0 : -1;
}

enum into { INTO_LABELS, INTO_METADATA };

/* {"name":"value", ..} */
static enum slg_status take_pairs(struct json *j, enum into into)
{
    int more;

    if (!take(j, '{'))
        return malformed(j, "an object is expected");
    if (take(j, '}'))
        return SLG_OK;
    do {
        struct slg_label pair;
        struct slg_label *item;
        enum slg_status status = take_string(j, &pair.name);

        if (status != SLG_OK)
            return status;
        if (!take(j, ':'))
            return malformed(j, "a colon is expected");
        status = take_string(j, &pair.value);
        if (status != SLG_OK)
            return status;
        item = into == INTO_LABELS ? slg_push_add_label(j->request)
                                   : slg_push_add_metadata(j->request);
        if (item == NULL)
            return over_limit(j);
        *item = pair;
        more = next_item(j, '}');
    } while (more == 1);
    return more == 0 ? SLG_OK : malformed(j, "a comma or \"}\" is expected");
}

/* Nanoseconds as decimal digits, a sign allowed. */
static bool parse_ns(struct slg_text text, int64_t *ret_ns)
{
    uint64_t value = 0;
    size_t i = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+') ? 1 : 0;
    bool negative = i == 1 && text.at[0] == '-';

    if (i == text.len || text.len - i > 19)
        return false;
    for (; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.at[i] - '0');
    }
    if (value > INT64_MAX)
        return false;
    *ret_ns = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

static bool take_null(struct json *j)
{
    return peek(j) == 'n' && take_word(j, "null");
}

/* What follows the time: a line, metadata, and more that is skipped; any of them may be absent. */
static enum slg_status take_rest_of_entry(struct json *j, struct slg_push_line *line)
{
    enum slg_status status;

    if (!take(j, ','))
        return SLG_OK;
    status = take_string(j, &line->line);
    if (status == SLG_OK && take(j, ','))
        status = take_pairs(j, INTO_METADATA);
    while (status == SLG_OK && take(j, ','))
        status = skip_value(j);
    return status;
}

/* ["ns", "line"] or ["ns", "line", {metadata}]; null is no entry. */
static enum slg_status take_entry(struct json *j)
{
    struct slg_push_line line = { .line = { "", 0 }, .metadata_first = j->request->metadata_count };
    struct slg_push_line *item;
    struct slg_text stamp;
    enum slg_status status;

    if (take_null(j))
        return SLG_OK;
    if (!take(j, '['))
        return malformed(j, "an entry [timestamp, line] is expected");
    status = take_string(j, &stamp);
    if (status != SLG_OK)
        return status;
    if (!parse_ns(stamp, &line.ts_ns))
        return malformed(j, "the timestamp is not a count of nanoseconds");
    status = take_rest_of_entry(j, &line);
    if (status != SLG_OK)
        return status;
    if (!take(j, ']'))
        return malformed(j, "the end of an entry is expected");
    line.metadata_count = j->request->metadata_count - line.metadata_first;
    item = slg_push_add_line(j->request);
    if (item == NULL)
        return over_limit(j);
    *item = line;
    return SLG_OK;
}

/* [ item, .. ] */
static enum slg_status take_list(struct json *j, enum slg_status (*take_item)(struct json *j))
{
    int more;

    if (!take(j, '['))
        return malformed(j, "an array is expected");
    if (take(j, ']'))
        return SLG_OK;
    do {
        enum slg_status status = take_item(j);

        if (status != SLG_OK)
            return status;
        more = next_item(j, ']');
    } while (more == 1);
    return more == 0 ? SLG_OK : malformed(j, "a comma or \"]\" is expected");
}

/* One member of a stream. Of members that come twice the last counts, but for values that are null (Loki's reader). */
static enum slg_status take_member(struct json *j, struct slg_text key,
                                   struct slg_push_stream *stream)
{
    struct slg_push_request *request = j->request;

    if (slg_text_equal_to(key, "stream")) {
        request->label_count = stream->label_first;
        stream->has_labels = true;
        return take_pairs(j, INTO_LABELS);
    }
    if (!slg_text_equal_to(key, "values"))
        return skip_value(j);
    if (take_null(j))
        return SLG_OK;
    request->line_count = stream->entry_first;
    return take_list(j, take_entry);
}

/* {"stream":{..},"values":[..]} in any order; other members are skipped. */
static enum slg_status take_stream(struct json *j)
{
    struct slg_push_request *request = j->request;
    struct slg_push_stream stream = { .label_first = request->label_count,
                                      .entry_first = request->line_count };
    struct slg_push_stream *item;
    int more;

    if (!take(j, '{'))
        return malformed(j, "a stream is expected");
    more = take(j, '}') ? 0 : 1;
    while (more == 1) {
        struct slg_text key = { NULL, 0 };
        enum slg_status status = take_string(j, &key);

        if (status != SLG_OK)
            return status;
        if (!take(j, ':'))
            return malformed(j, "a colon is expected");
        status = take_member(j, key, &stream);
        if (status != SLG_OK)
            return status;
        more = next_item(j, '}');
    }
    if (more < 0)
        return malformed(j, "a comma or \"}\" is expected");
    stream.label_count = request->label_count - stream.label_first;
    stream.entry_count = request->line_count - stream.entry_first;
    item = slg_push_add_stream(request);
    if (item == NULL)
        return over_limit(j);
    *item = stream;
    return SLG_OK;
}

/* Loki's reader takes this one name in capitals, too: whoever sends it so must not lose lines. */
static bool is_streams(struct slg_text key)
{
    return key.len == 7 && strncasecmp(key.at, "streams", 7) == 0;
}

/* The list of streams; a later one takes the place of an earlier one, null is none. */
static enum slg_status take_streams(struct json *j)
{
    struct slg_push_request *request = j->request;

    request->stream_count = 0;
    request->line_count = 0;
    request->label_count = 0;
    request->metadata_count = 0;
    return take_null(j) ? SLG_OK : take_list(j, take_stream);
}

enum slg_status slg_push_read_json(struct slg_push_request *request, uint8_t *body, size_t len,
                                   struct slg_error *reterr)
{
    struct json j = {
        .at = body, .end = body + len, .start = body, .request = request, .reterr = reterr
    };
    int more;

    if (take_null(&j))
        return peek(&j) == -1 ? SLG_OK : malformed(&j, "nothing may follow");
    if (!take(&j, '{'))
        return malformed(&j, "an object is expected");
    more = take(&j, '}') ? 0 : 1;
    while (more == 1) {
        struct slg_text key = { NULL, 0 };
        enum slg_status status = take_string(&j, &key);

        if (status != SLG_OK)
            return status;
        if (!take(&j, ':'))
            return malformed(&j, "a colon is expected");
        status = is_streams(key) ? take_streams(&j) : skip_value(&j);
        if (status != SLG_OK)
            return status;
        more = next_item(&j, '}');
    }
    if (more < 0)
        return malformed(&j, "a comma or \"}\" is expected");
    return peek(&j) == -1 ? SLG_OK : malformed(&j, "nothing may follow");
}
