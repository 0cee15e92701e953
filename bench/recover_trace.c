/*
 * bench/recover_trace.c - traces for `recover`. The laws: 10 % of the updates late by an
 * exponential time (5, 20, 80 ms on average) or a Pareto one (from 5 ms, exponent 1.2, at most
 * 20 s); all of them late by 10 ms on average and 5 % by some 300 ms (bimodal); or 5 % of
 * neighbours swapped in one container. Loss falls on each update alone, or on 4 to 16 in a row.
 */
#include "bench/recover_trace.h"

#include "base/prng.h"
#include "bench/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const trace_arrival_names[] = {"poisson", "burst20", "quiet"};
const char *const trace_lateness_names[] = {"none",    "exp5",   "exp20", "exp80",
                                            "bimodal", "pareto", "swap"};
const char *const trace_loss_names[] = {"0", "0.1%", "1%", "5%", "20%", "bursts"};

#define SEQUENCES         22
#define QUIET_SEQUENCES   TRACE_SEQUENCES_MAX
#define MS                1000.0
#define BETWEEN_US        (50 * MS) /* 20 updates a second */
#define BURST             20
#define BURST_STEP_US     (3 * MS)
#define QUIET_US          (30000 * MS) /* between updates of one quiet sequence */
#define FOLLOWED          0.3          /* quiet updates with a close follower, */
#define FOLLOWER_US       (100 * MS)   /* at most so much later */
#define SINGLE            0.9          /* updates that count one event, the others 2 to 5 */
#define LATE              0.1
#define PARETO_US         (5 * MS)
#define PARETO_MAX_US     (20000 * MS)
#define PARETO_ALPHA      1.2
#define FAR               0.05 /* of bimodal lateness: */
#define FAR_US            (300 * MS)
#define SWAPPED           0.05
#define LOSS_RUN          10 /* average of 4 to 16 */
#define CHANGING_SHORT_US (5 * MS)
#define CHANGING_LONG_US  (120 * MS)
#define PAUSE_US          (60000 * MS) /* between pauses */
#define SUSPENDED         0.3          /* of pauses the host's, the others the connection's */
#define PAUSES_MAX        4096

static double exponential(gap_prng_t *p, double mean)
{
    return -mean * log(1 - gap_prng_unit(p));
}

/* ---- when updates are sent ---- */

static void add(struct trace *t, double at_us, uint64_t sequence)
{
    t->updates[t->count++] =
        (struct trace_update){.sent_us = (uint64_t)at_us, .sequence = (uint16_t)sequence};
}

static void send_all(struct trace *t, enum trace_arrival law, uint32_t wanted, gap_prng_t *p)
{
    double at = TRACE_BEGIN_US;

    while (t->count < wanted) {
        uint64_t sequence = gap_prng_below(p, t->sequences);
        switch (law) {
        case TRACE_POISSON:
            at += exponential(p, BETWEEN_US);
            add(t, at, sequence);
            break;
        case TRACE_BURST20:
            at += exponential(p, BETWEEN_US * BURST);
            for (int i = 0; i < BURST; i++) add(t, at + i * BURST_STEP_US, sequence);
            break;
        default:
            at += exponential(p, QUIET_US / QUIET_SEQUENCES);
            add(t, at, sequence);
            if (gap_prng_unit(p) < FOLLOWED) add(t, at + FOLLOWER_US * gap_prng_unit(p), sequence);
        }
    }
}

static int by_sent(const void *a, const void *b)
{
    const struct trace_update *x = a;
    const struct trace_update *y = b;

    if (x->sent_us != y->sent_us) return x->sent_us < y->sent_us ? -1 : 1;
    return (int)x->sequence - (int)y->sequence;
}

static void number(struct trace *t, gap_prng_t *p)
{
    int32_t pts[QUIET_SEQUENCES];

    for (size_t i = 0; i < t->sequences; i++) pts[i] = 1;
    for (uint32_t i = 0; i < t->count; i++) {
        struct trace_update *u = &t->updates[i];
        u->count = gap_prng_unit(p) < SINGLE ? 1 : 2 + (int32_t)gap_prng_below(p, 4);
        pts[u->sequence] += u->count;
        u->pts = pts[u->sequence];
    }
}

/* ---- what the network does ---- */

static double late_us(const struct trace_condition *c, uint32_t quarter, gap_prng_t *p)
{
    static const double means[] = {[TRACE_EXP5] = 5, [TRACE_EXP20] = 20, [TRACE_EXP80] = 80};

    double late = c->late_percent == 0 ? LATE : c->late_percent / 100.0;

    if (c->changing) {
        double mean = quarter % 2 == 0 ? CHANGING_SHORT_US : CHANGING_LONG_US;
        return gap_prng_unit(p) < late ? exponential(p, mean) : 0;
    }
    switch (c->lateness) {
    case TRACE_EXP5:
    case TRACE_EXP20:
    case TRACE_EXP80:
        return gap_prng_unit(p) < late ? exponential(p, means[c->lateness] * MS) : 0;
    case TRACE_BIMODAL:
        if (gap_prng_unit(p) >= FAR) return exponential(p, 10 * MS);
        return FAR_US * (0.9 + 0.2 * gap_prng_unit(p));
    case TRACE_PARETO:
        if (gap_prng_unit(p) >= late) return 0;
        return fmin(PARETO_MAX_US, PARETO_US * pow(1 - gap_prng_unit(p), -1 / PARETO_ALPHA));
    default:
        return 0;
    }
}

/* Neighbours of one sequence travel together, the later one first. */
static void swap_some(struct trace *t, gap_prng_t *p)
{
    uint32_t last[QUIET_SEQUENCES];

    for (size_t i = 0; i < t->sequences; i++) last[i] = UINT32_MAX;
    for (uint32_t i = 0; i < t->count; i++) {
        struct trace_update *u = &t->updates[i];
        uint32_t before = last[u->sequence];
        last[u->sequence] = i;
        if (before == UINT32_MAX || t->updates[before].swapped) continue;
        if (gap_prng_unit(p) >= SWAPPED) continue;
        t->updates[before].reaches_us = u->reaches_us;
        t->updates[before].swapped = true;
        u->swapped = true;
    }
}

static void lose_some(struct trace *t, enum trace_loss law, gap_prng_t *p)
{
    static const double rates[] = {0, 0.001, 0.01, 0.05, 0.2, 0.01 / LOSS_RUN};
    uint64_t run = 0;

    for (uint32_t i = 0; i < t->count; i++) {
        bool hit = gap_prng_unit(p) < rates[law];
        if (hit) run = law == TRACE_LOSS_BURSTS ? 4 + gap_prng_below(p, 13) : 1;
        if (run == 0) continue;
        run--;
        t->updates[i].reaches_us = TRACE_NEVER;
        t->updates[i].swapped = false;
    }
}

/* ---- pauses ---- */

static void pause_some(struct trace *t, gap_prng_t *p)
{
    double at = TRACE_BEGIN_US;
    double end = (double)t->updates[t->count - 1].sent_us;

    t->pauses = calloc(PAUSES_MAX, sizeof *t->pauses);
    if (t->pauses == NULL) bench_fail(GAP_E_NOMEM, "pauses of a trace");
    while (t->pause_count < PAUSES_MAX) {
        bool suspended = gap_prng_unit(p) < SUSPENDED;
        double lasts = suspended ? 2000 + 8000 * gap_prng_unit(p) : 300 + 1200 * gap_prng_unit(p);
        at += exponential(p, PAUSE_US);
        if (at > end) break;
        double to = at + lasts * MS;
        t->pauses[t->pause_count++] = (struct trace_pause){(uint64_t)at, (uint64_t)to, suspended};
        at = to;
    }
}

const struct trace_pause *trace_pause_at(const struct trace *t, uint64_t at_us)
{
    size_t low = 0;
    size_t high = t->pause_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        const struct trace_pause *pause = &t->pauses[middle];
        if (at_us < pause->from_us)
            high = middle;
        else if (at_us >= pause->to_us)
            low = middle + 1;
        else
            return pause;
    }
    return NULL;
}

/* ---- order of arrival ---- */

static const struct trace *sorting;

static int by_arrival(const void *a, const void *b)
{
    uint32_t i = *(const uint32_t *)a;
    uint32_t j = *(const uint32_t *)b;
    const struct trace_update *x = &sorting->updates[i];
    const struct trace_update *y = &sorting->updates[j];

    if (x->reaches_us != y->reaches_us) return x->reaches_us < y->reaches_us ? -1 : 1;
    if (x->swapped && y->swapped && x->sequence == y->sequence) return i > j ? -1 : 1;
    return i < j ? -1 : 1;
}

static void order(struct trace *t)
{
    uint64_t first[QUIET_SEQUENCES];

    for (uint32_t i = 0; i < t->count; i++) {
        struct trace_update *u = &t->updates[i];
        const struct trace_pause *pause = trace_pause_at(t, u->reaches_us);
        u->arrives_us = pause == NULL ? u->reaches_us : pause->to_us;
        if (u->reaches_us != TRACE_NEVER) t->by_arrival[t->arriving++] = i;
    }
    sorting = t;
    qsort(t->by_arrival, t->arriving, sizeof *t->by_arrival, by_arrival);
    for (size_t i = 0; i < t->sequences; i++) first[i] = TRACE_NEVER;
    for (uint32_t i = t->count; i-- > 0;) {
        struct trace_update *u = &t->updates[i];
        if (u->arrives_us < first[u->sequence]) first[u->sequence] = u->arrives_us;
        u->seen_us = first[u->sequence];
    }
}

static void list(struct trace *t)
{
    uint32_t next[TRACE_SEQUENCES_MAX];

    for (uint32_t i = 0; i < t->count; i++) t->first_of[t->updates[i].sequence + 1]++;
    for (size_t s = 0; s < t->sequences; s++) {
        t->first_of[s + 1] += t->first_of[s];
        next[s] = t->first_of[s];
    }
    for (uint32_t i = 0; i < t->count; i++) t->in_sequence[next[t->updates[i].sequence]++] = i;
}

uint32_t trace_after(const struct trace *t, uint16_t sequence, int32_t pts)
{
    uint32_t low = t->first_of[sequence];
    uint32_t high = t->first_of[sequence + 1];

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (t->updates[t->in_sequence[middle]].pts > pts)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

void trace_make(struct trace *t, const struct trace_condition *c, uint32_t updates, uint64_t seed)
{
    gap_prng_t p = {seed};

    memset(t, 0, sizeof *t);
    t->sequences = c->arrival == TRACE_QUIET ? QUIET_SEQUENCES : SEQUENCES;
    t->updates = calloc((size_t)updates + BURST, sizeof *t->updates);
    t->by_arrival = calloc((size_t)updates + BURST, sizeof *t->by_arrival);
    t->in_sequence = calloc((size_t)updates + BURST, sizeof *t->in_sequence);
    if (t->updates == NULL || t->by_arrival == NULL || t->in_sequence == NULL)
        bench_fail(GAP_E_NOMEM, "a trace");
    send_all(t, c->arrival, updates, &p);
    qsort(t->updates, t->count, sizeof *t->updates, by_sent);
    number(t, &p);
    for (uint32_t i = 0; i < t->count; i++) {
        struct trace_update *u = &t->updates[i];
        double late = late_us(c, i * 4 / t->count, &p);
        u->reaches_us = u->sent_us + c->rtt_ms * 500 + (uint64_t)late;
    }
    if (c->lateness == TRACE_SWAP) swap_some(t, &p);
    lose_some(t, c->loss, &p);
    if (c->pausing) pause_some(t, &p);
    list(t);
    order(t);
}

void trace_free(struct trace *t)
{
    free(t->updates);
    free(t->by_arrival);
    free(t->in_sequence);
    free(t->pauses);
    memset(t, 0, sizeof *t);
}
