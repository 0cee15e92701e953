/*
 * client/link.c - the main link: the connection to the account's own data centre, by which updates
 * come; what it tells, and how it is exchanged for one to another data centre.
 *
 *   client_connect --> READY, DOWN, READY ... --> client_close_link
 *   client_move_to --> the link closes --> client_connect there
 *
 * Owns c->link. Never: decides what is to be sent on it.
 */
#include "client/client.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <string.h>

/* ---- what it tells ---- */

static void tell_down(gap_client_t *c, const struct gap_link_down *down)
{
    gap_event_t event = {
        .kind = GAP_CLIENT_DISCONNECTED,
        .error = down->status,
        .rpc_code = down->code,
        .us = down->retry_in_us,
    };
    char name[GAP_CLIENT_NAME_MAX];
    double seconds = (double)down->retry_in_us / 1e6;

    if (down->retry_in_us == GAP_ENV_NEVER) return; /* `fatal` has told */
    (void)client_dc_name(c, c->session.main_dc, name);
    if (c->was_ready) {
        client_emit(c, event, "connection to %s lost: %s; connecting again in %.1f s", name,
                    gap_strerror(down->status), seconds);
    } else {
        client_emit(c, event,
                    "can't connect to %s: %s; check address, port and network; "
                    "trying again in %.1f s",
                    name, gap_strerror(down->status), seconds);
    }
}

static bool engine_open(const gap_client_t *c)
{
    return c->engine != NULL && !c->stopped;
}

static void on_state(void *arg, enum gap_link_state state, const struct gap_link_down *down)
{
    gap_client_t *c = arg;
    char name[GAP_CLIENT_NAME_MAX];

    if (c->link_closing) return;
    client_outbox_signal(c);
    if (state == GAP_LINK_READY) {
        bool first = !c->was_ready;
        c->was_ready = true;
        client_emit(c, (gap_event_t){.kind = GAP_CLIENT_CONNECTED}, "connected to %s",
                    client_dc_name(c, c->session.main_dc, name));
        bool started = c->state == CLIENT_SIGNED_IN && engine_open(c);
        if (!first && started) gap_engine_reconnected(c->engine, true);
        if (first && !c->link_closing) client_connected(c);
    } else if (state == GAP_LINK_DOWN && down != NULL) {
        client_keep_salt(c);
        tell_down(c, down);
    }
}

static void on_auth_key(void *arg, const uint8_t *auth_key, uint64_t server_salt)
{
    gap_client_t *c = arg;
    struct gap_session_dc *d = client_dc_make(c, c->session.main_dc);

    gap_rt_log(&c->rt, GAP_LOG_DEBUG, "an authorization key was made");
    if (d == NULL) return; /* no room: the key lives as long as the link */
    memcpy(d->key, auth_key, sizeof d->key);
    d->salt = server_salt;
    d->has_key = true;
    d->authorised = false;
    client_keep_session(c);
}

static void on_updates(void *arg, gap_bytes_t object, gap_packet_t *packet)
{
    gap_client_t *c = arg;

    if (!engine_open(c)) return;
    int r = gap_engine_feed(c->engine, object.data, object.len, packet);
    if (r < 0)
        gap_rt_log(&c->rt, GAP_LOG_WARN, "updates of %zu bytes: %s; the difference brings them",
                   object.len, gap_strerror(r));
}

static void on_updates_missed(void *arg)
{
    gap_client_t *c = arg;
    if (engine_open(c)) gap_engine_missed(c->engine);
}

static void on_undecodable(void *arg, int status)
{
    gap_client_t *c = arg;

    gap_rt_log(&c->rt, GAP_LOG_WARN, "a message of the server can't be read: %s",
               gap_strerror(status));
    if (engine_open(c)) gap_engine_undecodable(c->engine);
}

static void on_unauthorized(void *arg, int32_t code, gap_bytes_t name)
{
    client_signed_out(arg, code, name);
}

/* The server does not know the key: whoever was signed in with it no longer is; who is about to
 * sign in gets a new one. @return that was it. */
static bool forgotten(gap_client_t *c, int status, int32_t code)
{
    const struct gap_session_dc *d = client_dc(c, c->session.main_dc);

    if (status != GAP_E_TRANSPORT || code != -404 || d == NULL || !d->has_key) return false;
    if (c->state == CLIENT_SIGNED_IN || c->state == CLIENT_RESUMING) {
        client_signed_out(c, code, gap_str("AUTH_KEY_FORGOTTEN"));
        return true;
    }
    if (c->state != CLIENT_SIGNING_IN || ++c->moves > GAP_CLIENT_MOVES_MAX) return false;
    client_drop_key(c);
    client_move_to(c, c->session.main_dc);
    return true;
}

static void on_fatal(void *arg, int status, int32_t code)
{
    gap_client_t *c = arg;
    char name[GAP_CLIENT_NAME_MAX];

    if (c->link_closing || forgotten(c, status, code)) return;
    (void)client_dc_name(c, c->session.main_dc, name);
    if (status == GAP_E_KEY) {
        client_fatal(c, status, 0,
                     "%s offers none of the RSA keys this client trusts; give the public key of "
                     "that very server",
                     name);
    } else if (code == -444) {
        client_fatal(c, status, code, "%s is not data centre %d; check the data centre's number",
                     name, c->session.main_dc);
    } else {
        client_fatal(c, status, code, "%s refuses the connection: %s (%d)", name,
                     gap_strerror(status), code);
    }
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

/* ---- opening, closing, moving ---- */

int client_connect(gap_client_t *c)
{
    struct client_target target;

    int r = client_dc_target(c, c->session.main_dc, false, &target);
    if (r < 0) return r;
    r = gap_link_open(&c->rt, &target.link, &link_events, c, &c->link);
    if (r < 0) return r;
    gap_loop_hold(&c->loop);
    c->was_ready = false;
    return 0;
}

static void link_closed(void *arg)
{
    gap_client_t *c = arg;

    c->link = NULL;
    c->link_closing = false;
    if (!c->closing && c->moving) {
        c->moving = false;
        int r = client_connect(c);
        if (r < 0)
            client_fatal(c, r, 0, "can't connect to data centre %d: %s", c->session.main_dc,
                         gap_strerror(r));
        else
            client_links_home(c);
    }
    if (c->closing) client_keep_close(c);
    gap_loop_drop(&c->rt, &c->loop);
}

void client_close_link(gap_client_t *c)
{
    if (c->link == NULL || c->link_closing) return;
    c->link_closing = true;
    gap_link_close(c->link, link_closed, c);
}

void client_move_to(gap_client_t *c, int32_t dc)
{
    gap_rt_log(&c->rt, GAP_LOG_INFO, "moving to data centre %d", dc);
    c->session.main_dc = dc;
    c->moving = true;
    client_close_link(c);
}
