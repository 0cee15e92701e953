/*
 * sequence/shrink.h - a difference that can't be decoded: what to ask next, so that the event that
 * is to blame is found, passed over alone, and everything else is delivered. Pure: whether an
 * answer could be read comes in, the next question comes out.
 *
 *   OFF --unreadable--> AGAIN (the same question) --> LIMIT 64, 16, 4, 1 --> SEEK
 *    ^                    | read                      | read: delivered       | ask from behind it:
 *    +--------------------+<--- read often enough ----+                       v the first place
 *    |                                                       PTS, QTS: no event more than needed
 *    +--- passed over <--- CONFIRM (from where we stand: unreadable still) <--+ is skipped
 *
 * What is asked from behind the event is never used: it only tells that the way is free there. An
 * answer that becomes readable meanwhile is taken, and nothing was skipped.
 *
 * A server that does not cut a channel's difference answers a small limit with "too long". That is
 * no news about the channel: it is asked with the usual limit then, and what has to be skipped
 * reaches to the last event that can't be read.
 */
#ifndef GAP_SEQUENCE_SHRINK_H
#define GAP_SEQUENCE_SHRINK_H

#include <gapless/base.h>

/** Events asked for at first, once limits shrink; a quarter of it next, down to one. */
#define GAP_SHRINK_LIMIT 64
/** Readable answers in a row after which a limit that has not met the event grows again. */
#define GAP_SHRINK_STREAK 4
/** How far behind the position a readable place is looked for, in events. */
#define GAP_SHRINK_SEEK_CHANNEL 131072
#define GAP_SHRINK_SEEK_COMMON  4096
/** Unreadable answers after which the sequence counts as garbled, until one can be read: then the
 * server is asked where it stands without a search. */
#define GAP_SHRINK_GARBLED_MAX 3
/** Unreadable answers, the last of them "too long", after which no search is begun. */
#define GAP_SHRINK_LONG_MAX 6
/** Pause after an unreadable answer; after that many it doubles. */
#define GAP_SHRINK_PAUSE_MIN_US UINT64_C(100000)
#define GAP_SHRINK_PAUSE_MAX_US UINT64_C(2000000)
#define GAP_SHRINK_QUICK        12

enum gap_shrink_stage {
    GAP_SHRINK_OFF = 0,
    GAP_SHRINK_AGAIN,
    GAP_SHRINK_LIMITED,
    GAP_SHRINK_SEEKING,
    GAP_SHRINK_PTS,
    GAP_SHRINK_QTS,
    GAP_SHRINK_CONFIRM,
};

/** One search. Zeroed: none. */
struct gap_shrink {
    uint8_t stage;  /* enum gap_shrink_stage */
    uint8_t tries;  /* unreadable answers since something could be used */
    uint8_t step;   /* of SEEKING */
    uint8_t streak; /* readable answers in a row, in LIMITED */
    bool whole;     /* the server does not cut differences */
    bool passed;    /* the event has been passed: limits grow */
    int32_t limit;  /* of the question; 0: the usual one */
    int32_t pts;    /* the question begins so far behind the position */
    int32_t qts;
    int32_t low; /* of a search: unreadable from here */
    int32_t high;
    int32_t skip_pts; /* to be passed over, once confirmed */
    int32_t skip_qts;
};

enum gap_shrink_order {
    GAP_SHRINK_TAKE = 0, /* use the answer */
    GAP_SHRINK_ASK,      /* don't; ask again */
    GAP_SHRINK_SKIP,     /* move by skip_pts and skip_qts, call gap_shrink_skipped, ask again */
    GAP_SHRINK_END,      /* nothing can be read: ask where the server stands */
};

/** The answer could not be read, or the place that was asked from is refused. */
struct gap_shrink_failure {
    bool common;   /* the question had a pts and a qts */
    bool garbled;  /* nothing could be read the last time either */
    bool too_long; /* as much can be told: it is a channel's TOO_LONG */
};
enum gap_shrink_order gap_shrink_failed(struct gap_shrink *s, struct gap_shrink_failure f);
/** It could. @param too_long It is a channel's TOO_LONG. */
enum gap_shrink_order gap_shrink_read(struct gap_shrink *s, bool too_long);
/** The events are passed over. */
void gap_shrink_skipped(struct gap_shrink *s);
/** How long to wait after an unreadable answer. */
uint64_t gap_shrink_pause_us(const struct gap_shrink *s);
/** Does the question begin where the sequence does not stand? */
static inline bool gap_shrink_is_ahead(const struct gap_shrink *s)
{
    return s->pts > 0 || s->qts > 0;
}

#endif
