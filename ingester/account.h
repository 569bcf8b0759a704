/* ingester/account.h - the ledger of an ingester: received = accepted + dropped{reason} + abandoned + in_flight (I3).
 *
 * Everything is counted in entries of outsiders; loss entries, which the ingester writes itself, are counted apart.
 * A cell belongs to one thread, which alone adds to it; a reading sums the cells. A thread adds to `received` before
 * the entry can reach any other column, and a reading looks at `received` last, so every reading obeys the law with
 * in_flight >= 0, also while threads run.
 * Owner:   the account owns its cells. Listener names are copied.
 * Threads: create, destroy and slg_account_cell by one thread at start; adding by the cell's thread; reading by any. */
#ifndef SLG_INGESTER_ACCOUNT_H
#define SLG_INGESTER_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*  X(name, metric value, help) */
#define SLG_DROP_REASON_LIST(X)                                                                    \
    X(KERNEL, "kernel", "the socket's receive buffer was full")                                    \
    X(NOT_ALLOWED, "not_allowed", "the sender is in no CIDR of the listener's allow-list")         \
    X(MEMORY, "memory", "storers are behind and the memory for batches is used up")                \
    X(NEW_SHARDS, "new_shards", "too many new shards in a minute")                                 \
    X(INVALID, "invalid", "labels, line or metadata are over a limit, or the time is before 1970") \
    X(EXPIRED, "expired", "older than the retention")                                              \
    X(FUTURE, "future", "too far in the future")                                                   \
    X(RESERVED, "reserved", "job=\"silage\" is reserved for the ingester itself")                  \
    X(REFUSED, "refused", "storers refused the batch as malformed")                                \
    X(CONTENT, "content", "storers hold other content under the same batch id")                    \
    X(STOP, "stop", "not yet sent when the ingester had to stop")

enum slg_drop_reason {
#define X(name, text, help) SLG_DROP_##name,
    SLG_DROP_REASON_LIST(X)
#undef X
        SLG_DROP_REASON_COUNT,
};
const char *slg_drop_reason_text(enum slg_drop_reason reason);

/* Listeners of one ingester: those of the settings, then one for pushes and one for losses that have no listener. */
#define SLG_ACCOUNT_LISTENER_COUNT_MAX ((size_t)34)
#define SLG_ACCOUNT_CELL_COUNT_MAX     ((size_t)512)

struct slg_account;
struct slg_account_cell; /* of one thread */

/* names[listener_count]: as loss entries show them, "udp 127.0.0.1:1514". NO_MEMORY; LIMIT. */
SLG_MUST_CHECK enum slg_status slg_account_create(const char *const *names, size_t listener_count,
                                                  struct slg_account **ret_account);
void slg_account_destroy(struct slg_account *account);
/* NULL: no memory, or SLG_ACCOUNT_CELL_COUNT_MAX reached. */
SLG_MUST_CHECK struct slg_account_cell *slg_account_cell(struct slg_account *account);
const char *slg_account_listener(const struct slg_account *account, size_t listener);
size_t slg_account_listener_count(const struct slg_account *account);

void slg_account_received(struct slg_account_cell *cell, size_t listener, uint64_t entry_count);
void slg_account_dropped(struct slg_account_cell *cell, size_t listener,
                         enum slg_drop_reason reason, uint64_t entry_count);
void slg_account_accepted(struct slg_account_cell *cell, uint64_t entry_count);
void slg_account_abandoned(struct slg_account_cell *cell, uint64_t entry_count);

struct slg_account_totals {
    uint64_t received;
    uint64_t accepted;
    uint64_t dropped; /* sum of dropped_by */
    uint64_t abandoned;
    uint64_t in_flight;
    uint64_t dropped_by[SLG_DROP_REASON_COUNT];
    uint64_t received_by[SLG_ACCOUNT_LISTENER_COUNT_MAX];
};
void slg_account_read(struct slg_account *account, struct slg_account_totals *ret_totals);
/* Entries dropped so far for this listener and reason. */
uint64_t slg_account_dropped_count(struct slg_account *account, size_t listener,
                                   enum slg_drop_reason reason);

#endif
