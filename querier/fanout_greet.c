/* Greetings: nothing of a storer is used before it has said that it belongs to this cluster and has this map (DESIGN
 * section 2). A storer is greeted once by each connection, beside the first question, so that no query waits longer. */
#include "querier/fanout.h"

#include "querier/fanout_private.h"

/* Who answers nothing for so long is silent anyhow. */
#define GREET_TIMEOUT_MS 2000

void slg_fanout_write_greeting(const struct slg_fanout *fanout, struct slg_buf *out)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);
    struct slg_rpc_hello hello = { .cluster_id = slg_text_of(map->cluster_id),
                                   .role = slg_text_of("querier"),
                                   .map_epoch = map->epoch,
                                   .map_hash = map->hash };

    slg_rpc_encode_hello(out, &hello);
}

static void refuse(struct slg_fanout *fanout, size_t node_index, const char *why)
{
    struct fanout_greeting *greeting = &fanout->greetings[node_index];

    (void)snprintf(greeting->refusal, sizeof(greeting->refusal), "%s",
                   why); /* a cut reason is still a reason */
}

void slg_fanout_greet_new(struct slg_fanout *fanout, size_t node_index, uint64_t connection)
{
    struct fanout_greeting *greeting = &fanout->greetings[node_index];
    struct slg_buf message;

    if (greeting->out || greeting->connection == connection ||
        slg_peers_greeted(fanout->options.peers, node_index, connection))
        return;
    *greeting = (struct fanout_greeting){ .connection = connection };
    slg_buf_init(&message, SLG_MESSAGE_BYTES_MAX);
    slg_fanout_write_greeting(fanout, &message);
    if (slg_calls_send(fanout->calls, slg_peers_client(fanout->options.peers, node_index), &message,
                       GREET_TIMEOUT_MS, node_index + 1) == SLG_OK)
        greeting->out = true;
    else
        refuse(fanout, node_index, "could not be greeted");
    slg_buf_fini(&message);
}

/* Is it the storer that the map names, with the same map? */
static enum slg_status check(const struct slg_fanout *fanout, size_t node_index,
                             const struct slg_rpc_hello *hello, struct slg_error *reterr)
{
    const struct slg_map *map = slg_peers_map(fanout->options.peers);

    if (!slg_text_equal_to(hello->cluster_id, map->cluster_id))
        return slg_errorf(reterr, SLG_INVALID, "it belongs to cluster \"%.*s\"",
                          (int)hello->cluster_id.len, hello->cluster_id.at);
    if (!slg_text_equal_to(hello->node_id, map->nodes[node_index].id))
        return slg_errorf(reterr, SLG_INVALID, "it calls itself \"%.*s\"", (int)hello->node_id.len,
                          hello->node_id.at);
    if (hello->map_epoch == map->epoch &&
        (hello->map_hash.high != map->hash.high || hello->map_hash.low != map->hash.low))
        return slg_errorf(reterr, SLG_INVALID, "its map of epoch %llu is another",
                          (unsigned long long)map->epoch);
    return SLG_OK;
}

void slg_fanout_take_greeting(struct slg_fanout *fanout, size_t node_index,
                              const struct slg_reply *reply)
{
    struct fanout_greeting *greeting = &fanout->greetings[node_index];
    struct slg_error error = { .status = SLG_OK };
    struct slg_rpc_hello hello;
    char why[sizeof(greeting->refusal)];

    greeting->out = false;
    if (reply->status != SLG_OK) {
        refuse(fanout, node_index, "did not answer its greeting");
        return;
    }
    if (reply->connection != greeting->connection) {
        refuse(fanout, node_index, "was connected anew meanwhile");
        return;
    }
    if (slg_rpc_decode_hello_reply(reply->bytes, reply->len, &hello, &error) == SLG_OK &&
        check(fanout, node_index, &hello, &error) == SLG_OK) {
        slg_peers_note_greeted(fanout->options.peers, node_index, greeting->connection);
        return;
    }
    (void)snprintf(why, sizeof(why), "is refused: %.80s", error.message); /* as above */
    refuse(fanout, node_index, why);
    slg_peers_note_refused(fanout->options.peers, node_index, error.message);
}

enum fanout_trust slg_fanout_trust(struct slg_fanout *fanout, size_t node_index,
                                   uint64_t connection)
{
    const struct fanout_greeting *greeting = &fanout->greetings[node_index];

    if (slg_peers_greeted(fanout->options.peers, node_index, connection))
        return FANOUT_USE;
    if (!greeting->out) /* it was greeted by another connection when this one was asked */
        slg_fanout_greet_new(fanout, node_index, connection);
    return greeting->out ? FANOUT_HOLD : FANOUT_REFUSE;
}

const char *slg_fanout_reason(const struct slg_fanout *fanout, size_t node_index,
                              const char *fallback)
{
    const char *refusal = fanout->greetings[node_index].refusal;

    return refusal[0] == '\0' ? fallback : refusal;
}
