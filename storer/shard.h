/* storer/shard.h - one shard on disk, opened: a directory of generation files named by a manifest.
 *
 * Layout:  docs/FORMATS.md section 3. The last generation takes writes, the others are read only. A new generation
 *          begins when the map of the last is full.
 * Owner:   the catalogue opens and closes shards; everybody else borrows one between pin and unpin.
 * Threads: writing (write_*, roll, mark_suspect): one thread at a time, the shard's commit lane. Reading: any, each
 *          with its own slg_shard_read, which is held for one slice of work and never across a wait.
 * Refuses: a quarantined shard (UNAVAILABLE), a manifest of another shard (CORRUPT), batches whose streams are not
 *          what their ids say (H19), batches of other shards (assertion: the caller chose the shard).
 * Crash:   acked = committed with sync in the generation that the manifest on disk names. A crash in between leaves
 *          an unlisted file that is never read and is replaced by the next of its number. */
#ifndef SLG_STORER_SHARD_H
#define SLG_STORER_SHARD_H

#include "proto/batch_set.h"
#include "storer/disk.h"
#include "storer/kv.h"
#include "storer/manifest.h"
#include "storer/summary.h"

struct slg_shard;
struct slg_shard_write;
struct slg_shard_read;

struct slg_shard_options {
    const char *shards_directory; /* the shard is a directory in it */
    struct slg_shard_id id;
    size_t map_bytes;
    bool create;    /* make it when it is not there */
    bool read_only; /* never to be written through this one: cheaper; not with create */
    bool maintain;  /* batches of any generation may be set aside through this one */
    struct slg_kv_faults *faults; /* NULL: none */
};
/* NOT_FOUND: not there and !create. UNAVAILABLE: quarantined. CORRUPT, UNSUPPORTED, IO. */
SLG_MUST_CHECK enum slg_status slg_shard_open(const struct slg_shard_options *options,
                                              struct slg_shard **ret_shard,
                                              struct slg_error *reterr);
void slg_shard_close(struct slg_shard *shard); /* NULL is fine; no read or write may be open */
/* Put the mark on disk that makes every later open UNAVAILABLE; storer/quarantine.h then moves the directory away. */
SLG_MUST_CHECK enum slg_status slg_shard_quarantine(const char *shards_directory,
                                                    const char *shard_name, const char *reason,
                                                    struct slg_error *reterr);

const struct slg_shard_id *slg_shard_id_of(const struct slg_shard *shard);
bool slg_shard_suspect(const struct slg_shard *shard);
bool slg_shard_read_only(const struct slg_shard *shard); /* opened so */
size_t slg_shard_generation_count(const struct slg_shard *shard);

/* Why this copy cannot vouch for all that it once held (I7). */
enum slg_shard_doubt {
    SLG_SHARD_DOUBT_NONE,
    SLG_SHARD_DOUBT_ASIDE,     /* batches were set aside and are not back yet */
    SLG_SHARD_DOUBT_REFILLING, /* the copy before was quarantined; this one began empty */
};
enum slg_shard_doubt slg_shard_doubt(const struct slg_shard *shard);
size_t slg_shard_aside_count(const struct slg_shard *shard); /* batches set aside and not back */
/* It holds again what its peers hold: remove the file `refilling`. Any thread that has the shard pinned. */
SLG_MUST_CHECK enum slg_status slg_shard_vouch(struct slg_shard *shard, struct slg_error *reterr);
/* The file of a generation. */
SLG_MUST_CHECK enum slg_status slg_shard_generation_path(const struct slg_shard *shard,
                                                         size_t generation_index,
                                                         struct slg_disk_path *ret_path,
                                                         struct slg_error *reterr);

/* ---- writing ---- */

/* UNAVAILABLE: suspect (H13). */
SLG_MUST_CHECK enum slg_status slg_shard_write_begin(struct slg_shard *shard,
                                                     struct slg_shard_write **ret_write,
                                                     struct slg_error *reterr);
enum slg_shard_put {
    SLG_SHARD_PUT_NEW,
    SLG_SHARD_PUT_DUPLICATE, /* held, or put earlier in this transaction, with equal content */
    SLG_SHARD_PUT_CONTENT,   /* the same id with other content (H13); nothing was written */
    SLG_SHARD_PUT_STREAM, /* a stream's id is not that of its labels, or is held with others (H19) */
};
/* header describes bytes[0..len), which the caller has verified. Any status but OK: abort the transaction; LIMIT
 * = the map is full: roll and try the group again. *ret_put is written on OK. */
SLG_MUST_CHECK enum slg_status slg_shard_write_put(struct slg_shard_write *write,
                                                   const struct slg_batch_header *header,
                                                   const uint8_t *bytes, size_t len,
                                                   enum slg_shard_put *ret_put);
/* OK: everything put is durable. Frees the transaction whatever it returns. LIMIT: the map is full, nothing was written:
 * roll and try the group again. After any other failure: close the shard and open it again before anything else. */
SLG_MUST_CHECK enum slg_status slg_shard_write_commit(struct slg_shard_write *write,
                                                      struct slg_error *reterr);
void slg_shard_write_abort(struct slg_shard_write *write); /* NULL is fine */
/* Begin a new generation for writes. LIMIT: too many. */
SLG_MUST_CHECK enum slg_status slg_shard_roll(struct slg_shard *shard, struct slg_error *reterr);
/* Make it read-only, on disk: a commit failed and the disk was not full. */
SLG_MUST_CHECK enum slg_status slg_shard_mark_suspect(struct slg_shard *shard,
                                                      struct slg_error *reterr);

/* ---- reading ---- */

struct slg_shard_totals {
    struct slg_batch_set_digest digest; /* of all batches held */
    uint64_t entry_count;
    uint64_t push_count;
    uint64_t line_bytes;
    uint64_t batch_bytes;
    int64_t ts_min_ns; /* INT64_MAX and INT64_MIN when it holds nothing */
    int64_t ts_max_ns;
    uint64_t stream_count; /* summed over generations */
    size_t generation_count;
    uint64_t file_bytes; /* pages of the generation files */
    enum slg_shard_doubt doubt;
    uint64_t aside_count;
};
/* Where a batch lies. */
struct slg_batch_ref {
    uint32_t generation_index;
    uint64_t arrival;
};

/* One snapshot of each generation. Errors as slg_kv_begin_read. */
SLG_MUST_CHECK enum slg_status slg_shard_read_begin(struct slg_shard *shard,
                                                    struct slg_shard_read **ret_read,
                                                    struct slg_error *reterr);
void slg_shard_read_end(struct slg_shard_read *read); /* NULL is fine */
SLG_MUST_CHECK enum slg_status slg_shard_read_totals(struct slg_shard_read *read,
                                                     struct slg_shard_totals *ret_totals);
/* Add all ids to set. */
SLG_MUST_CHECK enum slg_status slg_shard_read_set(struct slg_shard_read *read,
                                                  struct slg_batch_set *set);
/* Borrowed until read_end. NOT_FOUND. */
SLG_MUST_CHECK enum slg_status slg_shard_read_batch(struct slg_shard_read *read,
                                                    const struct slg_batch_ref *ref,
                                                    struct slg_kv_bytes *ret_bytes);

/* The bytes of a batch by its id, borrowed until read_end. NOT_FOUND. */
SLG_MUST_CHECK enum slg_status slg_shard_read_by_id(struct slg_shard_read *read,
                                                    const struct slg_incarnation *incarnation,
                                                    uint64_t sequence,
                                                    struct slg_kv_bytes *ret_bytes);
/* Is a batch of this id and content held? */
bool slg_shard_read_holds(struct slg_shard_read *read, const struct slg_batch_id *id,
                          uint64_t content_hash);

/* Visitors return OK to go on; anything else stops the walk and is what it returns. What they get is borrowed for
 * the call. */
typedef enum slg_status slg_shard_visit_summary(void *ctx, const struct slg_batch_ref *ref,
                                                struct slg_summary *summary);
SLG_MUST_CHECK enum slg_status slg_shard_each_summary(struct slg_shard_read *read,
                                                      slg_shard_visit_summary *visit, void *ctx);
struct slg_shard_stream {
    uint32_t generation_index;
    uint32_t number; /* in summaries of that generation */
    struct slg_stream_id id;
    struct slg_text tenant;
    struct slg_text canonical;
};
typedef enum slg_status slg_shard_visit_stream(void *ctx, const struct slg_shard_stream *stream);
SLG_MUST_CHECK enum slg_status slg_shard_each_stream(struct slg_shard_read *read,
                                                     slg_shard_visit_stream *visit, void *ctx);

/* ---- batches that are damaged ---- */

enum slg_aside_reason {
    SLG_ASIDE_CHECKSUM = 1,   /* its bytes fail a check */
    SLG_ASIDE_UNREADABLE = 2, /* the disk refuses them */
    SLG_ASIDE_OTHER = 3,      /* they are those of another batch */
};
struct slg_aside_order {
    uint32_t generation_index;
    uint64_t arrival;
    uint64_t id_hash; /* of the batch that is meant: another one is left alone (NOT_FOUND) */
    enum slg_aside_reason reason;
};
/* Of a key of ids: incarnation, sequence. */
uint64_t slg_shard_id_hash(const uint8_t *id_key);
/* Take batches out of the set, durably, and note that they were in it: one transaction for each generation. The shard was
 * opened to maintain. A batch of the same id may be put again. NOT_FOUND: one is not there. */
SLG_MUST_CHECK enum slg_status slg_shard_set_aside(struct slg_shard *shard,
                                                   const struct slg_aside_order *orders,
                                                   size_t count, int64_t now_ns,
                                                   struct slg_error *reterr);
struct slg_aside {
    struct slg_incarnation incarnation;
    uint64_t sequence;
    enum slg_aside_reason reason;
    uint32_t entry_count;
    int64_t set_aside_ns;
};
typedef enum slg_status slg_shard_visit_aside(void *ctx, const struct slg_aside *aside);
/* Those that are not back. */
SLG_MUST_CHECK enum slg_status slg_shard_each_aside(struct slg_shard_read *read,
                                                    slg_shard_visit_aside *visit, void *ctx);

#endif
