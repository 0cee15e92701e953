/*
 * A server, or somebody in between, that contradicts itself: numbers that go backwards, count below
 * zero or up to 2^31 - 1, contents of other boxes. Whatever it was, afterwards an honest server
 * brings every sequence into a right state: each of its messages once, in order, the next push at
 * once. What was wrong is counted; what is lost by it is named by an event.
 *
 * The truth: the account has messages 11..20, channel 7 has 51..60, and qts 6..8. Ids from 1000 on
 * are inventions.
 */
#include "world_steps.h"

#include <gapless/message.h>
#include <stddef.h>
#include <string.h>

#define LIE          1000
#define NOT          INT32_MIN
#define COUNT(field) offsetof(gap_engine_counters_t, field)
#define NONE         SIZE_MAX

struct hostile {
    const char *why;
    void (*push)(void);                                  /* what comes by itself */
    gap_packet_t *(*answer)(const struct world_call *c); /* or what is answered; NULL: honestly */
    int64_t channel;                                     /* that is asked about */
    size_t count;                                        /* a counter that tells of it */
    const char *event; /* a line of the trace that tells of it; NULL: none */
    bool lossy;        /* the truth of before is lost by it, and that is told */
};

static struct {
    int32_t top;
    int32_t channel_top;
    int32_t qts;
    const struct hostile *now;
    int answers;
} truth;

/* ---- the honest server ---- */

static gap_packet_t *honest_common(const struct world_call *c)
{
    if (c->pts >= truth.top && c->qts >= truth.qts) return pack_empty(1);
    for (int32_t id = c->pts + 1; id <= truth.top; id++) pack_new(&w.p, id);
    for (int32_t q = c->qts + 1; q <= truth.qts; q++) pack_qts(&w.p, q, q);
    return pack_difference(&w.p, truth.top, truth.qts, 1);
}

static gap_packet_t *honest_channel(const struct world_call *c)
{
    if (c->full) return pack_channel_full(c->channel, truth.channel_top);
    if (c->channel != 7 || c->pts >= truth.channel_top)
        return pack_channel_empty(c->channel == 7 ? truth.channel_top : c->pts);
    for (int32_t id = c->pts + 1; id <= truth.channel_top; id++) pack_channel_new(&w.p, 7, id);
    return pack_channel_difference(&w.p, truth.channel_top, true);
}

static void serve(struct world *world, struct world_call *c, bool due)
{
    const struct hostile *h = truth.now;

    if (due) return;
    c->due_us = world->now_us + 10000;
    if (h->answer != NULL && truth.answers > 0 && c->channel == h->channel) {
        truth.answers--;
        c->answer.packet = h->answer(c);
    } else if (c->channel == -1) {
        c->answer.packet = pack_state(truth.top, truth.qts, 1);
    } else if (c->channel == 0 && (c->pts > truth.top || c->qts > truth.qts)) {
        c->answer.code = 400;
        c->answer.text = "PERSISTENT_TIMESTAMP_INVALID";
    } else {
        c->answer.packet = c->channel == 0 ? honest_common(c) : honest_channel(c);
    }
}

/* ---- pushes ---- */

static void lie(int32_t pts, int32_t count)
{
    pack_message(&w.p, pts, count, LIE, PACK_USER);
    (void)world_feed(&w, pack_updates(&w.p, 0));
}

static void channel_lie(int32_t pts, int32_t count)
{
    pack_channel_message(&w.p, 7, pts, count, LIE);
    (void)world_feed(&w, pack_updates(&w.p, 0));
}

static void qts_lie(int32_t qts)
{
    pack_qts(&w.p, qts, LIE);
    (void)world_feed(&w, pack_updates(&w.p, 0));
}

static void container_lie(int32_t seq_start, int32_t seq)
{
    pack_query(&w.p, LIE);
    (void)world_feed(&w, pack_combined(&w.p, seq_start, seq));
}

static void affected_lie(int32_t pts, int32_t count)
{
    gap_packet_t *query = pack_send_message(PACK_USER, 1);
    gap_packet_t *answer = pack_affected(pts, count);

    (void)!gap_engine_result(w.engine, gap_bytes(query->data, query->len),
                             gap_bytes(answer->data, answer->len), answer);
    gap_packet_unref(query);
    gap_packet_unref(answer);
}

static void channel_affected_lie(int32_t pts, int32_t count)
{
    gap_packet_t *query = pack_channel_delete(7);
    gap_packet_t *answer = pack_affected(pts, count);

    (void)!gap_engine_result(w.engine, gap_bytes(query->data, query->len),
                             gap_bytes(answer->data, answer->len), answer);
    gap_packet_unref(query);
    gap_packet_unref(answer);
}

#define PUSH(name, call)                                                                           \
    static void name(void)                                                                         \
    {                                                                                              \
        call;                                                                                      \
    }

PUSH(pts_negative, lie(-5, 1))
PUSH(count_negative, lie(11, -1))
PUSH(count_is_pts, lie(5, 5))
PUSH(count_above_pts, lie(11, 12))
PUSH(count_huge, lie(11, INT32_MAX))
PUSH(both_smallest, lie(INT32_MIN, INT32_MIN))
PUSH(count_smallest, lie(11, INT32_MIN))
PUSH(pts_and_count_huge, lie(INT32_MAX, INT32_MAX))
PUSH(fits_hugely, lie(INT32_MAX, INT32_MAX - 10))
PUSH(pts_huge, lie(INT32_MAX, 1))
PUSH(pts_far_ahead, lie(500000, 1))
PUSH(overlaps, lie(15, 14))
PUSH(channel_pts_negative, channel_lie(-5, 1))
PUSH(channel_count_negative, channel_lie(51, -1))
PUSH(channel_count_huge, channel_lie(51, INT32_MAX))
PUSH(channel_fits_hugely, channel_lie(INT32_MAX, INT32_MAX - 50))
PUSH(channel_pts_huge, channel_lie(INT32_MAX, 1))
PUSH(channel_far_ahead, channel_lie(500000, 1))
PUSH(qts_negative, qts_lie(-1))
PUSH(qts_smallest, qts_lie(INT32_MIN))
PUSH(qts_huge, qts_lie(INT32_MAX))
PUSH(seq_before_start, container_lie(5, 2))
PUSH(seq_negative, container_lie(-3, -3))
PUSH(seq_start_negative, container_lie(-3, 2))
PUSH(seq_start_smallest, container_lie(INT32_MIN, INT32_MAX))
PUSH(seq_fits_hugely, container_lie(2, INT32_MAX))
PUSH(seq_huge, container_lie(INT32_MAX, INT32_MAX))
PUSH(affected_negative, affected_lie(-5, 1))
PUSH(affected_count_negative, affected_lie(11, -1))
PUSH(affected_huge, affected_lie(INT32_MAX, INT32_MAX))
PUSH(affected_fits_hugely, affected_lie(INT32_MAX, INT32_MAX - 10))
PUSH(affected_smallest, affected_lie(INT32_MIN, INT32_MIN))
PUSH(channel_affected_negative, channel_affected_lie(-5, 1))
PUSH(channel_affected_huge, channel_affected_lie(INT32_MAX, INT32_MAX - 50))

static void too_long_hint(int32_t pts)
{
    pack_too_long(&w.p, 7, pts);
    (void)world_feed(&w, pack_updates(&w.p, 0));
}
PUSH(too_long_hint_negative, too_long_hint(-5))
PUSH(too_long_hint_huge, too_long_hint(INT32_MAX))

static void channel_of_nobody(void)
{
    pack_channel_message(&w.p, -1, 51, 1, LIE);
    (void)world_feed(&w, pack_updates(&w.p, 0));
}

static void short_sent_pushed(void)
{
    (void)world_feed(&w, pack_short_sent(-7, LIE));
}

/* ---- answers ---- */

/* A common answer with this state. */
static gap_packet_t *state_of(bool slice, int32_t pts, int32_t qts, int32_t seq)
{
    return slice ? pack_slice(&w.p, pts, qts, seq) : pack_difference(&w.p, pts, qts, seq);
}

#define ANSWER(name, value)                                                                        \
    static gap_packet_t *name(const struct world_call *c)                                          \
    {                                                                                              \
        (void)c;                                                                                   \
        return value;                                                                              \
    }

ANSWER(final_pts_negative, state_of(false, -5, 5, 1))
ANSWER(final_pts_smallest, state_of(false, INT32_MIN, INT32_MIN, INT32_MIN))
ANSWER(final_pts_lower, state_of(false, 3, 2, 1))
ANSWER(final_zero, state_of(false, 0, 0, 0))
ANSWER(final_pts_huge, state_of(false, INT32_MAX, 5, 1))
ANSWER(final_qts_huge, state_of(false, 10, INT32_MAX, 1))
ANSWER(final_seq_huge, state_of(false, 10, 5, INT32_MAX))
ANSWER(slice_equal, state_of(true, 10, 5, 1))
ANSWER(slice_lower, state_of(true, 3, 2, 1))
ANSWER(slice_negative, state_of(true, -1, -1, -1))
ANSWER(empty_seq_negative, pack_empty(-5))
ANSWER(empty_seq_huge, pack_empty(INT32_MAX))
ANSWER(too_long_lower, pack_difference_too_long(3))
ANSWER(too_long_negative, pack_difference_too_long(-3))
ANSWER(channel_final_lower, pack_channel_difference(&w.p, 3, true))
ANSWER(channel_final_negative, pack_channel_difference(&w.p, -3, true))
ANSWER(channel_slice_equal, pack_channel_difference(&w.p, 50, false))
ANSWER(channel_slice_lower, pack_channel_difference(&w.p, 3, false))
ANSWER(channel_final_huge, pack_channel_difference(&w.p, INT32_MAX, true))
ANSWER(channel_empty_huge, pack_channel_empty(INT32_MAX))
ANSWER(channel_empty_negative, pack_channel_empty(-1))
ANSWER(channel_too_long_lower, pack_channel_too_long(&w.p, 7, 3))
ANSWER(channel_too_long_negative, pack_channel_too_long(&w.p, 7, -3))
ANSWER(channel_too_long_of_another, pack_channel_too_long(&w.p, 8, 900))
ANSWER(common_for_channel, pack_empty(1))
ANSWER(channel_for_common, pack_channel_empty(11))
ANSWER(state_for_common, pack_state(20, 8, 1))

static gap_packet_t *date_far(const struct world_call *c)
{
    w.p.later = 400000000;
    gap_packet_t *packet = honest_common(c);
    w.p.later = 0;
    return packet;
}

static gap_packet_t *date_backwards(const struct world_call *c)
{
    w.p.later = -PACK_DATE - 5;
    gap_packet_t *packet = honest_common(c);
    w.p.later = 0;
    return packet;
}

/* The date goes on from slice to slice, and nothing else does. */
static gap_packet_t *slice_of_dates(const struct world_call *c)
{
    w.p.later = c->date - PACK_DATE + 10;
    gap_packet_t *packet = pack_slice(&w.p, c->pts, c->qts, 1);
    w.p.later = 0;
    return packet;
}

/* Ids neither ascend nor are they there once. */
static gap_packet_t *shuffled(const struct world_call *c)
{
    for (int32_t id = truth.top; id > c->pts; id--) pack_new(&w.p, id);
    return pack_difference(&w.p, truth.top, 8, 1);
}

static gap_packet_t *channel_shuffled(const struct world_call *c)
{
    for (int32_t id = truth.channel_top; id > c->pts; id--) pack_channel_new(&w.p, 7, id);
    return pack_channel_difference(&w.p, truth.channel_top, true);
}

/* Updates of every other box, with nonsense for numbers. */
static gap_packet_t *foreign(const struct world_call *c)
{
    pack_channel_message(&w.p, 7, -5, 1, LIE);
    pack_channel_message(&w.p, 7, 51, -1, LIE);
    pack_channel_message(&w.p, 7, INT32_MAX, INT32_MAX, LIE);
    pack_too_long(&w.p, 7, INT32_MAX);
    pack_too_long(&w.p, -9, 5);
    return honest_common(c);
}

static gap_packet_t *channel_foreign(const struct world_call *c)
{
    pack_message(&w.p, -5, 1, LIE, PACK_USER);
    pack_message(&w.p, 11, INT32_MAX, LIE, PACK_USER);
    pack_channel_message(&w.p, 8, 11, -1, LIE);
    pack_qts(&w.p, -6, LIE);
    return honest_channel(c);
}

static gap_packet_t *channel_message_of_another(const struct world_call *c)
{
    pack_channel_new(&w.p, 8, LIE);
    return honest_channel(c);
}

static const struct hostile cases[] = {
    {"pts below zero", pts_negative, NULL, 0, COUNT(malformed), NULL, false},
    {"count below zero", count_negative, NULL, 0, COUNT(malformed), NULL, false},
    {"count as large as pts", count_is_pts, NULL, 0, COUNT(malformed), NULL, false},
    {"count larger than pts", count_above_pts, NULL, 0, COUNT(malformed), NULL, false},
    {"count 2^31 - 1", count_huge, NULL, 0, COUNT(malformed), NULL, false},
    {"pts and count -2^31", both_smallest, NULL, 0, COUNT(malformed), NULL, false},
    {"count -2^31", count_smallest, NULL, 0, COUNT(malformed), NULL, false},
    {"pts and count 2^31 - 1", pts_and_count_huge, NULL, 0, COUNT(malformed), NULL, false},
    {"a count of everything, that fits", fits_hugely, NULL, 0, COUNT(malformed), NULL, false},
    {"pts 2^31 - 1", pts_huge, NULL, 0, COUNT(malformed), NULL, false},
    {"pts far ahead", pts_far_ahead, NULL, 0, COUNT(malformed), NULL, false},
    {"it was applied in part", overlaps, NULL, 0, COUNT(malformed), NULL, false},
    {"channel: pts below zero", channel_pts_negative, NULL, 7, COUNT(malformed), NULL, false},
    {"channel: count below zero", channel_count_negative, NULL, 7, COUNT(malformed), NULL, false},
    {"channel: count 2^31 - 1", channel_count_huge, NULL, 7, COUNT(malformed), NULL, false},
    {"channel: fits hugely", channel_fits_hugely, NULL, 7, COUNT(malformed), NULL, false},
    {"channel: pts 2^31 - 1", channel_pts_huge, NULL, 7, COUNT(malformed), NULL, false},
    {"channel: pts far ahead", channel_far_ahead, NULL, 7, COUNT(malformed), NULL, false},
    {"channel of no id", channel_of_nobody, NULL, 7, NONE, NULL, false},
    {"qts below zero", qts_negative, NULL, 0, COUNT(malformed), NULL, false},
    {"qts -2^31", qts_smallest, NULL, 0, COUNT(malformed), NULL, false},
    {"qts 2^31 - 1", qts_huge, NULL, 0, COUNT(malformed), NULL, false},
    {"seq before its start", seq_before_start, NULL, 0, COUNT(undecodable), NULL, false},
    {"seq below zero", seq_negative, NULL, 0, COUNT(undecodable), NULL, false},
    {"seq_start below zero", seq_start_negative, NULL, 0, COUNT(undecodable), NULL, false},
    {"seq_start -2^31", seq_start_smallest, NULL, 0, COUNT(undecodable), NULL, false},
    {"a container of everything", seq_fits_hugely, NULL, 0, COUNT(undecodable), NULL, false},
    {"seq 2^31 - 1", seq_huge, NULL, 0, COUNT(gaps), NULL, false},
    {"affected: pts below zero", affected_negative, NULL, 0, COUNT(malformed), NULL, false},
    {"affected: count below zero", affected_count_negative, NULL, 0, COUNT(malformed), NULL, false},
    {"affected: 2^31 - 1", affected_huge, NULL, 0, COUNT(malformed), NULL, false},
    {"affected: fits hugely", affected_fits_hugely, NULL, 0, COUNT(malformed), NULL, false},
    {"affected: -2^31", affected_smallest, NULL, 0, COUNT(malformed), NULL, false},
    {"affected channel: below zero", channel_affected_negative, NULL, 7, COUNT(malformed), NULL,
     false},
    {"affected channel: huge", channel_affected_huge, NULL, 7, COUNT(malformed), NULL, false},
    {"too long: hint below zero", too_long_hint_negative, NULL, 7, NONE, NULL, false},
    {"too long: hint 2^31 - 1", too_long_hint_huge, NULL, 7, NONE, NULL, false},
    {"a result as a push", short_sent_pushed, NULL, 0, NONE, NULL, false},
    {"final: pts below zero", NULL, final_pts_negative, 0, NONE, NULL, false},
    {"final: all -2^31", NULL, final_pts_smallest, 0, NONE, NULL, false},
    {"final: lower pts", NULL, final_pts_lower, 0, NONE, NULL, false},
    {"final: all zero", NULL, final_zero, 0, NONE, NULL, false},
    {"final: pts 2^31 - 1", NULL, final_pts_huge, 0, NONE, "common resynchronised 2147483647..",
     true},
    {"final: qts 2^31 - 1", NULL, final_qts_huge, 0, NONE, "qts resynchronised 2147483647..", true},
    {"final: seq 2^31 - 1", NULL, final_seq_huge, 0, NONE, NULL, false},
    {"slice: no progress", NULL, slice_equal, 0, NONE, "common failed", false},
    {"slice: backwards", NULL, slice_lower, 0, NONE, "common failed", false},
    {"slice: below zero", NULL, slice_negative, 0, NONE, "common failed", false},
    {"slice: only the date moves", NULL, slice_of_dates, 0, NONE, NULL, false},
    {"empty: seq below zero", NULL, empty_seq_negative, 0, NONE, NULL, false},
    {"empty: seq 2^31 - 1", NULL, empty_seq_huge, 0, NONE, NULL, false},
    {"too long: lower pts", NULL, too_long_lower, 0, NONE, "common failed", false},
    {"too long: pts below zero", NULL, too_long_negative, 0, NONE, "common failed", false},
    {"date far in the future", NULL, date_far, 0, NONE, NULL, false},
    {"date below zero", NULL, date_backwards, 0, NONE, NULL, false},
    {"ids descend", NULL, shuffled, 0, NONE, NULL, false},
    {"other boxes' nonsense", NULL, foreign, 0, COUNT(malformed), NULL, false},
    {"a channel's for the common one", NULL, channel_for_common, 0, NONE, "common failed", false},
    {"a state for the common one", NULL, state_for_common, 0, NONE, "common failed", false},
    {"channel: final lower", NULL, channel_final_lower, 7, NONE, NULL, false},
    {"channel: final below zero", NULL, channel_final_negative, 7, NONE, NULL, false},
    {"channel: slice equal", NULL, channel_slice_equal, 7, NONE, "channel 7 failed", false},
    {"channel: slice lower", NULL, channel_slice_lower, 7, NONE, "channel 7 failed", false},
    {"channel: final 2^31 - 1", NULL, channel_final_huge, 7, NONE,
     "channel 7 resynchronised 2147483647..", true},
    {"channel: empty 2^31 - 1", NULL, channel_empty_huge, 7, NONE,
     "channel 7 resynchronised 2147483647..", true},
    {"channel: empty below zero", NULL, channel_empty_negative, 7, NONE, NULL, false},
    {"channel: too long, lower", NULL, channel_too_long_lower, 7, NONE, "channel 7 failed", false},
    {"channel: too long, below zero", NULL, channel_too_long_negative, 7, NONE, "channel 7 failed",
     false},
    {"channel: too long, of another", NULL, channel_too_long_of_another, 7, NONE,
     "channel 7 failed", false},
    {"channel: ids descend", NULL, channel_shuffled, 7, NONE, NULL, false},
    {"channel: other boxes' nonsense", NULL, channel_foreign, 7, COUNT(malformed), NULL, false},
    {"channel: a message of another", NULL, channel_message_of_another, 7, NONE, NULL, false},
    {"a common one for the channel", NULL, common_for_channel, 7, NONE, "channel 7 failed", false},
};

/* ---- the check ---- */

static void honest_push(void)
{
    pack_message(&w.p, truth.top + 1, 1, truth.top + 1, PACK_USER);
    truth.top++;
    feed();
    feed_channel(7, ++truth.channel_top);
}

/* Each once (or at most, if it is told to be lost), in order. */
static void expect_all(const char *why, int64_t channel, int32_t first, int32_t last, bool lossy)
{
    const char *at = w.trace;
    char line[48];

    for (int32_t id = first; id <= last; id++) {
        if (channel == 0)
            (void)snprintf(line, sizeof line, "] apply %d\n", id);
        else
            (void)snprintf(line, sizeof line, "] apply %lld:%d\n", (long long)channel, id);
        size_t n = lines_with(line);
        if (lossy && n == 0) continue;
        ck_assert_msg(n == 1, "%s: %zu of %s in\n%s", why, n, line, w.trace);
        const char *found = strstr(at, line);
        ck_assert_msg(found != NULL, "%s: out of order: %s in\n%s", why, line, w.trace);
        at = found;
    }
}

static void begin_hostile(const struct hostile *h)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    memset(&truth, 0, sizeof truth);
    truth.now = h;
    truth.top = 20;
    truth.channel_top = 60;
    truth.qts = 8;
    c.gap_wait_us = 500000;
    begin_with(1, &c);
    feed_channel(7, 50);
    pack_channel(&w.p, 8);
    pack_status(&w.p, LIE);
    feed();
    world_run(&w, 0);
    world_forget(&w);
    w.serve = serve;
}

static uint64_t counter(const gap_engine_counters_t *counters, size_t offset)
{
    uint64_t count;

    memcpy(&count, (const char *)counters + offset, sizeof count);
    return count;
}

static void run_hostile(const struct hostile *h, int answers)
{
    gap_engine_counters_t before;
    gap_engine_counters_t after;
    gap_engine_state_t state;

    begin_hostile(h);
    truth.answers = answers;
    gap_engine_counters(w.engine, &before);
    if (h->push != NULL) h->push();
    world_run(&w, 1000);
    honest_push();
    /* the next pushes meet a whole sequence */
    for (uint64_t at = 200000; at <= 600000; at += 200000) {
        world_run(&w, at);
        honest_push();
        if (h->lossy) gap_engine_missed(w.engine);
    }
    for (uint64_t at = 620000; h->lossy && at < 700000; at += 20000) {
        gap_engine_missed(w.engine);
        world_run(&w, at);
    }
    world_run(&w, 800000);
    size_t before_last = w.trace_len;
    honest_push();
    world_run(&w, 800000);
    ck_assert_msg(strstr(w.trace + before_last, "] apply ") != NULL, "%s: not at once", h->why);
    expect_all(h->why, 0, 11, truth.top, h->lossy);
    expect_all(h->why, 7, 51, truth.channel_top, h->lossy);
    gap_engine_counters(w.engine, &after);
    if (h->count != NONE)
        ck_assert_msg(counter(&after, h->count) > counter(&before, h->count), "%s: not counted",
                      h->why);
    if (h->event != NULL)
        ck_assert_msg(strstr(w.trace, h->event) != NULL, "%s: not told in\n%s", h->why, w.trace);
    ck_assert_int_eq(gap_engine_export(w.engine, &state), 0);
    ck_assert_msg(state.pts == truth.top, "%s: pts %d, not %d", h->why, state.pts, truth.top);
    ck_assert_msg(state.qts == truth.qts, "%s: qts %d, not %d", h->why, state.qts, truth.qts);
    world_fini(&w);
}

START_TEST(hostile_once)
{
    run_hostile(&cases[_i], 1);
}
END_TEST

/* The answer comes again and again. */
START_TEST(hostile_four_times)
{
    if (cases[_i].answer != NULL) run_hostile(&cases[_i], 4);
}
END_TEST

/* What has no place in the order counts nothing, whatever it says: while its handler is at work the
 * position that may be stored is none below zero. */
START_TEST(count_without_pts_in_a_handler)
{
    gap_engine_channel_t channel;
    size_t it = 0;

    begin(1);
    w.verdict = GAP_LATER;
    pack_channel_message(&w.p, 9, 0, 3, LIE);
    feed();
    world_run(&w, 0);
    ck_assert_uint_eq(w.later_count, 1);
    while (gap_engine_next_channel(w.engine, &it, &channel)) ck_assert_int_ge(channel.pts, 0);
    world_fini(&w);
}
END_TEST

/* Nor is it held for the sake of a peer that is not known: it would be the channel's base. */
START_TEST(count_without_pts_of_an_unknown_peer)
{
    gap_engine_channel_t channel;
    size_t it = 0;

    begin(1);
    w.p.lonely = true;
    pack_channel_message(&w.p, 9, 0, 3, LIE);
    feed();
    w.p.lonely = false;
    world_run(&w, 100);
    world_expect(&w, "[   0] apply 9:1000\n");
    while (gap_engine_next_channel(w.engine, &it, &channel)) ck_assert_int_ge(channel.pts, 0);
    world_fini(&w);
}
END_TEST

static void serve_at_once(struct world *world, struct world_call *c, bool due)
{
    if (due) return;
    c->due_us = world->now_us;
    c->answer.packet = c->channel == 0 ? pack_empty(1) : pack_channel_empty(c->pts);
    truth.answers++;
}

/* What the server's answers don't fill is asked for again after a pause, also when they take no
 * time at all and no hole has taught a wait. */
START_TEST(hole_that_stays_without_a_round_trip)
{
    static const gap_engine_channel_t channel = {7, 0, 50, true};
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, &channel, 1};
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    memset(&truth, 0, sizeof truth);
    c.state = &state;
    world_init(&w, 1, &c);
    w.serve = serve_at_once;
    gap_engine_start(w.engine);
    feed_channel(7, 53);
    world_run(&w, 60000);
    ck_assert_int_lt(truth.answers, 60);
    world_fini(&w);
}
END_TEST

static void serve_dates(struct world *world, struct world_call *c, bool due)
{
    if (due) return;
    c->due_us = world->now_us + 20000;
    pack_new(&w.p, ++truth.answers);
    c->answer.packet = slice_of_dates(c);
}

/* S36, M21: what each slice carries is delivered; the questions pause, and end for now. */
START_TEST(slices_that_move_the_date_alone)
{
    begin(_i);
    memset(&truth, 0, sizeof truth);
    w.serve = serve_dates;
    gap_engine_missed(w.engine);
    world_run(&w, 60000);
    world_expect(&w, "[   0] difference from 10\n[  20] apply 1\n"
                     "[  20] difference from 10\n[  40] apply 2\n"
                     "[  40] common failed, again in 1000 ms\n"
                     "[1040] difference from 10\n[1060] apply 3\n"
                     "[1060] common failed, again in 2000 ms\n"
                     "[3060] difference from 10\n[3080] apply 4\n"
                     "[3080] common failed, again in 4000 ms\n"
                     "[7080] difference from 10\n[7100] apply 5\n"
                     "[7100] common failed, again in 8000 ms\n"
                     "[15100] difference from 10\n[15120] apply 6\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_hostile");
    TCase *t = tcase_create("all");
    int count = (int)(sizeof cases / sizeof cases[0]);

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, hostile_once, 0, count);
    tcase_add_loop_test(t, hostile_four_times, 0, count);
    tcase_add_test(t, count_without_pts_in_a_handler);
    tcase_add_test(t, hole_that_stays_without_a_round_trip);
    tcase_add_test(t, count_without_pts_of_an_unknown_peer);
    tcase_add_loop_test(t, slices_that_move_the_date_alone, 0, 4);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
