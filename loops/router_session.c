/*
 * loops/router_session.c - session data: who has a key, loading, writing.
 *
 *   open:  key free -> held -> its value in memory -> go
 *                           -> LOADING -> go
 *          key held by another run -> WAITING, in order
 *   close: what was set is saved and kept; the key goes to the next who waits
 *   leave: the run has timed out: the key goes on at once, what its handler looks at stays
 *
 * Owns the values in memory. A value is written in the step in which its update is recorded as
 * handled, never before: both go into the same commit. One run has one key, so nobody waits in a
 * circle.
 */
#include "loops/router_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/packet.h"

#include <gapless/runner.h>

int gap_router_session(gap_router_t *router, const gap_session_config_t *config)
{
    const gap_values_t *v = &config->values;

    if (router->parent != NULL || router->sessions != NULL || router->used) return GAP_E_STATE;
    if ((v->load == NULL) != (v->save == NULL)) return GAP_E_ARGUMENT;
    struct router_sessions *s = gap_calloc(router->alloc, 1, sizeof *s);
    if (s == NULL) return GAP_E_NOMEM;
    s->config = *config;
    if (s->config.key == NULL) s->config.key = gap_session_chat_and_sender;
    if (s->config.value_max == 0) s->config.value_max = GAP_SESSION_VALUE_MAX;
    if (s->config.cache_max == 0) s->config.cache_max = GAP_SESSION_CACHE_MAX;
    gap_kept_values_init(&s->values, router->alloc, s->config.cache_max);
    TAILQ_INIT(&s->woken);
    router->sessions = s;
    return 0;
}

void router_sessions_free(gap_router_t *router)
{
    if (router->sessions == NULL) return;
    gap_kept_values_fini(&router->sessions->values);
    gap_free(router->alloc, router->sessions);
    router->sessions = NULL;
}

/* ---- keys ---- */

static size_t put_peer(uint8_t *out, gap_peer_t peer)
{
    out[0] = (uint8_t)peer.kind;
    gap_store64(out + 1, (uint64_t)peer.id);
    return 9;
}

int gap_session_chat(const gap_update_t *update, const gap_match_t *match, uint8_t *out, void *data)
{
    (void)update;
    (void)data;
    return match->chat.kind == GAP_PEER_NONE ? 0 : (int)put_peer(out, match->chat);
}

int gap_session_chat_and_sender(const gap_update_t *update, const gap_match_t *match, uint8_t *out,
                                void *data)
{
    (void)update;
    (void)data;
    if (match->chat.kind == GAP_PEER_NONE && match->sender.kind == GAP_PEER_NONE) return 0;
    size_t len = put_peer(out, match->chat);
    return (int)(len + put_peer(out + len, match->sender));
}

/* ---- open ---- */

static void show(struct router_run *run)
{
    run->shown = run->value->packet == NULL ? NULL : gap_packet_ref(run->value->packet);
}

/* @param out  NULL for no bytes. @return 0; GAP_E_NOMEM, GAP_E_LIMIT. */
static int copy_of(const gap_alloc_t *alloc, gap_bytes_t value, gap_packet_t **out)
{
    *out = NULL;
    return value.len == 0 ? 0 : gap_packet_copy(alloc, value, out);
}

static void wait_behind(struct gap_kept_value *v, struct router_run *run)
{
    struct router_run *last = v->last;

    run->behind = NULL;
    if (v->first == NULL)
        v->first = run;
    else
        last->behind = run;
    v->last = run;
    run->state = RUN_WAITING;
}

/* The first who waits has it now. */
static void hand_on(struct router_sessions *s, struct gap_kept_value *v)
{
    struct router_run *next = v->first;

    v->holder = next;
    if (next == NULL) return;
    v->first = next->behind;
    next->behind = NULL;
    TAILQ_INSERT_TAIL(&s->woken, next, turn);
}

static void on_value(void *arg, int status, gap_bytes_t value)
{
    struct router_run *run = arg;
    struct gap_kept_values *values = &run->root->sessions->values;
    gap_packet_t *packet;

    if (status == 0) status = copy_of(values->alloc, value, &packet);
    if (status == 0) {
        gap_kept_values_set(values, run->value, packet);
        show(run);
    }
    if (run->state != RUN_LOADING) { /* from inside load() */
        run->loaded_now = true;
        run->status = status;
        return;
    }
    router_resume(run, status);
}

/* It holds its key. @return 0; GAP_LATER; negative. */
static int fetch(struct router_run *run)
{
    struct router_sessions *s = run->root->sessions;
    const gap_values_t *from = &s->config.values;
    struct gap_kept_value *v = run->value;

    if (!v->known && from->load == NULL)
        gap_kept_values_set(&s->values, v, NULL); /* memory only: there is none */
    if (v->known) {
        show(run);
        return 0;
    }
    run->state = RUN_FINDING;
    run->loaded_now = false;
    int r = from->load(from->self, gap_bytes(v->key, v->key_len), on_value, run);
    if (r < 0) return r;
    if (run->loaded_now) {
        r = run->status;
        run->status = 0;
        return r;
    }
    run->state = RUN_LOADING;
    return GAP_LATER;
}

int router_session_open(struct router_run *run)
{
    struct router_sessions *s = run->root->sessions;
    uint8_t key[GAP_SESSION_KEY_MAX];

    if (s == NULL) return 0;
    int len = s->config.key(run->update, &run->facts.match, key, s->config.key_data);
    if (len <= 0) return len;
    GAP_ASSERT(len <= GAP_SESSION_KEY_MAX);
    struct gap_kept_value *v = gap_kept_values_take(&s->values, gap_bytes(key, (size_t)len));
    if (v == NULL) return GAP_E_NOMEM;
    run->value = v;
    run->keyed = true;
    if (v->holder == NULL) {
        v->holder = run;
        return fetch(run);
    }
    wait_behind(v, run);
    return GAP_LATER;
}

void router_session_wake(gap_router_t *root)
{
    struct router_sessions *s = root->sessions;
    struct router_run *run;

    if (s == NULL || s->waking) return;
    s->waking = true;
    while ((run = TAILQ_FIRST(&s->woken)) != NULL) {
        TAILQ_REMOVE(&s->woken, run, turn);
        int r = run->over ? GAP_E_TIMEOUT : fetch(run);
        if (r != GAP_LATER) router_resume(run, r);
    }
    s->waking = false;
}

/* ---- close ---- */

static void set_pending(struct router_run *run, gap_packet_t *packet, bool has)
{
    gap_packet_unref(run->pending);
    run->pending = packet;
    run->has_pending = has;
    run->saved = false;
}

void router_session_begin(struct router_run *run)
{
    gap_packet_unref(run->front);
    run->front = run->pending == NULL ? NULL : gap_packet_ref(run->pending);
    run->had_pending = run->has_pending;
}

void router_session_again(struct router_run *run)
{
    set_pending(run, run->front == NULL ? NULL : gap_packet_ref(run->front), run->had_pending);
}

int router_session_save_in(struct router_run *run, struct sqlite3 *db)
{
    const struct router_sessions *s = run->root->sessions;

    if (!run->has_pending || db == NULL || s->config.values.save_in == NULL) return 0;
    const struct gap_kept_value *v = run->value;
    int r = s->config.values.save_in(s->config.values.self, db, gap_bytes(v->key, v->key_len),
                                     gap_kept_value_bytes(run->pending));
    run->saved = r == 0;
    return r;
}

static int save(struct router_run *run)
{
    const gap_values_t *to = &run->root->sessions->config.values;
    const struct gap_kept_value *v = run->value;

    if (run->saved || to->save == NULL) return 0;
    return to->save(to->self, gap_bytes(v->key, v->key_len), gap_kept_value_bytes(run->pending));
}

void router_session_leave(struct router_run *run)
{
    struct router_sessions *s = run->root->sessions;
    struct gap_kept_value *v = run->value;

    if (v == NULL) return;
    run->value = NULL;
    hand_on(s, v);
    gap_kept_values_release(&s->values, v);
}

int router_session_close(struct router_run *run, int status)
{
    struct router_sessions *s = run->root->sessions;

    if (s == NULL) return status;
    if (run->value != NULL && status == 0 && run->has_pending) {
        status = save(run);
        if (status == 0) {
            gap_kept_values_set(&s->values, run->value, run->pending);
            run->pending = NULL;
        }
    }
    set_pending(run, NULL, false);
    gap_packet_unref(run->front);
    gap_packet_unref(run->shown);
    run->front = run->shown = NULL;
    router_session_leave(run);
    return status;
}

/* ---- what handlers call ---- */

static struct router_run *run_of(const gap_update_t *update)
{
    if (update->relay == NULL || update->relay->ops != &router_relay_ops) return NULL;
    return GAP_CONTAINER_OF(update->relay, struct router_run, relay);
}

gap_bytes_t gap_update_session(const gap_update_t *update)
{
    const struct router_run *run = run_of(update);

    if (run == NULL) return gap_bytes(NULL, 0);
    return gap_kept_value_bytes(run->has_pending ? run->pending : run->shown);
}

int gap_update_session_set(gap_update_t *update, gap_bytes_t value)
{
    struct router_run *run = run_of(update);
    gap_packet_t *packet;

    if (run == NULL || !run->keyed || run->after || run->state == RUN_ENDING) return GAP_E_STATE;
    if (!gap_update_is_current(update)) return GAP_E_STATE;
    if (value.len > run->root->sessions->config.value_max) return GAP_E_LIMIT;
    int r = copy_of(run->root->alloc, value, &packet);
    if (r < 0) return r;
    set_pending(run, packet, true);
    return 0;
}
