#include "storer/shard.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "storer/shard_private.h"

/* Concurrency
 * | state                        | owner                | others                                              |
 * |------------------------------|----------------------|-----------------------------------------------------|
 * | manifest, state, scratch     | the commit lane      | suspect flag and generation_count through atomics   |
 * | generations[0..count)        | written by the lane before it raises generation_count | read by any thread |
 * | a struct slg_shard_read      | the thread that began it | nobody                                          |
 */

static const char *const table_names[TABLE_COUNT] = { "batches",   "ids",     "ranges",
                                                      "summaries", "streams", "state" };

#define SCRATCH_BYTES ((size_t)1 << 20)

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

/* Field by field: the id, and the generations there are, do not change, and other threads read them. */
static void adopt_manifest(struct slg_manifest *own, const struct slg_manifest *manifest)
{
    if (own->change == 0) /* made just now */
        own->shard = manifest->shard;
    for (size_t i = own->generation_count; i < manifest->generation_count; i++)
        own->generations[i] = manifest->generations[i];
    own->generation_count = manifest->generation_count;
    own->next_number = manifest->next_number;
    own->flags = manifest->flags;
    own->change = manifest->change;
}

static enum slg_status write_manifest(struct slg_shard *shard, const struct slg_manifest *manifest,
                                      struct slg_error *reterr)
{
    struct slg_buf out;
    enum slg_status status;

    slg_buf_init(&out, SLG_DISK_SMALL_BYTES_MAX);
    slg_manifest_encode(&out, manifest);
    status = slg_disk_write_buf(shard->directory.text, SLG_NAME_MANIFEST, &out, reterr);
    slg_buf_fini(&out);
    if (status == SLG_OK)
        adopt_manifest(&shard->manifest, manifest);
    return status;
}

static enum slg_status read_manifest(struct slg_shard *shard, const struct slg_shard_id *id,
                                     struct slg_error *reterr)
{
    struct slg_buf bytes;
    enum slg_status status =
        slg_disk_read(shard->directory.text, SLG_NAME_MANIFEST, &bytes, reterr);

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
    shard->state = slg_shard_state_empty;
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
        bool takes_writes =
            shard->maintain || (!shard->read_only && i + 1 == shard->manifest.generation_count);
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
        status = slg_shard_load_state(txn, &shard->state);
        slg_kv_abort(txn);
        if (status != SLG_OK)
            return slg_errorf(reterr, status, "totals of shard \"%s\" cannot be read",
                              slg_shard_name_of(&shard->manifest.shard).text);
    }
    return SLG_OK;
}

/* An empty or small file whose being there is what counts. */
static enum slg_status has_mark(const struct slg_shard *shard, const char *name, bool *ret_has,
                                struct slg_error *reterr)
{
    struct slg_disk_path mark;
    enum slg_status status = slg_disk_join(&mark, shard->directory.text, name, reterr);

    if (status == SLG_OK)
        *ret_has = access(mark.text, F_OK) == 0;
    return status;
}

static enum slg_status open_directory(struct slg_shard *shard,
                                      const struct slg_shard_options *options,
                                      struct slg_error *reterr)
{
    bool quarantined = false, refilling = false;
    enum slg_status status = has_mark(shard, SLG_NAME_QUARANTINED, &quarantined, reterr);

    if (status == SLG_OK)
        status = has_mark(shard, SLG_NAME_REFILLING, &refilling, reterr);
    if (status != SLG_OK)
        return status;
    if (quarantined)
        return slg_error_hintf(reterr, SLG_UNAVAILABLE, "check the disk",
                               "shard \"%s\" is quarantined", slg_shard_name_of(&options->id).text);
    atomic_store(&shard->refilling, refilling);
    status = read_manifest(shard, &options->id, reterr);
    if (status == SLG_NOT_FOUND) {
        status = check_unborn(shard, &options->id, reterr);
        if (status == SLG_OK && !options->create && !refilling)
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
    SLG_ASSERT(!options->maintain || !options->create);
    if (shard == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a shard");
    shard->map_bytes = options->map_bytes;
    shard->faults = options->faults;
    shard->read_only = options->read_only;
    shard->maintain = options->maintain;
    shard->state = slg_shard_state_empty;
    slg_buf_init(&shard->scratch, SCRATCH_BYTES);
    status = slg_disk_join(&shard->directory, options->shards_directory,
                           slg_shard_name_of(&options->id).text, reterr);
    if (status == SLG_OK)
        status = open_directory(shard, options, reterr);
    if (status == SLG_OK)
        status = slg_shard_count_aside(shard, reterr);
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
                                     const char *reason, struct slg_error *reterr)
{
    struct slg_disk_path directory;
    enum slg_status status = slg_disk_join(&directory, shards_directory, shard_name, reterr);

    return status == SLG_OK ? slg_disk_write(directory.text, SLG_NAME_QUARANTINED, reason,
                                             strlen(reason), reterr)
                            : status;
}

enum slg_shard_doubt slg_shard_doubt(const struct slg_shard *shard)
{
    if (atomic_load_explicit(&shard->refilling, memory_order_relaxed))
        return SLG_SHARD_DOUBT_REFILLING;
    return slg_shard_aside_count(shard) > 0 ? SLG_SHARD_DOUBT_ASIDE : SLG_SHARD_DOUBT_NONE;
}

size_t slg_shard_aside_count(const struct slg_shard *shard)
{
    return atomic_load_explicit(&shard->aside_count, memory_order_relaxed);
}

enum slg_status slg_shard_vouch(struct slg_shard *shard, struct slg_error *reterr)
{
    struct slg_disk_path mark;
    enum slg_status status =
        slg_disk_join(&mark, shard->directory.text, SLG_NAME_REFILLING, reterr);

    if (status == SLG_OK && unlink(mark.text) != 0 && errno != ENOENT)
        status =
            slg_errorf(reterr, SLG_IO, "could not unlink \"%s\": %s", mark.text, strerror(errno));
    if (status == SLG_OK)
        status = slg_disk_sync_directory(shard->directory.text, reterr);
    if (status == SLG_OK)
        atomic_store_explicit(&shard->refilling, false, memory_order_relaxed);
    return status;
}

enum slg_status slg_shard_generation_path(const struct slg_shard *shard, size_t generation_index,
                                          struct slg_disk_path *ret_path, struct slg_error *reterr)
{
    SLG_ASSERT(generation_index < slg_shard_generation_count(shard));
    return generation_path(shard, shard->manifest.generations[generation_index], "", ret_path,
                           reterr);
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
