/* storer/pages.h - reads an LMDB file page by page, without LMDB and without a map.
 *
 * For the scrub: a read error is a status and no SIGBUS, damaged pages are found and not followed, and with O_DIRECT
 * (where the file system has it) the disk itself is read and what queries keep in the page cache stays there.
 * Checked are both meta pages, and of each page that a walk meets its number, kind, bounds, nodes, the order of keys, the
 * places of children and large values, and the count of pairs. Layout: LMDB 0.9, mdb.c.
 * Owner:   opened by one thread for itself. What a visitor gets is borrowed for the call.
 * Threads: none shared. While LMDB writes the file, the caller holds a read transaction of it from before
 *          slg_pages_snapshot until the last walk: it keeps the pages of that and later snapshots from being reused. */
#ifndef SLG_STORER_PAGES_H
#define SLG_STORER_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "storer/kv.h"

struct slg_pages;

/* value_bytes_max: a longer value is damage. NOT_FOUND, IO, CORRUPT (no LMDB file), NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_pages_open(const char *path, size_t value_bytes_max,
                                              struct slg_pages **ret_pages,
                                              struct slg_error *reterr);
void slg_pages_close(struct slg_pages *pages); /* NULL is fine */
/* Read the newer meta page: what walks see from then on. CORRUPT. */
SLG_MUST_CHECK enum slg_status slg_pages_snapshot(struct slg_pages *pages,
                                                  struct slg_error *reterr);

struct slg_pages_pair {
    struct slg_kv_bytes key;
    struct slg_kv_bytes value; /* at NULL: not read, or unreadable */
    bool unreadable; /* the disk refused a part of the value; the pages around it are sound */
};
/* OK to go on; anything else ends the walk and is what it returns. */
typedef enum slg_status slg_pages_visit(void *ctx, const struct slg_pages_pair *pair);

struct slg_pages_walk {
    const char *table;
    const void *from; /* only pairs with a key >= these bytes; from_len 0: all */
    size_t from_len;
    bool
        large_values; /* read values that have pages of their own; else they come with their length only */
    slg_pages_visit *visit;
    void *ctx;
};
/* OK: all of the table was walked. CORRUPT: pages are damaged or unreadable, or a visitor said so; NOT_FOUND: no such
 * table, or a visitor's. */
SLG_MUST_CHECK enum slg_status slg_pages_walk(struct slg_pages *pages,
                                              const struct slg_pages_walk *walk,
                                              struct slg_error *reterr);

/* Bytes read from the file since it was opened. */
uint64_t slg_pages_bytes(const struct slg_pages *pages);

#endif
