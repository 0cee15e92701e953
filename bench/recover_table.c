/*
 * bench/recover_table.c - prints and writes results. Owns nothing.
 */
#include "bench/recover_table.h"

#include "base/bytes.h"

#define BEATEN_SHOWN 24

struct figure {
    const char *metric;
    double value;
    const char *unit;
};

static void note(struct bench *b, const char *name, const struct figure *figures, size_t count)
{
    for (size_t k = 0; k < count; k++)
        bench_note(b, &(struct bench_row){.bench = "recover",
                                          .name = name,
                                          .metric = figures[k].metric,
                                          .value = figures[k].value,
                                          .unit = figures[k].unit});
}

void recover_write_points(struct bench *b, const struct recover_sweep *s)
{
    char at[96];
    char name[128];

    if (b->json == NULL) return;
    for (size_t n = 0; n < s->condition_count; n++) {
        recover_name(&s->conditions[n], at, sizeof at);
        for (size_t i = 0; i < s->policy_count; i++) {
            const struct recover_result *r = recover_at(s, n, i);
            (void)snprintf(name, sizeof name, "%s %s", s->policies[i].name, at);
            const struct figure figures[] = {{"mean", r->mean_ms, "ms"},
                                             {"p99", r->p99_ms, "ms"},
                                             {"p999", r->p999_ms, "ms"},
                                             {"differences", r->requests, "per 1000"},
                                             {"wasted", r->wasted, "per 1000"},
                                             {"bytes", r->bytes, "per update"},
                                             {"unnoticed", r->blind_ms, "ms"},
                                             {"cost", recover_cost(&s->policies[i], r), "ms"}};
            note(b, name, figures, GAP_ARRAY_LEN(figures));
        }
    }
}

void recover_write_means(struct bench *b, const struct recover_sweep *s)
{
    char name[96];
    struct recover_summary sum;

    if (b->json == NULL) return;
    for (size_t i = 0; i < s->policy_count; i++) {
        recover_sum_up(s, i, &sum);
        (void)snprintf(name, sizeof name, "%s %s", s->name, s->policies[i].name);
        const struct figure figures[] = {{"mean", sum.mean.mean_ms, "ms"},
                                         {"p99", sum.mean.p99_ms, "ms"},
                                         {"differences", sum.mean.requests, "per 1000"},
                                         {"wasted", sum.mean.wasted, "per 1000"},
                                         {"floods", sum.mean.floods, "per 1000"},
                                         {"bytes", sum.mean.bytes, "per update"},
                                         {"lost", sum.mean.lost_ms, "ms"},
                                         {"cost_ratio", sum.ratio, "ratio"},
                                         {"worst_cost", sum.worst, "ratio"}};
        note(b, name, figures, GAP_ARRAY_LEN(figures));
    }
}

void recover_print_legend(void)
{
    printf("mean, p99, p99.9: how long updates are held back, ms, from when they or a sign that "
           "they are\n  missing came. requests, wasted, floods: per 1000 updates; wasted: brought "
           "nothing that had not\n  come meanwhile. bytes: of them, per update. lost: ms from when "
           "a lost update was due. J: cost\n  (mean + lambda for every request per update) over "
           "that of the clairvoyant of the same mode,\n  geometric mean, and at the worst point. "
           "beaten: points at which a fixed policy of the same mode\n  is better by more than 5 %% "
           "in both mean and requests. Waits are in ms. _continue: what fits goes\n  on while a "
           "difference is on its way; else it is held until the answer is through.\n"
           "  700_probe_50: 700 ms; a hole of one event 50 ms, then the server is asked for that "
           "event alone\n  (the engine asks for a difference; the server of this world ends it "
           "after one event).\n");
}

void recover_print_table(struct bench *b, const struct recover_sweep *s)
{
    struct recover_summary sum;

    printf("\n%s: %zu points, %u x %u updates each\n", s->name, s->condition_count, s->seeds,
           s->updates);
    printf("%-22s %7s %7s %7s %8s %7s %6s %6s %7s %7s %7s %6s\n", "policy", "mean", "p99", "p99.9",
           "requests", "wasted", "floods", "bytes", "lost", "J", "worst", "beaten");
    for (size_t i = 0; i < s->policy_count; i++) {
        recover_sum_up(s, i, &sum);
        const struct recover_result *r = &sum.mean;
        printf("%-22s %7.1f %7.1f %7.1f %8.1f %7.1f %6.1f %6.0f %7.0f %7.3f %7.2f %6zu\n",
               s->policies[i].name, r->mean_ms, r->p99_ms, r->p999_ms, r->requests, r->wasted,
               r->floods, r->bytes, r->lost_ms, sum.ratio, sum.worst, sum.beaten);
        bench_hash(b, (uint64_t)(r->mean_ms * 1000));
    }
    (void)fflush(stdout);
}

void recover_print_beaten(const struct recover_sweep *s, size_t policy)
{
    char at[96];
    size_t shown = 0;

    for (size_t n = 0; n < s->condition_count; n++) {
        size_t by = recover_better(s, n, policy);
        if (by == SIZE_MAX || shown++ >= BEATEN_SHOWN) continue;
        const struct recover_result *r = recover_at(s, n, policy);
        const struct recover_result *x = recover_at(s, n, by);
        recover_name(&s->conditions[n], at, sizeof at);
        printf("  %s beaten at %s: %.3f ms, %.3f requests; %s %.3f, %.3f\n",
               s->policies[policy].name, at, r->mean_ms, r->requests, s->policies[by].name,
               x->mean_ms, x->requests);
    }
    if (shown > BEATEN_SHOWN) printf("  and at %zu more\n", shown - BEATEN_SHOWN);
}
