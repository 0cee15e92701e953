/*
 * The gap engine closed at any step, and out of memory at any allocation, while channels are open,
 * untracked and tracked again, wait in line and are told to wait. See test_engine_faults.c.
 */
#include "world.h"

#define CLOSE_SEEDS 4

static struct world w;
static int seen[3][64];

static void serve(struct world *world, struct world_call *c, bool due)
{
    if (due) return;
    c->due_us = world->now_us + 10000;
    if (c->channel == 0) {
        c->answer.packet = pack_empty(1);
    } else if (c->channel == 2 && world->steps % 3 == 0) {
        c->answer.code = 420;
        c->answer.text = "FLOOD_WAIT_1";
    } else if (c->limit == 0) {
        c->answer.packet = pack_channel_full(c->channel, 20);
    } else if (c->pts < 30) {
        for (int32_t id = c->pts + 1; id <= 30; id++) pack_channel_new(&world->p, c->channel, id);
        c->answer.packet = pack_channel_difference(&world->p, 30, true);
    } else {
        c->answer.packet = pack_channel_empty(c->pts);
    }
}

static void handled(struct world *world, gap_update_t *update)
{
    char label[64];
    int channel;
    int id;

    ck_assert_msg(!world->closing, "an update after close");
    world_label(update, label);
    ck_assert_int_eq(sscanf(label, "apply %d:%d", &channel, &id), 2);
    ck_assert_msg(seen[channel - 1][id]++ == 0, "%s came twice", label);
}

/* 0, or GAP_E_NOMEM while there is no memory; the engine's close is the end of the story. */
static bool did(int r)
{
    ck_assert(r == 0 || (r == GAP_E_NOMEM && w.fault.fail_at != 0) || r == GAP_E_CLOSED);
    return r == 0;
}

static void send_channel(uint64_t at_ms, int64_t channel, int32_t pts)
{
    pack_channel_message(&w.p, channel, pts, 1, pts);
    world_send(&w, at_ms, pack_updates(&w.p, 0));
}

/* What the program does in one turn of the host's loop. */
static void act(uint64_t turn)
{
    switch (turn) {
    case 1:
        (void)did(gap_engine_open_channel(w.engine, 1));
        break;
    case 3:
        (void)did(gap_engine_untrack_channel(w.engine, 3));
        break;
    case 5:
        (void)did(gap_engine_open_channel(w.engine, 2));
        break;
    case 9:
        (void)did(gap_engine_track_channel(w.engine, 3, pack_hash(3), 0));
        break;
    default:
        break;
    }
}

static int play(uint64_t seed, uint64_t steps, uint64_t batch, uint64_t *turns)
{
    static const gap_engine_channel_t channels[] = {
        {1, 1, 20, true}, {2, 2, 20, false}, {3, 3, 20, true}};
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, channels, 3};
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    memset(seen, 0, sizeof seen);
    c.state = &state;
    c.limits.channel_requests = 1;
    int r = world_open(&w, &c);
    if (r < 0) return r;
    (void)seed;
    w.serve = serve;
    w.handled = handled;
    w.close_at = batch;
    gap_engine_start(w.engine);
    for (int32_t pts = 31; pts <= 36; pts++) send_channel((uint64_t)pts * 4, 2, pts);
    for (*turns = 0; *turns < steps && !w.closing && world_step(&w, 4000000); ++*turns)
        if (!w.closing) act(*turns);
    return 0;
}

START_TEST(close_at_any_step)
{
    uint64_t turns;
    uint64_t t;

    world_begin(&w, (uint64_t)_i + 1);
    ck_assert_int_eq(play((uint64_t)_i, UINT64_MAX, 0, &turns), 0);
    uint64_t batches = w.batches;
    world_fini(&w);
    ck_assert_uint_gt(turns, 15);
    for (uint64_t n = 0; n < turns; n++) {
        world_begin(&w, (uint64_t)_i + 1);
        ck_assert_int_eq(play((uint64_t)_i, n, 0, &t), 0);
        world_fini(&w);
    }
    for (uint64_t n = 1; n < batches; n++) {
        world_begin(&w, (uint64_t)_i + 1);
        ck_assert_int_eq(play((uint64_t)_i, UINT64_MAX, n, &t), 0);
        world_fini(&w);
    }
}
END_TEST

/* Once there is memory again everything comes that a difference brings back. */
static long starve(long nth, bool go_on)
{
    uint64_t turns;

    world_begin(&w, 0);
    w.fault.fail_at = nth;
    w.fault.fail_on = go_on;
    if (play(0, 40, 0, &turns) < 0) {
        ck_assert_ptr_null(w.engine);
        world_fini(&w);
        return 1;
    }
    w.fault.fail_at = 0;
    world_run(&w, w.now_us / 1000 + 20000);
    for (int64_t id = 1; id <= 2; id++) {
        pack_too_long(&w.p, id, id == 2 ? 36 : 30);
        (void)world_feed(&w, pack_updates(&w.p, 0));
    }
    world_run(&w, w.now_us / 1000 + 20000);
    for (int id = 21; id <= 30; id++) {
        ck_assert_msg(seen[0][id] == 1, "allocation %ld: 1:%d", nth, id);
        ck_assert_msg(seen[1][id] == 1, "allocation %ld: 2:%d", nth, id);
    }
    long calls = w.fault.calls;
    world_fini(&w);
    return calls;
}

START_TEST(out_of_memory)
{
    long calls = starve(0, _i == 1);

    for (long n = 1; n <= calls; n++) (void)starve(n, _i == 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_open_faults");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, close_at_any_step, 0, CLOSE_SEEDS);
    tcase_add_loop_test(t, out_of_memory, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
