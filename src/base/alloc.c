/*
 * base/alloc.c - thin wrappers over the runtime's allocator. Never aborts: out of memory is a
 * result.
 */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static void *libc_realloc(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    return realloc(ptr, size);
}

const gap_alloc_t *gap_alloc_default(void)
{
    static const gap_alloc_t libc = {libc_realloc, NULL};
    return &libc;
}

void *gap_malloc(const gap_alloc_t *a, size_t n)
{
    return a->realloc_fn(a->ctx, NULL, n > 0 ? n : 1);
}

void *gap_calloc(const gap_alloc_t *a, size_t count, size_t size)
{
    size_t n;

    if (__builtin_mul_overflow(count, size, &n)) return NULL;
    void *p = gap_malloc(a, n);
    if (p != NULL) memset(p, 0, n);
    return p;
}

void *gap_realloc(const gap_alloc_t *a, void *ptr, size_t size)
{
    return a->realloc_fn(a->ctx, ptr, size);
}

void gap_free(const gap_alloc_t *a, void *ptr)
{
    if (ptr != NULL) (void)a->realloc_fn(a->ctx, ptr, 0);
}

void gap_wipe(void *ptr, size_t len)
{
    if (len > 0) memset(ptr, 0, len);
    __asm__ __volatile__("" : : "r"(ptr) : "memory");
}
