/*
 * outbox/sql_enqueue.c - a row is written inside a transaction of the user's, on a connection of
 * the user's, in any process.
 *
 *   INSERT is prepared --no such table, no such column--> whose are they? none: they are made
 *   their version is looked at; then a row each --nothing inserted--> the key is known
 *
 * Many rows are all written or none. A savepoint would do that, at the cost of a copy of every page
 * that is touched, in a file if there are many; so rows that are new are deleted again instead, and
 * there is a savepoint only where rows that were there are changed, or tables made.
 *
 * An ordinary row is one statement. Statements are prepared anew each call, since the connection is
 * not ours to keep some on; what last_insert_rowid() says is left as it was.
 *
 * Never: begins or ends a transaction (a savepoint lies inside of it), waits longer than the
 * connection's own busy handler does.
 */
#include "outbox/sql_enqueue.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "crypto/crypto.h"
#include "outbox/content.h"
#include "store/sqlite.h"

static const char *const texts[GAP_WRITE_COUNT] = {
    [GAP_WRITE_INSERT] =
        "INSERT INTO main.gapless_outbox(version, kind, class, chat, random_id, target, target_row,"
        " not_before, deadline, key, payload) VALUES(1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
        " ON CONFLICT(key) WHERE key IS NOT NULL DO NOTHING",
    [GAP_WRITE_KNOWN] = "SELECT row FROM main.gapless_outbox WHERE key = ?1",
    [GAP_WRITE_ABOUT] = "SELECT version, kind, state, flags, chat, message_id, target"
                        " FROM main.gapless_outbox WHERE row = ?1",
    /* At most one of each is there, if all were written by gap_outbox_enqueue. */
    [GAP_WRITE_EDITS] = "SELECT row FROM main.gapless_outbox INDEXED BY gapless_outbox_edits"
                        " WHERE chat = ?1 AND target = ?2 AND kind = 3 AND" GAP_OUTBOX_UNBEGUN
                        "ORDER BY row DESC LIMIT 1",
    [GAP_WRITE_EDITS_ROW] = "SELECT row FROM main.gapless_outbox INDEXED BY gapless_outbox_needs"
                            " WHERE target_row = ?2 AND chat = ?1 AND kind = 3"
                            " AND" GAP_OUTBOX_UNBEGUN "ORDER BY row DESC LIMIT 1",
    /* The last one: does it wait for ?2 already, or is that over? */
    [GAP_WRITE_PAYLOAD] = "SELECT payload, key, ?2 <= max(CASE WHEN typeof(not_before) = 'integer'"
                          " THEN not_before ELSE 0 END, " GAP_OUTBOX_NOW ")"
                          " FROM main.gapless_outbox WHERE row = ?1",
    [GAP_WRITE_REPLACE] = "UPDATE main.gapless_outbox SET kind = ?2, payload = ?3,"
                          " class = CASE WHEN kind = 3 THEN min(class, ?4) ELSE class END,"
                          " deadline = CASE WHEN kind = 3 THEN ?5 ELSE deadline END,"
                          " key = CASE WHEN key IS NULL THEN ?6 ELSE key END WHERE row = ?1",
    [GAP_WRITE_CANCEL] = "UPDATE main.gapless_outbox SET state = 8, error = 0,"
                         " reason = 'its deletion was asked for before it was sent',"
                         " done = " GAP_OUTBOX_NOW ", key = coalesce(key, ?2) WHERE row = ?1",
};

int gap_writing_statement(struct gap_writing *w, enum gap_writing_sql which, sqlite3_stmt **out)
{
    int rc = SQLITE_OK;

    if (w->stmts[which] == NULL) rc = gap_outbox_prepare(w->db, texts[which], &w->stmts[which]);
    *out = w->stmts[which];
    return rc;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static int save(struct gap_writing *w)
{
    if (w->saved) return SQLITE_OK;
    int rc = gap_outbox_exec(w->db, "SAVEPOINT outbox_rows");
    w->saved = rc == SQLITE_OK;
    return rc;
}

/* Everything else needs tables: this statement comes first. */
static int begin(struct gap_writing *w)
{
    sqlite3_stmt *insert;
    int rc = gap_writing_statement(w, GAP_WRITE_INSERT, &insert);

    if (rc == SQLITE_OK) return gap_outbox_check_version(w->db);
    if (rc != SQLITE_ERROR) return rc;
    rc = save(w);
    if (rc == SQLITE_OK) rc = gap_outbox_make(w->db);
    return rc == SQLITE_OK ? gap_writing_statement(w, GAP_WRITE_INSERT, &insert) : rc;
}

/* Nobody else writes meanwhile: what has a number from the first one on is of this call. */
static void undo(struct gap_writing *w)
{
    sqlite3_stmt *stmt = NULL;

    if (w->first == 0 || w->saved || sqlite3_get_autocommit(w->db) != 0) return;
    int rc = gap_outbox_prepare(w->db, "DELETE FROM main.gapless_outbox WHERE row >= ?1", &stmt);
    if (rc == SQLITE_OK) rc = gap_outbox_run(stmt, &w->first, 1);
    (void)rc; /* the first failure counts */
    (void)sqlite3_finalize(stmt);
}

static int end(struct gap_writing *w, int rc)
{
    if (rc != SQLITE_OK) undo(w);
    for (size_t i = 0; i < GAP_WRITE_COUNT; i++) (void)sqlite3_finalize(w->stmts[i]);
    gap_buf_fini(&w->payload);
    gap_buf_fini(&w->older);
    gap_wipe(w->random, sizeof w->random);
    if (!w->saved || sqlite3_get_autocommit(w->db) != 0) return rc;
    if (rc == SQLITE_OK) return gap_outbox_exec(w->db, "RELEASE outbox_rows");
    (void)sqlite3_exec(w->db, "ROLLBACK TO outbox_rows; RELEASE outbox_rows", NULL, NULL, NULL);
    return rc; /* the first failure counts */
}

/* --- one row ---------------------------------------------------------------------------------- */

static int draw(struct gap_writing *w, int64_t *out)
{
    *out = 0;
    while (*out == 0) {
        if (w->drawn == 0) {
            size_t n =
                w->to_draw < GAP_ARRAY_LEN(w->random) ? w->to_draw : GAP_ARRAY_LEN(w->random);
            if (n == 0) n = 1; /* one was 0 */
            int r = gap_random_own(w->random, n * sizeof w->random[0]);
            if (r < 0) return r;
            w->drawn = n;
            w->to_draw -= w->to_draw < n ? w->to_draw : n;
        }
        *out = w->random[--w->drawn];
    }
    return 0;
}

gap_outbox_class_t gap_writing_class(const gap_outbox_item_t *item)
{
    if (item->urgency != GAP_OUTBOX_AUTO) return item->urgency;
    switch (item->kind) {
    case GAP_OUTBOX_EDIT:
    case GAP_OUTBOX_DELETE:
    case GAP_OUTBOX_PIN:
        return GAP_OUTBOX_EDITS;
    case GAP_OUTBOX_READ:
    case GAP_OUTBOX_REACT:
        return GAP_OUTBOX_REPLY;
    default:
        return item->reply_to != 0 || item->reply_to_row != 0 ? GAP_OUTBOX_REPLY : GAP_OUTBOX_BULK;
    }
}

static int find_key(struct gap_writing *w, gap_bytes_t key, int64_t *row)
{
    sqlite3_stmt *stmt;
    int rc = gap_writing_statement(w, GAP_WRITE_KNOWN, &stmt);

    *row = 0;
    if (rc == SQLITE_OK) rc = gap_outbox_bind_text(stmt, 1, key);
    if (rc != SQLITE_OK) return rc;
    rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *row = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* A parameter keeps its value from row to row. */
static int bind_number(struct gap_writing *w, sqlite3_stmt *stmt, int at, int64_t number)
{
    if (w->bound[at].is && w->bound[at].number == number) return SQLITE_OK;
    w->bound[at].is = true;
    w->bound[at].number = number;
    return sqlite3_bind_int64(stmt, at, number);
}

static int bind_row(struct gap_writing *w, sqlite3_stmt *stmt, const gap_outbox_item_t *item,
                    int64_t chat, int32_t target, int64_t target_row)
{
    const int64_t numbers[] = {item->kind, gap_writing_class(item), chat, item->random_id, target};
    int rc = SQLITE_OK;

    for (int i = 0; rc == SQLITE_OK && i < (int)GAP_ARRAY_LEN(numbers); i++)
        rc = bind_number(w, stmt, i + 1, numbers[i]);
    if (rc == SQLITE_OK && (target_row != 0 || w->has_target_row)) {
        w->has_target_row = true;
        rc = target_row != 0 ? sqlite3_bind_int64(stmt, 6, target_row) : sqlite3_bind_null(stmt, 6);
    }
    if (rc == SQLITE_OK) rc = bind_number(w, stmt, 7, item->not_before_us);
    if (rc == SQLITE_OK) rc = bind_number(w, stmt, 8, item->deadline_us);
    if (rc == SQLITE_OK && (item->key.len > 0 || w->has_key)) {
        w->has_key = true;
        rc = gap_outbox_bind_text(stmt, 9, item->key);
    }
    return rc == SQLITE_OK ? gap_outbox_bind_blob(stmt, 10, gap_buf_view(&w->payload)) : rc;
}

static int insert_row(struct gap_writing *w, const gap_outbox_item_t *item, int64_t chat,
                      int32_t target, int64_t target_row, int64_t *row, bool *known)
{
    sqlite3_stmt *stmt;
    int rc = gap_writing_statement(w, GAP_WRITE_INSERT, &stmt);

    if (rc == SQLITE_OK) rc = bind_row(w, stmt, item, chat, target, target_row);
    if (rc == SQLITE_OK) rc = gap_sqlite_run(stmt);
    if (rc != SQLITE_OK) return rc;
    if (sqlite3_changes(w->db) == 0) {
        *known = true;
        rc = find_key(w, item->key, row);
        return rc == SQLITE_OK && *row == 0 ? GAP_E_DAMAGED : rc;
    }
    *row = sqlite3_last_insert_rowid(w->db);
    if (w->first == 0) w->first = *row;
    return SQLITE_OK;
}

/* One that changes, or hangs on, a row that is there. */
static bool concerns_others(const gap_outbox_item_t *item)
{
    return item->kind == GAP_OUTBOX_EDIT || item->message_row != 0 || item->reply_to_row != 0;
}

static int change_row(struct gap_writing *w, const gap_outbox_item_t *item, int64_t chat,
                      int32_t *target, int64_t *target_row, int64_t *row, bool *known)
{
    int rc = SQLITE_OK;

    *row = 0;
    if (item->key.len > 0) rc = find_key(w, item->key, row);
    *known = *row != 0;
    return rc == SQLITE_OK && !*known ? gap_writing_change(w, item, chat, target, target_row, row)
                                      : rc;
}

static int write_one(struct gap_writing *w, const gap_outbox_item_t *given, int64_t *row,
                     bool *known)
{
    gap_outbox_item_t item = *given;
    int64_t chat = gap_outbox_mark(item.chat);
    int32_t target = 0;
    int64_t target_row = 0;
    int64_t drawn;

    gap_buf_clear(&w->payload);
    *known = false;
    int rc = draw(w, &drawn);
    if (rc == 0) rc = gap_outbox_random_id(given, drawn, &item.random_id);
    if (rc == 0) rc = gap_item_pack(&item, &w->payload);
    if (rc == 0 && concerns_others(given)) {
        rc = change_row(w, &item, chat, &target, &target_row, row, known);
        if (rc != SQLITE_OK || *row != 0) return rc;
    }
    return rc == SQLITE_OK ? insert_row(w, &item, chat, target, target_row, row, known) : rc;
}

int gap_outbox_write(sqlite3 *db, const gap_alloc_t *alloc, const gap_outbox_item_t *items,
                     size_t count, int64_t *rows, bool *known)
{
    struct gap_writing w = {.db = db, .to_draw = count};
    bool is_known = false;

    if (sqlite3_get_autocommit(db) != 0) return GAP_E_STATE;
    if (count == 0) return 0;
    gap_buf_init(&w.payload, alloc);
    gap_buf_init(&w.older, alloc);
    sqlite3_int64 last = sqlite3_last_insert_rowid(db);
    int rc = begin(&w);
    for (size_t i = 0; rc == SQLITE_OK && count > 1 && i < count; i++)
        if (concerns_others(&items[i])) rc = save(&w);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        int64_t row = 0;
        rc = write_one(&w, &items[i], &row, &is_known);
        if (rc == SQLITE_OK && rows != NULL) rows[i] = row;
    }
    rc = end(&w, rc);
    sqlite3_set_last_insert_rowid(db, last);
    if (rc == SQLITE_OK && known != NULL) *known = is_known;
    return gap_outbox_result(rc);
}

/* --- public ----------------------------------------------------------------------------------- */

int gap_outbox_enqueue(sqlite3 *db, const gap_outbox_item_t *item, int64_t *row)
{
    bool known = false;
    int r = gap_outbox_write(db, gap_alloc_default(), item, 1, row, &known);

    return r == 0 && known ? GAP_OUTBOX_KNOWN : r;
}

int gap_outbox_enqueue_all(sqlite3 *db, const gap_outbox_item_t *items, size_t count, int64_t *rows)
{
    return gap_outbox_write(db, gap_alloc_default(), items, count, rows, NULL);
}
