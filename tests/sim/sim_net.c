/*
 * tests/sim/sim_net.c - streams and listeners of the virtual world.
 *
 * A connection is two streams that know each other. Writing puts segments with a time of arrival
 * into the other's queue; order is kept, as TCP does. The end of a stream is a segment too. A
 * connect takes one way to reach the listener, where the other stream is made and waits to be
 * accepted, and one way back.
 *
 * Owns: segments and streams until their closed callback. Never: runs a callback outside the phases
 * that sim_env.c calls.
 */
#include "tests/sim/sim_env_in.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READS_IN_A_POLL 32

static sim_stream_t *stream_of(gap_stream_t *pub)
{
    return (sim_stream_t *)(void *)pub;
}

/* ---- segments ---- */

static void send_segment(sim_stream_t *to, const struct gap_bytes *bytes, int end)
{
    sim_t *sim = to->host->sim;
    size_t len = bytes != NULL ? bytes->len : 0;
    struct sim_segment *seg = sim_alloc(sizeof *seg + len);
    uint64_t at = sim->now_us + sim->options.latency_us + sim_below(sim, sim->options.jitter_us);

    if (len > 0) memcpy(seg->bytes, bytes->data, len);
    seg->len = len;
    seg->end = end;
    seg->at_us = at > to->rx_last_us ? at : to->rx_last_us;
    to->rx_last_us = seg->at_us;
    to->rx_bytes += len;
    STAILQ_INSERT_TAIL(&to->rx, seg, link);
}

static void drop_first(sim_stream_t *s)
{
    struct sim_segment *seg = STAILQ_FIRST(&s->rx);

    STAILQ_REMOVE_HEAD(&s->rx, link);
    s->rx_bytes -= seg->len - seg->taken;
    free(seg);
}

static uint64_t arrival_us(const sim_t *sim, uint64_t at_us)
{
    return at_us > sim->net_up_us ? at_us : sim->net_up_us;
}

/* The first segment if it has arrived. */
static struct sim_segment *arrived(const sim_stream_t *s)
{
    const sim_t *sim = s->host->sim;
    struct sim_segment *seg = STAILQ_FIRST(&s->rx);

    return seg != NULL && arrival_us(sim, seg->at_us) <= sim->now_us ? seg : NULL;
}

/* The connection breaks; @p lossy: what is in flight is lost with it. */
static void reset(sim_stream_t *s, bool lossy)
{
    sim_stream_t *ends[2] = {s, s->peer};

    for (size_t i = 0; i < 2; i++) {
        sim_stream_t *e = ends[i];
        struct sim_segment *seg;
        if (e == NULL) continue;
        if (lossy) {
            struct sim_segment *keep = NULL;
            STAILQ_FOREACH (seg, &e->rx, link) {
                if (seg->at_us <= e->host->sim->now_us) keep = seg;
            }
            while ((seg = keep == NULL ? STAILQ_FIRST(&e->rx) : STAILQ_NEXT(keep, link)) != NULL) {
                e->rx_bytes -= seg->len - seg->taken;
                STAILQ_REMOVE(&e->rx, seg, sim_segment, link);
                free(seg);
            }
        }
        e->peer = NULL;
        if (e->write_error == 0) e->write_error = -ECONNRESET;
        send_segment(e, NULL, -ECONNRESET);
    }
}

void sim_cut_all(sim_t *sim)
{
    sim_host_t *h;
    sim_stream_t *s;

    TAILQ_FOREACH (h, &sim->hosts, link) {
        TAILQ_FOREACH (s, &h->streams, link) {
            if (s->peer != NULL) reset(s, true);
        }
    }
}

void sim_cut_at_byte(sim_t *sim, uint64_t byte)
{
    sim->cut_at_byte = byte;
}

uint64_t sim_bytes_sent(const sim_t *sim)
{
    return sim->bytes_sent;
}

void sim_net_down(sim_t *sim, uint64_t us)
{
    sim->net_up_us = sim->now_us + us;
}

/* ---- writing ---- */

static void list_push(struct sim_writes *list, gap_write_t *w)
{
    w->next = NULL;
    if (list->head == NULL) {
        list->head = w;
    } else {
        list->tail->next = w;
    }
    list->tail = w;
}

static gap_write_t *list_pop(struct sim_writes *list)
{
    gap_write_t *w = list->head;

    if (w != NULL) list->head = w->next;
    return w;
}

static size_t room(const sim_stream_t *s)
{
    size_t window = s->host->sim->options.window;

    if (s->peer == NULL) return window; /* nobody listens any more, but that is not known yet */
    return s->peer->rx_bytes < window ? window - s->peer->rx_bytes : 0;
}

static void send_some(sim_stream_t *s, gap_write_t *w, size_t n)
{
    sim_t *sim = s->host->sim;
    bool cut = sim->cut_at_byte > sim->bytes_sent && sim->cut_at_byte <= sim->bytes_sent + n;

    if (cut) n = (size_t)(sim->cut_at_byte - sim->bytes_sent);
    gap_bytes_t part = gap_bytes(w->bytes.data + w->at, n);
    sim->bytes_sent += n;
    w->at += n;
    if (s->peer != NULL && n > 0) send_segment(s->peer, &part, 0);
    if (cut) reset(s, false);
}

/* Hand pending bytes to the kernel until it takes no more. */
static void pump(sim_stream_t *s)
{
    sim_t *sim = s->host->sim;
    gap_write_t *w;

    while ((w = s->pending.head) != NULL && s->write_error == 0 && !s->held_back) {
        size_t left = w->bytes.len - w->at;
        size_t n = room(s) < left ? room(s) : left;
        if (n == 0 && left > 0) return;
        if (s->peer == NULL && !s->reading) {
            s->write_error = -EPIPE;
            return;
        }
        if (n > 1 && sim_chance(sim, sim->options.partial_writes)) {
            n = 1 + sim_below(sim, n - 1);
            s->held_back = true;
        }
        send_some(s, w, n);
        if (w->at == w->bytes.len) list_push(&s->finished, list_pop(&s->pending));
    }
}

void sim_write(gap_stream_t *pub, gap_write_t *w)
{
    sim_stream_t *s = stream_of(pub);

    GAP_ASSERT(!s->host->sim->in_thread);
    w->at = 0;
    list_push(&s->pending, w);
    if (!s->closing && !s->connecting && s->pending.head == w) pump(s);
}

bool sim_stream_reportable(const sim_stream_t *s)
{
    return s->finished.head != NULL || (s->write_error != 0 && s->pending.head != NULL);
}

void sim_stream_report(sim_stream_t *s)
{
    struct sim_writes finished = s->finished;
    gap_write_t *w;

    s->finished.head = NULL;
    while ((w = list_pop(&finished)) != NULL) w->done(w, 0);
    if (s->write_error == 0 || s->closing) return;
    struct sim_writes failed = s->pending;
    s->pending.head = NULL;
    while ((w = list_pop(&failed)) != NULL) w->done(w, s->write_error);
}

/* ---- polling ---- */

static bool can_send(const sim_stream_t *s)
{
    return s->pending.head != NULL && s->write_error == 0 && room(s) > 0;
}

bool sim_stream_pollable(const sim_stream_t *s)
{
    const sim_t *sim = s->host->sim;

    if (s->closing) return false;
    if (s->connecting)
        return s->outcome_us != GAP_ENV_NEVER && arrival_us(sim, s->outcome_us) <= sim->now_us;
    return (s->reading && arrived(s) != NULL) || can_send(s);
}

/* Up to @p cap bytes of what has arrived; stops before an end. */
static size_t take_bytes(sim_stream_t *s, uint8_t *buf, size_t cap)
{
    struct sim_segment *seg;
    size_t n = 0;

    while (n < cap && (seg = arrived(s)) != NULL && seg->end == 0) {
        size_t k = seg->len - seg->taken < cap - n ? seg->len - seg->taken : cap - n;
        memcpy(buf + n, seg->bytes + seg->taken, k);
        n += k;
        seg->taken += k;
        s->rx_bytes -= k;
        if (seg->taken == seg->len) drop_first(s);
    }
    return n;
}

/* One read; @p nothing: of no bytes. */
static void read_once(sim_stream_t *s, bool nothing)
{
    sim_t *sim = s->host->sim;
    struct sim_segment *seg = nothing ? NULL : arrived(s);
    uint8_t *buf = NULL;
    size_t cap = 0;

    s->pub.events->alloc(&s->pub, &buf, &cap);
    if (s->closing) return;
    ssize_t n = 0;
    if (cap == 0) {
        n = GAP_E_NOMEM;
    } else if (seg != NULL && seg->end != 0) {
        n = seg->end;
        drop_first(s);
    } else if (seg != NULL) {
        size_t most = sim->options.read_max == 0 ? cap : 1 + sim_below(sim, sim->options.read_max);
        n = (ssize_t)take_bytes(s, buf, most < cap ? most : cap);
    }
    if (n < 0) s->reading = false;
    s->pub.events->read(&s->pub, n);
}

static void report_connected(sim_stream_t *s)
{
    s->connecting = false;
    if (s->outcome == 0) {
        s->reading = true;
        s->host->unread = true; /* not polled yet */
        pump(s);
    } else {
        s->write_error = s->outcome;
    }
    s->pub.events->connected(&s->pub, s->outcome);
}

void sim_stream_poll(sim_stream_t *s)
{
    sim_t *sim = s->host->sim;
    unsigned reads = READS_IN_A_POLL;

    s->ready = false;
    if (s->connecting) {
        report_connected(s);
        return;
    }
    s->held_back = false;
    pump(s);
    if (sim->options.shuffle) reads = 1 + (unsigned)sim_below(sim, READS_IN_A_POLL);
    while (reads-- > 0 && s->reading && arrived(s) != NULL) read_once(s, false);
    if (s->reading && sim_chance(sim, sim->options.zero_reads)) read_once(s, true);
    if (s->reading && arrived(s) != NULL) s->host->unread = true;
}

void sim_listener_poll(sim_listener_t *l)
{
    sim_stream_t *s = TAILQ_FIRST(&l->queue);

    TAILQ_REMOVE(&l->queue, s, link);
    TAILQ_INSERT_TAIL(&l->host->streams, s, link);
    s->reading = true;
    l->host->unread = true; /* not polled yet */
    l->pub.accepted(&l->pub, &s->pub);
    GAP_ASSERT(s->pub.events != NULL);
}

/* ---- connecting ---- */

static sim_stream_t *stream_new(sim_host_t *h)
{
    sim_stream_t *s = gap_calloc(h->base.alloc, 1, sizeof *s);

    if (s == NULL) return NULL;
    s->host = h;
    s->outcome_us = GAP_ENV_NEVER;
    STAILQ_INIT(&s->rx);
    return s;
}

static void stream_free(sim_stream_t *s)
{
    while (!STAILQ_EMPTY(&s->rx)) drop_first(s);
    gap_free(s->host->base.alloc, s);
}

int sim_connect(gap_env_t *env, const gap_addr_t *to, const struct gap_stream_events *events,
                void *arg, gap_stream_t **out)
{
    sim_host_t *h = sim_host_of(env);
    sim_stream_t *s = stream_new(h);
    sim_t *sim = h->sim;

    GAP_ASSERT(!h->closing);
    GAP_ASSERT(!sim->in_thread);
    if (s == NULL) return GAP_E_NOMEM;
    s->pub.events = events;
    s->pub.arg = arg;
    s->to = *to;
    s->connecting = true;
    s->syn_us = sim->now_us + sim->options.latency_us + sim_below(sim, sim->options.jitter_us);
    TAILQ_INSERT_TAIL(&h->streams, s, link);
    *out = &s->pub;
    return 0;
}

static sim_listener_t *find_listener(sim_t *sim, const gap_addr_t *at)
{
    sim_host_t *h;
    sim_listener_t *l;

    TAILQ_FOREACH (h, &sim->hosts, link) {
        TAILQ_FOREACH (l, &h->listeners, link) {
            if (l->pub.addr.port == at->port && l->pub.addr.v6 == at->v6 &&
                memcmp(l->pub.addr.ip, at->ip, at->v6 ? 16 : 4) == 0)
                return l;
        }
    }
    return NULL;
}

static void syn_arrives(sim_stream_t *s)
{
    sim_t *sim = s->host->sim;
    sim_listener_t *l = find_listener(sim, &s->to);
    sim_stream_t *other = l != NULL ? stream_new(l->host) : NULL;

    s->outcome = other != NULL ? 0 : -ECONNREFUSED;
    s->outcome_us = sim->now_us + sim->options.latency_us + sim_below(sim, sim->options.jitter_us);
    if (other == NULL) return;
    other->peer = s;
    s->peer = other;
    s->rx_last_us = s->outcome_us;
    TAILQ_INSERT_TAIL(&l->queue, other, link);
}

void sim_net_arrive(sim_t *sim)
{
    sim_host_t *h;
    sim_stream_t *s;

    TAILQ_FOREACH (h, &sim->hosts, link) {
        TAILQ_FOREACH (s, &h->streams, link) {
            if (s->connecting && s->outcome_us == GAP_ENV_NEVER &&
                arrival_us(sim, s->syn_us) <= sim->now_us)
                syn_arrives(s);
        }
    }
}

static uint64_t stream_next_us(const sim_stream_t *s)
{
    const sim_t *sim = s->host->sim;
    const struct sim_segment *seg = STAILQ_FIRST(&s->rx);

    if (sim_stream_reportable(s)) return 0;
    if (s->connecting)
        return arrival_us(sim, s->outcome_us == GAP_ENV_NEVER ? s->syn_us : s->outcome_us);
    if (can_send(s)) return 0;
    return s->reading && seg != NULL ? arrival_us(sim, seg->at_us) : GAP_ENV_NEVER;
}

uint64_t sim_net_next_us(sim_host_t *h)
{
    uint64_t next = GAP_ENV_NEVER;
    sim_stream_t *s;
    sim_listener_t *l;

    if (!TAILQ_EMPTY(&h->closing_streams) || !TAILQ_EMPTY(&h->closing_listeners)) return 0;
    TAILQ_FOREACH (l, &h->listeners, link) {
        if (!TAILQ_EMPTY(&l->queue)) return 0;
    }
    TAILQ_FOREACH (s, &h->streams, link) {
        uint64_t at = stream_next_us(s);
        if (at < next) next = at;
    }
    return next;
}

int sim_listen(gap_env_t *env, const gap_addr_t *at, void *arg,
               void (*accepted)(gap_listener_t *, gap_stream_t *), void (*closed)(gap_listener_t *),
               gap_listener_t **out)
{
    sim_host_t *h = sim_host_of(env);
    gap_addr_t addr = *at;

    GAP_ASSERT(!h->closing);
    if (addr.port == 0) addr.port = h->sim->next_port++;
    if (find_listener(h->sim, &addr) != NULL) return -EADDRINUSE;
    sim_listener_t *l = gap_calloc(env->alloc, 1, sizeof *l);
    if (l == NULL) return GAP_E_NOMEM;
    l->pub.accepted = accepted;
    l->pub.closed = closed;
    l->pub.arg = arg;
    l->pub.addr = addr;
    l->host = h;
    TAILQ_INIT(&l->queue);
    TAILQ_INSERT_TAIL(&h->listeners, l, link);
    *out = &l->pub;
    return 0;
}

/* ---- closing ---- */

static void leave_peer(sim_stream_t *s, int end)
{
    if (s->peer == NULL) return;
    send_segment(s->peer, NULL, end);
    s->peer->peer = NULL;
    s->peer = NULL;
}

void sim_close(gap_stream_t *pub)
{
    sim_stream_t *s = stream_of(pub);

    GAP_ASSERT(!s->host->sim->in_thread);
    if (s->closing) return;
    s->closing = true;
    s->reading = false;
    s->ready = false;
    leave_peer(s, GAP_ENV_EOF);
    TAILQ_REMOVE(&s->host->streams, s, link);
    TAILQ_INSERT_TAIL(&s->host->closing_streams, s, link);
}

static void drop_queue(sim_listener_t *l)
{
    sim_stream_t *s;

    while ((s = TAILQ_FIRST(&l->queue)) != NULL) {
        TAILQ_REMOVE(&l->queue, s, link);
        leave_peer(s, -ECONNRESET);
        stream_free(s);
    }
}

void sim_close_listener(gap_listener_t *pub)
{
    sim_listener_t *l = (sim_listener_t *)(void *)pub;

    if (l->closing) return;
    l->closing = true;
    drop_queue(l);
    TAILQ_REMOVE(&l->host->listeners, l, link);
    TAILQ_INSERT_TAIL(&l->host->closing_listeners, l, link);
}

static void stream_closed(sim_stream_t *s)
{
    gap_write_t *w;

    if (s->connecting) s->pub.events->connected(&s->pub, GAP_ENV_ECANCELED);
    while ((w = list_pop(&s->finished)) != NULL) w->done(w, 0);
    while ((w = list_pop(&s->pending)) != NULL) w->done(w, GAP_ENV_ECANCELED);
    s->pub.events->closed(&s->pub);
    stream_free(s);
}

/* Last closed first, as libuv does it, or at random. */
static sim_stream_t *closing_stream(sim_host_t *h)
{
    sim_stream_t *s = TAILQ_LAST(&h->closing_streams, sim_stream_list);
    size_t back = h->sim->options.shuffle ? sim_below(h->sim, 4) : 0;

    for (; s != NULL && back > 0; back--) {
        sim_stream_t *before = TAILQ_PREV(s, sim_stream_list, link);
        if (before == NULL) break;
        s = before;
    }
    return s;
}

void sim_close_phase(sim_host_t *h)
{
    sim_stream_t *s;
    sim_listener_t *l;
    size_t count = 0;

    sim_enter(h);
    TAILQ_FOREACH (s, &h->closing_streams, link) count++;
    for (; count > 0; count--) {
        s = closing_stream(h);
        TAILQ_REMOVE(&h->closing_streams, s, link);
        stream_closed(s);
    }
    while ((l = TAILQ_FIRST(&h->closing_listeners)) != NULL) {
        TAILQ_REMOVE(&h->closing_listeners, l, link);
        l->pub.closed(&l->pub);
        gap_free(h->base.alloc, l);
    }
    sim_leave(h, false);
}

size_t sim_net_drop(sim_host_t *h)
{
    size_t count = 0;
    sim_stream_t *s;
    sim_listener_t *l;

    while ((s = TAILQ_FIRST(&h->streams)) != NULL) sim_close(&s->pub);
    while ((l = TAILQ_FIRST(&h->listeners)) != NULL) sim_close_listener(&l->pub);
    while ((s = TAILQ_FIRST(&h->closing_streams)) != NULL) {
        TAILQ_REMOVE(&h->closing_streams, s, link);
        stream_free(s);
        count++;
    }
    while ((l = TAILQ_FIRST(&h->closing_listeners)) != NULL) {
        TAILQ_REMOVE(&h->closing_listeners, l, link);
        gap_free(h->base.alloc, l);
        count++;
    }
    return count;
}
