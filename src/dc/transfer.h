/*
 * dc/transfer.h - the bytes that carry an authorization from one data centre to another. They share
 * no memory, so the bytes say everything and prove it: HMAC-SHA256 under a key that is derived from
 * --peer-secret. Pure but for the list of bytes that were used. (core.telegram.org/api/datacenter
 * tells what they are for, nobody tells what is in them.)
 */
#ifndef GAP_DC_TRANSFER_H
#define GAP_DC_TRANSFER_H

#include "crypto/crypto.h"
#include "dc/limits.h"

#define GAP_DC_TRANSFER_NONCE 16
#define GAP_DC_TRANSFER_BYTES (48 + GAP_SHA256_BYTES)

/** What the bytes say. */
typedef struct gap_dc_transfer {
    int32_t from; /* data centres */
    int32_t to;
    int64_t account;
    uint64_t expires_s; /* since 1970 */
    bool is_bot;
    bool is_move; /* the account lives in `to` from now on */
    uint8_t nonce[GAP_DC_TRANSFER_NONCE];
} gap_dc_transfer_t;

/** One that was used. */
struct gap_dc_used {
    uint64_t expires_s;
    uint8_t nonce[GAP_DC_TRANSFER_NONCE];
};

/** Zero-initialise; no resources. */
typedef struct gap_dc_used_list {
    struct gap_dc_used list[GAP_DC_IMPORTS_MAX];
    uint32_t count;
} gap_dc_used_list_t;

/** The key that data centres with the same secret share. @return 0; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dc_transfer_key(gap_crypto_t *crypto, const char *secret,
                                      uint8_t out[GAP_SHA256_BYTES]);
/** Write it down. @return 0; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dc_transfer_seal(gap_crypto_t *crypto, const uint8_t key[GAP_SHA256_BYTES],
                                       const gap_dc_transfer_t *transfer,
                                       uint8_t out[GAP_DC_TRANSFER_BYTES]);

#define GAP_DC_TRANSFER_BAD 1
/** Read what a client brings. @return 0; GAP_DC_TRANSFER_BAD nobody who knows the key wrote it;
 * GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dc_transfer_open(gap_crypto_t *crypto, const uint8_t key[GAP_SHA256_BYTES],
                                       gap_bytes_t bytes, gap_dc_transfer_t *out);

/** Use it up. @return 0; GAP_DC_TRANSFER_BAD it was used before; GAP_E_LIMIT too many have been
 * used that are not expired yet. */
GAP_NODISCARD int gap_dc_transfer_use(gap_dc_used_list_t *used, const gap_dc_transfer_t *transfer,
                                      uint64_t now_s);

#endif
