/* Label texts and canonical bytes: what parses prints to a text that parses to the same set; what decodes encodes to
 * the same bytes.
 * Covers: label.c label_text.c */
#include "base/assert.h"
#include "proto/label.h"
#include "proto/limits.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_same(const struct slg_label_set *a, const struct slg_label_set *b)
{
    SLG_ASSERT(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        SLG_ASSERT(slg_text_equal(a->items[i].name, b->items[i].name));
        SLG_ASSERT(slg_text_equal(a->items[i].value, b->items[i].value));
    }
}

static void try_text(struct slg_arena *arena, const uint8_t *data, size_t size)
{
    struct slg_label_set set, again, decoded;
    struct slg_error error;
    struct slg_buf out, bytes;

    if (slg_label_parse(arena, slg_text_make(data, size), &set, &error) != SLG_OK)
        return;
    slg_buf_init(&out, (size_t)1 << 20);
    slg_label_print(&out, &set);
    SLG_ASSERT(slg_label_parse(arena, slg_text_make(out.data, out.len), &again, &error) == SLG_OK);
    check_same(&set, &again);
    slg_buf_init(&bytes, SLG_LABEL_SET_BYTES_MAX);
    slg_label_encode(&bytes, &set);
    SLG_ASSERT(slg_label_decode(arena, bytes.data, bytes.len, &decoded) == SLG_OK);
    check_same(&set, &decoded);
    slg_buf_clear(&out);
    slg_label_print_json(&out, &set);
    slg_buf_fini(&bytes);
    slg_buf_fini(&out);
}

static void try_bytes(struct slg_arena *arena, const uint8_t *data, size_t size)
{
    enum slg_status status;
    struct slg_label_set set;
    struct slg_stream_id id;
    struct slg_text value;
    struct slg_buf out;

    status = slg_label_decode(arena, data, size, &set);
    SLG_ASSERT((status == SLG_OK) == slg_label_canonical_valid(data, size));
    if (status != SLG_OK)
        return;
    id = slg_stream_id_of(slg_text_of("t"), data, size);
    SLG_ASSERT(slg_stream_slot(&id, 7) < 7);
    for (size_t i = 0; i < set.count; i++) {
        SLG_ASSERT(slg_label_get(&set, set.items[i].name, &value));
        SLG_ASSERT(slg_text_equal(value, set.items[i].value));
    }
    slg_buf_init(&out, SLG_LABEL_SET_BYTES_MAX);
    slg_label_encode(&out, &set);
    SLG_ASSERT(out.len == size && memcmp(out.data, data, size) == 0);
    slg_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena = slg_arena_create((size_t)4 << 20);

    SLG_ASSERT(arena != NULL);
    try_text(arena, data, size);
    try_bytes(arena, data, size);
    slg_arena_destroy(arena);
    return 0;
}
