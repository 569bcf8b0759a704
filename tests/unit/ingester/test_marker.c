/* A start learns how the run before it ended: well, not at all, or with bytes that nobody wrote.
 * Oracle: docs/FORMATS.md section 7, bytes written by hand; the calls of a run as a real ingester makes them. */
#include "tests/helper/test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "ingester/marker.h"

static const uint8_t golden[SLG_MARKER_BYTES] = {
    /* "SLGI", version 1, running; 1700000000 s; 10 s later; 5 ns; xxh3 as xxhash itself makes it */
    0x53, 0x4c, 0x47, 0x49, 0x00, 0x01, 0x00, 0x01, 0x17, 0x97, 0x9c, 0xfe, 0x36, 0x2a,
    0x00, 0x00, 0x17, 0x97, 0x9d, 0x00, 0x8a, 0x35, 0xe4, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x05, 0xf6, 0x1d, 0xd7, 0x0f, 0x97, 0x0c, 0x2a, 0x51,
};

static const struct slg_marker_record sample = { .state = SLG_MARKER_RUNNING,
                                                 .start_ns = 1700000000 * SLG_NS_PER_SEC,
                                                 .settled_ns = 1700000010 * SLG_NS_PER_SEC,
                                                 .untold_ns = 5 };

static void seal(uint8_t bytes[SLG_MARKER_BYTES])
{
    uint64_t sum = slg_hash_xxh3(bytes, SLG_MARKER_BYTES - 8);

    for (size_t i = 0; i < 8; i++)
        bytes[SLG_MARKER_BYTES - 8 + i] = (uint8_t)(sum >> (56 - 8 * i));
}

static void test_golden(void **state)
{
    uint8_t bytes[SLG_MARKER_BYTES];
    struct slg_marker_record got;

    (void)state;
    slg_marker_encode(&sample, bytes);
    assert_memory_equal(bytes, golden, sizeof(golden));
    assert_int_equal(slg_marker_decode(golden, sizeof(golden), &got), SLG_OK);
    assert_int_equal(got.state, sample.state);
    assert_int_equal(got.start_ns, sample.start_ns);
    assert_int_equal(got.settled_ns, sample.settled_ns);
    assert_int_equal(got.untold_ns, sample.untold_ns);
}

static void test_hostile(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t byte;
        enum slg_status status;
    } rows[] = {
        { "magic", 0, 'X', SLG_CORRUPT },
        { "version 0", 5, 0, SLG_UNSUPPORTED },
        { "version 2", 5, 2, SLG_UNSUPPORTED },
        { "state 0", 7, 0, SLG_CORRUPT },
        { "state 3", 7, 3, SLG_CORRUPT },
        { "state 257", 6, 1, SLG_CORRUPT },
        { "start before 1970", 8, 0x80, SLG_CORRUPT },
        { "settled before 1970", 16, 0xff, SLG_CORRUPT },
        { "untold before 1970", 24, 0x80, SLG_CORRUPT },
        { "ended", 7, 2, SLG_OK },
        { "start in 2262", 8, 0x7f, SLG_OK },
    };
    uint8_t bytes[SLG_MARKER_BYTES];
    struct slg_marker_record got;
    uint8_t *block;

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(rows); i++) {
        memcpy(bytes, golden, sizeof(bytes));
        bytes[rows[i].at] = rows[i].byte;
        seal(bytes); /* so that the check of the field is reached */
        CHECK(rows[i].name, slg_marker_decode(bytes, sizeof(bytes), &got) == rows[i].status);
    }
    for (size_t len = 0; len < sizeof(golden); len++) { /* cut anywhere */
        block = test_block(golden, len);
        assert_int_equal(slg_marker_decode(block, len, &got), SLG_CORRUPT);
        free(block);
    }
    for (size_t i = 0; i < sizeof(golden); i++) { /* one bit, not sealed again */
        memcpy(bytes, golden, sizeof(bytes));
        bytes[i] ^= 0x10;
        assert_int_not_equal(slg_marker_decode(bytes, sizeof(bytes), &got), SLG_OK);
    }
}

/* ---- the file ---- */

struct place {
    char dir[40];
    char path[64];
};

static struct place make_place(void)
{
    struct place place = { .dir = "/tmp/slg-marker-XXXXXX" };

    assert_non_null(mkdtemp(place.dir));
    (void)snprintf(place.path, sizeof(place.path), "%s/ingester.run", place.dir);
    return place;
}

static void remove_place(const struct place *place)
{
    (void)unlink(place->path);
    assert_int_equal(rmdir(place->dir), 0);
}

static struct slg_marker *open_at(const struct place *place, int64_t now_ns, int64_t untold_ns)
{
    struct slg_marker *marker = NULL;
    struct slg_error error;
    int64_t found = -1;

    if (slg_marker_open(place->path, now_ns, &marker, &found, &error) != SLG_OK)
        fail_msg("%s", error.message);
    assert_int_equal(found, untold_ns);
    return marker;
}

static void test_runs(void **state)
{
    struct place place = make_place();
    struct slg_marker *marker;

    (void)state;
    slg_marker_close(open_at(&place, 1000, 0), true); /* the first */
    slg_marker_close(open_at(&place, 2000, 0),
                     false); /* after a clean stop; ends uncleanly at once */
    marker = open_at(&place, 3000, 2000);
    assert_int_equal(slg_marker_refresh(marker, 3500), SLG_OK);
    slg_marker_close(marker, true); /* clean, but the loss before is not told yet */
    slg_marker_close(open_at(&place, 4000, 2000), false); /* nor by this one */
    marker = open_at(&place, 5000, 2000);
    assert_int_equal(slg_marker_told(marker), SLG_OK);
    assert_int_equal(slg_marker_refresh(marker, 5500), SLG_OK);
    slg_marker_close(marker, false);
    marker = open_at(&place, 6000, 5500);
    assert_int_equal(slg_marker_told(marker), SLG_OK);
    slg_marker_close(marker, false);
    marker = open_at(&place, 100, 100); /* the clock went back */
    assert_int_equal(slg_marker_told(marker), SLG_OK);
    slg_marker_close(marker, true);
    slg_marker_close(open_at(&place, 200, 0), true);
    remove_place(&place);
}

static void write_file(const struct place *place, const void *bytes, size_t len)
{
    int fd = open(place->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    assert_int_equal(close(fd), 0);
}

static void test_files_of_others(void **state)
{
    struct place place = make_place();
    struct slg_marker *marker;
    struct slg_marker *other;
    uint8_t bytes[SLG_MARKER_BYTES + 1] = { 0 };
    struct slg_error error;
    int64_t untold;

    (void)state;
    write_file(&place, "torn", 4);
    slg_marker_close(open_at(&place, 7, 7), true); /* its time, 2026 or later, is after now */
    memcpy(bytes, golden, sizeof(golden));
    write_file(&place, bytes, sizeof(bytes)); /* too long */
    marker = open_at(&place, 8, 8);
    assert_int_equal(slg_marker_open(place.path, 9, &other, &untold, &error), SLG_UNAVAILABLE);
    assert_non_null(strstr(error.message, "another process"));
    assert_int_equal(slg_marker_told(marker), SLG_OK);
    slg_marker_close(marker, true);
    slg_marker_close(open_at(&place, 10, 0), true); /* cut to size, ended well */
    bytes[5] = 2;
    write_file(&place, bytes, SLG_MARKER_BYTES);
    assert_int_equal(slg_marker_open(place.path, 9, &other, &untold, &error), SLG_UNSUPPORTED);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(symlink("/dev/null", place.path), 0);
    assert_int_equal(slg_marker_open(place.path, 9, &other, &untold, &error), SLG_IO);
    assert_int_equal(unlink(place.path), 0);
    assert_int_equal(mkfifo(place.path, 0600), 0);
    assert_int_equal(slg_marker_open(place.path, 9, &other, &untold, &error), SLG_IO);
    slg_marker_close(NULL, true);
    remove_place(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_files_of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
