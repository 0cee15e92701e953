/*
 * loops/turns.c - which channel asks next: a few may ask at a time, the others wait in line, by the
 * rules of sequence/turns.h.
 *
 *   waiting in line --a place is free, nothing blocks--> asking (update_loop.c)
 *
 * While the server's FLOOD_WAIT is about more than one channel the line stands still; the account's
 * one timer wakes it. Then the common difference asks first, if it is due.
 *
 * Owns: the lines, what is blocked. Never: sends, reads an answer.
 */
#include "loops/engine_internal.h"

void gap_turns_open(gap_engine_t *e)
{
    for (size_t c = 0; c < GAP_TURN_CLASSES; c++) TAILQ_INIT(&e->turns[c]);
}

static enum gap_turn_class class_of(const struct gap_updater *u)
{
    if (gap_open_is(u->engine, u->track->channel_id)) return GAP_TURN_OPEN;
    if (u->feed->held.count > 0 || u->track->behind > 0) return GAP_TURN_HOT;
    if (u->named || u->want_pts > 0 || u->slice) return GAP_TURN_NAMED;
    return GAP_TURN_REST;
}

static void line_up(struct gap_updater *u)
{
    u->turn = (uint8_t)class_of(u);
    u->listed = true;
    TAILQ_INSERT_TAIL(&u->engine->turns[u->turn], u, next);
}

void gap_turn_leave(struct gap_updater *u)
{
    if (!u->listed) return;
    u->listed = false;
    TAILQ_REMOVE(&u->engine->turns[u->turn], u, next);
}

void gap_turn_better(struct gap_updater *u)
{
    if (u->put_off && class_of(u) <= GAP_TURN_HOT) {
        u->put_off = false;
        gap_timer_stop(u->engine->rt, &u->retry);
        gap_loop_signal(u->engine->rt, &u->loop);
    }
    if (u->state != UPDATER_QUEUED || !u->listed || (unsigned)class_of(u) >= u->turn) return;
    gap_turn_leave(u);
    line_up(u);
}

/* Classes in which somebody waits, as bits. */
static unsigned waiting(const gap_engine_t *e)
{
    unsigned bits = 0;

    for (unsigned c = 0; c < GAP_TURN_CLASSES; c++) {
        if (!TAILQ_EMPTY(&e->turns[c])) bits |= 1U << c;
    }
    return bits;
}

uint64_t gap_turns_due_us(const gap_engine_t *e)
{
    return waiting(e) == 0 && !e->backfill.waits ? UINT64_MAX : gap_floods_channel_us(&e->floods);
}

void gap_turn_wait(struct gap_updater *u)
{
    gap_engine_t *e = u->engine;

    line_up(u);
    gap_turns_go(e);
    /* Behind a block nobody else may come by. */
    if (u->listed && gap_floods_channel_us(&e->floods) > e->rt->now_us) gap_engine_house(e);
}

static bool may_ask(const gap_engine_t *e)
{
    return e->started && !e->unauthorized && !e->closing && !e->held;
}

void gap_turns_go(gap_engine_t *e)
{
    unsigned bits;

    if (!may_ask(e) || gap_floods_channel_us(&e->floods) > e->rt->now_us) return;
    if (e->floods.all_us != 0) {
        e->floods.all_us = 0;
        gap_updater_due(&e->updater);
    }
    while (may_ask(e) && e->channel_inflight < e->config.limits.channel_requests &&
           (bits = waiting(e)) != 0) {
        struct gap_updater *u = TAILQ_FIRST(&e->turns[gap_turns_next(&e->turn_order, bits)]);
        gap_turn_leave(u);
        gap_updater_turn(u);
    }
    gap_backfill_wake(e);
}

bool gap_turns_are_over(const gap_engine_t *e)
{
    return may_ask(e) && gap_floods_channel_us(&e->floods) <= e->rt->now_us && waiting(e) == 0 &&
           e->channel_inflight < e->config.limits.channel_requests;
}

void gap_turns_flooded(struct gap_updater *u, uint64_t pause_us)
{
    gap_engine_t *e = u->engine;
    int64_t channel_id = u->track == NULL ? 0 : u->track->channel_id;
    uint64_t now_us = e->rt->now_us;

    u->flooded = true;
    gap_floods_told(&e->floods, channel_id, now_us, now_us + pause_us);
    gap_engine_house(e);
}
