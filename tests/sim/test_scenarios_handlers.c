/*
 * The catalogue of scenarios (scenarios.txt and delivery.txt) where handlers, their journal and a
 * disk have a part: crashes, handlers that fail, hang or take long, a disk that takes nothing. A
 * told world with a runner: pushes take 10 ms, a question and its answer 10 each, the disk 2; what
 * is unfinished after 200 ms is journalled, positions are stored every 50 ms. Each test is named
 * after its scenario; what it expects was written from the catalogue before the code ran.
 *
 * A line of what was run: "e3#1" is the first run of event 3, "e3#1*" one that may be repeated,
 * "e3#1j" one that came from the journal (and may be repeated).
 */
#include "../check_main.h"
#include "globe_keep.h"

#include <gapless/message.h>
#include <string.h>

#define USER_1   ((dc_peer_t){DC_USER, DC_USER_ID_FIRST})
#define USER_2   ((dc_peer_t){DC_USER, DC_USER_ID_FIRST + 1})
#define GROUP    ((dc_peer_t){DC_CHAT, DC_CHAT_ID_FIRST})
#define CHANNEL1 ((dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST})
#define CHANNEL2 ((dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST + 1})

static struct globe *g;
static struct globe_options o;
static char runs[1 << 14];
static char log_text[1 << 20];
static size_t log_len;
static uint64_t ran_ms[1024]; /* when the event was run first */

/* ---- what handlers do, by event ---- */

struct plan {
    uint32_t n;
    enum globe_handling how;
    uint32_t ms;
};
static struct plan plans[64];
static uint32_t plan_count;

static void plan(uint32_t n, enum globe_handling how, uint32_t ms)
{
    for (uint32_t i = 0; i < plan_count; i++)
        if (plans[i].n == n) {
            plans[i] = (struct plan){n, how, ms};
            return;
        }
    plans[plan_count++] = (struct plan){n, how, ms};
}

static int on_run(void *data, gap_update_t *u, uint32_t *ms)
{
    uint32_t content = 0;
    char text[32];

    (void)data;
    uint32_t n = find_event(g, u, &content);
    if (n == 0 || n == FIND_UNKNOWN) return GLOBE_DONE;
    (void)snprintf(text, sizeof text, "%se%u#%u%s", runs[0] == 0 ? "" : " ", (unsigned)n,
                   (unsigned)gap_update_attempt(u),
                   gap_update_via(u) == GAP_VIA_JOURNAL ? "j"
                   : gap_update_maybe_repeated(u)       ? "*"
                                                        : "");
    ck_assert_uint_lt(strlen(runs) + strlen(text), sizeof runs);
    strcat(runs, text);
    if (n < GAP_ARRAY_LEN(ran_ms) && ran_ms[n] == 0) ran_ms[n] = globe_now_ms(g);
    for (uint32_t i = 0; i < plan_count; i++) {
        if (plans[i].n != n) continue;
        *ms = plans[i].ms;
        return plans[i].how;
    }
    return GLOBE_DONE;
}

static void on_line(void *data, const char *text)
{
    size_t len = strlen(text);

    (void)data;
    if (log_len + len + 2 > sizeof log_text) return;
    memcpy(log_text + log_len, text, len);
    log_text[log_len + len] = '\n';
    log_len += len + 1;
    log_text[log_len] = 0;
}

static uint32_t lines(const char *text)
{
    uint32_t count = 0;

    for (const char *at = log_text; (at = strstr(at, text)) != NULL; at++) count++;
    return count;
}

/* ---- the world ---- */

static void options(void)
{
    globe_options(&o);
    o.told = true;
    o.runner = true;
    o.write_ms = 2;
    o.run.attempts_max = 3;
    o.run.retry_min_us = o.run.retry_max_us = 1000000;
    o.run.timeout_us = 5000000;
    o.line = on_line;
    o.watch.handle = on_run;
}

static void begin(void)
{
    plan_count = 0;
    runs[0] = log_text[0] = 0;
    log_len = 0;
    memset(ran_ms, 0, sizeof ran_ms);
    ck_assert_int_eq(globe_open(&o, &g), 0);
    globe_start(g);
    globe_run(g, 500);
}

static void pause_ms(uint64_t ms)
{
    globe_run(g, globe_now_ms(g) + ms);
}

static uint32_t happens(dc_kind_t kind, dc_peer_t chat, int32_t id, enum globe_fate fate)
{
    struct globe_push push = {fate, 0, NULL};
    dc_spec_t spec;
    uint32_t n = 0;

    memset(&spec, 0, sizeof spec);
    spec.kind = kind;
    spec.chat = chat;
    spec.account = chat.type == DC_CHANNEL ? 0 : GLOBE_ACCOUNT;
    spec.id = id;
    if (kind == DC_NEW_MESSAGE && chat.type != DC_USER) spec.from = DC_USER_ID_FIRST;
    ck_assert_int_ge(globe_event(g, &spec, &push, &n), 0);
    return n;
}

static uint32_t message(dc_peer_t chat)
{
    return happens(DC_NEW_MESSAGE, chat, 0, GLOBE_SENT);
}

static uint32_t lost_message(dc_peer_t chat)
{
    return happens(DC_NEW_MESSAGE, chat, 0, GLOBE_LOST);
}

static int32_t id_of(uint32_t n)
{
    return g->j.seen[n].id;
}

static int32_t stored_of(int64_t channel)
{
    for (size_t i = 0; i < g->kept.count; i++)
        if (g->kept.channels[i].id == channel) return g->kept.channels[i].pts;
    return 0;
}

/* What was run since the last time. */
static void expect_runs(const char *want)
{
    ck_assert_str_eq(runs, want);
    runs[0] = 0;
}

/* The process dies now, and the next one begins 100 ms later; it is given time. */
static void die(uint64_t then_ms)
{
    globe_crash(g, 100);
    pause_ms(then_ms);
}

/* Everything that is to be there is, and no promise was broken. */
static void end(void)
{
    char verdict[GLOBE_VERDICT_MAX];

    plan_count = 0;
    globe_settle(g);
    bool held = globe_close(g, verdict);
    ck_assert_msg(held, "%s", verdict);
}

/* ---- crashes ---- */

/* Killed while the handler is at work: it comes again, marked; by difference, or once it has been
 * journalled from there. */
START_TEST(s74_killed_while_a_handler_is_at_work)
{
    for (uint64_t after = 100; after <= 1000; after += 900) {
        options();
        begin();
        plan(1, GLOBE_LATER, 60000);
        (void)message(USER_1);
        pause_ms(after);
        expect_runs("e1#1");
        plan_count = 0;
        die(2000);
        expect_runs(after == 100 ? "e1#1*" : "e1#2j");
        die(2000);
        expect_runs("");
        end();
    }
}
END_TEST

/* Killed after the handler, before that could be stored: once more, marked; and not a third time.
 * M8: what was recorded done, though something older was not, is not run again. */
START_TEST(s75_m08_killed_before_it_was_written)
{
    options();
    begin();
    (void)message(USER_1);
    pause_ms(11);
    expect_runs("e1#1");
    die(2000);
    expect_runs("e1#1*");
    die(2000);
    expect_runs("");
    end();

    options();
    o.run.journal_after_us = 10000000;
    begin();
    plan(1, GLOBE_LATER, 60000);
    (void)message(USER_1);
    (void)message(USER_2);
    (void)message(GROUP);
    pause_ms(500);
    expect_runs("e1#1 e2#1 e3#1");
    ck_assert_uint_ge(lines("committed"), 1);
    plan_count = 0;
    die(2000);
    expect_runs("e1#1*");
    end();
}
END_TEST

/* A restart when a difference was through and stored: nothing comes again. */
START_TEST(s78_restart_after_the_last_difference)
{
    options();
    o.dc.slice = 2;
    begin();
    for (int i = 0; i < 4; i++) (void)lost_message(USER_1);
    (void)message(USER_1);
    pause_ms(2000);
    expect_runs("e1#1 e2#1 e3#1 e4#1 e5#1");
    die(2000);
    expect_runs("");
    globe_restart(g, 100);
    pause_ms(2000);
    expect_runs("");
    end();
}
END_TEST

/* Three slices; the process dies when the second is being handled: what was recorded done is not
 * run again, the rest is, in order (S26, M9). The same of a channel, messages and edits (M10). */
START_TEST(s26_m09_killed_between_slices)
{
    options();
    o.dc.slice = 2;
    o.run.journal_after_us = 10000000;
    begin();
    plan(3, GLOBE_LATER, 60000);
    for (int i = 0; i < 5; i++) (void)lost_message(i % 2 == 0 ? USER_1 : USER_2);
    (void)message(USER_1);
    pause_ms(2000);
    expect_runs("e1#1 e2#1 e3#1 e4#1");
    plan_count = 0;
    die(2000);
    expect_runs("e3#1* e5#1* e6#1*");
    end();
}
END_TEST

START_TEST(m10_killed_within_a_channel_difference)
{
    options();
    o.dc.channel_slice = 3;
    o.run.journal_after_us = 10000000;
    begin();
    uint32_t first = message(CHANNEL1);
    pause_ms(500);
    expect_runs("e1#1");
    plan(3, GLOBE_LATER, 60000);
    (void)lost_message(CHANNEL1);                                       /* 2 */
    (void)happens(DC_EDIT_MESSAGE, CHANNEL1, id_of(first), GLOBE_LOST); /* 3 */
    (void)lost_message(CHANNEL1);                                       /* 4 */
    (void)message(CHANNEL1);                                            /* 5 */
    pause_ms(2000);
    expect_runs("e2#1 e4#1 e3#1");
    plan_count = 0;
    die(3000);
    expect_runs("e3#1* e5#1*");
    end();
}
END_TEST

/* An unfinished update of a channel that stays silent afterwards (S83), journalled or not. */
START_TEST(s83_the_channel_stays_silent)
{
    for (uint64_t after = 100; after <= 1000; after += 900) {
        options();
        begin();
        (void)message(CHANNEL1);
        pause_ms(500);
        plan(2, GLOBE_LATER, 60000);
        (void)message(CHANNEL1);
        pause_ms(after);
        (void)message(USER_1);
        pause_ms(70);
        expect_runs("e1#1 e2#1 e3#1");
        plan_count = 0;
        die(3000);
        expect_runs(after == 100 ? "e2#1*" : "e2#2j");
        end();
    }
}
END_TEST

/* Two edits in one second are two events. A message that was handled and is fetched again with
 * another content comes as an edit, once, though the edit itself follows with a later slice. */
START_TEST(s84_fetched_again_with_an_edit)
{
    options();
    o.dc.slice = 2;
    o.run.journal_after_us = 10000000;
    begin();
    uint32_t first = message(USER_1);
    (void)happens(DC_EDIT_MESSAGE, USER_1, id_of(first), GLOBE_SENT);
    (void)happens(DC_EDIT_MESSAGE, USER_1, id_of(first), GLOBE_SENT);
    pause_ms(500);
    expect_runs("e1#1 e2#1 e3#1");
    plan(4, GLOBE_LATER, 60000);
    (void)message(USER_2);           /* 4: what follows is above the stored position */
    uint32_t late = message(USER_1); /* 5 */
    pause_ms(500);
    expect_runs("e4#1 e5#1");
    plan_count = 0;
    globe_crash(g, 1000);
    (void)message(GROUP);                                            /* 6 */
    (void)happens(DC_EDIT_MESSAGE, USER_1, id_of(late), GLOBE_SENT); /* 7 */
    pause_ms(4000);
    expect_runs("e4#1* e7#1* e6#1*");
    end();
}
END_TEST

/* D-g: Killed at every moment of a little life, between a run's claim and its commit as anywhere
 * else, some of it in transactions: every event is handled, none is counted twice, and each chat is
 * in order; the judge sees to it. Once more with a second death soon after. */
START_TEST(d_g_killed_at_every_moment)
{
    for (uint64_t at = 0; at < 400; at += 3) {
        options();
        o.transaction = _i == 0 ? 0 : 1;
        o.watch.handle = NULL;
        o.run.journal = _i == 2 ? GAP_JOURNAL_FULL : GAP_JOURNAL_LAZY;
        begin();
        ck_assert_int_eq(globe_handler(g, 2, GLOBE_LATER, 300), 0);
        ck_assert_int_eq(globe_handler(g, 4, GLOBE_HANDLER_FAILS, 0), 0);
        uint64_t from = globe_now_ms(g);
        bool dead = false;
        for (int i = 0; i < 10; i++) {
            dc_peer_t chats[] = {USER_1, CHANNEL1, USER_1, GROUP};
            (void)(i % 4 == 2 ? lost_message(chats[i % 4]) : message(chats[i % 4]));
            uint64_t next = from + 40 * ((uint64_t)i + 1);
            if (!dead && from + at <= next) {
                globe_run(g, from + at);
                globe_crash(g, 20);
                if (at % 2 == 0) {
                    pause_ms(25 + at % 50);
                    globe_crash(g, 20);
                }
                dead = true;
            }
            if (globe_now_ms(g) < next) globe_run(g, next);
        }
        end();
    }
}
END_TEST

/* D-l: Each process has an epoch of its own, higher than all before it, however soon they die; that
 * the end was in order is said by the next one alone. */
START_TEST(d_l_each_process_has_an_epoch_of_its_own)
{
    options();
    begin();
    uint64_t epoch = g->keeper->boot.epoch;
    ck_assert_uint_eq(epoch, 1);
    for (int i = 0; i < 5; i++) {
        pause_ms(200);
        if (i == 3)
            globe_restart(g, 10);
        else
            globe_crash(g, 10);
        pause_ms(200);
        ck_assert_uint_eq(g->keeper->boot.epoch, epoch + 1);
        epoch = g->keeper->boot.epoch;
        ck_assert_int_eq(g->keeper->was_clean, i == 3);
    }
    end();
}
END_TEST

/* ---- handlers ---- */

/* A handler that always fails: given up after three runs, with a dead letter; its chat waits for
 * it, in order; everything else goes on. */
START_TEST(s77_poison_handler)
{
    options();
    begin();
    plan(1, GLOBE_HANDLER_FAILS, 0);
    (void)message(USER_1); /* 1 */
    (void)message(USER_1); /* 2 */
    for (int i = 0; i < 3; i++) (void)message(i == 1 ? GROUP : USER_2);
    pause_ms(100);
    expect_runs("e1#1 e3#1 e4#1 e5#1");
    pause_ms(5000);
    expect_runs("e1#2 e1#3 e2#1");
    ck_assert_uint_eq(g->count.dead, 1);
    ck_assert_uint_eq(g->keeper->letters, 1);
    ck_assert_uint_eq(lines("is given up after 3 attempts"), 1);
    die(2000);
    expect_runs("");
    end();
}
END_TEST

/* It kills the process each time: attempts are counted before it is called, so that the fourth
 * process gives it up, and the others' turn comes. */
START_TEST(s77_a_handler_that_kills_the_process)
{
    options();
    begin();
    (void)message(USER_1); /* 1 */
    pause_ms(500);
    expect_runs("e1#1");
    for (int i = 0; i < 4; i++) { /* the first process knows of no crash, and counts nothing */
        globe_crash_in_handler(g, 1, 100);
        if (i == 0) (void)message(USER_1); /* 2 */
        pause_ms(i == 0 ? 60 : 120);
    }
    pause_ms(1000);
    (void)message(USER_1); /* 3 */
    pause_ms(2000);
    expect_runs("e2#1 e2#1* e2#2j e2#3j e3#1");
    ck_assert_uint_eq(g->count.dead, 1);
    end();
}
END_TEST

/* A handler that never comes back: its run is timed out, which is said, it is tried again, and
 * given up in the end; everything else goes on, its chat in order. */
START_TEST(hanging_handler_leaves_the_others_running)
{
    options();
    begin();
    plan(1, GLOBE_STUCK_HANDLER, 0);
    (void)message(USER_1); /* 1 */
    (void)message(USER_1); /* 2 */
    (void)message(USER_2); /* 3 */
    for (int i = 0; i < 20; i++) (void)message(CHANNEL1);
    pause_ms(1000);
    for (uint32_t n = 3; n <= 23; n++)
        ck_assert_msg(ran_ms[n] > 0 && ran_ms[n] <= 560, "e%u was run at %llu ms", (unsigned)n,
                      (unsigned long long)ran_ms[n]);
    ck_assert_uint_eq(ran_ms[2], 0);
    pause_ms(20000);
    ck_assert_uint_eq(lines("e1 new_message user:870000000001 id 1 pts 2 timed out"), 3);
    ck_assert_uint_eq(g->count.dead, 1);
    ck_assert_uint_gt(ran_ms[2], 0);
    end();
}
END_TEST

/* A handler takes ten seconds in one channel and 200 more wait for it: nobody else does, the stored
 * position is not held back, and memory stays bounded; then all of them, in order. */
START_TEST(m20_slow_handler)
{
    options();
    o.run.timeout_us = 60000000;
    begin();
    plan(1, GLOBE_LATER, 10000);
    (void)message(CHANNEL1);
    for (int i = 0; i < 200; i++) {
        (void)message(CHANNEL1);
        if (i % 10 == 0) (void)message(CHANNEL2);
        if (i % 10 == 5) (void)message(USER_1);
        pause_ms(20);
    }
    for (uint32_t n = 2; n <= g->j.count; n++) {
        const struct seen *s = &g->j.seen[n];
        bool waits = s->chat.type == DC_CHANNEL && s->chat.id == DC_CHANNEL_ID_FIRST;
        ck_assert_msg(waits == (ran_ms[n] == 0), "e%u was run at %llu ms", (unsigned)n,
                      (unsigned long long)ran_ms[n]);
        if (!waits) ck_assert_uint_le(ran_ms[n], s->made_us / 1000 + 20);
    }
    pause_ms(1000);
    ck_assert_uint_ge(g->keeper->rows, 150);
    ck_assert_int_ge(stored_of(DC_CHANNEL_ID_FIRST), 190);
    pause_ms(10000);
    uint64_t before = 0;
    for (uint32_t n = 1; n <= g->j.count; n++) {
        const struct seen *s = &g->j.seen[n];
        if (s->chat.type != DC_CHANNEL || s->chat.id != DC_CHANNEL_ID_FIRST) continue;
        ck_assert_uint_ge(ran_ms[n], before);
        before = ran_ms[n];
    }
    ck_assert_uint_gt(before, 0);
    ck_assert_uint_eq(g->keeper->rows, 0);
    end();
}
END_TEST

/* One chat is told to wait for 30 s, and its handler fails until then: the others' handlers are
 * called as they come. */
START_TEST(one_chat_waits_the_others_run_at_full_rate)
{
    options();
    o.run.attempts_max = 100;
    begin();
    plan(1, GLOBE_HANDLER_FAILS, 0);
    (void)message(USER_1);
    for (int i = 0; i < 300; i++) {
        (void)message(i % 3 == 0 ? USER_2 : i % 3 == 1 ? GROUP : CHANNEL1);
        pause_ms(10);
    }
    pause_ms(100);
    for (uint32_t n = 2; n <= g->j.count; n++)
        ck_assert_uint_le(ran_ms[n], g->j.seen[n].made_us / 1000 + 20);
    pause_ms(26000);
    plan_count = 0;
    pause_ms(2000);
    ck_assert_uint_eq(g->j.seen[1].finished, 1);
    ck_assert_uint_eq(g->count.dead, 0);
    end();
}
END_TEST

/* ---- the disk ---- */

/* For 40 s the disk takes nothing: handlers go on, that is said once, and what is stored stays
 * where it was; the process dies: from there on everything comes again, marked. Then the disk takes
 * it, and that is said. */
START_TEST(full_disk_leaves_the_others_running)
{
    options();
    begin();
    (void)message(USER_1);
    pause_ms(500);
    int32_t stored = g->kept.state.pts;
    globe_fail_commits(g, 1000);
    for (int i = 0; i < 40; i++) {
        (void)message(i % 2 == 0 ? USER_1 : CHANNEL1);
        if (i == 20) (void)message(USER_2);
        pause_ms(1000);
        ck_assert_uint_gt(ran_ms[g->j.count], 0);
    }
    ck_assert_int_eq(g->kept.state.pts, stored);
    ck_assert_uint_eq(lines("not stored: the disk is full"), 1);
    ck_assert_uint_eq(lines("stored again"), 0);
    runs[0] = 0;
    g->fail_commits = 0;
    pause_ms(61000);
    ck_assert_uint_eq(lines("stored again"), 1);
    ck_assert_int_eq(g->kept.state.pts, stored + 21);
    die(2000);
    expect_runs("");
    end();
}
END_TEST

/* The store fails: the watermark on the disk does not move, and a crash then brings everything
 * again. */
START_TEST(store_failure_does_not_advance_what_is_stored)
{
    options();
    begin();
    (void)message(USER_1);
    pause_ms(500);
    int32_t stored = g->kept.state.pts;
    globe_fail_commits(g, 1000);
    (void)message(USER_1);
    (void)message(USER_2);
    pause_ms(3000);
    expect_runs("e1#1 e2#1 e3#1");
    ck_assert_int_eq(g->kept.state.pts, stored);
    g->fail_commits = 0;
    die(2000);
    expect_runs("e2#1* e3#1*");
    ck_assert_int_eq(g->kept.state.pts, stored + 2);
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("scenarios_handlers");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, s74_killed_while_a_handler_is_at_work);
    tcase_add_test(t, s75_m08_killed_before_it_was_written);
    tcase_add_test(t, s78_restart_after_the_last_difference);
    tcase_add_test(t, s26_m09_killed_between_slices);
    tcase_add_test(t, m10_killed_within_a_channel_difference);
    tcase_add_test(t, s83_the_channel_stays_silent);
    tcase_add_test(t, s84_fetched_again_with_an_edit);
    tcase_add_loop_test(t, d_g_killed_at_every_moment, 0, 3);
    tcase_add_test(t, d_l_each_process_has_an_epoch_of_its_own);
    tcase_add_test(t, s77_poison_handler);
    tcase_add_test(t, s77_a_handler_that_kills_the_process);
    tcase_add_test(t, hanging_handler_leaves_the_others_running);
    tcase_add_test(t, m20_slow_handler);
    tcase_add_test(t, one_chat_waits_the_others_run_at_full_rate);
    tcase_add_test(t, full_disk_leaves_the_others_running);
    tcase_add_test(t, store_failure_does_not_advance_what_is_stored);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
