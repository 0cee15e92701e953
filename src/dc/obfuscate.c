/*
 * dc/obfuscate.c - what an obfuscated connection begins with.
 *
 * The client's bytes 8..39 are the key and 40..55 the counter of its own stream, in clear; the same
 * 48 bytes reversed are those of ours. Its stream runs over the header itself, whose last eight
 * bytes are sent encrypted: the framing's tag, the data centre's id.
 * Owns two cipher streams. Never keeps a secret.
 */
#include "dc/obfuscate.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <string.h>

#define KEYS_AT    8
#define KEY_BYTES  32
#define KEYS_BYTES 48
#define TAG_AT     56
#define DC_AT      60

/* The stream of 32 bytes of key and 16 of counter. */
static int begin(gap_ctr_t *s, gap_crypto_t *c, const uint8_t keys[KEYS_BYTES],
                 const uint8_t *secret)
{
    uint8_t mixed[GAP_SHA256_BYTES];
    const gap_bytes_t pieces[2] = {{keys, KEY_BYTES}, {secret, GAP_DC_SECRET_BYTES}};
    int r;

    if (secret == NULL) return gap_ctr_init(s, keys, keys + KEY_BYTES);
    r = gap_sha256(c, pieces, 2, mixed);
    if (r == 0) r = gap_ctr_init(s, mixed, keys + KEY_BYTES);
    gap_wipe(mixed, sizeof mixed);
    return r;
}

static bool is_tag(uint32_t tag)
{
    return tag == 0xefefefefU || tag == 0xeeeeeeeeU || tag == 0xddddddddU;
}

int gap_dc_obfuscation_begin(gap_dc_obfuscation_t *o, gap_crypto_t *c,
                             const uint8_t header[GAP_DC_OBFUSCATED_HEAD], const uint8_t *secret)
{
    uint8_t plain[GAP_DC_OBFUSCATED_HEAD];
    uint8_t reversed[KEYS_BYTES];
    int r;

    memset(o, 0, sizeof *o);
    memcpy(plain, header, sizeof plain);
    for (size_t i = 0; i < KEYS_BYTES; i++) reversed[i] = header[KEYS_AT + KEYS_BYTES - 1 - i];
    r = begin(&o->rx, c, header + KEYS_AT, secret);
    if (r == 0) r = gap_ctr_crypt(&o->rx, plain, sizeof plain);
    if (r == 0) r = begin(&o->tx, c, reversed, secret);
    gap_wipe(reversed, sizeof reversed);
    if (r == 0) {
        o->tag = gap_load32(plain + TAG_AT);
        o->dc = (int16_t)(uint16_t)(plain[DC_AT] | plain[DC_AT + 1] << 8);
        o->is_secret = secret != NULL;
        if (is_tag(o->tag)) return 1;
    }
    gap_dc_obfuscation_fini(o);
    return r;
}

void gap_dc_obfuscation_fini(gap_dc_obfuscation_t *o)
{
    gap_ctr_fini(&o->rx);
    gap_ctr_fini(&o->tx);
}
