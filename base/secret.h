/* base/secret.h - what a setting that refers to a secret stands for: a file, a variable or a systemd credential.
 *
 * A reference is file:/PATH, env:NAME or cred:NAME; the secret itself never stands in settings, and no message repeats
 * a text that may be one. Threads: any; env: reads the environment. */
#ifndef SLG_BASE_SECRET_H
#define SLG_BASE_SECRET_H

#include "base/buf.h"
#include "base/status.h"

#define SLG_SECRET_BYTES_MAX ((size_t)64 * 1024)

/* Says nothing about what is there. */
bool slg_secret_is_reference(const char *text);

/* What reference stands for, appended to ret_secret without trailing line ends. NOT_FOUND: the reference is empty, and
 * nothing is appended. INVALID, IO, LIMIT: set but no reference, unreadable, empty or too long. The caller wipes
 * ret_secret. */
SLG_MUST_CHECK enum slg_status slg_secret_read(const char *reference, struct slg_buf *ret_secret,
                                               struct slg_error *reterr);

#endif
