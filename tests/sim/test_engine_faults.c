/*
 * The gap engine closed at any step, and out of memory at any allocation: one story with gaps in
 * every kind of sequence, slices, errors, a lost channel and handlers that go on later.
 *
 * Close: no callback after it, the closed callback once, every byte given back. Out of memory: no
 * crash, nothing out of order or twice; and once there is memory again, everything is delivered
 * that a difference can bring back.
 */
#include "world.h"

#include <gapless/message.h>

#define CLOSE_SEEDS 8

static struct world w;

static gap_packet_t *messages(int32_t first, int32_t last, int32_t seq, bool slice)
{
    for (int32_t id = first; id <= last; id++) pack_new(&w.p, id);
    return slice ? pack_slice(&w.p, last, 5, seq) : pack_difference(&w.p, last, 5, seq);
}

static gap_packet_t *channel_messages(int64_t channel, int32_t first, int32_t last)
{
    for (int32_t id = first; id <= last; id++) pack_channel_new(&w.p, channel, id);
    return pack_channel_difference(&w.p, last, true);
}

static void send_message(uint64_t at_ms, int32_t pts)
{
    pack_message(&w.p, pts, 1, pts, PACK_USER);
    world_send(&w, at_ms, pack_updates(&w.p, 0));
}

static void send_channel(uint64_t at_ms, int64_t channel, int32_t pts)
{
    pack_channel_message(&w.p, channel, pts, 1, pts);
    world_send(&w, at_ms, pack_updates(&w.p, 0));
}

/* Everything that will happen, in advance. */
static void story(void)
{
    gap_engine_start(w.engine);
    world_answer(&w, 10, pack_state(10, 5, 1));
    world_error(&w, 10, 500, "PERSISTENT_TIMESTAMP_OUTDATED");
    world_answer(&w, 10, messages(11, 12, 1, true));
    world_answer(&w, 10, messages(13, 14, 1, false));
    send_message(0, 11);
    send_message(5, 15);
    send_channel(1100, 7, 50);
    send_channel(1100, 7, 52);
    send_channel(1150, 7, 51);
    send_channel(1200, 8, 20);
    send_channel(1200, 8, 22);
    world_answer(&w, 30, channel_messages(8, 21, 22));
    pack_query(&w.p, 1);
    pack_status(&w.p, 9);
    world_send(&w, 1300, pack_updates(&w.p, 3));
    send_message(1400, 18);
    world_answer(&w, 40, messages(16, 18, 3, false));
    send_channel(1900, 8, 25);
    send_channel(1950, 8, 23);
    world_error(&w, 20, 400, "CHANNEL_PRIVATE");
    world_send(&w, 2500, pack_short_message(19, 19, 4711));
    pack_user(&w.p, 4711, false);
    world_answer(&w, 20, messages(19, 19, 3, false));
}

static void mixed_handler(struct world *world, gap_update_t *update)
{
    (void)update;
    ck_assert_msg(!world->closing, "an update after close");
    world->verdict =
        gap_prng_below(&world->random, 4) == 0 && world->later_count < 32 ? GAP_LATER : 0;
}

static void finish_one(void)
{
    if (w.later_count == 0 || gap_prng_below(&w.random, 3) != 0) return;
    gap_update_done(w.later[--w.later_count]);
}

/* @param steps Turns of the host before close. @param batch Or the batch inside of a turn. */
static void play(uint64_t seed, uint64_t steps, uint64_t batch, uint64_t *turns, uint64_t *batches)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.gap_continue = seed % 2 == 0;
    world_init(&w, seed, &c);
    w.handled = mixed_handler;
    w.close_at = batch;
    story();
    *turns = 0;
    while (*turns < steps && !w.closing && world_step(&w, 3000000)) {
        if (!w.closing) finish_one();
        ++*turns;
    }
    if (!w.closing) world_close(&w);
    *batches = w.batches;
    world_fini(&w);
}

START_TEST(close_at_any_step)
{
    uint64_t turns;
    uint64_t batches;
    uint64_t t;
    uint64_t b;

    play((uint64_t)_i + 1, UINT64_MAX, 0, &turns, &batches);
    ck_assert_uint_gt(turns, 20);
    ck_assert_uint_gt(batches, 40);
    for (uint64_t n = 0; n < turns; n++) play((uint64_t)_i + 1, n, 0, &t, &b);
    for (uint64_t n = 1; n < batches; n++) play((uint64_t)_i + 1, UINT64_MAX, n, &t, &b);
}
END_TEST

/* ---- close from inside ---- */

static uint64_t close_after;

static void closing_handler(struct world *world, gap_update_t *update)
{
    (void)update;
    ck_assert_msg(!world->closing, "an update after close");
    if (close_after-- == 0) world_close(world);
}

START_TEST(close_inside_a_handler)
{
    for (uint64_t n = 0; n < 12; n++) {
        gap_engine_config_t c;
        memset(&c, 0, sizeof c);
        c.gap_continue = _i % 2 == 1;
        world_init(&w, (uint64_t)_i + 1, &c);
        w.handled = closing_handler;
        close_after = n;
        story();
        world_run(&w, 3000);
        world_fini(&w);
    }
}
END_TEST

/* ---- out of memory ---- */

static int seen[64];

static void unique_handler(struct world *world, gap_update_t *update)
{
    gap_message_t m;

    (void)world;
    if (gap_message_read(update, &m) != 0 || m.chat.kind != GAP_PEER_USER) return;
    ck_assert_int_lt(m.id, 64);
    ck_assert_msg(seen[m.id]++ == 0, "message %d came twice", m.id);
    for (int id = m.id + 1; id < 64; id++)
        ck_assert_msg(seen[id] == 0, "message %d after %d", m.id, id);
}

/* The server of this story can be asked again and again: it knows messages 11..19. */
static void serve_all(struct world *world, struct world_call *c, bool due)
{
    if (due) return;
    c->due_us = world->now_us + 10000;
    if (c->channel == -1) {
        c->answer.packet = pack_state(10, 5, 1);
    } else if (c->channel == 0) {
        c->answer.packet = c->pts < 19 ? messages(c->pts + 1, 19, 1, false) : pack_empty(1);
    } else {
        c->answer.packet = pack_channel_empty(c->pts);
    }
}

static long fail_once(long nth, bool go_on)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    c.gap_continue = nth % 2 == 1;
    memset(seen, 0, sizeof seen);
    world_begin(&w, 0);
    w.fault.fail_at = nth;
    w.fault.fail_on = go_on;
    int r = world_open(&w, &c);
    if (r < 0) {
        ck_assert_int_eq(r, GAP_E_NOMEM);
        ck_assert_ptr_null(w.engine);
        world_fini(&w);
        return 1;
    }
    w.serve = serve_all;
    w.handled = unique_handler;
    gap_engine_start(w.engine);
    for (int32_t pts = 11; pts <= 18; pts++) {
        if (pts != 14) send_message((uint64_t)pts, pts);
        send_channel((uint64_t)pts, 7, pts + (pts > 14));
        pack_query(&w.p, pts);
        world_send(&w, (uint64_t)pts, pack_updates(&w.p, pts - 9));
    }
    world_run(&w, 12);
    gap_engine_missed(w.engine); /* some come while a question is on its way */
    world_run(&w, 100);
    w.fault.fail_at = 0; /* there is memory again */
    world_run(&w, 20000);
    gap_engine_missed(w.engine);
    world_run(&w, 40000);
    for (int id = 11; id <= 19; id++) ck_assert_msg(seen[id] == 1, "message %d: %d", id, seen[id]);
    long calls = w.fault.calls;
    world_fini(&w);
    return calls;
}

START_TEST(out_of_memory_once)
{
    long calls = fail_once(0, false);

    for (long n = 1; n <= calls; n++) (void)fail_once(n, false);
}
END_TEST

START_TEST(out_of_memory_for_a_while)
{
    long calls = fail_once(0, false);

    for (long n = 1; n <= calls; n++) (void)fail_once(n, true);
}
END_TEST

/* ---- steady state ---- */

START_TEST(steady_state_allocates_nothing)
{
    world_init(&w, 0, NULL);
    world_ready(&w);
    for (int32_t pts = 11; pts <= 400; pts++) {
        if (pts == 200) w.fault.calls = 0;
        pack_message(&w.p, pts, 1, pts, PACK_USER);
        pack_channel_message(&w.p, 7, pts, 1, pts);
        (void)world_feed(&w, pack_updates(&w.p, 0));
        world_run(&w, (uint64_t)pts);
    }
    ck_assert_int_eq(w.fault.calls, 0);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_faults");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, close_at_any_step, 0, CLOSE_SEEDS);
    tcase_add_loop_test(t, close_inside_a_handler, 0, CLOSE_SEEDS);
    tcase_add_test(t, out_of_memory_once);
    tcase_add_test(t, out_of_memory_for_a_while);
    tcase_add_test(t, steady_state_allocates_nothing);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
