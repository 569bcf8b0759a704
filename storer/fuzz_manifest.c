/* Records of a data directory and summaries: bytes that we stored, perhaps altered. What decodes encodes back to the
 * same bytes. The first byte chooses the record; a checksum is put right so that the fields are reached.
 * Covers: manifest.c summary.c */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/hash.h"
#include "storer/manifest.h"
#include "storer/summary.h"

#define STREAMS_MAX 64

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

/* Records of version 1 lack keep_from_ns, at the end of version 2. */
static void check_storage(struct slg_buf *out, const struct slg_storage *storage,
                          const uint8_t *bytes, size_t len)
{
    size_t missing = bytes[5] == 1 ? 8 : 0;

    slg_storage_encode(out, storage);
    SLG_ASSERT(out->len == len + missing);
    SLG_ASSERT(missing == 0 || storage->keep_from_ns == 0);
    SLG_ASSERT(memcmp(out->data + 6, bytes + 6, len - 6 - 8) == 0);
    SLG_ASSERT(missing > 0 || memcmp(out->data, bytes, len) == 0);
}

static void check_small(const uint8_t *bytes, size_t len)
{
    struct slg_storage storage;
    struct slg_scrub_record scrub;
    struct slg_opening opening;
    struct slg_shard_id id;

    uint8_t printed[SLG_OPENING_BYTES];
    struct slg_buf out;

    slg_buf_init(&out, 1024);
    if (slg_storage_decode(bytes, len, &storage, NULL) == SLG_OK)
        check_storage(&out, &storage, bytes, len);
    slg_buf_clear(&out);
    if (slg_scrub_record_decode(bytes, len, &scrub, NULL) == SLG_OK) {
        slg_scrub_record_encode(&out, &scrub);
        SLG_ASSERT(out.len == len);
        SLG_ASSERT(memcmp(out.data, bytes, len) == 0);
    }
    slg_buf_fini(&out);
    if (slg_opening_decode(bytes, len, &opening) != SLG_OK)
        return;
    slg_opening_encode(printed, &opening);
    SLG_ASSERT(len == sizeof(printed));
    SLG_ASSERT(memcmp(printed, bytes, len) == 0);
    if (opening.name[0] != '\0') {
        SLG_ASSERT(slg_shard_name_parse(opening.name, &id) == SLG_OK);
        SLG_ASSERT(strcmp(slg_shard_name_of(&id).text, opening.name) == 0);
    }
}

/* The summary of a batch with these numbers. */
static void check_summary_again(const struct slg_summary *summary,
                                const struct slg_summary_stream *streams, uint32_t count)
{
    static struct slg_batch_stream batch_streams[STREAMS_MAX];
    static uint32_t numbers[STREAMS_MAX];
    struct slg_batch_header header = { .id = { .incarnation = summary->incarnation,
                                               .sequence = summary->sequence },
                                       .entry_count = summary->entry_count,
                                       .push_count = summary->push_count,
                                       .line_bytes = summary->line_bytes,
                                       .metadata_bytes = summary->metadata_bytes,
                                       .ts_min_ns = summary->ts_min_ns,
                                       .ts_max_ns = summary->ts_max_ns,
                                       .streams = batch_streams,
                                       .stream_count = count,
                                       .raw_bytes = summary->raw_bytes };
    struct slg_summary again;
    struct slg_buf out;

    for (uint32_t i = 0; i < count; i++) {
        numbers[i] = streams[i].number;
        batch_streams[i].entry_count = streams[i].entry_count;
        batch_streams[i].line_bytes = streams[i].line_bytes;
        batch_streams[i].metadata_count = streams[i].metadata_count;
    }
    slg_buf_init(&out, SLG_BATCH_BYTES_MAX);
    slg_summary_encode(&out, &header, summary->batch_bytes, numbers);
    SLG_ASSERT(slg_summary_decode(out.data, out.len, &again) == SLG_OK);
    SLG_ASSERT(again.sequence == summary->sequence);
    SLG_ASSERT(again.ts_min_ns == summary->ts_min_ns);
    SLG_ASSERT(again.ts_max_ns == summary->ts_max_ns);
    SLG_ASSERT(again.entry_count == summary->entry_count);
    SLG_ASSERT(again.line_bytes == summary->line_bytes);
    SLG_ASSERT(again.stream_count == count);
    slg_buf_fini(&out);
}

static void check_known(const uint8_t *bytes, size_t len)
{
    static struct slg_known_storages known;
    struct slg_buf out;

    if (slg_known_storages_decode(bytes, len, &known, NULL) != SLG_OK)
        return;
    slg_buf_init(&out, SLG_BATCH_BYTES_MAX);
    slg_known_storages_encode(&out, &known);
    SLG_ASSERT(out.len == len);
    SLG_ASSERT(memcmp(out.data, bytes, len) == 0);
    slg_buf_fini(&out);
}

static void check_summary(const uint8_t *bytes, size_t len)
{
    static struct slg_summary_stream streams[STREAMS_MAX];
    struct slg_summary summary;
    struct slg_summary walk;
    uint32_t count = 0;

    if (slg_summary_decode(bytes, len, &summary) != SLG_OK)
        return;
    SLG_ASSERT(summary.ts_min_ns <= summary.ts_max_ns);
    SLG_ASSERT(summary.push_count <= summary.entry_count);
    walk = summary;
    while (count < STREAMS_MAX && slg_summary_next_stream(&walk, &streams[count]))
        SLG_ASSERT(streams[count++].entry_count <= SLG_BATCH_ENTRY_COUNT_MAX);
    if (count == summary.stream_count)
        check_summary_again(&summary, streams, count);
}

/* A directory that somebody may have made: a name that is taken is exactly that of its shard. */
static void check_name(const uint8_t *bytes, size_t len)
{
    char *text = calloc(1, len + 1);
    struct slg_shard_id shard;

    SLG_ASSERT(text != NULL);
    if (len > 0)
        memcpy(text, bytes, len);
    if (slg_shard_name_parse(text, &shard) == SLG_OK) {
        SLG_ASSERT(strcmp(slg_shard_name_of(&shard).text, text) == 0);
        SLG_ASSERT(shard.slot < shard.slot_count);
        SLG_ASSERT(shard.length_ns > 0);
        SLG_ASSERT(shard.window_ns % shard.length_ns == 0);
    }
    free(text);
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
        check_known(bytes, len);
        break;
    case 2:
        check_summary(bytes, len);
        break;
    default: /* as it came: the checksum itself, and names of directories */
        check_name(data + 1, size - 1);
        check_manifest(bytes, size - 1);
        check_small(bytes, size - 1);
        check_summary(bytes, size - 1);
    }
    free(bytes);
    return 0;
}
