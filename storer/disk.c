#include "storer/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILE_MODE        0600
#define DIRECTORY_MODE   0700
#define STAT_BLOCK_BYTES 512U /* unit of st_blocks, stat(2) */
#define CHUNK_BYTES      ((size_t)4096)

enum slg_status slg_disk_join(struct slg_disk_path *ret_path, const char *directory,
                              const char *name, struct slg_error *reterr)
{
    struct slg_disk_path path;
    int len = snprintf(path.text, sizeof(path.text), "%s/%s", directory, name);

    if (len < 0 || (size_t)len >= sizeof(path.text))
        return slg_errorf(reterr, SLG_LIMIT, "path \"%.60s.../%s\" is over %zu bytes", directory,
                          name, sizeof(path.text) - 1);
    *ret_path = path;
    return SLG_OK;
}

static enum slg_status write_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return SLG_IO;
        bytes += n;
        len -= (size_t)n;
    }
    return SLG_OK;
}

/* The directory that holds path. */
static enum slg_status sync_parent(const char *path, struct slg_error *reterr)
{
    struct slg_disk_path parent;
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);

    if (slash == NULL)
        return slg_disk_sync_directory(".", reterr);
    if (len >= sizeof(parent.text))
        return slg_errorf(reterr, SLG_LIMIT, "path \"%.60s...\" is too long", path);
    if (len == 0)
        return slg_disk_sync_directory("/", reterr);
    memcpy(parent.text, path, len);
    parent.text[len] = '\0';
    return slg_disk_sync_directory(parent.text, reterr);
}

enum slg_status slg_disk_write(const char *directory, const char *name, const void *bytes,
                               size_t len, struct slg_error *reterr)
{
    struct slg_disk_path path, fresh;
    enum slg_status status = slg_disk_join(&path, directory, name, reterr);
    int size, fd;

    if (status != SLG_OK)
        return status;
    size = snprintf(fresh.text, sizeof(fresh.text), "%s.new", path.text);
    if (size < 0 || (size_t)size >= sizeof(fresh.text))
        return slg_errorf(reterr, SLG_LIMIT, "path \"%.60s...\" is too long", path.text);
    fd = open(fresh.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not create \"%s\": %s", fresh.text,
                          strerror(errno));
    if (write_all(fd, bytes, len) != SLG_OK || fsync(fd) != 0)
        status =
            slg_errorf(reterr, SLG_IO, "could not write \"%s\": %s", fresh.text, strerror(errno));
    if (close(fd) != 0 && status == SLG_OK)
        status =
            slg_errorf(reterr, SLG_IO, "could not close \"%s\": %s", fresh.text, strerror(errno));
    if (status == SLG_OK && rename(fresh.text, path.text) != 0)
        status =
            slg_errorf(reterr, SLG_IO, "could not rename \"%s\": %s", fresh.text, strerror(errno));
    if (status != SLG_OK) {
        (void)unlink(fresh.text); /* it would be replaced by the next try anyhow */
        return status;
    }
    return slg_disk_sync_directory(directory, reterr);
}

enum slg_status slg_disk_write_buf(const char *directory, const char *name,
                                   const struct slg_buf *buf, struct slg_error *reterr)
{
    if (slg_buf_failed(buf))
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory to write \"%s/%s\"", directory, name);
    return slg_disk_write(directory, name, buf->data, buf->len, reterr);
}

enum slg_status slg_disk_read(const char *directory, const char *name, struct slg_buf *ret_bytes,
                              struct slg_error *reterr)
{
    struct slg_disk_path path;
    enum slg_status status = slg_disk_join(&path, directory, name, reterr);
    ssize_t n;
    int fd;

    slg_buf_init(ret_bytes,
                 SLG_DISK_SMALL_BYTES_MAX + CHUNK_BYTES); /* to see one that is too long */
    if (status != SLG_OK)
        return status;
    fd = open(path.text, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return slg_errorf(reterr, errno == ENOENT ? SLG_NOT_FOUND : SLG_IO,
                          "could not open \"%s\": %s", path.text, strerror(errno));
    do {
        uint8_t chunk[CHUNK_BYTES];

        n = read(fd, chunk, sizeof(chunk));
        if (n < 0 && errno != EINTR)
            status =
                slg_errorf(reterr, SLG_IO, "could not read \"%s\": %s", path.text, strerror(errno));
        if (n > 0)
            slg_buf_append(ret_bytes, chunk, (size_t)n);
        if (slg_buf_failed(ret_bytes) || ret_bytes->len > SLG_DISK_SMALL_BYTES_MAX)
            status = slg_errorf(reterr, SLG_LIMIT, "\"%s\" is over %zu bytes", path.text,
                                SLG_DISK_SMALL_BYTES_MAX);
    } while (n != 0 && status == SLG_OK);
    (void)close(fd); /* only read from */
    return status;
}

enum slg_status slg_disk_make_directory(const char *path, struct slg_error *reterr)
{
    struct stat st;

    if (mkdir(path, DIRECTORY_MODE) != 0) {
        int reason = errno;

        if (reason != EEXIST || stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
            return slg_errorf(reterr, SLG_IO, "could not create directory \"%s\": %s", path,
                              strerror(reason));
    }
    return sync_parent(path, reterr);
}

enum slg_status slg_disk_sync_directory(const char *path, struct slg_error *reterr)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum slg_status status = SLG_OK;

    if (fd < 0)
        return slg_errorf(reterr, SLG_IO, "could not open directory \"%s\": %s", path,
                          strerror(errno));
    if (fsync(fd) != 0)
        status = slg_errorf(reterr, SLG_IO, "could not sync directory \"%s\": %s", path,
                            strerror(errno));
    (void)close(fd); /* nothing was written through it */
    return status;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

enum slg_status slg_disk_remove_directory(const char *path, struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    DIR *dir = opendir(path);
    struct dirent *item;

    if (dir == NULL && errno == ENOENT)
        return SLG_OK;
    if (dir == NULL)
        return slg_errorf(reterr, SLG_IO, "could not open \"%s\": %s", path, strerror(errno));
    while ((item = readdir(dir)) != NULL) { /* one that stays keeps no other */
        if (is_dots(item->d_name))
            continue;
        if (unlinkat(dirfd(dir), item->d_name, 0) != 0 && errno != ENOENT)
            status = slg_errorf(reterr, SLG_IO, "could not unlink \"%s/%s\": %s", path,
                                item->d_name, strerror(errno));
    }
    (void)closedir(dir); /* only read from */
    if (status == SLG_OK && rmdir(path) != 0 && errno != ENOENT)
        status = slg_errorf(reterr, SLG_IO, "could not remove \"%s\": %s", path, strerror(errno));
    return status;
}

uint64_t slg_disk_used_bytes(const char *path)
{
    DIR *dir = opendir(path);
    uint64_t sum = 0;
    struct dirent *item;
    struct stat st;

    if (dir == NULL)
        return 0;
    while ((item = readdir(dir)) != NULL)
        if (!is_dots(item->d_name) &&
            fstatat(dirfd(dir), item->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
            sum += (uint64_t)st.st_blocks * STAT_BLOCK_BYTES;
    (void)closedir(dir); /* only read from */
    return sum;
}

enum slg_status slg_disk_room(const char *path, struct slg_disk_room *ret_room,
                              struct slg_error *reterr)
{
    struct statvfs st;

    if (statvfs(path, &st) != 0)
        return slg_errorf(reterr, SLG_IO, "could not statvfs \"%s\": %s", path, strerror(errno));
    ret_room->free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
    ret_room->total_bytes = (uint64_t)st.f_blocks * st.f_frsize;
    return SLG_OK;
}
