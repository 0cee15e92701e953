/*
 * Golden traces of the gap engine: channels that are opened and closed, tracked and untracked by
 * the program. Written from the rules before the code ran; see test_engine_golden.c.
 */
#include "kept.h"
#include "world_steps.h"

#define SEEDS 24

static gap_packet_t *nothing_new(int32_t pts, int32_t timeout)
{
    gap_tl_updates_channel_difference_empty_t d = {GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_FINAL,
                                                   pts, timeout};

    if (timeout > 0) d.flags |= GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_TIMEOUT;
    return pack_object(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &d);
}

static int open_channel(int64_t id)
{
    return gap_engine_open_channel(w.engine, id);
}
static int close_channel(int64_t id)
{
    return gap_engine_close_channel(w.engine, id);
}
static int track(int64_t id, int32_t pts)
{
    return gap_engine_track_channel(w.engine, id, pack_hash(id), pts);
}
static int untrack(int64_t id)
{
    return gap_engine_untrack_channel(w.engine, id);
}

static gap_engine_channel_status_t status_of(int64_t id)
{
    gap_engine_channel_status_t s;

    ck_assert(gap_engine_channel_status(w.engine, id, &s));
    return s;
}

static uint64_t untracked(void)
{
    gap_engine_counters_t count;
    gap_engine_counters(w.engine, &count);
    return count.untracked;
}

static uint64_t active(void)
{
    gap_engine_counters_t count;
    gap_engine_counters(w.engine, &count);
    return count.active;
}

/* ---- open ---- */

/* S68: asked at once, then after the server's timeout, then after a second where it names none;
 * pushes meanwhile are handled as always; closed: no more. */
START_TEST(s68_open_channel_is_polled)
{
    begin_channel(_i);
    ck_assert_int_eq(open_channel(7), 0);
    world_answer(&w, 20, nothing_new(50, 3));
    world_answer(&w, 20, nothing_new(51, 0));
    world_answer(&w, 20, channel_difference(7, 52, 52, true)); /* timeout 300 */
    world_run(&w, 1000);
    feed_channel(7, 51);
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[1000] apply 7:51\n"
                     "[3020] channel 7 difference from 51\n[4040] channel 7 difference from 51\n"
                     "[4060] apply 7:52\n");
    world_answer(&w, 20, nothing_new(52, 3));
    world_run(&w, 305000);
    world_expect(&w, "[304060] channel 7 difference from 52\n");
    ck_assert_int_eq(close_channel(7), 0);
    world_run(&w, 900000);
    world_expect(&w, "");
    ck_assert_uint_eq(active(), 0);
    world_fini(&w);
}
END_TEST

/* S68: it stays open until it was closed as often as it was opened; an answer under way is
 * delivered. */
START_TEST(s68_opened_twice)
{
    begin_channel(_i);
    ck_assert_int_eq(open_channel(7), 0);
    ck_assert_int_eq(open_channel(7), 0);
    ck_assert_uint_eq(status_of(7).opened, 2);
    world_answer(&w, 20, nothing_new(50, 3));
    world_run(&w, 1000);
    ck_assert_int_eq(close_channel(7), 0);
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 3030);
    ck_assert_int_eq(close_channel(7), 0);
    ck_assert_uint_eq(status_of(7).opened, 0);
    ck_assert_int_eq(close_channel(7), GAP_E_ARGUMENT);
    world_run(&w, 800000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[3020] channel 7 difference from 50\n"
                     "[3040] apply 7:51\n");
    world_fini(&w);
}
END_TEST

/* S68: closed while its question is on its way. */
START_TEST(s68_closed_while_asking)
{
    begin_channel(_i);
    ck_assert_int_eq(open_channel(7), 0);
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 10);
    ck_assert_int_eq(close_channel(7), 0);
    world_run(&w, 800000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[  20] apply 7:51\n");
    world_fini(&w);
}
END_TEST

/* S68: ten at a time; what is wrong is said. */
START_TEST(s68_limits)
{
    begin(_i);
    for (int64_t id = 1; id <= GAP_ENGINE_OPEN_CHANNELS_MAX + 1; id++) feed_channel(id, 50);
    world_run(&w, 0);
    for (int64_t id = 1; id <= GAP_ENGINE_OPEN_CHANNELS_MAX; id++)
        ck_assert_int_eq(open_channel(id), 0);
    ck_assert_int_eq(open_channel(GAP_ENGINE_OPEN_CHANNELS_MAX + 1), GAP_E_LIMIT);
    ck_assert_int_eq(open_channel(3), 0);
    ck_assert_int_eq(close_channel(5), 0);
    ck_assert_int_eq(open_channel(GAP_ENGINE_OPEN_CHANNELS_MAX + 1), 0);
    ck_assert_int_eq(open_channel(0), GAP_E_ARGUMENT);
    ck_assert_int_eq(close_channel(99), GAP_E_ARGUMENT);
    world_close(&w);
    ck_assert_int_eq(open_channel(3), GAP_E_CLOSED);
    ck_assert_int_eq(close_channel(3), GAP_E_CLOSED);
    world_fini(&w);
}
END_TEST

/* S34, S35, M13: a gap in an open channel does not wait for the timeout, nor does a slice. */
START_TEST(s35_gap_in_an_open_channel)
{
    begin_channel(_i);
    ck_assert_int_eq(open_channel(7), 0);
    world_answer(&w, 20, nothing_new(50, 300));
    world_run(&w, 1000);
    feed_channel(7, 53);
    world_answer(&w, 20, channel_difference(7, 51, 51, false));
    world_answer(&w, 20, channel_difference(7, 52, 53, true));
    world_run(&w, 200000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[1500] channel 7 difference from 50\n"
                     "[1520] apply 7:51\n[1520] channel 7 difference from 51\n"
                     "[1540] apply 7:52\n[1540] apply 7:53\n");
    world_fini(&w);
}
END_TEST

/* A poll that fails is tried again like any other question, and no other poll comes between. */
START_TEST(s68_poll_fails)
{
    begin_channel(_i);
    ck_assert_int_eq(open_channel(7), 0);
    world_answer(&w, 20, nothing_new(50, 2));
    world_error(&w, 20, 500, "HISTORY_GET_FAILED");
    world_error(&w, 20, 420, "FLOOD_WAIT_20");
    world_answer(&w, 20, nothing_new(50, 4));
    world_run(&w, 27000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[2020] channel 7 difference from 50\n"
                     "[2040] channel 7 failed, again in 1000 ms\n"
                     "[3040] channel 7 difference from 50\n"
                     "[3060] channel 7 failed, again in 20000 ms\n"
                     "[23060] channel 7 difference from 50\n");
    world_run(&w, 27100);
    world_expect(&w, "[27080] channel 7 difference from 50\n");
    world_fini(&w);
}
END_TEST

/* One that was never heard of can be opened if its hash is known: the server says where it stands;
 * then it is asked like all others. */
START_TEST(s68_unknown_channel)
{
    gap_peer_t nine = {9, GAP_PEER_CHANNEL};

    begin(_i);
    ck_assert_int_eq(open_channel(9), GAP_E_NOT_FOUND);
    ck_assert_int_eq(gap_engine_know(w.engine, nine, pack_hash(9), false), 0);
    ck_assert_int_eq(open_channel(9), 0);
    world_answer(&w, 20, pack_channel_full(9, 80));
    world_answer(&w, 20, channel_difference(9, 81, 81, true));
    world_run(&w, 10);
    feed_channel(9, 80); /* counted already */
    world_run(&w, 2000);
    world_expect(&w, "[   0] channel 9 state\n[1020] channel 9 difference from 80\n"
                     "[1040] apply 9:81\n");
    world_fini(&w);
}
END_TEST

/* M14: no access to an open channel: told once, not polled; polled again when it is back. */
START_TEST(s68_open_channel_is_lost)
{
    begin_channel(_i);
    ck_assert_int_eq(open_channel(7), 0);
    world_answer(&w, 20, nothing_new(50, 2));
    world_error(&w, 20, 400, "CHANNEL_PRIVATE");
    world_run(&w, 200000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[2020] channel 7 difference from 50\n"
                     "[2040] channel 7 lost at 50: 400\n");
    feed_channel(7, 90);
    world_answer(&w, 20, nothing_new(90, 5));
    world_run(&w, 243000);
    world_expect(&w, "[200000] apply 7:90\n[242040] channel 7 difference from 90\n");
    world_answer(&w, 20, nothing_new(90, 5));
    world_run(&w, 250000);
    world_expect(&w, "[247060] channel 7 difference from 90\n");
    ck_assert_int_eq(close_channel(7), 0);
    world_fini(&w);
}
END_TEST

/* Opening a lost one asks whether there is access again. */
START_TEST(s68_lost_channel_is_opened)
{
    begin_channel(_i);
    feed_channel(7, 52);
    world_error(&w, 20, 400, "CHANNEL_PRIVATE");
    world_run(&w, 1000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] channel 7 lost at 50: 400\n");
    ck_assert_int_eq(open_channel(7), 0);
    world_answer(&w, 20, pack_channel_full(7, 60));
    world_answer(&w, 20, nothing_new(60, 100));
    world_run(&w, 5000);
    world_expect(&w, "[1000] channel 7 state\n[2020] channel 7 difference from 60\n");
    world_fini(&w);
}
END_TEST

/* Bots do not poll: once, when it is opened. */
START_TEST(s68_bots_ask_once)
{
    gap_engine_config_t c = {0};

    c.bot = true;
    begin_with(_i, &c);
    feed_channel(7, 50);
    world_run(&w, 0);
    world_forget(&w);
    ck_assert_int_eq(open_channel(7), 0);
    world_answer(&w, 20, nothing_new(50, 2));
    world_run(&w, 100000);
    world_expect(&w, "[   0] channel 7 difference from 50\n");
    world_fini(&w);
}
END_TEST

/* Opened before the start: asked once there is a connection. Nothing of it is stored. */
START_TEST(s68_opened_before_the_start)
{
    static const gap_engine_channel_t seven = {7, 7, 50, false};
    const gap_engine_state_t state = {10, 5, 1, PACK_DATE, &seven, 1};
    gap_engine_config_t c = {0};

    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    ck_assert_int_eq(open_channel(7), 0);
    world_run(&w, 1000);
    world_expect(&w, "");
    gap_engine_start(w.engine);
    world_run(&w, 1000);
    ck_assert_ptr_nonnull(strstr(w.trace, "[1000] channel 7 difference from 50\n"));
    world_fini(&w);
}
END_TEST

/* ---- track ---- */

/* Where to begin is known: what came since is fetched. */
START_TEST(track_from_a_position)
{
    begin(_i);
    ck_assert_int_eq(track(7, 50), 0);
    world_answer(&w, 20, channel_difference(7, 51, 52, true));
    world_run(&w, 10);
    feed_channel(7, 53);
    world_run(&w, 1000);
    ck_assert_int_eq(track(7, 20), 0); /* is tracked: its position stays */
    world_run(&w, 2000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[  20] apply 7:51\n"
                     "[  20] apply 7:52\n[  20] apply 7:53\n");
    ck_assert_int_eq(status_of(7).pts, 53);
    ck_assert_uint_eq(active(), 0);
    world_fini(&w);
}
END_TEST

/* Or the server says where it stands. */
START_TEST(track_from_now)
{
    begin(_i);
    ck_assert_int_eq(track(7, 0), 0);
    world_answer(&w, 20, pack_channel_full(7, 60));
    world_run(&w, 10);
    feed_channel(7, 60);
    feed_channel(7, 61);
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 state\n[  20] apply 7:61\n");
    ck_assert_int_eq(gap_engine_track_channel(w.engine, 8, 0, 5), GAP_E_NOT_FOUND);
    ck_assert_int_eq(track(0, 5), GAP_E_ARGUMENT);
    ck_assert_int_eq(track(8, -1), GAP_E_ARGUMENT);
    world_fini(&w);
}
END_TEST

/* ---- untrack ---- */

/* What is held is dropped, what comes is counted; nothing is asked, not even by the common
 * difference's word; the store is told. Tracked again it begins anew. */
START_TEST(untracked_channel)
{
    struct kept k;

    begin_channel(_i);
    kept_init(&k, &w);
    (void)kept_collect(&k);
    feed_channel(7, 52);
    world_run(&w, 100);
    world_forget(&w);
    ck_assert_int_eq(untrack(7), 0);
    ck_assert_int_eq(untrack(7), 0);
    ck_assert_uint_eq(untracked(), 1);
    (void)kept_collect(&k);
    world_expect(&w, "[ 100] drop 7\n");
    feed_channel(7, 51);
    pack_too_long(&w.p, 7, 90);
    feed();
    result(pack_channel_delete(7), pack_affected(91, 1), 0);
    world_run(&w, 10000);
    ck_assert_uint_eq(untracked(), 3);
    gap_engine_missed(w.engine);
    pack_too_long(&w.p, 7, 95);
    pack_channel_edit(&w.p, 7, 95, 1, 51);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_run(&w, 20000);
    world_expect(&w, "[10000] difference from 10\n");
    ck_assert_uint_eq(untracked(), 5);
    ck_assert_uint_eq(active(), 0);
    ck_assert(!status_of(7).tracked);
    ck_assert_int_eq(status_of(7).pts, 0);
    ck_assert_int_eq(open_channel(7), GAP_E_STATE);
    ck_assert_int_eq(track(7, 95), 0);
    ck_assert(status_of(7).tracked);
    world_answer(&w, 20, channel_difference(7, 96, 96, true));
    world_run(&w, 30000);
    feed_channel(7, 97);
    world_run(&w, 40000);
    world_expect(&w, "[20000] channel 7 difference from 95\n[20020] apply 7:96\n"
                     "[30000] apply 7:97\n");
    world_fini(&w);
}
END_TEST

/* Its question is on its way: the answer is of no use, also if it is tracked again meanwhile. */
START_TEST(untracked_while_asking)
{
    begin_channel(_i);
    feed_channel(7, 52);
    world_answer(&w, 100, channel_difference(7, 51, 52, true));
    world_run(&w, 550);
    ck_assert_int_eq(untrack(7), 0);
    world_run(&w, 1000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n");
    ck_assert_uint_eq(active(), 0);
    ck_assert_int_eq(track(7, 60), 0);
    world_answer(&w, 100, channel_difference(7, 61, 62, true));
    world_run(&w, 1050);
    ck_assert_int_eq(untrack(7), 0);
    ck_assert_int_eq(track(7, 70), 0);
    world_answer(&w, 100, channel_difference(7, 71, 71, true));
    world_run(&w, 5000);
    world_expect(&w, "[1000] channel 7 difference from 60\n[1100] channel 7 difference from 70\n"
                     "[1200] apply 7:71\n");
    ck_assert_int_eq(status_of(7).pts, 71);
    world_fini(&w);
}
END_TEST

/* Its answer is of no use, but the place that it had is for the next in line. */
START_TEST(untracked_while_others_wait)
{
    gap_engine_config_t c = {0};

    c.limits.channel_requests = 1;
    begin_with(_i, &c);
    for (int64_t id = 7; id <= 8; id++) feed_channel(id, 50);
    world_run(&w, 0);
    world_forget(&w);
    feed_channel(7, 52);
    world_answer(&w, 1000, channel_difference(7, 51, 52, true));
    world_answer(&w, 20, channel_difference(8, 51, 52, true));
    world_run(&w, 600);
    feed_channel(8, 52);
    world_run(&w, 1200);
    ck_assert_int_eq(untrack(7), 0);
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[1500] channel 8 difference from 50\n"
                     "[1520] apply 8:51\n[1520] apply 8:52\n");
    world_fini(&w);
}
END_TEST

/* S46: what FLOOD_WAIT says about it stands, also if it is tracked again meanwhile; it counts as
 * the first of two. */
START_TEST(s46_untracked_while_told_to_wait)
{
    begin(_i);
    for (int64_t id = 7; id <= 9; id++) feed_channel(id, 50);
    world_run(&w, 1);
    world_forget(&w);
    feed_channel(7, 52);
    world_error(&w, 100, 420, "FLOOD_WAIT_20");
    world_run(&w, 550);
    ck_assert_int_eq(untrack(7), 0);
    world_run(&w, 700);
    ck_assert_int_eq(track(7, 60), 0);
    world_run(&w, 1000);
    feed_channel(8, 52);
    world_error(&w, 20, 420, "FLOOD_WAIT_3");
    world_run(&w, 2000);
    feed_channel(9, 52);
    world_run(&w, 20000);
    world_expect(&w, "[ 501] channel 7 difference from 50\n"
                     "[ 601] channel 7 failed, again in 20000 ms\n"
                     "[1500] channel 8 difference from 50\n"
                     "[1520] channel 8 failed, again in 3000 ms\n");
    world_run(&w, 20700);
    ck_assert_uint_eq(lines_with("[20601] channel 9 difference from 50\n"), 1);
    ck_assert_uint_eq(lines_with("[20601] channel 8 difference from 50\n"), 1);
    ck_assert_uint_eq(lines_with("[20601] channel 7 difference from 60\n"), 1);
    world_fini(&w);
}
END_TEST

/* It waits for its turn, or for another try: it leaves the line. */
START_TEST(untracked_while_waiting)
{
    gap_engine_config_t c = {0};

    c.limits.channel_requests = 1;
    begin_with(_i, &c);
    for (int64_t id = 1; id <= 3; id++) feed_channel(id, 50);
    world_run(&w, 0);
    world_forget(&w);
    feed_channel(1, 52);
    world_error(&w, 20, 500, "HISTORY_GET_FAILED");
    world_run(&w, 600);
    feed_channel(2, 52);
    world_answer(&w, 3000, channel_difference(2, 51, 52, true));
    world_run(&w, 1200);
    feed_channel(3, 52);
    world_run(&w, 1800); /* 2 asks, 3 and 1 wait */
    ck_assert_int_eq(untrack(1), 0);
    ck_assert_int_eq(untrack(3), 0);
    world_run(&w, 100000);
    world_expect(&w, "[ 500] channel 1 difference from 50\n"
                     "[ 520] channel 1 failed, again in 1000 ms\n"
                     "[1100] channel 2 difference from 50\n"
                     "[4100] apply 2:51\n[4100] apply 2:52\n");
    ck_assert_uint_eq(active(), 0);
    world_fini(&w);
}
END_TEST

/* It waits for the common difference to bring its access hash. */
START_TEST(untracked_while_waiting_for_its_hash)
{
    static const gap_engine_channel_t four = {4, 0, 20, false};
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, &four, 1};
    gap_engine_config_t c = {0};

    c.state = &state;
    begin_with(_i, &c);
    w.p.lonely = true;
    pack_too_long(&w.p, 4, 90);
    feed();
    world_answer(&w, 1000, pack_empty(1));
    world_run(&w, 500);
    ck_assert_int_eq(untrack(4), 0);
    world_run(&w, 600);
    ck_assert_uint_eq(active(), 0);
    world_run(&w, 100000);
    world_expect(&w, "[   0] difference from 10\n");
    world_fini(&w);
}
END_TEST

static int64_t untrack_at;
static void untracking_handler(struct world *world, gap_update_t *update)
{
    char label[64];

    world_label(update, label);
    if (strcmp(label, "apply 7:52") != 0) return;
    ck_assert_int_eq(gap_engine_untrack_channel(world->engine, untrack_at), 0);
}

/* From inside a handler: nothing of it comes after that, whether by a difference, by pushes or out
 * of what is held. */
START_TEST(untracked_inside_a_handler)
{
    untrack_at = 7;
    begin_channel(_i);
    w.handled = untracking_handler;
    feed_channel(7, 53);
    world_answer(&w, 20, channel_difference(7, 51, 54, true)); /* by a difference */
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] apply 7:51\n"
                     "[ 520] apply 7:52\n");
    ck_assert_uint_eq(active(), 0);
    ck_assert_int_eq(track(7, 50), 0);
    world_answer(&w, 20, nothing_new(50, 0));
    world_run(&w, 11000);
    world_forget(&w);
    for (int32_t pts = 51; pts <= 55; pts++) feed_channel(7, pts); /* by pushes */
    world_run(&w, 12000);
    world_expect(&w, "[11000] apply 7:51\n[11000] apply 7:52\n");
    ck_assert_uint_eq(active(), 0);
    ck_assert_int_eq(track(7, 50), 0);
    world_answer(&w, 20, nothing_new(50, 0));
    world_run(&w, 13000);
    world_forget(&w);
    for (int32_t pts = 55; pts >= 51; pts--) feed_channel(7, pts); /* out of what is held */
    world_run(&w, 14000);
    world_expect(&w, "[13000] apply 7:51\n[13000] apply 7:52\n");
    ck_assert_uint_eq(active(), 0);
    world_fini(&w);
}
END_TEST

/* Handlers that are still at work finish as usual; what is begun with anew is not held back. */
START_TEST(untracked_with_handlers_at_work)
{
    struct kept k;

    begin_channel(_i);
    kept_init(&k, &w);
    (void)kept_collect(&k);
    world_forget(&w);
    (void)snprintf(k.later, sizeof k.later, "|apply 7:51|");
    feed_channel(7, 51);
    world_run(&w, 10);
    ck_assert_int_eq(untrack(7), 0);
    (void)kept_collect(&k);
    ck_assert_int_eq(track(7, 90), 0);
    world_answer(&w, 20, nothing_new(90, 0));
    world_run(&w, 1000);
    (void)kept_collect(&k);
    kept_finish(&k, "apply 7:51", 0);
    (void)kept_collect(&k);
    world_expect(&w, "[   0] apply 7:51\n[  10] drop 7\n[  10] channel 7 difference from 90\n"
                     "[1000] keep 7:90 unfinished\n[1000] keep 7:90\n");
    world_fini(&w);
}
END_TEST

/* A channel that the start named, and that is untracked meanwhile, holds up nobody. */
START_TEST(untracked_while_starting)
{
    static const gap_engine_channel_t seven = {7, 7, 50, true};
    const gap_engine_state_t state = {10, 5, 1, PACK_DATE, &seven, 1};
    gap_engine_config_t c = {0};

    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    w.events = true;
    gap_engine_start(w.engine);
    ck_assert_int_eq(untrack(7), 0);
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 1000);
    world_expect(&w, "[   0] started\n[   0] difference from 10\n[  20] caught up\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_open");
    TCase *t = tcase_create("open");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s68_open_channel_is_polled, 0, SEEDS);
    tcase_add_loop_test(t, s68_opened_twice, 0, SEEDS);
    tcase_add_loop_test(t, s68_closed_while_asking, 0, SEEDS);
    tcase_add_loop_test(t, s68_limits, 0, SEEDS);
    tcase_add_loop_test(t, s35_gap_in_an_open_channel, 0, SEEDS);
    tcase_add_loop_test(t, s68_poll_fails, 0, SEEDS);
    tcase_add_loop_test(t, s68_unknown_channel, 0, SEEDS);
    tcase_add_loop_test(t, s68_open_channel_is_lost, 0, SEEDS);
    tcase_add_loop_test(t, s68_lost_channel_is_opened, 0, SEEDS);
    tcase_add_loop_test(t, s68_bots_ask_once, 0, SEEDS);
    tcase_add_loop_test(t, s68_opened_before_the_start, 0, SEEDS);
    suite_add_tcase(s, t);
    t = tcase_create("track");
    tcase_add_loop_test(t, track_from_a_position, 0, SEEDS);
    tcase_add_loop_test(t, track_from_now, 0, SEEDS);
    tcase_add_loop_test(t, untracked_channel, 0, SEEDS);
    tcase_add_loop_test(t, untracked_while_asking, 0, SEEDS);
    tcase_add_loop_test(t, untracked_while_others_wait, 0, SEEDS);
    tcase_add_loop_test(t, s46_untracked_while_told_to_wait, 0, SEEDS);
    tcase_add_loop_test(t, untracked_while_waiting, 0, SEEDS);
    tcase_add_loop_test(t, untracked_while_waiting_for_its_hash, 0, SEEDS);
    tcase_add_loop_test(t, untracked_inside_a_handler, 0, SEEDS);
    tcase_add_loop_test(t, untracked_with_handlers_at_work, 0, SEEDS);
    tcase_add_loop_test(t, untracked_while_starting, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
