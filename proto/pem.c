#include "proto/pem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nothing else may write to the file meanwhile: a text that has become shorter is refused. */
static enum slg_status read_open(int fd, const char *path, char **ret_text,
                                 struct slg_error *reterr)
{
    struct stat stat_of;
    char *text;
    size_t size;

    if (fstat(fd, &stat_of) != 0)
        return slg_errorf(reterr, SLG_INVALID, "could not read \"%s\": %s", path, strerror(errno));
    if (!S_ISREG(stat_of.st_mode) || stat_of.st_size <= 0 ||
        (size_t)stat_of.st_size > SLG_PEM_BYTES_MAX)
        return slg_errorf(reterr, SLG_INVALID,
                          "could not read \"%s\": not a PEM file of up to 1 MiB", path);
    size = (size_t)stat_of.st_size;
    text = calloc(1, size + 1);
    if (text == NULL)
        return slg_errorf(reterr, SLG_NO_MEMORY, "no memory for \"%s\"", path);
    if (read(fd, text, size) != (ssize_t)size) {
        free(text);
        return slg_errorf(reterr, SLG_INVALID, "could not read \"%s\" whole", path);
    }
    *ret_text = text;
    return SLG_OK;
}

enum slg_status slg_pem_read(const char *path, char **ret_text, struct slg_error *reterr)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO is refused, not waited for */
    enum slg_status status;

    if (fd < 0)
        return slg_errorf(reterr, SLG_INVALID, "could not read \"%s\": %s", path, strerror(errno));
    status = read_open(fd, path, ret_text, reterr);
    (void)close(fd); /* only read from */
    return status;
}
