/*
 * mtproto/session.c - the session: making it, its clock, message ids, salts, and what is due when.
 *
 * Server time is a monotonic clock plus an offset. The offset is a guess until a handshake or a
 * message of the server corrects it; it only rises by ordinary messages, and falls only when the
 * server complains about an id of ours or answers with an id far below ours.
 *
 * Owns: the tables of requests and service messages, received messages whose turn has not come.
 * Never: encrypts, reads a clock, calls back.
 */
#include "mtproto/session_internal.h"

#include "base/assert.h"

#include <gapless/tl_api.h>

#define US_PER_S INT64_C(1000000)

int session_ids_reserve(gap_session_t *s, struct session_ids *v, size_t more)
{
    if (v->cap - v->count >= more) return 0;
    size_t cap = v->cap < 64 ? 64 : v->cap;
    while (cap - v->count < more) cap *= 2;
    uint64_t *ids = gap_realloc(s->alloc, v->ids, cap * sizeof *ids);
    if (ids == NULL) return GAP_E_NOMEM;
    v->ids = ids;
    v->cap = cap;
    return 0;
}

/* ---- time and message ids ---- */

int64_t gap_session_server_us(const gap_session_t *s, uint64_t now_us)
{
    return (int64_t)now_us + s->offset_us;
}

int64_t session_id_us(uint64_t msg_id)
{
    uint64_t fraction = ((msg_id & 0xffffffffU) * (uint64_t)US_PER_S) >> 32;
    return (int64_t)(msg_id >> 32) * US_PER_S + (int64_t)fraction;
}

void session_set_time(gap_session_t *s, uint64_t now_us, int64_t server_us)
{
    s->offset_us = server_us - (int64_t)now_us;
    s->synced = true;
    s->time_failures = 0;
}

void gap_session_unsync(gap_session_t *s)
{
    s->synced = false;
}

uint64_t session_next_msg_id(gap_session_t *s, uint64_t now_us)
{
    uint64_t us = (uint64_t)gap_session_server_us(s, now_us);
    uint64_t second = us / US_PER_S;
    uint64_t fraction = ((us % US_PER_S) << 32) / US_PER_S;
    uint64_t id = second << 32 | ((fraction ^ (gap_prng_next(&s->prng) & 0xfffU)) & 0xfffffffcU);

    if (id <= s->last_msg_id) id = s->last_msg_id + 4;
    s->last_msg_id = id;
    return id;
}

uint64_t gap_session_plain_id(gap_session_t *s, uint64_t now_us)
{
    return session_next_msg_id(s, now_us);
}

/* ---- the header of the first queries ---- */

static int put_text(gap_buf_t *b, const char *text)
{
    static const uint8_t zeros[4];
    size_t len = strlen(text);
    size_t head = len < 254 ? 1 : 4;
    int r;

    if (len >= 1U << 24) return GAP_E_ARGUMENT;
    uint32_t word = head == 1 ? (uint32_t)len : 0xfeU | (uint32_t)len << 8;
    r = gap_buf_append(b, &word, head);
    if (r == 0) r = gap_buf_append(b, text, len);
    if (r == 0) r = gap_buf_append(b, zeros, (4 - (head + len) % 4) % 4);
    return r;
}

static int make_init(gap_session_t *s, const struct gap_session_device *d)
{
    const char *const texts[] = {d->device_model,     d->system_version, d->app_version,
                                 d->system_lang_code, d->lang_pack,      d->lang_code};
    const uint32_t head[] = {GAP_TL_INVOKE_WITH_LAYER, (uint32_t)d->layer, GAP_TL_INIT_CONNECTION,
                             0, (uint32_t)d->api_id};
    int r = gap_buf_append(&s->init, head, sizeof head);

    for (size_t i = 0; r == 0 && i < GAP_ARRAY_LEN(texts); i++)
        r = texts[i] == NULL ? GAP_E_ARGUMENT : put_text(&s->init, texts[i]);
    return r;
}

/* ---- life ---- */

static uint64_t new_session_id(gap_session_t *s)
{
    uint64_t id;

    do {
        id = gap_prng_next(&s->prng);
    } while (id == 0 || id == s->id);
    return id;
}

int gap_session_new(const gap_alloc_t *alloc, const gap_random_t *random,
                    const struct gap_session_device *device, uint64_t now_us, uint64_t wall_us,
                    gap_session_t **out)
{
    gap_session_t *s = gap_calloc(alloc, 1, sizeof *s);
    int r;

    if (s == NULL) return GAP_E_NOMEM;
    s->alloc = alloc;
    gap_gzip_init(&s->gzip, alloc);
    gap_buf_init(&s->init, alloc);
    TAILQ_INIT(&s->queue);
    TAILQ_INIT(&s->flight);
    TAILQ_INIT(&s->ended);
    TAILQ_INIT(&s->services);
    TAILQ_INIT(&s->services_sent);
    gap_map_init(&s->by_call, alloc);
    gap_map_init(&s->by_msg, alloc);
    gap_heap_init(&s->deadlines, alloc);
    gap_heap_init(&s->wakes, alloc);
    s->check_us = UINT64_MAX;
    r = gap_random_fill(random, (uint8_t *)&s->prng.state, sizeof s->prng.state);
    if (r == 0) r = make_init(s, device);
    if (r != 0) {
        gap_session_free(s);
        return r;
    }
    s->id = new_session_id(s);
    s->fresh = true;
    s->offset_us = (int64_t)wall_us - (int64_t)now_us;
    *out = s;
    return 0;
}

static void free_requests(gap_session_t *s)
{
    size_t it = 0;
    uint64_t key;
    void *value;

    while (gap_map_next(&s->by_call, &it, &key, &value)) {
        struct session_request *r = value;
        gap_wipe(r->query, r->len);
        gap_free(s->alloc, r);
    }
}

void gap_session_free(gap_session_t *s)
{
    if (s == NULL) return;
    const gap_alloc_t *alloc = s->alloc;

    free_requests(s);
    session_services_clear(s, &s->services, &s->service_count);
    session_services_clear(s, &s->services_sent, &s->service_sent_count);
    for (size_t i = 0; i < s->inbox_count; i++)
        gap_packet_unref(s->inbox[s->inbox_head + i].packet);
    gap_packet_unref(s->current);
    gap_free(alloc, s->inbox);
    gap_free(alloc, s->acks.ids);
    gap_free(alloc, s->resends.ids);
    gap_map_fini(&s->by_call);
    gap_map_fini(&s->by_msg);
    gap_heap_fini(&s->deadlines);
    gap_heap_fini(&s->wakes);
    gap_buf_fini(&s->init);
    gap_gzip_fini(&s->gzip);
    gap_wipe(s, sizeof *s);
    gap_free(alloc, s);
}

static void forget_received(gap_session_t *s)
{
    s->window_count = s->window_next = 0;
    s->window_max = 0;
    s->acks.count = 0;
    s->resends.count = 0;
}

/* All of the flight goes back to the queue, or ends if it must not go out twice; ids of the old
 * session mean nothing any more. */
static void requeue_all(gap_session_t *s)
{
    struct session_request *r;

    while ((r = TAILQ_LAST(&s->flight, session_requests)) != NULL) {
        if ((r->flags & GAP_SESSION_NO_RESEND) != 0)
            session_request_fail(s, r, GAP_E_DISCONNECTED);
        else
            session_request_requeue(s, r, false);
    }
    TAILQ_FOREACH (r, &s->queue, link) {
        session_request_forget_id(s, r);
        r->keep_id = false;
    }
}

static void renew(gap_session_t *s)
{
    s->old_id = s->id;
    s->id = new_session_id(s);
    s->last_msg_id = 0;
    s->content_sent = 0;
    s->fresh = true;
    s->fresh_id = 0;
    s->unique_id = 0;
    forget_received(s);
    session_services_clear(s, &s->services, &s->service_count);
    session_services_clear(s, &s->services_sent, &s->service_sent_count);
    requeue_all(s);
}

void session_reset(gap_session_t *s)
{
    struct session_service *m;

    renew(s);
    s->missed = true; /* pushes that only the old session was owed are lost with it */
    if (session_service_new(s, SERVICE_DESTROY_SESSION, 12, &m) != 0) return; /* a courtesy */
    gap_store32(m->body, GAP_MT_DESTROY_SESSION);
    gap_store64(m->body + 4, s->old_id);
}

void gap_session_set_key(gap_session_t *s, uint64_t now_us, uint64_t salt, int64_t server_time_s)
{
    renew(s);
    s->old_id = 0;
    s->keyed = true;
    s->inited = false;
    s->salt = salt;
    s->salt_count = 0;
    s->salts_ask_us = 0;
    if (server_time_s > 0) session_set_time(s, now_us, server_time_s * US_PER_S);
}

/* ---- connection ---- */

void gap_session_connected(gap_session_t *s, uint64_t now_us)
{
    struct session_request *r;

    s->connected = true;
    TAILQ_FOREACH (r, &s->flight, link) {
        r->ask_us = now_us + GAP_SESSION_ASK_AGAIN_US;
        r->asked = 0;
        s->check_us = r->ask_us;
    }
}

static void restore_ids(gap_session_t *s, const struct session_service *m)
{
    size_t count = gap_load32(m->body + 8);

    if (session_ids_reserve(s, &s->acks, count) != 0) return;
    memcpy(s->acks.ids + s->acks.count, m->body + 12, 8 * count);
    s->acks.count += count;
}

/* Acks that may not have arrived are sent again: the last few, and those that had not gone out.
 * Without memory for it the server repeats the messages, which are then acknowledged again. */
static void restore_acks(gap_session_t *s)
{
    struct session_service *m;
    unsigned sent = 0;

    TAILQ_FOREACH_REVERSE(m, &s->services_sent, session_services, link)
    {
        if (m->kind != SERVICE_ACK) continue;
        if (sent++ == GAP_SESSION_ACKS_RESTORED) break;
        restore_ids(s, m);
    }
    TAILQ_FOREACH (m, &s->services, link) {
        if (m->kind == SERVICE_ACK) restore_ids(s, m);
    }
}

void gap_session_disconnected(gap_session_t *s)
{
    s->connected = false;
    s->check_us = UINT64_MAX;
    restore_acks(s);
    session_services_clear(s, &s->services_sent, &s->service_sent_count);
    session_services_clear(s, &s->services, &s->service_count);
    session_request_disconnect(s);
}

/* ---- salts ---- */

uint64_t gap_session_salt(const gap_session_t *s)
{
    return s->salt;
}

void session_choose_salt(gap_session_t *s, uint64_t now_us)
{
    int64_t server_s = gap_session_server_us(s, now_us) / US_PER_S;
    size_t begun = 0;

    while (begun < s->salt_count && s->salts[begun].since <= server_s) begun++;
    if (begun == 0) return;
    if (s->salts[begun - 1].until > server_s) s->salt = s->salts[begun - 1].salt;
    s->salt_count -= begun;
    memmove(s->salts, s->salts + begun, s->salt_count * sizeof s->salts[0]);
}

/* ---- what is due ---- */

static uint64_t earliest(const gap_heap_t *h)
{
    const gap_heap_node_t *n = gap_heap_min(h);
    return n == NULL ? UINT64_MAX : n->key;
}

uint64_t gap_session_deadline_us(const gap_session_t *s)
{
    uint64_t due = earliest(&s->deadlines);
    uint64_t other = earliest(&s->wakes);

    if (other < due) due = other;
    if (!s->connected) return due;
    if (s->check_us < due) due = s->check_us;
    if (s->acks.count > 0 && s->first_ack_us + GAP_SESSION_ACK_DELAY_US < due)
        due = s->first_ack_us + GAP_SESSION_ACK_DELAY_US;
    return due;
}

static bool must_ask(struct session_request *r, uint64_t now_us)
{
    return r->ask_us <= now_us;
}

/* One msgs_state_req about everything that has waited too long for its answer. */
static void ask_states(gap_session_t *s, uint64_t now_us)
{
    struct session_service *m;
    struct session_request *r;
    size_t count = 0;

    TAILQ_FOREACH (r, &s->flight, link) count += must_ask(r, now_us);
    if (count > GAP_SESSION_IDS_MAX) count = GAP_SESSION_IDS_MAX;
    s->check_us = TAILQ_EMPTY(&s->flight) ? UINT64_MAX : now_us + GAP_SESSION_ASK_US;
    if (count == 0) goto next;
    /* No memory, or the queue of service messages is full: the next check asks. */
    if (session_service_new(s, SERVICE_STATE_REQ, 12 + 8 * count, &m) != 0) return;
    gap_store32(m->body, GAP_MT_MSGS_STATE_REQ);
    gap_store32(m->body + 4, GAP_TL_VECTOR);
    gap_store32(m->body + 8, (uint32_t)count);
    size_t at = 0;
    TAILQ_FOREACH (r, &s->flight, link) {
        if (at == count || !must_ask(r, now_us)) continue;
        gap_store64(m->body + 12 + 8 * at++, r->msg_id);
        if (r->asked < 8) r->asked++;
        r->ask_us = now_us + (GAP_SESSION_ASK_US << r->asked);
    }
next:
    TAILQ_FOREACH (r, &s->flight, link) {
        if (r->ask_us < s->check_us) s->check_us = r->ask_us;
    }
}

void gap_session_expire(gap_session_t *s, uint64_t now_us)
{
    gap_heap_node_t *n;

    while ((n = gap_heap_min(&s->deadlines)) != NULL && n->key <= now_us) {
        struct session_request *r = GAP_CONTAINER_OF(n, struct session_request, deadline);
        bool found = gap_session_cancel(s, r->call, GAP_E_TIMEOUT);
        GAP_ASSERT(found);
    }
    while ((n = gap_heap_min(&s->wakes)) != NULL && n->key <= now_us) {
        struct session_request *r = GAP_CONTAINER_OF(n, struct session_request, wake);
        session_request_requeue(s, r, false);
    }
    if (s->connected && s->check_us <= now_us) ask_states(s, now_us);
}
