/* Functions of templates: base64, URLs, HTML and JavaScript. */
#include <string.h>

#include "base/bytes.h"
#include "logql/pipe/template_function.h"

static const char base64_letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static bool fn_b64enc(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = slg_call_text(call, 0);

    for (size_t i = 0; i < text.len && !builder.failed; i += 3) {
        size_t left = text.len - i;
        uint32_t block = (uint32_t)(uint8_t)text.at[i] << 16;
        char out[4];

        if (left > 1)
            block |= (uint32_t)(uint8_t)text.at[i + 1] << 8;
        if (left > 2)
            block |= (uint8_t)text.at[i + 2];
        for (int k = 0; k < 4; k++)
            out[k] = base64_letters[block >> (18 - 6 * k) & 63];
        if (left < 3)
            out[3] = '=';
        if (left < 2)
            out[2] = '=';
        slg_builder_append(&builder, out, 4);
    }
    return slg_call_give_builder(call, &builder);
}

/* Padding may be missing; rubbish gives Go's error text as the value. Line ends are skipped, as there. */
static bool fn_b64dec(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = slg_call_text(call, 0);
    uint32_t block = 0;
    int bits = 0;
    size_t padding = 0;

    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        const char *found = text.at[i] == '\0' ? NULL : strchr(base64_letters, text.at[i]);
        uint8_t byte;

        if (text.at[i] == '\n' || text.at[i] == '\r')
            continue;
        if (text.at[i] == '=' && bits != 0 && padding < 2) {
            padding++;
            continue;
        }
        if (found == NULL || padding > 0) {
            char error[64];
            char *copy;
            int len = snprintf(error, sizeof(error), "illegal base64 data at input byte %zu", i);

            if (!slg_run_alloc(call->run, (size_t)len + 1, &copy))
                return false;
            memcpy(copy, error, (size_t)len);
            return slg_call_give_text(call, copy, (size_t)len);
        }
        block = block << 6 | (uint32_t)(found - base64_letters);
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        byte = (uint8_t)(block >> bits);
        slg_builder_append(&builder, &byte, 1);
    }
    return slg_call_give_builder(call, &builder);
}

static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == '~';
}

static void append_urlencoded(struct slg_builder *builder, struct slg_text text)
{
    for (size_t i = 0; i < text.len && !builder->failed; i++) {
        char hex[4];

        if (is_unreserved(text.at[i]))
            slg_builder_append(builder, text.at + i, 1);
        else if (text.at[i] == ' ')
            slg_builder_append(builder, "+", 1);
        else
            slg_builder_append(builder, hex,
                               (size_t)snprintf(hex, sizeof(hex), "%%%02X", (uint8_t)text.at[i]));
    }
}

static bool fn_urlencode(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };

    append_urlencoded(&builder, slg_call_text(call, 0));
    return slg_call_give_builder(call, &builder);
}

static bool fn_urldecode(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text = slg_call_text(call, 0);

    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        char c = text.at[i];

        if (c == '%') {
            size_t left = text.len - i;

            if (left < 3 || slg_bytes_hex_value(text.at[i + 1]) < 0 ||
                slg_bytes_hex_value(text.at[i + 2]) < 0)
                return slg_run_fail(call->run, "invalid URL escape \"%.*s\"",
                                    (int)(left < 3 ? left : 3), text.at + i);
            c = (char)(slg_bytes_hex_value(text.at[i + 1]) * 16 +
                       slg_bytes_hex_value(text.at[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        slg_builder_append(&builder, &c, 1);
    }
    return slg_call_give_builder(call, &builder);
}

/* Arguments of html, js, urlquery: one text as it is, else as print would. */
static bool join_arguments(struct slg_call *call, struct slg_text *ret)
{
    struct slg_call print = *call;
    struct slg_value value;

    print.ret = &value;
    if (call->count == 1 && call->arguments[0].kind == SLG_VALUE_STRING) {
        *ret = call->arguments[0].text;
        return true;
    }
    if (call->count == 1 && call->arguments[0].kind == SLG_VALUE_NIL) {
        *ret = slg_text_of("<no value>");
        return true;
    }
    if (!slg_value_print(&print))
        return false;
    *ret = value.text;
    return true;
}

static bool fn_urlquery(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text;

    if (!join_arguments(call, &text))
        return false;
    append_urlencoded(&builder, text);
    return slg_call_give_builder(call, &builder);
}

static bool fn_html(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text;

    if (!join_arguments(call, &text))
        return false;
    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        switch (text.at[i]) {
        case '"':
            slg_builder_text(&builder, "&#34;");
            break;
        case '\'':
            slg_builder_text(&builder, "&#39;");
            break;
        case '&':
            slg_builder_text(&builder, "&amp;");
            break;
        case '<':
            slg_builder_text(&builder, "&lt;");
            break;
        case '>':
            slg_builder_text(&builder, "&gt;");
            break;
        case '\0':
            slg_builder_text(&builder, "\357\277\275");
            break;
        default:
            slg_builder_append(&builder, text.at + i, 1);
            break;
        }
    }
    return slg_call_give_builder(call, &builder);
}

/* template.JSEscape */
static bool fn_js(struct slg_call *call)
{
    struct slg_builder builder = { .run = call->run };
    struct slg_text text;

    if (!join_arguments(call, &text))
        return false;
    for (size_t i = 0; i < text.len && !builder.failed; i++) {
        unsigned char c = (unsigned char)text.at[i];
        char escape[8];

        if (c == '\\' || c == '\'' || c == '"') {
            escape[0] = '\\';
            escape[1] = (char)c;
            slg_builder_append(&builder, escape, 2);
        } else if (c == '<' || c == '>' || c == '&' || c == '=' || c < 0x20) {
            slg_builder_append(&builder, escape,
                               (size_t)snprintf(escape, sizeof(escape), "\\u%04X", c));
        } else {
            slg_builder_append(&builder, text.at + i, 1);
        }
    }
    return slg_call_give_builder(call, &builder);
}

/* ---- the table ---- */

static const struct slg_template_function functions[] = {
    /* Go's own. */
    { "html", "a*", fn_html },
    { "js", "a*", fn_js },
    { "urlquery", "a*", fn_urlquery },
    /* Loki's. */
    { "urldecode", "s", fn_urldecode },
    { "urlencode", "s", fn_urlencode },
    /* sprig's, as far as Loki allows them. */
    { "b64enc", "s", fn_b64enc },
    { "b64dec", "s", fn_b64dec },
};

const struct slg_template_family slg_template_encodings = { functions, SLG_ARRAY_LEN(functions) };
