/* tests/unit/test_dc_persons.c - persons in the simulated world: what they see of themselves and of
 * others, names and phones that can be resolved, and peers that are named by a message. */
#include "dc/model.h"
#include "dc/traffic.h"
#include "tests/check_main.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <string.h>

#define BOT      700001
#define PERSON   (DC_PERSON_ID_FIRST + 21234)
#define OTHER    (DC_PERSON_ID_FIRST + 25678)
#define START_US 1700000000000000
#define USERS    6
#define CHANNELS 4

static dc_model_t *m;
static dc_view_t view = {PERSON, 227, 0}; /* whose user is the schema's */
static dc_answer_t answer;
static gap_buf_t request;

static void enter(int64_t id, const char *phone, const char *first, const char *last)
{
    const dc_person_t person = {gap_str(phone), gap_str(first), gap_str(last)};

    ck_assert_int_eq(dc_model_person(m, id, &person, START_US), 0);
    ck_assert_int_eq(dc_model_person(m, id, &person, START_US), 1);
}

static void setup(void)
{
    dc_options_t o;

    dc_options_init(&o);
    o.channels = CHANNELS;
    o.users = USERS;
    o.groups = 2;
    ck_assert_int_eq(dc_model_new(gap_alloc_default(), &o, &m), 0);
    enter(PERSON, "9996621234", "Ada", "Lovelace");
    enter(OTHER, "9996625678", "Bob", "");
    ck_assert_int_eq(dc_model_account(m, BOT, true, START_US), 0);
    dc_answer_init(&answer, gap_alloc_default());
    gap_buf_init(&request, gap_alloc_default());
}

static void teardown(void)
{
    dc_model_free(m);
    dc_answer_fini(&answer);
    gap_buf_fini(&request);
}

static int call(uint32_t id, const void *method)
{
    gap_tl_object_t o = gap_tl_of(id, method);
    int64_t size = gap_tl_size(o);

    ck_assert_int_gt(size, 0);
    gap_buf_clear(&request);
    ck_assert_int_eq(gap_buf_reserve(&request, (size_t)size), 0);
    ck_assert_int_eq(gap_tl_write(o, request.data, (size_t)size), size);
    return dc_model_call(m, &view, gap_bytes(request.data, (size_t)size), START_US, &answer);
}

static void expect_error(int r, int32_t code, const char *error, const char *why)
{
    ck_assert_msg(r == DC_RPC_ERROR, "%s: no error, but %s expected", why, error);
    ck_assert_msg(strcmp(answer.error, error) == 0, "%s: %s", why, answer.error);
    ck_assert_int_eq(answer.error_code, code);
}

static bool is_text(gap_bytes_t text, const char *expected)
{
    return gap_bytes_equal(text, gap_str(expected));
}

/* The only user of users.getUsers for this input. */
static gap_tl_user_t user_of(gap_tl_object_t input)
{
    gap_tl_object_t inputs[1] = {input};
    gap_tl_users_get_users_t q = {gap_tl_array(inputs, 1)};
    gap_tl_user_t user;

    ck_assert_msg(call(GAP_TL_USERS_GET_USERS, &q) == 0, "%s", answer.error);
    gap_bytes_t body = gap_buf_view(&answer.body);
    ck_assert_uint_eq(gap_load32(body.data), GAP_TL_VECTOR);
    ck_assert_uint_eq(gap_load32(body.data + 4), 1);
    ck_assert_int_gt(
        gap_tl_read(gap_bytes(body.data + 8, body.len - 8), GAP_TL_USER, &user, sizeof user), 0);
    return user;
}

static int64_t hash_of(dc_peer_type_t type, int64_t id)
{
    return dc_model_access_hash(m, view.account, (dc_peer_t){type, id});
}

START_TEST(test_a_person_sees_itself_whole)
{
    gap_tl_input_user_self_t self = {0};
    gap_tl_user_t user = user_of(GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &self));

    ck_assert_int_eq(user.id, PERSON);
    ck_assert_uint_eq(user.flags & (GAP_TL_USER_F_BOT | GAP_TL_USER_F_MIN), 0);
    ck_assert_uint_ne(user.flags & GAP_TL_USER_F_SELF, 0);
    ck_assert(is_text(user.first_name, "Ada"));
    ck_assert(is_text(user.last_name, "Lovelace"));
    ck_assert(is_text(user.phone, "9996621234"));
    ck_assert_int_eq(user.access_hash, hash_of(DC_USER, PERSON));
}
END_TEST

START_TEST(test_others_do_not_see_the_phone)
{
    gap_tl_input_user_t other = {OTHER, hash_of(DC_USER, OTHER)};
    gap_tl_user_t user = user_of(GAP_TL_OF(GAP_TL_INPUT_USER, &other));

    ck_assert_int_eq(user.id, OTHER);
    ck_assert(is_text(user.first_name, "Bob"));
    ck_assert_uint_eq(user.flags & (GAP_TL_USER_F_PHONE | GAP_TL_USER_F_LAST_NAME), 0);
}
END_TEST

/* A bot may leave the access hash out, a person may not. */
START_TEST(test_a_person_needs_access_hashes)
{
    gap_tl_input_channel_t channel = {DC_CHANNEL_ID_FIRST, 0};
    gap_tl_object_t inputs[1] = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel)};
    gap_tl_channels_get_channels_t q = {gap_tl_array(inputs, 1)};

    expect_error(call(GAP_TL_CHANNELS_GET_CHANNELS, &q), 400, "CHANNEL_INVALID", "no hash");
    channel.access_hash = hash_of(DC_CHANNEL, DC_CHANNEL_ID_FIRST);
    ck_assert_int_eq(call(GAP_TL_CHANNELS_GET_CHANNELS, &q), 0);
}
END_TEST

static const struct {
    const char *why;
    const char *name;
    const char *error; /* NULL: it is resolved, */
    int64_t id;        /* to this */
} names[] = {
    {"an invented user", "user3", NULL, DC_USER_ID_FIRST + 2},
    {"in another case", "USER3", NULL, DC_USER_ID_FIRST + 2},
    {"a channel", "channel2", NULL, DC_CHANNEL_ID_FIRST + 1},
    {"user:1 of a script", "user1", NULL, DC_USER_ID_FIRST},
    {"channel:1 of a script and of an option", "channel1", NULL, DC_CHANNEL_ID_FIRST},
    {"users are counted from 1", "user0", "USERNAME_NOT_OCCUPIED", 0},
    {"and channels", "channel0", "USERNAME_NOT_OCCUPIED", 0},
    {"a bot", "bot700001_bot", NULL, BOT},
    {"a person", "account860000021234", NULL, PERSON},
    {"there are not so many users", "user99", "USERNAME_NOT_OCCUPIED", 0},
    {"nobody", "somebody_else", "USERNAME_NOT_OCCUPIED", 0},
    {"too short", "abc", "USERNAME_INVALID", 0},
    {"empty", "", "USERNAME_INVALID", 0},
    {"too long", "abcdefghijklmnopqrstuvwxyzabcdefg", "USERNAME_INVALID", 0},
    {"with its sign", "@user3", "USERNAME_INVALID", 0},
    {"begins with a digit", "3user", "USERNAME_INVALID", 0},
    {"a character that no name has", "user-3", "USERNAME_INVALID", 0},
};

START_TEST(test_names)
{
    gap_tl_contacts_resolve_username_t q = {.username = gap_str(names[_i].name)};
    gap_tl_contacts_resolved_peer_t resolved;
    gap_tl_peer_user_t peer;
    int r = call(GAP_TL_CONTACTS_RESOLVE_USERNAME, &q);

    if (names[_i].error != NULL) {
        expect_error(r, 400, names[_i].error, names[_i].why);
        return;
    }
    ck_assert_msg(r == 0, "%s: %s", names[_i].why, answer.error);
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&answer.body), GAP_TL_CONTACTS_RESOLVED_PEER,
                                 &resolved, sizeof resolved),
                     0);
    /* peerUser and peerChannel have the same field */
    ck_assert_int_gt(gap_tl_read(gap_tl_bytes(resolved.peer), resolved.peer.id, &peer, sizeof peer),
                     0);
    ck_assert_int_eq(peer.user_id, names[_i].id);
}
END_TEST

static const struct {
    const char *why;
    const char *phone;
    int64_t id; /* 0: PHONE_NOT_OCCUPIED */
} phones[] = {
    {"its own", "9996621234", PERSON},
    {"somebody else who has signed in", "+99966 2 5678", OTHER},
    {"who has not", "9996621111", 0},
    {"an invented user", "+888 00000004", DC_USER_ID_FIRST + 3},
    {"there are not so many", "88800000099", 0},
    {"a digit too few", "8880000004", 0},
    {"no number", "hello", 0},
    {"nothing", "", 0},
    {"far too long", "888000000048880000000488800000004", 0},
};

START_TEST(test_phones)
{
    gap_tl_contacts_resolve_phone_t q = {gap_str(phones[_i].phone)};
    gap_tl_contacts_resolved_peer_t resolved;
    gap_tl_peer_user_t peer;
    int r = call(GAP_TL_CONTACTS_RESOLVE_PHONE, &q);

    if (phones[_i].id == 0) {
        expect_error(r, 400, "PHONE_NOT_OCCUPIED", phones[_i].why);
        return;
    }
    ck_assert_msg(r == 0, "%s: %s", phones[_i].why, answer.error);
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&answer.body), GAP_TL_CONTACTS_RESOLVED_PEER,
                                 &resolved, sizeof resolved),
                     0);
    ck_assert_int_gt(GAP_TL_READ(resolved.peer, GAP_TL_PEER_USER, &peer), 0);
    ck_assert_int_eq(peer.user_id, phones[_i].id);
}
END_TEST

/* Who was found by a phone comes with it. */
START_TEST(test_resolved_phone_is_told)
{
    gap_tl_contacts_resolve_phone_t q = {gap_str("88800000004")};

    ck_assert_int_eq(call(GAP_TL_CONTACTS_RESOLVE_PHONE, &q), 0);
    gap_bytes_t body = gap_buf_view(&answer.body);
    ck_assert_int_eq(gap_tl_skip(body), (int64_t)body.len);
    ck_assert_ptr_nonnull(memmem(body.data, body.len, "88800000004", 11));
}
END_TEST

/* --- peers named by a message -------------------------------------------------------------- */

static int32_t message_in(dc_peer_t chat, int64_t from)
{
    dc_spec_t spec = {.kind = DC_NEW_MESSAGE,
                      .account = chat.type == DC_CHANNEL ? 0 : PERSON,
                      .chat = chat,
                      .from = from,
                      .text = gap_str("hello")};
    dc_event_t e;
    uint32_t n;

    ck_assert_int_eq(dc_model_add(m, &spec, START_US, &n), 0);
    dc_model_event(m, n, &e);
    return e.id;
}

static int get_named_user(int32_t id, int64_t user)
{
    gap_tl_input_peer_channel_t channel = {DC_CHANNEL_ID_FIRST,
                                           hash_of(DC_CHANNEL, DC_CHANNEL_ID_FIRST)};
    gap_tl_input_user_from_message_t named = {GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &channel), id,
                                              user};
    gap_tl_object_t inputs[1] = {GAP_TL_OF(GAP_TL_INPUT_USER_FROM_MESSAGE, &named)};
    gap_tl_users_get_users_t q = {gap_tl_array(inputs, 1)};

    return call(GAP_TL_USERS_GET_USERS, &q);
}

START_TEST(test_user_named_by_a_message)
{
    const dc_peer_t chat = {DC_CHANNEL, DC_CHANNEL_ID_FIRST};
    int32_t id = message_in(chat, DC_USER_ID_FIRST + 2);

    ck_assert_int_eq(get_named_user(id, DC_USER_ID_FIRST + 2), 0);
    expect_error(get_named_user(id, DC_USER_ID_FIRST + 3), 400, "PEER_ID_INVALID", "somebody else");
    expect_error(get_named_user(id, 12345), 400, "PEER_ID_INVALID", "nobody");
    expect_error(get_named_user(id + 1, DC_USER_ID_FIRST + 2), 400, "MSG_ID_INVALID",
                 "no such message");
    dc_spec_t gone = {.kind = DC_DELETE_MESSAGES, .chat = chat, .ids = &id, .ids_count = 1};
    uint32_t n;
    ck_assert_int_eq(dc_model_add(m, &gone, START_US, &n), 0);
    expect_error(get_named_user(id, DC_USER_ID_FIRST + 2), 400, "MSG_ID_INVALID", "deleted");
}
END_TEST

START_TEST(test_named_user_comes_whole)
{
    int32_t id = message_in((dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST}, DC_USER_ID_FIRST + 2);
    gap_tl_input_peer_channel_t channel = {DC_CHANNEL_ID_FIRST,
                                           hash_of(DC_CHANNEL, DC_CHANNEL_ID_FIRST)};
    gap_tl_input_user_from_message_t named = {GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &channel), id,
                                              DC_USER_ID_FIRST + 2};
    gap_tl_user_t user = user_of(GAP_TL_OF(GAP_TL_INPUT_USER_FROM_MESSAGE, &named));

    ck_assert_int_eq(user.access_hash, hash_of(DC_USER, DC_USER_ID_FIRST + 2));
    ck_assert_uint_eq(user.flags & GAP_TL_USER_F_MIN, 0);
}
END_TEST

START_TEST(test_channel_named_by_a_message)
{
    int32_t id = message_in((dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST}, DC_USER_ID_FIRST);
    gap_tl_input_peer_channel_t peer = {DC_CHANNEL_ID_FIRST,
                                        hash_of(DC_CHANNEL, DC_CHANNEL_ID_FIRST)};
    gap_tl_input_channel_from_message_t named = {GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &peer), id,
                                                 DC_CHANNEL_ID_FIRST};
    gap_tl_object_t inputs[1] = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL_FROM_MESSAGE, &named)};
    gap_tl_channels_get_channels_t q = {gap_tl_array(inputs, 1)};

    ck_assert_int_eq(call(GAP_TL_CHANNELS_GET_CHANNELS, &q), 0);
    named.channel_id++;
    expect_error(call(GAP_TL_CHANNELS_GET_CHANNELS, &q), 400, "CHANNEL_INVALID", "another one");
    named.channel_id--;
    named.msg_id++;
    expect_error(call(GAP_TL_CHANNELS_GET_CHANNELS, &q), 400, "MSG_ID_INVALID", "no such message");
}
END_TEST

/* A peer named by a message may be written to; but a message that is named by a message may not
 * name one in turn. */
START_TEST(test_peer_named_by_a_message)
{
    int32_t id = message_in((dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST}, DC_USER_ID_FIRST + 2);
    gap_tl_input_peer_channel_t channel = {DC_CHANNEL_ID_FIRST,
                                           hash_of(DC_CHANNEL, DC_CHANNEL_ID_FIRST)};
    gap_tl_input_peer_user_from_message_t named = {GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &channel),
                                                   id, DC_USER_ID_FIRST + 2};
    gap_tl_input_peer_user_from_message_t twice = {
        GAP_TL_OF(GAP_TL_INPUT_PEER_USER_FROM_MESSAGE, &named), id, DC_USER_ID_FIRST + 2};
    gap_tl_messages_send_message_t q = {.peer =
                                            GAP_TL_OF(GAP_TL_INPUT_PEER_USER_FROM_MESSAGE, &named),
                                        .message = gap_str("hi"),
                                        .random_id = 5};

    ck_assert_int_eq(call(GAP_TL_MESSAGES_SEND_MESSAGE, &q), 0);
    q.peer = GAP_TL_OF(GAP_TL_INPUT_PEER_USER_FROM_MESSAGE, &twice);
    q.random_id = 6;
    expect_error(call(GAP_TL_MESSAGES_SEND_MESSAGE, &q), 400, "PEER_ID_INVALID", "twice");
}
END_TEST

START_TEST(test_persons_do_not_hear_each_other)
{
    gap_tl_input_peer_user_t peer = {OTHER, hash_of(DC_USER, OTHER)};
    gap_tl_messages_send_message_t q = {
        .peer = GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &peer), .message = gap_str("hi"), .random_id = 5};

    expect_error(call(GAP_TL_MESSAGES_SEND_MESSAGE, &q), 403, "USER_PRIVACY_RESTRICTED", "");
}
END_TEST

/* --- what is different from bots ----------------------------------------------------------- */

static uint32_t channel_difference(int64_t account, int32_t limit)
{
    gap_tl_input_channel_t channel = {
        DC_CHANNEL_ID_FIRST,
        dc_model_access_hash(m, account, (dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST})};
    gap_tl_channel_messages_filter_empty_t filter = {0};
    gap_tl_updates_get_channel_difference_t q = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel),
        .filter = GAP_TL_OF(GAP_TL_CHANNEL_MESSAGES_FILTER_EMPTY, &filter),
        .pts = 1,
        .limit = limit};

    view.account = account;
    ck_assert_int_eq(call(GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &q), 0);
    view.account = PERSON;
    return gap_load32(gap_buf_view(&answer.body).data);
}

START_TEST(test_persons_get_a_hundred_at_most)
{
    for (int i = 0; i < 100; i++)
        (void)message_in((dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST}, DC_USER_ID_FIRST);
    ck_assert_uint_eq(channel_difference(PERSON, 100000), GAP_TL_UPDATES_CHANNEL_DIFFERENCE);
    (void)message_in((dc_peer_t){DC_CHANNEL, DC_CHANNEL_ID_FIRST}, DC_USER_ID_FIRST);
    ck_assert_uint_eq(channel_difference(PERSON, 100000),
                      GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG);
    ck_assert_uint_eq(channel_difference(BOT, 100000), GAP_TL_UPDATES_CHANNEL_DIFFERENCE);
}
END_TEST

START_TEST(test_traffic_of_persons_has_nothing_of_bots)
{
    dc_traffic_options_t o = {.seed = 7, .events = 2000, .kinds = DC_KINDS_ALL};
    dc_traffic_t traffic;
    unsigned of_bot = 0;
    uint32_t n;

    dc_traffic_init(&traffic, &o);
    while (dc_traffic_next(&traffic, m, START_US, &n) == 0) {
        dc_event_t e;
        dc_model_event(m, n, &e);
        if (e.kind != DC_QTS && e.kind != DC_CALLBACK_QUERY) continue;
        ck_assert_int_eq(e.account, BOT);
        of_bot++;
    }
    ck_assert_uint_gt(of_bot, 20);
}
END_TEST

START_TEST(test_ids_of_persons_are_no_bots)
{
    ck_assert_int_eq(dc_model_account(m, DC_PERSON_ID_FIRST + 7, true, START_US), GAP_E_ARGUMENT);
    ck_assert(!dc_model_is_bot(m, PERSON));
    ck_assert(dc_model_is_bot(m, BOT));
}
END_TEST

START_TEST(test_person_without_memory)
{
    const dc_person_t person = {gap_str("9996621111"), gap_str("A"), gap_str("B")};
    struct fault_alloc f;
    int r = GAP_E_NOMEM;

    for (long at = 1; r == GAP_E_NOMEM; at++) {
        dc_model_t *world;
        dc_options_t o;
        dc_options_init(&o);
        o.channels = 1;
        fault_alloc_init(&f, at);
        if (dc_model_new(&f.alloc, &o, &world) < 0) continue;
        r = dc_model_person(world, DC_PERSON_ID_FIRST + 21111, &person, START_US);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        if (r < 0) {
            ck_assert_uint_eq(dc_model_account_count(world), 0);
            f.fail_at = 0;
            ck_assert_int_eq(dc_model_person(world, DC_PERSON_ID_FIRST + 21111, &person, START_US),
                             0);
        }
        dc_model_free(world);
        ck_assert_int_eq(f.live, 0);
    }
    ck_assert_int_eq(r, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_persons");
    TCase *t = tcase_create("persons");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_a_person_sees_itself_whole);
    tcase_add_test(t, test_others_do_not_see_the_phone);
    tcase_add_test(t, test_a_person_needs_access_hashes);
    tcase_add_loop_test(t, test_names, 0, GAP_ARRAY_LEN(names));
    tcase_add_loop_test(t, test_phones, 0, GAP_ARRAY_LEN(phones));
    tcase_add_test(t, test_resolved_phone_is_told);
    tcase_add_test(t, test_user_named_by_a_message);
    tcase_add_test(t, test_named_user_comes_whole);
    tcase_add_test(t, test_channel_named_by_a_message);
    tcase_add_test(t, test_peer_named_by_a_message);
    tcase_add_test(t, test_persons_do_not_hear_each_other);
    tcase_add_test(t, test_persons_get_a_hundred_at_most);
    tcase_add_test(t, test_traffic_of_persons_has_nothing_of_bots);
    tcase_add_test(t, test_ids_of_persons_are_no_bots);
    tcase_add_test(t, test_person_without_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
