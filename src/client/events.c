/*
 * client/events.c - telling the host: what the engine tells, in the host's words.
 *
 * Owns nothing. After any call into the host the client may be closing, never gone: it is freed
 * from a later turn.
 */
#include "client/client.h"

#include "base/bytes.h"
#include <stdarg.h>
#include <stdio.h>

static gap_log_level_t level_of(gap_event_kind_t kind)
{
    switch (kind) {
    case GAP_CLIENT_FATAL:
    case GAP_CLIENT_SIGNED_OUT:
        return GAP_LOG_ERROR;
    case GAP_CLIENT_GAP_ABANDONED:
    case GAP_CLIENT_RESYNCHRONISED:
    case GAP_CLIENT_CHANNEL_LOST:
    case GAP_CLIENT_HANDLER_FAILED:
    case GAP_CLIENT_HANDLER_TIMEOUT:
    case GAP_CLIENT_DEAD_LETTER:
    case GAP_CLIENT_OVERLOADED:
    case GAP_CLIENT_OUTBOX_LIMITED:
    case GAP_CLIENT_OUTBOX_PARKED:
    case GAP_CLIENT_OUTBOX_DEAD:
    case GAP_CLIENT_OUTBOX_STOPPED:
    case GAP_CLIENT_OUTBOX_CASCADE:
    case GAP_CLIENT_STORE_FAILED:
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

GAP_PRINTF(3, 0)
static void fatal(gap_client_t *c, gap_event_t *event, const char *format, va_list args)
{
    if (c->state == CLIENT_FATAL) return;
    c->state = CLIENT_FATAL;
    c->moving = false;
    client_close_engine(c);
    client_links_close(c);
    client_close_link(c);
    emit(c, event, format, args);
    client_sign_in_end(c);
}

void client_fatal(gap_client_t *c, int error, int32_t rpc_code, const char *format, ...)
{
    gap_event_t event = {.kind = GAP_CLIENT_FATAL, .error = error, .rpc_code = rpc_code};
    va_list args;

    va_start(args, format);
    fatal(c, &event, format, args);
    va_end(args);
}

void client_fatal_event(gap_client_t *c, gap_event_t event, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fatal(c, &event, format, args);
    va_end(args);
}

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
        .count = e->count,
        .last_id = e->last_id,
        .top_id = e->top_id,
        .us = e->us,
        .fetched = e->fetched,
    };
}

static void tell_trouble(gap_client_t *c, const gap_engine_event_t *e, const char *sequence)
{
    switch (e->kind) {
    case GAP_EVENT_GAP_ABANDONED:
        client_emit(c, event_of(GAP_CLIENT_GAP_ABANDONED, e), "%s: given up from %d to %d: %s",
                    sequence, e->from, e->to, reason_of(e->reason));
        break;
    case GAP_EVENT_RESYNCHRONISED:
        client_emit(c, event_of(GAP_CLIENT_RESYNCHRONISED, e), "%s: lost from %d to %d: %s",
                    sequence, e->from, e->to, reason_of(e->reason));
        break;
    case GAP_EVENT_CHANNEL_LOST:
        client_emit(c, event_of(GAP_CLIENT_CHANNEL_LOST, e),
                    "%s: no access any more; it stood at %d", sequence, e->from);
        break;
    case GAP_EVENT_BACKFILLED:
        client_emit(c, event_of(GAP_CLIENT_BACKFILLED, e),
                    "%s: %llu messages fetched behind id %d, up to %d%s%s", sequence,
                    (unsigned long long)e->count, e->from, e->to, e->error == 0 ? "" : ": ",
                    e->error == 0 ? "" : gap_strerror(e->error));
        break;
    case GAP_EVENT_DIFFERENCE_FAILED:
        client_emit(c, event_of(GAP_CLIENT_ERROR, e),
                    "%s: no difference (%s, %d); trying again in %.1f s", sequence,
                    gap_strerror(e->error), e->error_code, (double)e->us / 1e6);
        break;
    case GAP_EVENT_BEHIND:
        client_emit(c, event_of(GAP_CLIENT_ERROR, e), "%s: no room for what came behind %d%s",
                    sequence, e->from,
                    e->reason == GAP_REASON_TOO_LONG
                        ? ", and the server may not tell it again: make handlers faster"
                        : "; it is fetched now");
        break;
    case GAP_EVENT_SHED:
        client_emit(c, event_of(GAP_CLIENT_ERROR, e), "an update was dropped for good: %s",
                    gap_strerror(e->error));
        break;
    case GAP_EVENT_UNAUTHORIZED:
        client_signed_out(c, e->error_code, gap_str("AUTH_KEY_UNREGISTERED"));
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
        client_keep_begin(c);
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
