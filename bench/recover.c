/*
 * bench/recover.c - `recover`: what waiting policies cost under reordering and loss, over every
 * combination of arrival, lateness, loss and round trip: a table, a row for every policy and point,
 * a plot. The verdict compares what the engine does by default with a fixed wait of 500 ms.
 */
#include "bench/bench.h"
#include "bench/recover_table.h"
#include "bench/recover_wide.h"

#include "base/bytes.h"

#include <stdlib.h>

enum { FATE, LEARNED, FIXED_500, FATE_ON = 9, LEARNED_ON, FIXED_500_ON };

#define FIXED(name, ms, on)                                                                        \
    {                                                                                              \
        name, RECOVER_FIXED, (ms)*1000, on, false, 0                                               \
    }

static const struct recover_policy policies[] = {
    [FATE] = {"clairvoyant", RECOVER_FATE, 0, false, false, 0},
    [LEARNED] = {"learned", RECOVER_LEARNED, 0, false, false, 0},
    [FIXED_500] = FIXED("fixed_500", 500, false),
    {"700_probe_50", RECOVER_PROBE, 700000, false, false, 0},
    {"immediate", RECOVER_FIXED, RECOVER_AT_ONCE_US, false, false, 0},
    FIXED("fixed_10", 10, false),
    FIXED("fixed_25", 25, false),
    FIXED("fixed_50", 50, false),
    FIXED("fixed_100", 100, false),
    [FATE_ON] = {"clairvoyant_continue", RECOVER_FATE, 0, true, false, 0},
    [LEARNED_ON] = {"learned_continue", RECOVER_LEARNED, 0, true, false, 0},
    [FIXED_500_ON] = FIXED("fixed_500_continue", 500, true),
    {"immediate_continue", RECOVER_FIXED, RECOVER_AT_ONCE_US, true, false, 0},
    FIXED("fixed_10_continue", 10, true),
    FIXED("fixed_25_continue", 25, true),
    FIXED("fixed_50_continue", 50, true),
    FIXED("fixed_100_continue", 100, true),
};

#define UPDATES       15000
#define UPDATES_QUICK 400
#define SEEDS         2
#define QUICK_STEP    41 /* of the points one in so many: only to see that it works */
#define SEED          20261122

static void verdict(struct bench *b, const struct recover_sweep *s, const char *name, size_t mine,
                    size_t against)
{
    struct recover_summary m;
    struct recover_summary a;

    recover_sum_up(s, mine, &m);
    recover_sum_up(s, against, &a);
    const struct bench_row rows[] = {
        {"recover", name, "p99", m.mean.p99_ms, "ms", s->policies[against].name,
         m.mean.p99_ms / a.mean.p99_ms},
        {"recover", name, "differences", m.mean.requests, "/1000", s->policies[against].name,
         m.mean.requests / a.mean.requests},
        {"recover", name, "cost", m.ratio, "ratio", "clairvoyant", m.ratio},
        {"recover", name, "worst_cost", m.worst, "ratio", "clairvoyant", m.worst},
        {"recover", name, "beaten", (double)m.beaten, "points", NULL, 0}};
    for (size_t i = 0; i < GAP_ARRAY_LEN(rows); i++) bench_report(b, &rows[i]);
}

void bench_recover(struct bench *b)
{
    struct recover_sweep *s = recover_sweep_new();
    struct recover_summary sum;

    s->name = "all conditions";
    s->policies = policies;
    s->policy_count = GAP_ARRAY_LEN(policies);
    s->updates = b->quick ? UPDATES_QUICK : UPDATES;
    s->seeds = b->quick ? 1 : SEEDS;
    s->seed = SEED;
    recover_conditions(s, 1);
    if (b->quick) recover_thin(s, QUICK_STEP);
    recover_sweep_run(s);
    recover_write_points(b, s);
    recover_print_legend();
    recover_print_table(b, s);
    recover_sum_up(s, FATE, &sum);
    printf("no policy can see a loss before its first sign: %.0f ms on average\n",
           sum.mean.blind_ms);
    recover_print_beaten(s, LEARNED);
    recover_print_beaten(s, LEARNED_ON);
    verdict(b, s, "sweep", LEARNED, FIXED_500);
    verdict(b, s, "sweep_continue", LEARNED_ON, FIXED_500_ON);
    recover_sweep_free(s);
    free(s);
    if (b->svg != NULL || b->wide) recover_wide(b, SEED);
}
