#include "logql/pipe/path.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

enum token { TOKEN_END, TOKEN_FIELD, TOKEN_STRING, TOKEN_INDEX, TOKEN_DOT, TOKEN_LSB, TOKEN_RSB };

struct lexer {
    const char *at, *end;
    bool json; /* else logfmt, which knows fields and strings only */
    struct slg_text text;
    uint64_t index;
    char error[96]; /* the last complaint; "": none */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

/* The character at hand; what is no character is one byte of it. */
static int rune_len(const struct lexer *lexer)
{
    size_t step = 1;

    if (lexer->at == lexer->end)
        return 0;
    (void)slg_utf8_check((const uint8_t *)lexer->at, (size_t)(lexer->end - lexer->at), &step);
    return (int)step;
}

static enum token complain(struct lexer *lexer, const char *about)
{
    (void)snprintf(lexer->error, sizeof(lexer->error), "%s%.*s", about, rune_len(lexer), lexer->at);
    return TOKEN_END;
}

static enum token take_index(struct lexer *lexer)
{
    const char *start = lexer->at;
    bool too_big = false;

    lexer->index = 0;
    for (; lexer->at < lexer->end && is_digit(*lexer->at); lexer->at++) {
        uint64_t digit = (uint64_t)(*lexer->at - '0');

        too_big = too_big || lexer->index > ((uint64_t)INT64_MAX - digit) / 10;
        lexer->index = too_big ? 0 : lexer->index * 10 + digit;
    }
    if (lexer->at < lexer->end && *lexer->at == '.') {
        lexer->at = lexer->end;
        return complain(lexer, "cannot use float as array index");
    }
    if (lexer->at == lexer->end || (!is_blank(*lexer->at) && *lexer->at != ']'))
        return complain(lexer, "non-integer value: ");
    if (!too_big)
        return TOKEN_INDEX;
    (void)snprintf(lexer->error, sizeof(lexer->error),
                   "strconv.Atoi: parsing \"%.*s\": value out of range",
                   (int)(lexer->at - start > 40 ? 40 : lexer->at - start), start);
    return TOKEN_END;
}

/* A string ends at '"', at ']' or with the text. */
static enum token take_string(struct lexer *lexer)
{
    const char *start = ++lexer->at;

    while (lexer->at < lexer->end && *lexer->at != '"' && *lexer->at != ']' && *lexer->at != '\0')
        lexer->at++;
    lexer->text = slg_text_make(start, (size_t)(lexer->at - start));
    lexer->at += lexer->at < lexer->end;
    return TOKEN_STRING;
}

static enum token next_token(struct lexer *lexer)
{
    static const char signs[] = ".[]";
    const char *start, *sign;

    while (lexer->at < lexer->end && is_blank(*lexer->at))
        lexer->at++;
    if (lexer->at == lexer->end || *lexer->at == '\0')
        return TOKEN_END;
    start = lexer->at;
    if (is_letter(*start)) {
        while (lexer->at < lexer->end && (is_letter(*lexer->at) || is_digit(*lexer->at)))
            lexer->at++;
        lexer->text = slg_text_make(start, (size_t)(lexer->at - start));
        return TOKEN_FIELD;
    }
    if (*start == '"')
        return take_string(lexer);
    if (lexer->json && is_digit(*start))
        return take_index(lexer);
    sign = lexer->json ? strchr(signs, *start) : NULL;
    if (sign == NULL)
        return complain(lexer, "unexpected char ");
    lexer->at++;
    return TOKEN_DOT + (enum token)(sign - signs);
}

static void refuse_token(struct lexer *lexer, enum token token, const char *expected)
{
    static const char *const names[] = { "$end", NULL, "STRING", "INDEX", "DOT", "LSB", "RSB" };
    const char *name = token == TOKEN_FIELD ? (lexer->json ? "FIELD" : "KEY") : names[token];

    (void)snprintf(lexer->error, sizeof(lexer->error), "syntax error: unexpected %s%s%s", name,
                   expected == NULL ? "" : ", expecting ", expected == NULL ? "" : expected);
}

static enum slg_status refuse(struct slg_text text, const char *why, struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_INVALID, "cannot parse expression [%.*s]: %s",
                      (int)(text.len > 100 ? 100 : text.len), text.at, why);
}

/* The name or bracket that `token` begins. False: refused. */
static bool take_segment(struct lexer *lexer, enum token token, struct slg_json_segment *segment)
{
    if (token == TOKEN_FIELD) {
        segment->key = lexer->text;
        return true;
    }
    token = next_token(lexer);
    if (token != TOKEN_STRING && token != TOKEN_INDEX) {
        refuse_token(lexer, token, "STRING or INDEX");
        return false;
    }
    segment->is_index = token == TOKEN_INDEX;
    segment->key = lexer->text;
    segment->index = lexer->index;
    token = next_token(lexer);
    if (token != TOKEN_RSB)
        refuse_token(lexer, token, "RSB");
    return token == TOKEN_RSB;
}

/* All segments up to the end. False: refused. */
static bool take_segments(struct lexer *lexer, struct slg_json_segment *segments, size_t *ret_count)
{
    enum token token = next_token(lexer);
    size_t count = 0;

    if (token != TOKEN_FIELD && token != TOKEN_LSB) {
        refuse_token(lexer, token, "LSB or FIELD");
        return false;
    }
    while (token != TOKEN_END) {
        if (token != TOKEN_LSB && token != TOKEN_DOT && count > 0) {
            refuse_token(lexer, token, NULL);
            return false;
        }
        if (token == TOKEN_DOT) {
            token = next_token(lexer);
            if (token != TOKEN_FIELD) {
                refuse_token(lexer, token, "FIELD");
                return false;
            }
        }
        if (count == SLG_JSON_DEPTH_MAX) {
            (void)snprintf(lexer->error, sizeof(lexer->error), "path is too long");
            return false;
        }
        if (!take_segment(lexer, token, &segments[count]))
            return false;
        count++;
        token = next_token(lexer);
    }
    *ret_count = count;
    return lexer->error[0] == '\0';
}

enum slg_status slg_json_path_parse(struct slg_arena *arena, struct slg_text text,
                                    struct slg_json_path *ret_path, struct slg_error *reterr)
{
    struct slg_json_segment *segments =
        slg_arena_calloc(arena, SLG_JSON_DEPTH_MAX, sizeof(segments[0]));
    struct lexer lexer = { .at = text.at, .end = text.at + text.len, .json = true };

    if (segments == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "query needs too much memory to compile");
    if (!take_segments(&lexer, segments, &ret_path->segment_count))
        return refuse(text, lexer.error, reterr);
    ret_path->segments = segments;
    return SLG_OK;
}

enum slg_status slg_logfmt_path_parse(struct slg_text text, struct slg_text *ret_key,
                                      struct slg_error *reterr)
{
    struct lexer lexer = { .at = text.at, .end = text.at + text.len };
    enum token token = next_token(&lexer);

    if (token == TOKEN_END)
        refuse_token(&lexer, token, "STRING or KEY");
    *ret_key = lexer.text;
    for (size_t i = 0; token != TOKEN_END; i++) {
        if (i > 0) {
            *ret_key =
                slg_text_make(text.at, 0); /* parts with spaces between: no line has such a key */
            if (token == TOKEN_FIELD) {
                refuse_token(&lexer, token, NULL);
                break;
            }
        }
        token = next_token(&lexer);
    }
    return lexer.error[0] == '\0' ? SLG_OK : refuse(text, lexer.error, reterr);
}
