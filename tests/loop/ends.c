/* tests/loop/ends.c - see ends.h. */
#include "tests/loop/ends.h"

#include <check.h>
#include <string.h>

static void in(struct end *e)
{
    ck_assert_msg(e->depth++ == 0, "%s: a callback inside a callback", e->w->name);
    ck_assert_msg(e->closed == 0, "%s: a callback after closed", e->w->name);
}

static void end_connected(gap_stream_t *s, int status)
{
    struct end *e = s->arg;

    in(e);
    e->connected++;
    e->connect_status = status;
    if (e->on_connected != NULL) e->on_connected(e);
    e->depth--;
}

static void end_alloc(gap_stream_t *s, uint8_t **buf, size_t *cap)
{
    struct end *e = s->arg;

    in(e);
    *buf = e->buf;
    *cap = e->cap;
    e->depth--;
}

static void end_read(gap_stream_t *s, ssize_t n)
{
    struct end *e = s->arg;

    in(e);
    ck_assert_msg(e->ended == 0, "%s: a read after the end", e->w->name);
    ck_assert_msg(n <= (ssize_t)e->cap, "%s: more read than there was room", e->w->name);
    e->reads++;
    if (n < 0) {
        e->ended++;
        e->end_status = (int)n;
    } else if (n > 0) {
        ck_assert_int_eq(gap_buf_append(&e->rx, e->buf, (size_t)n), 0);
    }
    if (e->on_read != NULL) e->on_read(e, n);
    e->depth--;
}

static void end_closed(gap_stream_t *s)
{
    struct end *e = s->arg;

    in(e);
    e->closed++;
    e->s = NULL;
    e->depth--;
}

const struct gap_stream_events end_events = {end_connected, end_alloc, end_read, end_closed};

static void end_init(struct end *e, world_t *w)
{
    e->w = w;
    e->cap = sizeof e->buf;
    gap_buf_init(&e->rx, gap_alloc_default());
}

static void on_accepted(gap_listener_t *l, gap_stream_t *s)
{
    struct pair *p = l->arg;

    p->accepted++;
    p->server.s = s;
    s->events = &end_events;
    s->arg = &p->server;
}

static void on_listener_closed(gap_listener_t *l)
{
    struct pair *p = l->arg;

    p->listener_closed++;
    p->listener = NULL;
}

void pair_listen(struct pair *p, world_t *w)
{
    gap_addr_t at;

    memset(p, 0, sizeof *p);
    p->w = w;
    end_init(&p->client, w);
    end_init(&p->server, w);
    ck_assert_int_eq(gap_addr_parse("127.0.0.1:0", &at), 0);
    ck_assert_int_eq(
        w->env->ops->listen(w->env, &at, p, on_accepted, on_listener_closed, &p->listener), 0);
    ck_assert_uint_ne(p->listener->addr.port, 0);
}

void pair_connect(struct pair *p)
{
    gap_env_t *env = p->w->env;

    ck_assert_int_eq(
        env->ops->connect(env, &p->listener->addr, &end_events, &p->client, &p->client.s), 0);
    ck_assert_msg(p->client.connected == 0, "%s: connected from inside connect", p->w->name);
}

static bool is_up(void *arg)
{
    struct pair *p = arg;

    return p->client.connected > 0 && p->accepted > 0;
}

void pair_open(struct pair *p, world_t *w)
{
    pair_listen(p, w);
    pair_connect(p);
    ck_assert_msg(w->until(w, is_up, p, 10000), "%s: no connection", w->name);
    ck_assert_int_eq(p->client.connect_status, 0);
}

static bool is_down(void *arg)
{
    struct pair *p = arg;

    return p->client.s == NULL && p->server.s == NULL && p->listener == NULL;
}

void pair_close(struct pair *p)
{
    const struct gap_env_ops *ops = p->w->env->ops;
    int expected[3] = {p->client.s != NULL, p->server.s != NULL, p->listener != NULL};
    int before[3] = {p->client.closed, p->server.closed, p->listener_closed};

    for (int i = 0; i < 2; i++) { /* twice: close is idempotent */
        if (p->client.s != NULL) ops->close(p->client.s);
        if (p->server.s != NULL) ops->close(p->server.s);
        if (p->listener != NULL) ops->close_listener(p->listener);
    }
    ck_assert_int_eq(p->client.closed, before[0]);
    ck_assert_int_eq(p->server.closed, before[1]);
    ck_assert_int_eq(p->listener_closed, before[2]);
    ck_assert_msg(p->w->until(p->w, is_down, p, 10000), "%s: not closed", p->w->name);
    world_run(p->w, 5);
    ck_assert_int_eq(p->client.closed, before[0] + expected[0]);
    ck_assert_int_eq(p->server.closed, before[1] + expected[1]);
    ck_assert_int_eq(p->listener_closed, before[2] + expected[2]);
    gap_buf_fini(&p->client.rx);
    gap_buf_fini(&p->server.rx);
}

static void out_done(gap_write_t *w, int status)
{
    struct out *o = GAP_CONTAINER_OF(w, struct out, w);

    in(o->e);
    o->done++;
    o->status = status;
    o->e->depth--;
}

void out_write(struct out *o, struct end *e, const void *data, size_t len)
{
    memset(o, 0, sizeof *o);
    o->e = e;
    o->w.bytes = gap_bytes(data, len);
    o->w.done = out_done;
    e->w->env->ops->write(e->s, &o->w);
    ck_assert_msg(o->done == 0, "%s: done from inside write", e->w->name);
}

/* ---- conditions ---- */

bool out_is_done(void *arg)
{
    struct out *o = arg;

    return o->done > 0;
}

bool pair_server_has_bytes(void *arg)
{
    struct pair *p = arg;

    return gap_buf_view(&p->server.rx).len > 0;
}

bool pair_server_has_all(void *arg)
{
    struct pair *p = arg;

    return gap_buf_view(&p->server.rx).len >= p->expected;
}

bool pair_client_ended(void *arg)
{
    return ((struct pair *)arg)->client.ended > 0;
}
bool pair_client_connected(void *arg)
{
    return ((struct pair *)arg)->client.connected > 0;
}

/* ---- a host that keeps books ---- */

static void host_turn(void *arg, bool drained)
{
    struct host *h = arg;

    ck_assert_msg(h->depth == 1, "%s: a turn outside the brackets", h->w->name);
    h->turns++;
    if (drained) h->drained_turns++;
    h->last_us = gap_env_now_us(h->w->env);
    if (h->idle_turns_left > 0 && --h->idle_turns_left == 0)
        h->w->env->ops->set_idle(h->w->env, false);
}

static void host_enter(void *arg)
{
    struct host *h = arg;

    h->entered++;
    ck_assert_msg(h->depth++ == 0, "%s: an entry inside an entry", h->w->name);
}

static void host_leave(void *arg, bool was_turn)
{
    struct host *h = arg;

    (void)was_turn;
    ck_assert_msg(--h->depth == 0, "%s: a leave without an entry", h->w->name);
}

void host_attach(struct host *h, world_t *w)
{
    memset(h, 0, sizeof *h);
    h->w = w;
    h->host.turn = host_turn;
    h->host.enter = host_enter;
    h->host.leave = host_leave;
    h->host.arg = h;
    w->env->ops->attach(w->env, &h->host);
}

bool host_has_turned(void *arg)
{
    return ((struct host *)arg)->turns > 0;
}
