/*
 * tests/unit/test_dc_calls.c - the calls of the simulated world, its ledger, its traffic: what
 * random_id does, which errors come, that the same seed gives the same bytes, that running out of
 * memory harms nothing.
 */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "base/prng.h"
#include "dc/ledger.h"
#include "dc/model.h"
#include "dc/traffic.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

#define BOT      5555
#define USER     DC_USER_ID_FIRST
#define CHANNEL  DC_CHANNEL_ID_FIRST
#define GROUP    DC_CHAT_ID_FIRST
#define START_US 1700000000000000

static dc_model_t *m;
static dc_view_t view = {BOT, 227, 0};
static dc_answer_t answer;
static gap_buf_t request;

static gap_tl_input_peer_user_t user_peer;
static gap_tl_input_peer_chat_t group_peer = {GROUP};
static gap_tl_input_peer_channel_t channel_peer;
static gap_tl_input_channel_t channel_input;
static gap_tl_object_t to_user;
static gap_tl_object_t to_group;
static gap_tl_object_t to_channel;

static dc_options_t small_world(void)
{
    dc_options_t o;

    dc_options_init(&o);
    o.channels = 4;
    o.users = 3;
    o.groups = 2;
    return o;
}

static void setup(void)
{
    dc_options_t o = small_world();

    ck_assert_int_eq(dc_model_new(gap_alloc_default(), &o, &m), 0);
    ck_assert_int_eq(dc_model_account(m, BOT, true, START_US), 0);
    dc_answer_init(&answer, gap_alloc_default());
    gap_buf_init(&request, gap_alloc_default());
    user_peer.user_id = USER;
    user_peer.access_hash = dc_model_access_hash(m, BOT, (dc_peer_t){DC_USER, USER});
    channel_peer.channel_id = channel_input.channel_id = CHANNEL;
    channel_peer.access_hash = channel_input.access_hash =
        dc_model_access_hash(m, BOT, (dc_peer_t){DC_CHANNEL, CHANNEL});
    to_user = GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &user_peer);
    to_group = GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, &group_peer);
    to_channel = GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &channel_peer);
}

static void teardown(void)
{
    dc_model_free(m);
    dc_answer_fini(&answer);
    gap_buf_fini(&request);
}

static gap_bytes_t written(uint32_t id, const void *method)
{
    gap_tl_object_t o = gap_tl_of(id, method);
    int64_t size = gap_tl_size(o);

    ck_assert_int_gt(size, 0);
    gap_buf_clear(&request);
    ck_assert_int_eq(gap_buf_reserve(&request, (size_t)size), 0);
    ck_assert_int_eq(gap_tl_write(o, request.data, (size_t)size), size);
    return gap_bytes(request.data, (size_t)size);
}

static int call(uint32_t id, const void *method)
{
    return dc_model_call(m, &view, written(id, method), START_US, &answer);
}

static void expect_error(int r, int32_t code, const char *error)
{
    ck_assert_msg(r == DC_RPC_ERROR, "no error, but %s expected", error);
    ck_assert_str_eq(answer.error, error);
    ck_assert_int_eq(answer.error_code, code);
    ck_assert_uint_eq(gap_buf_view(&answer.body).len, 0);
}

static uint32_t body_id(void)
{
    gap_bytes_t b = gap_buf_view(&answer.body);

    ck_assert_int_eq(gap_tl_skip(b), (int64_t)b.len);
    return gap_load32(b.data);
}

#define BODY(id, out)                                                                              \
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&answer.body), id, out, sizeof *(out)), 0)

static int send(gap_tl_object_t peer, const char *text, int64_t random_id)
{
    gap_tl_messages_send_message_t q = {
        .peer = peer, .message = gap_str(text), .random_id = random_id};
    return call(GAP_TL_MESSAGES_SEND_MESSAGE, &q);
}

static int32_t common_pts(void)
{
    int32_t pts = 0;
    int32_t qts = 0;

    ck_assert_int_eq(dc_model_state(m, BOT, &pts, &qts), 0);
    return pts;
}

/* --- sending ------------------------------------------------------------------------------- */

START_TEST(test_send_to_a_user_answers_short)
{
    gap_tl_update_short_sent_message_t s;
    dc_event_t e;

    ck_assert_int_eq(send(to_user, "hello", 77), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATE_SHORT_SENT_MESSAGE);
    BODY(GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &s);
    ck_assert_int_eq(s.id, 1);
    ck_assert_int_eq(s.pts, 2);
    ck_assert_int_eq(s.pts_count, 1);
    ck_assert_uint_eq(answer.first_n, 1);
    ck_assert_uint_eq(answer.count, 1);
    dc_model_event(m, 1, &e);
    ck_assert(e.out);
    ck_assert(e.from == BOT);
    ck_assert(e.random_id == 77);
    ck_assert(gap_bytes_equal(e.text, gap_str("hello")));
}
END_TEST

static void expect_sent(uint32_t update_id, int32_t id, int64_t random_id, int32_t pts,
                        int32_t pts_count)
{
    gap_tl_updates_t u;
    gap_tl_object_t o;
    gap_tl_update_message_id_t mid;
    gap_tl_update_new_message_t nm; /* updateNewChannelMessage has the same fields */
    gap_tl_message_t msg;

    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES);
    BODY(GAP_TL_UPDATES, &u);
    gap_tl_iter_t it = gap_tl_iter(u.updates);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_MESSAGE_ID, &mid), 0);
    ck_assert_int_eq(mid.id, id);
    ck_assert(mid.random_id == random_id);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(gap_tl_read(gap_tl_bytes(o), update_id, &nm, sizeof nm), 0);
    ck_assert_int_eq(nm.pts, pts);
    ck_assert_int_eq(nm.pts_count, pts_count);
    ck_assert_int_gt(GAP_TL_READ(nm.message, GAP_TL_MESSAGE, &msg), 0);
    ck_assert_int_eq(msg.id, id);
    ck_assert((msg.flags & GAP_TL_MESSAGE_F_OUT) != 0);
    ck_assert_uint_eq(u.users.count, 1);
    ck_assert_uint_eq(u.chats.count, 1);
}

START_TEST(test_random_id_is_remembered_for_ever)
{
    ck_assert_int_eq(send(to_group, "one", 77), 0);
    expect_sent(GAP_TL_UPDATE_NEW_MESSAGE, 1, 77, 2, 1);
    ck_assert_int_eq(send(to_group, "two", 78), 0);
    expect_sent(GAP_TL_UPDATE_NEW_MESSAGE, 2, 78, 3, 1);
    /* The same again, whatever the text: the first message, and nothing happens. */
    ck_assert_int_eq(send(to_group, "other", 77), 0);
    expect_sent(GAP_TL_UPDATE_NEW_MESSAGE, 1, 77, 3, 0);
    ck_assert_uint_eq(answer.count, 0);
    ck_assert_uint_eq(dc_model_event_count(m), 2);
    ck_assert_int_eq(common_pts(), 3);
    /* To another peer it is another message. */
    ck_assert_int_eq(send(to_channel, "one", 77), 0);
    expect_sent(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, 1, 77, 2, 1);
    ck_assert_int_eq(send(to_channel, "one", 77), 0);
    expect_sent(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, 1, 77, 2, 0);
    ck_assert_uint_eq(dc_model_event_count(m), 3);
}
END_TEST

START_TEST(test_sent_messages_come_with_their_random_id_in_a_difference)
{
    gap_tl_updates_get_difference_t q = {.pts = 1, .qts = 1, .date = 1};
    gap_tl_updates_difference_t d;
    gap_tl_update_message_id_t mid;
    gap_tl_object_t o;

    ck_assert_int_eq(send(to_group, "one", 77), 0);
    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 0);
    BODY(GAP_TL_UPDATES_DIFFERENCE, &d);
    ck_assert_uint_eq(d.new_messages.count, 1);
    gap_tl_iter_t it = gap_tl_iter(d.other_updates);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_MESSAGE_ID, &mid), 0);
    ck_assert(mid.random_id == 77);
}
END_TEST

START_TEST(test_send_errors)
{
    static char long_text[DC_TEXT_CHARS_MAX + 2];
    gap_tl_input_peer_self_t self = {0};
    gap_tl_input_peer_channel_t wrong = {CHANNEL, 12345};
    gap_tl_input_peer_channel_t nowhere = {CHANNEL + 50, 0};
    gap_tl_input_peer_user_t wrong_user = {USER, 1};
    gap_tl_input_peer_user_t a_bot = {BOT, 0};
    gap_tl_input_peer_chat_t nobody = {GROUP + 9};

    memset(long_text, 'x', sizeof long_text - 1);
    expect_error(send(to_user, "", 1), 400, "MESSAGE_EMPTY");
    expect_error(send(to_user, long_text, 1), 400, "MESSAGE_TOO_LONG");
    expect_error(send(to_user, "\xff", 1), 400, "INPUT_FETCH_ERROR");
    expect_error(send(to_user, "\xed\xa0\x80", 1), 400, "INPUT_FETCH_ERROR");
    expect_error(send(to_user, "x", 0), 400, "RANDOM_ID_EMPTY");
    expect_error(send(GAP_TL_OF(GAP_TL_INPUT_PEER_SELF, &self), "x", 1), 400, "PEER_ID_INVALID");
    expect_error(send(GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &wrong), "x", 1), 400,
                 "CHANNEL_INVALID");
    expect_error(send(GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &nowhere), "x", 1), 400,
                 "CHANNEL_INVALID");
    expect_error(send(GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &wrong_user), "x", 1), 400,
                 "PEER_ID_INVALID");
    expect_error(send(GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &a_bot), "x", 1), 400, "USER_IS_BOT");
    expect_error(send(GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, &nobody), "x", 1), 400, "CHAT_ID_INVALID");
    ck_assert_int_eq(dc_model_leave(m, BOT, CHANNEL), 0);
    expect_error(send(to_channel, "x", 1), 400, "CHANNEL_PRIVATE");
    ck_assert(answer.channel == CHANNEL);
    ck_assert_int_eq(dc_model_join(m, BOT, CHANNEL), 0);
    ck_assert_int_eq(send(to_channel, "x", 1), 0);
    ck_assert_uint_eq(dc_model_event_count(m), 1);
}
END_TEST

static int edit(gap_tl_object_t peer, int32_t id, const char *text)
{
    gap_tl_messages_edit_message_t q = {.flags = GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE,
                                        .peer = peer,
                                        .id = id,
                                        .message = gap_str(text)};
    return call(GAP_TL_MESSAGES_EDIT_MESSAGE, &q);
}

START_TEST(test_edit)
{
    dc_spec_t theirs = {
        .kind = DC_NEW_MESSAGE, .account = BOT, .chat = {DC_USER, USER}, .text = gap_str("t")};
    gap_tl_update_edit_message_t u;
    gap_tl_updates_t updates;
    gap_tl_object_t o;
    uint32_t n;

    ck_assert_int_eq(send(to_user, "mine", 1), 0);
    ck_assert_int_eq(dc_model_add(m, &theirs, START_US, &n), 0);
    expect_error(edit(to_user, 3, "x"), 400, "MESSAGE_ID_INVALID");
    expect_error(edit(to_group, 1, "x"), 400, "MESSAGE_ID_INVALID");
    expect_error(edit(to_user, 2, "x"), 403, "MESSAGE_AUTHOR_REQUIRED");
    expect_error(edit(to_user, 1, "mine"), 400, "MESSAGE_NOT_MODIFIED");
    expect_error(edit(to_user, 1, ""), 400, "MESSAGE_EMPTY");
    ck_assert_int_eq(edit(to_user, 1, "mine too"), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES);
    BODY(GAP_TL_UPDATES, &updates);
    gap_tl_iter_t it = gap_tl_iter(updates.updates);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_EDIT_MESSAGE, &u), 0);
    ck_assert_int_eq(u.pts, 4);
    ck_assert_int_eq(u.pts_count, 1);
    expect_error(edit(to_user, 1, "mine too"), 400, "MESSAGE_NOT_MODIFIED");
}
END_TEST

static void expect_affected(int r, int32_t pts, int32_t count)
{
    gap_tl_messages_affected_messages_t a;

    ck_assert_int_eq(r, 0);
    BODY(GAP_TL_MESSAGES_AFFECTED_MESSAGES, &a);
    ck_assert_int_eq(a.pts, pts);
    ck_assert_int_eq(a.pts_count, count);
}

START_TEST(test_delete_and_read)
{
    static const int32_t ids[] = {1, 2, 2, 9};
    gap_tl_messages_delete_messages_t del = {.id = gap_tl_array(ids, 4)};
    gap_tl_channels_delete_messages_t channel_del = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel_input), .id = gap_tl_array(ids, 4)};
    gap_tl_messages_read_history_t read = {.peer = to_group, .max_id = 100};
    dc_event_t e;

    ck_assert_int_eq(send(to_user, "a", 1), 0);
    ck_assert_int_eq(send(to_group, "b", 2), 0);
    ck_assert_int_eq(send(to_group, "c", 3), 0);
    expect_affected(call(GAP_TL_MESSAGES_READ_HISTORY, &read), 5, 1);
    expect_affected(call(GAP_TL_MESSAGES_READ_HISTORY, &read), 5, 0);
    expect_affected(call(GAP_TL_MESSAGES_DELETE_MESSAGES, &del), 7, 2);
    dc_model_event(m, answer.first_n, &e);
    ck_assert_uint_eq(e.ids_count, 2);
    ck_assert_int_eq(e.chat.type, DC_NOBODY); /* of two chats */
    expect_affected(call(GAP_TL_MESSAGES_DELETE_MESSAGES, &del), 7, 0);
    ck_assert_uint_eq(answer.count, 0);
    ck_assert_int_eq(send(to_channel, "d", 4), 0);
    expect_affected(call(GAP_TL_CHANNELS_DELETE_MESSAGES, &channel_del), 3, 1);
    ck_assert(answer.channel == CHANNEL);
    expect_error(edit(to_group, 2, "x"), 400, "MESSAGE_ID_INVALID");
    /* A send whose message is gone still answers with its id, and sends nothing. */
    ck_assert_int_eq(send(to_channel, "d", 4), 0);
    ck_assert_uint_eq(answer.count, 0);
}
END_TEST

START_TEST(test_pin_and_answer)
{
    gap_tl_messages_update_pinned_message_t pin = {.peer = to_channel, .id = 1};
    gap_tl_messages_set_bot_callback_answer_t reply = {.query_id = 5};
    dc_event_t e;

    expect_error(call(GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &pin), 400, "MESSAGE_ID_INVALID");
    ck_assert_int_eq(send(to_channel, "a", 1), 0);
    ck_assert_int_eq(call(GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &pin), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_UPDATES);
    dc_model_event(m, answer.first_n, &e);
    ck_assert_int_eq(e.kind, DC_PIN);
    ck_assert(e.pinned);
    ck_assert_int_eq(e.pts, 3);
    ck_assert_int_eq(call(GAP_TL_MESSAGES_SET_BOT_CALLBACK_ANSWER, &reply), 0);
    ck_assert_uint_eq(gap_load32(gap_buf_view(&answer.body).data), GAP_MT_BOOL_TRUE);
}
END_TEST

/* --- looking ------------------------------------------------------------------------------- */

static uint32_t count_messages(uint32_t id)
{
    gap_tl_messages_messages_t plain;
    gap_tl_messages_channel_messages_t channel;

    ck_assert_uint_eq(body_id(), id);
    if (id == GAP_TL_MESSAGES_MESSAGES) {
        BODY(id, &plain);
        return plain.messages.count;
    }
    BODY(id, &channel);
    return channel.messages.count;
}

START_TEST(test_looking_at_messages)
{
    gap_tl_messages_get_history_t history = {.peer = to_group, .limit = 10};
    gap_tl_input_message_id_t one = {1};
    gap_tl_input_message_id_t ten = {10};
    gap_tl_object_t ids[] = {GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ID, &one),
                             GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ID, &ten)};
    gap_tl_messages_get_messages_t get = {.id = gap_tl_array(ids, 2)};
    gap_tl_channels_get_messages_t channel_get = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel_input), .id = gap_tl_array(ids, 2)};
    gap_tl_input_peer_empty_t empty = {0};
    gap_tl_messages_get_dialogs_t dialogs = {
        .offset_peer = GAP_TL_OF(GAP_TL_INPUT_PEER_EMPTY, &empty), .limit = 20};
    gap_tl_messages_dialogs_t d;

    ck_assert_int_eq(send(to_group, "a", 1), 0);
    ck_assert_int_eq(send(to_user, "b", 2), 0);
    ck_assert_int_eq(send(to_group, "c", 3), 0);
    ck_assert_int_eq(send(to_channel, "d", 4), 0);
    ck_assert_int_eq(call(GAP_TL_MESSAGES_GET_HISTORY, &history), 0);
    ck_assert_uint_eq(count_messages(GAP_TL_MESSAGES_MESSAGES), 2);
    history.offset_id = 3;
    ck_assert_int_eq(call(GAP_TL_MESSAGES_GET_HISTORY, &history), 0);
    ck_assert_uint_eq(count_messages(GAP_TL_MESSAGES_MESSAGES), 1);
    history.offset_id = 0;
    history.peer = to_channel;
    ck_assert_int_eq(call(GAP_TL_MESSAGES_GET_HISTORY, &history), 0);
    ck_assert_uint_eq(count_messages(GAP_TL_MESSAGES_CHANNEL_MESSAGES), 1);
    ck_assert_int_eq(call(GAP_TL_MESSAGES_GET_MESSAGES, &get), 0);
    ck_assert_uint_eq(count_messages(GAP_TL_MESSAGES_MESSAGES), 2);
    ck_assert_int_eq(call(GAP_TL_CHANNELS_GET_MESSAGES, &channel_get), 0);
    ck_assert_uint_eq(count_messages(GAP_TL_MESSAGES_CHANNEL_MESSAGES), 2);
    ck_assert_int_eq(call(GAP_TL_MESSAGES_GET_DIALOGS, &dialogs), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_MESSAGES_DIALOGS);
    BODY(GAP_TL_MESSAGES_DIALOGS, &d);
    ck_assert_uint_eq(d.dialogs.count, 3);
    ck_assert_uint_eq(d.messages.count, 3);
}
END_TEST

START_TEST(test_looking_at_peers)
{
    gap_tl_input_user_self_t self = {0};
    gap_tl_object_t users[] = {GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &self)};
    gap_tl_users_get_users_t get_users = {.id = gap_tl_array(users, 1)};
    gap_tl_object_t channels[] = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel_input)};
    gap_tl_channels_get_channels_t get_channels = {.id = gap_tl_array(channels, 1)};
    static const struct {
        const char *name;
        int64_t user;
        int64_t channel;
    } names[] = {{"user2", USER + 1, 0},  {"Channel3", 0, CHANNEL + 2},
                 {"bot5555_bot", BOT, 0}, {"user0", 0, 0},
                 {"user4", 0, 0},         {"channel99", 0, 0},
                 {"channel", 0, 0},       {"user99999999999999999999", 0, 0}};
    gap_tl_user_t user;

    ck_assert_int_eq(call(GAP_TL_USERS_GET_USERS, &get_users), 0);
    gap_bytes_t b = gap_buf_view(&answer.body);
    ck_assert_uint_eq(gap_load32(b.data), GAP_TL_VECTOR);
    ck_assert_uint_eq(gap_load32(b.data + 4), 1);
    gap_bytes_t first = gap_bytes(b.data + 8, b.len - 8);
    ck_assert_int_eq(gap_tl_read(first, GAP_TL_USER, &user, sizeof user), (int64_t)first.len);
    ck_assert(user.id == BOT);
    ck_assert((user.flags & GAP_TL_USER_F_SELF) != 0);
    ck_assert((user.flags & GAP_TL_USER_F_BOT) != 0);
    ck_assert_int_eq(call(GAP_TL_CHANNELS_GET_CHANNELS, &get_channels), 0);
    ck_assert_uint_eq(body_id(), GAP_TL_MESSAGES_CHATS);
    for (size_t i = 0; i < GAP_ARRAY_LEN(names); i++) {
        gap_tl_contacts_resolve_username_t q = {.username = gap_str(names[i].name)};
        int r = call(GAP_TL_CONTACTS_RESOLVE_USERNAME, &q);
        if (names[i].user == 0 && names[i].channel == 0) {
            expect_error(r, 400, "USERNAME_NOT_OCCUPIED");
            continue;
        }
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(body_id(), GAP_TL_CONTACTS_RESOLVED_PEER);
        ck_assert_uint_eq(gap_load32(gap_buf_view(&answer.body).data + 4),
                          names[i].user != 0 ? GAP_TL_PEER_USER : GAP_TL_PEER_CHANNEL);
        ck_assert((int64_t)gap_load64(gap_buf_view(&answer.body).data + 8) ==
                  names[i].user + names[i].channel);
    }
}
END_TEST

START_TEST(test_errors_of_the_update_calls)
{
    gap_tl_updates_get_difference_t q = {.pts = 0, .qts = 1, .date = 1};
    gap_tl_channel_messages_filter_empty_t filter = {0};
    gap_tl_updates_get_channel_difference_t c = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel_input),
        .filter = GAP_TL_OF(GAP_TL_CHANNEL_MESSAGES_FILTER_EMPTY, &filter),
        .limit = 100};
    gap_tl_help_get_config_t config = {0};
    static const uint8_t junk[12] = {0x62, 0x8f, 0xf4, 0xfe, 1, 2, 3, 4};

    expect_error(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 400, "PERSISTENT_TIMESTAMP_EMPTY");
    q.pts = 1;
    q.date = 0;
    expect_error(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 400, "DATE_EMPTY");
    expect_error(call(GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &c), 400,
                 "PERSISTENT_TIMESTAMP_EMPTY");
    c.pts = 1;
    c.limit = 0;
    expect_error(call(GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &c), 400, "LIMIT_INVALID");
    ck_assert_int_eq(dc_model_leave(m, BOT, CHANNEL), 0);
    expect_error(call(GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &c), 400, "CHANNEL_PRIVATE");
    ck_assert_int_eq(call(GAP_TL_HELP_GET_CONFIG, &config), DC_NOT_MINE);
    ck_assert_str_eq(answer.method, "help.getConfig");
    expect_error(dc_model_call(m, &view, gap_bytes(junk, 2), START_US, &answer), 400,
                 "INPUT_FETCH_ERROR");
    expect_error(dc_model_call(m, &view, gap_bytes(junk, sizeof junk), START_US, &answer), 400,
                 "INPUT_FETCH_ERROR");
}
END_TEST

/* --- the ledger ---------------------------------------------------------------------------- */

static char lines[8192];
static size_t lines_len;

static int keep_line(void *data, const char *line, size_t len)
{
    (void)data;
    ck_assert_uint_lt(lines_len + len, sizeof lines);
    memcpy(lines + lines_len, line, len);
    lines_len += len;
    lines[lines_len] = '\0';
    return 0;
}

static void log_event(dc_ledger_t *l, const dc_spec_t *spec)
{
    dc_event_t e;
    uint32_t n;

    ck_assert_int_eq(dc_model_add(m, spec, START_US, &n), 0);
    dc_model_event(m, n, &e);
    ck_assert_int_eq(dc_ledger_event(l, &e, 5), 0);
}

START_TEST(test_ledger_lines)
{
    static const int32_t ids[] = {1, 2};
    dc_peer_t user = {DC_USER, USER};
    dc_peer_t channel = {DC_CHANNEL, CHANNEL};
    dc_ledger_t l;

    lines_len = 0;
    dc_ledger_init(&l, gap_alloc_default(), keep_line, NULL);
    log_event(&l, &(dc_spec_t){.kind = DC_NEW_MESSAGE,
                               .account = BOT,
                               .chat = user,
                               .text = gap_str("a \"b\"\\\n\x01\xc3\xa9")});
    log_event(&l, &(dc_spec_t){
                      .kind = DC_NEW_MESSAGE, .chat = channel, .from = USER, .text = gap_str("c")});
    log_event(&l, &(dc_spec_t){
                      .kind = DC_NEW_MESSAGE, .chat = channel, .from = USER, .text = gap_str("d")});
    log_event(
        &l, &(dc_spec_t){.kind = DC_EDIT_MESSAGE, .chat = channel, .id = 2, .text = gap_str("e")});
    log_event(&l, &(dc_spec_t){.kind = DC_PIN, .chat = channel, .id = 2, .pinned = true});
    log_event(
        &l, &(dc_spec_t){.kind = DC_DELETE_MESSAGES, .chat = channel, .ids = ids, .ids_count = 2});
    log_event(&l, &(dc_spec_t){.kind = DC_READ, .account = BOT, .chat = user, .id = 1});
    log_event(&l, &(dc_spec_t){.kind = DC_QTS,
                               .account = BOT,
                               .chat = channel,
                               .from = USER,
                               .qts = DC_QTS_CHANNEL_PARTICIPANT});
    log_event(&l, &(dc_spec_t){.kind = DC_STATUS, .account = BOT, .chat = user});
    ck_assert_int_eq(dc_ledger_push(&l, 3, BOT, DC_DROPPED, 6), 0);
    dc_ledger_call_t c = {.account = BOT, .channel = CHANNEL, .error = "CHANNEL_PRIVATE"};
    c.method = "updates.getChannelDifference";
    ck_assert_int_eq(dc_ledger_call(&l, &c, 7), 0);
    l.dc = 4;
    ck_assert_int_eq(dc_ledger_call(&l, &(dc_ledger_call_t){.account = BOT}, 8), 0);
    ck_assert_str_eq(
        lines,
        "{\"n\":1,\"kind\":\"new_message\",\"account\":5555,\"box\":\"common\",\"pts\":2,"
        "\"pts_count\":1,\"chat\":\"user:870000000001\",\"from\":870000000001,\"id\":1,"
        "\"text\":\"a \\\"b\\\"\\\\\\n\\u0001\xc3\xa9\",\"t_us\":5}\n"
        "{\"n\":2,\"kind\":\"new_message\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":2,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"from\":870000000001,"
        "\"id\":1,\"text\":\"c\",\"t_us\":5}\n"
        "{\"n\":3,\"kind\":\"new_message\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":3,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"from\":870000000001,"
        "\"id\":2,\"text\":\"d\",\"t_us\":5}\n"
        "{\"n\":4,\"kind\":\"edit_message\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":4,\"pts_count\":1,\"chat\":\"channel:4200000001\",\"id\":2,\"text\":\"e\","
        "\"t_us\":5}\n"
        "{\"n\":5,\"kind\":\"pin\",\"account\":null,\"box\":\"channel:4200000001\",\"pts\":5,"
        "\"pts_count\":1,\"chat\":\"channel:4200000001\",\"id\":2,\"ids\":[2],\"pinned\":true,"
        "\"t_us\":5}\n"
        "{\"n\":6,\"kind\":\"delete_messages\",\"account\":null,\"box\":\"channel:4200000001\","
        "\"pts\":7,\"pts_count\":2,\"chat\":\"channel:4200000001\",\"ids\":[1,2],\"t_us\":5}\n"
        "{\"n\":7,\"kind\":\"read\",\"account\":5555,\"box\":\"common\",\"pts\":3,"
        "\"pts_count\":1,\"chat\":\"user:870000000001\",\"from\":870000000001,\"max_id\":1,"
        "\"outbox\":false,\"t_us\":5}\n"
        "{\"n\":8,\"kind\":\"qts\",\"account\":5555,\"box\":\"qts\",\"pts\":2,\"pts_count\":1,"
        "\"chat\":\"channel:4200000001\",\"from\":870000000001,"
        "\"qts\":\"updateChannelParticipant\",\"t_us\":5}\n"
        "{\"n\":9,\"kind\":\"status\",\"account\":5555,\"box\":\"none\",\"pts\":0,"
        "\"pts_count\":0,\"chat\":\"user:870000000001\",\"from\":870000000001,\"t_us\":5}\n"
        "{\"kind\":\"push\",\"n\":3,\"account\":5555,\"fate\":\"dropped\",\"t_us\":6}\n"
        "{\"kind\":\"call\",\"account\":5555,\"method\":\"updates.getChannelDifference\","
        "\"channel\":4200000001,\"t_us\":7,\"error\":\"CHANNEL_PRIVATE\"}\n"
        "{\"kind\":\"call\",\"account\":5555,\"method\":\"\",\"dc\":4,\"t_us\":8}\n");
    dc_ledger_fini(&l);
}
END_TEST

START_TEST(test_ledger_of_a_difference)
{
    dc_peer_t user = {DC_USER, USER};
    gap_tl_updates_get_difference_t q = {.pts = 1, .qts = 1, .date = 1};
    dc_ledger_t l;

    lines_len = 0;
    dc_ledger_init(&l, gap_alloc_default(), NULL, NULL);
    log_event(&l, &(dc_spec_t){.kind = DC_NEW_MESSAGE, .account = BOT, .chat = user});
    log_event(&l, &(dc_spec_t){.kind = DC_EDIT_MESSAGE, .account = BOT, .chat = user, .id = 1});
    log_event(&l, &(dc_spec_t){.kind = DC_EDIT_MESSAGE, .account = BOT, .chat = user, .id = 1});
    log_event(&l, &(dc_spec_t){.kind = DC_QTS, .account = BOT, .chat = user});
    ck_assert_uint_eq(lines_len, 0);
    l.write = keep_line;
    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_DIFFERENCE, &q), 0);
    ck_assert_int_eq(dc_ledger_difference(&l, BOT, &answer), 0);
    ck_assert_str_eq(lines, "{\"kind\":\"difference\",\"account\":5555,\"box\":\"common\","
                            "\"from\":1,\"to\":4,\"folded\":[2,3]}\n"
                            "{\"kind\":\"difference\",\"account\":5555,\"box\":\"qts\","
                            "\"from\":1,\"to\":2,\"folded\":[]}\n");
    dc_ledger_fini(&l);
}
END_TEST

/* --- traffic ------------------------------------------------------------------------------- */

START_TEST(test_kinds)
{
    uint32_t set = 0;

    ck_assert_int_eq(dc_kinds_parse("new_message", &set), 0);
    ck_assert_uint_eq(set, 1U << DC_NEW_MESSAGE);
    ck_assert_int_eq(dc_kinds_parse("status,qts,pin", &set), 0);
    ck_assert_uint_eq(set, 1U << DC_STATUS | 1U << DC_QTS | 1U << DC_PIN);
    ck_assert_int_eq(dc_kinds_parse("", &set), GAP_E_ARGUMENT);
    ck_assert_int_eq(dc_kinds_parse("pin,", &set), GAP_E_ARGUMENT);
    ck_assert_int_eq(dc_kinds_parse("pins", &set), GAP_E_ARGUMENT);
}
END_TEST

/* A hash over every push and every event of one run. */
static uint64_t run_hash(uint64_t seed, uint32_t kinds, uint32_t events, uint32_t *counts)
{
    dc_options_t o = small_world();
    dc_traffic_options_t to = {seed, events, kinds};
    uint64_t hash = 14695981039346656037U;
    dc_model_t *world = NULL;
    dc_traffic_t traffic;
    gap_buf_t buf;
    uint32_t n;

    o.seed = seed;
    ck_assert_int_eq(dc_model_new(gap_alloc_default(), &o, &world), 0);
    ck_assert_int_eq(dc_model_account(world, BOT, true, START_US), 0);
    ck_assert_int_eq(dc_model_account(world, BOT + 1, true, START_US), 0);
    gap_buf_init(&buf, gap_alloc_default());
    dc_traffic_init(&traffic, &to);
    while (dc_traffic_next(&traffic, world, START_US, &n) == 0) {
        dc_event_t e;
        dc_model_event(world, n, &e);
        counts[e.kind]++;
        for (int64_t account = BOT; account <= BOT + 1; account++) {
            dc_view_t v = {account, 227, 0};
            if (!dc_model_receives(world, n, account)) continue;
            gap_buf_clear(&buf);
            ck_assert_int_ge(dc_model_push(world, &v, &n, 1, &buf), 0);
            ck_assert_int_eq(gap_tl_skip(gap_buf_view(&buf)), (int64_t)buf.len);
            for (size_t i = 0; i < buf.len; i++) hash = (hash ^ buf.data[i]) * 1099511628211U;
        }
    }
    gap_buf_fini(&buf);
    ck_assert_uint_eq(dc_model_event_count(world), events);
    dc_model_free(world);
    return hash;
}

START_TEST(test_same_seed_same_bytes)
{
    uint32_t counts[DC_KINDS] = {0};

    uint64_t hash = run_hash(1, DC_KINDS_ALL, 3000, counts);
    for (int k = 0; k < DC_KINDS; k++) ck_assert_uint_gt(counts[k], 60);
    ck_assert(hash == run_hash(1, DC_KINDS_ALL, 3000, counts));
    ck_assert(hash != run_hash(2, DC_KINDS_ALL, 3000, counts));
}
END_TEST

START_TEST(test_traffic_of_some_kinds)
{
    uint32_t counts[DC_KINDS] = {0};

    run_hash(1, 1U << DC_NEW_MESSAGE, 500, counts);
    ck_assert_uint_eq(counts[DC_NEW_MESSAGE], 500);
    memset(counts, 0, sizeof counts);
    run_hash(1, 1U << DC_QTS | 1U << DC_EDIT_MESSAGE, 500, counts);
    ck_assert_uint_eq(counts[DC_NEW_MESSAGE], 0); /* nothing to edit, so all is qts */
    ck_assert_uint_eq(counts[DC_QTS], 500);
}
END_TEST

START_TEST(test_texts_have_the_length_asked_for)
{
    dc_options_t o = small_world();
    dc_spec_t spec = {.kind = DC_NEW_MESSAGE, .account = BOT, .chat = {DC_USER, USER}};
    dc_model_t *world = NULL;
    dc_event_t e;
    uint32_t n;

    o.text_min = o.text_max = 300;
    ck_assert_int_eq(dc_model_new(gap_alloc_default(), &o, &world), 0);
    ck_assert_int_eq(dc_model_account(world, BOT, true, START_US), 0);
    ck_assert_int_eq(dc_model_add(world, &spec, START_US, &n), 0);
    dc_model_event(world, n, &e);
    size_t chars = 0;
    for (size_t i = 0; i < e.text.len; i++) chars += (e.text.data[i] & 0xc0) != 0x80;
    ck_assert_uint_le(chars, 300);
    ck_assert_uint_ge(chars, 285); /* whole words */
    dc_model_free(world);
}
END_TEST

/* --- out of memory ------------------------------------------------------------------------- */

/* A short life of a world: traffic, a push each, differences. Stops at the first failure. */
static int short_life(const gap_alloc_t *alloc)
{
    dc_options_t o = small_world();
    dc_traffic_options_t to = {3, 60, DC_KINDS_ALL};
    gap_tl_updates_get_difference_t q = {.pts = 1, .qts = 1, .date = 1};
    dc_model_t *world = NULL;
    dc_traffic_t traffic;
    dc_answer_t a;
    gap_buf_t buf;
    uint32_t n;

    gap_bytes_t bytes = written(GAP_TL_UPDATES_GET_DIFFERENCE, &q);
    gap_buf_init(&buf, alloc);
    dc_answer_init(&a, alloc);
    int r = dc_model_new(alloc, &o, &world);
    if (r < 0) goto out;
    r = dc_model_account(world, BOT, true, START_US);
    dc_traffic_init(&traffic, &to);
    while (r >= 0) {
        uint32_t before = dc_model_event_count(world);
        r = dc_traffic_next(&traffic, world, START_US, &n);
        if (r == DC_TRAFFIC_DONE) break;
        ck_assert_uint_eq(dc_model_event_count(world), before + (r == 0));
        if (r < 0) break;
        size_t len = buf.len;
        r = dc_model_push(world, &view, &n, 1, &buf);
        if (r < 0) ck_assert_uint_eq(buf.len, len);
    }
    if (r >= 0) r = dc_model_call(world, &view, bytes, START_US, &a);
out:
    dc_answer_fini(&a);
    gap_buf_fini(&buf);
    dc_model_free(world);
    return r;
}

START_TEST(test_every_allocation_may_fail)
{
    struct fault_alloc f;
    long n = 0;

    do {
        fault_alloc_init(&f, ++n);
        int r = short_life(&f.alloc);
        ck_assert_msg(r == (f.calls >= n ? GAP_E_NOMEM : 0), "allocation %ld: %d", n, r);
        ck_assert_msg(f.live == 0, "allocation %ld leaks", n);
    } while (f.calls >= n);
    ck_assert_int_gt(n, 20);
}
END_TEST

/* Requests cut short or with a byte changed never do more than give an error. */
START_TEST(test_damaged_requests)
{
    gap_tl_messages_send_message_t q = {
        .peer = to_user, .message = gap_str("hello"), .random_id = 9};
    gap_bytes_t good = written(GAP_TL_MESSAGES_SEND_MESSAGE, &q);
    gap_prng_t rng = {(uint64_t)_i};
    uint8_t bad[128];

    ck_assert_uint_le(good.len, sizeof bad);
    for (size_t len = 0; len < good.len; len += 4)
        ck_assert_int_eq(dc_model_call(m, &view, gap_bytes(good.data, len), START_US, &answer),
                         DC_RPC_ERROR);
    for (int i = 0; i < 2000; i++) {
        memcpy(bad, good.data, good.len);
        for (int k = 0; k < 3; k++)
            bad[gap_prng_below(&rng, good.len)] = (uint8_t)gap_prng_next(&rng);
        ck_assert_int_ge(dc_model_call(m, &view, gap_bytes(bad, good.len), START_US, &answer), 0);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_calls");
    TCase *tc = tcase_create("calls");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_send_to_a_user_answers_short);
    tcase_add_test(tc, test_random_id_is_remembered_for_ever);
    tcase_add_test(tc, test_sent_messages_come_with_their_random_id_in_a_difference);
    tcase_add_test(tc, test_send_errors);
    tcase_add_test(tc, test_edit);
    tcase_add_test(tc, test_delete_and_read);
    tcase_add_test(tc, test_pin_and_answer);
    tcase_add_test(tc, test_looking_at_messages);
    tcase_add_test(tc, test_looking_at_peers);
    tcase_add_test(tc, test_errors_of_the_update_calls);
    tcase_add_test(tc, test_ledger_lines);
    tcase_add_test(tc, test_ledger_of_a_difference);
    tcase_add_test(tc, test_kinds);
    tcase_add_test(tc, test_same_seed_same_bytes);
    tcase_add_test(tc, test_traffic_of_some_kinds);
    tcase_add_test(tc, test_texts_have_the_length_asked_for);
    tcase_add_test(tc, test_every_allocation_may_fail);
    tcase_add_loop_test(tc, test_damaged_requests, 0, 3);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
