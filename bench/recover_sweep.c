/*
 * bench/recover_sweep.c - runs and sums up. Every policy meets the same traces. Owns the results.
 */
#include "bench/recover_sweep.h"

#include "base/bytes.h"
#include "sequence/wait.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BETTER 0.95

static const uint32_t rtts_ms[] = {30, 100, 300};

/* ---- conditions ---- */

void recover_conditions(struct recover_sweep *s, size_t step)
{
    struct trace_condition c = {0};

    s->condition_count = 0;
    for (size_t r = 0; r < GAP_ARRAY_LEN(rtts_ms); r++)
        for (size_t loss = 0; loss < TRACE_LOSSES; loss++)
            for (size_t late = 0; late < TRACE_LATENESSES; late++)
                for (size_t a = 0; a < TRACE_ARRIVALS; a++) {
                    if ((a + late + loss + r) % step != 0) continue;
                    c.arrival = (enum trace_arrival)a;
                    c.lateness = (enum trace_lateness)late;
                    c.loss = (enum trace_loss)loss;
                    c.rtt_ms = rtts_ms[r];
                    s->conditions[s->condition_count++] = c;
                }
}

void recover_thin(struct recover_sweep *s, size_t step)
{
    size_t count = 0;

    for (size_t n = 0; n < s->condition_count; n += step) s->conditions[count++] = s->conditions[n];
    s->condition_count = count;
}

void recover_name(const struct trace_condition *c, char *out, size_t size)
{
    (void)snprintf(out, size, "%s late %s lost %s rtt %u%s%s%s", trace_arrival_names[c->arrival],
                   trace_lateness_names[c->lateness], trace_loss_names[c->loss], c->rtt_ms,
                   c->changing ? " changing" : "", c->pausing ? " pausing" : "",
                   c->flooding ? " flooding" : "");
}

/* ---- running ---- */

/* Results are nothing but doubles. */
static void add(struct recover_result *to, const struct recover_result *r, double share)
{
    double *x = (double *)to;
    const double *y = (const double *)r;

    for (size_t i = 0; i < sizeof *to / sizeof *x; i++) x[i] += y[i] * share;
}

static void run_condition(struct recover_sweep *s, size_t n)
{
    for (uint32_t k = 0; k < s->seeds; k++) {
        uint64_t seed = s->seed + n * s->seeds + k;
        struct trace t;
        struct recover_pushes pushes;
        struct recover_result r;
        trace_make(&t, &s->conditions[n], s->updates, seed);
        recover_pushes_make(&pushes, &t);
        for (size_t i = 0; i < s->policy_count; i++) {
            recover_run(&t, &pushes, &s->conditions[n], &s->policies[i], seed, &r);
            if (r.missing > 0) bench_fail(GAP_E_PROTOCOL, "an update was lost");
            add(&s->results[n * s->policy_count + i], &r, 1.0 / s->seeds);
        }
        recover_pushes_free(&pushes);
        trace_free(&t);
    }
}

void recover_sweep_run(struct recover_sweep *s)
{
    bool terminal = isatty(STDERR_FILENO) != 0;

    s->results = calloc(s->condition_count * s->policy_count, sizeof *s->results);
    if (s->results == NULL) bench_fail(GAP_E_NOMEM, "results");
    for (size_t n = 0; n < s->condition_count; n++) {
        run_condition(s, n);
        if (terminal)
            (void)fprintf(stderr, "\rrecover, %s: %zu of %zu points", s->name, n + 1,
                          s->condition_count);
    }
    if (terminal) (void)fputs("\r\033[K", stderr);
}

struct recover_sweep *recover_sweep_new(void)
{
    struct recover_sweep *s = calloc(1, sizeof *s);

    if (s == NULL) bench_fail(GAP_E_NOMEM, "a sweep");
    return s;
}

void recover_sweep_free(struct recover_sweep *s)
{
    free(s->results);
    s->results = NULL;
}

/* ---- summing up ---- */

static double lambda_ms(const struct recover_policy *p)
{
    return (p->lambda_us == 0 ? GAP_WAIT_LAMBDA_US : p->lambda_us) / 1000.0;
}

double recover_cost(const struct recover_policy *p, const struct recover_result *r)
{
    return r->mean_ms + r->requests / 1000 * lambda_ms(p);
}

static bool is_fixed(const struct recover_policy *p)
{
    return p->how == RECOVER_FIXED || p->how == RECOVER_PROBE;
}

size_t recover_better(const struct recover_sweep *s, size_t condition, size_t policy)
{
    const struct recover_policy *p = &s->policies[policy];
    const struct recover_result *r = recover_at(s, condition, policy);
    size_t best = SIZE_MAX;

    for (size_t i = 0; i < s->policy_count; i++) {
        const struct recover_result *x = recover_at(s, condition, i);
        if (i == policy || !is_fixed(&s->policies[i])) continue;
        if (s->policies[i].continues != p->continues) continue;
        if (x->mean_ms >= r->mean_ms * BETTER || x->requests >= r->requests * BETTER) continue;
        if (best == SIZE_MAX ||
            recover_cost(p, x) < recover_cost(p, recover_at(s, condition, best)))
            best = i;
    }
    return best;
}

static size_t clairvoyant_of(const struct recover_sweep *s, size_t policy)
{
    for (size_t i = 0; i < s->policy_count; i++) {
        const struct recover_policy *p = &s->policies[i];
        if (p->how != RECOVER_FATE || p->continues != s->policies[policy].continues) continue;
        if (lambda_ms(p) == lambda_ms(&s->policies[policy])) return i;
    }
    return SIZE_MAX;
}

void recover_sum_up(const struct recover_sweep *s, size_t policy, struct recover_summary *out)
{
    const struct recover_policy *p = &s->policies[policy];
    size_t fate = clairvoyant_of(s, policy);
    double logs = 0;
    size_t compared = 0;

    memset(out, 0, sizeof *out);
    for (size_t n = 0; n < s->condition_count; n++) {
        const struct recover_result *r = recover_at(s, n, policy);
        add(&out->mean, r, 1.0 / (double)s->condition_count);
        out->beaten += recover_better(s, n, policy) != SIZE_MAX;
        if (fate == SIZE_MAX) continue;
        double best = recover_cost(p, recover_at(s, n, fate));
        if (best <= 0) continue; /* nothing was missing */
        double ratio = recover_cost(p, r) / best;
        logs += log(ratio);
        compared++;
        if (ratio > out->worst) out->worst = ratio;
    }
    if (compared > 0) out->ratio = exp(logs / (double)compared);
}
