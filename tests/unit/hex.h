/* tests/unit/hex.h - hexadecimal vectors to bytes, and a random source that replays given bytes. */
#ifndef GAP_TESTS_HEX_H
#define GAP_TESTS_HEX_H

#include "crypto/crypto.h"
#include "tests/check_main.h"

#include <string.h>

static inline int hex_digit(char c)
{
    return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* @return bytes written to @p out, which has room for @p cap. */
static inline size_t hex_to(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = strlen(hex) / 2;

    ck_assert_uint_le(n, cap);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(hex_digit(hex[2 * i]) << 4 | hex_digit(hex[2 * i + 1]));
    return n;
}

/* For a vector of known length. */
static inline void hex_exactly(const char *hex, uint8_t *out, size_t len)
{
    ck_assert_uint_eq(hex_to(hex, out, len), len);
}

static inline uint64_t hex_u64(const char *hex)
{
    uint64_t v;
    hex_exactly(hex, (uint8_t *)&v, sizeof v);
    return v;
}

/* Replays `bytes`; fails with GAP_E_STATE when they run out. */
struct scripted_random {
    gap_random_t source;
    uint8_t bytes[4096];
    size_t len;
    size_t at;
};

static inline int scripted_fill(void *arg, uint8_t *out, size_t len)
{
    struct scripted_random *s = arg;

    if (len > s->len - s->at) return GAP_E_STATE;
    memcpy(out, s->bytes + s->at, len);
    s->at += len;
    return 0;
}

static inline void scripted_init(struct scripted_random *s)
{
    memset(s, 0, sizeof *s);
    s->source.fill = scripted_fill;
    s->source.arg = s;
}

static inline void scripted_add(struct scripted_random *s, const char *hex)
{
    s->len += hex_to(hex, s->bytes + s->len, sizeof s->bytes - s->len);
}

#endif
