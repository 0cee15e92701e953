/*
 * tests/sim/runner_world.c - see runner_world.h.
 */
#include "runner_world.h"

#include "base/bytes.h"
#include "loops/runner_internal.h"
#include "pack.h"

#include <gapless/tl_api.h>
#include <string.h>

#define THREADS 16

struct fault_alloc rw_fault;
sim_t *rw_sim;
gap_env_t *rw_env;
gap_rt_t rw_rt;
gap_runner_t *rw_runner;
struct rw_update rw_updates[RW_UPDATES];
int rw_closed;
bool rw_held;
bool rw_quiet;
struct gap_runner_report rw_report;
int rw_reported;

static struct gap_env_ops ops;
static const struct gap_env_ops *base_ops;
static size_t forgotten; /* of the trace */
static struct pack packs[RW_UPDATES];

/* ---- threads ---- */

static struct thread {
    bool open;
    bool closing;
    gap_work_t *work;
    gap_timer_t timer;
    bool hangs;
    int result;
    void (*closed)(void *arg);
    void *closed_arg;
} threads[THREADS];
static int thread_result; /* of the job that runs */

static bool storing; /* the worker is the store's */

static bool is_fake(const gap_worker_t *w)
{
    const char *at = (const char *)(const void *)w;
    return at >= (const char *)threads && at < (const char *)(threads + THREADS);
}

static int worker_open(gap_env_t *env, gap_worker_t **out)
{
    if (storing) return base_ops->worker_open(env, out);
    for (int i = 0; i < THREADS; i++) {
        if (threads[i].open) continue;
        threads[i] = (struct thread){.open = true};
        *out = (gap_worker_t *)(void *)&threads[i];
        return 0;
    }
    ck_abort_msg("too many threads");
    return GAP_E_NOMEM;
}

static void thread_closed(struct thread *t)
{
    t->open = false;
    t->closed(t->closed_arg);
}

static void thread_timer(gap_rt_t *rt, gap_timer_t *timer)
{
    struct thread *t = GAP_CONTAINER_OF(timer, struct thread, timer);
    gap_work_t *work = t->work;

    (void)rt;
    if (work != NULL) {
        t->work = NULL;
        t->hangs = false;
        thread_result = t->result;
        work->run(work);
        work->done(work, 0);
        return; /* a close in there has started the timer anew */
    }
    if (t->closing && t->work == NULL) thread_closed(t);
}

static const struct rw_plan *plan_of(const struct rw_update *u, int attempt)
{
    if (attempt >= u->planned) attempt = u->planned > 0 ? u->planned - 1 : 0;
    return &u->plans[attempt];
}

static void worker_send(gap_worker_t *w, gap_work_t *work)
{
    struct thread *t = (struct thread *)(void *)w;

    if (!is_fake(w)) {
        base_ops->worker_send(w, work);
        return;
    }
    const struct gap_run *run = GAP_CONTAINER_OF(work, struct gap_run, work);
    const struct rw_update *u = run->data;
    const struct rw_plan *plan = plan_of(u, (int)run->attempt - 1);

    ck_assert(t->open && !t->closing && t->work == NULL);
    t->work = work;
    t->timer.fn = thread_timer;
    t->hangs = plan->act == RW_THREAD_HANG;
    t->result = plan->result;
    if (t->hangs) return;
    ck_assert_int_eq(gap_timer_start(&rw_rt, &t->timer, sim_now_us(rw_sim) + plan->us), 0);
}

static void worker_close(gap_worker_t *w, void (*closed)(void *arg), void *arg)
{
    struct thread *t = (struct thread *)(void *)w;

    if (!is_fake(w)) {
        base_ops->worker_close(w, closed, arg);
        return;
    }
    t->closing = true;
    t->closed = closed;
    t->closed_arg = arg;
    t->timer.fn = thread_timer;
    if (t->work == NULL)
        ck_assert_int_eq(gap_timer_start(&rw_rt, &t->timer, sim_now_us(rw_sim)), 0);
}

/* ---- the trace ---- */

static void trace(const char *what, int label, const char *more)
{
    if (!rw_quiet) sim_trace(rw_sim, "%s %d%s", what, label, more);
}

const char *rw_trace(void)
{
    return sim_trace_text(rw_sim) + forgotten;
}

void rw_forget(void)
{
    forgotten = strlen(sim_trace_text(rw_sim));
}

/* ---- updates ---- */

static struct rw_update *of(const gap_update_t *u)
{
    return &rw_updates[u->pts];
}

static void through(gap_update_t *update, int status)
{
    struct rw_update *u = of(update);

    ck_assert_int_eq(status, 0);
    ck_assert(u->taken && !u->through);
    u->through = true;
    trace("through", u->label, "");
    memset(update, 0xa5, sizeof *update); /* nobody looks at it any more */
}
static const struct gap_update_owner owner = {.finished = through};

struct rw_update *rw_make(int label, int64_t chat)
{
    struct rw_update *u = &rw_updates[label];

    ck_assert(label > 0 && label < RW_UPDATES);
    memset(u, 0, sizeof *u);
    pack_fini(&packs[label]);
    u->label = label;
    u->update.owner = &owner;
    u->update.id = GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE;
    u->update.box = GAP_BOX_CHANNEL;
    u->update.channel_id = chat;
    u->update.pts = label;
    u->update.pts_count = 1;
    u->update.flags = GAP_ITEM_HAS_MESSAGE;
    pack_channel_message(&packs[label], chat, label, 1, label);
    u->update.bytes = gap_bytes(packs[label].updates.data, packs[label].updates.len);
    return u;
}

struct rw_update *rw_make_query(int label)
{
    struct rw_update *u = rw_make(label, 1);

    pack_fini(&packs[label]);
    pack_query(&packs[label], label);
    u->update.id = GAP_TL_UPDATE_BOT_CALLBACK_QUERY;
    u->update.box = GAP_BOX_NONE;
    u->update.channel_id = 0;
    u->update.flags = GAP_ITEM_QUERY;
    u->update.bytes = gap_bytes(packs[label].updates.data, packs[label].updates.len);
    return u;
}

struct rw_update *rw_plan_result(struct rw_update *u, enum rw_act act, uint64_t us, int result)
{
    ck_assert_int_lt(u->planned, RW_PLANS);
    u->plans[u->planned++] = (struct rw_plan){act, us, result};
    return u;
}

struct rw_update *rw_plan(struct rw_update *u, enum rw_act act, uint64_t us)
{
    return rw_plan_result(u, act, us, act == RW_LATER_FAIL ? GAP_E_STATE : 0);
}

int rw_take(struct rw_update *u)
{
    u->taken = true;
    int r = gap_runner_take(&u->update, rw_runner);
    if (r == 0) {
        ck_assert(!u->through);
        u->through = true;
        trace("through", u->label, "");
    }
    return r;
}

struct rw_update *rw_send(int label, int64_t chat, enum rw_act act, uint64_t us)
{
    struct rw_update *u = rw_plan(rw_make(label, chat), act, us);
    (void)rw_take(u);
    return u;
}

/* ---- handlers ---- */

static void end(struct rw_update *u, gap_update_t *run, int status)
{
    bool current = gap_update_is_current(run);

    if (current && status == 0) u->handled++;
    trace(status == 0 ? "done" : "fail", u->label, current ? "" : " too late");
    if (status == 0)
        gap_update_done(run);
    else
        gap_update_failed(run, status);
}

static void later(gap_rt_t *rt, gap_timer_t *timer)
{
    struct rw_update *u = GAP_CONTAINER_OF(timer, struct rw_update, timer);
    const struct rw_plan *plan = plan_of(u, u->timer_attempt);

    (void)rt;
    if (plan->act == RW_REPLY) {
        trace("answered", u->label, plan->result == 0 ? "" : " badly");
        if (plan->result == 0) u->handled++;
        gap_run_release(u->run, plan->result);
    } else {
        end(u, u->run, plan->result);
    }
}

static void start(struct rw_update *u, int attempt, uint64_t us)
{
    u->timer.fn = later;
    u->timer_attempt = attempt;
    ck_assert_int_eq(gap_timer_start(&rw_rt, &u->timer, sim_now_us(rw_sim) + us), 0);
}

/* The environment of this world calls it when the thread is to return. */
static int thread_work(gap_update_t *run, void *data)
{
    struct rw_update *u = data;

    ck_assert_int_eq(of(run)->label, u->label);
    trace(gap_update_is_current(run) ? "thread" : "late thread", u->label, "");
    if (thread_result == 0 && gap_update_is_current(run)) u->handled++;
    return thread_result;
}

static int commit_work(gap_update_t *run, struct sqlite3 *db, void *data)
{
    struct rw_update *u = data;
    const struct rw_plan *plan = plan_of(u, u->begun - 1);

    ck_assert_ptr_null(db);
    ck_assert(!rw_env->ops->on_loop_thread(rw_env));
    ck_assert_int_eq(of(run)->label, u->label);
    u->worked++;
    if (plan->result >= 0) u->handled++;
    return plan->result;
}

static int act(struct rw_update *u, gap_update_t *run, int attempt)
{
    const struct rw_plan *plan = plan_of(u, attempt);

    switch (plan->act) {
    case RW_DONE:
        u->handled++;
        return 0;
    case RW_FAIL:
        return GAP_E_STATE;
    case RW_LATER:
    case RW_LATER_FAIL:
        start(u, attempt, plan->us);
        return GAP_LATER;
    case RW_INSIDE:
        end(u, run, 0);
        return GAP_LATER;
    case RW_HANG:
        u->hung[u->hung_count++] = run;
        return GAP_LATER;
    case RW_COMMIT:
        return gap_update_in_transaction(run, commit_work, u);
    case RW_REPLY:
        ck_assert_int_eq(gap_run_hold(run), 0);
        start(u, attempt, plan->us);
        return 0;
    default:
        return gap_update_on_thread(run, thread_work, u);
    }
}

static int handle(gap_update_t *run, void *data)
{
    struct rw_update *u = of(run);
    int attempt = u->begun++;

    ck_assert_ptr_eq(data, &rw_updates);
    ck_assert_ptr_ne(run, &u->update);
    ck_assert_ptr_eq(run->account, &rw_rt);
    ck_assert_uint_eq(gap_update_attempt(run), (uint32_t)attempt + 1);
    ck_assert(gap_update_is_current(run));
    trace("begin", u->label, attempt > 0 ? " again" : "");
    u->run = run;
    if (u->inside != NULL) u->inside(u, run);
    return act(u, run, attempt);
}

void rw_unhang(struct rw_update *u, int which, int status)
{
    end(u, u->hung[which], status);
}

void rw_unhang_thread(int which, int result)
{
    struct thread *t = &threads[which];

    ck_assert(t->hangs);
    t->result = result;
    ck_assert_int_eq(gap_timer_start(&rw_rt, &t->timer, sim_now_us(rw_sim)), 0);
}

/* ---- what is kept ---- */

static gap_storage_t *disk; /* for all lives of a test */
static gap_store_t *store;
static gap_journal_t *journal;
static uint64_t epoch;
static struct gap_journal_config journal_config;
int rw_commits_fail;
int rw_reads_fail;

static int disk_open(gap_storage_t *s, gap_storage_fault_t *fault)
{
    (void)s;
    return disk->ops->open(disk, fault);
}

static int disk_load(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    (void)s;
    return disk->ops->load(disk, each, arg, fault);
}

static int disk_commit(gap_storage_t *s, const gap_record_t *records, size_t count,
                       gap_storage_fault_t *fault)
{
    (void)s;
    if (rw_commits_fail > 0) {
        rw_commits_fail--;
        return GAP_E_STORAGE;
    }
    return disk->ops->commit(disk, records, count, fault);
}

static int disk_find(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    (void)s;
    return disk->ops->find(disk, key, each, arg, fault);
}

static int disk_read(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    (void)s;
    if (rw_reads_fail > 0) {
        rw_reads_fail--;
        return GAP_E_STORAGE;
    }
    return disk->ops->read(disk, what, each, arg, fault);
}

static void disk_close(gap_storage_t *s)
{
    (void)s;
    disk->ops->close(disk);
}

static void disk_destroy(gap_storage_t *s)
{
    (void)s;
}

static int disk_query(gap_storage_t *s, int (*query)(void *arg, struct sqlite3 *db), void *arg,
                      int *result, gap_storage_fault_t *fault)
{
    (void)s;
    if (disk->ops->query == NULL) return GAP_E_STATE;
    return disk->ops->query(disk, query, arg, result, fault);
}

static const struct gap_storage_ops disk_ops = {GAP_STORAGE_VERSION, disk_open,    disk_load,
                                                disk_commit,         disk_find,    disk_read,
                                                disk_close,          disk_destroy, disk_query};
static gap_storage_t disk_door = {&disk_ops};

static int count_row(void *arg, const gap_record_t *record)
{
    (void)record;
    ++*(int *)arg;
    return 0;
}

int rw_rows(gap_record_kind_t kind)
{
    const gap_read_t what = {.kind = kind, .after = true, .limit = 10000};
    gap_storage_fault_t fault;
    int rows = 0;

    ck_assert_int_eq(disk->ops->read(disk, &what, count_row, &rows, &fault), 0);
    return rows;
}

static void on_opened(void *arg, int status, const struct gap_store_loaded *loaded,
                      const gap_storage_fault_t *fault)
{
    (void)arg;
    (void)fault;
    ck_assert_int_eq(status, 0);
    journal_config.store = store;
    journal_config.account = 7;
    journal_config.epoch = ++epoch;
    journal_config.dones = loaded->dones;
    journal_config.done_count = loaded->done_count;
    journal_config.inbox = loaded->inbox;
    journal_config.inbox_count = loaded->inbox_count;
    ck_assert_int_eq(gap_journal_open(&rw_rt, &journal_config, &journal), 0);
}

static void on_failed(void *arg, int status, uint64_t retry_us, const gap_storage_fault_t *fault)
{
    (void)arg;
    (void)status;
    (void)retry_us;
    (void)fault;
}

static void on_recovered(void *arg)
{
    (void)arg;
}

static int on_collect(void *arg)
{
    (void)arg;
    return rw_runner == NULL ? 0 : gap_runner_collect(rw_runner);
}

static const struct gap_store_events store_events = {
    .opened = on_opened, .failed = on_failed, .recovered = on_recovered, .collect = on_collect};

static int store_call(void *arg, const gap_call_record_t *call,
                      void (*done)(void *to, int status, int result), void *done_arg)
{
    return gap_store_call(arg, call, done, done_arg);
}

static void open_store(const gap_runner_config_t *config, bool unclean)
{
    const struct gap_store_config store_config = {.storage = &disk_door};

    if (disk == NULL) ck_assert_int_eq(gap_storage_memory(NULL, &disk), 0);
    memset(&journal_config, 0, sizeof journal_config);
    journal_config.unclean = unclean;
    if (config != NULL) {
        journal_config.mode = config->journal;
        journal_config.after_us = config->journal_after_us;
        journal_config.attempts_max = config->attempts_max;
    }
    storing = true;
    ck_assert_int_eq(gap_store_open(&rw_rt, &store_config, &store_events, NULL, &store), 0);
    storing = false;
    while (journal == NULL) rw_run(1);
}

static void on_store_closed(void *arg, int status)
{
    ck_assert_ptr_eq(arg, &store);
    ck_assert_int_eq(status, 0);
    store = NULL;
}

static void close_store(void)
{
    gap_store_close(store, on_store_closed, &store);
    while (store != NULL) rw_run(1);
    gap_journal_close(journal);
    journal = NULL;
}

void rw_forget_disk(void)
{
    disk->ops->destroy(disk);
    disk = NULL;
}

static void on_replayed(void *arg, int status)
{
    ck_assert_int_eq(status, 0);
    *(bool *)arg = true;
}

void rw_replay(void)
{
    bool over = false;

    ck_assert_int_eq(gap_runner_replay(rw_runner, on_replayed, &over), 0);
    while (!over) rw_run(1);
}

void rw_begin_kept(const gap_runner_config_t *config, bool unclean)
{
    rw_world();
    open_store(config, unclean);
    ck_assert_int_eq(rw_open(config), 0);
    rw_forget();
}

/* ---- the runner ---- */

static void on_event(void *arg, const struct gap_runner_event *e)
{
    static const char *const names[] = {"failed",   "timeout",     "dead", "overloaded",
                                        "relieved", "slow commit", "stuck"};
    int label = e->update == NULL ? (int)e->count : of(e->update)->label;

    ck_assert_ptr_eq(arg, &rw_held);
    trace(names[e->kind], label, "");
}

static void on_hold(void *arg, bool on)
{
    ck_assert_ptr_eq(arg, &rw_held);
    ck_assert(rw_held != on);
    rw_held = on;
}

static int keys_of(const gap_update_t *update, uint64_t keys[GAP_RUNNER_KEYS_MAX], void *data)
{
    const struct rw_update *u = of(update);

    ck_assert_ptr_eq(data, &rw_updates);
    ck_assert_ptr_eq(update->account, &rw_rt);
    if (u->key_count == RW_NO_KEY) return 0;
    if (u->key_count == 0) return -1;
    memcpy(keys, u->keys, sizeof u->keys);
    return u->key_count;
}

void rw_world(void)
{
    const struct sim_options polite = {0};

    fault_alloc_init(&rw_fault, 0);
    rw_sim = sim_new(1, &polite);
    rw_env = sim_env_open(rw_sim, &rw_fault.alloc);
    base_ops = rw_env->ops;
    ops = *base_ops;
    ops.worker_open = worker_open;
    ops.worker_send = worker_send;
    ops.worker_close = worker_close;
    rw_env->ops = &ops;
    gap_rt_init(&rw_rt, &rw_fault.alloc, rw_env);
    ck_assert_int_eq(gap_timer_reserve(&rw_rt, 2 * RW_UPDATES), 0);
    forgotten = 0;
    rw_closed = rw_reported = 0;
    rw_held = rw_quiet = false;
    rw_runner = NULL;
    memset(threads, 0, sizeof threads);
}

int rw_open(const gap_runner_config_t *config)
{
    gap_runner_config_t own = {0};
    struct gap_runner_hooks hooks = {
        .handler = handle,
        .handler_data = &rw_updates,
        .event = on_event,
        .hold = on_hold,
        .arg = &rw_held,
        .client = &rw_rt,
    };

    if (store != NULL) {
        hooks.journal = journal;
        hooks.call = store_call;
        hooks.call_arg = store;
    }
    if (config != NULL) own = *config;
    if (own.keys == NULL) {
        own.keys = keys_of;
        own.keys_data = &rw_updates;
    }
    return gap_runner_open(&rw_rt, &own, &hooks, &rw_runner);
}

void rw_begin(const gap_runner_config_t *config)
{
    rw_world();
    ck_assert_int_eq(rw_open(config), 0);
}

static void on_closed(void *arg)
{
    ck_assert_ptr_eq(arg, &rw_closed);
    rw_closed++;
    rw_runner = NULL;
}

void rw_close(void)
{
    gap_runner_close(rw_runner, on_closed, &rw_closed);
    ck_assert_int_eq(rw_closed, 0);
}

void rw_end(void)
{
    if (rw_runner != NULL && !rw_runner->closing) rw_close();
    rw_run(1);
    ck_assert_int_eq(rw_closed, 1);
    for (int i = 0; i < RW_UPDATES; i++) {
        ck_assert_msg(!rw_updates[i].taken || rw_updates[i].through, "update %d is lost", i);
        gap_timer_stop(&rw_rt, &rw_updates[i].timer);
        rw_updates[i].taken = false;
    }
    if (store != NULL) close_store();
    gap_rt_fini(&rw_rt);
    sim_env_close(rw_env, NULL, NULL);
    sim_run_for(rw_sim, 1000);
    ck_assert_uint_eq(sim_free(rw_sim), 0);
    ck_assert_int_eq((int)rw_fault.live, 0);
}

void rw_run(uint64_t ms)
{
    sim_run_for(rw_sim, ms * 1000);
}

gap_runner_stats_t rw_stats(void)
{
    gap_runner_stats_t s;
    gap_runner_stats(rw_runner, &s);
    return s;
}

static void on_drained(void *arg, const struct gap_runner_report *report)
{
    ck_assert_ptr_eq(arg, &rw_report);
    rw_report = *report;
    rw_reported++;
    if (!rw_quiet)
        sim_trace(rw_sim, "drained %d, journalled %d, unknown %d", (int)report->drained,
                  (int)report->journalled, (int)report->unknown);
}

void rw_drain(uint64_t deadline_ms)
{
    gap_runner_drain(rw_runner, deadline_ms * 1000, on_drained, &rw_report);
}
