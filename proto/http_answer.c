/* Answers that are made of others. */
#include "base/metric.h"
#include "proto/http.h"

#define METRICS_BYTES_MAX ((size_t)4 * 1024 * 1024)

void slg_http_answer_text(struct slg_http_request *request, unsigned code, const char *text)
{
    struct slg_buf line;

    slg_buf_init(&line, strlen(text) + 2);
    slg_buf_append_text(&line, text);
    slg_buf_append_byte(&line, '\n');
    slg_http_answer_header(request, "X-Content-Type-Options", "nosniff");
    slg_http_answer(request, code, "text/plain; charset=utf-8", line.data, line.len);
    slg_buf_fini(&line);
}

void slg_http_answer_metrics(struct slg_http_request *request, struct slg_metric_registry *registry)
{
    struct slg_buf out;

    slg_buf_init(&out, METRICS_BYTES_MAX);
    slg_metric_write(registry, &out);
    if (slg_buf_failed(&out))
        slg_http_answer_text(request, 500, "the metrics are over 4 MiB");
    else
        slg_http_answer(request, 200, SLG_METRIC_CONTENT_TYPE, out.data, out.len);
    slg_buf_fini(&out);
}
