#include "ingester/marker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/cursor.h"
#include "base/hash.h"

#define MAGIC     "SLGI"
#define VERSION   1
#define SUM_AT    (SLG_MARKER_BYTES - 8)
#define FILE_MODE 0600

struct slg_marker {
    int fd;
    struct slg_marker_record record;
};

/* ---- the record ---- */

static uint8_t *put(uint8_t *at, uint64_t value, size_t len)
{
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    return at + len;
}

void slg_marker_encode(const struct slg_marker_record *record, uint8_t ret_bytes[SLG_MARKER_BYTES])
{
    uint8_t *at = ret_bytes + 4;

    memcpy(ret_bytes, MAGIC, 4);
    at = put(at, VERSION, 2);
    at = put(at, (uint64_t)record->state, 2);
    at = put(at, (uint64_t)record->start_ns, 8);
    at = put(at, (uint64_t)record->settled_ns, 8);
    at = put(at, (uint64_t)record->untold_ns, 8);
    SLG_ASSERT(at == ret_bytes + SUM_AT);
    (void)put(at, slg_hash_xxh3(ret_bytes, SUM_AT), 8);
}

static bool take_time(struct slg_cursor *c, int64_t *ret)
{
    uint64_t value;

    if (!slg_cursor_take_u64be(c, &value) || value > INT64_MAX)
        return false;
    *ret = (int64_t)value;
    return true;
}

enum slg_status slg_marker_decode(const uint8_t *bytes, size_t len,
                                  struct slg_marker_record *ret_record)
{
    struct slg_cursor c = slg_cursor_make(bytes, len);
    struct slg_marker_record record;
    uint16_t version;
    uint16_t state;
    uint64_t sum;

    if (!slg_cursor_take_text(&c, MAGIC) || !slg_cursor_take_u16be(&c, &version))
        return SLG_CORRUPT;
    if (version != VERSION)
        return SLG_UNSUPPORTED;
    if (!slg_cursor_take_u16be(&c, &state) || !take_time(&c, &record.start_ns) ||
        !take_time(&c, &record.settled_ns) || !take_time(&c, &record.untold_ns) ||
        !slg_cursor_take_u64be(&c, &sum) || slg_cursor_left(&c) != 0 ||
        sum != slg_hash_xxh3(bytes, SUM_AT) ||
        (state != SLG_MARKER_RUNNING && state != SLG_MARKER_ENDED))
        return SLG_CORRUPT;
    record.state = (enum slg_marker_state)state;
    *ret_record = record;
    return SLG_OK;
}

/* ---- the file ---- */

static enum slg_status write_record(struct slg_marker *marker, bool sync)
{
    uint8_t bytes[SLG_MARKER_BYTES];

    slg_marker_encode(&marker->record, bytes);
    if (pwrite(marker->fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return SLG_IO;
    return sync && fsync(marker->fd) != 0 ? SLG_IO : SLG_OK;
}

/* How the last run ended, as the time since when it may have lost entries; 0 = well, or there was none. */
static enum slg_status read_last(const struct slg_marker *marker, int64_t *ret_untold_ns,
                                 struct slg_error *reterr)
{
    uint8_t bytes[SLG_MARKER_BYTES + 1]; /* one more shows a file that is too long */
    struct slg_marker_record last;
    struct stat about;
    ssize_t len = pread(marker->fd, bytes, sizeof(bytes), 0);
    enum slg_status status;

    if (len < 0 || fstat(marker->fd, &about) != 0)
        return slg_errorf(reterr, SLG_IO, "could not read it: %s", strerror(errno));
    if (!S_ISREG(about.st_mode))
        return slg_errorf(reterr, SLG_IO, "it is not a file");
    *ret_untold_ns = 0;
    if (len == 0) /* new, or a run ended before it wrote a byte */
        return SLG_OK;
    status = slg_marker_decode(bytes, (size_t)len, &last);
    if (status == SLG_UNSUPPORTED)
        return slg_error_hintf(reterr, status, "remove it when you go back to this version",
                               "its version is not %d", VERSION);
    if (status != SLG_OK) /* torn by a power loss: it was written last then */
        *ret_untold_ns = (int64_t)about.st_mtim.tv_sec * SLG_NS_PER_SEC;
    else if (last.untold_ns != 0 || last.state == SLG_MARKER_RUNNING)
        *ret_untold_ns = last.untold_ns != 0 ? last.untold_ns : last.settled_ns;
    else
        return SLG_OK;
    if (*ret_untold_ns < 1)
        *ret_untold_ns = 1; /* 0 means that there is nothing to tell */
    return SLG_OK;
}

static enum slg_status begin(struct slg_marker *marker, int64_t now_ns, struct slg_error *reterr)
{
    int64_t untold_ns;
    enum slg_status status;

    if (flock(marker->fd, LOCK_EX | LOCK_NB) != 0)
        return slg_error_hintf(reterr, SLG_UNAVAILABLE, "give each ingester its own node.data_dir",
                               "another process uses it");
    status = read_last(marker, &untold_ns, reterr);
    if (status != SLG_OK)
        return status;
    if (untold_ns > now_ns) /* the clock went back */
        untold_ns = now_ns;
    marker->record = (struct slg_marker_record){ .state = SLG_MARKER_RUNNING,
                                                 .start_ns = now_ns,
                                                 .settled_ns = now_ns,
                                                 .untold_ns = untold_ns };
    if (ftruncate(marker->fd, (off_t)SLG_MARKER_BYTES) != 0 ||
        write_record(marker, /* sync= */ true) != SLG_OK)
        return slg_errorf(reterr, SLG_IO, "could not write it: %s", strerror(errno));
    return SLG_OK;
}

enum slg_status slg_marker_open(const char *path, int64_t now_ns, struct slg_marker **ret_marker,
                                int64_t *ret_untold_ns, struct slg_error *reterr)
{
    struct slg_marker *marker = calloc(1, sizeof(*marker));
    enum slg_status status;

    if (marker == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for the marker of the run");
    marker->fd =
        open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, FILE_MODE);
    if (marker->fd < 0) {
        free(marker);
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", path, strerror(errno));
    }
    status = begin(marker, now_ns, reterr);
    if (status != SLG_OK) {
        (void)close(marker->fd); /* the first failure is told */
        free(marker);
        return slg_error_context(reterr, "\"%s\"", path);
    }
    *ret_untold_ns = marker->record.untold_ns;
    *ret_marker = marker;
    return SLG_OK;
}

enum slg_status slg_marker_refresh(struct slg_marker *marker, int64_t settled_ns)
{
    marker->record.settled_ns = settled_ns < 0 ? 0 : settled_ns;
    return write_record(marker, /* sync= */ false);
}

enum slg_status slg_marker_told(struct slg_marker *marker)
{
    marker->record.untold_ns = 0;
    return write_record(marker, /* sync= */ false); /* lost with the power: it is told twice */
}

void slg_marker_close(struct slg_marker *marker, bool clean)
{
    if (marker == NULL)
        return;
    if (clean) {
        marker->record.state = SLG_MARKER_ENDED;
        (void)write_record(marker, /* sync= */ true); /* else one loss is told that was none */
    }
    (void)close(marker->fd); /* nothing is to be done about it */
    free(marker);
}
