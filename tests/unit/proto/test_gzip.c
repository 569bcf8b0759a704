/* What is packed comes back; hostile input stops at the limit. Oracle: bytes made by gzip(1) and zlib. */
#include "tests/helper/test.h"

#include "proto/gzip.h"

/* printf hello | gzip -n; python3 zlib.compress(b"hello") */
static const char gzip_hello[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07"
                                 "\x00\x86\xa6\x10\x36\x05\x00\x00\x00";
/* (printf hel | gzip -n; printf lo | gzip -n) */
#define GZIP_HEL                                                                                   \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\x01\x00\x1b\xf1\x0b\xe5\x03\x00\x00\x00"
#define GZIP_LO                                                                                    \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\xc9\x07\x00\x9d\x4a\x9c\x55\x02\x00\x00\x00"
#define GZIP_NONE "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"
static const char zlib_hello[] = "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15";

static const struct unpack_case {
    const char *name, *bytes;
    size_t len, bytes_max;
    enum slg_status want;
} cases[] = {
    { "gzip", gzip_hello, 25, 100, SLG_OK },
    { "zlib", zlib_hello, 13, 100, SLG_OK },
    { "raw deflate", gzip_hello + 10, 7, 100, SLG_OK },
    { "raw deflate cut short", gzip_hello + 10, 6, 100, SLG_MALFORMED },
    { "it just fits", gzip_hello, 25, 5, SLG_OK },
    { "one byte too long", gzip_hello, 25, 4, SLG_LIMIT },
    { "cut short", gzip_hello, 24, 100, SLG_MALFORMED },
    { "bytes behind the end", "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15x", 14, 100,
      SLG_MALFORMED },
    { "bad checksum", "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x16", 13, 100,
      SLG_MALFORMED },
    { "two members", GZIP_HEL GZIP_LO, 45, 100, SLG_OK },
    { "two members just fit", GZIP_HEL GZIP_LO, 45, 5, SLG_OK },
    { "the second member is too long", GZIP_HEL GZIP_LO, 45, 4, SLG_LIMIT },
    { "the first member fills it", GZIP_HEL GZIP_LO, 45, 3, SLG_LIMIT },
    { "empty members between", GZIP_NONE GZIP_HEL GZIP_NONE GZIP_LO GZIP_NONE, 105, 5, SLG_OK },
    { "second member cut short", GZIP_HEL GZIP_LO, 44, 100, SLG_MALFORMED },
    { "second member: its first byte only", GZIP_HEL "\x1f", 24, 100, SLG_MALFORMED },
    { "second member: its mark only", GZIP_HEL "\x1f\x8b", 25, 100, SLG_MALFORMED },
    { "bytes behind the members", GZIP_HEL GZIP_LO "x", 46, 100, SLG_MALFORMED },
    { "zeros behind the members", GZIP_HEL GZIP_LO "\0\0\0", 48, 100, SLG_MALFORMED },
    { "zlib behind gzip", GZIP_HEL "\x78\x9c\xcb\xc9\x07\x00\x01\x43\x00\xdc", 33, 100,
      SLG_MALFORMED },
    { "gzip behind zlib", "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15" GZIP_NONE, 33, 100,
      SLG_MALFORMED },
    { "no packing at all", "hello", 5, 100, SLG_MALFORMED },
    { "nothing", "", 0, 100, SLG_MALFORMED },
};

static void test_unpack(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct unpack_case *row = &cases[i];
        uint8_t *bytes = test_block(row->bytes, row->len);
        struct slg_buf out;

        slg_buf_init(&out, row->bytes_max);
        CHECK(row->name, slg_gzip_unpack(bytes, row->len, &out) == row->want);
        CHECK(row->name,
              row->want != SLG_OK || (out.len == 5 && memcmp(out.data, "hello", 5) == 0));
        slg_buf_fini(&out);
        free(bytes);
    }
}

static void test_round_trip_in_pieces(void **state)
{
    static const size_t sizes[] = { 0, 1, 1000, 70000, 3, 500000 };
    struct slg_gzip *gzip = slg_gzip_create();
    struct slg_buf plain, packed, back;

    (void)state;
    assert_non_null(gzip);
    slg_buf_init(&plain, 1 << 20);
    slg_buf_init(&packed, 1 << 20);
    slg_buf_init(&back, 1 << 20);
    for (size_t i = 0; i < SLG_ARRAY_LEN(sizes); i++) {
        size_t start = plain.len;

        for (size_t k = 0; k < sizes[i]; k++)
            slg_buf_append_byte(&plain, (uint8_t)(k * k >> 7));
        assert_int_equal(slg_gzip_pack(gzip, sizes[i] == 0 ? NULL : plain.data + start, sizes[i],
                                       i + 1 == SLG_ARRAY_LEN(sizes), &packed),
                         SLG_OK);
    }
    assert_int_equal(slg_gzip_unpack(packed.data, packed.len, &back), SLG_OK);
    assert_int_equal(back.len, plain.len);
    assert_memory_equal(back.data, plain.data, plain.len);
    slg_gzip_destroy(gzip);
    slg_buf_fini(&plain);
    slg_buf_fini(&packed);
    slg_buf_fini(&back);
}

/* The limit holds over all members together. */
static void test_many_members(void **state)
{
    struct slg_buf packed, out;

    (void)state;
    slg_buf_init(&packed, 1 << 20);
    slg_buf_init(&out, 2999);
    for (int i = 0; i < 1000; i++)
        slg_buf_append(&packed, GZIP_HEL, sizeof(GZIP_HEL) - 1);
    assert_int_equal(slg_gzip_unpack(packed.data, packed.len, &out), SLG_LIMIT);
    assert_true(out.capacity <= 2999);
    slg_buf_fini(&out);
    slg_buf_init(&out, 3000);
    assert_int_equal(slg_gzip_unpack(packed.data, packed.len, &out), SLG_OK);
    assert_int_equal(out.len, 3000);
    slg_buf_fini(&out);
    slg_buf_fini(&packed);
}

/* A bomb: 100 MB of zeros in 100 KB must cost no more than the limit. */
static void test_a_bomb_stops_at_the_limit(void **state)
{
    static const uint8_t zeros[100000];
    struct slg_gzip *gzip = slg_gzip_create();
    struct slg_buf packed, out;

    (void)state;
    assert_non_null(gzip);
    slg_buf_init(&packed, 1 << 20);
    slg_buf_init(&out, 1 << 20);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(slg_gzip_pack(gzip, zeros, sizeof(zeros), i == 999, &packed), SLG_OK);
    assert_int_equal(slg_gzip_unpack(packed.data, packed.len, &out), SLG_LIMIT);
    assert_true(out.capacity <= 1 << 20);
    slg_gzip_destroy(gzip);
    slg_buf_fini(&packed);
    slg_buf_fini(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unpack),
        cmocka_unit_test(test_round_trip_in_pieces),
        cmocka_unit_test(test_many_members),
        cmocka_unit_test(test_a_bomb_stops_at_the_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
