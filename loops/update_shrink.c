/*
 * loops/update_shrink.c - answers that can't be decoded. Which question is next is decided in
 * sequence/shrink.h; here is what becomes of the sequences meanwhile.
 *
 *   unreadable -> a short pause, then a smaller question, or one from further on
 *   the event to blame is found -> passed over, with an event that names the range; on from there
 *   nothing helps -> the server is asked where it stands (getState, getFullChannel)
 *
 * Owns: nothing. Never: uses a part of an answer, since what can't be decoded has no known length.
 */
#include "loops/engine_internal.h"

#include <gapless/tl_api.h>

static struct gap_track *first_of(struct gap_updater *u)
{
    return u->feed->track;
}

/* What is held and lies in the range is delivered: it came by itself, and could be read. */
static void pass_over(struct gap_updater *u, struct gap_feed *f, int32_t by)
{
    struct gap_track *track = f->track;
    int32_t from = track->core.position;
    int32_t base = from > 0 ? from : 1; /* a channel that is asked from its beginning */

    if (by <= 0 || u->engine->closing) return;
    track->core.position = base <= INT32_MAX - by ? base + by : INT32_MAX;
    gap_mark(u->engine, track);
    gap_updater_resynced(u, track, base, GAP_REASON_UNREADABLE);
    gap_feed_flush(f, from);
}

static void skip(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    int32_t pts = u->shrink.skip_pts;
    int32_t qts = u->shrink.skip_qts;

    gap_shrink_skipped(&u->shrink);
    pass_over(u, u->feed, pts);
    if (gap_updater_is_common(u)) pass_over(u, &e->feeds[GAP_SEQUENCE_QTS], qts);
    if (!e->closing) gap_updater_again(u);
}

void gap_updater_unreadable(struct gap_updater *u, int error, int32_t code)
{
    gap_engine_t *e = u->engine;
    struct gap_track *track = first_of(u);
    bool common = gap_updater_is_common(u);
    const struct gap_shrink_failure failure = {
        .common = common,
        .garbled = track->garbled,
        .too_long = !common && error != GAP_E_RPC &&
                    u->difference.id == GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG,
    };
    uint64_t pause_us = gap_jitter_us(gap_shrink_pause_us(&u->shrink),
                                      e->config.limits.jitter_permille, gap_prng_next(&e->random));

    gap_tap_failure(u, GAP_DECISION_UNREADABLE, error, code);
    switch (gap_shrink_failed(&u->shrink, failure)) {
    case GAP_SHRINK_SKIP:
        skip(u);
        return;
    case GAP_SHRINK_END:
        u->anew = true;
        u->anew_why = GAP_REASON_UNREADABLE;
        track->garbled = true;
        break;
    case GAP_SHRINK_ASK:
    case GAP_SHRINK_TAKE:
        break;
    }
    gap_updater_fail(u, error, code, GAP_REASON_UNREADABLE, failure.garbled ? 0 : pause_us);
}

bool gap_updater_readable(struct gap_updater *u)
{
    bool too_long = !gap_updater_is_common(u) && u->difference.kind == GAP_DIFFERENCE_TOO_LONG;

    if (gap_shrink_read(&u->shrink, too_long) != GAP_SHRINK_TAKE) {
        gap_updater_again(u);
        return false;
    }
    first_of(u)->garbled = false;
    return true;
}
