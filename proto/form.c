#include "proto/form.h"

#include "base/bytes.h"

static struct slg_text decode(struct slg_arena *arena, const char *text, size_t len)
{
    char *out = slg_arena_alloc(arena, len + 1);
    size_t out_len = 0;

    if (out == NULL)
        return slg_text_make("", 0);
    for (size_t i = 0; i < len; i++) {
        int high = i + 2 < len ? slg_bytes_hex_value(text[i + 1]) : -1;
        int low = i + 2 < len ? slg_bytes_hex_value(text[i + 2]) : -1;

        if (text[i] == '%' && high >= 0 && low >= 0) {
            out[out_len++] = (char)(high * 16 + low);
            i += 2;
        } else {
            out[out_len++] = text[i] == '+' ? ' ' : text[i];
        }
    }
    out[out_len] = '\0';
    return slg_text_make(out, out_len);
}

bool slg_form_next(struct slg_arena *arena, struct slg_text *form, struct slg_text *ret_name,
                   struct slg_text *ret_value)
{
    while (form->len > 0) {
        const char *pair = form->at;
        const char *amp = memchr(pair, '&', form->len);
        size_t len = amp == NULL ? form->len : (size_t)(amp - pair);
        size_t taken = len + (amp != NULL);
        const char *equal = len == 0 ? NULL : memchr(pair, '=', len);
        size_t name_len = equal == NULL ? len : (size_t)(equal - pair);

        *form = slg_text_make(pair + taken, form->len - taken);
        if (len == 0)
            continue;
        *ret_name = decode(arena, pair, name_len);
        *ret_value =
            equal == NULL ? slg_text_make("", 0) : decode(arena, equal + 1, len - name_len - 1);
        return true;
    }
    return false;
}
