/*
 * tests/sim/globe.c - the virtual world: time goes from one thing that is due to the next; the
 * host's loop turns when something is there for it.
 *
 *   host:  asleep or stalled <--> turns: reads its socket, does what is due, ticks the engine
 *
 * Owns: the world. Never: judges.
 */
#include "globe_keep.h"

#include <gapless/tl_api.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNEL_BYTES 1536 /* of a channel that has something to ask */
/* Of store, journal and runner, and for each update that is with them. */
#define KEEPER_BYTES        (256U << 10)
#define KEEPER_UPDATE_BYTES 4096
#define READ_MAX            32     /* things read in one turn of the host */
#define SOCKET_TURN_US      5000   /* turns of a host whose socket is not read */
#define BUSY_TURNS          2000   /* in a row, without anything to do */
#define HOLE_MS             100000 /* until a hole that is never filled is given up, at most */
#define HOLES_MAX           64     /* one after the other */

/* ---- small things ---- */

void *globe_must(void *p)
{
    if (p != NULL) return p;
    (void)fprintf(stderr, "gapless-sim: out of memory\n");
    exit(1);
}

struct thing *globe_thing(struct globe *g, enum thing_kind kind)
{
    struct thing *t = globe_must(calloc(1, sizeof *t));

    (void)g;
    t->kind = kind;
    return t;
}

void globe_thing_free(struct thing *t)
{
    gap_packet_unref(t->packet);
    gap_packet_unref(t->query);
    free(t->covered);
    free(t);
}

uint64_t globe_below(struct globe *g, uint64_t n)
{
    return n == 0 ? 0 : gap_prng_below(&g->random, n);
}

bool globe_chance(struct globe *g, double p)
{
    return p > 0 && gap_prng_unit(&g->random) < p;
}

gap_packet_t *globe_packet(gap_bytes_t bytes)
{
    gap_packet_t *p = NULL;

    if (gap_packet_copy(gap_alloc_default(), bytes, &p) < 0) (void)globe_must(NULL);
    return p;
}

uint64_t globe_mono_us(const struct globe *g)
{
    return g->now_us > g->asleep_us ? g->now_us - g->asleep_us : 0;
}

/* The clock as the engine sees it: it never goes back. */
uint64_t globe_tick_clock(struct globe *g)
{
    uint64_t us = globe_mono_us(g);

    if (us > g->mono_us) g->mono_us = us;
    return g->mono_us;
}

int64_t globe_wall_us(const struct globe *g)
{
    return (int64_t)GLOBE_DATE * 1000000 + (int64_t)g->now_us + g->wall_us;
}

dc_view_t globe_view(const struct globe *g)
{
    return (dc_view_t){g->o.account, GAP_TL_LAYER, g->seq};
}

uint64_t globe_now_ms(const struct globe *g)
{
    return g->now_us / MS;
}

void globe_trace(struct globe *g, const char *format, ...)
{
    char text[512];
    va_list args;

    if (g->o.line == NULL) return;
    int n = snprintf(text, sizeof text, "[%6llu] ", (unsigned long long)(g->now_us / MS));
    va_start(args, format);
    (void)vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    g->o.line(g->o.line_data, text);
}

/* ---- the engine's memory, counted ---- */

struct block {
    size_t size;
    size_t pad; /* keeps what follows aligned */
};

static void *count_realloc(void *ctx, void *ptr, size_t size)
{
    struct counting_alloc *m = ctx;
    struct block *b = ptr == NULL ? NULL : (struct block *)ptr - 1;

    if (b != NULL) m->bytes -= b->size;
    if (size == 0) {
        if (b != NULL) m->blocks--;
        free(b);
        return NULL;
    }
    if (b == NULL) m->blocks++;
    b = globe_must(realloc(b, sizeof *b + size));
    b->size = size;
    m->bytes += size;
    if (m->bytes > m->peak) m->peak = m->bytes;
    return b + 1;
}

/* ---- the host's turns ---- */

static void missed(struct globe *g)
{
    g->j.reasons++;
    gap_engine_missed(g->engine);
}

static void feed(struct globe *g, const struct thing *t)
{
    gap_bytes_t bytes = gap_bytes(t->packet->data, t->packet->len);

    judge_fed(g, t);
    if (g->o.watch.arrive != NULL) g->o.watch.arrive(g->o.watch.data, bytes, false);
    int r = gap_engine_feed(g->engine, bytes.data, bytes.len, t->packet);
    if (r == GAP_BEHIND) globe_trace(g, "the engine is behind");
    if (t->by_hand) return;
    if (r < 0 && !t->garbage) judge_say(g, "feed", "the engine refuses it: %s", gap_strerror(r));
    if (r >= 0 && t->garbage) judge_say(g, "feed", "the engine takes garbage");
}

/* Taken. */
static void take(struct globe *g, struct thing *t)
{
    switch (t->kind) {
    case THING_ANSWER:
        globe_answered(g, t);
        return;
    case THING_RESULT:
        globe_result(g, t);
        return;
    case THING_SESSION:
        globe_trace(g, "new session");
        missed(g);
        break;
    default:
        feed(g, t);
        break;
    }
    globe_thing_free(t);
}

static void do_own_things(struct globe *g)
{
    struct thing *t;

    while ((t = STAILQ_FIRST(&g->host)) != NULL) {
        STAILQ_REMOVE_HEAD(&g->host, next);
        if (t->kind == THING_MISSED) {
            missed(g);
        } else if (t->process != g->process) {
            /* of a process that is gone */
        } else if (t->kind == THING_FINISH) {
            globe_finish(g, t);
        } else if (t->kind == THING_COLLECT) {
            globe_collect(g);
        } else if (t->kind == THING_WORK) {
            keep_work(g);
        }
        globe_thing_free(t);
    }
}

/* The engine may hold what its inboxes hold, what its handlers have, and what it knows. */
static void judge_memory(struct globe *g)
{
    uint64_t inbox =
        g->o.engine.limits.inbox == 0 ? GAP_ENGINE_INBOX_MAX : g->o.engine.limits.inbox;
    uint64_t most = g->j.count < inbox * 4 ? g->j.count : inbox * 4;
    uint64_t bound =
        (256U << 10) + (most + g->later_count) * 1024 + g->o.dc.channels * CHANNEL_BYTES;

    if (g->keeper != NULL) bound += KEEPER_BYTES + most * KEEPER_UPDATE_BYTES;
    if (g->memory.bytes > g->count.peak_bytes) g->count.peak_bytes = g->memory.bytes;
    if (g->memory.bytes > bound)
        judge_say(g, "memory", "%llu bytes, %llu expected at most",
                  (unsigned long long)g->memory.bytes, (unsigned long long)bound);
}

static void tick(struct globe *g, bool drained)
{
    g->count.turns++;
    (void)gap_rt_tick(&g->rt, globe_tick_clock(g), drained);
    if (!g->dying) return;
    g->die_in = 0;
    globe_bury(g);
    globe_hang_up(g);
    globe_plan_start(g, g->next_ms);
}

static void host_turn(struct globe *g)
{
    bool busy = !STAILQ_EMPTY(&g->host);
    bool read = false;

    /* A loop that runs its timers before it polls. */
    if (globe_draws(g) && globe_chance(g, 0.1)) tick(g, false);
    if (!g->alive) return;
    do_own_things(g);
    uint64_t most = !globe_draws(g) ? READ_MAX : 1 + globe_below(g, READ_MAX);
    struct thing *t;
    while (most-- > 0 && (t = globe_read(g)) != NULL) {
        take(g, t);
        read = true;
    }
    bool unread = !STAILQ_EMPTY(&g->socket) && g->now_us >= g->net_stall_us;
    g->idle_turns = read || busy ? 0 : g->idle_turns + 1;
    if (g->idle_turns > BUSY_TURNS) {
        judge_say(g, "busy", "the loop turns and turns");
        g->now_us += MS; /* so that time goes by all the same */
        g->idle_turns = 0;
    }
    tick(g, !read && !unread);
    if (g->alive) judge_memory(g);
    if (g->alive && g->keeper != NULL) runs_lag(g);
}

static uint64_t next_turn(const struct globe *g)
{
    uint64_t at = GLOBE_NEVER;

    if (!g->alive) return GLOBE_NEVER;
    if (!STAILQ_EMPTY(&g->socket)) {
        at = g->socket_stall_us > g->net_stall_us ? g->socket_stall_us : g->net_stall_us;
        if (at < g->now_us) at = g->now_us;
    }
    uint64_t due = gap_rt_deadline_us(&g->rt);
    if (due != GAP_ENV_NEVER) {
        due += g->asleep_us;
        if (due < g->now_us) due = g->now_us;
        /* Waits that end only once the socket is read go round and round until it is. */
        if (due == g->now_us && at > g->now_us && at != GLOBE_NEVER)
            due = g->now_us + SOCKET_TURN_US;
        if (due < at) at = due;
    }
    if (!STAILQ_EMPTY(&g->host)) at = g->now_us;
    return at < g->host_stall_us ? g->host_stall_us : at;
}

void globe_run(struct globe *g, uint64_t until_ms)
{
    uint64_t until = until_ms * MS;

    for (;;) {
        uint64_t way = globe_due(g);
        uint64_t turn = next_turn(g);
        uint64_t at = way < turn ? way : turn;
        if (at > until) break;
        if (at > g->now_us) {
            g->now_us = at;
            g->idle_turns = 0;
        }
        if (way <= g->now_us) globe_happen(g);
        if (next_turn(g) <= g->now_us) host_turn(g);
    }
    if (until > g->now_us) {
        g->now_us = until;
        g->idle_turns = 0;
    }
}

/* ---- the end ---- */

void globe_chances(struct globe *g, const struct globe_chances *c)
{
    const double from[] = {c->loss,   c->twice, c->late,    c->error,
                           c->silent, c->later, c->failing, c->stuck};
    double *to[] = {&g->o.loss,   &g->o.twice, &g->o.late,    &g->o.error,
                    &g->o.silent, &g->o.later, &g->o.failing, &g->o.stuck};

    for (size_t i = 0; i < GAP_ARRAY_LEN(from); i++) {
        if (from[i] >= 0) *to[i] = from[i];
    }
}

static uint64_t idle_ms(const struct globe *g)
{
    uint64_t us = g->o.engine.limits.idle_us;
    return (us == 0 ? GAP_ENGINE_IDLE_US : us) / MS;
}

/* Where the server counts anew by so little that it can't be told, and the push that says so is
 * lost, it fills none of the holes of the old count: each is asked for, with back-offs, until it is
 * given up, one after the other. They are finitely many: an end without quiet is still condemned.
 */
static void see_holes_out(struct globe *g)
{
    const struct judged_box *common = &g->j.boxes[BOX_COMMON];

    for (int i = 0; i < HOLES_MAX && common->given_us > 0; i++) {
        if (g->now_us - common->given_us > (uint64_t)HOLE_MS * MS) return;
        globe_run(g, globe_now_ms(g) + HOLE_MS);
    }
}

void globe_settle(struct globe *g)
{
    globe_trace(g, "no more faults");
    g->ceased = true;
    for (uint32_t i = 0; i < g->rule_count; i++) gap_packet_unref(g->rules[i].given);
    g->rule_count = g->order_count = 0;
    g->poisoned = g->fail_commits = g->die_in = 0;
    globe_container(g, false, NULL);
    (void)globe_release(g, NULL);
    uint64_t rest = g->o.timeout_ms + g->o.late_ms + g->o.later_ms;
    if (g->connect_us / MS > globe_now_ms(g)) rest += g->connect_us / MS - globe_now_ms(g);
    if (g->host_stall_us / MS > globe_now_ms(g)) rest += g->host_stall_us / MS - globe_now_ms(g);
    /* Back-offs end, and the watchdog looks after what nothing pointed to. */
    globe_run(g, globe_now_ms(g) + rest + 300000 + 2 * idle_ms(g));
    see_holes_out(g);
    judge_end(g);
    if (g->keeper != NULL) runs_end(g);
    uint64_t asked = g->count.questions;
    globe_run(g, globe_now_ms(g) + idle_ms(g) * 9 / 10);
    if (g->count.questions - asked > 1)
        judge_say(g, "quiet", "%llu questions though nothing happens",
                  (unsigned long long)(g->count.questions - asked));
}

void globe_counts(const struct globe *g, struct globe_counts *out)
{
    *out = g->count;
}

void globe_options(struct globe_options *o)
{
    memset(o, 0, sizeof *o);
    o->account = GLOBE_ACCOUNT;
    dc_options_init(&o->dc);
    o->dc.channels = 2;
    o->dc.users = 4;
    o->dc.groups = 1;
    o->stored = true;
    o->push_ms = 10;
    o->query_ms = o->answer_ms = 10;
    o->late_ms = 2000;
    o->later_ms = 2000;
    o->timeout_ms = 60000;
}

int globe_open(const struct globe_options *o, struct globe **out)
{
    struct globe *g;

    if (o->dc.channels > GLOBE_CHANNELS) return GAP_E_ARGUMENT;
    if (o->runner && !o->stored) return GAP_E_ARGUMENT;
    g = calloc(1, sizeof *g);
    if (g == NULL) return GAP_E_NOMEM;
    g->o = *o;
    g->o.dc.seed = o->seed;
    g->random.state = gap_hash64(o->seed + 1);
    g->choices.state = gap_hash64(o->seed + 2);
    g->memory.alloc = (gap_alloc_t){count_realloc, &g->memory};
    gap_heap_init(&g->way, gap_alloc_default());
    STAILQ_INIT(&g->socket);
    STAILQ_INIT(&g->host);
    STAILQ_INIT(&g->backlog);
    LIST_INIT(&g->held);
    gap_buf_init(&g->bytes, gap_alloc_default());
    dc_answer_init(&g->answer, gap_alloc_default());
    judge_init(&g->j, o->dc.channels);
    g->kept.channels = globe_must(calloc(o->dc.channels + 1U, sizeof *g->kept.channels));
    g->staged.channels = globe_must(calloc(o->dc.channels + 1U, sizeof *g->staged.channels));
    int r = dc_model_new(gap_alloc_default(), &g->o.dc, &g->model);
    if (r == 0) r = dc_model_account(g->model, o->account, o->bot, globe_wall_us(g));
    if (o->runner) keep_open(g);
    if (r == 0) {
        *out = g;
        return 0;
    }
    (void)globe_close(g, NULL);
    return r < 0 ? r : GAP_E_ARGUMENT;
}

void globe_start(struct globe *g)
{
    globe_birth(g);
}

bool globe_close(struct globe *g, char *verdict)
{
    globe_bury(g);
    bool held = g->j.verdict[0] == 0;
    if (verdict != NULL) (void)snprintf(verdict, GLOBE_VERDICT_MAX, "%s", g->j.verdict);
    globe_forget_all(g);
    for (uint32_t i = 0; i < g->rule_count; i++) gap_packet_unref(g->rules[i].given);
    gap_heap_fini(&g->way);
    gap_buf_fini(&g->bytes);
    dc_answer_fini(&g->answer);
    judge_fini(&g->j);
    free(g->kept.channels);
    free(g->staged.channels);
    dc_model_free(g->model);
    keep_fini(g);
    free(g);
    return held;
}
