/* The user lists rows, takes them back, sends them after all, asks when they go out. */
#include "tests/outbox/tables.h"

static sqlite3 *db;

static void setup(void)
{
    tables_begin();
    db = tables_open();
}

static void teardown(void)
{
    tables_close(db);
    tables_end();
}

#define NOW         INT64_C(1700000000000000)
#define COUNT(what) tables_number(db, "%s", "SELECT count(*) FROM gapless_outbox WHERE " what)

static int64_t put_text(gap_peer_t chat, const char *text)
{
    gap_outbox_item_t item = text_to(chat, text);

    return put(db, &item);
}

struct listed {
    char text[512];
    size_t at;
    int stop;
    gap_outbox_row_t last; /* without views */
};

static int list_row(void *arg, const gap_outbox_row_t *row)
{
    struct listed *l = arg;

    l->at += (size_t)snprintf(l->text + l->at, sizeof l->text - l->at, "%s%lld/%d/%d%s%.*s%s%.*s",
                              l->at > 0 ? " " : "", (long long)row->row, (int)row->kind,
                              (int)row->state, row->key.len > 0 ? "/" : "", (int)row->key.len,
                              (const char *)row->key.data, row->reason.len > 0 ? "!" : "",
                              (int)row->reason.len, (const char *)row->reason.data);
    l->last = *row;
    return l->stop;
}

static const char *list(uint32_t states, int64_t after, size_t limit)
{
    static struct listed l;

    memset(&l, 0, sizeof l);
    ck_assert_int_eq(gap_outbox_list(db, states, after, limit, list_row, &l), 0);
    return l.text;
}

static int in_transaction(int (*what)(sqlite3 *db, int64_t row), int64_t row)
{
    tables_exec(db, "BEGIN");
    int r = what(db, row);
    tables_exec(db, "COMMIT");
    return r;
}

static int retry(int64_t row, int64_t *moved)
{
    tables_exec(db, "BEGIN");
    int r = gap_outbox_retry(db, row, moved);
    tables_exec(db, "COMMIT");
    return r;
}

static int release(gap_peer_t chat)
{
    tables_exec(db, "BEGIN");
    int r = gap_outbox_release(db, chat);
    tables_exec(db, "COMMIT");
    return r;
}

/* --- listing ---------------------------------------------------------------------------------- */

START_TEST(rows_are_listed)
{
    struct listed l = {.stop = 0};
    gap_outbox_item_t keyed = text_to(NEWS, "x");

    ck_assert_str_eq(list(0, 0, 100), ""); /* no tables */
    ck_assert_int_eq(gap_outbox_get(db, 1, list_row, &l), GAP_E_NOT_FOUND);
    keyed.key = gap_str("k");
    keyed.not_before_us = 5;
    keyed.deadline_us = 9;
    (void)put_text(ANNA, "x");
    (void)put(db, &keyed);
    (void)put_text(BERT, "x");
    tables_exec(db, "UPDATE gapless_outbox SET state = 6, reason = 'why', error = 403,"
                    " message_id = 4, attempts = 3, done = 8 WHERE row = 2;"
                    "UPDATE gapless_outbox SET state = 'x', kind = 99 WHERE row = 3");
    ck_assert_str_eq(list(0, 0, 100), "1/1/1 2/1/6/k!why 3/99/0");
    ck_assert_str_eq(list(1U << GAP_OUTBOX_PARKED, 0, 100), "2/1/6/k!why");
    ck_assert_str_eq(list(0, 1, 1), "2/1/6/k!why");
    ck_assert_int_eq(gap_outbox_get(db, 2, list_row, &l), 0);
    ck_assert_int_eq(l.last.chat.id, NEWS.id);
    ck_assert_int_eq(l.last.chat.kind, GAP_PEER_CHANNEL);
    ck_assert_int_eq(l.last.not_before_us, 5);
    ck_assert_int_eq(l.last.deadline_us, 9);
    ck_assert_int_eq(l.last.done_us, 8);
    ck_assert_int_eq(l.last.error, 403);
    ck_assert_int_eq(l.last.message_id, 4);
    ck_assert_uint_eq(l.last.attempts, 3);
    ck_assert_int_ne(l.last.random_id, 0);
    ck_assert_int_eq(gap_outbox_get(db, 4, list_row, &l), GAP_E_NOT_FOUND);
    ck_assert_int_eq(gap_outbox_get(db, 0, list_row, &l), GAP_E_NOT_FOUND);
    l.stop = 7;
    ck_assert_int_eq(gap_outbox_list(db, 0, 0, 100, list_row, &l), 7);
    ck_assert_int_eq(gap_outbox_get(db, 1, list_row, &l), 7);
}
END_TEST

START_TEST(post_is_named_by_its_key)
{
    struct listed l = {.stop = 0};
    gap_outbox_content_t content = {.text = gap_str("text")};
    gap_post_t post = {.key = gap_str("about"), .chat = NEWS, .content = &content};
    int64_t row = 0;

    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_post_upsert(db, &post, &row), 0);
    tables_exec(db, "COMMIT");
    struct gap_outdb_opening o = {.epoch = 1, .now_us = NOW};
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_open(db, &o), 0);
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(gap_outbox_get(db, row, list_row, &l), 0);
    ck_assert_int_eq(l.last.kind, GAP_OUTBOX_POST);
    ck_assert_uint_eq(l.last.post.len, 5);
}
END_TEST

/* --- changing --------------------------------------------------------------------------------- */

START_TEST(rows_are_taken_back_as_long_as_nothing_was_sent)
{
    static const struct {
        const char *set;
        int result;
    } cases[] = {
        {"state = 1", 0},
        {"state = 2", 0},
        {"state = 2, flags = 1", GAP_E_STATE},
        {"state = 3", GAP_E_STATE},
        {"state = 4", GAP_E_STATE},
        {"state = 5", GAP_E_STATE},
        {"state = 6, flags = 3", 0},
        {"state = 7", 0},
        {"state = 8", 0},
        {"state = 'x'", 0},
    };

    ck_assert_int_eq(in_transaction(gap_outbox_cancel, 1), GAP_E_NOT_FOUND);
    (void)put_text(ANNA, "x");
    ck_assert_int_eq(gap_outbox_cancel(db, 1), GAP_E_STATE); /* no transaction */
    ck_assert_int_eq(in_transaction(gap_outbox_cancel, 2), GAP_E_NOT_FOUND);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char sql[96];
        snprintf(sql, sizeof sql, "UPDATE gapless_outbox SET flags = 0, done = 0, %s",
                 cases[i].set);
        tables_exec(db, sql);
        int r = in_transaction(gap_outbox_cancel, 1);
        ck_assert_msg(r == cases[i].result, "%s: %d", cases[i].set, r);
        ck_assert_int_eq(COUNT("state = 8"), cases[i].result == 0);
    }
}
END_TEST

START_TEST(retried_row_goes_to_the_end)
{
    gap_outbox_item_t first = text_to(ANNA, "first");
    int64_t moved = 0;

    first.key = gap_str("k");
    first.deadline_us = 5;
    (void)put(db, &first);
    (void)put_text(ANNA, "second");
    int64_t random_id = tables_number(db, "SELECT random_id FROM gapless_outbox WHERE row = 1");
    ck_assert_int_eq(gap_outbox_retry(db, 1, &moved), GAP_E_STATE);
    tables_exec(db, "UPDATE gapless_outbox SET state = 7, attempts = 10, error = 5, reason = 'x',"
                    " done = 6, flags = 1 WHERE row = 1");
    tables_exec(db, "CREATE TABLE mine(x); INSERT INTO mine VALUES(77)");
    int64_t last = sqlite3_last_insert_rowid(db);
    ck_assert_int_eq(retry(1, &moved), 0);
    ck_assert_int_eq(sqlite3_last_insert_rowid(db), last);
    ck_assert_int_eq(moved, 3);
    ck_assert_str_eq(list(0, 0, 100), "2/1/1 3/1/1/k");
    ck_assert_int_eq(COUNT("row = 3 AND attempts = 0 AND error = 0 AND done = 0 AND flags = 1"
                           " AND deadline = 0"),
                     1);
    ck_assert_int_eq(tables_number(db, "SELECT random_id FROM gapless_outbox WHERE row = 3"),
                     random_id);
    ck_assert_str_eq(text_in(db, 3), "first");
    ck_assert_int_eq(retry(1, &moved), GAP_E_NOT_FOUND);
}
END_TEST

START_TEST(who_waits_for_a_row_follows_it)
{
    gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = NEWS, .message_row = 1};
    int64_t moved = 0;

    (void)put_text(NEWS, "post");
    (void)put(db, &pin);
    tables_exec(db, "UPDATE gapless_outbox SET state = 6");
    ck_assert_int_eq(retry(1, &moved), 0);
    ck_assert_int_eq(COUNT("row = 2 AND target_row = 3"), 1);
    ck_assert_int_eq(retry(2, &moved), 0);
    ck_assert_int_eq(COUNT("row = 4 AND target_row = 3 AND state = 1"), 1);
}
END_TEST

START_TEST(waits_end_but_for_the_servers)
{
    int64_t moved = 0;

    (void)put_text(ANNA, "x");
    tables_exec(db, "UPDATE gapless_outbox SET state = 2, not_before = 99, error = 500");
    ck_assert_int_eq(retry(1, &moved), 0);
    ck_assert_int_eq(moved, 1);
    ck_assert_int_eq(COUNT("state = 1 AND not_before = 0"), 1);
    tables_exec(db, "UPDATE gapless_outbox SET state = 2, not_before = 99, error = 420");
    ck_assert_int_eq(retry(1, &moved), GAP_E_STATE);
    for (int state = 3; state <= 5; state++) {
        char sql[64];
        snprintf(sql, sizeof sql, "UPDATE gapless_outbox SET state = %d", state);
        tables_exec(db, sql);
        ck_assert_int_eq(retry(1, &moved), GAP_E_STATE);
    }
}
END_TEST

START_TEST(released_chat_goes_on_where_it_was)
{
    (void)put_text(ANNA, "one");
    (void)put_text(ANNA, "two");
    (void)put_text(ANNA, "three");
    ck_assert_int_eq(release(ANNA), GAP_E_NOT_FOUND);
    tables_exec(db, "UPDATE gapless_outbox SET state = 6, flags = 2, error = 403, reason = 'x',"
                    " done = 7 WHERE row = 1;"
                    "UPDATE gapless_outbox SET state = 6, reason = 'another' WHERE row = 2;"
                    "UPDATE gapless_outbox SET state = 6, flags = 3 WHERE row = 3;"
                    "INSERT INTO gapless_outbox_chat(chat, parked, error, reason)"
                    " VALUES(1001, 5, 403, 'x'), (0, 5, 400, 'PEER_FLOOD')");
    ck_assert_int_eq(gap_outbox_release(db, ANNA), GAP_E_STATE);
    ck_assert_int_eq(release((gap_peer_t){-1, GAP_PEER_USER}), GAP_E_ARGUMENT);
    ck_assert_int_eq(release(BERT), GAP_E_NOT_FOUND);
    ck_assert_int_eq(release(ANNA), 0);
    ck_assert_str_eq(list(0, 0, 100), "1/1/1 2/1/6!another 3/1/4");
    ck_assert_int_eq(COUNT("row = 1 AND error = 0 AND done = 0 AND flags = 0"), 1);
    ck_assert_int_eq(release(ANNA), GAP_E_NOT_FOUND);
    ck_assert_int_eq(release((gap_peer_t){0, GAP_PEER_NONE}), 0);
    ck_assert_int_eq(tables_number(db, "SELECT count(parked) FROM gapless_outbox_chat"), 0);
}
END_TEST

/* --- when ------------------------------------------------------------------------------------- */

static gap_outbox_eta_t eta_of(int64_t row)
{
    gap_outbox_eta_t eta;
    int r = gap_outbox_eta(db, row, NOW, &eta);

    ck_assert_msg(r == 0, "eta of %lld: %d", (long long)row, r);
    return eta;
}

START_TEST(eta_says_what_decides)
{
    gap_outbox_eta_t eta;
    gap_outbox_item_t later = text_to(BERT, "x");

    ck_assert_int_eq(gap_outbox_eta(db, 1, NOW, &eta), GAP_E_NOT_FOUND);
    for (int i = 0; i < 10; i++) (void)put_text(ANNA, "x");
    eta = eta_of(1);
    ck_assert_int_eq(eta.at_us, NOW);
    ck_assert_uint_eq(eta.ahead, 0);
    ck_assert_str_eq(eta.because, "");
    eta = eta_of(10); /* three at once, then one a second */
    ck_assert_uint_eq(eta.ahead, 9);
    ck_assert_int_eq(eta.at_us, NOW + 7000000);
    ck_assert_str_ne(eta.because, "");

    later.not_before_us = NOW + 60000000;
    int64_t row = put(db, &later);
    ck_assert_int_eq(eta_of(row).at_us, NOW + 60000000);
    tables_exec(db, "INSERT INTO gapless_outbox_gate VALUES(0, 1002, 1700000090000000, 420, 'x');"
                    "INSERT INTO gapless_outbox_gate VALUES(0, 1003, 1700000190000000, 420, 'x')");
    ck_assert_int_eq(eta_of(row).at_us, NOW + 90000000);
    tables_exec(db, "INSERT INTO gapless_outbox_chat(chat, parked, reason)"
                    " VALUES(0, 5, 'FROZEN_METHOD_INVALID')");
    eta = eta_of(row);
    ck_assert_int_eq(eta.at_us, INT64_MAX);
    ck_assert_str_eq(eta.because, "bulk is stopped: FROZEN_METHOD_INVALID");
    tables_exec(db, "INSERT INTO gapless_outbox_chat(chat, parked, reason)"
                    " VALUES(1002, 5, 'CHAT_WRITE_FORBIDDEN')");
    eta = eta_of(row);
    ck_assert_int_eq(eta.at_us, INT64_MAX);
    ck_assert_ptr_nonnull(strstr(eta.because, "CHAT_WRITE_FORBIDDEN"));
    tables_exec(db, "UPDATE gapless_outbox SET state = 6, reason = 'no' WHERE row = 1;"
                    "UPDATE gapless_outbox SET state = 5 WHERE row = 2;"
                    "UPDATE gapless_outbox SET state = 8 WHERE row = 3");
    eta = eta_of(1);
    ck_assert_int_eq(eta.at_us, INT64_MAX);
    ck_assert_str_eq(eta.because, "no");
    ck_assert_int_eq(gap_outbox_eta(db, 2, NOW, &eta), GAP_E_STATE);
    ck_assert_int_eq(gap_outbox_eta(db, 3, NOW, &eta), GAP_E_STATE);
    ck_assert_int_eq(gap_outbox_eta(db, 99, NOW, &eta), GAP_E_NOT_FOUND);
}
END_TEST

START_TEST(eta_counts_what_other_chats_take)
{
    gap_outbox_item_t items[400];

    for (int i = 0; i < 400; i++) items[i] = text_to((gap_peer_t){2000 + i, GAP_PEER_USER}, "x");
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outbox_enqueue_all(db, items, 400, NULL), 0);
    tables_exec(db, "COMMIT");
    int64_t last = put_text(ANNA, "x");
    tables_exec(db, "INSERT INTO gapless_outbox_chat(chat, tokens, at)"
                    " VALUES(0, 0, 1700000000000000)");
    gap_outbox_eta_t eta = eta_of(last);
    ck_assert_uint_eq(eta.ahead, 0);
    ck_assert_int_gt(eta.at_us, NOW); /* the account's bucket is empty */
    tables_exec(db, "UPDATE gapless_outbox_chat SET parked = 4, reason = 'PEER_FLOOD'");
    ck_assert_int_eq(eta_of(last).at_us, INT64_MAX);
}
END_TEST

static int count_post(void *arg, const gap_post_status_t *status)
{
    *(unsigned *)arg += status->key.len > 0;
    return 0;
}

/* A second database and the temporary one have tables of the same names; what SQLite does not do
 * unless asked is done. */
START_TEST(only_the_main_database_counts)
{
    static const char *const names[] = {
        "gapless_outbox",      "gapless_outbox_meta", "gapless_outbox_chat", "gapless_outbox_gate",
        "gapless_outbox_post", "gapless_outbox_link", "gapless_outbox_dirty"};
    gap_outbox_content_t content = {.text = gap_str("post")};
    gap_post_t post = {.key = gap_str("p"), .chat = NEWS, .content = &content};
    gap_outbox_eta_t eta;
    int64_t row = 0;
    unsigned posts = 0;
    char sql[200];

    tables_exec(db, "PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON;"
                    "PRAGMA reverse_unordered_selects = ON; ATTACH ':memory:' AS other");
    for (size_t i = 0; i < 7; i++) {
        (void)snprintf(sql, sizeof sql,
                       "CREATE TEMP TABLE %s(row, post, x); CREATE TABLE other.%s(row, post, x)",
                       names[i], names[i]);
        tables_exec(db, sql);
    }
    gap_outbox_item_t item = text_to(ANNA, "one");
    item.key = gap_str("k");
    int64_t one = put(db, &item);
    ck_assert_int_eq(try_put(db, &item, &row), GAP_OUTBOX_KNOWN);
    item = edit_of_row(ANNA, one, "two");
    ck_assert_int_eq(put(db, &item), one);
    ck_assert_int_eq(tables_number(db, "SELECT instr(payload, 'two') > 0 FROM main.gapless_outbox"),
                     1);
    ck_assert_int_eq(gap_outbox_eta(db, one, NOW, &eta), 0);
    ck_assert_int_eq(in_transaction(gap_outbox_cancel, one), 0);
    ck_assert_int_eq(retry(one, &row), 0);
    ck_assert_int_gt(row, one);
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_post_upsert(db, &post, &row), 0);
    tables_exec(db, "COMMIT; BEGIN");
    content.text = gap_str("other");
    ck_assert_int_eq(gap_post_upsert(db, &post, &row), 0);
    tables_exec(db, "ROLLBACK; BEGIN");
    content.text = gap_str("post");
    ck_assert_int_eq(gap_post_upsert(db, &post, &row), GAP_POST_UNCHANGED);
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(gap_post_list(db, count_post, &posts), 0);
    ck_assert_uint_eq(posts, 1);
    struct gap_finish finish = {
        .row = row, .state = GAP_OUTBOX_SENT, .message_id = 5, .post_end = GAP_POST_SENT};
    struct gap_finishes all = {
        .alloc = gap_alloc_default(), .finishes = &finish, .count = 1, .now_us = NOW};
    struct gap_claim claim = {.chat = NEWS_AS};
    struct gap_claims claims = {
        .alloc = gap_alloc_default(), .claims = &claim, .count = 1, .now_us = NOW, .epoch = 1};
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    ck_assert_int_eq(claim.result, GAP_CLAIM_TAKEN);
    ck_assert_int_eq(gap_outdb_finish(db, &all), 0);
    ck_assert(finish.applied);
    ck_assert_int_eq(gap_post_remove(db, gap_str("p")), 0);
    tables_exec(db, "COMMIT");
    gap_claims_fini(&claims);
    ck_assert_str_eq(list(0, 0, 9), "3/1/1/k 4/10/5 5/4/1");
    for (size_t i = 0; i < 7; i++) {
        ck_assert_int_eq(tables_number(db,
                                       "SELECT (SELECT count(*) FROM temp.%s) +"
                                       " (SELECT count(*) FROM other.%s)",
                                       names[i], names[i]),
                         0);
    }
}
END_TEST

START_TEST(who_may_only_read_may_look)
{
    gap_outbox_eta_t eta;
    sqlite3 *reader = NULL;
    int64_t row = 0;
    unsigned posts = 0;

    int64_t one = put_text(ANNA, "one");
    ck_assert_int_eq(sqlite3_open_v2(tables_path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    struct listed l = {.stop = 0};
    ck_assert_int_eq(gap_outbox_list(reader, 0, 0, 9, list_row, &l), 0);
    ck_assert_str_eq(l.text, "1/1/1");
    ck_assert_int_eq(gap_outbox_eta(reader, one, NOW, &eta), 0);
    ck_assert_int_eq(gap_post_list(reader, count_post, &posts), 0);
    tables_exec(reader, "BEGIN");
    gap_outbox_item_t item = text_to(ANNA, "two");
    ck_assert_int_eq(gap_outbox_enqueue(reader, &item, &row), GAP_E_STORAGE);
    ck_assert_int_eq(gap_outbox_cancel(reader, one), GAP_E_STORAGE);
    tables_exec(reader, "COMMIT");
    ck_assert_int_eq(sqlite3_close(reader), SQLITE_OK);
}
END_TEST

START_TEST(nothing_is_done_to_newer_tables)
{
    gap_outbox_eta_t eta;
    struct listed l = {.stop = 0};

    (void)put_text(ANNA, "x");
    tables_exec(db, "UPDATE gapless_outbox_meta SET version = 9");
    ck_assert_int_eq(gap_outbox_list(db, 0, 0, 1, list_row, &l), GAP_E_NEWER);
    ck_assert_int_eq(gap_outbox_get(db, 1, list_row, &l), GAP_E_NEWER);
    ck_assert_int_eq(gap_outbox_eta(db, 1, NOW, &eta), GAP_E_NEWER);
    ck_assert_int_eq(in_transaction(gap_outbox_cancel, 1), GAP_E_NEWER);
    ck_assert_int_eq(retry(1, NULL), GAP_E_NEWER);
    ck_assert_int_eq(release(ANNA), GAP_E_NEWER);
    struct gap_outdb_opening o = {.epoch = 1, .now_us = NOW};
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_open(db, &o), GAP_E_NEWER);
    tables_exec(db, "COMMIT; DROP TABLE gapless_outbox_meta");
    ck_assert_int_eq(gap_outbox_list(db, 0, 0, 1, list_row, &l), GAP_E_FOREIGN);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox user");
    TCase *tc = tcase_create("user");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, rows_are_listed);
    tcase_add_test(tc, post_is_named_by_its_key);
    tcase_add_test(tc, rows_are_taken_back_as_long_as_nothing_was_sent);
    tcase_add_test(tc, retried_row_goes_to_the_end);
    tcase_add_test(tc, who_waits_for_a_row_follows_it);
    tcase_add_test(tc, waits_end_but_for_the_servers);
    tcase_add_test(tc, released_chat_goes_on_where_it_was);
    tcase_add_test(tc, eta_says_what_decides);
    tcase_add_test(tc, eta_counts_what_other_chats_take);
    tcase_add_test(tc, only_the_main_database_counts);
    tcase_add_test(tc, who_may_only_read_may_look);
    tcase_add_test(tc, nothing_is_done_to_newer_tables);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
