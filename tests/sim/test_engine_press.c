/*
 * Golden traces of the engine while handlers can't keep up: held back it calls no handler and asks
 * nothing, and goes on in order when it is released; an update that keeps a watermark back is
 * pressed for, and passed if somebody else keeps it. Written from the rules before the code ran.
 */
#include "kept.h"
#include "world_steps.h"

#define SEEDS 16

static struct kept k;

/* ---- held ---- */

START_TEST(held_updates_wait_and_come_in_order)
{
    begin(_i);
    gap_engine_hold(w.engine, true);
    for (int32_t pts = 11; pts <= 14; pts++) feed_message(pts);
    feed_channel(7, 50);
    world_run(&w, 5000);
    world_expect(&w, "");
    gap_engine_hold(w.engine, false);
    world_run(&w, 5000);
    ck_assert_uint_eq(lines_with("[5000] apply"), 5);
    ck_assert_ptr_nonnull(
        strstr(w.trace, "[5000] apply 11\n[5000] apply 12\n[5000] apply 13\n[5000] apply 14\n"));
    world_run(&w, 9000);
    ck_assert_uint_eq(lines_with("difference"), 0);
    world_fini(&w);
}
END_TEST

/* From inside the handler of 12: that is the last one. */
static void hold_at_12(struct world *world, gap_update_t *update)
{
    if (gap_update_pts(update) == 12) gap_engine_hold(world->engine, true);
}

START_TEST(a_handler_may_hold)
{
    begin(_i);
    w.handled = hold_at_12;
    for (int32_t pts = 11; pts <= 14; pts++) feed_message(pts);
    world_run(&w, 100);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n");
    gap_engine_hold(w.engine, false);
    world_run(&w, 200);
    world_expect(&w, "[ 100] apply 13\n[ 100] apply 14\n");
    world_fini(&w);
}
END_TEST

START_TEST(a_hole_is_not_asked_for_while_held)
{
    begin(_i);
    feed_message(11);
    feed_message(13);
    world_run(&w, 100);
    world_expect(&w, "[   0] apply 11\n");
    gap_engine_hold(w.engine, true);
    world_run(&w, 3000);
    world_expect(&w, "");
    world_answer(&w, 20, difference(12, 13));
    gap_engine_hold(w.engine, false);
    world_run(&w, 4000);
    world_expect(&w, "[3000] difference from 11\n[3020] apply 12\n[3020] apply 13\n");
    world_fini(&w);
}
END_TEST

/* The answer that is on its way is kept, its slice is not delivered, the next one not asked for. */
START_TEST(a_slice_waits_and_so_does_the_next)
{
    begin_channel(_i);
    feed_channel(7, 55);
    world_answer(&w, 50, channel_difference(7, 51, 53, false));
    world_answer(&w, 50, channel_difference(7, 54, 55, true));
    world_run(&w, 510);
    world_expect(&w, "[ 500] channel 7 difference from 50\n");
    gap_engine_hold(w.engine, true);
    world_run(&w, 2000);
    world_expect(&w, "");
    gap_engine_hold(w.engine, false);
    world_run(&w, 3000);
    world_expect(&w, "[2000] apply 7:51\n[2000] apply 7:52\n[2000] apply 7:53\n"
                     "[2000] channel 7 difference from 53\n"
                     "[2050] apply 7:54\n[2050] apply 7:55\n");
    world_fini(&w);
}
END_TEST

static void hold_at_52(struct world *world, gap_update_t *update)
{
    char label[64];
    world_label(update, label);
    if (strcmp(label, "apply 7:52") == 0) gap_engine_hold(world->engine, true);
}

START_TEST(a_slice_is_held_in_its_middle)
{
    begin_channel(_i);
    w.handled = hold_at_52;
    feed_channel(7, 55);
    world_answer(&w, 50, channel_difference(7, 51, 53, false));
    world_answer(&w, 50, channel_difference(7, 54, 55, true));
    world_run(&w, 2000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 550] apply 7:51\n[ 550] apply 7:52\n");
    gap_engine_hold(w.engine, false);
    world_run(&w, 3000);
    world_expect(&w, "[2000] apply 7:53\n[2000] channel 7 difference from 53\n"
                     "[2050] apply 7:54\n[2050] apply 7:55\n");
    world_fini(&w);
}
END_TEST

/* What is held behind a hole that a push fills. */
START_TEST(a_replay_is_held_in_its_middle)
{
    begin(_i);
    w.handled = hold_at_12;
    for (int32_t pts = 12; pts <= 15; pts++) feed_message(pts);
    world_run(&w, 100);
    feed_message(11);
    world_run(&w, 200);
    world_expect(&w, "[ 100] apply 11\n[ 100] apply 12\n");
    world_run(&w, 5000);
    world_expect(&w, "");
    gap_engine_hold(w.engine, false);
    world_run(&w, 9000);
    world_expect(&w, "[5000] apply 13\n[5000] apply 14\n[5000] apply 15\n");
    world_fini(&w);
}
END_TEST

/* Inboxes fill as always; what found no room is fetched when it is released. */
/* Whoever writes queries down gets them as they come: held or not, and whatever place their
 * container has. */
START_TEST(queries_wait_for_nobody_if_they_are_kept)
{
    begin(_i);
    gap_engine_queries_first(w.engine);
    gap_engine_hold(w.engine, true);
    feed_message(11);
    pack_query(&w.p, 5);
    feed();
    pack_query(&w.p, 6);
    pack_status(&w.p, 7);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 4)), 0); /* 2 and 3 are missing */
    world_run(&w, 100);
    world_expect(&w, "[   0] apply query 5\n[   0] apply query 6\n");
    gap_engine_hold(w.engine, false);
    pack_query(&w.p, 6);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 4)), 0); /* once more */
    world_run(&w, 100);
    world_expect(&w, "[ 100] apply 11\n");
    world_fini(&w);
}
END_TEST

START_TEST(held_only_so_many_queries_come)
{
    gap_engine_config_t c = {.limits = {.inbox = 4}};

    begin_with(_i, &c);
    gap_engine_queries_first(w.engine);
    gap_engine_hold(w.engine, true);
    for (int i = 1; i <= 6; i++) {
        pack_query(&w.p, i);
        feed();
        world_run(&w, 10);
    }
    ck_assert_uint_eq(lines_with("apply query"), 4);
    gap_engine_hold(w.engine, false);
    world_run(&w, 20);
    ck_assert_uint_eq(lines_with("apply query"), 6);
    world_fini(&w);
}
END_TEST

/* Of an engine that has not started nobody keeps anything. What comes before it has caught up with
 * a former process may be what that one had. */
START_TEST(no_query_comes_before_the_start)
{
    world_init(&w, (uint64_t)_i, NULL);
    w.again = true;
    gap_engine_queries_first(w.engine);
    pack_query(&w.p, 5);
    feed();
    world_run(&w, 100);
    world_expect(&w, "");
    world_answer(&w, 0, pack_empty(1));
    gap_engine_start(w.engine);
    world_run(&w, 200);
    ck_assert_uint_eq(lines_with("[ 100] apply query 5 again"), 1);
    pack_query(&w.p, 6);
    feed();
    world_run(&w, 300);
    ck_assert_uint_eq(lines_with("[ 200] apply query 6\n"), 1);
    world_fini(&w);
}
END_TEST

/* An account that begins takes the server's word for where a channel stands; a push of before that
 * place still waits for its turn. Whoever began there would not get it. */
START_TEST(what_waits_before_the_servers_word_is_not_passed)
{
    world_begin(&w, (uint64_t)_i);
    kept_init(&k, &w);
    k.has_state = false;
    kept_open(&k, NULL);
    gap_engine_start(w.engine);
    world_answer(&w, 20, pack_state(30, 6, 2));
    pack_too_long(&w.p, 7, 55);
    pack_too_long(&w.p, 8, 90);
    world_answer(&w, 20, pack_difference(&w.p, 30, 6, 2));
    world_run(&w, 50);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(kept_find(&k, 7)->pts, 55);
    gap_engine_hold(w.engine, true);
    pack_channel_message(&w.p, 7, 57, 1, 57);
    feed();
    pack_channel_message(&w.p, 8, 91, 1, 91);
    feed();
    pack_channel_message(&w.p, 7, 54, 2, 54);
    feed();
    world_run(&w, 60);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(kept_find(&k, 7)->pts, 52);
    ck_assert(kept_find(&k, 7)->unfinished);
    ck_assert_int_eq(kept_find(&k, 8)->pts, 90);
    size_t it = 0;
    gap_engine_channel_t c;
    while (gap_engine_next_channel(w.engine, &it, &c)) ck_assert_int_eq(c.pts, c.id == 7 ? 52 : 90);
    world_fini(&w);
}
END_TEST

START_TEST(held_long_it_is_behind)
{
    gap_engine_config_t c = {0};

    c.limits.inbox = 4;
    begin_with(_i, &c);
    gap_engine_hold(w.engine, true);
    for (int32_t pts = 11; pts <= 16; pts++) {
        pack_message(&w.p, pts, 1, pts, PACK_USER);
        ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), pts <= 14 ? 0 : GAP_BEHIND);
    }
    world_run(&w, 1000);
    world_expect(&w, "");
    world_answer(&w, 20, difference(15, 16));
    gap_engine_hold(w.engine, false);
    world_run(&w, 2000);
    world_expect(&w, "[1000] apply 11\n[1000] apply 12\n[1000] apply 13\n[1000] apply 14\n"
                     "[1000] common behind\n[1000] difference from 14\n"
                     "[1020] apply 15\n[1020] apply 16\n");
    world_fini(&w);
}
END_TEST

START_TEST(held_at_the_start_nothing_is_asked)
{
    world_init(&w, (uint64_t)_i, NULL);
    gap_engine_hold(w.engine, true);
    gap_engine_start(w.engine);
    world_answer(&w, 10, difference(11, 11));
    world_run(&w, 1000);
    world_expect(&w, "");
    gap_engine_hold(w.engine, false);
    world_run(&w, 2000);
    world_expect(&w, "[1000] difference from 10\n[1010] apply 11\n");
    world_fini(&w);
}
END_TEST

/* Whatever is under way, it can be closed while held. */
START_TEST(closed_while_held)
{
    begin_channel(_i);
    feed_message(12);
    feed_channel(7, 55);
    world_answer(&w, 50, channel_difference(7, 51, 53, false));
    world_answer(&w, 50, difference(11, 12));
    world_run(&w, 400 + (uint64_t)_i * 12);
    gap_engine_hold(w.engine, true);
    world_run(&w, 2000);
    world_fini(&w);
}
END_TEST

/* A million idle channels are not looked at: a feeder that waits is not given back. */
START_TEST(a_channel_that_waits_is_not_forgotten)
{
    begin(_i);
    gap_engine_hold(w.engine, true);
    for (int64_t id = 1; id <= 30; id++) feed_channel(id, 50);
    world_run(&w, 1000);
    gap_engine_hold(w.engine, false);
    gap_engine_hold(w.engine, true);
    gap_engine_hold(w.engine, false);
    world_run(&w, 1000);
    ck_assert_uint_eq(lines_with("apply"), 30);
    world_fini(&w);
}
END_TEST

/* ---- pressed ---- */

static gap_update_t *pressed;
static uint32_t pressed_count;
static bool pass_it;
static gap_engine_event_t behind;
static uint32_t behind_count;

static void on_press(void *data, gap_update_t *oldest)
{
    (void)data;
    pressed = oldest;
    pressed_count++;
    if (pass_it) gap_engine_pass(oldest);
}

static void on_event(void *data, const gap_engine_event_t *ev)
{
    (void)data;
    if (ev->kind != GAP_EVENT_BEHIND) return;
    behind = *ev;
    behind_count++;
}

/* Channel 7 at 50, its state kept; these updates go on later. */
static void begin_pressed(int seed, bool with_press, bool pass, const char *labels)
{
    gap_engine_config_t c;

    world_begin(&w, (uint64_t)seed);
    kept_init(&k, &w);
    kept_channel(&k, 7, 50, false);
    (void)snprintf(k.later, sizeof k.later, "%s", labels);
    c = world_config(&w);
    c.event = on_event;
    c.press = with_press ? on_press : NULL;
    pressed = NULL;
    pressed_count = behind_count = 0;
    memset(&behind, 0, sizeof behind);
    pass_it = pass;
    kept_open(&k, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, pack_empty(1));
    world_run(&w, 0);
    world_forget(&w);
}

static void feed_channel_to(int32_t first, int32_t last)
{
    for (int32_t pts = first; pts <= last; pts++) feed_channel(7, pts);
    world_run(&w, w.now_us / 1000);
}

/* 51 is unfinished: at 100 the channel is 50 behind by its watermark, at 101 it is too far. */
START_TEST(a_users_channel_is_pressed_for)
{
    begin_pressed(_i, true, true, "|apply 7:51|");
    feed_channel_to(51, 100);
    ck_assert_uint_eq(pressed_count, 0);
    feed_channel_to(101, 101);
    ck_assert_uint_eq(pressed_count, 1);
    ck_assert_int_eq(gap_update_pts(pressed), 51);
    ck_assert_uint_eq(behind_count, 0);
    world_forget(&w);
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[   0] keep 7:101\n");
    kept_finish(&k, "apply 7:51", 0);
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "");
    world_fini(&w);
}
END_TEST

/* Each that is too far behind in its turn: 53 at 103. */
START_TEST(the_next_oldest_is_pressed_for_in_its_turn)
{
    begin_pressed(_i, true, true, "|apply 7:51||apply 7:53|");
    feed_channel_to(51, 102);
    ck_assert_uint_eq(pressed_count, 1);
    feed_channel_to(103, 103);
    ck_assert_uint_eq(pressed_count, 2);
    ck_assert_int_eq(gap_update_pts(pressed), 53);
    kept_finish(&k, "apply 7:53", 0);
    kept_finish(&k, "apply 7:51", 0);
    world_fini(&w);
}
END_TEST

/* Who does not pass is asked once per stretch, and the event tells. */
START_TEST(without_passing_an_event_tells_once_a_stretch)
{
    bool with_press = _i % 2 == 0;

    begin_pressed(_i, with_press, false, "|apply 7:51||apply 7:110|");
    feed_channel_to(51, 105);
    ck_assert_uint_eq(pressed_count, with_press ? 1 : 0);
    ck_assert_uint_eq(behind_count, 1);
    ck_assert_int_eq(behind.sequence, GAP_SEQUENCE_CHANNEL);
    ck_assert_int_eq(behind.channel_id, 7);
    ck_assert_int_eq(behind.from, 50);
    ck_assert_int_eq(behind.to, 101);
    ck_assert_int_eq(behind.reason, GAP_REASON_TOO_LONG);
    kept_finish(&k, "apply 7:51", 0);
    feed_channel_to(106, 159);
    ck_assert_uint_eq(behind_count, 1);
    feed_channel_to(160, 170);
    ck_assert_uint_eq(behind_count, 2);
    ck_assert_int_eq(behind.from, 109);
    ck_assert_int_eq(behind.to, 160);
    kept_finish(&k, "apply 7:110", 0);
    world_fini(&w);
}
END_TEST

/* Of the account's own sequences the server tells millions: the window is what memory may hold. */
START_TEST(the_account_is_pressed_for_at_the_window)
{
    begin_pressed(_i, true, true, "|apply 11|");
    for (int32_t pts = 11; pts <= 11 + 4095; pts++) feed_message(pts);
    world_run(&w, 0);
    ck_assert_uint_eq(pressed_count, 0);
    feed_message(11 + 4096);
    world_run(&w, 0);
    ck_assert_uint_eq(pressed_count, 1);
    ck_assert_int_eq(gap_update_pts(pressed), 11);
    kept_finish(&k, "apply 11", 0);
    world_fini(&w);
}
END_TEST

/* A slice counts when it is through, as one position. */
START_TEST(a_slice_is_pressed_for_when_it_is_through)
{
    begin_pressed(_i, true, true, "|apply 7:60||apply 7:70|");
    feed_channel(7, 130);
    world_answer(&w, 10, channel_difference(7, 51, 129, false));
    world_answer(&w, 10, channel_difference(7, 130, 130, true));
    world_run(&w, 5000);
    ck_assert_uint_eq(pressed_count, 2);
    ck_assert_uint_eq(behind_count, 0);
    world_forget(&w);
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[5000] keep 7:130\n");
    kept_finish(&k, "apply 7:60", 0);
    kept_finish(&k, "apply 7:70", 0);
    world_fini(&w);
}
END_TEST

/* ---- passed ---- */

/* One that is passed outlives its channel. */
START_TEST(what_is_passed_outlives_its_channel)
{
    begin_pressed(_i, true, true, "|apply 7:51|");
    feed_channel_to(51, 51);
    gap_engine_pass(w.later[0]);
    feed_channel(7, 60);
    world_error(&w, 0, 400, "CHANNEL_PRIVATE");
    world_run(&w, 1000);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(kept_collect(&k), 0);
    for (int64_t id = 100; id < 200; id++) feed_channel(id, 5); /* over its memory */
    world_run(&w, 1000);
    kept_finish(&k, "apply 7:51", _i % 2 == 0 ? 0 : GAP_E_STATE);
    world_run(&w, 2000);
    world_fini(&w);
}
END_TEST

static struct gap_place places[8];
static bool oldest[8];
static size_t looked;

static void look(struct world *world, gap_update_t *update)
{
    const struct kept *kept = world->data;
    char label[64];
    char barred[80];

    world_label(update, label);
    (void)snprintf(barred, sizeof barred, "|%s|", label);
    world->verdict = strstr(kept->later, barred) != NULL ? GAP_LATER : 0;
    if (looked == GAP_ARRAY_LEN(places)) return;
    gap_engine_place(update, &places[looked]);
    oldest[looked++] = gap_engine_is_oldest(update);
}

#define PLACE_IS(i, b, c, p)                                                                       \
    do {                                                                                           \
        ck_assert_int_eq(places[i].box, (b));                                                      \
        ck_assert_int_eq(places[i].channel_id, (c));                                               \
        ck_assert_int_eq(places[i].before, (p));                                                   \
    } while (0)

START_TEST(where_updates_stand)
{
    begin_pressed(_i, true, true, "|apply 12||apply 7:51|");
    w.handled = look;
    looked = 0;
    for (int32_t pts = 11; pts <= 13; pts++) feed_message(pts);
    world_run(&w, 0);
    feed_channel(7, 51);
    world_run(&w, 0);
    ck_assert_uint_eq(looked, 4);
    PLACE_IS(0, GAP_BOX_COMMON, 0, 10);
    ck_assert(oldest[0]);
    PLACE_IS(1, GAP_BOX_COMMON, 0, 11);
    ck_assert(oldest[1]);
    PLACE_IS(2, GAP_BOX_COMMON, 0, 12);
    ck_assert(!oldest[2]);
    PLACE_IS(3, GAP_BOX_CHANNEL, 7, 50);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_COMMON, 0), 11);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_QTS, 0), 5);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_CHANNEL, 7), 50);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_CHANNEL, 8), INT32_MAX);
    gap_engine_pass(w.later[0]);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_COMMON, 0), 13);
    gap_engine_place(w.later[0], &places[0]);
    PLACE_IS(0, GAP_BOX_NONE, 0, 0);
    kept_finish(&k, "apply 7:51", 0);
    kept_finish(&k, "apply 12", 0);
    world_fini(&w);
}
END_TEST

/* What a slice brought may come again, in smaller slices, until the sequence is behind all of it;
 * none of it is the oldest until it is through. */
START_TEST(where_a_slice_stands)
{
    begin_pressed(_i, true, true, "|apply 7:52|");
    w.handled = look;
    looked = 0;
    feed_channel(7, 53);
    world_answer(&w, 10, channel_difference(7, 51, 53, true));
    world_run(&w, 5000);
    ck_assert_uint_eq(looked, 3);
    for (size_t i = 0; i < 3; i++) {
        PLACE_IS(i, GAP_BOX_CHANNEL, 7, 52);
        ck_assert(!oldest[i]);
    }
    ck_assert(gap_engine_is_oldest(w.later[0]));
    kept_finish(&k, "apply 7:52", 0);
    ck_assert_int_eq(gap_engine_mark(w.engine, GAP_BOX_CHANNEL, 7), 53);
    world_fini(&w);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("engine_press");
    TCase *t = tcase_create("held");
    tcase_add_loop_test(t, held_updates_wait_and_come_in_order, 0, SEEDS);
    tcase_add_loop_test(t, a_handler_may_hold, 0, SEEDS);
    tcase_add_loop_test(t, a_hole_is_not_asked_for_while_held, 0, SEEDS);
    tcase_add_loop_test(t, a_slice_waits_and_so_does_the_next, 0, SEEDS);
    tcase_add_loop_test(t, a_slice_is_held_in_its_middle, 0, SEEDS);
    tcase_add_loop_test(t, a_replay_is_held_in_its_middle, 0, SEEDS);
    tcase_add_loop_test(t, queries_wait_for_nobody_if_they_are_kept, 0, SEEDS);
    tcase_add_loop_test(t, held_only_so_many_queries_come, 0, SEEDS);
    tcase_add_loop_test(t, no_query_comes_before_the_start, 0, SEEDS);
    tcase_add_loop_test(t, what_waits_before_the_servers_word_is_not_passed, 0, SEEDS);
    tcase_add_loop_test(t, held_long_it_is_behind, 0, SEEDS);
    tcase_add_loop_test(t, held_at_the_start_nothing_is_asked, 0, SEEDS);
    tcase_add_loop_test(t, closed_while_held, 0, SEEDS);
    tcase_add_loop_test(t, a_channel_that_waits_is_not_forgotten, 0, SEEDS);
    suite_add_tcase(s, t);
    t = tcase_create("pressed");
    tcase_add_loop_test(t, a_users_channel_is_pressed_for, 0, SEEDS);
    tcase_add_loop_test(t, the_next_oldest_is_pressed_for_in_its_turn, 0, SEEDS);
    tcase_add_loop_test(t, without_passing_an_event_tells_once_a_stretch, 0, SEEDS);
    tcase_add_loop_test(t, the_account_is_pressed_for_at_the_window, 0, 2);
    tcase_add_loop_test(t, a_slice_is_pressed_for_when_it_is_through, 0, SEEDS);
    tcase_add_loop_test(t, what_is_passed_outlives_its_channel, 0, SEEDS);
    tcase_add_loop_test(t, where_updates_stand, 0, SEEDS);
    tcase_add_loop_test(t, where_a_slice_stands, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}
GAP_TEST_MAIN(suite)
