#include "proto/label.h"

#include "base/bytes.h"
#include "base/cursor.h"
#include "base/hash.h"
#include "proto/limits.h"

/* ---- texts ---- */

struct slg_text slg_text_of(const char *text)
{
    return slg_text_make(text, strlen(text));
}

int slg_text_compare(struct slg_text a, struct slg_text b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.at, b.at, common);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool slg_text_equal(struct slg_text a, struct slg_text b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

bool slg_text_equal_to(struct slg_text a, const char *text)
{
    return slg_text_equal(a, slg_text_of(text));
}

/* ---- sets ---- */

static size_t varint_size(uint64_t value)
{
    size_t size = 1;

    for (; value >= 0x80; value >>= 7)
        size++;
    return size;
}

/* Where a text of a message is cut, so that a hostile name does not fill the message. */
static int shown(struct slg_text text)
{
    return text.len > 64 ? 64 : (int)text.len;
}

/* Insertion sort: stable, and few labels are given. */
void slg_label_sort(struct slg_label *items, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct slg_label label = items[i];
        size_t at = i;

        for (; at > 0 && slg_text_compare(items[at - 1].name, label.name) > 0; at--)
            items[at] = items[at - 1];
        items[at] = label;
    }
}

/* The last of equal names stays, if not empty. */
static size_t sort_and_unite(struct slg_label *items, size_t count)
{
    size_t kept = 0;

    slg_label_sort(items, count);
    for (size_t i = 0; i < count; i++) {
        bool last_given = i + 1 == count || !slg_text_equal(items[i].name, items[i + 1].name);

        if (last_given && items[i].value.len > 0)
            items[kept++] = items[i];
    }
    return kept;
}

enum slg_status slg_label_normalize(struct slg_label *items, size_t count, size_t *ret_count,
                                    struct slg_error *reterr)
{
    size_t bytes = 1;

    if (count > SLG_LABEL_INPUT_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "%zu labels given, at most %zu are sorted", count,
                          SLG_LABEL_INPUT_COUNT_MAX);
    count = sort_and_unite(items, count);
    if (count > SLG_LABEL_COUNT_MAX)
        return slg_errorf(reterr, SLG_INVALID, "stream has %zu label names; limit: %zu", count,
                          SLG_LABEL_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        struct slg_text name = items[i].name;
        size_t value_len = items[i].value.len;

        if (name.len == 0)
            return slg_errorf(reterr, SLG_INVALID, "a label name is empty");
        if (name.len > SLG_LABEL_NAME_BYTES_MAX)
            return slg_errorf(reterr, SLG_INVALID, "label name too long: \"%.*s...\" has %zu bytes",
                              shown(name), name.at, name.len);
        if (value_len > SLG_LABEL_VALUE_BYTES_MAX)
            return slg_errorf(reterr, SLG_INVALID,
                              "value of label \"%.*s\" is too long: %zu bytes, limit %zu",
                              shown(name), name.at, value_len, SLG_LABEL_VALUE_BYTES_MAX);
        bytes += varint_size(name.len) + name.len + varint_size(value_len) + value_len;
        if (bytes > SLG_LABEL_SET_BYTES_MAX)
            return slg_errorf(reterr, SLG_INVALID, "label set passes %zu bytes at label \"%.*s\"",
                              SLG_LABEL_SET_BYTES_MAX, shown(name), name.at);
    }
    *ret_count = count;
    return SLG_OK;
}

static bool is_name_start(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_' ||
           byte == ':';
}

bool slg_label_name_valid(struct slg_text name)
{
    if (name.len == 0 || !is_name_start((uint8_t)name.at[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        uint8_t byte = (uint8_t)name.at[i];

        if (!is_name_start(byte) && (byte < '0' || byte > '9'))
            return false;
    }
    return true;
}

bool slg_label_get(const struct slg_label_set *set, struct slg_text name,
                   struct slg_text *ret_value)
{
    for (size_t i = 0; i < set->count; i++) {
        if (slg_text_equal(set->items[i].name, name)) {
            *ret_value = set->items[i].value;
            return true;
        }
    }
    return false;
}

/* ---- canonical bytes, docs/FORMATS.md section 1 ---- */

static void append_text(struct slg_buf *out, struct slg_text text)
{
    slg_buf_append_varint(out, text.len);
    slg_buf_append(out, text.at, text.len);
}

void slg_label_encode(struct slg_buf *out, const struct slg_label_set *set)
{
    SLG_ASSERT(set->count <= SLG_LABEL_COUNT_MAX);
    slg_buf_append_varint(out, set->count);
    for (size_t i = 0; i < set->count; i++) {
        SLG_DASSERT(i == 0 || slg_text_compare(set->items[i - 1].name, set->items[i].name) < 0);
        SLG_DASSERT(set->items[i].value.len > 0);
        append_text(out, set->items[i].name);
        append_text(out, set->items[i].value);
    }
}

/* A varint in its one shortest form. */
static bool take_minimal_varint(struct slg_cursor *c, uint64_t *ret_value)
{
    struct slg_cursor probe = *c;

    if (!slg_cursor_take_varint(&probe, ret_value) ||
        (size_t)(probe.at - c->at) != varint_size(*ret_value))
        return false;
    *c = probe;
    return true;
}

static bool take_text(struct slg_cursor *c, size_t len_max, struct slg_text *ret_text)
{
    const uint8_t *bytes;
    uint64_t len;

    if (!take_minimal_varint(c, &len) || len == 0 || len > len_max ||
        !slg_cursor_take_bytes(c, (size_t)len, &bytes))
        return false;
    *ret_text = slg_text_make(bytes, (size_t)len);
    return true;
}

/* Read one label and see that it comes after `previous` (NULL: it is the first). */
static bool take_label(struct slg_cursor *c, const struct slg_label *previous,
                       struct slg_label *ret_label)
{
    return take_text(c, SLG_LABEL_NAME_BYTES_MAX, &ret_label->name) &&
           take_text(c, SLG_LABEL_VALUE_BYTES_MAX, &ret_label->value) &&
           (previous == NULL || slg_text_compare(previous->name, ret_label->name) < 0);
}

enum slg_status slg_label_decode(struct slg_arena *arena, const uint8_t *bytes, size_t len,
                                 struct slg_label_set *ret_set)
{
    struct slg_cursor c = slg_cursor_make(bytes, len);
    struct slg_label *items;
    uint64_t count;

    if (len > SLG_LABEL_SET_BYTES_MAX || !take_minimal_varint(&c, &count) ||
        count > SLG_LABEL_COUNT_MAX)
        return SLG_MALFORMED;
    items = slg_arena_alloc(arena, (size_t)count * sizeof(*items));
    if (items == NULL)
        return SLG_LIMIT;
    for (size_t i = 0; i < count; i++)
        if (!take_label(&c, i == 0 ? NULL : &items[i - 1], &items[i]))
            return SLG_MALFORMED;
    if (slg_cursor_left(&c) > 0)
        return SLG_MALFORMED;
    *ret_set = (struct slg_label_set){ .items = items, .count = (size_t)count };
    return SLG_OK;
}

bool slg_label_canonical_valid(const uint8_t *bytes, size_t len)
{
    struct slg_cursor c = slg_cursor_make(bytes, len);
    struct slg_label labels[2];
    uint64_t count;

    if (len > SLG_LABEL_SET_BYTES_MAX || !take_minimal_varint(&c, &count) ||
        count > SLG_LABEL_COUNT_MAX)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!take_label(&c, i == 0 ? NULL : &labels[(i - 1) % 2], &labels[i % 2]))
            return false;
    return slg_cursor_left(&c) == 0;
}

/* ---- identity ---- */

struct slg_stream_id slg_stream_id_of(struct slg_text tenant, const uint8_t *canonical, size_t len)
{
    uint8_t tenant_len = (uint8_t)tenant.len; /* a varint, for the limit is below 128 */
    struct slg_hash_piece pieces[] = {
        { .bytes = &tenant_len, .len = 1 },
        { .bytes = tenant.at, .len = tenant.len },
        { .bytes = canonical, .len = len },
    };
    uint8_t digest[32];
    struct slg_stream_id id;

    SLG_ASSERT(tenant.len <= SLG_TENANT_BYTES_MAX);
    slg_hash_sha256_pieces(pieces, SLG_ARRAY_LEN(pieces), digest);
    memcpy(id.bytes, digest, sizeof(id.bytes));
    return id;
}

bool slg_stream_id_equal(const struct slg_stream_id *a, const struct slg_stream_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint16_t slg_stream_slot(const struct slg_stream_id *id, uint16_t slot_count)
{
    uint64_t rest = 0;

    SLG_ASSERT(slot_count > 0);
    /* Four bytes a step: rest < 2^16, so rest << 32 fits. */
    for (size_t i = 0; i < sizeof(id->bytes); i += 4)
        rest = (rest << 32 | slg_bytes_get_u32be(id->bytes + i)) % slot_count;
    return (uint16_t)rest;
}
