/*
 * The gap engine against its rules, case by case: order, gaps, differences. The state at the start
 * is pts 10, qts 5, seq 1; gaps wait 500 ms. In-order updates, duplicates, gaps that heal or are
 * fetched, containers, results and ordinary refusals are in test_engine_golden.c and
 * test_engine_channels.c; servers that fail, lie or name strangers in test_engine_trials.c.
 */
#include "world_steps.h"

#include <time.h>

#define SEEDS 8
#define HOUR  UINT64_C(3600000) /* ms */

/* ---- order ---- */

/* S05: The pair "edit with count 0, message with count 1" at one pts, in two packets, of a channel
 * that is not known: the edit alone is no base that would make the message a duplicate. */
START_TEST(pair_in_two_packets_of_an_unknown_channel)
{
    begin(_i);
    pack_channel_edit(&w.p, 7, 11, 0, 11);
    feed();
    world_run(&w, 100);
    feed_channel(7, 11);
    world_run(&w, 10000);
    world_expect(&w, "[ 100] apply 7:11\n[ 100] edit 7:11\n");
    feed_channel(8, 11);
    world_run(&w, 10100);
    pack_channel_edit(&w.p, 8, 11, 0, 11);
    feed();
    world_run(&w, 20000);
    world_expect(&w, "[10000] apply 8:11\n[10100] edit 8:11\n");
    /* alone it is delivered, and is the base */
    pack_channel_edit(&w.p, 9, 30, 0, 11);
    feed();
    world_run(&w, 30000);
    feed_channel(9, 31);
    world_run(&w, 40000);
    ck_assert_uint_eq(lines_with("edit 9:11"), 1);
    ck_assert_uint_eq(lines_with("[30000] apply 9:31"), 1);
    ck_assert_uint_eq(lines_with("difference"), 0);
    world_fini(&w);
}
END_TEST

/* S06: A group becomes a supergroup: pts 1 with count 0, then 2 with 1. */
START_TEST(migration_to_a_supergroup)
{
    for (int form = 0; form < 3; form++) {
        begin(_i);
        if (form == 2) { /* swapped */
            pack_channel_message(&w.p, 7, 2, 1, 2);
            pack_channel_message(&w.p, 7, 1, 0, 1);
        } else {
            pack_channel_message(&w.p, 7, 1, 0, 1);
            if (form == 1) feed();
            pack_channel_message(&w.p, 7, 2, 1, 2);
        }
        feed();
        world_run(&w, 10000);
        world_expect(&w, "[   0] apply 7:1\n[   0] apply 7:2\n");
        world_fini(&w);
    }
}
END_TEST

/* What has been read from the socket at once is put in order before a new channel begins. */
START_TEST(swapped_beginning_of_a_channel)
{
    begin(_i);
    pack_channel_message(&w.p, 7, 51, 1, 51);
    pack_channel_message(&w.p, 7, 50, 1, 50);
    feed();
    feed_channel(7, 53);
    feed_channel(7, 52);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:50\n[   0] apply 7:51\n[   0] apply 7:52\n"
                     "[   0] apply 7:53\n");
    world_fini(&w);
}
END_TEST

/* S09 */
START_TEST(empty_channel_messages)
{
    gap_tl_message_empty_t empty;
    gap_tl_peer_channel_t channel = {7};
    gap_tl_update_new_channel_message_t u;

    begin_channel(_i);
    memset(&empty, 0, sizeof empty);
    empty.id = 51;
    u.message = gap_tl_of(GAP_TL_MESSAGE_EMPTY, &empty);
    u.pts = 51;
    u.pts_count = 1;
    pack_update(&w.p, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE,
                &u); /* of no channel: nothing can be said */
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    feed();
    empty.flags = GAP_TL_MESSAGE_EMPTY_F_PEER_ID;
    empty.peer_id = gap_tl_of(GAP_TL_PEER_CHANNEL, &channel);
    pack_update(&w.p, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u); /* of channel 7: its place counts */
    pack_channel_message(&w.p, 7, 52, 1, 52);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* S10: An update that begins before our position and ends behind it: what lies between is missing.
 */
START_TEST(overlap_is_fetched)
{
    begin(_i);
    feed_message(11);
    feed_message(12);
    pack_delete(&w.p, 14, 4, 1); /* 10..14 */
    feed();
    world_answer(&w, 20, difference(13, 14));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n[ 500] difference from 12\n"
                     "[ 520] apply 13\n[ 520] apply 14\n");
    feed_message(15);
    pack_delete(&w.p, 16, 3, 1);
    feed();
    feed_message(16); /* heals */
    world_run(&w, 20000);
    world_expect(&w, "[10000] apply 15\n[10000] apply 16\n");
    world_fini(&w);
}
END_TEST

/* Deleted messages of a business connection: one event of qts however many ids. */
START_TEST(business_deletes_count_once)
{
    int32_t ids[3] = {1, 2, 3};
    gap_tl_peer_user_t peer = {PACK_USER};
    gap_tl_update_bot_delete_business_message_t u;

    begin(_i);
    memset(&u, 0, sizeof u);
    u.connection_id = gap_str("c");
    u.peer = gap_tl_of(GAP_TL_PEER_USER, &peer);
    u.messages = gap_tl_array(ids, 3);
    u.qts = 6;
    pack_update(&w.p, GAP_TL_UPDATE_BOT_DELETE_BUSINESS_MESSAGE, &u);
    pack_qts(&w.p, 7, 7);
    feed();
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply updateBotDeleteBusinessMessage\n[   0] apply q7\n");
    world_fini(&w);
}
END_TEST

/* ---- gaps ---- */

static int32_t last_id;

static void ascending(struct world *world, gap_update_t *update)
{
    gap_tl_update_new_message_t m;
    gap_tl_message_t message;

    (void)world;
    if (gap_update_id(update) != GAP_TL_UPDATE_NEW_MESSAGE) return;
    ck_assert_int_eq(GAP_UPDATE_READ(update, GAP_TL_UPDATE_NEW_MESSAGE, &m), 0);
    ck_assert_int_gt(GAP_TL_READ(m.message, GAP_TL_MESSAGE, &message), 0);
    ck_assert_int_gt(message.id, last_id);
    last_id = message.id;
}

/* S15: 5,000 behind one hole, which a push then fills: in whatever order they came. */
START_TEST(many_behind_a_hole)
{
    gap_engine_config_t c;
    clock_t start = clock();

    memset(&c, 0, sizeof c);
    c.limits.inbox = 8192;
    c.gap_wait_us = 3000000;
    begin_with(0, &c);
    w.handled = ascending;
    last_id = 10;
    for (int32_t i = 0; i < 5000; i++) feed_message(_i == 0 ? 12 + i : 5011 - i);
    world_run(&w, 1000);
    ck_assert_uint_eq(applied(), 0);
    feed_message(11);
    world_run(&w, 2000);
    ck_assert_uint_eq(applied(), 5001);
    ck_assert_int_eq(last_id, 5011);
    ck_assert_msg(clock() - start < 5 * CLOCKS_PER_SEC, "too slow");
    world_fini(&w);
}
END_TEST

/* A hole of one, of a few, of very many events: the result is the same. */
START_TEST(size_of_a_hole)
{
    static const int32_t sizes[] = {1, 5, 1500, 1000001};

    for (size_t i = 0; i < GAP_ARRAY_LEN(sizes); i++) {
        int32_t end = 10 + sizes[i];
        char expect[128];
        begin(_i);
        feed_message(end + 1);
        pack_new(&w.p, end);
        world_answer(&w, 20, pack_difference(&w.p, end, 5, 1));
        world_run(&w, 10000);
        (void)snprintf(expect, sizeof expect,
                       "[ 500] difference from 10\n[ 520] apply %d\n[ 520] apply %d\n", end,
                       end + 1);
        world_expect(&w, expect);
        world_fini(&w);
    }
}
END_TEST

/* A channel's pts that falls by 100,000 was restarted; by less it is old. */
START_TEST(channel_restarted)
{
    begin(_i);
    feed_channel(7, 200000);
    world_run(&w, 1);
    feed_channel(7, 100001);
    world_run(&w, 2);
    feed_channel(7, 20);
    feed_channel(7, 21);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:200000\n[   2] channel 7 resynchronised 200000..20: reset\n"
                     "[   2] apply 7:20\n[   2] apply 7:21\n");
    world_fini(&w);
}
END_TEST

/* ---- differences ---- */

/* S25 */
START_TEST(empty_gives_date_and_seq)
{
    gap_engine_state_t state;
    gap_tl_updates_difference_empty_t d = {PACK_DATE + 77, 9};

    begin(_i);
    gap_engine_missed(w.engine);
    world_answer(&w, 20, pack_object(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &d));
    world_run(&w, 100);
    ck_assert_int_eq(gap_engine_export(w.engine, &state), 0);
    ck_assert_int_eq(state.seq, 9);
    ck_assert_int_eq(state.date, PACK_DATE + 77);
    ck_assert_int_eq(state.pts, 10);
    ck_assert_int_eq(state.qts, 5);
    pack_query(&w.p, 1);
    (void)world_feed(&w, pack_updates(&w.p, 10));
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[ 100] apply query 1\n");
    world_fini(&w);
}
END_TEST

/* S26 */
START_TEST(many_slices)
{
    begin(_i);
    gap_engine_missed(w.engine);
    for (int32_t pts = 11; pts <= 13; pts++) {
        pack_new(&w.p, pts);
        world_answer(&w, 10, pack_slice(&w.p, pts, 5, 1));
    }
    world_answer(&w, 10, difference(14, 14));
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  10] apply 11\n[  10] difference from 11\n"
                     "[  20] apply 12\n[  20] difference from 12\n[  30] apply 13\n"
                     "[  30] difference from 13\n[  40] apply 14\n");
    world_fini(&w);
}
END_TEST

/* Messages come out by ascending id in whatever order the answer has them. */
START_TEST(unsorted_messages)
{
    begin_channel(_i);
    feed_channel(7, 54);
    pack_channel_new(&w.p, 7, 53);
    pack_channel_new(&w.p, 7, 51);
    pack_channel_new(&w.p, 7, 52);
    world_answer(&w, 20, pack_channel_difference(&w.p, 53, true));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] apply 7:51\n[ 520] apply 7:52\n"
                     "[ 520] apply 7:53\n[ 520] apply 7:54\n");
    /* the same id in two chats is two messages */
    gap_engine_missed(w.engine);
    pack_new(&w.p, 12);
    pack_new(&w.p, 11);
    pack_channel_new(&w.p, 9, 11);
    world_answer(&w, 20, pack_difference(&w.p, 12, 5, 1));
    world_run(&w, 20000);
    ck_assert_uint_eq(lines_with("apply 11\n"), 1);
    ck_assert_uint_eq(lines_with("apply 9:11\n"), 1);
    ck_assert_uint_eq(lines_with("apply 12\n"), 1);
    world_fini(&w);
}
END_TEST

static gap_packet_t *encrypted_difference(int32_t qts)
{
    gap_tl_encrypted_message_service_t m;
    gap_tl_updates_state_t s = {10, qts, PACK_DATE, 1, 0};
    gap_tl_updates_difference_t d;

    memset(&m, 0, sizeof m);
    memset(&d, 0, sizeof d);
    m.random_id = 99;
    m.chat_id = 3;
    m.bytes = gap_str("abc");
    gap_packet_t *body = pack_object(GAP_TL_ENCRYPTED_MESSAGE_SERVICE, &m);
    d.new_messages = gap_tl_array(NULL, 0);
    d.new_encrypted_messages = (gap_tl_vector_t){body->data, body->len, NULL, 1};
    d.other_updates = gap_tl_array(NULL, 0);
    d.chats = gap_tl_array(NULL, 0);
    d.users = gap_tl_array(NULL, 0);
    d.state = gap_tl_of(GAP_TL_UPDATES_STATE, &s);
    gap_packet_t *packet = pack_object(GAP_TL_UPDATES_DIFFERENCE, &d);
    gap_packet_unref(body);
    return packet;
}

/* S37 */
START_TEST(encrypted_messages)
{
    begin(_i);
    pack_qts(&w.p, 7, 7);
    feed();
    world_answer(&w, 20, encrypted_difference(6));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] apply updateNewEncryptedMessage\n"
                     "[ 520] apply q7\n");
    world_fini(&w);
}
END_TEST

static unsigned flagged;

static void count_flagged(struct world *world, gap_update_t *update)
{
    (void)world;
    if (gap_update_maybe_repeated(update)) flagged++;
}

/* S33: The answer is the newest messages: the range is told, they are delivered, and marked. */
START_TEST(channel_too_long_with_messages)
{
    begin_channel(_i);
    flagged = 0;
    w.handled = count_flagged;
    feed_channel(7, 1001);
    pack_channel_new(&w.p, 7, 1000);
    pack_channel_new(&w.p, 7, 999);
    world_answer(&w, 20, pack_channel_too_long(&w.p, 7, 1000));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 resynchronised 50..1000: too long\n[ 520] apply 7:999\n"
                     "[ 520] apply 7:1000\n[ 520] apply 7:1001\n");
    ck_assert_uint_eq(flagged, 2);
    world_fini(&w);
}
END_TEST

/* With a state from before, a channel that is not in it was joined since: what happened in it is
 * asked for. Without one, only what comes is of concern. */
START_TEST(channel_joined_while_away)
{
    gap_engine_config_t c;

    world_init(&w, (uint64_t)_i, NULL);
    gap_engine_start(w.engine);
    pack_too_long(&w.p, 7, 3);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_answer(&w, 20, channel_difference(7, 2, 3, true));
    world_run(&w, 100);
    feed_channel(7, 4);
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] channel 7 difference from 1\n"
                     "[  40] apply 7:2\n[  40] apply 7:3\n[ 100] apply 7:4\n");
    world_fini(&w);
    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 20, pack_state(10, 5, 1));
    pack_too_long(&w.p, 7, 3);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_run(&w, 100);
    feed_channel(7, 4);
    world_run(&w, 10000);
    world_expect(&w, "[   0] state\n[  20] difference from 10\n[ 100] apply 7:4\n");
    world_fini(&w);
}
END_TEST

/* The server numbers its containers anew: those that follow are no copies of the old ones. */
START_TEST(containers_numbered_anew)
{
    begin(_i);
    for (int32_t seq = 2; seq <= 60; seq++) {
        pack_query(&w.p, seq);
        (void)world_feed(&w, pack_updates(&w.p, seq));
    }
    world_run(&w, 1);
    world_forget(&w);
    gap_engine_missed(w.engine);
    world_answer(&w, 20, pack_empty(2));
    world_run(&w, 100);
    pack_query(&w.p, 103);
    (void)world_feed(&w, pack_updates(&w.p, 3));
    pack_query(&w.p, 104);
    (void)world_feed(&w, pack_updates(&w.p, 4));
    world_run(&w, 10000);
    world_expect(&w, "[   1] difference from 10\n[ 100] apply query 103\n"
                     "[ 100] apply query 104\n");
    gap_engine_missed(w.engine); /* nonsense is no number */
    world_answer(&w, 20, pack_empty(INT32_MIN));
    world_run(&w, 11000);
    pack_query(&w.p, 105);
    (void)world_feed(&w, pack_updates(&w.p, 5));
    world_run(&w, 20000);
    ck_assert_uint_eq(lines_with("[11000] apply query 105\n"), 1);
    world_fini(&w);
}
END_TEST

/* M11: First slices, as far as the limit goes, then too long, which goes on. */
START_TEST(channel_slices_then_too_long)
{
    gap_packet_t *p;
    begin_channel(_i);
    pack_too_long(&w.p, 7, 5050);
    feed();
    world_answer(&w, 20, channel_difference(7, 51, 52, false));
    p = pack_channel_too_long(&w.p, 7, 5049);
    p->data[4] = 0; /* not final */
    world_answer(&w, 20, p);
    world_answer(&w, 20, channel_difference(7, 5050, 5050, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] channel 7 difference from 50\n[  20] apply 7:51\n[  20] apply 7:52\n"
                     "[  20] channel 7 difference from 52\n"
                     "[  40] channel 7 resynchronised 52..5049: too long\n"
                     "[  40] channel 7 difference from 5049\n[  60] apply 7:5050\n");
    world_fini(&w);
}
END_TEST

/* S33: A dialog without pts: the channel itself is asked. */
START_TEST(channel_too_long_without_pts)
{
    gap_tl_peer_channel_t peer = {7};
    gap_tl_peer_notify_settings_t notify;
    gap_tl_dialog_t dialog;
    gap_tl_updates_channel_difference_too_long_t d;

    begin_channel(_i);
    memset(&notify, 0, sizeof notify);
    memset(&dialog, 0, sizeof dialog);
    memset(&d, 0, sizeof d);
    dialog.peer = gap_tl_of(GAP_TL_PEER_CHANNEL, &peer);
    dialog.notify_settings = gap_tl_of(GAP_TL_PEER_NOTIFY_SETTINGS, &notify);
    d.dialog = gap_tl_of(GAP_TL_DIALOG, &dialog);
    d.messages = gap_tl_array(NULL, 0);
    d.chats = gap_tl_array(NULL, 0);
    d.users = gap_tl_array(NULL, 0);
    feed_channel(7, 901);
    world_answer(&w, 20, pack_object(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG, &d));
    world_answer(&w, 20, pack_channel_full(7, 900));
    world_run(&w, 10000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] channel 7 state\n"
                     "[ 540] channel 7 resynchronised 50..900: too long\n[ 540] apply 7:901\n");
    world_fini(&w);
}
END_TEST

/* S38: An answer that comes when the account has been signed out changes nothing any more for the
 * worse: what it brings is delivered, nothing is asked. */
START_TEST(answer_after_sign_out)
{
    begin_channel(_i);
    feed_channel(7, 53);
    world_answer(&w, 200, channel_difference(7, 51, 51, false));
    world_run(&w, 550);
    gap_engine_missed(w.engine);
    world_error(&w, 20, 401, "SESSION_REVOKED");
    world_run(&w, 10 * HOUR);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 550] difference from 10\n"
                     "[ 570] signed out\n[ 700] apply 7:51\n");
    /* signed in again: both go on from where they were */
    gap_engine_start(w.engine);
    world_answer(&w, 20, difference(11, 11));
    world_answer(&w, 20, channel_difference(7, 52, 52, true));
    world_run(&w, 10 * HOUR + 100);
    ck_assert_uint_eq(lines_with("difference from 10\n"), 1);
    ck_assert_uint_eq(lines_with("channel 7 difference from 51\n"), 1);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_scenarios");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, pair_in_two_packets_of_an_unknown_channel, 0, SEEDS);
    tcase_add_loop_test(t, migration_to_a_supergroup, 0, SEEDS);
    tcase_add_loop_test(t, swapped_beginning_of_a_channel, 0, SEEDS);
    tcase_add_loop_test(t, empty_channel_messages, 0, SEEDS);
    tcase_add_loop_test(t, overlap_is_fetched, 0, SEEDS);
    tcase_add_loop_test(t, business_deletes_count_once, 0, SEEDS);
    tcase_add_loop_test(t, many_behind_a_hole, 0, 2);
    tcase_add_loop_test(t, size_of_a_hole, 0, SEEDS);
    tcase_add_loop_test(t, channel_restarted, 0, SEEDS);
    tcase_add_loop_test(t, empty_gives_date_and_seq, 0, SEEDS);
    tcase_add_loop_test(t, many_slices, 0, SEEDS);
    tcase_add_loop_test(t, unsorted_messages, 0, SEEDS);
    tcase_add_loop_test(t, encrypted_messages, 0, SEEDS);
    tcase_add_loop_test(t, channel_too_long_with_messages, 0, SEEDS);
    tcase_add_loop_test(t, channel_joined_while_away, 0, SEEDS);
    tcase_add_loop_test(t, containers_numbered_anew, 0, SEEDS);
    tcase_add_loop_test(t, channel_slices_then_too_long, 0, SEEDS);
    tcase_add_loop_test(t, channel_too_long_without_pts, 0, SEEDS);
    tcase_add_loop_test(t, answer_after_sign_out, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
