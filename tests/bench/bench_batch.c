/* What a batch costs: ns an entry to append and seal, and to decode, beside a memcpy of the same bytes.
 * Lines of about 200 bytes like a mail log, 40 streams, two items of metadata. Run: build/release/bench/bench_batch */
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "proto/batch.h"

#define LINE_COUNT   4096
#define STREAM_COUNT 40
#define ROUNDS       400

static char lines[LINE_COUNT][256];
static size_t line_lens[LINE_COUNT];
static uint64_t random_state = 88172645463325252u;

static unsigned draw(unsigned below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (unsigned)(random_state % below);
}

static void make_lines(void)
{
    for (size_t i = 0; i < LINE_COUNT; i++)
        line_lens[i] = (size_t)snprintf(
            lines[i], sizeof(lines[i]),
            "%08X%04X: to=<user%u@example%u.org>, relay=mx%u.example%u.org[192.0.2.%u]:25, "
            "delay=%u.%u, delays=0.%02u/0.01/%u.%u/0.%u, dsn=2.0.0, status=sent (250 2.0.0 Ok: "
            "queued as %08X%02X)",
            draw(1u << 31), draw(65536), draw(5000), draw(900), draw(9), draw(900), draw(255),
            draw(30), draw(100), draw(100), draw(30), draw(100), draw(100), draw(1u << 31),
            draw(256));
}

struct bench {
    struct slg_batch_builder *builder;
    struct slg_shard_id shard;
    struct slg_stream_id ids[STREAM_COUNT];
    uint8_t canonical[STREAM_COUNT][16];
    struct slg_buf out;
    size_t entry_count, raw_bytes;
};

static void fill(struct bench *b)
{
    struct slg_label metadata[] = { { slg_text_of("pid"), slg_text_of("12345") },
                                    { slg_text_of("severity"), slg_text_of("info") } };
    struct slg_entry entry = { .ts_ns = b->shard.window_ns, .metadata = { metadata, 2 } };
    enum slg_status status = SLG_OK;

    slg_batch_builder_start(b->builder, &b->shard);
    for (size_t i = 0; status == SLG_OK; i++) {
        size_t stream = (i * 7 + (i >> 5)) % STREAM_COUNT;

        status = slg_batch_builder_stream(b->builder, &b->ids[stream], b->canonical[stream], 12,
                                          &entry.stream_index);
        entry.ts_ns += 1000 + (int64_t)(i % 977) * 1000;
        entry.line = slg_text_make(lines[i % LINE_COUNT], line_lens[i % LINE_COUNT]);
        if (status == SLG_OK)
            status = slg_batch_builder_append(b->builder, &entry);
    }
    b->entry_count = slg_batch_builder_entry_count(b->builder);
    b->raw_bytes = slg_batch_builder_raw_bytes(b->builder);
}

static void copy_lines(const struct bench *b, char *to)
{
    for (size_t i = 0, at = 0; i < b->entry_count; i++) {
        memcpy(to + at, lines[i % LINE_COUNT], line_lens[i % LINE_COUNT]);
        at += line_lens[i % LINE_COUNT];
    }
    __asm__ volatile("" : : "r"(to) : "memory"); /* or the compiler drops the copies */
}

static int64_t now(void)
{
    return slg_clock_mono_ns(slg_clock_system());
}

static void report(const char *what, int64_t total_ns, const struct bench *b)
{
    double per_entry = (double)total_ns / ROUNDS / (double)b->entry_count;

    (void)printf("%-18s %7.1f ns/entry %8.0f MB/s\n", what, per_entry,
                 (double)b->raw_bytes / (double)b->entry_count / per_entry * 1000);
}

static void run(struct bench *b)
{
    struct slg_incarnation incarnation = { .bytes = { 0 } };
    struct slg_arena *arena = slg_arena_create(SLG_BATCH_DECODE_BYTES_MAX);
    char *copy = malloc(SLG_BATCH_RAW_BYTES_MAX);
    int64_t spent[4] = { 0 };

    if (arena == NULL || copy == NULL)
        abort();
    for (int round = 0; round < ROUNDS; round++) {
        const struct slg_batch_view *view;
        int64_t t0 = now(), t1, t2, t3;

        fill(b);
        t1 = now();
        if (slg_batch_builder_seal(b->builder, &incarnation, 1, 1, &b->out) != SLG_OK)
            abort();
        t2 = now();
        slg_arena_reset(arena);
        if (slg_batch_decode(arena, b->out.data, b->out.len, &view) != SLG_OK)
            abort();
        t3 = now();
        copy_lines(b, copy);
        spent[0] += t1 - t0;
        spent[1] += t2 - t1;
        spent[2] += t3 - t2;
        spent[3] += now() - t3;
    }
    (void)printf("%zu entries a batch, %zu bytes raw, %zu sealed: %.1f bytes/entry\n",
                 b->entry_count, b->raw_bytes, b->out.len,
                 (double)b->out.len / (double)b->entry_count);
    report("append", spent[0], b);
    report("seal (LZ4)", spent[1], b);
    report("decode", spent[2], b);
    report("memcpy of lines", spent[3], b);
    slg_arena_destroy(arena);
    free(copy);
}

int main(void)
{
    struct bench b = { .shard = { .window_ns = INT64_C(3600000000000) * 470000,
                                  .length_ns = INT64_C(3600000000000),
                                  .slot_count = 1 } };

    make_lines();
    for (unsigned i = 0; i < STREAM_COUNT; i++) {
        (void)snprintf((char *)b.canonical[i], 16,
                       "\x01\x03"
                       "app\x06"
                       "app-%02u",
                       i);
        b.ids[i] = slg_stream_id_of(slg_text_of("fake"), b.canonical[i], 12);
    }
    slg_buf_init(&b.out, SLG_BATCH_BYTES_MAX);
    if (slg_batch_builder_create(slg_text_of("fake"), SLG_BATCH_SEAL_BYTES, &b.builder) != SLG_OK)
        return 1;
    run(&b);
    slg_buf_fini(&b.out);
    slg_batch_builder_destroy(b.builder);
    return 0;
}
