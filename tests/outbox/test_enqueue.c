/* Rows are written inside the user's transaction: what is in the tables then, and whose they are.
 */
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

#define COUNT(what) tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE " what)

START_TEST(first_one_makes_tables)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    int64_t row = 0;

    ck_assert_int_eq(gap_outbox_enqueue(db, &hello, &row), GAP_E_STATE);
    tables_exec(db, "CREATE TABLE mine(x); BEGIN; INSERT INTO mine VALUES(7)");
    int64_t last = sqlite3_last_insert_rowid(db);
    ck_assert_int_eq(gap_outbox_enqueue(db, &hello, &row), 0);
    ck_assert_int_eq(row, 1);
    ck_assert_int_eq(sqlite3_last_insert_rowid(db), last);
    ck_assert_int_eq(sqlite3_get_autocommit(db), 0);
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(COUNT("row = 1 AND state = 1 AND kind = 1 AND class = 3 AND chat = 1001"), 1);
    ck_assert_int_ne(tables_number(db, "SELECT random_id FROM gapless_outbox"), 0);
    ck_assert_str_eq(text_in(db, 1), "hello");
}
END_TEST

START_TEST(rollback_takes_all_back)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");

    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outbox_enqueue(db, &hello, NULL), 0);
    tables_exec(db, "ROLLBACK");
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM sqlite_master"), 0);
    ck_assert_int_eq(put(db, &hello), 1);
}
END_TEST

START_TEST(numbers_are_never_given_twice)
{
    gap_outbox_item_t hello = text_to(NEWS, "hello");

    ck_assert_int_eq(put(db, &hello), 1);
    ck_assert_int_eq(put(db, &hello), 2);
    tables_exec(db, "DELETE FROM gapless_outbox");
    ck_assert_int_eq(put(db, &hello), 3);
    ck_assert_int_eq(COUNT("chat = -1000000000077"), 1);
}
END_TEST

START_TEST(key_is_written_once)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    gap_outbox_item_t other = text_to(BERT, "other");
    int64_t row = 0;

    hello.key = other.key = gap_str("greeting");
    ck_assert_int_eq(put(db, &hello), 1);
    ck_assert_int_eq(try_put(db, &other, &row), GAP_OUTBOX_KNOWN);
    ck_assert_int_eq(row, 1);
    ck_assert_int_eq(COUNT("1"), 1);
    ck_assert_str_eq(tables_text(db, "SELECT key FROM gapless_outbox"), "greeting");

    gap_outbox_item_t many[] = {text_to(ANNA, "a"), other, text_to(ANNA, "b")};
    int64_t rows[3];
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outbox_enqueue_all(db, many, 3, rows), 0);
    tables_exec(db, "COMMIT");
    ck_assert_int_gt(rows[0], 1);
    ck_assert_int_eq(rows[1], 1);
    ck_assert_int_gt(rows[2], rows[0]);

    hello.key = (gap_bytes_t){(const uint8_t *)"\xff\x00\xfe", 3};
    ck_assert_int_eq(try_put(db, &hello, &row), GAP_E_ARGUMENT);
}
END_TEST

START_TEST(many_are_written_or_none)
{
    gap_outbox_item_t many[] = {text_to(ANNA, "a"), text_to(ANNA, ""), text_to(ANNA, "b")};

    tables_exec(db, "CREATE TABLE mine(x); BEGIN; INSERT INTO mine VALUES(1)");
    ck_assert_int_eq(gap_outbox_enqueue_all(db, many, 3, NULL), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_outbox_enqueue_all(db, many, 1, NULL), 0);
    ck_assert_int_eq(gap_outbox_enqueue_all(db, many, 3, NULL), GAP_E_ARGUMENT);
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(COUNT("1"), 1);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM mine"), 1);
}
END_TEST

START_TEST(thousand_random_ids_differ)
{
    gap_outbox_item_t many[1000];

    for (size_t i = 0; i < 1000; i++) many[i] = text_to(ANNA, "x");
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outbox_enqueue_all(db, many, 1000, NULL), 0);
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(tables_number(db, "SELECT count(DISTINCT random_id) FROM gapless_outbox"
                                       " WHERE random_id <> 0"),
                     1000);
}
END_TEST

START_TEST(class_follows_from_the_kind)
{
    const int32_t id = 5;
    gap_outbox_item_t reply = text_to(ANNA, "answer");
    gap_outbox_item_t edit = edit_of(ANNA, &id, "x");
    gap_outbox_item_t read = {.kind = GAP_OUTBOX_READ, .chat = ANNA};

    reply.reply_to = 9;
    ck_assert_int_eq(put(db, &reply), 1);
    ck_assert_int_eq(put(db, &edit), 2);
    ck_assert_int_eq(put(db, &read), 3);
    edit.urgency = GAP_OUTBOX_BULK;
    edit.chat = BERT;
    ck_assert_int_eq(put(db, &edit), 4);
    ck_assert_str_eq(tables_text(db, "SELECT group_concat(class) FROM gapless_outbox"), "1,2,1,3");
    ck_assert_int_eq(COUNT("kind <> 1 AND random_id <> 0"), 0);
}
END_TEST

/* --- what waits is changed -------------------------------------------------------------------- */

START_TEST(edit_takes_the_place_of_a_waiting_one)
{
    const int32_t id = 5;
    const int32_t other = 6;
    gap_outbox_item_t one = edit_of(NEWS, &id, "one");
    gap_outbox_item_t two = edit_of(NEWS, &id, "two");
    gap_outbox_item_t more = edit_of(NEWS, &other, "more");
    gap_outbox_item_t three = edit_of(NEWS, &id, "three");

    ck_assert_int_eq(put(db, &one), 1);
    ck_assert_int_eq(put(db, &more), 2);
    two.key = gap_str("two");
    two.deadline_us = 99;
    ck_assert_int_eq(put(db, &two), 1);
    ck_assert_str_eq(text_in(db, 1), "two");
    ck_assert_int_eq(COUNT("row = 1 AND key = 'two' AND deadline = 99"), 1);
    ck_assert_int_eq(try_put(db, &two, NULL), GAP_OUTBOX_KNOWN);
    tables_exec(db, "UPDATE gapless_outbox SET state = 3 WHERE row = 1"); /* under way */
    ck_assert_int_eq(put(db, &three), 3);
    ck_assert_int_eq(put(db, &three), 3);
    tables_exec(db, "UPDATE gapless_outbox SET state = 2, flags = 1 WHERE row = 3"); /* begun */
    ck_assert_int_eq(put(db, &three), 4);
    tables_exec(db, "UPDATE gapless_outbox SET state = 5");
    ck_assert_int_eq(put(db, &three), 5);
}
END_TEST

START_TEST(edit_of_an_unsent_row_replaces_its_content)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    gap_outbox_item_t better = edit_of_row(ANNA, 1, "better");
    int64_t row = 0;

    hello.reply_to = 4;
    hello.content.silent = true;
    ck_assert_int_eq(put(db, &hello), 1);
    int64_t random_id = tables_number(db, "SELECT random_id FROM gapless_outbox");
    ck_assert_int_eq(put(db, &better), 1);
    ck_assert_str_eq(text_in(db, 1), "better");
    ck_assert_int_eq(tables_number(db, "SELECT random_id FROM gapless_outbox"), random_id);
    better.chat = BERT;
    ck_assert_int_eq(try_put(db, &better, &row), GAP_E_ARGUMENT);
    better.chat = ANNA;
    better.message_row = 2;
    ck_assert_int_eq(try_put(db, &better, &row), GAP_E_NOT_FOUND);
    better.message_row = 1;

    tables_exec(db, "UPDATE gapless_outbox SET state = 4");
    ck_assert_int_eq(put(db, &better), 2); /* may have been sent: edited afterwards */
    ck_assert_int_eq(put(db, &better), 2);
    ck_assert_int_eq(COUNT("row = 2 AND kind = 3 AND target_row = 1 AND target = 0"), 1);
    tables_exec(db, "UPDATE gapless_outbox SET state = 5, message_id = 50 WHERE row = 1;"
                    "UPDATE gapless_outbox SET state = 5 WHERE row = 2");
    ck_assert_int_eq(put(db, &better), 3);
    ck_assert_int_eq(COUNT("row = 3 AND target = 50 AND target_row IS NULL"), 1);
}
END_TEST

START_TEST(edit_of_an_unsent_row_goes_into_the_edit_that_waits_behind_it)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    gap_outbox_item_t one = edit_of_row(ANNA, 1, "one");
    gap_outbox_item_t two = edit_of_row(ANNA, 1, "two");

    ck_assert_int_eq(put(db, &hello), 1);
    tables_exec(db, "UPDATE gapless_outbox SET state = 3"); /* under way */
    ck_assert_int_eq(put(db, &one), 2);
    tables_exec(db, "UPDATE gapless_outbox SET state = 2 WHERE row = 1"); /* FLOOD_WAIT */
    ck_assert_int_eq(put(db, &two), 2);
    ck_assert_str_eq(text_in(db, 1), "hello");
    ck_assert_str_eq(text_in(db, 2), "two");
}
END_TEST

START_TEST(edit_of_an_edit_that_waits_goes_into_the_newest_one)
{
    const int32_t id = 5;
    gap_outbox_item_t one = edit_of(NEWS, &id, "one");
    gap_outbox_item_t two = edit_of(NEWS, &id, "two");
    gap_outbox_item_t three = edit_of_row(NEWS, 1, "three");

    ck_assert_int_eq(put(db, &one), 1);
    tables_exec(db, "UPDATE gapless_outbox SET state = 3"); /* under way */
    ck_assert_int_eq(put(db, &two), 2);
    tables_exec(db, "UPDATE gapless_outbox SET state = 2 WHERE row = 1"); /* FLOOD_WAIT */
    ck_assert_int_eq(put(db, &three), 2);
    ck_assert_str_eq(text_in(db, 1), "one");
    ck_assert_str_eq(text_in(db, 2), "three");
}
END_TEST

/* It is about the same message, by whichever name. */
START_TEST(edit_of_an_edit_under_way_is_about_its_message)
{
    const int32_t id = 7;
    gap_outbox_item_t item = edit_of(ANNA, &id, "one");
    int64_t one = put(db, &item);

    tables_exec(db, "UPDATE gapless_outbox SET state = 3");
    item = edit_of_row(ANNA, one, "two");
    int64_t two = put(db, &item);
    item = edit_of(ANNA, &id, "three");
    int64_t three = put(db, &item);
    item = edit_of_row(ANNA, one, "four");
    int64_t four = put(db, &item);
    ck_assert_int_ne(two, one);
    ck_assert_int_eq(three, two);
    ck_assert_int_eq(four, two);
    ck_assert_str_eq(text_in(db, two), "four");
}
END_TEST

/* An edit is not to be seen before its time, a message until it is to be deleted. */
START_TEST(what_is_to_happen_later_waits_by_itself)
{
    const int32_t id = 7;
    int64_t later_us = INT64_C(4000000000000000);
    gap_outbox_item_t item = edit_of(ANNA, &id, "now");
    int64_t now = put(db, &item);

    item = edit_of(ANNA, &id, "later");
    item.not_before_us = later_us;
    int64_t later = put(db, &item);
    ck_assert_int_ne(later, now);
    ck_assert_str_eq(text_in(db, now), "now");
    item = edit_of(ANNA, &id, "at last"); /* its place is behind that one anyway */
    ck_assert_int_eq(put(db, &item), later);
    item = text_to(BERT, "text");
    int64_t text = put(db, &item);
    item = edit_of_row(BERT, text, "later");
    item.not_before_us = later_us;
    ck_assert_int_ne(put(db, &item), text);
    ck_assert_str_eq(text_in(db, text), "text");
    item = (gap_outbox_item_t){
        .kind = GAP_OUTBOX_DELETE, .chat = BERT, .message_row = text, .not_before_us = later_us};
    ck_assert_int_ne(put(db, &item), text);
    ck_assert_int_eq(
        tables_number(db, "SELECT state FROM gapless_outbox WHERE row = %d", (int)text),
        GAP_OUTBOX_READY);
    item = edit_of(NEWS, &id, "now");
    now = put(db, &item);
    item.not_before_us = 5; /* long ago */
    ck_assert_int_eq(put(db, &item), now);
}
END_TEST

START_TEST(deletion_of_an_unsent_row_cancels_it)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    gap_outbox_item_t away = {.kind = GAP_OUTBOX_DELETE, .chat = ANNA, .message_row = 1};
    int64_t row = 0;

    ck_assert_int_eq(put(db, &hello), 1);
    ck_assert_int_eq(put(db, &away), 1);
    ck_assert_int_eq(COUNT("state = 8 AND done > 1600000000000000"), 1);
    ck_assert_int_eq(try_put(db, &away, &row), GAP_E_NOT_FOUND);

    ck_assert_int_eq(put(db, &hello), 2);
    away.message_row = 2;
    tables_exec(db, "UPDATE gapless_outbox SET state = 3 WHERE row = 2");
    ck_assert_int_eq(put(db, &away), 3);
    ck_assert_int_eq(COUNT("row = 3 AND kind = 4 AND target_row = 2"), 1);
}
END_TEST

START_TEST(edit_with_a_key_waits_by_itself_behind_one_with_another)
{
    const int32_t id = 5;
    gap_outbox_item_t one = edit_of(NEWS, &id, "one");
    gap_outbox_item_t two = edit_of(NEWS, &id, "two");
    gap_outbox_item_t plain = edit_of(NEWS, &id, "three");
    int64_t row = 0;

    one.key = gap_str("one");
    two.key = gap_str("two");
    ck_assert_int_eq(put(db, &one), 1);
    ck_assert_int_eq(put(db, &two), 2);
    ck_assert_int_eq(try_put(db, &two, &row), GAP_OUTBOX_KNOWN);
    ck_assert_int_eq(row, 2);
    ck_assert_int_eq(try_put(db, &one, &row), GAP_OUTBOX_KNOWN);
    ck_assert_int_eq(row, 1);
    ck_assert_str_eq(text_in(db, 1), "one");
    ck_assert_str_eq(text_in(db, 2), "two");
    ck_assert_int_eq(put(db, &plain), 2); /* into the newest one */
    ck_assert_str_eq(text_in(db, 2), "three");
    ck_assert_int_eq(try_put(db, &two, &row), GAP_OUTBOX_KNOWN);
    ck_assert_str_eq(text_in(db, 2), "three");
    ck_assert_int_eq(COUNT("1"), 2);
}
END_TEST

START_TEST(edit_with_a_key_waits_behind_the_unsent_row_with_another)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    gap_outbox_item_t better = edit_of_row(ANNA, 1, "better");
    gap_outbox_item_t best = edit_of_row(ANNA, 1, "best");
    int64_t row = 0;

    hello.key = gap_str("greeting");
    better.key = gap_str("better");
    ck_assert_int_eq(put(db, &hello), 1);
    ck_assert_int_eq(put(db, &better), 2);
    ck_assert_int_eq(try_put(db, &better, &row), GAP_OUTBOX_KNOWN);
    ck_assert_int_eq(row, 2);
    ck_assert_str_eq(text_in(db, 1), "hello");
    ck_assert_int_eq(COUNT("row = 2 AND kind = 3 AND target_row = 1 AND target = 0"), 1);
    ck_assert_int_eq(put(db, &best), 2);
    ck_assert_str_eq(text_in(db, 2), "best");
}
END_TEST

START_TEST(deletion_with_a_key_is_known_afterwards)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    gap_outbox_item_t away = {.kind = GAP_OUTBOX_DELETE, .chat = ANNA, .message_row = 1};
    int64_t row = 0;

    away.key = gap_str("away");
    ck_assert_int_eq(put(db, &hello), 1);
    ck_assert_int_eq(put(db, &away), 1); /* it takes the name */
    ck_assert_int_eq(try_put(db, &away, &row), GAP_OUTBOX_KNOWN);
    ck_assert_int_eq(row, 1);

    hello.key = gap_str("greeting");
    away.key = gap_str("away again");
    away.message_row = 2;
    ck_assert_int_eq(put(db, &hello), 2);
    ck_assert_int_eq(put(db, &away), 3); /* that one has a name: a row that does nothing */
    ck_assert_int_eq(try_put(db, &away, &row), GAP_OUTBOX_KNOWN);
    ck_assert_int_eq(row, 3);
    ck_assert_int_eq(try_put(db, &hello, &row), GAP_OUTBOX_KNOWN);
    ck_assert_int_eq(row, 2);
    ck_assert_int_eq(COUNT("state = 8"), 2);
    ck_assert_int_eq(COUNT("row = 3 AND state = 1 AND kind = 4 AND target_row = 2"), 1);
}
END_TEST

START_TEST(reply_to_a_row_waits_for_its_message)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    gap_outbox_item_t more = text_to(ANNA, "more");

    ck_assert_int_eq(put(db, &hello), 1);
    more.reply_to_row = 1;
    ck_assert_int_eq(put(db, &more), 2);
    ck_assert_int_eq(COUNT("row = 2 AND target_row = 1 AND target = 0 AND class = 1"), 1);
    tables_exec(db, "UPDATE gapless_outbox SET state = 5, message_id = 50 WHERE row = 1");
    ck_assert_int_eq(put(db, &more), 3);
    ck_assert_int_eq(COUNT("row = 3 AND target_row IS NULL AND target = 50"), 1);
}
END_TEST

/* --- whose tables ----------------------------------------------------------------------------- */

START_TEST(newer_and_foreign_tables_are_left_alone)
{
    static const struct {
        const char *sql;
        int result;
    } cases[] = {
        {"UPDATE gapless_outbox_meta SET version = 2", GAP_E_NEWER},
        {"ALTER TABLE gapless_outbox RENAME COLUMN chat TO peer;"
         "UPDATE gapless_outbox_meta SET version = 7",
         GAP_E_NEWER},
        {"UPDATE gapless_outbox_meta SET application = 'x'", GAP_E_FOREIGN},
        {"UPDATE gapless_outbox_meta SET version = 'one'", GAP_E_FOREIGN},
        {"DELETE FROM gapless_outbox_meta", GAP_E_FOREIGN},
        {"DROP TABLE gapless_outbox_meta", GAP_E_FOREIGN},
        {"ALTER TABLE gapless_outbox RENAME COLUMN chat TO peer", GAP_E_DAMAGED},
        {"DROP TABLE gapless_outbox", GAP_E_DAMAGED},
    };
    const int32_t id = 5;
    gap_outbox_item_t items[] = {text_to(ANNA, "hello"), edit_of(ANNA, &id, "x")};

    (void)put(db, &items[0]);
    tables_exec(db, "BEGIN");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tables_exec(db, "SAVEPOINT each");
        tables_exec(db, cases[i].sql);
        for (size_t k = 0; k < 2; k++) {
            int r = gap_outbox_enqueue(db, &items[k], NULL);
            ck_assert_msg(r == cases[i].result, "%s: %d", cases[i].sql, r);
        }
        tables_exec(db, "ROLLBACK TO each; RELEASE each");
    }
    tables_exec(db, "COMMIT; BEGIN; DROP TABLE gapless_outbox; DROP TABLE gapless_outbox_meta;"
                    "DROP TABLE gapless_outbox_chat; DROP TABLE gapless_outbox_gate;"
                    "DROP TABLE gapless_outbox_post; DROP TABLE gapless_outbox_link;"
                    "DROP TABLE gapless_outbox_dirty; CREATE TABLE gapless_outbox(a, b)");
    ck_assert_int_eq(gap_outbox_enqueue(db, &items[0], NULL), GAP_E_FOREIGN);
    tables_exec(db, "COMMIT");
}
END_TEST

START_TEST(another_writer_is_told)
{
    gap_outbox_item_t hello = text_to(ANNA, "hello");
    sqlite3 *other = tables_open();

    (void)put(db, &hello);
    tables_exec(other, "BEGIN IMMEDIATE");
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outbox_enqueue(db, &hello, NULL), GAP_E_BUSY);
    tables_exec(db, "ROLLBACK");
    tables_exec(other, "COMMIT");
    (void)put(db, &hello);
    tables_close(other);
}
END_TEST

START_TEST(database_of_utf16_will_do)
{
    gap_outbox_item_t hello = text_to(ANNA, "h\xc3\xa4llo");
    int64_t row = 0;

    tables_close(db);
    tables_end();
    tables_begin();
    ck_assert_int_eq(sqlite3_open(tables_path, &db), SQLITE_OK);
    tables_exec(db, "PRAGMA encoding = 'UTF-16'; CREATE TABLE mine(x)");
    hello.key = gap_str("gr\xc3\xbc\xc3\x9f");
    ck_assert_int_eq(put(db, &hello), 1);
    ck_assert_int_eq(try_put(db, &hello, &row), GAP_OUTBOX_KNOWN);
    ck_assert_str_eq(text_in(db, 1), "h\xc3\xa4llo");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox enqueue");
    TCase *tc = tcase_create("enqueue");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, first_one_makes_tables);
    tcase_add_test(tc, rollback_takes_all_back);
    tcase_add_test(tc, numbers_are_never_given_twice);
    tcase_add_test(tc, key_is_written_once);
    tcase_add_test(tc, many_are_written_or_none);
    tcase_add_test(tc, thousand_random_ids_differ);
    tcase_add_test(tc, class_follows_from_the_kind);
    tcase_add_test(tc, edit_takes_the_place_of_a_waiting_one);
    tcase_add_test(tc, edit_of_an_unsent_row_replaces_its_content);
    tcase_add_test(tc, edit_of_an_unsent_row_goes_into_the_edit_that_waits_behind_it);
    tcase_add_test(tc, edit_of_an_edit_that_waits_goes_into_the_newest_one);
    tcase_add_test(tc, edit_with_a_key_waits_by_itself_behind_one_with_another);
    tcase_add_test(tc, edit_with_a_key_waits_behind_the_unsent_row_with_another);
    tcase_add_test(tc, edit_of_an_edit_under_way_is_about_its_message);
    tcase_add_test(tc, what_is_to_happen_later_waits_by_itself);
    tcase_add_test(tc, deletion_of_an_unsent_row_cancels_it);
    tcase_add_test(tc, deletion_with_a_key_is_known_afterwards);
    tcase_add_test(tc, reply_to_a_row_waits_for_its_message);
    tcase_add_test(tc, newer_and_foreign_tables_are_left_alone);
    tcase_add_test(tc, another_writer_is_told);
    tcase_add_test(tc, database_of_utf16_will_do);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
