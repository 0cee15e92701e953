/*
 * base/map.h - a hash map from non-zero 64-bit keys to pointers: open addressing, linear probing,
 * backward-shift deletion, at most 3/4 full. Iteration order is unspecified but reproducible.
 */
#ifndef GAP_BASE_MAP_H
#define GAP_BASE_MAP_H

#include <gapless/base.h>

typedef struct gap_map_slot {
    uint64_t key; /* 0 = empty */
    void *value;
} gap_map_slot_t;

typedef struct gap_map {
    const gap_alloc_t *alloc;
    gap_map_slot_t *slots;
    size_t cap; /* 0 or a power of two */
    size_t count;
} gap_map_t;

void gap_map_init(gap_map_t *m, const gap_alloc_t *alloc);
/** Free the table; values are the caller's. Safe twice. */
void gap_map_fini(gap_map_t *m);
/** @return the value, or NULL if absent. */
void *gap_map_get(const gap_map_t *m, uint64_t key);
/** Insert or replace. @param key Not 0. @param value Not NULL. @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD int gap_map_set(gap_map_t *m, uint64_t key, void *value);
/** Room for @p more new keys, so that setting them can't fail. @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD int gap_map_reserve(gap_map_t *m, size_t more);
/** @return the removed value, or NULL if absent. */
void *gap_map_remove(gap_map_t *m, uint64_t key);
/** Iterate: start with *it = 0; false at the end. Don't insert or remove meanwhile. */
bool gap_map_next(const gap_map_t *m, size_t *it, uint64_t *key, void **value);

/** The mixer behind the map (splitmix64's finaliser), for other tables. */
static inline uint64_t gap_hash64(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9U;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

#endif
