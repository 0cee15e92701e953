/*
 * The outbox without memory, on a disk that fails, and with another process that writes and is
 * killed: what was committed is there, whole; what was not is not.
 */
#include "outbox/sql_enqueue.h"
#include "tests/outbox/tables.h"
#include "tests/store/vfs_shim.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW INT64_C(1700000000000000)

static void setup(void)
{
    shim_arm(SHIM_NONE, 0, 0);
    tables_begin();
}

static void teardown(void)
{
    shim_arm(SHIM_NONE, 0, 0);
    tables_end();
}

/* --- everything once -------------------------------------------------------------------------- */

struct once {
    sqlite3 *db;
    const gap_alloc_t *alloc;
    int64_t committed; /* rows whose transaction was */
};

static int commit(struct once *o, int r)
{
    int rc = sqlite3_exec(o->db, r >= 0 ? "COMMIT" : "ROLLBACK", NULL, NULL, NULL);

    if (sqlite3_get_autocommit(o->db) == 0) (void)sqlite3_exec(o->db, "ROLLBACK", NULL, NULL, NULL);
    return r < 0 || rc == SQLITE_OK ? r : gap_outbox_result(rc);
}

static int begin(struct once *o)
{
    int rc = sqlite3_exec(o->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    return gap_outbox_result(rc);
}

static int write_rows(struct once *o)
{
    gap_outbox_item_t items[] = {text_to(ANNA, "one"), text_to(BERT, "two"),
                                 text_to(ANNA, "three")};
    gap_outbox_item_t edit = edit_of_row(ANNA, 1, "better");
    bool known;

    items[2].reply_to_row = 0;
    items[2].key = gap_str("key");
    int r = begin(o);
    if (r < 0) return r;
    r = commit(o, gap_outbox_write(o->db, o->alloc, items, 3, NULL, &known));
    if (r < 0) return r;
    o->committed = 3;
    r = begin(o);
    return r < 0 ? r : commit(o, gap_outbox_write(o->db, o->alloc, &edit, 1, NULL, &known));
}

static int take_rows(struct once *o, struct gap_claim claims[2])
{
    struct gap_claims c = {
        .alloc = o->alloc, .claims = claims, .count = 2, .now_us = NOW, .epoch = 3};
    struct gap_outdb_opening opening = {.epoch = 3, .now_us = NOW, .full_before_us = INT64_MIN};

    claims[0] = (struct gap_claim){.chat = 1001, .has_bucket = true};
    claims[1] = (struct gap_claim){.chat = 1002, .has_bucket = true};
    int r = begin(o);
    if (r == 0) r = commit(o, gap_outdb_open(o->db, &opening));
    if (r == 0) r = begin(o);
    if (r == 0) r = commit(o, gap_outdb_claim(o->db, &c));
    for (int i = 0; i < 2; i++) gap_row_fini(&claims[i].row);
    gap_claims_fini(&c);
    return r;
}

static int end_rows(struct once *o)
{
    struct gap_finish f[] = {{.row = 1, .state = GAP_OUTBOX_SENT, .message_id = 5},
                             {.row = 2,
                              .state = GAP_OUTBOX_PARKED,
                              .park_chat = true,
                              .error = 403,
                              .reason = gap_str("CHAT_WRITE_FORBIDDEN")}};
    struct gap_finishes all = {.alloc = o->alloc, .finishes = f, .count = 2, .now_us = NOW};
    struct gap_gate_row gate = {.method = 5, .chat = 1001, .until_us = NOW + 1};
    uint32_t removed;
    int r = begin(o);

    if (r < 0) return r;
    r = gap_outdb_finish(o->db, &all);
    if (r == 0) r = gap_outdb_gate(o->db, &gate, 1);
    if (r == 0) r = gap_outdb_prune(o->db, 1, 5, &removed);
    return commit(o, r);
}

static int ignore_row(void *arg, const gap_outbox_row_t *row)
{
    (void)arg;
    (void)row;
    return 0;
}

static int ignore_head(void *arg, const struct gap_head *head)
{
    (void)arg;
    (void)head;
    return 0;
}

static int look(struct once *o)
{
    gap_outbox_eta_t eta;
    struct gap_outdb_version v;
    int64_t last;
    int r = gap_outbox_list(o->db, 0, 0, 100, ignore_row, NULL);

    if (r == 0) r = gap_outbox_eta(o->db, 3, NOW, &eta);
    if (r == 0) r = gap_outdb_scan(o->db, 0, 10, ignore_head, NULL, &last);
    if (r == 0) r = gap_outdb_chats(o->db, INT64_MIN, 10, ignore_head, NULL);
    if (r == 0) r = gap_outdb_version(o->db, &v);
    return r;
}

static int change_rows(struct once *o)
{
    int64_t moved;
    int r = begin(o);

    if (r < 0) return r;
    r = gap_outbox_cancel(o->db, 3);
    if (r == 0) r = gap_outbox_retry(o->db, 3, &moved);
    if (r == 0) r = gap_outbox_release(o->db, BERT);
    return commit(o, r);
}

static int run_once(struct once *o)
{
    struct gap_claim claims[2];
    int r = write_rows(o);

    if (r == 0) r = take_rows(o, claims);
    if (r == 0) r = look(o);
    if (r == 0) r = end_rows(o);
    return r == 0 ? change_rows(o) : r;
}

/* --- what is there afterwards ----------------------------------------------------------------- */

static bool has_tables(sqlite3 *db)
{
    return tables_number(db, "SELECT count(*) FROM sqlite_master WHERE name = 'gapless_outbox'") !=
           0;
}

/* Every transaction of run_once is there or not. */
static void check_whole(const struct once *o)
{
    sqlite3 *db = tables_open();

    ck_assert_str_eq(tables_text(db, "PRAGMA integrity_check"), "ok");
    if (has_tables(db)) {
        int64_t rows = tables_number(db, "SELECT count(*) FROM gapless_outbox");
        ck_assert_msg(rows == 3 || (rows == 0 && o->committed == 0), "%d rows", (int)rows);
        int64_t leased = tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state = 3");
        ck_assert(leased == 0 || leased == 2);
        ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state = 5"),
                         tables_number(db, "SELECT count(*) FROM gapless_outbox_gate"));
        ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_post"), 0);
    } else {
        ck_assert_int_eq(o->committed, 0);
    }
    tables_close(db);
}

START_TEST(disk_fails)
{
    static const enum shim_fault faults[] = {SHIM_FULL, SHIM_SHORT, SHIM_EIO,
                                             SHIM_SYNC, SHIM_READ,  SHIM_KILL};
    bool struck = true;

    shim_install();
    for (long n = 1; struck && n < 2000; n++) {
        tables_end();
        tables_begin();
        struct once o = {.alloc = gap_alloc_default()};
        ck_assert_int_eq(sqlite3_open(tables_path, &o.db), SQLITE_OK);
        tables_exec(o.db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
                          "PRAGMA cache_size = 5");
        shim_rearm(faults[_i], n, (unsigned)n);
        int r = run_once(&o);
        struck = shim_has_struck();
        if (!struck) ck_assert_int_eq(r, 0);
        ck_assert_msg(r == 0 || r == GAP_E_STORAGE || r == GAP_E_DAMAGED || r == GAP_E_NOMEM,
                      "fault %d at %ld: %d", _i, n, r);
        sqlite3_close(o.db);
        shim_arm(SHIM_NONE, 0, 0);
        check_whole(&o);
    }
    ck_assert(!struck); /* it got to the end */
}
END_TEST

/* --- memory ----------------------------------------------------------------------------------- */

START_TEST(our_memory_fails)
{
    struct fault_alloc fault;
    long n = 0;
    int r;

    do {
        struct once o = {.alloc = &fault.alloc};
        fault_alloc_init(&fault, ++n);
        tables_end();
        tables_begin();
        o.db = tables_open();
        r = run_once(&o);
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "allocation %ld: %d", n, r);
        ck_assert_int_eq(fault.live, 0);
        tables_close(o.db);
        check_whole(&o);
    } while (r != 0);
    ck_assert_int_gt(n, 5);
}
END_TEST

/* SQLite's own, in a process of its own: it has to be set before anything else. */
static sqlite3_mem_methods real;
static long calls;
static long fail_at;

static void *failing_malloc(int n)
{
    return ++calls == fail_at ? NULL : real.xMalloc(n);
}

static void *failing_realloc(void *p, int n)
{
    return ++calls == fail_at ? NULL : real.xRealloc(p, n);
}

static int fail_all(void)
{
    sqlite3_mem_methods ours;

    ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real), SQLITE_OK);
    ours = real;
    ours.xMalloc = failing_malloc;
    ours.xRealloc = failing_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &ours), SQLITE_OK);
    for (long n = 1;; n += 1 + n / 64) {
        struct once o = {.alloc = gap_alloc_default()};
        tables_begin(); /* the parent's stays */
        o.db = tables_open();
        calls = 0;
        fail_at = n;
        int r = run_once(&o);
        bool over = calls < n;
        fail_at = 0;
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM || r == GAP_E_STORAGE, "allocation %ld: %d", n, r);
        tables_close(o.db);
        check_whole(&o);
        tables_end();
        if (over) {
            ck_assert_int_eq(r, 0);
            return 0;
        }
    }
}

START_TEST(memory_of_sqlite_fails)
{
    pid_t child = fork();

    if (child == 0) _exit(fail_all());
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

/* --- two processes ---------------------------------------------------------------------------- */

/* Transactions of three rows, each told to the parent when it is committed. */
static void write_for_ever(int out, int64_t chat)
{
    sqlite3 *db;
    gap_outbox_item_t items[3];

    if (sqlite3_open(tables_path, &db) != SQLITE_OK) _exit(4);
    sqlite3_busy_timeout(db, 5000);
    for (int i = 0; i < 3; i++) items[i] = text_to((gap_peer_t){chat, GAP_PEER_USER}, "x");
    for (;;) {
        int64_t rows[3];
        if (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) continue;
        if (gap_outbox_enqueue_all(db, items, 3, rows) != 0) _exit(1);
        if (sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK) _exit(2);
        if (write(out, &rows[2], sizeof rows[2]) != sizeof rows[2]) _exit(3);
    }
}

START_TEST(two_processes_write_and_are_killed)
{
    tables_close(tables_open()); /* a log, which is the file's from now on */
    for (int round = 0; round < 5; round++) {
        int pipes[2][2];
        pid_t children[2];
        int64_t told[2] = {0};
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(pipe(pipes[i]), 0);
            children[i] = fork();
            if (children[i] == 0) write_for_ever(pipes[i][1], 5001 + i);
            close(pipes[i][1]);
        }
        usleep(60000 + (useconds_t)round * 7000);
        for (int i = 0; i < 2; i++) {
            int64_t row;
            int status;
            kill(children[i], SIGKILL);
            ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
            ck_assert(WIFSIGNALED(status));
            while (read(pipes[i][0], &row, sizeof row) == sizeof row) {
                ck_assert_int_gt(row, told[i]); /* ascending in the order of commits */
                told[i] = row;
            }
            close(pipes[i][0]);
        }
        sqlite3 *db = tables_open();
        if (!has_tables(db)) {
            ck_assert_int_eq(told[0] + told[1], 0);
            tables_close(db);
            continue;
        }
        for (int i = 0; i < 2; i++) {
            int64_t rows =
                tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE chat = %d", 5001 + i);
            ck_assert_int_eq(rows % 3, 0);
            ck_assert_int_eq(told[i] != 0, tables_number(db,
                                                         "SELECT count(*) FROM gapless_outbox"
                                                         " WHERE chat = %d AND row = %lld",
                                                         5001 + i, (long long)told[i]) == 1);
        }
        ck_assert_str_eq(tables_text(db, "PRAGMA integrity_check"), "ok");
        tables_close(db);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox faults");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 200);
    tcase_add_loop_test(tc, disk_fails, 0, 6);
    tcase_add_test(tc, our_memory_fails);
    tcase_add_test(tc, memory_of_sqlite_fails);
    tcase_add_test(tc, two_processes_write_and_are_killed);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
