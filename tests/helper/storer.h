/* tests/helper/storer.h - batches and data directories for tests of the storer. */
#ifndef SLG_TESTS_HELPER_STORER_H
#define SLG_TESTS_HELPER_STORER_H

#include "tests/helper/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "proto/batch.h"

#define TEST_HOUR_NS   (INT64_C(3600) * SLG_NS_PER_SEC)
/* 2026-01-01T00:00:00Z, the window that tests write to. */
#define TEST_WINDOW_NS (INT64_C(1767225600) * SLG_NS_PER_SEC)

struct test_entry {
    int64_t offset_ns; /* from the start of the window */
    const char *app;   /* the stream {app="..."} */
    const char *line;
    enum slg_entry_kind kind;
    const char *metadata; /* value of "m", or NULL */
};

static inline struct slg_shard_id test_shard(int64_t window_index)
{
    return (struct slg_shard_id){ .window_ns = TEST_WINDOW_NS + window_index * TEST_HOUR_NS,
                                  .length_ns = TEST_HOUR_NS,
                                  .slot = 0,
                                  .slot_count = 1 };
}

static inline struct slg_incarnation test_incarnation(uint8_t n)
{
    struct slg_incarnation incarnation;

    memset(incarnation.bytes, n, sizeof(incarnation.bytes));
    return incarnation;
}

/* Encode entries as one batch of the shard into out. */
static inline void test_encode_batch(struct slg_buf *out, const struct slg_shard_id *shard,
                                     uint8_t incarnation, uint64_t sequence,
                                     const struct test_entry *entries, size_t count)
{
    struct slg_incarnation id = test_incarnation(incarnation);
    struct slg_text tenant = slg_text_of("fake");
    struct slg_batch_builder *builder;

    assert_int_equal(slg_batch_builder_create(tenant, SLG_BATCH_SEAL_BYTES, &builder), SLG_OK);
    slg_batch_builder_start(builder, shard);
    for (size_t i = 0; i < count; i++) {
        struct slg_label app = { slg_text_of("app"), slg_text_of(entries[i].app) };
        struct slg_label m = { slg_text_of("m"), slg_text_of("") };
        struct slg_label_set set = { &app, 1 };
        struct slg_entry entry = { .ts_ns = shard->window_ns + entries[i].offset_ns,
                                   .kind = entries[i].kind,
                                   .line = slg_text_of(entries[i].line) };
        struct slg_stream_id stream;
        struct slg_buf canonical;

        slg_buf_init(&canonical, SLG_LABEL_SET_BYTES_MAX);
        slg_label_encode(&canonical, &set);
        stream = slg_stream_id_of(tenant, canonical.data, canonical.len);
        assert_int_equal(slg_batch_builder_stream(builder, &stream, canonical.data, canonical.len,
                                                  &entry.stream_index),
                         SLG_OK);
        if (entries[i].metadata != NULL) {
            m.value = slg_text_of(entries[i].metadata);
            entry.metadata = (struct slg_label_set){ &m, 1 };
        }
        assert_int_equal(slg_batch_builder_append(builder, &entry), SLG_OK);
        slg_buf_fini(&canonical);
    }
    assert_int_equal(slg_batch_builder_seal(builder, &id, sequence, 1, out), SLG_OK);
    slg_batch_builder_destroy(builder);
}

/* A batch of one line. */
static inline void test_encode_line(struct slg_buf *out, const struct slg_shard_id *shard,
                                    uint8_t incarnation, uint64_t sequence, const char *line)
{
    const struct test_entry entry = { .offset_ns = (int64_t)sequence * SLG_NS_PER_MS,
                                      .app = "a",
                                      .line = line };

    test_encode_batch(out, shard, incarnation, sequence, &entry, 1);
}

/* A fresh directory below $TMPDIR or /tmp; free() the path after test_remove_tree. */
static inline char *test_make_directory(void)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(256);

    assert_non_null(path);
    (void)snprintf(path, 256, "%s/silage-test-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void test_join(char path[1024], const char *directory, const char *name)
{
    int len = snprintf(path, 1024, "%s/%s", directory, name);

    assert_true(len > 0);
    assert_true(len < 1024);
}

/* Remove a tree of at most `depth` levels of directories. */
static inline void test_remove_tree(const char *path, int depth) /* NOLINT(misc-no-recursion) */
{
    DIR *dir = opendir(path);
    struct dirent *item;

    if (dir == NULL)
        return;
    while ((item = readdir(dir)) != NULL) {
        char child[1024];

        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        test_join(child, path, item->d_name);
        if (unlink(child) != 0 && depth > 0)
            test_remove_tree(child, depth - 1);
    }
    closedir(dir);
    (void)rmdir(path);
}

static inline void test_drop_directory(char *path)
{
    test_remove_tree(path, 4);
    free(path);
}

static inline void test_copy_file(const char *from, const char *to)
{
    char chunk[65536];
    int in = open(from, O_RDONLY);
    int out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n;

    assert_true(in >= 0);
    assert_true(out >= 0);
    while ((n = read(in, chunk, sizeof(chunk))) > 0)
        assert_int_equal(write(out, chunk, (size_t)n), n);
    close(in);
    close(out);
}

/* Copy a tree: what a power cut would leave is at least this much. */
static inline void test_copy_tree(const char *from, const char *to, int depth) /* NOLINT */
{
    DIR *dir = opendir(from);
    struct dirent *item;

    assert_non_null(dir);
    (void)mkdir(to, 0700);
    while ((item = readdir(dir)) != NULL) {
        char source[1024], target[1024];
        struct stat st;

        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0)
            continue;
        test_join(source, from, item->d_name);
        test_join(target, to, item->d_name);
        if (stat(source, &st) != 0)
            continue; /* renamed away meanwhile */
        if (S_ISDIR(st.st_mode) && depth > 0)
            test_copy_tree(source, target, depth - 1);
        else if (S_ISREG(st.st_mode))
            test_copy_file(source, target);
    }
    closedir(dir);
}

#endif
