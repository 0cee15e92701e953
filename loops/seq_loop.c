/*
 * loops/seq_loop.c - what was fed, in the order in which it came: each update goes to the feeder of
 * its sequence, each order to its updater. Updates of a container leave it here; the container's
 * own place in the order (seq) is judged by a feeder like all others, with what has no sequence of
 * its own as its content.
 *
 *   PAUSED --fed--> READY -> RUNNING -> PAUSED (empty) | READY (more than one batch)
 *
 * Owns: the arrivals. Never: parses, asks, decides about a position.
 */
#include "loops/engine_internal.h"

/* A channel that is just beginning takes what came at once first. */
static bool comes_too_soon(const gap_engine_t *e, const struct gap_node *n)
{
    const gap_sequence_t *core = &n->track->core;

    return core->position == 0 && core->mode == GAP_MODE_REPLAYING && !n->unknown &&
           !STAILQ_EMPTY(&e->arrivals);
}

/* The first difference may name a channel lower than a push that overtook it did: it begins at the
 * lower place, and what happened in between is asked for. */
static bool is_named_lower(const gap_engine_t *e, const struct gap_track *track, int32_t hint)
{
    bool asks = track->feed != NULL && track->feed->updater->state != UPDATER_IDLE;

    return track->hearsay && hint > 0 && hint < track->core.position && e->fresh && !e->caught_up &&
           track->core.mode == GAP_MODE_LIVE && !asks;
}

/* updateChannelTooLong. A channel whose position is not known starts from the one named while an
 * account without a state is just starting: what was before is no concern. Otherwise the channel is
 * new to us, and what happened in it is asked for from its beginning. */
static void too_long(gap_engine_t *e, struct gap_node *n)
{
    struct gap_track *track = n->track;
    int32_t hint = n->update.pts;

    if (comes_too_soon(e, n)) {
        n->unknown = true;
        STAILQ_INSERT_TAIL(&e->arrivals, n, next);
        e->arrival_count++;
        return;
    }
    gap_mark(e, track);
    track->queued--;
    gap_node_free(n);
    gap_feed_settle(e, track);
    if (e->closing) return;
    track->lost = false;
    if (track->core.position == 0 && hint > 0 && e->fresh && !e->caught_up &&
        track->core.mode == GAP_MODE_LIVE) {
        gap_tap_at(e, track, GAP_DECISION_BASE, hint, 0);
        track->core.position = hint;
        track->hearsay = true;
        return;
    }
    if (is_named_lower(e, track, hint)) {
        int32_t lower = hint;
        hint = track->core.position;
        gap_tap_at(e, track, GAP_DECISION_BASE, lower, 0);
        track->core.position = lower;
    }
    bool in_step = hint > 0 && track->core.position >= hint;
    gap_tap_at(e, track, in_step ? GAP_DECISION_IN_STEP : GAP_DECISION_CHANNEL_MOVED, hint, 0);
    if (in_step) {
        if (hint < track->core.position) gap_doubt_push(e, track, hint - 1, hint);
        return;
    }
    struct gap_feed *f = gap_engine_activate(e, track);
    if (f == NULL) {
        gap_track_behind(track, 1);
        return;
    }
    if (track->core.position == 0) {
        f->updater->probe = true;
        /* It may have been heard of before the restart, and not yet stored. */
        if (gap_engine_is_returning(e)) track->restored = true;
    }
    if (e->known && !e->caught_up && !track->startup) {
        track->startup = true;
        e->starting++;
    }
    f->updater->named = true;
    gap_updater_want(f->updater, hint > 0 ? hint : 0);
    gap_turn_better(f->updater);
}

/* messages.affected* about a channel. */
static bool is_silent_call(const struct gap_node *n)
{
    return n->kind == NODE_SILENT && n->update.bytes.data == NULL && n->track->channel_id != 0;
}

/* The same about a channel that is not followed: no base is taken from it. One that is just
 * beginning puts it in order with what came at once. */
static bool is_no_concern(const struct gap_node *n)
{
    return is_silent_call(n) && n->track->core.position == 0 &&
           n->track->core.mode != GAP_MODE_REPLAYING;
}

static void take(gap_engine_t *e, struct gap_node *n)
{
    switch ((enum gap_node_kind)n->kind) {
    case NODE_UPDATE:
    case NODE_SILENT:
    case NODE_CONTAINER:
        if (e->closing || is_no_concern(n)) {
            if (n->track != NULL) {
                gap_tap_node(n, GAP_DECISION_IGNORED, n->track->core.position);
                n->track->queued--;
                if (!e->closing) gap_mark(e, n->track);
            }
            gap_node_free(n);
        } else if (n->track != NULL) {
            gap_feed_take(e, n->track, n);
        } else {
            e->plain_count--;
            gap_tap_node(n, GAP_DECISION_PLAIN, 0);
            gap_node_deliver(n);
        }
        return;
    case NODE_TOO_LONG:
        too_long(e, n);
        return;
    case NODE_PTS_CHANGED:
        gap_tap(e, &e->common[GAP_SEQUENCE_COMMON], GAP_DECISION_PTS_CHANGED);
        gap_node_free(n);
        gap_feed_purge(&e->feeds[GAP_SEQUENCE_COMMON]);
        if (e->closing) return;
        gap_mark(e, &e->common[GAP_SEQUENCE_COMMON]);
        gap_updater_want_anew(&e->updater, GAP_REASON_RESET);
        return;
    case NODE_FETCH:
        gap_tap(e, &e->common[GAP_SEQUENCE_COMMON], GAP_DECISION_UNKNOWN_PEER);
        gap_updater_want(&e->updater, 0);
        gap_node_free(n);
        return;
    }
}

static void tell_shed(gap_engine_t *e)
{
    if (e->shed_untold == 0) return;
    e->shed_untold = 0;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_SHED, NULL);
    gap_engine_tell(e, &ev);
}

/* @return what is left of the batch. */
static unsigned hand_out_queries(gap_engine_t *e, unsigned budget)
{
    while (budget > 0 && e->started && !e->closing) {
        struct gap_node *n = STAILQ_FIRST(&e->queries);
        if (n == NULL || (e->held && e->held_queries >= e->config.limits.inbox)) break;
        STAILQ_REMOVE_HEAD(&e->queries, next);
        if (e->held) e->held_queries++;
        e->plain_count--;
        budget--;
        n->update.maybe_repeated = gap_engine_is_returning(e);
        gap_tap_node(n, GAP_DECISION_PLAIN, 0);
        gap_node_deliver(n);
    }
    return budget;
}

static void seq_run(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_engine_t *e = GAP_CONTAINER_OF(loop, gap_engine_t, seq);
    unsigned budget = hand_out_queries(e, GAP_SEQ_BATCH_MAX);
    bool full = budget == 0;

    e->quiet_since_us = rt->now_us;
    for (; budget > 0 && !e->closing && !e->held; budget--) {
        struct gap_node *n = STAILQ_FIRST(&e->arrivals);
        if (n == NULL) break;
        STAILQ_REMOVE_HEAD(&e->arrivals, next);
        e->arrival_count--;
        take(e, n);
    }
    gap_node_forget_copy(e);
    if (e->closing) return;
    gap_node_tell_failed(e);
    tell_shed(e);
    if (e->closing) return;
    if (full) gap_loop_signal(rt, loop); /* queries that are left */
    if (!STAILQ_EMPTY(&e->arrivals)) {
        if (!e->held) gap_loop_signal(rt, loop); /* the keeper does, when it is released */
    } else {
        gap_engine_check_caught_up(e);
    }
}

static void seq_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    (void)rt;
    gap_engine_closed_one(GAP_CONTAINER_OF(loop, gap_engine_t, seq));
}

const struct gap_loop_class gap_seq_loop_class = {"seq", seq_run, seq_closed};
