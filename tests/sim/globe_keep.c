/*
 * tests/sim/globe_keep.c - a process with a store: its writer thread, which takes time, and its
 * disk, which outlives it; journal and runner between the engine and the handlers.
 *
 *   birth:  store opens -> journal, runner, engine -> rows are handed out again -> engine starts
 *   end:    drained -> collected, on the disk -> engine and runner close -> store -> journal
 *   death:  what the thread is writing gets to the disk, or does not; nothing does after it
 *
 * The disk is the storage in memory behind a gate, where the judge sees every commit. Owns both,
 * and all of the process but its handlers (globe_runs.c). Never: judges by itself.
 */
#include "globe_keep.h"

#include "runner/packed.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_TURNS        64
#define END_TURNS         100000
#define END_TURNS_AT_ONCE 8

/* ---- the environment: clocks, and threads that take time ---- */

struct gap_worker {
    struct globe *g;
    STAILQ_ENTRY(gap_worker) next;
    gap_work_t *first;
    gap_work_t **last;
    uint64_t due_us; /* when the first of them is done */
    bool posthumous; /* and it was sent by a process that was dying */
    bool closing;
    void (*closed)(void *arg);
    void *arg;
};

static struct keeper *keeper_of(gap_env_t *env)
{
    return GAP_CONTAINER_OF(env, struct keeper, env);
}

static uint64_t env_now(gap_env_t *env)
{
    return globe_tick_clock(keeper_of(env)->g);
}
static uint64_t env_wall(gap_env_t *env)
{
    return (uint64_t)globe_wall_us(keeper_of(env)->g);
}
static uint64_t env_cpu(gap_env_t *env)
{
    (void)env;
    return 0;
}
static int env_random(gap_env_t *env, void *out, size_t len)
{
    uint8_t *to = out;

    for (size_t i = 0; i < len; i++) to[i] = (uint8_t)gap_prng_next(&keeper_of(env)->random);
    return 0;
}
static bool env_on_loop_thread(gap_env_t *env)
{
    return !keeper_of(env)->on_thread;
}
static void env_attach(gap_env_t *env, const struct gap_env_host *host)
{
    (void)env;
    (void)host;
}
static void env_set_timer(gap_env_t *env, uint64_t deadline_us)
{
    (void)env;
    (void)deadline_us;
}
static void env_set_idle(gap_env_t *env, bool on)
{
    (void)env;
    (void)on;
}

/* The host's loop is to turn when that job is done. */
static void plan(struct gap_worker *w)
{
    struct globe *g = w->g;

    if (w->first == NULL && !w->closing) return;
    struct thing *t = globe_thing(g, THING_WORK);
    t->process = g->process;
    w->due_us = g->now_us + globe_within_us(g, g->o.write_ms);
    globe_put(g, t, w->due_us);
}

static void worker_send(gap_worker_t *w, gap_work_t *work)
{
    bool idle = w->first == NULL;

    work->next = NULL;
    *w->last = work;
    w->last = &work->next;
    if (idle) w->posthumous = w->g->dying;
    if (idle) plan(w);
}

static void env_post(gap_env_t *env, gap_env_post_t *post)
{
    struct keeper *k = keeper_of(env);
    struct thing *t = globe_thing(k->g, THING_WORK);

    post->next = k->posts;
    k->posts = post;
    t->process = k->g->process;
    globe_put(k->g, t, k->g->now_us);
}

/* In any order. @return false: there is none. */
static bool run_posts(struct keeper *k)
{
    gap_env_post_t *post = k->posts;

    k->posts = NULL;
    if (post == NULL) return false;
    while (post != NULL) {
        gap_env_post_t *next = post->next;
        post->fn(post);
        post = next;
    }
    return true;
}

static int worker_open(gap_env_t *env, gap_worker_t **out)
{
    struct keeper *k = keeper_of(env);
    struct gap_worker *w = globe_must(calloc(1, sizeof *w));

    w->g = k->g;
    w->last = &w->first;
    STAILQ_INSERT_TAIL(&k->workers, w, next);
    *out = w;
    return 0;
}

static void worker_close(gap_worker_t *w, void (*closed)(void *arg), void *arg)
{
    w->closing = true;
    w->closed = closed;
    w->arg = arg;
    if (w->first == NULL) plan(w);
}

static void work_once(gap_env_t *env, gap_work_t *work)
{
    gap_worker_t *w;

    (void)worker_open(env, &w);
    worker_send(w, work);
    worker_close(w, NULL, NULL);
}

static const struct gap_env_ops env_ops = {
    .now_us = env_now,
    .wall_us = env_wall,
    .cpu_us = env_cpu,
    .random = env_random,
    .on_loop_thread = env_on_loop_thread,
    .attach = env_attach,
    .set_timer = env_set_timer,
    .set_idle = env_set_idle,
    .post = env_post,
    .work = work_once,
    .worker_open = worker_open,
    .worker_send = worker_send,
    .worker_close = worker_close,
};

/* The worker's first job is done, or it has ended. @return false: there was nothing to do. */
static bool step(struct keeper *k, struct gap_worker *w)
{
    gap_work_t *work = w->first;

    if (work != NULL) {
        w->first = work->next;
        if (w->first == NULL) w->last = &w->first;
        k->on_thread = true;
        work->run(work);
        k->on_thread = false;
        plan(w);
        work->done(work, 0);
        return true;
    }
    if (!w->closing) return false;
    STAILQ_REMOVE(&k->workers, w, gap_worker, next);
    if (w->closed != NULL) w->closed(w->arg);
    free(w);
    return true;
}

void keep_work(struct globe *g)
{
    struct keeper *k = g->keeper;
    struct gap_worker *w;
    struct gap_worker *next;

    (void)run_posts(k);
    for (w = STAILQ_FIRST(&k->workers); w != NULL; w = next) {
        next = STAILQ_NEXT(w, next);
        if (w->due_us <= g->now_us) (void)step(k, w);
    }
}

/* All that threads have to do, at once. */
static bool pump(struct keeper *k)
{
    struct gap_worker *w = STAILQ_FIRST(&k->workers);
    bool did = run_posts(k);

    while (w != NULL) {
        struct gap_worker *next = STAILQ_NEXT(w, next);
        did = step(k, w) || did;
        w = next;
    }
    return did;
}

/* ---- the disk ---- */

static struct keeper *gate(gap_storage_t *s)
{
    return GAP_CONTAINER_OF(s, struct keeper, gate);
}

static int gate_open(gap_storage_t *s, gap_storage_fault_t *fault)
{
    gap_storage_t *disk = gate(s)->disk;
    return disk->ops->open(disk, fault);
}

static int gate_load(gap_storage_t *s, gap_record_cb each, void *arg, gap_storage_fault_t *fault)
{
    gap_storage_t *disk = gate(s)->disk;
    return disk->ops->load(disk, each, arg, fault);
}

static int gate_find(gap_storage_t *s, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    gap_storage_t *disk = gate(s)->disk;
    return disk->ops->find(disk, key, each, arg, fault);
}

static int gate_read(gap_storage_t *s, const gap_read_t *what, gap_record_cb each, void *arg,
                     gap_storage_fault_t *fault)
{
    gap_storage_t *disk = gate(s)->disk;
    return disk->ops->read(disk, what, each, arg, fault);
}

static void kept_channel(struct globe *g, const gap_record_t *r)
{
    struct kept_state *k = &g->kept;
    gap_engine_channel_t *c = NULL;

    for (size_t i = 0; i < k->count; i++)
        if (k->channels[i].id == r->u.channel.id) c = &k->channels[i];
    if (r->removed) {
        if (c != NULL) *c = k->channels[--k->count];
        return;
    }
    if (c == NULL) c = &k->channels[k->count++];
    int64_t hash = 0;
    for (size_t i = 0; i < g->staged.count; i++)
        if (g->staged.channels[i].id == r->u.channel.id) hash = g->staged.channels[i].access_hash;
    *c = (gap_engine_channel_t){r->u.channel.id, hash, r->u.channel.pts, r->u.channel.unfinished};
}

static void kept_state(struct globe *g, const gap_state_record_t *r)
{
    g->kept.known = true;
    g->kept.state.pts = r->pts;
    g->kept.state.qts = r->qts;
    g->kept.state.seq = r->seq;
    g->kept.state.date = r->date;
}

/* What is on the disk now, as the judge knows it. */
static void committed(struct globe *g, const gap_record_t *records, size_t count)
{
    bool positions = false;

    runs_committed(g);
    for (size_t i = 0; i < count; i++) {
        const gap_record_t *r = &records[i];
        if (r->kind == GAP_RECORD_STATE) kept_state(g, &r->u.state);
        if (r->kind == GAP_RECORD_CHANNEL) kept_channel(g, r);
        positions |= r->kind == GAP_RECORD_STATE || r->kind == GAP_RECORD_CHANNEL;
        runs_kept(g, r);
    }
    if (globe_tells(g))
        globe_trace(g, "committed %zu records%s: pts %d, qts %d", count,
                    positions ? ", positions" : "", g->kept.state.pts, g->kept.state.qts);
    if (positions) judge_stored(g);
}

static int gate_commit(gap_storage_t *s, const gap_record_t *records, size_t count,
                       gap_storage_fault_t *fault)
{
    struct keeper *k = gate(s);
    struct globe *g = k->g;

    if (k->dead) { /* what the process still hears is of no account */
        for (size_t i = 0; i < count; i++)
            if (records[i].kind == GAP_RECORD_CALL) *records[i].u.call.result = 0;
        return 0;
    }
    if (g->fail_commits > 0) {
        g->fail_commits--;
        globe_trace(g, "the commit fails");
        (void)snprintf(fault->text, sizeof fault->text, "the disk is full");
        return GAP_E_STORAGE;
    }
    int r = k->disk->ops->commit(k->disk, records, count, fault);
    if (r == 0)
        committed(g, records, count);
    else
        runs_rolled_back(g);
    return r;
}

static void gate_close(gap_storage_t *s)
{
    gap_storage_t *disk = gate(s)->disk;
    disk->ops->close(disk);
}

static void gate_destroy(gap_storage_t *s)
{
    gate_close(s);
}

static const struct gap_storage_ops gate_ops = {
    .version = GAP_STORAGE_VERSION,
    .open = gate_open,
    .load = gate_load,
    .commit = gate_commit,
    .find = gate_find,
    .read = gate_read,
    .close = gate_close,
    .destroy = gate_destroy,
};

/* ---- what is collected ---- */

static int put(struct keeper *k, const gap_record_t *r)
{
    int status = gap_store_put(k->store, r);

    if (status < 0 && status != GAP_E_NOMEM && status != GAP_E_LIMIT)
        judge_say(k->g, "store", "does not take a record: %s", gap_strerror(status));
    return status;
}

static int take_channel(void *arg, const gap_engine_channel_t *c)
{
    struct globe *g = arg;
    struct kept_state *to = &g->staged;
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL};
    size_t i = 0;

    while (i < to->count && to->channels[i].id != c->id) i++;
    if (i == to->count) to->count++;
    to->channels[i] = *c;
    r.u.channel = (gap_channel_record_t){c->id, c->pts, c->unfinished};
    return put(g->keeper, &r);
}

static int take_gone(void *arg, int64_t id)
{
    struct globe *g = arg;
    gap_record_t r = {.kind = GAP_RECORD_CHANNEL, .removed = true};

    r.u.channel.id = id;
    return put(g->keeper, &r);
}

static int take_state(void *arg, const gap_engine_state_t *s)
{
    struct globe *g = arg;
    gap_record_t r = {.kind = GAP_RECORD_STATE};

    r.u.state = (gap_state_record_t){s->pts, s->qts, s->seq, s->date};
    return put(g->keeper, &r);
}

static int on_collect(void *arg)
{
    struct globe *g = arg;
    struct keeper *k = g->keeper;
    gap_engine_collector_t to = {take_channel, take_gone, take_state, g};

    if (g->engine == NULL || g->dying || k->collected) return 0;
    judge_collected(g);
    int r = gap_runner_collect(k->runner);
    return r < 0 ? r : gap_engine_collect(g->engine, &to);
}

void keep_changed(struct globe *g)
{
    if (!g->dying && g->keeper->store != NULL) gap_store_touch(g->keeper->store);
}

/* ---- birth ---- */

static void on_failed(void *arg, int status, uint64_t retry_us, const gap_storage_fault_t *fault)
{
    struct globe *g = arg;

    globe_trace(g, "not stored: %s, again in %llu ms", fault->text,
                (unsigned long long)(retry_us / 1000));
    if (status != GAP_E_STORAGE) judge_say(g, "store", "fails: %s", gap_strerror(status));
}

static void on_recovered(void *arg)
{
    globe_trace(arg, "stored again");
}

static void hold(void *arg, bool on)
{
    struct globe *g = arg;

    if (globe_tells(g)) globe_trace(g, "the engine is %s", on ? "held" : "let go on");
    if (g->engine != NULL) gap_engine_hold(g->engine, on);
}

static void replayed(void *arg, int status)
{
    struct globe *g = arg;

    if (status < 0) judge_say(g, "store", "rows can't be read: %s", gap_strerror(status));
    if (g->dying || g->closing) return;
    globe_trace(g, "all rows have been handed out");
    g->keeper->ready = true;
    globe_begin(g);
}

/* What the disk holds must be what was committed. */
static void check_loaded(struct globe *g, const struct gap_store_loaded *l)
{
    if (l->has_state != g->kept.known || (l->has_state && l->state.pts != g->kept.state.pts) ||
        l->channel_count != g->kept.count)
        judge_say(g, "store", "loads something else than was committed");
}

static int open_journal(struct globe *g, const struct gap_store_loaded *l)
{
    struct keeper *k = g->keeper;
    gap_record_t boot = {.kind = GAP_RECORD_BOOT};
    struct gap_journal_config c = {.store = k->store, .account = g->o.account};

    boot.u.boot = l->boot;
    if (!l->has_boot) (void)env_random(&k->env, boot.u.boot.secret, sizeof boot.u.boot.secret);
    boot.u.boot.epoch++;
    boot.u.boot.clean = false;
    k->boot = boot.u.boot;
    k->was_clean = l->has_boot && l->boot.clean;
    c.epoch = boot.u.boot.epoch;
    c.unclean = l->has_boot && !l->boot.clean;
    memcpy(c.secret, boot.u.boot.secret, sizeof c.secret);
    c.mode = g->o.run.journal;
    c.after_us = g->o.run.journal_after_us;
    c.attempts_max = g->o.run.attempts_max;
    c.dones = l->dones;
    c.done_count = l->done_count;
    c.inbox = l->inbox;
    c.inbox_count = l->inbox_count;
    int r = put(k, &boot);
    if (r == 0) r = gap_journal_open(&g->rt, &c, &k->journal);
    return r;
}

static int call(void *store, const gap_call_record_t *record,
                void (*done)(void *arg, int status, int result), void *arg)
{
    return gap_store_call(store, record, done, arg);
}

static void on_opened(void *arg, int status, const struct gap_store_loaded *l,
                      const gap_storage_fault_t *fault)
{
    struct globe *g = arg;
    struct keeper *k = g->keeper;

    if (status < 0) {
        judge_say(g, "store", "does not open: %s", fault->text);
        return;
    }
    check_loaded(g, l);
    int r = open_journal(g, l);
    struct gap_runner_hooks hooks = {
        .handler = globe_run_handler,
        .handler_data = g,
        .event = runs_event,
        .hold = hold,
        .arg = g,
        .journal = k->journal,
        .call = call,
        .call_arg = k->store,
        .user_id = g->o.account,
        .jitter_seed = g->o.seed,
    };
    if (r == 0) r = gap_runner_open(&g->rt, &g->o.run, &hooks, &k->runner);
    if (r < 0) judge_say(g, "open", "journal or runner: %s", gap_strerror(r));
    k->opened = r == 0;
}

static const struct gap_store_events store_events = {on_opened, on_failed, on_recovered,
                                                     on_collect};

gap_env_t *keep_env(struct globe *g)
{
    struct keeper *k = g->keeper;

    return k == NULL ? NULL : &k->env;
}

bool keep_birth(struct globe *g)
{
    struct keeper *k = g->keeper;
    struct gap_store_config c = {&k->gate, NULL};

    k->dead = k->opened = k->ready = k->collected = k->store_closed = k->runner_closed = false;
    k->drained = false;
    if (gap_store_open(&g->rt, &c, &store_events, g, &k->store) < 0) (void)globe_must(NULL);
    for (int i = 0; i < OPEN_TURNS && !k->opened; i++) {
        (void)pump(k);
        (void)gap_rt_tick(&g->rt, globe_tick_clock(g), true);
    }
    return k->opened;
}

int keep_take(gap_update_t *update, void *data)
{
    struct globe *g = data;
    char text[96];

    if (g->dying) return 0;
    if (globe_tells(g)) {
        say_update(update, text);
        globe_trace(g, "deliver %s%s", text,
                    gap_update_maybe_repeated(update) ? ", maybe again" : "");
    }
    uint32_t n = judge_delivery(g, update);
    if (n != 0) runs_taken(g, n, update);
    g->count.deliveries++;
    if (gap_update_maybe_repeated(update)) g->count.repeated++;
    return gap_runner_take(update, g->keeper->runner);
}

void keep_press(void *data, gap_update_t *oldest)
{
    struct globe *g = data;

    gap_runner_press(g->keeper->runner, oldest);
}

void keep_opened(struct globe *g)
{
    struct keeper *k = g->keeper;

    gap_journal_engine(k->journal, g->engine);
    if (g->o.run.journal != GAP_JOURNAL_LIGHT) gap_engine_queries_first(g->engine);
    int r = gap_runner_replay(k->runner, replayed, g);
    if (r < 0) judge_say(g, "open", "rows can't be handed out: %s", gap_strerror(r));
}

/* ---- the end ---- */

static void on_drained(void *arg, const struct gap_runner_report *report)
{
    struct globe *g = arg;

    g->keeper->drained = true;
    globe_trace(g, "drained: %llu handled, %llu journalled, %llu unknown",
                (unsigned long long)report->drained, (unsigned long long)report->journalled,
                (unsigned long long)report->unknown);
}

static void on_flag(void *arg)
{
    *(bool *)arg = true;
}

static void on_store_closed(void *arg, int last_status)
{
    struct globe *g = arg;

    g->keeper->store_closed = true;
    if (last_status < 0 && !g->dying)
        judge_say(g, "store", "the last commit: %s", gap_strerror(last_status));
}

/* Turn until it is so; time goes by where it takes some. */
static void turn_until(struct globe *g, const bool *done)
{
    for (int i = 0; !*done && i < END_TURNS; i++) {
        if (i > END_TURNS_AT_ONCE) {
            g->now_us += MS;
            g->mono_us += MS; /* also where the host sleeps */
        }
        (void)pump(g->keeper);
        (void)gap_rt_tick(&g->rt, globe_tick_clock(g), true);
    }
    if (!*done)
        judge_say(g, "close", "%s does not end",
                  done == &g->closed                  ? "the engine"
                  : done == &g->keeper->runner_closed ? "the runner"
                  : done == &g->keeper->store_closed  ? "the store"
                                                      : "the drain");
}

/* In order: what is unfinished is in the journal, and all of it on the disk. */
static void drain(struct globe *g)
{
    struct keeper *k = g->keeper;

    g->fail_commits = g->die_in = 0;
    gap_runner_drain(k->runner, globe_tick_clock(g), on_drained, g);
    turn_until(g, &k->drained);
    if (on_collect(g) < 0) judge_say(g, "store", "the last positions are not taken");
    k->collected = true;
}

void keep_close(struct globe *g)
{
    struct keeper *k = g->keeper;

    if (g->dying) {
        /* What is being written may get there. */
        struct gap_worker *w = STAILQ_FIRST(&k->workers);
        if (w != NULL && w->first != NULL && !w->posthumous && globe_draws(g) &&
            globe_chance(g, 0.5))
            (void)step(k, w);
        k->dead = true;
    } else if (k->runner != NULL) {
        drain(g);
    }
}

void keep_end(struct globe *g)
{
    struct keeper *k = g->keeper;
    gap_record_t boot = {.kind = GAP_RECORD_BOOT};

    if (k->runner != NULL) {
        gap_runner_close(k->runner, on_flag, &k->runner_closed);
        runs_forget(g);
        turn_until(g, &k->runner_closed);
    }
    if (g->engine != NULL) turn_until(g, &g->closed);
    if (k->journal != NULL) gap_journal_engine(k->journal, NULL);
    boot.u.boot = k->boot;
    boot.u.boot.clean = true;
    if (!g->dying && k->runner != NULL) (void)put(k, &boot);
    gap_store_close(k->store, on_store_closed, g);
    turn_until(g, &k->store_closed);
    if (k->journal != NULL) gap_journal_close(k->journal);
    while (pump(k)) continue;
    k->runner = NULL;
    k->store = NULL;
    k->journal = NULL;
}

void keep_open(struct globe *g)
{
    struct keeper *k = globe_must(calloc(1, sizeof *k));

    g->keeper = k;
    k->g = g;
    k->random.state = gap_hash64(g->o.seed + 4);
    k->env.ops = &env_ops;
    k->env.alloc = &g->memory.alloc;
    k->gate.ops = &gate_ops;
    STAILQ_INIT(&k->workers);
    gap_map_init(&k->by_number, gap_alloc_default());
    gap_map_init(&k->by_eid, gap_alloc_default());
    if (gap_storage_memory(NULL, &k->disk) < 0) (void)globe_must(NULL);
}

void keep_fini(struct globe *g)
{
    struct keeper *k = g->keeper;

    if (k == NULL) return;
    k->disk->ops->destroy(k->disk);
    gap_map_fini(&k->by_number);
    gap_map_fini(&k->by_eid);
    free(k);
}
