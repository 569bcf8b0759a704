#include "storer/catalogue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "storer/disk.h"
#include "storer/quarantine.h"

/* Concurrency
 * | state                          | owner                    | others                                           |
 * |--------------------------------|--------------------------|--------------------------------------------------|
 * | entries, their states and pins | whoever holds `mutex`    | -                                                |
 * | an entry that is BUSY          | the thread that made it so, without the mutex | wait on `changed`           |
 * | the note `opening`             | the thread that set `is_opening` | wait on `changed`                        |
 * | storage                        | housekeeping             | the id never changes                             |
 * No disk is touched under the mutex. Pins are short (a commit, a scan slice), so waits are, too. */

#define DEAD_PREFIX            "dead-"
#define CRASH_COUNT_MAX        2 /* H20: two crashes in a row over one shard quarantine it */
#define REMEMBER_SET_BYTES_MAX ((size_t)4096) /* a set is ~40 bytes for each ingester start */
#define ENTRY_CAPACITY_MIN     ((size_t)64)

enum entry_state {
    ENTRY_CLOSED,
    ENTRY_BUSY, /* one thread opens, closes or removes it */
    ENTRY_OPEN,
    ENTRY_BROKEN, /* open, but a commit failed, or it is read-only and a writer waits: closed with its last pin */
};

struct entry {
    struct slg_shard_id id;
    enum entry_state state;
    bool unborn; /* made by a pin, not yet on disk */
    bool dying;  /* to be forgotten: no new pins */
    bool quarantined;
    bool suspect;
    bool doubtful;   /* when it was closed last */
    bool reported;   /* damage was met and not looked at yet */
    bool remembered; /* totals and set of a closed shard */
    uint32_t pin_count;
    int64_t used_mono_ns;
    struct slg_shard *shard; /* OPEN and BROKEN */
    struct slg_shard_totals totals;
    uint8_t *set_bytes;
    size_t set_len;
    TAILQ_ENTRY(entry) open_link; /* least recently used first */
};
TAILQ_HEAD(entry_list, entry);

struct slg_catalogue {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct entry **entries; /* sorted by id */
    size_t entry_count;
    size_t entry_capacity;
    struct entry_list open;
    size_t open_count;
    size_t open_count_max;
    bool is_opening;
    struct slg_opening last_opening; /* of the process before this one */
    struct slg_disk_path data_dir;
    struct slg_disk_path shards_dir;
    int lock_fd;
    int opening_fd;
    size_t map_bytes;
    struct slg_kv_faults *faults;
    struct slg_clock *clock;
    struct slg_storage storage;
    size_t reported_count;
    uint64_t quarantined_count; /* since the start */
};

/* pthread calls fail only by our own mistakes. */
static void must(int rc)
{
    SLG_ASSERT(rc == 0);
}

static void lock(struct slg_catalogue *catalogue)
{
    must(pthread_mutex_lock(&catalogue->mutex));
}

static void unlock(struct slg_catalogue *catalogue)
{
    must(pthread_mutex_unlock(&catalogue->mutex));
}

static void wait_for_change(struct slg_catalogue *catalogue)
{
    must(pthread_cond_wait(&catalogue->changed, &catalogue->mutex));
}

static void tell_change(struct slg_catalogue *catalogue)
{
    must(pthread_cond_broadcast(&catalogue->changed));
}

/* ---- the sorted list of entries; under the mutex ---- */

/* Index of the first entry that is not below id. */
static size_t lower_bound(const struct slg_catalogue *catalogue, const struct slg_shard_id *id)
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

static struct entry *find_entry(const struct slg_catalogue *catalogue,
                                const struct slg_shard_id *id)
{
    size_t at = lower_bound(catalogue, id);

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

static enum slg_status insert_entry(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                    struct entry **ret_entry, struct slg_error *reterr)
{
    size_t at = lower_bound(catalogue, id);
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

static void remove_entry(struct slg_catalogue *catalogue, struct entry *entry)
{
    size_t at = lower_bound(catalogue, &entry->id);

    SLG_ASSERT(catalogue->entries[at] == entry);
    catalogue->entry_count--;
    catalogue->reported_count -= entry->reported;
    memmove(catalogue->entries + at, catalogue->entries + at + 1,
            (catalogue->entry_count - at) * sizeof(*catalogue->entries));
    free(entry->set_bytes);
    free(entry);
}

/* ---- the note of H20 ---- */

static void write_note(struct slg_catalogue *catalogue, const struct slg_opening *opening)
{
    uint8_t bytes[SLG_OPENING_BYTES];

    slg_opening_encode(bytes, opening);
    /* A note that cannot be written (disk full) only weakens H20. */
    if (pwrite(catalogue->opening_fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        slg_log_debug("note of the shard being opened not written shard=%s", opening->name);
}

static void note_opening(struct slg_catalogue *catalogue, const struct slg_shard_id *id)
{
    const struct slg_opening *last = &catalogue->last_opening;
    struct slg_shard_name name = slg_shard_name_of(id);
    struct slg_opening opening = { .crash_count = 1 };

    memcpy(opening.name, name.text, sizeof(opening.name));
    if (strcmp(last->name, name.text) == 0)
        opening.crash_count = (uint8_t)(last->crash_count + 1);
    write_note(catalogue, &opening);
}

static void note_opened(struct slg_catalogue *catalogue)
{
    write_note(catalogue, &(struct slg_opening){ .crash_count = 0 });
}

/* ---- opening and closing ---- */

/* Read what a closed shard will be asked for. Failure only means that it is not remembered. */
static void remember(struct entry *entry, struct slg_shard *shard)
{
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_shard_read *read = NULL;
    struct slg_shard_totals totals;
    struct slg_buf bytes;

    slg_buf_init(&bytes, REMEMBER_SET_BYTES_MAX);
    entry->remembered = false;
    if (set != NULL && slg_shard_read_begin(shard, &read, NULL) == SLG_OK &&
        slg_shard_read_totals(read, &totals) == SLG_OK && slg_shard_read_set(read, set) == SLG_OK) {
        slg_batch_set_encode(&bytes, set);
        if (!slg_buf_failed(&bytes)) {
            free(entry->set_bytes);
            entry->set_bytes = bytes.data; /* taken over from the buffer */
            entry->set_len = bytes.len;
            entry->totals = totals;
            entry->remembered = true;
            slg_buf_init(&bytes, REMEMBER_SET_BYTES_MAX);
        }
    }
    slg_shard_read_end(read);
    slg_batch_set_destroy(set);
    slg_buf_fini(&bytes);
}

/* Called and returns with the mutex; gives it up meanwhile. The entry has no pins. */
static void close_entry(struct slg_catalogue *catalogue, struct entry *entry)
{
    struct slg_shard *shard = entry->shard;
    bool broken = entry->state == ENTRY_BROKEN;

    SLG_ASSERT(entry->pin_count == 0);
    TAILQ_REMOVE(&catalogue->open, entry, open_link);
    catalogue->open_count--;
    entry->state = ENTRY_BUSY;
    entry->shard = NULL;
    entry->suspect = slg_shard_suspect(shard);
    entry->doubtful = slg_shard_doubt(shard) != SLG_SHARD_DOUBT_NONE;
    unlock(catalogue);
    if (!broken)
        remember(entry, shard);
    slg_shard_close(shard);
    lock(catalogue);
    entry->state = ENTRY_CLOSED;
    tell_change(catalogue);
}

/* Make room for one more open shard, when one of them is not in use. True: the mutex was given up meanwhile. */
static bool close_surplus(struct slg_catalogue *catalogue)
{
    struct entry *entry = TAILQ_FIRST(&catalogue->open);
    bool closed = false;

    while (entry != NULL && catalogue->open_count >= catalogue->open_count_max) {
        if (entry->pin_count == 0 && entry->state == ENTRY_OPEN) {
            close_entry(catalogue, entry);
            closed = true;
            entry = TAILQ_FIRST(&catalogue->open); /* the list has changed */
        } else {
            entry = TAILQ_NEXT(entry, open_link);
        }
    }
    return closed;
}

/* Open it; one whose files are damaged, or that is marked, is moved away and begun anew. Without the mutex. */
static enum slg_status open_shard(struct slg_catalogue *catalogue,
                                  struct slg_shard_options *options, struct slg_shard **ret_shard,
                                  bool *ret_moved, struct slg_error *reterr)
{
    struct slg_shard_name name = slg_shard_name_of(&options->id);
    struct slg_error why = { .message = "" };
    enum slg_status status = slg_shard_open(options, ret_shard, &why);

    *ret_moved = false;
    if (status == SLG_CORRUPT || status == SLG_UNAVAILABLE) {
        struct slg_error err = { .message = "" };

        status = slg_quarantine_move(catalogue->data_dir.text, name.text,
                                     status == SLG_CORRUPT ? why.message : NULL,
                                     slg_clock_wall_ns(catalogue->clock), &err);
        if (status != SLG_OK) {
            (void)slg_errorf(reterr, SLG_UNAVAILABLE,
                             "shard \"%s\" is damaged (%.100s) and could not be quarantined: %.60s",
                             name.text, why.message, err.message);
            return SLG_UNAVAILABLE;
        }
        slg_log_error("shard quarantined, to be fetched from its peers shard=%s reason=%s",
                      name.text, why.message);
        *ret_moved = true;
        status = slg_shard_open(options, ret_shard, &why);
    }
    if (status != SLG_OK && reterr != NULL)
        *reterr = why;
    return status;
}

/* Called and returns with the mutex. The entry is CLOSED and nobody else opens. */
static enum slg_status open_entry(struct slg_catalogue *catalogue, struct entry *entry, bool create,
                                  struct slg_error *reterr)
{
    struct slg_shard_options options = { .shards_directory = catalogue->shards_dir.text,
                                         .id = entry->id,
                                         .map_bytes = catalogue->map_bytes,
                                         .create = create,
                                         .read_only = !create,
                                         .faults = catalogue->faults };
    bool unborn = entry->unborn, moved;
    struct slg_shard *shard = NULL;
    enum slg_status status;

    catalogue->is_opening = true;
    entry->state = ENTRY_BUSY;
    unlock(catalogue);
    if (!unborn)
        note_opening(catalogue, &options.id);
    status = open_shard(catalogue, &options, &shard, &moved, reterr);
    if (!unborn)
        note_opened(catalogue);
    lock(catalogue);
    catalogue->is_opening = false;
    catalogue->quarantined_count += moved;
    entry->state = ENTRY_CLOSED;
    entry->quarantined = status == SLG_UNAVAILABLE;
    if (status == SLG_OK) {
        entry->state = ENTRY_OPEN;
        entry->unborn = false;
        entry->shard = shard;
        entry->remembered = false;
        entry->suspect = slg_shard_suspect(shard);
        TAILQ_INSERT_TAIL(&catalogue->open, entry, open_link);
        catalogue->open_count++;
    } else if (entry->unborn) {
        remove_entry(catalogue, entry);
    }
    tell_change(catalogue);
    return status;
}

/* With the mutex. AGAIN: the entry has changed, look again. */
static enum slg_status try_pin(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                               bool create, struct slg_shard **ret_shard, struct slg_error *reterr)
{
    struct entry *entry = find_entry(catalogue, id);
    enum slg_status status;

    if (entry == NULL && !create)
        return slg_errorf(reterr, SLG_NOT_FOUND, "there is no shard \"%s\"",
                          slg_shard_name_of(id).text);
    if (entry == NULL) {
        status = insert_entry(catalogue, id, &entry, reterr);
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
            wait_for_change(catalogue);
        else
            close_entry(catalogue, entry);
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
        close_surplus(catalogue))
        return SLG_AGAIN; /* the entry may be gone */
    if (entry->state == ENTRY_CLOSED && !catalogue->is_opening) {
        status = open_entry(catalogue, entry, create, reterr);
        return status == SLG_OK ? SLG_AGAIN : status;
    }
    wait_for_change(catalogue);
    return SLG_AGAIN;
}

enum slg_status slg_catalogue_pin(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                  bool create, struct slg_shard **ret_shard,
                                  struct slg_error *reterr)
{
    enum slg_status status;

    lock(catalogue);
    do
        status = try_pin(catalogue, id, create, ret_shard, reterr);
    while (status == SLG_AGAIN);
    unlock(catalogue);
    return status;
}

static void unpin(struct slg_catalogue *catalogue, struct slg_shard *shard, bool broken)
{
    struct entry *entry;

    lock(catalogue);
    entry = find_entry(catalogue, slg_shard_id_of(shard));
    SLG_ASSERT(entry != NULL);
    SLG_ASSERT(entry->shard == shard);
    SLG_ASSERT(entry->pin_count > 0);
    entry->pin_count--;
    entry->used_mono_ns = slg_clock_mono_ns(slg_clock_system());
    if (broken)
        entry->state = ENTRY_BROKEN;
    if (entry->state == ENTRY_BROKEN && entry->pin_count == 0)
        close_entry(catalogue, entry);
    else if (entry->dying && entry->pin_count == 0)
        tell_change(catalogue);
    unlock(catalogue);
}

void slg_catalogue_unpin(struct slg_catalogue *catalogue, struct slg_shard *shard)
{
    unpin(catalogue, shard, /* broken= */ false);
}

void slg_catalogue_unpin_broken(struct slg_catalogue *catalogue, struct slg_shard *shard)
{
    unpin(catalogue, shard, /* broken= */ true);
}

/* ---- asking ---- */

/* Answer from memory; false when the shard has to be read. */
static bool recall(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                   struct slg_shard_totals *ret_totals, uint8_t *set_bytes, size_t *ret_set_len)
{
    struct entry *entry;
    bool known;

    lock(catalogue);
    entry = find_entry(catalogue, id);
    known = entry != NULL && entry->state == ENTRY_CLOSED && entry->remembered;
    if (known) {
        *ret_totals = entry->totals;
        memcpy(set_bytes, entry->set_bytes, entry->set_len);
        *ret_set_len = entry->set_len;
    }
    unlock(catalogue);
    return known;
}

static enum slg_status add_encoded_set(struct slg_batch_set *set, const uint8_t *bytes, size_t len)
{
    struct slg_cursor c = slg_cursor_make(bytes, len);
    struct slg_batch_set *part;
    enum slg_status status = slg_batch_set_decode(&c, &part);

    if (status != SLG_OK)
        return status;
    status = slg_batch_set_union(set, part);
    slg_batch_set_destroy(part);
    return status;
}

static enum slg_status read_totals(struct slg_shard *shard, struct slg_shard_totals *ret_totals,
                                   struct slg_batch_set *set, struct slg_error *reterr)
{
    struct slg_shard_read *read;
    enum slg_status status = slg_shard_read_begin(shard, &read, reterr);

    if (status != SLG_OK)
        return status;
    status = slg_shard_read_totals(read, ret_totals);
    if (status == SLG_OK && set != NULL)
        status = slg_shard_read_set(read, set);
    slg_shard_read_end(read);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "could not read shard \"%s\": %s",
                          slg_shard_name_of(slg_shard_id_of(shard)).text, slg_status_text(status));
    return SLG_OK;
}

enum slg_status slg_catalogue_totals(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                     struct slg_shard_totals *ret_totals, struct slg_batch_set *set,
                                     struct slg_error *reterr)
{
    uint8_t set_bytes[REMEMBER_SET_BYTES_MAX];
    struct slg_shard *shard;
    size_t set_len;
    enum slg_status status;

    if (recall(catalogue, id, ret_totals, set_bytes, &set_len)) {
        status = set == NULL ? SLG_OK : add_encoded_set(set, set_bytes, set_len);
        return status == SLG_OK ? SLG_OK : slg_errorf(reterr, status, "a set is too large");
    }
    status = slg_catalogue_pin(catalogue, id, /* create= */ false, &shard, reterr);
    if (status != SLG_OK)
        return status;
    status = read_totals(shard, ret_totals, set, reterr);
    slg_catalogue_unpin(catalogue, shard);
    if (status == SLG_CORRUPT)
        slg_catalogue_report(catalogue, id);
    return status;
}

bool slg_catalogue_next(struct slg_catalogue *catalogue, const struct slg_shard_id *after,
                        struct slg_shard_id *ret_id)
{
    size_t at = 0;
    bool found;

    lock(catalogue);
    if (after != NULL) {
        at = lower_bound(catalogue, after);
        if (at < catalogue->entry_count &&
            slg_shard_id_compare(&catalogue->entries[at]->id, after) == 0)
            at++;
    }
    while (at < catalogue->entry_count && catalogue->entries[at]->unborn)
        at++;
    found = at < catalogue->entry_count;
    if (found)
        *ret_id = catalogue->entries[at]->id;
    unlock(catalogue);
    return found;
}

/* ---- damage ---- */

void slg_catalogue_report(struct slg_catalogue *catalogue, const struct slg_shard_id *id)
{
    struct entry *entry;

    lock(catalogue);
    entry = find_entry(catalogue, id);
    if (entry != NULL && !entry->reported) {
        entry->reported = true;
        catalogue->reported_count++;
    }
    unlock(catalogue);
}

bool slg_catalogue_take_reported(struct slg_catalogue *catalogue, struct slg_shard_id *ret_id)
{
    bool found = false;

    lock(catalogue);
    for (size_t i = 0; i < catalogue->entry_count && catalogue->reported_count > 0 && !found; i++) {
        if (!catalogue->entries[i]->reported)
            continue;
        catalogue->entries[i]->reported = false;
        catalogue->reported_count--;
        *ret_id = catalogue->entries[i]->id;
        found = true;
    }
    unlock(catalogue);
    return found;
}

/* With the mutex: wait until the shard is closed and nobody's. */
static enum slg_status seize(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                             struct entry **ret_entry, struct slg_error *reterr)
{
    for (;;) {
        struct entry *entry = find_entry(catalogue, id);

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
            close_entry(catalogue, entry);
        else
            wait_for_change(catalogue);
    }
}

static void release(struct slg_catalogue *catalogue, struct entry *entry)
{
    entry->state = ENTRY_CLOSED;
    entry->remembered = false;
    tell_change(catalogue);
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

    lock(catalogue);
    status = seize(catalogue, id, &entry, reterr);
    unlock(catalogue);
    if (status != SLG_OK)
        return status;
    status = slg_shard_open(&options, &shard, reterr);
    if (status == SLG_OK)
        status =
            slg_shard_set_aside(shard, orders, count, slg_clock_wall_ns(catalogue->clock), reterr);
    slg_shard_close(shard);
    lock(catalogue);
    release(catalogue, entry);
    unlock(catalogue);
    return status;
}

enum slg_status slg_catalogue_quarantine(struct slg_catalogue *catalogue,
                                         const struct slg_shard_id *id, const char *reason,
                                         struct slg_error *reterr)
{
    struct slg_shard_name name = slg_shard_name_of(id);
    struct entry *entry;
    enum slg_status status;

    lock(catalogue);
    status = seize(catalogue, id, &entry, reterr);
    unlock(catalogue);
    if (status != SLG_OK)
        return status;
    status = slg_quarantine_move(catalogue->data_dir.text, name.text, reason,
                                 slg_clock_wall_ns(catalogue->clock), reterr);
    lock(catalogue);
    catalogue->quarantined_count += status == SLG_OK;
    release(catalogue, entry);
    unlock(catalogue);
    if (status == SLG_OK)
        slg_log_error("shard quarantined, to be fetched from its peers shard=%s reason=%s",
                      name.text, reason);
    return status;
}

size_t slg_catalogue_doubtful_count(struct slg_catalogue *catalogue)
{
    size_t count = 0;

    lock(catalogue);
    for (size_t i = 0; i < catalogue->entry_count; i++) {
        const struct entry *entry = catalogue->entries[i];

        count += entry->quarantined ||
                 (entry->shard != NULL ? slg_shard_doubt(entry->shard) != SLG_SHARD_DOUBT_NONE
                                       : entry->doubtful);
    }
    unlock(catalogue);
    return count;
}

uint64_t slg_catalogue_quarantined_count(struct slg_catalogue *catalogue)
{
    uint64_t count;

    lock(catalogue);
    count = catalogue->quarantined_count;
    unlock(catalogue);
    return count;
}

/* ---- listing ---- */

enum slg_status slg_catalogue_list(struct slg_catalogue *catalogue, int64_t from_ns, int64_t to_ns,
                                   struct slg_arena *arena, struct slg_catalogue_row **ret_rows,
                                   size_t *ret_count)
{
    enum slg_status status = SLG_OK;
    struct slg_catalogue_row *rows;
    size_t count = 0;

    from_ns = from_ns < 0 ? 0 : from_ns; /* no window begins before the epoch */
    lock(catalogue);
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
    unlock(catalogue);
    *ret_rows = rows;
    *ret_count = count;
    return status;
}

size_t slg_catalogue_shard_count(struct slg_catalogue *catalogue)
{
    size_t count;

    lock(catalogue);
    count = catalogue->entry_count;
    unlock(catalogue);
    return count;
}

size_t slg_catalogue_open_count(struct slg_catalogue *catalogue)
{
    size_t count;

    lock(catalogue);
    count = catalogue->open_count;
    unlock(catalogue);
    return count;
}

void slg_catalogue_close_idle(struct slg_catalogue *catalogue, int64_t now_mono_ns, int64_t idle_ns)
{
    struct entry *entry;

    lock(catalogue);
    entry = TAILQ_FIRST(&catalogue->open); /* the longest unused comes first */
    while (entry != NULL && now_mono_ns - entry->used_mono_ns >= idle_ns) {
        if (entry->pin_count == 0 && entry->state == ENTRY_OPEN) {
            close_entry(catalogue, entry);
            entry = TAILQ_FIRST(&catalogue->open);
        } else {
            entry = TAILQ_NEXT(entry, open_link);
        }
    }
    unlock(catalogue);
}

/* ---- forgetting ---- */

static enum slg_status dead_path(const struct slg_catalogue *catalogue, const char *name,
                                 struct slg_disk_path *ret_path, struct slg_error *reterr)
{
    char dead[SLG_SHARD_NAME_BYTES_MAX + sizeof(DEAD_PREFIX)];

    (void)snprintf(dead, sizeof(dead), DEAD_PREFIX "%s", name); /* fits by its size */
    return slg_disk_join(ret_path, catalogue->shards_dir.text, dead, reterr);
}

/* The rename is what counts: from then on no start finds the shard, whatever the unlinks do. */
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
    return status == SLG_OK ? slg_disk_remove_directory(dead.text, reterr) : status;
}

/* expected NULL: whatever it holds. */
static enum slg_status forget(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                              const struct slg_batch_set_digest *expected, struct slg_error *reterr)
{
    struct entry *entry;
    enum slg_status status = SLG_OK;

    lock(catalogue);
    entry = find_entry(catalogue, id);
    if (entry == NULL) {
        unlock(catalogue);
        return SLG_OK;
    }
    entry->dying = true;
    if (entry->state == ENTRY_OPEN && entry->pin_count == 0)
        close_entry(catalogue, entry);
    if (entry->state != ENTRY_CLOSED) {
        entry->dying = expected == NULL; /* a shard that may grow on stays open to pins */
        unlock(catalogue);
        return SLG_AGAIN;
    }
    if (expected != NULL &&
        !(entry->remembered && slg_batch_set_digest_equal(&entry->totals.digest, expected))) {
        entry->dying = false;
        unlock(catalogue);
        return slg_errorf(reterr, SLG_INVALID, "it holds something else by now");
    }
    entry->state = ENTRY_BUSY;
    unlock(catalogue);
    status = remove_shard(catalogue, id, reterr);
    lock(catalogue);
    entry->state = ENTRY_CLOSED;
    if (status == SLG_OK)
        remove_entry(catalogue, entry);
    else
        entry->dying = false;
    tell_change(catalogue);
    unlock(catalogue);
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

uint64_t slg_catalogue_used_bytes(struct slg_catalogue *catalogue, const struct slg_shard_id *id)
{
    struct slg_disk_path path;

    if (slg_disk_join(&path, catalogue->shards_dir.text, slg_shard_name_of(id).text, NULL) !=
        SLG_OK)
        return 0;
    return slg_disk_used_bytes(path.text);
}

void slg_catalogue_sweep(struct slg_catalogue *catalogue)
{
    DIR *dir = opendir(catalogue->shards_dir.text);
    struct slg_disk_path path;
    struct dirent *item;
    struct slg_error err;

    if (dir == NULL)
        return;
    while ((item = readdir(dir)) != NULL) {
        if (strncmp(item->d_name, DEAD_PREFIX, strlen(DEAD_PREFIX)) != 0)
            continue;
        if (slg_disk_join(&path, catalogue->shards_dir.text, item->d_name, &err) != SLG_OK ||
            slg_disk_remove_directory(path.text, &err) != SLG_OK)
            slg_log_failure(SLG_LOG_WARN, "remains of a forgotten shard stay", &err);
    }
    (void)closedir(dir); /* only read from */
}

/* ---- storage record ---- */

const struct slg_storage *slg_catalogue_storage(const struct slg_catalogue *catalogue)
{
    return &catalogue->storage;
}

enum slg_status slg_catalogue_store_storage(struct slg_catalogue *catalogue,
                                            const struct slg_storage *storage,
                                            struct slg_error *reterr)
{
    struct slg_disk_path path;
    struct slg_buf out;
    enum slg_status status = slg_disk_join(&path, catalogue->data_dir.text, "storage", reterr);

    if (status != SLG_OK)
        return status;
    slg_buf_init(&out, SLG_DISK_SMALL_BYTES_MAX);
    slg_storage_encode(&out, storage);
    status = slg_buf_failed(&out) ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a record")
                                  : slg_disk_write(path.text, out.data, out.len, reterr);
    slg_buf_fini(&out);
    if (status == SLG_OK) {
        lock(catalogue);
        catalogue->storage.counter = storage->counter;
        unlock(catalogue);
        catalogue->storage.forget_period_ns = storage->forget_period_ns;
        catalogue->storage.forget_window_count = storage->forget_window_count;
    }
    return status;
}

uint64_t slg_catalogue_counter(struct slg_catalogue *catalogue)
{
    uint64_t counter;

    lock(catalogue);
    counter = catalogue->storage.counter;
    unlock(catalogue);
    return counter;
}

/* A new directory's record. */
static enum slg_status make_storage(struct slg_storage *storage, struct slg_error *reterr)
{
    if (getrandom(storage->id, sizeof(storage->id), 0) != (ssize_t)sizeof(storage->id))
        return slg_errorf(reterr, SLG_IO, "no random bytes: %s", strerror(errno));
    return SLG_OK;
}

/* Read the record, or make it with the directory. The counter is not raised by a start: peers compare what the disk says
 * with what they remember. */
static enum slg_status load_storage(struct slg_catalogue *catalogue, struct slg_error *reterr)
{
    struct slg_storage storage = { .counter = 0 };
    struct slg_disk_path path;
    struct slg_buf bytes;
    bool is_new = false;
    enum slg_status status = slg_disk_join(&path, catalogue->data_dir.text, "storage", reterr);

    if (status != SLG_OK)
        return status;
    slg_buf_init(&bytes, SLG_DISK_SMALL_BYTES_MAX + 4096);
    status = slg_disk_read(path.text, &bytes, reterr);
    if (status == SLG_OK) {
        status = slg_storage_decode(bytes.data, bytes.len, &storage, reterr);
        if (status != SLG_OK)
            status = slg_error_context(reterr, "\"%s\"", path.text);
    } else if (status == SLG_NOT_FOUND) {
        is_new = true;
        status = make_storage(&storage, reterr);
    }
    slg_buf_fini(&bytes);
    if (status != SLG_OK)
        return status;
    catalogue->storage = storage;
    return is_new ? slg_catalogue_store_storage(catalogue, &storage, reterr) : SLG_OK;
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

/* What the process before this one was opening when it ended. */
static void read_note(struct slg_catalogue *catalogue)
{
    struct slg_opening *last = &catalogue->last_opening;
    uint8_t bytes[SLG_OPENING_BYTES];
    struct slg_error err;

    if (pread(catalogue->opening_fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes) ||
        slg_opening_decode(bytes, sizeof(bytes), last) != SLG_OK || last->name[0] == '\0')
        return;
    slg_log_warn("the process ended while it opened a shard shard=%s times=%u", last->name,
                 last->crash_count);
    if (last->crash_count < CRASH_COUNT_MAX)
        return;
    if (slg_shard_quarantine(catalogue->shards_dir.text, last->name,
                             "opening it ended the process twice", &err) != SLG_OK)
        slg_log_failure(SLG_LOG_ERROR, "could not quarantine a shard", &err);
    else
        slg_log_error("opening a shard ended the process twice, it is not opened any more shard=%s",
                      last->name);
    note_opened(catalogue);
    last->name[0] = '\0';
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
            status = insert_entry(catalogue, &id, &entry, reterr);
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
    must(pthread_mutex_init(&catalogue->mutex, NULL));
    must(pthread_cond_init(&catalogue->changed, NULL));
    TAILQ_INIT(&catalogue->open);
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
        status = slg_disk_join(&catalogue->shards_dir, options->data_dir, "shards", reterr);
    if (status == SLG_OK)
        status = open_directory(catalogue, reterr);
    if (status == SLG_OK)
        status = load_storage(catalogue, reterr);
    if (status == SLG_OK) {
        read_note(catalogue);
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
    for (size_t i = 0; i < catalogue->entry_count; i++) {
        SLG_ASSERT(catalogue->entries[i]->pin_count == 0);
        slg_shard_close(catalogue->entries[i]->shard);
        free(catalogue->entries[i]->set_bytes);
        free(catalogue->entries[i]);
    }
    free(catalogue->entries);
    if (catalogue->opening_fd >= 0)
        (void)close(catalogue->opening_fd); /* what it says does not matter any more */
    if (catalogue->lock_fd >= 0)
        (void)close(catalogue->lock_fd); /* frees the lock */
    must(pthread_cond_destroy(&catalogue->changed));
    must(pthread_mutex_destroy(&catalogue->mutex));
    free(catalogue);
}
