/*
 * loops/backfill.h - fetching the messages of a range that a difference skipped: a loop of the
 * engine, one job after the other, one question at a time. Included by engine_internal.h.
 */
#ifndef GAP_LOOPS_BACKFILL_H
#define GAP_LOOPS_BACKFILL_H

#include "loops/engine.h"
#include "loops/loop.h"
#include "sequence/ask.h"
#include "sequence/history.h"

/** Answers in a row that can't be decoded, after which a job ends. */
#define GAP_BACKFILL_UNREADABLE_MAX 3

struct gap_backfill_job;
STAILQ_HEAD(gap_backfill_jobs, gap_backfill_job);

enum gap_backfill_state {
    BACKFILL_IDLE = 0,
    BACKFILL_ASKING,     /* a question is in flight */
    BACKFILL_DELIVERING, /* its answer is handed out */
    BACKFILL_BACKOFF,    /* it failed */
};

struct gap_backfill {
    gap_loop_t loop;
    gap_timer_t retry;
    struct gap_backfill_jobs jobs; /* the first is the one at work */
    uint32_t job_count;
    uint8_t state;      /* enum gap_backfill_state */
    bool waits;         /* for its turn, or until handlers are through */
    bool dropped;       /* the answer in flight is nobody's any more */
    bool have;          /* `status` ... `packet` hold an answer */
    uint8_t unreadable; /* answers in a row */
    int32_t reach;      /* last id that the question covers */
    uint64_t pause_us;  /* last back-off; 0: none */
    int status;
    struct gap_refusal refusal; /* status GAP_E_RPC */
    gap_bytes_t value;
    gap_packet_t *packet; /* owns value and page */
    struct gap_history page;
};

void gap_backfill_init(gap_engine_t *e);
void gap_backfill_close(gap_engine_t *e);
/** Safe twice. */
void gap_backfill_fini(gap_engine_t *e);
/** What it waits for may have come. */
void gap_backfill_wake(gap_engine_t *e);
/** There is no access to the channel any more: its jobs end, with events. */
void gap_backfill_lost(gap_engine_t *e, int64_t channel_id, int32_t code);

#endif
