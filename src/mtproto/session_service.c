/*
 * mtproto/session_service.c - what the server says about messages, salts and sessions.
 * (core.telegram.org/mtproto/service_messages, /service_messages_about_messages)
 *
 * Every message here may be repeated without harm, so that one that ran out of memory can be
 * handled again.
 *
 * Owns: the list of future salts. Never: hands updates or results up.
 */
#include "mtproto/session_internal.h"

/* ---- acknowledgements and states ---- */

static void acked(struct session_request *r)
{
    if (r->state == REQUEST_SENT) r->state = REQUEST_ACKED;
    r->rejected = 0;
}

static void on_ack(gap_session_t *s, uint64_t msg_id)
{
    struct session_request *r = session_request_by_msg(s, msg_id);

    if (r != NULL) {
        acked(r);
        return;
    }
    TAILQ_FOREACH (r, &s->flight, link) {
        if (r->container_id == msg_id) acked(r);
    }
}

static int on_acks(gap_session_t *s, gap_bytes_t body)
{
    gap_mt_msgs_ack_t m;
    int64_t id;
    int r;

    if (gap_tl_read(body, GAP_MT_MSGS_ACK, &m, sizeof m) < 0) return GAP_E_TL;
    s->fresh = false;
    gap_tl_iter_t it = gap_tl_iter(m.msg_ids);
    while ((r = gap_tl_next_long(&it, &id)) == 1) on_ack(s, (uint64_t)id);
    return r;
}

/* One byte of a msgs_state_info or msgs_all_info. */
static void on_state(gap_session_t *s, uint64_t msg_id, uint8_t info)
{
    struct session_request *r = session_request_by_msg(s, msg_id);

    if (r == NULL || (r->state != REQUEST_SENT && r->state != REQUEST_ACKED)) return;
    switch (info & 7) {
    case 1: /* it may have been forgotten there */
        session_request_lost(s, r);
        break;
    case 2:
    case 3:
        session_request_reject(s, r);
        break;
    case 4:
        /* There is an answer, which did not come: the same id again makes the server repeat it. */
        if ((info & 64) != 0 && r->asked > 1 && (r->flags & GAP_SESSION_NO_RESEND) == 0)
            session_request_requeue(s, r, true);
        else
            acked(r);
        break;
    default:
        break;
    }
}

static int on_states(gap_session_t *s, gap_tl_vector_t ids, gap_bytes_t info)
{
    gap_tl_iter_t it = gap_tl_iter(ids);
    int64_t id;
    int r;

    if (ids.count != info.len) return 0;
    while ((r = gap_tl_next_long(&it, &id)) == 1)
        on_state(s, (uint64_t)id, info.data[it.index - 1]);
    return r;
}

static int on_state_info(gap_session_t *s, gap_bytes_t body)
{
    gap_mt_msgs_state_info_t m;
    gap_mt_msgs_state_req_t asked;

    if (gap_tl_read(body, GAP_MT_MSGS_STATE_INFO, &m, sizeof m) < 0) return GAP_E_TL;
    struct session_service *req = session_service_sent(s, (uint64_t)m.req_msg_id);
    if (req == NULL || req->kind != SERVICE_STATE_REQ) return 0;
    if (gap_tl_read(gap_bytes(req->body, req->len), GAP_MT_MSGS_STATE_REQ, &asked, sizeof asked) <
        0)
        return GAP_E_TL;
    int r = on_states(s, asked.msg_ids, m.info);
    session_service_free(s, req);
    return r;
}

static int on_all_info(gap_session_t *s, gap_bytes_t body)
{
    gap_mt_msgs_all_info_t m;

    if (gap_tl_read(body, GAP_MT_MSGS_ALL_INFO, &m, sizeof m) < 0) return GAP_E_TL;
    return on_states(s, m.msg_ids, m.info);
}

static uint8_t state_of(const gap_session_t *s, uint64_t msg_id)
{
    int seen = session_window_find(s, msg_id);

    if (seen != 0) return seen > 0 ? 4 : 1;
    return msg_id > s->window_max ? 3 : 2;
}

/* The server asks which of its messages came. */
static int on_state_req(gap_session_t *s, uint64_t msg_id, gap_bytes_t body)
{
    gap_mt_msgs_state_req_t m;
    struct session_service *answer;
    int64_t id;

    if (gap_tl_read(body, GAP_MT_MSGS_STATE_REQ, &m, sizeof m) < 0) return GAP_E_TL;
    uint32_t count = m.msg_ids.count;
    if (count > GAP_SESSION_IDS_MAX) return GAP_E_TL;
    size_t head = count < 254 ? 1 : 4;
    size_t len = 12 + (head + count + 3) / 4 * 4;
    int r = session_service_new(s, SERVICE_STATE_INFO, len, &answer);
    if (r == GAP_E_LIMIT) return 0; /* asks faster than we send: it may ask again */
    if (r != 0) return r;
    memset(answer->body, 0, len);
    gap_store32(answer->body, GAP_MT_MSGS_STATE_INFO);
    gap_store64(answer->body + 4, msg_id);
    gap_store32(answer->body + 12, head == 1 ? count : 0xfeU | count << 8);
    gap_tl_iter_t it = gap_tl_iter(m.msg_ids);
    for (uint8_t *at = answer->body + 12 + head; gap_tl_next_long(&it, &id) == 1; at++)
        *at = state_of(s, (uint64_t)id);
    return 0;
}

/* The server wants messages of ours again: those that still have no answer go out again. */
static int on_resend_req(gap_session_t *s, gap_bytes_t body)
{
    gap_mt_msg_resend_req_t m;
    int64_t id;
    int r;

    if (gap_tl_read(body, GAP_MT_MSG_RESEND_REQ, &m, sizeof m) < 0) return GAP_E_TL;
    gap_tl_iter_t it = gap_tl_iter(m.msg_ids);
    while ((r = gap_tl_next_long(&it, &id)) == 1) {
        struct session_request *q = session_request_by_msg(s, (uint64_t)id);
        if (q != NULL && (q->state == REQUEST_SENT || q->state == REQUEST_ACKED))
            session_request_requeue(s, q, true);
    }
    return r;
}

/* There is an answer that the server does not send of itself: a new one is asked for, a known one
 * acknowledged again. */
static int on_detailed_info(gap_session_t *s, uint64_t now_us, uint64_t answer_id)
{
    int r = session_ids_reserve(s, &s->acks, 1);

    if (r == 0) r = session_ids_reserve(s, &s->resends, 1);
    if (r != 0) return r;
    if (session_window_find(s, answer_id) != 0)
        session_ack(s, now_us, answer_id);
    else if (s->resends.count < GAP_SESSION_IDS_MAX)
        s->resends.ids[s->resends.count++] = answer_id;
    return 0;
}

static int on_detailed(gap_session_t *s, uint64_t now_us, gap_bytes_t body)
{
    gap_mt_msg_detailed_info_t m;

    if (gap_tl_read(body, GAP_MT_MSG_DETAILED_INFO, &m, sizeof m) < 0) return GAP_E_TL;
    return on_detailed_info(s, now_us, (uint64_t)m.answer_msg_id);
}

static int on_new_detailed(gap_session_t *s, uint64_t now_us, gap_bytes_t body)
{
    gap_mt_msg_new_detailed_info_t m;

    if (gap_tl_read(body, GAP_MT_MSG_NEW_DETAILED_INFO, &m, sizeof m) < 0) return GAP_E_TL;
    return on_detailed_info(s, now_us, (uint64_t)m.answer_msg_id);
}

/* ---- what the server refused ---- */

/* Send the message, or every member of the container, of this id again under new ids, as @p again
 * says.
 * @return was there any? */
static bool resend(gap_session_t *s, uint64_t msg_id,
                   void (*again)(gap_session_t *, struct session_request *))
{
    struct session_request *r, *before;
    struct session_service *m, *next;
    bool found = false;

    for (r = TAILQ_LAST(&s->flight, session_requests); r != NULL; r = before) {
        before = TAILQ_PREV(r, session_requests, link);
        if (r->msg_id != msg_id && r->container_id != msg_id) continue;
        again(s, r);
        found = true;
    }
    for (m = TAILQ_FIRST(&s->services_sent); m != NULL; m = next) {
        next = TAILQ_NEXT(m, link);
        if (m->msg_id != msg_id && m->container_id != msg_id) continue;
        session_service_again(s, m);
        found = true;
    }
    return found;
}

static bool is_ours(gap_session_t *s, uint64_t msg_id)
{
    const struct session_request *r;
    const struct session_service *m;

    TAILQ_FOREACH (r, &s->flight, link) {
        if (r->msg_id == msg_id || r->container_id == msg_id) return true;
    }
    TAILQ_FOREACH (m, &s->services_sent, link) {
        if (m->msg_id == msg_id || m->container_id == msg_id) return true;
    }
    return false;
}

/* What every code of bad_msg_notification asks for, besides sending the message again. */
#define BAD_MSG_TOO_OLD 20 /* to know whether it came */
enum bad_action { BAD_RESEND = 0, BAD_CLOCK = 1, BAD_SESSION = 2 };

static unsigned bad_action(int32_t code)
{
    switch (code) {
    case 16:
        return BAD_CLOCK; /* id too low: our clock is behind */
    case 17:
        return BAD_CLOCK | BAD_SESSION; /* id too high: ids must fall, so they begin anew */
    case 18:                            /* low bits of the id */
    case 19:                            /* a container's id used twice */
    case 32:                            /* seqno too low */
    case 33:                            /* seqno too high */
    case 34:                            /* seqno must be even */
    case 35:                            /* seqno must be odd */
    case 64:
        return BAD_SESSION; /* broken container */
    default:
        return BAD_RESEND;
    }
}

static int on_bad_msg(gap_session_t *s, uint64_t now_us, const struct session_item *item)
{
    gap_mt_bad_msg_notification_t m;

    if (gap_tl_read(item->body, GAP_MT_BAD_MSG_NOTIFICATION, &m, sizeof m) < 0) return GAP_E_TL;
    if (!is_ours(s, (uint64_t)m.bad_msg_id)) return 0;
    unsigned action = bad_action(m.error_code);
    if ((action & BAD_CLOCK) != 0) session_set_time(s, now_us, session_id_us(item->msg_id));
    bool found = resend(s, (uint64_t)m.bad_msg_id,
                        m.error_code == BAD_MSG_TOO_OLD ? session_request_lost
                                                        : session_request_reject);
    if (found && (action & BAD_SESSION) != 0) session_reset(s);
    return 0;
}

static int on_bad_salt(gap_session_t *s, gap_bytes_t body)
{
    gap_mt_bad_server_salt_t m;

    if (gap_tl_read(body, GAP_MT_BAD_SERVER_SALT, &m, sizeof m) < 0) return GAP_E_TL;
    if (!resend(s, (uint64_t)m.bad_msg_id, session_request_reject)) return 0;
    s->salt = (uint64_t)m.new_server_salt;
    s->salt_count = 0; /* the list was wrong, or does not reach this far */
    return 0;
}

/* ---- sessions and salts ---- */

static int on_new_session(gap_session_t *s, gap_bytes_t body)
{
    gap_mt_new_session_created_t m;
    struct session_request *r, *before;

    if (gap_tl_read(body, GAP_MT_NEW_SESSION_CREATED, &m, sizeof m) < 0) return GAP_E_TL;
    uint64_t first = (uint64_t)m.first_msg_id;
    s->salt = (uint64_t)m.server_salt;
    for (r = TAILQ_LAST(&s->flight, session_requests); r != NULL; r = before) {
        before = TAILQ_PREV(r, session_requests, link);
        if ((r->container_id != 0 ? r->container_id : r->msg_id) < first)
            session_request_lost(s, r);
    }
    TAILQ_FOREACH (r, &s->queue, link) {
        if (r->msg_id < first) r->keep_id = false;
    }
    /* A session that begins with the first packets we sent in it is no news. */
    if ((uint64_t)m.unique_id != s->unique_id && first > s->fresh_id) s->missed = true;
    s->unique_id = (uint64_t)m.unique_id;
    return 0;
}

static void add_salt(gap_session_t *s, const gap_mt_future_salt_t *salt)
{
    struct session_salt entry = {salt->valid_since, salt->valid_until, (uint64_t)salt->salt};
    size_t at = s->salt_count;

    if (entry.until <= entry.since || s->salt_count == GAP_SESSION_SALTS) return;
    while (at > 0 && s->salts[at - 1].since > entry.since) {
        s->salts[at] = s->salts[at - 1];
        at--;
    }
    s->salts[at] = entry;
    s->salt_count++;
}

static int on_future_salts(gap_session_t *s, gap_bytes_t body)
{
    gap_mt_future_salts_t m;
    gap_mt_future_salt_t salt;
    int r;

    if (gap_tl_read(body, GAP_MT_FUTURE_SALTS, &m, sizeof m) < 0) return GAP_E_TL;
    struct session_service *req = session_service_sent(s, (uint64_t)m.req_msg_id);
    if (req == NULL || req->kind != SERVICE_FUTURE_SALTS) return 0;
    session_service_free(s, req);
    s->salt_count = 0;
    gap_tl_iter_t it = gap_tl_iter(m.salts);
    while ((r = gap_tl_next_bare(&it, GAP_MT_FUTURE_SALT, &salt, sizeof salt)) == 1)
        add_salt(s, &salt);
    return r;
}

static int on_pong(gap_session_t *s, const struct session_item *item, struct gap_session_event *out)
{
    gap_mt_pong_t m;

    if (gap_tl_read(item->body, GAP_MT_PONG, &m, sizeof m) < 0) return GAP_E_TL;
    struct session_service *ping = session_service_sent(s, (uint64_t)m.msg_id);
    s->fresh = false;
    if (ping != NULL && ping->kind == SERVICE_PING) session_service_free(s, ping);
    out->kind = GAP_SESSION_PONG;
    out->ping_id = (uint64_t)m.ping_id;
    return 1;
}

int session_service_receive(gap_session_t *s, uint64_t now_us, const struct session_item *item,
                            struct gap_session_event *out)
{
    switch (gap_load32(item->body.data)) {
    case GAP_MT_MSGS_ACK:
        return on_acks(s, item->body);
    case GAP_MT_PONG:
        return on_pong(s, item, out);
    case GAP_MT_NEW_SESSION_CREATED:
        return on_new_session(s, item->body);
    case GAP_MT_BAD_MSG_NOTIFICATION:
        return on_bad_msg(s, now_us, item);
    case GAP_MT_BAD_SERVER_SALT:
        return on_bad_salt(s, item->body);
    case GAP_MT_FUTURE_SALTS:
        return on_future_salts(s, item->body);
    case GAP_MT_MSGS_STATE_REQ:
        return on_state_req(s, item->msg_id, item->body);
    case GAP_MT_MSGS_STATE_INFO:
        return on_state_info(s, item->body);
    case GAP_MT_MSGS_ALL_INFO:
        return on_all_info(s, item->body);
    case GAP_MT_MSG_RESEND_REQ:
        return on_resend_req(s, item->body);
    case GAP_MT_MSG_DETAILED_INFO:
        return on_detailed(s, now_us, item->body);
    case GAP_MT_MSG_NEW_DETAILED_INFO:
        return on_new_detailed(s, now_us, item->body);
    case GAP_MT_DESTROY_SESSION_OK:
    case GAP_MT_DESTROY_SESSION_NONE:
    case GAP_MT_RPC_ANSWER_UNKNOWN:
    case GAP_MT_RPC_ANSWER_DROPPED_RUNNING:
    case GAP_MT_RPC_ANSWER_DROPPED:
    case GAP_MT_DESTROY_AUTH_KEY_OK:
    case GAP_MT_DESTROY_AUTH_KEY_NONE:
    case GAP_MT_DESTROY_AUTH_KEY_FAIL:
        return 0;
    default:
        return SESSION_NOT_SERVICE;
    }
}
