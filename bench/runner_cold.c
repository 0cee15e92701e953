/*
 * bench/runner_cold.c - how soon an update of a lane of its own starts while 100,000 wait in
 * another one, whose handlers keep the loop's thread busy for 1 ms each. Real libuv, real time:
 * another thread hands the updates over, as a socket would. What the machine itself adds shows in
 * the same done without a runner: a loop that is busy for 1 ms at a time, and nothing else.
 */
#include "bench/runner_cold.h"

#include "base/bytes.h"
#include "base/prng.h"
#include "loops/loop.h"
#include "loops/runner.h"
#include "sequence/update.h"
#include "uv/uv_env.h"

#include <gapless/tl_api.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOT      100000
#define BUSY_NS  UINT64_C(1000000)
#define HOT_CHAT 7

/** An update of another lane. */
struct cold {
    gap_env_post_t post;
    gap_update_t update;
    uint64_t sent_ns;
    double waited_us;
};

static struct {
    uv_loop_t loop;
    gap_env_t *env;
    gap_rt_t rt;
    gap_runner_t *runner; /* NULL: the loop alone */
    uv_idle_t idle;
    gap_update_t *hot;
    struct cold *colds;
    uint32_t count;
    uint32_t started;
    uint64_t hot_handled;
    bool closed;
} w;

static uint64_t wall_ns(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

static void finished(gap_update_t *update, int status)
{
    (void)update;
    bench_must(status, "an update");
}

static const struct gap_update_owner owner = {.finished = finished};

static void fill(gap_update_t *u, int64_t chat, int32_t pts)
{
    memset(u, 0, sizeof *u);
    u->owner = &owner;
    u->id = GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE;
    u->box = GAP_BOX_CHANNEL;
    u->channel_id = chat;
    u->pts = pts;
    u->pts_count = 1;
}

static void be_busy(void)
{
    uint64_t start = wall_ns();

    w.hot_handled++;
    while (wall_ns() - start < BUSY_NS) continue;
}

static int handler(gap_update_t *update, void *data)
{
    (void)data;
    if (gap_update_channel_id(update) == HOT_CHAT) {
        be_busy();
    } else {
        struct cold *c = &w.colds[gap_update_pts(update)];
        c->waited_us = (double)(wall_ns() - c->sent_ns) / 1e3;
        w.started++;
    }
    return 0;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
    be_busy();
}

static void arrive(gap_env_post_t *post)
{
    struct cold *c = GAP_CONTAINER_OF(post, struct cold, post);

    if (w.runner == NULL)
        (void)handler(&c->update, NULL);
    else
        bench_must(gap_runner_take(&c->update, w.runner), "take");
}

static void *sender(void *arg)
{
    gap_prng_t random = {1};

    (void)arg;
    for (uint32_t i = 0; i < w.count; i++) {
        const struct timespec pause = {0, 2000000 + (long)gap_prng_below(&random, 5000000)};
        (void)nanosleep(&pause, NULL);
        w.colds[i].sent_ns = wall_ns();
        w.env->ops->post(w.env, &w.colds[i].post);
    }
    return NULL;
}

static void on_closed(void *arg)
{
    (void)arg;
    w.closed = true;
}

static void open_runner(void)
{
    const gap_runner_config_t config = {.waiting_max = 2 * HOT};
    const struct gap_runner_hooks hooks = {.handler = handler};

    bench_must(gap_runner_open(&w.rt, &config, &hooks, &w.runner), "a runner");
    gap_runner_pause(w.runner);
    for (int32_t i = 0; i < HOT; i++) {
        fill(&w.hot[i], HOT_CHAT, i);
        bench_must(gap_runner_take(&w.hot[i], w.runner), "take");
    }
    gap_runner_resume(w.runner);
}

static void begin(uint32_t count, bool with_runner)
{
    memset(&w, 0, sizeof w);
    w.count = count;
    w.hot = calloc(HOT, sizeof *w.hot);
    w.colds = calloc(w.count, sizeof *w.colds);
    bench_must(w.hot == NULL || w.colds == NULL ? GAP_E_NOMEM : 0, "updates");
    bench_must(uv_loop_init(&w.loop), "a loop");
    bench_must(gap_uv_env_open(&w.loop, gap_alloc_default(), &w.env), "an environment");
    gap_rt_init(&w.rt, gap_alloc_default(), w.env);
    for (uint32_t i = 0; i < w.count; i++) {
        fill(&w.colds[i].update, 1000 + i, (int32_t)i);
        w.colds[i].post.fn = arrive;
    }
    bench_must(uv_idle_init(&w.loop, &w.idle), "an idle handle");
    if (with_runner)
        open_runner();
    else
        bench_must(uv_idle_start(&w.idle, on_idle), "an idle handle");
}

static void end(void)
{
    uv_close((uv_handle_t *)&w.idle, NULL);
    if (w.runner != NULL) gap_runner_close(w.runner, on_closed, NULL);
    while (w.runner != NULL && !w.closed) (void)uv_run(&w.loop, UV_RUN_ONCE);
    gap_rt_fini(&w.rt);
    gap_uv_env_close(w.env, NULL, NULL);
    (void)uv_run(&w.loop, UV_RUN_DEFAULT);
    bench_must(uv_loop_close(&w.loop), "closing the loop");
    free(w.hot);
    free(w.colds);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

struct figures {
    double p50;
    double p99;
    double max;
};

static struct figures measure(struct bench *b, bool with_runner)
{
    pthread_t thread;

    begin(b->quick ? 20 : 1000, with_runner);
    bench_must(pthread_create(&thread, NULL, sender, NULL) == 0 ? 0 : GAP_E_NOMEM, "a thread");
    while (w.started < w.count) (void)uv_run(&w.loop, UV_RUN_ONCE);
    (void)pthread_join(thread, NULL);
    double *waits = calloc(w.count, sizeof *waits);
    bench_must(waits == NULL ? GAP_E_NOMEM : 0, "figures");
    for (uint32_t i = 0; i < w.count; i++) waits[i] = w.colds[i].waited_us;
    qsort(waits, w.count, sizeof *waits, by_value);
    const struct figures f = {waits[w.count / 2], waits[w.count - 1 - w.count / 100],
                              waits[w.count - 1]};
    free(waits);
    bench_must(w.hot_handled == 0 ? GAP_E_STATE : 0, "the other lane stood still");
    bench_hash(b, w.started);
    end();
    return f;
}

static void report(struct bench *b, const char *metric, double us, double bare_us)
{
    bench_report(b, &(struct bench_row){.bench = "runner",
                                        .name = "cold_lane",
                                        .metric = metric,
                                        .value = us,
                                        .unit = "us",
                                        .against = "busy_loop",
                                        .ratio = us / bare_us});
}

void bench_runner_cold(struct bench *b)
{
    const struct figures bare = measure(b, false);
    const struct figures own = measure(b, true);

    report(b, "p50", own.p50, bare.p50);
    report(b, "p99", own.p99, bare.p99);
    report(b, "max", own.max, bare.max);
}
