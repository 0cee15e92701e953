/*
 * bench/recover.c - `recover`: what waiting policies cost under reordering and loss, over every
 * combination of arrival, lateness, loss and round trip.
 */
#include "bench/bench.h"
#include "bench/recover_run.h"

#include "base/bytes.h"

#include <math.h>

static const struct recover_policy policies[] = {
    {"immediate", 1, false},
    {"fixed_500", 500000, false},
    {"learned", 0, false},
    {"clairvoyant", 0, true},
};
static const uint32_t rtts[] = {30, 100, 300};

void bench_recover(struct bench *b)
{
    struct recover_result sum[GAP_ARRAY_LEN(policies)] = {{0}};
    uint32_t updates = b->quick ? 500 : 15000;
    uint32_t n = 0;
    double cost[GAP_ARRAY_LEN(policies)], logs[GAP_ARRAY_LEN(policies)] = {0},
                                          worst[GAP_ARRAY_LEN(policies)] = {0};

    for (unsigned at = 0; at < TRACE_ARRIVALS * TRACE_LATENESSES * TRACE_LOSSES * 3; at++) {
        struct trace_condition c = {
            .arrival = at % TRACE_ARRIVALS,
            .lateness = at / TRACE_ARRIVALS % TRACE_LATENESSES,
            .loss = at / (TRACE_ARRIVALS * TRACE_LATENESSES) % TRACE_LOSSES,
            .rtt_ms = rtts[at / (TRACE_ARRIVALS * TRACE_LATENESSES * TRACE_LOSSES)]};
        if (b->quick && at % 37 != 0) continue;
        struct trace t;
        trace_make(&t, &c, updates, at + 1);
        for (size_t p = 0; p < GAP_ARRAY_LEN(policies); p++) {
            struct recover_result r;
            recover_run(&t, &c, &policies[p], at, &r);
            if (r.missing > 0) bench_fail(GAP_E_PROTOCOL, "updates were lost");
            sum[p].mean_ms += r.mean_ms;
            sum[p].p99_ms += r.p99_ms;
            sum[p].requests += r.requests;
            sum[p].wasted += r.wasted;
            cost[p] = r.mean_ms + r.requests / 10;
        }
        for (size_t p = 0; p < GAP_ARRAY_LEN(policies); p++) {
            double ratio = cost[p] / cost[GAP_ARRAY_LEN(policies) - 1];
            if (cost[GAP_ARRAY_LEN(policies) - 1] < 1e-6) continue;
            logs[p] += log(ratio);
            if (ratio > worst[p]) worst[p] = ratio;
        }
        n++;
        trace_free(&t);
    }
    for (size_t p = 0; p < GAP_ARRAY_LEN(policies); p++)
        printf("%s mean %.1f p99 %.1f req %.1f wasted %.1f J %.3f worst %.2f\n", policies[p].name,
               sum[p].mean_ms / n, sum[p].p99_ms / n, sum[p].requests / n, sum[p].wasted / n,
               exp(logs[p] / n), worst[p]);
}
