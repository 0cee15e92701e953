/*
 * loops/runner_run.c - a run: one attempt to handle an update, and what comes of it.
 *
 *   INSIDE -- returned --> LATER -- done, failed, thread, commit, answers --> settled
 *   settled -- 0 -----------> the task is through
 *           \- negative ----> parked for a pause, or dead
 *   LATER -- deadline ------> it does not count any more (the task has failed); it lasts until its
 *                             handler is through, and keeps the task's view
 *
 * A run has a token of its own, not the engine's update: what a handler that was given up calls
 * later must not touch the attempt after it.
 *
 * Owns: runs. Never: chooses whose turn it is. After any call into the host (handler, event, relay)
 * the runner may be closing, never gone; the run at hand is still there.
 */
#include "base/assert.h"
#include "base/failpoint.h"
#include "loops/engine.h"
#include "loops/runner_internal.h"

static void finished(gap_update_t *update, int status);
static const struct gap_update_owner run_owner = {.finished = finished, .ends = true};
const struct gap_update_owner *const gap_run_owner = &run_owner;

struct gap_run *gap_run_of(const gap_update_t *update)
{
    if (update->owner != &run_owner) return NULL;
    return (struct gap_run *)(uintptr_t)((const char *)update - offsetof(struct gap_run, update));
}

void gap_runner_tell(gap_runner_t *r, const struct gap_runner_event *event)
{
    if (r->hooks.event != NULL) r->hooks.event(r->hooks.arg, event);
}

/* ---- a run's life ---- */

struct gap_run *gap_run_new(gap_runner_t *r, struct gap_task *task)
{
    struct gap_run *run = r->spare_run;

    r->spare_run = NULL;
    run->runner = r;
    run->task = task;
    run->attempt = 1;
    run->ordinal = 0;
    run->holds = run->unanswered = 0;
    run->status = 0;
    run->current = true;
    run->listed = false;
    run->inside = false;
    run->finished = false;
    run->elsewhere = false;
    run->commits = false;
    run->awaiting = false;
    run->committed = false;
    run->completed = false;
    run->adopted = true;
    run->thread = NULL;
    return run;
}

void gap_run_clock(struct gap_run *run)
{
    gap_runner_t *r = run->runner;

    if (r->config.timeout_us == GAP_RUNNER_NO_TIMEOUT) return;
    run->deadline_us = gap_rt_after_us(r->rt, r->config.timeout_us);
    run->listed = true;
    TAILQ_INSERT_TAIL(&r->by_time, run, by_time);
    if (!r->closing) gap_runner_alarm(r, run->deadline_us);
}

static void unlist(struct gap_run *run)
{
    if (run->listed) TAILQ_REMOVE(&run->runner->by_time, run, by_time);
    run->listed = false;
}

void gap_run_begin(gap_runner_t *r, struct gap_task *task)
{
    struct gap_run *run = gap_run_start(r, task);

    run->inside = true;
    GAP_FAILPOINT("run.begin");
    gap_run_returned(run, r->hooks.handler(&run->update, r->hooks.handler_data));
}

struct gap_run *gap_run_start(gap_runner_t *r, struct gap_task *task)
{
    struct gap_run *run = gap_run_new(r, task);

    gap_run_show(run, task->node);
    if (task->attempts > 0) r->count.retried++;
    run->attempt = ++task->attempts;
    task->run = run;
    gap_run_clock(run);
    return run;
}

/* What the handler has committed itself is handled if it says so, as by the library's commit. */
static void is_through(struct gap_run *run, int status)
{
    run->finished = true;
    if (run->completed && status == 0) run->committed = true;
    if (run->status == 0) run->status = status;
}

void gap_run_returned(struct gap_run *run, int status)
{
    run->inside = false;
    if (status <= 0 && !run->elsewhere && !run->awaiting)
        is_through(run, status);
    else if (status < 0 && run->status == 0)
        run->status = status;
    gap_run_settle(run);
}

static void finished(gap_update_t *update, int status)
{
    struct gap_run *run = gap_run_of(update);

    GAP_ASSERT(!run->finished);
    is_through(run, status);
    gap_run_settle(run);
}

/* ---- tasks ---- */

static void release(gap_runner_t *r, struct gap_task *task)
{
    gap_update_t *node = task->node;
    bool unhandled = task->unhandled;

    gap_pool_put(&r->tasks, task);
    if (node == NULL)
        r->spilled--;
    else if (unhandled)
        gap_engine_return(node);
    else
        gap_update_done(node);
    gap_runner_wake(r);
}

void gap_task_free(gap_runner_t *r, struct gap_task *task, bool handled)
{
    GAP_ASSERT(task->run == NULL);
    task->unhandled = !handled;
    if (task->job.state != GAP_JOB_OUT) gap_lanes_done(&r->lanes, &task->job);
    if (task->front) gap_runner_leave_front(r, task);
    gap_heap_remove(&r->due, &task->due);
    if (task->aside) r->aside--;
    gap_rows_forget(r, task);
    TAILQ_REMOVE(&r->by_age, task, age);
    r->in_hand--;
    r->pinned -= task->bytes;
    if (task->overruns > 0) { /* somebody looks at it */
        task->over = true;
        TAILQ_INSERT_TAIL(&r->gone, task, age);
        if (handled) gap_engine_pass(task->node);
        gap_runner_wake(r);
    } else {
        release(r, task);
    }
}

static void look_away(gap_runner_t *r, struct gap_task *task)
{
    if (--task->overruns > 0 || !task->over) return;
    TAILQ_REMOVE(&r->gone, task, age);
    release(r, task);
}

/* ---- failure ---- */

/* Its next attempt is due after a pause; until then nobody passes, or everybody does. */
static uint64_t park(gap_runner_t *r, struct gap_task *task)
{
    uint64_t pause_us = gap_retry_pause_us(task->attempts, r->config.retry_min_us,
                                           r->config.retry_max_us, &r->random);
    uint64_t due_us = gap_rt_now_us(r->rt) + pause_us;

    if (r->config.unordered_retry)
        gap_lanes_done(&r->lanes, &task->job);
    else
        gap_lanes_park(&r->lanes, &task->job);
    int status = gap_heap_insert(&r->due, &task->due, due_us);
    GAP_ASSERT(status == 0); /* reserved before it ran */
    gap_runner_alarm(r, due_us);
    return pause_us;
}

/* Given up. Where that can't be recorded now it is in nobody's way, but not through either. */
void gap_task_bury(gap_runner_t *r, struct gap_task *task, int error)
{
    if (!task->burying) r->count.dead++;
    task->error = error;
    task->burying = false;
    if (gap_dead_add(r, task, error) == 0) {
        gap_task_free(r, task, true);
        return;
    }
    task->burying = true;
    if (task->job.state != GAP_JOB_OUT) gap_lanes_done(&r->lanes, &task->job);
    int status = gap_heap_insert(&r->due, &task->due, gap_rt_now_us(r->rt) + GAP_RUNNER_AGAIN_US);
    GAP_ASSERT(status == 0); /* reserved before it ran */
}

/* The task is pinned while it is told. */
static void fail(struct gap_run *run, int status, enum gap_runner_event_kind kind)
{
    gap_runner_t *r = run->runner;
    struct gap_task *task = run->task;
    struct gap_runner_event event = {
        .kind = kind, .update = &run->update, .error = status, .attempt = run->attempt};

    if (r->closing) { /* to be given back, untold: it comes again */
        gap_lanes_park(&r->lanes, &task->job);
        gap_runner_wake(r);
        return;
    }
    r->count.failed++;
    task->overruns++;
    if (task->attempts >= r->config.attempts_max || run->update.give_up) {
        gap_task_bury(r, task, status);
    } else {
        event.us = park(r, task);
        gap_runner_wake(r);
    }
    gap_runner_tell(r, &event);
    if (event.us == 0 && !r->closing) {
        event.kind = GAP_RUNNER_DEAD;
        gap_runner_tell(r, &event);
    }
    look_away(r, task);
}

/* ---- through ---- */

/* The run that counts is through. */
static void end(struct gap_run *run)
{
    gap_runner_t *r = run->runner;
    struct gap_task *task = run->task;

    GAP_FAILPOINT("run.end.before");
    if (run->committed) run->status = 0; /* whatever became of a reply that was made after it */
    int status = gap_update_end(&run->update, run->status);
    if (run->status < 0 || run->committed || run->completed) status = run->status;
    if (run->completed) gap_commit_own(run, status);
    unlist(run);
    task->run = NULL;
    if (status < 0) {
        fail(run, status, GAP_RUNNER_FAILED);
    } else {
        r->count.handled++;
        gap_task_free(r, task, true);
    }
    GAP_FAILPOINT("run.end.after");
    gap_pool_put(&r->runs, run);
}

void gap_run_settle(struct gap_run *run)
{
    gap_runner_t *r = run->runner;

    if (run->inside || !run->finished || run->elsewhere || run->holds > 0) return;
    if (run->current) {
        end(run);
        return;
    }
    struct gap_task *task = run->task;
    gap_pool_put(&r->runs, run);
    r->overran--;
    look_away(r, task);
}

/* ---- time-outs ---- */

static void overrun(struct gap_run *run)
{
    gap_runner_t *r = run->runner;

    __atomic_store_n(&run->current, false, __ATOMIC_RELAXED);
    run->task->run = NULL;
    run->task->overruns++;
    r->overran++;
    r->count.timed_out++;
    run->inside = true; /* it stays until this is through */
    int told = gap_update_end(&run->update, GAP_E_TIMEOUT);
    (void)told; /* it has failed anyhow */
    if (run->elsewhere) gap_thread_overrun(run);
    fail(run, GAP_E_TIMEOUT, GAP_RUNNER_TIMED_OUT);
    run->inside = false;
    gap_run_settle(run);
}

void gap_run_expire(gap_runner_t *r, uint64_t now_us)
{
    struct gap_run *run;

    while ((run = TAILQ_FIRST(&r->by_time)) != NULL && run->deadline_us <= now_us) {
        unlist(run);
        /* Whether it has happened must be known; and what has happened must not happen again. */
        if (run->commits || run->completed || run->committed) {
            const struct gap_runner_event event = {.kind = GAP_RUNNER_SLOW,
                                                   .update = &run->update,
                                                   .attempt = run->attempt,
                                                   .us = r->config.timeout_us};
            gap_runner_tell(r, &event);
        } else {
            overrun(run);
        }
        if (r->closing) return;
    }
}

/* ---- again ---- */

/* @return false: no memory. */
static bool stand_again(gap_runner_t *r, struct gap_task *task)
{
    uint64_t keys[GAP_RUNNER_KEYS_MAX];

    if (task->job.state == GAP_JOB_PARKED) {
        gap_lanes_resume(&r->lanes, &task->job);
        return true;
    }
    if (gap_lanes_reserve(&r->lanes) < 0) return false;
    int count = gap_runner_keys_of(r, task, keys);
    int status = gap_lanes_add(&r->lanes, &task->job, keys, (size_t)count);
    GAP_ASSERT(status == 0);
    return true;
}

void gap_task_wake(gap_runner_t *r, uint64_t now_us)
{
    gap_heap_node_t *first;

    while ((first = gap_heap_min(&r->due)) != NULL && first->key <= now_us) {
        struct gap_task *task = GAP_CONTAINER_OF(first, struct gap_task, due);
        gap_heap_remove(&r->due, first);
        if (task->burying) {
            gap_task_bury(r, task, task->error);
            continue;
        }
        if (stand_again(r, task)) continue;
        int status = gap_heap_insert(&r->due, first, now_us + GAP_RUNNER_AGAIN_US);
        GAP_ASSERT(status == 0); /* its own place */
        return;
    }
}

/* ---- what a run may be asked ---- */

bool gap_update_is_current(const gap_update_t *update)
{
    const struct gap_run *run = gap_run_of(update);
    return run == NULL || __atomic_load_n(&run->current, __ATOMIC_RELAXED);
}

uint32_t gap_update_attempt(const gap_update_t *update)
{
    const struct gap_run *run = gap_run_of(update);
    return run == NULL ? 1 : run->attempt;
}

int gap_run_hold(gap_update_t *update)
{
    struct gap_run *run = gap_run_of(update);

    if (run == NULL) return 0;
    if (!run->current) return GAP_E_STATE;
    run->holds++;
    run->unanswered++;
    return 0;
}

void gap_run_answered(gap_update_t *update)
{
    struct gap_run *run = gap_run_of(update);
    if (run != NULL) run->unanswered--;
}

void gap_run_release(gap_update_t *update, int status)
{
    struct gap_run *run = gap_run_of(update);

    if (run == NULL) return;
    GAP_ASSERT(run->holds > 0);
    run->holds--;
    if (status < 0 && run->status == 0) run->status = status;
    if (run->awaiting && run->holds == 0) gap_commit_answered(run);
    gap_run_settle(run);
}

uint32_t gap_run_ordinal(const gap_update_t *update)
{
    const struct gap_run *run = gap_run_of(update);
    return run == NULL ? 0 : run->ordinal;
}

void gap_run_ordinal_used(gap_update_t *update)
{
    struct gap_run *run = gap_run_of(update);
    if (run != NULL) run->ordinal++;
}
