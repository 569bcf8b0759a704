#include "logql/pipe/json.h"

#include <string.h>

#include "base/bytes.h"
#include "base/utf8.h"
#include "logql/pipe/json_scan.h"
#include "logql/pipe/label_filter.h"

#define ERROR_NAME "JSONParserErr"

/* What is known while one line is flattened. */
struct flattener {
    struct slg_context *context;
    struct slg_json_stage *stage;
    struct slg_json_scan scan;
    char *prefix; /* sanitized names of the open objects, joined; NULL until the first */
    size_t prefix_len;
    size_t depth; /* open objects below the first */
    struct frame {
        size_t prefix_len;          /* before this object's name */
        size_t item_count;          /* labels before it */
        const char *opening;        /* its '{' */
    } * frames;                     /* of depth 1.. */
    struct slg_json_member *member; /* the shape's, of the member in hand; NULL: not kept */
    size_t member_count;            /* before it */
    bool in_shape;                  /* all members were the shape's */
    const char *error;
    bool dropped;
    bool done;
};

/* ---- text ---- */

/* uXXXX at text[1..6). */
static bool take_unicode(const char *text, size_t len, uint32_t *ret_unit)
{
    *ret_unit = 0;
    if (len < 6 || text[0] != '\\' || text[1] != 'u')
        return false;
    for (size_t i = 2; i < 6; i++) {
        if (slg_bytes_hex_value(text[i]) < 0)
            return false;
        *ret_unit = *ret_unit * 16 + (uint32_t)slg_bytes_hex_value(text[i]);
    }
    return true;
}

size_t slg_json_escape(const char *text, size_t len, uint8_t utf8[4], size_t *ret_utf8_len)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint32_t unit, low;
    const char *found;

    if (len < 2)
        return 0;
    found = text[1] == '\0' ? NULL : strchr(from, text[1]);
    if (found != NULL) {
        utf8[0] = (uint8_t)to[found - from];
        *ret_utf8_len = 1;
        return 2;
    }
    if (!take_unicode(text, len, &unit))
        return 0;
    if (unit >= 0xD800 && unit <= 0xDBFF && take_unicode(text + 6, len - 6, &low) &&
        low >= 0xDC00 && low <= 0xDFFF) {
        *ret_utf8_len = slg_utf8_encode(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00), utf8);
        return 12;
    }
    *ret_utf8_len = slg_utf8_encode(unit, utf8);
    return 6;
}

bool slg_json_unescape(struct slg_text text, char *out, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len;) {
        uint8_t utf8[4];
        size_t utf8_len, step;

        if (text.at[i] != '\\') {
            out[len++] = text.at[i++];
            continue;
        }
        step = slg_json_escape(text.at + i, text.len - i, utf8, &utf8_len);
        if (step == 0)
            return false;
        memcpy(out + len, utf8, utf8_len);
        len += utf8_len;
        i += step;
    }
    *ret_len = len;
    return true;
}

struct slg_text slg_json_printable(struct slg_context *context, struct slg_text text, bool resolved)
{
    bool clean = true;
    size_t len = 0, step;
    uint32_t rune;
    char *out;

    if ((slg_context_line_is_ascii(context) && !resolved) || slg_wide_is_ascii(text.at, text.len))
        return text;
    for (size_t i = 0; i < text.len && clean; i += step)
        clean = slg_utf8_decode((const uint8_t *)text.at + i, text.len - i, &rune, &step) &&
                rune != 0xFFFD;
    if (clean)
        return text;
    out = slg_context_alloc(context, text.len);
    if (out == NULL)
        return slg_text_make(NULL, 0);
    for (size_t i = 0; i < text.len; i += step) {
        bool good = slg_utf8_decode((const uint8_t *)text.at + i, text.len - i, &rune, &step);

        if (!good)
            step = 1; /* byte by byte, as Go */
        if (good && rune != 0xFFFD) {
            memcpy(out + len, text.at + i, step);
            len += step;
        } else {
            out[len++] = ' ';
        }
    }
    return slg_text_make(out, len);
}

/* What a label gets: escapes resolved, "" if one is malformed. */
static inline struct slg_text label_value(struct slg_context *context, struct slg_text text,
                                          bool escaped)
{
    size_t len;
    char *out;

    if (!escaped && slg_context_line_is_ascii(context))
        return text;
    if (escaped) {
        out = slg_context_alloc(context, text.len + 1);
        if (out == NULL || !slg_json_unescape(text, out, &len))
            return slg_text_make(NULL, 0);
        text = slg_text_make(out, len);
    }
    return slg_json_printable(context, text, escaped);
}

/* ---- json without expressions ---- */

static bool fail_scan(struct flattener *f, const char *error)
{
    f->error = error;
    return false;
}

/* Append '_' and the sanitized key to the prefix; what is empty adds nothing. */
static bool push_name(struct flattener *f, struct slg_text key)
{
    size_t joined = f->prefix_len, len;

    if (f->prefix == NULL) {
        f->prefix = slg_context_alloc(f->context, f->context->line.len + SLG_JSON_DEPTH_MAX + 16);
        if (f->prefix == NULL)
            return fail_scan(f, "line needs too much memory");
    }
    if (joined > 0)
        f->prefix[joined++] = '_';
    len = slg_context_sanitize(f->prefix, joined, key);
    if (len > joined)
        f->prefix_len = len;
    if (f->prefix_len > SLG_JSON_NAME_BYTES_MAX)
        return fail_scan(f, "name of a member is too long");
    return true;
}

/* The clean symbol of the member in hand; NULL: exhausted, or f->error. */
static struct slg_symbol *name_member(struct flattener *f, struct slg_text key)
{
    size_t before = f->prefix_len;
    struct slg_symbol *symbol;

    f->stage->guess.position = (uint32_t)f->member_count;
    if (f->depth == 0 && f->prefix_len == 0) {
        symbol = slg_context_key(f->context, &f->stage->guess, key);
        return symbol == NULL ? NULL : slg_context_clean(f->context, symbol);
    }
    if (!push_name(f, key))
        return NULL;
    symbol = slg_context_key(f->context, &f->stage->guess, slg_text_make(f->prefix, f->prefix_len));
    f->prefix_len = before;
    return symbol;
}

/* What a member inside an object is called when stream or metadata have its name: "_extracted" stands behind its key as
 * it was written, so that spaces at the key's end become '_' and an empty key is no longer one. NULL: exhausted, or
 * f->error. */
static struct slg_symbol *name_duplicate(struct flattener *f, struct slg_text key)
{
    static const char suffix[] = "_extracted";
    char *text = slg_context_alloc(f->context, key.len + sizeof(suffix));
    size_t before = f->prefix_len;
    struct slg_symbol *symbol;

    if (text == NULL)
        return NULL;
    if (key.len > 0)
        memcpy(text, key.at, key.len);
    memcpy(text + key.len, suffix, sizeof(suffix) - 1);
    if (!push_name(f, slg_text_make(text, key.len + sizeof(suffix) - 1)))
        return NULL;
    symbol = slg_context_symbol(f->context, slg_text_make(f->prefix, f->prefix_len));
    f->prefix_len = before;
    return symbol;
}

static struct slg_symbol *target_member(struct flattener *f, struct slg_text key,
                                        struct slg_symbol *symbol)
{
    if (f->depth == 0 || symbol == NULL || symbol->name.len == 0 ||
        (key.len > 0 && !slg_context_is_space_end(key)) ||
        slg_context_suffixed(f->context, symbol) == symbol)
        return slg_context_wanted(f->context, symbol);
    symbol = name_duplicate(f, key);
    return symbol == NULL ? NULL : slg_context_target_as(f->context, symbol);
}

static bool set_member(struct flattener *f, struct slg_text key, const struct slg_json_value *value)
{
    struct slg_symbol *symbol = f->member == NULL ? NULL : f->member->symbol, *target;

    if (symbol == NULL) {
        symbol = name_member(f, key);
        if (f->error != NULL)
            return false;
        if (f->member != NULL)
            f->member->symbol = symbol;
    }
    target = target_member(f, key, symbol);
    if (f->error != NULL)
        return false;
    if (f->context->exhausted)
        return fail_scan(f, "line needs too much memory");
    if (target == NULL)
        return true;
    slg_context_set_wanted(f->context, target,
                           label_value(f->context, value->text, value->escaped));
    f->dropped = !slg_label_filter_go_on(target, f->context);
    return !f->dropped;
}

/* Go into the object whose '{' has been read, unless hints say that nothing in it is needed. */
static bool open_object(struct flattener *f, struct slg_text key, const char *opening)
{
    size_t before = f->prefix_len;

    if (f->frames == NULL) {
        f->frames = slg_context_alloc(f->context, SLG_JSON_DEPTH_MAX * sizeof(f->frames[0]));
        if (f->frames == NULL)
            return fail_scan(f, "line needs too much memory");
    }
    if (f->depth == SLG_JSON_DEPTH_MAX)
        return fail_scan(f, "objects are nested too deeply");
    if (!push_name(f, key))
        return false;
    if (!slg_context_wants_prefix(f->context, slg_text_make(f->prefix, f->prefix_len))) {
        f->prefix_len = before;
        return slg_json_scan_block(&f->scan, opening) || fail_scan(f, SLG_JSON_ERROR_OBJECT);
    }
    f->frames[f->depth].prefix_len = before;
    f->frames[f->depth].item_count = f->context->item_count;
    f->frames[f->depth].opening = opening;
    f->depth++;
    return true;
}

/* The key at the scanner; escapes resolved. */
static bool take_key(struct flattener *f, struct slg_text *ret_key)
{
    bool escaped;
    size_t len;
    char *out;

    if (slg_json_scan_next(&f->scan) != '"')
        return fail_scan(f, SLG_JSON_ERROR_OBJECT);
    if (!slg_json_scan_string(&f->scan, ret_key, &escaped))
        return fail_scan(f, SLG_JSON_ERROR_JSON);
    if (escaped) {
        out = slg_context_alloc(f->context, ret_key->len + 1);
        if (out == NULL)
            return fail_scan(f, "line needs too much memory");
        if (!slg_json_unescape(*ret_key, out, &len))
            return fail_scan(f, SLG_JSON_ERROR_ESCAPE);
        *ret_key = slg_text_make(out, len);
    }
    if (slg_json_scan_next(&f->scan) != ':')
        return fail_scan(f, SLG_JSON_ERROR_JSON);
    f->scan.at++;
    return true;
}

/* From here on the line has another shape than the one before: the shape becomes the line's. */
static void remember_member(struct flattener *f, const char *start, struct slg_text key)
{
    struct slg_json_shape *shape = &f->stage->shape;
    struct slg_json_member *member = f->member;
    size_t len = (size_t)(f->scan.at - start);

    f->in_shape = false;
    if (member == NULL)
        return;
    shape->count = f->member_count + 1;
    member->depth = f->depth;
    member->symbol = NULL;
    member->token_len = 0;
    /* Escapes make the key shorter, and a text from elsewhere; white space makes the token longer. */
    if (len != key.len + 3 || len >= sizeof(member->token) || key.at != start + 1)
        return;
    memcpy(member->token, start, len);
    member->token_len = len;
}

/* The key of the next member: mostly it is the one that stood there in the line before. */
static bool take_member_key(struct flattener *f, struct slg_text *ret_key)
{
    struct slg_json_shape *shape = &f->stage->shape;
    const char *start;

    (void)slg_json_scan_next(&f->scan);
    start = f->scan.at;
    f->member = f->member_count < SLG_CONTEXT_GUESS_COUNT ? &shape->members[f->member_count] : NULL;
    if (f->in_shape && f->member != NULL && f->member_count < shape->count &&
        f->member->token_len > 0 && f->member->depth == f->depth &&
        slg_wide_begins(start, (size_t)(f->scan.end - start), f->member->token,
                        f->member->token_len)) {
        *ret_key = slg_text_make(start + 1, f->member->token_len - 3);
        f->scan.at = start + f->member->token_len;
    } else {
        if (!take_key(f, ret_key))
            return false;
        remember_member(f, start, *ret_key);
    }
    return true;
}

/* One member with its value; *opened: the value is an object that is being read now. */
static bool take_member(struct flattener *f, bool *opened)
{
    struct slg_json_value value;
    struct slg_text key;
    const char *opening;

    *opened = false;
    if (!take_member_key(f, &key))
        return false;
    if (slg_json_scan_next(&f->scan) == '{') {
        size_t depth = f->depth;

        opening = f->scan.at++;
        f->member_count++;
        if (!open_object(f, key, opening))
            return false;
        *opened = f->depth > depth;
        return true;
    }
    f->error = slg_json_scan_value(&f->scan, &value);
    if (f->error != NULL)
        return false;
    if (value.type != SLG_JSON_ARRAY && value.type != SLG_JSON_NULL && !set_member(f, key, &value))
        return false;
    f->member_count++;
    f->done = slg_context_all_found(f->context);
    return !f->done;
}

/* Behind a value or '{': '}' closes objects, ',' goes on. *ret_end: the first object is closed. A '}' right behind a
 * comma closes too. */
static bool take_separator(struct flattener *f, bool *ret_end)
{
    *ret_end = false;
    for (;;) {
        int next = slg_json_scan_next(&f->scan);

        if (next == -1)
            return fail_scan(f, SLG_JSON_ERROR_ARRAY);
        if (next != '}' && next != ',')
            return fail_scan(f, SLG_JSON_ERROR_OBJECT);
        f->scan.at++;
        if (next == ',') {
            next = slg_json_scan_next(&f->scan);
            if (next == -1)
                return fail_scan(f, SLG_JSON_ERROR_ARRAY);
            if (next != '}')
                return true;
            f->scan.at++;
        }
        if (f->depth == 0) {
            *ret_end = true;
            return true;
        }
        f->depth--;
        f->prefix_len = f->frames[f->depth].prefix_len;
    }
}

/* A member object without an end gives no labels at all: it is the whole of it that Loki looks for first. If the
 * outermost has an end, so have those inside. */
static void forget_endless(struct flattener *f)
{
    struct slg_json_scan probe = f->scan;

    if (f->depth == 0 || slg_json_scan_block(&probe, f->frames[0].opening))
        return;
    slg_context_truncate(f->context, f->frames[0].item_count);
    f->error = SLG_JSON_ERROR_OBJECT;
}

static bool flatten(struct flattener *f)
{
    bool end = false, opened = true;

    if (slg_json_scan_next(&f->scan) != '{')
        return fail_scan(f, SLG_JSON_ERROR_OBJECT);
    f->scan.at++;
    if (slg_json_scan_next(&f->scan) == -1)
        return fail_scan(f, SLG_JSON_ERROR_JSON);
    while (!end) {
        if (!opened || slg_json_scan_next(&f->scan) == '}') {
            if (!take_separator(f, &end))
                return false;
            opened = !end;
            if (end || slg_json_scan_next(&f->scan) == '}')
                continue;
        }
        if (!take_member(f, &opened))
            return false;
    }
    return true;
}

static bool run_all(struct slg_json_stage *stage, struct slg_context *context)
{
    struct flattener f = { .context = context, .stage = stage, .in_shape = true };

    f.scan = (struct slg_json_scan){ .at = context->line.at,
                                     .end = context->line.at + context->line.len,
                                     .begin = context->line.at };
    if (stage->shape.epoch != context->epoch) {
        stage->shape.epoch = context->epoch;
        stage->shape.count = 0;
    }
    if (flatten(&f) || f.done)
        return true;
    if (f.dropped)
        return false;
    forget_endless(&f);
    if (context->exhausted) {
        /* One line that explodes is that line's error, not the query's. */
        slg_context_truncate(context, 0);
        context->exhausted = false;
    }
    slg_context_fail(context, ERROR_NAME, f.error);
    return true;
}

/* ---- json with expressions ---- */

/* A search for up to SLG_JSON_PATH_COUNT_MAX paths in one pass; paths are bits. */
struct search {
    struct slg_context *context;
    const struct slg_json_expression *expressions;
    size_t count;
    uint64_t open; /* not found yet */
    size_t found;
    struct slg_json_scan scan;
};

static void emit(struct search *s, size_t index, const struct slg_json_value *value)
{
    struct slg_symbol *symbol = slg_context_suffixed(s->context, s->expressions[index].symbol);
    struct slg_text text = value->text;

    s->found++;
    if (symbol == NULL)
        return;
    if (value->type == SLG_JSON_NULL)
        text = slg_text_make(NULL, 0);
    else if (value->type != SLG_JSON_OBJECT)
        text =
            label_value(s->context, text, text.len > 0 && memchr(text.at, '\\', text.len) != NULL);
    slg_context_set(s->context, symbol, text);
}

/* Of the paths in `mask`, those whose segment at `level` is this key or index. */
static uint64_t select_paths(const struct search *s, uint64_t mask, size_t level, bool is_index,
                             struct slg_text key, uint64_t index)
{
    uint64_t selected = 0;

    for (size_t i = 0; i < s->count; i++) {
        const struct slg_json_path *path = &s->expressions[i].path;
        const struct slg_json_segment *segment = &path->segments[level];

        if ((mask & s->open & (UINT64_C(1) << i)) == 0 || path->segment_count <= level ||
            segment->is_index != is_index)
            continue;
        if (is_index ? segment->index == index : slg_text_equal(segment->key, key))
            selected |= UINT64_C(1) << i;
    }
    return selected;
}

static bool search_value(struct search *s, uint64_t mask, size_t level);

/* The value at the scanner is what the paths in `selected` want at `level`: emit for those that end here, look inside
 * for the others. False: the text cannot be followed further. */
/* NOLINTNEXTLINE(misc-no-recursion): level is bounded by the longest path, itself by SLG_JSON_DEPTH_MAX */
static bool take_selected(struct search *s, uint64_t selected, size_t level)
{
    const char *start;
    struct slg_json_value value;
    const char *error;

    (void)slg_json_scan_next(&s->scan);
    start = s->scan.at;
    error = slg_json_scan_value(&s->scan, &value);
    for (size_t i = 0; i < s->count; i++) {
        uint64_t bit = UINT64_C(1) << i;

        if ((selected & bit) == 0 || s->expressions[i].path.segment_count != level + 1)
            continue;
        s->open &= ~bit;
        selected &= ~bit;
        if (error != NULL)
            slg_context_fail(s->context, ERROR_NAME, error);
        else
            emit(s, i, &value);
    }
    if ((selected & s->open) != 0 && start < s->scan.end && (*start == '{' || *start == '[')) {
        struct slg_json_scan after = s->scan;

        s->scan.at = start;
        if (!search_value(s, selected, level + 1) || error != NULL)
            return false;
        s->scan = after;
    }
    return error == NULL;
}

/* NOLINTNEXTLINE(misc-no-recursion): see take_selected */
static bool search_object(struct search *s, uint64_t mask, size_t level)
{
    s->scan.at++;
    while (s->open != 0) {
        int next = slg_json_scan_next(&s->scan);
        struct slg_text key;
        struct slg_json_value value;
        uint64_t selected;
        bool escaped;

        if (next == -1)
            return false;
        if (next != '"') {
            s->scan.at++;
            if (next == '}')
                return true;
            continue; /* commas, and what else may stand there */
        }
        if (!slg_json_scan_string(&s->scan, &key, &escaped))
            return false;
        if (slg_json_scan_next(&s->scan) != ':')
            continue;
        s->scan.at++;
        if (escaped)
            key = label_value(s->context, key, /* escaped= */ true);
        selected = select_paths(s, mask, level, /* is_index= */ false, key, 0);
        if (selected != 0) {
            if (!take_selected(s, selected, level))
                return false;
        } else {
            /* Nothing behind a string, object or array without end is on this level. A strange word is skipped. */
            if (slg_json_scan_value(&s->scan, &value) != NULL &&
                (s->scan.at == s->scan.end || strchr("\"{[", *s->scan.at) != NULL))
                return false;
        }
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): see take_selected */
static bool search_array(struct search *s, uint64_t mask, size_t level)
{
    s->scan.at++;
    for (uint64_t index = 0; s->open != 0; index++) {
        int next = slg_json_scan_next(&s->scan);
        struct slg_json_value value;
        uint64_t selected;

        if (next == -1)
            return false;
        if (next == ']') {
            s->scan.at++;
            return true;
        }
        selected =
            select_paths(s, mask, level, /* is_index= */ true, slg_text_make(NULL, 0), index);
        if (selected != 0 ? !take_selected(s, selected, level)
                          : slg_json_scan_value(&s->scan, &value) != NULL)
            return false;
        next = slg_json_scan_next(&s->scan);
        if (next == ',')
            s->scan.at++;
        else if (next != ']')
            return false;
    }
    return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): see take_selected */
static bool search_value(struct search *s, uint64_t mask, size_t level)
{
    int next = slg_json_scan_next(&s->scan);

    if (next == '{')
        return search_object(s, mask, level);
    return next == '[' && search_array(s, mask, level);
}

static void run_expressions(struct slg_json_stage *stage, struct slg_context *context)
{
    struct slg_text value;
    size_t found = 0;

    if (context->line.len == 0)
        return;
    if (memchr("\"{[", context->line.at[0], 3) == NULL) {
        slg_context_fail(context, ERROR_NAME, NULL);
        return;
    }
    for (size_t i = 0; i < stage->expression_count; i += SLG_JSON_PATH_COUNT_MAX) {
        struct search s = { .context = context, .expressions = stage->expressions + i };

        s.count = stage->expression_count - i;
        if (s.count > SLG_JSON_PATH_COUNT_MAX)
            s.count = SLG_JSON_PATH_COUNT_MAX;
        s.open = s.count == 64 ? UINT64_MAX : (UINT64_C(1) << s.count) - 1;
        s.scan = (struct slg_json_scan){ .at = context->line.at,
                                         .end = context->line.at + context->line.len,
                                         .begin = context->line.at };
        (void)search_value(&s, s.open, 0); /* what it could not follow is missing, as in Loki */
        found += s.found;
    }
    if (found == stage->expression_count)
        return;
    for (size_t i = 0; i < stage->expression_count; i++)
        if (!slg_context_get(context, stage->expressions[i].symbol, &value))
            slg_context_set(context, stage->expressions[i].symbol, slg_text_make(NULL, 0));
}

bool slg_json_stage_run(struct slg_json_stage *stage, struct slg_context *context)
{
    if (slg_context_no_labels(context))
        return true;
    if (stage->expression_count == 0)
        return run_all(stage, context);
    run_expressions(stage, context);
    return true;
}

/* ---- compiling ---- */

enum slg_status slg_json_stage_create(struct slg_context *context,
                                      const struct slg_logql_stage *from,
                                      struct slg_json_stage **ret_stage, struct slg_error *reterr)
{
    struct slg_arena *arena = context->static_arena;
    struct slg_json_stage *stage = slg_arena_calloc(arena, 1, sizeof(*stage));

    if (stage == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    stage->expression_count = from->extraction_count;
    stage->expressions =
        slg_arena_calloc(arena, from->extraction_count, sizeof(stage->expressions[0]));
    if (stage->expressions == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    for (size_t i = 0; i < from->extraction_count; i++) {
        const struct slg_logql_extraction *extraction = &from->extractions[i];
        enum slg_status status =
            slg_json_path_parse(arena, slg_text_make(extraction->path.ptr, extraction->path.len),
                                &stage->expressions[i].path, reterr);

        if (status != SLG_OK)
            return status;
        stage->expressions[i].symbol = slg_context_static_symbol(
            context, slg_text_make(extraction->label.ptr, extraction->label.len));
        if (stage->expressions[i].symbol == NULL)
            return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    }
    *ret_stage = stage;
    return SLG_OK;
}

/* ---- unpack ---- */

/* What a packed label is called: the key as it was written may have to get "_extracted"; NULL when it shall not be set.
 * Of those that this stage sets (items from `before` on) the last of a name wins. */
static struct slg_symbol *packed_target(struct slg_unpack_stage *stage, struct slg_context *context,
                                        struct slg_text key, size_t before)
{
    struct slg_symbol *symbol = slg_context_key(context, &stage->guess, key);

    symbol = symbol == NULL ? NULL : slg_context_suffixed(context, symbol);
    symbol = symbol == NULL ? NULL : slg_context_clean(context, symbol);
    if (symbol == NULL || symbol->name.len == 0 ||
        (slg_context_was_recorded(context, symbol) &&
         (symbol->item == SLG_CONTEXT_NO_ITEM || symbol->item < before)))
        return NULL;
    return context->required_count == 0 || symbol->required ? symbol : NULL;
}

/* Labels and entry are set only when the whole object was read, so walk it twice: first for errors and `_entry`. */
static const char *walk_packed(struct slg_unpack_stage *stage, struct slg_context *context,
                               bool set, struct slg_text *entry, bool *dropped)
{
    struct slg_json_scan scan = { .at = context->line.at,
                                  .end = context->line.at + context->line.len,
                                  .begin = context->line.at };
    struct flattener f = { .context = context, .scan = scan };
    size_t before = context->item_count;
    bool end = false;

    f.scan.at++;
    if (slg_json_scan_next(&f.scan) == -1)
        return SLG_JSON_ERROR_JSON;
    if (slg_json_scan_next(&f.scan) == '}')
        return NULL;
    while (!end) {
        struct slg_json_value value;
        struct slg_symbol *symbol;
        struct slg_text key;
        const char *error;

        if (!take_key(&f, &key))
            return f.error;
        error = slg_json_scan_value(&f.scan, &value);
        if (error != NULL)
            return error;
        if (value.type == SLG_JSON_STRING && slg_text_equal_to(key, "_entry")) {
            char *out = slg_context_alloc(context, value.text.len + 1);
            size_t len;

            if (out == NULL || !slg_json_unescape(value.text, out, &len))
                return SLG_JSON_ERROR_ESCAPE;
            *entry = slg_text_make(out, len);
        } else if (value.type == SLG_JSON_STRING && set) {
            symbol = packed_target(stage, context, key, before);
            if (symbol != NULL) {
                slg_context_set(context, symbol, label_value(context, value.text, value.escaped));
                *dropped = *dropped || !slg_label_filter_go_on(symbol, context);
            }
        }
        if (!take_separator(&f, &end))
            return f.error;
    }
    return NULL;
}

bool slg_unpack_stage_run(struct slg_unpack_stage *stage, struct slg_context *context)
{
    struct slg_text entry = slg_text_make(NULL, 0);
    bool dropped = false;
    const char *error;

    if (context->line.len == 0 || slg_context_no_labels(context))
        return true;
    if (context->line.at[0] != '{') {
        slg_context_fail(context, ERROR_NAME, "expecting json object(6), but it is not");
        return true;
    }
    error = walk_packed(stage, context, /* set= */ false, &entry, &dropped);
    if (error != NULL) {
        slg_context_fail(context, ERROR_NAME, error);
        return true;
    }
    if (entry.at == NULL)
        return true;
    stage->guess.position = 0;
    (void)walk_packed(stage, context, /* set= */ true, &entry, &dropped); /* it was read before */
    context->line = entry;
    return !dropped;
}
