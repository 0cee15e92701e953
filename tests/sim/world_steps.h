/*
 * tests/sim/world_steps.h - the one world of a test program, and the steps in which the cases of
 * the engine are told.
 */
#ifndef GAP_TESTS_SIM_WORLD_STEPS_H
#define GAP_TESTS_SIM_WORLD_STEPS_H

#include "world.h"

static struct world w;

/* An engine that has started, at pts 10, qts 5, seq 1. */
static inline void begin(int seed)
{
    world_init(&w, (uint64_t)seed, NULL);
    world_ready(&w);
}

/* As begin, with a configuration; the first difference is empty. */
static inline void begin_with(int seed, gap_engine_config_t *c)
{
    static const gap_engine_state_t state = {10, 5, 1, PACK_DATE, NULL, 0};
    if (c->state == NULL) c->state = &state;
    world_init(&w, (uint64_t)seed, c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, pack_empty(c->state->seq));
    world_run(&w, 0);
    world_forget(&w);
}

/* Feed what has been packed. */
static inline void feed(void)
{
    ck_assert_int_eq(world_feed(&w, pack_updates(&w.p, 0)), 0);
}

static inline void feed_message(int32_t pts)
{
    pack_message(&w.p, pts, 1, pts, PACK_USER);
    feed();
}

static inline void feed_channel(int64_t channel, int32_t pts)
{
    pack_channel_message(&w.p, channel, pts, 1, pts);
    feed();
}

/* As begin, with channel 7 at pts 50. */
static inline void begin_channel(int seed)
{
    begin(seed);
    feed_channel(7, 50);
    world_run(&w, 0);
    world_expect(&w, "[   0] apply 7:50\n");
}

static inline gap_packet_t *difference(int32_t first, int32_t last)
{
    for (int32_t id = first; id <= last; id++) pack_new(&w.p, id);
    return pack_difference(&w.p, last, 5, 1);
}

static inline gap_packet_t *channel_difference(int64_t channel, int32_t first, int32_t last,
                                               bool final)
{
    for (int32_t id = first; id <= last; id++) pack_channel_new(&w.p, channel, id);
    return pack_channel_difference(&w.p, last, final);
}

/* Updates handed to the handler so far. */
static inline uint64_t applied(void)
{
    gap_engine_counters_t count;
    gap_engine_counters(w.engine, &count);
    return count.applied;
}

/* Lines of the trace that hold this text. */
static inline size_t lines_with(const char *text)
{
    size_t n = 0;
    for (const char *at = w.trace; (at = strstr(at, text)) != NULL; at++) n++;
    return n;
}

/* The answer to a call of the account. Both are taken. */
static inline void result(gap_packet_t *query, gap_packet_t *packet, int expect)
{
    int r = gap_engine_result(w.engine, gap_bytes(query->data, query->len),
                              gap_bytes(packet->data, packet->len), packet);
    ck_assert_int_eq(r, expect);
    gap_packet_unref(query);
    gap_packet_unref(packet);
}

#endif
