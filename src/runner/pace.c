/*
 * runner/pace.c - see pace.h. The bucket is a single time: the moment at which the next one would
 * be due if all came evenly. It may lie up to the burst in the past, never more.
 *
 * Owns nothing. Never: reads a clock.
 */
#include "runner/pace.h"

#include "base/assert.h"

#define SECOND_US UINT64_C(1000000)

void gap_pace_init(gap_pace_t *p, uint32_t per_s)
{
    p->next_us = 0;
    p->per_s = per_s;
}

uint64_t gap_pace_take(gap_pace_t *p, uint64_t now_us)
{
    if (p->per_s == 0) return 0;
    uint64_t each = SECOND_US / p->per_s;
    if (each == 0) each = 1;
    uint64_t burst = each > GAP_PACE_BURST_US ? 0 : GAP_PACE_BURST_US - each;
    if (p->next_us + burst < now_us) p->next_us = now_us - burst;
    if (p->next_us > now_us) return p->next_us;
    p->next_us += each;
    return 0;
}

uint64_t gap_retry_pause_us(uint32_t failures, uint64_t min_us, uint64_t max_us, gap_prng_t *random)
{
    uint64_t pause = min_us;

    GAP_ASSERT(failures > 0);
    if (pause > max_us) pause = max_us;
    for (uint32_t i = 1; i < failures && pause < max_us; i++)
        pause = pause > max_us / 2 ? max_us : pause * 2;
    return pause - gap_prng_below(random, pause / 2 + 1);
}
