/* A querier: one query after another over all shards. Sets, S and who evaluates (querier/choose.h), ENSURE, pages with
 * rivals (querier/hedge.h), fail-over. The shells are querier/fanout_sets.c and querier/fanout_source.c. */
#include "tests/sim/world.h"

#define TURNS_MAX     3
#define HEDGE_WAIT_NS SIM_MS(80)

static void evaluate(struct sim_world *w);

static void next_query(struct sim_world *w)
{
    w->query.active = false;
    sim_push(w, w->now_ns + SIM_MS(200 + sim_random(w, 2000)), SIM_ASK,
             w->storer_count + w->ingester_count, 0);
}

/* No answer at all: an error is not wrong. */
static void give_up(struct sim_world *w)
{
    sim_trace(w, "query: error");
    next_query(w);
}

void sim_querier_start(struct sim_world *w, int node)
{
    struct sim_query *query = &w->query;
    uint32_t number = query->number + 1;

    memset(query, 0, sizeof(*query));
    query->active = true;
    query->number = number;
    query->due = w->accepted;
    for (int i = 0; i < w->storer_count; i++) {
        struct sim_message sets = { .kind = SIM_SETS, .from = node, .to = i, .shard = -1 };

        query->waiting++;
        sim_ask(w, &sets, SIM_FOR_QUERY_SETS, (int)number, SIM_SECONDS(4));
    }
}

/* ---- who evaluates ---- */

static enum slg_status choose(struct sim_world *w, int shard)
{
    struct sim_query *query = &w->query;
    struct slg_choose_holder holders[SIM_STORERS_MAX];
    struct slg_buf bufs[SIM_STORERS_MAX];
    struct slg_choice choice;
    enum slg_status status;
    size_t count = 0;

    slg_arena_reset(w->arena);
    for (int i = 0; i < w->storer_count; i++) {
        sim_bits held = query->held[i] & sim_of_shard(w, shard);
        struct slg_batch_set *set;

        if (!query->answered[i] || held == 0)
            continue;
        set = sim_set_of(w, held);
        slg_buf_init(&bufs[count], 4096);
        slg_batch_set_encode(&bufs[count], set);
        slg_batch_set_destroy(set);
        holders[count] = (struct slg_choose_holder){
            .node_index = (size_t)i,
            .digest = query->digests[i][shard],
            .set = slg_text_make((const char *)bufs[count].data, bufs[count].len),
            .owner = slg_placement_owns(&w->placements[shard], (uint16_t)i),
            .lost = query->lost[i]
        };
        count++;
    }
    query->chosen[shard] = -1;
    query->lacks[shard] = false;
    status = count == 0 ? SLG_OK : slg_choose(holders, count, query->number, w->arena, &choice);
    if (count > 0 && status == SLG_OK) {
        struct slg_cursor c = slg_cursor_make(choice.set.at, choice.set.len);
        struct slg_batch_set *set;

        status = slg_batch_set_decode(&c, &set);
        SLG_ASSERT(status == SLG_OK);
        query->s[shard] = sim_bits_of(w, shard, set);
        slg_batch_set_destroy(set);
        query->chosen[shard] = (int)holders[choice.holder].node_index;
        query->lacks[shard] = choice.lacks;
    }
    for (size_t i = 0; i < count; i++)
        slg_buf_fini(&bufs[i]);
    return status;
}

/* Nobody could be brought to hold all of S: what one holds, and the truth about it. */
static void make_do(struct sim_world *w, int shard, int node)
{
    struct sim_query *query = &w->query;

    query->incomplete = true;
    query->lacks[shard] = false;
    query->chosen[shard] = node;
    query->s[shard] = query->held[node] & sim_of_shard(w, shard);
}

static void ensure(struct sim_world *w)
{
    struct sim_query *query = &w->query;
    int self = w->storer_count + w->ingester_count;
    bool again = query->turns++ < TURNS_MAX;

    query->waiting = 0;
    for (int i = 0; i < SIM_SHARDS; i++) {
        struct sim_message message = {
            .kind = SIM_ENSURE, .from = self, .to = query->chosen[i], .shard = i, .set = query->s[i]
        };

        if (query->chosen[i] < 0 || !query->lacks[i])
            continue;
        if (!again) {
            make_do(w, i, query->chosen[i]);
            continue;
        }
        query->waiting++;
        sim_ask(w, &message, SIM_FOR_QUERY_ENSURE, (int)query->number, SIM_SECONDS(8));
    }
    if (query->waiting == 0)
        evaluate(w);
}

static void fix_sets(struct sim_world *w)
{
    struct sim_query *query = &w->query;
    const struct slg_map *map = sim_map(w, w->storer_count + w->ingester_count);
    bool failed[SLG_MAP_NODE_COUNT_MAX] = { false };
    size_t failed_count = 0;

    query->waiting = 0;
    for (int i = 0; i < w->storer_count; i++) {
        failed[i] = !query->answered[i] || query->failed[i];
        failed_count += !query->answered[i];
    }
    if (failed_count == (size_t)w->storer_count) {
        give_up(w);
        return;
    }
    for (int i = 0; i < SIM_SHARDS; i++) {
        bool shard_failed[SLG_MAP_NODE_COUNT_MAX];

        for (size_t k = 0; k < SLG_MAP_NODE_COUNT_MAX; k++)
            shard_failed[k] = failed[k] || (k < SIM_STORERS_MAX && query->doubtful[k][i]);
        query->incomplete =
            query->incomplete || slg_choose_incomplete(map, &w->shards[i], shard_failed);
        if (choose(w, i) != SLG_OK) {
            give_up(w);
            return;
        }
    }
    ensure(w);
}

static void take_sets(struct sim_world *w, int node, const struct sim_message *reply)
{
    struct sim_query *query = &w->query;
    size_t failed = 0;

    if (reply != NULL && reply->ok) {
        query->answered[node] = true;
        query->failed[node] = reply->refilling;
        memcpy(query->doubtful[node], reply->doubtful, sizeof(reply->doubtful));
        query->held[node] = reply->set;
        memcpy(query->digests[node], reply->digests, sizeof(reply->digests));
    } else {
        query->failed[node] = true;
    }
    if (--query->waiting == 0) {
        fix_sets(w);
        return;
    }
    for (int i = 0; i < w->storer_count; i++)
        failed += query->failed[i];
    if (!query->grace && failed + query->waiting <= slg_choose_spare_count(&w->maps[0])) {
        query->grace = true;
        sim_push(w, w->now_ns + SIM_MS(300), SIM_GRACE, w->storer_count + w->ingester_count,
                 query->number);
    }
}

/* Enough have answered, the others had their time. */
void sim_querier_grace(struct sim_world *w, uint32_t number)
{
    struct sim_query *query = &w->query;

    if (!query->active || query->number != number || query->evaluating || query->turns > 0)
        return;
    fix_sets(w);
}

static void take_ensured(struct sim_world *w, int node, const struct sim_message *reply)
{
    struct sim_query *query = &w->query;
    bool ok = reply != NULL && reply->ok;

    if (ok)
        query->lacks[reply->shard] = false;
    query->lost[node] = query->lost[node] || !ok;
    if (--query->waiting > 0)
        return;
    for (int i = 0; i < SIM_SHARDS; i++) {
        int before = query->chosen[i];

        if (before >= 0 && query->lost[before] && choose(w, i) != SLG_OK)
            make_do(w, i, before);
    }
    ensure(w);
}

/* ---- pages ---- */

static void ask_page(struct sim_world *w, int shard, int which)
{
    struct sim_query *query = &w->query;
    struct sim_run *run = &query->runs[shard][which];
    struct sim_message message = { .kind = SIM_QUERY,
                                   .from = w->storer_count + w->ingester_count,
                                   .to = run->node,
                                   .shard = shard,
                                   .set = query->s[shard],
                                   .page = run->page };

    sim_ask(w, &message, SIM_FOR_QUERY_PAGE, (int)(query->number * 8) + shard * 2 + which,
            SIM_SECONDS(3));
}

static void evaluate(struct sim_world *w)
{
    struct sim_query *query = &w->query;
    bool any = false;

    query->evaluating = true;
    memset(query->runs, 0, sizeof(query->runs));
    for (int i = 0; i < SIM_SHARDS; i++) {
        if (query->chosen[i] < 0)
            continue;
        any = true;
        query->runs[i][0] = (struct sim_run){ .active = true, .node = query->chosen[i] };
        slg_hedge_init(&query->hedges[i], w->now_ns);
        ask_page(w, i, 0);
    }
    if (any)
        sim_push(w, w->now_ns + HEDGE_WAIT_NS, SIM_HEDGE, w->storer_count + w->ingester_count,
                 query->number);
    else {
        sim_check_query(w);
        next_query(w);
    }
}

static enum slg_hedge_action tell(struct sim_world *w, int shard, enum slg_hedge_event_type type,
                                  int which)
{
    struct slg_hedge_event event = {
        .type = type,
        .side = which == 0 ? SLG_HEDGE_PRIMARY : SLG_HEDGE_RIVAL,
        .wait_ns = HEDGE_WAIT_NS,
        .parts = 1,
    };

    return slg_hedge_step(&w->query.hedges[shard], &event, w->now_ns);
}

/* Whoever is slow gets a rival that evaluates the same S from its start. */
void sim_querier_hedge(struct sim_world *w, uint32_t number)
{
    struct sim_query *query = &w->query;

    if (!query->active || query->number != number || !query->evaluating)
        return;
    for (int i = 0; i < SIM_SHARDS; i++) {
        struct sim_run *runs = query->runs[i];

        if (query->chosen[i] < 0 || tell(w, i, SLG_HEDGE_TICK, 0) != SLG_HEDGE_START)
            continue;
        for (int k = 0; k < w->storer_count && !runs[1].active; k++)
            if (k != runs[0].node && query->answered[k] && !query->lost[k] &&
                (query->s[i] & ~query->held[k]) == 0)
                runs[1] = (struct sim_run){ .active = true, .node = k };
        (void)tell(w, i, runs[1].active ? SLG_HEDGE_STARTED : SLG_HEDGE_NO_RIVAL, 1);
        if (runs[1].active)
            ask_page(w, i, 1);
    }
}

/* Nobody evaluates the shard any more: another one, from the start. */
static void fail_over(struct sim_world *w)
{
    struct sim_query *query = &w->query;

    query->evaluating = false;
    query->number++; /* answers of before mean nothing now */
    for (int i = 0; i < SIM_SHARDS; i++) {
        if (query->chosen[i] >= 0 && query->lost[query->chosen[i]] && choose(w, i) != SLG_OK) {
            give_up(w);
            return;
        }
    }
    if (query->turns > TURNS_MAX) {
        give_up(w);
        return;
    }
    ensure(w);
}

/* A run was lost. */
static void take_loss(struct sim_world *w, int shard, int which)
{
    struct sim_query *query = &w->query;

    query->lost[query->runs[shard][which].node] = true;
    query->runs[shard][which].active = false;
    if (tell(w, shard, SLG_HEDGE_LOST, which) == SLG_HEDGE_GIVE_UP)
        fail_over(w);
}

/* The page of a run that is used. */
static void use_page(struct sim_run *run, sim_bits page)
{
    run->twice |= run->seen & page;
    run->seen |= page;
    run->page++;
}

static void take_page(struct sim_world *w, int shard, int which, const struct sim_message *reply)
{
    struct sim_query *query = &w->query;
    struct sim_run *runs = query->runs[shard];

    if (!runs[which].active)
        return;
    if (reply == NULL || !reply->ok) {
        take_loss(w, shard, which);
        return;
    }
    switch (tell(w, shard, SLG_HEDGE_PAGE, which)) {
    case SLG_HEDGE_USE:
    case SLG_HEDGE_USE_PRIMARY:
    case SLG_HEDGE_USE_RIVAL:
        if (w->bug != SIM_BUG_HEDGE_MIXES)
            runs[1 - which].active = false;
        break;
    case SLG_HEDGE_GO_ON:
    case SLG_HEDGE_START:
    case SLG_HEDGE_KEEP:
    case SLG_HEDGE_DROP_PRIMARY:
    case SLG_HEDGE_DROP_RIVAL:
    case SLG_HEDGE_GIVE_UP:
        if (w->bug == SIM_BUG_HEDGE_MIXES) /* it came, so why not */
            use_page(&runs[1 - which], reply->set);
        return;
    }
    use_page(&runs[which], reply->set);
    if (reply->more) {
        ask_page(w, shard, which);
        return;
    }
    runs[0].active = runs[1].active = false;
    runs[which].done = true;
    for (int i = 0; i < SIM_SHARDS; i++)
        if (query->runs[i][0].active || query->runs[i][1].active)
            return;
    sim_check_query(w);
    next_query(w);
}

void sim_querier_answer(struct sim_world *w, const struct sim_request *request,
                        const struct sim_message *reply)
{
    struct sim_query *query = &w->query;
    bool page = request->purpose == SIM_FOR_QUERY_PAGE;
    uint32_t number = (uint32_t)request->arg / (page ? 8 : 1);

    if (!query->active || query->number != number)
        return;
    if (page)
        take_page(w, request->arg / 2 % 4, request->arg % 2, reply);
    else if (request->purpose == SIM_FOR_QUERY_ENSURE)
        take_ensured(w, request->to, reply);
    else if (query->turns == 0)
        take_sets(w, request->to, reply);
}
