/*
 * bench/scale.c - what a million sequences cost: memory of one that has been used and gone idle,
 * everything included (its record, its place in the map, its access hash), and the time to start
 * with the state of all of them at hand.
 */
#include "bench/account.h"
#include "bench/bench.h"
#include "bench/fixture.h"

#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define MANY  1000000
#define FEW   2000
#define BATCH 64
#define TEXT  40

/* Bytes of this process in memory. */
static double resident(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f != NULL) {
        /* NOLINTNEXTLINE(cert-err34-c): the kernel writes it, as a number that fits */
        if (fscanf(f, "%*s %ld", &pages) != 1) pages = 0;
        (void)fclose(f);
    }
    bench_must(pages > 0 ? 0 : GAP_E_STATE, "reading /proc/self/statm");
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Each channel is heard of for the first time and applies one update. */
static void use_all(struct account *a, struct fixture_stream *s, uint32_t channels)
{
    for (uint32_t i = 0; i < channels; i += BATCH) {
        uint32_t n = channels - i < BATCH ? channels - i : BATCH;
        for (uint32_t k = 0; k < n; k++) {
            fixture_stream_set_channel(s, k, FIXTURE_CHANNEL + i + k);
            bench_must(gap_engine_feed(a->engine, fixture_stream_at(s, k), s->size, s->packet),
                       "feeding");
        }
        account_run(a);
    }
    bench_must(a->handled == channels ? 0 : GAP_E_STATE, "not every update was handled");
}

static void idle_sequence(struct bench *b)
{
    uint32_t channels = b->quick ? FEW : MANY;
    gap_engine_counters_t count;
    struct fixture_stream s;
    struct account a;

    fixture_stream_init(&s, BATCH, 1, TEXT);
    for (uint32_t i = 0; i < BATCH; i++) fixture_stream_set_pts(&s, i, 2);
#ifdef __GLIBC__
    /* What earlier benchmarks have left behind would be used again, and hide what is used here. */
    (void)malloc_trim(0);
#endif
    double before = resident();
    account_open(&a, 0, 0);
    use_all(&a, &s, channels);
    double bytes = (resident() - before) / channels;
    gap_engine_counters(a.engine, &count);
    bench_must(count.active == 0 ? 0 : GAP_E_STATE, "not every sequence is idle");
    bench_must(count.sequences >= channels ? 0 : GAP_E_STATE, "not every sequence is there");
    bench_hash(b, a.sum);
    account_close(&a);
    fixture_stream_fini(&s);
    bench_report(b, &(struct bench_row){"scale", "idle_sequence", "bytes", bytes, "B",
                                        "the aim, 128 bytes", bytes / 128});
}

static void start_1m(struct bench *b)
{
    double ms[3];
    int rounds = b->quick ? 1 : 3;

    for (int i = 0; i < rounds; i++) {
        struct account a;
        account_open(&a, b->quick ? FEW : MANY, 0);
        ms[i] = (double)a.open_ns / 1e6;
        account_close(&a);
    }
    double median = bench_median(ms, (size_t)rounds);
    bench_report(b, &(struct bench_row){"scale", "start_1m", "ms", median, "ms", "the aim, 1 s",
                                        median / 1000});
}

void bench_scale(struct bench *b)
{
    idle_sequence(b);
    start_1m(b);
}
