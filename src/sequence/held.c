/*
 * sequence/held.c - a 4-ary heap of 16-byte slots.
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
    h->next_order = 0;
}

void gap_held_fini(gap_held_t *h)
{
    if (h->slots != NULL) gap_free(h->alloc, h->slots);
    h->slots = NULL;
    h->count = 0;
    h->cap = GAP_HELD_INLINE;
    h->next_order = 0;
}

static int grow(gap_held_t *h)
{
    uint32_t cap = h->cap * 4;

    if (h->count >= GAP_HELD_MAX) return GAP_E_LIMIT;
    gap_held_slot_t *slots = gap_realloc(h->alloc, h->slots, cap * sizeof *slots);
    if (slots == NULL) return GAP_E_NOMEM;
    if (h->slots == NULL) memcpy(slots, h->few, h->count * sizeof *slots);
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

int gap_held_insert(gap_held_t *h, int32_t position, int32_t count, void *value)
{
    if (h->count == h->cap) {
        int r = grow(h);
        if (r < 0) return r;
    }
    gap_held_slot_t *s = slots_of(h);
    gap_held_slot_t in = {key_of(h, position, count), value};
    size_t i = h->count++;
    while (i > 0) {
        size_t parent = (i - 1) / ARITY;
        if (s[parent].key <= in.key) break;
        s[i] = s[parent];
        i = parent;
    }
    s[i] = in;
    return 0;
}

void *gap_held_first(const gap_held_t *h)
{
    if (h->count == 0) return NULL;
    return h->slots == NULL ? h->few[0].value : h->slots[0].value;
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

void *gap_held_take(gap_held_t *h)
{
    if (h->count == 0) return NULL;
    gap_held_slot_t *s = slots_of(h);
    void *value = s[0].value;
    size_t count = --h->count;
    gap_held_slot_t last = s[count];
    size_t i = 0;
    for (size_t child; (child = i * ARITY + 1) < count; i = child) {
        child = least_child(s, child, count);
        if (last.key <= s[child].key) break;
        s[i] = s[child];
    }
    s[i] = last;
    if (count == 0) gap_held_fini(h);
    return value;
}
