/*
 * base/map.c - open-addressing hash map.
 */
#include "base/map.h"

#include "base/alloc.h"
#include "base/assert.h"

void gap_map_init(gap_map_t *m, const gap_alloc_t *alloc)
{
    m->alloc = alloc;
    m->slots = NULL;
    m->cap = 0;
    m->count = 0;
}

void gap_map_fini(gap_map_t *m)
{
    gap_free(m->alloc, m->slots);
    m->slots = NULL;
    m->cap = 0;
    m->count = 0;
}

static gap_map_slot_t *find(const gap_map_t *m, uint64_t key)
{
    size_t i = (size_t)gap_hash64(key) & (m->cap - 1);

    while (m->slots[i].key != 0 && m->slots[i].key != key) i = (i + 1) & (m->cap - 1);
    return &m->slots[i];
}

void *gap_map_get(const gap_map_t *m, uint64_t key)
{
    if (m->count == 0 || key == 0) return NULL;
    gap_map_slot_t *slot = find(m, key);
    return slot->key == key ? slot->value : NULL;
}

static int grow_to(gap_map_t *m, size_t cap)
{
    gap_map_t next = {m->alloc, NULL, cap, m->count};

    next.slots = gap_calloc(m->alloc, next.cap, sizeof *next.slots);
    if (next.slots == NULL) return GAP_E_NOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        if (m->slots[i].key != 0) *find(&next, m->slots[i].key) = m->slots[i];
    }
    gap_free(m->alloc, m->slots);
    *m = next;
    return 0;
}

int gap_map_reserve(gap_map_t *m, size_t more)
{
    size_t cap = m->cap == 0 ? 16 : m->cap;

    if (more > SIZE_MAX / 8 - m->count) return GAP_E_NOMEM;
    while ((m->count + more) * 4 > cap * 3) cap *= 2;
    return cap == m->cap || more == 0 ? 0 : grow_to(m, cap);
}

int gap_map_set(gap_map_t *m, uint64_t key, void *value)
{
    GAP_ASSERT(key != 0);
    GAP_ASSERT(value != NULL);
    if (m->count > 0) {
        gap_map_slot_t *slot = find(m, key);
        if (slot->key == key) {
            slot->value = value;
            return 0;
        }
    }
    if ((m->count + 1) * 4 > m->cap * 3) {
        int r = grow_to(m, m->cap == 0 ? 16 : m->cap * 2);
        if (r < 0) return r;
    }
    gap_map_slot_t *slot = find(m, key);
    slot->key = key;
    slot->value = value;
    m->count++;
    return 0;
}

void *gap_map_remove(gap_map_t *m, uint64_t key)
{
    if (m->count == 0 || key == 0) return NULL;
    gap_map_slot_t *slot = find(m, key);
    if (slot->key != key) return NULL;
    void *value = slot->value;
    size_t mask = m->cap - 1;
    size_t hole = (size_t)(slot - m->slots);
    for (size_t i = (hole + 1) & mask; m->slots[i].key != 0; i = (i + 1) & mask) {
        size_t home = (size_t)gap_hash64(m->slots[i].key) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            m->slots[hole] = m->slots[i];
            hole = i;
        }
    }
    m->slots[hole].key = 0;
    m->slots[hole].value = NULL;
    m->count--;
    return value;
}

bool gap_map_next(const gap_map_t *m, size_t *it, uint64_t *key, void **value)
{
    for (; *it < m->cap; (*it)++) {
        if (m->slots[*it].key == 0) continue;
        *key = m->slots[*it].key;
        *value = m->slots[*it].value;
        (*it)++;
        return true;
    }
    return false;
}
