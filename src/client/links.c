/*
 * client/links.c - the table of further links, and the calls on them.
 *
 * Owns links and the calls that wait; a call in flight belongs to its link, which answers each one.
 * Nothing here calls the host from inside a call of the host's: what ends early ends in a tick.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

/* ---- calls that wait ---- */

int client_links_wait(struct client_calls *list, struct client_call *call)
{
    struct client_links *s = &call->client->links;

    if (s->waiting >= GAP_CLIENT_WAITING_MAX ||
        call->query_len > GAP_CLIENT_WAITING_BYTES_MAX - s->waiting_bytes)
        return GAP_E_LIMIT;
    s->waiting++;
    s->waiting_bytes += call->query_len;
    call->link = NULL;
    TAILQ_INSERT_TAIL(list, call, next);
    return 0;
}

struct client_call *client_links_next(gap_client_t *c, struct client_calls *list)
{
    struct client_call *call = TAILQ_FIRST(list);

    if (call == NULL) return NULL;
    TAILQ_REMOVE(list, call, next);
    c->links.waiting--;
    c->links.waiting_bytes -= call->query_len;
    return call;
}

void client_links_take(gap_client_t *c, struct client_calls *from, struct client_calls *to)
{
    struct client_call *call;

    while ((call = client_links_next(c, from)) != NULL) TAILQ_INSERT_TAIL(to, call, next);
}

void client_links_end_all(struct client_calls *list, const struct gap_call_result *result)
{
    struct client_call *call;

    while ((call = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, call, next);
        client_call_end(call, result);
    }
}

/* One that is sent may land in this very list again, so it is emptied first. */
void client_links_send_all(gap_client_t *c, struct client_calls *list)
{
    struct client_calls calls = TAILQ_HEAD_INITIALIZER(calls);
    struct client_call *call;

    client_links_take(c, list, &calls);
    while ((call = TAILQ_FIRST(&calls)) != NULL) {
        TAILQ_REMOVE(&calls, call, next);
        int r = c->closing ? GAP_E_CLOSED : client_links_send(call);
        if (r < 0) client_call_end_with(call, r);
    }
}

/* ---- answers ---- */

static bool is_home(const struct client_link *l)
{
    return l->dc == l->client->session.main_dc;
}

static bool wait_on(struct client_link *l, struct client_call *call)
{
    call->repeated = client_links_wait(&l->waiting, call) == 0;
    return call->repeated;
}

/* Was it the link's fault, or that of its authorisation? Then the call is sent once more. */
static bool repeat(struct client_link *l, struct client_call *call,
                   const struct gap_call_result *result)
{
    bool refused = l->refused;

    l->refused = false;
    if (!client_links_are_open(call->client) || call->repeated) return false;
    if (result->status == GAP_E_CLOSED) {
        if (l->state == CLIENT_LINK_RENEWING) return wait_on(l, call);
        call->repeated = true;
        return l->state == CLIENT_LINK_CLOSING && client_links_send(call) == 0;
    }
    if (is_home(l) || l->state == CLIENT_LINK_CLOSING) return false;
    /* The link has given up and says why in a moment. */
    if (result->status == GAP_E_TRANSPORT) return wait_on(l, call);
    if (result->status != GAP_E_RPC) return false;
    bool elsewhere = gap_bytes_equal(result->error_name, gap_str("USER_MIGRATE")) &&
                     result->error_value == l->client->session.main_dc;
    if ((!refused && !elsewhere) || !wait_on(l, call)) return false;
    if (result->error_code == 406 ||
        gap_bytes_equal(result->error_name, gap_str("AUTH_KEY_INVALID")))
        client_link_renew(l);
    else if (l->state == CLIENT_LINK_OPEN)
        client_link_lapsed(l);
    return true;
}

static void on_answer(void *arg, gap_call_id_t id, const struct gap_call_result *result)
{
    struct client_call *call = arg;
    struct client_link *l = call->link;

    (void)id;
    l->in_flight--;
    if (result->status == 0) l->renewed = false;
    if (repeat(l, call, result)) return;
    if (l->state == CLIENT_LINK_OPEN) client_link_plan(l);
    if (!client_links_follow(call, result)) client_call_end(call, result);
}

static bool ends_with(gap_bytes_t name, const char *end)
{
    size_t len = strlen(end);
    return name.len >= len && memcmp(name.data + name.len - len, end, len) == 0;
}

/* Once more, elsewhere. */
static bool send_again(struct client_call *call)
{
    int r = client_links_send(call);
    if (r < 0) client_call_end_with(call, r);
    return true;
}

bool client_links_follow(struct client_call *call, const struct gap_call_result *result)
{
    gap_client_t *c = call->client;
    gap_bytes_t name = result->error_name;

    if (!client_links_are_open(c)) return false;
    if (result->status == GAP_E_CLOSED && c->links.moved && !call->repeated && !call->once) {
        call->repeated = true;
        return client_links_wait(&c->links.moving, call) == 0;
    }
    if (result->status != GAP_E_RPC || result->error_code != 303 || !ends_with(name, "_MIGRATE") ||
        result->error_value <= 0 || call->hops >= GAP_CLIENT_HOPS_MAX ||
        gap_bytes_equal(name, gap_str("PHONE_MIGRATE")) ||
        gap_bytes_equal(name, gap_str("NETWORK_MIGRATE")))
        return false;
    call->hops++;
    if (gap_bytes_equal(name, gap_str("USER_MIGRATE"))) {
        bool home = call->link == NULL || is_home(call->link);
        if (!home || !client_links_move(c, result->error_value)) return false;
        return client_links_wait(&c->links.moving, call) == 0;
    }
    call->dc = result->error_value;
    if (gap_bytes_equal(name, gap_str("FILE_MIGRATE"))) call->kind = GAP_CONNECTION_MEDIA;
    return send_again(call);
}

/* ---- sending ---- */

/* Updates are for the main link alone. */
static int put(struct client_link *l, struct client_call *call)
{
    static const struct gap_call_options options = {.flags = GAP_CALL_WITHOUT_UPDATES};
    gap_tl_object_t query = {call->query, call->query_len, NULL, call->id};

    call->link = l;
    int r = gap_link_call(l->link, query, &options, on_answer, call, NULL);
    if (r == 0) l->in_flight++;
    return r;
}

static int wait_for_config(struct client_call *call)
{
    gap_client_t *c = call->client;

    if (c->links.config_known && call->hops == 0) return GAP_E_NOT_FOUND;
    int r = client_links_wait(&c->links.unplaced, call);
    if (r == 0) client_links_ask_config(c);
    return r;
}

int client_links_send(struct client_call *call)
{
    gap_client_t *c = call->client;
    int32_t dc = call->dc == 0 ? c->session.main_dc : call->dc;
    struct client_link *l = NULL;

    call->link = NULL;
    if (dc == c->session.main_dc && call->kind == GAP_CONNECTION_MAIN)
        return client_call_main(call);
    if (!client_links_are_open(c)) return GAP_E_CLOSED;
    if (!client_dc_is_known(c, dc)) return wait_for_config(call);
    int r = client_link_get(c, dc, call->kind, &l);
    if (r < 0) return r;
    if (l->state != CLIENT_LINK_OPEN) return client_links_wait(&l->waiting, call);
    r = put(l, call);
    client_link_plan(l);
    return r;
}

void client_link_opened(struct client_link *l)
{
    struct client_call *call;

    l->state = CLIENT_LINK_OPEN;
    while (l->state == CLIENT_LINK_OPEN &&
           (call = client_links_next(l->client, &l->waiting)) != NULL) {
        int r = put(l, call);
        if (r < 0) client_call_end_with(call, r);
    }
    if (l->state == CLIENT_LINK_OPEN) client_link_plan(l);
}

/* ---- what a link tells ---- */

static void on_state(void *arg, enum gap_link_state state, const struct gap_link_down *down)
{
    struct client_link *l = arg;

    l->ready = state == GAP_LINK_READY;
    if (l->ready && l->state == CLIENT_LINK_CONNECTING) client_link_join(l);
    if (down != NULL)
        gap_rt_log(&l->client->rt, GAP_LOG_INFO, "no connection to data centre %d: %s", l->dc,
                   gap_strerror(down->status));
}

static void on_auth_key(void *arg, const uint8_t *auth_key, uint64_t server_salt)
{
    struct client_link *l = arg;
    struct gap_session_dc *d = client_dc_make(l->client, l->dc);

    if (d == NULL || l->state == CLIENT_LINK_CLOSING) return; /* as long as the link lives */
    memcpy(d->key, auth_key, sizeof d->key);
    d->salt = server_salt;
    d->has_key = true;
    d->authorised = false;
}

static void on_updates(void *arg, gap_bytes_t object, gap_packet_t *packet)
{
    struct client_link *l = arg;

    (void)packet;
    gap_rt_log(&l->client->rt, GAP_LOG_DEBUG, "%zu bytes of updates from data centre %d ignored",
               object.len, l->dc);
}

static void on_updates_missed(void *arg)
{
    (void)arg; /* the main link's business */
}

static void on_undecodable(void *arg, int status)
{
    struct client_link *l = arg;
    gap_rt_log(&l->client->rt, GAP_LOG_WARN, "a message of data centre %d can't be read: %s", l->dc,
               gap_strerror(status));
}

/* With the account's own key it means what it means on the main link. */
static void on_unauthorized(void *arg, int32_t code, gap_bytes_t name)
{
    struct client_link *l = arg;

    l->refused = true;
    if (is_home(l)) client_signed_out(l->client, code, name);
}

static void on_fatal(void *arg, int status, int32_t code)
{
    struct client_link *l = arg;
    bool forgotten = status == GAP_E_TRANSPORT && code == -404;

    if (l->state == CLIENT_LINK_CLOSING) return;
    if (forgotten && !is_home(l) && !l->renewed)
        client_link_renew(l);
    else
        client_link_fail_with(l, status);
}

static const struct gap_link_events link_events = {
    .state = on_state,
    .auth_key_created = on_auth_key,
    .updates = on_updates,
    .updates_missed = on_updates_missed,
    .undecodable = on_undecodable,
    .unauthorized = on_unauthorized,
    .fatal = on_fatal,
};

/* ---- a link's life ---- */

static void on_timer(gap_rt_t *rt, gap_timer_t *timer)
{
    struct client_link *l = GAP_CONTAINER_OF(timer, struct client_link, timer);

    (void)rt;
    if (l->state == CLIENT_LINK_OPEN) {
        if (l->in_flight == 0) client_link_close(l);
    } else if (l->state != CLIENT_LINK_CLOSING) {
        client_link_fail_with(l, GAP_E_TIMEOUT);
    }
}

static void arm(struct client_link *l, uint64_t deadline_us)
{
    int r = gap_timer_start(&l->client->rt, &l->timer, deadline_us);
    GAP_ASSERT(r == 0); /* its place is kept from the beginning */
}

void client_link_plan(struct client_link *l)
{
    const struct client_links *s = &l->client->links;
    uint64_t now = gap_rt_now_us(&l->client->rt);

    if (l->state == CLIENT_LINK_OPEN) arm(l, l->in_flight > 0 ? UINT64_MAX : now + s->idle_us);
    if (l->state == CLIENT_LINK_CONNECTING) arm(l, now + s->join_us);
}

static void on_closed(void *arg)
{
    struct client_link *l = arg;

    l->link = NULL;
    l->ready = false;
    if (l->state == CLIENT_LINK_RENEWING) {
        int r = client_link_begin(l);
        if (r < 0) client_link_fail_with(l, r);
        return;
    }
    client_link_gone(l);
}

void client_link_reopen(struct client_link *l)
{
    gap_link_close(l->link, on_closed, l);
}

void client_link_gone(struct client_link *l)
{
    gap_client_t *c = l->client;

    if (l->state != CLIENT_LINK_CLOSING || l->link != NULL || l->asking) return;
    GAP_ASSERT(TAILQ_EMPTY(&l->waiting));
    LIST_REMOVE(l, list);
    gap_timer_stop(&c->rt, &l->timer);
    gap_free(c->alloc, l);
    gap_loop_drop(&c->rt, &c->links.loop);
}

void client_link_close(struct client_link *l)
{
    bool closes = l->state == CLIENT_LINK_RENEWING; /* the present one does already */

    if (l->state == CLIENT_LINK_CLOSING) return;
    l->state = CLIENT_LINK_CLOSING;
    arm(l, UINT64_MAX);
    if (l->link != NULL && !closes) gap_link_close(l->link, on_closed, l);
    if (l->link == NULL) client_link_gone(l);
}

static bool may_speak(struct client_link *l)
{
    const struct gap_session_dc *d = client_dc(l->client, l->dc);
    return d != NULL && d->has_key && (d->authorised || is_home(l));
}

int client_link_begin(struct client_link *l)
{
    gap_client_t *c = l->client;
    struct client_target target;
    bool speaks = may_speak(l);

    l->state = CLIENT_LINK_WAITING;
    if (!speaks && client_link_has_joiner(l)) return 0;
    if (!speaks && is_home(l)) return GAP_E_LIMIT; /* no room for the account's own key */
    int r = client_dc_target(c, l->dc, l->kind == GAP_CONNECTION_MEDIA && speaks, &target);
    if (r == 0) r = gap_link_open(&c->rt, &target.link, &link_events, l, &l->link);
    if (r < 0) return r;
    if (speaks) {
        client_link_opened(l);
    } else {
        l->state = CLIENT_LINK_CONNECTING;
        client_link_plan(l);
    }
    return 0;
}

/* @return there is room for one more. */
static bool make_room(gap_client_t *c)
{
    struct client_link *idle = NULL;
    struct client_link *l;
    unsigned count = 0;

    LIST_FOREACH (l, &c->links.list, list) {
        if (l->state == CLIENT_LINK_CLOSING) continue;
        count++;
        if (l->state == CLIENT_LINK_OPEN && l->in_flight == 0) idle = l;
    }
    if (count < GAP_CLIENT_LINKS_MAX) return true;
    if (idle != NULL) client_link_close(idle);
    return idle != NULL;
}

int client_link_get(gap_client_t *c, int32_t dc, gap_connection_kind_t kind,
                    struct client_link **out)
{
    struct client_link *l;

    LIST_FOREACH (l, &c->links.list, list) {
        if (l->dc != dc || l->kind != kind || l->state == CLIENT_LINK_CLOSING) continue;
        *out = l;
        return 0;
    }
    if (!make_room(c)) return GAP_E_LIMIT;
    l = gap_calloc(c->alloc, 1, sizeof *l);
    if (l == NULL) return GAP_E_NOMEM;
    l->client = c;
    l->dc = dc;
    l->kind = kind;
    TAILQ_INIT(&l->waiting);
    l->timer.fn = on_timer;
    int r = gap_timer_start(&c->rt, &l->timer, UINT64_MAX);
    if (r < 0) {
        gap_free(c->alloc, l);
        return r;
    }
    LIST_INSERT_HEAD(&c->links.list, l, list);
    gap_loop_hold(&c->links.loop);
    r = client_link_begin(l);
    if (r < 0)
        client_link_close(l);
    else
        *out = l;
    return r;
}

/* ---- the actor ---- */

static void actor_run(gap_rt_t *rt, gap_loop_t *self)
{
    (void)rt;
    (void)self;
}

static void actor_closed(gap_rt_t *rt, gap_loop_t *self)
{
    static const struct gap_call_result closed = {.status = GAP_E_CLOSED};
    gap_client_t *c = GAP_CONTAINER_OF(self, gap_client_t, links.loop);
    struct client_calls calls = TAILQ_HEAD_INITIALIZER(calls);

    GAP_ASSERT(LIST_EMPTY(&c->links.list));
    client_links_take(c, &c->links.ending, &calls);
    c->links.open = false;
    client_links_end_all(&calls, &closed);
    if (c->closing) client_keep_close(c);
    gap_loop_drop(rt, &c->loop);
}

static const struct gap_loop_class actor_class = {"links", actor_run, actor_closed};

int client_links_open(gap_client_t *c)
{
    struct client_links *s = &c->links;

    if (s->open) return 0;
    LIST_INIT(&s->list);
    TAILQ_INIT(&s->unplaced);
    TAILQ_INIT(&s->moving);
    TAILQ_INIT(&s->ending);
    s->idle_us = GAP_CLIENT_LINK_IDLE_US;
    s->join_us = GAP_CLIENT_JOIN_US;
    s->config.fn = client_links_on_config_timer;
    int r = gap_timer_start(&c->rt, &s->config, UINT64_MAX);
    if (r < 0) return r;
    gap_loop_init(&s->loop, &actor_class);
    gap_loop_hold(&c->loop);
    s->open = true;
    client_links_ask_config(c);
    return 0;
}

bool client_links_are_open(const gap_client_t *c)
{
    return c->links.open && !gap_loop_is_closing(&c->links.loop);
}

/* They stay counted. */
static void take_to_end(gap_client_t *c, struct client_calls *from)
{
    TAILQ_CONCAT(&c->links.ending, from, next);
}

void client_links_close(gap_client_t *c)
{
    struct client_links *s = &c->links;
    struct client_link *l;
    struct client_link *next;

    if (!client_links_are_open(c)) return;
    gap_timer_stop(&c->rt, &s->config);
    if (s->moved) c->moving = false; /* there will be no other main link */
    s->moved = false;
    s->moving_to = 0;
    take_to_end(c, &s->unplaced);
    take_to_end(c, &s->moving);
    for (l = LIST_FIRST(&s->list); l != NULL; l = next) {
        next = LIST_NEXT(l, list);
        take_to_end(c, &l->waiting);
        client_link_close(l);
    }
    gap_loop_close(&c->rt, &s->loop);
}
