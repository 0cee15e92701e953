/* store/sqlite.h - what the files of the SQLite storage share. */
#ifndef GAP_STORE_SQLITE_H
#define GAP_STORE_SQLITE_H

#include "store/lock.h"
#include "store/record.h"

#include <sqlite3.h>

/** Least version that knows upserts, quick_check of one table, and closing without a checkpoint. */
#define GAP_SQLITE_VERSION_MIN 3033000

#define GAP_SQLITE_BUSY_MS        5000     /* how long somebody else's transaction is waited for */
#define GAP_SQLITE_CACHE_KIB      32       /* pages in memory */
#define GAP_SQLITE_WAL_PAGES      1000     /* the log is copied into the database from here on */
#define GAP_SQLITE_WAL_KEPT_BYTES 67108864 /* a log that has grown larger is cut to this */

/** Statements that are kept, prepared when first used. */
enum gap_sqlite_sql {
    GAP_SQL_BEGIN,
    GAP_SQL_COMMIT,
    GAP_SQL_ROLLBACK,
    GAP_SQL_ACCOUNT,
    GAP_SQL_STATE,
    GAP_SQL_STATE_REMOVE,
    GAP_SQL_CHANNEL,
    GAP_SQL_CHANNEL_REMOVE,
    GAP_SQL_PEER,
    GAP_SQL_PEER_REMOVE,
    GAP_SQL_PHONE_CLEAR,
    GAP_SQL_PHONE,
    GAP_SQL_NAME,
    GAP_SQL_NAMES_REMOVE,
    GAP_SQL_NAMES,
    GAP_SQL_BY_ID,
    GAP_SQL_BY_USERNAME,
    GAP_SQL_BY_PHONE,
    GAP_SQL_COUNT
};

typedef struct gap_sqlite {
    gap_storage_t base;
    const gap_alloc_t *alloc;
    char *path; /* as given */
    bool normal_sync;
    bool unsynced;  /* a sync has failed: nothing is committed until it is verified */
    int checkpoint; /* what the checkpoint after the last commit returned */
    gap_store_lock_t lock;
    sqlite3 *db; /* NULL: not open */
    sqlite3_stmt *stmts[GAP_SQL_COUNT];
} gap_sqlite_t;

/** Did a write that may not have reached the disk fail? */
bool gap_sqlite_is_sync_failure(int rc);
/**
 * @p rc as a result of this library, and its text.
 * @param rc  0; a positive SQLite code (extended); or a result of this library, which is returned
 *            as it is, without a text.
 */
GAP_NODISCARD int gap_sqlite_result(gap_sqlite_t *s, int rc, gap_storage_fault_t *fault);

/* sqlite_rows.c; as of gap_storage_ops. */
int gap_sqlite_load(gap_storage_t *base, gap_record_cb each, void *arg, gap_storage_fault_t *fault);
int gap_sqlite_commit(gap_storage_t *base, const gap_record_t *records, size_t count,
                      gap_storage_fault_t *fault);
int gap_sqlite_find(gap_storage_t *base, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault);
int gap_sqlite_read(gap_storage_t *base, const gap_read_t *what, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault);

#endif
