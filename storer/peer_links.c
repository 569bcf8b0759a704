/* Concurrency
 * | state                   | owner             | others                              |
 * |-------------------------|-------------------|-------------------------------------|
 * | links[], node_index     | set at create     | read only                           |
 * | reachable[]             | the repair thread | atomics                             |
 * | member, known, age      | the mutex         | the mutex                           |
 * | state                   | the mutex         | an atomic copy                      |
 * A greeting is freed by the last of its waiter and its answers. */
#include "storer/peer_links.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "storer/catalogue_storage.h"
#include "storer/disk.h"

#define HEX_BYTES    ((size_t)32)
#define RECORD_NAME  "peers"
#define DOUBT_NS_MAX (60 * SLG_NS_PER_SEC) /* clocks that differ by more are told of */

struct slg_peer_links {
    struct slg_peer_links_options options;
    size_t node_index;
    struct slg_transport_client *clients[SLG_MAP_NODE_COUNT_MAX]; /* NULL: this node, removed */
    atomic_bool reachable[SLG_MAP_NODE_COUNT_MAX];
    pthread_mutex_t mutex;
    struct slg_member member;
    struct slg_known_storages known;
    bool known_changed; /* since it was written to disk */
    atomic_int state;   /* enum slg_member_state */
};

static void must(int rc)
{
    SLG_ASSERT(rc == 0);
}

/* ---- storage ids as text ---- */

static void print_id(char ret_text[33], const uint8_t id[16])
{
    for (size_t i = 0; i < 16; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", id[i]); /* two digits and NUL */
}

static struct slg_member_storage read_storage(struct slg_text text, uint64_t counter)
{
    struct slg_member_storage storage = { .known = text.len == HEX_BYTES, .counter = counter };

    for (size_t i = 0; storage.known && i < 16; i++) {
        int high = slg_bytes_hex_value(text.at[2 * i]),
            low = slg_bytes_hex_value(text.at[2 * i + 1]);

        storage.known = high >= 0 && low >= 0;
        storage.id[i] = (uint8_t)(high * 16 + low);
    }
    return storage;
}

/* ---- memory ---- */

static enum slg_status load_known(struct slg_peer_links *links, struct slg_error *reterr)
{
    struct slg_buf bytes;
    enum slg_status status = slg_disk_read(links->options.data_dir, RECORD_NAME, &bytes, reterr);

    if (status == SLG_OK) {
        status = slg_known_storages_decode(bytes.data, bytes.len, &links->known, reterr);
        if (status != SLG_OK)
            (void)slg_error_context(reterr, "%s/%s", links->options.data_dir, RECORD_NAME);
    } else if (status == SLG_NOT_FOUND) {
        status = SLG_OK;
    }
    slg_buf_fini(&bytes);
    return status;
}

/* With the mutex; NULL: never met. */
static struct slg_known_storage *find_known(struct slg_peer_links *links, struct slg_text node_id)
{
    for (size_t i = 0; i < links->known.count; i++)
        if (slg_text_equal_to(node_id, links->known.rows[i].node_id))
            return &links->known.rows[i];
    return NULL;
}

/* With the mutex. */
static void remember(struct slg_peer_links *links, struct slg_text node_id,
                     const struct slg_member_storage *storage)
{
    struct slg_known_storage *row = find_known(links, node_id);

    if (!storage->known || node_id.len == 0 || node_id.len >= SLG_KNOWN_NODE_BYTES_MAX)
        return;
    if (row != NULL && row->counter >= storage->counter &&
        memcmp(row->id, storage->id, sizeof(row->id)) == 0)
        return;
    if (row == NULL) {
        if (links->known.count == SLG_KNOWN_STORAGE_COUNT_MAX)
            return;
        row = &links->known.rows[links->known.count++];
        memset(row, 0, sizeof(*row));
        memcpy(row->node_id, node_id.at, node_id.len);
    }
    memcpy(row->id, storage->id, sizeof(row->id));
    row->counter = storage->counter;
    links->known_changed = true;
}

/* With the mutex. Our own row says that this storage was whole, and need not be compared at its next start. */
static void note_proof(struct slg_peer_links *links)
{
    struct slg_member_storage own = links->member.own;
    struct slg_known_storage *row = find_known(links, slg_text_of(links->options.node_id));

    links->member.own.counter = slg_catalogue_storage_counter(links->options.catalogue);
    if (slg_member_provable(&links->member)) {
        own.counter = 0;
        remember(links, slg_text_of(links->options.node_id), &own);
    } else if (!links->member.proven && row != NULL) {
        *row = links->known.rows[--links->known.count];
        links->known_changed = true;
    }
}

/* Write what was learnt since the last time. On the repair thread: greetings are answered by threads that must not wait
 * for a disk. A failure is told, and tried again with the next greetings. */
static void keep_known(struct slg_peer_links *links)
{
    struct slg_error err;
    struct slg_buf bytes;
    enum slg_status status = SLG_OK;
    bool changed;

    slg_buf_init(&bytes, SLG_DISK_SMALL_BYTES_MAX);
    must(pthread_mutex_lock(&links->mutex));
    note_proof(links);
    changed = links->known_changed;
    links->known_changed = false;
    slg_known_storages_encode(&bytes, &links->known);
    must(pthread_mutex_unlock(&links->mutex));
    if (changed)
        status = slg_disk_write_buf(links->options.data_dir, RECORD_NAME, &bytes, &err);
    slg_buf_fini(&bytes);
    if (status == SLG_OK)
        return;
    slg_log_failure(SLG_LOG_WARN, "could not remember the storages of peers", &err);
    must(pthread_mutex_lock(&links->mutex));
    links->known_changed = true;
    must(pthread_mutex_unlock(&links->mutex));
}

/* With the mutex. */
static void publish_state(struct slg_peer_links *links)
{
    enum slg_member_state state = links->member.state;

    if ((enum slg_member_state)atomic_exchange(&links->state, (int)state) == state)
        return;
    slg_log_info("storage is %s node=%s", slg_member_text(state), links->options.node_id);
    if (state == SLG_MEMBER_CLASH)
        slg_log_error(
            "another storer has the same storage id, one data directory is a copy: both store "
            "nothing until one of them is emptied and both are restarted node=%s",
            links->options.node_id);
}

/* ---- greeting ---- */

void slg_peer_links_fill(struct slg_peer_links *links, struct slg_text peer_id,
                         struct slg_peer_texts *scratch, struct slg_rpc_hello *hello)
{
    const struct slg_known_storage *row;

    scratch->own[0] = scratch->known[0] = '\0';
    must(pthread_mutex_lock(&links->mutex));
    if (links->member.state == SLG_MEMBER_WHOLE || links->member.state == SLG_MEMBER_CLASH)
        print_id(scratch->own, links->member.own.id);
    row = find_known(links, peer_id);
    if (row != NULL) {
        print_id(scratch->known, row->id);
        hello->known_storage_counter = row->counter;
    }
    must(pthread_mutex_unlock(&links->mutex));
    hello->cluster_id = slg_text_of(links->options.map->cluster_id);
    hello->node_id = slg_text_of(links->options.node_id);
    hello->role = slg_text_of("storer");
    hello->map_epoch = links->options.map->epoch;
    hello->map_hash = links->options.map->hash;
    hello->storage_id = slg_text_of(scratch->own);
    hello->storage_counter = slg_catalogue_storage_counter(links->options.catalogue);
    hello->known_storage_id = slg_text_of(scratch->known);
    if (links->options.age != NULL)
        hello->wall_ns = slg_clock_wall_ns(links->options.age->own);
}

static size_t find_node(const struct slg_map *map, struct slg_text node_id)
{
    for (size_t i = 0; i < map->node_count; i++)
        if (slg_text_equal_to(node_id, map->nodes[i].id))
            return i;
    return SIZE_MAX;
}

/* With the mutex. */
static void hear_clock(struct slg_peer_links *links, size_t index, int64_t peer_wall_ns)
{
    static struct slg_log_limit limit = SLG_LOG_LIMIT_INIT(600 * SLG_NS_PER_SEC);
    int64_t doubt_ns;
    uint64_t suppressed;

    slg_age_hear(links->options.age, index, peer_wall_ns);
    doubt_ns = slg_age_doubt_ns(links->options.age);
    if (doubt_ns > DOUBT_NS_MAX &&
        slg_log_limit_allow(&limit, slg_clock_mono_ns(slg_clock_system()), &suppressed))
        slg_log_warn(
            "the clock is ahead of those of other storers, retention goes by theirs: is it "
            "right? seconds=%" PRId64,
            doubt_ns / SLG_NS_PER_SEC);
}

void slg_peer_links_note(struct slg_peer_links *links, const struct slg_rpc_hello *from_peer)
{
    struct slg_member_storage of_peer =
        read_storage(from_peer->storage_id, from_peer->storage_counter);
    struct slg_member_storage remembered =
        read_storage(from_peer->known_storage_id, from_peer->known_storage_counter);
    size_t index = find_node(links->options.map, from_peer->node_id);

    if (index == SIZE_MAX || index == links->node_index ||
        !slg_text_equal_to(from_peer->role, "storer"))
        return;
    must(pthread_mutex_lock(&links->mutex));
    links->member.own.counter = slg_catalogue_storage_counter(links->options.catalogue);
    slg_member_hear(&links->member, index, &of_peer, &remembered,
                    slg_clock_mono_ns(slg_clock_system()));
    if (links->member.state != SLG_MEMBER_CLASH)
        remember(links, from_peer->node_id, &of_peer);
    publish_state(links);
    if (links->options.age != NULL)
        hear_clock(links, index, from_peer->wall_ns);
    must(pthread_mutex_unlock(&links->mutex));
}

/* One round of greetings; it lives until the last answer has come, or failed. */
struct greeting;
struct greeting_row {
    struct greeting *greeting;
    size_t node_index;
    atomic_bool ok;
};
struct greeting {
    struct slg_peer_links *links;
    atomic_int holders; /* the waiter and every request under way; the last frees */
    sem_t answered;
    struct greeting_row rows[SLG_MAP_NODE_COUNT_MAX];
};

static void drop_greeting(struct greeting *greeting)
{
    if (atomic_fetch_sub(&greeting->holders, 1) > 1)
        return;
    (void)sem_destroy(&greeting->answered); /* nobody waits on it */
    free(greeting);
}

/* Library thread. */
static void on_hello(void *ctx, enum slg_status status, const uint8_t *reply, size_t reply_len)
{
    struct greeting_row *row = ctx;
    struct greeting *greeting = row->greeting;
    struct slg_peer_links *links = greeting->links;
    const char *id = links->options.map->nodes[row->node_index].id;
    struct slg_rpc_hello hello;
    struct slg_error err;

    if (status == SLG_OK) {
        status = slg_rpc_decode_hello_reply(reply, reply_len, &hello, &err);
        if (status != SLG_OK)
            slg_log_warn("peer refused us node=%s reason=%s", id, err.message);
    }
    if (status == SLG_OK && !slg_text_equal_to(hello.node_id, id)) {
        slg_log_warn("another node answers at a peer's address wanted=%s found=%.*s", id,
                     (int)hello.node_id.len, hello.node_id.at);
        status = SLG_INVALID;
    }
    if (status == SLG_OK)
        slg_peer_links_note(links, &hello);
    atomic_store(&row->ok, status == SLG_OK);
    (void)sem_post(&greeting->answered); /* fails only on overflow */
    drop_greeting(greeting);
}

/* False: nothing was sent. */
static bool greet_one(struct greeting *greeting, size_t node_index, int32_t timeout_ms)
{
    struct slg_peer_links *links = greeting->links;
    struct greeting_row *row = &greeting->rows[node_index];
    struct slg_rpc_hello hello = { .map_epoch = 0 };
    struct slg_peer_texts scratch;
    struct slg_buf request;
    enum slg_status status = SLG_NO_MEMORY;

    row->greeting = greeting;
    row->node_index = node_index;
    slg_peer_links_fill(links, slg_text_of(links->options.map->nodes[node_index].id), &scratch,
                        &hello);
    slg_buf_init(&request, 4096);
    slg_rpc_encode_hello(&request, &hello);
    (void)atomic_fetch_add(&greeting->holders, 1); /* before the answer may come */
    if (!slg_buf_failed(&request))
        status = slg_transport_request(links->clients[node_index], request.data, request.len,
                                       timeout_ms, on_hello, row);
    slg_buf_fini(&request);
    if (status != SLG_OK)
        (void)atomic_fetch_sub(&greeting->holders, 1); /* the caller holds it too */
    return status == SLG_OK;
}

void slg_peer_links_greet(struct slg_peer_links *links, int32_t timeout_ms, bool *ret_back)
{
    struct greeting *greeting = calloc(1, sizeof(*greeting));
    size_t waiting = 0;

    *ret_back = false;
    if (greeting == NULL)
        return;
    greeting->links = links;
    atomic_store(&greeting->holders, 1);
    (void)sem_init(&greeting->answered, 0, 0); /* fails only for values out of range */
    for (size_t i = 0; i < links->options.map->node_count; i++)
        if (links->clients[i] != NULL)
            waiting += greet_one(greeting, i, timeout_ms);
    while (waiting > 0) { /* every request ends within its time */
        if (sem_wait(&greeting->answered) == 0)
            waiting--;
    }
    for (size_t i = 0; i < links->options.map->node_count; i++) {
        bool ok = atomic_load(&greeting->rows[i].ok);

        if (ok && !atomic_load(&links->reachable[i]))
            *ret_back = true;
        atomic_store(&links->reachable[i], ok);
    }
    drop_greeting(greeting);
    keep_known(links);
}

bool slg_peer_links_reachable(const struct slg_peer_links *links, size_t node_index)
{
    return atomic_load(&links->reachable[node_index]);
}

size_t slg_peer_links_node_index(const struct slg_peer_links *links)
{
    return links->node_index;
}

enum slg_status slg_peer_links_ask(struct slg_peer_links *links, size_t node_index,
                                   const struct slg_buf *request, int32_t timeout_ms,
                                   struct slg_buf *reply_out)
{
    if (links->clients[node_index] == NULL)
        return SLG_UNAVAILABLE;
    if (slg_buf_failed(request))
        return SLG_LIMIT;
    slg_buf_clear(reply_out);
    return slg_transport_ask(links->clients[node_index], request->data, request->len, timeout_ms,
                             reply_out);
}

enum slg_member_state slg_peer_links_state(const struct slg_peer_links *links)
{
    return (enum slg_member_state)atomic_load(&links->state);
}

bool slg_peer_links_compares(struct slg_peer_links *links)
{
    bool compares;

    must(pthread_mutex_lock(&links->mutex));
    compares = slg_member_compares(&links->member);
    must(pthread_mutex_unlock(&links->mutex));
    return compares;
}

bool slg_peer_links_counts(struct slg_peer_links *links, const struct slg_member_round *round)
{
    bool counts;

    must(pthread_mutex_lock(&links->mutex));
    counts = slg_member_counts(&links->member, round);
    must(pthread_mutex_unlock(&links->mutex));
    return counts;
}

void slg_peer_links_end_round(struct slg_peer_links *links, const struct slg_member_round *round,
                              bool due)
{
    must(pthread_mutex_lock(&links->mutex));
    slg_member_end_round(&links->member, round, due);
    publish_state(links);
    must(pthread_mutex_unlock(&links->mutex));
    keep_known(links);
}

uint64_t slg_peer_links_counter_floor(struct slg_peer_links *links)
{
    uint64_t floor;

    must(pthread_mutex_lock(&links->mutex));
    floor = links->member.counter_settled;
    must(pthread_mutex_unlock(&links->mutex));
    return floor;
}

/* ---- life ---- */

static void init_member(struct slg_peer_links *links)
{
    const struct slg_storage *storage = slg_catalogue_storage(links->options.catalogue);
    const struct slg_known_storage *row = find_known(links, slg_text_of(links->options.node_id));
    struct slg_member_storage own = { .known = true,
                                      .counter =
                                          slg_catalogue_storage_counter(links->options.catalogue) };

    memcpy(own.id, storage->id, sizeof(own.id));
    slg_member_init(&links->member, links->options.map, links->node_index, &own,
                    /* proven= */ row != NULL && memcmp(row->id, own.id, sizeof(own.id)) == 0,
                    slg_clock_mono_ns(slg_clock_system()));
    atomic_store(&links->state, (int)links->member.state);
}

static enum slg_status dial_all(struct slg_peer_links *links, struct slg_error *reterr)
{
    const struct slg_map *map = links->options.map;
    enum slg_status status = SLG_OK;

    for (size_t i = 0; i < map->node_count && status == SLG_OK; i++) {
        struct slg_transport_client_options options = { .url = map->nodes[i].address,
                                                        .tls = links->options.tls,
                                                        .in_flight_max =
                                                            links->options.in_flight_max };

        if (i != links->node_index && map->nodes[i].state != SLG_NODE_REMOVED)
            status = slg_transport_client_start(&options, &links->clients[i], reterr);
    }
    return status;
}

enum slg_status slg_peer_links_create(const struct slg_peer_links_options *options,
                                      struct slg_peer_links **ret_links, struct slg_error *reterr)
{
    struct slg_peer_links *links = calloc(1, sizeof(*links));
    enum slg_status status;

    if (links == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the connections to peers");
    links->options = *options;
    links->node_index = find_node(options->map, slg_text_of(options->node_id));
    SLG_ASSERT(links->node_index != SIZE_MAX); /* the storer has checked its map */
    must(pthread_mutex_init(&links->mutex, NULL));
    status = load_known(links, reterr);
    if (status == SLG_OK) {
        init_member(links);
        status = dial_all(links, reterr);
    }
    if (status != SLG_OK) {
        slg_peer_links_destroy(links);
        return status;
    }
    *ret_links = links;
    return SLG_OK;
}

void slg_peer_links_destroy(struct slg_peer_links *links)
{
    if (links == NULL)
        return;
    for (size_t i = 0; i < SLG_MAP_NODE_COUNT_MAX; i++)
        slg_transport_client_stop(links->clients[i]);
    must(pthread_mutex_destroy(&links->mutex));
    free(links);
}
