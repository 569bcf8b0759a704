#include "storer/scan_batch.h"

static enum slg_status no_memory(struct slg_error *reterr)
{
    return slg_errorf(reterr, SLG_NO_MEMORY, "no memory to open a batch");
}

/* The prepared stream of each row of the batch's stream table. */
static enum slg_status find_streams(const struct slg_scan_wish *wish, struct slg_scan_batch *batch,
                                    struct slg_error *reterr)
{
    const struct slg_batch_header *header = &batch->view->header;

    batch->streams = slg_arena_calloc(batch->arena, header->stream_count, sizeof(*batch->streams));
    if (batch->streams == NULL)
        return no_memory(reterr);
    for (uint32_t i = 0; i < header->stream_count; i++) {
        const struct slg_stream_map_slot *slot =
            slg_stream_map_find(wish->streams, &header->streams[i].id);

        if (slot == NULL) /* the shard's stream table was read before and must have had it */
            return slg_errorf(reterr, SLG_CORRUPT,
                              "a batch has a stream that its shard does not list");
        batch->streams[i] = slot->stream;
    }
    return SLG_OK;
}

/* Index of the line that holds the byte at offset: the last with line_offset <= offset that is not empty. */
static uint32_t line_at(const struct slg_batch_view *view, uint32_t low, size_t offset)
{
    uint32_t high = view->header.entry_count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (view->line_offset[middle + 1] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Mark the lines that hold the literal; false when there is none. A hit across two lines is not one. */
static bool mark_lines(const struct slg_batch_view *view, const struct slg_needle *literal,
                       uint8_t *marks)
{
    size_t end = view->line_offset[view->header.entry_count];
    size_t at = 0;
    uint32_t line = 0;
    bool any = false;

    while (at < end) {
        size_t offset = slg_needle_find(literal, view->text + at, end - at);

        if (offset == SLG_FIND_NONE)
            break;
        offset += at;
        line = line_at(view, line, offset);
        if (offset + literal->len <= view->line_offset[line + 1]) {
            marks[line] = 1;
            any = true;
            at = view->line_offset[line + 1];
        } else {
            at = offset + 1;
        }
    }
    return any;
}

static enum slg_status choose(const struct slg_scan_wish *wish, struct slg_scan_batch *batch,
                              struct slg_error *reterr)
{
    const struct slg_batch_view *view = batch->view;
    uint32_t count = view->header.entry_count;
    uint8_t *marks = NULL;

    if (wish->has_literal && wish->literal.len > 0) {
        marks = slg_arena_calloc(batch->arena, count, 1);
        if (marks == NULL)
            return no_memory(reterr);
        if (!mark_lines(view, &wish->literal, marks))
            return SLG_OK;
    }
    batch->positions = slg_arena_alloc(batch->arena, count * sizeof(*batch->positions));
    if (batch->positions == NULL)
        return no_memory(reterr);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t position = view->order == NULL ? i : view->order[i];

        if (view->ts_ns[position] >= wish->from_ns && view->ts_ns[position] < wish->to_ns &&
            (marks == NULL || marks[position] != 0) &&
            batch->streams[view->stream_index[position]] != NULL)
            batch->positions[batch->position_count++] = position;
    }
    return SLG_OK;
}

/* Does any line hold the literal? It may also stand across two lines: a look at the columns will tell. */
static bool has_literal(void *ctx, const struct slg_batch_header *header, struct slg_text text)
{
    const struct slg_scan_wish *wish = ctx;

    (void)header; /* the summary has told all of it */
    return !wish->has_literal ||
           slg_needle_find(&wish->literal, text.at, text.len) != SLG_FIND_NONE;
}

enum slg_status slg_scan_batch_read(const uint8_t *bytes, size_t len,
                                    const struct slg_scan_wish *wish, struct slg_arena *arena,
                                    struct slg_scan_batch *ret_batch, struct slg_error *reterr)
{
    struct slg_scan_batch batch = { .arena = arena };
    bool whole;
    /* Only read there. */
    void *ctx = (void *)(uintptr_t)wish;
    enum slg_status status =
        slg_batch_decode_wanted(arena, bytes, len, has_literal, ctx, &batch.view, &whole);

    if (status == SLG_LIMIT || status == SLG_NO_MEMORY)
        return no_memory(reterr);
    if (status != SLG_OK)
        return slg_errorf(reterr, SLG_CORRUPT, "a stored batch of %zu bytes fails its checks", len);
    if (whole)
        status = find_streams(wish, &batch, reterr);
    if (status == SLG_OK && whole)
        status = choose(wish, &batch, reterr);
    if (status == SLG_OK)
        *ret_batch = batch;
    return status;
}

enum slg_status slg_scan_batch_load(struct slg_shard *shard, const struct slg_batch_ref *ref,
                                    const struct slg_scan_wish *wish, struct slg_arena *arena,
                                    struct slg_scan_batch *ret_batch, struct slg_error *reterr)
{
    struct slg_shard_read *read;
    struct slg_kv_bytes stored;
    const uint8_t *bytes = NULL;
    enum slg_status status = slg_shard_read_begin(shard, &read, reterr);

    if (status != SLG_OK)
        return status;
    slg_arena_reset(arena);
    status = slg_shard_read_batch(read, ref, &stored);
    if (status == SLG_OK)
        bytes = (const uint8_t *)slg_arena_copy(arena, stored.at, stored.len);
    slg_shard_read_end(read);
    if (status != SLG_OK)
        /* Not there: it was set aside meanwhile; another replica may have it. */
        return slg_errorf(reterr, status == SLG_NOT_FOUND ? SLG_UNAVAILABLE : status,
                          "a batch of shard \"%s\" could not be read: %s",
                          slg_shard_name_of(slg_shard_id_of(shard)).text, slg_status_text(status));
    if (bytes == NULL)
        return no_memory(reterr);
    status = slg_scan_batch_read(bytes, stored.len, wish, arena, ret_batch, reterr);
    return status == SLG_CORRUPT ? slg_error_context(reterr, "shard \"%s\"",
                                                     slg_shard_name_of(slg_shard_id_of(shard)).text)
                                 : status;
}
