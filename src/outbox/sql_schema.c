/*
 * outbox/sql_schema.c - the outbox's tables in the user's database: made by whoever needs them
 * first, inside the transaction that is open, and known by gapless_outbox_meta.
 *
 * Every column may hold anything, since people may write into the tables: what they are not is
 * said when a row's turn comes. What ordinary rows cost decides about indexes: an enqueued row
 * without a key touches one, that of the rows that wait.
 *
 * No CHECK keeps people from what they write: SQLite would refuse the program that keeps to the
 * rules, if a later version's rules were others. A state that they set counts: 5 to 8 end a row, 1
 * to 4 let it wait again, behind the rows of its chat that wait.
 *
 * Never: begins or ends a transaction, keeps a statement.
 */
#include "outbox/sql_schema.h"

#include "outbox/sql_post.h"
#include "store/sqlite.h"

#include <stdio.h>

/* Bytes come last: what stands before them is read without them. What may not be NULL costs time
 * whenever a statement is prepared, so that is only what rows are found by. */
static const char tables[] =
    "CREATE TABLE main.gapless_outbox_meta("
    " one INTEGER PRIMARY KEY CHECK(one = 1),"
    " application TEXT NOT NULL,"
    " version INTEGER NOT NULL,"
    " account_calls INTEGER NOT NULL DEFAULT 0," /* limits, as a client used them last */
    " account_ms INTEGER NOT NULL DEFAULT 0,"
    " account_burst INTEGER NOT NULL DEFAULT 0,"
    " user_calls INTEGER NOT NULL DEFAULT 0,"
    " user_ms INTEGER NOT NULL DEFAULT 0,"
    " user_burst INTEGER NOT NULL DEFAULT 0,"
    " group_calls INTEGER NOT NULL DEFAULT 0,"
    " group_ms INTEGER NOT NULL DEFAULT 0,"
    " group_burst INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE main.gapless_outbox("
    " row INTEGER PRIMARY KEY AUTOINCREMENT,"
    " version INTEGER,"
    " kind INTEGER,"
    " class INTEGER,"
    " state INTEGER DEFAULT 1,"
    " chat INTEGER NOT NULL,"
    " random_id INTEGER DEFAULT 0,"
    " target INTEGER DEFAULT 0,"
    " target_row INTEGER,"
    " attempts INTEGER DEFAULT 0,"
    " not_before INTEGER DEFAULT 0,"
    " deadline INTEGER DEFAULT 0,"
    " epoch INTEGER DEFAULT 0,"
    " flags INTEGER DEFAULT 0,"
    " message_id INTEGER DEFAULT 0,"
    " error INTEGER DEFAULT 0,"
    " done INTEGER NOT NULL DEFAULT 0," /* since when it does not wait any more */
    " post INTEGER,"
    " reason TEXT,"
    " key BLOB,"
    " hash BLOB,"
    " payload BLOB);"
    "CREATE TABLE main.gapless_outbox_chat("
    " chat INTEGER PRIMARY KEY," /* 0: the account */
    " tokens INTEGER,"           /* of its bucket, at that time; NULL: none was taken yet */
    " at INTEGER,"
    " parked INTEGER," /* since when; NULL: it is not */
    " error INTEGER NOT NULL DEFAULT 0,"
    " reason TEXT);"
    "CREATE TABLE main.gapless_outbox_gate("
    " method INTEGER NOT NULL," /* 0: all that send */
    " chat INTEGER NOT NULL,"   /* 0: all */
    " until INTEGER NOT NULL,"
    " error INTEGER NOT NULL,"
    " reason TEXT,"
    " PRIMARY KEY(method, chat)) WITHOUT ROWID;"
    "INSERT INTO main.gapless_outbox_meta(one, application, version) VALUES(1, 'gapless', 1);";

/* The row's number stands at the end of every index. */
static const char indexes[] =
    "CREATE INDEX IF NOT EXISTS main.gapless_outbox_waits ON gapless_outbox(chat)"
    " WHERE" GAP_OUTBOX_WAITS ";"
    "CREATE UNIQUE INDEX IF NOT EXISTS main.gapless_outbox_key ON gapless_outbox(key)"
    " WHERE key IS NOT NULL;"
    "CREATE INDEX IF NOT EXISTS main.gapless_outbox_moved ON gapless_outbox(state, done)"
    " WHERE" GAP_OUTBOX_MOVED ";"
    "CREATE INDEX IF NOT EXISTS main.gapless_outbox_edits ON gapless_outbox(chat, target)"
    " WHERE kind = 3 AND state IN (1, 2);"
    "CREATE INDEX IF NOT EXISTS main.gapless_outbox_needs ON gapless_outbox(target_row)"
    " WHERE target_row IS NOT NULL;";

static const char probe[] =
    "SELECT one, application, version, account_calls, account_ms, account_burst, user_calls,"
    " user_ms, user_burst, group_calls, group_ms, group_burst FROM main.gapless_outbox_meta"
    " LIMIT 0;"
    "SELECT row, version, kind, class, state, chat, random_id, target, target_row, attempts,"
    " not_before, deadline, epoch, flags, message_id, error, done, post, reason, key, hash, payload"
    " FROM main.gapless_outbox LIMIT 0;"
    "SELECT chat, tokens, at, parked, error, reason FROM main.gapless_outbox_chat LIMIT 0;"
    "SELECT method, chat, until, error, reason FROM main.gapless_outbox_gate LIMIT "
    "0;" GAP_POST_SQL_PROBE;

/* --- helpers ---------------------------------------------------------------------------------- */

int gap_outbox_result(int rc)
{
    if (rc <= 0) return rc;
    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED) return GAP_E_BUSY;
    int code = gap_sqlite_code(rc);
    return code == GAP_E_SYNC ? GAP_E_STORAGE : code;
}

int gap_outbox_exec(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int gap_outbox_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **out)
{
    *out = NULL;
    return sqlite3_prepare_v2(db, sql, -1, out, NULL);
}

int gap_outbox_run(sqlite3_stmt *stmt, const int64_t *numbers, int count)
{
    int rc = SQLITE_OK;

    for (int i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

int gap_outbox_do(sqlite3 *db, const char *sql, const int64_t *numbers, int count)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db, sql, &stmt);

    if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, numbers, count);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_outbox_number(sqlite3 *db, const char *sql, const int64_t *numbers, int count, int64_t *out)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db, sql, &stmt);

    for (int i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *out = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int gap_outbox_bind_text(sqlite3_stmt *stmt, int at, gap_bytes_t name)
{
    if (name.len == 0) return sqlite3_bind_null(stmt, at);
    return gap_sqlite_bind_text(stmt, at, name);
}

int gap_outbox_bind_blob(sqlite3_stmt *stmt, int at, gap_bytes_t bytes)
{
    if (bytes.len == 0) return sqlite3_bind_null(stmt, at);
    return gap_sqlite_bind_bytes(stmt, at, bytes);
}

gap_bytes_t gap_outbox_column(sqlite3_stmt *stmt, int column)
{
    const uint8_t *data;

    if (sqlite3_column_type(stmt, column) == SQLITE_BLOB)
        data = sqlite3_column_blob(stmt, column);
    else
        data = sqlite3_column_text(stmt, column);
    int len = sqlite3_column_bytes(stmt, column);
    return (gap_bytes_t){data, data != NULL && len > 0 ? (size_t)len : 0};
}

bool gap_outbox_column_number(sqlite3_stmt *stmt, int column, int64_t least, int64_t most,
                              int64_t *out)
{
    return gap_sqlite_number_between(stmt, column, least, most, out);
}

void gap_outbox_prepare_for(sqlite3 *db, size_t rows)
{
    if (rows > GAP_OUTBOX_MANY) (void)gap_sqlite_widen(db, GAP_OUTBOX_CACHE_KIB); /* or slower */
}

/* --- whose tables ----------------------------------------------------------------------------- */

int gap_outbox_check_version(sqlite3 *db)
{
    sqlite3_stmt *stmt;
    int64_t version;
    int rc = gap_outbox_prepare(db,
                                "SELECT version FROM main.gapless_outbox_meta WHERE one = 1 AND"
                                " application = 'gapless'",
                                &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        if (!gap_outbox_column_number(stmt, 0, 1, 1000000, &version))
            rc = GAP_E_FOREIGN;
        else
            rc = version > GAP_OUTBOX_VERSION ? GAP_E_NEWER : SQLITE_OK;
    } else if (rc == SQLITE_DONE || rc == SQLITE_ERROR) {
        rc = GAP_E_FOREIGN; /* no such row, or no such columns */
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_outbox_recognise(sqlite3 *db, enum gap_outbox_tables *out)
{
    int64_t there = 0;
    int rc = gap_outbox_number(db,
                               "SELECT count(*) FROM main.sqlite_master WHERE lower(name) GLOB"
                               " 'gapless_outbox*'",
                               NULL, 0, &there);

    if (rc == SQLITE_OK && there > 0) rc = gap_outbox_check_version(db);
    if (rc == SQLITE_OK) *out = there > 0 ? GAP_OUTBOX_TABLES_OURS : GAP_OUTBOX_TABLES_NONE;
    return rc;
}

int gap_outbox_make(sqlite3 *db)
{
    enum gap_outbox_tables there;
    int rc = gap_outbox_recognise(db, &there);

    if (rc != SQLITE_OK || there == GAP_OUTBOX_TABLES_OURS) return rc;
    /* A name that begins with gapless_ is the store's. */
    rc = gap_outbox_exec(db, "SAVEPOINT outbox_tables");
    if (rc != SQLITE_OK) return rc;
    rc = gap_outbox_exec(db, tables);
    if (rc == SQLITE_OK) rc = gap_outbox_exec(db, indexes);
    if (rc == SQLITE_OK) rc = gap_outbox_exec(db, GAP_POST_SQL_TABLES);
    if (rc == SQLITE_ERROR) rc = GAP_E_FOREIGN; /* somebody's index has one of our names */
    if (rc == SQLITE_OK) return gap_outbox_exec(db, "RELEASE outbox_tables");
    if (sqlite3_get_autocommit(db) == 0) /* the first failure counts */
        (void)sqlite3_exec(db, "ROLLBACK TO outbox_tables; RELEASE outbox_tables", NULL, NULL,
                           NULL);
    return rc;
}

int gap_outbox_repair(sqlite3 *db)
{
    int rc = gap_outbox_exec(db, probe);

    if (rc == SQLITE_OK) rc = gap_outbox_exec(db, indexes);
    return (rc & 0xff) == SQLITE_ERROR || (rc & 0xff) == SQLITE_CONSTRAINT ? GAP_E_DAMAGED : rc;
}
