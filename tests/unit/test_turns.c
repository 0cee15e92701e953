/*
 * Whose turn it is, and what FLOOD_WAIT blocks: src/sequence/turns.
 */
#include "../check_main.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "sequence/turns.h"

#include <string.h>

#define OPEN  (1U << GAP_TURN_OPEN)
#define HOT   (1U << GAP_TURN_HOT)
#define NAMED (1U << GAP_TURN_NAMED)
#define REST  (1U << GAP_TURN_REST)

START_TEST(test_better_classes_go_first)
{
    for (unsigned waiting = 1; waiting < 1U << GAP_TURN_CLASSES; waiting++) {
        struct gap_turns t = {{0}};
        unsigned first = 0;
        while ((waiting >> first & 1U) == 0) first++;
        ck_assert_uint_eq(gap_turns_next(&t, waiting), first);
    }
}
END_TEST

/* With two that never run out: four turns for the better one, then one for the other. */
START_TEST(test_the_passed_over_get_turns)
{
    struct gap_turns t = {{0}};

    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < GAP_TURN_PATIENCE; i++)
            ck_assert_uint_eq(gap_turns_next(&t, OPEN | REST), GAP_TURN_OPEN);
        ck_assert_uint_eq(gap_turns_next(&t, OPEN | REST), GAP_TURN_REST);
    }
}
END_TEST

/* Who does not wait has no claim to a turn later. */
START_TEST(test_no_turns_are_saved_up)
{
    struct gap_turns t = {{0}};

    for (int i = 0; i < 3; i++) ck_assert_uint_eq(gap_turns_next(&t, HOT | NAMED), GAP_TURN_HOT);
    for (int i = 0; i < 9; i++) ck_assert_uint_eq(gap_turns_next(&t, HOT), GAP_TURN_HOT);
    for (int i = 0; i < GAP_TURN_PATIENCE; i++)
        ck_assert_uint_eq(gap_turns_next(&t, HOT | NAMED), GAP_TURN_HOT);
    ck_assert_uint_eq(gap_turns_next(&t, HOT | NAMED), GAP_TURN_NAMED);
}
END_TEST

/* Nobody starves, whoever else comes and goes. */
START_TEST(test_nobody_starves)
{
    gap_prng_t random = {(uint64_t)_i};
    struct gap_turns t = {{0}};
    unsigned me = (unsigned)_i % GAP_TURN_CLASSES;
    unsigned most = 0;

    for (unsigned since = 0, n = 0; n < 10000; n++) {
        unsigned waiting = 1U << me | (unsigned)gap_prng_below(&random, 1U << GAP_TURN_CLASSES);
        since = gap_turns_next(&t, waiting) == me ? 0 : since + 1;
        if (since > most) most = since;
    }
    ck_assert_msg(most < GAP_TURN_PATIENCE + GAP_TURN_CLASSES, "class %u waited for %u", me, most);
}
END_TEST

struct told {
    int64_t channel; /* 0: common; -1: end */
    uint64_t now;
    uint64_t until;
};

struct flood_case {
    const char *why;
    struct told told[5];
    uint64_t common;
    uint64_t channels;
};

static const struct flood_case floods[] = {
    {"the common difference blocks all", {{0, 10, 40}, {-1, 0, 0}}, 40, 40},
    {"the longest counts", {{0, 10, 40}, {0, 20, 30}, {-1, 0, 0}}, 40, 40},
    {"one channel blocks itself only", {{7, 10, 40}, {-1, 0, 0}}, 0, 0},
    {"also when it is told again", {{7, 10, 40}, {7, 20, 50}, {7, 60, 90}, {-1, 0, 0}}, 0, 0},
    {"a second one blocks all channels", {{7, 10, 40}, {8, 20, 30}, {-1, 0, 0}}, 0, 40},
    {"until the longest is over", {{7, 10, 40}, {8, 20, 50}, {-1, 0, 0}}, 0, 50},
    {"a third one may be longer", {{7, 10, 40}, {8, 20, 30}, {9, 21, 60}, {-1, 0, 0}}, 0, 60},
    {"after the first one's time it is alone", {{7, 10, 40}, {8, 40, 60}, {-1, 0, 0}}, 0, 0},
    {"and then the first is the second",
     {{7, 10, 40}, {8, 41, 60}, {7, 50, 55}, {-1, 0, 0}},
     0,
     60},
    {"both kinds", {{7, 10, 40}, {8, 20, 50}, {0, 30, 45}, {-1, 0, 0}}, 45, 50},
};

START_TEST(test_floods)
{
    const struct flood_case *c = &floods[_i];
    struct gap_floods f;

    memset(&f, 0, sizeof f);
    for (const struct told *t = c->told; t->channel >= 0; t++)
        gap_floods_told(&f, t->channel, t->now, t->until);
    ck_assert_msg(gap_floods_common_us(&f) == c->common, "%s", c->why);
    ck_assert_msg(gap_floods_channel_us(&f) == c->channels, "%s", c->why);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("turns");
    TCase *t = tcase_create("all");

    tcase_add_test(t, test_better_classes_go_first);
    tcase_add_test(t, test_the_passed_over_get_turns);
    tcase_add_test(t, test_no_turns_are_saved_up);
    tcase_add_loop_test(t, test_nobody_starves, 0, 40);
    tcase_add_loop_test(t, test_floods, 0, (int)GAP_ARRAY_LEN(floods));
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
