/*
 * loops/engine_mark.c - the watermarks: how far a sequence is finished, and so may be stored.
 *
 * An update whose handler goes on later remembers the position before it (what a difference brings:
 * the position before the slice) and joins its sequence's ring, in order of delivery. The watermark
 * is what the oldest of the ring remembers, or the position if the ring is empty. What the
 * account's own sequences have in handlers remembers the account's date as well.
 *
 * The date comes from differences only, never from containers: a push to a channel may have been
 * lost unnoticed before a container, and the server would keep silent about it.
 *
 * Channels are handed over before the state, and no state if one of them was refused: a date
 * without the marks of its channels would lose what they stand for.
 *
 * Owns: the list of channels to hand over. Never: calls handlers, asks.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "loops/engine_internal.h"

#include <string.h>

#define LIST_MIN 64
/** Arrivals looked at for the beginning of a channel. */
#define BEGINNING_LOOKS_MAX 4096

static bool is_channel(const struct gap_track *track)
{
    return track->sequence == GAP_SEQUENCE_CHANNEL;
}

/* ---- what has changed ---- */

static bool list_grow(gap_engine_t *e)
{
    size_t cap = e->changed_cap == 0 ? LIST_MIN : e->changed_cap * 2;
    void *p = gap_realloc(e->alloc, e->changed, cap * sizeof(struct gap_track *));

    if (p == NULL) return false;
    e->changed = p;
    e->changed_cap = cap;
    return true;
}

void gap_mark_changed(gap_engine_t *e, struct gap_track *track)
{
    track->changed = true;
    if (is_channel(track) && !e->changed_all) {
        if (e->changed_count < e->changed_cap || list_grow(e)) {
            e->changed[e->changed_count++] = track;
        } else {
            e->changed_all = true;
        }
    }
    if (e->notified || e->config.changed == NULL) return;
    e->notified = e->notify = true;
    gap_loop_signal(e->rt, &e->keeper);
}

void gap_mark_notify(gap_engine_t *e)
{
    if (!e->notify || !e->told || e->closing) return;
    e->notify = false;
    e->config.changed(e->config.changed_data);
}

/* ---- the ring ---- */

int32_t gap_mark_before(const struct gap_node *n)
{
    const struct gap_track *track = n->track;
    int32_t position = track->core.position;

    if (track->sequence == GAP_SEQUENCE_SEQ) return n->before; /* where its container began */
    if (n->update.pts < 0) {
        bool fetched = n->update.via == GAP_VIA_DIFFERENCE;
        return fetched && is_channel(track) ? track->feed->updater->before : position;
    }
    /* What has no place in the order can't be had again, wherever it is asked from. */
    bool placed = n->update.pts > 0 && n->update.pts == position;
    return placed ? position - n->update.pts_count : position;
}

void gap_mark_later(struct gap_node *n)
{
    gap_engine_t *e = n->engine;
    struct gap_track *track = n->track;

    if (track == NULL) return; /* of no sequence: nothing brings it back; or it is kept elsewhere */
    n->before = gap_mark_before(n);
    n->date = e->date;
    gap_mark(e, track);
    if (track->ring == NULL) {
        track->ring = n->u.ring.older = n->u.ring.newer = n;
        return;
    }
    struct gap_node *newest = track->ring->u.ring.older;
    n->u.ring.older = newest;
    n->u.ring.newer = track->ring;
    newest->u.ring.newer = track->ring->u.ring.older = n;
}

static void leave_ring(struct gap_node *n)
{
    struct gap_track *track = n->track;

    n->u.ring.older->u.ring.newer = n->u.ring.newer;
    n->u.ring.newer->u.ring.older = n->u.ring.older;
    if (track->ring == n) track->ring = n->u.ring.newer == n ? NULL : n->u.ring.newer;
    gap_mark(n->engine, track);
    if (track->pressed) gap_press_over(n->engine, track);
}

void gap_mark_done(struct gap_node *n)
{
    gap_engine_t *e = n->engine;
    struct gap_track *track = n->track;

    if (track == NULL) return;
    leave_ring(n);
    if (track->lost) gap_engine_drop_lost(e, track);
}

void gap_mark_pass(struct gap_node *n)
{
    if (n->state >= NODE_LATER) leave_ring(n);
    n->track = NULL; /* which may go before it does */
}

void gap_mark_fallen(gap_engine_t *e, struct gap_track *track)
{
    struct gap_node *n = track->ring;

    gap_mark(e, track);
    if (n == NULL) return;
    do {
        if (n->before > track->core.position) n->before = track->core.position;
        n = n->u.ring.newer;
    } while (n != track->ring);
}

/* ---- the watermarks ---- */

int32_t gap_mark_delivered(const struct gap_track *track)
{
    const struct gap_feed *f = track->feed;
    int32_t position = track->core.position;

    if (is_channel(track) && f != NULL) {
        const struct gap_node *first = gap_held_first(&f->held);
        if (f->updater->state == UPDATER_DELIVERING && f->updater->before < position)
            position = f->updater->before;
        /* The first update of a channel will be its base, unless a lower one waits behind it. */
        if (position == 0 && first != NULL && !track->lost && !f->updater->probe &&
            track->queued == f->held.count)
            position = first->update.pts - first->update.pts_count;
    }
    return position;
}

int32_t gap_mark_position(const struct gap_track *track)
{
    int32_t position = gap_mark_delivered(track);

    if (track->ring != NULL && track->ring->before < position) position = track->ring->before;
    return position;
}

bool gap_mark_is_unfinished(const struct gap_track *track)
{
    return track->queued > 0 || track->behind > 0 || track->ask || track->ring != NULL ||
           (track->feed != NULL && !gap_engine_is_resting(track));
}

/* The account's date before the oldest of what is in the handlers of its own sequences. */
int32_t gap_mark_date(const gap_engine_t *e)
{
    int32_t date = e->date;

    for (size_t i = 0; i < GAP_ARRAY_LEN(e->common); i++) {
        const struct gap_node *n = e->common[i].ring;
        if (n != NULL && n->date < date) date = n->date;
    }
    return date;
}

/* ---- handing over ---- */

int32_t gap_mark_beginning(const gap_engine_t *e, const struct gap_track *track)
{
    const struct gap_node *n;
    int32_t lowest = gap_mark_position(track);
    uint32_t left = track->queued;
    unsigned looked = 0;

    STAILQ_FOREACH (n, &e->arrivals, next) {
        if (left == 0) break;
        if (++looked > BEGINNING_LOOKS_MAX) return 0;
        if (n->track != track) continue;
        left--;
        int32_t start = n->update.pts - n->update.pts_count;
        if (n->kind == NODE_UPDATE && n->update.pts_count > 0 && start > 0 && start < lowest)
            lowest = start;
    }
    return lowest;
}

gap_engine_channel_t gap_mark_channel(const gap_engine_t *e, const struct gap_track *track)
{
    bool hearsay = track->hearsay && track->queued > 0;

    return (gap_engine_channel_t){
        .id = track->channel_id,
        .pts = hearsay ? gap_mark_beginning(e, track) : gap_mark_position(track),
        .unfinished = gap_mark_is_unfinished(track),
    };
}

static int hand_channel(gap_engine_t *e, struct gap_track *track, const gap_engine_collector_t *to)
{
    gap_engine_channel_t c = gap_mark_channel(e, track);
    int r = 0;

    if (track->lost || track->untracked || (c.pts == 0 && !c.unfinished)) {
        if (track->handed != 0 || track->handed_unfinished)
            r = to->channel_gone(to->arg, track->channel_id);
        track->based = false;
        c.pts = 0;
        c.unfinished = false;
    } else if (c.pts != track->handed || c.unfinished != track->handed_unfinished) {
        (void)gap_engine_hash(e, track->channel_id, &c.access_hash);
        r = to->channel(to->arg, &c);
    }
    if (r < 0) return r;
    track->changed = false;
    track->handed = c.pts;
    track->handed_unfinished = c.unfinished;
    return 0;
}

static int hand_listed(gap_engine_t *e, const gap_engine_collector_t *to)
{
    while (e->changed_count > 0) {
        struct gap_track *track = e->changed[e->changed_count - 1];
        int r = track == NULL ? 0 : hand_channel(e, track, to);
        if (r < 0) return r;
        e->changed_count--;
        if (track != NULL && track->lost) gap_engine_drop_lost(e, track);
    }
    return 0;
}

static int hand_all(gap_engine_t *e, const gap_engine_collector_t *to)
{
    size_t it = 0;
    uint64_t key;
    void *value;

    while (gap_map_next(&e->channels, &it, &key, &value)) {
        struct gap_track *track = value;
        int r = track->changed ? hand_channel(e, track, to) : 0;
        if (r < 0) return r;
    }
    e->changed_all = false;
    return 0;
}

/* While it is not known where the server begins to count anew no place of the old count may be
 * stored: whoever begins with that would take the new count's events for old ones. */
int32_t gap_mark_pts(const gap_engine_t *e)
{
    if (e->updater.anew && e->updater.anew_why == GAP_REASON_RESET) return 0;
    return gap_mark_position(&e->common[GAP_SEQUENCE_COMMON]);
}

static int hand_state(gap_engine_t *e, const gap_engine_collector_t *to)
{
    gap_engine_state_t s;

    memset(&s, 0, sizeof s);
    s.pts = gap_mark_pts(e);
    s.qts = gap_mark_position(&e->common[GAP_SEQUENCE_QTS]);
    s.seq = gap_mark_position(&e->common[GAP_SEQUENCE_SEQ]);
    s.date = gap_mark_date(e);
    if (s.pts == e->handed.pts && s.qts == e->handed.qts && s.seq == e->handed.seq &&
        s.date == e->handed.date)
        return 0;
    int r = to->state(to->arg, &s);
    if (r < 0) return r;
    e->handed.pts = s.pts;
    e->handed.qts = s.qts;
    e->handed.seq = s.seq;
    e->handed.date = s.date;
    return 0;
}

int gap_engine_collect(gap_engine_t *e, const gap_engine_collector_t *to)
{
    if (!e->told) return 0;
    e->notified = e->notify = false;
    for (size_t i = 0; i < GAP_ARRAY_LEN(e->common); i++) e->common[i].changed = false;
    int r = hand_listed(e, to);
    if (r == 0 && e->changed_all) r = hand_all(e, to);
    return r < 0 ? r : hand_state(e, to);
}
