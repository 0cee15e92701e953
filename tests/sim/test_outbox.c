/*
 * tests/sim/test_outbox.c - the life of rows: each state and how it is reached, seen in the table,
 * by the host, and in what the data centre got.
 */
#include "dc/server.h"
#include "tests/sim/outbox_world.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)

static struct outbox_world o;

static void setup(void)
{
    outbox_world_begin(&o, 1);
    outbox_world_live(&o);
}

static void teardown(void)
{
    outbox_world_die(&o);
    outbox_world_end(&o);
}

/* It gets there, within @p us. */
static void reach(int64_t row, gap_outbox_state_t state, uint64_t us)
{
    ck_assert_msg(outbox_world_reach(&o, row, state, us), "row %d is in state %d: %s; %s", (int)row,
                  (int)outbox_world_state(&o, row), outbox_world_reason(&o, row), o.w.trouble);
}

static void run(uint64_t us)
{
    (void)client_world_run(&o.w, us, NULL);
}

static int64_t attempts(int64_t row)
{
    return outbox_world_column(&o, "attempts", row);
}

static void next_life(void)
{
    outbox_world_die(&o);
    outbox_world_live(&o);
}

/* ---- sent ---- */

START_TEST(a_text_goes_out_and_is_sent)
{
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "hello");

    reach(row, GAP_OUTBOX_SENT, SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "hello"), 1);
    ck_assert_uint_eq(outbox_world_told(&o, row, GAP_OUTBOX_SENT), 1);
    int32_t id = (int32_t)outbox_world_column(&o, "message_id", row);
    gap_bytes_t text = outbox_world_text(&o, outbox_world_chat(0), id);
    ck_assert(gap_bytes_equal(text, gap_str("hello")));
}
END_TEST

START_TEST(what_was_written_before_the_start_goes_out_too)
{
    outbox_world_die(&o);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "early");
    outbox_world_live(&o);
    reach(row, GAP_OUTBOX_SENT, SECOND);
}
END_TEST

START_TEST(rows_of_a_chat_go_out_in_their_order_and_chats_side_by_side)
{
    int64_t rows[12];
    int32_t last[3] = {0, 0, 0};
    char text[16];

    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(text, sizeof text, "t%u", i);
        rows[i] = outbox_world_send(&o, outbox_world_chat(i % 3), text);
    }
    for (unsigned i = 0; i < 12; i++) reach(rows[i], GAP_OUTBOX_SENT, 30 * SECOND);
    for (unsigned i = 0; i < 12; i++) {
        int32_t id = (int32_t)outbox_world_column(&o, "message_id", rows[i]);
        ck_assert_int_gt(id, last[i % 3]);
        last[i % 3] = id;
    }
    /* The first ones of all chats before the second one of any. */
    for (unsigned i = 0; i < 3; i++) ck_assert_int_le(o.told[i].row, rows[2]);
}
END_TEST

START_TEST(a_row_waits_for_its_time)
{
    int64_t now_us = (int64_t)gap_env_wall_us(o.w.env);
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                              .chat = outbox_world_chat(0),
                              .content = {.text = gap_str("later")},
                              .not_before_us = now_us + 60000000};
    int64_t later = outbox_world_put(&o, &item);
    int64_t behind = outbox_world_send(&o, outbox_world_chat(0), "behind it");
    int64_t beside = outbox_world_send(&o, outbox_world_chat(1), "beside it");

    reach(beside, GAP_OUTBOX_SENT, SECOND);
    run(57 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "later"), 0);
    ck_assert_uint_eq(outbox_world_messages(&o, "behind it"), 0);
    reach(later, GAP_OUTBOX_SENT, 4 * SECOND);
    reach(behind, GAP_OUTBOX_SENT, 4 * SECOND);
}
END_TEST

START_TEST(past_its_deadline_a_row_is_dead)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                              .chat = outbox_world_chat(0),
                              .content = {.text = gap_str("good morning")},
                              .deadline_us = (int64_t)gap_env_wall_us(o.w.env) - 1};
    int64_t late = outbox_world_put(&o, &item);
    int64_t next = outbox_world_send(&o, outbox_world_chat(0), "next");

    reach(late, GAP_OUTBOX_DEAD, SECOND);
    reach(next, GAP_OUTBOX_SENT, SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "good morning"), 0);
    ck_assert_uint_eq(outbox_world_told(&o, late, GAP_OUTBOX_DEAD), 1);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_DEAD], 1);
    ck_assert_int_eq(o.event[GAP_CLIENT_OUTBOX_DEAD].row, late);
}
END_TEST

/* ---- unknown ---- */

START_TEST(a_dropped_answer_is_resolved_by_the_same_random_id)
{
    outbox_world_drop_answers(&o, 1);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "once");

    reach(row, GAP_OUTBOX_LEASED, SECOND);
    reach(row, GAP_OUTBOX_UNKNOWN, 70 * SECOND);
    outbox_world_drop_answers(&o, 0);
    reach(row, GAP_OUTBOX_SENT, 10 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "once"), 1);
    ck_assert_uint_eq(outbox_world_told(&o, row, GAP_OUTBOX_UNKNOWN), 1);
    ck_assert_uint_eq(outbox_world_told(&o, row, GAP_OUTBOX_SENT), 1);
}
END_TEST

START_TEST(a_session_lost_between_call_and_answer_doubles_nothing)
{
    outbox_world_lose_sessions(&o, 1);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "once");

    for (int i = 0; i < 500 && outbox_world_told(&o, row, GAP_OUTBOX_UNKNOWN) == 0; i++) run(5000);
    ck_assert_uint_ge(outbox_world_told(&o, row, GAP_OUTBOX_UNKNOWN), 1);
    outbox_world_lose_sessions(&o, 0);
    reach(row, GAP_OUTBOX_SENT, 20 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "once"), 1);
    ck_assert_int_le(attempts(row), 1); /* a lost connection costs none */
}
END_TEST

START_TEST(while_the_first_call_still_runs_a_row_waits)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 500, "RANDOM_ID_DUPLICATE");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "once");

    reach(row, GAP_OUTBOX_UNKNOWN, SECOND);
    run(10 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_UNKNOWN);
    ck_assert_int_le(attempts(row), 1);
    outbox_world_refuse(&o, 0, 0, NULL);
    reach(row, GAP_OUTBOX_SENT, 5 * SECOND);
}
END_TEST

/* It can't run for ever: then people have to look, and the chat goes on. */
START_TEST(a_first_call_that_never_ends_is_parked)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 500, "RANDOM_ID_DUPLICATE");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "once");
    int64_t behind = outbox_world_send(&o, outbox_world_chat(0), "behind it");

    run(60 * SECOND);
    if (_i == 1) next_life(); /* what was counted is kept */
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_UNKNOWN);
    for (int i = 0; i < 20 * 60 && outbox_world_state(&o, row) == GAP_OUTBOX_UNKNOWN; i++)
        run(SECOND);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_PARKED);
    ck_assert_int_le(attempts(row), 1);
    ck_assert_ptr_nonnull(strstr(outbox_world_reason(&o, row), "retry or cancel"));
    ck_assert_uint_eq(outbox_world_told(&o, row, GAP_OUTBOX_PARKED), 1);
    outbox_world_refuse(&o, 0, 0, NULL);
    reach(behind, GAP_OUTBOX_SENT, 60 * SECOND);
}
END_TEST

/* A message that was made though its answer was lost, and whose call can't be made again. */
static int64_t lost_and_refused(void)
{
    outbox_world_lose_sessions(&o, 1);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "once");
    for (int i = 0; i < 1000 && outbox_world_messages(&o, "once") == 0; i++) run(1000);
    ck_assert_uint_eq(outbox_world_messages(&o, "once"), 1);
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 420, "FLOOD_WAIT_3600");
    outbox_world_lose_sessions(&o, 0);
    return row;
}

START_TEST(an_update_of_a_difference_resolves_a_row)
{
    o.w.no_own_updates = _i == 1;
    next_life();
    int64_t row = lost_and_refused();
    reach(row, GAP_OUTBOX_SENT, 60 * SECOND);
    ck_assert_int_gt(outbox_world_column(&o, "message_id", row), 0);
    ck_assert_uint_eq(outbox_world_told(&o, row, GAP_OUTBOX_SENT), 1);
}
END_TEST

START_TEST(an_update_of_a_difference_after_a_restart_resolves_a_row)
{
    int64_t row = lost_and_refused();

    next_life();
    reach(row, GAP_OUTBOX_SENT, 60 * SECOND);
    ck_assert_int_gt(outbox_world_column(&o, "message_id", row), 0);
    ck_assert_uint_eq(outbox_world_messages(&o, "once"), 1);
}
END_TEST

START_TEST(an_update_before_the_answer_resolves_a_row)
{
    outbox_world_drop_answers(&o, 1);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "named");

    reach(row, GAP_OUTBOX_LEASED, SECOND);
    run(SECOND);
    gap_outbox_named(o.w.client->outbox, outbox_world_column(&o, "random_id", row), 77);
    reach(row, GAP_OUTBOX_SENT, SECOND);
    ck_assert_int_eq(outbox_world_column(&o, "message_id", row), 77);
    /* What then comes of the call, which timed out, changes nothing. */
    run(70 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_SENT);
    ck_assert_uint_eq(outbox_world_told(&o, row, GAP_OUTBOX_UNKNOWN), 0);
    outbox_world_drop_answers(&o, 0);
    int64_t next = outbox_world_send(&o, outbox_world_chat(0), "next");
    reach(next, GAP_OUTBOX_SENT, 5 * SECOND);
}
END_TEST

/* The server tells them apart by their chats, an updateMessageID can't. */
START_TEST(an_update_that_may_be_about_two_rows_resolves_none)
{
    int64_t rows[2];

    outbox_world_drop_answers(&o, 1);
    for (unsigned i = 0; i < 2; i++) {
        const gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                                        .chat = outbox_world_chat(i),
                                        .content = {.text = gap_str(i == 0 ? "one" : "two")},
                                        .random_id = 4242};
        rows[i] = outbox_world_put(&o, &item);
    }
    for (unsigned i = 0; i < 2; i++) reach(rows[i], GAP_OUTBOX_LEASED, SECOND);
    run(SECOND);
    gap_outbox_named(o.w.client->outbox, 4242, 77);
    gap_outbox_named(o.w.client->outbox, 4242, 78);
    run(SECOND);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(outbox_world_state(&o, rows[i]), GAP_OUTBOX_LEASED);
    outbox_world_drop_answers(&o, 0);
    for (unsigned i = 0; i < 2; i++) {
        reach(rows[i], GAP_OUTBOX_SENT, 120 * SECOND);
        ck_assert_int_ne(outbox_world_column(&o, "message_id", rows[i]), 77);
        ck_assert_int_ne(outbox_world_column(&o, "message_id", rows[i]), 78);
    }
    ck_assert_uint_eq(outbox_world_messages(&o, "one"), 1);
    ck_assert_uint_eq(outbox_world_messages(&o, "two"), 1);
}
END_TEST

START_TEST(a_row_that_was_leased_by_another_life_is_repeated)
{
    char sql[160];

    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "once");
    reach(row, GAP_OUTBOX_SENT, SECOND);
    outbox_world_die(&o);
    (void)snprintf(sql, sizeof sql,
                   "UPDATE gapless_outbox SET state = 3, done = 0"
                   " WHERE row = %lld",
                   (long long)row);
    outbox_world_sql(&o, sql);
    outbox_world_live(&o);
    reach(row, GAP_OUTBOX_SENT, 5 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "once"), 1);
    gap_outbox_stats_t stats;
    ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), 0);
    ck_assert_uint_eq(stats.repeated, 1);
    ck_assert_uint_eq(stats.sent, 1);
    ck_assert_uint_eq(stats.in_flight, 0);
}
END_TEST

/* ---- what must not be repeated ---- */

static int64_t put_raw(gap_replay_t replay)
{
    static const gap_tl_help_get_nearest_dc_t query = {0};
    const gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_RAW,
        .chat = outbox_world_chat(1),
        .query = GAP_TL_OF(GAP_TL_HELP_GET_NEAREST_DC, &query),
        .replay = replay,
    };

    return outbox_world_put(&o, &item);
}

/* Its answer is lost. */
static void lose(uint32_t method)
{
    o.w.dc->options.lose_session = 1;
    o.w.dc->options.lose_methods = (gap_dc_methods_t){.ids = {method}, .count = 1};
}

START_TEST(what_must_not_be_repeated_is_parked)
{
    lose(GAP_TL_HELP_GET_NEAREST_DC);
    int64_t row = put_raw(GAP_REPLAY_NEVER);
    int64_t next = outbox_world_send(&o, outbox_world_chat(1), "next");

    reach(row, GAP_OUTBOX_PARKED, 20 * SECOND);
    ck_assert_ptr_nonnull(strstr(outbox_world_reason(&o, row), "may have been"));
    reach(next, GAP_OUTBOX_SENT, 20 * SECOND);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_PARKED], 1);
    ck_assert_int_eq(o.event[GAP_CLIENT_OUTBOX_PARKED].row, row);
}
END_TEST

START_TEST(what_must_not_be_repeated_is_parked_after_a_kill)
{
    char sql[160];

    outbox_world_die(&o);
    int64_t row = put_raw(GAP_REPLAY_NEVER);
    (void)snprintf(sql, sizeof sql, "UPDATE gapless_outbox SET state = 3 WHERE row = %lld",
                   (long long)row);
    outbox_world_sql(&o, sql);
    outbox_world_live(&o);
    reach(row, GAP_OUTBOX_PARKED, 5 * SECOND);
    ck_assert_ptr_nonnull(strstr(outbox_world_reason(&o, row), "may have been"));
}
END_TEST

static int64_t after_all(int64_t row)
{
    int64_t moved = 0;

    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_retry(o.db, row, &moved), 0);
    outbox_world_sql(&o, "COMMIT");
    return moved;
}

/* People have looked: it did not happen. Nobody else can say. */
START_TEST(what_people_send_after_all_goes_out)
{
    lose(GAP_TL_HELP_GET_NEAREST_DC);
    int64_t row = put_raw(_i == 0 ? GAP_REPLAY_NEVER : GAP_REPLAY_PROBE);

    reach(row, GAP_OUTBOX_PARKED, 20 * SECOND);
    o.w.dc->options.lose_session = 0;
    row = after_all(row);
    reach(row, GAP_OUTBOX_SENT, 20 * SECOND);
}
END_TEST

static unsigned probes;
static bool answers_at_once;
static bool happened;

static void probe(gap_client_t *client, const gap_outbox_row_t *row, gap_tl_object_t query,
                  void *data)
{
    (void)data;
    probes++;
    ck_assert_uint_eq(query.id, GAP_TL_HELP_GET_NEAREST_DC);
    ck_assert_int_eq(row->kind, GAP_OUTBOX_RAW);
    if (answers_at_once) ck_assert_int_eq(gap_outbox_probed(client, row->row, happened), 0);
}

START_TEST(the_host_is_asked_whether_it_has_happened)
{
    probes = 0;
    answers_at_once = _i % 2 == 0;
    happened = _i / 2 == 0;
    o.config.probe = probe;
    next_life();
    lose(GAP_TL_HELP_GET_NEAREST_DC);
    int64_t row = put_raw(GAP_REPLAY_PROBE);
    for (int i = 0; i < 5000 && probes == 0; i++) {
        run(5000);
        if (outbox_world_told(&o, row, GAP_OUTBOX_UNKNOWN) > 0) o.w.dc->options.lose_session = 0;
    }
    ck_assert_uint_eq(probes, 1);
    ck_assert_int_eq(gap_outbox_probed(o.w.client, row + 1, true), GAP_E_NOT_FOUND);
    if (!answers_at_once) {
        run(100 * SECOND);
        ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_LEASED);
        ck_assert_int_eq(gap_outbox_probed(o.w.client, row, happened), 0);
    }
    reach(row, GAP_OUTBOX_SENT, 5 * SECOND);
    ck_assert_int_eq(gap_outbox_probed(o.w.client, row, true), GAP_E_NOT_FOUND);
    gap_outbox_stats_t stats;
    ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), 0);
    ck_assert_uint_eq(stats.repeated, happened ? 0 : 1);
}
END_TEST

START_TEST(without_anybody_to_ask_it_is_parked)
{
    lose(GAP_TL_HELP_GET_NEAREST_DC);
    int64_t row = put_raw(GAP_REPLAY_PROBE);

    reach(row, GAP_OUTBOX_PARKED, 20 * SECOND);
}
END_TEST

/* ---- refusals ---- */

START_TEST(a_flood_wait_is_a_snooze_and_costs_no_attempt)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 420, "FLOOD_WAIT_300");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "slow");

    reach(row, GAP_OUTBOX_SNOOZED, SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    ck_assert_int_eq(attempts(row), 0);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_LIMITED], 1);
    ck_assert_uint_ge(o.event[GAP_CLIENT_OUTBOX_LIMITED].us, 299 * SECOND);
    ck_assert_int_eq(o.event[GAP_CLIENT_OUTBOX_LIMITED].chat.id, outbox_world_chat(0).id);
    int64_t beside = outbox_world_send(&o, outbox_world_chat(1), "beside");
    reach(beside, GAP_OUTBOX_SENT, SECOND);
    next_life();
    int64_t behind = outbox_world_send(&o, outbox_world_chat(0), "behind");
    run(290 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "slow") + outbox_world_messages(&o, "behind"), 0);
    reach(row, GAP_OUTBOX_SENT, 15 * SECOND);
    reach(behind, GAP_OUTBOX_SENT, 5 * SECOND);
}
END_TEST

START_TEST(a_second_chat_teaches_that_it_is_the_method)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 420, "FLOOD_WAIT_60");
    int64_t one = outbox_world_send(&o, outbox_world_chat(0), "one");
    int64_t two = outbox_world_send(&o, outbox_world_chat(1), "two");

    reach(one, GAP_OUTBOX_SNOOZED, SECOND);
    reach(two, GAP_OUTBOX_SNOOZED, SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    int64_t three = outbox_world_send(&o, outbox_world_chat(2), "three");
    next_life(); /* it is stored */
    run(50 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, three), GAP_OUTBOX_READY);
    ck_assert_int_eq(attempts(three), 0);
    reach(three, GAP_OUTBOX_SENT, 15 * SECOND);
    reach(one, GAP_OUTBOX_SENT, 15 * SECOND);
}
END_TEST

START_TEST(peer_flood_stops_what_is_published_until_people_release_it)
{
    gap_outbox_item_t reply = {.kind = GAP_OUTBOX_SEND,
                               .urgency = GAP_OUTBOX_REPLY,
                               .chat = outbox_world_chat(2),
                               .content = {.text = gap_str("reply")}};

    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 400, "PEER_FLOOD");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "bulk");
    for (int i = 0; i < 200 && o.events[GAP_CLIENT_OUTBOX_STOPPED] == 0; i++) run(5000);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_STOPPED], 1);
    outbox_world_refuse(&o, 0, 0, NULL);
    int64_t other = outbox_world_send(&o, outbox_world_chat(1), "bulk too");
    int64_t answer = outbox_world_put(&o, &reply);
    reach(answer, GAP_OUTBOX_SENT, SECOND);
    next_life();
    run(HOUR);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_READY);
    ck_assert_int_eq(outbox_world_state(&o, other), GAP_OUTBOX_READY);
    gap_outbox_stats_t stats;
    ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), 0);
    ck_assert(stats.bulk_stopped);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_release(o.db, (gap_peer_t){0, GAP_PEER_NONE}), 0);
    outbox_world_sql(&o, "COMMIT");
    reach(row, GAP_OUTBOX_SENT, 5 * SECOND);
    reach(other, GAP_OUTBOX_SENT, 5 * SECOND);
}
END_TEST

/* What it met itself waits for that release, too: its reason names no other one. */
START_TEST(reply_that_met_a_peer_flood_goes_on_with_the_account)
{
    gap_outbox_item_t reply = {.kind = GAP_OUTBOX_SEND,
                               .urgency = GAP_OUTBOX_REPLY,
                               .chat = outbox_world_chat(0),
                               .content = {.text = gap_str("reply")}};

    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 400, "PEER_FLOOD");
    int64_t row = outbox_world_put(&o, &reply);
    reach(row, GAP_OUTBOX_PARKED, SECOND);
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 400, "MESSAGE_TOO_LONG");
    reply.chat = outbox_world_chat(1);
    int64_t bad = outbox_world_put(&o, &reply);
    reach(bad, GAP_OUTBOX_PARKED, SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    run(HOUR);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_PARKED);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_release(o.db, (gap_peer_t){0, GAP_PEER_NONE}), 0);
    outbox_world_sql(&o, "COMMIT");
    reach(row, GAP_OUTBOX_SENT, 5 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, bad), GAP_OUTBOX_PARKED);
}
END_TEST

/* Also while it can't be stored: not one row of others' more. */
START_TEST(bulk_stops_before_the_stop_is_on_disk)
{
    int64_t rows[6];
    unsigned sent = 0;

    for (unsigned i = 0; i < 6; i++) /* they are known, and met */
        reach(outbox_world_send(&o, outbox_world_chat(i), "hello"), GAP_OUTBOX_SENT, 20 * SECOND);
    run(60 * SECOND);
    outbox_world_sql(&o, "CREATE TRIGGER full BEFORE INSERT ON gapless_outbox_chat"
                         " WHEN NEW.chat = 0 AND NEW.parked IS NOT NULL"
                         " BEGIN SELECT RAISE(ABORT, 'not now'); END");
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 400, "PEER_FLOOD");
    rows[0] = outbox_world_send(&o, outbox_world_chat(0), "bulk");
    run(2 * SECOND);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_STOPPED], 0);
    outbox_world_refuse(&o, 0, 0, NULL);
    for (unsigned i = 1; i < 6; i++) rows[i] = outbox_world_send(&o, outbox_world_chat(i), "bulk");
    run(2 * SECOND);
    outbox_world_sql(&o, "DROP TRIGGER full");
    run(60 * SECOND);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_STOPPED], 1);
    for (unsigned i = 0; i < 6; i++) sent += outbox_world_state(&o, rows[i]) == GAP_OUTBOX_SENT;
    ck_assert_uint_eq(sent, 0);
    ck_assert_uint_eq(outbox_world_messages(&o, "bulk"), 0);
}
END_TEST

START_TEST(a_chat_that_takes_nothing_is_parked_and_released)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 403, "CHAT_WRITE_FORBIDDEN");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "one");
    int64_t behind = outbox_world_send(&o, outbox_world_chat(0), "two");

    reach(row, GAP_OUTBOX_PARKED, SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    ck_assert_uint_eq(o.events[GAP_CLIENT_OUTBOX_PARKED], 1);
    ck_assert_int_eq(o.event[GAP_CLIENT_OUTBOX_PARKED].chat.id, outbox_world_chat(0).id);
    int64_t beside = outbox_world_send(&o, outbox_world_chat(1), "beside");
    reach(beside, GAP_OUTBOX_SENT, SECOND);
    run(HOUR);
    next_life();
    run(HOUR);
    ck_assert_int_eq(outbox_world_state(&o, behind), GAP_OUTBOX_READY);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_release(o.db, outbox_world_chat(0)), 0);
    outbox_world_sql(&o, "COMMIT");
    reach(row, GAP_OUTBOX_SENT, 10 * SECOND);
    reach(behind, GAP_OUTBOX_SENT, 10 * SECOND);
    ck_assert_int_lt(outbox_world_column(&o, "message_id", row),
                     outbox_world_column(&o, "message_id", behind));
}
END_TEST

/* The new row is seen first, as rows above the last one are. */
START_TEST(what_comes_with_a_release_stays_behind_what_was_released)
{
    const gap_outbox_item_t item = {
        .kind = GAP_OUTBOX_SEND, .chat = outbox_world_chat(0), .content = {.text = gap_str("new")}};
    int64_t added;

    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 403, "CHAT_WRITE_FORBIDDEN");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "one");
    reach(row, GAP_OUTBOX_PARKED, SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    run(60 * SECOND);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_release(o.db, outbox_world_chat(0)), 0);
    ck_assert_int_eq(gap_outbox_enqueue(o.db, &item, &added), 0);
    outbox_world_sql(&o, "COMMIT");
    reach(added, GAP_OUTBOX_SENT, 60 * SECOND);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_SENT);
    ck_assert_int_lt(outbox_world_column(&o, "message_id", row),
                     outbox_world_column(&o, "message_id", added));
}
END_TEST

static const struct {
    int32_t code;
    const char *text;
    gap_outbox_state_t end;
    const char *why;
} troubles[] = {
    {400, "MSG_WAIT_FAILED", GAP_OUTBOX_DEAD, "it was not carried out"},
    {500, "RPC_CALL_FAIL", GAP_OUTBOX_PARKED, "nobody knows whether it was"},
};

START_TEST(what_fails_is_tried_again_and_then_given_up)
{
    o.config.attempts_max = 3;
    next_life();
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, troubles[_i].code, troubles[_i].text);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "never");
    reach(row, troubles[_i].end, 60 * SECOND);
    outbox_world_refuse(&o, 0, 0, NULL);
    ck_assert_int_eq(attempts(row), 3);
    int64_t next = outbox_world_send(&o, outbox_world_chat(0), "next");
    reach(next, GAP_OUTBOX_SENT, 5 * SECOND);
    int64_t moved = 0;
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_retry(o.db, row, &moved), 0);
    outbox_world_sql(&o, "COMMIT");
    reach(moved, GAP_OUTBOX_SENT, 5 * SECOND);
}
END_TEST

START_TEST(an_unknown_chat_is_parked_and_stops_nobody)
{
    const gap_peer_t nobody = {999, GAP_PEER_CHANNEL};
    int64_t row = outbox_world_send(&o, nobody, "hello?");
    int64_t beside = outbox_world_send(&o, outbox_world_chat(0), "beside");

    reach(row, GAP_OUTBOX_PARKED, 10 * SECOND);
    ck_assert_ptr_nonnull(strstr(outbox_world_reason(&o, row), "not known"));
    reach(beside, GAP_OUTBOX_SENT, SECOND);
}
END_TEST

START_TEST(posts_that_cannot_be_rendered_stop_nobody)
{
    const gap_outbox_content_t content = {.text = gap_str("post")};
    const gap_post_t post = {
        .key = gap_str("post"), .chat = outbox_world_chat(0), .content = &content};
    int64_t row = 0;

    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_post_upsert(o.db, &post, &row), 0);
    outbox_world_sql(&o, "COMMIT");
    reach(row, GAP_OUTBOX_SENT, 5 * SECOND);
    outbox_world_sql(&o, "INSERT INTO gapless_outbox_dirty VALUES(1, 1, 0);"
                         "ALTER TABLE gapless_outbox_post RENAME COLUMN title TO gone");
    run(10 * SECOND);
    for (int i = 0; i < 3; i++) {
        row = outbox_world_send(&o, outbox_world_chat(1), "text");
        reach(row, GAP_OUTBOX_SENT, 15 * SECOND);
    }
    outbox_world_sql(&o, "ALTER TABLE gapless_outbox_post RENAME COLUMN gone TO title");
}
END_TEST

START_TEST(a_cancelled_row_does_not_go_out)
{
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_SEND,
                              .chat = outbox_world_chat(0),
                              .content = {.text = gap_str("no")},
                              .not_before_us = (int64_t)gap_env_wall_us(o.w.env) + 5000000};
    int64_t row = outbox_world_put(&o, &item);

    run(SECOND);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_cancel(o.db, row), 0);
    outbox_world_sql(&o, "COMMIT");
    int64_t next = outbox_world_send(&o, outbox_world_chat(0), "yes");
    reach(next, GAP_OUTBOX_SENT, 6 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "no"), 0);
    ck_assert_int_eq(outbox_world_state(&o, row), GAP_OUTBOX_CANCELLED);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox");
    TCase *tc = tcase_create("rows");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_text_goes_out_and_is_sent);
    tcase_add_test(tc, what_was_written_before_the_start_goes_out_too);
    tcase_add_test(tc, rows_of_a_chat_go_out_in_their_order_and_chats_side_by_side);
    tcase_add_test(tc, a_row_waits_for_its_time);
    tcase_add_test(tc, past_its_deadline_a_row_is_dead);
    tcase_add_test(tc, a_dropped_answer_is_resolved_by_the_same_random_id);
    tcase_add_test(tc, a_session_lost_between_call_and_answer_doubles_nothing);
    tcase_add_test(tc, while_the_first_call_still_runs_a_row_waits);
    tcase_add_loop_test(tc, a_first_call_that_never_ends_is_parked, 0, 2);
    tcase_add_loop_test(tc, an_update_of_a_difference_resolves_a_row, 0, 2);
    tcase_add_test(tc, an_update_of_a_difference_after_a_restart_resolves_a_row);
    tcase_add_test(tc, an_update_before_the_answer_resolves_a_row);
    tcase_add_test(tc, an_update_that_may_be_about_two_rows_resolves_none);
    tcase_add_test(tc, a_row_that_was_leased_by_another_life_is_repeated);
    tcase_add_test(tc, what_must_not_be_repeated_is_parked);
    tcase_add_test(tc, what_must_not_be_repeated_is_parked_after_a_kill);
    tcase_add_loop_test(tc, what_people_send_after_all_goes_out, 0, 2);
    tcase_add_loop_test(tc, the_host_is_asked_whether_it_has_happened, 0, 4);
    tcase_add_test(tc, without_anybody_to_ask_it_is_parked);
    tcase_add_test(tc, a_flood_wait_is_a_snooze_and_costs_no_attempt);
    tcase_add_test(tc, a_second_chat_teaches_that_it_is_the_method);
    tcase_add_test(tc, peer_flood_stops_what_is_published_until_people_release_it);
    tcase_add_test(tc, reply_that_met_a_peer_flood_goes_on_with_the_account);
    tcase_add_test(tc, bulk_stops_before_the_stop_is_on_disk);
    tcase_add_test(tc, a_chat_that_takes_nothing_is_parked_and_released);
    tcase_add_test(tc, what_comes_with_a_release_stays_behind_what_was_released);
    tcase_add_loop_test(tc, what_fails_is_tried_again_and_then_given_up, 0,
                        (int)GAP_ARRAY_LEN(troubles));
    tcase_add_test(tc, an_unknown_chat_is_parked_and_stops_nobody);
    tcase_add_test(tc, posts_that_cannot_be_rendered_stop_nobody);
    tcase_add_test(tc, a_cancelled_row_does_not_go_out);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
