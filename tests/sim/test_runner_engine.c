/*
 * The runner behind an engine: chats of updates of all kinds, back-pressure, positions, the end.
 */
#include "loops/runner.h"
#include "world.h"

#include <string.h>

static struct world w;
static gap_runner_t *lanes;
static gap_update_t *runs[64];
static size_t run_count;
static bool later; /* handlers go on later */
static bool runner_closed;

static int handler(gap_update_t *run, void *data)
{
    char label[64];

    ck_assert_ptr_eq(data, &w);
    world_label(run, label);
    world_trace(&w, "%s", label);
    if (!later) return 0;
    ck_assert_uint_lt(run_count, 64);
    runs[run_count++] = run;
    return GAP_LATER;
}

static int take(gap_update_t *update, void *data)
{
    ck_assert_ptr_eq(data, &w);
    return gap_runner_take(update, lanes);
}

/* The oldest run ends. */
static void done(void)
{
    gap_update_t *run = runs[0];

    ck_assert_uint_gt(run_count, 0);
    memmove(runs, runs + 1, --run_count * sizeof runs[0]);
    gap_update_done(run);
}

static void hold(void *arg, bool on)
{
    ck_assert_ptr_eq(arg, &w);
    world_trace(&w, on ? "hold" : "go on");
    gap_engine_hold(w.engine, on);
}

static void begin(const gap_runner_config_t *config)
{
    const struct gap_runner_hooks hooks = {
        .handler = handler, .handler_data = &w, .hold = hold, .arg = &w};

    world_begin(&w, 0);
    ck_assert_int_eq(gap_runner_open(&w.rt, config, &hooks, &lanes), 0);
    gap_engine_config_t c = world_config(&w);
    c.handler = take;
    ck_assert_int_eq(world_open(&w, &c), 0);
    world_ready(&w);
    later = true;
    run_count = 0;
    runner_closed = false;
}

static void on_closed(void *arg)
{
    ck_assert_ptr_eq(arg, &runner_closed);
    runner_closed = true;
}

static void end(void)
{
    world_close(&w);
    gap_runner_close(lanes, on_closed, &runner_closed);
    while (run_count > 0) done();
    world_run(&w, w.now_us / 1000 + 1);
    ck_assert(runner_closed);
    world_fini(&w);
}

static void feed(void)
{
    ck_assert_int_ge(world_feed(&w, pack_updates(&w.p, 0)), 0);
    world_run(&w, w.now_us / 1000 + 1);
}

START_TEST(everything_about_a_chat_is_handled_in_order)
{
    begin(NULL);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_edit(&w.p, 12, 1, 11);
    pack_delete(&w.p, 13, 1, 11); /* names no chat */
    pack_message(&w.p, 14, 1, 12, PACK_USER);
    pack_channel_message(&w.p, 7, 5, 1, 3);
    feed();
    world_expect(&w, "[   0] apply 11\n[   0] apply 7:3\n");
    done();
    world_run(&w, 2);
    world_expect(&w, "[   1] edit 11\n");
    done(); /* the channel's */
    done();
    world_run(&w, 3);
    world_expect(&w, "[   2] delete 11\n");
    done();
    world_run(&w, 4);
    world_expect(&w, "[   3] apply 12\n");
    end();
}
END_TEST

START_TEST(messages_that_nobody_knows_are_deleted_in_the_accounts_lane)
{
    begin(NULL);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_delete(&w.p, 12, 1, 5);
    feed();
    world_expect(&w, "[   0] apply 11\n[   0] delete 5\n");
    end();
}
END_TEST

START_TEST(a_query_waits_for_its_chat_alone)
{
    begin(NULL);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_message(&w.p, 12, 1, 12, PACK_USER);
    feed();
    pack_query(&w.p, 5);
    feed();
    world_expect(&w, "[   0] apply 11\n");
    done();
    world_run(&w, 3);
    world_expect(&w, "[   2] apply 12\n");
    done();
    world_run(&w, 4);
    world_expect(&w, "[   3] apply query 5\n");
    end();
}
END_TEST

START_TEST(the_position_stays_before_what_is_unfinished)
{
    begin(NULL);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_delete(&w.p, 12, 1, 5); /* in another lane */
    feed();
    ck_assert_uint_eq(run_count, 2);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_COMMON, 0), 10);
    gap_update_t *first = runs[0];
    runs[0] = runs[1];
    run_count = 1;
    done(); /* the second */
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_COMMON, 0), 10);
    gap_update_done(first);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_COMMON, 0), 12);
    end();
}
END_TEST

START_TEST(a_full_runner_holds_the_engine_and_loses_nothing)
{
    const gap_runner_config_t config = {.waiting_max = 4};

    begin(&config);
    for (int i = 1; i <= 8; i++) pack_message(&w.p, 10 + i, 1, 10 + i, PACK_USER);
    feed();
    ck_assert_ptr_nonnull(strstr(w.trace, "hold"));
    pack_message(&w.p, 19, 1, 19, PACK_USER);
    feed();
    ck_assert_ptr_null(strstr(w.trace, "apply 19"));
    for (int i = 0; i < 9; i++) {
        while (run_count == 0) world_run(&w, w.now_us / 1000 + 1);
        done();
        world_run(&w, w.now_us / 1000 + 5);
    }
    ck_assert_ptr_nonnull(strstr(w.trace, "go on"));
    ck_assert_ptr_nonnull(strstr(w.trace, "apply 19"));
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_COMMON, 0), 19);
    gap_runner_stats_t s;
    gap_runner_stats(lanes, &s);
    ck_assert_uint_eq(s.handled, 9);
    end();
}
END_TEST

START_TEST(what_waits_at_the_end_keeps_its_place)
{
    begin(NULL);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_message(&w.p, 12, 1, 12, PACK_USER);
    feed();
    ck_assert_uint_eq(run_count, 1);
    world_close(&w);
    gap_runner_close(lanes, on_closed, &runner_closed);
    done();
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_COMMON, 0), 11);
    world_run(&w, w.now_us / 1000 + 1);
    ck_assert(runner_closed);
    ck_assert_uint_eq(run_count, 0); /* the second was never begun */
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("runner_engine");
    TCase *t = tcase_create("engine");

    tcase_add_test(t, everything_about_a_chat_is_handled_in_order);
    tcase_add_test(t, messages_that_nobody_knows_are_deleted_in_the_accounts_lane);
    tcase_add_test(t, a_query_waits_for_its_chat_alone);
    tcase_add_test(t, the_position_stays_before_what_is_unfinished);
    tcase_add_test(t, a_full_runner_holds_the_engine_and_loses_nothing);
    tcase_add_test(t, what_waits_at_the_end_keeps_its_place);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
