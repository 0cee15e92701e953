/*
 * bench/recover.c - `recover`: what waiting policies cost under reordering and loss, over every
 * combination of arrival, lateness, loss and round trip: a table, a row for every policy and point,
 * a plot.
 */
#include "bench/bench.h"
#include "bench/recover_plot.h"
#include "bench/recover_sweep.h"

#include "base/bytes.h"

#include <stdlib.h>

enum { FATE, LEARNED, FIXED_500, PROBE, IMMEDIATE, FIXED_10, FIXED_25, FIXED_50, FIXED_100 };

static const struct recover_policy policies[] = {
    [FATE] = {"clairvoyant", RECOVER_FATE, 0, 0},
    [LEARNED] = {"learned", RECOVER_LEARNED, 0, 0},
    [FIXED_500] = {"fixed_500", RECOVER_FIXED, 500000, 0},
    [PROBE] = {"700_probe_50", RECOVER_PROBE, 700000, 0},
    [IMMEDIATE] = {"immediate", RECOVER_FIXED, 1, 0},
    [FIXED_10] = {"fixed_10", RECOVER_FIXED, 10000, 0},
    [FIXED_25] = {"fixed_25", RECOVER_FIXED, 25000, 0},
    [FIXED_50] = {"fixed_50", RECOVER_FIXED, 50000, 0},
    [FIXED_100] = {"fixed_100", RECOVER_FIXED, 100000, 0},
};

#define UPDATES       15000
#define UPDATES_QUICK 400
#define SEEDS         2
#define QUICK_STEP    41 /* of the points one in so many */
#define SEED          20261122
#define BEATEN_SHOWN  20

/* ---- what comes of it ---- */

static void write_points(struct bench *b, const struct recover_sweep *s)
{
    char at[96];
    char name[128];

    for (size_t n = 0; n < s->condition_count; n++) {
        recover_name(&s->conditions[n], at, sizeof at);
        for (size_t i = 0; i < s->policy_count; i++) {
            const struct recover_result *r = recover_at(s, n, i);
            (void)snprintf(name, sizeof name, "%s %s", s->policies[i].name, at);
            const struct {
                const char *metric;
                double value;
                const char *unit;
            } figures[] = {{"mean", r->mean_ms, "ms"},
                           {"p99", r->p99_ms, "ms"},
                           {"p999", r->p999_ms, "ms"},
                           {"differences", r->requests, "per 1000"},
                           {"wasted", r->wasted, "per 1000"},
                           {"bytes", r->bytes, "per update"},
                           {"blind", r->blind_ms, "ms"},
                           {"cost", recover_cost(&s->policies[i], r), "ms"}};
            for (size_t k = 0; k < GAP_ARRAY_LEN(figures); k++)
                bench_note(b, &(struct bench_row){.bench = "recover",
                                                  .name = name,
                                                  .metric = figures[k].metric,
                                                  .value = figures[k].value,
                                                  .unit = figures[k].unit});
        }
    }
}

static void print_table(struct bench *b, const struct recover_sweep *s)
{
    struct recover_summary sum;

    printf("%zu points; held back: ms; requests and wasted ones: per 1000 updates; bytes: per "
           "update;\nJ: cost over the clairvoyant's, geometric mean and worst; beaten: points at "
           "which a fixed\npolicy is better by more than 5 %% in both mean and requests\n",
           s->condition_count);
    printf("%-14s %7s %7s %7s %9s %7s %6s %7s %7s %7s\n", "policy", "mean", "p99", "p99.9",
           "requests", "wasted", "bytes", "J", "worst", "beaten");
    for (size_t i = 0; i < s->policy_count; i++) {
        recover_sum_up(s, i, &sum);
        printf("%-14s %7.1f %7.1f %7.1f %9.1f %7.1f %6.0f %7.3f %7.2f %7zu\n", s->policies[i].name,
               sum.mean.mean_ms, sum.mean.p99_ms, sum.mean.p999_ms, sum.mean.requests,
               sum.mean.wasted, sum.mean.bytes, sum.ratio, sum.worst, sum.beaten);
        bench_hash(b, (uint64_t)(sum.mean.mean_ms * 1000));
    }
    printf("before that a lost update goes unnoticed for %.0f ms on average\n", sum.mean.blind_ms);
}

static void print_beaten(const struct recover_sweep *s, size_t policy)
{
    char at[96];
    size_t shown = 0;

    for (size_t n = 0; n < s->condition_count; n++) {
        size_t by = recover_better(s, n, policy);
        if (by == SIZE_MAX || shown++ >= BEATEN_SHOWN) continue;
        const struct recover_result *r = recover_at(s, n, policy);
        const struct recover_result *x = recover_at(s, n, by);
        recover_name(&s->conditions[n], at, sizeof at);
        printf("  %s beaten at %s: %.2f ms, %.2f requests; %s %.2f ms, %.2f\n",
               s->policies[policy].name, at, r->mean_ms, r->requests, s->policies[by].name,
               x->mean_ms, x->requests);
    }
    if (shown > BEATEN_SHOWN) printf("  and at %zu more\n", shown - BEATEN_SHOWN);
}

static void report(struct bench *b, const struct recover_sweep *s)
{
    struct recover_summary mine;
    struct recover_summary fixed;

    print_table(b, s);
    print_beaten(s, LEARNED);
    recover_sum_up(s, LEARNED, &mine);
    recover_sum_up(s, FIXED_500, &fixed);
    const struct bench_row rows[] = {
        {"recover", "sweep", "p99", mine.mean.p99_ms, "ms", "fixed_500",
         mine.mean.p99_ms / fixed.mean.p99_ms},
        {"recover", "sweep", "differences", mine.mean.requests, "/1000", "fixed_500",
         mine.mean.requests / fixed.mean.requests},
        {"recover", "sweep", "cost", mine.ratio, "ratio", "clairvoyant", mine.ratio},
        {"recover", "sweep", "worst_cost", mine.worst, "ratio", "clairvoyant", mine.worst},
        {"recover", "sweep", "beaten", (double)mine.beaten, "points", NULL, 0}};
    for (size_t i = 0; i < GAP_ARRAY_LEN(rows); i++) bench_report(b, &rows[i]);
}

static void plot(const char *path, const struct recover_sweep *s)
{
    struct recover_dot dots[RECOVER_POLICIES_MAX];
    struct recover_summary sum;

    for (size_t i = 0; i < s->policy_count; i++) {
        recover_sum_up(s, i, &sum);
        dots[i] = (struct recover_dot){s->policies[i].name, sum.mean.requests, sum.mean.p99_ms};
    }
    recover_plot(path, dots, s->policy_count);
}

void bench_recover(struct bench *b)
{
    struct recover_sweep *s = calloc(1, sizeof *s);

    if (s == NULL) bench_fail(GAP_E_NOMEM, "a sweep");
    s->name = "all policies";
    s->policies = policies;
    s->policy_count = GAP_ARRAY_LEN(policies);
    s->updates = b->quick ? UPDATES_QUICK : UPDATES;
    s->seeds = b->quick ? 1 : SEEDS;
    s->seed = SEED;
    recover_conditions(s, 1);
    if (b->quick) {
        for (size_t n = 0; n * QUICK_STEP < s->condition_count; n++)
            s->conditions[n] = s->conditions[n * QUICK_STEP];
        s->condition_count = (s->condition_count + QUICK_STEP - 1) / QUICK_STEP;
    }
    recover_sweep_run(s);
    if (b->json != NULL) write_points(b, s);
    report(b, s);
    if (b->svg != NULL) plot(b->svg, s);
    recover_sweep_free(s);
    free(s);
}
