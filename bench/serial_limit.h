/*
 * bench/serial_limit.h - the yardstick for everything that decrypts: AES-256-CBC encryption and
 * SHA-256 of the same bytes, one after the other, by OpenSSL with contexts made beforehand. CBC
 * encryption is a chain as IGE is, and no packet can do with less work unless the two overlap.
 */
#ifndef GAP_BENCH_SERIAL_LIMIT_H
#define GAP_BENCH_SERIAL_LIMIT_H

#include <gapless/base.h>
#include <openssl/types.h>

typedef struct bench_serial_limit {
    EVP_CIPHER *cipher;
    EVP_MD *md;
    EVP_CIPHER_CTX *cipher_ctx;
    EVP_MD_CTX *md_ctx;
} bench_serial_limit_t;

/** @return 0; GAP_E_LIBCRYPTO (call fini in any case). */
GAP_NODISCARD int bench_serial_limit_init(bench_serial_limit_t *s);
void bench_serial_limit_fini(bench_serial_limit_t *s);
/** One packet: encrypt @p data in place (len a multiple of 16), then hash it. @return 0;
 * GAP_E_LIBCRYPTO. */
GAP_NODISCARD int bench_serial_limit_run(bench_serial_limit_t *s, uint8_t *data, size_t len);

#endif
