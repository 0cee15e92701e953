/*
 * tests/store/suite_journal.c - what every storage must do with the records of a journal.
 */
#include "tests/store/suite.h"

#include <string.h>

static const struct store_kind *kinds;
static char folder[256];
static char path[300];

static gap_storage_t *open_new(const struct store_kind *kind, const gap_alloc_t *alloc)
{
    gap_storage_fault_t fault = {0};
    gap_storage_t *s = NULL;

    store_folder_make(folder, sizeof folder);
    snprintf(path, sizeof path, "%s/store", folder);
    ck_assert_int_eq(kind->make(alloc, path, &s), 0);
    int r = s->ops->open(s, &fault);
    ck_assert_msg(r == 0, "%s: open: %d %s", kind->name, r, fault.text);
    return s;
}

static void end(gap_storage_t *s)
{
    s->ops->close(s);
    s->ops->destroy(s);
    store_folder_remove(folder);
}

static void commit(gap_storage_t *s, const gap_record_t *records, size_t count)
{
    gap_storage_fault_t fault = {0};
    int r = s->ops->commit(s, records, count, &fault);

    ck_assert_msg(r == 0, "commit: %d %s", r, fault.text);
}

#define COMMIT(s, ...)                                                                             \
    commit(s, (gap_record_t[]){__VA_ARGS__},                                                       \
           sizeof((gap_record_t[]){__VA_ARGS__}) / sizeof(gap_record_t))

/* What is there, now and after it was opened again. */
static void check(const struct store_kind *kind, gap_storage_t *s, const char *want)
{
    gap_storage_fault_t fault = {0};

    for (int again = 0; again < 2; again++) {
        char *dump = store_dump(s);
        ck_assert_msg(strcmp(dump, want) == 0, "%s: got\n%s\nwanted\n%s", kind->name, dump, want);
        free(dump);
        s->ops->close(s);
        ck_assert_int_eq(s->ops->open(s, &fault), 0);
    }
}

#define AT " at 1700000000000000: "

START_TEST(inbox)
{
    const struct store_kind *kind = &kinds[_i];
    gap_storage_t *s = open_new(kind, gap_alloc_default());
    gap_record_t bare = store_inbox(7, "");

    bare.u.inbox.eid.bytes[3] = 0;
    bare.u.inbox.box = GAP_BOX_NONE;
    bare.u.inbox.channel_id = 0;
    bare.u.inbox.created_us = -5;
    COMMIT(s, store_inbox(9, "nine"), store_inbox(3, "three"), bare, store_inbox(5, "five"),
           store_inbox(INT64_MAX, "last"));
    check(
        kind, s,
        "inbox 3 eid 03 content -3 attempts 0 box 3 of 1001" AT "three\n"
        "inbox 5 eid 05 content -5 attempts 0 box 3 of 1001" AT "five\n"
        "inbox 7 eid 00 content -7 attempts 0 box 0 of 0 at -5: \n"
        "inbox 9 eid 09 content -9 attempts 0 box 3 of 1001" AT "nine\n"
        "inbox 9223372036854775807 eid ff content -9223372036854775807 attempts 0 box 3 of 1001" AT
        "last");
    /* Fields alone keep the update; those of nothing are nothing; the last one counts. */
    COMMIT(s, store_attempts(9, 2), store_attempts(4, 1), store_removed(store_inbox(3, "")),
           store_removed(store_inbox(77, "")), store_inbox(5, "other"),
           store_attempts(5, UINT32_MAX), store_removed(store_inbox(7, "")),
           store_removed(store_inbox(INT64_MAX, "")), store_attempts(3, 8));
    check(kind, s,
          "inbox 5 eid 05 content -5 attempts 4294967295 box 3 of 1001" AT "other\n"
          "inbox 9 eid 09 content -9 attempts 2 box 3 of 1001" AT "nine");
    end(s);
}
END_TEST

struct page {
    uint64_t numbers[16];
    size_t count;
    size_t stop_at; /* 0: never */
};

static int keep_number(void *arg, const gap_record_t *record)
{
    struct page *p = arg;

    ck_assert_uint_lt(p->count, 16);
    p->numbers[p->count++] =
        record->kind == GAP_RECORD_DEAD ? record->u.dead.number : record->u.inbox.number;
    return p->count == p->stop_at ? 5 : 0;
}

START_TEST(pages)
{
    static const struct {
        gap_read_t what;
        size_t stop_at;
        int want;
        uint64_t first;
        size_t count;
        const char *why;
    } cases[] = {
        {{.kind = GAP_RECORD_INBOX, .after = true}, 0, 0, 2, 5, "all"},
        {{.kind = GAP_RECORD_INBOX, .after = true, .number = 4}, 0, 0, 6, 3, "after a row"},
        {{.kind = GAP_RECORD_INBOX, .after = true, .number = 5}, 0, 0, 6, 3, "after no row"},
        {{.kind = GAP_RECORD_INBOX, .after = true, .number = 10}, 0, 0, 0, 0, "after the last"},
        {{.kind = GAP_RECORD_INBOX, .after = true, .limit = 2}, 0, 0, 2, 2, "two"},
        {{.kind = GAP_RECORD_INBOX, .after = true, .bytes_max = 9}, 0, 0, 2, 2, "bytes reached"},
        {{.kind = GAP_RECORD_INBOX, .after = true, .bytes_max = 1}, 0, 0, 2, 1, "at least one"},
        {{.kind = GAP_RECORD_INBOX, .after = true}, 3, 5, 2, 3, "the callback stops it"},
        {{.kind = GAP_RECORD_INBOX, .number = 6}, 0, 0, 6, 1, "that one"},
        {{.kind = GAP_RECORD_INBOX, .number = 6}, 1, 5, 6, 1, "that one, stopped"},
        {{.kind = GAP_RECORD_INBOX, .number = 5}, 0, 0, 0, 0, "none"},
        {{.kind = GAP_RECORD_DEAD, .after = true, .number = 1}, 0, 0, 2, 2, "dead letters"},
        {{.kind = GAP_RECORD_DEAD, .number = 3}, 0, 0, 3, 1, "one of them"},
        {{.kind = GAP_RECORD_INBOX}, 0, GAP_E_ARGUMENT, 0, 0, "no number"},
        {{.kind = GAP_RECORD_INBOX, .number = UINT64_MAX}, 0, GAP_E_ARGUMENT, 0, 0, "too large"},
        {{.kind = GAP_RECORD_PEER, .number = 1}, 0, GAP_E_ARGUMENT, 0, 0, "no such kind"},
        {{.kind = GAP_RECORD_VALUE}, 0, GAP_E_ARGUMENT, 0, 0, "no key"},
    };
    const struct store_kind *kind = &kinds[_i];
    gap_storage_t *s = open_new(kind, gap_alloc_default());

    COMMIT(s, store_inbox(2, "12345"), store_inbox(4, "12345"), store_inbox(6, "12345"),
           store_inbox(8, ""), store_inbox(10, "x"), store_dead(1, -1, "", ""),
           store_dead(2, -1, "", ""), store_dead(3, -1, "", ""));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        gap_storage_fault_t fault = {0};
        struct page page = {.stop_at = cases[i].stop_at};
        int r = s->ops->read(s, &cases[i].what, keep_number, &page, &fault);
        ck_assert_msg(r == cases[i].want, "%s: %s: %d", kind->name, cases[i].why, r);
        ck_assert_msg(page.count == cases[i].count && page.numbers[0] == cases[i].first,
                      "%s: %s: %zu from %llu", kind->name, cases[i].why, page.count,
                      (unsigned long long)page.numbers[0]);
    }
    end(s);
}
END_TEST

START_TEST(done_is_forgotten_below_a_stored_position)
{
    const struct store_kind *kind = &kinds[_i];
    gap_storage_t *s = open_new(kind, gap_alloc_default());

    COMMIT(s, store_state(10, 20, 0, 0), store_channel(7, 5, false));
    COMMIT(s, store_done(1, GAP_BOX_COMMON, 0, 12), store_done(2, GAP_BOX_COMMON, 0, 13),
           store_done(3, GAP_BOX_QTS, 0, 21), store_done(4, GAP_BOX_CHANNEL, 7, 6),
           store_done(5, GAP_BOX_CHANNEL, 8, 6), store_done(6, GAP_BOX_NONE, 0, 0),
           store_done(0xfe, GAP_BOX_CHANNEL, 9, INT32_MAX),
           store_done(7, GAP_BOX_COMMON, 0, 1)); /* nothing is stored with it */
#define D6  "done 06 content 6 box 0 of 0 before 0"
#define DFE "done fe content 254 box 3 of 9 before 2147483647"
    check(kind, s,
          "channel 7 at 5\ndone 01 content 1 box 1 of 0 before 12\n"
          "done 02 content 2 box 1 of 0 before 13\ndone 03 content 3 box 2 of 0 before 21\n"
          "done 04 content 4 box 3 of 7 before 6\ndone 05 content 5 box 3 of 8 before 6\n" D6 "\n"
          "done 07 content 7 box 1 of 0 before 1\n" DFE "\nstate 10 20 0 0");
    /* Below, not at; wherever it stands in the commit; the last state counts for pts and qts. */
    COMMIT(s, store_state(13, 22, 0, 0), store_done(8, GAP_BOX_QTS, 0, 21),
           store_done(9, GAP_BOX_QTS, 0, 22));
    check(kind, s,
          "channel 7 at 5\ndone 02 content 2 box 1 of 0 before 13\n"
          "done 04 content 4 box 3 of 7 before 6\ndone 05 content 5 box 3 of 8 before 6\n" D6 "\n"
          "done 09 content 9 box 2 of 0 before 22\n" DFE "\nstate 13 22 0 0");
    COMMIT(s, store_channel(7, 7, false), store_removed(store_channel(8, 0, false)));
    /* One that comes again is one; it may move. */
    COMMIT(s, store_done(2, GAP_BOX_CHANNEL, 7, 40), store_done(2, GAP_BOX_CHANNEL, 7, 50),
           store_removed(store_done(9, GAP_BOX_NONE, 0, 0)),
           store_removed(store_done(0x33, GAP_BOX_NONE, 0, 0)));
    check(kind, s,
          "channel 7 at 7\ndone 02 content 2 box 3 of 7 before 50\n" D6 "\n" DFE
          "\nstate 13 22 0 0");
    COMMIT(s, store_removed(store_channel(7, 0, false)), store_done(3, GAP_BOX_CHANNEL, 7, 99),
           store_removed(store_state(0, 0, 0, 0)));
    check(kind, s, D6 "\n" DFE);
    end(s);
}
END_TEST

START_TEST(dead_letters_values_and_the_boot_record)
{
    const struct store_kind *kind = &kinds[_i];
    gap_storage_t *s = open_new(kind, gap_alloc_default());
    gap_record_t zeros = store_value("c", "");

    zeros.u.value.value = (gap_bytes_t){(const uint8_t *)"\0\xff\0", 3};
    COMMIT(s, store_dead(4, -10012, "too slow, \"twice\"", "bytes"), store_dead(2, 0, "", ""),
           store_value("a", "one"), store_value("b", ""), zeros, store_value("a", "two"),
           store_value("much longer than the others", "x"), store_boot(1, false, 0xab));
    check(kind, s,
          "boot 1 secret abab\ndead 2 after 5: 0 , box 2, 1 to 2: \n"
          "dead 4 after 5: -10012 too slow, \"twice\", box 2, 1 to 2: bytes\n"
          "value a: two\nvalue b: \nvalue c: ");
    COMMIT(s, store_removed(store_dead(2, 0, "", "")), store_dead(4, 7, "again", "b"),
           store_removed(store_value("a", "")), store_removed(store_value("e", "")),
           store_value("b", "full"), store_removed(zeros), store_boot(INT64_MAX, true, 1));
    check(kind, s,
          "boot 9223372036854775807 clean secret 0101\n"
          "dead 4 after 5: 7 again, box 2, 1 to 2: b\nvalue b: full");
    COMMIT(s, store_removed(store_boot(0, false, 0)), store_removed(store_dead(4, 0, "", "")),
           store_removed(store_value("b", "")));
    check(kind, s, "");
    end(s);
}
END_TEST

/* --- calls ------------------------------------------------------------------------------------ */

struct called {
    int result;
    int count;
    int *clock;
    int at;
};

static int call(void *arg, struct sqlite3 *db)
{
    struct called *c = arg;
    (void)db;

    c->count++;
    c->at = ++*c->clock;
    return c->result;
}

static gap_record_t call_of(struct called *c, int *result, uint64_t inbox_number, uint8_t eid)
{
    gap_record_t r = {.kind = GAP_RECORD_CALL};

    r.u.call.call = call;
    r.u.call.arg = c;
    r.u.call.result = result;
    r.u.call.inbox = inbox_number;
    r.u.call.has_done = eid != 0;
    r.u.call.done = store_done(eid, GAP_BOX_COMMON, 0, 5).u.done;
    return r;
}

START_TEST(calls)
{
    const struct store_kind *kind = &kinds[_i];
    gap_storage_t *s = open_new(kind, gap_alloc_default());
    int clock = 0;
    int results[5] = {99, 99, 99, 99, 99};
    struct called c[5] = {{0, 0, &clock, 0},
                          {-7, 0, &clock, 0},
                          {3, 0, &clock, 0},
                          {-1, 0, &clock, 0},
                          {0, 0, &clock, 0}};

    COMMIT(s, store_inbox(1, "a"), store_inbox(2, "b"), store_inbox(3, "c"));
    COMMIT(s, call_of(&c[0], &results[0], 1, 0x11), call_of(&c[1], &results[1], 2, 0x22),
           store_inbox(4, "d"), call_of(&c[2], &results[2], 4, 0),
           call_of(&c[3], &results[3], 0, 0x33), call_of(&c[4], &results[4], 0, 0));
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(c[i].count, 1);
        ck_assert_int_eq(c[i].at, i + 1);
        ck_assert_int_eq(results[i], c[i].result);
    }
    check(kind, s,
          "done 11 content 17 box 1 of 0 before 5\n"
          "inbox 2 eid 02 content -2 attempts 0 box 3 of 1001" AT "b\n"
          "inbox 3 eid 03 content -3 attempts 0 box 3 of 1001" AT "c");
    ck_assert_int_eq(clock, 5); /* opening runs nothing again */
    /* What is done by a call is forgotten with the rest. */
    COMMIT(s, store_state(6, 0, 0, 0), call_of(&c[0], &results[0], 2, 0x44));
    check(kind, s, "inbox 3 eid 03 content -3 attempts 0 box 3 of 1001" AT "c\nstate 6 0 0 0");
    end(s);
}
END_TEST

START_TEST(nonsense_is_refused_as_a_whole)
{
    const struct store_kind *kind = &kinds[_i];
    gap_storage_t *s = open_new(kind, gap_alloc_default());
    gap_record_t bad[] = {
        store_inbox(0, ""),
        store_inbox((uint64_t)INT64_MAX + 1, ""),
        store_done(0, GAP_BOX_COMMON, 0, 1),
        store_done(1, (gap_box_t)4, 0, 1),
        store_done(1, GAP_BOX_CHANNEL, 0, 1),
        store_dead(0, 0, "", ""),
        store_value("", "x"),
        store_boot(UINT64_MAX, true, 0),
        {.kind = GAP_RECORD_CALL},
        {.kind = (gap_record_kind_t)11},
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        gap_storage_fault_t fault = {0};
        gap_record_t both[] = {store_inbox(5, "x"), bad[i]};
        ck_assert_msg(s->ops->commit(s, both, 2, &fault) == GAP_E_ARGUMENT, "%s: %zu", kind->name,
                      i);
    }
    check(kind, s, "");
    end(s);
}
END_TEST

static int take_any(void *arg, const gap_record_t *record)
{
    (void)record;
    ++*(int *)arg;
    return 0;
}

START_TEST(a_journal_without_memory)
{
    const struct store_kind *kind = &kinds[_i];

    for (long n = 1; n < 500; n++) {
        struct fault_alloc f;
        gap_storage_fault_t fault = {0};
        int clock = 0;
        int result = 0;
        int seen = 0;
        struct called c = {0, 0, &clock, 0};
        fault_alloc_init(&f, 0);
        gap_storage_t *s = open_new(kind, &f.alloc);
        COMMIT(s, store_inbox(1, "one"), store_inbox(2, "two"), store_value("a", "old"));
        char *before = store_dump(s);
        gap_record_t records[] = {
            store_attempts(1, 3),
            store_inbox(3, "three"),
            store_done(1, GAP_BOX_QTS, 0, 2),
            store_dead(4, -1, "why", "four"),
            store_value("a", "new"),
            store_boot(1, true, 2),
            call_of(&c, &result, 2, 9),
        };
        f.fail_at = f.calls + n;
        int r = s->ops->commit(s, records, sizeof records / sizeof records[0], &fault);
        bool failed = f.calls >= f.fail_at;
        gap_read_t what = {.kind = GAP_RECORD_INBOX, .after = true};
        int r2 = s->ops->read(s, &what, take_any, &seen, &fault);
        ck_assert_msg(r2 == 0 || (r2 == GAP_E_NOMEM && f.calls >= f.fail_at), "read: %d", r2);
        f.fail_at = 0;
        ck_assert_msg(r == (failed ? GAP_E_NOMEM : 0), "%s: %ld: %d", kind->name, n, r);
        char *after = store_dump(s);
        ck_assert_msg((strcmp(before, after) == 0) == failed, "%s: %ld: %s", kind->name, n, after);
        free(before);
        free(after);
        end(s);
        ck_assert_int_eq(f.live, 0);
        if (!failed) return;
    }
    ck_abort_msg("it never ends");
}
END_TEST

void store_journal_add(Suite *suite, const struct store_kind *list, size_t count)
{
    TCase *tc = tcase_create("journal");
    int n = (int)count;

    kinds = list;
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, inbox, 0, n);
    tcase_add_loop_test(tc, pages, 0, n);
    tcase_add_loop_test(tc, done_is_forgotten_below_a_stored_position, 0, n);
    tcase_add_loop_test(tc, dead_letters_values_and_the_boot_record, 0, n);
    tcase_add_loop_test(tc, calls, 0, n);
    tcase_add_loop_test(tc, nonsense_is_refused_as_a_whole, 0, n);
    tcase_add_loop_test(tc, a_journal_without_memory, 0, n);
    suite_add_tcase(suite, tc);
}
