/*
 * crypto/dh.c - checks and powers of the key exchange on OpenSSL's big numbers.
 *
 * Numbers live in a frame of one BN_CTX per call; secret ones are cleared before they go back.
 */
#include "crypto/dh.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <openssl/bn.h>

#define PRIME_BITS 2048
/* g_a and g_b keep this many bits of distance from 0 and from the prime. */
#define MARGIN_BITS (PRIME_BITS - 64)

const uint8_t gap_dh_known_prime[GAP_DH_BYTES] = {
    0xc7, 0x1c, 0xae, 0xb9, 0xc6, 0xb1, 0xc9, 0x04, 0x8e, 0x6c, 0x52, 0x2f, 0x70, 0xf1, 0x3f, 0x73,
    0x98, 0x0d, 0x40, 0x23, 0x8e, 0x3e, 0x21, 0xc1, 0x49, 0x34, 0xd0, 0x37, 0x56, 0x3d, 0x93, 0x0f,
    0x48, 0x19, 0x8a, 0x0a, 0xa7, 0xc1, 0x40, 0x58, 0x22, 0x94, 0x93, 0xd2, 0x25, 0x30, 0xf4, 0xdb,
    0xfa, 0x33, 0x6f, 0x6e, 0x0a, 0xc9, 0x25, 0x13, 0x95, 0x43, 0xae, 0xd4, 0x4c, 0xce, 0x7c, 0x37,
    0x20, 0xfd, 0x51, 0xf6, 0x94, 0x58, 0x70, 0x5a, 0xc6, 0x8c, 0xd4, 0xfe, 0x6b, 0x6b, 0x13, 0xab,
    0xdc, 0x97, 0x46, 0x51, 0x29, 0x69, 0x32, 0x84, 0x54, 0xf1, 0x8f, 0xaf, 0x8c, 0x59, 0x5f, 0x64,
    0x24, 0x77, 0xfe, 0x96, 0xbb, 0x2a, 0x94, 0x1d, 0x5b, 0xcd, 0x1d, 0x4a, 0xc8, 0xcc, 0x49, 0x88,
    0x07, 0x08, 0xfa, 0x9b, 0x37, 0x8e, 0x3c, 0x4f, 0x3a, 0x90, 0x60, 0xbe, 0xe6, 0x7c, 0xf9, 0xa4,
    0xa4, 0xa6, 0x95, 0x81, 0x10, 0x51, 0x90, 0x7e, 0x16, 0x27, 0x53, 0xb5, 0x6b, 0x0f, 0x6b, 0x41,
    0x0d, 0xba, 0x74, 0xd8, 0xa8, 0x4b, 0x2a, 0x14, 0xb3, 0x14, 0x4e, 0x0e, 0xf1, 0x28, 0x47, 0x54,
    0xfd, 0x17, 0xed, 0x95, 0x0d, 0x59, 0x65, 0xb4, 0xb9, 0xdd, 0x46, 0x58, 0x2d, 0xb1, 0x17, 0x8d,
    0x16, 0x9c, 0x6b, 0xc4, 0x65, 0xb0, 0xd6, 0xff, 0x9c, 0xa3, 0x92, 0x8f, 0xef, 0x5b, 0x9a, 0xe4,
    0xe4, 0x18, 0xfc, 0x15, 0xe8, 0x3e, 0xbe, 0xa0, 0xf8, 0x7f, 0xa9, 0xff, 0x5e, 0xed, 0x70, 0x05,
    0x0d, 0xed, 0x28, 0x49, 0xf4, 0x7b, 0xf9, 0x59, 0xd9, 0x56, 0x85, 0x0c, 0xe9, 0x29, 0x85, 0x1f,
    0x0d, 0x81, 0x15, 0xf6, 0x35, 0xb1, 0x05, 0xee, 0x2e, 0x4e, 0x15, 0xd0, 0x4b, 0x24, 0x54, 0xbf,
    0x6f, 0x4f, 0xad, 0xf0, 0x34, 0xb1, 0x04, 0x03, 0x11, 0x9c, 0xd8, 0xe3, 0xb9, 0x2f, 0xcc, 0x5b,
};

int gap_dh_check_prime(gap_bytes_t prime)
{
    int r = GAP_E_LIBCRYPTO;

    if (prime.len != GAP_DH_BYTES || prime.data[0] < 0x80) return GAP_E_CRYPTO;
    if ((prime.data[GAP_DH_BYTES - 1] & 3) != 3) return GAP_E_CRYPTO; /* p and (p-1)/2 are odd */
    if (memcmp(prime.data, gap_dh_known_prime, GAP_DH_BYTES) == 0) return 0;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = BN_bin2bn(prime.data, GAP_DH_BYTES, NULL);
    BIGNUM *half = BN_new();
    if (ctx == NULL || p == NULL || half == NULL) goto out;
    if (BN_rshift1(half, p) != 1) goto out;
    /* The half first: a number chosen to deceive fails there as well as anywhere. */
    int verdict = BN_check_prime(half, ctx, NULL);
    if (verdict == 1) verdict = BN_check_prime(p, ctx, NULL);
    if (verdict >= 0) r = verdict == 1 ? 0 : GAP_E_CRYPTO;
out:
    BN_free(half);
    BN_free(p);
    BN_CTX_free(ctx);
    return r;
}

/* The prime modulo a small number, a byte at a time. */
static unsigned modulo(const uint8_t prime[GAP_DH_BYTES], unsigned n)
{
    unsigned rest = 0;

    for (int i = 0; i < GAP_DH_BYTES; i++) rest = (rest * 256 + prime[i]) % n;
    return rest;
}

int gap_dh_check_generator(int32_t g, const uint8_t prime[GAP_DH_BYTES])
{
    unsigned rest;
    bool good; /* is g a quadratic residue? */

    switch (g) {
    case 2:
        good = modulo(prime, 8) == 7;
        break;
    case 3:
        good = modulo(prime, 3) == 2;
        break;
    case 4:
        good = true;
        break;
    case 5:
        rest = modulo(prime, 5);
        good = rest == 1 || rest == 4;
        break;
    case 6:
        rest = modulo(prime, 24);
        good = rest == 19 || rest == 23;
        break;
    case 7:
        rest = modulo(prime, 7);
        good = rest == 3 || rest == 5 || rest == 6;
        break;
    default:
        good = false;
        break;
    }
    return good ? 0 : GAP_E_CRYPTO;
}

int gap_dh_check_public(gap_bytes_t value, const uint8_t prime[GAP_DH_BYTES])
{
    int r = GAP_E_LIBCRYPTO;

    if (value.len > GAP_DH_BYTES || value.len <= MARGIN_BITS / 8) return GAP_E_CRYPTO;
    BIGNUM *v = BN_bin2bn(value.data, (int)value.len, NULL);
    BIGNUM *p = BN_bin2bn(prime, GAP_DH_BYTES, NULL);
    BIGNUM *margin = BN_new();
    if (v == NULL || p == NULL || margin == NULL) goto out;
    if (BN_set_bit(margin, MARGIN_BITS) != 1) goto out;
    if (BN_sub(p, p, margin) != 1) goto out;
    r = BN_cmp(v, margin) >= 0 && BN_cmp(v, p) <= 0 ? 0 : GAP_E_CRYPTO;
out:
    BN_free(margin);
    BN_free(p);
    BN_free(v);
    return r;
}

int gap_dh_power(gap_bytes_t base, const uint8_t exponent[GAP_DH_BYTES],
                 const uint8_t prime[GAP_DH_BYTES], uint8_t out[GAP_DH_BYTES])
{
    int r = GAP_E_LIBCRYPTO;

    if (base.len > GAP_DH_BYTES) return GAP_E_ARGUMENT;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *a = BN_bin2bn(base.data, (int)base.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent, GAP_DH_BYTES, NULL);
    BIGNUM *p = BN_bin2bn(prime, GAP_DH_BYTES, NULL);
    BIGNUM *x = BN_new();
    if (ctx == NULL || a == NULL || e == NULL || p == NULL || x == NULL) goto out;
    BN_set_flags(e, BN_FLG_CONSTTIME);
    if (BN_mod_exp_mont_consttime(x, a, e, p, ctx, NULL) != 1) goto out;
    if (BN_bn2binpad(x, out, GAP_DH_BYTES) != GAP_DH_BYTES) goto out;
    r = 0;
out:
    BN_clear_free(x);
    BN_free(p);
    BN_clear_free(e);
    BN_free(a);
    BN_CTX_free(ctx);
    return r;
}
