/*
 * loops/engine_watch.h - what the engine shows of itself: the tap, the counters of each sequence,
 * the events that name a lost range. Included by engine_internal.h, behind its records.
 */
#ifndef GAP_LOOPS_ENGINE_WATCH_H
#define GAP_LOOPS_ENGINE_WATCH_H

#include "base/bytes.h"

#include <gapless/tl_api.h>

/* ---- the tap ---- */

/** @p track may be NULL: about no sequence. @p fill may be NULL. */
void gap_tap_tell(gap_engine_t *e, const struct gap_track *track, gap_engine_decision_t *d);
void gap_tap_sequence(gap_engine_t *e, const struct gap_track *track, gap_decision_t kind,
                      int32_t pts, uint64_t us);
void gap_tap_update(const struct gap_node *n, gap_decision_t kind, int32_t position);
void gap_tap_verdict(const struct gap_node *n, enum gap_verdict v, int32_t before);
void gap_tap_taken(const struct gap_node *n, enum gap_verdict v, int32_t before);
void gap_tap_question(const struct gap_updater *u, gap_tl_object_t query);
void gap_tap_difference(const struct gap_updater *u);
void gap_tap_trouble(const struct gap_updater *u, gap_decision_t kind, int error, int32_t code);

/** A decision about a sequence. */
static inline void gap_tap(gap_engine_t *e, const struct gap_track *track, gap_decision_t kind)
{
    if (e->config.tap != NULL) gap_tap_sequence(e, track, kind, -1, 0);
}
/** The same with a position that it is about, or a time. */
static inline void gap_tap_at(gap_engine_t *e, const struct gap_track *track, gap_decision_t kind,
                              int32_t pts, uint64_t us)
{
    if (e->config.tap != NULL) gap_tap_sequence(e, track, kind, pts, us);
}
/** A decision about an update, whose sequence stood at @p position. */
static inline void gap_tap_node(const struct gap_node *n, gap_decision_t kind, int32_t position)
{
    if (n->engine->config.tap != NULL) gap_tap_update(n, kind, position);
}
/** What the rules said of an update; its sequence's position was @p before. */
static inline void gap_tap_judged(const struct gap_node *n, enum gap_verdict v, int32_t before)
{
    if (n->engine->config.tap != NULL) gap_tap_verdict(n, v, before);
}
/** The same of one that was held. */
static inline void gap_tap_replayed(const struct gap_node *n, enum gap_verdict v, int32_t before)
{
    if (n->engine->config.tap != NULL) gap_tap_taken(n, v, before);
}
/** The question that is about to be sent. */
static inline void gap_tap_asked(const struct gap_updater *u, gap_tl_object_t query)
{
    if (u->engine->config.tap != NULL) gap_tap_question(u, query);
}
/** The answer that has just been opened. */
static inline void gap_tap_answer(const struct gap_updater *u)
{
    if (u->engine->config.tap != NULL) gap_tap_difference(u);
}
/** A question that went wrong. */
static inline void gap_tap_failure(const struct gap_updater *u, gap_decision_t kind, int error,
                                   int32_t code)
{
    if (u->engine->config.tap != NULL) gap_tap_trouble(u, kind, error, code);
}

/* ---- counters ---- */

void gap_watch_init(gap_engine_t *e);
/** Safe twice. */
void gap_watch_fini(gap_engine_t *e);
/** One more, of the sequence and in total. @p track may be NULL. Out of memory: in total only. */
void gap_watch_count(gap_engine_t *e, struct gap_track *track, enum gap_watch_what what);
/** Forget a channel. */
void gap_watch_forget(gap_engine_t *e, struct gap_track *track);

/** The message of a new message: its bytes, or NULL if it is another update. */
static inline const uint8_t *gap_watch_message(const gap_update_t *u)
{
    if (u->id != GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE && u->id != GAP_TL_UPDATE_NEW_MESSAGE)
        return NULL;
    return u->bytes.data + ((u->flags & GAP_ITEM_MESSAGE) != 0 ? 0 : 4);
}

/** A message's id has one of two fixed places. */
static inline int32_t gap_watch_message_id(const uint8_t *message)
{
    return (int32_t)gap_load32(message + (gap_load32(message) == GAP_TL_MESSAGE ? 12 : 8));
}

void gap_watch_wrapped(gap_engine_t *e, struct gap_track *track);

/** The update goes to the handler now. */
static inline void gap_watch_applied(gap_engine_t *e, const struct gap_node *n)
{
    struct gap_track *track = n->track;
    const uint8_t *message;

    e->count.applied++;
    if (track == NULL) return;
    if (++track->applied == 0) gap_watch_wrapped(e, track);
    if ((message = gap_watch_message(&n->update)) == NULL) return;
    int32_t id = gap_watch_message_id(message);
    if (id > track->last_id) track->last_id = id;
}

/** Did the account send it, be it by another of its devices? */
bool gap_watch_is_own(const gap_engine_t *e, const gap_update_t *u);
bool gap_watch_keep_back(gap_engine_t *e, struct gap_node *n);
/** Is it the account's own, and are those not wanted? Counts it then. */
static inline bool gap_watch_withholds(gap_engine_t *e, struct gap_node *n)
{
    return e->config.no_own_updates && gap_watch_keep_back(e, n);
}

/* ---- lost ranges ---- */

/** Events between @p from and @p to can't be had: say so. @p top_id: the newest message that the
 * server names, 0: none. */
void gap_watch_lost(gap_engine_t *e, struct gap_track *track, int32_t from, int32_t to,
                    gap_engine_reason_t why, int32_t top_id);

#endif
