/*
 * tests/tl_random.h - random valid objects of any combinator, made by walking the TL tables. They
 * are structs in an arena, as a caller of gap_tl_write would make them by hand.
 */
#ifndef GAP_TESTS_TL_RANDOM_H
#define GAP_TESTS_TL_RANDOM_H

#include "base/prng.h"
#include "tl/tl.h"

#define TL_RANDOM_ARENA (8U << 20) /* bytes */

typedef struct tl_random {
    gap_prng_t prng;
    uint8_t *arena;
    size_t used;
    int objects;        /* left to spend on the object being made; then only what must be there */
    uint16_t *shallow;  /* by type: index of the constructor with the least nesting */
    uint16_t *by_type;  /* constructors ordered by type ... */
    uint32_t *type_end; /* ... type t has by_type[type_end[t - 1]] to by_type[type_end[t] - 1] */
} tl_random_t;

void tl_random_init(tl_random_t *r, uint64_t seed);
void tl_random_fini(tl_random_t *r);

/** A random object of combinator number @p index of gap_tl_infos. Valid until the next call. */
gap_tl_object_t tl_random_object(tl_random_t *r, uint32_t index);

#endif
