/*
 * bench/recover_run.h - one trace through the real engine in virtual time, with a server that
 * answers differences from what was sent by then.
 */
#ifndef GAP_BENCH_RECOVER_RUN_H
#define GAP_BENCH_RECOVER_RUN_H

#include "bench/recover_trace.h"

#define RECOVER_PATIENCE_US 100000

/** A waiting policy: all that differs between two runs over a trace. */
struct recover_policy {
    const char *name;
    uint32_t wait_us; /* how long every hole waits; 0: learned, or by fate */
    bool by_fate;     /* knows what the network will do: asks at once if something is lost or later
                         than a round trip and RECOVER_PATIENCE_US, else waits for it */
};

/** What a run cost. Times are held-back time: from the first moment at which the client had an
 * update, or could see that it was missing, to its handler; milliseconds. */
struct recover_result {
    double mean_ms;
    double p99_ms;
    double requests;  /* differences per 1000 updates */
    double wasted;    /* of these: brought nothing that was not on its way and came later than it */
    uint32_t missing; /* updates that could be had and were not delivered: must be 0 */
};

void recover_run(const struct trace *t, const struct trace_condition *c,
                 const struct recover_policy *policy, uint64_t seed, struct recover_result *out);

#endif
