/* storer/catalogue_private.h - inside of the catalogue, for catalogue.c (life, pins, listing), catalogue_entries.c (the
 * list and its mutex), catalogue_open.c (opening, closing, the note of H20), catalogue_totals.c, catalogue_damage.c,
 * catalogue_forget.c and catalogue_storage.c.
 *
 * Threads: see the table in catalogue.c. */
#ifndef SLG_STORER_CATALOGUE_PRIVATE_H
#define SLG_STORER_CATALOGUE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>

#include "storer/catalogue.h"
#include "storer/disk.h"

/* Of the directory of a shard that was forgotten and is not removed yet. */
#define DEAD_PREFIX "dead-"

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
    bool dying;  /* is being closed to be forgotten: no new pins */
    bool quarantined;
    bool suspect;    /* when it was closed last: so it is opened, whatever its manifest says */
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
    _Atomic int64_t keep_from_ns; /* that of storage, for every thread */
    size_t reported_count;
    uint64_t quarantined_count; /* since the start */
};

/* ---- the list of entries ---- */

void slg_catalogue_init_entries(struct slg_catalogue *catalogue);
/* Closes what is open. Nothing may be pinned. */
void slg_catalogue_fini_entries(struct slg_catalogue *catalogue);

void slg_catalogue_lock(struct slg_catalogue *catalogue);
void slg_catalogue_unlock(struct slg_catalogue *catalogue);
/* With the mutex, which is given up meanwhile: until somebody tells of a change. */
void slg_catalogue_wait(struct slg_catalogue *catalogue);
void slg_catalogue_tell(struct slg_catalogue *catalogue);

/* With the mutex. Index of the first entry that is not below id. */
size_t slg_catalogue_lower_bound(const struct slg_catalogue *catalogue,
                                 const struct slg_shard_id *id);
/* With the mutex. NULL: there is none. */
struct entry *slg_catalogue_find(const struct slg_catalogue *catalogue,
                                 const struct slg_shard_id *id);
/* With the mutex. Add one that is not there, CLOSED. LIMIT: SLG_CATALOGUE_SHARD_COUNT_MAX. */
SLG_MUST_CHECK enum slg_status slg_catalogue_insert(struct slg_catalogue *catalogue,
                                                    const struct slg_shard_id *id,
                                                    struct entry **ret_entry,
                                                    struct slg_error *reterr);
/* With the mutex. The entry is CLOSED and freed. */
void slg_catalogue_remove(struct slg_catalogue *catalogue, struct entry *entry);

/* ---- opening and closing ---- */

/* At the start: what the process before this one was opening when it ended. A shard that ended it twice is marked for
 * quarantine. */
void slg_catalogue_read_note(struct slg_catalogue *catalogue);
/* Called and returns with the mutex, which is given up meanwhile. The entry is CLOSED and nobody else opens. One that was
 * unborn is gone after a failure. */
SLG_MUST_CHECK enum slg_status slg_catalogue_open_entry(struct slg_catalogue *catalogue,
                                                        struct entry *entry, bool create,
                                                        struct slg_error *reterr);
/* Called and returns with the mutex, which is given up meanwhile. The entry is OPEN or BROKEN and has no pins. */
void slg_catalogue_close_entry(struct slg_catalogue *catalogue, struct entry *entry);
/* With the mutex. Make room for one more open shard, when one of them is not in use. True: the mutex was given up
 * meanwhile. */
bool slg_catalogue_close_surplus(struct slg_catalogue *catalogue);

/* By the thread that has the entry BUSY, without the mutex: read what the closed shard will be asked for. Failure only
 * means that it is not remembered. */
void slg_catalogue_remember(struct entry *entry, struct slg_shard *shard);

/* At the start: read the storage record, or make it with the directory. CORRUPT: what is there is none. */
SLG_MUST_CHECK enum slg_status slg_catalogue_load_storage(struct slg_catalogue *catalogue,
                                                          struct slg_error *reterr);

#endif
