/* A tail asks for every entry exactly once: whatever comes when, late or in order, with or without a delay, storers
 * going away and coming back, evaluations breaking off in their middle, pushes that are sent again.
 * Oracle: a world of batches that knows all its entries and counts how often each was shown; schedules come from a
 * seed. The pictures are made by the real querier/tail_sets.c. */
#include "tests/helper/test.h"

#include "base/arena.h"
#include "logql/plan/merge.h"
#include "querier/tail_state.h"

#define HOUR_NS     (INT64_C(3600) * 1000000000)
#define SECOND_NS   INT64_C(1000000000)
#define WINDOW      INT64_C(490000)
#define SHARD_COUNT 4
#define ENTRY_MAX   4000
#define NODE_COUNT  2

struct entry {
    size_t shard;
    uint64_t sequence;
    uint32_t position;
    int64_t ts_ns;
    bool history; /* held when the tail began, and older than its horizon */
    size_t group; /* index of the first that it equals: a push that came again */
    int shown;
};

struct world {
    struct entry entries[ENTRY_MAX];
    size_t count;
    uint64_t held[SHARD_COUNT]; /* batches 1..held */
    bool away[NODE_COUNT];
    int64_t now_ns;
    int64_t start_ns;
    struct slg_tail_sets *sets;
    struct slg_tail_state *state;
    uint64_t seed;
};

static uint64_t next_random(struct world *world, uint64_t below)
{
    world->seed = world->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world->seed >> 33) % below;
}

static struct slg_incarnation incarnation(void)
{
    struct slg_incarnation value;

    memset(value.bytes, 7, sizeof(value.bytes));
    return value;
}

/* Two slots in each of two windows; slot = node. */
static struct slg_shard_id shard_id(size_t shard)
{
    return (struct slg_shard_id){ .window_ns = (WINDOW + (int64_t)(shard / 2)) * HOUR_NS,
                                  .length_ns = HOUR_NS,
                                  .slot = (uint16_t)(shard % 2),
                                  .slot_count = 2 };
}

/* It is sent again, in a batch of its own or the same. */
static void repeat(struct world *world, struct entry *entry)
{
    const struct entry *old;

    if (world->count == 0)
        return;
    old = &world->entries[next_random(world, world->count)];
    if (old->shard != entry->shard)
        return;
    entry->ts_ns = old->ts_ns;
    entry->group = old->group;
}

static void add_batch(struct world *world, size_t shard, int64_t around_ns)
{
    struct slg_shard_id id = shard_id(shard);
    size_t entries = 1 + next_random(world, 4);

    world->held[shard]++;
    for (uint32_t i = 0; i < entries && world->count < ENTRY_MAX; i++) {
        int64_t ts_ns = around_ns + (int64_t)next_random(world, 8) * (SECOND_NS / 2) - SECOND_NS;

        ts_ns = ts_ns < id.window_ns ? id.window_ns : ts_ns;
        if (ts_ns >= id.window_ns + id.length_ns)
            ts_ns = id.window_ns + id.length_ns - 1;
        world->entries[world->count] = (struct entry){ .shard = shard,
                                                       .sequence = world->held[shard],
                                                       .position = i,
                                                       .ts_ns = ts_ns,
                                                       .group = world->count };
        if (next_random(world, 6) == 0)
            repeat(world, &world->entries[world->count]);
        world->count++;
    }
}

static void look(struct world *world)
{
    struct slg_tail_answer answers[SHARD_COUNT];
    struct slg_tail_look look = { .answers = answers,
                                  .asked_from_ns = world->start_ns,
                                  .from_ns = world->start_ns };
    struct slg_arena *arena = slg_arena_create(1 << 20);
    struct slg_incarnation who = incarnation();
    struct slg_tail_sets *sets;
    bool changed;

    for (size_t s = 0; s < SHARD_COUNT; s++) {
        struct slg_tail_answer *answer = &answers[look.count];
        struct slg_batch_set *set = slg_batch_set_create();
        struct slg_buf bytes;

        slg_buf_init(&bytes, 4096);
        look.incomplete |= world->away[s % NODE_COUNT];
        if (world->held[s] > 0 && !world->away[s % NODE_COUNT]) {
            *answer =
                (struct slg_tail_answer){ .set.shard = shard_id(s), .node_index = s % NODE_COUNT };
            assert_int_equal(slg_batch_set_add_range(set, &who, 1, world->held[s]), SLG_OK);
            for (uint64_t k = 1; k <= world->held[s]; k++) {
                struct slg_batch_id id = { .incarnation = who,
                                           .shard = shard_id(s),
                                           .sequence = k };

                slg_batch_set_digest_add(&answer->set.digest, &id);
            }
            slg_batch_set_encode(&bytes, set);
            answer->set.set =
                slg_text_make(slg_arena_copy(arena, bytes.data, bytes.len), bytes.len);
            look.count++;
        }
        slg_buf_fini(&bytes);
        slg_batch_set_destroy(set);
    }
    assert_int_equal(slg_tail_sets_next(world->sets, &look, &sets, &changed), SLG_OK);
    slg_tail_sets_unref(world->sets);
    world->sets = sets;
    slg_arena_destroy(arena);
}

/* ---- a storer that answers jobs ---- */

/* Does a job's set of batches, or what it knows of, have the entry? */
static bool has(const struct slg_tail_job *job, const struct entry *entry, bool known)
{
    struct slg_shard_id id = shard_id(entry->shard);
    struct slg_incarnation who = incarnation();
    bool found = false;

    for (size_t i = 0; i < job->count && !found; i++) {
        struct slg_text text = known ? job->shards[i].known : job->shards[i].set;
        struct slg_cursor c = slg_cursor_make(text.at, text.len);
        struct slg_batch_set *set;

        if (text.len == 0 || slg_shard_id_compare(&job->shards[i].shard, &id) != 0)
            continue;
        assert_int_equal(job->nodes[i], entry->shard % NODE_COUNT);
        assert_int_equal(slg_batch_set_decode(&c, &set), SLG_OK);
        found = slg_batch_set_has(set, &who, entry->sequence);
        slg_batch_set_destroy(set);
    }
    return found;
}

static bool in_job(const struct slg_tail_job *job, const struct entry *entry)
{
    return entry->ts_ns >= job->from_ns && entry->ts_ns < job->to_ns &&
           has(job, entry, /* known= */ false);
}

/* Is it equal to one that the storer is told of? */
static bool is_known(const struct world *world, const struct slg_tail_job *job,
                     const struct entry *entry)
{
    for (size_t i = 0; i < world->count; i++)
        if (world->entries[i].group == entry->group &&
            has(job, &world->entries[i], /* known= */ true))
            return true;
    return false;
}

static struct slg_row row_of(const struct entry *entry, struct slg_batch_id *id)
{
    *id = (struct slg_batch_id){ .incarnation = incarnation(),
                                 .shard = shard_id(entry->shard),
                                 .sequence = entry->sequence };
    return (struct slg_row){ .ts_ns = entry->ts_ns,
                             .stream_hash = entry->shard * 31,
                             .batch = id,
                             .position = entry->position };
}

static int compare_entries(const void *left, const void *right)
{
    const struct entry *a = *(struct entry *const *)left, *b = *(struct entry *const *)right;
    struct slg_batch_id id_a, id_b;
    struct slg_row row_a = row_of(a, &id_a), row_b = row_of(b, &id_b);

    if (slg_row_before(SLG_FORWARD, &row_a, &row_b))
        return -1;
    return slg_row_before(SLG_FORWARD, &row_b, &row_a);
}

/* Show the job's rows, at most row_max of them. True: to its end. */
static bool show(struct world *world, const struct slg_tail_job *job, size_t row_max,
                 struct slg_tail_mark *mark)
{
    static struct entry *rows[ENTRY_MAX];
    size_t count = 0;

    for (size_t i = 0; i < world->count; i++)
        if (in_job(job, &world->entries[i]))
            rows[count++] = &world->entries[i];
    if (count > 0)
        qsort(rows, count, sizeof(rows[0]), compare_entries);
    for (size_t i = 0; i < count; i++) {
        struct slg_batch_id id;
        struct slg_row row = row_of(rows[i], &id);
        bool again = is_known(world, job, rows[i]);

        for (size_t k = 0; k < i; k++)
            again = again || rows[k]->group == rows[i]->group;
        if (again || slg_tail_mark_covers(job->mark, &row))
            continue;
        if (row_max-- == 0)
            return false;
        rows[i]->shown++;
        slg_tail_mark_set(mark, &row);
    }
    return true;
}

static void run_jobs(struct world *world, unsigned break_percent)
{
    struct slg_tail_job *job;
    enum slg_status status;

    while ((status = slg_tail_state_next(world->state, world->sets, world->now_ns, &job)) ==
           SLG_OK) {
        struct slg_tail_mark mark = { .set = false };

        assert_true(job->count > 0);
        if (next_random(world, 100) < break_percent) {
            if (show(world, job, next_random(world, 6), &mark) && next_random(world, 2) == 0) {
                slg_tail_state_done(world->state, job);
                continue;
            }
            slg_tail_state_broken(world->state, job, &mark);
            return;
        }
        assert_true(show(world, job, SIZE_MAX, &mark));
        slg_tail_state_done(world->state, job);
    }
    assert_int_equal(status, SLG_NOT_FOUND);
}

/* ---- schedules ---- */

static void begin(struct world *world, uint64_t seed, int64_t delay_ns)
{
    memset(world, 0, sizeof(*world));
    world->seed = seed;
    world->now_ns = (WINDOW + 1) * HOUR_NS - 20 * SECOND_NS;
    world->start_ns = world->now_ns - 600 * SECOND_NS;
    for (size_t i = 0; i < 20; i++)
        add_batch(world, next_random(world, 2),
                  world->now_ns - (int64_t)next_random(world, 900) * SECOND_NS);
    look(world);
    world->state = slg_tail_state_create(world->sets, world->start_ns, world->now_ns, delay_ns);
    assert_non_null(world->state);
    for (size_t i = 0; i < world->count; i++)
        world->entries[i].history = world->entries[i].ts_ns < slg_tail_state_horizon(world->state);
}

static void finish(struct world *world, const char *name)
{
    memset(world->away, 0, sizeof(world->away));
    world->now_ns += 3600 * SECOND_NS;
    look(world);
    run_jobs(world, 0);
    assert_int_equal(slg_tail_state_broken_count(world->state), 0);
    for (size_t i = 0; i < world->count; i++) {
        const struct entry *entry = &world->entries[i];
        int wanted = !entry->history && entry->ts_ns >= world->start_ns, shown = 0;

        for (size_t k = i; k < world->count && entry->group == i; k++)
            shown += world->entries[k].group == i ? world->entries[k].shown : 0;
        if (entry->group == i && shown != wanted)
            print_error("%s: entry %zu (shard %zu batch %zu) shown %d times, wanted %d\n", name, i,
                        entry->shard, (size_t)entry->sequence, shown, wanted);
        assert_true(entry->group != i || shown == wanted);
    }
    slg_tail_state_destroy(world->state);
    slg_tail_sets_unref(world->sets);
}

static const struct schedule {
    const char *name;
    int64_t delay_ns;
    unsigned away_percent;
    unsigned break_percent;
} schedules[] = {
    { "quiet", 0, 0, 0 },
    { "broken evaluations", 0, 0, 30 },
    { "storers come and go", 0, 20, 0 },
    { "both", 0, 20, 30 },
    { "delayed", 3 * SECOND_NS, 0, 0 },
    { "delayed, broken", 3 * SECOND_NS, 0, 30 },
    { "delayed, storers come and go", 5 * SECOND_NS, 20, 0 },
    { "delayed, all of it", SECOND_NS, 20, 30 },
};

static void test_exactly_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(schedules) * 40; i++) {
        const struct schedule *row = &schedules[i % SLG_ARRAY_LEN(schedules)];
        static struct world world;

        begin(&world, i, row->delay_ns);
        for (size_t step = 0; step < 60; step++) {
            size_t batches = next_random(&world, 4);

            world.now_ns += (int64_t)next_random(&world, 2000) * (SECOND_NS / 1000);
            for (size_t k = 0; k < batches; k++) {
                size_t late = next_random(&world, 5) == 0 ? next_random(&world, 700) : 0;
                int64_t ts_ns = world.now_ns - (int64_t)late * SECOND_NS;
                size_t window = ts_ns >= (WINDOW + 1) * HOUR_NS;

                add_batch(&world, 2 * window + next_random(&world, 2), ts_ns);
            }
            for (size_t k = 0; k < NODE_COUNT; k++)
                world.away[k] = next_random(&world, 100) < row->away_percent;
            if (next_random(&world, 3) > 0)
                look(&world);
            run_jobs(&world, row->break_percent);
        }
        finish(&world, row->name);
    }
}

/* Without a delay all is asked at once; with one, nothing younger than the delay is. */
static void test_delay(void **state)
{
    static struct world world;
    struct slg_tail_job *job;

    (void)state;
    begin(&world, 1, 0);
    add_batch(&world, 0, world.now_ns);
    look(&world);
    assert_int_equal(slg_tail_state_next(world.state, world.sets, world.now_ns, &job), SLG_OK);
    assert_int_equal(job->to_ns, SLG_TAIL_END_OF_TIME);
    assert_int_equal(job->from_ns, world.start_ns);
    assert_int_equal(job->count, 1);
    slg_tail_state_broken(world.state, job, &(struct slg_tail_mark){ .set = false });
    finish(&world, "no delay");

    begin(&world, 1, 3 * SECOND_NS);
    add_batch(&world, 0, world.now_ns);
    look(&world);
    while (slg_tail_state_next(world.state, world.sets, world.now_ns, &job) == SLG_OK) {
        struct slg_tail_mark mark = { .set = false };

        assert_true(job->to_ns <= world.now_ns - 3 * SECOND_NS);
        assert_true(show(&world, job, SIZE_MAX, &mark));
        slg_tail_state_done(world.state, job);
    }
    finish(&world, "delay");
}

/* A storer that was away at the beginning does not pour its past into the tail. */
static void test_no_flood(void **state)
{
    static struct world world;
    struct slg_tail_job *job;

    (void)state;
    memset(&world, 0, sizeof(world));
    world.now_ns = WINDOW * HOUR_NS + 1800 * SECOND_NS;
    world.start_ns = world.now_ns - 600 * SECOND_NS;
    for (size_t i = 0; i < 10; i++)
        add_batch(&world, 1, world.now_ns - 300 * SECOND_NS);
    world.away[1] = true;
    look(&world);
    world.state = slg_tail_state_create(world.sets, world.start_ns, world.now_ns, 0);
    world.away[1] = false;
    add_batch(&world, 1, world.now_ns + 10 * SECOND_NS);
    look(&world);
    assert_int_equal(slg_tail_state_next(world.state, world.sets, world.now_ns, &job), SLG_OK);
    assert_int_equal(job->from_ns, world.now_ns);
    slg_tail_state_done(world.state, job);
    assert_int_equal(slg_tail_state_next(world.state, world.sets, world.now_ns, &job),
                     SLG_NOT_FOUND);
    slg_tail_state_destroy(world.state);
    slg_tail_sets_unref(world.sets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_once),
        cmocka_unit_test(test_delay),
        cmocka_unit_test(test_no_flood),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
