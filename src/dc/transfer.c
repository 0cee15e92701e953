/*
 * dc/transfer.c - see transfer.h.
 *
 *   "gpx1" | from | to | flags | account:8 | expires:8 | nonce:16 | HMAC-SHA256 of all before:32
 *
 * Numbers are little-endian, of four bytes where nothing is said. Owns nothing.
 */
#include "dc/transfer.h"

#include "base/alloc.h"
#include "base/bytes.h"

#define MAGIC      0x31787067U
#define FLAG_BOT   1U
#define FLAG_MOVE  2U
#define FLAGS_ALL  3U
#define SEALED     (GAP_DC_TRANSFER_BYTES - GAP_SHA256_BYTES)
#define HMAC_BLOCK 64
#define PURPOSE    "gapless-dc transfer of an authorization"

int gap_dc_transfer_key(gap_crypto_t *crypto, const char *secret, uint8_t out[GAP_SHA256_BYTES])
{
    const gap_bytes_t pieces[] = {gap_bytes(PURPOSE, sizeof PURPOSE), /* its end included */
                                  gap_bytes(secret, strlen(secret))};

    return gap_sha256(crypto, pieces, GAP_ARRAY_LEN(pieces), out);
}

/* RFC 2104, for a key shorter than a block. */
static int hmac(gap_crypto_t *crypto, const uint8_t key[GAP_SHA256_BYTES], gap_bytes_t text,
                uint8_t out[GAP_SHA256_BYTES])
{
    uint8_t pad[HMAC_BLOCK];
    uint8_t inner[GAP_SHA256_BYTES];

    for (size_t i = 0; i < HMAC_BLOCK; i++)
        pad[i] = (uint8_t)(0x36 ^ (i < GAP_SHA256_BYTES ? key[i] : 0));
    const gap_bytes_t first[] = {gap_bytes(pad, sizeof pad), text};
    int r = gap_sha256(crypto, first, GAP_ARRAY_LEN(first), inner);
    for (size_t i = 0; i < HMAC_BLOCK; i++) pad[i] ^= 0x36 ^ 0x5c;
    const gap_bytes_t second[] = {gap_bytes(pad, sizeof pad), gap_bytes(inner, sizeof inner)};
    if (r == 0) r = gap_sha256(crypto, second, GAP_ARRAY_LEN(second), out);
    gap_wipe(pad, sizeof pad);
    return r;
}

int gap_dc_transfer_seal(gap_crypto_t *crypto, const uint8_t key[GAP_SHA256_BYTES],
                         const gap_dc_transfer_t *transfer, uint8_t out[GAP_DC_TRANSFER_BYTES])
{
    gap_store32(out, MAGIC);
    gap_store32(out + 4, (uint32_t)transfer->from);
    gap_store32(out + 8, (uint32_t)transfer->to);
    gap_store32(out + 12,
                (transfer->is_bot ? FLAG_BOT : 0U) | (transfer->is_move ? FLAG_MOVE : 0U));
    gap_store64(out + 16, (uint64_t)transfer->account);
    gap_store64(out + 24, transfer->expires_s);
    memcpy(out + 32, transfer->nonce, GAP_DC_TRANSFER_NONCE);
    return hmac(crypto, key, gap_bytes(out, SEALED), out + SEALED);
}

int gap_dc_transfer_open(gap_crypto_t *crypto, const uint8_t key[GAP_SHA256_BYTES],
                         gap_bytes_t bytes, gap_dc_transfer_t *out)
{
    const uint8_t *p = bytes.data;
    uint8_t mac[GAP_SHA256_BYTES];

    if (bytes.len != GAP_DC_TRANSFER_BYTES) return GAP_DC_TRANSFER_BAD;
    int r = hmac(crypto, key, gap_bytes(p, SEALED), mac);
    if (r < 0) return r;
    if (!gap_secret_equal(mac, p + SEALED, sizeof mac)) return GAP_DC_TRANSFER_BAD;
    if (gap_load32(p) != MAGIC || (gap_load32(p + 12) & ~FLAGS_ALL) != 0)
        return GAP_DC_TRANSFER_BAD;
    out->from = (int32_t)gap_load32(p + 4);
    out->to = (int32_t)gap_load32(p + 8);
    out->is_bot = (gap_load32(p + 12) & FLAG_BOT) != 0;
    out->is_move = (gap_load32(p + 12) & FLAG_MOVE) != 0;
    out->account = (int64_t)gap_load64(p + 16);
    out->expires_s = gap_load64(p + 24);
    memcpy(out->nonce, p + 32, GAP_DC_TRANSFER_NONCE);
    return 0;
}

int gap_dc_transfer_use(gap_dc_used_list_t *used, const gap_dc_transfer_t *transfer, uint64_t now_s)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < used->count; i++) {
        const struct gap_dc_used *u = &used->list[i];
        if (memcmp(u->nonce, transfer->nonce, sizeof u->nonce) == 0) return GAP_DC_TRANSFER_BAD;
    }
    for (uint32_t i = 0; i < used->count; i++)
        if (used->list[i].expires_s >= now_s) used->list[kept++] = used->list[i];
    used->count = kept;
    if (used->count == GAP_DC_IMPORTS_MAX) return GAP_E_LIMIT;
    struct gap_dc_used *u = &used->list[used->count++];
    u->expires_s = transfer->expires_s;
    memcpy(u->nonce, transfer->nonce, sizeof u->nonce);
    return 0;
}
