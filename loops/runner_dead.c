/*
 * loops/runner_dead.c - updates that were given up: with a journal they are its dead letters, else
 * the last few are kept here.
 *
 * Owns: those few, packed; who asked for them. Never: gives one up.
 */
#include "base/alloc.h"
#include "base/packet.h"
#include "loops/runner_internal.h"
#include "runner/packed.h"

/* ---- without a journal ---- */

static void remove_letter(gap_runner_t *r, struct gap_letter *letter)
{
    TAILQ_REMOVE(&r->letters, letter, next);
    r->letter_count--;
    r->letter_bytes -= letter->packed->len;
    gap_packet_unref(letter->packed);
    gap_free(r->alloc, letter);
}

static struct gap_letter *find_letter(gap_runner_t *r, uint64_t number)
{
    struct gap_letter *letter;

    TAILQ_FOREACH (letter, &r->letters, next) {
        if (letter->number == number) return letter;
    }
    return NULL;
}

static int64_t wall_us(gap_runner_t *r)
{
    return r->rt->env == NULL ? 0 : (int64_t)gap_env_wall_us(r->rt->env);
}

/* The last ones are kept; one that can't be is counted and told all the same. */
static void keep_letter(gap_runner_t *r, const struct gap_task *task, int error)
{
    size_t size = gap_packed_size(task->node);
    struct gap_letter *letter;

    r->letter_number++;
    if (size == 0 || size > GAP_RUNNER_DEAD_BYTES) return;
    letter = gap_calloc(r->alloc, 1, sizeof *letter);
    if (letter == NULL) return;
    if (gap_packet_new(r->alloc, size, &letter->packed) < 0) {
        gap_free(r->alloc, letter);
        return;
    }
    gap_packed_write(task->node, 0, letter->packed->data);
    letter->packed->len = (uint32_t)size;
    letter->number = r->letter_number;
    letter->attempts = task->attempts;
    letter->error = error;
    letter->died_us = wall_us(r);
    letter->created_us = letter->died_us - (int64_t)(gap_rt_now_us(r->rt) - task->came_us);
    TAILQ_INSERT_TAIL(&r->letters, letter, next);
    r->letter_count++;
    r->letter_bytes += size;
    while (r->letter_count > GAP_RUNNER_DEAD_MAX || r->letter_bytes > GAP_RUNNER_DEAD_BYTES)
        remove_letter(r, TAILQ_FIRST(&r->letters));
}

int gap_dead_add(gap_runner_t *r, struct gap_task *task, int error)
{
    if (r->journal == NULL) {
        keep_letter(r, task, error);
        return 0;
    }
    const gap_update_t *view = task->node; /* NULL: its row is damaged */
    if (view != NULL && gap_packed_size(view) == 0) view = NULL;
    int status = gap_journal_bury(r->journal, &task->entry, view, error, gap_strerror(error));
    if (status == 0) task->followed = false;
    return status;
}

void gap_dead_fini(gap_runner_t *r)
{
    while (!TAILQ_EMPTY(&r->letters)) remove_letter(r, TAILQ_FIRST(&r->letters));
}

/* ---- the list ---- */

static void end_call(struct gap_letter_call *call, int status)
{
    void (*done)(void *data, int how) = call->done;
    void *data = call->data;

    gap_free(call->runner->alloc, call);
    done(data, status);
}

static void show_letter(const struct gap_letter_call *call, const struct gap_letter *letter)
{
    gap_update_t update;
    enum gap_packed_fault fault =
        gap_packed_read(gap_bytes(letter->packed->data, letter->packed->len), &update);
    const gap_dead_letter_t out = {.number = letter->number,
                                   .attempts = letter->attempts,
                                   .error = letter->error,
                                   .reason = gap_strerror(letter->error),
                                   .created_us = letter->created_us,
                                   .died_us = letter->died_us,
                                   .box = fault == 0 ? gap_update_box(&update) : GAP_BOX_NONE,
                                   .channel_id = fault == 0 ? update.channel_id : 0,
                                   .update = fault == 0 ? &update : NULL};
    call->each(call->data, &out);
}

/* The next one, by its number: the callback may remove any. */
static struct gap_letter *letter_after(gap_runner_t *r, uint64_t number)
{
    struct gap_letter *letter;

    TAILQ_FOREACH (letter, &r->letters, next) {
        if (letter->number > number) return letter;
    }
    return NULL;
}

void gap_dead_answer(gap_runner_t *r)
{
    struct gap_letter_call *call;

    while ((call = STAILQ_FIRST(&r->letter_calls)) != NULL) {
        STAILQ_REMOVE_HEAD(&r->letter_calls, next);
        uint64_t number = call->after;
        for (uint32_t i = 0; i < call->limit; i++) {
            const struct gap_letter *letter = letter_after(r, number);
            if (letter == NULL) break;
            number = letter->number;
            show_letter(call, letter);
        }
        end_call(call, 0);
    }
}

static void on_record(void *arg, const gap_dead_record_t *record, gap_update_t *update)
{
    const struct gap_letter_call *call = arg;
    char reason[128];
    size_t len = record->reason.len < sizeof reason - 1 ? record->reason.len : sizeof reason - 1;
    const gap_dead_letter_t out = {.number = record->number,
                                   .attempts = record->attempts,
                                   .error = record->error,
                                   .reason = reason,
                                   .created_us = record->created_us,
                                   .died_us = record->died_us,
                                   .box = record->box,
                                   .channel_id = record->channel_id,
                                   .update = update};

    if (len > 0) memcpy(reason, record->reason.data, len);
    reason[len] = 0;
    if (update != NULL) update->account = call->runner->hooks.client;
    call->each(call->data, &out);
}

static void on_listed(void *arg, int status)
{
    struct gap_letter_call *call = arg;
    gap_runner_t *r = call->runner;

    r->reading--;
    gap_runner_wake(r);
    end_call(call, status);
}

int gap_runner_dead_letters(gap_runner_t *r, uint64_t after, uint32_t limit,
                            gap_dead_letter_cb each, void (*done)(void *data, int status),
                            void *data)
{
    struct gap_letter_call *call;
    int status = 0;

    if (r->closing) return GAP_E_CLOSED;
    call = gap_calloc(r->alloc, 1, sizeof *call);
    if (call == NULL) return GAP_E_NOMEM;
    call->runner = r;
    call->after = after;
    call->limit = limit;
    call->each = each;
    call->done = done;
    call->data = data;
    if (r->journal == NULL) {
        STAILQ_INSERT_TAIL(&r->letter_calls, call, next);
        gap_runner_wake(r);
        return 0;
    }
    status = gap_journal_dead(r->journal, after, limit, on_record, on_listed, call);
    if (status < 0)
        gap_free(r->alloc, call);
    else
        r->reading++;
    return status;
}

/* ---- again ---- */

/* At the end of its lanes, with all attempts before it. @p task NULL: no memory, or no room. */
static struct gap_task *enter_again(gap_runner_t *r, const gap_update_t *view, gap_packet_t *packet)
{
    uint64_t keys[GAP_RUNNER_KEYS_MAX];

    if (r->at_once != NULL) gap_run_adopt(r->at_once); /* whose handler asks stands before it */
    if (gap_runner_reserve(r) < 0) return NULL;
    gap_update_t *node = gap_stored_new(r, view, packet);
    if (node == NULL) return NULL;
    node->maybe_repeated = true;
    int count = gap_runner_keys(r, node, keys);
    gap_runner_wake(r);
    return gap_runner_enter(r, node, keys, count);
}

static int redrive_letter(gap_runner_t *r, uint64_t number)
{
    struct gap_letter *letter = find_letter(r, number);
    gap_update_t view;

    if (letter == NULL) return GAP_E_NOT_FOUND;
    if (gap_packed_read(gap_bytes(letter->packed->data, letter->packed->len), &view) != 0)
        return GAP_E_DAMAGED;
    if (enter_again(r, &view, letter->packed) == NULL) return GAP_E_NOMEM;
    remove_letter(r, letter);
    return 0;
}

/* If there is no memory for it now it stays in the journal, for the next start. */
static void on_redriven(void *arg, int status, const struct gap_journal_row *row)
{
    gap_runner_t *r = arg;

    r->reading--;
    gap_runner_wake(r);
    if (r->closing || status < 0 || row->update == NULL) return;
    struct gap_task *task = enter_again(r, row->update, row->packet);
    if (task == NULL) {
        gap_rt_log(r->rt, GAP_LOG_WARN,
                   "a dead letter that was to be handled again waits for the next start: out of "
                   "memory");
        return;
    }
    gap_journal_adopt(r->journal, &task->entry, row);
    task->entry.update = task->node;
    task->followed = true;
}

int gap_runner_redrive(gap_runner_t *r, uint64_t number)
{
    if (r->closing || r->drain.begun) return GAP_E_CLOSED;
    if (!gap_runner_has_room(r)) return GAP_E_LIMIT;
    if (r->journal == NULL) return redrive_letter(r, number);
    int status = gap_journal_redrive(r->journal, number, on_redriven, r);
    if (status == 0) r->reading++;
    return status;
}

int gap_runner_forget(gap_runner_t *r, uint64_t number)
{
    if (r->journal != NULL) return gap_journal_forget(r->journal, number);
    struct gap_letter *letter = find_letter(r, number);
    if (letter != NULL) remove_letter(r, letter);
    return 0;
}
