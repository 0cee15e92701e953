/*
 * What a sequence does while its question is on its way, in both modes: held until the answer, or
 * going on with what fits. The server's answers tell of everything from where the question began.
 *
 * The question of gap_engine_missed goes out at once, so most cases begin with it: the answer takes
 * 100 ms.
 */
#include "world_steps.h"

#include "sequence/applied.h"

#define BOTH_MODES 16 /* seeds 0 to 7 hold, 8 to 15 go on */

static bool goes_on(int i)
{
    return i >= BOTH_MODES / 2;
}

static void begin_mode(int i)
{
    gap_engine_config_t c = world_config(&w);

    c.gap_continue = goes_on(i);
    begin_with(i % 8, &c);
}

/* The question goes out at pts 10; the answer takes 100 ms. */
static void ask(gap_packet_t *answer)
{
    world_answer(&w, 100, answer);
    gap_engine_missed(w.engine);
    world_run(&w, 1);
    world_expect(&w, "[   0] difference from 10\n");
}

static void feed_edit(int32_t pts, int32_t id, const char *text)
{
    w.p.text = text;
    pack_edit(&w.p, pts, 1, id);
    feed();
    w.p.text = NULL;
}

/* What fits is applied at once, and not again with the answer; one that is held comes first. */
START_TEST(what_fits_goes_on)
{
    begin_mode(_i);
    world_answer(&w, 100, difference(11, 12));
    gap_engine_missed(w.engine);
    world_run(&w, 10);
    feed_message(11);
    world_run(&w, 20);
    feed_message(12);
    world_run(&w, 30);
    feed_message(13);
    world_run(&w, 1000);
    if (goes_on(_i))
        world_expect(&w, "[   0] difference from 10\n[  10] apply 11\n[  20] apply 12\n"
                         "[  30] apply 13\n");
    else
        world_expect(&w, "[   0] difference from 10\n[ 100] apply 11\n[ 100] apply 12\n"
                         "[ 100] apply 13\n");
    world_fini(&w);
}
END_TEST

/* The count of containers that an answer tells may be from before what came meanwhile: that is no
 * new count, so one that comes twice is dropped, and the next one is in order. */
START_TEST(containers_overtake_the_answer)
{
    begin_mode(_i);
    ask(pack_empty(2));
    for (int32_t seq = 2; seq <= 6; seq++) {
        pack_query(&w.p, seq);
        ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, seq)), 0);
    }
    world_run(&w, 200);
    for (int32_t seq = 5; seq <= 7; seq++) {
        pack_query(&w.p, seq);
        ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, seq)), 0);
    }
    world_run(&w, 10000);
    if (goes_on(_i))
        world_expect(&w, "[   1] apply query 2\n[   1] apply query 3\n[   1] apply query 4\n"
                         "[   1] apply query 5\n[   1] apply query 6\n[ 200] apply query 7\n");
    else
        world_expect(&w, "[ 100] apply query 2\n[ 100] apply query 3\n[ 100] apply query 4\n"
                         "[ 100] apply query 5\n[ 100] apply query 6\n[ 200] apply query 7\n");
    world_fini(&w);
}
END_TEST

/* The missing one is late: it fills the hole while the difference is on its way. What the answer
 * brings beyond that is new. */
START_TEST(late_while_fetching)
{
    begin_mode(_i);
    feed_message(12);
    world_answer(&w, 100, difference(11, 14));
    world_run(&w, 540);
    feed_message(11);
    world_run(&w, 550);
    feed_message(15);
    world_run(&w, 5000);
    if (goes_on(_i))
        world_expect(&w, "[ 500] difference from 10\n[ 540] apply 11\n[ 540] apply 12\n"
                         "[ 600] apply 13\n[ 600] apply 14\n[ 600] apply 15\n");
    else
        world_expect(&w, "[ 500] difference from 10\n[ 600] apply 11\n[ 600] apply 12\n"
                         "[ 600] apply 13\n[ 600] apply 14\n[ 600] apply 15\n");
    world_fini(&w);
}
END_TEST

/* S31: 30 edits while fetching, all 30 out, once, in order. The answer tells of the first 20. */
START_TEST(s31_thirty_edits)
{
    char expected[2048];
    char text[8];
    int len = 0;

    begin_mode(_i);
    feed_message(11);
    world_run(&w, 0);
    for (int i = 0; i < 20; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        w.p.text = text;
        pack_edit(&w.p, 31, 0, 11);
    }
    w.p.text = NULL;
    world_answer(&w, 100, pack_difference(&w.p, 31, 5, 1));
    gap_engine_missed(w.engine);
    world_run(&w, 10);
    world_expect(&w, "[   0] apply 11\n[   0] difference from 11\n");
    for (int i = 0; i < 30; i++) {
        (void)snprintf(text, sizeof text, "%d", i);
        feed_edit(12 + i, 11, text);
        world_run(&w, 11 + (uint64_t)i);
    }
    world_run(&w, 1000);
    for (int i = 0; i < 30; i++)
        len += snprintf(expected + len, sizeof expected - (size_t)len, "[ 100] edit 11\n");
    world_expect(&w, expected);
    ck_assert_uint_eq(applied(), 31);
    world_fini(&w);
}
END_TEST

/* An edit that fits can't be told apart in the answer: it waits for it, and so does what follows.
 */
START_TEST(an_edit_waits)
{
    gap_packet_t *answer;

    begin_mode(BOTH_MODES / 2 + _i);
    pack_new(&w.p, 11);
    pack_edit(&w.p, 12, 0, 11);
    answer = pack_difference(&w.p, 12, 5, 1);
    world_answer(&w, 100, answer);
    gap_engine_missed(w.engine);
    world_run(&w, 10);
    feed_message(11);
    world_run(&w, 20);
    feed_edit(12, 11, "hello");
    feed_message(13);
    world_run(&w, 1000);
    world_expect(&w, "[   0] difference from 10\n[  10] apply 11\n[ 100] edit 11\n"
                     "[ 100] apply 13\n");
    world_fini(&w);
}
END_TEST

/* A message that was applied was edited since: the answer has it as it is now, and that is an edit.
 */
START_TEST(folded_into_what_was_applied)
{
    begin_mode(BOTH_MODES / 2 + _i);
    w.p.text = "changed";
    pack_new(&w.p, 11);
    w.p.text = NULL;
    pack_new(&w.p, 13);
    ask(pack_difference(&w.p, 13, 5, 1));
    feed_message(11);
    world_run(&w, 10);
    feed_edit(12, 11, "changed");
    feed_message(13);
    world_run(&w, 1000);
    world_expect(&w, "[   1] apply 11\n[ 100] edit 11\n[ 100] apply 13\n");
    world_fini(&w);
}
END_TEST

/* The same, and the answer brings the edits too: they are not anticipated. */
START_TEST(folded_and_told)
{
    begin_mode(BOTH_MODES / 2 + _i);
    w.p.text = "two";
    pack_new(&w.p, 11);
    w.p.text = "one";
    pack_edit(&w.p, 13, 0, 11);
    w.p.text = "two";
    pack_edit(&w.p, 13, 0, 11);
    w.p.text = NULL;
    ask(pack_difference(&w.p, 13, 5, 1));
    feed_message(11);
    world_run(&w, 1000);
    world_expect(&w, "[   1] apply 11\n[ 100] edit 11\n[ 100] edit 11\n");
    world_fini(&w);
}
END_TEST

/* How often a message was seen, and where its file lies now, are no edits; nor is what the server
 * makes of the text of a message of our own. */
START_TEST(own_message_before_the_answer)
{
    begin_mode(BOTH_MODES / 2 + _i);
    w.p.text = "trimmed";
    pack_new(&w.p, 11);
    w.p.text = NULL;
    ask(pack_difference(&w.p, 12, 5, 1));
    result(pack_send_message(PACK_USER, 1), pack_short_sent(11, 11), 0);
    world_run(&w, 1000);
    world_expect(&w, "[   1] apply 11\n");
    feed_message(13);
    world_run(&w, 1000);
    world_expect(&w, "[1000] apply 13\n");
    world_fini(&w);
}
END_TEST

/* A channel: its own ids, its own memory; others go their way in both modes. */
START_TEST(channels_go_on)
{
    begin_mode(_i);
    feed_channel(7, 50);
    feed_channel(8, 50);
    world_run(&w, 0);
    world_forget(&w);
    pack_too_long(&w.p, 7, 60);
    feed();
    world_answer(&w, 100, channel_difference(7, 51, 60, true));
    world_run(&w, 10);
    for (int32_t id = 51; id <= 53; id++) feed_channel(7, id);
    feed_channel(8, 51);
    world_run(&w, 20);
    world_expect(&w, goes_on(_i) ? "[   0] channel 7 difference from 50\n[  10] apply 7:51\n"
                                   "[  10] apply 7:52\n[  10] apply 7:53\n[  10] apply 8:51\n"
                                 : "[   0] channel 7 difference from 50\n[  10] apply 8:51\n");
    world_run(&w, 1000);
    ck_assert_uint_eq(lines_with("apply 7:"), goes_on(_i) ? 7 : 10);
    feed_channel(7, 61);
    world_run(&w, 1000);
    ck_assert_uint_eq(lines_with("apply 7:61"), 1);
    world_fini(&w);
}
END_TEST

/* qts and the order of containers: what qts counts waits for the answer, containers do not. */
START_TEST(one_question_for_three)
{
    begin_mode(BOTH_MODES / 2 + _i);
    pack_qts(&w.p, 6, 6);
    ask(pack_difference(&w.p, 10, 6, 1));
    pack_qts(&w.p, 6, 6);
    feed();
    feed_message(11);
    pack_status(&w.p, 9);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 2)), 0);
    world_run(&w, 1000);
    world_expect(&w, "[   1] apply 11\n[   1] apply status 9\n[ 100] apply q6\n");
    world_fini(&w);
}
END_TEST

/* More than is remembered: the rest waits for the answer. Nothing comes twice. */
START_TEST(more_than_is_remembered)
{
    const int32_t last = 10 + GAP_APPLIED_MAX + 10;

    begin_mode(BOTH_MODES / 2 + _i);
    ask(difference(11, last));
    for (int32_t id = 11; id <= last; id++) feed_message(id);
    world_run(&w, 50);
    ck_assert_uint_eq(applied(), GAP_APPLIED_MAX);
    world_run(&w, 1000);
    ck_assert_uint_eq(applied(), GAP_APPLIED_MAX + 10);
    world_fini(&w);
}
END_TEST

/* A slice: what follows it is fetched in the old way. */
START_TEST(slices_hold)
{
    begin_mode(BOTH_MODES / 2 + _i);
    pack_new(&w.p, 11);
    pack_new(&w.p, 12);
    ask(pack_slice(&w.p, 12, 5, 1));
    world_answer(&w, 100, difference(13, 14));
    feed_message(11);
    world_run(&w, 110);
    world_expect(&w, "[   1] apply 11\n[ 100] apply 12\n[ 100] difference from 12\n");
    feed_message(13);
    world_run(&w, 1000);
    world_expect(&w, "[ 200] apply 13\n[ 200] apply 14\n");
    world_fini(&w);
}
END_TEST

/* Pushes go on while a failed question waits; when they have healed what it was for, it is not
 * asked again. */
START_TEST(healed_while_backing_off)
{
    begin_mode(_i);
    feed_message(12);
    world_error(&w, 10, 420, "FLOOD_WAIT_30");
    world_run(&w, 2000);
    feed_message(11);
    world_run(&w, 2001);
    feed_message(13);
    world_run(&w, 100000);
    world_expect(&w, "[ 500] difference from 10\n[ 510] common failed, again in 30000 ms\n"
                     "[2000] apply 11\n[2000] apply 12\n[2001] apply 13\n");
    world_fini(&w);
}
END_TEST

/* A hole that opened after the question went out is not blamed on the answer: it has its own wait.
 */
START_TEST(a_hole_of_its_own)
{
    begin_mode(_i);
    world_answer(&w, 100, pack_empty(1));
    gap_engine_missed(w.engine);
    world_run(&w, 50);
    feed_message(12);
    world_answer(&w, 100, difference(11, 12));
    world_run(&w, 5000);
    if (goes_on(_i))
        world_expect(&w, "[   0] difference from 10\n[ 550] difference from 10\n"
                         "[ 650] apply 11\n[ 650] apply 12\n");
    else
        world_expect(&w, "[   0] difference from 10\n[ 600] difference from 10\n"
                         "[ 700] apply 11\n[ 700] apply 12\n");
    world_fini(&w);
}
END_TEST

/* A slice tells of a message as it is now; the edit that made it so comes with a later one. */
START_TEST(edit_of_a_later_slice)
{
    begin_mode(_i);
    w.p.text = "newer";
    pack_new(&w.p, 11);
    w.p.text = NULL;
    pack_new(&w.p, 12);
    world_answer(&w, 100, pack_slice(&w.p, 12, 5, 1));
    w.p.text = "newer";
    pack_edit(&w.p, 13, 0, 11);
    w.p.text = NULL;
    world_answer(&w, 100, pack_difference(&w.p, 13, 5, 1));
    gap_engine_missed(w.engine);
    world_run(&w, 10);
    feed_message(11);
    world_run(&w, 5000);
    if (goes_on(_i))
        world_expect(&w, "[   0] difference from 10\n[  10] apply 11\n[ 100] edit 11\n"
                         "[ 100] apply 12\n[ 100] difference from 12\n");
    else
        world_expect(&w, "[   0] difference from 10\n[ 100] apply 11\n[ 100] apply 12\n"
                         "[ 100] difference from 12\n[ 200] edit 11\n");
    world_fini(&w);
}
END_TEST

/* Until the last slice nothing of before is applied to what a slice has brought as it is now: not
 * while the next one is asked for, nor while that has failed. */
START_TEST(held_between_slices)
{
    begin_mode(_i);
    w.p.text = "newer";
    pack_new(&w.p, 11);
    w.p.text = NULL;
    world_answer(&w, 100, pack_slice(&w.p, 11, 5, 1));
    world_error(&w, 100, 500, "HISTORY_GET_FAILED");
    w.p.text = "newer";
    pack_edit(&w.p, 13, 0, 11);
    w.p.text = NULL;
    world_answer(&w, 100, pack_difference(&w.p, 13, 5, 1));
    gap_engine_missed(w.engine);
    world_run(&w, 150);
    feed_edit(12, 11, "older");
    world_run(&w, 300);
    world_expect(&w, "[   0] difference from 10\n[ 100] apply 11\n[ 100] difference from 11\n"
                     "[ 200] common failed, again in 1000 ms\n");
    world_run(&w, 5000);
    world_expect(&w, "[1200] difference from 11\n[1300] edit 11\n");
    world_fini(&w);
}
END_TEST

/* A slice has brought a message as it is after its edit, and the rest of the range is too long: the
 * edit, held meanwhile, is not delivered a second time. */
START_TEST(edit_of_a_slice_then_too_long)
{
    begin_mode(_i);
    feed_channel(7, 50);
    world_run(&w, 0);
    world_forget(&w);
    w.p.text = "newer";
    pack_channel_new(&w.p, 7, 51);
    w.p.text = NULL;
    world_answer(&w, 100, channel_difference(7, 52, 52, false));
    world_answer(&w, 100, pack_channel_too_long(&w.p, 7, 260));
    pack_too_long(&w.p, 7, 260);
    feed();
    world_run(&w, 10);
    feed_channel(7, 51);
    world_run(&w, 20);
    w.p.text = "newer";
    pack_channel_edit(&w.p, 7, 54, 1, 51);
    w.p.text = NULL;
    feed();
    world_run(&w, 5000);
    ck_assert_uint_eq(lines_with("] edit 7:51"), 1);
    ck_assert_uint_eq(lines_with("difference from 52"), 1);
    world_fini(&w);
}
END_TEST

/* A slice brings an edit, the next answer is too long and brings the message as it is after it. */
START_TEST(edit_of_a_slice_among_the_newest)
{
    begin_mode(BOTH_MODES / 2 + _i);
    feed_channel(7, 50);
    world_run(&w, 0);
    world_forget(&w);
    world_answer(&w, 100, channel_difference(7, 51, 52, false));
    w.p.text = "newer";
    pack_channel_edit(&w.p, 7, 53, 0, 51);
    world_answer(&w, 100, pack_channel_difference(&w.p, 53, false));
    pack_channel_new(&w.p, 7, 51);
    world_answer(&w, 100, pack_channel_too_long(&w.p, 7, 260));
    w.p.text = NULL;
    pack_too_long(&w.p, 7, 260);
    feed();
    world_run(&w, 10);
    feed_channel(7, 51);
    world_run(&w, 5000);
    ck_assert_uint_eq(lines_with("] apply 7:51"), 1);
    ck_assert_uint_eq(lines_with("] edit 7:51"), 1);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_continue");
    TCase *t = tcase_create("meanwhile");

    tcase_add_loop_test(t, what_fits_goes_on, 0, BOTH_MODES);
    tcase_add_loop_test(t, late_while_fetching, 0, BOTH_MODES);
    tcase_add_loop_test(t, s31_thirty_edits, 0, BOTH_MODES);
    tcase_add_loop_test(t, an_edit_waits, 0, 8);
    tcase_add_loop_test(t, folded_into_what_was_applied, 0, 8);
    tcase_add_loop_test(t, folded_and_told, 0, 8);
    tcase_add_loop_test(t, own_message_before_the_answer, 0, 8);
    tcase_add_loop_test(t, channels_go_on, 0, BOTH_MODES);
    tcase_add_loop_test(t, one_question_for_three, 0, 8);
    tcase_add_loop_test(t, more_than_is_remembered, 0, 8);
    tcase_add_loop_test(t, slices_hold, 0, 8);
    tcase_add_loop_test(t, healed_while_backing_off, 0, BOTH_MODES);
    tcase_add_loop_test(t, a_hole_of_its_own, 0, BOTH_MODES);
    tcase_add_loop_test(t, edit_of_a_later_slice, 0, BOTH_MODES);
    tcase_add_loop_test(t, held_between_slices, 0, BOTH_MODES);
    tcase_add_loop_test(t, containers_overtake_the_answer, 0, BOTH_MODES);
    tcase_add_loop_test(t, edit_of_a_slice_then_too_long, 0, BOTH_MODES);
    tcase_add_loop_test(t, edit_of_a_slice_among_the_newest, 0, BOTH_MODES / 2);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
