/*
 * tests/sim/globe_draw.h - a world drawn from a seed: who the account is, what happens, what goes
 * wrong and how often. The same seed is the same world, whatever ran before it.
 */
#ifndef GAP_TESTS_SIM_GLOBE_DRAW_H
#define GAP_TESTS_SIM_GLOBE_DRAW_H

#include "globe.h"

struct globe_outcome {
    bool held;
    char verdict[GLOBE_VERDICT_MAX];
    struct globe_counts count;
    double cpu_ms;
};

/**
 * Run a world from its beginning to its end.
 * @param decisions The trace tells the decisions of the engine too.
 * @param line  Takes the trace; NULL: none.
 * @return 0; GAP_E_NOMEM, GAP_E_ARGUMENT it could not be made.
 */
GAP_NODISCARD int globe_run_seed(uint64_t seed, bool decisions,
                                 void (*line)(void *data, const char *text), void *data,
                                 struct globe_outcome *out);

#endif
