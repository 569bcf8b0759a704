#include "storer/catalogue_damage.h"

#include "base/log.h"
#include "storer/catalogue_private.h"
#include "storer/quarantine.h"

void slg_catalogue_report(struct slg_catalogue *catalogue, const struct slg_shard_id *id)
{
    struct entry *entry;

    slg_catalogue_lock(catalogue);
    entry = slg_catalogue_find(catalogue, id);
    if (entry != NULL && !entry->reported) {
        entry->reported = true;
        catalogue->reported_count++;
    }
    slg_catalogue_unlock(catalogue);
}

bool slg_catalogue_take_reported(struct slg_catalogue *catalogue, struct slg_shard_id *ret_id)
{
    bool found = false;

    slg_catalogue_lock(catalogue);
    for (size_t i = 0; i < catalogue->entry_count && catalogue->reported_count > 0 && !found; i++) {
        if (!catalogue->entries[i]->reported)
            continue;
        catalogue->entries[i]->reported = false;
        catalogue->reported_count--;
        *ret_id = catalogue->entries[i]->id;
        found = true;
    }
    slg_catalogue_unlock(catalogue);
    return found;
}

/* With the mutex: wait until the shard is closed and nobody's. */
static enum slg_status seize(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                             struct entry **ret_entry, struct slg_error *reterr)
{
    for (;;) {
        struct entry *entry = slg_catalogue_find(catalogue, id);

        if (entry == NULL || entry->unborn || entry->dying)
            return slg_errorf(reterr, SLG_NOT_FOUND, "there is no shard \"%s\"",
                              slg_shard_name_of(id).text);
        if (entry->state == ENTRY_CLOSED) {
            entry->state = ENTRY_BUSY;
            *ret_entry = entry;
            return SLG_OK;
        }
        if (entry->state == ENTRY_OPEN)
            entry->state = ENTRY_BROKEN; /* no new pins; closed with its last */
        if (entry->state == ENTRY_BROKEN && entry->pin_count == 0)
            slg_catalogue_close_entry(catalogue, entry);
        else
            slg_catalogue_wait(catalogue);
    }
}

static void release(struct slg_catalogue *catalogue, struct entry *entry)
{
    entry->state = ENTRY_CLOSED;
    entry->remembered = false;
    slg_catalogue_tell(catalogue);
}

enum slg_status slg_catalogue_set_aside(struct slg_catalogue *catalogue,
                                        const struct slg_shard_id *id,
                                        const struct slg_aside_order *orders, size_t count,
                                        struct slg_error *reterr)
{
    const struct slg_shard_options options = { .shards_directory = catalogue->shards_dir.text,
                                               .id = *id,
                                               .map_bytes = catalogue->map_bytes,
                                               .maintain = true,
                                               .faults = catalogue->faults };
    struct slg_shard *shard = NULL;
    struct entry *entry;
    enum slg_status status;

    slg_catalogue_lock(catalogue);
    status = seize(catalogue, id, &entry, reterr);
    slg_catalogue_unlock(catalogue);
    if (status != SLG_OK)
        return status;
    status = slg_shard_open(&options, &shard, reterr);
    if (status == SLG_OK)
        status =
            slg_shard_set_aside(shard, orders, count, slg_clock_wall_ns(catalogue->clock), reterr);
    slg_shard_close(shard);
    slg_catalogue_lock(catalogue);
    release(catalogue, entry);
    slg_catalogue_unlock(catalogue);
    return status;
}

enum slg_status slg_catalogue_quarantine(struct slg_catalogue *catalogue,
                                         const struct slg_shard_id *id, const char *reason,
                                         struct slg_error *reterr)
{
    struct slg_shard_name name = slg_shard_name_of(id);
    struct entry *entry;
    enum slg_status status;

    slg_catalogue_lock(catalogue);
    status = seize(catalogue, id, &entry, reterr);
    slg_catalogue_unlock(catalogue);
    if (status != SLG_OK)
        return status;
    status = slg_quarantine_move(catalogue->data_dir.text, name.text, reason,
                                 slg_clock_wall_ns(catalogue->clock), reterr);
    slg_catalogue_lock(catalogue);
    catalogue->quarantined_count += status == SLG_OK;
    entry->suspect = entry->suspect && status != SLG_OK; /* the copy that takes its place is new */
    release(catalogue, entry);
    slg_catalogue_unlock(catalogue);
    if (status == SLG_OK)
        slg_log_error("shard quarantined, to be fetched from its peers shard=%s reason=%s",
                      name.text, reason);
    return status;
}

size_t slg_catalogue_doubtful_count(struct slg_catalogue *catalogue)
{
    size_t count = 0;

    slg_catalogue_lock(catalogue);
    for (size_t i = 0; i < catalogue->entry_count; i++) {
        const struct entry *entry = catalogue->entries[i];

        count += entry->quarantined ||
                 (entry->shard != NULL ? slg_shard_doubt(entry->shard) != SLG_SHARD_DOUBT_NONE
                                       : entry->doubtful);
    }
    slg_catalogue_unlock(catalogue);
    return count;
}
