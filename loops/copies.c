/*
 * loops/copies.c - packets from pools, see loops/copies.h. An allocator that knows by a packet's
 * capacity which pool it came from. Never: looks into a packet but for that.
 */
#include "loops/copies.h"

#include "base/alloc.h"

#define SLAB_BYTES 8192

static gap_pool_t *pool_for(gap_copies_t *c, size_t size)
{
    return &c->pools[(size - 1) / GAP_COPY_STEP];
}

static void *take(gap_copies_t *c, size_t size)
{
    void *p = gap_pool_get(pool_for(c, size));

    if (p == NULL) return NULL;
    c->in_use += size;
    if (c->in_use > c->most) c->most = c->in_use;
    return p;
}

static void give_back(gap_copies_t *c, void *p, size_t size)
{
    gap_pool_put(pool_for(c, size), p);
    c->in_use -= size;
    if (c->in_use > 0 || c->most <= GAP_COPIES_KEPT) return;
    for (size_t i = 0; i < sizeof c->pools / sizeof c->pools[0]; i++) gap_pool_trim(&c->pools[i]);
    c->most = 0;
}

/* Packets are never resized: either @p ptr is NULL or @p size is 0. */
static void *copies_realloc(void *ctx, void *ptr, size_t size)
{
    gap_copies_t *c = ctx;

    if (ptr == NULL) return size > GAP_COPY_MAX ? gap_malloc(c->from, size) : take(c, size);
    size = sizeof(gap_packet_t) + ((const gap_packet_t *)ptr)->cap;
    if (size > GAP_COPY_MAX) {
        gap_free(c->from, ptr);
    } else {
        give_back(c, ptr, size);
    }
    return NULL;
}

void gap_copies_init(gap_copies_t *c, const gap_alloc_t *from)
{
    c->alloc = (gap_alloc_t){copies_realloc, c};
    c->from = from;
    c->in_use = 0;
    c->most = 0;
    for (size_t i = 0; i < sizeof c->pools / sizeof c->pools[0]; i++) {
        size_t size = (i + 1) * GAP_COPY_STEP;
        gap_pool_init(&c->pools[i], from, size, SLAB_BYTES / size);
    }
}

void gap_copies_fini(gap_copies_t *c)
{
    for (size_t i = 0; i < sizeof c->pools / sizeof c->pools[0]; i++) gap_pool_fini(&c->pools[i]);
}

int gap_copies_get(gap_copies_t *c, size_t cap, gap_packet_t **out)
{
    return gap_packet_new(&c->alloc, cap, out);
}
