/* bench/runner_cold.h - a part of the benchmark `runner`. */
#ifndef GAP_BENCH_RUNNER_COLD_H
#define GAP_BENCH_RUNNER_COLD_H

#include "bench/bench.h"

/** How soon an update of a lane of its own starts while very many wait in another one. */
void bench_runner_cold(struct bench *b);

#endif
