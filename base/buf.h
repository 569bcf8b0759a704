/* base/buf.h - growable byte buffer with a maximum fixed at init.
 *
 * Owner:   whoever init'ed it; slg_buf_fini frees. `data` moves on growth: do not keep pointers across appends.
 * Threads: one at a time.
 * Errors:  an append that would pass bytes_max, or finds no memory, sets `failed` and appends nothing; later
 *          appends do nothing either. So a writer appends freely and checks slg_buf_failed once at the end. */
#ifndef SLG_BASE_BUF_H
#define SLG_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"

struct slg_buf {
    uint8_t *data; /* read only outside buf.c; NULL while capacity is 0 */
    size_t len;
    size_t capacity;
    size_t bytes_max;
    bool failed;
};

/* bytes_max > 0. Allocates nothing yet. */
void slg_buf_init(struct slg_buf *buf, size_t bytes_max);
void slg_buf_fini(struct slg_buf *buf);
/* len = 0 and failed = false; keeps the memory. */
void slg_buf_clear(struct slg_buf *buf);
bool slg_buf_failed(const struct slg_buf *buf);
/* Give back the memory behind len, for what is kept long. */
void slg_buf_trim(struct slg_buf *buf);

/* Make room for `more` bytes after len without changing len; false sets failed. */
bool slg_buf_reserve(struct slg_buf *buf, size_t more);

void slg_buf_append(struct slg_buf *buf, const void *bytes, size_t len);
void slg_buf_append_text(struct slg_buf *buf, const char *text); /* up to its NUL */
void slg_buf_append_byte(struct slg_buf *buf, uint8_t byte);
void slg_buf_append_u16be(struct slg_buf *buf, uint16_t value);
void slg_buf_append_u32be(struct slg_buf *buf, uint32_t value);
void slg_buf_append_u64be(struct slg_buf *buf, uint64_t value);
/* LEB128, 1 to 10 bytes. slg_cursor_take_varint reads it. */
void slg_buf_append_varint(struct slg_buf *buf, uint64_t value);
/* Zigzag then LEB128. */
void slg_buf_append_varint_signed(struct slg_buf *buf, int64_t value);
void slg_buf_printf(struct slg_buf *buf, const char *format, ...) SLG_PRINTF(2, 3);

/* JSON string of bytes[0..len) with quotes: RFC 8259 escapes; bytes that are not UTF-8 (RFC 3629: no overlong
 * forms, no surrogates, at most U+10FFFF) become U+FFFD, one for each maximal bad part. */
void slg_buf_append_json(struct slg_buf *buf, const void *bytes, size_t len);
void slg_buf_append_json_text(struct slg_buf *buf, const char *text);

#endif
