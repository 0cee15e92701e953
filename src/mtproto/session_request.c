/*
 * mtproto/session_request.c - the table of requests: adding, repeating, ending.
 *
 *   QUEUED -> SENT -> ACKED, back to QUEUED by requeue, DELAYED by delay, ENDED by fail; an answer
 *   frees it from any state. A request is in exactly one list, the one of its state, in by_call
 *   until it is freed, and in by_msg while an answer to its last message id may come.
 *
 * Owns: the requests and their queries. Never: puts anything on the wire (session_send.c does).
 */
#include "mtproto/session_internal.h"

#include "base/assert.h"

#include <gapless/tl_api.h>

#define US_PER_S UINT64_C(1000000)

struct session_request *session_request_by_msg(gap_session_t *s, uint64_t msg_id)
{
    return msg_id == 0 ? NULL : gap_map_get(&s->by_msg, msg_id);
}

size_t gap_session_pending(const gap_session_t *s)
{
    return s->by_call.count;
}

/* ---- moving between states ---- */

static void leave(gap_session_t *s, struct session_request *r)
{
    switch (r->state) {
    case REQUEST_QUEUED:
        TAILQ_REMOVE(&s->queue, r, link);
        break;
    case REQUEST_SENT:
    case REQUEST_ACKED:
        TAILQ_REMOVE(&s->flight, r, link);
        break;
    case REQUEST_DELAYED:
        gap_heap_remove(&s->wakes, &r->wake);
        break;
    default:
        TAILQ_REMOVE(&s->ended, r, link);
        break;
    }
}

void session_request_forget_id(gap_session_t *s, struct session_request *r)
{
    if (r->msg_id != 0) gap_map_remove(&s->by_msg, r->msg_id);
    r->msg_id = r->container_id = 0;
}

/* The queue is ascending by call. What comes back from the flight is mostly older than all of it,
 * what is new is the newest. */
static void enqueue(gap_session_t *s, struct session_request *r)
{
    struct session_request *at = TAILQ_LAST(&s->queue, session_requests);

    r->state = REQUEST_QUEUED;
    if (at == NULL || at->call < r->call) {
        TAILQ_INSERT_TAIL(&s->queue, r, link);
        return;
    }
    at = TAILQ_FIRST(&s->queue);
    while (at->call < r->call) at = TAILQ_NEXT(at, link);
    TAILQ_INSERT_BEFORE(at, r, link);
}

void session_request_requeue(gap_session_t *s, struct session_request *r, bool keep_id)
{
    leave(s, r);
    r->keep_id = keep_id && r->msg_id != 0;
    enqueue(s, r);
}

void session_request_fail(gap_session_t *s, struct session_request *r, int status)
{
    leave(s, r);
    session_request_forget_id(s, r);
    gap_heap_remove(&s->deadlines, &r->deadline);
    r->state = REQUEST_ENDED;
    r->status = status;
    TAILQ_INSERT_TAIL(&s->ended, r, link);
}

void session_request_end(gap_session_t *s, struct session_request *r)
{
    leave(s, r);
    session_request_forget_id(s, r);
    gap_heap_remove(&s->deadlines, &r->deadline);
    gap_map_remove(&s->by_call, r->call);
    s->request_bytes -= r->len;
    gap_wipe(r->query, r->len); /* it may hold a code or a token */
    gap_free(s->alloc, r);
}

void session_request_delay(gap_session_t *s, struct session_request *r, uint64_t until_us)
{
    leave(s, r);
    session_request_forget_id(s, r);
    r->state = REQUEST_DELAYED;
    int failed = gap_heap_insert(&s->wakes, &r->wake, until_us);
    GAP_ASSERT(failed == 0); /* the place was reserved with the request */
}

void session_request_lost(gap_session_t *s, struct session_request *r)
{
    if ((r->flags & GAP_SESSION_NO_RESEND) != 0)
        session_request_fail(s, r, GAP_E_DISCONNECTED);
    else
        session_request_reject(s, r);
}

void session_request_disconnect(gap_session_t *s)
{
    struct session_request *r, *next;

    for (r = TAILQ_LAST(&s->flight, session_requests); r != NULL; r = next) {
        next = TAILQ_PREV(r, session_requests, link);
        if ((r->flags & GAP_SESSION_NO_RESEND) != 0)
            session_request_fail(s, r, GAP_E_DISCONNECTED);
        else if (r->state == REQUEST_SENT)
            session_request_requeue(s, r, true);
    }
    for (r = TAILQ_FIRST(&s->queue); r != NULL; r = next) {
        next = TAILQ_NEXT(r, link);
        if ((r->flags & GAP_SESSION_NO_RESEND) != 0)
            session_request_fail(s, r, r->keep_id ? GAP_E_DISCONNECTED : GAP_SESSION_E_UNSENT);
    }
}

void session_request_reject(gap_session_t *s, struct session_request *r)
{
    if (++r->rejected > GAP_SESSION_BAD_MAX) {
        session_request_fail(s, r, GAP_E_PROTOCOL);
        return;
    }
    session_request_requeue(s, r, false);
}

/* ---- adding ---- */

static bool is_file_part(gap_bytes_t query)
{
    uint32_t id = gap_load32(query.data);
    return id == GAP_TL_UPLOAD_SAVE_FILE_PART || id == GAP_TL_UPLOAD_SAVE_BIG_FILE_PART;
}

/* gzip_packed of the query, if that is shorter. @return 0 with the length, GAP_DEFLATE_LARGER,
 * GAP_E_NOMEM. */
static int pack(gap_session_t *s, gap_bytes_t query, uint8_t *out, size_t *out_len)
{
    size_t packed, head;

    if (query.len < GAP_SESSION_GZIP_MIN_BYTES || query.len > GAP_SESSION_GZIP_MAX_BYTES ||
        is_file_part(query))
        return GAP_DEFLATE_LARGER;
    int r = gap_deflate(&s->gzip, query, out + 8, query.len - 8, &packed);
    if (r < 0) return r;
    if (r != 0) return GAP_DEFLATE_LARGER;
    head = packed < 254 ? 1 : 4;
    size_t total = 4 + (head + packed + 3) / 4 * 4;
    if (total >= query.len) return GAP_DEFLATE_LARGER;
    gap_store32(out, GAP_MT_GZIP_PACKED);
    if (head == 1) {
        memmove(out + 5, out + 8, packed);
        out[4] = (uint8_t)packed;
    } else {
        gap_store32(out + 4, 0xfeU | (uint32_t)packed << 8);
    }
    memset(out + 4 + head + packed, 0, total - 4 - head - packed);
    *out_len = total;
    return 0;
}

static int insert(gap_session_t *s, struct session_request *r, uint64_t deadline_us)
{
    size_t count = s->by_call.count + 1;
    int e = gap_heap_reserve(&s->wakes, count);

    if (e == 0) e = gap_heap_reserve(&s->deadlines, count);
    if (e == 0) e = gap_map_set(&s->by_call, r->call, r);
    if (e != 0) return e;
    if (deadline_us != UINT64_MAX) {
        e = gap_heap_insert(&s->deadlines, &r->deadline, deadline_us);
        GAP_ASSERT(e == 0);
    }
    s->request_bytes += r->len;
    enqueue(s, r);
    return 0;
}

int gap_session_call(gap_session_t *s, const struct gap_session_request *request, uint64_t *call)
{
    gap_bytes_t query = request->query;
    struct session_request *r;
    int e;

    GAP_ASSERT(query.len >= 4 && query.len % 4 == 0);
    if (query.len > GAP_SESSION_QUERY_MAX_BYTES || s->by_call.count >= GAP_SESSION_REQUESTS_MAX ||
        s->request_bytes + query.len > GAP_SESSION_REQUEST_BYTES_MAX)
        return GAP_E_LIMIT;
    r = gap_malloc(s->alloc, sizeof *r + query.len);
    if (r == NULL) return GAP_E_NOMEM;
    memset(r, 0, sizeof *r);
    r->len = query.len;
    e = pack(s, query, r->query, &r->len);
    if (e == GAP_DEFLATE_LARGER) {
        memcpy(r->query, query.data, query.len);
        e = 0;
    }
    r->flags = request->flags;
    r->tag = request->tag;
    r->call = s->last_call + 1;
    if (e == 0) e = insert(s, r, request->deadline_us);
    if (e != 0) {
        gap_free(s->alloc, r);
        return e;
    }
    *call = s->last_call = r->call;
    return 0;
}

/* ---- giving up ---- */

/* Tell the server, if it has the query, that nobody waits for the answer. Only a courtesy: nothing
 * is lost if there is no room for it. */
static void drop_answer(gap_session_t *s, const struct session_request *r)
{
    struct session_service *m;

    if (r->state != REQUEST_SENT && r->state != REQUEST_ACKED) return;
    if (!s->connected || session_service_new(s, SERVICE_DROP_ANSWER, 12, &m) != 0) return;
    gap_store32(m->body, GAP_MT_RPC_DROP_ANSWER);
    gap_store64(m->body + 4, r->msg_id);
}

bool gap_session_cancel(gap_session_t *s, uint64_t call, int status)
{
    struct session_request *r = call == 0 ? NULL : gap_map_get(&s->by_call, call);

    if (r == NULL || r->state == REQUEST_ENDED) return false;
    drop_answer(s, r);
    session_request_fail(s, r, status);
    return true;
}

void gap_session_cancel_all(gap_session_t *s, int status)
{
    struct session_request *r;
    gap_heap_node_t *n;

    while ((r = TAILQ_FIRST(&s->flight)) != NULL) session_request_fail(s, r, status);
    while ((n = gap_heap_min(&s->wakes)) != NULL)
        session_request_fail(s, GAP_CONTAINER_OF(n, struct session_request, wake), status);
    while ((r = TAILQ_FIRST(&s->queue)) != NULL) session_request_fail(s, r, status);
}

/* ---- errors that are repeated ---- */

static bool is(gap_bytes_t text, const char *expected)
{
    return gap_bytes_equal(text, gap_bytes(expected, strlen(expected)));
}

/* May it wait that long: does its own limit, and its deadline, allow it? */
static bool wait_allowed(const struct session_request *r, uint64_t until_us, uint64_t total_s,
                         uint64_t max_s)
{
    if (total_s > max_s) return false;
    return !gap_heap_contains(&r->deadline) || until_us < r->deadline.key;
}

static int repeat_flood(gap_session_t *s, struct session_request *r, uint64_t now_us,
                        const struct gap_session_event *error)
{
    uint32_t wait_s = error->number < 1 ? 1 : (uint32_t)error->number;
    uint64_t until_us = now_us + wait_s * US_PER_S;

    if ((r->flags & GAP_SESSION_NO_FLOOD_REPEAT) != 0) return 1;
    if (!wait_allowed(r, until_us, (uint64_t)r->flood_s + wait_s, GAP_SESSION_FLOOD_MAX_S))
        return 1;
    r->flood_s += wait_s;
    session_request_delay(s, r, until_us);
    return 0;
}

static int repeat_error(gap_session_t *s, struct session_request *r, uint64_t now_us)
{
    uint32_t wait_s = 1U << r->errors; /* 1, 2, 4 ... ends at 32 by the limit on the sum */
    uint64_t until_us = now_us + wait_s * US_PER_S;

    if ((r->flags & GAP_SESSION_NO_ERROR_REPEAT) != 0) return 1;
    if (!wait_allowed(r, until_us, (uint64_t)r->error_s + wait_s, GAP_SESSION_ERROR_MAX_S))
        return 1;
    r->errors++;
    r->error_s += wait_s;
    session_request_delay(s, r, until_us);
    return 0;
}

/* Codes that mean "the server failed": 500 and whatever is no documented class; 501 (no such
 * method) does not get better by repeating. */
static bool is_server_failure(const struct gap_session_event *error)
{
    switch (error->code) {
    case 303:
    case 400:
    case 401:
    case 403:
    case 404:
    case 406:
    case 420:
    case 501:
        return false;
    default:
        return !is(error->text, "AUTH_RESTART");
    }
}

int session_request_error(gap_session_t *s, struct session_request *r, uint64_t now_us,
                          const struct gap_session_event *error)
{
    if (is(error->text, "CONNECTION_NOT_INITED") || is(error->text, "CONNECTION_LAYER_INVALID")) {
        s->inited = false;
        if (++r->rejected > GAP_SESSION_BAD_MAX) return 1;
        session_request_forget_id(s, r);
        session_request_requeue(s, r, false);
        return 0;
    }
    if (is(error->name, "FLOOD_WAIT") || is(error->name, "FLOOD_PREMIUM_WAIT"))
        return repeat_flood(s, r, now_us, error);
    return is_server_failure(error) ? repeat_error(s, r, now_us) : 1;
}
