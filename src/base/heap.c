/*
 * base/heap.c - binary heap of pointers with back-references.
 */
#include "base/heap.h"

#include "base/alloc.h"
#include "base/assert.h"

void gap_heap_init(gap_heap_t *h, const gap_alloc_t *alloc)
{
    h->alloc = alloc;
    h->nodes = NULL;
    h->count = 0;
    h->cap = 0;
    h->next_order = 0;
}

void gap_heap_fini(gap_heap_t *h)
{
    gap_free(h->alloc, h->nodes);
    h->nodes = NULL;
    h->count = 0;
    h->cap = 0;
}

int gap_heap_reserve(gap_heap_t *h, size_t count)
{
    if (count <= h->cap) return 0;
    size_t cap = h->cap == 0 ? 16 : h->cap;
    while (cap < count) cap *= 2;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the heap is an array of pointers */
    gap_heap_node_t **nodes = gap_realloc(h->alloc, h->nodes, cap * sizeof *nodes);
    if (nodes == NULL) return GAP_E_NOMEM;
    h->nodes = nodes;
    h->cap = cap;
    return 0;
}

static bool before(const gap_heap_node_t *a, const gap_heap_node_t *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void put(gap_heap_t *h, size_t i, gap_heap_node_t *node)
{
    h->nodes[i] = node;
    node->place = (uint32_t)(i + 1);
}

static void sift_up(gap_heap_t *h, size_t i, gap_heap_node_t *node)
{
    while (i > 0) {
        size_t parent = (i - 1) / 2;
        if (!before(node, h->nodes[parent])) break;
        put(h, i, h->nodes[parent]);
        i = parent;
    }
    put(h, i, node);
}

static void sift_down(gap_heap_t *h, size_t i, gap_heap_node_t *node)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= h->count) break;
        if (child + 1 < h->count && before(h->nodes[child + 1], h->nodes[child])) child++;
        if (!before(h->nodes[child], node)) break;
        put(h, i, h->nodes[child]);
        i = child;
    }
    put(h, i, node);
}

int gap_heap_insert(gap_heap_t *h, gap_heap_node_t *node, uint64_t key)
{
    GAP_ASSERT(node->place == 0);
    int r = gap_heap_reserve(h, h->count + 1);
    if (r < 0) return r;
    node->key = key;
    node->order = h->next_order++;
    h->count++;
    sift_up(h, h->count - 1, node);
    return 0;
}

void gap_heap_remove(gap_heap_t *h, gap_heap_node_t *node)
{
    if (node->place == 0) return;
    size_t i = node->place - 1;
    GAP_ASSERT(i < h->count);
    GAP_ASSERT(h->nodes[i] == node);
    node->place = 0;
    gap_heap_node_t *last = h->nodes[--h->count];
    if (last == node) return;
    if (i > 0 && before(last, h->nodes[(i - 1) / 2])) {
        sift_up(h, i, last);
    } else {
        sift_down(h, i, last);
    }
}

gap_heap_node_t *gap_heap_min(const gap_heap_t *h)
{
    return h->count == 0 ? NULL : h->nodes[0];
}
