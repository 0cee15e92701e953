/* tests/loop/test_uv_env.c - what only the environment on libuv has: the host's loop and process.
 */
#include "tests/check_main.h"

#include "loops/loop.h"
#include "uv/uv_env.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uv_run_mode modes[] = {UV_RUN_DEFAULT, UV_RUN_ONCE, UV_RUN_NOWAIT};

static void count_closed(void *arg)
{
    (*(int *)arg)++;
}

START_TEST(test_open_close_a_thousand_times_two_at_a_time)
{
    uv_loop_t loop;
    int closed = 0;

    ck_assert_int_eq(uv_loop_init(&loop), 0);
    for (int i = 0; i < 1000; i++) {
        gap_env_t *env[2];
        for (int k = 0; k < 2; k++)
            ck_assert_int_eq(gap_uv_env_open(&loop, gap_alloc_default(), &env[k]), 0);
        if (i % 3 == 0) (void)uv_run(&loop, UV_RUN_NOWAIT);
        for (int k = 0; k < 2; k++) gap_uv_env_close(env[k], count_closed, &closed);
        while (uv_run(&loop, modes[_i]) != 0) {
        }
        ck_assert_int_eq(closed, 2 * (i + 1));
    }
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

static void count_prepare(uv_prepare_t *p)
{
    (*(int *)p->data)++;
}
static void on_stop(uv_timer_t *t)
{
    uv_stop(t->loop);
}
static void turn_never(void *arg, bool drained)
{
    (void)drained;
    (*(int *)arg)++;
}

/* A host's loop of its own would go round twice: once to block until its timer, once to end. */
START_TEST(test_idle_environment_does_not_wake_the_host)
{
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_timer_t stop;
    gap_env_t *env;
    int turns = 0;
    int rounds = 0;
    struct gap_env_host host = {.turn = turn_never, .arg = &turns};

    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(gap_uv_env_open(&loop, gap_alloc_default(), &env), 0);
    env->ops->attach(env, &host);
    env->ops->set_timer(env, gap_env_now_us(env) + 60000000);
    ck_assert_int_eq(uv_prepare_init(&loop, &prepare), 0);
    ck_assert_int_eq(uv_timer_init(&loop, &stop), 0);
    prepare.data = &rounds;
    ck_assert_int_eq(uv_prepare_start(&prepare, count_prepare), 0);
    ck_assert_int_eq(uv_timer_start(&stop, on_stop, 200, 0), 0);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_le(rounds, 2);
    ck_assert_int_eq(turns, 0);
    env->ops->attach(env, NULL);
    gap_uv_env_close(env, NULL, NULL);
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&stop, NULL);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

static void nothing_accepted(gap_listener_t *l, gap_stream_t *s)
{
    (void)l;
    (void)s;
    ck_abort_msg("nobody connects here");
}
static void nothing_closed(gap_listener_t *l)
{
    (void)l;
}

START_TEST(test_what_keeps_the_hosts_loop_alive)
{
    uv_loop_t loop;
    gap_env_t *env;
    gap_addr_t at;
    gap_listener_t *listener;
    int turns = 0;
    struct gap_env_host host = {.turn = turn_never, .arg = &turns};

    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(gap_uv_env_open(&loop, gap_alloc_default(), &env), 0);
    ck_assert_msg(uv_loop_alive(&loop) == 0, "an environment alone does not");
    env->ops->attach(env, &host);
    env->ops->set_timer(env, gap_env_now_us(env) + 5000);
    ck_assert_msg(uv_loop_alive(&loop) != 0, "a timer does");
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(turns, 1);
    ck_assert_int_eq(gap_addr_parse("[::1]:0", &at), 0);
    if (env->ops->listen(env, &at, NULL, nothing_accepted, nothing_closed, &listener) == 0) {
        ck_assert_msg(uv_loop_alive(&loop) != 0, "a listener does");
        env->ops->close_listener(listener);
        ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    }
    env->ops->attach(env, NULL);
    gap_uv_env_close(env, NULL, NULL);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

/* ---- a peer that goes away while we write, in a process where SIGPIPE kills ---- */

struct talk {
    gap_env_t *env;
    gap_stream_t *near;
    gap_stream_t *far;
    gap_listener_t *listener;
    uint8_t buf[1024];
    gap_write_t write;
    int writes;
    int status;
};

static void talk_next(struct talk *t);

static void talk_connected(gap_stream_t *s, int status)
{
    struct talk *t = s->arg;

    ck_assert_int_eq(status, 0);
    talk_next(t);
}

static void talk_alloc(gap_stream_t *s, uint8_t **buf, size_t *cap)
{
    struct talk *t = s->arg;

    *buf = t->buf;
    *cap = sizeof t->buf;
}

static void talk_read(gap_stream_t *s, ssize_t n)
{
    struct talk *t = s->arg;

    (void)n;
    if (s == t->far) t->env->ops->close(s); /* after the first bytes */
}

static void talk_closed(gap_stream_t *s)
{
    (void)s;
}

static const struct gap_stream_events talk_events = {talk_connected, talk_alloc, talk_read,
                                                     talk_closed};

static void talk_done(gap_write_t *w, int status)
{
    struct talk *t = GAP_CONTAINER_OF(w, struct talk, write);

    t->status = status;
    if (status == 0 && t->writes < 1000) {
        talk_next(t);
        return;
    }
    t->env->ops->close(t->near);
    t->env->ops->close_listener(t->listener);
}

static void talk_next(struct talk *t)
{
    t->writes++;
    t->write.bytes = gap_bytes("hello", 5);
    t->write.done = talk_done;
    t->env->ops->write(t->near, &t->write);
}

static void talk_accepted(gap_listener_t *l, gap_stream_t *s)
{
    struct talk *t = l->arg;

    t->far = s;
    s->events = &talk_events;
    s->arg = t;
}

START_TEST(test_sigpipe_is_never_raised)
{
    uv_loop_t loop;
    gap_addr_t at;
    struct talk t = {0};

    ck_assert(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(gap_uv_env_open(&loop, gap_alloc_default(), &t.env), 0);
    ck_assert_int_eq(gap_addr_parse("127.0.0.1:0", &at), 0);
    ck_assert_int_eq(t.env->ops->listen(t.env, &at, &t, talk_accepted, nothing_closed, &t.listener),
                     0);
    ck_assert_int_eq(t.env->ops->connect(t.env, &t.listener->addr, &talk_events, &t, &t.near), 0);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_msg(t.status < 0, "a write to a closed peer fails in the end");
    gap_uv_env_close(t.env, NULL, NULL);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

START_TEST(test_a_fork_is_noticed)
{
    uv_loop_t loop;
    gap_env_t *env;
    int status = 0;

    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(gap_uv_env_open(&loop, gap_alloc_default(), &env), 0);
    ck_assert(!gap_uv_env_forked(env));
    pid_t pid = fork();
    if (pid == 0) _exit(gap_uv_env_forked(env) ? 42 : 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 42);
    gap_uv_env_close(env, NULL, NULL);
    ck_assert_int_eq(uv_run(&loop, UV_RUN_DEFAULT), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}
END_TEST

START_TEST(test_open_out_of_memory_leaves_the_loop_clean)
{
    uv_loop_t loop;
    gap_env_t *env;
    struct fault_alloc f;

    fault_alloc_init(&f, 1);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(gap_uv_env_open(&loop, &f.alloc, &env), GAP_E_NOMEM);
    ck_assert_int_eq(uv_loop_alive(&loop), 0);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("uv_env");
    TCase *tc = tcase_create("host");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, test_open_close_a_thousand_times_two_at_a_time, 0,
                        GAP_ARRAY_LEN(modes));
    tcase_add_test(tc, test_idle_environment_does_not_wake_the_host);
    tcase_add_test(tc, test_what_keeps_the_hosts_loop_alive);
    tcase_add_test(tc, test_sigpipe_is_never_raised);
    tcase_add_test(tc, test_a_fork_is_noticed);
    tcase_add_test(tc, test_open_out_of_memory_leaves_the_loop_clean);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
