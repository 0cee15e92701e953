/*
 * The store loop and the records of a journal: what is in a hurry, functions that run inside a
 * commit, rows that are read back, and what all that does while the storage fails.
 */
#include "tests/sim/store_world.h"
#include "tests/store/suite.h"

/* ---- opening ---- */

START_TEST(hands_over_the_journal)
{
    begin(1, NULL);
    store_before(store_boot(6, true, 9));
    store_before(store_done(1, GAP_BOX_QTS, 0, 3));
    store_before(store_inbox(4, "four"));
    store_before(store_inbox(2, "two"));
    open_store();
    ck_assert(owner.loaded.has_boot);
    ck_assert_uint_eq(owner.loaded.boot.epoch, 6);
    ck_assert_uint_eq(owner.loaded.boot.secret[31], 9);
    ck_assert_uint_eq(owner.loaded.done_count, 1);
    ck_assert_uint_eq(owner.loaded.inbox_count, 2);
    end();
}
END_TEST

/* ---- when ---- */

START_TEST(a_hurried_commit_comes_soon)
{
    begin(1, NULL);
    open_store();
    commit_cpu_us = 100 * MS; /* the next lazy one: in 2 s */
    owner.pts = 5;
    gap_store_touch(store);
    put(store_inbox(1, "one"));
    gap_store_hurry(store);
    sim_run_for(sim, MS);
    ck_assert_uint_eq(door.committed, 1);
    ck_assert_int_eq(owner.collects, 0); /* positions have time */
    put(store_inbox(2, "two"));
    gap_store_hurry(store);
    sim_run_for(sim, MS);
    put(store_inbox(3, "three"));
    sim_run_for(sim, GAP_STORE_GROUP_US - 3 * MS);
    ck_assert_uint_eq(door.committed, 1); /* in company */
    sim_run_for(sim, 2 * MS);
    ck_assert_uint_eq(door.committed, 2);
    ck_assert_uint_eq(door.last_count, 2);
    for (uint64_t n = 10; n < 10 + GAP_STORE_GROUP_MAX - 1; n++) put(store_inbox(n, "x"));
    gap_store_hurry(store);
    sim_run_for(sim, MS);
    ck_assert_uint_eq(door.committed, 2);
    put(store_inbox(9, "x")); /* that makes the group full */
    sim_run_for(sim, MS / 2);
    ck_assert_uint_eq(door.committed, 3);
    ck_assert_uint_eq(door.last_count, GAP_STORE_GROUP_MAX);
    gap_store_hurry(store); /* nothing waits */
    ck_assert_int_eq(owner.collects, 0);
    sim_run_for(sim, 60 * MS);
    ck_assert_int_eq(owner.collects, 1); /* what was touched, in its own time */
    ck_assert_uint_eq(door.committed, 4);
    /* The pause after that one is for what is not in a hurry. */
    put(store_inbox(400, "x"));
    sim_run_for(sim, S);
    ck_assert_uint_eq(door.committed, 4);
    gap_store_hurry(store);
    sim_run_for(sim, MS);
    ck_assert_uint_eq(door.committed, 5);
    put(state(50));
    sim_run_for(sim, S / 2);
    ck_assert_uint_eq(door.committed, 5);
    sim_run_for(sim, S);
    ck_assert_uint_eq(door.committed, 6);
    end();
}
END_TEST

START_TEST(a_row_and_the_position_that_passes_it_are_one_commit)
{
    begin(1, NULL);
    open_store();
    put(store_inbox(1, "one"));
    owner.pts = 77;
    gap_store_touch(store);
    sim_run_for(sim, 100 * MS);
    ck_assert_uint_eq(door.committed, 1);
    ck_assert_uint_eq(door.last_count, 2);
    put(store_inbox(2, "two"));
    put(store_removed(store_inbox(2, "")));
    sim_run_for(sim, 100 * MS);
    ck_assert_uint_eq(door.committed, 1); /* nothing was left to write */
    ck_assert(gap_store_is_clean(store));
    end();
}
END_TEST

/* ---- calls ---- */

struct called {
    int runs;
    int result;   /* what it will return */
    int answered; /* times */
    int status;
    int said;
    int order;
};

static int clock_of_calls;

static int call(void *arg, struct sqlite3 *db)
{
    struct called *c = arg;

    ck_assert_ptr_null(db);
    c->runs++;
    return c->result;
}

static void on_called(void *arg, int status, int result)
{
    struct called *c = arg;

    c->answered++;
    c->status = status;
    c->said = result;
    c->order = ++clock_of_calls;
}

static int ask(struct called *c, uint64_t inbox)
{
    gap_call_record_t record = {.call = call, .arg = c, .inbox = inbox, .has_done = true};

    record.done = store_done(7, GAP_BOX_QTS, 0, 3).u.done;
    return gap_store_call(store, &record, on_called, c);
}

static void count_row(void *arg, const gap_record_t *r)
{
    size_t *counts = arg;
    if (r->kind == GAP_RECORD_INBOX) counts[0]++;
    if (r->kind == GAP_RECORD_DONE) counts[1]++;
}

static int count_rows(void *arg, const gap_record_t *r)
{
    count_row(arg, r);
    return 0;
}

/* Rows of the inbox, and done ones, on the disk. */
static void check_disk(size_t inbox, size_t done)
{
    size_t counts[2] = {0, 0};
    gap_storage_fault_t why;

    ck_assert(door.open);
    ck_assert_int_eq(disk->ops->load(disk, count_rows, counts, &why), 0);
    ck_assert_uint_eq(counts[0], inbox);
    ck_assert_uint_eq(counts[1], done);
}

START_TEST(a_call_is_answered_when_its_commit_is_on_disk)
{
    struct called a = {.result = 5};
    struct called b = {.result = -3};
    struct called c = {.result = 0};

    begin(1, NULL);
    store_before(store_inbox(1, "one"));
    store_before(store_inbox(2, "two"));
    open_store();
    clock_of_calls = 0;
    ck_assert_int_eq(ask(&a, 1), 0);
    ck_assert_int_eq(ask(&b, 2), 0);
    ck_assert_int_eq(ask(&c, 0), 0);
    ck_assert_int_eq(a.runs + a.answered, 0); /* never from inside */
    sim_run_for(sim, MS);
    ck_assert_int_eq(a.answered + b.answered + c.answered, 3);
    ck_assert_int_eq(a.runs + b.runs + c.runs, 3);
    ck_assert_int_eq(a.said, 5);
    ck_assert_int_eq(b.said, -3);
    ck_assert_int_eq(c.said, 0);
    ck_assert_int_eq(a.status | b.status | c.status, 0);
    ck_assert(a.order < b.order && b.order < c.order);
    check_disk(1, 1);
    end();
    ck_assert_int_eq(a.answered + b.answered + c.answered, 3);
}
END_TEST

START_TEST(a_call_whose_commit_failed_is_run_anew)
{
    struct called a = {.result = 1};

    begin(1, NULL);
    store_before(store_inbox(1, "one"));
    open_store();
    fail_commits(GAP_E_STORAGE, 2);
    ck_assert_int_eq(ask(&a, 1), 0);
    sim_run_for(sim, 2 * S);
    ck_assert_int_eq(a.answered, 0);
    ck_assert_int_eq(owner.failed, 1);
    check_disk(1, 0);
    sim_run_for(sim, 2 * S);
    ck_assert_int_eq(a.answered, 1);
    ck_assert_int_eq(a.status, 0);
    ck_assert_int_eq(a.said, 1);
    ck_assert_int_eq(owner.recovered, 1);
    check_disk(0, 1);
    end();
}
END_TEST

/* Nobody knew whether it was stored: a mark in the storage tells. */
START_TEST(a_call_is_not_run_again_if_its_commit_was_stored_after_all)
{
    for (int applied = 0; applied < 2; applied++) {
        struct called a = {.result = 1};
        struct called b = {.result = 2};
        struct answer found = {0};
        gap_peer_key_t key = {.by = GAP_BY_ID, .peer = {3, GAP_PEER_USER}};
        begin(1, NULL);
        store_before(store_inbox(1, "one"));
        open_store();
        for (int round = 0; round < 3; round++) { /* the mark is another one each time */
            a = (struct called){.result = 1};
            b = (struct called){.result = 2};
            door.sync_applies = applied != 0;
            fail_commits(GAP_E_SYNC, 1);
            ck_assert_int_eq(ask(&a, 1), 0);
            put(store_inbox(100, "new"));
            put(channel(7, 2));
            sim_run_for(sim, 10 * MS);
            ck_assert_int_eq(owner.failed, round + 1);
            ck_assert_int_eq(a.answered, 0);
            ck_assert_int_eq(ask(&b, 100), 0); /* comes while it is in doubt */
            ck_assert_int_eq(gap_store_find(store, &key, on_found, &found), 0);
            sim_run_for(sim, MS);
            ck_assert_int_eq(found.status, GAP_E_SYNC);
            sim_run_for(sim, 2 * S);
            ck_assert_int_eq(owner.recovered, round + 1);
            ck_assert_int_eq(a.runs, 1);
            ck_assert_int_eq(a.answered, 1);
            ck_assert_int_eq(a.status, 0);
            ck_assert_int_eq(a.said, 1);
            ck_assert_int_eq(b.runs, 1);
            ck_assert_int_eq(b.said, 2);
            check_disk(0, 1);
            ck_assert_int_eq(on_disk().channel_pts, 2);
        }
        end();
    }
}
END_TEST

START_TEST(a_call_that_cannot_be_made_says_so)
{
    struct called a = {.result = 1};
    struct called b = {.result = 1};
    struct called c = {.result = 1};
    struct gap_store_config config = {NULL, NULL};
    gap_call_record_t bad = {.call = call, .inbox = UINT64_MAX};

    begin(1, NULL); /* it can't be opened */
    door.open_status = GAP_E_HELD;
    ck_assert_int_eq(try_open(NULL), 0);
    ck_assert_int_eq(ask(&a, 1), 0);
    ck_assert_int_eq(gap_store_call(store, &bad, on_called, &b), GAP_E_ARGUMENT);
    sim_run_for(sim, S);
    ck_assert_int_eq(a.answered, 1);
    ck_assert_int_eq(a.status, GAP_E_HELD);
    ck_assert_int_eq(ask(&b, 1), GAP_E_STATE);
    end();
    begin(1, NULL); /* no storage */
    ck_assert_int_eq(gap_store_open(&rt, &config, &store_events, NULL, &store), 0);
    ck_assert_int_eq(ask(&b, 1), GAP_E_STATE);
    door.destroyed = true;
    end();
    for (int doubt = 0; doubt < 2; doubt++) { /* the last commit fails, too */
        begin(1, NULL);
        open_store();
        fail_commits(doubt ? GAP_E_SYNC : GAP_E_STORAGE, 16);
        c = (struct called){.result = 1};
        put(store_inbox(3, "x"));
        ck_assert_int_eq(ask(&c, 0), 0);
        sim_run_for(sim, 100 * MS);
        if (doubt) door.open_status = GAP_E_HELD;
        end();
        ck_assert_int_eq(owner.last_status, doubt ? GAP_E_HELD : GAP_E_STORAGE);
        ck_assert_int_eq(c.answered, 1);
        ck_assert_int_eq(c.status, owner.last_status);
    }
    ck_assert_int_eq(a.runs + b.runs + b.answered, 0);
}
END_TEST

START_TEST(closing_runs_the_calls_that_wait)
{
    struct called a = {.result = 4};

    begin(1, NULL);
    open_store();
    ck_assert_int_eq(ask(&a, 0), 0);
    end();
    ck_assert_int_eq(a.runs, 1);
    ck_assert_int_eq(a.status, 0);
    ck_assert_int_eq(a.said, 4);
}
END_TEST

/* ---- reading ---- */

struct rows {
    char text[512];
    int done;
    int status;
    int stop_with;
};

static int on_row(void *arg, const gap_record_t *r)
{
    struct rows *rows = arg;
    size_t at = strlen(rows->text);
    gap_bytes_t bytes = r->kind == GAP_RECORD_INBOX  ? r->u.inbox.update
                        : r->kind == GAP_RECORD_DEAD ? r->u.dead.update
                                                     : r->u.value.value;

    ck_assert_int_eq(rows->done, 0);
    ck_assert(!r->removed);
    if (r->kind == GAP_RECORD_INBOX) {
        ck_assert(r->u.inbox.has_update);
        snprintf(rows->text + at, sizeof rows->text - at, "%llu/%u",
                 (unsigned long long)r->u.inbox.number, r->u.inbox.attempts);
    } else if (r->kind == GAP_RECORD_DEAD) {
        snprintf(rows->text + at, sizeof rows->text - at, "%llu",
                 (unsigned long long)r->u.dead.number);
    }
    at = strlen(rows->text);
    snprintf(rows->text + at, sizeof rows->text - at, "=%.*s ", (int)bytes.len,
             (const char *)bytes.data);
    return rows->stop_with;
}

static void on_read(void *arg, int status)
{
    struct rows *rows = arg;
    rows->done++;
    rows->status = status;
}

static void check_read(gap_read_t what, const char *want)
{
    struct rows rows = {.done = 0};

    ck_assert_int_eq(gap_store_read(store, &what, on_row, on_read, &rows), 0);
    ck_assert_int_eq(rows.done, 0); /* never from inside */
    sim_run_for(sim, MS);
    ck_assert_int_eq(rows.done, 1);
    ck_assert_int_eq(rows.status, 0);
    ck_assert_msg(strcmp(rows.text, want) == 0, "got '%s', wanted '%s'", rows.text, want);
}

static gap_read_t one(uint64_t number)
{
    return (gap_read_t){.kind = GAP_RECORD_INBOX, .number = number};
}

static gap_read_t page(gap_record_kind_t kind, uint64_t number, uint32_t limit)
{
    return (gap_read_t){.kind = kind, .after = true, .number = number, .limit = limit};
}

static gap_read_t value(const char *key)
{
    return (gap_read_t){.kind = GAP_RECORD_VALUE, .key = gap_str(key)};
}

START_TEST(rows_are_read_with_what_waits)
{
    begin(1, NULL);
    for (uint64_t n = 1; n <= 6; n++) store_before(store_inbox(n * 10, "disk"));
    store_before(store_value("a", "old"));
    store_before(store_value("b", "old"));
    store_before(store_dead(5, 0, "", "dead"));
    store_before(store_dead(7, 0, "", "dead"));
    open_store();
    fail_commits(GAP_E_STORAGE, 16); /* what is put stays here */
    check_read(one(10), "10/0=disk ");
    check_read(one(11), "");
    put(store_attempts(10, 3));
    put(store_removed(store_inbox(20, "")));
    put(store_inbox(35, "new"));
    put(store_inbox(40, "other"));
    put(store_inbox(70, "new"));
    put(store_attempts(80, 1)); /* of nothing */
    put(store_attempts(70, 2));
    put(store_value("a", "new"));
    put(store_removed(store_value("b", "")));
    put(store_dead(6, 0, "", "late"));
    put(store_removed(store_dead(5, 0, "", "")));
    put(store_dead(7, 0, "", "again"));
    sim_run_for(sim, 100 * MS);
    check_read(one(10), "10/3=disk ");
    check_read(one(20), "");
    check_read(one(35), "35/0=new ");
    check_read(one(70), "70/2=new ");
    check_read(one(80), "");
    check_read(value("a"), "=new ");
    check_read(value("b"), "");
    check_read(value("c"), "");
    check_read(page(GAP_RECORD_INBOX, 0, 0),
               "10/3=disk 30/0=disk 35/0=new 40/0=other 50/0=disk 60/0=disk 70/2=new ");
    check_read(page(GAP_RECORD_INBOX, 10, 2), "30/0=disk "); /* 20 was one of the two */
    check_read(page(GAP_RECORD_INBOX, 30, 2), "35/0=new 40/0=other ");
    check_read(page(GAP_RECORD_INBOX, 60, 5), "70/2=new ");
    check_read(page(GAP_RECORD_INBOX, 70, 5), "");
    check_read(page(GAP_RECORD_DEAD, 0, 0), "6=late 7=again ");
    check_read((gap_read_t){.kind = GAP_RECORD_DEAD, .number = 5}, "");
    check_read((gap_read_t){.kind = GAP_RECORD_DEAD, .number = 7}, "7=again ");
    /* A page of which nothing is left is not the end. */
    for (uint64_t n = 1; n <= 5; n++) put(store_removed(store_inbox(n * 10, "")));
    put(store_removed(store_inbox(35, "")));
    check_read(page(GAP_RECORD_INBOX, 0, 2), "60/0=disk ");
    door.commit_count = 0;
    sim_run_for(sim, 70 * S);
    check_read(page(GAP_RECORD_INBOX, 0, 0), "60/0=disk 70/2=new ");
    end();
}
END_TEST

START_TEST(reading_fails_and_stops)
{
    struct rows rows = {.stop_with = 8};
    struct rows sync = {.done = 0};
    struct rows last = {.done = 0};
    struct called a = {.result = 0};
    gap_read_t all = page(GAP_RECORD_INBOX, 0, 0);
    gap_read_t bad = one(0);

    begin(1, NULL);
    store_before(store_inbox(1, "a"));
    store_before(store_inbox(2, "b"));
    open_store();
    ck_assert_int_eq(gap_store_read(store, &bad, on_row, on_read, &rows), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_store_read(store, &all, on_row, on_read, &rows), 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(rows.done, 1);
    ck_assert_int_eq(rows.status, 8);
    ck_assert_str_eq(rows.text, "1/0=a ");
    door.find_status = GAP_E_DAMAGED;
    rows = (struct rows){.done = 0};
    ck_assert_int_eq(gap_store_read(store, &all, on_row, on_read, &rows), 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(rows.status, GAP_E_DAMAGED);
    door.find_status = 0;
    fail_commits(GAP_E_SYNC, 1);
    ck_assert_int_eq(ask(&a, 0), 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(gap_store_read(store, &all, on_row, on_read, &sync), 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(sync.status, GAP_E_SYNC);
    ck_assert_int_eq(gap_store_read(store, &all, on_row, on_read, &last), 0);
    end(); /* answered, whatever it is */
    ck_assert_int_eq(last.done, 1);
}
END_TEST

/* ---- functions that look ---- */

static int look(void *arg, struct sqlite3 *db)
{
    struct called *c = arg;

    ck_assert_ptr_null(db); /* the door has no database */
    c->runs++;
    return c->result;
}

static void on_looked(void *arg, int status, int result)
{
    struct called *c = arg;

    c->answered++;
    c->status = status;
    c->said = result;
}

START_TEST(a_function_looks_outside_of_commits)
{
    struct called a = {.result = 5};
    struct called b = {.result = 6};
    struct called sync = {.result = 7};
    struct called last = {.result = 8};

    begin(1, NULL);
    ck_assert_int_eq(try_open(NULL), 0);
    ck_assert_int_eq(gap_store_query(store, look, on_looked, &a), 0); /* before it is open */
    ck_assert_int_eq(a.answered, 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(a.runs, 1);
    ck_assert_int_eq(a.answered, 1);
    ck_assert_int_eq(a.status, 0);
    ck_assert_int_eq(a.said, 5);
    ck_assert_uint_eq(door.committed, 0);
    door.find_status = GAP_E_STORAGE;
    ck_assert_int_eq(gap_store_query(store, look, on_looked, &b), 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(b.answered, 1);
    ck_assert_int_eq(b.status, GAP_E_STORAGE);
    ck_assert_int_eq(b.runs, 0);
    door.find_status = 0;
    fail_commits(GAP_E_SYNC, 1);
    ck_assert_int_eq(ask(&b, 0), 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(gap_store_query(store, look, on_looked, &sync), 0);
    sim_run_for(sim, MS);
    ck_assert_int_eq(sync.status, GAP_E_SYNC);
    ck_assert_int_eq(sync.runs, 0);
    ck_assert_int_eq(gap_store_query(store, look, on_looked, &last), 0);
    end(); /* answered, whatever it is */
    ck_assert_int_eq(last.answered, 1);
}
END_TEST

static int read_on(void *arg, const gap_record_t *r)
{
    (void)arg;
    (void)r;
    return 0;
}

static int reads_left;

static void read_again(void *arg, int status)
{
    gap_read_t what = one(1);

    (void)arg;
    ck_assert_int_eq(status, 0);
    if (--reads_left > 0)
        ck_assert_int_eq(gap_store_read(store, &what, read_on, read_again, NULL), 0);
}

START_TEST(reading_without_end_keeps_nobody_from_committing)
{
    static const struct sim_options slow = {.work_us = MS};
    gap_read_t what = one(1);

    begin(5, &slow);
    store_before(store_inbox(1, "a"));
    ck_assert_int_eq(try_open(NULL), 0);
    sim_run_for(sim, S);
    reads_left = 300;
    ck_assert_int_eq(gap_store_read(store, &what, read_on, read_again, NULL), 0);
    sim_run_for(sim, 5 * MS);
    put(store_inbox(2, "b"));
    gap_store_hurry(store);
    sim_run_for(sim, 20 * MS);
    ck_assert_uint_eq(door.committed, 1);
    ck_assert_int_gt(reads_left, 100);
    sim_run_for(sim, 5 * S);
    ck_assert_int_eq(reads_left, 0);
    end();
}
END_TEST

/* ---- a full disk ---- */

START_TEST(a_full_disk_is_told_once_and_memory_is_bounded)
{
    static char text[100001];
    gap_record_t r;
    uint64_t n = 0;
    int status;

    memset(text, 'x', sizeof text - 1);
    begin(1, NULL);
    open_store();
    fail_commits(GAP_E_STORAGE, 3);
    do {
        r = store_inbox(n + 1, text);
        status = gap_store_put(store, &r);
        n += status == 0;
        gap_store_hurry(store);
        sim_run_for(sim, MS);
    } while (status == 0);
    ck_assert_int_eq(status, GAP_E_LIMIT);
    ck_assert_uint_le(n * 100000, GAP_STORE_INBOX_BYTES);
    ck_assert_uint_ge((n + 1) * 100000 + (n + 1) * 1000, GAP_STORE_INBOX_BYTES);
    ck_assert_int_eq(owner.failed, 1);
    put(store_removed(store_inbox(1, ""))); /* always taken */
    sim_run_for(sim, 10 * S);
    ck_assert_int_eq(owner.failed, 1);
    ck_assert_int_eq(owner.recovered, 1);
    check_disk(n - 1, 0);
    r = store_inbox(n + 1, text);
    ck_assert_int_eq(gap_store_put(store, &r), 0);
    end();
}
END_TEST

/* ---- out of memory ---- */

START_TEST(without_memory_everybody_is_answered)
{
    for (long n = 1; n < 120; n++) {
        struct called a = {.result = 1};
        struct rows rows = {.done = 0};
        struct rows got = {.done = 0};
        struct called looks = {.result = 1};
        gap_read_t all = page(GAP_RECORD_INBOX, 0, 0);
        gap_read_t key = value("a");
        gap_record_t r = store_inbox(5, "x");
        begin(1, NULL);
        store_before(store_inbox(1, "a"));
        store_before(store_value("a", "b"));
        open_store();
        fault.fail_at = fault.calls + n;
        bool put_one = gap_store_put(store, &r) == 0;
        bool asked = ask(&a, 1) == 0;
        bool reads = gap_store_read(store, &all, on_row, on_read, &rows) == 0;
        bool gets = gap_store_read(store, &key, on_row, on_read, &got) == 0;
        bool looked = gap_store_query(store, look, on_looked, &looks) == 0;
        sim_run_for(sim, 10 * S);
        fault.fail_at = 0;
        ck_assert_int_eq(a.answered, asked);
        if (asked) ck_assert_int_eq(a.status, 0);
        ck_assert_int_eq(rows.done, reads);
        ck_assert_int_eq(got.done, gets);
        ck_assert_int_eq(looks.answered, looked);
        check_disk((size_t)put_one + !asked, asked);
        end();
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("store_journal");
    TCase *t = tcase_create("worlds");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, hands_over_the_journal);
    tcase_add_test(t, a_hurried_commit_comes_soon);
    tcase_add_test(t, a_row_and_the_position_that_passes_it_are_one_commit);
    tcase_add_test(t, a_call_is_answered_when_its_commit_is_on_disk);
    tcase_add_test(t, a_call_whose_commit_failed_is_run_anew);
    tcase_add_test(t, a_call_is_not_run_again_if_its_commit_was_stored_after_all);
    tcase_add_test(t, a_call_that_cannot_be_made_says_so);
    tcase_add_test(t, closing_runs_the_calls_that_wait);
    tcase_add_test(t, rows_are_read_with_what_waits);
    tcase_add_test(t, reading_fails_and_stops);
    tcase_add_test(t, a_function_looks_outside_of_commits);
    tcase_add_test(t, reading_without_end_keeps_nobody_from_committing);
    tcase_add_test(t, a_full_disk_is_told_once_and_memory_is_bounded);
    tcase_add_test(t, without_memory_everybody_is_answered);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
