/*
 * bench/runner.c - what it costs to bring an update to its handler through the lanes: those that
 * find nobody before them, and those that wait; memory of what waits, and of what is over. How soon
 * an update of another lane starts beside a full one is measured in runner_cold.c.
 *
 * The runner alone, without an engine: updates of channels, whose chat is known without reading
 * them; a handler that does nothing. Processor time of one thread.
 */
#include "bench/bench.h"
#include "bench/runner_cold.h"

#include "base/bytes.h"
#include "loops/loop.h"
#include "loops/runner.h"
#include "sequence/update.h"

#include <gapless/tl_api.h>
#include <stdlib.h>
#include <string.h>

#define LANES 10000
/** Updates of a lane that wait at a time. */
#define DEEP 10
/** Longer than memory is kept after a rush. */
#define REST_US UINT64_C(20000000)

/* ---- memory that is counted ---- */

static size_t live_bytes;

static void *counted(void *ctx, void *ptr, size_t size)
{
    size_t *block = ptr == NULL ? NULL : (size_t *)ptr - 2;
    size_t had = block == NULL ? 0 : block[0];

    (void)ctx;
    if (size == 0) {
        free(block);
        live_bytes -= had;
        return NULL;
    }
    size_t *grown = realloc(block, size + 2 * sizeof *block);
    if (grown == NULL) return NULL;
    grown[0] = size;
    live_bytes += size - had;
    return grown + 2;
}

static const gap_alloc_t counting = {.realloc_fn = counted};

/* ---- the runner ---- */

struct bench_runner {
    gap_rt_t rt;
    gap_runner_t *runner;
    gap_update_t *updates;
    uint32_t count;
    uint64_t handled;
    uint64_t through;
    uint64_t sum; /* of what handlers saw */
    bool closed;
};

static struct bench_runner bench;

static void finished(gap_update_t *update, int status)
{
    bench.through++;
    bench_must(status, "an update");
    (void)update;
}

static const struct gap_update_owner owner = {.finished = finished};

static int handler(gap_update_t *update, void *data)
{
    struct bench_runner *r = data;

    r->handled++;
    r->sum += (uint64_t)gap_update_channel_id(update) * 31 + (uint64_t)gap_update_pts(update);
    return 0;
}

static void on_closed(void *arg)
{
    ((struct bench_runner *)arg)->closed = true;
}

static void tick(struct bench_runner *r)
{
    while (gap_rt_tick(&r->rt, r->rt.now_us + 1, true)) continue;
}

static void open_runner(struct bench_runner *r, uint32_t count)
{
    const gap_runner_config_t config = {.waiting_max = count + 1, .timeout_us = 1000000};
    const struct gap_runner_hooks hooks = {.handler = handler, .handler_data = r};

    memset(r, 0, sizeof *r);
    r->count = count;
    r->updates = calloc(count, sizeof *r->updates);
    bench_must(r->updates == NULL ? GAP_E_NOMEM : 0, "updates");
    for (uint32_t i = 0; i < count; i++) {
        gap_update_t *u = &r->updates[i];
        u->owner = &owner;
        u->id = GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE;
        u->box = GAP_BOX_CHANNEL;
        u->channel_id = 1000000000 + (int64_t)(i % LANES) * 7919;
        u->pts = (int32_t)i;
        u->pts_count = 1;
    }
    gap_rt_init(&r->rt, &counting, NULL);
    bench_must(gap_runner_open(&r->rt, &config, &hooks, &r->runner), "a runner");
}

static void close_runner(struct bench_runner *r)
{
    gap_runner_close(r->runner, on_closed, r);
    while (!r->closed) tick(r);
    gap_rt_fini(&r->rt);
    free(r->updates);
}

/* ---- measuring ---- */

static double at_once(struct bench_runner *r)
{
    uint64_t start = bench_cpu_ns();

    for (uint32_t i = 0; i < r->count; i++)
        bench_must(gap_runner_take(&r->updates[i], r->runner), "take");
    return (double)r->count * 1e9 / (double)(bench_cpu_ns() - start);
}

/* All wait until the runner goes on: each of them is put into its lane, has its turn, leaves it. */
static double waiting(struct bench_runner *r)
{
    uint64_t before = r->handled;
    uint64_t start = bench_cpu_ns();

    gap_runner_pause(r->runner);
    for (uint32_t i = 0; i < r->count; i++)
        bench_must(gap_runner_take(&r->updates[i], r->runner), "take");
    gap_runner_resume(r->runner);
    while (r->handled - before < r->count) tick(r);
    return (double)r->count * 1e9 / (double)(bench_cpu_ns() - start);
}

static void report(struct bench *b, const char *name, const char *metric, double value,
                   const char *unit)
{
    bench_report(
        b, &(struct bench_row){
               .bench = "runner", .name = name, .metric = metric, .value = value, .unit = unit});
}

#define PASSES 9

static void speed(struct bench *b)
{
    double rates[2][PASSES];
    int passes = b->quick ? 1 : PASSES;

    open_runner(&bench, LANES * DEEP);
    (void)waiting(&bench); /* memory is there from now on */
    for (int i = 0; i < passes; i++) {
        rates[0][i] = at_once(&bench);
        rates[1][i] = waiting(&bench);
    }
    report(b, "noop_10k_lanes", "updates_per_s", bench_median(rates[1], (size_t)passes), "1/s");
    report(b, "noop_at_once", "updates_per_s", bench_median(rates[0], (size_t)passes), "1/s");
    bench_hash(b, bench.sum);
    close_runner(&bench);
}

/* So long after the last one that memory of a rush has gone back. */
static void rest(struct bench_runner *r)
{
    tick(r);
    (void)gap_rt_tick(&r->rt, r->rt.now_us + REST_US, true);
    tick(r);
}

/* @p count updates wait in as many lanes, or in one; then they are handled. @return bytes of each.
 */
static double waiting_bytes(struct bench_runner *r, uint32_t count, bool one_lane)
{
    size_t before = live_bytes;
    uint64_t handled = r->handled;

    gap_runner_pause(r->runner);
    for (uint32_t i = 0; i < count; i++) {
        r->updates[i].channel_id = one_lane ? 7 : 1000 + (int64_t)i;
        bench_must(gap_runner_take(&r->updates[i], r->runner), "take");
    }
    double bytes = (double)(live_bytes - before) / count;
    gap_runner_resume(r->runner);
    while (r->handled < handled + count) tick(r);
    return bytes;
}

/* What waits in one lane, in lanes of its own, and what is left when all of it is over. */
static void memory(struct bench *b)
{
    open_runner(&bench, LANES * DEEP);
    tick(&bench);
    size_t fresh = live_bytes;
    double same = waiting_bytes(&bench, bench.count, true);
    rest(&bench);
    double own = waiting_bytes(&bench, bench.count, false);
    rest(&bench);
    double empty = live_bytes > fresh ? (double)(live_bytes - fresh) / bench.count : 0;
    report(b, "memory", "waiting_update", same, "B");
    report(b, "memory", "and_its_lane", own - same, "B");
    report(b, "memory", "empty_lane", empty, "B");
    bench_hash(b, bench.sum);
    close_runner(&bench);
}

void bench_runner(struct bench *b)
{
    speed(b);
    memory(b);
    bench_runner_cold(b);
}
