/* The waiting form of a request. Needs nothing of NNG. */
#include <semaphore.h>

#include "proto/transport.h"

struct wait {
    sem_t arrived;
    enum slg_status status;
    struct slg_buf *reply_out;
};

static void on_arrived(void *ctx, enum slg_status status, const uint8_t *reply, size_t reply_len)
{
    struct wait *wait = ctx;

    wait->status = status;
    if (status == SLG_OK) {
        slg_buf_append(wait->reply_out, reply, reply_len);
        if (slg_buf_failed(wait->reply_out))
            wait->status = SLG_LIMIT;
    }
    (void)sem_post(&wait->arrived); /* fails only on overflow */
}

enum slg_status slg_transport_ask(struct slg_transport_client *client, const void *request,
                                  size_t request_len, int32_t timeout_ms, struct slg_buf *reply_out)
{
    struct wait wait = { .reply_out = reply_out };
    enum slg_status status;

    (void)sem_init(&wait.arrived, 0, 0); /* fails only for values out of range */
    status = slg_transport_request(client, request, request_len, timeout_ms, on_arrived, &wait);
    if (status == SLG_OK) {
        while (sem_wait(&wait.arrived) != 0) /* a signal came between */
            ;
        status = wait.status;
    }
    (void)sem_destroy(&wait.arrived); /* nobody waits on it */
    return status;
}
