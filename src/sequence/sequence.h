/*
 * sequence/sequence.h - the rules of order, pure: what to do with an update, given where its
 * sequence stands. One implementation serves the common pts, qts, every channel's pts, and the seq
 * of containers (which is a position like the others: a container leads from seq_start - 1 to seq).
 *
 *            hole                      wait over, order to fetch
 *    LIVE ---------> WAITING ---------------------+
 *     | ^  \            | a push fits             v
 *     | |   +-----------|------ order ------> FETCHING
 *     | +-- nothing --- v                         | answer dispatched, position set
 *     +---- held --- REPLAYING <------------------+
 *
 * The rules come from core.telegram.org/api/updates; what is known beyond it about servers stands
 * at each rule.
 */
#ifndef GAP_SEQUENCE_SEQUENCE_H
#define GAP_SEQUENCE_SEQUENCE_H

#include <gapless/base.h>

/** A position that falls by more than this has been restarted by the server. */
#define GAP_RESET_DROP_COMMON  1000009
#define GAP_RESET_DROP_CHANNEL 99999

enum gap_sequence_mode {
    GAP_MODE_LIVE = 0,  /* nothing is missing */
    GAP_MODE_WAITING,   /* a hole; updates behind it are held, the missing one may still come */
    GAP_MODE_REPLAYING, /* held updates are being looked at again; what comes queues behind them */
    GAP_MODE_FETCHING,  /* frozen until a difference has been dispatched */
};

/** Events that one update may count, and containers that one may stand for: more is nonsense. */
#define GAP_COUNT_MAX 1000000
/** A hole larger than this is not passed over because the server keeps silent about it: then what
 * is behind it is the lie. */
#define GAP_LEAP_MAX 1000

/** Where one sequence stands. */
typedef struct gap_sequence {
    int32_t position; /* pts, qts or seq of the last applied update; 0: unset */
    uint8_t mode;     /* enum gap_sequence_mode */
    bool channel;     /* a channel's pts: what counts as a restart differs */
} gap_sequence_t;

enum gap_verdict {
    GAP_VERDICT_APPLY = 0, /* deliver; the position has moved */
    GAP_VERDICT_PLAIN,     /* deliver; it has no place in the order */
    GAP_VERDICT_DUPLICATE, /* was applied before */
    GAP_VERDICT_HOLD,      /* keep until its turn has come */
    GAP_VERDICT_GAP,       /* keep; a hole has just opened: the mode is WAITING now */
    GAP_VERDICT_MALFORMED, /* its numbers contradict each other */
    GAP_VERDICT_RESET,     /* deliver; the server restarted its count, the position fell */
    GAP_VERDICT_OVERLAP,   /* a part of it was applied: there is more behind the position */
};

/** What makes an update different from the others of its sequence. */
enum gap_step_flag {
    /** pts without a count of its own (updateReadChannelInbox): shows a hole, fills none, and no
     * difference brings it back: at or below the position it is delivered. */
    GAP_STEP_NO_COUNT = 1,
    /** A container: its unordered updates come from nowhere else, so one that the position has
     * passed is delivered (each container gets here once, see gap_window_add). */
    GAP_STEP_CONTAINER = 2,
};

/**
 * Judge an update and move the position if it fits.
 *
 * A channel whose position is not known begins with HOLD: what has come at once is put in order
 * before the first of it becomes the base (the mode is REPLAYING then). An update that counts
 * nothing is no base as long as the one that it belongs to may still come: GAP.
 *
 * @param position  pts, qts or seq after it; 0: unset, it is PLAIN.
 * @param count     Events in it; 0 is legal.
 * @param flags     enum gap_step_flag.
 */
enum gap_verdict gap_sequence_step(gap_sequence_t *s, int32_t position, int32_t count,
                                   unsigned flags);
/** The same for a held update whose turn may have come, in mode REPLAYING: never GAP; HOLD means
 * that there is still a hole before it. */
enum gap_verdict gap_sequence_replay(gap_sequence_t *s, int32_t position, int32_t count,
                                     unsigned flags);

enum gap_moved { GAP_MOVED_NOT = 0, GAP_MOVED_FORTH, GAP_MOVED_RESET };
/** Is it so far below the position that the server has restarted its count? */
bool gap_sequence_falls(const gap_sequence_t *s, int32_t position);
/** Take over the position that a difference gave: never backwards, but for a drop so large that
 * the server has restarted its count. */
enum gap_moved gap_sequence_move(gap_sequence_t *s, int32_t position);

/** Numbers of containers that have been seen: the last GAP_WINDOW of them. */
#define GAP_WINDOW 256
typedef struct gap_window {
    int32_t top; /* highest seen; 0: none */
    uint64_t seen[GAP_WINDOW / 64];
} gap_window_t;

/** A container came with seq_start..seq. @return true if it is new, false if it had been seen. One
 * that is far below the window can't be told from new. */
bool gap_window_add(gap_window_t *w, int32_t seq);
/** Has it been seen? */
bool gap_window_has(const gap_window_t *w, int32_t seq);
/** Forget everything: the server numbers anew. */
void gap_window_clear(gap_window_t *w);

/** The pause after one that was @p last_us (0: the first failure): doubles from min to max. */
uint64_t gap_backoff_us(uint64_t last_us, uint64_t min_us, uint64_t max_us);
/** @p us with a jitter of @p permille both ways; @p random: any 64 bits. */
uint64_t gap_jitter_us(uint64_t us, uint32_t permille, uint64_t random);

#endif
