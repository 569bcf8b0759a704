#include "storer/shard.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/hash.h"
#include "storer/disk.h"

/* Concurrency
 * | state                        | owner                | others                                              |
 * |------------------------------|----------------------|-----------------------------------------------------|
 * | manifest, state, scratch     | the commit lane      | suspect flag and generation_count through atomics   |
 * | generations[0..count)        | written by the lane before it raises generation_count | read by any thread |
 * | a struct slg_shard_read      | the thread that began it | nobody                                          |
 */

enum table {
    TABLE_BATCHES,   /* arrival -> encoded batch */
    TABLE_IDS,       /* incarnation, sequence -> arrival, content hash */
    TABLE_RANGES,    /* incarnation, first -> last: the set of ids */
    TABLE_SUMMARIES, /* arrival -> summary */
    TABLE_STREAMS,   /* stream id -> number, tenant, canonical bytes */
    TABLE_STATE,     /* one record: totals */
    TABLE_COUNT,
};
static const char *const table_names[TABLE_COUNT] = { "batches",   "ids",     "ranges",
                                                      "summaries", "streams", "state" };

#define STATE_KEY       "state"
#define STATE_VERSION   1
#define STATE_BYTES     ((size_t)105) /* docs/FORMATS.md section 3 */
#define SCRATCH_BYTES   ((size_t)1 << 20)
#define QUARANTINE_NAME "quarantined"
#define MANIFEST_NAME   "manifest"

/* Totals of one generation, stored in the transaction that changes them. */
struct state {
    struct slg_batch_set_digest digest;
    uint64_t entry_count;
    uint64_t push_count;
    uint64_t line_bytes;
    uint64_t batch_bytes;
    int64_t ts_min_ns;
    int64_t ts_max_ns;
    uint64_t stream_count; /* next stream number */
    uint64_t last_arrival; /* of the newest batch; 0: none */
};
static const struct state empty_state = { .ts_min_ns = INT64_MAX, .ts_max_ns = INT64_MIN };

struct slg_shard {
    struct slg_disk_path directory;
    struct slg_manifest manifest;
    size_t map_bytes;
    struct slg_kv_faults *faults;
    bool read_only;
    struct state state; /* of the last generation, as committed */
    atomic_bool suspect;
    atomic_size_t generation_count;
    struct slg_kv *generations[SLG_MANIFEST_GENERATION_COUNT_MAX];
    uint32_t *stream_numbers; /* scratch of one put; NULL until the first write */
    struct slg_buf scratch;   /* summary or stream record of one put */
};

struct slg_shard_write {
    struct slg_shard *shard;
    struct slg_kv_txn *txn;
    struct state state;
    struct slg_shard_read *older; /* closed generations, to find duplicates; NULL: there are none */
};

struct slg_shard_read {
    struct slg_shard *shard;
    size_t count;
    struct slg_kv_txn *txns[SLG_MANIFEST_GENERATION_COUNT_MAX];
};

/* ---- keys and records ---- */

#define ID_KEY_BYTES ((size_t)(SLG_INCARNATION_BYTES + 8)) /* of ids and ranges */

static void put_u64(uint8_t *at, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        at[i] = (uint8_t)(value >> (8 * (7 - i)));
}

static uint64_t get_u64(const uint8_t *at)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value = value << 8 | at[i];
    return value;
}

static void make_id_key(uint8_t key[ID_KEY_BYTES], const struct slg_incarnation *incarnation,
                        uint64_t sequence)
{
    memcpy(key, incarnation->bytes, SLG_INCARNATION_BYTES);
    put_u64(key + SLG_INCARNATION_BYTES, sequence);
}

static void encode_state(uint8_t bytes[STATE_BYTES], const struct state *state)
{
    const uint64_t fields[] = {
        state->digest.sum.high, state->digest.sum.low,      state->digest.count,
        state->entry_count,     state->push_count,          state->line_bytes,
        state->batch_bytes,     (uint64_t)state->ts_min_ns, (uint64_t)state->ts_max_ns,
        state->stream_count,    state->last_arrival,        0 /* reserved */,
    };
    uint8_t *at = bytes;

    *at++ = STATE_VERSION;
    for (size_t i = 0; i < SLG_ARRAY_LEN(fields); i++, at += 8)
        put_u64(at, fields[i]);
    put_u64(at, slg_hash_xxh3(bytes, (size_t)(at - bytes)));
    SLG_ASSERT(at + 8 == bytes + STATE_BYTES);
}

static enum slg_status decode_state(struct slg_kv_bytes record, struct state *ret_state)
{
    const uint8_t *at = record.at;

    if (record.len != STATE_BYTES ||
        get_u64(at + STATE_BYTES - 8) != slg_hash_xxh3(at, STATE_BYTES - 8))
        return SLG_CORRUPT;
    if (at[0] != STATE_VERSION)
        return SLG_UNSUPPORTED;
    at++;
    *ret_state = (struct state){
        .digest = { .sum = { .high = get_u64(at), .low = get_u64(at + 8) },
                    .count = get_u64(at + 16) },
        .entry_count = get_u64(at + 24),
        .push_count = get_u64(at + 32),
        .line_bytes = get_u64(at + 40),
        .batch_bytes = get_u64(at + 48),
        .ts_min_ns = (int64_t)get_u64(at + 56),
        .ts_max_ns = (int64_t)get_u64(at + 64),
        .stream_count = get_u64(at + 72),
        .last_arrival = get_u64(at + 80),
    };
    return SLG_OK;
}

/* A generation without a record holds nothing yet. */
static enum slg_status read_state(struct slg_kv_txn *txn, struct state *ret_state)
{
    struct slg_kv_bytes record;
    enum slg_status status = slg_kv_get(txn, TABLE_STATE, STATE_KEY, strlen(STATE_KEY), &record);

    if (status == SLG_NOT_FOUND) {
        *ret_state = empty_state;
        return SLG_OK;
    }
    return status == SLG_OK ? decode_state(record, ret_state) : status;
}

/* ---- opening ---- */

static enum slg_status generation_path(const struct slg_shard *shard, uint32_t number,
                                       const char *suffix, struct slg_disk_path *ret_path,
                                       struct slg_error *reterr)
{
    char name[32];

    (void)snprintf(name, sizeof(name), "g%010u.lmdb%s", number, suffix); /* at most 21 bytes */
    return slg_disk_join(ret_path, shard->directory.text, name, reterr);
}

static enum slg_status open_generation(struct slg_shard *shard, uint32_t number, bool create,
                                       bool read_only, struct slg_kv **ret_kv,
                                       struct slg_error *reterr)
{
    struct slg_disk_path path;
    enum slg_status status = generation_path(shard, number, "", &path, reterr);

    if (status != SLG_OK)
        return status;
    return slg_kv_open(&(struct slg_kv_options){ .path = path.text,
                                                 .map_bytes = shard->map_bytes,
                                                 .tables = table_names,
                                                 .table_count = TABLE_COUNT,
                                                 .create = create,
                                                 .read_only = read_only,
                                                 .faults = shard->faults },
                       ret_kv, reterr);
}

static enum slg_status write_manifest(struct slg_shard *shard, const struct slg_manifest *manifest,
                                      struct slg_error *reterr)
{
    struct slg_disk_path path;
    struct slg_buf out;
    enum slg_status status = slg_disk_join(&path, shard->directory.text, MANIFEST_NAME, reterr);

    if (status != SLG_OK)
        return status;
    slg_buf_init(&out, SLG_DISK_SMALL_BYTES_MAX);
    slg_manifest_encode(&out, manifest);
    status = slg_buf_failed(&out) ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a manifest")
                                  : slg_disk_write(path.text, out.data, out.len, reterr);
    slg_buf_fini(&out);
    if (status == SLG_OK)
        shard->manifest = *manifest;
    return status;
}

static enum slg_status read_manifest(struct slg_shard *shard, const struct slg_shard_id *id,
                                     struct slg_error *reterr)
{
    struct slg_disk_path path;
    struct slg_buf bytes;
    enum slg_status status = slg_disk_join(&path, shard->directory.text, MANIFEST_NAME, reterr);

    if (status != SLG_OK)
        return status;
    slg_buf_init(&bytes, SLG_DISK_SMALL_BYTES_MAX + 4096);
    status = slg_disk_read(path.text, &bytes, reterr);
    if (status == SLG_OK) {
        status = slg_manifest_decode(bytes.data, bytes.len, &shard->manifest, reterr);
        if (status != SLG_OK)
            status =
                slg_error_context(reterr, "manifest of shard \"%s\"", slg_shard_name_of(id).text);
    }
    slg_buf_fini(&bytes);
    if (status == SLG_OK && slg_shard_id_compare(&shard->manifest.shard, id) != 0)
        status =
            slg_errorf(reterr, SLG_CORRUPT, "directory \"%s\" holds shard \"%s\"",
                       slg_shard_name_of(id).text, slg_shard_name_of(&shard->manifest.shard).text);
    return status;
}

/* Names are used once, so a file of the next number is what a crash left behind before it was listed. */
static enum slg_status remove_leftover(const struct slg_shard *shard, uint32_t number,
                                       struct slg_error *reterr)
{
    static const char *const suffixes[] = { "", "-lock" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(suffixes); i++) {
        struct slg_disk_path path;
        enum slg_status status = generation_path(shard, number, suffixes[i], &path, reterr);

        if (status != SLG_OK)
            return status;
        if (unlink(path.text) != 0 && errno != ENOENT)
            return slg_errorf(reterr, SLG_IO, "could not unlink \"%s\": %s", path.text,
                              strerror(errno));
    }
    return SLG_OK;
}

enum slg_status slg_shard_roll(struct slg_shard *shard, struct slg_error *reterr)
{
    struct slg_manifest manifest = shard->manifest;
    size_t count = atomic_load_explicit(&shard->generation_count, memory_order_relaxed);
    struct slg_kv *kv;
    enum slg_status status;

    if (count == SLG_MANIFEST_GENERATION_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "shard \"%s\" has %zu generations",
                          slg_shard_name_of(&manifest.shard).text, count);
    manifest.generations[manifest.generation_count++] = manifest.next_number++;
    manifest.change++;
    status = remove_leftover(shard, shard->manifest.next_number, reterr);
    if (status == SLG_OK)
        status = open_generation(shard, shard->manifest.next_number, /* create= */ true,
                                 /* read_only= */ false, &kv, reterr);
    if (status != SLG_OK)
        return status;
    status = slg_disk_sync_directory(shard->directory.text, reterr);
    if (status == SLG_OK)
        status = write_manifest(shard, &manifest, reterr);
    if (status != SLG_OK) {
        slg_kv_close(kv);
        return status;
    }
    shard->state = empty_state;
    shard->generations[count] = kv;
    atomic_store_explicit(&shard->generation_count, count + 1, memory_order_release);
    return SLG_OK;
}

static enum slg_status create_shard(struct slg_shard *shard, const struct slg_shard_id *id,
                                    struct slg_error *reterr)
{
    const struct slg_manifest manifest = { .shard = *id, .change = 1, .next_number = 1 };
    enum slg_status status = slg_disk_make_directory(shard->directory.text, reterr);

    /* The manifest comes first, so that files without a manifest always mean that it was lost. */
    if (status == SLG_OK)
        status = write_manifest(shard, &manifest, reterr);
    return status == SLG_OK ? slg_shard_roll(shard, reterr) : status;
}

/* No manifest: was there ever one? */
static enum slg_status check_unborn(const struct slg_shard *shard, const struct slg_shard_id *id,
                                    struct slg_error *reterr)
{
    DIR *dir = opendir(shard->directory.text);
    bool has_generation = false;
    struct dirent *item;

    if (dir == NULL)
        return SLG_OK; /* no directory either */
    while ((item = readdir(dir)) != NULL)
        has_generation |= item->d_name[0] == 'g';
    (void)closedir(dir); /* only read from */
    return has_generation ? slg_errorf(reterr, SLG_CORRUPT, "shard \"%s\" has lost its manifest",
                                       slg_shard_name_of(id).text)
                          : SLG_OK;
}

static enum slg_status open_generations(struct slg_shard *shard, struct slg_error *reterr)
{
    for (size_t i = 0; i < shard->manifest.generation_count; i++) {
        bool takes_writes = !shard->read_only && i + 1 == shard->manifest.generation_count;
        struct slg_kv_txn *txn;
        enum slg_status status = open_generation(
            shard, shard->manifest.generations[i],
            /* create= */ false, /* read_only= */ !takes_writes, &shard->generations[i], reterr);

        if (status == SLG_NOT_FOUND) /* the manifest names it, so it was lost */
            return slg_errorf(reterr, SLG_CORRUPT, "generation %u of shard \"%s\" is missing",
                              shard->manifest.generations[i],
                              slg_shard_name_of(&shard->manifest.shard).text);
        if (status != SLG_OK)
            return status;
        atomic_store_explicit(&shard->generation_count, i + 1, memory_order_release);
        status = slg_kv_begin_read(shard->generations[i], &txn, reterr);
        if (status != SLG_OK)
            return status;
        status = read_state(txn, &shard->state);
        slg_kv_abort(txn);
        if (status != SLG_OK)
            return slg_errorf(reterr, status, "totals of shard \"%s\" cannot be read",
                              slg_shard_name_of(&shard->manifest.shard).text);
    }
    return SLG_OK;
}

static enum slg_status open_directory(struct slg_shard *shard,
                                      const struct slg_shard_options *options,
                                      struct slg_error *reterr)
{
    struct slg_disk_path mark;
    enum slg_status status = slg_disk_join(&mark, shard->directory.text, QUARANTINE_NAME, reterr);

    if (status != SLG_OK)
        return status;
    if (access(mark.text, F_OK) == 0)
        return slg_error_hintf(reterr, SLG_UNAVAILABLE,
                               "check the disk, then remove the file \"quarantined\" to try again",
                               "shard \"%s\" is quarantined", slg_shard_name_of(&options->id).text);
    status = read_manifest(shard, &options->id, reterr);
    if (status == SLG_NOT_FOUND) {
        status = check_unborn(shard, &options->id, reterr);
        if (status == SLG_OK && !options->create)
            status = slg_errorf(reterr, SLG_NOT_FOUND, "shard \"%s\" was never written",
                                slg_shard_name_of(&options->id).text);
        return status == SLG_OK ? create_shard(shard, &options->id, reterr) : status;
    }
    return status == SLG_OK ? open_generations(shard, reterr) : status;
}

enum slg_status slg_shard_open(const struct slg_shard_options *options,
                               struct slg_shard **ret_shard, struct slg_error *reterr)
{
    struct slg_shard *shard = calloc(1, sizeof(*shard));
    enum slg_status status;

    SLG_ASSERT(!options->create || !options->read_only);
    if (shard == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a shard");
    shard->map_bytes = options->map_bytes;
    shard->faults = options->faults;
    shard->read_only = options->read_only;
    shard->state = empty_state;
    slg_buf_init(&shard->scratch, SCRATCH_BYTES);
    status = slg_disk_join(&shard->directory, options->shards_directory,
                           slg_shard_name_of(&options->id).text, reterr);
    if (status == SLG_OK)
        status = open_directory(shard, options, reterr);
    if (status != SLG_OK) {
        slg_shard_close(shard);
        return status;
    }
    atomic_store(&shard->suspect, (shard->manifest.flags & SLG_MANIFEST_SUSPECT) != 0);
    *ret_shard = shard;
    return SLG_OK;
}

void slg_shard_close(struct slg_shard *shard)
{
    size_t count;

    if (shard == NULL)
        return;
    count = atomic_load(&shard->generation_count);
    for (size_t i = 0; i < count; i++)
        slg_kv_close(shard->generations[i]);
    free(shard->stream_numbers);
    slg_buf_fini(&shard->scratch);
    free(shard);
}

enum slg_status slg_shard_quarantine(const char *shards_directory, const char *shard_name,
                                     struct slg_error *reterr)
{
    struct slg_disk_path directory, mark;
    enum slg_status status = slg_disk_join(&directory, shards_directory, shard_name, reterr);

    if (status == SLG_OK)
        status = slg_disk_join(&mark, directory.text, QUARANTINE_NAME, reterr);
    return status == SLG_OK ? slg_disk_write(mark.text, "", 0, reterr) : status;
}

const struct slg_shard_id *slg_shard_id_of(const struct slg_shard *shard)
{
    return &shard->manifest.shard; /* never changes after open */
}

bool slg_shard_suspect(const struct slg_shard *shard)
{
    return atomic_load_explicit(&shard->suspect, memory_order_relaxed);
}

bool slg_shard_read_only(const struct slg_shard *shard)
{
    return shard->read_only;
}

size_t slg_shard_generation_count(const struct slg_shard *shard)
{
    return atomic_load_explicit(&shard->generation_count, memory_order_acquire);
}

enum slg_status slg_shard_mark_suspect(struct slg_shard *shard, struct slg_error *reterr)
{
    struct slg_manifest manifest = shard->manifest;

    manifest.flags |= SLG_MANIFEST_SUSPECT;
    manifest.change++;
    /* In memory at once: when even the manifest cannot be written, this process still must not ack. */
    atomic_store_explicit(&shard->suspect, true, memory_order_relaxed);
    return write_manifest(shard, &manifest, reterr);
}

/* ---- reading ---- */

static enum slg_status begin_reads(struct slg_shard *shard, size_t count,
                                   struct slg_shard_read **ret_read, struct slg_error *reterr)
{
    struct slg_shard_read *read = calloc(1, sizeof(*read));
    enum slg_status status = SLG_OK;

    if (read == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a read");
    read->shard = shard;
    for (; status == SLG_OK && read->count < count; read->count += status == SLG_OK)
        status =
            slg_kv_begin_read(shard->generations[read->count], &read->txns[read->count], reterr);
    if (status != SLG_OK) {
        slg_shard_read_end(read);
        return status;
    }
    *ret_read = read;
    return SLG_OK;
}

enum slg_status slg_shard_read_begin(struct slg_shard *shard, struct slg_shard_read **ret_read,
                                     struct slg_error *reterr)
{
    return begin_reads(shard, slg_shard_generation_count(shard), ret_read, reterr);
}

void slg_shard_read_end(struct slg_shard_read *read)
{
    if (read == NULL)
        return;
    for (size_t i = 0; i < read->count; i++)
        slg_kv_abort(read->txns[i]);
    free(read);
}

enum slg_status slg_shard_read_totals(struct slg_shard_read *read,
                                      struct slg_shard_totals *ret_totals)
{
    struct slg_shard_totals totals = { .ts_min_ns = INT64_MAX,
                                       .ts_max_ns = INT64_MIN,
                                       .generation_count = read->count };

    for (size_t i = 0; i < read->count; i++) {
        struct state state;
        enum slg_status status = read_state(read->txns[i], &state);
        uint64_t low;

        if (status != SLG_OK)
            return status;
        low = totals.digest.sum.low + state.digest.sum.low;
        totals.digest.sum.high +=
            state.digest.sum.high + (low < state.digest.sum.low ? 1 : 0); /* mod 2^128 */
        totals.digest.sum.low = low;
        totals.digest.count += state.digest.count;
        totals.entry_count += state.entry_count;
        totals.push_count += state.push_count;
        totals.line_bytes += state.line_bytes;
        totals.batch_bytes += state.batch_bytes;
        totals.stream_count += state.stream_count;
        if (state.ts_min_ns < totals.ts_min_ns)
            totals.ts_min_ns = state.ts_min_ns;
        if (state.ts_max_ns > totals.ts_max_ns)
            totals.ts_max_ns = state.ts_max_ns;
        totals.file_bytes += slg_kv_bytes(read->shard->generations[i]);
    }
    *ret_totals = totals;
    return SLG_OK;
}

static enum slg_status read_generation_set(struct slg_kv_txn *txn, struct slg_batch_set *set)
{
    struct slg_kv_cursor *cursor;
    struct slg_kv_bytes key, value;
    enum slg_status status = slg_kv_cursor_open(txn, TABLE_RANGES, &cursor);

    if (status != SLG_OK)
        return status;
    status = slg_kv_cursor_seek(cursor, NULL, 0, &key, &value);
    while (status == SLG_OK) {
        struct slg_incarnation incarnation;

        if (key.len != ID_KEY_BYTES || value.len != 8) {
            status = SLG_CORRUPT;
            break;
        }
        memcpy(incarnation.bytes, key.at, SLG_INCARNATION_BYTES);
        status = slg_batch_set_add_range(set, &incarnation, get_u64(key.at + SLG_INCARNATION_BYTES),
                                         get_u64(value.at));
        if (status == SLG_OK)
            status = slg_kv_cursor_next(cursor, &key, &value);
    }
    slg_kv_cursor_close(cursor);
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

enum slg_status slg_shard_read_set(struct slg_shard_read *read, struct slg_batch_set *set)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; status == SLG_OK && i < read->count; i++)
        status = read_generation_set(read->txns[i], set);
    return status;
}

enum slg_status slg_shard_read_batch(struct slg_shard_read *read, const struct slg_batch_ref *ref,
                                     struct slg_kv_bytes *ret_bytes)
{
    uint8_t key[8];

    if (ref->generation_index >= read->count)
        return SLG_NOT_FOUND;
    put_u64(key, ref->arrival);
    return slg_kv_get(read->txns[ref->generation_index], TABLE_BATCHES, key, sizeof(key),
                      ret_bytes);
}

enum slg_status slg_shard_read_by_id(struct slg_shard_read *read,
                                     const struct slg_incarnation *incarnation, uint64_t sequence,
                                     struct slg_kv_bytes *ret_bytes)
{
    uint8_t key[ID_KEY_BYTES];

    make_id_key(key, incarnation, sequence);
    for (size_t i = 0; i < read->count; i++) {
        struct slg_kv_bytes value;
        enum slg_status status = slg_kv_get(read->txns[i], TABLE_IDS, key, sizeof(key), &value);

        if (status == SLG_OK && value.len != 16)
            return SLG_CORRUPT;
        if (status == SLG_OK) /* the value begins with the key of the batch: its arrival */
            return slg_kv_get(read->txns[i], TABLE_BATCHES, value.at, 8, ret_bytes);
        if (status != SLG_NOT_FOUND)
            return status;
    }
    return SLG_NOT_FOUND;
}

bool slg_shard_read_holds(struct slg_shard_read *read, const struct slg_batch_id *id,
                          uint64_t content_hash)
{
    uint8_t key[ID_KEY_BYTES];

    make_id_key(key, &id->incarnation, id->sequence);
    for (size_t i = 0; i < read->count; i++) {
        struct slg_kv_bytes value;

        if (slg_kv_get(read->txns[i], TABLE_IDS, key, sizeof(key), &value) == SLG_OK)
            return value.len == 16 && get_u64(value.at + 8) == content_hash;
    }
    return false;
}

static enum slg_status walk_summaries(struct slg_kv_txn *txn, uint32_t generation_index,
                                      slg_shard_visit_summary *visit, void *ctx)
{
    struct slg_kv_cursor *cursor;
    struct slg_kv_bytes key, value;
    enum slg_status status = slg_kv_cursor_open(txn, TABLE_SUMMARIES, &cursor);

    if (status != SLG_OK)
        return status;
    status = slg_kv_cursor_seek(cursor, NULL, 0, &key, &value);
    while (status == SLG_OK) {
        struct slg_batch_ref ref = { .generation_index = generation_index };
        struct slg_summary summary;

        status = key.len == 8 ? slg_summary_decode(value.at, value.len, &summary) : SLG_CORRUPT;
        if (status != SLG_OK)
            break;
        ref.arrival = get_u64(key.at);
        status = visit(ctx, &ref, &summary);
        if (status != SLG_OK) {
            slg_kv_cursor_close(cursor);
            return status; /* NOT_FOUND of a visitor is its own */
        }
        status = slg_kv_cursor_next(cursor, &key, &value);
    }
    slg_kv_cursor_close(cursor);
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

enum slg_status slg_shard_each_summary(struct slg_shard_read *read, slg_shard_visit_summary *visit,
                                       void *ctx)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; status == SLG_OK && i < read->count; i++)
        status = walk_summaries(read->txns[i], (uint32_t)i, visit, ctx);
    return status;
}

/* Record of a stream: number u32, tenant length u8, tenant, canonical bytes. */
static bool decode_stream(struct slg_kv_bytes record, struct slg_shard_stream *stream)
{
    struct slg_cursor c = slg_cursor_make(record.at, record.len);
    const uint8_t *tenant;
    uint8_t tenant_len;

    if (!slg_cursor_take_u32be(&c, &stream->number) || !slg_cursor_take_u8(&c, &tenant_len) ||
        !slg_cursor_take_bytes(&c, tenant_len, &tenant))
        return false;
    stream->tenant = slg_text_make(tenant, tenant_len);
    stream->canonical = slg_text_make(c.at, slg_cursor_left(&c));
    return true;
}

static enum slg_status walk_streams(struct slg_kv_txn *txn, uint32_t generation_index,
                                    slg_shard_visit_stream *visit, void *ctx)
{
    struct slg_kv_cursor *cursor;
    struct slg_kv_bytes key, value;
    enum slg_status status = slg_kv_cursor_open(txn, TABLE_STREAMS, &cursor);

    if (status != SLG_OK)
        return status;
    status = slg_kv_cursor_seek(cursor, NULL, 0, &key, &value);
    while (status == SLG_OK) {
        struct slg_shard_stream stream = { .generation_index = generation_index };

        if (key.len != sizeof(stream.id.bytes) || !decode_stream(value, &stream)) {
            status = SLG_CORRUPT;
            break;
        }
        memcpy(stream.id.bytes, key.at, sizeof(stream.id.bytes));
        status = visit(ctx, &stream);
        if (status != SLG_OK) {
            slg_kv_cursor_close(cursor);
            return status;
        }
        status = slg_kv_cursor_next(cursor, &key, &value);
    }
    slg_kv_cursor_close(cursor);
    return status == SLG_NOT_FOUND ? SLG_OK : status;
}

enum slg_status slg_shard_each_stream(struct slg_shard_read *read, slg_shard_visit_stream *visit,
                                      void *ctx)
{
    enum slg_status status = SLG_OK;

    for (size_t i = 0; status == SLG_OK && i < read->count; i++)
        status = walk_streams(read->txns[i], (uint32_t)i, visit, ctx);
    return status;
}

/* ---- writing ---- */

enum slg_status slg_shard_write_begin(struct slg_shard *shard, struct slg_shard_write **ret_write,
                                      struct slg_error *reterr)
{
    size_t count = slg_shard_generation_count(shard);
    struct slg_shard_write *write;
    enum slg_status status = SLG_OK;

    SLG_ASSERT(!shard->read_only);
    if (slg_shard_suspect(shard))
        return slg_error_hintf(reterr, SLG_UNAVAILABLE, "check the disk",
                               "shard \"%s\" is read-only: a commit failed and it was not yet "
                               "compared with its peers",
                               slg_shard_name_of(&shard->manifest.shard).text);
    if (count == 0) {
        status = slg_shard_roll(shard, reterr);
        if (status != SLG_OK)
            return status;
        count = 1;
    }
    if (shard->stream_numbers == NULL) {
        shard->stream_numbers = calloc(SLG_BATCH_STREAM_COUNT_MAX, sizeof(uint32_t));
        if (shard->stream_numbers == NULL)
            return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for stream numbers");
    }
    write = calloc(1, sizeof(*write));
    if (write == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a write");
    write->shard = shard;
    write->state = shard->state;
    if (count > 1)
        status = begin_reads(shard, count - 1, &write->older, reterr);
    if (status == SLG_OK)
        status = slg_kv_begin_write(shard->generations[count - 1], &write->txn, reterr);
    if (status != SLG_OK) {
        slg_shard_write_abort(write);
        return status;
    }
    *ret_write = write;
    return SLG_OK;
}

static void free_write(struct slg_shard_write *write)
{
    slg_shard_read_end(write->older);
    free(write);
}

void slg_shard_write_abort(struct slg_shard_write *write)
{
    if (write == NULL)
        return;
    slg_kv_abort(write->txn);
    free_write(write);
}

enum slg_status slg_shard_write_commit(struct slg_shard_write *write, struct slg_error *reterr)
{
    uint8_t record[STATE_BYTES];
    enum slg_status status;

    encode_state(record, &write->state);
    status = slg_kv_put(write->txn, TABLE_STATE, SLG_KV_PUT, STATE_KEY, strlen(STATE_KEY), record,
                        sizeof(record));
    if (status != SLG_OK) {
        slg_shard_write_abort(write);
        return slg_errorf(reterr, status, "could not write the totals");
    }
    status = slg_kv_commit(write->txn, reterr);
    if (status == SLG_OK)
        write->shard->state = write->state;
    free_write(write);
    return status;
}

/* OK with *ret_put, or NOT_FOUND: the batch is new. */
static enum slg_status find_id(struct slg_shard_write *write, const uint8_t key[ID_KEY_BYTES],
                               uint64_t content_hash, enum slg_shard_put *ret_put)
{
    struct slg_kv_bytes value;
    enum slg_status status = slg_kv_get(write->txn, TABLE_IDS, key, ID_KEY_BYTES, &value);

    for (size_t i = 0; write->older != NULL && status == SLG_NOT_FOUND && i < write->older->count;
         i++)
        status = slg_kv_get(write->older->txns[i], TABLE_IDS, key, ID_KEY_BYTES, &value);
    if (status != SLG_OK)
        return status;
    if (value.len != 16)
        return SLG_CORRUPT;
    *ret_put =
        get_u64(value.at + 8) == content_hash ? SLG_SHARD_PUT_DUPLICATE : SLG_SHARD_PUT_CONTENT;
    return SLG_OK;
}

/* Number of a stream of this generation, UINT32_MAX for one that is new. INVALID: H19. */
static enum slg_status find_stream(struct slg_shard_write *write,
                                   const struct slg_batch_header *header,
                                   const struct slg_batch_stream *stream, uint32_t *ret_number)
{
    const struct slg_shard_id *shard = &write->shard->manifest.shard;
    struct slg_shard_stream known;
    struct slg_kv_bytes record;
    enum slg_status status =
        slg_kv_get(write->txn, TABLE_STREAMS, stream->id.bytes, sizeof(stream->id.bytes), &record);

    if (status == SLG_OK) {
        if (!decode_stream(record, &known))
            return SLG_CORRUPT;
        if (!slg_text_equal(known.tenant, header->tenant) ||
            !slg_text_equal(known.canonical,
                            slg_text_make(stream->canonical, stream->canonical_len)))
            return SLG_INVALID;
        *ret_number = known.number;
        return SLG_OK;
    }
    if (status == SLG_NOT_FOUND) {
        struct slg_stream_id id =
            slg_stream_id_of(header->tenant, stream->canonical, stream->canonical_len);

        if (!slg_stream_id_equal(&id, &stream->id) ||
            slg_stream_slot(&id, shard->slot_count) != shard->slot)
            return SLG_INVALID;
        *ret_number = UINT32_MAX;
        return SLG_OK;
    }
    return status;
}

static enum slg_status find_streams(struct slg_shard_write *write,
                                    const struct slg_batch_header *header)
{
    enum slg_status status = SLG_OK;

    for (uint32_t i = 0; status == SLG_OK && i < header->stream_count; i++)
        status = find_stream(write, header, &header->streams[i], &write->shard->stream_numbers[i]);
    return status;
}

static enum slg_status put_new_streams(struct slg_shard_write *write,
                                       const struct slg_batch_header *header)
{
    struct slg_buf *scratch = &write->shard->scratch;
    uint32_t *numbers = write->shard->stream_numbers;
    enum slg_status status = SLG_OK;

    for (uint32_t i = 0; status == SLG_OK && i < header->stream_count; i++) {
        const struct slg_batch_stream *stream = &header->streams[i];

        if (numbers[i] != UINT32_MAX)
            continue;
        if (write->state.stream_count >= UINT32_MAX)
            return SLG_LIMIT; /* a new generation counts anew */
        numbers[i] = (uint32_t)write->state.stream_count++;
        slg_buf_clear(scratch);
        slg_buf_append_u32be(scratch, numbers[i]);
        slg_buf_append_byte(scratch, (uint8_t)header->tenant.len);
        slg_buf_append(scratch, header->tenant.at, header->tenant.len);
        slg_buf_append(scratch, stream->canonical, stream->canonical_len);
        if (slg_buf_failed(scratch))
            return SLG_NO_MEMORY;
        status = slg_kv_put(write->txn, TABLE_STREAMS, SLG_KV_PUT, stream->id.bytes,
                            sizeof(stream->id.bytes), scratch->data, scratch->len);
    }
    return status;
}

/* A range of ids as it stands in the table; last 0 = there is none. */
struct range {
    uint64_t first;
    uint64_t last;
};

static enum slg_status take_range(enum slg_status status, struct slg_kv_bytes key,
                                  struct slg_kv_bytes value,
                                  const struct slg_incarnation *incarnation,
                                  struct range *ret_range)
{
    if (status == SLG_NOT_FOUND)
        return SLG_OK;
    if (status != SLG_OK)
        return status;
    if (key.len != ID_KEY_BYTES || value.len != 8)
        return SLG_CORRUPT;
    if (memcmp(key.at, incarnation->bytes, SLG_INCARNATION_BYTES) == 0)
        *ret_range = (struct range){ .first = get_u64(key.at + SLG_INCARNATION_BYTES),
                                     .last = get_u64(value.at) };
    return SLG_OK;
}

/* The ranges of this incarnation on both sides of sequence. */
static enum slg_status find_ranges(struct slg_kv_txn *txn, const struct slg_batch_id *id,
                                   struct range *ret_before, struct range *ret_after)
{
    struct slg_kv_cursor *cursor;
    struct slg_kv_bytes key, value;
    uint8_t wanted[ID_KEY_BYTES];
    enum slg_status found;
    enum slg_status status = slg_kv_cursor_open(txn, TABLE_RANGES, &cursor);

    if (status != SLG_OK)
        return status;
    make_id_key(wanted, &id->incarnation, id->sequence);
    found = slg_kv_cursor_seek(cursor, wanted, sizeof(wanted), &key, &value);
    status = take_range(found, key, value, &id->incarnation, ret_after);
    if (status == SLG_OK) {
        found = found == SLG_OK ? slg_kv_cursor_previous(cursor, &key, &value)
                                : slg_kv_cursor_last(cursor, &key, &value);
        status = take_range(found, key, value, &id->incarnation, ret_before);
    }
    slg_kv_cursor_close(cursor);
    return status;
}

static enum slg_status put_range(struct slg_shard_write *write, const struct slg_batch_id *id)
{
    struct range before = { 0, 0 }, after = { 0, 0 };
    struct range joined = { .first = id->sequence, .last = id->sequence };
    uint8_t key[ID_KEY_BYTES], value[8];
    enum slg_status status = find_ranges(write->txn, id, &before, &after);

    if (status != SLG_OK)
        return status;
    if (after.last != 0 && after.first == id->sequence + 1) {
        joined.last = after.last;
        make_id_key(key, &id->incarnation, after.first);
        status = slg_kv_delete(write->txn, TABLE_RANGES, key, sizeof(key));
        if (status != SLG_OK)
            return status;
    }
    if (before.last != 0 && before.last == id->sequence - 1)
        joined.first = before.first;
    make_id_key(key, &id->incarnation, joined.first);
    put_u64(value, joined.last);
    return slg_kv_put(write->txn, TABLE_RANGES, SLG_KV_PUT, key, sizeof(key), value, sizeof(value));
}

static void add_to_state(struct state *state, const struct slg_batch_header *header,
                         size_t batch_bytes)
{
    slg_batch_set_digest_add(&state->digest, &header->id);
    state->entry_count += header->entry_count;
    state->push_count += header->push_count;
    state->line_bytes += header->line_bytes;
    state->batch_bytes += batch_bytes;
    if (header->ts_min_ns < state->ts_min_ns)
        state->ts_min_ns = header->ts_min_ns;
    if (header->ts_max_ns > state->ts_max_ns)
        state->ts_max_ns = header->ts_max_ns;
    state->last_arrival++;
}

static enum slg_status put_records(struct slg_shard_write *write,
                                   const struct slg_batch_header *header,
                                   const uint8_t id_key[ID_KEY_BYTES], const uint8_t *bytes,
                                   size_t len)
{
    struct slg_buf *scratch = &write->shard->scratch;
    uint8_t arrival[8], id_value[16];
    enum slg_status status = put_new_streams(write, header);

    if (status != SLG_OK)
        return status;
    slg_buf_clear(scratch);
    slg_summary_encode(scratch, header, len, write->shard->stream_numbers);
    if (slg_buf_failed(scratch))
        return SLG_NO_MEMORY;
    add_to_state(&write->state, header, len);
    put_u64(arrival, write->state.last_arrival);
    put_u64(id_value, write->state.last_arrival);
    put_u64(id_value + 8, header->content_hash);
    status =
        slg_kv_put(write->txn, TABLE_BATCHES, SLG_KV_APPEND, arrival, sizeof(arrival), bytes, len);
    if (status == SLG_OK)
        status = slg_kv_put(write->txn, TABLE_SUMMARIES, SLG_KV_APPEND, arrival, sizeof(arrival),
                            scratch->data, scratch->len);
    if (status == SLG_OK)
        status = slg_kv_put(write->txn, TABLE_IDS, SLG_KV_PUT, id_key, ID_KEY_BYTES, id_value,
                            sizeof(id_value));
    return status == SLG_OK ? put_range(write, &header->id) : status;
}

enum slg_status slg_shard_write_put(struct slg_shard_write *write,
                                    const struct slg_batch_header *header, const uint8_t *bytes,
                                    size_t len, enum slg_shard_put *ret_put)
{
    uint8_t key[ID_KEY_BYTES];
    enum slg_status status;

    SLG_ASSERT(slg_shard_id_compare(&header->id.shard, &write->shard->manifest.shard) == 0);
    SLG_ASSERT(header->stream_count <= SLG_BATCH_STREAM_COUNT_MAX);
    make_id_key(key, &header->id.incarnation, header->id.sequence);
    status = find_id(write, key, header->content_hash, ret_put);
    if (status != SLG_NOT_FOUND)
        return status;
    status = find_streams(write, header);
    if (status == SLG_INVALID) {
        *ret_put = SLG_SHARD_PUT_STREAM;
        return SLG_OK;
    }
    if (status == SLG_OK)
        status = put_records(write, header, key, bytes, len);
    if (status == SLG_OK)
        *ret_put = SLG_SHARD_PUT_NEW;
    return status;
}
