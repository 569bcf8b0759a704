/* What LMDB wrote is read page by page as LMDB reads it; damage is a status, never a crash, and never a pair that was not
 * there. Oracle: the pairs that were put; every byte of the file altered in turn. */
#include "tests/helper/storer.h"

#include <sys/mman.h>

#include "storer/pages.h"

enum { PAIR_COUNT = 700 };

static const char *const tables[] = { "batches", "empty" };

struct made {
    char *directory;
    char path[1024];
    struct slg_kv *kv;
};

static size_t value_len(uint64_t n)
{
    return n % 7 == 0 ? 3000 + (size_t)n * 20 : (size_t)(n % 50);
}

static void fill_value(uint64_t n, uint8_t *value)
{
    for (size_t i = 0; i < value_len(n); i++)
        value[i] = (uint8_t)(n + i);
}

static void key_of(uint64_t n, uint8_t key[8])
{
    for (size_t i = 0; i < 8; i++)
        key[i] = (uint8_t)(n >> (8 * (7 - i)));
}

static void put(struct made *m, uint64_t first, uint64_t last)
{
    static uint8_t value[3000 + PAIR_COUNT * 20];
    struct slg_kv_txn *txn;

    assert_int_equal(slg_kv_begin_write(m->kv, &txn, NULL), SLG_OK);
    for (uint64_t n = first; n <= last; n++) {
        uint8_t key[8];

        key_of(n, key);
        fill_value(n, value);
        assert_int_equal(slg_kv_put(txn, 0, SLG_KV_PUT, key, 8, value, value_len(n)), SLG_OK);
    }
    assert_int_equal(slg_kv_commit(txn, NULL), SLG_OK);
}

static void set_up(struct made *m, uint64_t count)
{
    struct slg_kv_options options = {
        .map_bytes = 16 << 20, .tables = tables, .table_count = 2, .create = true
    };

    m->directory = test_make_directory();
    test_join(m->path, m->directory, "file.lmdb");
    options.path = m->path;
    assert_int_equal(slg_kv_open(&options, &m->kv, NULL), SLG_OK);
    for (uint64_t n = 1; n <= count; n += 70) /* several commits: pages move */
        put(m, n, n + 69 < count ? n + 69 : count);
}

static void tear_down(struct made *m)
{
    slg_kv_close(m->kv);
    test_drop_directory(m->directory);
}

struct seen {
    uint64_t next;
    uint64_t count;
    bool wrong;
};

static enum slg_status see(void *ctx, const struct slg_pages_pair *pair)
{
    static uint8_t value[3000 + PAIR_COUNT * 20];
    struct seen *seen = ctx;
    uint8_t key[8];

    key_of(seen->next, key);
    fill_value(seen->next, value);
    if (pair->key.len != 8 || memcmp(pair->key.at, key, 8) != 0 || pair->unreadable ||
        pair->value.at == NULL || pair->value.len != value_len(seen->next) ||
        memcmp(pair->value.at, value, pair->value.len) != 0)
        seen->wrong = true;
    seen->next++;
    seen->count++;
    return SLG_OK;
}

static enum slg_status walk(const char *path, const char *table, uint64_t from, struct seen *seen)
{
    uint8_t key[8];
    const struct slg_pages_walk options = { .table = table,
                                            .from = key,
                                            .from_len = from == 0 ? 0 : 8,
                                            .large_values = true,
                                            .visit = see,
                                            .ctx = seen };
    struct slg_pages *pages;
    enum slg_status status = slg_pages_open(path, 1 << 20, &pages, NULL);

    key_of(from, key);
    *seen = (struct seen){ .next = from == 0 ? 1 : from };
    if (status != SLG_OK)
        return status;
    status = slg_pages_snapshot(pages, NULL);
    if (status == SLG_OK)
        status = slg_pages_walk(pages, &options, NULL);
    slg_pages_close(pages);
    return status;
}

static void test_reads_what_lmdb_wrote(void **state)
{
    static const uint64_t froms[] = { 1, 2, 69, 70, 71, 333, PAIR_COUNT - 1, PAIR_COUNT };
    struct seen seen;
    struct made m;

    (void)state;
    set_up(&m, PAIR_COUNT);
    assert_int_equal(walk(m.path, "batches", 0, &seen), SLG_OK);
    assert_int_equal(seen.count, PAIR_COUNT);
    assert_false(seen.wrong);
    for (size_t i = 0; i < SLG_ARRAY_LEN(froms); i++) {
        assert_int_equal(walk(m.path, "batches", froms[i], &seen), SLG_OK);
        assert_int_equal(seen.count, PAIR_COUNT - froms[i] + 1);
        assert_false(seen.wrong);
    }
    assert_int_equal(walk(m.path, "batches", PAIR_COUNT + 1, &seen), SLG_OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(walk(m.path, "empty", 0, &seen), SLG_OK);
    assert_int_equal(seen.count, 0);
    assert_int_equal(walk(m.path, "none", 0, &seen), SLG_NOT_FOUND);
    tear_down(&m);
}

/* Commits go on while a read transaction keeps the pages of the snapshot. */
static void test_a_snapshot_stands(void **state)
{
    const struct slg_pages_walk options = { .table = "batches",
                                            .large_values = true,
                                            .visit = see };
    struct slg_pages_walk walk_options = options;
    struct seen seen = { .next = 1 };
    struct slg_pages *pages;
    struct slg_kv_txn *txn;
    struct made m;

    (void)state;
    set_up(&m, 70);
    assert_int_equal(slg_kv_begin_read(m.kv, &txn, NULL), SLG_OK);
    assert_int_equal(slg_pages_open(m.path, 1 << 20, &pages, NULL), SLG_OK);
    assert_int_equal(slg_pages_snapshot(pages, NULL), SLG_OK);
    for (uint64_t n = 71; n <= PAIR_COUNT; n += 10)
        put(&m, n, n + 9 < PAIR_COUNT ? n + 9 : PAIR_COUNT);
    walk_options.ctx = &seen;
    assert_int_equal(slg_pages_walk(pages, &walk_options, NULL), SLG_OK);
    assert_int_equal(seen.count, 70);
    assert_false(seen.wrong);
    slg_kv_abort(txn);
    slg_pages_close(pages);
    tear_down(&m);
}

static size_t read_file(const char *path, uint8_t **ret_bytes)
{
    struct stat st;
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    *ret_bytes = malloc((size_t)st.st_size);
    assert_int_equal(read(fd, *ret_bytes, (size_t)st.st_size), st.st_size);
    (void)close(fd);
    return (size_t)st.st_size;
}

static void write_file(int fd, const uint8_t *bytes, size_t len)
{
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, bytes, len, 0), len);
}

/* Bytes with all their bits turned, and whole pages of noise: the walk ends; when it finds nothing wrong and gives
 * all pairs, the damage lies in values or in unused room. */
static void test_damage_is_a_status(void **state)
{
    uint8_t *bytes, *altered;
    size_t len, found = 0, tries = 0;
    int fd = memfd_create("altered", 0);
    char path[64];
    struct made m;

    (void)state;
    assert_true(fd >= 0);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    set_up(&m, 120);
    len = read_file(m.path, &bytes);
    altered = malloc(len);
    for (size_t i = 0; i < len; i += i % 4096 < 64 ? 1 : 97) {
        struct seen seen;
        enum slg_status status;

        memcpy(altered, bytes, len);
        altered[i] ^= 0xff;
        write_file(fd, altered, len);
        status = walk(path, "batches", 0, &seen);
        assert_true(status == SLG_OK || status == SLG_CORRUPT || status == SLG_NOT_FOUND);
        assert_true(seen.count <= 120);
        assert_true(status != SLG_OK || seen.count == 120);
        found += status != SLG_OK || seen.wrong;
        tries++;
    }
    assert_true(found > 0 && found < tries);
    for (size_t page = 0; page < len / 4096; page++) {
        struct seen seen;

        memcpy(altered, bytes, len);
        for (size_t i = 0; i < 4096; i++)
            altered[page * 4096 + i] = (uint8_t)(i * 131 + page * 7 + (i >> 3));
        write_file(fd, altered, len);
        (void)walk(path, "batches", 0, &seen); /* it comes back */
    }
    for (size_t cut = 0; cut < len; cut += 4096) {
        struct seen seen;
        enum slg_status status;

        write_file(fd, bytes, cut);
        status = walk(path, "batches", 0, &seen);
        assert_true(status != SLG_OK || seen.count == 120);
    }
    (void)close(fd);
    free(bytes);
    free(altered);
    tear_down(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_lmdb_wrote),
        cmocka_unit_test(test_a_snapshot_stands),
        cmocka_unit_test(test_damage_is_a_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
