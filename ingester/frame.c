#include "ingester/frame.h"

void slg_frame_init(struct slg_frame_splitter *splitter, size_t bytes_max)
{
    SLG_ASSERT(bytes_max >= 480); /* RFC 5425 section 4.3.1: what every receiver takes */
    *splitter = (struct slg_frame_splitter){ .bytes_max = bytes_max };
}

/* MSG-LEN SP, RFC 6587 section 3.4.1. The count of header bytes; 0: it is none; SIZE_MAX: not to be told yet. */
static size_t take_count(const uint8_t *bytes, size_t len, bool at_end, uint64_t *ret_count)
{
    uint64_t count = 0;
    size_t i = 0;

    if (bytes[0] < '1' || bytes[0] > '9')
        return 0;
    while (i < len && i < SLG_FRAME_DIGITS_MAX && bytes[i] >= '0' && bytes[i] <= '9') {
        count = count * 10 + (uint64_t)(bytes[i] - '0');
        i++;
    }
    if (i == len && i < SLG_FRAME_DIGITS_MAX + 1)
        return at_end ? 0 : SIZE_MAX;
    if (bytes[i] != ' ')
        return 0;
    *ret_count = count;
    return i + 1;
}

/* Up to LF or NUL; the position of that byte, or len. */
static size_t line_end(const uint8_t *bytes, size_t len)
{
    const uint8_t *lf = memchr(bytes, '\n', len);
    size_t end = lf == NULL ? len : (size_t)(lf - bytes);
    const uint8_t *nul = end == 0 ? NULL : memchr(bytes, '\0', end);

    return nul == NULL ? end : (size_t)(nul - bytes);
}

static enum slg_status next_counted(struct slg_frame_splitter *splitter, const uint8_t *bytes,
                                    size_t len, bool at_end, size_t header, uint64_t count,
                                    struct slg_frame *ret_frame, size_t *ret_used)
{
    size_t take = count > splitter->bytes_max ? splitter->bytes_max : (size_t)count;
    bool cut = take < count;

    if (len - header < take) {
        if (!at_end) {
            *ret_used = 0;
            return SLG_AGAIN;
        }
        take = len - header; /* the connection ended inside the frame */
        cut = true;
        count = take;
    }
    *ret_frame =
        (struct slg_frame){ .message = slg_text_make(bytes + header, take), .truncated = cut };
    splitter->skip_count = count - take;
    *ret_used = header + take;
    return SLG_OK;
}

static enum slg_status next_line(struct slg_frame_splitter *splitter, const uint8_t *bytes,
                                 size_t len, bool at_end, struct slg_frame *ret_frame,
                                 size_t *ret_used)
{
    size_t looked = len > splitter->bytes_max + 1 ? splitter->bytes_max + 1 : len;
    size_t end = line_end(bytes, looked);
    size_t used = end + 1;
    bool cut = false;

    if (end == looked) {
        if (end >
            splitter->bytes_max) { /* no end within the limit: deliver what fits, skip to the end */
            end = splitter->bytes_max;
            used = end;
            cut = true;
            splitter->skip_line = true;
        } else if (at_end) {
            used = end;
        } else {
            *ret_used = 0;
            return SLG_AGAIN;
        }
    }
    if (!cut && end > 0 && bytes[end - 1] == '\r')
        end--;
    *ret_frame = (struct slg_frame){ .message = slg_text_make(bytes, end), .truncated = cut };
    *ret_used = used;
    return SLG_OK;
}

/* Drop what is left of a cut frame. The count of bytes dropped. */
static size_t skip(struct slg_frame_splitter *splitter, const uint8_t *bytes, size_t len)
{
    size_t used = 0;

    if (splitter->skip_count > 0) {
        used = splitter->skip_count < len ? (size_t)splitter->skip_count : len;
        splitter->skip_count -= used;
    }
    if (splitter->skip_line && len > 0) {
        size_t end = line_end(bytes, len);

        used = end < len ? end + 1 : len;
        splitter->skip_line = end == len;
    }
    return used;
}

enum slg_status slg_frame_next(struct slg_frame_splitter *splitter, const uint8_t *bytes,
                               size_t len, bool at_end, struct slg_frame *ret_frame,
                               size_t *ret_used)
{
    size_t skipped = skip(splitter, bytes, len);
    enum slg_status status;
    uint64_t count = 0;
    size_t header;

    *ret_used = skipped;
    if (skipped == len)
        return SLG_AGAIN;
    bytes += skipped;
    len -= skipped;
    header = take_count(bytes, len, at_end, &count);
    if (header == SIZE_MAX)
        return SLG_AGAIN;
    if (header > 0)
        status = next_counted(splitter, bytes, len, at_end, header, count, ret_frame, ret_used);
    else
        status = next_line(splitter, bytes, len, at_end, ret_frame, ret_used);
    *ret_used += skipped;
    return status;
}
