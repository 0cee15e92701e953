/*
 * loops/runner_rows.c - what is in the journal: rows of a former run, bytes that were let go, and
 * attempts that are counted before they begin.
 *
 *   its turn -- bytes let go --> ASIDE, read back ----.
 *          \--- to be counted -> ASIDE, written ------+--> ready again
 *          \--- else -----------------------------------> runs
 *
 * A task that is aside keeps its lanes and no slot. Bytes are let go of waiting tasks whose rows
 * are written, once half of what may be pinned is.
 *
 * Rows of a former run are put into the lanes while the engine is held: what is fetched again of
 * the same chat comes after them.
 *
 * Owns: the updates that were read. Never: decides what is written.
 */
#include "base/assert.h"
#include "base/packet.h"
#include "loops/engine.h"
#include "loops/runner_internal.h"

/** Tasks that are looked at, one time, for bytes to let go. */
#define SPILL_LOOKS_MAX 256

/* ---- updates of the runner's own ---- */

static void stored_finished(gap_update_t *update, int status)
{
    struct gap_stored *s = GAP_CONTAINER_OF(update, struct gap_stored, update);

    (void)status;
    gap_packet_unref(s->packet);
    gap_pool_put(&s->runner->stored, s);
}

static const struct gap_update_owner stored_owner = {.finished = stored_finished};

gap_update_t *gap_stored_new(gap_runner_t *r, const gap_update_t *view, gap_packet_t *packet)
{
    struct gap_stored *s = gap_pool_get(&r->stored);

    if (s == NULL) return NULL;
    s->runner = r;
    s->packet = gap_packet_ref(packet);
    s->update = *view;
    s->update.owner = &stored_owner;
    s->update.relay = NULL;
    s->update.account = r->hooks.client;
    return &s->update;
}

/* ---- aside ---- */

static void set_aside(gap_runner_t *r, struct gap_task *task)
{
    gap_lanes_park(&r->lanes, &task->job);
    task->aside = true;
    r->aside++;
}

static void take_back(gap_runner_t *r, struct gap_task *task)
{
    GAP_ASSERT(task->aside);
    task->aside = false;
    r->aside--;
}

static void is_ready(gap_runner_t *r, struct gap_task *task)
{
    take_back(r, task);
    gap_lanes_resume(&r->lanes, &task->job);
    gap_runner_wake(r);
}

/* It is looked at again a little later. */
static void postpone(gap_runner_t *r, struct gap_task *task)
{
    uint64_t due_us = gap_rt_now_us(r->rt) + GAP_RUNNER_AGAIN_US;
    int status = gap_heap_insert(&r->due, &task->due, due_us);

    GAP_ASSERT(status == 0); /* reserved while it had its turn, or was aside */
    gap_runner_alarm(r, due_us);
}

/* ---- bytes ---- */

/* What the row holds is the task's again. @return false: no memory. */
static bool show_row(gap_runner_t *r, struct gap_task *task, const struct gap_journal_row *row)
{
    gap_update_t *node = gap_stored_new(r, row->update, row->packet);

    if (node == NULL) return false;
    node->keeper = task;
    task->node = node;
    task->entry.update = node;
    r->spilled--;
    r->pinned += task->bytes;
    return true;
}

static void on_read(void *arg, int status, const struct gap_journal_row *row)
{
    struct gap_task *task = arg;
    gap_runner_t *r = task->runner;

    r->reading--;
    task->reading = false;
    if (r->closing) {
        gap_runner_wake(r);
        return;
    }
    if (status == 0 && row->update != NULL && show_row(r, task, row)) {
        is_ready(r, task);
        return;
    }
    take_back(r, task);
    if (status == 0 && row->update == NULL) {
        gap_task_free(r, task, true); /* somebody has completed it */
    } else if (status == GAP_E_DAMAGED) {
        const struct gap_runner_event event = {
            .kind = GAP_RUNNER_DEAD, .error = status, .attempt = task->attempts};
        gap_task_bury(r, task, status);
        gap_runner_tell(r, &event);
    } else {
        postpone(r, task);
    }
}

static void read_back(gap_runner_t *r, struct gap_task *task)
{
    set_aside(r, task);
    if (gap_journal_read(r->journal, task->entry.number, on_read, task) == 0) {
        task->reading = true;
        r->reading++;
        return;
    }
    take_back(r, task);
    postpone(r, task);
}

bool gap_rows_prepare(gap_runner_t *r, struct gap_task *task)
{
    if (r->journal == NULL) return true;
    if (task->node == NULL) {
        read_back(r, task);
        return false;
    }
    if (task->counted) {
        task->counted = false;
        return true;
    }
    if (gap_journal_attempt(r->journal, &task->entry, task->attempts + 1) == 0) return true;
    set_aside(r, task);
    return false;
}

static void on_ready(void *arg, struct gap_journal_entry *entry)
{
    gap_runner_t *r = arg;
    struct gap_task *task = GAP_CONTAINER_OF(entry, struct gap_task, entry);

    if (r->closing || !task->aside || task->reading) return;
    task->counted = true;
    is_ready(r, task);
}

/* ---- letting go ---- */

static bool can_spill(const struct gap_task *task)
{
    return task->job.state == GAP_JOB_WAITING && task->run == NULL && task->overruns == 0 &&
           task->node != NULL && task->entry.number != 0 && !task->entry.busy;
}

static void spill(gap_runner_t *r, struct gap_task *task)
{
    gap_update_t *node = task->node;

    task->node = NULL;
    task->entry.node = NULL;
    task->entry.update = NULL;
    r->pinned -= task->bytes;
    r->spilled++;
    gap_update_done(node); /* it was passed when its row was written */
}

void gap_rows_spill(gap_runner_t *r)
{
    struct gap_task *task = r->spill_at != NULL ? r->spill_at : TAILQ_FIRST(&r->by_age);

    if (r->journal == NULL || r->pinned <= r->config.pinned_max / 2) return;
    for (int i = 0; i < SPILL_LOOKS_MAX && task != NULL; i++) {
        struct gap_task *next = TAILQ_NEXT(task, age);
        if (can_spill(task)) spill(r, task);
        task = next;
    }
    r->spill_at = task;
}

void gap_rows_forget(gap_runner_t *r, struct gap_task *task)
{
    if (r->spill_at == task) r->spill_at = TAILQ_NEXT(task, age);
    if (!task->followed) return;
    task->followed = false;
    if (task->unhandled)
        gap_journal_drop(r->journal, &task->entry);
    else
        gap_journal_done(r->journal, &task->entry);
}

void gap_rows_follow(gap_runner_t *r, struct gap_task *task)
{
    gap_journal_follow(r->journal, &task->entry, task->node);
    task->followed = true;
}

void gap_runner_press(void *runner, gap_update_t *update)
{
    gap_runner_t *r = runner;

    if (r->journal == NULL) return;
    for (const gap_update_t *kept = r->kept; kept != NULL; kept = kept->keeper) {
        if (kept == update) return; /* nobody knows it yet */
    }
    struct gap_task *task = update->keeper;
    if (task != NULL && task->followed) (void)gap_journal_write(r->journal, &task->entry);
}

int gap_runner_collect(gap_runner_t *r)
{
    return r->journal == NULL ? 0 : gap_journal_collect(r->journal);
}

/* ---- rows of a former run ---- */

static int on_replay(void *arg, const struct gap_journal_row *row)
{
    uint64_t keys[GAP_RUNNER_KEYS_MAX];
    gap_runner_t *r = arg;

    if (r->closing || !gap_runner_has_room(r)) {
        r->replay_waits = true;
        return 1;
    }
    if (gap_runner_reserve(r) < 0) return GAP_E_NOMEM;
    gap_update_t *node = gap_stored_new(r, row->update, row->packet);
    if (node == NULL) return GAP_E_NOMEM;
    if (gap_chats_concerns(node)) gap_chats_learn(&r->chats, node);
    int count = gap_runner_keys(r, node, keys);
    struct gap_task *task = gap_runner_enter(r, node, keys, count);
    task->attempts = row->attempts;
    gap_journal_adopt(r->journal, &task->entry, row);
    task->entry.update = node;
    task->followed = true;
    gap_runner_wake(r);
    return 0;
}

static void on_replayed(void *arg, int status)
{
    gap_runner_t *r = arg;
    void (*replayed)(void *to, int how) = r->replayed;

    r->replayed = NULL;
    if (replayed != NULL) replayed(r->replayed_arg, status);
}

static void on_lost(void *arg, const struct gap_journal_loss *loss)
{
    gap_runner_t *r = arg;
    const struct gap_runner_event event = {.kind = GAP_RUNNER_DEAD,
                                           .update = loss->update,
                                           .error = loss->error,
                                           .reason = loss->reason,
                                           .attempt = loss->attempts};

    r->count.dead++;
    gap_runner_tell(r, &event);
}

int gap_runner_replay(gap_runner_t *r, void (*done)(void *arg, int status), void *arg)
{
    r->replayed = done;
    r->replayed_arg = arg;
    return gap_journal_replay(r->journal);
}

void gap_rows_go_on(gap_runner_t *r)
{
    if (!r->replay_waits || !gap_runner_has_room(r)) return;
    r->replay_waits = false;
    gap_journal_replay_on(r->journal);
}

void gap_rows_init(gap_runner_t *r)
{
    static const struct gap_journal_user user = {
        .ready = on_ready, .replay = on_replay, .replayed = on_replayed, .lost = on_lost};

    r->journal = r->hooks.journal;
    if (r->journal != NULL) gap_journal_serve(r->journal, &user, r);
}

const struct gap_identity *gap_run_identity(gap_update_t *update)
{
    struct gap_run *run = gap_run_of(update);

    if (run == NULL || run->runner->journal == NULL || !run->current) return NULL;
    gap_run_adopt(run);
    const struct gap_identity *name = gap_journal_name(run->runner->journal, &run->task->entry);
    return name->has ? name : NULL;
}
