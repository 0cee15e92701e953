/*
 * loops/node.c - one update on its way: from the pool, to the handler, back to the pool.
 *
 *   QUEUED -> HANDLING -> gone                         the handler returned 0 or failed
 *                \--> LATER -> gone                     gap_update_done
 *                |      \--> FAILED (event due) -> gone gap_update_failed
 *                |      \--> RETURNED                   gap_engine_return: kept in its ring
 *                \--> FINISHED -> gone                  done, failed from inside the handler
 *
 * Until the account has caught up after a restart, what comes of a stored sequence may be repeated:
 * what is stored lags behind the handlers. What is given back at the end keeps its place in its
 * ring: done, it would move the watermark past what nobody has handled.
 *
 * Owns: the node and its references. Never: decides anything about order.
 */
#include "base/assert.h"
#include "base/failpoint.h"
#include "base/packet.h"
#include "loops/engine_internal.h"

#include <string.h>

static void finished(gap_update_t *update, int status);
static const struct gap_update_owner node_owner = {.finished = finished};

static struct gap_node *node_of(gap_update_t *update)
{
    return GAP_CONTAINER_OF(update, struct gap_node, update);
}

struct gap_node *gap_node_find(const gap_update_t *update)
{
    if (update->owner != &node_owner) return NULL;
    return GAP_CONTAINER_OF((uintptr_t)update, struct gap_node, update);
}

struct gap_node *gap_node_new(gap_engine_t *e, enum gap_node_kind kind, gap_packet_t *packet)
{
    struct gap_node *n = gap_pool_get(&e->nodes);

    if (n == NULL) return NULL;
    n->engine = e;
    n->track = NULL;
    n->packet = packet == NULL ? NULL : gap_packet_ref(packet);
    n->peers_packet = NULL;
    n->kind = (uint8_t)kind;
    n->state = NODE_QUEUED;
    n->unknown = false;
    n->copied = false;
    n->former = false;
    STAILQ_INIT(&n->u.rest);
    return n;
}

void gap_node_fill(struct gap_node *n, const struct gap_item *item, const gap_tl_vector_t *users,
                   const gap_tl_vector_t *chats, gap_via_t via)
{
    gap_update_init(&n->update, item, *users, *chats);
    n->update.owner = &node_owner;
    n->update.via = (uint8_t)via;
}

/* It shows nothing any more. */
static void node_let_go(struct gap_node *n)
{
    if (n->copied) n->engine->count.held_bytes -= n->packet->len;
    gap_packet_unref(n->packet);
    gap_packet_unref(n->peers_packet);
}

static void node_put(struct gap_node *n)
{
    node_let_go(n);
    gap_pool_put(&n->engine->nodes, n);
}

void gap_node_free(struct gap_node *node)
{
    struct gap_node *n;

    while ((n = STAILQ_FIRST(&node->u.rest)) != NULL) {
        STAILQ_REMOVE_HEAD(&node->u.rest, next);
        node->engine->rest_count--;
        node_put(n);
    }
    node_put(node);
}

#define CACHE_LINE 64

/* @p len bytes from @p from on, but no more than a short message. */
static inline void prefetch(const void *from, size_t len)
{
    const char *p = from;

    if (len > 4 * CACHE_LINE) len = 4 * CACHE_LINE;
    for (size_t i = 0; i < len; i += CACHE_LINE) __builtin_prefetch(p + i);
}

void gap_node_prefetch(const struct gap_node *node)
{
    prefetch(node, sizeof *node);
}

void gap_node_prefetch_bytes(const struct gap_node *node)
{
    __builtin_prefetch(node->packet);
    prefetch(node->update.bytes.data, node->update.bytes.len);
}

/* ---- holding ---- */

/* Are they the same, byte for byte, as those copied last? */
static bool peers_equal(const gap_engine_t *e, const gap_update_t *u)
{
    const uint8_t *copy = e->peers_copy->data + e->peers_at;

    if (e->users_len != u->users_len || e->chats_len != u->chats_len) return false;
    return (u->users_len == 0 || memcmp(copy, u->users, u->users_len) == 0) &&
           (u->chats_len == 0 || memcmp(copy + u->users_len, u->chats, u->chats_len) == 0);
}

/* Of a container whose updates come to be held in a row, the first takes a copy of the users and
 * chats with it; the others refer to that. So do those of the next container if it brings the same,
 * as one of the same chat and sender does: half of what would be copied. */
static gap_packet_t *peers_copied(const gap_engine_t *e, const struct gap_node *n)
{
    const gap_update_t *u = &n->update;

    if (e->peers_copy == NULL) return NULL;
    if (e->peers_from == n->packet && e->peers_of == u->users && e->chats_of == u->chats)
        return e->peers_copy;
    return peers_equal(e, u) ? e->peers_copy : NULL;
}

static void remember_copy(gap_engine_t *e, const struct gap_node *n, gap_packet_t *copy)
{
    gap_node_forget_copy(e);
    e->peers_copy = gap_packet_ref(copy);
    e->peers_from = gap_packet_ref(n->packet);
    e->peers_of = n->update.users;
    e->chats_of = n->update.chats;
    e->users_len = n->update.users_len;
    e->chats_len = n->update.chats_len;
    e->peers_at = n->update.bytes.len;
}

void gap_node_forget_copy(gap_engine_t *e)
{
    gap_packet_unref(e->peers_copy);
    gap_packet_unref(e->peers_from);
    e->peers_copy = NULL;
    e->peers_from = NULL;
}

static void detach(struct gap_node *n)
{
    gap_engine_t *e = n->engine;
    gap_update_t *u = &n->update;
    size_t peers_len = (size_t)u->users_len + u->chats_len;
    gap_packet_t *copy;

    if (n->copied || n->packet == NULL || n->peers_packet != NULL) return;
    gap_packet_t *peers = peers_len == 0 ? NULL : peers_copied(e, n);
    size_t len = u->bytes.len + (peers == NULL ? peers_len : 0);
    /* A packet that holds little else may as well stay. */
    if (n->packet->cap <= 2 * len) return;
    if (gap_copies_get(&e->copies, len, &copy) < 0) return;
    copy->len = (uint32_t)len;
    memcpy(copy->data, u->bytes.data, u->bytes.len);
    if (peers != NULL) {
        n->peers_packet = gap_packet_ref(peers);
    } else if (peers_len > 0) {
        uint8_t *to = copy->data + u->bytes.len;
        if (u->users_len > 0) memcpy(to, u->users, u->users_len);
        if (u->chats_len > 0) memcpy(to + u->users_len, u->chats, u->chats_len);
        remember_copy(e, n, copy);
        peers = copy;
    }
    if (peers_len > 0) {
        u->users = u->users_len > 0 ? peers->data + e->peers_at : NULL;
        u->chats = u->chats_len > 0 ? peers->data + e->peers_at + u->users_len : NULL;
    }
    gap_packet_unref(n->packet);
    n->packet = copy;
    n->copied = true;
    u->bytes.data = copy->data;
    e->count.held_bytes += len;
}

void gap_node_detach(struct gap_node *node)
{
    struct gap_node *n;

    detach(node);
    STAILQ_FOREACH (n, &node->u.rest, next) detach(n);
}

/* ---- delivering ---- */

static void tell_failed(struct gap_node *n, int error)
{
    gap_engine_event_t ev = gap_engine_event(GAP_EVENT_HANDLER_FAILED, n->track);

    if (n->update.box == GAP_BOX_CHANNEL) { /* it may have been passed, and its channel be gone */
        ev.sequence = GAP_SEQUENCE_CHANNEL;
        ev.channel_id = n->update.channel_id;
    }
    n->engine->count.failed_handler++;
    ev.error = error;
    ev.update = &n->update;
    gap_engine_tell(n->engine, &ev);
}

static uint64_t pinned_by(const struct gap_node *n)
{
    return n->packet == NULL ? 0 : n->packet->cap;
}

static void put_later(struct gap_node *n)
{
    gap_engine_t *e = n->engine;

    e->count.later--;
    e->count.pinned_bytes -= pinned_by(n);
    GAP_FAILPOINT("done.before");
    gap_mark_done(n);
    GAP_FAILPOINT("done.after");
    node_put(n);
    gap_backfill_wake(e);
    gap_engine_check_closed(e);
}

static void finished(gap_update_t *update, int status)
{
    struct gap_node *n = node_of(update);
    gap_engine_t *e = n->engine;

    if (n->state == NODE_HANDLING) {
        n->state = NODE_FINISHED;
        n->status = status;
        return;
    }
    GAP_ASSERT(n->state == NODE_LATER);
    if (status == 0 || e->closing) {
        put_later(n);
        return;
    }
    n->state = NODE_FAILED;
    n->status = status;
    STAILQ_INSERT_TAIL(&e->failed, n, next);
    gap_loop_signal(e->rt, &e->seq);
}

/* Its memory goes with the engine's. */
void gap_engine_return(gap_update_t *update)
{
    struct gap_node *n = gap_node_find(update);

    if (n == NULL || n->track == NULL) {
        gap_update_done(update);
        return;
    }
    gap_engine_t *e = n->engine;
    GAP_ASSERT(e->closing);
    GAP_ASSERT(n->state == NODE_LATER);
    e->count.later--;
    e->count.pinned_bytes -= pinned_by(n);
    node_let_go(n);
    n->state = NODE_RETURNED;
    gap_engine_check_closed(e);
}

void gap_node_tell_failed(gap_engine_t *e)
{
    struct gap_node *n;

    while ((n = STAILQ_FIRST(&e->failed)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->failed, next);
        tell_failed(n, n->status);
        put_later(n);
    }
}

void gap_node_drop_failed(gap_engine_t *e)
{
    struct gap_node *n;

    while ((n = STAILQ_FIRST(&e->failed)) != NULL) {
        STAILQ_REMOVE_HEAD(&e->failed, next);
        put_later(n);
    }
}

void gap_node_deliver(struct gap_node *n)
{
    gap_engine_t *e = n->engine;

    if (n->kind != NODE_UPDATE || e->closing || gap_watch_withholds(e, n)) {
        node_put(n);
        return;
    }
    /* A handler that takes its time would pin the whole packet. What it was handed stays where it
     * is, so it is copied before, once much is pinned. */
    if (e->count.pinned_bytes > GAP_PINNED_MAX) detach(n);
    n->state = NODE_HANDLING;
    if (!e->caught_up && n->track != NULL && n->track->restored) n->update.maybe_repeated = true;
    gap_watch_applied(e, n);
    struct gap_track *track = n->track;
    GAP_FAILPOINT("handler.before");
    int r = e->config.handler(&n->update, e->config.handler_data);
    GAP_FAILPOINT("handler.after");
    if (r == 0) {
        node_put(n);
        if (track != NULL) gap_press_check(e, track);
        return;
    }
    if (r > 0 && n->state == NODE_HANDLING) {
        n->state = NODE_LATER;
        e->count.later++;
        e->count.pinned_bytes += pinned_by(n);
        gap_mark_later(n);
        if (n->track != NULL) gap_press_check(e, n->track);
        return;
    }
    if (r > 0) r = n->status;
    if (r < 0) tell_failed(n, r);
    node_put(n);
}

void gap_node_deliver_rest(struct gap_node *node)
{
    struct gap_track *track = node->track;
    int32_t before = track->core.position;
    struct gap_node *n;

    if (before == node->update.pts) before -= node->update.pts_count;
    while ((n = STAILQ_FIRST(&node->u.rest)) != NULL) {
        STAILQ_REMOVE_HEAD(&node->u.rest, next);
        node->engine->rest_count--;
        n->track = track;
        n->before = before;
        gap_node_deliver(n);
    }
    node_put(node);
}

bool gap_node_is_unknown(const struct gap_node *node)
{
    const gap_update_t *u = &node->update;
    struct gap_item item = {.bytes = u->bytes,
                            .channel_id = u->channel_id,
                            .id = u->id,
                            .pts = u->pts,
                            .pts_count = u->pts_count,
                            .flags = u->flags,
                            .box = u->box};

    return gap_peers_check(&node->engine->peers, &item, NULL) == GAP_PEERS_UNKNOWN;
}
