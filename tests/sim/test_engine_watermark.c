/*
 * What the engine hands over to be stored: never ahead of the handlers, all that belongs together
 * at once, and enough to go on from after a crash. The state at the start is pts 10, qts 5, seq 1
 * at second 0; gaps wait 500 ms. "keep" lines are what is stored, "again" marks what may have been
 * handled before a restart.
 */
#include "kept.h"

#include <string.h>

#define SEEDS 8

static struct world w;
static struct kept k;

/* The handler of that update is through. */
static void finish(const char *what, int status)
{
    kept_finish(&k, what, status);
}

static void setup_world(int seed, const char *labels)
{
    world_begin(&w, (uint64_t)seed);
    kept_init(&k, &w);
    w.again = true;
    (void)snprintf(k.later, sizeof k.later, "%s", labels);
}

static void answer_empty(uint64_t delay_ms, int32_t date)
{
    gap_tl_updates_difference_empty_t d = {PACK_DATE + date, 1};
    world_answer(&w, delay_ms, pack_object(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &d));
}

static void start(void)
{
    kept_open(&k, NULL);
    gap_engine_start(w.engine);
}

static void run(uint64_t ms)
{
    world_run(&w, w.now_us / 1000 + ms);
}

/* Ready, with channel 7 at pts 50 and nothing to catch up with. */
static void ready(int seed, const char *labels)
{
    setup_world(seed, labels);
    kept_channel(&k, 7, 50, false);
    start();
    answer_empty(0, 0);
    run(0);
    world_expect(&w, "[   0] difference from 10\n");
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, ""); /* it is as it was stored */
}

static void collect(const char *expected)
{
    world_forget(&w);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_str_eq(w.trace, expected);
    world_forget(&w);
}

static void crash_and_start(const char *labels)
{
    kept_crash(&k);
    w.now_us = 0;
    world_forget(&w);
    (void)snprintf(k.later, sizeof k.later, "%s", labels);
    start();
}

static void feed(void)
{
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), 0);
}

static void feed_message(int32_t pts)
{
    pack_message(&w.p, pts, 1, pts, PACK_USER);
    feed();
}

static void feed_channel(int64_t channel, int32_t pts)
{
    pack_channel_message(&w.p, channel, pts, 1, pts);
    feed();
}

/* ---- the watermark of a sequence ---- */

START_TEST(changed_is_told_once)
{
    ready(_i, "");
    ck_assert_uint_eq(k.changed, 0);
    feed_message(11);
    ck_assert_uint_eq(k.changed, 0); /* from a tick only */
    feed_message(12);
    run(0);
    ck_assert_uint_eq(k.changed, 1);
    feed_channel(7, 51);
    run(0);
    ck_assert_uint_eq(k.changed, 1);
    collect("[   0] keep 7:51\n[   0] keep 12 5 1 +0\n");
    run(1000);
    ck_assert_uint_eq(k.changed, 0);
    collect("");
    feed_message(13);
    run(0);
    ck_assert_uint_eq(k.changed, 1);
    world_fini(&w);
}
END_TEST

START_TEST(it_waits_for_the_oldest_handler)
{
    ready(_i, "|apply 11||apply 13||apply 14|");
    for (int32_t pts = 11; pts <= 15; pts++) feed_message(pts);
    run(0);
    collect("");
    finish("apply 13", 0);
    collect("");
    finish("apply 11", 0);
    run(0);
    ck_assert_uint_eq(k.changed, 1);
    collect("[   0] keep 13 5 1 +0\n");
    finish("apply 14", 0);
    collect("[   0] keep 15 5 1 +0\n");
    world_fini(&w);
}
END_TEST

START_TEST(one_that_failed_is_finished_when_that_is_told)
{
    ready(_i, "|apply 11|");
    feed_message(11);
    run(0);
    finish("apply 11", -5);
    collect(""); /* not told yet */
    run(0);
    world_expect(&w, "[   0] handler failed: -5\n");
    collect("[   0] keep 11 5 1 +0\n");
    world_fini(&w);
}
END_TEST

START_TEST(each_sequence_has_its_own)
{
    ready(_i, "|apply 11||apply q6||apply 7:51||apply query 3|");
    feed_message(11);
    pack_qts(&w.p, 6, 6);
    feed();
    feed_channel(7, 51);
    pack_query(&w.p, 3);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 2)), 0);
    pack_query(&w.p, 4);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 3)), 0);
    run(0);
    collect("[   0] keep 7:50 unfinished\n");
    finish("apply q6", 0);
    collect("[   0] keep 10 6 1 +0\n");
    finish("apply query 3", 0);
    collect("[   0] keep 10 6 3 +0\n");
    finish("apply 7:51", 0);
    collect("[   0] keep 7:51\n");
    finish("apply 11", 0);
    collect("[   0] keep 11 6 3 +0\n");
    world_fini(&w);
}
END_TEST

/* The server restarts its count: what is in handlers belongs to the old one. */
START_TEST(a_reset_is_stored)
{
    setup_world(_i, "|apply 5000001|");
    k.state.pts = 5000000;
    start();
    answer_empty(0, 0);
    run(0);
    feed_message(5000001);
    run(0);
    feed_message(101);
    run(0);
    world_expect(&w, "[   0] difference from 5000000\n[   0] apply 5000001\n"
                     "[   0] common resynchronised 5000001..101: reset\n[   0] apply 101\n");
    collect("[   0] keep 101 5 1 +0\n");
    feed_message(102);
    run(0);
    collect("");
    finish("apply 5000001", 0);
    collect("[   0] keep 102 5 1 +0\n");
    world_fini(&w);
}
END_TEST

START_TEST(nothing_before_the_state_is_known)
{
    setup_world(_i, "");
    k.has_state = false;
    start();
    world_answer(&w, 20, pack_state(30, 6, 2));
    world_answer(&w, 20, pack_empty(2));
    feed_channel(7, 51);
    collect("");
    run(10);
    ck_assert_uint_eq(k.changed, 0);
    run(10);
    ck_assert_uint_eq(k.changed, 1);
    world_forget(&w);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(k.state.pts, 30);
    ck_assert_ptr_nonnull(kept_find(&k, 7));
    world_fini(&w);
}
END_TEST

/* ---- differences ---- */

/* Two slices and the rest: 11, 12 | 13, 14 | 15. */
static void answer_slices(int from)
{
    if (from <= 12) {
        pack_new(&w.p, 11);
        pack_new(&w.p, 12);
        world_answer(&w, 10, pack_slice(&w.p, 12, 5, 1));
    }
    pack_new(&w.p, 13);
    pack_edit(&w.p, 14, 0, 12);
    world_answer(&w, 10, pack_slice(&w.p, 14, 5, 1));
    pack_new(&w.p, 15);
    w.p.later = 5;
    world_answer(&w, 10, pack_difference(&w.p, 15, 5, 1));
    w.p.later = 0;
}

START_TEST(a_slice_is_one_position)
{
    ready(_i, "|apply 12|");
    gap_engine_missed(w.engine);
    answer_slices(11);
    run(10);
    world_expect(&w, "[   0] difference from 10\n[  10] apply 11\n[  10] apply 12\n"
                     "[  10] difference from 12\n");
    collect("");
    finish("apply 12", 0);
    collect("[  10] keep 12 5 1 +0\n");
    run(10);
    collect("[  20] keep 14 5 1 +0\n");
    run(10);
    collect("[  30] keep 15 5 1 +5\n");
    world_fini(&w);
}
END_TEST

START_TEST(s26_crash_between_slices)
{
    setup_world(_i, "|edit 12|");
    start();
    answer_slices(11);
    run(20);
    world_expect(&w, "[   0] difference from 10\n[  10] apply 11 again\n[  10] apply 12 again\n"
                     "[  10] difference from 12\n[  20] apply 13 again\n[  20] edit 12 again\n"
                     "[  20] difference from 14\n");
    collect("[  20] keep 12 5 1 +0\n");
    crash_and_start("");
    answer_slices(13);
    run(20);
    world_expect(&w, "[   0] difference from 12\n[  10] apply 13 again\n[  10] edit 12 again\n"
                     "[  10] difference from 14\n[  20] apply 15 again\n");
    collect("[  20] keep 15 5 1 +5\n");
    feed_message(16); /* and what is new is new */
    run(0);
    world_expect(&w, "[  20] apply 16\n");
    world_fini(&w);
}
END_TEST

START_TEST(what_came_by_difference_holds_qts_and_date_too)
{
    gap_tl_update_bot_stopped_t stopped = {9, PACK_DATE, true, 0};

    ready(_i, "|apply q9|");
    gap_engine_missed(w.engine);
    pack_update(&w.p, GAP_TL_UPDATE_BOT_STOPPED, &stopped);
    w.p.later = 3;
    world_answer(&w, 10, pack_difference(&w.p, 12, 8, 1));
    run(10);
    world_forget(&w);
    collect("[  10] keep 12 5 1 +0\n"); /* pts is through */
    finish("apply q9", 0);
    collect("[  10] keep 12 8 1 +3\n");
    world_fini(&w);
}
END_TEST

START_TEST(date_is_held_back)
{
    ready(_i, "|apply 11|");
    feed_message(11);
    run(0);
    gap_engine_missed(w.engine);
    answer_empty(0, 30);
    run(0);
    gap_engine_missed(w.engine);
    answer_empty(0, 60);
    run(0);
    collect("");
    finish("apply 11", 0);
    collect("[   0] keep 11 5 1 +60\n");
    w.p.later = 90; /* containers don't move it */
    pack_query(&w.p, 3);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 2)), 0);
    run(0);
    collect("[   0] keep 11 5 2 +60\n");
    world_fini(&w);
}
END_TEST

/* ---- crashes ---- */

START_TEST(m08_killed_after_the_handler)
{
    ready(_i, "");
    feed_message(11);
    run(0);
    world_expect(&w, "[   0] apply 11\n");
    crash_and_start("");
    pack_new(&w.p, 11);
    world_answer(&w, 10, pack_difference(&w.p, 11, 5, 1));
    run(10);
    world_expect(&w, "[   0] difference from 10\n[  10] apply 11 again\n");
    world_fini(&w);
}
END_TEST

START_TEST(m09_killed_within_a_common_difference)
{
    ready(_i, "|edit 9|");
    gap_engine_missed(w.engine);
    pack_new(&w.p, 11);
    pack_edit(&w.p, 12, 0, 9);
    world_answer(&w, 0, pack_difference(&w.p, 12, 5, 1));
    run(0);
    world_expect(&w, "[   0] difference from 10\n[   0] apply 11\n[   0] edit 9\n");
    feed_message(13);
    run(0);
    world_expect(&w, "[   0] apply 13\n");
    collect("");
    crash_and_start("");
    pack_new(&w.p, 11);
    pack_new(&w.p, 13);
    pack_edit(&w.p, 13, 0, 9);
    world_answer(&w, 0, pack_difference(&w.p, 13, 5, 1));
    run(0);
    world_expect(&w, "[   0] difference from 10\n[   0] apply 11 again\n[   0] apply 13 again\n"
                     "[   0] edit 9 again\n");
    collect("[   0] keep 13 5 1 +0\n");
    world_fini(&w);
}
END_TEST

START_TEST(m10_killed_within_a_channel_difference)
{
    ready(_i, "|edit 7:40|");
    pack_too_long(&w.p, 7, 53);
    feed();
    pack_channel_new(&w.p, 7, 51);
    pack_channel_new(&w.p, 7, 52);
    pack_channel_edit(&w.p, 7, 53, 0, 40);
    world_answer(&w, 0, pack_channel_difference(&w.p, 53, true));
    run(0);
    world_expect(&w, "[   0] channel 7 difference from 50\n[   0] apply 7:51 again\n"
                     "[   0] apply 7:52 again\n[   0] edit 7:40 again\n");
    collect("[   0] keep 7:50 unfinished\n");
    crash_and_start("");
    answer_empty(0, 1);
    run(0);
    ck_assert_ptr_nonnull(strstr(w.trace, "channel 7 difference from 50"));
    world_fini(&w);
}
END_TEST

/* Answers in whatever order it is asked. */
static struct {
    int32_t date;
    bool named;  /* by the common difference */
    bool silent; /* the channel's difference is not answered */
} server;

static void serve(struct world *world, struct world_call *c, bool due)
{
    (void)world;
    if (due || (c->channel == 7 && server.silent)) return;
    c->due_us = w.now_us + 5000;
    if (c->channel == 7) {
        pack_channel_new(&w.p, 7, 51);
        c->answer.packet = pack_channel_difference(&w.p, 51, true);
    } else {
        if (server.named) pack_too_long(&w.p, 7, 51);
        w.p.later = server.date;
        c->answer.packet = pack_difference(&w.p, 10, 5, 1);
        w.p.later = 0;
    }
}

/* Nothing of the channel is named by the server: only what was stored tells that it is not
 * finished. */
static void is_asked_again(int32_t pts, bool named)
{
    server.date = 70;
    server.named = named;
    server.silent = false;
    w.serve = serve;
    crash_and_start("");
    run(100);
    char asked[64];
    (void)snprintf(asked, sizeof asked, "[   0] channel 7 difference from %d\n", pts);
    ck_assert_msg(strstr(w.trace, asked) != NULL, "%s", w.trace);
    ck_assert_msg(strstr(w.trace, "apply 7:51 again\n") != NULL, "%s", w.trace);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(kept_find(&k, 7)->pts, 51);
    ck_assert(!kept_find(&k, 7)->unfinished);
    world_fini(&w);
}

/* The date passes; it must not without the channel's mark. */
static void pass_date(void)
{
    gap_engine_missed(w.engine);
    answer_empty(0, 60);
    run(0);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(k.state.date, PACK_DATE + 60);
    ck_assert_ptr_nonnull(kept_find(&k, 7));
    ck_assert(kept_find(&k, 7)->unfinished);
}

START_TEST(s83_an_update_in_a_handler)
{
    ready(_i, "|apply 7:51|");
    feed_channel(7, 51);
    run(0);
    pass_date();
    is_asked_again(50, false);
}
END_TEST

START_TEST(s83_an_update_that_waits_to_be_looked_at)
{
    ready(_i, "");
    gap_engine_missed(w.engine);
    answer_empty(0, 60);
    run(0);
    feed_channel(7, 51); /* no tick since */
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(k.state.date, PACK_DATE + 60);
    ck_assert(kept_find(&k, 7)->unfinished);
    is_asked_again(50, false);
}
END_TEST

START_TEST(s83_an_update_held_behind_a_gap)
{
    ready(_i, "");
    feed_channel(7, 52);
    run(0);
    pass_date();
    is_asked_again(50, false);
}
END_TEST

START_TEST(s83_a_channel_that_is_being_fetched)
{
    ready(_i, "");
    pack_too_long(&w.p, 7, 51);
    feed();
    world_answer(&w, 1000, pack_channel_empty(51));
    run(0);
    pass_date();
    is_asked_again(50, true);
}
END_TEST

START_TEST(s83_named_by_the_difference_that_moves_the_date)
{
    ready(_i, "");
    gap_engine_missed(w.engine);
    pack_too_long(&w.p, 7, 51);
    w.p.later = 60;
    world_answer(&w, 0, pack_difference(&w.p, 10, 5, 1));
    w.p.later = 0;
    world_answer(&w, 1000, pack_channel_empty(51));
    while (k.state.date != PACK_DATE + 60) {
        ck_assert(world_step(&w, 1000));
        ck_assert_int_eq(kept_collect(&k), 0);
    }
    ck_assert(kept_find(&k, 7)->unfinished);
    is_asked_again(50, false);
}
END_TEST

START_TEST(s83_dropped_on_purpose)
{
    gap_engine_config_t c;

    setup_world(_i, "|apply 7:51|");
    memset(&c, 0, sizeof c);
    c.limits.inbox = c.limits.overflow = 1;
    kept_channel(&k, 7, 50, false);
    kept_open(&k, &c);
    gap_engine_start(w.engine);
    answer_empty(0, 0);
    run(0);
    feed_channel(7, 51);
    pack_channel_message(&w.p, 7, 52, 1, 52);
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), GAP_BEHIND);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert(kept_find(&k, 7)->unfinished);
    world_answer(&w, WORLD_NEVER, NULL);
    run(0);
    finish("apply 7:51", 0);
    pass_date();
    ck_assert_int_eq(kept_find(&k, 7)->pts, 51);
    world_fini(&w);
}
END_TEST

/* A channel that was never heard of: its first update is not settled. */
START_TEST(a_first_base_is_stored)
{
    for (int ticks = 0; ticks < 4; ticks++) {
        setup_world(_i, "|apply 7:51|");
        start();
        answer_empty(0, 0);
        run(0);
        gap_engine_missed(w.engine);
        answer_empty(0, 60);
        run(0);
        feed_channel(7, 51);
        for (int i = 0; i < ticks; i++) (void)world_step(&w, 0);
        ck_assert_int_eq(kept_collect(&k), 0);
        ck_assert_int_eq(k.state.date, PACK_DATE + 60);
        ck_assert_ptr_nonnull(kept_find(&k, 7));
        ck_assert(kept_find(&k, 7)->unfinished);
        int32_t pts = kept_find(&k, 7)->pts;
        ck_assert(pts == 0 || pts == 50);
        is_asked_again(pts == 0 ? 1 : pts, false);
    }
}
END_TEST

START_TEST(the_mark_goes_when_it_is_through)
{
    ready(_i, "|apply 7:51|");
    feed_channel(7, 51);
    run(0);
    collect("[   0] keep 7:50 unfinished\n");
    finish("apply 7:51", 0);
    run(0);
    ck_assert_uint_eq(k.changed, 1);
    collect("[   0] keep 7:51\n");
    feed_channel(7, 53);
    run(0);
    collect("[   0] keep 7:51 unfinished\n");
    feed_channel(7, 52);
    run(0);
    collect("[   0] keep 7:53\n");
    pack_too_long(&w.p, 7, 0);
    feed();
    world_answer(&w, 10, pack_channel_empty(53));
    run(5);
    collect("[   5] keep 7:53 unfinished\n");
    run(5);
    collect("[  10] keep 7:53\n");
    feed_channel(7, 53); /* a duplicate */
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[  10] keep 7:53 unfinished\n");
    run(0);
    collect("[  10] keep 7:53\n");
    run(1000);
    ck_assert_uint_eq(k.changed, 0);
    world_fini(&w);
}
END_TEST

START_TEST(a_restart_asks_until_it_is_answered)
{
    setup_world(_i, "");
    kept_channel(&k, 7, 50, true);
    server.date = 30;
    server.named = false;
    server.silent = true;
    w.serve = serve;
    start();
    run(100);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(k.state.date, PACK_DATE + 30);
    ck_assert(kept_find(&k, 7)->unfinished);
    is_asked_again(50, false);
}
END_TEST

/* ---- lost, too long, unknown ---- */

START_TEST(a_channel_without_access_goes)
{
    gap_engine_counters_t count;

    ready(_i, "|apply 7:51|");
    feed_channel(7, 51);
    run(0);
    collect("[   0] keep 7:50 unfinished\n");
    feed_channel(7, 53);
    world_error(&w, 10, 400, "CHANNEL_PRIVATE");
    run(600);
    collect("[ 600] drop 7\n");
    ck_assert_uint_eq(k.count, 0);
    finish("apply 7:51", 0);
    run(0);
    collect("");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.sequences, 3);
    feed_channel(7, 90); /* and is back */
    run(0);
    collect("[ 600] keep 7:90\n");
    world_fini(&w);
}
END_TEST

START_TEST(lost_and_back_before_anything_was_stored)
{
    ready(_i, "");
    feed_channel(7, 53);
    world_error(&w, 10, 400, "CHANNEL_PRIVATE");
    run(600);
    feed_channel(7, 90);
    run(0);
    collect("[ 600] keep 7:90\n");
    world_fini(&w);
}
END_TEST

START_TEST(the_newest_messages_of_what_was_too_long)
{
    ready(_i, "|apply 7:900|");
    pack_too_long(&w.p, 7, 950);
    feed();
    pack_channel_new(&w.p, 7, 900);
    world_answer(&w, 0, pack_channel_too_long(&w.p, 7, 950));
    answer_empty(0, 0);
    run(0);
    ck_assert_ptr_nonnull(strstr(w.trace, "apply 7:900 again\n"));
    world_forget(&w);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert(kept_find(&k, 7)->unfinished);
    ck_assert_int_eq(kept_find(&k, 7)->pts, 50); /* asked from there, they come again */
    finish("apply 7:900", 0);
    run(1);
    ck_assert_int_eq(kept_collect(&k), 0);
    ck_assert_int_eq(kept_find(&k, 7)->pts, 950);
    world_fini(&w);
}
END_TEST

START_TEST(an_unknown_channel_named_at_a_restart)
{
    setup_world(_i, "");
    start();
    pack_channel(&w.p, 9);
    pack_too_long(&w.p, 9, 4);
    world_answer(&w, 0, pack_difference(&w.p, 10, 5, 1));
    for (int32_t id = 2; id <= 4; id++) pack_channel_new(&w.p, 9, id);
    world_answer(&w, 0, pack_channel_difference(&w.p, 4, true));
    run(0);
    world_expect(&w, "[   0] difference from 10\n[   0] channel 9 difference from 1\n"
                     "[   0] apply 9:2 again\n[   0] apply 9:3 again\n[   0] apply 9:4 again\n");
    collect("[   0] keep 9:4\n");
    world_fini(&w);
}
END_TEST

/* ---- trouble ---- */

START_TEST(what_is_refused_comes_again_and_the_state_is_last)
{
    for (uint32_t n = 1; n <= 3; n++) {
        ready(_i, "");
        kept_channel(&k, 8, 0, false);
        k.count--;
        feed_channel(7, 51);
        feed_channel(8, 30);
        feed_message(11);
        run(0);
        world_forget(&w);
        k.refuse = n;
        ck_assert_int_eq(kept_collect(&k), GAP_E_NOMEM);
        ck_assert_int_eq(k.state.pts, 10);
        k.refuse = 0;
        feed_message(12);
        run(0);
        ck_assert_uint_eq(k.changed, 1); /* told again */
        ck_assert_int_eq(kept_collect(&k), 0);
        ck_assert_int_eq(k.state.pts, 12);
        ck_assert_int_eq(kept_find(&k, 7)->pts, 51);
        ck_assert_int_eq(kept_find(&k, 8)->pts, 30);
        world_fini(&w);
    }
}
END_TEST

/* Without memory for the list of what has changed all channels are looked at. */
START_TEST(memory_may_run_out)
{
    for (long n = 1; n < 40; n++) {
        ready(_i, "");
        gap_packet_t *packets[2]; /* not the engine's */
        pack_channel_message(&w.p, 7, 51, 1, 51);
        packets[0] = pack_updates(&w.p, 0);
        pack_channel_message(&w.p, 8, 30, 1, 30);
        packets[1] = pack_updates(&w.p, 0);
        w.fault.fail_at = w.fault.calls + n;
        w.fault.fail_on = true;
        int r = world_feed(&w, packets[0]);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        r = world_feed(&w, packets[1]);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        (void)world_step(&w, w.now_us);
        w.fault.fail_at = 0;
        w.fault.fail_on = false;
        world_answer(&w, 0, pack_empty(1));
        world_answer(&w, 0, pack_empty(1));
        run(0);
        ck_assert_int_eq(kept_collect(&k), 0);
        const gap_engine_channel_t *c = kept_find(&k, 7);
        /* It was stored, or is marked: never silently behind. */
        ck_assert(c->pts == 51 || c->unfinished || strstr(w.trace, "difference from 10") != NULL);
        world_fini(&w);
    }
}
END_TEST

START_TEST(what_is_given_back_is_not_finished)
{
    ready(_i, "|apply 11||apply 13||apply 7:51|");
    for (int32_t pts = 11; pts <= 15; pts++) feed_message(pts);
    feed_channel(7, 51);
    run(0);
    kept_close(&k);
    finish("apply 13", KEPT_RETURN);
    finish("apply 7:51", KEPT_RETURN);
    finish("apply 11", 0);
    collect("[   0] keep 7:50 unfinished\n[   0] keep 12 5 1 +0\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("engine_watermark");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, changed_is_told_once, 0, SEEDS);
    tcase_add_loop_test(t, it_waits_for_the_oldest_handler, 0, SEEDS);
    tcase_add_loop_test(t, one_that_failed_is_finished_when_that_is_told, 0, SEEDS);
    tcase_add_loop_test(t, each_sequence_has_its_own, 0, SEEDS);
    tcase_add_loop_test(t, a_reset_is_stored, 0, SEEDS);
    tcase_add_loop_test(t, nothing_before_the_state_is_known, 0, SEEDS);
    tcase_add_loop_test(t, a_slice_is_one_position, 0, SEEDS);
    tcase_add_loop_test(t, s26_crash_between_slices, 0, SEEDS);
    tcase_add_loop_test(t, what_came_by_difference_holds_qts_and_date_too, 0, SEEDS);
    tcase_add_loop_test(t, date_is_held_back, 0, SEEDS);
    tcase_add_loop_test(t, m08_killed_after_the_handler, 0, SEEDS);
    tcase_add_loop_test(t, m09_killed_within_a_common_difference, 0, SEEDS);
    tcase_add_loop_test(t, m10_killed_within_a_channel_difference, 0, SEEDS);
    tcase_add_loop_test(t, s83_an_update_in_a_handler, 0, SEEDS);
    tcase_add_loop_test(t, s83_an_update_that_waits_to_be_looked_at, 0, SEEDS);
    tcase_add_loop_test(t, s83_an_update_held_behind_a_gap, 0, SEEDS);
    tcase_add_loop_test(t, s83_a_channel_that_is_being_fetched, 0, SEEDS);
    tcase_add_loop_test(t, s83_named_by_the_difference_that_moves_the_date, 0, SEEDS);
    tcase_add_loop_test(t, s83_dropped_on_purpose, 0, SEEDS);
    tcase_add_loop_test(t, a_first_base_is_stored, 0, SEEDS);
    tcase_add_loop_test(t, the_mark_goes_when_it_is_through, 0, SEEDS);
    tcase_add_loop_test(t, a_restart_asks_until_it_is_answered, 0, SEEDS);
    tcase_add_loop_test(t, a_channel_without_access_goes, 0, SEEDS);
    tcase_add_loop_test(t, lost_and_back_before_anything_was_stored, 0, SEEDS);
    tcase_add_loop_test(t, the_newest_messages_of_what_was_too_long, 0, SEEDS);
    tcase_add_loop_test(t, an_unknown_channel_named_at_a_restart, 0, SEEDS);
    tcase_add_loop_test(t, what_is_refused_comes_again_and_the_state_is_last, 0, SEEDS);
    tcase_add_loop_test(t, memory_may_run_out, 0, SEEDS);
    tcase_add_loop_test(t, what_is_given_back_is_not_finished, 0, SEEDS);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
