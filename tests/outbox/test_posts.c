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

/* What the hash leaves out is no reason for an edit. */
START_TEST(what_no_edit_can_change_sends_nothing)
{
    struct written w;
    gap_post_t post = post_of(&w, "a", "one");
    int64_t row = -1;

    ck_assert_int_eq(upsert_post(db, &post, &row), 0);
    ck_assert_int_gt(row, 0);
    settle(db);
    w.content.silent = true;
    w.content.protect = true;
    ck_assert_int_eq(upsert_post(db, &post, &row), GAP_POST_UNCHANGED);
    ck_assert_int_eq(row, 0);
    post.title = gap_str("A title");
    post.urgency = GAP_OUTBOX_REPLY;
    ck_assert_int_eq(upsert_post(db, &post, &row), GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits + server.same, 0);
    struct seen s;
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert_str_eq(s.title, "A title");
    ck_assert(s.in_step);
    /* An edit doesn't hold what only a sending may. */
    w.content.text = gap_str("two");
    ck_assert_int_eq(upsert_post(db, &post, &row), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
}
END_TEST

/* An upsert that changes nothing writes nothing at all. */
START_TEST(an_upsert_of_the_same_writes_no_row_of_any_table)
{
    ck_assert_int_eq(upsert(db, "a", "see {b}"), 0);
    settle(db);
    int before = sqlite3_total_changes(db);
    ck_assert_int_eq(upsert(db, "a", "see {b}"), GAP_POST_UNCHANGED);
    ck_assert_int_eq(sqlite3_total_changes(db), before);
}
END_TEST

/* A sending in doubt is repeated with the text that its random_id stands for, then edited. */
START_TEST(a_sending_in_doubt_is_resolved_with_its_first_text)
{
    for (int executed = 0; executed < 2; executed++) {
        char key[8];
        struct flight f;
        int32_t id;
        uint32_t sends = server.sends;
        uint32_t edits = server.edits;
        snprintf(key, sizeof key, "k%d", executed);
        ck_assert_int_eq(upsert(db, key, "one"), 0);
        ck_assert(claim(db, NULL, &f));
        int64_t random_id = f.random_id;
        if (executed) (void)serve(&f, &id);
        finish(db, &f, GAP_POST_UNKNOWN, 0);
        ck_assert_int_eq(upsert(db, key, "two"), 0);
        ck_assert(claim(db, NULL, &f));
        ck_assert_int_eq(f.random_id, random_id);
        struct gap_item item;
        ck_assert_int_eq(gap_item_unpack(gap_buf_view(&f.payload), &item), 0);
        ck_assert_uint_eq(item.item.kind, GAP_OUTBOX_SEND);
        ck_assert_uint_eq(item.item.content.text.len, 3);
        ck_assert_int_eq(memcmp(item.item.content.text.data, "one", 3), 0);
        ck_assert_int_eq(serve(&f, &id), GAP_POST_SENT);
        finish(db, &f, GAP_POST_SENT, id);
        ck_assert_str_eq(message_text(db, key), "one");
        settle(db);
        ck_assert_str_eq(message_text(db, key), "two");
        ck_assert_uint_eq(server.sends, sends + 1);
        ck_assert_uint_eq(server.edits, edits + 1);
    }
}
END_TEST

/* A wait after the repeat does not end the doubt. */
START_TEST(a_limit_does_not_end_a_doubt)
{
    struct flight f;
    int32_t id;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert(claim(db, NULL, &f));
    (void)serve(&f, &id);
    crash(db, &f);
    ck_assert(claim(db, NULL, &f));
    finish(db, &f, GAP_POST_AGAIN, 0);
    tables_exec(db, "UPDATE gapless_outbox SET flags = 0"); /* whatever the row remembers */
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits, 1);
    ck_assert_uint_eq(server.doubles, 1);
}
END_TEST

/* Refused before anything was done: the newest goes out, by itself. */
START_TEST(a_sending_that_was_refused_takes_the_newest)
{
    struct flight f;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert(claim(db, NULL, &f));
    finish(db, &f, GAP_POST_AGAIN, 0);
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
    ck_assert_uint_eq(server.edits, 0);
}
END_TEST

/* The bytes of a sending in doubt are lost: what the message holds is found out by an edit. */
START_TEST(a_doubt_whose_bytes_are_lost_ends_with_an_edit)
{
    struct flight f;
    int32_t id;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert(claim(db, NULL, &f));
    (void)serve(&f, &id);
    crash(db, &f);
    tables_exec(db, "UPDATE gapless_outbox SET payload = x'00', hash = 'no'");
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits, 1);
}
END_TEST

/* An edit whose answer was lost is made again, as the newest; the older never comes after it. */
START_TEST(an_edit_in_doubt_is_made_again_with_the_newest)
{
    for (int died = 0; died < 2; died++) {
        const char *key = died ? "died" : "lost";
        struct flight f;
        int32_t id;
        uint32_t edits = server.edits;
        ck_assert_int_eq(upsert(db, key, "one"), 0);
        settle(db);
        ck_assert_int_eq(upsert(db, key, "two"), 0);
        ck_assert(claim(db, NULL, &f));
        ck_assert_int_eq(f.kind, GAP_OUTBOX_EDIT);
        (void)serve(&f, &id);
        if (died)
            crash(db, &f);
        else
            finish(db, &f, GAP_POST_UNKNOWN, 0);
        /* Back to what was acknowledged: the message holds "two" all the same. */
        ck_assert_int_eq(upsert(db, key, "one"), 0);
        settle(db);
        ck_assert_str_eq(message_text(db, key), "one");
        ck_assert_uint_eq(server.edits, edits + 2);
    }
}
END_TEST

/* It was so already. */
START_TEST(not_modified_is_success)
{
    struct flight f;
    struct seen s;
    int32_t id;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    settle(db);
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    ck_assert(claim(db, NULL, &f));
    (void)serve(&f, &id);
    crash(db, &f);
    settle(db);
    ck_assert_uint_eq(server.same, 1);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(s.in_step && s.row == 0);
    ck_assert_int_eq(upsert(db, "a", "two"), GAP_POST_UNCHANGED);
}
END_TEST

/* Something else is asked for while a row is on its way. */
START_TEST(what_is_asked_for_on_the_way_follows)
{
    struct flight f;
    int32_t id;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert(claim(db, NULL, &f));
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    ck_assert_int_eq(upsert(db, "a", "two"), GAP_POST_UNCHANGED);
    enum gap_post_end end = serve(&f, &id);
    finish(db, &f, end, id);
    ck_assert_str_eq(message_text(db, "a"), "one");
    ck_assert_uint_eq(posts_told.rows, 1);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");

    /* And back again, while the edit is on its way. */
    ck_assert_int_eq(upsert(db, "a", "three"), 0);
    ck_assert(claim(db, NULL, &f));
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    end = serve(&f, &id);
    finish(db, &f, end, id);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
}
END_TEST

/* --- messages that can't be edited any more --------------------------------------------------- */

static void put_with(const char *key, const char *text, gap_post_policy_t gone,
                     gap_post_policy_t expired, int expected)
{
    struct written w;
    gap_post_t post = post_of(&w, key, text);
    int64_t row;

    post.if_gone = gone;
    post.if_expired = expired;
    ck_assert_int_eq(upsert_post(db, &post, &row), expected);
}

START_TEST(a_message_that_was_deleted_is_sent_anew)
{
    struct seen s;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert_int_eq(upsert(db, "b", "see {a}"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "b"), "see a<https://t.me/c/77/1>");
    server.messages[0].deleted = true;
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
    ck_assert_uint_eq(server.sends, 3);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(s.in_step && s.message_id == 3 && !s.frozen);
    /* Links to it follow, with one edit. */
    ck_assert_str_eq(message_text(db, "b"), "see a<https://t.me/c/77/3>");
    ck_assert_uint_eq(message_of_post(db, "b")->edits, 1);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state = 8"), 1);
}
END_TEST

START_TEST(a_deleted_message_may_be_left_so)
{
    struct seen s;

    put_with("a", "one", GAP_POST_FREEZE, GAP_POST_DEFAULT, 0);
    settle(db);
    server.messages[0].deleted = true;
    put_with("a", "two", GAP_POST_FREEZE, GAP_POST_DEFAULT, 0);
    settle(db);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(s.frozen && !s.in_step && s.row == 0);
    put_with("a", "three", GAP_POST_FREEZE, GAP_POST_DEFAULT, 0);
    put_with("a", "three", GAP_POST_FREEZE, GAP_POST_DEFAULT, GAP_POST_UNCHANGED);
    settle(db);
    ck_assert_uint_eq(server.sends, 1);
    /* Until people want something else. */
    put_with("a", "three", GAP_POST_REPOST, GAP_POST_DEFAULT, 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "three");
    ck_assert_uint_eq(server.sends, 2);
}
END_TEST

START_TEST(a_message_that_is_too_old_follows_its_policy)
{
    static const struct {
        gap_post_policy_t policy;
        uint32_t sends;
        bool frozen;
        bool replies;
    } cases[] = {{GAP_POST_DEFAULT, 1, true, false},
                 {GAP_POST_FREEZE, 1, true, false},
                 {GAP_POST_REPOST, 2, false, false},
                 {GAP_POST_REPLY, 2, false, true}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char key[8];
        struct seen s;
        uint32_t sends = server.sends;
        snprintf(key, sizeof key, "k%zu", i);
        put_with(key, "one", GAP_POST_DEFAULT, cases[i].policy, 0);
        settle(db);
        struct message *old = message_of_post(db, key);
        old->fixed = true;
        put_with(key, "two", GAP_POST_DEFAULT, cases[i].policy, 0);
        settle(db);
        ck_assert_int_eq(look(db, key, &s), 0);
        ck_assert_uint_eq(server.sends, sends + cases[i].sends);
        ck_assert_int_eq(s.frozen, cases[i].frozen);
        ck_assert_int_eq(s.in_step, !cases[i].frozen);
        ck_assert_str_eq(old->text, "one");
        if (cases[i].frozen) continue;
        ck_assert_str_eq(message_text(db, key), "two");
        ck_assert_int_eq(message_of_post(db, key)->reply_to, cases[i].replies ? old->id : 0);
        /* The new one is edited as any. */
        put_with(key, "three", GAP_POST_DEFAULT, cases[i].policy, 0);
        settle(db);
        ck_assert_str_eq(message_text(db, key), "three");
    }
}
END_TEST

/* --- rows that need people -------------------------------------------------------------------- */

START_TEST(a_refused_content_waits_for_another_one)
{
    struct flight f;
    struct seen s;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert(claim(db, NULL, &f));
    finish(db, &f, GAP_POST_ROW_BAD, 0);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert(!s.in_step && s.row == 0);
    settle(db);
    ck_assert_uint_eq(server.sends, 0);
    /* Asked for again: tried again; something else: tried, too. */
    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert(claim(db, NULL, &f));
    finish(db, &f, GAP_POST_ROW_BAD, 0);
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "two");
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state = 7"), 0);

    /* What was refused is not wanted any more: the newer goes by itself. */
    ck_assert_int_eq(upsert(db, "a", "three"), 0);
    ck_assert(claim(db, NULL, &f));
    ck_assert_int_eq(upsert(db, "a", "four"), 0);
    finish(db, &f, GAP_POST_ROW_BAD, 0);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "four");
}
END_TEST

START_TEST(a_parked_chat_keeps_the_row_and_the_newest_content)
{
    struct flight f;
    struct seen s;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert(claim(db, NULL, &f));
    int64_t row = f.row;
    finish(db, &f, GAP_POST_CHAT_BAD, 0);
    ck_assert_int_eq(look(db, "a", &s), 0);
    ck_assert_int_eq(s.row, row);
    ck_assert_int_eq(upsert(db, "a", "one"), GAP_POST_UNCHANGED);
    /* Released by people. */
    tables_exec(db, "UPDATE gapless_outbox SET state = 1 WHERE state = 6");
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "one");

    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    ck_assert(claim(db, NULL, &f));
    finish(db, &f, GAP_POST_CHAT_BAD, 0);
    ck_assert_int_eq(upsert(db, "a", "three"), 0);
    tables_exec(db, "UPDATE gapless_outbox SET state = 1 WHERE state = 6");
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "three");
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits, 1);
}
END_TEST

/* Of several rows that people called back, one acts. */
START_TEST(rows_that_are_called_back_do_not_double_a_post)
{
    struct flight f;
    int32_t id;

    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(upsert(db, "a", "one"), 0);
        ck_assert(claim(db, NULL, &f));
        if (i == 1) (void)serve(&f, &id);
        if (i == 1) finish(db, &f, GAP_POST_UNKNOWN, 0);
        if (i == 1) ck_assert(claim(db, NULL, &f));
        finish(db, &f, GAP_POST_ROW_BAD, 0);
    }
    tables_exec(db, "UPDATE gapless_outbox SET state = 1 WHERE state <> 5");
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "one");
    ck_assert_uint_eq(server.sends, 1);
    ck_assert_uint_eq(server.edits, 0);
}
END_TEST

/* --- removing --------------------------------------------------------------------------------- */

START_TEST(removing_takes_back_what_was_not_sent)
{
    struct seen s;

    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert_int_eq(remove_post(db, "a"), 0);
    ck_assert_int_eq(look(db, "a", &s), GAP_E_NOT_FOUND);
    settle(db);
    ck_assert_uint_eq(server.sends, 0);
    ck_assert_int_eq(remove_post(db, "a"), GAP_E_NOT_FOUND);
    ck_assert_int_eq(tables_number(db, "SELECT state FROM gapless_outbox"), GAP_OUTBOX_CANCELLED);
}
END_TEST

START_TEST(removing_deletes_what_was_sent)
{
    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    settle(db);
    ck_assert_int_eq(upsert(db, "a", "two"), 0);
    ck_assert_int_eq(remove_post(db, "a"), 0);
    settle(db);
    ck_assert_uint_eq(server.deletions, 1);
    ck_assert_uint_eq(server.edits, 0);
    ck_assert(server.messages[0].deleted);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_post"), 0);
    /* A new one of that name is a new one. */
    ck_assert_int_eq(upsert(db, "a", "three"), 0);
    settle(db);
    ck_assert_uint_eq(server.sends, 2);
}
END_TEST

/* On its way, or in doubt: resolved first, then deleted; its name is free at once. */
START_TEST(removing_what_may_have_been_sent_deletes_it_later)
{
    for (int how = 0; how < 8; how++) {
        bool executed = (how & 1) != 0;
        bool again = (how & 2) != 0;
        bool dead = (how & 4) != 0;
        struct flight f;
        int32_t id;
        ck_assert_int_eq(upsert(db, "a", "one"), 0);
        ck_assert(claim(db, NULL, &f));
        if (executed) (void)serve(&f, &id);
        finish(db, &f, GAP_POST_UNKNOWN, 0);
        if (dead) {
            ck_assert(claim(db, NULL, &f));
            finish(db, &f, GAP_POST_ROW_BAD, 0);
        }
        ck_assert_int_eq(remove_post(db, "a"), 0);
        if (again) ck_assert_int_eq(upsert(db, "a", "new"), 0);
        settle(db);
        if (again) ck_assert_str_eq(message_text(db, "a"), "new");
        if (again) ck_assert_int_eq(remove_post(db, "a"), 0);
        settle(db);
        for (size_t i = 0; i < server.count; i++) ck_assert(server.messages[i].deleted);
        ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_post"), 0);
        server.count = 0;
    }
}
END_TEST

START_TEST(removing_on_the_way)
{
    static const enum gap_post_end ends[] = {GAP_POST_SENT, GAP_POST_AGAIN, GAP_POST_ROW_BAD,
                                             GAP_POST_CHAT_BAD};
    for (size_t i = 0; i < 8; i++) {
        enum gap_post_end end = ends[i % 4];
        struct flight f;
        int32_t id = 0;
        bool edits = i >= 4;
        ck_assert_int_eq(upsert(db, "a", "one"), 0);
        if (edits) settle(db);
        if (edits) ck_assert_int_eq(upsert(db, "a", "two"), 0);
        ck_assert(claim(db, NULL, &f));
        ck_assert_int_eq(remove_post(db, "a"), 0);
        if (end == GAP_POST_SENT) (void)serve(&f, &id);
        finish(db, &f, end, id);
        settle(db);
        for (size_t k = 0; k < server.count; k++) ck_assert(server.messages[k].deleted);
        ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_post"), 0);
        ck_assert_int_eq(
            tables_number(db, "SELECT count(*) FROM gapless_outbox WHERE state NOT IN (5, 8)"), 0);
    }
}
END_TEST

/* --- arguments -------------------------------------------------------------------------------- */

START_TEST(what_can_be_no_post_is_refused)
{
    char long_key[300];
    struct written w;
    gap_post_t good = post_of(&w, "a", "one");
    gap_post_t p;
    int64_t row;

    memset(long_key, 'k', sizeof long_key);
    ck_assert_int_eq(gap_post_upsert(db, &good, NULL), GAP_E_STATE);
    ck_assert_int_eq(gap_post_remove(db, gap_str("a")), GAP_E_STATE);
    p = good, p.key = gap_str("");
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_ARGUMENT);
    p = good, p.key = (gap_bytes_t){(uint8_t *)long_key, 256};
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_LIMIT);
    p = good, p.chat = (gap_peer_t){0, GAP_PEER_NONE};
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_ARGUMENT);
    p = good, p.if_gone = GAP_POST_REPLY;
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_ARGUMENT);
    p = good, p.link_base = gap_str("https://t.me/a b");
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_ARGUMENT);
    p = good, p.link_base = (gap_bytes_t){(uint8_t *)long_key, 256};
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_LIMIT);
    p = good, p.deadline_us = -1;
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_ARGUMENT);
    w.content.text = gap_str("");
    ck_assert_int_eq(upsert_post(db, &good, &row), GAP_E_ARGUMENT);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_post"), 0);
    w.content.text = gap_str("one");
    ck_assert_int_eq(upsert_post(db, &good, &row), 0);
    p = good, p.chat = ANNA;
    ck_assert_int_eq(upsert_post(db, &p, &row), GAP_E_ARGUMENT);
    settle(db);
    ck_assert_str_eq(message_text(db, "a"), "one");
}
END_TEST

static int count_posts(void *arg, const gap_post_status_t *s)
{
    int *n = arg;

    (void)s;
    return ++*n == 3 ? 77 : 0;
}

START_TEST(posts_are_listed_by_key)
{
    struct seen s;
    int n = 0;
    int64_t next;

    ck_assert_int_eq(look(db, "a", &s), GAP_E_NOT_FOUND);
    ck_assert_int_eq(gap_post_list(db, count_posts, &n), 0);
    ck_assert_int_eq(gap_post_next(db, posts_now, 1, true, &next), 0);
    ck_assert(next == INT64_MAX);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM sqlite_master"), 0);
    ck_assert_int_eq(upsert(db, "b", "two"), 0);
    ck_assert_int_eq(upsert(db, "a", "one"), 0);
    ck_assert_int_eq(gap_post_list(db, count_posts, &n), 0);
    ck_assert_int_eq(n, 2);
    ck_assert_int_eq(gap_post_list(db, count_posts, &n), 77);
}
END_TEST

/* What is undone with the user's transaction was never asked for. */
START_TEST(an_upsert_is_of_the_users_transaction)
{
    struct written w;
    gap_post_t post = post_of(&w, "a", "one");

    tables_exec(db, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_post_upsert(db, &post, NULL), 0);
    tables_exec(db, "ROLLBACK");
    settle(db);
    ck_assert_uint_eq(server.sends, 0);
    tables_exec(db, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_post_upsert(db, &post, NULL), 0);
    tables_exec(db, "COMMIT");
    settle(db);
    ck_assert_uint_eq(server.sends, 1);
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
    tcase_add_test(tc, what_no_edit_can_change_sends_nothing);
    tcase_add_test(tc, an_upsert_of_the_same_writes_no_row_of_any_table);
    tcase_add_test(tc, a_sending_in_doubt_is_resolved_with_its_first_text);
    tcase_add_test(tc, a_limit_does_not_end_a_doubt);
    tcase_add_test(tc, a_sending_that_was_refused_takes_the_newest);
    tcase_add_test(tc, a_doubt_whose_bytes_are_lost_ends_with_an_edit);
    tcase_add_test(tc, an_edit_in_doubt_is_made_again_with_the_newest);
    tcase_add_test(tc, not_modified_is_success);
    tcase_add_test(tc, what_is_asked_for_on_the_way_follows);
    tcase_add_test(tc, a_message_that_was_deleted_is_sent_anew);
    tcase_add_test(tc, a_deleted_message_may_be_left_so);
    tcase_add_test(tc, a_message_that_is_too_old_follows_its_policy);
    tcase_add_test(tc, a_refused_content_waits_for_another_one);
    tcase_add_test(tc, a_parked_chat_keeps_the_row_and_the_newest_content);
    tcase_add_test(tc, rows_that_are_called_back_do_not_double_a_post);
    tcase_add_test(tc, removing_takes_back_what_was_not_sent);
    tcase_add_test(tc, removing_deletes_what_was_sent);
    tcase_add_test(tc, removing_what_may_have_been_sent_deletes_it_later);
    tcase_add_test(tc, removing_on_the_way);
    tcase_add_test(tc, what_can_be_no_post_is_refused);
    tcase_add_test(tc, posts_are_listed_by_key);
    tcase_add_test(tc, an_upsert_is_of_the_users_transaction);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(suite)
