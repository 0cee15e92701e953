/*
 * tests/loop/test_runner_uv.c - the runner on real libuv and real threads: handlers that go on on a
 * thread, several at a time, and one that hangs there.
 */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "loops/loop.h"
#include "loops/runner.h"
#include "sequence/update.h"
#include "uv/uv_env.h"

#include <gapless/tl_api.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define COUNT 200

static uv_loop_t loop;
static gap_env_t *env;
static gap_rt_t rt;
static gap_runner_t *lanes;
static gap_update_t updates[COUNT];
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int at_work;
    int most;
    bool stuck;    /* one is to hang */
    bool released; /* until then */
    bool was_current;
    bool was_stale;
    int last[8]; /* of a chat */
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static pthread_t loop_thread;
static int through;
static int handled[COUNT];
static int timeouts;
static bool closed;

static void finished(gap_update_t *update, int status)
{
    (void)update;
    ck_assert_int_eq(status, 0);
    through++;
}

static const struct gap_update_owner owner = {.finished = finished};

static int work(gap_update_t *run, void *data)
{
    int i = gap_update_pts(run);
    int chat = (int)gap_update_channel_id(run);
    int status = 0;

    (void)data;
    if (pthread_equal(pthread_self(), loop_thread)) abort();
    (void)pthread_mutex_lock(&shared.lock);
    if (++shared.at_work > shared.most) shared.most = shared.at_work;
    if (shared.last[chat] > i) status = GAP_E_STATE; /* out of order */
    shared.last[chat] = i;
    if (shared.stuck) {
        shared.stuck = false;
        shared.was_current = gap_update_is_current(run);
        while (!shared.released) (void)pthread_cond_wait(&shared.changed, &shared.lock);
        shared.was_stale = !gap_update_is_current(run);
    }
    (void)pthread_mutex_unlock(&shared.lock);
    (void)usleep(200);
    (void)pthread_mutex_lock(&shared.lock);
    shared.at_work--;
    (void)pthread_mutex_unlock(&shared.lock);
    return status;
}

static int handler(gap_update_t *run, void *data)
{
    (void)data;
    ck_assert(pthread_equal(pthread_self(), loop_thread));
    handled[gap_update_pts(run)]++;
    return gap_update_on_thread(run, work, NULL);
}

static void on_event(void *arg, const struct gap_runner_event *event)
{
    (void)arg;
    ck_assert_int_eq(event->kind, GAP_RUNNER_TIMED_OUT);
    timeouts++;
    (void)pthread_mutex_lock(&shared.lock);
    shared.released = true;
    (void)pthread_cond_signal(&shared.changed);
    (void)pthread_mutex_unlock(&shared.lock);
}

static void on_closed(void *arg)
{
    (void)arg;
    closed = true;
}

static void begin(uint64_t timeout_us)
{
    const gap_runner_config_t config = {
        .threads = 3, .timeout_us = timeout_us, .retry_min_us = 10000, .retry_max_us = 10000};
    const struct gap_runner_hooks hooks = {.handler = handler, .event = on_event};

    loop_thread = pthread_self();
    shared.at_work = shared.most = 0;
    shared.stuck = shared.released = shared.was_current = shared.was_stale = false;
    memset(shared.last, 0, sizeof shared.last);
    memset(updates, 0, sizeof updates);
    memset(handled, 0, sizeof handled);
    through = timeouts = 0;
    closed = false;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(gap_uv_env_open(&loop, gap_alloc_default(), &env), 0);
    gap_rt_init(&rt, gap_alloc_default(), env);
    ck_assert_int_eq(gap_runner_open(&rt, &config, &hooks, &lanes), 0);
}

static void take(int i, int chat)
{
    gap_update_t *u = &updates[i];

    u->owner = &owner;
    u->id = GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE;
    u->box = GAP_BOX_CHANNEL;
    u->channel_id = chat;
    u->pts = i;
    u->pts_count = 1;
    ck_assert_int_eq(gap_runner_take(u, lanes), GAP_LATER);
}

static void end(void)
{
    gap_runner_close(lanes, on_closed, NULL);
    while (!closed) (void)uv_run(&loop, UV_RUN_ONCE);
    gap_rt_fini(&rt);
    gap_uv_env_close(env, NULL, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

START_TEST(handlers_run_on_several_threads_and_each_chat_in_order)
{
    begin(0);
    for (int i = 0; i < COUNT; i++) take(i, i % 5);
    while (through < COUNT) (void)uv_run(&loop, UV_RUN_ONCE);
    for (int i = 0; i < COUNT; i++) ck_assert_int_eq(handled[i], 1);
    ck_assert_int_gt(shared.most, 1);
    ck_assert_int_le(shared.most, 3);
    end();
}
END_TEST

START_TEST(a_thread_that_hangs_is_told_apart_and_its_update_is_handled_again)
{
    begin(100000);
    shared.stuck = true;
    take(1, 1);
    take(2, 1);
    while (through < 2) (void)uv_run(&loop, UV_RUN_ONCE);
    ck_assert_int_eq(timeouts, 1);
    ck_assert_int_eq(handled[1], 2);
    ck_assert_int_eq(handled[2], 1);
    end(); /* waits for the thread */
    ck_assert(shared.was_current);
    ck_assert(shared.was_stale);
}
END_TEST

START_TEST(a_close_while_threads_are_at_work)
{
    begin(0);
    for (int i = 0; i < COUNT; i++) take(i, i % 5);
    for (int i = 0; i < 3; i++) (void)uv_run(&loop, UV_RUN_NOWAIT);
    end();
    ck_assert_int_eq(through, COUNT); /* what was not handled went back */
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("runner_uv");
    TCase *t = tcase_create("uv");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, handlers_run_on_several_threads_and_each_chat_in_order);
    tcase_add_test(t, a_thread_that_hangs_is_told_apart_and_its_update_is_handled_again);
    tcase_add_test(t, a_close_while_threads_are_at_work);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
