#include "base/secret.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"

bool slg_secret_is_reference(const char *text)
{
    static const char *const kinds[] = { "file:/", "env:", "cred:" };

    for (size_t i = 0; i < SLG_ARRAY_LEN(kinds); i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(text, kinds[i], len) == 0 && text[len] != '\0')
            return i == 0 || strchr(text + len, '/') == NULL;
    }
    return false;
}

/* NOT_FOUND is for a setting that is empty: a file that is not there is IO. */
static enum slg_status read_secret(const char *path, struct slg_buf *out, struct slg_error *reterr)
{
    enum slg_status status = slg_file_read(path, SLG_SECRET_BYTES_MAX, out, reterr);

    if (status != SLG_NOT_FOUND)
        return status;
    if (reterr != NULL)
        reterr->status = SLG_IO;
    return SLG_IO;
}

static enum slg_status read_credential(const char *name, struct slg_buf *out,
                                       struct slg_error *reterr)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char path[4096];

    if (directory == NULL)
        return slg_error_hintf(reterr, SLG_INVALID, "use LoadCredential= in the unit",
                               "secret \"cred:%s\": systemd gave no credentials directory", name);
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
        return slg_errorf(reterr, SLG_INVALID, "secret \"cred:%s\": path is too long", name);
    return read_secret(path, out, reterr);
}

enum slg_status slg_secret_read(const char *reference, struct slg_buf *ret_secret,
                                struct slg_error *reterr)
{
    enum slg_status status = SLG_OK;
    size_t start = ret_secret->len;

    if (reference[0] == '\0')
        return SLG_NOT_FOUND;
    if (!slg_secret_is_reference(reference))
        return slg_errorf(reterr, SLG_INVALID, "not a reference to a secret");
    if (strncmp(reference, "file:", 5) == 0) {
        status = read_secret(reference + 5, ret_secret, reterr);
    } else if (strncmp(reference, "cred:", 5) == 0) {
        status = read_credential(reference + 5, ret_secret, reterr);
    } else {
        const char *value = getenv(reference + 4);

        if (value == NULL)
            return slg_errorf(reterr, SLG_INVALID, "secret \"%s\": no such variable", reference);
        slg_buf_append_text(ret_secret, value);
    }
    if (status != SLG_OK)
        return status;
    while (ret_secret->len > start && (ret_secret->data[ret_secret->len - 1] == '\n' ||
                                       ret_secret->data[ret_secret->len - 1] == '\r'))
        ret_secret->len--;
    if (ret_secret->len == start || slg_buf_failed(ret_secret))
        return slg_errorf(reterr, SLG_INVALID, "secret \"%s\" is empty or too long", reference);
    return SLG_OK;
}
