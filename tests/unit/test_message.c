/* tests/unit/test_message.c - what handlers read: updates, the message view, markup. */
#include "tests/check_main.h"

#include "sequence/update.h"
#include "tests/unit/updates_build.h"

#include <gapless/message.h>

static const gap_tl_vector_t nobody = {NULL, 0, NULL, 0};

/* ---- the message view -------------------------------------------------------------------------
 */

START_TEST(test_who_wrote_where)
{
    static const struct {
        gap_peer_t chat;
        int64_t from;
        bool out;
        gap_peer_t sender;
        const char *why;
    } cases[] = {
        {{7, GAP_PEER_USER}, 0, false, {7, GAP_PEER_USER}, "private: the other one"},
        {{7, GAP_PEER_USER}, 0, true, {0, GAP_PEER_NONE}, "private: the account itself"},
        {{7, GAP_PEER_USER}, 42, true, {42, GAP_PEER_USER}, "named"},
        {{5, GAP_PEER_CHAT}, 8, false, {8, GAP_PEER_USER}, "basic group"},
        {{5, GAP_PEER_CHANNEL}, 0, false, {5, GAP_PEER_CHANNEL}, "a post of the channel"},
        {{5, GAP_PEER_CHANNEL}, 9, false, {9, GAP_PEER_USER}, "supergroup"},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        gap_bytes_t bytes = build_message(cases[i].chat, cases[i].from, 3, "text");
        uint8_t *copy = malloc(bytes.len);
        memcpy(copy, bytes.data, bytes.len);
        if (cases[i].out) gap_store32(copy + 4, gap_load32(copy + 4) | GAP_TL_MESSAGE_F_OUT);
        gap_message_t m;
        ck_assert_int_eq(gap_message_view(gap_bytes(copy, bytes.len), &m), 0);
        ck_assert_msg(m.sender.id == cases[i].sender.id, "%s", cases[i].why);
        ck_assert_msg(m.sender.kind == cases[i].sender.kind, "%s", cases[i].why);
        ck_assert_int_eq(m.chat.id, cases[i].chat.id);
        ck_assert_int_eq(m.chat.kind, cases[i].chat.kind);
        ck_assert_int_eq(m.id, 3);
        ck_assert_int_eq(m.date, 1700000003);
        ck_assert_int_eq(m.edit_date, 0);
        ck_assert(gap_bytes_equal(m.text, gap_str("text")));
        for (size_t cut = 0; cut < bytes.len; cut++)
            ck_assert_int_eq(gap_message_view(gap_bytes(copy, cut), &m), GAP_E_TL);
        free(copy);
        build_free(bytes);
    }
}
END_TEST

/* Everything optional in front of and behind the text. */
static gap_bytes_t build_rich(bool reply_elsewhere)
{
    static gap_tl_peer_user_t user = {7};
    static gap_tl_peer_channel_t channel = {1001};
    static gap_tl_message_media_geo_t media;
    static gap_tl_geo_point_empty_t point;
    static gap_tl_keyboard_button_row_t no_row;
    static gap_tl_reply_inline_markup_t markup;
    static gap_tl_message_replies_t replies;
    gap_tl_peer_user_t origin = {8};
    gap_tl_message_fwd_header_t forward = {.flags = GAP_TL_MESSAGE_FWD_HEADER_F_FROM_ID,
                                           .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &origin)};
    gap_tl_message_reply_header_t reply = {
        .flags = GAP_TL_MESSAGE_REPLY_HEADER_F_REPLY_TO_MSG_ID |
                 (reply_elsewhere ? GAP_TL_MESSAGE_REPLY_HEADER_F_REPLY_TO_PEER_ID : 0),
        .reply_to_msg_id = 77,
        .reply_to_peer_id = GAP_TL_OF(GAP_TL_PEER_USER, &user),
    };
    gap_tl_message_entity_bold_t bold = {0, 4};
    gap_tl_object_t entities[] = {GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold)};
    (void)no_row;
    media.geo = GAP_TL_OF(GAP_TL_GEO_POINT_EMPTY, &point);
    markup.rows = gap_tl_array(NULL, 0);
    gap_tl_message_t m = {
        .flags = GAP_TL_MESSAGE_F_MENTIONED | GAP_TL_MESSAGE_F_SILENT | GAP_TL_MESSAGE_F_POST |
                 GAP_TL_MESSAGE_F_FROM_ID | GAP_TL_MESSAGE_F_FROM_BOOSTS_APPLIED |
                 GAP_TL_MESSAGE_F_SAVED_PEER_ID | GAP_TL_MESSAGE_F_FWD_FROM |
                 GAP_TL_MESSAGE_F_VIA_BOT_ID | GAP_TL_MESSAGE_F_REPLY_TO | GAP_TL_MESSAGE_F_MEDIA |
                 GAP_TL_MESSAGE_F_REPLY_MARKUP | GAP_TL_MESSAGE_F_ENTITIES |
                 GAP_TL_MESSAGE_F_VIEWS | GAP_TL_MESSAGE_F_REPLIES | GAP_TL_MESSAGE_F_EDIT_DATE,
        .flags2 = GAP_TL_MESSAGE_F2_FROM_RANK | GAP_TL_MESSAGE_F2_VIA_BUSINESS_BOT_ID |
                  GAP_TL_MESSAGE_F2_GUESTCHAT_VIA_FROM,
        .id = 3,
        .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &user),
        .from_boosts_applied = 1,
        .from_rank = gap_str("boss"),
        .peer_id = GAP_TL_OF(GAP_TL_PEER_CHANNEL, &channel),
        .saved_peer_id = GAP_TL_OF(GAP_TL_PEER_USER, &user),
        .fwd_from = GAP_TL_OF(GAP_TL_MESSAGE_FWD_HEADER, &forward),
        .via_bot_id = 66,
        .via_business_bot_id = 67,
        .guestchat_via_from = GAP_TL_OF(GAP_TL_PEER_USER, &user),
        .reply_to = GAP_TL_OF(GAP_TL_MESSAGE_REPLY_HEADER, &reply),
        .date = 1000,
        .message = gap_str("bold text"),
        .media = GAP_TL_OF(GAP_TL_MESSAGE_MEDIA_GEO, &media),
        .reply_markup = GAP_TL_OF(GAP_TL_REPLY_INLINE_MARKUP, &markup),
        .entities = gap_tl_array(entities, 1),
        .views = 5,
        .forwards = 6,
        .replies = GAP_TL_OF(GAP_TL_MESSAGE_REPLIES, &replies),
        .edit_date = 2000,
    };
    return build(GAP_TL_OF(GAP_TL_MESSAGE, &m));
}

START_TEST(test_rich_message)
{
    for (int elsewhere = 0; elsewhere < 2; elsewhere++) {
        gap_bytes_t bytes = build_rich(elsewhere == 1);
        gap_message_t m;
        gap_entities_t it;
        gap_entity_t e;
        ck_assert_int_eq(gap_message_view(bytes, &m), 0);
        ck_assert_int_eq(m.reply_to, elsewhere == 1 ? 0 : 77);
        ck_assert_int_eq(m.via_bot, 66);
        ck_assert_int_eq(m.date, 1000);
        ck_assert_int_eq(m.edit_date, 2000);
        ck_assert(m.mentioned);
        ck_assert(m.silent);
        ck_assert(m.post);
        ck_assert(!m.out);
        ck_assert(!m.service);
        ck_assert(m.has_media);
        ck_assert(m.has_entities);
        ck_assert_int_eq(gap_message_entities(&m, &it), 0);
        ck_assert_int_eq(gap_entities_next(&it, &e), 1);
        ck_assert_uint_eq(e.id, GAP_TL_MESSAGE_ENTITY_BOLD);
        ck_assert(gap_bytes_equal(e.text, gap_str("bold")));
        ck_assert_int_eq(gap_entities_next(&it, &e), 0);
        for (size_t cut = 0; cut < bytes.len; cut++) {
            int r = gap_message_view(gap_bytes(bytes.data, cut), &m);
            ck_assert_msg(r == GAP_E_TL || cut >= bytes.len, "cut at %zu: %d", cut, r);
        }
        build_free(bytes);
    }
}
END_TEST

START_TEST(test_service_message)
{
    gap_tl_peer_chat_t chat = {5};
    gap_tl_message_action_pin_message_t action = {0};
    gap_tl_message_reply_header_t reply = {.flags = GAP_TL_MESSAGE_REPLY_HEADER_F_REPLY_TO_MSG_ID,
                                           .reply_to_msg_id = 3};
    gap_tl_message_service_t s = {
        .flags = GAP_TL_MESSAGE_SERVICE_F_OUT | GAP_TL_MESSAGE_SERVICE_F_REPLY_TO,
        .id = 4,
        .peer_id = GAP_TL_OF(GAP_TL_PEER_CHAT, &chat),
        .reply_to = GAP_TL_OF(GAP_TL_MESSAGE_REPLY_HEADER, &reply),
        .date = 9,
        .action = GAP_TL_OF(GAP_TL_MESSAGE_ACTION_PIN_MESSAGE, &action),
    };
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_MESSAGE_SERVICE, &s));
    gap_message_t m;

    ck_assert_int_eq(gap_message_view(bytes, &m), 0);
    ck_assert(m.service);
    ck_assert(m.out);
    ck_assert_uint_eq(m.action, GAP_TL_MESSAGE_ACTION_PIN_MESSAGE);
    ck_assert_int_eq(m.reply_to, 3);
    ck_assert_int_eq(m.date, 9);
    ck_assert_uint_eq(m.text.len, 0);
    for (size_t cut = 0; cut < bytes.len; cut++)
        ck_assert_int_eq(gap_message_view(gap_bytes(bytes.data, cut), &m), GAP_E_TL);
    build_free(bytes);
}
END_TEST

/* ---- updates ----------------------------------------------------------------------------------
 */

static void check_message_of(gap_tl_object_t object, bool edit)
{
    gap_bytes_t bytes = build(object);
    struct gap_item item;
    gap_update_t u;
    gap_message_t m;

    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    gap_update_init(&u, &item, nobody, nobody);
    ck_assert_msg(gap_message_read(&u, &m) == 0, "%s", gap_tl_name(object.id));
    ck_assert_msg(m.edit == edit, "%s", gap_tl_name(object.id));
    ck_assert_int_eq(m.id, 3);
    build_free(bytes);
}

START_TEST(test_every_update_with_a_message)
{
    gap_bytes_t private = build_message((gap_peer_t){7, GAP_PEER_USER}, 0, 3, "x");
    gap_bytes_t posted = build_message((gap_peer_t){9, GAP_PEER_CHANNEL}, 0, 3, "x");
    gap_tl_update_new_message_t n = {as_object(private), 1, 1};
    gap_tl_update_new_channel_message_t c = {as_object(posted), 1, 1};
    gap_tl_update_bot_new_business_message_t b = {
        .connection_id = gap_str("conn"), .message = as_object(private), .qts = 4};
    gap_tl_update_bot_edit_business_message_t e = {
        .connection_id = gap_str("conn"), .message = as_object(private), .qts = 4};

    check_message_of(GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &n), false);
    check_message_of(GAP_TL_OF(GAP_TL_UPDATE_EDIT_MESSAGE, &n), true); /* same fields */
    check_message_of(GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &c), false);
    check_message_of(GAP_TL_OF(GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE, &c), true);
    check_message_of(GAP_TL_OF(GAP_TL_UPDATE_BOT_NEW_BUSINESS_MESSAGE, &b), false);
    check_message_of(GAP_TL_OF(GAP_TL_UPDATE_BOT_EDIT_BUSINESS_MESSAGE, &e), true);
    build_free(private);
    build_free(posted);
}
END_TEST

START_TEST(test_updates_without_a_message)
{
    gap_tl_update_config_t config = {0};
    gap_tl_message_empty_t empty = {.id = 3};
    gap_tl_update_new_message_t n = {GAP_TL_OF(GAP_TL_MESSAGE_EMPTY, &empty), 1, 1};
    const gap_tl_object_t objects[] = {GAP_TL_OF(GAP_TL_UPDATE_CONFIG, &config),
                                       GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &n)};
    for (size_t i = 0; i < GAP_ARRAY_LEN(objects); i++) {
        gap_bytes_t bytes = build(objects[i]);
        struct gap_item item;
        gap_update_t u;
        gap_message_t m;
        ck_assert_int_eq(gap_item_read(bytes, &item), 0);
        gap_update_init(&u, &item, nobody, nobody);
        ck_assert_int_eq(gap_message_read(&u, &m), GAP_NO_MESSAGE);
        build_free(bytes);
    }
}
END_TEST

struct text {
    char at[512];
    size_t len;
};

static int collect(void *data, const char *text, size_t len)
{
    struct text *t = data;
    if (t->len + len >= sizeof t->at) return GAP_E_LIMIT;
    memcpy(t->at + t->len, text, len);
    t->len += len;
    t->at[t->len] = 0;
    return 0;
}

START_TEST(test_accessors_of_a_push)
{
    gap_bytes_t bytes = build_new_message((gap_peer_t){9, GAP_PEER_CHANNEL}, 7, 3, "x", 12);
    gap_bytes_t user = build_user(7, 70, 0, NULL);
    gap_bytes_t channel = build_channel(9, 90, 0);
    gap_tl_vector_t users = {user.data, user.len, NULL, 1};
    gap_tl_vector_t chats = {channel.data, channel.len, NULL, 1};
    gap_tl_update_new_channel_message_t m;
    gap_tl_object_t found;
    struct gap_item item;
    gap_update_t u;

    ck_assert_int_eq(gap_item_read(bytes, &item), 0);
    gap_update_init(&u, &item, users, chats);
    ck_assert_uint_eq(gap_update_id(&u), GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE);
    ck_assert_int_eq(gap_update_box(&u), GAP_BOX_CHANNEL);
    ck_assert_int_eq(gap_update_channel_id(&u), 9);
    ck_assert_int_eq(gap_update_pts(&u), 12);
    ck_assert_int_eq(gap_update_pts_count(&u), 1);
    ck_assert_int_eq(gap_update_via(&u), GAP_VIA_PUSH);
    ck_assert(!gap_update_maybe_repeated(&u));
    ck_assert_int_eq(GAP_UPDATE_READ(&u, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &m), 0);
    ck_assert_int_eq(m.pts, 12);
    ck_assert_int_eq(GAP_UPDATE_READ(&u, GAP_TL_UPDATE_NEW_MESSAGE, &m), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_update_read(&u, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &m, 3), GAP_E_ARGUMENT);
    ck_assert_uint_eq(gap_update_users(&u).count, 1);
    ck_assert_uint_eq(gap_update_chats(&u).count, 1);
    ck_assert_int_eq(gap_update_find(&u, (gap_peer_t){7, GAP_PEER_USER}, &found), 1);
    ck_assert(gap_bytes_equal(gap_tl_bytes(found), user));
    ck_assert_int_eq(gap_update_find(&u, (gap_peer_t){9, GAP_PEER_CHANNEL}, &found), 1);
    ck_assert(gap_bytes_equal(gap_tl_bytes(found), channel));
    ck_assert_int_eq(gap_update_find(&u, (gap_peer_t){9, GAP_PEER_CHAT}, &found), 0);
    ck_assert_int_eq(gap_update_find(&u, (gap_peer_t){8, GAP_PEER_USER}, &found), 0);
    build_free(bytes);
    build_free(user);
    build_free(channel);
}
END_TEST

/* A message of a difference reads and prints like the update that was missed, without pts. */
START_TEST(test_accessors_of_a_difference)
{
    gap_bytes_t message = build_message((gap_peer_t){7, GAP_PEER_USER}, 0, 3, "x");
    struct gap_item item = {
        .bytes = message,
        .id = GAP_TL_UPDATE_NEW_MESSAGE,
        .pts = -1,
        .flags = GAP_ITEM_MESSAGE,
        .box = GAP_BOX_COMMON,
    };
    gap_tl_update_new_message_t n;
    gap_message_t m;
    gap_update_t u;
    struct text t = {.len = 0};

    gap_update_init(&u, &item, nobody, nobody);
    u.via = GAP_VIA_DIFFERENCE;
    ck_assert_int_eq(gap_update_pts(&u), -1);
    ck_assert_int_eq(gap_update_pts_count(&u), 0);
    ck_assert_int_eq(GAP_UPDATE_READ(&u, GAP_TL_UPDATE_NEW_MESSAGE, &n), 0);
    ck_assert_int_eq(n.pts, 0);
    ck_assert(gap_bytes_equal(gap_tl_bytes(n.message), message));
    ck_assert_uint_eq(n.message.id, GAP_TL_MESSAGE);
    ck_assert_int_eq(gap_message_read(&u, &m), 0);
    ck_assert_int_eq(m.id, 3);
    ck_assert(!m.edit);
    ck_assert_int_eq(gap_update_print(&u, collect, &t), 0);
    ck_assert_ptr_eq(strstr(t.at, "{\"_\":\"updateNewMessage\",\"message\":{\"_\":\"message\""),
                     t.at);
    ck_assert_ptr_nonnull(strstr(t.at, "},\"pts\":0,\"pts_count\":0}"));
    u.bytes.len--; /* other updates of a difference have historic pts */
    item = (struct gap_item){.id = GAP_TL_UPDATE_DELETE_MESSAGES, .pts = 90, .box = GAP_BOX_COMMON};
    gap_update_init(&u, &item, nobody, nobody);
    u.via = GAP_VIA_DIFFERENCE;
    ck_assert_int_eq(gap_update_pts(&u), -1);
    build_free(message);
}
END_TEST

static int finished_status;
static void finished(gap_update_t *update, int status)
{
    (void)update;
    finished_status = status;
}

START_TEST(test_done_and_failed_reach_the_owner)
{
    static const struct gap_update_owner owner = {.finished = finished};
    gap_update_t u = {.owner = &owner};

    finished_status = 1;
    gap_update_done(&u);
    ck_assert_int_eq(finished_status, 0);
    gap_update_failed(&u, GAP_E_LIMIT);
    ck_assert_int_eq(finished_status, GAP_E_LIMIT);
}
END_TEST

/* ---- markup -----------------------------------------------------------------------------------
 */

START_TEST(test_utf16_offsets)
{
    static const struct {
        const char *text;
        size_t utf16;
        int result;
        size_t byte;
        const char *why;
    } cases[] = {
        {"abc", 0, 0, 0, "start"},
        {"abc", 3, 0, 3, "end"},
        {"abc", 4, GAP_E_ARGUMENT, 0, "behind the end"},
        {"a\xc3\xa4z", 2, 0, 3, "two bytes, one unit"},
        {"\xe2\x82\xacz", 1, 0, 3, "three bytes, one unit"},
        {"\xf0\x9f\x98\x80z", 2, 0, 4, "four bytes, two units"},
        {"\xf0\x9f\x98\x80z", 1, GAP_E_ARGUMENT, 0, "inside a pair"},
        {"\xff\xfez", 2, 0, 2, "no UTF-8: a unit a byte"},
        {"\xf0\x9f\x98", 3, 0, 3, "cut character"},
        {"\xc0\x80z", 2, 0, 2, "overlong lead is no lead"},
        {"", 0, 0, 0, "empty"},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        size_t byte = 0;
        int r = gap_utf16_to_byte(gap_str(cases[i].text), cases[i].utf16, &byte);
        ck_assert_msg(r == cases[i].result, "%s", cases[i].why);
        ck_assert_msg(byte == cases[i].byte, "%s", cases[i].why);
    }
    ck_assert_uint_eq(gap_utf16_length(gap_str("a\xc3\xa4\xf0\x9f\x98\x80")), 4);
    ck_assert_uint_eq(gap_utf16_length(gap_bytes(NULL, 0)), 0);
}
END_TEST

START_TEST(test_entities_over_an_emoji)
{
    const char *text = "\xf0\x9f\x98\x80 bold link";
    gap_tl_message_entity_bold_t bold = {3, 4};
    gap_tl_message_entity_text_url_t url = {8, 4, gap_str("https://example.org")};
    gap_tl_message_entity_blockquote_t quote = {0, 0, 12}; /* has flags in front; goes back */
    gap_tl_message_entity_italic_t wild = {10, 100};
    gap_tl_message_entity_italic_t negative = {-1, 2};
    gap_tl_message_entity_italic_t split = {1, 3};
    gap_tl_object_t objects[] = {
        GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold),
        GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_ITALIC, &wild),
        GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_ITALIC, &negative),
        GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_ITALIC, &split),
        GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_TEXT_URL, &url),
        GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, &quote),
    };
    static const char *const expected[] = {"bold", "link", "\xf0\x9f\x98\x80 bold link"};
    uint8_t bytes[256];
    gap_tl_vector_t v = {bytes, 0, NULL, GAP_ARRAY_LEN(objects)};
    gap_entities_t it;
    gap_entity_t e;

    for (size_t i = 0; i < GAP_ARRAY_LEN(objects); i++) {
        int64_t n = gap_tl_write(objects[i], bytes + v.len, sizeof bytes - v.len);
        ck_assert_int_gt(n, 0);
        v.len += (size_t)n;
    }
    gap_entities_init(&it, gap_str(text), v);
    for (size_t i = 0; i < GAP_ARRAY_LEN(expected); i++) {
        ck_assert_int_eq(gap_entities_next(&it, &e), 1);
        ck_assert_msg(gap_bytes_equal(e.text, gap_str(expected[i])), "%zu", i);
        ck_assert_ptr_eq(e.length == 0 ? NULL : it.text.data + e.offset, e.text.data);
    }
    ck_assert_int_eq(gap_entities_next(&it, &e), 0);
}
END_TEST

static Suite *message_suite(void)
{
    Suite *s = suite_create("message");
    TCase *t = tcase_create("all");

    tcase_add_test(t, test_who_wrote_where);
    tcase_add_test(t, test_rich_message);
    tcase_add_test(t, test_service_message);
    tcase_add_test(t, test_every_update_with_a_message);
    tcase_add_test(t, test_updates_without_a_message);
    tcase_add_test(t, test_accessors_of_a_push);
    tcase_add_test(t, test_accessors_of_a_difference);
    tcase_add_test(t, test_done_and_failed_reach_the_owner);
    tcase_add_test(t, test_utf16_offsets);
    tcase_add_test(t, test_entities_over_an_emoji);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(message_suite)
