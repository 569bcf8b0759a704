#include "ingester/forward_pool.h"

#include <stdlib.h>

#define SHORT_PART 4 /* it is short when less than this part is free */

enum slg_status slg_forward_pool_init(struct slg_forward_pool *pool, size_t memory_bytes_max,
                                      int event)
{
    size_t count = memory_bytes_max / SLG_FORWARD_TOKEN_BYTES;

    pool->object_count = count + SLG_FORWARD_RESERVED_COUNT;
    pool->objects = calloc(pool->object_count, sizeof(*pool->objects));
    if (pool->objects == NULL || slg_queue_create(count, &pool->cold) != SLG_OK ||
        slg_queue_create(SLG_FORWARD_WARM_COUNT, &pool->warm) != SLG_OK ||
        slg_queue_create(SLG_FORWARD_RESERVED_COUNT, &pool->reserved) != SLG_OK)
        return SLG_NO_MEMORY;
    for (size_t i = 0; i < pool->object_count; i++) {
        enum slg_status status;

        pool->objects[i].event = event;
        slg_buf_init(&pool->objects[i].message, SLG_MESSAGE_BYTES_MAX);
        pool->objects[i].reserved = i >= count;
        status = slg_queue_push(i >= count ? pool->reserved : pool->cold, &pool->objects[i]);
        SLG_ASSERT(status == SLG_OK);
    }
    return SLG_OK;
}

void slg_forward_pool_fini(struct slg_forward_pool *pool)
{
    slg_queue_destroy(pool->reserved);
    slg_queue_destroy(pool->cold);
    slg_queue_destroy(pool->warm);
    for (size_t i = 0; i < pool->object_count && pool->objects != NULL; i++)
        slg_buf_fini(&pool->objects[i].message);
    free(pool->objects);
}

enum slg_status slg_forward_pool_take(struct slg_forward_pool *pool, bool reserved,
                                      int64_t deadline_mono_ns,
                                      struct slg_forward_batch **ret_batch)
{
    struct slg_queue *queue = reserved ? pool->reserved : pool->cold;
    struct slg_forward_batch *batch;
    void *item = NULL;
    enum slg_status status = reserved ? SLG_AGAIN : slg_queue_try_pop(pool->warm, &item);

    if (status != SLG_OK)
        status = deadline_mono_ns == 0 ? slg_queue_try_pop(queue, &item)
                                       : slg_queue_pop(queue, deadline_mono_ns, &item);
    if (status != SLG_OK)
        return status;
    batch = item;
    batch->entry_count = 0;
    batch->listener = 0;
    batch->own = false;
    batch->unsettled = NULL;
    batch->waiter_count = 0;
    *ret_batch = batch;
    return SLG_OK;
}

void slg_forward_pool_give_back(struct slg_forward_pool *pool, struct slg_forward_batch *batch)
{
    struct slg_forward_batch *tokens = batch->tokens;
    enum slg_status status;

    batch->tokens = NULL;
    slg_buf_clear(&batch->message);
    /* Whoever waits for room waits at the cold ones; there are none then, and it gets the object. */
    if (batch->reserved || slg_queue_count(pool->cold) == 0 ||
        slg_queue_push(pool->warm, batch) != SLG_OK) {
        slg_buf_fini(&batch->message);
        status = slg_queue_push(batch->reserved ? pool->reserved : pool->cold, batch);
        SLG_ASSERT(status == SLG_OK); /* the queue holds every object there is */
    }
    while (tokens != NULL) {
        struct slg_forward_batch *next = tokens->next;

        tokens->next = NULL;
        status = slg_queue_push(pool->cold, tokens);
        SLG_ASSERT(status == SLG_OK);
        tokens = next;
    }
}

void slg_forward_pool_charge(struct slg_forward_pool *pool, struct slg_forward_batch *batch)
{
    for (size_t paid = SLG_FORWARD_TOKEN_BYTES; paid < batch->message.len && !batch->reserved;
         paid += SLG_FORWARD_TOKEN_BYTES) {
        struct slg_forward_batch *token;
        void *item;

        if (slg_queue_try_pop(pool->cold, &item) != SLG_OK)
            return;
        token = item;
        token->next = batch->tokens;
        batch->tokens = token;
    }
}

size_t slg_forward_pool_free_count(const struct slg_forward_pool *pool)
{
    return slg_queue_count(pool->cold) + slg_queue_count(pool->warm);
}

bool slg_forward_pool_is_short(const struct slg_forward_pool *pool)
{
    return slg_forward_pool_free_count(pool) < pool->object_count / SHORT_PART;
}
