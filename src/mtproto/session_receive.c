/*
 * mtproto/session_receive.c - opened packets -> messages -> events.
 *
 * A packet is checked and taken in as a whole, or refused as a whole; then its messages wait in the
 * inbox, in their order, until gap_session_next turns each into at most one event. Inflating stops
 * at a bound; what is larger is handed out as slow work, and everything behind it waits.
 *
 * Owns: the window of received ids, the list of acks, the inbox with its packet references.
 * Never: acts on a part of a packet that it refuses, reads an Updates object.
 */
#include "mtproto/session_internal.h"

#include "base/assert.h"
#include "base/packet.h"

#include <gapless/tl_api.h>

#define US_PER_S INT64_C(1000000)

/* ---- ids seen ---- */

int session_window_find(const gap_session_t *s, uint64_t msg_id)
{
    uint64_t min = UINT64_MAX;

    if (msg_id > s->window_max) return 0;
    for (size_t i = 0; i < s->window_count; i++) {
        if (s->window[i] == msg_id) return 1;
        if (s->window[i] < min) min = s->window[i];
    }
    return s->window_count == GAP_SESSION_WINDOW && msg_id < min ? -1 : 0;
}

static void window_add(gap_session_t *s, uint64_t msg_id)
{
    s->window[s->window_next] = msg_id;
    s->window_next = (s->window_next + 1) % GAP_SESSION_WINDOW;
    if (s->window_count < GAP_SESSION_WINDOW) s->window_count++;
    if (msg_id > s->window_max) s->window_max = msg_id;
}

/* Room was reserved. */
void session_ack(gap_session_t *s, uint64_t now_us, uint64_t msg_id)
{
    GAP_ASSERT(s->acks.count < s->acks.cap);
    if (s->acks.count == 0) s->first_ack_us = now_us;
    s->acks.ids[s->acks.count++] = msg_id;
}

/* ---- taking a packet in ---- */

struct member {
    uint64_t msg_id;
    uint32_t seqno;
    gap_bytes_t body;
};

/* Next message of a container's bytes. @return 1, 0 at the end, GAP_E_PROTOCOL. */
static int next_member(gap_bytes_t *in, struct member *out)
{
    if (in->len == 0) return 0;
    if (in->len < SESSION_MESSAGE_HEAD_BYTES) return GAP_E_PROTOCOL;
    uint32_t len = gap_load32(in->data + 12);
    if (len > in->len - SESSION_MESSAGE_HEAD_BYTES || len % 4 != 0 || len < 4)
        return GAP_E_PROTOCOL;
    out->msg_id = gap_load64(in->data);
    out->seqno = gap_load32(in->data + 8);
    out->body = gap_bytes(in->data + SESSION_MESSAGE_HEAD_BYTES, len);
    in->data += SESSION_MESSAGE_HEAD_BYTES + len;
    in->len -= SESSION_MESSAGE_HEAD_BYTES + len;
    return 1;
}

/* Are these the messages of a container that may be accepted? Only the container's own id must be
 * in time: a server puts messages that it sends again, which may be old, into a new container. */
static int check_container(gap_bytes_t in, uint32_t count)
{
    struct member m;
    uint32_t seen = 0;
    int r;

    if (count > GAP_SESSION_CONTAINER_ACCEPT) return GAP_E_PROTOCOL;
    while ((r = next_member(&in, &m)) == 1) {
        if (m.msg_id % 2 == 0 || gap_load32(m.body.data) == GAP_MT_MSG_CONTAINER)
            return GAP_E_PROTOCOL;
        if (++seen > count) return GAP_E_PROTOCOL;
    }
    if (r < 0) return r;
    return seen == count ? 0 : GAP_E_PROTOCOL;
}

static int reserve(gap_session_t *s, size_t count)
{
    int r = session_ids_reserve(s, &s->acks, count);

    if (r != 0) return r;
    if (s->inbox_head > 0 && s->inbox_count == 0) s->inbox_head = 0;
    size_t used = s->inbox_head + s->inbox_count;
    if (s->inbox_cap - used >= count) return 0;
    if (s->inbox_head > 0) {
        memmove(s->inbox, s->inbox + s->inbox_head, s->inbox_count * sizeof s->inbox[0]);
        s->inbox_head = 0;
        used = s->inbox_count;
    }
    size_t cap = s->inbox_cap < 16 ? 16 : s->inbox_cap;
    while (cap - used < count) cap *= 2;
    if (cap == s->inbox_cap) return 0;
    struct session_item *items = gap_realloc(s->alloc, s->inbox, cap * sizeof *items);
    if (items == NULL) return GAP_E_NOMEM;
    s->inbox = items;
    s->inbox_cap = cap;
    return 0;
}

/* One message, alone or from a container. A duplicate is acknowledged again, and that is all. */
static bool take_in(gap_session_t *s, uint64_t now_us, const struct member *m, gap_packet_t *packet)
{
    if ((m->seqno & 1) != 0) session_ack(s, now_us, m->msg_id);
    if (session_window_find(s, m->msg_id) != 0) return false;
    window_add(s, m->msg_id);
    s->inbox[s->inbox_head + s->inbox_count++] = (struct session_item){
        .msg_id = m->msg_id, .body = m->body, .packet = gap_packet_ref(packet)};
    return true;
}

/* What the server says about a message of ours may come at any time: it is how a wrong clock is
 * set. */
static bool is_time_exempt(uint32_t id)
{
    return id == GAP_MT_BAD_MSG_NOTIFICATION || id == GAP_MT_BAD_SERVER_SALT;
}

static int check_time(gap_session_t *s, uint64_t now_us, uint64_t msg_id, uint32_t id)
{
    int64_t ahead_us = session_id_us(msg_id) - gap_session_server_us(s, now_us);

    if (is_time_exempt(id)) return 0;
    if (s->synced &&
        (ahead_us < -GAP_SESSION_PAST_S * US_PER_S || ahead_us > GAP_SESSION_FUTURE_S * US_PER_S)) {
        /* Twice in a row: more likely our clock stood still than that the server repeats it. */
        if (++s->time_failures >= 2) s->synced = false;
        return GAP_E_PROTOCOL;
    }
    if (ahead_us > 0 || (!s->synced && ahead_us < -GAP_SESSION_PAST_S * US_PER_S))
        session_set_time(s, now_us, session_id_us(msg_id));
    s->synced = true;
    s->time_failures = 0;
    return 0;
}

static int check(gap_session_t *s, const gap_plaintext_t *message)
{
    uint64_t session_id = (uint64_t)message->session_id;

    if (session_id != s->id)
        return session_id == s->old_id && session_id != 0 ? GAP_SESSION_IGNORED : GAP_E_PROTOCOL;
    if ((message->msg_id & 1) == 0 || message->body.len < 4 || message->body.len % 4 != 0)
        return GAP_E_PROTOCOL;
    return 0;
}

int gap_session_receive(gap_session_t *s, uint64_t now_us, const gap_plaintext_t *message,
                        gap_packet_t *packet)
{
    struct member m = {(uint64_t)message->msg_id, (uint32_t)message->seqno, message->body};
    gap_bytes_t members = {NULL, 0};
    uint32_t count = 1;
    bool news = false;
    int r = check(s, message);

    if (r != 0) return r;
    uint32_t id = gap_load32(m.body.data);
    bool container = id == GAP_MT_MSG_CONTAINER;
    if (container) {
        if (m.body.len < 8) return GAP_E_PROTOCOL;
        count = gap_load32(m.body.data + 4);
        members = gap_bytes(m.body.data + 8, m.body.len - 8);
        r = check_container(members, count);
        if (r != 0) return r;
    }
    int seen = session_window_find(s, m.msg_id);
    if (seen == 0) r = check_time(s, now_us, m.msg_id, id);
    if (r == 0) r = reserve(s, count);
    if (r != 0) return r;
    if (!container) return take_in(s, now_us, &m, packet) ? 0 : GAP_SESSION_IGNORED;
    if (seen == 0) window_add(s, m.msg_id);
    while (next_member(&members, &m) == 1) news |= take_in(s, now_us, &m, packet);
    return news || seen == 0 ? 0 : GAP_SESSION_IGNORED;
}

/* ---- results ---- */

/* "FLOOD_WAIT_15" -> FLOOD_WAIT and 15. */
static void split_error(gap_bytes_t text, struct gap_session_event *out)
{
    size_t at = text.len;
    int64_t value = 0, scale = 1;

    out->text = out->name = text;
    while (at > 0 && text.len - at < 9 && text.data[at - 1] >= '0' && text.data[at - 1] <= '9') {
        value += (text.data[--at] - '0') * scale;
        scale *= 10;
    }
    if (at == text.len || at < 2 || text.data[at - 1] != '_') return;
    out->number = (int32_t)value;
    out->name.len = at - 1;
}

static bool is_unauthorized(const struct gap_session_event *e)
{
    static const char *const names[] = {"AUTH_KEY_UNREGISTERED", "AUTH_KEY_INVALID",
                                        "SESSION_REVOKED",       "SESSION_EXPIRED",
                                        "USER_DEACTIVATED",      "USER_DEACTIVATED_BAN"};

    if (e->code == 406) return gap_bytes_equal(e->text, gap_bytes("AUTH_KEY_DUPLICATED", 19));
    if (e->code != 401) return false;
    for (size_t i = 0; i < GAP_ARRAY_LEN(names); i++) {
        if (gap_bytes_equal(e->text, gap_bytes(names[i], strlen(names[i])))) return true;
    }
    return false;
}

static void end_with(gap_session_t *s, struct session_request *r, enum gap_session_event_kind kind,
                     struct gap_session_event *out)
{
    out->kind = kind;
    out->call = r->call;
    out->tag = r->tag;
    session_request_end(s, r);
}

static int on_error(gap_session_t *s, uint64_t now_us, struct session_request *r, gap_bytes_t body,
                    struct gap_session_event *out)
{
    gap_mt_rpc_error_t error;

    if (gap_tl_read(body, GAP_MT_RPC_ERROR, &error, sizeof error) < 0) {
        out->status = GAP_E_TL;
        end_with(s, r, GAP_SESSION_FAILED, out);
        return 1;
    }
    out->code = error.error_code;
    split_error(error.error_message, out);
    if (session_request_error(s, r, now_us, out) == 0) return 0;
    out->unauthorized = is_unauthorized(out);
    end_with(s, r, GAP_SESSION_ERROR, out);
    return 1;
}

/* An answer far older than its question: our clock is ahead. */
static void check_clock(gap_session_t *s, uint64_t now_us, uint64_t question, uint64_t answer)
{
    if (question >> 32 > (answer >> 32) + 15) session_set_time(s, now_us, session_id_us(answer));
}

static int on_result(gap_session_t *s, uint64_t now_us, const struct session_item *item,
                     struct gap_session_event *out)
{
    struct session_request *r = session_request_by_msg(s, item->req_msg_id);

    s->fresh = false;
    if (r == NULL) {
        /* Not asked (any more); but servers differ in what they wrap. */
        int e = session_service_receive(s, now_us, item, out);
        return e == SESSION_NOT_SERVICE || e == GAP_E_TL ? 0 : e;
    }
    check_clock(s, now_us, item->req_msg_id, item->msg_id);
    if (gap_load32(item->body.data) == GAP_MT_RPC_ERROR)
        return on_error(s, now_us, r, item->body, out);
    if (r->wrapped) s->inited = true;
    out->value = item->body;
    end_with(s, r, GAP_SESSION_RESULT, out);
    return 1;
}

/* ---- other messages ---- */

static bool is_updates(uint32_t id)
{
    switch (id) {
    case GAP_TL_UPDATES_TOO_LONG:
    case GAP_TL_UPDATE_SHORT_MESSAGE:
    case GAP_TL_UPDATE_SHORT_CHAT_MESSAGE:
    case GAP_TL_UPDATE_SHORT:
    case GAP_TL_UPDATES_COMBINED:
    case GAP_TL_UPDATES:
    case GAP_TL_UPDATE_SHORT_SENT_MESSAGE:
        return true;
    default:
        return false;
    }
}

static int undecodable(int status, struct gap_session_event *out)
{
    out->kind = GAP_SESSION_UNDECODABLE;
    out->status = status;
    return 1;
}

static int on_message(gap_session_t *s, uint64_t now_us, const struct session_item *item,
                      struct gap_session_event *out)
{
    if (is_updates(gap_load32(item->body.data))) {
        out->kind = GAP_SESSION_UPDATES;
        out->value = item->body;
        return 1;
    }
    int r = session_service_receive(s, now_us, item, out);
    if (r == GAP_E_TL) return undecodable(r, out);
    return r == SESSION_NOT_SERVICE ? undecodable(GAP_E_TL_ID, out) : r;
}

/* What can't be read at all: the request it answers fails, anything else may have been updates. */
static int broken(gap_session_t *s, const struct session_item *item, int status,
                  struct gap_session_event *out)
{
    if (!item->is_result) return undecodable(status, out);
    struct session_request *r = session_request_by_msg(s, item->req_msg_id);
    if (r == NULL) return 0;
    out->status = status;
    end_with(s, r, GAP_SESSION_FAILED, out);
    return 1;
}

/* ---- packed messages ---- */

static void use_inflated(struct session_item *item, gap_packet_t *packet)
{
    gap_packet_unref(item->packet);
    item->packet = packet;
    item->body = gap_bytes(packet->data, packet->len);
    item->inflated = true;
}

/* @return 0 the item's body was replaced; 1 a SLOW event; GAP_E_TL, GAP_E_NOMEM. */
static int unpack(gap_session_t *s, struct session_item *item, struct gap_session_event *out)
{
    gap_mt_gzip_packed_t packed;
    gap_packet_t *packet;

    if (gap_tl_read(item->body, GAP_MT_GZIP_PACKED, &packed, sizeof packed) < 0) return GAP_E_TL;
    if (packed.packed_data.len <= GAP_SESSION_SLOW_BYTES) {
        int r = gap_inflate(&s->gzip, packed.packed_data, GAP_SESSION_SLOW_BYTES, &packet);
        if (r == GAP_E_NOMEM) return r;
        if (r == 0) {
            use_inflated(item, packet);
            return 0;
        }
        /* Broken, or longer than what is inflated here: the slow job finds out. */
    }
    s->slow = true;
    out->kind = GAP_SESSION_SLOW;
    out->value = packed.packed_data;
    return 1;
}

void gap_session_inflated(gap_session_t *s, int status, gap_packet_t *packet)
{
    GAP_ASSERT(s->slow);
    struct session_item *item = &s->inbox[s->inbox_head];

    s->slow = false;
    if (status == 0)
        use_inflated(item, packet);
    else
        item->failed = status;
}

/* ---- events ---- */

/* Look behind rpc_result's head and gzip_packed. @return 0 the body is bare; 1 a SLOW event;
 * negative: it can't be read. */
static int unwrap(gap_session_t *s, struct session_item *item, struct gap_session_event *out)
{
    for (;;) {
        if (item->failed != 0) return item->failed;
        if (item->body.len < 4 || item->body.len % 4 != 0) return GAP_E_TL;
        uint32_t id = gap_load32(item->body.data);
        if (id == GAP_MT_RPC_RESULT && !item->is_result) {
            if (item->body.len < 16) return GAP_E_TL;
            item->req_msg_id = gap_load64(item->body.data + 4);
            if (item->req_msg_id == 0) return GAP_E_PROTOCOL;
            item->is_result = true;
            item->body.data += 12;
            item->body.len -= 12;
        } else if (id == GAP_MT_GZIP_PACKED) {
            if (item->inflated) return GAP_E_GZIP;
            int r = unpack(s, item, out);
            if (r != 0) return r;
        } else {
            return 0;
        }
    }
}

static bool next_ended(gap_session_t *s, struct gap_session_event *out)
{
    struct session_request *r = TAILQ_FIRST(&s->ended);

    if (r == NULL) return false;
    out->status = r->status;
    end_with(s, r, GAP_SESSION_FAILED, out);
    return true;
}

static int handle(gap_session_t *s, uint64_t now_us, struct session_item *item,
                  struct gap_session_event *out)
{
    int r = unwrap(s, item, out);

    if (r == GAP_E_PROTOCOL || r == GAP_E_NOMEM || r == 1) return r;
    if (r < 0) return broken(s, item, r, out);
    return item->is_result ? on_result(s, now_us, item, out) : on_message(s, now_us, item, out);
}

int gap_session_next(gap_session_t *s, uint64_t now_us, struct gap_session_event *out)
{
    gap_packet_unref(s->current);
    s->current = NULL;
    memset(out, 0, sizeof *out);
    for (;;) {
        if (next_ended(s, out)) return 1;
        if (s->missed) {
            s->missed = false;
            out->kind = GAP_SESSION_MISSED;
            return 1;
        }
        if (s->slow || s->inbox_count == 0) return 0;
        struct session_item *item = &s->inbox[s->inbox_head];
        int r = handle(s, now_us, item, out);
        if (r == GAP_E_NOMEM) return r;
        out->packet = item->packet;
        if (s->slow) return 1;
        s->inbox_head++;
        s->inbox_count--;
        s->current = out->packet;
        if (r != 0) return r;
        gap_packet_unref(s->current);
        s->current = NULL;
        memset(out, 0, sizeof *out);
    }
}
