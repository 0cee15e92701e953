/*
 * runner/pace.h - how often and how soon: a bucket that lets so many things happen in a second, and
 * the pauses between attempts.
 *
 * Pure: time is an argument, chance a generator of the caller's.
 */
#ifndef GAP_RUNNER_PACE_H
#define GAP_RUNNER_PACE_H

#include "base/prng.h"

/** What may happen at once after a rest: what the pace allows in this time, at least one. */
#define GAP_PACE_BURST_US UINT64_C(50000)

typedef struct gap_pace {
    uint64_t next_us; /* when the next one would be due if they came evenly */
    uint32_t per_s;   /* 0: no limit */
} gap_pace_t;

/** @param per_s 0: no limit. What was spent before does not count any more. */
void gap_pace_init(gap_pace_t *p, uint32_t per_s);
/** May one happen now? @return 0 yes, and it has been counted; otherwise when it may, on the clock
 * of @p now_us. */
GAP_NODISCARD uint64_t gap_pace_take(gap_pace_t *p, uint64_t now_us);

/**
 * The pause after a number of failures in a row: min_us doubled for each one after the first, at
 * most max_us; of that a half to the whole, at random, so that what failed together does not come
 * back together.
 *
 * @param failures  > 0.
 */
uint64_t gap_retry_pause_us(uint32_t failures, uint64_t min_us, uint64_t max_us,
                            gap_prng_t *random);

#endif
