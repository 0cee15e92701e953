/*
 * loops/episode.c - a hole from its first sign until it is filled: how long it waits for what is
 * missing, what it teaches about the next ones, what becomes of it when no answer fills it.
 *
 *   open --wait--> expired: asked for --answer--> closed | stays: expired again after a pause
 *     \--pushes fill it--> closed                               \--for too long--> given up
 *
 * While a hole is open its deadline stays, whatever part of it is filled: a stream of small holes
 * would hold updates back for ever.
 *
 * Owns: the gap's timer. Never: asks, delivers, judges an order.
 */
#include "loops/engine_internal.h"

static void tell_gap(struct gap_feed *f, gap_engine_event_kind_t kind, bool fetched, int32_t to)
{
    gap_engine_event_t ev = gap_engine_event(kind, f->track);

    ev.from = f->opened_from;
    ev.to = to;
    ev.fetched = fetched;
    if (kind == GAP_EVENT_GAP_FILLED) ev.us = f->engine->rt->now_us - f->opened_us;
    gap_engine_tell(f->engine, &ev);
}

bool gap_episode_is_learned(const gap_engine_config_t *c)
{
    return c->gap_wait == NULL && c->gap_wait_us == 0;
}

static uint32_t wait_of(struct gap_feed *f)
{
    gap_engine_t *e = f->engine;
    const gap_engine_config_t *c = &e->config;
    const struct gap_node *first = gap_held_first(&f->held);
    const struct gap_track *track = f->track;

    if (c->gap_wait == NULL) return gap_wait_us(&e->wait, f->held.count, e->rt->now_us);
    const gap_engine_hole_t hole = {
        .sequence = track->sequence,
        .channel_id = track->channel_id,
        .position = track->core.position,
        .first = first == NULL ? f->until : first->update.pts - first->update.pts_count,
        .held = f->held.count,
        .since_us = f->opened_us,
        .now_us = e->rt->now_us,
    };
    return c->gap_wait(c->gap_wait_data, &hole);
}

/* A channel's hole must not wait until the server would not tell any more what it was. */
static bool is_pressing(const struct gap_feed *f)
{
    int64_t span = (int64_t)f->held_to - f->track->core.position;

    return f->held.count > 0 && gap_room_is_pressing(span, gap_track_limit(f->engine, f->track));
}

static bool start(struct gap_feed *f, uint64_t due_us)
{
    uint64_t now_us = f->engine->rt->now_us;

    f->due_us = due_us < now_us ? now_us : due_us;
    return gap_timer_start(f->engine->rt, &f->wait, due_us) == 0;
}

/* @return false: no memory for a timer. */
static bool arm(struct gap_feed *f)
{
    uint64_t open_us = f->engine->rt->now_us - f->opened_us;

    f->wait_us = wait_of(f);
    f->pressed = f->wait_us > open_us && is_pressing(f);
    if (f->pressed) f->wait_us = (uint32_t)open_us;
    gap_tap_at(f->engine, f->track, GAP_DECISION_WAIT, -1, f->wait_us);
    return start(f, f->opened_us + f->wait_us);
}

/* One more is held: those that wait pay for the wait. */
void gap_episode_hurry(struct gap_feed *f)
{
    const gap_engine_config_t *c = &f->engine->config;

    if (!f->open || f->asked || f->expired || f->asked_hole ||
        f->track->core.mode != GAP_MODE_WAITING)
        return;
    bool due = f->opened_us + f->wait_us <= f->engine->rt->now_us;
    if (f->pressed ? !is_pressing(f) : !due && is_pressing(f)) {
        (void)arm(f); /* pressing now; or past that, in one burst: what is missing may still come */
        return;
    }
    if (c->gap_wait == NULL && (!gap_episode_is_learned(c) || f->held.count > GAP_WAIT_WEIGHTS))
        return;
    (void)arm(f); /* out of memory: it waits as before */
}

/* Was it open when something else than the way of an update took time? */
static bool is_tainted(const struct gap_feed *f)
{
    gap_engine_t *e = f->engine;

    if (e->taint) e->taint_us = e->rt->now_us + 1;
    e->taint = false;
    return f->opened_us < e->taint_us;
}

/* What an episode teaches about the next ones. */
void gap_episode_sample(struct gap_feed *f, bool fetched)
{
    uint64_t open_us = f->engine->rt->now_us - f->opened_us;

    if (f->sampled) return;
    f->sampled = true;
    if (is_tainted(f)) return;
    if (fetched) {
        gap_wait_answered(&f->engine->wait, open_us);
    } else {
        gap_wait_healed(&f->engine->wait, open_us);
    }
}

/* @param since_us  When the first sign of the hole came. */
void gap_episode_open(struct gap_feed *f, int32_t to, uint64_t since_us)
{
    gap_engine_t *e = f->engine;

    f->open = true;
    f->expired = false;
    f->asked = false;
    f->sampled = false;
    f->opened_us = since_us;
    f->opened_from = f->track->core.position;
    gap_watch_count(e, f->track, GAP_WATCH_GAP);
    tell_gap(f, GAP_EVENT_GAP_OPENED, false, to);
    if (gap_loop_is_closing(&f->loop)) return;
    if (!arm(f)) gap_updater_want(f->updater, 0); /* don't wait then */
}

void gap_episode_close(struct gap_feed *f, bool fetched, bool resynced)
{
    if (!f->open) return;
    f->open = false;
    f->expired = false;
    gap_timer_stop(f->engine->rt, &f->wait);
    if (resynced) return;
    gap_episode_sample(f, fetched);
    gap_watch_count(f->engine, f->track, fetched ? GAP_WATCH_FETCHED : GAP_WATCH_HEALED);
    gap_tap_at(f->engine, f->track, fetched ? GAP_DECISION_FILLED : GAP_DECISION_HEALED, -1,
               f->engine->rt->now_us - f->opened_us);
    tell_gap(f, GAP_EVENT_GAP_FILLED, fetched, f->track->core.position);
}

void gap_episode_over(gap_rt_t *rt, gap_timer_t *timer)
{
    struct gap_feed *f = GAP_CONTAINER_OF(timer, struct gap_feed, wait);
    gap_engine_t *e = f->engine;

    if (gap_episode_is_learned(&e->config)) {
        if (rt->now_us > f->due_us + GAP_WAIT_STALL_US) gap_engine_taint(e);
        bool tainted = is_tainted(f);
        uint64_t rest_us = e->taint_us + GAP_WAIT_REST_US;
        if (tainted && rt->now_us < rest_us && start(f, rest_us)) return;
    }
    f->expired = true;
    gap_tap(f->engine, f->track, GAP_DECISION_WAIT_OVER);
    if (f->track->core.mode == GAP_MODE_WAITING) gap_updater_hole(f->updater);
}

/* ---- what no answer fills ---- */

/* So large that what is held is a lie, or the server's answers are: it says where it stands. */
static bool is_leap(const struct gap_feed *f)
{
    const struct gap_node *first = gap_held_first(&f->held);
    int64_t position = f->track->core.position;

    if (first == NULL || f->track->sequence == GAP_SEQUENCE_SEQ) return false;
    return (int64_t)first->update.pts - first->update.pts_count - position > GAP_LEAP_MAX;
}

/* The server does not say what the hole was: go on behind it, and tell. */
static void give_up(struct gap_feed *f)
{
    gap_sequence_t *core = &f->track->core;
    const struct gap_node *first = gap_held_first(&f->held);
    int32_t from = core->position;
    bool leap = is_leap(f);

    if (leap) {
        f->engine->count.malformed += f->held.count;
        gap_feed_drop(f);
        first = NULL;
    }
    if (first != NULL && first->update.pts - first->update.pts_count > core->position)
        core->position = first->update.pts - first->update.pts_count;
    gap_mark(f->engine, f->track);
    f->fruitless = 0;
    f->until = 0;
    gap_episode_close(f, true, true);
    core->mode = GAP_MODE_REPLAYING;
    gap_loop_signal(f->engine->rt, &f->loop);
    if (leap) gap_updater_want_anew(f->updater, GAP_REASON_NO_PROGRESS);
    if (core->position == from) return;
    gap_watch_lost(f->engine, f->track, from, core->position, GAP_REASON_NO_PROGRESS, 0);
}

/* A difference did not bring what is missing. It may be late at the server's: ask again, later and
 * later. */
void gap_episode_stays(struct gap_feed *f)
{
    gap_engine_t *e = f->engine;
    uint64_t now_us = e->rt->now_us;
    uint64_t first_us = f->wait_us > e->wait.rtt_us ? f->wait_us : e->wait.rtt_us;

    if (first_us < GAP_WAIT_MIN_US) first_us = GAP_WAIT_MIN_US; /* a server that is no way off */
    if (f->fruitless == 1) f->barren_us = now_us;
    f->pause_us = f->fruitless == 1 ? first_us : f->pause_us * 2;
    if (f->pause_us > GAP_FRUITLESS_PAUSE_US) f->pause_us = GAP_FRUITLESS_PAUSE_US;
    if (f->hopeless || now_us - f->barren_us >= GAP_FRUITLESS_US) {
        give_up(f);
        return;
    }
    if (!f->open) {
        f->open = true;
        f->opened_us = e->rt->now_us;
        f->opened_from = f->track->core.position;
    }
    f->asked = false;
    f->expired = false;
    if (!start(f, now_us + f->pause_us)) gap_engine_sweep_later(e);
}

/* The wait of an open episode was interrupted. */
void gap_episode_on(struct gap_feed *f)
{
    if (!f->open || f->expired || gap_heap_contains(&f->wait.node)) return;
    if (!arm(f)) gap_updater_want(f->updater, 0);
}
