/*
 * loops/sink.h - a sink on a runtime; everything else of it is public: <gapless/sink.h>.
 */
#ifndef GAP_LOOPS_SINK_H
#define GAP_LOOPS_SINK_H

#include "loops/loop.h"

#include <gapless/sink.h>

/** @param gone  Called once when it has closed, after the callback of gap_sink_close. May be NULL.
 * @return as gap_client_sink. */
GAP_NODISCARD int gap_sink_open(gap_rt_t *rt, const gap_sink_config_t *config,
                                void (*gone)(void *arg), void *arg, gap_sink_t **out);

#endif
