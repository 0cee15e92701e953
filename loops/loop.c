/*
 * loops/loop.c - the actor base and the runtime.
 *
 *   PAUSED/WAITING --signal--> READY --tick--> RUNNING --> PAUSED | WAITING | READY (dirty)
 *   any --close--> CLOSING --no child left, next tick--> CLOSED
 *
 * An actor is in the ready list exactly while its QUEUED flag is set: to run its batch, or, once
 * closing, to have `closed` called. `closed` may free the actor, so nothing touches it afterwards;
 * it can't happen under a running batch because ticks don't nest.
 *
 * Owns: the ready list, both timer heaps, the environment's one timer and its idle switch.
 * Never: allocates but for the heaps' arrays, reads a clock but the environment's, blocks.
 */
#include "loops/loop.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LOOP_QUEUED = 1, /* in the ready list */
    LOOP_DIRTY = 2,  /* signalled while running */
    LOOP_WAIT = 4,   /* this batch ends as WAITING */
};

#define TIMER_UNKNOWN (GAP_ENV_NEVER - 1)
#define LOG_LINE_MAX  512 /* bytes with the final 0; longer lines are cut */

static void assert_thread(const gap_rt_t *rt)
{
    GAP_ASSERT(rt->env == NULL || rt->env->ops->on_loop_thread(rt->env));
}

/* ---- entries from the environment ---- */

static void host_enter(void *arg)
{
    gap_rt_t *rt = arg;

    if (rt->measure) rt->entered_cpu_us = rt->env->ops->cpu_us(rt->env);
}

static void count_turn(struct gap_rt_stats *stats, uint64_t us)
{
    size_t bucket = us == 0 ? 0 : 64 - (size_t)__builtin_clzll(us);
    if (bucket >= GAP_ARRAY_LEN(stats->histogram)) bucket = GAP_ARRAY_LEN(stats->histogram) - 1;
    stats->turns++;
    stats->histogram[bucket]++;
    if (us >= 2000) stats->over_2ms++;
    if (us > stats->max_us) stats->max_us = us;
}

static void host_leave(void *arg, bool was_turn)
{
    gap_rt_t *rt = arg;

    if (!rt->measure) return;
    rt->cost_us += rt->env->ops->cpu_us(rt->env) - rt->entered_cpu_us;
    if (!was_turn) return;
    count_turn(&rt->stats, rt->cost_us);
    rt->cost_us = 0;
}

static void host_turn(void *arg, bool drained)
{
    gap_rt_t *rt = arg;

    (void)gap_rt_tick(rt, gap_env_now_us(rt->env), drained);
}

/* ---- telling the environment what is needed ---- */

static void sync_idle(gap_rt_t *rt, bool on)
{
    if (rt->env == NULL || rt->idle_on == on) return;
    rt->idle_on = on;
    rt->env->ops->set_idle(rt->env, on);
}

static void sync_timer(gap_rt_t *rt)
{
    const gap_heap_node_t *first = gap_heap_min(&rt->timers);
    uint64_t deadline = first == NULL ? GAP_ENV_NEVER : first->key;

    if (rt->env == NULL || deadline == rt->timer_set_us) return;
    rt->timer_set_us = deadline;
    rt->env->ops->set_timer(rt->env, deadline);
}

static bool more_to_do(const gap_rt_t *rt)
{
    return !STAILQ_EMPTY(&rt->ready) || rt->undrained.count > 0;
}

static void enqueue(gap_rt_t *rt, gap_loop_t *loop)
{
    GAP_ASSERT((loop->flags & LOOP_QUEUED) == 0);
    loop->flags |= LOOP_QUEUED;
    STAILQ_INSERT_TAIL(&rt->ready, loop, ready);
    if (!rt->in_tick) sync_idle(rt, true);
}

/* ---- the runtime ---- */

void gap_rt_init(gap_rt_t *rt, const gap_alloc_t *alloc, gap_env_t *env)
{
    memset(rt, 0, sizeof *rt);
    rt->alloc = alloc;
    rt->env = env;
    STAILQ_INIT(&rt->ready);
    gap_heap_init(&rt->timers, alloc);
    gap_heap_init(&rt->undrained, alloc);
    rt->budget_us = GAP_TICK_BUDGET_US;
    rt->timer_set_us = GAP_ENV_NEVER;
    rt->host.turn = host_turn;
    rt->host.enter = host_enter;
    rt->host.leave = host_leave;
    rt->host.arg = rt;
    if (env == NULL) return;
    assert_thread(rt);
    env->ops->attach(env, &rt->host);
}

void gap_rt_fini(gap_rt_t *rt)
{
    assert_thread(rt);
    GAP_ASSERT(!rt->in_tick);
    GAP_ASSERT(STAILQ_EMPTY(&rt->ready));
    GAP_ASSERT(rt->timers.count == 0);
    GAP_ASSERT(rt->undrained.count == 0);
    if (rt->env != NULL) {
        sync_idle(rt, false);
        sync_timer(rt);
        rt->env->ops->attach(rt->env, NULL);
        rt->env = NULL;
    }
    gap_heap_fini(&rt->timers);
    gap_heap_fini(&rt->undrained);
}

static gap_timer_t *timer_of(gap_heap_node_t *node)
{
    return GAP_CONTAINER_OF(node, gap_timer_t, node);
}

/* A deadline noticed in an earlier tick, and since then a poll has left nothing to read. */
static void fire_drained(gap_rt_t *rt)
{
    gap_heap_node_t *node;

    while ((node = gap_heap_min(&rt->undrained)) != NULL) {
        gap_timer_t *timer = timer_of(node);
        gap_heap_remove(&rt->undrained, node);
        timer->expired = false;
        timer->fn(rt, timer);
    }
}

/* Timers that a callback starts anew for now or earlier wait for the next tick. */
static void fire_expired(gap_rt_t *rt)
{
    uint64_t limit = rt->timers.next_order;
    gap_heap_node_t *node;

    while ((node = gap_heap_min(&rt->timers)) != NULL) {
        if (node->key > rt->now_us || node->order >= limit) return;
        gap_timer_t *timer = timer_of(node);
        gap_heap_remove(&rt->timers, node);
        if (timer->after_drain) {
            int r = gap_heap_insert(&rt->undrained, node, node->key);
            GAP_ASSERT(r == 0); /* reserved when it was started */
            timer->expired = true;
        } else {
            timer->fn(rt, timer);
        }
    }
}

static gap_loop_t *take_ready(gap_rt_t *rt)
{
    gap_loop_t *loop = STAILQ_FIRST(&rt->ready);

    if (loop == NULL) return NULL;
    if (rt->choose == NULL) {
        STAILQ_REMOVE_HEAD(&rt->ready, ready);
    } else {
        gap_loop_t *it;
        size_t count = 0;
        STAILQ_FOREACH (it, &rt->ready, ready) count++;
        size_t pick = rt->choose(rt->choose_arg, count);
        GAP_ASSERT(pick < count);
        while (pick-- > 0) loop = STAILQ_NEXT(loop, ready);
        STAILQ_REMOVE(&rt->ready, loop, gap_loop, ready);
    }
    loop->flags &= (uint8_t)~LOOP_QUEUED;
    return loop;
}

static void run_one(gap_rt_t *rt, gap_loop_t *loop)
{
    if (loop->state == GAP_LOOP_CLOSING) {
        if (loop->children > 0) return; /* the last drop queues it again */
        loop->state = GAP_LOOP_CLOSED;
        loop->cls->closed(rt, loop);
        return;
    }
    GAP_ASSERT(loop->state == GAP_LOOP_READY);
    loop->state = GAP_LOOP_RUNNING;
    loop->flags &= (uint8_t) ~(LOOP_DIRTY | LOOP_WAIT);
    loop->cls->run(rt, loop);
    if (gap_loop_is_closing(loop)) return;
    if ((loop->flags & LOOP_DIRTY) != 0) {
        loop->state = GAP_LOOP_READY;
        enqueue(rt, loop);
    } else {
        loop->state = (loop->flags & LOOP_WAIT) != 0 ? GAP_LOOP_WAITING : GAP_LOOP_PAUSED;
    }
}

static bool over_budget(const gap_rt_t *rt, unsigned batches)
{
    if (batches >= GAP_TICK_BATCHES_MAX) return true;
    return rt->env != NULL && gap_env_now_us(rt->env) - rt->now_us >= rt->budget_us;
}

/* @return true if none is ready any more, and there is time left. */
static bool run_ready(gap_rt_t *rt, unsigned *batches)
{
    gap_loop_t *loop;

    while ((loop = take_ready(rt)) != NULL) {
        run_one(rt, loop);
        if (over_budget(rt, ++*batches)) return false;
    }
    return true;
}

bool gap_rt_tick(gap_rt_t *rt, uint64_t now_us, bool drained)
{
    unsigned batches = 0;
    bool more = true;

    assert_thread(rt);
    GAP_ASSERT(!rt->in_tick);
    rt->in_tick = true;
    rt->now_us = now_us;
    if (now_us >= rt->timer_set_us) rt->timer_set_us = TIMER_UNKNOWN; /* the environment fired it */
    if (drained && gap_heap_min(&rt->undrained) != NULL) {
        /* What the poll brought comes first: it may be what was waited for. */
        more = run_ready(rt, &batches);
        if (more) fire_drained(rt);
    }
    fire_expired(rt);
    if (more) (void)run_ready(rt, &batches);
    rt->in_tick = false;
    sync_idle(rt, more_to_do(rt));
    sync_timer(rt);
    return gap_rt_deadline_us(rt) <= now_us;
}

uint64_t gap_rt_deadline_us(const gap_rt_t *rt)
{
    if (more_to_do(rt)) return 0;
    const gap_heap_node_t *first = gap_heap_min(&rt->timers);
    return first == NULL ? GAP_ENV_NEVER : first->key;
}

uint64_t gap_rt_after_us(gap_rt_t *rt, uint64_t us)
{
    uint64_t now_us = gap_rt_now_us(rt);
    return us > GAP_ENV_NEVER - now_us ? GAP_ENV_NEVER : now_us + us;
}

uint64_t gap_rt_now_us(gap_rt_t *rt)
{
    return rt->in_tick || rt->env == NULL ? rt->now_us : gap_env_now_us(rt->env);
}

void gap_rt_log(gap_rt_t *rt, gap_log_level_t level, const char *format, ...)
{
    char line[LOG_LINE_MAX];
    va_list args;

    if (rt->log_cb == NULL || level > rt->log_level) return;
    va_start(args, format);
    int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (n >= 0) rt->log_cb(rt->log_data, level, line);
}

/* ---- actors ---- */

void gap_loop_init(gap_loop_t *loop, const struct gap_loop_class *cls)
{
    memset(loop, 0, sizeof *loop);
    loop->cls = cls;
    loop->state = GAP_LOOP_PAUSED;
}

void gap_loop_signal(gap_rt_t *rt, gap_loop_t *loop)
{
    assert_thread(rt);
    switch ((enum gap_loop_state)loop->state) {
    case GAP_LOOP_PAUSED:
    case GAP_LOOP_WAITING:
        loop->state = GAP_LOOP_READY;
        enqueue(rt, loop);
        break;
    case GAP_LOOP_RUNNING:
        loop->flags |= LOOP_DIRTY;
        break;
    case GAP_LOOP_READY:
    case GAP_LOOP_CLOSING:
    case GAP_LOOP_CLOSED:
        break;
    }
}

void gap_loop_wait(gap_loop_t *loop)
{
    loop->flags |= LOOP_WAIT;
}

void gap_loop_hold(gap_loop_t *loop)
{
    GAP_ASSERT(loop->state != GAP_LOOP_CLOSED);
    GAP_ASSERT(loop->children < UINT16_MAX);
    loop->children++;
}

static void queue_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    if (loop->state != GAP_LOOP_CLOSING || loop->children > 0) return;
    if ((loop->flags & LOOP_QUEUED) == 0) enqueue(rt, loop);
}

void gap_loop_drop(gap_rt_t *rt, gap_loop_t *loop)
{
    assert_thread(rt);
    GAP_ASSERT(loop->children > 0);
    loop->children--;
    queue_closed(rt, loop);
}

void gap_loop_close(gap_rt_t *rt, gap_loop_t *loop)
{
    assert_thread(rt);
    if (gap_loop_is_closing(loop)) return;
    loop->state = GAP_LOOP_CLOSING;
    queue_closed(rt, loop);
}

/* ---- timers ---- */

int gap_timer_reserve(gap_rt_t *rt, size_t count)
{
    /* Each timer may have to move to the second heap, which must not fail there. */
    int r = gap_heap_reserve(&rt->undrained, count);
    return r < 0 ? r : gap_heap_reserve(&rt->timers, count);
}

int gap_timer_start(gap_rt_t *rt, gap_timer_t *timer, uint64_t deadline_us)
{
    assert_thread(rt);
    if (!gap_heap_contains(&timer->node)) {
        int r = gap_timer_reserve(rt, rt->timers.count + rt->undrained.count + 1);
        if (r < 0) return r;
    }
    gap_heap_remove(timer->expired ? &rt->undrained : &rt->timers, &timer->node);
    timer->expired = false;
    /* A past deadline is due now, behind what is overdue already: no timer can starve others. */
    if (rt->in_tick && deadline_us < rt->now_us) deadline_us = rt->now_us;
    int r = gap_heap_insert(&rt->timers, &timer->node, deadline_us);
    GAP_ASSERT(r == 0);
    if (!rt->in_tick) sync_timer(rt);
    return 0;
}

void gap_timer_stop(gap_rt_t *rt, gap_timer_t *timer)
{
    assert_thread(rt);
    gap_heap_remove(timer->expired ? &rt->undrained : &rt->timers, &timer->node);
    timer->expired = false;
    if (rt->in_tick) return;
    sync_timer(rt);
    if (!more_to_do(rt)) sync_idle(rt, false);
}
