/* Every item pushed is popped exactly once and in order per producer; full, closed and late are told apart.
 * Oracle: counting by hand; TSan for the locking. */
#include "tests/helper/test.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/queue.h"

#define PRODUCERS          4
#define CONSUMERS          3
#define ITEMS_PER_PRODUCER 5000

static int64_t in_ms(int64_t ms)
{
    return slg_clock_mono_ns(slg_clock_system()) + ms * SLG_NS_PER_MS;
}

static void test_full_and_empty_are_told(void **state)
{
    struct slg_queue *queue;
    int items[3];
    void *item = &items[2]; /* sentinel */

    (void)state;
    assert_int_equal(slg_queue_create(2, &queue), SLG_OK);
    assert_int_equal(slg_queue_try_pop(queue, &item), SLG_AGAIN);
    assert_int_equal(slg_queue_pop(queue, 0, &item), SLG_TIMEOUT);
    assert_int_equal(slg_queue_pop(queue, in_ms(2), &item), SLG_TIMEOUT);
    assert_ptr_equal(item, &items[2]);
    /* Three rounds, so that the ring wraps. */
    for (int round = 0; round < 3; round++) {
        assert_int_equal(slg_queue_push(queue, &items[0]), SLG_OK);
        assert_int_equal(slg_queue_push(queue, &items[1]), SLG_OK);
        assert_int_equal(slg_queue_push(queue, &items[2]), SLG_AGAIN);
        assert_int_equal(slg_queue_push_wait(queue, &items[2], in_ms(2)), SLG_TIMEOUT);
        assert_int_equal(slg_queue_count(queue), 2);
        assert_int_equal(slg_queue_pop(queue, 0, &item), SLG_OK);
        assert_ptr_equal(item, &items[0]);
        assert_int_equal(slg_queue_push_wait(queue, &items[2], 0), SLG_OK);
        assert_int_equal(slg_queue_try_pop(queue, &item), SLG_OK);
        assert_ptr_equal(item, &items[1]);
        assert_int_equal(slg_queue_pop(queue, SLG_DEADLINE_NEVER, &item), SLG_OK);
        assert_ptr_equal(item, &items[2]);
    }
    slg_queue_destroy(queue);
    slg_queue_destroy(NULL);
}

static void test_close_drains_then_cancels(void **state)
{
    struct slg_queue *queue;
    int items[4];
    void *got[4] = { 0 };
    size_t count = 77;

    (void)state;
    assert_int_equal(slg_queue_create(4, &queue), SLG_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(slg_queue_push(queue, &items[i]), SLG_OK);
    slg_queue_close(queue);
    slg_queue_close(queue);
    assert_int_equal(slg_queue_push(queue, &items[3]), SLG_CANCELED);
    assert_int_equal(slg_queue_push_wait(queue, &items[3], SLG_DEADLINE_NEVER), SLG_CANCELED);
    assert_int_equal(slg_queue_pop_many(queue, 0, got, 2, &count), SLG_OK);
    assert_int_equal(count, 2);
    assert_ptr_equal(got[1], &items[1]);
    assert_int_equal(slg_queue_pop_many(queue, 0, got, 4, &count), SLG_OK);
    assert_int_equal(count, 1);
    assert_int_equal(slg_queue_pop_many(queue, SLG_DEADLINE_NEVER, got, 4, &count), SLG_CANCELED);
    assert_int_equal(slg_queue_try_pop(queue, &got[0]), SLG_CANCELED);
    assert_int_equal(count, 1);
    slg_queue_destroy(queue);
}

#define WAITERS 3

struct waiter {
    struct slg_queue *queue;
    _Atomic pid_t thread_id; /* 0 until it runs */
    enum slg_status status;
    pthread_t thread;
};

static void *wait_in_pop(void *arg)
{
    struct waiter *waiter = arg;
    void *item;

    waiter->thread_id = gettid();
    waiter->status = slg_queue_pop(waiter->queue, in_ms(60000), &item);
    return NULL;
}

/* The only thing it can sleep in is the wait for an item. */
static bool is_asleep(const struct waiter *waiter)
{
    char path[64], text[512] = "";
    FILE *file;
    size_t len;

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", (int)waiter->thread_id);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    len = fread(text, 1, sizeof(text) - 1, file);
    (void)fclose(file);
    return len > 0 && strstr(text, ") S ") != NULL;
}

static void test_close_wakes_every_waiter(void **state)
{
    struct waiter waiters[WAITERS] = { 0 };
    struct slg_queue *queue;
    int64_t deadline = in_ms(20000);

    (void)state;
    assert_int_equal(slg_queue_create(1, &queue), SLG_OK);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i].queue = queue;
        assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_in_pop, &waiters[i]), 0);
    }
    for (int i = 0; i < WAITERS; i++) {
        while ((waiters[i].thread_id == 0 || !is_asleep(&waiters[i])) && in_ms(0) < deadline)
            (void)sched_yield();
    }
    slg_queue_close(queue);
    for (int i = 0; i < WAITERS; i++) {
        assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
        assert_int_equal(waiters[i].status, SLG_CANCELED);
    }
    assert_true(in_ms(0) < deadline); /* woken, not timed out after the 60 s of wait_in_pop */
    slg_queue_destroy(queue);
}

struct item {
    int producer;
    int number;
};

struct crowd {
    struct slg_queue *queue;
    struct item items[PRODUCERS][ITEMS_PER_PRODUCER];
    _Atomic int next_producer;
    _Atomic int seen[PRODUCERS][ITEMS_PER_PRODUCER];
    _Atomic int mistakes;
};

static void *produce(void *arg)
{
    struct crowd *crowd = arg;
    int producer = crowd->next_producer++;

    for (int i = 0; i < ITEMS_PER_PRODUCER; i++) {
        struct item *item = &crowd->items[producer][i];

        *item = (struct item){ producer, i };
        if (slg_queue_push_wait(crowd->queue, item, in_ms(60000)) != SLG_OK)
            crowd->mistakes++;
    }
    return NULL;
}

static void *consume(void *arg)
{
    struct crowd *crowd = arg;
    int last[PRODUCERS] = { -1, -1, -1, -1 };
    void *items[7];
    size_t count;

    while (slg_queue_pop_many(crowd->queue, in_ms(60000), items, SLG_ARRAY_LEN(items), &count) ==
           SLG_OK) {
        for (size_t i = 0; i < count; i++) {
            struct item *item = items[i];

            crowd->seen[item->producer][item->number]++;
            if (item->number <= last[item->producer])
                crowd->mistakes++;
            last[item->producer] = item->number;
        }
    }
    return NULL;
}

static void test_crowd_loses_and_doubles_nothing(void **state)
{
    struct crowd *crowd = calloc(1, sizeof(*crowd));
    pthread_t producers[PRODUCERS], consumers[CONSUMERS];

    (void)state;
    assert_non_null(crowd);
    assert_int_equal(slg_queue_create(16, &crowd->queue), SLG_OK);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_create(&producers[i], NULL, produce, crowd), 0);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_create(&consumers[i], NULL, consume, crowd), 0);
    for (int i = 0; i < PRODUCERS; i++)
        assert_int_equal(pthread_join(producers[i], NULL), 0);
    slg_queue_close(crowd->queue);
    for (int i = 0; i < CONSUMERS; i++)
        assert_int_equal(pthread_join(consumers[i], NULL), 0);
    assert_int_equal(crowd->mistakes, 0);
    for (int p = 0; p < PRODUCERS; p++) {
        for (int i = 0; i < ITEMS_PER_PRODUCER; i++)
            assert_int_equal(crowd->seen[p][i], 1);
    }
    slg_queue_destroy(crowd->queue);
    free(crowd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_and_empty_are_told),
        cmocka_unit_test(test_close_drains_then_cancels),
        cmocka_unit_test(test_close_wakes_every_waiter),
        cmocka_unit_test(test_crowd_loses_and_doubles_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
