/* tests/unit/test_history.c - answers of messages.getHistory and its kind: which messages are
 * handed out, in which order, and what is refused. */
#include "tests/check_main.h"

#include "sequence/history.h"
#include "sequence/walk.h"
#include "tests/unit/updates_build.h"

#define MANY (2 * GAP_HISTORY_IDS_PAGE + 1)

static const gap_peer_t channel = {7, GAP_PEER_CHANNEL};
static const gap_peer_t other = {8, GAP_PEER_CHANNEL};
static const gap_peer_t user = {42, GAP_PEER_USER};
static const gap_tl_vector_t none = {NULL, 0, NULL, 0};

enum form { PLAIN, SLICE, SLICE_FULL, CHANNEL, CHANNEL_FULL, FORMS };

/* The same messages in each form of the answer. */
static gap_bytes_t in_form(enum form form, gap_tl_vector_t messages)
{
    gap_tl_search_posts_flood_t flood;
    gap_tl_messages_messages_t m = {messages, none, none, none};
    gap_tl_messages_messages_slice_t s;
    gap_tl_messages_channel_messages_t c;

    memset(&flood, 0, sizeof flood);
    memset(&s, 0, sizeof s);
    memset(&c, 0, sizeof c);
    s.messages = c.messages = messages;
    s.count = c.count = 3;
    s.topics = s.chats = s.users = none;
    c.topics = c.chats = c.users = none;
    if (form == SLICE_FULL) {
        s.flags = GAP_TL_MESSAGES_MESSAGES_SLICE_F_NEXT_RATE |
                  GAP_TL_MESSAGES_MESSAGES_SLICE_F_OFFSET_ID_OFFSET |
                  GAP_TL_MESSAGES_MESSAGES_SLICE_F_SEARCH_FLOOD;
        s.search_flood = GAP_TL_OF(GAP_TL_SEARCH_POSTS_FLOOD, &flood);
    }
    if (form == CHANNEL_FULL) c.flags = GAP_TL_MESSAGES_CHANNEL_MESSAGES_F_OFFSET_ID_OFFSET;
    if (form == PLAIN) return build(GAP_TL_OF(GAP_TL_MESSAGES_MESSAGES, &m));
    return form < CHANNEL ? build(GAP_TL_OF(GAP_TL_MESSAGES_MESSAGES_SLICE, &s))
                          : build(GAP_TL_OF(GAP_TL_MESSAGES_CHANNEL_MESSAGES, &c));
}

/* 14, 12 twice, 13 of another chat, 15, 10, a private 11, and an empty 16. */
static gap_bytes_t answer(enum form form)
{
    static const struct {
        const gap_peer_t *chat;
        int32_t id;
    } wanted[] = {{&channel, 14}, {&channel, 12}, {&other, 13}, {&channel, 12},
                  {&channel, 15}, {&channel, 10}, {&user, 11}};
    gap_tl_message_empty_t empty = {.id = 16};
    gap_bytes_t built[GAP_ARRAY_LEN(wanted)];
    gap_tl_object_t messages[GAP_ARRAY_LEN(wanted) + 1];

    for (size_t i = 0; i < GAP_ARRAY_LEN(wanted); i++) {
        built[i] = build_message(*wanted[i].chat, 42, wanted[i].id, "text");
        messages[i] = as_object(built[i]);
    }
    messages[GAP_ARRAY_LEN(wanted)] = GAP_TL_OF(GAP_TL_MESSAGE_EMPTY, &empty);
    gap_bytes_t out = in_form(form, gap_tl_array(messages, GAP_ARRAY_LEN(messages)));
    for (size_t i = 0; i < GAP_ARRAY_LEN(wanted); i++) build_free(built[i]);
    return out;
}

/* The ids handed out, as "10 12 14". */
static const char *ids_of(gap_bytes_t bytes, int64_t channel_id, int32_t after, int32_t up_to)
{
    static char text[128];
    struct gap_history h;
    struct gap_item item;
    uint32_t id;
    int32_t message_id;
    gap_peer_t peer;
    size_t at = 0;

    ck_assert_int_eq(gap_history_open(bytes, channel_id, after, up_to, &h), 0);
    text[0] = 0;
    while (gap_history_next(&h, &item)) {
        ck_assert_int_eq(gap_message_peer(item.bytes, &id, &message_id, &peer), 0);
        ck_assert_int_eq(item.channel_id, channel_id);
        ck_assert_int_eq(item.pts, -1);
        ck_assert_uint_eq(item.flags, GAP_ITEM_MESSAGE);
        ck_assert_uint_eq(item.box, channel_id == 0 ? GAP_BOX_COMMON : GAP_BOX_CHANNEL);
        ck_assert_uint_eq(item.id, channel_id == 0 ? GAP_TL_UPDATE_NEW_MESSAGE
                                                   : GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE);
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%d", at == 0 ? "" : " ", message_id);
    }
    ck_assert(!gap_history_next(&h, &item));
    return text;
}

START_TEST(test_ids_ascend_and_come_once)
{
    gap_bytes_t a = answer((enum form)_i);

    ck_assert_str_eq(ids_of(a, 7, 0, 100), "10 12 14 15");
    ck_assert_str_eq(ids_of(a, 7, 10, 14), "12 14");
    ck_assert_str_eq(ids_of(a, 7, 15, 100), "");
    ck_assert_str_eq(ids_of(a, 8, 0, 100), "13");
    ck_assert_str_eq(ids_of(a, 0, 0, 100), "11");
    build_free(a);
}
END_TEST

START_TEST(test_cut_at_each_byte)
{
    gap_bytes_t a = answer((enum form)_i);
    struct gap_history h;

    for (size_t len = 0; len < a.len; len++) {
        uint8_t *copy = malloc(len + 1); /* so that the sanitisers see the end */
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, a.data, len);
        uint8_t *exact = realloc(copy, len == 0 ? 1 : len);
        ck_assert_ptr_nonnull(exact);
        ck_assert_int_lt(gap_history_open(gap_bytes(exact, len), 7, 0, 100, &h), 0);
        free(exact);
    }
    build_free(a);
}
END_TEST

START_TEST(test_what_is_no_answer_is_refused)
{
    gap_tl_messages_messages_not_modified_t same = {5};
    gap_tl_updates_state_t state = {1, 1, 1, 1, 1};
    uint8_t unknown[] = {0xef, 0xbe, 0xad, 0xde, 0, 0, 0, 0};
    gap_bytes_t cases[] = {build(GAP_TL_OF(GAP_TL_MESSAGES_MESSAGES_NOT_MODIFIED, &same)),
                           build(GAP_TL_OF(GAP_TL_UPDATES_STATE, &state))};
    struct gap_history h;

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        ck_assert_int_eq(gap_history_open(cases[i], 7, 0, 100, &h), GAP_E_TL);
        build_free(cases[i]);
    }
    ck_assert_int_eq(gap_history_open(gap_bytes(unknown, sizeof unknown), 7, 0, 100, &h),
                     GAP_E_TL_ID);
}
END_TEST

/* A page has no more messages than could be asked for, so that looking for the next one is cheap.
 */
START_TEST(test_endless_answers_are_refused)
{
    static gap_tl_object_t messages[MANY];
    gap_bytes_t one = build_message(channel, 42, 5, "text");
    struct gap_history h;

    for (size_t i = 0; i < MANY; i++) messages[i] = as_object(one);
    gap_bytes_t fits = in_form(CHANNEL, gap_tl_array(messages, MANY - 1));
    gap_bytes_t over = in_form(CHANNEL, gap_tl_array(messages, MANY));
    ck_assert_str_eq(ids_of(fits, 7, 0, 100), "5");
    ck_assert_int_eq(gap_history_open(over, 7, 0, 100, &h), GAP_E_LIMIT);
    build_free(one);
    build_free(fits);
    build_free(over);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("history");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, test_ids_ascend_and_come_once, 0, FORMS);
    tcase_add_loop_test(t, test_cut_at_each_byte, 0, FORMS);
    tcase_add_test(t, test_what_is_no_answer_is_refused);
    tcase_add_test(t, test_endless_answers_are_refused);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
