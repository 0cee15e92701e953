/*
 * Posts when things are not as they should be: tables that people wrote into, memory that runs out
 * at each allocation, disks that fail. A row is parked or something is told; nothing else stops,
 * nothing is sent twice.
 */
#include "tests/outbox/posts.h"
#include "tests/store/vfs_shim.h"

#include "outbox/sql_post.h"

#include <inttypes.h>

static sqlite3 *db;

/* --- tables that people wrote into ------------------------------------------------------------ */

static const char *const post_columns[] = {
    "key",        "chat",      "class",     "if_gone", "if_expired", "deadline", "message_id",
    "previous",   "reply_to",  "random_id", "row",     "revision",   "doubt",    "frozen",
    "generation", "link_base", "title",     "sent",    "hash",       "content",  "source"};
static const char *const values[] = {"NULL",
                                     "'text'",
                                     "''",
                                     "-1",
                                     "0",
                                     "1",
                                     "2",
                                     "7",
                                     "99",
                                     "1e300",
                                     "9223372036854775807",
                                     "-9223372036854775807 - 1",
                                     "x''",
                                     "x'00'",
                                     "x'0102030405060708090a0b0c0d0e0f10'",
                                     "zeroblob(16)",
                                     "zeroblob(600000)",
                                     "printf('%.600000c', 'x')"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Not each with each where a run takes ten times as long. */
static size_t stride(void)
{
    return gap_test_seeds(10) < 10 ? 3 : 1;
}

/* Whatever it is, it has to be one of these. */
static void check_result(int r)
{
    ck_assert_msg(r == 0 || r == GAP_POST_UNCHANGED || r == GAP_E_DAMAGED || r == GAP_E_ARGUMENT ||
                      r == GAP_E_NEWER || r == GAP_E_NOT_FOUND,
                  "result %d", r);
}

/* A post in the middle of its life, beside one that is well. */
static void make_posts(int phase)
{
    struct flight f;
    int32_t id;

    ck_assert_int_eq(upsert(db, "bad", "one {good}"), 0);
    ck_assert_int_eq(upsert(db, "good", "one {bad}"), 0);
    if (phase == 0) return;
    if (phase == 1) {
        ck_assert(claim(db, NULL, &f));
        if (f.verdict == GAP_POST_GO) (void)serve(&f, &id);
        crash(db, &f);
        return;
    }
    send_all(db);
    if (phase == 2) return; /* marked */
    settle(db);
    ck_assert_int_eq(upsert(db, "bad", "two {good}"), 0);
}

static int count_all(void *arg, const gap_post_status_t *s)
{
    unsigned *n = arg;

    *n += s->in_step ? 100 : 1;
    return 0;
}

static void check_all_goes_on(const char *what)
{
    unsigned n = 0;
    const char *text;

    settle(db);
    check_result(upsert(db, "bad", "three {good}"));
    ck_assert_msg(upsert(db, "good", "three {bad}") >= 0, "%s", what);
    settle(db);
    ck_assert_int_eq(gap_post_list(db, count_all, &n), 0);
    text = message_text(db, "good");
    ck_assert_msg(strncmp(text, "three bad", 9) == 0, "%s: %s", what, text);
    check_result(remove_post(db, "bad"));
    settle(db);
}

START_TEST(any_column_may_hold_anything)
{
    for (size_t c = 0; c < COUNT(post_columns); c++) {
        for (size_t v = c % stride(); v < COUNT(values); v += stride()) {
            char sql[200];
            posts_begin();
            ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
            make_posts(_i);
            snprintf(sql, sizeof sql, "UPDATE gapless_outbox_post SET %s = %s WHERE key = 'bad'",
                     post_columns[c], values[v]);
            int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
            ck_assert(rc == SQLITE_OK || rc == SQLITE_CONSTRAINT);
            if (rc == SQLITE_OK) check_all_goes_on(sql);
            tables_close(db);
            posts_end();
        }
    }
}
END_TEST

START_TEST(edges_and_marks_may_hold_anything)
{
    static const char *const columns[][2] = {{"link", "depends_on"}, {"link", "kind"},
                                             {"link", "post"},       {"dirty", "post"},
                                             {"dirty", "since"},     {"dirty", "generation"}};
    for (size_t c = 0; c < COUNT(columns); c++) {
        for (size_t v = c % stride(); v < COUNT(values); v += stride()) {
            char sql[200];
            posts_begin();
            ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
            make_posts(_i);
            tables_exec(db, "INSERT OR IGNORE INTO gapless_outbox_dirty VALUES(1, 5, 1)");
            snprintf(sql, sizeof sql, "UPDATE OR IGNORE gapless_outbox_%s SET %s = %s",
                     columns[c][0], columns[c][1], values[v]);
            (void)sqlite3_exec(db, sql, NULL, NULL, NULL); /* some may not be written at all */
            check_all_goes_on(sql);
            tables_close(db);
            posts_end();
        }
    }
}
END_TEST

/* Rows that name a post that is not there, or is another's, or has a random_id of its own. */
START_TEST(rows_may_name_anything)
{
    static const char *const changes[] = {
        "UPDATE gapless_outbox SET post = 4711",
        "UPDATE gapless_outbox SET post = NULL",
        "UPDATE gapless_outbox SET post = 'x'",
        "UPDATE gapless_outbox SET post = 3 - post",
        "UPDATE gapless_outbox SET random_id = 0",
        "UPDATE gapless_outbox SET random_id = 'x'",
        "UPDATE gapless_outbox SET random_id = 99 + row",
        "UPDATE gapless_outbox SET payload = x'010203', hash = NULL",
        "UPDATE gapless_outbox SET hash = 5, payload = 'nonsense'",
        "UPDATE gapless_outbox SET target = 12345",
        "DELETE FROM gapless_outbox",
        "DELETE FROM gapless_outbox_post WHERE key = 'bad'",
        "DELETE FROM gapless_outbox_link",
        ("INSERT INTO gapless_outbox(version, kind, class, chat, post)"
         " SELECT 1, 10, 3, chat, post FROM gapless_outbox")};
    for (size_t i = 0; i < COUNT(changes); i++) {
        posts_begin();
        ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
        make_posts(_i);
        tables_exec(db, changes[i]);
        check_all_goes_on(changes[i]);
        tables_close(db);
        posts_end();
    }
}
END_TEST

/* A table is gone: an error, and the user's transaction is as it was. */
START_TEST(a_table_may_be_gone)
{
    static const char *const tables[] = {"post", "link", "dirty"};

    for (size_t i = 0; i < COUNT(tables); i++) {
        struct written w;
        gap_post_t post = post_of(&w, "a", "two");
        char sql[80];
        posts_begin();
        db = tables_open();
        ck_assert_int_eq(upsert(db, "a", "one"), 0);
        snprintf(sql, sizeof sql, "DROP TABLE gapless_outbox_%s", tables[i]);
        tables_exec(db, sql);
        tables_exec(db, "BEGIN IMMEDIATE; CREATE TABLE mine(x); INSERT INTO mine VALUES(1)");
        ck_assert_int_eq(gap_post_upsert(db, &post, NULL), GAP_E_DAMAGED);
        ck_assert_int_eq(gap_post_remove(db, gap_str("a")), GAP_E_DAMAGED);
        ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM mine"), 1);
        tables_exec(db, "COMMIT");
        tables_close(db);
        posts_end();
    }
}
END_TEST

START_TEST(the_tables_may_be_of_others)
{
    static const struct {
        const char *sql;
        int result;
    } cases[] = {{"UPDATE gapless_outbox_meta SET version = 2", GAP_E_NEWER},
                 {"UPDATE gapless_outbox_meta SET application = 'x'", GAP_E_FOREIGN}};

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct seen s;
        int64_t next;
        unsigned n = 0;
        posts_begin();
        db = tables_open();
        ck_assert_int_eq(upsert(db, "a", "one"), 0);
        tables_exec(db, cases[i].sql);
        ck_assert_int_eq(upsert(db, "a", "two"), cases[i].result);
        ck_assert_int_eq(remove_post(db, "a"), cases[i].result);
        ck_assert_int_eq(look(db, "a", &s), cases[i].result);
        ck_assert_int_eq(gap_post_list(db, count_all, &n), cases[i].result);
        ck_assert_int_eq(gap_post_next(db, 1, 1, true, &next), cases[i].result);
        ck_assert_int_eq(gap_post_step(db, gap_alloc_default(), 1, 1, NULL, NULL, NULL),
                         cases[i].result);
        tables_close(db);
        posts_end();
    }
}
END_TEST

/* --- memory and disks ------------------------------------------------------------------------- */

static int render(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    struct written w;
    gap_bytes_t title = gap_str("?"), text = gap_str("?"), link = gap_str("?");
    char out[POSTS_TEXT];
    int rc = gap_post_title(r, gap_str("b"), &title);

    (void)key;
    (void)data;
    if (rc == 0 || rc == GAP_E_NOT_FOUND) rc = gap_post_text(r, gap_str("b"), &text);
    if (rc == 0 || rc == GAP_E_NOT_FOUND) rc = gap_post_link(r, gap_str("b"), &link);
    if (rc != 0 && rc != GAP_E_NOT_FOUND) return rc;
    snprintf(out, sizeof out, "%.*s %.*s %.*s {a}", (int)title.len, (const char *)title.data,
             (int)text.len, (const char *)text.data, (int)link.len, (const char *)link.data);
    write_content(&w, out);
    return gap_post_put(r, &w.content, gap_str("index"));
}

/* Everything once, in a life that ends well whatever fails on the way. */
static void live(void)
{
    struct written w;
    gap_post_t index = {.key = gap_str("index"), .chat = NEWS, .render = render};
    gap_post_t b = post_of(&w, "b", "b");
    struct flight f;
    int32_t id;

    posts_render = render;
    ck_assert_int_eq(upsert(db, "a", "to {b} {a}"), 0);
    ck_assert_int_eq(upsert_post(db, &index, NULL), 0);
    ck_assert(claim(db, NULL, &f));
    (void)serve(&f, &id);
    finish(db, &f, GAP_POST_UNKNOWN, 0);
    settle(db);
    ck_assert_int_eq(upsert_post(db, &b, NULL), 0);
    settle(db);
    b.title = gap_str("B");
    ck_assert_int_eq(upsert_post(db, &b, NULL), GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_str_eq(message_text(db, "index"), "B b https://t.me/c/77/3 a<https://t.me/c/77/1>");
    ck_assert_int_eq(upsert(db, "c", "c"), 0);
    ck_assert(claim(db, NULL, &f));
    ck_assert_int_eq(remove_post(db, "c"), 0);
    enum gap_post_end end = serve(&f, &id);
    finish(db, &f, end, id);
    message_of_post(db, "a")->deleted = true;
    ck_assert_int_eq(upsert(db, "a", "again {b}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "again b<https://t.me/c/77/3>");
    ck_assert_str_eq(message_text(db, "index"), "B b https://t.me/c/77/3 a<https://t.me/c/77/5>");
    ck_assert_int_eq(remove_post(db, "b"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "again b");
    ck_assert_uint_eq(server.sends, 5);
    ck_assert_uint_eq(server.deletions, 2);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_post"), 2);
}

/* The library's own allocations. */
static struct fault_alloc ours;
static long ours_at;

static void arm_ours(bool on)
{
    ours.fail_at = on ? ours_at : 0;
}

static bool ours_struck(void)
{
    return ours.calls >= ours_at;
}

START_TEST(our_memory_may_run_out)
{
    struct posts_faults faults = {.arm = arm_ours, .struck = ours_struck, .error = GAP_E_NOMEM};
    long n = 0;

    do {
        ours_at = ++n;
        fault_alloc_init(&ours, 0);
        posts_begin();
        posts_faults = &faults;
        posts_alloc = &ours.alloc;
        faults.failed = 0;
        ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
        live();
        tables_close(db);
        posts_end();
        ck_assert_int_eq(ours.live, 0);
    } while (ours.calls >= ours_at);
    ck_assert_int_gt(n, 50);
}
END_TEST

/* SQLite's. */
static sqlite3_mem_methods real_memory;
static long memory_calls;
static long memory_at;
static bool memory_on;

static bool memory_fails(void)
{
    return memory_on && ++memory_calls == memory_at;
}

static void *try_malloc(int n)
{
    return memory_fails() ? NULL : real_memory.xMalloc(n);
}

static void *try_realloc(void *p, int n)
{
    return memory_fails() ? NULL : real_memory.xRealloc(p, n);
}

static void arm_memory(bool on)
{
    memory_on = on;
}

static bool memory_struck(void)
{
    return memory_calls >= memory_at;
}

START_TEST(memory_of_sqlite_may_run_out)
{
    struct posts_faults faults = {.arm = arm_memory, .struck = memory_struck, .error = GAP_E_NOMEM};
    const long step_by = 610 / gap_test_seeds(10);
    unsigned failed = 0;
    unsigned runs = 0;

    for (long n = 1 + 30 * _i; n < step_by || memory_struck(); n += step_by) {
        memory_at = n;
        memory_calls = 0;
        memory_on = false;
        posts_begin();
        posts_faults = &faults;
        faults.failed = 0;
        ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
        live();
        failed += faults.failed;
        runs++;
        tables_close(db);
        posts_end();
    }
    ck_assert_msg(failed > runs / 2, "%u of %u", failed, runs);
}
END_TEST

/* A disk that can't be read, or is full. */
static enum shim_fault disk_fault;

static void arm_disk(bool on)
{
    if (!on) shim_disarm();
}

START_TEST(a_disk_may_fail)
{
    static const enum shim_fault kinds[] = {SHIM_READ, SHIM_FULL, SHIM_EIO};
    struct posts_faults faults = {
        .arm = arm_disk, .struck = shim_has_struck, .error = GAP_E_STORAGE};
    unsigned failed = 0;

    disk_fault = kinds[_i];
    shim_disarm();
    for (long n = 1; n < 400; n += 3) {
        struct written w;
        gap_post_t post = post_of(&w, "a", "two {b} {c}");
        shim_arm(SHIM_NONE, 0, 1); /* files of before are forgotten */
        posts_begin();
        db = tables_open();
        tables_exec(db, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1");
        ck_assert_int_eq(upsert(db, "a", "one {b}"), 0);
        ck_assert_int_eq(upsert(db, "b", "b"), 0);
        settle(db);
        tables_close(db);
        db = tables_open();
        tables_exec(db, "PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN IMMEDIATE");
        shim_rearm(disk_fault, n, 1);
        int r = gap_post_upsert(db, &post, NULL);
        bool struck = shim_has_struck();
        shim_disarm();
        ck_assert_msg(r == 0 || (struck && r == faults.error), "%ld: %d", n, r);
        failed += r < 0;
        if (sqlite3_get_autocommit(db) == 0) tables_exec(db, r == 0 ? "COMMIT" : "ROLLBACK");
        if (r < 0) ck_assert_int_eq(upsert_post(db, &post, NULL), 0);
        settle(db);
        ck_assert_str_eq(message_text(db, "a"), "two b<https://t.me/c/77/2> c");
        tables_close(db);
        posts_end();
        if (!struck) break;
    }
    if (disk_fault == SHIM_READ) ck_assert_uint_gt(failed, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("posts_faults");
    TCase *tables = tcase_create("tables");
    TCase *faults = tcase_create("faults");

    tcase_set_timeout(tables, 100);
    tcase_add_loop_test(tables, any_column_may_hold_anything, 0, 4);
    tcase_add_loop_test(tables, edges_and_marks_may_hold_anything, 0, 4);
    tcase_add_loop_test(tables, rows_may_name_anything, 0, 4);
    tcase_add_test(tables, a_table_may_be_gone);
    tcase_add_test(tables, the_tables_may_be_of_others);
    suite_add_tcase(s, tables);
    tcase_set_timeout(faults, 100);
    tcase_add_test(faults, our_memory_may_run_out);
    tcase_add_loop_test(faults, memory_of_sqlite_may_run_out, 0, 2);
    tcase_add_loop_test(faults, a_disk_may_fail, 0, 3);
    suite_add_tcase(s, faults);
    return s;
}

int main(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK) abort();
    sqlite3_mem_methods mine = real_memory;
    mine.xMalloc = try_malloc;
    mine.xRealloc = try_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &mine) != SQLITE_OK) abort();
    shim_install();
    SRunner *runner = srunner_create(suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
