/*
 * loops/update_loop.c - fetches differences until its sequence is whole, then pauses itself.
 *
 *   IDLE --order--> QUEUED (channels: one of a few may ask at a time) -> ASKING
 *    ^                 |  ^--- no access hash: HASH (a common difference may bring it)
 *    |                 |                                     |  \--failed--> BACKOFF --> ASKING
 *    +-- nothing more -+---- DELIVERING (by the feeder) <----+
 *                               \--slice--> QUEUED | ASKING
 *
 * Outside of IDLE its sequences are frozen. One question is in flight at most; the next slice is
 * asked for when the one before has been delivered. An order that comes meanwhile is remembered,
 * and asked for when this one is through.
 *
 * Owns: the question, the answer, the retry timer. Never: delivers, judges an update.
 */
#include "base/failpoint.h"
#include "base/packet.h"
#include "loops/engine_internal.h"

#include <string.h>

void gap_updater_for_each_feed(struct gap_updater *u, void (*fn)(struct gap_feed *f))
{
    if (!gap_updater_is_common(u)) {
        fn(u->feed);
        return;
    }
    for (size_t i = 0; i < GAP_ARRAY_LEN(u->engine->feeds); i++) fn(&u->engine->feeds[i]);
}

static void thaw(struct gap_feed *f)
{
    gap_feed_thaw(f, f->updater->resynced);
}
static void thaw_unless_kept(struct gap_feed *f)
{
    if (!f->keep || f->asked_keep) thaw(f);
}
static void release(struct gap_feed *f)
{
    gap_feed_release(f, false);
}
static void release_always(struct gap_feed *f)
{
    gap_feed_release(f, true);
}
static void forget_restored(struct gap_feed *f)
{
    f->track->restored = false;
}
static void forget_behind(struct gap_feed *f)
{
    f->track->behind = 0;
}

static int32_t position_of(const struct gap_updater *u)
{
    return u->feed->track->core.position;
}

/* ---- orders ---- */

/* Orders that stay whatever pushes bring. */
static bool has_lasting_orders(const struct gap_updater *u)
{
    return u->want || u->anew || (u->want_pts > 0 && u->want_pts > position_of(u));
}

static bool has_orders(const struct gap_updater *u)
{
    if (has_lasting_orders(u) || gap_feed_is_due(u->feed)) return true;
    if (!gap_updater_is_common(u)) return false;
    return gap_feed_is_due(&u->engine->feeds[GAP_SEQUENCE_QTS]) ||
           gap_feed_is_due(&u->engine->feeds[GAP_SEQUENCE_SEQ]);
}

static void ordered(struct gap_updater *u)
{
    if (u->state == UPDATER_IDLE) gap_updater_for_each_feed(u, gap_feed_ordered);
    gap_loop_signal(u->engine->rt, &u->loop);
}

void gap_updater_hole(struct gap_updater *u)
{
    if (!u->engine->closing) ordered(u);
}

void gap_updater_want(struct gap_updater *u, int32_t hint)
{
    if (u->engine->closing) return;
    if (hint > 0) {
        if (hint > u->want_pts) u->want_pts = hint;
        if (hint > u->hinted) u->hinted = hint;
    } else {
        u->want = true;
    }
    if (has_orders(u)) ordered(u);
}

void gap_updater_want_anew(struct gap_updater *u, gap_engine_reason_t why)
{
    if (u->engine->closing) return;
    u->anew = true;
    u->anew_why = (uint8_t)why;
    gap_updater_for_each_feed(u, gap_feed_freeze); /* what comes now may count anew */
    ordered(u);
}

void gap_updater_hurry(struct gap_updater *u)
{
    if (u->state != UPDATER_BACKOFF || !u->offline) return;
    u->pause_us = 0;
    gap_timer_stop(u->engine->rt, &u->retry);
    gap_loop_signal(u->engine->rt, &u->loop);
}

/* ---- turns ---- */

void gap_updater_unlist(struct gap_updater *u)
{
    if (!u->listed) return;
    if (u->state == UPDATER_HASH) {
        u->listed = false;
        TAILQ_REMOVE(&u->engine->hashless, u, next);
    } else {
        gap_turn_leave(u);
    }
}

static void came_to_rest(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    if (!gap_updater_is_common(u)) {
        u->named = false;
        e->starting -= u->track->startup ? 1 : 0;
        u->track->startup = false;
        gap_open_finished(u);
    }
    if (!e->closing) gap_engine_check_caught_up(e);
}

/* Pushes have healed what was to be asked for. */
static void stand_down(struct gap_updater *u)
{
    u->pause_us = 0;
    u->want_pts = 0;
    u->hinted = 0;
    u->state = UPDATER_IDLE;
    gap_updater_for_each_feed(u, release_always);
    gap_loop_signal(u->engine->rt, &u->loop); /* it may rest now */
    came_to_rest(u);
}

void gap_updater_turn(struct gap_updater *u)
{
    if (!has_orders(u)) {
        stand_down(u);
        return;
    }
    u->state = UPDATER_ASKING;
    u->owed = has_lasting_orders(u);
    u->want = u->flooded = false;
    u->want_pts = 0;
    gap_updater_for_each_feed(u, gap_feed_asked);
    int r = gap_updater_ask(u);
    if (r < 0) gap_updater_fail(u, r, 0, GAP_REASON_NONE, 0);
}

static void wait_for_hash(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    u->track->hash_tried = true;
    u->state = UPDATER_HASH;
    gap_tap(e, u->track, GAP_DECISION_NO_HASH);
    u->listed = true;
    TAILQ_INSERT_TAIL(&e->hashless, u, next);
    gap_updater_want(&e->updater, 0);
}

void gap_updater_retry_hashless(gap_engine_t *e)
{
    struct gap_updater *u;

    while ((u = TAILQ_FIRST(&e->hashless)) != NULL) {
        gap_updater_unlist(u);
        u->state = UPDATER_QUEUED;
        gap_loop_signal(e->rt, &u->loop);
    }
}

/* The channel can't be asked: go on behind the hole, and say so. */
static void give_up(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    const struct gap_node *first = gap_held_first(&u->feed->held);
    int32_t from = u->track->core.position;
    int32_t to = first == NULL ? u->want_pts : first->update.pts - first->update.pts_count;

    u->want = false;
    u->want_pts = 0;
    u->probe = false;
    u->feed->expired = false;
    forget_behind(u->feed);
    if (to > from) u->track->core.position = to;
    gap_mark(e, u->track);
    u->resynced = true;
    if (u->track->core.position > 0) gap_watch_lost(e, u->track, from, to, GAP_REASON_NO_HASH, 0);
    if (!e->closing) gap_updater_finish(u);
}

/* Many channels may be named by the start's difference, and many accounts may start at once: their
 * questions are spread a little. @return false: ask now. */
static bool put_off(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    uint64_t span_us = e->config.limits.start_spread_us;

    if (!u->track->startup || u->spread || span_us == 0) return false;
    u->spread = true;
    if (gap_open_is(e, u->track->channel_id)) return false;
    uint64_t due_us = e->rt->now_us + gap_prng_below(&e->random, span_us);
    if (gap_timer_start(e->rt, &u->retry, due_us) < 0) return false;
    u->state = UPDATER_BACKOFF;
    u->put_off = true;
    return true;
}

static void begin_channel(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    bool hash = gap_engine_hash(e, u->track->channel_id, NULL);
    bool askable = u->probe || u->anew || u->track->core.position > 0;

    if (hash) {
        u->track->hash_tried = false;
    } else if (!u->track->hash_tried) {
        wait_for_hash(u);
        return;
    }
    if (!askable) {
        /* What is held is the channel's beginning. */
        u->want = false;
        u->want_pts = 0;
        u->feed->expired = false;
        gap_updater_finish(u);
    } else if (!hash && !e->config.bot) {
        give_up(u);
    } else if (!put_off(u)) {
        u->state = UPDATER_QUEUED;
        gap_turn_wait(u);
        if (u->state == UPDATER_QUEUED) gap_updater_for_each_feed(u, release);
    }
}

/* An account begins by asking where the server stands. That calls no handler, and who holds the
 * engine may wait for it. */
static bool is_beginning(const struct gap_updater *u)
{
    return gap_updater_is_common(u) && !u->engine->known && u->engine->fresh;
}

static void begin(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    gap_updater_unlist(u);
    u->put_off = false;
    if (u->stale) {
        gap_open_unfollowed(u);
        return;
    }
    u->state = UPDATER_QUEUED;
    if (!e->started || e->unauthorized) return; /* gap_engine_start comes back here */
    if (e->held && !is_beginning(u)) {
        gap_stall(e, &u->stall, &u->loop);
        return;
    }
    if (gap_updater_is_common(u)) {
        gap_engine_tell_started(e);
        if (!e->closing) gap_updater_turn(u);
    } else {
        begin_channel(u);
    }
}

void gap_updater_due(struct gap_updater *u)
{
    if (u->state != UPDATER_BACKOFF) return;
    if (gap_heap_contains(&u->retry.node) && u->retry.node.key > u->engine->rt->now_us) return;
    gap_timer_stop(u->engine->rt, &u->retry);
    begin(u);
}

/* ---- ends ---- */

void gap_updater_fail(struct gap_updater *u, int error, int32_t code, gap_engine_reason_t why,
                      uint64_t pause_us)
{
    gap_engine_t *e = u->engine;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_DIFFERENCE_FAILED, u->feed->track);

    if (pause_us == 0) {
        u->pause_us = gap_backoff_us(u->pause_us, GAP_ENGINE_RETRY_MIN_US, GAP_ENGINE_RETRY_MAX_US);
        pause_us =
            gap_jitter_us(u->pause_us, e->config.limits.jitter_permille, gap_prng_next(&e->random));
    }
    u->state = UPDATER_BACKOFF;
    u->offline = error < 0 && error != GAP_E_RPC && why == GAP_REASON_NONE;
    u->want = u->want || u->owed || u->under_way;
    u->under_way = false;
    gap_updater_for_each_feed(u, release);
    if (gap_timer_start(e->rt, &u->retry, e->rt->now_us + pause_us) < 0) gap_engine_sweep_later(e);
    gap_tap_at(e, u->feed->track, GAP_DECISION_LATER, -1, pause_us);
    ev.error = error;
    ev.error_code = code;
    ev.reason = why;
    ev.us = pause_us;
    gap_engine_tell(e, &ev);
}

static void retry_due(gap_rt_t *rt, gap_timer_t *timer)
{
    struct gap_updater *u = GAP_CONTAINER_OF(timer, struct gap_updater, retry);

    gap_loop_signal(rt, &u->loop);
}

void gap_updater_finish(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    u->pause_us = 0;
    memset(&u->shrink, 0, sizeof u->shrink);
    u->refused = 0;
    u->probe = u->stale = false;
    u->under_way = u->parts = false;
    if (e->config.gap_continue) {
        gap_updater_for_each_feed(u, thaw_unless_kept);
        u->resynced = false;
        if (e->closing) return;
    }
    if (has_orders(u)) {
        u->useless = 0;
        begin(u);
        return;
    }
    u->want_pts = 0;
    u->hinted = 0;
    u->state = UPDATER_IDLE;
    if (!e->config.gap_continue) gap_updater_for_each_feed(u, thaw);
    gap_updater_for_each_feed(u, forget_restored);
    u->useless = 0;
    u->resynced = false;
    if (gap_updater_is_common(u)) {
        e->quiet_since_us = e->rt->now_us;
        e->fetched_once = true;
        e->missed = false;
        gap_updater_retry_hashless(e);
    }
    came_to_rest(u);
}

void gap_updater_delivered(struct gap_updater *u)
{
    u->delivered = true;
    gap_loop_signal(u->engine->rt, &u->loop);
}

static void slice_done(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    u->delivered = false;
    GAP_FAILPOINT("slice.delivered");
    if (u->stale) {
        gap_open_unfollowed(u);
        return;
    }
    bool more = gap_updater_take_state(u);
    if (e->closing) return;
    if (more) GAP_FAILPOINT("slice.between");
    if (!more) GAP_FAILPOINT("slice.last");
    if (more) u->want = true;
    u->parts = more;
    if (more && u->useless > 1) {
        gap_updater_fail(u, 0, 0, GAP_REASON_NO_PROGRESS, 0);
    } else if (more) {
        begin(u);
    } else {
        gap_updater_finish(u);
    }
}

/* Is an untracked channel's updater to give up what it does? Its FLOOD_WAIT goes on: the channel
 * may be tracked again meanwhile. */
static bool is_useless(const struct gap_updater *u)
{
    const struct gap_updater_answer *a = &u->answer;

    if (!u->stale) return false;
    if (a->have) return a->status != GAP_E_RPC || a->refusal.kind != GAP_REFUSAL_FLOOD;
    return u->state < UPDATER_ASKING || (u->state == UPDATER_BACKOFF && !u->flooded);
}

static void update_run(gap_rt_t *rt, gap_loop_t *loop)
{
    struct gap_updater *u = GAP_CONTAINER_OF(loop, struct gap_updater, loop);
    gap_engine_t *e = u->engine;

    (void)rt;
    if (e->closing) return;
    if (e->held && !is_beginning(u)) {
        gap_stall(e, &u->stall, loop);
        if (u->state != UPDATER_IDLE) gap_loop_wait(loop);
        return;
    }
    if (is_useless(u)) {
        gap_open_unfollowed(u);
        gap_turns_go(e); /* it may have had a place that others wait for */
    } else if (u->answer.have) {
        gap_updater_answered(u);
    } else if (u->state == UPDATER_DELIVERING) {
        if (u->delivered) slice_done(u);
    } else if (u->state == UPDATER_IDLE) {
        if (has_orders(u)) begin(u);
    } else if (u->state == UPDATER_QUEUED) {
        if (!u->listed) begin(u);
    } else if (u->state == UPDATER_BACKOFF) {
        if (!gap_heap_contains(&u->retry.node)) begin(u);
    }
    if (e->closing) return;
    if (u->state != UPDATER_IDLE) gap_loop_wait(loop);
    gap_engine_rest(e, u->feed->track);
}

static void update_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    (void)rt;
    gap_engine_closed_one(GAP_CONTAINER_OF(loop, struct gap_updater, loop)->engine);
}

const struct gap_loop_class gap_update_loop_class = {"update", update_run, update_closed};

void gap_updater_init(struct gap_updater *u, gap_engine_t *e, struct gap_track *track,
                      struct gap_feed *feed)
{
    memset(u, 0, sizeof *u);
    gap_loop_init(&u->loop, &gap_update_loop_class);
    u->engine = e;
    u->track = track;
    u->feed = feed;
    u->retry.fn = retry_due;
}

void gap_updater_fini(struct gap_updater *u)
{
    gap_packet_unref(u->packet);
    gap_packet_unref(u->answer.packet);
    u->packet = NULL;
    u->answer.packet = NULL;
}
