/*
 * loops/runner_commit.c - runs that go on in a transaction: their work runs on the thread that
 * writes the storage, inside the commit that also records the update as handled.
 *
 *   gap_update_in_transaction -> hooks.call ------> committed: through
 *                                               \-> rolled back by its work: failed
 *                                               \-> not committed, and never will be: failed
 *
 * Such a run is never given up before the store has said what became of it: it would be run again,
 * and count twice. Owns nothing.
 */
#include "loops/runner_internal.h"

static int on_writer(void *arg, struct sqlite3 *db)
{
    struct gap_run *run = arg;
    return run->tx_cb(&run->update, db, run->data);
}

static void on_committed(void *arg, int status, int result)
{
    struct gap_run *run = arg;

    run->elsewhere = run->commits = false;
    if (status == 0) status = result;
    run->committed = status >= 0;
    gap_update_finish(&run->update, status < 0 ? status : 0);
}

int gap_update_in_transaction(gap_update_t *update, gap_update_tx_cb work, void *data)
{
    struct gap_run *run = gap_run_of(update);

    if (run == NULL || !run->current || run->elsewhere || run->finished) return GAP_E_STATE;
    gap_runner_t *r = run->runner;
    if (r->hooks.call == NULL) return GAP_E_STATE;
    const gap_call_record_t call = {.call = on_writer, .arg = run};
    run->tx_cb = work;
    run->data = data;
    int status = r->hooks.call(r->hooks.call_arg, &call, on_committed, run);
    if (status < 0) return status;
    run->elsewhere = run->commits = true;
    return GAP_LATER;
}
