/*
 * bench/recover_sweep.h - policies over conditions: runs them all, on the same traces, and sums up.
 *
 * What a policy costs at a point (J) is the mean time that an update was held back plus lambda for
 * every request per update.
 */
#ifndef GAP_BENCH_RECOVER_SWEEP_H
#define GAP_BENCH_RECOVER_SWEEP_H

#include "bench/bench.h"
#include "bench/recover_run.h"

#define RECOVER_CONDITIONS_MAX ((size_t)TRACE_ARRIVALS * TRACE_LATENESSES * TRACE_LOSSES * 3)
#define RECOVER_POLICIES_MAX   40

struct recover_sweep {
    const char *name; /* of what is shown while it runs */
    const struct recover_policy *policies;
    size_t policy_count;
    struct trace_condition conditions[RECOVER_CONDITIONS_MAX];
    size_t condition_count;
    uint32_t updates; /* of a trace */
    uint32_t seeds;   /* traces of a condition */
    uint64_t seed;
    struct recover_result *results; /* means over the seeds: see recover_at */
};

/** An empty one, for free() after its results were freed; without memory the program ends. */
struct recover_sweep *recover_sweep_new(void);
/** All conditions, or every @p step th in an order in which each axis is spread evenly. */
void recover_conditions(struct recover_sweep *s, size_t step);
/** Keep every @p step th of them. */
void recover_thin(struct recover_sweep *s, size_t step);
/** Fill in the results. An update that is lost ends the program. */
void recover_sweep_run(struct recover_sweep *s);
/** Free the results: it can be run again. */
void recover_sweep_free(struct recover_sweep *s);

static inline const struct recover_result *recover_at(const struct recover_sweep *s,
                                                      size_t condition, size_t policy)
{
    return &s->results[condition * s->policy_count + policy];
}

/** A policy over all points: means, and how far from the clairvoyant of its mode and lambda. */
struct recover_summary {
    struct recover_result mean;
    double ratio;  /* geometric mean of its cost over the clairvoyant's; 0: there is none */
    double worst;  /* largest */
    size_t beaten; /* points at which a fixed wait of its mode is better by more than 5 % in both
                      mean and requests */
};

void recover_sum_up(const struct recover_sweep *s, size_t policy, struct recover_summary *out);
/** At @p condition: the fixed policy that is better than @p policy, as `beaten` counts; the one
 * that costs least, if there are several; SIZE_MAX: none. */
size_t recover_better(const struct recover_sweep *s, size_t condition, size_t policy);
double recover_cost(const struct recover_policy *p, const struct recover_result *r);
/** "poisson late exp5 lost 1% rtt 30" and what else is special about it. */
void recover_name(const struct trace_condition *c, char *out, size_t size);

#endif
