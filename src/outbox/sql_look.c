/*
 * outbox/sql_look.c - a client opens the outbox, and looks for what there is to do.
 *
 * No question costs more the more rows wait, but for that for rows above a number: chats are found
 * by jumping from one to the next in the index of the rows that wait.
 */
#include "outbox/sql_row.h"
#include "store/sqlite.h"
#include "store/sqlite_schema.h"

#include <string.h>

#define LAST_ROW                                                                                   \
    "SELECT max(coalesce((SELECT seq FROM main.sqlite_sequence WHERE name = 'gapless_outbox'), 0)" \
    ", coalesce((SELECT max(row) FROM main.gapless_outbox), 0))"

/* --- opening ---------------------------------------------------------------------------------- */

static int store_limits(sqlite3 *db, const struct gap_outdb_opening *o)
{
    const int64_t numbers[] = {o->account.calls, o->account.per_ms, o->account.burst,
                               o->user.calls,    o->user.per_ms,    o->user.burst,
                               o->group.calls,   o->group.per_ms,   o->group.burst};

    return gap_outbox_do(db,
                         "UPDATE main.gapless_outbox_meta SET account_calls = ?1, account_ms = ?2,"
                         " account_burst = ?3, user_calls = ?4, user_ms = ?5, user_burst = ?6,"
                         " group_calls = ?7, group_ms = ?8, group_burst = ?9",
                         numbers, 9);
}

static int forget(sqlite3 *db, int64_t full_before_us, int64_t now_us, uint32_t limit)
{
    const int64_t full[] = {full_before_us, limit};
    /* No server asks for so long: the clock has been set back since. It will say so again. */
    const int64_t open[] = {now_us, limit, now_us + 2 * GAP_OUTBOX_WAIT_MAX_US};
    int rc = gap_outbox_do(db,
                           "DELETE FROM main.gapless_outbox_chat WHERE chat IN (SELECT chat FROM"
                           " main.gapless_outbox_chat WHERE chat <> 0 AND parked IS NULL"
                           " AND (tokens IS NULL OR at IS NULL OR at < ?1) LIMIT ?2)",
                           full, 2);

    if (rc == SQLITE_OK)
        rc = gap_outbox_do(db,
                           "DELETE FROM main.gapless_outbox_gate WHERE (method, chat) IN (SELECT"
                           " method, chat FROM main.gapless_outbox_gate WHERE until <= ?1"
                           " OR until > ?3 LIMIT ?2)",
                           open, 3);
    return rc;
}

int gap_outdb_forget(sqlite3 *db, int64_t full_before_us, int64_t now_us, uint32_t limit)
{
    return gap_outbox_result(forget(db, full_before_us, now_us, limit));
}

static int tell_chat(const struct gap_outdb_opening *o, sqlite3_stmt *stmt)
{
    struct gap_chat_state c = {.chat = sqlite3_column_int64(stmt, 0)};
    int64_t error;

    /* A bucket that holds nonsense holds nothing: too slow rather than too fast. */
    c.has_bucket = sqlite3_column_type(stmt, 1) != SQLITE_NULL;
    if (!gap_outbox_column_number(stmt, 1, 0, INT64_MAX, &c.tokens)) c.tokens = 0;
    if (!gap_outbox_column_number(stmt, 2, INT64_MIN, INT64_MAX, &c.at_us)) c.at_us = o->now_us;
    c.parked = sqlite3_column_type(stmt, 3) != SQLITE_NULL;
    c.parked_us = sqlite3_column_int64(stmt, 3);
    if (gap_outbox_column_number(stmt, 4, INT32_MIN, INT32_MAX, &error)) c.error = (int32_t)error;
    c.reason = gap_outbox_column(stmt, 5);
    return o->chat != NULL ? o->chat(o->arg, &c) : 0;
}

/* One that can't be read is none: the server will say so again. */
static int tell_gate(const struct gap_outdb_opening *o, sqlite3_stmt *stmt)
{
    struct gap_gate_row g = {0};
    int64_t method;
    int64_t error;

    if (!gap_outbox_column_number(stmt, 0, 0, UINT32_MAX, &method) ||
        !gap_outbox_column_number(stmt, 1, INT64_MIN, INT64_MAX, &g.chat) ||
        !gap_outbox_column_number(stmt, 2, INT64_MIN, INT64_MAX, &g.until_us) ||
        !gap_outbox_column_number(stmt, 3, INT32_MIN, INT32_MAX, &error))
        return 0;
    g.method = (uint32_t)method;
    g.error = (int32_t)error;
    g.reason = gap_outbox_column(stmt, 4);
    return o->gate != NULL ? o->gate(o->arg, &g) : 0;
}

static int tell_unknown(const struct gap_outdb_opening *o, sqlite3_stmt *stmt)
{
    struct gap_head head;

    gap_head_read(stmt, &head);
    return o->unknown != NULL ? o->unknown(o->arg, &head) : 0;
}

static int tell_all(sqlite3 *db, const struct gap_outdb_opening *o, const char *sql,
                    int (*tell)(const struct gap_outdb_opening *o, sqlite3_stmt *stmt))
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db, sql, &stmt);

    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) rc = tell(o, stmt);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int gap_outdb_open(sqlite3 *db, struct gap_outdb_opening *o)
{
    int rc = gap_outbox_make(db);

    o->last_row = 0;
    if (rc == SQLITE_OK) rc = gap_outbox_repair(db);
    if (rc == SQLITE_OK) rc = store_limits(db, o);
    if (rc == SQLITE_OK) rc = forget(db, o->full_before_us, o->now_us, UINT32_MAX);
    if (rc == SQLITE_OK)
        rc = gap_outbox_do(db,
                           "UPDATE main.gapless_outbox INDEXED BY gapless_outbox_moved SET"
                           " state = 4, flags = flags | 1 WHERE" GAP_OUTBOX_MOVED
                           "AND state = 3 AND done = 0 AND epoch IS NOT ?1",
                           &o->epoch, 1);
    if (rc == SQLITE_OK)
        rc = tell_all(db, o,
                      "SELECT chat, tokens, at, parked, error, reason"
                      " FROM main.gapless_outbox_chat",
                      tell_chat);
    if (rc == SQLITE_OK)
        rc = tell_all(db, o,
                      "SELECT method, chat, until, error, reason FROM main.gapless_outbox_gate",
                      tell_gate);
    if (rc == SQLITE_OK)
        rc = tell_all(db, o,
                      "SELECT" GAP_OUTBOX_HEAD_COLUMNS "FROM main.gapless_outbox AS o INDEXED BY"
                      " gapless_outbox_moved" GAP_OUTBOX_JOIN_CHAT "WHERE" GAP_OUTBOX_MOVED
                      "AND state IN (3, 4) AND done = 0",
                      tell_unknown);
    if (rc == SQLITE_OK) rc = gap_outbox_number(db, LAST_ROW, NULL, 0, &o->last_row);
    return gap_outbox_result(rc);
}

/* --- looking ---------------------------------------------------------------------------------- */

int gap_outdb_scan(sqlite3 *db, int64_t after, uint32_t limit, gap_head_cb each, void *arg,
                   int64_t *last)
{
    sqlite3_stmt *stmt = NULL;
    uint32_t seen = 0;
    int64_t all = after;
    int64_t at = after;
    int result = 0;

    /* Read first: what comes later is above it. */
    int rc = gap_outbox_number(db, LAST_ROW, NULL, 0, &all);
    if (rc == SQLITE_OK && all > after)
        rc = gap_outbox_prepare(db,
                                "SELECT" GAP_OUTBOX_HEAD_COLUMNS
                                "FROM main.gapless_outbox AS o NOT INDEXED" GAP_OUTBOX_JOIN_CHAT
                                "WHERE o.row > ?1 AND" GAP_OUTBOX_WAITS "ORDER BY o.row LIMIT ?2",
                                &stmt);
    if (stmt != NULL && rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, after);
    if (stmt != NULL && rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 2, limit);
    while (stmt != NULL && rc == SQLITE_OK && result == 0 &&
           (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct gap_head head;
        gap_head_read(stmt, &head);
        result = each(arg, &head);
        at = head.row;
        seen++;
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    if (rc != SQLITE_OK && rc != SQLITE_DONE) return gap_outbox_result(rc);
    if (result != 0) return result;
    *last = seen < limit && all > at ? all : at;
    return 0;
}

/* The oldest row of the next chat; a chat that is no number comes as one that is broken. */
static int next_chat(sqlite3_stmt *stmt, sqlite3_stmt *number, struct gap_head *out)
{
    int rc = SQLITE_OK;

    memset(out, 0, sizeof *out);
    rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW) {
        (void)sqlite3_reset(stmt); /* it repeats what step said */
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    gap_head_read(stmt, out);
    /* From its chat on, whatever it is: also between two numbers. */
    sqlite3_value *chat = sqlite3_value_dup(sqlite3_column_value(stmt, 1));
    (void)sqlite3_reset(stmt); /* it was a row */
    rc = chat != NULL ? sqlite3_bind_value(number, 1, chat) : SQLITE_NOMEM;
    sqlite3_value_free(chat);
    return rc;
}

#define NEXT_CHAT                                                                                  \
    "SELECT" GAP_OUTBOX_HEAD_COLUMNS                                                               \
    "FROM main.gapless_outbox AS o INDEXED BY gapless_outbox_waits" GAP_OUTBOX_JOIN_CHAT           \
    "WHERE o.chat > ?1 AND o.row > 0 AND" GAP_OUTBOX_WAITS "ORDER BY o.chat, o.row LIMIT 1"

/* A chat that comes to nothing else than a row to which people have given a state that waits. */
#define REVIVED                                                                                    \
    "SELECT" GAP_OUTBOX_HEAD_COLUMNS                                                               \
    "FROM main.gapless_outbox AS o INDEXED BY gapless_outbox_moved" GAP_OUTBOX_JOIN_CHAT           \
    "WHERE" GAP_OUTBOX_REVIVED "ORDER BY o.chat, o.row LIMIT ?1"

static int tell_revived(sqlite3 *db, uint32_t limit, gap_head_cb each, void *arg, int *result)
{
    sqlite3_stmt *stmt;
    int64_t chat = 0;
    bool first = true;
    int rc = gap_outbox_prepare(db, REVIVED, &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, limit);
    while (rc == SQLITE_OK && *result == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        struct gap_head head;
        gap_head_read(stmt, &head);
        if (first || head.chat != chat) *result = each(arg, &head);
        chat = head.chat;
        first = false;
        rc = SQLITE_OK;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* Is there a row whose chat stands where no number of a chat does, or whose own number is none? */
static int find_broken(sqlite3 *db, int64_t *found)
{
    int rc = gap_outbox_number(db,
                               "SELECT 1 FROM main.gapless_outbox INDEXED BY gapless_outbox_waits"
                               " WHERE (chat >= 9223372036854775807 OR"
                               " chat <= -9223372036854775807 - 1) AND" GAP_OUTBOX_WAITS "LIMIT 1",
                               NULL, 0, found);

    if (rc != SQLITE_OK || *found != 0) return rc;
    return gap_outbox_number(db,
                             "SELECT 1 FROM main.gapless_outbox NOT INDEXED"
                             " WHERE row < 1 AND" GAP_OUTBOX_WAITS "LIMIT 1",
                             NULL, 0, found);
}

int gap_outdb_chats(sqlite3 *db, int64_t after_chat, uint32_t limit, gap_head_cb each, void *arg)
{
    sqlite3_stmt *stmt;
    int64_t broken = 0;
    int result = 0;
    struct gap_head head = {0};
    int rc = gap_outbox_prepare(db, NEXT_CHAT, &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, after_chat);
    for (uint32_t seen = 0; rc == SQLITE_OK && result == 0 && seen < limit;) {
        rc = next_chat(stmt, stmt, &head);
        if (rc != SQLITE_OK || head.row == 0) break;
        if (head.chat == GAP_OUTBOX_CHAT_BROKEN) {
            broken = head.row;
            continue;
        }
        result = each(arg, &head);
        seen++;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    /* The last page tells of what is no chat, and of rows that are to wait again. */
    if (rc == SQLITE_OK && result == 0 && head.row == 0)
        rc = tell_revived(db, limit, each, arg, &result);
    if (rc == SQLITE_OK && result == 0 && head.row == 0 && broken == 0)
        rc = find_broken(db, &broken);
    if (rc == SQLITE_OK && result == 0 && head.row == 0 && broken != 0) {
        struct gap_head bad = {.chat = GAP_OUTBOX_CHAT_BROKEN,
                               .row = broken,
                               .urgency = GAP_OUTBOX_BULK,
                               .state = GAP_OUTBOX_READY};
        result = each(arg, &bad);
    }
    return rc != SQLITE_OK ? gap_outbox_result(rc) : result;
}

int gap_outdb_head(sqlite3 *db, int64_t chat, struct gap_head *out)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db, GAP_OUTBOX_HEAD_SQL, &stmt);

    if (rc == SQLITE_OK) rc = gap_head_by(stmt, chat, out);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return gap_outbox_result(rc);
}

int gap_outdb_version(sqlite3 *db, struct gap_outdb_version *out)
{
    int64_t stopped = 0;

    memset(out, 0, sizeof *out);
    int rc = gap_outbox_number(db, "PRAGMA main.data_version", NULL, 0, &out->data);
    if (rc == SQLITE_OK) rc = gap_outbox_number(db, LAST_ROW, NULL, 0, &out->last_row);
    if (rc == SQLITE_OK)
        rc = gap_outbox_number(db,
                               "SELECT 1 FROM main.gapless_outbox_chat WHERE chat = 0"
                               " AND parked IS NOT NULL",
                               NULL, 0, &stopped);
    out->bulk_stopped = stopped != 0;
    return gap_outbox_result(rc);
}

void gap_outdb_damaged(sqlite3 *db, char table[GAP_OUTDB_NAME_BYTES])
{
    int64_t pages = INT64_MAX;

    _Static_assert(GAP_OUTDB_NAME_BYTES == GAP_SCHEMA_NAME_BYTES, "one name");
    table[0] = '\0';
    int rc = gap_outbox_number(db, "PRAGMA main.page_count", NULL, 0, &pages);
    if (rc == SQLITE_OK && pages <= GAP_OUTDB_CHECK_PAGES)
        rc = gap_schema_damaged(db, "gapless_outbox*", table);
    (void)rc; /* what is not found out is not told */
}

/* --- putting away ----------------------------------------------------------------------------- */

int gap_outdb_prune(sqlite3 *db, int64_t before_us, uint32_t limit, uint32_t *removed)
{
    const int64_t numbers[] = {before_us, limit};
    int rc = gap_outbox_do(db,
                           "DELETE FROM main.gapless_outbox WHERE row IN (SELECT row FROM"
                           " main.gapless_outbox INDEXED BY gapless_outbox_moved"
                           " WHERE" GAP_OUTBOX_MOVED
                           "AND state IN (5, 8) AND done < ?1 AND done <> 0 LIMIT ?2)",
                           numbers, 2);

    *removed = rc == SQLITE_OK ? (uint32_t)sqlite3_changes(db) : 0;
    return gap_outbox_result(rc);
}

int gap_outdb_gate(sqlite3 *db, const struct gap_gate_row *gates, size_t count)
{
    sqlite3_stmt *stmt;
    int rc = gap_outbox_prepare(db,
                                "INSERT INTO main.gapless_outbox_gate(method, chat, until, error,"
                                " reason) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(method, chat)"
                                " DO UPDATE SET until = ?3, error = ?4, reason = ?5",
                                &stmt);

    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        const int64_t numbers[] = {gates[i].method, gates[i].chat, gates[i].until_us,
                                   gates[i].error};
        if (gates[i].until_us == 0) {
            rc = gap_outbox_do(db,
                               "DELETE FROM main.gapless_outbox_gate WHERE method = ?1"
                               " AND chat = ?2",
                               numbers, 2);
            continue;
        }
        rc = gap_outbox_bind_text(stmt, 5, gates[i].reason);
        if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, numbers, 4);
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return gap_outbox_result(rc);
}

int gap_outdb_shift(sqlite3 *db, int64_t by_us)
{
    /* Of a chat only the oldest row can have such a time. */
    int rc = gap_outbox_do(db,
                           "UPDATE main.gapless_outbox SET not_before = max(not_before - ?1, 1)"
                           " WHERE row IN (SELECT min(row) FROM main.gapless_outbox INDEXED BY"
                           " gapless_outbox_waits WHERE" GAP_OUTBOX_WAITS "GROUP BY chat)"
                           " AND state IN (2, 4) AND typeof(not_before) = 'integer'"
                           " AND not_before BETWEEN 1 AND 2305843009213693951",
                           &by_us, 1);

    if (rc == SQLITE_OK)
        rc = gap_outbox_do(db,
                           "UPDATE main.gapless_outbox_gate SET until = max(until - ?1, 1)"
                           " WHERE typeof(until) = 'integer'"
                           " AND until BETWEEN 1 AND 2305843009213693951",
                           &by_us, 1);
    return gap_outbox_result(rc);
}
