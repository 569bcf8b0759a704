#include "storer/catalogue_private.h"

#include <unistd.h>

#include "base/log.h"
#include "storer/quarantine.h"

#define CRASH_COUNT_MAX 2 /* H20: two crashes in a row over one shard quarantine it */

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

void slg_catalogue_read_note(struct slg_catalogue *catalogue)
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

/* ---- opening and closing ---- */

void slg_catalogue_close_entry(struct slg_catalogue *catalogue, struct entry *entry)
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
    slg_catalogue_unlock(catalogue);
    if (!broken)
        slg_catalogue_remember(entry, shard);
    slg_shard_close(shard);
    slg_catalogue_lock(catalogue);
    entry->state = ENTRY_CLOSED;
    slg_catalogue_tell(catalogue);
}

bool slg_catalogue_close_surplus(struct slg_catalogue *catalogue)
{
    struct entry *entry = TAILQ_FIRST(&catalogue->open);
    bool closed = false;

    while (entry != NULL && catalogue->open_count >= catalogue->open_count_max) {
        if (entry->pin_count == 0 && entry->state == ENTRY_OPEN) {
            slg_catalogue_close_entry(catalogue, entry);
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

enum slg_status slg_catalogue_open_entry(struct slg_catalogue *catalogue, struct entry *entry,
                                         bool create, struct slg_error *reterr)
{
    struct slg_shard_options options = { .shards_directory = catalogue->shards_dir.text,
                                         .id = entry->id,
                                         .map_bytes = catalogue->map_bytes,
                                         .create = create,
                                         .read_only = !create,
                                         .faults = catalogue->faults };
    bool unborn = entry->unborn, suspect = entry->suspect, moved;
    struct slg_shard *shard = NULL;
    enum slg_status status;

    catalogue->is_opening = true;
    entry->state = ENTRY_BUSY;
    slg_catalogue_unlock(catalogue);
    if (!unborn)
        note_opening(catalogue, &options.id);
    status = open_shard(catalogue, &options, &shard, &moved, reterr);
    /* The mark did not get to disk (a disk that fails commits fails manifests, too), but this process knows. */
    if (status == SLG_OK && suspect && !moved && !slg_shard_suspect(shard) &&
        slg_shard_mark_suspect(shard, NULL) != SLG_OK) /* an error when it failed first */
        slg_log_debug("a shard is suspect in memory only shard=%s",
                      slg_shard_name_of(&options.id).text);
    if (!unborn)
        note_opened(catalogue);
    slg_catalogue_lock(catalogue);
    catalogue->is_opening = false;
    catalogue->quarantined_count += moved;
    entry->state = ENTRY_CLOSED;
    entry->quarantined = status == SLG_UNAVAILABLE;
    entry->suspect = entry->suspect && !moved;
    if (status == SLG_OK) {
        entry->state = ENTRY_OPEN;
        entry->unborn = false;
        entry->shard = shard;
        entry->remembered = false;
        entry->suspect = slg_shard_suspect(shard);
        TAILQ_INSERT_TAIL(&catalogue->open, entry, open_link);
        catalogue->open_count++;
    } else if (entry->unborn) {
        slg_catalogue_remove(catalogue, entry);
    }
    slg_catalogue_tell(catalogue);
    return status;
}

void slg_catalogue_close_idle(struct slg_catalogue *catalogue, int64_t now_mono_ns, int64_t idle_ns)
{
    struct entry *entry;

    slg_catalogue_lock(catalogue);
    entry = TAILQ_FIRST(&catalogue->open); /* the longest unused comes first */
    while (entry != NULL && now_mono_ns - entry->used_mono_ns >= idle_ns) {
        if (entry->pin_count == 0 && entry->state == ENTRY_OPEN) {
            slg_catalogue_close_entry(catalogue, entry);
            entry = TAILQ_FIRST(&catalogue->open);
        } else {
            entry = TAILQ_NEXT(entry, open_link);
        }
    }
    slg_catalogue_unlock(catalogue);
}
