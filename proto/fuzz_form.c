/* Arbitrary forms: every pair ends, the texts are no longer than what they came from and end in a NUL; any bytes that
 * are percent-encoded come back. The first byte is the size of the arena, so that its end is met too. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/status.h"
#include "proto/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_all(struct slg_arena *arena, const uint8_t *data, size_t size)
{
    struct slg_text form = slg_text_make(data, size), name, value;
    size_t left = size;

    while (slg_form_next(arena, &form, &name, &value)) {
        SLG_ASSERT(form.len < left);
        SLG_ASSERT(name.len + value.len <= left - form.len);
        SLG_ASSERT(name.at[name.len] == '\0');
        SLG_ASSERT(value.at[value.len] == '\0');
        left = form.len;
    }
    SLG_ASSERT(form.len == 0);
}

static void check_round_trip(const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    struct slg_arena *arena = slg_arena_create((size_t)1 << 20);
    struct slg_text form, name, value;
    struct slg_buf out;

    SLG_ASSERT(arena != NULL);
    slg_buf_init(&out, size * 3 + 16);
    slg_buf_append_text(&out, "na+me=");
    for (size_t i = 0; i < size; i++) {
        slg_buf_append_byte(&out, '%');
        slg_buf_append_byte(&out, (uint8_t)digits[data[i] >> 4]);
        slg_buf_append_byte(&out, (uint8_t)digits[(data[i] & 15) + ((data[i] & 15) > 9 ? 6 : 0)]);
    }
    form = slg_text_make(out.data, out.len);
    SLG_ASSERT(slg_form_next(arena, &form, &name, &value));
    SLG_ASSERT(slg_text_equal_to(name, "na me"));
    SLG_ASSERT(value.len == size);
    SLG_ASSERT(size == 0 || memcmp(value.at, data, size) == 0);
    slg_buf_fini(&out);
    slg_arena_destroy(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena;

    if (size == 0)
        return 0;
    arena = slg_arena_create(data[0] == 255 ? (size_t)1 << 20 : (size_t)data[0] * 16 + 16);
    SLG_ASSERT(arena != NULL);
    take_all(arena, data + 1, size - 1);
    slg_arena_destroy(arena);
    if (size <= 65536)
        check_round_trip(data, size);
    return 0;
}
