/*
 * store/session_slot.c - the bytes of a session file. Pure.
 *
 * Owns nothing. Never: trusts a length, a count or an order that it reads.
 */
#include "store/session_slot.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <openssl/evp.h>

#define HASH_BYTES     32
#define BODY_AT        44 /* hash, generation, length */
#define MAGIC_BYTES    16
#define ADDR_BYTES     19
#define DC_BYTES_MAX   (4 + 1 + GAP_SESSION_KEY_BYTES + 8 + 1 + GAP_SESSION_ADDRS_MAX * ADDR_BYTES)
#define TOKENS_BYTES   (1 + GAP_SESSION_TOKENS_MAX * (1 + GAP_SESSION_TOKEN_BYTES))
#define BODY_BYTES_MAX (21 + 1 + GAP_SESSION_DCS_MAX * DC_BYTES_MAX + TOKENS_BYTES)

_Static_assert(BODY_AT + BODY_BYTES_MAX <= GAP_SESSION_SLOT_BYTES, "all of it fits a slot");

enum { DC_HAS_KEY = 1, DC_AUTHORISED = 2 };
enum { ADDR_V6 = 1, ADDR_MEDIA_ONLY = 2 };

static const uint8_t magic_made[MAGIC_BYTES] = {'G', 'a', 'p', 'l', 'e', 's', 's', '-',
                                                's', 'e', 's', 's', 'i', 'o', 'n', '\n'};

/* ---- the header ---- */

void gap_session_header_write(bool made, uint8_t out[GAP_SESSION_HEADER_BYTES])
{
    memset(out, 0, GAP_SESSION_HEADER_BYTES);
    memcpy(out, magic_made, MAGIC_BYTES);
    if (!made) out[0] = 'g';
    gap_store32(out + MAGIC_BYTES, GAP_SESSION_VERSION);
}

/* What a crash may leave of a header that was never synced: its first bytes, then zeroes. */
static bool is_begun_header(const uint8_t *bytes, size_t len)
{
    uint8_t header[GAP_SESSION_HEADER_BYTES];
    size_t at = 0;

    gap_session_header_write(false, header);
    while (at < len && bytes[at] == header[at]) at++;
    while (at < len && bytes[at] == 0) at++;
    return at == len;
}

int gap_session_header_read(const uint8_t *bytes, size_t len, uint64_t size, bool *made)
{
    size_t shown = len < MAGIC_BYTES ? len : MAGIC_BYTES;

    if (len > GAP_SESSION_HEADER_BYTES) len = GAP_SESSION_HEADER_BYTES;
    if (size <= GAP_SESSION_HEADER_BYTES && is_begun_header(bytes, len)) return GAP_SESSION_BLANK;
    if (len == 0) return GAP_E_DAMAGED; /* it shrank between two looks */
    if (bytes[0] != 'G' && bytes[0] != 'g') return GAP_E_FOREIGN;
    if (memcmp(bytes + 1, magic_made + 1, shown - 1) != 0) return GAP_E_FOREIGN;
    if (len < MAGIC_BYTES + 4) return GAP_E_DAMAGED;
    uint32_t version = gap_load32(bytes + MAGIC_BYTES);
    if (version > GAP_SESSION_VERSION) return GAP_E_NEWER;
    if (version == 0) return GAP_E_FOREIGN;
    if (len < GAP_SESSION_HEADER_BYTES) return GAP_E_DAMAGED;
    *made = bytes[0] == 'G';
    return 0;
}

/* ---- writing ---- */

static int hash_slot(const uint8_t *slot, uint8_t out[HASH_BYTES])
{
    unsigned len = 0;
    int ok = EVP_Digest(slot + HASH_BYTES, GAP_SESSION_SLOT_BYTES - HASH_BYTES, out, &len,
                        EVP_sha256(), NULL);

    return ok == 1 && len == HASH_BYTES ? 0 : GAP_E_LIBCRYPTO;
}

static uint8_t *put8(uint8_t *p, uint8_t v)
{
    *p = v;
    return p + 1;
}

static uint8_t *put32(uint8_t *p, uint32_t v)
{
    gap_store32(p, v);
    return p + 4;
}

static uint8_t *put64(uint8_t *p, uint64_t v)
{
    gap_store64(p, v);
    return p + 8;
}

static uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t len)
{
    memcpy(p, bytes, len);
    return p + len;
}

static uint8_t *put_addr(uint8_t *p, const struct gap_session_addr *a)
{
    uint8_t ip[16] = {0};

    memcpy(ip, a->addr.ip, a->addr.v6 ? 16 : 4);
    p = put8(p, (uint8_t)((a->addr.v6 ? ADDR_V6 : 0) | (a->media_only ? ADDR_MEDIA_ONLY : 0)));
    p = put_bytes(p, ip, sizeof ip);
    p = put8(p, (uint8_t)a->addr.port);
    return put8(p, (uint8_t)(a->addr.port >> 8));
}

static uint8_t *put_dc(uint8_t *p, const struct gap_session_dc *dc)
{
    GAP_ASSERT(dc->addr_count <= GAP_SESSION_ADDRS_MAX);
    p = put32(p, (uint32_t)dc->id);
    p = put8(p, (uint8_t)((dc->has_key ? DC_HAS_KEY : 0) | (dc->authorised ? DC_AUTHORISED : 0)));
    if (dc->has_key) p = put_bytes(p, dc->key, sizeof dc->key);
    p = put64(p, dc->salt);
    p = put8(p, (uint8_t)dc->addr_count);
    for (size_t i = 0; i < dc->addr_count; i++) p = put_addr(p, &dc->addrs[i]);
    return p;
}

static uint8_t *put_data(uint8_t *p, const struct gap_session_data *d)
{
    GAP_ASSERT(d->dc_count <= GAP_SESSION_DCS_MAX);
    GAP_ASSERT(d->token_count <= GAP_SESSION_TOKENS_MAX);
    p = put32(p, (uint32_t)d->network);
    p = put32(p, (uint32_t)d->main_dc);
    p = put32(p, (uint32_t)d->api_id);
    p = put64(p, (uint64_t)d->user_id);
    p = put8(p, d->bot ? 1 : 0);
    p = put8(p, (uint8_t)d->dc_count);
    for (size_t i = 0; i < d->dc_count; i++) {
        for (size_t j = 0; j < i; j++) GAP_ASSERT(d->dcs[j].id != d->dcs[i].id);
        p = put_dc(p, &d->dcs[i]);
    }
    p = put8(p, (uint8_t)d->token_count);
    for (size_t i = 0; i < d->token_count; i++) {
        GAP_ASSERT(d->token_lens[i] <= GAP_SESSION_TOKEN_BYTES);
        p = put8(p, (uint8_t)d->token_lens[i]);
        p = put_bytes(p, d->tokens[i], d->token_lens[i]);
    }
    return p;
}

int gap_session_slot_write(const struct gap_session_data *data, uint64_t generation,
                           uint8_t out[GAP_SESSION_SLOT_BYTES])
{
    GAP_ASSERT(generation > 0);
    GAP_ASSERT(generation <= GAP_SESSION_GENERATION_MAX);
    memset(out, 0, GAP_SESSION_SLOT_BYTES);
    gap_store64(out + HASH_BYTES, generation);
    uint8_t *end = put_data(out + BODY_AT, data);
    gap_store32(out + HASH_BYTES + 8, (uint32_t)(end - (out + BODY_AT)));
    int r = hash_slot(out, out);
    if (r < 0) gap_wipe(out, GAP_SESSION_SLOT_BYTES);
    return r;
}

/* ---- reading ---- */

/* What is left to read. Reading past its end yields zeroes and is told at last. */
struct cursor {
    const uint8_t *p;
    size_t left;
    bool bad;
};

static bool take(struct cursor *c, void *out, size_t len)
{
    if (c->bad || len > c->left) {
        c->bad = true;
        memset(out, 0, len);
        return false;
    }
    memcpy(out, c->p, len);
    c->p += len;
    c->left -= len;
    return true;
}

static uint8_t take8(struct cursor *c)
{
    uint8_t v;

    (void)take(c, &v, 1);
    return v;
}

static uint32_t take32(struct cursor *c)
{
    uint8_t bytes[4];

    (void)take(c, bytes, sizeof bytes);
    return gap_load32(bytes);
}

static uint64_t take64(struct cursor *c)
{
    uint8_t bytes[8];

    (void)take(c, bytes, sizeof bytes);
    return gap_load64(bytes);
}

/* A byte of at most @p max. */
static uint8_t take_up_to(struct cursor *c, uint8_t max)
{
    uint8_t v = take8(c);

    if (v <= max) return v;
    c->bad = true;
    return 0;
}

static void take_addr(struct cursor *c, struct gap_session_addr *a)
{
    static const uint8_t zeroes[12];
    uint8_t flags = take_up_to(c, ADDR_V6 | ADDR_MEDIA_ONLY);

    a->addr.v6 = (flags & ADDR_V6) != 0;
    a->media_only = (flags & ADDR_MEDIA_ONLY) != 0;
    (void)take(c, a->addr.ip, sizeof a->addr.ip);
    if (!a->addr.v6 && memcmp(a->addr.ip + 4, zeroes, sizeof zeroes) != 0) c->bad = true;
    a->addr.port = take8(c);
    a->addr.port = (uint16_t)(a->addr.port | take8(c) << 8);
}

static void take_dc(struct cursor *c, struct gap_session_dc *dc)
{
    dc->id = (int32_t)take32(c);
    uint8_t flags = take_up_to(c, DC_HAS_KEY | DC_AUTHORISED);
    dc->has_key = (flags & DC_HAS_KEY) != 0;
    dc->authorised = (flags & DC_AUTHORISED) != 0;
    if (dc->has_key) (void)take(c, dc->key, sizeof dc->key);
    dc->salt = take64(c);
    dc->addr_count = take_up_to(c, GAP_SESSION_ADDRS_MAX);
    for (size_t i = 0; i < dc->addr_count; i++) take_addr(c, &dc->addrs[i]);
}

static void take_dcs(struct cursor *c, struct gap_session_data *d)
{
    size_t count = take_up_to(c, GAP_SESSION_DCS_MAX);

    for (size_t i = 0; i < count && !c->bad; i++) {
        take_dc(c, &d->dcs[i]);
        if (gap_session_find_dc(d, d->dcs[i].id) != NULL) c->bad = true; /* twice */
        d->dc_count = i + 1;
    }
}

static void take_data(struct cursor *c, struct gap_session_data *d)
{
    memset(d, 0, sizeof *d);
    d->network = (int32_t)take32(c);
    d->main_dc = (int32_t)take32(c);
    d->api_id = (int32_t)take32(c);
    d->user_id = (int64_t)take64(c);
    d->bot = take_up_to(c, 1) != 0;
    take_dcs(c, d);
    d->token_count = take_up_to(c, GAP_SESSION_TOKENS_MAX);
    for (size_t i = 0; i < d->token_count; i++) {
        d->token_lens[i] = take_up_to(c, GAP_SESSION_TOKEN_BYTES);
        (void)take(c, d->tokens[i], d->token_lens[i]);
    }
    if (c->left > 0) c->bad = true;
}

int gap_session_slot_read(const uint8_t *slot, size_t len, uint64_t *generation,
                          struct gap_session_data *data)
{
    uint8_t hash[HASH_BYTES];

    if (len < GAP_SESSION_SLOT_BYTES) return GAP_SESSION_NOT_WHOLE;
    int r = hash_slot(slot, hash);
    if (r < 0) return r;
    uint64_t number = gap_load64(slot + HASH_BYTES);
    uint32_t body = gap_load32(slot + HASH_BYTES + 8);
    if (memcmp(hash, slot, HASH_BYTES) != 0) return GAP_SESSION_NOT_WHOLE;
    if (number == 0 || number > GAP_SESSION_GENERATION_MAX) return GAP_SESSION_NOT_WHOLE;
    if (body > GAP_SESSION_SLOT_BYTES - BODY_AT) return GAP_SESSION_NOT_WHOLE;
    struct cursor c = {slot + BODY_AT, body, false};
    take_data(&c, data);
    if (c.bad) return GAP_SESSION_NOT_WHOLE;
    *generation = number;
    return 0;
}

/* ---- data centres ---- */

struct gap_session_dc *gap_session_find_dc(struct gap_session_data *d, int32_t id)
{
    for (size_t i = 0; i < d->dc_count; i++) {
        if (d->dcs[i].id == id) return &d->dcs[i];
    }
    return NULL;
}

struct gap_session_dc *gap_session_make_dc(struct gap_session_data *d, int32_t id)
{
    struct gap_session_dc *dc = gap_session_find_dc(d, id);

    if (dc != NULL || d->dc_count == GAP_SESSION_DCS_MAX) return dc;
    dc = &d->dcs[d->dc_count++];
    memset(dc, 0, sizeof *dc);
    dc->id = id;
    return dc;
}
