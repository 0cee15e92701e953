/*
 * How an account begins to follow channels. The date in the question for the common difference: the
 * server names the channels that have changed since; it must not be later than anything that may
 * have been missed. And where a channel begins that it names.
 */
#include "world_steps.h"

#include <string.h>

#define SEEDS   8
#define EARLIER 1 /* seconds: the same second may have had more */

/* The date of the question for the common difference that is in flight. */
static int32_t asked_date(void)
{
    for (size_t i = 0; i < WORLD_CALLS; i++) {
        if (w.calls[i].used && w.calls[i].channel == 0) return w.calls[i].date;
    }
    ck_abort_msg("no difference is asked for");
    return 0;
}

static gap_packet_t *state_later(int32_t pts, int32_t seconds)
{
    gap_tl_updates_state_t s = {pts, 5, PACK_DATE + seconds, 1, 0};
    return pack_object(GAP_TL_UPDATES_STATE, &s);
}

/* What a channel loses while an account that begins has no state yet. */
START_TEST(updates_before_the_state)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, state_later(10, 100));
    w.p.later = 3;
    feed_channel(7, 50);
    w.p.later = 4;
    feed_channel(7, 51);
    w.p.later = 0;
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE + 3 - EARLIER);
    world_fini(&w);
}
END_TEST

/* What was made first may come last. */
START_TEST(updates_before_the_state_in_any_order)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, state_later(10, 100));
    w.p.later = 9;
    feed_channel(7, 50);
    w.p.later = 3;
    feed_channel(8, 50);
    w.p.later = 6;
    feed_channel(7, 51);
    w.p.later = 0;
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE + 3 - EARLIER);
    world_fini(&w);
}
END_TEST

START_TEST(nothing_before_the_state)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, state_later(10, 100));
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE + 100 - EARLIER);
    feed_channel(7, 50); /* too late to matter */
    world_run(&w, 2);
    ck_assert_int_eq(asked_date(), PACK_DATE + 100 - EARLIER);
    world_fini(&w);
}
END_TEST

/* Asking where the server stands says nothing about the channels. */
START_TEST(position_refused)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 0, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 0, state_later(40, 100));
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE - EARLIER);
    world_fini(&w);
}
END_TEST

START_TEST(pts_changed)
{
    begin(_i);
    pack_pts_changed(&w.p);
    world_answer(&w, 0, state_later(3, 100));
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE - EARLIER);
    world_fini(&w);
}
END_TEST

/* What is held when the server begins to count anew is of the old count, though the new one begins
 * below it: nothing can fill the hole before it, and what follows has numbers of its own. */
START_TEST(held_of_the_old_count)
{
    begin(_i);
    feed_message(13);
    feed_message(14);
    world_run(&w, 1);
    pack_pts_changed(&w.p);
    feed();
    world_answer(&w, 100, pack_state(11, 5, 1));
    world_answer(&w, 100, pack_empty(1));
    world_run(&w, 50);
    pack_message(&w.p, 12, 1, 112, PACK_USER);
    pack_message(&w.p, 13, 1, 113, PACK_USER);
    feed();
    world_run(&w, 1000);
    world_expect(&w, "[   1] state\n[ 101] common resynchronised 10..11: reset\n"
                     "[ 101] apply 13\n[ 101] apply 14\n"
                     "[ 101] difference from 11\n[ 201] apply 112\n[ 201] apply 113\n");
    world_fini(&w);
}
END_TEST

/* An account that begins, and whose first difference names channel 7 at 51. */
static void begin_named_with(int seed, gap_engine_config_t *c)
{
    world_init(&w, (uint64_t)seed, c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, state_later(10, 0));
    pack_too_long(&w.p, 7, 51);
    world_answer(&w, 0, pack_difference(&w.p, 10, 5, 1));
    world_run(&w, 1);
    world_expect(&w, "[   0] state\n[   0] difference from 10\n");
}

static void begin_named(int seed)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    begin_named_with(seed, &c);
}

/* What it names may already cover what is still on its way: nothing of it has been delivered. */
START_TEST(named_before_its_pushes)
{
    begin_named(_i);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    pack_channel_message(&w.p, 7, 50, 1, 50);
    feed();
    world_run(&w, 2);
    feed_channel(7, 52);
    feed_channel(7, 49); /* too late: it has begun behind it */
    world_run(&w, 3);
    world_expect(&w, "[   1] apply 7:50\n[   1] apply 7:51\n[   2] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* Also where what comes first fits to where it is named, and something from before comes along. */
START_TEST(named_and_overtaken)
{
    begin_named(_i);
    pack_channel_message(&w.p, 7, 52, 1, 52);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    feed();
    world_run(&w, 2);
    world_expect(&w, "[   1] apply 7:51\n[   1] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* What a call of the account tells from before its name begins nothing. */
START_TEST(named_and_told_by_a_result)
{
    begin_named(_i);
    gap_packet_t *query = pack_channel_delete(7);
    result(query, pack_affected(51, 1), 0);
    world_run(&w, 2);
    feed_channel(7, 50);
    world_run(&w, 3);
    world_expect(&w, "[   2] apply 7:50\n");
    world_fini(&w);
}
END_TEST

/* A push names the channel at 53 before the difference of the start names it at 51: what happened
 * in between is asked for. */
START_TEST(named_lower_by_the_difference)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, state_later(10, 0));
    pack_too_long(&w.p, 7, 51);
    world_answer(&w, 10, pack_difference(&w.p, 10, 5, 1));
    world_run(&w, 1);
    pack_too_long(&w.p, 7, 53);
    feed();
    world_answer(&w, 20, channel_difference(7, 52, 53, true));
    world_run(&w, 1000);
    world_expect(&w, "[   0] state\n[   0] difference from 10\n"
                     "[  10] channel 7 difference from 51\n"
                     "[  30] apply 7:52\n[  30] apply 7:53\n");
    world_fini(&w);
}
END_TEST

/* Also where what comes first leaves a hole. */
START_TEST(named_and_overtaken_twice)
{
    begin_named(_i);
    pack_channel_message(&w.p, 7, 55, 1, 55);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    pack_channel_message(&w.p, 7, 53, 1, 53);
    pack_channel_message(&w.p, 7, 50, 1, 50);
    feed();
    world_answer(&w, 20, channel_difference(7, 52, 55, true));
    world_run(&w, 1000);
    world_expect(&w, "[   1] apply 7:50\n[   1] apply 7:51\n[ 501] channel 7 difference from 51\n"
                     "[ 521] apply 7:52\n[ 521] apply 7:53\n[ 521] apply 7:54\n"
                     "[ 521] apply 7:55\n");
    world_fini(&w);
}
END_TEST

/* What names a channel ends no beginning: a push that came at once, and stands before it, is
 * delivered. */
START_TEST(begun_around_a_name)
{
    begin(_i);
    pack_channel_message(&w.p, 7, 52, 1, 52);
    pack_too_long(&w.p, 7, 51);
    pack_too_long(&w.p, 7, 52);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    feed();
    world_run(&w, 1000);
    world_expect(&w, "[   0] apply 7:51\n[   0] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* But while a question goes on from there, what fits is no beginning: the answer brings it. */
START_TEST(named_and_asked_meanwhile)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.gap_continue = true;
    begin_named_with(_i, &c);
    pack_too_long(&w.p, 7, 53);
    feed();
    pack_channel_edit(&w.p, 7, 52, 1, 51);
    pack_channel_new(&w.p, 7, 53);
    world_answer(&w, 20, pack_channel_difference(&w.p, 53, true));
    world_run(&w, 2);
    pack_channel_edit(&w.p, 7, 52, 1, 51);
    feed();
    world_run(&w, 1000);
    world_expect(&w, "[   1] channel 7 difference from 51\n[  21] apply 7:53\n"
                     "[  21] edit 7:51\n");
    world_fini(&w);
}
END_TEST

START_TEST(named_and_then_a_gap)
{
    begin_named(_i);
    feed_channel(7, 53);
    world_answer(&w, 20, channel_difference(7, 52, 53, true));
    world_run(&w, 2000);
    ck_assert_uint_eq(lines_with("channel 7 difference from 51\n"), 1);
    ck_assert_uint_eq(lines_with("apply 7:52\n"), 1);
    world_fini(&w);
}
END_TEST

/* What a difference has brought of it does not come again. */
START_TEST(named_then_fetched)
{
    begin_named(_i);
    pack_too_long(&w.p, 7, 53);
    world_answer(&w, 0, channel_difference(7, 52, 53, true));
    feed();
    world_run(&w, 1000);
    world_forget(&w);
    feed_channel(7, 53);
    world_run(&w, 1001);
    world_expect(&w, "");
    world_fini(&w);
}
END_TEST

/* What a call of the account tells of a channel ends no beginning: a push that came at once, and
 * stands before it, is delivered. */
START_TEST(begun_around_a_result)
{
    gap_packet_t *query;

    begin(_i);
    pack_channel_message(&w.p, 7, 52, 1, 52);
    feed();
    query = pack_channel_delete(7);
    result(query, pack_affected(53, 1), 0);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    feed();
    world_run(&w, 1);
    feed_channel(7, 54);
    world_run(&w, 2);
    world_expect(&w, "[   0] apply 7:51\n[   0] apply 7:52\n[   1] apply 7:54\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_dates");
    TCase *t = tcase_create("dates");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, updates_before_the_state, 0, SEEDS);
    tcase_add_loop_test(t, updates_before_the_state_in_any_order, 0, SEEDS);
    tcase_add_loop_test(t, nothing_before_the_state, 0, SEEDS);
    tcase_add_loop_test(t, position_refused, 0, SEEDS);
    tcase_add_loop_test(t, pts_changed, 0, SEEDS);
    tcase_add_loop_test(t, held_of_the_old_count, 0, SEEDS);
    tcase_add_loop_test(t, named_before_its_pushes, 0, SEEDS);
    tcase_add_loop_test(t, named_and_overtaken, 0, SEEDS);
    tcase_add_loop_test(t, named_and_told_by_a_result, 0, SEEDS);
    tcase_add_loop_test(t, named_lower_by_the_difference, 0, SEEDS);
    tcase_add_loop_test(t, named_and_overtaken_twice, 0, SEEDS);
    tcase_add_loop_test(t, begun_around_a_name, 0, SEEDS);
    tcase_add_loop_test(t, named_and_asked_meanwhile, 0, SEEDS);
    tcase_add_loop_test(t, named_and_then_a_gap, 0, SEEDS);
    tcase_add_loop_test(t, named_then_fetched, 0, SEEDS);
    tcase_add_loop_test(t, begun_around_a_result, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
