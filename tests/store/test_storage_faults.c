/*
 * tests/store/test_storage_faults.c - the SQLite storage on a disk that fails: at every write and
 * every sync of a run of commits. What commit said 0 to is there afterwards, nothing half is, and
 * the code says what to do.
 */
#include "tests/store/suite.h"
#include "tests/store/vfs_shim.h"

#include <sqlite3.h>
#include <string.h>

/* A run: commits, the storage closed and opened again in between. */
enum { COMMITS = 9, OPENED_AGAIN_AFTER = 5, MANY = 250, RECORDS_MAX = 300, JOURNAL = -1 };

struct run {
    const char *path;
    bool normal;
    int batch; /* peers in a commit; many: the log fills up and is copied in a commit; JOURNAL: a
                  journal's records instead */
    gap_storage_t *s;
    int acked;    /* commits that were answered with 0 */
    int tried;    /* the last one that was begun */
    int failure;  /* what the first failure said; 0: none */
    bool opening; /* it failed while opening */
    char text[256];
};

/* --- a journal's commits ---------------------------------------------------------------------- */

static int sql_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int n = -1;

    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        n = sqlite3_column_int(stmt, 0);
    return sqlite3_finalize(stmt) == SQLITE_OK ? n : -1;
}

/* A handler: counts the commits in a table of its own. The other one fails after it has written. */
static int count_commit(void *arg, sqlite3 *db)
{
    char sql[128];

    if (db == NULL) return 0;
    snprintf(sql, sizeof sql,
             "CREATE TABLE IF NOT EXISTS mine(n INTEGER, pad TEXT);"
             "INSERT INTO mine VALUES(%d, printf('%%500s', ''))",
             *(const int *)arg);
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : -1;
}

static int count_and_fail(void *arg, sqlite3 *db)
{
    if (count_commit(arg, db) == 0) return -7;
    return -8;
}

static gap_record_t call_of(int (*call)(void *arg, sqlite3 *db), int *n, int *result)
{
    gap_record_t r = {.kind = GAP_RECORD_CALL};

    r.u.call.call = call;
    r.u.call.arg = n;
    r.u.call.result = result;
    r.u.call.inbox = (uint64_t)*n * 10 - 9;
    r.u.call.has_done = true;
    r.u.call.done = store_done((uint8_t)(100 + *n), GAP_BOX_QTS, 0, *n + 1).u.done;
    return r;
}

static int journal_number(gap_storage_t *s, int n, gap_storage_fault_t *fault)
{
    static char text[1200];
    int results[2];
    uint64_t number = (uint64_t)n * 10;

    snprintf(text, sizeof text, "%01100d", n);
    gap_record_t records[] = {
        store_inbox(number, text),
        store_inbox(number + 1, text + 700),
        store_removed(store_inbox(number - 9, "")),
        store_attempts(number - 10, (uint32_t)n),
        store_done((uint8_t)n, GAP_BOX_COMMON, 0, n + 1),
        store_state(n, n, n, n),
        store_dead((uint64_t)n, -n, "why", text + 900),
        store_removed(store_dead(n > 2 ? (uint64_t)n - 2 : 99, 0, "", "")),
        store_value("a", text + 1000),
        store_boot((uint64_t)n, n % 2 == 0, (uint8_t)n),
        call_of(count_commit, &n, &results[0]),
        call_of(count_and_fail, &n, &results[1]),
    };
    records[3].removed = n == 1; /* there is no number 0 */
    records[3].u.inbox.number += n == 1;
    int r = s->ops->commit(s, records, sizeof records / sizeof records[0], fault);
    if (r == 0) ck_assert_int_eq(results[0], 0);
    if (r == 0) ck_assert_int_lt(results[1], 0);
    return r;
}

/* Each commit that is there has been counted once. */
static void check_counted(const char *path, int n)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    if (n > 0) {
        ck_assert_int_eq(sql_number(db, "SELECT count(*) FROM mine"), n);
        ck_assert_int_eq(sql_number(db, "SELECT count(DISTINCT n) FROM mine"), n);
        ck_assert_int_eq(sql_number(db, "SELECT max(n) FROM mine"), n);
    }
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* --- runs ------------------------------------------------------------------------------------- */

/* Commit number @p n (from 1): everything in it says n, so that a half one shows. */
static int commit_number(gap_storage_t *s, int n, int batch, gap_storage_fault_t *fault)
{
    static gap_record_t records[RECORDS_MAX];
    static char names[RECORDS_MAX][48];
    static gap_bytes_t views[RECORDS_MAX];
    size_t count = 0;

    if (batch == JOURNAL) return journal_number(s, n, fault);
    records[count++] = store_state(n, n, n, n);
    for (int64_t id = 1; id <= 3; id++) records[count++] = store_channel(id, n, n % 2 == 0);
    for (int i = 0; i < batch; i++) {
        gap_record_t *r = &records[count];
        /* Half of the names move from peer to peer. */
        snprintf(names[i], sizeof names[i], "name_%d_%030d", i % 2 == 0 ? 0 : n % 3, i);
        views[i] = (gap_bytes_t){(const uint8_t *)names[i], strlen(names[i])};
        *r = store_peer(GAP_PEER_USER, 1 + i + (n % 2) * batch, n);
        r->u.peer.has_names = true;
        r->u.peer.usernames = &views[i];
        r->u.peer.username_count = 1;
        count++;
    }
    return s->ops->commit(s, records, count, fault);
}

static int make(const struct run *run, gap_storage_t **out)
{
    gap_sqlite_config_t config = {.path = run->path, .normal_sync = run->normal};

    return gap_storage_sqlite(gap_alloc_default(), &config, out);
}

static void end(struct run *run)
{
    if (run->s == NULL) return;
    run->s->ops->close(run->s);
    run->s->ops->destroy(run->s);
    run->s = NULL;
}

static bool opens(struct run *run)
{
    gap_storage_fault_t fault = {0};

    if (run->s == NULL) ck_assert_int_eq(make(run, &run->s), 0);
    run->opening = true;
    run->failure = run->s->ops->open(run->s, &fault);
    if (run->failure != 0) {
        memcpy(run->text, fault.text, sizeof run->text);
        return false;
    }
    run->opening = false;
    return true;
}

/* A database of small pages, so that the log has a thousand of them soon. */
static void make_small_pages(const char *path)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(db, "PRAGMA page_size = 512; PRAGMA journal_mode = WAL", NULL, NULL, NULL),
        SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* Until the end, or the first failure. */
static void go(struct run *run)
{
    if (!opens(run)) return;
    for (int n = 1; n <= COMMITS; n++) {
        gap_storage_fault_t fault = {0};
        run->tried = n;
        run->failure = commit_number(run->s, n, run->batch, &fault);
        if (run->failure != 0) {
            memcpy(run->text, fault.text, sizeof run->text);
            return;
        }
        run->acked = n;
        if (n != OPENED_AGAIN_AFTER || run->batch >= MANY) continue;
        run->s->ops->close(run->s);
        if (!opens(run)) return;
    }
}

/* What there is after each commit, according to the storage in memory. */
static char *expected[COMMITS + 1];

static void expect(int batch)
{
    gap_storage_t *s = NULL;
    gap_storage_fault_t fault = {0};

    ck_assert_int_eq(gap_storage_memory(NULL, &s), 0);
    ck_assert_int_eq(s->ops->open(s, &fault), 0);
    for (int n = 0; n <= COMMITS; n++) {
        if (n > 0) ck_assert_int_eq(commit_number(s, n, batch, &fault), 0);
        expected[n] = store_dump(s);
    }
    s->ops->close(s);
    s->ops->destroy(s);
}

static void expect_no_more(void)
{
    for (int n = 0; n <= COMMITS; n++) free(expected[n]);
}

/* Which commit is in it? -1: none that was ever made. */
static int commit_in(gap_storage_t *s)
{
    char *dump = store_dump(s);
    int n = COMMITS;

    while (n >= 0 && strcmp(dump, expected[n]) != 0) n--;
    free(dump);
    return n;
}

/* Open what is left, on a disk that works, and go on with it. */
static void check_left(struct run *run, int least, int most, const char *what, long nth)
{
    gap_storage_fault_t fault = {0};

    end(run);
    ck_assert_int_eq(make(run, &run->s), 0);
    int r = run->s->ops->open(run->s, &fault);
    ck_assert_msg(r == 0, "%s %ld: opening again: %d %s", what, nth, r, fault.text);
    int n = commit_in(run->s);
    if (run->batch == JOURNAL) check_counted(run->path, n);
    ck_assert_msg(n >= least && n <= most, "%s %ld: commit %d is there, wanted %d to %d", what, nth,
                  n, least, most);
    r = commit_number(run->s, n < COMMITS ? n + 1 : COMMITS, run->batch, &fault);
    ck_assert_msg(r == 0, "%s %ld: going on: %d %s", what, nth, r, fault.text);
    ck_assert_int_eq(commit_in(run->s), n < COMMITS ? n + 1 : COMMITS);
    if (run->batch == JOURNAL && n < COMMITS) check_counted(run->path, n + 1);
}

/* A write that fails: nothing was changed, and it can be tried again at once. */
static void check_write(struct run *run, const char *what, long nth)
{
    gap_storage_fault_t fault = {0};

    ck_assert_msg(run->failure == 0 || run->failure == GAP_E_STORAGE, "%s %ld: %d %s", what, nth,
                  run->failure, run->text);
    if (run->failure != 0) ck_assert_msg(strlen(run->text) > 20, "%s %ld: no text", what, nth);
    shim_disarm();
    if (run->failure != 0 && run->opening) ck_assert(opens(run));
    ck_assert_msg(commit_in(run->s) == run->acked, "%s %ld: not what was there before", what, nth);
    if (run->acked < COMMITS) {
        int r = commit_number(run->s, run->acked + 1, run->batch, &fault);
        ck_assert_msg(r == 0, "%s %ld: trying again: %d %s", what, nth, r, fault.text);
        run->acked++;
    }
    ck_assert_int_eq(commit_in(run->s), run->acked);
    check_left(run, run->acked, run->acked, what, nth);
}

/* A sync that fails: no commit any more until it is opened again; then, with the power gone or not,
 * what was acknowledged is there. */
static void check_sync(struct run *run, bool power, long nth)
{
    gap_storage_fault_t fault = {0};

    if (run->failure != 0)
        ck_assert_msg(run->failure == GAP_E_SYNC, "sync %ld: %d %s", nth, run->failure, run->text);
    shim_disarm();
    if (run->failure != 0 && !run->opening) {
        ck_assert_int_eq(commit_number(run->s, run->tried, run->batch, &fault), GAP_E_SYNC);
        ck_assert_str_ne(fault.text, "");
    }
    if (run->failure != 0 && !power && !run->opening) { /* the same storage opens again, too */
        run->s->ops->close(run->s);
        ck_assert(opens(run));
        ck_assert_int_ge(commit_in(run->s), run->acked);
    }
    end(run);
    if (power) shim_power_returns();
    check_left(run, run->acked, run->tried, power ? "sync, power" : "sync", nth);
}

/* Every fault of one kind. @return how often it struck. */
static long every(enum shim_fault fault, bool power, bool normal, int batch, long stride)
{
    static const char *const names[] = {
        [SHIM_NONE] = "none",       [SHIM_FULL] = "full", [SHIM_SHORT] = "short write",
        [SHIM_EIO] = "write error", [SHIM_SYNC] = "sync", [SHIM_KILL] = "kill",
        [SHIM_POWER] = "power",     [SHIM_OPEN] = "open", [SHIM_READ] = "read",
    };
    char folder[256];
    char path[300];
    long struck = 0;

    for (long nth = 1;; nth += stride) {
        store_folder_make(folder, sizeof folder);
        snprintf(path, sizeof path, "%s/store", folder);
        struct run run = {.path = path, .normal = normal, .batch = batch};
        shim_arm(SHIM_NONE, 0, 0);
        if (batch >= MANY) make_small_pages(path);
        shim_arm(fault, nth, (unsigned)nth);
        go(&run);
        bool has_struck = shim_has_struck();
        struck += has_struck;
        switch (fault) {
        case SHIM_SYNC:
            check_sync(&run, power, nth);
            break;
        case SHIM_KILL:
        case SHIM_POWER:
            end(&run);
            shim_disarm();
            if (fault == SHIM_POWER) shim_power_returns();
            check_left(&run, normal && fault == SHIM_POWER ? 0 : run.acked, run.tried, names[fault],
                       nth);
            break;
        default:
            check_write(&run, names[fault], nth);
            break;
        }
        end(&run);
        store_folder_remove(folder);
        if (!has_struck) return struck;
    }
}

static long stride(long normal)
{
    return getenv("GAP_SANITISED") != NULL ? normal * 7 : normal;
}

struct plan {
    enum shim_fault fault;
    bool power;
    bool normal;
    int batch;
    long stride;
    long least; /* how often it strikes at least, at stride 1 */
};

/* Small commits: every operation. Large ones, whose log is copied into the database meanwhile:
 * some. */
static const struct plan plans[] = {
    {SHIM_FULL, false, false, 2, 1, 100},
    {SHIM_SHORT, false, false, 2, 1, 100},
    {SHIM_EIO, false, false, 2, 1, 100},
    {SHIM_SYNC, false, false, 2, 1, 10},
    {SHIM_SYNC, true, false, 2, 1, 10},
    {SHIM_KILL, false, false, 2, 1, 100},
    {SHIM_POWER, false, false, 2, 1, 100},
    {SHIM_POWER, false, true, 2, 1, 100},
    {SHIM_OPEN, false, false, 2, 1, 3},
    {SHIM_READ, false, false, 2, 1, 3},
    {SHIM_EIO, false, false, MANY, 197, 1000},
    {SHIM_POWER, false, false, MANY, 151, 1000},
    {SHIM_KILL, false, false, MANY, 139, 1000},
    {SHIM_SYNC, true, false, MANY, 1, 10},
    {SHIM_SYNC, true, true, 2, 1, 5},
    {SHIM_FULL, false, false, JOURNAL, 3, 100},
    {SHIM_SHORT, false, false, JOURNAL, 3, 100},
    {SHIM_EIO, false, false, JOURNAL, 1, 100},
    {SHIM_SYNC, false, false, JOURNAL, 1, 10},
    {SHIM_SYNC, true, false, JOURNAL, 1, 10},
    {SHIM_KILL, false, false, JOURNAL, 1, 100},
    {SHIM_POWER, false, false, JOURNAL, 1, 100},
    {SHIM_READ, false, false, JOURNAL, 1, 3},
};

START_TEST(test_faults)
{
    const struct plan *p = &plans[_i];

    shim_install();
    expect(p->batch);
    long step = p->fault == SHIM_SYNC ? p->stride : stride(p->stride);
    long struck = every(p->fault, p->power, p->normal, p->batch, step);
    ck_assert_msg(struck * step >= p->least, "plan %d struck %ld times", _i, struck);
    expect_no_more();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("storage_faults");
    TCase *tc = tcase_create("disk");

    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, test_faults, 0, sizeof plans / sizeof plans[0]);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
