#include "storer/catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "storer/catalogue_private.h"
#include "storer/quarantine.h"

/* Concurrency
 * | state                          | owner                    | others                                           |
 * |--------------------------------|--------------------------|--------------------------------------------------|
 * | entries, their states and pins | whoever holds `mutex`    | -                                                |
 * | an entry that is BUSY          | the thread that made it so, without the mutex | wait on `changed`           |
 * | the note `opening`             | the thread that set `is_opening` | wait on `changed`                        |
 * | storage                        | housekeeping             | the id never changes; the counter is read and written under `mutex` |
 * No disk is touched under the mutex. Pins are short (a commit, a scan slice), so waits are, too. */

/* ---- pins ---- */

/* With the mutex. AGAIN: the entry has changed, look again. */
static enum slg_status try_pin(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                               bool create, struct slg_shard **ret_shard, struct slg_error *reterr)
{
    struct entry *entry = slg_catalogue_find(catalogue, id);
    enum slg_status status;

    if (entry == NULL && !create)
        return slg_errorf(reterr, SLG_NOT_FOUND, "there is no shard \"%s\"",
                          slg_shard_name_of(id).text);
    if (entry == NULL) {
        status = slg_catalogue_insert(catalogue, id, &entry, reterr);
        if (status != SLG_OK)
            return status;
        entry->unborn = true;
    }
    if (entry->dying)
        return slg_errorf(reterr, SLG_UNAVAILABLE, "shard \"%s\" is being forgotten",
                          slg_shard_name_of(id).text);
    if (entry->state == ENTRY_OPEN && create && slg_shard_read_only(entry->shard)) {
        entry->state = ENTRY_BROKEN;
        if (entry->pin_count > 0)
            slg_catalogue_wait(catalogue);
        else
            slg_catalogue_close_entry(catalogue, entry);
        return SLG_AGAIN;
    }
    if (entry->state == ENTRY_OPEN) {
        entry->pin_count++;
        entry->used_mono_ns = slg_clock_mono_ns(slg_clock_system());
        TAILQ_REMOVE(&catalogue->open, entry, open_link);
        TAILQ_INSERT_TAIL(&catalogue->open, entry, open_link);
        *ret_shard = entry->shard;
        return SLG_OK;
    }
    if (entry->state == ENTRY_CLOSED && catalogue->open_count >= catalogue->open_count_max &&
        slg_catalogue_close_surplus(catalogue))
        return SLG_AGAIN; /* the entry may be gone */
    if (entry->state == ENTRY_CLOSED && !catalogue->is_opening) {
        status = slg_catalogue_open_entry(catalogue, entry, create, reterr);
        return status == SLG_OK ? SLG_AGAIN : status;
    }
    slg_catalogue_wait(catalogue);
    return SLG_AGAIN;
}

enum slg_status slg_catalogue_pin(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                  bool create, struct slg_shard **ret_shard,
                                  struct slg_error *reterr)
{
    enum slg_status status;

    slg_catalogue_lock(catalogue);
    do
        status = try_pin(catalogue, id, create, ret_shard, reterr);
    while (status == SLG_AGAIN);
    slg_catalogue_unlock(catalogue);
    return status;
}

static void unpin(struct slg_catalogue *catalogue, struct slg_shard *shard, bool broken)
{
    struct entry *entry;

    slg_catalogue_lock(catalogue);
    entry = slg_catalogue_find(catalogue, slg_shard_id_of(shard));
    SLG_ASSERT(entry != NULL);
    SLG_ASSERT(entry->shard == shard);
    SLG_ASSERT(entry->pin_count > 0);
    entry->pin_count--;
    entry->used_mono_ns = slg_clock_mono_ns(slg_clock_system());
    if (broken)
        entry->state = ENTRY_BROKEN;
    if (entry->state == ENTRY_BROKEN && entry->pin_count == 0)
        slg_catalogue_close_entry(catalogue, entry);
    slg_catalogue_unlock(catalogue);
}

void slg_catalogue_unpin(struct slg_catalogue *catalogue, struct slg_shard *shard)
{
    unpin(catalogue, shard, /* broken= */ false);
}

void slg_catalogue_unpin_broken(struct slg_catalogue *catalogue, struct slg_shard *shard)
{
    unpin(catalogue, shard, /* broken= */ true);
}

/* ---- listing ---- */

bool slg_catalogue_next(struct slg_catalogue *catalogue, const struct slg_shard_id *after,
                        struct slg_shard_id *ret_id)
{
    size_t at = 0;
    bool found;

    slg_catalogue_lock(catalogue);
    if (after != NULL) {
        at = slg_catalogue_lower_bound(catalogue, after);
        if (at < catalogue->entry_count &&
            slg_shard_id_compare(&catalogue->entries[at]->id, after) == 0)
            at++;
    }
    while (at < catalogue->entry_count && catalogue->entries[at]->unborn)
        at++;
    found = at < catalogue->entry_count;
    if (found)
        *ret_id = catalogue->entries[at]->id;
    slg_catalogue_unlock(catalogue);
    return found;
}

enum slg_status slg_catalogue_list(struct slg_catalogue *catalogue, int64_t from_ns, int64_t to_ns,
                                   struct slg_arena *arena, struct slg_catalogue_row **ret_rows,
                                   size_t *ret_count)
{
    enum slg_status status = SLG_OK;
    struct slg_catalogue_row *rows;
    size_t count = 0;

    from_ns = from_ns < 0 ? 0 : from_ns; /* no window begins before the epoch */
    slg_catalogue_lock(catalogue);
    rows = slg_arena_calloc(arena, catalogue->entry_count + 1, sizeof(*rows));
    if (rows == NULL)
        status = SLG_LIMIT;
    for (size_t i = 0; rows != NULL && i < catalogue->entry_count; i++) {
        const struct entry *entry = catalogue->entries[i];

        if (entry->unborn || entry->id.window_ns >= to_ns ||
            entry->id.length_ns <= from_ns - entry->id.window_ns)
            continue;
        rows[count++] = (struct slg_catalogue_row){
            .id = entry->id,
            .open = entry->shard != NULL,
            .quarantined = entry->quarantined,
            .suspect = entry->shard != NULL ? slg_shard_suspect(entry->shard) : entry->suspect,
        };
    }
    slg_catalogue_unlock(catalogue);
    *ret_rows = rows;
    *ret_count = count;
    return status;
}

struct slg_catalogue_counts slg_catalogue_count(struct slg_catalogue *catalogue)
{
    struct slg_catalogue_counts counts;

    slg_catalogue_lock(catalogue);
    counts = (struct slg_catalogue_counts){ .shard_count = catalogue->entry_count,
                                            .open_count = catalogue->open_count,
                                            .quarantined_count = catalogue->quarantined_count };
    slg_catalogue_unlock(catalogue);
    return counts;
}

/* ---- start ---- */

static enum slg_status open_directory(struct slg_catalogue *catalogue, struct slg_error *reterr)
{
    const char *data_dir = catalogue->data_dir.text;
    struct slg_disk_path path;
    enum slg_status status = slg_disk_make_directory(data_dir, reterr);

    if (status == SLG_OK)
        status = slg_disk_join(&path, data_dir, "lock", reterr);
    if (status != SLG_OK)
        return status;
    catalogue->lock_fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (catalogue->lock_fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", path.text, strerror(errno));
    if (flock(catalogue->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return slg_error_hintf(reterr, SLG_UNAVAILABLE, "stop the other process first",
                               "another process uses the data directory \"%s\"", data_dir);
    status = slg_disk_make_directory(catalogue->shards_dir.text, reterr);
    if (status == SLG_OK)
        status = slg_disk_join(&path, data_dir, "opening", reterr);
    if (status != SLG_OK)
        return status;
    catalogue->opening_fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (catalogue->opening_fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", path.text, strerror(errno));
    return SLG_OK;
}

static enum slg_status list_shards(struct slg_catalogue *catalogue, struct slg_error *reterr)
{
    DIR *dir = opendir(catalogue->shards_dir.text);
    enum slg_status status = SLG_OK;
    struct dirent *item;

    if (dir == NULL)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", catalogue->shards_dir.text,
                          strerror(errno));
    while (status == SLG_OK && (item = readdir(dir)) != NULL) {
        struct slg_shard_id id;
        struct entry *entry;

        if (item->d_name[0] == '.' || strncmp(item->d_name, DEAD_PREFIX, strlen(DEAD_PREFIX)) == 0)
            continue;
        if (slg_shard_name_parse(item->d_name, &id) == SLG_OK)
            status = slg_catalogue_insert(catalogue, &id, &entry, reterr);
        else
            slg_log_warn("file that is no shard is left alone name=%s", item->d_name);
    }
    (void)closedir(dir); /* only read from */
    return status;
}

enum slg_status slg_catalogue_create(const struct slg_catalogue_options *options,
                                     struct slg_catalogue **ret_catalogue, struct slg_error *reterr)
{
    struct slg_catalogue *catalogue = calloc(1, sizeof(*catalogue));
    enum slg_status status = SLG_OK;

    SLG_ASSERT(options->open_count_max >= 1);
    SLG_ASSERT(options->open_count_max <= SLG_CATALOGUE_OPEN_COUNT_MAX);
    if (catalogue == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the catalogue");
    slg_catalogue_init_entries(catalogue);
    catalogue->lock_fd = -1;
    catalogue->opening_fd = -1;
    catalogue->open_count_max = options->open_count_max;
    catalogue->map_bytes = options->map_bytes;
    catalogue->faults = options->faults;
    catalogue->clock = options->clock != NULL ? options->clock : slg_clock_system();
    if (strlen(options->data_dir) >= sizeof(catalogue->data_dir.text))
        status = slg_errorf(reterr, SLG_LIMIT, "the data directory's path is too long");
    else
        memcpy(catalogue->data_dir.text, options->data_dir, strlen(options->data_dir) + 1);
    if (status == SLG_OK)
        status = slg_disk_join(&catalogue->shards_dir, options->data_dir, SLG_NAME_SHARDS, reterr);
    if (status == SLG_OK)
        status = open_directory(catalogue, reterr);
    if (status == SLG_OK)
        status = slg_catalogue_load_storage(catalogue, reterr);
    if (status == SLG_OK) {
        slg_catalogue_read_note(catalogue);
        status = slg_quarantine_resume(catalogue->data_dir.text, reterr);
    }
    if (status == SLG_OK)
        status = list_shards(catalogue, reterr);
    if (status != SLG_OK) {
        slg_catalogue_destroy(catalogue);
        return status;
    }
    *ret_catalogue = catalogue;
    return SLG_OK;
}

void slg_catalogue_destroy(struct slg_catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    slg_catalogue_fini_entries(catalogue);
    if (catalogue->opening_fd >= 0)
        (void)close(catalogue->opening_fd); /* what it says does not matter any more */
    if (catalogue->lock_fd >= 0)
        (void)close(catalogue->lock_fd); /* frees the lock */
    free(catalogue);
}
