#include "storer/check.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "storer/pages.h"
#include "storer/shard_record.h"

#define ARENA_BYTES        (SLG_BATCH_DECODE_BYTES_MAX + SLG_BATCH_BYTES_MAX)
#define KNOWN_CAPACITY_MIN ((size_t)256)
/* 16 GiB of batches of 256 bytes; 24 bytes of memory each. */
#define KNOWN_COUNT_MAX    ((size_t)64 << 20)

/* What the tables tell of one batch. */
struct known {
    uint64_t arrival;
    uint64_t id_hash; /* by its summary */
    uint64_t
        content_hash; /* by its id; 0: no id tells of it yet (a hash that is 0 may be told twice) */
};

struct slg_check {
    struct slg_pages *pages;
    struct slg_shard_id shard;
    struct slg_arena *arena; /* of a batch */
    struct known *known;     /* by arrival */
    size_t known_count;
    size_t known_capacity;
    struct slg_batch_set *set; /* of the ranges */
    struct slg_batch_set_digest digest;
    struct slg_shard_state state;
    uint64_t id_count;
    uint64_t stream_count;
    size_t at;    /* of known: the next that a walk expects */
    size_t first; /* of the piece in hand */
    struct slg_check_bad bad[SLG_CHECK_BAD_COUNT_MAX];
    size_t bad_count;
    uint64_t batches;
    uint64_t piece_end_bytes; /* of the file: where the piece in hand ends */
    struct slg_error *reterr;
};

enum slg_status slg_check_open(const char *path, const struct slg_shard_id *shard,
                               struct slg_check **ret_check, struct slg_error *reterr)
{
    struct slg_check *check = calloc(1, sizeof(*check));
    enum slg_status status;

    if (check == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory to check a generation");
    check->shard = *shard;
    check->arena = slg_arena_create(ARENA_BYTES);
    status = check->arena == NULL
                 ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory to check a generation")
                 : slg_pages_open(path, SLG_BATCH_BYTES_MAX, &check->pages, reterr);
    if (status != SLG_OK) {
        slg_check_close(check);
        return status;
    }
    *ret_check = check;
    return SLG_OK;
}

void slg_check_close(struct slg_check *check)
{
    if (check == NULL)
        return;
    slg_pages_close(check->pages);
    slg_arena_destroy(check->arena);
    slg_batch_set_destroy(check->set);
    free(check->known);
    free(check);
}

const struct slg_check_bad *slg_check_bad(const struct slg_check *check, size_t *ret_count)
{
    *ret_count = check->bad_count;
    return check->bad;
}

struct slg_check_counts slg_check_counts(const struct slg_check *check)
{
    return (struct slg_check_counts){ .batches = check->batches,
                                      .bytes = slg_pages_bytes(check->pages) };
}

/* ---- tables ---- */

static enum slg_status say(struct slg_check *check, const char *what)
{
    return slg_errorf(check->reterr, SLG_CORRUPT, "%s", what);
}

static enum slg_status add_known(struct slg_check *check, uint64_t arrival)
{
    size_t capacity = check->known_capacity == 0 ? KNOWN_CAPACITY_MIN : check->known_capacity * 2;
    struct known *known;

    if (check->known_count == check->known_capacity) {
        known =
            capacity > KNOWN_COUNT_MAX ? NULL : realloc(check->known, capacity * sizeof(*known));
        if (known == NULL)
            return slg_errorf(check->reterr, SLG_NO_MEMORY, "no memory for %zu batches", capacity);
        check->known = known;
        check->known_capacity = capacity;
    }
    check->known[check->known_count++] = (struct known){ .arrival = arrival };
    return SLG_OK;
}

static enum slg_status visit_place(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_check *check = ctx;

    if (pair->key.len != 8)
        return say(check, "a batch has no arrival");
    return add_known(check, slg_bytes_get_u64be(pair->key.at)); /* keys ascend */
}

static enum slg_status visit_summary(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_check *check = ctx;
    uint8_t id_key[SLG_SHARD_ID_KEY_BYTES];
    struct slg_summary summary;
    enum slg_status status;

    if (pair->key.len != 8 || pair->value.at == NULL || check->at == check->known_count ||
        check->known[check->at].arrival != slg_bytes_get_u64be(pair->key.at))
        return say(check, "summaries and batches differ");
    status = slg_summary_decode(pair->value.at, pair->value.len, &summary);
    if (status == SLG_CORRUPT)
        return say(check, "a summary fails its checksum");
    if (status != SLG_OK) /* of a newer version: no damage, and nothing to compare */
        return slg_errorf(check->reterr, status, "a summary cannot be read: %s",
                          slg_status_text(status));
    slg_shard_id_key(id_key, &summary.incarnation, summary.sequence);
    check->known[check->at++].id_hash = slg_shard_id_hash(id_key);
    return SLG_OK;
}

static enum slg_status visit_range(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_check *check = ctx;
    struct slg_incarnation incarnation;

    if (pair->key.len != SLG_SHARD_ID_KEY_BYTES || pair->value.at == NULL || pair->value.len != 8)
        return say(check, "a range of ids is damaged");
    memcpy(incarnation.bytes, pair->key.at, SLG_INCARNATION_BYTES);
    if (slg_batch_set_add_range(check->set, &incarnation,
                                slg_bytes_get_u64be(pair->key.at + SLG_INCARNATION_BYTES),
                                slg_bytes_get_u64be(pair->value.at)) != SLG_OK)
        return say(check, "a range of ids is damaged");
    return SLG_OK;
}

static struct known *find_known(struct slg_check *check, uint64_t arrival)
{
    size_t low = 0, high = check->known_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (check->known[middle].arrival < arrival)
            low = middle + 1;
        else
            high = middle;
    }
    return low < check->known_count && check->known[low].arrival == arrival ? &check->known[low]
                                                                            : NULL;
}

static enum slg_status visit_id(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_check *check = ctx;
    struct slg_batch_id id = { .shard = check->shard };
    struct known *known;

    if (pair->key.len != SLG_SHARD_ID_KEY_BYTES || pair->value.at == NULL || pair->value.len != 16)
        return say(check, "an id is damaged");
    memcpy(id.incarnation.bytes, pair->key.at, SLG_INCARNATION_BYTES);
    id.sequence = slg_bytes_get_u64be(pair->key.at + SLG_INCARNATION_BYTES);
    known = find_known(check, slg_bytes_get_u64be(pair->value.at));
    if (known == NULL || known->content_hash != 0 ||
        known->id_hash != slg_shard_id_hash(pair->key.at) ||
        !slg_batch_set_has(check->set, &id.incarnation, id.sequence))
        return say(check, "ids, ranges and summaries differ");
    known->content_hash = slg_bytes_get_u64be(pair->value.at + 8);
    slg_batch_set_digest_add(&check->digest, &id);
    check->id_count++;
    return SLG_OK;
}

static enum slg_status visit_stream(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_check *check = ctx;
    struct slg_shard_stream stream;
    struct slg_stream_id id;

    if (pair->value.at == NULL || pair->key.len != sizeof(id.bytes) ||
        !slg_shard_stream_decode(pair->value, &stream))
        return say(check, "a stream is damaged");
    id =
        slg_stream_id_of(stream.tenant, (const uint8_t *)stream.canonical.at, stream.canonical.len);
    if (memcmp(id.bytes, pair->key.at, sizeof(id.bytes)) != 0 ||
        stream.number >= check->state.stream_count)
        return say(check, "a stream is not the one of its id");
    check->stream_count++;
    return SLG_OK;
}

static enum slg_status visit_state(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_check *check = ctx;
    enum slg_status status;

    if (pair->value.at == NULL)
        return say(check, "the totals are damaged");
    if (pair->key.len != strlen(SLG_SHARD_STATE_KEY) ||
        memcmp(pair->key.at, SLG_SHARD_STATE_KEY, pair->key.len) != 0)
        return SLG_OK; /* a note: losing one is seen by its own checksum */
    status = slg_shard_state_decode(pair->value, &check->state);
    if (status == SLG_CORRUPT)
        return say(check, "the totals fail their checksum");
    if (status != SLG_OK)
        return slg_errorf(check->reterr, status, "the totals cannot be read: %s",
                          slg_status_text(status));
    return SLG_OK;
}

static enum slg_status walk(struct slg_check *check, const char *table, slg_pages_visit *visit)
{
    enum slg_status status =
        slg_pages_walk(check->pages,
                       &(struct slg_pages_walk){ .table = table,
                                                 .large_values = strcmp(table, "batches") != 0,
                                                 .visit = visit,
                                                 .ctx = check },
                       check->reterr);

    return status == SLG_NOT_FOUND ? SLG_CORRUPT : status; /* a generation has all tables */
}

static enum slg_status walk_tables(struct slg_check *check)
{
    static const struct {
        const char *table;
        slg_pages_visit *visit;
    } walks[] = {
        { "state", visit_state },  { "batches", visit_place }, { "summaries", visit_summary },
        { "ranges", visit_range }, { "ids", visit_id },        { "streams", visit_stream },
    };
    enum slg_status status = slg_pages_snapshot(check->pages, check->reterr);

    for (size_t i = 0; status == SLG_OK && i < SLG_ARRAY_LEN(walks); i++)
        status = walk(check, walks[i].table, walks[i].visit);
    return status;
}

enum slg_status slg_check_index(struct slg_check *check, struct slg_error *reterr)
{
    enum slg_status status;

    check->reterr = reterr;
    check->known_count = check->at = check->bad_count = 0;
    check->id_count = check->stream_count = 0;
    check->digest = (struct slg_batch_set_digest){ .count = 0 };
    check->state = slg_shard_state_empty;
    slg_batch_set_destroy(check->set);
    check->set = slg_batch_set_create();
    if (check->set == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for a set");
    status = walk_tables(check);
    if (status != SLG_OK)
        return status;
    if (check->at != check->known_count || check->id_count != check->known_count ||
        slg_batch_set_count(check->set) != check->known_count ||
        !slg_batch_set_digest_equal(&check->digest, &check->state.digest) ||
        check->stream_count != check->state.stream_count)
        return say(check, "the tables and the totals differ");
    return SLG_OK;
}

/* ---- batches ---- */

static void add_bad(struct slg_check *check, const struct known *known,
                    enum slg_aside_reason reason)
{
    if (check->bad_count < SLG_CHECK_BAD_COUNT_MAX)
        check->bad[check->bad_count++] = (struct slg_check_bad){ .arrival = known->arrival,
                                                                 .id_hash = known->id_hash,
                                                                 .reason = reason };
}

/* OK, or why it is to be set aside; another status: it could not be told. */
static enum slg_status judge(struct slg_check *check, const struct slg_pages_pair *pair,
                             const struct known *known, enum slg_aside_reason *ret_reason)
{
    uint8_t id_key[SLG_SHARD_ID_KEY_BYTES];
    const struct slg_batch_view *view;
    enum slg_status status;

    *ret_reason = (enum slg_aside_reason)0;
    if (pair->unreadable) {
        *ret_reason = SLG_ASIDE_UNREADABLE;
        return SLG_OK;
    }
    slg_arena_reset(check->arena);
    status = slg_batch_decode(check->arena, pair->value.at, pair->value.len, &view);
    if (status == SLG_LIMIT || status == SLG_NO_MEMORY)
        return slg_errorf(check->reterr, SLG_NO_MEMORY, "no memory to check a batch");
    if (status == SLG_UNSUPPORTED && slg_batch_checksum_fits(pair->value.at, pair->value.len))
        return SLG_OK;
    if (status != SLG_OK) {
        *ret_reason = SLG_ASIDE_CHECKSUM;
        return SLG_OK;
    }
    slg_shard_id_key(id_key, &view->header.id.incarnation, view->header.id.sequence);
    if (slg_shard_id_compare(&view->header.id.shard, &check->shard) != 0 ||
        slg_shard_id_hash(id_key) != known->id_hash ||
        view->header.content_hash != known->content_hash)
        *ret_reason = SLG_ASIDE_OTHER;
    return SLG_OK;
}

static enum slg_status visit_batch(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_check *check = ctx;
    enum slg_aside_reason reason;
    const struct known *known;
    enum slg_status status;

    if (check->at ==
        check->known_count) /* those that came later have their turn in the next pass */
        return SLG_CANCELED;
    if (check->at > check->first && slg_pages_bytes(check->pages) >= check->piece_end_bytes)
        return SLG_AGAIN;
    known = &check->known[check->at];
    if (pair->key.len != 8 || slg_bytes_get_u64be(pair->key.at) != known->arrival)
        return say(check, "batches have gone");
    status = judge(check, pair, known, &reason);
    if (status != SLG_OK)
        return status;
    if (reason != (enum slg_aside_reason)0)
        add_bad(check, known, reason);
    check->at++;
    check->batches++;
    return SLG_OK;
}

/* The first known batch that came later. */
static size_t first_after(const struct slg_check *check, uint64_t after)
{
    size_t low = 0, high = check->known_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (check->known[middle].arrival <= after)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum slg_status slg_check_batches(struct slg_check *check, uint64_t after, size_t bytes_max,
                                  uint64_t *ret_last, bool *ret_more, struct slg_error *reterr)
{
    size_t first = first_after(check, after);
    uint8_t from[8];
    struct slg_pages_walk options = { .table = "batches",
                                      .from = from,
                                      .from_len = sizeof(from),
                                      .large_values = true,
                                      .visit = visit_batch,
                                      .ctx = check };
    enum slg_status status;

    check->reterr = reterr;
    check->at = check->first = first;
    if (first == check->known_count) {
        *ret_last = after;
        *ret_more = false;
        return SLG_OK;
    }
    slg_bytes_put_u64be(from, check->known[first].arrival);
    status = slg_pages_snapshot(check->pages, reterr);
    check->piece_end_bytes = slg_pages_bytes(check->pages) + bytes_max;
    if (status == SLG_OK)
        status = slg_pages_walk(check->pages, &options, reterr);
    if (status != SLG_OK && status != SLG_AGAIN && status != SLG_CANCELED)
        return status == SLG_NOT_FOUND ? SLG_CORRUPT : status;
    if (status == SLG_OK && check->at < check->known_count)
        return say(check, "batches have gone");
    *ret_last = check->at == first ? after : check->known[check->at - 1].arrival;
    *ret_more = check->at < check->known_count;
    return SLG_OK;
}
