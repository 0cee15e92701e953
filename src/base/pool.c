/*
 * base/pool.c - slab pool with an intrusive free list.
 */
#include "base/pool.h"

#include "base/alloc.h"
#include "base/assert.h"

struct gap_pool_slab {
    struct gap_pool_slab *next;
    _Alignas(16) unsigned char nodes[];
};

struct free_node {
    struct free_node *next;
};

void gap_pool_init(gap_pool_t *p, const gap_alloc_t *alloc, size_t node_size, size_t per_slab)
{
    GAP_ASSERT(node_size > 0);
    GAP_ASSERT(per_slab > 0);
    p->alloc = alloc;
    p->slabs = NULL;
    p->free_list = NULL;
    p->node_size = (node_size + 15) & ~(size_t)15;
    p->per_slab = per_slab;
    p->in_use = 0;
    p->at_hand = 0;
}

static void free_slabs(gap_pool_t *p)
{
    struct gap_pool_slab *slab = p->slabs;

    while (slab != NULL) {
        struct gap_pool_slab *next = slab->next;
        gap_free(p->alloc, slab);
        slab = next;
    }
    p->slabs = NULL;
    p->free_list = NULL;
    p->at_hand = 0;
}

void gap_pool_fini(gap_pool_t *p)
{
    free_slabs(p);
    p->in_use = 0;
}

static int grow(gap_pool_t *p)
{
    struct gap_pool_slab *slab = gap_malloc(p->alloc, sizeof *slab + p->node_size * p->per_slab);
    if (slab == NULL) return GAP_E_NOMEM;
    slab->next = p->slabs;
    p->slabs = slab;
    p->at_hand += p->per_slab;
    size_t i = p->per_slab; /* never 0 */
    do {
        struct free_node *node = (void *)(slab->nodes + --i * p->node_size);
        node->next = p->free_list;
        p->free_list = node;
    } while (i > 0);
    return 0;
}

void *gap_pool_get(gap_pool_t *p)
{
    if (p->free_list == NULL && grow(p) < 0) return NULL;
    struct free_node *node = p->free_list;
    p->free_list = node->next;
    p->in_use++;
    p->at_hand--;
    return node;
}

int gap_pool_reserve(gap_pool_t *p, size_t count)
{
    GAP_ASSERT(count <= p->per_slab);
    return p->at_hand >= count ? 0 : grow(p);
}

void gap_pool_put(gap_pool_t *p, void *node)
{
    struct free_node *f = node;

    GAP_ASSERT(p->in_use > 0);
    f->next = p->free_list;
    p->free_list = f;
    p->in_use--;
    p->at_hand++;
}

void gap_pool_trim(gap_pool_t *p)
{
    if (p->in_use == 0) free_slabs(p);
}
