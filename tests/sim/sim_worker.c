/*
 * tests/sim/sim_worker.c - workers of the virtual world. A job runs at a later virtual time, inline
 * on the one thread (on_loop_thread is false meanwhile), and its `done` comes later still: other
 * things happen in between, as they do beside a real thread.
 *
 * Owns: tasks. Never: runs or reports two jobs of one worker out of their order.
 */
#include "tests/sim/sim_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>

struct sim_task {
    STAILQ_ENTRY(sim_task) link;
    gap_work_t *work;
    int status;
};

STAILQ_HEAD(sim_task_list, sim_task);

struct gap_worker {
    sim_host_t *host;
    bool started;
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
    struct sim_task_list to_run;
    struct sim_task_list to_report;
    struct sim_job *run;    /* the first of to_run, when its time comes */
    struct sim_job *report; /* the first of to_report, or the end */
    TAILQ_ENTRY(gap_worker) link;
};

void sim_refuse_threads(gap_env_t *env, unsigned count)
{
    sim_host_of(env)->threads_refused = count;
}

static struct sim_job *next_step(gap_worker_t *w)
{
    struct sim_job *job = sim_job_add(w->host);

    job->worker = w;
    return job;
}

static void schedule(gap_worker_t *w)
{
    bool over = w->closing && STAILQ_EMPTY(&w->to_run);

    if (w->run == NULL && !STAILQ_EMPTY(&w->to_run)) w->run = next_step(w);
    if (w->report == NULL && (over || !STAILQ_EMPTY(&w->to_report))) w->report = next_step(w);
}

int sim_worker_open(gap_env_t *env, gap_worker_t **out)
{
    sim_host_t *h = sim_host_of(env);
    gap_worker_t *w = gap_calloc(env->alloc, 1, sizeof *w);

    GAP_ASSERT(!h->closing);
    GAP_ASSERT(!h->sim->in_thread);
    if (w == NULL) return GAP_E_NOMEM;
    w->host = h;
    STAILQ_INIT(&w->to_run);
    STAILQ_INIT(&w->to_report);
    TAILQ_INSERT_TAIL(&h->workers, w, link);
    *out = w;
    return 0;
}

void sim_worker_send(gap_worker_t *w, gap_work_t *work)
{
    struct sim_task *task = sim_alloc(sizeof *task);

    GAP_ASSERT(!w->closing);
    GAP_ASSERT(!w->host->sim->in_thread);
    task->work = work;
    if (!w->started && w->host->threads_refused > 0) {
        w->host->threads_refused--;
        task->status = -EAGAIN;
        STAILQ_INSERT_TAIL(&w->to_report, task, link);
    } else {
        w->started = true;
        STAILQ_INSERT_TAIL(&w->to_run, task, link);
    }
    schedule(w);
}

void sim_worker_close(gap_worker_t *w, void (*closed)(void *arg), void *arg)
{
    GAP_ASSERT(!w->closing);
    GAP_ASSERT(!w->host->sim->in_thread);
    w->closing = true;
    w->closed = closed;
    w->closed_arg = arg;
    schedule(w);
}

static void run_first(gap_worker_t *w)
{
    struct sim_task *task = STAILQ_FIRST(&w->to_run);
    sim_t *sim = w->host->sim;

    w->run = NULL;
    sim->in_thread = true;
    task->work->run(task->work);
    sim->in_thread = false;
    STAILQ_REMOVE_HEAD(&w->to_run, link);
    STAILQ_INSERT_TAIL(&w->to_report, task, link);
    schedule(w);
}

static void end(gap_worker_t *w)
{
    void (*closed)(void *) = w->closed;
    void *arg = w->closed_arg;

    TAILQ_REMOVE(&w->host->workers, w, link);
    gap_free(w->host->base.alloc, w);
    if (closed != NULL) closed(arg);
}

static void report_first(gap_worker_t *w)
{
    struct sim_task *task = STAILQ_FIRST(&w->to_report);

    w->report = NULL;
    if (task == NULL) {
        end(w);
        return;
    }
    gap_work_t *work = task->work;
    int status = task->status;
    STAILQ_REMOVE_HEAD(&w->to_report, link);
    free(task);
    schedule(w); /* first: `done` may send or close */
    work->done(work, status);
}

void sim_worker_step(struct sim_job *job)
{
    gap_worker_t *w = job->worker;

    if (job == w->run) {
        run_first(w);
    } else {
        GAP_ASSERT(job == w->report);
        report_first(w);
    }
}

bool sim_workers_are_closed(const sim_host_t *h)
{
    const gap_worker_t *w;

    TAILQ_FOREACH (w, &h->workers, link) {
        if (!w->closing) return false;
    }
    return true;
}

static void free_tasks(struct sim_task_list *list)
{
    struct sim_task *task;

    while ((task = STAILQ_FIRST(list)) != NULL) {
        STAILQ_REMOVE_HEAD(list, link);
        free(task);
    }
}

size_t sim_workers_drop(sim_host_t *h)
{
    gap_worker_t *w;
    size_t count = 0;

    while ((w = TAILQ_FIRST(&h->workers)) != NULL) {
        TAILQ_REMOVE(&h->workers, w, link);
        free_tasks(&w->to_run);
        free_tasks(&w->to_report);
        gap_free(h->base.alloc, w);
        count++;
    }
    return count;
}
