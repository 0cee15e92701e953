/*
 * client/events.c - what the engine and the link tell, in the host's words; and the way of an
 * update to the host's handlers.
 *
 * Owns nothing. After any call into the host the client may be closing, never gone: it is freed
 * from a later turn.
 */
#include "client/client.h"

#include "base/bytes.h"
#include "sequence/update.h"

#include <stdarg.h>
#include <stdio.h>

static gap_log_level_t level_of(gap_event_kind_t kind)
{
    switch (kind) {
    case GAP_CLIENT_FATAL:
    case GAP_CLIENT_SIGNED_OUT:
        return GAP_LOG_ERROR;
    case GAP_CLIENT_RESYNCHRONISED:
    case GAP_CLIENT_CHANNEL_LOST:
    case GAP_CLIENT_HANDLER_FAILED:
    case GAP_CLIENT_ERROR:
    case GAP_CLIENT_DISCONNECTED:
        return GAP_LOG_WARN;
    case GAP_CLIENT_GAP_OPENED:
    case GAP_CLIENT_GAP_FILLED:
        return GAP_LOG_DEBUG;
    default:
        return GAP_LOG_INFO;
    }
}

GAP_PRINTF(3, 0)
static void emit(gap_client_t *c, gap_event_t *event, const char *format, va_list args)
{
    gap_log_level_t level = level_of(event->kind);
    bool logged = c->log != NULL && level <= c->log_level;

    if (c->closing || (c->on_event == NULL && !logged)) return;
    (void)vsnprintf(c->line, sizeof c->line, format, args);
    event->text = c->line;
    if (logged) c->log(c->log_data, level, c->line);
    if (c->on_event != NULL && !c->closing) c->on_event(c, event, c->event_data);
}

void client_emit(gap_client_t *c, gap_event_t event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    emit(c, &event, format, args);
    va_end(args);
}

void client_fatal(gap_client_t *c, int error, int32_t rpc_code, const char *format, ...)
{
    gap_event_t event = {.kind = GAP_CLIENT_FATAL, .error = error, .rpc_code = rpc_code};
    va_list args;

    if (c->state == CLIENT_FATAL) return;
    c->state = CLIENT_FATAL;
    client_close_engine(c);
    client_close_link(c);
    va_start(args, format);
    emit(c, &event, format, args);
    va_end(args);
}

/* ---- the link ---------------------------------------------------------------------------------
 */

static const char *server_name(const gap_client_t *c, char *out, size_t len)
{
    const struct client_settings *s = &c->settings;
    gap_addr_t addr;
    char ip[46];

    if (client_published_address(s->network, s->dc, &addr)) {
        gap_addr_format_ip(&addr, ip);
        (void)snprintf(out, len, "%s:%u", ip, (unsigned)addr.port);
    } else {
        (void)snprintf(out, len, "%s:%u", s->host, (unsigned)s->port);
    }
    return out;
}

static void tell_down(gap_client_t *c, const struct gap_link_down *down)
{
    gap_event_t event = {
        .kind = GAP_CLIENT_DISCONNECTED,
        .error = down->status,
        .rpc_code = down->code,
        .us = down->retry_in_us,
    };
    char name[128];
    double seconds = (double)down->retry_in_us / 1e6;

    if (down->retry_in_us == GAP_ENV_NEVER) return; /* `fatal` has told */
    (void)server_name(c, name, sizeof name);
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

static void on_link_state(void *arg, enum gap_link_state state, const struct gap_link_down *down)
{
    gap_client_t *c = arg;
    char name[128];

    if (c->link_closing) return;
    if (state == GAP_LINK_READY) {
        c->was_ready = true;
        client_emit(c, (gap_event_t){.kind = GAP_CLIENT_CONNECTED}, "connected to %s",
                    server_name(c, name, sizeof name));
    } else if (state == GAP_LINK_DOWN && down != NULL) {
        tell_down(c, down);
    }
}

/* The key lives as long as the link; keeping it over restarts is not this client's business yet. */
static void on_auth_key(void *arg, const uint8_t *auth_key, uint64_t server_salt)
{
    gap_client_t *c = arg;

    (void)auth_key;
    (void)server_salt;
    gap_rt_log(&c->rt, GAP_LOG_DEBUG, "an authorization key was made");
}

static bool engine_open(const gap_client_t *c)
{
    return c->engine != NULL && !c->stopped;
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

static void tell_signed_out(gap_client_t *c, int32_t code, gap_bytes_t name)
{
    gap_event_t event = {
        .kind = GAP_CLIENT_SIGNED_OUT, .error = GAP_E_UNAUTHORIZED, .rpc_code = code};

    if (c->state != CLIENT_SIGNED_IN) return;
    c->state = CLIENT_SIGNED_OUT;
    client_emit(c, event, "the server has ended the session: %.*s; sign in again", (int)name.len,
                (const char *)name.data);
}

static void on_unauthorized(void *arg, int32_t code, gap_bytes_t name)
{
    tell_signed_out(arg, code, name);
}

static void on_fatal(void *arg, int status, int32_t code)
{
    gap_client_t *c = arg;
    char name[128];

    if (c->link_closing) return;
    (void)server_name(c, name, sizeof name);
    if (status == GAP_E_KEY) {
        client_fatal(c, status, 0,
                     "%s offers none of the RSA keys this client trusts; give the public key of "
                     "that very server",
                     name);
    } else if (code == -444) {
        client_fatal(c, status, code, "%s is not data centre %d; check the data centre's number",
                     name, c->settings.dc);
    } else {
        client_fatal(c, status, code, "%s refuses the connection: %s (%d)", name,
                     gap_strerror(status), code);
    }
}

const struct gap_link_events client_link_events = {
    .state = on_link_state,
    .auth_key_created = on_auth_key,
    .updates = on_updates,
    .updates_missed = on_updates_missed,
    .undecodable = on_undecodable,
    .unauthorized = on_unauthorized,
    .fatal = on_fatal,
};

/* ---- the engine -------------------------------------------------------------------------------
 */

static gap_box_t box_of(gap_sequence_kind_t kind)
{
    switch (kind) {
    case GAP_SEQUENCE_COMMON:
        return GAP_BOX_COMMON;
    case GAP_SEQUENCE_QTS:
        return GAP_BOX_QTS;
    case GAP_SEQUENCE_CHANNEL:
        return GAP_BOX_CHANNEL;
    default:
        return GAP_BOX_NONE;
    }
}

static const char *reason_of(gap_engine_reason_t reason)
{
    switch (reason) {
    case GAP_REASON_TOO_LONG:
        return "the server keeps no longer difference";
    case GAP_REASON_RESET:
        return "the server began to count anew";
    case GAP_REASON_INVALID:
        return "the server refuses the position";
    case GAP_REASON_NO_HASH:
        return "the channel's access hash can't be had";
    case GAP_REASON_NO_PROGRESS:
        return "the server's answers lead nowhere";
    case GAP_REASON_UNREADABLE:
        return "the server's answer can't be decoded";
    default:
        return "no reason given";
    }
}

/* "channel 5", "pts", "qts", "seq" */
static const char *sequence_name(const gap_engine_event_t *e, char *out, size_t len)
{
    static const char *const names[] = {"pts", "qts", "seq"};

    if (e->sequence != GAP_SEQUENCE_CHANNEL) return names[e->sequence];
    (void)snprintf(out, len, "channel %lld", (long long)e->channel_id);
    return out;
}

static gap_event_t event_of(gap_event_kind_t kind, const gap_engine_event_t *e)
{
    return (gap_event_t){
        .kind = kind,
        .error = e->error,
        .rpc_code = e->error_code,
        .box = box_of(e->sequence),
        .channel_id = e->channel_id,
        .from = e->from,
        .to = e->to,
        .us = e->us,
        .fetched = e->fetched,
    };
}

static void tell_trouble(gap_client_t *c, const gap_engine_event_t *e, const char *sequence)
{
    switch (e->kind) {
    case GAP_EVENT_RESYNCHRONISED:
        client_emit(c, event_of(GAP_CLIENT_RESYNCHRONISED, e), "%s: lost from %d to %d: %s",
                    sequence, e->from, e->to, reason_of(e->reason));
        break;
    case GAP_EVENT_CHANNEL_LOST:
        client_emit(c, event_of(GAP_CLIENT_CHANNEL_LOST, e), "%s: no access any more", sequence);
        break;
    case GAP_EVENT_DIFFERENCE_FAILED:
        client_emit(c, event_of(GAP_CLIENT_ERROR, e),
                    "%s: no difference (%s, %d); trying again in %.1f s", sequence,
                    gap_strerror(e->error), e->error_code, (double)e->us / 1e6);
        break;
    case GAP_EVENT_BEHIND:
        client_emit(c, event_of(GAP_CLIENT_ERROR, e),
                    "%s: too many updates wait; what comes now is fetched later", sequence);
        break;
    case GAP_EVENT_SHED:
        client_emit(c, event_of(GAP_CLIENT_ERROR, e), "an update was dropped for good: %s",
                    gap_strerror(e->error));
        break;
    case GAP_EVENT_HANDLER_FAILED:
        client_emit(c, event_of(GAP_CLIENT_HANDLER_FAILED, e), "a handler failed (%d): %s",
                    e->error, e->update == NULL ? "?" : gap_tl_name(gap_update_id(e->update)));
        break;
    case GAP_EVENT_UNAUTHORIZED:
        tell_signed_out(c, e->error_code, gap_str("a difference was refused"));
        break;
    default:
        break;
    }
}

void client_on_engine_event(void *data, const gap_engine_event_t *event)
{
    gap_client_t *c = data;
    char name[40];
    const char *sequence = sequence_name(event, name, sizeof name);

    switch (event->kind) {
    case GAP_EVENT_STARTED:
        client_emit(c, event_of(GAP_CLIENT_STARTED, event), "updates flow");
        break;
    case GAP_EVENT_CAUGHT_UP:
        c->caught_up = true;
        client_emit(c, event_of(GAP_CLIENT_CAUGHT_UP, event), "caught up");
        break;
    case GAP_EVENT_GAP_OPENED:
        client_emit(c, event_of(GAP_CLIENT_GAP_OPENED, event), "%s: a gap behind %d, %d has come",
                    sequence, event->from, event->to);
        break;
    case GAP_EVENT_GAP_FILLED:
        client_emit(c, event_of(GAP_CLIENT_GAP_FILLED, event), "%s: whole up to %d after %.1f ms%s",
                    sequence, event->to, (double)event->us / 1e3,
                    event->fetched ? ", fetched" : "");
        break;
    default:
        tell_trouble(c, event, sequence);
    }
}

/* The raw handler first; message handlers see what it leaves alone. */
int client_on_engine_update(gap_update_t *update, void *data)
{
    gap_client_t *c = data;
    gap_message_t message;

    update->account = c;
    if (c->on_update != NULL) {
        int r = c->on_update(update, c->update_data);
        if (r != 0) return r;
    }
    if (c->on_message == NULL || c->stopped) return 0;
    int r = gap_message_read(update, &message);
    if (r == GAP_NO_MESSAGE) return 0;
    return r < 0 ? r : c->on_message(update, &message, c->message_data);
}
