/*
 * store/waiting.c - records on their way to a storage.
 *
 *   put -> waiting --take--> taken (in flight) --done(true)--> gone
 *              ^------------------+--done(false)
 *
 * Owns: the copies. Never: talks to a storage.
 */
#include "store/waiting.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "store/record.h"

#include <string.h>

struct gap_waiting_entry {
    TAILQ_ENTRY(gap_waiting_entry) link; /* in waiting or taken */
    gap_record_t record;
    struct gap_names *names;         /* what record's names point into; NULL: none */
    struct gap_waiting_entry *newer; /* taken: a version that came since */
    bool taken;
};

void gap_waiting_init(gap_waiting_t *w, const gap_alloc_t *alloc, size_t peers_max)
{
    memset(w, 0, sizeof *w);
    w->alloc = alloc;
    w->peers_max = peers_max;
    for (size_t i = 0; i < GAP_ARRAY_LEN(w->keyed); i++) gap_map_init(&w->keyed[i], alloc);
    TAILQ_INIT(&w->waiting);
    TAILQ_INIT(&w->taken);
}

/* ---- names ---- */

static uint8_t *append(uint8_t *at, gap_bytes_t bytes, gap_bytes_t *out)
{
    if (bytes.len > 0) memcpy(at, bytes.data, bytes.len);
    *out = gap_bytes(at, bytes.len);
    return at + bytes.len;
}

int gap_names_copy(const gap_alloc_t *alloc, const gap_peer_record_t *peer, struct gap_names **out)
{
    size_t len = sizeof(struct gap_names) + peer->username_count * sizeof(gap_bytes_t);
    size_t text = peer->phone.len;

    if (!peer->has_names || (peer->username_count == 0 && text == 0)) {
        *out = NULL;
        return 0;
    }
    for (size_t i = 0; i < peer->username_count; i++) text += peer->usernames[i].len;
    struct gap_names *n = gap_malloc(alloc, len + text);
    if (n == NULL) return GAP_E_NOMEM;
    uint8_t *at = append((uint8_t *)n + len, peer->phone, &n->phone);
    n->count = peer->username_count;
    for (size_t i = 0; i < n->count; i++) at = append(at, peer->usernames[i], &n->usernames[i]);
    *out = n;
    return 0;
}

void gap_names_apply(gap_peer_record_t *peer, const struct gap_names *names)
{
    peer->phone = names == NULL ? gap_bytes(NULL, 0) : names->phone;
    peer->usernames = names == NULL ? NULL : names->usernames;
    peer->username_count = names == NULL ? 0 : names->count;
}

static bool same_username(gap_bytes_t a, gap_bytes_t b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (gap_username_lower(a.data[i]) != gap_username_lower(b.data[i])) return false;
    }
    return true;
}

static bool is_named(const gap_peer_record_t *peer, const gap_peer_key_t *key)
{
    if (key->by == GAP_BY_PHONE) {
        return peer->phone.len == key->text.len && key->text.len > 0 &&
               memcmp(peer->phone.data, key->text.data, key->text.len) == 0;
    }
    for (size_t i = 0; i < peer->username_count; i++) {
        if (same_username(peer->usernames[i], key->text)) return true;
    }
    return false;
}

/* ---- keys ---- */

/* Where records of that kind are found; NULL: it has one key only, or none. */
static gap_map_t *map_of(gap_waiting_t *w, gap_record_kind_t kind, gap_peer_kind_t peer)
{
    if (kind == GAP_RECORD_CHANNEL) return &w->keyed[0];
    if (kind != GAP_RECORD_PEER || peer < GAP_PEER_USER || peer > GAP_PEER_CHANNEL) return NULL;
    return &w->keyed[peer];
}

static bool is_single(gap_record_kind_t kind)
{
    return kind == GAP_RECORD_ACCOUNT || kind == GAP_RECORD_STATE;
}

static gap_peer_t peer_of(const gap_record_t *r)
{
    if (r->kind == GAP_RECORD_PEER) return r->u.peer.peer;
    return (gap_peer_t){r->kind == GAP_RECORD_CHANNEL ? r->u.channel.id : 0, GAP_PEER_NONE};
}

static struct gap_waiting_entry **single_of(gap_waiting_t *w, gap_record_kind_t kind)
{
    return &w->single[kind == GAP_RECORD_STATE];
}

static struct gap_waiting_entry *newest(const gap_waiting_t *w, gap_record_kind_t kind,
                                        gap_peer_t peer)
{
    gap_waiting_t *self = (gap_waiting_t *)(uintptr_t)w;

    if (is_single(kind)) return *single_of(self, kind);
    const gap_map_t *map = map_of(self, kind, peer.kind);
    return map == NULL ? NULL : gap_map_get(map, (uint64_t)peer.id);
}

static int set_newest(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    gap_peer_t peer = peer_of(&e->record);

    if (is_single(e->record.kind)) {
        *single_of(w, e->record.kind) = e;
        return 0;
    }
    return gap_map_set(map_of(w, e->record.kind, peer.kind), (uint64_t)peer.id, e);
}

static void unset_newest(gap_waiting_t *w, const gap_record_t *r)
{
    gap_peer_t peer = peer_of(r);

    if (is_single(r->kind)) {
        *single_of(w, r->kind) = NULL;
    } else {
        (void)gap_map_remove(map_of(w, r->kind, peer.kind), (uint64_t)peer.id);
    }
}

static void entry_free(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    if (e->record.kind == GAP_RECORD_PEER) w->peers--;
    gap_free(w->alloc, e->names);
    gap_free(w->alloc, e);
}

/* ---- in ---- */

static bool has_names(const gap_record_t *r)
{
    return r->kind == GAP_RECORD_PEER && !r->removed && r->u.peer.has_names;
}

static bool is_silent_on_names(const gap_record_t *r)
{
    return r->kind == GAP_RECORD_PEER && !r->removed && !r->u.peer.has_names;
}

/* @param names Taken. */
static void set_record(gap_waiting_t *w, struct gap_waiting_entry *e, const gap_record_t *r,
                       struct gap_names *names)
{
    gap_free(w->alloc, e->names);
    e->names = names;
    e->record = *r;
    if (r->kind == GAP_RECORD_PEER) gap_names_apply(&e->record.u.peer, names);
}

/* @p e follows a version that had names, or none at all because it was a removal. */
static void inherit_names(struct gap_waiting_entry *e, struct gap_names *names)
{
    e->names = names;
    e->record.u.peer.has_names = true;
    gap_names_apply(&e->record.u.peer, names);
}

static void replace(gap_waiting_t *w, struct gap_waiting_entry *e, const gap_record_t *r,
                    struct gap_names *names)
{
    struct gap_names *old = e->names;
    bool inherits = is_silent_on_names(r) && (e->record.removed || has_names(&e->record));

    if (inherits) e->names = NULL;
    set_record(w, e, r, names);
    if (inherits) {
        inherit_names(e, old); /* it stays where it is: so do the names in their order */
        return;
    }
    TAILQ_REMOVE(&w->waiting, e, link);
    TAILQ_INSERT_TAIL(&w->waiting, e, link);
}

static int add(gap_waiting_t *w, struct gap_waiting_entry *before, const gap_record_t *r,
               struct gap_names *names)
{
    if (r->kind == GAP_RECORD_PEER && w->peers >= w->peers_max) return GAP_E_LIMIT;
    struct gap_waiting_entry *e = gap_calloc(w->alloc, 1, sizeof *e);
    if (e == NULL) return GAP_E_NOMEM;
    e->record = *r;
    if (set_newest(w, e) < 0) {
        gap_free(w->alloc, e);
        return GAP_E_NOMEM;
    }
    set_record(w, e, r, names);
    if (r->kind == GAP_RECORD_PEER) w->peers++;
    if (before != NULL) before->newer = e;
    TAILQ_INSERT_TAIL(&w->waiting, e, link);
    w->count++;
    return 0;
}

int gap_waiting_put(gap_waiting_t *w, const gap_record_t *record)
{
    gap_peer_t peer = peer_of(record);
    struct gap_names *names = NULL;

    if (!gap_record_is_valid(record)) return GAP_E_ARGUMENT;
    int r = has_names(record) ? gap_names_copy(w->alloc, &record->u.peer, &names) : 0;
    if (r < 0) return r;
    struct gap_waiting_entry *e = newest(w, record->kind, peer);
    if (e != NULL && !e->taken) {
        replace(w, e, record, names);
        return 0;
    }
    r = add(w, e, record, names);
    if (r < 0) gap_free(w->alloc, names);
    return r;
}

/* ---- out ---- */

int gap_waiting_take(gap_waiting_t *w, const gap_record_t **out)
{
    struct gap_waiting_entry *e;
    size_t i = 0;

    GAP_ASSERT(w->flying == 0);
    w->records = gap_calloc(w->alloc, w->count, sizeof *w->records);
    if (w->records == NULL) return GAP_E_NOMEM;
    TAILQ_FOREACH (e, &w->waiting, link) {
        e->taken = true;
        w->records[i++] = e->record;
    }
    GAP_ASSERT(i == w->count);
    TAILQ_CONCAT(&w->taken, &w->waiting, link);
    w->flying = w->count;
    w->count = 0;
    *out = w->records;
    return 0;
}

static void stored(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    if (e->newer == NULL) unset_newest(w, &e->record);
    entry_free(w, e);
}

static void give_back(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    struct gap_waiting_entry *n = e->newer;

    e->taken = false;
    e->newer = NULL;
    if (n == NULL) {
        TAILQ_INSERT_HEAD(&w->waiting, e, link);
        w->count++;
        return;
    }
    if (is_silent_on_names(&n->record) && (e->record.removed || has_names(&e->record))) {
        inherit_names(n, e->names);
        e->names = NULL;
        TAILQ_REMOVE(&w->waiting, n, link);
        TAILQ_INSERT_HEAD(&w->waiting, n, link);
    }
    entry_free(w, e);
}

void gap_waiting_done(gap_waiting_t *w, bool was_stored)
{
    struct gap_waiting_entry *e;

    while ((e = TAILQ_LAST(&w->taken, gap_waiting_list)) != NULL) {
        TAILQ_REMOVE(&w->taken, e, link);
        if (was_stored)
            stored(w, e);
        else
            give_back(w, e);
    }
    w->flying = 0;
    gap_free(w->alloc, w->records);
    w->records = NULL;
}

void gap_waiting_fini(gap_waiting_t *w)
{
    struct gap_waiting_entry *e;

    GAP_ASSERT(w->flying == 0);
    while ((e = TAILQ_FIRST(&w->waiting)) != NULL) {
        TAILQ_REMOVE(&w->waiting, e, link);
        entry_free(w, e);
    }
    w->count = 0;
    memset(w->single, 0, sizeof w->single);
    for (size_t i = 0; i < GAP_ARRAY_LEN(w->keyed); i++) gap_map_fini(&w->keyed[i]);
}

/* ---- looking ---- */

const gap_record_t *gap_waiting_get(const gap_waiting_t *w, gap_record_kind_t kind, gap_peer_t peer)
{
    GAP_ASSERT(w->flying == 0);
    const struct gap_waiting_entry *e = newest(w, kind, peer);
    return e == NULL ? NULL : &e->record;
}

const gap_record_t *gap_waiting_named(const gap_waiting_t *w, const gap_peer_key_t *key)
{
    const struct gap_waiting_entry *e;

    GAP_ASSERT(w->flying == 0);
    GAP_ASSERT(key->by != GAP_BY_ID);
    TAILQ_FOREACH_REVERSE(e, &w->waiting, gap_waiting_list, link)
    {
        if (has_names(&e->record) && is_named(&e->record.u.peer, key)) return &e->record;
    }
    return NULL;
}
