/*
 * outbox/post.c - the rules of posts, apart from the tables: when a row is needed, what policies
 * mean, addresses, and what of a content goes out.
 *
 * Never: looks at a database, trusts what stood in one.
 */
#include "outbox/post.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/content.h"
#include "outbox/sql.h"

#include <gapless/tl_api.h>

#include <inttypes.h>
#include <stdio.h>

bool gap_post_in_step(const struct gap_post_facts *f)
{
    return f->has_content && f->has_message && f->same && !f->doubt;
}

bool gap_post_needs_row(const struct gap_post_facts *f, enum gap_post_cause cause)
{
    if (!f->has_content || f->frozen || gap_post_in_step(f)) return false;
    if (f->life == GAP_POST_LIFE_WAITS || f->life == GAP_POST_LIFE_BEGUN) return false;
    switch (cause) {
    case GAP_POST_BY_USER:
    case GAP_POST_BY_OUTCOME:
        return true;
    case GAP_POST_BY_REPEAT:
        return f->life != GAP_POST_LIFE_PARKED;
    case GAP_POST_BY_OTHERS:
        /* A first sending that people took back, or that was given up, is not begun again because
         * some other post has changed. */
        return f->life == GAP_POST_LIFE_NONE || (f->life == GAP_POST_LIFE_OVER && f->has_message);
    }
    return false;
}

enum gap_post_way gap_post_way(bool gone, int64_t policy)
{
    switch (policy) {
    case GAP_POST_FREEZE:
        return GAP_POST_WAY_FREEZE;
    case GAP_POST_REPOST:
        return GAP_POST_WAY_REPOST;
    case GAP_POST_REPLY:
        return gone ? GAP_POST_WAY_REPOST : GAP_POST_WAY_REPLY;
    default:
        return gone ? GAP_POST_WAY_REPOST : GAP_POST_WAY_FREEZE;
    }
}

int gap_post_address(int64_t chat, gap_bytes_t base, int32_t message_id, gap_buf_t *out)
{
    char text[64];
    gap_peer_t peer = gap_outbox_peer(chat);

    if (message_id <= 0 || peer.kind != GAP_PEER_CHANNEL) return GAP_E_NOT_FOUND;
    while (base.len > 0 && base.data[base.len - 1] == '/') base.len--;
    size_t len =
        (size_t)(base.len > 0 ? snprintf(text, sizeof text, "/%" PRId32, message_id)
                              : snprintf(text, sizeof text, "https://t.me/c/%" PRId64 "/%" PRId32,
                                         peer.id, message_id));
    int r = gap_buf_reserve(out, base.len + len);
    if (r == 0) r = gap_buf_append(out, base.data, base.len);
    return r == 0 ? gap_buf_append(out, text, len) : r;
}

gap_outbox_class_t gap_post_class(int64_t wanted, bool edits)
{
    switch (wanted) {
    case GAP_OUTBOX_REPLY:
        return GAP_OUTBOX_REPLY;
    case GAP_OUTBOX_EDITS:
        return GAP_OUTBOX_EDITS;
    case GAP_OUTBOX_BULK:
        return GAP_OUTBOX_BULK;
    default:
        return edits ? GAP_OUTBOX_EDITS : GAP_OUTBOX_BULK;
    }
}

int gap_post_check(const gap_post_t *post)
{
    if (post->key.len == 0 || post->urgency > GAP_OUTBOX_BULK || post->if_gone > GAP_POST_REPOST ||
        post->if_expired > GAP_POST_REPLY || post->deadline_us < 0)
        return GAP_E_ARGUMENT;
    if (gap_outbox_mark(post->chat) == 0) return GAP_E_ARGUMENT;
    for (size_t i = 0; i < post->link_base.len; i++)
        if (post->link_base.data[i] <= ' ' || post->link_base.data[i] >= 0x7f)
            return GAP_E_ARGUMENT;
    if (post->key.len > GAP_POST_KEY_MAX || post->link_base.len > GAP_POST_BASE_MAX ||
        post->title.len > GAP_POST_TITLE_MAX)
        return GAP_E_LIMIT;
    return 0;
}

/* --- what a post shows ------------------------------------------------------------------------ */

int gap_post_edge_add(struct gap_post_edges *e, enum gap_post_shows kind, gap_bytes_t key)
{
    if (key.len == 0 || key.len > GAP_POST_KEY_MAX) return GAP_E_ARGUMENT;
    for (size_t i = 0; i < e->count; i++)
        if (e->list[i].kind == kind &&
            gap_bytes_equal(gap_bytes(e->list[i].key, e->list[i].len), key))
            return 0;
    if (e->count >= GAP_POST_EDGES_MAX) return GAP_E_LIMIT;
    if (e->count == e->cap) {
        size_t cap = e->cap > 0 ? e->cap * 2 : 4;
        struct gap_post_edge *list = gap_realloc(e->alloc, e->list, cap * sizeof *list);
        if (list == NULL) return GAP_E_NOMEM;
        e->list = list;
        e->cap = cap;
    }
    struct gap_post_edge *edge = &e->list[e->count++];
    edge->kind = kind;
    edge->len = (uint32_t)key.len;
    memcpy(edge->key, key.data, key.len);
    return 0;
}

void gap_post_edges_fini(struct gap_post_edges *e)
{
    if (e->list != NULL) gap_free(e->alloc, e->list);
    e->list = NULL;
    e->count = 0;
    e->cap = 0;
}

/* Addresses are collected in @p links, which does not move: there is room for all. */
static int resolve_links(struct gap_content *c, gap_post_find_cb find, void *arg,
                         struct gap_post_edges *edges, gap_buf_t *links)
{
    size_t kept = 0;

    for (size_t i = 0; i < c->content.entity_count; i++) {
        gap_outbox_entity_t entity = c->entities[i];
        if (entity.id == GAP_POST_LINK) {
            size_t at = links->len;
            int r = gap_post_edge_add(edges, GAP_POST_SHOWS_LINK, entity.value);
            if (r == GAP_E_ARGUMENT) continue; /* no post can have that key */
            if (r == 0) r = find(arg, entity.value, links);
            if (r == GAP_E_NOT_FOUND) continue;
            if (r != 0) return r;
            entity.id = GAP_TL_MESSAGE_ENTITY_TEXT_URL;
            entity.value = gap_bytes(links->data + at, links->len - at);
        }
        c->entities[kept++] = entity;
    }
    c->content.entity_count = kept;
    return 0;
}

#define ADDRESS_MAX (GAP_POST_BASE_MAX + 64)

int gap_post_resolve(const gap_alloc_t *alloc, gap_bytes_t source, gap_post_find_cb find, void *arg,
                     struct gap_post_edges *edges, gap_buf_t *out, uint8_t hash[16])
{
    struct gap_content c;
    gap_buf_t links;
    size_t count = 0;

    gap_buf_init(&links, alloc);
    gap_buf_clear(out);
    int r = gap_content_unpack(source, &c);
    if (r != 0) return r;
    for (size_t i = 0; i < c.content.entity_count; i++)
        if (c.entities[i].id == GAP_POST_LINK) count++;
    if (count > 0) r = gap_buf_reserve(&links, count * ADDRESS_MAX);
    if (r == 0) r = resolve_links(&c, find, arg, edges, &links);
    if (r == 0) r = gap_content_pack(&c.content, out);
    if (r == 0) r = gap_content_hash(&c.content, hash);
    gap_buf_fini(&links);
    return r;
}
