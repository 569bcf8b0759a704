/* A session is with exactly one holder: opened once, acquired only while parked, gone when closed, canceled or idle.
 * Oracle: the header's promises, by count. */
#include "tests/helper/storer.h"

#include "storer/session.h"

struct fixture {
    char *directory;
    struct slg_catalogue *catalogue;
    struct slg_session_table *table;
};

static void set_up(struct fixture *f, size_t session_count_max)
{
    struct slg_catalogue_options options = { .map_bytes = 1 << 20, .open_count_max = 2 };

    f->directory = test_make_directory();
    options.data_dir = f->directory;
    assert_int_equal(slg_catalogue_create(&options, &f->catalogue, NULL), SLG_OK);
    f->table = slg_session_table_create(session_count_max);
    assert_non_null(f->table);
}

static void tear_down(struct fixture *f)
{
    slg_session_table_destroy(f->table);
    slg_catalogue_destroy(f->catalogue);
    test_drop_directory(f->directory);
}

static enum slg_status open_query(struct fixture *f, uint8_t id, uint64_t memory_bytes_max,
                                  int64_t deadline_ms, struct slg_session **ret_session)
{
    struct slg_rpc_query query = { .tenant = slg_text_of("fake"),
                                   .leaf = { .kind = SLG_LEAF_LOG,
                                             .text = slg_text_of("{app=\"a\"}"),
                                             .start_ns = TEST_WINDOW_NS,
                                             .end_ns = TEST_WINDOW_NS + TEST_HOUR_NS,
                                             .memory_bytes_max = memory_bytes_max,
                                             .series_max = 10,
                                             .bytes_scan_max = 1,
                                             .deadline_ms = deadline_ms } };
    struct slg_error err = { .message = "" };
    struct slg_buf request;
    enum slg_status status;

    memset(query.query_id, id, sizeof(query.query_id));
    slg_buf_init(&request, 1 << 20);
    slg_rpc_encode_query(&request, &query);
    status = slg_session_open(f->table, f->catalogue, request.data, request.len, 0, 0, 1 << 20,
                              ret_session, &err);
    assert_true((status == SLG_OK) == (err.message[0] == '\0'));
    slg_buf_fini(&request);
    return status;
}

static struct slg_session *open_good(struct fixture *f, uint8_t id)
{
    struct slg_session *session = NULL;

    assert_int_equal(open_query(f, id, 1 << 20, 1000, &session), SLG_OK);
    assert_non_null(session);
    return session;
}

static enum slg_status acquire(struct fixture *f, uint8_t id, struct slg_session **ret_session)
{
    uint8_t query_id[16];

    memset(query_id, id, sizeof(query_id));
    return slg_session_acquire(f->table, query_id, ret_session, NULL);
}

static void cancel(struct fixture *f, uint8_t id)
{
    uint8_t query_id[16];

    memset(query_id, id, sizeof(query_id));
    slg_session_cancel(f->table, query_id);
}

static void test_one_holder(void **state)
{
    struct slg_session *session, *other = NULL;
    struct fixture f;

    (void)state;
    set_up(&f, 2);
    session = open_good(&f, 1);
    assert_int_equal(open_query(&f, 1, 1 << 20, 1000, &other), SLG_INVALID); /* the same id */
    assert_int_equal(acquire(&f, 1, &other), SLG_INVALID);                   /* running */
    assert_int_equal(acquire(&f, 2, &other), SLG_NOT_FOUND);
    slg_session_park(f.table, session, 5);
    assert_int_equal(acquire(&f, 1, &other), SLG_OK);
    assert_ptr_equal(other, session);
    session = open_good(&f, 2);
    assert_int_equal(open_query(&f, 3, 1 << 20, 1000, &other), SLG_AGAIN); /* two are the most */
    slg_session_close(f.table, session);
    assert_int_equal(acquire(&f, 2, &session), SLG_NOT_FOUND);
    assert_int_equal(acquire(&f, 1, &session), SLG_INVALID);
    cancel(&f, 9);
    cancel(&f, 1); /* running: told, and gone at the next park */
    assert_int_equal(slg_session_count(f.table), 1);
    assert_true(atomic_load(&other->canceled));
    slg_session_park(f.table, other, 5);
    assert_int_equal(slg_session_count(f.table), 0);
    tear_down(&f);
}

static void test_idle_and_stop(void **state)
{
    struct slg_session *session;
    struct fixture f;

    (void)state;
    set_up(&f, 4);
    slg_session_park(f.table, open_good(&f, 1), 100);
    slg_session_park(f.table, open_good(&f, 2), 200);
    session = open_good(&f, 3); /* running ones are never idle */
    slg_session_expire(f.table, 149, 50);
    assert_int_equal(slg_session_count(f.table), 3);
    slg_session_expire(f.table, 150, 50);
    assert_int_equal(slg_session_count(f.table), 2);
    cancel(&f, 2);
    assert_int_equal(slg_session_count(f.table), 1);
    slg_session_cancel_all(f.table);
    assert_true(atomic_load(&session->canceled));
    slg_session_close(f.table, session);
    assert_int_equal(open_query(&f, 4, 1 << 20, 1000, &session), SLG_CANCELED);
    tear_down(&f);
}

static const struct limit_case {
    const char *name;
    uint64_t memory_bytes_max;
    int64_t deadline_ms;
    enum slg_status want;
} limits[] = {
    { "sound", 1 << 20, 1, SLG_OK },
    { "no memory at all", 0, 1000, SLG_INVALID },
    { "a terabyte", UINT64_C(1) << 40, 1000, SLG_INVALID },
    { "no time", 1 << 20, 0, SLG_INVALID },
    { "a time that overflows", 1 << 20, INT64_MAX, SLG_INVALID },
};

static void test_limits_of_a_query(void **state)
{
    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(limits); i++) {
        struct slg_session *session = NULL;
        struct fixture f;

        set_up(&f, 1);
        CHECK(limits[i].name, open_query(&f, 1, limits[i].memory_bytes_max, limits[i].deadline_ms,
                                         &session) == limits[i].want);
        if (session != NULL)
            slg_session_close(f.table, session);
        tear_down(&f);
    }
}

/* Its time was up after a second: who is to blame? */
static void test_blame(void **state)
{
    static const struct blame_case {
        const char *name;
        int64_t took_ms, worker_ms, core_ms;
        bool want;
    } cases[] = {
        { "it computed all the time", 1000, 1000, 1000, true },
        { "others had the machine for most of it", 1000, 990, 125, true },
        { "others had the machine", 1000, 990, 124, false },
        { "it waited for a worker for half of it", 1000, 500, 500, true },
        { "it waited for a worker for most of it", 1000, 499, 499, false },
        { "a short time, a short query", 60, 60, 49, false },
        { "a short time, a long query", 60, 60, 50, true },
        { "it never began", 1000, 0, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < SLG_ARRAY_LEN(cases); i++) {
        const struct slg_session session = {
            .opened_mono_ns = 77,
            .spent_ns = (uint64_t)(cases[i].worker_ms * SLG_NS_PER_MS),
            .computed_ns = cases[i].core_ms * SLG_NS_PER_MS,
        };

        if (slg_session_is_to_blame(&session, 77 + cases[i].took_ms * SLG_NS_PER_MS) !=
            cases[i].want)
            fail_msg("%s", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_holder),
        cmocka_unit_test(test_idle_and_stop),
        cmocka_unit_test(test_limits_of_a_query),
        cmocka_unit_test(test_blame),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
