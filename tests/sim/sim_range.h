/*
 * tests/sim/sim_range.h - many worlds, one after the other or several at once, with a count of what
 * came of them that survives an interruption.
 */
#ifndef GAP_TESTS_SIM_SIM_RANGE_H
#define GAP_TESTS_SIM_SIM_RANGE_H

#include "globe_draw.h"

#include <stdio.h>

#define SIM_JOBS_MAX 64

struct sim_range {
    uint64_t from;
    uint64_t to; /* included */
    uint32_t jobs;
    const char *progress; /* file; NULL: none */
    const char *program;  /* for the command that replays */
    FILE *out;
    FILE *err;
    bool quiet; /* no line that is updated on a terminal */
};

/**
 * Run them all, or those that the progress file has not seen.
 * @return exit status of the program: 0 all held; 3 not all; 1 something else failed or it was
 * interrupted (what to do has been printed).
 */
int sim_range_run(const struct sim_range *range);

#endif
