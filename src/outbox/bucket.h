/*
 * outbox/bucket.h - so many calls in so much time, and a clock for it that nobody can set.
 *
 * A bucket holds at most `burst` calls' worth and gets `calls` more every `per_us`. In every window
 * of T at most burst + T * calls / per_us calls leave. All arithmetic is on integers and exact:
 * what is in a bucket is counted in units of which a microsecond brings `calls` and a call costs
 * per_us.
 *
 *   take --> reserved --> sent: it left, now
 *               \-------> back: it did not leave
 *
 * A call that was taken leaves later, when its claim is on disk. Until then its place in the bucket
 * is not filled again: the promise is about the moments at which calls leave.
 *
 * On disk a bucket is millionths of a call, rounded down. A process that starts believes the amount
 * (within 0 and burst) and not the time that passed: the clock may have been set while nobody ran.
 * A kill never gives a second burst that way, whatever the clock does; it costs at most one
 * filling.
 *
 * Pure. Never fails.
 */
#ifndef GAP_OUTBOX_BUCKET_H
#define GAP_OUTBOX_BUCKET_H

#include <gapless/outbox.h>

/** What a call is on disk. */
#define GAP_BUCKET_CALL INT64_C(1000000)
/** Of a rate at most: calls, burst. */
#define GAP_RATE_CALLS_MAX UINT32_C(1000000)
/** Of a rate at most: its time, 30 days. */
#define GAP_RATE_PER_US_MAX UINT64_C(2592000000000)

struct gap_rate {
    uint64_t per_us;
    uint32_t calls;
    uint32_t burst;
};

/* The documented defaults (Bot FAQ: about 30 messages a second in all, one a second to one person,
 * 20 a minute to one group). */
#define GAP_RATE_ACCOUNT ((struct gap_rate){.per_us = 1000000, .calls = 30, .burst = 10})
#define GAP_RATE_USER    ((struct gap_rate){.per_us = 1000000, .calls = 1, .burst = 3})
#define GAP_RATE_GROUP   ((struct gap_rate){.per_us = 60000000, .calls = 20, .burst = 3})

/** What was asked for, within the maxima. calls 0: rate and time of @p otherwise; per_ms 0: a
 * second; burst 0: that of @p otherwise. */
struct gap_rate gap_rate_of(const gap_outbox_rate_t *given, struct gap_rate otherwise);
/** Microseconds in which an empty bucket is full. */
uint64_t gap_rate_fill_us(const struct gap_rate *rate);

/* ---- a clock ---- */

/*
 * The time of buckets and gates: the wall clock's when it was started, and from there on that of
 * the monotonic clock. Wall times of people (not_before, deadline) are on the wall clock as it is;
 * gap_steady_from_wall brings them here.
 */
struct gap_steady {
    int64_t wall0_us;
    uint64_t mono0_us;
    int64_t ahead_us; /* by how much it is ahead of the wall clock, when it was last looked at */
    int64_t told_us;  /* the same when it was last told that it was set */
};

/** @param wall_us The wall clock. @param mono_us The monotonic clock, at the same moment. */
void gap_steady_init(struct gap_steady *s, uint64_t wall_us, uint64_t mono_us);
/** @return this clock's time. Never goes back if @p mono_us does not. */
int64_t gap_steady_now(const struct gap_steady *s, uint64_t mono_us);
/** Compare with the wall clock. @return true: it was set by more than a second since it was told
 * last: what waits for a wall time has to be looked at again (gap_schedule_recheck). */
bool gap_steady_look(struct gap_steady *s, uint64_t wall_us, uint64_t mono_us);
/** @return when the wall clock will show @p wall_us, on this one. INT64_MAX stays what it is. */
int64_t gap_steady_from_wall(const struct gap_steady *s, int64_t wall_us);

/* ---- a bucket ---- */

struct gap_bucket {
    int64_t at_us;     /* of `units` */
    uint64_t units;    /* may be taken */
    uint32_t reserved; /* taken and not yet left */
};

/** @param millionths What is in it; INT64_MAX: it is full. Any number: less than nothing is
 * nothing, more than burst is burst. */
void gap_bucket_init(struct gap_bucket *b, const struct gap_rate *rate, int64_t millionths,
                     int64_t now_us);
/** What it holds, rounded down: what is stored. */
int64_t gap_bucket_store(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us);
/** Take one call and leave @p keep calls in it. @return false: not now; nothing was taken. */
bool gap_bucket_take(struct gap_bucket *b, const struct gap_rate *rate, uint32_t keep,
                     int64_t now_us);
/** A call that was taken leaves. */
void gap_bucket_sent(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us);
/** A call that was taken will not leave. */
void gap_bucket_back(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us);
/** When it will have brought @p calls calls, counted from now, if each is taken as soon as it is
 * there. @p calls may be more than burst. @return not before @p now_us; INT64_MAX: beyond time. */
int64_t gap_bucket_when(struct gap_bucket *b, const struct gap_rate *rate, uint64_t calls,
                        int64_t now_us);
/** Is it as if it had never been used? */
bool gap_bucket_full(struct gap_bucket *b, const struct gap_rate *rate, int64_t now_us);

#endif
