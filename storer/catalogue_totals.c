#include "storer/catalogue_damage.h"
#include "storer/catalogue_private.h"

#define REMEMBER_SET_BYTES_MAX ((size_t)4096) /* a set is ~40 bytes for each ingester start */

void slg_catalogue_remember(struct entry *entry, struct slg_shard *shard)
{
    struct slg_batch_set *set = slg_batch_set_create();
    struct slg_shard_read *read = NULL;
    struct slg_shard_totals totals;
    struct slg_buf bytes;

    slg_buf_init(&bytes, REMEMBER_SET_BYTES_MAX);
    entry->remembered = false;
    if (set != NULL && slg_shard_read_begin(shard, &read, NULL) == SLG_OK &&
        slg_shard_read_totals(read, &totals) == SLG_OK && slg_shard_read_set(read, set) == SLG_OK) {
        slg_batch_set_encode(&bytes, set);
        if (!slg_buf_failed(&bytes)) {
            free(entry->set_bytes);
            entry->set_bytes = bytes.data; /* taken over from the buffer */
            entry->set_len = bytes.len;
            entry->totals = totals;
            entry->remembered = true;
            slg_buf_init(&bytes, REMEMBER_SET_BYTES_MAX);
        }
    }
    slg_shard_read_end(read);
    slg_batch_set_destroy(set);
    slg_buf_fini(&bytes);
}

/* Answer from memory; false when the shard has to be read. */
static bool recall(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                   struct slg_shard_totals *ret_totals, uint8_t *set_bytes, size_t *ret_set_len)
{
    struct entry *entry;
    bool known;

    slg_catalogue_lock(catalogue);
    entry = slg_catalogue_find(catalogue, id);
    known = entry != NULL && entry->state == ENTRY_CLOSED && entry->remembered;
    if (known) {
        *ret_totals = entry->totals;
        memcpy(set_bytes, entry->set_bytes, entry->set_len);
        *ret_set_len = entry->set_len;
    }
    slg_catalogue_unlock(catalogue);
    return known;
}

static enum slg_status add_encoded_set(struct slg_batch_set *set, const uint8_t *bytes, size_t len)
{
    struct slg_cursor c = slg_cursor_make(bytes, len);
    struct slg_batch_set *part;
    enum slg_status status = slg_batch_set_decode(&c, &part);

    if (status != SLG_OK)
        return status;
    status = slg_batch_set_union(set, part);
    slg_batch_set_destroy(part);
    return status;
}

static enum slg_status read_totals(struct slg_shard *shard, struct slg_shard_totals *ret_totals,
                                   struct slg_batch_set *set, struct slg_error *reterr)
{
    struct slg_shard_read *read;
    enum slg_status status = slg_shard_read_begin(shard, &read, reterr);

    if (status != SLG_OK)
        return status;
    status = slg_shard_read_totals(read, ret_totals);
    if (status == SLG_OK && set != NULL)
        status = slg_shard_read_set(read, set);
    slg_shard_read_end(read);
    if (status != SLG_OK)
        return slg_errorf(reterr, status, "could not read shard \"%s\": %s",
                          slg_shard_name_of(slg_shard_id_of(shard)).text, slg_status_text(status));
    return SLG_OK;
}

enum slg_status slg_catalogue_totals(struct slg_catalogue *catalogue, const struct slg_shard_id *id,
                                     struct slg_shard_totals *ret_totals, struct slg_batch_set *set,
                                     struct slg_error *reterr)
{
    uint8_t set_bytes[REMEMBER_SET_BYTES_MAX];
    struct slg_shard *shard;
    size_t set_len;
    enum slg_status status;

    if (recall(catalogue, id, ret_totals, set_bytes, &set_len)) {
        status = set == NULL ? SLG_OK : add_encoded_set(set, set_bytes, set_len);
        return status == SLG_OK ? SLG_OK : slg_errorf(reterr, status, "a set is too large");
    }
    status = slg_catalogue_pin(catalogue, id, /* create= */ false, &shard, reterr);
    if (status != SLG_OK)
        return status;
    status = read_totals(shard, ret_totals, set, reterr);
    slg_catalogue_unpin(catalogue, shard);
    if (status == SLG_CORRUPT)
        slg_catalogue_report(catalogue, id);
    return status;
}
