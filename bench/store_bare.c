/*
 * bench/store_bare.c - rows like the inbox's, written and removed in groups by SQLite alone: one
 * thread, prepared statements, SQLite's own cache, WAL, synced at every commit.
 */
#include "bench/store_bare.h"

#include "bench/bench.h"

#include <sqlite3.h>
#include <stdlib.h>

struct store_bare {
    sqlite3 *db;
    sqlite3_stmt *begin;
    sqlite3_stmt *insert;
    sqlite3_stmt *remove;
    sqlite3_stmt *commit;
};

static void must(int rc, const char *what)
{
    bench_must(rc == SQLITE_OK || rc == SQLITE_DONE ? 0 : GAP_E_STORAGE, what);
}

static sqlite3_stmt *prepare(const struct store_bare *b, const char *sql)
{
    sqlite3_stmt *stmt = NULL;

    must(sqlite3_prepare_v3(b->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL), sql);
    return stmt;
}

struct store_bare *store_bare_open(const char *path)
{
    struct store_bare *b = calloc(1, sizeof *b);

    bench_must(b == NULL ? GAP_E_NOMEM : 0, "the bare loop");
    must(sqlite3_open(path, &b->db), "the bare loop's file");
    must(sqlite3_exec(b->db,
                      "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                      "PRAGMA secure_delete = OFF;"
                      "CREATE TABLE inbox(number INTEGER PRIMARY KEY, eid BLOB,"
                      " content INTEGER NOT NULL, attempts INTEGER NOT NULL, box INTEGER NOT NULL,"
                      " channel_id INTEGER NOT NULL, created_us INTEGER NOT NULL,"
                      " packed BLOB NOT NULL)",
                      NULL, NULL, NULL),
         "the bare loop's table");
    b->begin = prepare(b, "BEGIN IMMEDIATE");
    b->insert = prepare(b, "INSERT INTO inbox VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
    b->remove = prepare(b, "DELETE FROM inbox WHERE number = ?1");
    b->commit = prepare(b, "COMMIT");
    return b;
}

void store_bare_close(struct store_bare *b)
{
    must(sqlite3_finalize(b->begin), "the bare loop");
    must(sqlite3_finalize(b->insert), "the bare loop");
    must(sqlite3_finalize(b->remove), "the bare loop");
    must(sqlite3_finalize(b->commit), "the bare loop");
    must(sqlite3_close(b->db), "the bare loop");
    free(b);
}

static void run(sqlite3_stmt *stmt)
{
    must(sqlite3_step(stmt), "a statement of the bare loop");
    must(sqlite3_reset(stmt), "a statement of the bare loop");
}

void store_bare_group(struct store_bare *b, uint64_t first, uint64_t gone, size_t count,
                      const uint8_t *bytes, size_t len)
{
    run(b->begin);
    for (size_t i = 0; i < count; i++) {
        uint64_t number = first + i;
        must(sqlite3_bind_int64(b->insert, 1, (int64_t)number), "a parameter");
        must(sqlite3_bind_blob(b->insert, 2, &number, sizeof number, SQLITE_STATIC), "a parameter");
        for (int column = 3; column <= 7; column++)
            must(sqlite3_bind_int64(b->insert, column, (int64_t)number * column), "a parameter");
        must(sqlite3_bind_blob(b->insert, 8, bytes, (int)len, SQLITE_STATIC), "a parameter");
        run(b->insert);
    }
    for (size_t i = 0; gone != 0 && i < count; i++) {
        must(sqlite3_bind_int64(b->remove, 1, (int64_t)(gone + i)), "a parameter");
        run(b->remove);
    }
    run(b->commit);
}
