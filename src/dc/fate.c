/*
 * dc/fate.c - chance, drawn from what a push or a call is and not from when it comes: the same seed
 * gives the same fates however the machine was loaded. Owns nothing.
 *
 * What becomes of an answer is drawn behind what becomes of its call, from the same stream: a seed
 * keeps the refusals that it had.
 */
#include "base/prng.h"
#include "dc/server.h"

#define SALT_PUSH   0x70757368U
#define SALT_CALL   0x63616c6cU
#define SALT_REFUSE 0x72656675U

static gap_prng_t draw(uint64_t seed, uint64_t salt, uint64_t a, uint64_t b)
{
    gap_prng_t p = {gap_hash64(gap_hash64(gap_hash64(seed ^ salt) + a) + b)};
    return p;
}

gap_dc_fate_t gap_dc_fate(const gap_dc_options_t *o, uint32_t index, int64_t account,
                          uint32_t ordinal, bool is_clean, bool has_box)
{
    gap_prng_t p = draw(o->seed, SALT_PUSH + ordinal, index, (uint64_t)account);
    gap_dc_fate_t f = {DC_SENT, 0};
    bool lost = gap_prng_unit(&p) < o->loss;
    bool late = gap_prng_unit(&p) < o->reorder;
    bool twice = gap_prng_unit(&p) < o->duplicate;
    uint64_t late_us = 1 + gap_prng_below(&p, (uint64_t)o->reorder_ms * 1000 + 1);

    /* Every client must be able to notice a gap, and what no difference brings must come. */
    if (is_clean) return f;
    if (lost && has_box) {
        f.fate = DC_DROPPED;
    } else if (late && o->reorder_ms > 0) {
        f.fate = DC_LATE;
        f.late_us = late_us;
    } else if (twice) {
        f.fate = DC_TWICE;
    }
    return f;
}

/** The first rule that hits. */
static const gap_dc_refusal_t *refusal(const gap_dc_options_t *o, int64_t account, uint32_t index,
                                       uint32_t method)
{
    for (uint32_t i = 0; i < o->refusal_count; i++) {
        gap_prng_t p = draw(o->seed, SALT_REFUSE + i, index, (uint64_t)account);
        if (gap_dc_methods_have(&o->refusals[i].methods, method) &&
            gap_prng_unit(&p) < o->refusals[i].chance)
            return &o->refusals[i];
    }
    return NULL;
}

gap_dc_call_fate_t gap_dc_call_fate(const gap_dc_options_t *o, int64_t account, uint32_t index,
                                    uint32_t method)
{
    gap_prng_t p = draw(o->seed, SALT_CALL, index, (uint64_t)account);
    gap_dc_call_fate_t f = {0, NULL, GAP_DC_FAITHFUL, 0};
    const gap_dc_refusal_t *refused = refusal(o, account, index, method);
    bool fails = gap_prng_unit(&p) < o->rpc_error;
    bool floods = gap_prng_unit(&p) < o->flood;
    bool is_dropped = gap_prng_unit(&p) < o->drop_answer;
    bool is_lost = gap_prng_unit(&p) < o->lose_session;
    uint64_t late_us = gap_prng_below(&p, (uint64_t)o->answer_ms * 1000 + 1);

    if (fails) {
        f.code = 500;
        f.text = "RPC_CALL_FAIL";
    } else if (floods) {
        f.code = 420;
        f.text = "FLOOD_WAIT_1";
    } else if (refused != NULL) {
        f.code = refused->code;
        f.text = refused->text;
    }
    if (f.code != 0) return f;
    if (is_dropped && gap_dc_methods_have(&o->drop_methods, method))
        f.answer = GAP_DC_ANSWER_DROPPED;
    else if (is_lost && gap_dc_methods_have(&o->lose_methods, method))
        f.answer = GAP_DC_SESSION_LOST;
    else
        f.late_us = late_us;
    return f;
}
