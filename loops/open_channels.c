/*
 * loops/open_channels.c - what the program says about single channels.
 *
 *   open     somebody looks at it: asked again and again, `timeout` seconds after each answer;
 *            the server pushes to who asks (short polling)
 *   tracked  the normal case; begun on purpose by gap_engine_track_channel
 *   untracked  not followed: what is kept of it is dropped, and so is what comes
 *
 *   open: ASKED --through--> PAUSE --timeout--> ASKED      any --closed as often as opened--> gone
 *
 * All open channels share the account's one timer. Only their ids are kept, so that a channel's
 * record may come and go meanwhile.
 *
 * None of it is stored: it says what a running program wants, and the next one says so again.
 *
 * Owns: the list of open channels. Never: sends, delivers.
 */
#include "loops/engine_internal.h"

#include <string.h>

/** Where an answer names no timeout, and the least that is waited. */
#define POLL_DEFAULT_US UINT64_C(1000000)
/** An open channel that can't be asked (no access): looked at again after that long. */
#define POLL_AGAIN_US UINT64_C(60000000)

/* ---- open ---- */

static struct gap_open *find(gap_engine_t *e, int64_t channel_id)
{
    for (uint32_t i = 0; i < e->open_count; i++) {
        if (e->open[i].channel_id == channel_id) return &e->open[i];
    }
    return NULL;
}

static uint32_t count_of(const gap_engine_t *e, int64_t channel_id)
{
    for (uint32_t i = 0; i < e->open_count; i++) {
        if (e->open[i].channel_id == channel_id) return e->open[i].count;
    }
    return 0;
}

bool gap_open_is(const gap_engine_t *e, int64_t channel_id)
{
    return count_of(e, channel_id) > 0;
}

static void forget(gap_engine_t *e, struct gap_open *o)
{
    *o = e->open[--e->open_count];
}

static bool can_ask(const gap_engine_t *e, int64_t channel_id)
{
    return e->config.bot || gap_engine_hash(e, channel_id, NULL);
}

/* Ask for the difference, or where the channel stands if that is not known. @return false: out of
 * memory. */
static bool ask(gap_engine_t *e, struct gap_track *track)
{
    struct gap_feed *f = gap_engine_activate(e, track);

    if (f == NULL) return false;
    gap_tap(e, track, GAP_DECISION_LOOKED_AT);
    if (track->core.position > 0) {
        gap_updater_want(f->updater, 0);
    } else if (f->held.count == 0 && !f->updater->probe) {
        gap_updater_want_anew(f->updater, GAP_REASON_NONE);
    }
    gap_turn_better(f->updater);
    return true;
}

static void poll_at(gap_engine_t *e, struct gap_open *o, uint64_t at_us)
{
    o->poll_us = at_us;
    if (at_us != UINT64_MAX) gap_engine_house(e);
}

void gap_open_finished(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;
    struct gap_open *o = find(e, u->track->channel_id);
    int32_t timeout = u->difference.timeout;
    uint64_t pause_us = timeout > 0 ? (uint64_t)timeout * 1000000 : POLL_DEFAULT_US;

    if (o == NULL || e->config.bot) return;
    poll_at(e, o, e->rt->now_us + (u->track->lost ? POLL_AGAIN_US : pause_us));
}

uint64_t gap_open_due_us(const gap_engine_t *e)
{
    uint64_t due = UINT64_MAX;

    for (uint32_t i = 0; i < e->open_count; i++) {
        if (e->open[i].poll_us < due) due = e->open[i].poll_us;
    }
    return due;
}

static void poll(gap_engine_t *e, struct gap_open *o)
{
    struct gap_track *track = gap_engine_track(e, o->channel_id, false);
    bool lost = track == NULL || track->lost || !can_ask(e, o->channel_id);

    o->poll_us = UINT64_MAX; /* until it has been asked */
    if (lost || !ask(e, track)) o->poll_us = e->rt->now_us + POLL_AGAIN_US;
}

void gap_open_poll(gap_engine_t *e)
{
    for (uint32_t i = 0; i < e->open_count; i++) {
        if (e->open[i].poll_us <= e->rt->now_us) poll(e, &e->open[i]);
    }
}

int gap_engine_open_channel(gap_engine_t *e, int64_t channel_id)
{
    struct gap_open *o = find(e, channel_id);

    if (e->closing) return GAP_E_CLOSED;
    if (channel_id <= 0) return GAP_E_ARGUMENT;
    if (o != NULL) {
        if (o->count == UINT32_MAX) return GAP_E_LIMIT;
        o->count++;
        return 0;
    }
    if (e->open_count == GAP_ENGINE_OPEN_CHANNELS_MAX) return GAP_E_LIMIT;
    struct gap_track *track = gap_engine_track(e, channel_id, false);
    if (track != NULL && track->untracked) return GAP_E_STATE;
    if (!can_ask(e, channel_id)) return GAP_E_NOT_FOUND;
    if (track == NULL) track = gap_engine_track(e, channel_id, true);
    if (track == NULL) return GAP_E_NOMEM;
    o = &e->open[e->open_count++];
    *o = (struct gap_open){channel_id, 1, UINT64_MAX};
    if (!ask(e, track)) {
        e->open_count--;
        return GAP_E_NOMEM;
    }
    track->lost = false;
    return 0;
}

int gap_engine_close_channel(gap_engine_t *e, int64_t channel_id)
{
    struct gap_open *o = find(e, channel_id);

    if (e->closing) return GAP_E_CLOSED;
    if (o == NULL) return GAP_E_ARGUMENT;
    if (--o->count == 0) forget(e, o);
    return 0;
}

/* ---- tracked and untracked ---- */

/* What is not followed any more has handlers at work: whatever becomes of them, the position that
 * is begun with now stands. */
static void detach_later(struct gap_track *track)
{
    struct gap_node *n = track->ring;

    if (n == NULL) return;
    do {
        n->before = track->core.position;
        n = n->u.ring.newer;
    } while (n != track->ring);
}

int gap_engine_track_channel(gap_engine_t *e, int64_t channel_id, int64_t access_hash, int32_t pts)
{
    gap_peer_t peer = {channel_id, GAP_PEER_CHANNEL};

    if (e->closing) return GAP_E_CLOSED;
    if (channel_id <= 0 || pts < 0) return GAP_E_ARGUMENT;
    if (access_hash != 0) {
        int r = gap_engine_know(e, peer, access_hash, false);
        if (r < 0) return r;
    }
    if (!can_ask(e, channel_id)) return GAP_E_NOT_FOUND;
    struct gap_track *track = gap_engine_track(e, channel_id, true);
    if (track == NULL) return GAP_E_NOMEM;
    if (!track->untracked && !track->lost && track->core.position > 0) return 0;
    struct gap_feed *f = gap_engine_activate(e, track);
    if (f == NULL) return GAP_E_NOMEM;
    track->untracked = track->lost = track->hash_tried = false;
    track->core.position = pts;
    detach_later(track);
    gap_mark(e, track);
    if (pts > 0)
        gap_updater_want(f->updater, 0);
    else
        gap_updater_want_anew(f->updater, GAP_REASON_NONE);
    return 0;
}

/* Updates that have come and were not yet looked at. */
static void drop_arrivals(gap_engine_t *e, struct gap_track *track)
{
    struct gap_node_list keep = STAILQ_HEAD_INITIALIZER(keep);
    struct gap_node *n;

    if (track->queued == 0) return;
    while ((n = STAILQ_FIRST(&e->arrivals)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->arrivals, next);
        if (n->track != track) {
            STAILQ_INSERT_TAIL(&keep, n, next);
            continue;
        }
        e->arrival_count--;
        track->queued--;
        e->count.untracked++;
        gap_node_free(n);
    }
    STAILQ_CONCAT(&e->arrivals, &keep);
}

/* The feeder and the updater stop; what is in flight is of no use. */
static void stop(gap_engine_t *e, struct gap_feed *f)
{
    struct gap_updater *u = f->updater;

    e->count.untracked += f->held.count;
    gap_feed_drop(f);
    gap_feed_stop(f);
    u->want = u->anew = u->named = u->probe = u->owed = u->under_way = false;
    u->want_pts = u->hinted = 0;
    gap_updater_unlist(u);
    if (u->state != UPDATER_IDLE || f->track->core.mode == GAP_MODE_FETCHING) {
        u->stale = true;
        gap_loop_signal(e->rt, &u->loop);
    } else {
        f->track->core.mode = GAP_MODE_LIVE;
        gap_engine_rest(e, f->track);
    }
}

void gap_open_unfollowed(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    u->stale = false;
    u->slice = false;
    u->resynced = true;
    u->answer.have = false;
    gap_timer_stop(e->rt, &u->retry);
    gap_updater_fini(u); /* what it was given */
    gap_updater_finish(u);
}

int gap_engine_untrack_channel(gap_engine_t *e, int64_t channel_id)
{
    if (e->closing) return GAP_E_CLOSED;
    if (channel_id <= 0) return GAP_E_ARGUMENT;
    struct gap_track *track = gap_engine_track(e, channel_id, true);
    struct gap_open *o = find(e, channel_id);
    if (track == NULL) return GAP_E_NOMEM;
    if (o != NULL) forget(e, o);
    if (track->untracked) return 0;
    track->untracked = true;
    drop_arrivals(e, track);
    track->core.position = 0;
    track->read_max_id = 0;
    track->behind = 0;
    track->lost = track->ask = track->hash_tried = track->restored = false;
    gap_mark_fallen(e, track);
    if (track->feed != NULL) stop(e, track->feed);
    return 0;
}

/* ---- to look at ---- */

bool gap_engine_channel_status(const gap_engine_t *e, int64_t channel_id,
                               gap_engine_channel_status_t *out)
{
    const struct gap_track *track = gap_map_get(&e->channels, (uint64_t)channel_id);

    if (track == NULL) return false;
    memset(out, 0, sizeof *out);
    out->pts = track->core.position;
    out->opened = count_of(e, channel_id);
    out->queued = track->queued;
    out->behind = track->behind;
    out->tracked = !track->untracked;
    out->lost = track->lost;
    out->fetching = track->feed != NULL && track->feed->updater->state != UPDATER_IDLE;
    out->unfinished = gap_mark_is_unfinished(track);
    return true;
}
