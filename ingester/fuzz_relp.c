/* A RELP stream fed in two ways gives the same commands, always ends, never yields a message over the limit, and every
 * answer has the form that a client reads.
 * Covers: relp.c */
#include <string.h>

#include "base/hash.h"
#include "ingester/relp.h"

#define BYTES_MAX 480

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t step_hash(struct slg_relp_session *session, const struct slg_relp_frame *frame,
                          uint64_t hash, bool *ret_good)
{
    enum slg_relp_step step = SLG_RELP_IGNORE;
    const char *answer = "";
    uint32_t next = session->next_txnr;
    enum slg_status status = slg_relp_session_step(session, frame, &step, &answer);
    struct slg_buf out;

    *ret_good = status == SLG_OK;
    if (status != SLG_OK || step == SLG_RELP_IGNORE) {
        SLG_ASSERT(session->next_txnr == next);
        return slg_hash_xxh3_seeded("x", 1, hash);
    }
    SLG_ASSERT(frame->txnr == next);
    SLG_ASSERT(session->next_txnr == slg_relp_txnr_after(next));
    slg_buf_init(&out, SLG_RELP_ANSWER_BYTES_MAX);
    slg_relp_write_answer(&out, frame->txnr, answer);
    SLG_ASSERT(!slg_buf_failed(&out));
    hash = slg_hash_xxh3_seeded(out.data, out.len, hash + (uint64_t)step);
    slg_buf_fini(&out);
    return hash;
}

/* The stream in reads of `step` bytes; a hash over what it asks for. */
static uint64_t commands_hash(const uint8_t *data, size_t size, size_t step)
{
    struct slg_relp_splitter splitter;
    struct slg_relp_session session;
    uint8_t buffer[BYTES_MAX + SLG_RELP_FRAMING_MAX];
    uint64_t hash = 0;
    size_t fill = 0, fed = 0;
    bool good = true;

    slg_relp_splitter_init(&splitter, BYTES_MAX);
    slg_relp_session_init(&session);
    while (good) {
        struct slg_relp_frame frame;
        size_t used = 0;
        enum slg_status status = slg_relp_next(&splitter, buffer, fill, &frame, &used);

        SLG_ASSERT(used <= fill);
        if (status == SLG_MALFORMED)
            return hash + 1;
        if (status == SLG_OK) {
            SLG_ASSERT(used > 0);
            SLG_ASSERT(frame.data.len <= BYTES_MAX);
            hash = slg_hash_xxh3_seeded(frame.data.at, frame.data.len, hash + frame.truncated);
            hash = step_hash(&session, &frame, hash, &good);
        }
        memmove(buffer, buffer + used, fill - used);
        fill -= used;
        if (status == SLG_AGAIN) {
            size_t room = sizeof(buffer) - fill;
            size_t more = size - fed < step ? size - fed : step;

            if (fed == size)
                break;
            SLG_ASSERT(room > 0); /* else it would never go on */
            more = more < room ? more : room;
            memcpy(buffer + fill, data + fed, more);
            fill += more;
            fed += more;
        }
    }
    return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    SLG_ASSERT(commands_hash(data, size, 1) == commands_hash(data, size, BYTES_MAX));
    return 0;
}
