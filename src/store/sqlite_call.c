/*
 * store/sqlite_call.c - functions of others inside a commit.
 *
 *   SAVEPOINT -> call -> result < 0: ROLLBACK TO     \
 *                     -> else: what follows from it   > RELEASE
 *
 * A function that ends the transaction all the same (a conflict clause or a trigger with ROLLBACK)
 * has undone what others put into the commit: the commit begins anew without it. The same if one
 * meets a damaged page: after SQLITE_CORRUPT inside a transaction SQLite lets nobody write in it
 * any more, and a page of the user's, or of the outbox, is not to keep positions from being stored.
 * Which one it was is looked for only when a commit has failed so.
 *
 * And functions that look, outside of it.
 *
 * Functions that look, outside of a commit, can't write: that would be a transaction of its own,
 * which the group commit knows nothing of.
 *
 * Never: trusts a function to have finished its statements.
 */
#include "base/bytes.h"
#include "store/sqlite.h"

#include <string.h>

static bool is_ours(const char *name)
{
    return name != NULL && sqlite3_strnicmp(name, "gapless_", 8) == 0;
}

static bool only_looks(int action, const char *one)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
        return true;
    case SQLITE_PRAGMA:
        return one != NULL && (sqlite3_stricmp(one, "data_version") == 0 ||
                               sqlite3_stricmp(one, "page_count") == 0 ||
                               sqlite3_stricmp(one, "quick_check") == 0);
    default:
        return false;
    }
}

/* Asked when a statement is prepared: the transaction and its files are not the function's. */
static int authorize(void *arg, int action, const char *one, const char *two, const char *database,
                     const char *trigger)
{
    const gap_sqlite_t *s = arg;
    (void)database;
    (void)trigger;

    if (!s->calling) return SQLITE_OK;
    if (s->asking && !only_looks(action, one)) return SQLITE_DENY;
    switch (action) {
    case SQLITE_TRANSACTION:
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return SQLITE_DENY;
    case SQLITE_SAVEPOINT:
        return is_ours(two) ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_OK;
    }
}

void gap_sqlite_guard_calls(gap_sqlite_t *s)
{
    (void)sqlite3_set_authorizer(s->db, authorize, s);
}

/* A statement that is still at work would keep the commit from ending. */
static void reset_statements(gap_sqlite_t *s)
{
    for (sqlite3_stmt *st = sqlite3_next_stmt(s->db, NULL); st != NULL;
         st = sqlite3_next_stmt(s->db, st)) {
        if (sqlite3_stmt_busy(st) != 0) (void)sqlite3_reset(st); /* it repeats what step said */
    }
}

/* The transaction is gone: was it the disk? */
static bool is_of_the_disk(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_NOMEM:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
        return true;
    default:
        return false;
    }
}

/* Would SQLite refuse the next write because of what was met? */
static bool met_damage(gap_sqlite_t *s)
{
    int rc = gap_sqlite_run_with(s, GAP_SQL_NO_WRITE, NULL, 0);

    return rc > 0 && (rc & 0xff) == SQLITE_CORRUPT;
}

/* What follows from a success. */
static int follow(gap_sqlite_t *s, const gap_call_record_t *call)
{
    const int64_t number = (int64_t)call->inbox;
    int rc = SQLITE_OK;

    if (number != 0) rc = gap_sqlite_run_with(s, GAP_SQL_INBOX_REMOVE, &number, 1);
    return rc == SQLITE_OK && call->has_done ? gap_sqlite_put_done(s, &call->done) : rc;
}

int gap_sqlite_call(gap_sqlite_t *s, const gap_call_record_t *call)
{
    sqlite3_stmt *undo;

    if (*call->result == GAP_SQLITE_CALL_BROKE || *call->result == GAP_SQLITE_CALL_DAMAGED)
        return SQLITE_OK;
    /* Prepared before it is needed: there may be no memory left then. */
    int rc = gap_sqlite_statement(s, GAP_SQL_CALL_UNDO, &undo);
    if (rc == SQLITE_OK) rc = gap_sqlite_run_with(s, GAP_SQL_CALL_BEGIN, NULL, 0);
    if (rc != SQLITE_OK) return rc;
    s->calling = true;
    int result = call->call(call->arg, s->db);
    s->calling = false;
    int last = sqlite3_extended_errcode(s->db);
    reset_statements(s);
    *call->result = result <= GAP_SQLITE_CALL_DAMAGED ? GAP_E_STATE : result;
    if (sqlite3_get_autocommit(s->db) != 0) {
        if (is_of_the_disk(last)) return last;
        *call->result = GAP_SQLITE_CALL_BROKE;
        return GAP_SQLITE_AGAIN;
    }
    if (s->careful && met_damage(s)) {
        *call->result = GAP_SQLITE_CALL_DAMAGED;
        return GAP_SQLITE_AGAIN;
    }
    rc = result < 0 ? gap_sqlite_run(undo) : follow(s, call);
    return rc == SQLITE_OK ? gap_sqlite_run_with(s, GAP_SQL_CALL_END, NULL, 0) : rc;
}

int gap_sqlite_query(gap_storage_t *base, int (*query)(void *arg, sqlite3 *db), void *arg,
                     int *result, gap_storage_fault_t *fault)
{
    gap_sqlite_t *s = GAP_CONTAINER_OF(base, gap_sqlite_t, base);
    (void)fault; /* what went wrong is the function's result */

    if (s->db == NULL) return GAP_E_STATE;
    s->calling = true;
    s->asking = true;
    *result = query(arg, s->db);
    s->calling = false;
    s->asking = false;
    reset_statements(s);
    return 0;
}
