#include "querier/volumes.h"

#include <stdlib.h>

#include "logql/eval/series.h"

static int compare_volume_labels(const void *left, const void *right)
{
    const struct slg_volume *a = left, *b = right;

    return slg_label_set_compare(&a->labels, &b->labels);
}

static int compare_volume_bytes(const void *left, const void *right)
{
    const struct slg_volume *a = left, *b = right;

    if (a->bytes != b->bytes)
        return a->bytes > b->bytes ? -1 : 1;
    return slg_label_set_compare(&a->labels, &b->labels);
}

static bool is_target(const struct slg_volume_rule *rule, struct slg_text name)
{
    if (rule->all_labels && !rule->explicit_targets)
        return true;
    for (size_t i = 0; i < rule->target_count; i++) {
        if (slg_text_equal(rule->targets[i], name))
            return true;
    }
    return false;
}

/* Items and volumes have room for all labels of the stream, volumes for one at least. */
static size_t volumes_of_stream(const struct slg_volume_rule *rule, const struct slg_volume *stream,
                                struct slg_label *items, struct slg_volume *volumes)
{
    size_t picked = 0;

    for (size_t i = 0; i < stream->labels.count; i++) {
        bool target = is_target(rule, stream->labels.items[i].name);

        if (rule->by_label && rule->explicit_targets && !target)
            continue;
        if (!rule->by_label && !target)
            continue;
        items[picked] = stream->labels.items[i];
        if (rule->by_label) {
            items[picked].value = slg_text_make("", 0);
            volumes[picked] = (struct slg_volume){ { &items[picked], 1 }, stream->bytes };
        }
        picked++;
    }
    if (rule->by_label)
        return picked;
    volumes[0] = (struct slg_volume){ { items, picked }, stream->bytes };
    return picked > 0 ? 1 : 0;
}

enum slg_status slg_volumes_sum(struct slg_arena *arena, const struct slg_volume_rule *rule,
                                const struct slg_volume *streams, size_t stream_count,
                                struct slg_volume **ret_volumes, size_t *ret_count)
{
    size_t room = 1, count = 0, used = 0, kept = 0;
    struct slg_volume *volumes;
    struct slg_label *items;

    for (size_t i = 0; i < stream_count; i++)
        room += streams[i].labels.count;
    items = slg_arena_calloc(arena, room, sizeof(*items));
    volumes = slg_arena_calloc(arena, room, sizeof(*volumes));
    if (items == NULL || volumes == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < stream_count; i++) {
        count += volumes_of_stream(rule, &streams[i], &items[used], &volumes[count]);
        used += streams[i].labels.count;
    }
    qsort(volumes, count, sizeof(*volumes), compare_volume_labels);
    for (size_t i = 1; i < count; i++) {
        if (slg_label_set_compare(&volumes[kept].labels, &volumes[i].labels) == 0)
            volumes[kept].bytes += volumes[i].bytes;
        else
            volumes[++kept] = volumes[i];
    }
    count = count == 0 ? 0 : kept + 1;
    qsort(volumes, count, sizeof(*volumes), compare_volume_bytes);
    *ret_volumes = volumes;
    *ret_count = count > rule->limit ? rule->limit : count;
    return SLG_OK;
}

enum slg_status slg_volume_read_targets(struct slg_volume_rule *rule, struct slg_text list,
                                        struct slg_error *reterr)
{
    rule->explicit_targets = true;
    while (list.len > 0) {
        const char *comma = memchr(list.at, ',', list.len);
        size_t len = comma == NULL ? list.len : (size_t)(comma - list.at);

        if (rule->target_count == SLG_VOLUME_TARGETS_MAX)
            return slg_errorf(reterr, SLG_LIMIT, "more than %zu target labels",
                              SLG_VOLUME_TARGETS_MAX);
        rule->targets[rule->target_count++] = slg_text_make(list.at, len);
        len += comma != NULL;
        list = slg_text_make(list.at + len, list.len - len);
    }
    return SLG_OK;
}
