/*
 * uv/uv_work.c - slow jobs on the environment's own threads.
 *
 *   queued --thread--> running --> finished (lock-free list, one async wake-up) --> done(0)
 *   queued --close--> cancelled --check phase--> done(ECANCELED)
 *
 * Threads start when a job comes and none is waiting, block every signal (those are the host's),
 * and are joined when the environment closes, after the last job has been reported.
 *
 * Owns: the queues, the threads. Never: touches a job after its `done` has begun.
 */
#include "uv/uv_env_in.h"

#include "base/assert.h"

#include <errno.h>
#include <signal.h>

int uv_pool_init(struct uv_pool *pool, uv_env_t *env, unsigned max)
{
    GAP_ASSERT(max <= UV_POOL_THREADS_MAX);
    pool->env = env;
    pool->max = max;
    int r = pthread_mutex_init(&pool->lock, NULL);
    if (r != 0) return -r;
    r = pthread_cond_init(&pool->wake, NULL);
    if (r == 0) return 0;
    (void)pthread_mutex_destroy(&pool->lock);
    return -r;
}

void uv_pool_fini(struct uv_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    (void)pthread_cond_broadcast(&pool->wake);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->threads; i++) (void)pthread_join(pool->ids[i], NULL);
    (void)pthread_cond_destroy(&pool->wake);
    (void)pthread_mutex_destroy(&pool->lock);
}

/* ---- on the threads ---- */

static gap_work_t *pool_pop(struct uv_pool *pool)
{
    gap_work_t *work = pool->head;

    if (work == NULL) return NULL;
    pool->head = work->next;
    pool->queued--;
    return work;
}

static gap_work_t *pool_wait(struct uv_pool *pool)
{
    gap_work_t *work;

    (void)pthread_mutex_lock(&pool->lock);
    while ((work = pool_pop(pool)) == NULL && !pool->stop) {
        pool->waiting++;
        (void)pthread_cond_wait(&pool->wake, &pool->lock);
        pool->waiting--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return work;
}

void uv_work_finished(uv_env_t *env, gap_work_t *work)
{
    gap_work_t *head = atomic_load_explicit(&env->finished, memory_order_relaxed);

    do {
        work->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&env->finished, &head, work,
                                                    memory_order_release, memory_order_relaxed));
    if (head == NULL) (void)uv_async_send(&env->async);
}

static void *thread_main(void *arg)
{
    struct uv_pool *pool = arg;
    gap_work_t *work;

    while ((work = pool_wait(pool)) != NULL) {
        work->run(work);
        uv_work_finished(pool->env, work);
    }
    return NULL;
}

/* ---- on the loop thread ---- */

int uv_thread_start(pthread_t *out, size_t stack_bytes, void *(*main_fn)(void *), void *arg)
{
    pthread_attr_t attr;
    sigset_t all;
    sigset_t before;

    int r = pthread_attr_init(&attr);
    if (r != 0) return -r;
    if (stack_bytes > 0) r = pthread_attr_setstacksize(&attr, stack_bytes);
    if (r == 0) {
        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(out, &attr, main_fn, arg);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    (void)pthread_attr_destroy(&attr);
    return -r;
}

/* Under the lock. @return 0 or the negative errno of pthread_create. */
static int pool_grow(struct uv_pool *pool)
{
    int r = uv_thread_start(&pool->ids[pool->threads], 0, thread_main, pool);

    if (r == 0) pool->threads++;
    return r;
}

void uv_jobs_add(uv_env_t *env)
{
    if (env->jobs++ == 0) uv_ref((uv_handle_t *)&env->async);
}

void uv_jobs_drop(uv_env_t *env)
{
    GAP_ASSERT(env->jobs > 0);
    if (--env->jobs == 0) uv_unref((uv_handle_t *)&env->async);
}

int uv_work_submit(struct uv_pool *pool, gap_work_t *work)
{
    int r = 0;

    (void)pthread_mutex_lock(&pool->lock);
    if (pool->queued >= pool->waiting && pool->threads < pool->max) r = pool_grow(pool);
    if (r == 0 || pool->threads > 0) { /* fewer threads than wanted will do */
        r = 0;
        work->next = NULL;
        if (pool->head == NULL) {
            pool->head = work;
        } else {
            pool->tail->next = work;
        }
        pool->tail = work;
        pool->queued++;
        (void)pthread_cond_signal(&pool->wake);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return r;
}

static void prepend(gap_work_t **list, gap_work_t *work)
{
    work->next = *list;
    *list = work;
}

void uv_work_start(gap_env_t *base, gap_work_t *work)
{
    uv_env_t *env = uv_env_of(base);

    GAP_ASSERT(pthread_equal(env->thread, pthread_self()) != 0);
    uv_jobs_add(env);
    if (env->closing) {
        prepend(&env->works_cancelled, work);
        uv_env_arm(env);
    } else if (uv_work_submit(&env->work_pool, work) < 0) {
        uv_work_fail(env, work);
    }
}

void uv_work_fail(uv_env_t *env, gap_work_t *work)
{
    prepend(&env->works_failed, work);
    uv_env_arm(env);
}

static void cancel_pool(uv_env_t *env, struct uv_pool *pool)
{
    gap_work_t *work;

    (void)pthread_mutex_lock(&pool->lock);
    while ((work = pool_pop(pool)) != NULL) prepend(&env->works_cancelled, work);
    (void)pthread_mutex_unlock(&pool->lock);
}

void uv_work_cancel_all(uv_env_t *env)
{
    cancel_pool(env, &env->work_pool);
    cancel_pool(env, &env->name_pool);
}

static void report_list(uv_env_t *env, gap_work_t *work, int status)
{
    while (work != NULL) {
        gap_work_t *next = work->next;
        uv_jobs_drop(env);
        work->done(work, status);
        work = next;
    }
}

static gap_work_t *oldest_first(gap_work_t *newest)
{
    gap_work_t *oldest = NULL;

    while (newest != NULL) {
        gap_work_t *next = newest->next;
        prepend(&oldest, newest);
        newest = next;
    }
    return oldest;
}

void uv_work_collect(uv_env_t *env)
{
    gap_work_t *newest = atomic_exchange_explicit(&env->finished, NULL, memory_order_acquire);

    report_list(env, oldest_first(newest), 0);
}

void uv_work_report(uv_env_t *env)
{
    gap_work_t *cancelled = env->works_cancelled;
    gap_work_t *failed = env->works_failed;

    env->works_cancelled = NULL;
    env->works_failed = NULL;
    env->fail_reports++;
    report_list(env, cancelled, GAP_ENV_ECANCELED);
    report_list(env, oldest_first(failed), UV_EAGAIN);
}

bool uv_work_to_report(const uv_env_t *env)
{
    return env->works_cancelled != NULL || env->works_failed != NULL ||
           env->names_cancelled != NULL || env->names_failed != NULL;
}
