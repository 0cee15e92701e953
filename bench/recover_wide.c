/*
 * bench/recover_wide.c - one function a sweep. They run over a third of the conditions in which
 * every axis is spread evenly. Owns nothing.
 */
#include "bench/recover_wide.h"

#include "base/bytes.h"
#include "bench/recover_plot.h"
#include "bench/recover_table.h"

#include <stdlib.h>
#include <string.h>

#define STEP          3 /* of the conditions one in so many */
#define QUICK_STEP    20
#define UPDATES       15000
#define COLD_UPDATES  400
#define COLD_SEEDS    30
#define UPDATES_QUICK 400

#define FIXED(name, ms, on)                                                                        \
    {                                                                                              \
        name, RECOVER_FIXED, (ms)*1000, on, false, 0                                               \
    }
#define AT_ONCE(name, on)                                                                          \
    {                                                                                              \
        name, RECOVER_FIXED, RECOVER_AT_ONCE_US, on, false, 0                                      \
    }
#define LEARNED(name, on, ms)                                                                      \
    {                                                                                              \
        name, RECOVER_LEARNED, 0, on, false, (ms)*1000                                             \
    }
#define FATE(name, on, ms)                                                                         \
    {                                                                                              \
        name, RECOVER_FATE, 0, on, false, (ms)*1000                                                \
    }
#define PROBE(name)                                                                                \
    {                                                                                              \
        name, RECOVER_PROBE, 700000, false, false, 0                                               \
    }

/* From here on the order of recover_plot_curves. */
static const struct recover_policy curves[] = {
    AT_ONCE("immediate", false),
    FIXED("fixed_2", 2, false),
    FIXED("fixed_5", 5, false),
    FIXED("fixed_10", 10, false),
    FIXED("fixed_20", 20, false),
    FIXED("fixed_50", 50, false),
    FIXED("fixed_100", 100, false),
    FIXED("fixed_200", 200, false),
    FIXED("fixed_500", 500, false),
    FIXED("fixed_700", 700, false),
    AT_ONCE("immediate_continue", true),
    FIXED("fixed_2_continue", 2, true),
    FIXED("fixed_5_continue", 5, true),
    FIXED("fixed_10_continue", 10, true),
    FIXED("fixed_20_continue", 20, true),
    FIXED("fixed_50_continue", 50, true),
    FIXED("fixed_100_continue", 100, true),
    FIXED("fixed_200_continue", 200, true),
    FIXED("fixed_500_continue", 500, true),
    FIXED("fixed_700_continue", 700, true),
    LEARNED("learned_25", false, 25),
    LEARNED("learned_100", false, 100),
    LEARNED("learned_400", false, 400),
    LEARNED("learned_1000", false, 1000),
    LEARNED("learned_25_continue", true, 25),
    LEARNED("learned_100_continue", true, 100),
    LEARNED("learned_400_continue", true, 400),
    LEARNED("learned_1000_continue", true, 1000),
    PROBE("700_probe_50"),
    FATE("clairvoyant_100", false, 100),
    FATE("clairvoyant_100_cont", true, 100),
    FATE("clairvoyant_25", false, 25),
    FATE("clairvoyant_400", false, 400),
    FATE("clairvoyant_1000", false, 1000),
    FATE("clairvoyant_25_cont", true, 25),
    FATE("clairvoyant_400_cont", true, 400),
    FATE("clairvoyant_1000_cont", true, 1000),
};

static const struct recover_policy usual[] = {
    FATE("clairvoyant", false, 0),
    LEARNED("learned", false, 0),
    AT_ONCE("immediate", false),
    FIXED("fixed_10", 10, false),
    FIXED("fixed_500", 500, false),
    PROBE("700_probe_50"),
    FATE("clairvoyant_continue", true, 0),
    LEARNED("learned_continue", true, 0),
    AT_ONCE("immediate_continue", true),
    FIXED("fixed_10_continue", 10, true),
    FIXED("fixed_500_continue", 500, true),
};

static const struct recover_policy tails[] = {
    LEARNED("learned", false, 0),
    {"learned_sweep", RECOVER_LEARNED, 0, false, true, 0},
    LEARNED("learned_continue", true, 0),
    {"learned_continue_sweep", RECOVER_LEARNED, 0, true, true, 0},
};

static void keep(struct recover_sweep *s, bool (*wanted)(const struct trace_condition *c))
{
    size_t count = 0;

    for (size_t n = 0; n < s->condition_count; n++)
        if (wanted(&s->conditions[n])) s->conditions[count++] = s->conditions[n];
    s->condition_count = count;
}

static void begin(struct bench *b, struct recover_sweep *s, const char *name,
                  const struct recover_policy *policies, size_t count)
{
    s->name = name;
    s->policies = policies;
    s->policy_count = count;
    s->updates = b->quick ? UPDATES_QUICK : UPDATES;
    s->seeds = 1;
    recover_conditions(s, STEP);
}

static void finish(struct bench *b, struct recover_sweep *s)
{
    if (b->quick) recover_thin(s, QUICK_STEP);
    recover_sweep_run(s);
    recover_print_table(b, s);
    recover_write_means(b, s);
    recover_sweep_free(s);
}

/* ---- the sweeps ---- */

static bool is_lossy(const struct trace_condition *c)
{
    return c->loss == TRACE_LOSS_BURSTS;
}
static bool is_exp5(const struct trace_condition *c)
{
    return c->lateness == TRACE_EXP5;
}
static bool has_share(const struct trace_condition *c)
{
    return c->lateness == TRACE_EXP5 || c->lateness == TRACE_EXP20 || c->lateness == TRACE_EXP80 ||
           c->lateness == TRACE_PARETO;
}

static void flooding(struct bench *b, struct recover_sweep *s)
{
    begin(b, s, "flooding", usual, GAP_ARRAY_LEN(usual));
    for (size_t n = 0; n < s->condition_count; n++) s->conditions[n].flooding = true;
    finish(b, s);
}

static void cold(struct bench *b, struct recover_sweep *s)
{
    begin(b, s, "cold", usual, GAP_ARRAY_LEN(usual));
    s->updates = COLD_UPDATES;
    if (!b->quick) s->seeds = COLD_SEEDS;
    finish(b, s);
}

static void changing(struct bench *b, struct recover_sweep *s)
{
    begin(b, s, "changing", usual, GAP_ARRAY_LEN(usual));
    recover_conditions(s, 1);
    keep(s, is_exp5);
    for (size_t n = 0; n < s->condition_count; n++) s->conditions[n].changing = true;
    finish(b, s);
}

static void pausing(struct bench *b, struct recover_sweep *s)
{
    begin(b, s, "pausing", usual, GAP_ARRAY_LEN(usual));
    for (size_t n = 0; n < s->condition_count; n++) s->conditions[n].pausing = true;
    finish(b, s);
}

static void sharing(struct bench *b, struct recover_sweep *s)
{
    static const struct {
        const char *name;
        uint32_t percent;
    } shares[] = {{"late_1%", 1}, {"late_10%", 10}, {"late_50%", 50}, {"late_100%", 100}};

    for (size_t i = 0; i < GAP_ARRAY_LEN(shares); i++) {
        begin(b, s, shares[i].name, usual, GAP_ARRAY_LEN(usual));
        keep(s, has_share);
        for (size_t n = 0; n < s->condition_count; n++)
            s->conditions[n].late_percent = shares[i].percent;
        finish(b, s);
    }
}

static void tail_sweep(struct bench *b, struct recover_sweep *s)
{
    static const char *const names[] = {"tail_poisson", "tail_burst20", "tail_quiet"};

    for (size_t a = 0; a < TRACE_ARRIVALS; a++) {
        size_t count = 0;
        begin(b, s, names[a], tails, GAP_ARRAY_LEN(tails));
        keep(s, is_lossy);
        for (size_t n = 0; n < s->condition_count; n++) {
            s->conditions[n].naming = true;
            if (s->conditions[n].arrival == a) s->conditions[count++] = s->conditions[n];
        }
        s->condition_count = count;
        finish(b, s);
    }
}

/* ---- the plot ---- */

/* What stands beside a dot: the wait or lambda that is in its name. */
static void dot(const struct recover_sweep *s, size_t policy, const char *label,
                struct recover_dot *out)
{
    struct recover_summary sum;

    recover_sum_up(s, policy, &sum);
    out->label = label;
    out->requests = sum.mean.requests;
    out->p99_ms = sum.mean.p99_ms;
}

static void plot(const char *path, const struct recover_sweep *s)
{
    static const char *const waits[] = {"0",  "2",   "5",   "10",  "20",
                                        "50", "100", "200", "500", "700"};
    static const char *const lambdas[] = {"\xce\xbb 25", "\xce\xbb 100", "\xce\xbb 400",
                                          "\xce\xbb 1000"};
    static const char *const bound[] = {"0"};
    const struct {
        const char *name;
        size_t first, count;
        const char *const *labels;
    } parts[RECOVER_CURVES] = {
        {"fixed waits (ms), held until the answer", 0, 10, waits},
        {"fixed waits (ms), going on meanwhile", 10, 10, waits},
        {"learned, held", 20, 4, lambdas},
        {"learned, going on", 24, 4, lambdas},
        {"700 ms, 50 ms probe for one event, held", 28, 1, NULL},
        {"clairvoyant, held", 29, 1, NULL},
        {"clairvoyant, going on", 30, 1, NULL},
        {"bound of latency: at once, going on", 10, 1, bound},
    };
    struct recover_curve all[RECOVER_CURVES];

    for (size_t i = 0; i < RECOVER_CURVES; i++) {
        all[i].name = parts[i].name;
        all[i].count = parts[i].count;
        for (size_t k = 0; k < parts[i].count; k++)
            dot(s, parts[i].first + k, parts[i].labels == NULL ? "" : parts[i].labels[k],
                &all[i].dots[k]);
    }
    all[RECOVER_CURVES - 1].dots[0].label = ""; /* its curve says it */
    recover_plot(path, all, s->condition_count);
}

void recover_wide(struct bench *b, uint64_t seed)
{
    struct recover_sweep *s = recover_sweep_new();

    s->seed = seed;
    begin(b, s, "fixed waits and lambda", curves, GAP_ARRAY_LEN(curves));
    if (b->quick) recover_thin(s, QUICK_STEP);
    recover_sweep_run(s);
    if (b->svg != NULL) plot(b->svg, s);
    if (b->wide) {
        recover_print_table(b, s);
        recover_write_means(b, s);
    }
    recover_sweep_free(s);
    if (b->wide) {
        flooding(b, s);
        cold(b, s);
        changing(b, s);
        pausing(b, s);
        sharing(b, s);
        tail_sweep(b, s);
    }
    free(s);
}
