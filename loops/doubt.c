/*
 * loops/doubt.c - is the server's count lower than ours? Then all that comes looks like old
 * updates, and would be dropped for ever: after a state from elsewhere was stored, after the server
 * fell back by less than what can be told at once (see gap_sequence_move), or when its word that it
 * counts anew came while nobody was there.
 *
 *   (none) --an answer stands below ours; or pushes that are not ours, again and again--> doubted
 *   doubted --it moved; an answer stands no lower--> (none)
 *   doubted --GAP_DOUBT_ANSWERS answers in a row, seconds apart--> the server's count is taken
 *
 * One late push or one server that is behind the others is not believed. What is taken is the
 * lowest place that showed, and the difference is asked from there: so nothing is lost that came
 * while it was doubted.
 *
 * Owns: the few doubts. Never: delivers.
 */
#include "loops/engine_internal.h"

#include <string.h>

static struct gap_track *track_of(gap_engine_t *e, const struct gap_doubt *d)
{
    if (d->channel_id == 0) return &e->common[GAP_SEQUENCE_COMMON];
    return gap_map_get(&e->channels, (uint64_t)d->channel_id);
}

static void forget(gap_engine_t *e, struct gap_doubt *d)
{
    *d = e->doubts[--e->doubt_count];
}

/* Its doubt, as long as it has not moved; NULL: none. */
static struct gap_doubt *find(gap_engine_t *e, const struct gap_track *track)
{
    for (uint32_t i = 0; i < e->doubt_count; i++) {
        struct gap_doubt *d = &e->doubts[i];
        if (d->channel_id != track->channel_id) continue;
        if (d->position == track->core.position) return d;
        forget(e, d);
        return NULL;
    }
    return NULL;
}

static struct gap_doubt *make(gap_engine_t *e, const struct gap_track *track)
{
    struct gap_doubt *d = find(e, track);

    if (d != NULL) return d;
    if (e->doubt_count == GAP_DOUBTS_MAX) { /* the one that has waited longest makes room */
        d = &e->doubts[0];
        for (uint32_t i = 1; i < e->doubt_count; i++)
            if (e->doubts[i].since_us < d->since_us) d = &e->doubts[i];
        forget(e, d);
    }
    d = &e->doubts[e->doubt_count++];
    memset(d, 0, sizeof *d);
    d->channel_id = track->channel_id;
    d->position = track->core.position;
    d->base = track->core.position;
    d->since_us = e->rt->now_us;
    d->due_us = UINT64_MAX;
    return d;
}

static bool is_doubtable(const struct gap_engine *e, const struct gap_track *track)
{
    if (!e->known || track->core.position == 0 || track->hearsay || track->lost) return false;
    return track->sequence == GAP_SEQUENCE_COMMON || track->sequence == GAP_SEQUENCE_CHANNEL;
}

static void plan(gap_engine_t *e, struct gap_doubt *d, uint64_t due_us)
{
    d->due_us = due_us;
    gap_engine_house(e);
}

void gap_doubt_push(gap_engine_t *e, const struct gap_track *track, int32_t from, int32_t to)
{
    if (!is_doubtable(e, track) || to <= 0 || to > track->core.position) return;
    struct gap_doubt *d = make(e, track);
    /* The same once more, and what is late, go the other way or stand still. */
    if (to <= d->highest) return;
    if (from < d->base) d->base = from > 0 ? from : 1;
    d->highest = to;
    if (d->pushes < UINT8_MAX) d->pushes++;
    if (d->pushes < GAP_DOUBT_PUSHES || d->due_us != UINT64_MAX || d->answers > 0) return;
    if (e->rt->now_us - d->since_us >= GAP_DOUBT_SPAN_US) plan(e, d, e->rt->now_us);
}

bool gap_doubt_answer(gap_engine_t *e, const struct gap_track *track, int32_t position)
{
    if (!is_doubtable(e, track) || position <= 0) return false;
    struct gap_doubt *d = find(e, track);

    if (position >= track->core.position) {
        if (d != NULL) forget(e, d);
        return false;
    }
    d = make(e, track);
    if (position < d->base) d->base = position;
    if (d->answers == GAP_DOUBT_ANSWERS) return true;
    plan(e, d, e->rt->now_us + (GAP_DOUBT_PAUSE_US << d->answers));
    if (++d->answers < GAP_DOUBT_ANSWERS) return false;
    d->due_us = UINT64_MAX;
    return true;
}

int32_t gap_doubt_base(gap_engine_t *e, const struct gap_track *track)
{
    struct gap_doubt *d = find(e, track);
    int32_t base = d == NULL ? track->core.position : d->base;

    if (d != NULL) forget(e, d);
    return base;
}

uint64_t gap_doubt_due_us(const gap_engine_t *e)
{
    uint64_t due_us = UINT64_MAX;

    for (uint32_t i = 0; i < e->doubt_count; i++)
        if (e->doubts[i].due_us < due_us) due_us = e->doubts[i].due_us;
    return due_us;
}

void gap_doubt_poll(gap_engine_t *e)
{
    for (uint32_t i = 0; i < e->doubt_count;) {
        struct gap_doubt *d = &e->doubts[i];
        if (d->due_us > e->rt->now_us) {
            i++;
            continue;
        }
        struct gap_track *track = track_of(e, d);
        d->due_us = UINT64_MAX;
        if (track == NULL || track->core.position != d->position || track->lost ||
            track->untracked) {
            forget(e, d);
            continue;
        }
        i++;
        struct gap_feed *f = gap_engine_activate(e, track);
        if (f == NULL) {
            d->due_us = e->rt->now_us + GAP_DOUBT_PAUSE_US;
            continue;
        }
        gap_tap(e, track, GAP_DECISION_DOUBTED);
        if (!f->updater->anew) gap_updater_want_anew(f->updater, GAP_REASON_NONE);
    }
}
