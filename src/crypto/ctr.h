/*
 * crypto/ctr.h - AES-256 in counter mode as one endless stream, one for each direction of an
 * obfuscated connection. (core.telegram.org/mtproto/mtproto-transports, "Transport obfuscation")
 */
#ifndef GAP_CRYPTO_CTR_H
#define GAP_CRYPTO_CTR_H

#include <gapless/base.h>
#include <openssl/types.h>

typedef struct gap_ctr {
    EVP_CIPHER_CTX *ctx; /* NULL: not begun */
} gap_ctr_t;

/** Begin a stream at its first byte. @p s is zeroed or finished. @return 0; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_ctr_init(gap_ctr_t *s, const uint8_t key[32], const uint8_t iv[16]);
/** Encrypt or decrypt the next @p len bytes in place: the two are the same.
 * @return 0; GAP_E_LIBCRYPTO: the stream is of no more use. */
GAP_NODISCARD int gap_ctr_crypt(gap_ctr_t *s, uint8_t *data, size_t len);
/** Wipe and free; safe twice and on a zeroed struct. */
void gap_ctr_fini(gap_ctr_t *s);

#endif
