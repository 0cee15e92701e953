/*
 * How long holes wait: the wait that is learned, a policy of the caller's own, and what follows
 * from a wait. Each trace is what the rules say, in virtual time. A learned wait begins at 45 ms
 * (round trip 100 ms, one update held) and is told in each case.
 */
#include "loops/engine_internal.h"
#include "world_steps.h"

/* ---- a policy of the caller's own ---- */

/* A single event may be on its way, more than that are rather lost. */
static uint32_t by_size(void *data, const gap_engine_hole_t *hole)
{
    world_trace(data, "hole %d of %lld: %d..%d, %u held, open %llu ms", hole->sequence,
                (long long)hole->channel_id, hole->position, hole->first, hole->held,
                (unsigned long long)(hole->now_us - hole->since_us) / 1000);
    return hole->first - hole->position == 1 ? 300000 : 20000;
}

/* S18: the wait depends on how much is missing, the result does not. */
START_TEST(test_s18_a_policy_sees_the_size)
{
    gap_engine_config_t c = world_config(&w);

    c.gap_wait = by_size;
    c.gap_wait_data = &w;
    begin_with(_i, &c);
    feed_channel(7, 50);
    world_run(&w, 0);
    world_forget(&w);
    feed_message(12); /* 11 is missing */
    world_run(&w, 100);
    feed_channel(7, 54); /* 51 to 53 are */
    world_run(&w, 110);
    feed_message(13);
    world_answer(&w, 10, channel_difference(7, 51, 54, true));
    world_answer(&w, 10, difference(11, 13));
    world_run(&w, 1000);
    world_expect(&w, "[   0] hole 0 of 0: 10..11, 1 held, open 0 ms\n"
                     "[ 100] hole 3 of 7: 50..53, 1 held, open 0 ms\n"
                     "[ 110] hole 0 of 0: 10..11, 2 held, open 110 ms\n"
                     "[ 120] channel 7 difference from 50\n"
                     "[ 130] apply 7:51\n[ 130] apply 7:52\n[ 130] apply 7:53\n[ 130] apply 7:54\n"
                     "[ 300] difference from 10\n"
                     "[ 310] apply 11\n[ 310] apply 12\n[ 310] apply 13\n");
    world_fini(&w);
}
END_TEST

/* ---- the learned wait ---- */

static void begin_learned(int seed)
{
    gap_engine_config_t c = world_config(&w);

    c.gap_wait_us = WORLD_LEARNED;
    begin_with(seed, &c);
    /* The first answer took no time; what is learned of it is that. */
    gap_wait_rtt(&w.engine->wait, 0);
    w.engine->wait.rtt_us = 100000;
    w.engine->wait.stale = true;
}

/* How long a hole with so many held behind it waits now, in ms. */
static uint64_t wait_ms(uint32_t held)
{
    return gap_wait_us(&w.engine->wait, held, w.now_us) / 1000;
}

/* S12: filled at half of the wait. */
START_TEST(s12_filled_in_time)
{
    begin_learned(_i);
    uint64_t wait = wait_ms(1);
    ck_assert_uint_ge(wait, 2);
    ck_assert_uint_le(wait, 500);
    feed_message(12);
    world_run(&w, wait / 2);
    world_expect(&w, "");
    feed_message(11);
    world_run(&w, 5000);
    ck_assert_uint_eq(applied(), 2);
    ck_assert_uint_eq(lines_with("difference"), 0);
    world_fini(&w);
}
END_TEST

/* S14: not filled: one question, when the wait is over. */
START_TEST(s14_not_filled)
{
    char expected[160];

    begin_learned(_i);
    uint64_t wait = wait_ms(1);
    feed_message(12);
    world_answer(&w, 100, difference(11, 12));
    world_run(&w, 5000);
    (void)snprintf(expected, sizeof expected,
                   "[%4llu] difference from 10\n[%4llu] apply 11\n[%4llu] apply 12\n",
                   (unsigned long long)wait, (unsigned long long)wait + 100,
                   (unsigned long long)wait + 100);
    world_expect(&w, expected);
    world_fini(&w);
}
END_TEST

/* S17, S20: a hole that is filled in part, and a new one behind it: one episode, whose deadline
 * counts from its first sign and never moves back. */
START_TEST(s17_s20_the_deadline_stays)
{
    char expected[64];

    begin_learned(_i);
    uint64_t wait = wait_ms(2);
    feed_message(12);
    feed_message(14);
    world_run(&w, wait / 2);
    feed_message(11); /* 12 goes; 13 is still missing */
    world_run(&w, wait - 1);
    world_forget(&w);
    ck_assert_uint_eq(applied(), 2);
    feed_message(16); /* 15 too */
    world_answer(&w, 10, difference(13, 16));
    world_run(&w, wait);
    (void)snprintf(expected, sizeof expected, "[%4llu] difference from 12\n",
                   (unsigned long long)wait);
    world_expect(&w, expected);
    world_run(&w, 5000);
    ck_assert_uint_eq(applied(), 6);
    world_fini(&w);
}
END_TEST

/* S18: one, a few, more than a thousand: how many are missing does not matter to what is learned.
 */
START_TEST(s18_any_size)
{
    static const int32_t sizes[] = {1, 5, 1500};

    for (size_t i = 0; i < GAP_ARRAY_LEN(sizes); i++) {
        int32_t last = 10 + sizes[i] + 1;
        begin_learned(_i);
        uint64_t wait = wait_ms(1);
        feed_message(last);
        world_answer(&w, 50, difference(11, last));
        world_run(&w, wait - 1);
        world_expect(&w, "");
        world_run(&w, 5000);
        ck_assert_uint_eq(applied(), (uint64_t)sizes[i] + 1);
        ck_assert_uint_eq(lines_with("difference"), 1);
        world_fini(&w);
    }
}
END_TEST

/* More that wait make it shorter, from the first sign on; never longer than it was. */
START_TEST(those_that_wait_hurry)
{
    begin_learned(_i);
    uint64_t one = wait_ms(1);
    uint64_t four = wait_ms(4);
    ck_assert_uint_lt(four, one);
    for (int32_t pts = 12; pts <= 15; pts++) feed_message(pts);
    world_answer(&w, 10, difference(11, 15));
    world_run(&w, four - 1);
    world_expect(&w, "");
    world_run(&w, four);
    ck_assert_uint_eq(lines_with("difference from 10"), 1);
    world_run(&w, 5000);
    ck_assert_uint_eq(applied(), 5);
    world_fini(&w);
}
END_TEST

/* ---- what teaches nothing ---- */

static float exposure(void)
{
    return w.engine->wait.expo[0];
}

/* The host was away: 20 ms more, in which what lay in the socket is applied, and nothing is
 * learned. */
START_TEST(a_stalled_host_asks_nothing)
{
    begin_learned(_i);
    float before = exposure();
    feed_message(12);
    world_run(&w, 1);
    world_stall(&w, 5000);
    world_run(&w, 5010);
    ck_assert_uint_eq(lines_with("difference"), 0);
    feed_message(11);
    world_run(&w, 10000);
    ck_assert_uint_eq(applied(), 2);
    ck_assert_uint_eq(lines_with("difference"), 0);
    ck_assert(exposure() == before);
    world_fini(&w);
}
END_TEST

/* A connection made anew: open holes wait a moment longer and teach nothing; of what was learned a
 * quarter stays, or nothing. */
START_TEST(reconnected)
{
    begin_learned(_i);
    uint64_t wait = wait_ms(1);
    float before = exposure();
    feed_message(12);
    world_run(&w, wait - 1);
    gap_engine_reconnected(w.engine, true);
    ck_assert(exposure() < before * 0.3F);
    before = exposure();
    world_run(&w, wait + 15);
    ck_assert_uint_eq(lines_with("difference"), 0);
    world_answer(&w, 10, difference(11, 12));
    world_run(&w, wait + 100);
    ck_assert_uint_eq(lines_with("difference"), 1);
    ck_assert_uint_eq(applied(), 2);
    ck_assert(exposure() == before);
    gap_engine_reconnected(w.engine, false);
    ck_assert(!w.engine->wait.rtt_known);
    world_fini(&w);
}
END_TEST

/* A server that is behind itself for ten seconds costs no update, and not many questions. */
START_TEST(replica_behind)
{
    begin_learned(_i);
    feed_message(12);
    for (int i = 0; i < 20; i++) world_answer(&w, 50, pack_empty(1));
    world_run(&w, 12000);
    ck_assert_uint_le(lines_with("difference"), 10);
    ck_assert_uint_ge(lines_with("difference"), 6);
    ck_assert_uint_eq(lines_with("resynchronised"), 0);
    world_answer_none(&w);
    world_answer(&w, 50, difference(11, 12));
    world_run(&w, 30000);
    ck_assert_uint_eq(applied(), 2);
    ck_assert_uint_eq(lines_with("abandoned"), 0);
    world_fini(&w);
}
END_TEST

/* ---- the tail ---- */

static void begin_sweeping(int seed, bool sweep)
{
    gap_engine_config_t c = world_config(&w);

    c.tail_sweep = sweep;
    begin_with(seed, &c);
    feed_channel(7, 50);
    feed_channel(8, 20);
    world_run(&w, 0);
    world_forget(&w);
}

/* M3: the tail of channel 8 was lost with a run of channel 7's. */
START_TEST(m3_silent_after_a_loss)
{
    begin_sweeping(_i % 8, _i < 8);
    feed_channel(7, 54);
    world_answer(&w, 10, channel_difference(7, 51, 54, true));
    pack_too_long(&w.p, 7, 54);
    pack_too_long(&w.p, 8, 21);
    world_answer(&w, 10, pack_difference(&w.p, 10, 5, 1));
    world_answer(&w, 10, channel_difference(8, 21, 21, true));
    world_run(&w, 600);
    if (_i < 8)
        world_expect(&w, "[ 500] channel 7 difference from 50\n[ 510] apply 7:51\n"
                         "[ 510] apply 7:52\n[ 510] apply 7:53\n[ 510] apply 7:54\n"
                         "[ 510] difference from 10\n[ 520] channel 8 difference from 20\n"
                         "[ 530] apply 8:21\n");
    else
        world_expect(&w, "[ 500] channel 7 difference from 50\n[ 510] apply 7:51\n"
                         "[ 510] apply 7:52\n[ 510] apply 7:53\n[ 510] apply 7:54\n");
    /* Without it the watchdog finds out. */
    world_run(&w, 910000);
    ck_assert_uint_eq(lines_with("apply 8:21"), _i < 8 ? 0 : 1);
    world_fini(&w);
}
END_TEST

/* Single losses of two channels within three seconds; and again, too soon for another sweep. */
START_TEST(losses_of_two)
{
    begin_sweeping(_i, true);
    for (int32_t round = 0; round < 2; round++) {
        feed_channel(7, 52 + 2 * round);
        world_answer(&w, 10, channel_difference(7, 51 + 2 * round, 52 + 2 * round, true));
        world_run(&w, w.now_us / 1000 + 600);
        feed_channel(8, 22 + 2 * round);
        world_answer(&w, 10, channel_difference(8, 21 + 2 * round, 22 + 2 * round, true));
        if (round == 0) world_answer(&w, 10, pack_empty(1));
        world_run(&w, w.now_us / 1000 + 600);
    }
    ck_assert_uint_eq(lines_with("] difference from 10"), 1);
    ck_assert_uint_eq(applied(), 2 + 8);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_wait");
    TCase *t = tcase_create("policy");

    tcase_add_loop_test(t, test_s18_a_policy_sees_the_size, 0, 8);
    suite_add_tcase(s, t);
    t = tcase_create("learned");
    tcase_add_loop_test(t, s12_filled_in_time, 0, 8);
    tcase_add_loop_test(t, s14_not_filled, 0, 8);
    tcase_add_loop_test(t, s17_s20_the_deadline_stays, 0, 8);
    tcase_add_loop_test(t, s18_any_size, 0, 8);
    tcase_add_loop_test(t, those_that_wait_hurry, 0, 8);
    suite_add_tcase(s, t);
    t = tcase_create("excluded");
    tcase_add_loop_test(t, a_stalled_host_asks_nothing, 0, 8);
    tcase_add_loop_test(t, reconnected, 0, 8);
    tcase_add_loop_test(t, replica_behind, 0, 8);
    suite_add_tcase(s, t);
    t = tcase_create("tail");
    tcase_add_loop_test(t, m3_silent_after_a_loss, 0, 16);
    tcase_add_loop_test(t, losses_of_two, 0, 8);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
