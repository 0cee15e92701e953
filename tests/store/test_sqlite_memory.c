/*
 * tests/store/test_sqlite_memory.c - how much memory the SQLite storage keeps, and what it does
 * when SQLite gets none.
 */
#include "tests/store/database.h"

#include <sqlite3.h>
#include <unistd.h>

static void check_dump(gap_storage_t *s, const char *want)
{
    char *dump = store_dump(s);

    ck_assert_str_eq(dump, want);
    free(dump);
}

static int count_one(void *arg, const gap_record_t *record)
{
    (void)record;
    ++*(int *)arg;
    return 0;
}

static sqlite3_mem_methods real_memory;
static struct {
    long calls;
    long fail_at; /* 0: never */
    bool fail_on; /* also every later one */
    long struck;
} memory;

static bool memory_fails(void)
{
    memory.calls++;
    if (memory.fail_at == 0 || memory.calls < memory.fail_at) return false;
    if (memory.calls > memory.fail_at && !memory.fail_on) return false;
    memory.struck++;
    return true;
}

static void *test_malloc(int n)
{
    return memory_fails() ? NULL : real_memory.xMalloc(n);
}
static void *test_realloc(void *p, int n)
{
    return memory_fails() ? NULL : real_memory.xRealloc(p, n);
}

static void memory_install(void)
{
    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK) abort();
    sqlite3_mem_methods mine = real_memory;
    mine.xMalloc = test_malloc;
    mine.xRealloc = test_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &mine) != SQLITE_OK) abort();
}

static void memory_arm(long fail_at, bool fail_on)
{
    memory.calls = 0;
    memory.struck = 0;
    memory.fail_at = fail_at;
    memory.fail_on = fail_on;
}

/* SQLite's own allocations, each of them failing, alone and with all that follow. */
static int succeed(void *arg, struct sqlite3 *db)
{
    (void)arg;
    return db == NULL ? -1 : 0;
}

START_TEST(test_sqlite_without_memory)
{
    bool fail_on = _i == 1;
    gap_record_t first = store_named(GAP_PEER_USER, 1, "11", "a", "b", NULL);
    int result = 0;
    gap_record_t call = {.kind = GAP_RECORD_CALL,
                         .u.call = {.call = succeed, .result = &result, .inbox = 3}};
    gap_record_t second[] = {
        store_inbox(2, "two"),
        store_inbox(3, "three"),
        store_done(1, GAP_BOX_COMMON, 0, 9),
        store_done(2, GAP_BOX_COMMON, 0, 8),
        store_dead(4, -1, "why", "four"),
        store_value("a", "b"),
        store_boot(1, true, 1),
        call,
        store_state(9, 9, 9, 9),
        store_channel(1, 2, true),
        store_named(GAP_PEER_USER, 2, "11", "c", "A", NULL),
        store_removed(store_peer(GAP_PEER_USER, 1, 0)),
    };
    size_t count = sizeof second / sizeof second[0];
    long stride = getenv("GAP_SANITISED") != NULL ? 11 : 2;
    bool struck = true;

    for (long n = 1; struck; n += stride) {
        gap_storage_fault_t fault = {0};
        gap_storage_t *s = make();
        memory_arm(n, fail_on);
        int r = s->ops->open(s, &fault);
        struck = memory.struck > 0;
        memory_arm(0, false);
        if (r != 0) {
            ck_assert_msg(r == GAP_E_NOMEM, "open, %ld: %d %s", n, r, fault.text);
            ck_assert_int_eq(s->ops->open(s, &fault), 0);
        }
        ck_assert_int_eq(s->ops->commit(s, &first, 1, &fault), 0);
        s->ops->close(s); /* its statements are prepared anew */
        ck_assert_int_eq(s->ops->open(s, &fault), 0);
        char *before = store_dump(s);
        memory_arm(n, fail_on);
        r = s->ops->commit(s, second, count, &fault);
        struck = struck || memory.struck > 0;
        memory_arm(0, false);
        if (r != 0) {
            ck_assert_msg(r == GAP_E_NOMEM, "commit, %ld: %d %s", n, r, fault.text);
            check_dump(s, before);
            ck_assert_int_eq(s->ops->commit(s, second, count, &fault), 0);
        }
        free(before);
        check_dump(s, "boot 1 clean secret 0101\nchannel 1 at 2 unfinished\n"
                      "dead 4 after 5: -1 why, box 2, 1 to 2: four\n"
                      "done 01 content 1 box 1 of 0 before 9\n"
                      "inbox 2 eid 02 content -2 attempts 0 box 3 of 1001"
                      " at 1700000000000000: two\n"
                      "peer user 2 hash 20 +11 @c @A\nstate 9 9 9 9\nvalue a: b");
        end(s);
        ck_assert_int_eq(unlink(path), 0);
    }
}
END_TEST

/* What an account that does nothing keeps. */
START_TEST(test_memory_of_an_open_storage)
{
    enum { BYTES_MAX = 120 << 10, BYTES_MANY_MAX = 220 << 10 };
    gap_storage_fault_t fault = {0};
    sqlite3_int64 before = sqlite3_memory_used();
    gap_storage_t *s = opened();
    gap_peer_key_t key = store_by(GAP_BY_USERNAME, "a");

    for (int64_t id = 1; id <= 2000; id++) {
        gap_record_t r[] = {store_state((int32_t)id, 1, 1, 1), store_channel(id, 1, false),
                            store_named(GAP_PEER_USER, id, "11", "a", "b", NULL)};
        ck_assert_int_eq(s->ops->commit(s, r, 3, &fault), 0);
    }
    free(store_find(s, &key));
    int n = 0;
    ck_assert_int_eq(s->ops->load(s, count_one, &n, &fault), 0);
    ck_assert_int_eq(n, 4001);
    ck_assert_int_le(sqlite3_memory_used() - before, BYTES_MAX);
    /* Many at once: the larger cache. */
    gap_record_t many[500];
    for (uint64_t round = 0; round < 20; round++) {
        for (uint64_t i = 0; i < 500; i++) many[i] = store_inbox(1 + round * 500 + i, "an update");
        ck_assert_int_eq(s->ops->commit(s, many, 500, &fault), 0);
    }
    ck_assert_int_le(sqlite3_memory_used() - before, BYTES_MANY_MAX);
    end(s);
    ck_assert_int_eq(sqlite3_memory_used(), before);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("sqlite_memory");
    TCase *tc = tcase_create("memory");

    memory_install();
    shim_install(); /* no fault: a disk that is never waited for */
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_sqlite_without_memory, 0, 2);
    tcase_add_test(tc, test_memory_of_an_open_storage);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
