/* Bodies of pages come from other processes: no bytes may crash the reader, and what it accepts can be written again.
 * Covers: page.c page_decode.c */
#include "logql/plan/page.h"

#define ARENA_BYTES  ((size_t)64 << 20)
#define WRITER_BYTES ((size_t)64 << 20)
#define TINY_BYTES   ((size_t)512)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_again(struct slg_page_writer *w, const struct slg_page *page, struct slg_buf *out)
{
    struct slg_origin_table origins = { .origins = (struct slg_origin *)(uintptr_t)page->origins,
                                        .count = page->origin_count };

    slg_page_writer_start(w, page->kind, page->accumulator);
    for (size_t i = 0; i < page->row_count; i++)
        slg_page_writer_row(w, &page->rows[i]);
    SLG_ASSERT(slg_page_writer_row_count(w) <= page->row_count);
    for (size_t i = 0; i < page->series_count; i++) {
        slg_page_writer_series(w, &page->series[i].labels);
        for (size_t k = 0; k < page->series[i].count; k++) {
            if (page->kind == SLG_PAGE_SAMPLES) {
                slg_page_writer_sample(w, NULL, &page->series[i].samples[k]);
            } else {
                slg_page_writer_partial(w, &origins, &page->series[i].partials[k]);
            }
        }
    }
    if (page->kind == SLG_PAGE_ERROR)
        slg_page_writer_error(w, page->error);
    if (slg_page_writer_finish(w, out, NULL) != SLG_OK)
        slg_buf_clear(out); /* the budget ended */
}

/* A writer with little memory refuses or writes; one with a limit keeps no more rows than that. */
static void check_limits(const struct slg_page *page)
{
    struct slg_page_writer *tiny = slg_page_writer_create(TINY_BYTES);
    struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
    struct slg_buf out;

    SLG_ASSERT(tiny != NULL);
    SLG_ASSERT(w != NULL);
    slg_buf_init(&out, WRITER_BYTES);
    write_again(tiny, page, &out);
    slg_buf_clear(&out);
    if (page->kind == SLG_PAGE_LOG) {
        slg_page_writer_start(w, page->kind, page->accumulator);
        slg_page_writer_limit(w, page->row_count / 2);
        for (size_t i = 0; i < page->row_count; i++)
            slg_page_writer_row(w, &page->rows[i]);
        if (slg_page_writer_finish(w, &out, NULL) == SLG_OK)
            SLG_ASSERT(slg_page_writer_row_count(w) <= page->row_count / 2);
        (void)slg_page_writer_bytes(w); /* an estimate */
    }
    slg_buf_fini(&out);
    slg_page_writer_destroy(w);
    slg_page_writer_destroy(tiny);
    slg_page_writer_destroy(NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slg_arena *arena = slg_arena_create(ARENA_BYTES);
    struct slg_page page, again;

    if (arena != NULL && slg_page_decode(arena, data, size, &page, NULL) == SLG_OK) {
        struct slg_page_writer *w = slg_page_writer_create(WRITER_BYTES);
        struct slg_buf out;

        check_limits(&page);
        SLG_ASSERT(w != NULL);
        slg_buf_init(&out, WRITER_BYTES);
        write_again(w, &page, &out);
        if (out.len > 0 && slg_page_decode(arena, out.data, out.len, &again, NULL) == SLG_OK) {
            SLG_ASSERT(again.row_count == page.row_count);
            SLG_ASSERT(again.series_count == page.series_count);
        }
        slg_buf_fini(&out);
        slg_page_writer_destroy(w);
    }
    slg_arena_destroy(arena);
    return 0;
}
