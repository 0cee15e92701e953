/*
 * tests/unit/session_world.h - a client session and a scripted server side, without encryption: the
 * test reads what the session would send and feeds it what a server would say.
 */
#ifndef GAP_TESTS_SESSION_WORLD_H
#define GAP_TESTS_SESSION_WORLD_H

#include "base/bytes.h"
#include "base/gzip.h"
#include "base/packet.h"
#include "base/prng.h"
#include "tests/check_main.h"
#include "mtproto/session.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

#define SERVER_EPOCH_S INT64_C(1707425105)
#define SECOND         UINT64_C(1000000)
#define START_US       (1000 * SECOND)
#define SENT_MAX       64
#define SALT           UINT64_C(0x1111222233334444)

/* One message the session sent. */
struct sent {
    uint64_t msg_id;
    uint64_t container_id; /* 0: alone in its packet */
    uint32_t container_seqno;
    uint32_t seqno;
    uint32_t id; /* constructor */
    size_t len;
    uint8_t body[4096]; /* cut */
};

struct world {
    struct fault_alloc alloc;
    gap_session_t *s;
    uint64_t now;
    gap_buf_t body;
    gap_plaintext_t packet; /* the last one sent */
    struct sent sent[SENT_MAX];
    size_t sent_count;
    uint64_t server_id; /* last id the server used */
    int64_t server_ahead_us;
    uint64_t server_session; /* 0: whatever the client uses */
    struct gap_session_event ev;
};

static inline int world_random(void *arg, uint8_t *out, size_t len)
{
    (void)arg;
    memset(out, 7, len);
    return 0;
}

static inline struct gap_session_device world_device(void)
{
    struct gap_session_device d = {227, 12345, "model", "system", "1.0", "en", "", "en"};
    return d;
}

static inline int world_try_init(struct world *w, long fail_at)
{
    static const gap_random_t random = {world_random, NULL};
    struct gap_session_device device = world_device();

    memset(w, 0, sizeof *w);
    fault_alloc_init(&w->alloc, fail_at);
    w->now = START_US;
    gap_buf_init(&w->body, &w->alloc.alloc);
    /* The host's clock is right to the second. */
    return gap_session_new(&w->alloc.alloc, &random, &device, w->now,
                           (uint64_t)SERVER_EPOCH_S * SECOND, &w->s);
}

static inline void world_init(struct world *w)
{
    ck_assert_int_eq(world_try_init(w, 0), 0);
    gap_session_set_key(w->s, w->now, SALT, SERVER_EPOCH_S);
    gap_session_connected(w->s, w->now);
}

static inline void world_fini(struct world *w)
{
    gap_session_free(w->s);
    gap_buf_fini(&w->body);
    ck_assert_int_eq(w->alloc.live, 0);
}

/* ---- what the client sends ---- */

static inline void world_note(struct world *w, uint64_t id, uint32_t seqno, uint64_t container,
                              uint32_t container_seqno, const uint8_t *body, size_t len)
{
    ck_assert_uint_lt(w->sent_count, SENT_MAX);
    struct sent *m = &w->sent[w->sent_count++];

    *m = (struct sent){id, container, container_seqno, seqno, gap_load32(body), len, {0}};
    memcpy(m->body, body, len < sizeof m->body ? len : sizeof m->body);
}

/* Take one packet apart. @return what gap_session_poll did. */
static inline int world_poll(struct world *w)
{
    int r = gap_session_poll(w->s, w->now, &w->body, &w->packet);
    const uint8_t *b = w->packet.body.data;
    size_t at = 8;

    if (r != 1) return r;
    uint64_t id = (uint64_t)w->packet.msg_id;
    uint32_t seqno = (uint32_t)w->packet.seqno;
    ck_assert_uint_ge((size_t)(b - w->body.data), GAP_SESSION_ROOM_BYTES);
    if (gap_load32(b) != GAP_MT_MSG_CONTAINER) {
        world_note(w, id, seqno, 0, 0, b, w->packet.body.len);
        return 1;
    }
    for (uint32_t i = gap_load32(b + 4); i > 0; i--) {
        uint32_t len = gap_load32(b + at + 12);
        world_note(w, gap_load64(b + at), gap_load32(b + at + 8), id, seqno, b + at + 16, len);
        at += 16 + len;
    }
    ck_assert_uint_eq(at, w->packet.body.len);
    return 1;
}

/* Everything that is due; forgets what was sent before. @return packets. */
static inline int world_flush(struct world *w)
{
    int packets = 0;

    w->sent_count = 0;
    while (world_poll(w) == 1) packets++;
    return packets;
}

static inline struct sent *world_sent(struct world *w, uint32_t id)
{
    for (size_t i = 0; i < w->sent_count; i++) {
        if (w->sent[i].id == id) return &w->sent[i];
    }
    return NULL;
}

/* ---- what the server says ---- */

static inline uint64_t world_server_id(struct world *w, bool answer)
{
    uint64_t us =
        (uint64_t)SERVER_EPOCH_S * SECOND + (w->now - START_US) + (uint64_t)w->server_ahead_us;
    uint64_t id = (us / SECOND) << 32 | ((us % SECOND << 32) / SECOND & 0xfffffffcU);

    if (id <= (w->server_id & ~UINT64_C(3))) id = (w->server_id & ~UINT64_C(3)) + 4;
    w->server_id = id | (answer ? 1 : 3);
    return w->server_id;
}

static inline int world_feed(struct world *w, uint64_t msg_id, uint32_t seqno, const void *body,
                             size_t len)
{
    gap_packet_t *p;
    gap_plaintext_t m = {0, w->packet.session_id, (int64_t)msg_id, (int32_t)seqno, {NULL, 0}};

    if (w->server_session != 0) m.session_id = (int64_t)w->server_session;
    int r = gap_packet_copy(&w->alloc.alloc, gap_bytes(body, len), &p);
    if (r != 0) return r;
    m.body = gap_bytes(p->data, len);
    r = gap_session_receive(w->s, w->now, &m, p);
    gap_packet_unref(p);
    return r;
}

/* A TL object being written by hand. */
struct obj {
    uint8_t data[70000];
    size_t len;
};

static inline struct obj *obj_start(uint32_t id)
{
    static struct obj objs[16];
    static size_t next;
    struct obj *o = &objs[next++ % GAP_ARRAY_LEN(objs)];

    o->len = 4;
    gap_store32(o->data, id);
    return o;
}

static inline struct obj *obj32(struct obj *o, uint32_t v)
{
    gap_store32(o->data + o->len, v);
    o->len += 4;
    return o;
}

static inline struct obj *obj64(struct obj *o, uint64_t v)
{
    gap_store64(o->data + o->len, v);
    o->len += 8;
    return o;
}

static inline struct obj *obj_bytes(struct obj *o, const void *bytes, size_t len)
{
    if (len < 254) {
        o->data[o->len++] = (uint8_t)len;
    } else {
        gap_store32(o->data + o->len, 0xfeU | (uint32_t)len << 8);
        o->len += 4;
    }
    memcpy(o->data + o->len, bytes, len);
    o->len += len;
    while (o->len % 4 != 0) o->data[o->len++] = 0;
    return o;
}

static inline struct obj *obj_raw(struct obj *o, const void *bytes, size_t len)
{
    memcpy(o->data + o->len, bytes, len);
    o->len += len;
    return o;
}

static inline struct obj *obj_error(uint64_t req, int32_t code, const char *text)
{
    struct obj *o = obj64(obj_start(GAP_MT_RPC_RESULT), req);
    return obj_bytes(obj32(obj32(o, GAP_MT_RPC_ERROR), (uint32_t)code), text, strlen(text));
}

static inline struct obj *obj_true(uint64_t req)
{
    return obj32(obj64(obj_start(GAP_MT_RPC_RESULT), req), GAP_MT_BOOL_TRUE);
}

static inline struct obj *obj_bad(uint64_t msg_id, uint32_t seqno, int32_t code)
{
    struct obj *o = obj64(obj_start(GAP_MT_BAD_MSG_NOTIFICATION), msg_id);
    return obj32(obj32(o, seqno), (uint32_t)code);
}

/* gzip_packed of the bytes, shorter or not. */
static inline struct obj *obj_pack(const void *bytes, size_t len)
{
    static uint8_t in[400000], out[65536];
    z_stream z;

    memset(&z, 0, sizeof z);
    ck_assert_uint_le(len, sizeof in);
    memcpy(in, bytes, len);
    ck_assert_int_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = in;
    z.avail_in = (uInt)len;
    z.next_out = out;
    z.avail_out = sizeof out;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    ck_assert_int_eq(deflateEnd(&z), Z_OK);
    return obj_bytes(obj_start(GAP_MT_GZIP_PACKED), out, z.total_out);
}

static inline struct obj *obj_container(uint32_t count)
{
    return obj32(obj_start(GAP_MT_MSG_CONTAINER), count);
}

static inline struct obj *obj_member(struct obj *c, uint64_t id, uint32_t seqno,
                                     const struct obj *body)
{
    obj32(obj32(obj64(c, id), seqno), (uint32_t)body->len);
    return obj_raw(c, body->data, body->len);
}

/* Odd seqno: a message that is to be acknowledged. */
static inline int world_say(struct world *w, const struct obj *o, bool content)
{
    return world_feed(w, world_server_id(w, true), content ? 1 : 0, o->data, o->len);
}

static inline enum gap_session_event_kind world_next(struct world *w)
{
    int r = gap_session_next(w->s, w->now, &w->ev);
    ck_assert_int_ge(r, 0);
    return r == 1 ? w->ev.kind : 0;
}

static inline void world_expire(struct world *w, uint64_t us)
{
    w->now += us;
    gap_session_expire(w->s, w->now);
}

static inline uint64_t world_call_with(struct world *w, uint32_t flags, uint64_t timeout)
{
    uint8_t query[4];
    uint64_t call = 0;
    struct gap_session_request q = {.query = {query, 4},
                                    .deadline_us = timeout == 0 ? UINT64_MAX : w->now + timeout,
                                    .flags = flags};

    gap_store32(query, GAP_TL_UPDATES_GET_STATE);
    ck_assert_int_eq(gap_session_call(w->s, &q, &call), 0);
    return call;
}

static inline uint64_t world_call(struct world *w)
{
    return world_call_with(w, 0, 0);
}

/* The server's clock is off by this from now on. */
static inline void world_server_clock(struct world *w, int64_t ahead_s)
{
    w->server_ahead_us = ahead_s * (int64_t)SECOND;
    w->server_id = 0;
}

/* Past the first answer: queries go out bare, salts are known. */
static inline void world_warm(struct world *w)
{
    uint64_t call = world_call(w);

    world_flush(w);
    ck_assert_int_eq(world_say(w, obj_true(w->sent[0].msg_id), true), 0);
    ck_assert_int_eq(world_next(w), GAP_SESSION_RESULT);
    ck_assert_uint_eq(w->ev.call, call);
    ck_assert_int_eq(world_next(w), 0);
}

#endif
