/*
 * sequence/held.h - the updates that wait behind a hole, ordered by where they begin, then by where
 * they end, then by arrival. An intrusive pairing heap: insert O(1), taking the first O(log n)
 * amortised, so holding K updates costs O(K log K) in whatever order they came. No recursion.
 */
#ifndef GAP_SEQUENCE_HELD_H
#define GAP_SEQUENCE_HELD_H

#include <gapless/base.h>

typedef struct gap_held_node {
    struct gap_held_node *child;
    struct gap_held_node *sibling;
    uint64_t key;   /* begin and end */
    uint32_t order; /* of arrival */
} gap_held_node_t;

typedef struct gap_held {
    gap_held_node_t *root;
    uint32_t count;
    uint32_t next_order;
} gap_held_t;

/** @param position Where it ends, > 0. @param count 0 <= count <= position. */
void gap_held_insert(gap_held_t *h, gap_held_node_t *node, int32_t position, int32_t count);
/** The first, not taken; NULL if there is none. */
static inline gap_held_node_t *gap_held_first(const gap_held_t *h)
{
    return h->root;
}
/** Take the first; NULL if there is none. */
gap_held_node_t *gap_held_take(gap_held_t *h);

static inline int32_t gap_held_begin(const gap_held_node_t *node)
{
    return (int32_t)(node->key >> 32);
}
static inline int32_t gap_held_end(const gap_held_node_t *node)
{
    return (int32_t)(node->key & 0xffffffffU);
}

#endif
