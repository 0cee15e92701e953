/*
 * uv/uv_worker.c - a thread of its own that runs jobs in order.
 *
 *   IDLE --first job--> RUNNING --close, queue empty--> ended (joined, freed, closed callback)
 *      \--close--> ended
 *
 * Jobs that have run, and at last the end of the worker, travel on the environment's list of
 * finished work: order is kept, one wake-up serves all. What has no thread (one that could not be
 * started, or a worker that never had a job) is reported from the check phase instead; a job is
 * only given to a thread once no such report is left over, so that the two ways never overtake.
 *
 * Owns: the thread, the queue. Never: cancels a job, touches one after its `done` has begun.
 */
#include "uv/uv_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

struct gap_worker {
    uv_env_t *env;
    pthread_t thread;
    bool started;
    bool failed;            /* the thread could not be started ... */
    uint64_t failed_report; /* ... and this is the report that will tell */
    bool closing;
    gap_work_t end; /* the worker's own last job: its `done` frees */
    void (*closed)(void *arg);
    void *closed_arg;

    pthread_mutex_t lock; /* for the rest */
    pthread_cond_t wake;
    gap_work_t *head;
    gap_work_t *tail;
};

/* ---- on the thread ---- */

static gap_work_t *next_job(gap_worker_t *w)
{
    (void)pthread_mutex_lock(&w->lock);
    while (w->head == NULL) (void)pthread_cond_wait(&w->wake, &w->lock);
    gap_work_t *work = w->head;
    w->head = work->next;
    (void)pthread_mutex_unlock(&w->lock);
    return work;
}

static void *thread_main(void *arg)
{
    gap_worker_t *w = arg;
    gap_work_t *end = &w->end;
    gap_work_t *work;

    while ((work = next_job(w)) != end) {
        work->run(work);
        uv_work_finished(w->env, work);
    }
    uv_work_finished(w->env, end); /* the last touch: `done` joins this thread, then frees */
    return NULL;
}

/* ---- on the loop thread ---- */

static void release(gap_worker_t *w)
{
    (void)pthread_cond_destroy(&w->wake);
    (void)pthread_mutex_destroy(&w->lock);
    gap_free(w->env->base.alloc, w);
}

static void on_end(gap_work_t *end, int status)
{
    gap_worker_t *w = GAP_CONTAINER_OF(end, gap_worker_t, end);
    void (*closed)(void *) = w->closed;
    void *arg = w->closed_arg;

    (void)status;
    if (w->started) (void)pthread_join(w->thread, NULL);
    release(w);
    if (closed != NULL) closed(arg);
}

int uv_worker_open(gap_env_t *base, gap_worker_t **out)
{
    uv_env_t *env = uv_env_of(base);
    gap_worker_t *w = gap_calloc(base->alloc, 1, sizeof *w);

    GAP_ASSERT(pthread_equal(env->thread, pthread_self()) != 0);
    GAP_ASSERT(!env->closing);
    if (w == NULL) return GAP_E_NOMEM;
    w->env = env;
    w->end.done = on_end;
    if (pthread_mutex_init(&w->lock, NULL) != 0) goto free_worker;
    if (pthread_cond_init(&w->wake, NULL) != 0) goto fini_lock;
    env->workers++;
    *out = w;
    return 0;

fini_lock:
    (void)pthread_mutex_destroy(&w->lock);
free_worker:
    gap_free(base->alloc, w);
    return GAP_E_NOMEM; /* of the two calls' errors no other is possible */
}

static void enqueue(gap_worker_t *w, gap_work_t *work)
{
    work->next = NULL;
    (void)pthread_mutex_lock(&w->lock);
    if (w->head == NULL) {
        w->head = work;
    } else {
        w->tail->next = work;
    }
    w->tail = work;
    (void)pthread_cond_signal(&w->wake);
    (void)pthread_mutex_unlock(&w->lock);
}

/* @return is there a thread now? */
static bool have_thread(gap_worker_t *w)
{
    uv_env_t *env = w->env;

    if (w->started) return true;
    if (w->failed && w->failed_report == env->fail_reports) return false;
    w->started = uv_thread_start(&w->thread, GAP_UV_WORKER_STACK_BYTES, thread_main, w) == 0;
    w->failed = !w->started;
    w->failed_report = env->fail_reports;
    return w->started;
}

void uv_worker_send(gap_worker_t *w, gap_work_t *work)
{
    GAP_ASSERT(pthread_equal(w->env->thread, pthread_self()) != 0);
    GAP_ASSERT(!w->closing);
    uv_jobs_add(w->env);
    if (have_thread(w)) {
        enqueue(w, work);
    } else {
        uv_work_fail(w->env, work);
    }
}

void uv_worker_close(gap_worker_t *w, void (*closed)(void *arg), void *arg)
{
    GAP_ASSERT(pthread_equal(w->env->thread, pthread_self()) != 0);
    GAP_ASSERT(!w->closing);
    w->closing = true;
    w->closed = closed;
    w->closed_arg = arg;
    w->env->workers--;
    uv_jobs_add(w->env);
    if (w->started) {
        enqueue(w, &w->end);
    } else {
        uv_work_fail(w->env, &w->end);
    }
}
