/*
 * loops/runner_drain.c - the end in order: intake stops, lanes drain until a deadline, what is left
 * is told.
 *
 *   DRAINING -- nothing is left, or nothing can be finished any more, or the deadline --> TOLD
 *
 * Owns nothing. Never: closes.
 */
#include "base/failpoint.h"
#include "loops/runner_internal.h"

/* What is kept in front of the lanes gets a task each, as far as there is memory. */
static uint64_t follow_kept(gap_runner_t *r)
{
    uint64_t keys[GAP_RUNNER_KEYS_MAX];

    while (r->kept != NULL && gap_runner_reserve(r) == 0) {
        gap_update_t *node = r->kept;
        r->kept = node->keeper;
        r->kept_count--;
        node->account = r->hooks.client;
        int count = gap_runner_keys(r, node, keys);
        gap_rows_follow(r, gap_runner_enter(r, node, keys, count));
    }
    return r->kept_count;
}

/* Whether the handlers that are at work will be through is not known either. */
static void write_all(gap_runner_t *r, struct gap_runner_report *out)
{
    const struct gap_task *task;

    out->unknown = r->kept_count;
    if (r->journal != NULL) {
        out->unknown = follow_kept(r);
        (void)gap_journal_write_all(r->journal); /* what is written shows below */
    }
    TAILQ_FOREACH (task, &r->by_age, age) {
        if (task->followed && task->entry.number != 0)
            out->journalled++;
        else
            out->unknown++;
    }
}

static void report(gap_runner_t *r)
{
    struct gap_runner_report out = {0};

    GAP_FAILPOINT("shutdown.drained");
    r->drain.told = true;
    gap_runner_pause(r);
    out.drained = r->count.handled - r->drain.handled;
    write_all(r, &out);
    r->drain.done(r->drain.arg, &out);
}

/* Nothing but attempts that are due after the deadline. */
static bool is_hopeless(const gap_runner_t *r)
{
    const gap_heap_node_t *first = gap_heap_min(&r->due);

    if (r->lanes.running > 0 || r->lanes.ready_count > 0 || r->aside > 0) return false;
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
        GAP_FAILPOINT("shutdown.drain");
        r->drain.begun = true;
        r->drain.handled = r->count.handled;
        r->drain.done = done;
        r->drain.arg = arg;
        r->gates |= GATE_DRAINING;
        gap_runner_balance(r);
    }
    gap_runner_wake(r);
}
