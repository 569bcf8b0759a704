#include "ctl/copies.h"

#include <stdlib.h>
#include <string.h>

static int compare_rows(const void *left, const void *right)
{
    const struct slg_copies_row *a = left, *b = right;

    return strcmp(a->shard, b->shard);
}

static void count_shard(const struct slg_copies_row *rows, size_t count, struct slg_copies *sum,
                        int64_t *lag_batches)
{
    int64_t fullest = 0, wanted = 1, copies = 0;
    bool readable = false;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].good && rows[i].batches > fullest)
            fullest = rows[i].batches;
        if (rows[i].wanted > wanted)
            wanted = rows[i].wanted;
        readable = readable || rows[i].good;
    }
    for (size_t i = 0; i < count; i++) {
        copies += rows[i].good && rows[i].owner && fullest - rows[i].batches <= SLG_COPIES_LAG;
        if (rows[i].owner && rows[i].batches < fullest)
            lag_batches[rows[i].node] += fullest - rows[i].batches;
    }
    if (!readable)
        sum->lost++;
    else if (copies < wanted)
        sum->under_replicated++;
    else
        sum->full++;
}

struct slg_copies slg_copies_count(struct slg_copies_row *rows, size_t count, int64_t *lag_batches)
{
    struct slg_copies sum = { 0 };
    size_t end;

    if (count > 0)
        qsort(rows, count, sizeof(*rows), compare_rows);
    for (size_t at = 0; at < count; at = end) {
        end = at + 1;
        while (end < count && strcmp(rows[at].shard, rows[end].shard) == 0)
            end++;
        count_shard(&rows[at], end - at, &sum, lag_batches);
    }
    return sum;
}
