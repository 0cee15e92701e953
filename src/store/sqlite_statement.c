/*
 * store/sqlite_statement.c - the statements of the SQLite storage, prepared when first used, their
 * parameters and columns.
 *
 * Owns: the texts. Never: begins or ends a transaction by itself.
 */
#include "store/sqlite.h"

#include <stdio.h>

/* Somebody's row that is too long is read as an empty one. The column comes last. */
#define PACKED ", CASE WHEN length(packed) <= 33554432 THEN packed END FROM "

static const char *const sql_texts[GAP_SQL_COUNT] = {
    [GAP_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [GAP_SQL_COMMIT] = "COMMIT",
    [GAP_SQL_ROLLBACK] = "ROLLBACK",
    [GAP_SQL_ACCOUNT] = "UPDATE gapless_meta SET user_id = ?1, bot = ?2",
    [GAP_SQL_STATE] = "INSERT INTO gapless_state(one, pts, qts, seq, date)"
                      " VALUES(1, ?1, ?2, ?3, ?4) ON CONFLICT(one) DO UPDATE SET"
                      " pts = ?1, qts = ?2, seq = ?3, date = ?4",
    [GAP_SQL_STATE_REMOVE] = "DELETE FROM gapless_state",
    [GAP_SQL_CHANNEL] = "INSERT INTO gapless_channel(id, pts, unfinished) VALUES(?1, ?2, ?3)"
                        " ON CONFLICT(id) DO UPDATE SET pts = ?2, unfinished = ?3",
    [GAP_SQL_CHANNEL_REMOVE] = "DELETE FROM gapless_channel WHERE id = ?1",
    [GAP_SQL_PEER] = "INSERT INTO gapless_peer(kind, id, access_hash, min, seen_kind, seen_id,"
                     " seen_msg_id) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"
                     " ON CONFLICT(kind, id) DO UPDATE SET access_hash = ?3, min = ?4,"
                     " seen_kind = ?5, seen_id = ?6, seen_msg_id = ?7",
    [GAP_SQL_PEER_REMOVE] = "DELETE FROM gapless_peer WHERE kind = ?1 AND id = ?2",
    [GAP_SQL_PHONE_CLEAR] = "UPDATE gapless_peer SET phone = NULL WHERE phone = ?1",
    [GAP_SQL_PHONE] = "UPDATE gapless_peer SET phone = ?3 WHERE kind = ?1 AND id = ?2",
    [GAP_SQL_NAME] = "INSERT INTO gapless_username(kind, id, name, spelled, place)"
                     " VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(name) DO UPDATE SET"
                     " kind = ?1, id = ?2, spelled = ?4, place = ?5",
    [GAP_SQL_NAMES_REMOVE] = "DELETE FROM gapless_username WHERE kind = ?1 AND id = ?2",
    [GAP_SQL_NAMES] = "SELECT spelled FROM gapless_username WHERE kind = ?1 AND id = ?2"
                      " ORDER BY place",
    [GAP_SQL_BY_ID] = GAP_SQLITE_PEER_COLUMNS "WHERE p.kind = ?1 AND p.id = ?2",
    [GAP_SQL_BY_USERNAME] = GAP_SQLITE_PEER_COLUMNS "JOIN gapless_username AS u ON u.kind = p.kind"
                                                    " AND u.id = p.id WHERE u.name = ?1",
    [GAP_SQL_BY_PHONE] = GAP_SQLITE_PEER_COLUMNS "WHERE p.phone = ?1",
    [GAP_SQL_INBOX] = "INSERT OR REPLACE INTO gapless_inbox(number, eid, content, attempts, box,"
                      " channel_id, created_us, packed) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [GAP_SQL_INBOX_FIELDS] = "UPDATE gapless_inbox SET eid = ?2, content = ?3, attempts = ?4,"
                             " box = ?5, channel_id = ?6, created_us = ?7 WHERE number = ?1",
    [GAP_SQL_INBOX_REMOVE] = "DELETE FROM gapless_inbox WHERE number = ?1",
    [GAP_SQL_INBOX_READ] = "SELECT " GAP_SQLITE_INBOX_COLUMNS PACKED "gapless_inbox"
                           " WHERE number = ?1",
    [GAP_SQL_INBOX_AFTER] = "SELECT " GAP_SQLITE_INBOX_COLUMNS PACKED "gapless_inbox"
                            " WHERE number > ?1 ORDER BY number",
    [GAP_SQL_DONE] = GAP_SQLITE_DONE_SQL(""),
    [GAP_SQL_DONE_REMOVE] = "DELETE FROM gapless_done WHERE eid = ?1",
    [GAP_SQL_DONE_ANY] = "SELECT 1 FROM gapless_done LIMIT 1",
    [GAP_SQL_DONE_PASSED] = "DELETE FROM gapless_done WHERE box = ?1 AND channel_id = ?2"
                            " AND before < ?3",
    [GAP_SQL_DONE_CHANNEL] = "DELETE FROM gapless_done WHERE box = ?1 AND channel_id = ?2",
    [GAP_SQL_DEAD] = "INSERT OR REPLACE INTO gapless_dead(number, eid, content, attempts, box,"
                     " channel_id, created_us, packed, error, reason, died_us)"
                     " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [GAP_SQL_DEAD_REMOVE] = "DELETE FROM gapless_dead WHERE number = ?1",
#define DEAD_COLUMNS                                                                               \
    "SELECT " GAP_SQLITE_INBOX_COLUMNS ", error, reason, died_us" PACKED "gapless_dead "
    [GAP_SQL_DEAD_READ] = DEAD_COLUMNS "WHERE number = ?1",
    [GAP_SQL_DEAD_AFTER] = DEAD_COLUMNS "WHERE number > ?1 ORDER BY number",
    [GAP_SQL_VALUE] = "INSERT INTO gapless_value(key, value) VALUES(?1, ?2)"
                      " ON CONFLICT(key) DO UPDATE SET value = ?2",
    [GAP_SQL_VALUE_REMOVE] = "DELETE FROM gapless_value WHERE key = ?1",
    [GAP_SQL_VALUE_READ] = "SELECT key, value FROM gapless_value WHERE key = ?1",
    [GAP_SQL_BOOT] = "INSERT INTO gapless_boot(one, epoch, clean, secret) VALUES(1, ?1, ?2, ?3)"
                     " ON CONFLICT(one) DO UPDATE SET epoch = ?1, clean = ?2, secret = ?3",
    [GAP_SQL_BOOT_REMOVE] = "DELETE FROM gapless_boot",
    [GAP_SQL_CALL_BEGIN] = "SAVEPOINT gapless_call",
    [GAP_SQL_CALL_END] = "RELEASE gapless_call",
    [GAP_SQL_NO_WRITE] = "DELETE FROM gapless_boot WHERE 0",
    [GAP_SQL_CALL_UNDO] = "ROLLBACK TO gapless_call",
};

/* The statement, ready to be bound. */
int gap_sqlite_statement(gap_sqlite_t *s, enum gap_sqlite_sql which, sqlite3_stmt **out)
{
    int rc = SQLITE_OK;

    if (s->stmts[which] == NULL)
        rc = sqlite3_prepare_v3(s->db, sql_texts[which], -1, SQLITE_PREPARE_PERSISTENT,
                                &s->stmts[which], NULL);
    *out = s->stmts[which];
    return rc;
}

/* Run a statement that returns no rows. */
int gap_sqlite_run(sqlite3_stmt *stmt)
{
    int rc = sqlite3_step(stmt);

    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Run a statement with up to @p count numbers as its parameters. */
int gap_sqlite_run_with(gap_sqlite_t *s, enum gap_sqlite_sql which, const int64_t *numbers,
                        int count)
{
    sqlite3_stmt *stmt;
    int rc = gap_sqlite_statement(s, which, &stmt);

    for (int i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    return rc == SQLITE_OK ? gap_sqlite_run(stmt) : rc;
}

bool gap_sqlite_widen(sqlite3 *db, int kib)
{
    sqlite3_stmt *stmt = NULL;
    int now = 0; /* KiB are negative, pages positive */
    char sql[48];

    (void)snprintf(sql, sizeof sql, "PRAGMA main.cache_size = -%d", kib);
    int rc = sqlite3_prepare_v2(db, "PRAGMA main.cache_size", -1, &stmt, NULL);
    if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) now = sqlite3_column_int(stmt, 0);
    rc = sqlite3_finalize(stmt);
    if (rc == SQLITE_OK && now < 0 && now > -kib) rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK;
}

/* A view that outlives the statement's next run. */
int gap_sqlite_bind_text(sqlite3_stmt *stmt, int at, gap_bytes_t text)
{
    return sqlite3_bind_text64(stmt, at, (const char *)text.data, text.len, SQLITE_STATIC,
                               SQLITE_UTF8);
}

int gap_sqlite_bind_bytes(sqlite3_stmt *stmt, int at, gap_bytes_t bytes)
{
    if (bytes.len == 0) return sqlite3_bind_zeroblob(stmt, at, 0);
    return sqlite3_bind_blob64(stmt, at, bytes.data, bytes.len, SQLITE_STATIC);
}

/* --- columns ---------------------------------------------------------------------------------- */

/* A column that has to be a number between two. */
bool gap_sqlite_number_between(sqlite3_stmt *stmt, int column, int64_t least, int64_t most,
                               int64_t *out)
{
    if (sqlite3_column_type(stmt, column) != SQLITE_INTEGER) return false;
    *out = sqlite3_column_int64(stmt, column);
    return *out >= least && *out <= most;
}

bool gap_sqlite_number(sqlite3_stmt *stmt, int column, int64_t *out)
{
    return gap_sqlite_number_between(stmt, column, INT64_MIN, INT64_MAX, out);
}

bool gap_sqlite_int32(sqlite3_stmt *stmt, int column, int32_t *out)
{
    int64_t v;

    if (!gap_sqlite_number_between(stmt, column, INT32_MIN, INT32_MAX, &v)) return false;
    *out = (int32_t)v;
    return true;
}

bool gap_sqlite_bool(sqlite3_stmt *stmt, int column, bool *out)
{
    int64_t v;

    if (!gap_sqlite_number_between(stmt, column, 0, 1, &v)) return false;
    *out = v != 0;
    return true;
}
