/* What is sound in a quarantined copy is found, whatever became of its tables, and "whole" is never said of less. Covers:
 * storer/salvage.c
 * Oracle: the batches that were stored. */
#include "tests/helper/storer.h"

#include "storer/salvage.h"
#include "storer/shard.h"

enum { BATCH_COUNT = 40 };

struct made {
    char *directory; /* of shards */
    char shard[1024];
    char file[1024]; /* of its last generation */
    struct slg_shard_id id;
    struct slg_batch_set *found;
    uint64_t bytes;
};

static void store(struct slg_shard *shard, const struct slg_shard_id *id, uint64_t first,
                  uint64_t last)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_shard_write *write;
    static char line[70000];

    assert_int_equal(slg_shard_write_begin(shard, &write, NULL), SLG_OK);
    for (uint64_t n = first; n <= last; n++) {
        size_t len = n % 3 == 0 ? 20 : (size_t)n * 1500;
        struct slg_batch_header header;
        enum slg_shard_put put;
        struct slg_buf batch;
        uint64_t noise = n;

        for (size_t i = 0; i < len; i++) {
            noise = noise * 6364136223846793005U + 1442695040888963407U;
            line[i] = (char)('!' + (noise >> 33) % 90);
        }
        line[len] = '\0';
        slg_buf_init(&batch, SLG_BATCH_BYTES_MAX);
        test_encode_line(&batch, id, 1, n, line);
        slg_arena_reset(arena);
        assert_int_equal(slg_batch_read_header(arena, batch.data, batch.len, &header), SLG_OK);
        assert_int_equal(slg_shard_write_put(write, &header, batch.data, batch.len, &put), SLG_OK);
        slg_buf_fini(&batch);
    }
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    slg_arena_destroy(arena);
}

static void set_up(struct made *m)
{
    struct slg_shard_options options = { .map_bytes = 64 << 20, .create = true };
    struct slg_shard *shard;

    memset(m, 0, sizeof(*m));
    m->directory = test_make_directory();
    m->id = test_shard(0);
    m->found = slg_batch_set_create();
    options.shards_directory = m->directory;
    options.id = m->id;
    assert_int_equal(slg_shard_open(&options, &shard, NULL), SLG_OK);
    store(shard, &m->id, 1, BATCH_COUNT / 2); /* two generations */
    assert_int_equal(slg_shard_roll(shard, NULL), SLG_OK);
    store(shard, &m->id, BATCH_COUNT / 2 + 1, BATCH_COUNT);
    slg_shard_close(shard);
    test_join(m->shard, m->directory, slg_shard_name_of(&m->id).text);
    test_join(m->file, m->shard, "g0000000002.lmdb");
}

static void tear_down(struct made *m)
{
    slg_batch_set_destroy(m->found);
    test_drop_directory(m->directory);
}

static enum slg_status keep(void *ctx, const uint8_t *bytes, size_t len)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_batch_header header;
    struct made *m = ctx;

    assert_int_equal(slg_batch_read_header(arena, bytes, len, &header), SLG_OK);
    assert_int_equal(slg_batch_set_add(m->found, &header.id.incarnation, header.id.sequence),
                     SLG_OK);
    slg_arena_destroy(arena);
    return SLG_OK;
}

static bool pay(void *ctx, uint64_t bytes)
{
    struct made *m = ctx;

    m->bytes += bytes;
    return true;
}

static bool stop(void *ctx, uint64_t bytes)
{
    (void)ctx; /* nothing */
    (void)bytes;
    return false;
}

static struct slg_salvage salvage_of(struct made *m)
{
    return (struct slg_salvage){
        .directory = m->shard, .shard = m->id, .store = keep, .pay = pay, .ctx = m
    };
}

static void alter(const char *path, off_t offset, const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, offset), len);
    (void)close(fd);
}

enum hurt { NOTHING, META, MANIFEST, A_FILE, REFILLING, OTHER_SHARD };
static const struct salvage_case {
    const char *name;
    enum hurt hurt;
    uint64_t found; /* batches */
    bool whole;
} cases[] = {
    { "sound", NOTHING, BATCH_COUNT, true },
    { "a meta page is lost", META, BATCH_COUNT, false },
    { "the manifest is lost", MANIFEST, BATCH_COUNT, false },
    { "a generation is lost", A_FILE, BATCH_COUNT / 2, false },
    { "it was incomplete before", REFILLING, BATCH_COUNT, false },
    { "another shard's", OTHER_SHARD, 0, false },
};

static void damage(struct made *m, enum hurt hurt)
{
    char path[2048];
    FILE *file;

    if (hurt == META)
        alter(m->file, 16, "12345678", 8);
    if (hurt == A_FILE)
        assert_int_equal(unlink(m->file), 0);
    if (hurt == MANIFEST) {
        test_join(path, m->shard, "manifest");
        assert_int_equal(unlink(path), 0);
    }
    if (hurt == REFILLING) {
        test_join(path, m->shard, "refilling");
        file = fopen(path, "w");
        assert_non_null(file);
        fclose(file);
    }
    if (hurt == OTHER_SHARD)
        m->id = test_shard(1);
}

static void test_finds_what_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        struct slg_salvage_result result;
        struct slg_salvage salvage;
        struct made m;

        set_up(&m);
        damage(&m, cases[i].hurt);
        salvage = salvage_of(&m);
        CHECK(cases[i].name, slg_salvage_run(&salvage, &result, NULL) == SLG_OK);
        CHECK(cases[i].name, slg_batch_set_count(m.found) == cases[i].found);
        CHECK(cases[i].name, result.batches == cases[i].found);
        CHECK(cases[i].name, result.whole == cases[i].whole);
        CHECK(cases[i].name, m.bytes > 0);
        salvage.pay = stop;
        CHECK(cases[i].name, slg_salvage_run(&salvage, &result, NULL) == SLG_CANCELED);
        tear_down(&m);
    }
}

/* A batch that is damaged is not found, and then it is not all. */
static void test_a_damaged_batch_stays_lost(void **state)
{
    struct slg_salvage_result result;
    struct slg_salvage salvage;
    static uint8_t bytes[8 << 20];
    const uint8_t *at;
    struct made m;
    ssize_t n;
    int fd;

    (void)state;
    set_up(&m);
    fd = open(m.file, O_RDONLY);
    n = read(fd, bytes, sizeof(bytes));
    (void)close(fd);
    assert_true(n > 0);
    at = memmem(bytes, (size_t)n, "\xdc\x00\x15\xc4\x04SLGB", 9);
    /* One with pages of its own: what a split of a page leaves behind may be a second copy of a small one. */
    while (at != NULL && (at - bytes) % 4096 != 16)
        at = memmem(at + 1, (size_t)(bytes + n - at) - 1, "\xdc\x00\x15\xc4\x04SLGB", 9);
    assert_non_null(at);
    alter(m.file, at - bytes + 190, "\x01\x02\x03\x04\x05", 5);
    salvage = salvage_of(&m);
    assert_int_equal(slg_salvage_run(&salvage, &result, NULL), SLG_OK);
    assert_int_equal(result.batches, BATCH_COUNT - 1);
    assert_false(result.whole);
    tear_down(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_finds_what_is_sound),
        cmocka_unit_test(test_a_damaged_batch_stays_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
