/* storer/summary.h - what a storer knows of a batch without opening it: time range, streams, counts.
 *
 * Layout:  docs/FORMATS.md section 3, table `summaries`. Streams are named by their number in the generation.
 * Owner:   a decoded summary borrows from the bytes; streams are read one by one with slg_summary_stream.
 * Refuses: bad checksum, unknown version, counts over proto/limits.h, trailing bytes (CORRUPT).
 * Threads: pure. */
#ifndef SLG_STORER_SUMMARY_H
#define SLG_STORER_SUMMARY_H

#include "base/cursor.h"
#include "proto/batch.h"

struct slg_summary {
    struct slg_incarnation incarnation;
    uint64_t sequence;
    int64_t ts_min_ns;
    int64_t ts_max_ns;
    uint32_t entry_count;
    uint32_t push_count;
    uint64_t line_bytes;
    uint64_t metadata_bytes;
    uint32_t batch_bytes; /* of the encoded batch */
    uint32_t raw_bytes;   /* of its payload */
    uint32_t stream_count;
    struct slg_cursor streams; /* where slg_summary_stream goes on */
};

struct slg_summary_stream {
    uint32_t number;
    uint32_t entry_count;
    uint64_t line_bytes;
    uint32_t metadata_count;
};

/* stream_numbers[i] = number of header->streams[i] in the generation. */
void slg_summary_encode(struct slg_buf *out, const struct slg_batch_header *header,
                        size_t batch_bytes, const uint32_t *stream_numbers);
SLG_MUST_CHECK enum slg_status slg_summary_decode(const uint8_t *bytes, size_t len,
                                                  struct slg_summary *ret_summary);
/* The next stream of the summary; false after the last. The checksum was checked, so no other failure. */
bool slg_summary_next_stream(struct slg_summary *summary, struct slg_summary_stream *ret_stream);

#endif
