/* Every decoder of proto/rpc.h over arbitrary bytes: none may crash, over-read or pass its arena's budget; what one
 * accepts is encoded to bytes that decode and encode to themselves. Then the bytes as single values of proto/wire.h.
 * Covers: rpc.c rpc_query.c rpc_repair.c wire.c */
#include "proto/rpc.h"
#include "proto/wire.h"

#define OUT_BYTES_MAX ((size_t)1 << 20)
#define VALUES_MAX    64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Decode and, when that is well, encode to out. Each message has one. */
typedef enum slg_status copy_message(struct slg_arena *arena, const uint8_t *data, size_t size,
                                     struct slg_buf *out);

/* ---- requests ---- */

static enum slg_status copy_hello(struct slg_arena *arena, const uint8_t *data, size_t size,
                                  struct slg_buf *out)
{
    struct slg_rpc_hello hello;
    enum slg_status status = slg_rpc_decode_hello(data, size, &hello);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_hello(out, &hello);
    return status;
}

static enum slg_status copy_store(struct slg_arena *arena, const uint8_t *data, size_t size,
                                  struct slg_buf *out)
{
    const uint8_t *batch;
    size_t batch_len;
    unsigned flags;
    enum slg_status status = slg_rpc_decode_store(data, size, &flags, &batch, &batch_len);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_store(out, flags, batch, batch_len);
    return status;
}

static enum slg_status copy_sets(struct slg_arena *arena, const uint8_t *data, size_t size,
                                 struct slg_buf *out)
{
    struct slg_rpc_sets sets;
    enum slg_status status = slg_rpc_decode_sets(arena, data, size, &sets);

    if (status == SLG_OK)
        slg_rpc_encode_sets(out, &sets);
    return status;
}

static enum slg_status copy_fetch(struct slg_arena *arena, const uint8_t *data, size_t size,
                                  struct slg_buf *out)
{
    struct slg_rpc_fetch fetch;
    enum slg_status status = slg_rpc_decode_fetch(data, size, &fetch);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_fetch(out, &fetch);
    return status;
}

static enum slg_status copy_ensure(struct slg_arena *arena, const uint8_t *data, size_t size,
                                   struct slg_buf *out)
{
    struct slg_rpc_ensure ensure;
    enum slg_status status = slg_rpc_decode_ensure(arena, data, size, &ensure);

    if (status == SLG_OK)
        slg_rpc_encode_ensure(out, &ensure);
    return status;
}

static enum slg_status copy_query(struct slg_arena *arena, const uint8_t *data, size_t size,
                                  struct slg_buf *out)
{
    struct slg_rpc_query query;
    enum slg_status status = slg_rpc_decode_query(arena, data, size, &query);

    if (status == SLG_OK)
        slg_rpc_encode_query(out, &query);
    return status;
}

static enum slg_status copy_next(struct slg_arena *arena, const uint8_t *data, size_t size,
                                 struct slg_buf *out)
{
    uint8_t id[16];
    enum slg_status status = slg_rpc_decode_next(data, size, id);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_next(out, id);
    return status;
}

static enum slg_status copy_cancel(struct slg_arena *arena, const uint8_t *data, size_t size,
                                   struct slg_buf *out)
{
    uint8_t id[16];
    enum slg_status status = slg_rpc_decode_cancel(data, size, id);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_cancel(out, id);
    return status;
}

static enum slg_status copy_streams(struct slg_arena *arena, const uint8_t *data, size_t size,
                                    struct slg_buf *out)
{
    struct slg_rpc_streams streams;
    enum slg_status status = slg_rpc_decode_streams(arena, data, size, &streams);

    if (status == SLG_OK)
        slg_rpc_encode_streams(out, &streams);
    return status;
}

/* ---- replies ---- */

static enum slg_status copy_hello_reply(struct slg_arena *arena, const uint8_t *data, size_t size,
                                        struct slg_buf *out)
{
    struct slg_error error;
    struct slg_rpc_hello hello;
    enum slg_status status = slg_rpc_decode_hello_reply(data, size, &hello, &error);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_hello_reply(out, &hello);
    return status;
}

static enum slg_status copy_store_reply(struct slg_arena *arena, const uint8_t *data, size_t size,
                                        struct slg_buf *out)
{
    struct slg_error error;
    enum slg_store_result result;
    struct slg_text text;
    uint64_t epoch;
    enum slg_status status = slg_rpc_decode_store_reply(data, size, &result, &epoch, &text, &error);
    char *copy;

    if (status != SLG_OK)
        return status;
    if (memchr(text.at, '\0', text.len) != NULL)
        return SLG_MALFORMED; /* encoding takes a text with a NUL at its end only */
    copy = slg_arena_copy(arena, text.at, text.len);
    if (copy == NULL)
        return SLG_LIMIT;
    slg_rpc_encode_store_reply(out, result, epoch, copy);
    return SLG_OK;
}

static enum slg_status copy_sets_reply(struct slg_arena *arena, const uint8_t *data, size_t size,
                                       struct slg_buf *out)
{
    struct slg_error error;
    struct slg_rpc_sets_reply reply;
    enum slg_status status = slg_rpc_decode_sets_reply(arena, data, size, &reply, &error);

    if (status == SLG_OK)
        slg_rpc_encode_sets_reply(out, &reply);
    return status;
}

static enum slg_status copy_fetch_reply(struct slg_arena *arena, const uint8_t *data, size_t size,
                                        struct slg_buf *out)
{
    struct slg_error error;
    struct slg_rpc_fetch_reply reply;
    enum slg_status status = slg_rpc_decode_fetch_reply(arena, data, size, &reply, &error);

    if (status == SLG_OK)
        slg_rpc_encode_fetch_reply(out, &reply);
    return status;
}

static enum slg_status copy_page(struct slg_arena *arena, const uint8_t *data, size_t size,
                                 struct slg_buf *out)
{
    struct slg_error error;
    struct slg_rpc_page page;
    enum slg_status status = slg_rpc_decode_page(data, size, &page, &error);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_page(out, &page);
    return status;
}

static enum slg_status copy_streams_reply(struct slg_arena *arena, const uint8_t *data, size_t size,
                                          struct slg_buf *out)
{
    struct slg_error error;
    struct slg_rpc_stream *streams;
    size_t count;
    bool more;
    enum slg_status status =
        slg_rpc_decode_streams_reply(arena, data, size, &streams, &count, &more, &error);

    if (status == SLG_OK)
        slg_rpc_encode_streams_reply(out, streams, count, more);
    return status;
}

static enum slg_status copy_status_reply(struct slg_arena *arena, const uint8_t *data, size_t size,
                                         struct slg_buf *out)
{
    struct slg_error error;
    struct slg_text text;
    enum slg_status status = slg_rpc_decode_status_reply(data, size, &text, &error);

    (void)arena;
    if (status == SLG_OK)
        slg_rpc_encode_status_reply(out, text.at, text.len);
    return status;
}

static copy_message *const messages[] = {
    copy_hello,       copy_store,      copy_sets,          copy_fetch,
    copy_ensure,      copy_query,      copy_next,          copy_cancel,
    copy_streams,     copy_page,       copy_streams_reply, copy_hello_reply,
    copy_store_reply, copy_sets_reply, copy_fetch_reply,   copy_status_reply,
};

static void check_message(copy_message *copy, struct slg_arena *arena, struct slg_arena *tiny,
                          const uint8_t *data, size_t size)
{
    struct slg_buf first, second;

    slg_buf_init(&first, OUT_BYTES_MAX);
    slg_buf_init(&second, OUT_BYTES_MAX);
    slg_arena_reset(tiny);
    (void)copy(tiny, data, size, &first); /* LIMIT or as it will be with more room */
    slg_arena_reset(arena);
    slg_buf_clear(&first);
    if (copy(arena, data, size, &first) == SLG_OK) {
        SLG_ASSERT(copy(arena, first.data, first.len, &second) == SLG_OK);
        SLG_ASSERT(first.len == second.len);
        SLG_ASSERT(memcmp(first.data, second.data, first.len) == 0);
    }
    slg_buf_fini(&second);
    slg_buf_fini(&first);
}

/* ---- single values ---- */

/* A value that one of the functions takes is written and taken again as itself. */
static void check_numbers(const struct slg_wire_reader *at, struct slg_buf *out)
{
    struct slg_wire_reader r = *at;
    uint64_t whole, whole_again;
    int64_t number, number_again;

    if (slg_wire_take_uint(&r, UINT64_MAX, &whole)) {
        slg_buf_clear(out);
        slg_wire_uint(out, whole);
        r = slg_wire_reader_make(out->data, out->len);
        SLG_ASSERT(slg_wire_take_uint(&r, whole, &whole_again) && slg_wire_done(&r));
        SLG_ASSERT(whole == whole_again);
    }
    r = *at;
    if (slg_wire_take_int(&r, &number)) {
        slg_buf_clear(out);
        slg_wire_int(out, number);
        r = slg_wire_reader_make(out->data, out->len);
        SLG_ASSERT(slg_wire_take_int(&r, &number_again) && slg_wire_done(&r));
        SLG_ASSERT(number == number_again);
    }
}

static void check_others(const struct slg_wire_reader *at, struct slg_buf *out)
{
    struct slg_wire_reader r = *at;
    struct slg_text text, text_again;
    bool yes, yes_again;

    if (slg_wire_take_bool(&r, &yes)) {
        slg_buf_clear(out);
        slg_wire_bool(out, yes);
        slg_wire_uint(out, 0);
        r = slg_wire_reader_make(out->data, out->len);
        SLG_ASSERT(slg_wire_take_bool(&r, &yes_again) && yes == yes_again);
        SLG_ASSERT(!slg_wire_take_bool(&r, &yes_again));
    }
    r = *at;
    if (slg_wire_take_text(&r, OUT_BYTES_MAX / 2, &text)) {
        slg_buf_clear(out);
        slg_wire_text(out, text);
        r = slg_wire_reader_make(out->data, out->len);
        SLG_ASSERT(slg_wire_take_text(&r, text.len, &text_again) && slg_wire_done(&r));
        SLG_ASSERT(slg_text_equal(text, text_again));
    }
}

static void check_values(const uint8_t *data, size_t size)
{
    struct slg_wire_reader r = slg_wire_reader_make(data, size);
    struct slg_buf out;

    slg_buf_init(&out, OUT_BYTES_MAX);
    for (size_t i = 0; i < VALUES_MAX && !slg_wire_done(&r); i++) {
        size_t left = slg_cursor_left(&r.c);
        struct slg_wire_reader inside = r;
        size_t count;

        check_numbers(&r, &out);
        check_others(&r, &out);
        if (slg_wire_take_array(&inside, 1000, &count))
            SLG_ASSERT(count <= slg_cursor_left(&inside.c));
        if (!slg_wire_skip(&r))
            break;
        SLG_ASSERT(slg_cursor_left(&r.c) < left);
    }
    slg_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena = slg_arena_create(OUT_BYTES_MAX);
    struct slg_arena *tiny = slg_arena_create(64);
    struct slg_error error = { 0 };
    enum slg_rpc_type type;
    struct slg_buf out;

    SLG_ASSERT(arena != NULL);
    SLG_ASSERT(tiny != NULL);
    if (slg_rpc_peek(data, size, &type) == SLG_OK)
        SLG_ASSERT(type >= SLG_RPC_HELLO && type <= SLG_RPC_TYPE_LAST);
    for (size_t i = 0; i < SLG_ARRAY_LEN(messages); i++)
        check_message(messages[i], arena, tiny, data, size);
    slg_buf_init(&out, OUT_BYTES_MAX);
    if (slg_rpc_reply_status(data, size, &error) == SLG_OK)
        slg_rpc_encode_done(&out);
    else
        slg_rpc_encode_failure(&out, error.status, error.message);
    SLG_ASSERT(slg_rpc_reply_status(out.data, out.len, &error) == error.status);
    slg_buf_fini(&out);
    check_values(data, size);
    slg_arena_destroy(tiny);
    slg_arena_destroy(arena);
    return 0;
}
