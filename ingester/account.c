/* Concurrency
 *   cells[i] columns   added to by the cell's thread (relaxed read, release store); read by any thread (acquire)
 *   cells[], count     set by the starting thread before the cell's thread runs; count is atomic for readers */
#include "ingester/account.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct slg_account_cell {
    _Atomic uint64_t received[SLG_ACCOUNT_LISTENER_COUNT_MAX];
    _Atomic uint64_t dropped[SLG_ACCOUNT_LISTENER_COUNT_MAX][SLG_DROP_REASON_COUNT];
    _Atomic uint64_t accepted;
    _Atomic uint64_t abandoned;
};

struct slg_account {
    size_t listener_count;
    char *names[SLG_ACCOUNT_LISTENER_COUNT_MAX];
    _Atomic size_t cell_count;
    struct slg_account_cell *cells[SLG_ACCOUNT_CELL_COUNT_MAX];
};

const char *slg_drop_reason_text(enum slg_drop_reason reason)
{
    static const char *const texts[] = {
#define X(name, text, help) text,
        SLG_DROP_REASON_LIST(X)
#undef X
    };

    SLG_ASSERT((size_t)reason < SLG_ARRAY_LEN(texts));
    return texts[reason];
}

enum slg_status slg_account_create(const char *const *names, size_t listener_count,
                                   struct slg_account **ret_account)
{
    struct slg_account *account;

    if (listener_count > SLG_ACCOUNT_LISTENER_COUNT_MAX)
        return SLG_LIMIT;
    account = calloc(1, sizeof(*account));
    if (account == NULL)
        return SLG_NO_MEMORY;
    for (size_t i = 0; i < listener_count; i++) {
        account->names[i] = strdup(names[i]);
        if (account->names[i] == NULL) {
            slg_account_destroy(account);
            return SLG_NO_MEMORY;
        }
        account->listener_count++;
    }
    *ret_account = account;
    return SLG_OK;
}

void slg_account_destroy(struct slg_account *account)
{
    if (account == NULL)
        return;
    for (size_t i = 0; i < account->cell_count; i++)
        free(account->cells[i]);
    for (size_t i = 0; i < account->listener_count; i++)
        free(account->names[i]);
    free(account);
}

struct slg_account_cell *slg_account_cell(struct slg_account *account)
{
    size_t count = atomic_load_explicit(&account->cell_count, memory_order_relaxed);
    struct slg_account_cell *cell;

    if (count == SLG_ACCOUNT_CELL_COUNT_MAX)
        return NULL;
    /* Whole cache lines, so that two threads never write the same one. */
    cell = aligned_alloc(64, (sizeof(*cell) + 63) / 64 * 64);
    if (cell == NULL)
        return NULL;
    memset(cell, 0, sizeof(*cell));
    account->cells[count] = cell;
    atomic_store_explicit(&account->cell_count, count + 1, memory_order_release);
    return cell;
}

const char *slg_account_listener(const struct slg_account *account, size_t listener)
{
    SLG_ASSERT(listener < account->listener_count);
    return account->names[listener];
}

size_t slg_account_listener_count(const struct slg_account *account)
{
    return account->listener_count;
}

/* One writer per column: no read-modify-write instruction is needed. */
static void add(_Atomic uint64_t *column, uint64_t n)
{
    uint64_t value = atomic_load_explicit(column, memory_order_relaxed);

    atomic_store_explicit(column, value + n, memory_order_release);
}

void slg_account_received(struct slg_account_cell *cell, size_t listener, uint64_t entry_count)
{
    SLG_ASSERT(listener < SLG_ACCOUNT_LISTENER_COUNT_MAX);
    add(&cell->received[listener], entry_count);
}

void slg_account_dropped(struct slg_account_cell *cell, size_t listener,
                         enum slg_drop_reason reason, uint64_t entry_count)
{
    SLG_ASSERT(listener < SLG_ACCOUNT_LISTENER_COUNT_MAX);
    SLG_ASSERT((size_t)reason < SLG_DROP_REASON_COUNT);
    add(&cell->dropped[listener][reason], entry_count);
}

void slg_account_accepted(struct slg_account_cell *cell, uint64_t entry_count)
{
    add(&cell->accepted, entry_count);
}

void slg_account_abandoned(struct slg_account_cell *cell, uint64_t entry_count)
{
    add(&cell->abandoned, entry_count);
}

static uint64_t get(_Atomic uint64_t *column)
{
    return atomic_load_explicit(column, memory_order_acquire);
}

uint64_t slg_account_dropped_count(struct slg_account *account, size_t listener,
                                   enum slg_drop_reason reason)
{
    size_t cell_count = atomic_load_explicit(&account->cell_count, memory_order_acquire);
    uint64_t sum = 0;

    SLG_ASSERT(listener < account->listener_count);
    SLG_ASSERT((size_t)reason < SLG_DROP_REASON_COUNT);
    for (size_t i = 0; i < cell_count; i++)
        sum += get(&account->cells[i]->dropped[listener][reason]);
    return sum;
}

void slg_account_read(struct slg_account *account, struct slg_account_totals *ret_totals)
{
    size_t cell_count = atomic_load_explicit(&account->cell_count, memory_order_acquire);
    struct slg_account_totals totals = { 0 };

    for (size_t i = 0; i < cell_count; i++) {
        totals.accepted += get(&account->cells[i]->accepted);
        totals.abandoned += get(&account->cells[i]->abandoned);
    }
    for (size_t reason = 0; reason < SLG_DROP_REASON_COUNT; reason++) {
        for (size_t listener = 0; listener < account->listener_count; listener++)
            totals.dropped_by[reason] +=
                slg_account_dropped_count(account, listener, (enum slg_drop_reason)reason);
        totals.dropped += totals.dropped_by[reason];
    }
    /* Last: whatever was counted above had been received before. */
    for (size_t i = 0; i < cell_count; i++)
        for (size_t listener = 0; listener < account->listener_count; listener++)
            totals.received_by[listener] += get(&account->cells[i]->received[listener]);
    for (size_t listener = 0; listener < account->listener_count; listener++)
        totals.received += totals.received_by[listener];
    SLG_ASSERT(totals.received >= totals.accepted + totals.dropped + totals.abandoned);
    totals.in_flight = totals.received - totals.accepted - totals.dropped - totals.abandoned;
    *ret_totals = totals;
}
