/*
 * loops/tail_sweep.c - losses come in runs, and whose last update was among them is silent: nothing
 * shows its hole. When a difference has shown that several updates in a row, or of several
 * sequences, were lost, the common difference is asked for too: it names channels that have moved.
 *
 * Owns: when that was done last. Never: looks at an update.
 */
#include "loops/engine_internal.h"

#define RUN     3                 /* events in a row */
#define SOON_US UINT64_C(3000000) /* of two sequences */

/* One number for each sequence. */
static int64_t key_of(const struct gap_track *track)
{
    return track->channel_id != 0 ? track->channel_id : -1 - (int64_t)track->sequence;
}

void gap_tail_lost(struct gap_feed *f, int64_t events)
{
    gap_engine_t *e = f->engine;
    struct gap_tail *t = &e->tail;
    uint64_t now_us = e->rt->now_us;
    int64_t key = key_of(f->track);

    if (!e->config.tail_sweep || f->track->sequence == GAP_SEQUENCE_SEQ || events <= 0) return;
    bool two = t->lost != 0 && t->lost != key && now_us - t->lost_us <= SOON_US;
    t->lost = key;
    t->lost_us = now_us;
    if (events < RUN && !two) return;
    /* The common difference has just named who has moved, or is about to. */
    if (gap_updater_is_common(f->updater) || e->updater.state != UPDATER_IDLE) return;
    if (t->swept && now_us - t->swept_us < GAP_ENGINE_TAIL_SWEEP_US) return;
    t->swept = true;
    t->swept_us = now_us;
    gap_tap(e, &e->common[GAP_SEQUENCE_COMMON], GAP_DECISION_TAIL_SWEEP);
    gap_updater_want(&e->updater, 0);
}
