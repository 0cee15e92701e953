/* tests/unit/dc_session_world.h - one key with one session, and what a test needs to talk to it. */
#ifndef GAP_TESTS_DC_SESSION_WORLD_H
#define GAP_TESTS_DC_SESSION_WORLD_H

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/gzip.h"
#include "base/packet.h"
#include "base/prng.h"
#include "dc/keys.h"
#include "tests/check_main.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>
#include <string.h>

#define NOW_S 1700000000

struct world {
    struct fault_alloc fault;
    gap_gzip_t zip;
    gap_dc_keys_t keys;
    gap_dc_key_t *key;
    gap_dc_session_t *s;
    gap_dc_inbox_t in;
    gap_dc_now_t now;
    gap_buf_t body; /* of the message being made */
    gap_buf_t out;  /* of the packet received */
    int64_t last_id;
    int32_t seqno;
};

static inline void world_init(struct world *w)
{
    gap_auth_key_t auth;

    memset(w, 0, sizeof *w);
    memset(&auth, 0, sizeof auth);
    fault_alloc_init(&w->fault, 0);
    gap_gzip_init(&w->zip, &w->fault.alloc);
    gap_dc_keys_init(&w->keys, &w->fault.alloc, &w->zip);
    auth.id = 99;
    ck_assert_int_eq(gap_dc_keys_add(&w->keys, &auth, 1234, 5, NOW_S, &w->key), 0);
    ck_assert_int_eq(gap_dc_key_session(&w->keys, w->key, 7, &w->s), 0);
    w->s->conn = w; /* connected */
    gap_dc_inbox_init(&w->in, &w->fault.alloc);
    gap_buf_init(&w->body, gap_alloc_default());
    gap_buf_init(&w->out, &w->fault.alloc);
    w->now.wall_us = (uint64_t)NOW_S * 1000000;
    w->now.mono_us = 1000000;
    w->last_id = (int64_t)NOW_S << 32;
}

static inline void world_fini(struct world *w)
{
    gap_dc_inbox_fini(&w->in);
    gap_buf_fini(&w->out);
    gap_buf_fini(&w->body);
    gap_dc_keys_fini(&w->keys);
    gap_gzip_fini(&w->zip);
    ck_assert_int_eq(w->fault.live, 0);
}

static inline void put(gap_buf_t *b, const void *p, size_t n)
{
    ck_assert_int_eq(gap_buf_append(b, p, n), 0);
}
static inline void put32(gap_buf_t *b, uint32_t v)
{
    put(b, &v, 4);
}
static inline void put64(gap_buf_t *b, int64_t v)
{
    put(b, &v, 8);
}

static inline int receive_at(struct world *w, int64_t msg_id, int32_t seqno, int64_t salt)
{
    gap_plaintext_t m = {salt, 7, msg_id, seqno, gap_buf_view(&w->body)};
    return gap_dc_session_receive(w->s, &w->now, &m, &w->in);
}

static inline int64_t next_id(struct world *w)
{
    return w->last_id += 4;
}

/* The body as an ordinary message. @return its id. */
static inline int64_t receive(struct world *w, bool is_content)
{
    int64_t id = next_id(w);
    int32_t seqno = w->seqno * 2 + (is_content ? 1 : 0);

    if (is_content) w->seqno++;
    ck_assert_int_eq(receive_at(w, id, seqno, 1234), 0);
    gap_buf_clear(&w->body);
    return id;
}

static inline void ping(struct world *w, int64_t n)
{
    gap_buf_clear(&w->body);
    put32(&w->body, GAP_MT_PING);
    put64(&w->body, n);
}

static inline void call(struct world *w)
{
    gap_buf_clear(&w->body);
    put32(&w->body, GAP_TL_HELP_GET_CONFIG);
}

/* Everything that is due, one message after the other, containers taken apart. */
struct got {
    int64_t msg_id;
    int32_t seqno;
    uint32_t id;
    uint8_t body[2048];
    size_t len;
};

static inline size_t take_all(struct world *w, struct got *got, size_t cap)
{
    size_t count = 0;
    gap_plaintext_t m;
    int r;

    while ((r = gap_dc_session_pack(w->s, &w->now, &w->out, &m)) > 0) {
        const uint8_t *p = m.body.data;
        uint32_t members = 1;
        bool is_container = gap_load32(p) == GAP_MT_MSG_CONTAINER;
        if (is_container) {
            members = gap_load32(p + 4);
            p += 8;
        }
        for (uint32_t i = 0; i < members; i++, count++) {
            ck_assert_uint_lt(count, cap);
            struct got *g = &got[count];
            g->msg_id = is_container ? (int64_t)gap_load64(p) : m.msg_id;
            g->seqno = is_container ? (int32_t)gap_load32(p + 8) : m.seqno;
            g->len = is_container ? gap_load32(p + 12) : m.body.len;
            p += is_container ? 16 : 0;
            g->id = gap_load32(p);
            memcpy(g->body, p, g->len < sizeof g->body ? g->len : sizeof g->body);
            p += g->len;
            ck_assert_int_eq(g->msg_id & 1, 1);
            if (is_container) ck_assert_int_lt(g->msg_id, m.msg_id);
        }
    }
    ck_assert_int_eq(r, 0);
    return count;
}

static inline const struct got *find(const struct got *got, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++)
        if (got[i].id == id) return &got[i];
    return NULL;
}

/* Past the greeting. */
static inline void greeted(struct world *w)
{
    struct got got[4];

    world_init(w);
    ping(w, 1);
    (void)receive(w, false);
    ck_assert_uint_eq(take_all(w, got, 4), 2);
}

#endif
