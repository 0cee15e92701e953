/*
 * bench/store_bare.h - the yardstick of journal_100: SQLite in a loop that does nothing else.
 */
#ifndef GAP_BENCH_STORE_BARE_H
#define GAP_BENCH_STORE_BARE_H

#include <stddef.h>
#include <stdint.h>

struct store_bare;

/** @return NULL: built without SQLite. Ends the program if the file can't be made. */
struct store_bare *store_bare_open(const char *path);
void store_bare_close(struct store_bare *bare);
/** One commit: @p count rows from number @p first with @p len bytes each, and those of the numbers
 * from @p gone, if not 0, removed. */
void store_bare_group(struct store_bare *bare, uint64_t first, uint64_t gone, size_t count,
                      const uint8_t *bytes, size_t len);

#endif
