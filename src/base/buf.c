/*
 * base/buf.c - growable byte buffer. Growth doubles; consumed space is reclaimed when the buffer
 * is empty or when growing would otherwise allocate.
 */
#include "base/buf.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <string.h>

#define BUF_CAP_MIN 256

void gap_buf_init(gap_buf_t *b, const gap_alloc_t *alloc)
{
    memset(b, 0, sizeof *b);
    b->alloc = alloc;
}

void gap_buf_fini(gap_buf_t *b)
{
    if (b->alloc != NULL) gap_free(b->alloc, b->data);
    b->data = NULL;
    b->head = b->len = b->cap = 0;
}

int gap_buf_reserve(gap_buf_t *b, size_t more)
{
    size_t need;

    if (b->cap - b->len >= more) return 0;
    if (b->head > 0 && b->cap - (b->len - b->head) >= more && b->head >= b->cap / 2) {
        memmove(b->data, b->data + b->head, b->len - b->head);
        b->len -= b->head;
        b->head = 0;
        return 0;
    }
    if (__builtin_add_overflow(b->len, more, &need)) return GAP_E_NOMEM;
    size_t cap = b->cap < BUF_CAP_MIN ? BUF_CAP_MIN : b->cap;
    while (cap < need) {
        if (cap > SIZE_MAX / 2) return GAP_E_NOMEM;
        cap *= 2;
    }
    uint8_t *data = gap_realloc(b->alloc, b->data, cap);
    if (data == NULL) return GAP_E_NOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

int gap_buf_append(gap_buf_t *b, const void *bytes, size_t n)
{
    int r = gap_buf_reserve(b, n);
    if (r < 0) return r;
    if (n > 0) memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return 0;
}

int gap_buf_append32(gap_buf_t *b, uint32_t v)
{
    uint8_t le[4];
    gap_store32(le, v);
    return gap_buf_append(b, le, sizeof le);
}

int gap_buf_append64(gap_buf_t *b, uint64_t v)
{
    uint8_t le[8];
    gap_store64(le, v);
    return gap_buf_append(b, le, sizeof le);
}

void gap_buf_consume(gap_buf_t *b, size_t n)
{
    GAP_ASSERT(n <= b->len - b->head);
    b->head += n;
    if (b->head == b->len) b->head = b->len = 0;
}

void gap_buf_clear(gap_buf_t *b)
{
    b->head = b->len = 0;
}
