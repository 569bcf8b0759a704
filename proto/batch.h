/* proto/batch.h - the unit of ingest, replication and acknowledgement: entries of one shard.
 *
 * Layout:  docs/FORMATS.md section 2: a msgpack envelope (version, batch id, tenant, shard, counts, time range,
 *          stream table, content checksum, map epoch) around an LZ4 block of header columns + one text arena.
 * Identity of an entry is (batch id, position); position = index in the batch. Builders seal in arrival order.
 * Owner:   a view borrows from the encoded bytes and from its arena; it dies when either does.
 * Threads: a builder belongs to one thread; encode and decode are pure.
 * Refuses: unknown version (UNSUPPORTED, both numbers named), bad checksum, trailing bytes, entries outside the
 *          stated time range or window, stream indexes out of the table, anything over proto/limits.h. */
#ifndef SLG_PROTO_BATCH_H
#define SLG_PROTO_BATCH_H

#include "proto/label.h"
#include "proto/limits.h"

#define SLG_BATCH_VERSION 2

/* An arena budget that decodes any batch within proto/limits.h. */
#define SLG_BATCH_DECODE_BYTES_MAX ((size_t)12 * 1024 * 1024)

/* One start of one ingester. memcmp order: later starts sort later. */
#define SLG_INCARNATION_BYTES 24
struct slg_incarnation {
    uint8_t bytes
        [SLG_INCARNATION_BYTES]; /* u64 BE start time in ms since the epoch, then 16 random bytes */
};

struct slg_shard_id {
    int64_t window_ns;   /* start of the span of event time; a multiple of length_ns, >= 0 */
    int64_t length_ns;   /* window length of the layout */
    uint16_t slot;       /* 0 .. slot_count - 1 */
    uint16_t slot_count; /* K of the layout */
};
int slg_shard_id_compare(const struct slg_shard_id *a,
                         const struct slg_shard_id *b); /* by window, then slot */
/* Start of the window that holds ts_ns; ts_ns >= 0, length_ns > 0. */
int64_t slg_window_start(int64_t ts_ns, int64_t length_ns);

/* Sequences start at 1 and are contiguous per (incarnation, shard): gaps show (H18). */
struct slg_batch_id {
    struct slg_incarnation incarnation;
    struct slg_shard_id shard;
    uint64_t sequence;
};
/* Order of DESIGN section 3: incarnation bytes, shard, sequence. (Slots of one window are merged by it.) */
int slg_batch_id_compare(const struct slg_batch_id *a, const struct slg_batch_id *b);

enum slg_entry_kind {
    SLG_ENTRY_SYSLOG = 0, /* never merged away, however equal */
    SLG_ENTRY_PUSH = 1,   /* equal stream, time, line and metadata = one entry */
};

/* Structured metadata is in the order that the sender gave, each name once; not sorted. */
struct slg_entry {
    int64_t ts_ns;
    uint32_t stream_index; /* into the batch's stream table */
    enum slg_entry_kind kind;
    struct slg_text line;
    struct slg_label_set metadata;
};

/* ---- building ---- */

struct slg_batch_builder; /* opaque; entries of one shard */

/* raw_bytes_max: SLG_BATCH_SEAL_BYTES or less; the builder's memory is about twice that and is reused. */
SLG_MUST_CHECK enum slg_status slg_batch_builder_create(struct slg_text tenant,
                                                        size_t raw_bytes_max,
                                                        struct slg_batch_builder **ret_builder);
void slg_batch_builder_destroy(struct slg_batch_builder *builder);
/* Empty it for another batch of this shard. */
void slg_batch_builder_start(struct slg_batch_builder *builder, const struct slg_shard_id *shard);

/* Index of the stream with these canonical bytes in this batch's table, added when new; a stream that gets no entry
 * is left out of the sealed batch. AGAIN: table full, seal first. INVALID: equal id with other bytes (H19).
 * LIMIT: len is 0 or over SLG_LABEL_SET_BYTES_MAX. NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_batch_builder_stream(struct slg_batch_builder *builder,
                                                        const struct slg_stream_id *id,
                                                        const uint8_t *canonical, size_t len,
                                                        uint32_t *ret_stream_index);
/* Append one entry (copied). AGAIN: it does not fit any more, seal and start again; a fresh builder always takes
 * one entry within limits. LIMIT: the entry itself is over proto/limits.h. INVALID: its time is outside the
 * shard's window, its stream is not in the table, or a metadata name is there twice. NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_batch_builder_append(struct slg_batch_builder *builder,
                                                        const struct slg_entry *entry);
size_t slg_batch_builder_entry_count(const struct slg_batch_builder *builder);
size_t slg_batch_builder_raw_bytes(const struct slg_batch_builder *builder);

/* Compress and write the envelope into out (cleared first; bytes_max SLG_BATCH_BYTES_MAX always suffices). The builder
 * keeps its contents and must hold an entry. LIMIT: out is too small or has no memory; NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_batch_builder_seal(struct slg_batch_builder *builder,
                                                      const struct slg_incarnation *incarnation,
                                                      uint64_t sequence, uint64_t map_epoch,
                                                      struct slg_buf *out);

/* ---- reading ---- */

struct slg_batch_stream {
    struct slg_stream_id id;
    const uint8_t *canonical; /* borrowed */
    size_t canonical_len;
    uint32_t entry_count;
    uint64_t line_bytes;     /* sum of line lengths */
    uint32_t metadata_count; /* items of all its entries */
};

/* Everything but the entries; reading it needs no decompression. */
struct slg_batch_header {
    struct slg_batch_id id;
    struct slg_text tenant;
    uint64_t map_epoch;
    uint32_t entry_count;
    uint32_t push_count;     /* entries of kind push: 0 lets summaries answer (H9) */
    uint64_t line_bytes;     /* sum of line lengths */
    uint64_t metadata_bytes; /* names + values */
    int64_t ts_min_ns;
    int64_t ts_max_ns;
    uint64_t
        content_hash; /* xxh3 over tenant, stream table and uncompressed payload: what H13 compares */
    const struct slg_batch_stream *streams;
    uint32_t stream_count;
    uint32_t raw_bytes;     /* of the uncompressed payload */
    const uint8_t *payload; /* compressed, borrowed */
    size_t payload_len;
};

/* Version of the batch, for the message about one that is UNSUPPORTED; false: not a batch at all. */
bool slg_batch_peek_version(const uint8_t *bytes, size_t len, uint64_t *ret_version);

/* Are these the bytes that were sealed, by the checksum at their end? Cheaper than reading the header. */
SLG_MUST_CHECK bool slg_batch_checksum_fits(const uint8_t *bytes, size_t len);

/* Parse and check the envelope (its own checksum included), not the payload.
 * OK; MALFORMED; UNSUPPORTED (version); LIMIT (arena). *ret_header is written only on OK. */
SLG_MUST_CHECK enum slg_status slg_batch_read_header(struct slg_arena *arena, const uint8_t *bytes,
                                                     size_t len,
                                                     struct slg_batch_header *ret_header);

/* What a receiver checks beside the envelope: every stream has valid canonical bytes, hashes to its id (so no two
 * streams share an id with other bytes, H19) and lies in the batch's slot. MALFORMED otherwise. About 1 us a stream. */
SLG_MUST_CHECK enum slg_status slg_batch_check_streams(const struct slg_batch_header *header);

/* Decoded entries. Columns are parallel arrays of entry_count; metadata is decoded on demand. */
struct slg_batch_view {
    struct slg_batch_header header;
    const int64_t *ts_ns;
    const uint32_t *stream_index;
    const uint8_t *kind;         /* enum slg_entry_kind */
    const uint32_t *line_offset; /* entry_count + 1 values; lines stand back to back in text */
    const char *text;
    const uint32_t
        *order; /* positions sorted by (ts, position); NULL: the batch already is in that order */
    const void *metadata_private;
};

/* Decompress and check the payload (content_hash, every offset and count). MALFORMED: fails any check. */
SLG_MUST_CHECK enum slg_status slg_batch_decode(struct slg_arena *arena, const uint8_t *bytes,
                                                size_t len, const struct slg_batch_view **ret_view);

/* Is the batch wanted, judged by its header and the text of all lines? */
typedef bool slg_batch_want(void *ctx, const struct slg_batch_header *header, struct slg_text text);
/* The same for a reader that may want nothing of the batch: *ret_whole is false, and nothing but header and text of
 * the view is there, when `want` says so. The columns are a third of the work. */
SLG_MUST_CHECK enum slg_status slg_batch_decode_wanted(struct slg_arena *arena,
                                                       const uint8_t *bytes, size_t len,
                                                       slg_batch_want *want, void *ctx,
                                                       const struct slg_batch_view **ret_view,
                                                       bool *ret_whole);

static inline struct slg_text slg_batch_view_line(const struct slg_batch_view *view,
                                                  uint32_t position)
{
    return slg_text_make(view->text + view->line_offset[position],
                         view->line_offset[position + 1] - view->line_offset[position]);
}
/* Metadata of one entry into items[SLG_METADATA_COUNT_MAX]; texts borrow from the view. Returns the count. */
size_t slg_batch_view_metadata(const struct slg_batch_view *view, uint32_t position,
                               struct slg_label *items);

#endif
