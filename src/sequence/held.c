/*
 * sequence/held.c - a 4-ary heap of 16-byte slots, and a ring of the next ones before it.
 *
 * A key is begin (32 bits), count (12, larger ones are equal), arrival (20): among updates that
 * begin at the same place those that end earlier come first.
 */
#include "sequence/held.h"

#include "base/alloc.h"

#include <string.h>

#define ARITY      4
#define ORDER_BITS 20
#define COUNT_MAX  4095

static gap_held_slot_t *slots_of(gap_held_t *h)
{
    return h->slots == NULL ? h->few : h->slots;
}

void gap_held_init(gap_held_t *h, const gap_alloc_t *alloc)
{
    h->alloc = alloc;
    h->slots = NULL;
    h->count = 0;
    h->cap = GAP_HELD_INLINE;
    h->ahead_count = 0;
    h->ahead_at = 0;
    h->next_order = 0;
}

void gap_held_fini(gap_held_t *h)
{
    if (h->slots != NULL) gap_free(h->alloc, h->slots);
    gap_held_init(h, h->alloc);
}

static uint32_t heap_count(const gap_held_t *h)
{
    return h->count - h->ahead_count;
}

static int grow(gap_held_t *h)
{
    uint32_t cap = h->cap * 4;

    if (h->count >= GAP_HELD_MAX) return GAP_E_LIMIT;
    gap_held_slot_t *slots = gap_realloc(h->alloc, h->slots, cap * sizeof *slots);
    if (slots == NULL) return GAP_E_NOMEM;
    if (h->slots == NULL) memcpy(slots, h->few, heap_count(h) * sizeof *slots);
    h->slots = slots;
    h->cap = cap;
    return 0;
}

static uint64_t key_of(gap_held_t *h, int32_t position, int32_t count)
{
    uint64_t begin = (uint32_t)(position - count);
    uint64_t size = count > COUNT_MAX ? COUNT_MAX : (uint64_t)count;

    return begin << 32 | size << ORDER_BITS | (h->next_order++ & (GAP_HELD_MAX - 1));
}

/* There is room. @p count: slots in the heap before. */
static void heap_push(gap_held_slot_t *s, size_t count, gap_held_slot_t in)
{
    size_t i = count;

    while (i > 0) {
        size_t parent = (i - 1) / ARITY;
        if (s[parent].key <= in.key) break;
        s[i] = s[parent];
        i = parent;
    }
    s[i] = in;
}

static size_t least_child(const gap_held_slot_t *s, size_t first, size_t count)
{
    size_t end = first + ARITY < count ? first + ARITY : count;
    size_t least = first;

    for (size_t i = first + 1; i < end; i++) {
        if (s[i].key < s[least].key) least = i;
    }
    return least;
}

/* @p count: slots in the heap before, > 0. */
static gap_held_slot_t heap_pop(gap_held_slot_t *s, size_t count)
{
    gap_held_slot_t first = s[0];
    gap_held_slot_t last = s[--count];
    size_t i = 0;

    for (size_t child; (child = i * ARITY + 1) < count; i = child) {
        child = least_child(s, child, count);
        if (last.key <= s[child].key) break;
        s[i] = s[child];
    }
    s[i] = last;
    return first;
}

/* ---- the ring ---- */

static gap_held_slot_t *ahead(gap_held_t *h, uint32_t i)
{
    return &h->ahead[(h->ahead_at + i) % GAP_HELD_AHEAD];
}

/* Before the last of the ring, which is not empty. If it is full its last goes back to the heap,
 * where there is room. */
static void ring_insert(gap_held_t *h, gap_held_slot_t in)
{
    if (h->ahead_count == GAP_HELD_AHEAD) {
        heap_push(slots_of(h), heap_count(h), *ahead(h, GAP_HELD_AHEAD - 1));
        h->ahead_count--;
    }
    uint32_t i = h->ahead_count++;
    for (; i > 0 && ahead(h, i - 1)->key > in.key; i--) *ahead(h, i) = *ahead(h, i - 1);
    *ahead(h, i) = in;
}

static void ring_fill(gap_held_t *h)
{
    while (h->ahead_count < GAP_HELD_AHEAD && heap_count(h) > 0) {
        gap_held_slot_t next = heap_pop(slots_of(h), heap_count(h));
        *ahead(h, h->ahead_count) = next;
        h->ahead_count++;
    }
}

int gap_held_insert(gap_held_t *h, int32_t position, int32_t count, void *value)
{
    /* What is in the ring may have to go back. */
    if (h->count >= h->cap) {
        int r = grow(h);
        if (r < 0) return r;
    }
    gap_held_slot_t in = {key_of(h, position, count), value};
    if (h->ahead_count > 0 && in.key < ahead(h, h->ahead_count - 1)->key) {
        ring_insert(h, in);
    } else {
        heap_push(slots_of(h), heap_count(h), in);
    }
    h->count++;
    return 0;
}

void *gap_held_first(const gap_held_t *h)
{
    if (h->count == 0) return NULL;
    if (h->ahead_count > 0) return h->ahead[h->ahead_at].value;
    return h->slots == NULL ? h->few[0].value : h->slots[0].value;
}

void *gap_held_ahead(const gap_held_t *h, uint32_t i)
{
    return i < h->ahead_count ? h->ahead[(h->ahead_at + i) % GAP_HELD_AHEAD].value : NULL;
}

static void reach(gap_held_slot_t slot, int32_t *end, int64_t *events)
{
    int64_t begin = (int64_t)(slot.key >> 32);
    int64_t count = (int64_t)(slot.key >> ORDER_BITS & COUNT_MAX);

    if (begin + count > *end)
        *end = begin + count > INT32_MAX ? INT32_MAX : (int32_t)(begin + count);
    *events += count;
}

void gap_held_reach(const gap_held_t *h, int32_t *end, int64_t *events)
{
    const gap_held_slot_t *slots = h->slots == NULL ? h->few : h->slots;

    *end = 0;
    *events = 0;
    for (uint32_t i = 0; i < heap_count(h); i++) reach(slots[i], end, events);
    for (uint32_t i = 0; i < h->ahead_count; i++)
        reach(h->ahead[(h->ahead_at + i) % GAP_HELD_AHEAD], end, events);
}

void *gap_held_take(gap_held_t *h)
{
    gap_held_slot_t first;

    if (h->count == 0) return NULL;
    if (h->ahead_count > 0 || h->count > GAP_HELD_AHEAD) {
        ring_fill(h);
        first = *ahead(h, 0);
        h->ahead_at = (h->ahead_at + 1) % GAP_HELD_AHEAD;
        h->ahead_count--;
    } else {
        first = heap_pop(slots_of(h), h->count);
    }
    h->count--;
    if (h->count == 0) gap_held_fini(h);
    return first.value;
}
