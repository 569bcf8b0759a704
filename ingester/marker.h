/* ingester/marker.h - a small file that tells the next start how this one ended (DESIGN section 5: unclean ends).
 *
 * While an ingester runs the file says "running" and since when entries may be unsettled; a clean stop says "ended". A
 * start that finds "running", or bytes that nobody wrote, knows that entries may be lost, and from when. That time is
 * kept, over further starts if it must be, until slg_marker_told.
 * Why not the storers: docs/adr/0012.
 * Layout:  docs/FORMATS.md section 7; overwritten in place, so that a full disk does not matter.
 * Refuses: a file that another process holds, a version it does not know.
 * Threads: one at a time. */
#ifndef SLG_INGESTER_MARKER_H
#define SLG_INGESTER_MARKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define SLG_MARKER_BYTES ((size_t)40)

enum slg_marker_state { SLG_MARKER_RUNNING = 1, SLG_MARKER_ENDED = 2 };

struct slg_marker_record {
    enum slg_marker_state state;
    int64_t start_ns;   /* of the run; wall times */
    int64_t settled_ns; /* what was received before was settled, when last looked */
    int64_t
        untold_ns; /* an earlier unclean end that no loss entry tells of: since when; 0 = none */
};

void slg_marker_encode(const struct slg_marker_record *record, uint8_t ret_bytes[SLG_MARKER_BYTES]);
/* CORRUPT; UNSUPPORTED: another version. */
SLG_MUST_CHECK enum slg_status slg_marker_decode(const uint8_t *bytes, size_t len,
                                                 struct slg_marker_record *ret_record);

struct slg_marker;

/* Lock the file, read how the last run ended, and write that this one runs. *ret_untold_ns: since when entries of
 * earlier runs may be lost, never after now_ns; 0 = every run ended well. UNAVAILABLE: another process holds it. */
SLG_MUST_CHECK enum slg_status slg_marker_open(const char *path, int64_t now_ns,
                                               struct slg_marker **ret_marker,
                                               int64_t *ret_untold_ns, struct slg_error *reterr);
/* What was received before settled_ns is settled. Not synced: an older time is right too. */
SLG_MUST_CHECK enum slg_status slg_marker_refresh(struct slg_marker *marker, int64_t settled_ns);
/* A loss entry tells of the earlier ends. */
SLG_MUST_CHECK enum slg_status slg_marker_told(struct slg_marker *marker);
/* clean: nothing of this run is lost untold; else the file goes on saying "running". NULL is fine. */
void slg_marker_close(struct slg_marker *marker, bool clean);

#endif
