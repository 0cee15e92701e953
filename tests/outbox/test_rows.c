/* Rows are claimed and finished: order, times, what hangs on what, what survives a restart. */
#include "outbox/content.h"
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

#define NOW         INT64_C(1700000000000000)
#define EPOCH       7
#define COUNT(what) tables_number(db, "%s", "SELECT count(*) FROM gapless_outbox WHERE " what)

/* --- a client of one call --------------------------------------------------------------------- */

static int64_t now = NOW;

/* Claim one chat; what is put aside is in `claims`. */
static gap_claim_result_t claim_chat(int64_t chat)
{
    gap_claims_fini(&claims);
    claim = (struct gap_claim){.chat = chat};
    claims = (struct gap_claims){
        .alloc = gap_alloc_default(), .claims = &claim, .count = 1, .now_us = now, .epoch = EPOCH};
    tables_exec(db, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    tables_exec(db, "COMMIT");
    return claim.result;
}

static int64_t take(int64_t chat)
{
    gap_claim_result_t r = claim_chat(chat);

    ck_assert_msg(r == GAP_CLAIM_TAKEN, "claim: %d", (int)r);
    return claim.row.row;
}

static struct gap_finish finish_with(struct gap_finish f)
{
    struct gap_finishes all = {
        .alloc = gap_alloc_default(), .finishes = &f, .count = 1, .now_us = now};

    tables_exec(db, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outdb_finish(db, &all), 0);
    tables_exec(db, "COMMIT");
    return f;
}

static struct gap_finish sent(int64_t row, int32_t message_id)
{
    return finish_with(
        (struct gap_finish){.row = row, .state = GAP_OUTBOX_SENT, .message_id = message_id});
}

static int64_t put_text(gap_peer_t chat, const char *text)
{
    gap_outbox_item_t item = text_to(chat, text);

    return put(db, &item);
}

struct told {
    char text[512];
    size_t at;
    int stop; /* after so many; 0: never */
    int count;
};

static int tell_head(void *arg, const struct gap_head *head)
{
    struct told *t = arg;

    t->at += (size_t)snprintf(t->text + t->at, sizeof t->text - t->at, "%s%lld:%lld%s",
                              t->at > 0 ? " " : "",
                              head->chat == GAP_OUTBOX_CHAT_BROKEN ? -1LL : (long long)head->chat,
                              (long long)head->row, head->parked ? "p" : "");
    return ++t->count == t->stop ? 1 : 0;
}

static const char *list_chats(struct told *t)
{
    memset(t, 0, sizeof *t);
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 1000, tell_head, t), 0);
    return t->text;
}

static struct gap_outdb_opening open_with(int64_t epoch, struct told *t)
{
    struct gap_outdb_opening o = {
        .epoch = epoch, .now_us = now, .full_before_us = INT64_MIN, .unknown = tell_head, .arg = t};

    memset(t, 0, sizeof *t);
    tables_exec(db, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outdb_open(db, &o), 0);
    tables_exec(db, "COMMIT");
    return o;
}

/* --- order ------------------------------------------------------------------------------------ */

START_TEST(chats_are_first_in_first_out)
{
    (void)put_text(ANNA, "one");
    (void)put_text(BERT, "other");
    (void)put_text(ANNA, "two");
    ck_assert_int_eq(take(1001), 1);
    struct gap_item item;
    ck_assert_int_eq(gap_item_unpack(claim.row.payload, &item), 0);
    ck_assert_uint_eq(item.item.content.text.len, 3);
    ck_assert_int_eq(claim.row.random_id, tables_number(db, "SELECT random_id FROM gapless_outbox"
                                                            " WHERE row = 1"));
    ck_assert(!claim.row.begun);
    ck_assert_uint_eq(claim.row.attempts, 1);
    ck_assert_int_eq(COUNT("row = 1 AND state = 3 AND epoch = 7 AND attempts = 1"), 1);
    struct gap_finish f = sent(1, 50);
    ck_assert(f.applied);
    ck_assert_int_eq(f.next.row, 3);
    ck_assert_int_eq(COUNT("row = 1 AND state = 5 AND message_id = 50 AND done = 1700000000000000"),
                     1);
    ck_assert_int_eq(take(1001), 3);
    f = sent(3, 51);
    ck_assert_int_eq(f.next.row, 0);
    ck_assert_int_eq(claim_chat(1001), GAP_CLAIM_EMPTY);
    ck_assert(!sent(3, 52).applied); /* nobody waits for it any more */
    ck_assert_int_eq(COUNT("message_id = 51"), 1);
}
END_TEST

START_TEST(snoozed_row_holds_its_chat)
{
    (void)put_text(ANNA, "one");
    (void)put_text(ANNA, "two");
    ck_assert_int_eq(take(1001), 1);
    (void)finish_with((struct gap_finish){.row = 1,
                                          .state = GAP_OUTBOX_SNOOZED,
                                          .uncounted = true,
                                          .not_before_us = NOW + 5,
                                          .error = 420,
                                          .reason = gap_str("FLOOD_WAIT_5")});
    ck_assert_int_eq(COUNT("row = 1 AND state = 2 AND attempts = 0 AND error = 420 AND done = 0"),
                     1);
    ck_assert_int_eq(claim_chat(1001), GAP_CLAIM_LATER);
    ck_assert_int_eq(claim.until_us, NOW + 5);
    ck_assert_int_eq(claim.head.row, 1);
    now = NOW + 5;
    ck_assert_int_eq(take(1001), 1);
    ck_assert(!claim.row.begun); /* it was refused */
    (void)finish_with(
        (struct gap_finish){.row = 1, .state = GAP_OUTBOX_UNKNOWN, .uncounted = true});
    ck_assert_int_eq(take(1001), 1);
    ck_assert(claim.row.begun);
    now = NOW;
}
END_TEST

START_TEST(another_head_than_expected_is_told)
{
    (void)put_text(ANNA, "one");
    gap_claims_fini(&claims);
    claim = (struct gap_claim){.chat = 1001, .expect = 2};
    claims = (struct gap_claims){
        .alloc = gap_alloc_default(), .claims = &claim, .count = 1, .now_us = NOW, .epoch = EPOCH};
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    ck_assert_int_eq(claim.result, GAP_CLAIM_OTHER);
    ck_assert_int_eq(claim.head.row, 1);
    claims.bulk_stopped = true;
    claim.expect = 1;
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    ck_assert_int_eq(claim.result, GAP_CLAIM_STOPPED);
    claims.bulk_stopped = false;
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    ck_assert_int_eq(claim.result, GAP_CLAIM_TAKEN);
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0); /* a commit that failed: once more */
    tables_exec(db, "COMMIT");
}
END_TEST

/* A client that knows a chat's oldest row is not sent through the index again. */
static gap_claim_result_t claim_known(int64_t chat, int64_t row)
{
    gap_claims_fini(&claims);
    claim = (struct gap_claim){.chat = chat, .expect = row, .oldest = true};
    claims = (struct gap_claims){
        .alloc = gap_alloc_default(), .claims = &claim, .count = 1, .now_us = NOW, .epoch = EPOCH};
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    tables_exec(db, "COMMIT");
    return claim.result;
}

START_TEST(a_row_that_is_known_to_be_the_oldest_is_taken)
{
    (void)put_text(ANNA, "one");
    (void)put_text(BERT, "other");
    (void)put_text(ANNA, "two");
    ck_assert_int_eq(claim_known(1001, 1), GAP_CLAIM_TAKEN);
    ck_assert_int_eq(claim.row.row, 1);
    (void)finish_with((struct gap_finish){.row = 1, .state = GAP_OUTBOX_SENT, .message_id = 7});
    /* It waits no more, or was never one of this chat: the oldest one that waits is told. */
    ck_assert_int_eq(claim_known(1001, 1), GAP_CLAIM_OTHER);
    ck_assert_int_eq(claim.head.row, 3);
    ck_assert_int_eq(claim_known(1001, 2), GAP_CLAIM_OTHER);
    ck_assert_int_eq(claim.head.row, 3);
    ck_assert_int_eq(claim_known(1001, 99), GAP_CLAIM_OTHER);
    tables_exec(db, "UPDATE gapless_outbox SET not_before = 2000000000000000 WHERE row = 3");
    ck_assert_int_eq(claim_known(1001, 3), GAP_CLAIM_LATER);
    tables_exec(db, "UPDATE gapless_outbox SET not_before = 0, kind = 77 WHERE row = 3");
    ck_assert_int_eq(claim_known(1001, 3), GAP_CLAIM_EMPTY); /* it was put aside */
    ck_assert_uint_eq(claims.aside_count, 1);
    tables_exec(db, "INSERT INTO gapless_outbox_chat(chat, parked) VALUES(1002, 1)"
                    " ON CONFLICT(chat) DO UPDATE SET parked = 1");
    ck_assert_int_eq(claim_known(1002, 2), GAP_CLAIM_PARKED);
}
END_TEST

START_TEST(buckets_are_stored_with_the_claim)
{
    struct told t;

    (void)put_text(ANNA, "one");
    gap_claims_fini(&claims);
    claim = (struct gap_claim){.chat = 1001, .has_bucket = true, .tokens = 5, .at_us = 6};
    claims = (struct gap_claims){.alloc = gap_alloc_default(),
                                 .claims = &claim,
                                 .count = 1,
                                 .now_us = NOW,
                                 .epoch = EPOCH,
                                 .has_bucket = true,
                                 .tokens = 8,
                                 .at_us = 9};
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    tables_exec(db, "COMMIT");
    ck_assert_str_eq(tables_text(db, "SELECT group_concat(chat || ' ' || tokens || ' ' || at)"
                                     " FROM gapless_outbox_chat"),
                     "0 8 9,1001 5 6");
    claims.tokens = 1;
    claim.chat = 1002; /* nothing waits there */
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_claim(db, &claims), 0);
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(tables_number(db, "SELECT sum(tokens) FROM gapless_outbox_chat"), 13);
    (void)open_with(8, &t);
    ck_assert_int_eq(tables_number(db, "SELECT count(*) FROM gapless_outbox_chat"), 2);
}
END_TEST

START_TEST(deadline_kills_what_was_not_begun)
{
    gap_outbox_item_t item = text_to(ANNA, "good morning");

    item.deadline_us = NOW - 1;
    (void)put(db, &item);
    (void)put(db, &item);
    tables_exec(db, "UPDATE gapless_outbox SET state = 4 WHERE row = 2");
    ck_assert_int_eq(take(1001), 2);
    ck_assert_uint_eq(claims.aside_count, 1);
    ck_assert_int_eq(claims.aside[0].state, GAP_OUTBOX_DEAD);
    ck_assert_int_eq(claims.aside[0].row, 1);
    ck_assert_int_eq(COUNT("row = 1 AND state = 7 AND reason LIKE '%deadline%' AND done > 0"), 1);
}
END_TEST

/* --- what hangs on another row ---------------------------------------------------------------- */

START_TEST(message_of_another_row_is_known_when_it_is_sent)
{
    gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = NEWS, .message_row = 1};

    (void)put_text(NEWS, "post");
    (void)put(db, &pin);
    ck_assert_int_eq(take(NEWS_AS), 1);
    (void)sent(1, 33);
    tables_exec(db, "DELETE FROM gapless_outbox WHERE row = 1"); /* it may be forgotten since */
    ck_assert_int_eq(take(NEWS_AS), 2);
    ck_assert_int_eq(claim.row.target, 33);
}
END_TEST

START_TEST(message_of_another_row_reaches_a_parked_one_too)
{
    gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = NEWS, .message_row = 1};

    (void)put_text(NEWS, "post");
    (void)put(db, &pin);
    tables_exec(db, "UPDATE gapless_outbox SET state = 6, done = 1 WHERE row = 2");
    ck_assert_int_eq(take(NEWS_AS), 1);
    (void)sent(1, 33);
    tables_exec(db, "DELETE FROM gapless_outbox WHERE row = 1"); /* it may be forgotten since */
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outbox_retry(db, 2, NULL), 0);
    tables_exec(db, "COMMIT");
    ck_assert_int_eq(take(NEWS_AS), 3);
    ck_assert_int_eq(claim.row.target, 33);
}
END_TEST

START_TEST(row_about_one_that_was_not_sent_is_put_aside)
{
    static const struct {
        const char *sql;
        gap_outbox_state_t pin;
        gap_outbox_state_t reply;
    } cases[] = {
        {"UPDATE gapless_outbox SET state = 8", GAP_OUTBOX_CANCELLED, GAP_OUTBOX_PARKED},
        {"UPDATE gapless_outbox SET state = 6", GAP_OUTBOX_PARKED, GAP_OUTBOX_PARKED},
        {"UPDATE gapless_outbox SET state = 5, message_id = 'x'", GAP_OUTBOX_PARKED,
         GAP_OUTBOX_PARKED},
        {"DELETE FROM gapless_outbox", GAP_OUTBOX_PARKED, GAP_OUTBOX_PARKED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t post = put_text(NEWS, "post");
        gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = NEWS, .message_row = post};
        gap_outbox_item_t reply = text_to(NEWS, "more");
        char sql[128];
        reply.reply_to_row = post;
        (void)put(db, &pin);
        (void)put(db, &reply);
        snprintf(sql, sizeof sql, "%s WHERE row = %lld", cases[i].sql, (long long)post);
        tables_exec(db, sql);
        ck_assert_int_eq(claim_chat(NEWS_AS), GAP_CLAIM_EMPTY);
        ck_assert_uint_eq(claims.aside_count, 2);
        ck_assert_int_eq(claims.aside[0].state, cases[i].pin);
        ck_assert_int_eq(claims.aside[1].state, cases[i].reply);
        ck_assert_uint_gt(claims.aside[0].reason.len, 10);
    }
}
END_TEST

/* --- a restart -------------------------------------------------------------------------------- */

START_TEST(leases_of_the_last_opening_are_unknown)
{
    struct told t;
    gap_outbox_item_t raw = {.kind = GAP_OUTBOX_READ, .chat = BERT};

    (void)put_text(ANNA, "one");
    (void)put(db, &raw);
    (void)put_text(NEWS, "three");
    (void)take(1001);
    (void)take(1002);
    struct gap_outdb_opening o = open_with(EPOCH, &t); /* the same opening, run again */
    ck_assert_int_eq(COUNT("state = 3"), 2);
    o = open_with(8, &t);
    ck_assert_int_eq(o.last_row, 3);
    ck_assert_str_eq(t.text, "1001:1 1002:2");
    ck_assert_int_eq(COUNT("state = 4 AND flags = 1"), 2);
    ck_assert_int_eq(take(1001), 1);
    ck_assert(claim.row.begun);
    ck_assert_uint_eq(claim.row.attempts, 2);
}
END_TEST

START_TEST(lease_that_nobody_holds_is_unknown_too)
{
    (void)put_text(ANNA, "one");
    (void)take(1001);
    ck_assert_int_eq(take(1001), 1); /* the caller has nothing in flight there */
    ck_assert(claim.row.begun);
}
END_TEST

START_TEST(what_may_not_be_repeated_is_parked)
{
    static const uint8_t get_config[] = {0x6b, 0x18, 0xf9, 0xc4}; /* help.getConfig */
    gap_outbox_item_t raw = {.kind = GAP_OUTBOX_RAW,
                             .chat = ANNA,
                             .query = {.data = get_config, .len = 4, .id = 0xc4f9186b},
                             .replay = GAP_REPLAY_NEVER};

    (void)put(db, &raw);
    raw.replay = GAP_REPLAY_PROBE;
    (void)put(db, &raw);
    raw.replay = GAP_REPLAY_IDEMPOTENT;
    (void)put(db, &raw);
    ck_assert_int_eq(take(1001), 1);
    struct gap_head head;
    ck_assert_int_eq(gap_outdb_head(db, 1001, &head), 0);
    ck_assert_uint_eq(head.raw, 0xc4f9186b);
    tables_exec(db, "UPDATE gapless_outbox SET state = 4");
    ck_assert_int_eq(take(1001), 3);
    ck_assert_uint_eq(claims.aside_count, 2);
    ck_assert_int_eq(COUNT("state = 6 AND reason LIKE 'it may have been sent%' AND flags = 1"), 2);
    tables_exec(db, "UPDATE gapless_outbox SET state = 1, done = 0");
    ck_assert_int_eq(take(1001), 1); /* people have decided */
}
END_TEST

/* --- parked chats ----------------------------------------------------------------------------- */

START_TEST(parked_chat_takes_nothing)
{
    struct told t;

    (void)put_text(ANNA, "one");
    (void)put_text(ANNA, "two");
    (void)take(1001);
    struct gap_finish f =
        finish_with((struct gap_finish){.row = 1,
                                        .state = GAP_OUTBOX_PARKED,
                                        .park_chat = true,
                                        .error = 403,
                                        .reason = gap_str("CHAT_WRITE_FORBIDDEN")});
    ck_assert_int_eq(f.next.row, 2);
    ck_assert(f.next.parked);
    ck_assert_int_eq(COUNT("row = 1 AND state = 6 AND flags = 2 AND error = 403"), 1);
    ck_assert_int_eq(claim_chat(1001), GAP_CLAIM_PARKED);
    ck_assert_str_eq(list_chats(&t), "1001:2p");
}
END_TEST

START_TEST(bulk_is_stopped_for_the_account)
{
    struct gap_outdb_version v;

    (void)put_text(ANNA, "one");
    (void)take(1001);
    (void)finish_with((struct gap_finish){.row = 1,
                                          .state = GAP_OUTBOX_READY,
                                          .uncounted = true,
                                          .stop_bulk = true,
                                          .error = 400,
                                          .reason = gap_str("PEER_FLOOD")});
    ck_assert_int_eq(gap_outdb_version(db, &v), 0);
    ck_assert(v.bulk_stopped);
    ck_assert_int_eq(v.last_row, 1);
    ck_assert_int_eq(take(1001), 1); /* it is the caller's to keep bulk back */
}
END_TEST

/* --- looking ---------------------------------------------------------------------------------- */

START_TEST(chats_come_with_their_oldest_row)
{
    struct told t;

    (void)put_text(ANNA, "one");
    (void)put_text(NEWS, "two");
    (void)put_text(ANNA, "three");
    (void)put_text(BERT, "four");
    tables_exec(db, "UPDATE gapless_outbox SET state = 5, done = 9 WHERE row = 1");
    ck_assert_str_eq(list_chats(&t), "-1000000000077:2 1001:3 1002:4");
    memset(&t, 0, sizeof t);
    ck_assert_int_eq(gap_outdb_chats(db, NEWS_AS, 1, tell_head, &t), 0);
    ck_assert_str_eq(t.text, "1001:3");
    memset(&t, 0, sizeof t);
    t.stop = 2;
    ck_assert_int_eq(gap_outdb_chats(db, INT64_MIN, 1000, tell_head, &t), 1);
    ck_assert_int_eq(t.count, 2);
}
END_TEST

START_TEST(scan_sees_what_came_since)
{
    struct told t = {0};
    int64_t last = 0;

    for (int i = 0; i < 5; i++) (void)put_text(i % 2 == 0 ? ANNA : BERT, "x");
    tables_exec(db, "UPDATE gapless_outbox SET state = 5, done = 9 WHERE row = 2");
    ck_assert_int_eq(gap_outdb_scan(db, 0, 2, tell_head, &t, &last), 0);
    ck_assert_str_eq(t.text, "1001:1 1001:3");
    ck_assert_int_eq(last, 3);
    ck_assert_int_eq(gap_outdb_scan(db, last, 100, tell_head, &t, &last), 0);
    ck_assert_str_eq(t.text, "1001:1 1001:3 1002:4 1001:5");
    ck_assert_int_eq(last, 5);
    tables_exec(db, "DELETE FROM gapless_outbox WHERE row = 5");
    ck_assert_int_eq(gap_outdb_scan(db, 3, 100, tell_head, &t, &last), 0);
    ck_assert_int_eq(last, 5);
}
END_TEST

START_TEST(states_that_people_set_count)
{
    struct told t;

    for (int i = 0; i < 3; i++) (void)put_text(ANNA, "x");
    (void)put_text(BERT, "x");
    tables_exec(db, "UPDATE gapless_outbox SET state = 5 WHERE row = 1;"
                    "UPDATE gapless_outbox SET state = 6 WHERE row = 2;"
                    "UPDATE gapless_outbox SET state = 8, done = 7 WHERE row = 4");
    ck_assert_int_eq(take(1001), 3);
    ck_assert_uint_eq(claims.aside_count, 0); /* they know */
    ck_assert_int_eq(COUNT("row <= 2 AND state IN (5, 6) AND done = 1700000000000000"), 2);
    (void)sent(3, 50);
    ck_assert_str_eq(list_chats(&t), "");
    tables_exec(db, "UPDATE gapless_outbox SET state = 1 WHERE row IN (1, 4)");
    ck_assert_str_eq(list_chats(&t), "1001:1 1002:4");
    ck_assert_int_eq(take(1002), 4);
    ck_assert_int_eq(take(1001), 1);
}
END_TEST

START_TEST(limits_that_say_nothing_any_more_are_forgotten)
{
    (void)put_text(ANNA, "x");
    tables_exec(db,
                "INSERT INTO gapless_outbox_chat(chat, tokens, at, parked) VALUES(0, 1, 1, NULL),"
                " (1, 1, 10, NULL), (2, 1, 20, NULL), (3, 1, 10, 5), (4, NULL, NULL, NULL);"
                "INSERT INTO gapless_outbox_gate(method, chat, until, error) VALUES(1, 1, 30, 420),"
                " (1, 2, 31, 420), (2, 0, 7, 420)");
    ck_assert_int_eq(gap_outdb_forget(db, INT64_MIN, 0, 10), 0);
    ck_assert_str_eq(tables_text(db, "SELECT group_concat(chat) FROM gapless_outbox_chat"),
                     "0,1,2,3");
    ck_assert_int_eq(gap_outdb_forget(db, 20, 30, 1), 0);
    ck_assert_str_eq(tables_text(db, "SELECT count(*) FROM gapless_outbox_gate"), "2");
    ck_assert_int_eq(gap_outdb_forget(db, 20, 30, 10), 0);
    ck_assert_str_eq(tables_text(db, "SELECT group_concat(chat) FROM gapless_outbox_chat"),
                     "0,2,3");
    ck_assert_str_eq(tables_text(db, "SELECT group_concat(chat) FROM gapless_outbox_gate"), "2");
}
END_TEST

START_TEST(done_rows_are_pruned)
{
    uint32_t removed;

    for (int i = 0; i < 8; i++) (void)put_text(ANNA, "x");
    tables_exec(db, "UPDATE gapless_outbox SET state = row, done = row * (row > 4)");
    ck_assert_int_eq(gap_outdb_prune(db, 5, 10, &removed), 0);
    ck_assert_uint_eq(removed, 0);
    ck_assert_int_eq(gap_outdb_prune(db, 100, 1, &removed), 0);
    ck_assert_uint_eq(removed, 1);
    ck_assert_int_eq(gap_outdb_prune(db, 100, 10, &removed), 0);
    ck_assert_uint_eq(removed, 1);
    ck_assert_str_eq(tables_text(db, "SELECT group_concat(row) FROM gapless_outbox"),
                     "1,2,3,4,6,7");
}
END_TEST

static int count_gate(void *arg, const struct gap_gate_row *gate)
{
    struct told *t = arg;

    t->at += (size_t)snprintf(t->text + t->at, sizeof t->text - t->at, "%u/%lld/%.*s ",
                              gate->method, (long long)gate->chat, (int)gate->reason.len,
                              (const char *)gate->reason.data);
    return 0;
}

START_TEST(gates_are_kept_until_they_open)
{
    struct told t = {0};
    struct gap_gate_row gates[] = {
        {.method = 9, .chat = 1001, .until_us = NOW + 5, .error = 420, .reason = gap_str("A")},
        {.method = UINT32_MAX,
         .chat = 0,
         .until_us = NOW + 9,
         .error = 420,
         .reason = gap_str("B")},
        {.method = 9, .chat = 1001, .until_us = NOW + 7, .error = 420, .reason = gap_str("C")},
        {.method = 8, .chat = 1, .until_us = NOW - 1, .error = 420, .reason = gap_str("D")},
        {.method = 7, .chat = 1, .until_us = NOW + 1, .error = 420, .reason = gap_str("E")},
        {.method = 7, .chat = 1, .until_us = 0},
    };
    struct gap_outdb_opening o = {
        .epoch = 1, .now_us = NOW, .full_before_us = INT64_MIN, .gate = count_gate, .arg = &t};

    (void)open_with(1, &t);
    ck_assert_int_eq(gap_outdb_gate(db, gates, 6), 0);
    tables_exec(db, "INSERT INTO gapless_outbox_gate VALUES('x', 1, 2, 3, 4);"
                    "INSERT INTO gapless_outbox_gate VALUES(3, 1, 'soon', 3, 4); BEGIN");
    memset(&t, 0, sizeof t);
    ck_assert_int_eq(gap_outdb_open(db, &o), 0);
    tables_exec(db, "COMMIT");
    ck_assert_str_eq(t.text, "9/1001/C 4294967295/0/B ");
}
END_TEST

START_TEST(full_buckets_are_forgotten)
{
    struct told t;

    (void)open_with(1, &t);
    tables_exec(db,
                "INSERT INTO gapless_outbox_chat(chat, tokens, at, parked) VALUES(0, 1, 1, NULL),"
                "(1, 1, 99, NULL), (2, 1, 100, NULL), (3, 1, 1, 5), (4, 'x', 'y', NULL)");
    struct gap_outdb_opening o = {.epoch = 1, .now_us = NOW, .full_before_us = 100};
    tables_exec(db, "BEGIN");
    ck_assert_int_eq(gap_outdb_open(db, &o), 0);
    tables_exec(db, "COMMIT");
    ck_assert_str_eq(tables_text(db, "SELECT group_concat(chat) FROM gapless_outbox_chat"),
                     "0,2,3,4");
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox rows");
    TCase *tc = tcase_create("rows");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, chats_are_first_in_first_out);
    tcase_add_test(tc, snoozed_row_holds_its_chat);
    tcase_add_test(tc, another_head_than_expected_is_told);
    tcase_add_test(tc, a_row_that_is_known_to_be_the_oldest_is_taken);
    tcase_add_test(tc, buckets_are_stored_with_the_claim);
    tcase_add_test(tc, deadline_kills_what_was_not_begun);
    tcase_add_test(tc, message_of_another_row_is_known_when_it_is_sent);
    tcase_add_test(tc, message_of_another_row_reaches_a_parked_one_too);
    tcase_add_test(tc, row_about_one_that_was_not_sent_is_put_aside);
    tcase_add_test(tc, leases_of_the_last_opening_are_unknown);
    tcase_add_test(tc, lease_that_nobody_holds_is_unknown_too);
    tcase_add_test(tc, what_may_not_be_repeated_is_parked);
    tcase_add_test(tc, parked_chat_takes_nothing);
    tcase_add_test(tc, bulk_is_stopped_for_the_account);
    tcase_add_test(tc, chats_come_with_their_oldest_row);
    tcase_add_test(tc, scan_sees_what_came_since);
    tcase_add_test(tc, states_that_people_set_count);
    tcase_add_test(tc, done_rows_are_pruned);
    tcase_add_test(tc, limits_that_say_nothing_any_more_are_forgotten);
    tcase_add_test(tc, gates_are_kept_until_they_open);
    tcase_add_test(tc, full_buckets_are_forgotten);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
