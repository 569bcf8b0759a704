#include "storer/salvage.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/wire.h"
#include "storer/disk.h"
#include "storer/manifest.h"
#include "storer/pages.h"
#include "storer/shard_record.h"

/* A batch that begins in the first half of the window lies in the window. */
#define HALF_BYTES   SLG_BATCH_BYTES_MAX
#define WINDOW_BYTES (2 * HALF_BYTES)
#define READ_BYTES   ((size_t)64 * 1024) /* what an unreadable sector takes with it */
#define ARENA_BYTES  ((size_t)4 << 20)   /* of a header */
#define ITEM_COUNT   21                  /* of a batch, docs/FORMATS.md section 2 */

/* How an encoded batch of any version begins: array of 21, bin of 4, magic. */
static const uint8_t head[] = { 0xdc, 0x00, 0x15, 0xc4, 0x04, 'S', 'L', 'G', 'B' };

struct search {
    const struct slg_salvage *salvage;
    struct slg_salvage_result result;
    struct slg_arena *arena;
    struct slg_batch_set *found; /* ids */
    struct slg_batch_set_digest found_digest;
    uint8_t *window;
    struct slg_error *reterr;
};

/* Length of the batch at bytes, or 0: none. */
static size_t batch_len(const uint8_t *bytes, size_t left)
{
    struct slg_wire_reader r =
        slg_wire_reader_make(bytes, left < SLG_BATCH_BYTES_MAX ? left : SLG_BATCH_BYTES_MAX);
    bool good = slg_wire_take_tuple(&r, ITEM_COUNT);

    for (size_t i = 0; i < ITEM_COUNT && good; i++)
        good = slg_wire_skip(&r);
    return good ? (size_t)(r.c.at - bytes) : 0;
}

static enum slg_status try_batch(struct search *search, const uint8_t *bytes, size_t left,
                                 size_t *ret_len)
{
    size_t len = batch_len(bytes, left);
    struct slg_batch_header header;
    enum slg_status status;

    *ret_len = 0;
    if (len == 0 || !slg_batch_checksum_fits(bytes, len))
        return SLG_OK;
    slg_arena_reset(search->arena);
    if (slg_batch_read_header(search->arena, bytes, len, &header) != SLG_OK ||
        slg_shard_id_compare(&header.id.shard, &search->salvage->shard) != 0)
        return SLG_OK;
    status = search->salvage->store(search->salvage->ctx, bytes, len);
    *ret_len = len;
    if (status != SLG_OK ||
        slg_batch_set_has(search->found, &header.id.incarnation, header.id.sequence))
        return status;
    search->result.batches++;
    slg_batch_set_digest_add(&search->found_digest, &header.id);
    return slg_batch_set_add(search->found, &header.id.incarnation, header.id.sequence);
}

/* Batches that begin in the first half. *skip: so many bytes belong to one that was found before, and then to one of this
 * window that goes on behind its first half. */
static enum slg_status search_window(struct search *search, size_t len, size_t *skip)
{
    size_t at = *skip;
    enum slg_status status = SLG_OK;

    while (status == SLG_OK && at < HALF_BYTES && at < len) {
        const uint8_t *found = memmem(search->window + at, len - at, head, sizeof(head));
        size_t found_len;

        if (found == NULL || (size_t)(found - search->window) >= HALF_BYTES)
            break;
        at = (size_t)(found - search->window);
        status = try_batch(search, found, len - at, &found_len);
        at += found_len > 0 ? found_len : 1;
    }
    *skip = at > HALF_BYTES ? at - HALF_BYTES : 0;
    return status;
}

/* Fill the window from offset; what cannot be read is zeros. Returns the bytes up to the end of the file. */
static size_t fill_window(int fd, uint64_t offset, uint8_t *window)
{
    size_t at = 0;

    while (at < WINDOW_BYTES) {
        size_t want = WINDOW_BYTES - at < READ_BYTES ? WINDOW_BYTES - at : READ_BYTES;
        ssize_t n = pread(fd, window + at, want, (off_t)(offset + at));

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            break;
        if (n < 0) {
            memset(window + at, 0, want);
            n = (ssize_t)want;
        }
        at += (size_t)n;
    }
    return at;
}

static enum slg_status search_file(struct search *search, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    enum slg_status status = SLG_OK;
    size_t len, skip = 0;

    if (fd < 0)
        return slg_errorf(search->reterr, SLG_IO, "could not open \"%s\": %s", path,
                          strerror(errno));
    for (uint64_t offset = 0; status == SLG_OK; offset += HALF_BYTES) {
        len = fill_window(fd, offset, search->window);
        if (len == 0)
            break;
        status = search_window(search, len, &skip);
        /* What was read is not needed again: queries have the page cache. A refusal costs them some of it. */
        (void)posix_fadvise(fd, (off_t)offset, (off_t)HALF_BYTES, POSIX_FADV_DONTNEED);
        if (status == SLG_OK &&
            !search->salvage->pay(search->salvage->ctx, len < HALF_BYTES ? len : HALF_BYTES))
            status = SLG_CANCELED;
    }
    (void)close(fd); /* only read from */
    return status;
}

/* ---- what it held ---- */

static enum slg_status visit_state(void *ctx, const struct slg_pages_pair *pair)
{
    struct slg_shard_state *state = ctx;

    if (pair->key.len != strlen(SLG_SHARD_STATE_KEY) ||
        memcmp(pair->key.at, SLG_SHARD_STATE_KEY, pair->key.len) != 0)
        return pair->key.len > 0 ? SLG_CORRUPT
                                 : SLG_OK; /* a batch set aside: some were missing before */
    return pair->value.at == NULL ? SLG_CORRUPT : slg_shard_state_decode(pair->value, state);
}

/* Add what the totals of a generation say. False: they cannot be read. */
static bool add_expected(struct slg_batch_set_digest *sum, const char *path)
{
    struct slg_shard_state state = slg_shard_state_empty;
    const struct slg_pages_walk walk = {
        .table = "state", .large_values = true, .visit = visit_state, .ctx = &state
    };
    struct slg_pages *pages;
    uint64_t low;
    bool known;

    if (slg_pages_open(path, SLG_BATCH_BYTES_MAX, &pages, NULL) != SLG_OK)
        return false;
    known =
        slg_pages_snapshot(pages, NULL) == SLG_OK && slg_pages_walk(pages, &walk, NULL) == SLG_OK;
    slg_pages_close(pages);
    low = sum->sum.low + state.digest.sum.low;
    sum->sum.high += state.digest.sum.high + (low < state.digest.sum.low ? 1 : 0); /* mod 2^128 */
    sum->sum.low = low;
    sum->count += state.digest.count;
    return known;
}

static bool read_manifest(const struct slg_salvage *salvage, struct slg_manifest *ret_manifest)
{
    struct slg_buf bytes;
    bool good = slg_disk_read(salvage->directory, SLG_NAME_MANIFEST, &bytes, NULL) == SLG_OK &&
                slg_manifest_decode(bytes.data, bytes.len, ret_manifest, NULL) == SLG_OK &&
                slg_shard_id_compare(&ret_manifest->shard, &salvage->shard) == 0;
    slg_buf_fini(&bytes);
    return good;
}

/* Is what was found all that the copy held? It says so itself, and only if it lacked nothing before. */
static bool is_whole(const struct search *search)
{
    struct slg_batch_set_digest expected = { .count = 0 };
    struct slg_manifest manifest;
    struct slg_disk_path path;

    if (slg_disk_join(&path, search->salvage->directory, SLG_NAME_REFILLING, NULL) != SLG_OK ||
        access(path.text, F_OK) == 0 || !read_manifest(search->salvage, &manifest))
        return false;
    for (size_t i = 0; i < manifest.generation_count; i++) {
        char name[32];

        (void)snprintf(name, sizeof(name), "g%010u.lmdb", manifest.generations[i]); /* fits */
        if (slg_disk_join(&path, search->salvage->directory, name, NULL) != SLG_OK ||
            !add_expected(&expected, path.text))
            return false;
    }
    return slg_batch_set_digest_equal(&expected, &search->found_digest);
}

static bool is_generation(const char *name)
{
    size_t len = strlen(name);

    return name[0] == 'g' && len > 5 && strcmp(name + len - 5, ".lmdb") == 0;
}

static enum slg_status search_all(struct search *search, DIR *dir)
{
    enum slg_status status = SLG_OK;
    struct dirent *item;

    while (status == SLG_OK && (item = readdir(dir)) != NULL) {
        struct slg_disk_path path;

        if (!is_generation(item->d_name))
            continue;
        status = slg_disk_join(&path, search->salvage->directory, item->d_name, search->reterr);
        if (status == SLG_OK)
            status = search_file(search, path.text);
    }
    return status;
}

enum slg_status slg_salvage_run(const struct slg_salvage *salvage,
                                struct slg_salvage_result *ret_result, struct slg_error *reterr)
{
    struct search search = { .salvage = salvage, .reterr = reterr };
    DIR *dir = opendir(salvage->directory);
    enum slg_status status;

    if (dir == NULL)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", salvage->directory,
                          strerror(errno));
    search.arena = slg_arena_create(ARENA_BYTES);
    search.window = malloc(WINDOW_BYTES);
    search.found = slg_batch_set_create();
    status = search.arena == NULL || search.window == NULL || search.found == NULL
                 ? slg_errorf(reterr, SLG_NO_MEMORY, "no memory to search for batches")
                 : search_all(&search, dir);
    (void)closedir(dir); /* only read from */
    if (status == SLG_OK) {
        search.result.whole = is_whole(&search);
        *ret_result = search.result;
    }
    slg_arena_destroy(search.arena);
    slg_batch_set_destroy(search.found);
    free(search.window);
    return status;
}
