/*
 * bench/recover.c - `recover`: what waiting policies cost under reordering and loss, over every
 * combination of arrival, lateness, loss and round trip: a table, a row for every policy and point,
 * a plot.
 *
 * What a policy costs at a point (J) is the mean time that an update was held back plus
 * GAP_WAIT_LAMBDA_US for every request per update.
 */
#include "bench/bench.h"
#include "bench/recover_plot.h"
#include "bench/recover_run.h"

#include "base/bytes.h"
#include "sequence/wait.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { FATE, FIXED_500, LEARNED, IMMEDIATE, FIXED_10, FIXED_50, FIXED_100, POLICIES };

static const struct recover_policy policies[POLICIES] = {
    [FATE] = {"clairvoyant", 0, true},          [FIXED_500] = {"fixed_500", 500000, false},
    [LEARNED] = {"learned", 0, false},          [IMMEDIATE] = {"immediate", 1, false},
    [FIXED_10] = {"fixed_10", 10000, false},    [FIXED_50] = {"fixed_50", 50000, false},
    [FIXED_100] = {"fixed_100", 100000, false},
};

#define UPDATES       15000
#define UPDATES_QUICK 400
#define QUICK_STEP    41 /* of the points one in so many */
#define POINTS_MAX    ((size_t)TRACE_ARRIVALS * TRACE_LATENESSES * TRACE_LOSSES * 3)
#define SEED          20261122

static const uint32_t rtts_ms[] = {30, 100, 300};

struct point {
    struct trace_condition condition;
    struct recover_result of[POLICIES];
};

static struct point points[POINTS_MAX];

static double cost(const struct recover_result *r)
{
    return r->mean_ms + r->requests / 1000 * GAP_WAIT_LAMBDA_US / 1000;
}

static struct trace_condition condition_at(size_t n)
{
    struct trace_condition c;

    c.arrival = n % TRACE_ARRIVALS;
    n /= TRACE_ARRIVALS;
    c.lateness = n % TRACE_LATENESSES;
    n /= TRACE_LATENESSES;
    c.loss = n % TRACE_LOSSES;
    c.rtt_ms = rtts_ms[n / TRACE_LOSSES];
    return c;
}

static void run_point(struct point *p, uint32_t updates, uint64_t seed)
{
    struct trace t;

    trace_make(&t, &p->condition, updates, seed);
    for (size_t i = 0; i < POLICIES; i++) {
        recover_run(&t, &p->condition, &policies[i], seed, &p->of[i]);
        if (p->of[i].missing > 0) bench_fail(GAP_E_PROTOCOL, "an update was lost");
    }
    trace_free(&t);
}

/* ---- what comes of it ---- */

static void write_points(struct bench *b, size_t count)
{
    char name[96];

    for (size_t n = 0; n < count; n++) {
        const struct trace_condition *c = &points[n].condition;
        for (size_t i = 0; i < POLICIES; i++) {
            const struct recover_result *r = &points[n].of[i];
            (void)snprintf(name, sizeof name, "%s %s late %s lost %s rtt %u", policies[i].name,
                           trace_arrival_names[c->arrival], trace_lateness_names[c->lateness],
                           trace_loss_names[c->loss], c->rtt_ms);
            const struct {
                const char *metric;
                double value;
                const char *unit;
            } figures[] = {{"mean", r->mean_ms, "ms"},
                           {"p99", r->p99_ms, "ms"},
                           {"differences", r->requests, "per 1000"},
                           {"wasted", r->wasted, "per 1000"},
                           {"cost", cost(r), "ms"}};
            for (size_t k = 0; k < GAP_ARRAY_LEN(figures); k++)
                bench_note(b, &(struct bench_row){.bench = "recover",
                                                  .name = name,
                                                  .metric = figures[k].metric,
                                                  .value = figures[k].value,
                                                  .unit = figures[k].unit});
        }
    }
}

/** A policy over all points: means, and how far from the clairvoyant. */
struct summary {
    double mean_ms, p99_ms, requests, wasted;
    double ratio;  /* geometric mean of cost over the clairvoyant's */
    double worst;  /* largest */
    size_t beaten; /* points at which a fixed wait is better in both mean and requests by 5 % */
};

static bool is_beaten(const struct point *p, size_t i)
{
    for (size_t k = 0; k < POLICIES; k++) {
        if (policies[k].wait_us == 0 || k == i) continue;
        if (p->of[k].mean_ms < p->of[i].mean_ms * 0.95 &&
            p->of[k].requests < p->of[i].requests * 0.95)
            return true;
    }
    return false;
}

static void sum_up(size_t count, size_t i, struct summary *s)
{
    double logs = 0;
    size_t compared = 0;

    memset(s, 0, sizeof *s);
    for (size_t n = 0; n < count; n++) {
        const struct recover_result *r = &points[n].of[i];
        double best = cost(&points[n].of[FATE]);
        s->mean_ms += r->mean_ms / (double)count;
        s->p99_ms += r->p99_ms / (double)count;
        s->requests += r->requests / (double)count;
        s->wasted += r->wasted / (double)count;
        s->beaten += is_beaten(&points[n], i);
        if (best <= 0) continue; /* nothing was missing */
        double ratio = cost(r) / best;
        logs += log(ratio);
        compared++;
        if (ratio > s->worst) s->worst = ratio;
    }
    s->ratio = compared == 0 ? 1 : exp(logs / (double)compared);
}

static void report(struct bench *b, size_t count)
{
    struct summary all[POLICIES];
    struct recover_dot dots[POLICIES];

    for (size_t i = 0; i < POLICIES; i++) sum_up(count, i, &all[i]);
    printf("%zu points; ms, per 1000 updates; J: cost over the clairvoyant's\n", count);
    printf("%-12s %8s %8s %9s %8s %7s %7s %7s\n", "policy", "mean", "p99", "requests", "wasted",
           "J", "worst", "beaten");
    for (size_t i = 0; i < POLICIES; i++) {
        const struct summary *s = &all[i];
        printf("%-12s %8.1f %8.1f %9.1f %8.1f %7.3f %7.2f %7zu\n", policies[i].name, s->mean_ms,
               s->p99_ms, s->requests, s->wasted, s->ratio, s->worst, s->beaten);
        dots[i] = (struct recover_dot){policies[i].name, s->requests, s->p99_ms};
        bench_hash(b, (uint64_t)(s->mean_ms * 1000));
    }
    const struct summary *mine = &all[LEARNED];
    const struct summary *fixed = &all[FIXED_500];
    bench_report(b, &(struct bench_row){"recover", "sweep", "p99", mine->p99_ms, "ms", "fixed_500",
                                        mine->p99_ms / fixed->p99_ms});
    bench_report(b, &(struct bench_row){"recover", "sweep", "differences", mine->requests, "/1000",
                                        "fixed_500", mine->requests / fixed->requests});
    bench_report(b, &(struct bench_row){"recover", "sweep", "cost", mine->ratio, "ratio",
                                        "clairvoyant", mine->ratio});
    bench_report(b, &(struct bench_row){"recover", "sweep", "worst_cost", mine->worst, "ratio",
                                        "clairvoyant", mine->worst});
    if (b->svg != NULL) recover_plot(b->svg, dots, POLICIES);
}

void bench_recover(struct bench *b)
{
    bool terminal = isatty(STDERR_FILENO) != 0;
    size_t count = 0;

    for (size_t n = 0; n < POINTS_MAX; n++) {
        if (b->quick && n % QUICK_STEP != 0) continue;
        points[count].condition = condition_at(n);
        run_point(&points[count++], b->quick ? UPDATES_QUICK : UPDATES, SEED + n);
        if (terminal) (void)fprintf(stderr, "\rrecover: %zu of %zu points", n + 1, POINTS_MAX);
    }
    if (terminal) (void)fputs("\r\033[K", stderr);
    if (b->json != NULL) write_points(b, count);
    report(b, count);
}
