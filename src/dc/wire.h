/*
 * dc/wire.h - a cursor over bytes that a client sent, and the matching appends. Service messages
 * are read field by field here and not through the schema's tables, because clients send forms
 * that no schema has (filler behind a message, two generations of the same constructor), and
 * because a server that reads with other code than the client finds the errors of both.
 *
 * A cursor that ran over its end stays failed and gives zeros: check `bad` once, at the end.
 */
#ifndef GAP_DC_WIRE_H
#define GAP_DC_WIRE_H

#include "base/buf.h"
#include "base/bytes.h"

typedef struct gap_dc_cursor {
    const uint8_t *at;
    size_t left; /* bytes */
    bool bad;
} gap_dc_cursor_t;

static inline gap_dc_cursor_t gap_dc_cursor(gap_bytes_t b)
{
    gap_dc_cursor_t c = {b.data, b.len, false};
    return c;
}

/** The next @p n bytes, or NULL. */
static inline const uint8_t *gap_dc_take(gap_dc_cursor_t *c, size_t n)
{
    if (c->bad || c->left < n) {
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->at;
    c->at += n;
    c->left -= n;
    return p;
}

static inline uint32_t gap_dc_take32(gap_dc_cursor_t *c)
{
    const uint8_t *p = gap_dc_take(c, 4);
    return p == NULL ? 0 : gap_load32(p);
}

static inline int64_t gap_dc_take64(gap_dc_cursor_t *c)
{
    const uint8_t *p = gap_dc_take(c, 8);
    return p == NULL ? 0 : (int64_t)gap_load64(p);
}

/** Copy @p n raw bytes to @p out; zeros if they are not there. */
static inline void gap_dc_take_raw(gap_dc_cursor_t *c, void *out, size_t n)
{
    const uint8_t *p = gap_dc_take(c, n);
    if (p == NULL)
        memset(out, 0, n);
    else
        memcpy(out, p, n);
}

/** A TL string or bytes, as a view. */
static inline gap_bytes_t gap_dc_take_bytes(gap_dc_cursor_t *c)
{
    const uint8_t *head = gap_dc_take(c, 4);
    gap_bytes_t none = {NULL, 0};

    if (head == NULL) return none;
    if (head[0] < 254) {
        size_t n = head[0];
        if (n > 3 && gap_dc_take(c, (n + 1 + 3) / 4 * 4 - 4) == NULL) return none;
        return gap_bytes(head + 1, n);
    }
    if (head[0] == 255) {
        c->bad = true;
        return none;
    }
    size_t n = (size_t)head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16;
    const uint8_t *p = gap_dc_take(c, (n + 3) / 4 * 4);
    return p == NULL ? none : gap_bytes(p, n);
}

/** What is left, as a view. */
static inline gap_bytes_t gap_dc_rest(const gap_dc_cursor_t *c)
{
    return gap_bytes(c->at, c->bad ? 0 : c->left);
}

/** Append a TL string or bytes; shorter than 2^24. @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD static inline int gap_dc_put_bytes(gap_buf_t *b, gap_bytes_t v)
{
    uint8_t head[4] = {(uint8_t)v.len, 0, 0, 0};
    static const uint8_t zeros[4] = {0};
    size_t head_len = 1;
    int r;

    if (v.len >= 254) {
        gap_store32(head, (uint32_t)v.len << 8 | 0xfe);
        head_len = 4;
    }
    size_t pad = (4 - (head_len + v.len) % 4) % 4;
    if ((r = gap_buf_reserve(b, head_len + v.len + pad)) < 0) return r;
    if ((r = gap_buf_append(b, head, head_len)) < 0) return r;
    if (v.len > 0 && (r = gap_buf_append(b, v.data, v.len)) < 0) return r;
    return pad == 0 ? 0 : gap_buf_append(b, zeros, pad);
}

#endif
