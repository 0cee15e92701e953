/*
 * client/peer_prints.c - a bounded cache of fingerprints.
 *
 * A key has one entry at most: what was stored before what was stored last must not be taken for
 * it. Two keys of a set with the same 16 bits share their entry, which costs writes. Owns its
 * slots; no call fails.
 */
#include "client/peer_prints.h"

#include "base/alloc.h"

#define WAYS     4U
#define TAG_BITS 16

void client_prints_init(struct client_prints *t, const gap_alloc_t *alloc)
{
    *t = (struct client_prints){.alloc = alloc};
}

void client_prints_fini(struct client_prints *t)
{
    gap_free(t->alloc, t->slots);
    client_prints_init(t, t->alloc);
}

/* The set is told by the low bits, the tag by the high ones. 0 is free. */
static uint64_t word_of(uint64_t key, uint64_t print)
{
    uint64_t word = (key >> (64 - TAG_BITS)) << (64 - TAG_BITS) | print >> TAG_BITS;
    return word == 0 ? 1 : word;
}

static uint64_t *find(const struct client_prints *t, uint64_t key)
{
    if (t->cap == 0) return NULL;
    uint64_t *set = &t->slots[(key & (t->cap / WAYS - 1)) * WAYS];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i] != 0 && (set[i] ^ key) >> (64 - TAG_BITS) == 0) return &set[i];
    return NULL;
}

bool client_prints_same(const struct client_prints *t, uint64_t key, uint64_t print)
{
    const uint64_t *slot = find(t, key);
    return slot != NULL && *slot == word_of(key, print);
}

static void grow(struct client_prints *t)
{
    size_t cap = t->cap == 0 ? CLIENT_PRINTS_MIN : t->cap * 2;
    uint64_t *slots = gap_calloc(t->alloc, cap, sizeof *slots);

    t->evicted = 0;
    if (slots == NULL) return;
    gap_free(t->alloc, t->slots);
    t->slots = slots;
    t->cap = cap;
}

/* A place in the key's set: a free one, else each in its turn. */
static uint64_t *make_room(struct client_prints *t, uint64_t key)
{
    if (t->cap == 0 || (t->evicted > t->cap / 4 && t->cap < CLIENT_PRINTS_MAX)) grow(t);
    if (t->cap == 0) return NULL;
    uint64_t *set = &t->slots[(key & (t->cap / WAYS - 1)) * WAYS];
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i] == 0) return &set[i];
    t->evicted++;
    return &set[t->turn++ % WAYS];
}

void client_prints_set(struct client_prints *t, uint64_t key, uint64_t print)
{
    uint64_t *slot = find(t, key);

    if (slot == NULL) slot = make_room(t, key);
    if (slot != NULL) *slot = word_of(key, print);
}

void client_prints_drop(struct client_prints *t, uint64_t key)
{
    uint64_t *slot = find(t, key);
    if (slot != NULL) *slot = 0;
}
