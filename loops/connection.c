/*
 * loops/connection.c - a TCP connection with MTProto frames on it.
 *
 *   IDLE -> RESOLVING -> CONNECTING -> OPEN -> CLOSING -> IDLE; any failure sets `status` and waits
 *   for the owner to close.
 *
 * Owns: the stream, the look-up, the read buffer, received frames, packets being written, the
 * connect time-out. Never: reads what is in a frame, decides to reconnect, calls its owner.
 */
#include "loops/connection.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/packet.h"

/** The largest buffer that is kept for the next packet. */
#define SPARE_BYTES_MAX ((size_t)64 << 10)

/* The timer runs all the time, so that setting it never needs memory: UINT64_MAX is off. */
static void set_timeout(gap_connection_t *c, uint64_t deadline_us)
{
    int r = gap_timer_start(c->rt, &c->timeout, deadline_us);
    GAP_ASSERT(r == 0);
}

static void fail(gap_connection_t *c, int status)
{
    if (c->status == 0) c->status = status;
    set_timeout(c, UINT64_MAX);
    gap_loop_signal(c->rt, c->owner);
}

/* ---- receiving ---- */

static int keep_frame(gap_connection_t *c, const gap_frame_t *frame)
{
    if (c->frame_count == 0) c->frame_head = 0;
    if (c->frame_head + c->frame_count == c->frame_cap && c->frame_head > 0) {
        memmove(c->frames, c->frames + c->frame_head, c->frame_count * sizeof c->frames[0]);
        c->frame_head = 0;
    }
    if (c->frame_count == c->frame_cap) {
        size_t cap = c->frame_cap == 0 ? 16 : 2 * c->frame_cap;
        gap_frame_t *frames = gap_realloc(c->rt->alloc, c->frames, cap * sizeof *frames);
        if (frames == NULL) return GAP_E_NOMEM;
        c->frames = frames;
        c->frame_cap = cap;
    }
    gap_frame_t *kept = &c->frames[c->frame_head + c->frame_count++];
    *kept = *frame;
    if (frame->kind == GAP_FRAME_PACKET) {
        gap_packet_ref(frame->packet);
        c->backlog += frame->len;
    } else {
        kept->packet = NULL;
        kept->len = 0;
    }
    return 0;
}

static void drop_frames(gap_connection_t *c)
{
    gap_frame_t frame;

    while (gap_connection_next(c, &frame)) gap_packet_unref(frame.packet);
    gap_free(c->rt->alloc, c->frames);
    c->frames = NULL;
    c->frame_cap = 0;
}

bool gap_connection_next(gap_connection_t *c, gap_frame_t *out)
{
    if (c->frame_count == 0) return false;
    *out = c->frames[c->frame_head++];
    c->frame_count--;
    c->backlog -= out->len;
    return true;
}

/* The read buffer goes back when nothing has come for a while: most connections of many accounts
 * are silent. */
static void rest_later(gap_connection_t *c)
{
    if (c->resting) return;
    c->resting = true;
    set_timeout(c, c->read_us + GAP_CONNECTION_REST_US);
}

static void on_alloc(gap_stream_t *stream, uint8_t **buf, size_t *cap)
{
    gap_connection_t *c = stream->arg;

    if (gap_deframer_buffer(&c->deframer, buf, cap) != 0) *cap = 0;
}

static void on_read(gap_stream_t *stream, ssize_t nread)
{
    gap_connection_t *c = stream->arg;
    gap_frame_t frame;
    int r;

    if (c->state != GAP_CONNECTION_OPEN || c->status != 0) return;
    if (nread < 0) {
        fail(c, (int)nread);
        return;
    }
    gap_deframer_commit(&c->deframer, (size_t)nread);
    if (nread > 0) {
        c->read_us = gap_rt_now_us(c->rt);
        c->reads++;
        rest_later(c);
    }
    while ((r = gap_deframer_next(&c->deframer, &frame)) == 1) {
        r = keep_frame(c, &frame);
        if (r == 0 && c->backlog > GAP_CONNECTION_BACKLOG_BYTES) r = GAP_E_LIMIT;
        if (r != 0) break;
    }
    if (r < 0) fail(c, r);
    if (c->frame_count > 0) gap_loop_signal(c->rt, c->owner);
}

/* ---- connecting ---- */

static void on_connected(gap_stream_t *stream, int status)
{
    gap_connection_t *c = stream->arg;

    if (c->state != GAP_CONNECTION_CONNECTING) return;
    if (status != 0) {
        fail(c, status);
        return;
    }
    set_timeout(c, UINT64_MAX);
    c->state = GAP_CONNECTION_OPEN;
    c->read_us = gap_rt_now_us(c->rt);
    gap_loop_signal(c->rt, c->owner);
}

static void end(gap_connection_t *c)
{
    c->state = GAP_CONNECTION_IDLE;
    gap_loop_signal(c->rt, c->owner);
    gap_loop_drop(c->rt, c->owner);
}

static void on_closed(gap_stream_t *stream)
{
    gap_connection_t *c = stream->arg;

    c->stream = NULL;
    gap_deframer_fini(&c->deframer);
    end(c);
}

static const struct gap_stream_events stream_events = {on_connected, on_alloc, on_read, on_closed};

static void on_timeout(gap_rt_t *rt, gap_timer_t *timer)
{
    gap_connection_t *c = GAP_CONTAINER_OF(timer, gap_connection_t, timeout);

    if (!c->resting) {
        fail(c, GAP_E_TIMEOUT);
        return;
    }
    set_timeout(c, UINT64_MAX);
    c->resting = false;
    if (c->state != GAP_CONNECTION_OPEN || c->status != 0) return;
    if (gap_rt_now_us(rt) - c->read_us < GAP_CONNECTION_REST_US)
        rest_later(c);
    else
        gap_deframer_rest(&c->deframer);
}

/* One child of the owner is held by whatever the connection waits for: look-up or stream. */
static void connect_to(gap_connection_t *c, const gap_addr_t *addr)
{
    gap_env_t *env = c->rt->env;
    int r = env->ops->connect(env, addr, &stream_events, c, &c->stream);

    if (r != 0) {
        c->stream = NULL;
        fail(c, r);
        return;
    }
    gap_deframer_init(&c->deframer, c->rt->alloc, c->transport);
    c->state = GAP_CONNECTION_CONNECTING;
}

static void on_resolved(gap_resolve_t *resolve, int status, const gap_addr_t *addrs, size_t count)
{
    gap_connection_t *c = GAP_CONTAINER_OF(resolve, gap_connection_t, resolve);

    if (c->state == GAP_CONNECTION_CLOSING) {
        end(c);
        return;
    }
    c->state = GAP_CONNECTION_CONNECTING;
    if (status != 0)
        fail(c, status);
    else
        connect_to(c, &addrs[c->addr_next++ % count]);
}

void gap_connection_open(gap_connection_t *c)
{
    gap_env_t *env = c->rt->env;

    GAP_ASSERT(c->state == GAP_CONNECTION_IDLE);
    c->status = 0;
    c->tagged = false;
    c->resting = false;
    gap_loop_hold(c->owner);
    c->state = GAP_CONNECTION_CONNECTING;
    set_timeout(c, gap_rt_now_us(c->rt) + GAP_CONNECT_TIMEOUT_US);
    if (c->host == NULL) {
        connect_to(c, &c->addrs[c->addr_next++ % c->addr_count]);
        return;
    }
    c->state = GAP_CONNECTION_RESOLVING;
    c->resolve.done = on_resolved;
    env->ops->resolve(env, c->host, c->port, &c->resolve);
}

void gap_connection_close(gap_connection_t *c)
{
    gap_env_t *env = c->rt->env;

    if (c->state == GAP_CONNECTION_IDLE || c->state == GAP_CONNECTION_CLOSING) return;
    bool resolving = c->state == GAP_CONNECTION_RESOLVING;
    set_timeout(c, UINT64_MAX);
    drop_frames(c);
    c->state = GAP_CONNECTION_CLOSING;
    if (resolving)
        env->ops->resolve_cancel(env, &c->resolve);
    else if (c->stream != NULL)
        env->ops->close(c->stream);
    else
        end(c);
}

/* ---- sending ---- */

gap_outgoing_t *gap_connection_outgoing(gap_connection_t *c)
{
    gap_outgoing_t *o = c->spare;

    if (o != NULL) {
        c->spare = o->next;
        gap_buf_clear(&o->buf);
        return o;
    }
    o = gap_calloc(c->rt->alloc, 1, sizeof *o);
    if (o == NULL) return NULL;
    o->connection = c;
    gap_buf_init(&o->buf, c->rt->alloc);
    return o;
}

void gap_connection_discard(gap_connection_t *c, gap_outgoing_t *o)
{
    if (o->buf.cap > SPARE_BYTES_MAX || (c->spare != NULL && c->spare->next != NULL)) {
        gap_buf_fini(&o->buf);
        gap_free(c->rt->alloc, o);
        return;
    }
    o->next = c->spare;
    c->spare = o;
}

static void on_written(gap_write_t *write, int status)
{
    gap_outgoing_t *o = GAP_CONTAINER_OF(write, gap_outgoing_t, write);
    gap_connection_t *c = o->connection;
    bool was_full = c->unsent >= GAP_CONNECTION_UNSENT_BYTES;

    c->unsent -= o->write.bytes.len;
    gap_connection_discard(c, o);
    if (status != 0 && c->state == GAP_CONNECTION_OPEN) fail(c, status);
    if (was_full) gap_loop_signal(c->rt, c->owner);
    gap_loop_drop(c->rt, c->owner);
}

int gap_connection_send(gap_connection_t *c, gap_outgoing_t *o, gap_bytes_t packet)
{
    gap_env_t *env = c->rt->env;
    uint8_t head[GAP_FRAME_TAG_MAX_BYTES + GAP_FRAME_HEAD_MAX_BYTES];
    size_t at = (size_t)(packet.data - o->buf.data);
    size_t tag = c->tagged ? 0 : gap_frame_tag(c->transport, head);
    int r = gap_frame_head(c->transport, packet.len, false, head + tag);

    if (r < 0) {
        gap_connection_discard(c, o);
        return r;
    }
    size_t len = tag + (size_t)r;
    GAP_ASSERT(c->state == GAP_CONNECTION_OPEN && at >= len);
    memcpy(o->buf.data + at - len, head, len);
    c->tagged = true;
    o->write.bytes = gap_bytes(o->buf.data + at - len, len + packet.len);
    o->write.done = on_written;
    c->unsent += o->write.bytes.len;
    gap_loop_hold(c->owner);
    env->ops->write(c->stream, &o->write);
    return 0;
}

/* ---- life ---- */

static int copy_config(gap_connection_t *c, const gap_addr_t *addrs, size_t addr_count,
                       const char *host)
{
    const gap_alloc_t *alloc = c->rt->alloc;

    if (addr_count > 0) {
        c->addrs = gap_calloc(alloc, addr_count, sizeof *addrs);
        if (c->addrs == NULL) return GAP_E_NOMEM;
        memcpy(c->addrs, addrs, addr_count * sizeof *addrs);
        c->addr_count = addr_count;
        return 0;
    }
    c->host = gap_malloc(alloc, strlen(host) + 1);
    if (c->host == NULL) return GAP_E_NOMEM;
    memcpy(c->host, host, strlen(host) + 1);
    return 0;
}

int gap_connection_init(gap_connection_t *c, gap_rt_t *rt, gap_loop_t *owner,
                        gap_transport_t transport, const gap_addr_t *addrs, size_t addr_count,
                        const char *host, uint16_t port)
{
    memset(c, 0, sizeof *c);
    c->rt = rt;
    c->owner = owner;
    c->transport = transport;
    c->port = port;
    c->timeout.fn = on_timeout;
    c->timeout.after_drain = true;
    int r = copy_config(c, addrs, addr_count, host);
    if (r == 0) r = gap_timer_start(rt, &c->timeout, UINT64_MAX);
    if (r != 0) gap_connection_fini(c);
    return r;
}

void gap_connection_fini(gap_connection_t *c)
{
    const gap_alloc_t *alloc = c->rt->alloc;
    gap_outgoing_t *o;

    GAP_ASSERT(c->state == GAP_CONNECTION_IDLE);
    gap_timer_stop(c->rt, &c->timeout);
    while ((o = c->spare) != NULL) {
        c->spare = o->next;
        gap_buf_fini(&o->buf);
        gap_free(alloc, o);
    }
    gap_free(alloc, c->addrs);
    gap_free(alloc, c->host);
}
