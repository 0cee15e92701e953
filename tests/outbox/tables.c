#include "tests/outbox/tables.h"

#include "outbox/content.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

char tables_path[300];
static char folder[256];

void tables_begin(void)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/gap-outbox-XXXXXX", base != NULL ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(tables_path, sizeof tables_path, "%s/user.db", folder);
}

void tables_end(void)
{
    static const char *const ends[] = {"", "-wal", "-shm", "-journal", "-gapless.lock"};
    char name[340];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        snprintf(name, sizeof name, "%s%s", tables_path, ends[i]);
        (void)unlink(name);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

sqlite3 *tables_open(void)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(tables_path, &db), SQLITE_OK);
    tables_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF");
    return db;
}

void tables_close(sqlite3 *db)
{
    ck_assert_ptr_null(sqlite3_next_stmt(db, NULL)); /* none was left behind */
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

void tables_exec(sqlite3 *db, const char *sql)
{
    int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

    ck_assert_msg(rc == SQLITE_OK, "%s: %s", sql, sqlite3_errmsg(db));
}

static sqlite3_stmt *first_row(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    ck_assert_msg(rc == SQLITE_ROW, "%s: %d %s", sql, rc, sqlite3_errmsg(db));
    return stmt;
}

int64_t tables_number(sqlite3 *db, const char *format, ...)
{
    char sql[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    sqlite3_stmt *stmt = first_row(db, sql);
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

const char *tables_text(sqlite3 *db, const char *format, ...)
{
    static char text[1024];
    char sql[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sql, sizeof sql, format, args);
    va_end(args);
    sqlite3_stmt *stmt = first_row(db, sql);
    const char *p = (const char *)sqlite3_column_text(stmt, 0);
    snprintf(text, sizeof text, "%s", p != NULL ? p : "NULL");
    sqlite3_finalize(stmt);
    return text;
}

gap_outbox_item_t text_to(gap_peer_t chat, const char *text)
{
    return (gap_outbox_item_t){
        .kind = GAP_OUTBOX_SEND, .chat = chat, .content = {.text = gap_str(text)}};
}

gap_outbox_item_t edit_of(gap_peer_t chat, const int32_t *id, const char *text)
{
    return (gap_outbox_item_t){.kind = GAP_OUTBOX_EDIT,
                               .chat = chat,
                               .ids = id,
                               .id_count = 1,
                               .content = {.text = gap_str(text)}};
}

gap_outbox_item_t edit_of_row(gap_peer_t chat, int64_t row, const char *text)
{
    return (gap_outbox_item_t){.kind = GAP_OUTBOX_EDIT,
                               .chat = chat,
                               .message_row = row,
                               .content = {.text = gap_str(text)}};
}

int try_put(sqlite3 *db, const gap_outbox_item_t *item, int64_t *row)
{
    tables_exec(db, "BEGIN IMMEDIATE");
    int r = gap_outbox_enqueue(db, item, row);
    tables_exec(db, r >= 0 ? "COMMIT" : "ROLLBACK");
    return r;
}

int64_t put(sqlite3 *db, const gap_outbox_item_t *item)
{
    int64_t row = -1;
    int r = try_put(db, item, &row);

    ck_assert_msg(r == 0, "enqueue: %d %s", r, gap_strerror(r));
    return row;
}

const char *text_in(sqlite3 *db, int64_t row)
{
    static char text[256];
    char sql[96];
    struct gap_item item;

    snprintf(sql, sizeof sql, "SELECT payload FROM gapless_outbox WHERE row = %lld",
             (long long)row);
    sqlite3_stmt *stmt = first_row(db, sql);
    gap_bytes_t payload = {sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};
    ck_assert_int_eq(gap_item_unpack(payload, &item), 0);
    snprintf(text, sizeof text, "%.*s", (int)item.item.content.text.len,
             (const char *)item.item.content.text.data);
    sqlite3_finalize(stmt);
    return text;
}
