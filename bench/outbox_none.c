/* bench/outbox_none.c - without SQLite there are no rows; turns can be measured all the same. */
#include "bench/outbox_schedule.h"

void bench_outbox(struct bench *b)
{
    bench_outbox_schedule(b);
}
