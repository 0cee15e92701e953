/*
 * tests/store/test_waiting_rows.c - records of a journal on their way to a storage. Whatever is
 * put, and however commits end, the disk holds in the end what a storage would that got every
 * record at once.
 */
#include "store/waiting.h"
#include "tests/store/suite.h"

#include "base/bytes.h"
#include "base/prng.h"

#include <string.h>

enum { PEERS = 4, BYTES = 4096 };

static struct fault_alloc fault;
static gap_waiting_t w;
static gap_storage_t *disk;
static gap_storage_t *model;
static gap_storage_fault_t why;

static gap_storage_t *memory(void)
{
    gap_storage_t *s = NULL;

    ck_assert_int_eq(gap_storage_memory(NULL, &s), 0);
    ck_assert_int_eq(s->ops->open(s, &why), 0);
    return s;
}

static void setup(void)
{
    fault_alloc_init(&fault, 0);
    gap_waiting_init(&w, &fault.alloc, PEERS, BYTES);
    disk = memory();
    model = memory();
}

static void end(gap_storage_t *s)
{
    s->ops->close(s);
    s->ops->destroy(s);
}

static void teardown(void)
{
    void *owner;
    int result;

    gap_waiting_abandon(&w);
    while (gap_waiting_settled(&w, &owner, &result)) {
    }
    gap_waiting_fini(&w);
    gap_waiting_fini(&w); /* safe twice */
    end(disk);
    end(model);
    ck_assert_int_eq(fault.live, 0);
}

static void put(gap_record_t r)
{
    ck_assert_int_eq(gap_waiting_put(&w, &r), 0);
}

enum outcome {
    STORED,
    REFUSED,
    DOUBTFUL
}; /* doubtful: stored, though it said it was not, and what
      has no calls is stored anew */

/* A commit of everything that waits. */
static void commit(enum outcome outcome)
{
    const gap_record_t *records;

    if (w.count == 0) return;
    ck_assert_int_eq(gap_waiting_take(&w, &records), 0);
    if (outcome != REFUSED) ck_assert_int_eq(disk->ops->commit(disk, records, w.flying, &why), 0);
    gap_waiting_done(&w, outcome == STORED);
}

static void check(const char *want)
{
    char *dump = store_dump(disk);

    ck_assert_str_eq(dump, want);
    free(dump);
}

#define INBOX(n, attempts, text)                                                                   \
    "inbox " n " eid 0" n " content -" n " attempts " attempts                                     \
    " box 3 of 1001 at 1700000000000000: " text

/* ---- a put and a removal ---- */

START_TEST(a_row_that_is_removed_in_time_is_never_written)
{
    put(store_inbox(1, "one"));
    put(store_inbox(2, "two"));
    put(store_attempts(1, 3));
    put(store_removed(store_inbox(1, "")));
    ck_assert_uint_eq(w.count, 1);
    put(store_removed(store_inbox(2, "")));
    ck_assert_uint_eq(w.count, 0);
    ck_assert_uint_eq(w.bytes, 0);
    ck_assert_int_eq(fault.live, 1); /* the map */
    commit(STORED);
    check("");
}
END_TEST

START_TEST(a_row_that_may_be_on_the_disk_is_removed_there)
{
    static const enum outcome outcomes[] = {REFUSED, DOUBTFUL};

    for (size_t i = 0; i < 2; i++) {
        put(store_inbox(1 + i, "one"));
        commit(outcomes[i]);
        put(store_removed(store_inbox(1 + i, "")));
        ck_assert_uint_eq(w.count, 1);
        commit(STORED);
        check("");
    }
    /* The same of one that was there before this store was opened. */
    gap_record_t old = store_inbox(9, "old");
    ck_assert_int_eq(disk->ops->commit(disk, &old, 1, &why), 0);
    w.inbox_seen = 9;
    put(store_inbox(9, "new"));
    put(store_removed(old));
    commit(STORED);
    check("");
}
END_TEST

START_TEST(what_comes_while_a_row_is_in_flight)
{
    static const struct {
        gap_record_t later;
        const char *want;
        const char *what;
    } cases[] = {
        {{.kind = GAP_RECORD_INBOX, .removed = true, .u.inbox.number = 1}, "", "a removal"},
        {{.kind = GAP_RECORD_ACCOUNT}, INBOX("1", "7", "one"), "other fields"},
        {{.kind = GAP_RECORD_STATE}, INBOX("1", "0", "new"), "another row"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int outcome = STORED; outcome <= DOUBTFUL; outcome++) {
            const gap_record_t *records;
            gap_record_t later = cases[i].later;
            teardown();
            setup();
            put(store_inbox(1, "one"));
            ck_assert_int_eq(gap_waiting_take(&w, &records), 0);
            if (later.kind == GAP_RECORD_ACCOUNT) later = store_attempts(1, 7);
            if (later.kind == GAP_RECORD_STATE) later = store_inbox(1, "new");
            put(store_inbox(2, "x"));
            put(later);
            put(store_removed(store_inbox(2, "")));
            if (outcome != REFUSED)
                ck_assert_int_eq(disk->ops->commit(disk, records, w.flying, &why), 0);
            gap_waiting_done(&w, outcome == STORED);
            commit(STORED);
            char *dump = store_dump(disk);
            ck_assert_msg(strcmp(dump, cases[i].want) == 0, "%s, %d: %s", cases[i].what, outcome,
                          dump);
            free(dump);
        }
    }
}
END_TEST

/* ---- bounds ---- */

START_TEST(bytes_are_bounded_those_in_flight_included)
{
    char text[1025];
    const gap_record_t *records;
    uint64_t n = 0;
    int r;

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    do {
        gap_record_t row = n % 2 == 0 ? store_inbox(++n, text) : store_dead(++n, 0, "", text);
        r = gap_waiting_put(&w, &row);
    } while (r == 0);
    ck_assert_int_eq(r, GAP_E_LIMIT);
    ck_assert_uint_eq(n, 4); /* three of them, with what they cost themselves */
    ck_assert_uint_eq(w.count, 3);
    ck_assert_int_eq(gap_waiting_take(&w, &records), 0);
    gap_record_t value = store_value("a", text);
    ck_assert_int_eq(gap_waiting_put(&w, &value), GAP_E_LIMIT);
    gap_record_t fields[] = {store_attempts(9, 1), store_removed(store_inbox(8, "")),
                             store_removed(store_dead(8, 0, "", "")),
                             store_removed(store_value("a", "")), store_value("", "own")};
    fields[4].u.value.key = (gap_bytes_t){(const uint8_t *)"\0own", 4};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        ck_assert_int_eq(gap_waiting_put(&w, &fields[i]), 0);
    gap_waiting_done(&w, true);
    ck_assert_uint_eq(w.bytes, 0);
    commit(STORED);
    /* One that is larger than the bound has its turn alone. */
    char *large = calloc(1, BYTES + 2);
    memset(large, 'y', BYTES + 1);
    put(store_inbox(20, large));
    value = store_value("a", "");
    ck_assert_int_eq(gap_waiting_put(&w, &value), GAP_E_LIMIT);
    commit(STORED);
    ck_assert_int_eq(gap_waiting_put(&w, &value), 0);
    free(large);
}
END_TEST

/* ---- looking ---- */

START_TEST(rows_that_wait_are_found)
{
    gap_record_t a = store_value("a", "");
    gap_record_t dead = store_dead(4, 0, "", "");
    gap_record_t inbox = store_inbox(4, "");
    const gap_record_t *out[8];

    ck_assert_ptr_null(gap_waiting_row(&w, &a));
    put(store_value("a", "one"));
    put(store_value("b", "two"));
    put(store_value("a", "three"));
    put(store_dead(4, 1, "", ""));
    put(store_removed(dead));
    put(store_inbox(4, "four"));
    put(store_inbox(3, "three"));
    ck_assert(gap_bytes_equal(gap_waiting_row(&w, &a)->u.value.value, gap_str("three")));
    ck_assert(gap_waiting_row(&w, &dead)->removed);
    ck_assert(gap_bytes_equal(gap_waiting_row(&w, &inbox)->u.inbox.update, gap_str("four")));
    ck_assert_uint_eq(gap_waiting_rows(&w, GAP_RECORD_INBOX, out, 8), 2);
    ck_assert_uint_eq(out[0]->u.inbox.number, 4);
    ck_assert_uint_eq(gap_waiting_rows(&w, GAP_RECORD_DEAD, out, 1), 2);
    commit(REFUSED);
    ck_assert(gap_bytes_equal(gap_waiting_row(&w, &a)->u.value.value, gap_str("three")));
    commit(STORED);
    ck_assert_ptr_null(gap_waiting_row(&w, &a));
    ck_assert_ptr_null(gap_waiting_row(&w, &inbox));
    ck_assert_uint_eq(gap_waiting_rows(&w, GAP_RECORD_DEAD, out, 1), 0);
}
END_TEST

/* ---- everything at once ---- */

struct called {
    int result;
    int runs;    /* on the disk */
    int settled; /* times */
    int said;
    bool on_disk;
};

enum { CALLS = 600 };
static struct called called[CALLS];
static size_t call_count;
static bool modelling;

static int call(void *arg, struct sqlite3 *db)
{
    struct called *c = arg;
    (void)db;

    if (!modelling) c->runs++;
    return c->result;
}

static gap_record_t some_call(gap_prng_t *rng, uint64_t newest)
{
    gap_record_t r = {.kind = GAP_RECORD_CALL};
    struct called *c = &called[call_count];

    c->result = gap_prng_below(rng, 3) == 0 ? -5 : 1;
    r.u.call.call = call;
    r.u.call.arg = c;
    r.u.call.inbox = gap_prng_below(rng, newest + 1);
    r.u.call.has_done = gap_prng_below(rng, 2) == 0;
    r.u.call.done = store_done((uint8_t)(1 + gap_prng_below(rng, 5)), GAP_BOX_NONE, 0, 0).u.done;
    return r;
}

static gap_record_t some_record(gap_prng_t *rng, uint64_t *newest)
{
    static const char *const texts[] = {"", "text", "another text"};
    static const char *const keys[] = {"a", "b", "c"};
    const char *text = texts[gap_prng_below(rng, 3)];
    const char *key = keys[gap_prng_below(rng, 3)];
    bool removed = gap_prng_below(rng, 3) == 0;
    uint64_t number = 1 + gap_prng_below(rng, *newest + 1);
    gap_record_t r;

    switch (gap_prng_below(rng, 8)) {
    case 0:
        r = store_done((uint8_t)(1 + gap_prng_below(rng, 5)), GAP_BOX_NONE, 0, 0);
        break;
    case 1:
        r = store_dead(number, (int)number, text, text);
        break;
    case 2:
        r = store_value(key, text);
        break;
    case 3:
        r = store_boot(number, removed, (uint8_t)number);
        break;
    case 4:
    case 5:
        r = store_attempts(number, (uint32_t)gap_prng_below(rng, 9));
        break;
    default:
        if (gap_prng_below(rng, 4) > 0) number = ++*newest;
        if (gap_prng_below(rng, 4) > 0) removed = false;
        r = store_inbox(number, text);
        break;
    }
    r.removed = removed;
    return r;
}

static void settle_all(void)
{
    void *owner;
    int result;

    while (gap_waiting_settled(&w, &owner, &result)) {
        struct called *c = owner;
        c->settled++;
        c->said = result;
    }
}

static void play(gap_prng_t *rng, uint64_t *newest)
{
    int ignored;
    gap_record_t r;

    if (gap_prng_below(rng, 10) == 0 && call_count < CALLS) {
        r = some_call(rng, *newest);
        ck_assert_int_eq(gap_waiting_call(&w, &r.u.call, &called[call_count]), 0);
        call_count++;
        r.u.call.result = &ignored;
    } else {
        r = some_record(rng, newest);
        int status = gap_waiting_put(&w, &r);
        if (status == GAP_E_LIMIT) return;
        ck_assert_int_eq(status, 0);
    }
    modelling = true;
    ck_assert_int_eq(model->ops->commit(model, &r, 1, &why), 0);
    modelling = false;
}

START_TEST(whatever_happens_the_disk_says_the_same)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        gap_prng_t rng = {seed};
        uint64_t newest = 0;
        teardown();
        setup();
        memset(called, 0, sizeof called);
        call_count = 0;
        for (int step = 0; step < 150; step++) {
            const gap_record_t *records;
            enum outcome outcome = (enum outcome)gap_prng_below(&rng, 3);
            bool has_calls;
            for (uint64_t n = gap_prng_below(&rng, 5); n > 0; n--) play(&rng, &newest);
            if (w.count == 0) continue;
            has_calls = w.calls > 0;
            ck_assert_int_eq(gap_waiting_take(&w, &records), 0);
            if (outcome != REFUSED)
                ck_assert_int_eq(disk->ops->commit(disk, records, w.flying, &why), 0);
            for (uint64_t n = gap_prng_below(&rng, 5); n > 0; n--) play(&rng, &newest);
            gap_waiting_done(&w, outcome == STORED || (outcome == DOUBTFUL && has_calls));
            settle_all();
        }
        commit(STORED);
        settle_all();
        char *got = store_dump(disk);
        char *want = store_dump(model);
        ck_assert_msg(strcmp(got, want) == 0, "seed %llu: got\n%.1500s\nwanted\n%.1500s",
                      (unsigned long long)seed, got, want);
        free(got);
        free(want);
        for (size_t i = 0; i < call_count; i++) {
            ck_assert_msg(called[i].settled == 1 && called[i].said == called[i].result &&
                              called[i].runs == 1,
                          "seed %llu: call %zu: run %d times, settled %d times",
                          (unsigned long long)seed, i, called[i].runs, called[i].settled);
        }
        ck_assert_uint_eq(w.bytes, 0);
    }
}
END_TEST

/* ---- out of memory ---- */

START_TEST(without_memory_nothing_changes)
{
    for (long n = 1; n < 60; n++) {
        gap_record_t records[] = {store_inbox(1, "one"), store_attempts(5, 2),
                                  store_done(1, GAP_BOX_NONE, 0, 0), store_dead(2, 0, "", ""),
                                  store_removed(store_inbox(6, ""))};
        gap_call_record_t c = {.call = call, .arg = &called[0]};
        teardown();
        setup();
        fault.fail_at = fault.calls + n;
        size_t count = 0;
        for (size_t i = 0; i < sizeof records / sizeof records[0]; i++) {
            int r = gap_waiting_put(&w, &records[i]);
            ck_assert(r == 0 || r == GAP_E_NOMEM);
            count += r == 0;
            ck_assert_uint_eq(w.count, count);
        }
        int r = gap_waiting_call(&w, &c, &called[0]);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
        count += r == 0;
        ck_assert_uint_eq(w.count, count);
        ck_assert_uint_eq(w.calls, r == 0);
        fault.fail_at = 0;
        commit(REFUSED);
        commit(STORED);
        ck_assert_uint_eq(w.bytes, 0);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("waiting_rows");
    TCase *t = tcase_create("rows");

    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_row_that_is_removed_in_time_is_never_written);
    tcase_add_test(t, a_row_that_may_be_on_the_disk_is_removed_there);
    tcase_add_test(t, what_comes_while_a_row_is_in_flight);
    tcase_add_test(t, bytes_are_bounded_those_in_flight_included);
    tcase_add_test(t, rows_that_wait_are_found);
    tcase_add_test(t, whatever_happens_the_disk_says_the_same);
    tcase_add_test(t, without_memory_nothing_changes);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
