/*
 * tests/store/test_sqlite.c - what only the SQLite storage has to do: whose file is it, the user's
 * own database, rows that were edited, other versions, other processes, no rights.
 */
#include "store/sqlite_schema.h"
#include "tests/store/database.h"

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int commit_one(gap_storage_t *s, gap_record_t record)
{
    gap_storage_fault_t fault = {0};

    return s->ops->commit(s, &record, 1, &fault);
}

static void check_dump(gap_storage_t *s, const char *want)
{
    char *dump = store_dump(s);

    ck_assert_str_eq(dump, want);
    free(dump);
}

/* Run SQL on the file, as its user would; the first column of the last row goes to @p out. */
static int keep_column(void *out, int n, char **values, char **names)
{
    (void)n;
    (void)names;
    snprintf(out, 64, "%s", values[0] != NULL ? values[0] : "NULL");
    return 0;
}

static void sql(const char *text, char out[64])
{
    char ignored[64];
    char *error = NULL;
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    int rc = sqlite3_exec(db, text, keep_column, out != NULL ? out : ignored, &error);
    ck_assert_msg(rc == SQLITE_OK, "%s: %s", text, error);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

static char *slurp(size_t *len)
{
    int fd = open(path, O_RDONLY);
    struct stat st;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    *len = (size_t)st.st_size;
    char *bytes = malloc(*len + 1);
    ck_assert_int_eq(read(fd, bytes, *len), st.st_size);
    close(fd);
    return bytes;
}

static void spill(const char *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    if (len > 0) ck_assert_int_eq(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

/* Opening says @p want, with a text, and not one byte is another afterwards. */
static void check_refused(int want, const char *why)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = make();
    size_t before_len;
    size_t after_len;
    char *before = slurp(&before_len);
    int r = s->ops->open(s, &fault);

    ck_assert_msg(r == want, "%s: %d %s", why, r, fault.text);
    ck_assert_msg(strstr(fault.text, "store.db: ") != NULL && strchr(fault.text, ';') != NULL,
                  "%s: text '%s'", why, fault.text);
    end(s);
    char *after = slurp(&after_len);
    ck_assert_msg(after_len == before_len && memcmp(before, after, before_len) == 0,
                  "%s: the file was touched", why);
    free(before);
    free(after);
}

/* --- whose file ------------------------------------------------------------------------------- */

START_TEST(test_a_new_file)
{
    gap_storage_t *s = opened();
    struct stat st;
    size_t len;

    ck_assert_int_eq(commit_one(s, store_state(1, 2, 3, 4)), 0);
    end(s);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    char *bytes = slurp(&len);
    ck_assert_int_eq(bytes[18], 2); /* a WAL database, by the file format */
    free(bytes);
    char text[64];
    sql("PRAGMA integrity_check", text);
    ck_assert_str_eq(text, "ok");
}
END_TEST

START_TEST(test_files_that_are_something_else)
{
    static const struct {
        const char *why;
        const char *bytes;
        size_t len;
    } cases[] = {
        {"a text", "dear diary", 10},
        {"one byte", "x", 1},
        {"the beginning of a database's header", "SQLite format 3", 15},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        spill(cases[i].bytes, cases[i].len);
        check_refused(GAP_E_FOREIGN, cases[i].why);
    }
    char header[104];
    memset(header, 1, sizeof header);
    memcpy(header, "SQLite format 3", 16);
    spill(header, sizeof header);
    check_refused(GAP_E_FOREIGN, "a header with nothing sensible behind it");
    char *large = malloc(100000);
    for (size_t i = 0; i < 100000; i++) large[i] = (char)(i * 7 + i / 256);
    spill(large, 100000);
    free(large);
    check_refused(GAP_E_FOREIGN, "a large file");
}
END_TEST

START_TEST(test_an_empty_file_is_taken)
{
    spill("", 0);
    gap_storage_t *s = opened();
    ck_assert_int_eq(commit_one(s, store_state(1, 2, 3, 4)), 0);
    check_dump(s, "state 1 2 3 4");
    end(s);
}
END_TEST

START_TEST(test_tables_that_are_not_ours)
{
    static const struct {
        const char *why;
        bool ours; /* made by the library, then changed */
        int want;
        const char *sql;
    } cases[] = {
        {"one of our names", false, GAP_E_FOREIGN, "CREATE TABLE gapless_peer(x)"},
        {"a name with our prefix", false, GAP_E_FOREIGN, "CREATE TABLE Gapless_Mine(x)"},
        {"a view", false, GAP_E_FOREIGN, "CREATE VIEW gapless_state AS SELECT 1"},
        {"our index's name", false, GAP_E_FOREIGN,
         "CREATE TABLE t(x); CREATE INDEX gapless_peer_phone ON t(x)"},
        {"another application's meta", false, GAP_E_FOREIGN,
         "CREATE TABLE gapless_meta(one, application, version, user_id, bot);"
         "INSERT INTO gapless_meta VALUES(1, 'other', 1, NULL, 0)"},
        {"meta without a row", true, GAP_E_FOREIGN, "DELETE FROM gapless_meta"},
        {"version 0", true, GAP_E_FOREIGN, "UPDATE gapless_meta SET version = 0"},
        {"a version that is no number", true, GAP_E_FOREIGN,
         "UPDATE gapless_meta SET version = 'one'"},
        {"a table more", true, GAP_E_FOREIGN, "CREATE TABLE gapless_more(x)"},
        {"a table less", true, GAP_E_FOREIGN, "DROP TABLE gapless_state"},
        {"another column", true, GAP_E_FOREIGN,
         "ALTER TABLE gapless_channel RENAME COLUMN pts TO stp"},
        {"a newer version", true, GAP_E_NEWER, "UPDATE gapless_meta SET version = 3"},
        {"a newer version with other tables", true, GAP_E_NEWER,
         "UPDATE gapless_meta SET version = 1000; CREATE TABLE gapless_outbox(x);"
         "DROP TABLE gapless_state"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (cases[i].ours) end(opened());
        sql(cases[i].sql, NULL);
        check_refused(cases[i].want, cases[i].why);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

START_TEST(test_newer_says_which)
{
    gap_storage_fault_t fault = {0};

    end(opened());
    sql("UPDATE gapless_meta SET version = 77", NULL);
    gap_storage_t *s = make();
    ck_assert_int_eq(s->ops->open(s, &fault), GAP_E_NEWER);
    ck_assert_ptr_nonnull(strstr(fault.text, "77"));
    end(s);
}
END_TEST

START_TEST(test_paths)
{
    static const char *const bad[] = {NULL, "", ":memory:"};
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = NULL;
    char other[400];

    for (size_t i = 0; i < 3; i++) {
        gap_sqlite_config_t config = {.path = bad[i]};
        ck_assert_int_eq(gap_storage_sqlite(NULL, &config, &s), GAP_E_ARGUMENT);
    }
    /* A folder that is not there; a folder; a path too long: text and code, no crash. */
    char large[1200];
    memset(large, 'x', sizeof large);
    large[0] = '/';
    large[sizeof large - 1] = '\0';
    snprintf(other, sizeof other, "%s/none/store", folder);
    const char *const hopeless[] = {other, folder, large};
    for (size_t i = 0; i < 3; i++) {
        gap_sqlite_config_t config = {.path = hopeless[i]};
        memset(&fault, 0, sizeof fault);
        ck_assert_int_eq(gap_storage_sqlite(NULL, &config, &s), 0);
        ck_assert_int_eq(s->ops->open(s, &fault), GAP_E_STORAGE);
        ck_assert_str_ne(fault.text, "");
        end(s);
    }
    /* Another way to the same file is the same file. */
    gap_storage_t *first = opened();
    snprintf(other, sizeof other, "%s/link.db", folder);
    ck_assert_int_eq(symlink(path, other), 0);
    ck_assert_int_eq(gap_storage_sqlite(NULL, &(gap_sqlite_config_t){.path = other}, &s), 0);
    ck_assert_int_eq(s->ops->open(s, &fault), GAP_E_HELD);
    end(s);
    end(first);
    snprintf(other, sizeof other, "%s-gapless.lock", folder);
    (void)unlink(other);
}
END_TEST

/* --- the user's own database ------------------------------------------------------------------ */

START_TEST(test_the_users_database_stays_theirs)
{
    static const char *const modes[] = {"delete", "truncate", "persist", "wal"};

    for (size_t i = 0; i < 4; i++) {
        char text[256];
        char out[64];
        snprintf(text, sizeof text,
                 "PRAGMA journal_mode = %s; PRAGMA application_id = 77; PRAGMA user_version = 5;"
                 "CREATE TABLE mine(x); INSERT INTO mine VALUES(42)",
                 modes[i]);
        sql(text, NULL);
        gap_storage_t *s = opened();
        ck_assert_int_eq(commit_one(s, store_state(1, 2, 3, 4)), 0);
        sql("INSERT INTO mine VALUES(43)", NULL); /* side by side */
        ck_assert_int_eq(commit_one(s, store_state(2, 2, 3, 4)), 0);
        sql("SELECT pts FROM gapless_state", out);
        ck_assert_str_eq(out, "2");
        end(s);
        /* A journal mode other than WAL belongs to the connection: WAL or not is the file's. */
        sql("PRAGMA journal_mode", out);
        ck_assert_str_eq(out, i == 3 ? "wal" : "delete");
        sql("PRAGMA application_id", out);
        ck_assert_str_eq(out, "77");
        sql("PRAGMA user_version", out);
        ck_assert_str_eq(out, "5");
        sql("SELECT sum(x) FROM mine", out);
        ck_assert_str_eq(out, "85");
        sql("PRAGMA integrity_check", out);
        ck_assert_str_eq(out, "ok");
        s = opened();
        check_dump(s, "state 2 2 3 4");
        end(s);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

START_TEST(test_a_database_in_utf16)
{
    gap_peer_key_t key = store_by(GAP_BY_USERNAME, "durov");

    sql("PRAGMA encoding = 'UTF-16'; CREATE TABLE mine(x)", NULL);
    gap_storage_t *s = opened();
    ck_assert_int_eq(commit_one(s, store_named(GAP_PEER_USER, 5, "4915", "Durov", NULL)), 0);
    char *found = store_find(s, &key);
    ck_assert_str_eq(found, "peer user 5 hash 50 +4915 @Durov");
    free(found);
    end(s);
}
END_TEST

/* A transaction of somebody else is waited for, then it is a failure that can be tried again. */
/* Rows that are written again and again need no more room, but for a log that only grows. */
START_TEST(test_a_full_disk_stops_no_log)
{
    gap_storage_t *s = opened();

    for (int pts = 1; pts <= 20; pts++)
        ck_assert_int_eq(commit_one(s, store_state(pts, 2, 3, 4)), 0);
    sql("PRAGMA wal_checkpoint(FULL)", NULL); /* the database has all its pages */
    for (int pts = 21; pts <= 30; pts++)
        ck_assert_int_eq(commit_one(s, store_state(pts, 2, 3, 4)), 0);
    shim_rearm(SHIM_QUOTA, 0, 0);
    for (int pts = 31; pts <= 200; pts++)
        ck_assert_int_eq(commit_one(s, store_state(pts, 2, 3, 4)), 0);
    ck_assert_int_gt(shim_count(), 3);

    /* While somebody reads the log can't begin anew: that is told, and passes. */
    sqlite3 *db = NULL;
    char ignored[64];
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db, "BEGIN; SELECT pts FROM gapless_state", keep_column, ignored, NULL),
        SQLITE_OK);
    int r = 0;
    int pts = 201;
    while (r == 0 && pts < 400) r = commit_one(s, store_state(pts++, 2, 3, 4));
    ck_assert_int_eq(r, GAP_E_STORAGE);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    ck_assert_int_eq(commit_one(s, store_state(500, 2, 3, 4)), 0);
    shim_disarm();
    end(s);
    s = opened();
    check_dump(s, "state 500 2 3 4");
    end(s);
}
END_TEST

START_TEST(test_locked)
{
    gap_storage_fault_t fault = {0};
    gap_record_t record = store_state(1, 2, 3, 4);
    gap_storage_t *s = opened();
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(s->ops->commit(s, &record, 1, &fault), GAP_E_STORAGE);
    ck_assert_ptr_nonnull(strstr(fault.text, "transaction"));
    ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(s->ops->commit(s, &record, 1, &fault), 0);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    check_dump(s, "state 1 2 3 4");
    end(s);
}
END_TEST

/* --- damage ----------------------------------------------------------------------------------- */

static int count_one(void *arg, const gap_record_t *record)
{
    (void)record;
    ++*(int *)arg;
    return 0;
}

START_TEST(test_edited_rows)
{
    static const char *const edits[] = {
        "UPDATE gapless_meta SET user_id = 'me'",
        "UPDATE gapless_meta SET bot = 7",
        "UPDATE gapless_state SET pts = 'many'",
        "UPDATE gapless_state SET date = 1099511627776",
        "UPDATE gapless_channel SET unfinished = 2",
        "UPDATE gapless_channel SET pts = 1.5",
        "UPDATE gapless_channel SET id = 0",
        "UPDATE gapless_peer SET kind = 9",
        "UPDATE gapless_peer SET id = 0",
        "UPDATE gapless_peer SET access_hash = 'secret'",
        "UPDATE gapless_peer SET min = -1",
        "UPDATE gapless_peer SET seen_kind = 4",
        "UPDATE gapless_peer SET seen_id = 5",
    };
    gap_record_t records[] = {
        {.kind = GAP_RECORD_ACCOUNT, .u.account = {7, true}},
        store_state(1, 2, 3, 4),
        store_channel(5, 6, true),
        store_named(GAP_PEER_USER, 7, "8", "nine", NULL),
    };

    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        gap_storage_fault_t fault = {0};
        gap_storage_t *s = opened();
        ck_assert_int_eq(s->ops->commit(s, records, 4, &fault), 0);
        end(s);
        sql(edits[i], NULL);
        s = opened();
        int count = 0;
        int r = s->ops->load(s, count_one, &count, &fault);
        ck_assert_msg(r == GAP_E_DAMAGED, "%s: %d", edits[i], r);
        ck_assert_str_ne(fault.text, "");
        end(s);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

/* Every page but the first, overwritten; and the file cut everywhere: what is read is right or
 * refused, and nothing crashes. */
static int use(gap_storage_t *s, char **dump)
{
    gap_storage_fault_t fault = {0};
    int seen = 0;
    int r = s->ops->open(s, &fault);

    if (r == 0) r = s->ops->load(s, count_one, &seen, &fault);
    for (int64_t id = 1; r == 0 && id <= 300; id++) {
        gap_peer_key_t key = store_by_id(GAP_PEER_USER, id);
        r = s->ops->find(s, &key, count_one, &seen, &fault);
    }
    for (int i = 0; r == 0 && i < 2; i++) {
        gap_read_t what = {.kind = i == 0 ? GAP_RECORD_INBOX : GAP_RECORD_DEAD, .after = true};
        r = s->ops->read(s, &what, count_one, &seen, &fault);
    }
    for (const char *key = STORE_KEYS; r == 0 && *key != 0; key++) {
        gap_read_t what = {.kind = GAP_RECORD_VALUE, .key = {(const uint8_t *)key, 1}};
        r = s->ops->read(s, &what, count_one, &seen, &fault);
    }
    if (r == 0)
        *dump = store_dump(s);
    else
        ck_assert_msg(strchr(fault.text, ';') != NULL, "text '%s'", fault.text);
    return r;
}

START_TEST(test_damaged_pages)
{
    enum { PAGE = 4096 };
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = opened();
    size_t len;
    int damaged = 0;

    for (int64_t id = 1; id <= 300; id++) {
        char name[32];
        snprintf(name, sizeof name, "name_%lld", (long long)id);
        gap_record_t r[] = {store_channel(id, 1, false),
                            store_named(GAP_PEER_USER, id, name + 5, name, NULL)};
        ck_assert_int_eq(s->ops->commit(s, r, 2, &fault), 0);
    }
    char *want = store_dump(s);
    end(s);
    char *whole = slurp(&len);
    ck_assert_uint_gt(len, 8 * PAGE);
    for (size_t at = PAGE; at < len; at += PAGE) {
        for (int how = 0; how < 3; how++) {
            char *bytes = malloc(len);
            memcpy(bytes, whole, len);
            memset(bytes + at, how == 0 ? 0xff : 0, how == 2 ? 8 : PAGE);
            spill(bytes, how == 1 ? at : len); /* 1: cut */
            free(bytes);
            char *dump = NULL;
            s = make();
            int r = use(s, &dump);
            damaged += r != 0;
            ck_assert_msg(r == 0 || r == GAP_E_DAMAGED, "page at %zu, %d: %d", at, how, r);
            if (r == 0) ck_assert_str_eq(dump, want);
            free(dump);
            end(s);
        }
    }
    ck_assert_int_gt(damaged, 10);
    free(want);
    free(whole);
}
END_TEST

/* --- versions --------------------------------------------------------------------------------- */

/* A database of version 1, as it was first released. Never changed again. */
static const char version_1[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE gapless_meta(one INTEGER PRIMARY KEY CHECK(one = 1), application TEXT NOT NULL,"
    " version INTEGER NOT NULL, user_id INTEGER, bot INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE gapless_state(one INTEGER PRIMARY KEY CHECK(one = 1), pts INTEGER NOT NULL,"
    " qts INTEGER NOT NULL, seq INTEGER NOT NULL, date INTEGER NOT NULL);"
    "CREATE TABLE gapless_channel(id INTEGER PRIMARY KEY, pts INTEGER NOT NULL,"
    " unfinished INTEGER NOT NULL);"
    "CREATE TABLE gapless_peer(kind INTEGER NOT NULL, id INTEGER NOT NULL, access_hash INTEGER,"
    " min INTEGER NOT NULL, seen_kind INTEGER NOT NULL, seen_id INTEGER NOT NULL,"
    " seen_msg_id INTEGER NOT NULL, phone TEXT, PRIMARY KEY(kind, id)) WITHOUT ROWID;"
    "CREATE INDEX gapless_peer_phone ON gapless_peer(phone) WHERE phone IS NOT NULL;"
    "CREATE TABLE gapless_username(name TEXT PRIMARY KEY, spelled TEXT NOT NULL,"
    " kind INTEGER NOT NULL, id INTEGER NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX gapless_username_peer ON gapless_username(kind, id, place);"
    "INSERT INTO gapless_meta VALUES(1, 'gapless', 1, 7000000001, 0);"
    "INSERT INTO gapless_state VALUES(1, 11, 12, 13, 1700000000);"
    "INSERT INTO gapless_channel VALUES(1001, 5, 1);"
    "INSERT INTO gapless_peer VALUES(1, 42, -9, 0, 0, 0, 0, '4915');"
    "INSERT INTO gapless_peer VALUES(1, 43, 77, 1, 3, 1001, 8, NULL);"
    "INSERT INTO gapless_peer VALUES(2, 43, NULL, 0, 0, 0, 0, NULL);"
    "INSERT INTO gapless_username VALUES('durov', 'Durov', 1, 42, 1);"
    "INSERT INTO gapless_username VALUES('first', 'first', 1, 42, 0)";

START_TEST(test_a_database_of_version_1)
{
    sql(version_1, NULL);
    gap_storage_t *s = opened();
    check_dump(s, "account 7000000001\nchannel 1001 at 5 unfinished\npeer chat 43\n"
                  "peer user 42 hash -9 +4915 @first @Durov\n"
                  "peer user 43 hash 77 min seen channel 1001 8\nstate 11 12 13 1700000000");
    ck_assert_int_eq(commit_one(s, store_state(14, 12, 13, 1700000001)), 0);
    end(s);
}
END_TEST

#define META                                                                                       \
    "CREATE TABLE gapless_meta(application TEXT, version INTEGER);"                                \
    "INSERT INTO gapless_meta VALUES('gapless', 1)"
#define META_PROBE "SELECT application, version FROM gapless_meta LIMIT 0;"

static const struct gap_schema_step made_up_steps[] = {
    {META ";CREATE TABLE gapless_a(x); INSERT INTO gapless_a VALUES(5)", "gapless_a,gapless_meta",
     META_PROBE "SELECT x FROM gapless_a LIMIT 0"},
    {"ALTER TABLE gapless_a ADD COLUMN y; UPDATE gapless_a SET y = x * 2", "gapless_a,gapless_meta",
     META_PROBE "SELECT x, y FROM gapless_a LIMIT 0"},
    {"CREATE TABLE gapless_b(z); INSERT INTO gapless_b SELECT x + y FROM gapless_a;"
     "DROP TABLE gapless_a",
     "gapless_b,gapless_meta", META_PROBE "SELECT z FROM gapless_b LIMIT 0"},
};

/* From nothing and from every version to every later one; older ones are told the truth. */
START_TEST(test_versions)
{
    for (int from = 0; from <= 3; from++) {
        for (int to = 1; to <= 3; to++) {
            const struct gap_schema first = {made_up_steps, from};
            const struct gap_schema then = {made_up_steps, to};
            char table[GAP_SCHEMA_NAME_BYTES];
            sqlite3 *db = NULL;
            int found = -1;
            ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
            if (from > 0) ck_assert_int_eq(gap_schema_prepare(db, &first, &found), 0);
            int r = gap_schema_prepare(db, &then, &found);
            ck_assert_int_eq(r, from > to ? GAP_E_NEWER : 0);
            ck_assert_int_eq(found, from);
            ck_assert_int_ne(sqlite3_get_autocommit(db), 0);
            if (r == 0) {
                ck_assert_int_eq(gap_schema_prepare(db, &then, &found), 0);
                ck_assert_int_eq(found, to);
                ck_assert_int_eq(gap_schema_damaged(db, "gapless_*", table), 0);
                ck_assert_str_eq(table, "");
            }
            ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
            char out[64];
            int now = from > to ? from : to;
            sql(now == 3   ? "SELECT z FROM gapless_b"
                : now == 2 ? "SELECT y FROM gapless_a"
                           : "SELECT x FROM gapless_a",
                out);
            ck_assert_str_eq(out, now == 3 ? "15" : now == 2 ? "10" : "5");
            ck_assert_int_eq(unlink(path), 0);
        }
    }
}
END_TEST

/* A step that can't be made leaves the version before, whole. */
START_TEST(test_a_step_that_fails)
{
    const struct gap_schema_step bad[] = {
        made_up_steps[0],
        made_up_steps[1],
        {"CREATE TABLE gapless_b(z); INSERT INTO no_such_table VALUES(1)", "gapless_b", ""},
    };
    const struct gap_schema first = {made_up_steps, 1};
    const struct gap_schema broken = {bad, 3};
    const struct gap_schema second = {made_up_steps, 2};
    sqlite3 *db = NULL;
    int found = 0;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(gap_schema_prepare(db, &first, &found), 0);
    ck_assert_int_eq(gap_schema_prepare(db, &broken, &found), GAP_E_FOREIGN);
    ck_assert_int_ne(sqlite3_get_autocommit(db), 0);
    ck_assert_int_eq(gap_schema_prepare(db, &first, &found), 0);
    ck_assert_int_eq(found, 1);
    ck_assert_int_eq(gap_schema_prepare(db, &second, &found), 0);
    ck_assert_int_eq(found, 1);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}
END_TEST

/* --- others ----------------------------------------------------------------------------------- */

START_TEST(test_held_by_another_process)
{
    gap_storage_fault_t fault = {0};
    char pid[32];
    char byte;
    int pipes[2];

    ck_assert_int_eq(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
        gap_storage_t *s = make();
        byte = s->ops->open(s, &fault) == 0 ? 'y' : 'n';
        if (write(pipes[1], &byte, 1) != 1) _exit(1);
        pause();
        _exit(0);
    }
    ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
    ck_assert_int_eq(byte, 'y');
    gap_storage_t *s = make();
    ck_assert_int_eq(s->ops->open(s, &fault), GAP_E_HELD);
    ck_assert_int_eq(fault.holder_pid, child);
    snprintf(pid, sizeof pid, "process %d ", (int)child);
    ck_assert_ptr_nonnull(strstr(fault.text, pid));
    ck_assert_int_eq(kill(child, SIGKILL), 0);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    memset(&fault, 0, sizeof fault);
    int r = s->ops->open(s, &fault);
    ck_assert_msg(r == 0, "after its end: %d %s", r, fault.text);
    end(s);
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

/* As somebody who may not write. */
START_TEST(test_without_rights)
{
    static const struct {
        const char *why;
        mode_t folder;
        mode_t file;
        mode_t lock;
    } cases[] = {
        {"the folder", 0555, 0666, 0},
        {"the file", 0777, 0444, 0666},
        {"the file may not even be read", 0777, 0000, 0666},
        {"the lock file", 0777, 0666, 0444},
    };
    bool root = geteuid() == 0;
    char lock[400];

    end(opened());
    snprintf(lock, sizeof lock, "%s-gapless.lock", path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gap_storage_fault_t fault = {0};
        if (cases[i].lock != 0) ck_assert_int_eq(chmod(lock, cases[i].lock), 0);
        if (cases[i].lock == 0) (void)unlink(lock);
        ck_assert_int_eq(chmod(path, cases[i].file), 0);
        ck_assert_int_eq(chmod(folder, cases[i].folder), 0);
        if (root) ck_assert_int_eq(seteuid(65534), 0);
        gap_storage_t *s = make();
        int r = s->ops->open(s, &fault);
        end(s);
        if (root) ck_assert_int_eq(seteuid(0), 0);
        ck_assert_int_eq(chmod(folder, 0700), 0);
        ck_assert_int_eq(chmod(path, 0600), 0);
        ck_assert_msg(r == GAP_E_STORAGE, "%s: %d %s", cases[i].why, r, fault.text);
        ck_assert_msg(strstr(fault.text, "write") != NULL, "%s: %s", cases[i].why, fault.text);
        if (cases[i].lock == 0) end(opened());
    }
    end(opened());
}
END_TEST

/* What the advice says is enough: an attempt without rights leaves nothing in the way. */
START_TEST(test_rights_that_are_given_later)
{
    bool root = geteuid() == 0;
    gap_storage_fault_t fault = {0};

    end(opened());
    ck_assert_int_eq(chmod(folder, 0777), 0);
    ck_assert_int_eq(chmod(path, 0444), 0);
    if (root) {
        ck_assert_int_eq(chown(path, 65534, 65534), 0);
        char lock[400];
        snprintf(lock, sizeof lock, "%s-gapless.lock", path);
        ck_assert_int_eq(unlink(lock), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    gap_storage_t *s = make();
    ck_assert_int_eq(s->ops->open(s, &fault), GAP_E_STORAGE);
    ck_assert_int_eq(chmod(path, 0600), 0);
    int r = s->ops->open(s, &fault);
    if (r == 0) r = commit_one(s, (gap_record_t){.kind = GAP_RECORD_STATE, .u.state = {.pts = 7}});
    end(s);
    if (root) ck_assert_int_eq(seteuid(0), 0);
    ck_assert_msg(r == 0, "%d %s", r, fault.text);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sqlite");
    TCase *tc = tcase_create("sqlite");

    shim_install(); /* no fault: a disk that is never waited for */
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_a_new_file);
    tcase_add_test(tc, test_files_that_are_something_else);
    tcase_add_test(tc, test_an_empty_file_is_taken);
    tcase_add_test(tc, test_tables_that_are_not_ours);
    tcase_add_test(tc, test_newer_says_which);
    tcase_add_test(tc, test_paths);
    tcase_add_test(tc, test_the_users_database_stays_theirs);
    tcase_add_test(tc, test_a_database_in_utf16);
    tcase_add_test(tc, test_a_full_disk_stops_no_log);
    tcase_add_test(tc, test_locked);
    tcase_add_test(tc, test_edited_rows);
    tcase_add_test(tc, test_damaged_pages);
    tcase_add_test(tc, test_a_database_of_version_1);
    tcase_add_test(tc, test_versions);
    tcase_add_test(tc, test_a_step_that_fails);
    tcase_add_test(tc, test_held_by_another_process);
    tcase_add_test(tc, test_without_rights);
    tcase_add_test(tc, test_rights_that_are_given_later);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
