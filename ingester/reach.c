/* Concurrency
 *   state                         owner           seen by others
 *   nodes, map, scratch           forward thread  not at all
 *   ready_count, read_only_count  forward thread  atomics, for status
 *   a request's answer fields     library thread until it is queued, then the forward thread */
#include "ingester/reach.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

#define HELLO_BACKOFF_NS_MIN (100 * SLG_NS_PER_MS)
#define HELLO_BACKOFF_NS_MAX (5 * SLG_NS_PER_SEC)
#define SILENCE_NS           (2 * SLG_NS_PER_SEC) /* requests out, no answer: unreachable until one comes */
#define HELLO_BYTES_MAX      ((size_t)64 * 1024)

enum node_state {
    NODE_GREET,   /* HELLO is to be sent at greet_mono_ns */
    NODE_GREETED, /* HELLO is out */
    NODE_READY,
};

struct node {
    char *id;
    char *address;
    struct slg_transport_client *client;
    enum node_state state;
    int64_t greet_mono_ns;
    int64_t backoff_ns;
    bool complained;                          /* since it was last ready */
    char storage_id[SLG_REACH_STORAGE_BYTES]; /* at its last greeting; "": not greeted */
    bool read_only;                           /* its last answer */
    bool reachable;                           /* as the owner was told */
    int64_t heard_mono_ns; /* its last answer, or when requests began to be out */
    size_t request_count;
    struct slg_reach_request *requests; /* [in_flight_max + 1]: the last one is for HELLO */
};

struct slg_reach {
    struct slg_reach_options options;
    struct slg_map *map;
    struct node *nodes[SLG_REACH_NODE_COUNT_MAX];
    size_t node_count;
    uint16_t node_of_map[SLG_MAP_NODE_COUNT_MAX]; /* map index -> nodes index */
    struct slg_buf scratch;
    _Atomic size_t ready_count;
    _Atomic size_t read_only_count;
};

static int64_t now_mono(const struct slg_reach *reach)
{
    return slg_clock_mono_ns(reach->options.clock);
}

/* ---- nodes ---- */

static void destroy_node(struct node *node)
{
    if (node == NULL)
        return;
    slg_transport_client_stop(node->client);
    free(node->requests);
    free(node->address);
    free(node->id);
    free(node);
}

static enum slg_status make_node(struct slg_reach *reach, const struct slg_map_node *from,
                                 struct node **ret_node, struct slg_error *reterr)
{
    struct slg_transport_client_options options = {
        .url = from->address,
        .tls = reach->options.tls,
        .in_flight_max = reach->options.in_flight_max + 1,
    };
    struct node *node = calloc(1, sizeof(*node));
    enum slg_status status;

    if (node == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for storer \"%s\"", from->id);
    node->id = strdup(from->id);
    node->address = strdup(from->address);
    node->requests = calloc(options.in_flight_max, sizeof(*node->requests));
    if (node->id == NULL || node->address == NULL || node->requests == NULL) {
        destroy_node(node);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for storer \"%s\"", from->id);
    }
    for (size_t i = 0; i < options.in_flight_max; i++) {
        node->requests[i].event = reach->options.event;
        node->requests[i].reach = reach;
        node->requests[i].node = (uint16_t)reach->node_count;
    }
    node->state = NODE_GREET;
    node->backoff_ns = HELLO_BACKOFF_NS_MIN;
    node->reachable = true;
    node->heard_mono_ns = now_mono(reach);
    status = slg_transport_client_start(&options, &node->client, reterr);
    if (status != SLG_OK) {
        destroy_node(node);
        return status;
    }
    *ret_node = node;
    return SLG_OK;
}

/* Index of this node of the map among ours, made when it is new or has moved. */
static enum slg_status find_node(struct slg_reach *reach, const struct slg_map_node *wanted,
                                 uint16_t *ret_index, struct slg_error *reterr)
{
    enum slg_status status;

    for (size_t i = 0; i < reach->node_count; i++) {
        if (strcmp(reach->nodes[i]->id, wanted->id) == 0 &&
            strcmp(reach->nodes[i]->address, wanted->address) == 0) {
            *ret_index = (uint16_t)i;
            return SLG_OK;
        }
    }
    if (reach->node_count == SLG_REACH_NODE_COUNT_MAX)
        return slg_errorf(reterr, SLG_LIMIT, "more than %zu storers since the start",
                          SLG_REACH_NODE_COUNT_MAX);
    status = make_node(reach, wanted, &reach->nodes[reach->node_count], reterr);
    if (status == SLG_OK)
        *ret_index = (uint16_t)reach->node_count++;
    return status;
}

enum slg_status slg_reach_set_map(struct slg_reach *reach, struct slg_map *map,
                                  struct slg_error *reterr)
{
    uint16_t indexes[SLG_MAP_NODE_COUNT_MAX];

    for (size_t i = 0; i < map->node_count; i++) {
        enum slg_status status = find_node(reach, &map->nodes[i], &indexes[i], reterr);

        if (status != SLG_OK)
            return status;
    }
    memcpy(reach->node_of_map, indexes, sizeof(indexes[0]) * map->node_count);
    slg_map_unref(reach->map);
    reach->map = slg_map_ref(map);
    return SLG_OK;
}

enum slg_status slg_reach_create(const struct slg_reach_options *options,
                                 struct slg_reach **ret_reach, struct slg_error *reterr)
{
    struct slg_reach *reach = calloc(1, sizeof(*reach));

    if (reach == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a list of storers");
    reach->options = *options;
    slg_buf_init(&reach->scratch, HELLO_BYTES_MAX);
    *ret_reach = reach;
    return SLG_OK;
}

void slg_reach_stop(struct slg_reach *reach)
{
    for (size_t i = 0; i < reach->node_count; i++) {
        slg_transport_client_stop(reach->nodes[i]->client);
        reach->nodes[i]->client = NULL;
    }
}

void slg_reach_destroy(struct slg_reach *reach)
{
    if (reach == NULL)
        return;
    for (size_t i = 0; i < reach->node_count; i++)
        destroy_node(reach->nodes[i]);
    slg_map_unref(reach->map);
    slg_buf_fini(&reach->scratch);
    free(reach);
}

size_t slg_reach_answer_count_max(size_t in_flight_max)
{
    return SLG_REACH_NODE_COUNT_MAX * (in_flight_max + 1);
}

const struct slg_map *slg_reach_map(const struct slg_reach *reach)
{
    return reach->map;
}

uint16_t slg_reach_index(const struct slg_reach *reach, size_t map_index)
{
    SLG_ASSERT(map_index < reach->map->node_count);
    return reach->node_of_map[map_index];
}

size_t slg_reach_count(const struct slg_reach *reach)
{
    return reach->node_count;
}

const char *slg_reach_node_id(const struct slg_reach *reach, uint16_t node)
{
    return reach->nodes[node]->id;
}

/* ---- who can be reached ---- */

/* A storer that was never greeted gets as long as one that has fallen silent. */
static bool can_be_reached(const struct node *node, int64_t now)
{
    bool silent = now - node->heard_mono_ns >= SILENCE_NS;

    if (node->state == NODE_READY)
        return node->request_count == 0 || !silent;
    return !node->complained && !silent;
}

bool slg_reach_look(struct slg_reach *reach, uint16_t node_index)
{
    struct node *node = reach->nodes[node_index];
    bool reachable = can_be_reached(node, now_mono(reach));

    if (node->reachable == reachable)
        return false;
    node->reachable = reachable;
    if (!reachable && node->state == NODE_READY)
        slg_log_warn("storer is silent, others take its batches node=%s", node->id);
    return true;
}

bool slg_reach_reachable(const struct slg_reach *reach, uint16_t node)
{
    return reach->nodes[node]->reachable;
}

int64_t slg_reach_wake_mono_ns(const struct slg_reach *reach)
{
    int64_t wake = SLG_DEADLINE_NEVER;

    for (size_t i = 0; i < reach->node_count; i++) {
        const struct node *node = reach->nodes[i];

        if (node->reachable && (node->state != NODE_READY || node->request_count > 0) &&
            node->heard_mono_ns + SILENCE_NS < wake)
            wake = node->heard_mono_ns + SILENCE_NS;
        if (node->state == NODE_GREET && node->greet_mono_ns < wake)
            wake = node->greet_mono_ns;
    }
    return wake;
}

/* ---- asking ---- */

/* Library thread: note the answer, hand over the request. */
static void on_hello(void *ctx, enum slg_status status, const uint8_t *reply, size_t reply_len)
{
    struct slg_reach_request *request = ctx;
    struct slg_rpc_hello hello;

    request->error.message[0] = '\0';
    if (status == SLG_OK)
        status = slg_rpc_decode_hello_reply(reply, reply_len, &hello, &request->error);
    request->storage_id[0] = '\0';
    if (status == SLG_OK && hello.storage_id.len < sizeof(request->storage_id)) {
        memcpy(request->storage_id, hello.storage_id.at, hello.storage_id.len);
        request->storage_id[hello.storage_id.len] = '\0';
    }
    request->status = status;
    status = slg_queue_push(request->reach->options.answers, request);
    SLG_ASSERT(status == SLG_OK); /* room for every request is kept */
}

static void on_store(void *ctx, enum slg_status status, const uint8_t *reply, size_t reply_len)
{
    struct slg_reach_request *request = ctx;
    struct slg_text text;

    request->error.message[0] = '\0';
    if (status == SLG_OK)
        status = slg_rpc_decode_store_reply(reply, reply_len, &request->result, &request->map_epoch,
                                            &text, &request->error);
    if (status == SLG_OK)
        (void)slg_errorf(&request->error, SLG_OK, "%.*s", (int)text.len, text.at);
    request->status = status;
    status = slg_queue_push(request->reach->options.answers, request);
    SLG_ASSERT(status == SLG_OK);
}

/* The next greeting waits twice as long. */
static void greet_later(struct slg_reach *reach, struct node *node)
{
    node->state = NODE_GREET;
    node->greet_mono_ns = now_mono(reach) + node->backoff_ns;
    node->backoff_ns *= 2;
    if (node->backoff_ns > HELLO_BACKOFF_NS_MAX)
        node->backoff_ns = HELLO_BACKOFF_NS_MAX;
}

static void lose_node(struct slg_reach *reach, struct node *node,
                      const struct slg_reach_request *request)
{
    const char *why = request->error.message[0] != '\0' ? request->error.message : "no answer";

    if (!node->complained)
        slg_log_warn("storer does not answer, trying on node=%s address=%s reason=%s status=%s",
                     node->id, node->address, why, slg_status_text(request->status));
    node->complained = true;
    if (node->state == NODE_READY)
        atomic_fetch_sub_explicit(&reach->ready_count, 1, memory_order_relaxed);
    if (node->state != NODE_GREET)
        greet_later(reach, node);
}

void slg_reach_greet(struct slg_reach *reach, uint16_t node_index)
{
    struct node *node = reach->nodes[node_index];
    struct slg_reach_request *request = &node->requests[reach->options.in_flight_max];
    struct slg_rpc_hello hello = {
        .cluster_id = slg_text_of(reach->map->cluster_id),
        .node_id = slg_text_of(reach->options.node_id),
        .role = slg_text_of("ingester"),
        .map_epoch = reach->map->epoch,
        .map_hash = reach->map->hash,
    };
    enum slg_status status;

    if (node->state != NODE_GREET || node->greet_mono_ns > now_mono(reach) || request->busy)
        return; /* not due, or the last greeting has not come back yet */
    slg_buf_clear(&reach->scratch);
    slg_rpc_encode_hello(&reach->scratch, &hello);
    SLG_ASSERT(!slg_buf_failed(&reach->scratch));
    request->busy = true;
    request->load = NULL;
    node->state = NODE_GREETED;
    status = slg_transport_request(node->client, reach->scratch.data, reach->scratch.len,
                                   reach->options.timeout_ms, on_hello, request);
    if (status != SLG_OK) {
        request->busy = false;
        greet_later(reach, node);
    }
}

bool slg_reach_can_send(const struct slg_reach *reach, uint16_t node)
{
    return reach->nodes[node]->state == NODE_READY &&
           reach->nodes[node]->request_count < reach->options.in_flight_max;
}

enum slg_status slg_reach_send(struct slg_reach *reach, uint16_t node_index, void *load,
                               const uint8_t *bytes, size_t len)
{
    struct node *node = reach->nodes[node_index];
    struct slg_reach_request *request = NULL;
    enum slg_status status;

    SLG_ASSERT(load != NULL);
    for (size_t i = 0; i < reach->options.in_flight_max && request == NULL; i++)
        if (!node->requests[i].busy)
            request = &node->requests[i];
    if (request == NULL)
        return SLG_AGAIN;
    request->busy = true;
    request->load = load;
    status = slg_transport_request(node->client, bytes, len, reach->options.timeout_ms, on_store,
                                   request);
    if (status != SLG_OK) {
        request->busy = false;
        return status;
    }
    if (node->request_count++ == 0)
        node->heard_mono_ns = now_mono(reach);
    return SLG_OK;
}

/* ---- answers ---- */

static void take_greeting(struct slg_reach *reach, struct slg_reach_request *request)
{
    struct node *node = reach->nodes[request->node];

    request->busy = false;
    request->new_disk = false;
    if (request->status != SLG_OK) {
        lose_node(reach, node, request);
        return;
    }
    if (request->storage_id[0] != '\0') {
        request->new_disk =
            node->storage_id[0] != '\0' && strcmp(node->storage_id, request->storage_id) != 0;
        memcpy(node->storage_id, request->storage_id, sizeof(node->storage_id));
    }
    if (node->state == NODE_READY)
        return;
    node->state = NODE_READY;
    node->backoff_ns = HELLO_BACKOFF_NS_MIN;
    atomic_fetch_add_explicit(&reach->ready_count, 1, memory_order_relaxed);
    slg_log_info("storer is ready node=%s address=%s", node->id, node->address);
    node->complained = false;
}

static void note_read_only(struct slg_reach *reach, struct node *node, bool read_only)
{
    if (node->read_only == read_only)
        return;
    node->read_only = read_only;
    if (read_only)
        atomic_fetch_add_explicit(&reach->read_only_count, 1, memory_order_relaxed);
    else
        atomic_fetch_sub_explicit(&reach->read_only_count, 1, memory_order_relaxed);
}

void *slg_reach_take(struct slg_reach *reach, struct slg_reach_request *request)
{
    struct node *node = reach->nodes[request->node];
    void *load = request->load;

    if (load == NULL) {
        take_greeting(reach, request);
        return NULL;
    }
    request->busy = false;
    request->load = NULL;
    node->request_count--;
    node->heard_mono_ns = now_mono(reach);
    note_read_only(reach, node,
                   request->status == SLG_OK && request->result == SLG_STORE_READ_ONLY);
    if (request->status != SLG_OK && node->state == NODE_READY)
        lose_node(reach, node, request);
    return load;
}

size_t slg_reach_ready_count(struct slg_reach *reach)
{
    return atomic_load_explicit(&reach->ready_count, memory_order_relaxed);
}

size_t slg_reach_read_only_count(struct slg_reach *reach)
{
    return atomic_load_explicit(&reach->read_only_count, memory_order_relaxed);
}
