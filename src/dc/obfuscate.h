/*
 * dc/obfuscate.h - the server's end of an obfuscated connection ("obfuscated2"): a client's first
 * 64 bytes name the keys of two cipher streams and the framing inside. Pure.
 * (core.telegram.org/mtproto/mtproto-transports, "Transport obfuscation")
 */
#ifndef GAP_DC_OBFUSCATE_H
#define GAP_DC_OBFUSCATE_H

#include "crypto/crypto.h"
#include "crypto/ctr.h"

#define GAP_DC_OBFUSCATED_HEAD 64
#define GAP_DC_SECRET_BYTES    16

typedef struct gap_dc_obfuscation {
    gap_ctr_t rx;
    gap_ctr_t tx;
    uint32_t tag;   /* four bytes of the framing's tag */
    int16_t dc;     /* the data centre that the client wants; anything if it had no secret */
    bool is_secret; /* a secret was mixed in */
} gap_dc_obfuscation_t;

/**
 * Read a client's header.
 *
 * @param secret  GAP_DC_SECRET_BYTES mixed into both keys, or NULL.
 * @return 1 and the streams stand behind the header; 0 under this secret the header names no
 *         framing (nothing to fini); GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_dc_obfuscation_begin(gap_dc_obfuscation_t *o, gap_crypto_t *c,
                                           const uint8_t header[GAP_DC_OBFUSCATED_HEAD],
                                           const uint8_t *secret);
/** Safe twice and on a zeroed struct. */
void gap_dc_obfuscation_fini(gap_dc_obfuscation_t *o);

#endif
