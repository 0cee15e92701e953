/* The hash of a content: what makes a difference, and what does not. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "outbox/content.h"

#include <gapless/tl_api.h>

#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define TEXT(t) .text = B(t)
#define ENT(...)                                                                                   \
    .entities = (const gap_outbox_entity_t[]){__VA_ARGS__},                                        \
    .entity_count = sizeof((gap_outbox_entity_t[]){__VA_ARGS__}) / sizeof(gap_outbox_entity_t)
#define BOLD(o, l)                                                                                 \
    {                                                                                              \
        .id = GAP_TL_MESSAGE_ENTITY_BOLD, .offset = (o), .length = (l)                             \
    }
#define DICE                                                                                       \
    {                                                                                              \
        .id = GAP_TL_INPUT_MEDIA_DICE, .value = &dice                                              \
    }

static const gap_tl_input_media_dice_t dice = {.emoticon = B("\xf0\x9f\x8e\xb2")};
static const gap_tl_reply_inline_markup_t inline_markup = {.rows = {NULL, 0, NULL, 0}};

static void hash_of(const gap_outbox_content_t *c, uint8_t out[16])
{
    ck_assert_int_eq(gap_content_hash(c, out), 0);
}

static bool same_hash(const gap_outbox_content_t *a, const gap_outbox_content_t *b)
{
    uint8_t left[16], right[16];

    hash_of(a, left);
    hash_of(b, right);
    return memcmp(left, right, 16) == 0;
}

/* Everything that a reader of the message would see makes a difference. */
START_TEST(test_hash_differs)
{
    static const gap_tl_input_media_dice_t dart = {.emoticon = B("\xf0\x9f\x8e\xaf")};
    const gap_outbox_content_t all[] = {
        {TEXT("abc")},
        {TEXT("abd")},
        {TEXT("abc"), ENT(BOLD(0, 1))},
        {TEXT("abc"), ENT(BOLD(0, 2))},
        {TEXT("abc"), ENT(BOLD(1, 1))},
        {TEXT("abc"), ENT(BOLD(0, 1), BOLD(1, 1))},
        {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_ENTITY_ITALIC, .length = 1})},
        {TEXT("abc"),
         ENT({.id = GAP_TL_MESSAGE_ENTITY_TEXT_URL, .length = 1, .value = B("https://a.example")})},
        {TEXT("abc"),
         ENT({.id = GAP_TL_MESSAGE_ENTITY_TEXT_URL, .length = 1, .value = B("https://b.example")})},
        {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_ENTITY_MENTION_NAME, .length = 1, .number = 1})},
        {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_ENTITY_MENTION_NAME, .length = 1, .number = 2})},
        {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, .length = 1})},
        {TEXT("abc"), ENT({.id = GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE, .length = 1, .number = 1})},
        {TEXT("abc"), .media = DICE},
        {TEXT("abc"), .media = {.id = GAP_TL_INPUT_MEDIA_DICE, .value = &dart}},
        {TEXT("abc"), .markup = {.id = GAP_TL_REPLY_INLINE_MARKUP, .value = &inline_markup}},
        {TEXT("abc"), .no_preview = true},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(all); i++)
        for (size_t k = 0; k < GAP_ARRAY_LEN(all); k++)
            ck_assert_msg(same_hash(&all[i], &all[k]) == (i == k), "%zu and %zu", i, k);
}
END_TEST

/* What no edit can change, and what changes by itself, makes none. */
START_TEST(test_hash_leaves_out)
{
    gap_tl_input_photo_t photo = {.id = 77, .access_hash = 1, .file_reference = B("old")};
    gap_tl_input_photo_t fresh = {.id = 77, .access_hash = 2, .file_reference = B("new one")};
    gap_tl_input_photo_t other = {.id = 78, .access_hash = 1, .file_reference = B("old")};
    gap_tl_input_media_photo_t m = {.id = GAP_TL_OF(GAP_TL_INPUT_PHOTO, &photo)};
    gap_tl_input_media_photo_t m_fresh = {.id = GAP_TL_OF(GAP_TL_INPUT_PHOTO, &fresh)};
    gap_tl_input_media_photo_t m_other = {.id = GAP_TL_OF(GAP_TL_INPUT_PHOTO, &other)};
    gap_outbox_content_t a = {TEXT("abc"), .media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_PHOTO, &m)};
    gap_outbox_content_t b = a, c = a, d = a;
    gap_outbox_content_t text = {TEXT("abc")},
                         quiet = {TEXT("abc"), .silent = true, .protect = true};

    b.media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_PHOTO, &m_fresh);
    c.media = GAP_TL_OF(GAP_TL_INPUT_MEDIA_PHOTO, &m_other);
    d.no_preview = true; /* sendMedia has no such field */
    ck_assert(same_hash(&a, &b));
    ck_assert(!same_hash(&a, &c));
    ck_assert(same_hash(&a, &d));
    ck_assert(same_hash(&text, &quiet));
    ck_assert(!same_hash(&text, &a));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_hash");
    TCase *t = tcase_create("hash");

    tcase_add_test(t, test_hash_differs);
    tcase_add_test(t, test_hash_leaves_out);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
