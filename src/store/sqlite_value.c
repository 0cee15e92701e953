/*
 * store/sqlite_value.c - a value written inside a transaction that goes on. Prepared anew each
 * time. Never: begins or ends a transaction.
 */
#include "store/sqlite.h"
#include "store/value.h"

int gap_sqlite_put_value(sqlite3 *db, gap_bytes_t key, gap_bytes_t value)
{
    const char *sql = value.len == 0 ? "DELETE FROM main.gapless_value WHERE key = ?1"
                                     : "INSERT INTO main.gapless_value(key, value) VALUES(?1, ?2)"
                                       " ON CONFLICT(key) DO UPDATE SET value = ?2";
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) rc = gap_sqlite_bind_bytes(stmt, 1, key);
    if (rc == SQLITE_OK && value.len > 0) rc = gap_sqlite_bind_bytes(stmt, 2, value);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc <= 0 ? rc : gap_sqlite_code(rc);
}
