/*
 * loops/copies.h - memory for the copies of what is held behind a gap.
 *
 * Very many of them come and go at once, in any order, and each is a few hundred bytes. Taken from
 * the allocator one by one, giving them back costs more than handling them: their neighbours, which
 * lie anywhere, have to be looked at. So packets of up to GAP_COPY_MAX bytes come from pools, one
 * for each 16 bytes of size; larger ones from the allocator.
 */
#ifndef GAP_LOOPS_COPIES_H
#define GAP_LOOPS_COPIES_H

#include "base/packet.h"
#include "base/pool.h"

/** Bytes of the largest packet from a pool, its head included. */
#define GAP_COPY_MAX 1024
/** The pools' memory goes back when nothing is in use any more, if this many bytes had been. */
#define GAP_COPIES_KEPT ((size_t)64 << 10)

#define GAP_COPY_STEP 16

typedef struct gap_copies {
    gap_alloc_t alloc; /* makes and takes back the packets below; for nothing else */
    const gap_alloc_t *from;
    size_t in_use; /* bytes of the pools */
    size_t most;   /* since the pools were empty last */
    gap_pool_t pools[GAP_COPY_MAX / GAP_COPY_STEP];
} gap_copies_t;

void gap_copies_init(gap_copies_t *c, const gap_alloc_t *from);
/** Every copy must be gone. Safe twice. */
void gap_copies_fini(gap_copies_t *c);
/** A packet of one reference; @p c must live until the last is dropped. @return 0, GAP_E_NOMEM,
 * GAP_E_LIMIT as gap_packet_new. */
GAP_NODISCARD int gap_copies_get(gap_copies_t *c, size_t cap, gap_packet_t **out);

#endif
