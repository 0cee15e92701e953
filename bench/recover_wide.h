/*
 * bench/recover_wide.h - wider sweeps, without targets, and the plot: the curve of fixed waits, the
 * worth of a request, floods, cold starts, changing laws, pauses, how many are late, the tail
 * sweep.
 */
#ifndef GAP_BENCH_RECOVER_WIDE_H
#define GAP_BENCH_RECOVER_WIDE_H

#include "bench/bench.h"

/** Those that the plot needs if b->svg is set; all of them, as tables, if b->wide is. */
void recover_wide(struct bench *b, uint64_t seed);

#endif
