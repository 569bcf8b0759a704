/* storer/manifest.h - the small records of a data directory, and the names in it.
 *
 * Layout:  docs/FORMATS.md section 3: `manifest` (which files of a shard count), `storage` (who this directory is),
 *          `opening` (which shard was being opened, H20), `peers` (which storages the other storers had, H6), `scrub`.
 * Refuses: bad magic or checksum, trailing bytes, counts over the limits, unordered or repeated file numbers, numbers
 *          that were not given out (CORRUPT: we wrote them ourselves); unknown versions, parts (UNSUPPORTED).
 * Threads: pure. */
#ifndef SLG_STORER_MANIFEST_H
#define SLG_STORER_MANIFEST_H

#include "base/buf.h"
#include "base/status.h"
#include "proto/batch.h"

/* Names that several files of code look at. */
#define SLG_NAME_SHARDS      "shards"      /* directory of the shards */
#define SLG_NAME_MANIFEST    "manifest"    /* in a shard's directory, as are the next two */
#define SLG_NAME_QUARANTINED "quarantined" /* why; the copy is on its way to quarantine */
#define SLG_NAME_REFILLING   "refilling"   /* why; the copy began empty and does not vouch */

#define SLG_MANIFEST_VERSION              1
/* A shard rolls over to a new generation when its map is full (16 GiB), or a commit failed: 64 is far away. */
#define SLG_MANIFEST_GENERATION_COUNT_MAX ((size_t)64)
#define SLG_SHARD_NAME_BYTES_MAX          ((size_t)64) /* NUL included */

#define SLG_KNOWN_STORAGE_COUNT_MAX ((size_t)256) /* other storers ever met */
#define SLG_KNOWN_NODE_BYTES_MAX    ((size_t)65)  /* a node id, NUL included */

/* The shard is read-only until it was compared with its peers (H13): a commit failed and the disk was not full. */
#define SLG_MANIFEST_SUSPECT 1U

struct slg_manifest {
    struct slg_shard_id shard;
    unsigned flags;       /* SLG_MANIFEST_ bits */
    uint64_t change;      /* counts the replacements of this manifest */
    uint32_t next_number; /* of the next file: each number, so each name, is used once */
    size_t generation_count;
    uint32_t generations[SLG_MANIFEST_GENERATION_COUNT_MAX]; /* ascending; the last takes writes */
};
void slg_manifest_encode(struct slg_buf *out, const struct slg_manifest *manifest);
SLG_MUST_CHECK enum slg_status slg_manifest_decode(const uint8_t *bytes, size_t len,
                                                   struct slg_manifest *ret_manifest,
                                                   struct slg_error *reterr);

struct slg_storage {
    uint8_t id[16];               /* random, made with the directory */
    uint64_t counter;             /* only grows; peers remember the last that they saw (H6) */
    int64_t forget_period_ns;     /* start of the hour in which windows were last forgotten */
    uint32_t forget_window_count; /* windows forgotten by time in that hour */
    int64_t keep_from_ns;         /* windows that end by then were forgotten by bytes; only grows */
};
void slg_storage_encode(struct slg_buf *out, const struct slg_storage *storage);
SLG_MUST_CHECK enum slg_status slg_storage_decode(const uint8_t *bytes, size_t len,
                                                  struct slg_storage *ret_storage,
                                                  struct slg_error *reterr);

/* What is remembered of other storers' storages. */
struct slg_known_storage {
    char node_id[SLG_KNOWN_NODE_BYTES_MAX]; /* NUL-terminated */
    uint8_t id[16];
    uint64_t counter;
};
struct slg_known_storages {
    size_t count;
    struct slg_known_storage rows[SLG_KNOWN_STORAGE_COUNT_MAX];
};
void slg_known_storages_encode(struct slg_buf *out, const struct slg_known_storages *known);
SLG_MUST_CHECK enum slg_status slg_known_storages_decode(const uint8_t *bytes, size_t len,
                                                         struct slg_known_storages *ret_known,
                                                         struct slg_error *reterr);

/* crash_count = times that the process ended while it was opening this shard, this one included; name "" = none. */
struct slg_opening {
    uint8_t crash_count;
    char name[SLG_SHARD_NAME_BYTES_MAX];
};
#define SLG_OPENING_BYTES ((size_t)80)
void slg_opening_encode(uint8_t ret_bytes[SLG_OPENING_BYTES], const struct slg_opening *opening);
SLG_MUST_CHECK enum slg_status slg_opening_decode(const uint8_t *bytes, size_t len,
                                                  struct slg_opening *ret_opening);

/* How far the scrub has come. */
struct slg_scrub_record {
    bool running;              /* a pass is under way */
    int64_t pass_started_ns;   /* wall; of the last pass, running or not */
    struct slg_shard_id shard; /* slot_count 0: none yet */
    uint32_t generation_index; /* in the shard, to go on with */
    uint64_t arrival;          /* the last batch checked there */
    uint64_t done_bytes;       /* of this pass */
    uint64_t total_bytes;
    uint64_t damaged_batches; /* found by this pass */
};
void slg_scrub_record_encode(struct slg_buf *out, const struct slg_scrub_record *record);
SLG_MUST_CHECK enum slg_status slg_scrub_record_decode(const uint8_t *bytes, size_t len,
                                                       struct slg_scrub_record *ret_record,
                                                       struct slg_error *reterr);

/* "<window start in s>-<length in s>-<slot>of<K>". Windows are whole seconds. */
struct slg_shard_name {
    char text[SLG_SHARD_NAME_BYTES_MAX];
};
struct slg_shard_name slg_shard_name_of(const struct slg_shard_id *shard);
/* MALFORMED: not exactly what slg_shard_name_of writes. */
SLG_MUST_CHECK enum slg_status slg_shard_name_parse(const char *text,
                                                    struct slg_shard_id *ret_shard);

#endif
