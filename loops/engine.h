/*
 * loops/engine.h - the engine on a runtime that it shares with other actors. Everything else of it
 * is public: <gapless/engine.h>.
 */
#ifndef GAP_LOOPS_ENGINE_H
#define GAP_LOOPS_ENGINE_H

#include <gapless/engine.h>

struct gap_rt;

/**
 * gap_engine_open() on @p rt, pinned until closed: the engine runs in its ticks, gap_engine_tick
 * and gap_engine_timeout_ms must not be called. @p config->alloc NULL: that of @p rt.
 */
GAP_NODISCARD int gap_engine_open_on(struct gap_rt *rt, const gap_engine_config_t *config,
                                     gap_engine_t **out);

/* ---- for the keeper of updates, which writes them elsewhere ---- */

/** Queries (callback, inline, shipping ...) are handed out as they come from gap_engine_start on:
 * no container's place in the order is waited for, and not for the end of gap_engine_hold either,
 * but for GAP_ENGINE_INBOX_MAX of them or what the limits say. For a handler that writes them down,
 * since nothing brings them again. Before anything is fed. */
void gap_engine_queries_first(gap_engine_t *engine);

/** Where an update lies in its sequence. */
struct gap_place {
    gap_box_t box;      /* NONE: it has none, and nothing brings it again */
    int64_t channel_id; /* of GAP_BOX_CHANNEL, else 0 */
    int32_t before;     /* the last position from which the server may tell it: the one in front of
                           it, or the last one inside the slice that brought it */
};

/** The place of an update of an engine, to be asked from inside its handler. One that is passed, of
 * no sequence, or of no engine has box NONE. */
void gap_engine_place(const gap_update_t *update, struct gap_place *out);
/** Would the watermark pass it if it were finished now? Not if something older of its sequence is
 * unfinished, nor while the rest of the slice that brought it is. From inside its handler on. True
 * for what is of no sequence. */
bool gap_engine_is_oldest(const gap_update_t *update);
/** It is kept elsewhere: the watermark may pass it. gap_update_done or gap_update_failed follows
 * all the same. From inside its handler on; then the handler must return GAP_LATER. No-op for what
 * has no place. */
void gap_engine_pass(gap_update_t *update);
/** Where its channel begins is stored, so that a process that begins with that misses nothing of
 * it. True for what is of no channel, or of no engine. From inside its handler. */
bool gap_engine_is_based(const gap_update_t *update);
/** What gap_engine_collect has handed over of the channel since an update of it was in a handler is
 * stored. */
void gap_engine_based(gap_engine_t *engine, int64_t channel_id);
/** It is not handled any more, and comes again after a restart if it can: in place of
 * gap_update_done, once gap_engine_close has begun. The watermark stays before it. Invalidates @p
 * update. What is of no engine is done. */
void gap_engine_return(gap_update_t *update);
/** The position of a sequence that gap_engine_collect would hand over now; INT32_MAX: none. */
int32_t gap_engine_mark(const gap_engine_t *engine, gap_box_t box, int64_t channel_id);

#endif
