/*
 * store/memory_rows.h - what the storage in memory keeps of a journal: inbox, done set, dead
 * letters, values, and the boot record. Staged, then applied, as memory.c says.
 */
#ifndef GAP_STORE_MEMORY_ROWS_H
#define GAP_STORE_MEMORY_ROWS_H

#include "base/map.h"

#include <gapless/store.h>
#include <sys/queue.h>

struct mem_row;
TAILQ_HEAD(mem_row_list, mem_row);

enum { MEM_INBOX, MEM_DONE, MEM_DEAD, MEM_VALUE, MEM_ROW_TABLES };

/** Rows of one kind: by key, and in order (inbox, dead letters: of their numbers). */
struct mem_row_table {
    gap_map_t map; /* hash of the key -> first row with it */
    struct mem_row_list rows;
};

struct mem_rows {
    const gap_alloc_t *alloc;
    struct mem_row_table tables[MEM_ROW_TABLES];
    bool has_boot;
    gap_boot_record_t boot;
};

/** How many keys a commit may add. */
struct mem_rows_growth {
    size_t rows[MEM_ROW_TABLES];
};

void gap_mem_rows_init(struct mem_rows *m, const gap_alloc_t *alloc);
void gap_mem_rows_fini(struct mem_rows *m);

/** What applying @p record needs; one block in *out, or NULL. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int gap_mem_rows_stage(struct mem_rows *m, const gap_record_t *record, void **out,
                                     struct mem_rows_growth *growth);
/** @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int gap_mem_rows_reserve(struct mem_rows *m, const struct mem_rows_growth *growth);
/** @param staged Taken. No-op for records of other kinds. */
void gap_mem_rows_apply(struct mem_rows *m, const gap_record_t *record, void *staged);

/** Forget what is done and for which @p is_old says so. */
void gap_mem_rows_forget(struct mem_rows *m,
                         bool (*is_old)(const void *arg, const gap_done_record_t *done),
                         const void *arg);

/** As of gap_storage_ops, the storage open. */
int gap_mem_rows_load(const struct mem_rows *m, gap_record_cb each, void *arg);
int gap_mem_rows_read(const struct mem_rows *m, const gap_read_t *what, gap_record_cb each,
                      void *arg);

#endif
