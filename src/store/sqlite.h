/* store/sqlite.h - what the files of the SQLite storage share. */
#ifndef GAP_STORE_SQLITE_H
#define GAP_STORE_SQLITE_H

#include "store/lock.h"
#include "store/record.h"

#include <limits.h>
#include <sqlite3.h>

/** Least version that knows upserts, quick_check of one table, and closing without a checkpoint. */
#define GAP_SQLITE_VERSION_MIN 3033000

#define GAP_SQLITE_BUSY_MS        5000     /* how long somebody else's transaction is waited for */
#define GAP_SQLITE_CACHE_KIB      32       /* pages in memory */
#define GAP_SQLITE_CACHE_MANY_KIB 128      /* once it has stored many records in one commit */
#define GAP_SQLITE_MANY           64       /* more than so many */
#define GAP_SQLITE_WAL_PAGES      1000     /* the log is copied into the database from here on */
#define GAP_SQLITE_WAL_KEPT_BYTES 67108864 /* a log that has grown larger is cut to this */

#define GAP_SQLITE_PEER_COLUMNS                                                                    \
    "SELECT p.kind, p.id, p.access_hash, p.min, p.seen_kind, p.seen_id, p.seen_msg_id, p.phone"    \
    " FROM gapless_peer AS p "
#define GAP_SQLITE_INBOX_COLUMNS "number, eid, content, attempts, box, channel_id, created_us"
/* @p schema: with its dot, or "". */
#define GAP_SQLITE_DONE_SQL(schema)                                                                \
    "INSERT OR REPLACE INTO " schema "gapless_done(eid, content, box, channel_id, before)"         \
    " VALUES(?1, ?2, ?3, ?4, ?5)"

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
    GAP_SQL_INBOX,
    GAP_SQL_INBOX_FIELDS,
    GAP_SQL_INBOX_REMOVE,
    GAP_SQL_INBOX_READ,
    GAP_SQL_INBOX_AFTER,
    GAP_SQL_DONE,
    GAP_SQL_DONE_REMOVE,
    GAP_SQL_DONE_ANY,
    GAP_SQL_DONE_PASSED,
    GAP_SQL_DONE_CHANNEL,
    GAP_SQL_DEAD,
    GAP_SQL_DEAD_REMOVE,
    GAP_SQL_DEAD_READ,
    GAP_SQL_DEAD_AFTER,
    GAP_SQL_VALUE,
    GAP_SQL_VALUE_REMOVE,
    GAP_SQL_VALUE_READ,
    GAP_SQL_BOOT,
    GAP_SQL_BOOT_REMOVE,
    GAP_SQL_CALL_BEGIN,
    GAP_SQL_CALL_END,
    GAP_SQL_NO_WRITE,
    GAP_SQL_CALL_UNDO,
    GAP_SQL_COUNT
};

typedef struct gap_sqlite {
    gap_storage_t base;
    const gap_alloc_t *alloc;
    char *path; /* as given */
    bool normal_sync;
    bool is_wide;   /* its cache is the larger one */
    bool calling;   /* a function of somebody else's runs on our connection */
    bool asking;    /* and may only look */
    bool careful;   /* after each of them: did it meet a damaged page? */
    bool unsynced;  /* a sync has failed: nothing is committed until it is verified */
    int checkpoint; /* what the checkpoint after the last commit returned */
    gap_store_lock_t lock;
    sqlite3 *db; /* NULL: not open */
    sqlite3_stmt *stmts[GAP_SQL_COUNT];
} gap_sqlite_t;

/** @p rc, a positive SQLite code, as a result of this library. */
GAP_NODISCARD int gap_sqlite_code(int rc);
/** Did a write that may not have reached the disk fail? */
bool gap_sqlite_is_sync_failure(int rc);
/**
 * @p rc as a result of this library, and its text.
 * @param rc  0; a positive SQLite code (extended); or a result of this library, which is returned
 *            as it is, without a text.
 */
GAP_NODISCARD int gap_sqlite_result(gap_sqlite_t *s, int rc, gap_storage_fault_t *fault);

/* sqlite_statement.c; results are positive SQLite codes, 0, or results of this library. */
/** The statement, ready to be bound. */
GAP_NODISCARD int gap_sqlite_statement(gap_sqlite_t *s, enum gap_sqlite_sql which,
                                       sqlite3_stmt **out);
/** Run a statement that returns no rows. */
GAP_NODISCARD int gap_sqlite_run(sqlite3_stmt *stmt);
/** Run it with up to @p count numbers as its parameters. */
GAP_NODISCARD int gap_sqlite_run_with(gap_sqlite_t *s, enum gap_sqlite_sql which,
                                      const int64_t *numbers, int count);
/** Keep up to @p kib of pages in memory, if it is less so far. @return false: no memory for that,
 * all is as before. */
bool gap_sqlite_widen(sqlite3 *db, int kib);
/** Bind a view that outlives the statement's next run. */
GAP_NODISCARD int gap_sqlite_bind_text(sqlite3_stmt *stmt, int at, gap_bytes_t text);
GAP_NODISCARD int gap_sqlite_bind_bytes(sqlite3_stmt *stmt, int at, gap_bytes_t bytes);

/* The same file: columns that have to be what they should be; false: they are not. */
bool gap_sqlite_number_between(sqlite3_stmt *stmt, int column, int64_t least, int64_t most,
                               int64_t *out);
bool gap_sqlite_number(sqlite3_stmt *stmt, int column, int64_t *out);
bool gap_sqlite_int32(sqlite3_stmt *stmt, int column, int32_t *out);
bool gap_sqlite_bool(sqlite3_stmt *stmt, int column, bool *out);

/** A table to be loaded. */
struct gap_sqlite_loading {
    const char *sql;
    /** Read one row; false: it is not what it should be. Views last until the next step. */
    bool (*read)(sqlite3_stmt *stmt, gap_record_t *out);
    const char *table;
};
/** A row could not be read: by its fault, or for want of memory. @return GAP_SQLITE_BAD_ROW, or
 * SQLITE_NOMEM. */
int gap_sqlite_bad_row(gap_sqlite_t *s);
#define GAP_SQLITE_BAD_ROW (INT_MIN + 1)
/** @return GAP_E_DAMAGED, with a text about that table. */
GAP_NODISCARD int gap_sqlite_tell_row(const gap_sqlite_t *s, const char *table,
                                      gap_storage_fault_t *fault);

/* sqlite_journal.c */
/** Those of the journal: inbox, done set, boot record. */
extern const struct gap_sqlite_loading gap_sqlite_journal_loadings[3];
/** Store or remove a record of the journal's kinds, but no call. @return a SQLite code, or a result
 * of this library. */
GAP_NODISCARD int gap_sqlite_journal_put(gap_sqlite_t *s, const gap_record_t *record);
/** The parameters of GAP_SQLITE_DONE_SQL. */
GAP_NODISCARD int gap_sqlite_bind_done(sqlite3_stmt *stmt, const gap_done_record_t *done);
GAP_NODISCARD int gap_sqlite_put_done(gap_sqlite_t *s, const gap_done_record_t *done);
/** The commit's records are written: forget what is done below the positions among them. */
GAP_NODISCARD int gap_sqlite_forget_done(gap_sqlite_t *s, const gap_record_t *records,
                                         size_t count);

/* sqlite_call.c */
/** What a call's slot holds while it must not be run again in this commit: it ended the
 * transaction; it met a damaged page. */
#define GAP_SQLITE_CALL_BROKE   INT_MIN
#define GAP_SQLITE_CALL_DAMAGED (INT_MIN + 1)
/** Once, at opening: what functions of others must not do. */
void gap_sqlite_guard_calls(gap_sqlite_t *s);
/** As of gap_storage_ops. */
int gap_sqlite_query(gap_storage_t *base, int (*query)(void *arg, sqlite3 *db), void *arg,
                     int *result, gap_storage_fault_t *fault);
/** Run a call inside the transaction. @return 0; GAP_SQLITE_AGAIN it ended the transaction, or, if
 * s->careful, made it one that can't be committed: begin anew (it will be left out then); a SQLite
 * code. */
GAP_NODISCARD int gap_sqlite_call(gap_sqlite_t *s, const gap_call_record_t *call);
#define GAP_SQLITE_AGAIN INT_MIN

/* sqlite_rows.c; as of gap_storage_ops; read: sqlite_journal.c. */
int gap_sqlite_load(gap_storage_t *base, gap_record_cb each, void *arg, gap_storage_fault_t *fault);
int gap_sqlite_commit(gap_storage_t *base, const gap_record_t *records, size_t count,
                      gap_storage_fault_t *fault);
int gap_sqlite_find(gap_storage_t *base, const gap_peer_key_t *key, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault);
int gap_sqlite_read(gap_storage_t *base, const gap_read_t *what, gap_record_cb each, void *arg,
                    gap_storage_fault_t *fault);

#endif
