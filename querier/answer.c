#include "querier/answer.h"

#include <time.h>

#include "base/clock.h"
#include "logql/eval/format.h"

#define PIECE_BYTES ((size_t)65536)

enum part {
    PART_HEAD,
    PART_ITEMS,
    PART_TAIL,
    PART_DONE,
};

void slg_answer_seconds(struct slg_buf *out, int64_t ts_ns)
{
    int64_t ms = ts_ns / 1000000;
    int64_t fraction = ms % 1000;

    if (ms < 0 && fraction != 0)
        slg_buf_printf(out, "-%lld.%03lld", (long long)(-ms / 1000), (long long)-fraction);
    else if (fraction != 0)
        slg_buf_printf(out, "%lld.%03lld", (long long)(ms / 1000), (long long)fraction);
    else
        slg_buf_printf(out, "%lld", (long long)(ms / 1000));
    /* 1772438400.500 is 1772438400.5: no zeros at the end, as Go prints floats */
    while (fraction != 0 && !slg_buf_failed(out) && out->data[out->len - 1] == '0')
        out->len--;
}

static const char *type_text(const struct slg_answer *answer)
{
    if (answer->result == NULL)
        return "streams";
    switch (answer->result->kind) {
    case SLG_RESULT_SCALAR:
        return "scalar";
    case SLG_RESULT_VECTOR:
        return "vector";
    case SLG_RESULT_MATRIX:
        return "matrix";
    }
    return "vector";
}

void slg_answer_flags(struct slg_buf *out, struct slg_text flags)
{
    bool first = true;

    slg_buf_append_text(out, ",\"encodingFlags\":[");
    while (flags.len > 0) {
        const char *comma = memchr(flags.at, ',', flags.len);
        size_t len = comma == NULL ? flags.len : (size_t)(comma - flags.at);

        if (!first)
            slg_buf_append_byte(out, ',');
        slg_buf_append_json(out, flags.at, len);
        first = false;
        len += comma != NULL;
        flags = slg_text_make(flags.at + len, flags.len - len);
    }
    slg_buf_append_byte(out, ']');
}

static void print_head(const struct slg_answer *answer, struct slg_buf *out)
{
    if (answer->legacy) {
        slg_buf_append_text(out, "{\"streams\":[");
        return;
    }
    slg_buf_append_text(out, "{\"status\":\"success\"");
    if (answer->warning != NULL) {
        slg_buf_append_text(out, ",\"warnings\":[");
        slg_buf_append_json_text(out, answer->warning);
        slg_buf_append_byte(out, ']');
    }
    slg_buf_printf(out, ",\"data\":{\"resultType\":\"%s\"", type_text(answer));
    if (answer->result == NULL && answer->encoding_flags.len > 0)
        slg_answer_flags(out, answer->encoding_flags);
    slg_buf_append_text(out, ",\"result\":[");
}

void slg_answer_stats(struct slg_buf *out, const struct slg_scan_stats *stats, double exec_seconds)
{
    double seconds = exec_seconds > 0 ? exec_seconds : 1e-9;

    slg_buf_printf(out,
                   ",\"stats\":{\"summary\":{\"bytesProcessedPerSecond\":%.0f,"
                   "\"linesProcessedPerSecond\":%.0f,\"totalBytesProcessed\":%llu,"
                   "\"totalLinesProcessed\":%llu,\"execTime\":%.6f,\"queueTime\":0,"
                   "\"totalEntriesReturned\":%llu}",
                   (double)stats->bytes_read / seconds, (double)stats->lines_read / seconds,
                   (unsigned long long)stats->bytes_read, (unsigned long long)stats->lines_read,
                   exec_seconds, (unsigned long long)stats->lines_kept);
    slg_buf_printf(
        out,
        ",\"querier\":{\"store\":{\"totalChunksRef\":%llu,\"totalChunksDownloaded\":%llu,"
        "\"chunk\":{\"headChunkBytes\":0,\"headChunkLines\":0,\"decompressedBytes\":%llu,"
        "\"decompressedLines\":%llu,\"compressedBytes\":%llu,\"totalDuplicates\":%llu}}}}",
        (unsigned long long)(stats->batches_read + stats->batches_skipped),
        (unsigned long long)stats->batches_read, (unsigned long long)stats->bytes_read,
        (unsigned long long)stats->lines_read, (unsigned long long)stats->bytes_compressed,
        (unsigned long long)stats->duplicates);
}

static void print_summary(const struct slg_answer *answer, struct slg_buf *out)
{
    static const struct slg_scan_stats none = { 0 };

    slg_answer_stats(out, answer->stats != NULL ? answer->stats : &none, answer->exec_seconds);
}

/* ---- streams ---- */

void slg_answer_categories(struct slg_buf *out, const struct slg_label_set *metadata,
                           const struct slg_label_set *parsed)
{
    slg_buf_append_text(out, ",{");
    if (metadata->count > 0) {
        slg_buf_append_text(out, "\"structuredMetadata\":");
        slg_label_print_json(out, metadata);
    }
    if (parsed->count > 0) {
        slg_buf_append_text(out, metadata->count > 0 ? ",\"parsed\":" : "\"parsed\":");
        slg_label_print_json(out, parsed);
    }
    slg_buf_append_byte(out, '}');
}

/* {a="b"} as a text of JSON. */
static void print_label_text(const struct slg_label_set *labels, struct slg_buf *out)
{
    struct slg_buf text;

    slg_buf_init(&text, (size_t)1 << 20);
    slg_label_print(&text, labels);
    slg_buf_append_json(out, text.data, text.len);
    slg_buf_fini(&text);
}

/* RFC 3339 with as many digits of the fraction as it has, as Go prints times. */
static void print_time(int64_t ts_ns, struct slg_buf *out)
{
    time_t seconds = (time_t)(ts_ns / SLG_NS_PER_SEC);
    int64_t fraction = ts_ns % SLG_NS_PER_SEC;
    char text[32];
    struct tm parts;

    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &parts));
    slg_buf_append_text(out, text);
    if (fraction != 0) {
        slg_buf_printf(out, ".%09lld", (long long)fraction);
        while (!slg_buf_failed(out) && out->data[out->len - 1] == '0')
            out->len--;
    }
    slg_buf_append_byte(out, 'Z');
}

static void print_line(const struct slg_stream_row *row, struct slg_buf *out)
{
    struct slg_text line;
    struct slg_buf scratch;

    slg_buf_init(&scratch, row->unpacked_len + (size_t)1);
    if (slg_stream_row_line(row, &scratch, &line) == SLG_OK)
        slg_buf_append_json(out, line.at, line.len);
    else
        out->failed = true; /* no memory for a line */
    slg_buf_fini(&scratch);
}

static void print_legacy_row(const struct slg_stream_row *row, struct slg_buf *out)
{
    slg_buf_append_text(out, "{\"ts\":\"");
    print_time(row->ts_ns, out);
    slg_buf_append_text(out, "\",\"line\":");
    print_line(row, out);
    slg_buf_append_byte(out, '}');
}

static void print_stream_head(const struct slg_answer *answer, const struct slg_stream *stream,
                              struct slg_buf *out)
{
    slg_buf_append_text(out, answer->item == 0 ? "{" : ",{");
    slg_buf_append_text(out, answer->legacy ? "\"labels\":" : "\"stream\":");
    if (answer->legacy)
        print_label_text(&stream->labels, out);
    else
        slg_label_print_json(out, &stream->labels);
    slg_buf_append_text(out, answer->legacy ? ",\"entries\":[" : ",\"values\":[");
}

static void print_row(const struct slg_answer *answer, const struct slg_stream_row *row,
                      struct slg_buf *out)
{
    if (answer->legacy) {
        print_legacy_row(row, out);
        return;
    }
    slg_buf_printf(out, "[\"%lld\",", (long long)row->ts_ns);
    print_line(row, out);
    if (answer->categorize)
        slg_answer_categories(out, &row->metadata, &row->parsed);
    slg_buf_append_byte(out, ']');
}

static void print_streams(struct slg_answer *answer, struct slg_buf *out)
{
    size_t start = out->len;

    while (answer->item < answer->stream_count && !slg_buf_failed(out)) {
        const struct slg_stream *stream = &answer->streams[answer->item];

        if (out->len - start >= PIECE_BYTES)
            return;
        if (answer->row == 0)
            print_stream_head(answer, stream, out);
        for (; answer->row < stream->row_count; answer->row++) {
            if (answer->row > 0 && out->len - start >= PIECE_BYTES)
                return; /* row 0 stays with its head: the next call must not write that again */
            if (answer->row > 0)
                slg_buf_append_byte(out, ',');
            print_row(answer, &stream->rows[answer->row], out);
        }
        slg_buf_append_text(out, "]}");
        answer->item++;
        answer->row = 0;
    }
    answer->part = PART_TAIL;
}

/* ---- metrics ---- */

static void print_point(const struct slg_point *point, struct slg_buf *out)
{
    char value[SLG_FORMAT_FLOAT_BYTES];

    (void)slg_format_float(point->value, value);
    slg_buf_append_byte(out, '[');
    slg_answer_seconds(out, point->ts_ns);
    slg_buf_append_text(out, ",\"");
    slg_buf_append_text(out, value);
    slg_buf_append_text(out, "\"]");
}

static void print_scalar(struct slg_answer *answer, struct slg_buf *out)
{
    const struct slg_point *point = &answer->result->series[0].points[0];
    char value[SLG_FORMAT_FLOAT_BYTES];

    (void)slg_format_float(point->value, value);
    slg_answer_seconds(out, point->ts_ns);
    slg_buf_printf(out, ",\"%s\"", value);
    answer->part = PART_TAIL;
}

static void print_series(struct slg_answer *answer, struct slg_buf *out)
{
    bool matrix = answer->result->kind == SLG_RESULT_MATRIX;
    size_t start = out->len;

    while (answer->item < answer->result->series_count && !slg_buf_failed(out)) {
        const struct slg_series *series = &answer->result->series[answer->item];

        if (out->len - start >= PIECE_BYTES)
            return;
        if (answer->row == 0) {
            slg_buf_append_text(out, answer->item == 0 ? "{\"metric\":" : ",{\"metric\":");
            slg_label_print_json(out, &series->labels);
            slg_buf_append_text(out, matrix ? ",\"values\":[" : ",\"value\":");
        }
        for (; answer->row < series->point_count; answer->row++) {
            if (answer->row > 0 && out->len - start >= PIECE_BYTES)
                return; /* row 0 stays with its head: the next call must not write that again */
            if (answer->row > 0)
                slg_buf_append_byte(out, ',');
            print_point(&series->points[answer->row], out);
        }
        slg_buf_append_text(out, matrix ? "]}" : "}");
        answer->item++;
        answer->row = 0;
    }
    answer->part = PART_TAIL;
}

enum slg_status slg_answer_pull(struct slg_answer *answer, struct slg_buf *out)
{
    if (answer->part == PART_HEAD) {
        print_head(answer, out);
        answer->part = PART_ITEMS;
    }
    if (answer->part == PART_ITEMS) {
        if (answer->result == NULL)
            print_streams(answer, out);
        else if (answer->result->kind == SLG_RESULT_SCALAR)
            print_scalar(answer, out);
        else
            print_series(answer, out);
    }
    if (answer->part == PART_TAIL) {
        slg_buf_append_byte(out, ']');
        print_summary(answer, out);
        slg_buf_append_text(out, answer->legacy ? "}\n" : "}}\n");
        answer->part = PART_DONE;
        return slg_buf_failed(out) ? SLG_LIMIT : SLG_OK;
    }
    if (answer->part == PART_DONE)
        return SLG_NOT_FOUND;
    return slg_buf_failed(out) ? SLG_LIMIT : SLG_OK;
}
