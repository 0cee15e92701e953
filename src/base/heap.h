/*
 * base/heap.h - an intrusive binary min-heap on a 64-bit key. A node knows its place, so removal
 * and change of key are O(log n); equal keys leave in insertion order.
 */
#ifndef GAP_BASE_HEAP_H
#define GAP_BASE_HEAP_H

#include <gapless/base.h>

typedef struct gap_heap_node {
    uint64_t key;
    uint64_t order; /* insertion number: ties leave first in, first out */
    uint32_t place; /* 1-based index; 0 = not in a heap */
} gap_heap_node_t;

typedef struct gap_heap {
    const gap_alloc_t *alloc;
    gap_heap_node_t **nodes;
    size_t count;
    size_t cap;
    uint64_t next_order;
} gap_heap_t;

void gap_heap_init(gap_heap_t *h, const gap_alloc_t *alloc);
/** Free the array; nodes are the caller's. Safe twice. */
void gap_heap_fini(gap_heap_t *h);
/** Room for @p count nodes in total, so that inserts up to there can't fail. @return 0 or
 * GAP_E_NOMEM. */
GAP_NODISCARD int gap_heap_reserve(gap_heap_t *h, size_t count);
/** Insert a node that is in no heap. @return 0 or GAP_E_NOMEM (node untouched). */
GAP_NODISCARD int gap_heap_insert(gap_heap_t *h, gap_heap_node_t *node, uint64_t key);
/** Remove; no-op if the node is in no heap. */
void gap_heap_remove(gap_heap_t *h, gap_heap_node_t *node);
/** @return the node with the smallest key, or NULL. Not removed. */
gap_heap_node_t *gap_heap_min(const gap_heap_t *h);

static inline bool gap_heap_contains(const gap_heap_node_t *node) { return node->place != 0; }

#endif
