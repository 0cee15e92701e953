/*
 * loops/engine_press.c - what happens when handlers can't keep up: the engine is held, and what
 * keeps a watermark back is handed to whoever keeps updates.
 *
 *   held:     what comes is queued (inboxes fill, then sequences are behind); no handler is called
 *             but for queries, if somebody keeps them; nothing is asked; a loop that would do
 *             either is put aside, and woken at the end
 *   pressed:  the oldest unfinished update of a sequence is too far behind: it is to be kept
 *             elsewhere and passed, so that the watermark goes on; if not, an event tells
 *
 * Owns: the loops put aside. Never: calls handlers, asks.
 */
#include "base/assert.h"
#include "loops/engine_internal.h"

/* ---- held ---- */

void gap_stall(gap_engine_t *e, struct gap_stall *s, gap_loop_t *loop)
{
    if (s->listed) return;
    s->listed = true;
    s->loop = loop;
    STAILQ_INSERT_TAIL(&e->stalled, s, next);
}

void gap_engine_hold(gap_engine_t *e, bool hold)
{
    if (e->closing || e->held == hold) return;
    e->held = hold;
    e->held_queries = 0;
    gap_engine_taint(e); /* holes that are open now learn how long we took */
    if (hold) return;
    e->released = true;
    gap_loop_signal(e->rt, &e->keeper);
}

void gap_engine_queries_first(gap_engine_t *e)
{
    e->queries_first = true;
}

void gap_engine_resume(gap_engine_t *e)
{
    struct gap_stall *s;

    if (e->held || !e->released || e->closing) return;
    e->released = false;
    gap_loop_signal(e->rt, &e->seq);
    while ((s = STAILQ_FIRST(&e->stalled)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->stalled, next);
        s->listed = false;
        gap_loop_signal(e->rt, s->loop);
    }
    gap_turns_go(e); /* asks, if a channel waits for its turn */
}

/* ---- pressed ---- */

static uint32_t window_of(const gap_engine_t *e, const struct gap_track *track)
{
    uint32_t limit = gap_track_limit(e, track);

    return limit > 0 && limit / 2 < GAP_WATERMARK_WINDOW ? limit / 2 : GAP_WATERMARK_WINDOW;
}

static int64_t lag_of(const struct gap_track *track)
{
    return track->ring == NULL ? 0 : (int64_t)track->core.position - track->ring->before;
}

void gap_press(gap_engine_t *e, struct gap_track *track)
{
    int64_t window = window_of(e, track);

    if (track->pressed || lag_of(track) <= window) return;
    while (e->config.press != NULL && !e->closing && lag_of(track) > window) {
        struct gap_node *oldest = track->ring;
        e->config.press(e->config.press_data, &oldest->update);
        if (track->ring == oldest) break;
    }
    int64_t lag = lag_of(track);
    if (lag <= window) return;
    track->pressed = true;
    if (!gap_room_is_late((uint32_t)lag, gap_track_limit(e, track))) return;
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_BEHIND, track);
    ev.from = track->ring->before;
    ev.to = track->core.position;
    ev.reason = GAP_REASON_TOO_LONG;
    gap_engine_tell(e, &ev);
}

void gap_press_over(gap_engine_t *e, struct gap_track *track)
{
    if (lag_of(track) <= window_of(e, track)) track->pressed = false;
}

/* ---- what the keeper of updates asks ---- */

void gap_engine_pass(gap_update_t *update)
{
    struct gap_node *n = gap_node_find(update);

    if (n == NULL || n->track == NULL) return;
    gap_mark_pass(n);
}

bool gap_engine_is_oldest(const gap_update_t *update)
{
    const struct gap_node *n = gap_node_find(update);

    if (n == NULL || n->track == NULL) return true;
    const struct gap_track *track = n->track;
    if (n->state == NODE_HANDLING)
        return track->ring == NULL && n->update.pts >= 0 &&
               gap_mark_delivered(track) >= track->core.position;
    if (track->ring != n) return false;
    const struct gap_node *newer = n->u.ring.newer;
    bool alone = newer == n || newer->before > n->before;
    return alone && gap_mark_delivered(track) > n->before;
}

bool gap_engine_is_based(const gap_update_t *update)
{
    const struct gap_node *n = update->box == GAP_BOX_CHANNEL ? gap_node_find(update) : NULL;
    return n == NULL || n->track == NULL || n->track->based;
}

void gap_engine_based(gap_engine_t *e, int64_t channel_id)
{
    struct gap_track *track = gap_map_get(&e->channels, (uint64_t)channel_id);
    if (track != NULL && !track->lost) track->based = true;
}

/* Another question may be answered in smaller slices: until the position is behind the whole of
 * this one, what it brought may come again. */
static int32_t last_of_slice(const struct gap_node *n)
{
    const struct gap_engine *e = n->engine;
    const struct gap_feed *f =
        n->track->channel_id != 0 ? n->track->feed : &e->feeds[GAP_SEQUENCE_COMMON];

    if (n->update.via != GAP_VIA_DIFFERENCE || n->update.pts >= 0 || f == NULL ||
        f->updater->state != UPDATER_DELIVERING)
        return 0;
    const struct gap_difference *d = &f->updater->difference;
    int32_t end = n->track->sequence == GAP_SEQUENCE_QTS ? d->qts : d->pts;
    return end > 0 ? end - 1 : 0;
}

void gap_engine_place(const gap_update_t *update, struct gap_place *out)
{
    static const uint8_t boxes[] = {
        [GAP_SEQUENCE_COMMON] = GAP_BOX_COMMON,
        [GAP_SEQUENCE_QTS] = GAP_BOX_QTS,
        [GAP_SEQUENCE_SEQ] = GAP_BOX_NONE,
        [GAP_SEQUENCE_CHANNEL] = GAP_BOX_CHANNEL,
    };
    const struct gap_node *n = gap_node_find(update);

    *out = (struct gap_place){GAP_BOX_NONE, 0, 0};
    if (n == NULL || n->track == NULL || n->track->sequence == GAP_SEQUENCE_SEQ) return;
    out->box = (gap_box_t)boxes[n->track->sequence];
    out->channel_id = n->track->channel_id;
    out->before = n->state == NODE_HANDLING ? gap_mark_before(n) : n->before;
    int32_t last = n->state == NODE_HANDLING ? last_of_slice(n) : 0;
    if (last > out->before) out->before = last;
}

int32_t gap_engine_mark(const gap_engine_t *e, gap_box_t box, int64_t channel_id)
{
    if (box == GAP_BOX_COMMON) return gap_mark_position(&e->common[GAP_SEQUENCE_COMMON]);
    if (box == GAP_BOX_QTS) return gap_mark_position(&e->common[GAP_SEQUENCE_QTS]);
    if (box != GAP_BOX_CHANNEL) return INT32_MAX;
    const struct gap_track *track = gap_map_get(&e->channels, (uint64_t)channel_id);
    return track == NULL || track->lost || track->untracked ? INT32_MAX : gap_mark_position(track);
}
