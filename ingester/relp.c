#include "ingester/relp.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#define VERSION_OFFER "relp_version="

/* Offers are a line each. A client refuses a version above its own (librelp: 0), and must be told the commands. */
static const char opened_0[] = "200 OK\nrelp_version=0\nrelp_software=silage\ncommands=syslog";
static const char opened_1[] = "200 OK\nrelp_version=1\nrelp_software=silage\ncommands=syslog";

static_assert(sizeof(opened_1) + SLG_RELP_FRAMING_MAX <= SLG_RELP_ANSWER_BYTES_MAX,
              "the longest answer has room");

void slg_relp_splitter_init(struct slg_relp_splitter *splitter, size_t data_bytes_max)
{
    SLG_ASSERT(data_bytes_max >= 480); /* as for ingester/frame.h */
    SLG_ASSERT(data_bytes_max <= SLG_RELP_NUMBER_MAX);
    *splitter = (struct slg_relp_splitter){ .data_bytes_max = data_bytes_max };
}

/* ---- frames ---- */

/* 1 to 9 digits and the byte after them, which stays. AGAIN: the input ends first. */
static enum slg_status take_number(const uint8_t *bytes, size_t len, size_t *at,
                                   uint32_t *ret_number)
{
    uint32_t number = 0;
    size_t i = *at;

    while (i < len && i - *at < SLG_RELP_DIGITS_MAX && bytes[i] >= '0' && bytes[i] <= '9')
        number = number * 10 + (uint32_t)(bytes[i++] - '0');
    if (i == len)
        return SLG_AGAIN;
    if (i == *at)
        return SLG_MALFORMED;
    *at = i;
    *ret_number = number;
    return SLG_OK;
}

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static enum slg_relp_command command_of(struct slg_text name)
{
    if (slg_text_equal_to(name, "syslog"))
        return SLG_RELP_SYSLOG;
    if (slg_text_equal_to(name, "open"))
        return SLG_RELP_OPEN;
    return slg_text_equal_to(name, "close") ? SLG_RELP_CLOSE : SLG_RELP_OTHER;
}

static enum slg_status take_command(const uint8_t *bytes, size_t len, size_t *at,
                                    enum slg_relp_command *ret_command)
{
    size_t i = *at;

    while (i < len && i - *at < SLG_RELP_COMMAND_MAX && is_letter(bytes[i]))
        i++;
    if (i == len)
        return SLG_AGAIN;
    if (i == *at)
        return SLG_MALFORMED;
    *ret_command = command_of(slg_text_make(bytes + *at, i - *at));
    *at = i;
    return SLG_OK;
}

static enum slg_status take_space(const uint8_t *bytes, size_t len, size_t *at)
{
    if (*at == len)
        return SLG_AGAIN;
    if (bytes[*at] != ' ')
        return SLG_MALFORMED;
    (*at)++;
    return SLG_OK;
}

/* All up to the datalen, whose following byte stays. */
static enum slg_status take_header(const uint8_t *bytes, size_t len, size_t *at,
                                   struct slg_relp_frame *frame, uint32_t *ret_count)
{
    enum slg_status status = take_number(bytes, len, at, &frame->txnr);

    if (status == SLG_OK)
        status = take_space(bytes, len, at);
    if (status == SLG_OK)
        status = take_command(bytes, len, at, &frame->command);
    if (status == SLG_OK)
        status = take_space(bytes, len, at);
    if (status == SLG_OK)
        status = take_number(bytes, len, at, ret_count);
    return status;
}

static enum slg_status take_frame(struct slg_relp_splitter *splitter, const uint8_t *bytes,
                                  size_t len, struct slg_relp_frame *frame, size_t *ret_used)
{
    size_t at = 0, take;
    uint32_t count = 0;
    enum slg_status status = take_header(bytes, len, &at, frame, &count);

    if (status == SLG_OK && count > 0)
        status = take_space(bytes, len, &at);
    if (status != SLG_OK)
        return status;
    take = count < splitter->data_bytes_max ? count : splitter->data_bytes_max;
    if (len - at < take + (take == count))
        return SLG_AGAIN;
    if (take == count && bytes[at + take] != '\n')
        return SLG_MALFORMED;
    frame->data = slg_text_make(bytes + at, take);
    frame->truncated = take < count;
    if (frame->truncated) {
        splitter->skip_count = count - (uint32_t)take;
        splitter->skip_end = true;
    }
    *ret_used = at + take + (take == count);
    return SLG_OK;
}

/* What is left of a cut message, and its LF. */
static enum slg_status skip_rest(struct slg_relp_splitter *splitter, const uint8_t *bytes,
                                 size_t len, size_t *ret_used)
{
    size_t used = splitter->skip_count < len ? splitter->skip_count : len;

    splitter->skip_count -= (uint32_t)used;
    *ret_used = used;
    if (used == len)
        return SLG_AGAIN;
    if (bytes[used] != '\n')
        return SLG_MALFORMED;
    splitter->skip_end = false;
    *ret_used = used + 1;
    return SLG_OK;
}

enum slg_status slg_relp_next(struct slg_relp_splitter *splitter, const uint8_t *bytes, size_t len,
                              struct slg_relp_frame *ret_frame, size_t *ret_used)
{
    struct slg_relp_frame frame = { 0 };
    size_t skipped = 0, used = 0;
    enum slg_status status = SLG_OK;

    if (splitter->skip_end)
        status = skip_rest(splitter, bytes, len, &skipped);
    if (status == SLG_OK)
        status = take_frame(splitter, bytes + skipped, len - skipped, &frame, &used);
    *ret_used = skipped + used;
    if (status == SLG_OK)
        *ret_frame = frame;
    return status;
}

/* ---- the session ---- */

void slg_relp_session_init(struct slg_relp_session *session)
{
    *session = (struct slg_relp_session){ .next_txnr = 1 };
}

uint32_t slg_relp_txnr_after(uint32_t txnr)
{
    return txnr == SLG_RELP_NUMBER_MAX ? 1 : txnr + 1;
}

/* The offers of an open: lines NAME=VALUE,.. We need no offer but the version, and answer with the lower one. */
static const char *answer_open(struct slg_text offers)
{
    size_t at = 0;

    while (at < offers.len) {
        const char *line = offers.at + at;
        const char *lf = memchr(line, '\n', offers.len - at);
        size_t len = lf != NULL ? (size_t)(lf - line) : offers.len - at;

        if (len == strlen(VERSION_OFFER) + 1 &&
            memcmp(line, VERSION_OFFER, strlen(VERSION_OFFER)) == 0)
            return line[len - 1] == '0' ? opened_0 : opened_1;
        at += len + 1;
    }
    return opened_0;
}

enum slg_status slg_relp_session_step(struct slg_relp_session *session,
                                      const struct slg_relp_frame *frame,
                                      enum slg_relp_step *ret_step, const char **ret_answer)
{
    enum slg_relp_step step = SLG_RELP_ANSWER;
    const char *answer = "500 command not supported";

    if (frame->txnr == 0) {
        *ret_step = SLG_RELP_IGNORE;
        return SLG_OK;
    }
    if (frame->txnr != session->next_txnr)
        return SLG_MALFORMED;
    switch (frame->command) {
    case SLG_RELP_OPEN: /* librelp is known to send it again within a session, and its server takes it */
        answer = session->opened ? "200 already open" : answer_open(frame->data);
        session->opened = true;
        break;
    case SLG_RELP_SYSLOG:
        if (!session->opened)
            return SLG_MALFORMED;
        step = SLG_RELP_TAKE;
        answer = SLG_RELP_ACCEPTED;
        break;
    case SLG_RELP_CLOSE:
        step = SLG_RELP_END;
        answer = "200 OK";
        break;
    case SLG_RELP_OTHER:
        break;
    }
    session->next_txnr = slg_relp_txnr_after(frame->txnr);
    *ret_step = step;
    *ret_answer = answer;
    return SLG_OK;
}

void slg_relp_write_answer(struct slg_buf *out, uint32_t txnr, const char *answer)
{
    slg_buf_printf(out, "%" PRIu32 " rsp %zu %s\n", txnr, strlen(answer), answer);
}

void slg_relp_write_serverclose(struct slg_buf *out)
{
    slg_buf_append_text(out, "0 serverclose 0\n");
}
