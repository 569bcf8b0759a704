/* A byte stream fed in two ways gives the same frames, always ends, and never yields a frame over the limit. */
#include <stdlib.h>

#include "base/hash.h"
#include "ingester/frame.h"

#define BYTES_MAX 480

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The stream in reads of `step` bytes; a hash over its frames. */
static uint64_t frames_hash(const uint8_t *data, size_t size, size_t step)
{
    struct slg_frame_splitter splitter;
    uint8_t buffer[BYTES_MAX + SLG_FRAME_DIGITS_MAX + 2];
    uint64_t hash = 0;
    size_t fill = 0;
    size_t fed = 0;

    slg_frame_init(&splitter, BYTES_MAX);
    while (fed < size || fill > 0) {
        size_t room = sizeof(buffer) - fill;
        size_t more = size - fed < step ? size - fed : step;
        struct slg_frame frame;
        enum slg_status status;
        size_t used;

        more = more < room ? more : room;
        if (more > 0)
            memcpy(buffer + fill, data + fed, more);
        fill += more;
        fed += more;
        status = slg_frame_next(&splitter, buffer, fill, fed == size, &frame, &used);
        SLG_ASSERT(used <= fill);
        SLG_ASSERT(used > 0 || more > 0);
        if (status == SLG_OK) {
            SLG_ASSERT(frame.message.len <= BYTES_MAX);
            hash = slg_hash_xxh3_seeded(frame.message.at, frame.message.len, hash + 1);
            hash += frame.truncated ? 1 : 0;
        }
        memmove(buffer, buffer + used, fill - used);
        fill -= used;
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SLG_ASSERT(frames_hash(data, size, 1) == frames_hash(data, size, BYTES_MAX));
    return 0;
}
