/* Arbitrary packed bodies: unpacking ends, within the limit of its buffer; what is unpacked, packed and unpacked again
 * is the same; any bytes packed in two pieces come back. The first byte chooses the limit. */
#include "proto/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(const uint8_t *data, size_t size)
{
    struct slg_gzip *gzip = slg_gzip_create();
    struct slg_buf packed, back;

    SLG_ASSERT(gzip != NULL);
    slg_buf_init(&packed, size * 2 + 65536);
    slg_buf_init(&back, size + 1);
    SLG_ASSERT(slg_gzip_pack(gzip, data, size / 2, false, &packed) == SLG_OK);
    SLG_ASSERT(slg_gzip_pack(gzip, data + size / 2, size - size / 2, true, &packed) == SLG_OK);
    SLG_ASSERT(slg_gzip_unpack(packed.data, packed.len, &back) == SLG_OK);
    SLG_ASSERT(back.len == size);
    SLG_ASSERT(size == 0 || memcmp(back.data, data, size) == 0);
    slg_buf_fini(&back);
    slg_buf_fini(&packed);
    slg_gzip_destroy(gzip);
}

/* An answer that does not fit is refused, whatever came out before. */
static void check_no_room(const uint8_t *data, size_t size)
{
    struct slg_gzip *gzip = slg_gzip_create();
    struct slg_buf packed;

    SLG_ASSERT(gzip != NULL);
    slg_buf_init(&packed, (size_t)data[0] + 1); /* less than one piece */
    SLG_ASSERT(slg_gzip_pack(gzip, data, size, true, &packed) == SLG_LIMIT);
    slg_buf_fini(&packed);
    slg_gzip_destroy(gzip);
    slg_gzip_destroy(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_buf out;
    enum slg_status status;
    size_t limit;

    if (size == 0)
        return 0;
    limit = data[0] < 128 ? (size_t)data[0] + 1 : (size_t)(data[0] - 127) * 512;
    slg_buf_init(&out, limit);
    status = slg_gzip_unpack(data + 1, size - 1, &out);
    SLG_ASSERT(status == SLG_OK || status == SLG_LIMIT || status == SLG_MALFORMED);
    SLG_ASSERT(out.len <= limit);
    if (status == SLG_OK)
        check_round_trip(out.data == NULL ? data : out.data, out.len);
    slg_buf_fini(&out);
    check_round_trip(data, size);
    check_no_room(data, size);
    return 0;
}
