/*
 * Rules of what a row may hold, as gapless/outbox.h has them, and that nothing else comes out of a
 * table, whatever bytes are in it.
 */
#include "tests/check_main.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "outbox/content.h"
#include "outbox/request.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define TEXT(t) .text = B(t)
#define ENT(...)                                                                                   \
    .entities = (const gap_outbox_entity_t[]){__VA_ARGS__},                                        \
    .entity_count = sizeof((gap_outbox_entity_t[]){__VA_ARGS__}) / sizeof(gap_outbox_entity_t)
#define IDS(...)                                                                                   \
    .ids = (const int32_t[]){__VA_ARGS__}, .id_count = sizeof((int32_t[]){__VA_ARGS__}) / 4
#define USER    .chat = {5, GAP_PEER_USER}
#define GROUP   .chat = {6, GAP_PEER_CHAT}
#define CHANNEL .chat = {7, GAP_PEER_CHANNEL}
#define BOLD(o, l)                                                                                 \
    {                                                                                              \
        .id = GAP_TL_MESSAGE_ENTITY_BOLD, .offset = (o), .length = (l)                             \
    }
#define DICE                                                                                       \
    {                                                                                              \
        .id = GAP_TL_INPUT_MEDIA_DICE, .value = &dice                                              \
    }
#define SMILE "\xf0\x9f\x99\x82" /* two UTF-16 units */

static const gap_tl_input_media_dice_t dice = {.emoticon = B("\xf0\x9f\x8e\xb2")};
static const gap_tl_input_media_uploaded_photo_t uploaded = {.flags = 0};
static const gap_tl_reply_inline_markup_t inline_markup = {.rows = {NULL, 0, NULL, 0}};
static const gap_tl_reply_keyboard_hide_t hide_markup = {.flags = 0};
static const gap_tl_help_get_nearest_dc_t nearest = {0};

struct rule {
    const char *why;
    gap_outbox_item_t item;
    int result;
};

static const struct rule rules[] = {
    {"a text", {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}}, 0},
    {"no kind", {USER, .content = {TEXT("hi")}}, GAP_E_ARGUMENT},
    {"posts have their own door",
     {.kind = GAP_OUTBOX_POST, USER, .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},
    {"no chat", {.kind = GAP_OUTBOX_SEND, .content = {TEXT("hi")}}, GAP_E_ARGUMENT},
    {"a negative chat",
     {.kind = GAP_OUTBOX_SEND, .chat = {-5, GAP_PEER_USER}, .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},
    {"a group whose mark would be a channel's",
     {.kind = GAP_OUTBOX_SEND, .chat = {1000000000000, GAP_PEER_CHAT}, .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},
    {"a kind of chat that nobody knows",
     {.kind = GAP_OUTBOX_SEND, .chat = {5, (gap_peer_kind_t)41}, .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},
    {"nothing to say", {.kind = GAP_OUTBOX_SEND, USER}, GAP_E_ARGUMENT},
    {"nothing but blanks",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT(" \n\t")}},
     GAP_E_ARGUMENT},
    {"not UTF-8", {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("a\xff")}}, GAP_E_ARGUMENT},
    {"an overlong form",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("a\xc0\x80")}},
     GAP_E_ARGUMENT},
    {"a surrogate in UTF-8",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("a\xed\xa0\x80")}},
     GAP_E_ARGUMENT},
    {"a character cut off",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("a\xe2\x82")}},
     GAP_E_ARGUMENT},
    {"behind the last character",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("\xf4\x90\x80\x80")}},
     GAP_E_ARGUMENT},
    {"media in a SEND",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi"), .media = DICE}},
     GAP_E_ARGUMENT},
    {"MEDIA without media",
     {.kind = GAP_OUTBOX_MEDIA, USER, .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},
    {"media without a caption", {.kind = GAP_OUTBOX_MEDIA, USER, .content = {.media = DICE}}, 0},
    {"media that is to be sent up",
     {.kind = GAP_OUTBOX_MEDIA,
      USER,
      .content = {.media = {.id = GAP_TL_INPUT_MEDIA_UPLOADED_PHOTO, .value = &uploaded}}},
     GAP_E_ARGUMENT},
    {"empty media",
     {.kind = GAP_OUTBOX_MEDIA, USER, .content = {.media = {.id = GAP_TL_INPUT_MEDIA_EMPTY}}},
     GAP_E_ARGUMENT},
    {"markup for media",
     {.kind = GAP_OUTBOX_MEDIA,
      USER,
      .content = {.media = {.id = GAP_TL_REPLY_KEYBOARD_HIDE, .value = &hide_markup}}},
     GAP_E_ARGUMENT},
    {"media for markup",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi"), .markup = DICE}},
     GAP_E_ARGUMENT},
    {"an unknown class",
     {.kind = GAP_OUTBOX_SEND, .urgency = 4, USER, .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},

    {"markup of the whole text",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi"), ENT(BOLD(0, 2))}},
     0},
    {"markup behind the text",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi"), ENT(BOLD(1, 2))}},
     GAP_E_ARGUMENT},
    {"an offset that wraps around",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi"), ENT(BOLD(UINT32_MAX, 2))}},
     GAP_E_ARGUMENT},
    {"markup of nothing",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi"), ENT(BOLD(1, 0))}},
     GAP_E_ARGUMENT},
    {"a smile is two units",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT(SMILE), ENT(BOLD(0, 2))}},
     0},
    {"half a smile",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT(SMILE), ENT(BOLD(0, 1))}},
     GAP_E_ARGUMENT},
    {"the other half",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT(SMILE), ENT(BOLD(1, 1))}},
     GAP_E_ARGUMENT},
    {"the inner one first",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("abc"), ENT(BOLD(0, 1), BOLD(0, 3))}},
     GAP_E_ARGUMENT},
    {"the outer one first",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("abc"), ENT(BOLD(0, 3), BOLD(0, 1))}},
     0},
    {"descending",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("abc"), ENT(BOLD(1, 1), BOLD(0, 1))}},
     GAP_E_ARGUMENT},
    {"a link to nowhere",
     {.kind = GAP_OUTBOX_SEND,
      USER,
      .content = {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_ENTITY_TEXT_URL, .length = 1})}},
     GAP_E_ARGUMENT},
    {"bold with an address",
     {.kind = GAP_OUTBOX_SEND,
      USER,
      .content = {TEXT("abc"),
                  ENT({.id = GAP_TL_MESSAGE_ENTITY_BOLD, .length = 1, .value = B("x")})}},
     GAP_E_ARGUMENT},
    {"a mention of nobody",
     {.kind = GAP_OUTBOX_SEND,
      USER,
      .content = {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_ENTITY_MENTION_NAME, .length = 1})}},
     GAP_E_ARGUMENT},
    {"a link to a post, which only posts may have",
     {.kind = GAP_OUTBOX_SEND,
      USER,
      .content = {TEXT("abc"), ENT({.id = GAP_POST_LINK, .length = 1, .value = B("key")})}},
     GAP_E_ARGUMENT},
    {"no entity at all",
     {.kind = GAP_OUTBOX_SEND,
      USER,
      .content = {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_EMPTY, .length = 1})}},
     GAP_E_ARGUMENT},

    {"an answer", {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, .reply_to = 5}, 0},
    {"an answer to two",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, .reply_to = 5, .reply_to_row = 6},
     GAP_E_ARGUMENT},
    {"an answer to less than nothing",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, .reply_to = -5},
     GAP_E_ARGUMENT},
    {"ids of a SEND",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, IDS(1)},
     GAP_E_ARGUMENT},
    {"a deadline before its time",
     {.kind = GAP_OUTBOX_SEND,
      USER,
      .content = {TEXT("hi")},
      .not_before_us = 10,
      .deadline_us = 9},
     GAP_E_ARGUMENT},
    {"a time before all times",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, .not_before_us = -1},
     GAP_E_ARGUMENT},
    {"a key that is no text",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, .key = B("\xff")},
     GAP_E_ARGUMENT},
    {"a key with an end inside",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, .key = B("a\0b")},
     GAP_E_ARGUMENT},

    {"an edit", {.kind = GAP_OUTBOX_EDIT, CHANNEL, .content = {TEXT("hi")}, IDS(9)}, 0},
    {"an edit of a row",
     {.kind = GAP_OUTBOX_EDIT, CHANNEL, .content = {TEXT("hi")}, .message_row = 9},
     0},
    {"an edit of both",
     {.kind = GAP_OUTBOX_EDIT, CHANNEL, .content = {TEXT("hi")}, IDS(9), .message_row = 9},
     GAP_E_ARGUMENT},
    {"an edit of nothing",
     {.kind = GAP_OUTBOX_EDIT, CHANNEL, .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},
    {"an edit of two",
     {.kind = GAP_OUTBOX_EDIT, CHANNEL, .content = {TEXT("hi")}, IDS(9, 10)},
     GAP_E_ARGUMENT},
    {"an edit to nothing", {.kind = GAP_OUTBOX_EDIT, CHANNEL, IDS(9)}, GAP_E_ARGUMENT},
    {"an edit of the buttons alone",
     {.kind = GAP_OUTBOX_EDIT,
      CHANNEL,
      IDS(9),
      .content = {.markup = {.id = GAP_TL_REPLY_INLINE_MARKUP, .value = &inline_markup}}},
     0},
    {"an edit with a keyboard",
     {.kind = GAP_OUTBOX_EDIT,
      CHANNEL,
      IDS(9),
      .content = {TEXT("hi"), .markup = {.id = GAP_TL_REPLY_KEYBOARD_HIDE, .value = &hide_markup}}},
     GAP_E_ARGUMENT},

    {"a deletion", {.kind = GAP_OUTBOX_DELETE, USER, IDS(1, 2, 3)}, 0},
    {"a deletion for me", {.kind = GAP_OUTBOX_DELETE, GROUP, IDS(1), .for_me_only = true}, 0},
    {"a deletion for me in a channel",
     {.kind = GAP_OUTBOX_DELETE, CHANNEL, IDS(1), .for_me_only = true},
     GAP_E_ARGUMENT},
    {"a deletion with a text",
     {.kind = GAP_OUTBOX_DELETE, USER, IDS(1), .content = {TEXT("hi")}},
     GAP_E_ARGUMENT},
    {"a deletion of message 0", {.kind = GAP_OUTBOX_DELETE, USER, IDS(1, 0)}, GAP_E_ARGUMENT},

    {"a forward", {.kind = GAP_OUTBOX_FORWARD, USER, IDS(1, 2), .from = {7, GAP_PEER_CHANNEL}}, 0},
    {"a quiet forward",
     {.kind = GAP_OUTBOX_FORWARD,
      USER,
      IDS(1),
      .from = {7, GAP_PEER_CHANNEL},
      .content = {.silent = true, .protect = true}},
     0},
    {"a forward from nowhere", {.kind = GAP_OUTBOX_FORWARD, USER, IDS(1, 2)}, GAP_E_ARGUMENT},
    {"a forward of nothing",
     {.kind = GAP_OUTBOX_FORWARD, USER, .from = {7, GAP_PEER_CHANNEL}},
     GAP_E_ARGUMENT},

    {"a pin", {.kind = GAP_OUTBOX_PIN, CHANNEL, IDS(1)}, 0},
    {"a quiet pin", {.kind = GAP_OUTBOX_PIN, CHANNEL, IDS(1), .content = {.silent = true}}, 0},
    {"a pin off", {.kind = GAP_OUTBOX_PIN, CHANNEL, IDS(1), .unpin = true}, 0},
    {"a pin of two", {.kind = GAP_OUTBOX_PIN, CHANNEL, IDS(1, 2)}, GAP_E_ARGUMENT},
    {"reading", {.kind = GAP_OUTBOX_READ, CHANNEL, .max_id = 5}, 0},
    {"reading everything", {.kind = GAP_OUTBOX_READ, CHANNEL}, 0},
    {"reading less than nothing", {.kind = GAP_OUTBOX_READ, CHANNEL, .max_id = -1}, GAP_E_ARGUMENT},
    {"reading ids", {.kind = GAP_OUTBOX_READ, CHANNEL, IDS(1)}, GAP_E_ARGUMENT},
    {"a reaction", {.kind = GAP_OUTBOX_REACT, USER, IDS(1), .emoji = B(SMILE)}, 0},
    {"a reaction taken back", {.kind = GAP_OUTBOX_REACT, USER, IDS(1)}, 0},
    {"a reaction that is no text",
     {.kind = GAP_OUTBOX_REACT, USER, IDS(1), .emoji = B("\xff")},
     GAP_E_ARGUMENT},
    {"an emoji for reading", {.kind = GAP_OUTBOX_READ, USER, .emoji = B(SMILE)}, GAP_E_ARGUMENT},

    {"a call of anybody's",
     {.kind = GAP_OUTBOX_RAW,
      .query = {.id = GAP_TL_HELP_GET_NEAREST_DC, .value = &nearest},
      .replay = GAP_REPLAY_IDEMPOTENT},
     0},
    {"a call that does not say whether it may be repeated",
     {.kind = GAP_OUTBOX_RAW, .query = {.id = GAP_TL_HELP_GET_NEAREST_DC, .value = &nearest}},
     GAP_E_ARGUMENT},
    {"no call",
     {.kind = GAP_OUTBOX_RAW, .query = DICE, .replay = GAP_REPLAY_NEVER},
     GAP_E_ARGUMENT},
    {"a call without a call", {.kind = GAP_OUTBOX_RAW, .replay = GAP_REPLAY_NEVER}, GAP_E_ARGUMENT},
    {"a declared text",
     {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}, .replay = GAP_REPLAY_NEVER},
     GAP_E_ARGUMENT},
};

START_TEST(test_rules)
{
    const struct rule *c = &rules[_i];

    ck_assert_msg(gap_outbox_check(&c->item) == c->result, "%s: %d", c->why,
                  gap_outbox_check(&c->item));
}
END_TEST

static void check_length(const uint8_t *unit, size_t unit_len, size_t count, gap_tl_object_t media,
                         int expected)
{
    size_t len = unit_len * count;
    uint8_t *text = gap_malloc(gap_alloc_default(), len);

    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < len; i++) text[i] = unit[i % unit_len];
    gap_outbox_item_t item = {.kind = media.id != 0 ? GAP_OUTBOX_MEDIA : GAP_OUTBOX_SEND,
                              USER,
                              .content = {.text = {text, len}, .media = media}};
    ck_assert_int_eq(gap_outbox_check(&item), expected);
    gap_free(gap_alloc_default(), text);
}

/* 4096 units, as a caption 1024: counted in UTF-16, whatever they take in UTF-8. */
START_TEST(test_lengths)
{
    static const char *const units[] = {"a", "\xc3\xa4", "\xe2\x82\xac", SMILE};
    static const size_t per[] = {1, 1, 1, 2};
    gap_tl_object_t none = {NULL, 0, NULL, 0}, media = DICE;

    for (size_t i = 0; i < 4; i++) {
        const uint8_t *unit = (const uint8_t *)units[i];
        check_length(unit, strlen(units[i]), 4096 / per[i], none, 0);
        check_length(unit, strlen(units[i]), 4096 / per[i] + 1, none, GAP_E_LIMIT);
        check_length(unit, strlen(units[i]), 1024 / per[i], media, 0);
        check_length(unit, strlen(units[i]), 1024 / per[i] + 1, media, GAP_E_LIMIT);
    }
}
END_TEST

START_TEST(test_list_limits)
{
    int32_t ids[101];
    gap_outbox_entity_t entities[GAP_OUTBOX_ENTITIES_MAX + 1];
    uint8_t key[256];
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_DELETE, USER, .ids = ids, .id_count = 100};

    for (int i = 0; i < 101; i++) ids[i] = i + 1;
    ck_assert_int_eq(gap_outbox_check(&item), 0);
    item.id_count = 101;
    ck_assert_int_eq(gap_outbox_check(&item), GAP_E_LIMIT);

    for (int i = 0; i <= GAP_OUTBOX_ENTITIES_MAX; i++)
        entities[i] = (gap_outbox_entity_t)BOLD(0, 1);
    memset(key, 'k', sizeof key);
    gap_outbox_item_t text = {.kind = GAP_OUTBOX_SEND, USER, .content = {TEXT("hi")}};
    text.content.entities = entities;
    text.content.entity_count = GAP_OUTBOX_ENTITIES_MAX;
    text.key = gap_bytes(key, 255);
    ck_assert_int_eq(gap_outbox_check(&text), 0);
    text.content.entity_count++;
    ck_assert_int_eq(gap_outbox_check(&text), GAP_E_LIMIT);
    text.content.entity_count--;
    text.key.len++;
    ck_assert_int_eq(gap_outbox_check(&text), GAP_E_LIMIT);
}
END_TEST

/* What a content is used for makes a difference. */
START_TEST(test_uses)
{
    gap_outbox_content_t link = {TEXT("abc"),
                                 ENT({.id = GAP_POST_LINK, .length = 1, .value = B("key")})};
    gap_outbox_content_t hidden = {
        TEXT("abc"), .markup = {.id = GAP_TL_REPLY_KEYBOARD_HIDE, .value = &hide_markup}};

    ck_assert_int_eq(gap_content_check(&link, GAP_CONTENT_SEND), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_content_check(&link, GAP_CONTENT_EDIT), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_content_check(&link, GAP_CONTENT_POST), 0);
    ck_assert_int_eq(gap_content_check(&hidden, GAP_CONTENT_SEND), 0);
    ck_assert_int_eq(gap_content_check(&hidden, GAP_CONTENT_EDIT), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_content_check(&hidden, GAP_CONTENT_POST), GAP_E_ARGUMENT);
}
END_TEST

/* ---- the form on disk ---- */

/* Every item that the rules allow comes back as it was. */
START_TEST(test_round_trip)
{
    struct gap_item out;
    gap_buf_t b;

    if (rules[_i].result != 0) return;
    gap_buf_init(&b, gap_alloc_default());
    ck_assert_int_eq(gap_buf_append(&b, "before", 6), 0);
    ck_assert_int_eq(gap_item_pack(&rules[_i].item, &b), 0);
    ck_assert_mem_eq(b.data, "before", 6);
    gap_bytes_t payload = gap_bytes(b.data + 6, b.len - 6);
    ck_assert_msg(gap_item_unpack(payload, &out) == 0, "%s", rules[_i].why);
    ck_assert_int_eq(out.item.kind, rules[_i].item.kind);
    ck_assert_int_eq(out.item.chat.kind, GAP_PEER_NONE);

    for (size_t len = 0; len < payload.len; len++) /* each byte is needed */
        ck_assert_int_eq(gap_item_unpack(gap_bytes(payload.data, len), &out), GAP_E_DAMAGED);
    ck_assert_int_eq(gap_buf_append(&b, "", 1), 0); /* and no more */
    ck_assert_int_eq(gap_item_unpack(gap_bytes(b.data + 6, b.len - 6), &out), GAP_E_DAMAGED);
    gap_buf_fini(&b);
}
END_TEST

/* What is refused leaves the buffer as it was. */
START_TEST(test_refused_is_not_packed)
{
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    ck_assert_int_eq(gap_buf_append(&b, "before", 6), 0);
    for (size_t i = 0; i < GAP_ARRAY_LEN(rules); i++) {
        int r = gap_item_pack(&rules[i].item, &b);
        ck_assert_msg(r == rules[i].result, "%s: %d", rules[i].why, r);
        if (r == 0) b.len = 6;
        ck_assert_uint_eq(b.len, 6);
    }
    gap_buf_fini(&b);
}
END_TEST

/* Unread bytes that were consumed before it do not matter either. */
START_TEST(test_pack_behind_consumed_bytes)
{
    static const gap_outbox_item_t bad = {
        .kind = GAP_OUTBOX_MEDIA,
        USER,
        .content = {.media = {.data = (const uint8_t *)"xxx", .len = 3}}};
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    ck_assert_int_eq(gap_buf_append(&b, "0123456789", 10), 0);
    gap_buf_consume(&b, 4);
    ck_assert_int_lt(gap_item_pack(&bad, &b), 0);
    ck_assert_uint_eq(gap_buf_view(&b).len, 6);
    ck_assert_int_eq(gap_item_pack(&rules[0].item, &b), 0);
    ck_assert_mem_eq(gap_buf_view(&b).data, "456789", 6);
    gap_buf_fini(&b);
}
END_TEST

START_TEST(test_versions)
{
    uint8_t bytes[] = {GAP_ITEM_VERSION + 1, 0xff, 0xff};
    struct gap_item item;
    struct gap_content content;

    ck_assert_int_eq(gap_item_unpack(gap_bytes(bytes, 3), &item), GAP_E_NEWER);
    ck_assert_int_eq(gap_content_unpack(gap_bytes(bytes, 3), &content), GAP_E_NEWER);
    bytes[0] = 0;
    ck_assert_int_eq(gap_item_unpack(gap_bytes(bytes, 3), &item), GAP_E_DAMAGED);
    ck_assert_int_eq(gap_content_unpack(gap_bytes(bytes, 3), &content), GAP_E_DAMAGED);
    ck_assert_int_eq(gap_item_unpack(gap_bytes(NULL, 0), &item), GAP_E_DAMAGED);
    ck_assert_int_eq(gap_content_unpack(gap_bytes(NULL, 0), &content), GAP_E_DAMAGED);
    ck_assert_ptr_nonnull(strstr(gap_item_reason(GAP_E_NEWER), "update"));
    ck_assert_ptr_nonnull(strstr(gap_item_reason(GAP_E_DAMAGED), "damaged"));
}
END_TEST

/* Objects of the wrong kind, cut off, or with something behind them. */
START_TEST(test_objects_are_looked_into)
{
    uint8_t bytes[64];
    gap_buf_t b;
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_MEDIA, USER};
    gap_tl_object_t object = DICE;

    int64_t len = gap_tl_write(object, bytes, sizeof bytes);
    ck_assert_int_gt(len, 0);
    gap_buf_init(&b, gap_alloc_default());
    item.content.media = (gap_tl_object_t){bytes, (size_t)len, NULL, 0};
    ck_assert_int_eq(gap_item_pack(&item, &b), 0);
    memset(bytes + len, 0, 4);
    item.content.media.len = (size_t)len + 4;
    ck_assert_int_eq(gap_item_pack(&item, &b), GAP_E_TL);
    item.content.media.len = (size_t)len - 4;
    ck_assert_int_eq(gap_item_pack(&item, &b), GAP_E_TL);
    gap_buf_fini(&b);
}
END_TEST

/* An upload deep inside of media that is none itself. */
START_TEST(test_upload_inside)
{
    gap_tl_input_file_t file = {.id = 1, .parts = 1};
    gap_tl_input_media_uploaded_photo_t photo = {.file = GAP_TL_OF(GAP_TL_INPUT_FILE, &file)};
    gap_tl_object_t extended = GAP_TL_OF(GAP_TL_INPUT_MEDIA_UPLOADED_PHOTO, &photo);
    gap_tl_input_media_paid_media_t paid = {.stars_amount = 5,
                                            .extended_media = gap_tl_array(&extended, 1)};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_MEDIA, USER};
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    item.content.media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_PAID_MEDIA, &paid);
    ck_assert_int_eq(gap_item_pack(&item, &b), GAP_E_ARGUMENT);
    extended = (gap_tl_object_t)DICE;
    ck_assert_int_eq(gap_item_pack(&item, &b), 0);
    gap_buf_fini(&b);
}
END_TEST

START_TEST(test_payload_limit)
{
    size_t len = GAP_OUTBOX_PAYLOAD_BYTES;
    uint8_t *bytes = gap_calloc(gap_alloc_default(), 1, len);
    gap_tl_help_save_app_log_t log = {.events = gap_tl_array(NULL, 0)};
    gap_tl_input_app_event_t event = {.type = gap_bytes(bytes, len)};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_RAW, .replay = GAP_REPLAY_NEVER};
    gap_tl_object_t data = {.id = GAP_TL_JSON_NULL};
    gap_buf_t b;

    ck_assert_ptr_nonnull(bytes);
    event.data = data;
    gap_tl_object_t e = GAP_TL_OF(GAP_TL_INPUT_APP_EVENT, &event);
    log.events = gap_tl_array(&e, 1);
    item.query = GAP_TL_OF(GAP_TL_HELP_SAVE_APP_LOG, &log);
    gap_buf_init(&b, gap_alloc_default());
    ck_assert_int_eq(gap_item_pack(&item, &b), GAP_E_LIMIT);
    event.type.len -= 100;
    ck_assert_int_eq(gap_item_pack(&item, &b), 0);
    gap_buf_fini(&b);
    gap_free(gap_alloc_default(), bytes);
}
END_TEST

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

/* A number has one form: no zeros in front, no more than 64 bits. */
START_TEST(test_one_form_of_numbers)
{
    static const char *const damaged[] = {
        "0107808080000a",           /* set fields with a zero in front */
        "0107801005ffffffffffffff", /* a number that does not end */
        "01078010ffffffffffffffffff7f",
        "0105802401052985", /* forwarded from a chat of an unknown kind */
        "01052401",
        "0108802401c6050004", /* a reaction with a chat of no kind */
    };
    uint8_t bytes[64];
    struct gap_item item;

    for (size_t i = 0; i < GAP_ARRAY_LEN(damaged); i++) {
        size_t len = unhex(damaged[i], bytes);
        ck_assert_int_eq(gap_item_unpack(gap_bytes(bytes, len), &item), GAP_E_DAMAGED);
    }
    /* reading up to message 5, well formed, and with a zero in front of the 5 */
    size_t len = unhex("0107801005", bytes);
    ck_assert_int_eq(gap_item_unpack(gap_bytes(bytes, len), &item), 0);
    len = unhex("010780108500", bytes);
    ck_assert_int_eq(gap_item_unpack(gap_bytes(bytes, len), &item), GAP_E_DAMAGED);
}
END_TEST

/* Whatever bytes are in the table: an item that can be sent, or GAP_E_DAMAGED. */
static void check_hostile(gap_bytes_t payload)
{
    struct gap_item out, again;
    gap_buf_t b;

    int r = gap_item_unpack(payload, &out);
    ck_assert(r == 0 || r == GAP_E_DAMAGED || r == GAP_E_NEWER);
    if (r != 0) return;
    out.item.chat = (gap_peer_t){5, GAP_PEER_USER};
    gap_buf_init(&b, gap_alloc_default());
    ck_assert_int_eq(gap_item_pack(&out.item, &b), 0);
    ck_assert(gap_bytes_equal(gap_buf_view(&b), payload)); /* one item has one form */
    ck_assert_int_eq(gap_item_unpack(gap_buf_view(&b), &again), 0);
    gap_buf_fini(&b);
}

START_TEST(test_hostile_bytes)
{
    gap_prng_t prng = {4711};
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    for (int round = 0, rounds = gap_test_seeds(20000); round < rounds; round++) {
        const struct rule *rule = &rules[gap_prng_below(&prng, GAP_ARRAY_LEN(rules))];
        if (rule->result != 0) continue;
        gap_buf_clear(&b);
        ck_assert_int_eq(gap_item_pack(&rule->item, &b), 0);
        for (uint64_t n = 1 + gap_prng_below(&prng, 3); n > 0; n--)
            b.data[gap_prng_below(&prng, b.len)] = (uint8_t)gap_prng_next(&prng);
        check_hostile(gap_buf_view(&b));
    }
    gap_buf_fini(&b);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_content");
    TCase *t = tcase_create("content");

    tcase_add_loop_test(t, test_rules, 0, GAP_ARRAY_LEN(rules));
    tcase_add_test(t, test_lengths);
    tcase_add_test(t, test_list_limits);
    tcase_add_test(t, test_uses);
    tcase_add_loop_test(t, test_round_trip, 0, GAP_ARRAY_LEN(rules));
    tcase_add_test(t, test_refused_is_not_packed);
    tcase_add_test(t, test_pack_behind_consumed_bytes);
    tcase_add_test(t, test_versions);
    tcase_add_test(t, test_objects_are_looked_into);
    tcase_add_test(t, test_upload_inside);
    tcase_add_test(t, test_payload_limit);
    tcase_add_test(t, test_one_form_of_numbers);
    tcase_add_test(t, test_hostile_bytes);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
