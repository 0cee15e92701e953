/*
 * mtproto/session_send.c - what waits to go out -> packets.
 *
 * A packet is one message, or a container of several: service messages, acknowledgements, then
 * queries in the order of their calls. A packet is built up message by message; when memory runs
 * out it simply ends there, and what did not fit stays where it was.
 *
 * Owns: nothing but the packet under construction. Never: decides that something is to be repeated.
 */
#include "mtproto/session_internal.h"

#include "base/assert.h"

#include <gapless/tl_api.h>

#define US_PER_S UINT64_C(1000000)

/* ---- service messages ---- */

int session_service_new(gap_session_t *s, enum service_kind kind, size_t len,
                        struct session_service **out)
{
    if (s->service_count >= GAP_SESSION_SERVICE_QUEUE_MAX) return GAP_E_LIMIT;
    struct session_service *m = gap_malloc(s->alloc, sizeof *m + len);
    if (m == NULL) return GAP_E_NOMEM;
    memset(m, 0, sizeof *m);
    m->kind = (uint8_t)kind;
    m->len = len;
    TAILQ_INSERT_TAIL(&s->services, m, link);
    s->service_count++;
    *out = m;
    return 0;
}

void session_service_free(gap_session_t *s, struct session_service *m)
{
    TAILQ_REMOVE(&s->services_sent, m, link);
    s->service_sent_count--;
    gap_free(s->alloc, m);
}

void session_services_clear(gap_session_t *s, struct session_services *list, size_t *count)
{
    struct session_service *m;

    while ((m = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, m, link);
        gap_free(s->alloc, m);
    }
    *count = 0;
}

struct session_service *session_service_sent(gap_session_t *s, uint64_t msg_id)
{
    struct session_service *m;

    TAILQ_FOREACH (m, &s->services_sent, link) {
        if (m->msg_id == msg_id) return m;
    }
    return NULL;
}

void session_service_again(gap_session_t *s, struct session_service *m)
{
    if (++m->rejected > GAP_SESSION_BAD_MAX || s->service_count >= GAP_SESSION_SERVICE_QUEUE_MAX) {
        session_service_free(s, m);
        return;
    }
    TAILQ_REMOVE(&s->services_sent, m, link);
    s->service_sent_count--;
    TAILQ_INSERT_TAIL(&s->services, m, link);
    s->service_count++;
}

int gap_session_ping(gap_session_t *s, int32_t delay_s, uint64_t *ping_id)
{
    struct session_service *m;
    int r = session_service_new(s, SERVICE_PING, 16, &m);

    if (r != 0) return GAP_E_NOMEM;
    *ping_id = gap_prng_next(&s->prng);
    gap_store32(m->body, GAP_MT_PING_DELAY_DISCONNECT);
    gap_store64(m->body + 4, *ping_id);
    gap_store32(m->body + 12, (uint32_t)delay_s);
    return 0;
}

/* Turn collected ids into a service message. @return 0, GAP_E_NOMEM, GAP_E_LIMIT. */
static int ids_to_service(gap_session_t *s, struct session_ids *v, enum service_kind kind,
                          uint32_t constructor)
{
    size_t count = v->count < GAP_SESSION_IDS_MAX ? v->count : GAP_SESSION_IDS_MAX;
    struct session_service *m;
    int r;

    if (count == 0) return 0;
    r = session_service_new(s, kind, 12 + 8 * count, &m);
    if (r != 0) return r;
    gap_store32(m->body, constructor);
    gap_store32(m->body + 4, GAP_TL_VECTOR);
    gap_store32(m->body + 8, (uint32_t)count);
    memcpy(m->body + 12, v->ids, 8 * count);
    v->count -= count;
    memmove(v->ids, v->ids + count, 8 * v->count);
    return 0;
}

/* Salts for the next hours are asked for when something goes out anyway. */
static int ask_salts(gap_session_t *s, uint64_t now_us)
{
    struct session_service *m;

    if (s->salt_count >= 2 || now_us < s->salts_ask_us || s->fresh) return 0;
    int r = session_service_new(s, SERVICE_FUTURE_SALTS, 8, &m);
    if (r != 0) return r;
    gap_store32(m->body, GAP_MT_GET_FUTURE_SALTS);
    gap_store32(m->body + 4, GAP_SESSION_SALTS);
    s->salts_ask_us = now_us + GAP_SESSION_SALTS_EVERY_US;
    return 0;
}

/* ---- one packet ---- */

struct packet {
    gap_buf_t *body;
    uint64_t now_us;
    size_t count;
    bool container;  /* needed even for one message */
    uint64_t msg_id; /* of the message added last */
    uint32_t seqno;
    struct session_request *first_request; /* in the flight */
    struct session_service *first_service; /* among the sent ones */
};

static bool is_full(const struct packet *p, size_t more)
{
    if (p->count == 0) return false;
    if (p->count >= GAP_SESSION_CONTAINER_MAX) return true;
    return p->body->len - SESSION_FRONT_BYTES + SESSION_MESSAGE_HEAD_BYTES + more >
           GAP_SESSION_CONTAINER_BYTES;
}

/* Room for a message of len bytes, and its head written. The caller writes the body. */
static uint8_t *begin_message(struct packet *p, uint64_t msg_id, uint32_t seqno, size_t len)
{
    gap_buf_t *b = p->body;
    uint8_t *at = b->data + b->len;

    gap_store64(at, msg_id);
    gap_store32(at + 8, seqno);
    gap_store32(at + 12, (uint32_t)len);
    b->len += SESSION_MESSAGE_HEAD_BYTES + len;
    p->msg_id = msg_id;
    p->seqno = seqno;
    p->count++;
    return at + SESSION_MESSAGE_HEAD_BYTES;
}

static void remember_service(gap_session_t *s, struct session_service *m)
{
    TAILQ_REMOVE(&s->services, m, link);
    s->service_count--;
    TAILQ_INSERT_TAIL(&s->services_sent, m, link);
    s->service_sent_count++;
}

static void forget_services(gap_session_t *s)
{
    while (s->service_sent_count > GAP_SESSION_SERVICE_SENT_MAX)
        session_service_free(s, TAILQ_FIRST(&s->services_sent));
}

/* @return 0 added, 1 the packet is full, GAP_E_NOMEM. */
static int add_service(gap_session_t *s, struct packet *p, struct session_service *m)
{
    if (is_full(p, m->len)) return 1;
    int r = gap_buf_reserve(p->body, SESSION_MESSAGE_HEAD_BYTES + m->len);
    if (r != 0) return r;
    m->msg_id = session_next_msg_id(s, p->now_us);
    m->container_id = 0;
    uint8_t *at = begin_message(p, m->msg_id, 2 * s->content_sent, m->len);
    memcpy(at, m->body, m->len);
    remember_service(s, m);
    if (p->first_service == NULL) p->first_service = m;
    return 0;
}

static bool may_keep_id(const gap_session_t *s, const struct packet *p,
                        const struct session_request *r)
{
    int64_t age_us = gap_session_server_us(s, p->now_us) - session_id_us(r->msg_id);

    if (!r->keep_id || r->msg_id == 0) return false;
    return age_us < GAP_SESSION_KEEP_ID_S * (int64_t)US_PER_S &&
           age_us > -GAP_SESSION_FUTURE_S * (int64_t)US_PER_S;
}

/* @return 0, GAP_E_NOMEM. */
static int give_id(gap_session_t *s, struct packet *p, struct session_request *r)
{
    uint64_t id = session_next_msg_id(s, p->now_us);
    int e = gap_map_set(&s->by_msg, id, r);

    if (e != 0) return e;
    session_request_forget_id(s, r);
    r->msg_id = id;
    r->seqno = 2 * s->content_sent++ + 1;
    return 0;
}

static void write_query(const gap_session_t *s, const struct session_request *r, uint8_t *at)
{
    if (!s->inited) {
        memcpy(at, s->init.data, s->init.len);
        at += s->init.len;
    }
    if ((r->flags & GAP_SESSION_WITHOUT_UPDATES) != 0) {
        gap_store32(at, GAP_TL_INVOKE_WITHOUT_UPDATES);
        at += 4;
    }
    memcpy(at, r->query, r->len);
}

/* @return 0 added, 1 the packet is full, GAP_E_NOMEM. */
static int add_request(gap_session_t *s, struct packet *p, struct session_request *r)
{
    size_t len = r->len + (s->inited ? 0 : s->init.len) +
                 ((r->flags & GAP_SESSION_WITHOUT_UPDATES) != 0 ? 4 : 0);
    bool keep = may_keep_id(s, p, r);

    if (is_full(p, len)) return 1;
    int e = gap_buf_reserve(p->body, SESSION_MESSAGE_HEAD_BYTES + len);
    if (e == 0 && !keep) e = give_id(s, p, r);
    if (e != 0) return e;
    write_query(s, r, begin_message(p, r->msg_id, r->seqno, len));
    r->container_id = 0;
    r->wrapped = !s->inited;
    r->sent_us = p->now_us;
    r->ask_us = p->now_us + GAP_SESSION_ASK_US;
    r->asked = 0;
    if (r->ask_us < s->check_us) s->check_us = r->ask_us;
    TAILQ_REMOVE(&s->queue, r, link);
    r->state = REQUEST_SENT;
    TAILQ_INSERT_TAIL(&s->flight, r, link);
    if (p->first_request == NULL) p->first_request = r;
    p->container = p->container || keep;
    return 0;
}

static int fill(gap_session_t *s, struct packet *p)
{
    struct session_service *m;
    struct session_request *q;
    int r = 0;

    while (r == 0 && (m = TAILQ_FIRST(&s->services)) != NULL) r = add_service(s, p, m);
    while (r == 0 && (q = TAILQ_FIRST(&s->queue)) != NULL) r = add_request(s, p, q);
    return r;
}

/* Close the packet: wrap its messages in a container if there are several. */
static void finish(gap_session_t *s, struct packet *p, gap_plaintext_t *out)
{
    uint8_t *first = p->body->data + SESSION_FRONT_BYTES;
    size_t len = p->body->len - SESSION_FRONT_BYTES;

    if (p->count > 1 || p->container) {
        uint64_t id = session_next_msg_id(s, p->now_us);
        for (struct session_service *m = p->first_service; m != NULL; m = TAILQ_NEXT(m, link))
            m->container_id = id;
        for (struct session_request *r = p->first_request; r != NULL; r = TAILQ_NEXT(r, link))
            r->container_id = id;
        gap_store32(first - 8, GAP_MT_MSG_CONTAINER);
        gap_store32(first - 4, (uint32_t)p->count);
        p->msg_id = id;
        p->seqno = 2 * s->content_sent;
        out->body = gap_bytes(first - 8, len + 8);
    } else {
        out->body = gap_bytes(first + SESSION_MESSAGE_HEAD_BYTES, len - SESSION_MESSAGE_HEAD_BYTES);
    }
    if (s->fresh) s->fresh_id = p->msg_id;
    out->salt = (int64_t)s->salt;
    out->session_id = (int64_t)s->id;
    out->msg_id = (int64_t)p->msg_id;
    out->seqno = (int32_t)p->seqno;
}

static bool is_due(const gap_session_t *s, uint64_t now_us)
{
    if (!TAILQ_EMPTY(&s->queue) || !TAILQ_EMPTY(&s->services) || s->resends.count > 0) return true;
    if (s->acks.count == 0) return false;
    return s->acks.count >= GAP_SESSION_ACKS_MAX ||
           now_us >= s->first_ack_us + GAP_SESSION_ACK_DELAY_US;
}

int gap_session_poll(gap_session_t *s, uint64_t now_us, gap_buf_t *body, gap_plaintext_t *out)
{
    struct packet p = {.body = body, .now_us = now_us};
    int r;

    if (!s->connected || !s->keyed || !is_due(s, now_us)) return 0;
    gap_buf_clear(body);
    r = gap_buf_reserve(body, SESSION_FRONT_BYTES);
    if (r != 0) return r;
    body->len = SESSION_FRONT_BYTES;
    session_choose_salt(s, now_us);
    /* What has no room among the service messages stays collected for the next packet. */
    r = ids_to_service(s, &s->acks, SERVICE_ACK, GAP_MT_MSGS_ACK);
    if (r >= 0 || r == GAP_E_LIMIT)
        r = ids_to_service(s, &s->resends, SERVICE_RESEND_REQ, GAP_MT_MSG_RESEND_REQ);
    if (r >= 0 || r == GAP_E_LIMIT) r = ask_salts(s, now_us);
    if (r >= 0 || r == GAP_E_LIMIT) r = fill(s, &p);
    if (p.count == 0) return r < 0 ? r : 0;
    finish(s, &p, out);
    forget_services(s);
    return 1;
}
