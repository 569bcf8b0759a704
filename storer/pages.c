#include "storer/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "storer/lmdb_meta.h"

/* Numbers are in the machine's byte order, which kv.h refuses to mix. Page: number u64, pad u16, flags u16, then lower and
 * upper u16 (large value: count of pages u32), then the offsets of nodes u16 each. Node: low and high u16, flags u16,
 * length of the key u16, key, value; a leaf's value has high << 16 | low bytes, or flag 1 and the number of its first page;
 * a branch's child is flags << 32 | high << 16 | low. Table (48 bytes): pad u32, flags u16, depth u16, three u64 counts of
 * pages, pairs u64, root u64. */
#define PAGE_HEAD      16
#define PAGE_FLAGS_AT  10
#define PAGE_LOWER_AT  12
#define PAGE_UPPER_AT  14
#define PAGE_PAGES_AT  12
#define KIND_BRANCH    0x01U
#define KIND_LEAF      0x02U
#define KIND_LARGE     0x04U
#define KIND_META      0x08U
#define KIND_MASK      0x6fU /* without "dirty" and marks of a running transaction, which stay on disk */
#define NODE_HEAD      8
#define NODE_LARGE     0x01U
#define NODE_TABLE     0x02U
#define TABLE_BYTES    48
#define TABLE_DEPTH_AT 6
#define TABLE_PAIRS_AT 32
#define TABLE_ROOT_AT  40
#define NO_PAGE        UINT64_MAX
#define FIRST_PAGE     2  /* behind the metas */
#define DEPTH_MAX      16 /* 2 children a page would be 65,536 leaves; real ones have hundreds */
#define DIRECT_ALIGN   ((size_t)4096)
#define META_TRIES     8 /* a commit may be writing it */

struct table {
    unsigned depth;
    uint64_t pair_count;
    uint64_t root;
};

struct slg_pages {
    int fd;
    bool direct;
    size_t page_bytes;
    uint64_t last_page; /* of the snapshot */
    struct table main;
    uint64_t bytes_read;
    size_t value_bytes_max;
    uint8_t *levels; /* DEPTH_MAX pages: those from the root to the one in hand */
    uint8_t *value;
    size_t value_capacity;
};

/* ---- the file ---- */

/* len bytes at offset, or why not: IO. */
static enum slg_status read_at(struct slg_pages *pages, uint64_t offset, uint8_t *into, size_t len)
{
    size_t done = 0;

    while (done < len) {
        ssize_t n = pread(pages->fd, into + done, len - done, (off_t)(offset + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EINVAL && pages->direct) { /* it promised and does not */
            pages->direct = false;
            if (fcntl(pages->fd, F_SETFL, 0) != 0)
                return SLG_IO;
            continue;
        }
        if (n <= 0)
            return SLG_IO;
        done += (size_t)n;
        pages->bytes_read += (uint64_t)n;
    }
    return SLG_OK;
}

static enum slg_status read_page(struct slg_pages *pages, uint64_t number, uint8_t *into)
{
    return read_at(pages, number * pages->page_bytes, into, pages->page_bytes);
}

static bool take_table(const uint8_t *at, struct table *ret_table)
{
    ret_table->depth = slg_lmdb_load_u16(at + TABLE_DEPTH_AT);
    ret_table->pair_count = slg_lmdb_load_u64(at + TABLE_PAIRS_AT);
    ret_table->root = slg_lmdb_load_u64(at + TABLE_ROOT_AT);
    return (ret_table->root == NO_PAGE) == (ret_table->depth == 0) &&
           (ret_table->root != NO_PAGE || ret_table->pair_count == 0) &&
           ret_table->depth <= DEPTH_MAX;
}

static bool check_meta(const struct slg_pages *pages, const uint8_t *page, uint64_t number,
                       struct slg_lmdb_meta *ret_meta)
{
    return slg_lmdb_load_u64(page) == number &&
           (slg_lmdb_load_u16(page + PAGE_FLAGS_AT) & KIND_MASK) == KIND_META &&
           slg_lmdb_meta_read(page, ret_meta) && ret_meta->page_bytes == pages->page_bytes;
}

enum slg_status slg_pages_snapshot(struct slg_pages *pages, struct slg_error *reterr)
{
    for (int i = 0; i < META_TRIES; i++) {
        uint8_t *at[2] = { pages->levels, pages->levels + pages->page_bytes };
        struct slg_lmdb_meta metas[2];
        size_t newer;

        if (read_page(pages, 0, at[0]) != SLG_OK || read_page(pages, 1, at[1]) != SLG_OK)
            return slg_errorf(reterr, SLG_CORRUPT, "the meta pages cannot be read");
        if (!check_meta(pages, at[0], 0, &metas[0]) || !check_meta(pages, at[1], 1, &metas[1]))
            continue;
        newer = metas[1].txn_id > metas[0].txn_id;
        pages->last_page = metas[newer].last_page;
        if (pages->last_page >= FIRST_PAGE - 1 &&
            pages->last_page < INT64_MAX / SLG_LMDB_PAGE_BYTES_MAX &&
            take_table(at[newer] + SLG_LMDB_META_MAIN_AT, &pages->main))
            return SLG_OK;
    }
    return slg_errorf(reterr, SLG_CORRUPT, "the meta pages are damaged");
}

/* The page size that the file says it has. */
static enum slg_status read_page_size(struct slg_pages *pages, struct slg_error *reterr)
{
    struct slg_lmdb_meta meta;

    if (read_at(pages, 0, pages->levels, DIRECT_ALIGN) != SLG_OK)
        return slg_errorf(reterr, SLG_CORRUPT, "the first page cannot be read");
    if (!slg_lmdb_meta_read(pages->levels, &meta))
        return slg_errorf(reterr, SLG_CORRUPT, "the file is not LMDB's");
    pages->page_bytes = meta.page_bytes;
    return SLG_OK;
}

static int open_file(const char *path, bool *ret_direct)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECT);

    *ret_direct = fd >= 0;
    return fd >= 0 || errno != EINVAL ? fd : open(path, O_RDONLY | O_CLOEXEC);
}

enum slg_status slg_pages_open(const char *path, size_t value_bytes_max,
                               struct slg_pages **ret_pages, struct slg_error *reterr)
{
    struct slg_pages *pages = calloc(1, sizeof(*pages));
    enum slg_status status = SLG_OK;

    if (pages == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory to read a file");
    pages->value_bytes_max = value_bytes_max;
    pages->value_capacity = (value_bytes_max + PAGE_HEAD + SLG_LMDB_PAGE_BYTES_MAX) /
                            SLG_LMDB_PAGE_BYTES_MAX * SLG_LMDB_PAGE_BYTES_MAX;
    pages->fd = open_file(path, &pages->direct);
    if (pages->fd < 0)
        status = slg_errorf(reterr, errno == ENOENT ? SLG_NOT_FOUND : SLG_IO,
                            "could not open \"%s\": %s", path, strerror(errno));
    pages->levels = aligned_alloc(DIRECT_ALIGN, (size_t)DEPTH_MAX * SLG_LMDB_PAGE_BYTES_MAX);
    pages->value = aligned_alloc(DIRECT_ALIGN, pages->value_capacity);
    if (status == SLG_OK && (pages->levels == NULL || pages->value == NULL))
        status = slg_errorf(reterr, SLG_NO_MEMORY, "no memory to read a file");
    if (status == SLG_OK)
        status = read_page_size(pages, reterr);
    if (status != SLG_OK) {
        slg_pages_close(pages);
        return status;
    }
    *ret_pages = pages;
    return SLG_OK;
}

void slg_pages_close(struct slg_pages *pages)
{
    if (pages == NULL)
        return;
    if (pages->fd >= 0)
        (void)close(pages->fd); /* only read from */
    free(pages->levels);
    free(pages->value);
    free(pages);
}

uint64_t slg_pages_bytes(const struct slg_pages *pages)
{
    return pages->bytes_read;
}

/* ---- pages ---- */

static size_t node_count(const uint8_t *page)
{
    return (size_t)(slg_lmdb_load_u16(page + PAGE_LOWER_AT) - PAGE_HEAD) / 2;
}

static const uint8_t *node_at(const uint8_t *page, size_t index)
{
    return page + slg_lmdb_load_u16(page + PAGE_HEAD + 2 * index);
}

static struct slg_kv_bytes node_key(const uint8_t *node)
{
    return (struct slg_kv_bytes){ .at = node + NODE_HEAD, .len = slg_lmdb_load_u16(node + 6) };
}

static uint64_t node_child(const uint8_t *node)
{
    return slg_lmdb_load_u32(node) | (uint64_t)slg_lmdb_load_u16(node + 4) << 32;
}

static int compare_keys(struct slg_kv_bytes a, struct slg_kv_bytes b)
{
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool is_child(const struct slg_pages *pages, uint64_t number)
{
    return number >= FIRST_PAGE && number <= pages->last_page;
}

/* One node that begins inside of the page: does it end there? */
static bool check_node(const struct slg_pages *pages, const uint8_t *page, size_t offset, bool leaf)
{
    const uint8_t *node = page + offset;
    size_t left = pages->page_bytes - offset - NODE_HEAD;
    size_t key_len = slg_lmdb_load_u16(node + 6);
    unsigned flags = slg_lmdb_load_u16(node + 4);

    if (key_len > SLG_KV_KEY_BYTES_MAX || key_len > left)
        return false;
    if (!leaf)
        return is_child(pages, node_child(node));
    if (key_len == 0 || (flags & ~(NODE_LARGE | NODE_TABLE)) != 0)
        return false;
    if ((flags & NODE_LARGE) == 0)
        return slg_lmdb_load_u32(node) <= left - key_len;
    return left - key_len >= 8 && slg_lmdb_load_u32(node) <= pages->value_bytes_max &&
           is_child(pages, slg_lmdb_load_u64(node + NODE_HEAD + key_len));
}

/* Everything that this page alone can tell. Keys ascend; the first of a branch says nothing. */
static bool check_page(const struct slg_pages *pages, const uint8_t *page, uint64_t number,
                       bool leaf)
{
    size_t lower = slg_lmdb_load_u16(page + PAGE_LOWER_AT),
           upper = slg_lmdb_load_u16(page + PAGE_UPPER_AT);

    if (slg_lmdb_load_u64(page) != number ||
        (slg_lmdb_load_u16(page + PAGE_FLAGS_AT) & KIND_MASK) != (leaf ? KIND_LEAF : KIND_BRANCH) ||
        lower < PAGE_HEAD + 2 || (lower - PAGE_HEAD) % 2 != 0 || lower > upper ||
        upper > pages->page_bytes)
        return false;
    for (size_t i = 0; i < node_count(page); i++) {
        size_t offset = slg_lmdb_load_u16(page + PAGE_HEAD + 2 * i);

        if (offset < upper || offset + NODE_HEAD > pages->page_bytes ||
            !check_node(pages, page, offset, leaf))
            return false;
        if (i > (leaf ? 0 : 1) &&
            compare_keys(node_key(node_at(page, i - 1)), node_key(page + offset)) >= 0)
            return false;
    }
    return true;
}

/* ---- one walk ---- */

struct walk {
    struct slg_pages *pages;
    const struct slg_pages_walk *options;
    struct table table;
    size_t at[DEPTH_MAX]; /* the node in hand of each level */
    uint64_t visited_pages;
    uint64_t pair_count;
    uint8_t last_key[SLG_KV_KEY_BYTES_MAX];
    size_t last_key_len;
    struct slg_error *reterr;
};

static enum slg_status say_damaged(const struct walk *walk, uint64_t number, const char *what)
{
    return slg_errorf(walk->reterr, SLG_CORRUPT, "table \"%s\": page %" PRIu64 " %s",
                      walk->options->table, number, what);
}

static uint8_t *level_page(const struct walk *walk, unsigned level)
{
    return walk->pages->levels + (size_t)level * walk->pages->page_bytes;
}

static struct slg_kv_bytes from_key(const struct walk *walk)
{
    return (struct slg_kv_bytes){ .at = walk->options->from, .len = walk->options->from_len };
}

/* Where to begin in a page: the last child of a branch that may hold `from`, the first pair of a leaf that is not below. */
static size_t first_node(const struct walk *walk, const uint8_t *page, bool leaf)
{
    size_t count = node_count(page), at = 0;

    if (walk->options->from_len == 0)
        return 0;
    while (at < count && (at == 0 && !leaf ? true
                                           : compare_keys(node_key(node_at(page, at)),
                                                          from_key(walk)) < (leaf ? 0 : 1)))
        at++;
    return leaf || at == 0 ? at : at - 1;
}

/* seek: the walk has not reached `from` yet. */
static enum slg_status enter_page(struct walk *walk, unsigned level, uint64_t number, bool seek)
{
    bool leaf = level + 1 == walk->table.depth;
    uint8_t *page = level_page(walk, level);

    if (++walk->visited_pages > walk->pages->last_page)
        return say_damaged(walk, number, "is met again");
    if (read_page(walk->pages, number, page) != SLG_OK)
        return say_damaged(walk, number, "cannot be read");
    if (!check_page(walk->pages, page, number, leaf))
        return say_damaged(walk, number, "is damaged");
    walk->at[level] = seek ? first_node(walk, page, leaf) : 0;
    return SLG_OK;
}

/* A value with pages of its own: its head must be sound, for LMDB believes it. */
static enum slg_status read_large(struct walk *walk, uint64_t number, size_t len,
                                  struct slg_pages_pair *pair)
{
    struct slg_pages *pages = walk->pages;
    uint64_t count = (len + PAGE_HEAD + pages->page_bytes - 1) / pages->page_bytes;

    if (number + count - 1 > pages->last_page)
        return say_damaged(walk, number, "begins a value behind the end");
    pair->value.len = len;
    if (!walk->options->large_values)
        return SLG_OK;
    if (read_at(pages, number * pages->page_bytes, pages->value,
                (size_t)count * pages->page_bytes) != SLG_OK) {
        if (read_page(pages, number, pages->value) != SLG_OK)
            return say_damaged(walk, number, "cannot be read");
        pair->unreadable = true;
    }
    if (slg_lmdb_load_u64(pages->value) != number ||
        (slg_lmdb_load_u16(pages->value + PAGE_FLAGS_AT) & KIND_MASK) != KIND_LARGE ||
        slg_lmdb_load_u32(pages->value + PAGE_PAGES_AT) != count)
        return say_damaged(walk, number, "is damaged");
    pair->value.at = pair->unreadable ? NULL : pages->value + PAGE_HEAD;
    return SLG_OK;
}

static enum slg_status give_pair(struct walk *walk, const uint8_t *node)
{
    struct slg_pages_pair pair = { .key = node_key(node) };
    const struct slg_kv_bytes last = { .at = walk->last_key, .len = walk->last_key_len };
    size_t len = slg_lmdb_load_u32(node);
    enum slg_status status = SLG_OK;

    if (last.len > 0 && compare_keys(last, pair.key) >= 0)
        return say_damaged(walk, 0, "or one before has keys out of order");
    memcpy(walk->last_key, pair.key.at, pair.key.len);
    walk->last_key_len = pair.key.len;
    walk->pair_count++;
    if ((slg_lmdb_load_u16(node + 4) & NODE_LARGE) != 0)
        status = read_large(walk, slg_lmdb_load_u64(pair.key.at + pair.key.len), len, &pair);
    else
        pair.value = (struct slg_kv_bytes){ .at = pair.key.at + pair.key.len, .len = len };
    return status == SLG_OK ? walk->options->visit(walk->options->ctx, &pair) : status;
}

/* Depth first, with the pages from the root to the leaf in hand. */
static enum slg_status walk_tree(struct walk *walk)
{
    unsigned depth = walk->table.depth, level = 0;
    bool seek = walk->options->from_len > 0;
    enum slg_status status;

    if (depth == 0)
        return SLG_OK;
    if (!is_child(walk->pages, walk->table.root))
        return say_damaged(walk, walk->table.root, "is no root");
    status = enter_page(walk, 0, walk->table.root, seek);
    while (status == SLG_OK) {
        const uint8_t *page = level_page(walk, level);
        size_t at = walk->at[level]++;

        if (at >= node_count(page)) {
            if (level == 0)
                break;
            level--;
        } else if (level + 1 < depth) {
            level++;
            status = enter_page(walk, level, node_child(node_at(page, at)), seek);
            seek = seek && level + 1 < depth; /* only the first leaf is entered midway */
        } else {
            status = give_pair(walk, node_at(page, at));
        }
    }
    if (status == SLG_OK && walk->options->from_len == 0 &&
        walk->pair_count != walk->table.pair_count)
        return slg_errorf(walk->reterr, SLG_CORRUPT,
                          "table \"%s\" has %" PRIu64 " pairs where %" PRIu64 " should be",
                          walk->options->table, walk->pair_count, walk->table.pair_count);
    return status;
}

/* ---- finding a table ---- */

struct search {
    const char *name;
    struct table found;
    bool damaged;
};

static enum slg_status match_table(void *ctx, const struct slg_pages_pair *pair)
{
    struct search *search = ctx;

    if (pair->key.len != strlen(search->name) ||
        memcmp(pair->key.at, search->name, pair->key.len) != 0)
        return SLG_OK;
    search->damaged = pair->value.at == NULL || pair->value.len != TABLE_BYTES ||
                      !take_table(pair->value.at, &search->found);
    return SLG_NOT_FOUND; /* ends the walk */
}

enum slg_status slg_pages_walk(struct slg_pages *pages, const struct slg_pages_walk *options,
                               struct slg_error *reterr)
{
    struct search search = { .name = options->table };
    const struct slg_pages_walk main = { .table = "main", .visit = match_table, .ctx = &search };
    struct walk walk = { .pages = pages, .options = &main, .table = pages->main, .reterr = reterr };
    enum slg_status status = walk_tree(&walk);

    if (status == SLG_OK)
        return slg_errorf(reterr, SLG_NOT_FOUND, "there is no table \"%s\"", options->table);
    if (status != SLG_NOT_FOUND)
        return status;
    if (search.damaged)
        return slg_errorf(reterr, SLG_CORRUPT, "the record of table \"%s\" is damaged",
                          options->table);
    walk = (struct walk){
        .pages = pages, .options = options, .table = search.found, .reterr = reterr
    };
    return walk_tree(&walk);
}
