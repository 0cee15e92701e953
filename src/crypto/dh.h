/*
 * crypto/dh.h - Diffie-Hellman modulo a 2048-bit safe prime, with every check the protocol asks of
 * a receiver (core.telegram.org/mtproto/auth_key, "Presenting proof of work; server
 * authentication"). Uses contexts of its own: any thread.
 */
#ifndef GAP_CRYPTO_DH_H
#define GAP_CRYPTO_DH_H

#include <gapless/base.h>

#define GAP_DH_BYTES 256

/** The prime all production servers use, known to be safe; generators 3, 4 and 7 are good for it.
 */
extern const uint8_t gap_dh_known_prime[GAP_DH_BYTES];

/**
 * Is @p prime exactly 2048 bits long, prime, and (prime - 1) / 2 prime too? At once for the known
 * prime, otherwise slow work (a good part of a second); a verdict may be remembered.
 * @return 0; GAP_E_CRYPTO it is not; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_dh_check_prime(gap_bytes_t prime);

/** Does @p g (2 to 7) generate the subgroup of order (prime - 1) / 2 of a safe prime?
 * @return 0; GAP_E_CRYPTO no; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dh_check_generator(int32_t g, const uint8_t prime[GAP_DH_BYTES]);

/** Is 2^1984 <= value <= prime - 2^1984? For g_a and g_b alike.
 * @return 0; GAP_E_CRYPTO no; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dh_check_public(gap_bytes_t value, const uint8_t prime[GAP_DH_BYTES]);

/**
 * base^exponent mod prime, padded on the left to 256 bytes; constant time in the exponent.
 * @param base  Big-endian, at most 256 bytes. @param prime Odd.
 * @return 0; GAP_E_ARGUMENT base too long; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_dh_power(gap_bytes_t base, const uint8_t exponent[GAP_DH_BYTES],
                               const uint8_t prime[GAP_DH_BYTES], uint8_t out[GAP_DH_BYTES]);

#endif
