/*
 * store/sqlite_schema.c - the library's tables in a SQLite database.
 *
 * They are recognised by three marks, all of which must hold: a row of gapless_meta that names the
 * application and a version, exactly the tables of that version, and their columns. Later versions
 * keep gapless_meta's columns application and version, so that this one can tell that they are
 * newer. The database's own application_id and user_version are the user's.
 *
 * A change of the tables is a step more at the end of the list, never a change of an earlier one.
 */
#include "store/sqlite_schema.h"

#include "base/bytes.h"

#include <stdio.h>

static const struct gap_schema_step steps[] = {
    {
        .sql = "CREATE TABLE gapless_meta("
               " one INTEGER PRIMARY KEY CHECK(one = 1),"
               " application TEXT NOT NULL,"
               " version INTEGER NOT NULL,"
               " user_id INTEGER," /* whose records these are; NULL: not known yet */
               " bot INTEGER NOT NULL DEFAULT 0);"
               "CREATE TABLE gapless_state("
               " one INTEGER PRIMARY KEY CHECK(one = 1),"
               " pts INTEGER NOT NULL,"
               " qts INTEGER NOT NULL,"
               " seq INTEGER NOT NULL,"
               " date INTEGER NOT NULL);"
               "CREATE TABLE gapless_channel("
               " id INTEGER PRIMARY KEY,"
               " pts INTEGER NOT NULL,"
               " unfinished INTEGER NOT NULL);"
               "CREATE TABLE gapless_peer("
               " kind INTEGER NOT NULL," /* 1 user, 2 basic group, 3 channel */
               " id INTEGER NOT NULL,"
               " access_hash INTEGER," /* NULL: none was ever given */
               " min INTEGER NOT NULL,"
               " seen_kind INTEGER NOT NULL,"
               " seen_id INTEGER NOT NULL,"
               " seen_msg_id INTEGER NOT NULL,"
               " phone TEXT,"
               " PRIMARY KEY(kind, id)) WITHOUT ROWID;"
               "CREATE INDEX gapless_peer_phone ON gapless_peer(phone) WHERE phone IS NOT NULL;"
               "CREATE TABLE gapless_username("
               " name TEXT PRIMARY KEY," /* lower case */
               " spelled TEXT NOT NULL,"
               " kind INTEGER NOT NULL,"
               " id INTEGER NOT NULL,"
               " place INTEGER NOT NULL) WITHOUT ROWID;" /* among its peer's usernames */
               "CREATE INDEX gapless_username_peer ON gapless_username(kind, id, place);"
               "INSERT INTO gapless_meta(one, application, version) VALUES(1, 'gapless', 1)",
        .tables = "gapless_channel,gapless_meta,gapless_peer,gapless_state,gapless_username",
        .probe = "SELECT one, application, version, user_id, bot FROM gapless_meta LIMIT 0;"
                 "SELECT one, pts, qts, seq, date FROM gapless_state LIMIT 0;"
                 "SELECT id, pts, unfinished FROM gapless_channel LIMIT 0;"
                 "SELECT kind, id, access_hash, min, seen_kind, seen_id, seen_msg_id, phone"
                 " FROM gapless_peer LIMIT 0;"
                 "SELECT name, spelled, kind, id, place FROM gapless_username LIMIT 0",
    },
    {
        /* Bytes come last: what stands before them is read without them. */
        .sql = "CREATE TABLE gapless_inbox("
               " number INTEGER PRIMARY KEY,"
               " eid BLOB," /* NULL: it has none */
               " content INTEGER NOT NULL,"
               " attempts INTEGER NOT NULL,"
               " box INTEGER NOT NULL,"
               " channel_id INTEGER NOT NULL,"
               " created_us INTEGER NOT NULL,"
               " packed BLOB NOT NULL);"
               "CREATE TABLE gapless_done("
               " eid BLOB PRIMARY KEY,"
               " content INTEGER NOT NULL,"
               " box INTEGER NOT NULL,"
               " channel_id INTEGER NOT NULL,"
               " before INTEGER NOT NULL) WITHOUT ROWID;"
               "CREATE INDEX gapless_done_place ON gapless_done(box, channel_id, before);"
               "CREATE TABLE gapless_dead("
               " number INTEGER PRIMARY KEY,"
               " eid BLOB,"
               " content INTEGER NOT NULL,"
               " attempts INTEGER NOT NULL,"
               " error INTEGER NOT NULL,"
               " reason TEXT NOT NULL,"
               " created_us INTEGER NOT NULL,"
               " died_us INTEGER NOT NULL,"
               " box INTEGER NOT NULL,"
               " channel_id INTEGER NOT NULL,"
               " packed BLOB NOT NULL);"
               "CREATE TABLE gapless_value("
               " key BLOB PRIMARY KEY,"
               " value BLOB NOT NULL) WITHOUT ROWID;"
               "CREATE TABLE gapless_boot("
               " one INTEGER PRIMARY KEY CHECK(one = 1),"
               " epoch INTEGER NOT NULL,"
               " clean INTEGER NOT NULL,"
               " secret BLOB NOT NULL)",
        .tables = "gapless_boot,gapless_channel,gapless_dead,gapless_done,gapless_inbox,"
                  "gapless_meta,gapless_peer,gapless_state,gapless_username,gapless_value",
        .probe = "SELECT one, application, version, user_id, bot FROM gapless_meta LIMIT 0;"
                 "SELECT one, pts, qts, seq, date FROM gapless_state LIMIT 0;"
                 "SELECT id, pts, unfinished FROM gapless_channel LIMIT 0;"
                 "SELECT kind, id, access_hash, min, seen_kind, seen_id, seen_msg_id, phone"
                 " FROM gapless_peer LIMIT 0;"
                 "SELECT name, spelled, kind, id, place FROM gapless_username LIMIT 0;"
                 "SELECT number, eid, content, attempts, box, channel_id, created_us, packed"
                 " FROM gapless_inbox LIMIT 0;"
                 "SELECT eid, content, box, channel_id, before FROM gapless_done LIMIT 0;"
                 "SELECT number, eid, content, attempts, error, reason, created_us, died_us, box,"
                 " channel_id, packed FROM gapless_dead LIMIT 0;"
                 "SELECT key, value FROM gapless_value LIMIT 0;"
                 "SELECT one, epoch, clean, secret FROM gapless_boot LIMIT 0",
    },
};

const struct gap_schema gap_schema_today = {steps, (int)GAP_ARRAY_LEN(steps)};

/* One row's first column as text into @p out; "" if there is none. What does not fit is cut. */
static int query_text(sqlite3 *db, const char *sql, char *out, size_t len)
{
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

    out[0] = '\0';
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) {
        const unsigned char *text = sqlite3_column_text(stmt, 0);
        if (text != NULL) snprintf(out, len, "%s", (const char *)text);
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* The tables and views with our prefix, sorted, with commas; more than fit are nobody's we know.
 * Those of the outbox are left out: they come and go with the user's own transactions, carry a
 * version of their own, and whoever uses them looks at it. */
static int list_tables(sqlite3 *db, char *out, size_t len)
{
    sqlite3_stmt *stmt = NULL;
    size_t at = 0;
    int rc = sqlite3_prepare_v2(db,
                                "SELECT lower(name) FROM sqlite_master WHERE type IN ('table',"
                                " 'view') AND lower(name) GLOB 'gapless_*' AND lower(name) NOT GLOB"
                                " 'gapless_outbox*' ORDER BY 1",
                                -1, &stmt, NULL);

    out[0] = '\0';
    while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        const unsigned char *name = sqlite3_column_text(stmt, 0);
        if (name != NULL && at < len)
            at +=
                (size_t)snprintf(out + at, len - at, "%s%s", at > 0 ? "," : "", (const char *)name);
        rc = name != NULL ? SQLITE_OK : SQLITE_NOMEM;
    }
    (void)sqlite3_finalize(stmt); /* it repeats what step said */
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

/* What is in the file: *version is 0 if nothing of the library's. */
static int recognise(sqlite3 *db, const struct gap_schema *schema, int *version)
{
    char tables[512];
    char text[32];
    int rc = list_tables(db, tables, sizeof tables);

    if (rc != SQLITE_OK) return rc;
    *version = 0;
    if (tables[0] == '\0') return 0;

    rc = query_text(db,
                    "SELECT version FROM gapless_meta WHERE application = 'gapless'"
                    " AND typeof(version) = 'integer' AND version BETWEEN 1 AND 1000000",
                    text, sizeof text);
    if (rc == SQLITE_ERROR || (rc == SQLITE_OK && text[0] == '\0')) return GAP_E_FOREIGN;
    if (rc != SQLITE_OK) return rc;
    int there = 0;
    for (const char *p = text; *p >= '0' && *p <= '9'; p++) there = there * 10 + (*p - '0');
    if (there > schema->version) {
        *version = there;
        return GAP_E_NEWER;
    }
    if (strcmp(tables, schema->steps[there - 1].tables) != 0) return GAP_E_FOREIGN;
    rc = sqlite3_exec(db, schema->steps[there - 1].probe, NULL, NULL, NULL);
    if (rc == SQLITE_ERROR) return GAP_E_FOREIGN;
    if (rc != SQLITE_OK) return rc;
    *version = there;
    return 0;
}

/* Inside a transaction. */
static int bring_up(sqlite3 *db, const struct gap_schema *schema, int from)
{
    char sql[64];

    for (int v = from; v < schema->version; v++) {
        int rc = sqlite3_exec(db, schema->steps[v].sql, NULL, NULL, NULL);
        if (rc != SQLITE_OK) return rc;
    }
    snprintf(sql, sizeof sql, "UPDATE gapless_meta SET version = %d", schema->version);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int gap_schema_prepare(sqlite3 *db, const struct gap_schema *schema, int *found)
{
    int there = 0;
    int rc = recognise(db, schema, &there);

    if (rc == 0 && there != schema->version) {
        rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
        if (rc == 0) rc = recognise(db, schema, &there);
        if (rc == 0) rc = bring_up(db, schema, there);
        /* Somebody's index or trigger has one of our names, or a step does not fit the tables. */
        if (rc == SQLITE_ERROR) rc = GAP_E_FOREIGN;
        if (rc == 0) rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
        if (rc != 0 && sqlite3_get_autocommit(db) == 0)
            (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* the first failure counts */
    }
    if (rc == 0 || rc == GAP_E_NEWER) *found = there;
    return rc;
}

/* The next table, by name; one whose name is longer than any of the library's is nobody's. */
static int next_table(sqlite3 *db, const char *glob, const char *after, char *out, size_t len)
{
    char sql[400];

    sqlite3_snprintf((int)sizeof sql, sql,
                     "SELECT name FROM main.sqlite_master WHERE type = 'table' AND lower(name) GLOB"
                     " '%q' AND name > '%q' AND length(CAST(name AS BLOB)) < %d"
                     " ORDER BY name LIMIT 1",
                     glob, after, (int)len);
    return query_text(db, sql, out, len);
}

int gap_schema_damaged(sqlite3 *db, const char *glob, char table[GAP_SCHEMA_NAME_BYTES])
{
    char name[GAP_SCHEMA_NAME_BYTES] = "";
    char next[GAP_SCHEMA_NAME_BYTES];
    char verdict[16];
    char sql[2 * GAP_SCHEMA_NAME_BYTES + 40];

    table[0] = '\0';
    for (;;) {
        int rc = next_table(db, glob, name, next, sizeof next);
        if (rc != SQLITE_OK || next[0] == '\0') return rc;
        memcpy(name, next, sizeof name);
        sqlite3_snprintf((int)sizeof sql, sql, "PRAGMA main.quick_check('%q')", name);
        rc = query_text(db, sql, verdict, sizeof verdict);
        if (rc == SQLITE_OK && strcmp(verdict, "ok") == 0) continue;
        if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_CORRUPT) memcpy(table, name, sizeof name);
        return rc == SQLITE_OK ? SQLITE_CORRUPT : rc;
    }
}
