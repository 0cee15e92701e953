/*
 * bench/recover_table.h - what a sweep found, for people and for programs.
 */
#ifndef GAP_BENCH_RECOVER_TABLE_H
#define GAP_BENCH_RECOVER_TABLE_H

#include "bench/recover_sweep.h"

/** What the columns are. */
void recover_print_legend(void);
/** One line a policy: means over the conditions. */
void recover_print_table(struct bench *b, const struct recover_sweep *s);
/** The points at which a fixed policy beats @p policy. */
void recover_print_beaten(const struct recover_sweep *s, size_t policy);
/** Every policy at every point, as JSON. */
void recover_write_points(struct bench *b, const struct recover_sweep *s);
/** Every policy over all points, as JSON, of case "@p s->name policy". */
void recover_write_means(struct bench *b, const struct recover_sweep *s);

#endif
