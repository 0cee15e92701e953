/*
 * What is kept when there is little room: src/sequence/room.
 */
#include "../check_main.h"
#include "base/bytes.h"
#include "sequence/room.h"

struct keep_case {
    const char *why;
    struct gap_room room; /* queued, inbox, waiting, overflow, most, behind, limit, tight */
    uint32_t events;
    bool keep;
};

static const struct keep_case cases[] = {
    {"there is room", {3, 4, 3, 10, 20, 0, 0, false}, 1, true},
    {"the inbox is full", {4, 4, 4, 10, 20, 0, 0, false}, 1, false},
    {"nobody has room", {0, 4, 20, 10, 20, 0, 0, false}, 1, false},
    {"not even a user's channel", {0, 4, 20, 30, 20, 0, 100, true}, 1, false},
    {"the common box may be behind by anything", {0, 4, 0, 10, 20, 60000, 0, false}, 1, false},
    {"a user's channel goes beyond its inbox", {4, 4, 9, 10, 20, 0, 100, true}, 1, true},
    {"while few wait", {4, 4, 10, 10, 20, 0, 100, true}, 1, false},
    {"then it is behind", {4, 4, 5, 10, 20, 49, 100, true}, 1, false},
    {"up to half of the limit", {4, 4, 5, 10, 20, 50, 100, true}, 1, true},
    {"an update of many counts them", {4, 4, 5, 10, 20, 49, 100, true}, 2, true},
    {"beyond it if there is room", {4, 4, 10, 10, 20, 50, 100, true}, 1, false},
    {"a bot's channel drops at once", {4, 4, 5, 10, 20, 0, 100000, false}, 1, false},
    {"and up to half of its limit", {4, 4, 5, 10, 20, 49999, 100000, false}, 1, false},
    {"not more", {4, 4, 5, 10, 20, 50000, 100000, false}, 1, true},
};

START_TEST(test_keep)
{
    const struct keep_case *c = &cases[_i];
    ck_assert_msg(gap_room_keep(&c->room, c->events) == c->keep, "%s", c->why);
}
END_TEST

START_TEST(test_late)
{
    ck_assert(!gap_room_is_late(50, 100));
    ck_assert(gap_room_is_late(51, 100));
    ck_assert(!gap_room_is_late(UINT32_MAX, 0));
}
END_TEST

START_TEST(test_pressing)
{
    ck_assert(!gap_room_is_pressing(50, 100));
    ck_assert(gap_room_is_pressing(51, 100));
    ck_assert(gap_room_is_pressing(100, 100));
    ck_assert(!gap_room_is_pressing(101, 100)); /* too late */
    ck_assert(!gap_room_is_pressing(60, 0));
    ck_assert(!gap_room_is_pressing(INT32_MAX, 100));
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("room");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, test_keep, 0, (int)GAP_ARRAY_LEN(cases));
    tcase_add_test(t, test_late);
    tcase_add_test(t, test_pressing);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
