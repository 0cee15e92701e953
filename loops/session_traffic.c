/*
 * loops/session_traffic.c - the link's traffic: frames in, events up, packets out, pings.
 *
 * Frames are opened in their order, one after the other; while one is being opened or inflated on
 * another thread, those behind it wait in the connection.
 *
 * Owns: nothing of its own. Never: decides what a message means (src/mtproto does).
 */
#include "base/alloc.h"
#include "base/packet.h"
#include "loops/session_link.h"

/* ---- frames ---- */

/* An opened message. */
static void take_in(gap_link_t *link, const gap_plaintext_t *message, gap_packet_t *packet)
{
    uint64_t now = gap_rt_now_us(link->rt);
    int r = gap_session_receive(link->session, now, message, packet);

    if (r < 0) {
        link_lost(link, r, 0);
        return;
    }
    link->received = true;
    link->refusals = 0;
}

void link_opened(gap_link_t *link, int status, const gap_plaintext_t *message, gap_packet_t *packet)
{
    if (status == 0)
        take_in(link, message, packet);
    else
        link_lost(link, status, 0);
}

static void take_packet(gap_link_t *link, const gap_frame_t *frame)
{
    gap_plaintext_t message;

    if (frame->len > GAP_LINK_SLOW_BYTES) {
        link->job.frame = *frame;
        gap_packet_ref(frame->packet);
        link_job_start(link, LINK_JOB_OPEN);
        return;
    }
    int r = gap_message_open(&link->crypto, &link->key, GAP_TO_CLIENT, frame->data, frame->len,
                             &message);
    link_opened(link, r, &message, frame->packet);
}

static void take_frame(gap_link_t *link, const gap_frame_t *frame)
{
    int r;

    if (frame->kind == GAP_FRAME_ERROR) {
        if (frame->code != 0) link_lost(link, GAP_E_TRANSPORT, frame->code);
    } else if (frame->kind == GAP_FRAME_QUICK_ACK) {
        return; /* none is asked for */
    } else if (link->state == GAP_LINK_HANDSHAKING) {
        r = link_handshake_frame(link, frame);
        if (r < 0) link_lost(link, r, 0);
    } else {
        take_packet(link, frame);
    }
}

bool link_receive(gap_link_t *link)
{
    size_t bytes = 0;
    gap_frame_t frame;

    for (unsigned i = 0; i < GAP_LINK_BATCH_FRAMES && bytes < GAP_LINK_BATCH_BYTES; i++) {
        if (link->state != GAP_LINK_READY && link->state != GAP_LINK_HANDSHAKING) return false;
        if (link->job.kind != LINK_JOB_NONE) return false; /* its end wakes us */
        if (!gap_connection_next(&link->connection, &frame)) return false;
        bytes += frame.len;
        take_frame(link, &frame);
        gap_packet_unref(frame.packet);
        if (gap_loop_is_closing(&link->loop)) return false;
    }
    return true;
}

/* ---- events ---- */

void link_answer(const struct gap_session_event *event, uint64_t call)
{
    gap_link_call_cb cb = (gap_link_call_cb)event->tag.fn;
    struct gap_call_result result = {.status = event->status};

    if (event->kind == GAP_SESSION_RESULT) {
        result.value = event->value;
        result.packet = event->packet;
    } else if (event->kind == GAP_SESSION_ERROR) {
        result.status = GAP_E_RPC;
        result.error_code = event->code;
        result.error_value = event->number;
        result.error_name = event->name;
        result.error_text = event->text;
    }
    if (cb != NULL) cb(event->tag.arg, call, &result);
}

static void start_inflating(gap_link_t *link, const struct gap_session_event *event)
{
    link->job.packed = event->value;
    link->job.owner = gap_packet_ref(event->packet);
    link_job_start(link, LINK_JOB_INFLATE);
}

static void hand_up(gap_link_t *link, const struct gap_session_event *event)
{
    const struct gap_link_events *e = link->events;

    switch (event->kind) {
    case GAP_SESSION_UPDATES:
        e->updates(link->arg, event->value, event->packet);
        break;
    case GAP_SESSION_MISSED:
        e->updates_missed(link->arg);
        break;
    case GAP_SESSION_UNDECODABLE:
        e->undecodable(link->arg, event->status);
        break;
    case GAP_SESSION_SLOW:
        start_inflating(link, event);
        break;
    case GAP_SESSION_PONG:
        break; /* the connection knows when it was read */
    case GAP_SESSION_ERROR:
        if (event->unauthorized) e->unauthorized(link->arg, event->code, event->name);
        link_answer(event, event->call);
        break;
    default:
        link_answer(event, event->call);
        break;
    }
}

bool link_events(gap_link_t *link)
{
    struct gap_session_event event;

    for (unsigned i = 0; i < GAP_LINK_BATCH_EVENTS; i++) {
        int r = gap_session_next(link->session, gap_rt_now_us(link->rt), &event);
        if (r == 0) return false;
        if (r == GAP_E_NOMEM) {
            /* What waits is tried again when something else happens. */
            gap_rt_log(link->rt, GAP_LOG_ERROR, "a message waits: %s", gap_strerror(r));
            return false;
        }
        if (r < 0) {
            if (link->state == GAP_LINK_READY) link_lost(link, r, 0);
            return true;
        }
        hand_up(link, &event);
        if (gap_loop_is_closing(&link->loop)) return false;
    }
    return true;
}

/* ---- packets ---- */

/* @return 1 sent; 0 nothing to send; negative: give the connection up. */
static int send_one(gap_link_t *link, gap_outgoing_t *o)
{
    gap_plaintext_t message;
    int r = gap_session_poll(link->session, gap_rt_now_us(link->rt), &o->buf, &message);

    if (r != 1) {
        gap_connection_discard(&link->connection, o);
        return r;
    }
    size_t at = (size_t)(message.body.data - o->buf.data);
    size_t padding = gap_message_padding(GAP_PADDING_BUCKETS, message.body.len);
    r = gap_buf_reserve(&o->buf, padding);
    if (r == 0) {
        uint8_t *packet = o->buf.data + at - GAP_MESSAGE_HEAD_BYTES;
        size_t len = gap_message_size(message.body.len, padding);
        message.body.data = o->buf.data + at;
        r = gap_message_seal(&link->crypto, &link->key, GAP_TO_SERVER, &message, padding,
                             &link->random, packet, NULL);
        if (r == 0) {
            r = gap_connection_send(&link->connection, o, gap_bytes(packet, len));
            return r == 0 ? 1 : r;
        }
    }
    gap_connection_discard(&link->connection, o);
    return r;
}

bool link_send(gap_link_t *link)
{
    while (link->state == GAP_LINK_READY && gap_connection_writable(&link->connection)) {
        gap_outgoing_t *o = gap_connection_outgoing(&link->connection);
        int r = o == NULL ? GAP_E_NOMEM : send_one(link, o);
        if (r == 0) return false;
        if (r < 0) {
            link_lost(link, r, 0);
            return false;
        }
    }
    return false;
}

/* ---- pings ---- */

void link_ping(gap_link_t *link)
{
    uint64_t ping_id;

    link->ping_sent_us = gap_rt_now_us(link->rt);
    link->ping_reads = link->connection.reads;
    /* Without memory for it there is none: silence then looks like a lost connection. */
    if (gap_session_ping(link->session, GAP_LINK_DISCONNECT_S, &ping_id) != 0)
        gap_rt_log(link->rt, GAP_LOG_WARN, "no memory for a ping");
    link_ping_plan(link);
}

/* When is the connection looked at next? After a ping: when its answer is overdue. Otherwise after
 * a period, or sooner if answers are due and nothing comes. */
void link_ping_plan(gap_link_t *link)
{
    uint64_t now = gap_rt_now_us(link->rt);
    uint64_t due = link->ping_sent_us + GAP_LINK_PING_US;

    if (link_is_silent(link)) {
        due = link->ping_sent_us + GAP_LINK_PONG_US;
    } else if (gap_session_pending(link->session) > 0) {
        uint64_t silent = link->connection.read_us + GAP_LINK_PING_BUSY_US;
        if (silent < due) due = silent;
    }
    if (due <= now && !link_is_silent(link)) {
        link_ping(link);
        return;
    }
    link_arm(link->rt, &link->ping, due);
}
