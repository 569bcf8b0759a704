/* Concurrency: struct box is shared by the query's thread and by each request under way; the last of them frees it.
 * | state          | owner               | others                                       |
 * | box->queue     | base/queue's lock   | library threads push, the query's thread pops |
 * | box->ref_count | atomic              |                                              |
 * | calls->pending | the query's thread  | -                                            | */
#include "querier/calls.h"

#include <stdatomic.h>

#include "base/queue.h"

struct box {
    atomic_size_t ref_count;
    struct slg_queue *queue;
};

struct ticket {
    struct box *box;
    const struct slg_transport_client *client;
    struct slg_reply reply;
};

struct slg_calls {
    struct box *box;
    size_t call_count_max;
    size_t pending;
};

static void free_ticket(struct ticket *ticket)
{
    slg_reply_free(&ticket->reply);
    free(ticket);
}

static void unref_box(struct box *box)
{
    void *item;

    if (atomic_fetch_sub_explicit(&box->ref_count, 1, memory_order_acq_rel) != 1)
        return;
    slg_queue_close(box->queue);
    while (slg_queue_try_pop(box->queue, &item) == SLG_OK)
        free_ticket(item);
    slg_queue_destroy(box->queue);
    free(box);
}

struct slg_calls *slg_calls_create(size_t call_count_max)
{
    struct slg_calls *calls = calloc(1, sizeof(*calls));
    struct box *box = calloc(1, sizeof(*box));

    if (calls == NULL || box == NULL || slg_queue_create(call_count_max, &box->queue) != SLG_OK) {
        free(calls);
        free(box);
        return NULL;
    }
    atomic_init(&box->ref_count, 1);
    calls->box = box;
    calls->call_count_max = call_count_max;
    return calls;
}

void slg_calls_destroy(struct slg_calls *calls)
{
    if (calls == NULL)
        return;
    slg_queue_close(calls->box->queue);
    unref_box(calls->box);
    free(calls);
}

/* On a library thread. The queue has room for every request that may be under way, so it is full never; it is closed
 * when the query has gone. */
static void on_done(void *ctx, enum slg_status status, const uint8_t *reply, size_t reply_len)
{
    struct ticket *ticket = ctx;
    struct box *box = ticket->box;

    ticket->reply.status = status;
    ticket->reply.connection = slg_transport_client_connection(ticket->client);
    if (status == SLG_OK) {
        ticket->reply.bytes = malloc(reply_len > 0 ? reply_len : 1);
        if (ticket->reply.bytes == NULL) {
            ticket->reply.status = SLG_NO_MEMORY;
        } else {
            memcpy(ticket->reply.bytes, reply, reply_len);
            ticket->reply.len = reply_len;
        }
    }
    if (slg_queue_push(box->queue, ticket) != SLG_OK)
        free_ticket(ticket);
    unref_box(box);
}

enum slg_status slg_calls_send(struct slg_calls *calls, struct slg_transport_client *client,
                               const struct slg_buf *request, int32_t timeout_ms, size_t tag)
{
    struct ticket *ticket;
    enum slg_status status;

    if (calls->pending == calls->call_count_max)
        return SLG_AGAIN;
    if (client == NULL)
        return SLG_UNAVAILABLE;
    if (slg_buf_failed(request))
        return SLG_LIMIT;
    ticket = calloc(1, sizeof(*ticket));
    if (ticket == NULL)
        return SLG_NO_MEMORY;
    ticket->box = calls->box;
    ticket->client = client;
    ticket->reply.tag = tag;
    atomic_fetch_add_explicit(&calls->box->ref_count, 1, memory_order_relaxed);
    status =
        slg_transport_request(client, request->data, request->len, timeout_ms, on_done, ticket);
    if (status != SLG_OK) {
        unref_box(calls->box);
        free(ticket);
        return status;
    }
    calls->pending++;
    return SLG_OK;
}

enum slg_status slg_calls_wait(struct slg_calls *calls, int64_t deadline_mono_ns,
                               struct slg_reply *ret_reply)
{
    struct ticket *ticket;
    enum slg_status status;
    void *item;

    if (calls->pending == 0)
        return SLG_NOT_FOUND;
    status = slg_queue_pop(calls->box->queue, deadline_mono_ns, &item);
    if (status != SLG_OK)
        return status;
    ticket = item;
    *ret_reply = ticket->reply;
    free(ticket);
    calls->pending--;
    return SLG_OK;
}

void slg_reply_free(struct slg_reply *reply)
{
    free(reply->bytes);
    reply->bytes = NULL;
    reply->len = 0;
}
