/*
 * The search for an event that can't be decoded: the questions as tables, and a search at a server
 * that is made up for each seed: what can be read is delivered, what is skipped is what can't.
 */
#include "../check_main.h"
#include "base/prng.h"
#include "sequence/shrink.h"

#include <string.h>

/* ---- the questions ---- */

struct question {
    bool read;
    bool too_long;
    enum gap_shrink_order order;
    int32_t limit; /* of the next question */
    int32_t pts;
    int32_t qts;
};

#define BAD      false, false
#define BAD_LONG false, true
#define READ     true, false
#define TOO_LONG true, true
#define ASK      GAP_SHRINK_ASK
#define TAKE     GAP_SHRINK_TAKE
#define SKIP     GAP_SHRINK_SKIP
#define END      GAP_SHRINK_END

struct table {
    const char *why;
    bool common;
    bool garbled;
    struct question q[40];
    size_t count;
};

static const struct table tables[] = {
    {"once garbage", true, false, {{BAD, ASK, 0, 0, 0}, {READ, TAKE, 0, 0, 0}}, 2},
    {"a single event, of pts",
     true,
     false,
     {{BAD, ASK, 0, 0, 0},
      {BAD, ASK, 64, 0, 0},
      {BAD, ASK, 16, 0, 0},
      {BAD, ASK, 4, 0, 0},
      {READ, TAKE, 4, 0, 0}, /* what is before it */
      {BAD, ASK, 1, 0, 0},
      {READ, TAKE, 1, 0, 0},
      {BAD, ASK, 1, 1, 0},
      {READ, ASK, 1, 0, 0},
      {BAD, SKIP, 1, 0, 0},
      {READ, TAKE, 4, 0, 0},
      {READ, TAKE, 16, 0, 0},
      {READ, TAKE, 64, 0, 0},
      {READ, TAKE, 0, 0, 0}},
     14},
    {"readable when asked again: nothing is skipped",
     false,
     false,
     {{BAD, ASK, 0, 0, 0},
      {BAD, ASK, 64, 0, 0},
      {BAD, ASK, 16, 0, 0},
      {BAD, ASK, 4, 0, 0},
      {BAD, ASK, 1, 0, 0},
      {BAD, ASK, 1, 1, 0},
      {READ, ASK, 1, 0, 0},
      {READ, TAKE, 1, 0, 0},
      {READ, TAKE, 4, 0, 0}},
     9},
    {"of qts",
     true,
     false,
     {{BAD, ASK, 0, 0, 0},
      {BAD, ASK, 64, 0, 0},
      {BAD, ASK, 16, 0, 0},
      {BAD, ASK, 4, 0, 0},
      {BAD, ASK, 1, 0, 0},
      {BAD, ASK, 1, 1, 0},
      {BAD, ASK, 1, 0, 1},
      {READ, ASK, 1, 0, 0},
      {BAD, SKIP, 1, 0, 0}},
     9},
    {"an event of six in a channel: doubled, halved",
     false,
     false,
     {{BAD, ASK, 0, 0, 0},
      {BAD, ASK, 64, 0, 0},
      {BAD, ASK, 16, 0, 0},
      {BAD, ASK, 4, 0, 0},
      {BAD, ASK, 1, 0, 0},
      {BAD, ASK, 1, 1, 0},
      {BAD, ASK, 1, 2, 0},
      {BAD, ASK, 1, 3, 0},
      {BAD, ASK, 1, 4, 0},
      {BAD, ASK, 1, 8, 0},
      {READ, ASK, 1, 6, 0},
      {READ, ASK, 1, 5, 0},
      {BAD, ASK, 1, 0, 0},
      {BAD, SKIP, 1, 0, 0}},
     14},
    {"a server that does not cut",
     false,
     false,
     {{BAD, ASK, 0, 0, 0},
      {BAD, ASK, 64, 0, 0},
      {BAD, ASK, 16, 0, 0},
      {TOO_LONG, ASK, 0, 0, 0},
      {BAD, ASK, 0, 1, 0},
      {BAD, ASK, 0, 2, 0},
      {READ, ASK, 0, 0, 0},
      {BAD, SKIP, 0, 0, 0},
      {READ, TAKE, 0, 0, 0},
      {BAD, ASK, 0, 0, 0}, /* the next event of the kind: the limits are left alone */
      {BAD, ASK, 0, 1, 0}},
     11},
    {"a server that does not cut, nor can say so readably",
     false,
     false,
     {{BAD, ASK, 0, 0, 0}, {BAD, ASK, 64, 0, 0}, {BAD_LONG, ASK, 0, 0, 0}, {BAD, ASK, 0, 1, 0}},
     4},
    {"too long and unreadable: no search",
     false,
     false,
     {{BAD_LONG, ASK, 0, 0, 0},
      {BAD_LONG, ASK, 0, 0, 0},
      {BAD_LONG, ASK, 0, 0, 0},
      {BAD_LONG, ASK, 0, 0, 0},
      {BAD_LONG, ASK, 0, 0, 0},
      {BAD_LONG, END, 0, 0, 0}},
     6},
    {"too long as ever is an answer", false, false, {{TOO_LONG, TAKE, 0, 0, 0}}, 1},
    {"garbled the last time: no search",
     true,
     true,
     {{BAD, ASK, 0, 0, 0}, {BAD, ASK, 0, 0, 0}, {BAD, END, 0, 0, 0}},
     3},
};

START_TEST(questions)
{
    const struct table *t = &tables[_i];
    struct gap_shrink s;

    memset(&s, 0, sizeof s);
    for (size_t i = 0; i < t->count; i++) {
        const struct question *q = &t->q[i];
        enum gap_shrink_order order =
            q->read ? gap_shrink_read(&s, q->too_long)
                    : gap_shrink_failed(
                          &s, (struct gap_shrink_failure){t->common, t->garbled, q->too_long});
        ck_assert_msg(order == q->order, "%s: order of %zu", t->why, i);
        if (order == GAP_SHRINK_SKIP) gap_shrink_skipped(&s);
        ck_assert_msg(s.limit == q->limit && s.pts == q->pts && s.qts == q->qts,
                      "%s: after %zu asks %d at %d, %d", t->why, i, s.limit, s.pts, s.qts);
    }
}
END_TEST

START_TEST(garbage_for_ever_ends)
{
    for (int common = 0; common < 2; common++) {
        struct gap_shrink s;
        uint64_t us = 0;
        int asked = 1;
        memset(&s, 0, sizeof s);
        while (gap_shrink_failed(&s, (struct gap_shrink_failure){common, false, false}) ==
               GAP_SHRINK_ASK) {
            us += gap_shrink_pause_us(&s);
            ck_assert_int_lt(asked++, 50);
        }
        ck_assert_uint_gt(us, 20000000); /* no more than two questions a second, in all */
        ck_assert_uint_lt(us, 90000000);
        ck_assert_int_eq(s.stage, GAP_SHRINK_OFF);
    }
}
END_TEST

/* ---- a server ---- */

#define EVENTS 60

static struct {
    struct {
        int32_t end;
        bool bad;
        bool delivered;
    } events[2][EVENTS]; /* pts, qts */
    int count[2];
    int32_t last[2];
    bool cuts;
} server;

/* What is bad: in a channel, in one of two boxes, in both. */
enum { CHANNEL, PTS_BAD, QTS_BAD, BOTH_BAD, KINDS };

static void make(gap_prng_t *random, int kind)
{
    memset(&server, 0, sizeof server);
    for (int box = 0; box < (kind == CHANNEL ? 1 : 2); box++) {
        bool clean = kind == (box == 0 ? QTS_BAD : PTS_BAD);
        int32_t width = 0; /* of what is bad in a row */
        server.count[box] = (int)gap_prng_below(random, EVENTS);
        for (int i = 0; i < server.count[box]; i++) {
            int32_t count = box == 1 ? 1 : 1 + (int32_t)gap_prng_below(random, 3);
            server.last[box] += count;
            server.events[box][i].end = server.last[box];
            server.events[box][i].bad =
                !clean && width + count <= 4 && gap_prng_below(random, 5) == 0;
            width = server.events[box][i].bad ? width + count : 0;
        }
    }
}

/* Reads, and delivers if it can be read and @p take. @return can it? */
static bool answer(int box, int32_t from, int32_t limit, bool take, int32_t *to)
{
    int32_t left = limit > 0 && server.cuts ? limit : INT32_MAX;
    bool good = true;

    for (int i = 0; i < server.count[box] && left > 0; i++) {
        if (server.events[box][i].end <= from) continue;
        left--;
        if (server.events[box][i].bad) good = false;
        if (!take) continue;
        ck_assert(!server.events[box][i].delivered);
        server.events[box][i].delivered = true;
        *to = server.events[box][i].end;
    }
    return good;
}

/* Where both boxes are bad at the same place, or the server does not cut, good ones are passed over
 * with the bad, but never more than lie near them. */
static void check(int seed, int kind)
{
    int lost = 0;
    int bad = 0;

    for (int box = 0; box < 2; box++) {
        int last_bad = -1;
        for (int i = 0; i < server.count[box]; i++) {
            if (server.events[box][i].bad) last_bad = i;
            bad += server.events[box][i].bad;
        }
        for (int i = 0; i < server.count[box]; i++) {
            bool right = server.events[box][i].delivered == !server.events[box][i].bad;
            if (!right) lost++;
            if (!server.cuts && i < last_bad) continue; /* they come with what is bad */
            ck_assert_msg(right || kind == BOTH_BAD, "seed %d: box %d, event %d", seed, box, i);
        }
    }
    if (server.cuts) ck_assert_msg(lost <= 2 * bad, "seed %d: %d lost by %d", seed, lost, bad);
}

static void search(int seed, int kind)
{
    bool common = kind != CHANNEL;
    struct gap_shrink s;
    int32_t at[2] = {0, 0};
    enum gap_shrink_order order;
    int asked = 0;

    memset(&s, 0, sizeof s);
    while (at[0] < server.last[0] || at[1] < server.last[1]) {
        bool good = answer(0, at[0] + s.pts, s.limit, false, NULL);
        good &= answer(1, at[1] + s.qts, s.limit, false, NULL);
        int32_t limit = s.limit;
        order = good ? gap_shrink_read(&s, false)
                     : gap_shrink_failed(&s, (struct gap_shrink_failure){common, false, false});
        ck_assert_msg(order != GAP_SHRINK_END, "seed %d: given up", seed);
        if (order == GAP_SHRINK_TAKE) {
            (void)answer(0, at[0], limit, true, &at[0]);
            (void)answer(1, at[1], limit, true, &at[1]);
        } else if (order == GAP_SHRINK_SKIP) {
            at[0] += s.skip_pts;
            at[1] += s.skip_qts;
            gap_shrink_skipped(&s);
        }
        ck_assert_msg(asked++ < 20 * 2 * EVENTS, "seed %d: no end", seed);
    }
    check(seed, kind);
}

START_TEST(only_what_is_bad_is_skipped)
{
    for (int seed = 1; seed <= 1000; seed++) {
        gap_prng_t random = {(uint64_t)seed};
        make(&random, seed % KINDS);
        server.cuts = _i == 0;
        search(seed, seed % KINDS);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("shrink");
    TCase *t = tcase_create("all");

    tcase_add_loop_test(t, questions, 0, (int)(sizeof tables / sizeof tables[0]));
    tcase_add_test(t, garbage_for_ever_ends);
    tcase_add_loop_test(t, only_what_is_bad_is_skipped, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
