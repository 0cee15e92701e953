/*
 * crypto/ige_x86.c - AES-256-IGE with the AES instructions.
 *
 * Decryption is p[i] = D(c[i] ^ p[i-1]) ^ c[i-1]: a chain in which every block waits for the one
 * before. To keep the chain short the two exclusive-ors around the cipher are folded into its last
 * round key: with s[i] = c[i] ^ p[i-1] ^ k0 the last round takes k14 ^ k0 ^ c[i-1] ^ c[i+1] and so
 * gives s[i+1] itself; p[i] = s[i+1] ^ k0 ^ c[i+1] is computed beside the chain. Encryption is the
 * same with c and p exchanged.
 *
 * Owns nothing, allocates nothing. Never runs unless gap_aesni_available() said yes.
 */
#include "crypto/ige_x86.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

#define AESNI __attribute__((target("aes,sse2")))

bool gap_aesni_available(void)
{
    return __builtin_cpu_supports("aes") != 0;
}

AESNI static inline __m128i load(const uint8_t *p)
{
    return _mm_loadu_si128((const __m128i *)(const void *)p);
}

AESNI static inline void store(uint8_t *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v);
}

AESNI static inline __m128i xor3(__m128i a, __m128i b, __m128i c)
{
    return _mm_xor_si128(_mm_xor_si128(a, b), c);
}

/* The running exclusive-or over the four words of a key half, plus what keygenassist made. */
AESNI static inline __m128i spread(__m128i half, __m128i word)
{
    half = _mm_xor_si128(half, _mm_slli_si128(half, 4));
    half = _mm_xor_si128(half, _mm_slli_si128(half, 8));
    return _mm_xor_si128(half, word);
}

#define EXPAND_EVEN(i, rcon)                                                                       \
    k[i] = spread(k[(i)-2], _mm_shuffle_epi32(_mm_aeskeygenassist_si128(k[(i)-1], rcon), 0xff))
#define EXPAND_ODD(i)                                                                              \
    k[i] = spread(k[(i)-2], _mm_shuffle_epi32(_mm_aeskeygenassist_si128(k[(i)-1], 0), 0xaa))

AESNI static void expand(const uint8_t key[32], __m128i k[15])
{
    k[0] = load(key);
    k[1] = load(key + 16);
    EXPAND_EVEN(2, 0x01);
    EXPAND_ODD(3);
    EXPAND_EVEN(4, 0x02);
    EXPAND_ODD(5);
    EXPAND_EVEN(6, 0x04);
    EXPAND_ODD(7);
    EXPAND_EVEN(8, 0x08);
    EXPAND_ODD(9);
    EXPAND_EVEN(10, 0x10);
    EXPAND_ODD(11);
    EXPAND_EVEN(12, 0x20);
    EXPAND_ODD(13);
    EXPAND_EVEN(14, 0x40);
}

AESNI void gap_ige_x86_encrypt_init(gap_ige_x86_t *s, const uint8_t key[32], const uint8_t iv[32])
{
    __m128i k[15];

    expand(key, k);
    for (int i = 0; i < 15; i++) store(s->round_keys[i], k[i]);
    gap_wipe(k, sizeof k);
    memcpy(s->c, iv, 16);
    memcpy(s->p, iv + 16, 16);
}

AESNI void gap_ige_x86_decrypt_init(gap_ige_x86_t *s, const uint8_t key[32], const uint8_t iv[32])
{
    __m128i k[15];

    expand(key, k);
    store(s->round_keys[0], k[14]);
    for (int i = 1; i < 14; i++) store(s->round_keys[i], _mm_aesimc_si128(k[14 - i]));
    store(s->round_keys[14], k[0]);
    gap_wipe(k, sizeof k);
    memcpy(s->c, iv, 16);
    memcpy(s->p, iv + 16, 16);
}

/* Thirteen middle rounds, written out so that the round keys stay in registers. */
#define ROUNDS_13(op)                                                                              \
    do {                                                                                           \
        v = op(v, k1);                                                                             \
        v = op(v, k2);                                                                             \
        v = op(v, k3);                                                                             \
        v = op(v, k4);                                                                             \
        v = op(v, k5);                                                                             \
        v = op(v, k6);                                                                             \
        v = op(v, k7);                                                                             \
        v = op(v, k8);                                                                             \
        v = op(v, k9);                                                                             \
        v = op(v, k10);                                                                            \
        v = op(v, k11);                                                                            \
        v = op(v, k12);                                                                            \
        v = op(v, k13);                                                                            \
    } while (0)

#define LOAD_KEYS                                                                                  \
    const __m128i k0 = load(s->round_keys[0]), k1 = load(s->round_keys[1]),                        \
                  k2 = load(s->round_keys[2]), k3 = load(s->round_keys[3]),                        \
                  k4 = load(s->round_keys[4]), k5 = load(s->round_keys[5]),                        \
                  k6 = load(s->round_keys[6]), k7 = load(s->round_keys[7]),                        \
                  k8 = load(s->round_keys[8]), k9 = load(s->round_keys[9]),                        \
                  k10 = load(s->round_keys[10]), k11 = load(s->round_keys[11]),                    \
                  k12 = load(s->round_keys[12]), k13 = load(s->round_keys[13]),                    \
                  k14 = load(s->round_keys[14])

/*
 * `x` is the text that goes in, `y` the one that comes out; y_before chains into the cipher's
 * input, x_before into its output.
 */
#define IGE_CHAIN(op, op_last, x_before, y_before)                                                 \
    do {                                                                                           \
        LOAD_KEYS;                                                                                 \
        const __m128i fold = _mm_xor_si128(k14, k0);                                               \
        __m128i before = load(x_before);                                                           \
        __m128i x = load(in);                                                                      \
        __m128i v = xor3(x, load(y_before), k0);                                                   \
        for (; blocks > 1; blocks--, in += 16, out += 16) {                                        \
            __m128i next = load(in + 16);                                                          \
            ROUNDS_13(op);                                                                         \
            v = op_last(v, xor3(fold, before, next));                                              \
            store(out, xor3(v, k0, next));                                                         \
            before = x;                                                                            \
            x = next;                                                                              \
        }                                                                                          \
        ROUNDS_13(op);                                                                             \
        v = op_last(v, _mm_xor_si128(k14, before));                                                \
        store(out, v);                                                                             \
        store(x_before, x);                                                                        \
        store(y_before, v);                                                                        \
    } while (0)

AESNI void gap_ige_x86_encrypt(gap_ige_x86_t *s, const uint8_t *in, uint8_t *out, size_t blocks)
{
    IGE_CHAIN(_mm_aesenc_si128, _mm_aesenclast_si128, s->p, s->c);
}

AESNI void gap_ige_x86_decrypt(gap_ige_x86_t *s, const uint8_t *in, uint8_t *out, size_t blocks)
{
    IGE_CHAIN(_mm_aesdec_si128, _mm_aesdeclast_si128, s->c, s->p);
}

#else

bool gap_aesni_available(void)
{
    return false;
}

void gap_ige_x86_encrypt_init(gap_ige_x86_t *s, const uint8_t key[32], const uint8_t iv[32])
{
    (void)s, (void)key, (void)iv;
    GAP_ASSERT(gap_aesni_available());
}

void gap_ige_x86_decrypt_init(gap_ige_x86_t *s, const uint8_t key[32], const uint8_t iv[32])
{
    (void)s, (void)key, (void)iv;
    GAP_ASSERT(gap_aesni_available());
}

void gap_ige_x86_encrypt(gap_ige_x86_t *s, const uint8_t *in, uint8_t *out, size_t blocks)
{
    (void)s, (void)in, (void)out, (void)blocks;
    GAP_ASSERT(gap_aesni_available());
}

void gap_ige_x86_decrypt(gap_ige_x86_t *s, const uint8_t *in, uint8_t *out, size_t blocks)
{
    (void)s, (void)in, (void)out, (void)blocks;
    GAP_ASSERT(gap_aesni_available());
}

#endif
