/* proto/limits.h - every limit of wire and disk, with its unit and reason.
 *
 * These are hard ceilings of the formats. Settings may choose less, never more. Changing one of the first two
 * groups changes what peers accept: see docs/FORMATS.md. */
#ifndef SLG_PROTO_LIMITS_H
#define SLG_PROTO_LIMITS_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* Entries. */
#define SLG_LINE_BYTES_MAX                                                                         \
    ((size_t)256 * 1024) /* a push line; a UDP line is at most 65 527 anyhow */
#define SLG_LABEL_COUNT_MAX       ((size_t)32)   /* labels of one stream; Loki's default is 15 */
#define SLG_LABEL_NAME_BYTES_MAX  ((size_t)1024) /* as Loki's default */
#define SLG_LABEL_VALUE_BYTES_MAX ((size_t)2048) /* as Loki's default */
#define SLG_LABEL_SET_BYTES_MAX   ((size_t)16 * 1024) /* canonical bytes of one stream */
#define SLG_LABEL_INPUT_COUNT_MAX                                                                  \
    ((size_t)256) /* labels as a sender gives them, before equal and empty ones are united */
#define SLG_LABEL_TEXT_BYTES_MAX                                                                   \
    ((size_t)128 * 1024) /* `{a="b"}` of a push: escapes may take 4 times the value */
#define SLG_METADATA_COUNT_MAX ((size_t)128) /* as Loki's max_structured_metadata_entries_count */
#define SLG_METADATA_BYTES_MAX                                                                     \
    ((size_t)64 * 1024) /* names + values of one entry; as Loki's default */
#define SLG_TENANT_BYTES_MAX ((size_t)64)

/* Batches. */
#define SLG_BATCH_SEAL_BYTES                                                                       \
    ((size_t)256 * 1024) /* sealed when its raw payload reaches this (LIMITS: 256 KiB) */
#define SLG_BATCH_RAW_BYTES_MAX                                                                    \
    ((size_t)1024 * 1024) /* decoded payload: one seal plus one largest entry */
#define SLG_BATCH_BYTES_MAX                                                                        \
    ((size_t)4 * 1024 * 1024) /* envelope, compressed payload and stream table */
#define SLG_BATCH_ENTRY_COUNT_MAX  ((size_t)65536)
#define SLG_BATCH_STREAM_COUNT_MAX ((size_t)16384)
#define SLG_BATCH_NAME_COUNT_MAX   ((size_t)2048) /* distinct metadata names of one batch */
#define SLG_BATCH_TABLE_BYTES_MAX                                                                  \
    ((size_t)2 * 1024 *                                                                            \
     1024) /* stream table; with an incompressible payload under SLG_BATCH_BYTES_MAX */
#define SLG_BATCH_SEQUENCE_MAX ((UINT64_C(1) << 48) - 1) /* so that counts of whole sets fit u64 */

/* Messages. */
#define SLG_MESSAGE_BYTES_MAX                                                                      \
    ((size_t)8 * 1024 * 1024) /* cap on every socket; NNG's own default is "unlimited" */
#define SLG_PAGE_BYTES_MAX       ((size_t)1024 * 1024) /* one page of an answer, DESIGN section 6 */
#define SLG_QUERY_TEXT_BYTES_MAX ((size_t)128 * 1024)  /* as Loki's maximum input size */
#define SLG_QUERY_SHARD_COUNT_MAX                                                                  \
    ((size_t)65536) /* shards that one query may name: 7 years of 1 h windows */
#define SLG_SET_RANGE_COUNT_MAX ((size_t)65536) /* ranges in one batch set */
#define SLG_QUERY_MEMORY_BYTES_MAX                                                                 \
    ((size_t)4 * 1024 * 1024 * 1024) /* a storer gives no query more, whatever a querier asks for */

/* Entries in the future: refused by storers, DESIGN section 3. */
#define SLG_FUTURE_NS_MAX (INT64_C(600) * 1000000000)

static_assert(SLG_BATCH_SEAL_BYTES + SLG_LINE_BYTES_MAX + SLG_METADATA_BYTES_MAX + 4096 <=
                  SLG_BATCH_RAW_BYTES_MAX,
              "the entry that seals a batch must fit into it");
static_assert(SLG_BATCH_TABLE_BYTES_MAX + SLG_BATCH_RAW_BYTES_MAX + SLG_BATCH_RAW_BYTES_MAX / 255 +
                      4096 <=
                  SLG_BATCH_BYTES_MAX,
              "the largest table and an incompressible payload must fit into a batch");
static_assert(SLG_BATCH_BYTES_MAX + 65536 <= SLG_MESSAGE_BYTES_MAX,
              "a batch must fit into a message");
static_assert(SLG_PAGE_BYTES_MAX + SLG_LINE_BYTES_MAX * 6 <= SLG_MESSAGE_BYTES_MAX,
              "a page and one escaped line must fit into a message");

#endif
