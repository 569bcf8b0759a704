#include "proto/gzip.h"

#include <zlib.h>

#define PIECE_BYTES ((size_t)16384)
#define WINDOW_ANY  (15 + 32) /* find gzip or zlib by their heads */
#define WINDOW_GZIP (15 + 16)
#define WINDOW_RAW  (-15)
#define LEVEL                                                                                      \
    1 /* LIMITS section 6: 118-164 MB/s; higher levels only cost time on the way to a browser */
#define MEMORY_LEVEL 8

struct slg_gzip {
    z_stream stream;
};

static bool begins_gzip(const uint8_t *bytes, size_t len)
{
    return len >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B;
}

/* Raw deflate has no head: what begins like neither gzip (RFC 1952, 2.3.1) nor zlib (RFC 1950, 2.2). */
static int window_of(const uint8_t *bytes, size_t len)
{
    bool zlib = len >= 2 && (bytes[0] & 0x0F) == 8 && (bytes[0] * 256 + bytes[1]) % 31 == 0;

    return begins_gzip(bytes, len) || zlib ? WINDOW_ANY : WINDOW_RAW;
}

enum slg_status slg_gzip_unpack(const void *bytes, size_t len, struct slg_buf *out)
{
    z_stream stream = { 0 };
    enum slg_status status = SLG_OK;
    bool gzip = begins_gzip(bytes, len);
    uint8_t surplus;
    int rc = Z_OK;

    if (len > UINT32_MAX || inflateInit2(&stream, window_of(bytes, len)) != Z_OK)
        return SLG_MALFORMED;
    stream.next_in = (Bytef *)(uintptr_t)bytes; /* zlib does not write to it */
    stream.avail_in = (uInt)len;
    while (status == SLG_OK && rc != Z_STREAM_END) {
        size_t room =
            out->bytes_max - out->len < PIECE_BYTES ? out->bytes_max - out->len : PIECE_BYTES;

        if (room > 0 && !slg_buf_reserve(out, room)) {
            status = SLG_LIMIT;
            break;
        }
        /* Full: the end may still come, but not one byte more. */
        stream.next_out = room > 0 ? out->data + out->len : &surplus;
        stream.avail_out = (uInt)(room > 0 ? room : 1);
        rc = inflate(&stream, Z_NO_FLUSH);
        if (room > 0) {
            out->len += room - stream.avail_out;
        } else if (stream.avail_out == 0) {
            status = SLG_LIMIT;
            break;
        }
        if (rc != Z_OK && rc != Z_STREAM_END)
            status = SLG_MALFORMED; /* Z_BUF_ERROR too: no input is left */
        /* gzip may be several members in a row (RFC 1952, 2.2): Go's reader, and so Loki, takes them as one. */
        else if (rc == Z_STREAM_END && gzip && begins_gzip(stream.next_in, stream.avail_in))
            rc = inflateReset(&stream);
    }
    if (status == SLG_OK && stream.avail_in > 0)
        status = SLG_MALFORMED;
    (void)inflateEnd(&stream); /* frees only */
    return status;
}

struct slg_gzip *slg_gzip_create(void)
{
    struct slg_gzip *gzip = calloc(1, sizeof(*gzip));

    if (gzip == NULL)
        return NULL;
    if (deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, WINDOW_GZIP, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
        free(gzip);
        return NULL;
    }
    return gzip;
}

void slg_gzip_destroy(struct slg_gzip *gzip)
{
    if (gzip == NULL)
        return;
    (void)deflateEnd(&gzip->stream); /* frees only; says so when the stream is not at its end */
    free(gzip);
}

enum slg_status slg_gzip_pack(struct slg_gzip *gzip, const void *bytes, size_t len, bool last,
                              struct slg_buf *out)
{
    z_stream *stream = &gzip->stream;
    int rc;

    SLG_ASSERT(len <= UINT32_MAX);
    stream->next_in = (Bytef *)(uintptr_t)bytes;
    stream->avail_in = (uInt)len;
    do {
        if (!slg_buf_reserve(out, PIECE_BYTES))
            return SLG_LIMIT;
        stream->next_out = out->data + out->len;
        stream->avail_out = (uInt)PIECE_BYTES;
        rc = deflate(stream, last ? Z_FINISH : Z_NO_FLUSH);
        out->len += PIECE_BYTES - stream->avail_out;
        if (rc == Z_STREAM_ERROR)
            return SLG_IO;
    } while (stream->avail_in > 0 || (last && rc != Z_STREAM_END));
    return SLG_OK;
}
