/*
 * The catalogue of scenarios (scenarios.txt), differences: S27 to S40. Each test is named after its
 * scenario; its trace was written from the catalogue before the code ran. The state at the start is
 * pts 10, qts 5, seq 1; gaps wait 500 ms.
 */
#include "scenario_steps.h"

static void pack_channel_deleted(int64_t channel, int32_t pts, int32_t count)
{
    int32_t id = 3;
    gap_tl_update_delete_channel_messages_t u = {channel, gap_tl_array(&id, 1), pts, count};

    pack_update(&w.p, GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, &u);
}

/* ---- what a difference holds ---- */

/* Edits and deletes of its own channel come after the messages, once, whatever their numbers. */
START_TEST(s27_own_edits_of_a_channel_difference)
{
    begin_channel(_i);
    feed_channel(7, 56);
    pack_channel_edit(&w.p, 7, 55, 0, 51);
    pack_channel_deleted(7, 55, 0);
    pack_channel_edit(&w.p, 7, 20, 1, 50);
    world_answer(&w, 100, channel_difference(7, 51, 52, true));
    w.script[0].packet->data[8] = 55; /* pts: two messages, an edit, two others */
    world_run(&w, 550);
    pack_channel_edit(&w.p, 7, 53, 1, 51); /* the same edit by push: covered */
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 600] apply 7:51\n[ 600] apply 7:52\n"
                     "[ 600] edit 7:51\n[ 600] apply updateDeleteChannelMessages\n"
                     "[ 600] edit 7:50\n[ 600] apply 7:56\n");
    world_fini(&w);
}
END_TEST

/* Updates of channels inside the common difference are judged in their own channel: what has been
 * applied is dropped, what fits is applied, the first of a channel is its base. */
START_TEST(s28_foreign_channels_in_the_common_difference)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(8, 20);
    world_run(&w, 1);
    expect_lines(_i, "[   0] apply 7:50\n[   0] apply 8:20\n");
    gap_engine_missed(w.engine);
    pack_new(&w.p, 11);
    pack_channel_message(&w.p, 8, 20, 1, 20);
    pack_channel_edit(&w.p, 8, 21, 1, 19);
    pack_channel_edit(&w.p, 7, 50, 0, 50);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    pack_channel_message(&w.p, 9, 300, 1, 300);
    world_answer(&w, 20, pack_difference(&w.p, 11, 5, 1));
    world_run(&w, 100);
    feed_channel(9, 300);
    feed_channel(9, 301);
    world_run(&w, 10000);
    world_expect(&w, "[   1] difference from 10\n[  21] apply 11\n[  21] edit 8:19\n"
                     "[  21] edit 7:50\n[  21] apply 7:51\n[  21] apply 9:300\n"
                     "[ 100] apply 9:301\n");
    world_fini(&w);
}
END_TEST

/* Named with a pts that is ahead, or without one: asked. In step: not. */
START_TEST(s29_channels_named_by_the_common_difference)
{
    begin(_i);
    feed_channel(7, 50);
    feed_channel(8, 20);
    feed_channel(9, 30);
    world_run(&w, 1);
    world_forget(&w);
    gap_engine_missed(w.engine);
    pack_too_long(&w.p, 7, 51);
    pack_too_long(&w.p, 8, 20);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 100);
    world_expect(&w, "[   1] difference from 10\n[  21] channel 7 difference from 50\n"
                     "[  41] apply 7:51\n");
    gap_engine_missed(w.engine);
    pack_too_long(&w.p, 9, 0);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_answer(&w, 20, pack_channel_empty(30));
    world_run(&w, 10000);
    world_expect(&w, "[ 100] difference from 10\n[ 120] channel 9 difference from 30\n");
    world_fini(&w);
}
END_TEST

/* The hint and a live update in one container, in both orders, with and without pts. */
START_TEST(s30_too_long_beside_a_live_update)
{
    begin_channel(_i);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    pack_too_long(&w.p, 7, 51); /* says nothing new */
    feed();
    world_run(&w, 100);
    world_expect(&w, "[   0] apply 7:51\n");
    pack_too_long(&w.p, 7, 0);
    pack_channel_message(&w.p, 7, 52, 1, 52);
    feed();
    world_answer(&w, 20, channel_difference(7, 52, 52, true));
    world_run(&w, 200);
    world_expect(&w, "[ 100] channel 7 difference from 51\n[ 120] apply 7:52\n");
    pack_too_long(&w.p, 7, 54);
    pack_channel_message(&w.p, 7, 53, 1, 53);
    feed();
    world_answer(&w, 20, channel_difference(7, 53, 54, true));
    world_run(&w, 300);
    world_expect(&w, "[ 200] channel 7 difference from 52\n[ 220] apply 7:53\n"
                     "[ 220] apply 7:54\n");
    pack_channel_message(&w.p, 7, 55, 1, 55);
    pack_too_long(&w.p, 7, 56);
    feed();
    world_answer(&w, 20, channel_difference(7, 56, 56, true));
    world_run(&w, 10000);
    world_expect(&w, "[ 300] apply 7:55\n[ 300] channel 7 difference from 55\n"
                     "[ 320] apply 7:56\n");
    world_fini(&w);
}
END_TEST

/* Thirty edits come while the difference is on its way: all of them come out, once, in order,
 * however many of them it holds as well. */
START_TEST(s31_edits_while_fetching)
{
    for (int32_t told = 0; told <= 30; told += 10) {
        begin_channel(_i);
        feed_channel(7, 52);
        for (int32_t n = 1; n <= told; n++) pack_channel_edit(&w.p, 7, 52 + told, 0, 100 + n);
        pack_channel_new(&w.p, 7, 51);
        pack_channel_new(&w.p, 7, 52);
        world_answer(&w, 100, pack_channel_difference(&w.p, 52 + told, true));
        for (int32_t n = 1; n <= 30; n++) {
            world_run(&w, 500 + (uint64_t)n);
            pack_channel_edit(&w.p, 7, 52 + n, 1, 100 + n);
            feed();
        }
        world_run(&w, 10000);
        expect_nothing();
        expect_at(500, "channel 7 difference from 50");
        expect_at(600, "apply 7:51");
        expect_at(600, "apply 7:52");
        for (int n = 1; n <= 30; n++) expect_at(600, "edit 7:%d", 100 + n);
        world_expect(&w, expected);
        world_fini(&w);
    }
}
END_TEST

/* ---- too long ---- */

static unsigned flagged;

static void count_flagged(struct world *world, gap_update_t *update)
{
    (void)world;
    if (gap_update_maybe_repeated(update)) flagged++;
}

/* The dialog of the answer may be a folder, which has no pts: the channel itself is asked where it
 * stands. The messages that came along are delivered all the same, flagged. */
START_TEST(s33_dialog_is_a_folder)
{
    gap_tl_peer_channel_t peer = {7};
    gap_tl_folder_t folder;
    gap_tl_dialog_folder_t dialog;

    for (int with = 0; with < 2; with++) {
        gap_tl_updates_channel_difference_too_long_t d;
        begin_channel(_i);
        flagged = 0;
        w.handled = count_flagged;
        memset(&folder, 0, sizeof folder);
        memset(&dialog, 0, sizeof dialog);
        memset(&d, 0, sizeof d);
        folder.title = gap_str("Archive");
        dialog.folder = gap_tl_of(GAP_TL_FOLDER, &folder);
        dialog.peer = gap_tl_of(GAP_TL_PEER_CHANNEL, &peer);
        feed_channel(7, 901);
        if (with != 0) pack_channel_new(&w.p, 7, 899);
        if (with != 0) pack_channel_new(&w.p, 7, 900);
        d.dialog = gap_tl_of(GAP_TL_DIALOG_FOLDER, &dialog);
        d.messages =
            (gap_tl_vector_t){w.p.messages.data, w.p.messages.len, NULL, w.p.messages.count};
        d.chats = gap_tl_array(NULL, 0);
        d.users = gap_tl_array(NULL, 0);
        world_answer(&w, 20, pack_object(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG, &d));
        gap_packet_unref(pack_channel_difference(&w.p, 1, true)); /* empties the pack */
        world_answer(&w, 20, pack_channel_full(7, 900));
        world_run(&w, 10000);
        ck_assert_uint_eq(lines_with("[ 500] channel 7 difference from 50\n"), 1);
        ck_assert_uint_eq(lines_with("[ 520] channel 7 state\n"), 1);
        ck_assert_uint_eq(lines_with("[ 540] channel 7 resynchronised 50..900: too long\n"), 1);
        ck_assert_uint_eq(lines_with("[ 520] apply 7:899\n[ 520] apply 7:900\n"), with);
        ck_assert_uint_eq(lines_with("[ 540] apply 7:901\n"), 1);
        ck_assert_uint_eq(lines_with("\n"), with != 0 ? 6 : 4);
        ck_assert_uint_eq(flagged, with != 0 ? 2 : 0);
        world_fini(&w);
    }
}
END_TEST

/* What was held before the jump is not lost by it; what the newest messages bring comes once. */
START_TEST(s33_held_updates_and_newest_messages)
{
    begin_channel(_i);
    feed_channel(7, 55); /* old: not in the answer */
    pack_channel_edit(&w.p, 7, 56, 1, 40);
    pack_channel_edit(&w.p, 7, 57, 1, 999); /* of a message that comes along */
    feed();
    feed_channel(7, 1000); /* comes along */
    feed_channel(7, 1001); /* behind it */
    pack_channel_new(&w.p, 7, 1000);
    pack_channel_new(&w.p, 7, 999);
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 1000));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 resynchronised 50..1000: too long\n[ 520] apply 7:55\n"
                     "[ 520] edit 7:40\n[ 520] apply 7:999\n[ 520] apply 7:1000\n"
                     "[ 520] apply 7:1001\n");
    world_fini(&w);
}
END_TEST

/* ---- no progress ---- */

/* A channel's slice that leads nowhere: asked again 1, 2, 4, 8 s later, then the sequence goes on
 * behind what is missing, with an event. Nobody else waits. */
START_TEST(s36_m21_channel_slice_without_progress)
{
    begin_channel(_i);
    feed_channel(8, 20);
    world_run(&w, 0);
    world_forget(&w);
    feed_channel(7, 54);
    for (int i = 0; i < 6; i++) world_answer(&w, 20, pack_channel_difference(&w.p, 50, false));
    world_run(&w, 5000);
    feed_channel(8, 21);
    feed_message(11);
    world_run(&w, 100000);
    feed_channel(7, 55);
    world_run(&w, 200000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 failed, again in 1000 ms\n"
                     "[1520] channel 7 difference from 50\n"
                     "[1540] channel 7 failed, again in 2000 ms\n"
                     "[3540] channel 7 difference from 50\n"
                     "[3560] channel 7 failed, again in 4000 ms\n"
                     "[5000] apply 8:21\n[5000] apply 11\n"
                     "[7560] channel 7 difference from 50\n"
                     "[7580] channel 7 failed, again in 8000 ms\n"
                     "[15580] channel 7 difference from 50\n"
                     "[15600] channel 7 failed, again in 16000 ms\n"
                     "[31600] channel 7 difference from 50\n"
                     "[31620] channel 7 abandoned 50..53: no progress\n"
                     "[31620] apply 7:54\n[100000] apply 7:55\n");
    world_fini(&w);
}
END_TEST

/* ---- who asks, and when answers come ---- */

/* The engine is closed while the question is out: the answer is nobody's any more. */
START_TEST(s38_answer_after_close)
{
    begin(_i);
    feed_message(12);
    world_answer(&w, 200, difference(11, 12));
    world_run(&w, 600);
    world_expect(&w, "[ 500] difference from 10\n");
    world_close(&w);
    world_run(&w, 10000);
    ck_assert(w.closed);
    world_expect(&w, "");
    world_fini(&w);
}
END_TEST

/* Holes in pts, qts and seq at the same time, and an order from outside: one question. */
START_TEST(s39_several_reasons_one_question)
{
    begin(_i);
    feed_message(12);
    pack_qts(&w.p, 7, 7);
    feed();
    pack_query(&w.p, 3);
    (void)world_feed(&w, pack_updates(&w.p, 3));
    pack_qts(&w.p, 6, 6);
    pack_new(&w.p, 11);
    world_answer(&w, 20, pack_difference(&w.p, 11, 6, 3));
    world_run(&w, 10000);
    expect_lines(_i, "[ 500] difference from 10\n[ 520] apply 11\n[ 520] apply q6\n"
                     "[ 520] apply 12\n[ 520] apply q7\n[ 520] apply query 3\n");
    world_fini(&w);
}
END_TEST

/* A server behind its own pushes: our position stays, nothing comes twice. */
START_TEST(s40_difference_below_our_position)
{
    begin(_i);
    feed_message(11);
    feed_message(12);
    pack_qts(&w.p, 6, 6);
    feed();
    world_run(&w, 1);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[   0] apply q6\n");
    gap_engine_missed(w.engine);
    world_answer(&w, 20, pack_difference(&w.p, 11, 5, 1));
    world_run(&w, 100);
    feed_message(12);
    pack_qts(&w.p, 6, 6);
    feed();
    feed_message(13);
    pack_qts(&w.p, 7, 7);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   1] difference from 12\n[ 100] apply 13\n[ 100] apply q7\n");
    feed_channel(7, 50); /* and a channel's */
    world_run(&w, 10001);
    pack_too_long(&w.p, 7, 0);
    feed();
    world_answer(&w, 20, pack_channel_empty(49));
    world_run(&w, 10100);
    feed_channel(7, 50);
    feed_channel(7, 51);
    world_run(&w, 20000);
    world_expect(&w, "[10000] apply 7:50\n[10001] channel 7 difference from 50\n"
                     "[10100] apply 7:51\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("scenarios_difference");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s27_own_edits_of_a_channel_difference, 0, SEEDS);
    tcase_add_loop_test(t, s28_foreign_channels_in_the_common_difference, 0, SEEDS);
    tcase_add_loop_test(t, s29_channels_named_by_the_common_difference, 0, SEEDS);
    tcase_add_loop_test(t, s30_too_long_beside_a_live_update, 0, SEEDS);
    tcase_add_loop_test(t, s31_edits_while_fetching, 0, SEEDS);
    tcase_add_loop_test(t, s33_dialog_is_a_folder, 0, SEEDS);
    tcase_add_loop_test(t, s33_held_updates_and_newest_messages, 0, SEEDS);
    tcase_add_loop_test(t, s36_m21_channel_slice_without_progress, 0, SEEDS);
    tcase_add_loop_test(t, s38_answer_after_close, 0, SEEDS);
    tcase_add_loop_test(t, s39_several_reasons_one_question, 0, SEEDS);
    tcase_add_loop_test(t, s40_difference_below_our_position, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
