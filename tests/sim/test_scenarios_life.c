/*
 * The catalogue of scenarios (scenarios.txt), time and life: S65 to S84 and what the table of
 * outcomes (M) adds. Each test is named after its scenario; its trace was written from the
 * catalogue before the code ran. The state at the start is pts 10, qts 5, seq 1; gaps wait 500 ms.
 */
#include "kept.h"
#include "scenario_steps.h"

#define MINUTE UINT64_C(60000) /* ms */
#define IDLE   (15 * MINUTE)

/* ---- silence ---- */

/* 15 minutes without anything: one question for the account, none for a channel; whatever comes
 * puts it off. */
START_TEST(s65_silence)
{
    begin_channel(_i);
    feed_channel(8, 20);
    world_run(&w, 10 * MINUTE);
    world_forget(&w);
    feed_channel(7, 51);
    world_run(&w, 20 * MINUTE);
    pack_typing(&w.p, 9);
    (void)world_feed(&w, pack_short(&w.p));
    world_run(&w, 30 * MINUTE);
    result(pack_send_message(PACK_USER, 1), pack_affected(13, 3), 0);
    world_run(&w, 45 * MINUTE - 1);
    world_expect(&w, "[600000] apply 7:51\n[1200000] apply typing 9\n");
    world_answer(&w, 20, pack_empty(1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 75 * MINUTE);
    world_expect(&w, "[2700000] difference from 13\n[3600020] difference from 13\n");
    world_fini(&w);
}
END_TEST

/* An account without a stored state: where it stands, one difference, nothing more for 15 min. */
START_TEST(s66_fresh_account)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    world_run(&w, 1000);
    world_expect(&w, "");
    gap_engine_start(w.engine);
    world_answer(&w, 20, pack_state(10, 0, 0));
    world_answer(&w, 20, pack_empty(0));
    world_run(&w, 1040 + IDLE - 1);
    world_expect(&w, "[1000] state\n[1020] difference from 10\n");
    world_run(&w, 1040 + IDLE);
    world_expect(&w, "[901040] difference from 10\n");
    world_fini(&w);
}
END_TEST

/* Three lost updates, then silence: found by the next update, or by the account's own question
 * after 15 minutes. */
START_TEST(m03_silence_after_loss)
{
    begin(_i);
    world_run(&w, 100000);
    feed_message(14);
    world_answer(&w, 20, difference(11, 14));
    world_run(&w, 200000);
    world_expect(&w, "[100500] difference from 10\n[100520] apply 11\n[100520] apply 12\n"
                     "[100520] apply 13\n[100520] apply 14\n");
    world_fini(&w);
    begin(_i);
    world_answer(&w, 20, difference(11, 13));
    world_run(&w, 20 * MINUTE);
    world_expect(&w, "[900000] difference from 10\n[900020] apply 11\n[900020] apply 12\n"
                     "[900020] apply 13\n");
    world_fini(&w);
}
END_TEST

/* ---- deadlines ---- */

/* The second deadline passes while the question is on its way: it is answered by the same one. */
START_TEST(s67_staggered_deadlines)
{
    begin(_i);
    feed_message(12);
    world_answer(&w, 400, NULL);
    w.script[0].packet = NULL;
    world_run(&w, 300);
    pack_qts(&w.p, 7, 7); /* its wait ends at 800 */
    feed();
    pack_qts(&w.p, 6, 6);
    pack_new(&w.p, 11);
    w.script[0].packet = pack_difference(&w.p, 11, 6, 1);
    world_run(&w, 10000);
    expect_lines(_i, "[ 500] difference from 10\n[ 900] apply 11\n[ 900] apply q6\n"
                     "[ 900] apply 12\n[ 900] apply q7\n");
    world_fini(&w);
}
END_TEST

/* Channels have a deadline each, and a question each. */
START_TEST(s67_staggered_channels)
{
    begin_channel(_i);
    feed_channel(8, 20);
    world_run(&w, 0);
    world_forget(&w);
    feed_channel(7, 52);
    world_answer(&w, 400, channel_difference(7, 51, 51, true));
    world_answer(&w, 20, channel_difference(8, 21, 21, true));
    world_run(&w, 200);
    feed_channel(8, 22);
    world_run(&w, 600);
    feed_channel(7, 54); /* 53 comes in time */
    world_run(&w, 650);
    feed_channel(7, 53);
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 700] channel 8 difference from 20\n"
                     "[ 720] apply 8:21\n[ 720] apply 8:22\n[ 900] apply 7:51\n"
                     "[ 900] apply 7:52\n[ 900] apply 7:53\n[ 900] apply 7:54\n");
    world_fini(&w);
}
END_TEST

/* ---- sessions ---- */

/* A new session, twice: the difference at once, once. */
START_TEST(s69_new_session)
{
    begin(_i);
    world_run(&w, 1000);
    gap_engine_missed(w.engine);
    gap_engine_missed(w.engine);
    world_answer(&w, 20, difference(11, 12));
    world_run(&w, 10000);
    world_expect(&w, "[1000] difference from 10\n[1020] apply 11\n[1020] apply 12\n");
    world_fini(&w);
}
END_TEST

/* The host slept for eight hours: the clock tells at once, be there a new session or not. */
START_TEST(m18_host_suspended)
{
    for (int session = 0; session < 2; session++) {
        begin_channel(_i);
        world_run(&w, 1000);
        world_stall(&w, 480 * MINUTE);
        if (session != 0) gap_engine_missed(w.engine);
        pack_new(&w.p, 11);
        pack_too_long(&w.p, 7, 51);
        world_answer(&w, 20, pack_difference(&w.p, 11, 5, 1));
        world_answer(&w, 20, channel_difference(7, 51, 51, true));
        world_run(&w, 481 * MINUTE);
        expect_lines(_i, "[28801000] difference from 10\n[28801020] apply 11\n"
                         "[28801020] channel 7 difference from 50\n[28801040] apply 7:51\n");
        world_fini(&w);
    }
}
END_TEST

/* Signed out: nothing is asked, the state stays as it was; signed in again, the difference from it
 * brings what happened meanwhile. */
START_TEST(s71_signed_in_again)
{
    begin_channel(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 20, 401, "SESSION_REVOKED");
    world_run(&w, 60 * MINUTE);
    world_expect(&w, "[   0] difference from 10\n[  20] signed out\n");
    gap_engine_start(w.engine);
    pack_new(&w.p, 11);
    pack_too_long(&w.p, 7, 51);
    world_answer(&w, 20, pack_difference(&w.p, 11, 5, 1));
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 61 * MINUTE);
    expect_lines(_i, "[3600000] difference from 10\n[3600020] apply 11\n"
                     "[3600020] channel 7 difference from 50\n[3600040] apply 7:51\n");
    world_fini(&w);
}
END_TEST

/* The server counts anew: asked where it stands; what follows is in order. What was counted before
 * is no reason to call the new ones old. */
START_TEST(s72_pts_changed)
{
    begin(_i);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_pts_changed(&w.p); /* last of its container */
    pack_message(&w.p, 12, 1, 12, PACK_USER);
    feed();
    world_answer(&w, 20, pack_state(3, 5, 1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 100);
    feed_message(4);
    feed_message(5);
    feed_message(4);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[   0] state\n"
                     "[  20] common resynchronised 12..3: reset\n[  20] difference from 3\n"
                     "[ 100] apply 4\n[ 100] apply 5\n");
    world_fini(&w);
}
END_TEST

/* S72: only pts begins anew; two events of qts that were missed meanwhile are fetched. */
START_TEST(s72_qts_goes_on)
{
    begin(_i);
    pack_pts_changed(&w.p);
    feed();
    world_answer(&w, 20, pack_state(3, 7, 1));
    pack_qts(&w.p, 6, 6);
    pack_qts(&w.p, 7, 7);
    world_answer(&w, 20, pack_difference(&w.p, 3, 7, 1));
    world_run(&w, 10000);
    world_expect(&w, "[   0] state\n[  20] common resynchronised 10..3: reset\n"
                     "[  20] difference from 3\n[  40] apply q6\n[  40] apply q7\n");
    ck_assert_int_eq(w.calls[0].qts, 5);
    world_fini(&w);
}
END_TEST

/* ---- order of slices, stalls, edits ---- */

/* A slice is asked for when all of the one before has been handed out. */
START_TEST(s81_slices)
{
    begin(_i);
    gap_engine_missed(w.engine);
    for (int32_t n = 0; n < 3; n++) {
        for (int32_t id = 11 + 40 * n; id <= 50 + 40 * n; id++) pack_new(&w.p, id);
        world_answer(
            &w, 10, n < 2 ? pack_slice(&w.p, 50 + 40 * n, 5, 1) : pack_difference(&w.p, 130, 5, 1));
    }
    world_run(&w, 10000);
    expect_nothing();
    for (int32_t n = 0; n < 3; n++) {
        expect_at(10 * (uint64_t)n, "difference from %d", n == 0 ? 10 : 10 + 40 * n);
        for (int32_t id = 11 + 40 * n; id <= 50 + 40 * n; id++)
            expect_at(10 * (uint64_t)n + 10, "apply %d", id);
    }
    world_expect(&w, expected);
    world_fini(&w);
}
END_TEST

/* The host stalls beyond the end of the wait: what lies in the socket is read first. If the missing
 * update is not among it, it is asked for then. */
START_TEST(s82_host_stalls)
{
    for (int there = 0; there < 2; there++) {
        begin(_i);
        feed_message(12);
        world_run(&w, 100);
        pack_message(&w.p, there != 0 ? 11 : 13, 1, there != 0 ? 11 : 13, PACK_USER);
        world_send(&w, 300, pack_updates(&w.p, 0));
        world_stall(&w, 700);
        if (there == 0) world_answer(&w, 20, difference(11, 11));
        world_run(&w, 10000);
        if (there != 0) {
            world_expect(&w, "[ 800] apply 11\n[ 800] apply 12\n");
        } else {
            world_expect(&w, "[ 800] difference from 10\n[ 820] apply 11\n[ 820] apply 12\n"
                             "[ 820] apply 13\n");
        }
        world_fini(&w);
    }
}
END_TEST

static void pack_edit_at(int32_t pts, const char *text)
{
    w.p.text = text;
    pack_edit(&w.p, pts, 1, 3);
    w.p.text = NULL;
}

static char texts[64];

static void collect_texts(struct world *world, gap_update_t *update)
{
    gap_tl_update_edit_message_t e;
    gap_tl_message_t m;

    (void)world;
    ck_assert_int_eq(GAP_UPDATE_READ(update, GAP_TL_UPDATE_EDIT_MESSAGE, &e), 0);
    ck_assert_int_gt(GAP_TL_READ(e.message, GAP_TL_MESSAGE, &m), 0);
    ck_assert_uint_lt(strlen(texts) + m.message.len, sizeof texts - 1);
    (void)strncat(texts, (const char *)m.message.data, m.message.len);
}

/* Two edits of one message in the same second: two events, each once, in order; by push and by
 * difference. */
START_TEST(s84_two_edits_in_a_second)
{
    begin(_i);
    texts[0] = 0;
    w.handled = collect_texts;
    pack_edit_at(11, "one ");
    pack_edit_at(12, "two ");
    feed();
    pack_edit_at(12, "two ");
    feed();
    world_run(&w, 100);
    gap_engine_missed(w.engine);
    pack_edit_at(14, "three ");
    pack_edit_at(14, "four ");
    world_answer(&w, 20, pack_difference(&w.p, 14, 5, 1));
    world_run(&w, 10000);
    world_expect(&w, "[   0] edit 3\n[   0] edit 3\n[ 100] difference from 12\n[ 120] edit 3\n"
                     "[ 120] edit 3\n");
    ck_assert_str_eq(texts, "one two three four ");
    world_fini(&w);
}
END_TEST

/* ---- the table ---- */

static unsigned flagged;

static void count_flagged(struct world *world, gap_update_t *update)
{
    (void)world;
    if (gap_update_maybe_repeated(update)) flagged++;
}

/* A user's channel that is 5,000 behind: slices as far as they go, then the exact range that can't
 * be had, then the newest messages, flagged, and on from there. */
START_TEST(m11_channel_far_behind)
{
    begin_channel(_i);
    flagged = 0;
    w.handled = count_flagged;
    feed_channel(7, 5051);
    world_answer(&w, 20, channel_difference(7, 51, 53, false));
    pack_channel_new(&w.p, 7, 5049);
    pack_channel_new(&w.p, 7, 5048);
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 5049));
    world_run(&w, 600);
    ck_assert_int_eq(w.calls[0].limit, 100);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] apply 7:51\n[ 520] apply 7:52\n"
                     "[ 520] apply 7:53\n[ 520] channel 7 difference from 53\n"
                     "[ 540] channel 7 resynchronised 53..5049: too long\n[ 540] apply 7:5048\n"
                     "[ 540] apply 7:5049\n");
    ck_assert_uint_eq(flagged, 2);
    feed_channel(7, 5050);
    world_run(&w, 10000);
    world_expect(&w, "[ 600] apply 7:5050\n[ 600] apply 7:5051\n");
    world_fini(&w);
}
END_TEST

/* A hint 5,000 ahead in full traffic: asked at once. */
START_TEST(m12_hint_far_ahead)
{
    begin_channel(_i);
    pack_too_long(&w.p, 7, 5050);
    feed();
    world_answer(&w, 20, channel_difference(7, 51, 52, false));
    world_answer(&w, 20, channel_difference(7, 53, 54, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[  20] apply 7:51\n[  20] apply 7:52\n"
                     "[  20] channel 7 difference from 52\n[  40] apply 7:53\n"
                     "[  40] apply 7:54\n");
    world_fini(&w);
}
END_TEST

/* 300 updates of a supergroup within the `timeout` of 300 s of its last difference, with two holes:
 * asked about after the usual wait. */
START_TEST(s35_m13_timeout_is_no_pause)
{
    uint64_t at = 1000;

    begin_channel(_i);
    feed_channel(7, 52);
    world_answer(&w, 20, channel_difference(7, 51, 52, true)); /* timeout 300 */
    world_run(&w, at);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] apply 7:51\n[ 520] apply 7:52\n");
    world_answer(&w, 20, channel_difference(7, 153, 153, true));
    world_answer(&w, 20, channel_difference(7, 253, 253, true));
    expect_nothing();
    for (int32_t pts = 53; pts <= 352; pts++, at += 100) {
        world_run(&w, at);
        if (pts != 153 && pts != 253) feed_channel(7, pts);
    }
    world_run(&w, 400000);
    for (int32_t pts = 53; pts <= 352; pts++) {
        uint64_t came = 1000 + 100 * (uint64_t)(pts - 53);
        int32_t behind = pts - (pts >= 253 ? 253 : 153); /* of a hole: held, asked 500 ms after */
        uint64_t out = came;
        if (behind >= 0 && behind <= 6) out = 1000 + 100 * (uint64_t)(pts - behind - 53) + 620;
        if (behind == 0) expect_at(out - 20, "channel 7 difference from %d", pts - 1);
        expect_at(out > came ? out : came, "apply 7:%d", pts);
    }
    world_expect(&w, expected);
    world_fini(&w);
}
END_TEST

/* Kicked: told, what is held is dropped, the stored state is deleted; back by updateChannel. */
START_TEST(m14_kicked)
{
    static struct kept k;
    gap_tl_update_channel_t u = {7};

    world_begin(&w, (uint64_t)_i);
    kept_init(&k, &w);
    kept_channel(&k, 7, 50, false);
    kept_open(&k, NULL);
    gap_engine_start(w.engine);
    world_answer(&w, 0, pack_empty(1));
    world_run(&w, 0);
    ck_assert_int_eq(kept_collect(&k), 0);
    world_forget(&w);
    feed_channel(7, 52);
    world_error(&w, 20, 406, "CHANNEL_PRIVATE");
    world_run(&w, 1000);
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] channel 7 lost at 50: 406\n"
                     "[1000] drop 7\n");
    ck_assert_ptr_null(kept_find(&k, 7));
    pack_update(&w.p, GAP_TL_UPDATE_CHANNEL, &u);
    pack_channel(&w.p, 7);
    feed();
    feed_channel(7, 90);
    feed_channel(7, 91);
    world_run(&w, 2000);
    ck_assert_int_eq(kept_collect(&k), 0);
    world_expect(&w, "[1000] apply updateChannel\n[1000] apply 7:90\n[1000] apply 7:91\n"
                     "[2000] keep 7:91\n");
    world_fini(&w);
}
END_TEST

/* A channel that was joined: its first update is the base. */
START_TEST(m15_joined)
{
    begin(_i);
    pack_channel_message(&w.p, 7, 503, 3, 500); /* 501..503 */
    feed();
    feed_channel(7, 504);
    feed_channel(7, 502); /* before the base: old */
    feed_channel(7, 506);
    world_answer(&w, 20, channel_difference(7, 505, 505, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:500\n[   0] apply 7:504\n"
                     "[ 500] channel 7 difference from 504\n[ 520] apply 7:505\n"
                     "[ 520] apply 7:506\n");
    world_fini(&w);
}
END_TEST

/* The same update twice by the socket: in every kind of sequence the second one is dropped and
 * counted. */
START_TEST(m24_the_same_twice)
{
    gap_engine_counters_t count;

    begin_channel(_i);
    for (int i = 0; i < 2; i++) {
        pack_message(&w.p, 11, 1, 11, PACK_USER);
        pack_channel_message(&w.p, 7, 51, 1, 51);
        pack_qts(&w.p, 6, 6);
        pack_query(&w.p, 5);
        (void)world_feed(&w, pack_updates(&w.p, 2));
    }
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 7:51\n[   0] apply q6\n[   0] apply query 5\n");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_ge(count.duplicates, 4);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("scenarios_life");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s65_silence, 0, SEEDS);
    tcase_add_loop_test(t, s66_fresh_account, 0, SEEDS);
    tcase_add_loop_test(t, m03_silence_after_loss, 0, SEEDS);
    tcase_add_loop_test(t, s67_staggered_deadlines, 0, SEEDS);
    tcase_add_loop_test(t, s67_staggered_channels, 0, SEEDS);
    tcase_add_loop_test(t, s69_new_session, 0, SEEDS);
    tcase_add_loop_test(t, m18_host_suspended, 0, SEEDS);
    tcase_add_loop_test(t, s71_signed_in_again, 0, SEEDS);
    tcase_add_loop_test(t, s72_pts_changed, 0, SEEDS);
    tcase_add_loop_test(t, s72_qts_goes_on, 0, SEEDS);
    tcase_add_loop_test(t, s81_slices, 0, SEEDS);
    tcase_add_loop_test(t, s82_host_stalls, 0, SEEDS);
    tcase_add_loop_test(t, s84_two_edits_in_a_second, 0, SEEDS);
    tcase_add_loop_test(t, m11_channel_far_behind, 0, SEEDS);
    tcase_add_loop_test(t, m12_hint_far_ahead, 0, SEEDS);
    tcase_add_loop_test(t, s35_m13_timeout_is_no_pause, 0, SEEDS);
    tcase_add_loop_test(t, m14_kicked, 0, SEEDS);
    tcase_add_loop_test(t, m15_joined, 0, SEEDS);
    tcase_add_loop_test(t, m24_the_same_twice, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
