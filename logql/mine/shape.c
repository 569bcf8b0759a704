#include "logql/mine/shape.h"

#include "base/utf8.h"

/* Bytes of white space and punctuation that end a token. */
static bool is_separator(char byte)
{
    switch (byte) {
    case ' ':
    case '\t':
    case '\r':
    case '\n':
    case '!':
    case '"':
    case '#':
    case '$':
    case '%':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case ',':
    case ';':
    case '<':
    case '=':
    case '>':
    case '?':
    case '@':
    case '[':
    case '\\':
    case ']':
    case '^':
    case '`':
    case '{':
    case '|':
    case '}':
    case '~':
        return true;
    default:
        return false;
    }
}

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Length of the token that begins text, whose first byte is no separator. */
static size_t token_length(struct slg_text text)
{
    size_t len = 1;

    while (len < text.len && !is_separator(text.at[len]))
        len++;
    if (len > 1 && len < text.len && text.at[len - 1] == ':' && text.at[len] == ' ')
        len--;
    return len;
}

static bool is_text(struct slg_text token)
{
    for (size_t at = 0; at < token.len;) {
        size_t step = 1;

        if ((unsigned char)token.at[at] < ' ' || token.at[at] == 0x7F)
            return false;
        if (!slg_utf8_check((const uint8_t *)token.at + at, token.len - at, &step))
            return false;
        at += step;
    }
    return true;
}

static bool has_digit(struct slg_text token)
{
    for (size_t i = 0; i < token.len; i++)
        if (token.at[i] >= '0' && token.at[i] <= '9')
            return true;
    return false;
}

/* ---- building ---- */

struct builder {
    struct slg_shape *shape;
    size_t len; /* of the key */
    size_t token_count;
    size_t pieces;
};

static void put_byte(struct builder *b, char byte)
{
    SLG_ASSERT(b->len < SLG_SHAPE_KEY_BYTES_MAX);
    b->shape->scratch[b->len++] = byte;
}

static void put_slot(struct builder *b, struct slg_text value)
{
    SLG_ASSERT(b->shape->slot_count < SLG_SHAPE_KEY_TOKENS_MAX);
    b->shape->slots[b->shape->slot_count++] = value;
    put_byte(b, SLG_SHAPE_SLOT);
}

/* before, after: the bytes around the token, 0 at an end of the line. */
static void put_token(struct builder *b, struct slg_text token, char before, char after)
{
    b->token_count++;
    b->pieces++;
    if (token.len > SLG_SHAPE_SLOT_BYTES_MAX || (before == '<' && after == '>') ||
        !is_text(token)) {
        put_slot(b, slg_text_make(NULL, 0));
    } else if (before == '@' || after == '@' || has_digit(token)) {
        put_slot(b, token);
    } else {
        memcpy(b->shape->scratch + b->len, token.at, token.len);
        b->len += token.len;
    }
}

/* Tokens and separators of text; where it is cut for a limit, a hole for the rest. Returns whether it was cut. */
static bool put_text(struct builder *b, struct slg_text text)
{
    size_t end = text.len < SLG_SHAPE_LINE_BYTES_MAX ? text.len : SLG_SHAPE_LINE_BYTES_MAX;
    size_t at = 0;

    while (at < end) {
        size_t len;

        if (is_separator(text.at[at])) {
            b->pieces += !is_space(text.at[at]);
            put_byte(b, text.at[at++]);
            continue;
        }
        len = token_length(slg_text_make(text.at + at, text.len - at));
        /* A cut is behind a separator: there must be room for a ':' and a space. */
        if ((text.len > end && at + len + 2 > end) || b->token_count == SLG_SHAPE_TOKEN_COUNT_MAX)
            break;
        put_token(b, slg_text_make(text.at + at, len), at == 0 ? '\0' : text.at[at - 1],
                  at + len == text.len ? '\0' : text.at[at + len]);
        at += len;
        if (at < text.len && text.at[at] == ':') /* the one that token_length left */
            put_byte(b, text.at[at++]);
    }
    if (at == text.len)
        return false;
    put_slot(b, slg_text_make(NULL, 0));
    return true;
}

/* ---- JSON ---- */

static const char *find(struct slg_text text, const char *what, size_t len)
{
    return memmem(text.at, text.len, what, len);
}

/* Is `"name": "` at the start of text? Its length, else 0. */
static size_t member_head(struct slg_text text, size_t quoted_len)
{
    size_t at = quoted_len;

    while (at < text.len && is_space(text.at[at]))
        at++;
    if (at == text.len || text.at[at++] != ':')
        return 0;
    while (at < text.len && is_space(text.at[at]))
        at++;
    return at < text.len && text.at[at] == '"' ? at + 1 : 0;
}

/* From the quote before the name of the message's member to the one behind its value. */
static bool find_message(struct slg_text line, struct slg_text *ret_member)
{
    /* Loki's pattern_ingester_tokenizable_json_fields_default, in quotes. */
    static const char *const names[] = { "\"log\"",  "\"message\"", "\"msg\"",
                                         "\"msg_\"", "\"_msg\"",    "\"content\"" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);
        const char *at = find(line, names[i], len);
        struct slg_text member;
        size_t head;

        if (at == NULL)
            continue;
        member = slg_text_make(at, line.len - (size_t)(at - line.at));
        if (find(slg_text_make(at + len, member.len - len), names[i], len) != NULL)
            continue;
        head = member_head(member, len);
        if (head == 0)
            continue;
        for (size_t end = head; end < member.len; end++) {
            if (member.at[end] == '\\')
                end++;
            else if (member.at[end] == '"') {
                *ret_member = slg_text_make(at, end + 1);
                return true;
            }
        }
    }
    return false;
}

bool slg_shape_of(struct slg_text line, struct slg_shape *ret_shape)
{
    struct builder b = { .shape = ret_shape };
    struct slg_text member;

    ret_shape->slot_count = 0;
    if (line.len > 0 && line.at[0] == '{' && find_message(line, &member)) {
        put_slot(&b, slg_text_make(NULL, 0));
        if (!put_text(&b, member) && member.at + member.len < line.at + line.len)
            put_slot(&b, slg_text_make(NULL, 0));
    } else {
        (void)put_text(&b, line); /* cut or not, the shape is whole */
    }
    ret_shape->key = slg_text_make(ret_shape->scratch, b.len);
    return b.pieces >= SLG_SHAPE_PIECES_MIN;
}

bool slg_shape_tokens(struct slg_text key, struct slg_text *tokens, size_t *ret_count)
{
    size_t count = 0;

    for (size_t at = 0; at < key.len;) {
        size_t len;

        if (is_separator(key.at[at])) {
            at++;
            continue;
        }
        len = token_length(slg_text_make(key.at + at, key.len - at));
        if (count == SLG_SHAPE_KEY_TOKENS_MAX ||
            (len > 1 && memchr(key.at + at, SLG_SHAPE_SLOT, len) != NULL))
            return false;
        tokens[count++] = slg_text_make(key.at + at, len);
        at += len;
        if (at + 1 < key.len && key.at[at] == ':' && key.at[at + 1] == ' ')
            at++;
    }
    *ret_count = count;
    return true;
}
