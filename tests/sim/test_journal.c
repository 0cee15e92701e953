/*
 * The journal in the virtual world, with the real store loop and the real engine: what is
 * unfinished is written down and passed, what is done is not handled again after a crash, rows come
 * before what is fetched, and nothing on the disk can stop the start.
 */
#include "tests/sim/journal_world.h"

#define SEEDS 12

/* ---- what takes long ---- */

/* A straggler holds nothing up: after 200 ms it is a row, and the position goes on. */
START_TEST(a_straggler_is_passed)
{
    clerk_begin(_i, "|11|");
    clerk_messages(11, 14);
    clerk_run(150);
    clerk_expect("11 12 13 14");
    ck_assert_int_eq(clerk_disk().pts, 10);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_run(200);
    ck_assert_int_eq(clerk_disk().pts, 14);
    ck_assert_uint_eq(clerk_disk().rows, 1);
    clerk_finish("11");
    clerk_run(200);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    ck_assert_uint_eq(clerk_disk().done, 0);
    clerk_end();
}
END_TEST

START_TEST(a_straggler_comes_again_from_the_journal)
{
    clerk_begin(_i, "|11|");
    clerk_messages(11, 14);
    clerk_run(400);
    clerk_crash();
    clerk_open_with("");
    clerk_run(200);
    clerk_expect("11!");
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_crash();
    clerk_open_with("");
    clerk_run(200);
    clerk_expect("");
    clerk_end();
}
END_TEST

/* A crash before it is written: the server tells it again, with what came after it; what was done
 * and is recorded is not handled again. */
START_TEST(what_was_done_is_not_done_again)
{
    clerk_begin(_i, "|11|13|");
    clerk_messages(11, 14);
    clerk_run(60); /* a commit, but no row yet */
    clerk_finish("13");
    clerk_run(80);
    clerk_expect("11 12 13 14");
    ck_assert_int_eq(clerk_disk().pts, 10);
    ck_assert_uint_eq(clerk_disk().done, 3);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_crash();
    clerk_answer(0, clerk_difference(11, 15));
    clerk_open_with("");
    clerk_run(300);
    clerk_expect("11~ 15~");
    ck_assert_int_eq(clerk_disk().pts, 15);
    ck_assert_uint_eq(clerk_disk().done, 0); /* forgotten: the position has passed them */
    struct gap_journal_counters n;
    gap_journal_count(clerk.journal, &n);
    ck_assert_uint_eq(n.skipped, 3);
    clerk_end();
}
END_TEST

/* What is done in order leaves nothing behind. */
START_TEST(what_is_done_in_order_is_not_recorded)
{
    struct gap_journal_counters n;

    clerk_begin(_i, "|12|");
    clerk_messages(11, 12);
    clerk_run(10);
    clerk_finish("12");
    clerk_messages(13, 30);
    clerk_run(300);
    gap_journal_count(clerk.journal, &n);
    ck_assert_uint_eq(n.recorded, 0);
    ck_assert_uint_eq(n.written, 0);
    ck_assert_int_eq(clerk_disk().pts, 30);
    clerk_end();
}
END_TEST

/* A user's channel: more than 50 behind by its watermark it is written at once. */
START_TEST(a_users_channel_is_never_half_a_difference_behind)
{
    clerk_begin(_i, "|7:51|");
    for (int32_t pts = 51; pts <= 100; pts++) clerk_channel(pts);
    clerk_run(20);
    struct gap_journal_counters n;
    gap_journal_count(clerk.journal, &n);
    ck_assert_uint_eq(n.written, 0);
    clerk_channel(101);
    clerk_run(20);
    gap_journal_count(clerk.journal, &n);
    ck_assert_uint_eq(n.written, 1);
    ck_assert_uint_eq(clerk.behind, 0);
    clerk_run(100);
    ck_assert_int_eq(clerk_disk().channel_pts, 101);
    clerk_end();
}
END_TEST

static void until_handled(void)
{
    for (int ms = 0; clerk.diary[0] == 0 && ms < 1000; ms++) clerk_run(1);
}

/* A channel begins with its first push. What the handler was given then must not be lost because
 * the process ended before that was stored, and a later push began the channel anew. */
START_TEST(a_new_channel_is_stored_before_its_handlers_are_called)
{
    bool light = _i >= SEEDS;

    clerk_begin(_i % SEEDS, "*");
    clerk_close();
    clerk.mode = light ? GAP_JOURNAL_LIGHT : GAP_JOURNAL_LAZY;
    clerk_open_with("*");
    pack_channel_message(&packed, 9, 5000, 1, 5000);
    clerk_feed();
    until_handled();
    clerk_expect("9:5000");
    clerk_crash();
    if (light) {
        pack_channel_new(&packed, 9, 5000);
        clerk_answer(9, pack_channel_difference(&packed, 5000, true));
    }
    clerk_open_with("");
    pack_channel_message(&packed, 9, 5001, 1, 5001);
    clerk_feed();
    clerk_run(100);
    clerk_expect(light ? "9:5000~ 9:5001" : "9:5000! 9:5001");
    clerk_end();
}
END_TEST

/* A query can't be fetched again: it is written as soon as its handler goes on. */
START_TEST(a_query_is_written_on_receipt)
{
    clerk_begin(_i, "|query:5|");
    pack_query(&packed, 5);
    clerk_feed();
    pack_query(&packed, 6);
    clerk_feed();
    clerk_run(60);
    clerk_expect("query:5 query:6");
    ck_assert_uint_eq(clerk_disk().rows, 1);
    clerk_crash();
    clerk_open_with("");
    clerk_run(100);
    clerk_expect("query:5!");
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

/* The end in order writes all that is unfinished, whatever its age. */
START_TEST(a_shutdown_writes_the_rest)
{
    clerk_begin(_i, "|11|13|7:51|");
    clerk_messages(11, 14);
    clerk_channel(51);
    clerk_run(10);
    ck_assert_uint_eq(gap_journal_write_all(clerk.journal), 0);
    clerk_close();
    ck_assert_uint_eq(clerk_disk().rows, 3);
    ck_assert_int_eq(clerk_disk().pts, 14);
    clerk_open_with("");
    clerk_run(10);
    ck_assert_uint_eq(strlen(clerk.diary), strlen("11! 13! 7:51!"));
    clerk_end();
}
END_TEST

/* ---- S84 ---- */

static void feed_edit(int32_t pts, int32_t id, const char *text)
{
    packed.text = text;
    pack_edit(&packed, pts, 1, id);
    clerk_feed();
    packed.text = NULL;
}

/* Two edits in one second are two: the one that was not done comes again, the other does not. */
START_TEST(s84_two_edits_in_one_second)
{
    clerk_begin(_i, "|11|edit:9|");
    clerk_messages(11, 11);
    feed_edit(12, 9, "first");
    clerk_run(10);
    clerk_finish("edit:9");
    feed_edit(13, 9, "second");
    clerk_run(60);
    clerk_expect("11 edit:9 edit:9");
    ck_assert_uint_eq(clerk_disk().done, 1);
    clerk_crash();
    pack_new(&packed, 11);
    packed.text = "first";
    pack_edit(&packed, 12, 1, 9);
    packed.text = "second";
    pack_edit(&packed, 13, 1, 9);
    packed.text = NULL;
    clerk_answer(0, pack_difference(&packed, 13, 5, 1));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect("11~ edit:9~");
    ck_assert_int_eq(clerk_disk().pts, 13);
    clerk_end();
}
END_TEST

/* A message that was done and comes again as it was is left out; with another content it is an edit
 * that was folded into it; not if that edit was done as well. */
START_TEST(s84_a_message_that_comes_again)
{
    static const char *const expected[] = {"11~", "11~ edit:12~", "11~", "11~ edit:12~"};
    int what = _i % 4;

    clerk_begin(_i / 4, "|11|edit:12|");
    clerk_messages(11, 12);
    if (what >= 2) feed_edit(13, 12, what == 2 ? "changed" : "changed otherwise");
    clerk_run(10);
    if (what == 2) clerk_finish("edit:12");
    clerk_run(60);
    clerk_crash();
    pack_new(&packed, 11);
    packed.text = what == 0 ? NULL : what == 3 ? "changed otherwise" : "changed";
    pack_new(&packed, 12);
    packed.text = NULL;
    clerk_answer(0, pack_difference(&packed, 13, 5, 1));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect(expected[what]);
    clerk_end();
}
END_TEST

/* The same where the message is not done but in the journal: its row comes, then the edit. */
START_TEST(s84_a_message_in_the_journal)
{
    clerk_begin(_i, "|11|12|");
    clerk_messages(11, 12);
    clerk_run(10);
    ck_assert_int_eq(gap_journal_write(clerk.journal, &clerk_task("11")->entry), 0);
    /* The row is on the disk before the position: seen here by a slice that is not through. */
    clerk_run(100);
    ck_assert_uint_eq(clerk_disk().rows, 1);
    clerk_crash();
    packed.text = _i % 2 == 0 ? NULL : "changed";
    pack_new(&packed, 11); /* a server that tells more than it was asked for */
    packed.text = NULL;
    pack_new(&packed, 12);
    clerk_answer(0, pack_difference(&packed, 13, 5, 1));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect(_i % 2 == 0 ? "11! 12~" : "11! edit:11~ 12~");
    clerk_end();
}
END_TEST

/* A row of a former run whose handler is through when the engine has closed already: what the
 * server may tell again is known all the same. */
START_TEST(a_row_that_is_through_last_is_not_handled_again)
{
    clerk_begin(_i % 4, "|11|");
    clerk_messages(11, 11);
    clerk_run(10);
    ck_assert_int_eq(gap_journal_write(clerk.journal, &clerk_task("11")->entry), 0);
    clerk_run(100);
    clerk_crash();
    clerk_open_with("|11|");
    clerk_run(10);
    clerk_expect("11!");
    if (_i >= 4) gap_journal_engine(clerk.journal, NULL);
    clerk_finish("11");
    clerk_run(100);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_crash();
    pack_new(&packed, 11); /* of a slice that no position had passed */
    pack_new(&packed, 12);
    clerk_answer(0, pack_difference(&packed, 13, 5, 1));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect("12~");
    clerk_end();
}
END_TEST

/* The same of a channel that the engine has no position of: when it is heard of, all of it is
 * fetched. Given up is as good as handled. */
START_TEST(a_row_of_an_unknown_channel_is_not_handled_again)
{
    gap_record_t gone = {.kind = GAP_RECORD_CHANNEL, .removed = true};
    gap_record_t row = {.kind = GAP_RECORD_INBOX};
    bool dead = _i >= SEEDS;

    clerk_begin(_i % SEEDS, "|7:51|");
    clerk_channel(51);
    clerk_run(300);
    ck_assert_uint_eq(clerk_disk().rows, 1);
    gone.u.channel.id = 7;
    ck_assert_int_eq(gap_store_put(store, &gone), 0);
    row.u.inbox = (gap_inbox_record_t){.number = clerk_task("7:51")->entry.number,
                                       .eid = clerk_task("7:51")->entry.identity.eid,
                                       .content = clerk_task("7:51")->entry.identity.content,
                                       .attempts = dead ? 5 : 1,
                                       .box = GAP_BOX_CHANNEL,
                                       .channel_id = 7};
    ck_assert_int_eq(gap_store_put(store, &row), 0);
    ck_assert(clerk_flush());
    clerk_crash();
    clerk_open_with("");
    clerk_run(100);
    clerk_expect(dead ? "" : "7:51!");
    ck_assert_uint_eq(clerk_disk().rows, 0);
    ck_assert_uint_eq(clerk_disk().dead, dead ? 1 : 0);
    clerk_crash();
    pack_too_long(&packed, 7, 52);
    clerk_answer(0, pack_difference(&packed, 10, 5, 1));
    pack_channel_new(&packed, 7, 51);
    pack_channel_new(&packed, 7, 52);
    clerk_answer(7, pack_channel_difference(&packed, 52, true));
    clerk_open_with("");
    clerk_run(1000);
    clerk_expect("7:52~");
    ck_assert_int_eq(clerk_disk().channel_pts, 52);
    ck_assert_uint_eq(clerk_disk().done, 0);
    clerk_end();
}
END_TEST

/* ---- crash loops ---- */

static uint32_t rows_at_handler;
static uint32_t attempts_at_handler;

static void look_at_disk(struct clerk_task *t)
{
    struct clerk_disk d = clerk_disk();

    if (strcmp(t->label, "11") != 0) return;
    rows_at_handler = d.rows;
    attempts_at_handler = d.attempts[0];
}

/* An update that ends the process: each attempt is on the disk before it begins, and after five it
 * is a dead letter, and everything else goes on. */
START_TEST(a_poison_update_ends_as_a_dead_letter)
{
    clerk_begin(0, "|11|");
    clerk_messages(11, 11);
    clerk_run(1);
    clerk_expect("11");
    for (uint32_t crash = 1; crash <= 5; crash++) {
        clerk_crash();
        clerk.handled = look_at_disk;
        rows_at_handler = 0;
        if (crash == 1) clerk_answer(0, clerk_difference(11, 12));
        clerk_open_with("|11|");
        clerk_run(50);
        ck_assert_uint_eq(rows_at_handler, 1 + (crash == 1));
        ck_assert_uint_eq(attempts_at_handler, crash);
        ck_assert_uint_eq(clerk.lost, 0);
    }
    clerk_crash();
    clerk.handled = NULL;
    clerk_open_with("");
    clerk_messages(13, 13);
    clerk_run(100);
    clerk_expect("13");
    ck_assert_uint_eq(clerk.lost, 1);
    ck_assert_uint_eq(clerk_disk().dead, 1);
    ck_assert_uint_eq(clerk_disk().dead_attempts, 5);
    ck_assert_uint_gt(strlen(clerk_disk().dead_reason), 20);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

/* Which of several it was that ended the process twice shows when each is tried alone: those that
 * only stood beside it have no more attempts counted. */
START_TEST(who_stood_beside_it_is_not_given_up)
{
    clerk_begin(_i, "|11|12|13|");
    clerk_messages(11, 13);
    clerk_run(1);
    for (uint32_t crash = 1; crash <= 2; crash++) {
        clerk_crash();
        if (crash == 1) clerk_answer(0, clerk_difference(11, 13));
        clerk_open_with("*");
        clerk_run(50);
        ck_assert_uint_eq(clerk_disk().rows, 3);
        for (size_t i = 0; i < 3; i++) ck_assert_uint_eq(clerk_disk().attempts[i], crash);
    }
    clerk_crash();
    clerk_open_with("*");
    clerk_run(1000);
    clerk_expect("11?");
    ck_assert_uint_eq(clerk_disk().attempts[0], 3);
    ck_assert_uint_eq(clerk_disk().attempts[1], 2);
    clerk_run(1100); /* it has not ended the process: the next one */
    clerk_expect("12?");
    clerk_finish("12");
    clerk_run(50);
    clerk_expect("13?");
    ck_assert_uint_eq(clerk_disk().attempts[1], 3);
    clerk_end();
}
END_TEST

/* After an end in order nobody waits for a disk. */
START_TEST(after_a_clean_end_attempts_are_not_waited_for)
{
    clerk_begin(_i, "|11|");
    clerk_messages(11, 11);
    clerk_run(10);
    ck_assert_uint_eq(gap_journal_write_all(clerk.journal), 0);
    clerk_close();
    clerk_answer(0, clerk_difference(12, 13));
    clerk_open_with("|11|");
    clerk_run(50);
    clerk_expect("11! 12~ 13~");
    struct gap_journal_counters n;
    gap_journal_count(clerk.journal, &n);
    ck_assert_uint_eq(n.written, 0);
    clerk_end();
}
END_TEST

/* ---- modes ---- */

START_TEST(full_mode_writes_before_the_handler)
{
    clerk_world((uint64_t)_i, _i == 0 ? NULL : &clerk_shuffled);
    clerk.mode = GAP_JOURNAL_FULL;
    clerk.handled = look_at_disk;
    clerk_open();
    rows_at_handler = 0;
    clerk_messages(11, 12);
    clerk_run(20);
    ck_assert_uint_ge(rows_at_handler, 1);
    ck_assert_uint_eq(attempts_at_handler, 1);
    clerk_expect("11 12");
    fail_commits(GAP_E_STORAGE, 16); /* and is not called while the disk is full */
    clerk_messages(13, 13);
    clerk_run(3000);
    clerk_expect("");
    ck_assert_int_le(clerk_disk().pts, 12);
    door.commit_count = 0;
    clerk_run(70000);
    clerk_expect("13");
    ck_assert_int_eq(clerk_disk().pts, 13);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

START_TEST(light_mode_writes_nothing)
{
    clerk_world((uint64_t)_i, _i == 0 ? NULL : &clerk_shuffled);
    clerk.mode = GAP_JOURNAL_LIGHT;
    (void)snprintf(clerk.later, sizeof clerk.later, "|11|");
    clerk_open();
    clerk_messages(11, 12);
    clerk_run(1000);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    ck_assert_int_eq(clerk_disk().pts, 10);
    ck_assert_int_eq(gap_journal_write(clerk.journal, &clerk_task("11")->entry), GAP_E_STATE);
    clerk_crash();
    clerk_answer(0, clerk_difference(11, 12));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect("11~");
    clerk_end();
}
END_TEST

/* It writes nothing, but what was written before comes all the same. */
START_TEST(light_mode_hands_out_rows_of_before)
{
    clerk_begin(_i, "|11|");
    clerk_messages(11, 12);
    clerk_run(400);
    ck_assert_uint_eq(clerk_disk().rows, 1);
    clerk_crash();
    clerk.mode = GAP_JOURNAL_LIGHT;
    clerk_open_with("|13|");
    clerk_messages(13, 13);
    clerk_run(400);
    clerk_expect("11! 13");
    ck_assert_uint_eq(clerk_disk().rows, 0);
    ck_assert_int_eq(clerk_disk().pts, 12);
    clerk_end();
}
END_TEST

/* ---- the disk ---- */

/* A full disk: nothing that is stored passes what is not, the handlers go on, and when there is
 * room again everything is as it should be. */
START_TEST(a_full_disk_stops_nobody)
{
    clerk_begin(_i, "|11|");
    fail_commits(GAP_E_STORAGE, 16);
    clerk_messages(11, 20);
    clerk_run(2000);
    clerk_expect("11 12 13 14 15 16 17 18 19 20");
    ck_assert_int_eq(clerk_disk().pts, 10);
    clerk_crash();
    door.commit_count = 0;
    clerk_answer(0, clerk_difference(11, 20));
    clerk_open_with("");
    clerk_run(200);
    clerk_expect("11~ 12~ 13~ 14~ 15~ 16~ 17~ 18~ 19~ 20~");
    clerk_end();
}
END_TEST

/* The guard of attempts does not stop handlers on a full disk either. */
START_TEST(a_full_disk_after_a_crash)
{
    clerk_begin(_i, "|11|");
    clerk_messages(11, 12);
    clerk_run(1);
    clerk_crash();
    clerk_answer(0, clerk_difference(11, 12));
    (void)snprintf(clerk.later, sizeof clerk.later, "|11|");
    clerk_open();
    fail_commits(GAP_E_STORAGE, 16);
    clerk_run(3000);
    clerk_expect("11~ 12~");
    door.commit_count = 0;
    clerk_end();
}
END_TEST

/* Rows of a full disk wait in memory, so many bytes of them; what finds no room there is not
 * passed, and nor is what came behind it. */
START_TEST(rows_without_room_are_not_passed)
{
    static char text[65536];
    struct gap_journal_counters n;

    memset(text, 'x', sizeof text - 1);
    clerk_begin(0, "*");
    fail_commits(GAP_E_STORAGE, 16);
    packed.text = text;
    clerk_messages(11, 150);
    packed.text = NULL;
    clerk_run(1000);
    gap_journal_count(clerk.journal, &n);
    ck_assert_uint_gt(n.refused, 0);
    ck_assert_uint_gt(n.written, 100);
    ck_assert_uint_lt(n.written, 140);
    ck_assert_uint_eq(n.written + n.listed, 140);
    ck_assert_int_eq(gap_engine_mark(clerk.engine, GAP_BOX_COMMON, 0), 10 + (int32_t)n.written);
    door.commit_count = 0; /* there is room again */
    clerk_run(5000);
    gap_journal_count(clerk.journal, &n);
    ck_assert_uint_eq(n.listed, 0);
    ck_assert_int_eq(clerk_disk().pts, 150);
    ck_assert_uint_eq(clerk_disk().rows, 140);
    clerk_end();
}
END_TEST

static void flip(uint8_t *data, size_t *len)
{
    data[*len / 2] ^= 0x40;
}
static void newer(uint8_t *data, size_t *len)
{
    (void)len;
    data[2]++;
}
static void empty(uint8_t *data, size_t *len)
{
    (void)data;
    *len = 0;
}

/* Rows that can't be read are dead letters; what the server still tells is handled. */
START_TEST(damaged_rows_stop_nothing)
{
    static void (*const changes[])(uint8_t * data, size_t * len) = {flip, newer, empty};

    clerk_begin(0, "|11|12|");
    clerk_messages(11, 13);
    clerk_run(10);
    ck_assert_uint_eq(gap_journal_write_all(clerk.journal), 0);
    clerk_run(100);
    clerk_crash();
    clerk_spoil(changes[_i]);
    clerk_answer(0, clerk_difference(12, 14));
    clerk_open_with("");
    clerk_run(100);
    clerk_expect("12~ 13~ 14~");
    ck_assert_uint_eq(clerk.lost, 2);
    ck_assert_uint_gt(strlen(clerk.lost_reason), 20);
    ck_assert_uint_eq(clerk_disk().dead, 2);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

/* ---- order ---- */

/* Of one sequence the oldest is written first: while it can't be, nothing behind it is. */
START_TEST(what_is_in_a_transaction_holds_up_what_is_behind_it)
{
    struct gap_journal_completion c;

    clerk_begin(_i, "|11|12|");
    clerk_messages(11, 13);
    clerk_run(10);
    gap_journal_complete(clerk.journal, &clerk_task("11")->entry, false, &c);
    ck_assert_uint_eq(c.inbox, 0);
    ck_assert(c.has_done);
    ck_assert_int_eq(c.done.before, 10);
    clerk_run(1000);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    ck_assert_int_eq(gap_journal_write(clerk.journal, &clerk_task("11")->entry), GAP_E_STATE);
    gap_journal_reopened(clerk.journal, &clerk_task("11")->entry);
    clerk_run(400);
    ck_assert_uint_eq(clerk_disk().rows, 2);
    ck_assert_int_eq(clerk_disk().pts, 13);
    clerk_end();
}
END_TEST

/* Many rows come in pages, in order, as there is room. */
START_TEST(rows_come_in_pages)
{
    clerk_begin(0, "*");
    clerk_messages(11, 310);
    clerk_run(400);
    ck_assert_int_eq(clerk_disk().pts, 310);
    ck_assert_uint_eq(clerk_disk().rows, 300);
    clerk_crash();
    clerk.room = (uint32_t)_i * 50;
    clerk_open();
    clerk_run(100);
    char expected[4096];
    size_t at = 0;
    for (int32_t id = 11; id <= 310; id++)
        at +=
            (size_t)snprintf(expected + at, sizeof expected - at, "%s%d!", at == 0 ? "" : " ", id);
    clerk_expect(expected);
    ck_assert_uint_eq(clerk_disk().rows, 0);
    clerk_end();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("journal");
    TCase *t = tcase_create("journal");
    tcase_add_loop_test(t, a_straggler_is_passed, 0, SEEDS);
    tcase_add_loop_test(t, a_straggler_comes_again_from_the_journal, 0, SEEDS);
    tcase_add_loop_test(t, what_was_done_is_not_done_again, 0, SEEDS);
    tcase_add_loop_test(t, what_is_done_in_order_is_not_recorded, 0, SEEDS);
    tcase_add_loop_test(t, a_users_channel_is_never_half_a_difference_behind, 0, SEEDS);
    tcase_add_loop_test(t, a_new_channel_is_stored_before_its_handlers_are_called, 0, 2 * SEEDS);
    tcase_add_loop_test(t, a_query_is_written_on_receipt, 0, SEEDS);
    tcase_add_loop_test(t, a_shutdown_writes_the_rest, 0, SEEDS);
    tcase_add_loop_test(t, s84_two_edits_in_one_second, 0, SEEDS);
    tcase_add_loop_test(t, s84_a_message_that_comes_again, 0, 16);
    tcase_add_loop_test(t, s84_a_message_in_the_journal, 0, SEEDS);
    tcase_add_loop_test(t, a_row_that_is_through_last_is_not_handled_again, 0, 8);
    tcase_add_loop_test(t, a_row_of_an_unknown_channel_is_not_handled_again, 0, 2 * SEEDS);
    tcase_add_test(t, a_poison_update_ends_as_a_dead_letter);
    tcase_add_loop_test(t, who_stood_beside_it_is_not_given_up, 0, SEEDS);
    tcase_add_loop_test(t, after_a_clean_end_attempts_are_not_waited_for, 0, SEEDS);
    tcase_add_loop_test(t, full_mode_writes_before_the_handler, 0, 4);
    tcase_add_loop_test(t, light_mode_writes_nothing, 0, 4);
    tcase_add_loop_test(t, light_mode_hands_out_rows_of_before, 0, 4);
    tcase_add_loop_test(t, a_full_disk_stops_nobody, 0, 4);
    tcase_add_loop_test(t, a_full_disk_after_a_crash, 0, 4);
    tcase_add_test(t, rows_without_room_are_not_passed);
    tcase_add_loop_test(t, damaged_rows_stop_nothing, 0, 3);
    tcase_add_loop_test(t, what_is_in_a_transaction_holds_up_what_is_behind_it, 0, 4);
    tcase_add_loop_test(t, rows_come_in_pages, 0, 3);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(suite)
