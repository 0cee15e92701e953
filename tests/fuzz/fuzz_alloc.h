/*
 * tests/fuzz/fuzz_alloc.h - memory that is counted, and that can run out.
 */
#ifndef GAP_TESTS_FUZZ_ALLOC_H
#define GAP_TESTS_FUZZ_ALLOC_H

#include <gapless/base.h>
#include <stdlib.h>

struct fuzz_alloc {
    gap_alloc_t alloc;
    long live;    /* blocks that were not given back */
    long fail_in; /* that many allocations on, one fails; 0: none does */
};

static inline void *fuzz_realloc(void *ctx, void *ptr, size_t size)
{
    struct fuzz_alloc *a = ctx;

    if (size == 0) {
        if (ptr != NULL) a->live--;
        free(ptr);
        return NULL;
    }
    if (a->fail_in > 0 && --a->fail_in == 0) return NULL;
    void *p = realloc(ptr, size);
    if (p != NULL && ptr == NULL) a->live++;
    return p;
}

/** @param a  Borrowed for as long as a->alloc is used. */
static inline const gap_alloc_t *fuzz_alloc_init(struct fuzz_alloc *a)
{
    *a = (struct fuzz_alloc){.alloc = {.realloc_fn = fuzz_realloc, .ctx = a}};
    return &a->alloc;
}

#endif
