/*
 * tests/fuzz/fuzz_dc_frame.c - the data centre's frame reader. Byte 0 says into pieces of how many
 * bytes the rest is cut; the outcome must not depend on it. Obfuscated connections may use a
 * secret.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/frame.h"

#include <zlib.h>

#define MAX_BYTES 8192U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    int result;
    uint32_t crc;
    uint32_t frames;
};

static gap_crypto_t crypto;

static void take(gap_dc_framer_t *f, struct outcome *o)
{
    uint8_t *payload;
    size_t len;
    bool quick;

    while ((o->result = gap_dc_framer_next(f, &payload, &len, &quick)) > 0) {
        GAP_ASSERT(len >= 4);
        GAP_ASSERT(len <= MAX_BYTES);
        o->crc = (uint32_t)crc32(o->crc, payload, (uInt)len);
        o->frames++;
    }
}

static struct outcome read_all(const uint8_t *data, size_t size, size_t step)
{
    struct outcome o = {0, 0, 0};
    gap_dc_framer_t f;

    static const uint8_t secret[GAP_DC_SECRET_BYTES] = {0x40, 0xa5, 0x75, 0xd9, 0xf3, 0x8a,
                                                        0x8b, 0xc0, 0x3e, 0x64, 0x44, 0x37,
                                                        0xef, 0x55, 0xe7, 0x5f};

    gap_dc_framer_init(&f, gap_alloc_default(), MAX_BYTES);
    gap_dc_framer_obfuscated(&f, &crypto, secret);
    for (size_t at = 0; at < size && o.result == 0;) {
        uint8_t *buf;
        size_t cap;
        if (gap_dc_framer_room(&f, &buf, &cap) < 0) break;
        size_t n = size - at < step ? size - at : step;
        if (n > cap) n = cap;
        memcpy(buf, data + at, n);
        gap_dc_framer_filled(&f, n);
        at += n;
        take(&f, &o);
    }
    gap_dc_framer_fini(&f);
    return o;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;

    if (size == 0) return 0;
    if (!is_ready && gap_crypto_init(&crypto) < 0) return 0;
    is_ready = true;
    struct outcome whole = read_all(data + 1, size - 1, size);
    struct outcome pieces = read_all(data + 1, size - 1, (size_t)data[0] + 1);
    GAP_ASSERT(whole.result == pieces.result);
    GAP_ASSERT(whole.crc == pieces.crc);
    GAP_ASSERT(whole.frames == pieces.frames);
    return 0;
}
