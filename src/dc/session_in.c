/*
 * dc/session_in.c - what a session receives: salts, ids, order, containers, the service messages.
 *
 *   packet -> salt -> msg_id -> container? members : message -> seen before? -> seqno
 *          -> service message: answered here | anything else: an API call for the inbox
 *
 * Owns the memory of ids received. Never executes a call. Lenient where a real client needs it:
 * acknowledgements may carry odd sequence numbers.
 */
#include "dc/session.h"

#include "base/alloc.h"
#include "base/packet.h"
#include "dc/keys.h"
#include "dc/wire.h"

#include <gapless/tl_mt.h>

/* bad_msg_notification. */
#define BAD_ID_LOW       16
#define BAD_ID_HIGH      17
#define BAD_ID_BITS      18
#define BAD_CONTAINER_ID 19
#define BAD_ID_UNKNOWN   20
#define BAD_SEQ_LOW      32
#define BAD_SEQ_HIGH     33
#define BAD_SEQ_ODD      34
#define BAD_SEQ_EVEN     35
#define BAD_SALT         48
#define BAD_CONTAINER    64

/* State bytes of msgs_state_info. */
#define STATE_FORGOTTEN 1
#define STATE_NOT_SEEN  2
#define STATE_TOO_HIGH  3
#define STATE_SEEN      4
#define STATE_DONE      (32 | 64)

/* One message, alone in its packet or a member of a container. */
struct member {
    int64_t msg_id;
    int32_t seqno;
    gap_bytes_t body;
};

struct receive {
    gap_dc_session_t *s;
    const gap_dc_now_t *now;
    gap_dc_inbox_t *in;
};

void gap_dc_inbox_init(gap_dc_inbox_t *in, const gap_alloc_t *alloc)
{
    memset(in, 0, sizeof *in);
    in->alloc = alloc;
    in->disconnect_s = -1;
    gap_buf_init(&in->calls, alloc);
    gap_buf_init(&in->arena, alloc);
}

void gap_dc_inbox_clear(gap_dc_inbox_t *in)
{
    gap_bytes_t all = gap_buf_view(&in->arena);

    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the arena holds pointers */
    for (size_t at = 0; at < all.len; at += sizeof(gap_packet_t *)) {
        gap_packet_t *packet;
        /* NOLINTNEXTLINE(bugprone-sizeof-expression): the arena holds pointers */
        memcpy(&packet, all.data + at, sizeof packet);
        gap_packet_unref(packet);
    }
    gap_buf_clear(&in->arena);
    gap_buf_clear(&in->calls);
    in->disconnect_s = -1;
    in->destroy_count = 0;
    in->destroy_key = 0;
}

void gap_dc_inbox_fini(gap_dc_inbox_t *in)
{
    gap_dc_inbox_clear(in);
    gap_buf_fini(&in->arena);
    gap_buf_fini(&in->calls);
}

static int find_seen(const gap_dc_session_t *s, int64_t msg_id)
{
    for (uint32_t i = 0; i < s->seen_count; i++)
        if (s->seen[i] == msg_id) return (int)i;
    return -1;
}

int gap_dc_session_seen(const gap_dc_session_t *s, int64_t msg_id)
{
    int i = find_seen(s, msg_id);

    return i < 0 ? -1 : s->seen_flags[i];
}

/* Older than everything remembered: whether it came before can't be told. */
static bool beyond_memory(const gap_dc_session_t *s, int64_t msg_id)
{
    if (s->seen_count < GAP_DC_SEEN_IDS) return false;
    for (uint32_t i = 0; i < s->seen_count; i++)
        if (s->seen[i] < msg_id) return false;
    return true;
}

static void remember(gap_dc_session_t *s, int64_t msg_id, uint8_t flags)
{
    s->seen[s->seen_next] = msg_id;
    s->seen_flags[s->seen_next] = flags;
    s->seen_next = (s->seen_next + 1) % GAP_DC_SEEN_IDS;
    if (s->seen_count < GAP_DC_SEEN_IDS) s->seen_count++;
}

/* A short answer of the service layer. */
static int reply(const struct receive *r, gap_bytes_t body)
{
    return gap_dc_session_send(r->s, r->now, 0, 0, 0, body);
}

static int reply_bad(const struct receive *r, int64_t msg_id, int32_t seqno, uint32_t code)
{
    uint8_t b[20];

    gap_store32(b, GAP_MT_BAD_MSG_NOTIFICATION);
    gap_store64(b + 4, (uint64_t)msg_id);
    gap_store32(b + 12, (uint32_t)seqno);
    gap_store32(b + 16, code);
    return reply(r, gap_bytes(b, sizeof b));
}

static int reply_bad_salt(const struct receive *r, const gap_plaintext_t *m)
{
    const gap_dc_key_t *key = r->s->key;
    uint64_t period = gap_dc_key_period(key, r->now->wall_us / 1000000);
    uint8_t b[28];

    gap_store32(b, GAP_MT_BAD_SERVER_SALT);
    gap_store64(b + 4, (uint64_t)m->msg_id);
    gap_store32(b + 12, (uint32_t)m->seqno);
    gap_store32(b + 16, BAD_SALT);
    gap_store64(b + 20, (uint64_t)gap_dc_key_salt(key, period));
    return reply(r, gap_bytes(b, sizeof b));
}

static int acknowledge(gap_dc_session_t *s, int64_t msg_id)
{
    if (gap_buf_view(&s->acks).len >= GAP_DC_ACKS_MAX * 8) return 0;
    return gap_buf_append64(&s->acks, (uint64_t)msg_id);
}

static void drop_unacked(gap_dc_session_t *s, gap_dc_out_t *o)
{
    (void)gap_map_remove(&s->unacked_by_id, (uint64_t)o->msg_id);
    TAILQ_REMOVE(&s->unacked, o, link);
    s->unacked_count--;
    s->bytes -= sizeof *o + o->len;
    gap_free(s->alloc, o);
}

/* --- service messages ---------------------------------------------------------------------- */

/* The ids of a Vector<long>; *count is 0 if they are not there. */
static gap_bytes_t take_ids(gap_dc_cursor_t *c, uint32_t *count)
{
    gap_bytes_t none = {NULL, 0};
    uint32_t id = gap_dc_take32(c);
    uint32_t n = gap_dc_take32(c);

    *count = 0;
    if (c->bad || id != GAP_TL_VECTOR || n > c->left / 8) return none;
    if (n > GAP_DC_ACKS_MAX) n = GAP_DC_ACKS_MAX;
    *count = n;
    return gap_bytes(gap_dc_take(c, (size_t)n * 8), (size_t)n * 8);
}

static int on_msgs_ack(const struct receive *r, gap_dc_cursor_t *c)
{
    uint32_t count;
    gap_bytes_t ids = take_ids(c, &count);

    for (uint32_t i = 0; i < count; i++) {
        uint64_t id = gap_load64(ids.data + (size_t)i * 8);
        gap_dc_out_t *o = id == 0 ? NULL : gap_map_get(&r->s->unacked_by_id, id);
        if (o != NULL) drop_unacked(r->s, o);
    }
    return 0;
}

static int on_ping(const struct receive *r, const struct member *m, gap_dc_cursor_t *c)
{
    uint8_t b[20];

    gap_store32(b, GAP_MT_PONG);
    gap_store64(b + 4, (uint64_t)m->msg_id);
    gap_store64(b + 12, (uint64_t)gap_dc_take64(c));
    return c->bad ? 0 : reply(r, gap_bytes(b, sizeof b));
}

static int on_ping_delay(const struct receive *r, const struct member *m, gap_dc_cursor_t *c)
{
    int result = on_ping(r, m, c);
    int32_t delay = (int32_t)gap_dc_take32(c);

    if (!c->bad && delay > 0) r->in->disconnect_s = delay;
    return result;
}

static int on_future_salts(const struct receive *r, const struct member *m, gap_dc_cursor_t *c)
{
    const gap_dc_key_t *key = r->s->key;
    uint64_t now_s = r->now->wall_us / 1000000;
    uint64_t period = gap_dc_key_period(key, now_s);
    uint32_t num = gap_dc_take32(c);
    uint8_t b[20 + 64 * 16];

    if (num < 1) num = 1;
    if (num > 64) num = 64;
    gap_store32(b, GAP_MT_FUTURE_SALTS);
    gap_store64(b + 4, (uint64_t)m->msg_id);
    gap_store32(b + 12, (uint32_t)now_s);
    gap_store32(b + 16, num);
    for (uint32_t i = 0; i < num; i++) {
        uint64_t since = key->made_s + (period + i) * GAP_DC_SALT_PERIOD_S;
        uint8_t *p = b + 20 + (size_t)i * 16;
        gap_store32(p, (uint32_t)since);
        gap_store32(p + 4, (uint32_t)(since + GAP_DC_SALT_LIFETIME_S));
        gap_store64(p + 8, (uint64_t)gap_dc_key_salt(key, period + i));
    }
    return reply(r, gap_bytes(b, 20 + (size_t)num * 16));
}

static uint8_t state_of(const gap_dc_session_t *s, int64_t msg_id)
{
    int flags = gap_dc_session_seen(s, msg_id);

    if (flags >= 0) return (flags & GAP_DC_SEEN_CALL) != 0 ? STATE_SEEN | STATE_DONE : STATE_SEEN;
    if (beyond_memory(s, msg_id)) return STATE_FORGOTTEN;
    return msg_id > s->top_id ? STATE_TOO_HIGH : STATE_NOT_SEEN;
}

static int reply_states(const struct receive *r, const struct member *m, gap_bytes_t ids,
                        uint32_t count)
{
    gap_buf_t b;
    uint8_t *states = gap_malloc(r->s->alloc, count + 1U);
    int result;

    if (states == NULL) return GAP_E_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        states[i] = state_of(r->s, (int64_t)gap_load64(ids.data + (size_t)i * 8));
    gap_buf_init(&b, r->s->alloc);
    if ((result = gap_buf_append32(&b, GAP_MT_MSGS_STATE_INFO)) < 0) goto out;
    if ((result = gap_buf_append64(&b, (uint64_t)m->msg_id)) < 0) goto out;
    if ((result = gap_dc_put_bytes(&b, gap_bytes(states, count))) < 0) goto out;
    result = reply(r, gap_buf_view(&b));
out:
    gap_buf_fini(&b);
    gap_free(r->s->alloc, states);
    return result;
}

static int on_state_req(const struct receive *r, const struct member *m, gap_dc_cursor_t *c)
{
    uint32_t count;
    gap_bytes_t ids = take_ids(c, &count);

    return c->bad ? 0 : reply_states(r, m, ids, count);
}

/* What is still unacknowledged goes out again under its own id; of anything else the state. */
static int on_resend_req(const struct receive *r, const struct member *m, gap_dc_cursor_t *c)
{
    uint32_t count;
    gap_bytes_t ids = take_ids(c, &count);
    gap_dc_session_t *s = r->s;
    bool all = true;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t id = gap_load64(ids.data + (size_t)i * 8);
        gap_dc_out_t *o = id == 0 ? NULL : gap_map_remove(&s->unacked_by_id, id);
        if (o == NULL) {
            all = false;
            continue;
        }
        TAILQ_REMOVE(&s->unacked, o, link);
        s->unacked_count--;
        o->due_us = 0;
        TAILQ_INSERT_HEAD(&s->queue, o, link);
    }
    return all || c->bad ? 0 : reply_states(r, m, ids, count);
}

/* The answer of this query, sent or not, if it is still here. */
static gap_dc_out_t *find_answer(const gap_dc_session_t *s, int64_t req_msg_id, bool *is_queued)
{
    gap_dc_out_t *o;

    *is_queued = false;
    TAILQ_FOREACH (o, &s->unacked, link)
        if (o->req_msg_id == req_msg_id) return o;
    *is_queued = true;
    TAILQ_FOREACH (o, &s->queue, link)
        if (o->req_msg_id == req_msg_id) return o;
    return NULL;
}

static int on_drop_answer(const struct receive *r, const struct member *m, gap_dc_cursor_t *c)
{
    int64_t req = gap_dc_take64(c);
    bool is_queued;
    gap_dc_session_t *s = r->s;
    gap_dc_out_t *o = c->bad || req == 0 ? NULL : find_answer(s, req, &is_queued);
    uint8_t b[20];

    gap_store32(b, GAP_MT_RPC_ANSWER_UNKNOWN);
    if (o == NULL) return gap_dc_session_answer(s, r->now, m->msg_id, 0, gap_bytes(b, 4), false);
    gap_store32(b, GAP_MT_RPC_ANSWER_DROPPED);
    gap_store64(b + 4, (uint64_t)o->msg_id);
    gap_store32(b + 12, (uint32_t)o->seqno);
    gap_store32(b + 16, o->len);
    if (is_queued) {
        TAILQ_REMOVE(&s->queue, o, link);
        s->bytes -= sizeof *o + o->len;
        gap_free(s->alloc, o);
    } else {
        drop_unacked(s, o);
    }
    return gap_dc_session_answer(s, r->now, m->msg_id, 0, gap_bytes(b, sizeof b), false);
}

static int on_destroy_session(const struct receive *r, gap_dc_cursor_t *c)
{
    int64_t id = gap_dc_take64(c);
    uint8_t b[12];

    if (c->bad) return 0;
    bool is_other = id != r->s->id && gap_dc_key_find_session(r->s->key, id) != NULL;
    if (is_other && r->in->destroy_count < GAP_DC_DESTROY_MAX) {
        r->in->destroy[r->in->destroy_count++] = id;
        gap_store32(b, GAP_MT_DESTROY_SESSION_OK);
    } else {
        gap_store32(b, GAP_MT_DESTROY_SESSION_NONE);
    }
    gap_store64(b + 4, (uint64_t)id);
    return reply(r, gap_bytes(b, sizeof b));
}

/* @return 1 it was not for the service layer; 0 done; negative. */
static int service(const struct receive *r, const struct member *m)
{
    gap_dc_cursor_t c = gap_dc_cursor(m->body);

    switch (gap_dc_take32(&c)) {
    case GAP_MT_MSGS_ACK:
        return on_msgs_ack(r, &c);
    case GAP_MT_PING:
        return on_ping(r, m, &c);
    case GAP_MT_PING_DELAY_DISCONNECT:
        return on_ping_delay(r, m, &c);
    case GAP_MT_GET_FUTURE_SALTS:
        return on_future_salts(r, m, &c);
    case GAP_MT_MSGS_STATE_REQ:
        return on_state_req(r, m, &c);
    case GAP_MT_MSG_RESEND_REQ:
        return on_resend_req(r, m, &c);
    case GAP_MT_RPC_DROP_ANSWER:
        return on_drop_answer(r, m, &c);
    case GAP_MT_DESTROY_SESSION:
        return on_destroy_session(r, &c);
    case GAP_MT_DESTROY_AUTH_KEY:
        r->in->destroy_key = m->msg_id;
        return 0;
    case GAP_MT_HTTP_WAIT:
    case GAP_MT_MSGS_STATE_INFO:
    case GAP_MT_MSGS_ALL_INFO:
    case GAP_MT_MSG_DETAILED_INFO:
    case GAP_MT_MSG_NEW_DETAILED_INFO:
        return 0;
    default:
        return 1;
    }
}

/* --- calls --------------------------------------------------------------------------------- */

/* Put a call into the inbox, inflated if it is packed as a whole. */
static int add_call(const struct receive *r, const struct member *m)
{
    gap_dc_call_t call = {m->msg_id, m->body};
    gap_dc_cursor_t c = gap_dc_cursor(m->body);
    gap_packet_t *plain;
    int result;

    if (gap_dc_take32(&c) == GAP_MT_GZIP_PACKED) {
        gap_bytes_t packed = gap_dc_take_bytes(&c);
        result =
            c.bad ? GAP_E_GZIP : gap_inflate(r->s->zip, packed, GAP_DC_INFLATED_MAX_BYTES, &plain);
        if (result < 0 && result != GAP_E_GZIP) return result;
        call.query = gap_bytes(NULL, 0);
        if (result == 0) {
            result = gap_buf_append(&r->in->arena, &plain, sizeof(gap_packet_t *));
            if (result < 0) {
                gap_packet_unref(plain);
                return result;
            }
            call.query = gap_bytes(plain->data, plain->len);
        }
    }
    return gap_buf_append(&r->in->calls, &call, sizeof call);
}

/* The same message again: its answer again, or that it was received. */
static int answer_again(const struct receive *r, const struct member *m)
{
    gap_dc_session_t *s = r->s;
    bool is_queued;
    gap_dc_out_t *o = find_answer(s, m->msg_id, &is_queued);

    if (o == NULL) return (m->seqno & 1) != 0 ? acknowledge(s, m->msg_id) : 0;
    if (is_queued) return 0;
    (void)gap_map_remove(&s->unacked_by_id, (uint64_t)o->msg_id);
    TAILQ_REMOVE(&s->unacked, o, link);
    s->unacked_count--;
    TAILQ_INSERT_TAIL(&s->queue, o, link);
    return 0;
}

/* Content-related messages are numbered in the order of their ids. @return 0 or the error code. */
static uint32_t check_seqno(gap_dc_session_t *s, const struct member *m)
{
    if ((m->seqno & 1) == 0) return 0;
    if (s->top_id != 0 && m->msg_id > s->top_id && m->seqno <= s->top_seqno) return BAD_SEQ_LOW;
    if (s->top_id != 0 && m->msg_id < s->top_id && m->seqno >= s->top_seqno) return BAD_SEQ_HIGH;
    if (m->msg_id > s->top_id) {
        s->top_id = m->msg_id;
        s->top_seqno = m->seqno;
    }
    return 0;
}

static int receive_member(const struct receive *r, const struct member *m)
{
    gap_dc_session_t *s = r->s;
    bool is_odd = (m->seqno & 1) != 0;
    int result;

    if (m->body.len < 4) return reply_bad(r, m->msg_id, m->seqno, BAD_CONTAINER);
    if (find_seen(s, m->msg_id) >= 0) return answer_again(r, m);
    if (beyond_memory(s, m->msg_id)) return reply_bad(r, m->msg_id, m->seqno, BAD_ID_UNKNOWN);
    uint32_t bad = check_seqno(s, m);
    if (bad != 0) return reply_bad(r, m->msg_id, m->seqno, bad);
    result = service(r, m);
    if (result < 0) return result;
    if (result == 0) {
        remember(s, m->msg_id, 0);
        bool is_ack = gap_load32(m->body.data) == GAP_MT_MSGS_ACK;
        return is_odd && !is_ack ? acknowledge(s, m->msg_id) : 0;
    }
    if (!is_odd) return reply_bad(r, m->msg_id, m->seqno, BAD_SEQ_EVEN);
    remember(s, m->msg_id, GAP_DC_SEEN_CALL);
    return add_call(r, m);
}

/* --- packets ------------------------------------------------------------------------------- */

/* The next member of a container. */
static void take_member(gap_dc_cursor_t *c, struct member *m)
{
    m->msg_id = gap_dc_take64(c);
    m->seqno = (int32_t)gap_dc_take32(c);
    uint32_t len = gap_dc_take32(c);
    if (len % 4 != 0) c->bad = true;
    m->body = gap_bytes(gap_dc_take(c, len), len);
}

/* A container is taken or refused as a whole. @return its lowest msg_id; 0 it is malformed. */
static int64_t check_container(const gap_plaintext_t *m)
{
    gap_dc_cursor_t c = gap_dc_cursor(m->body);
    int64_t lowest = m->msg_id;

    (void)gap_dc_take32(&c);
    uint32_t count = gap_dc_take32(&c);
    if (c.bad || count > GAP_DC_CONTAINER_IN_MAX) return 0;
    for (uint32_t i = 0; i < count; i++) {
        struct member member;
        take_member(&c, &member);
        if (c.bad || member.msg_id >= m->msg_id || member.msg_id <= 0) return 0;
        if (member.msg_id % 4 != 0 || member.body.len < 4) return 0;
        if (gap_load32(member.body.data) == GAP_MT_MSG_CONTAINER) return 0;
        if (member.msg_id < lowest) lowest = member.msg_id;
    }
    return lowest;
}

/* The first message of a session is answered with what a client that lost a session must know. */
static int greet(const struct receive *r, int64_t first_msg_id)
{
    gap_dc_session_t *s = r->s;
    const gap_dc_key_t *key = s->key;
    uint64_t period = gap_dc_key_period(key, r->now->wall_us / 1000000);
    uint8_t b[28];

    if (s->greeted) return 0;
    s->greeted = true;
    gap_store32(b, GAP_MT_NEW_SESSION_CREATED);
    gap_store64(b + 4, (uint64_t)first_msg_id);
    gap_store64(b + 12, gap_dc_key_unique(key, s->id, first_msg_id));
    gap_store64(b + 20, (uint64_t)gap_dc_key_salt(key, period));
    return gap_dc_session_send(s, r->now, GAP_DC_CONTENT | GAP_DC_PUSH, 0, 0,
                               gap_bytes(b, sizeof b));
}

static int receive_container(const struct receive *r, const gap_plaintext_t *m)
{
    gap_dc_cursor_t c = gap_dc_cursor(m->body);
    int64_t lowest = check_container(m);
    int result;

    if (lowest == 0) return reply_bad(r, m->msg_id, m->seqno, BAD_CONTAINER);
    if ((m->seqno & 1) != 0) return reply_bad(r, m->msg_id, m->seqno, BAD_SEQ_ODD);
    if (find_seen(r->s, m->msg_id) >= 0) return reply_bad(r, m->msg_id, m->seqno, BAD_CONTAINER_ID);
    if ((result = greet(r, lowest)) < 0) return result;
    remember(r->s, m->msg_id, 0);
    (void)gap_dc_take32(&c);
    uint32_t count = gap_dc_take32(&c);
    for (uint32_t i = 0; i < count; i++) {
        struct member member;
        take_member(&c, &member);
        if ((result = receive_member(r, &member)) < 0) return result;
    }
    return 0;
}

/* Does the clock allow this id? @return 0 or the error code. */
static uint32_t check_id(int64_t msg_id, uint64_t wall_us)
{
    int64_t now_s = (int64_t)(wall_us / 1000000);
    int64_t then_s = msg_id >> 32;

    if (msg_id % 4 != 0) return BAD_ID_BITS;
    if (then_s < now_s - GAP_DC_ID_OLD_S) return BAD_ID_LOW;
    if (then_s > now_s + GAP_DC_ID_AHEAD_S) return BAD_ID_HIGH;
    return 0;
}

int gap_dc_session_receive(gap_dc_session_t *s, const gap_dc_now_t *now, const gap_plaintext_t *m,
                           gap_dc_inbox_t *in)
{
    struct receive r = {s, now, in};
    int result;

    if (m->body.len < 4) return 0;
    if (!gap_dc_key_salt_ok(s->key, m->salt, now->wall_us / 1000000)) return reply_bad_salt(&r, m);
    uint32_t bad = check_id(m->msg_id, now->wall_us);
    if (bad != 0) return reply_bad(&r, m->msg_id, m->seqno, bad);
    if (gap_load32(m->body.data) == GAP_MT_MSG_CONTAINER) return receive_container(&r, m);
    if ((result = greet(&r, m->msg_id)) < 0) return result;
    struct member only = {m->msg_id, m->seqno, m->body};
    return receive_member(&r, &only);
}
