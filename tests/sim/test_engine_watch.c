/*
 * What the engine shows of itself: decisions with their reasons, counters of each sequence, lost
 * ranges with what a back-fill wants to know; the account's own updates; the state as a whole. The
 * traces were written before the code ran.
 */
#include "world_steps.h"

#include <string.h>

#define SEEDS 16

/* ---- the tap ---- */

static char decisions[1 << 14];
static size_t decisions_len;

/* "channel 7 at 50: 52+1 held: ...", one line each. */
static void on_decision(void *data, const gap_engine_decision_t *d)
{
    static const char *const names[] = {"pts", "qts", "seq", "channel"};
    char *at = decisions + decisions_len;
    size_t left = sizeof decisions - decisions_len;
    int n = 0;

    (void)data;
    if (d->sequenced) n += snprintf(at, left, "%s", names[d->sequence]);
    if (d->channel_id != 0)
        n += snprintf(at + n, left - (size_t)n, " %lld", (long long)d->channel_id);
    n += snprintf(at + n, left - (size_t)n, " at %d", d->position);
    if (d->pts >= 0) n += snprintf(at + n, left - (size_t)n, ", %d+%d", d->pts, d->count);
    if (d->limit != 0) n += snprintf(at + n, left - (size_t)n, ", limit %d", d->limit);
    if (d->us != 0)
        n += snprintf(at + n, left - (size_t)n, ", %llu ms", (unsigned long long)(d->us / 1000));
    if (d->error_code != 0) n += snprintf(at + n, left - (size_t)n, ", %d", d->error_code);
    n += snprintf(at + n, left - (size_t)n, ": %.*s\n",
                  (int)strcspn(gap_engine_decision_text(d->kind), ":"),
                  gap_engine_decision_text(d->kind));
    decisions_len += (size_t)n;
    ck_assert_uint_lt(decisions_len, sizeof decisions - 256);
}

static void forget_decisions(void)
{
    decisions_len = 0;
    decisions[0] = 0;
}

static void expect_decisions(const char *text)
{
    ck_assert_str_eq(decisions, text);
    forget_decisions();
}

static void begin_tapped(int seed)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.tap = on_decision;
    c.gap_wait_us = 500000;
    forget_decisions();
    begin_with(seed, &c);
    forget_decisions();
}

START_TEST(every_decision_has_a_text)
{
    for (int k = 0; k < GAP_DECISION_COUNT; k++) {
        const char *text = gap_engine_decision_text((gap_decision_t)k);
        ck_assert_uint_gt(strlen(text), 10);
        for (int other = 0; other < k; other++)
            ck_assert_str_ne(text, gap_engine_decision_text((gap_decision_t)other));
    }
    ck_assert_str_eq(gap_engine_decision_text(GAP_DECISION_COUNT), "unknown decision");
}
END_TEST

/* One of each kind that comes by the socket. */
START_TEST(decisions_of_pushes)
{
    begin_tapped(_i);
    feed_message(11);
    feed_message(11);
    feed_message(13);
    feed_message(14);
    world_run(&w, 100);
    expect_decisions("pts at 10, 11+1: delivered\npts at 11, 11+1: dropped\n"
                     "pts at 11, 13+1: held\npts at 11, 500 ms: waiting\npts at 11, 14+1: held\n");
    feed_message(12);
    world_run(&w, 200);
    expect_decisions("pts at 11, 12+1: delivered\npts at 12, 13+1: delivered\n"
                     "pts at 13, 14+1: delivered\npts at 14, 100 ms: gap closed\n");
    pack_message(&w.p, 16, 3, 16, PACK_USER); /* 14..16, of which 14 was applied */
    feed();
    world_run(&w, 201);
    expect_decisions("pts at 14, 16+3: dropped\npts at 14, 500 ms: waiting\n");
    world_fini(&w);
}
END_TEST

/* A gap that is fetched. */
START_TEST(decisions_of_a_difference)
{
    begin_tapped(_i);
    feed_message(12);
    world_error(&w, 10, 500, "BUSY");
    world_answer(&w, 10, difference(11, 12));
    world_run(&w, 505);
    expect_decisions("pts at 10, 12+1: held\npts at 10, 500 ms: waiting\npts at 10: asking\n"
                     "pts at 10: asked for the difference\n");
    feed_message(13);
    world_run(&w, 10000);
    expect_decisions("pts at 10, 13+1: held\npts at 10, 500: refused\n"
                     "pts at 10, 1000 ms: to be asked again after a pause\n"
                     "pts at 10: asked for the difference\npts at 10, 12+0: answered\n"
                     "pts at 10: delivered\npts at 10: delivered\n"
                     "pts at 12, 1520 ms: gap closed\n"
                     "pts at 12, 12+1: dropped\npts at 12, 13+1: delivered\n");
    world_fini(&w);
}
END_TEST

START_TEST(decisions_about_a_channel)
{
    begin_tapped(0);
    feed_channel(7, 50);
    world_run(&w, 0);
    expect_decisions("channel 7 at 0, 50+1: held\nchannel 7 at 0, 50+1: delivered\n");
    pack_too_long(&w.p, 7, 50);
    feed();
    world_run(&w, 1);
    expect_decisions("channel 7 at 50, 50+0: nothing to do\n");
    pack_too_long(&w.p, 7, 60);
    feed();
    world_answer(&w, 10, pack_channel_too_long(&w.p, 7, 60));
    world_run(&w, 100);
    expect_decisions("channel 7 at 50, 60+0: asking\n"
                     "channel 7 at 50, limit 100: asked for the difference\n"
                     "channel 7 at 50, 60+0: answered\nchannel 7 at 60, 60+0: given up\n");
    world_fini(&w);
}
END_TEST

/* ---- counters ---- */

/* The engine's time is that of its last tick. */
static void run_tick(uint64_t at_ms)
{
    world_run(&w, at_ms);
    (void)gap_rt_tick(&w.rt, w.now_us, true);
}

static gap_engine_sequence_t sequence(gap_sequence_kind_t kind, int64_t channel)
{
    gap_engine_sequence_t s;

    ck_assert(gap_engine_sequence(w.engine, kind, channel, &s));
    return s;
}

START_TEST(counters_of_a_sequence)
{
    gap_engine_sequence_t s;
    uint64_t missing;

    begin_channel(_i);
    ck_assert(!gap_engine_sequence(w.engine, GAP_SEQUENCE_CHANNEL, 8, &s));
    ck_assert(!gap_engine_sequence(w.engine, GAP_SEQUENCE_CHANNEL, 0, &s));
    feed_channel(7, 51);
    feed_channel(7, 51);
    feed_channel(7, 55);
    feed_channel(7, 57);
    run_tick(100);
    s = sequence(GAP_SEQUENCE_CHANNEL, 7);
    ck_assert_int_eq(s.position, 51);
    ck_assert_int_eq(s.last_id, 51);
    ck_assert_uint_eq(s.applied, 2);
    ck_assert_uint_eq(s.duplicates, 1);
    ck_assert_uint_eq(s.gaps, 1);
    ck_assert_uint_eq(s.held, 2);
    ck_assert_uint_eq(s.missing, 4); /* 52, 53, 54, 56 */
    ck_assert_uint_eq(s.lag_us, 100000);
    ck_assert_uint_eq(gap_engine_lag(w.engine, &missing), 100000);
    ck_assert_uint_eq(missing, 4);
    world_forget(&w);
    for (int32_t pts = 52; pts <= 54; pts++) feed_channel(7, pts);
    feed_channel(7, 56);
    world_run(&w, 200);
    s = sequence(GAP_SEQUENCE_CHANNEL, 7);
    ck_assert_uint_eq(s.applied, 8);
    ck_assert_uint_eq(s.missing, 0);
    ck_assert_uint_eq(s.lag_us, 0);
    ck_assert_uint_ge(s.healed, 1);
    ck_assert_uint_eq(s.healed, s.gaps);
    ck_assert_uint_eq(gap_engine_lag(w.engine, &missing), 0);
    ck_assert_uint_eq(missing, 0);
    world_fini(&w);
}
END_TEST

/* A hint counts as known to be missing; what the account's own sequences count is theirs. */
START_TEST(counters_of_a_fetched_gap)
{
    gap_engine_counters_t total;

    begin_channel(_i);
    pack_too_long(&w.p, 7, 60);
    feed();
    world_answer(&w, 50, channel_difference(7, 51, 60, true));
    run_tick(20);
    gap_engine_sequence_t s = sequence(GAP_SEQUENCE_CHANNEL, 7);
    ck_assert_uint_eq(s.missing, 10);
    ck_assert_uint_eq(s.lag_us, 20000);
    feed_message(12);
    world_answer(&w, 10, difference(11, 12));
    world_run(&w, 10000);
    s = sequence(GAP_SEQUENCE_CHANNEL, 7);
    ck_assert_uint_eq(s.missing, 0);
    ck_assert_uint_eq(s.applied, 11);
    ck_assert_uint_eq(s.gaps, 0);
    ck_assert_int_eq(s.last_id, 60);
    s = sequence(GAP_SEQUENCE_COMMON, 0);
    ck_assert_uint_eq(s.applied, 2);
    ck_assert_uint_eq(s.gaps, 1);
    ck_assert_uint_eq(s.fetched, 1);
    ck_assert_int_eq(s.last_id, 12);
    gap_engine_counters(w.engine, &total);
    ck_assert_uint_eq(total.applied, 13);
    ck_assert_uint_eq(total.fetched, 1);
    world_fini(&w);
}
END_TEST

/* A channel that is gone takes its counters along. */
START_TEST(counters_of_a_lost_channel)
{
    gap_engine_sequence_t s;

    begin_channel(_i);
    feed_channel(7, 50);
    feed_channel(7, 53);
    world_error(&w, 10, 400, "CHANNEL_PRIVATE");
    world_run(&w, 10000);
    ck_assert(!gap_engine_sequence(w.engine, GAP_SEQUENCE_CHANNEL, 7, &s));
    feed_channel(7, 90);
    world_run(&w, 10001);
    s = sequence(GAP_SEQUENCE_CHANNEL, 7);
    ck_assert_uint_eq(s.applied, 1);
    ck_assert_uint_eq(s.duplicates, 0);
    world_fini(&w);
}
END_TEST

/* ---- lost ranges ---- */

static gap_engine_event_t lost;
static int lost_count;

static void keep_lost(void *data, const gap_engine_event_t *event)
{
    (void)data;
    if (event->kind != GAP_EVENT_GAP_ABANDONED && event->kind != GAP_EVENT_RESYNCHRONISED) return;
    lost = *event;
    lost_count++;
}

static void begin_losing(int seed)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.event = keep_lost;
    lost_count = 0;
    begin_with(seed, &c);
}

START_TEST(range_of_a_too_long)
{
    begin_losing(_i);
    pack_channel_message(&w.p, 7, 50, 1, 34);
    feed();
    pack_too_long(&w.p, 7, 5050);
    feed();
    w.p.top = 4711;
    world_answer(&w, 10, pack_channel_too_long(&w.p, 7, 5050));
    world_run(&w, 100);
    ck_assert_int_eq(lost_count, 1);
    ck_assert_int_eq(lost.kind, GAP_EVENT_RESYNCHRONISED);
    ck_assert_int_eq(lost.reason, GAP_REASON_TOO_LONG);
    ck_assert_int_eq(lost.channel_id, 7);
    ck_assert_int_eq(lost.from, 50);
    ck_assert_int_eq(lost.to, 5050);
    ck_assert_int_eq(lost.last_id, 34);
    ck_assert_int_eq(lost.top_id, 4711);
    ck_assert_uint_eq(sequence(GAP_SEQUENCE_CHANNEL, 7).abandoned, 1);
    world_fini(&w);
}
END_TEST

/* The common box: edits and messages of channels are no sign of what was the last one. */
START_TEST(range_of_a_common_too_long)
{
    begin_losing(_i);
    feed_message(11);
    pack_edit(&w.p, 12, 1, 300);
    feed();
    feed_channel(7, 50);
    world_run(&w, 0);
    gap_engine_missed(w.engine);
    world_answer(&w, 10, pack_difference_too_long(500));
    world_answer(&w, 10, pack_empty(1));
    world_run(&w, 100);
    ck_assert_int_eq(lost_count, 1);
    ck_assert_int_eq(lost.from, 12);
    ck_assert_int_eq(lost.to, 500);
    ck_assert_int_eq(lost.last_id, 11);
    ck_assert_int_eq(lost.top_id, 0);
    world_fini(&w);
}
END_TEST

/* What the server's answers never bring is given up by us, not by the server. */
START_TEST(range_that_is_never_brought)
{
    begin_losing(_i);
    feed_message(12);
    for (int i = 0; i < 12; i++) world_answer(&w, 1, pack_empty(1));
    world_run(&w, 200000);
    ck_assert_int_eq(lost_count, 1);
    ck_assert_int_eq(lost.kind, GAP_EVENT_GAP_ABANDONED);
    ck_assert_int_eq(lost.reason, GAP_REASON_NO_PROGRESS);
    ck_assert_int_eq(lost.from, 10);
    ck_assert_int_eq(lost.to, 11);
    ck_assert_uint_eq(sequence(GAP_SEQUENCE_COMMON, 0).abandoned, 1);
    world_fini(&w);
}
END_TEST

/* ---- the account's own ---- */

static void begin_own(int seed, bool no_own)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.no_own_updates = no_own;
    begin_with(seed, &c);
}

/* S64, without the option: once, whichever of push and result comes first. */
START_TEST(own_sends_come_once)
{
    begin_own(_i, false);
    w.via = true;
    w.p.out = true;
    feed_message(11);
    result(pack_send_message(PACK_USER, 77), pack_short_sent(11, 11), 0);
    result(pack_send_message(PACK_USER, 78), pack_short_sent(12, 12), 0);
    feed_message(12);
    world_run(&w, 10000);
    world_expect(&w, "[   0] apply 11\n[   0] apply 12 via result\n");
    world_fini(&w);
}
END_TEST

/* S64, with the option: pts move, no handler sees them; others' messages, edits, deletes do come.
 */
START_TEST(own_sends_are_not_wanted)
{
    gap_engine_counters_t count;

    begin_own(_i, true);
    w.p.out = true;
    feed_message(11);
    result(pack_send_message(PACK_USER, 77), pack_short_sent(11, 11), 0);
    result(pack_send_message(PACK_USER, 78), pack_short_sent(12, 12), 0);
    feed_message(12);
    pack_message_id(&w.p, 13);
    pack_message(&w.p, 13, 1, 13, PACK_USER);
    feed();
    pack_edit(&w.p, 14, 1, 13);
    feed();
    w.p.out = false;
    pack_delete(&w.p, 15, 1, 13);
    feed();
    feed_message(16);
    pack_message(&w.p, 17, 1, 17, 1); /* in the chat with oneself */
    feed();
    feed_message(18);
    world_run(&w, 10000);
    world_expect(&w, "[   0] edit 13\n[   0] delete 13\n[   0] apply 16\n[   0] apply 18\n");
    gap_engine_sequence_t s = sequence(GAP_SEQUENCE_COMMON, 0);
    ck_assert_int_eq(s.position, 18);
    ck_assert_uint_eq(s.gaps, 0);
    ck_assert_int_eq(s.last_id, 18);
    gap_engine_counters(w.engine, &count);
    ck_assert_uint_eq(count.own, 5);
    ck_assert_uint_eq(count.applied, 4);
    world_fini(&w);
}
END_TEST

/* The same of what a difference or a back-fill brings. */
START_TEST(own_messages_of_a_difference)
{
    begin_own(_i, true);
    gap_engine_missed(w.engine);
    pack_new(&w.p, 11);
    w.p.out = true;
    pack_new(&w.p, 12);
    w.p.out = false;
    world_answer(&w, 10, pack_difference(&w.p, 12, 5, 1));
    world_run(&w, 100);
    world_expect(&w, "[   0] difference from 10\n[  10] apply 11\n");
    feed_message(13);
    world_run(&w, 200);
    world_expect(&w, "[ 100] apply 13\n");
    world_fini(&w);
}
END_TEST

/* ---- the state as a whole ---- */

static gap_engine_state_t moved;
static gap_engine_channel_t channels[8];
static struct {
    gap_peer_t peer;
    gap_engine_peer_t known;
} peers[8];
static size_t peer_count;

static void take_away(void)
{
    size_t it = 0;
    gap_peer_t peer;
    gap_engine_peer_t known;

    ck_assert_int_eq(gap_engine_export(w.engine, &moved), 0);
    size_t most = moved.channel_count;
    moved.channels = channels;
    moved.channel_count = 0;
    while (gap_engine_next_channel(w.engine, &it, &channels[moved.channel_count]))
        moved.channel_count++;
    ck_assert_uint_le(moved.channel_count, most);
    it = 0;
    peer_count = 0;
    while (gap_engine_next_peer(w.engine, &it, &peer, &known)) {
        gap_engine_peer_t found;
        ck_assert(gap_engine_peer(w.engine, peer, &found));
        ck_assert_int_eq(found.access_hash, known.access_hash);
        ck_assert_uint_lt(peer_count, GAP_ARRAY_LEN(peers));
        peers[peer_count].peer = peer;
        peers[peer_count++].known = known;
    }
}

static void bring(void)
{
    gap_engine_peer_t found;

    ck_assert_int_eq(gap_engine_import(w.engine, &moved), 0);
    for (size_t i = 0; i < peer_count; i++) {
        gap_engine_peer_t k = peers[i].known;
        ck_assert_int_eq(gap_engine_know(w.engine, peers[i].peer, k.access_hash, k.min), 0);
        ck_assert(gap_engine_peer(w.engine, peers[i].peer, &found));
        ck_assert(found.min == k.min && found.access_hash == k.access_hash);
    }
}

static const gap_engine_channel_t *moved_channel(int64_t id)
{
    for (size_t i = 0; i < moved.channel_count; i++) {
        if (channels[i].id == id) return &channels[i];
    }
    return NULL;
}

static int take_everything(void *arg, const gap_engine_channel_t *channel)
{
    const gap_engine_channel_t *c = moved_channel(channel->id);

    ck_assert_ptr_nonnull(c);
    ck_assert_int_eq(channel->pts, c->pts);
    ck_assert_int_eq(channel->access_hash, c->access_hash);
    ++*(int *)arg;
    return 0;
}

static int no_channel_gone(void *arg, int64_t channel_id)
{
    (void)arg;
    ck_abort_msg("channel %lld is gone", (long long)channel_id);
    return 0;
}

static int take_positions(void *arg, const gap_engine_state_t *state)
{
    ck_assert_int_eq(state->pts, moved.pts);
    ck_assert_int_eq(state->qts, moved.qts);
    *(int *)arg += 100;
    return 0;
}

/* An account moves to another engine while handlers are at work and a gap is open: what was
 * finished does not come again, what was not does. */
START_TEST(account_moves_on)
{
    gap_engine_config_t c;
    int handed = 0;
    gap_engine_collector_t to = {take_everything, no_channel_gone, take_positions, &handed};

    begin_channel(_i);
    feed_channel(8, 20);
    pack_user(&w.p, 43, true);
    feed_message(11);
    world_run(&w, 0);
    w.verdict = GAP_LATER;
    feed_message(12);
    feed_channel(8, 21);
    world_run(&w, 1);
    feed_channel(7, 52); /* 51 is missing */
    world_run(&w, 2);
    take_away();
    world_fini(&w);
    ck_assert_int_eq(moved.pts, 11);
    ck_assert_int_eq(moved.qts, 5);
    ck_assert_uint_eq(moved.channel_count, 2);
    ck_assert_int_eq(moved_channel(7)->pts, 50);
    ck_assert(moved_channel(7)->unfinished);
    ck_assert_int_eq(moved_channel(8)->pts, 20);
    ck_assert(moved_channel(8)->unfinished);
    ck_assert_int_eq(moved_channel(8)->access_hash, pack_hash(8));
    ck_assert_uint_eq(peer_count, 4); /* 42, 43, 7, 8 */

    world_begin(&w, (uint64_t)_i);
    c = world_config(&w);
    c.state = NULL;
    ck_assert_int_eq(world_open(&w, &c), 0);
    bring();
    w.serve = NULL;
    gap_engine_start(w.engine);
    ck_assert_int_eq(gap_engine_import(w.engine, &moved), GAP_E_STATE);
    w.refuse = true; /* the questions tell enough */
    world_run(&w, 0);
    ck_assert_int_eq(gap_engine_collect(w.engine, &to), 0);
    ck_assert_int_eq(handed, 102);
    world_fini(&w);
}
END_TEST

/* The new engine asks from where the old one had finished. */
START_TEST(moved_account_asks)
{
    gap_engine_config_t c;

    channels[0] = (gap_engine_channel_t){7, pack_hash(7), 50, true};
    moved = (gap_engine_state_t){11, 5, 1, PACK_DATE, channels, 1};
    world_begin(&w, 0);
    c = world_config(&w);
    ck_assert_int_eq(world_open(&w, &c), 0); /* opened with another state */
    ck_assert_int_eq(gap_engine_import(w.engine, &moved), 0);
    w.again = true;
    gap_engine_start(w.engine);
    world_answer(&w, 10, difference(12, 12));
    world_answer(&w, 20, channel_difference(7, 51, 51, true));
    world_run(&w, 100);
    world_expect(&w, "[   0] difference from 11\n[   0] channel 7 difference from 50\n"
                     "[  10] apply 12 again\n[  20] apply 7:51 again\n");
    world_fini(&w);
}
END_TEST

START_TEST(wrong_imports)
{
    gap_engine_state_t s = {11, 5, 1, PACK_DATE, channels, 2};

    channels[0] = channels[1] = (gap_engine_channel_t){7, 0, 50, false};
    world_init(&w, (uint64_t)_i, NULL);
    ck_assert_int_eq(gap_engine_import(w.engine, &s), GAP_E_ARGUMENT);
    channels[1].id = 0;
    ck_assert_int_eq(gap_engine_import(w.engine, &s), GAP_E_ARGUMENT);
    channels[1].id = 8;
    channels[1].pts = -1;
    ck_assert_int_eq(gap_engine_import(w.engine, &s), GAP_E_ARGUMENT);
    channels[1].pts = 1;
    s.qts = -1;
    ck_assert_int_eq(gap_engine_import(w.engine, &s), GAP_E_ARGUMENT);
    s.qts = 5;
    ck_assert(!gap_engine_sequence(w.engine, GAP_SEQUENCE_CHANNEL, 7, &(gap_engine_sequence_t){0}));
    ck_assert_int_eq(gap_engine_import(w.engine, &s), 0);
    ck_assert_int_eq(gap_engine_import(w.engine, &s), 0); /* again, in place of itself */
    feed_message(12);
    ck_assert_int_eq(gap_engine_import(w.engine, &s), GAP_E_STATE);
    world_close(&w);
    ck_assert_int_eq(gap_engine_import(w.engine, &s), GAP_E_CLOSED);
    world_fini(&w);
}
END_TEST

START_TEST(import_out_of_memory)
{
    gap_engine_state_t s = {11, 5, 1, PACK_DATE, channels, 8};
    int r = GAP_E_NOMEM;

    for (int i = 0; i < 8; i++)
        channels[i] = (gap_engine_channel_t){7 + i, pack_hash(7 + i), 50, true};
    for (long n = 1; r != 0; n++) {
        world_init(&w, 0, NULL);
        w.fault.calls = 0;
        w.fault.fail_at = n;
        r = gap_engine_import(w.engine, &s);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        w.fault.fail_at = 0;
        ck_assert_int_eq(gap_engine_import(w.engine, &s), 0);
        ck_assert_int_eq(sequence(GAP_SEQUENCE_CHANNEL, 14).position, 50);
        world_fini(&w);
        ck_assert_int_lt(n, 100);
    }
}
END_TEST

/* Counters that can't be kept for lack of memory miss, nothing else does. */
START_TEST(records_out_of_memory)
{
    gap_engine_counters_t total;

    begin(_i);
    feed_message(11);
    world_run(&w, 0);
    w.fault.calls = 0;
    w.fault.fail_at = 1;
    w.fault.fail_on = true;
    feed_message(11);
    world_run(&w, 1);
    ck_assert_uint_eq(sequence(GAP_SEQUENCE_COMMON, 0).duplicates, 0);
    w.fault.fail_at = 0;
    feed_message(11);
    feed_message(12);
    world_run(&w, 2);
    ck_assert_uint_eq(sequence(GAP_SEQUENCE_COMMON, 0).duplicates, 1);
    gap_engine_counters(w.engine, &total);
    ck_assert_uint_eq(total.duplicates, 2);
    ck_assert_uint_eq(total.applied, 2);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_watch");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, every_decision_has_a_text);
    tcase_add_loop_test(t, decisions_of_pushes, 0, SEEDS);
    tcase_add_loop_test(t, decisions_of_a_difference, 0, SEEDS);
    tcase_add_test(t, decisions_about_a_channel);
    tcase_add_loop_test(t, counters_of_a_sequence, 0, SEEDS);
    tcase_add_loop_test(t, counters_of_a_fetched_gap, 0, SEEDS);
    tcase_add_loop_test(t, counters_of_a_lost_channel, 0, SEEDS);
    tcase_add_loop_test(t, range_of_a_too_long, 0, SEEDS);
    tcase_add_loop_test(t, range_of_a_common_too_long, 0, SEEDS);
    tcase_add_loop_test(t, range_that_is_never_brought, 0, SEEDS);
    tcase_add_loop_test(t, own_sends_come_once, 0, SEEDS);
    tcase_add_loop_test(t, own_sends_are_not_wanted, 0, SEEDS);
    tcase_add_loop_test(t, own_messages_of_a_difference, 0, SEEDS);
    tcase_add_loop_test(t, account_moves_on, 0, SEEDS);
    tcase_add_test(t, moved_account_asks);
    tcase_add_loop_test(t, wrong_imports, 0, SEEDS);
    tcase_add_test(t, import_out_of_memory);
    tcase_add_loop_test(t, records_out_of_memory, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
