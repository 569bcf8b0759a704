/* proto/pem.h - a file of certificates or a key, read whole.
 *
 * Refuses: what cannot be read, is empty, is no regular file, or is over SLG_PEM_BYTES_MAX.
 * Owner:   the text is the caller's to free; a key's should be wiped before (explicit_bzero).
 * Threads: no shared state. */
#ifndef SLG_PROTO_PEM_H
#define SLG_PROTO_PEM_H

#include "base/status.h"

#define SLG_PEM_BYTES_MAX ((size_t)1024 * 1024)

/* The file as a text that ends with NUL; what is in it is not looked at. INVALID with the reason; NO_MEMORY. */
SLG_MUST_CHECK enum slg_status slg_pem_read(const char *path, char **ret_text,
                                            struct slg_error *reterr);

#endif
