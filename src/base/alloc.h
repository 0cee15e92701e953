/* base/alloc.h - the allocator that is handed down, and zeroing of secrets. */
#ifndef GAP_BASE_ALLOC_H
#define GAP_BASE_ALLOC_H

#include <gapless/base.h>

/** @return n uninitialised bytes, or NULL. */
GAP_NODISCARD void *gap_malloc(const gap_alloc_t *a, size_t n);
/** @return count * size zeroed bytes, or NULL (also on overflow). */
GAP_NODISCARD void *gap_calloc(const gap_alloc_t *a, size_t count, size_t size);
/** Resize; on failure NULL and @p ptr is untouched. @p size > 0. */
GAP_NODISCARD void *gap_realloc(const gap_alloc_t *a, void *ptr, size_t size);
/** @param ptr May be NULL. */
void gap_free(const gap_alloc_t *a, void *ptr);
/** Overwrite secrets in a way the compiler may not remove. */
void gap_wipe(void *ptr, size_t len);

#endif
