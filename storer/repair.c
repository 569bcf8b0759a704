/* Concurrency
 * | state                        | owner               | others                                     |
 * |------------------------------|---------------------|--------------------------------------------|
 * | round, memories, copier      | the round's thread  | -                                          |
 * | stopping, progress numbers   | atomics             | any                                        | */
#include "storer/repair.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/queue.h"
#include "cluster/placement.h"
#include "storer/admit.h"
#include "storer/catalogue_forget.h"
#include "storer/catalogue_storage.h"
#include "storer/copy.h"
#include "storer/heal.h"

#define GREET_MS    1000
#define ASK_MS      3000
#define ARENA_BYTES ((size_t)256 * 1024 * 1024) /* digests of all shards of all peers */
#define RECENT_NS                                                                                  \
    (INT64_C(2) * 3600 * SLG_NS_PER_SEC) /* windows that ended later are compared every round */
#define SHARD_DEADLINE_NS (600 * SLG_NS_PER_SEC)
#define QUICK_NS          (250 * SLG_NS_PER_MS) /* between rounds while joining, */
#define QUICK_ROUNDS      40                    /* so many */
#define MEMORY_COUNT_MAX  SLG_CATALOGUE_SHARD_COUNT_MAX

/* What was seen of a shard in the last look at it. */
struct memory {
    struct slg_shard_id shard;
    struct slg_heal heal;
    uint64_t round;                  /* that looked last */
    int64_t refilling_since_mono_ns; /* first seen so; 0: it is not */
};

/* Digest of a shard at a node. */
struct seen {
    struct slg_shard_id shard;
    uint16_t node;
    bool refilling; /* this node's copy began empty after it was damaged */
    bool aside;     /* batches of this node's copy are set aside */
    struct slg_batch_set_digest digest;
};

struct round {
    uint64_t number;
    bool full;
    bool refilling; /* this node has to be compared before it is whole */
    bool counts;    /* this round may do that */
    bool due;       /* but something is still to come */
    struct slg_member_round member;
    size_t hint_shards;
    bool answers[SLG_MAP_NODE_COUNT_MAX];
    bool whole[SLG_MAP_NODE_COUNT_MAX];
    struct seen *seen;
    size_t seen_count;
};

struct slg_repair {
    struct slg_repair_options options;
    struct slg_arena *arena; /* of a round */
    struct slg_copier *copier;
    struct memory *memories; /* by shard */
    size_t memory_count, memory_capacity;
    struct slg_queue *wake; /* closed to end the rounds */
    pthread_t thread;
    bool running;
    atomic_bool stopping;
    atomic_bool fetching;
    atomic_bool hurry;
    _Atomic uint64_t wanted_count, fetched_count, fetched_bytes;
    atomic_size_t hint_shards;
};

static int64_t now_mono(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

static int64_t cutoff_ns(const struct slg_repair *repair)
{
    return slg_admit_cutoff_ns(repair->options.map,
                               slg_catalogue_keep_from_ns(repair->options.catalogue),
                               slg_clock_wall_ns(repair->options.clock));
}

/* ---- memory of looks ---- */

static size_t find_memory(const struct slg_repair *repair, const struct slg_shard_id *shard)
{
    size_t low = 0, high = repair->memory_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (slg_shard_id_compare(&repair->memories[middle].shard, shard) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* NULL: no room; then the shard has its turn in a later round. */
static struct memory *remember(struct slg_repair *repair, const struct slg_shard_id *shard)
{
    size_t at = find_memory(repair, shard);

    if (at < repair->memory_count && slg_shard_id_compare(&repair->memories[at].shard, shard) == 0)
        return &repair->memories[at];
    if (repair->memory_count == repair->memory_capacity) {
        size_t capacity = repair->memory_capacity == 0 ? 64 : repair->memory_capacity * 2;
        struct memory *memories;

        if (capacity > MEMORY_COUNT_MAX)
            return NULL;
        memories = realloc(repair->memories, capacity * sizeof(*memories));
        if (memories == NULL)
            return NULL;
        repair->memories = memories;
        repair->memory_capacity = capacity;
    }
    memmove(repair->memories + at + 1, repair->memories + at,
            (repair->memory_count - at) * sizeof(*repair->memories));
    repair->memories[at] = (struct memory){ .shard = *shard };
    repair->memory_count++;
    return &repair->memories[at];
}

/* Shards that a full round found nothing to do for are forgotten here. */
static void drop_memories(struct slg_repair *repair, uint64_t round)
{
    size_t kept = 0;

    for (size_t i = 0; i < repair->memory_count; i++) {
        struct memory *memory = &repair->memories[i];

        if (memory->round == round)
            repair->memories[kept++] = *memory;
        else
            slg_heal_fini(&memory->heal);
    }
    repair->memory_count = kept;
}

/* ---- digests ---- */

static enum slg_status add_seen(struct slg_repair *repair, struct round *round, uint16_t node,
                                const struct slg_rpc_shard_set *sets, size_t count)
{
    struct seen *seen = slg_arena_grow(repair->arena, round->seen, round->seen_count,
                                       round->seen_count + count, sizeof(*seen));

    if (seen == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++)
        seen[round->seen_count + i] =
            (struct seen){ .shard = sets[i].shard, .node = node, .digest = sets[i].digest };
    round->seen = seen;
    round->seen_count += count;
    return SLG_OK;
}

/* Ask one peer for sets. *ret_reply lives in the arena. */
static enum slg_status ask_sets(struct slg_repair *repair, size_t node,
                                const struct slg_rpc_sets *sets,
                                struct slg_rpc_sets_reply *ret_reply)
{
    static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(3600 * SLG_NS_PER_SEC);
    struct slg_buf request, reply;
    struct slg_error err;
    enum slg_status status;
    uint64_t suppressed;
    char *kept;

    slg_buf_init(&request, SLG_MESSAGE_BYTES_MAX);
    slg_buf_init(&reply, SLG_MESSAGE_BYTES_MAX);
    slg_rpc_encode_sets(&request, sets);
    status = slg_peer_links_ask(repair->options.links, node, &request, ASK_MS, &reply);
    if (status == SLG_OK) {
        kept = slg_arena_copy(repair->arena, reply.data, reply.len);
        status = kept == NULL ? SLG_LIMIT
                              : slg_rpc_decode_sets_reply(repair->arena, (const uint8_t *)kept,
                                                          reply.len, ret_reply, &err);
    }
    slg_buf_fini(&request);
    slg_buf_fini(&reply);
    if (status == SLG_LIMIT && slg_log_limit_allow(&limit, now_mono(), &suppressed))
        slg_log_warn(
            "a storer has more shards than one answer holds, copies are not compared: choose "
            "longer windows or fewer slots node=%s shards_max=%zu",
            repair->options.map->nodes[node].id, SLG_QUERY_SHARD_COUNT_MAX);
    return status;
}

static enum slg_status see_own(struct slg_repair *repair, struct round *round, int64_t from_ns)
{
    uint16_t self = (uint16_t)slg_peer_links_node_index(repair->options.links);
    struct slg_catalogue_row *rows;
    size_t count;
    enum slg_status status = slg_catalogue_list(repair->options.catalogue, from_ns, INT64_MAX,
                                                repair->arena, &rows, &count);

    for (size_t i = 0; i < count && status == SLG_OK; i++) {
        struct slg_rpc_shard_set set = { .shard = rows[i].id };
        struct slg_shard_totals totals = { .entry_count = 0 };

        if (atomic_load(&repair->stopping))
            return SLG_CANCELED;
        round->member.anything = true;
        if (slg_catalogue_totals(repair->options.catalogue, &rows[i].id, &totals, NULL, NULL) !=
            SLG_OK)
            continue; /* quarantined or just forgotten: as if it were not here */
        set.digest = totals.digest;
        status = add_seen(repair, round, self, &set, 1);
        if (status != SLG_OK)
            break;
        round->seen[round->seen_count - 1].refilling = totals.doubt == SLG_SHARD_DOUBT_REFILLING;
        round->seen[round->seen_count - 1].aside = totals.doubt == SLG_SHARD_DOUBT_ASIDE;
    }
    return status;
}

static void see_peers(struct slg_repair *repair, struct round *round, int64_t from_ns)
{
    const struct slg_map *map = repair->options.map;
    struct slg_rpc_sets sets = { .from_ns = from_ns, .to_ns = INT64_MAX, .map_epoch = map->epoch };

    for (size_t i = 0; i < map->node_count && !atomic_load(&repair->stopping); i++) {
        struct slg_rpc_sets_reply reply;

        if (!slg_peer_links_reachable(repair->options.links, i) ||
            ask_sets(repair, i, &sets, &reply) != SLG_OK ||
            add_seen(repair, round, (uint16_t)i, reply.shards, reply.shard_count) != SLG_OK)
            continue;
        round->answers[i] = true;
        round->whole[i] = !reply.refilling;
        round->member.anything = round->member.anything || reply.shard_count > 0;
        round->member.answered++;
        /* One that doubts a shard may be one of the W_min - 1 that lost a batch, too. */
        round->member.answered_whole += !reply.refilling && reply.doubtful_count == 0;
    }
}

static int compare_seen(const void *left, const void *right)
{
    const struct seen *a = left, *b = right;
    int order = slg_shard_id_compare(&a->shard, &b->shard);

    return order != 0 ? order : (a->node > b->node) - (a->node < b->node);
}

/* ---- one shard ---- */

/* The sets of a shard at this node and all who answered. */
struct sets {
    struct slg_batch_set *own;
    struct slg_batch_set *aside; /* NULL: nothing */
    struct slg_heal_peer peers[SLG_MAP_NODE_COUNT_MAX];
    struct slg_batch_set *peer_sets[SLG_MAP_NODE_COUNT_MAX];
    size_t peer_count;
};

static void free_sets(struct sets *sets)
{
    slg_batch_set_destroy(sets->own);
    slg_batch_set_destroy(sets->aside);
    for (size_t i = 0; i < sets->peer_count; i++)
        slg_batch_set_destroy(sets->peer_sets[i]);
}

static enum slg_status add_aside(void *ctx, const struct slg_aside *aside)
{
    return slg_batch_set_add(ctx, &aside->incarnation, aside->sequence);
}

/* What is set aside of the shard. */
static enum slg_status get_aside(struct slg_repair *repair, const struct slg_shard_id *id,
                                 struct slg_batch_set **ret_aside)
{
    struct slg_batch_set *aside = slg_batch_set_create();
    struct slg_shard_read *read = NULL;
    struct slg_shard *shard;
    enum slg_status status;

    if (aside == NULL)
        return SLG_NO_MEMORY;
    status = slg_catalogue_pin(repair->options.catalogue, id, /* create= */ false, &shard, NULL);
    if (status == SLG_OK) {
        status = slg_shard_read_begin(shard, &read, NULL);
        if (status == SLG_OK)
            status = slg_shard_each_aside(read, add_aside, aside);
        slg_shard_read_end(read);
        slg_catalogue_unpin(repair->options.catalogue, shard);
    }
    if (status != SLG_OK) {
        slg_batch_set_destroy(aside);
        return status;
    }
    *ret_aside = aside;
    return SLG_OK;
}

static enum slg_status get_own(struct slg_repair *repair, const struct slg_shard_id *shard,
                               struct sets *sets, struct slg_batch_set_digest *ret_digest)
{
    struct slg_batch_set *own = slg_batch_set_create();
    struct slg_shard_totals totals = { .entry_count = 0 };
    enum slg_status status =
        own == NULL ? SLG_NO_MEMORY
                    : slg_catalogue_totals(repair->options.catalogue, shard, &totals, own, NULL);

    if (status != SLG_OK && status != SLG_NOT_FOUND) {
        slg_batch_set_destroy(own);
        return status;
    }
    sets->own = own;
    *ret_digest = totals.digest;
    return totals.doubt == SLG_SHARD_DOUBT_ASIDE ? get_aside(repair, shard, &sets->aside) : SLG_OK;
}

static enum slg_status get_peer_set(struct slg_repair *repair, const struct round *round,
                                    const struct slg_shard_id *shard,
                                    const struct slg_placement *placement, size_t node,
                                    struct sets *sets)
{
    const struct slg_rpc_sets request = { .from_ns = shard->window_ns,
                                          .to_ns = shard->window_ns + shard->length_ns,
                                          .map_epoch = repair->options.map->epoch,
                                          .want_ranges = true,
                                          .shards = shard,
                                          .shard_count = 1 };
    struct slg_rpc_sets_reply reply;
    struct slg_batch_set *set = NULL;
    enum slg_status status = ask_sets(repair, node, &request, &reply);

    if (status != SLG_OK)
        return status;
    if (reply.shard_count == 0) {
        set = slg_batch_set_create();
        if (set == NULL)
            return SLG_NO_MEMORY;
    } else {
        struct slg_cursor c = slg_cursor_make(reply.shards[0].set.at, reply.shards[0].set.len);

        status = slg_batch_set_decode(&c, &set);
        if (status != SLG_OK)
            return status;
    }
    sets->peer_sets[sets->peer_count] = set;
    sets->peers[sets->peer_count++] =
        (struct slg_heal_peer){ .node = (uint16_t)node,
                                .owner = slg_placement_owns(placement, (uint16_t)node),
                                .whole = round->whole[node] && !reply.refilling &&
                                         reply.doubtful_count == 0,
                                .set = set };
    return SLG_OK;
}

static void on_copied(void *ctx, uint64_t batches, uint64_t bytes)
{
    struct slg_repair *repair = ctx;

    (void)atomic_fetch_add(&repair->fetched_count, batches);
    (void)atomic_fetch_add(&repair->fetched_bytes, bytes);
    slg_metric_add_shared(repair->options.metrics, METRIC_storer_repaired_batches_total, 0,
                          batches);
    slg_metric_add_shared(repair->options.metrics, METRIC_storer_repaired_bytes_total, 0, bytes);
}

static void fetch_all(struct slg_repair *repair, const struct slg_shard_id *shard,
                      const struct slg_heal_actions *actions)
{
    for (size_t i = 0; i < actions->fetch_count; i++) {
        struct slg_error err;
        enum slg_status status;

        (void)atomic_fetch_add(&repair->wanted_count, slg_batch_set_count(actions->fetches[i].set));
        atomic_store(&repair->fetching, true);
        status = slg_copier_run(repair->copier, shard, actions->fetches[i].node,
                                actions->fetches[i].set, now_mono() + SHARD_DEADLINE_NS, &err);
        if (status != SLG_OK && status != SLG_CANCELED) {
            static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(10 * SLG_NS_PER_SEC);
            uint64_t suppressed;

            if (slg_log_limit_allow(&limit, now_mono(), &suppressed))
                slg_log_warn("repair could not fetch, the next round tries again shard=%s "
                             "reason=%s suppressed=%" PRIu64,
                             slg_shard_name_of(shard).text, err.message, suppressed);
        }
    }
}

static void forget_hints(struct slg_repair *repair, const struct slg_shard_id *shard,
                         const struct slg_batch_set_digest *digest)
{
    struct slg_error err;
    enum slg_status status =
        slg_catalogue_forget_if(repair->options.catalogue, shard, digest, &err);

    if (status == SLG_OK)
        slg_log_info("hints handed over, shard forgotten shard=%s batches=%" PRIu64,
                     slg_shard_name_of(shard).text, digest->count);
    else if (status != SLG_INVALID && status != SLG_AGAIN) /* it has grown, or is being read */
        slg_log_failure(SLG_LOG_WARN, "could not forget handed-over hints", &err);
}

/* Do at least copies_min peers hold the shard, and all of them the same? */
static bool is_safe(const struct seen *seen, size_t count, uint16_t self, uint16_t copies_min)
{
    const struct seen *first = NULL;
    size_t copies = 0;

    for (size_t i = 0; i < count; i++) {
        if (seen[i].node == self)
            continue;
        if (first == NULL)
            first = &seen[i];
        if (!slg_batch_set_digest_equal(&seen[i].digest, &first->digest))
            return false;
        copies++;
    }
    return copies >= copies_min;
}

/* Does a shard that these nodes hold need a look? */
static bool differs(const struct seen *seen, size_t count, uint16_t self,
                    const struct slg_heal_view *view)
{
    struct slg_batch_set_digest own = { .count = 0 };

    for (size_t i = 0; i < count; i++)
        if (seen[i].node == self) {
            own = seen[i].digest;
            if (seen[i].refilling || (seen[i].aside && !view->owner))
                return true;
        }
    if (!view->owner)
        return own.count > 0 || (view->candidate && view->refilling &&
                                 !is_safe(seen, count, self, view->copies_min));
    for (size_t i = 0; i < count; i++)
        if (!slg_batch_set_digest_equal(&seen[i].digest, &own))
            return true;
    return false;
}

static bool holds(const struct seen *seen, size_t count, uint16_t node)
{
    for (size_t i = 0; i < count; i++)
        if (seen[i].node == node)
            return seen[i].digest.count > 0;
    return false;
}

static bool is_refilling(const struct seen *seen, size_t count, uint16_t self)
{
    for (size_t i = 0; i < count; i++)
        if (seen[i].node == self)
            return seen[i].refilling;
    return false;
}

/* Fixes what is due of a copy that is refilled, once acknowledgements of the one before have run out. */
static bool copy_counts(const struct slg_repair *repair, const struct slg_placement *placement,
                        const struct memory *memory, const struct sets *sets, uint16_t copies_min)
{
    const struct slg_map *map = repair->options.map;
    bool live[SLG_MAP_NODE_COUNT_MAX];

    for (size_t i = 0; i < map->node_count; i++)
        live[i] = map->nodes[i].state != SLG_NODE_REMOVED;
    return now_mono() - memory->refilling_since_mono_ns >= repair->options.settle_ns &&
           slg_heal_copy_counts(placement, live,
                                (uint16_t)slg_peer_links_node_index(repair->options.links),
                                sets->peers, sets->peer_count, copies_min);
}

/* What peers hold of the shard is here again. */
static void vouch_again(struct slg_repair *repair, const struct slg_shard_id *id)
{
    struct slg_shard *shard;
    struct slg_error err;
    enum slg_status status =
        slg_catalogue_pin(repair->options.catalogue, id, /* create= */ false, &shard, &err);

    if (status == SLG_OK) {
        status = slg_shard_vouch(shard, &err);
        slg_catalogue_unpin(repair->options.catalogue, shard);
    }
    if (status == SLG_OK)
        slg_log_info("quarantined shard repaired from its peers shard=%s",
                     slg_shard_name_of(id).text);
    else
        slg_log_failure(SLG_LOG_WARN, "a repaired shard could not be marked so", &err);
}

static void look_at(struct slg_repair *repair, struct round *round, const struct seen *seen,
                    size_t count)
{
    bool refilling =
        is_refilling(seen, count, (uint16_t)slg_peer_links_node_index(repair->options.links));
    const struct slg_shard_id *shard = &seen[0].shard;
    uint16_t self = (uint16_t)slg_peer_links_node_index(repair->options.links);
    struct slg_placement placement = slg_placement_of(repair->options.map, shard);
    const struct slg_map_layout *layout = slg_map_layout_at(repair->options.map, shard->window_ns);
    struct slg_heal_view view = { .owner = slg_placement_owns(&placement, self),
                                  .candidate = slg_placement_hints(&placement, self),
                                  .refilling = round->refilling || refilling,
                                  .counts = round->counts,
                                  .copies_min = layout->write_quorum_min,
                                  .owner_count = placement.owner_count };
    struct slg_heal_actions actions = { .fetch_count = 0 };
    struct slg_batch_set_digest digest;
    struct sets sets = { .peer_count = 0 };
    struct memory *memory;
    enum slg_status status;

    if (!differs(seen, count, self, &view))
        return;
    round->hint_shards += !view.owner && holds(seen, count, self);
    status = get_own(repair, shard, &sets, &digest);
    for (size_t i = 0; i < repair->options.map->node_count && status == SLG_OK; i++)
        if (round->answers[i])
            status = get_peer_set(repair, round, shard, &placement, i, &sets);
    memory = remember(repair, shard);
    if (status == SLG_OK && memory != NULL) {
        memory->round = round->number;
        if (!refilling || memory->refilling_since_mono_ns == 0)
            memory->refilling_since_mono_ns = refilling ? now_mono() : 0;
        view.counts = view.counts || (refilling && copy_counts(repair, &placement, memory, &sets,
                                                               view.copies_min));
        view.own = sets.own;
        view.aside = sets.aside;
        view.peers = sets.peers;
        view.peer_count = sets.peer_count;
        status = slg_heal_look(&memory->heal, &view, now_mono(), &actions);
    }
    if (status == SLG_OK) {
        round->due = round->due || actions.due;
        if (repair->options.rounds)
            fetch_all(repair, shard, &actions);
        if (repair->options.rounds && actions.forget)
            forget_hints(repair, shard, &digest);
        else if (refilling && view.counts && !actions.due)
            vouch_again(repair, shard);
    } else {
        round->due = true; /* it was not looked at: nobody may call this node whole */
    }
    slg_heal_actions_fini(&actions);
    free_sets(&sets);
}

/* ---- rounds ---- */

static void run_round(struct slg_repair *repair, struct round *round)
{
    int64_t from_ns = cutoff_ns(repair);
    int64_t now_ns = slg_clock_wall_ns(repair->options.clock);
    size_t end;

    if (!round->full && now_ns - RECENT_NS > from_ns)
        from_ns = now_ns - RECENT_NS;
    slg_arena_reset(repair->arena);
    if (see_own(repair, round, from_ns) != SLG_OK)
        return;
    see_peers(repair, round, from_ns);
    if (round->member.answered == 0)
        return;
    round->counts = round->full && slg_peer_links_counts(repair->options.links, &round->member);
    if (round->seen_count > 0)
        qsort(round->seen, round->seen_count, sizeof(*round->seen), compare_seen);
    for (size_t at = 0; at < round->seen_count && !atomic_load(&repair->stopping); at = end) {
        end = at + 1;
        while (end < round->seen_count &&
               slg_shard_id_compare(&round->seen[at].shard, &round->seen[end].shard) == 0)
            end++;
        look_at(repair, round, &round->seen[at], end - at);
    }
    if (!atomic_load(&repair->stopping) && round->full) {
        if (!round->refilling) /* what is due is remembered until this node is whole */
            drop_memories(repair, round->number);
        slg_peer_links_end_round(repair->options.links, &round->member, round->due);
        atomic_store(&repair->hint_shards, round->hint_shards);
    }
}

/* The nodes of a cluster start one after another: a storer that knows too little of them looks more often at first. */
static int64_t pause_ns(const struct slg_repair *repair, uint64_t round_number)
{
    bool joining = slg_peer_links_state(repair->options.links) == SLG_MEMBER_JOINING;

    return joining && round_number < QUICK_ROUNDS && QUICK_NS < repair->options.interval_ns
               ? QUICK_NS
               : repair->options.interval_ns;
}

static void *run(void *arg)
{
    struct slg_repair *repair = arg;
    int64_t full_mono_ns = 0; /* the first round is full */
    uint64_t number = 0;
    void *item;

    do {
        struct round round = { .number = ++number };
        bool back;

        slg_peer_links_greet(repair->options.links, GREET_MS, &back);
        round.member.began_mono_ns = now_mono();
        round.refilling = slg_peer_links_compares(repair->options.links);
        round.full = atomic_exchange(&repair->hurry, false) || back ||
                     round.member.began_mono_ns >= full_mono_ns || round.refilling ||
                     repair->memory_count > 0;
        /* With repair off nothing is fetched; but a new storage has to be compared before it counts. */
        if (repair->options.rounds || round.refilling) {
            run_round(repair, &round);
            if (round.full && round.member.answered > 0)
                full_mono_ns = now_mono() + SLG_REPAIR_FULL_NS;
        }
        atomic_store(&repair->fetching, false);
        atomic_store(&repair->wanted_count, 0);
        atomic_store(&repair->fetched_count, 0);
    } while (slg_queue_pop(repair->wake, now_mono() + pause_ns(repair, number), &item) ==
             SLG_TIMEOUT);
    return NULL;
}

/* ---- start and stop ---- */

void slg_repair_hurry(struct slg_repair *repair)
{
    atomic_store(&repair->hurry, true);
}

enum slg_status slg_repair_start(const struct slg_repair_options *options,
                                 struct slg_repair **ret_repair, struct slg_error *reterr)
{
    struct slg_repair *repair = calloc(1, sizeof(*repair));
    struct slg_copier_options copier = { .links = options->links,
                                         .catalogue = options->catalogue,
                                         .commit = options->commit,
                                         .map = options->map,
                                         .bytes_per_second = options->bytes_per_second,
                                         .copied = on_copied };

    SLG_ASSERT(options->bytes_per_second >= SLG_REPAIR_BYTES_PER_SEC_MIN);
    if (repair == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for repair");
    repair->options = *options;
    if (repair->options.settle_ns == 0)
        repair->options.settle_ns = SLG_MEMBER_SETTLE_NS;
    if (repair->options.interval_ns == 0)
        repair->options.interval_ns = SLG_REPAIR_INTERVAL_NS;
    repair->arena = slg_arena_create(ARENA_BYTES);
    if (repair->arena != NULL && slg_queue_create(1, &repair->wake) == SLG_OK) {
        copier.wake = repair->wake;
        copier.copied_ctx = repair;
        repair->copier = slg_copier_create(&copier);
    }
    repair->running =
        repair->copier != NULL && pthread_create(&repair->thread, NULL, run, repair) == 0;
    if (!repair->running) {
        slg_repair_stop(repair);
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory or thread for repair");
    }
    *ret_repair = repair;
    return SLG_OK;
}

void slg_repair_stop(struct slg_repair *repair)
{
    if (repair == NULL)
        return;
    atomic_store(&repair->stopping, true);
    if (repair->wake != NULL)
        slg_queue_close(repair->wake);
    if (repair->running && pthread_join(repair->thread, NULL) != 0)
        slg_log_error("the repair thread could not be joined");
    drop_memories(repair, UINT64_MAX);
    free(repair->memories);
    slg_queue_destroy(repair->wake);
    slg_copier_destroy(repair->copier);
    slg_arena_destroy(repair->arena);
    free(repair);
}

void slg_repair_progress(struct slg_repair *repair, struct slg_repair_progress *ret_progress)
{
    *ret_progress =
        (struct slg_repair_progress){ .state = slg_peer_links_state(repair->options.links),
                                      .fetching = atomic_load(&repair->fetching),
                                      .wanted_count = atomic_load(&repair->wanted_count),
                                      .fetched_count = atomic_load(&repair->fetched_count),
                                      .fetched_bytes = atomic_load(&repair->fetched_bytes),
                                      .hint_shards = atomic_load(&repair->hint_shards) };
}
