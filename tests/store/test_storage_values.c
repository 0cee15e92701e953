/* store/sqlite_value: what a transactional handler writes for its session is in its savepoint. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "store/value.h"

#include <string.h>
#include <unistd.h>

static char folder[64];
static char path[128];
static gap_storage_t *storage;

static void begin(void)
{
    gap_storage_fault_t fault = {0};

    strcpy(folder, "/tmp/gapless-values-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/state.db", folder);
    const gap_sqlite_config_t config = {.path = path};
    ck_assert_int_eq(gap_storage_sqlite(NULL, &config, &storage), 0);
    ck_assert_int_eq(storage->ops->open(storage, &fault), 0);
}

static void end(void)
{
    static const char *const names[] = {"", "-wal", "-shm", "-gapless.lock"};
    char name[160];

    storage->ops->close(storage);
    storage->ops->destroy(storage);
    for (size_t i = 0; i < GAP_ARRAY_LEN(names); i++) {
        snprintf(name, sizeof name, "%s%s", path, names[i]);
        (void)unlink(name);
    }
    ck_assert_int_eq(rmdir(folder), 0);
}

/* What a call puts, and what it returns. */
struct put {
    const char *value;
    int result;
};

static int put(void *arg, struct sqlite3 *db)
{
    const struct put *p = arg;

    ck_assert_ptr_nonnull(db);
    int r = gap_sqlite_put_value(db, gap_bytes("\0s1", 3), gap_bytes(p->value, strlen(p->value)));
    return r < 0 ? r : p->result;
}

static void commit(const char *value, int result, int expected)
{
    gap_storage_fault_t fault = {0};
    struct put p = {value, result};
    int got = 99;
    gap_record_t r = {.kind = GAP_RECORD_CALL};

    r.u.call.call = put;
    r.u.call.arg = &p;
    r.u.call.result = &got;
    ck_assert_int_eq(storage->ops->commit(storage, &r, 1, &fault), 0);
    ck_assert_int_eq(got, expected);
}

static int take(void *arg, const gap_record_t *record)
{
    gap_bytes_t value = record->u.value.value;
    char *text = arg;

    ck_assert_uint_lt(value.len, 16);
    memcpy(text, value.data, value.len);
    text[value.len] = 0;
    return 0;
}

/* "none": there is no such row. */
static void expect(const char *value)
{
    const gap_read_t what = {.kind = GAP_RECORD_VALUE, .key = gap_bytes("\0s1", 3)};
    gap_storage_fault_t fault = {0};
    char text[16] = "none";

    ck_assert_int_eq(storage->ops->read(storage, &what, take, text, &fault), 0);
    ck_assert_str_eq(text, value);
}

START_TEST(test_values_of_a_transaction)
{
    begin();
    commit("one", 0, 0);
    expect("one");
    commit("two", 0, 0);
    expect("two");
    /* Rolled back with the rest of what the handler did. */
    commit("three", GAP_E_LIMIT, GAP_E_LIMIT);
    expect("two");
    commit("", GAP_E_LIMIT, GAP_E_LIMIT);
    expect("two");
    commit("", 0, 0);
    expect("none");
    commit("", 0, 0); /* nothing to remove */
    expect("none");
    end();
}
END_TEST

static int put_beside(void *arg, struct sqlite3 *db)
{
    int *result = arg;

    *result = gap_sqlite_put_value(db, gap_bytes("\0s1", 3), gap_bytes("x", 1));
    return 0;
}

/* A value that is put and one that a call writes take effect in their order. */
START_TEST(test_values_in_order)
{
    gap_storage_fault_t fault = {0};
    int results[2] = {99, 99};
    gap_record_t r[3] = {{.kind = GAP_RECORD_VALUE}, {.kind = GAP_RECORD_CALL}, {.kind = 0}};

    begin();
    r[0].u.value = (gap_value_record_t){gap_bytes("\0s1", 3), gap_bytes("first", 5)};
    r[1].u.call.call = put_beside;
    r[1].u.call.arg = &results[0];
    r[1].u.call.result = &results[1];
    ck_assert_int_eq(storage->ops->commit(storage, r, 2, &fault), 0);
    ck_assert_int_eq(results[0], 0);
    expect("x");
    r[2] = r[0];
    ck_assert_int_eq(storage->ops->commit(storage, r + 1, 2, &fault), 0);
    expect("first");
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("storage_values");
    TCase *t = tcase_create("sqlite");

    tcase_add_test(t, test_values_of_a_transaction);
    tcase_add_test(t, test_values_in_order);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
