/*
 * client/peer_book.c - who was seen, and what of it is stored.
 *
 *   patch: waits -> first in line: stored record is read -> names or phone exchanged -> written
 *
 * A change of a name tells the name alone, and a record holds phone and names together: so it is
 * read first. One at a time, because two changes may follow each other at once. If it can't be
 * read the change is written alone: a phone forgotten costs a question, a stale name lies.
 *
 * Owns: the contexts, the fingerprints, the patches. Never: calls back, asks the server.
 */
#include "client/peer_book.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/map.h"
#include "sequence/update.h"
#include "sequence/walk.h"

#include <gapless/tl_api.h>

struct client_patch {
    STAILQ_ENTRY(client_patch) next;
    gap_peer_t peer;
    bool is_phone;
    size_t count; /* names, or 1 for a phone */
    gap_bytes_t texts[CLIENT_NAMES_MAX];
    uint8_t bytes[];
};

void client_book_init(struct client_book *b, const gap_alloc_t *alloc)
{
    *b = (struct client_book){.alloc = alloc};
    STAILQ_INIT(&b->patches);
    client_contexts_init(&b->contexts, alloc);
    client_prints_init(&b->prints, alloc);
}

void client_book_fini(struct client_book *b)
{
    struct client_patch *p;

    while ((p = STAILQ_FIRST(&b->patches)) != NULL) {
        STAILQ_REMOVE_HEAD(&b->patches, next);
        gap_free(b->alloc, p);
    }
    b->patch_count = 0;
    client_contexts_fini(&b->contexts);
    client_prints_fini(&b->prints);
    b->storing = false;
    b->engine = NULL;
}

void client_book_begin(struct client_book *b, int64_t self_id, bool bot,
                       const struct client_book_ops *ops)
{
    /* Hashes and messages are an account's own: another one begins anew. */
    if (b->self_id != self_id) {
        client_contexts_fini(&b->contexts);
        b->partials = false;
        client_prints_fini(&b->prints);
    }
    b->self_id = self_id;
    b->bot = bot;
    b->storing = ops != NULL;
    if (ops != NULL) b->ops = *ops;
}

void client_book_use(struct client_book *b, gap_engine_t *engine)
{
    b->engine = engine;
}

/* ---- storing ---- */

static uint64_t hash_of(gap_peer_t peer)
{
    return gap_hash64((uint64_t)peer.id << 2 | (uint64_t)peer.kind);
}

/* What is stored of a record is what the engine knows, but for the names. */
static void complete(const struct client_book *b, gap_peer_record_t *r)
{
    gap_engine_peer_t known;
    struct client_context where;

    if (b->engine != NULL && gap_engine_peer(b->engine, r->peer, &known) && known.has_hash) {
        r->access_hash = known.access_hash;
        r->has_hash = true;
        r->min = known.min;
    }
    if (r->min && client_contexts_get(&b->contexts, r->peer, &where)) {
        r->seen_in = where.chat;
        r->seen_msg_id = where.msg_id;
    }
}

static int put(const struct client_book *b, const gap_peer_record_t *r)
{
    gap_record_t record = {.kind = GAP_RECORD_PEER, .u = {.peer = *r}};
    return b->ops.put(b->ops.arg, &record);
}

/* A name that moves to another peer and back leaves the record of the first one as it was, so who
 * has a name is remembered apart. */
static bool own(struct client_book *b, uint64_t peer, gap_bytes_t name, bool set)
{
    uint64_t key = client_name_hash(name);

    if (set) client_prints_set(&b->prints, key, peer);
    return client_prints_same(&b->prints, key, peer);
}

static bool own_names(struct client_book *b, const gap_peer_record_t *r, bool set)
{
    uint64_t peer = hash_of(r->peer);
    bool all = r->phone.len == 0 || own(b, peer, r->phone, set);

    for (size_t i = 0; i < r->username_count; i++)
        if (!own(b, peer, r->usernames[i], set)) all = false;
    return all;
}

static void keep(struct client_book *b, struct client_seen *s)
{
    uint64_t key = hash_of(s->record.peer);
    uint64_t print = client_fingerprint(&s->record);

    if (client_prints_same(&b->prints, key, print) && own_names(b, &s->record, false)) return;
    complete(b, &s->record);
    /* Too many wait, or no memory: the next time it is seen will do. */
    if (put(b, &s->record) < 0) return;
    client_prints_set(&b->prints, key, print);
    (void)own_names(b, &s->record, true);
}

/* What a partial object may add. @return false: nothing. */
static bool merge(struct client_book *b, struct client_seen *s)
{
    gap_peer_record_t *r = &s->record;
    gap_engine_peer_t known;
    bool full = b->engine != NULL && gap_engine_peer(b->engine, r->peer, &known) && !known.min;

    if (!full) {
        b->partials = true;
        return true;
    }
    if (r->peer.kind == GAP_PEER_USER) {
        /* Name and phone are not those of the full one; only an odd kind of hash is new. */
        if (r->min) return false;
        r->has_names = false;
        r->phone = gap_bytes(NULL, 0);
        r->username_count = 0;
    }
    /* A channel's usernames are good; the rest is as the engine has it. */
    r->min = false;
    r->has_hash = known.has_hash;
    r->access_hash = known.access_hash;
    return true;
}

static void see(struct client_book *b, gap_tl_vector_t vector)
{
    struct client_seen_walk walk = {.vector = vector};
    struct client_seen s;

    while (client_seen_next(&walk, &s) > 0) {
        if (s.partial && !merge(b, &s)) continue;
        if (b->storing) keep(b, &s);
    }
}

void client_book_peers(struct client_book *b, gap_tl_vector_t users, gap_tl_vector_t chats)
{
    see(b, users);
    see(b, chats);
}

int client_book_know(struct client_book *b, const gap_peer_record_t *r)
{
    struct client_context where = {r->seen_in, r->seen_msg_id};
    gap_engine_peer_t known;

    if (b->engine == NULL) return 0;
    if (r->min) {
        b->partials = true;
        if (r->seen_in.kind != GAP_PEER_NONE) {
            struct client_context newer;
            if (!client_contexts_get(&b->contexts, r->peer, &newer))
                (void)client_contexts_set(&b->contexts, r->peer, where, 0);
        }
    }
    if (!r->has_hash && r->peer.kind != GAP_PEER_CHAT) return 0;
    if (gap_engine_peer(b->engine, r->peer, &known) && (!known.min || r->min)) return 0;
    return gap_engine_know(b->engine, r->peer, r->access_hash, r->min);
}

/* ---- where partial peers are seen ---- */

static bool is_full(const struct client_book *b, gap_peer_t peer)
{
    gap_engine_peer_t known;
    return gap_engine_peer(b->engine, peer, &known) && known.has_hash && !known.min;
}

static void note(struct client_book *b, gap_peer_t peer, struct client_context where,
                 uint32_t now_s)
{
    gap_engine_peer_t known;

    if (peer.kind != GAP_PEER_USER && peer.kind != GAP_PEER_CHANNEL) return;
    if (peer.id == where.chat.id && peer.kind == where.chat.kind) return;
    if (peer.kind == GAP_PEER_USER && peer.id == b->self_id) return;
    if (is_full(b, peer)) return;
    bool due = client_contexts_set(&b->contexts, peer, where, now_s);
    if (!due || !b->storing || !gap_engine_peer(b->engine, peer, &known)) return;
    gap_peer_record_t r = {.peer = peer, .min = known.min};
    complete(b, &r);
    if (!r.min) return; /* full, without a hash */
    int stored = put(b, &r);
    (void)stored; /* after an hour again */
}

static void note_message(struct client_book *b, gap_bytes_t message, uint32_t now_s)
{
    struct gap_walk w = gap_walk(message, 0);
    struct gap_message_head h;

    if (gap_message_head(&w, &h) < 0 || h.peer.kind == GAP_PEER_NONE) return;
    if (h.id == GAP_TL_MESSAGE_EMPTY) return;
    struct client_context where = {h.peer, h.message_id};
    bool self = h.peer.kind == GAP_PEER_USER && h.peer.id == b->self_id;
    if (h.peer.kind != GAP_PEER_CHAT && !self && !is_full(b, h.peer)) return;
    note(b, h.from, where, now_s);
    note(b, h.forward, where, now_s);
    note(b, (gap_peer_t){h.via_bot, h.via_bot == 0 ? GAP_PEER_NONE : GAP_PEER_USER}, where, now_s);
}

static bool notes(const struct client_book *b)
{
    return b->partials && !b->bot && b->engine != NULL;
}

void client_book_answer(struct client_book *b, gap_bytes_t value, uint32_t now_s)
{
    struct client_answer a;
    gap_tl_object_t message;

    if (b->engine == NULL || client_answer_open(value, &a) < 0) return;
    if (a.users.count == 0 && a.chats.count == 0) return;
    int r = gap_engine_learn(b->engine, a.users, a.chats);
    if (r == GAP_E_CLOSED) return;
    client_book_peers(b, a.users, a.chats);
    if (!notes(b)) return;
    gap_tl_iter_t it = gap_tl_iter(a.messages);
    while (gap_tl_next(&it, &message) > 0) note_message(b, gap_tl_bytes(message), now_s);
}

/* ---- names that changed ---- */

static void apply(const struct client_patch *p, gap_peer_record_t *r)
{
    r->has_names = true;
    if (p->is_phone) {
        r->phone = p->texts[0];
    } else {
        r->usernames = p->texts;
        r->username_count = p->count;
    }
}

static void write_patch(struct client_book *b, const struct client_patch *p,
                        const gap_peer_record_t *stored)
{
    gap_peer_record_t r = {.peer = p->peer};

    if (stored != NULL) r = *stored;
    complete(b, &r);
    apply(p, &r);
    bool stored_now = put(b, &r) == 0;
    /* What comes next of this peer is written, whatever it was before the change. */
    client_prints_drop(&b->prints, hash_of(p->peer));
    if (stored_now) (void)own_names(b, &r, true);
}

static void next_patch(struct client_book *b);

static void on_stored(void *arg, int status, const gap_peer_record_t *stored)
{
    struct client_book *b = arg;
    struct client_patch *p = STAILQ_FIRST(&b->patches);

    GAP_ASSERT(p != NULL);
    STAILQ_REMOVE_HEAD(&b->patches, next);
    b->patch_count--;
    b->patching = false;
    /* Not stored: nothing to correct. */
    if (status < 0 || stored != NULL) write_patch(b, p, status < 0 ? NULL : stored);
    gap_free(b->alloc, p);
    next_patch(b);
}

static void next_patch(struct client_book *b)
{
    struct client_patch *p;

    while (!b->patching && (p = STAILQ_FIRST(&b->patches)) != NULL) {
        gap_peer_key_t key = {.by = GAP_BY_ID, .peer = p->peer};
        b->patching = b->ops.stored(b->ops.arg, &key, on_stored, b) == 0;
        if (b->patching) return;
        STAILQ_REMOVE_HEAD(&b->patches, next);
        b->patch_count--;
        write_patch(b, p, NULL);
        gap_free(b->alloc, p);
    }
}

static void patch(struct client_book *b, struct client_patch *from)
{
    struct client_patch *p = NULL;
    size_t len = 0;

    for (size_t i = 0; i < from->count; i++) len += from->texts[i].len;
    if (b->patch_count < GAP_CLIENT_PATCHES_MAX) p = gap_malloc(b->alloc, sizeof *p + len);
    if (p == NULL) {
        write_patch(b, from, NULL);
        return;
    }
    *p = *from;
    uint8_t *at = p->bytes;
    for (size_t i = 0; i < p->count; i++) {
        gap_bytes_t *text = &p->texts[i];
        if (text->len > 0) memcpy(at, text->data, text->len);
        text->data = at;
        at += text->len;
    }
    STAILQ_INSERT_TAIL(&b->patches, p, next);
    b->patch_count++;
    next_patch(b);
}

bool client_book_is_changing(const struct client_book *b, gap_peer_t peer)
{
    const struct client_patch *p;

    STAILQ_FOREACH (p, &b->patches, next)
        if (gap_peer_equal(p->peer, peer)) return true;
    return false;
}

static void name_changed(struct client_book *b, const gap_update_t *update)
{
    gap_tl_update_user_name_t u;
    struct client_patch p = {.peer = {0, GAP_PEER_USER}};

    if (GAP_UPDATE_READ(update, GAP_TL_UPDATE_USER_NAME, &u) < 0) return;
    int count = client_take_names(u.usernames, p.texts, 0);
    if (count < 0 || u.user_id <= 0) return;
    p.peer.id = u.user_id;
    p.count = (size_t)count;
    patch(b, &p);
}

static void phone_changed(struct client_book *b, const gap_update_t *update)
{
    gap_tl_update_user_phone_t u;
    struct client_patch p = {.peer = {0, GAP_PEER_USER}, .is_phone = true, .count = 1};

    if (GAP_UPDATE_READ(update, GAP_TL_UPDATE_USER_PHONE, &u) < 0 || u.user_id <= 0) return;
    p.peer.id = u.user_id;
    p.texts[0] = u.phone;
    patch(b, &p);
}

void client_book_update(struct client_book *b, const gap_update_t *update, uint32_t now_s)
{
    if (b->storing && update->id == GAP_TL_UPDATE_USER_NAME) {
        name_changed(b, update);
    } else if (b->storing && update->id == GAP_TL_UPDATE_USER_PHONE) {
        phone_changed(b, update);
    } else if (notes(b)) {
        bool edit;
        gap_bytes_t message = (update->flags & GAP_ITEM_MESSAGE) != 0
                                  ? update->bytes
                                  : gap_update_message_at(update->id, update->bytes, &edit);
        if (message.len > 0) note_message(b, message, now_s);
    }
}
