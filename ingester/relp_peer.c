#include "ingester/relp_peer.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/log.h"

/* Of all that one ledger can have to say at once. */
#define ACKNOWLEDGEMENT_BYTES_MAX ((size_t)24) /* 999999999 SP rsp SP 6 SP 200 SP OK LF */
#define ANSWERS_BYTES_MAX                                                                          \
    (SLG_RELP_WINDOW_MAX * ACKNOWLEDGEMENT_BYTES_MAX +                                             \
     SLG_RELP_LEDGER_MAX * SLG_RELP_ANSWER_BYTES_MAX)

struct slg_relp_peers {
    struct slg_relp_peers_options options;
    struct slg_metric_set *metrics;
    struct slg_relp_rounds *rounds;
    struct slg_buf answers; /* being written */
};

struct slg_relp_peer {
    struct slg_relp_peers *peers;
    int fd;
    const struct slg_listener *listener;
    struct slg_address address;
    struct slg_relp_splitter splitter;
    struct slg_relp_session session;
    struct slg_relp_ledger ledger;
    uint8_t *unsent; /* answers that the socket did not take; NULL: none */
    size_t unsent_len;
    bool ending;     /* nothing more is taken; closed when the ledger is empty */
    bool input_over; /* the peer itself has ended */
};

/* ---- all of a thread ---- */

enum slg_status slg_relp_peers_create(const struct slg_relp_peers_options *options,
                                      struct slg_relp_peers **ret_peers, struct slg_error *reterr)
{
    struct slg_relp_peers *peers = calloc(1, sizeof(*peers));

    if (peers == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the RELP listener");
    peers->options = *options;
    peers->metrics = slg_lane_metrics(options->lane);
    slg_buf_init(&peers->answers, ANSWERS_BYTES_MAX);
    if (slg_relp_rounds_create(&options->rounds, &peers->rounds) != SLG_OK) {
        slg_relp_peers_destroy(peers);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the RELP listener");
    }
    *ret_peers = peers;
    return SLG_OK;
}

void slg_relp_peers_destroy(struct slg_relp_peers *peers)
{
    if (peers == NULL)
        return;
    slg_relp_rounds_destroy(peers->rounds);
    slg_buf_fini(&peers->answers);
    free(peers);
}

void slg_relp_peers_tick(struct slg_relp_peers *peers, int64_t now_mono_ns)
{
    bool sealed = slg_batcher_entry_count(slg_lane_batcher(peers->options.lane)) == 0;

    slg_relp_rounds_tick(peers->rounds, now_mono_ns, sealed);
}

int64_t slg_relp_peers_wake_mono_ns(const struct slg_relp_peers *peers)
{
    return slg_relp_rounds_wake_mono_ns(peers->rounds);
}

bool slg_relp_peers_take_done(struct slg_relp_peers *peers)
{
    return slg_relp_rounds_take_done(peers->rounds);
}

/* ---- one connection ---- */

struct slg_relp_peer *slg_relp_peer_create(struct slg_relp_peers *peers, int fd,
                                           const struct slg_listener *listener,
                                           const struct slg_address *address)
{
    struct slg_relp_peer *peer = calloc(1, sizeof(*peer));

    if (peer == NULL)
        return NULL;
    peer->peers = peers;
    peer->fd = fd;
    peer->listener = listener;
    peer->address = *address;
    slg_relp_splitter_init(&peer->splitter, peers->options.line_bytes_max);
    slg_relp_session_init(&peer->session);
    return peer;
}

void slg_relp_peer_destroy(struct slg_relp_peer *peer)
{
    if (peer == NULL)
        return;
    slg_relp_ledger_clear(&peer->ledger);
    free(peer->unsent);
    free(peer);
}

/* ---- commands ---- */

static void take_message(struct slg_relp_peer *peer, const struct slg_relp_frame *frame)
{
    struct slg_relp_peers *peers = peer->peers;
    struct slg_lane_time now = { slg_clock_wall_ns(peers->options.clock),
                                 slg_clock_mono_ns(peers->options.clock) };
    struct slg_relp_round *round = slg_relp_rounds_current(peers->rounds, now.mono_ns);
    struct slg_lane_message message = {
        .listener = peer->listener,
        .address = peer->address,
        .bytes = frame->data.at,
        .len = frame->data.len,
        .truncated = frame->truncated,
        .deadline_mono_ns = peers->options.deadline_mono_ns,
        .waiter = slg_relp_round_hold(round),
    };
    bool new_batch = false;
    enum slg_status status = slg_lane_take_waited(peers->options.lane, &message, now, &new_batch);

    if (!new_batch)
        slg_relp_round_release(round);
    if (status == SLG_OK || status == SLG_MALFORMED)
        slg_relp_ledger_add_message(&peer->ledger, frame->txnr, round);
    else
        peer->ending = true;
}

static bool take_frame(struct slg_relp_peer *peer, const struct slg_relp_frame *frame)
{
    enum slg_relp_step step = SLG_RELP_IGNORE;
    const char *answer = NULL;

    if (slg_relp_session_step(&peer->session, frame, &step, &answer) != SLG_OK)
        return false;
    switch (step) {
    case SLG_RELP_TAKE:
        take_message(peer, frame);
        break;
    case SLG_RELP_END:
        peer->ending = true;
        slg_relp_ledger_add_answer(&peer->ledger, frame->txnr, answer);
        break;
    case SLG_RELP_ANSWER:
        slg_relp_ledger_add_answer(&peer->ledger, frame->txnr, answer);
        break;
    case SLG_RELP_IGNORE:
        break;
    }
    return true;
}

static void tell_malformed(struct slg_relp_peer *peer)
{
    static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
    char text[INET6_ADDRSTRLEN];
    uint64_t suppressed;

    slg_metric_add(peer->peers->metrics, METRIC_ingester_relp_malformed_total, 0, 1);
    if (!slg_log_limit_allow(&limit, slg_clock_mono_ns(peer->peers->options.clock), &suppressed))
        return;
    (void)slg_address_print(&peer->address, text);
    slg_log_warn(
        "connection closed: it does not speak RELP listener=%s sender=%s suppressed=%" PRIu64,
        slg_listener_address(peer->listener), text, suppressed);
}

bool slg_relp_peer_take(struct slg_relp_peer *peer, const uint8_t *bytes, size_t len,
                        size_t *ret_used)
{
    size_t at = 0;
    bool good = true;

    while (good && at < len && !peer->ending && slg_relp_ledger_has_room(&peer->ledger)) {
        struct slg_relp_frame frame;
        size_t used = 0;
        enum slg_status status =
            slg_relp_next(&peer->splitter, bytes + at, len - at, &frame, &used);

        at += used;
        if (status == SLG_AGAIN)
            break;
        good = status == SLG_OK && take_frame(peer, &frame);
    }
    if (!good)
        tell_malformed(peer);
    *ret_used = at;
    return good;
}

void slg_relp_peer_take_end(struct slg_relp_peer *peer)
{
    peer->ending = true;
    peer->input_over = true;
}

/* ---- answers ---- */

/* Keep bytes[0..len) for the next time. False: no memory. */
static bool keep_unsent(struct slg_relp_peer *peer, const uint8_t *bytes, size_t len)
{
    uint8_t *kept = len > 0 ? malloc(len) : NULL;

    if (len > 0 && kept == NULL)
        return false;
    if (len > 0)
        memcpy(kept, bytes, len);
    free(peer->unsent);
    peer->unsent = kept;
    peer->unsent_len = len;
    return true;
}

/* What the socket takes of bytes[0..len). False: it is broken. */
static bool send_some(struct slg_relp_peer *peer, const uint8_t *bytes, size_t len)
{
    size_t at = 0;

    while (at < len) {
        ssize_t sent = send(peer->fd, bytes + at, len - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && errno == EAGAIN) /* = EWOULDBLOCK on Linux */
            break;
        if (sent < 0)
            return false;
        at += (size_t)sent;
    }
    return keep_unsent(peer, bytes + at, len - at);
}

/* The answers that are due. False: nothing after them will ever be. */
static bool write_answers(struct slg_relp_peer *peer, bool *ret_broken)
{
    struct slg_relp_peers *peers = peer->peers;
    uint64_t messages = 0;
    bool good;

    slg_buf_clear(&peers->answers);
    good = slg_relp_ledger_write(&peer->ledger, &peers->answers, &messages);
    *ret_broken = slg_buf_failed(&peers->answers); /* no memory: unanswered is safe */
    if (!*ret_broken && peers->answers.len > 0)
        *ret_broken = !send_some(peer, peers->answers.data, peers->answers.len);
    slg_metric_add(peers->metrics, METRIC_ingester_relp_acknowledged_total, 0, messages);
    if (!good)
        slg_metric_add(peers->metrics, METRIC_ingester_relp_unaccepted_total, 0, 1);
    return good;
}

bool slg_relp_peer_send(struct slg_relp_peer *peer)
{
    bool broken = false;

    if (peer->unsent_len > 0 && !send_some(peer, peer->unsent, peer->unsent_len))
        return false;
    if (peer->unsent_len > 0)
        return true; /* in order: later answers wait behind these */
    if (!write_answers(peer, &broken) || broken)
        return false;
    return !(peer->ending && peer->ledger.count == 0 && peer->unsent_len == 0);
}

bool slg_relp_peer_wants_read(const struct slg_relp_peer *peer)
{
    return !peer->ending && peer->unsent_len == 0 && slg_relp_ledger_has_room(&peer->ledger);
}

bool slg_relp_peer_wants_write(const struct slg_relp_peer *peer)
{
    return peer->unsent_len > 0;
}

bool slg_relp_peer_may_idle(const struct slg_relp_peer *peer)
{
    return peer->input_over || peer->unsent_len > 0 || peer->ledger.count == 0;
}

void slg_relp_peer_bid_farewell(struct slg_relp_peer *peer)
{
    struct slg_buf *out = &peer->peers->answers;

    if (peer->unsent_len > 0 || !peer->session.opened)
        return;
    slg_buf_clear(out);
    slg_relp_write_serverclose(out);
    if (!slg_buf_failed(out))
        (void)send(peer->fd, out->data, out->len, MSG_NOSIGNAL | MSG_DONTWAIT); /* a courtesy */
}
