/*
 * Back-fills: the messages of a range that a difference has skipped, fetched by order of the
 * program. The traces were written before the code ran.
 */
#include "world_steps.h"

#include <gapless/message.h>

#define SEEDS 16

/* As begin_channel, telling how updates came and whether they may be repeated. */
static void begin_telling(int seed)
{
    begin_channel(seed);
    w.via = true;
    w.again = true;
}

static gap_packet_t *history(int64_t channel, int32_t first, int32_t last)
{
    for (int32_t id = first; id <= last; id++) {
        if (channel == 0)
            pack_new(&w.p, id);
        else
            pack_channel_new(&w.p, channel, id);
    }
    return pack_history(&w.p, channel);
}

static void backfill(int64_t channel, int32_t after, int32_t up_to)
{
    ck_assert_int_eq(gap_engine_backfill(w.engine, channel, after, up_to), 0);
}

/* M11: what a TooLong skipped, from the last known message to the first that came with it. */
START_TEST(skipped_by_too_long)
{
    begin_telling(_i);
    feed_channel(7, 60);
    w.p.top = 56;
    pack_channel_new(&w.p, 7, 55);
    pack_channel_new(&w.p, 7, 56);
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 60));
    world_run(&w, 600);
    world_expect(&w, "[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 resynchronised 50..60: too long\n"
                     "[ 520] apply 7:55 again via difference\n"
                     "[ 520] apply 7:56 again via difference\n");
    backfill(7, 50, 54);
    world_answer(&w, 10, history(7, 51, 54));
    world_run(&w, 10000);
    world_expect(&w, "[ 600] channel 7 history 51..54\n"
                     "[ 610] apply 7:51 again via backfill\n[ 610] apply 7:52 again via backfill\n"
                     "[ 610] apply 7:53 again via backfill\n[ 610] apply 7:54 again via backfill\n"
                     "[ 610] channel 7 backfilled 50..54: 4, 0\n");
    world_fini(&w);
}
END_TEST

/* Whatever the order of the answer, ids ascend; what was not asked for, what is gone and what comes
 * twice is passed over. */
START_TEST(answers_out_of_order)
{
    begin_channel(_i);
    backfill(7, 10, 14);
    pack_channel_new(&w.p, 7, 14);
    pack_channel_new(&w.p, 7, 12);
    pack_channel_new(&w.p, 8, 13);
    pack_new_empty(&w.p, 13);
    pack_channel_new(&w.p, 7, 12);
    pack_channel_new(&w.p, 7, 15);
    pack_channel_new(&w.p, 7, 10);
    pack_channel_new(&w.p, 7, 11);
    world_answer(&w, 10, pack_history(&w.p, 7));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 history 11..14\n[  10] apply 7:11\n[  10] apply 7:12\n"
                     "[  10] apply 7:14\n[  10] channel 7 backfilled 10..14: 3, 0\n");
    world_fini(&w);
}
END_TEST

/* A page of a user's history covers 100 ids; one in which nothing is left is no end. */
START_TEST(pages_of_a_history)
{
    begin_channel(_i);
    backfill(7, 0, 250);
    world_answer(&w, 10, history(7, 99, 100));
    world_answer(&w, 10, pack_history(&w.p, 7));
    world_answer(&w, 10, history(7, 250, 250));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 history 1..100\n[  10] apply 7:99\n[  10] apply 7:100\n"
                     "[  10] channel 7 history 101..200\n[  20] channel 7 history 201..250\n"
                     "[  30] apply 7:250\n[  30] channel 7 backfilled 0..250: 3, 0\n");
    world_fini(&w);
}
END_TEST

/* The highest id that there can be. */
START_TEST(up_to_the_end_of_ids)
{
    begin_channel(_i);
    backfill(7, INT32_MAX - 1, INT32_MAX);
    world_answer(&w, 10, pack_history(&w.p, 7));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 history 2147483647..2147483647\n"
                     "[  10] channel 7 backfilled 2147483646..2147483647: 0, 0\n");
    world_fini(&w);
}
END_TEST

/* Bots, and the common box of anybody, ask by id, 200 a call. */
START_TEST(by_ids)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.bot = true;
    begin_with(_i, &c);
    backfill(7, 50, 251);
    backfill(0, 3, 5);
    world_answer(&w, 10, history(7, 250, 250));
    world_answer(&w, 10, history(7, 251, 251));
    pack_new(&w.p, 5);
    pack_new_empty(&w.p, 4);
    pack_channel_new(&w.p, 7, 4);
    world_answer(&w, 10, pack_history(&w.p, 0));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 messages 51..250\n[  10] apply 7:250\n"
                     "[  10] channel 7 messages 251..251\n[  20] apply 7:251\n"
                     "[  20] channel 7 backfilled 50..251: 2, 0\n[  20] messages 4..5\n"
                     "[  30] apply 5\n[  30] common backfilled 3..5: 1, 0\n");
    world_fini(&w);
}
END_TEST

START_TEST(common_box_of_a_user)
{
    begin(_i);
    backfill(0, 0, 3);
    world_answer(&w, 10, history(0, 1, 3));
    world_run(&w, 10000);
    world_expect(&w, "[   0] messages 1..3\n[  10] apply 1\n[  10] apply 2\n[  10] apply 3\n"
                     "[  10] common backfilled 0..3: 3, 0\n");
    world_fini(&w);
}
END_TEST

/* FLOOD_WAIT is waited for, other troubles are tried again, with growing pauses. */
START_TEST(failures_are_tried_again)
{
    begin_channel(_i);
    backfill(7, 10, 11);
    world_error(&w, 10, 420, "FLOOD_WAIT_5");
    world_error(&w, 10, 500, "HISTORY_GET_FAILED");
    world_fail(&w, 10, GAP_E_TIMEOUT);
    world_answer(&w, 10, pack_empty(1)); /* no messages at all */
    world_answer(&w, 10, history(7, 11, 11));
    world_run(&w, 60000);
    world_expect(&w, "[   0] channel 7 history 11..11\n[5010] channel 7 history 11..11\n"
                     "[7020] channel 7 history 11..11\n[11030] channel 7 history 11..11\n"
                     "[19040] channel 7 history 11..11\n[19050] apply 7:11\n"
                     "[19050] channel 7 backfilled 10..11: 1, 0\n");
    world_fini(&w);
}
END_TEST

/* What can't be had ends: the event says how far it came. */
START_TEST(refusals_end_it)
{
    begin_channel(_i);
    backfill(7, 0, 150);
    backfill(7, 4, 5);
    backfill(7, 5, 6);
    world_answer(&w, 10, history(7, 100, 100));
    world_error(&w, 10, 400, "CHANNEL_PRIVATE");
    world_error(&w, 10, 403, "CHAT_ADMIN_REQUIRED");
    for (int i = 0; i < 3; i++) world_answer(&w, 10, pack_empty(1));
    world_run(&w, 60000);
    world_expect(&w, "[   0] channel 7 history 1..100\n[  10] apply 7:100\n"
                     "[  10] channel 7 history 101..150\n"
                     "[  20] channel 7 backfilled 0..100: 1, 400\n[  20] channel 7 history 5..5\n"
                     "[  30] channel 7 backfilled 4..4: 0, 403\n[  30] channel 7 history 6..6\n"
                     "[1040] channel 7 history 6..6\n[3050] channel 7 history 6..6\n"
                     "[3060] channel 7 backfilled 5..5: 0, -10003\n");
    world_fini(&w);
}
END_TEST

/* Losing the channel ends its back-fills at once; the answer that is on its way is nobody's. Those
 * of others go on. */
START_TEST(lost_channel_ends_it)
{
    begin_channel(_i);
    feed_channel(8, 20);
    world_run(&w, 0);
    world_forget(&w);
    backfill(7, 10, 20);
    backfill(8, 1, 2);
    backfill(7, 30, 40);
    world_answer(&w, 100, history(7, 11, 20));
    world_run(&w, 0);
    pack_too_long(&w.p, 7, 90);
    feed();
    world_error(&w, 10, 400, "CHANNEL_PRIVATE");
    world_answer(&w, 10, history(8, 2, 2));
    world_run(&w, 60000);
    world_expect(&w, "[   0] channel 7 history 11..20\n[   0] channel 7 difference from 50\n"
                     "[  10] channel 7 lost at 50: 400\n"
                     "[  10] channel 7 backfilled 10..10: 0, 400\n"
                     "[  10] channel 7 backfilled 30..30: 0, 400\n[ 100] channel 8 history 2..2\n"
                     "[ 110] apply 8:2\n[ 110] channel 8 backfilled 1..2: 1, 0\n");
    world_fini(&w);
}
END_TEST

/* It is the last to get a turn, and counts among those that ask. */
START_TEST(channels_go_first)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.limits.channel_requests = 1;
    begin_with(_i, &c);
    feed_channel(7, 50);
    feed_channel(8, 20);
    world_run(&w, 0);
    world_forget(&w);
    pack_too_long(&w.p, 7, 51);
    feed();
    world_answer(&w, 10, channel_difference(7, 51, 51, true));
    world_run(&w, 0);
    pack_too_long(&w.p, 8, 21);
    feed();
    backfill(7, 10, 11);
    world_answer(&w, 10, channel_difference(8, 21, 21, true));
    world_answer(&w, 10, history(7, 11, 11));
    world_run(&w, 0);
    world_run(&w, 10000);
    const char *eight = strstr(w.trace, "[  10] channel 8 difference from 20\n");
    const char *history_at = strstr(w.trace, "[  20] channel 7 history 11..11\n");
    ck_assert_ptr_nonnull(eight);
    ck_assert_ptr_nonnull(history_at);
    ck_assert(eight < history_at);
    ck_assert_ptr_nonnull(strstr(w.trace, "[  30] channel 7 backfilled 10..11: 1, 0\n"));
    world_fini(&w);
}
END_TEST

/* Pages wait while too many handlers are at work. */
START_TEST(handlers_hold_it_up)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.limits.inbox = 3;
    begin_with(_i, &c);
    w.verdict = GAP_LATER;
    backfill(0, 0, 400);
    world_answer(&w, 10, history(0, 1, 3));
    world_answer(&w, 10, history(0, 201, 201));
    world_run(&w, 100);
    world_expect(&w, "[   0] messages 1..200\n[  10] apply 1\n[  10] apply 2\n[  10] apply 3\n");
    gap_update_done(w.later[--w.later_count]);
    world_run(&w, 200);
    world_expect(&w, "[ 100] messages 201..400\n[ 110] apply 201\n"
                     "[ 110] common backfilled 0..400: 4, 0\n");
    world_fini(&w);
}
END_TEST

/* It moves no position, and nothing that may be stored waits for it. */
START_TEST(positions_are_no_concern)
{
    gap_engine_channel_t channel;
    size_t it = 0;

    begin_channel(_i);
    w.verdict = GAP_LATER;
    backfill(7, 0, 60);
    world_answer(&w, 10, history(7, 60, 60));
    world_run(&w, 100);
    ck_assert_uint_eq(w.later_count, 1);
    ck_assert(gap_engine_next_channel(w.engine, &it, &channel));
    ck_assert_int_eq(channel.pts, 50);
    ck_assert(!channel.unfinished);
    world_fini(&w);
}
END_TEST

START_TEST(wrong_orders)
{
    begin_channel(_i);
    ck_assert_int_eq(gap_engine_backfill(w.engine, -1, 0, 1), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_engine_backfill(w.engine, 7, -1, 1), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_engine_backfill(w.engine, 7, 1, 1), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_engine_backfill(w.engine, 9, 0, 1), GAP_E_NOT_FOUND);
    for (int i = 0; i < GAP_ENGINE_BACKFILLS_MAX; i++) backfill(7, 0, 1);
    ck_assert_int_eq(gap_engine_backfill(w.engine, 7, 0, 1), GAP_E_LIMIT);
    w.refuse = true;
    world_run(&w, 100);
    world_close(&w);
    ck_assert_int_eq(gap_engine_backfill(w.engine, 7, 0, 1), GAP_E_CLOSED);
    world_fini(&w);
}
END_TEST

/* Ordered before the start, it waits for it. */
START_TEST(before_the_start)
{
    world_init(&w, (uint64_t)_i, NULL);
    backfill(0, 0, 1);
    world_run(&w, 10);
    world_expect(&w, "");
    gap_engine_start(w.engine);
    w.refuse = true;
    world_run(&w, 10);
    w.refuse = false;
    for (int i = 0; i < 2; i++) world_fail(&w, 0, GAP_E_TIMEOUT);
    world_run(&w, 1500);
    ck_assert_ptr_nonnull(strstr(w.trace, "messages 1..1\n"));
    world_fini(&w);
}
END_TEST

/* Untracked: no handler gets another one, and the rest is not asked for. */
START_TEST(untracked_channel_ends_it)
{
    begin_channel(_i);
    backfill(7, 0, 3);
    backfill(7, 5, 6);
    world_answer(&w, 10, history(7, 1, 3));
    world_run(&w, 5);
    ck_assert_int_eq(gap_engine_untrack_channel(w.engine, 7), 0);
    ck_assert_int_eq(gap_engine_backfill(w.engine, 7, 0, 1), GAP_E_STATE);
    world_run(&w, 10000);
    char expect[256];
    (void)snprintf(expect, sizeof expect,
                   "[   0] channel 7 history 1..3\n[  10] channel 7 backfilled 0..0: 0, %d\n"
                   "[  10] channel 7 backfilled 5..5: 0, %d\n",
                   GAP_E_STATE, GAP_E_STATE);
    world_expect(&w, expect);
    world_fini(&w);
}
END_TEST

/* ---- close, and no memory ---- */

static uint64_t back_story(uint64_t seed, uint64_t turns)
{
    uint64_t n = 0;

    world_init(&w, seed, NULL);
    world_ready(&w);
    feed_channel(7, 50);
    world_run(&w, 0);
    backfill(7, 0, 150);
    backfill(0, 0, 5);
    world_answer(&w, 10, history(7, 20, 100));
    world_error(&w, 10, 420, "FLOOD_WAIT_2");
    world_answer(&w, 10, history(7, 120, 140));
    world_answer(&w, 10, history(0, 1, 5));
    while (n < turns && world_step(&w, 10000000)) n++;
    world_fini(&w);
    return n;
}

START_TEST(close_at_any_step)
{
    uint64_t turns = back_story((uint64_t)_i, UINT64_MAX);

    ck_assert_uint_gt(turns, 5);
    for (uint64_t n = 0; n < turns; n++) (void)back_story((uint64_t)_i, n);
}
END_TEST

static int told;

static void close_when_told(void *data, const gap_engine_event_t *event)
{
    (void)data;
    ck_assert(!w.closing);
    if (event->kind == GAP_EVENT_BACKFILLED && --told == 0) world_close(&w);
    if (event->kind != GAP_EVENT_RESYNCHRONISED) return;
    backfill(7, 0, 3); /* from inside an event, too */
    backfill(0, 0, 1);
}

/* Closed from inside its own event: the first or the second one. */
START_TEST(close_inside_its_event)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.event = close_when_told;
    told = 1 + _i % 2;
    begin_with(_i, &c);
    feed_channel(7, 50);
    pack_too_long(&w.p, 7, 60);
    feed();
    world_answer(&w, 10, pack_channel_too_long(&w.p, 7, 60));
    world_answer(&w, 10, history(7, 1, 3));
    world_answer(&w, 10, history(0, 1, 1));
    world_run(&w, 1000);
    ck_assert(w.closing);
    ck_assert_int_eq(told, 0);
    ck_assert_uint_eq(lines_with("apply 7:3\n"), 1);
    ck_assert_uint_eq(lines_with("apply 1\n"), (size_t)(_i % 2));
    world_fini(&w);
}
END_TEST

static int last_id;

static void ascending(struct world *world, gap_update_t *update)
{
    gap_message_t m;

    if (gap_update_via(update) != GAP_VIA_BACKFILL) return;
    ck_assert_int_eq(gap_message_read(update, &m), 0);
    ck_assert_int_eq(m.id, last_id + 1);
    last_id = m.id;
    if (m.id == 130) world_trace(world, "all");
}

static void serve_history(struct world *world, struct world_call *c, bool due)
{
    if (due) return;
    c->due_us = world->now_us + 10000;
    if (c->channel == -2)
        c->answer.packet = history(7, c->pts, c->qts);
    else
        c->answer.packet = c->channel == 0 ? pack_empty(1) : pack_channel_empty(c->pts);
}

static long fail_at(long nth, bool go_on)
{
    world_init(&w, 0, NULL);
    world_ready(&w);
    feed_channel(7, 50);
    world_run(&w, 0);
    w.handled = ascending;
    w.serve = serve_history;
    w.verdict = GAP_LATER; /* so that nodes run out */
    last_id = 0;
    w.fault.calls = 0;
    w.fault.fail_at = nth;
    w.fault.fail_on = go_on;
    int r = gap_engine_backfill(w.engine, 7, 0, 130);
    ck_assert(r == 0 || r == GAP_E_NOMEM);
    world_run(&w, 1000);
    w.fault.fail_at = 0;
    if (r < 0) backfill(7, 0, 130);
    world_run(&w, 70000);
    ck_assert_int_eq(last_id, 130);
    ck_assert_ptr_nonnull(strstr(w.trace, "backfilled 0..130: 130, 0\n"));
    long calls = w.fault.calls;
    world_fini(&w);
    return calls;
}

START_TEST(out_of_memory)
{
    long calls = fail_at(0, false);

    ck_assert_int_gt(calls, 1);
    for (long n = 1; n <= calls; n++) {
        (void)fail_at(n, false);
        (void)fail_at(n, true);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_backfill");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, skipped_by_too_long, 0, SEEDS);
    tcase_add_loop_test(t, answers_out_of_order, 0, SEEDS);
    tcase_add_loop_test(t, pages_of_a_history, 0, SEEDS);
    tcase_add_loop_test(t, up_to_the_end_of_ids, 0, SEEDS);
    tcase_add_loop_test(t, by_ids, 0, SEEDS);
    tcase_add_loop_test(t, common_box_of_a_user, 0, SEEDS);
    tcase_add_loop_test(t, failures_are_tried_again, 0, SEEDS);
    tcase_add_loop_test(t, refusals_end_it, 0, SEEDS);
    tcase_add_loop_test(t, lost_channel_ends_it, 0, SEEDS);
    tcase_add_loop_test(t, untracked_channel_ends_it, 0, SEEDS);
    tcase_add_loop_test(t, channels_go_first, 0, SEEDS);
    tcase_add_loop_test(t, handlers_hold_it_up, 0, SEEDS);
    tcase_add_loop_test(t, positions_are_no_concern, 0, SEEDS);
    tcase_add_loop_test(t, wrong_orders, 0, SEEDS);
    tcase_add_loop_test(t, before_the_start, 0, SEEDS);
    tcase_add_loop_test(t, close_at_any_step, 0, SEEDS);
    tcase_add_loop_test(t, close_inside_its_event, 0, SEEDS);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
