/*
 * crypto/srp.h - the two-step password: Secure Remote Password as Telegram has it
 * (core.telegram.org/api/srp). The client proves the password without showing it; the server's half
 * is what the simulated data centre uses.
 *
 * Slow: 100,000 rounds of PBKDF2 and powers modulo a 2048-bit prime. On a worker thread, never on
 * the loop. Contexts of its own: any thread. Everything secret is wiped before a function returns.
 */
#ifndef GAP_CRYPTO_SRP_H
#define GAP_CRYPTO_SRP_H

#include "crypto/crypto.h"
#include "crypto/dh.h"

/** passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow; views. */
typedef struct gap_srp_algo {
    gap_bytes_t salt1;
    gap_bytes_t salt2;
    int32_t g;
    gap_bytes_t p; /* 256 bytes, big-endian */
} gap_srp_algo_t;

/** inputCheckPasswordSRP without its id. */
typedef struct gap_srp_proof {
    uint8_t a[GAP_DH_BYTES];      /* A */
    uint8_t m1[GAP_SHA256_BYTES]; /* M1 */
} gap_srp_proof_t;

/**
 * The client's proof. p and g are checked as in the key exchange, B for its range.
 * @param password  UTF-8. @param b  srp_B, at most 256 bytes. @param random  256 bytes are drawn,
 *        and again as long as they lead to an A that is out of range (hardly ever).
 * @return 0; GAP_E_CRYPTO a check failed: not a server to show a password to; GAP_E_ARGUMENT a salt
 *         of 2 GiB; GAP_E_LIBCRYPTO; what random returned.
 */
GAP_NODISCARD int gap_srp_prove(gap_bytes_t password, const gap_srp_algo_t *algo, gap_bytes_t b,
                                const gap_random_t *random, gap_srp_proof_t *out);

/** What a server keeps of a password: g^x mod p. Also new_password_hash of
 * account.updatePasswordSettings. @return as gap_srp_prove. */
GAP_NODISCARD int gap_srp_verifier(gap_bytes_t password, const gap_srp_algo_t *algo,
                                   uint8_t out[GAP_DH_BYTES]);
/** The server's public value for its secret @p b: (k * v + g^b) mod p. */
GAP_NODISCARD int gap_srp_server_public(const gap_srp_algo_t *algo, const uint8_t v[GAP_DH_BYTES],
                                        const uint8_t b[GAP_DH_BYTES], uint8_t out[GAP_DH_BYTES]);
/** Does the proof show the password of @p v? @return 0; 1 it does not (GAP_SRP_WRONG);
 * GAP_E_CRYPTO A is out of range; GAP_E_LIBCRYPTO. */
#define GAP_SRP_WRONG 1
GAP_NODISCARD int gap_srp_check(const gap_srp_algo_t *algo, const uint8_t v[GAP_DH_BYTES],
                                const uint8_t b[GAP_DH_BYTES], const gap_srp_proof_t *proof);

#endif
