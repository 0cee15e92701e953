/*
 * Differences that can't be decoded (S80): the event to blame is found by smaller questions, passed
 * over alone, and named by an event; everything else is delivered, in order and once; and no
 * sequence is frozen, whatever the server sends.
 *
 * The server here keeps a list of events. One that is bad is written as an update of an unknown
 * constructor wherever it appears.
 */
#include "world_steps.h"

#include <gapless/message.h>
#include <string.h>

#define SEEDS 6

struct event {
    int64_t channel; /* 0: common */
    int32_t pts;     /* after it */
    int32_t count;
    bool bad;
    bool qts; /* its box is qts; pts is the qts */
};

#define EVENTS_MAX 128

static struct {
    struct event events[EVENTS_MAX];
    size_t count;
    bool users;  /* what is bad is a user that comes along with the event */
    bool cut;    /* garbage is the first half of the right answer */
    bool whole;  /* limits are not honoured; a channel's smaller one than what is new: too long */
    int garbage; /* so many answers are garbage in any case; -1: all */
    int64_t spoilt; /* and all about this channel */
    uint64_t questions;
} server;

static void happened(int64_t channel, int32_t pts, int32_t count, bool bad)
{
    ck_assert_uint_lt(server.count, EVENTS_MAX);
    server.events[server.count++] = (struct event){channel, pts, count, bad, false};
}

static void happened_qts(int32_t qts, bool bad)
{
    happened(0, qts, 1, bad);
    server.events[server.count - 1].qts = true;
}

/* Messages first..last of a box, of which one is bad (0: none). */
static void happen(int64_t channel, int32_t first, int32_t last, int32_t bad)
{
    for (int32_t pts = first; pts <= last; pts++) happened(channel, pts, 1, pts == bad);
}

static void write_event(const struct event *ev)
{
    if (ev->bad && server.users) pack_unknown_user(&w.p);
    if (ev->bad && !server.users) {
        pack_unknown(&w.p);
    } else if (ev->qts) {
        pack_qts(&w.p, ev->pts, ev->pts);
    } else if (ev->channel != 0) {
        pack_channel_new(&w.p, ev->channel, ev->pts);
    } else {
        pack_new(&w.p, ev->pts);
    }
}

static int32_t top(int64_t channel, bool qts, int32_t at_least)
{
    for (size_t i = 0; i < server.count; i++) {
        const struct event *ev = &server.events[i];
        if (ev->channel == channel && ev->qts == qts && ev->pts > at_least) at_least = ev->pts;
    }
    return at_least;
}

/* Writes what is new in a box, up to a limit. @return position of the last one. */
static int32_t write_box(int64_t channel, bool qts, int32_t from, int32_t limit, bool *more)
{
    int32_t to = from;

    if (limit == 0 || server.whole) limit = EVENTS_MAX;
    for (size_t i = 0; i < server.count; i++) {
        const struct event *ev = &server.events[i];
        if (ev->channel != channel || ev->qts != qts || ev->pts <= from) continue;
        if (limit-- <= 0) {
            *more = true;
            break;
        }
        write_event(ev);
        to = ev->pts;
    }
    return to;
}

static gap_packet_t *answer_common(const struct world_call *c)
{
    bool more = false;
    int32_t pts = write_box(0, false, c->pts, c->pts_limit, &more);
    int32_t qts = write_box(0, true, c->qts, c->qts_limit, &more);

    if (more) return pack_slice(&w.p, pts, qts, 1);
    if (w.p.messages.count + w.p.updates.count == 0) return pack_empty(1);
    return pack_difference(&w.p, pts, qts, 1);
}

static gap_packet_t *answer_channel(const struct world_call *c)
{
    bool more = false;
    int32_t last = top(c->channel, false, 0);

    if (last <= c->pts) return pack_channel_empty(last);
    if (server.whole && c->pts + c->limit < last)
        return pack_channel_too_long(&w.p, c->channel, last);
    int32_t to = write_box(c->channel, false, c->pts, c->limit, &more);
    return pack_channel_difference(&w.p, to, !more);
}

static void serve(struct world *world, struct world_call *c, bool due)
{
    if (due) return;
    c->due_us = world->now_us + 20000;
    server.questions++;
    if (c->channel == -1) {
        c->answer.packet = pack_state(top(0, false, 10), top(0, true, 5), 1);
        return;
    }
    bool spoilt = server.garbage != 0 || (c->channel != 0 && c->channel == server.spoilt);
    if (server.garbage > 0) server.garbage--;
    if (spoilt && c->full) {
        c->answer.packet = pack_channel_full(c->channel, top(c->channel, false, 1));
    } else if (spoilt && !server.cut) {
        c->answer.packet = pack_garbage();
    } else {
        c->answer.packet = c->channel == 0 ? answer_common(c) : answer_channel(c);
        if (spoilt) c->answer.packet->len = c->answer.packet->len / 8 * 4;
    }
}

/* An engine at pts 10, qts 5, and channels 7 and 8 at 50. */
static void begin_served(int seed)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    memset(&server, 0, sizeof server);
    c.gap_wait_us = 500000;
    begin_with(seed, &c);
    feed_channel(7, 50);
    feed_channel(8, 50);
    world_run(&w, 0);
    world_forget(&w);
    w.serve = serve;
}

static void push(int64_t channel, int32_t pts)
{
    happened(channel, pts, 1, false);
    if (channel == 0) {
        feed_message(pts);
    } else {
        feed_channel(channel, pts);
    }
}

/* Each of these lines is in the trace once, in this order; and nothing else was applied. */
static void expect_applied(int64_t channel, int32_t first, int32_t last, int32_t but)
{
    const char *at = w.trace;
    char line[48];

    for (int32_t pts = first; pts <= last; pts++) {
        if (channel == 0)
            (void)snprintf(line, sizeof line, " apply %d\n", pts);
        else
            (void)snprintf(line, sizeof line, " apply %lld:%d\n", (long long)channel, pts);
        ck_assert_msg((lines_with(line) == 1) == (pts != but), "%s in\n%s", line, w.trace);
        if (pts == but) continue;
        const char *found = strstr(at, line);
        ck_assert_msg(found != NULL, "out of order:%s in\n%s", line, w.trace);
        at = found;
    }
}

static uint64_t asked_until(uint64_t ms)
{
    world_run(&w, ms);
    return server.questions;
}

/* ---- the event alone ---- */

START_TEST(s80_common)
{
    begin_served(_i);
    happen(0, 11, 12, 12);
    push(0, 13);
    world_run(&w, 20000);
    world_expect(&w, "[ 500] difference from 10\n"
                     "[ 520] common failed, again in 100 ms\n"
                     "[ 620] difference from 10\n"
                     "[ 640] common failed, again in 100 ms\n"
                     "[ 740] difference from 10 limit 64\n"
                     "[ 760] common failed, again in 100 ms\n"
                     "[ 860] difference from 10 limit 16\n"
                     "[ 880] common failed, again in 100 ms\n"
                     "[ 980] difference from 10 limit 4\n"
                     "[1000] common failed, again in 100 ms\n"
                     "[1100] difference from 10 limit 1\n"
                     "[1120] apply 11\n"
                     "[1120] difference from 11 limit 1\n"
                     "[1140] common failed, again in 100 ms\n"
                     "[1240] difference from 12 limit 1\n"
                     "[1260] difference from 11 limit 1\n"
                     "[1280] common abandoned 11..12: unreadable\n"
                     "[1280] difference from 12 limit 1\n"
                     "[1300] apply 13\n");
    push(0, 14);
    world_run(&w, 30000);
    world_expect(&w, "[20000] apply 14\n");
    world_fini(&w);
}
END_TEST

/* Wherever among many it lies. */
START_TEST(s80_common_at_each_place)
{
    for (int32_t bad = 11; bad <= 89; bad += 13) {
        begin_served(_i);
        happen(0, 11, 89, bad);
        push(0, 90);
        world_run(&w, 5000);
        expect_applied(0, 11, 90, bad);
        ck_assert_uint_eq(lines_with("abandoned"), 1);
        world_fini(&w);
    }
}
END_TEST

START_TEST(s80_channel_at_each_place)
{
    for (int32_t bad = 51; bad <= 139; bad += 11) {
        begin_served(_i);
        happen(7, 51, 139, bad);
        push(7, 140);
        world_run(&w, 5000);
        expect_applied(7, 51, 140, bad);
        ck_assert_uint_eq(lines_with("channel 7 abandoned"), 1);
        world_fini(&w);
    }
}
END_TEST

START_TEST(s80_event_of_several)
{
    begin_served(_i);
    happen(7, 51, 52, 0);
    happened(7, 59, 7, true);
    happen(7, 60, 62, 0);
    push(7, 63);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("channel 7 abandoned 52..59: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("abandoned"), 1);
    expect_applied(7, 51, 52, 0);
    expect_applied(7, 60, 63, 0);
    world_fini(&w);
}
END_TEST

START_TEST(s80_qts)
{
    begin_served(_i);
    happen(0, 11, 13, 0);
    happened_qts(6, false);
    happened_qts(7, true);
    happened_qts(8, false);
    push(0, 14);
    world_run(&w, 10000);
    expect_applied(0, 11, 14, 0);
    ck_assert_uint_eq(lines_with("apply q6\n"), 1);
    ck_assert_uint_eq(lines_with("apply q8\n"), 1);
    ck_assert_uint_eq(lines_with("qts abandoned 6..7: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("abandoned"), 1);
    world_fini(&w);
}
END_TEST

START_TEST(s80_both_boxes)
{
    begin_served(_i);
    happen(0, 11, 13, 12);
    happened_qts(6, true);
    happened_qts(7, false);
    push(0, 14);
    world_run(&w, 10000);
    expect_applied(0, 11, 14, 12);
    ck_assert_uint_eq(lines_with("apply q7\n"), 1);
    ck_assert_uint_eq(lines_with("common abandoned 11..12: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("qts abandoned 5..6: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("abandoned"), 2);
    world_fini(&w);
}
END_TEST

/* The event itself could be read, but not who comes along with it. */
START_TEST(s80_unknown_user)
{
    for (int64_t channel = 0; channel <= 7; channel += 7) {
        int32_t from = channel == 0 ? 11 : 51;
        begin_served(_i);
        server.users = true;
        happen(channel, from, from + 50, from + 20);
        push(channel, from + 51);
        world_run(&w, 10000);
        ck_assert_uint_eq(lines_with("abandoned"), 1);
        expect_applied(channel, from, from + 51, from + 20);
        world_fini(&w);
    }
}
END_TEST

/* Two of them, with good ones between. */
START_TEST(s80_two)
{
    begin_served(_i);
    happen(7, 51, 70, 55);
    happen(7, 71, 89, 80);
    push(7, 90);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("channel 7 abandoned 54..55: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("channel 7 abandoned 79..80: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("apply 7:"), 38);
    world_fini(&w);
}
END_TEST

/* The push of the very event could be read, and lies held behind the hole. */
START_TEST(s80_held_push_of_it)
{
    begin_served(_i);
    happen(7, 51, 53, 53);
    feed_channel(7, 53);
    push(7, 54);
    world_run(&w, 10000);
    expect_applied(7, 51, 54, 0);
    world_fini(&w);
}
END_TEST

/* ---- servers that do not cut ---- */

/* Nothing but what comes with the bad event can be had: it is passed over with what is before it.
 */
START_TEST(s80_channel_not_cut)
{
    begin_served(_i);
    server.whole = true;
    happen(7, 51, 109, 60);
    push(7, 110);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("channel 7 abandoned 50..60: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("abandoned"), 1);
    expect_applied(7, 61, 110, 0);
    world_fini(&w);
}
END_TEST

START_TEST(s80_common_not_cut)
{
    begin_served(_i);
    server.whole = true;
    happen(0, 11, 49, 20);
    push(0, 50);
    world_run(&w, 20000);
    ck_assert_uint_eq(lines_with("common abandoned 10..20: unreadable\n"), 1);
    ck_assert_uint_eq(lines_with("abandoned"), 1);
    expect_applied(0, 21, 50, 0);
    world_fini(&w);
}
END_TEST

/* ---- garbage for a while ---- */

/* After any number of garbled answers: as soon as they can be read nothing is missing. */
START_TEST(garbage_for_a_while_loses_nothing)
{
    for (int n = 1; n <= 20; n++) {
        for (int64_t channel = 0; channel <= 7; channel += 7) {
            int32_t from = channel == 0 ? 11 : 51;
            begin_served(_i);
            server.whole = n % 2 == 0;
            server.cut = n % 4 < 2;
            server.garbage = n;
            happen(channel, from, from + 80, 0);
            push(channel, from + 81);
            world_run(&w, 60000);
            expect_applied(channel, from, from + 81, 0);
            ck_assert_uint_eq(lines_with("abandoned"), 0);
            world_fini(&w);
        }
    }
}
END_TEST

/* ---- garbage for ever ---- */

START_TEST(garbage_for_ever_freezes_nothing_else)
{
    begin_served(_i);
    server.spoilt = 7;
    happen(7, 51, 59, 0);
    feed_channel(7, 60);
    for (int32_t n = 1; n <= 15; n++) {
        happen(8, 50 + 2 * n - 1, 50 + 2 * n - 1, 0);
        push(8, 50 + 2 * n);
        push(0, 10 + n);
        world_run(&w, (uint64_t)n * 1000);
        ck_assert_uint_eq(applied(), 2 + 3 * (uint64_t)n);
    }
    ck_assert_uint_eq(lines_with("channel 8 abandoned"), 0);
    ck_assert_uint_eq(lines_with("common abandoned"), 0);
    world_fini(&w);
}
END_TEST

/* Bounded traffic; at last the server is asked where it stands, and the sequence goes on there. */
START_TEST(garbage_for_ever_is_asked_seldom)
{
    begin_served(_i);
    server.garbage = -1;
    happen(0, 11, 12, 0);
    push(0, 13);
    ck_assert_uint_lt(asked_until(2000), 16);
    ck_assert_uint_lt(asked_until(120000), 50);
    ck_assert_uint_eq(lines_with("common abandoned 10..13: unreadable\n"), 1);
    push(0, 14);
    world_run(&w, 120001);
    ck_assert_uint_eq(lines_with("] apply 14\n"), 1);
    /* The next time without a search. */
    uint64_t before = server.questions;
    happen(0, 15, 15, 0);
    push(0, 16);
    ck_assert_uint_le(asked_until(200000) - before, 4);
    ck_assert_uint_eq(lines_with("common abandoned 14..16: unreadable\n"), 1);
    /* And once it can be read, as ever. */
    server.garbage = 0;
    happen(0, 17, 17, 0);
    push(0, 18);
    world_run(&w, 300000);
    ck_assert_uint_eq(lines_with("] apply 17\n"), 1);
    ck_assert_uint_eq(lines_with("] apply 18\n"), 1);
    world_fini(&w);
}
END_TEST

START_TEST(garbage_for_ever_in_a_channel)
{
    begin_served(_i);
    server.spoilt = 7;
    happen(7, 51, 52, 0);
    push(7, 53);
    ck_assert_uint_lt(asked_until(2000), 16);
    ck_assert_uint_lt(asked_until(120000), 40);
    ck_assert_uint_eq(lines_with("channel 7 abandoned 50..53: unreadable\n"), 1);
    push(7, 54);
    world_run(&w, 120001);
    ck_assert_uint_eq(lines_with("] apply 7:54\n"), 1);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_unreadable");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s80_common, 0, SEEDS);
    tcase_add_loop_test(t, s80_common_at_each_place, 0, SEEDS);
    tcase_add_loop_test(t, s80_channel_at_each_place, 0, SEEDS);
    tcase_add_loop_test(t, s80_event_of_several, 0, SEEDS);
    tcase_add_loop_test(t, s80_qts, 0, SEEDS);
    tcase_add_loop_test(t, s80_both_boxes, 0, SEEDS);
    tcase_add_loop_test(t, s80_unknown_user, 0, SEEDS);
    tcase_add_loop_test(t, s80_two, 0, SEEDS);
    tcase_add_loop_test(t, s80_held_push_of_it, 0, SEEDS);
    tcase_add_loop_test(t, s80_channel_not_cut, 0, SEEDS);
    tcase_add_loop_test(t, s80_common_not_cut, 0, SEEDS);
    tcase_add_loop_test(t, garbage_for_a_while_loses_nothing, 0, SEEDS);
    tcase_add_loop_test(t, garbage_for_ever_freezes_nothing_else, 0, SEEDS);
    tcase_add_loop_test(t, garbage_for_ever_is_asked_seldom, 0, SEEDS);
    tcase_add_loop_test(t, garbage_for_ever_in_a_channel, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
