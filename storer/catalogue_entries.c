#include "storer/catalogue_private.h"

#define ENTRY_CAPACITY_MIN ((size_t)64)

/* pthread calls fail only by our own mistakes. */
static void must(int rc)
{
    SLG_ASSERT(rc == 0);
}

void slg_catalogue_init_entries(struct slg_catalogue *catalogue)
{
    must(pthread_mutex_init(&catalogue->mutex, NULL));
    must(pthread_cond_init(&catalogue->changed, NULL));
    TAILQ_INIT(&catalogue->open);
}

void slg_catalogue_fini_entries(struct slg_catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->entry_count; i++) {
        SLG_ASSERT(catalogue->entries[i]->pin_count == 0);
        slg_shard_close(catalogue->entries[i]->shard);
        free(catalogue->entries[i]->set_bytes);
        free(catalogue->entries[i]);
    }
    free(catalogue->entries);
    must(pthread_cond_destroy(&catalogue->changed));
    must(pthread_mutex_destroy(&catalogue->mutex));
}

void slg_catalogue_lock(struct slg_catalogue *catalogue)
{
    must(pthread_mutex_lock(&catalogue->mutex));
}

void slg_catalogue_unlock(struct slg_catalogue *catalogue)
{
    must(pthread_mutex_unlock(&catalogue->mutex));
}

void slg_catalogue_wait(struct slg_catalogue *catalogue)
{
    must(pthread_cond_wait(&catalogue->changed, &catalogue->mutex));
}

void slg_catalogue_tell(struct slg_catalogue *catalogue)
{
    must(pthread_cond_broadcast(&catalogue->changed));
}

/* ---- the sorted list; under the mutex ---- */

size_t slg_catalogue_lower_bound(const struct slg_catalogue *catalogue,
                                 const struct slg_shard_id *id)
{
    size_t low = 0;
    size_t high = catalogue->entry_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slg_shard_id_compare(&catalogue->entries[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct entry *slg_catalogue_find(const struct slg_catalogue *catalogue,
                                 const struct slg_shard_id *id)
{
    size_t at = slg_catalogue_lower_bound(catalogue, id);

    if (at == catalogue->entry_count || slg_shard_id_compare(&catalogue->entries[at]->id, id) != 0)
        return NULL;
    return catalogue->entries[at];
}

static bool grow_entries(struct slg_catalogue *catalogue)
{
    size_t capacity =
        catalogue->entry_capacity == 0 ? ENTRY_CAPACITY_MIN : catalogue->entry_capacity * 2;
    struct entry **entries;

    if (catalogue->entry_count < catalogue->entry_capacity)
        return true;
    entries = realloc(catalogue->entries, capacity * sizeof(*entries));
    if (entries == NULL)
        return false;
    catalogue->entries = entries;
    catalogue->entry_capacity = capacity;
    return true;
}

enum slg_status slg_catalogue_insert(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                     struct entry **ret_entry, struct slg_error *reterr)
{
    size_t at = slg_catalogue_lower_bound(catalogue, id);
    struct entry *entry;

    if (catalogue->entry_count >= SLG_CATALOGUE_SHARD_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "%zu shards are the most that a storer keeps",
                          SLG_CATALOGUE_SHARD_COUNT_MAX);
    entry = calloc(1, sizeof(*entry));
    if (entry == NULL || !grow_entries(catalogue)) {
        free(entry);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a shard");
    }
    entry->id = *id;
    memmove(catalogue->entries + at + 1, catalogue->entries + at,
            (catalogue->entry_count - at) * sizeof(*catalogue->entries));
    catalogue->entries[at] = entry;
    catalogue->entry_count++;
    *ret_entry = entry;
    return SLG_OK;
}

void slg_catalogue_remove(struct slg_catalogue *catalogue, struct entry *entry)
{
    size_t at = slg_catalogue_lower_bound(catalogue, &entry->id);

    SLG_ASSERT(catalogue->entries[at] == entry);
    catalogue->entry_count--;
    catalogue->reported_count -= entry->reported;
    memmove(catalogue->entries + at, catalogue->entries + at + 1,
            (catalogue->entry_count - at) * sizeof(*catalogue->entries));
    free(entry->set_bytes);
    free(entry);
}
