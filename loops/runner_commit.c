/*
 * loops/runner_commit.c - runs that end in a transaction: either their work runs on the thread that
 * writes the storage, inside the commit that also records the update as handled, or the handler
 * has a transaction of its own.
 *
 *   gap_update_in_transaction -> AWAITING its answers -> hooks.call -> committed: through
 *                              one failed: failed <-/       |   \-> rolled back by its work: failed
 *                                                           \-> never to be committed: failed
 *   gap_update_complete -> in the handler's transaction -> gap_update_done: through
 *                                                      \-> gap_update_failed: failed
 *
 * A run that waits for its commit is never given up before the store has said what became of it: it
 * would be run again, and count twice. Owns nothing.
 */
#include "base/failpoint.h"
#include "loops/runner_internal.h"
#include "store/complete.h"

static int on_writer(void *arg, struct sqlite3 *db)
{
    struct gap_run *run = arg;

    GAP_FAILPOINT("transaction.before");
    int status = run->tx_cb(&run->update, db, run->data);
    GAP_FAILPOINT("transaction.after");
    return status;
}

static void reopen(struct gap_run *run)
{
    gap_runner_t *r = run->runner;
    if (r->journal != NULL) gap_journal_reopened(r->journal, &run->task->entry);
}

static void complete(struct gap_run *run)
{
    gap_runner_t *r = run->runner;

    if (r->journal == NULL) return;
    gap_journal_completed(r->journal, &run->task->entry);
    run->task->followed = false;
}

static void on_committed(void *arg, int status, int result)
{
    struct gap_run *run = arg;

    GAP_FAILPOINT("transaction.committed");
    run->elsewhere = run->commits = false;
    if (status == 0) status = result;
    run->committed = status >= 0;
    if (run->committed)
        complete(run);
    else
        reopen(run);
    gap_update_finish(&run->update, status < 0 ? status : 0);
}

static bool may_complete(const struct gap_run *run)
{
    return run != NULL && run->current && !run->elsewhere && !run->finished && !run->completed &&
           !run->awaiting;
}

/* @return 0: it is under way, and on_committed follows. */
static int commit(struct gap_run *run)
{
    gap_runner_t *r = run->runner;
    struct gap_journal_completion completion = {0};

    if (r->journal != NULL) gap_journal_complete(r->journal, &run->task->entry, false, &completion);
    const gap_call_record_t call = {.call = on_writer,
                                    .arg = run,
                                    .inbox = completion.inbox,
                                    .has_done = completion.has_done,
                                    .done = completion.done};
    int status = r->hooks.call(r->hooks.call_arg, &call, on_committed, run);
    if (status < 0) {
        reopen(run);
        return status;
    }
    run->elsewhere = run->commits = true;
    return 0;
}

void gap_commit_answered(struct gap_run *run)
{
    int status = run->status;

    run->awaiting = false;
    if (run->current && status == 0) {
        status = commit(run);
        if (status == 0) return;
        run->status = status;
    }
    run->finished = true;
}

int gap_update_in_transaction(gap_update_t *update, gap_update_tx_cb work, void *data)
{
    struct gap_run *run = gap_run_of(update);

    if (!may_complete(run) || run->runner->hooks.call == NULL) return GAP_E_STATE;
    gap_run_adopt(run);
    run->tx_cb = work;
    run->data = data;
    /* Once it is committed nobody would send again what has not been answered. */
    run->awaiting = run->holds > 0;
    int status = run->awaiting ? 0 : commit(run);
    return status < 0 ? status : GAP_LATER;
}

int gap_update_complete(struct sqlite3 *db, gap_update_t *update)
{
    struct gap_run *run = gap_run_of(update);
    struct gap_journal_completion completion;

    if (!may_complete(run) || run->runner->journal == NULL) return GAP_E_STATE;
    if (run->unanswered > 0) return GAP_E_STATE; /* once it is committed nobody would send again */
    gap_runner_t *r = run->runner;
    gap_run_adopt(run);
    gap_journal_complete(r->journal, &run->task->entry, true, &completion);
    int status = gap_sqlite_complete(db, r->hooks.user_id, completion.inbox,
                                     completion.has_done ? &completion.done : NULL);
    if (status < 0)
        reopen(run);
    else
        run->completed = true;
    return status;
}

void gap_commit_own(struct gap_run *run, int status)
{
    run->completed = false;
    if (status < 0)
        reopen(run);
    else
        complete(run);
}
