/*
 * sequence/peers.c - who the account has seen.
 *
 * A slot is 16 bytes: a scrambled id with kind and flags in the low byte, and the access hash. The
 * table is sorted by the scrambled id, with gaps: a slot's home is its place if all ids were spread
 * evenly, so a search begins there and ends at the first larger one. Growth is a merge into a table
 * 1.3 times as large; nothing else is ever allocated. Nothing is removed.
 */
#include "sequence/peers.h"

#include "base/alloc.h"
#include "base/prng.h"
#include "sequence/walk.h"

struct gap_peer_slot {
    uint64_t tag; /* scrambled id and kind << 8 | flags; 0: free */
    int64_t access_hash;
};

enum {
    SLOT_USED = 1 << 0,
    SLOT_HASH = 1 << 1,
    SLOT_MIN = 1 << 2,
    SLOT_FORBIDDEN = 1 << 3,
};

#define KEY_BITS 56
#define KEY_MASK (((uint64_t)1 << KEY_BITS) - 1)
#define ID_MAX   ((int64_t)1 << 53)

_Static_assert(sizeof(struct gap_peer_slot) == 16, "a slot is two words");

void gap_peers_init(gap_peers_t *p, const gap_alloc_t *alloc)
{
    p->alloc = alloc;
    p->slots = NULL;
    p->cap = 0;
    p->count = 0;
    p->puts = 0;
    memset(p->last, 0, sizeof p->last);
}

void gap_peers_fini(gap_peers_t *p)
{
    gap_free(p->alloc, p->slots);
    p->slots = NULL;
    p->cap = 0;
    p->count = 0;
    p->puts = 0;
    memset(p->last, 0, sizeof p->last);
}

/* Every step can be undone, so different peers have different keys. */
static uint64_t scramble(gap_peer_t peer)
{
    uint64_t x = ((uint64_t)peer.id << 2 | (uint64_t)peer.kind) & KEY_MASK;

    x ^= x >> 28;
    x = (x * 0x9e3779b97f4a7c15U) & KEY_MASK;
    x ^= x >> 29;
    x = (x * 0xbf58476d1ce4e5b9U) & KEY_MASK;
    return x ^ x >> 28;
}

/* The factors' inverses, modulo 2^56. */
static gap_peer_t unscramble(uint64_t x)
{
    x ^= x >> 28;
    x = (x * 0xde1b173f119089U) & KEY_MASK;
    x ^= x >> 29;
    x = (x * 0xde83e19937733dU) & KEY_MASK;
    x ^= x >> 28;
    return (gap_peer_t){(int64_t)(x >> 2), (gap_peer_kind_t)(x & 3)};
}

static size_t home(const gap_peers_t *p, uint64_t key)
{
    return (size_t)(((gap_u128_t)key * p->cap) >> KEY_BITS);
}

/* The table has a tail behind its homes, so that no run wraps around. */
static size_t room(size_t cap)
{
    return cap + 64;
}

/* Where the key is, or where it belongs: the first slot not before it. */
static size_t seek(const gap_peers_t *p, uint64_t key)
{
    size_t i = home(p, key);
    size_t end = room(p->cap);

    while (i < end && p->slots[i].tag != 0 && p->slots[i].tag >> 8 < key) i++;
    return i;
}

static bool matches(const gap_peers_t *p, size_t i, uint64_t key)
{
    return i < room(p->cap) && p->slots[i].tag != 0 && p->slots[i].tag >> 8 == key;
}

/* Put a key that is larger than all before it. @return false: the tail is full. */
static bool append(gap_peers_t *p, size_t *next, struct gap_peer_slot slot)
{
    size_t i = home(p, slot.tag >> 8);

    if (i < *next) i = *next;
    if (i >= room(p->cap)) return false;
    p->slots[i] = slot;
    *next = i + 1;
    return true;
}

static int grow(gap_peers_t *p)
{
    size_t cap = p->cap == 0 ? 32 : p->cap + p->cap * 3 / 10;

    for (;; cap += cap / 16) {
        gap_peers_t bigger = *p;
        size_t next = 0;
        bool fits = true;
        bigger.cap = cap;
        bigger.slots = gap_calloc(p->alloc, room(cap), sizeof *bigger.slots);
        if (bigger.slots == NULL) return GAP_E_NOMEM;
        for (size_t i = 0; p->slots != NULL && i < room(p->cap) && fits; i++)
            if (p->slots[i].tag != 0) fits = append(&bigger, &next, p->slots[i]);
        if (fits) {
            gap_free(p->alloc, p->slots);
            *p = bigger;
            return 0;
        }
        gap_free(p->alloc, bigger.slots);
    }
}

static bool full(const gap_peers_t *p)
{
    return p->cap == 0 || (p->count + 1) * 8 > p->cap * 7;
}

/* Move the run from @p at on by one place. @return false: it reaches the end of the table. */
static bool shift(gap_peers_t *p, size_t at)
{
    size_t end = at;

    while (end < room(p->cap) && p->slots[end].tag != 0) end++;
    if (end >= room(p->cap)) return false;
    memmove(&p->slots[at + 1], &p->slots[at], (end - at) * sizeof *p->slots);
    return true;
}

static int insert(gap_peers_t *p, uint64_t key, uint64_t flags, int64_t hash)
{
    if (p->count >= GAP_PEERS_MAX) return GAP_E_LIMIT;
    for (bool must_grow = full(p);; must_grow = true) {
        if (must_grow) {
            int r = grow(p);
            if (r < 0) return r;
        }
        size_t at = seek(p, key);
        if (!shift(p, at)) continue;
        p->slots[at] = (struct gap_peer_slot){key << 8 | flags, hash};
        p->count++;
        return 0;
    }
}

/* A partial object adds what is not known yet and changes nothing else: neither the hash, which is
 * of no use for addressing, nor whether there is access, which it does not tell. */
static void merge(struct gap_peer_slot *slot, uint64_t flags, int64_t hash)
{
    bool was_full = (slot->tag & SLOT_MIN) == 0;

    if ((flags & SLOT_MIN) != 0 && was_full) return;
    bool keep = (flags & SLOT_HASH) == 0 && (slot->tag & SLOT_HASH) != 0 &&
                (was_full || (flags & SLOT_MIN) != 0);
    if (keep) {
        flags |= SLOT_HASH;
        hash = slot->access_hash;
    }
    slot->tag = (slot->tag & ~(uint64_t)0xff) | flags;
    slot->access_hash = hash;
}

static int put(gap_peers_t *p, gap_peer_t peer, uint64_t flags, int64_t hash)
{
    if (peer.id <= 0 || peer.id > ID_MAX || peer.kind == GAP_PEER_NONE) return GAP_E_ARGUMENT;
    p->puts++;
    if (p->last[peer.kind].id == peer.id) p->last[peer.kind].id = 0;
    uint64_t key = scramble(peer);
    if (p->cap > 0) {
        size_t at = seek(p, key);
        if (matches(p, at, key)) {
            merge(&p->slots[at], flags, hash);
            return 0;
        }
    }
    return insert(p, key, flags, hash);
}

int gap_peers_set(gap_peers_t *p, gap_peer_t peer, const struct gap_peer_info *info)
{
    uint64_t flags = SLOT_USED;

    if (info->has_hash) flags |= SLOT_HASH;
    if (info->min) flags |= SLOT_MIN;
    if (info->forbidden) flags |= SLOT_FORBIDDEN;
    return put(p, peer, flags, info->has_hash ? info->access_hash : 0);
}

static struct gap_peer_info info_of(const struct gap_peer_slot *slot)
{
    return (struct gap_peer_info){
        .access_hash = slot->access_hash,
        .min = (slot->tag & SLOT_MIN) != 0,
        .forbidden = (slot->tag & SLOT_FORBIDDEN) != 0,
        .has_hash = (slot->tag & SLOT_HASH) != 0,
    };
}

bool gap_peers_next(const gap_peers_t *p, size_t *it, gap_peer_t *peer, struct gap_peer_info *out)
{
    size_t end = p->slots == NULL ? 0 : room(p->cap);

    while (*it < end) {
        const struct gap_peer_slot *slot = &p->slots[(*it)++];
        if (slot->tag == 0) continue;
        *peer = unscramble(slot->tag >> 8);
        *out = info_of(slot);
        return true;
    }
    return false;
}

bool gap_peers_find(const gap_peers_t *p, gap_peer_t peer, struct gap_peer_info *out)
{
    if (p->count == 0 || peer.id <= 0 || peer.id > ID_MAX) return false;
    uint64_t key = scramble(peer);
    size_t at = seek(p, key);
    if (!matches(p, at, key)) return false;
    if (out != NULL) *out = info_of(&p->slots[at]);
    return true;
}

/* ---- learning ---------------------------------------------------------------------------------
 */

/* The hash of a partial user is a real one if it comes with an empty phone number. */
static bool min_hash_is_full(struct gap_walk w, uint32_t flags)
{
    if ((flags & GAP_TL_USER_F_PHONE) == 0) return false;
    if ((flags & GAP_TL_USER_F_FIRST_NAME) != 0) (void)gap_walk_bytes(&w);
    if ((flags & GAP_TL_USER_F_LAST_NAME) != 0) (void)gap_walk_bytes(&w);
    if ((flags & GAP_TL_USER_F_USERNAME) != 0) (void)gap_walk_bytes(&w);
    gap_bytes_t phone = gap_walk_bytes(&w);
    return w.error == 0 && phone.len == 0;
}

struct seen {
    gap_peer_t peer;
    uint64_t flags;
    int64_t hash;
};

static void see_user(struct gap_walk *w, struct seen *s)
{
    uint32_t flags = gap_walk_u32(w);

    gap_walk_skip(w, 4); /* flags2 */
    s->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_USER};
    if ((flags & GAP_TL_USER_F_ACCESS_HASH) != 0) {
        s->hash = gap_walk_i64(w);
        s->flags |= SLOT_HASH;
    }
    if ((flags & GAP_TL_USER_F_MIN) != 0 && !min_hash_is_full(*w, flags)) s->flags |= SLOT_MIN;
}

static void see_channel(struct gap_walk *w, struct seen *s)
{
    uint32_t flags = gap_walk_u32(w);

    gap_walk_skip(w, 4); /* flags2 */
    s->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHANNEL};
    if ((flags & GAP_TL_CHANNEL_F_ACCESS_HASH) != 0) {
        s->hash = gap_walk_i64(w);
        s->flags |= SLOT_HASH;
    }
    if ((flags & GAP_TL_CHANNEL_F_MIN) != 0) s->flags |= SLOT_MIN;
}

/* The head of one User or Chat. */
static void see(struct gap_walk *w, struct seen *s)
{
    *s = (struct seen){.flags = SLOT_USED};
    switch (gap_walk_u32(w)) {
    case GAP_TL_USER:
        see_user(w, s);
        break;
    case GAP_TL_CHANNEL:
        see_channel(w, s);
        break;
    case GAP_TL_CHAT:
        gap_walk_skip(w, 4); /* flags */
        s->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHAT};
        break;
    case GAP_TL_CHANNEL_FORBIDDEN:
        gap_walk_skip(w, 4); /* flags */
        s->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHANNEL};
        s->hash = gap_walk_i64(w);
        s->flags |= SLOT_HASH | SLOT_FORBIDDEN;
        break;
    case GAP_TL_CHAT_FORBIDDEN:
        s->peer = (gap_peer_t){gap_walk_i64(w), GAP_PEER_CHAT};
        s->flags |= SLOT_FORBIDDEN;
        break;
    case GAP_TL_USER_EMPTY: /* says nothing */
    case GAP_TL_CHAT_EMPTY:
        break;
    default:
        gap_walk_fail(w, GAP_E_TL);
    }
}

/* A full user or channel with a hash, which is what nearly all are: both have it at the same place.
 * One that was learned just before costs no search: a second container of the same chat and sender
 * learns in some 30 instructions. @return 1: learned; 0: of another shape; negative as put. */
static int learn_plain(gap_peers_t *p, const uint8_t *at, const uint8_t *end)
{
    gap_peer_t peer;

    if (end - at < 28) return 0;
    uint32_t id = gap_load32(at);
    uint32_t flags = gap_load32(at + 4);
    if (id == GAP_TL_USER) {
        if ((flags & (GAP_TL_USER_F_ACCESS_HASH | GAP_TL_USER_F_MIN)) != GAP_TL_USER_F_ACCESS_HASH)
            return 0;
        peer.kind = GAP_PEER_USER;
    } else if (id == GAP_TL_CHANNEL) {
        if ((flags & (GAP_TL_CHANNEL_F_ACCESS_HASH | GAP_TL_CHANNEL_F_MIN)) !=
            GAP_TL_CHANNEL_F_ACCESS_HASH)
            return 0;
        peer.kind = GAP_PEER_CHANNEL;
    } else {
        return 0;
    }
    peer.id = (int64_t)gap_load64(at + 12); /* behind flags2 */
    int64_t hash = (int64_t)gap_load64(at + 20);
    if (peer.id == p->last[peer.kind].id && hash == p->last[peer.kind].access_hash && peer.id != 0)
        return 1;
    int r = put(p, peer, SLOT_USED | SLOT_HASH, hash);
    if (r == GAP_E_ARGUMENT) return 1;
    if (r < 0) return r;
    p->last[peer.kind].id = peer.id;
    p->last[peer.kind].access_hash = hash;
    return 1;
}

static int learn_one(gap_peers_t *p, const uint8_t *at, const uint8_t *end)
{
    struct gap_walk w = {at, end, 0};
    struct seen s;

    int r = learn_plain(p, at, end);
    if (r != 0) return r < 0 ? r : 0;
    see(&w, &s);
    if (w.error < 0) return w.error;
    r = put(p, s.peer, s.flags, s.hash);
    return r == GAP_E_ARGUMENT ? 0 : r;
}

int gap_peers_learn(gap_peers_t *p, gap_tl_vector_t vector)
{
    const uint8_t *at = vector.data;
    const uint8_t *end = vector.count == 0 ? at : at + vector.len;
    int result = 0;

    for (uint32_t i = 0; i < vector.count; i++) {
        int r = learn_one(p, at, end);
        if (r == GAP_E_LIMIT) result = r;
        if (r < 0 && r != GAP_E_LIMIT) return r;
        /* Where the next one begins is of interest only if there is a next one. */
        if (i + 1 < vector.count && (r = gap_tl_pass(&at, end, 0, 1)) < 0) return r;
    }
    return result;
}

gap_peer_t gap_peer_of(gap_bytes_t object)
{
    struct gap_walk w = gap_walk(object, 0);
    struct seen s;
    gap_peer_t none = {0, GAP_PEER_NONE};

    if (object.len >= 12 && gap_load32(object.data) == GAP_TL_USER_EMPTY)
        return (gap_peer_t){(int64_t)gap_load64(object.data + 4), GAP_PEER_USER};
    if (object.len >= 12 && gap_load32(object.data) == GAP_TL_CHAT_EMPTY)
        return (gap_peer_t){(int64_t)gap_load64(object.data + 4), GAP_PEER_CHAT};
    see(&w, &s);
    return w.error < 0 ? none : s.peer;
}

/* ---- is everybody known? ----------------------------------------------------------------------
 */

struct check {
    const gap_peers_t *peers;
    gap_peer_t who;
    int verdict;
};

static bool is_last(const gap_peers_t *p, gap_peer_t peer)
{
    return peer.id != 0 && peer.id == p->last[peer.kind].id;
}

static void check_peer(struct check *c, gap_peer_t peer)
{
    struct gap_peer_info info;
    int verdict = GAP_PEERS_KNOWN;

    if (peer.kind == GAP_PEER_NONE) return;
    /* Nothing is forgotten, and a full peer never becomes a partial one again. */
    if (is_last(c->peers, peer)) return;
    if (!gap_peers_find(c->peers, peer, &info)) {
        verdict = GAP_PEERS_UNKNOWN;
    } else if (info.min) {
        verdict = GAP_PEERS_MIN;
    }
    if (verdict <= c->verdict) return;
    c->verdict = verdict;
    c->who = peer;
}

static void check_user(struct check *c, int64_t id)
{
    gap_peer_t peer = {id, GAP_PEER_USER};
    if (id != 0) check_peer(c, peer);
}

/* Users named by id in the markup. */
static int check_entities(struct check *c, gap_bytes_t message, const uint8_t *tail, uint32_t flags)
{
    struct gap_walk w = {tail, message.data + message.len, 0};

    if ((flags & GAP_TL_MESSAGE_F_ENTITIES) == 0) return 0;
    if ((flags & GAP_TL_MESSAGE_F_MEDIA) != 0) (void)gap_walk_object(&w);
    if ((flags & GAP_TL_MESSAGE_F_REPLY_MARKUP) != 0) (void)gap_walk_object(&w);
    uint32_t count = gap_walk_vector(&w);
    for (uint32_t i = 0; i < count && w.error == 0; i++) {
        gap_bytes_t entity = gap_walk_object(&w);
        if (w.error < 0 || gap_load32(entity.data) != GAP_TL_MESSAGE_ENTITY_MENTION_NAME) continue;
        check_user(c, (int64_t)gap_load64(entity.data + 12)); /* behind offset and length */
    }
    return w.error;
}

#define NAMES_MORE                                                                                 \
    (GAP_TL_MESSAGE_F_FWD_FROM | GAP_TL_MESSAGE_F_VIA_BOT_ID | GAP_TL_MESSAGE_F_ENTITIES)

/* An ordinary message whose chat and sender came along with it, and that names nobody else: what
 * nearly all are. */
static bool check_plain(const gap_peers_t *p, gap_bytes_t message)
{
    gap_peer_t from;
    gap_peer_t peer;

    if (gap_message_plain(message, &from, &peer) == 0) return false;
    if ((gap_load32(message.data + 4) & NAMES_MORE) != 0) return false;
    return is_last(p, peer) && (from.kind == GAP_PEER_NONE || is_last(p, from));
}

int gap_peers_check(const gap_peers_t *p, const struct gap_item *item, gap_peer_t *who)
{
    struct check c = {p, {0, GAP_PEER_NONE}, GAP_PEERS_KNOWN};
    struct gap_message_head h;
    gap_bytes_t message = item->bytes;

    if ((item->flags & (GAP_ITEM_HAS_MESSAGE | GAP_ITEM_MESSAGE)) == 0) return GAP_PEERS_KNOWN;
    if ((item->flags & GAP_ITEM_MESSAGE) == 0)
        message = gap_bytes(message.data + 4, message.len - 4);
    if (check_plain(p, message)) {
        if (who != NULL) *who = c.who;
        return GAP_PEERS_KNOWN;
    }
    struct gap_walk w = gap_walk(message, 0);
    /* Most messages name nobody but chat and sender: no need to walk on to the text. */
    bool more = message.len >= 8 && gap_load32(message.data) == GAP_TL_MESSAGE &&
                (gap_load32(message.data + 4) & NAMES_MORE) != 0;
    int r = more ? gap_message_head(&w, &h) : gap_message_start(&w, &h);
    if (r < 0) return r;
    if (h.id == GAP_TL_MESSAGE_EMPTY) return GAP_PEERS_KNOWN;
    check_peer(&c, h.peer);
    /* Who acts in a channel is no reason to fetch. */
    if (h.id == GAP_TL_MESSAGE_SERVICE && h.peer.kind == GAP_PEER_CHANNEL)
        h.from.kind = GAP_PEER_NONE;
    check_peer(&c, h.from);
    check_peer(&c, h.forward);
    check_user(&c, h.via_bot);
    if (more && (r = check_entities(&c, message, w.at, h.flags)) < 0) return r;
    if (who != NULL) *who = c.who;
    return c.verdict;
}
