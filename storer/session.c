#include "storer/session.h"

#include <pthread.h>

#include "base/clock.h"

/* Concurrency: sessions[], count, and `parked` of each are under the mutex; everything else of a session belongs to
 * its holder, but `canceled`, which is an atomic. Sessions are freed outside the mutex. */

/* What a query may ask for; the querier's own limits are far lower. */
#define QUERY_TIME_MS_MAX (INT64_C(24) * 3600 * 1000)

struct slg_session_table {
    pthread_mutex_t mutex;
    struct slg_session **sessions;
    size_t count;
    size_t count_max;
    bool stopping; /* nothing is opened any more */
};

static void must(int rc)
{
    SLG_ASSERT(rc == 0);
}

struct slg_session_table *slg_session_table_create(size_t session_count_max)
{
    struct slg_session_table *table = calloc(1, sizeof(*table));

    SLG_ASSERT(session_count_max >= 1);
    SLG_ASSERT(session_count_max <= SLG_SESSION_COUNT_MAX);
    if (table == NULL)
        return NULL;
    table->sessions = calloc(session_count_max, sizeof(struct slg_session *));
    if (table->sessions == NULL) {
        free(table);
        return NULL;
    }
    table->count_max = session_count_max;
    must(pthread_mutex_init(&table->mutex, NULL));
    return table;
}

static void free_session(struct slg_session *session)
{
    if (session == NULL)
        return;
    slg_scan_destroy(session->scan);
    slg_buf_fini(&session->page);
    slg_arena_destroy(session->arena);
    free(session);
}

void slg_session_table_destroy(struct slg_session_table *table)
{
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->count; i++) {
        SLG_ASSERT(table->sessions[i]->parked);
        free_session(table->sessions[i]);
    }
    must(pthread_mutex_destroy(&table->mutex));
    free(table->sessions);
    free(table);
}

/* With the mutex: the index of a query, or count. */
static size_t find(const struct slg_session_table *table, const uint8_t query_id[16])
{
    size_t i = 0;

    while (i < table->count && memcmp(table->sessions[i]->query.query_id, query_id, 16) != 0)
        i++;
    return i;
}

/* With the mutex. */
static void take_out(struct slg_session_table *table, size_t index)
{
    table->sessions[index] = table->sessions[--table->count];
}

static enum slg_status add(struct slg_session_table *table, struct slg_session *session,
                           struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;

    must(pthread_mutex_lock(&table->mutex));
    if (table->stopping)
        status = slg_errorf(reterr, SLG_CANCELED, "the storer stops");
    else if (table->count == table->count_max)
        status = slg_errorf(reterr, SLG_AGAIN, "%zu queries are open, which is the most",
                            table->count_max);
    else if (find(table, session->query.query_id) < table->count)
        status = slg_errorf(reterr, SLG_INVALID, "a query of this id is open");
    else
        table->sessions[table->count++] = session;
    must(pthread_mutex_unlock(&table->mutex));
    return status;
}

static enum slg_status decode(struct slg_session *session, const uint8_t *request,
                              size_t request_len, struct slg_error *reterr)
{
    const struct slg_leaf_request *leaf = &session->query.leaf;
    char *copy;
    enum slg_status status;

    session->arena = slg_arena_create(SLG_SESSION_REQUEST_BYTES_MAX);
    if (session->arena == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a query");
    copy = slg_arena_copy(session->arena, request, request_len);
    if (copy == NULL)
        return slg_errorf(reterr, SLG_LIMIT, "the request is too large");
    status =
        slg_rpc_decode_query(session->arena, (const uint8_t *)copy, request_len, &session->query);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "the query cannot be read: %s", slg_status_text(status));
    if (leaf->memory_bytes_max == 0 || leaf->memory_bytes_max > SLG_QUERY_MEMORY_BYTES_MAX ||
        leaf->deadline_ms <= 0 || leaf->deadline_ms > QUERY_TIME_MS_MAX)
        return slg_errorf(reterr, SLG_INVALID, "a limit of the query is out of its range");
    return SLG_OK;
}

enum slg_status slg_session_open(struct slg_session_table *table, struct slg_catalogue *catalogue,
                                 const uint8_t *request, size_t request_len,
                                 int64_t received_mono_ns, int64_t cutoff_ns, size_t view_bytes_max,
                                 struct slg_session **ret_session, struct slg_error *reterr)
{
    struct slg_session *session = calloc(1, sizeof(*session));
    enum slg_status status;

    if (session == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a query");
    slg_buf_init(&session->page, SLG_MESSAGE_BYTES_MAX);
    atomic_init(&session->canceled, false);
    status = decode(session, request, request_len, reterr);
    if (status == SLG_OK) { /* the limits were checked: nothing overflows */
        session->opened_mono_ns = received_mono_ns;
        session->scan_options = (struct slg_scan_options){
            .catalogue = catalogue,
            .query = &session->query,
            .cutoff_ns = cutoff_ns,
            .deadline_mono_ns = received_mono_ns + session->query.leaf.deadline_ms * SLG_NS_PER_MS,
            .view_bytes_max = view_bytes_max,
            .canceled = &session->canceled,
        };
        status = add(table, session, reterr);
    }
    if (status != SLG_OK) {
        free_session(session);
        return status;
    }
    *ret_session = session;
    return SLG_OK;
}

enum slg_status slg_session_prepare(struct slg_session *session, struct slg_error *reterr)
{
    if (session->scan != NULL)
        return SLG_OK;
    return slg_scan_create(&session->scan_options, &session->scan, reterr);
}

bool slg_session_is_to_blame(const struct slg_session *session, int64_t now_mono_ns)
{
    int64_t took_ns = now_mono_ns - session->opened_mono_ns;

    return (int64_t)session->spent_ns >= took_ns / 2 && session->computed_ns >= took_ns / 8 &&
           session->computed_ns >= 50 * SLG_NS_PER_MS;
}

enum slg_status slg_session_acquire(struct slg_session_table *table, const uint8_t query_id[16],
                                    struct slg_session **ret_session, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    size_t at;

    must(pthread_mutex_lock(&table->mutex));
    at = find(table, query_id);
    if (at == table->count)
        status = slg_errorf(reterr, SLG_NOT_FOUND,
                            "there is no such query: it ended, was canceled or was idle too long");
    else if (!table->sessions[at]->parked)
        status = slg_errorf(reterr, SLG_INVALID, "the page before was not answered yet");
    else
        table->sessions[at]->parked = false;
    if (status == SLG_OK)
        *ret_session = table->sessions[at];
    must(pthread_mutex_unlock(&table->mutex));
    return status;
}

void slg_session_park(struct slg_session_table *table, struct slg_session *session,
                      int64_t now_mono_ns)
{
    bool canceled;

    must(pthread_mutex_lock(&table->mutex));
    canceled = atomic_load(&session->canceled);
    if (canceled) {
        take_out(table, find(table, session->query.query_id));
    } else {
        session->parked = true;
        session->parked_mono_ns = now_mono_ns;
    }
    must(pthread_mutex_unlock(&table->mutex));
    if (canceled)
        free_session(session);
}

void slg_session_close(struct slg_session_table *table, struct slg_session *session)
{
    must(pthread_mutex_lock(&table->mutex));
    SLG_ASSERT(!session->parked);
    take_out(table, find(table, session->query.query_id));
    must(pthread_mutex_unlock(&table->mutex));
    free_session(session);
}

void slg_session_cancel(struct slg_session_table *table, const uint8_t query_id[16])
{
    struct slg_session *parked = NULL;
    size_t at;

    must(pthread_mutex_lock(&table->mutex));
    at = find(table, query_id);
    if (at < table->count && table->sessions[at]->parked) {
        parked = table->sessions[at];
        take_out(table, at);
    } else if (at < table->count) {
        atomic_store(&table->sessions[at]->canceled, true);
    }
    must(pthread_mutex_unlock(&table->mutex));
    free_session(parked);
}

void slg_session_cancel_all(struct slg_session_table *table)
{
    must(pthread_mutex_lock(&table->mutex));
    table->stopping = true;
    for (size_t i = 0; i < table->count; i++)
        atomic_store(&table->sessions[i]->canceled, true);
    must(pthread_mutex_unlock(&table->mutex));
}

/* One that was parked too long, taken out, or NULL. */
static struct slg_session *take_idle(struct slg_session_table *table, int64_t now_mono_ns,
                                     int64_t idle_ns)
{
    struct slg_session *idle = NULL;

    must(pthread_mutex_lock(&table->mutex));
    for (size_t i = 0; idle == NULL && i < table->count; i++) {
        struct slg_session *session = table->sessions[i];

        if (session->parked && now_mono_ns - session->parked_mono_ns >= idle_ns) {
            idle = session;
            take_out(table, i);
        }
    }
    must(pthread_mutex_unlock(&table->mutex));
    return idle;
}

void slg_session_expire(struct slg_session_table *table, int64_t now_mono_ns, int64_t idle_ns)
{
    struct slg_session *session;

    while ((session = take_idle(table, now_mono_ns, idle_ns)) != NULL)
        free_session(session);
}

size_t slg_session_count(struct slg_session_table *table)
{
    size_t count;

    must(pthread_mutex_lock(&table->mutex));
    count = table->count;
    must(pthread_mutex_unlock(&table->mutex));
    return count;
}
