/*
 * loops/runner_thread.c - runs that go on on a thread.
 *
 *   gap_update_on_thread -> a thread is idle, or may be opened --> on it -> returned -> settled
 *                        \-> waits for one
 *
 * A handler that hangs takes its thread with it: another one is opened in its place, as often as
 * there are threads; after that what needs one waits, and times out in its turn.
 *
 * Owns: the threads, workers of the environment. Never: stops one.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "loops/runner_internal.h"

/* ---- threads ---- */

static void on_thread_closed(void *arg)
{
    struct gap_thread *t = arg;
    gap_runner_t *r = t->runner;

    TAILQ_REMOVE(&r->threads, t, next);
    gap_free(r->alloc, t);
    gap_runner_wake(r);
}

static void close_thread(gap_runner_t *r, struct gap_thread *t)
{
    GAP_ASSERT(t->run == NULL);
    r->thread_count--;
    t->closing = true;
    r->rt->env->ops->worker_close(t->worker, on_thread_closed, t);
}

/* As many as wanted, and one more for each that is stuck, but no more than as many again. */
static uint32_t threads_max(const gap_runner_t *r)
{
    uint32_t more = r->stuck < r->config.threads ? r->stuck : r->config.threads;
    return r->config.threads + more;
}

static struct gap_thread *open_thread(gap_runner_t *r)
{
    struct gap_thread *t = gap_calloc(r->alloc, 1, sizeof *t);

    if (t == NULL) return NULL;
    t->runner = r;
    if (r->rt->env->ops->worker_open(r->rt->env, &t->worker) < 0) {
        gap_free(r->alloc, t);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&r->threads, t, next);
    r->thread_count++;
    return t;
}

static void tell_stuck(gap_runner_t *r)
{
    const struct gap_runner_event event = {.kind = GAP_RUNNER_STUCK, .count = r->stuck};

    if (r->told_stuck || r->stuck < 2 * r->config.threads) return;
    r->told_stuck = true;
    gap_runner_tell(r, &event);
}

/* An idle one, or a new one; NULL: none now. */
static struct gap_thread *find_thread(gap_runner_t *r)
{
    struct gap_thread *t;

    TAILQ_FOREACH (t, &r->threads, next) {
        if (t->run == NULL && !t->closing) return t;
    }
    if (r->thread_count >= threads_max(r)) return NULL;
    t = open_thread(r);
    if (t == NULL) gap_runner_again(r);
    return t;
}

static void close_idle(gap_runner_t *r)
{
    struct gap_thread *t;
    struct gap_thread *next;

    for (t = TAILQ_FIRST(&r->threads); t != NULL; t = next) {
        next = TAILQ_NEXT(t, next);
        if (t->run == NULL && !t->closing) close_thread(r, t);
    }
}

void gap_thread_close(gap_runner_t *r)
{
    struct gap_run *run;

    while ((run = STAILQ_FIRST(&r->unthreaded)) != NULL) {
        STAILQ_REMOVE_HEAD(&r->unthreaded, next);
        run->elsewhere = false;
        gap_update_finish(&run->update, GAP_E_CLOSED);
    }
    close_idle(r);
}

/* ---- runs ---- */

static void on_worker(gap_work_t *work)
{
    struct gap_run *run = GAP_CONTAINER_OF(work, struct gap_run, work);
    run->result = run->thread_cb(&run->update, run->data);
}

static void on_back(gap_work_t *work, int status)
{
    struct gap_run *run = GAP_CONTAINER_OF(work, struct gap_run, work);
    struct gap_thread *t = run->thread;
    gap_runner_t *r = run->runner;
    int result = status < 0 ? status : run->result;

    t->run = NULL;
    if (t->stuck) {
        t->stuck = false;
        r->told_stuck = false;
        r->stuck--;
    }
    run->thread = NULL;
    run->elsewhere = false;
    if (r->thread_count > threads_max(r)) close_thread(r, t);
    gap_thread_pump(r);
    if (r->closing) close_idle(r);
    if (result <= 0) gap_update_finish(&run->update, result);
}

void gap_thread_pump(gap_runner_t *r)
{
    struct gap_run *run;

    while ((run = STAILQ_FIRST(&r->unthreaded)) != NULL) {
        struct gap_thread *t = find_thread(r);
        if (t == NULL) return;
        STAILQ_REMOVE_HEAD(&r->unthreaded, next);
        t->run = run;
        run->thread = t;
        run->work.run = on_worker;
        run->work.done = on_back;
        r->rt->env->ops->worker_send(t->worker, &run->work);
    }
}

int gap_update_on_thread(gap_update_t *update, gap_update_cb work, void *data)
{
    struct gap_run *run = gap_run_of(update);

    if (run == NULL || !run->current || run->elsewhere || run->finished || run->awaiting)
        return GAP_E_STATE;
    gap_runner_t *r = run->runner;
    if (r->rt->env == NULL) return GAP_E_STATE;
    run->elsewhere = true;
    run->thread_cb = work;
    run->data = data;
    STAILQ_INSERT_TAIL(&r->unthreaded, run, next);
    gap_thread_pump(r);
    return GAP_LATER;
}

void gap_thread_overrun(struct gap_run *run)
{
    gap_runner_t *r = run->runner;

    if (run->thread == NULL) { /* it never came to one */
        STAILQ_REMOVE(&r->unthreaded, run, gap_run, next);
        run->elsewhere = false;
        run->finished = true;
        return;
    }
    run->thread->stuck = true;
    r->stuck++;
    gap_thread_pump(r);
    tell_stuck(r);
}
