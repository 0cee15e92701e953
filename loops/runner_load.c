/*
 * loops/runner_load.c - how much at a time: back-pressure, pause, slots, pace; figures; and for
 * those who take updates themselves, pull.
 *
 *   taking -- waiting_max, pinned_max, no memory, draining --> the engine is held
 *   held ---- three quarters of it, and none is in front ----> taking
 *
 * Owns nothing.
 */
#include "loops/runner_internal.h"

/* ---- back-pressure ---- */

static bool is_full(const gap_runner_t *r)
{
    return r->in_hand >= r->config.waiting_max ||
           r->pinned + r->front_bytes >= r->config.pinned_max;
}

static bool is_relieved(const gap_runner_t *r)
{
    const gap_runner_config_t *c = &r->config;

    return r->in_hand <= c->waiting_max - c->waiting_max / 4 &&
           r->pinned + r->front_bytes <= c->pinned_max - c->pinned_max / 4;
}

static void tell(gap_runner_t *r, enum gap_runner_event_kind kind)
{
    const struct gap_runner_event event = {.kind = kind, .count = r->in_hand + r->kept_count};
    gap_runner_tell(r, &event);
}

void gap_runner_balance(gap_runner_t *r)
{
    bool front = r->front_count > 0 && (r->gates & GATE_SHUT) == 0;
    bool must = front || r->kept != NULL || r->drain.begun || is_full(r);

    if (r->closing) return;
    if (!r->held && must) {
        r->held = true;
        if (r->hooks.hold != NULL) r->hooks.hold(r->hooks.arg, true);
        if (r->drain.begun) return;
        r->count.overloads++;
        tell(r, GAP_RUNNER_OVERLOADED);
    } else if (r->held && !must && is_relieved(r)) {
        r->held = false;
        if (r->hooks.hold != NULL) r->hooks.hold(r->hooks.arg, false);
        tell(r, GAP_RUNNER_RELIEVED);
    }
}

/* ---- load control ---- */

void gap_runner_pause(gap_runner_t *r)
{
    r->gates |= GATE_PAUSED;
    gap_lanes_pause(&r->lanes, true);
}

void gap_runner_resume(gap_runner_t *r)
{
    if (r->drain.told) return;
    r->gates &= ~(uint32_t)GATE_PAUSED;
    gap_lanes_pause(&r->lanes, false);
    gap_runner_wake(r);
}

void gap_runner_set_concurrency(gap_runner_t *r, uint32_t concurrency)
{
    gap_lanes_slots(&r->lanes, concurrency == 0 ? GAP_RUNNER_CONCURRENCY : concurrency);
    gap_runner_wake(r);
}

void gap_runner_set_pace(gap_runner_t *r, uint32_t per_s)
{
    r->config.pace_per_s = per_s;
    r->paced_us = 0;
    gap_pace_init(&r->pace, per_s);
    gap_runner_wake(r);
}

/* ---- figures ---- */

void gap_runner_stats(const gap_runner_t *r, gap_runner_stats_t *out)
{
    const struct gap_task *oldest = TAILQ_FIRST(&r->by_age);

    *out = r->count;
    if (r->journal != NULL) {
        struct gap_journal_counters journal;
        gap_journal_count(r->journal, &journal);
        out->journalled = journal.written;
    }
    out->retrying = r->due.count;
    out->depth = r->in_hand + r->kept_count;
    out->running = r->lanes.running;
    out->lanes = gap_lanes_count(&r->lanes);
    out->oldest_us = oldest == NULL ? 0 : gap_rt_now_us(r->rt) - oldest->came_us;
    out->pinned_bytes = r->pinned;
    out->spilled = r->spilled;
    out->overran = r->overran;
    out->threads_stuck = r->stuck;
    out->paused = (r->gates & GATE_PAUSED) != 0;
    out->held = r->held;
}

uint32_t gap_runner_lane_depth(const gap_runner_t *r, uint64_t key)
{
    return gap_lanes_depth(&r->lanes, key);
}

/* ---- pull ---- */

void gap_runner_tell_ready(gap_runner_t *r)
{
    bool paced = r->paced_us != 0 && TAILQ_EMPTY(&r->lanes.ready[GAP_JOB_URGENT]);

    if (r->told_ready || r->lanes.ready_count == 0 || r->lanes.paused ||
        r->lanes.running >= r->lanes.slots || paced)
        return;
    r->told_ready = true;
    if (r->config.ready != NULL) r->config.ready(r->config.ready_data);
}

int gap_runner_next(gap_runner_t *r, gap_update_t **out)
{
    if (!r->config.pull) return GAP_E_STATE;
    if (r->closing) return GAP_E_CLOSED;
    if (r->lanes.ready_count > 0) {
        int status = gap_runner_reserve(r);
        if (status < 0) return status;
    }
    gap_job_t *job;
    do {
        job = gap_runner_next_job(r, gap_rt_now_us(r->rt));
    } while (job != NULL && !gap_rows_prepare(r, gap_task_of_job(job)));
    if (job == NULL) {
        r->told_ready = false;
        gap_runner_wake(r); /* for `ready`, and the pace's alarm */
        return 0;
    }
    struct gap_run *run = gap_run_start(r, gap_task_of_job(job));
    *out = &run->update;
    return 1;
}
