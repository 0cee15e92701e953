/* tests/unit/test_difference.c - differences of both kinds, results of calls, short forms. */
#include "tests/check_main.h"

#include "sequence/update.h"
#include "sequence/walk.h"
#include "tests/unit/updates_build.h"

#include <gapless/message.h>

static const gap_peer_t private_chat = {7, GAP_PEER_USER};
static const gap_peer_t channel_1001 = {1001, GAP_PEER_CHANNEL};

/* ---- the common difference --------------------------------------------------------------------
 */

/* Two messages, an encrypted one, and other updates in the order given. */
static gap_bytes_t build_difference(bool slice, const int32_t ids[2])
{
    static const gap_tl_update_folder_peers_t folder = {{NULL, 0, NULL, 0}, 20, 0};
    static const gap_tl_update_pts_changed_t changed = {0};
    static const gap_tl_update_message_id_t message_id = {31, 4242};
    static const gap_tl_update_config_t config = {0};
    gap_tl_encrypted_message_service_t secret = {1, 2, 3, {NULL, 0}};
    gap_tl_object_t secrets[] = {GAP_TL_OF(GAP_TL_ENCRYPTED_MESSAGE_SERVICE, &secret)};
    gap_bytes_t first = build_message(private_chat, 7, ids[0], "one");
    gap_bytes_t second = build_message(private_chat, 7, ids[1], "two");
    gap_tl_object_t messages[] = {as_object(first), as_object(second)};
    gap_tl_object_t updates[] = {
        GAP_TL_OF(GAP_TL_UPDATE_PTS_CHANGED, &changed),
        GAP_TL_OF(GAP_TL_UPDATE_CONFIG, &config),
        GAP_TL_OF(GAP_TL_UPDATE_FOLDER_PEERS, &folder),
        GAP_TL_OF(GAP_TL_UPDATE_MESSAGE_ID, &message_id),
    };
    gap_tl_updates_state_t state = {101, 102, 103, 104, 105};
    gap_tl_updates_difference_t d = {
        .new_messages = gap_tl_array(messages, 2),
        .new_encrypted_messages = gap_tl_array(secrets, 1),
        .other_updates = gap_tl_array(updates, 4),
        .chats = gap_tl_array(NULL, 0),
        .users = gap_tl_array(NULL, 0),
        .state = GAP_TL_OF(GAP_TL_UPDATES_STATE, &state),
    };
    /* difference and differenceSlice have the same fields. */
    gap_bytes_t out =
        build(GAP_TL_OF(slice ? GAP_TL_UPDATES_DIFFERENCE_SLICE : GAP_TL_UPDATES_DIFFERENCE, &d));
    build_free(first);
    build_free(second);
    return out;
}

START_TEST(test_common_difference_is_handed_out_in_order)
{
    static const uint32_t order[] = {
        GAP_TL_UPDATE_FOLDER_PEERS,          GAP_TL_UPDATE_MESSAGE_ID,
        GAP_TL_UPDATE_NEW_MESSAGE,           GAP_TL_UPDATE_NEW_MESSAGE,
        GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE, GAP_TL_UPDATE_CONFIG,
        GAP_TL_UPDATE_PTS_CHANGED,
    };
    static const int32_t ids[][2] = {{31, 32}, {32, 31}}; /* sorted by the server, and not */

    for (int slice = 0; slice < 2; slice++) {
        struct gap_difference d;
        struct gap_item item;
        gap_bytes_t bytes = build_difference(slice == 1, ids[slice]);
        ck_assert_int_eq(gap_difference_open(bytes, 0, &d), 0);
        ck_assert_int_eq(d.kind, slice ? GAP_DIFFERENCE_SLICE : GAP_DIFFERENCE_FINAL);
        ck_assert_int_eq(d.final, !slice);
        ck_assert(d.has_pts);
        ck_assert_int_eq(d.pts, 101);
        ck_assert_int_eq(d.qts, 102);
        ck_assert_int_eq(d.date, 103);
        ck_assert_int_eq(d.seq, 104);
        int32_t expected_id = 31;
        for (size_t i = 0; i < GAP_ARRAY_LEN(order); i++) {
            ck_assert(gap_difference_next(&d, &item));
            ck_assert_msg(item.id == order[i], "%zu: %s", i, gap_tl_name(item.id));
            if (item.id != GAP_TL_UPDATE_NEW_MESSAGE) continue;
            gap_message_t m;
            ck_assert((item.flags & GAP_ITEM_MESSAGE) != 0);
            ck_assert_int_eq(item.pts, -1);
            ck_assert_int_eq(gap_message_view(item.bytes, &m), 0);
            ck_assert_msg(m.id == expected_id++, "messages come by ascending id");
        }
        ck_assert(!gap_difference_next(&d, &item));
        ck_assert(!gap_difference_next(&d, &item));
        for (size_t cut = 0; cut < bytes.len; cut++)
            ck_assert_int_eq(gap_difference_open(gap_bytes(bytes.data, cut), 0, &d), GAP_E_TL);
        build_free(bytes);
    }
}
END_TEST

START_TEST(test_common_empty_and_too_long)
{
    gap_tl_updates_difference_empty_t empty = {55, 66};
    gap_tl_updates_difference_too_long_t too_long = {9999};
    gap_bytes_t e = build(GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &empty));
    gap_bytes_t t = build(GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_TOO_LONG, &too_long));
    struct gap_difference d;
    struct gap_item item;

    ck_assert_int_eq(gap_difference_open(e, 0, &d), 0);
    ck_assert_int_eq(d.kind, GAP_DIFFERENCE_EMPTY);
    ck_assert(!d.has_pts);
    ck_assert_int_eq(d.date, 55);
    ck_assert_int_eq(d.seq, 66);
    ck_assert(!gap_difference_next(&d, &item));
    ck_assert_int_eq(gap_difference_open(t, 0, &d), 0);
    ck_assert_int_eq(d.kind, GAP_DIFFERENCE_TOO_LONG);
    ck_assert_int_eq(d.pts, 9999);
    ck_assert_msg(gap_difference_open(e, 1001, &d) == GAP_E_TL, "asked for a channel's");
    build_free(e);
    build_free(t);
}
END_TEST

/* ---- channel differences ----------------------------------------------------------------------
 */

START_TEST(test_channel_difference)
{
    gap_bytes_t m1 = build_message(channel_1001, 7, 10, "one");
    gap_tl_message_empty_t gone = {.id = 11};
    gap_tl_object_t messages[] = {as_object(m1), GAP_TL_OF(GAP_TL_MESSAGE_EMPTY, &gone)};
    gap_tl_update_delete_channel_messages_t del = {1001, gap_tl_array(NULL, 0), 90, 0};
    gap_tl_object_t updates[] = {GAP_TL_OF(GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, &del)};
    gap_bytes_t channel = build_channel(1001, 5, 0);
    gap_tl_object_t chats[] = {as_object(channel)};
    gap_tl_updates_channel_difference_t c = {
        .flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_TIMEOUT,
        .pts = 90,
        .timeout = 300,
        .new_messages = gap_tl_array(messages, 2),
        .other_updates = gap_tl_array(updates, 1),
        .chats = gap_tl_array(chats, 1),
        .users = gap_tl_array(NULL, 0),
    };
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE, &c));
    struct gap_difference d;
    struct gap_item item;

    ck_assert_int_eq(gap_difference_open(bytes, 1001, &d), 0);
    ck_assert_int_eq(d.kind, GAP_DIFFERENCE_SLICE);
    ck_assert_int_eq(d.pts, 90);
    ck_assert_int_eq(d.timeout, 300);
    ck_assert_uint_eq(d.chats.count, 1);
    ck_assert(gap_difference_next(&d, &item));
    ck_assert_uint_eq(item.id, GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE);
    ck_assert_int_eq(item.channel_id, 1001);
    ck_assert_int_eq(item.box, GAP_BOX_CHANNEL);
    ck_assert(gap_difference_next(&d, &item));
    ck_assert_msg(item.id == GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES,
                  "the empty message is left out");
    ck_assert(!gap_difference_next(&d, &item));
    ck_assert_msg(gap_difference_open(bytes, 0, &d) == GAP_E_TL, "asked for the common one");
    for (size_t cut = 0; cut < bytes.len; cut++)
        ck_assert_int_eq(gap_difference_open(gap_bytes(bytes.data, cut), 1001, &d), GAP_E_TL);
    build_free(bytes);
    build_free(m1);
    build_free(channel);
}
END_TEST

START_TEST(test_channel_empty)
{
    gap_tl_updates_channel_difference_empty_t e = {
        .flags = GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY_F_FINAL,
        .pts = 12,
    };
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY, &e));
    struct gap_difference d;

    ck_assert_int_eq(gap_difference_open(bytes, 1001, &d), 0);
    ck_assert_int_eq(d.kind, GAP_DIFFERENCE_EMPTY);
    ck_assert(d.final);
    ck_assert_int_eq(d.pts, 12);
    ck_assert_int_eq(d.timeout, -1);
    build_free(bytes);
}
END_TEST

START_TEST(test_channel_too_long_takes_pts_from_the_dialog)
{
    gap_tl_peer_channel_t peer = {1001};
    gap_tl_peer_notify_settings_t notify = {0};
    gap_tl_dialog_t dialog = {
        .flags = GAP_TL_DIALOG_F_PTS,
        .peer = GAP_TL_OF(GAP_TL_PEER_CHANNEL, &peer),
        .top_message = 44,
        .notify_settings = GAP_TL_OF(GAP_TL_PEER_NOTIFY_SETTINGS, &notify),
        .pts = 777,
    };
    gap_bytes_t newest = build_message(channel_1001, 7, 44, "newest");
    gap_bytes_t older = build_message(channel_1001, 7, 43, "older");
    gap_tl_object_t messages[] = {as_object(newest), as_object(older)};
    gap_tl_updates_channel_difference_too_long_t t = {
        .dialog = GAP_TL_OF(GAP_TL_DIALOG, &dialog),
        .messages = gap_tl_array(messages, 2),
        .chats = gap_tl_array(NULL, 0),
        .users = gap_tl_array(NULL, 0),
    };
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG, &t));
    struct gap_difference d;
    struct gap_item item;

    ck_assert_int_eq(gap_difference_open(bytes, 1001, &d), 0);
    ck_assert_int_eq(d.kind, GAP_DIFFERENCE_TOO_LONG);
    ck_assert(!d.final);
    ck_assert(d.has_pts);
    ck_assert_int_eq(d.pts, 777);
    ck_assert_int_eq(d.top_message, 44);
    ck_assert(gap_difference_next(&d, &item));
    ck_assert_msg(gap_bytes_equal(item.bytes, older), "oldest first");
    ck_assert(gap_difference_next(&d, &item));
    ck_assert(gap_bytes_equal(item.bytes, newest));
    ck_assert(!gap_difference_next(&d, &item));
    build_free(bytes);
    dialog.flags = 0;
    bytes = build(GAP_TL_OF(GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG, &t));
    ck_assert_int_eq(gap_difference_open(bytes, 1001, &d), 0);
    ck_assert_msg(!d.has_pts, "a dialog without pts");
    build_free(bytes);
    build_free(newest);
    build_free(older);
}
END_TEST

/* ---- results ----------------------------------------------------------------------------------
 */

START_TEST(test_affected_messages_name_their_channel)
{
    gap_tl_input_channel_t input = {1001, 5};
    gap_tl_input_peer_channel_t input_peer = {1002, 5};
    gap_tl_input_peer_user_t user = {7, 5};
    gap_tl_input_peer_channel_from_message_t seen = {GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &user), 3,
                                                     1003};
    gap_tl_channels_delete_messages_t in_channel = {GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &input),
                                                    gap_tl_array(NULL, 0)};
    gap_tl_messages_delete_messages_t common = {0, gap_tl_array(NULL, 0)};
    gap_tl_messages_read_mentions_t mentions = {
        .peer = GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &input_peer)};
    gap_tl_messages_read_history_t history = {GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &user), 4};
    gap_tl_messages_read_history_t from = {GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE, &seen),
                                           4};
    gap_tl_invoke_with_layer_t wrapped = {227, GAP_TL_OF(GAP_TL_MESSAGES_READ_MENTIONS, &mentions)};
    gap_tl_init_connection_t init = {.api_id = 1,
                                     .query = GAP_TL_OF(GAP_TL_INVOKE_WITH_LAYER, &wrapped)};
    gap_tl_messages_affected_messages_t result = {50, 3};
    const struct {
        gap_tl_object_t query;
        int64_t channel;
    } cases[] = {
        {GAP_TL_OF(GAP_TL_CHANNELS_DELETE_MESSAGES, &in_channel), 1001},
        {GAP_TL_OF(GAP_TL_MESSAGES_DELETE_MESSAGES, &common), 0},
        {GAP_TL_OF(GAP_TL_MESSAGES_READ_MENTIONS, &mentions), 1002},
        {GAP_TL_OF(GAP_TL_MESSAGES_READ_HISTORY, &history), 0},
        {GAP_TL_OF(GAP_TL_MESSAGES_READ_HISTORY, &from), 1003},
        {GAP_TL_OF(GAP_TL_INIT_CONNECTION, &init), 1002},
    };
    gap_bytes_t answer = build(GAP_TL_OF(GAP_TL_MESSAGES_AFFECTED_MESSAGES, &result));

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        struct gap_result_view v;
        gap_bytes_t query = build(cases[i].query);
        gap_result_inspect(query, answer, &v);
        ck_assert_int_eq(v.kind, GAP_RESULT_AFFECTED);
        ck_assert_int_eq(v.pts, 50);
        ck_assert_int_eq(v.pts_count, 3);
        ck_assert_msg(v.channel_id == cases[i].channel, "case %zu: %lld", i,
                      (long long)v.channel_id);
        build_free(query);
    }
    build_free(answer);
}
END_TEST

START_TEST(test_nested_updates_are_found)
{
    uint32_t nested[] = {GAP_TL_MESSAGES_INVITED_USERS, GAP_TL_UPDATES_TOO_LONG, GAP_TL_VECTOR, 0};
    uint32_t plain[] = {GAP_TL_UPDATES_TOO_LONG};
    uint32_t other[] = {0x997275b5}; /* boolTrue */
    struct gap_result_view v;

    gap_result_inspect(gap_bytes(NULL, 0), gap_bytes(nested, sizeof nested), &v);
    ck_assert_int_eq(v.kind, GAP_RESULT_UPDATES);
    ck_assert_uint_eq(gap_load32(v.updates.data), GAP_TL_UPDATES_TOO_LONG);
    gap_result_inspect(gap_bytes(NULL, 0), gap_bytes(plain, sizeof plain), &v);
    ck_assert_int_eq(v.kind, GAP_RESULT_UPDATES);
    gap_result_inspect(gap_bytes(NULL, 0), gap_bytes(other, sizeof other), &v);
    ck_assert_int_eq(v.kind, GAP_RESULT_NONE);
    gap_result_inspect(gap_bytes(NULL, 0), gap_bytes(NULL, 0), &v);
    ck_assert_int_eq(v.kind, GAP_RESULT_NONE);
}
END_TEST

/* Every method that is answered with messages.affected* and addresses a peer must be looked at. */
START_TEST(test_every_affecting_method_finds_its_channel)
{
    gap_tl_input_peer_channel_t peer = {1002, 5};
    gap_tl_input_channel_t channel = {1002, 5};
    gap_bytes_t as_peer = build(GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &peer));
    gap_bytes_t as_channel = build(GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel));
    gap_tl_messages_affected_history_t result = {50, 3, 0};
    gap_bytes_t answer = build(GAP_TL_OF(GAP_TL_MESSAGES_AFFECTED_HISTORY, &result));
    int addressed = 0;

    for (uint32_t i = 0; i < gap_tl_info_count; i++) {
        const gap_tl_info_t *info = &gap_tl_infos[i];
        if (!info->is_method || strncmp(gap_tl_type(info->id), "messages.Affected", 17) != 0)
            continue;
        uint8_t query[64] = {0};
        size_t at = 4;
        bool peered = false;
        gap_store32(query, info->id);
        for (int k = 0; k < info->count && !peered; k++) {
            const gap_tl_field_t *f = &gap_tl_fields[info->first + k];
            const char *name = gap_tl_names + f->name;
            if (f->kind == GAP_TL_K_FLAGS) {
                gap_store32(query + at, 1); /* the optional first peer of deleteSavedHistory */
                at += 4;
            } else if (f->kind == GAP_TL_K_OBJECT) {
                gap_bytes_t object = strcmp(name, "channel") == 0 ? as_channel : as_peer;
                memcpy(query + at, object.data, object.len);
                at += object.len;
                peered = true;
            } else if (f->kind != GAP_TL_K_TRUE) {
                break;
            }
        }
        if (!peered) continue;
        addressed++;
        struct gap_result_view v;
        gap_result_inspect(gap_bytes(query, at), answer, &v);
        ck_assert_msg(v.channel_id == 1002, "%s", gap_tl_names + info->name);
    }
    ck_assert_int_eq(addressed, 11);
    build_free(as_peer);
    build_free(as_channel);
    build_free(answer);
}
END_TEST

/* ---- short forms ------------------------------------------------------------------------------
 */

static void check_short(gap_bytes_t bytes, gap_peer_t chat, gap_peer_t sender, bool out)
{
    struct gap_updates u;
    struct gap_item item;
    struct gap_item full;
    gap_packet_t *packet = NULL;
    gap_update_t update;
    gap_message_t m;

    ck_assert_int_eq(gap_updates_open(bytes, &u), 0);
    ck_assert_int_eq(u.kind, GAP_UPDATES_SHORT);
    ck_assert_int_eq(u.date, 1234);
    ck_assert(gap_updates_next(&u, &item));
    ck_assert_int_eq(item.flags, GAP_ITEM_SHORT);
    ck_assert_int_eq(item.box, GAP_BOX_COMMON);
    ck_assert_int_eq(item.pts, 60);
    ck_assert_int_eq(item.pts_count, 1);
    ck_assert_int_eq(gap_short_expand(gap_alloc_default(), &item, 42, &packet, &full), 0);
    ck_assert_uint_eq(full.id, GAP_TL_UPDATE_NEW_MESSAGE);
    ck_assert_int_eq(full.pts, 60);
    ck_assert_int_eq(full.pts_count, 1);
    gap_tl_vector_t none = {NULL, 0, NULL, 0};
    gap_update_init(&update, &full, none, none);
    ck_assert_int_eq(gap_message_read(&update, &m), 0);
    ck_assert_int_eq(m.id, 12);
    ck_assert_int_eq(m.chat.kind, chat.kind);
    ck_assert_int_eq(m.chat.id, chat.id);
    ck_assert_int_eq(m.sender.kind, sender.kind);
    ck_assert_int_eq(m.sender.id, sender.id);
    ck_assert_int_eq(m.out, out);
    ck_assert_int_eq(m.via_bot, 99);
    ck_assert_int_eq(m.date, 1234);
    ck_assert(m.mentioned);
    ck_assert(gap_bytes_equal(m.text, gap_str("short")));
    gap_packet_unref(packet);
    for (size_t cut = 0; cut < bytes.len; cut++)
        ck_assert_int_eq(gap_updates_open(gap_bytes(bytes.data, cut), &u), GAP_E_TL);
}

START_TEST(test_short_messages)
{
    gap_tl_update_short_message_t s = {
        .flags = GAP_TL_UPDATE_SHORT_MESSAGE_F_VIA_BOT_ID | GAP_TL_UPDATE_SHORT_MESSAGE_F_MENTIONED,
        .id = 12,
        .user_id = 7,
        .message = gap_str("short"),
        .pts = 60,
        .pts_count = 1,
        .date = 1234,
        .via_bot_id = 99,
    };
    gap_tl_update_short_chat_message_t c = {
        .flags = s.flags,
        .id = 12,
        .from_id = 7,
        .chat_id = 55,
        .message = s.message,
        .pts = 60,
        .pts_count = 1,
        .date = 1234,
        .via_bot_id = 99,
    };
    const gap_peer_t self = {42, GAP_PEER_USER};
    const gap_peer_t chat = {55, GAP_PEER_CHAT};

    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATE_SHORT_MESSAGE, &s));
    check_short(bytes, private_chat, private_chat, false);
    build_free(bytes);
    s.flags |= GAP_TL_UPDATE_SHORT_MESSAGE_F_OUT;
    bytes = build(GAP_TL_OF(GAP_TL_UPDATE_SHORT_MESSAGE, &s));
    check_short(bytes, private_chat, self, true);
    build_free(bytes);
    bytes = build(GAP_TL_OF(GAP_TL_UPDATE_SHORT_CHAT_MESSAGE, &c));
    check_short(bytes, chat, private_chat, false);
    build_free(bytes);
}
END_TEST

START_TEST(test_sent_message)
{
    gap_tl_update_short_sent_message_t s = {.flags = GAP_TL_UPDATE_SHORT_SENT_MESSAGE_F_OUT,
                                            .id = 13,
                                            .pts = 61,
                                            .pts_count = 1,
                                            .date = 1235};
    gap_tl_input_peer_user_t to = {7, 5};
    gap_tl_input_reply_to_message_t reply = {.reply_to_msg_id = 12};
    gap_tl_messages_send_message_t q = {
        .flags = GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_TO | GAP_TL_MESSAGES_SEND_MESSAGE_F_SILENT,
        .peer = GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &to),
        .reply_to = GAP_TL_OF(GAP_TL_INPUT_REPLY_TO_MESSAGE, &reply),
        .message = gap_str("mine"),
        .random_id = 1,
    };
    gap_bytes_t bytes = build(GAP_TL_OF(GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &s));
    gap_bytes_t query = build(GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &q));
    struct gap_updates u;
    struct gap_item item;
    struct gap_item full;
    gap_packet_t *packet = NULL;
    gap_message_t m;

    ck_assert_int_eq(gap_updates_open(bytes, &u), 0);
    ck_assert(gap_updates_next(&u, &item));
    ck_assert_int_eq(item.flags, GAP_ITEM_SENT);
    ck_assert_int_eq(item.pts, 61);
    ck_assert_int_eq(item.pts_count, 1);
    ck_assert_int_eq(gap_sent_expand(gap_alloc_default(), &item, query, 42, &packet, &full), 0);
    ck_assert_int_eq(full.pts, 61);
    bool edit;
    ck_assert_int_eq(gap_message_view(gap_update_message_at(full.id, full.bytes, &edit), &m), 0);
    ck_assert_int_eq(m.chat.id, 7);
    ck_assert_int_eq(m.chat.kind, GAP_PEER_USER);
    ck_assert_int_eq(m.sender.id, 42);
    ck_assert_int_eq(m.id, 13);
    ck_assert_int_eq(m.reply_to, 12);
    ck_assert(m.out);
    ck_assert(m.silent);
    ck_assert(gap_bytes_equal(m.text, gap_str("mine")));
    gap_packet_unref(packet);
    ck_assert_int_eq(
        gap_sent_expand(gap_alloc_default(), &item, gap_bytes(NULL, 0), 42, &packet, &full),
        GAP_E_ARGUMENT);
    struct fault_alloc f;
    fault_alloc_init(&f, 1);
    ck_assert_int_eq(gap_sent_expand(&f.alloc, &item, query, 42, &packet, &full), GAP_E_NOMEM);
    ck_assert_int_eq(f.live, 0);
    build_free(bytes);
    build_free(query);
}
END_TEST

static Suite *difference_suite(void)
{
    Suite *s = suite_create("difference");
    TCase *t = tcase_create("all");

    tcase_add_test(t, test_common_difference_is_handed_out_in_order);
    tcase_add_test(t, test_common_empty_and_too_long);
    tcase_add_test(t, test_channel_difference);
    tcase_add_test(t, test_channel_empty);
    tcase_add_test(t, test_channel_too_long_takes_pts_from_the_dialog);
    tcase_add_test(t, test_affected_messages_name_their_channel);
    tcase_add_test(t, test_nested_updates_are_found);
    tcase_add_test(t, test_every_affecting_method_finds_its_channel);
    tcase_add_test(t, test_short_messages);
    tcase_add_test(t, test_sent_message);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(difference_suite)
