/* proto/batch_internal.h - what the writing and the reading half of batches share; only for proto/batch_*.c.
 * Layout: docs/FORMATS.md section 2. */
#ifndef SLG_PROTO_BATCH_INTERNAL_H
#define SLG_PROTO_BATCH_INTERNAL_H

#include "base/hash.h"
#include "proto/batch.h"

#define SLG_BATCH_MAGIC          "SLGB"
#define SLG_BATCH_ITEM_COUNT     21
#define SLG_BATCH_CHECKSUM_BYTES 8

/* Sections of the payload, in their order. */
enum slg_batch_section {
    SLG_BATCH_TEXT,
    SLG_BATCH_TIMES,
    SLG_BATCH_STREAMS,
    SLG_BATCH_KINDS,
    SLG_BATCH_LENGTHS,
    SLG_BATCH_NAMES,
    SLG_BATCH_METADATA,
    SLG_BATCH_VALUES,
    SLG_BATCH_SECTION_COUNT,
};
#define SLG_BATCH_PAYLOAD_HEADER_BYTES ((size_t)4 * SLG_BATCH_SECTION_COUNT)
#define SLG_BATCH_ENTRY_BYTES_MIN      4 /* time, stream, length, metadata count: one byte each */

static inline uint64_t slg_batch_content_hash(struct slg_text tenant, const void *table,
                                              size_t table_len, const void *payload,
                                              size_t payload_len)
{
    uint64_t hash = slg_hash_xxh3(tenant.at, tenant.len);

    hash = slg_hash_xxh3_seeded(table, table_len, hash);
    return slg_hash_xxh3_seeded(payload, payload_len, hash);
}

#endif
