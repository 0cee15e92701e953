/* The calls that rows stand for, read back field by field. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "outbox/answer.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define IDS(...)                                                                                   \
    .ids = (const int32_t[]){__VA_ARGS__}, .id_count = sizeof((int32_t[]){__VA_ARGS__}) / 4
#define PERSON  ((gap_peer_t){5, GAP_PEER_USER})
#define GROUP   ((gap_peer_t){6, GAP_PEER_CHAT})
#define CHANNEL ((gap_peer_t){7, GAP_PEER_CHANNEL})
#define SELF    ((gap_peer_t){1, GAP_PEER_USER})
#define PARTLY  ((gap_peer_t){8, GAP_PEER_USER})
#define STRANGE ((gap_peer_t){9, GAP_PEER_USER})

static gap_buf_t out;

static void setup(void)
{
    gap_buf_init(&out, gap_alloc_default());
}

static void teardown(void)
{
    gap_buf_fini(&out);
}

/* ---- an address book ---- */

static int write_peer(gap_tl_object_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                      gap_tl_object_t *object)
{
    int64_t len = gap_tl_write(peer, storage, GAP_INPUT_PEER_BYTES);

    ck_assert_int_gt(len, 0);
    *object = (gap_tl_object_t){storage, (size_t)len, NULL, peer.id};
    return 0;
}

static int address(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                   gap_tl_object_t *object)
{
    gap_tl_input_peer_user_t user = {.user_id = peer.id, .access_hash = 1000 + peer.id};
    gap_tl_input_peer_chat_t chat = {.chat_id = peer.id};
    gap_tl_input_peer_channel_t channel = {.channel_id = peer.id, .access_hash = 1000 + peer.id};
    gap_tl_input_peer_user_from_message_t seen = {
        .peer = GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, &chat), .msg_id = 3, .user_id = peer.id};

    (void)arg;
    if (peer.id == STRANGE.id) return GAP_E_NOT_FOUND;
    if (peer.id == SELF.id)
        return write_peer(gap_tl_of(GAP_TL_INPUT_PEER_SELF, NULL), storage, object);
    if (peer.id == PARTLY.id) {
        chat.chat_id = GROUP.id;
        return write_peer(GAP_TL_OF(GAP_TL_INPUT_PEER_USER_FROM_MESSAGE, &seen), storage, object);
    }
    if (peer.kind == GAP_PEER_CHAT)
        return write_peer(GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, &chat), storage, object);
    if (peer.kind == GAP_PEER_CHANNEL)
        return write_peer(GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &channel), storage, object);
    return write_peer(GAP_TL_OF(GAP_TL_INPUT_PEER_USER, &user), storage, object);
}

static struct gap_request to(gap_peer_t chat)
{
    return (struct gap_request){.chat = chat, .random_id = 4711, .address = address};
}

/* Make the call and read it back. */
#define CALL(q, item, id, m)                                                                       \
    do {                                                                                           \
        gap_buf_clear(&out);                                                                       \
        ck_assert_int_eq(gap_outbox_check(item), 0);                                               \
        ck_assert_int_eq(gap_outbox_query((q), (item), &out), 0);                                  \
        ck_assert_int_eq(gap_tl_skip(gap_buf_view(&out)), (int64_t)out.len);                       \
        ck_assert_int_eq(gap_tl_read(gap_buf_view(&out), (id), (m), sizeof *(m)),                  \
                         (int64_t)out.len);                                                        \
        ck_assert_uint_eq(gap_outbox_method((item)->kind, (q)->chat.kind, 0), (id));               \
    } while (0)

static void assert_bytes(gap_bytes_t a, const char *text)
{
    ck_assert_uint_eq(a.len, strlen(text));
    ck_assert_mem_eq(a.data, text, a.len);
}

static void assert_peer(gap_tl_object_t peer, gap_peer_t expected)
{
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    gap_tl_object_t o;

    ck_assert_int_eq(address(NULL, expected, storage, &o), 0);
    ck_assert_uint_eq(peer.len, o.len);
    ck_assert_mem_eq(peer.data, o.data, o.len);
}

static void assert_channel(gap_tl_object_t channel)
{
    gap_tl_input_channel_t c;

    ck_assert_int_gt(GAP_TL_READ(channel, GAP_TL_INPUT_CHANNEL, &c), 0);
    ck_assert_int_eq(c.channel_id, CHANNEL.id);
    ck_assert_int_eq(c.access_hash, 1000 + CHANNEL.id);
}

static void assert_ints(gap_tl_vector_t v, const int32_t *expected, uint32_t count)
{
    gap_tl_iter_t it = gap_tl_iter(v);
    int32_t n;

    ck_assert_uint_eq(v.count, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(gap_tl_next_int(&it, &n), 1);
        ck_assert_int_eq(n, expected[i]);
    }
}

/* ---- messages ---- */

START_TEST(test_text)
{
    gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_SEND, .chat = PERSON, .content = {.text = B("hi")}};
    struct gap_request q = to(PERSON);
    gap_tl_messages_send_message_t m;

    CALL(&q, &item, GAP_TL_MESSAGES_SEND_MESSAGE, &m);
    ck_assert_uint_eq(m.flags, 0);
    assert_peer(m.peer, PERSON);
    assert_bytes(m.message, "hi");
    ck_assert_int_eq(m.random_id, 4711);
}
END_TEST

START_TEST(test_text_with_everything)
{
    static const gap_tl_reply_keyboard_hide_t hide = {.flags = 0};
    gap_outbox_entity_t bold = {.id = GAP_TL_MESSAGE_ENTITY_BOLD, .length = 2};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                              .chat = CHANNEL,
                              .content = {.text = B("hi"),
                                          .entities = &bold,
                                          .entity_count = 1,
                                          .markup = GAP_TL_OF(GAP_TL_REPLY_KEYBOARD_HIDE, &hide),
                                          .no_preview = true,
                                          .silent = true,
                                          .protect = true},
                              .reply_to = 12};
    struct gap_request q = to(CHANNEL);
    gap_tl_messages_send_message_t m;
    gap_tl_input_reply_to_message_t reply;

    CALL(&q, &item, GAP_TL_MESSAGES_SEND_MESSAGE, &m);
    ck_assert_uint_eq(
        m.flags,
        GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_TO | GAP_TL_MESSAGES_SEND_MESSAGE_F_SILENT |
            GAP_TL_MESSAGES_SEND_MESSAGE_F_NO_WEBPAGE | GAP_TL_MESSAGES_SEND_MESSAGE_F_NOFORWARDS |
            GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_MARKUP | GAP_TL_MESSAGES_SEND_MESSAGE_F_ENTITIES);
    ck_assert_int_gt(GAP_TL_READ(m.reply_to, GAP_TL_INPUT_REPLY_TO_MESSAGE, &reply), 0);
    ck_assert_int_eq(reply.reply_to_msg_id, 12);
    ck_assert_uint_eq(m.reply_markup.id, GAP_TL_REPLY_KEYBOARD_HIDE);
    ck_assert_uint_eq(m.entities.count, 1);
}
END_TEST

/* A row that answers another one waits for that one's message. */
START_TEST(test_answer_to_a_row)
{
    gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_SEND, .chat = PERSON, .content = {.text = B("hi")}, .reply_to_row = 3};
    struct gap_request q = to(PERSON);
    gap_tl_messages_send_message_t m;
    gap_tl_input_reply_to_message_t reply;

    ck_assert_int_eq(gap_buf_append(&out, "before", 6), 0);
    ck_assert_int_eq(gap_outbox_query(&q, &item, &out), GAP_E_STATE);
    ck_assert_uint_eq(out.len, 6);
    q.target = 77;
    CALL(&q, &item, GAP_TL_MESSAGES_SEND_MESSAGE, &m);
    ck_assert_int_gt(GAP_TL_READ(m.reply_to, GAP_TL_INPUT_REPLY_TO_MESSAGE, &reply), 0);
    ck_assert_int_eq(reply.reply_to_msg_id, 77);
}
END_TEST

static const gap_outbox_entity_t all_entities[] = {
    {.id = GAP_TL_MESSAGE_ENTITY_BOLD, .offset = 0, .length = 9},
    {.id = GAP_TL_MESSAGE_ENTITY_PRE, .offset = 1, .length = 8, .value = B("c")},
    {.id = GAP_TL_MESSAGE_ENTITY_TEXT_URL,
     .offset = 2,
     .length = 7,
     .value = B("https://a.example")},
    {.id = GAP_TL_MESSAGE_ENTITY_CUSTOM_EMOJI, .offset = 3, .length = 6, .number = 99},
    {.id = GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, .offset = 4, .length = 5, .number = 1},
    {.id = GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, .offset = 4, .length = 5},
    {.id = GAP_TL_MESSAGE_ENTITY_MENTION_NAME, .offset = 5, .length = 4, .number = 5},
    {.id = GAP_TL_MESSAGE_ENTITY_MENTION_NAME, .offset = 6, .length = 3, .number = 1},
    {.id = GAP_TL_MESSAGE_ENTITY_MENTION_NAME, .offset = 7, .length = 2, .number = 8},
};

static void next(gap_tl_iter_t *it, uint32_t id, void *value, size_t size)
{
    gap_tl_object_t o;

    ck_assert_int_eq(gap_tl_next(it, &o), 1);
    ck_assert_str_eq(gap_tl_name(o.id), gap_tl_name(id));
    ck_assert_int_gt(gap_tl_read(gap_tl_bytes(o), id, value, size), 0);
}

#define NEXT(it, id, value) next((it), (id), (value), sizeof *(value))

START_TEST(test_entities)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                              .chat = PERSON,
                              .content = {.text = B("123456789"),
                                          .entities = all_entities,
                                          .entity_count = GAP_ARRAY_LEN(all_entities)}};
    struct gap_request q = to(PERSON);
    gap_tl_messages_send_message_t m;
    gap_tl_message_entity_bold_t bold;
    gap_tl_message_entity_pre_t pre;
    gap_tl_message_entity_text_url_t url;
    gap_tl_message_entity_custom_emoji_t emoji;
    gap_tl_message_entity_blockquote_t quote;
    gap_tl_input_message_entity_mention_name_t mention;
    gap_tl_input_user_t user;
    gap_tl_input_user_from_message_t seen;

    CALL(&q, &item, GAP_TL_MESSAGES_SEND_MESSAGE, &m);
    ck_assert_uint_eq(m.entities.count, GAP_ARRAY_LEN(all_entities));
    gap_tl_iter_t it = gap_tl_iter(m.entities);
    NEXT(&it, GAP_TL_MESSAGE_ENTITY_BOLD, &bold);
    ck_assert_int_eq(bold.offset, 0);
    ck_assert_int_eq(bold.length, 9);
    NEXT(&it, GAP_TL_MESSAGE_ENTITY_PRE, &pre);
    assert_bytes(pre.language, "c");
    NEXT(&it, GAP_TL_MESSAGE_ENTITY_TEXT_URL, &url);
    assert_bytes(url.url, "https://a.example");
    NEXT(&it, GAP_TL_MESSAGE_ENTITY_CUSTOM_EMOJI, &emoji);
    ck_assert_int_eq(emoji.document_id, 99);
    NEXT(&it, GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, &quote);
    ck_assert_uint_eq(quote.flags, GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE_F_COLLAPSED);
    NEXT(&it, GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, &quote);
    ck_assert_uint_eq(quote.flags, 0);
    NEXT(&it, GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME, &mention);
    ck_assert_int_eq(mention.offset, 5);
    ck_assert_int_eq(mention.length, 4);
    ck_assert_int_gt(GAP_TL_READ(mention.user_id, GAP_TL_INPUT_USER, &user), 0);
    ck_assert_int_eq(user.user_id, 5);
    ck_assert_int_eq(user.access_hash, 1005);
    NEXT(&it, GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME, &mention);
    ck_assert_uint_eq(mention.user_id.id, GAP_TL_INPUT_USER_SELF);
    NEXT(&it, GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME, &mention);
    ck_assert_int_gt(GAP_TL_READ(mention.user_id, GAP_TL_INPUT_USER_FROM_MESSAGE, &seen), 0);
    ck_assert_int_eq(seen.user_id, 8);
    ck_assert_int_eq(seen.msg_id, 3);
    assert_peer(seen.peer, GROUP);
}
END_TEST

/* Every plain entity is written in its own name. */
START_TEST(test_plain_entities)
{
    static const uint32_t plain[] = {GAP_TL_MESSAGE_ENTITY_BOLD,      GAP_TL_MESSAGE_ENTITY_ITALIC,
                                     GAP_TL_MESSAGE_ENTITY_UNDERLINE, GAP_TL_MESSAGE_ENTITY_STRIKE,
                                     GAP_TL_MESSAGE_ENTITY_SPOILER,   GAP_TL_MESSAGE_ENTITY_CODE,
                                     GAP_TL_MESSAGE_ENTITY_URL,       GAP_TL_MESSAGE_ENTITY_HASHTAG,
                                     GAP_TL_MESSAGE_ENTITY_EMAIL};
    struct gap_request q = to(PERSON);
    gap_tl_messages_send_message_t m;
    gap_tl_object_t o;

    for (size_t i = 0; i < GAP_ARRAY_LEN(plain); i++) {
        gap_outbox_entity_t e = {.id = plain[i], .offset = 1, .length = 1};
        gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                                  .chat = PERSON,
                                  .content = {.text = B("abc"), .entities = &e, .entity_count = 1}};
        CALL(&q, &item, GAP_TL_MESSAGES_SEND_MESSAGE, &m);
        gap_tl_iter_t it = gap_tl_iter(m.entities);
        ck_assert_int_eq(gap_tl_next(&it, &o), 1);
        ck_assert_uint_eq(o.id, plain[i]);
        ck_assert_uint_eq(o.len, 12);
    }
}
END_TEST

START_TEST(test_unknown_peers)
{
    gap_outbox_entity_t e = {.id = GAP_TL_MESSAGE_ENTITY_MENTION_NAME, .length = 1, .number = 9};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                              .chat = PERSON,
                              .content = {.text = B("hi"), .entities = &e, .entity_count = 1}};
    gap_outbox_item_t forward = {
        .kind = GAP_OUTBOX_FORWARD, .chat = PERSON, IDS(1), .from = STRANGE};
    struct gap_request q = to(PERSON), strange = to(STRANGE);

    ck_assert_int_eq(gap_outbox_query(&q, &item, &out), GAP_E_NOT_FOUND);
    ck_assert_int_eq(gap_outbox_query(&q, &forward, &out), GAP_E_NOT_FOUND);
    item.content.entity_count = 0;
    ck_assert_int_eq(gap_outbox_query(&strange, &item, &out), GAP_E_NOT_FOUND);
    q.chat = (gap_peer_t){0, GAP_PEER_NONE};
    ck_assert_int_eq(gap_outbox_query(&q, &item, &out), GAP_E_ARGUMENT);
    ck_assert_uint_eq(out.len, 0);
}
END_TEST

/* An address of another kind of peer is none. */
static int wrong_address(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                         gap_tl_object_t *object)
{
    peer.kind = peer.kind == GAP_PEER_CHANNEL ? GAP_PEER_CHAT : GAP_PEER_CHANNEL;
    return address(arg, peer, storage, object);
}

START_TEST(test_wrong_address)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND, .content = {.text = B("hi")}};
    static const gap_peer_t peers[] = {
        {5, GAP_PEER_USER}, {6, GAP_PEER_CHAT}, {7, GAP_PEER_CHANNEL}};

    for (size_t i = 0; i < 3; i++) {
        struct gap_request q = to(peers[i]);
        q.address = wrong_address;
        ck_assert_int_eq(gap_outbox_query(&q, &item, &out), GAP_E_ARGUMENT);
    }
}
END_TEST

START_TEST(test_media)
{
    static const gap_tl_input_media_dice_t dice = {.emoticon = B("x")};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_MEDIA,
                              .chat = GROUP,
                              .content = {.text = B("see"),
                                          .media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_DICE, &dice),
                                          .entities = all_entities,
                                          .entity_count = 0,
                                          .silent = true,
                                          .protect = true,
                                          .no_preview = true},
                              .reply_to = 9};
    struct gap_request q = to(GROUP);
    gap_tl_messages_send_media_t m;

    CALL(&q, &item, GAP_TL_MESSAGES_SEND_MEDIA, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_SEND_MEDIA_F_REPLY_TO |
                                   GAP_TL_MESSAGES_SEND_MEDIA_F_SILENT |
                                   GAP_TL_MESSAGES_SEND_MEDIA_F_NOFORWARDS);
    ck_assert_uint_eq(m.media.id, GAP_TL_INPUT_MEDIA_DICE);
    assert_bytes(m.message, "see");
    ck_assert_int_eq(m.random_id, 4711);
    assert_peer(m.peer, GROUP);
}
END_TEST

START_TEST(test_edit)
{
    static const gap_tl_input_media_dice_t dice = {.emoticon = B("x")};
    static const gap_tl_reply_inline_markup_t markup = {.rows = {NULL, 0, NULL, 0}};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_EDIT,
                              .chat = CHANNEL,
                              .content = {.text = B("hi"), .no_preview = true, .silent = true},
                              .message_row = 5};
    struct gap_request q = to(CHANNEL);
    gap_tl_messages_edit_message_t m;

    ck_assert_int_eq(gap_outbox_query(&q, &item, &out), GAP_E_STATE);
    q.target = 33;
    CALL(&q, &item, GAP_TL_MESSAGES_EDIT_MESSAGE, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE |
                                   GAP_TL_MESSAGES_EDIT_MESSAGE_F_NO_WEBPAGE);
    ck_assert_int_eq(m.id, 33);
    assert_bytes(m.message, "hi");
    /* media without a caption takes the caption away */
    item.content.text.len = 0;
    item.content.media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_DICE, &dice);
    CALL(&q, &item, GAP_TL_MESSAGES_EDIT_MESSAGE, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE |
                                   GAP_TL_MESSAGES_EDIT_MESSAGE_F_MEDIA);
    assert_bytes(m.message, "");
    /* the buttons alone */
    item.content = (gap_outbox_content_t){.markup = GAP_TL_OF(GAP_TL_REPLY_INLINE_MARKUP, &markup)};
    CALL(&q, &item, GAP_TL_MESSAGES_EDIT_MESSAGE, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_EDIT_MESSAGE_F_REPLY_MARKUP);
}
END_TEST

START_TEST(test_delete)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_DELETE, .chat = PERSON, IDS(3, 1, 2)};
    struct gap_request q = to(PERSON);
    gap_tl_messages_delete_messages_t m;
    gap_tl_channels_delete_messages_t c;

    CALL(&q, &item, GAP_TL_MESSAGES_DELETE_MESSAGES, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_DELETE_MESSAGES_F_REVOKE);
    assert_ints(m.id, item.ids, 3);
    item.for_me_only = true;
    CALL(&q, &item, GAP_TL_MESSAGES_DELETE_MESSAGES, &m);
    ck_assert_uint_eq(m.flags, 0);

    gap_outbox_item_t row = {.kind = GAP_OUTBOX_DELETE, .chat = CHANNEL, .message_row = 9};
    static const int32_t target[] = {44};
    q = to(CHANNEL);
    ck_assert_int_eq(gap_outbox_query(&q, &row, &out), GAP_E_STATE);
    q.target = target[0];
    CALL(&q, &row, GAP_TL_CHANNELS_DELETE_MESSAGES, &c);
    assert_channel(c.channel);
    assert_ints(c.id, target, 1);
}
END_TEST

START_TEST(test_forward)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_FORWARD,
                              .chat = PERSON,
                              IDS(3, 1, 2),
                              .from = CHANNEL,
                              .content = {.silent = true, .protect = true}};
    struct gap_request q = to(PERSON);
    gap_tl_messages_forward_messages_t m;
    int64_t id;

    CALL(&q, &item, GAP_TL_MESSAGES_FORWARD_MESSAGES, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_FORWARD_MESSAGES_F_SILENT |
                                   GAP_TL_MESSAGES_FORWARD_MESSAGES_F_NOFORWARDS);
    assert_peer(m.from_peer, CHANNEL);
    assert_peer(m.to_peer, PERSON);
    assert_ints(m.id, item.ids, 3);
    ck_assert_uint_eq(m.random_id.count, 3);
    gap_tl_iter_t it = gap_tl_iter(m.random_id);
    for (uint32_t i = 0; i < 3; i++) {
        ck_assert_int_eq(gap_tl_next_long(&it, &id), 1);
        ck_assert_int_eq(id, gap_outbox_random_at(4711, i));
        ck_assert_int_eq(id == 4711, i == 0);
        ck_assert_int_ne(id, 0);
    }
}
END_TEST

START_TEST(test_pin)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_PIN, .chat = CHANNEL, IDS(3)};
    struct gap_request q = to(CHANNEL);
    gap_tl_messages_update_pinned_message_t m;

    CALL(&q, &item, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &m);
    ck_assert_uint_eq(m.flags, 0);
    ck_assert_int_eq(m.id, 3);
    item.unpin = true;
    item.content.silent = true;
    CALL(&q, &item, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN |
                                   GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_SILENT);
}
END_TEST

START_TEST(test_read)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_READ, .chat = PERSON, .max_id = 8};
    struct gap_request person = to(PERSON), channel = to(CHANNEL);
    gap_tl_messages_read_history_t m;
    gap_tl_channels_read_history_t c;

    CALL(&person, &item, GAP_TL_MESSAGES_READ_HISTORY, &m);
    ck_assert_int_eq(m.max_id, 8);
    assert_peer(m.peer, PERSON);
    item.chat = CHANNEL;
    CALL(&channel, &item, GAP_TL_CHANNELS_READ_HISTORY, &c);
    ck_assert_int_eq(c.max_id, 8);
    assert_channel(c.channel);
}
END_TEST

START_TEST(test_react)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_REACT, .chat = GROUP, IDS(3), .emoji = B("+")};
    struct gap_request q = to(GROUP);
    gap_tl_messages_send_reaction_t m;
    gap_tl_reaction_emoji_t emoji;

    CALL(&q, &item, GAP_TL_MESSAGES_SEND_REACTION, &m);
    ck_assert_uint_eq(m.flags, GAP_TL_MESSAGES_SEND_REACTION_F_REACTION);
    ck_assert_int_eq(m.msg_id, 3);
    gap_tl_iter_t it = gap_tl_iter(m.reaction);
    NEXT(&it, GAP_TL_REACTION_EMOJI, &emoji);
    assert_bytes(emoji.emoticon, "+");
    item.emoji.len = 0;
    CALL(&q, &item, GAP_TL_MESSAGES_SEND_REACTION, &m);
    ck_assert_uint_eq(m.flags, 0);
}
END_TEST

START_TEST(test_probe)
{
    gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = CHANNEL, IDS(3)};
    gap_outbox_item_t row = {.kind = GAP_OUTBOX_PIN, .chat = PERSON, .message_row = 2};
    gap_outbox_item_t send = {
        .kind = GAP_OUTBOX_SEND, .chat = PERSON, .content = {.text = B("hi")}};
    struct gap_request channel = to(CHANNEL), person = to(PERSON);
    gap_tl_channels_get_messages_t c;
    gap_tl_messages_get_messages_t m;
    gap_tl_input_message_id_t id;

    ck_assert_int_eq(gap_outbox_probe_query(&channel, &pin, &out), 0);
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&out), GAP_TL_CHANNELS_GET_MESSAGES, &c, sizeof c),
                     0);
    assert_channel(c.channel);
    gap_tl_iter_t it = gap_tl_iter(c.id);
    NEXT(&it, GAP_TL_INPUT_MESSAGE_ID, &id);
    ck_assert_int_eq(id.id, 3);
    gap_buf_clear(&out);
    ck_assert_int_eq(gap_outbox_probe_query(&person, &row, &out), GAP_E_STATE);
    person.target = 6;
    ck_assert_int_eq(gap_outbox_probe_query(&person, &row, &out), 0);
    ck_assert_int_gt(gap_tl_read(gap_buf_view(&out), GAP_TL_MESSAGES_GET_MESSAGES, &m, sizeof m),
                     0);
    it = gap_tl_iter(m.id);
    NEXT(&it, GAP_TL_INPUT_MESSAGE_ID, &id);
    ck_assert_int_eq(id.id, 6);
    ck_assert_int_eq(gap_outbox_probe_query(&person, &send, &out), GAP_E_NOT_FOUND);
}
END_TEST

/* Out of memory leaves what was there. */
START_TEST(test_no_memory)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                              .chat = PERSON,
                              .content = {.text = B("123456789"),
                                          .entities = all_entities,
                                          .entity_count = GAP_ARRAY_LEN(all_entities)}};
    struct gap_request q = to(PERSON);
    struct fault_alloc f;
    gap_buf_t b;
    int r = GAP_E_NOMEM;

    for (long n = 1; r == GAP_E_NOMEM; n++) {
        fault_alloc_init(&f, n);
        gap_buf_init(&b, &f.alloc);
        r = gap_outbox_query(&q, &item, &b);
        ck_assert(r == 0 || (r == GAP_E_NOMEM && b.len == 0));
        gap_buf_fini(&b);
        ck_assert_int_eq(f.live, 0);
    }
    ck_assert_int_eq(r, 0);
}
END_TEST

/* ---- by kind ---- */

START_TEST(test_methods)
{
    ck_assert_uint_eq(gap_outbox_method(GAP_OUTBOX_POST, GAP_PEER_CHANNEL, 0),
                      GAP_TL_MESSAGES_SEND_MESSAGE);
    ck_assert_uint_eq(gap_outbox_method(GAP_OUTBOX_RAW, GAP_PEER_NONE, 5), 5);
    ck_assert_uint_eq(gap_outbox_method((gap_outbox_kind_t)77, GAP_PEER_USER, 5), 0);
}
END_TEST

START_TEST(test_replay_classes)
{
    static const gap_replay_t classes[] = {
        [GAP_OUTBOX_SEND] = GAP_REPLAY_RANDOM_ID,    [GAP_OUTBOX_MEDIA] = GAP_REPLAY_RANDOM_ID,
        [GAP_OUTBOX_EDIT] = GAP_REPLAY_IDEMPOTENT,   [GAP_OUTBOX_DELETE] = GAP_REPLAY_IDEMPOTENT,
        [GAP_OUTBOX_FORWARD] = GAP_REPLAY_RANDOM_ID, [GAP_OUTBOX_PIN] = GAP_REPLAY_PROBE,
        [GAP_OUTBOX_READ] = GAP_REPLAY_IDEMPOTENT,   [GAP_OUTBOX_REACT] = GAP_REPLAY_IDEMPOTENT};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_PIN, .unpin = true};

    ck_assert_int_eq(gap_outbox_replay(&item), GAP_REPLAY_IDEMPOTENT);
    for (int kind = GAP_OUTBOX_SEND; kind <= GAP_OUTBOX_REACT; kind++) {
        item = (gap_outbox_item_t){.kind = (gap_outbox_kind_t)kind};
        ck_assert_int_eq(gap_outbox_replay(&item), classes[kind]);
    }
    item = (gap_outbox_item_t){.kind = GAP_OUTBOX_RAW, .replay = GAP_REPLAY_NEVER};
    ck_assert_int_eq(gap_outbox_replay(&item), GAP_REPLAY_NEVER);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_request");
    TCase *t = tcase_create("request");

    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, test_text);
    tcase_add_test(t, test_text_with_everything);
    tcase_add_test(t, test_answer_to_a_row);
    tcase_add_test(t, test_entities);
    tcase_add_test(t, test_plain_entities);
    tcase_add_test(t, test_unknown_peers);
    tcase_add_test(t, test_wrong_address);
    tcase_add_test(t, test_media);
    tcase_add_test(t, test_edit);
    tcase_add_test(t, test_delete);
    tcase_add_test(t, test_forward);
    tcase_add_test(t, test_pin);
    tcase_add_test(t, test_read);
    tcase_add_test(t, test_react);
    tcase_add_test(t, test_probe);
    tcase_add_test(t, test_no_memory);
    tcase_add_test(t, test_methods);
    tcase_add_test(t, test_replay_classes);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
