/* bench/outbox_schedule.h - turns of chats: part of the benchmark `outbox`. */
#ifndef GAP_BENCH_OUTBOX_SCHEDULE_H
#define GAP_BENCH_OUTBOX_SCHEDULE_H

#include "bench/bench.h"

/** Memory of a chat that waits, and turns a second with 100,000 of them. */
void bench_outbox_schedule(struct bench *b);

#endif
