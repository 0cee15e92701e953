/* bench/store_journal.h - what it costs to journal updates and to strike them out again. */
#ifndef GAP_BENCH_STORE_JOURNAL_H
#define GAP_BENCH_STORE_JOURNAL_H

#include "bench/bench.h"

#include <gapless/store.h>

/** A storage in a temporary folder of its own, whose path goes to @p folder (64 bytes). */
gap_storage_t *bench_storage(char folder[64]);
/** Remove the folder and its files. */
void bench_storage_remove(const char *folder);

void bench_journal_100(struct bench *b);

#endif
