/*
 * crypto/ige_x86.h - AES-256-IGE on the AES instructions of x86-64 processors. Where they don't
 * exist gap_aesni_available() is false and nothing else may be called.
 */
#ifndef GAP_CRYPTO_IGE_X86_H
#define GAP_CRYPTO_IGE_X86_H

#include <gapless/base.h>

/** One direction of IGE in progress: round keys and the two blocks that chain. Secret: wipe. */
typedef struct gap_ige_x86 {
    _Alignas(16) uint8_t round_keys[15][16];
    _Alignas(16) uint8_t c[16]; /* ciphertext block before */
    _Alignas(16) uint8_t p[16]; /* plaintext block before */
} gap_ige_x86_t;

bool gap_aesni_available(void);
void gap_ige_x86_encrypt_init(gap_ige_x86_t *s, const uint8_t key[32], const uint8_t iv[32]);
void gap_ige_x86_decrypt_init(gap_ige_x86_t *s, const uint8_t key[32], const uint8_t iv[32]);
/* Go on with @p blocks (> 0) blocks of 16 bytes; @p in and @p out the same or apart. */
void gap_ige_x86_encrypt(gap_ige_x86_t *s, const uint8_t *in, uint8_t *out, size_t blocks);
void gap_ige_x86_decrypt(gap_ige_x86_t *s, const uint8_t *in, uint8_t *out, size_t blocks);

#endif
