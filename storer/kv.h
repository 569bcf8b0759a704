/* storer/kv.h - LMDB behind a small interface: one environment = one generation file of a shard.
 *
 * kv.c is the only file that includes lmdb.h. Environments are opened with MDB_NOTLS | MDB_NOSUBDIR, never
 * MDB_WRITEMAP (a full disk would be a SIGBUS), with a fixed large sparse map that never grows: mdb_env_set_mapsize
 * under a live reader moves the map (measured with LMDB 0.9.24). Commits sync (no MDB_NOSYNC).
 * Owner:   whoever opened it closes it, after all its transactions. Pointers that get and cursors give die with the
 *          transaction or at the next put of it.
 * Threads: one write transaction at a time per environment, used by one thread. Read transactions: any number of
 *          threads, each with its own; keep them short (one scan slice), for a long reader makes the file grow.
 *          Never open one file twice in a process.
 * Refuses: a file without LMDB's magic in both meta pages, of another page size or shorter than its meta pages say
 *          (CORRUPT): touching the missing pages of a map would be a SIGBUS.
 * Errors:  LIMIT = the map is full; IO = the disk refused (full: ask statvfs); CORRUPT = damaged, or EIO; NO_MEMORY;
 *          AGAIN = too many readers; NOT_FOUND. */
#ifndef SLG_STORER_KV_H
#define SLG_STORER_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SLG_KV_TABLE_COUNT_MAX  ((size_t)8)
#define SLG_KV_READER_COUNT_MAX 256U /* read transactions at once in one environment */
#define SLG_KV_KEY_BYTES_MAX    ((size_t)511)

struct slg_kv;
struct slg_kv_txn;
struct slg_kv_cursor;

/* Where a test may make an operation fail. */
enum slg_kv_step {
    SLG_KV_STEP_OPEN,
    SLG_KV_STEP_PUT,
    SLG_KV_STEP_COMMIT,    /* before: nothing reaches the disk */
    SLG_KV_STEP_COMMITTED, /* after: everything is on disk, the caller is told that it failed */
};
/* The seam of fault injection: SLG_OK lets the step happen, anything else is what it returns. From any thread. */
struct slg_kv_faults {
    enum slg_status (*check)(struct slg_kv_faults *faults, enum slg_kv_step step);
};

struct slg_kv_options {
    const char *path;          /* the file; its lock file is path + "-lock" */
    size_t map_bytes;          /* address space to reserve, rounded up to whole pages; >= 1 MiB */
    const char *const *tables; /* names; a table is named by its index from then on */
    size_t table_count;        /* 1 to SLG_KV_TABLE_COUNT_MAX */
    bool create;               /* make the file; else it must exist with all tables */
    bool read_only; /* no write transaction will come: spares 3 MiB of memory and 0.6 ms, for LMDB
                                  prepares lists of dirty and free pages for every writer */
    bool no_readahead;            /* for large cold files that are read at random */
    struct slg_kv_faults *faults; /* NULL: none; borrowed */
};

/* NOT_FOUND: no file, and !create. CORRUPT: it is none of LMDB 0.9, or was cut. LIMIT, NO_MEMORY, IO. */
SLG_MUST_CHECK enum slg_status slg_kv_open(const struct slg_kv_options *options,
                                           struct slg_kv **ret_kv, struct slg_error *reterr);
/* NULL is fine. No transaction may be open. */
void slg_kv_close(struct slg_kv *kv);

/* Bytes of the file that hold pages. */
uint64_t slg_kv_bytes(const struct slg_kv *kv);

/* A snapshot: what is read through it stays until its end. AGAIN: too many readers; NO_MEMORY, CORRUPT, IO. */
SLG_MUST_CHECK enum slg_status slg_kv_begin_read(struct slg_kv *kv, struct slg_kv_txn **ret_txn,
                                                 struct slg_error *reterr);
/* Waits for nobody: the caller is the one writer. */
SLG_MUST_CHECK enum slg_status slg_kv_begin_write(struct slg_kv *kv, struct slg_kv_txn **ret_txn,
                                                  struct slg_error *reterr);
/* Frees the transaction, whatever it returns. OK: durable. LIMIT: the map is full, as after an abort: LMDB takes all
 * pages that a commit needs (roots, free list) before it writes any (mdb_txn_commit: mdb_freelist_save comes before
 * mdb_page_flush, and only mdb_page_alloc returns MDB_MAP_FULL). After any other failure what is on disk is unknown:
 * close the environment and open it again. */
SLG_MUST_CHECK enum slg_status slg_kv_commit(struct slg_kv_txn *txn, struct slg_error *reterr);
void slg_kv_abort(struct slg_kv_txn *txn); /* NULL is fine; how a read transaction ends, too */

struct slg_kv_bytes {
    const uint8_t *at;
    size_t len;
};
/* Hot paths: no text. NOT_FOUND, CORRUPT, IO. */
SLG_MUST_CHECK enum slg_status slg_kv_get(struct slg_kv_txn *txn, size_t table, const void *key,
                                          size_t key_len, struct slg_kv_bytes *ret_value);

enum slg_kv_put_mode {
    SLG_KV_PUT, /* replaces */
    SLG_KV_APPEND, /* the key is above all keys of the table (INVALID if not): fills pages to the brim */
};
SLG_MUST_CHECK enum slg_status slg_kv_put(struct slg_kv_txn *txn, size_t table,
                                          enum slg_kv_put_mode mode, const void *key,
                                          size_t key_len, const void *value, size_t value_len);
/* NOT_FOUND when there is none. */
SLG_MUST_CHECK enum slg_status slg_kv_delete(struct slg_kv_txn *txn, size_t table, const void *key,
                                             size_t key_len);

/* NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_kv_cursor_open(struct slg_kv_txn *txn, size_t table,
                                                  struct slg_kv_cursor **ret_cursor);
void slg_kv_cursor_close(
    struct slg_kv_cursor *cursor); /* before its transaction ends; NULL is fine */
/* The first pair whose key is >= key (key_len 0: the first of the table). NOT_FOUND: none. */
SLG_MUST_CHECK enum slg_status slg_kv_cursor_seek(struct slg_kv_cursor *cursor, const void *key,
                                                  size_t key_len, struct slg_kv_bytes *ret_key,
                                                  struct slg_kv_bytes *ret_value);
SLG_MUST_CHECK enum slg_status slg_kv_cursor_next(struct slg_kv_cursor *cursor,
                                                  struct slg_kv_bytes *ret_key,
                                                  struct slg_kv_bytes *ret_value);
SLG_MUST_CHECK enum slg_status slg_kv_cursor_previous(struct slg_kv_cursor *cursor,
                                                      struct slg_kv_bytes *ret_key,
                                                      struct slg_kv_bytes *ret_value);
SLG_MUST_CHECK enum slg_status slg_kv_cursor_last(struct slg_kv_cursor *cursor,
                                                  struct slg_kv_bytes *ret_key,
                                                  struct slg_kv_bytes *ret_value);

#endif
