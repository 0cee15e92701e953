/*
 * outbox/sql_user.c - the user looks at rows, takes them back, sends them after all.
 *
 * A row that is sent after all gets a new number, and what names it follows: a client looks for
 * rows above the last number that it has seen, and first in, first out stays true.
 *
 * Never: begins or ends a transaction (a savepoint lies inside of it), keeps a statement.
 */
#include "base/alloc.h"
#include "base/bytes.h"
#include "outbox/sql_row.h"
#include "store/sqlite.h"

#include <string.h>

/* Whose tables are there, and may they be written to? @return a code; GAP_E_STATE no transaction is
 * open; GAP_E_NOT_FOUND there are none. */
static int check(sqlite3 *db, bool writes)
{
    enum gap_outbox_tables there;

    if (writes && sqlite3_get_autocommit(db) != 0) return GAP_E_STATE;
    int rc = gap_outbox_recognise(db, &there);
    return rc == SQLITE_OK && there == GAP_OUTBOX_TABLES_NONE ? GAP_E_NOT_FOUND : rc;
}

/* --- looking ---------------------------------------------------------------------------------- */

static int hand_over(sqlite3_stmt *stmt, gap_outbox_row_cb each, void *arg, int *result)
{
    struct gap_row row;
    gap_outbox_row_t view;
    char reason[GAP_OUTBOX_REASON_MAX];
    int error;
    int r = gap_row_read(stmt, gap_alloc_default(), false, &row, &error, reason, sizeof reason);

    if (r < 0) return r;
    gap_row_view(&row, &view);
    *result = each(arg, &view);
    gap_row_fini(&row);
    return SQLITE_OK;
}

int gap_outbox_list(sqlite3 *db, uint32_t states, int64_t after, size_t limit,
                    gap_outbox_row_cb each, void *arg)
{
    const int64_t numbers[] = {after, limit < INT64_MAX ? (int64_t)limit : INT64_MAX, states};
    sqlite3_stmt *stmt = NULL;
    int result = 0;
    int rc = check(db, false);

    if (rc == GAP_E_NOT_FOUND) return 0;
    if (rc == SQLITE_OK)
        rc = gap_outbox_prepare(db,
                                "SELECT" GAP_OUTBOX_ROW_COLUMNS
                                "FROM main.gapless_outbox AS o" GAP_OUTBOX_JOIN_POST
                                "WHERE o.row > ?1 AND (?3 = 0 OR (typeof(o.state) = 'integer'"
                                " AND o.state BETWEEN 1 AND 31 AND (?3 >> o.state) & 1))"
                                " ORDER BY o.row LIMIT ?2",
                                &stmt);
    for (int i = 0; rc == SQLITE_OK && i < 3; i++) rc = sqlite3_bind_int64(stmt, i + 1, numbers[i]);
    while (rc == SQLITE_OK && result == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW)
        rc = hand_over(stmt, each, arg, &result);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_OK || rc == SQLITE_DONE ? result : gap_outbox_result(rc);
}

struct one {
    int64_t row;
    gap_outbox_row_cb each;
    void *arg;
    bool found;
};

static int take_one(void *arg, const gap_outbox_row_t *row)
{
    struct one *one = arg;

    if (row->row != one->row) return 0;
    one->found = true;
    return one->each(one->arg, row);
}

int gap_outbox_get(sqlite3 *db, int64_t row, gap_outbox_row_cb each, void *arg)
{
    struct one one = {.row = row, .each = each, .arg = arg};

    if (row <= 0) return GAP_E_NOT_FOUND;
    int r = gap_outbox_list(db, 0, row - 1, 1, take_one, &one);
    return r == 0 && !one.found ? GAP_E_NOT_FOUND : r;
}

/* --- changing --------------------------------------------------------------------------------- */

/** A row that the user names, as far as these functions look at it. */
struct named {
    gap_outbox_state_t state; /* READY if it holds nonsense */
    bool begun;
    bool limited; /* it waits for a limit of the server's */
    int64_t post;
    sqlite3_value *key; /* owned */
};

static void read_named(sqlite3_stmt *stmt, struct named *out)
{
    int64_t state;
    int64_t flags;
    int64_t error;

    if (!gap_outbox_column_number(stmt, 0, GAP_OUTBOX_READY, GAP_OUTBOX_CANCELLED, &state))
        state = GAP_OUTBOX_READY;
    if (!gap_outbox_column_number(stmt, 1, 0, INT64_MAX, &flags)) flags = 0;
    if (!gap_outbox_column_number(stmt, 2, INT32_MIN, INT32_MAX, &error)) error = 0;
    out->state = (gap_outbox_state_t)state;
    out->begun = (flags & GAP_OUTBOX_FLAG_BEGUN) != 0;
    out->limited = state == GAP_OUTBOX_SNOOZED && error == 420;
    if (!gap_outbox_column_number(stmt, 3, 1, INT64_MAX, &out->post)) out->post = 0;
    out->key = sqlite3_value_dup(sqlite3_column_value(stmt, 4));
}

/* @param out  The caller frees the key. @return a code; GAP_E_STATE, GAP_E_NOT_FOUND. */
static int find(sqlite3 *db, int64_t row, struct named *out)
{
    sqlite3_stmt *stmt = NULL;
    int rc = check(db, true);

    memset(out, 0, sizeof *out);
    if (rc == SQLITE_OK)
        rc = gap_outbox_prepare(db,
                                "SELECT state, flags, error, post, key FROM main.gapless_outbox"
                                " WHERE row = ?1",
                                &stmt);
    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, row);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        read_named(stmt, out);
        rc = out->key != NULL ? SQLITE_OK : SQLITE_NOMEM;
    } else if (rc == SQLITE_DONE) {
        rc = GAP_E_NOT_FOUND;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

int gap_outbox_cancel(sqlite3 *db, int64_t row)
{
    struct named named;
    int rc = find(db, row, &named);

    sqlite3_value_free(named.key);
    if (rc != SQLITE_OK) return gap_outbox_result(rc);
    switch (named.state) {
    case GAP_OUTBOX_CANCELLED:
        return 0;
    case GAP_OUTBOX_READY:
    case GAP_OUTBOX_SNOOZED:
        if (named.begun) return GAP_E_STATE;
        break;
    case GAP_OUTBOX_PARKED:
    case GAP_OUTBOX_DEAD:
        break;
    case GAP_OUTBOX_LEASED:
    case GAP_OUTBOX_UNKNOWN:
    case GAP_OUTBOX_SENT:
        return GAP_E_STATE;
    }
    rc = gap_outbox_do(db,
                       "UPDATE main.gapless_outbox SET state = 8, error = 0, flags = flags & 1,"
                       " reason = 'it was taken back', done = " GAP_OUTBOX_NOW " WHERE row = ?1",
                       &row, 1);
    return gap_outbox_result(rc);
}

static int give_key(sqlite3 *db, int64_t row, const sqlite3_value *key)
{
    sqlite3_stmt *stmt;
    int rc =
        gap_outbox_prepare(db, "UPDATE main.gapless_outbox SET key = ?2 WHERE row = ?1", &stmt);

    if (rc == SQLITE_OK) rc = sqlite3_bind_int64(stmt, 1, row);
    if (rc == SQLITE_OK) rc = sqlite3_bind_value(stmt, 2, key);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc;
}

/* The row under a new number: numbers are given once, so it is a new row. */
static int move(sqlite3 *db, int64_t row, const struct named *named, int64_t *moved)
{
    int rc = gap_outbox_do(db,
                           "INSERT INTO main.gapless_outbox(version, kind, class, chat, random_id,"
                           " target, target_row, flags, post, hash, payload) SELECT version, kind,"
                           " class, chat, random_id, target, target_row, flags & 1, post, hash,"
                           " payload FROM main.gapless_outbox WHERE row = ?1",
                           &row, 1);

    if (rc != SQLITE_OK) return rc;
    *moved = sqlite3_last_insert_rowid(db);
    const int64_t numbers[] = {row, *moved, named->post};
    rc = gap_outbox_do(db, "DELETE FROM main.gapless_outbox WHERE row = ?1", &row, 1);
    if (rc == SQLITE_OK && sqlite3_value_type(named->key) != SQLITE_NULL)
        rc = give_key(db, *moved, named->key);
    if (rc == SQLITE_OK)
        rc = gap_outbox_do(
            db, "UPDATE main.gapless_outbox SET target_row = ?2 WHERE target_row = ?1", numbers, 2);
    if (rc == SQLITE_OK && named->post != 0)
        rc = gap_outbox_do(db,
                           "UPDATE main.gapless_outbox_post SET row = ?2 WHERE post = ?3"
                           " AND row = ?1",
                           numbers, 3);
    return rc;
}

static int move_or_not(sqlite3 *db, int64_t row, const struct named *named, int64_t *moved)
{
    int rc = gap_outbox_exec(db, "SAVEPOINT outbox_retry");

    if (rc != SQLITE_OK) return rc;
    sqlite3_int64 last = sqlite3_last_insert_rowid(db);
    rc = move(db, row, named, moved);
    sqlite3_set_last_insert_rowid(db, last);
    if (rc == SQLITE_OK) return gap_outbox_exec(db, "RELEASE outbox_retry");
    if (sqlite3_get_autocommit(db) == 0) /* the first failure counts */
        (void)sqlite3_exec(db, "ROLLBACK TO outbox_retry; RELEASE outbox_retry", NULL, NULL, NULL);
    return rc;
}

int gap_outbox_retry(sqlite3 *db, int64_t row, int64_t *moved)
{
    struct named named;
    int64_t now = row;
    int rc = find(db, row, &named);

    if (rc == SQLITE_OK) {
        switch (named.state) {
        case GAP_OUTBOX_PARKED:
        case GAP_OUTBOX_DEAD:
        case GAP_OUTBOX_CANCELLED:
            rc = move_or_not(db, row, &named, &now);
            break;
        case GAP_OUTBOX_READY:
        case GAP_OUTBOX_SNOOZED:
            rc = named.limited
                     ? GAP_E_STATE
                     : gap_outbox_do(db,
                                     "UPDATE main.gapless_outbox SET state = 1, not_before = 0"
                                     " WHERE row = ?1",
                                     &row, 1);
            break;
        case GAP_OUTBOX_LEASED:
        case GAP_OUTBOX_UNKNOWN:
        case GAP_OUTBOX_SENT:
            rc = GAP_E_STATE;
            break;
        }
    }
    sqlite3_value_free(named.key);
    if (rc == SQLITE_OK && moved != NULL) *moved = now;
    return gap_outbox_result(rc);
}

int gap_outbox_release(sqlite3 *db, gap_peer_t chat)
{
    int64_t mark = gap_outbox_mark(chat);

    if (mark == 0 && chat.kind != GAP_PEER_NONE) return GAP_E_ARGUMENT;
    int rc = check(db, true);
    if (rc == SQLITE_OK)
        rc = gap_outbox_do(db,
                           "UPDATE main.gapless_outbox_chat SET parked = NULL, error = 0,"
                           " reason = NULL WHERE chat = ?1 AND parked IS NOT NULL",
                           &mark, 1);
    if (rc == SQLITE_OK && sqlite3_changes(db) == 0) rc = GAP_E_NOT_FOUND;
    if (rc == SQLITE_OK) /* what may have been sent is resolved first */
        rc = gap_outbox_do(db,
                           "UPDATE main.gapless_outbox INDEXED BY gapless_outbox_moved SET"
                           " state = CASE WHEN flags & 1 THEN 4 ELSE 1 END, flags = flags & 1,"
                           " error = 0, reason = NULL, done = 0, not_before = 0"
                           " WHERE" GAP_OUTBOX_MOVED "AND state = 6 AND"
                           " CASE ?1 WHEN 0 THEN flags & 4 ELSE chat = ?1 AND flags & 2 END",
                           &mark, 1);
    return gap_outbox_result(rc);
}
