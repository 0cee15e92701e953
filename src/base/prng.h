/*
 * base/prng.h - a seeded generator (splitmix64) for simulation, jitter and tests. Never for keys,
 * nonces or padding: those come from the environment's random.
 */
#ifndef GAP_BASE_PRNG_H
#define GAP_BASE_PRNG_H

#include "base/map.h"

__extension__ typedef unsigned __int128 gap_u128_t;

typedef struct gap_prng {
    uint64_t state;
} gap_prng_t;

static inline uint64_t gap_prng_next(gap_prng_t *p)
{
    p->state += 0x9e3779b97f4a7c15U;
    return gap_hash64(p->state);
}

/** Uniform in [0, n); n > 0. The bias of the multiply-shift is below 2^-32 for n < 2^32. */
static inline uint64_t gap_prng_below(gap_prng_t *p, uint64_t n)
{
    return (uint64_t)(((gap_u128_t)gap_prng_next(p) * n) >> 64);
}

/** Uniform in [0, 1). */
static inline double gap_prng_unit(gap_prng_t *p)
{
    return (double)(gap_prng_next(p) >> 11) * 0x1p-53;
}

#endif
