/* crypto/pq.h - the proof of work of the key exchange: the two factors of a 64-bit number. */
#ifndef GAP_CRYPTO_PQ_H
#define GAP_CRYPTO_PQ_H

#include <gapless/base.h>

/**
 * Split @p pq into its two prime factors, p < q. Takes well under a millisecond for the numbers
 * servers send, some milliseconds for the worst: slow work.
 * @return 0; GAP_E_PROTOCOL pq is not the product of two different primes (0, 1, a prime, a square,
 *         more than two factors). Any thread.
 */
GAP_NODISCARD int gap_pq_factor(uint64_t pq, uint64_t *p, uint64_t *q);

/** Is @p n prime? Exact for all 64-bit numbers. */
bool gap_is_prime64(uint64_t n);

/** Big-endian bytes of @p n without leading zeros. @return how many, 0 to 8. */
size_t gap_be_bytes(uint64_t n, uint8_t out[8]);

#endif
