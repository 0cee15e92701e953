/*
 * sequence/held.h - the updates that wait behind a hole, ordered by where they begin, then by where
 * they end, then by arrival. A heap with four children a node in an array of keys, so that taking
 * one of very many touches few cache lines; a handful needs no array of its own. Holding K updates
 * costs O(K log K) in whatever order they came, O(K) to insert if they came in order.
 *
 * While many are taken, the next ones stand sorted in a short queue before the heap, so that their
 * owner can fetch the memory behind them in time: those that came in any order lie anywhere, and
 * waiting for them is most of what taking them costs.
 */
#ifndef GAP_SEQUENCE_HELD_H
#define GAP_SEQUENCE_HELD_H

#include <gapless/base.h>

/** Updates held without memory of their own. */
#define GAP_HELD_INLINE 8
/** Updates that can be looked at before their turn. */
#define GAP_HELD_AHEAD 16
/** Most updates held: arrival numbers have 20 bits. */
#define GAP_HELD_MAX (UINT32_C(1) << 20)

typedef struct gap_held_slot {
    uint64_t key;
    void *value;
} gap_held_slot_t;

typedef struct gap_held {
    const gap_alloc_t *alloc;
    gap_held_slot_t *slots; /* NULL: `few` */
    uint32_t count;         /* all of them */
    uint32_t cap;           /* of the heap */
    uint32_t ahead_count;
    uint32_t ahead_at; /* the first, in the ring */
    uint32_t next_order;
    gap_held_slot_t few[GAP_HELD_INLINE];
    gap_held_slot_t ahead[GAP_HELD_AHEAD]; /* a ring; all before those of the heap */
} gap_held_t;

void gap_held_init(gap_held_t *h, const gap_alloc_t *alloc);
/** Values are the caller's. Safe twice. */
void gap_held_fini(gap_held_t *h);
/** @param position Where it ends, > 0. @param count 0 <= count <= position. @param value Not NULL.
 * @return 0, GAP_E_NOMEM, GAP_E_LIMIT. */
GAP_NODISCARD int gap_held_insert(gap_held_t *h, int32_t position, int32_t count, void *value);
/** The first, not taken; NULL if there is none. */
void *gap_held_first(const gap_held_t *h);
/** The one whose turn comes when @p i more have been taken, if it is known yet; else NULL. */
void *gap_held_ahead(const gap_held_t *h, uint32_t i);
/** How far they reach: the highest end (0: nothing is held), and the sum of their counts, of which
 * each counts as 4095 at most. */
void gap_held_reach(const gap_held_t *h, int32_t *end, int64_t *events);
/** Take the first; NULL if there is none. The array goes back with the last. */
void *gap_held_take(gap_held_t *h);

#endif
