/*
 * bench/order.c - how many updates a second the engine brings to a handler on one core: in one
 * sequence, round robin over many, and how long it takes when a gap closes in front of very many.
 */
#include "bench/account.h"
#include "bench/bench.h"
#include "bench/fixture.h"

#include "base/prng.h"

#include <stdlib.h>

#define ROUNDS   11
#define BATCH    64 /* objects fed between two ticks: what a read from a socket brings */
#define TEXT_LEN 40
#define STREAM   16384
#define CHANNELS 10000
#define HELD     100000

static void feed(struct account *a, const struct fixture_stream *s, uint32_t i)
{
    int r = gap_engine_feed(a->engine, fixture_stream_at(s, i), s->size, s->packet);
    bench_must(r == GAP_BEHIND ? GAP_E_LIMIT : r, "feeding");
}

/* Nanoseconds for one pass over the stream. */
static double pass(struct account *a, const struct fixture_stream *s)
{
    uint64_t before = a->handled;
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < s->count; i += BATCH) {
        uint32_t end = i + BATCH < s->count ? i + BATCH : s->count;
        for (uint32_t k = i; k < end; k++) feed(a, s, k);
        account_run(a);
    }
    uint64_t took = bench_cpu_ns() - start;
    bench_must(a->handled - before == s->count ? 0 : GAP_E_STATE, "not every update was handled");
    return (double)took;
}

static void stream_case(struct bench *b, const char *name, uint32_t count, uint32_t channels)
{
    struct fixture_stream s;
    struct account a;
    double ns[ROUNDS];
    int rounds = b->quick ? 2 : ROUNDS;
    int32_t pts = 1;

    fixture_stream_init(&s, count, channels, TEXT_LEN);
    account_open(&a, channels, 0);
    for (int round = 0; round < rounds; round++) {
        if (channels == 1) {
            for (uint32_t i = 0; i < count; i++) fixture_stream_set_pts(&s, i, ++pts);
        } else {
            pts++;
            for (uint32_t i = 0; i < count; i++) fixture_stream_set_pts(&s, i, pts);
        }
        ns[round] = pass(&a, &s);
    }
    bench_hash(b, a.sum);
    account_close(&a);
    fixture_stream_fini(&s);
    double rate = count / bench_median(ns, (size_t)rounds) * 1e9;
    bench_report(b, &(struct bench_row){"order", name, "updates_per_s", rate, "1/s",
                                        channels == 1 ? "the aim, 5 M/s" : "the aim, 2 M/s",
                                        rate / (channels == 1 ? 5e6 : 2e6)});
}

static void shuffle(uint32_t *order, uint32_t count)
{
    gap_prng_t rng = {1};

    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t k = (uint32_t)gap_prng_below(&rng, i + 1);
        uint32_t swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
}

/* All but the first of a sequence arrive, in some order; then the first. @param closing  Set to the
 * part of it since that one came. */
static double held_ms(struct bench *b, uint32_t held, int arrangement, double *closing)
{
    struct fixture_stream s;
    struct account a;
    uint32_t *order = calloc(held, sizeof *order);

    bench_must(order == NULL ? GAP_E_NOMEM : 0, "the order");
    for (uint32_t i = 0; i < held; i++) order[i] = arrangement == 1 ? held - i : i + 1;
    if (arrangement == 2) shuffle(order, held);
    fixture_stream_init(&s, held + 1, 1, TEXT_LEN);
    for (uint32_t i = 0; i <= held; i++) fixture_stream_set_pts(&s, i, (int32_t)i + 2);
    account_open(&a, 1, held + 16);
    uint64_t start = bench_cpu_ns();
    for (uint32_t i = 0; i < held; i++) {
        feed(&a, &s, order[i]);
        if (i % BATCH == BATCH - 1) (void)gap_engine_tick(a.engine, a.now_us, false);
    }
    (void)gap_engine_tick(a.engine, a.now_us, false);
    bench_must(a.handled == 0 ? 0 : GAP_E_STATE, "something was handled before its turn");
    uint64_t closes = bench_cpu_ns();
    feed(&a, &s, 0);
    while (a.handled < held + 1 && gap_engine_tick(a.engine, a.now_us, false)) {
    }
    uint64_t end = bench_cpu_ns();
    double ms = (double)(end - start) / 1e6;
    *closing = (double)(end - closes) / 1e6;
    bench_must(a.handled == held + 1 ? 0 : GAP_E_STATE, "not every held update was handled");
    bench_hash(b, a.sum);
    account_close(&a);
    fixture_stream_fini(&s);
    free(order);
    return ms;
}

static void held_row(struct bench *b, const char *order, const char *part, double *ms, int rounds)
{
    char metric[32];
    double median = bench_median(ms, (size_t)rounds);

    (void)snprintf(metric, sizeof metric, "%s%s_ms", order, part);
    bench_report(b, &(struct bench_row){"order", "held_100k", metric, median, "ms",
                                        "the aim, 100 ms", median / 100});
}

/* All of it: reading, holding, and handing out in order when the gap closes; and the last alone. */
static void held_case(struct bench *b)
{
    static const char *const orders[] = {"ascending", "descending", "random"};

    for (int arrangement = 0; arrangement < 3; arrangement++) {
        double ms[5];
        double closing[5];
        int rounds = b->quick ? 1 : 5;
        for (int i = 0; i < rounds; i++)
            ms[i] = held_ms(b, b->quick ? 1000 : HELD, arrangement, &closing[i]);
        held_row(b, orders[arrangement], "", ms, rounds);
        held_row(b, orders[arrangement], "_closing", closing, rounds);
    }
}

void bench_order(struct bench *b)
{
    stream_case(b, "in_order", b->quick ? 1024 : STREAM, 1);
    stream_case(b, "round_robin_10k", b->quick ? 100 : CHANNELS, b->quick ? 100 : CHANNELS);
    held_case(b);
}
