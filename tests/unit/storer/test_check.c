/* Every damage to a generation's file is found, a damaged batch is told alone, sound ones are not. Covers: storer/check.c
 * storer/pages.c storer/shard_aside.c
 * Oracle: where each batch lies in the file, found by its bytes; bytes altered one after another. */
#include "tests/helper/storer.h"

#include <sys/mman.h>

#include "base/bytes.h"
#include "base/hash.h"
#include "storer/check.h"
#include "storer/shard_record.h"
#include "storer/summary.h"

enum { BATCH_COUNT = 60 };

struct made {
    char *directory;
    struct slg_shard_id id;
    struct slg_shard *shard;
    struct slg_disk_path path;
    struct slg_buf batches[BATCH_COUNT + 1]; /* by sequence */
    uint8_t *bytes;                          /* of the file */
    size_t len;
    int fd; /* of the altered copy */
    char altered[64];
};

/* Batch n: one small entry, or enough of noise for pages of its own. */
static void make_batch(struct made *m, uint64_t n)
{
    static char line[20000];
    size_t len = n % 5 == 0 ? 40 : 900 + (size_t)n * 200;
    uint64_t noise = n;

    for (size_t i = 0; i < len; i++) {
        noise = noise * 6364136223846793005U + 1442695040888963407U;
        line[i] = (char)('!' + (noise >> 33) % 90);
    }
    line[len] = '\0';
    slg_buf_init(&m->batches[n], SLG_BATCH_BYTES_MAX);
    test_encode_line(&m->batches[n], &m->id, 1, n, line);
}

static void store(struct made *m, uint64_t first, uint64_t last)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_shard_write *write;

    assert_int_equal(slg_shard_write_begin(m->shard, &write, NULL), SLG_OK);
    for (uint64_t n = first; n <= last; n++) {
        struct slg_batch_header header;
        enum slg_shard_put put;

        make_batch(m, n);
        slg_arena_reset(arena);
        assert_int_equal(
            slg_batch_read_header(arena, m->batches[n].data, m->batches[n].len, &header), SLG_OK);
        assert_int_equal(
            slg_shard_write_put(write, &header, m->batches[n].data, m->batches[n].len, &put),
            SLG_OK);
    }
    assert_int_equal(slg_shard_write_commit(write, NULL), SLG_OK);
    slg_arena_destroy(arena);
}

static void set_up(struct made *m)
{
    struct slg_shard_options options = { .map_bytes = 16 << 20, .create = true };
    struct stat st;
    int fd;

    memset(m, 0, sizeof(*m));
    m->directory = test_make_directory();
    m->id = test_shard(0);
    options.shards_directory = m->directory;
    options.id = m->id;
    assert_int_equal(slg_shard_open(&options, &m->shard, NULL), SLG_OK);
    for (uint64_t n = 1; n <= BATCH_COUNT; n += 10)
        store(m, n, n + 9);
    assert_int_equal(slg_shard_generation_path(m->shard, 0, &m->path, NULL), SLG_OK);
    fd = open(m->path.text, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    m->len = (size_t)st.st_size;
    m->bytes = malloc(m->len);
    assert_int_equal(read(fd, m->bytes, m->len), m->len);
    (void)close(fd);
    m->fd = memfd_create("altered", 0);
    assert_true(m->fd >= 0);
    assert_int_equal(pwrite(m->fd, m->bytes, m->len, 0), m->len);
    (void)snprintf(m->altered, sizeof(m->altered), "/proc/self/fd/%d", m->fd);
}

static void tear_down(struct made *m)
{
    for (size_t n = 1; n <= BATCH_COUNT; n++)
        slg_buf_fini(&m->batches[n]);
    (void)close(m->fd);
    free(m->bytes);
    slg_shard_close(m->shard);
    test_drop_directory(m->directory);
}

struct verdict {
    enum slg_status status;
    size_t bad_count;
    uint64_t bad_arrival; /* of the first */
    enum slg_aside_reason reason;
    uint64_t batches;
};

static struct verdict check_file(struct made *m, const char *path, size_t piece_bytes)
{
    struct verdict verdict = { .status = SLG_OK };
    const struct slg_check_bad *bad;
    struct slg_check *check;
    bool more = true;

    verdict.status = slg_check_open(path, &m->id, &check, NULL);
    if (verdict.status != SLG_OK)
        return verdict;
    verdict.status = slg_check_index(check, NULL);
    for (uint64_t last = 0; verdict.status == SLG_OK && more;)
        verdict.status = slg_check_batches(check, last, piece_bytes, &last, &more, NULL);
    bad = slg_check_bad(check, &verdict.bad_count);
    verdict.bad_arrival = verdict.bad_count > 0 ? bad[0].arrival : 0;
    verdict.reason = verdict.bad_count > 0 ? bad[0].reason : (enum slg_aside_reason)0;
    verdict.batches = slg_check_counts(check).batches;
    slg_check_close(check);
    return verdict;
}

static struct verdict check_altered(struct made *m, size_t at, uint8_t flip)
{
    uint8_t byte = m->bytes[at] ^ flip;
    struct verdict verdict;

    assert_int_equal(pwrite(m->fd, &byte, 1, (off_t)at), 1);
    verdict = check_file(m, m->altered, 1 << 20);
    assert_int_equal(pwrite(m->fd, &m->bytes[at], 1, (off_t)at), 1);
    return verdict;
}

static void test_sound_files_pass(void **state)
{
    static const size_t pieces[] = { 1, 10000, 1 << 20 };
    struct made m;

    (void)state;
    set_up(&m);
    for (size_t i = 0; i < SLG_ARRAY_LEN(pieces); i++) {
        struct verdict verdict = check_file(&m, m.path.text, pieces[i]);

        assert_int_equal(verdict.status, SLG_OK);
        assert_int_equal(verdict.bad_count, 0);
        assert_int_equal(verdict.batches, BATCH_COUNT);
    }
    tear_down(&m);
}

/* Where the bytes of a batch lie; a batch that was moved lies in freed pages, too. */
static size_t find_batch(const struct made *m, uint64_t n, size_t from)
{
    const uint8_t *at =
        memmem(m->bytes + from, m->len - from, m->batches[n].data, m->batches[n].len);

    return at == NULL ? SIZE_MAX : (size_t)(at - m->bytes);
}

static void test_a_damaged_batch_is_told_alone(void **state)
{
    struct made m;

    (void)state;
    set_up(&m);
    for (uint64_t n = 1; n <= BATCH_COUNT; n++) {
        size_t len = m.batches[n].len, found = 0;

        for (size_t at = find_batch(&m, n, 0); at != SIZE_MAX; at = find_batch(&m, n, at + 1)) {
            const size_t places[] = { 0, 9, len / 2, len - 1 };

            for (size_t i = 0; i < SLG_ARRAY_LEN(places); i++) {
                struct verdict verdict = check_altered(&m, at + places[i], 0x10);

                assert_int_equal(verdict.status, SLG_OK);
                assert_true(verdict.bad_count <= 1);
                assert_int_equal(verdict.batches, BATCH_COUNT);
                if (verdict.bad_count == 0)
                    continue; /* an old copy in a freed page */
                assert_int_equal(verdict.bad_arrival, n);
                assert_int_equal(verdict.reason, SLG_ASIDE_CHECKSUM);
                found++;
            }
        }
        assert_int_equal(found, 4);
    }
    tear_down(&m);
}

/* A byte anywhere: found, or it is not used. What is not found must not change what is read: then the check would be blind. */
static void test_any_byte(void **state)
{
    size_t sound = 0, damaged = 0, bad = 0;
    struct made m;

    (void)state;
    set_up(&m);
    for (size_t at = 0; at < m.len; at += at % 4096 < 48 ? 2 : 131) {
        struct verdict verdict = check_altered(&m, at, 0xff);

        assert_true(verdict.status == SLG_OK || verdict.status == SLG_CORRUPT);
        damaged += verdict.status == SLG_CORRUPT;
        bad += verdict.status == SLG_OK && verdict.bad_count > 0;
        sound += verdict.status == SLG_OK && verdict.bad_count == 0;
    }
    assert_true(damaged > 50 && bad > 50 && sound > 0);
    tear_down(&m);
}

/* Another batch's bytes in the place of one are not what the tables tell of. */
static void test_swapped_batches(void **state)
{
    struct verdict verdict;
    struct made m;
    size_t at;

    (void)state;
    set_up(&m);
    slg_buf_fini(&m.batches[2]);
    at = find_batch(&m, 1, 0);
    test_encode_line(&m.batches[2], &m.id, 2, 1, "another line of text");
    assert_true(at != SIZE_MAX && m.batches[2].len <= m.batches[1].len);
    /* The same length is needed: alter the id inside and put the checksum right. */
    slg_buf_clear(&m.batches[2]);
    slg_buf_append(&m.batches[2], m.batches[1].data, m.batches[1].len);
    m.batches[2].data[12] ^= 1; /* incarnation */
    {
        uint64_t sum = slg_hash_xxh3(m.batches[2].data, m.batches[2].len - 8);

        for (size_t i = 0; i < 8; i++)
            m.batches[2].data[m.batches[2].len - 8 + i] = (uint8_t)(sum >> (8 * (7 - i)));
    }
    for (; at != SIZE_MAX; at = find_batch(&m, 1, at + 1))
        assert_int_equal(pwrite(m.fd, m.batches[2].data, m.batches[2].len, (off_t)at),
                         m.batches[2].len);
    verdict = check_file(&m, m.altered, 1 << 20);
    assert_int_equal(verdict.status, SLG_OK);
    assert_int_equal(verdict.bad_count, 1);
    assert_int_equal(verdict.bad_arrival, 1);
    assert_int_equal(verdict.reason, SLG_ASIDE_OTHER);
    tear_down(&m);
}

/* Make the sound record in [at, at + len), which ends in its checksum, one of another version. */
static void make_newer(struct made *m, size_t at, size_t len)
{
    uint8_t *record = test_block(m->bytes + at, len);

    record[0] = 77;
    slg_bytes_put_u64be(record + len - 8, slg_hash_xxh3(record, len - 8));
    assert_int_equal(pwrite(m->fd, record, len, (off_t)at), len);
    free(record);
}

/* Every summary of batch 1, or all totals; freed pages, too. */
static void make_all_newer(struct made *m, bool totals)
{
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_batch_header header;
    struct slg_buf summary;
    size_t found = 0;

    slg_buf_init(&summary, 4096);
    assert_int_equal(slg_batch_read_header(arena, m->batches[1].data, m->batches[1].len, &header),
                     SLG_OK);
    slg_summary_encode(&summary, &header, m->batches[1].len, &(uint32_t){ 0 });
    for (size_t at = 0; at + SLG_SHARD_STATE_BYTES <= m->len; at++) {
        const struct slg_kv_bytes record = { m->bytes + at, SLG_SHARD_STATE_BYTES };
        struct slg_shard_state state;
        bool is_totals = slg_shard_state_decode(record, &state) == SLG_OK;

        if (totals ? is_totals : memcmp(m->bytes + at, summary.data, summary.len) == 0) {
            make_newer(m, at, totals ? record.len : summary.len);
            found++;
        }
    }
    assert_true(found > 0);
    slg_buf_fini(&summary);
    slg_arena_destroy(arena);
}

/* Records of another release are no damage: the shard would be quarantined for nothing. */
static void test_other_versions_are_no_damage(void **state)
{
    (void)state;
    for (int totals = 0; totals < 2; totals++) {
        struct made m;

        set_up(&m);
        make_all_newer(&m, totals != 0);
        assert_int_equal(check_file(&m, m.altered, 1 << 20).status, SLG_UNSUPPORTED);
        tear_down(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound_files_pass),
        cmocka_unit_test(test_a_damaged_batch_is_told_alone),
        cmocka_unit_test(test_any_byte),
        cmocka_unit_test(test_swapped_batches),
        cmocka_unit_test(test_other_versions_are_no_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
