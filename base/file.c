#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum slg_status slg_file_read(const char *path, size_t bytes_max, struct slg_buf *out,
                              struct slg_error *reterr)
{
    FILE *file = fopen(path, "re");
    uint8_t chunk[4096];
    size_t total = 0;
    size_t len;
    int failure;

    if (file == NULL)
        return slg_errorf(reterr, errno == ENOENT ? SLG_NOT_FOUND : SLG_IO,
                          "could not open \"%s\": %s", path, strerror(errno));
    errno = 0;
    while ((len = fread(chunk, 1, sizeof(chunk), file)) > 0 && total <= bytes_max) {
        slg_buf_append(out, chunk, len);
        total += len;
    }
    failure = ferror(file) != 0 ? errno : 0;
    explicit_bzero(chunk, sizeof(chunk)); /* it may have been a secret */
    (void)fclose(file);                   /* read only */
    if (failure != 0)
        return slg_errorf(reterr, SLG_IO, "could not read \"%s\": %s", path, strerror(failure));
    if (total > bytes_max || slg_buf_failed(out))
        return slg_errorf(reterr, SLG_LIMIT, "file \"%s\" is larger than %zu bytes", path,
                          bytes_max);
    return SLG_OK;
}

bool slg_file_fill_standard(void)
{
    int fd;

    /* The lowest free number is given out first. */
    do
        fd = open("/dev/null", O_RDWR); /* for children, too: without O_CLOEXEC */
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}
