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

#endif
