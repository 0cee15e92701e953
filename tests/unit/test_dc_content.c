/*
 * tests/unit/test_dc_content.c - what messages hold beside their text in the simulated world:
 * entities, media that is known already, where they were forwarded from; and reactions.
 */
#include "send_world.h"

#include "base/prng.h"

static struct send_world w;

static void setup(void)
{
    dc_options_t o = send_options();

    send_begin(&w, &o);
}

static void teardown(void)
{
    send_end(&w);
}

/* The messages in an Updates result, behind its updateMessageIDs. */
struct results {
    uint32_t ids;
    uint32_t count;
    int64_t random_ids[8];
    gap_tl_update_new_message_t updates[8]; /* all four kinds have these fields */
    gap_tl_message_t messages[8];
};

static struct results results(void)
{
    struct results res = {0};
    gap_tl_update_message_id_t mid;
    gap_tl_updates_t u;
    gap_tl_object_t o;

    SEND_BODY(&w, GAP_TL_UPDATES, &u);
    gap_tl_iter_t it = gap_tl_iter(u.updates);
    while (gap_tl_next(&it, &o) == 1) {
        if (o.id == GAP_TL_UPDATE_MESSAGE_ID) {
            ck_assert_uint_eq(res.count, 0);
            ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_MESSAGE_ID, &mid), 0);
            res.random_ids[res.ids++] = mid.random_id;
            continue;
        }
        uint32_t i = res.count++;
        ck_assert_uint_lt(i, 8);
        ck_assert_int_gt(gap_tl_read(gap_tl_bytes(o), o.id, &res.updates[i], sizeof res.updates[i]),
                         0);
        ck_assert_int_gt(GAP_TL_READ(res.updates[i].message, GAP_TL_MESSAGE, &res.messages[i]), 0);
    }
    return res;
}

static int send_styled(gap_tl_object_t peer, const char *text, int64_t random_id,
                       const gap_tl_object_t *entities, uint32_t count)
{
    gap_tl_messages_send_message_t q = {.flags = GAP_TL_MESSAGES_SEND_MESSAGE_F_ENTITIES,
                                        .peer = peer,
                                        .message = gap_str(text),
                                        .random_id = random_id,
                                        .entities = gap_tl_array(entities, count)};
    return send_call(&w, GAP_TL_MESSAGES_SEND_MESSAGE, &q);
}

/* --- entities ------------------------------------------------------------------------------ */

/* In UTF-16 units: a 0, b 1, the smile 2 and 3, c 4; five in all. */
#define STYLED                                                                                     \
    "ab\xf0\x9f\x98\x80"                                                                           \
    "c"

static const struct {
    int32_t offset;
    int32_t length;
    bool good;
    const char *why;
} bounds[] = {
    {0, 5, true, "all of it"},
    {0, 1, true, "the first unit"},
    {2, 2, true, "a whole pair"},
    {4, 1, true, "the last unit"},
    {0, 6, false, "one beyond the end"},
    {5, 1, false, "behind the end"},
    {0, 0, false, "nothing"},
    {1, -1, false, "less than nothing"},
    {-1, 2, false, "before the beginning"},
    {2, 1, false, "half a pair"},
    {3, 2, false, "the other half"},
    {1, INT32_MAX, false, "as far as numbers go"},
    {INT32_MAX, INT32_MAX, false, "and on from there"},
};

START_TEST(entities_lie_within_the_text)
{
    gap_tl_message_entity_bold_t bold = {bounds[_i].offset, bounds[_i].length};
    gap_tl_object_t o = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold);
    int r = send_styled(w.to_channel, STYLED, 1, &o, 1);

    if (bounds[_i].good)
        ck_assert_msg(r == 0, "%s", bounds[_i].why);
    else
        send_refused(&w, r, 400, "ENTITY_BOUNDS_INVALID");
}
END_TEST

START_TEST(entities_are_kept_and_shown)
{
    gap_tl_message_entity_text_url_t url = {0, 2, gap_str("https://example.org/")};
    gap_tl_message_entity_blockquote_t quote = {0, 2, 2};
    gap_tl_input_user_t user = {SEND_USER, 0};
    gap_tl_input_message_entity_mention_name_t mention = {4, 1,
                                                          GAP_TL_OF(GAP_TL_INPUT_USER, &user)};
    gap_tl_object_t all[] = {GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_TEXT_URL, &url),
                             GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, &quote),
                             GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME, &mention)};
    gap_tl_message_entity_mention_name_t shown;
    gap_tl_object_t o;

    ck_assert_int_eq(send_styled(w.to_channel, STYLED, 1, all, 3), 0);
    struct results res = results();
    ck_assert_uint_eq(res.messages[0].entities.count, 3);
    gap_tl_iter_t it = gap_tl_iter(res.messages[0].entities);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_uint_eq(o.id, GAP_TL_MESSAGE_ENTITY_TEXT_URL);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_uint_eq(o.id, GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_MESSAGE_ENTITY_MENTION_NAME, &shown), 0);
    ck_assert(shown.user_id == SEND_USER);
    /* To a user the result is short, and tells the entities. */
    gap_tl_update_short_sent_message_t s;
    ck_assert_int_eq(send_styled(w.to_user, STYLED, 1, all, 3), 0);
    SEND_BODY(&w, GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &s);
    ck_assert_uint_eq(s.entities.count, 3);
    /* An older layer has its entities and not the newer ones. */
    w.view.layer = 144;
    ck_assert_int_eq(send_styled(w.to_user, STYLED, 2, all, 3), 0);
    SEND_BODY(&w, GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &s);
    ck_assert_uint_eq(s.entities.count, 2);
}
END_TEST

START_TEST(who_is_mentioned_is_there)
{
    gap_tl_input_user_t user = {SEND_USER + 99, 0};
    gap_tl_input_message_entity_mention_name_t mention = {0, 1,
                                                          GAP_TL_OF(GAP_TL_INPUT_USER, &user)};
    gap_tl_object_t o = GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME, &mention);

    send_refused(&w, send_styled(w.to_channel, "a", 1, &o, 1), 400, "ENTITY_MENTION_USER_INVALID");
}
END_TEST

START_TEST(too_many_entities_are_dropped)
{
    gap_tl_message_entity_bold_t bold = {0, 1};
    gap_tl_object_t many[DC_ENTITIES_MAX + 5];

    for (size_t i = 0; i < GAP_ARRAY_LEN(many); i++)
        many[i] = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold);
    ck_assert_int_eq(send_styled(w.to_channel, "a", 1, many, DC_ENTITIES_MAX + 5), 0);
    struct results res = results();
    ck_assert_uint_eq(res.messages[0].entities.count, DC_ENTITIES_MAX);
}
END_TEST

static int edit_styled(int32_t id, const char *text, const gap_tl_object_t *entities,
                       uint32_t count)
{
    gap_tl_messages_edit_message_t q = {.flags = GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE |
                                                 GAP_TL_MESSAGES_EDIT_MESSAGE_F_ENTITIES,
                                        .peer = w.to_channel,
                                        .id = id,
                                        .message = gap_str(text),
                                        .entities = gap_tl_array(entities, count)};
    return send_call(&w, GAP_TL_MESSAGES_EDIT_MESSAGE, &q);
}

START_TEST(an_edit_of_entities_alone_is_one)
{
    gap_tl_message_entity_bold_t bold = {0, 1};
    gap_tl_object_t one = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold);
    gap_tl_object_t other = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_ITALIC, &bold);

    ck_assert_int_eq(send_styled(w.to_channel, "a", 1, &one, 1), 0);
    send_refused(&w, edit_styled(1, "a", &one, 1), 400, "MESSAGE_NOT_MODIFIED");
    ck_assert_int_eq(edit_styled(1, "a", &other, 1), 0);
    send_refused(&w, edit_styled(1, "a", &other, 1), 400, "MESSAGE_NOT_MODIFIED");
    /* Without entities they go. */
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, "a"), 0);
    struct results res = results();
    ck_assert_uint_eq(res.messages[0].entities.count, 0);
    ck_assert_int_eq(res.messages[0].edit_date, SEND_START_US / 1000000);
}
END_TEST

/* --- media --------------------------------------------------------------------------------- */

static gap_tl_input_photo_t photo_id = {77, 78, {NULL, 0}};
static gap_tl_input_document_t document_id = {79, 80, {NULL, 0}};
static gap_tl_input_media_photo_t photo_input;
static gap_tl_input_media_document_t document_input;

static gap_tl_object_t photo(void)
{
    photo_input.id = GAP_TL_OF(GAP_TL_INPUT_PHOTO, &photo_id);
    return GAP_TL_OF(GAP_TL_INPUT_MEDIA_PHOTO, &photo_input);
}

static gap_tl_object_t document(void)
{
    document_input.id = GAP_TL_OF(GAP_TL_INPUT_DOCUMENT, &document_id);
    return GAP_TL_OF(GAP_TL_INPUT_MEDIA_DOCUMENT, &document_input);
}

static int send_media(gap_tl_object_t peer, gap_tl_object_t media, const char *caption,
                      int64_t random_id)
{
    gap_tl_messages_send_media_t q = {
        .peer = peer, .media = media, .message = gap_str(caption), .random_id = random_id};
    return send_call(&w, GAP_TL_MESSAGES_SEND_MEDIA, &q);
}

START_TEST(media_is_kept_by_its_id)
{
    gap_tl_message_media_photo_t shown;
    gap_tl_message_media_document_t shown_document;
    gap_tl_photo_t p;
    gap_tl_document_t d;
    dc_event_t e;

    ck_assert_int_eq(send_media(w.to_user, photo(), "", 1), 0);
    struct results res = results();
    ck_assert_uint_eq(res.ids, 1);
    ck_assert_int_gt(GAP_TL_READ(res.messages[0].media, GAP_TL_MESSAGE_MEDIA_PHOTO, &shown), 0);
    ck_assert_int_gt(GAP_TL_READ(shown.photo, GAP_TL_PHOTO, &p), 0);
    ck_assert(p.id == 77 && p.access_hash == 78);
    dc_model_event(w.m, w.answer.first_n, &e);
    ck_assert(e.media == DC_MEDIA_PHOTO && e.media_id == 77);
    ck_assert_int_eq(send_media(w.to_channel, document(), "caption", 2), 0);
    res = results();
    ck_assert_int_gt(
        GAP_TL_READ(res.messages[0].media, GAP_TL_MESSAGE_MEDIA_DOCUMENT, &shown_document), 0);
    ck_assert_int_gt(GAP_TL_READ(shown_document.document, GAP_TL_DOCUMENT, &d), 0);
    ck_assert(d.id == 79);
    ck_assert(gap_bytes_equal(res.messages[0].message, gap_str("caption")));
    /* The same random_id under another method is the same message. */
    ck_assert_int_eq(send_text(&w, w.to_channel, "text", 2), 0);
    ck_assert_uint_eq(w.answer.count, 0);
    /* What a layer has no form of is there all the same. */
    w.view.layer = 198;
    ck_assert_int_eq(send_media(w.to_channel, document(), "", 3), 0);
}
END_TEST

START_TEST(media_that_can_not_be)
{
    static char long_text[DC_CAPTION_CHARS_MAX + 2];
    uint32_t nothing = 0;
    gap_tl_input_media_photo_t empty = {.id = GAP_TL_OF(GAP_TL_INPUT_PHOTO_EMPTY, &nothing)};
    gap_tl_input_media_dice_t dice = {gap_str("x")};

    memset(long_text, 'x', sizeof long_text - 1);
    send_refused(&w, send_media(w.to_user, photo(), long_text, 1), 400, "MEDIA_CAPTION_TOO_LONG");
    send_refused(&w, send_media(w.to_user, photo(), "", 0), 400, "RANDOM_ID_EMPTY");
    send_refused(&w, send_media(w.to_user, GAP_TL_OF(GAP_TL_INPUT_MEDIA_EMPTY, &nothing), "a", 1),
                 400, "MEDIA_EMPTY");
    send_refused(&w, send_media(w.to_user, GAP_TL_OF(GAP_TL_INPUT_MEDIA_PHOTO, &empty), "a", 1),
                 400, "MEDIA_EMPTY");
    send_refused(&w, send_media(w.to_user, GAP_TL_OF(GAP_TL_INPUT_MEDIA_DICE, &dice), "a", 1), 400,
                 "MEDIA_INVALID");
}
END_TEST

START_TEST(edits_of_media_and_captions)
{
    gap_tl_messages_edit_message_t media = {.flags = GAP_TL_MESSAGES_EDIT_MESSAGE_F_MEDIA,
                                            .peer = w.to_channel,
                                            .id = 1,
                                            .media = document()};
    gap_tl_messages_edit_message_t nothing = {.peer = w.to_channel, .id = 1};

    ck_assert_int_eq(send_media(w.to_channel, photo(), "one", 1), 0);
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, ""), 0); /* captions may go */
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, "two"), 0);
    struct results res = results();
    ck_assert_uint_eq(res.messages[0].media.id, GAP_TL_MESSAGE_MEDIA_PHOTO);
    ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_EDIT_MESSAGE, &media), 0);
    res = results();
    ck_assert_uint_eq(res.messages[0].media.id, GAP_TL_MESSAGE_MEDIA_DOCUMENT);
    ck_assert(gap_bytes_equal(res.messages[0].message, gap_str("two")));
    send_refused(&w, send_call(&w, GAP_TL_MESSAGES_EDIT_MESSAGE, &media), 400,
                 "MESSAGE_NOT_MODIFIED");
    send_refused(&w, send_call(&w, GAP_TL_MESSAGES_EDIT_MESSAGE, &nothing), 400, "MESSAGE_EMPTY");
}
END_TEST

START_TEST(markup_is_part_of_a_message)
{
    gap_tl_keyboard_button_callback_t button = {.text = gap_str("b"), .data = gap_str("d")};
    gap_tl_object_t buttons = GAP_TL_OF(GAP_TL_KEYBOARD_BUTTON_CALLBACK, &button);
    gap_tl_keyboard_button_row_t row = {gap_tl_array(&buttons, 1)};
    gap_tl_object_t rows = GAP_TL_OF(GAP_TL_KEYBOARD_BUTTON_ROW, &row);
    gap_tl_reply_inline_markup_t markup = {gap_tl_array(&rows, 1)};
    gap_tl_messages_send_message_t q = {.flags = GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_MARKUP,
                                        .peer = w.to_channel,
                                        .message = gap_str("a"),
                                        .random_id = 1,
                                        .reply_markup =
                                            GAP_TL_OF(GAP_TL_REPLY_INLINE_MARKUP, &markup)};

    ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_SEND_MESSAGE, &q), 0);
    struct results res = results();
    ck_assert_uint_eq(res.messages[0].reply_markup.id, GAP_TL_REPLY_INLINE_MARKUP);
    ck_assert_int_eq(send_edit(&w, w.to_channel, 1, "a"), 0); /* the buttons go */
    res = results();
    ck_assert_uint_eq(res.messages[0].reply_markup.id, 0);
    send_refused(&w, send_edit(&w, w.to_channel, 1, "a"), 400, "MESSAGE_NOT_MODIFIED");
}
END_TEST

/* --- forwarding ---------------------------------------------------------------------------- */

static int forward(gap_tl_object_t from, const int32_t *ids, uint32_t count, gap_tl_object_t to,
                   const int64_t *random_ids, uint32_t random_count)
{
    gap_tl_messages_forward_messages_t q = {.from_peer = from,
                                            .id = gap_tl_array(ids, count),
                                            .random_id = gap_tl_array(random_ids, random_count),
                                            .to_peer = to};
    return send_call(&w, GAP_TL_MESSAGES_FORWARD_MESSAGES, &q);
}

START_TEST(forwards_name_their_origin)
{
    static const int32_t ids[] = {1, 2};
    static const int64_t random_ids[] = {11, 12};
    static const int64_t others[] = {12, 13};
    static const int32_t forwarded[] = {1};
    static const int64_t third[] = {14};
    gap_tl_message_fwd_header_t fwd;
    gap_tl_peer_channel_t origin;

    ck_assert_int_eq(send_text(&w, w.to_posts, "one", 1), 0);
    ck_assert_int_eq(send_media(w.to_posts, photo(), "two", 2), 0);
    ck_assert_int_eq(forward(w.to_posts, ids, 2, w.to_group, random_ids, 2), 0);
    ck_assert_uint_eq(w.answer.count, 2);
    struct results res = results();
    ck_assert_uint_eq(res.ids, 2);
    ck_assert_uint_eq(res.count, 2);
    ck_assert_int_eq(res.updates[0].pts, 2);
    ck_assert_int_eq(res.updates[1].pts, 3);
    ck_assert(gap_bytes_equal(res.messages[1].message, gap_str("two")));
    ck_assert_uint_eq(res.messages[1].media.id, GAP_TL_MESSAGE_MEDIA_PHOTO);
    ck_assert_int_gt(GAP_TL_READ(res.messages[1].fwd_from, GAP_TL_MESSAGE_FWD_HEADER, &fwd), 0);
    ck_assert_int_gt(GAP_TL_READ(fwd.from_id, GAP_TL_PEER_CHANNEL, &origin), 0);
    ck_assert(origin.channel_id == SEND_POSTS);
    ck_assert_int_eq(fwd.channel_post, 2);
    /* One of these is there already. */
    ck_assert_int_eq(forward(w.to_posts, ids, 2, w.to_group, others, 2), 0);
    ck_assert_uint_eq(w.answer.count, 1);
    res = results();
    ck_assert_int_eq(res.updates[0].pts_count, 0);
    ck_assert(gap_bytes_equal(res.messages[0].message, gap_str("two")));
    ck_assert_int_eq(res.updates[1].pts_count, 1);
    /* A forward of a forward still names the channel. */
    ck_assert_int_eq(forward(w.to_group, forwarded, 1, w.to_channel, third, 1), 0);
    res = results();
    ck_assert_int_gt(GAP_TL_READ(res.messages[0].fwd_from, GAP_TL_MESSAGE_FWD_HEADER, &fwd), 0);
    ck_assert_int_eq(fwd.channel_post, 1);
    send_refused(&w, send_edit(&w, w.to_channel, 1, "mine"), 403, "MESSAGE_AUTHOR_REQUIRED");
}
END_TEST

START_TEST(forwards_that_can_not_be)
{
    static const int32_t ids[] = {1, 9};
    static const int64_t random_ids[] = {11, 12};
    static const int64_t twice[] = {11, 11};
    static const int64_t zero[] = {0};

    ck_assert_int_eq(send_text(&w, w.to_posts, "one", 1), 0);
    ck_assert_int_eq(send_text(&w, w.to_posts, "two", 2), 0);
    send_refused(&w, forward(w.to_posts, ids, 2, w.to_group, random_ids, 2), 400,
                 "MESSAGE_ID_INVALID");
    send_refused(&w, forward(w.to_posts, ids, 0, w.to_group, random_ids, 0), 400,
                 "MESSAGE_IDS_EMPTY");
    send_refused(&w, forward(w.to_posts, ids, 1, w.to_group, random_ids, 2), 400,
                 "RANDOM_ID_INVALID");
    send_refused(&w, forward(w.to_posts, ids, 1, w.to_group, random_ids, 0), 400,
                 "RANDOM_ID_INVALID");
    send_refused(&w, forward(w.to_posts, ids, 1, w.to_group, zero, 1), 400, "RANDOM_ID_EMPTY");
    static const int32_t both[] = {1, 2};
    send_refused(&w, forward(w.to_posts, both, 2, w.to_group, twice, 2), 400, "RANDOM_ID_INVALID");
    ck_assert_int_eq(dc_model_slow_mode(w.m, SEND_CHANNEL, 10), 0);
    send_refused(&w, forward(w.to_posts, both, 2, w.to_channel, random_ids, 2), 400,
                 "SLOWMODE_MULTI_MSGS_DISABLED");
    ck_assert_int_eq(forward(w.to_posts, both, 1, w.to_channel, random_ids, 1), 0);
    send_refused(&w, forward(w.to_posts, both, 1, w.to_channel, random_ids + 1, 1), 420,
                 "SLOWMODE_WAIT_10");
    /* What is there already may be asked for at any time. */
    ck_assert_int_eq(forward(w.to_posts, both, 1, w.to_channel, random_ids, 1), 0);
    ck_assert_uint_eq(w.answer.count, 0);
}
END_TEST

/* --- what differences and others see ------------------------------------------------------- */

START_TEST(a_difference_brings_the_same)
{
    gap_tl_message_entity_bold_t bold = {0, 1};
    gap_tl_object_t one = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold);
    gap_tl_updates_get_difference_t q = {.pts = 1, .qts = 1, .date = 1};
    gap_tl_updates_difference_t d;
    gap_tl_message_t msg;
    gap_tl_object_t o;

    ck_assert_int_eq(send_styled(w.to_group, "a", 1, &one, 1), 0);
    ck_assert_int_eq(send_media(w.to_group, photo(), "b", 2), 0);
    ck_assert_int_eq(send_call(&w, GAP_TL_UPDATES_GET_DIFFERENCE, &q), 0);
    SEND_BODY(&w, GAP_TL_UPDATES_DIFFERENCE, &d);
    gap_tl_iter_t it = gap_tl_iter(d.new_messages);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_MESSAGE, &msg), 0);
    ck_assert_uint_eq(msg.entities.count, 1);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_MESSAGE, &msg), 0);
    ck_assert_uint_eq(msg.media.id, GAP_TL_MESSAGE_MEDIA_PHOTO);
}
END_TEST

/* --- reactions ----------------------------------------------------------------------------- */

static int react(int32_t id, const char *const *emoji, uint32_t count)
{
    gap_tl_reaction_emoji_t each[4];
    gap_tl_object_t all[4];
    gap_tl_messages_send_reaction_t q = {.flags = GAP_TL_MESSAGES_SEND_REACTION_F_REACTION,
                                         .peer = w.to_channel,
                                         .msg_id = id,
                                         .reaction = gap_tl_array(all, count)};

    for (uint32_t i = 0; i < count; i++) {
        each[i].emoticon = gap_str(emoji[i]);
        all[i] = GAP_TL_OF(GAP_TL_REACTION_EMOJI, &each[i]);
    }
    return send_call(&w, GAP_TL_MESSAGES_SEND_REACTION, &q);
}

START_TEST(reactions_are_the_last_ones)
{
    static const char *const two[] = {"\xf0\x9f\x91\x8d", "\xe2\x9d\xa4", "x", "y"};
    static const char *const endless[] = {"0123456789012345678901234567890123456789"
                                          "0123456789012345678901234567890123456789"};
    gap_tl_updates_t u;
    gap_tl_update_message_reactions_t update;
    gap_tl_message_reactions_t reactions;
    gap_tl_object_t o;

    send_refused(&w, react(1, two, 2), 400, "MESSAGE_ID_INVALID");
    ck_assert_int_eq(send_text(&w, w.to_channel, "a", 1), 0);
    ck_assert_int_eq(react(1, two, 2), 0);
    SEND_BODY(&w, GAP_TL_UPDATES, &u);
    gap_tl_iter_t it = gap_tl_iter(u.updates);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_MESSAGE_REACTIONS, &update), 0);
    ck_assert_int_eq(update.msg_id, 1);
    ck_assert_int_gt(GAP_TL_READ(update.reactions, GAP_TL_MESSAGE_REACTIONS, &reactions), 0);
    ck_assert_uint_eq(reactions.results.count, 2);
    send_refused(&w, react(1, two, 2), 400, "MESSAGE_NOT_MODIFIED");
    send_refused(&w, react(1, two, 4), 400, "REACTIONS_TOO_MANY");
    send_refused(&w, react(1, endless, 1), 400, "REACTION_INVALID");
    w.view.layer = 198; /* whose form is another one */
    ck_assert_int_eq(react(1, two, 1), 0);
    w.view.layer = 227;
    ck_assert_int_eq(react(1, two, 0), 0);
    SEND_BODY(&w, GAP_TL_UPDATES, &u);
    send_refused(&w, react(1, two, 0), 400, "MESSAGE_NOT_MODIFIED");
}
END_TEST

/* --- what calls are about ------------------------------------------------------------------ */

START_TEST(a_request_says_what_it_is_about)
{
    static const int32_t ids[] = {1, 2};
    static const int64_t random_ids[] = {11, 12};
    gap_tl_messages_forward_messages_t f = {.from_peer = w.to_posts,
                                            .id = gap_tl_array(ids, 2),
                                            .random_id = gap_tl_array(random_ids, 2),
                                            .to_peer = w.to_channel};
    gap_tl_messages_read_history_t read = {.peer = w.to_group, .max_id = 7};
    gap_tl_updates_get_state_t state = {0};
    gap_tl_channel_messages_filter_empty_t all = {0};
    gap_tl_input_channel_t channel = {SEND_CHANNEL, 0};
    gap_tl_updates_get_channel_difference_t difference = {
        .channel = GAP_TL_OF(GAP_TL_INPUT_CHANNEL, &channel),
        .filter = GAP_TL_OF(GAP_TL_CHANNEL_MESSAGES_FILTER_EMPTY, &all),
        .pts = 1,
        .limit = 100};
    dc_about_t about;

    dc_about(send_written(&w, GAP_TL_MESSAGES_FORWARD_MESSAGES, &f), &about);
    ck_assert_int_eq(about.peer.type, DC_CHANNEL);
    ck_assert(about.peer.id == SEND_CHANNEL);
    ck_assert_uint_eq(about.random_count, 2);
    ck_assert(about.random_ids[1] == 12);
    ck_assert(about.channel == SEND_CHANNEL);
    dc_about(send_written(&w, GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, &difference), &about);
    ck_assert(about.channel == SEND_CHANNEL);
    ck_assert_int_eq(about.peer.type, DC_NOBODY); /* it is no call into the chat */
    dc_about(send_written(&w, GAP_TL_MESSAGES_READ_HISTORY, &read), &about);
    ck_assert_int_eq(about.peer.type, DC_CHAT);
    ck_assert_int_eq(about.max_id, 7);
    ck_assert_uint_eq(about.random_count, 0);
    ck_assert(about.channel == 0);
    dc_about(send_written(&w, GAP_TL_UPDATES_GET_STATE, &state), &about);
    ck_assert_int_eq(about.peer.type, DC_NOBODY);
    dc_about(gap_bytes(w.request.data, 2), &about);
    ck_assert_int_eq(about.peer.type, DC_NOBODY);
}
END_TEST

/* --- hostile and poor ---------------------------------------------------------------------- */

/* Requests with bytes changed never do more than give an error, and what they leave can be read. */
START_TEST(damaged_requests)
{
    gap_tl_message_entity_text_url_t url = {0, 2, gap_str("https://example.org/")};
    gap_tl_object_t entity = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_TEXT_URL, &url);
    gap_tl_messages_send_media_t q = {.flags = GAP_TL_MESSAGES_SEND_MEDIA_F_ENTITIES,
                                      .peer = w.to_channel,
                                      .media = photo(),
                                      .message = gap_str(STYLED),
                                      .random_id = 9,
                                      .entities = gap_tl_array(&entity, 1)};
    gap_tl_messages_get_history_t history = {.peer = w.to_channel, .limit = 100};
    gap_bytes_t written = send_written(&w, GAP_TL_MESSAGES_SEND_MEDIA, &q);
    gap_prng_t rng = {(uint64_t)_i};
    uint8_t good[256];
    uint8_t bad[256];
    dc_about_t about;

    ck_assert_uint_le(written.len, sizeof good);
    memcpy(good, written.data, written.len);
    for (int i = 0; i < 3000; i++) {
        memcpy(bad, good, written.len);
        for (int k = 0; k < 2; k++)
            bad[4 + gap_prng_below(&rng, written.len - 4)] = (uint8_t)gap_prng_next(&rng);
        gap_bytes_t bytes = gap_bytes(bad, written.len);
        dc_about(bytes, &about);
        ck_assert_int_ge(dc_model_call(w.m, &w.view, bytes, w.now_us, &w.answer), 0);
        gap_bytes_t body = gap_buf_view(&w.answer.body);
        if (body.len > 0) ck_assert_int_eq(gap_tl_skip(body), (int64_t)body.len);
    }
    ck_assert_int_eq(send_call(&w, GAP_TL_MESSAGES_GET_HISTORY, &history), 0);
    gap_bytes_t body = gap_buf_view(&w.answer.body);
    ck_assert_int_eq(gap_tl_skip(body), (int64_t)body.len);
}
END_TEST

/* A photo with entities is sent, edited, forwarded and reacted to, until memory ends. */
static int short_life(const gap_alloc_t *alloc)
{
    static const int32_t ids[] = {1};
    static const int64_t random_ids[] = {11};
    dc_options_t o = send_options();
    dc_model_t *m = NULL;
    dc_answer_t a;
    gap_tl_message_entity_bold_t bold = {0, 1};
    gap_tl_object_t entity = GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold);
    gap_tl_messages_send_media_t send = {.flags = GAP_TL_MESSAGES_SEND_MEDIA_F_ENTITIES,
                                         .peer = w.to_channel,
                                         .media = photo(),
                                         .message = gap_str("a"),
                                         .random_id = 9,
                                         .entities = gap_tl_array(&entity, 1)};
    gap_tl_messages_forward_messages_t f = {.from_peer = w.to_channel,
                                            .id = gap_tl_array(ids, 1),
                                            .random_id = gap_tl_array(random_ids, 1),
                                            .to_peer = w.to_group};
    gap_tl_reaction_emoji_t emoji = {gap_str("x")};
    gap_tl_object_t reaction = GAP_TL_OF(GAP_TL_REACTION_EMOJI, &emoji);
    gap_tl_messages_send_reaction_t react_to = {.flags = GAP_TL_MESSAGES_SEND_REACTION_F_REACTION,
                                                .peer = w.to_channel,
                                                .msg_id = 1,
                                                .reaction = gap_tl_array(&reaction, 1)};
    const struct {
        uint32_t id;
        const void *q;
    } calls[] = {{GAP_TL_MESSAGES_SEND_MEDIA, &send},
                 {GAP_TL_MESSAGES_FORWARD_MESSAGES, &f},
                 {GAP_TL_MESSAGES_SEND_REACTION, &react_to}};

    dc_answer_init(&a, alloc);
    int r = dc_model_new(alloc, &o, &m);
    if (r == 0) r = dc_model_account(m, SEND_BOT, true, SEND_START_US);
    for (size_t i = 0; i < GAP_ARRAY_LEN(calls) && r == 0; i++)
        r = dc_model_call(m, &w.view, send_written(&w, calls[i].id, calls[i].q), SEND_START_US, &a);
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
    ck_assert_int_gt(n, 15);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_content");
    TCase *tc = tcase_create("content");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, entities_lie_within_the_text, 0, GAP_ARRAY_LEN(bounds));
    tcase_add_test(tc, entities_are_kept_and_shown);
    tcase_add_test(tc, who_is_mentioned_is_there);
    tcase_add_test(tc, too_many_entities_are_dropped);
    tcase_add_test(tc, an_edit_of_entities_alone_is_one);
    tcase_add_test(tc, media_is_kept_by_its_id);
    tcase_add_test(tc, media_that_can_not_be);
    tcase_add_test(tc, edits_of_media_and_captions);
    tcase_add_test(tc, markup_is_part_of_a_message);
    tcase_add_test(tc, forwards_name_their_origin);
    tcase_add_test(tc, forwards_that_can_not_be);
    tcase_add_test(tc, a_difference_brings_the_same);
    tcase_add_test(tc, reactions_are_the_last_ones);
    tcase_add_test(tc, a_request_says_what_it_is_about);
    tcase_add_loop_test(tc, damaged_requests, 0, 4);
    tcase_add_test(tc, every_allocation_may_fail);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
