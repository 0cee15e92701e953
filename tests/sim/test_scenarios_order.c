/*
 * The catalogue of scenarios (scenarios.txt), order and gaps: S07 to S24. Each test is named after
 * its scenario; its trace was written from the catalogue before the code ran. The state at the
 * start is pts 10, qts 5, seq 1.
 *
 * What is said about waiting holds for the fixed wait of 500 ms and for the learned one, whose
 * length is read from a first world in which nothing fills the hole.
 */
#include "scenario_steps.h"

/* ---- the two waits ---- */

static void begin_waiting(int seed, bool learned)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    if (learned) c.gap_wait_us = WORLD_LEARNED;
    begin_with(seed, &c);
}

/* When a hole with so many updates behind it is asked about, if nothing fills it. */
static uint64_t wait_of(bool learned, int32_t held)
{
    unsigned long long at = 0;

    if (!learned) return 500;
    begin_waiting(0, true);
    for (int32_t i = 0; i < held; i++) feed_message(12 + 2 * i);
    world_run(&w, 1000);
    ck_assert_int_eq(sscanf(w.trace, "[%llu] difference from 10", &at), 1);
    ck_assert_uint_ge(at, 2);
    ck_assert_uint_le(at, 500);
    world_fini(&w);
    return at;
}

/* ---- order ---- */

START_TEST(s07_qts_zero_between)
{
    begin(_i);
    pack_qts(&w.p, 6, 6);
    pack_qts(&w.p, 0, 100);
    pack_qts(&w.p, 7, 7);
    feed();
    pack_qts(&w.p, 0, 101);
    feed();
    pack_qts(&w.p, 9, 9); /* 8 is missing: what has no place waits for nobody */
    pack_qts(&w.p, 0, 102);
    feed();
    world_run(&w, 100);
    pack_qts(&w.p, 8, 8);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply q6\n[   0] apply q100\n[   0] apply q7\n[   0] apply q101\n"
                     "[   0] apply q102\n[ 100] apply q8\n[ 100] apply q9\n");
    world_fini(&w);
}
END_TEST

/* pts 0 is "unset", in a private chat and in a channel, whatever stands at the position. */
START_TEST(s08_pts_zero)
{
    begin_channel(_i);
    pack_edit(&w.p, 0, 0, 3);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_edit(&w.p, 0, 0, 4);
    pack_channel_edit(&w.p, 7, 0, 0, 40);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    pack_channel_edit(&w.p, 7, 0, 0, 41);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] edit 3\n[   0] apply 11\n[   0] edit 4\n[   0] edit 7:40\n"
                     "[   0] apply 7:51\n[   0] edit 7:41\n");
    world_fini(&w);
}
END_TEST

/* Deleted messages of a business connection are one event of qts. Should a server count the ids,
 * there is a hole to see, and the difference tells: nothing is lost either way. */
START_TEST(s11_business_delete)
{
    int32_t ids[3] = {1, 2, 3};
    gap_tl_peer_user_t peer = {PACK_USER};
    gap_tl_update_bot_delete_business_message_t u;

    begin(_i);
    memset(&u, 0, sizeof u);
    u.connection_id = gap_str("c");
    u.peer = gap_tl_of(GAP_TL_PEER_USER, &peer);
    u.messages = gap_tl_array(ids, 3);
    u.qts = 6;
    pack_update(&w.p, GAP_TL_UPDATE_BOT_DELETE_BUSINESS_MESSAGE, &u);
    pack_qts(&w.p, 7, 7);
    feed();
    world_run(&w, 100);
    world_expect(&w, "[   0] apply updateBotDeleteBusinessMessage\n[   0] apply q7\n");
    u.qts = 10;
    pack_update(&w.p, GAP_TL_UPDATE_BOT_DELETE_BUSINESS_MESSAGE, &u);
    feed();
    pack_update(&w.p, GAP_TL_UPDATE_BOT_DELETE_BUSINESS_MESSAGE, &u);
    world_answer(&w, 20, pack_difference(&w.p, 10, 10, 1));
    world_run(&w, 700);
    pack_qts(&w.p, 11, 11);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[ 600] difference from 10\n[ 620] apply updateBotDeleteBusinessMessage\n"
                     "[ 700] apply q11\n");
    world_fini(&w);
}
END_TEST

/* ---- gaps, with both waits ---- */

START_TEST(s12_filled_at_half_of_the_wait)
{
    for (int learned = 0; learned < 2; learned++) {
        uint64_t half = wait_of(learned != 0, 1) / 2;
        begin_waiting(_i, learned != 0);
        feed_message(12);
        world_run(&w, half);
        feed_message(11);
        world_run(&w, 10000);
        expect_nothing();
        expect_at(half, "apply 11");
        expect_at(half, "apply 12");
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

START_TEST(s14_not_filled)
{
    for (int learned = 0; learned < 2; learned++) {
        uint64_t wait = wait_of(learned != 0, 1);
        begin_waiting(_i, learned != 0);
        feed_message(11);
        feed_message(13);
        world_answer(&w, 20, difference(12, 13));
        world_run(&w, 10000);
        expect_nothing();
        expect_at(0, "apply 11");
        expect_at(wait, "difference from 11");
        expect_at(wait + 20, "apply 12");
        expect_at(wait + 20, "apply 13");
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

/* A gap anywhere holds up nothing elsewhere; only while the difference is on its way do pts, qts
 * and seq wait together, because it answers all three. */
START_TEST(s16_gap_delays_nobody_else)
{
    for (int learned = 0; learned < 2; learned++) {
        uint64_t wait = wait_of(learned != 0, 1);
        uint64_t half = wait / 2;
        begin_waiting(_i, learned != 0);
        feed_channel(8, 20);
        world_run(&w, 0);
        world_expect(&w, "[   0] apply 8:20\n");
        feed_message(12);
        world_answer(&w, 100, difference(11, 12));
        world_run(&w, half);
        feed_channel(8, 21);
        pack_qts(&w.p, 6, 6);
        feed();
        pack_query(&w.p, 2);
        (void)world_feed(&w, pack_updates(&w.p, 2));
        world_run(&w, wait + 50);
        feed_channel(8, 22);
        pack_qts(&w.p, 7, 7);
        feed();
        world_run(&w, 10000);
        expect_nothing();
        expect_at(half, "apply 8:21");
        expect_at(half, "apply q6");
        expect_at(half, "apply query 2");
        expect_at(wait, "difference from 10");
        expect_at(wait + 50, "apply 8:22");
        expect_at(wait + 100, "apply 11");
        expect_at(wait + 100, "apply 12");
        expect_at(wait + 100, "apply q7");
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

/* The deadline belongs to the episode: a hole that opens before it is over waits no longer; nor
 * does what was filled put it off. More updates behind a hole may only bring it forward. */
START_TEST(s17_new_hole_while_the_timer_runs)
{
    for (int learned = 0; learned < 2; learned++) {
        uint64_t wait = wait_of(learned != 0, 1);
        uint64_t both = wait_of(learned != 0, 2);
        uint64_t at = wait * 3 / 4;
        uint64_t due = both > at ? both : at;
        begin_waiting(_i, learned != 0);
        feed_message(12);
        world_run(&w, at);
        feed_message(14);
        feed_message(11);
        world_answer(&w, 20, difference(13, 14));
        world_run(&w, 10000);
        expect_nothing();
        expect_at(at, "apply 11");
        expect_at(at, "apply 12");
        expect_at(due, "difference from 12");
        expect_at(due + 20, "apply 13");
        expect_at(due + 20, "apply 14");
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

/* One, a few, more than 1,000, more than 1,000,000 events: the result is the same. */
START_TEST(s18_s19_size_of_a_hole)
{
    static const int32_t sizes[] = {1, 2, 5, 1001, 1500, 1000001};

    for (size_t i = 0; i < 2 * GAP_ARRAY_LEN(sizes); i++) {
        bool learned = i % 2 != 0;
        uint64_t wait = wait_of(learned, 1);
        int32_t end = 10 + sizes[i / 2];
        begin_waiting(_i, learned);
        feed_message(end + 1);
        pack_new(&w.p, 11);
        if (end > 11) pack_new(&w.p, end);
        world_answer(&w, 20, pack_difference(&w.p, end, 5, 1));
        world_run(&w, 10000);
        expect_nothing();
        expect_at(wait, "difference from 10");
        expect_at(wait + 20, "apply 11");
        if (end > 11) expect_at(wait + 20, "apply %d", end);
        expect_at(wait + 20, "apply %d", end + 1);
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

/* Part of a hole is filled: the timer goes on for the rest, and it is the same timer. */
START_TEST(s20_partial_fill)
{
    for (int learned = 0; learned < 2; learned++) {
        uint64_t wait = wait_of(learned != 0, 1);
        uint64_t half = wait / 2;
        begin_waiting(_i, learned != 0);
        feed_message(14); /* 11..13 are missing */
        world_run(&w, half);
        feed_message(11);
        world_answer(&w, 20, difference(12, 13));
        world_run(&w, 10000);
        expect_nothing();
        expect_at(half, "apply 11");
        expect_at(wait, "difference from 11");
        expect_at(wait + 20, "apply 12");
        expect_at(wait + 20, "apply 13");
        expect_at(wait + 20, "apply 14");
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

/* ---- falls ---- */

static void begin_at(int seed, int32_t pts, int32_t qts)
{
    static gap_engine_state_t state;
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    state = (gap_engine_state_t){pts, qts, 1, PACK_DATE, NULL, 0};
    c.state = &state;
    begin_with(seed, &c);
}

/* A fall of 1,000,009 is an old update, one more is a server that counts anew; for a channel it is
 * 99,999. What follows is in order again. */
START_TEST(s19_m22_fall_of_a_position)
{
    gap_engine_counters_t count;

    begin_at(_i, 2000010, 2000010);
    feed_message(1000001);
    pack_qts(&w.p, 1000001, 1);
    feed();
    world_run(&w, 1);
    world_expect(&w, "");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.duplicates, 2);
    feed_message(1000000);
    feed_message(1000001);
    pack_qts(&w.p, 1000000, 2);
    pack_qts(&w.p, 1000001, 3);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   1] common resynchronised 2000010..1000000: reset\n"
                     "[   1] apply 1000000\n[   1] apply 1000001\n"
                     "[   1] qts resynchronised 2000010..1000000: reset\n"
                     "[   1] apply q2\n[   1] apply q3\n");
    feed_channel(7, 200000);
    world_run(&w, 10001);
    feed_channel(7, 100001); /* 99,999 below */
    world_run(&w, 10002);
    feed_channel(7, 100000);
    feed_channel(7, 100001);
    world_run(&w, 20000);
    world_expect(&w, "[10000] apply 7:200000\n"
                     "[10002] channel 7 resynchronised 200000..100000: reset\n"
                     "[10002] apply 7:100000\n[10002] apply 7:100001\n");
    world_fini(&w);
}
END_TEST

/* ---- containers ---- */

/* A message of a channel, a query and a status behind a missing container: the message goes to its
 * own sequence at once; the others come out once, after the difference, wherever the difference
 * says that seq stands. */
START_TEST(s21_m06_what_a_late_container_holds)
{
    static const int32_t told[] = {1, 2, 3, 9};

    for (size_t i = 0; i < GAP_ARRAY_LEN(told); i++) {
        begin(_i);
        pack_channel_message(&w.p, 7, 70, 1, 70);
        pack_query(&w.p, 5);
        pack_status(&w.p, 9);
        (void)world_feed(&w, pack_updates(&w.p, 3)); /* 2 is missing */
        world_answer(&w, 20, pack_empty(told[i]));
        world_run(&w, 600);
        world_expect(&w, "[   0] apply 7:70\n[ 500] difference from 10\n"
                         "[ 520] apply query 5\n[ 520] apply status 9\n");
        pack_query(&w.p, 4);
        (void)world_feed(&w, pack_updates(&w.p, 2)); /* it comes after all */
        pack_query(&w.p, 6);
        (void)world_feed(&w, pack_updates(&w.p, told[i] > 3 ? told[i] + 1 : 4));
        world_run(&w, 10000);
        world_expect(&w, "[ 600] apply query 4\n[ 600] apply query 6\n");
        world_fini(&w);
    }
}
END_TEST

START_TEST(s24_containers_of_unordered_updates)
{
    begin(_i);
    pack_query(&w.p, 2);
    pack_status(&w.p, 9);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    pack_status(&w.p, 10);
    (void)world_feed(&w, pack_updates(&w.p, 3));
    world_run(&w, 100);
    world_expect(&w, "[   0] apply query 2\n[   0] apply status 9\n[   0] apply status 10\n");
    pack_query(&w.p, 5); /* 4 is missing */
    pack_status(&w.p, 11);
    (void)world_feed(&w, pack_updates(&w.p, 5));
    world_answer(&w, 20, pack_empty(5));
    world_run(&w, 10000);
    world_expect(&w, "[ 600] difference from 10\n[ 620] apply query 5\n[ 620] apply status 11\n");
    world_fini(&w);
}
END_TEST

/* ---- results ---- */

static void answer_with_updates(void)
{
    gap_packet_t *p = pack_updates(&w.p, 0);
    const gap_bytes_t query = {NULL, 0};

    ck_assert_int_eq(gap_engine_result(w.engine, query, gap_bytes(p->data, p->len), p), 0);
    gap_packet_unref(p);
}

/* The same random_id once more: updateMessageID and the first message, pts_count 0, whatever the
 * server's pts is by then. The message has a place of its own, in which it is delivered. */
START_TEST(a_message_sent_again)
{
    begin_channel(_i);
    pack_message(&w.p, 11, 1, 11, PACK_USER); /* the first answer */
    answer_with_updates();
    world_run(&w, 10);
    pack_message(&w.p, 11, 0, 11, PACK_USER); /* at once */
    answer_with_updates();
    pack_message(&w.p, 40, 0, 11, PACK_USER); /* much later */
    answer_with_updates();
    pack_channel_message(&w.p, 7, 51, 0, 51); /* of one that did not come yet */
    answer_with_updates();
    world_run(&w, 100);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    pack_message(&w.p, 12, 1, 12, PACK_USER);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[ 100] apply 7:51\n[ 100] apply 12\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("scenarios_order");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s07_qts_zero_between, 0, SEEDS);
    tcase_add_loop_test(t, s08_pts_zero, 0, SEEDS);
    tcase_add_loop_test(t, s11_business_delete, 0, SEEDS);
    tcase_add_loop_test(t, s12_filled_at_half_of_the_wait, 0, SEEDS);
    tcase_add_loop_test(t, s14_not_filled, 0, SEEDS);
    tcase_add_loop_test(t, s16_gap_delays_nobody_else, 0, SEEDS);
    tcase_add_loop_test(t, s17_new_hole_while_the_timer_runs, 0, SEEDS);
    tcase_add_loop_test(t, s18_s19_size_of_a_hole, 0, SEEDS);
    tcase_add_loop_test(t, s20_partial_fill, 0, SEEDS);
    tcase_add_loop_test(t, s19_m22_fall_of_a_position, 0, SEEDS);
    tcase_add_loop_test(t, s21_m06_what_a_late_container_holds, 0, SEEDS);
    tcase_add_loop_test(t, s24_containers_of_unordered_updates, 0, SEEDS);
    tcase_add_loop_test(t, a_message_sent_again, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
