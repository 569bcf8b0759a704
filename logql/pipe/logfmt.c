#include "logql/pipe/logfmt.h"

#include <string.h>

#include "base/utf8.h"
#include "logql/pipe/json.h"
#include "logql/pipe/json_scan.h"
#include "logql/pipe/label_filter.h"
#include "logql/pipe/wide.h"

/* ---- the decoder ---- */

void slg_logfmt_decoder_init(struct slg_logfmt_decoder *decoder, struct slg_text line)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->line = line;
}

static bool fail_at(struct slg_logfmt_decoder *decoder, const char *error, char byte)
{
    decoder->error = error;
    decoder->error_at = decoder->at + 1;
    decoder->error_byte = byte;
    return false;
}

/* After an unexpected byte: go on behind the next space. */
static bool skip_pair(struct slg_logfmt_decoder *decoder, const char *error, char byte)
{
    const char *line = decoder->line.at;
    size_t at;

    (void)fail_at(decoder, error, byte);
    for (at = decoder->at; at < decoder->line.len && (unsigned char)line[at] > ' '; at++)
        continue;
    decoder->at = at;
    return false;
}

/* U+FFFD in the key, or a byte that decodes to it. */
static bool has_bad_rune(struct slg_text text)
{
    if (slg_wide_is_ascii(text.at, text.len))
        return false;
    for (size_t i = 0, step; i < text.len; i += step) {
        uint32_t rune;

        if (!slg_utf8_decode((const uint8_t *)text.at + i, text.len - i, &rune, &step) ||
            rune == 0xFFFD)
            return true;
    }
    return false;
}

static bool take_quoted(struct slg_logfmt_decoder *decoder)
{
    struct slg_json_scan scan = { .at = decoder->line.at + decoder->at,
                                  .end = decoder->line.at + decoder->line.len,
                                  .begin = decoder->line.at };

    if (slg_json_scan_string(&scan, &decoder->value, &decoder->value_escaped)) {
        decoder->at = (size_t)(scan.at - decoder->line.at);
        return true;
    }
    decoder->value = slg_text_make(NULL, 0);
    decoder->at = decoder->line.len;
    return fail_at(decoder, "unterminated quoted value", 0);
}

static bool take_value(struct slg_logfmt_decoder *decoder)
{
    const char *line = decoder->line.at;
    size_t start, i;

    decoder->at++; /* '=' */
    if (decoder->at >= decoder->line.len || (unsigned char)line[decoder->at] <= ' ')
        return true;
    if (line[decoder->at] == '"')
        return take_quoted(decoder);
    start = decoder->at;
    i = slg_wide_find_logfmt_stop(line, start, decoder->line.len);
    if (i < decoder->line.len && (unsigned char)line[i] > ' ') {
        decoder->at = i;
        return skip_pair(decoder, "unexpected", line[i]);
    }
    decoder->value = slg_text_make(line + start, i - start);
    decoder->at = i;
    return true;
}

bool slg_logfmt_decoder_next(struct slg_logfmt_decoder *decoder, struct slg_text guess)
{
    const char *line = decoder->line.at;
    size_t at = decoder->at, start;
    char stop = ' ';

    decoder->key = decoder->value = slg_text_make(NULL, 0);
    decoder->value_escaped = false;
    while (at < decoder->line.len && (unsigned char)line[at] <= ' ')
        at++;
    decoder->at = start = at;
    if (at == decoder->line.len)
        return false;
    /* A key has no byte that ends keys, so if it and '=' stand here, it is the key. */
    if (guess.len > 0 && decoder->line.len - at > guess.len && line[at + guess.len] == '=' &&
        slg_wide_begins(line + at, decoder->line.len - at, guess.at, guess.len)) {
        decoder->key = guess;
        decoder->at = at + guess.len;
        return take_value(decoder);
    }
    at = slg_wide_find_logfmt_stop(line, at, decoder->line.len);
    if (at < decoder->line.len)
        stop = line[at];
    decoder->at = at;
    if (at < decoder->line.len && stop == '"')
        return skip_pair(decoder, "unexpected", '"');
    decoder->key = slg_text_make(line + start, at - start);
    if (has_bad_rune(decoder->key)) {
        if (at < decoder->line.len && stop == '=')
            return skip_pair(decoder, "invalid key", 0);
        return fail_at(decoder, "invalid key", 0);
    }
    if (at == decoder->line.len || stop != '=')
        return true;
    if (decoder->key.len == 0)
        return skip_pair(decoder, "unexpected", '=');
    return take_value(decoder);
}

bool slg_logfmt_unquote(struct slg_text value, char *out, size_t *ret_len)
{
    size_t len = 0;

    for (size_t i = 0, step; i < value.len; i += step) {
        const char *at = value.at + i;
        uint8_t utf8[4];
        size_t utf8_len;

        step = 1;
        if (*at == '\\' && i + 1 < value.len && at[1] == '\'') {
            out[len++] = '\'';
            step = 2;
        } else if (*at == '\\') {
            step = slg_json_escape(at, value.len - i, utf8, &utf8_len);
            if (step == 0)
                return false;
            memcpy(out + len, utf8, utf8_len);
            len += utf8_len;
        } else if ((unsigned char)*at < 0x80) {
            out[len++] = *at;
        } else if (slg_utf8_check((const uint8_t *)at, value.len - i, &step)) {
            memcpy(out + len, at, step);
            len += step;
        } else {
            step = 1;
            memcpy(out + len, "\357\277\275", 3);
            len += 3;
        }
    }
    *ret_len = len;
    return true;
}

/* ---- the stage ---- */

static enum slg_status create_expression(struct slg_context *context,
                                         const struct slg_logql_extraction *from,
                                         struct slg_logfmt_expression *ret,
                                         struct slg_error *reterr)
{
    struct slg_text key;
    enum slg_status status =
        slg_logfmt_path_parse(slg_text_make(from->path.ptr, from->path.len), &key, reterr);

    if (status != SLG_OK)
        return status;
    ret->key = slg_context_static_symbol(context, key);
    ret->symbol =
        slg_context_static_symbol(context, slg_text_make(from->label.ptr, from->label.len));
    return ret->symbol == NULL || ret->key == NULL
               ? slg_errorf(reterr, SLG_LIMIT, "query needs too much memory")
               : SLG_OK;
}

/* Of expressions with the same label the last one is in force. */
static void append_expression(struct slg_logfmt_stage *stage,
                              const struct slg_logfmt_expression *expression)
{
    size_t i = 0;

    while (i < stage->expression_count && stage->expressions[i].symbol != expression->symbol)
        i++;
    stage->expressions[i] = *expression;
    stage->expression_count += i == stage->expression_count;
}

enum slg_status slg_logfmt_stage_create(struct slg_context *context,
                                        const struct slg_logql_stage *from,
                                        struct slg_logfmt_stage **ret_stage,
                                        struct slg_error *reterr)
{
    struct slg_logfmt_stage *stage = slg_arena_calloc(context->static_arena, 1, sizeof(*stage));

    if (stage == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    stage->strict = from->strict;
    stage->keep_empty = from->keep_empty;
    stage->expressions = slg_arena_calloc(context->static_arena, from->extraction_count,
                                          sizeof(stage->expressions[0]));
    if (stage->expressions == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    for (size_t i = 0; i < from->extraction_count; i++) {
        struct slg_logfmt_expression expression;
        enum slg_status status =
            create_expression(context, &from->extractions[i], &expression, reterr);

        if (status != SLG_OK)
            return status;
        append_expression(stage, &expression);
    }
    *ret_stage = stage;
    return SLG_OK;
}

/* The value as a label: escapes resolved, what is not UTF-8 becomes a space (Loki: U+FFFD is not allowed in labels;
 * with expressions the value becomes empty instead). False: a malformed escape. */
static bool finish_value(struct slg_context *context, struct slg_logfmt_decoder *decoder)
{
    char *out;
    size_t len;

    out = slg_context_alloc(context, decoder->value.len * 3 + 1);
    if (out == NULL)
        return false;
    if (!slg_logfmt_unquote(decoder->value, out, &len))
        return fail_at(decoder, "invalid quoted value", 0);
    decoder->value = slg_text_make(out, len);
    return true;
}

static bool take_next(struct slg_context *context, struct slg_logfmt_decoder *decoder,
                      struct slg_text guess)
{
    return slg_logfmt_decoder_next(decoder, guess) &&
           (!decoder->value_escaped || finish_value(context, decoder));
}

/* The common case of the next pair, without calls: the guessed key and a plain value. False: not that case, and nothing
 * was taken. */
static inline bool take_guessed(struct slg_logfmt_decoder *decoder, struct slg_text guess)
{
    const char *line = decoder->line.at;
    size_t len = decoder->line.len, at = decoder->at, start, end;

    at += at < len && line[at] == ' ';
    start = at + guess.len + 1;
    if (guess.len == 0 || start >= len || line[start - 1] != '=' || line[start] == '"' ||
        !slg_wide_begins(line + at, len - at, guess.at, guess.len))
        return false;
    end = slg_wide_find_logfmt_stop(line, start, len);
    if (end < len && line[end] != ' ')
        return false;
    decoder->key = guess;
    decoder->value = slg_text_make(line + start, end - start);
    decoder->value_escaped = false;
    decoder->at = end;
    return true;
}

/* The next pair with its value finished. */
static inline bool next_pair(struct slg_logfmt_stage *stage, struct slg_context *context,
                             struct slg_logfmt_decoder *decoder)
{
    struct slg_text guess = slg_context_key_guess(context, &stage->guess);

    return take_guessed(decoder, guess) || take_next(context, decoder, guess);
}

static void report(struct slg_context *context, const struct slg_logfmt_decoder *decoder)
{
    char *text = slg_context_alloc(context, 96);

    if (text == NULL)
        return;
    if (decoder->error_byte != 0)
        (void)snprintf(text, 96, "logfmt syntax error at pos %zu : unexpected '%c'",
                       decoder->error_at, decoder->error_byte);
    else
        (void)snprintf(text, 96, "logfmt syntax error at pos %zu : %s", decoder->error_at,
                       decoder->error);
    slg_context_fail(context, "LogfmtParserErr", text);
}

static bool run_all(struct slg_logfmt_stage *stage, struct slg_context *context)
{
    struct slg_logfmt_decoder decoder;

    /* Without --strict there are no errors that could be missed. */
    if (!stage->strict && slg_context_lacks_required(context))
        return true;
    slg_logfmt_decoder_init(&decoder, context->line);
    stage->guess.position = 0;
    while (!slg_logfmt_decoder_done(&decoder)) {
        struct slg_symbol *raw, *target;

        if (!next_pair(stage, context, &decoder)) {
            if (stage->strict)
                break;
            continue;
        }
        if (decoder.value.len == 0 && !stage->keep_empty)
            continue;
        raw = slg_context_guessed_key(context, &stage->guess, decoder.key);
        target = raw == NULL ? NULL : slg_context_wanted(context, slg_context_clean(context, raw));
        if (context->exhausted)
            return true;
        if (target == NULL)
            continue;
        if (decoder.value_escaped || !slg_context_line_is_ascii(context))
            decoder.value = slg_json_printable(context, decoder.value, decoder.value_escaped);
        slg_context_set_wanted(context, target, decoder.value);
        if (!slg_label_filter_go_on(target, context))
            return false;
        if (slg_context_all_found(context))
            break;
    }
    if (stage->strict && decoder.error != NULL)
        report(context, &decoder);
    return true;
}

/* ---- expressions ---- */

static const struct slg_logfmt_expression *find_expression(const struct slg_logfmt_stage *stage,
                                                           const struct slg_symbol *key)
{
    for (size_t i = 0; i < stage->expression_count; i++)
        if (stage->expressions[i].key == key)
            return &stage->expressions[i];
    /* Loki also takes a key that is the name of one of the labels. */
    for (size_t i = 0; i < stage->expression_count; i++)
        if (stage->expressions[i].symbol == key)
            return &stage->expressions[i];
    return NULL;
}

static bool is_label(const struct slg_logfmt_stage *stage, const struct slg_symbol *symbol)
{
    for (size_t i = 0; i < stage->expression_count; i++)
        if (stage->expressions[i].symbol == symbol)
            return true;
    return false;
}

/* Loki takes no value with U+FFFD or with what is no UTF-8 here. */
static bool is_clean(struct slg_context *context, const struct slg_logfmt_decoder *decoder)
{
    struct slg_text value = decoder->value;

    return (!decoder->value_escaped && slg_context_line_is_ascii(context)) ||
           slg_json_printable(context, value, decoder->value_escaped).at == value.at;
}

static bool name_taken(struct slg_context *context, struct slg_symbol *symbol)
{
    struct slg_text value;

    return slg_context_stream_has(context, symbol) ||
           (slg_context_get(context, symbol, &value) &&
            slg_context_category(context, symbol) == SLG_PIPE_CATEGORY_METADATA);
}

static void run_expressions(struct slg_logfmt_stage *stage, struct slg_context *context)
{
    struct slg_logfmt_decoder decoder;

    for (size_t i = 0; i < stage->expression_count; i++)
        if (!name_taken(context, stage->expressions[i].symbol))
            slg_context_set(context, stage->expressions[i].symbol, slg_text_make(NULL, 0));
    slg_logfmt_decoder_init(&decoder, context->line);
    stage->guess.position = 0;
    while (!slg_logfmt_decoder_done(&decoder)) {
        const struct slg_logfmt_expression *expression;
        struct slg_symbol *symbol;

        if (!next_pair(stage, context, &decoder)) {
            if (stage->strict)
                break;
            continue;
        }
        symbol = slg_context_guessed_key(context, &stage->guess, decoder.key);
        symbol = symbol == NULL ? NULL : slg_context_clean(context, symbol);
        if (symbol == NULL)
            return;
        /* Loki asks its hints for the key, which nobody needs, not for the label: `sum by (s) (.. | logfmt
         * s="status" ..)` finds no s. */
        if (context->required_count > 0 && !symbol->required && !is_label(stage, symbol))
            continue;
        expression = find_expression(stage, symbol);
        if (expression == NULL)
            continue;
        symbol = slg_context_suffixed(context, expression->symbol);
        if (symbol == NULL)
            return;
        slg_context_set(context, symbol,
                        is_clean(context, &decoder) ? decoder.value : slg_text_make(NULL, 0));
    }
    if (stage->strict && decoder.error != NULL)
        report(context, &decoder);
}

bool slg_logfmt_stage_run(struct slg_logfmt_stage *stage, struct slg_context *context)
{
    if (slg_context_no_labels(context))
        return true;
    if (stage->expression_count == 0)
        return run_all(stage, context);
    run_expressions(stage, context);
    return true;
}
