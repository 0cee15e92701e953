/* Tables that people have written into: such rows are parked with a reason, nothing else stops. */
#include "base/prng.h"
#include "tests/outbox/tables.h"

static sqlite3 *db;
static struct gap_claim claim;
static struct gap_claims claims;

static void setup(void)
{
    tables_begin();
    db = tables_open();
}

static void teardown(void)
{
    gap_claims_fini(&claims);
    tables_close(db);
    tables_end();
}

#define NOW INT64_C(1700000000000000)

static gap_claim_result_t claim_chat(int64_t chat)
{
    gap_claims_fini(&claims);
    claim = (struct gap_claim){.chat = chat};
    claims = (struct gap_claims){
        .alloc = gap_alloc_default(), .claims = &claim, .count = 1, .now_us = NOW, .epoch = 7};
    tables_exec(db, "BEGIN IMMEDIATE");
    int r = gap_outdb_claim(db, &claims);
    ck_assert_msg(r == 0, "claim: %d %s", r, gap_strerror(r));
    tables_exec(db, "COMMIT");
    return claim.result;
}

static int64_t put_text(gap_peer_t chat, const char *text)
{
    gap_outbox_item_t item = text_to(chat, text);

    return put(db, &item);
}

struct heads {
    struct gap_head last;
    int count;
    int broken;
};

static int see_head(void *arg, const struct gap_head *head)
{
    struct heads *h = arg;

    h->last = *head;
    h->count++;
    h->broken += head->chat == GAP_OUTBOX_CHAT_BROKEN;
    return 0;
}

/* What is done to the oldest row, and what its reason says then. */
static const struct {
    const char *set;
    const char *says;
    int error;
} edits[] = {
    {"kind = 99", "its kind, 99,", GAP_E_DAMAGED},
    {"kind = 0", "its kind, 0,", GAP_E_DAMAGED},
    {"kind = 'send'", "column kind", GAP_E_DAMAGED},
    {"kind = 2", "", GAP_E_DAMAGED}, /* the payload is of another one */
    {"kind = -1", "column kind", GAP_E_DAMAGED},
    {"version = 2", "newer version", GAP_E_NEWER},
    {"version = 2, payload = x'', kind = 77, class = 'x'", "newer version", GAP_E_NEWER},
    {"version = 'x'", "column version", GAP_E_DAMAGED},
    {"version = 0", "column version", GAP_E_DAMAGED},
    {"class = 4", "column class", GAP_E_DAMAGED},
    {"class = 0", "column class", GAP_E_DAMAGED},
    {"class = 1.5", "column class", GAP_E_DAMAGED},
    {"state = 99", "column state", GAP_E_DAMAGED},
    {"state = 0", "column state", GAP_E_DAMAGED},
    {"state = -3", "column state", GAP_E_DAMAGED},
    {"state = 'ready'", "column state", GAP_E_DAMAGED},
    {"state = x'01'", "column state", GAP_E_DAMAGED},
    {"random_id = 'x'", "column random_id", GAP_E_DAMAGED},
    {"random_id = 0", "column random_id", GAP_E_DAMAGED},
    {"attempts = -1", "column attempts", GAP_E_DAMAGED},
    {"attempts = 1e300", "column attempts", GAP_E_DAMAGED},
    {"not_before = 'tomorrow'", "column not_before", GAP_E_DAMAGED},
    {"deadline = 'never'", "column deadline", GAP_E_DAMAGED},
    {"flags = 'x'", "column flags", GAP_E_DAMAGED},
    {"target = 99999999999", "column target", GAP_E_DAMAGED},
    {"target = 'x'", "column target", GAP_E_DAMAGED},
    {"message_id = x''", "column message_id", GAP_E_DAMAGED},
    {"payload = NULL", "", GAP_E_DAMAGED},
    {"payload = x''", "", GAP_E_DAMAGED},
    {"payload = 'text'", "", GAP_E_DAMAGED},
    {"payload = 5", "", GAP_E_DAMAGED},
    {"payload = x'01'", "", GAP_E_DAMAGED},
    {"payload = x'02' || substr(payload, 2)", "", GAP_E_DAMAGED},
    {"payload = CAST(x'02' || substr(payload, 2) AS BLOB)", "", GAP_E_NEWER},
    {"payload = CAST(substr(payload, 1, length(payload) - 1) AS BLOB)", "", GAP_E_DAMAGED},
    {"payload = zeroblob(100)", "", GAP_E_DAMAGED},
    {"payload = zeroblob(2000000)", "", GAP_E_DAMAGED},
};

START_TEST(edited_row_is_parked_with_a_reason)
{
    char sql[160];
    struct heads seen = {.count = 0};
    int64_t last;

    (void)put_text(ANNA, "first");
    (void)put_text(ANNA, "second");
    snprintf(sql, sizeof sql, "UPDATE gapless_outbox SET %s WHERE row = 1", edits[_i].set);
    tables_exec(db, sql);
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 10, see_head, &seen), 0);
    ck_assert_int_eq(seen.count, 1);
    ck_assert_int_eq(seen.last.row, 1);
    ck_assert_int_eq(gap_outdb_scan(db, 0, 10, see_head, &seen, &last), 0);
    ck_assert_int_eq(seen.count, 3);
    ck_assert_int_eq(claim_chat(1001), GAP_CLAIM_TAKEN);
    ck_assert_int_eq(claim.row.row, 2);
    ck_assert_uint_eq(claims.aside_count, 1);
    ck_assert_int_eq(claims.aside[0].row, 1);
    ck_assert_int_eq(claims.aside[0].state, GAP_OUTBOX_PARKED);
    ck_assert_msg(claims.aside[0].error == edits[_i].error, "%s: error %d", edits[_i].set,
                  claims.aside[0].error);
    const char *reason = tables_text(db, "SELECT reason FROM gapless_outbox WHERE row = 1 AND"
                                         " state = 6 AND done = 1700000000000000");
    ck_assert_msg(strstr(reason, edits[_i].says) != NULL && strlen(reason) > 10, "%s: %s",
                  edits[_i].set, reason);
}
END_TEST

START_TEST(row_whose_chat_is_none_is_parked)
{
    static const struct {
        const char *chat;
        bool broken; /* it comes under a number of its own */
    } cases[] = {
        {"'@news'", true},
        {"x'00'", true},
        {"1.5", true},
        {"-1e30", true},
        {"1e30", true},
        {"9223372036854775807", true},
        {"-9223372036854775808", true},
        {"0", false},
        {"-1000000000000", false},
        {"9000000000000000000", false},
        {"-3000000000000", false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[128];
        struct heads seen = {.count = 0};
        struct heads scanned = {.count = 0};
        int64_t after = 0;
        if (i > 0) after = tables_number(db, "SELECT max(row) FROM gapless_outbox");
        int64_t row = put_text(BERT, "lost");
        int64_t good = put_text(ANNA, "x");
        snprintf(sql, sizeof sql, "UPDATE gapless_outbox SET chat = %s WHERE row = %lld",
                 cases[i].chat, (long long)row);
        tables_exec(db, sql);
        ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 10, see_head, &seen), 0);
        ck_assert_msg(seen.count == 2, "%s: %d", cases[i].chat, seen.count);
        ck_assert_int_eq(seen.broken, cases[i].broken);
        int64_t last;
        ck_assert_int_eq(gap_outdb_scan(db, after, 10, see_head, &scanned, &last), 0);
        ck_assert_int_eq(scanned.count, 2);
        ck_assert_int_eq(scanned.broken, cases[i].broken);
        int64_t chat = cases[i].broken ? GAP_OUTBOX_CHAT_BROKEN
                                       : tables_number(db, "SELECT %s", cases[i].chat);
        ck_assert_int_eq(claim_chat(chat), GAP_CLAIM_EMPTY);
        ck_assert_uint_eq(claims.aside_count, 1);
        ck_assert_int_eq(claims.aside[0].row, row);
        ck_assert_int_eq(claims.aside[0].state, GAP_OUTBOX_PARKED);
        ck_assert_uint_gt(claims.aside[0].reason.len, 10);
        ck_assert_int_eq(claim_chat(1001), GAP_CLAIM_TAKEN);
        ck_assert_int_eq(claim.row.row, good);
        tables_exec(db, "UPDATE gapless_outbox SET state = 5 WHERE state = 3");
    }
}
END_TEST

START_TEST(row_whose_number_is_none_stops_nothing)
{
    static const char *const numbers[] = {"0", "-1", "-9223372036854775808"};
    struct heads seen = {.count = 0};
    char sql[160];

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        (void)put_text(BERT, "bad");
        snprintf(sql, sizeof sql,
                 "UPDATE gapless_outbox SET row = %s WHERE row = (SELECT max(row) FROM"
                 " gapless_outbox)",
                 numbers[i]);
        tables_exec(db, sql);
    }
    (void)put_text(ANNA, "one");
    int64_t good = put_text(BERT, "two");
    int64_t last = put_text(NEWS, "three");
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 10, see_head, &seen), 0);
    ck_assert_int_eq(seen.count, 4); /* each chat, and what is broken */
    ck_assert_int_eq(seen.broken, 1);
    ck_assert_int_eq(seen.last.chat, GAP_OUTBOX_CHAT_BROKEN);
    ck_assert_int_eq(claim_chat(1002), GAP_CLAIM_TAKEN);
    ck_assert_int_eq(claim.row.row, good);
    ck_assert_int_eq(claim_chat(NEWS_AS), GAP_CLAIM_TAKEN);
    ck_assert_int_eq(claim.row.row, last);
    ck_assert_int_eq(claim_chat(GAP_OUTBOX_CHAT_BROKEN), GAP_CLAIM_EMPTY);
    ck_assert_uint_eq(claims.aside_count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_lt(claims.aside[i].row, 1);
        ck_assert_int_eq(claims.aside[i].chat, 1002);
        ck_assert_int_eq(claims.aside[i].error, GAP_E_DAMAGED);
    }
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE row < 1 AND"
                                       " state = 6 AND done <> 0 AND reason GLOB '*column row*'"),
                     3);
    memset(&seen, 0, sizeof seen);
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 10, see_head, &seen), 0);
    ck_assert_int_eq(seen.broken, 0);
}
END_TEST

START_TEST(many_bad_rows_are_put_aside_bit_by_bit)
{
    for (int i = 0; i < 2 * GAP_OUTBOX_ASIDE_MAX + 5; i++) (void)put_text(ANNA, "x");
    tables_exec(db, "UPDATE gapless_outbox SET kind = 44");
    int64_t good = put_text(ANNA, "x");
    int calls = 0;
    while (claim_chat(1001) == GAP_CLAIM_AGAIN) {
        calls++;
        ck_assert_uint_gt(claims.aside_count, 0);
    }
    ck_assert_int_eq(calls, 2);
    ck_assert_int_eq(claim.result, GAP_CLAIM_TAKEN);
    ck_assert_int_eq(claim.row.row, good);
}
END_TEST

START_TEST(other_tables_may_hold_nonsense)
{
    struct heads seen = {.count = 0};
    struct gap_outdb_opening o = {.epoch = 9, .now_us = NOW};
    struct gap_outdb_version v;
    gap_outbox_eta_t eta;

    (void)put_text(ANNA, "x");
    tables_exec(db, "INSERT INTO gapless_outbox_chat(chat, tokens, at, parked, error, reason)"
                    " VALUES(1001, 'many', x'00', NULL, 'x', 5), (0, 1e300, 'now', NULL, 9, NULL),"
                    " (7, NULL, NULL, 'x', 99999999999, zeroblob(1000));"
                    "INSERT INTO gapless_outbox_gate VALUES('m', 'c', 'u', 'e', 5),"
                    " (-1, 1, 1700000090000000, 1, 1), (5, 1001, 1700000090000000, 1e99, x'ff');"
                    "UPDATE gapless_outbox_meta SET account_calls = 'x', user_ms = -5,"
                    " group_burst = 1e99; DROP INDEX gapless_outbox_waits;"
                    "DROP INDEX gapless_outbox_moved");
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_open(db, &o), 0); /* indexes are made again */
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 10, see_head, &seen), 0);
    ck_assert_int_eq(seen.count, 1);
    ck_assert_int_eq(gap_outdb_version(db, &v), 0);
    ck_assert_int_eq(gap_outbox_eta(db, 1, NOW, &eta), 0);
    ck_assert_int_eq(claim_chat(1001), GAP_CLAIM_TAKEN);
}
END_TEST

START_TEST(columns_that_are_gone_are_an_error)
{
    struct gap_outdb_opening o = {.epoch = 9, .now_us = NOW};

    (void)put_text(ANNA, "x");
    tables_exec(db, "ALTER TABLE gapless_outbox_gate RENAME COLUMN until TO till; BEGIN");
    ck_assert_int_eq(gap_outdb_open(db, &o), GAP_E_DAMAGED);
    tables_exec(db, "COMMIT; ALTER TABLE gapless_outbox_gate RENAME COLUMN till TO until;"
                    "DROP TABLE gapless_outbox; CREATE VIEW gapless_outbox AS SELECT 1 AS row;"
                    "BEGIN");
    ck_assert_int_eq(gap_outdb_open(db, &o), GAP_E_DAMAGED);
    tables_exec(db, "COMMIT");
}
END_TEST

/* --- anything at all -------------------------------------------------------------------------- */

static const char *const column_names[] = {
    "version",  "kind",       "class",    "state",  "chat",  "random_id",  "target",
    "attempts", "not_before", "deadline", "epoch",  "flags", "message_id", "error",
    "done",     "target_row", "post",     "reason", "hash",  "payload",
};

static const char *const values[] = {
    "0",
    "1",
    "-1",
    "5",
    "99",
    "9223372036854775807",
    "1e300",
    "0.5",
    "'text'",
    "x'00ff00'",
    "''",
    "x''",
    "-5e8",
    "zeroblob(16)",
    "1002",
    "10",
    "randomblob(40)",
    "4294967296",
    "-9223372036854775808",
    "'5'",
};

static int ignore_row(void *arg, const gap_outbox_row_t *row)
{
    (void)arg;
    ck_assert_uint_le(row->reason.len, GAP_OUTBOX_REASON_MAX);
    return 0;
}

static void mess_up(gap_prng_t *prng, int64_t rows)
{
    size_t column = gap_prng_below(prng, sizeof column_names / sizeof column_names[0]);
    size_t value = gap_prng_below(prng, sizeof values / sizeof values[0]);
    char sql[160];

    snprintf(sql, sizeof sql, "UPDATE OR IGNORE gapless_outbox SET %s = %s WHERE row = %d",
             column_names[column], values[value], 1 + (int)gap_prng_below(prng, (uint64_t)rows));
    tables_exec(db, sql);
}

/* Everything that walks over rows does so to its end. */
static void do_everything(gap_prng_t *prng, int64_t rows)
{
    struct heads seen = {.count = 0};
    gap_outbox_eta_t eta;
    int64_t row = 1 + (int64_t)gap_prng_below(prng, (uint64_t)rows);
    int64_t last;
    uint32_t removed;

    ck_assert_int_eq(gap_outbox_list(db, 0, 0, 1000, ignore_row, NULL), 0);
    ck_assert_int_eq(gap_outdb_scan(db, 0, 1000, see_head, &seen, &last), 0);
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 1000, see_head, &seen), 0);
    int r = gap_outbox_eta(db, row, NOW, &eta);
    ck_assert(r == 0 || r == GAP_E_STATE || r == GAP_E_NOT_FOUND);
    tables_exec(db, "BEGIN");
    r = gap_outbox_retry(db, row, NULL);
    ck_assert(r == 0 || r == GAP_E_STATE || r == GAP_E_NOT_FOUND);
    r = gap_outbox_cancel(db, row);
    ck_assert(r == 0 || r == GAP_E_STATE || r == GAP_E_NOT_FOUND);
    struct gap_finish f = {.row = row, .state = GAP_OUTBOX_SENT, .message_id = 5};
    struct gap_finishes all = {
        .alloc = gap_alloc_default(), .finishes = &f, .count = 1, .now_us = NOW};
    ck_assert_int_eq(gap_outdb_finish(db, &all), 0);
    ck_assert_int_eq(gap_outdb_prune(db, NOW, 1, &removed), 0);
    tables_exec(db, "COMMIT");
}

START_TEST(nothing_in_the_rows_stops_good_ones)
{
    gap_prng_t prng = {(uint64_t)_i + 1};
    gap_outbox_item_t edit = edit_of_row(BERT, 1, "edit");

    (void)put_text(BERT, "x");
    for (int i = 0; i < 10; i++) (void)put_text(BERT, "x");
    for (int i = 0; i < 60; i++) {
        mess_up(&prng, 11);
        do_everything(&prng, 11);
        int r = try_put(db, &edit, NULL); /* of a row that may be anything */
        ck_assert_msg(r >= 0 || r == GAP_E_NOT_FOUND || r == GAP_E_ARGUMENT || r == GAP_E_DAMAGED ||
                          r == GAP_E_NEWER,
                      "seed %d: edit %d", _i, r);
    }
    int64_t good = put_text(ANNA, "good");
    struct heads seen = {.count = 0};
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 1000, see_head, &seen), 0);
    for (int i = 0; i < 100 && claim_chat(GAP_OUTBOX_CHAT_BROKEN) == GAP_CLAIM_AGAIN; i++) continue;
    ck_assert_int_eq(claim.result, GAP_CLAIM_EMPTY);
    for (int i = 0; i < 100 && claim_chat(1002) == GAP_CLAIM_AGAIN; i++) continue;
    ck_assert_int_ne(claim.result, GAP_CLAIM_AGAIN);
    ck_assert_int_eq(claim_chat(1001), GAP_CLAIM_TAKEN);
    ck_assert_int_eq(claim.row.row, good);
}
END_TEST

/* --- pages ------------------------------------------------------------------------------------ */

static bool is_told(int r)
{
    return r == 0 || r == GAP_E_STATE || r == GAP_E_NOT_FOUND || r == GAP_E_DAMAGED ||
           r == GAP_E_ARGUMENT || r == GAP_E_FOREIGN || r == GAP_E_STORAGE;
}

static int ignore_chat(void *arg, const struct gap_chat_state *chat)
{
    (void)arg;
    (void)chat;
    return 0;
}

static int ignore_gate(void *arg, const struct gap_gate_row *gate)
{
    (void)arg;
    (void)gate;
    return 0;
}

/* Each result by itself: what fails in one place is not to keep others from being tried. */
static unsigned try_everything(int64_t row)
{
    struct gap_outdb_opening opening = {
        .epoch = 9, .now_us = NOW, .chat = ignore_chat, .gate = ignore_gate, .unknown = see_head};
    struct heads seen = {.count = 0};
    struct gap_finish finish = {.row = row, .state = GAP_OUTBOX_SENT, .message_id = 5};
    struct gap_finishes all = {
        .alloc = gap_alloc_default(), .finishes = &finish, .count = 1, .now_us = NOW};
    gap_outbox_item_t item = text_to(ANNA, "one more");
    gap_outbox_item_t edit = edit_of_row(ANNA, row, "edit");
    gap_outbox_eta_t eta;
    int64_t last;
    uint32_t removed;

    opening.arg = &seen;
    claim = (struct gap_claim){.chat = 1001, .has_bucket = true};
    claims = (struct gap_claims){
        .alloc = gap_alloc_default(), .claims = &claim, .count = 1, .now_us = NOW, .epoch = 7};
    int results[] = {
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == 0 ? 0 : GAP_E_DAMAGED,
        gap_outdb_open(db, &opening),
        gap_outbox_list(db, 0, 0, 1000, ignore_row, NULL),
        gap_outdb_scan(db, 0, 1000, see_head, &seen, &last),
        gap_outdb_chats(db, INT64_MIN, 1000, see_head, &seen),
        gap_outbox_eta(db, row, NOW, &eta),
        gap_outdb_claim(db, &claims),
        gap_outdb_finish(db, &all),
        gap_outdb_prune(db, NOW, 1000, &removed),
        gap_outdb_forget(db, NOW, NOW, 10),
        gap_outbox_retry(db, row + 1, NULL),
        gap_outbox_cancel(db, row + 2),
        gap_outbox_enqueue(db, &item, NULL),
        gap_outbox_enqueue(db, &edit, NULL),
    };
    unsigned damaged = 0;

    gap_claims_fini(&claims);
    (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL); /* there may be none */
    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        ck_assert_msg(is_told(results[i]), "%zu: %d", i, results[i]);
        damaged += results[i] == GAP_E_DAMAGED;
    }
    return damaged;
}

/* Every page but the first: noise, nothing, a page that begins well. */
START_TEST(noise_in_a_page_is_an_error_and_no_more)
{
    enum { PAGE = 4096 };
    static char bytes[1 << 20];
    static char spoilt[1 << 20];
    gap_prng_t prng = {(uint64_t)_i + 1};
    unsigned damaged = 0;

    for (int i = 0; i < 200; i++) (void)put_text(i % 2 == 0 ? ANNA : BERT, "a row of the outbox");
    tables_exec(db, "PRAGMA journal_mode = DELETE");
    tables_close(db);
    FILE *f = fopen(tables_path, "rb");
    ck_assert_ptr_nonnull(f);
    size_t len = fread(bytes, 1, sizeof bytes, f);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_uint_gt(len, 8 * PAGE);
    for (size_t at = PAGE; at < len; at += PAGE) {
        memcpy(spoilt, bytes, len);
        for (size_t i = at + (_i == 2 ? 12 : 0); i < at + PAGE; i++)
            spoilt[i] = (char)(_i == 1 ? 0 : gap_prng_below(&prng, 256));
        f = fopen(tables_path, "wb");
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_eq(fwrite(spoilt, 1, len, f), len);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_int_eq(sqlite3_open(tables_path, &db), SQLITE_OK);
        damaged += try_everything(1 + (int64_t)gap_prng_below(&prng, 200));
        tables_close(db);
    }
    ck_assert_uint_gt(damaged, 10);
    f = fopen(tables_path, "wb"); /* for the end */
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    db = tables_open();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox bad rows");
    TCase *tc = tcase_create("bad rows");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, edited_row_is_parked_with_a_reason, 0,
                        (int)(sizeof edits / sizeof edits[0]));
    tcase_add_test(tc, row_whose_chat_is_none_is_parked);
    tcase_add_test(tc, row_whose_number_is_none_stops_nothing);
    tcase_add_test(tc, many_bad_rows_are_put_aside_bit_by_bit);
    tcase_add_test(tc, other_tables_may_hold_nonsense);
    tcase_add_test(tc, columns_that_are_gone_are_an_error);
    tcase_add_loop_test(tc, nothing_in_the_rows_stops_good_ones, 0, gap_test_seeds(60));
    tcase_add_loop_test(tc, noise_in_a_page_is_an_error_and_no_more, 0, 3);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
