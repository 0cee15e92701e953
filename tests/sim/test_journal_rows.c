/*
 * The journal in the virtual world, continued: dead letters, rows that are read back, and updates
 * that are completed by a transaction.
 */
#include "tests/sim/journal_world.h"

/* ---- dead letters, rows that are read back ---- */

static struct {
    uint32_t count;
    int status;
    uint64_t number;
    uint32_t attempts;
    bool has_update;
    bool adopt;
} got;

static struct clerk_task redriven;

static void on_got(void *arg, int status, const struct gap_journal_row *row)
{
    (void)arg;
    got.count++;
    got.status = status;
    got.number = row->number;
    got.attempts = row->attempts;
    got.has_update = row->update != NULL;
    if (got.adopt && row->update != NULL) {
        memset(&redriven, 0, sizeof redriven);
        gap_journal_adopt(clerk.journal, &redriven.entry, row);
    }
}

static uint32_t dead_count;
static uint64_t dead_number;
static int dead_status;

static void on_dead(void *arg, const gap_dead_record_t *d, gap_update_t *u)
{
    (void)arg;
    ck_assert_int_eq(d->error, GAP_E_TIMEOUT);
    ck_assert_uint_eq(d->reason.len, strlen("it failed"));
    ck_assert_ptr_nonnull(u);
    ck_assert(gap_update_maybe_repeated(u));
    dead_count++;
    dead_number = d->number;
}

static void on_dead_end(void *arg, int status)
{
    (void)arg;
    dead_status = status;
}

static void bury(const char *label)
{
    struct clerk_task *t = clerk_task(label);

    t->entry.attempts = 5;
    ck_assert_int_eq(
        gap_journal_bury(clerk.journal, &t->entry, t->node, GAP_E_TIMEOUT, "it failed"), 0);
    t->entry.node = NULL;
    gap_update_done(t->node);
    t->used = false;
}

START_TEST(dead_letters)
{
    clerk_begin(_i, "|11|12|");
    clerk_messages(11, 13);
    clerk_run(_i % 2 == 0 ? 10 : 400); /* without a row, with one */
    bury("12");
    clerk_run(400);
    ck_assert_uint_eq(clerk_disk().dead, 1);
    ck_assert_uint_eq(clerk_disk().dead_attempts, 5);
    ck_assert_uint_eq(clerk_disk().rows, 1);
    dead_count = 0;
    dead_status = 1;
    ck_assert_int_eq(gap_journal_dead(clerk.journal, 0, 10, on_dead, on_dead_end, NULL), 0);
    clerk_run(50);
    ck_assert_uint_eq(dead_count, 1);
    ck_assert_int_eq(dead_status, 0);
    memset(&got, 0, sizeof got);
    got.adopt = true;
    uint64_t number = clerk_disk().dead_number;
    ck_assert_int_eq(gap_journal_redrive(clerk.journal, number, on_got, NULL), 0);
    clerk_run(100);
    ck_assert_uint_eq(got.count, 1);
    ck_assert_int_eq(got.status, 0);
    ck_assert(got.has_update);
    ck_assert_uint_gt(got.number, number);
    ck_assert_uint_eq(got.attempts, 0);
    ck_assert_uint_eq(clerk_disk().dead, 0);
    ck_assert_uint_eq(clerk_disk().rows, 2);
    gap_journal_done(clerk.journal, &redriven.entry);
    clerk_run(100);
    ck_assert_uint_eq(clerk_disk().rows, 1);
    memset(&got, 0, sizeof got);
    ck_assert_int_eq(gap_journal_redrive(clerk.journal, number, on_got, NULL), 0);
    clerk_run(50);
    ck_assert_uint_eq(got.count, 1);
    ck_assert_int_eq(got.status, 0);
    ck_assert(!got.has_update);
    clerk_end();
}
END_TEST

/* A dead letter above the watermark is not handled when it is fetched again. */
START_TEST(a_dead_letter_stays_dead)
{
    clerk_begin(_i, "|11|12|");
    clerk_messages(11, 12);
    clerk_run(10);
    bury("12");
    clerk_run(70);
    ck_assert_int_eq(clerk_disk().pts, 10);
    clerk_crash();
    clerk_answer(0, clerk_difference(11, 12));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect("11~");
    ck_assert_uint_eq(clerk_disk().dead, 1);
    ck_assert_int_eq(gap_journal_forget(clerk.journal, clerk_disk().dead_number), 0);
    clerk_run(100);
    ck_assert_uint_eq(clerk_disk().dead, 0);
    clerk_end();
}
END_TEST

/* It was recorded as done when it was given up, and its position has not been passed since. */
START_TEST(a_letter_that_is_handled_again_is_not_done)
{
    clerk_begin(_i % 4, "|11|12|");
    clerk_messages(11, 12);
    clerk_run(10);
    bury("12");
    clerk_run(_i < 4 ? 70 : 0); /* stored, or still to be */
    ck_assert_int_eq(gap_journal_dead(clerk.journal, 0, 10, on_dead, on_dead_end, NULL), 0);
    clerk_run(5);
    ck_assert_uint_eq(clerk_disk().done, _i < 4 ? 1 : 0);
    memset(&got, 0, sizeof got);
    ck_assert_int_eq(gap_journal_redrive(clerk.journal, dead_number, on_got, NULL), 0);
    clerk_run(100);
    ck_assert(got.has_update);
    ck_assert_uint_eq(clerk_disk().done, 0);
    ck_assert_uint_eq(clerk_disk().dead, 0);
    ck_assert_int_eq(clerk_disk().pts, 10);
    clerk_crash();
    clerk_answer(0, clerk_difference(11, 12));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect("12! 11~");
    clerk_end();
}
END_TEST

START_TEST(rows_are_read_back)
{
    clerk_begin(_i, "|11|");
    clerk_messages(11, 11);
    clerk_run(10);
    ck_assert_int_eq(gap_journal_write(clerk.journal, &clerk_task("11")->entry), 0);
    uint64_t number = clerk_task("11")->entry.number;
    for (int i = 0; i < 3; i++) {
        memset(&got, 0, sizeof got);
        ck_assert_int_eq(gap_journal_read(clerk.journal, number, on_got, NULL), 0);
        clerk_run(40);
        ck_assert_uint_eq(got.count, 1);
        ck_assert_int_eq(got.status, 0);
        ck_assert_uint_eq(got.number, number);
        ck_assert(got.has_update);
    }
    clerk_finish("11");
    memset(&got, 0, sizeof got);
    ck_assert_int_eq(gap_journal_read(clerk.journal, number, on_got, NULL), 0);
    clerk_run(10);
    ck_assert_uint_eq(got.count, 1);
    ck_assert(!got.has_update);
    clerk_end();
}
END_TEST

/* ---- transactions ---- */

static int calls;
static int call_result;
static int call_fn(void *arg, struct sqlite3 *db)
{
    (void)arg;
    (void)db;
    calls++;
    return call_result;
}
static void call_done(void *arg, int status, int result)
{
    int *out = arg;
    *out = status < 0 ? status : result;
}

/* A transaction of the store's: row and completion go in one commit. */
START_TEST(completed_in_the_stores_transaction)
{
    struct gap_journal_completion c;
    bool row = _i % 2 == 1;
    int result = 99;

    calls = call_result = 0;
    clerk_begin(_i / 2, "|11|12|");
    clerk_messages(11, 13);
    clerk_run(row ? 300 : 10);
    struct clerk_task *t = clerk_task("12");
    gap_journal_complete(clerk.journal, &t->entry, false, &c);
    ck_assert(row == (c.inbox != 0));
    const gap_call_record_t call = {
        .call = call_fn, .inbox = c.inbox, .has_done = c.has_done, .done = c.done};
    ck_assert_int_eq(gap_store_call(store, &call, call_done, &result), 0);
    clerk_run(20);
    ck_assert_int_eq(result, 0);
    gap_journal_completed(clerk.journal, &t->entry);
    t->entry.node = NULL;
    gap_update_done(t->node);
    t->used = false;
    clerk_crash(); /* at once */
    clerk_answer(0, clerk_difference(11, 13));
    clerk_open_with("");
    clerk_run(300);
    ck_assert_ptr_null(strstr(clerk.diary, "12"));
    ck_assert_ptr_nonnull(strstr(clerk.diary, "11"));
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

/* An end in order while a transaction is under way: it has a row before those behind it, in case it
 * fails; and is not handled again if it did not, though the process dies before the row is gone. */
START_TEST(a_shutdown_writes_what_is_in_a_transaction)
{
    enum { FAILS, DIES, ENDS } what = (unsigned)_i % 3;
    struct gap_journal_completion c;
    int result = 99;

    calls = 0;
    call_result = what == FAILS ? GAP_E_STATE : 0;
    clerk_begin(_i / 3, "|11|12|");
    clerk_messages(11, 13);
    clerk_run(10);
    struct clerk_task *t = clerk_task("11");
    gap_journal_complete(clerk.journal, &t->entry, false, &c);
    ck_assert_uint_eq(c.inbox, 0);
    const gap_call_record_t call = {.call = call_fn, .has_done = c.has_done, .done = c.done};
    ck_assert_int_eq(gap_store_call(store, &call, call_done, &result), 0);
    ck_assert_uint_eq(gap_journal_write_all(clerk.journal), 0);
    clerk_run(100);
    ck_assert_int_eq(result, call_result);
    ck_assert_uint_eq(clerk_disk().rows, 2);
    ck_assert_int_eq(clerk_disk().pts, 10);
    if (what == FAILS) {
        gap_journal_reopened(clerk.journal, &t->entry);
    } else {
        gap_journal_completed(clerk.journal, &t->entry);
        t->entry.node = NULL;
        gap_update_done(t->node);
        t->used = false;
    }
    if (what == DIES) {
        clerk_crash(); /* at once */
        clerk_answer(0, clerk_difference(11, 13));
    } else {
        clerk_close();
        ck_assert_uint_eq(clerk_disk().rows, what == FAILS ? 2 : 1);
        ck_assert_int_eq(clerk_disk().pts, 13);
    }
    clerk_open_with("");
    clerk_run(300);
    clerk_expect(what == FAILS ? "11! 12!" : "12!");
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

/* A transaction beside the store's, committed while the row is still on its way to the disk: the
 * row is known to be done when it is found. */
START_TEST(completed_beside_the_store)
{
    struct gap_journal_completion c;
    gap_record_t rec = {.kind = GAP_RECORD_DONE};
    gap_storage_fault_t why;

    clerk_begin(0, "|11|");
    clerk_messages(11, 13);
    clerk_run(100);
    struct clerk_task *t = clerk_task("11");
    ck_assert_int_eq(gap_journal_write(clerk.journal, &t->entry), 0);
    gap_journal_complete(clerk.journal, &t->entry, true, &c);
    ck_assert_uint_ne(c.inbox, 0);
    ck_assert(c.has_done);
    rec.u.done = c.done;
    ck_assert_int_eq(disk->ops->commit(disk, &rec, 1, &why), 0); /* the caller's commit */
    if (_i == 1) {
        clerk_run(100); /* the row, and the position behind it */
        ck_assert_uint_eq(clerk_disk().rows, 1);
        ck_assert_int_eq(clerk_disk().pts, 13);
    } else if (_i == 2) {
        gap_journal_completed(clerk.journal, &t->entry);
        t->entry.node = NULL;
        gap_update_done(t->node);
        t->used = false;
        clerk_run(200);
        ck_assert_uint_eq(clerk_disk().rows, 0);
        ck_assert_uint_eq(clerk_disk().done, 0);
    }
    clerk_crash();
    if (_i == 0) clerk_answer(0, clerk_difference(11, 13));
    clerk_open_with("");
    clerk_run(200);
    ck_assert_ptr_null(strstr(clerk.diary, "11"));
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("journal_rows");
    TCase *t = tcase_create("journal_rows");
    tcase_add_loop_test(t, dead_letters, 0, 8);
    tcase_add_loop_test(t, a_dead_letter_stays_dead, 0, 4);
    tcase_add_loop_test(t, a_letter_that_is_handled_again_is_not_done, 0, 8);
    tcase_add_loop_test(t, rows_are_read_back, 0, 4);
    tcase_add_loop_test(t, completed_in_the_stores_transaction, 0, 8);
    tcase_add_loop_test(t, a_shutdown_writes_what_is_in_a_transaction, 0, 12);
    tcase_add_loop_test(t, completed_beside_the_store, 0, 3);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(suite)
