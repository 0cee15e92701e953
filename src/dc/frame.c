/*
 * dc/frame.c - framing of the server's side.
 *
 *   UNKNOWN --first bytes--> ABRIDGED | INTERMEDIATE | PADDED | FULL, for the connection's life
 *           --64 bytes of an obfuscated connection--> one of the first three, through ciphers
 *
 * Owns the bytes received and not yet consumed, decrypted as they come, and the ciphers. Never
 * looks into a payload, except for the length of an encrypted one behind which padding may lie.
 */
#include "dc/frame.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "dc/limits.h"

#include <zlib.h>

#define FULL_OVERHEAD 12U /* length, number, checksum */

void gap_dc_framer_init(gap_dc_framer_t *f, const gap_alloc_t *alloc, uint32_t max_bytes)
{
    memset(f, 0, sizeof *f);
    gap_buf_init(&f->in, alloc);
    f->max_bytes = max_bytes;
}

void gap_dc_framer_obfuscated(gap_dc_framer_t *f, gap_crypto_t *crypto, const uint8_t *secret)
{
    f->crypto = crypto;
    f->secret = secret;
}

void gap_dc_framer_fini(gap_dc_framer_t *f)
{
    gap_dc_obfuscation_fini(&f->obfuscation);
    gap_buf_fini(&f->in);
}

static void drop_handed(gap_dc_framer_t *f)
{
    if (f->handed > 0) gap_buf_consume(&f->in, f->handed);
    f->handed = 0;
}

int gap_dc_framer_room(gap_dc_framer_t *f, uint8_t **buf, size_t *cap)
{
    drop_handed(f);
    int r = gap_buf_reserve(&f->in, 4096);
    if (r < 0) return r;
    *buf = f->in.data + f->in.len;
    *cap = f->in.cap - f->in.len;
    if (*cap > GAP_DC_READ_BYTES) *cap = GAP_DC_READ_BYTES;
    return 0;
}

void gap_dc_framer_filled(gap_dc_framer_t *f, size_t n)
{
    GAP_ASSERT(n <= f->in.cap - f->in.len);
    if (f->is_obfuscated && f->failure == 0)
        f->failure = gap_ctr_crypt(&f->obfuscation.rx, f->in.data + f->in.len, n);
    f->in.len += n;
}

/* Does a connection of another protocol begin so? None of ours does: clients draw again. */
static bool is_foreign(uint32_t first)
{
    static const uint32_t foreign[] = {
        0x44414548U, /* HEAD */
        0x54534f50U, /* POST */
        0x20544547U, /* GET */
        0x4954504fU, /* OPTI */
        0x02010316U, /* TLS */
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(foreign); i++)
        if (first == foreign[i]) return true;
    return false;
}

/* @return 1 decided, 64 bytes consumed and the rest decrypted; 0 too few bytes; negative. */
static int detect_obfuscated(gap_dc_framer_t *f)
{
    gap_bytes_t b = gap_buf_view(&f->in);
    int r = 0;

    if (f->crypto == NULL) return GAP_E_PROTOCOL;
    if (b.len < GAP_DC_OBFUSCATED_HEAD) return 0;
    if (f->secret != NULL)
        r = gap_dc_obfuscation_begin(&f->obfuscation, f->crypto, b.data, f->secret);
    if (r == 0) r = gap_dc_obfuscation_begin(&f->obfuscation, f->crypto, b.data, NULL);
    if (r <= 0) return r < 0 ? r : GAP_E_PROTOCOL;
    f->is_obfuscated = true;
    f->transport = f->obfuscation.tag == 0xefefefefU   ? GAP_DC_ABRIDGED
                   : f->obfuscation.tag == 0xeeeeeeeeU ? GAP_DC_INTERMEDIATE
                                                       : GAP_DC_PADDED;
    gap_buf_consume(&f->in, GAP_DC_OBFUSCATED_HEAD);
    r = gap_ctr_crypt(&f->obfuscation.rx, f->in.data + f->in.head, f->in.len - f->in.head);
    return r < 0 ? r : 1;
}

/* Decide on the transport. @return 1 decided, its tag consumed; 0 too few bytes; GAP_E_PROTOCOL. */
static int detect(gap_dc_framer_t *f)
{
    gap_bytes_t b = gap_buf_view(&f->in);
    size_t tag = 4;

    if (b.len == 0) return 0;
    if (b.data[0] == 0xef) {
        f->transport = GAP_DC_ABRIDGED;
        tag = 1;
    } else if (b.len < 4) {
        return 0;
    } else if (gap_load32(b.data) == 0xeeeeeeeeU) {
        f->transport = GAP_DC_INTERMEDIATE;
    } else if (gap_load32(b.data) == 0xddddddddU) {
        f->transport = GAP_DC_PADDED;
    } else if (is_foreign(gap_load32(b.data))) {
        return GAP_E_PROTOCOL;
    } else if (b.len < 8) {
        return 0;
    } else if (gap_load32(b.data + 4) == 0) {
        f->transport = GAP_DC_FULL;
        tag = 0;
    } else {
        return detect_obfuscated(f);
    }
    gap_buf_consume(&f->in, tag);
    return 1;
}

/* Head of an abridged frame. @return 1 with head, body and quick; 0. */
static int head_abridged(gap_bytes_t b, size_t *head, size_t *body, bool *quick)
{
    if (b.len < 1) return 0;
    *quick = (b.data[0] & 0x80) != 0;
    size_t words = b.data[0] & 0x7f;
    *head = 1;
    if (words == 0x7f) {
        if (b.len < 4) return 0;
        words = (size_t)b.data[1] | (size_t)b.data[2] << 8 | (size_t)b.data[3] << 16;
        *head = 4;
    }
    *body = words * 4;
    return 1;
}

static int head_intermediate(gap_bytes_t b, size_t *head, size_t *body, bool *quick)
{
    if (b.len < 4) return 0;
    uint32_t n = gap_load32(b.data);
    *quick = (n & 0x80000000U) != 0;
    *head = 4;
    *body = n & 0x7fffffffU;
    return 1;
}

static int head_full(gap_bytes_t b, size_t *head, size_t *body, bool *quick)
{
    if (b.len < 4) return 0;
    uint32_t n = gap_load32(b.data);
    *quick = false;
    *head = 8;
    if (n < FULL_OVERHEAD) return GAP_E_PROTOCOL;
    *body = n - FULL_OVERHEAD;
    return 1;
}

static int check_full(gap_dc_framer_t *f, const uint8_t *frame, size_t body)
{
    uint32_t crc = (uint32_t)crc32(crc32(0, NULL, 0), frame, (uInt)(8 + body));

    if (gap_load32(frame + 4) != f->in_seq) return GAP_E_PROTOCOL;
    if (gap_load32(frame + 8 + body) != crc) return GAP_E_PROTOCOL;
    f->in_seq++;
    return 1;
}

int gap_dc_framer_next(gap_dc_framer_t *f, uint8_t **payload, size_t *len, bool *quick_ack)
{
    size_t head = 0;
    size_t body = 0;
    int r = 1;

    drop_handed(f);
    if (f->failure < 0) return f->failure;
    if (f->transport == GAP_DC_UNKNOWN && (r = detect(f)) <= 0) return r;
    gap_bytes_t b = gap_buf_view(&f->in);
    if (f->transport == GAP_DC_ABRIDGED)
        r = head_abridged(b, &head, &body, quick_ack);
    else if (f->transport == GAP_DC_FULL)
        r = head_full(b, &head, &body, quick_ack);
    else
        r = head_intermediate(b, &head, &body, quick_ack);
    if (r <= 0) return r;
    if (body > f->max_bytes) return GAP_E_LIMIT;
    if (body < 4 || (body % 4 != 0 && f->transport != GAP_DC_PADDED)) return GAP_E_PROTOCOL;
    size_t tail = f->transport == GAP_DC_FULL ? 4 : 0;
    if (b.len < head + body + tail) return 0;
    if (tail > 0 && (r = check_full(f, b.data, body)) < 0) return r;
    f->handed = head + body + tail;
    *payload = f->in.data + f->in.head + head;
    *len = body;
    return 1;
}

/* The frame, in clear. */
static gap_bytes_t frame(gap_dc_framer_t *f, uint8_t *payload, size_t len,
                         const uint8_t filler[GAP_DC_FRAME_TAIL])
{
    uint8_t *head = payload - 4;

    if (f->transport == GAP_DC_ABRIDGED) {
        size_t words = len / 4;
        if (words < 0x7f) {
            payload[-1] = (uint8_t)words;
            return gap_bytes(payload - 1, len + 1);
        }
        gap_store32(head, (uint32_t)words << 8 | 0x7f);
        return gap_bytes(head, len + 4);
    }
    if (f->transport == GAP_DC_FULL) {
        head = payload - 8;
        gap_store32(head, (uint32_t)len + FULL_OVERHEAD);
        gap_store32(head + 4, f->out_seq++);
        gap_store32(payload + len, (uint32_t)crc32(crc32(0, NULL, 0), head, (uInt)(len + 8)));
        return gap_bytes(head, len + FULL_OVERHEAD);
    }
    size_t pad = f->transport == GAP_DC_PADDED ? filler[0] & 15U : 0;
    /* A transport error is told by its length: padding must not make it look like a message. */
    if (len == 4 && pad > 7) pad = 7;
    memcpy(payload + len, filler + 1, pad);
    gap_store32(head, (uint32_t)(len + pad));
    return gap_bytes(head, len + pad + 4);
}

/* What goes on the wire is passed through the cipher. */
static int obfuscate(gap_dc_framer_t *f, uint8_t *bytes, size_t len)
{
    if (f->is_obfuscated && f->failure == 0)
        f->failure = gap_ctr_crypt(&f->obfuscation.tx, bytes, len);
    return f->failure;
}

int gap_dc_framer_wrap(gap_dc_framer_t *f, uint8_t *payload, size_t len,
                       const uint8_t filler[GAP_DC_FRAME_TAIL], gap_bytes_t *out)
{
    gap_bytes_t b = frame(f, payload, len, filler);
    int r = obfuscate(f, payload - (payload - b.data), b.len);

    if (r == 0) *out = b;
    return r;
}

int gap_dc_framer_quick_ack(gap_dc_framer_t *f, uint32_t token, uint8_t out[GAP_DC_QUICK_ACK_MAX],
                            size_t *len)
{
    *len = 4;
    if (f->transport == GAP_DC_PADDED) {
        /* An ordinary frame here: a length in clear would be mistaken for one. */
        gap_store32(out, 8);
        gap_store32(out + 4, UINT32_MAX);
        gap_store32(out + 8, token);
        *len = 12;
    } else if (f->transport == GAP_DC_ABRIDGED) {
        for (unsigned i = 0; i < 4; i++) out[i] = (uint8_t)(token >> (24 - 8 * i));
    } else {
        gap_store32(out, token);
    }
    return obfuscate(f, out, *len);
}

size_t gap_dc_framer_trim(const gap_dc_framer_t *f, const uint8_t *payload, size_t len)
{
    if (f->transport != GAP_DC_PADDED || len < 24) return len;
    if (gap_load64(payload) == 0) return len;
    return len - (len - 24) % 16;
}
