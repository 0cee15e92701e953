/*
 * base/pool.h - nodes of one size from slabs, with a free list. Steady state allocates nothing;
 * slabs go back to the allocator at fini (and when a trim finds the pool empty).
 */
#ifndef GAP_BASE_POOL_H
#define GAP_BASE_POOL_H

#include <gapless/base.h>

struct gap_pool_slab;

typedef struct gap_pool {
    const gap_alloc_t *alloc;
    struct gap_pool_slab *slabs;
    void *free_list;
    size_t node_size; /* bytes, a multiple of 16 */
    size_t per_slab;  /* nodes */
    size_t in_use;    /* nodes handed out */
    size_t at_hand;   /* nodes in the free list */
} gap_pool_t;

/** @param node_size Bytes, > 0; rounded up to a multiple of 16. @param per_slab Nodes, > 0. */
void gap_pool_init(gap_pool_t *p, const gap_alloc_t *alloc, size_t node_size, size_t per_slab);
/** Free every slab; every node must have been put back or be forgotten. Safe twice. */
void gap_pool_fini(gap_pool_t *p);
/** @return an uninitialised node, or NULL when out of memory. */
GAP_NODISCARD void *gap_pool_get(gap_pool_t *p);
/** See to it that the next @p count gets can't fail. @param count At most per_slab. @return 0 or
 * GAP_E_NOMEM. */
GAP_NODISCARD int gap_pool_reserve(gap_pool_t *p, size_t count);
/** @param node From this pool, not NULL. */
void gap_pool_put(gap_pool_t *p, void *node);
/** Give all slabs back if no node is in use. */
void gap_pool_trim(gap_pool_t *p);

#endif
