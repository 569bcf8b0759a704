#include "storer/catalogue_forget.h"

#include <dirent.h>
#include <errno.h>

#include "base/log.h"
#include "storer/catalogue_private.h"

static enum slg_status dead_path(const struct slg_catalogue *catalogue, const char *name,
                                 struct slg_disk_path *ret_path, struct slg_error *reterr)
{
    char dead[SLG_SHARD_NAME_BYTES_MAX + sizeof(DEAD_PREFIX)];

    (void)snprintf(dead, sizeof(dead), DEAD_PREFIX "%s", name); /* fits by its size */
    return slg_disk_join(ret_path, catalogue->shards_dir.text, dead, reterr);
}

static void remove_remains(const struct slg_disk_path *dead)
{
    struct slg_error err;

    if (slg_disk_remove_directory(dead->text, &err) != SLG_OK)
        slg_log_failure(SLG_LOG_WARN, "remains of a forgotten shard stay", &err);
}

/* The rename is what counts: from then on no start finds the shard, whatever the unlinks do. What they leave waits for
 * the next sweep. */
static enum slg_status remove_shard(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                    struct slg_error *reterr)
{
    struct slg_shard_name name = slg_shard_name_of(id);
    struct slg_disk_path alive, dead;
    enum slg_status status = slg_disk_join(&alive, catalogue->shards_dir.text, name.text, reterr);

    if (status == SLG_OK)
        status = dead_path(catalogue, name.text, &dead, reterr);
    if (status == SLG_OK)
        status = slg_disk_remove_directory(dead.text, reterr);
    if (status != SLG_OK)
        return status;
    if (rename(alive.text, dead.text) != 0 && errno != ENOENT)
        return slg_errorf(reterr, SLG_IO, "could not rename \"%s\": %s", alive.text,
                          strerror(errno));
    status = slg_disk_sync_directory(catalogue->shards_dir.text, reterr);
    if (status == SLG_OK)
        remove_remains(&dead);
    return status;
}

/* expected NULL: whatever it holds. */
static enum slg_status forget(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                              const struct slg_batch_set_digest *expected, struct slg_error *reterr)
{
    struct entry *entry;
    enum slg_status status = SLG_OK;

    slg_catalogue_lock(catalogue);
    entry = slg_catalogue_find(catalogue, id);
    if (entry == NULL) {
        slg_catalogue_unlock(catalogue);
        return SLG_OK;
    }
    entry->dying = true;
    if (entry->state == ENTRY_OPEN && entry->pin_count == 0)
        slg_catalogue_close_entry(catalogue, entry);
    if (entry->state != ENTRY_CLOSED) {
        /* Nobody else would clear it, and the caller may not come again: the clock is right again, the bytes fit. */
        entry->dying = false;
        slg_catalogue_unlock(catalogue);
        return SLG_AGAIN;
    }
    if (expected != NULL &&
        !(entry->remembered && slg_batch_set_digest_equal(&entry->totals.digest, expected))) {
        entry->dying = false;
        slg_catalogue_unlock(catalogue);
        return slg_errorf(reterr, SLG_INVALID, "it holds something else by now");
    }
    entry->state = ENTRY_BUSY;
    slg_catalogue_unlock(catalogue);
    status = remove_shard(catalogue, id, reterr);
    slg_catalogue_lock(catalogue);
    entry->state = ENTRY_CLOSED;
    if (status == SLG_OK)
        slg_catalogue_remove(catalogue, entry);
    else
        entry->dying = false;
    slg_catalogue_tell(catalogue);
    slg_catalogue_unlock(catalogue);
    return status;
}

enum slg_status slg_catalogue_forget(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                     struct slg_error *reterr)
{
    return forget(catalogue, id, /* expected= */ NULL, reterr);
}

enum slg_status slg_catalogue_forget_if(struct slg_catalogue *catalogue,
                                        const struct slg_shard_id *id,
                                        const struct slg_batch_set_digest *expected,
                                        struct slg_error *reterr)
{
    return forget(catalogue, id, expected, reterr);
}

uint64_t slg_catalogue_used_bytes(const struct slg_catalogue *catalogue,
                                  const struct slg_shard_id *id)
{
    struct slg_disk_path path;

    if (slg_disk_join(&path, catalogue->shards_dir.text, slg_shard_name_of(id).text, NULL) !=
        SLG_OK)
        return 0;
    return slg_disk_used_bytes(path.text);
}

void slg_catalogue_sweep(const struct slg_catalogue *catalogue)
{
    DIR *dir = opendir(catalogue->shards_dir.text);
    struct slg_disk_path path;
    struct dirent *item;

    if (dir == NULL)
        return;
    while ((item = readdir(dir)) != NULL) {
        if (strncmp(item->d_name, DEAD_PREFIX, strlen(DEAD_PREFIX)) != 0)
            continue;
        if (slg_disk_join(&path, catalogue->shards_dir.text, item->d_name, NULL) == SLG_OK)
            remove_remains(&path);
    }
    (void)closedir(dir); /* only read from */
}
