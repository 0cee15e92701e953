/* tests/unit/test_verdict.c - the verdict finds every kind of fault, and none where there is none.
 */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "userbot/verdict.h"

#include <string.h>

#define M(n, chat, id, text, t)                                                                    \
    "{\"n\":" #n ",\"kind\":\"new_message\",\"account\":7,\"box\":\"common\",\"pts\":" #n          \
    ",\"pts_count\":1,\"chat\":\"user:" #chat "\",\"id\":" #id ",\"text\":\"" text                 \
    "\",\"t_us\":" #t "}"
#define E(n, chat, id, text, t)                                                                    \
    "{\"n\":" #n ",\"kind\":\"edit_message\",\"account\":7,\"box\":\"common\",\"pts\":" #n         \
    ",\"pts_count\":1,\"chat\":\"user:" #chat "\",\"id\":" #id ",\"text\":\"" text                 \
    "\",\"t_us\":" #t "}"
#define D(n, ids)                                                                                  \
    "{\"n\":" #n ",\"kind\":\"delete_messages\",\"account\":7,\"box\":\"common\",\"pts\":" #n      \
    ",\"pts_count\":2,\"ids\":" ids ",\"t_us\":1000}"
#define P(n, msg)                                                                                  \
    "{\"n\":" #n ",\"kind\":\"pin\",\"account\":7,\"box\":\"common\",\"pts\":" #n                  \
    ",\"pts_count\":1,\"chat\":\"user:5\",\"id\":" #msg ",\"ids\":[" #msg                          \
    "],\"pinned\":true,\"t_us\":10}"
#define PUSH(n, fate, t)                                                                           \
    "{\"kind\":\"push\",\"n\":" #n ",\"account\":7,\"fate\":\"" fate "\",\"t_us\":" #t "}"
#define FOLD(list)                                                                                 \
    "{\"kind\":\"difference\",\"account\":7,\"box\":\"common\",\"from\":1,\"to\":9,"               \
    "\"folded\":" list "}"

struct verdict_case {
    const char *why;
    const char *ledger[8];
    const char *delivered[8];
    uint64_t ok, lost, doubled, order, superseded, unexpected;
};

static const struct verdict_case cases[] = {
    {"everything once",
     {M(1, 5, 1, "a", 10), M(2, 5, 2, "b", 20)},
     {M(0, 5, 1, "a", 0), M(0, 5, 2, "b", 0)},
     2,
     0,
     0,
     0,
     0,
     0},
    {"one is missing",
     {M(1, 5, 1, "a", 10), M(2, 5, 2, "b", 20)},
     {M(0, 5, 1, "a", 0)},
     1,
     1,
     0,
     0,
     0,
     0},
    {"one came twice",
     {M(1, 5, 1, "a", 10)},
     {M(0, 5, 1, "a", 0), M(0, 5, 1, "a", 0)},
     1,
     0,
     1,
     0,
     0,
     0},
    {"ids descend in a chat",
     {M(1, 5, 1, "a", 10), M(2, 5, 2, "b", 20)},
     {M(0, 5, 2, "b", 0), M(0, 5, 1, "a", 0)},
     2,
     0,
     0,
     1,
     0,
     0},
    {"ids may descend across chats",
     {M(1, 5, 1, "a", 10), M(2, 6, 2, "b", 20)},
     {M(0, 6, 2, "b", 0), M(0, 5, 1, "a", 0)},
     2,
     0,
     0,
     0,
     0,
     0},
    {"an edit before its message",
     {M(1, 5, 1, "a", 10), E(2, 5, 1, "b", 20)},
     {E(0, 5, 1, "b", 0), M(0, 5, 1, "a", 0)},
     2,
     0,
     0,
     1,
     0,
     0},
    {"an older edit after a newer",
     {M(1, 5, 1, "a", 10), E(2, 5, 1, "b", 20), E(3, 5, 1, "c", 20)},
     {M(0, 5, 1, "a", 0), E(0, 5, 1, "c", 0), E(0, 5, 1, "b", 0)},
     3,
     0,
     0,
     1,
     0,
     0},
    {"a delete before its message",
     {M(1, 5, 1, "a", 10), M(2, 5, 2, "b", 10), D(4, "[1,2]")},
     {M(0, 5, 1, "a", 0), D(0, "[1,2]"), M(0, 5, 2, "b", 0)},
     3,
     0,
     0,
     1,
     0,
     0},
    {"deletes may be merged by a difference",
     {M(1, 5, 1, "a", 10), M(2, 5, 2, "b", 10), D(3, "[1]"), D(4, "[2]")},
     {M(0, 5, 1, "a", 0), M(0, 5, 2, "b", 0), D(0, "[1,2]")},
     4,
     0,
     0,
     0,
     0,
     0},
    {"half a delete is lost",
     {M(1, 5, 1, "a", 10), D(3, "[1,2]")},
     {M(0, 5, 1, "a", 0), D(0, "[1]")},
     1,
     1,
     0,
     0,
     0,
     0},
    {"an edit folded into its message",
     {M(1, 5, 1, "a", 10), E(2, 5, 1, "b", 20), FOLD("[2]")},
     {M(0, 5, 1, "b", 0)},
     1,
     0,
     0,
     0,
     1,
     0},
    {"an edit folded into a later edit",
     {M(1, 5, 1, "a", 10), E(2, 5, 1, "b", 20), E(3, 5, 1, "c", 20), FOLD("[2]")},
     {M(0, 5, 1, "a", 0), E(0, 5, 1, "c", 0)},
     2,
     0,
     0,
     0,
     1,
     0},
    {"folded, but only older content arrived: lost",
     {M(1, 5, 1, "a", 10), E(2, 5, 1, "b", 20), FOLD("[2]")},
     {M(0, 5, 1, "a", 0)},
     1,
     1,
     0,
     0,
     0,
     0},
    {"missing and not folded: lost",
     {M(1, 5, 1, "a", 10), E(2, 5, 1, "b", 20)},
     {M(0, 5, 1, "b", 0)},
     1,
     1,
     0,
     0,
     0,
     0},
    {"a message deleted meanwhile",
     {M(1, 5, 1, "a", 10), D(2, "[1]"), FOLD("[1]")},
     {D(0, "[1]")},
     1,
     0,
     0,
     0,
     1,
     0},
    {"the same text, escaped in two ways",
     {M(1, 5, 1, "a\\tb \\\"c\\\" \\u00fc \\ud83d\\ude00", 10)},
     {M(0, 5, 1, "a\\u0009b \\\"c\\\" \xc3\xbc \xf0\x9f\x98\x80", 0), E(0, 5, 1, "x", 0)},
     1,
     0,
     0,
     0,
     0,
     1},
    {"an edit's text, escaped in two ways",
     {E(1, 5, 1, "a\\tb \\u00fc \\ud83d\\ude00", 10)},
     {E(0, 5, 1, "a\\u0009b \xc3\xbc \xf0\x9f\x98\x80", 0)},
     1,
     0,
     0,
     0,
     0,
     0},
    {"of two equal pins the folded one is the one that did not come",
     {P(1, 9), P(2, 9), FOLD("[1]"), P(3, 9)},
     {P(0, 9), P(0, 9)},
     2,
     0,
     0,
     0,
     1,
     0},
    {"something nobody sent",
     {M(1, 5, 1, "a", 10)},
     {M(0, 5, 1, "a", 0), M(0, 5, 9, "z", 0)},
     1,
     0,
     0,
     0,
     0,
     1},
};

static void feed(verdict_t *v, const char *const *ledger, const char *const *delivered)
{
    for (int i = 0; i < 8 && ledger[i] != NULL; i++)
        ck_assert_int_eq(verdict_ledger_line(v, ledger[i], strlen(ledger[i])), 0);
    for (int i = 0; i < 8 && delivered[i] != NULL; i++)
        ck_assert_int_eq(verdict_delivered_line(v, delivered[i], strlen(delivered[i]), 5000), 0);
}

START_TEST(test_verdict_cases)
{
    const struct verdict_case *c = &cases[_i];
    struct verdict_report r;
    verdict_t *v = verdict_new(7, 500000);

    feed(v, c->ledger, c->delivered);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(verdict_compare(v, &r), 0);
        ck_assert_msg(
            r.delivered == c->ok && r.lost == c->lost && r.doubled == c->doubled &&
                r.out_of_order == c->order && r.superseded == c->superseded &&
                r.unexpected == c->unexpected,
            "%s: delivered %lu lost %lu doubled %lu order %lu superseded %lu unexpected %lu",
            c->why, (unsigned long)r.delivered, (unsigned long)r.lost, (unsigned long)r.doubled,
            (unsigned long)r.out_of_order, (unsigned long)r.superseded,
            (unsigned long)r.unexpected);
    }
    verdict_free(v);
}
END_TEST

/* What need not come is told, so that the events on both sides add up. */
START_TEST(test_verdict_counts_what_is_outside)
{
    static const char *const ledger[8] = {
        M(1, 5, 1, "a", 10), "{\"kind\":\"status\",\"n\":2,\"account\":7,\"t_us\":20}",
        "{\"kind\":\"status\",\"n\":3,\"account\":8,\"t_us\":20}",
        "{\"kind\":\"callback_query\",\"n\":4,\"account\":7,\"query_id\":9,\"t_us\":30}"};
    static const char *const delivered[8] = {M(0, 5, 1, "a", 0)};
    struct verdict_report r;
    verdict_t *v = verdict_new(7, 500000);

    feed(v, ledger, delivered);
    for (int again = 0; again < 2; again++) {
        ck_assert_int_eq(verdict_compare(v, &r), 0);
        ck_assert_uint_eq(r.expected, 1);
        ck_assert_uint_eq(r.outside, 2);
    }
    verdict_free(v);
}
END_TEST

START_TEST(test_verdict_counts_gaps)
{
    static const char *const ledger[8] = {
        M(1, 5, 1, "a", 100),
        M(2, 5, 2, "b", 100),
        M(3, 5, 3, "c", 100),
        PUSH(1, "dropped", 100),
        PUSH(2, "late", 900000),
        PUSH(3, "late", 400000),
        "{\"kind\":\"call\",\"account\":7,\"method\":\"updates.getDifference\",\"t_us\":1}",
        "{\"kind\":\"call\",\"account\":7,\"method\":\"updates.getDifference\",\"t_us\":2}"};
    static const char *const delivered[8] = {M(0, 5, 1, "a", 0), M(0, 5, 2, "b", 0),
                                             M(0, 5, 3, "c", 0)};
    struct verdict_report r;
    verdict_t *v = verdict_new(7, 500000);

    feed(v, ledger, delivered);
    ck_assert_int_eq(verdict_compare(v, &r), 0);
    ck_assert_uint_eq(r.gaps, 1); /* 1 and 2 are one run; 3 was late by less than the wait */
    ck_assert_uint_eq(r.differences, 1);
    ck_assert_uint_eq(r.clean, 0);
    ck_assert(r.p50_ms > 4.89 && r.p50_ms < 4.91);
    verdict_free(v);
}
END_TEST

START_TEST(test_verdict_refuses_broken_lines)
{
    static const char *const broken[] = {"", "{", "[]", "{\"n\":}", "{\"n\" 1}", "{\"a\":\"b", "x"};
    verdict_t *v = verdict_new(7, 500000);

    for (size_t i = 0; i < GAP_ARRAY_LEN(broken); i++)
        ck_assert_msg(verdict_ledger_line(v, broken[i], strlen(broken[i])) == GAP_E_ARGUMENT,
                      "accepted: %s", broken[i]);
    verdict_free(v);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("verdict");
    TCase *tc = tcase_create("verdict");
    tcase_add_loop_test(tc, test_verdict_cases, 0, (int)GAP_ARRAY_LEN(cases));
    tcase_add_test(tc, test_verdict_counts_what_is_outside);
    tcase_add_test(tc, test_verdict_counts_gaps);
    tcase_add_test(tc, test_verdict_refuses_broken_lines);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(suite)
