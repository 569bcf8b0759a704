#include "storer/kv.h"

#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "storer/lmdb_meta.h"

#define KV_MAGIC      0x6B76656EU /* "kven" */
#define MAP_BYTES_MIN ((size_t)1 << 20)

#define LMDB_FILE_MODE   0600
/* LMDB does not write pages that a transaction took and gave back, so a sound file may end a few pages early. Those
 * pages are filled with a hole; a file that lacks more was cut by somebody else. */
#define SLACK_PAGE_COUNT 16U

struct slg_kv {
    uint32_t magic;
    MDB_env *env;
    struct slg_kv_faults *faults;
    size_t table_count;
    MDB_dbi tables[SLG_KV_TABLE_COUNT_MAX];
};

struct slg_kv_txn {
    struct slg_kv *kv;
    MDB_txn *txn;
    bool write;
};

struct slg_kv_cursor {
    MDB_cursor *cursor;
};

static enum slg_status status_of(int rc)
{
    switch (rc) {
    case MDB_SUCCESS:
        return SLG_OK;
    case MDB_NOTFOUND:
        return SLG_NOT_FOUND;
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
    case MDB_DBS_FULL:
        return SLG_LIMIT;
    case MDB_READERS_FULL:
        return SLG_AGAIN;
    case MDB_PAGE_NOTFOUND:
    case MDB_CORRUPTED:
    case MDB_PANIC:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
    case MDB_PAGE_FULL:
    case MDB_CURSOR_FULL:
    case EIO: /* the disk does not give back what was stored */
        return SLG_CORRUPT;
    case MDB_BAD_VALSIZE:
    case MDB_KEYEXIST:
        return SLG_INVALID;
    case ENOMEM:
        return SLG_NO_MEMORY;
    case ENOENT:
        return SLG_NOT_FOUND;
    default: /* LMDB hands on errno: ENOSPC, EDQUOT, EROFS, EACCES, EMFILE... */
        return SLG_IO;
    }
}

static enum slg_status check_fault(struct slg_kv_faults *faults, enum slg_kv_step step)
{
    return faults == NULL ? SLG_OK : faults->check(faults, step);
}

/* One meta page: does it look like LMDB's, and how far does it say the file reaches? */
static bool read_meta(int fd, uint64_t offset, struct slg_lmdb_meta *ret_meta, uint64_t *ret_end)
{
    uint8_t page[SLG_LMDB_META_BYTES];

    if (pread(fd, page, sizeof(page), (off_t)offset) != (ssize_t)sizeof(page) ||
        !slg_lmdb_meta_read(page, ret_meta) ||
        ret_meta->last_page >= UINT64_MAX / SLG_LMDB_PAGE_BYTES_MAX - 1)
        return false;
    *ret_end = (ret_meta->last_page + 1) * ret_meta->page_bytes;
    return true;
}

/* Make the file reach `end`, or refuse it: LMDB itself trusts its length. */
static enum slg_status check_length(int fd, const char *path, uint64_t end, uint32_t page_bytes,
                                    struct slg_error *reterr)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return slg_errorf(reterr, SLG_IO, "could not stat \"%s\": %s", path, strerror(errno));
    if ((uint64_t)st.st_size >= end)
        return SLG_OK;
    if (end - (uint64_t)st.st_size > (uint64_t)SLACK_PAGE_COUNT * page_bytes)
        return slg_errorf(reterr, SLG_CORRUPT, "\"%s\" was cut to %lld bytes, its pages need %llu",
                          path, (long long)st.st_size, (unsigned long long)end);
    if (ftruncate(fd, (off_t)end) != 0)
        return slg_errorf(reterr, SLG_IO, "could not extend \"%s\": %s", path, strerror(errno));
    return SLG_OK;
}

/* Refuse what would make the map fault. The newer meta page counts. */
static enum slg_status check_file(const char *path, struct slg_error *reterr)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct slg_lmdb_meta metas[2];
    uint64_t ends[2];
    enum slg_status status;

    if (fd < 0)
        return slg_errorf(reterr, status_of(errno), "could not open \"%s\": %s", path,
                          strerror(errno));
    if (!read_meta(fd, 0, &metas[0], &ends[0]) ||
        !read_meta(fd, metas[0].page_bytes, &metas[1], &ends[1]) ||
        metas[1].page_bytes != metas[0].page_bytes)
        status = slg_errorf(reterr, SLG_CORRUPT, "\"%s\" is no LMDB 0.9 file", path);
    else
        status = check_length(fd, path, ends[metas[1].txn_id > metas[0].txn_id],
                              metas[0].page_bytes, reterr);
    (void)close(fd); /* nothing was written through it */
    return status;
}

/* The tables are opened once, in a transaction of their own, before any other thread knows the environment. */
static enum slg_status open_tables(struct slg_kv *kv, const struct slg_kv_options *options,
                                   struct slg_error *reterr)
{
    MDB_txn *txn;
    int rc = mdb_txn_begin(kv->env, NULL, options->create ? 0 : MDB_RDONLY, &txn);

    if (rc != 0)
        return slg_errorf(reterr, status_of(rc), "could not begin in \"%s\": %s", options->path,
                          mdb_strerror(rc));
    for (size_t i = 0; i < options->table_count; i++) {
        rc =
            mdb_dbi_open(txn, options->tables[i], options->create ? MDB_CREATE : 0, &kv->tables[i]);
        if (rc != 0) {
            mdb_txn_abort(txn);
            return slg_errorf(reterr, rc == MDB_NOTFOUND ? SLG_CORRUPT : status_of(rc),
                              "could not open table \"%s\" of \"%s\": %s", options->tables[i],
                              options->path, mdb_strerror(rc));
        }
    }
    rc = mdb_txn_commit(txn);
    if (rc != 0)
        return slg_errorf(reterr, status_of(rc), "could not create tables in \"%s\": %s",
                          options->path, mdb_strerror(rc));
    return SLG_OK;
}

/* LMDB allocates two lists of 1 and 2 MiB for each environment that takes writes, and touches hardly any of them.
 * Fresh mappings cost nothing until touched; but glibc's adaptive threshold moves such sizes to the heap after the
 * first close, where calloc fills them with zeros: measured 560 MB for 256 open shards. A fixed threshold keeps
 * them in mappings that go with the environment. */
#define MMAP_THRESHOLD_BYTES (512 * 1024)

static void fix_mmap_threshold(void)
{
    (void)mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES); /* a refusal costs memory, no more */
}

static enum slg_status open_environment(struct slg_kv *kv, const struct slg_kv_options *options,
                                        struct slg_error *reterr)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t map_bytes = (options->map_bytes + page - 1) / page * page;
    unsigned flags = MDB_NOTLS | MDB_NOSUBDIR | (options->no_readahead ? MDB_NORDAHEAD : 0) |
                     (options->read_only ? MDB_RDONLY : 0);
    int rc = mdb_env_create(&kv->env);

    if (rc == 0)
        rc = mdb_env_set_mapsize(kv->env, map_bytes);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(kv->env, (MDB_dbi)options->table_count);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(kv->env, SLG_KV_READER_COUNT_MAX);
    if (rc == 0)
        rc = mdb_env_open(kv->env, options->path, flags, LMDB_FILE_MODE);
    if (rc != 0)
        return slg_errorf(reterr, status_of(rc), "could not open \"%s\": %s", options->path,
                          mdb_strerror(rc));
    return open_tables(kv, options, reterr);
}

enum slg_status slg_kv_open(const struct slg_kv_options *options, struct slg_kv **ret_kv,
                            struct slg_error *reterr)
{
    static pthread_once_t threshold_once = PTHREAD_ONCE_INIT;
    enum slg_status status = check_fault(options->faults, SLG_KV_STEP_OPEN);
    struct slg_kv *kv;
    int rc;

    SLG_ASSERT(options->map_bytes >= MAP_BYTES_MIN);
    SLG_ASSERT(!options->create || !options->read_only);
    SLG_ASSERT(options->table_count >= 1);
    SLG_ASSERT(options->table_count <= SLG_KV_TABLE_COUNT_MAX);
    rc = pthread_once(&threshold_once, fix_mmap_threshold);
    SLG_ASSERT(rc == 0);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "could not open \"%s\": injected fault", options->path);
    if (!options->create) {
        status = check_file(options->path, reterr);
        if (status != SLG_OK)
            return status;
    }
    kv = calloc(1, sizeof(*kv));
    if (kv == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for an environment");
    kv->magic = KV_MAGIC;
    kv->faults = options->faults;
    kv->table_count = options->table_count;
    status = open_environment(kv, options, reterr);
    if (status != SLG_OK) {
        slg_kv_close(kv);
        return status;
    }
    *ret_kv = kv;
    return SLG_OK;
}

void slg_kv_close(struct slg_kv *kv)
{
    if (kv == NULL)
        return;
    SLG_ASSERT(kv->magic == KV_MAGIC);
    if (kv->env != NULL)
        mdb_env_close(kv->env);
    kv->magic = 0;
    free(kv);
}

uint64_t slg_kv_bytes(const struct slg_kv *kv)
{
    MDB_envinfo info;
    MDB_stat stat;

    if (mdb_env_info(kv->env, &info) != 0 || mdb_env_stat(kv->env, &stat) != 0)
        return 0;
    return ((uint64_t)info.me_last_pgno + 1) * stat.ms_psize;
}

static enum slg_status begin(struct slg_kv *kv, bool write, struct slg_kv_txn **ret_txn,
                             struct slg_error *reterr)
{
    struct slg_kv_txn *txn = calloc(1, sizeof(*txn));
    int rc;

    SLG_ASSERT(kv->magic == KV_MAGIC);
    if (txn == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a transaction");
    txn->kv = kv;
    txn->write = write;
    rc = mdb_txn_begin(kv->env, NULL, write ? 0 : MDB_RDONLY, &txn->txn);
    if (rc != 0) {
        free(txn);
        return slg_errorf(reterr, status_of(rc), "could not begin a transaction: %s",
                          mdb_strerror(rc));
    }
    *ret_txn = txn;
    return SLG_OK;
}

enum slg_status slg_kv_begin_read(struct slg_kv *kv, struct slg_kv_txn **ret_txn,
                                  struct slg_error *reterr)
{
    return begin(kv, /* write= */ false, ret_txn, reterr);
}

enum slg_status slg_kv_begin_write(struct slg_kv *kv, struct slg_kv_txn **ret_txn,
                                   struct slg_error *reterr)
{
    return begin(kv, /* write= */ true, ret_txn, reterr);
}

enum slg_status slg_kv_commit(struct slg_kv_txn *txn, struct slg_error *reterr)
{
    struct slg_kv_faults *faults = txn->kv->faults;
    enum slg_status status = check_fault(faults, SLG_KV_STEP_COMMIT);
    int rc;

    SLG_ASSERT(txn->write);
    if (status != SLG_OK) {
        slg_kv_abort(txn);
        return slg_errorf(reterr, status, "could not commit: injected fault");
    }
    rc = mdb_txn_commit(txn->txn);
    free(txn);
    if (rc != 0)
        return slg_errorf(reterr, status_of(rc), "could not commit: %s", mdb_strerror(rc));
    status = check_fault(faults, SLG_KV_STEP_COMMITTED);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "could not commit: injected fault after the fact");
    return SLG_OK;
}

void slg_kv_abort(struct slg_kv_txn *txn)
{
    if (txn == NULL)
        return;
    mdb_txn_abort(txn->txn);
    free(txn);
}

/* mdb.h takes keys and values through pointers that are not const; it does not write through them. */
static MDB_val value_of(const void *bytes, size_t len)
{
    union {
        const void *borrowed;
        void *at;
    } view = { .borrowed = bytes };

    return (MDB_val){ .mv_size = len, .mv_data = view.at };
}

static struct slg_kv_bytes bytes_of(MDB_val value)
{
    return (struct slg_kv_bytes){ .at = value.mv_data, .len = value.mv_size };
}

enum slg_status slg_kv_get(struct slg_kv_txn *txn, size_t table, const void *key, size_t key_len,
                           struct slg_kv_bytes *ret_value)
{
    MDB_val k = value_of(key, key_len);
    MDB_val v;
    int rc;

    SLG_ASSERT(table < txn->kv->table_count);
    rc = mdb_get(txn->txn, txn->kv->tables[table], &k, &v);
    if (rc == 0)
        *ret_value = bytes_of(v);
    return status_of(rc);
}

enum slg_status slg_kv_put(struct slg_kv_txn *txn, size_t table, enum slg_kv_put_mode mode,
                           const void *key, size_t key_len, const void *value, size_t value_len)
{
    MDB_val k = value_of(key, key_len);
    MDB_val v = value_of(value, value_len);
    enum slg_status status = check_fault(txn->kv->faults, SLG_KV_STEP_PUT);

    SLG_ASSERT(txn->write);
    SLG_ASSERT(table < txn->kv->table_count);
    if (status != SLG_OK)
        return status;
    return status_of(
        mdb_put(txn->txn, txn->kv->tables[table], &k, &v, mode == SLG_KV_APPEND ? MDB_APPEND : 0));
}

enum slg_status slg_kv_delete(struct slg_kv_txn *txn, size_t table, const void *key, size_t key_len)
{
    MDB_val k = value_of(key, key_len);

    SLG_ASSERT(txn->write);
    SLG_ASSERT(table < txn->kv->table_count);
    return status_of(mdb_del(txn->txn, txn->kv->tables[table], &k, NULL));
}

enum slg_status slg_kv_cursor_open(struct slg_kv_txn *txn, size_t table,
                                   struct slg_kv_cursor **ret_cursor)
{
    struct slg_kv_cursor *cursor = calloc(1, sizeof(*cursor));
    int rc;

    SLG_ASSERT(table < txn->kv->table_count);
    if (cursor == NULL)
        return SLG_NO_MEMORY;
    rc = mdb_cursor_open(txn->txn, txn->kv->tables[table], &cursor->cursor);
    if (rc != 0) {
        free(cursor);
        return status_of(rc);
    }
    *ret_cursor = cursor;
    return SLG_OK;
}

void slg_kv_cursor_close(struct slg_kv_cursor *cursor)
{
    if (cursor == NULL)
        return;
    mdb_cursor_close(cursor->cursor);
    free(cursor);
}

static enum slg_status move(struct slg_kv_cursor *cursor, MDB_cursor_op op, MDB_val key,
                            struct slg_kv_bytes *ret_key, struct slg_kv_bytes *ret_value)
{
    MDB_val value;
    int rc = mdb_cursor_get(cursor->cursor, &key, &value, op);

    if (rc == 0) {
        *ret_key = bytes_of(key);
        *ret_value = bytes_of(value);
    }
    return status_of(rc);
}

enum slg_status slg_kv_cursor_seek(struct slg_kv_cursor *cursor, const void *key, size_t key_len,
                                   struct slg_kv_bytes *ret_key, struct slg_kv_bytes *ret_value)
{
    return move(cursor, key_len == 0 ? MDB_FIRST : MDB_SET_RANGE, value_of(key, key_len), ret_key,
                ret_value);
}

enum slg_status slg_kv_cursor_next(struct slg_kv_cursor *cursor, struct slg_kv_bytes *ret_key,
                                   struct slg_kv_bytes *ret_value)
{
    return move(cursor, MDB_NEXT, (MDB_val){ 0, NULL }, ret_key, ret_value);
}

enum slg_status slg_kv_cursor_previous(struct slg_kv_cursor *cursor, struct slg_kv_bytes *ret_key,
                                       struct slg_kv_bytes *ret_value)
{
    return move(cursor, MDB_PREV, (MDB_val){ 0, NULL }, ret_key, ret_value);
}

enum slg_status slg_kv_cursor_last(struct slg_kv_cursor *cursor, struct slg_kv_bytes *ret_key,
                                   struct slg_kv_bytes *ret_value)
{
    return move(cursor, MDB_LAST, (MDB_val){ 0, NULL }, ret_key, ret_value);
}
