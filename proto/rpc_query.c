/* The messages of queries: QUERY, NEXT, CANCEL and STREAMS. Their heads and shard sets are in rpc.c. */
#include "proto/rpc.h"

#include "proto/rpc_private.h"

#define QUERY_FIELDS   8
#define LEAF_FIELDS    12
#define STATS_FIELDS   8
#define STREAMS_FIELDS 9

/* ---- QUERY ---- */

static void put_leaf(struct slg_buf *out, const struct slg_leaf_request *leaf)
{
    slg_wire_array(out, LEAF_FIELDS);
    slg_wire_uint(out, (uint64_t)leaf->kind);
    slg_wire_text(out, leaf->text);
    slg_wire_int(out, leaf->start_ns);
    slg_wire_int(out, leaf->end_ns);
    slg_wire_int(out, leaf->step_ns);
    slg_wire_uint(out, (uint64_t)leaf->direction);
    slg_wire_uint(out, leaf->limit);
    slg_wire_uint(out, leaf->flags);
    slg_wire_uint(out, leaf->memory_bytes_max);
    slg_wire_uint(out, leaf->series_max);
    slg_wire_uint(out, leaf->bytes_scan_max);
    slg_wire_int(out, leaf->deadline_ms);
}

static bool take_leaf(struct slg_wire_reader *r, struct slg_leaf_request *ret_leaf)
{
    struct slg_leaf_request leaf;
    uint64_t kind, direction;

    if (!slg_wire_take_tuple(r, LEAF_FIELDS) || !slg_wire_take_uint(r, SLG_LEAF_PATTERNS, &kind) ||
        !slg_wire_take_text(r, SLG_QUERY_TEXT_BYTES_MAX, &leaf.text) ||
        !slg_wire_take_int(r, &leaf.start_ns) || !slg_wire_take_int(r, &leaf.end_ns) ||
        !slg_wire_take_int(r, &leaf.step_ns) || !slg_wire_take_uint(r, SLG_FORWARD, &direction) ||
        !slg_wire_take_uint(r, UINT64_MAX, &leaf.limit) ||
        !slg_wire_take_uint(r, UINT64_MAX, &leaf.flags) ||
        !slg_wire_take_uint(r, UINT64_MAX, &leaf.memory_bytes_max) ||
        !slg_wire_take_uint(r, UINT64_MAX, &leaf.series_max) ||
        !slg_wire_take_uint(r, UINT64_MAX, &leaf.bytes_scan_max) ||
        !slg_wire_take_int(r, &leaf.deadline_ms))
        return false;
    if (kind == 0 || leaf.step_ns < 0 || leaf.deadline_ms < 0) {
        r->failed = true;
        return false;
    }
    leaf.kind = (enum slg_leaf_kind)kind;
    leaf.direction = (enum slg_direction)direction;
    *ret_leaf = leaf;
    return true;
}

/* None, or one for each shard. */
static void put_known(struct slg_buf *out, const struct slg_rpc_query *query)
{
    size_t count = 0;

    for (size_t i = 0; i < query->shard_count; i++)
        count += query->shards[i].known.len > 0;
    slg_wire_array(out, count > 0 ? query->shard_count : 0);
    for (size_t i = 0; count > 0 && i < query->shard_count; i++)
        slg_wire_text(out, query->shards[i].known);
}

static bool take_known(struct slg_wire_reader *r, struct slg_rpc_shard_set *shards,
                       size_t shard_count)
{
    size_t count;

    if (!slg_wire_take_array(r, SLG_QUERY_SHARD_COUNT_MAX, &count) ||
        (count > 0 && count != shard_count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!slg_wire_take_text(r, SLG_MESSAGE_BYTES_MAX, &shards[i].known))
            return false;
    return true;
}

void slg_rpc_encode_query(struct slg_buf *out, const struct slg_rpc_query *query)
{
    slg_rpc_begin_request(out, SLG_RPC_QUERY, QUERY_FIELDS);
    slg_wire_bin(out, query->query_id, sizeof(query->query_id));
    slg_wire_text(out, query->tenant);
    slg_wire_uint(out, query->map_epoch);
    put_leaf(out, &query->leaf);
    slg_rpc_put_shard_sets(out, query->shards, query->shard_count);
    slg_wire_int(out, query->cut_from_ns);
    slg_wire_int(out, query->cut_to_ns);
    put_known(out, query);
}

enum slg_status slg_rpc_decode_query(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                     struct slg_rpc_query *ret_query)
{
    struct slg_wire_reader r;
    struct slg_rpc_query query;
    struct slg_rpc_shard_set *shards;
    enum slg_status status = slg_rpc_open_request(bytes, len, SLG_RPC_QUERY, QUERY_FIELDS, &r);

    if (status != SLG_OK)
        return status;
    if (!slg_rpc_take_fixed(&r, query.query_id, sizeof(query.query_id)) ||
        !slg_wire_take_text(&r, SLG_TENANT_BYTES_MAX, &query.tenant) ||
        !slg_wire_take_uint(&r, UINT64_MAX, &query.map_epoch) || !take_leaf(&r, &query.leaf))
        return SLG_MALFORMED;
    status = slg_rpc_take_shard_sets(arena, &r, &shards, &query.shard_count);
    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_int(&r, &query.cut_from_ns) || !slg_wire_take_int(&r, &query.cut_to_ns) ||
        !take_known(&r, shards, query.shard_count) || slg_rpc_close(&r) != SLG_OK)
        return SLG_MALFORMED;
    query.shards = shards;
    *ret_query = query;
    return SLG_OK;
}

/* ---- NEXT and CANCEL ---- */

static void encode_query_id(struct slg_buf *out, enum slg_rpc_type type, const uint8_t query_id[16])
{
    slg_rpc_begin_request(out, type, 1);
    slg_wire_bin(out, query_id, 16);
}

static enum slg_status decode_query_id(const uint8_t *bytes, size_t len, enum slg_rpc_type type,
                                       uint8_t ret_query_id[16])
{
    struct slg_wire_reader r;
    uint8_t query_id[16];
    enum slg_status status = slg_rpc_open_request(bytes, len, type, 1, &r);

    if (status != SLG_OK)
        return status;
    if (!slg_rpc_take_fixed(&r, query_id, sizeof(query_id)) || slg_rpc_close(&r) != SLG_OK)
        return SLG_MALFORMED;
    memcpy(ret_query_id, query_id, sizeof(query_id));
    return SLG_OK;
}

void slg_rpc_encode_next(struct slg_buf *out, const uint8_t query_id[16])
{
    encode_query_id(out, SLG_RPC_NEXT, query_id);
}

enum slg_status slg_rpc_decode_next(const uint8_t *bytes, size_t len, uint8_t ret_query_id[16])
{
    return decode_query_id(bytes, len, SLG_RPC_NEXT, ret_query_id);
}

void slg_rpc_encode_cancel(struct slg_buf *out, const uint8_t query_id[16])
{
    encode_query_id(out, SLG_RPC_CANCEL, query_id);
}

enum slg_status slg_rpc_decode_cancel(const uint8_t *bytes, size_t len, uint8_t ret_query_id[16])
{
    return decode_query_id(bytes, len, SLG_RPC_CANCEL, ret_query_id);
}

void slg_rpc_encode_page(struct slg_buf *out, const struct slg_rpc_page *page)
{
    const struct slg_scan_stats *stats = &page->stats;

    slg_rpc_begin_reply(out, 3);
    slg_wire_bool(out, page->more);
    slg_wire_array(out, STATS_FIELDS);
    slg_wire_uint(out, stats->bytes_read);
    slg_wire_uint(out, stats->lines_read);
    slg_wire_uint(out, stats->lines_kept);
    slg_wire_uint(out, stats->batches_read);
    slg_wire_uint(out, stats->batches_skipped);
    slg_wire_uint(out, stats->bytes_compressed);
    slg_wire_uint(out, stats->duplicates);
    slg_wire_uint(out, stats->scan_ns);
    slg_wire_text(out, page->body);
}

static bool take_stats(struct slg_wire_reader *r, struct slg_scan_stats *ret_stats)
{
    return slg_wire_take_tuple(r, STATS_FIELDS) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->bytes_read) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->lines_read) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->lines_kept) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->batches_read) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->batches_skipped) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->bytes_compressed) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->duplicates) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stats->scan_ns);
}

enum slg_status slg_rpc_decode_page(const uint8_t *bytes, size_t len, struct slg_rpc_page *ret_page,
                                    struct slg_error *reterr)
{
    struct slg_wire_reader r;
    struct slg_rpc_page page;
    enum slg_status status = slg_rpc_open_reply(bytes, len, 3, &r, reterr);

    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_bool(&r, &page.more) || !take_stats(&r, &page.stats) ||
        !slg_wire_take_text(&r, SLG_MESSAGE_BYTES_MAX, &page.body) || slg_rpc_close(&r) != SLG_OK)
        return slg_errorf(reterr, SLG_MALFORMED, "the page is cut short or has bytes too many");
    *ret_page = page;
    return SLG_OK;
}

/* ---- STREAMS ---- */

void slg_rpc_encode_streams(struct slg_buf *out, const struct slg_rpc_streams *streams)
{
    slg_rpc_begin_request(out, SLG_RPC_STREAMS, STREAMS_FIELDS);
    slg_wire_text(out, streams->tenant);
    slg_wire_int(out, streams->from_ns);
    slg_wire_int(out, streams->to_ns);
    slg_wire_uint(out, streams->map_epoch);
    slg_wire_array(out, streams->selector_count);
    for (size_t i = 0; i < streams->selector_count; i++)
        slg_wire_text(out, streams->selectors[i]);
    slg_wire_bin(out, streams->after.bytes, sizeof(streams->after.bytes));
    slg_wire_uint(out, streams->stream_max);
    slg_wire_bool(out, streams->whole_windows);
    slg_rpc_put_shards(out, streams->shards, streams->shard_count);
}

enum slg_status slg_rpc_decode_streams(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                       struct slg_rpc_streams *ret_streams)
{
    struct slg_wire_reader r;
    struct slg_rpc_streams streams;
    struct slg_text *selectors;
    enum slg_status status = slg_rpc_open_request(bytes, len, SLG_RPC_STREAMS, STREAMS_FIELDS, &r);

    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_text(&r, SLG_TENANT_BYTES_MAX, &streams.tenant) ||
        !slg_wire_take_int(&r, &streams.from_ns) || !slg_wire_take_int(&r, &streams.to_ns) ||
        !slg_wire_take_uint(&r, UINT64_MAX, &streams.map_epoch) ||
        !slg_wire_take_array(&r, SLG_RPC_SELECTOR_COUNT_MAX, &streams.selector_count))
        return SLG_MALFORMED;
    selectors = slg_arena_calloc(arena, streams.selector_count, sizeof(*selectors));
    if (selectors == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < streams.selector_count; i++)
        (void)slg_wire_take_text(&r, SLG_QUERY_TEXT_BYTES_MAX, &selectors[i]);
    if (!slg_rpc_take_fixed(&r, streams.after.bytes, sizeof(streams.after.bytes)) ||
        !slg_wire_take_uint(&r, SLG_RPC_STREAM_COUNT_MAX, &streams.stream_max) ||
        !slg_wire_take_bool(&r, &streams.whole_windows))
        return SLG_MALFORMED;
    status = slg_rpc_take_shards(arena, &r, &streams.shards, &streams.shard_count);
    if (status == SLG_OK)
        status = slg_rpc_close(&r);
    if (status != SLG_OK)
        return status;
    streams.selectors = selectors;
    *ret_streams = streams;
    return SLG_OK;
}

void slg_rpc_encode_streams_reply(struct slg_buf *out, const struct slg_rpc_stream *streams,
                                  size_t count, bool more)
{
    slg_rpc_begin_reply(out, 2);
    slg_wire_bool(out, more);
    slg_wire_array(out, count);
    for (size_t i = 0; i < count; i++) {
        slg_wire_array(out, 6);
        slg_wire_bin(out, streams[i].id.bytes, sizeof(streams[i].id.bytes));
        slg_wire_text(out, streams[i].canonical);
        slg_wire_uint(out, streams[i].entry_count);
        slg_wire_uint(out, streams[i].line_bytes);
        slg_wire_uint(out, streams[i].metadata_count);
        slg_wire_uint(out, streams[i].batch_count);
    }
}

static bool take_stream(struct slg_wire_reader *r, struct slg_rpc_stream *ret_stream)
{
    return slg_wire_take_tuple(r, 6) &&
           slg_rpc_take_fixed(r, ret_stream->id.bytes, sizeof(ret_stream->id.bytes)) &&
           slg_wire_take_text(r, SLG_LABEL_SET_BYTES_MAX, &ret_stream->canonical) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stream->entry_count) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stream->line_bytes) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stream->metadata_count) &&
           slg_wire_take_uint(r, UINT64_MAX, &ret_stream->batch_count);
}

enum slg_status slg_rpc_decode_streams_reply(struct slg_arena *arena, const uint8_t *bytes,
                                             size_t len, struct slg_rpc_stream **ret_streams,
                                             size_t *ret_count, bool *ret_more,
                                             struct slg_error *reterr)
{
    struct slg_wire_reader r;
    struct slg_rpc_stream *streams;
    size_t count;
    bool more;
    enum slg_status status = slg_rpc_open_reply(bytes, len, 2, &r, reterr);

    if (status != SLG_OK)
        return status;
    if (!slg_wire_take_bool(&r, &more) ||
        !slg_wire_take_array(&r, SLG_RPC_STREAM_COUNT_MAX, &count))
        return slg_errorf(reterr, SLG_MALFORMED, "the list of streams has no head");
    streams = slg_arena_calloc(arena, count, sizeof(*streams));
    if (streams == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "%zu streams need more memory than one query may have",
                          count);
    for (size_t i = 0; i < count; i++)
        (void)take_stream(&r, &streams[i]); /* a failure stays in the reader */
    if (slg_rpc_close(&r) != SLG_OK)
        return slg_errorf(reterr, SLG_MALFORMED, "the list of streams is cut short");
    *ret_streams = streams;
    *ret_count = count;
    *ret_more = more;
    return SLG_OK;
}
