/* storer/disk.h - small files that change atomically, directories that survive a power cut, room on the disk.
 *
 * write: NAME.new, fsync, rename, fsync of the directory. A crash leaves the old or the new file, and perhaps a
 * NAME.new that the next write replaces.
 * Threads: pure functions of the file system; two writers of one file at once are the caller's mistake. */
#ifndef SLG_STORER_DISK_H
#define SLG_STORER_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

/* Of every path below the data directory, NUL included. */
#define SLG_DISK_PATH_BYTES_MAX  ((size_t)1024)
#define SLG_DISK_SMALL_BYTES_MAX ((size_t)64 * 1024) /* of a file read whole */

struct slg_disk_path {
    char text[SLG_DISK_PATH_BYTES_MAX];
};
/* directory + "/" + name. LIMIT: too long. */
SLG_MUST_CHECK enum slg_status slg_disk_join(struct slg_disk_path *ret_path, const char *directory,
                                             const char *name, struct slg_error *reterr);

/* These bytes become the file DIRECTORY/NAME. LIMIT: its path is too long; IO, a full disk among them. */
SLG_MUST_CHECK enum slg_status slg_disk_write(const char *directory, const char *name,
                                              const void *bytes, size_t len,
                                              struct slg_error *reterr);
/* Likewise what a buffer holds. NO_MEMORY: it has failed. */
SLG_MUST_CHECK enum slg_status slg_disk_write_buf(const char *directory, const char *name,
                                                  const struct slg_buf *buf,
                                                  struct slg_error *reterr);
/* The whole file. *ret_bytes is initialised here and is the caller's to fini, whatever is returned. NOT_FOUND; LIMIT:
 * over SLG_DISK_SMALL_BYTES_MAX; IO. */
SLG_MUST_CHECK enum slg_status slg_disk_read(const char *directory, const char *name,
                                             struct slg_buf *ret_bytes, struct slg_error *reterr);
/* mkdir, and fsync of the parent; fine when it is there already. */
SLG_MUST_CHECK enum slg_status slg_disk_make_directory(const char *path, struct slg_error *reterr);
SLG_MUST_CHECK enum slg_status slg_disk_sync_directory(const char *path, struct slg_error *reterr);
/* Unlink the files of a directory and the directory; NOT_FOUND is success. IO: something stays, a subdirectory among
 * it; the rest goes. */
SLG_MUST_CHECK enum slg_status slg_disk_remove_directory(const char *path,
                                                         struct slg_error *reterr);
/* Bytes that the files of a directory occupy on disk (blocks, not lengths); 0 when it cannot be read. */
uint64_t slg_disk_used_bytes(const char *path);

struct slg_disk_room {
    uint64_t free_bytes; /* for unprivileged users */
    uint64_t total_bytes;
};
SLG_MUST_CHECK enum slg_status slg_disk_room(const char *path, struct slg_disk_room *ret_room,
                                             struct slg_error *reterr);

#endif
