/*
 * The gap engine on trial: servers that refuse, fail or lie for ever, peers that nobody knows,
 * results of the account's own calls, very many channels, the end. The state at the start is pts
 * 10, qts 5, seq 1; gaps wait 500 ms.
 */
#include "world_steps.h"

#include <stdlib.h>

#define SEEDS 8
#define HOUR  UINT64_C(3600000) /* ms */

/* ---- errors ---- */

START_TEST(access_lost_by_any_name)
{
    static const struct {
        int32_t code;
        const char *text;
    } cases[] = {{400, "CHANNEL_PRIVATE"},
                 {406, "CHANNEL_PRIVATE"},
                 {400, "CHANNEL_INVALID"},
                 {400, "CHANNEL_PUBLIC_GROUP_NA"}};

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        gap_tl_update_channel_t u = {7};
        begin_channel(_i);
        feed_channel(7, 52);
        world_error(&w, 20, cases[i].code, cases[i].text);
        world_run(&w, 2 * HOUR / 10);
        ck_assert_uint_eq(lines_with("difference"), 1);
        ck_assert_uint_eq(lines_with("channel 7 lost at 50"), 1);
        ck_assert_uint_eq(lines_with("apply"), 0);
        world_forget(&w);
        pack_update(&w.p, GAP_TL_UPDATE_CHANNEL, &u); /* and back */
        feed();
        feed_channel(7, 90);
        feed_channel(7, 91);
        world_run(&w, 3 * HOUR / 10 - 1);
        ck_assert_uint_eq(lines_with("apply updateChannel\n"), 1);
        ck_assert_uint_eq(lines_with("apply 7:90\n"), 1);
        ck_assert_uint_eq(lines_with("apply 7:91\n"), 1);
        ck_assert_uint_eq(lines_with("channel 7"), 0);
        world_fini(&w);
    }
}
END_TEST

START_TEST(channel_errors_back_off)
{
    begin_channel(_i);
    feed_channel(7, 52);
    world_error(&w, 20, 500, "PERSISTENT_TIMESTAMP_OUTDATED");
    world_fail(&w, 20, GAP_E_DISCONNECTED);
    world_error(&w, 20, -503, "Timeout");
    world_answer(&w, 20, channel_difference(7, 51, 52, true));
    world_run(&w, 540);
    feed_message(11); /* nobody else waits */
    world_run(&w, 20000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n"
                     "[ 520] channel 7 failed, again in 1000 ms\n[ 540] apply 11\n"
                     "[1520] channel 7 difference from 50\n"
                     "[1540] channel 7 failed, again in 2000 ms\n"
                     "[3540] channel 7 difference from 50\n"
                     "[3560] channel 7 failed, again in 4000 ms\n"
                     "[7560] channel 7 difference from 50\n[7580] apply 7:51\n"
                     "[7580] apply 7:52\n");
    world_fini(&w);
}
END_TEST

/* The stored position is ahead of the server's. */
START_TEST(stored_position_too_new)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 20, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 20, pack_state(3, 5, 1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 100);
    feed_message(4);
    world_run(&w, 10000);
    world_expect(&w, "[   0] difference from 10\n[  20] state\n"
                     "[  40] common resynchronised 10..3: invalid\n[  40] difference from 3\n"
                     "[ 100] apply 4\n");
    world_fini(&w);
}
END_TEST

/* Where the position jumps, what is held is not lost, and what was counted before the jump does not
 * stand in the way of what comes after it. */
START_TEST(held_updates_survive_a_jump)
{
    begin(_i);
    feed_message(12);
    feed_message(14);
    world_run(&w, 10);
    pack_pts_changed(&w.p);
    feed();
    world_answer(&w, 50, pack_state(3, 5, 1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 40);
    feed_message(4); /* counted anew already */
    world_run(&w, 100);
    feed_message(5);
    world_run(&w, 600000);
    world_expect(&w, "[  10] state\n[  60] common resynchronised 10..3: reset\n"
                     "[  60] apply 12\n[  60] apply 14\n[  60] difference from 3\n"
                     "[  80] apply 4\n[ 100] apply 5\n");
    world_fini(&w);
    begin(_i);
    feed_message(12);
    feed_message(14);
    feed_message(21);
    world_error(&w, 20, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 0, pack_state(20, 5, 1));
    world_answer(&w, 20, pack_empty(1));
    world_run(&w, 600000);
    world_expect(&w, "[ 500] difference from 10\n[ 520] state\n"
                     "[ 520] common resynchronised 10..20: invalid\n[ 520] apply 12\n"
                     "[ 520] apply 14\n[ 520] difference from 20\n[ 540] apply 21\n");
    world_fini(&w);
    begin(_i);
    feed_message(12);
    world_answer(&w, 20, pack_difference_too_long(500));
    world_answer(&w, 20, difference(501, 501));
    world_run(&w, 600000);
    world_expect(&w, "[ 500] difference from 10\n"
                     "[ 520] common resynchronised 10..500: too long\n[ 520] apply 12\n"
                     "[ 520] difference from 500\n[ 540] apply 501\n");
    world_fini(&w);
    begin_channel(_i);
    feed_channel(7, 55);
    world_error(&w, 20, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 20, pack_channel_full(7, 60));
    world_run(&w, 600000);
    world_expect(&w, "[ 500] channel 7 difference from 50\n[ 520] channel 7 state\n"
                     "[ 540] channel 7 resynchronised 50..60: invalid\n[ 540] apply 7:55\n");
    world_fini(&w);
}
END_TEST

/* A state handed over without pts is no state: what is now is asked for. */
START_TEST(state_without_pts)
{
    gap_engine_state_t state = {0, 0, 0, 0, NULL, 0};
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 20, pack_state(10, 0, 0));
    world_answer(&w, 20, pack_empty(0));
    world_run(&w, 100);
    feed_message(12);
    world_answer(&w, 20, difference(11, 11));
    world_run(&w, 10000);
    world_expect(&w, "[   0] state\n[  20] difference from 10\n[ 600] difference from 10\n"
                     "[ 620] apply 11\n[ 620] apply 12\n");
    world_fini(&w);
}
END_TEST

/* A constructor that nobody knows, behind updates that are fine. */
START_TEST(unknown_constructor_in_a_container)
{
    gap_packet_t *p;

    begin(_i);
    pack_query(&w.p, 1);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    pack_status(&w.p, 9);
    p = pack_updates(&w.p, 2);
    for (size_t i = 0; i + 4 <= p->len; i += 4) {
        uint32_t id;
        memcpy(&id, p->data + i, 4);
        if (id == GAP_TL_UPDATE_USER_STATUS) memset(p->data + i, 0x5a, 4);
    }
    world_answer(&w, 20, pack_empty(2));
    ck_assert_int_lt(world_feed(&w, p), 0);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("apply query 1\n"), 1);
    ck_assert_uint_eq(lines_with("apply 11\n"), 1);
    ck_assert_uint_eq(lines_with("difference"), 1);
    world_fini(&w);
}
END_TEST

/* ---- hostile servers ---- */

enum hostile {
    ALWAYS_ERROR = 0,
    ALWAYS_OUTDATED,
    ALWAYS_FLOOD, /* and a wait of nothing */
    ALWAYS_REFUSED,
    NEVER_AN_ANSWER,
    ALWAYS_GARBAGE,
    ALWAYS_EMPTY, /* though something is missing */
    FINAL_WITHOUT_PROGRESS,
    SLICE_WITHOUT_PROGRESS,
    SAME_TOO_LONG,
    GROWING_TOO_LONG,
    HOSTILES
};

struct hostility {
    enum hostile kind;
    bool channel;
    unsigned asked;
};

static gap_packet_t *common_hostility(enum hostile kind, int32_t pts)
{
    switch (kind) {
    case ALWAYS_EMPTY:
        return pack_empty(1);
    case FINAL_WITHOUT_PROGRESS:
        return pack_difference(&w.p, pts, 5, 1);
    case SLICE_WITHOUT_PROGRESS:
        return pack_slice(&w.p, pts, 5, 1);
    case SAME_TOO_LONG:
        return pack_difference_too_long(pts);
    default:
        return pack_difference_too_long(pts + 1);
    }
}

static gap_packet_t *channel_hostility(enum hostile kind, int32_t pts)
{
    gap_packet_t *p;

    switch (kind) {
    case ALWAYS_EMPTY:
        return pack_channel_empty(pts);
    case FINAL_WITHOUT_PROGRESS:
        return pack_channel_difference(&w.p, pts, true);
    case SLICE_WITHOUT_PROGRESS:
        return pack_channel_difference(&w.p, pts, false);
    default:
        p = pack_channel_too_long(&w.p, 7, kind == SAME_TOO_LONG ? pts : pts + 1);
        p->data[4] = 0; /* not final */
        return p;
    }
}

static void serve_hostile(struct world *world, struct world_call *c, bool due)
{
    struct hostility *h = world->data;
    gap_packet_t *p;

    if (due) return;
    if (world->trace_len > 4096) world_forget(world);
    if ((c->channel > 0) != h->channel) { /* the other one is as it should be */
        c->due_us = world->now_us;
        c->answer.packet = c->channel > 0 ? pack_channel_empty(c->pts) : pack_empty(1);
        return;
    }
    h->asked++;
    c->due_us = h->kind == NEVER_AN_ANSWER ? WORLD_NEVER : world->now_us + 5000;
    if (c->channel == -1 && h->kind != ALWAYS_REFUSED) {
        c->answer.packet = pack_state(c->pts == 0 ? 10 : c->pts, 5, 1);
    } else if (c->channel > 0 && c->pts == 0 && h->kind != ALWAYS_REFUSED) {
        c->answer.packet = pack_channel_full(c->channel, 50);
    } else if (h->kind <= ALWAYS_REFUSED) {
        static const struct {
            int32_t code;
            const char *text;
        } errors[] = {{400, "SOMETHING_ELSE"},
                      {500, "PERSISTENT_TIMESTAMP_OUTDATED"},
                      {420, "FLOOD_WAIT_0"},
                      {400, "PERSISTENT_TIMESTAMP_INVALID"}};
        c->answer.code = errors[h->kind].code;
        c->answer.text = errors[h->kind].text;
    } else if (h->kind == ALWAYS_GARBAGE) {
        p = c->channel == 0 ? difference(11, 11) : channel_difference(7, 51, 51, true);
        memset(p->data + p->len / 2 / 4 * 4, 0x5a, 8);
        c->answer.packet = p;
    } else {
        c->answer.packet = c->channel == 0 ? common_hostility(h->kind, c->pts)
                                           : channel_hostility(h->kind, c->pts);
    }
}

/* Requests stay bounded, other sequences go on; and where the server does answer, an update that is
 * held comes out in the end, after an event about what is missing. */
START_TEST(hostile_server)
{
    bool channel = _i % 2 != 0;
    struct hostility h = {(enum hostile)(_i / 2), channel, 0};

    begin_channel(0);
    w.serve = serve_hostile;
    w.data = &h;
    if (channel) {
        feed_channel(7, 60);
    } else {
        feed_message(20);
    }
    world_run(&w, HOUR);
    unsigned first = h.asked;
    ck_assert_msg(first <= 100, "kind %d: %u requests", _i, first);
    if (h.kind >= ALWAYS_GARBAGE)
        ck_assert_msg(applied() == 2, "kind %d: frozen after %u requests", _i, first);
    world_forget(&w);
    h.asked = 0;
    for (int32_t i = 0; i < 60; i++) { /* traffic goes on */
        if (channel) {
            feed_message(11 + i);
        } else {
            feed_channel(7, 51 + i);
        }
        world_run(&w, HOUR + (uint64_t)i * 60000);
    }
    if (h.kind > ALWAYS_REFUSED || channel)
        ck_assert_msg(applied() >= 60, "kind %d: others wait", _i);
    world_run(&w, 2 * HOUR);
    ck_assert_msg(h.asked <= 100, "kind %d: then %u requests", _i, h.asked);
    w.serve = NULL;
    world_fini(&w);
}
END_TEST

/* ---- who is who ---- */

START_TEST(short_chat_message)
{
    gap_tl_update_short_chat_message_t u;

    begin(_i);
    feed_message(11); /* the sender is known */
    memset(&u, 0, sizeof u);
    u.id = 12;
    u.from_id = PACK_USER;
    u.chat_id = 77;
    u.message = gap_str("hello");
    u.pts = 12;
    u.pts_count = 1;
    u.date = PACK_DATE;
    (void)world_feed(&w, pack_object(GAP_TL_UPDATE_SHORT_CHAT_MESSAGE, &u));
    world_answer(&w, 20, difference(12, 12));
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] difference from 11\n[  20] apply 12\n");
    world_fini(&w);
}
END_TEST

/* A message in which somebody is named whom nobody has seen: one difference. */
START_TEST(unknown_peers)
{
    for (int form = 0; form < 4; form++) {
        gap_tl_peer_user_t user = {PACK_USER};
        gap_tl_peer_user_t stranger = {4711};
        gap_tl_message_fwd_header_t fwd;
        gap_tl_message_entity_mention_name_t mention = {0, 2, 4711};
        gap_tl_message_t m;
        gap_packet_t *entity = pack_object(GAP_TL_MESSAGE_ENTITY_MENTION_NAME, &mention);

        begin(_i);
        feed_message(11);
        memset(&m, 0, sizeof m);
        memset(&fwd, 0, sizeof fwd);
        m.flags = GAP_TL_MESSAGE_F_FROM_ID;
        m.id = 12;
        m.from_id = gap_tl_of(GAP_TL_PEER_USER, form == 0 ? &stranger : &user);
        m.peer_id = gap_tl_of(GAP_TL_PEER_USER, &user);
        m.message = gap_str("hello");
        m.date = PACK_DATE;
        if (form == 1) {
            fwd.flags = GAP_TL_MESSAGE_FWD_HEADER_F_FROM_ID;
            fwd.from_id = gap_tl_of(GAP_TL_PEER_USER, &stranger);
            m.flags |= GAP_TL_MESSAGE_F_FWD_FROM;
            m.fwd_from = gap_tl_of(GAP_TL_MESSAGE_FWD_HEADER, &fwd);
        } else if (form == 2) {
            m.flags |= GAP_TL_MESSAGE_F_ENTITIES;
            m.entities = (gap_tl_vector_t){entity->data, entity->len, NULL, 1};
        } else if (form == 3) {
            m.flags |= GAP_TL_MESSAGE_F_VIA_BOT_ID;
            m.via_bot_id = 4711;
        }
        gap_tl_update_new_message_t u = {gap_tl_of(GAP_TL_MESSAGE, &m), 12, 1};
        pack_update(&w.p, GAP_TL_UPDATE_NEW_MESSAGE, &u);
        (void)world_feed(&w, pack_short(&w.p));
        pack_user(&w.p, 4711, false);
        world_answer(&w, 20, difference(12, 12));
        world_run(&w, 10000);
        world_expect(&w, "[   0] apply 11\n[   0] difference from 11\n[  20] apply 12\n");
        gap_packet_unref(entity);
        world_fini(&w);
    }
}
END_TEST

/* Who joined a channel needs no introduction. */
START_TEST(service_message_of_a_stranger)
{
    gap_tl_peer_user_t stranger = {4711};
    gap_tl_peer_channel_t channel = {7};
    gap_tl_message_action_chat_joined_by_request_t action;
    gap_tl_message_service_t m;

    begin_channel(_i);
    memset(&m, 0, sizeof m);
    memset(&action, 0, sizeof action);
    m.flags = GAP_TL_MESSAGE_SERVICE_F_FROM_ID;
    m.id = 51;
    m.from_id = gap_tl_of(GAP_TL_PEER_USER, &stranger);
    m.peer_id = gap_tl_of(GAP_TL_PEER_CHANNEL, &channel);
    m.date = PACK_DATE;
    m.action = gap_tl_of(GAP_TL_MESSAGE_ACTION_CHAT_JOINED_BY_REQUEST, &action);
    gap_tl_update_new_channel_message_t u = {gap_tl_of(GAP_TL_MESSAGE_SERVICE, &m), 51, 1};
    pack_update(&w.p, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &u);
    feed();
    world_run(&w, 1);
    ck_assert_uint_eq(applied(), 2);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("difference"), 0);
    world_fini(&w);
}
END_TEST

static unsigned introduced;

static void look_at_sender(struct world *world, gap_update_t *update)
{
    gap_tl_object_t user;
    gap_tl_object_t chat;
    gap_peer_t who = {PACK_USER, GAP_PEER_USER};
    gap_peer_t where = {gap_update_channel_id(update), GAP_PEER_CHANNEL};

    (void)world;
    ck_assert_int_eq(gap_update_find(update, who, &user), 1);
    ck_assert_int_eq(gap_update_find(update, where, &chat), 1);
    introduced++;
}

/* S59: What is held keeps the users and chats that came with it. */
START_TEST(held_updates_keep_their_peers)
{
    introduced = 0;
    begin_channel(_i);
    w.handled = look_at_sender;
    for (int32_t pts = 52; pts <= 60; pts++) feed_channel(7, pts);
    pack_channel_message(&w.p, 7, 61, 1, 61);
    pack_channel_message(&w.p, 7, 62, 1, 62);
    feed();
    world_run(&w, 100);
    feed_channel(7, 51);
    world_run(&w, 10000);
    ck_assert_uint_eq(introduced, 12);
    world_fini(&w);
}
END_TEST

/* ---- own calls ---- */

/* S63 */
START_TEST(invited_users)
{
    gap_tl_messages_invited_users_t r;
    gap_tl_updates_t updates;
    gap_tl_vector_t none = gap_tl_array(NULL, 0);

    begin(_i);
    memset(&r, 0, sizeof r);
    pack_message(&w.p, 11, 1, 11, PACK_USER);
    updates = (gap_tl_updates_t){{w.p.updates.data, w.p.updates.len, NULL, w.p.updates.count},
                                 {w.p.users.data, w.p.users.len, NULL, w.p.users.count},
                                 none,
                                 PACK_DATE,
                                 0};
    r.updates = gap_tl_of(GAP_TL_UPDATES, &updates);
    r.missing_invitees = none;
    result(pack_send_message(PACK_USER, 1), pack_object(GAP_TL_MESSAGES_INVITED_USERS, &r), 0);
    gap_packet_unref(pack_updates(&w.p, 0));
    feed_message(12);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12\n");
    world_fini(&w);
}
END_TEST

/* Every method that is answered by messages.affected*, about a channel and about a chat. */
START_TEST(affected_by_any_method)
{
    gap_tl_input_channel_t channel = {7, pack_hash(7)};
    gap_tl_input_peer_channel_t peer = {7, pack_hash(7)};
    gap_tl_messages_affected_history_t history;
    gap_tl_messages_affected_found_messages_t found;
    int32_t pts = 51;

    begin_channel(_i);
    gap_tl_object_t in = gap_tl_of(GAP_TL_INPUT_CHANNEL, &channel);
    gap_tl_object_t at = gap_tl_of(GAP_TL_INPUT_PEER_CHANNEL, &peer);
    memset(&found, 0, sizeof found);
    memset(&history, 0, sizeof history);
    found.messages = gap_tl_array(NULL, 0);
#define ABOUT_CHANNEL(NAME, type, field, value)                                                    \
    do {                                                                                           \
        gap_tl_##type##_t q;                                                                       \
        memset(&q, 0, sizeof q);                                                                   \
        q.field = (value);                                                                         \
        history.pts = pts++;                                                                       \
        history.pts_count = 1;                                                                     \
        result(pack_object(GAP_TL_##NAME, &q),                                                     \
               pack_object(GAP_TL_MESSAGES_AFFECTED_HISTORY, &history), 0);                        \
    } while (0)
    gap_tl_channels_delete_participant_history_t dph;
    memset(&dph, 0, sizeof dph);
    dph.channel = in;
    dph.participant = at;
    history.pts = pts++;
    history.pts_count = 1;
    result(pack_object(GAP_TL_CHANNELS_DELETE_PARTICIPANT_HISTORY, &dph),
           pack_object(GAP_TL_MESSAGES_AFFECTED_HISTORY, &history), 0);
    ABOUT_CHANNEL(CHANNELS_DELETE_TOPIC_HISTORY, channels_delete_topic_history, channel, in);
    ABOUT_CHANNEL(MESSAGES_DELETE_TOPIC_HISTORY, messages_delete_topic_history, peer, at);
    ABOUT_CHANNEL(MESSAGES_DELETE_HISTORY, messages_delete_history, peer, at);
    ABOUT_CHANNEL(MESSAGES_READ_HISTORY, messages_read_history, peer, at);
    ABOUT_CHANNEL(MESSAGES_READ_MENTIONS, messages_read_mentions, peer, at);
    ABOUT_CHANNEL(MESSAGES_READ_REACTIONS, messages_read_reactions, peer, at);
    ABOUT_CHANNEL(MESSAGES_READ_POLL_VOTES, messages_read_poll_votes, peer, at);
    ABOUT_CHANNEL(MESSAGES_UNPIN_ALL_MESSAGES, messages_unpin_all_messages, peer, at);
    feed_channel(7, pts); /* nothing is missing */
    gap_tl_messages_delete_phone_call_history_t calls;
    memset(&calls, 0, sizeof calls);
    found.pts = 12;
    found.pts_count = 2;
    result(pack_object(GAP_TL_MESSAGES_DELETE_PHONE_CALL_HISTORY, &calls),
           pack_object(GAP_TL_MESSAGES_AFFECTED_FOUND_MESSAGES, &found), 0);
    feed_message(13);
    world_run(&w, 10000);
    ck_assert_uint_eq(lines_with("difference"), 0);
    ck_assert_uint_eq(lines_with("[   0] apply 7:60\n"), 1);
    ck_assert_uint_eq(lines_with("[   0] apply 13\n"), 1);
    world_fini(&w);
}
END_TEST

/* ---- size and life ---- */

#define STORED 10000

static unsigned most_in_flight;

static void serve_ten(struct world *world, struct world_call *c, bool due)
{
    unsigned busy = 0;

    if (due) return;
    for (size_t i = 0; i < WORLD_CALLS; i++)
        if (world->calls[i].used && world->calls[i].channel > 0) busy++;
    if (busy > most_in_flight) most_in_flight = busy;
    c->due_us = world->now_us + 50000;
    if (world->trace_len > 4096) world_forget(world);
    if (c->channel > 0) {
        pack_channel_new(&world->p, c->channel, 51);
        c->answer.packet = pack_channel_difference(&world->p, 51, true);
        return;
    }
    /* the first answer names every third channel, and brings who they are */
    for (int32_t id = 3; c->pts == 10 && id <= STORED; id += 3) pack_too_long(&world->p, id, 51);
    c->answer.packet = c->pts == 10 ? pack_difference(&world->p, 11, 5, 1) : pack_empty(1);
}

/* S70 */
START_TEST(ten_thousand_stored_channels)
{
    gap_engine_channel_t *channels = calloc(STORED, sizeof *channels);
    gap_engine_state_t state = {10, 5, 1, PACK_DATE, channels, STORED};
    gap_engine_config_t c;
    gap_engine_counters_t count;

    ck_assert_ptr_nonnull(channels);
    for (int32_t i = 0; i < STORED; i++)
        channels[i] = (gap_engine_channel_t){i + 1, pack_hash(i + 1), 50, false};
    memset(&c, 0, sizeof c);
    c.state = &state;
    world_init(&w, (uint64_t)_i, &c);
    free(channels);
    w.serve = serve_ten;
    most_in_flight = 0;
    gap_engine_start(w.engine);
    world_run(&w, HOUR);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.channel_differences, STORED / 3);
    ck_assert_uint_le(count.differences, 6); /* the start, and the watchdog's */
    ck_assert_uint_eq(most_in_flight, 10);
    ck_assert_uint_eq(count.applied, STORED / 3);
    ck_assert_uint_eq(count.active, 0);
    w.serve = NULL;
    world_fini(&w);
}
END_TEST

/* S73 */
START_TEST(limits_of_bots_and_users)
{
    for (int bot = 0; bot < 2; bot++) {
        gap_engine_config_t c;
        memset(&c, 0, sizeof c);
        c.bot = bot != 0;
        begin_with(_i, &c);
        feed_channel(7, 50);
        feed_channel(7, 52);
        world_run(&w, 600);
        ck_assert_int_eq(w.calls[0].limit, bot ? 100000 : 100);
        world_fini(&w);
    }
}
END_TEST

/* Close waits for handlers that go on, and not for more. */
START_TEST(close_waits_for_later)
{
    gap_update_t *last;

    begin(_i);
    w.verdict = GAP_LATER;
    feed_message(11);
    feed_channel(7, 50);
    world_run(&w, 10);
    ck_assert_uint_eq(w.later_count, 2);
    last = w.later[0];
    w.later[0] = w.later[1];
    w.later_count = 1;
    world_close(&w); /* finishes the other one */
    world_run(&w, 1000);
    ck_assert(!w.closed);
    gap_update_failed(last, GAP_E_NOMEM); /* nobody is told any more */
    world_run(&w, 2000);
    ck_assert(w.closed);
    ck_assert_uint_eq(lines_with("handler failed"), 0);
    world_fini(&w);
}
END_TEST

/* Bursts with losses: one difference for each gap that did not heal. */
START_TEST(questions_per_gap)
{
    gap_engine_counters_t count;
    int32_t pts = 11;

    begin(_i);
    for (int burst = 0; burst < 20; burst++) {
        int32_t lost = pts + 2;
        for (int32_t i = 0; i < 10; i++, pts++)
            if (pts != lost && pts != lost + 3) feed_message(pts);
        pack_new(&w.p, lost);
        for (int32_t id = lost + 1; id <= lost + 3; id++) pack_new(&w.p, id);
        world_answer(&w, 20, pack_difference(&w.p, lost + 3, 5, 1));
        world_run(&w, (uint64_t)(burst + 1) * 1000);
    }
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.differences, 21);
    ck_assert_uint_eq(count.applied, 200);
    ck_assert_uint_eq(count.gaps, 20);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_trials");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, access_lost_by_any_name, 0, SEEDS);
    tcase_add_loop_test(t, channel_errors_back_off, 0, SEEDS);
    tcase_add_loop_test(t, stored_position_too_new, 0, SEEDS);
    tcase_add_loop_test(t, held_updates_survive_a_jump, 0, SEEDS);
    tcase_add_loop_test(t, state_without_pts, 0, SEEDS);
    tcase_add_loop_test(t, unknown_constructor_in_a_container, 0, SEEDS);
    tcase_add_loop_test(t, hostile_server, 0, 2 * HOSTILES);
    tcase_add_loop_test(t, short_chat_message, 0, SEEDS);
    tcase_add_loop_test(t, unknown_peers, 0, SEEDS);
    tcase_add_loop_test(t, service_message_of_a_stranger, 0, SEEDS);
    tcase_add_loop_test(t, held_updates_keep_their_peers, 0, SEEDS);
    tcase_add_loop_test(t, invited_users, 0, SEEDS);
    tcase_add_loop_test(t, affected_by_any_method, 0, SEEDS);
    tcase_add_loop_test(t, ten_thousand_stored_channels, 0, 2);
    tcase_add_loop_test(t, limits_of_bots_and_users, 0, SEEDS);
    tcase_add_loop_test(t, close_waits_for_later, 0, SEEDS);
    tcase_add_loop_test(t, questions_per_gap, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
