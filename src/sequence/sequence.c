/*
 * sequence/sequence.c - the rules of order.
 *
 * Local position L, update P with count C: L + C == P fits, L + C > P is a duplicate, L + C < P
 * leaves a hole. Pure: no clock, no memory, no callbacks.
 */
#include "sequence/sequence.h"

#include <string.h>

static int32_t reset_drop(const gap_sequence_t *s)
{
    return s->channel ? GAP_RESET_DROP_CHANNEL : GAP_RESET_DROP_COMMON;
}

static bool well_formed(int32_t position, int32_t count, unsigned flags)
{
    if (position < 0 || count < 0 || count > GAP_COUNT_MAX) return false;
    /* A container may lead from 0 to 1; an event of a box never does: boxes begin at 1. */
    if ((flags & GAP_STEP_CONTAINER) != 0) return position >= count;
    return position > count || (position == 1 && count == 1);
}

/* HOLD stands for a hole. */
static enum gap_verdict judge(gap_sequence_t *s, int32_t position, int32_t count, unsigned flags)
{
    int64_t start = (int64_t)position - count;

    if (s->position == 0 && (flags & GAP_STEP_CONTAINER) == 0) {
        /* Nothing is known: the first update is the base. */
        if ((flags & GAP_STEP_NO_COUNT) != 0) return GAP_VERDICT_PLAIN;
        s->position = position;
        return GAP_VERDICT_APPLY;
    }
    if (start == s->position) {
        s->position = position;
        return GAP_VERDICT_APPLY;
    }
    if (start > s->position) return GAP_VERDICT_HOLD;
    if ((flags & GAP_STEP_CONTAINER) != 0) {
        if (position > s->position) s->position = position;
        return GAP_VERDICT_PLAIN;
    }
    if ((int64_t)s->position - position > reset_drop(s)) {
        s->position = position;
        return GAP_VERDICT_RESET;
    }
    if ((flags & GAP_STEP_NO_COUNT) != 0) return GAP_VERDICT_PLAIN;
    return position > s->position ? GAP_VERDICT_OVERLAP : GAP_VERDICT_DUPLICATE;
}

/* The beginning of a channel. */
static enum gap_verdict begin(gap_sequence_t *s, int32_t count)
{
    if (count > 0) {
        s->mode = GAP_MODE_REPLAYING;
    } else if (s->mode == GAP_MODE_LIVE) {
        s->mode = GAP_MODE_WAITING;
        return GAP_VERDICT_GAP;
    }
    return GAP_VERDICT_HOLD;
}

enum gap_verdict gap_sequence_step(gap_sequence_t *s, int32_t position, int32_t count,
                                   unsigned flags)
{
    if (position == 0) return count < 0 ? GAP_VERDICT_MALFORMED : GAP_VERDICT_PLAIN;
    if (!well_formed(position, count, flags)) return GAP_VERDICT_MALFORMED;
    if (s->mode == GAP_MODE_REPLAYING || s->mode == GAP_MODE_FETCHING) return GAP_VERDICT_HOLD;
    if (s->position == 0 && s->channel && (flags & GAP_STEP_NO_COUNT) == 0) return begin(s, count);
    enum gap_verdict v = judge(s, position, count, flags);
    if (v != GAP_VERDICT_HOLD || s->mode == GAP_MODE_WAITING) return v;
    s->mode = GAP_MODE_WAITING;
    return GAP_VERDICT_GAP;
}

enum gap_verdict gap_sequence_replay(gap_sequence_t *s, int32_t position, int32_t count,
                                     unsigned flags)
{
    return judge(s, position, count, flags);
}

bool gap_sequence_falls(const gap_sequence_t *s, int32_t position)
{
    return (int64_t)s->position - position > reset_drop(s);
}

enum gap_moved gap_sequence_move(gap_sequence_t *s, int32_t position)
{
    if (position <= 0 || position == s->position) return GAP_MOVED_NOT;
    if (position > s->position) {
        s->position = position;
        return GAP_MOVED_FORTH;
    }
    if (!gap_sequence_falls(s, position)) return GAP_MOVED_NOT;
    s->position = position;
    return GAP_MOVED_RESET;
}

/* ---- containers seen ---- */

static size_t bit_of(int32_t seq)
{
    return (size_t)((uint32_t)seq % GAP_WINDOW);
}

bool gap_window_has(const gap_window_t *w, int32_t seq)
{
    if (seq > w->top || (int64_t)w->top - seq >= GAP_WINDOW) return false;
    size_t bit = bit_of(seq);
    return (w->seen[bit / 64] >> (bit % 64) & 1) != 0;
}

bool gap_window_add(gap_window_t *w, int32_t seq)
{
    if (gap_window_has(w, seq)) return false;
    if (seq > w->top) {
        if ((int64_t)seq - w->top >= GAP_WINDOW)
            memset(w->seen, 0, sizeof w->seen);
        else
            for (int32_t s = w->top + 1; s < seq; s++)
                w->seen[bit_of(s) / 64] &= ~(UINT64_C(1) << (bit_of(s) % 64));
        w->top = seq;
    } else if ((int64_t)w->top - seq >= GAP_WINDOW) {
        return true;
    }
    w->seen[bit_of(seq) / 64] |= UINT64_C(1) << (bit_of(seq) % 64);
    return true;
}

void gap_window_clear(gap_window_t *w)
{
    memset(w, 0, sizeof *w);
}

/* ---- pauses ---- */

uint64_t gap_backoff_us(uint64_t last_us, uint64_t min_us, uint64_t max_us)
{
    if (last_us < min_us) return min_us;
    return last_us >= max_us / 2 ? max_us : last_us * 2;
}

uint64_t gap_jitter_us(uint64_t us, uint32_t permille, uint64_t random)
{
    uint64_t span = us / 1000 * permille;

    if (permille > 1000 || span == 0) return us;
    return us - span + random % (2 * span + 1);
}
