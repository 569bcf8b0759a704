#include "storer/quarantine.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "storer/shard.h"

#define DIRECTORY_NAME  "quarantine"
#define FRESH_PREFIX    "fresh-"
#define SAME_SECOND_MAX 8 /* moves of one shard in one second */

struct place {
    struct slg_disk_path shards;
    struct slg_disk_path quarantine;
};

static enum slg_status find_place(const char *data_dir, struct place *ret_place,
                                  struct slg_error *reterr)
{
    enum slg_status status = slg_disk_join(&ret_place->shards, data_dir, SLG_NAME_SHARDS, reterr);

    return status == SLG_OK
               ? slg_disk_join(&ret_place->quarantine, data_dir, DIRECTORY_NAME, reterr)
               : status;
}

static enum slg_status fresh_path(const struct place *place, const char *shard_name,
                                  struct slg_disk_path *ret_path, struct slg_error *reterr)
{
    char name[SLG_SHARD_NAME_BYTES_MAX + sizeof(FRESH_PREFIX)];

    (void)snprintf(name, sizeof(name), FRESH_PREFIX "%s", shard_name); /* fits by its size */
    return slg_disk_join(ret_path, place->shards.text, name, reterr);
}

static enum slg_status move_file(const struct slg_disk_path *from, const struct slg_disk_path *to,
                                 struct slg_error *reterr)
{
    if (rename(from->text, to->text) != 0)
        return slg_errorf(reterr, SLG_IO, "could not rename \"%s\": %s", from->text,
                          strerror(errno));
    return SLG_OK;
}

/* ---- moving ---- */

static size_t count_items(const struct place *place)
{
    DIR *dir = opendir(place->quarantine.text);
    size_t count = 0;
    struct dirent *item;

    if (dir == NULL)
        return 0;
    while ((item = readdir(dir)) != NULL)
        count += item->d_name[0] != '.';
    (void)closedir(dir); /* only read from */
    return count;
}

static enum slg_status make_fresh(const struct place *place, const char *shard_name,
                                  const char *reason, struct slg_disk_path *ret_fresh,
                                  struct slg_error *reterr)
{
    enum slg_status status = fresh_path(place, shard_name, ret_fresh, reterr);

    if (status == SLG_OK)
        status = slg_disk_make_directory(ret_fresh->text, reterr);
    return status == SLG_OK
               ? slg_disk_write(ret_fresh->text, SLG_NAME_REFILLING, reason, strlen(reason), reterr)
               : status;
}

/* A name that is free. */
static enum slg_status choose_target(const struct place *place, const char *shard_name,
                                     int64_t now_wall_ns, struct slg_disk_path *ret_path,
                                     struct slg_error *reterr)
{
    for (int64_t n = 0; n < SAME_SECOND_MAX; n++) {
        char name[SLG_QUARANTINE_NAME_BYTES_MAX];
        enum slg_status status;

        (void)snprintf(name, sizeof(name), "%s.%" PRId64, shard_name,
                       now_wall_ns / SLG_NS_PER_SEC + n); /* 64 + 21 bytes at most */
        status = slg_disk_join(ret_path, place->quarantine.text, name, reterr);
        if (status != SLG_OK)
            return status;
        if (access(ret_path->text, F_OK) != 0)
            return SLG_OK;
    }
    return slg_errorf(reterr, SLG_LIMIT, "shard \"%s\" was quarantined too often", shard_name);
}

static void read_reason(const char *directory, char reason[SLG_QUARANTINE_REASON_BYTES_MAX])
{
    struct slg_buf text;
    size_t len = 0;

    if (slg_disk_read(directory, SLG_NAME_QUARANTINED, &text, NULL) == SLG_OK)
        len = text.len < SLG_QUARANTINE_REASON_BYTES_MAX ? text.len
                                                         : SLG_QUARANTINE_REASON_BYTES_MAX - 1;
    if (len > 0)
        memcpy(reason, text.data, len);
    reason[len] = '\0';
    slg_buf_fini(&text);
}

enum slg_status slg_quarantine_move(const char *data_dir, const char *shard_name,
                                    const char *reason, int64_t now_wall_ns,
                                    struct slg_error *reterr)
{
    char marked[SLG_QUARANTINE_REASON_BYTES_MAX];
    struct slg_disk_path alive, fresh, target;
    struct place place;
    enum slg_status status = find_place(data_dir, &place, reterr);

    if (status == SLG_OK)
        status = slg_disk_make_directory(place.quarantine.text, reterr);
    if (status == SLG_OK && count_items(&place) >= SLG_QUARANTINE_COUNT_MAX)
        status = slg_error_hintf(reterr, SLG_LIMIT, "check the disk",
                                 "%zu shards are in quarantine, no more are moved there",
                                 SLG_QUARANTINE_COUNT_MAX);
    if (status == SLG_OK && reason != NULL)
        status = slg_shard_quarantine(place.shards.text, shard_name, reason, reterr);
    if (status == SLG_OK)
        status = slg_disk_join(&alive, place.shards.text, shard_name, reterr);
    if (status != SLG_OK)
        return status;
    read_reason(alive.text, marked);
    status = make_fresh(&place, shard_name, marked, &fresh, reterr);
    if (status == SLG_OK)
        status = choose_target(&place, shard_name, now_wall_ns, &target, reterr);
    if (status == SLG_OK)
        status = move_file(&alive, &target, reterr);
    if (status == SLG_OK)
        status = move_file(&fresh, &alive, reterr);
    if (status == SLG_OK)
        status = slg_disk_sync_directory(place.shards.text, reterr);
    return status == SLG_OK ? slg_disk_sync_directory(place.quarantine.text, reterr) : status;
}

/* A fresh copy: of a shard that was moved away, or of one whose move has not come so far. */
static enum slg_status resume_one(const struct place *place, const char *fresh_name,
                                  struct slg_error *reterr)
{
    struct slg_disk_path fresh, alive;
    enum slg_status status = slg_disk_join(&fresh, place->shards.text, fresh_name, reterr);

    if (status == SLG_OK)
        status =
            slg_disk_join(&alive, place->shards.text, fresh_name + strlen(FRESH_PREFIX), reterr);
    if (status != SLG_OK)
        return status;
    if (access(alive.text, F_OK) == 0)
        return slg_disk_remove_directory(fresh.text, reterr);
    status = move_file(&fresh, &alive, reterr);
    return status == SLG_OK ? slg_disk_sync_directory(place->shards.text, reterr) : status;
}

enum slg_status slg_quarantine_resume(const char *data_dir, struct slg_error *reterr)
{
    struct place place;
    enum slg_status status = find_place(data_dir, &place, reterr);
    struct dirent *item;
    DIR *dir;

    if (status != SLG_OK)
        return status;
    dir = opendir(place.shards.text);
    if (dir == NULL)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", place.shards.text,
                          strerror(errno));
    while (status == SLG_OK && (item = readdir(dir)) != NULL) {
        struct slg_shard_id shard;

        if (strncmp(item->d_name, FRESH_PREFIX, strlen(FRESH_PREFIX)) == 0 &&
            slg_shard_name_parse(item->d_name + strlen(FRESH_PREFIX), &shard) == SLG_OK)
            status = resume_one(&place, item->d_name, reterr);
    }
    (void)closedir(dir); /* only read from */
    return status;
}

/* ---- what is there ---- */

/* "<shard name>.<seconds>" */
static bool parse_name(const char *name, struct slg_quarantine_row *row)
{
    char shard_name[SLG_SHARD_NAME_BYTES_MAX];
    const char *dot = strrchr(name, '.');
    size_t len = strlen(name);
    int64_t seconds = 0;

    if (dot == NULL || len >= sizeof(row->name) || (size_t)(dot - name) >= sizeof(shard_name) ||
        dot[1] == '\0' || strlen(dot + 1) > 11)
        return false;
    for (const char *at = dot + 1; *at != '\0'; at++) {
        if (*at < '0' || *at > '9')
            return false;
        seconds = seconds * 10 + (*at - '0');
    }
    memcpy(shard_name, name, (size_t)(dot - name));
    shard_name[dot - name] = '\0';
    if (seconds > INT64_MAX / SLG_NS_PER_SEC ||
        slg_shard_name_parse(shard_name, &row->shard) != SLG_OK)
        return false;
    memcpy(row->name, name, len + 1);
    row->since_ns = seconds * SLG_NS_PER_SEC;
    return true;
}

size_t slg_quarantine_list(const char *data_dir, struct slg_quarantine_row *rows)
{
    struct place place;
    size_t count = 0;
    struct dirent *item;
    DIR *dir = NULL;

    if (find_place(data_dir, &place, NULL) == SLG_OK)
        dir = opendir(place.quarantine.text);
    while (dir != NULL && count < SLG_QUARANTINE_COUNT_MAX && (item = readdir(dir)) != NULL) {
        struct slg_quarantine_row *row = &rows[count];
        struct slg_disk_path path;

        if (!parse_name(item->d_name, row) ||
            slg_disk_join(&path, place.quarantine.text, item->d_name, NULL) != SLG_OK)
            continue;
        row->bytes = slg_disk_used_bytes(path.text);
        read_reason(path.text, row->reason);
        count++;
    }
    if (dir != NULL)
        (void)closedir(dir); /* only read from */
    return count;
}

enum slg_status slg_quarantine_path(const char *data_dir, const char *name,
                                    struct slg_disk_path *ret_path, struct slg_error *reterr)
{
    struct place place;
    enum slg_status status = find_place(data_dir, &place, reterr);

    return status == SLG_OK ? slg_disk_join(ret_path, place.quarantine.text, name, reterr) : status;
}

enum slg_status slg_quarantine_remove(const char *data_dir, const char *name,
                                      struct slg_error *reterr)
{
    struct slg_quarantine_row row;
    struct slg_disk_path path;
    struct place place;
    enum slg_status status = find_place(data_dir, &place, reterr);

    SLG_ASSERT(parse_name(name, &row));
    if (status == SLG_OK)
        status = slg_disk_join(&path, place.quarantine.text, name, reterr);
    return status == SLG_OK ? slg_disk_remove_directory(path.text, reterr) : status;
}
