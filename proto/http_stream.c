#include "proto/http_stream.h"

#include <stdlib.h>
#include <string.h>

#include "proto/gzip.h"

/* One pulled piece: 64 KiB and one long line, escaped. */
#define BUFFER_BYTES_MAX ((size_t)16 << 20)

struct slg_http_stream {
    slg_http_pull *pull;
    slg_http_release *release;
    void *ctx;
    struct slg_gzip *gzip;  /* NULL: as it is */
    struct slg_buf pulled;  /* raw piece, when packing */
    struct slg_buf ready;   /* what waits to be sent */
    size_t sent;            /* of ready */
    enum slg_status status; /* OK: more to pull */
};

struct slg_http_stream *slg_http_stream_create(slg_http_pull *pull, slg_http_release *release,
                                               void *ctx, bool gzip)
{
    struct slg_http_stream *stream = calloc(1, sizeof(*stream));

    if (stream == NULL)
        return NULL;
    stream->pull = pull;
    stream->release = release;
    stream->ctx = ctx;
    stream->gzip = gzip ? slg_gzip_create() : NULL; /* without memory for it: as it is */
    slg_buf_init(&stream->pulled, BUFFER_BYTES_MAX);
    slg_buf_init(&stream->ready, BUFFER_BYTES_MAX);
    return stream;
}

void slg_http_stream_destroy(struct slg_http_stream *stream)
{
    if (stream->release != NULL)
        stream->release(stream->ctx);
    slg_gzip_destroy(stream->gzip);
    slg_buf_fini(&stream->pulled);
    slg_buf_fini(&stream->ready);
    free(stream);
}

bool slg_http_stream_packs(const struct slg_http_stream *stream)
{
    return stream->gzip != NULL;
}

/* Pull one piece into `ready`. */
static void pull_piece(struct slg_http_stream *stream)
{
    bool last;

    slg_buf_clear(&stream->ready);
    stream->sent = 0;
    if (stream->gzip == NULL) {
        stream->status = stream->pull(stream->ctx, &stream->ready);
        return;
    }
    slg_buf_clear(&stream->pulled);
    stream->status = stream->pull(stream->ctx, &stream->pulled);
    last = stream->status == SLG_NOT_FOUND;
    if (stream->status == SLG_OK || last) {
        if (slg_gzip_pack(stream->gzip, stream->pulled.data, stream->pulled.len, last,
                          &stream->ready) != SLG_OK)
            stream->status = SLG_IO;
    }
}

enum slg_status slg_http_stream_read(struct slg_http_stream *stream, char *out, size_t out_max,
                                     size_t *ret_len)
{
    size_t len = stream->ready.len - stream->sent;

    if (len == 0 && stream->status != SLG_OK)
        return stream->status == SLG_AGAIN ? SLG_IO : stream->status;
    if (len == 0) {
        pull_piece(stream);
        return SLG_AGAIN;
    }
    len = len < out_max ? len : out_max;
    memcpy(out, stream->ready.data + stream->sent, len);
    stream->sent += len;
    *ret_len = len;
    return SLG_OK;
}
