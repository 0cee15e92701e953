/*
 * Golden traces of the gap engine: whose turn it is to ask, what FLOOD_WAIT blocks, how the start's
 * questions are spread. Written from the rules before the code ran; see test_engine_golden.c.
 */
#include "world_steps.h"

#define SEEDS 24

static const gap_engine_channel_t five[] = {
    {1, 1, 50, false}, {2, 2, 50, false}, {3, 3, 50, false}, {4, 4, 50, true}, {5, 5, 50, false},
};

/* Channels 1 to 5 at 50, one question at a time; 4 is unfinished, and its question fails, so that
 * it waits for another turn from 1,010 ms on. */
static void begin_five(int seed)
{
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, five, GAP_ARRAY_LEN(five)};
    gap_engine_config_t c = {0};

    c.limits.channel_requests = 1;
    c.state = &state;
    world_init(&w, (uint64_t)seed, &c);
    gap_engine_start(w.engine);
}

/* Whatever is asked is answered after so many milliseconds: nothing new. */
static uint64_t serve_ms;
static void serve_empty(struct world *world, struct world_call *call, bool due)
{
    if (!due) {
        call->due_us = world->now_us + serve_ms * 1000;
        return;
    }
    if (call->answer.code != 0) return;
    call->answer.packet = call->channel == 0 ? pack_empty(1) : pack_channel_empty(call->pts);
}

/* The first question about channel 4 fails. */
static bool refused_four;
static void serve_five(struct world *world, struct world_call *call, bool due)
{
    serve_empty(world, call, due);
    if (due || call->channel != 4 || refused_four) return;
    refused_four = true;
    call->answer.code = 500;
    call->answer.text = "HISTORY_GET_FAILED";
}

static void too_long(int64_t channel)
{
    pack_too_long(&w.p, channel, 0);
    feed();
}

/* Open ones first, then those with updates held, then those that the server named, then the rest.
 */
START_TEST(classes_of_turns)
{
    refused_four = false;
    serve_ms = 10;
    begin_five(_i);
    w.serve = serve_five;
    world_run(&w, 500);
    world_forget(&w);
    serve_ms = 2000;
    too_long(1); /* has the one place until 2,500 */
    world_run(&w, 1100);
    too_long(2);
    world_run(&w, 1200);
    feed_channel(3, 52);
    world_run(&w, 1800);
    ck_assert_int_eq(gap_engine_open_channel(w.engine, 5), 0);
    world_run(&w, 2400);
    ck_assert_int_eq(gap_engine_close_channel(w.engine, 5), 0);
    serve_ms = 100;
    world_run(&w, 2850);
    world_expect(&w, "[ 500] channel 1 difference from 50\n[2500] channel 5 difference from 50\n"
                     "[2600] channel 3 difference from 50\n[2700] channel 2 difference from 50\n"
                     "[2800] channel 4 difference from 50\n");
    world_fini(&w);
}
END_TEST

/* S16 for the line: with ever more urgent ones waiting, the fifth turn is the passed over one's. */
START_TEST(nobody_starves)
{
    gap_engine_config_t c = {0};

    c.limits.channel_requests = 1;
    begin_with(_i, &c);
    w.serve = serve_empty;
    for (int64_t id = 1; id <= 9; id++) feed_channel(id, 50);
    world_run(&w, 1);
    world_forget(&w);
    serve_ms = 1000;
    too_long(1);
    world_run(&w, 2);
    too_long(9);
    for (int64_t id = 2; id <= 8; id++) {
        feed_channel(id, 52);
        world_run(&w, 2 + (uint64_t)id);
    }
    world_run(&w, 900);
    serve_ms = 100;
    world_run(&w, 1800);
    world_expect(&w, "[   1] channel 1 difference from 50\n[1001] channel 2 difference from 50\n"
                     "[1101] channel 3 difference from 50\n[1201] channel 4 difference from 50\n"
                     "[1301] channel 5 difference from 50\n[1401] channel 9 difference from 50\n"
                     "[1501] channel 6 difference from 50\n[1601] channel 7 difference from 50\n"
                     "[1701] channel 8 difference from 50\n");
    world_fini(&w);
}
END_TEST

/* A channel in line becomes urgent when an update of it comes, or when it is opened. */
START_TEST(more_urgent_while_in_line)
{
    gap_engine_config_t c = {0};

    c.limits.channel_requests = 1;
    begin_with(_i, &c);
    w.serve = serve_empty;
    for (int64_t id = 1; id <= 4; id++) feed_channel(id, 50);
    world_run(&w, 1);
    world_forget(&w);
    serve_ms = 1000;
    for (int64_t id = 1; id <= 4; id++) {
        too_long(id);
        world_run(&w, 1 + (uint64_t)id);
    }
    feed_channel(3, 52); /* held: 51 is missing */
    world_run(&w, 500);
    ck_assert_int_eq(gap_engine_open_channel(w.engine, 4), 0);
    ck_assert_int_eq(gap_engine_close_channel(w.engine, 4), 0);
    world_run(&w, 900);
    ck_assert_int_eq(gap_engine_open_channel(w.engine, 4), 0);
    world_run(&w, 3500);
    world_expect(&w, "[   1] channel 1 difference from 50\n[1001] channel 4 difference from 50\n"
                     "[2001] channel 3 difference from 50\n[3001] channel 2 difference from 50\n");
    world_fini(&w);
}
END_TEST

/* ---- FLOOD_WAIT ---- */

/* S46: one channel is told to wait, the others go on; a second one is told so while the first one's
 * time runs: no channel asks before the longest is over. The account's own difference is not
 * concerned. */
START_TEST(s46_second_channel_told_to_wait)
{
    begin(_i);
    for (int64_t id = 7; id <= 9; id++) feed_channel(id, 50);
    world_run(&w, 1);
    world_forget(&w);
    feed_channel(7, 52);
    world_error(&w, 20, 420, "FLOOD_WAIT_30");
    world_run(&w, 600);
    feed_channel(8, 52);
    world_error(&w, 20, 420, "FLOOD_WAIT_10");
    world_run(&w, 2000);
    feed_channel(9, 52);
    world_run(&w, 3000);
    feed_message(12);
    world_answer(&w, 20, difference(11, 12));
    world_answer(&w, 20, channel_difference(9, 51, 52, true));
    world_answer(&w, 30, channel_difference(8, 51, 52, true));
    world_answer(&w, 40, channel_difference(7, 51, 52, true));
    world_run(&w, 100000);
    world_expect(&w, "[ 501] channel 7 difference from 50\n"
                     "[ 521] channel 7 failed, again in 30000 ms\n"
                     "[1100] channel 8 difference from 50\n"
                     "[1120] channel 8 failed, again in 10000 ms\n"
                     "[3500] difference from 10\n[3520] apply 11\n[3520] apply 12\n"
                     "[30521] channel 9 difference from 50\n"
                     "[30521] channel 8 difference from 50\n"
                     "[30521] channel 7 difference from 50\n"
                     "[30541] apply 9:51\n[30541] apply 9:52\n"
                     "[30551] apply 8:51\n[30551] apply 8:52\n"
                     "[30561] apply 7:51\n[30561] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* S46: the same channel twice is no second one. */
START_TEST(s46_the_same_channel_again)
{
    begin(_i);
    for (int64_t id = 7; id <= 8; id++) feed_channel(id, 50);
    world_run(&w, 1);
    world_forget(&w);
    feed_channel(7, 52);
    world_error(&w, 20, 420, "FLOOD_WAIT_2");
    world_error(&w, 20, 420, "FLOOD_WAIT_9");
    world_run(&w, 3000);
    feed_channel(8, 52);
    world_answer(&w, 20, channel_difference(8, 51, 52, true));
    world_run(&w, 4000);
    world_expect(&w, "[ 501] channel 7 difference from 50\n"
                     "[ 521] channel 7 failed, again in 2000 ms\n"
                     "[2521] channel 7 difference from 50\n"
                     "[2541] channel 7 failed, again in 9000 ms\n"
                     "[3500] channel 8 difference from 50\n[3520] apply 8:51\n"
                     "[3520] apply 8:52\n");
    world_fini(&w);
}
END_TEST

/* The common difference is told to wait: nothing is asked, holes still heal; then it goes first. */
START_TEST(s46_the_account_told_to_wait)
{
    begin(_i);
    for (int64_t id = 7; id <= 8; id++) feed_channel(id, 50);
    world_run(&w, 1);
    world_forget(&w);
    feed_message(12);
    world_error(&w, 20, 420, "FLOOD_WAIT_5");
    world_run(&w, 1000);
    feed_channel(7, 52);
    feed_channel(8, 52);
    world_run(&w, 1200);
    feed_channel(8, 51);
    world_answer(&w, 20, difference(11, 12));
    world_answer(&w, 30, channel_difference(7, 51, 52, true));
    world_run(&w, 100000);
    world_expect(&w, "[ 501] difference from 10\n[ 521] common failed, again in 5000 ms\n"
                     "[1200] apply 8:51\n[1200] apply 8:52\n"
                     "[5521] difference from 10\n[5521] channel 7 difference from 50\n"
                     "[5541] apply 11\n[5541] apply 12\n[5551] apply 7:51\n[5551] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* ---- timeout ---- */

/* S34, S35, M13: `timeout` (here 300 s) delays neither the next slice nor the next gap. */
START_TEST(s35_timeout_is_no_ban)
{
    begin_channel(_i);
    feed_channel(7, 53);
    world_answer(&w, 20, channel_difference(7, 51, 51, false));
    world_answer(&w, 20, channel_difference(7, 52, 53, true));
    world_run(&w, 1000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] apply 7:51\n"
                     "[ 520] channel 7 difference from 51\n[ 540] apply 7:52\n"
                     "[ 540] apply 7:53\n");
    for (int32_t pts = 55; pts < 100; pts++) feed_channel(7, pts);
    world_answer(&w, 20, channel_difference(7, 54, 99, true));
    world_run(&w, 1510);
    world_expect(&w, "[1500] channel 7 difference from 53\n");
    world_run(&w, 400000);
    ck_assert_uint_eq(lines_with("apply 7:"), 46);
    ck_assert_uint_eq(lines_with("[1520]"), 46);
    world_fini(&w);
}
END_TEST

/* M12: 5,000 ahead, as far as the server says: asked, scheduled like all others. */
START_TEST(m12_too_long_live)
{
    begin_channel(_i);
    pack_too_long(&w.p, 7, 5050);
    feed();
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 5050));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 difference from 50\n"
                     "[  20] channel 7 resynchronised 50..5050: too long\n");
    world_fini(&w);
}
END_TEST

/* ---- the start ---- */

#define STORED 10000
static gap_engine_channel_t stored[STORED];
static uint32_t in_flight;
static uint32_t most_in_flight;

static void serve_counting(struct world *world, struct world_call *call, bool due)
{
    serve_empty(world, call, due);
    if (call->channel == 0) return;
    if (due) {
        in_flight--;
    } else if (++in_flight > most_in_flight) {
        most_in_flight = in_flight;
    }
}

static void begin_stored(int seed, gap_engine_config_t *c, size_t count, bool unfinished)
{
    static gap_engine_state_t state;

    for (size_t i = 0; i < count; i++)
        stored[i] =
            (gap_engine_channel_t){(int64_t)i + 1, pack_hash((int64_t)i + 1), 50, unfinished};
    state = (gap_engine_state_t){10, 5, 1, PACK_DATE, stored, count};
    c->state = &state;
    in_flight = most_in_flight = 0;
    serve_ms = 20;
    world_init(&w, (uint64_t)seed, c);
    w.serve = serve_counting;
}

/* S70, M19: a start with 10,000 channels asks about none of them; of those that the common
 * difference names at most ten at a time. A channel at rest has no timer and no record. */
START_TEST(s70_ten_thousand_stored_channels)
{
    gap_engine_config_t c = {0};
    gap_engine_counters_t count;

    begin_stored(_i, &c, STORED, false);
    gap_engine_start(w.engine);
    world_run(&w, 5000);
    world_expect(&w, "[   0] difference from 10\n");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.active, 0);
    ck_assert_uint_eq(w.rt.timers.count, 1);
    for (int64_t id = 1; id <= 60; id++) pack_too_long(&w.p, id * 100, 51);
    feed();
    world_run(&w, 5000);
    ck_assert_uint_eq(lines_with("difference from 50"), 10);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("difference from 50"), 60);
    ck_assert_uint_eq(most_in_flight, 10);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.channel_differences, 60);
    ck_assert_uint_eq(count.active, 0);
    ck_assert_uint_eq(w.rt.timers.count, 1);
    world_fini(&w);
}
END_TEST

/* S70: what the start has to ask is spread; what somebody looks at does not wait for that. */
START_TEST(s70_the_start_is_spread)
{
    gap_engine_config_t c = {0};

    c.limits.start_spread_us = 1000000;
    c.limits.jitter_permille = 200;
    c.jitter_seed = (uint64_t)_i;
    begin_stored(_i, &c, 60, true);
    serve_ms = 1;
    ck_assert_int_eq(gap_engine_open_channel(w.engine, 30), 0);
    gap_engine_start(w.engine);
    world_run(&w, 0);
    ck_assert_ptr_nonnull(strstr(w.trace, "[   0] channel 30 difference from 50\n"));
    world_run(&w, 10);
    ck_assert_uint_lt(lines_with("difference from 50"), 10);
    world_run(&w, 500);
    ck_assert_uint_gt(lines_with("difference from 50"), 15);
    ck_assert_uint_lt(lines_with("difference from 50"), 46);
    world_run(&w, 1001);
    ck_assert_uint_ge(lines_with("difference from 50"), 60);
    for (int64_t id = 1; id <= 60; id++) {
        char line[64];
        (void)snprintf(line, sizeof line, "] channel %d difference from 50\n", (int)id);
        ck_assert_uint_ge(lines_with(line), 1);
    }
    world_fini(&w);
}
END_TEST

/* S70: a channel whose update waits, or that is opened, is put off no longer. */
START_TEST(s70_put_off_until_somebody_waits)
{
    gap_engine_config_t c = {0};

    c.limits.start_spread_us = 100000000;
    c.limits.jitter_permille = 200;
    c.jitter_seed = (uint64_t)_i;
    begin_stored(_i, &c, 3, true);
    gap_engine_start(w.engine);
    world_run(&w, 1);
    world_expect(&w, "[   0] difference from 10\n");
    feed_channel(1, 51);
    world_run(&w, 2);
    ck_assert_int_eq(gap_engine_open_channel(w.engine, 2), 0);
    world_run(&w, 3);
    world_expect(&w, "[   1] channel 1 difference from 50\n[   2] channel 2 difference from 50\n");
    world_fini(&w);
}
END_TEST

/* S70: GAP_ENGINE_NO_JITTER: at once, as far as there are places. */
START_TEST(s70_no_spread)
{
    gap_engine_config_t c = {0};

    c.limits.start_spread_us = GAP_ENGINE_NO_JITTER;
    c.limits.jitter_permille = 200;
    begin_stored(_i, &c, 60, true);
    gap_engine_start(w.engine);
    world_run(&w, 0);
    ck_assert_uint_eq(lines_with("difference from 50"), 10);
    world_run(&w, 99);
    ck_assert_uint_eq(lines_with("difference from 50"), 50);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_turns");
    TCase *t = tcase_create("turns");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, classes_of_turns, 0, SEEDS);
    tcase_add_loop_test(t, nobody_starves, 0, SEEDS);
    tcase_add_loop_test(t, more_urgent_while_in_line, 0, SEEDS);
    tcase_add_loop_test(t, s46_second_channel_told_to_wait, 0, SEEDS);
    tcase_add_loop_test(t, s46_the_same_channel_again, 0, SEEDS);
    tcase_add_loop_test(t, s46_the_account_told_to_wait, 0, SEEDS);
    tcase_add_loop_test(t, s35_timeout_is_no_ban, 0, SEEDS);
    tcase_add_loop_test(t, m12_too_long_live, 0, SEEDS);
    tcase_add_loop_test(t, s70_ten_thousand_stored_channels, 0, 4);
    tcase_add_loop_test(t, s70_the_start_is_spread, 0, SEEDS);
    tcase_add_loop_test(t, s70_put_off_until_somebody_waits, 0, SEEDS);
    tcase_add_loop_test(t, s70_no_spread, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
