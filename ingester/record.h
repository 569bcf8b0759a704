/* ingester/record.h - from the bytes of one syslog message to one entry: parse, unwrap, label, mask, stamp.
 *
 * A recorder belongs to one thread. It keeps the label sets it has met in a bounded table, so that in steady state
 * a line costs no label work, no hash of labels and no allocation.
 * Owner:   what a record points to lives until the next call on the same recorder (stream handles: until the
 *          recorder forgets all of them, which changes slg_recorder_epoch).
 * Never refuses a message: what does not parse is kept whole and flagged. */
#ifndef SLG_INGESTER_RECORD_H
#define SLG_INGESTER_RECORD_H

#include "ingester/docker.h"
#include "ingester/mask.h"
#include "ingester/rules.h"
#include "ingester/stream.h"
#include "ingester/syslog.h"

#define SLG_RECORD_BACK_NS_DEFAULT  (INT64_C(24) * 3600 * 1000000000)
#define SLG_RECORD_AHEAD_NS_DEFAULT (INT64_C(300) * 1000000000)
#define SLG_RECORD_STREAMS_MAX      ((size_t)8192) /* label sets remembered by one recorder */
#define SLG_RECORD_STREAM_BYTES_MAX ((size_t)8 * 1024 * 1024)
#define SLG_RECORD_SOURCES_MAX      ((size_t)4096) /* sources whose last stamp is remembered */

/* Settings of one listener; immutable while recorders use it. Texts are borrowed. */
struct slg_record_options {
    struct slg_text tenant;
    struct slg_text job; /* empty: "syslog" */
    const struct slg_rules *rules;
    const struct slg_masks *masks; /* NULL: none */
    struct slg_syslog_options syslog;
    enum slg_docker_mode docker;
    bool raw;                /* the line is the whole message, header included */
    bool use_receive_time;   /* ignore the time in the message */
    int64_t back_ns;         /* window of believed stamps before the receive time; > 0 */
    int64_t ahead_ns;        /* and after it; > 0 */
    uint32_t listener_index; /* tells listeners apart in the tables */
};
/* The defaults of all but tenant, rules and masks. */
void slg_record_options_init(struct slg_record_options *options);

/* Who sent it. */
struct slg_record_source {
    struct slg_text address; /* numeric, without port; becomes source_ip; may be empty (unknown) */
    struct slg_text
        host_name; /* configured name of that address, for messages without a host; may be empty */
    int64_t receive_ns;
    bool truncated; /* the kernel or the framing cut the message */
};

struct slg_record {
    const struct slg_stream_ref *stream;
    const struct slg_label *metadata; /* in a fixed order, each name once */
    size_t metadata_count;
    int64_t ts_ns;
    struct slg_text line;
    uint32_t flags; /* of struct slg_syslog_message, for counters */
    bool time_adjusted;
    uint32_t
        metadata_dropped; /* items over SLG_METADATA_COUNT_MAX or _BYTES_MAX, and all but the last of one name */
};

struct slg_recorder;

/* NO_MEMORY only. */
SLG_MUST_CHECK enum slg_status slg_recorder_create(struct slg_recorder **ret_recorder);
void slg_recorder_destroy(struct slg_recorder *recorder);

/* Read one message of at most SLG_LINE_BYTES_MAX bytes (longer ones are cut and flagged). OK: *ret_record. AGAIN: the message is empty, count it and store nothing. NO_MEMORY: a new label
 * set found no memory; drop and count. */
SLG_MUST_CHECK enum slg_status slg_recorder_take(struct slg_recorder *recorder,
                                                 const struct slg_record_options *options,
                                                 const struct slg_record_source *source,
                                                 const void *bytes, size_t len,
                                                 struct slg_record *ret_record);

/* Forget all label sets: call it when the options changed (reload). */
void slg_recorder_forget(struct slg_recorder *recorder);

/* Changes when stream handles die. */
uint64_t slg_recorder_epoch(const struct slg_recorder *recorder);

struct slg_recorder_stats {
    uint64_t hits, misses; /* of the table of label sets */
    uint64_t resets;       /* it was full and began anew */
    uint64_t stamps_moved; /* ns added to tell equal stamps apart */
};
void slg_recorder_stats(const struct slg_recorder *recorder, struct slg_recorder_stats *ret_stats);

#endif
