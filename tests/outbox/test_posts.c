/* Posts: what is sent, what is edited, and what is left alone. */
#include "tests/outbox/posts.h"

#include "outbox/content.h"

static sqlite3 *db;

static void setup(void)
{
    posts_begin();
    db = tables_open();
}

static void teardown(void)
{
    tables_close(db);
    posts_end();
}

/* Sent once, edited when it changes, left alone when it does not. */
START_TEST(a_post_is_sent_once_and_edited_when_it_changes)
{
    struct seen s;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(!s.in_step && s.row != 0 && s.message_id == 0 && s.link[0] == '\0');
    ck_assert_int_eq(upsert(db, "a", "one"), GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "one");
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(s.in_step && s.row == 0 && s.revision == 1);
    ck_assert_str_eq(s.link, "https://t.me/c/77/1");

    ck_assert_int_eq(upsert(db, "a", "one"), GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits + server.same, 0);

    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits, 1);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(s.in_step && s.revision == 2);
}
END_TEST

/* What waits goes out as the newest, once. */
START_TEST(changes_that_wait_are_one)
{
    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
    for (int i = 0; i < 5; i++) {
        char text[16];
        snprintf(text, sizeof text, "more %d", i);
        ck_assert_int_eq(upsert(db, "a", text), 0);
    }
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state IN (1, 2)"),
                     1);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "more 4");
    ck_assert_uint_eq(server.edits, 1);
}
END_TEST

/* Back to what the message holds before its turn came: no call is made. */
START_TEST(a_change_that_is_taken_back_sends_nothing)
{
    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    settle(db);
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    settle(db);
    ck_assert_uint_eq(server.edits + server.same, 0);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state = 5"), 2);
    ck_assert_int_eq(upsert(db, "a", "one"), GAP_POST_UNCHANGED);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("posts");
    TCase *tc = tcase_create("posts");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_post_is_sent_once_and_edited_when_it_changes);
    tcase_add_test(tc, changes_that_wait_are_one);
    tcase_add_test(tc, a_change_that_is_taken_back_sends_nothing);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(suite)
