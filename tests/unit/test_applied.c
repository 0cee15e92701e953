/* tests/unit/test_applied.c - the messages that were applied while a question was on its way. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "sequence/applied.h"

#include <gapless/tl_api.h>
#include <string.h>

static uint8_t room[1024];

static gap_bytes_t written(gap_tl_object_t object)
{
    int64_t used = gap_tl_write(object, room, sizeof room);

    ck_assert_int_gt((int)used, 0);
    return gap_bytes(room, (size_t)used);
}

static gap_tl_message_t message(int32_t id, const char *text)
{
    static const gap_tl_peer_user_t peer = {42};
    gap_tl_message_t m;

    memset(&m, 0, sizeof m);
    m.id = id;
    m.peer_id = GAP_TL_OF(GAP_TL_PEER_USER, &peer);
    m.date = 1700000000;
    m.message = gap_str(text);
    return m;
}

static struct gap_print print_of(const gap_tl_message_t *m)
{
    struct gap_print p;

    ck_assert(gap_message_print(written(GAP_TL_OF(GAP_TL_MESSAGE, m)), &p));
    return p;
}

static bool is_same(const gap_tl_message_t *a, const gap_tl_message_t *b)
{
    struct gap_applied applied;
    struct gap_print first = print_of(a);
    struct gap_print second = print_of(b);

    gap_applied_init(&applied);
    gap_applied_add(&applied, &first);
    enum gap_applied_verdict v = gap_applied_find(&applied, &second);
    ck_assert_int_ne(v, GAP_APPLIED_NOT);
    return v == GAP_APPLIED_SAME;
}

/* What an edit changes makes another message of it; what readers do does not. */
START_TEST(what_tells_an_edit)
{
    static const gap_tl_message_media_empty_t empty = {0};
    static const gap_tl_message_entity_bold_t bold = {0, 2};
    gap_tl_object_t entities[] = {GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOLD, &bold)};
    gap_tl_message_t m = message(7, "hello");
    gap_tl_message_t other = m;

    ck_assert(is_same(&m, &other));
    other.flags |= GAP_TL_MESSAGE_F_VIEWS | GAP_TL_MESSAGE_F_FORWARDS;
    other.views = 5;
    other.forwards = 1;
    ck_assert(is_same(&m, &other));
    other = message(7, "hello!");
    ck_assert(!is_same(&m, &other));
    other = m;
    other.flags |= GAP_TL_MESSAGE_F_EDIT_DATE;
    other.edit_date = 1700000001;
    ck_assert(!is_same(&m, &other));
    other = m;
    other.flags |= GAP_TL_MESSAGE_F_MEDIA;
    other.media = GAP_TL_OF(GAP_TL_MESSAGE_MEDIA_EMPTY, &empty);
    ck_assert(!is_same(&m, &other));
    other = m;
    other.flags |= GAP_TL_MESSAGE_F_ENTITIES;
    other.entities = gap_tl_array(entities, 1);
    ck_assert(!is_same(&m, &other));
}
END_TEST

/* Where the content is not known, only an edit date tells. */
START_TEST(content_that_is_not_known)
{
    struct gap_applied a;
    struct gap_print p = {7, 0, 0};

    gap_applied_init(&a);
    gap_applied_add(&a, &p);
    p.content = 99;
    ck_assert_int_eq(gap_applied_find(&a, &p), GAP_APPLIED_SAME);
    p.edited = 1;
    ck_assert_int_eq(gap_applied_find(&a, &p), GAP_APPLIED_DIFFERENT);
}
END_TEST

START_TEST(all_that_fit_are_found)
{
    struct gap_applied a;
    struct gap_print p = {0, 0, 1};

    gap_applied_init(&a);
    ck_assert_int_eq(gap_applied_find(&a, &p), GAP_APPLIED_NOT);
    for (int32_t i = 0; !gap_applied_is_full(&a); i++) {
        p.id = 100 + 2 * i;
        gap_applied_add(&a, &p);
    }
    ck_assert_uint_eq(a.count, GAP_APPLIED_MAX);
    for (int32_t id = 90; id < 120 + 2 * GAP_APPLIED_MAX; id++) {
        bool there = id >= 100 && id < 100 + 2 * GAP_APPLIED_MAX && id % 2 == 0;
        p.id = id;
        ck_assert_msg((gap_applied_find(&a, &p) == GAP_APPLIED_SAME) == there, "id %d", id);
    }
}
END_TEST

/* What can't be read has no print; a service message has one. */
START_TEST(other_objects)
{
    static const gap_tl_peer_user_t peer = {42};
    static const gap_tl_message_action_pin_message_t pin = {0};
    gap_tl_message_service_t s;
    struct gap_print p;

    memset(&s, 0, sizeof s);
    s.id = 9;
    s.peer_id = GAP_TL_OF(GAP_TL_PEER_USER, &peer);
    s.action = GAP_TL_OF(GAP_TL_MESSAGE_ACTION_PIN_MESSAGE, &pin);
    gap_bytes_t bytes = written(GAP_TL_OF(GAP_TL_MESSAGE_SERVICE, &s));
    ck_assert(gap_message_print(bytes, &p));
    ck_assert_int_eq(p.id, 9);
    ck_assert_int_eq(p.edited, 0);
    ck_assert(!gap_message_print(gap_bytes(bytes.data, bytes.len - 4), &p));
    ck_assert(!gap_message_print(gap_bytes(bytes.data, 3), &p));
    ck_assert(!gap_message_print(written(GAP_TL_OF(GAP_TL_PEER_USER, &peer)), &p));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("applied");
    TCase *t = tcase_create("applied");

    tcase_add_test(t, what_tells_an_edit);
    tcase_add_test(t, content_that_is_not_known);
    tcase_add_test(t, all_that_fit_are_found);
    tcase_add_test(t, other_objects);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
