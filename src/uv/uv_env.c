/*
 * uv/uv_env.c - the environment on libuv: clocks, phases, posts, life and death.
 *
 *   OPEN --close--> CLOSING --no stream, listener, job or post left--> handles close --> freed
 *
 * One iteration of the host's loop, as far as it concerns us:
 *   timer phase (before the poll up to libuv 1.44, after it since)  a deadline is due: turn(false)
 *   idle phase, only while armed                                    forget what earlier polls left
 *   poll phase                                                      streams are read, posts run
 *   check phase, only while armed                                   turn(drained), then reports
 *
 * Two details carry the promises. Idle and check are active only while there is something to do,
 * so an idle environment never wakes the host. And `unread` is reset just before a poll and set by
 * any stream that may have more, so a drained turn is a fact about the poll right before it.
 *
 * Owns: the four handles, the lists of streams and listeners. Never: uses uv_now() as a clock (it
 * is the loop's idea of when the iteration began), blocks, or touches the host's thread pool.
 */
#include "uv/uv_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

/* ---- clocks, randomness, threads ---- */

static uint64_t op_now_us(gap_env_t *base)
{
    (void)base;
    return uv_hrtime() / 1000;
}

static uint64_t clock_us(clockid_t id)
{
    struct timespec t;

    if (clock_gettime(id, &t) != 0) return 0;
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint64_t op_wall_us(gap_env_t *base)
{
    (void)base;
    return clock_us(CLOCK_REALTIME);
}

static uint64_t op_cpu_us(gap_env_t *base)
{
    (void)base;
    return clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static int op_random(gap_env_t *base, void *out, size_t len)
{
    uint8_t *p = out;

    (void)base;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static bool op_on_loop_thread(gap_env_t *base)
{
    return pthread_equal(uv_env_of(base)->thread, pthread_self()) != 0;
}

/* ---- entries into the library ---- */

void uv_env_enter(uv_env_t *env)
{
    GAP_ASSERT(env->entered == NULL);
    if (env->host == NULL || env->host->enter == NULL) return;
    env->entered = env->host;
    env->host->enter(env->host->arg);
}

void uv_env_leave(uv_env_t *env, bool was_turn)
{
    const struct gap_env_host *entered = env->entered;

    env->entered = NULL;
    if (entered == NULL || entered != env->host || entered->leave == NULL) return;
    entered->leave(entered->arg, was_turn);
}

/* ---- phases ---- */

static void on_idle(uv_idle_t *handle)
{
    uv_env_t *env = handle->data;

    env->unread = false;
}

/* Once through: what the callbacks add waits for the next iteration, after a poll. */
static void report_all(uv_env_t *env)
{
    struct uv_stream *s;
    size_t count = 0;

    STAILQ_FOREACH (s, &env->reports, report) count++;
    while (count-- > 0 && (s = STAILQ_FIRST(&env->reports)) != NULL) {
        STAILQ_REMOVE_HEAD(&env->reports, report);
        s->reporting = false;
        uv_stream_report(s);
    }
    uv_work_report(env);
    uv_resolve_report(env);
}

static void on_check(uv_check_t *handle)
{
    uv_env_t *env = handle->data;
    bool turn = env->host_idle && env->host != NULL;

    uv_env_enter(env);
    if (turn) env->host->turn(env->host->arg, !env->unread);
    report_all(env);
    uv_env_leave(env, turn);
    uv_env_arm(env);
    uv_env_try_finish(env);
}

void uv_env_arm(uv_env_t *env)
{
    bool want = env->host_idle || !STAILQ_EMPTY(&env->reports) || uv_work_to_report(env);

    if (env->handles_closing || want == env->armed) return;
    env->armed = want;
    if (want) { /* neither can fail: the callbacks are not NULL */
        (void)uv_idle_start(&env->idle, on_idle);
        (void)uv_check_start(&env->check, on_check);
    } else {
        (void)uv_idle_stop(&env->idle);
        (void)uv_check_stop(&env->check);
    }
}

static void on_timer(uv_timer_t *handle);

/* libuv counts a timeout from the loop's own, possibly stale, time: uv_now() is only subtracted
 * here, so that the timer is due at the deadline and not a stall's length too early. */
static void start_timer(uv_env_t *env)
{
    uint64_t due_ms = (env->deadline_us + 999) / 1000;
    uint64_t base_ms = uv_now(env->loop);

    (void)uv_timer_start(&env->timer, on_timer, due_ms > base_ms ? due_ms - base_ms : 0, 0);
}

static void on_timer(uv_timer_t *handle)
{
    uv_env_t *env = handle->data;

    if (op_now_us(&env->base) < env->deadline_us) {
        start_timer(env);
        return;
    }
    env->deadline_us = GAP_ENV_NEVER;
    if (env->host == NULL) return;
    uv_env_enter(env);
    env->host->turn(env->host->arg, false);
    uv_env_leave(env, true);
    uv_env_arm(env);
}

static void op_set_timer(gap_env_t *base, uint64_t deadline_us)
{
    uv_env_t *env = uv_env_of(base);

    if (env->handles_closing || deadline_us == env->deadline_us) return;
    env->deadline_us = deadline_us;
    if (deadline_us == GAP_ENV_NEVER) {
        (void)uv_timer_stop(&env->timer);
    } else {
        start_timer(env);
    }
}

static void op_set_idle(gap_env_t *base, bool on)
{
    uv_env_t *env = uv_env_of(base);

    env->host_idle = on;
    uv_env_arm(env);
}

static void op_attach(gap_env_t *base, const struct gap_env_host *host)
{
    uv_env_t *env = uv_env_of(base);

    GAP_ASSERT(host == NULL || env->host == NULL);
    GAP_ASSERT(host == NULL || !env->closing);
    env->host = host;
}

/* ---- posts ---- */

/* The one function of the environment that other threads may call. */
static void op_post(gap_env_t *base, gap_env_post_t *post)
{
    uv_env_t *env = uv_env_of(base);
    gap_env_post_t *head = atomic_load_explicit(&env->posts, memory_order_relaxed);

    do {
        post->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&env->posts, &head, post, memory_order_release,
                                                    memory_order_relaxed));
    if (head == NULL) (void)uv_async_send(&env->async);
}

static void run_posts(uv_env_t *env)
{
    gap_env_post_t *newest = atomic_exchange_explicit(&env->posts, NULL, memory_order_acquire);
    gap_env_post_t *oldest = NULL;

    while (newest != NULL) {
        gap_env_post_t *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        gap_env_post_t *post = oldest;
        oldest = post->next;
        post->fn(post);
    }
}

static void on_async(uv_async_t *handle)
{
    uv_env_t *env = handle->data;

    uv_env_enter(env);
    run_posts(env);
    uv_work_collect(env);
    uv_env_leave(env, false);
    uv_env_try_finish(env);
}

/* ---- life and death ---- */

static const struct gap_env_ops uv_env_ops = {
    .now_us = op_now_us,
    .wall_us = op_wall_us,
    .cpu_us = op_cpu_us,
    .random = op_random,
    .on_loop_thread = op_on_loop_thread,
    .attach = op_attach,
    .set_timer = op_set_timer,
    .set_idle = op_set_idle,
    .post = op_post,
    .work = uv_work_start,
    .worker_open = uv_worker_open,
    .worker_send = uv_worker_send,
    .worker_close = uv_worker_close,
    .file_open = uv_file_open,
    .file_size = uv_file_size,
    .file_private = uv_file_private,
    .file_read = uv_file_read,
    .file_write = uv_file_write,
    .file_sync = uv_file_sync,
    .file_close = uv_file_close,
    .connect = uv_stream_connect,
    .write = uv_stream_write,
    .close = uv_stream_close,
    .listen = uv_listener_open,
    .close_listener = uv_listener_close,
    .resolve = uv_resolve_start,
    .resolve_cancel = uv_resolve_cancel,
};

static void init_fields(uv_env_t *env, uv_loop_t *loop, const gap_alloc_t *alloc)
{
    env->base.ops = &uv_env_ops;
    env->base.alloc = alloc;
    env->loop = loop;
    env->thread = pthread_self();
    env->pid = getpid();
    env->deadline_us = GAP_ENV_NEVER;
    STAILQ_INIT(&env->reports);
    TAILQ_INIT(&env->streams);
    TAILQ_INIT(&env->listeners);
    LIST_INIT(&env->files);
}

static void init_handles(uv_env_t *env)
{
    /* Of the four only the async can fail, and it is there already. */
    (void)uv_timer_init(env->loop, &env->timer);
    (void)uv_idle_init(env->loop, &env->idle);
    (void)uv_check_init(env->loop, &env->check);
    env->async.data = env;
    env->timer.data = env;
    env->idle.data = env;
    env->check.data = env;
    env->handles_open = 4;
    uv_unref((uv_handle_t *)&env->async); /* outstanding jobs take a reference */
    uv_unref((uv_handle_t *)&env->check);
}

int gap_uv_env_open(uv_loop_t *loop, const gap_alloc_t *alloc, gap_env_t **out)
{
    uv_env_t *env = gap_calloc(alloc, 1, sizeof *env);

    if (env == NULL) return GAP_E_NOMEM;
    init_fields(env, loop, alloc);
    int r = -pthread_mutex_init(&env->files_lock, NULL);
    if (r < 0) goto free_env;
    r = uv_pool_init(&env->work_pool, env, GAP_UV_WORK_THREADS);
    if (r < 0) goto fini_files;
    r = uv_pool_init(&env->name_pool, env, GAP_UV_NAME_THREADS);
    if (r < 0) goto fini_work;
    r = uv_async_init(loop, &env->async, on_async);
    if (r < 0) goto fini_names;
    init_handles(env);
    *out = &env->base;
    return 0;

fini_names:
    uv_pool_fini(&env->name_pool);
fini_work:
    uv_pool_fini(&env->work_pool);
fini_files:
    (void)pthread_mutex_destroy(&env->files_lock);
free_env:
    gap_free(alloc, env);
    return r;
}

static void on_handle_closed(uv_handle_t *handle)
{
    uv_env_t *env = handle->data;

    if (--env->handles_open > 0) return;
    void (*closed)(void *) = env->closed;
    void *arg = env->closed_arg;
    GAP_ASSERT(LIST_EMPTY(&env->files));
    (void)pthread_mutex_destroy(&env->files_lock);
    gap_free(env->base.alloc, env);
    if (closed != NULL) closed(arg);
}

void uv_env_try_finish(uv_env_t *env)
{
    if (!env->closing || env->handles_closing) return;
    if (!TAILQ_EMPTY(&env->streams) || !TAILQ_EMPTY(&env->listeners) || env->jobs > 0) return;
    if (atomic_load_explicit(&env->posts, memory_order_acquire) != NULL) return;
    env->handles_closing = true;
    uv_pool_fini(&env->name_pool); /* idle threads only: joining them does not wait for work */
    uv_pool_fini(&env->work_pool);
    uv_close((uv_handle_t *)&env->async, on_handle_closed);
    uv_close((uv_handle_t *)&env->timer, on_handle_closed);
    uv_close((uv_handle_t *)&env->idle, on_handle_closed);
    uv_close((uv_handle_t *)&env->check, on_handle_closed);
}

void gap_uv_env_close(gap_env_t *base, void (*closed)(void *arg), void *arg)
{
    uv_env_t *env = uv_env_of(base);
    struct uv_stream *s;
    struct uv_listener *l;

    GAP_ASSERT(op_on_loop_thread(base));
    if (env->closing) return;
    GAP_ASSERT(env->host == NULL);
    GAP_ASSERT(env->workers == 0);
    env->closing = true;
    env->closed = closed;
    env->closed_arg = arg;
    env->host_idle = false;
    op_set_timer(base, GAP_ENV_NEVER);
    TAILQ_FOREACH (s, &env->streams, link) {
        uv_stream_close(&s->pub);
    }
    TAILQ_FOREACH (l, &env->listeners, link) {
        uv_listener_close(&l->pub);
    }
    uv_work_cancel_all(env);
    uv_env_arm(env);
    uv_env_try_finish(env);
}

bool gap_uv_env_forked(const gap_env_t *env)
{
    return ((const uv_env_t *)(const void *)env)->pid != getpid();
}

/* Closing here takes nothing from the parent: its epoll still watches the open sockets. */
void gap_uv_env_abandon(gap_env_t *base)
{
    uv_env_t *env = uv_env_of(base);
    struct uv_stream *s;
    struct uv_listener *l;

    GAP_ASSERT(gap_uv_env_forked(base));
    TAILQ_FOREACH (s, &env->streams, link) (void)close(s->fd);
    TAILQ_FOREACH (l, &env->listeners, link) {
        (void)close(l->fd);
        if (l->spare_fd >= 0) (void)close(l->spare_fd);
    }
    uv_file_abandon_all(env);
}
