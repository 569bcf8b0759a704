/* Records of a data directory and summaries: bytes that we stored, perhaps altered. What decodes encodes back to the
 * same bytes. The first byte chooses the record; a checksum is put right so that the fields are reached.
 * Covers: manifest.c summary.c */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/hash.h"
#include "storer/manifest.h"
#include "storer/summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_manifest(const uint8_t *bytes, size_t len)
{
    struct slg_manifest manifest;
    struct slg_buf out;

    if (slg_manifest_decode(bytes, len, &manifest, NULL) != SLG_OK)
        return;
    slg_buf_init(&out, SLG_BATCH_BYTES_MAX);
    slg_manifest_encode(&out, &manifest);
    SLG_ASSERT(out.len == len);
    SLG_ASSERT(memcmp(out.data, bytes, len) == 0);
    slg_buf_fini(&out);
}

static void check_small(const uint8_t *bytes, size_t len)
{
    struct slg_storage storage;
    struct slg_opening opening;
    struct slg_shard_id id;

    if (slg_storage_decode(bytes, len, &storage, NULL) == SLG_OK)
        SLG_ASSERT(len > 16);
    if (slg_opening_decode(bytes, len, &opening) == SLG_OK && opening.name[0] != '\0')
        SLG_ASSERT(slg_shard_name_parse(opening.name, &id) == SLG_OK);
}

static void check_summary(const uint8_t *bytes, size_t len)
{
    struct slg_summary summary;
    struct slg_summary_stream stream;

    if (slg_summary_decode(bytes, len, &summary) != SLG_OK)
        return;
    SLG_ASSERT(summary.ts_min_ns <= summary.ts_max_ns);
    SLG_ASSERT(summary.push_count <= summary.entry_count);
    while (slg_summary_next_stream(&summary, &stream))
        SLG_ASSERT(stream.entry_count <= SLG_BATCH_ENTRY_COUNT_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes;
    uint64_t checksum;
    size_t len;

    if (size == 0)
        return 0;
    len = size - 1 + 8;
    bytes = malloc(len);
    if (bytes == NULL)
        return 0;
    memcpy(bytes, data + 1, size - 1);
    checksum = slg_hash_xxh3(bytes, size - 1);
    for (size_t i = 0; i < 8; i++)
        bytes[size - 1 + i] = (uint8_t)(checksum >> (56 - 8 * i));
    switch (data[0] % 4) {
    case 0:
        check_manifest(bytes, len);
        break;
    case 1:
        check_small(bytes, len);
        break;
    case 2:
        check_summary(bytes, len);
        break;
    default: /* as it came: the checksum itself */
        check_manifest(bytes, size - 1);
        check_small(bytes, size - 1);
        check_summary(bytes, size - 1);
    }
    free(bytes);
    return 0;
}
