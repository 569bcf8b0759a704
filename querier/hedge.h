/* querier/hedge.h - slow and silent storers: when a sub-query gets a rival, which of the two is used, and when a storer
 * is given up. Pure (DESIGN section 6.2).
 *
 * A sub-query without a page after the p95 of its like gets a rival: other replicas evaluate the same S from its start,
 * in several parts if its shards lie on several storers. Whoever has its first page first, of a rival all its parts, is
 * used whole; the other is dropped with all that it sent. Once a page was used there are no rivals any more: the loss of
 * a storer then ends the run, which begins again from the start.
 *
 *     ALONE --slow--> RACING --first page of one side--> DECIDED
 *       '-------------first page----------------------------^
 *
 * Extra load: one sub-query in 20 may get a rival, after a quiet time SLG_HEDGE_BURST at once.
 * Threads: struct slg_hedge and slg_hedge_watch belong to one query. A pace is shared by all queries: any thread. */
#ifndef SLG_QUERIER_HEDGE_H
#define SLG_QUERIER_HEDGE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/assert.h"
#include "base/clock.h"

/* No rival earlier: a short query that is a little late costs less than a second one. */
#define SLG_HEDGE_WAIT_NS_MIN     (50 * SLG_NS_PER_MS)
/* As long as too few of its like were seen. */
#define SLG_HEDGE_WAIT_NS_DEFAULT SLG_NS_PER_SEC
#define SLG_HEDGE_SAMPLES         64U /* the last of each kind and size */
#define SLG_HEDGE_SAMPLES_MIN     16U
#define SLG_HEDGE_KINDS           8U
#define SLG_HEDGE_SIZES           8U  /* by the number of shards: 1, 2-3, 4-7, ... */
#define SLG_HEDGE_PER             20U /* one rival for so many sub-queries */
#define SLG_HEDGE_BURST           8U

/* ---- one sub-query and its rival ---- */

enum slg_hedge_side { SLG_HEDGE_PRIMARY, SLG_HEDGE_RIVAL };

struct slg_hedge {
    enum { SLG_HEDGE_ALONE, SLG_HEDGE_RACING, SLG_HEDGE_DECIDED } state;
    int64_t asked_ns;
    bool no_rival;            /* there is nobody, or it was lost */
    bool lost[2];             /* by side */
    enum slg_hedge_side used; /* DECIDED */
    size_t parts, arrived;    /* of the rival */
};

enum slg_hedge_event_type {
    SLG_HEDGE_TICK,     /* wait_ns: after which it is slow */
    SLG_HEDGE_STARTED,  /* a rival runs, in `parts` parts */
    SLG_HEDGE_NO_RIVAL, /* nobody else can evaluate all of it */
    SLG_HEDGE_PAGE,     /* of a side; a part's first is told before its second */
    SLG_HEDGE_LOST,     /* a side, or a part of it */
};
struct slg_hedge_event {
    enum slg_hedge_event_type type;
    enum slg_hedge_side side;
    int64_t wait_ns;
    size_t parts;
};

enum slg_hedge_action {
    SLG_HEDGE_GO_ON,        /* nothing to do; a page is of a side that was dropped */
    SLG_HEDGE_START,        /* start a rival if one may, then tell STARTED or NO_RIVAL */
    SLG_HEDGE_USE,          /* this page is used */
    SLG_HEDGE_KEEP,         /* this page is used if the other parts of its side arrive first, too */
    SLG_HEDGE_USE_PRIMARY,  /* this page is used; drop the rival */
    SLG_HEDGE_USE_RIVAL,    /* this page and those that were kept are used; drop the primary */
    SLG_HEDGE_DROP_PRIMARY, /* it is lost, the rival goes on */
    SLG_HEDGE_DROP_RIVAL,   /* it is lost with all its parts, the primary goes on */
    SLG_HEDGE_GIVE_UP,      /* nobody is left */
};

void slg_hedge_init(struct slg_hedge *hedge, int64_t now_mono_ns);
SLG_MUST_CHECK enum slg_hedge_action
slg_hedge_step(struct slg_hedge *hedge, const struct slg_hedge_event *event, int64_t now_mono_ns);

/* ---- how long first pages take ---- */

struct slg_hedge_pace {
    _Atomic int64_t took_ns[SLG_HEDGE_KINDS][SLG_HEDGE_SIZES][SLG_HEDGE_SAMPLES];
    atomic_size_t count[SLG_HEDGE_KINDS][SLG_HEDGE_SIZES];
    _Atomic int64_t credit; /* in parts of SLG_HEDGE_PER to a rival */
};
void slg_hedge_pace_init(struct slg_hedge_pace *pace);
/* A first page came after took_ns; or had not come by then, when it was no longer waited for. */
void slg_hedge_pace_note(struct slg_hedge_pace *pace, unsigned kind, size_t shard_count,
                         int64_t took_ns);
/* After which such a sub-query is slow: the p95 of the last SLG_HEDGE_SAMPLES, SLG_HEDGE_WAIT_NS_MIN at least. */
int64_t slg_hedge_pace_wait(const struct slg_hedge_pace *pace, unsigned kind, size_t shard_count);
/* May one more get a rival? Then it counts. */
SLG_MUST_CHECK bool slg_hedge_pace_spend(struct slg_hedge_pace *pace);
/* It got none after all. */
void slg_hedge_pace_refund(struct slg_hedge_pace *pace);

/* ---- a storer that says nothing ---- */

/* A storer may take long over a page, but it answers a greeting at once. After so long without a word it is greeted ... */
#define SLG_HEDGE_GREET_AFTER_NS (500 * SLG_NS_PER_MS)
/* ... and is silent if that stays unanswered for so long: it stands still, or cannot be reached any more. */
#define SLG_HEDGE_SILENT_NS      SLG_NS_PER_SEC

struct slg_hedge_watch {
    int64_t heard_ns, greeted_ns; /* 0: never */
};
enum slg_hedge_sign { SLG_HEDGE_FINE, SLG_HEDGE_GREET, SLG_HEDGE_SILENT };
/* Of a storer that was asked something at asked_ns. After GREET it has to be greeted. */
SLG_MUST_CHECK enum slg_hedge_sign slg_hedge_watch_step(struct slg_hedge_watch *watch,
                                                        int64_t asked_ns, int64_t now_mono_ns);

#endif
