/*
 * loops/runner_drain.c - the end in order: intake stops, lanes drain until a deadline, what is left
 * is told.
 *
 *   DRAINING -- nothing is left, or nothing can be finished any more, or the deadline --> TOLD
 *
 * Owns nothing. Never: closes.
 */
#include "loops/runner_internal.h"

static void report(gap_runner_t *r)
{
    gap_runner_stats_t now;
    struct gap_runner_report out = {0};

    r->drain.told = true;
    gap_runner_pause(r);
    gap_runner_stats(r, &now);
    out.drained = r->count.handled - r->drain.handled;
    out.unknown = now.depth;
    r->drain.done(r->drain.arg, &out);
}

/* Nothing but attempts that are due after the deadline. */
static bool is_hopeless(const gap_runner_t *r)
{
    const gap_heap_node_t *first = gap_heap_min(&r->due);

    if (r->lanes.running > 0 || r->lanes.ready_count > 0) return false;
    return first == NULL || first->key > r->drain.deadline_us;
}

void gap_runner_check_drained(gap_runner_t *r, uint64_t now_us)
{
    if (!r->drain.begun || r->drain.told) return;
    if (now_us < r->drain.deadline_us && !is_hopeless(r)) return;
    report(r);
}

void gap_runner_drain(gap_runner_t *r, uint64_t deadline_us,
                      void (*done)(void *arg, const struct gap_runner_report *report), void *arg)
{
    if (r->closing) return;
    r->drain.deadline_us = deadline_us;
    if (!r->drain.begun) {
        r->drain.begun = true;
        r->drain.handled = r->count.handled;
        r->drain.done = done;
        r->drain.arg = arg;
        r->gates |= GATE_DRAINING;
        gap_runner_balance(r);
    }
    gap_runner_wake(r);
}
