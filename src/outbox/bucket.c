/*
 * outbox/bucket.c - token buckets on integers, and the clock that they go by.
 *
 * A bucket of burst * per_us units gets `calls` of them with each microsecond; a call costs per_us.
 * With the maxima of a rate that is below 2^62, so that no sum runs over.
 */
#include "outbox/bucket.h"

#include "base/assert.h"
#include "base/prng.h"

#define SET_US INT64_C(1000000)

struct gap_rate gap_rate_of(const gap_outbox_rate_t *given, struct gap_rate otherwise)
{
    struct gap_rate rate = otherwise;

    if (given->calls > 0) {
        rate.calls = given->calls;
        rate.per_us = given->per_ms > 0 ? (uint64_t)given->per_ms * 1000 : 1000000;
    }
    if (given->burst > 0) rate.burst = given->burst;
    if (rate.calls > GAP_RATE_CALLS_MAX) rate.calls = GAP_RATE_CALLS_MAX;
    if (rate.burst > GAP_RATE_CALLS_MAX) rate.burst = GAP_RATE_CALLS_MAX;
    if (rate.per_us > GAP_RATE_PER_US_MAX) rate.per_us = GAP_RATE_PER_US_MAX;
    return rate;
}

static uint64_t capacity(const struct gap_rate *rate)
{
    return rate->burst * rate->per_us;
}

uint64_t gap_rate_fill_us(const struct gap_rate *rate)
{
    return (capacity(rate) + rate->calls - 1) / rate->calls;
}

/* ---- a clock ---- */

void gap_steady_init(struct gap_steady *s, uint64_t wall_us, uint64_t mono_us)
{
    s->wall0_us = wall_us > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)wall_us;
    s->mono0_us = mono_us;
    (void)gap_steady_look(s, wall_us, mono_us);
    s->told_us = s->ahead_us;
}

int64_t gap_steady_now(const struct gap_steady *s, uint64_t mono_us)
{
    return mono_us <= s->mono0_us ? s->wall0_us : s->wall0_us + (int64_t)(mono_us - s->mono0_us);
}

bool gap_steady_look(struct gap_steady *s, uint64_t wall_us, uint64_t mono_us)
{
    int64_t wall = wall_us > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)wall_us;

    s->ahead_us = gap_steady_now(s, mono_us) - wall;
    int64_t by = s->ahead_us - s->told_us;
    if (by <= SET_US && by >= -SET_US) return false;
    s->told_us = s->ahead_us;
    return true;
}

int64_t gap_steady_from_wall(const struct gap_steady *s, int64_t wall_us)
{
    int64_t out;

    if (wall_us == INT64_MAX) return INT64_MAX;
    if (__builtin_add_overflow(wall_us, s->ahead_us, &out))
        return s->ahead_us > 0 ? INT64_MAX : INT64_MIN;
    return out;
}

/* ---- a bucket ---- */

/* Units that it may hold while calls that were taken have not left. */
static uint64_t room(const struct gap_bucket *b, const struct gap_rate *rate)
{
    return b->reserved >= rate->burst ? 0 : (rate->burst - b->reserved) * rate->per_us;
}

static void refill(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us)
{
    uint64_t most = room(b, rate);

    if (b->units > most) b->units = most;
    if (now_us <= b->at_us) return;
    uint64_t elapsed = (uint64_t)now_us - (uint64_t)b->at_us;
    uint64_t missing = most - b->units;
    b->at_us = now_us;
    b->units = elapsed >= (missing + rate->calls - 1) / rate->calls
                   ? most
                   : b->units + elapsed * rate->calls;
}

void gap_bucket_init(struct gap_bucket *b, const struct gap_rate *rate, int64_t millionths,
                     int64_t now_us)
{
    b->at_us = now_us;
    b->reserved = 0;
    if (millionths <= 0) {
        b->units = 0;
    } else if (millionths >= (int64_t)rate->burst * GAP_BUCKET_CALL) {
        b->units = capacity(rate);
    } else {
        b->units = (uint64_t)((gap_u128_t)millionths * rate->per_us / GAP_BUCKET_CALL);
    }
}

int64_t gap_bucket_store(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us)
{
    refill(b, rate, now_us);
    return (int64_t)((gap_u128_t)b->units * GAP_BUCKET_CALL / rate->per_us);
}

bool gap_bucket_take(struct gap_bucket *b, const struct gap_rate *rate, uint32_t keep,
                     int64_t now_us)
{
    refill(b, rate, now_us);
    if (b->units / rate->per_us <= keep) return false;
    b->units -= rate->per_us;
    b->reserved++;
    return true;
}

void gap_bucket_sent(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us)
{
    GAP_ASSERT(b->reserved > 0);
    refill(b, rate, now_us);
    b->reserved--;
}

void gap_bucket_back(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us)
{
    GAP_ASSERT(b->reserved > 0);
    refill(b, rate, now_us);
    b->reserved--;
    b->units += rate->per_us;
}

int64_t gap_bucket_when(struct gap_bucket *b, const struct gap_rate *rate, uint64_t calls,
                        int64_t now_us)
{
    refill(b, rate, now_us);
    int64_t from = now_us > b->at_us ? now_us : b->at_us;
    gap_u128_t needed = (gap_u128_t)calls * rate->per_us;
    if (needed <= b->units) return now_us;
    gap_u128_t wait = (needed - b->units + rate->calls - 1) / rate->calls;
    return wait >= (gap_u128_t)((uint64_t)INT64_MAX - (uint64_t)from) ? INT64_MAX
                                                                      : from + (int64_t)wait;
}

bool gap_bucket_full(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us)
{
    refill(b, rate, now_us);
    return b->reserved == 0 && b->units == capacity(rate);
}
