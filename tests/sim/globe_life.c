/*
 * tests/sim/globe_life.c - the life of the process: its handlers, what it stores, how it is born,
 * dies, and is born again with what was stored.
 *
 *   process:  none --birth--> alive --crash--> (buried: only what is on the disk is left) --> none
 *                               \--restart--> closing --> (all is stored) --> none
 *   stored:   changed -> COLLECT -> staged -> WRITTEN -> kept
 *
 * Owns: the engine, what is stored. Never: judges, lets time go by.
 */
#include "globe_keep.h"

#include <stdlib.h>
#include <string.h>

#define BURIAL_TICKS 100000
#define FAILURE      (-1234)

/* ---- handlers ---- */

static bool find_order(struct globe *g, uint32_t n, struct order *out)
{
    for (uint32_t i = 0; i < g->order_count; i++) {
        if (g->orders[i].n != 0 && g->orders[i].n != n) continue;
        *out = g->orders[i];
        g->orders[i] = g->orders[--g->order_count];
        return true;
    }
    return false;
}

int globe_handler(struct globe *g, uint32_t n, enum globe_handling how, uint32_t ms)
{
    if (g->order_count == GLOBE_ORDERS) return GAP_E_LIMIT;
    g->orders[g->order_count++] = (struct order){n, how, ms};
    return 0;
}

static struct order draw_order(struct globe *g)
{
    struct order o = {0, GLOBE_DONE, 0};

    if (g->ceased) return o;
    if (globe_chance(g, g->o.stuck)) {
        o.how = GLOBE_STUCK_HANDLER;
    } else if (globe_chance(g, g->o.later)) {
        o.how = globe_chance(g, g->o.failing) ? GLOBE_LATER_FAILS : GLOBE_LATER;
        o.ms = (uint32_t)globe_below(g, (uint64_t)g->o.later_ms + 1);
    } else if (globe_chance(g, g->o.failing)) {
        o.how = GLOBE_HANDLER_FAILS;
    }
    return o;
}

enum globe_handling globe_order(struct globe *g, uint32_t n, uint32_t *ms)
{
    struct order o = {0, GLOBE_DONE, 0};

    if (!find_order(g, n, &o)) o = draw_order(g);
    *ms = o.ms;
    return o.how;
}

static int go_on_later(struct globe *g, gap_update_t *update, uint32_t n, const struct order *o)
{
    if (g->later_count == GAP_ARRAY_LEN(g->later)) {
        judge_finished(g, n);
        return 0;
    }
    g->later[g->later_count] = update;
    g->later_n[g->later_count++] = n;
    if (o->how == GLOBE_STUCK_HANDLER) {
        globe_trace(g, "its handler never ends");
        return GAP_LATER;
    }
    globe_trace(g, "its handler goes on for %u ms", (unsigned)o->ms);
    struct thing *t = globe_thing(g, THING_FINISH);
    t->process = g->process;
    t->update = update;
    t->status = o->how == GLOBE_LATER_FAILS ? FAILURE : 0;
    globe_put(g, t, g->now_us + o->ms * MS);
    return GAP_LATER;
}

int globe_update(gap_update_t *update, void *data)
{
    struct globe *g = data;
    struct order o = {0, GLOBE_DONE, 0};
    char text[96];
    int how = -1;

    if (g->dying) return 0;
    if (globe_tells(g)) {
        say_update(update, text);
        globe_trace(g, "deliver %s%s%s", text,
                    gap_update_via(update) == GAP_VIA_DIFFERENCE ? " by difference"
                    : gap_update_via(update) == GAP_VIA_RESULT   ? " by result"
                                                                 : "",
                    gap_update_maybe_repeated(update) ? ", maybe again" : "");
    }
    uint32_t n = judge_delivery(g, update);
    g->count.deliveries++;
    if (gap_update_maybe_repeated(update)) g->count.repeated++;
    if (g->o.watch.handle != NULL) how = g->o.watch.handle(g->o.watch.data, update, &o.ms);
    if (g->die_in > 0 && --g->die_in == 0) {
        globe_trace(g, "the process dies in this handler");
        g->dying = true;
        return 0;
    }
    if (how >= 0)
        o.how = (enum globe_handling)how;
    else if (!find_order(g, n, &o))
        o = draw_order(g);
    switch (o.how) {
    case GLOBE_LATER:
    case GLOBE_LATER_FAILS:
    case GLOBE_STUCK_HANDLER:
        return go_on_later(g, update, n, &o);
    case GLOBE_HANDLER_FAILS:
        globe_trace(g, "its handler fails");
        judge_finished(g, n);
        return FAILURE;
    case GLOBE_DONE:
        break;
    }
    judge_finished(g, n);
    return 0;
}

/* The handler of the i-th update that went on later ends. */
static void end_handler(struct globe *g, uint32_t i, int status)
{
    gap_update_t *update = g->later[i];
    uint32_t n = g->later_n[i];

    g->later_count--;
    g->later[i] = g->later[g->later_count];
    g->later_n[i] = g->later_n[g->later_count];
    if (g->keeper != NULL) {
        runs_finish(g, update, n, status);
        return;
    }
    judge_finished(g, n);
    if (g->o.watch.finished != NULL) g->o.watch.finished(g->o.watch.data, update, status);
    if (status == 0)
        gap_update_done(update);
    else
        gap_update_failed(update, status);
}

void globe_finish(struct globe *g, const struct thing *t)
{
    for (uint32_t i = 0; i < g->later_count; i++) {
        if (g->later[i] != t->update) continue;
        globe_trace(g, "handler of e%u %s", (unsigned)g->later_n[i],
                    t->status == 0 ? "ends" : "fails");
        end_handler(g, i, t->status);
        return;
    }
}

/* Is it to end by itself? */
static bool ends(const struct globe *g, const gap_update_t *update)
{
    for (size_t i = 0; i < g->way.count; i++) {
        const struct thing *t = globe_thing_of(g->way.nodes[i]);
        if (t->kind == THING_FINISH && t->update == update) return true;
    }
    return false;
}

void globe_finish_all(struct globe *g)
{
    for (uint32_t i = 0; i < g->later_count;) {
        if (ends(g, g->later[i]))
            i++;
        else
            end_handler(g, i, 0);
    }
}

static void on_event(void *data, const gap_engine_event_t *ev)
{
    struct globe *g = data;

    if (g->dying) return;
    if (globe_tells(g)) say_engine_event(g, ev);
    if (g->o.watch.event != NULL) g->o.watch.event(g->o.watch.data, ev);
    if (ev->kind == GAP_EVENT_GAP_OPENED) g->count.gaps++;
    judge_event(g, ev);
}

/* ---- what is stored ---- */

static void plan_collect(struct globe *g)
{
    struct thing *t = globe_thing(g, THING_COLLECT);

    g->collecting = true;
    g->changed = false;
    t->process = g->process;
    globe_put(g, t, g->now_us + globe_within_us(g, g->o.commit_ms));
}

static void on_changed(void *data)
{
    struct globe *g = data;

    if (!g->o.stored || g->dying || g->closing) return;
    if (g->keeper != NULL) {
        keep_changed(g);
        return;
    }
    g->changed = true;
    if (!g->collecting) plan_collect(g);
}

static bool takes(struct globe *g)
{
    if (g->fail_commits == 0) return true;
    if (g->failing_left > 0) {
        g->failing_left--;
        return true;
    }
    return false;
}

static gap_engine_channel_t *staged_channel(struct globe *g, int64_t id)
{
    for (size_t i = 0; i < g->staged.count; i++) {
        if (g->staged.channels[i].id == id) return &g->staged.channels[i];
    }
    return NULL;
}

static int take_channel(void *arg, const gap_engine_channel_t *c)
{
    struct globe *g = arg;
    gap_engine_channel_t *to = staged_channel(g, c->id);

    if (!takes(g)) return GAP_E_NOMEM;
    if (to == NULL) {
        if (g->staged.count == g->o.dc.channels) return GAP_E_LIMIT;
        to = &g->staged.channels[g->staged.count++];
    }
    *to = *c;
    if (globe_tells(g))
        globe_trace(g, "collect channel %lld: %d%s", (long long)c->id, c->pts,
                    c->unfinished ? ", unfinished" : "");
    return 0;
}

static int take_gone(void *arg, int64_t id)
{
    struct globe *g = arg;
    gap_engine_channel_t *c = staged_channel(g, id);

    if (!takes(g)) return GAP_E_NOMEM;
    if (c != NULL) *c = g->staged.channels[--g->staged.count];
    if (globe_tells(g)) globe_trace(g, "collect channel %lld: gone", (long long)id);
    return 0;
}

static int take_state(void *arg, const gap_engine_state_t *s)
{
    struct globe *g = arg;

    if (!takes(g)) return GAP_E_NOMEM;
    g->staged.known = true;
    g->staged.state = *s;
    if (globe_tells(g))
        globe_trace(g, "collect pts %d, qts %d, seq %d, date +%d", s->pts, s->qts, s->seq,
                    s->date - GLOBE_DATE);
    return 0;
}

static void collect(struct globe *g)
{
    gap_engine_collector_t to = {take_channel, take_gone, take_state, g};

    g->changed = false;
    judge_collected(g);
    g->failing_left = g->fail_commits > 0 ? (uint32_t)globe_below(g, 3) : 0;
    int r = gap_engine_collect(g->engine, &to);
    if (r < 0) {
        globe_trace(g, "the commit fails: %s", gap_strerror(r));
        g->changed = true; /* the rest is still to be collected */
    }
    if (g->fail_commits > 0) g->fail_commits--;
}

static void copy_state(struct kept_state *to, const struct kept_state *from)
{
    to->known = from->known;
    to->state = from->state;
    to->count = from->count;
    if (from->count > 0) memcpy(to->channels, from->channels, from->count * sizeof *from->channels);
}

/* @param i Where it most likely is. */
static const gap_engine_channel_t *find_channel(const struct kept_state *k, int64_t id, size_t i)
{
    if (i < k->count && k->channels[i].id == id) return &k->channels[i];
    for (i = 0; i < k->count; i++)
        if (k->channels[i].id == id) return &k->channels[i];
    return NULL;
}

/* What is different on the disk, once what is staged is there. */
static void tell_stored(const struct globe *g)
{
    const struct globe_watch *w = &g->o.watch;
    const gap_engine_state_t *was = &g->kept.state;
    const gap_engine_state_t *is = &g->staged.state;

    if (w->store == NULL) return;
    for (size_t i = 0; i < g->staged.count; i++) {
        const gap_engine_channel_t *c = &g->staged.channels[i];
        const gap_engine_channel_t *old = find_channel(&g->kept, c->id, i);
        if (old == NULL || old->pts != c->pts || old->unfinished != c->unfinished)
            w->store(w->data, NULL, c, false);
    }
    for (size_t i = 0; i < g->kept.count; i++)
        if (find_channel(&g->staged, g->kept.channels[i].id, i) == NULL)
            w->store(w->data, NULL, &g->kept.channels[i], true);
    bool same = g->kept.known && was->pts == is->pts && was->qts == is->qts &&
                was->seq == is->seq && was->date == is->date;
    if (g->staged.known && !same) w->store(w->data, is, NULL, false);
}

/* What is staged is on the disk. */
static void written(struct globe *g)
{
    tell_stored(g);
    copy_state(&g->kept, &g->staged);
    if (globe_tells(g)) globe_trace(g, "stored");
    judge_stored(g);
}

void globe_written(struct globe *g, struct thing *t)
{
    bool ours = t->process == g->process && g->alive;

    globe_thing_free(t);
    if (!ours) return;
    written(g);
    g->collecting = false;
    if (g->changed) plan_collect(g);
}

void globe_collect(struct globe *g)
{
    collect(g);
    struct thing *t = globe_thing(g, THING_WRITTEN);
    t->process = g->process;
    globe_put(g, t, g->now_us + globe_within_us(g, g->o.write_ms));
}

void globe_fail_commits(struct globe *g, uint32_t count)
{
    g->fail_commits += count;
}

/* ---- the process ---- */

static size_t choose(void *arg, size_t count)
{
    struct globe *g = arg;
    return (size_t)gap_prng_below(&g->choices, count);
}

void globe_birth(struct globe *g)
{
    gap_engine_config_t c = g->o.engine;
    bool stored = g->o.stored && g->kept.known;

    c.alloc = &g->memory.alloc;
    c.self_id = g->o.account;
    c.bot = g->o.bot;
    c.jitter_seed = g->o.seed;
    c.invoke = globe_invoke;
    c.handler = g->handler != NULL ? g->handler : g->keeper != NULL ? keep_take : globe_update;
    if (g->keeper != NULL) {
        c.press = keep_press;
        c.press_data = g;
    }
    c.event = on_event;
    if (g->o.decisions && g->o.line != NULL) {
        c.tap = say_decision;
        c.tap_data = g;
    }
    c.changed = on_changed;
    c.invoke_arg = c.handler_data = c.event_data = c.changed_data = g;
    copy_state(&g->staged, &g->kept);
    g->kept.state.channels = g->kept.channels;
    g->kept.state.channel_count = g->kept.count;
    c.state = stored ? &g->kept.state : NULL;
    g->process++;
    g->alive = true;
    g->dying = g->closing = g->closed = g->collecting = g->changed = false;
    g->idle_turns = 0;
    gap_rt_init(&g->rt, &g->memory.alloc, keep_env(g));
    if (g->o.seed != 0) {
        g->rt.choose = choose;
        g->rt.choose_arg = g;
    }
    judge_process(g, !stored);
    if (g->keeper != NULL) {
        runs_process(g);
        if (!keep_birth(g)) return;
    }
    if (gap_engine_open_on(&g->rt, &c, &g->engine) < 0) {
        judge_say(g, "open", "the engine does not take the state that it handed over");
        g->alive = false;
        gap_rt_fini(&g->rt);
        return;
    }
    globe_trace(g, "process %u begins%s", (unsigned)g->process,
                stored ? " with what is stored" : "");
    if (g->keeper != NULL)
        keep_opened(g);
    else
        globe_begin(g);
}

void globe_begin(struct globe *g)
{
    g->connected = true;
    g->connection++;
    if (globe_draws(g) && globe_chance(g, 0.5))
        globe_put(g, globe_thing(g, THING_SESSION), g->now_us + g->o.push_ms * MS);
    g->j.reasons++;
    gap_engine_start(g->engine);
}

static void on_closed(void *arg)
{
    struct globe *g = arg;

    g->closed = true;
    if (g->dying || !g->o.stored || g->keeper != NULL) return;
    g->fail_commits = 0;
    collect(g);
    written(g);
}

/* Close the engine and wait until it is gone. What its handlers still had counts as handled, unless
 * the process is dying. */
static void close_engine(struct globe *g)
{
    g->closing = true;
    if (g->keeper != NULL) keep_close(g);
    gap_engine_close(g->engine, on_closed, g);
    globe_drop_calls(g);
    if (g->keeper != NULL) keep_end(g);
    while (g->later_count > 0) {
        uint32_t i = (uint32_t)globe_below(g, g->later_count);
        if (!g->dying) {
            end_handler(g, i, FAILURE);
            continue;
        }
        gap_update_t *update = g->later[i];
        g->later_count--;
        g->later[i] = g->later[g->later_count];
        g->later_n[i] = g->later_n[g->later_count];
        gap_update_done(update);
    }
    for (int i = 0; !g->closed && i < BURIAL_TICKS; i++)
        (void)gap_rt_tick(&g->rt, globe_tick_clock(g), true);
    if (!g->closed) judge_say(g, "close", "the engine does not close");
    gap_rt_fini(&g->rt);
    g->engine = NULL;
    g->alive = false;
    if (g->closed && g->memory.blocks != 0)
        judge_say(g, "leak", "%ld blocks are left of a closed engine", g->memory.blocks);
}

/* The process has died: what was on its way to the disk may have got there. */
void globe_bury(struct globe *g)
{
    if (!g->alive) return;
    g->dying = true;
    if (g->collecting && globe_draws(g) && globe_chance(g, 0.5)) written(g);
    close_engine(g);
    g->j.reasons++;
}

void globe_plan_start(struct globe *g, uint32_t ms)
{
    g->count.restarts++;
    globe_put(g, globe_thing(g, THING_START), g->now_us + ms * MS);
}

/* A process that ends takes its connection with it. */
void globe_hang_up(struct globe *g)
{
    struct thing *t;

    g->connected = g->resumed = false;
    globe_strand(g);
    while ((t = STAILQ_FIRST(&g->socket)) != NULL) {
        STAILQ_REMOVE_HEAD(&g->socket, next);
        globe_thing_free(t);
    }
}

void globe_crash(struct globe *g, uint32_t ms)
{
    if (!g->alive) return;
    globe_trace(g, "the process dies");
    globe_bury(g);
    globe_hang_up(g);
    globe_plan_start(g, ms);
}

void globe_crash_in_handler(struct globe *g, uint32_t deliveries, uint32_t ms)
{
    g->die_in = deliveries;
    g->next_ms = ms;
}

void globe_restart(struct globe *g, uint32_t ms)
{
    if (!g->alive) return;
    globe_trace(g, "the process ends");
    close_engine(g);
    globe_hang_up(g);
    globe_plan_start(g, ms);
    g->j.reasons++;
}

gap_engine_t *globe_engine(struct globe *g)
{
    return g->engine;
}

void globe_missed(struct globe *g)
{
    globe_put(g, globe_thing(g, THING_MISSED), g->now_us);
}
