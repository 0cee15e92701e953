/*
 * loops/runner.c - WHEN updates are handled: takes them from the engine, puts them into lanes,
 * calls handlers in turn.
 *
 *   take -- nobody in its lanes, a slot free --> handler, at once; through: nothing is kept
 *        \-> WAITING -- its turn --> RUNNING -- through --> gone
 *                                       \-- failed --> PARKED -- pause over --> ready again
 *   no room: in FRONT of the lanes, and the engine is held; queries, which come all the same, first
 *   no memory: KEPT behind these
 *
 * Who finds its lanes empty is handled where it comes, before lanes whose turn is due, as long as
 * there is a slot for each of these. After handlers that took half a millisecond the host has its
 * turn by a post: being ready again would give the rest of the tick to the same lane.
 *
 * Owns: tasks, runs, lanes, one timer. An update is never lost for lack of memory: what has no task
 * yet hangs on a list that needs none. Never: looks into an update, but for its chat.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "loops/engine.h"
#include "loops/runner_internal.h"

#include <string.h>

/* ---- the timer ---- */

static void on_timer(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_runner_t *r = GAP_CONTAINER_OF(timer, gap_runner_t, timer);

    (void)rt;
    r->timer_us = GAP_ENV_NEVER;
    gap_runner_wake(r);
}

/* It may fire too early, never too late: what is not due any more costs one look. */
void gap_runner_alarm(gap_runner_t *r, uint64_t due_us)
{
    if (due_us >= r->timer_us || r->closing) return;
    int status = gap_timer_start(r->rt, &r->timer, due_us);
    if (status == 0) {
        r->timer_us = due_us;
    } else {
        gap_runner_wake(r); /* no place in the heap: look again in the next tick */
    }
}

void gap_runner_again(gap_runner_t *r)
{
    uint64_t due_us = gap_rt_now_us(r->rt) + GAP_RUNNER_AGAIN_US;

    if (r->again_us == GAP_ENV_NEVER) r->again_us = due_us;
    gap_runner_alarm(r, r->again_us);
}

static void set_alarm(gap_runner_t *r)
{
    const struct gap_run *oldest = TAILQ_FIRST(&r->by_time);
    const gap_heap_node_t *parked = gap_heap_min(&r->due);

    if (oldest != NULL) gap_runner_alarm(r, oldest->deadline_us);
    if (parked != NULL) gap_runner_alarm(r, parked->key);
    if (r->paced_us != 0) gap_runner_alarm(r, r->paced_us);
    if (r->again_us != GAP_ENV_NEVER) gap_runner_alarm(r, r->again_us);
    if (r->drain.begun && !r->drain.told) gap_runner_alarm(r, r->drain.deadline_us);
    if (r->trim_us != 0) gap_runner_alarm(r, r->trim_us);
}

/* ---- memory ---- */

int gap_runner_reserve(gap_runner_t *r)
{
    if (r->spare_task == NULL && (r->spare_task = gap_pool_get(&r->tasks)) == NULL)
        return GAP_E_NOMEM;
    if (r->spare_run == NULL && (r->spare_run = gap_pool_get(&r->runs)) == NULL) return GAP_E_NOMEM;
    /* A run that fails is parked. */
    int status = gap_heap_reserve(&r->due, r->due.count + r->lanes.running + r->aside + 1);
    return status < 0 ? status : gap_lanes_reserve(&r->lanes);
}

static void trim(gap_runner_t *r)
{
    if (r->spare_task != NULL) gap_pool_put(&r->tasks, r->spare_task);
    if (r->spare_run != NULL) gap_pool_put(&r->runs, r->spare_run);
    r->spare_task = NULL;
    r->spare_run = NULL;
    r->most = 0;
    r->trim_us = 0;
    gap_pool_trim(&r->tasks);
    gap_pool_trim(&r->runs);
    gap_pool_trim(&r->stored);
    gap_lanes_trim(&r->lanes);
    if (r->due.count == 0) gap_heap_fini(&r->due);
}

/* After a rush, and a while in which nothing waited, its memory goes back. */
static void check_trim(gap_runner_t *r, uint64_t now_us)
{
    if (r->most <= GAP_RUNNER_KEPT) return;
    if (!TAILQ_EMPTY(&r->by_age) || !TAILQ_EMPTY(&r->gone))
        r->trim_us = 0;
    else if (r->trim_us == 0)
        r->trim_us = now_us + GAP_RUNNER_TRIM_US;
    else if (r->trim_us <= now_us)
        trim(r);
}

static enum gap_job_class class_of(const gap_update_t *u)
{
    return (u->flags & GAP_ITEM_QUERY) != 0 ? GAP_JOB_URGENT : GAP_JOB_NORMAL;
}

static uint32_t bytes_of(const gap_update_t *u)
{
    return (uint32_t)u->bytes.len + u->users_len + u->chats_len;
}

struct gap_task *gap_runner_adopt(gap_runner_t *r, gap_update_t *node)
{
    struct gap_task *task = r->spare_task;

    r->spare_task = NULL;
    gap_job_init(&task->job, class_of(node));
    task->runner = r;
    task->node = node;
    task->run = NULL;
    task->due.place = 0;
    task->came_us = gap_rt_now_us(r->rt);
    task->attempts = 0;
    task->overruns = 0;
    task->over = task->unhandled = task->followed = false;
    task->aside = task->reading = task->counted = task->burying = task->front = false;
    task->bytes = bytes_of(node);
    r->pinned += task->bytes;
    if (r->tasks.in_use > r->most) r->most = r->tasks.in_use;
    TAILQ_INSERT_TAIL(&r->by_age, task, age);
    r->in_hand++;
    node->keeper = task;
    return task;
}

/* ---- keys ---- */

int gap_runner_keys(const gap_runner_t *r, const gap_update_t *update,
                    uint64_t keys[GAP_RUNNER_KEYS_MAX])
{
    if (r->config.keys != NULL) {
        int count = r->config.keys(update, keys, r->config.keys_data);
        GAP_ASSERT(count <= GAP_RUNNER_KEYS_MAX);
        if (count >= 0) return count;
    }
    return gap_chats_keys(&r->chats, update, keys);
}

int gap_runner_keys_of(const gap_runner_t *r, struct gap_task *task,
                       uint64_t keys[GAP_RUNNER_KEYS_MAX])
{
    task->node->account = r->hooks.client;
    int count = gap_runner_keys(r, task->node, keys);
    task->node->keeper = task;
    return count;
}

uint64_t gap_runner_chat_key(gap_peer_t peer)
{
    return gap_chats_key(peer);
}

int gap_runner_chat_keys(const gap_runner_t *runner, const gap_update_t *update,
                         uint64_t keys[GAP_RUNNER_KEYS_MAX])
{
    return gap_chats_keys(&runner->chats, update, keys);
}

/* ---- in ---- */

static void keep(gap_runner_t *r, gap_update_t *node)
{
    node->keeper = NULL;
    if (r->kept == NULL)
        r->kept = node;
    else
        r->kept_last->keeper = node;
    r->kept_last = node;
    r->kept_count++;
    r->kept_query |= class_of(node) == GAP_JOB_URGENT;
    r->gates |= GATE_FRONT;
    gap_runner_balance(r);
}

/* @return false: no memory, or such a one was kept before for lack of it. */
static bool put_in_front(gap_runner_t *r, gap_update_t *node)
{
    enum gap_job_class class = class_of(node);

    if (class == GAP_JOB_URGENT ? r->kept_query : r->kept != NULL) return false;
    if (gap_runner_reserve(r) < 0) return false;
    struct gap_task *task = gap_runner_adopt(r, node);
    task->front = true;
    TAILQ_INSERT_TAIL(&r->front[class], &task->job, turn);
    r->front_count++;
    r->front_bytes += task->bytes;
    r->pinned -= task->bytes; /* the lanes have room for what the journal holds */
    r->gates |= GATE_FRONT;
    if (r->journal != NULL) gap_rows_follow(r, task);
    gap_runner_balance(r);
    return true;
}

void gap_runner_leave_front(gap_runner_t *r, struct gap_task *task)
{
    task->front = false;
    TAILQ_REMOVE(&r->front[task->job.class], &task->job, turn);
    r->front_count--;
    r->front_bytes -= task->bytes;
    r->pinned += task->bytes;
}

/* What a handler has not finished where it came. */
void gap_run_adopt(struct gap_run *run)
{
    gap_runner_t *r = run->runner;
    struct gap_task *task = run->task;
    uint64_t own[GAP_RUNNER_KEYS_MAX];
    const uint64_t *keys = r->keys;
    int count = r->key_count;

    if (run->adopted) return;
    if (keys == NULL) {
        count = gap_runner_keys(r, r->node, own);
        keys = own;
    }
    r->lanes.running--;
    (void)gap_runner_enter(r, r->node, keys, count);
    gap_lanes_begin(&r->lanes, &task->job);
    run->adopted = true;
    task->attempts = 1;
    task->run = run;
    if (r->journal != NULL) {
        gap_rows_follow(r, task);
        (void)gap_journal_attempt(r->journal, &task->entry, 1); /* it has begun */
    }
    gap_run_clock(run);
}

/* The handler, now; @p keys are those of its lanes, in which nobody is; NULL: nobody is in any. */
static int handle_at_once(gap_runner_t *r, gap_update_t *node, const uint64_t *keys, int key_count)
{
    struct gap_run *run = gap_run_new(r, r->spare_task);

    run->adopted = false;
    r->node = node;
    r->keys = keys;
    r->key_count = key_count;
    gap_run_show(run, node);
    run->inside = true;
    r->lanes.running++;
    r->at_once = run;
    int status = r->hooks.handler(&run->update, r->hooks.handler_data);
    r->at_once = NULL;
    if (status == 0 && !run->adopted && !run->finished && !run->elsewhere && run->holds == 0 &&
        run->update.relay == NULL) {
        r->lanes.running--;
        r->spare_run = run;
        r->count.handled++;
        r->count.at_once++;
        if (r->journal != NULL) gap_journal_at_once(r->journal, node);
        return 0;
    }
    gap_run_adopt(run);
    gap_run_returned(run, status);
    return GAP_LATER;
}

struct gap_task *gap_runner_enter(gap_runner_t *r, gap_update_t *node, const uint64_t *keys,
                                  int key_count)
{
    struct gap_task *task = gap_runner_adopt(r, node);
    int status = gap_lanes_add(&r->lanes, &task->job, keys, (size_t)key_count);
    GAP_ASSERT(status == 0); /* there was room, and memory was reserved */
    return task;
}

/* @return 0 it stands in its lanes; negative: not now. */
static int enqueue(gap_runner_t *r, gap_update_t *node, const uint64_t *keys, int key_count)
{
    int status = gap_runner_reserve(r);
    if (status < 0) return status;
    struct gap_task *task = gap_runner_enter(r, node, keys, key_count);
    if (r->journal != NULL) gap_rows_follow(r, task);
    return 0;
}

static bool any_busy(const gap_lanes_t *l, const uint64_t *keys, int count)
{
    for (int i = 0; i < count; i++) {
        if (gap_lanes_busy(l, keys[i])) return true;
    }
    return false;
}

/* A slot is free, and everybody who waits for one has one. */
static bool has_slot(const gap_runner_t *r)
{
    return r->lanes.running + r->lanes.ready_count < r->lanes.slots;
}

static bool may_begin(gap_runner_t *r, const gap_update_t *node)
{
    if (r->config.pace_per_s == 0 || class_of(node) == GAP_JOB_URGENT) return true;
    return r->paced_us == 0 && gap_pace_take(&r->pace, gap_rt_now_us(r->rt)) == 0;
}

/* @return 0 through; GAP_LATER in hand; negative: no memory. */
static int admit(gap_runner_t *r, gap_update_t *node, bool at_once)
{
    uint64_t keys[GAP_RUNNER_KEYS_MAX];
    bool alone = r->lanes.map.count == 0;
    int count = alone ? 0 : gap_runner_keys(r, node, keys);

    if (at_once && r->gates == 0 && has_slot(r) && !any_busy(&r->lanes, keys, count)) {
        int status = gap_runner_reserve(r);
        if (status < 0) return status;
        if (may_begin(r, node)) return handle_at_once(r, node, alone ? NULL : keys, count);
    }
    if (alone) count = gap_runner_keys(r, node, keys);
    int status = enqueue(r, node, keys, count);
    if (status < 0) return status;
    gap_runner_wake(r);
    return GAP_LATER;
}

int gap_runner_take(gap_update_t *node, void *arg)
{
    gap_runner_t *r = arg;
    int known = r->journal == NULL ? 0 : gap_journal_admit(r->journal, node);

    if (known == GAP_JOURNAL_SKIP) return 0;
    node->account = r->hooks.client;
    if (gap_chats_concerns(node)) gap_chats_learn(&r->chats, node);
    if ((r->gates & (GATE_FRONT | GATES_SHUT)) == 0 && gap_runner_has_room(r)) {
        int status = admit(r, node, known == 0);
        if (status >= 0) {
            if (status > 0 && !gap_runner_has_room(r)) gap_runner_balance(r);
            return status;
        }
        gap_runner_again(r);
    } else if (put_in_front(r, node)) {
        return GAP_LATER;
    }
    keep(r, node);
    return GAP_LATER;
}

/* ---- turns ---- */

/* @return false: no memory. */
static bool take_job(gap_runner_t *r, gap_job_t *job)
{
    struct gap_task *task = gap_task_of_job(job);
    uint64_t keys[GAP_RUNNER_KEYS_MAX];

    if (gap_lanes_reserve(&r->lanes) < 0) return false;
    gap_runner_leave_front(r, task);
    int count = gap_runner_keys_of(r, task, keys);
    int status = gap_lanes_add(&r->lanes, job, keys, (size_t)count);
    GAP_ASSERT(status == 0);
    return true;
}

/* @return false: no memory. */
static bool take_kept(gap_runner_t *r)
{
    gap_update_t *node = r->kept;
    gap_update_t *next = node->keeper;
    uint64_t keys[GAP_RUNNER_KEYS_MAX];

    node->account = r->hooks.client;
    if (enqueue(r, node, keys, gap_runner_keys(r, node, keys)) < 0) {
        node->keeper = next;
        return false;
    }
    r->kept = next;
    r->kept_count--;
    if (next == NULL) r->kept_query = false;
    return true;
}

void gap_runner_take_front(gap_runner_t *r)
{
    gap_job_t *job;
    bool memory = true;

    if ((r->gates & GATES_SHUT) != 0) return;
    while (memory && gap_runner_has_room(r) &&
           ((job = TAILQ_FIRST(&r->front[GAP_JOB_URGENT])) != NULL ||
            (job = TAILQ_FIRST(&r->front[GAP_JOB_NORMAL])) != NULL))
        memory = take_job(r, job);
    while (memory && r->front_count == 0 && r->kept != NULL && gap_runner_has_room(r))
        memory = take_kept(r);
    if (!memory) gap_runner_again(r);
    if (r->kept == NULL && r->front_count == 0) r->gates &= ~(uint32_t)GATE_FRONT;
}

void gap_runner_shut(gap_runner_t *r, bool shut)
{
    if (shut) {
        r->gates |= GATE_SHUT;
        return;
    }
    r->gates &= ~(uint32_t)GATE_SHUT;
    gap_runner_take_front(r);
    gap_runner_balance(r);
    gap_runner_wake(r);
}

gap_job_t *gap_runner_next_job(gap_runner_t *r, uint64_t now_us)
{
    if (r->config.pace_per_s == 0) return gap_lanes_next(&r->lanes);
    if (r->lanes.ready_count == 0 || r->lanes.paused || r->lanes.running >= r->lanes.slots)
        return NULL;
    r->paced_us = gap_pace_take(&r->pace, now_us);
    if (r->paced_us == 0) return gap_lanes_next(&r->lanes);
    return gap_lanes_next_of(&r->lanes, GAP_JOB_URGENT);
}

static void on_post(gap_env_post_t *post)
{
    gap_runner_t *r = GAP_CONTAINER_OF(post, gap_runner_t, post);

    r->yielding = false;
    gap_runner_wake(r);
    gap_loop_drop(r->rt, &r->loop);
}

/* Handlers have taken so long that the host comes first, whatever is left of the tick. */
static void yield_to_host(gap_runner_t *r)
{
    r->yielding = true;
    r->post.fn = on_post;
    gap_loop_hold(&r->loop);
    r->rt->env->ops->post(r->rt->env, &r->post);
}

/* @return true if there may be more to do now. */
static bool dispatch(gap_runner_t *r)
{
    uint64_t now_us = gap_rt_now_us(r->rt);

    for (unsigned n = 0; n < GAP_RUNNER_BATCH_MAX; n++) {
        if (r->closing || r->yielding) return false;
        if (r->lanes.ready_count == 0) return false;
        if (gap_runner_reserve(r) < 0) {
            gap_runner_again(r);
            return false;
        }
        gap_job_t *job = gap_runner_next_job(r, now_us);
        if (job == NULL) return false;
        struct gap_task *task = gap_task_of_job(job);
        if (!gap_rows_prepare(r, task)) continue;
        gap_run_begin(r, task);
        if (r->rt->env != NULL && gap_env_now_us(r->rt->env) - now_us >= GAP_RUNNER_BATCH_US)
            yield_to_host(r);
    }
    return true;
}

/* ---- close ---- */

/* What waits goes back unhandled. */
static void give_back(gap_runner_t *r)
{
    struct gap_task *task;
    struct gap_task *next;

    while (r->kept != NULL) {
        gap_update_t *node = r->kept;
        r->kept = node->keeper;
        r->kept_count--;
        gap_engine_return(node);
    }
    for (task = TAILQ_FIRST(&r->by_age); task != NULL; task = next) {
        next = TAILQ_NEXT(task, age);
        if (task->run == NULL && !task->reading) gap_task_free(r, task, false);
    }
}

/* Handlers that are at work are waited for. */
static void close_batch(gap_runner_t *r)
{
    gap_dead_answer(r);
    give_back(r);
    if (!TAILQ_EMPTY(&r->by_age) || !TAILQ_EMPTY(&r->gone) || !TAILQ_EMPTY(&r->threads)) return;
    if (r->reading > 0) return;
    gap_loop_close(r->rt, &r->loop);
}

void gap_runner_close(gap_runner_t *r, void (*cb)(void *arg), void *arg)
{
    if (r->closing) return;
    r->closing = true;
    r->close_cb = cb;
    r->close_arg = arg;
    r->gates |= GATE_CLOSING;
    gap_timer_stop(r->rt, &r->timer);
    gap_thread_close(r);
    gap_runner_wake(r);
}

static void on_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_runner_t *r = GAP_CONTAINER_OF(loop, gap_runner_t, loop);
    const gap_alloc_t *alloc = r->alloc;
    void (*cb)(void *arg) = r->close_cb;
    void *arg = r->close_arg;

    (void)rt;
    if (r->journal != NULL) gap_journal_serve(r->journal, NULL, NULL);
    gap_dead_fini(r);
    gap_lanes_fini(&r->lanes);
    gap_chats_fini(&r->chats);
    gap_heap_fini(&r->due);
    gap_pool_fini(&r->tasks);
    gap_pool_fini(&r->runs);
    gap_pool_fini(&r->stored);
    gap_free(alloc, r);
    if (cb != NULL) cb(arg);
}

static void run_batch(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_runner_t *r = GAP_CONTAINER_OF(loop, gap_runner_t, loop);
    uint64_t now_us = gap_rt_now_us(rt);
    bool more = false;

    if (r->closing) {
        close_batch(r);
        return;
    }
    if (r->again_us <= now_us) r->again_us = GAP_ENV_NEVER;
    if (r->paced_us <= now_us) r->paced_us = 0;
    gap_run_expire(r, now_us);
    gap_task_wake(r, now_us);
    if ((r->gates & GATE_FRONT) != 0) gap_runner_take_front(r);
    gap_thread_pump(r);
    if (r->config.pull)
        gap_runner_tell_ready(r);
    else
        more = dispatch(r);
    if (r->closing) return;
    gap_rows_spill(r);
    gap_rows_go_on(r);
    gap_runner_balance(r);
    gap_dead_answer(r);
    if (r->closing) return;
    gap_runner_check_drained(r, now_us);
    check_trim(r, now_us);
    if (more) gap_loop_signal(rt, loop);
    set_alarm(r);
}

static const struct gap_loop_class runner_class = {
    .name = "runner",
    .run = run_batch,
    .closed = on_closed,
};

/* ---- open ---- */

static bool is_valid(const gap_runner_config_t *c, const struct gap_runner_hooks *hooks)
{
    if (hooks->handler == NULL && !c->pull) return false;
    if (c->threads > GAP_RUNNER_THREADS_MAX) return false;
    if (c->journal < GAP_JOURNAL_LAZY || c->journal > GAP_JOURNAL_FULL) return false;
    return c->retry_max_us == 0 || c->retry_min_us <= c->retry_max_us;
}

static void set_defaults(gap_runner_config_t *c)
{
    if (c->concurrency == 0) c->concurrency = GAP_RUNNER_CONCURRENCY;
    if (c->waiting_max == 0) c->waiting_max = GAP_RUNNER_WAITING_MAX;
    if (c->pinned_max == 0) c->pinned_max = GAP_RUNNER_PINNED_MAX;
    if (c->timeout_us == 0) c->timeout_us = GAP_RUNNER_TIMEOUT_US;
    if (c->attempts_max == 0) c->attempts_max = GAP_RUNNER_ATTEMPTS_MAX;
    if (c->retry_min_us == 0) c->retry_min_us = GAP_RUNNER_RETRY_MIN_US;
    if (c->retry_max_us == 0) c->retry_max_us = GAP_RUNNER_RETRY_MAX_US;
    if (c->retry_max_us < c->retry_min_us) c->retry_max_us = c->retry_min_us;
    if (c->threads == 0) c->threads = GAP_RUNNER_THREADS;
    if (c->journal_after_us == 0) c->journal_after_us = GAP_RUNNER_JOURNAL_AFTER_US;
}

static void init(gap_runner_t *r)
{
    gap_loop_init(&r->loop, &runner_class);
    gap_lanes_init(&r->lanes, r->alloc, r->config.concurrency, UINT32_MAX);
    gap_pool_init(&r->tasks, r->alloc, sizeof(struct gap_task), GAP_RUNNER_SLAB);
    gap_pool_init(&r->runs, r->alloc, sizeof(struct gap_run), GAP_RUNNER_SLAB);
    gap_pool_init(&r->stored, r->alloc, sizeof(struct gap_stored), GAP_RUNNER_SLAB);
    gap_heap_init(&r->due, r->alloc);
    gap_pace_init(&r->pace, r->config.pace_per_s);
    for (size_t i = 0; i < GAP_ARRAY_LEN(r->front); i++) TAILQ_INIT(&r->front[i]);
    TAILQ_INIT(&r->by_age);
    TAILQ_INIT(&r->gone);
    TAILQ_INIT(&r->by_time);
    TAILQ_INIT(&r->threads);
    STAILQ_INIT(&r->unthreaded);
    TAILQ_INIT(&r->letters);
    STAILQ_INIT(&r->letter_calls);
    r->timer.fn = on_timer;
    r->timer_us = r->again_us = GAP_ENV_NEVER;
    r->random.state = r->hooks.jitter_seed;
    if (r->config.pull) r->gates |= GATE_PULL;
}

int gap_runner_open(gap_rt_t *rt, const gap_runner_config_t *config,
                    const struct gap_runner_hooks *hooks, gap_runner_t **out)
{
    gap_runner_config_t own = {0};

    if (config != NULL) own = *config;
    if (!is_valid(&own, hooks)) return GAP_E_ARGUMENT;
    set_defaults(&own);
    gap_runner_t *r = gap_calloc(rt->alloc, 1, sizeof *r);
    if (r == NULL) return GAP_E_NOMEM;
    r->rt = rt;
    r->alloc = rt->alloc;
    r->config = own;
    r->hooks = *hooks;
    int status = gap_chats_init(&r->chats, r->alloc);
    if (status < 0) {
        gap_free(r->alloc, r);
        return status;
    }
    init(r);
    gap_rows_init(r);
    *out = r;
    return 0;
}
