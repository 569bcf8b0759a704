#include "proto/wire.h"

#include <assert.h>

#include <msgpack.h>

/* A map or array inside skipped values: deeper nesting than this is refused. */
#define SKIP_DEPTH_MAX 16U

/* ---- writing: msgpack-c chooses the form, slg_buf remembers a failure ---- */

static int append_packed(void *ctx, const char *bytes, size_t len)
{
    slg_buf_append(ctx, bytes, len);
    return 0;
}

static msgpack_packer packer_of(struct slg_buf *out)
{
    return (msgpack_packer){ .data = out, .callback = append_packed };
}

void slg_wire_array(struct slg_buf *out, size_t count)
{
    msgpack_packer packer = packer_of(out);

    SLG_ASSERT(count <= UINT32_MAX);
    (void)msgpack_pack_array(&packer, count); /* fails only through out, which remembers */
}

void slg_wire_uint(struct slg_buf *out, uint64_t value)
{
    msgpack_packer packer = packer_of(out);

    (void)msgpack_pack_uint64(&packer, value); /* as above, also below */
}

void slg_wire_int(struct slg_buf *out, int64_t value)
{
    msgpack_packer packer = packer_of(out);

    (void)msgpack_pack_int64(&packer, value);
}

void slg_wire_bool(struct slg_buf *out, bool value)
{
    msgpack_packer packer = packer_of(out);

    (void)(value ? msgpack_pack_true(&packer) : msgpack_pack_false(&packer));
}

void slg_wire_bin(struct slg_buf *out, const void *bytes, size_t len)
{
    msgpack_packer packer = packer_of(out);

    SLG_ASSERT(len <= UINT32_MAX);
    (void)msgpack_pack_bin(&packer, len);
    (void)msgpack_pack_bin_body(&packer, bytes, len);
}

void slg_wire_text(struct slg_buf *out, struct slg_text text)
{
    slg_wire_bin(out, text.at, text.len);
}

/* ---- reading: https://github.com/msgpack/msgpack/blob/master/spec.md ---- */

struct slg_wire_reader slg_wire_reader_make(const void *bytes, size_t len)
{
    return (struct slg_wire_reader){ .c = slg_cursor_make(bytes, len) };
}

static bool fail(struct slg_wire_reader *r)
{
    r->failed = true;
    return false;
}

bool slg_wire_take_array(struct slg_wire_reader *r, size_t count_max, size_t *ret_count)
{
    struct slg_cursor probe = r->c;
    uint64_t count;
    uint8_t tag;

    if (r->failed || !slg_cursor_take_u8(&probe, &tag))
        return fail(r);
    if ((tag & 0xF0) == 0x90)
        count = tag & 0x0F;
    else if ((tag != 0xDC && tag != 0xDD) ||
             !slg_cursor_take_be(&probe, tag == 0xDC ? 2 : 4, &count))
        return fail(r);
    if (count > count_max || count > slg_cursor_left(&probe))
        return fail(r);
    r->c = probe;
    *ret_count = (size_t)count;
    return true;
}

bool slg_wire_take_tuple(struct slg_wire_reader *r, size_t count)
{
    size_t got;

    if (!slg_wire_take_array(r, count, &got) || got != count)
        return fail(r);
    return true;
}

/* Any integer form. *ret_negative says how to read the bits. */
static bool take_integer(struct slg_cursor *c, uint64_t *ret_bits, bool *ret_negative)
{
    uint8_t tag;
    uint64_t bits;
    unsigned width;

    if (!slg_cursor_take_u8(c, &tag))
        return false;
    *ret_negative = false;
    if (tag < 0x80) {
        *ret_bits = tag;
        return true;
    }
    if (tag >= 0xE0) {
        *ret_bits = (uint64_t)(int64_t)(int8_t)tag;
        *ret_negative = true;
        return true;
    }
    if (tag < 0xCC || tag > 0xD3)
        return false;
    width = 1U << ((tag - 0xCCU) & 3U); /* cc..cf unsigned, d0..d3 signed: 1, 2, 4, 8 bytes */
    if (!slg_cursor_take_be(c, width, &bits))
        return false;
    if (tag >= 0xD0 && (bits >> (8 * width - 1)) != 0) {
        if (width < 8)
            bits |= UINT64_MAX << (8 * width);
        *ret_negative = true;
    }
    *ret_bits = bits;
    return true;
}

bool slg_wire_take_uint(struct slg_wire_reader *r, uint64_t value_max, uint64_t *ret_value)
{
    struct slg_cursor probe = r->c;
    uint64_t bits;
    bool negative;

    if (r->failed || !take_integer(&probe, &bits, &negative) || negative || bits > value_max)
        return fail(r);
    r->c = probe;
    *ret_value = bits;
    return true;
}

bool slg_wire_take_int(struct slg_wire_reader *r, int64_t *ret_value)
{
    struct slg_cursor probe = r->c;
    uint64_t bits;
    bool negative;

    if (r->failed || !take_integer(&probe, &bits, &negative) ||
        (!negative && bits > (uint64_t)INT64_MAX))
        return fail(r);
    r->c = probe;
    *ret_value = (int64_t)bits;
    return true;
}

bool slg_wire_take_bool(struct slg_wire_reader *r, bool *ret_value)
{
    uint8_t tag;

    if (r->failed || slg_cursor_left(&r->c) == 0)
        return fail(r);
    tag = *r->c.at;
    if (tag != 0xC2 && tag != 0xC3)
        return fail(r);
    r->c.at++;
    *ret_value = tag == 0xC3;
    return true;
}

/* Length of a bin or str value. */
static bool take_bin_length(struct slg_cursor *c, uint64_t *ret_len)
{
    uint8_t tag;

    if (!slg_cursor_take_u8(c, &tag))
        return false;
    if ((tag & 0xE0) == 0xA0) {
        *ret_len = tag & 0x1F;
        return true;
    }
    switch (tag) {
    case 0xC4:
    case 0xD9:
        return slg_cursor_take_be(c, 1, ret_len);
    case 0xC5:
    case 0xDA:
        return slg_cursor_take_be(c, 2, ret_len);
    case 0xC6:
    case 0xDB:
        return slg_cursor_take_be(c, 4, ret_len);
    default:
        return false;
    }
}

bool slg_wire_take_bin(struct slg_wire_reader *r, size_t len_max, const uint8_t **ret_bytes,
                       size_t *ret_len)
{
    struct slg_cursor probe = r->c;
    const uint8_t *bytes;
    uint64_t len;

    if (r->failed || !take_bin_length(&probe, &len) || len > len_max ||
        !slg_cursor_take_bytes(&probe, (size_t)len, &bytes))
        return fail(r);
    r->c = probe;
    *ret_bytes = bytes;
    *ret_len = (size_t)len;
    return true;
}

bool slg_wire_take_text(struct slg_wire_reader *r, size_t len_max, struct slg_text *ret_text)
{
    const uint8_t *bytes;
    size_t len;

    if (!slg_wire_take_bin(r, len_max, &bytes, &len))
        return false;
    *ret_text = slg_text_make(bytes, len);
    return true;
}

/* Bytes that follow the tag of a value without items, and the number of items of one with. */
static bool measure(struct slg_cursor *c, uint64_t *ret_len, uint64_t *ret_items)
{
    static const uint8_t fixed_len[] = { /* ca..d8: float, uint, int, fixext (type byte included) */
                                         4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 3, 5, 9, 17
    };
    uint8_t tag = *c->at;

    *ret_len = 0;
    *ret_items = 0;
    if ((tag & 0xE0) == 0xA0 || (tag >= 0xC4 && tag <= 0xC6) || (tag >= 0xD9 && tag <= 0xDB))
        return take_bin_length(c, ret_len);
    c->at++;
    if (tag < 0x80 || tag >= 0xE0 || tag == 0xC0 || tag == 0xC2 || tag == 0xC3)
        return true;
    if (tag < 0xA0) {
        *ret_items = (uint64_t)(tag & 0x0F) * (tag < 0x90 ? 2 : 1);
        return true;
    }
    if (tag >= 0xC7 && tag <= 0xC9) {
        if (!slg_cursor_take_be(c, 1U << (tag - 0xC7U), ret_len))
            return false;
        *ret_len += 1; /* the type byte */
        return true;
    }
    if (tag >= 0xCA && tag <= 0xD8) {
        *ret_len = fixed_len[tag - 0xCA];
        return true;
    }
    if (tag < 0xDC) /* c1: never used */
        return false;
    if (!slg_cursor_take_be(c, (tag & 1) == 0 ? 2 : 4, ret_items))
        return false;
    *ret_items *= tag >= 0xDE ? 2 : 1;
    return true;
}

bool slg_wire_skip(struct slg_wire_reader *r)
{
    struct slg_cursor probe = r->c;
    uint64_t left[SKIP_DEPTH_MAX + 1] = { 1 }; /* values still to skip, per depth */
    unsigned depth = 0;

    if (r->failed)
        return false;
    for (;;) {
        const uint8_t *bytes;
        uint64_t len, items;

        while (left[depth] == 0) {
            if (depth == 0) {
                r->c = probe;
                return true;
            }
            depth--;
        }
        left[depth]--;
        if (slg_cursor_left(&probe) == 0 || !measure(&probe, &len, &items) ||
            len > slg_cursor_left(&probe) || items > slg_cursor_left(&probe) ||
            !slg_cursor_take_bytes(&probe, (size_t)len, &bytes))
            return fail(r);
        if (items == 0)
            continue;
        if (depth == SKIP_DEPTH_MAX)
            return fail(r);
        left[++depth] = items;
    }
}

bool slg_wire_done(const struct slg_wire_reader *r)
{
    return !r->failed && slg_cursor_left(&r->c) == 0;
}
