/* tests/unit/test_tl_cursor.c - walking over an Updates object field by field: what is found, where
 * the walk ends, and that it refuses the same bytes as the skip. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "tl/cursor.h"

#include <gapless/tl_api.h>

#define ELEMENTS 3

/* ELEMENTS updates, alternating between updateNewChannelMessage and updateDeleteMessages. */
static size_t make_updates(uint8_t *out, size_t cap)
{
    static const int32_t deleted[] = {4, 5};
    gap_tl_peer_channel_t peer = {.channel_id = 88};
    gap_tl_message_t message = {.id = 5,
                                .peer_id = GAP_TL_OF(GAP_TL_PEER_CHANNEL, &peer),
                                .date = 1700000000,
                                .message = gap_str("hello")};
    gap_tl_update_new_channel_message_t new_message = {
        .message = GAP_TL_OF(GAP_TL_MESSAGE, &message), .pts = 100, .pts_count = 1};
    gap_tl_update_delete_messages_t delete_messages = {
        .messages = gap_tl_array(deleted, 2), .pts = 200, .pts_count = 2};
    gap_tl_object_t list[ELEMENTS];
    for (int i = 0; i < ELEMENTS; i++)
        list[i] = i % 2 == 0 ? GAP_TL_OF(GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE, &new_message)
                             : GAP_TL_OF(GAP_TL_UPDATE_DELETE_MESSAGES, &delete_messages);
    gap_tl_updates_t updates = {.updates = gap_tl_array(list, ELEMENTS), .date = 7, .seq = 9};
    int64_t len = gap_tl_write(GAP_TL_OF(GAP_TL_UPDATES, &updates), out, cap);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

struct walk {
    int updates;
    int32_t pts_sum, seq, first_id;
    size_t update_bytes, text_len;
    const uint8_t *behind;
};

static int walk_message(gap_tl_cursor_t *update, struct walk *w)
{
    int id = gap_tl_field_number(GAP_TL_MESSAGE, "id");
    int text = gap_tl_field_number(GAP_TL_MESSAGE, "message");
    int media = gap_tl_field_number(GAP_TL_MESSAGE, "media");
    gap_tl_cursor_t message;
    gap_bytes_t view;

    int r = gap_tl_cursor_to(update, gap_tl_field_number(update->id, "message"));
    if (r == 1) r = gap_tl_cursor_enter(update, &message);
    if (r == 0) r = gap_tl_cursor_to(&message, id);
    if (r == 1) r = gap_tl_cursor_int(&message, &w->first_id);
    if (r == 0) r = gap_tl_cursor_to(&message, text);
    if (r == 1) r = gap_tl_cursor_bytes(&message, &view);
    if (r < 0) return r;
    w->text_len += view.len;
    r = gap_tl_cursor_to(&message, media);
    if (r < 0) return r;
    ck_assert_int_eq(r, 0);
    return gap_tl_cursor_leave(update, &message, NULL);
}

static int walk_update(gap_tl_cursor_t *updates, struct walk *w)
{
    gap_tl_cursor_t update;
    gap_tl_object_t view;
    int32_t pts;

    int r = gap_tl_cursor_enter(updates, &update);
    if (r == 0 && update.id == GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE && w->updates > 0)
        r = walk_message(&update, w); /* the first is passed unseen */
    if (r == 0) r = gap_tl_cursor_to(&update, gap_tl_field_number(update.id, "pts"));
    if (r == 1) r = gap_tl_cursor_int(&update, &pts);
    if (r == 0) r = gap_tl_cursor_leave(updates, &update, &view);
    if (r < 0) return r;
    w->pts_sum += pts;
    w->updates++;
    w->update_bytes += view.len;
    ck_assert_int_eq(gap_tl_skip(gap_tl_bytes(view)), (int)view.len);
    return 0;
}

static int walk(gap_bytes_t in, struct walk *w)
{
    gap_tl_cursor_t updates;
    uint32_t count = 0;

    memset(w, 0, sizeof *w);
    int r = gap_tl_cursor_open(&updates, in);
    if (r < 0) return r;
    r = gap_tl_cursor_to(&updates, gap_tl_field_number(GAP_TL_UPDATES, "updates"));
    if (r == 1) r = gap_tl_cursor_vector(&updates, &count);
    for (; r == 0 && count > 0; count--) r = walk_update(&updates, w);
    if (r == 0) r = gap_tl_cursor_to(&updates, gap_tl_field_number(GAP_TL_UPDATES, "seq"));
    if (r == 1) r = gap_tl_cursor_int(&updates, &w->seq);
    if (r == 0) r = gap_tl_cursor_finish(&updates);
    w->behind = updates.at;
    return r;
}

START_TEST(test_walk)
{
    uint8_t bytes[1024];
    size_t len = make_updates(bytes, sizeof bytes);
    struct walk w;

    ck_assert_int_eq(walk(gap_bytes(bytes, sizeof bytes), &w), 0);
    ck_assert_int_eq(w.updates, ELEMENTS);
    ck_assert_int_eq(w.pts_sum, 400);
    ck_assert_int_eq(w.seq, 9);
    ck_assert_int_eq(w.first_id, 5);
    ck_assert_uint_eq(w.text_len, 5);
    /* id, vector head; two empty vectors, date and seq behind */
    ck_assert_uint_eq(w.update_bytes, len - 12 - 24);
    ck_assert_ptr_eq(w.behind, bytes + len);
}
END_TEST

START_TEST(test_walk_truncated)
{
    uint8_t bytes[1024];
    size_t len = make_updates(bytes, sizeof bytes);
    struct walk w;

    for (size_t cut = 0; cut < len; cut++) {
        uint8_t *copy = malloc(cut + 1); /* exact, so that a sanitizer sees a read behind it */
        ck_assert_ptr_nonnull(copy);
        memcpy(copy, bytes, cut);
        ck_assert_msg(walk(gap_bytes(copy, cut), &w) == GAP_E_TL, "cut at %zu", cut);
        free(copy);
    }
}
END_TEST

START_TEST(test_walk_refuses)
{
    uint8_t bytes[1024];
    struct walk w;

    make_updates(bytes, sizeof bytes);
    gap_store32(bytes + 12, 0x12345678U); /* the first update */
    ck_assert_int_eq(walk(gap_bytes(bytes, sizeof bytes), &w), GAP_E_TL_ID);
    gap_store32(bytes + 12, GAP_TL_PEER_USER);
    ck_assert_int_eq(walk(gap_bytes(bytes, sizeof bytes), &w), GAP_E_TL);
    make_updates(bytes, sizeof bytes);
    gap_store32(bytes + 8, 0xffffffffU); /* count */
    ck_assert_int_eq(walk(gap_bytes(bytes, sizeof bytes), &w), GAP_E_TL);
    make_updates(bytes, sizeof bytes);
    gap_store32(bytes + 4, 0); /* id of the vector */
    ck_assert_int_eq(walk(gap_bytes(bytes, sizeof bytes), &w), GAP_E_TL);
}
END_TEST

START_TEST(test_field_number)
{
    ck_assert_int_eq(gap_tl_field_number(GAP_TL_PEER_USER, "user_id"), 0);
    ck_assert_int_eq(gap_tl_field_number(GAP_TL_UPDATE_NEW_MESSAGE, "pts"), 1);
    ck_assert_int_eq(gap_tl_field_number(GAP_TL_UPDATE_NEW_MESSAGE, "qts"), -1);
    ck_assert_int_eq(gap_tl_field_number(1, "pts"), -1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("tl_cursor");
    TCase *t = tcase_create("cursor");

    tcase_add_test(t, test_walk);
    tcase_add_test(t, test_walk_truncated);
    tcase_add_test(t, test_walk_refuses);
    tcase_add_test(t, test_field_number);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
