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
    struct gap_waiting_entry *older; /* whose `newer` this is */
    size_t charge;                   /* part of the waiting bytes */
    void *owner;                     /* of a call */
    int result;                      /* of a call */
    bool taken;
    uint8_t bytes[]; /* what record's views point into */
};

void gap_waiting_init(gap_waiting_t *w, const gap_alloc_t *alloc, size_t peers_max,
                      size_t bytes_max)
{
    memset(w, 0, sizeof *w);
    w->alloc = alloc;
    w->peers_max = peers_max;
    w->bytes_max = bytes_max;
    for (size_t i = 0; i < GAP_ARRAY_LEN(w->keyed); i++) gap_map_init(&w->keyed[i], alloc);
    TAILQ_INIT(&w->waiting);
    TAILQ_INIT(&w->taken);
    TAILQ_INIT(&w->settled);
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

enum { INBOX = 4 }; /* in `keyed` */

/* Where records of that kind are found; NULL: it has one key only, or none. */
static gap_map_t *map_of(gap_waiting_t *w, gap_record_kind_t kind, gap_peer_kind_t peer)
{
    if (kind == GAP_RECORD_CHANNEL) return &w->keyed[0];
    if (kind != GAP_RECORD_PEER || peer < GAP_PEER_USER || peer > GAP_PEER_CHANNEL) return NULL;
    return &w->keyed[peer];
}

static bool is_single(gap_record_kind_t kind)
{
    return kind == GAP_RECORD_ACCOUNT || kind == GAP_RECORD_STATE || kind == GAP_RECORD_BOOT;
}

static gap_peer_t peer_of(const gap_record_t *r)
{
    if (r->kind == GAP_RECORD_PEER) return r->u.peer.peer;
    return (gap_peer_t){r->kind == GAP_RECORD_CHANNEL ? r->u.channel.id : 0, GAP_PEER_NONE};
}

static struct gap_waiting_entry **single_of(gap_waiting_t *w, gap_record_kind_t kind)
{
    return &w->single[kind == GAP_RECORD_ACCOUNT ? 0 : kind == GAP_RECORD_STATE ? 1 : 2];
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

static bool is_unkeyed(gap_record_kind_t kind)
{
    return kind == GAP_RECORD_DONE || kind == GAP_RECORD_DEAD || kind == GAP_RECORD_VALUE ||
           kind == GAP_RECORD_CALL;
}

static void unset_newest(gap_waiting_t *w, const gap_record_t *r)
{
    gap_peer_t peer = peer_of(r);

    if (is_unkeyed(r->kind)) return;
    if (is_single(r->kind)) {
        *single_of(w, r->kind) = NULL;
    } else if (r->kind == GAP_RECORD_INBOX) {
        (void)gap_map_remove(&w->keyed[INBOX], r->u.inbox.number);
    } else {
        (void)gap_map_remove(map_of(w, r->kind, peer.kind), (uint64_t)peer.id);
    }
}

static void entry_free(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    if (e->record.kind == GAP_RECORD_PEER) w->peers--;
    w->bytes -= e->charge;
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

/* Rows on the way to the list, and out of it. */
static void enlist(gap_waiting_t *w, struct gap_waiting_entry *e, bool first)
{
    gap_record_kind_t kind = e->record.kind;

    if (first)
        TAILQ_INSERT_HEAD(&w->waiting, e, link);
    else
        TAILQ_INSERT_TAIL(&w->waiting, e, link);
    w->count++;
    if (kind == GAP_RECORD_CALL) w->calls++;
    if (kind == GAP_RECORD_DEAD || kind == GAP_RECORD_VALUE) w->rows++;
}

static void unlist(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    gap_record_kind_t kind = e->record.kind;

    TAILQ_REMOVE(&w->waiting, e, link);
    w->count--;
    if (kind == GAP_RECORD_CALL) w->calls--;
    if (kind == GAP_RECORD_DEAD || kind == GAP_RECORD_VALUE) w->rows--;
}

/* What it adds to the waiting bytes: removals, changed fields and the library's own values nothing,
 * their number is bounded by what they are about. */
static size_t charge_of(const gap_record_t *r)
{
    size_t len = gap_record_bytes(r);

    if (r->removed || r->kind == GAP_RECORD_CALL) return 0;
    if (r->kind == GAP_RECORD_INBOX && !r->u.inbox.has_update) return 0;
    if (r->kind == GAP_RECORD_VALUE && r->u.value.key.data[0] == 0) return 0;
    return sizeof(struct gap_waiting_entry) + len;
}

/* A copy of a journal record; it is nowhere yet. */
static int row_new(gap_waiting_t *w, const gap_record_t *r, struct gap_waiting_entry **out)
{
    size_t charge = charge_of(r);

    if (charge > 0 && w->bytes > 0 && w->bytes + charge > w->bytes_max) return GAP_E_LIMIT;
    struct gap_waiting_entry *e = gap_malloc(w->alloc, sizeof *e + gap_record_bytes(r));
    if (e == NULL) return GAP_E_NOMEM;
    e->names = NULL;
    e->newer = NULL;
    e->older = NULL;
    e->charge = charge;
    e->owner = NULL;
    e->result = 0;
    e->taken = false;
    gap_record_copy(&e->record, r, e->bytes);
    w->bytes += charge;
    *out = e;
    return 0;
}

static int append_row(gap_waiting_t *w, const gap_record_t *r)
{
    struct gap_waiting_entry *e;
    int status = row_new(w, r, &e);

    if (status == 0) enlist(w, e, false);
    return status;
}

/* Fields without bytes, over what was there. */
static void set_fields(struct gap_waiting_entry *e, const gap_inbox_record_t *fields)
{
    gap_inbox_record_t *to = &e->record.u.inbox;
    gap_bytes_t update = to->update;
    bool has_update = to->has_update;

    *to = *fields;
    to->update = update;
    to->has_update = has_update;
}

/* @p e waits and is a removal from now on. */
static void make_removal(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    if (!e->record.removed && e->record.u.inbox.has_update &&
        e->record.u.inbox.number > w->inbox_seen) {
        unlist(w, e); /* no storage has ever seen it */
        unset_newest(w, &e->record);
        entry_free(w, e);
        return;
    }
    e->record.removed = true;
    e->record.u.inbox.has_update = false;
    e->record.u.inbox.update = gap_bytes(NULL, 0);
}

static int put_inbox(gap_waiting_t *w, const gap_record_t *r)
{
    gap_map_t *map = &w->keyed[INBOX];
    uint64_t number = r->u.inbox.number;
    struct gap_waiting_entry *e = gap_map_get(map, number);
    struct gap_waiting_entry *fresh;
    bool waits = e != NULL && !e->taken;

    if (waits && r->removed) {
        make_removal(w, e);
        return 0;
    }
    if (waits && !r->u.inbox.has_update) {
        if (!e->record.removed) set_fields(e, &r->u.inbox);
        return 0;
    }
    int status = row_new(w, r, &fresh);
    if (status < 0) return status;
    if (gap_map_set(map, number, fresh) < 0) {
        entry_free(w, fresh);
        return GAP_E_NOMEM;
    }
    fresh->older = waits ? e->older : e;
    if (fresh->older != NULL) fresh->older->newer = fresh;
    if (waits) {
        unlist(w, e);
        entry_free(w, e);
    }
    enlist(w, fresh, false);
    return 0;
}

int gap_waiting_call(gap_waiting_t *w, const gap_call_record_t *call, void *owner)
{
    gap_record_t r = {.kind = GAP_RECORD_CALL, .u.call = *call};
    struct gap_waiting_entry *e;
    int nowhere;

    r.u.call.result = &nowhere;
    if (!gap_record_is_valid(&r)) return GAP_E_ARGUMENT;
    int status = row_new(w, &r, &e);
    if (status < 0) return status;
    e->owner = owner;
    e->record.u.call.result = &e->result;
    enlist(w, e, false);
    return 0;
}

int gap_waiting_put(gap_waiting_t *w, const gap_record_t *record)
{
    gap_peer_t peer = peer_of(record);
    struct gap_names *names = NULL;

    if (!gap_record_is_valid(record) || record->kind == GAP_RECORD_CALL) return GAP_E_ARGUMENT;
    if (record->kind == GAP_RECORD_INBOX) return put_inbox(w, record);
    if (is_unkeyed(record->kind)) return append_row(w, record);
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
        if (e->record.kind == GAP_RECORD_INBOX && e->record.u.inbox.number > w->inbox_seen)
            w->inbox_seen = e->record.u.inbox.number;
        w->records[i++] = e->record;
    }
    GAP_ASSERT(i == w->count);
    TAILQ_CONCAT(&w->taken, &w->waiting, link);
    w->flying = w->count;
    w->count = 0;
    w->calls = 0;
    w->rows = 0;
    *out = w->records;
    return 0;
}

static void stored(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    if (e->record.kind == GAP_RECORD_CALL) {
        TAILQ_INSERT_HEAD(&w->settled, e, link); /* called from the last one to the first */
        return;
    }
    if (e->newer == NULL)
        unset_newest(w, &e->record);
    else
        e->newer->older = NULL;
    entry_free(w, e);
}

/* A newer version of a row of the inbox came while @p e was in flight: one of them stays. */
static void give_back_inbox(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    struct gap_waiting_entry *n = e->newer;
    bool only_fields = !n->record.removed && !n->record.u.inbox.has_update;

    e->newer = NULL;
    n->older = NULL;
    if (!only_fields || (!e->record.removed && !e->record.u.inbox.has_update)) {
        entry_free(w, e); /* the newer one says all */
        return;
    }
    if (!e->record.removed) set_fields(e, &n->record.u.inbox);
    int r = gap_map_set(&w->keyed[INBOX], e->record.u.inbox.number, e);
    GAP_ASSERT(r == 0); /* the key is there: nothing is allocated */
    unlist(w, n);
    entry_free(w, n);
    enlist(w, e, true);
}

static void give_back(gap_waiting_t *w, struct gap_waiting_entry *e)
{
    struct gap_waiting_entry *n = e->newer;

    e->taken = false;
    if (n == NULL) {
        enlist(w, e, true);
        return;
    }
    if (e->record.kind == GAP_RECORD_INBOX) {
        give_back_inbox(w, e);
        return;
    }
    e->newer = NULL;
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
    w->count = w->calls = w->rows = 0;
    memset(w->single, 0, sizeof w->single);
    for (size_t i = 0; i < GAP_ARRAY_LEN(w->keyed); i++) gap_map_fini(&w->keyed[i]);
}

/* ---- calls ---- */

bool gap_waiting_settled(gap_waiting_t *w, void **owner, int *result)
{
    struct gap_waiting_entry *e = TAILQ_FIRST(&w->settled);

    if (e == NULL) return false;
    TAILQ_REMOVE(&w->settled, e, link);
    *owner = e->owner;
    *result = e->result;
    entry_free(w, e);
    return true;
}

void gap_waiting_abandon(gap_waiting_t *w)
{
    struct gap_waiting_entry *next;

    GAP_ASSERT(w->flying == 0);
    for (struct gap_waiting_entry *e = TAILQ_FIRST(&w->waiting); e != NULL; e = next) {
        next = TAILQ_NEXT(e, link);
        if (e->record.kind != GAP_RECORD_CALL) continue;
        unlist(w, e);
        TAILQ_INSERT_TAIL(&w->settled, e, link);
    }
}

/* ---- looking ---- */

static bool is_row(const gap_record_t *r, const gap_record_t *key)
{
    if (r->kind != key->kind) return false;
    if (r->kind == GAP_RECORD_DEAD) return r->u.dead.number == key->u.dead.number;
    return r->kind == GAP_RECORD_VALUE && gap_bytes_equal(r->u.value.key, key->u.value.key);
}

const gap_record_t *gap_waiting_row(const gap_waiting_t *w, const gap_record_t *key)
{
    const struct gap_waiting_entry *e;

    GAP_ASSERT(w->flying == 0);
    if (key->kind == GAP_RECORD_INBOX) {
        e = gap_map_get(&w->keyed[INBOX], key->u.inbox.number);
        return e == NULL ? NULL : &e->record;
    }
    if (w->rows == 0) return NULL;
    TAILQ_FOREACH_REVERSE(e, &w->waiting, gap_waiting_list, link)
    {
        if (is_row(&e->record, key)) return &e->record;
    }
    return NULL;
}

size_t gap_waiting_rows(const gap_waiting_t *w, gap_record_kind_t kind, const gap_record_t **out,
                        size_t room)
{
    const struct gap_waiting_entry *e;
    size_t count = 0;

    GAP_ASSERT(w->flying == 0);
    TAILQ_FOREACH (e, &w->waiting, link) {
        if (e->record.kind != kind) continue;
        if (count < room) out[count] = &e->record;
        count++;
    }
    return count;
}

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
