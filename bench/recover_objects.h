/*
 * bench/recover_objects.h - the objects of `recover` as bytes: containers that are pushed, and the
 * answers to differences. Sequence 0 is the account's, the others are channels. A message's id is
 * the number of its update in the trace plus one.
 */
#ifndef GAP_BENCH_RECOVER_OBJECTS_H
#define GAP_BENCH_RECOVER_OBJECTS_H

#include "base/buf.h"
#include "bench/recover_trace.h"

#include <gapless/update.h>

#define RECOVER_DATE    1800000000
#define RECOVER_CHANNEL INT64_C(1000000000) /* plus the number of the sequence */
/** Messages of one answer. */
#define RECOVER_BATCH 4096

/** What a trace pushes, written once for all runs over it. */
struct recover_pushes {
    struct recover_push {
        uint64_t at_us;
        size_t begin, len; /* in bytes.data */
    } * list;              /* by time */
    uint32_t count;
    gap_buf_t bytes;
};

void recover_pushes_make(struct recover_pushes *p, const struct trace *t);
void recover_pushes_free(struct recover_pushes *p);

/** What a difference brings. */
struct recover_answer {
    uint16_t sequence; /* 0: updates.getDifference, else getChannelDifference */
    int32_t pts;       /* asked from */
    int32_t date;      /* the server's */
    uint32_t which[RECOVER_BATCH];
    uint32_t count;
    uint32_t named[TRACE_SEQUENCES_MAX]; /* of channels with news: the last update. Sequence 0 only
                                          */
    uint32_t named_count;
};

/** @p out Scratch; the result lies in it. */
gap_bytes_t recover_difference(const struct trace *t, const struct recover_answer *a,
                               gap_buf_t *out);

/** The server's clock. */
static inline int32_t recover_date(uint64_t at_us)
{
    return RECOVER_DATE + (int32_t)(at_us / 1000000);
}

/** The number in the trace of what a handler got. */
uint32_t recover_number(const gap_update_t *update);

static inline int64_t recover_channel_id(uint16_t sequence)
{
    return sequence == 0 ? 0 : RECOVER_CHANNEL + sequence;
}

static inline uint16_t recover_sequence(int64_t channel_id)
{
    return channel_id == 0 ? 0 : (uint16_t)(channel_id - RECOVER_CHANNEL);
}

#endif
