/*
 * sequence/shrink.c - see shrink.h. Owns nothing. Never looks at an answer.
 *
 * The places that are tried are (pts + a, qts + b). That an answer from there can be read holds for
 * every later place too, as long as the same events follow; so the nearest one is found by doubling
 * and halving. An event's own count is not known before it can be read: an event of three is passed
 * at a = 3, not before.
 */
#include "sequence/shrink.h"

#include <string.h>

/* 1, 2, 3, 4, 8, 16 ... */
static int32_t distance(unsigned i)
{
    return i < 4 ? (int32_t)i + 1 : (int32_t)(4U << (i - 3));
}

static enum gap_shrink_order ask_at(struct gap_shrink *s, int32_t pts, int32_t qts)
{
    s->pts = pts;
    s->qts = qts;
    return GAP_SHRINK_ASK;
}

static enum gap_shrink_order give_up(struct gap_shrink *s)
{
    memset(s, 0, sizeof *s);
    return GAP_SHRINK_END;
}

/* The server does not cut: as the sequence is asked ever. */
static enum gap_shrink_order uncut(struct gap_shrink *s)
{
    s->whole = true;
    s->limit = 0;
    s->stage = GAP_SHRINK_AGAIN;
    return ask_at(s, 0, 0);
}

/* The place to be tried in this step: of two boxes, the nearest of either first; behind that each
 * distance with pts alone, then with both. */
static enum gap_shrink_order seek(struct gap_shrink *s, bool common)
{
    static const int32_t nearest[][2] = {{1, 0}, {0, 1}, {1, 1}};

    s->stage = GAP_SHRINK_SEEKING;
    if (common && s->step < 3) return ask_at(s, nearest[s->step][0], nearest[s->step][1]);
    unsigned i = common ? 1 + (s->step - 3U) / 2 : s->step;
    int32_t far = distance(i);
    if (far > (common ? GAP_SHRINK_SEEK_COMMON : GAP_SHRINK_SEEK_CHANNEL)) return give_up(s);
    s->low = i == 0 ? 0 : distance(i - 1);
    return ask_at(s, far, common && (s->step - 3) % 2 == 1 ? far : 0);
}

static enum gap_shrink_order confirm(struct gap_shrink *s)
{
    s->stage = GAP_SHRINK_CONFIRM;
    s->skip_pts = s->pts;
    s->skip_qts = s->qts;
    return ask_at(s, 0, 0);
}

/* One more place between low and high, or on to what comes next. */
static enum gap_shrink_order halve(struct gap_shrink *s)
{
    int32_t middle = s->low + (s->high - s->low) / 2;
    bool found = s->high - s->low <= 1;

    if (s->stage == GAP_SHRINK_QTS) {
        (void)ask_at(s, s->pts, found ? s->high : middle);
    } else {
        (void)ask_at(s, found ? s->high : middle, s->qts);
    }
    if (!found) return GAP_SHRINK_ASK;
    if (s->stage == GAP_SHRINK_QTS || s->qts <= 1) return confirm(s);
    s->stage = GAP_SHRINK_QTS;
    s->low = 0;
    s->high = s->qts;
    return halve(s);
}

static enum gap_shrink_order begin_seek(struct gap_shrink *s, bool common)
{
    s->step = 0;
    return seek(s, common);
}

static enum gap_shrink_order smaller(struct gap_shrink *s, bool common)
{
    s->streak = 0;
    s->passed = false;
    if (s->limit <= 1) return begin_seek(s, common);
    s->limit /= 4;
    return GAP_SHRINK_ASK;
}

enum gap_shrink_order gap_shrink_failed(struct gap_shrink *s, struct gap_shrink_failure f)
{
    if (s->tries < UINT8_MAX) s->tries++;
    if (f.garbled) return s->tries < GAP_SHRINK_GARBLED_MAX ? GAP_SHRINK_ASK : give_up(s);
    if (f.too_long && s->limit > 0) return uncut(s);
    switch ((enum gap_shrink_stage)s->stage) {
    case GAP_SHRINK_OFF:
        s->stage = GAP_SHRINK_AGAIN;
        return GAP_SHRINK_ASK;
    case GAP_SHRINK_AGAIN:
        if (f.too_long) /* it would not tell in any case */
            return s->tries < GAP_SHRINK_LONG_MAX ? GAP_SHRINK_ASK : give_up(s);
        if (s->whole) return begin_seek(s, f.common);
        s->stage = GAP_SHRINK_LIMITED;
        s->limit = GAP_SHRINK_LIMIT;
        s->passed = false;
        return GAP_SHRINK_ASK;
    case GAP_SHRINK_LIMITED:
        return smaller(s, f.common);
    case GAP_SHRINK_SEEKING:
        s->step++;
        return seek(s, f.common);
    case GAP_SHRINK_PTS:
        s->low = s->pts;
        return halve(s);
    case GAP_SHRINK_QTS:
        s->low = s->qts;
        return halve(s);
    case GAP_SHRINK_CONFIRM:
        break;
    }
    return GAP_SHRINK_SKIP;
}

/* The way is free from this place on; and from which one before it? */
static enum gap_shrink_order free_from(struct gap_shrink *s)
{
    if (s->pts <= 1 && s->qts <= 1) return confirm(s);
    s->stage = GAP_SHRINK_PTS;
    s->high = s->pts;
    if (s->qts > 0) s->low = -1; /* it need not be a pts event at all */
    return halve(s);
}

static enum gap_shrink_order larger(struct gap_shrink *s)
{
    s->tries = 0;
    s->streak++;
    if (!s->passed && s->streak < GAP_SHRINK_STREAK) return GAP_SHRINK_TAKE;
    s->streak = 0;
    s->limit *= 4;
    if (s->limit > GAP_SHRINK_LIMIT) memset(s, 0, sizeof *s);
    return GAP_SHRINK_TAKE;
}

enum gap_shrink_order gap_shrink_read(struct gap_shrink *s, bool too_long)
{
    if (too_long && s->limit > 0) return uncut(s);
    switch ((enum gap_shrink_stage)s->stage) {
    case GAP_SHRINK_OFF:
        break;
    case GAP_SHRINK_AGAIN:
        s->stage = GAP_SHRINK_OFF;
        break;
    case GAP_SHRINK_LIMITED:
        return larger(s);
    case GAP_SHRINK_SEEKING:
        return free_from(s);
    case GAP_SHRINK_PTS:
        s->high = s->pts;
        return halve(s);
    case GAP_SHRINK_QTS:
        s->high = s->qts;
        return halve(s);
    case GAP_SHRINK_CONFIRM: /* it was the server's passing whim: nothing is skipped */
        gap_shrink_skipped(s);
        break;
    }
    s->tries = 0;
    return GAP_SHRINK_TAKE;
}

void gap_shrink_skipped(struct gap_shrink *s)
{
    s->stage = s->whole ? GAP_SHRINK_OFF : GAP_SHRINK_LIMITED;
    s->tries = 0;
    s->streak = 0;
    s->passed = true;
    s->pts = s->qts = 0;
    s->skip_pts = s->skip_qts = 0;
}

uint64_t gap_shrink_pause_us(const struct gap_shrink *s)
{
    uint64_t us = GAP_SHRINK_PAUSE_MIN_US;

    for (unsigned i = GAP_SHRINK_QUICK; i < s->tries && us < GAP_SHRINK_PAUSE_MAX_US; i++) us *= 2;
    return us < GAP_SHRINK_PAUSE_MAX_US ? us : GAP_SHRINK_PAUSE_MAX_US;
}
