#include "storer/manifest.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/hash.h"

#define STORAGE_VERSION       ((uint16_t)2)
#define STORAGE_VERSION_FIRST ((uint16_t)1) /* without keep_from_ns */
#define OPENING_VERSION       1
#define SCRUB_VERSION         1
#define KNOWN_VERSION         1
#define OPENING_HEAD          ((size_t)8) /* magic, version, crash count, name length */
#define CHECKSUM_BYTES        ((size_t)8)

static_assert(OPENING_HEAD + SLG_SHARD_NAME_BYTES_MAX + CHECKSUM_BYTES == SLG_OPENING_BYTES,
              "the note is head, name and checksum");

static void append_checksum(struct slg_buf *out, size_t start)
{
    if (!slg_buf_failed(out))
        slg_buf_append_u64be(out, slg_hash_xxh3(out->data + start, out->len - start));
}

/* Magic, version and checksum of a record; *ret_body is what stands between. */
static enum slg_status open_record(const uint8_t *bytes, size_t len, const char *magic,
                                   uint16_t version, struct slg_cursor *ret_body,
                                   struct slg_error *reterr)
{
    struct slg_cursor c = slg_cursor_make(bytes, len);
    struct slg_cursor tail;
    uint16_t found;
    uint64_t checksum;

    if (!slg_cursor_take_text(&c, magic) || !slg_cursor_take_u16be(&c, &found))
        return slg_errorf(reterr, SLG_CORRUPT, "%zu bytes that do not begin with \"%s\"", len,
                          magic);
    if (slg_cursor_left(&c) < CHECKSUM_BYTES)
        return slg_errorf(reterr, SLG_CORRUPT, "cut short to %zu bytes", len);
    tail = slg_cursor_make(bytes + len - CHECKSUM_BYTES, CHECKSUM_BYTES);
    if (!slg_cursor_take_u64be(&tail, &checksum) ||
        checksum != slg_hash_xxh3(bytes, len - CHECKSUM_BYTES))
        return slg_errorf(reterr, SLG_CORRUPT, "bad checksum over %zu bytes", len);
    /* Behind the checksum: a damaged version is damage, which is mended. */
    if (found != version)
        return slg_errorf(reterr, SLG_UNSUPPORTED, "version %u, this program reads version %u",
                          found, version);
    c.end -= CHECKSUM_BYTES;
    *ret_body = c;
    return SLG_OK;
}

static bool take_i64be(struct slg_cursor *c, int64_t *ret_value)
{
    uint64_t value;

    if (!slg_cursor_take_u64be(c, &value))
        return false;
    *ret_value = (int64_t)value;
    return true;
}

void slg_manifest_encode(struct slg_buf *out, const struct slg_manifest *manifest)
{
    size_t start = out->len;

    SLG_ASSERT(manifest->generation_count <= SLG_MANIFEST_GENERATION_COUNT_MAX);
    slg_buf_append_text(out, "SLGM");
    slg_buf_append_u16be(out, SLG_MANIFEST_VERSION);
    slg_buf_append_u16be(out, (uint16_t)manifest->flags);
    slg_buf_append_u64be(out, (uint64_t)manifest->shard.window_ns);
    slg_buf_append_u64be(out, (uint64_t)manifest->shard.length_ns);
    slg_buf_append_u16be(out, manifest->shard.slot);
    slg_buf_append_u16be(out, manifest->shard.slot_count);
    slg_buf_append_u64be(out, manifest->change);
    slg_buf_append_u32be(out, manifest->next_number);
    slg_buf_append_u16be(out, (uint16_t)manifest->generation_count);
    for (size_t i = 0; i < manifest->generation_count; i++)
        slg_buf_append_u32be(out, manifest->generations[i]);
    slg_buf_append_u16be(out, 0); /* parts: their place */
    append_checksum(out, start);
}

static bool take_shard(struct slg_cursor *c, struct slg_shard_id *ret_shard)
{
    struct slg_shard_id shard;

    if (!take_i64be(c, &shard.window_ns) || !take_i64be(c, &shard.length_ns) ||
        !slg_cursor_take_u16be(c, &shard.slot) || !slg_cursor_take_u16be(c, &shard.slot_count))
        return false;
    if (shard.length_ns <= 0 || shard.window_ns < 0 || shard.window_ns % shard.length_ns != 0 ||
        shard.window_ns > INT64_MAX - shard.length_ns || shard.slot >= shard.slot_count)
        return false;
    *ret_shard = shard;
    return true;
}

static bool take_generations(struct slg_cursor *c, struct slg_manifest *manifest)
{
    uint16_t count;

    if (!slg_cursor_take_u16be(c, &count) || count > SLG_MANIFEST_GENERATION_COUNT_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint32_t number;

        if (!slg_cursor_take_u32be(c, &number) || number >= manifest->next_number ||
            (i > 0 && number <= manifest->generations[i - 1]))
            return false;
        manifest->generations[i] = number;
    }
    manifest->generation_count = count;
    return true;
}

enum slg_status slg_manifest_decode(const uint8_t *bytes, size_t len,
                                    struct slg_manifest *ret_manifest, struct slg_error *reterr)
{
    struct slg_manifest manifest = { .flags = 0 };
    struct slg_cursor c;
    uint16_t flags, part_count;
    enum slg_status status = open_record(bytes, len, "SLGM", SLG_MANIFEST_VERSION, &c, reterr);

    if (status != SLG_OK)
        return status;
    if (!slg_cursor_take_u16be(&c, &flags) || !take_shard(&c, &manifest.shard) ||
        !slg_cursor_take_u64be(&c, &manifest.change) ||
        !slg_cursor_take_u32be(&c, &manifest.next_number) || !take_generations(&c, &manifest) ||
        !slg_cursor_take_u16be(&c, &part_count))
        return slg_errorf(reterr, SLG_CORRUPT, "a field is out of its range");
    if (part_count > 0 || (flags & ~SLG_MANIFEST_SUSPECT) != 0)
        return slg_errorf(reterr, SLG_UNSUPPORTED,
                          "%u parts and flags %#x, this program reads none", part_count, flags);
    if (slg_cursor_left(&c) > 0)
        return slg_errorf(reterr, SLG_CORRUPT, "%zu bytes too many", slg_cursor_left(&c));
    manifest.flags = flags;
    *ret_manifest = manifest;
    return SLG_OK;
}

void slg_storage_encode(struct slg_buf *out, const struct slg_storage *storage)
{
    size_t start = out->len;

    slg_buf_append_text(out, "SLGD");
    slg_buf_append_u16be(out, STORAGE_VERSION);
    slg_buf_append(out, storage->id, sizeof(storage->id));
    slg_buf_append_u64be(out, storage->counter);
    slg_buf_append_u64be(out, (uint64_t)storage->forget_period_ns);
    slg_buf_append_u32be(out, storage->forget_window_count);
    slg_buf_append_u64be(out, (uint64_t)storage->keep_from_ns);
    append_checksum(out, start);
}

enum slg_status slg_storage_decode(const uint8_t *bytes, size_t len,
                                   struct slg_storage *ret_storage, struct slg_error *reterr)
{
    struct slg_storage storage = { .keep_from_ns = 0 };
    struct slg_cursor c;
    const uint8_t *id;
    bool is_first = false;
    enum slg_status status = open_record(bytes, len, "SLGD", STORAGE_VERSION, &c, reterr);

    if (status == SLG_UNSUPPORTED) {
        is_first = open_record(bytes, len, "SLGD", STORAGE_VERSION_FIRST, &c, NULL) == SLG_OK;
        if (!is_first)
            return status;
    } else if (status != SLG_OK) {
        return status;
    }
    if (!slg_cursor_take_bytes(&c, sizeof(storage.id), &id) ||
        !slg_cursor_take_u64be(&c, &storage.counter) ||
        !take_i64be(&c, &storage.forget_period_ns) ||
        !slg_cursor_take_u32be(&c, &storage.forget_window_count) ||
        (!is_first && !take_i64be(&c, &storage.keep_from_ns)) || slg_cursor_left(&c) > 0)
        return slg_errorf(reterr, SLG_CORRUPT, "%zu bytes are not the length of this record", len);
    memcpy(storage.id, id, sizeof(storage.id));
    *ret_storage = storage;
    return SLG_OK;
}

void slg_known_storages_encode(struct slg_buf *out, const struct slg_known_storages *known)
{
    size_t start = out->len;

    SLG_ASSERT(known->count <= SLG_KNOWN_STORAGE_COUNT_MAX);
    slg_buf_append_text(out, "SLGP");
    slg_buf_append_u16be(out, KNOWN_VERSION);
    slg_buf_append_u16be(out, (uint16_t)known->count);
    for (size_t i = 0; i < known->count; i++) {
        const struct slg_known_storage *row = &known->rows[i];
        size_t len = strnlen(row->node_id, sizeof(row->node_id) - 1);

        slg_buf_append_byte(out, (uint8_t)len);
        slg_buf_append(out, row->node_id, len);
        slg_buf_append(out, row->id, sizeof(row->id));
        slg_buf_append_u64be(out, row->counter);
    }
    append_checksum(out, start);
}

static bool take_known(struct slg_cursor *c, struct slg_known_storage *ret_row)
{
    struct slg_known_storage row = { .counter = 0 };
    const uint8_t *name, *id;
    uint8_t len;

    if (!slg_cursor_take_u8(c, &len) || len == 0 || len >= sizeof(row.node_id) ||
        !slg_cursor_take_bytes(c, len, &name) || memchr(name, '\0', len) != NULL ||
        !slg_cursor_take_bytes(c, sizeof(row.id), &id) || !slg_cursor_take_u64be(c, &row.counter))
        return false;
    memcpy(row.node_id, name, len);
    memcpy(row.id, id, sizeof(row.id));
    *ret_row = row;
    return true;
}

enum slg_status slg_known_storages_decode(const uint8_t *bytes, size_t len,
                                          struct slg_known_storages *ret_known,
                                          struct slg_error *reterr)
{
    struct slg_cursor c;
    uint16_t count;
    enum slg_status status = open_record(bytes, len, "SLGP", KNOWN_VERSION, &c, reterr);

    if (status != SLG_OK)
        return status;
    if (!slg_cursor_take_u16be(&c, &count) || count > SLG_KNOWN_STORAGE_COUNT_MAX)
        return slg_errorf(reterr, SLG_CORRUPT, "a count is out of its range");
    for (size_t i = 0; i < count; i++) {
        if (!take_known(&c, &ret_known->rows[i]))
            return slg_errorf(reterr, SLG_CORRUPT, "row %zu cannot be read", i);
    }
    if (slg_cursor_left(&c) > 0)
        return slg_errorf(reterr, SLG_CORRUPT, "%zu bytes too many", slg_cursor_left(&c));
    ret_known->count = count;
    return SLG_OK;
}

void slg_opening_encode(uint8_t ret_bytes[SLG_OPENING_BYTES], const struct slg_opening *opening)
{
    size_t name_len = strnlen(opening->name, sizeof(opening->name) - 1);
    size_t at = SLG_OPENING_BYTES - CHECKSUM_BYTES;

    memset(ret_bytes, 0, SLG_OPENING_BYTES);
    memcpy(ret_bytes, "SLGO", 4);
    ret_bytes[5] = OPENING_VERSION;
    ret_bytes[6] = opening->crash_count;
    ret_bytes[7] = (uint8_t)name_len;
    memcpy(ret_bytes + OPENING_HEAD, opening->name, name_len);
    slg_bytes_put_u64be(ret_bytes + at, slg_hash_xxh3(ret_bytes, at));
}

enum slg_status slg_opening_decode(const uint8_t *bytes, size_t len,
                                   struct slg_opening *ret_opening)
{
    struct slg_opening opening = { .crash_count = 0 };
    const uint8_t *name;
    struct slg_cursor c;
    uint8_t name_len;
    struct slg_shard_id shard;
    uint8_t again[SLG_OPENING_BYTES];
    enum slg_status status = open_record(bytes, len, "SLGO", OPENING_VERSION, &c, NULL);

    if (status != SLG_OK)
        return status;
    if (len != SLG_OPENING_BYTES || !slg_cursor_take_u8(&c, &opening.crash_count) ||
        !slg_cursor_take_u8(&c, &name_len) || name_len >= sizeof(opening.name) ||
        !slg_cursor_take_bytes(&c, name_len, &name))
        return SLG_CORRUPT;
    memcpy(opening.name, name, name_len);
    if (name_len > 0 && slg_shard_name_parse(opening.name, &shard) != SLG_OK)
        return SLG_CORRUPT;
    slg_opening_encode(again, &opening);
    if (memcmp(again, bytes, len) != 0)
        return SLG_CORRUPT; /* a NUL in the name, or something behind it */
    *ret_opening = opening;
    return SLG_OK;
}

void slg_scrub_record_encode(struct slg_buf *out, const struct slg_scrub_record *record)
{
    size_t start = out->len;

    slg_buf_append(out, "SLGC", 4);
    slg_buf_append_u16be(out, SCRUB_VERSION);
    slg_buf_append_byte(out, record->running);
    slg_buf_append_u64be(out, (uint64_t)record->pass_started_ns);
    slg_buf_append_u64be(out, (uint64_t)record->shard.window_ns);
    slg_buf_append_u64be(out, (uint64_t)record->shard.length_ns);
    slg_buf_append_u16be(out, record->shard.slot);
    slg_buf_append_u16be(out, record->shard.slot_count);
    slg_buf_append_u32be(out, record->generation_index);
    slg_buf_append_u64be(out, record->arrival);
    slg_buf_append_u64be(out, record->done_bytes);
    slg_buf_append_u64be(out, record->total_bytes);
    slg_buf_append_u64be(out, record->damaged_batches);
    append_checksum(out, start);
}

enum slg_status slg_scrub_record_decode(const uint8_t *bytes, size_t len,
                                        struct slg_scrub_record *ret_record,
                                        struct slg_error *reterr)
{
    struct slg_scrub_record record = { .running = false };
    uint64_t started, window, length;
    uint8_t running;
    struct slg_cursor c;
    enum slg_status status = open_record(bytes, len, "SLGC", SCRUB_VERSION, &c, reterr);

    if (status != SLG_OK)
        return status;
    if (!slg_cursor_take_u8(&c, &running) || !slg_cursor_take_u64be(&c, &started) ||
        !slg_cursor_take_u64be(&c, &window) || !slg_cursor_take_u64be(&c, &length) ||
        !slg_cursor_take_u16be(&c, &record.shard.slot) ||
        !slg_cursor_take_u16be(&c, &record.shard.slot_count) ||
        !slg_cursor_take_u32be(&c, &record.generation_index) ||
        !slg_cursor_take_u64be(&c, &record.arrival) ||
        !slg_cursor_take_u64be(&c, &record.done_bytes) ||
        !slg_cursor_take_u64be(&c, &record.total_bytes) ||
        !slg_cursor_take_u64be(&c, &record.damaged_batches) || slg_cursor_left(&c) > 0 ||
        running > 1 || started > INT64_MAX || window > INT64_MAX || length > INT64_MAX)
        return slg_errorf(reterr, SLG_CORRUPT, "a field is out of its range");
    record.running = running == 1;
    record.pass_started_ns = (int64_t)started;
    record.shard.window_ns = (int64_t)window;
    record.shard.length_ns = (int64_t)length;
    *ret_record = record;
    return SLG_OK;
}

struct slg_shard_name slg_shard_name_of(const struct slg_shard_id *shard)
{
    struct slg_shard_name name;

    (void)snprintf(name.text, sizeof(name.text), "%" PRId64 "-%" PRId64 "-%uof%u",
                   shard->window_ns / 1000000000, shard->length_ns / 1000000000, shard->slot,
                   shard->slot_count); /* at most 19 + 19 + 5 + 5 digits: fits */
    return name;
}

enum slg_status slg_shard_name_parse(const char *text, struct slg_shard_id *ret_shard)
{
    struct slg_cursor c = slg_cursor_make(text, strlen(text));
    const uint64_t seconds_max = INT64_MAX / 1000000000;
    uint64_t window, length, slot, slot_count;
    struct slg_shard_id shard;

    if (!slg_cursor_take_uint(&c, 19, seconds_max, &window) || !slg_cursor_take_byte(&c, '-') ||
        !slg_cursor_take_uint(&c, 19, seconds_max, &length) || !slg_cursor_take_byte(&c, '-') ||
        !slg_cursor_take_uint(&c, 5, UINT16_MAX, &slot) || !slg_cursor_take_text(&c, "of") ||
        !slg_cursor_take_uint(&c, 5, UINT16_MAX, &slot_count))
        return SLG_MALFORMED;
    if (length == 0 || window % length != 0 || slot >= slot_count)
        return SLG_MALFORMED;
    shard = (struct slg_shard_id){ .window_ns = (int64_t)window * 1000000000,
                                   .length_ns = (int64_t)length * 1000000000,
                                   .slot = (uint16_t)slot,
                                   .slot_count = (uint16_t)slot_count };
    if (shard.window_ns > INT64_MAX - shard.length_ns ||
        strcmp(slg_shard_name_of(&shard).text, text) != 0)
        return SLG_MALFORMED;
    *ret_shard = shard;
    return SLG_OK;
}
