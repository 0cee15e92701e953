/*
 * tests/sim/globe_net.c - time and what is under way in it: pushes, questions and answers, the
 * connection that carries them, and what the host will do by itself later.
 *
 *   under way (a heap by time) --due--> server: a question, a call
 *                              --due--> socket: lies there until the host's loop reads it
 *                              --due--> host: done in the next turn of its loop
 *
 * Owns every thing until it is handed on. Never: looks into bytes, calls the engine.
 */
#include "globe_int.h"

#include <gapless/tl_api.h>
#include <stdlib.h>
#include <string.h>

#define TIE_BITS 8

void globe_put(struct globe *g, struct thing *t, uint64_t at_us)
{
    uint64_t tie = !globe_draws(g) ? 0 : globe_below(g, 1U << TIE_BITS);
    uint64_t key = (at_us << TIE_BITS) + tie;

    if (t->kind == THING_PUSH) {
        /* What is overtaken may look lost for a while. */
        if (key < g->last_push) g->j.reasons++;
        if (key > g->last_push) g->last_push = key;
    }
    if (gap_heap_insert(&g->way, &t->node, key) < 0) (void)globe_must(NULL);
}

struct thing *globe_thing_of(gap_heap_node_t *node)
{
    return (struct thing *)(void *)((char *)node - offsetof(struct thing, node));
}

uint64_t globe_due(const struct globe *g)
{
    const gap_heap_node_t *first = gap_heap_min(&g->way);

    return first == NULL ? GLOBE_NEVER : first->key >> TIE_BITS;
}

/* ---- pushes ---- */

uint64_t globe_travel_us(struct globe *g, uint32_t least_ms)
{
    uint64_t us = least_ms * MS;
    return g->o.jitter_ms == 0 ? us : us + globe_below(g, g->o.jitter_ms * MS);
}

static struct thing *copy_of(struct globe *g, const struct thing *t)
{
    struct thing *c = globe_thing(g, THING_PUSH);

    c->packet = gap_packet_ref(t->packet);
    c->n_count = t->n_count;
    c->garbage = t->garbage;
    c->by_hand = t->by_hand;
    c->resets = t->resets;
    memcpy(c->ns, t->ns, sizeof c->ns);
    return c;
}

/* On its way, if there is one. Taken. */
static void send_thing(struct globe *g, struct thing *t, uint64_t delay_us)
{
    t->connection = g->connection;
    if (g->connected) {
        globe_put(g, t, g->now_us + globe_travel_us(g, g->o.push_ms) + delay_us);
    } else if (g->resumed) {
        STAILQ_INSERT_TAIL(&g->backlog, t, next);
    } else {
        g->j.reasons++;
        globe_thing_free(t);
    }
}

static struct globe_push drawn_fate(struct globe *g)
{
    struct globe_push p = {GLOBE_SENT, 0, NULL};

    if (g->ceased) return p;
    if (globe_chance(g, g->o.loss))
        p.fate = GLOBE_LOST;
    else if (globe_chance(g, g->o.late))
        p.fate = GLOBE_LATE;
    else if (globe_chance(g, g->o.twice))
        p.fate = GLOBE_TWICE;
    if (p.fate == GLOBE_LATE || p.fate == GLOBE_TWICE)
        p.ms = (uint32_t)globe_below(g, (uint64_t)g->o.late_ms + 1);
    return p;
}

static const char *fate_text(const struct globe_push *p, char out[64])
{
    switch (p->fate) {
    case GLOBE_LOST:
        return ", lost";
    case GLOBE_LATE:
        (void)snprintf(out, 64, ", %u ms late", (unsigned)p->ms);
        return out;
    case GLOBE_TWICE:
        (void)snprintf(out, 64, ", again after %u ms", (unsigned)p->ms);
        return out;
    case GLOBE_HELD:
        (void)snprintf(out, 64, ", held as %.31s", p->name == NULL ? "" : p->name);
        return out;
    default:
        return "";
    }
}

static void trace_push(struct globe *g, const struct thing *t, const char *what,
                       const struct globe_push *p)
{
    char fate[64];
    char list[128] = "";
    size_t len = 0;

    if (g->o.line == NULL) return;
    for (uint32_t i = 0; i < t->n_count && len < sizeof list - 16; i++)
        len += (size_t)snprintf(list + len, sizeof list - len, " e%u", (unsigned)t->ns[i]);
    globe_trace(g, "push%s%s%s%s%s", what[0] == 0 ? "" : " ", what, list, fate_text(p, fate),
                g->connected ? ""
                : g->resumed ? " (no connection yet)"
                             : " (no connection)");
}

static void hold(struct globe *g, struct thing *t, const char *name)
{
    struct held_push *h = globe_must(calloc(1, sizeof *h));

    if (name != NULL) (void)snprintf(h->name, sizeof h->name, "%s", name);
    h->thing = t;
    LIST_INSERT_HEAD(&g->held, h, next);
}

/* Let a push meet its fate. Taken. */
void globe_send(struct globe *g, struct thing *t, const char *what, const struct globe_push *push)
{
    struct globe_push p = push == NULL || push->fate == GLOBE_DRAWN ? drawn_fate(g) : *push;

    trace_push(g, t, what, &p);
    if (p.fate != GLOBE_SENT) g->j.reasons++;
    switch (p.fate) {
    case GLOBE_LOST:
        globe_thing_free(t);
        return;
    case GLOBE_LATE:
        send_thing(g, t, p.ms * MS);
        return;
    case GLOBE_TWICE:
        send_thing(g, copy_of(g, t), p.ms * MS);
        send_thing(g, t, 0);
        return;
    case GLOBE_HELD:
        hold(g, t, p.name);
        return;
    default:
        send_thing(g, t, 0);
        return;
    }
}

static void send_bytes(struct globe *g, const char *what, const struct globe_push *push)
{
    struct thing *t = globe_thing(g, THING_PUSH);

    t->packet = globe_packet(gap_buf_view(&g->bytes));
    globe_send(g, t, what, push);
}

void globe_push_events(struct globe *g, const uint32_t *ns, uint32_t count,
                       const struct globe_push *push)
{
    dc_view_t view = globe_view(g);
    struct thing *t = globe_thing(g, THING_PUSH);

    gap_buf_clear(&g->bytes);
    int r = dc_model_push(g->model, &view, ns, count, &g->bytes);
    if (r < 0) (void)globe_must(NULL);
    if (r == DC_SEQ_USED) g->seq++;
    t->packet = globe_packet(gap_buf_view(&g->bytes));
    t->n_count = count;
    memcpy(t->ns, ns, count * sizeof *ns);
    globe_send(g, t, "", push);
}

void globe_container(struct globe *g, bool swapped, const struct globe_push *push)
{
    uint32_t count = g->packed_count;

    if (count == 0) return;
    g->packed_count = 0;
    if (swapped) {
        g->j.reasons++;
        for (uint32_t i = 0; i < count / 2; i++) {
            uint32_t n = g->packed[i];
            g->packed[i] = g->packed[count - 1 - i];
            g->packed[count - 1 - i] = n;
        }
    }
    globe_push_events(g, g->packed, count, push);
}

size_t globe_release(struct globe *g, const char *name)
{
    struct held_push *h = LIST_FIRST(&g->held);
    size_t count = 0;

    while (h != NULL) {
        struct held_push *next = LIST_NEXT(h, next);
        if (name == NULL || strncmp(h->name, name, GLOBE_NAME_MAX - 1) == 0) {
            LIST_REMOVE(h, next);
            if (g->o.line != NULL) globe_trace(g, "release %s", h->name);
            send_thing(g, h->thing, 0);
            free(h);
            count++;
        }
        h = next;
    }
    return count;
}

void globe_push_too_long(struct globe *g, int64_t channel, const struct globe_push *push)
{
    dc_view_t view = globe_view(g);

    gap_buf_clear(&g->bytes);
    if (dc_model_push_too_long(g->model, &view, channel, globe_wall_us(g), &g->bytes) < 0) return;
    g->j.reasons++;
    send_bytes(g, "updateChannelTooLong", push);
}

void globe_push_channel(struct globe *g, int64_t channel, const struct globe_push *push)
{
    dc_view_t view = globe_view(g);

    gap_buf_clear(&g->bytes);
    if (dc_model_push_channel(g->model, &view, channel, globe_wall_us(g), &g->bytes) < 0) return;
    g->j.reasons++;
    send_bytes(g, "updateChannel", push);
}

void globe_push_reset(struct globe *g, const struct globe_push *push)
{
    dc_view_t view = globe_view(g);

    gap_buf_clear(&g->bytes);
    if (dc_model_push_reset(g->model, &view, globe_wall_us(g), &g->bytes) < 0) return;
    g->j.reasons++;
    judge_cause(g, BOX_COMMON);
    struct thing *t = globe_thing(g, THING_PUSH);
    t->packet = globe_packet(gap_buf_view(&g->bytes));
    t->resets = true;
    globe_send(g, t, "updatePtsChanged", push);
}

void globe_push_updates_too_long(struct globe *g, const struct globe_push *push)
{
    gap_buf_clear(&g->bytes);
    if (gap_buf_append32(&g->bytes, GAP_TL_UPDATES_TOO_LONG) < 0) (void)globe_must(NULL);
    g->j.reasons++;
    send_bytes(g, "updatesTooLong", push);
}

void globe_push_garbage(struct globe *g)
{
    struct globe_push sent = {GLOBE_SENT, 0, NULL};
    struct thing *t = globe_thing(g, THING_PUSH);
    uint8_t bytes[16];

    memset(bytes, 0x5a, sizeof bytes);
    t->packet = globe_packet(gap_bytes(bytes, sizeof bytes));
    t->garbage = true;
    g->j.reasons++;
    globe_send(g, t, "garbage", &sent);
}

/* ---- arriving ---- */

static void connect_again(struct globe *g)
{
    struct thing *t;

    if (g->connected || !g->alive) return;
    g->connected = true;
    g->connection++;
    globe_trace(g, "connected%s", g->resumed ? ", the session goes on" : ", a new session");
    if (!g->resumed) {
        t = globe_thing(g, THING_SESSION);
        t->connection = g->connection;
        globe_put(g, t, g->now_us + g->o.push_ms * MS);
    }
    while ((t = STAILQ_FIRST(&g->backlog)) != NULL) {
        STAILQ_REMOVE_HEAD(&g->backlog, next);
        if (t->kind == THING_PUSH)
            send_thing(g, t, 0);
        else
            globe_put(g, t, g->now_us + globe_travel_us(g, g->o.query_ms));
    }
}

/* Taken. */
static void arrive(struct globe *g, struct thing *t)
{
    switch (t->kind) {
    case THING_PUSH:
    case THING_SESSION:
    case THING_ANSWER:
    case THING_RESULT:
        STAILQ_INSERT_TAIL(&g->socket, t, next);
        return;
    case THING_QUERY:
        globe_serve(g, t);
        return;
    case THING_OWN:
        globe_serve_own(g, t);
        return;
    case THING_CONNECT:
        globe_thing_free(t);
        connect_again(g);
        return;
    case THING_START:
        globe_thing_free(t);
        globe_birth(g);
        return;
    case THING_WRITTEN:
        globe_written(g, t);
        return;
    default:
        STAILQ_INSERT_TAIL(&g->host, t, next);
        return;
    }
}

void globe_happen(struct globe *g)
{
    while (globe_due(g) <= g->now_us) {
        gap_heap_node_t *first = gap_heap_min(&g->way);
        gap_heap_remove(&g->way, first);
        arrive(g, globe_thing_of(first));
    }
}

bool globe_readable(const struct globe *g)
{
    /* While the network stalls what has arrived is not there yet, in its order. */
    return !STAILQ_EMPTY(&g->socket) && g->now_us >= g->socket_stall_us &&
           g->now_us >= g->net_stall_us;
}

struct thing *globe_read(struct globe *g)
{
    if (!globe_readable(g)) return NULL;
    struct thing *t = STAILQ_FIRST(&g->socket);
    STAILQ_REMOVE_HEAD(&g->socket, next);
    return t;
}

/* ---- the connection ---- */

static bool rides(const struct thing *t)
{
    switch (t->kind) {
    case THING_PUSH:
    case THING_SESSION:
    case THING_ANSWER:
    case THING_RESULT:
    case THING_QUERY:
    case THING_OWN:
        return true;
    default:
        return false;
    }
}

/* What was under way is gone, or comes later. */
static void strand(struct globe *g, struct thing *t)
{
    bool own = t->kind == THING_OWN || t->kind == THING_RESULT || t->kind == THING_PUSH;

    if (t->kind != THING_QUERY && t->kind != THING_ANSWER) g->j.reasons++;
    if (g->resumed && own)
        STAILQ_INSERT_TAIL(&g->backlog, t, next);
    else
        globe_thing_free(t);
}

static bool is_push(const struct thing *t)
{
    return t->kind == THING_PUSH || t->kind == THING_RESULT || t->kind == THING_OWN;
}

bool globe_is_busy(const struct globe *g)
{
    for (size_t i = 0; i < GLOBE_CALLS; i++) {
        if (g->calls[i].number != 0) return true;
    }
    for (size_t i = 0; i < g->way.count; i++) {
        if (is_push(globe_thing_of(g->way.nodes[i]))) return true;
    }
    return !STAILQ_EMPTY(&g->socket) || !STAILQ_EMPTY(&g->backlog);
}

void globe_strand(struct globe *g)
{
    struct thing *t;

    while (!g->resumed && (t = STAILQ_FIRST(&g->backlog)) != NULL) {
        STAILQ_REMOVE_HEAD(&g->backlog, next);
        globe_thing_free(t);
    }
    for (size_t i = 0; i < g->way.count;) {
        t = globe_thing_of(g->way.nodes[i]);
        if (!rides(t)) {
            i++;
            continue;
        }
        gap_heap_remove(&g->way, &t->node);
        strand(g, t);
        i = 0;
    }
}

void globe_cut(struct globe *g, uint32_t ms, bool resumed)
{
    if (!g->connected) return;
    globe_trace(g, "connection lost for %u ms", (unsigned)ms);
    g->connected = false;
    g->resumed = resumed;
    g->j.reasons++;
    g->connect_us = g->now_us + ms * MS;
    globe_strand(g);
    globe_fail_calls(g, GAP_E_DISCONNECTED);
    globe_put(g, globe_thing(g, THING_CONNECT), g->connect_us);
}

static void extend(uint64_t *until, uint64_t us)
{
    if (us > *until) *until = us;
}

void globe_stall_network(struct globe *g, uint32_t ms)
{
    globe_trace(g, "network stalls for %u ms", (unsigned)ms);
    g->j.reasons++;
    extend(&g->net_stall_us, g->now_us + ms * MS);
}

void globe_stall_socket(struct globe *g, uint32_t ms)
{
    globe_trace(g, "socket is not read for %u ms", (unsigned)ms);
    extend(&g->socket_stall_us, g->now_us + ms * MS);
}

void globe_stall_host(struct globe *g, uint32_t ms)
{
    globe_trace(g, "host stalls for %u ms", (unsigned)ms);
    extend(&g->host_stall_us, g->now_us + ms * MS);
}

void globe_suspend(struct globe *g, uint32_t ms, bool counts, bool cut)
{
    globe_trace(g, "host sleeps for %u ms%s", (unsigned)ms, counts ? "" : ", its clock as well");
    if (cut) globe_cut(g, ms, false);
    if (g->host_stall_us > g->now_us) counts = true; /* asleep already */
    extend(&g->host_stall_us, g->now_us + ms * MS);
    if (!counts) g->asleep_us += ms * MS;
}

void globe_clock_jump(struct globe *g, int32_t seconds)
{
    globe_trace(g, "the server's clock jumps by %d s", (int)seconds);
    g->wall_us += (int64_t)seconds * 1000000;
}

void globe_forget_all(struct globe *g)
{
    struct held_push *h;
    struct thing *t;
    gap_heap_node_t *node;

    while ((node = gap_heap_min(&g->way)) != NULL) {
        gap_heap_remove(&g->way, node);
        globe_thing_free(globe_thing_of(node));
    }
    struct thing_list *lists[] = {&g->socket, &g->host, &g->backlog};
    for (size_t i = 0; i < GAP_ARRAY_LEN(lists); i++) {
        while ((t = STAILQ_FIRST(lists[i])) != NULL) {
            STAILQ_REMOVE_HEAD(lists[i], next);
            globe_thing_free(t);
        }
    }
    while ((h = LIST_FIRST(&g->held)) != NULL) {
        LIST_REMOVE(h, next);
        globe_thing_free(h->thing);
        free(h);
    }
}
