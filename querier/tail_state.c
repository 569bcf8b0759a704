#include "querier/tail_state.h"

#include <stdlib.h>

#include "base/arena.h"
#include "logql/plan/merge.h"

#define JOB_BYTES_MAX ((size_t)16 << 20) /* sets of one job */

struct shard {
    struct slg_shard_id id;
    struct slg_tail_shard *seen; /* NULL: nothing */
    int64_t from_ns;
    int64_t horizon_ns;
    bool busy; /* in a job */
};

enum kind {
    LATE,
    ADVANCE,
};

struct job {
    struct slg_tail_job head; /* first: what the caller sees */
    struct job *next;         /* of the broken ones */
    enum kind kind;
    struct slg_arena *arena;
    struct slg_rpc_shard_set *shards;
    struct slg_tail_shard **targets; /* what `seen` becomes */
    size_t *nodes;
    size_t capacity;
    struct slg_tail_mark mark;
};

struct slg_tail_state {
    int64_t start_ns;
    int64_t born_ns;
    int64_t delay_ns;
    int64_t horizon_ns; /* of shards that are new */
    bool was_incomplete;
    struct shard *shards; /* by id */
    size_t count;
    struct job *broken; /* oldest first */
    size_t broken_count;
};

/* ---- marks ---- */

void slg_tail_mark_set(struct slg_tail_mark *mark, const struct slg_row *row)
{
    mark->set = true;
    mark->batch = *row->batch;
    mark->row = (struct slg_row){ .ts_ns = row->ts_ns,
                                  .stream_hash = row->stream_hash,
                                  .batch = &mark->batch,
                                  .position = row->position };
}

bool slg_tail_mark_covers(const struct slg_tail_mark *mark, const struct slg_row *row)
{
    return mark->set && !slg_row_before(SLG_FORWARD, &mark->row, row);
}

static void copy_mark(struct slg_tail_mark *to, const struct slg_tail_mark *from)
{
    *to = *from;
    to->row.batch = &to->batch;
}

/* ---- shards ---- */

static int64_t window_end(const struct slg_shard_id *id)
{
    return id->window_ns + id->length_ns;
}

static struct shard *find(const struct slg_tail_state *state, const struct slg_shard_id *id)
{
    size_t low = 0, high = state->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slg_shard_id_compare(&state->shards[middle].id, id);

        if (order == 0)
            return &state->shards[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* A shard that appears after the beginning. */
static struct shard new_shard(const struct slg_tail_state *state, struct slg_tail_shard *seen_first)
{
    struct shard shard = { .id = seen_first->id,
                           .from_ns = state->start_ns,
                           .horizon_ns = state->horizon_ns };

    if (state->was_incomplete && state->born_ns > shard.from_ns)
        shard.from_ns = state->born_ns;
    return shard;
}

/* One entry per shard of the picture; those that it no longer has are forgotten. */
static enum slg_status follow(struct slg_tail_state *state, const struct slg_tail_sets *sets)
{
    struct shard *shards = calloc(sets->count + 1, sizeof(*shards));
    size_t at = 0, count = 0;

    if (shards == NULL)
        return SLG_NO_MEMORY;
    for (size_t i = 0; i < sets->count; i++) {
        struct slg_tail_shard *now = sets->entries[i].shard;

        for (; at < state->count && slg_shard_id_compare(&state->shards[at].id, &now->id) < 0; at++)
            slg_tail_shard_unref(state->shards[at].seen);
        if (at < state->count && slg_shard_id_compare(&state->shards[at].id, &now->id) == 0)
            shards[count++] = state->shards[at++];
        else if (window_end(&now->id) > state->start_ns)
            shards[count++] = new_shard(state, now);
    }
    for (; at < state->count; at++)
        slg_tail_shard_unref(state->shards[at].seen);
    free(state->shards);
    state->shards = shards;
    state->count = count;
    return SLG_OK;
}

struct slg_tail_state *slg_tail_state_create(const struct slg_tail_sets *first, int64_t start_ns,
                                             int64_t now_ns, int64_t delay_ns)
{
    struct slg_tail_state *state = calloc(1, sizeof(*state));

    if (state == NULL)
        return NULL;
    state->start_ns = start_ns;
    state->born_ns = now_ns;
    state->delay_ns = delay_ns;
    state->horizon_ns = delay_ns == 0 ? SLG_TAIL_END_OF_TIME : now_ns - delay_ns;
    if (follow(state, first) != SLG_OK) {
        slg_tail_state_destroy(state);
        return NULL;
    }
    state->was_incomplete = first->incomplete;
    for (size_t i = 0; i < state->count; i++) {
        const struct slg_tail_sets_entry *entry = slg_tail_sets_find(first, &state->shards[i].id);

        SLG_ASSERT(entry != NULL);
        if (entry->answered) {
            state->shards[i].seen = slg_tail_shard_ref(entry->shard);
            continue;
        }
        if (now_ns > state->shards[i].from_ns)
            state->shards[i].from_ns = now_ns;
        state->was_incomplete = true;
    }
    return state;
}

int64_t slg_tail_state_horizon(const struct slg_tail_state *state)
{
    return state->horizon_ns;
}

/* ---- jobs ---- */

static void free_job(struct job *job)
{
    for (size_t i = 0; i < job->head.count; i++)
        slg_tail_shard_unref(job->targets[i]);
    free(job->targets);
    free(job->nodes);
    free(job->shards);
    slg_arena_destroy(job->arena);
    free(job);
}

void slg_tail_state_destroy(struct slg_tail_state *state)
{
    if (state == NULL)
        return;
    for (size_t i = 0; i < state->count; i++)
        slg_tail_shard_unref(state->shards[i].seen);
    free(state->shards);
    while (state->broken != NULL) {
        struct job *job = state->broken;

        state->broken = job->next;
        free_job(job);
    }
    free(state);
}

static struct job *make_job(enum kind kind, int64_t from_ns, int64_t to_ns, size_t capacity)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return NULL;
    job->kind = kind;
    job->capacity = capacity;
    job->arena = slg_arena_create(JOB_BYTES_MAX);
    job->shards = calloc(capacity + 1, sizeof(*job->shards));
    job->targets = calloc(capacity + 1, sizeof(struct slg_tail_shard *));
    job->nodes = calloc(capacity + 1, sizeof(*job->nodes));
    job->head = (struct slg_tail_job){ .from_ns = from_ns,
                                       .to_ns = to_ns,
                                       .shards = job->shards,
                                       .nodes = job->nodes,
                                       .mark = &job->mark };
    if (job->arena == NULL || job->shards == NULL || job->targets == NULL || job->nodes == NULL) {
        free_job(job);
        return NULL;
    }
    return job;
}

/* *ret_text lies in the job. */
static enum slg_status encode_set(struct job *job, const struct slg_batch_set *set,
                                  struct slg_text *ret_text)
{
    enum slg_status status = SLG_LIMIT;
    struct slg_buf bytes;
    char *copy;

    slg_buf_init(&bytes, JOB_BYTES_MAX);
    slg_batch_set_encode(&bytes, set);
    copy = slg_buf_failed(&bytes) ? NULL : slg_arena_copy(job->arena, bytes.data, bytes.len);
    if (copy != NULL) {
        *ret_text = slg_text_make(copy, bytes.len);
        status = SLG_OK;
    }
    slg_buf_fini(&bytes);
    return status;
}

/* Copies the sets; takes no reference of the caller's. known may be NULL. */
static enum slg_status add_shard(struct job *job, const struct slg_batch_set *set,
                                 const struct slg_batch_set *known,
                                 const struct slg_tail_sets_entry *entry)
{
    struct slg_rpc_shard_set row = { .shard = entry->shard->id };
    enum slg_status status;

    SLG_ASSERT(job->head.count < job->capacity);
    status = encode_set(job, set, &row.set);
    if (status == SLG_OK && known != NULL)
        status = encode_set(job, known, &row.known);
    if (status != SLG_OK)
        return status;
    job->shards[job->head.count] = row;
    job->nodes[job->head.count] = entry->node_index;
    job->targets[job->head.count++] = slg_tail_shard_ref(entry->shard);
    return SLG_OK;
}

/* ---- broken jobs ---- */

static void link_broken(struct slg_tail_state *state, struct job *job)
{
    struct job **at = &state->broken;

    while (*at != NULL)
        at = &(*at)->next;
    job->next = NULL;
    *at = job;
    state->broken_count++;
}

static size_t answered_count(const struct job *job, const struct slg_tail_sets *sets)
{
    size_t count = 0;

    for (size_t i = 0; i < job->head.count; i++) {
        const struct slg_tail_sets_entry *entry = slg_tail_sets_find(sets, &job->shards[i].shard);

        count += entry == NULL || entry->answered; /* one that is forgotten ends, too */
    }
    return count;
}

/* Into the job's own memory. */
static bool copy_sets(struct job *job, struct slg_rpc_shard_set *row)
{
    char *set = slg_arena_copy(job->arena, row->set.at, row->set.len);
    char *known = slg_arena_copy(job->arena, row->known.at, row->known.len);

    if (set == NULL || known == NULL)
        return false;
    row->set.at = set;
    row->known.at = known;
    return true;
}

/* Move those shards of a broken job that answer now into a job of their own; forgotten ones are dropped. */
static void split(struct job *from, const struct slg_tail_sets *sets, struct job *to)
{
    size_t kept = 0;

    for (size_t i = 0; i < from->head.count; i++) {
        const struct slg_tail_sets_entry *entry = slg_tail_sets_find(sets, &from->shards[i].shard);
        struct slg_rpc_shard_set row = from->shards[i];

        if (entry == NULL) {
            slg_tail_shard_unref(from->targets[i]);
        } else if (entry->answered && copy_sets(to, &row)) { /* else it waits on */
            to->shards[to->head.count] = row;
            to->nodes[to->head.count] = entry->node_index;
            to->targets[to->head.count++] = from->targets[i];
        } else {
            from->shards[kept] = row;
            from->nodes[kept] = from->nodes[i];
            from->targets[kept++] = from->targets[i];
        }
    }
    from->head.count = kept;
}

/* NOT_FOUND: no broken job has a shard that answers. */
static enum slg_status next_broken(struct slg_tail_state *state, const struct slg_tail_sets *sets,
                                   struct slg_tail_job **ret_job)
{
    for (struct job **at = &state->broken; *at != NULL; at = &(*at)->next) {
        struct job *old = *at, *job;
        size_t count = answered_count(old, sets);

        if (count == 0)
            continue;
        job = make_job(old->kind, old->head.from_ns, old->head.to_ns, count);
        if (job == NULL)
            return SLG_NO_MEMORY;
        copy_mark(&job->mark, &old->mark);
        job->head.attempt = old->head.attempt;
        split(old, sets, job);
        if (old->head.count == 0) {
            *at = old->next;
            state->broken_count--;
            free_job(old);
        }
        *ret_job = &job->head;
        return SLG_OK;
    }
    return SLG_NOT_FOUND;
}

/* ---- new jobs ---- */

/* Shards of one job have the same time range. */
static bool same_group(const struct shard *a, const struct shard *b)
{
    return a->from_ns == b->from_ns && a->horizon_ns == b->horizon_ns;
}

/* *ret_set = whole - part, a new set. */
static enum slg_status subtract(const struct slg_batch_set *whole, const struct slg_batch_set *part,
                                struct slg_batch_set **ret_set)
{
    struct slg_batch_set *set = slg_batch_set_create();
    enum slg_status status = set == NULL ? SLG_NO_MEMORY : SLG_OK;

    if (status == SLG_OK)
        status = slg_batch_set_union(set, whole);
    if (status == SLG_OK)
        status = slg_batch_set_subtract(set, part);
    if (status != SLG_OK) {
        slg_batch_set_destroy(set);
        return status;
    }
    *ret_set = set;
    return SLG_OK;
}

/* What is new of a shard, as a job's row. A shard without new batches in the job's time is settled at once. */
static enum slg_status add_late(struct job *job, struct shard *shard,
                                const struct slg_tail_sets_entry *entry)
{
    struct slg_batch_set *fresh = NULL;
    enum slg_status status = SLG_OK;
    bool wanted = shard->id.window_ns < job->head.to_ns && window_end(&shard->id) > shard->from_ns;

    if (wanted && shard->seen == NULL) {
        status = add_shard(job, entry->shard->set, /* known= */ NULL, entry);
    } else if (wanted) {
        status = subtract(entry->shard->set, shard->seen->set, &fresh);
        wanted = status == SLG_OK && slg_batch_set_count(fresh) > 0;
        if (wanted)
            status = add_shard(job, fresh, shard->seen->set, entry);
        slg_batch_set_destroy(fresh);
    }
    if (status != SLG_OK)
        return status;
    shard->busy = wanted;
    if (!wanted) {
        slg_tail_shard_unref(shard->seen);
        shard->seen = slg_tail_shard_ref(entry->shard);
    }
    return SLG_OK;
}

static enum slg_status add_advance(struct job *job, struct shard *shard,
                                   const struct slg_tail_sets_entry *entry)
{
    enum slg_status status = SLG_OK;
    bool wanted = shard->id.window_ns < job->head.to_ns &&
                  window_end(&shard->id) > job->head.from_ns && shard->from_ns < job->head.to_ns;

    if (wanted) /* all of S over a time that nothing was shown of: the storer compares within it */
        status = add_shard(job, entry->shard->set, /* known= */ NULL, entry);
    if (status != SLG_OK)
        return status;
    shard->busy = wanted;
    if (!wanted)
        shard->horizon_ns = job->head.to_ns;
    return SLG_OK;
}

static bool needs(const struct shard *shard, const struct slg_tail_sets_entry *entry,
                  enum kind kind, int64_t horizon_ns)
{
    if (shard->busy || entry == NULL || !entry->answered)
        return false;
    return kind == LATE ? shard->seen != entry->shard
                        : shard->seen == entry->shard && shard->horizon_ns < horizon_ns;
}

/* One job of this kind over all shards of the group that is furthest behind. NOT_FOUND: none. */
static enum slg_status next_of(struct slg_tail_state *state, const struct slg_tail_sets *sets,
                               enum kind kind, int64_t horizon_ns, struct slg_tail_job **ret_job)
{
    const struct shard *first = NULL;
    struct shard group;
    enum slg_status status = SLG_OK;
    struct job *job;
    int64_t from_ns;

    for (size_t i = 0; i < state->count; i++) {
        const struct shard *shard = &state->shards[i];

        if ((first == NULL || shard->horizon_ns < first->horizon_ns) &&
            needs(shard, slg_tail_sets_find(sets, &shard->id), kind, horizon_ns))
            first = shard;
    }
    if (first == NULL)
        return SLG_NOT_FOUND;
    group = *first;
    from_ns = kind == LATE || group.from_ns > group.horizon_ns ? group.from_ns : group.horizon_ns;
    job = make_job(kind, from_ns, kind == LATE ? group.horizon_ns : horizon_ns, state->count);
    if (job == NULL)
        return SLG_NO_MEMORY;
    for (size_t i = 0; status == SLG_OK && i < state->count; i++) {
        struct shard *shard = &state->shards[i];
        const struct slg_tail_sets_entry *entry = slg_tail_sets_find(sets, &shard->id);

        if (same_group(shard, &group) && needs(shard, entry, kind, horizon_ns))
            status = kind == LATE ? add_late(job, shard, entry) : add_advance(job, shard, entry);
    }
    if (status != SLG_OK) {
        free_job(job);
        return status;
    }
    *ret_job = &job->head;
    return SLG_OK;
}

enum slg_status slg_tail_state_next(struct slg_tail_state *state, const struct slg_tail_sets *sets,
                                    int64_t now_ns, struct slg_tail_job **ret_job)
{
    enum slg_status status = follow(state, sets);
    int64_t horizon_ns = SLG_TAIL_END_OF_TIME;

    if (state->delay_ns > 0)
        horizon_ns = now_ns - state->delay_ns;
    if (status == SLG_OK)
        status = next_broken(state, sets, ret_job);
    for (int kind = LATE; kind <= ADVANCE && status == SLG_NOT_FOUND; kind++) {
        do {
            status = next_of(state, sets, (enum kind)kind, horizon_ns, ret_job);
            if (status == SLG_OK && (*ret_job)->count == 0) /* all were settled on the way */
                free_job((struct job *)*ret_job);
            else
                break;
        } while (true);
    }
    if (status == SLG_NOT_FOUND && horizon_ns > state->horizon_ns)
        state->horizon_ns = horizon_ns; /* shards that come later begin here */
    return status;
}

void slg_tail_state_done(struct slg_tail_state *state, struct slg_tail_job *head)
{
    struct job *job = (struct job *)head;

    for (size_t i = 0; i < head->count; i++) {
        struct shard *shard = find(state, &job->shards[i].shard);

        if (shard == NULL)
            continue; /* forgotten meanwhile */
        shard->busy = false;
        if (job->kind == ADVANCE) {
            shard->horizon_ns = head->to_ns;
            continue;
        }
        slg_tail_shard_unref(shard->seen);
        shard->seen = slg_tail_shard_ref(job->targets[i]);
    }
    free_job(job);
}

void slg_tail_state_broken(struct slg_tail_state *state, struct slg_tail_job *head,
                           const struct slg_tail_mark *mark)
{
    struct job *job = (struct job *)head;

    if (mark->set)
        copy_mark(&job->mark, mark);
    head->attempt++;
    link_broken(state, job);
}

size_t slg_tail_state_broken_count(const struct slg_tail_state *state)
{
    return state->broken_count;
}
