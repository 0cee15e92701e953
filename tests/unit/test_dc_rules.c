/*
 * tests/unit/test_dc_rules.c - what the simulated world forbids those who publish: roles, slow
 * mode, blocked accounts, the edit window, and how often a method may be called.
 */
#include "send_world.h"

#include "base/prng.h"

#define SECOND_US 1000000

static struct send_world w;
static int64_t next_random;

static void begin(const dc_options_t *o)
{
    send_begin(&w, o);
    next_random = 0;
}

static void setup(void)
{
    dc_options_t o = send_options();

    begin(&o);
}

static void teardown(void)
{
    send_end(&w);
}

static int send_any(gap_tl_object_t peer)
{
    return send_text(&w, peer, "x", ++next_random);
}

static int pin(gap_tl_object_t peer, int32_t id)
{
    gap_tl_messages_update_pinned_message_t q = {.peer = peer, .id = id};

    return send_call(&w, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &q);
}

static int delete_one(int32_t id)
{
    gap_tl_channels_delete_messages_t q = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &w.channel_input), .id = gap_tl_array(&id, 1)};

    return send_call(&w, GAP_TL_CHANNELS_DELETE_MESSAGES, &q);
}

static const dc_peer_t channel = {DC_CHANNEL, SEND_CHANNEL};
static const dc_peer_t posts = {DC_CHANNEL, SEND_POSTS};
static const dc_peer_t group = {DC_CHAT, DC_CHAT_ID_FIRST};

/* --- roles --------------------------------------------------------------------------------- */

START_TEST(a_member_writes_but_does_not_rule)
{
    dc_spec_t theirs = {.kind = DC_NEW_MESSAGE,
                        .chat = {DC_CHANNEL, SEND_CHANNEL},
                        .from = SEND_USER,
                        .text = gap_str("theirs")};
    uint32_t n;

    ck_assert_int_eq(dc_model_role(w.m, 0, channel, DC_ROLE_MEMBER), 0);
    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(dc_model_add(w.m, &theirs, SEND_START_US, &n), 0);
    send_refused(&w, pin(w.to_channel, 1), 400, "CHAT_ADMIN_REQUIRED");
    send_refused(&w, delete_one(2), 403, "MESSAGE_DELETE_FORBIDDEN");
    send_refused(&w, send_edit(&w, w.to_channel, 2, "y"), 403, "MESSAGE_AUTHOR_REQUIRED");
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, "y"), 0);
    ck_assert_int_eq(delete_one(1), 0);
    /* The one who is named is an admin, whatever the others are. */
    ck_assert_int_eq(dc_model_role(w.m, SEND_BOT, channel, DC_ROLE_ADMIN), 0);
    ck_assert_int_eq(pin(w.to_channel, 2), 0);
    ck_assert_int_eq(delete_one(2), 0);
}
END_TEST

START_TEST(a_reader_reads)
{
    gap_tl_messages_get_history_t history = {.peer = w.to_channel, .limit = 10};

    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(dc_model_role(w.m, SEND_BOT, channel, DC_ROLE_READER), 0);
    send_refused(&w, send_any(w.to_channel), 403, "CHAT_WRITE_FORBIDDEN");
    send_refused(&w, send_edit(&w, w.to_channel, 1, "y"), 403, "CHAT_WRITE_FORBIDDEN");
    ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_GET_HISTORY, &history), 0);
    ck_assert_int_eq(dc_model_role(w.m, SEND_BOT, group, DC_ROLE_READER), 0);
    send_refused(&w, send_any(w.to_group), 403, "CHAT_WRITE_FORBIDDEN");
    send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST + 2);
    ck_assert_int_eq(send_any(w.to_channel), 0);
}
END_TEST

START_TEST(posts_are_for_admins)
{
    ck_assert_int_eq(send_any(w.to_posts), 0);
    send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST + 2);
    /* An admin may change what another one posted. */
    ck_assert_int_eq(send_edit(&w, w.to_posts, 1, "by the other"), 0);
    ck_assert_int_eq(dc_model_role(w.m, SEND_PERSON, posts, DC_ROLE_MEMBER), 0);
    send_refused(&w, send_any(w.to_posts), 400, "CHAT_ADMIN_REQUIRED");
    send_refused(&w, send_edit(&w, w.to_posts, 1, "no more"), 403, "CHAT_ADMIN_REQUIRED");
}
END_TEST

START_TEST(a_user_who_blocks_gets_nothing)
{
    ck_assert_int_eq(dc_model_block(w.m, SEND_BOT, SEND_USER, true), 0);
    send_refused(&w, send_any(w.to_user), 400, "USER_IS_BLOCKED");
    ck_assert_int_eq(dc_model_block(w.m, SEND_BOT, SEND_USER, false), 0);
    ck_assert_int_eq(send_any(w.to_user), 0);
    ck_assert_int_eq(dc_model_block(w.m, SEND_BOT, SEND_USER + 50, true), GAP_E_NOT_FOUND);
}
END_TEST

START_TEST(who_is_not_there_has_no_role)
{
    dc_peer_t nowhere = {DC_CHANNEL, SEND_CHANNEL + 99};
    dc_peer_t not_mine = {DC_CHAT, DC_CHAT_ID_FIRST + 2};

    ck_assert_int_eq(dc_model_role(w.m, 12, channel, DC_ROLE_ADMIN), GAP_E_NOT_FOUND);
    ck_assert_int_eq(dc_model_role(w.m, SEND_BOT, nowhere, DC_ROLE_ADMIN), GAP_E_NOT_FOUND);
    ck_assert_int_eq(dc_model_role(w.m, SEND_BOT, not_mine, DC_ROLE_ADMIN), GAP_E_NOT_FOUND);
    ck_assert_int_eq(dc_model_role(w.m, 0, group, DC_ROLE_ADMIN), GAP_E_NOT_FOUND);
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_CHANNEL + 99, 1), GAP_E_NOT_FOUND);
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_POSTS, 1), GAP_E_ARGUMENT);
}
END_TEST

/* Who asks for a message is told whether it is pinned: how one finds out what became of a pin. */
START_TEST(a_pinned_message_says_so)
{
    gap_tl_input_message_id_t named = {1};
    gap_tl_object_t one = GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ID, &named);
    gap_tl_channels_get_messages_t get = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &w.channel_input), .id = gap_tl_array(&one, 1)};
    gap_tl_messages_update_pinned_message_t unpin = {
        .flags = GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN, .peer = w.to_channel, .id = 1};
    gap_tl_messages_channel_messages_t found;
    gap_tl_message_t msg;
    gap_tl_object_t o;

    ck_assert_int_eq(send_any(w.to_channel), 0);
    for (int i = 0; i < 3; i++) {
        if (i == 1) ck_assert_int_eq(pin(w.to_channel, 1), 0);
        if (i == 2)
            ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &unpin), 0);
        ck_assert_int_eq(send_call(&w, GAP_TL_CHANNELS_GET_MESSAGES, &get), 0);
        SEND_BODY(&w, GAP_TL_MESSAGES_CHANNEL_MESSAGES, &found);
        gap_tl_iter_t it = gap_tl_iter(found.messages);
        ck_assert_int_eq(gap_tl_next(&it, &o), 1);
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_MESSAGE, &msg), 0);
        ck_assert_int_eq((msg.flags & GAP_TL_MESSAGE_F_PINNED) != 0, i == 1);
    }
}
END_TEST

/* --- slow mode ----------------------------------------------------------------------------- */

START_TEST(slow_mode_makes_members_wait)
{
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_CHANNEL, 10), 0);
    ck_assert_int_eq(send_text(&w, w.to_channel, "first", 501), 0);
    send_refused(&w, send_any(w.to_channel), 420, "SLOWMODE_WAIT_10");
    w.now_us += 1;
    send_refused(&w, send_any(w.to_channel), 420, "SLOWMODE_WAIT_10");
    w.now_us = SEND_START_US + 1 * SECOND_US;
    send_refused(&w, send_any(w.to_channel), 420, "SLOWMODE_WAIT_9");
    /* Elsewhere, and for somebody else, nothing is slow; an edit is no message. */
    ck_assert_int_eq(send_any(w.to_group), 0);
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, "edited"), 0);
    /* What has been sent already is no message either. */
    ck_assert_int_eq(send_text(&w, w.to_channel, "first", 501), 0);
    ck_assert_uint_eq(w.answer.count, 0);
    send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST + 2);
    ck_assert_int_eq(send_any(w.to_channel), 0);
    send_as(&w, SEND_BOT, DC_CHAT_ID_FIRST);
    w.now_us = SEND_START_US + 10 * SECOND_US - 1;
    send_refused(&w, send_any(w.to_channel), 420, "SLOWMODE_WAIT_1");
    w.now_us += 1;
    ck_assert_int_eq(send_any(w.to_channel), 0);
    send_refused(&w, send_any(w.to_channel), 420, "SLOWMODE_WAIT_10");
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_CHANNEL, 0), 0);
    ck_assert_int_eq(send_any(w.to_channel), 0);
}
END_TEST

START_TEST(slow_mode_is_not_for_admins)
{
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_CHANNEL, 10), 0);
    ck_assert_int_eq(dc_model_role(w.m, SEND_BOT, channel, DC_ROLE_ADMIN), 0);
    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(pin(w.to_channel, 1), 0);
}
END_TEST

START_TEST(a_refused_text_does_not_count)
{
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_CHANNEL, 10), 0);
    send_refused(&w, send_text(&w, w.to_channel, "", 900), 400, "MESSAGE_EMPTY");
    ck_assert_int_eq(send_any(w.to_channel), 0);
}
END_TEST

START_TEST(the_options_slow_all_supergroups)
{
    dc_options_t o = send_options();

    o.house_count = 2;
    o.houses[0] = (dc_house_rule_t){.channel = 0, .slow_s = 5};
    o.houses[1] = (dc_house_rule_t){.channel = 2, .is_role = true, .role = DC_ROLE_ADMIN};
    send_end(&w);
    begin(&o);
    ck_assert_int_eq(send_any(w.to_channel), 0);
    send_refused(&w, send_any(w.to_channel), 420, "SLOWMODE_WAIT_5");
    w.channel_peer.channel_id++;
    w.channel_peer.access_hash = 0; /* a bot needs none */
    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(send_any(w.to_posts), 0);
    ck_assert_int_eq(send_any(w.to_posts), 0);
}
END_TEST

/* --- the edit window ----------------------------------------------------------------------- */

static const struct {
    int64_t who;
    dc_role_t role; /* of everybody in the supergroup */
    uint32_t window_s;
    int64_t age_s;
    bool in_channel;
    bool expired;
    const char *why;
} windows[] = {
    {SEND_BOT, DC_ROLE_MEMBER, 0, 999999, true, false, "bots have time"},
    {SEND_BOT, DC_ROLE_MEMBER, 0, 999999, false, false, "in private chats too"},
    {SEND_PERSON, DC_ROLE_MEMBER, 0, 172800, true, false, "the last second"},
    {SEND_PERSON, DC_ROLE_MEMBER, 0, 172801, true, true, "and after it"},
    {SEND_PERSON, DC_ROLE_ADMIN, 0, 172801, true, false, "who may pin has time"},
    {SEND_PERSON, DC_ROLE_ADMIN, 0, 172801, false, true, "but not in a private chat"},
    {SEND_BOT, DC_ROLE_ADMIN, 60, 60, true, false, "a window for everybody"},
    {SEND_BOT, DC_ROLE_ADMIN, 60, 61, true, true, "and its end"},
};

START_TEST(a_message_may_be_edited_for_some_time)
{
    ck_assert_int_eq(dc_model_role(w.m, 0, channel, windows[_i].role), 0);
    if (windows[_i].window_s > 0) dc_model_edit_window(w.m, windows[_i].window_s);
    if (windows[_i].who == SEND_PERSON) send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST + 2);
    gap_tl_object_t peer = windows[_i].in_channel ? w.to_channel : w.to_user;
    ck_assert_int_eq(send_any(peer), 0);
    w.now_us += windows[_i].age_s * SECOND_US;
    int r = send_edit(&w, peer, 1, "y");
    if (windows[_i].expired) {
        send_refused(&w, r, 400, "MESSAGE_EDIT_TIME_EXPIRED");
        dc_model_edit_window(w.m, 0);
    } else {
        ck_assert_msg(r == 0, "%s: %s", windows[_i].why, w.answer.error);
    }
}
END_TEST

/* --- flood rules --------------------------------------------------------------------------- */

static void flood(const char *text)
{
    dc_flood_rule_t rule;
    const char *expected;

    ck_assert_msg(dc_flood_rule_parse(gap_str(text), &rule, &expected) == 0, "%s: %s", text,
                  expected);
    ck_assert_int_eq(dc_model_flood_rule(w.m, &rule), 0);
}

START_TEST(a_bucket_empties_and_fills_again)
{
    flood("messages.sendMessage:*:3/60");
    for (int i = 0; i < 3; i++) ck_assert_int_eq(send_any(w.to_group), 0);
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_20");
    send_refused(&w, send_any(w.to_user), 420, "FLOOD_WAIT_20");
    /* Refused calls cost nothing; other methods and accounts have nothing to do with it. */
    ck_assert_int_eq(send_edit(&w, w.to_group, 1, "y"), 0);
    send_as(&w, SEND_PERSON, DC_CHAT_ID_FIRST + 2);
    ck_assert_int_eq(send_any(w.to_group), 0);
    send_as(&w, SEND_BOT, DC_CHAT_ID_FIRST);
    w.now_us += 20 * SECOND_US - 1;
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_1");
    w.now_us += 1;
    ck_assert_int_eq(send_any(w.to_group), 0);
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_20");
    w.now_us += 3600LL * SECOND_US;
    for (int i = 0; i < 3; i++) ck_assert_int_eq(send_any(w.to_group), 0);
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_20");
    dc_model_end_floods(w.m);
    ck_assert_int_eq(send_any(w.to_group), 0);
}
END_TEST

START_TEST(each_chat_has_a_bucket)
{
    flood("messages.sendMessage+messages.editMessage:each:2/10");
    ck_assert_int_eq(send_any(w.to_group), 0);
    ck_assert_int_eq(send_edit(&w, w.to_group, 1, "y"), 0);
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_5");
    send_refused(&w, send_edit(&w, w.to_group, 1, "z"), 420, "FLOOD_WAIT_5");
    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(send_any(w.to_user), 0);
}
END_TEST

START_TEST(a_bucket_closes_for_the_time_that_is_said)
{
    flood("*:group:1:1/1:300");
    ck_assert_int_eq(send_any(w.to_group), 0);
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_300");
    w.now_us += 100 * SECOND_US;
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_200");
    ck_assert_int_eq(send_any(w.to_channel), 0);
    ck_assert_int_eq(send_any(w.to_channel), 0);
    w.now_us += 200 * SECOND_US;
    ck_assert_int_eq(send_any(w.to_group), 0);
}
END_TEST

START_TEST(the_longest_wait_counts)
{
    flood("messages.sendMessage:*:1/10");
    flood("messages.sendMessage:each:1/100");
    ck_assert_int_eq(send_any(w.to_group), 0);
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_100");
    send_refused(&w, send_any(w.to_user), 420, "FLOOD_WAIT_10");
    w.now_us += 10 * SECOND_US;
    /* A refused call took nothing from the bucket that had some. */
    send_refused(&w, send_any(w.to_group), 420, "FLOOD_WAIT_90");
    ck_assert_int_eq(send_any(w.to_user), 0);
}
END_TEST

START_TEST(peer_flood_says_no_time)
{
    flood("messages.sendMessage:each:1/60:peer-flood");
    ck_assert_int_eq(send_any(w.to_user), 0);
    send_refused(&w, send_any(w.to_user), 400, "PEER_FLOOD");
    ck_assert_int_eq(send_any(w.to_group), 0);
}
END_TEST

/* In any window of T seconds at most limit + T * rate calls get through, however they come. */
START_TEST(no_window_holds_more_than_the_rule_says)
{
    static int64_t through[4000];
    gap_prng_t rng = {7 + (uint64_t)_i};
    unsigned count = 0;

    flood("messages.sendMessage:*:5/2");
    for (int i = 0; i < 4000; i++) {
        w.now_us += (int64_t)gap_prng_below(&rng, 400000);
        if (send_any(w.to_group) == 0) through[count++] = w.now_us;
    }
    ck_assert_uint_gt(count, 1500);
    for (unsigned from = 0; from < count; from++) {
        for (unsigned to = from; to < count && to < from + 200; to++) {
            int64_t window_us = through[to] - through[from];
            ck_assert_msg((to - from + 1 - 5) * 400000LL <= window_us || to - from < 5,
                          "%u calls in %lld us", to - from + 1, (long long)window_us);
        }
    }
}
END_TEST

static const struct {
    const char *text;
    bool good;
} rules[] = {
    {"*:*:1/1", true},
    {"messages.sendMessage:each:20/60:300", true},
    {"messages.sendMessage+channels.readHistory:user:3:20/60:peer-flood", true},
    {"messages.sendMessage:channel:1:1000000/1209600", true},
    {"", false},
    {"*", false},
    {"messages.nothing:*:1/1", false},
    {"message:*:1/1", false},
    {"*:chat:1/1", false},
    {"*:user:1/1", false},
    {"*:user:0:1/1", false},
    {"*:*:0/1", false},
    {"*:*:1/0", false},
    {"*:*:1", false},
    {"*:*:1/1:", false},
    {"*:*:1/1:x", false},
    {"*:*:1/1:5x", false},
    {"*:*:1/1:peer-floods", false},
    {"*:*:99999999999999999999/1", false},
    {"+:*:1/1", false},
};

START_TEST(rules_are_read)
{
    dc_flood_rule_t rule = {.limit = 77};
    const char *expected = NULL;
    int r = dc_flood_rule_parse(gap_str(rules[_i].text), &rule, &expected);

    ck_assert_msg((r == 0) == rules[_i].good, "'%s': %d", rules[_i].text, r);
    if (!rules[_i].good) ck_assert_uint_eq(rule.limit, 77);
    if (!rules[_i].good) ck_assert_ptr_nonnull(expected);
}
END_TEST

START_TEST(there_is_an_end_of_rules)
{
    dc_flood_rule_t rule = {.limit = 0, .seconds = 1};

    ck_assert_int_eq(dc_model_flood_rule(w.m, &rule), GAP_E_ARGUMENT);
    for (int i = 0; i < DC_FLOOD_RULES_MAX; i++) flood("*:*:1/1");
    rule.limit = 1;
    ck_assert_int_eq(dc_model_flood_rule(w.m, &rule), GAP_E_LIMIT);
}
END_TEST

/* --- out of memory ------------------------------------------------------------------------- */

/* Roles, slow mode, a rule, sends. Stops at the first failure. */
static int short_life(const gap_alloc_t *alloc)
{
    dc_options_t o = send_options();
    dc_answer_t a;
    dc_model_t *m = NULL;
    dc_view_t view = {SEND_BOT, 227, 0};
    gap_tl_messages_send_message_t q = {
        .peer = w.to_channel, .message = gap_str("x"), .random_id = 1};
    gap_bytes_t bytes = send_written(&w, GAP_TL_MESSAGES_SEND_MESSAGE, &q);

    o.house_count = 1;
    o.houses[0].slow_s = 1;
    o.flood_count = 1;
    o.floods[0] = (dc_flood_rule_t){.limit = 5, .seconds = 5, .scope = DC_FLOOD_EACH};
    dc_answer_init(&a, alloc);
    int r = dc_model_new(alloc, &o, &m);
    if (r == 0) r = dc_model_account(m, SEND_BOT, true, SEND_START_US);
    if (r == 0) r = dc_model_role(m, SEND_BOT, channel, DC_ROLE_MEMBER);
    if (r == 0) r = dc_model_block(m, SEND_BOT, SEND_USER, true);
    if (r == 0) r = dc_model_call(m, &view, bytes, SEND_START_US, &a);
    dc_answer_fini(&a);
    dc_model_free(m);
    return r;
}

START_TEST(every_allocation_may_fail)
{
    struct fault_alloc f;
    long n = 0;

    do {
        fault_alloc_init(&f, ++n);
        int r = short_life(&f.alloc);
        ck_assert_msg(r == (f.calls >= n ? GAP_E_NOMEM : 0), "allocation %ld: %d", n, r);
        ck_assert_msg(f.live == 0, "allocation %ld leaks", n);
    } while (f.calls >= n);
    ck_assert_int_gt(n, 8);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_rules");
    TCase *tc = tcase_create("rules");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_member_writes_but_does_not_rule);
    tcase_add_test(tc, a_reader_reads);
    tcase_add_test(tc, posts_are_for_admins);
    tcase_add_test(tc, a_user_who_blocks_gets_nothing);
    tcase_add_test(tc, a_pinned_message_says_so);
    tcase_add_test(tc, who_is_not_there_has_no_role);
    tcase_add_test(tc, slow_mode_makes_members_wait);
    tcase_add_test(tc, slow_mode_is_not_for_admins);
    tcase_add_test(tc, a_refused_text_does_not_count);
    tcase_add_test(tc, the_options_slow_all_supergroups);
    tcase_add_loop_test(tc, a_message_may_be_edited_for_some_time, 0, GAP_ARRAY_LEN(windows));
    tcase_add_test(tc, a_bucket_empties_and_fills_again);
    tcase_add_test(tc, each_chat_has_a_bucket);
    tcase_add_test(tc, a_bucket_closes_for_the_time_that_is_said);
    tcase_add_test(tc, the_longest_wait_counts);
    tcase_add_test(tc, peer_flood_says_no_time);
    tcase_add_loop_test(tc, no_window_holds_more_than_the_rule_says, 0, 3);
    tcase_add_loop_test(tc, rules_are_read, 0, GAP_ARRAY_LEN(rules));
    tcase_add_test(tc, there_is_an_end_of_rules);
    tcase_add_test(tc, every_allocation_may_fail);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
