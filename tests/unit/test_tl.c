/* tests/unit/test_tl.c - reading, writing and skipping TL: bytes written by hand from the rules of
 * the serialisation, wrong bytes, and what the limits refuse. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "tl/tl.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

/* updateShort with updateNewChannelMessage around a text message */
static gap_tl_object_t sample_message(gap_tl_peer_user_t *from, gap_tl_peer_channel_t *peer,
                                      gap_tl_message_t *message)
{
    from->user_id = 77;
    peer->channel_id = 88;
    memset(message, 0, sizeof *message);
    message->flags = GAP_TL_MESSAGE_F_FROM_ID | GAP_TL_MESSAGE_F_POST;
    message->id = 5;
    message->from_id = GAP_TL_OF(GAP_TL_PEER_USER, from);
    message->peer_id = GAP_TL_OF(GAP_TL_PEER_CHANNEL, peer);
    message->date = 1700000000;
    message->message = gap_str("hello");
    return GAP_TL_OF(GAP_TL_MESSAGE, message);
}

START_TEST(test_message_bytes)
{
    static const uint8_t expected[] = {
        0xd3, 0xb9, 0x00, 0x76, /* message */
        0x00, 0x41, 0x00, 0x00, /* flags: bits 8 (from_id) and 14 (post) */
        0x00, 0x00, 0x00, 0x00, /* flags2 */
        0x05, 0x00, 0x00, 0x00, /* id */
        0x22, 0x17, 0x51, 0x59, 77,  0,   0, 0, 0, 0, 0, 0, /* peerUser */
        0x1e, 0x37, 0xa5, 0xa2, 88,  0,   0, 0, 0, 0, 0, 0, /* peerChannel */
        0x00, 0xf1, 0x53, 0x65,                             /* date 1700000000 */
        0x05, 'h',  'e',  'l',  'l', 'o', 0, 0,
    };
    gap_tl_peer_user_t from;
    gap_tl_peer_channel_t peer;
    gap_tl_message_t message, back;
    uint8_t out[256];
    gap_tl_object_t object = sample_message(&from, &peer, &message);

    ck_assert_int_eq(gap_tl_size(object), (int)sizeof expected);
    ck_assert_int_eq(gap_tl_write(object, out, sizeof out), (int)sizeof expected);
    ck_assert_mem_eq(out, expected, sizeof expected);
    ck_assert_int_eq(gap_tl_skip(gap_bytes(out, sizeof out)), (int)sizeof expected);
    ck_assert_int_eq(
        gap_tl_read(gap_bytes(out, sizeof expected), GAP_TL_MESSAGE, &back, sizeof back),
        (int)sizeof expected);
    ck_assert_int_eq(back.id, 5);
    ck_assert_uint_eq(back.from_id.id, GAP_TL_PEER_USER);
    ck_assert_uint_eq(back.from_id.len, 12);
    ck_assert_uint_eq(back.peer_id.id, GAP_TL_PEER_CHANNEL);
    ck_assert_uint_eq(back.message.len, 5);
    ck_assert_mem_eq(back.message.data, "hello", 5);
    ck_assert_ptr_null(back.media.data);
    for (size_t cut = 0; cut < sizeof expected; cut++) {
        ck_assert_int_eq(gap_tl_skip(gap_bytes(out, cut)), GAP_E_TL);
        ck_assert_int_eq(gap_tl_read(gap_bytes(out, cut), GAP_TL_MESSAGE, &back, sizeof back),
                         GAP_E_TL);
    }
}
END_TEST

struct text {
    char data[4096];
    size_t len;
    int result; /* of the sink */
};

static int collect(void *data, const char *text, size_t len)
{
    struct text *t = data;

    if (t->result < 0) return t->result;
    ck_assert_uint_lt(t->len + len, sizeof t->data);
    memcpy(t->data + t->len, text, len);
    t->len += len;
    t->data[t->len] = 0;
    return 0;
}

/* Serialise, print, compare. */
static void check_print(gap_tl_object_t object, const char *expected)
{
    static uint8_t bytes[4096];
    struct text text = {.len = 0};
    int64_t len = gap_tl_write(object, bytes, sizeof bytes);

    ck_assert_int_gt(len, 0);
    ck_assert_int_eq(gap_tl_print(gap_bytes(bytes, (size_t)len), collect, &text), 0);
    ck_assert_str_eq(text.data, expected);
    text.result = GAP_E_CLOSED;
    ck_assert_int_eq(gap_tl_print(gap_bytes(bytes, (size_t)len), collect, &text), GAP_E_CLOSED);
}

START_TEST(test_print_message)
{
    gap_tl_peer_user_t from;
    gap_tl_peer_channel_t peer;
    gap_tl_message_t message;
    gap_tl_object_t object = sample_message(&from, &peer, &message);
    gap_tl_update_new_channel_message_t update = {.message = object, .pts = 9, .pts_count = 1};

    message.message = gap_str("a\"b\\\n\xc3\xa9");
    check_print(GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &update),
                "{\"_\":\"updateNewChannelMessage\",\"message\":{\"_\":\"message\",\"post\":true,"
                "\"id\":5,\"from_id\":{\"_\":\"peerUser\",\"user_id\":\"77\"},"
                "\"peer_id\":{\"_\":\"peerChannel\",\"channel_id\":\"88\"},\"date\":1700000000,"
                "\"message\":\"a\\\"b\\\\\\u000a\xc3\xa9\"},\"pts\":9,\"pts_count\":1}");
    message.message = gap_bytes("\xff\xfe", 2);
    check_print(object, "{\"_\":\"message\",\"post\":true,\"id\":5,"
                        "\"from_id\":{\"_\":\"peerUser\",\"user_id\":\"77\"},"
                        "\"peer_id\":{\"_\":\"peerChannel\",\"channel_id\":\"88\"},"
                        "\"date\":1700000000,\"message\":{\"_bytes\":\"//4=\"}}");
}
END_TEST

START_TEST(test_print_service)
{
    static const int64_t ids[] = {1, -1, INT64_MIN};
    gap_mt_msgs_ack_t ack = {.msg_ids = gap_tl_array(ids, 3)};
    gap_mt_pong_t pong = {.msg_id = 3, .ping_id = 4};
    gap_mt_message_t messages[2] = {
        {.msg_id = 1, .seqno = 2, .body = GAP_TL_OF(GAP_MT_MSGS_ACK, &ack)},
        {.msg_id = 5, .seqno = 3, .body = GAP_TL_OF(GAP_MT_PONG, &pong)},
    };
    gap_mt_msg_container_t container = {.messages = gap_tl_array(messages, 2)};

    check_print(GAP_TL_OF(GAP_MT_MSG_CONTAINER, &container),
                "{\"_\":\"msg_container\",\"messages\":[{\"_\":\"message\",\"msg_id\":\"1\","
                "\"seqno\":2,\"bytes\":36,\"body\":{\"_\":\"msgs_ack\",\"msg_ids\":[\"1\",\"-1\","
                "\"-9223372036854775808\"]}},{\"_\":\"message\",\"msg_id\":\"5\",\"seqno\":3,"
                "\"bytes\":20,\"body\":{\"_\":\"pong\",\"msg_id\":\"3\",\"ping_id\":\"4\"}}]}");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("tl");
    TCase *t = tcase_create("objects");

    tcase_add_test(t, test_message_bytes);
    tcase_add_test(t, test_print_message);
    tcase_add_test(t, test_print_service);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
