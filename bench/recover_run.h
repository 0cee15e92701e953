/*
 * bench/recover_run.h - one trace through the real engine in virtual time, with a server that
 * answers differences from what was sent by then.
 */
#ifndef GAP_BENCH_RECOVER_RUN_H
#define GAP_BENCH_RECOVER_RUN_H

#include "bench/recover_objects.h"

/** Whose word counts about how long a hole waits. */
enum recover_how {
    RECOVER_LEARNED, /* the engine's own policy */
    RECOVER_FIXED,   /* every hole waits wait_us */
    RECOVER_PROBE,   /* a hole of one event RECOVER_PROBE_US, and is then asked for alone; all
                        others wait_us */
    RECOVER_FATE     /* knows what the network will do: asks at once if something is lost, or comes
                        later than a round trip and lambda from now; else waits for it */
};
#define RECOVER_PROBE_US   50000
#define RECOVER_AT_ONCE_US 1 /* 0 would mean learned */

/** A waiting policy: all that differs between two runs over a trace. */
struct recover_policy {
    const char *name;
    enum recover_how how;
    uint32_t wait_us;
    bool continues;     /* what fits is applied while a difference is on its way */
    bool tail_sweep;    /* see gap_engine_config.tail_sweep */
    uint32_t lambda_us; /* what a request costs; 0: GAP_WAIT_LAMBDA_US */
};

/** What a run cost. Times are held-back time: from the first moment at which the client had an
 * update, or could see that it was missing, to its handler; milliseconds. */
struct recover_result {
    double mean_ms;
    double p99_ms;
    double p999_ms;
    double requests; /* differences per 1000 updates */
    double wasted;   /* of these: brought nothing that was not on its way and came later than it */
    double floods;   /* refused, per 1000 updates */
    double bytes;    /* of questions and answers, per update */
    double blind_ms; /* from when a lost update was due to the first sign that it is lost, for
                        which a policy can't do anything; mean */
    double lost_ms;  /* from when a lost update was due to its handler; mean */
    double missing;  /* updates that could be had and were not delivered: must be 0 */
};

/** @param pushes What the trace pushes. */
void recover_run(const struct trace *t, const struct recover_pushes *pushes,
                 const struct trace_condition *c, const struct recover_policy *policy,
                 uint64_t seed, struct recover_result *out);

#endif
