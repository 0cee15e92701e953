/*
 * The catalogue of scenarios (scenarios.txt), crashes: a state that the server does not agree with.
 * Each test is named after its scenario; its trace was written from the catalogue before the code
 * ran. The server's count is lower than ours, so that all that it pushes looks like old updates:
 * one late push or one answer is not believed; three answers in a row within 15 s are, an event
 * tells the range, and the difference is asked from the lowest place that showed.
 */
#include "kept.h"
#include "scenario_steps.h"

static const gap_engine_state_t newer = {510, 5, 1, PACK_DATE, NULL, 0};

/* An engine whose stored pts is 510; its first answer is on its way for 20 ms. */
static void begin_newer(int seed, gap_packet_t *first)
{
    gap_engine_config_t c;

    world_begin(&w, (uint64_t)seed);
    c = world_config(&w);
    c.state = &newer;
    w.again = true;
    ck_assert_int_eq(world_open(&w, &c), 0);
    gap_engine_start(w.engine);
    world_answer(&w, 20, first);
}

/* The server stands at 110; that shows at the first question. What is pushed while it is doubted
 * looks old, and comes by the difference, marked as what may have come before. */
START_TEST(s79_stored_pts_newer_than_the_servers)
{
    begin_newer(_i, pack_difference(&w.p, 110, 5, 1));
    world_run(&w, 2000);
    world_expect(&w, "[   0] difference from 510\n");
    feed_message(111);
    world_answer(&w, 20, pack_state(111, 5, 1));
    world_run(&w, 6000);
    feed_message(112);
    world_answer(&w, 20, pack_state(112, 5, 1));
    world_answer(&w, 20, difference(111, 112));
    world_run(&w, 20000);
    world_expect(&w, "[5020] state\n[15040] state\n"
                     "[15060] common resynchronised 510..110: reset\n"
                     "[15060] difference from 110\n[15080] apply 111 again\n"
                     "[15080] apply 112 again\n");
    feed_message(113);
    feed_message(115);
    world_run(&w, 20100);
    feed_message(114);
    world_run(&w, 60000);
    world_expect(&w, "[20000] apply 113\n[20100] apply 114\n[20100] apply 115\n");
    world_fini(&w);
}
END_TEST

/* The server says nothing but what it pushes: two, one above the other and ten seconds apart. */
START_TEST(s79_shown_by_pushes_alone)
{
    begin_newer(_i, pack_empty(1));
    world_run(&w, 1000);
    feed_message(111);
    world_run(&w, 12000);
    world_expect(&w, "[   0] difference from 510\n");
    for (int i = 0; i < 3; i++) world_answer(&w, 20, pack_state(112, 5, 1));
    world_answer(&w, 20, difference(111, 112));
    feed_message(112);
    world_run(&w, 60000);
    world_expect(&w, "[12000] state\n[17020] state\n[27040] state\n"
                     "[27060] common resynchronised 510..110: reset\n"
                     "[27060] difference from 110\n[27080] apply 111 again\n"
                     "[27080] apply 112 again\n");
    world_fini(&w);
}
END_TEST

/* Late ones, and one again and again: nothing is asked. */
START_TEST(s79_late_pushes_are_not_believed)
{
    begin_newer(_i, pack_empty(1));
    world_run(&w, 1000);
    world_forget(&w);
    for (uint64_t at = 1000; at < 600000; at += 30000) {
        world_run(&w, at);
        feed_message(300);
        feed_message(509);
        feed_message(510);
    }
    world_run(&w, 700000);
    world_expect(&w, "");
    feed_message(511);
    world_run(&w, 700000);
    world_expect(&w, "[700000] apply 511\n");
    world_fini(&w);
}
END_TEST

/* An update that fits between two old ones: the second is the first of a new doubt. */
START_TEST(s79_a_doubt_is_over_when_the_count_moves)
{
    begin_newer(_i, pack_empty(1));
    world_run(&w, 1000);
    feed_message(111);
    world_run(&w, 2000);
    feed_message(511);
    world_run(&w, 12000);
    feed_message(112);
    world_run(&w, 25000);
    world_expect(&w, "[   0] difference from 510\n[2000] apply 511\n");
    world_answer(&w, 20, pack_state(511, 5, 1));
    feed_message(113);
    world_run(&w, 100000);
    world_expect(&w, "[25000] state\n");
    world_fini(&w);
}
END_TEST

/* A part of the server is behind: the next answer is as it should be, or a push fits. */
START_TEST(s79_a_server_that_is_late)
{
    for (int pushed = 0; pushed < 2; pushed++) {
        begin_newer(_i, pack_difference(&w.p, 490, 5, 1));
        world_run(&w, 2000);
        world_expect(&w, "[   0] difference from 510\n");
        if (pushed > 0) {
            feed_message(511);
            world_run(&w, 100000);
            world_expect(&w, "[2000] apply 511\n");
        } else {
            world_answer(&w, 20, pack_state(490, 5, 1));
            world_answer(&w, 20, pack_state(510, 5, 1));
            world_run(&w, 100000);
            world_expect(&w, "[5020] state\n[15040] state\n");
        }
        world_fini(&w);
    }
}
END_TEST

/* The same of a channel: full information says where it stands. */
START_TEST(s79_channel_newer_than_the_servers)
{
    begin(_i);
    feed_channel(7, 550);
    world_run(&w, 0);
    world_expect(&w, "[   0] apply 7:550\n");
    world_run(&w, 1000);
    w.again = true;
    feed_channel(7, 151);
    world_run(&w, 12000);
    for (int i = 0; i < 3; i++) world_answer(&w, 20, pack_channel_full(7, 152));
    world_answer(&w, 20, channel_difference(7, 151, 152, true));
    feed_channel(7, 152);
    world_run(&w, 60000);
    world_expect(&w, "[12000] channel 7 state\n[17020] channel 7 state\n[27040] channel 7 state\n"
                     "[27060] channel 7 resynchronised 550..150: reset\n"
                     "[27060] channel 7 difference from 150\n[27080] apply 7:151 again\n"
                     "[27080] apply 7:152 again\n");
    feed_channel(7, 153);
    world_run(&w, 60000);
    world_expect(&w, "[60000] apply 7:153\n");
    world_fini(&w);
}
END_TEST

/* A channel's own differences say where it stands. */
START_TEST(s79_channel_differences_stand_lower)
{
    begin(_i);
    feed_channel(7, 550);
    world_run(&w, 1000);
    world_forget(&w);
    pack_too_long(&w.p, 7, 0);
    feed();
    world_answer(&w, 20, pack_channel_empty(150));
    for (int i = 0; i < 2; i++) world_answer(&w, 20, pack_channel_full(7, 150));
    world_answer(&w, 20, pack_channel_empty(150));
    world_run(&w, 60000);
    feed_channel(7, 151);
    world_run(&w, 60000);
    world_expect(&w, "[1000] channel 7 difference from 550\n[6020] channel 7 state\n"
                     "[16040] channel 7 state\n"
                     "[16060] channel 7 resynchronised 550..150: reset\n"
                     "[16060] channel 7 difference from 150\n[60000] apply 7:151\n");
    world_fini(&w);
}
END_TEST

/* The server says that it counts anew, and the process dies before it has said from where: no place
 * of the old count is left on the disk, and the next process tells what may be missing. */
START_TEST(s79_s72_killed_while_the_count_begins_anew)
{
    struct kept k;

    world_begin(&w, (uint64_t)_i);
    kept_init(&k, &w);
    kept_open(&k, NULL);
    gap_engine_start(w.engine);
    world_answer(&w, 0, pack_empty(1));
    world_run(&w, 0);
    world_answer(&w, 20, pack_state(3, 5, 1));
    pack_pts_changed(&w.p);
    feed();
    world_run(&w, 10);
    world_expect(&w, "[   0] difference from 10\n[   0] state\n");
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[  10] keep 0 5 1 +0\n");
    kept_crash(&k);
    w.now_us = 0;
    world_forget(&w);
    kept_open(&k, NULL);
    gap_engine_start(w.engine);
    world_answer(&w, 20, pack_state(27, 9, 1));
    world_answer(&w, 20, pack_difference(&w.p, 27, 9, 1));
    world_run(&w, 100);
    feed_message(28);
    world_run(&w, 100);
    world_expect(&w, "[   0] state\n[  20] common resynchronised 0..27: reset\n"
                     "[  20] difference from 27\n[ 100] apply 28\n");
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[ 100] keep 28 9 1 +0\n");
    world_fini(&w);
}
END_TEST

/* ---- a send that is repeated ---- */

/* D-i: The result of a send was lost; the same send again is answered with that message at the
 * place where the box is now, counting nothing. If a difference has brought it meanwhile, no gap
 * opens, nothing is asked, and it is not delivered twice. If not, it comes once the next update
 * shows that it is missing: what counts nothing shows nothing, as with messages.affected* (S62). */
START_TEST(d_i_result_of_a_repeated_send)
{
    begin(_i);
    w.via = true;
    feed_message(12);
    world_answer(&w, 20, difference(11, 12));
    world_run(&w, 1000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] apply 11 via difference\n"
                     "[ 520] apply 12 via difference\n");
    pack_message_id(&w.p, 11);
    pack_message(&w.p, 12, 0, 11, PACK_USER);
    result(pack_send_message(PACK_USER, 5), pack_updates(&w.p, 0), 0);
    world_run(&w, 2000);
    feed_message(13);
    world_run(&w, 5000);
    world_expect(&w, "[1000] apply random 11 via result\n[2000] apply 13\n");
    pack_message_id(&w.p, 14);
    pack_message(&w.p, 14, 0, 14, PACK_USER);
    result(pack_send_message(PACK_USER, 6), pack_updates(&w.p, 0), 0);
    world_answer(&w, 20, difference(14, 14));
    world_run(&w, 5600);
    feed_message(15);
    world_run(&w, 60000);
    world_expect(&w, "[5000] apply random 14 via result\n[6100] difference from 13\n"
                     "[6120] apply 14 via difference\n[6120] apply 15\n");
    world_fini(&w);
}
END_TEST

/* ---- what is stored while the engine is held ---- */

static void hold_after_11(struct world *world, gap_update_t *update)
{
    char label[64];

    world_label(update, label);
    if (strcmp(label, "apply 11") == 0) gap_engine_hold(world->engine, true);
}

/* S83: A channel's first updates are not all looked at: its beginning is not stored yet, but that
 * there is one. */
START_TEST(s83_held_while_a_channel_begins)
{
    struct kept k;

    world_begin(&w, (uint64_t)_i);
    kept_init(&k, &w);
    kept_open(&k, NULL);
    gap_engine_start(w.engine);
    world_answer(&w, 0, pack_empty(1));
    world_run(&w, 0);
    world_forget(&w);
    w.handled = hold_after_11;
    pack_channel_message(&w.p, 8, 3, 1, 3);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_channel_message(&w.p, 8, 2, 1, 2);
    feed();
    world_run(&w, 10);
    world_expect(&w, "[   0] apply 11\n");
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[  10] keep 8:0 unfinished\n[  10] keep 11 5 1 +0\n");
    gap_engine_hold(w.engine, false);
    world_run(&w, 20);
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[  10] apply 8:2\n[  10] apply 8:3\n[  20] keep 8:3\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("scenarios_crash");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s79_stored_pts_newer_than_the_servers, 0, SEEDS);
    tcase_add_loop_test(t, s79_shown_by_pushes_alone, 0, SEEDS);
    tcase_add_loop_test(t, s79_late_pushes_are_not_believed, 0, SEEDS);
    tcase_add_loop_test(t, s79_a_doubt_is_over_when_the_count_moves, 0, SEEDS);
    tcase_add_loop_test(t, s79_a_server_that_is_late, 0, SEEDS);
    tcase_add_loop_test(t, s79_channel_newer_than_the_servers, 0, SEEDS);
    tcase_add_loop_test(t, s79_channel_differences_stand_lower, 0, SEEDS);
    tcase_add_loop_test(t, s79_s72_killed_while_the_count_begins_anew, 0, SEEDS);
    tcase_add_loop_test(t, d_i_result_of_a_repeated_send, 0, SEEDS);
    tcase_add_loop_test(t, s83_held_while_a_channel_begins, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
