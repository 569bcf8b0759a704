/* base/cursor.h - reading bytes from outside: (pointer, length), never NUL-terminated, never past the end.
 *
 * A parser copies the cursor, works on the copy and assigns it back only on success. Every take_ function
 * returns false, and moves nothing, when the bytes are not there or not of that form.
 * Owner: borrows the bytes. Threads: none shared. */
#ifndef SLG_BASE_CURSOR_H
#define SLG_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slg_cursor {
    const uint8_t *at;
    const uint8_t *end; /* at <= end */
};

static inline struct slg_cursor slg_cursor_make(const void *bytes, size_t len)
{
    const uint8_t *start = bytes;

    return (struct slg_cursor){ .at = start, .end = len == 0 ? start : start + len };
}

static inline size_t slg_cursor_left(const struct slg_cursor *c)
{
    return (size_t)(c->end - c->at);
}

static inline bool slg_cursor_take_byte(struct slg_cursor *c, uint8_t byte)
{
    if (c->at == c->end || *c->at != byte)
        return false;
    c->at++;
    return true;
}

/* The next byte without taking it, or -1 at the end. */
static inline int slg_cursor_peek(const struct slg_cursor *c)
{
    return c->at == c->end ? -1 : *c->at;
}

/* len bytes, borrowed. */
bool slg_cursor_take_bytes(struct slg_cursor *c, size_t len, const uint8_t **ret_bytes);
/* Exactly this text. */
bool slg_cursor_take_text(struct slg_cursor *c, const char *text);
bool slg_cursor_take_u8(struct slg_cursor *c, uint8_t *ret_value);
/* 1 to 8 bytes, big-endian. */
bool slg_cursor_take_be(struct slg_cursor *c, size_t byte_count, uint64_t *ret_value);
bool slg_cursor_take_u16be(struct slg_cursor *c, uint16_t *ret_value);
bool slg_cursor_take_u32be(struct slg_cursor *c, uint32_t *ret_value);
bool slg_cursor_take_u64be(struct slg_cursor *c, uint64_t *ret_value);
/* LEB128 of at most 10 bytes; longer or overflowing forms are refused. */
bool slg_cursor_take_varint(struct slg_cursor *c, uint64_t *ret_value);
bool slg_cursor_take_varint_signed(struct slg_cursor *c, int64_t *ret_value);
/* Decimal digits: at least 1, at most digits_max (a further digit is refused), value at most value_max.
 * Leading zeros are allowed within digits_max. */
bool slg_cursor_take_uint(struct slg_cursor *c, unsigned digits_max, uint64_t value_max,
                          uint64_t *ret_value);

#endif
