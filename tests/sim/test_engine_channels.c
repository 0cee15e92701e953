/*
 * Golden traces of the gap engine: qts, containers, channels, results of the account's own calls,
 * short forms, peers. Written from the rules before the code ran; see test_engine_golden.c.
 */
#include "world_steps.h"

#define SEEDS 24

/* ---- qts ---- */

START_TEST(qts_in_order)
{
    begin(_i);
    pack_qts(&w.p, 6, 6);
    pack_qts(&w.p, 7, 7);
    feed();
    pack_qts(&w.p, 6, 6);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply q6\n[   0] apply q7\n");
    world_fini(&w);
}
END_TEST

START_TEST(qts_gap_is_fetched_by_the_common_difference)
{
    begin(_i);
    pack_qts(&w.p, 7, 7);
    feed();
    pack_qts(&w.p, 6, 6);
    world_answer(&w, 20, pack_difference(&w.p, 10, 6, 1));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] apply q6\n[ 520] apply q7\n");
    world_fini(&w);
}
END_TEST

/* S07 */
START_TEST(qts_zero_has_no_place)
{
    begin(_i);
    pack_qts(&w.p, 0, 100);
    pack_qts(&w.p, 6, 6);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply q100\n[   0] apply q6\n");
    world_fini(&w);
}
END_TEST

/* Recovery freezes all three: a qts update that fits waits for the answer. */
START_TEST(recovery_freezes_all_three)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_answer(&w, 100, pack_empty(1));
    pack_qts(&w.p, 6, 6);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    feed();
    world_run(&w, 99);
    world_expect(&w, "[   0] difference from 10\n");
    world_run(&w, 10000);
    ck_assert_ptr_nonnull(strstr(w.trace, "[ 100] apply q6\n"));
    ck_assert_ptr_nonnull(strstr(w.trace, "[ 100] apply 11\n"));
    world_fini(&w);
}
END_TEST

/* ---- containers ---- */

/* S21, M6, then S24 twice: the missing container itself, and a copy of the held one. */
START_TEST(late_container)
{
    begin(_i);
    pack_channel_message(&w.p, 7, 70, 1, 70);
    pack_query(&w.p, 5);
    pack_status(&w.p, 9);
    (void)world_feed(&w, pack_updates(&w.p, 3)); /* 2 is missing */
    world_answer(&w, 20, pack_empty(3));
    world_run(&w, 600);
    world_expect(&w, "[   0] apply 7:70\n[ 500] difference from 10\n"
                     "[ 520] apply query 5\n[ 520] apply status 9\n");
    pack_query(&w.p, 5);
    pack_status(&w.p, 9);
    (void)world_feed(&w, pack_updates(&w.p, 3));
    pack_query(&w.p, 4);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    pack_query(&w.p, 4);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    pack_query(&w.p, 6);
    (void)world_feed(&w, pack_updates(&w.p, 4));
    world_run(&w, 10000);
    world_expect(&w, "[ 600] apply query 4\n[ 600] apply query 6\n");
    world_fini(&w);
}
END_TEST

/* S22 */
START_TEST(container_gap_heals)
{
    begin(_i);
    pack_query(&w.p, 3);
    (void)world_feed(&w, pack_updates(&w.p, 3));
    world_run(&w, 200);
    pack_query(&w.p, 2);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    world_run(&w, 10000);
    world_expect(&w, "[ 200] apply query 2\n[ 200] apply query 3\n");
    world_fini(&w);
}
END_TEST

/* S23: those without seq are no part of the order. */
START_TEST(containers_without_seq_between)
{
    begin(_i);
    pack_query(&w.p, 1);
    (void)world_feed(&w, pack_updates(&w.p, 0));
    pack_query(&w.p, 2);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    pack_query(&w.p, 100);
    (void)world_feed(&w, pack_short(&w.p));
    pack_query(&w.p, 3);
    (void)world_feed(&w, pack_combined(&w.p, 3, 5));
    pack_query(&w.p, 6);
    (void)world_feed(&w, pack_updates(&w.p, 6));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply query 1\n[   0] apply query 2\n[   0] apply query 100\n"
                     "[   0] apply query 3\n[   0] apply query 6\n");
    world_fini(&w);
}
END_TEST

/* The pts updates of a container whose seq is old still count. */
START_TEST(stale_container_keeps_its_pts_updates)
{
    begin(_i);
    pack_query(&w.p, 2);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    pack_query(&w.p, 2);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply query 2\n[   0] apply 11\n");
    world_fini(&w);
}
END_TEST

/* updateMessageID comes before the message of its container; typing does not wait. */
START_TEST(early_updates)
{
    begin(_i);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_message_id(&w.p, 11);
    feed();
    pack_query(&w.p, 3);
    pack_typing(&w.p, 9);
    (void)world_feed(&w, pack_updates(&w.p, 3));
    world_run(&w, 1);
    world_expect(&w, "[   0] apply random 11\n[   0] apply 11\n[   0] apply typing 9\n");
    world_fini(&w);
}
END_TEST

/* ---- channels ---- */

/* M15 */
START_TEST(joined_channel)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(7, 51);
    feed_channel(7, 50);
    feed_channel(7, 53);
    world_answer(&w, 20, channel_difference(7, 52, 53, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[   0] apply 7:51\n[ 500] channel 7 difference from 51\n"
                     "[ 520] apply 7:52\n[ 520] apply 7:53\n");
    world_fini(&w);
}
END_TEST

/* S16: a gap here does not hold up what happens there. */
START_TEST(gap_delays_nobody_else)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(8, 20);
    world_run(&w, 1);
    world_forget(&w);
    feed_channel(7, 52);
    world_run(&w, 100);
    feed_channel(8, 21);
    feed_message(11);
    world_run(&w, 200);
    feed_channel(7, 51);
    world_run(&w, 10000);
    world_expect(&w, "[ 100] apply 8:21\n[ 100] apply 11\n[ 200] apply 7:51\n[ 200] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* S34, S35, M13: `timeout` is no cool-down; a slice goes on at once. */
START_TEST(channel_slices_ignore_timeout)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(7, 53);
    world_answer(&w, 20, channel_difference(7, 51, 51, false));
    world_answer(&w, 20, channel_difference(7, 52, 52, true));
    world_run(&w, 600);
    feed_channel(7, 55);
    world_answer(&w, 20, channel_difference(7, 54, 54, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[ 500] channel 7 difference from 50\n[ 520] apply 7:51\n"
                     "[ 520] channel 7 difference from 51\n[ 540] apply 7:52\n[ 540] apply 7:53\n"
                     "[1100] channel 7 difference from 53\n[1120] apply 7:54\n[1120] apply 7:55\n");
    world_fini(&w);
}
END_TEST

/* M12 */
START_TEST(channel_too_long_live)
{
    begin(_i);
    feed_channel(7, 50);
    pack_too_long(&w.p, 7, 5050);
    feed();
    world_answer(&w, 20, channel_difference(7, 51, 52, false));
    world_answer(&w, 20, channel_difference(7, 53, 53, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[   0] channel 7 difference from 50\n[  20] apply 7:51\n"
                     "[  20] apply 7:52\n[  20] channel 7 difference from 52\n"
                     "[  40] apply 7:53\n");
    world_fini(&w);
}
END_TEST

/* A hint that says nothing new is no reason to ask; one without pts is. */
START_TEST(channel_too_long_hints)
{
    begin(_i);
    feed_channel(7, 50);
    pack_too_long(&w.p, 7, 50);
    feed();
    world_run(&w, 10);
    pack_too_long(&w.p, 7, 0);
    feed();
    world_answer(&w, 20, pack_channel_empty(50));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[  10] channel 7 difference from 50\n");
    world_fini(&w);
}
END_TEST

/* S30: the order to fetch comes before the update of its own container. */
START_TEST(too_long_and_live_in_one_container)
{
    begin_channel(_i);
    pack_too_long(&w.p, 7, 52);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    feed();
    world_answer(&w, 20, channel_difference(7, 51, 52, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 difference from 50\n"
                     "[  20] apply 7:51\n[  20] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* S28, S29: a common difference names a channel and carries updates of others. */
START_TEST(channels_inside_the_common_difference)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(8, 20);
    world_run(&w, 1);
    gap_engine_missed(w.engine);
    pack_new(&w.p, 11);
    pack_too_long(&w.p, 7, 51);
    pack_channel_edit(&w.p, 8, 20, 1, 20); /* has been applied */
    pack_channel_edit(&w.p, 8, 21, 1, 19);
    world_answer(&w, 20, pack_difference(&w.p, 11, 5, 1));
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 10000);
    ck_assert_ptr_nonnull(strstr(w.trace, "[  41] apply 7:51\n"));
    ck_assert_ptr_nonnull(strstr(w.trace, "[  21] edit 8:19\n"));
    ck_assert_ptr_null(strstr(w.trace, "edit 8:20"));
    if (_i == 0)
        world_expect(&w, "[   0] apply 7:50\n[   0] apply 8:20\n[   1] difference from 10\n"
                         "[  21] apply 11\n[  21] edit 8:19\n"
                         "[  21] channel 7 difference from 50\n[  41] apply 7:51\n");
    world_fini(&w);
}
END_TEST

/* What was missed began a channel, and a push of it overtakes the difference that names it. */
START_TEST(new_channel_overtakes_the_difference)
{
    begin(_i);
    world_run(&w, 1);
    gap_engine_missed(w.engine);
    pack_too_long(&w.p, 7, 3);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_answer(&w, 20, channel_difference(7, 2, 3, true));
    world_run(&w, 4);
    feed_channel(7, 3);
    world_run(&w, 10000);
    world_expect(&w, "[   1] difference from 10\n[   4] channel 7 difference from 1\n"
                     "[  24] apply 7:2\n[  24] apply 7:3\n");
    world_fini(&w);
}
END_TEST

/* S44, M14 */
START_TEST(channel_lost_and_back)
{
    gap_engine_counters_t count;
    begin(_i);
    feed_channel(7, 50);
    feed_channel(7, 52);
    world_error(&w, 20, 400, "CHANNEL_PRIVATE");
    world_run(&w, 1000);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.sequences, 3);
    ck_assert_uint_eq(count.active, 0);
    ck_assert_uint_eq(count.held, 0);
    feed_channel(7, 90);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 lost at 50: 400\n[1000] apply 7:90\n");
    world_fini(&w);
}
END_TEST

/* The refusal is read between a push and its turn, so that the channel begins anew with it; what is
 * late comes before that. */
START_TEST(channel_found_by_what_came_with_its_loss)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(7, 52);
    world_error(&w, 20, 400, "CHANNEL_PRIVATE");
    for (int i = 0; i < 100; i++) {
        pack_status(&w.p, PACK_USER);
        world_send(&w, 520, pack_updates(&w.p, 0));
    }
    pack_channel_message(&w.p, 7, 90, 1, 90);
    world_send(&w, 520, pack_updates(&w.p, 0));
    world_run(&w, 1000);
    bool begun = lines_with("apply 7:90\n") == 1;
    ck_assert(begun || _i > 0); /* else its turn came first, and it was dropped */
    feed_channel(7, 60);
    world_run(&w, 2000);
    ck_assert_uint_eq(lines_with("apply 7:60\n"), begun ? 0 : 1);
    ck_assert_uint_eq(lines_with("lost at 50: 400\n"), 1);
    world_fini(&w);
}
END_TEST

/* M11, S33 */
START_TEST(channel_difference_too_long)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(7, 1001);
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 1000));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 resynchronised 50..1000: too long\n[ 520] apply 7:1001\n");
    world_fini(&w);
}
END_TEST

/* S43 */
START_TEST(channel_position_refused)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(7, 61);
    world_error(&w, 20, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 20, pack_channel_full(7, 60));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 state\n"
                     "[ 540] channel 7 resynchronised 50..60: invalid\n[ 540] apply 7:61\n");
    world_fini(&w);
}
END_TEST

/* S46 */
START_TEST(channel_flood_wait)
{
    begin(_i);
    feed_channel(7, 50);
    world_run(&w, 0);
    feed_channel(8, 20);
    feed_channel(7, 52);
    world_error(&w, 20, 420, "FLOOD_WAIT_30");
    world_run(&w, 600);
    feed_channel(8, 22);
    world_answer(&w, 20, channel_difference(8, 21, 22, true));
    world_answer(&w, 20, channel_difference(7, 51, 52, true));
    world_run(&w, 100000);
    world_expect(&w, "[   0] apply 7:50\n[   0] apply 8:20\n[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 failed, again in 30000 ms\n"
                     "[1100] channel 8 difference from 20\n[1120] apply 8:21\n[1120] apply 8:22\n"
                     "[30520] channel 7 difference from 50\n[30540] apply 7:51\n"
                     "[30540] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* A read mark has a pts but no count: it shows a hole, fills none, and is never lost. */
START_TEST(channel_read_marks)
{
    begin(_i);
    feed_channel(7, 50);
    pack_channel_read(&w.p, 7, 50, 50);
    feed();
    pack_channel_read(&w.p, 7, 50, 50); /* again */
    feed();
    pack_channel_read(&w.p, 7, 51, 51);
    feed();
    world_run(&w, 100);
    world_expect(&w, "[   0] apply 7:50\n[   0] apply read 7:50\n");
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] apply 7:51\n"
                     "[ 520] apply read 7:51\n");
    world_fini(&w);
}
END_TEST

/* At most ten at a time, in the order of asking. */
START_TEST(ten_channels_at_a_time)
{
    char expect[2048] = "";
    gap_engine_counters_t count;
    begin(_i);
    for (int64_t c = 1; c <= 15; c++) feed_channel(c, 50);
    world_run(&w, 0);
    world_forget(&w);
    for (int64_t c = 1; c <= 15; c++) {
        pack_too_long(&w.p, c, 0);
        world_answer(&w, 100, pack_channel_empty(50));
    }
    feed();
    world_run(&w, 99);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.channel_differences, 10);
    world_run(&w, 150);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.channel_differences, 15);
    world_run(&w, 10000);
    for (int c = 1; c <= 15; c++) {
        size_t at = strlen(expect);
        (void)snprintf(expect + at, sizeof expect - at, "[%4d] channel %d difference from 50\n",
                       c <= 10 ? 0 : 100, c);
    }
    if (_i == 0) world_expect(&w, expect);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.active, 0);
    world_fini(&w);
}
END_TEST

/* ---- peers ---- */

/* M16: nothing is known of the channel: one difference for its hash, then the update. */
START_TEST(channel_without_hash)
{
    begin(_i);
    w.p.lonely = true;
    feed_channel(7, 50);
    w.p.lonely = false;
    pack_user(&w.p, PACK_USER, false);
    pack_channel(&w.p, 7);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_run(&w, 100);
    feed_channel(7, 51);
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] apply 7:50\n[ 100] apply 7:51\n");
    world_fini(&w);
}
END_TEST

/* S49: the hash can't be had: one difference, then it goes on and says what is missing. */
START_TEST(channel_hash_never_comes)
{
    begin(_i);
    w.p.lonely = true;
    feed_channel(7, 50);
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 100);
    pack_channel_edit(&w.p, 7, 52, 1, 50);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] apply 7:50\n"
                     "[ 600] channel 7 abandoned 50..51: no hash\n[ 600] edit 7:50\n");
    world_fini(&w);
}
END_TEST

/* M17 */
START_TEST(unknown_sender_and_a_query)
{
    begin(_i);
    w.p.lonely = true;
    pack_message(&w.p, 11, 1, 11, 4711);
    pack_query(&w.p, 5);
    feed();
    pack_user(&w.p, 4711, false);
    pack_new(&w.p, 11);
    world_answer(&w, 20, pack_difference(&w.p, 11, 5, 1));
    world_run(&w, 10000);
    ck_assert_ptr_nonnull(strstr(w.trace, "[   0] apply query 5\n"));
    ck_assert_ptr_nonnull(strstr(w.trace, "[   0] difference from 10\n"));
    ck_assert_ptr_nonnull(strstr(w.trace, "[  20] apply 11\n"));
    ck_assert_uint_eq(w.trace_len, strlen("[   0] apply query 5\n[   0] difference from 10\n"
                                          "[  20] apply 11\n"));
    world_fini(&w);
}
END_TEST

/* M17: Still unknown: delivered all the same, and no storm of questions. */
START_TEST(unknown_sender_for_ever)
{
    begin(_i);
    w.p.lonely = true;
    pack_message(&w.p, 11, 1, 11, 4711);
    feed();
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 100);
    pack_message(&w.p, 12, 1, 12, 4712);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] apply 11\n[ 100] apply 12\n");
    world_fini(&w);
}
END_TEST

/* S53, S52, S54 */
START_TEST(short_messages)
{
    begin(_i);
    feed_message(11);
    (void)world_feed(&w, pack_short_message(12, 12, PACK_USER));
    world_run(&w, 10);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n");
    pack_user(&w.p, 4711, true); /* known in part only */
    feed();
    (void)world_feed(&w, pack_short_message(13, 13, 4711));
    pack_new(&w.p, 13);
    pack_user(&w.p, 4711, false);
    world_answer(&w, 20, pack_difference(&w.p, 13, 5, 1));
    world_run(&w, 10000);
    world_expect(&w, "[  10] difference from 12\n[  30] apply 13\n");
    world_fini(&w);
}
END_TEST

/* ---- own calls ---- */

/* S60 */
START_TEST(result_before_and_after_its_push)
{
    begin(_i);
    w.via = true;
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    result(pack_send_message(PACK_USER, 5), pack_updates(&w.p, 0), 0);
    feed_message(11);
    feed_message(12);
    pack_message(&w.p, 12, 1, 12, PACK_USER);
    result(pack_send_message(PACK_USER, 6), pack_updates(&w.p, 0), 0);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11 via result\n[   0] apply 12\n");
    world_fini(&w);
}
END_TEST

/* S61 */
START_TEST(short_sent_message)
{
    begin(_i);
    feed_message(11);
    result(pack_send_message(PACK_USER, 5), pack_short_sent(12, 12), 0);
    feed_message(13);
    world_run(&w, 10);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[   0] apply 13\n");
    /* as a push it says too little */
    (void)world_feed(&w, pack_short_sent(14, 14));
    pack_new(&w.p, 14);
    world_answer(&w, 20, pack_difference(&w.p, 14, 5, 1));
    world_run(&w, 10000);
    world_expect(&w, "[  10] difference from 13\n[  30] apply 14\n");
    world_fini(&w);
}
END_TEST

/* S62, M7 */
START_TEST(affected_messages)
{
    begin(_i);
    result(pack_send_message(PACK_USER, 1), pack_affected(13, 3), 0);
    feed_message(14);
    feed_message(16);
    world_run(&w, 100);
    result(pack_send_message(PACK_USER, 1), pack_affected(15, 1), 0); /* fills the gap */
    result(pack_send_message(PACK_USER, 1), pack_affected(40, 0), 0); /* nothing happened */
    result(pack_channel_delete(7), pack_affected(90, 1), 0);          /* not tracked */
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 14\n[ 100] apply 16\n");
    feed_channel(7, 50);
    result(pack_channel_delete(7), pack_affected(51, 1), 0);
    feed_channel(7, 52);
    world_run(&w, 20000);
    world_expect(&w, "[10000] apply 7:50\n[10000] apply 7:52\n");
    result(pack_send_message(PACK_USER, 1), pack_state(1, 1, 1), GAP_UNCONCERNED);
    world_fini(&w);
}
END_TEST

/* ---- overload ---- */

/* What does not fit is dropped on purpose and fetched: nothing is lost. */
START_TEST(behind_but_not_lost)
{
    gap_engine_counters_t count;
    gap_engine_config_t c = {0};
    gap_engine_state_t state = {10, 5, 1, PACK_DATE, NULL, 0};
    c.limits.inbox = 4;
    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    world_ready(&w);
    for (int32_t pts = 11; pts <= 18; pts++) {
        pack_message(&w.p, pts, 1, pts, PACK_USER);
        ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), pts <= 14 ? 0 : GAP_BEHIND);
    }
    for (int32_t id = 15; id <= 18; id++) pack_new(&w.p, id);
    world_answer(&w, 20, pack_difference(&w.p, 18, 5, 1));
    world_run(&w, 10);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[   0] apply 13\n[   0] apply 14\n"
                     "[   0] common behind\n[   0] difference from 14\n");
    feed_message(19);
    world_run(&w, 10000);
    world_expect(&w, "[  20] apply 15\n[  20] apply 16\n[  20] apply 17\n[  20] apply 18\n"
                     "[  20] apply 19\n");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.behind, 4);
    world_fini(&w);
}
END_TEST

/* The same while the hole is still open: no need to wait for its end. */
START_TEST(behind_a_gap)
{
    gap_engine_config_t c = {0};
    gap_engine_state_t state = {10, 5, 1, PACK_DATE, NULL, 0};
    c.limits.inbox = 3;
    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    world_ready(&w);
    for (int32_t pts = 12; pts <= 16; pts++) {
        pack_message(&w.p, pts, 1, pts, PACK_USER);
        ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), pts <= 14 ? 0 : GAP_BEHIND);
    }
    for (int32_t id = 11; id <= 16; id++) pack_new(&w.p, id);
    world_answer(&w, 20, pack_difference(&w.p, 16, 5, 1));
    world_run(&w, 10000);
    world_expect(&w, "[   0] common behind\n[   0] difference from 10\n[  20] apply 11\n"
                     "[  20] apply 12\n[  20] apply 13\n[  20] apply 14\n[  20] apply 15\n"
                     "[  20] apply 16\n");
    world_fini(&w);
}
END_TEST

/* ---- state ---- */

START_TEST(state_goes_out_and_in)
{
    gap_engine_state_t state;
    gap_engine_channel_t channel;
    gap_engine_config_t c = {0};
    size_t it = 0;

    begin(_i);
    feed_message(11);
    feed_channel(7, 50);
    pack_qts(&w.p, 6, 6);
    feed();
    pack_query(&w.p, 1);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    world_run(&w, 10);
    ck_assert_int_eq(gap_engine_export(w.engine, &state), 0);
    ck_assert_int_eq(state.pts, 11);
    ck_assert_int_eq(state.qts, 6);
    ck_assert_int_eq(state.seq, 2);
    ck_assert_int_eq(state.date, PACK_DATE);
    ck_assert(gap_engine_next_channel(w.engine, &it, &channel));
    ck_assert_int_eq(channel.id, 7);
    ck_assert_int_eq(channel.pts, 50);
    ck_assert_int_eq(channel.access_hash, pack_hash(7));
    ck_assert(!gap_engine_next_channel(w.engine, &it, &(gap_engine_channel_t){0}));
    world_fini(&w);
    state.channels = &channel;
    state.channel_count = 1;
    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, pack_empty(2));
    world_run(&w, 0);
    w.p.lonely = true; /* the hash is known */
    pack_channel_edit(&w.p, 7, 52, 1, 50);
    feed();
    world_answer(&w, 0, channel_difference(7, 51, 51, true));
    world_run(&w, 10000);
    ck_assert_ptr_nonnull(strstr(w.trace, "[   0] difference from 11\n"));
    ck_assert_ptr_nonnull(strstr(w.trace, "channel 7 difference from 50\n"));
    ck_assert_ptr_nonnull(strstr(w.trace, "apply 7:51\n"));
    ck_assert_ptr_nonnull(strstr(w.trace, "edit 7:50\n"));
    world_fini(&w);
}
END_TEST

static void add_first(TCase *t)
{
    tcase_add_loop_test(t, behind_but_not_lost, 0, SEEDS);
    tcase_add_loop_test(t, behind_a_gap, 0, SEEDS);
    tcase_add_loop_test(t, state_goes_out_and_in, 0, SEEDS);
    tcase_add_loop_test(t, qts_in_order, 0, SEEDS);
    tcase_add_loop_test(t, qts_gap_is_fetched_by_the_common_difference, 0, SEEDS);
    tcase_add_loop_test(t, qts_zero_has_no_place, 0, SEEDS);
    tcase_add_loop_test(t, recovery_freezes_all_three, 0, SEEDS);
    tcase_add_loop_test(t, late_container, 0, SEEDS);
    tcase_add_loop_test(t, container_gap_heals, 0, SEEDS);
    tcase_add_loop_test(t, containers_without_seq_between, 0, SEEDS);
    tcase_add_loop_test(t, stale_container_keeps_its_pts_updates, 0, SEEDS);
    tcase_add_loop_test(t, early_updates, 0, SEEDS);
    tcase_add_loop_test(t, result_before_and_after_its_push, 0, SEEDS);
    tcase_add_loop_test(t, short_sent_message, 0, SEEDS);
    tcase_add_loop_test(t, affected_messages, 0, SEEDS);
}

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_channels");
    TCase *t = tcase_create("all");
    tcase_set_timeout(t, 60);
    add_first(t);
    tcase_add_loop_test(t, joined_channel, 0, SEEDS);
    tcase_add_loop_test(t, gap_delays_nobody_else, 0, SEEDS);
    tcase_add_loop_test(t, channel_slices_ignore_timeout, 0, SEEDS);
    tcase_add_loop_test(t, channel_too_long_live, 0, SEEDS);
    tcase_add_loop_test(t, channel_too_long_hints, 0, SEEDS);
    tcase_add_loop_test(t, too_long_and_live_in_one_container, 0, SEEDS);
    tcase_add_loop_test(t, channels_inside_the_common_difference, 0, SEEDS);
    tcase_add_loop_test(t, new_channel_overtakes_the_difference, 0, SEEDS);
    tcase_add_loop_test(t, channel_lost_and_back, 0, SEEDS);
    tcase_add_loop_test(t, channel_found_by_what_came_with_its_loss, 0, SEEDS);
    tcase_add_loop_test(t, channel_difference_too_long, 0, SEEDS);
    tcase_add_loop_test(t, channel_position_refused, 0, SEEDS);
    tcase_add_loop_test(t, channel_flood_wait, 0, SEEDS);
    tcase_add_loop_test(t, channel_read_marks, 0, SEEDS);
    tcase_add_loop_test(t, ten_channels_at_a_time, 0, SEEDS);
    tcase_add_loop_test(t, channel_without_hash, 0, SEEDS);
    tcase_add_loop_test(t, channel_hash_never_comes, 0, SEEDS);
    tcase_add_loop_test(t, unknown_sender_and_a_query, 0, SEEDS);
    tcase_add_loop_test(t, unknown_sender_for_ever, 0, SEEDS);
    tcase_add_loop_test(t, short_messages, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
