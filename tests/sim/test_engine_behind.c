/*
 * Golden traces of the gap engine under overload: what is dropped on purpose is fetched, within
 * what the server tells; what no difference brings is shed in the right order; a handler that takes
 * for ever holds up nobody. Written from the rules before the code ran; see test_engine_golden.c.
 */
#include "world_steps.h"

#define SEEDS 24

/* The last GAP_EVENT_BEHIND; the others are of no interest here. */
static gap_engine_event_t behind;
static uint32_t behind_told;
static uint32_t shed_told;

static void on_event(void *data, const gap_engine_event_t *ev)
{
    if (ev->kind == GAP_EVENT_BEHIND) {
        behind = *ev;
        behind_told++;
    } else if (ev->kind == GAP_EVENT_SHED) {
        shed_told++;
    } else if (ev->kind == GAP_EVENT_RESYNCHRONISED) {
        world_trace(data, "resynchronised %d..%d", ev->from, ev->to);
    }
}

/* Channel 7 at 50; room for four. */
static void begin_small(int seed, gap_engine_config_t *c)
{
    c->limits.inbox = 4;
    c->event = on_event;
    behind_told = shed_told = 0;
    memset(&behind, 0, sizeof behind);
    begin_with(seed, c);
    feed_channel(7, 50);
    world_run(&w, 0);
    world_forget(&w);
}

/* Pushes of the channel, each in a container of its own. @return how many found no room. */
static uint32_t push(int32_t first, int32_t last)
{
    uint32_t dropped = 0;

    for (int32_t pts = first; pts <= last; pts++) {
        pack_channel_message(&w.p, 7, pts, 1, pts);
        int r = world_feed(&w, pack_updates(&w.p, 0));
        ck_assert(r == 0 || r == GAP_BEHIND);
        dropped += r == GAP_BEHIND;
    }
    return dropped;
}

static gap_engine_counters_t counted(void)
{
    gap_engine_counters_t count;
    gap_engine_counters(w.engine, &count);
    return count;
}

/* S73: a channel of a user is not behind at all while there is room elsewhere. */
START_TEST(s73_users_channel_beyond_its_inbox)
{
    gap_engine_config_t c = {0};

    begin_small(_i, &c);
    ck_assert_uint_eq(push(51, 400), 0);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("apply 7:"), 350);
    ck_assert_uint_eq(lines_with("difference"), 0);
    ck_assert_uint_eq(behind_told, 0);
    world_fini(&w);
}
END_TEST

/* S73: and then by no more than half of what the server tells. What comes then is kept if there is
 * room again: 55 to 104 are missing, 105 to 108 are held behind them. */
START_TEST(s73_users_channel_is_half_the_limit_behind)
{
    gap_engine_config_t c = {0};

    c.limits.overflow = 4;
    begin_small(_i, &c);
    ck_assert_uint_eq(push(51, 104), 50);
    world_answer(&w, 20, channel_difference(7, 55, 108, true));
    world_run(&w, 10);
    world_expect(&w, "[   0] apply 7:51\n[   0] apply 7:52\n[   0] apply 7:53\n[   0] apply 7:54\n"
                     "[   0] channel 7 difference from 54\n");
    ck_assert_uint_eq(behind_told, 1);
    ck_assert_int_eq(behind.sequence, GAP_SEQUENCE_CHANNEL);
    ck_assert_int_eq(behind.from, 54);
    ck_assert_int_eq(behind.to, 104);
    ck_assert_int_eq(behind.reason, GAP_REASON_NONE);
    ck_assert_uint_eq(push(105, 108), 0);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("[  20] apply 7:"), 54);
    ck_assert_uint_eq(lines_with("difference"), 0);
    ck_assert_uint_eq(counted().behind, 50);
    world_fini(&w);
}
END_TEST

/* S73: beyond that there is only the event: the range, and that it may be lost; then what the
 * server makes of it. */
START_TEST(s73_users_channel_too_far_behind)
{
    gap_engine_config_t c = {0};

    c.limits.overflow = 4;
    begin_small(_i, &c);
    ck_assert_uint_eq(push(51, 160), 106);
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 160));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:51\n[   0] apply 7:52\n[   0] apply 7:53\n[   0] apply 7:54\n"
                     "[   0] channel 7 difference from 54\n[  20] resynchronised 54..160\n");
    ck_assert_uint_eq(behind_told, 1);
    ck_assert_int_eq(behind.from, 54);
    ck_assert_int_eq(behind.to, 160);
    ck_assert_int_eq(behind.reason, GAP_REASON_TOO_LONG);
    world_fini(&w);
}
END_TEST

/* A channel of which nothing was known, and whose lowest pushes found no room: it begins with those
 * that were dropped, and asks for them. */
START_TEST(a_beginning_that_was_dropped)
{
    gap_engine_config_t c = {0};

    c.bot = true;
    c.limits.inbox = 4;
    c.event = on_event;
    behind_told = 0;
    begin_with(_i, &c);
    ck_assert_uint_eq(push(54, 57), 0);
    ck_assert_uint_eq(push(53, 53), 1);
    ck_assert_uint_eq(push(52, 52), 1);
    world_answer(&w, 20, channel_difference(7, 52, 57, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 difference from 51\n"
                     "[  20] apply 7:52\n[  20] apply 7:53\n[  20] apply 7:54\n"
                     "[  20] apply 7:55\n[  20] apply 7:56\n[  20] apply 7:57\n");
    ck_assert_uint_eq(behind_told, 1);
    ck_assert_int_eq(behind.from, 51);
    ck_assert_int_eq(behind.to, 57);
    world_fini(&w);
}
END_TEST

/* S73: a bot is told 100,000 events, so its channels drop what does not fit at once. */
START_TEST(s73_bots_channel_is_behind)
{
    gap_engine_config_t c = {0};

    c.bot = true;
    begin_small(_i, &c);
    ck_assert_uint_eq(push(51, 160), 106);
    world_answer(&w, 20, channel_difference(7, 55, 160, true));
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("apply 7:"), 110);
    ck_assert_uint_eq(behind_told, 1);
    ck_assert_int_eq(behind.to, 160);
    ck_assert_int_eq(behind.reason, GAP_REASON_NONE);
    world_fini(&w);
}
END_TEST

/* S73: more than half of what it is told is kept all the same: 55 to 64 are missing, what came
 * after them is held. */
START_TEST(s73_bots_channel_keeps_the_rest)
{
    gap_engine_config_t c = {0};

    c.bot = true;
    c.limits.difference_limit = 20;
    begin_small(_i, &c);
    ck_assert_uint_eq(push(51, 72), 10);
    world_answer(&w, 20, channel_difference(7, 55, 72, true));
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("apply 7:"), 22);
    ck_assert_uint_eq(lines_with("channel 7 difference from 54"), 1);
    ck_assert_int_eq(behind.from, 54);
    ck_assert_int_eq(behind.to, 72);
    ck_assert_int_eq(behind.reason, GAP_REASON_NONE);
    world_fini(&w);
}
END_TEST

/* Behind a hole: the range begins at it, and ends behind what was dropped. */
START_TEST(s73_behind_a_hole)
{
    gap_engine_config_t c = {0};

    c.bot = true;
    begin_small(_i, &c);
    ck_assert_uint_eq(push(52, 60), 5);
    world_answer(&w, 20, channel_difference(7, 51, 60, true));
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("[   0] channel 7 difference from 50"), 1);
    ck_assert_uint_eq(lines_with("[  20] apply 7:"), 10);
    ck_assert_int_eq(behind.from, 50);
    ck_assert_int_eq(behind.to, 60);
    world_fini(&w);
}
END_TEST

/* S73: a hole of a user's channel is asked for before more has happened than the server tells; if
 * that is so already, waiting is the better chance. */
START_TEST(s73_pressing_hole)
{
    begin_channel(_i);
    feed_channel(7, 100);
    world_run(&w, 100);
    feed_channel(7, 101);
    world_answer(&w, 20, channel_difference(7, 51, 101, true));
    world_run(&w, 110);
    world_expect(&w, "[ 100] channel 7 difference from 50\n");
    world_run(&w, 1000);
    ck_assert_uint_eq(lines_with("[ 120] apply 7:"), 51);
    world_forget(&w);
    feed_channel(7, 160);
    world_answer(&w, 20, channel_difference(7, 102, 160, true));
    world_run(&w, 1010);
    world_expect(&w, "[1000] channel 7 difference from 101\n");
    world_run(&w, 2000);
    world_forget(&w);
    feed_channel(7, 261);
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 261));
    world_run(&w, 3000);
    world_expect(&w, "[2500] channel 7 difference from 160\n"
                     "[2520] channel 7 resynchronised 160..261: too long\n"
                     "[2520] apply 7:261\n");
    world_fini(&w);
}
END_TEST

/* A burst that arrives at once has gone past the point at which the hole would have been pressing:
 * asking would only be told "too long", so the hole waits as any other. */
START_TEST(s73_burst_past_pressing)
{
    begin_channel(_i);
    ck_assert_uint_eq(push(52, 190), 0);
    world_run(&w, 200);
    world_expect(&w, "");
    feed_channel(7, 51);
    world_run(&w, 2000);
    ck_assert_uint_eq(lines_with("[ 200] apply 7:"), 140);
    ck_assert_uint_eq(lines_with("difference"), 0);
    world_fini(&w);
}
END_TEST

/* A read mark that finds no room is gone: no difference brings it back. */
START_TEST(read_mark_without_room)
{
    gap_engine_config_t c = {0};

    c.limits.overflow = 4;
    begin_small(_i, &c);
    ck_assert_uint_eq(push(51, 54), 0);
    pack_channel_read(&w.p, 7, 54, 54);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), GAP_BEHIND);
    ck_assert_uint_eq(counted().shed, 1);
    world_run(&w, 10);
    ck_assert_uint_eq(shed_told, 1);
    world_fini(&w);
}
END_TEST

/* Typing and status go first and unnoticed; a query that is shed is told. */
START_TEST(what_is_shed_first)
{
    gap_engine_config_t c = {0};

    begin_small(_i, &c);
    for (int i = 0; i < 3; i++) pack_typing(&w.p, 9);
    pack_status(&w.p, 9);
    feed();
    ck_assert_uint_eq(counted().shed, 2);
    for (int i = 1; i <= 2; i++) pack_query(&w.p, i);
    feed();
    ck_assert_uint_eq(counted().shed, 2);
    world_run(&w, 10);
    world_expect(&w, "[   0] apply typing 9\n[   0] apply typing 9\n[   0] apply query 1\n"
                     "[   0] apply query 2\n");
    ck_assert_uint_eq(shed_told, 0);
    for (int i = 3; i <= 7; i++) pack_query(&w.p, i);
    feed();
    world_run(&w, 20);
    ck_assert_uint_eq(counted().shed, 3);
    ck_assert_uint_eq(shed_told, 1);
    world_fini(&w);
}
END_TEST

/* Queries of containers that are held behind a seq gap take part in that. */
START_TEST(held_containers_are_bounded)
{
    gap_engine_config_t c = {0};

    begin_small(_i, &c);
    for (int32_t seq = 3; seq <= 4; seq++) {
        for (int i = 0; i < 3; i++) pack_query(&w.p, seq * 10 + i);
        (void)world_feed(&w, pack_updates(&w.p, seq));
    }
    world_run(&w, 100);
    ck_assert_uint_eq(counted().shed, 2);
    ck_assert_uint_eq(shed_told, 1);
    pack_status(&w.p, 9);
    (void)world_feed(&w, pack_updates(&w.p, 2));
    world_run(&w, 200);
    world_expect(&w, "[ 100] apply query 30\n[ 100] apply query 31\n[ 100] apply query 32\n"
                     "[ 100] apply query 40\n");
    for (int i = 1; i <= 4; i++) pack_query(&w.p, i); /* there is room again */
    (void)world_feed(&w, pack_updates(&w.p, 5));
    world_run(&w, 300);
    ck_assert_uint_eq(lines_with("apply query"), 4);
    world_fini(&w);
}
END_TEST

/* M20: a handler that never ends holds up its own update only. */
START_TEST(handler_that_never_ends)
{
    begin_channel(_i);
    w.verdict = GAP_LATER;
    feed_channel(7, 51);
    world_run(&w, 10);
    w.verdict = 0;
    feed_channel(7, 52);
    feed_channel(8, 20);
    world_run(&w, 11);
    feed_message(11);
    feed_channel(7, 54);
    world_answer(&w, 20, channel_difference(7, 53, 54, true));
    world_run(&w, 1000000);
    world_expect(&w, "[   0] apply 7:51\n[  10] apply 7:52\n[  10] apply 8:20\n[  11] apply 11\n"
                     "[ 511] channel 7 difference from 52\n[ 531] apply 7:53\n"
                     "[ 531] apply 7:54\n[900011] difference from 11\n");
    ck_assert_uint_eq(counted().later, 1);
    world_fini(&w);
}
END_TEST

/* A message in a packet of a megabyte. */
static gap_packet_t *in_a_large_packet(int32_t pts)
{
    gap_packet_t *large;

    pack_message(&w.p, pts, 1, pts, PACK_USER);
    gap_packet_t *small = pack_updates(&w.p, 0);
    ck_assert_int_eq(gap_packet_new(gap_alloc_default(), 1 << 20, &large), 0);
    memcpy(large->data, small->data, small->len);
    large->len = small->len;
    gap_packet_unref(small);
    return large;
}

/* M20: handlers that never end pin a bounded number of bytes: what they are handed is copied once
 * four megabytes are pinned. What they hold stays as it was. */
START_TEST(m20_pinned_bytes_are_bounded)
{
    begin(_i);
    w.verdict = GAP_LATER;
    for (int32_t pts = 11; pts <= 50; pts++) {
        ck_assert_int_eq(world_feed(&w, in_a_large_packet(pts)), 0);
        world_run(&w, (uint64_t)pts);
    }
    ck_assert_uint_eq(counted().later, 40);
    ck_assert_uint_gt(counted().pinned_bytes, 4 << 20);
    ck_assert_uint_lt(counted().pinned_bytes, (5 << 20) + 40 * 1024);
    for (size_t i = 0; i < w.later_count; i++) {
        char label[64];
        char expect[64];
        world_label(w.later[i], label);
        (void)snprintf(expect, sizeof expect, "apply %d", (int)i + 11);
        ck_assert_str_eq(label, expect);
    }
    while (w.later_count > 0) gap_update_done(w.later[--w.later_count]);
    ck_assert_uint_eq(counted().pinned_bytes, 0);
    ck_assert_uint_eq(counted().held_bytes, 0);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_behind");
    TCase *t = tcase_create("behind");

    tcase_add_loop_test(t, s73_users_channel_beyond_its_inbox, 0, SEEDS);
    tcase_add_loop_test(t, s73_users_channel_is_half_the_limit_behind, 0, SEEDS);
    tcase_add_loop_test(t, s73_users_channel_too_far_behind, 0, SEEDS);
    tcase_add_loop_test(t, a_beginning_that_was_dropped, 0, SEEDS);
    tcase_add_loop_test(t, s73_bots_channel_is_behind, 0, SEEDS);
    tcase_add_loop_test(t, s73_bots_channel_keeps_the_rest, 0, SEEDS);
    tcase_add_loop_test(t, s73_behind_a_hole, 0, SEEDS);
    tcase_add_loop_test(t, s73_pressing_hole, 0, SEEDS);
    tcase_add_loop_test(t, s73_burst_past_pressing, 0, SEEDS);
    tcase_add_loop_test(t, read_mark_without_room, 0, SEEDS);
    tcase_add_loop_test(t, what_is_shed_first, 0, SEEDS);
    tcase_add_loop_test(t, held_containers_are_bounded, 0, SEEDS);
    tcase_add_loop_test(t, handler_that_never_ends, 0, SEEDS);
    tcase_add_loop_test(t, m20_pinned_bytes_are_bounded, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
