/*
 * The catalogue of scenarios (scenarios.txt), peers and the account's own calls: S52 to S64, M7,
 * M16 and M17. Each test is named after its scenario; its trace was written from the catalogue
 * before the code ran. The state at the start is pts 10, qts 5, seq 1; gaps wait 500 ms.
 */
#include "scenario_steps.h"

/* ---- short forms ---- */

static void feed_short(int32_t pts, int64_t user)
{
    ck_assert_int_eq(world_feed(&w, pack_short_message(pts, pts, user)), 0);
}

/* Nobody knows the sender: the difference brings the message with its peers. A sender who is known
 * in part only is not known. */
START_TEST(s52_s54_short_message_of_a_stranger)
{
    for (int partly = 0; partly < 2; partly++) {
        begin(_i);
        if (partly != 0) pack_user(&w.p, 4711, true);
        if (partly != 0) feed();
        feed_short(11, 4711);
        pack_new(&w.p, 11);
        pack_user(&w.p, 4711, false);
        world_answer(&w, 20, pack_difference(&w.p, 11, 5, 1));
        world_run(&w, 100);
        feed_short(12, 4711); /* by now */
        world_run(&w, 10000);
        world_expect(&w, "[   0] difference from 10\n[  20] apply 11\n[ 100] apply 12\n");
        world_fini(&w);
    }
}
END_TEST

START_TEST(s53_short_message_of_a_known_user)
{
    begin(_i);
    pack_user(&w.p, 4711, false);
    feed();
    feed_short(11, 4711);
    feed_short(12, 4711);
    feed_short(12, 4711);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n");
    world_fini(&w);
}
END_TEST

static void add_chat(int64_t id)
{
    gap_tl_chat_t c;
    gap_tl_chat_photo_empty_t photo;

    memset(&c, 0, sizeof c);
    memset(&photo, 0, sizeof photo);
    c.id = id;
    c.title = gap_str("group");
    c.photo = gap_tl_of(GAP_TL_CHAT_PHOTO_EMPTY, &photo);
    c.date = PACK_DATE;
    c.version = 1;
    gap_packet_t *p = pack_object(GAP_TL_CHAT, &c);
    w.p.chats.data = realloc(w.p.chats.data, w.p.chats.len + p->len);
    ck_assert_ptr_nonnull(w.p.chats.data);
    memcpy(w.p.chats.data + w.p.chats.len, p->data, p->len);
    w.p.chats.len += p->len;
    w.p.chats.cap = w.p.chats.len;
    w.p.chats.count++;
    gap_packet_unref(p);
}

static void feed_short_chat(int32_t pts, int64_t chat)
{
    gap_tl_update_short_chat_message_t u;

    memset(&u, 0, sizeof u);
    u.id = pts;
    u.from_id = PACK_USER;
    u.chat_id = chat;
    u.message = gap_str("hello");
    u.pts = pts;
    u.pts_count = 1;
    u.date = PACK_DATE;
    ck_assert_int_eq(world_feed(&w, pack_object(GAP_TL_UPDATE_SHORT_CHAT_MESSAGE, &u)), 0);
}

/* The sender is known, the group is not; then both are. */
START_TEST(s55_short_message_in_an_unknown_group)
{
    begin(_i);
    feed_message(11);
    feed_short_chat(12, 77);
    pack_new(&w.p, 12);
    add_chat(77);
    world_answer(&w, 20, pack_difference(&w.p, 12, 5, 1));
    world_run(&w, 100);
    feed_short_chat(13, 77);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] difference from 11\n[  20] apply 12\n"
                     "[ 100] apply 13\n");
    world_fini(&w);
}
END_TEST

/* ---- who is named in a message ---- */

enum named { SENDER, FORWARDED_FROM, MENTIONED, VIA_BOT, NAMED };

/* Adds a message that names 4711 somewhere, in channel 7 or in the private chat. */
static void pack_naming(enum named how, bool channel, int32_t pts)
{
    gap_tl_peer_user_t user = {PACK_USER};
    gap_tl_peer_user_t stranger = {4711};
    gap_tl_peer_channel_t where = {7};
    gap_tl_message_fwd_header_t fwd;
    gap_tl_message_entity_mention_name_t mention = {0, 2, 4711};
    gap_tl_message_t m;
    gap_packet_t *entity = pack_object(GAP_TL_MESSAGE_ENTITY_MENTION_NAME, &mention);

    memset(&m, 0, sizeof m);
    memset(&fwd, 0, sizeof fwd);
    m.flags = GAP_TL_MESSAGE_F_FROM_ID;
    m.id = pts;
    m.from_id = gap_tl_of(GAP_TL_PEER_USER, how == SENDER ? &stranger : &user);
    m.peer_id =
        channel ? gap_tl_of(GAP_TL_PEER_CHANNEL, &where) : gap_tl_of(GAP_TL_PEER_USER, &user);
    m.message = gap_str("hello");
    m.date = PACK_DATE;
    if (how == FORWARDED_FROM) {
        fwd.flags = GAP_TL_MESSAGE_FWD_HEADER_F_FROM_ID;
        fwd.from_id = gap_tl_of(GAP_TL_PEER_USER, &stranger);
        m.flags |= GAP_TL_MESSAGE_F_FWD_FROM;
        m.fwd_from = gap_tl_of(GAP_TL_MESSAGE_FWD_HEADER, &fwd);
    } else if (how == MENTIONED) {
        m.flags |= GAP_TL_MESSAGE_F_ENTITIES;
        m.entities = (gap_tl_vector_t){entity->data, entity->len, NULL, 1};
    } else if (how == VIA_BOT) {
        m.flags |= GAP_TL_MESSAGE_F_VIA_BOT_ID;
        m.via_bot_id = 4711;
    }
    gap_tl_update_new_message_t u = {gap_tl_of(GAP_TL_MESSAGE, &m), pts, 1};
    pack_update(&w.p, channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE, &u);
    gap_packet_unref(entity);
}

/* updateShort around it (no users come along), and a container without the one who is named. */
START_TEST(s56_s57_named_in_a_private_message)
{
    for (int n = 0; n < 2 * NAMED; n++) {
        begin(_i);
        feed_message(11);
        pack_naming((enum named)(n / 2), false, 12);
        ck_assert_int_eq(world_feed(&w, n % 2 == 0 ? pack_short(&w.p) : pack_updates(&w.p, 0)), 0);
        pack_user(&w.p, 4711, false);
        world_answer(&w, 20, difference(12, 12));
        world_run(&w, 100);
        pack_naming((enum named)(n / 2), false, 13); /* known now */
        (void)world_feed(&w, pack_short(&w.p));
        world_run(&w, 10000);
        world_expect(&w, "[   0] apply 11\n[   0] difference from 11\n[  20] apply 12\n"
                         "[ 100] apply 13\n");
        world_fini(&w);
    }
}
END_TEST

/* A message of a channel: the channel's difference is asked for. */
START_TEST(s57_named_in_a_channel_message)
{
    for (int n = 0; n < NAMED; n++) {
        begin_channel(_i);
        pack_naming((enum named)n, true, 51);
        feed();
        pack_user(&w.p, 4711, false);
        world_answer(&w, 20, channel_difference(7, 51, 51, true));
        world_run(&w, 100);
        pack_naming((enum named)n, true, 52);
        feed();
        world_run(&w, 10000);
        world_expect(&w, "[   0] channel 7 difference from 50\n[  20] apply 7:51\n"
                         "[ 100] apply 7:52\n");
        world_fini(&w);
    }
}
END_TEST

/* Who joined a channel needs no introduction: delivered as it is, nothing is asked. */
START_TEST(s58_service_message_of_a_stranger)
{
    gap_tl_peer_user_t stranger = {4711};
    gap_tl_peer_channel_t channel = {7};
    gap_tl_message_action_chat_add_user_t action;
    gap_tl_message_service_t m;
    int64_t users[2] = {4711, 4712};

    begin_channel(_i);
    memset(&m, 0, sizeof m);
    action.users = gap_tl_array(users, 2);
    m.flags = GAP_TL_MESSAGE_SERVICE_F_FROM_ID;
    m.id = 51;
    m.from_id = gap_tl_of(GAP_TL_PEER_USER, &stranger);
    m.peer_id = gap_tl_of(GAP_TL_PEER_CHANNEL, &channel);
    m.date = PACK_DATE;
    m.action = gap_tl_of(GAP_TL_MESSAGE_ACTION_CHAT_ADD_USER, &action);
    gap_tl_update_new_channel_message_t u = {gap_tl_of(GAP_TL_MESSAGE_SERVICE, &m), 51, 1};
    pack_update(&w.p, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u);
    feed();
    feed_channel(7, 52);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 7:51\n[   0] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* ---- unknown channels, strangers and queries ---- */

/* The first update ever of a channel whose hash nobody knows: one difference for it. */
START_TEST(m16_first_update_of_a_channel)
{
    begin(_i);
    w.p.lonely = true;
    feed_channel(7, 500);
    w.p.lonely = false;
    pack_user(&w.p, PACK_USER, false);
    pack_channel(&w.p, 7);
    world_answer(&w, 20, pack_difference(&w.p, 10, 5, 1));
    world_run(&w, 100);
    feed_channel(7, 501);
    feed_channel(7, 503);
    world_answer(&w, 20, channel_difference(7, 502, 502, true));
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] apply 7:500\n[ 100] apply 7:501\n"
                     "[ 600] channel 7 difference from 501\n[ 620] apply 7:502\n"
                     "[ 620] apply 7:503\n");
    world_fini(&w);
}
END_TEST

/* And if the difference does not bring it: delivered all the same, and other channels of the kind
 * cause no further questions for a minute. */
START_TEST(m16_questions_for_hashes_are_capped)
{
    begin(_i);
    w.p.lonely = true;
    feed_channel(7, 500);
    world_answer(&w, 20, pack_empty(1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 100);
    for (int64_t channel = 8; channel <= 10; channel++) feed_channel(channel, 500);
    world_run(&w, 61000);
    expect_lines(_i, "[   0] difference from 10\n[  20] apply 7:500\n[ 100] apply 8:500\n"
                     "[ 100] apply 9:500\n[ 100] apply 10:500\n");
    feed_channel(11, 500);
    world_run(&w, 70000);
    world_expect(&w, "[61000] difference from 10\n[61020] apply 11:500\n");
    world_fini(&w);
}
END_TEST

/* A message of somebody never seen beside a callback query: the query at once, the message after
 * one difference, with its sender; delivered without if that brings nothing. */
START_TEST(m17_stranger_and_query)
{
    for (int known = 0; known < 2; known++) {
        begin(_i);
        w.p.lonely = true;
        pack_message(&w.p, 11, 1, 11, 4711);
        pack_query(&w.p, 5);
        (void)world_feed(&w, pack_updates(&w.p, 2));
        if (known != 0) pack_user(&w.p, 4711, false);
        if (known != 0) pack_new(&w.p, 11);
        world_answer(&w, 20, known != 0 ? pack_difference(&w.p, 11, 5, 2) : pack_empty(2));
        world_run(&w, 10000);
        expect_lines(_i, "[   0] apply query 5\n[   0] difference from 10\n[  20] apply 11\n");
        world_fini(&w);
    }
}
END_TEST

/* ---- own calls ---- */

/* messages.deleteMessages of three messages. */
START_TEST(m07_own_delete)
{
    int32_t ids[3] = {1, 2, 3};
    gap_tl_messages_delete_messages_t q;
    gap_engine_counters_t count;

    begin(_i);
    memset(&q, 0, sizeof q);
    q.id = gap_tl_array(ids, 3);
    result(pack_object(GAP_TL_MESSAGES_DELETE_MESSAGES, &q), pack_affected(13, 3), 0);
    feed_message(14);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 14\n");
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.gaps, 0);
    world_fini(&w);
}
END_TEST

/* The result comes when a later push has been held already, or when it is an old story. */
START_TEST(s62_affected_messages)
{
    begin(_i);
    feed_message(14); /* 11..13 are our own delete, whose answer is on the way */
    world_run(&w, 100);
    result(pack_send_message(PACK_USER, 1), pack_affected(13, 3), 0);
    result(pack_send_message(PACK_USER, 1), pack_affected(13, 3), 0); /* twice */
    result(pack_send_message(PACK_USER, 1), pack_affected(99, 0), 0); /* nothing happened */
    result(pack_channel_delete(7), pack_affected(90, 1), 0);          /* not tracked */
    world_run(&w, 200);
    feed_channel(7, 50); /* its base is its first update all the same */
    world_run(&w, 300);
    feed_channel(7, 52);
    world_run(&w, 400);
    result(pack_channel_delete(7), pack_affected(51, 1), 0); /* fills the hole */
    world_run(&w, 10000);
    world_expect(&w, "[ 100] apply 14\n[ 200] apply 7:50\n[ 400] apply 7:52\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("scenarios_peers");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, s52_s54_short_message_of_a_stranger, 0, SEEDS);
    tcase_add_loop_test(t, s53_short_message_of_a_known_user, 0, SEEDS);
    tcase_add_loop_test(t, s55_short_message_in_an_unknown_group, 0, SEEDS);
    tcase_add_loop_test(t, s56_s57_named_in_a_private_message, 0, SEEDS);
    tcase_add_loop_test(t, s57_named_in_a_channel_message, 0, SEEDS);
    tcase_add_loop_test(t, s58_service_message_of_a_stranger, 0, SEEDS);
    tcase_add_loop_test(t, m16_first_update_of_a_channel, 0, SEEDS);
    tcase_add_loop_test(t, m16_questions_for_hashes_are_capped, 0, SEEDS);
    tcase_add_loop_test(t, m17_stranger_and_query, 0, SEEDS);
    tcase_add_loop_test(t, m07_own_delete, 0, SEEDS);
    tcase_add_loop_test(t, s62_affected_messages, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
