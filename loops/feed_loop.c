/*
 * loops/feed_loop.c - one sequence's FIFO.
 *
 *   LIVE <-> WAITING(hole) --wait over--> FETCHING --dispatched--> REPLAYING -> LIVE | WAITING
 *   any --order to fetch--> FETCHING          WAITING --the hole is filled--> REPLAYING
 *
 * (the modes are those of sequence/sequence.h). The FIFO is, from its head: the answer of a
 * difference that is being delivered; what is held, in the order of the sequence; what comes. An
 * update that fits while nothing is queued is delivered at once and never gets here as a node.
 *
 * Where a channel's answer is too long, what is held is delivered before its newest messages, but
 * for what these bring: nobody else has it. When the server counts anew, what is held and was
 * covered is dropped, since pts of the two counts look alike; the rest is delivered first. After a
 * channel was lost, what comes of it begins anew, repeats included.
 *
 * Owns: the held updates. Never: parses TL, sends requests, calls malloc (the copies of what is
 * held are made by the node).
 */
#include "base/assert.h"
#include "loops/engine_internal.h"

#include <gapless/tl_api.h>
#include <string.h>

static unsigned step_flags(const struct gap_node *n)
{
    if (n->kind == NODE_CONTAINER) return GAP_STEP_CONTAINER;
    return (n->update.flags & GAP_ITEM_NO_COUNT) != 0 ? GAP_STEP_NO_COUNT : 0;
}

/* ---- holding ---- */

/* Nowhere to keep it: it is fetched when there is room again. What only its container orders is
 * gone. */
static void no_room(gap_engine_t *e, struct gap_track *track, struct gap_node *n)
{
    gap_track_behind(track, 1);
    gap_mark(e, track);
    gap_watch_count(e, track, GAP_WATCH_BEHIND);
    gap_tap_node(n, GAP_DECISION_STARVED, track->core.position);
    if (n->kind == NODE_CONTAINER && !STAILQ_EMPTY(&n->u.rest)) {
        e->count.shed++;
        gap_tap(e, track, GAP_DECISION_SHED);
        e->shed_untold++;
    }
    gap_node_free(n);
    gap_engine_sweep_later(e);
}

static bool hold(struct gap_feed *f, struct gap_node *n)
{
    int32_t position = n->update.pts;
    int32_t count = n->update.pts_count < position ? n->update.pts_count : position;

    if (gap_held_insert(&f->held, position, count, n) < 0) {
        no_room(f->engine, f->track, n);
        return false;
    }
    gap_node_detach(n);
    n->held_us = f->engine->rt->now_us;
    if (f->held.count == 1 || position > f->held_to) f->held_to = position;
    f->track->queued++;
    f->engine->count.held++;
    if (f->held.count == 1 && (f->updater->listed || f->updater->put_off))
        gap_turn_better(f->updater);
    gap_episode_hurry(f);
    return true;
}

static struct gap_node *take_held(struct gap_feed *f)
{
    struct gap_node *n = gap_held_take(&f->held);

    f->engine->count.held--;
    f->track->queued--;
    return n;
}

void gap_feed_drop(struct gap_feed *f)
{
    if (f->held.count > 0 && !f->engine->closing) gap_mark(f->engine, f->track);
    while (f->held.count > 0) gap_node_free(take_held(f));
}

void gap_feed_stop(struct gap_feed *f)
{
    f->open = f->asked = f->expired = f->keep = f->hopeless = false;
    gap_feed_settled(f);
    f->until = 0;
    f->fruitless = 0;
    gap_timer_stop(f->engine->rt, &f->wait);
}

/* ---- what becomes of a judged update ---- */

static void reset_told(gap_engine_t *e, struct gap_track *track, int32_t from)
{
    gap_mark_fallen(e, track);
    gap_watch_lost(e, track, from, track->core.position, GAP_REASON_RESET, 0);
}

/* Of the same channel's read marks only a higher one is news. */
static bool read_is_news(struct gap_track *track, const struct gap_node *n)
{
    gap_tl_update_read_channel_inbox_t read;

    if (n->update.id != GAP_TL_UPDATE_READ_CHANNEL_INBOX) return true;
    if (gap_tl_read(n->update.bytes, GAP_TL_UPDATE_READ_CHANNEL_INBOX, &read, sizeof read) < 0)
        return false;
    if (read.max_id <= track->read_max_id) return false;
    track->read_max_id = read.max_id;
    return true;
}

static void drop_duplicate(struct gap_node *n)
{
    gap_watch_count(n->engine, n->track, GAP_WATCH_DUPLICATE);
    gap_node_free(n);
}

static void deliver(struct gap_node *n)
{
    if (n->kind == NODE_CONTAINER) {
        gap_node_deliver_rest(n);
    } else if ((n->update.flags & GAP_ITEM_NO_COUNT) != 0 && !read_is_news(n->track, n)) {
        gap_tap_node(n, GAP_DECISION_OLD_READ, n->track->core.position);
        drop_duplicate(n);
    } else {
        gap_node_deliver(n);
    }
}

/* Its numbers are nonsense: only the server can say what happened. */
static void malformed(gap_engine_t *e, struct gap_node *n)
{
    e->count.malformed++;
    gap_node_free(n);
    gap_engine_undecodable(e);
}

/* After a restart the first push of a channel that was not stored is no base: an earlier one may
 * have come just before the crash; nor is it after a time without a session, when an earlier one
 * may have been missed. The channel is asked from its beginning, if that is not so long ago that
 * the server would not tell. */
static bool is_no_base(const gap_engine_t *e, const struct gap_track *track,
                       const struct gap_node *n)
{
    return (gap_engine_is_returning(e) || e->missed) && track->core.position == 0 &&
           track->channel_id != 0 && n->update.pts <= GAP_ENGINE_USER_LIMIT;
}

static void ask_from_the_beginning(struct gap_feed *f)
{
    f->updater->probe = true;
    if (gap_engine_is_returning(f->engine)) f->track->restored = true;
    gap_updater_want(f->updater, 0);
}

/* A message that names somebody never seen: the difference brings it with its peers. (Not an own
 * one that is kept back: it would be fetched only to be dropped.) */
static bool fetch_instead(gap_engine_t *e, struct gap_track *track, struct gap_node *n)
{
    gap_sequence_t probe = track->core;

    if (e->rt->now_us < e->unknown_us) return false;
    if (e->config.no_own_updates && gap_watch_is_own(e, &n->update)) return false;
    enum gap_verdict v = gap_sequence_step(&probe, n->update.pts, n->update.pts_count, 0);
    bool first = track->core.position == 0 && track->core.mode == GAP_MODE_LIVE;
    if (v != GAP_VERDICT_APPLY && (!first || v == GAP_VERDICT_MALFORMED)) return false;
    if (v == GAP_VERDICT_PLAIN) return false; /* no difference brings it */
    struct gap_feed *f = gap_engine_activate(e, track);
    if (f == NULL) return false;
    /* The first update of a channel is its base; if the channel can be asked, ask from there. */
    if (is_no_base(e, track, n))
        ask_from_the_beginning(f);
    else if (track->core.position == 0 && gap_engine_hash(e, track->channel_id, NULL))
        track->core.position = n->update.pts - n->update.pts_count;
    gap_tap_node(n, GAP_DECISION_UNKNOWN_PEER, track->core.position);
    if (hold(f, n)) {
        f->keep = true;
        gap_updater_want(f->updater, 0);
        gap_feed_freeze(f);
    }
    return true;
}

/* ---- in ---- */

static void take_gap(gap_engine_t *e, struct gap_track *track, struct gap_node *n, bool first)
{
    struct gap_feed *f = gap_engine_activate(e, track);

    int32_t end = n->update.pts;
    if (f == NULL) {
        track->core.mode = GAP_MODE_LIVE;
        no_room(e, track, n);
        return;
    }
    if (hold(f, n)) {
        if (first) gap_episode_open(f, end, e->rt->now_us);
    } else if (first) {
        track->core.mode = GAP_MODE_LIVE;
    }
}

/* The beginning of a channel: hold it until all that has come at once is there. */
static void take_first(gap_engine_t *e, struct gap_track *track, struct gap_node *n)
{
    struct gap_feed *f = gap_engine_activate(e, track);

    if (f == NULL) {
        track->core.mode = GAP_MODE_LIVE;
        (void)gap_sequence_replay(&track->core, n->update.pts, n->update.pts_count, step_flags(n));
        deliver(n);
        return;
    }
    bool ask = is_no_base(e, track, n);
    (void)hold(f, n);
    if (ask)
        ask_from_the_beginning(f);
    else
        gap_loop_signal(e->rt, &f->loop);
}

/* A part of it has been applied, so something behind that is missing. */
static void take_overlap(gap_engine_t *e, struct gap_track *track, struct gap_node *n)
{
    int32_t end = n->update.pts;
    struct gap_feed *f = gap_engine_activate(e, track);

    e->count.malformed++;
    gap_node_free(n);
    if (f == NULL) {
        gap_track_behind(track, 1); /* gap_feed_take has marked it */
        return;
    }
    if (end > f->until) f->until = end;
    if (track->core.mode != GAP_MODE_LIVE) return;
    track->core.mode = GAP_MODE_WAITING;
    gap_episode_open(f, end, e->rt->now_us);
}

static void take_judged(gap_engine_t *e, struct gap_track *track, struct gap_node *n,
                        enum gap_verdict v, int32_t before)
{
    switch (v) {
    case GAP_VERDICT_APPLY:
    case GAP_VERDICT_PLAIN:
        break;
    case GAP_VERDICT_RESET:
        reset_told(e, track, before);
        break;
    case GAP_VERDICT_DUPLICATE:
        if (n->kind == NODE_UPDATE && n->update.pts_count > 0 && n->update.via == GAP_VIA_PUSH)
            gap_doubt_push(e, track, n->update.pts - n->update.pts_count, n->update.pts);
        drop_duplicate(n);
        return;
    case GAP_VERDICT_MALFORMED:
        malformed(e, n);
        return;
    case GAP_VERDICT_OVERLAP:
        take_overlap(e, track, n);
        return;
    case GAP_VERDICT_HOLD:
        if (before == 0 && track->core.mode == GAP_MODE_REPLAYING)
            take_first(e, track, n);
        else
            take_gap(e, track, n, false);
        return;
    case GAP_VERDICT_GAP:
        take_gap(e, track, n, true);
        return;
    }
    deliver(n);
    /* A push filled the hole: look at what is held again, in the feeder's own batches. */
    if (track->core.mode == GAP_MODE_WAITING && track->core.position != before) {
        track->core.mode = GAP_MODE_REPLAYING;
        gap_loop_signal(e->rt, &track->feed->loop);
    }
}

/* Updates were dropped on purpose; those that came before them have been seen to. */
static void look_behind(gap_engine_t *e, struct gap_track *track)
{
    uint32_t held = track->feed == NULL ? 0 : track->feed->held.count;
    uint16_t behind = track->behind;

    if (behind == 0 || track->queued > held || track->core.mode >= GAP_MODE_REPLAYING) return;
    struct gap_feed *f = gap_engine_activate(e, track);
    if (f == NULL) return;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_BEHIND, track);
    ev.from = track->core.position;
    int64_t to = (int64_t)ev.from + behind;
    if (held > 0 && f->held_to > to) to = f->held_to;
    if (f->dropped_to > to) to = f->dropped_to;
    if (behind < UINT16_MAX && to <= INT32_MAX) ev.to = (int32_t)to;
    if (gap_room_is_late(behind, gap_track_limit(e, track))) ev.reason = GAP_REASON_TOO_LONG;
    gap_updater_want(f->updater, 0);
    gap_engine_tell(e, &ev);
}

/* The missing update has come after all, while the difference was on its way. */
static void came_late(struct gap_track *track, const struct gap_node *n)
{
    int32_t position = track->core.position;

    if (n->update.pts > position && n->update.pts - n->update.pts_count <= position)
        gap_episode_sample(track->feed, false);
}

/* messages.affected* begin no channel: what they tell of may lie before the server's word, with
 * pushes that are still on their way. */
static bool is_told_before(const struct gap_node *n, int32_t position)
{
    return n->kind == NODE_SILENT && n->update.bytes.data == NULL && n->update.pts <= position;
}

/* An account that begins took the server's word for where the channel stands, which may cover what
 * was still on its way: as nothing of it has been delivered, it begins with the lowest of what
 * comes first and at once, or with the server's word if all of that stands higher. Once a question
 * goes on from there, only what lies before it is a beginning: the answer brings the rest. */
static void end_hearsay(struct gap_track *track, const struct gap_node *n)
{
    int32_t position = track->core.position;
    bool asks = track->feed != NULL && track->feed->updater->state != UPDATER_IDLE;

    if (n->update.pts <= 0 || (n->update.flags & GAP_ITEM_NO_COUNT) != 0) return;
    if (track->core.mode == GAP_MODE_FETCHING) return; /* see gap_feed_begin */
    if (position == 0) {                               /* it was lost meanwhile */
        track->hearsay = false;
        return;
    }
    if (is_told_before(n, position)) return;
    bool fits = n->update.pts - n->update.pts_count <= position && n->update.pts_count > 0;
    if (!fits && !asks && n->update.pts > position) return; /* lower ones may be right behind it */
    track->hearsay = false;
    if (track->core.mode == GAP_MODE_WAITING && fits && !asks) track->core.mode = GAP_MODE_LIVE;
    if (track->core.mode != GAP_MODE_LIVE) return;
    if ((fits && !asks) || n->update.pts <= position) track->core.position = 0;
}

/* A message of a stranger has just frozen all three sequences; a callback query that came in the
 * same container, in order, need not wait for the answer. */
static bool passes_frozen(const struct gap_track *track, const struct gap_node *n)
{
    return n->kind == NODE_CONTAINER && n->engine->known && track->core.mode == GAP_MODE_FETCHING &&
           n->update.pts - n->update.pts_count == track->core.position;
}

void gap_feed_take(gap_engine_t *e, struct gap_track *track, struct gap_node *n)
{
    if (track->hearsay) end_hearsay(track, n);
    int32_t before = track->core.position;

    gap_mark(e, track);
    track->queued--;
    track->lost = false; /* it may have been on its way when the server said no */
    if (n->unknown && n->kind == NODE_UPDATE && fetch_instead(e, track, n)) return;
    if (track->goes_on && track->core.mode <= GAP_MODE_WAITING &&
        !gap_meanwhile_may(track->feed, n))
        gap_feed_freeze(track->feed);
    if (track->core.mode == GAP_MODE_FETCHING && track->feed->open) came_late(track, n);
    enum gap_verdict v =
        n->unknown && passes_frozen(track, n)
            ? gap_sequence_replay(&track->core, n->update.pts, n->update.pts_count, step_flags(n))
            : gap_sequence_step(&track->core, n->update.pts, n->update.pts_count, step_flags(n));
    gap_tap_judged(n, v, before);
    if (track->goes_on && v == GAP_VERDICT_APPLY) gap_meanwhile_applied(track->feed, n);
    take_judged(e, track, n, v, before);
    if (track->core.position == 0 && track->core.mode == GAP_MODE_REPLAYING && !e->closing)
        gap_loop_signal(e->rt, &track->feed->loop); /* all that it begins with may be there now */
    if (track->behind) look_behind(e, track);
}

/* ---- out ---- */

static void replayed(struct gap_feed *f, struct gap_node *n, enum gap_verdict v, int32_t before)
{
    f->track->hearsay = false;
    gap_tap_replayed(n, v, before);
    if (v == GAP_VERDICT_DUPLICATE || v == GAP_VERDICT_OVERLAP) {
        if (v == GAP_VERDICT_OVERLAP && n->update.pts > f->until) f->until = n->update.pts;
        drop_duplicate(n);
        return;
    }
    if (v == GAP_VERDICT_RESET) reset_told(f->engine, f->track, before);
    /* The difference did not bring its peers: don't ask for such ones again at once. */
    if (n->unknown && n->kind == NODE_UPDATE && gap_node_is_unknown(n))
        f->engine->unknown_us = f->engine->rt->now_us + GAP_UNKNOWN_PEER_US;
    deliver(n);
}

/* The memory of those whose turn comes soon: the node first, and once it is there what it points
 * to. For 100,000 that came in random order that is 30 ms instead of 75. */
static void fetch_ahead(const gap_held_t *held)
{
    const struct gap_node *far = gap_held_ahead(held, GAP_HELD_AHEAD - 2);
    const struct gap_node *near = gap_held_ahead(held, GAP_HELD_AHEAD / 2);

    if (far != NULL) gap_node_prefetch(far);
    if (near != NULL) gap_node_prefetch_bytes(near);
}

/* The lowest of what came first had no room: it is asked for from there. */
static void begin_with_dropped(struct gap_feed *f, const struct gap_node *n)
{
    if (f->dropped_from < n->update.pts - n->update.pts_count)
        f->track->core.position = f->dropped_from;
    f->dropped_from = 0;
}

/* @return true if there is nothing more to do now. */
static bool replay(struct gap_feed *f)
{
    gap_sequence_t *core = &f->track->core;

    for (unsigned budget = GAP_FEED_BATCH_MAX; f->held.count > 0; budget--) {
        if (budget == 0 || f->engine->held) return false;
        struct gap_node *n = gap_held_first(&f->held);
        int32_t before = core->position;
        if (f->track->goes_on && !gap_meanwhile_may(f, n)) {
            gap_feed_freeze(f);
            return true;
        }
        if (before == 0 && f->dropped_from > 0) begin_with_dropped(f, n);
        enum gap_verdict v =
            gap_sequence_replay(core, n->update.pts, n->update.pts_count, step_flags(n));
        if (v == GAP_VERDICT_HOLD) return true;
        if (f->track->goes_on && v == GAP_VERDICT_APPLY) gap_meanwhile_applied(f, n);
        (void)take_held(f);
        fetch_ahead(&f->held);
        replayed(f, n, v, before);
        if (core->mode != GAP_MODE_REPLAYING || gap_loop_is_closing(&f->loop)) return true;
    }
    return true;
}

static void replay_end(struct gap_feed *f)
{
    gap_sequence_t *core = &f->track->core;

    if (f->held.count == 0 && f->until <= core->position) {
        core->mode = GAP_MODE_LIVE;
        f->until = 0;
        f->fruitless = 0;
        gap_episode_close(f, f->asked, false);
        return;
    }
    core->mode = GAP_MODE_WAITING;
    if (f->asked && f->fruitless > 0) {
        gap_episode_stays(f);
    } else if (!f->open) {
        const struct gap_node *first = gap_held_first(&f->held);
        const gap_engine_config_t *c = &f->engine->config;
        /* A fixed wait begins anew; a learned one counts from the first sign. */
        bool anew = first == NULL || (!gap_episode_is_learned(c) && c->gap_wait == NULL);
        gap_episode_open(f, first == NULL ? f->until : first->update.pts,
                         anew ? f->engine->rt->now_us : first->held_us);
    } else if (f->expired) {
        gap_updater_hole(f->updater);
    }
}

/* The answer at the head of the FIFO. @return true if it is through. */
static bool deliver_difference(struct gap_feed *f)
{
    gap_engine_t *e = f->engine;
    struct gap_updater *u = f->updater;
    struct gap_item item;

    for (unsigned budget = GAP_FEED_BATCH_MAX; budget > 0 && !e->held; budget--) {
        if (u->stale) return true;
        struct gap_node *n = gap_node_new(e, NODE_UPDATE, u->packet);
        if (n == NULL) {
            gap_engine_sweep_later(e);
            return false;
        }
        struct gap_difference before = u->difference;
        if (!gap_difference_next(&u->difference, &item)) {
            gap_node_free(n);
            return true;
        }
        bool had = f->moved && gap_meanwhile_had(f, &item);
        gap_node_fill(n, &item, &u->difference.users, &u->difference.chats, GAP_VIA_DIFFERENCE);
        n->update.maybe_repeated =
            u->difference.kind == GAP_DIFFERENCE_TOO_LONG || f->track->restored;
        if (had) {
            n->track = f->track;
            n->update.pts = -1;
            gap_tap_node(n, GAP_DECISION_COVERED, f->track->core.position);
            drop_duplicate(n);
        } else if (gap_updater_is_foreign(u, &item)) {
            gap_tap_at(e, f->track, GAP_DECISION_PASSED_ON, item.pts, 0);
            if (!gap_engine_pass_on(e, &item, n)) {
                u->difference = before; /* this very item again when there is memory */
                gap_engine_sweep_later(e);
                return false;
            }
        } else {
            bool qts = gap_updater_is_common(u) && item.box == GAP_BOX_QTS;
            n->track = qts ? &e->common[GAP_SEQUENCE_QTS] : f->track;
            n->update.pts = -1;
            gap_tap_node(n, GAP_DECISION_FETCHED, n->track->core.position);
            gap_node_deliver(n);
        }
        if (e->closing) return false;
    }
    gap_loop_signal(e->rt, &f->loop);
    return false;
}

static void run_replay(struct gap_feed *f)
{
    gap_mark(f->engine, f->track);
    gap_feed_begin(f);
    if (f->engine->closing) return;
    if (!replay(f)) {
        gap_loop_signal(f->engine->rt, &f->loop);
        return;
    }
    if (f->track->core.mode == GAP_MODE_REPLAYING && !f->engine->closing) replay_end(f);
}

static void hold_again(struct gap_feed *f, struct gap_node_list *list)
{
    struct gap_node *n;

    while ((n = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, next);
        (void)hold(f, n);
    }
}

void gap_feed_purge(struct gap_feed *f)
{
    gap_engine_t *e = f->engine;
    struct gap_node_list later = STAILQ_HEAD_INITIALIZER(later);
    struct gap_node *n;

    while (!e->closing && (n = gap_held_first(&f->held)) != NULL &&
           n->update.pts <= f->track->core.position) {
        (void)take_held(f);
        if ((n->update.flags & GAP_ITEM_NO_COUNT) != 0) {
            deliver(n);
        } else {
            gap_tap_node(n, GAP_DECISION_COVERED, f->track->core.position);
            drop_duplicate(n);
        }
    }
    while (!e->closing && f->held.count > 0) {
        n = take_held(f);
        n->former = f->former = true;
        STAILQ_INSERT_TAIL(&later, n, next);
    }
    hold_again(f, &later);
}

/* Hand it out if it begins behind what is through. What a container holds comes from nowhere else,
 * and each is held once. @return what is through now. */
static int32_t flush_one(struct gap_feed *f, struct gap_node *n, int32_t from)
{
    int32_t to = n->update.pts;
    bool fits = to - n->update.pts_count >= from && !gap_meanwhile_anticipated(f, n);

    if (!fits && n->kind != NODE_CONTAINER) {
        gap_tap_node(n, GAP_DECISION_COVERED, from);
        drop_duplicate(n);
        return from;
    }
    gap_tap_node(n, GAP_DECISION_FLUSHED, from);
    deliver(n);
    return to > from ? to : from;
}

/* They are at or below the position, and no difference brings them. */
static void deliver_in_place(struct gap_feed *f, struct gap_node_list *list)
{
    int32_t from = 0;
    struct gap_node *n;

    while (!f->engine->closing && (n = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, next);
        from = flush_one(f, n, from);
    }
    hold_again(f, list);
}

void gap_feed_begin(struct gap_feed *f)
{
    struct gap_node_list before = STAILQ_HEAD_INITIALIZER(before);
    struct gap_node *n;

    if (!f->track->hearsay) return;
    while ((n = gap_held_first(&f->held)) != NULL && n->update.pts <= f->track->core.position) {
        (void)take_held(f);
        STAILQ_INSERT_TAIL(&before, n, next);
        f->track->hearsay = false;
    }
    deliver_in_place(f, &before);
}

void gap_feed_flush(struct gap_feed *f, int32_t from)
{
    gap_engine_t *e = f->engine;
    int32_t position = f->track->core.position;
    int32_t to = position > from ? position : INT32_MAX;
    int32_t before = from;
    struct gap_node_list anew = STAILQ_HEAD_INITIALIZER(anew);
    struct gap_node_list later = STAILQ_HEAD_INITIALIZER(later);
    struct gap_node *n;

    gap_mark(e, f->track);
    f->track->hearsay = false;
    if (from == 0 || (position == from && !f->former)) return;
    if (position == from) to = 0;
    while (!e->closing && (n = gap_held_first(&f->held)) != NULL &&
           (n->update.pts <= to || f->former)) {
        (void)take_held(f);
        int32_t start = n->update.pts - n->update.pts_count;
        bool of_new_count = !n->former && n->kind != NODE_CONTAINER && to == INT32_MAX &&
                            n->update.pts <= before && start < from;
        if (of_new_count && n->update.pts <= position) {
            STAILQ_INSERT_TAIL(&anew, n, next);
        } else if (of_new_count || (!n->former && n->update.pts > to)) {
            STAILQ_INSERT_TAIL(&later, n, next);
        } else {
            from = flush_one(f, n, from);
        }
    }
    f->former = false;
    deliver_in_place(f, &anew); /* they count by the new numbers */
    hold_again(f, &later);
}

static bool is_new_message(const struct gap_node *n)
{
    return n->update.id == GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE;
}

static int32_t message_id(const struct gap_node *n)
{
    bool has = (n->update.flags & GAP_ITEM_HAS_MESSAGE) != 0;
    return has ? gap_item_message_id(n->update.bytes) : 0;
}

void gap_feed_flush_for(struct gap_feed *f, int32_t from, int32_t lowest, int32_t highest)
{
    int32_t position = f->track->core.position;
    bool known = position != from;
    struct gap_node_list later = STAILQ_HEAD_INITIALIZER(later);
    struct gap_node *n;

    gap_mark(f->engine, f->track);
    f->track->hearsay = false;
    while (!f->engine->closing && f->held.count > 0) {
        n = take_held(f);
        int32_t id = message_id(n);
        bool before = known ? n->update.pts <= position : is_new_message(n) && id <= highest;
        if (!before || (is_new_message(n) && id > highest)) {
            STAILQ_INSERT_TAIL(&later, n, next);
        } else if (n->update.pts - n->update.pts_count < from || (id >= lowest && id <= highest) ||
                   gap_meanwhile_anticipated(f, n)) {
            gap_tap_node(n, GAP_DECISION_COVERED, from);
            drop_duplicate(n);
        } else {
            gap_tap_node(n, GAP_DECISION_FLUSHED, from);
            from = n->update.pts;
            deliver(n);
        }
    }
    hold_again(f, &later);
}

void gap_feed_settle(gap_engine_t *e, struct gap_track *track)
{
    if (track->core.position != 0 || track->core.mode != GAP_MODE_REPLAYING) return;
    if (track->feed != NULL && !e->closing) run_replay(track->feed);
}

/* Of what a channel begins with some has not been looked at: it may be lower. */
static bool begins_later(const struct gap_track *track)
{
    return track->core.position == 0 && track->channel_id != 0 &&
           track->queued > track->feed->held.count;
}

static void feed_run(gap_rt_t *rt, gap_loop_t *loop)
{
    struct gap_feed *f = GAP_CONTAINER_OF(loop, struct gap_feed, loop);
    gap_engine_t *e = f->engine;

    (void)rt;
    if (e->held) {
        gap_stall(e, &f->stall, loop);
        return;
    }
    if (f->updater->feed == f && f->updater->state == UPDATER_DELIVERING) {
        if (deliver_difference(f)) gap_updater_delivered(f->updater);
    } else if (f->track->core.mode == GAP_MODE_REPLAYING && !begins_later(f->track)) {
        run_replay(f);
    }
    if (e->closing) return;
    if (f->track->behind) look_behind(e, f->track);
    gap_engine_rest(e, f->track);
}

static void feed_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    (void)rt;
    gap_engine_closed_one(GAP_CONTAINER_OF(loop, struct gap_feed, loop)->engine);
}

const struct gap_loop_class gap_feed_loop_class = {"feed", feed_run, feed_closed};

/* ---- orders ---- */

void gap_feed_init(struct gap_feed *f, gap_engine_t *e, struct gap_track *track,
                   struct gap_updater *u)
{
    memset(f, 0, sizeof *f);
    gap_loop_init(&f->loop, &gap_feed_loop_class);
    f->engine = e;
    f->track = track;
    f->updater = u;
    f->wait.fn = gap_episode_over;
    f->wait.after_drain = true;
    gap_held_init(&f->held, e->alloc);
}

void gap_feed_freeze(struct gap_feed *f)
{
    f->track->goes_on = false;
    if (f->track->core.mode == GAP_MODE_FETCHING) return;
    f->track->core.mode = GAP_MODE_FETCHING;
    f->frozen_at = f->track->core.position;
    f->frozen_us = gap_rt_now_us(f->engine->rt);
    gap_timer_stop(f->engine->rt, &f->wait);
}

/* No difference brings a container: once it is through, those that are missing are waited for no
 * longer, whatever the answer says about seq. What is late is delivered when it comes. */
static void pass_containers(struct gap_feed *f)
{
    const struct gap_node *first = gap_held_first(&f->held);
    int32_t *position = &f->track->core.position;

    if (f->track->sequence != GAP_SEQUENCE_SEQ || first == NULL) return;
    if (first->update.pts - first->update.pts_count > *position)
        *position = first->update.pts - first->update.pts_count;
}

void gap_feed_thaw(struct gap_feed *f, bool resynced)
{
    bool asked_hole = f->asked_hole;

    pass_containers(f);
    int32_t position = f->track->core.position;
    f->track->core.mode = GAP_MODE_REPLAYING;
    f->hopeless = f->updater->useless >= GAP_FRUITLESS_MAX;
    f->asked = true;
    gap_feed_settled(f);
    if (!f->hopeless && (resynced || position != f->frozen_at)) {
        f->fruitless = 0;
        gap_episode_close(f, true, resynced);
        if (asked_hole && !resynced) gap_tail_lost(f, (int64_t)f->asked_to - f->frozen_at);
    } else if (f->hopeless || (asked_hole && position == f->asked_at)) {
        if (f->fruitless < UINT8_MAX) f->fruitless++;
    } else {
        /* A hole that the question did not ask for: it is waited for like any other. */
        f->asked = false;
        f->fruitless = 0;
        gap_episode_on(f);
    }
    gap_loop_signal(f->engine->rt, &f->loop);
}

void gap_feed_release(struct gap_feed *f, bool always)
{
    struct gap_track *track = f->track;
    bool asked_hole = f->asked_hole;

    if (f->open && asked_hole) f->expired = true;
    if (track->core.mode != GAP_MODE_FETCHING) {
        gap_feed_settled(f);
        return;
    }
    bool stays = f->keep || f->updater->anew || f->updater->probe || f->updater->parts ||
                 track->restored || (track->core.position == 0 && track->channel_id != 0) ||
                 (gap_updater_is_common(f->updater) && !f->engine->fetched_once);
    if (stays && !always) return;
    gap_feed_settled(f);
    track->core.mode = GAP_MODE_REPLAYING;
    f->asked = false;
    gap_episode_on(f);
    gap_loop_signal(f->engine->rt, &f->loop);
}
