/* proto/form.h - application/x-www-form-urlencoded: names and values of query strings and posted forms.
 *
 * WHATWG URL section 5.1: pairs stand between '&', the first '=' of a pair ends its name, '+' is a blank, %XX a byte.
 * A '%' without two hexadecimal digits stays as it is; empty pairs are skipped.
 * Owner:   texts are copies in the arena, each followed by a NUL. Threads: pure. */
#ifndef SLG_PROTO_FORM_H
#define SLG_PROTO_FORM_H

#include <stdbool.h>

#include "base/arena.h"
#include "proto/label.h"

/* Take the next pair from the front of *form; false: there is none. Texts that the arena has no room for are empty. */
bool slg_form_next(struct slg_arena *arena, struct slg_text *form, struct slg_text *ret_name,
                   struct slg_text *ret_value);

#endif
