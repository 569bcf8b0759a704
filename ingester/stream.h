/* ingester/stream.h - a resolved stream, as record.h and push.h hand it on: all that a batch builder needs.
 *
 * Owner:   bytes and labels are borrowed from whoever resolved it (the recorder, the request). Threads: pure. */
#ifndef SLG_INGESTER_STREAM_H
#define SLG_INGESTER_STREAM_H

#include "proto/label.h"

struct slg_stream_ref {
    struct slg_stream_id id;
    /* Of this handle in its thread or request: equal serials = the same stream; never 0, never given out twice by one
     * recorder, but one stream may get several in time. */
    uint64_t serial;
    const uint8_t *canonical; /* slg_label_encode of labels */
    size_t canonical_len;
    struct slg_label_set labels;
};

#endif
