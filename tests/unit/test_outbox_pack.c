/*
 * Rows and contents on disk: they come back as they were, and forms and hashes are those of a
 * second reading (outbox_reference.py).
 */
#include "tests/check_main.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "outbox/content.h"
#include "tests/unit/vectors_outbox.h"

#include <gapless/tl_api.h>

#define B(text)                                                                                    \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define TEXT(t) .text = B(t)
#define ENT(...)                                                                                   \
    .entities = (const gap_outbox_entity_t[]){__VA_ARGS__},                                        \
    .entity_count = sizeof((gap_outbox_entity_t[]){__VA_ARGS__}) / sizeof(gap_outbox_entity_t)
#define USER .chat = {5, GAP_PEER_USER}
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
static const gap_tl_reply_inline_markup_t inline_markup = {.rows = {NULL, 0, NULL, 0}};

/* ---- the same ---- */

static void assert_objects(gap_tl_object_t a, gap_tl_object_t b)
{
    uint8_t left[4096], right[4096];
    bool has_a = a.id != 0 || a.data != NULL, has_b = b.id != 0 || b.data != NULL;

    ck_assert_int_eq(has_a, has_b);
    if (!has_a) return;
    int64_t n = gap_tl_write(a, left, sizeof left), m = gap_tl_write(b, right, sizeof right);
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(n, m);
    ck_assert_mem_eq(left, right, (size_t)n);
}

static void assert_contents(const gap_outbox_content_t *a, const gap_outbox_content_t *b)
{
    ck_assert(gap_bytes_equal(a->text, b->text));
    ck_assert_uint_eq(a->entity_count, b->entity_count);
    for (size_t i = 0; i < a->entity_count; i++) {
        ck_assert_uint_eq(a->entities[i].id, b->entities[i].id);
        ck_assert_uint_eq(a->entities[i].offset, b->entities[i].offset);
        ck_assert_uint_eq(a->entities[i].length, b->entities[i].length);
        ck_assert(gap_bytes_equal(a->entities[i].value, b->entities[i].value));
        ck_assert_int_eq(a->entities[i].number, b->entities[i].number);
    }
    assert_objects(a->media, b->media);
    assert_objects(a->markup, b->markup);
    ck_assert_int_eq(a->no_preview, b->no_preview);
    ck_assert_int_eq(a->silent, b->silent);
    ck_assert_int_eq(a->protect, b->protect);
}

static void assert_items(const gap_outbox_item_t *a, const gap_outbox_item_t *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    assert_contents(&a->content, &b->content);
    ck_assert_int_eq(a->reply_to, b->reply_to);
    ck_assert_int_eq(a->reply_to_row, b->reply_to_row);
    ck_assert_uint_eq(a->id_count, b->id_count);
    if (a->id_count > 0) ck_assert_mem_eq(a->ids, b->ids, 4 * a->id_count);
    ck_assert_int_eq(a->message_row, b->message_row);
    ck_assert_int_eq(a->max_id, b->max_id);
    ck_assert_int_eq(a->from.kind, b->from.kind);
    ck_assert_int_eq(a->from.id, b->from.id);
    ck_assert_int_eq(a->unpin, b->unpin);
    ck_assert_int_eq(a->for_me_only, b->for_me_only);
    ck_assert(gap_bytes_equal(a->emoji, b->emoji));
    assert_objects(a->query, b->query);
    ck_assert_int_eq(a->replay, b->replay);
}

/* ---- items of chance ---- */

struct chance {
    gap_outbox_item_t item;
    char text[256];
    uint32_t units; /* of the text */
    gap_outbox_entity_t entities[8];
    int32_t ids[GAP_OUTBOX_IDS_MAX];
};

static void draw_text(gap_prng_t *p, struct chance *c)
{
    static const char *const letters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", SMILE};
    size_t len = 1;

    c->text[0] = 'x';
    c->units = 1;
    for (uint64_t n = gap_prng_below(p, 50); n > 0; n--) {
        uint64_t which = gap_prng_below(p, 4);
        memcpy(c->text + len, letters[which], strlen(letters[which]));
        len += strlen(letters[which]);
        c->units += which == 3 ? 2 : 1;
    }
    c->item.content.text = gap_bytes(c->text, len);
}

/* Some will not fit: half a smile, or a value missing. */
static void draw_entities(gap_prng_t *p, struct chance *c)
{
    static const uint32_t ids[] = {GAP_TL_MESSAGE_ENTITY_BOLD, GAP_TL_MESSAGE_ENTITY_TEXT_URL,
                                   GAP_TL_MESSAGE_ENTITY_PRE, GAP_TL_MESSAGE_ENTITY_MENTION_NAME,
                                   GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE};
    uint32_t from = 0;

    c->item.content.entities = c->entities;
    c->item.content.entity_count = gap_prng_below(p, 4);
    for (size_t i = 0; i < c->item.content.entity_count; i++) {
        gap_outbox_entity_t *e = &c->entities[i];
        *e = (gap_outbox_entity_t){.id = ids[gap_prng_below(p, GAP_ARRAY_LEN(ids))]};
        e->offset = from + (uint32_t)gap_prng_below(p, 10);
        e->length = 1 + (uint32_t)gap_prng_below(p, 10);
        if (e->id == GAP_TL_MESSAGE_ENTITY_TEXT_URL || e->id == GAP_TL_MESSAGE_ENTITY_PRE)
            e->value = gap_str("https://example.org/");
        if (e->id == GAP_TL_MESSAGE_ENTITY_MENTION_NAME)
            e->number = (int64_t)gap_prng_below(p, UINT64_C(1) << 52);
        from = e->offset;
    }
}

static void draw_item(gap_prng_t *p, struct chance *c)
{
    gap_outbox_item_t *i = &c->item;

    memset(c, 0, sizeof *c);
    i->kind = (gap_outbox_kind_t)(1 + gap_prng_below(p, 8));
    i->chat = (gap_peer_t){1 + (int64_t)gap_prng_below(p, 900000000000),
                           (gap_peer_kind_t)(1 + gap_prng_below(p, 3))};
    if (i->kind <= GAP_OUTBOX_EDIT) {
        draw_text(p, c);
        draw_entities(p, c);
        i->content.no_preview = gap_prng_below(p, 2) != 0;
        if (i->kind == GAP_OUTBOX_MEDIA) i->content.media = (gap_tl_object_t)DICE;
    }
    if (i->kind <= GAP_OUTBOX_MEDIA) i->reply_to = (int32_t)gap_prng_below(p, INT32_MAX);
    if (i->kind >= GAP_OUTBOX_EDIT && i->kind != GAP_OUTBOX_READ) {
        bool many = i->kind == GAP_OUTBOX_DELETE || i->kind == GAP_OUTBOX_FORWARD;
        i->ids = c->ids;
        i->id_count = many ? 1 + gap_prng_below(p, GAP_OUTBOX_IDS_MAX) : 1;
        for (size_t n = 0; n < i->id_count; n++)
            c->ids[n] = 1 + (int32_t)gap_prng_below(p, INT32_MAX);
    }
    if (i->kind == GAP_OUTBOX_FORWARD) i->from = (gap_peer_t){77, GAP_PEER_CHANNEL};
    if (i->kind == GAP_OUTBOX_READ) i->max_id = (int32_t)gap_prng_below(p, INT32_MAX);
}

START_TEST(test_items_of_chance)
{
    gap_prng_t p = {815};
    struct chance c;
    struct gap_item out;
    int good = 0, rounds = gap_test_seeds(3000);
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    for (int n = 0; n < rounds; n++) {
        draw_item(&p, &c);
        gap_buf_clear(&b);
        int r = gap_item_pack(&c.item, &b);
        ck_assert_int_eq(r, gap_outbox_check(&c.item));
        if (r < 0) continue;
        good++;
        ck_assert_int_eq(gap_item_unpack(gap_buf_view(&b), &out), 0);
        assert_items(&c.item, &out.item);
    }
    ck_assert_int_gt(good, rounds / 2);
    gap_buf_fini(&b);
}
END_TEST

/* ---- held against a second reading ---- */

static size_t unhex(const char *hex, uint8_t *out)
{
    size_t n = strlen(hex) / 2;

    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

START_TEST(test_second_reading)
{
    uint8_t packed[1024], hash[16], expected[16];
    struct gap_item item;
    gap_buf_t b;

    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_outbox); i++) {
        const struct vector_outbox *v = &vectors_outbox[i];
        size_t len = unhex(v->packed, packed);
        ck_assert_msg(gap_item_unpack(gap_bytes(packed, len), &item) == 0, "%s", v->name);
        gap_buf_init(&b, gap_alloc_default());
        item.item.chat = (gap_peer_t){5, GAP_PEER_USER};
        ck_assert_int_eq(gap_item_pack(&item.item, &b), 0);
        ck_assert(gap_bytes_equal(gap_buf_view(&b), gap_bytes(packed, len)));
        ck_assert_int_eq(gap_content_hash(&item.item.content, hash), 0);
        (void)unhex(v->hash, expected);
        ck_assert_msg(memcmp(hash, expected, 16) == 0, "%s", v->name);
        gap_buf_fini(&b);
    }
}
END_TEST

START_TEST(test_random_ids_of_one)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(vectors_random); i++)
        ck_assert_int_eq(gap_outbox_random_at(vectors_random[i].random_id, vectors_random[i].index),
                         vectors_random[i].expected);
}
END_TEST

/* ---- contents alone ---- */

/* Packed and read back: the same, with the same hash. */
START_TEST(test_content_round_trip)
{
    gap_outbox_content_t content = {
        TEXT("abc"),
        ENT(BOLD(0, 2), {.id = GAP_POST_LINK, .offset = 1, .length = 1, .value = B("key")}),
        .media = DICE,
        .markup = {.id = GAP_TL_REPLY_INLINE_MARKUP, .value = &inline_markup},
        .no_preview = true,
        .silent = true};
    struct gap_content out;
    uint8_t before[16], after[16];
    gap_buf_t b;

    gap_buf_init(&b, gap_alloc_default());
    ck_assert_int_eq(gap_content_pack(&content, &b), 0);
    ck_assert_int_eq(gap_content_unpack(gap_buf_view(&b), &out), 0);
    assert_contents(&content, &out.content);
    ck_assert_int_eq(gap_content_hash(&content, before), 0);
    ck_assert_int_eq(gap_content_hash(&out.content, after), 0);
    ck_assert_mem_eq(before, after, 16);
    for (size_t len = 0; len < b.len; len++)
        ck_assert_int_eq(gap_content_unpack(gap_bytes(b.data, len), &out), GAP_E_DAMAGED);
    ck_assert_int_eq(gap_buf_append(&b, "", 1), 0);
    ck_assert_int_eq(gap_content_unpack(gap_buf_view(&b), &out), GAP_E_DAMAGED);
    gap_buf_fini(&b);
}
END_TEST

/* Out of memory is an error that changes nothing. */
START_TEST(test_no_memory)
{
    gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_MEDIA, USER, .content = {TEXT("abc"), .media = DICE}};
    struct fault_alloc f;
    gap_buf_t b;
    int r = GAP_E_NOMEM;

    for (long n = 1; r == GAP_E_NOMEM; n++) {
        fault_alloc_init(&f, n);
        gap_buf_init(&b, &f.alloc);
        r = gap_item_pack(&item, &b);
        ck_assert(r == 0 || (r == GAP_E_NOMEM && b.len == 0));
        gap_buf_fini(&b);
        ck_assert_int_eq(f.live, 0);
    }
    ck_assert_int_eq(r, 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("outbox_pack");
    TCase *t = tcase_create("pack");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_items_of_chance);
    tcase_add_test(t, test_second_reading);
    tcase_add_test(t, test_random_ids_of_one);
    tcase_add_test(t, test_content_round_trip);
    tcase_add_test(t, test_no_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
