/*
 * store/sqlite_complete.c - an update is through, in a transaction and on a connection of the
 * user's.
 *
 * Statements are prepared anew each time: the connection is not ours to keep some on.
 *
 * Never: begins or ends a transaction, waits longer than the connection's own busy handler does.
 */
#include "store/complete.h"
#include "store/sqlite.h"
#include "store/sqlite_schema.h"

static int result_of(int rc)
{
    if (rc <= 0) return rc;
    if ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED) return GAP_E_BUSY;
    int code = gap_sqlite_code(rc);
    return code == GAP_E_SYNC ? GAP_E_STORAGE : code;
}

/* Are these the account's tables, of our version? */
static int check_tables(sqlite3 *db, int64_t user_id)
{
    sqlite3_stmt *stmt = NULL;
    int64_t owner;
    int64_t version;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT user_id, version FROM main.gapless_meta"
                                " WHERE application = 'gapless'",
                                -1, &stmt, NULL);

    if (rc == SQLITE_ERROR) return GAP_E_FOREIGN; /* there is no such table */
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        bool ours = gap_sqlite_number(stmt, 0, &owner) && owner == user_id &&
                    gap_sqlite_number(stmt, 1, &version) && version >= 2;
        rc = !ours ? GAP_E_FOREIGN : version > gap_schema_today.version ? GAP_E_NEWER : 0;
    } else if (rc == SQLITE_DONE) {
        rc = GAP_E_FOREIGN;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

static int remove_row(sqlite3 *db, uint64_t number)
{
    sqlite3_stmt *stmt = NULL;
    int rc =
        sqlite3_prepare_v2(db, "DELETE FROM main.gapless_inbox WHERE number = ?1", -1, &stmt, NULL);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, (int64_t)number);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

static int put_done(sqlite3 *db, const gap_done_record_t *done)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, GAP_SQLITE_DONE_SQL("main."), -1, &stmt, NULL);

    if (rc == SQLITE_OK) rc = gap_sqlite_bind_done(stmt, done);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_sqlite_complete(sqlite3 *db, int64_t user_id, uint64_t number,
                        const gap_done_record_t *done)
{
    gap_record_t record = {.kind = GAP_RECORD_DONE};

    if (done != NULL) record.u.done = *done;
    if (number > INT64_MAX || (done != NULL && !gap_record_is_valid(&record)))
        return GAP_E_ARGUMENT;
    if (sqlite3_get_autocommit(db) != 0) return GAP_E_STATE;
    int rc = check_tables(db, user_id);
    if (rc == SQLITE_OK && number != 0) rc = remove_row(db, number);
    if (rc == SQLITE_OK && done != NULL) rc = put_done(db, done);
    return result_of(rc);
}
