/* ingester/mask.h - hiding secrets in lines before they are stored (settings ingester.masks).
 *
 * A mask hides what stands between a fixed text and an end byte: every byte becomes '*'. Without a closing byte it
 * hides the rest of the line; with several, up to the last one (hiding too much is the safe side).
 * Owner:   slg_masks is immutable after create. Threads: any may apply. */
#ifndef SLG_INGESTER_MASK_H
#define SLG_INGESTER_MASK_H

#include "base/status.h"
#include "proto/label.h"

#define SLG_MASK_COUNT_MAX ((size_t)32) /* one bit each in slg_masks_select */
#define SLG_MASK_TEXT_MAX  ((size_t)128)

struct slg_mask_rule {
    struct slg_text
        app; /* only of programs whose name holds this, or that is not known; empty: of all */
    struct slg_text after; /* 1 to SLG_MASK_TEXT_MAX bytes */
    char until;            /* the byte that ends the secret; 0: the end of the line */
};

struct slg_masks;

/* INVALID names the rule that is wrong; NO_MEMORY. Texts are copied. */
SLG_MUST_CHECK enum slg_status slg_masks_create(const struct slg_mask_rule *rules, size_t count,
                                                struct slg_masks **ret_masks,
                                                struct slg_error *reterr);
void slg_masks_destroy(struct slg_masks *masks);

/* The defaults: digits of the hash (or, worse, the password) that Dovecot writes on failed logins. */
const struct slg_mask_rule *slg_masks_default(size_t *ret_count);

/* Which masks apply to lines of this program (empty, or the bare id of a container: not known): a bit set to keep beside the stream. */
uint32_t slg_masks_select(const struct slg_masks *masks, struct slg_text app);

/* Apply the selected masks. Returns line itself when nothing matched, else a masked copy in scratch[line.len]. */
struct slg_text slg_masks_apply(const struct slg_masks *masks, uint32_t selected,
                                struct slg_text line, char *scratch);

#endif
