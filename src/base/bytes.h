/* base/bytes.h - unaligned little-endian loads and stores; small helpers on views. */
#ifndef GAP_BASE_BYTES_H
#define GAP_BASE_BYTES_H

#include <gapless/base.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "big-endian hosts are not supported: TL structs are read with plain loads"
#endif

static inline uint32_t gap_load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline uint64_t gap_load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void gap_store32(uint8_t *p, uint32_t v) { memcpy(p, &v, sizeof v); }
static inline void gap_store64(uint8_t *p, uint64_t v) { memcpy(p, &v, sizeof v); }

static inline gap_bytes_t gap_bytes(const void *data, size_t len)
{
    gap_bytes_t b = {(const uint8_t *)data, len};
    return b;
}

static inline bool gap_bytes_equal(gap_bytes_t a, gap_bytes_t b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

#define GAP_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define GAP_ARRAY_LEN(a)                    (sizeof(a) / sizeof((a)[0]))

#endif
