/* base/file.h - read a whole file that must not be large; the three standard descriptors.
 *
 * Threads: any. */
#ifndef SLG_BASE_FILE_H
#define SLG_BASE_FILE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/status.h"

/* Append the file's bytes to out. NOT_FOUND: no such file; IO: it cannot be opened or read; LIMIT: it has more than
 * bytes_max bytes, or more than out may hold. After a failure out may hold a part of it. */
SLG_MUST_CHECK enum slg_status slg_file_read(const char *path, size_t bytes_max,
                                             struct slg_buf *out, struct slg_error *reterr);

/* Open /dev/null as each of the descriptors 0 to 2 that is closed. Else the next file or socket gets that number, and what
 * is printed goes into it. First thing in main; false: it could not be opened. */
SLG_MUST_CHECK bool slg_file_fill_standard(void);

#endif
