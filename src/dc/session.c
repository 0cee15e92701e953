/*
 * dc/session.c - what a session sends: message ids, sequence numbers, the queue, what waits for
 * acknowledgement, containers.
 *
 *   queued --pack--> gone                  not content-related
 *   queued --pack--> unacked --ack--> gone content-related
 *            unacked --resume--> queued    over a new connection
 *
 * Owns every message to the client until it is acknowledged. Never encrypts, never writes.
 */
#include "dc/session.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "dc/wire.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define MEMBER_HEAD 16U /* msg_id, seqno, bytes */

int gap_dc_session_new(const gap_alloc_t *alloc, gap_gzip_t *zip, struct gap_dc_key *key,
                       int64_t id, gap_dc_session_t **out)
{
    gap_dc_session_t *s = gap_calloc(alloc, 1, sizeof *s);

    if (s == NULL) return GAP_E_NOMEM;
    s->alloc = alloc;
    s->zip = zip;
    s->key = key;
    s->id = id;
    TAILQ_INIT(&s->queue);
    TAILQ_INIT(&s->unacked);
    gap_map_init(&s->unacked_by_id, alloc);
    gap_buf_init(&s->acks, alloc);
    *out = s;
    return 0;
}

static void drain(gap_dc_session_t *s, struct gap_dc_outs *list)
{
    gap_dc_out_t *o;

    while ((o = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, o, link);
        gap_free(s->alloc, o);
    }
}

void gap_dc_session_free(gap_dc_session_t *s)
{
    if (s == NULL) return;
    drain(s, &s->queue);
    drain(s, &s->unacked);
    gap_map_fini(&s->unacked_by_id);
    gap_buf_fini(&s->acks);
    gap_free(s->alloc, s);
}

/* The next msg_id: the wall clock's seconds above, their fraction below, two low bits that tell an
 * answer (1) from anything else (3), and never one twice. */
static int64_t draw_id(gap_dc_session_t *s, const gap_dc_now_t *now, bool is_answer)
{
    uint64_t seconds = now->wall_us / 1000000;
    uint64_t fraction = ((now->wall_us % 1000000) << 32) / 1000000;
    int64_t id = (int64_t)((seconds << 32 | fraction) & ~(uint64_t)3);

    if (id <= s->last_id) id = (s->last_id & ~(int64_t)3) + 4;
    id |= is_answer ? 1 : 3;
    s->last_id = id;
    return id;
}

static int32_t draw_seqno(gap_dc_session_t *s, bool is_content)
{
    uint32_t seqno = s->content * 2;

    if (is_content) {
        seqno |= 1;
        s->content++;
    }
    return (int32_t)seqno;
}

static void forget(gap_dc_session_t *s, gap_dc_out_t *o)
{
    (void)gap_map_remove(&s->unacked_by_id, (uint64_t)o->msg_id);
    TAILQ_REMOVE(&s->unacked, o, link);
    s->unacked_count--;
    s->bytes -= sizeof *o + o->len;
    gap_free(s->alloc, o);
}

/* Stay within what a session may hold. @return 0 or GAP_E_LIMIT. */
static int make_room(gap_dc_session_t *s, size_t need)
{
    gap_dc_out_t *o;

    while (s->bytes + need > GAP_DC_SESSION_BYTES || s->unacked_count >= GAP_DC_UNACKED_MAX) {
        if ((o = TAILQ_FIRST(&s->unacked)) == NULL) break;
        if ((o->flags & GAP_DC_PUSH) != 0) s->pushes_lost = true;
        forget(s, o);
    }
    if (s->bytes + need <= GAP_DC_SESSION_BYTES) return 0;
    if (s->conn != NULL) return GAP_E_LIMIT;
    /* Nobody is there to read: the queue itself holds what a reconnect would send again. */
    while (s->bytes + need > GAP_DC_SESSION_BYTES && (o = TAILQ_FIRST(&s->queue)) != NULL) {
        if ((o->flags & GAP_DC_PUSH) != 0) s->pushes_lost = true;
        TAILQ_REMOVE(&s->queue, o, link);
        s->bytes -= sizeof *o + o->len;
        gap_free(s->alloc, o);
    }
    return s->bytes + need <= GAP_DC_SESSION_BYTES ? 0 : GAP_E_LIMIT;
}

static gap_dc_out_t *out_new(gap_dc_session_t *s, size_t len)
{
    gap_dc_out_t *o = gap_malloc(s->alloc, sizeof *o + len);

    if (o == NULL) return NULL;
    memset(o, 0, sizeof *o);
    o->len = (uint32_t)len;
    return o;
}

int gap_dc_session_send(gap_dc_session_t *s, const gap_dc_now_t *now, uint32_t flags,
                        int64_t req_msg_id, uint64_t due_us, gap_bytes_t body)
{
    GAP_ASSERT(body.len % 4 == 0);
    int r = make_room(s, sizeof(gap_dc_out_t) + body.len);
    if (r < 0) return r;
    gap_dc_out_t *o = out_new(s, body.len);
    if (o == NULL) return GAP_E_NOMEM;
    if (body.len > 0) memcpy(o->body, body.data, body.len);
    o->flags = flags;
    o->req_msg_id = req_msg_id;
    o->due_us = due_us;
    o->made_us = now->mono_us;
    o->msg_id = draw_id(s, now, (flags & GAP_DC_PUSH) == 0);
    o->seqno = draw_seqno(s, (flags & GAP_DC_CONTENT) != 0);
    s->bytes += sizeof *o + o->len;
    TAILQ_INSERT_TAIL(&s->queue, o, link);
    return 0;
}

/* Append @p result as gzip_packed if that saves a tenth. @return 1 done, 0 not worth it. */
static int put_packed(gap_dc_session_t *s, gap_bytes_t result, gap_buf_t *body)
{
    size_t room = result.len - result.len / 10;
    size_t len = 0;
    uint8_t *packed;
    int r;

    if (result.len < GAP_DC_GZIP_RESULT_BYTES) return 0;
    if ((packed = gap_malloc(s->alloc, room)) == NULL) return GAP_E_NOMEM;
    r = gap_deflate(s->zip, result, packed, room, &len);
    if (r == 0) r = gap_buf_append32(body, GAP_MT_GZIP_PACKED);
    if (r == 0) r = gap_dc_put_bytes(body, gap_bytes(packed, len));
    gap_free(s->alloc, packed);
    return r == 0 ? 1 : r == GAP_DEFLATE_LARGER ? 0 : r;
}

int gap_dc_session_answer(gap_dc_session_t *s, const gap_dc_now_t *now, int64_t msg_id,
                          uint64_t due_us, gap_bytes_t result, bool failed)
{
    gap_buf_t body;
    int r;

    gap_buf_init(&body, s->alloc);
    for (uint32_t i = 0; i < s->seen_count; i++)
        if (s->seen[i] == msg_id && failed) s->seen_flags[i] |= GAP_DC_SEEN_FAILED;
    if ((r = gap_buf_append32(&body, GAP_MT_RPC_RESULT)) < 0) goto out;
    if ((r = gap_buf_append64(&body, (uint64_t)msg_id)) < 0) goto out;
    r = put_packed(s, result, &body);
    if (r == 0) r = gap_buf_append(&body, result.data, result.len);
    if (r < 0) goto out;
    r = gap_dc_session_send(s, now, GAP_DC_CONTENT, msg_id, due_us, gap_buf_view(&body));
out:
    gap_buf_fini(&body);
    return r;
}

int gap_dc_session_repeat(gap_dc_session_t *s, uint64_t due_us)
{
    gap_dc_out_t *last = TAILQ_LAST(&s->queue, gap_dc_outs);

    GAP_ASSERT(last != NULL);
    gap_dc_out_t *o = out_new(s, last->len);
    if (o == NULL) return GAP_E_NOMEM;
    uint32_t len = last->len;
    memcpy(o, last, sizeof *o);
    memcpy(o->body, last->body, len);
    o->flags |= GAP_DC_REPEAT;
    o->due_us = due_us;
    s->bytes += sizeof *o + o->len;
    TAILQ_INSERT_TAIL(&s->queue, o, link);
    return 0;
}

/* An update; the greeting goes the same way but is of no use to another session. */
static bool is_update(const gap_dc_out_t *o)
{
    return (o->flags & GAP_DC_PUSH) != 0 && gap_load32(o->body) != GAP_MT_NEW_SESSION_CREATED;
}

bool gap_dc_session_owes_pushes(const gap_dc_session_t *s)
{
    const gap_dc_out_t *o;

    TAILQ_FOREACH (o, &s->unacked, link)
        if (is_update(o)) return true;
    TAILQ_FOREACH (o, &s->queue, link)
        if (is_update(o)) return true;
    return s->pushes_lost;
}

void gap_dc_session_forget_pushes(gap_dc_session_t *s)
{
    gap_dc_out_t *o;
    gap_dc_out_t *next;

    for (o = TAILQ_FIRST(&s->unacked); o != NULL; o = next) {
        next = TAILQ_NEXT(o, link);
        if (is_update(o)) forget(s, o);
    }
    for (o = TAILQ_FIRST(&s->queue); o != NULL; o = next) {
        next = TAILQ_NEXT(o, link);
        if (!is_update(o)) continue;
        TAILQ_REMOVE(&s->queue, o, link);
        s->bytes -= sizeof *o + o->len;
        gap_free(s->alloc, o);
    }
    s->pushes_lost = false;
}

int gap_dc_session_too_long(gap_dc_session_t *s, const gap_dc_now_t *now)
{
    uint8_t body[4];

    gap_store32(body, GAP_TL_UPDATES_TOO_LONG);
    return gap_dc_session_send(s, now, GAP_DC_CONTENT | GAP_DC_PUSH, 0, 0,
                               gap_bytes(body, sizeof body));
}

static int resume_too_long(gap_dc_session_t *s, const gap_dc_now_t *now)
{
    if (!s->pushes_lost) return 0;
    s->pushes_lost = false;
    return gap_dc_session_too_long(s, now);
}

int gap_dc_session_resume(gap_dc_session_t *s, const gap_dc_now_t *now)
{
    gap_dc_out_t *o;

    while ((o = TAILQ_LAST(&s->unacked, gap_dc_outs)) != NULL) {
        (void)gap_map_remove(&s->unacked_by_id, (uint64_t)o->msg_id);
        TAILQ_REMOVE(&s->unacked, o, link);
        s->unacked_count--;
        o->due_us = 0;
        TAILQ_INSERT_HEAD(&s->queue, o, link);
    }
    /* Clients refuse ids that are too old: such a message goes as a new one. */
    TAILQ_FOREACH (o, &s->queue, link) {
        if (now->mono_us - o->made_us < GAP_DC_RESEND_AGE_US) continue;
        o->made_us = now->mono_us;
        o->msg_id = draw_id(s, now, (o->flags & GAP_DC_PUSH) == 0);
        o->seqno = draw_seqno(s, (o->flags & GAP_DC_CONTENT) != 0);
    }
    return resume_too_long(s, now);
}

uint64_t gap_dc_session_due(const gap_dc_session_t *s)
{
    const gap_dc_out_t *o = TAILQ_FIRST(&s->queue);

    if (s->acks.len > s->acks.head) return 0;
    return o == NULL ? UINT64_MAX : o->due_us;
}

/* Acknowledgements ride along with whatever is sent next. */
static int queue_acks(gap_dc_session_t *s, const gap_dc_now_t *now)
{
    gap_bytes_t ids = gap_buf_view(&s->acks);
    uint32_t count = (uint32_t)(ids.len / 8);
    gap_dc_out_t *o;

    if (count == 0) return 0;
    if ((o = out_new(s, 12 + ids.len)) == NULL) return GAP_E_NOMEM;
    gap_store32(o->body, GAP_MT_MSGS_ACK);
    gap_store32(o->body + 4, GAP_TL_VECTOR);
    gap_store32(o->body + 8, count);
    memcpy(o->body + 12, ids.data, ids.len);
    o->made_us = now->mono_us;
    o->msg_id = draw_id(s, now, true);
    o->seqno = draw_seqno(s, false);
    s->bytes += sizeof *o + o->len;
    TAILQ_INSERT_HEAD(&s->queue, o, link);
    gap_buf_clear(&s->acks);
    return 0;
}

/* How many messages from the head of the queue go together. */
static uint32_t count_due(const gap_dc_session_t *s, uint64_t now_us, size_t *bytes)
{
    const gap_dc_out_t *o;
    const gap_dc_out_t *before;
    uint32_t count = 0;

    *bytes = 0;
    TAILQ_FOREACH (o, &s->queue, link) {
        if (o->due_us > now_us || count == GAP_DC_CONTAINER_OUT_MAX) break;
        if (count > 0 && *bytes + o->len > GAP_DC_CONTAINER_OUT_BYTES) break;
        /* The same message twice in one container would be no repetition but an error. */
        before = TAILQ_PREV(o, gap_dc_outs, link);
        if ((o->flags & GAP_DC_REPEAT) != 0 && count > 0 && before->msg_id == o->msg_id) break;
        *bytes += MEMBER_HEAD + o->len;
        count++;
    }
    return count;
}

/* A message has been put into a packet. */
static void sent(gap_dc_session_t *s, gap_dc_out_t *o)
{
    TAILQ_REMOVE(&s->queue, o, link);
    bool keep = (o->flags & GAP_DC_CONTENT) != 0 && (o->flags & GAP_DC_REPEAT) == 0;
    if (keep && gap_map_set(&s->unacked_by_id, (uint64_t)o->msg_id, o) == 0) {
        TAILQ_INSERT_TAIL(&s->unacked, o, link);
        s->unacked_count++;
        return;
    }
    s->bytes -= sizeof *o + o->len;
    gap_free(s->alloc, o);
}

static void pack_one(gap_dc_session_t *s, gap_buf_t *body, gap_plaintext_t *out)
{
    gap_dc_out_t *o = TAILQ_FIRST(&s->queue);

    memcpy(body->data, o->body, o->len);
    body->len = o->len;
    out->msg_id = o->msg_id;
    out->seqno = o->seqno;
    sent(s, o);
}

static void pack_many(gap_dc_session_t *s, const gap_dc_now_t *now, uint32_t count, gap_buf_t *body,
                      gap_plaintext_t *out)
{
    uint8_t *p = body->data;
    bool has_answer = false;

    gap_store32(p, GAP_MT_MSG_CONTAINER);
    gap_store32(p + 4, count);
    p += 8;
    for (uint32_t i = 0; i < count; i++) {
        gap_dc_out_t *o = TAILQ_FIRST(&s->queue);
        gap_store64(p, (uint64_t)o->msg_id);
        gap_store32(p + 8, (uint32_t)o->seqno);
        gap_store32(p + 12, o->len);
        memcpy(p + MEMBER_HEAD, o->body, o->len);
        p += MEMBER_HEAD + o->len;
        has_answer = has_answer || (o->flags & GAP_DC_PUSH) == 0;
        sent(s, o);
    }
    body->len = (size_t)(p - body->data);
    out->msg_id = draw_id(s, now, has_answer);
    out->seqno = draw_seqno(s, false);
}

int gap_dc_session_pack(gap_dc_session_t *s, const gap_dc_now_t *now, gap_buf_t *body,
                        gap_plaintext_t *out)
{
    size_t bytes;
    int r = queue_acks(s, now);

    if (r < 0) return r;
    uint32_t count = count_due(s, now->mono_us, &bytes);
    if (count == 0) return 0;
    gap_buf_clear(body);
    if ((r = gap_buf_reserve(body, bytes + 8)) < 0) return r;
    if (count == 1)
        pack_one(s, body, out);
    else
        pack_many(s, now, count, body, out);
    out->session_id = s->id;
    out->body = gap_buf_view(body);
    return 1;
}
