/*
 * sequence/turns.c - see turns.h. Pure: no clock, no memory, no callbacks.
 */
#include "sequence/turns.h"

#include "base/assert.h"

static bool is_waiting(unsigned waiting, unsigned c)
{
    return (waiting >> c & 1U) != 0;
}

enum gap_turn_class gap_turns_next(struct gap_turns *t, unsigned waiting)
{
    unsigned best = GAP_TURN_CLASSES;

    for (unsigned c = 0; c < GAP_TURN_CLASSES; c++) {
        if (!is_waiting(waiting, c)) continue;
        bool tired = t->passed[c] >= GAP_TURN_PATIENCE;
        if (best == GAP_TURN_CLASSES || (tired && t->passed[c] > t->passed[best])) best = c;
    }
    GAP_ASSERT(best < GAP_TURN_CLASSES);
    for (unsigned c = 0; c < GAP_TURN_CLASSES; c++) {
        if (c == best || !is_waiting(waiting, c)) {
            t->passed[c] = 0;
        } else if (t->passed[c] < UINT8_MAX) {
            t->passed[c]++;
        }
    }
    return (enum gap_turn_class)best;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

void gap_floods_told(struct gap_floods *f, int64_t channel_id, uint64_t now_us, uint64_t until_us)
{
    if (channel_id == 0) {
        f->all_us = later(f->all_us, until_us);
        return;
    }
    bool runs = f->one_us > now_us;
    uint64_t longest = runs ? later(f->one_us, until_us) : until_us;
    if (runs && f->one != channel_id) f->channels_us = longest;
    f->one = channel_id;
    f->one_us = longest;
}

uint64_t gap_floods_common_us(const struct gap_floods *f)
{
    return f->all_us;
}

uint64_t gap_floods_channel_us(const struct gap_floods *f)
{
    return later(f->all_us, f->channels_us);
}
