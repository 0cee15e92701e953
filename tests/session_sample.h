/* tests/session_sample.h - sessions to store: each number makes another one. */
#ifndef GAP_TESTS_SESSION_SAMPLE_H
#define GAP_TESTS_SESSION_SAMPLE_H

#include "base/prng.h"
#include "store/session_slot.h"

#include <check.h>
#include <string.h>

static inline void sample_bytes(gap_prng_t *p, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i++) out[i] = (uint8_t)gap_prng_next(p);
}

static inline void sample_dc(gap_prng_t *p, struct gap_session_dc *dc)
{
    dc->has_key = gap_prng_below(p, 4) > 0;
    dc->authorised = gap_prng_below(p, 2) > 0;
    if (dc->has_key) sample_bytes(p, dc->key, sizeof dc->key);
    dc->salt = gap_prng_next(p);
    dc->addr_count = (size_t)gap_prng_below(p, GAP_SESSION_ADDRS_MAX + 1);
    for (size_t i = 0; i < dc->addr_count; i++) {
        struct gap_session_addr *a = &dc->addrs[i];
        a->addr.v6 = gap_prng_below(p, 2) > 0;
        sample_bytes(p, a->addr.ip, a->addr.v6 ? 16 : 4);
        a->addr.port = (uint16_t)gap_prng_next(p);
        a->media_only = gap_prng_below(p, 2) > 0;
    }
}

/* @param number 0: nothing at all. */
static inline void sample_session(uint64_t number, struct gap_session_data *out)
{
    gap_prng_t p = {number};

    memset(out, 0, sizeof *out);
    if (number == 0) return;
    out->network = (int32_t)gap_prng_below(&p, 2);
    out->main_dc = (int32_t)gap_prng_below(&p, 6);
    out->api_id = (int32_t)gap_prng_next(&p);
    out->user_id = (int64_t)number;
    out->bot = gap_prng_below(&p, 2) > 0;
    out->dc_count = (size_t)gap_prng_below(&p, GAP_SESSION_DCS_MAX + 1);
    for (size_t i = 0; i < out->dc_count; i++) {
        sample_dc(&p, &out->dcs[i]);
        out->dcs[i].id = (int32_t)i + 1;
    }
    out->token_count = (size_t)gap_prng_below(&p, GAP_SESSION_TOKENS_MAX + 1);
    for (size_t i = 0; i < out->token_count; i++) {
        out->token_lens[i] = (size_t)gap_prng_below(&p, GAP_SESSION_TOKEN_BYTES + 1);
        sample_bytes(&p, out->tokens[i], out->token_lens[i]);
    }
}

static inline bool sample_addr_equal(const struct gap_session_addr *a,
                                     const struct gap_session_addr *b)
{
    return a->media_only == b->media_only && a->addr.v6 == b->addr.v6 &&
           a->addr.port == b->addr.port && memcmp(a->addr.ip, b->addr.ip, 16) == 0;
}

static inline bool sample_dc_equal(const struct gap_session_dc *a, const struct gap_session_dc *b)
{
    if (a->id != b->id || a->has_key != b->has_key || a->authorised != b->authorised) return false;
    if (memcmp(a->key, b->key, sizeof a->key) != 0 || a->salt != b->salt) return false;
    if (a->addr_count != b->addr_count) return false;
    for (size_t i = 0; i < a->addr_count; i++) {
        if (!sample_addr_equal(&a->addrs[i], &b->addrs[i])) return false;
    }
    return true;
}

/* Member by member, and nothing but zeroes beyond the counts. */
static inline bool sample_equal(const struct gap_session_data *a, const struct gap_session_data *b)
{
    if (a->network != b->network || a->main_dc != b->main_dc || a->api_id != b->api_id)
        return false;
    if (a->user_id != b->user_id || a->bot != b->bot) return false;
    if (a->dc_count != b->dc_count || a->token_count != b->token_count) return false;
    for (size_t i = 0; i < GAP_SESSION_DCS_MAX; i++) {
        if (!sample_dc_equal(&a->dcs[i], &b->dcs[i])) return false;
    }
    return memcmp(a->token_lens, b->token_lens, sizeof a->token_lens) == 0 &&
           memcmp(a->tokens, b->tokens, sizeof a->tokens) == 0;
}

#endif
