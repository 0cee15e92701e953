/*
 * tests/loop/test_env_phases.c - the second half of what env/env.h promises, asked of libuv in its
 * three run modes and of the virtual world: what a drained turn means, posts, work, look-ups, and
 * running out of memory.
 */
#include "tests/check_main.h"

#include "loops/loop.h"
#include "tests/loop/ends.h"

#include <string.h>

/* ---- phases: what a drained turn means ---- */

struct gap_case {
    gap_rt_t rt;
    gap_timer_t timer;
    gap_loop_t loop;
    gap_env_post_t post;
    struct pair p;
    struct out missing;
    size_t sent;
    size_t seen_at_fire;
    int fired;
    bool read_signals;
};

static void gap_fired(gap_rt_t *rt, gap_timer_t *t)
{
    struct gap_case *c = GAP_CONTAINER_OF(t, struct gap_case, timer);

    (void)rt;
    c->fired++;
    c->seen_at_fire = gap_buf_view(&c->p.client.rx).len;
}

static void gap_loop_run(gap_rt_t *rt, gap_loop_t *loop)
{
    (void)rt;
    (void)loop;
}

static const struct gap_loop_class gap_class = {"case", gap_loop_run, gap_loop_run};

static uint8_t missing_bytes[48 * 1024];

static bool has_fired(void *arg)
{
    return ((struct gap_case *)arg)->fired > 0;
}

static void gap_case_open(struct gap_case *c, world_t *w, size_t sent, size_t cap)
{
    memset(c, 0, sizeof *c);
    gap_rt_init(&c->rt, gap_alloc_default(), w->env);
    gap_loop_init(&c->loop, &gap_class);
    c->timer.fn = gap_fired;
    c->timer.after_drain = true;
    c->sent = sent;
    pair_open(&c->p, w);
    c->p.client.cap = cap;
    gap_loop_signal(&c->rt, &c->loop); /* some turns pass: nothing is new any more */
    world_run(w, 100);
}

static void gap_case_close(struct gap_case *c, world_t *w)
{
    pair_close(&c->p);
    gap_loop_close(&c->rt, &c->loop);
    world_run(w, 20);
    ck_assert_int_eq(c->loop.state, GAP_LOOP_CLOSED);
    gap_rt_fini(&c->rt);
    w->end(w);
}

static const struct {
    size_t sent;
    size_t cap;
    const char *why;
} gap_cases[] = {
    {1, 65536, "one byte, one read"},
    {sizeof missing_bytes, 65536, "a few reads"},
    {4000, 64, "more reads than one poll makes"},
};

/* The host stalls over the deadline, outside of all phases: the timer phase comes next. */
START_TEST(test_stalled_host_reads_before_an_after_drain_timer)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(gap_cases); i++) {
        world_t *w = world_new(_i, gap_alloc_default());
        static struct gap_case c;

        gap_case_open(&c, w, gap_cases[i].sent, gap_cases[i].cap);
        uint64_t now = gap_rt_now_us(&c.rt);
        ck_assert_int_eq(gap_timer_start(&c.rt, &c.timer, now + 10000), 0);
        out_write(&c.missing, &c.p.server, missing_bytes, c.sent);
        c.sent = c.missing.w.at; /* what the socket has taken */
        w->stall(w, 150);
        ck_assert_int_eq(c.fired, 0);
        ck_assert(w->until(w, has_fired, &c, 20000));
        ck_assert_msg(c.seen_at_fire >= c.sent, "%s, %s: fired after %zu of %zu bytes", w->name,
                      gap_cases[i].why, c.seen_at_fire, c.sent);
        world_run(w, 20);
        ck_assert_int_eq(c.fired, 1);
        gap_case_close(&c, w);
    }
}
END_TEST

static void post_stalls(gap_env_post_t *post)
{
    struct gap_case *c = GAP_CONTAINER_OF(post, struct gap_case, post);
    world_t *w = c->p.w;

    out_write(&c->missing, &c->p.server, missing_bytes, c->sent);
    c->sent = c->missing.w.at;         /* what the socket has taken */
    gap_loop_signal(&c->rt, &c->loop); /* a check phase follows this very poll */
    w->stall(w, 150);
}

/* The host stalls inside the poll phase: the check phase of that iteration sees the deadline pass
 * and a poll that left nothing, and yet the bytes have come since. */
START_TEST(test_stall_between_poll_and_check_does_not_fire)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(gap_cases); i++) {
        world_t *w = world_new(_i, gap_alloc_default());
        static struct gap_case c;

        gap_case_open(&c, w, gap_cases[i].sent, gap_cases[i].cap);
        c.post.fn = post_stalls;
        uint64_t now = gap_rt_now_us(&c.rt);
        ck_assert_int_eq(gap_timer_start(&c.rt, &c.timer, now + 100000), 0);
        w->env->ops->post(w->env, &c.post);
        ck_assert(w->until(w, has_fired, &c, 20000));
        if (c.missing.e == NULL) { /* this world ran the post after the deadline: nothing to see */
            gap_case_close(&c, w);
            continue;
        }
        ck_assert_msg(c.seen_at_fire >= c.sent, "%s, %s: fired after %zu of %zu bytes", w->name,
                      gap_cases[i].why, c.seen_at_fire, c.sent);
        gap_case_close(&c, w);
    }
}
END_TEST

static void signal_on_read(struct end *e, ssize_t n)
{
    struct host *h = e->arg;

    if (n > 0) h->w->env->ops->set_idle(h->w->env, true);
}

/* What a read asks for is done in the check phase of the same iteration: no extra wait. */
START_TEST(test_check_follows_the_read)
{
    static struct pair p;
    world_t *w = world_new(_i, gap_alloc_default());
    struct host h;
    struct out o;

    host_attach(&h, w);
    pair_open(&p, w);
    world_run(w, 300);
    h.turns = 0;
    h.idle_turns_left = 1;
    p.server.arg = &h;
    p.server.on_read = signal_on_read;
    out_write(&o, &p.client, "x", 1);
    ck_assert(w->until(w, pair_server_has_bytes, &p, 5000));
    if (h.turns == 0)
        ck_assert(w->until(w, host_has_turned, &h, 0) || w->until(w, host_has_turned, &h, 1000));
    ck_assert_int_eq(h.turns, 1);
    ck_assert_msg(h.drained_turns >= 1, "%s: the one byte was read, the poll left nothing",
                  w->name);
    pair_close(&p);
    w->env->ops->attach(w->env, NULL);
    w->end(w);
}
END_TEST

/* ---- posts, work, look-ups ---- */

#define POSTS 1000

struct numbered {
    gap_env_post_t post;
    world_t *w;
    int number;
};

static struct numbered posts[POSTS];
static int posts_run;

static void numbered_run(gap_env_post_t *post)
{
    struct numbered *n = GAP_CONTAINER_OF(post, struct numbered, post);

    ck_assert(n->w->env->ops->on_loop_thread(n->w->env));
    ck_assert_int_eq(n->number, posts_run);
    posts_run++;
}

static void post_all(void *arg)
{
    world_t *w = arg;

    for (int i = 0; i < POSTS; i++) {
        posts[i].post.fn = numbered_run;
        posts[i].w = w;
        posts[i].number = i;
        w->env->ops->post(w->env, &posts[i].post);
    }
}

static bool all_posts_run(void *arg)
{
    (void)arg;
    return posts_run == POSTS;
}

START_TEST(test_posts_from_another_thread_come_in_order)
{
    world_t *w = world_new(_i, gap_alloc_default());

    posts_run = 0;
    w->as_thread(w, post_all, w);
    ck_assert_int_eq(posts_run, 0);
    ck_assert(w->until(w, all_posts_run, NULL, 5000));
    posts_run = 0;
    post_all(w); /* and from the loop thread */
    ck_assert_int_eq(posts_run, 0);
    ck_assert(w->until(w, all_posts_run, NULL, 5000));
    w->end(w);
}
END_TEST

struct job {
    gap_work_t work;
    world_t *w;
    int run;
    int done;
    int status;
};

static void job_run(gap_work_t *work)
{
    struct job *j = GAP_CONTAINER_OF(work, struct job, work);

    ck_assert(!j->w->env->ops->on_loop_thread(j->w->env));
    j->run++;
}

static void job_done(gap_work_t *work, int status)
{
    struct job *j = GAP_CONTAINER_OF(work, struct job, work);

    ck_assert(j->w->env->ops->on_loop_thread(j->w->env));
    j->done++;
    j->status = status;
}

#define JOBS 64

static bool all_jobs_done(void *arg)
{
    const struct job *jobs = arg;

    for (size_t i = 0; i < JOBS; i++) {
        if (jobs[i].done == 0) return false;
    }
    return true;
}

static void start_jobs(struct job *jobs, world_t *w)
{
    memset(jobs, 0, JOBS * sizeof *jobs);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].w = w;
        jobs[i].work.run = job_run;
        jobs[i].work.done = job_done;
        w->env->ops->work(w->env, &jobs[i].work);
        ck_assert_int_eq(jobs[i].done, 0);
    }
}

START_TEST(test_work_runs_elsewhere_and_ends_here)
{
    static struct job jobs[JOBS];
    world_t *w = world_new(_i, gap_alloc_default());

    start_jobs(jobs, w);
    ck_assert(w->until(w, all_jobs_done, jobs, 10000));
    w->end(w);
    for (size_t i = 0; i < JOBS; i++) {
        ck_assert_int_eq(jobs[i].run, 1);
        ck_assert_int_eq(jobs[i].done, 1);
        ck_assert_int_eq(jobs[i].status, 0);
    }
}
END_TEST

START_TEST(test_work_is_cancelled_or_finished_at_the_end)
{
    static struct job jobs[JOBS];
    world_t *w = world_new(_i, gap_alloc_default());

    start_jobs(jobs, w);
    w->end(w);
    for (size_t i = 0; i < JOBS; i++) {
        ck_assert_int_eq(jobs[i].done, 1);
        ck_assert_int_eq(jobs[i].run, jobs[i].status == 0 ? 1 : 0);
        ck_assert(jobs[i].status == 0 || jobs[i].status == GAP_ENV_ECANCELED);
    }
}
END_TEST

struct name {
    gap_resolve_t r;
    int done;
    int status;
    size_t count;
    gap_addr_t first;
};

static void name_done(gap_resolve_t *r, int status, const gap_addr_t *addrs, size_t count)
{
    struct name *n = GAP_CONTAINER_OF(r, struct name, r);

    n->done++;
    n->status = status;
    n->count = count;
    if (count > 0) n->first = addrs[0];
}

static bool name_is_done(void *arg)
{
    return ((struct name *)arg)->done > 0;
}

static const struct {
    const char *host;
    bool found;
} names[] = {{"localhost", true}, {"127.0.0.1", true}, {"::1", true}, {"not..a..name", false}};

START_TEST(test_look_ups)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(names); i++) {
        world_t *w = world_new(_i, gap_alloc_default());
        struct name n = {.r.done = name_done};
        w->env->ops->resolve(w->env, names[i].host, 443, &n.r);
        ck_assert_int_eq(n.done, 0);
        ck_assert_msg(w->until(w, name_is_done, &n, 30000), "%s: %s", w->name, names[i].host);
        if (names[i].found) {
            ck_assert_int_eq(n.status, 0);
            ck_assert_uint_ge(n.count, 1);
            ck_assert_uint_eq(n.first.port, 443);
        } else {
            ck_assert_int_lt(n.status, 0);
            ck_assert_uint_eq(n.count, 0);
        }
        w->end(w);
        ck_assert_int_eq(n.done, 1);
    }
}
END_TEST

START_TEST(test_cancelled_look_ups)
{
    world_t *w = world_new(_i, gap_alloc_default());
    struct name n[3] = {{.r.done = name_done}, {.r.done = name_done}, {.r.done = name_done}};

    for (size_t i = 0; i < 3; i++) w->env->ops->resolve(w->env, "localhost", 443, &n[i].r);
    w->env->ops->resolve_cancel(w->env, &n[1].r);
    w->env->ops->resolve_cancel(w->env, &n[2].r);
    w->env->ops->resolve_cancel(w->env, &n[2].r);
    ck_assert_int_eq(n[1].done, 0);
    ck_assert(w->until(w, name_is_done, &n[1], 10000));
    ck_assert(w->until(w, name_is_done, &n[0], 10000));
    w->end(w);
    ck_assert_int_eq(n[0].status, 0);
    for (size_t i = 1; i < 3; i++) {
        ck_assert_int_eq(n[i].done, 1);
        ck_assert_int_eq(n[i].status, GAP_ENV_ECANCELED);
    }
}
END_TEST

/* ---- memory ---- */

/* Every allocation of a connection fails once, then from there on all of them. */
START_TEST(test_out_of_memory)
{
    for (int on = 0; on < 2; on++) {
        for (long nth = 1; nth < 8; nth++) {
            static struct pair p;
            struct fault_alloc f;
            struct name n = {.r.done = name_done};
            fault_alloc_init(&f, 0);
            world_t *w = world_new(_i, &f.alloc);
            pair_listen(&p, w);
            f.calls = 0;
            f.fail_at = nth;
            f.fail_on = on == 1;
            w->env->ops->resolve(w->env, "localhost", 1, &n.r);
            int r = w->env->ops->connect(w->env, &p.listener->addr, &end_events, &p.client,
                                         &p.client.s);
            ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "%s: %d", w->name, r);
            ck_assert(w->until(w, name_is_done, &n, 10000));
            ck_assert(n.status == 0 || n.status == GAP_E_NOMEM);
            world_run(w, 50);
            f.fail_at = 0;
            if (r == 0) ck_assert(w->until(w, pair_client_connected, &p, 10000));
            pair_close(&p);
            ck_assert_int_eq(n.done, 1);
            w->end(w);
            ck_assert_int_eq(f.live, 0);
        }
    }
}
END_TEST

static Suite *make_suite(void)
{
    const TTest *const cases[] = {
        test_stalled_host_reads_before_an_after_drain_timer,
        test_stall_between_poll_and_check_does_not_fire,
        test_check_follows_the_read,
        test_posts_from_another_thread_come_in_order,
        test_work_runs_elsewhere_and_ends_here,
        test_work_is_cancelled_or_finished_at_the_end,
        test_look_ups,
        test_cancelled_look_ups,
        test_out_of_memory,
    };
    Suite *suite = suite_create("env_phases");
    TCase *tc = tcase_create("worlds");

    tcase_set_timeout(tc, 120);
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++)
        tcase_add_loop_test(tc, cases[i], 0, WORLD_KINDS);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
