#include "storer/catalogue_storage.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/random.h>

#include "storer/catalogue_private.h"

#define RECORD_NAME "storage"

const struct slg_storage *slg_catalogue_storage(const struct slg_catalogue *catalogue)
{
    return &catalogue->storage;
}

enum slg_status slg_catalogue_store_storage(struct slg_catalogue *catalogue,
                                            const struct slg_storage *storage,
                                            struct slg_error *reterr)
{
    struct slg_buf out;
    enum slg_status status;

    slg_buf_init(&out, SLG_DISK_SMALL_BYTES_MAX);
    slg_storage_encode(&out, storage);
    status = slg_disk_write_buf(catalogue->data_dir.text, RECORD_NAME, &out, reterr);
    slg_buf_fini(&out);
    if (status == SLG_OK) {
        slg_catalogue_lock(catalogue);
        catalogue->storage.counter = storage->counter;
        slg_catalogue_unlock(catalogue);
        catalogue->storage.forget_period_ns = storage->forget_period_ns;
        catalogue->storage.forget_window_count = storage->forget_window_count;
        catalogue->storage.keep_from_ns = storage->keep_from_ns;
        atomic_store(&catalogue->keep_from_ns, storage->keep_from_ns);
    }
    return status;
}

uint64_t slg_catalogue_storage_counter(struct slg_catalogue *catalogue)
{
    uint64_t counter;

    slg_catalogue_lock(catalogue);
    counter = catalogue->storage.counter;
    slg_catalogue_unlock(catalogue);
    return counter;
}

int64_t slg_catalogue_keep_from_ns(const struct slg_catalogue *catalogue)
{
    return atomic_load(&catalogue->keep_from_ns);
}

/* A new directory's record. */
static enum slg_status make_storage(struct slg_storage *storage, struct slg_error *reterr)
{
    if (getrandom(storage->id, sizeof(storage->id), 0) != (ssize_t)sizeof(storage->id))
        return slg_errorf(reterr, SLG_IO, "no random bytes: %s", strerror(errno));
    return SLG_OK;
}

/* The counter is not raised by a start: peers compare what the disk says with what they remember. */
enum slg_status slg_catalogue_load_storage(struct slg_catalogue *catalogue,
                                           struct slg_error *reterr)
{
    struct slg_storage storage = { .counter = 0 };
    struct slg_buf bytes;
    bool is_new = false;
    enum slg_status status = slg_disk_read(catalogue->data_dir.text, RECORD_NAME, &bytes, reterr);

    if (status == SLG_OK) {
        status = slg_storage_decode(bytes.data, bytes.len, &storage, reterr);
        if (status != SLG_OK)
            status = slg_error_context(reterr, "\"%s/%s\"", catalogue->data_dir.text, RECORD_NAME);
    } else if (status == SLG_NOT_FOUND) {
        is_new = true;
        status = make_storage(&storage, reterr);
    }
    slg_buf_fini(&bytes);
    if (status != SLG_OK)
        return status;
    catalogue->storage = storage;
    atomic_store(&catalogue->keep_from_ns, storage.keep_from_ns);
    return is_new ? slg_catalogue_store_storage(catalogue, &storage, reterr) : SLG_OK;
}
