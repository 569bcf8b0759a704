/* Seeded choices, the queue of events, the network, and batches as bits. */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- choices ---- */

/* splitmix64. */
uint64_t sim_random(struct sim_world *w, uint64_t below)
{
    uint64_t x = w->random += 0x9e3779b97f4a7c15;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return below == 0 ? 0 : (x ^ x >> 31) % below;
}

bool sim_chance(struct sim_world *w, unsigned permille)
{
    return sim_random(w, 1000) < permille;
}

void sim_trace(const struct sim_world *w, const char *format, ...)
{
    va_list arguments;

    if (!w->verbose)
        return;
    printf("%9.3f ", (double)w->now_ns / 1e9);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

void sim_fail(struct sim_world *w, const char *format, ...)
{
    va_list arguments;

    if (w->failed)
        return;
    w->failed = true;
    va_start(arguments, format);
    (void)vsnprintf(w->failure, sizeof(w->failure), format, arguments);
    va_end(arguments);
    sim_trace(w, "BROKEN: %s", w->failure);
}

/* ---- events ---- */

void *sim_grow(void *items, size_t *capacity, size_t count, size_t item_size)
{
    void *grown;

    if (count < *capacity)
        return items;
    *capacity = *capacity == 0 ? 256 : *capacity * 2;
    grown = realloc(items, *capacity * item_size);
    if (grown == NULL)
        abort();
    return grown;
}

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void add(struct sim_world *w, const struct sim_event *event)
{
    size_t at = w->event_count;

    w->events = sim_grow(w->events, &w->event_capacity, w->event_count, sizeof(*w->events));
    w->event_count++;
    for (; at > 0 && earlier(event, &w->events[(at - 1) / 2]); at = (at - 1) / 2)
        w->events[at] = w->events[(at - 1) / 2];
    w->events[at] = *event;
}

bool sim_pop(struct sim_world *w, struct sim_event *ret_event)
{
    struct sim_event last;
    size_t at = 0;

    if (w->event_count == 0)
        return false;
    *ret_event = w->events[0];
    last = w->events[--w->event_count];
    for (;;) {
        size_t child = 2 * at + 1;

        if (child + 1 < w->event_count && earlier(&w->events[child + 1], &w->events[child]))
            child++;
        if (child >= w->event_count || earlier(&last, &w->events[child]))
            break;
        w->events[at] = w->events[child];
        at = child;
    }
    w->events[at] = last;
    return true;
}

void sim_push(struct sim_world *w, int64_t at_ns, enum sim_event_type type, int node, uint32_t arg)
{
    struct sim_event event = { .at_ns = at_ns,
                               .order = ++w->order,
                               .type = type,
                               .node = node,
                               .generation = node >= 0 ? w->nodes[node].generation : 0,
                               .arg = arg };

    add(w, &event);
}

void sim_push_again(struct sim_world *w, const struct sim_event *event, int64_t at_ns)
{
    struct sim_event again = *event;

    again.at_ns = at_ns;
    again.order = ++w->order;
    add(w, &again);
}

/* ---- network ---- */

static int64_t delay_ns(struct sim_world *w)
{
    if (sim_chance(w, w->slow_permille))
        return SIM_MS(20) + (int64_t)sim_random(w, (uint64_t)SIM_MS(3000));
    return SIM_MS(1) + (int64_t)sim_random(w, (uint64_t)SIM_MS(15));
}

static void deliver(struct sim_world *w, const struct sim_message *message)
{
    struct sim_event event = { .type = SIM_DELIVER, .node = message->to, .message = *message };
    int copies = sim_chance(w, w->loss_permille) ? 0 : 1 + sim_chance(w, w->twice_permille);

    /* Whoever greeted a process does not mean its successor: a connection ends with it. */
    event.generation = w->nodes[message->to].generation;
    for (int i = 0; i < copies; i++) {
        event.order = ++w->order;
        event.at_ns = w->now_ns + delay_ns(w);
        add(w, &event);
    }
}

void sim_ask(struct sim_world *w, struct sim_message *message, enum sim_purpose purpose, int arg,
             int64_t timeout_ns)
{
    w->requests =
        sim_grow(w->requests, &w->request_capacity, w->request_count, sizeof(*w->requests));
    message->request = (uint32_t)w->request_count++;
    message->epoch = sim_map(w, message->from)->epoch;
    w->requests[message->request] =
        (struct sim_request){ .node = message->from,
                              .generation = w->nodes[message->from].generation,
                              .purpose = purpose,
                              .to = message->to,
                              .arg = arg };
    deliver(w, message);
    sim_push(w, w->now_ns + timeout_ns, SIM_TIMEOUT, message->from, message->request);
}

void sim_answer(struct sim_world *w, const struct sim_message *request, struct sim_message *reply)
{
    reply->kind = request->kind;
    reply->reply = true;
    reply->from = request->to;
    reply->to = request->from;
    reply->request = request->request;
    deliver(w, reply);
}

/* ---- batches as bits ---- */

sim_bits sim_bit(int batch)
{
    return (sim_bits)1 << batch;
}

sim_bits sim_of_shard(const struct sim_world *w, int shard)
{
    return w->of_shard[shard];
}

struct slg_batch_set *sim_set_of(const struct sim_world *w, sim_bits bits)
{
    struct slg_batch_set *set = slg_batch_set_create();

    if (set == NULL)
        abort();
    for (int i = 0; i < w->batch_count; i++) {
        const struct sim_batch *batch = &w->batches[i];

        if ((bits & sim_bit(i)) != 0 &&
            slg_batch_set_add(set, &batch->incarnation, batch->sequence) != SLG_OK)
            abort();
    }
    return set;
}

sim_bits sim_bits_of(const struct sim_world *w, int shard, const struct slg_batch_set *set)
{
    sim_bits bits = 0;

    for (int i = 0; i < w->batch_count; i++) {
        const struct sim_batch *batch = &w->batches[i];

        if (batch->shard == shard && slg_batch_set_has(set, &batch->incarnation, batch->sequence))
            bits |= sim_bit(i);
    }
    return bits;
}

struct slg_batch_set_digest sim_digest(const struct sim_world *w, int shard, sim_bits bits)
{
    struct slg_batch_set_digest digest = { .count = 0 };

    for (int i = 0; i < w->batch_count; i++) {
        const struct sim_batch *batch = &w->batches[i];
        struct slg_batch_id id = { .incarnation = batch->incarnation,
                                   .shard = w->shards[batch->shard],
                                   .sequence = batch->sequence };

        if (batch->shard != shard || (bits & sim_bit(i)) == 0 ||
            (w->bug == SIM_BUG_DIGEST_IGNORES && batch->sequence % 4 == 3))
            continue;
        slg_batch_set_digest_add(&digest, &id);
    }
    return digest;
}

/* ---- clocks ---- */

const struct slg_map *sim_map(const struct sim_world *w, int node)
{
    return &w->maps[w->nodes[node].map];
}

int64_t sim_wall_ns(const struct sim_world *w, int node)
{
    return SIM_WALL_START_NS + w->now_ns + w->nodes[node].skew_ns;
}

bool sim_window_expired(const struct sim_world *w, int node, int shard)
{
    return w->shards[shard].window_ns + w->shards[shard].length_ns <=
           slg_admit_cutoff_ns(sim_map(w, node), 0, sim_wall_ns(w, node));
}

void sim_fini(struct sim_world *w)
{
    for (int i = 0; i < SIM_STORERS_MAX; i++)
        for (int k = 0; k < SIM_SHARDS; k++)
            slg_heal_fini(&w->storers[i].heal[k]);
    free(w->events);
    free(w->requests);
    slg_arena_destroy(w->arena);
}
