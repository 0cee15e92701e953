/*
 * loops/engine_watch.c - what the engine shows of itself: every decision through the tap, what each
 * sequence has counted, how far it is behind, and the events that name a lost range.
 *
 * A sequence's own counters cost nothing before there is something to count besides applied
 * updates: then it gets a record from a pool.
 *
 * A range that the server says it can't tell is resynchronised, which happens to whoever was away
 * too long; one that its answers never bring is abandoned, which is worth a look.
 *
 * Owns: the records. Never: decides anything.
 */
#include "loops/engine_internal.h"

#include "sequence/walk.h"

#include <string.h>

#define RECORD_SLAB 32

struct gap_record {
    uint32_t n[GAP_WATCH_KINDS];
    uint32_t wraps; /* of the track's 32-bit count */
};

/* ---- the tap ---- */

void gap_tap_tell(gap_engine_t *e, const struct gap_track *track, gap_engine_decision_t *d)
{
    if (e->config.tap == NULL || e->closing) return;
    d->sequenced = track != NULL;
    if (track != NULL) {
        d->sequence = track->sequence;
        d->channel_id = track->channel_id;
    }
    e->config.tap(e->config.tap_data, d);
}

void gap_tap_sequence(gap_engine_t *e, const struct gap_track *track, gap_decision_t kind,
                      int32_t pts, uint64_t us)
{
    gap_engine_decision_t d = {.kind = kind, .pts = pts, .us = us};

    if (track != NULL) d.position = track->core.position;
    gap_tap_tell(e, track, &d);
}

void gap_tap_update(const struct gap_node *n, gap_decision_t kind, int32_t position)
{
    gap_engine_t *e = n->engine;
    gap_engine_decision_t d = {.kind = kind,
                               .position = position,
                               .via = (gap_via_t)n->update.via,
                               .channel_id = n->update.channel_id,
                               .pts = n->update.pts,
                               .count = n->update.pts_count,
                               .update = n->update.id};

    if (kind <= GAP_DECISION_BACKFILLED) {
        if (n->kind == NODE_SILENT)
            d.kind = GAP_DECISION_SILENT;
        else if (e->config.no_own_updates && n->kind == NODE_UPDATE &&
                 gap_watch_is_own(e, &n->update))
            d.kind = GAP_DECISION_OWN;
    }
    gap_tap_tell(e, n->track, &d);
}

static gap_decision_t held_why(const struct gap_track *track)
{
    if (track->core.mode == GAP_MODE_FETCHING) return GAP_DECISION_FROZEN;
    if (track->core.mode == GAP_MODE_WAITING) return GAP_DECISION_HELD;
    return track->core.position == 0 ? GAP_DECISION_FIRST : GAP_DECISION_QUEUED;
}

/* Of the same channel's read marks the feeder drops those that say nothing new, and says so. */
static bool is_old_read(const struct gap_node *n, enum gap_verdict v)
{
    gap_tl_update_read_channel_inbox_t read;

    if ((n->update.flags & GAP_ITEM_NO_COUNT) == 0 ||
        n->update.id != GAP_TL_UPDATE_READ_CHANNEL_INBOX)
        return false;
    if (v != GAP_VERDICT_APPLY && v != GAP_VERDICT_PLAIN && v != GAP_VERDICT_RESET) return false;
    return gap_tl_read(n->update.bytes, GAP_TL_UPDATE_READ_CHANNEL_INBOX, &read, sizeof read) < 0 ||
           read.max_id <= n->track->read_max_id;
}

void gap_tap_verdict(const struct gap_node *n, enum gap_verdict v, int32_t before)
{
    static const gap_decision_t kinds[] = {
        [GAP_VERDICT_APPLY] = GAP_DECISION_APPLIED,
        [GAP_VERDICT_PLAIN] = GAP_DECISION_PLAIN,
        [GAP_VERDICT_DUPLICATE] = GAP_DECISION_DUPLICATE,
        [GAP_VERDICT_HOLD] = GAP_DECISION_HELD,
        [GAP_VERDICT_GAP] = GAP_DECISION_GAP,
        [GAP_VERDICT_MALFORMED] = GAP_DECISION_MALFORMED,
        [GAP_VERDICT_RESET] = GAP_DECISION_RESET,
        [GAP_VERDICT_OVERLAP] = GAP_DECISION_OVERLAP,
    };

    if (!is_old_read(n, v))
        gap_tap_update(n, v == GAP_VERDICT_HOLD ? held_why(n->track) : kinds[v], before);
}

void gap_tap_taken(const struct gap_node *n, enum gap_verdict v, int32_t before)
{
    bool covered = v == GAP_VERDICT_DUPLICATE || v == GAP_VERDICT_OVERLAP;
    gap_decision_t kind = covered ? GAP_DECISION_COVERED : GAP_DECISION_REPLAYED;

    if (!is_old_read(n, v))
        gap_tap_update(n, v == GAP_VERDICT_RESET ? GAP_DECISION_RESET : kind, before);
}

void gap_tap_question(const struct gap_updater *u, gap_tl_object_t query)
{
    const gap_tl_updates_get_difference_t *common = query.value;
    const gap_tl_updates_get_channel_difference_t *channel = query.value;
    gap_engine_decision_t d = {
        .kind = GAP_DECISION_ASKED, .position = u->feed->track->core.position, .pts = -1};

    if (query.id == GAP_TL_UPDATES_GET_DIFFERENCE) {
        d.position = common->pts;
        d.limit = common->pts_limit;
    } else if (query.id == GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE) {
        d.position = channel->pts;
        d.limit = channel->limit;
    } else {
        d.kind = GAP_DECISION_ASKED_STATE;
    }
    gap_tap_tell(u->engine, u->feed->track, &d);
}

void gap_tap_difference(const struct gap_updater *u)
{
    static const gap_decision_t kinds[] = {
        [GAP_DIFFERENCE_EMPTY] = GAP_DECISION_EMPTY,
        [GAP_DIFFERENCE_SLICE] = GAP_DECISION_SLICE,
        [GAP_DIFFERENCE_FINAL] = GAP_DECISION_FINAL,
        [GAP_DIFFERENCE_TOO_LONG] = GAP_DECISION_TOO_LONG,
    };
    const struct gap_difference *d = &u->difference;

    gap_tap_sequence(u->engine, u->feed->track, kinds[d->kind], d->has_pts ? d->pts : -1, 0);
}

void gap_tap_trouble(const struct gap_updater *u, gap_decision_t kind, int error, int32_t code)
{
    gap_engine_decision_t d = {.kind = kind,
                               .position = u->feed->track->core.position,
                               .pts = -1,
                               .error = error,
                               .error_code = code};

    gap_tap_tell(u->engine, u->feed->track, &d);
}

/* ---- counters ---- */

void gap_watch_init(gap_engine_t *e)
{
    gap_map_init(&e->records, e->alloc);
    gap_pool_init(&e->record_pool, e->alloc, sizeof(struct gap_record), RECORD_SLAB);
}

void gap_watch_fini(gap_engine_t *e)
{
    gap_map_fini(&e->records);
    gap_pool_fini(&e->record_pool);
}

/* Channels have theirs under their id, the account's sequences under numbers that are none. */
static uint64_t key_of(const struct gap_track *track)
{
    return track->channel_id != 0 ? (uint64_t)track->channel_id : UINT64_MAX - track->sequence;
}

static struct gap_record *record_of(gap_engine_t *e, struct gap_track *track)
{
    struct gap_record *r;

    if (track->recorded) return gap_map_get(&e->records, key_of(track));
    r = gap_pool_get(&e->record_pool);
    if (r == NULL) return NULL;
    memset(r, 0, sizeof *r);
    if (gap_map_set(&e->records, key_of(track), r) < 0) {
        gap_pool_put(&e->record_pool, r);
        return NULL;
    }
    track->recorded = true;
    return r;
}

static uint64_t *total_of(gap_engine_counters_t *c, enum gap_watch_what what)
{
    switch (what) {
    case GAP_WATCH_DUPLICATE:
        return &c->duplicates;
    case GAP_WATCH_GAP:
        return &c->gaps;
    case GAP_WATCH_HEALED:
        return &c->healed;
    case GAP_WATCH_FETCHED:
        return &c->fetched;
    case GAP_WATCH_ABANDONED:
        return &c->abandoned;
    default:
        return &c->behind;
    }
}

void gap_watch_count(gap_engine_t *e, struct gap_track *track, enum gap_watch_what what)
{
    ++*total_of(&e->count, what);
    if (track == NULL) return;
    struct gap_record *r = record_of(e, track);
    if (r != NULL) r->n[what]++;
}

void gap_watch_wrapped(gap_engine_t *e, struct gap_track *track)
{
    struct gap_record *r = record_of(e, track);
    if (r != NULL) r->wraps++;
}

void gap_watch_forget(gap_engine_t *e, struct gap_track *track)
{
    if (!track->recorded) return;
    gap_pool_put(&e->record_pool, gap_map_remove(&e->records, key_of(track)));
    track->recorded = false;
}

/* ---- how far behind ---- */

/* Events that are known to have happened, and are neither applied nor held. */
static uint32_t missing_of(const struct gap_track *track)
{
    const struct gap_feed *f = track->feed;
    int64_t position = track->core.position;
    int32_t end = 0;
    int64_t held = 0;

    if (f == NULL || position == 0) return 0;
    const struct gap_node *first = gap_held_first(&f->held);
    gap_held_reach(&f->held, &end, &held);
    int64_t reach = end > f->until ? end : f->until;
    if (!gap_updater_is_common(f->updater) && f->updater->hinted > reach)
        reach = f->updater->hinted;
    int64_t missing = reach - position - held;
    /* What is held twice counts twice above; the first hole is there in any case. */
    int64_t hole = first == NULL ? 0 : (int64_t)first->update.pts - first->update.pts_count;
    if (hole - position > missing) missing = hole - position;
    return missing > 0 ? (uint32_t)missing : 0;
}

static uint64_t lag_of(const gap_engine_t *e, const struct gap_track *track, uint32_t missing)
{
    const struct gap_feed *f = track->feed;
    uint64_t since = UINT64_MAX;

    if (f == NULL || (missing == 0 && !track->behind && !f->open)) return 0;
    if (f->open) since = f->opened_us;
    if (track->core.mode == GAP_MODE_FETCHING && f->frozen_us < since) since = f->frozen_us;
    uint64_t now_us = gap_rt_now_us(e->rt);
    return since < now_us ? now_us - since : 0;
}

bool gap_engine_sequence(const gap_engine_t *e, gap_sequence_kind_t kind, int64_t channel_id,
                         gap_engine_sequence_t *out)
{
    const struct gap_track *track;
    const struct gap_record *r = NULL;

    if (kind != GAP_SEQUENCE_CHANNEL) {
        if ((size_t)kind >= GAP_ARRAY_LEN(e->common)) return false;
        track = &e->common[kind];
    } else {
        track = channel_id <= 0 ? NULL : gap_map_get(&e->channels, (uint64_t)channel_id);
    }
    if (track == NULL) return false;
    memset(out, 0, sizeof *out);
    if (track->recorded) r = gap_map_get(&e->records, key_of(track));
    out->position = track->core.position;
    out->last_id = track->last_id;
    out->applied = track->applied;
    out->held = track->feed == NULL ? 0 : track->feed->held.count;
    out->missing = missing_of(track);
    out->lag_us = lag_of(e, track, out->missing);
    if (r == NULL) return true;
    out->applied += (uint64_t)r->wraps << 32;
    out->duplicates = r->n[GAP_WATCH_DUPLICATE];
    out->gaps = r->n[GAP_WATCH_GAP];
    out->healed = r->n[GAP_WATCH_HEALED];
    out->fetched = r->n[GAP_WATCH_FETCHED];
    out->abandoned = r->n[GAP_WATCH_ABANDONED];
    out->behind = r->n[GAP_WATCH_BEHIND];
    return true;
}

static void add_lag(const gap_engine_t *e, const struct gap_track *track, uint64_t *missing,
                    uint64_t *lag_us)
{
    if (track->feed == NULL) return;
    uint32_t n = missing_of(track);
    uint64_t us = lag_of(e, track, n);
    if (track->sequence != GAP_SEQUENCE_SEQ) *missing += n;
    if (us > *lag_us) *lag_us = us;
}

uint64_t gap_engine_lag(const gap_engine_t *e, uint64_t *missing)
{
    uint64_t sum = 0;
    uint64_t lag_us = 0;
    size_t it = 0;
    uint64_t key;
    void *value;

    for (size_t i = 0; i < GAP_ARRAY_LEN(e->common); i++) add_lag(e, &e->common[i], &sum, &lag_us);
    while (gap_map_next(&e->channels, &it, &key, &value)) add_lag(e, value, &sum, &lag_us);
    *missing = sum;
    return lag_us;
}

/* ---- the account's own ---- */

/* A message that goes out, by whichever of the account's devices, and all that is in the chat with
 * oneself, where nobody else writes. */
bool gap_watch_is_own(const gap_engine_t *e, const gap_update_t *u)
{
    const uint8_t *message = gap_watch_message(u);
    uint32_t id;
    int32_t message_id;
    gap_peer_t peer;

    if (u->id == GAP_TL_UPDATE_MESSAGE_ID) return true;
    if (message == NULL) return false;
    if ((gap_load32(message + 4) & GAP_TL_MESSAGE_F_OUT) != 0) return true;
    size_t len = u->bytes.len - (size_t)(message - u->bytes.data);
    if (gap_message_peer(gap_bytes(message, len), &id, &message_id, &peer) < 0) return false;
    return peer.kind == GAP_PEER_USER && peer.id == e->config.self_id;
}
_Static_assert(GAP_TL_MESSAGE_F_OUT == GAP_TL_MESSAGE_SERVICE_F_OUT, "one bit for both");

bool gap_watch_keep_back(gap_engine_t *e, struct gap_node *n)
{
    const uint8_t *message = gap_watch_message(&n->update);

    if (!gap_watch_is_own(e, &n->update)) return false;
    e->count.own++;
    if (e->config.own != NULL) e->config.own(e->config.own_data, &n->update);
    if (message == NULL || n->track == NULL) return true;
    int32_t id = gap_watch_message_id(message);
    if (id > n->track->last_id) n->track->last_id = id;
    return true;
}

/* ---- lost ranges ---- */

void gap_watch_lost(gap_engine_t *e, struct gap_track *track, int32_t from, int32_t to,
                    gap_engine_reason_t why, int32_t top_id)
{
    bool abandoned =
        why == GAP_REASON_NO_HASH || why == GAP_REASON_NO_PROGRESS || why == GAP_REASON_UNREADABLE;
    gap_engine_event_t ev =
        gap_engine_event(abandoned ? GAP_EVENT_GAP_ABANDONED : GAP_EVENT_RESYNCHRONISED, track);

    ev.from = from;
    ev.to = to;
    ev.reason = why;
    ev.last_id = track->last_id;
    ev.top_id = top_id;
    gap_watch_count(e, track, GAP_WATCH_ABANDONED);
    gap_tap_at(e, track, GAP_DECISION_GIVEN_UP, to, 0);
    gap_engine_tell(e, &ev);
}
