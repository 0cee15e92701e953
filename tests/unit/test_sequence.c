/*
 * The rules of order, as tables: position L, update P with count C. Each row says why, by the words
 * of core.telegram.org/api/updates.
 */
#include "../check_main.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "sequence/ask.h"
#include "sequence/held.h"
#include "sequence/sequence.h"

#include <string.h>

/* ---- steps ---- */

struct step_case {
    const char *why;
    gap_sequence_t before;
    int32_t position;
    int32_t count;
    unsigned flags;
    enum gap_verdict verdict;
    int32_t after;
    uint8_t mode;
};

#define LIVE      GAP_MODE_LIVE
#define WAITING   GAP_MODE_WAITING
#define REPLAYING GAP_MODE_REPLAYING
#define FETCHING  GAP_MODE_FETCHING

static const struct step_case steps[] = {
    {"L + C == P fits", {10, LIVE, false}, 11, 1, 0, GAP_VERDICT_APPLY, 11, LIVE},
    {"so does a larger count", {10, LIVE, false}, 15, 5, 0, GAP_VERDICT_APPLY, 15, LIVE},
    {"count 0 at L fits", {10, LIVE, false}, 10, 0, 0, GAP_VERDICT_APPLY, 10, LIVE},
    {"L + C > P was applied", {10, LIVE, false}, 10, 1, 0, GAP_VERDICT_DUPLICATE, 10, LIVE},
    {"an old one too", {10, LIVE, false}, 4, 1, 0, GAP_VERDICT_DUPLICATE, 10, LIVE},
    {"an overlap shows a hole", {10, LIVE, false}, 11, 3, 0, GAP_VERDICT_OVERLAP, 10, LIVE},
    {"L + C < P is a gap", {10, LIVE, false}, 12, 1, 0, GAP_VERDICT_GAP, 10, WAITING},
    {"count 0 shows a gap", {10, LIVE, false}, 11, 0, 0, GAP_VERDICT_GAP, 10, WAITING},
    {"a second hole is no new gap", {10, WAITING, false}, 14, 1, 0, GAP_VERDICT_HOLD, 10, WAITING},
    {"the missing one fits", {10, WAITING, false}, 11, 1, 0, GAP_VERDICT_APPLY, 11, WAITING},
    {"frozen: all wait", {10, FETCHING, false}, 11, 1, 0, GAP_VERDICT_HOLD, 10, FETCHING},
    {"frozen: even duplicates", {10, FETCHING, false}, 9, 1, 0, GAP_VERDICT_HOLD, 10, FETCHING},
    {"behind what is replayed", {10, REPLAYING, false}, 11, 1, 0, GAP_VERDICT_HOLD, 10, REPLAYING},
    {"pts 0 has no place", {10, LIVE, false}, 0, 0, 0, GAP_VERDICT_PLAIN, 10, LIVE},
    {"not even while frozen", {10, FETCHING, false}, 0, 0, 0, GAP_VERDICT_PLAIN, 10, FETCHING},
    {"the first one is the base", {0, LIVE, false}, 50, 1, 0, GAP_VERDICT_APPLY, 50, LIVE},
    {"of a channel once all are there",
     {0, LIVE, true},
     50,
     1,
     0,
     GAP_VERDICT_HOLD,
     0,
     GAP_MODE_REPLAYING},
    {"what counts nothing waits", {0, LIVE, true}, 50, 0, 0, GAP_VERDICT_GAP, 0, WAITING},
    {"negative count", {10, LIVE, false}, 11, -1, 0, GAP_VERDICT_MALFORMED, 10, LIVE},
    {"negative pts", {10, LIVE, false}, -5, 1, 0, GAP_VERDICT_MALFORMED, 10, LIVE},
    {"P <= C", {10, LIVE, false}, 5, 5, 0, GAP_VERDICT_MALFORMED, 10, LIVE},
    {"the largest numbers", {10, LIVE, false}, INT32_MAX, 1, 0, GAP_VERDICT_GAP, 10, WAITING},
    {"a drop of 1000009 is none",
     {2000000, LIVE, false},
     999991,
     1,
     0,
     GAP_VERDICT_DUPLICATE,
     2000000,
     LIVE},
    {"one more is a restart",
     {2000000, LIVE, false},
     999990,
     1,
     0,
     GAP_VERDICT_RESET,
     999990,
     LIVE},
    {"a channel's drop of 99999 is none",
     {200000, LIVE, true},
     100001,
     1,
     0,
     GAP_VERDICT_DUPLICATE,
     200000,
     LIVE},
    {"one more is a restart there",
     {200000, LIVE, true},
     100000,
     1,
     0,
     GAP_VERDICT_RESET,
     100000,
     LIVE},
    {"a read mark at L", {10, LIVE, true}, 10, 0, GAP_STEP_NO_COUNT, GAP_VERDICT_APPLY, 10, LIVE},
    {"below L it is no duplicate",
     {10, LIVE, true},
     8,
     0,
     GAP_STEP_NO_COUNT,
     GAP_VERDICT_PLAIN,
     10,
     LIVE},
    {"above L it shows a gap",
     {10, LIVE, true},
     11,
     0,
     GAP_STEP_NO_COUNT,
     GAP_VERDICT_GAP,
     10,
     WAITING},
    {"it is no base", {0, LIVE, true}, 11, 0, GAP_STEP_NO_COUNT, GAP_VERDICT_PLAIN, 0, LIVE},
    {"the next container", {1, LIVE, false}, 2, 1, GAP_STEP_CONTAINER, GAP_VERDICT_APPLY, 2, LIVE},
    {"the first container", {0, LIVE, false}, 1, 1, GAP_STEP_CONTAINER, GAP_VERDICT_APPLY, 1, LIVE},
    {"a container was lost",
     {1, LIVE, false},
     3,
     1,
     GAP_STEP_CONTAINER,
     GAP_VERDICT_GAP,
     1,
     WAITING},
    {"not the first one", {0, LIVE, false}, 2, 1, GAP_STEP_CONTAINER, GAP_VERDICT_GAP, 0, WAITING},
    {"a late container keeps its content",
     {5, LIVE, false},
     3,
     1,
     GAP_STEP_CONTAINER,
     GAP_VERDICT_PLAIN,
     5,
     LIVE},
    {"one that overlaps moves seq",
     {5, LIVE, false},
     7,
     4,
     GAP_STEP_CONTAINER,
     GAP_VERDICT_PLAIN,
     7,
     LIVE},
};

START_TEST(test_steps)
{
    const struct step_case *c = &steps[_i];
    gap_sequence_t s = c->before;
    enum gap_verdict v = gap_sequence_step(&s, c->position, c->count, c->flags);

    ck_assert_msg(v == c->verdict, "%s: %d", c->why, (int)v);
    ck_assert_msg(s.position == c->after, "%s: at %d", c->why, s.position);
    ck_assert_msg(s.mode == c->mode, "%s: mode %d", c->why, s.mode);
}
END_TEST

START_TEST(test_move)
{
    gap_sequence_t s = {2000000, LIVE, false};

    ck_assert_int_eq(gap_sequence_move(&s, 0), GAP_MOVED_NOT);
    ck_assert_int_eq(gap_sequence_move(&s, 1999999), GAP_MOVED_NOT);
    ck_assert_int_eq(gap_sequence_move(&s, 999991), GAP_MOVED_NOT);
    ck_assert_int_eq(s.position, 2000000);
    ck_assert_int_eq(gap_sequence_move(&s, 2000001), GAP_MOVED_FORTH);
    ck_assert_int_eq(gap_sequence_move(&s, 5), GAP_MOVED_RESET);
    ck_assert_int_eq(s.position, 5);
}
END_TEST

/* ---- containers seen ---- */

START_TEST(test_window)
{
    gap_window_t w;
    gap_prng_t rng = {(uint64_t)_i + 1};
    bool seen[2000] = {false};

    gap_window_clear(&w);
    for (int i = 0; i < 4000; i++) {
        /* near the top, sometimes far ahead */
        int32_t seq = w.top - 200 + (int32_t)gap_prng_below(&rng, 220);
        if (gap_prng_below(&rng, 50) == 0) seq += 300;
        if (seq < 1 || seq >= 2000 || w.top - seq >= GAP_WINDOW) continue;
        ck_assert_int_eq(gap_window_has(&w, seq), seen[seq]);
        ck_assert_int_eq(gap_window_add(&w, seq), !seen[seq]);
        seen[seq] = true;
    }
}
END_TEST

/* ---- held ---- */

START_TEST(test_held_comes_out_in_order)
{
    struct fault_alloc f;
    gap_held_t h;
    gap_prng_t rng = {(uint64_t)_i};
    static struct item {
        int32_t position;
        int32_t count;
        int order;
    } items[3000];
    int n = 1 + (int)gap_prng_below(&rng, GAP_ARRAY_LEN(items));

    fault_alloc_init(&f, 0);
    gap_held_init(&h, &f.alloc);
    for (int i = 0; i < n; i++) {
        items[i].count = (int32_t)gap_prng_below(&rng, 4);
        items[i].position = 10 + (int32_t)gap_prng_below(&rng, (uint64_t)n);
        items[i].order = i;
        ck_assert_int_eq(gap_held_insert(&h, items[i].position, items[i].count, &items[i]), 0);
    }
    const struct item *last = NULL;
    for (int i = 0; i < n; i++) {
        ck_assert_ptr_nonnull(gap_held_first(&h));
        const struct item *it = gap_held_take(&h);
        if (last != NULL) {
            int32_t a = last->position - last->count;
            int32_t b = it->position - it->count;
            ck_assert_int_le(a, b);
            if (a == b) ck_assert_int_le(last->position, it->position);
            if (a == b && last->position == it->position) ck_assert_int_lt(last->order, it->order);
        }
        last = it;
    }
    ck_assert_ptr_null(gap_held_take(&h));
    ck_assert_int_eq(f.live, 0); /* the array went with the last */
}
END_TEST

/* Takes between inserts, some of which belong before what was ready to be taken: against the least
 * of a plain array. */
/* In the few, in the heap, and in the ring before it. */
START_TEST(test_held_reaches)
{
    static int value;
    gap_held_t h;
    int32_t end = -1;
    int64_t events = -1;

    gap_held_init(&h, gap_alloc_default());
    gap_held_reach(&h, &end, &events);
    ck_assert_int_eq(end, 0);
    ck_assert_int_eq(events, 0);
    for (int32_t i = 0; i < 100; i++) {
        ck_assert_int_eq(gap_held_insert(&h, 20 + 10 * i, 3, &value), 0);
        gap_held_reach(&h, &end, &events);
        ck_assert_int_eq(end, 20 + 10 * i);
        ck_assert_int_eq(events, 3 * (i + 1));
    }
    for (int i = 0; i < 30; i++) (void)gap_held_take(&h);
    gap_held_reach(&h, &end, &events);
    ck_assert_int_eq(end, 1010);
    ck_assert_int_eq(events, 210);
    ck_assert_int_eq(gap_held_insert(&h, INT32_MAX, 5000, &value), 0);
    gap_held_reach(&h, &end, &events);
    ck_assert_int_gt(end, INT32_MAX - 1000);
    ck_assert_int_eq(events, 210 + 4095);
    while (gap_held_take(&h) != NULL) continue;
    gap_held_fini(&h);
}
END_TEST

START_TEST(test_held_takes_between_inserts)
{
    enum { N = 2000 };
    struct fault_alloc f;
    gap_held_t h;
    gap_prng_t rng = {(uint64_t)_i};
    static int32_t positions[N];
    static bool in[N];
    uint32_t count = 0;

    fault_alloc_init(&f, 0);
    gap_held_init(&h, &f.alloc);
    for (int i = 0; i < N; i++) {
        positions[i] = 1 + (int32_t)gap_prng_below(&rng, i % 500 < 400 ? 100000 : 300);
        in[i] = true;
        count++;
        ck_assert_int_eq(gap_held_insert(&h, positions[i], 1, &positions[i]), 0);
        bool more_out = i / 200 % 2 == 1;
        for (uint64_t k = gap_prng_below(&rng, more_out ? 4 : 2); k > 0 && count > 0; k--) {
            int least = -1;
            for (int j = 0; j <= i; j++)
                if (in[j] && (least < 0 || positions[j] < positions[least])) least = j;
            void *next = gap_held_ahead(&h, 1);
            ck_assert_ptr_eq(gap_held_first(&h), &positions[least]);
            ck_assert_ptr_eq(gap_held_take(&h), &positions[least]);
            if (next != NULL) ck_assert_ptr_eq(gap_held_first(&h), next);
            in[least] = false;
            ck_assert_uint_eq(h.count, --count);
        }
    }
    while (count-- > 0) ck_assert_ptr_nonnull(gap_held_take(&h));
    ck_assert_ptr_null(gap_held_first(&h));
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(test_held_out_of_memory)
{
    struct fault_alloc f;
    gap_held_t h;
    int x = 0;

    fault_alloc_init(&f, 1);
    gap_held_init(&h, &f.alloc);
    for (int i = 0; i < GAP_HELD_INLINE; i++)
        ck_assert_int_eq(gap_held_insert(&h, 20 - i, 1, &x), 0);
    ck_assert_int_eq(f.calls, 0);
    ck_assert_int_eq(gap_held_insert(&h, 5, 1, &x), GAP_E_NOMEM);
    ck_assert_uint_eq(h.count, GAP_HELD_INLINE);
    ck_assert_int_eq(gap_held_insert(&h, 5, 1, &x), 0);
    gap_held_fini(&h);
    gap_held_fini(&h);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

/* ---- refusals and pauses ---- */

START_TEST(test_refusals)
{
    static const struct {
        int32_t code;
        const char *text;
        enum gap_refusal_kind kind;
        uint32_t seconds;
    } cases[] = {
        {500, "PERSISTENT_TIMESTAMP_OUTDATED", GAP_REFUSAL_RETRY, 0},
        {400, "PERSISTENT_TIMESTAMP_INVALID", GAP_REFUSAL_POSITION, 0},
        {400, "PERSISTENT_TIMESTAMP_EMPTY", GAP_REFUSAL_POSITION, 0},
        {400, "CHANNEL_PRIVATE", GAP_REFUSAL_NO_ACCESS, 0},
        {406, "CHANNEL_PRIVATE", GAP_REFUSAL_NO_ACCESS, 0},
        {400, "CHANNEL_INVALID", GAP_REFUSAL_NO_ACCESS, 0},
        {403, "CHANNEL_PUBLIC_GROUP_NA", GAP_REFUSAL_NO_ACCESS, 0},
        {420, "FLOOD_WAIT_30", GAP_REFUSAL_FLOOD, 30},
        {420, "FLOOD_PREMIUM_WAIT_7", GAP_REFUSAL_FLOOD, 7},
        {420, "FLOOD_WAIT_99999999999", GAP_REFUSAL_FLOOD, 86400},
        {420, "FLOOD", GAP_REFUSAL_FLOOD, 1},
        {401, "AUTH_KEY_UNREGISTERED", GAP_REFUSAL_SIGNED_OUT, 0},
        {500, "HISTORY_GET_FAILED", GAP_REFUSAL_RETRY, 0},
        {400, "", GAP_REFUSAL_RETRY, 0},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        struct gap_refusal r = gap_refusal_read(cases[i].code, gap_str(cases[i].text));
        ck_assert_msg(r.kind == cases[i].kind, "%s: %d", cases[i].text, (int)r.kind);
        ck_assert_uint_eq(r.seconds, cases[i].seconds);
    }
}
END_TEST

START_TEST(test_pauses)
{
    uint64_t us = 0;
    static const uint64_t expect[] = {1, 2, 4, 8, 16, 32, 60, 60};

    for (size_t i = 0; i < GAP_ARRAY_LEN(expect); i++) {
        us = gap_backoff_us(us, 1, 60);
        ck_assert_uint_eq(us, expect[i]);
    }
    for (uint64_t r = 0; r < 1000; r++) {
        uint64_t j = gap_jitter_us(1000000, 200, r * 7919);
        ck_assert_uint_ge(j, 800000);
        ck_assert_uint_le(j, 1200000);
        ck_assert_uint_eq(gap_jitter_us(1000000, 0, r), 1000000);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("sequence");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, test_steps, 0, (int)GAP_ARRAY_LEN(steps));
    tcase_add_test(t, test_move);
    tcase_add_loop_test(t, test_window, 0, 20);
    tcase_add_test(t, test_held_reaches);
    tcase_add_loop_test(t, test_held_comes_out_in_order, 0, 30);
    tcase_add_loop_test(t, test_held_takes_between_inserts, 0, 20);
    tcase_add_test(t, test_held_out_of_memory);
    tcase_add_test(t, test_refusals);
    tcase_add_test(t, test_pauses);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
