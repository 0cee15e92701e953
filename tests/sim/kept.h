/*
 * tests/sim/kept.h - a world whose engine's state is kept over restarts: what gap_engine_collect
 * hands over is stored in one step; a crash takes the engine away at any moment, and the next one
 * begins with what was stored. What is stored shows in the trace:
 *
 *     [   0] keep 12 5 1 +3          pts, qts, seq, seconds after PACK_DATE
 *     [   0] keep 7:51 unfinished    a channel's pts
 *     [   0] drop 7
 */
#ifndef GAP_TESTS_SIM_KEPT_H
#define GAP_TESTS_SIM_KEPT_H

#include "world.h"

#define KEPT_CHANNELS 16
#define KEPT_RETURN   1

struct kept {
    struct world *w;
    bool has_state;
    gap_engine_state_t state;
    gap_engine_channel_t channels[KEPT_CHANNELS];
    size_t count;
    uint32_t changed; /* calls of it since the last collect */
    uint32_t refuse;  /* after that many records nothing more is taken; 0: everything is */
    bool silent;      /* no trace */
    char
        later[256]; /* labels of the updates whose handlers go on later, each in bars: "|edit 3|" */
};

/** A state as the worlds without a store begin: {10, 5, 1} at PACK_DATE. Takes the world's
 * `handled`, for `later`. */
void kept_init(struct kept *k, struct world *w);
void kept_channel(struct kept *k, int64_t id, int32_t pts, bool unfinished);
const gap_engine_channel_t *kept_find(const struct kept *k, int64_t id);
/** Open the engine with what is kept (has_state false: with nothing). */
void kept_open(struct kept *k, const gap_engine_config_t *config);
/** Collect and store. @return what gap_engine_collect returned. */
int kept_collect(struct kept *k);
/** The handler of the update with that label is through. @param status KEPT_RETURN: not at all, it
 * is given back (gap_engine_return). */
void kept_finish(struct kept *k, const char *label, int status);
/** Close the engine, with handlers at work. */
void kept_close(struct kept *k);
/** The process dies: nothing but what was stored is left. */
void kept_crash(struct kept *k);

#endif
