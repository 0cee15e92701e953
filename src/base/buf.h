/* base/buf.h - a growable byte buffer with a read end: append at the tail, consume at the head. */
#ifndef GAP_BASE_BUF_H
#define GAP_BASE_BUF_H

#include <gapless/base.h>

typedef struct gap_buf {
    const gap_alloc_t *alloc;
    uint8_t *data;
    size_t head; /* first unread byte */
    size_t len;  /* end of the written bytes; unread = len - head */
    size_t cap;
} gap_buf_t;

void gap_buf_init(gap_buf_t *b, const gap_alloc_t *alloc);
/** Free the bytes; safe twice. */
void gap_buf_fini(gap_buf_t *b);
/** Make room for @p more bytes after len. @return 0 or GAP_E_NOMEM (buffer untouched). */
GAP_NODISCARD int gap_buf_reserve(gap_buf_t *b, size_t more);
/** @return 0 or GAP_E_NOMEM (buffer untouched). */
GAP_NODISCARD int gap_buf_append(gap_buf_t *b, const void *bytes, size_t n);
GAP_NODISCARD int gap_buf_append32(gap_buf_t *b, uint32_t v);
GAP_NODISCARD int gap_buf_append64(gap_buf_t *b, uint64_t v);
/** Drop @p n unread bytes from the head; n <= unread. Moves bytes only when that is cheap. */
void gap_buf_consume(gap_buf_t *b, size_t n);
/** Forget the contents, keep the memory. */
void gap_buf_clear(gap_buf_t *b);

static inline gap_bytes_t gap_buf_view(const gap_buf_t *b)
{
    gap_bytes_t v = {NULL, 0};

    if (b->data != NULL) v = (gap_bytes_t){b->data + b->head, b->len - b->head};
    return v;
}

#endif
