/*
 * loops/engine_state.c - the engine's state as a whole: taken over before it starts, and shown so
 * that another one can go on with it.
 *
 * Owns nothing. Never: asks, calls back.
 */
#include "loops/engine_internal.h"

#include <string.h>

/* ---- in ---- */

static int take_channel(gap_engine_t *e, const gap_engine_channel_t *c, bool stored)
{
    gap_peer_t peer = {c->id, GAP_PEER_CHANNEL};
    struct gap_peer_info info = {.access_hash = c->access_hash, .has_hash = true};

    if (c->id <= 0 || c->pts < 0) return GAP_E_ARGUMENT;
    if (stored && gap_map_get(&e->channels, (uint64_t)c->id) != NULL) return GAP_E_ARGUMENT;
    struct gap_track *track = gap_engine_track(e, c->id, true);
    if (track == NULL) return GAP_E_NOMEM;
    track->core.position = c->pts;
    track->ask = c->unfinished;
    track->restored = true;
    track->based = stored;
    if (stored) {
        track->handed = c->pts;
        track->handed_unfinished = c->unfinished;
    } else {
        gap_mark(e, track);
    }
    return c->access_hash == 0 ? 0 : gap_peers_set(&e->peers, peer, &info);
}

static void take_positions(gap_engine_t *e, const gap_engine_state_t *s, bool stored)
{
    /* Without pts: ask where the server stands. The channels are good for all that; and with a date
     * it is the state of an account whose pts the server counted anew. */
    e->known = s->pts > 0;
    e->updater.anew = !e->known;
    e->fresh = !e->known && s->date == 0;
    if (!e->known && !e->fresh) e->updater.anew_why = GAP_REASON_RESET;
    e->common[GAP_SEQUENCE_COMMON].core.position = s->pts;
    e->common[GAP_SEQUENCE_QTS].core.position = s->qts;
    e->common[GAP_SEQUENCE_SEQ].core.position = s->seq;
    e->date = s->date;
    for (size_t i = 0; i < GAP_ARRAY_LEN(e->common); i++) e->common[i].restored = !e->fresh;
    memset(&e->handed, 0, sizeof e->handed);
    if (!stored) return;
    e->handed.pts = s->pts;
    e->handed.qts = s->qts;
    e->handed.seq = s->seq;
    e->handed.date = s->date;
}

int gap_engine_take_state(gap_engine_t *e, const gap_engine_state_t *s, bool stored)
{
    int r = 0;

    if (s == NULL) {
        e->fresh = true;
        e->updater.anew = true;
        return 0;
    }
    if (s->pts < 0 || s->qts < 0 || s->seq < 0 || s->date < 0) return GAP_E_ARGUMENT;
    take_positions(e, s, stored);
    for (size_t i = 0; i < s->channel_count && r == 0; i++)
        r = take_channel(e, &s->channels[i], stored);
    return r;
}

/* Each channel once, with numbers that can be. */
static int check_channels(gap_engine_t *e, const gap_engine_state_t *s)
{
    gap_map_t seen;
    int r = 0;

    gap_map_init(&seen, e->alloc);
    for (size_t i = 0; i < s->channel_count && r == 0; i++) {
        const gap_engine_channel_t *c = &s->channels[i];
        if (c->id <= 0 || c->pts < 0 || gap_map_get(&seen, (uint64_t)c->id) != NULL)
            r = GAP_E_ARGUMENT;
        else
            r = gap_map_set(&seen, (uint64_t)c->id, &seen);
    }
    gap_map_fini(&seen);
    return r;
}

int gap_engine_import(gap_engine_t *e, const gap_engine_state_t *state)
{
    bool untouched = e->arrival_count == 0 && e->count.held == 0 && e->count.applied == 0 &&
                     e->actives.in_use == 0;

    if (e->closing) return GAP_E_CLOSED;
    if (e->started || !untouched) return GAP_E_STATE;
    if (state->pts < 0 || state->qts < 0 || state->seq < 0 || state->date < 0)
        return GAP_E_ARGUMENT;
    int r = check_channels(e, state);
    return r < 0 ? r : gap_engine_take_state(e, state, false);
}

/* ---- out ---- */

int gap_engine_export(const gap_engine_t *e, gap_engine_state_t *out)
{
    if (!e->known) return GAP_E_STATE;
    memset(out, 0, sizeof *out);
    out->pts = gap_mark_pts(e);
    out->qts = gap_mark_position(&e->common[GAP_SEQUENCE_QTS]);
    out->seq = gap_mark_position(&e->common[GAP_SEQUENCE_SEQ]);
    out->date = gap_mark_date(e);
    out->channel_count = e->channels.count;
    return 0;
}

bool gap_engine_next_channel(const gap_engine_t *e, size_t *it, gap_engine_channel_t *out)
{
    uint64_t key;
    void *value;

    while (gap_map_next(&e->channels, it, &key, &value)) {
        const struct gap_track *track = value;
        gap_engine_channel_t c = gap_mark_channel(e, track);
        if (track->lost || track->untracked || (c.pts == 0 && !c.unfinished)) continue;
        (void)gap_engine_hash(e, track->channel_id, &c.access_hash);
        *out = c;
        return true;
    }
    return false;
}

bool gap_engine_next_peer(const gap_engine_t *e, size_t *it, gap_peer_t *peer,
                          gap_engine_peer_t *out)
{
    struct gap_peer_info info;

    if (!gap_peers_next(&e->peers, it, peer, &info)) return false;
    *out = (gap_engine_peer_t){
        .access_hash = info.access_hash,
        .has_hash = info.has_hash,
        .min = info.min,
        .forbidden = info.forbidden,
    };
    return true;
}
