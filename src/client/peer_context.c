/*
 * client/peer_context.c - a bounded table of the places where partial peers were seen.
 *
 * Owns its slots. Losing an entry costs a look-up in the list of dialogs, nothing else, so no call
 * here fails.
 */
#include "client/peer_context.h"

#include "base/alloc.h"
#include "base/map.h"

#define WAYS      4U
#define FIRST_CAP 64U

struct client_context_slot {
    uint64_t peer; /* id << 2 | kind; 0: free */
    uint64_t chat;
    int32_t msg_id;
    uint32_t used;     /* when it was set: order within a set */
    uint32_t stored_s; /* when it was stored, plus 1; 0: never */
    uint32_t unused;
};

_Static_assert(sizeof(struct client_context_slot) == 32, "GAP_CLIENT_CONTEXTS_MAX tells the bytes");

static uint64_t pack(gap_peer_t peer)
{
    return (uint64_t)peer.id << 2 | (uint64_t)peer.kind;
}

static gap_peer_t unpack(uint64_t word)
{
    return (gap_peer_t){(int64_t)(word >> 2), (gap_peer_kind_t)(word & 3)};
}

void client_contexts_init(struct client_contexts *t, const gap_alloc_t *alloc)
{
    *t = (struct client_contexts){.alloc = alloc};
}

void client_contexts_fini(struct client_contexts *t)
{
    gap_free(t->alloc, t->slots);
    *t = (struct client_contexts){.alloc = t->alloc};
}

static struct client_context_slot *set_of(const struct client_contexts *t, uint64_t key)
{
    return &t->slots[(gap_hash64(key) & (t->cap / WAYS - 1)) * WAYS];
}

static struct client_context_slot *find(const struct client_contexts *t, uint64_t key)
{
    if (t->cap == 0 || key == 0) return NULL;
    struct client_context_slot *set = set_of(t, key);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].peer == key) return &set[i];
    return NULL;
}

/* A free place in the set of a key, else its oldest. */
static struct client_context_slot *victim(const struct client_contexts *t, uint64_t key)
{
    struct client_context_slot *set = set_of(t, key);
    struct client_context_slot *oldest = set;

    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].peer == 0) return &set[i];
        if (t->clock - set[i].used > t->clock - oldest->used) oldest = &set[i];
    }
    return oldest;
}

/* Twice the places. A set of the old table is spread over two of the new one, so all fit. */
static void grow(struct client_contexts *t)
{
    struct client_contexts bigger = *t;

    bigger.cap = t->cap == 0 ? FIRST_CAP : t->cap * 2;
    bigger.slots = gap_calloc(t->alloc, bigger.cap, sizeof *bigger.slots);
    if (bigger.slots == NULL) return;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].peer != 0) *victim(&bigger, t->slots[i].peer) = t->slots[i];
    gap_free(t->alloc, t->slots);
    *t = bigger;
}

bool client_contexts_set(struct client_contexts *t, gap_peer_t peer, struct client_context where,
                         uint32_t now_s)
{
    uint64_t key = pack(peer);
    struct client_context_slot *s = find(t, key);

    if (s == NULL) {
        if (t->cap == 0 || (t->count * 2 >= t->cap && t->cap < GAP_CLIENT_CONTEXTS_MAX)) grow(t);
        if (t->cap == 0) return false;
        s = victim(t, key);
        t->count += s->peer == 0;
        *s = (struct client_context_slot){.peer = key};
    }
    s->chat = pack(where.chat);
    s->msg_id = where.msg_id;
    s->used = ++t->clock;
    if (s->stored_s != 0 && now_s + 1 - s->stored_s < GAP_CLIENT_CONTEXT_STORE_S) return false;
    s->stored_s = now_s + 1;
    return true;
}

bool client_contexts_get(const struct client_contexts *t, gap_peer_t peer,
                         struct client_context *out)
{
    const struct client_context_slot *s = find(t, pack(peer));

    if (s == NULL) return false;
    *out = (struct client_context){unpack(s->chat), s->msg_id};
    return true;
}

void client_contexts_drop(struct client_contexts *t, gap_peer_t peer)
{
    struct client_context_slot *s = find(t, pack(peer));

    if (s == NULL) return;
    *s = (struct client_context_slot){0};
    t->count--;
}
