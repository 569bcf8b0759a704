/* An LMDB file with bytes altered, cut or doubled: walking it page by page ends, and reads nothing but the file. The input is a
 * list of patches of a file that LMDB wrote: offset u24, length u8, bytes; the first byte cuts the file by so many 64ths.
 * Covers: pages.c */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "storer/pages.h"

#define FILE_BYTES_MAX ((size_t)256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t original[FILE_BYTES_MAX];
static size_t original_len;

static const char *const tables[] = { "batches", "ids" };

/* 90 small pairs and 3 large ones in each table: two levels. */
static void make_original(void)
{
    static uint8_t value[9000];
    char path[] = "/tmp/silage-fuzz-pages-XXXXXX", lock[64];
    int fd = mkstemp(path);
    struct slg_kv_options options = {
        .path = path, .map_bytes = 4 << 20, .tables = tables, .table_count = 2, .create = true
    };
    struct slg_kv_txn *txn;
    struct slg_kv *kv;
    ssize_t n;

    SLG_ASSERT(fd >= 0);
    SLG_ASSERT(slg_kv_open(&options, &kv, NULL) == SLG_OK);
    SLG_ASSERT(slg_kv_begin_write(kv, &txn, NULL) == SLG_OK);
    for (uint8_t i = 1; i < 94; i++) {
        uint8_t key[8] = { 0, 0, 0, 0, 0, 0, 0, i };
        size_t len = i % 31 == 0 ? sizeof(value) - i : 100;

        SLG_ASSERT(slg_kv_put(txn, i % 2, SLG_KV_PUT, key, 8, value, len) == SLG_OK);
    }
    SLG_ASSERT(slg_kv_commit(txn, NULL) == SLG_OK);
    slg_kv_close(kv);
    n = pread(fd, original, sizeof(original), 0);
    SLG_ASSERT(n > 8192);
    original_len = (size_t)n;
    (void)close(fd);
    (void)unlink(path);
    (void)snprintf(lock, sizeof(lock), "%s-lock", path);
    (void)unlink(lock);
}

static enum slg_status touch(void *ctx, const struct slg_pages_pair *pair)
{
    uint64_t *sum = ctx;

    for (size_t i = 0; i < pair->key.len; i++)
        *sum += pair->key.at[i];
    for (size_t i = 0; pair->value.at != NULL && i < pair->value.len; i++)
        *sum += pair->value.at[i];
    return SLG_OK;
}

static size_t patch(uint8_t *bytes, const uint8_t *data, size_t size)
{
    size_t len = original_len - original_len * (data[0] % 64) / 64;

    memcpy(bytes, original, original_len);
    for (size_t at = 1; at + 4 < size;) {
        size_t offset =
            ((size_t)data[at] << 16 | (size_t)data[at + 1] << 8 | data[at + 2]) % original_len;
        size_t n = data[at + 3] % 16U + 1;

        at += 4;
        for (size_t i = 0; i < n && at < size && offset + i < original_len; i++)
            bytes[offset + i] = data[at++];
    }
    return len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[FILE_BYTES_MAX];
    struct slg_pages *pages;
    char path[64];
    uint64_t sum = 0;
    size_t len;
    int fd;

    if (original_len == 0)
        make_original();
    if (size == 0)
        return 0;
    len = patch(bytes, data, size);
    fd = memfd_create("pages", 0);
    SLG_ASSERT(fd >= 0);
    SLG_ASSERT(write(fd, bytes, len) == (ssize_t)len);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (slg_pages_open(path, 64 * 1024, &pages, NULL) == SLG_OK) {
        for (size_t i = 0; i < 4 && slg_pages_snapshot(pages, NULL) == SLG_OK; i++) {
            static const uint8_t from[8] = { 0, 0, 0, 0, 0, 0, 0, 40 };
            const struct slg_pages_walk walk = { .table = tables[i % 2],
                                                 .from = from,
                                                 .from_len = i < 2 ? 0 : sizeof(from),
                                                 .large_values = i < 3,
                                                 .visit = touch,
                                                 .ctx = &sum };

            (void)slg_pages_walk(pages, &walk, NULL); /* whatever it says */
        }
        SLG_ASSERT(slg_pages_bytes(pages) > 0); /* it was opened by its first page */
        slg_pages_close(pages);
    }
    (void)close(fd);
    return 0;
}
