/*
 * tests/sim/sim_env.c - the virtual world: time, hosts, the phases of their loops, jobs.
 *
 * One iteration of a host, with a chance of a stall of that host between any two phases:
 *   timers (here or at the end, as the dice say) - poll - check - closing
 *
 * A stall runs the rest of the world meanwhile. That is how time passes and bytes arrive between a
 * poll and the check phase after it, the case that decides whether a gap's wait may end.
 *
 * Owns: hosts and jobs. The network is in sim_net.c, workers are in sim_worker.c, the disk is in
 * sim_file.c. Never: reads a real clock.
 */
#include "tests/sim/sim_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL_START_US     1700000000000000 /* the virtual wall clock at virtual time 0 */
#define STEPS_AT_ONCE_MAX 1000000          /* more without time moving: the world spins */
#define PICKS_IN_A_POLL   256
#define EAI_NONAME_STATUS (-3008)

void *sim_alloc(size_t n)
{
    void *p = calloc(1, n);

    GAP_ASSERT(p != NULL);
    return p;
}

/* ---- dice ---- */

uint64_t sim_below(sim_t *sim, uint64_t n)
{
    return n == 0 ? 0 : gap_prng_below(&sim->prng, n);
}

bool sim_chance(sim_t *sim, uint32_t per_mille)
{
    return per_mille > 0 && sim_below(sim, 1000) < per_mille;
}

static size_t pick(sim_t *sim, size_t count)
{
    return sim->options.shuffle ? (size_t)sim_below(sim, count) : 0;
}

size_t sim_choose(void *sim, size_t count)
{
    return pick(sim, count);
}

gap_prng_t *sim_prng(sim_t *sim)
{
    return &sim->prng;
}

struct sim_options sim_options_rough(uint64_t seed)
{
    gap_prng_t p = {seed ^ 0x526f756768ULL};
    struct sim_options o = {.shuffle = true};

    o.latency_us = (uint32_t)gap_prng_below(&p, 50000);
    o.jitter_us = (uint32_t)gap_prng_below(&p, 20000);
    o.read_max = gap_prng_below(&p, 2) == 0 ? 0 : 1U << gap_prng_below(&p, 14);
    o.window = 4096U << gap_prng_below(&p, 4);
    o.partial_writes = (uint32_t)gap_prng_below(&p, 500);
    o.zero_reads = (uint32_t)gap_prng_below(&p, 200);
    o.late_timer_us = (uint32_t)gap_prng_below(&p, 30000);
    o.stall_us = (uint32_t)gap_prng_below(&p, 1000000);
    o.stalls = (uint32_t)gap_prng_below(&p, 4);
    o.work_us = (uint32_t)gap_prng_below(&p, 20000);
    return o;
}

/* ---- the environment's operations ---- */

void sim_enter(sim_host_t *h)
{
    GAP_ASSERT(h->entered == NULL);
    if (h->host == NULL || h->host->enter == NULL) return;
    h->entered = h->host;
    h->host->enter(h->host->arg);
}

void sim_leave(sim_host_t *h, bool was_turn)
{
    const struct gap_env_host *entered = h->entered;

    h->entered = NULL;
    if (entered == NULL || entered != h->host || entered->leave == NULL) return;
    entered->leave(entered->arg, was_turn);
}

static uint64_t op_now_us(gap_env_t *env)
{
    return sim_host_of(env)->sim->now_us;
}

static uint64_t op_wall_us(gap_env_t *env)
{
    sim_host_t *h = sim_host_of(env);

    return WALL_START_US + h->sim->now_us + (uint64_t)h->wall_shift_us;
}

static uint64_t op_cpu_us(gap_env_t *env)
{
    (void)env;
    return 0;
}

static int op_random(gap_env_t *env, void *out, size_t len)
{
    sim_t *sim = sim_host_of(env)->sim;
    uint8_t *p = out;

    while (len > 0) {
        uint64_t word = gap_prng_next(&sim->prng);
        size_t n = len < sizeof word ? len : sizeof word;
        memcpy(p, &word, n);
        p += n;
        len -= n;
    }
    return 0;
}

static bool op_on_loop_thread(gap_env_t *env)
{
    return !sim_host_of(env)->sim->in_thread;
}

static void op_attach(gap_env_t *env, const struct gap_env_host *host)
{
    sim_host_t *h = sim_host_of(env);

    GAP_ASSERT(host == NULL || (h->host == NULL && !h->closing));
    h->host = host;
}

static void op_set_timer(gap_env_t *env, uint64_t deadline_us)
{
    sim_host_t *h = sim_host_of(env);

    if (deadline_us == h->deadline_us) return;
    h->deadline_us = deadline_us;
    h->fire_us = deadline_us;
    if (deadline_us == GAP_ENV_NEVER) return;
    h->fire_us += sim_below(h->sim, h->sim->options.late_timer_us);
}

static void op_set_idle(gap_env_t *env, bool on)
{
    sim_host_of(env)->idle = on;
}

static void op_post(gap_env_t *env, gap_env_post_t *post)
{
    sim_host_t *h = sim_host_of(env);

    post->next = NULL;
    *h->posts_end = post;
    h->posts_end = &post->next;
}

struct sim_job *sim_job_add(sim_host_t *h)
{
    struct sim_job *job = sim_alloc(sizeof *job);

    job->at_us = h->sim->now_us + sim_below(h->sim, h->sim->options.work_us);
    TAILQ_INSERT_TAIL(&h->jobs, job, link);
    return job;
}

static void op_work(gap_env_t *env, gap_work_t *work)
{
    sim_host_t *h = sim_host_of(env);
    struct sim_job *job = sim_job_add(h);

    GAP_ASSERT(op_on_loop_thread(env));
    job->work = work;
    if (h->closing) job->status = GAP_ENV_ECANCELED;
}

static int look_up(const sim_t *sim, const char *host, uint16_t port, gap_addr_t *out)
{
    char text[80];
    int n = snprintf(text, sizeof text, strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u",
                     strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, (unsigned)port);

    if (n > 0 && (size_t)n < sizeof text && gap_addr_parse(text, out) == 0) return 0;
    for (size_t i = 0; i < sim->name_count; i++) {
        if (strcmp(sim->names[i].host, host) != 0) continue;
        *out = sim->names[i].addr;
        out->port = port;
        return 0;
    }
    return EAI_NONAME_STATUS;
}

static void op_resolve(gap_env_t *env, const char *host, uint16_t port, gap_resolve_t *r)
{
    sim_host_t *h = sim_host_of(env);
    struct sim_job *job = sim_job_add(h);

    GAP_ASSERT(!h->closing);
    job->resolve = r;
    job->status = look_up(h->sim, host, port, &job->addr);
}

static void op_resolve_cancel(gap_env_t *env, gap_resolve_t *r)
{
    sim_host_t *h = sim_host_of(env);
    struct sim_job *job;

    TAILQ_FOREACH (job, &h->jobs, link) {
        if (job->resolve != r) continue;
        job->status = GAP_ENV_ECANCELED;
        job->at_us = h->sim->now_us;
    }
}

static const struct gap_env_ops sim_ops = {
    .now_us = op_now_us,
    .wall_us = op_wall_us,
    .cpu_us = op_cpu_us,
    .random = op_random,
    .on_loop_thread = op_on_loop_thread,
    .attach = op_attach,
    .set_timer = op_set_timer,
    .set_idle = op_set_idle,
    .post = op_post,
    .work = op_work,
    .worker_open = sim_worker_open,
    .worker_send = sim_worker_send,
    .worker_close = sim_worker_close,
    .file_open = sim_file_open,
    .file_size = sim_file_size,
    .file_private = sim_file_private,
    .file_read = sim_file_read,
    .file_write = sim_file_write,
    .file_sync = sim_file_sync,
    .file_close = sim_file_close,
    .connect = sim_connect,
    .write = sim_write,
    .close = sim_close,
    .listen = sim_listen,
    .close_listener = sim_close_listener,
    .resolve = op_resolve,
    .resolve_cancel = op_resolve_cancel,
};

/* ---- one iteration of a host ---- */

static void fire_timer(sim_host_t *h)
{
    if (h->fire_us > h->sim->now_us || h->host == NULL) return;
    h->deadline_us = GAP_ENV_NEVER;
    h->fire_us = GAP_ENV_NEVER;
    sim_enter(h);
    h->host->turn(h->host->arg, false);
    sim_leave(h, true);
}

static void maybe_stall(sim_host_t *h)
{
    struct sim_options *o = &h->sim->options;

    if (o->stall_us > 0 && sim_chance(h->sim, o->stalls))
        sim_stall(&h->base, 1 + sim_below(h->sim, o->stall_us));
}

static void run_post(sim_host_t *h)
{
    gap_env_post_t *post = h->posts;

    h->posts = post->next;
    if (h->posts == NULL) h->posts_end = &h->posts;
    post->fn(post);
}

static void run_job(sim_host_t *h, struct sim_job *job)
{
    TAILQ_REMOVE(&h->jobs, job, link);
    if (job->worker != NULL) {
        sim_worker_step(job);
    } else if (job->work != NULL) {
        if (job->status == 0) {
            h->sim->in_thread = true;
            job->work->run(job->work);
            h->sim->in_thread = false;
        }
        job->work->done(job->work, job->status);
    } else {
        job->resolve->done(job->resolve, job->status, &job->addr, job->status == 0 ? 1 : 0);
    }
    free(job);
}

/* Deal with the event that has @p skip others before it; NULL counts them all. */
static size_t poll_visit(sim_host_t *h, const size_t *skip)
{
    size_t n = 0;
    struct sim_job *job;
    sim_stream_t *s;
    sim_listener_t *l;

    if (h->posts != NULL && n++ == (skip != NULL ? *skip : SIZE_MAX)) {
        run_post(h);
        return n;
    }
    TAILQ_FOREACH (job, &h->jobs, link) {
        if (job->at_us > h->sim->now_us || n++ != (skip != NULL ? *skip : SIZE_MAX)) continue;
        run_job(h, job);
        return n;
    }
    TAILQ_FOREACH (s, &h->streams, link) {
        if (!s->ready || n++ != (skip != NULL ? *skip : SIZE_MAX)) continue;
        sim_stream_poll(s);
        return n;
    }
    TAILQ_FOREACH (l, &h->listeners, link) {
        if (TAILQ_EMPTY(&l->queue) || n++ != (skip != NULL ? *skip : SIZE_MAX)) continue;
        sim_listener_poll(l);
        return n;
    }
    return n;
}

/* Like one call of epoll_wait: what is ready when it begins is dealt with, what becomes ready
 * meanwhile (a callback may stall) is for the next one. */
static void poll_phase(sim_host_t *h)
{
    sim_stream_t *s;
    size_t count;

    h->unread = false;
    TAILQ_FOREACH (s, &h->streams, link) {
        s->ready = sim_stream_pollable(s);
    }
    for (unsigned i = 0; i < PICKS_IN_A_POLL && (count = poll_visit(h, NULL)) > 0; i++) {
        size_t chosen = pick(h->sim, count);
        sim_enter(h);
        (void)poll_visit(h, &chosen);
        sim_leave(h, false);
    }
    TAILQ_FOREACH (s, &h->streams, link) {
        if (s->ready) h->unread = true; /* more than one poll deals with */
    }
}

static sim_stream_t *reportable(sim_host_t *h)
{
    sim_stream_t *s;

    TAILQ_FOREACH (s, &h->streams, link) {
        if (sim_stream_reportable(s)) return s;
    }
    return NULL;
}

static void check_phase(sim_host_t *h)
{
    bool turn = h->idle && h->host != NULL;
    sim_stream_t *s;

    sim_enter(h);
    if (turn) h->host->turn(h->host->arg, !h->unread);
    for (unsigned i = 0; i < PICKS_IN_A_POLL && (s = reportable(h)) != NULL; i++)
        sim_stream_report(s);
    sim_leave(h, turn);
}

static bool nothing_left(const sim_host_t *h)
{
    return TAILQ_EMPTY(&h->streams) && TAILQ_EMPTY(&h->closing_streams) &&
           TAILQ_EMPTY(&h->listeners) && TAILQ_EMPTY(&h->closing_listeners) &&
           TAILQ_EMPTY(&h->jobs) && TAILQ_EMPTY(&h->workers) && h->posts == NULL;
}

static void finish(sim_host_t *h)
{
    void (*closed)(void *) = h->closed;
    void *arg = h->closed_arg;

    GAP_ASSERT(LIST_EMPTY(&h->files));
    TAILQ_REMOVE(&h->sim->hosts, h, link);
    free(h);
    if (closed != NULL) closed(arg);
}

static void iterate(sim_host_t *h)
{
    bool timers_first = !h->sim->options.shuffle || sim_below(h->sim, 2) == 0;

    h->busy = true;
    h->iterations++;
    maybe_stall(h);
    if (timers_first) fire_timer(h);
    maybe_stall(h);
    sim_net_arrive(h->sim);
    poll_phase(h);
    maybe_stall(h);
    check_phase(h);
    sim_close_phase(h);
    if (!timers_first) fire_timer(h);
    h->busy = false;
    if (h->closing && nothing_left(h)) finish(h);
}

/* ---- the world ---- */

static uint64_t min_us(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When this host has something to do next; now or earlier: at once. */
static uint64_t host_next_us(sim_host_t *h)
{
    struct sim_job *job;

    if (h->posts != NULL || (h->idle && h->host != NULL)) return 0;
    if (h->closing && nothing_left(h)) return 0;
    uint64_t next = sim_net_next_us(h);
    if (h->host != NULL) next = min_us(next, h->fire_us);
    TAILQ_FOREACH (job, &h->jobs, link) next = min_us(next, job->at_us);
    return next;
}

/* The n-th host that could run now, or how many there are and the next time of any. */
static sim_host_t *find_runnable(sim_t *sim, size_t nth, size_t *count, uint64_t *next_us)
{
    sim_host_t *h;

    *count = 0;
    *next_us = GAP_ENV_NEVER;
    TAILQ_FOREACH (h, &sim->hosts, link) {
        if (h->busy) continue;
        uint64_t at = host_next_us(h);
        *next_us = min_us(*next_us, at);
        if (at <= sim->now_us && (*count)++ == nth) return h;
    }
    return NULL;
}

bool sim_step(sim_t *sim, uint64_t limit_us)
{
    size_t count;
    uint64_t next_us;

    sim_net_arrive(sim);
    (void)find_runnable(sim, SIZE_MAX, &count, &next_us);
    if (count > 0) {
        GAP_ASSERT(++sim->steps_now < STEPS_AT_ONCE_MAX);
        iterate(find_runnable(sim, pick(sim, count), &count, &next_us));
        return true;
    }
    if (next_us == GAP_ENV_NEVER || next_us > limit_us) return false;
    sim->now_us = next_us;
    sim->steps_now = 0;
    return true;
}

void sim_run_until(sim_t *sim, uint64_t t_us)
{
    while (sim->now_us <= t_us && sim_step(sim, t_us)) {
    }
    if (sim->now_us < t_us) {
        sim->now_us = t_us;
        sim->steps_now = 0;
    }
}

void sim_run_for(sim_t *sim, uint64_t us)
{
    sim_run_until(sim, sim->now_us + us);
}

bool sim_run_until_quiet(sim_t *sim, uint64_t limit_us)
{
    size_t count;
    uint64_t next_us;

    while (sim->now_us <= limit_us && sim_step(sim, limit_us)) {
    }
    (void)find_runnable(sim, SIZE_MAX, &count, &next_us);
    return next_us == GAP_ENV_NEVER;
}

void sim_stall(gap_env_t *env, uint64_t us)
{
    sim_host_t *h = sim_host_of(env);
    bool was_busy = h->busy;

    h->busy = true;
    sim_run_until(h->sim, h->sim->now_us + us);
    h->busy = was_busy;
}

void sim_as_thread(sim_t *sim, void (*fn)(void *arg), void *arg)
{
    sim->in_thread = true;
    fn(arg);
    sim->in_thread = false;
}

uint64_t sim_now_us(const sim_t *sim)
{
    return sim->now_us;
}

uint64_t sim_iterations(const gap_env_t *env)
{
    return ((const sim_host_t *)(const void *)env)->iterations;
}

void sim_shift_wall(gap_env_t *env, int64_t us)
{
    sim_host_of(env)->wall_shift_us += us;
}

void sim_add_name(sim_t *sim, const char *host, const gap_addr_t *addr)
{
    GAP_ASSERT(sim->name_count < SIM_NAMES_MAX);
    sim->names[sim->name_count].host = host;
    sim->names[sim->name_count++].addr = *addr;
}

/* ---- life and death ---- */

sim_t *sim_new(uint64_t seed, const struct sim_options *options)
{
    sim_t *sim = sim_alloc(sizeof *sim);

    sim->options = *options;
    if (sim->options.window == 0) sim->options.window = 262144;
    sim->prng.state = seed;
    sim->next_port = 10000;
    TAILQ_INIT(&sim->hosts);
    LIST_INIT(&sim->disk.files);
    sim->last_pid = 1000;
    return sim;
}

gap_env_t *sim_env_open(sim_t *sim, const gap_alloc_t *alloc)
{
    sim_host_t *h = sim_alloc(sizeof *h);

    h->base.ops = &sim_ops;
    h->base.alloc = alloc;
    h->sim = sim;
    h->deadline_us = GAP_ENV_NEVER;
    h->fire_us = GAP_ENV_NEVER;
    h->posts_end = &h->posts;
    h->pid = ++sim->last_pid;
    TAILQ_INIT(&h->jobs);
    TAILQ_INIT(&h->workers);
    LIST_INIT(&h->files);
    TAILQ_INIT(&h->streams);
    TAILQ_INIT(&h->closing_streams);
    TAILQ_INIT(&h->listeners);
    TAILQ_INIT(&h->closing_listeners);
    TAILQ_INSERT_TAIL(&sim->hosts, h, link);
    return &h->base;
}

void sim_env_close(gap_env_t *env, void (*closed)(void *arg), void *arg)
{
    sim_host_t *h = sim_host_of(env);
    struct sim_job *job;

    if (h->closing) return;
    GAP_ASSERT(h->host == NULL);
    GAP_ASSERT(sim_workers_are_closed(h));
    h->closing = true;
    h->closed = closed;
    h->closed_arg = arg;
    h->idle = false;
    op_set_timer(env, GAP_ENV_NEVER);
    while (!TAILQ_EMPTY(&h->streams)) sim_close(&TAILQ_FIRST(&h->streams)->pub);
    while (!TAILQ_EMPTY(&h->listeners)) sim_close_listener(&TAILQ_FIRST(&h->listeners)->pub);
    TAILQ_FOREACH (job, &h->jobs, link) {
        if (job->worker != NULL) continue;                       /* closed: its jobs still run */
        if (job->work != NULL && pick(h->sim, 2) == 1) continue; /* this one runs already */
        job->status = GAP_ENV_ECANCELED;
        job->at_us = h->sim->now_us;
    }
}

size_t sim_free(sim_t *sim)
{
    size_t leaks = 0;
    sim_host_t *h;
    struct sim_job *job;

    while ((h = TAILQ_FIRST(&sim->hosts)) != NULL) {
        leaks += 1 + sim_net_drop(h) + sim_workers_drop(h) + sim_files_drop(h);
        while ((job = TAILQ_FIRST(&h->jobs)) != NULL) {
            TAILQ_REMOVE(&h->jobs, job, link);
            free(job);
            leaks++;
        }
        TAILQ_REMOVE(&sim->hosts, h, link);
        free(h);
    }
    sim_disk_free(&sim->disk);
    free(sim->trace);
    free(sim);
    return leaks;
}

/* ---- the trace ---- */

void sim_trace(sim_t *sim, const char *format, ...)
{
    char line[512];
    va_list args;
    int n = snprintf(line, sizeof line, "[%4llu] ", (unsigned long long)(sim->now_us / 1000));

    va_start(args, format);
    n += vsnprintf(line + n, sizeof line - (size_t)n, format, args);
    va_end(args);
    GAP_ASSERT(n > 0 && (size_t)n + 1 < sizeof line);
    line[n++] = '\n';
    if (sim->trace_len + (size_t)n + 1 > sim->trace_cap) {
        sim->trace_cap = 2 * (sim->trace_len + sizeof line);
        sim->trace = realloc(sim->trace, sim->trace_cap);
        GAP_ASSERT(sim->trace != NULL);
    }
    memcpy(sim->trace + sim->trace_len, line, (size_t)n);
    sim->trace_len += (size_t)n;
    sim->trace[sim->trace_len] = '\0';
}

const char *sim_trace_text(const sim_t *sim)
{
    return sim->trace != NULL ? sim->trace : "";
}
