/*
 * loops/store_loop.c - WHEN an account's state is stored.
 *
 *   OPENING --> OPEN ----------------------------------> ENDING --> gone
 *      \--> FAILED --closed by its owner-------------------^
 *
 * While OPEN one job at a time is on the writer thread, in this order of preference: peers and rows
 * that are looked for (but not twice in a row if a commit is due), the session, records. A lane
 * (session, records) that failed waits longer and longer; a round is what a flush, or the close,
 * waits for: it goes through both lanes at once.
 *
 * Owns: the worker, the storage, the session file, the records that wait. Never: blocks, touches
 * the storage on the loop thread (but to let go of it if no thread can be had), looks into a
 * record.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "loops/store_internal.h"
#include "sequence/sequence.h"

#include <string.h>

static const struct gap_loop_class store_class;

/* ---- requests ---- */

static int request_new(gap_store_t *s, struct gap_store_requests *list,
                       void (*done)(void *arg, int status), void *arg)
{
    struct gap_store_request *q = gap_malloc(s->alloc, sizeof *q);

    if (q == NULL) return GAP_E_NOMEM;
    q->done = done;
    q->arg = arg;
    STAILQ_INSERT_TAIL(list, q, next);
    return 0;
}

/* Those that are in the list now: a callback may add to it. */
static void answer_all(gap_store_t *s, struct gap_store_requests *list, int status)
{
    struct gap_store_requests now = STAILQ_HEAD_INITIALIZER(now);
    struct gap_store_request *q;

    STAILQ_CONCAT(&now, list);
    while ((q = STAILQ_FIRST(&now)) != NULL) {
        STAILQ_REMOVE_HEAD(&now, next);
        struct gap_store_request answered = *q;
        gap_free(s->alloc, q);
        if (answered.done != NULL) answered.done(answered.arg, status);
    }
}

static void session_free(gap_store_t *s, struct gap_session_data **data)
{
    if (*data != NULL) gap_wipe(*data, sizeof **data);
    gap_free(s->alloc, *data);
    *data = NULL;
}

/* ---- jobs ---- */

static struct gap_store_job *job_of(gap_work_t *work)
{
    return GAP_CONTAINER_OF(work, struct gap_store_job, work);
}

static void job_work(gap_work_t *work)
{
    gap_store_job_run(job_of(work));
}

static void job_done(gap_work_t *work, int status)
{
    struct gap_store_job *job = job_of(work);
    gap_store_t *s = GAP_CONTAINER_OF(job, gap_store_t, job);

    if (status < 0) {
        /* There is no thread: nothing else can be with the storage. */
        if (job->kind == STORE_JOB_END) gap_store_job_run(job);
        job->status = status;
    }
    job->over = true;
    gap_loop_signal(s->rt, &s->loop);
}

void gap_store_send(gap_store_t *s, enum gap_store_job_kind kind)
{
    struct gap_store_job *job = &s->job;

    GAP_ASSERT(job->kind == STORE_JOB_NONE);
    job->kind = kind;
    job->work.run = job_work;
    job->work.done = job_done;
    if (s->has_storage || s->path != NULL) {
        s->rt->env->ops->worker_send(s->worker, &job->work);
        return;
    }
    gap_store_job_run(job); /* nothing to wait for */
    job_done(&job->work, 0);
}

/* ---- failing and working again ---- */

static void lane_failed(gap_store_t *s, struct gap_store_lane *lane, int status,
                        const gap_storage_fault_t *fault)
{
    bool first = !lane->failing;

    lane->failing = true;
    lane->pause_us = gap_backoff_us(lane->pause_us, GAP_STORE_RETRY_MIN_US, GAP_STORE_RETRY_MAX_US);
    lane->retry_us = s->rt->now_us + lane->pause_us;
    if (s->round && s->round_status == 0) s->round_status = status;
    if (first && !s->closing) s->events->failed(s->arg, status, lane->pause_us, fault);
}

static void lane_worked(gap_store_t *s, struct gap_store_lane *lane)
{
    if (!lane->failing) return;
    lane->failing = false;
    lane->pause_us = 0;
    if (!s->records.failing && !s->saves.failing && !s->closing) s->events->recovered(s->arg);
}

/* ---- calls ---- */

/* Those that are through; or those that never will be, with @p status. */
static void answer_calls(gap_store_t *s, int status)
{
    void *owner;
    int result;

    while (gap_waiting_settled(&s->waiting, &owner, &result)) {
        struct gap_store_caller asked = *(struct gap_store_caller *)owner;
        gap_free(s->alloc, owner);
        asked.done(asked.arg, status, status < 0 ? 0 : result);
    }
}

static void abandon_calls(gap_store_t *s, int status)
{
    gap_waiting_abandon(&s->waiting);
    answer_calls(s, status);
}

void gap_store_give_up_calls(gap_store_t *s)
{
    s->gives_up = true;
    gap_loop_signal(s->rt, &s->loop);
}

/* With the records of a commit that has calls goes something by which it is known again. */
static int put_mark(gap_store_t *s)
{
    gap_record_t r = {.kind = GAP_RECORD_VALUE};

    if (s->waiting.calls == 0 || s->is_marked) return 0;
    int status = s->rt->env->ops->random(s->rt->env, s->mark, sizeof s->mark);
    r.u.value = (gap_value_record_t){gap_store_mark_key(), gap_bytes(s->mark, sizeof s->mark)};
    if (status == 0) status = gap_waiting_put(&s->waiting, &r);
    s->is_marked = status == 0;
    return status;
}

/* ---- opened ---- */

/* It can't be stored: don't collect it either. */
static void keep_nothing(gap_store_t *s)
{
    abandon_calls(s, s->status);
    gap_waiting_fini(&s->waiting);
    gap_waiting_init(&s->waiting, s->alloc, GAP_STORE_PEERS_MAX, GAP_STORE_INBOX_BYTES);
    s->touched = false;
    session_free(s, &s->session);
}

static void opened(gap_store_t *s, int status, const gap_storage_fault_t *fault)
{
    const struct gap_store_contents *c = &s->job.contents;
    struct gap_store_loaded loaded = {
        .session = s->saving,
        .has_account = c->has_account,
        .account = c->account,
        .has_state = c->has_state,
        .state = c->state,
        .channels = c->channels,
        .channel_count = c->channel_count,
        .peers = c->peers,
        .peer_count = c->peer_count,
        .has_boot = c->has_boot,
        .boot = c->boot,
        .dones = c->dones,
        .done_count = c->done_count,
        .inbox = c->inbox,
        .inbox_count = c->inbox_count,
    };

    s->phase = status < 0 ? STORE_PHASE_FAILED : STORE_PHASE_OPEN;
    s->status = status;
    if (c->has_account && !s->has_account) s->account = c->account;
    if (c->has_state && !s->has_state) s->state = c->state;
    s->has_account = s->has_account || c->has_account;
    s->has_state = s->has_state || c->has_state;
    s->waiting.inbox_seen = 0;
    for (size_t i = 0; i < c->inbox_count; i++) {
        if (c->inbox[i].number > s->waiting.inbox_seen) s->waiting.inbox_seen = c->inbox[i].number;
    }
    if (status < 0) keep_nothing(s);
    s->told = !s->closing && status == 0;
    if (!s->closing) s->events->opened(s->arg, status, status < 0 ? NULL : &loaded, fault);
    session_free(s, &s->saving);
}

/* ---- commits ---- */

static void remember(gap_store_t *s, const gap_record_t *record)
{
    if (record->kind == GAP_RECORD_ACCOUNT) {
        s->account = record->u.account;
        s->has_account = !record->removed;
    } else if (record->kind == GAP_RECORD_STATE) {
        s->state = record->u.state;
        s->has_state = !record->removed;
    }
}

static uint64_t pause_after(uint64_t cost_us)
{
    uint64_t pause = cost_us * GAP_STORE_COST_FACTOR;

    if (pause < GAP_STORE_INTERVAL_US) return GAP_STORE_INTERVAL_US;
    return pause > GAP_STORE_INTERVAL_MAX_US ? GAP_STORE_INTERVAL_MAX_US : pause;
}

static void committed(gap_store_t *s, int status, const gap_storage_fault_t *fault)
{
    uint64_t before_us = s->rt->env->ops->cpu_us(s->rt->env);
    bool more;

    s->in_doubt = status == GAP_E_SYNC && s->is_marked;
    if (!s->in_doubt) gap_waiting_done(&s->waiting, status == 0);
    more = s->touched || s->waiting.count > 0;
    uint64_t cost_us = s->job.cpu_us + s->collect_us;
    cost_us += s->rt->env->ops->cpu_us(s->rt->env) - before_us;
    /* What commits may cost is about positions: what is in a hurry says so for a reason. */
    if (s->collected) s->rested_us = s->rt->now_us + pause_after(cost_us);
    if (s->collected && more && s->due_us < s->rested_us) s->due_us = s->rested_us;
    if (status == 0) {
        s->is_marked = false;
        lane_worked(s, &s->records);
        answer_calls(s, 0);
        return;
    }
    if (status == GAP_E_SYNC) s->unsure = true;
    lane_failed(s, &s->records, status, fault);
}

/* What the storage holds after a commit of which nobody knows: positions of the account that are
 * not ours are overwritten, they may be ahead. */
static int compare(gap_store_t *s, const struct gap_store_contents *c)
{
    gap_record_t r;
    int status = 0;

    memset(&r, 0, sizeof r);
    if (s->has_account && (!c->has_account || c->account.bot != s->account.bot)) {
        r.kind = GAP_RECORD_ACCOUNT;
        r.u.account = s->account;
        status = gap_waiting_put(&s->waiting, &r);
    }
    if (status < 0) return status;
    if (s->has_state && memcmp(&c->state, &s->state, sizeof s->state) != 0) {
        r.kind = GAP_RECORD_STATE;
        r.u.state = s->state;
        status = gap_waiting_put(&s->waiting, &r);
    }
    return status;
}

/* What was in doubt was stored, or was not. */
static void resolve(gap_store_t *s, bool was_stored)
{
    if (!s->in_doubt) return;
    s->in_doubt = false;
    gap_waiting_done(&s->waiting, was_stored);
    if (!was_stored) return;
    s->is_marked = false;
    answer_calls(s, 0);
}

static void reopened(gap_store_t *s, int status, const gap_storage_fault_t *fault)
{
    if (status == 0) status = compare(s, &s->job.contents);
    if (status < 0) {
        lane_failed(s, &s->records, status, fault);
        return;
    }
    s->unsure = false;
    resolve(s, s->job.mark_found);
    s->records.retry_us = s->rt->now_us; /* commit anew */
    if (s->round) s->round_commit = true;
    if (s->waiting.count == 0) lane_worked(s, &s->records);
}

/* Something has to be committed. */
static void soil(gap_store_t *s, uint64_t due_us)
{
    if (s->touched || s->waiting.count > 0) return;
    s->due_us = due_us > s->rested_us ? due_us : s->rested_us;
}

static int collect(gap_store_t *s)
{
    s->touched = false;
    int r = s->told ? s->events->collect(s->arg) : 0;
    if (r >= 0) return 0;
    s->touched = true;
    if (s->round && s->round_status == 0) s->round_status = r;
    s->due_us = s->rt->now_us + GAP_STORE_RETRY_MIN_US;
    return r;
}

/* @return true if a job is out. */
static bool commit(gap_store_t *s)
{
    static const gap_storage_fault_t nothing;
    uint64_t before_us = s->rt->env->ops->cpu_us(s->rt->env);

    /* A value was written by a handler: the update that it handled is through in the same commit,
     * or neither is on disk. */
    s->collected = s->round_commit || s->paired || s->due_us <= s->rt->now_us;
    s->round_commit = false;
    if (s->unsure) {
        s->job.is_marked = s->is_marked;
        memcpy(s->job.mark, s->mark, sizeof s->mark);
        s->job.has_account = s->has_account;
        s->job.account = s->account;
        gap_store_send(s, STORE_JOB_REOPEN);
        return true;
    }
    int r = s->collected ? collect(s) : 0;
    if (r < 0 && s->paired) {
        lane_failed(s, &s->records, r, &nothing);
        return false;
    }
    s->paired = false;
    if (s->waiting.count == 0) {
        lane_worked(s, &s->records);
        return false;
    }
    r = put_mark(s);
    if (r == 0) r = gap_waiting_take(&s->waiting, &s->job.records);
    if (r < 0) {
        lane_failed(s, &s->records, r, &nothing);
        return false;
    }
    s->job.count = s->waiting.flying;
    s->hurried = false;
    s->began_us = s->rt->now_us;
    s->collect_us = s->rt->env->ops->cpu_us(s->rt->env) - before_us;
    gap_store_send(s, STORE_JOB_COMMIT);
    return true;
}

static uint64_t commit_due(const gap_store_t *s)
{
    bool dirty = s->touched || s->waiting.count > 0;

    if (s->phase != STORE_PHASE_OPEN || !s->has_storage || (!dirty && !s->unsure))
        return GAP_ENV_NEVER;
    if (s->records.failing) return s->records.retry_us;
    if (!s->hurried || s->waiting.count == 0) return s->due_us;
    uint64_t soon_us = s->began_us == 0 || s->waiting.count >= GAP_STORE_GROUP_MAX
                           ? 0
                           : s->began_us + GAP_STORE_GROUP_US;
    return soon_us < s->due_us ? soon_us : s->due_us;
}

/* ---- the session ---- */

static bool save(gap_store_t *s)
{
    s->round_save = false;
    if (s->session == NULL) return false;
    s->saving = s->session;
    s->session = NULL;
    STAILQ_CONCAT(&s->saving_for, &s->savers);
    s->job.session = s->saving;
    gap_store_send(s, STORE_JOB_SAVE);
    return true;
}

static void saved(gap_store_t *s, int status, const gap_storage_fault_t *fault)
{
    if (status == 0 || s->session != NULL) {
        session_free(s, &s->saving); /* or a later one has come: that will do */
    } else {
        s->session = s->saving;
        s->saving = NULL;
    }
    if (status == 0) {
        lane_worked(s, &s->saves);
    } else {
        lane_failed(s, &s->saves, status, fault);
    }
    answer_all(s, &s->saving_for, status);
}

static uint64_t save_due(const gap_store_t *s)
{
    if (s->phase != STORE_PHASE_OPEN || s->session == NULL) return GAP_ENV_NEVER;
    return s->saves.failing ? s->saves.retry_us : 0;
}

/* ---- rounds ---- */

static void begin_round(gap_store_t *s)
{
    bool last = s->closing && !s->finished;

    if (s->round || (STAILQ_EMPTY(&s->flushes) && !last)) return;
    STAILQ_CONCAT(&s->round_for, &s->flushes);
    s->round = true;
    s->last = last;
    s->round_save = s->round_commit = s->phase == STORE_PHASE_OPEN;
    s->round_commit = s->round_commit && s->has_storage;
    s->round_status = s->phase == STORE_PHASE_FAILED ? s->status : 0;
}

static void end_round(gap_store_t *s)
{
    s->round = false;
    if (s->last) {
        s->finished = true;
        s->last_status = s->round_status;
    }
    answer_all(s, &s->round_for, s->round_status);
}

/* ---- the actor ---- */

static void job_is_over(gap_store_t *s)
{
    struct gap_store_job *job = &s->job;
    int status = job->status;

    switch (job->kind) {
    case STORE_JOB_NONE:
        return;
    case STORE_JOB_OPEN:
        opened(s, status, &job->fault);
        break;
    case STORE_JOB_COMMIT:
        committed(s, status, &job->fault);
        break;
    case STORE_JOB_REOPEN:
        reopened(s, status, &job->fault);
        break;
    case STORE_JOB_SAVE:
        saved(s, status, &job->fault);
        break;
    case STORE_JOB_FIND:
        gap_store_found(s, status);
        break;
    case STORE_JOB_READ:
    case STORE_JOB_QUERY:
        gap_store_was_read(s, status);
        break;
    case STORE_JOB_END:
        break;
    }
    gap_store_job_clear(job);
}

static void worker_closed(void *arg)
{
    gap_store_t *s = arg;
    gap_loop_close(s->rt, &s->loop);
}

/* @return true if a job is out. */
static bool next_job(gap_store_t *s)
{
    uint64_t now_us = s->rt->now_us;
    bool turn = s->looked && (s->round_commit || commit_due(s) <= now_us);

    /* Sessions that are not kept, or can't be. */
    if (s->session == NULL)
        answer_all(s, &s->savers, s->phase == STORE_PHASE_FAILED ? s->status : 0);
    s->looked = !turn && (gap_store_search(s) || gap_store_reads(s));
    if (s->looked) return true;
    begin_round(s);
    if ((s->round_save || save_due(s) <= now_us) && save(s)) return true;
    if ((s->round_commit || commit_due(s) <= now_us) && commit(s)) return true;
    return false;
}

static void sleep_until_due(gap_store_t *s)
{
    uint64_t due_us = commit_due(s);

    if (save_due(s) < due_us) due_us = save_due(s);
    int r = gap_timer_start(s->rt, &s->timer, due_us);
    GAP_ASSERT(r == 0); /* it is running, or was just now */
}

static void store_run(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_store_t *s = GAP_CONTAINER_OF(loop, gap_store_t, loop);

    (void)rt;
    if (s->phase == STORE_PHASE_ENDING) {
        if (s->job.over) gap_store_job_clear(&s->job);
        if (s->job.kind != STORE_JOB_NONE || s->worker == NULL) return;
        gap_worker_t *worker = s->worker;
        s->worker = NULL;
        s->rt->env->ops->worker_close(worker, worker_closed, s);
        return;
    }
    if (s->job.over) job_is_over(s);
    if (s->job.kind != STORE_JOB_NONE) return;
    if (s->gives_up && s->records.failing) {
        resolve(s, false);
        abandon_calls(s, GAP_E_CLOSED);
    }
    while (!next_job(s)) {
        if (s->round) {
            end_round(s);
        } else if (s->closing && s->finished && STAILQ_EMPTY(&s->searches) &&
                   STAILQ_EMPTY(&s->reads) && STAILQ_EMPTY(&s->flushes)) {
            s->phase = STORE_PHASE_ENDING;
            resolve(s, false);
            abandon_calls(s, s->last_status < 0 ? s->last_status : GAP_E_CLOSED);
            gap_store_send(s, STORE_JOB_END);
            return;
        } else if (STAILQ_EMPTY(&s->searches) && STAILQ_EMPTY(&s->reads) &&
                   STAILQ_EMPTY(&s->flushes) && !s->closing) {
            sleep_until_due(s);
            return;
        }
    }
}

static void due(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_store_t *s = GAP_CONTAINER_OF(timer, gap_store_t, timer);
    /* A timer that has just fired left its place free: this can't fail. */
    int r = gap_timer_start(rt, timer, GAP_ENV_NEVER);

    GAP_ASSERT(r == 0);
    gap_loop_signal(rt, &s->loop);
}

static void store_free(gap_store_t *s)
{
    gap_waiting_fini(&s->waiting);
    session_free(s, &s->session);
    session_free(s, &s->saving);
    gap_free(s->alloc, s->path);
    gap_free(s->alloc, s);
}

static void store_closed(gap_rt_t *rt, gap_loop_t *loop)
{
    gap_store_t *s = GAP_CONTAINER_OF(loop, gap_store_t, loop);
    void (*cb)(void *arg, int last_status) = s->close_cb;
    void *arg = s->close_arg;
    int status = s->last_status;

    gap_timer_stop(rt, &s->timer);
    /* A session that could not be saved, its savers told before. */
    answer_all(s, &s->savers, GAP_E_CLOSED);
    store_free(s);
    if (cb != NULL) cb(arg, status);
}

static const struct gap_loop_class store_class = {"store", store_run, store_closed};

/* ---- what others ask ---- */

static int copy_path(gap_store_t *s, const char *path)
{
    if (path == NULL) return 0;
    size_t len = strlen(path) + 1;
    s->path = gap_malloc(s->alloc, len);
    if (s->path == NULL) return GAP_E_NOMEM;
    memcpy(s->path, path, len);
    return 0;
}

int gap_store_open(gap_rt_t *rt, const struct gap_store_config *config,
                   const struct gap_store_events *events, void *arg, gap_store_t **out)
{
    gap_store_t *s = gap_calloc(rt->alloc, 1, sizeof *s);

    if (s == NULL) return GAP_E_NOMEM;
    s->rt = rt;
    s->alloc = rt->alloc;
    s->events = events;
    s->arg = arg;
    s->timer.fn = due;
    s->has_storage = config->storage != NULL;
    s->has_query = gap_store_can_query(config->storage);
    gap_loop_init(&s->loop, &store_class);
    gap_waiting_init(&s->waiting, s->alloc, GAP_STORE_PEERS_MAX, GAP_STORE_INBOX_BYTES);
    s->waiting.inbox_seen = UINT64_MAX; /* until it is known */
    STAILQ_INIT(&s->reads);
    STAILQ_INIT(&s->savers);
    STAILQ_INIT(&s->saving_for);
    STAILQ_INIT(&s->searches);
    STAILQ_INIT(&s->flushes);
    STAILQ_INIT(&s->round_for);
    s->saving = gap_calloc(s->alloc, 1, sizeof *s->saving);
    int r = s->saving == NULL ? GAP_E_NOMEM : copy_path(s, config->session_path);
    if (r == 0) r = gap_timer_start(rt, &s->timer, GAP_ENV_NEVER);
    if (r == 0) r = rt->env->ops->worker_open(rt->env, &s->worker);
    if (r < 0) {
        gap_timer_stop(rt, &s->timer);
        store_free(s);
        return r;
    }
    s->job.env = rt->env;
    s->job.alloc = s->alloc;
    s->job.storage = config->storage;
    s->job.path = s->path;
    s->job.session = s->saving;
    gap_store_send(s, STORE_JOB_OPEN);
    *out = s;
    return 0;
}

void gap_store_touch(gap_store_t *s)
{
    if (!s->has_storage || s->phase >= STORE_PHASE_FAILED || s->touched) return;
    soil(s, gap_rt_now_us(s->rt) + GAP_STORE_INTERVAL_US);
    s->touched = true;
    gap_loop_signal(s->rt, &s->loop);
}

int gap_store_put(gap_store_t *s, const gap_record_t *record)
{
    if (!s->has_storage || s->phase >= STORE_PHASE_FAILED) return 0;
    bool clean = s->waiting.count == 0 && !s->touched;
    uint64_t due_us = gap_rt_now_us(s->rt) + GAP_STORE_INTERVAL_US;
    int r = gap_waiting_put(&s->waiting, record);
    if (r < 0) return r;
    remember(s, record);
    if (record->kind == GAP_RECORD_VALUE) s->paired = true;
    if (clean) s->due_us = due_us > s->rested_us ? due_us : s->rested_us;
    if (clean || s->hurried) gap_loop_signal(s->rt, &s->loop);
    return 0;
}

void gap_store_hurry(gap_store_t *s)
{
    if (!s->has_storage || s->phase >= STORE_PHASE_FAILED || s->waiting.count == 0) return;
    s->hurried = true;
    gap_loop_signal(s->rt, &s->loop);
}

int gap_store_call(gap_store_t *s, const gap_call_record_t *call,
                   void (*done)(void *arg, int status, int result), void *arg)
{
    uint64_t due_us = gap_rt_now_us(s->rt) + GAP_STORE_INTERVAL_US;

    if (s->phase == STORE_PHASE_ENDING || s->finished) return GAP_E_CLOSED;
    if (!s->has_storage || s->phase == STORE_PHASE_FAILED) return GAP_E_STATE;
    struct gap_store_caller *asked = gap_malloc(s->alloc, sizeof *asked);
    if (asked == NULL) return GAP_E_NOMEM;
    asked->done = done;
    asked->arg = arg;
    bool clean = s->waiting.count == 0 && !s->touched;
    int r = gap_waiting_call(&s->waiting, call, asked);
    if (r < 0) {
        gap_free(s->alloc, asked);
        return r;
    }
    if (clean) s->due_us = due_us > s->rested_us ? due_us : s->rested_us;
    gap_store_hurry(s);
    return 0;
}

int gap_store_save_session(gap_store_t *s, const struct gap_session_data *data,
                           void (*saved_cb)(void *arg, int status), void *arg)
{
    struct gap_session_data *copy = NULL;

    if (s->phase == STORE_PHASE_ENDING) return GAP_E_CLOSED;
    if (s->path != NULL && s->session == NULL && s->phase < STORE_PHASE_FAILED) {
        copy = gap_malloc(s->alloc, sizeof *copy);
        if (copy == NULL) return GAP_E_NOMEM;
    }
    int r = request_new(s, &s->savers, saved_cb, arg);
    if (r < 0) {
        gap_free(s->alloc, copy);
        return r;
    }
    if (copy != NULL) s->session = copy;
    if (s->session != NULL) *s->session = *data;
    gap_loop_signal(s->rt, &s->loop);
    return 0;
}

int gap_store_flush(gap_store_t *s, void (*done)(void *arg, int status), void *arg)
{
    if (s->phase == STORE_PHASE_ENDING) return GAP_E_CLOSED;
    int r = request_new(s, &s->flushes, done, arg);
    if (r == 0) gap_loop_signal(s->rt, &s->loop);
    return r;
}

bool gap_store_is_clean(const gap_store_t *s)
{
    return !s->touched && s->waiting.count == 0 && s->waiting.flying == 0 && s->session == NULL &&
           s->saving == NULL;
}

void gap_store_close(gap_store_t *s, void (*cb)(void *arg, int last_status), void *arg)
{
    if (s->closing) return;
    s->closing = true;
    s->close_cb = cb;
    s->close_arg = arg;
    gap_loop_signal(s->rt, &s->loop);
}
