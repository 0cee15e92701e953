/*
 * tests/sim/test_outbox_calls.c - every kind of row from the table to the data centre and back: the
 * call that is made, what its answer or its error does to the row, and what a lost answer does.
 */
#include "tests/sim/outbox_world.h"

#include "dc/server.h"

#include <gapless/tl_api.h>
#include <string.h>

#define SECOND UINT64_C(1000000)

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

#define REACH(row, state, us)                                                                      \
    ck_assert_msg(outbox_world_reach(&o, row, state, us), "row %lld is %d: %s", (long long)(row),  \
                  (int)outbox_world_state(&o, row), outbox_world_reason(&o, row))

/* Events of a kind that calls of the account's have caused. */
static unsigned caused(dc_kind_t kind)
{
    dc_model_t *m = gap_dc_model(o.w.dc);
    unsigned found = 0;

    for (uint32_t n = 1; n <= dc_model_event_count(m); n++) {
        dc_event_t e;
        dc_model_event(m, n, &e);
        found += e.by_call && e.kind == kind;
    }
    return found;
}

static int32_t message_of(int64_t row)
{
    return (int32_t)outbox_world_column(&o, "message_id", row);
}

/* A message that is there. */
static int32_t sent(unsigned chat, const char *text)
{
    int64_t row = outbox_world_send(&o, outbox_world_chat(chat), text);

    REACH(row, GAP_OUTBOX_SENT, 60 * SECOND);
    return message_of(row);
}

START_TEST(every_kind_goes_out)
{
    gap_peer_t chat = outbox_world_chat(0), other = outbox_world_chat(1);
    int32_t ids[2] = {sent(0, "one"), sent(0, "two")};
    gap_outbox_item_t edit = {.kind = GAP_OUTBOX_EDIT,
                              .chat = chat,
                              .ids = ids,
                              .id_count = 1,
                              .content = {.text = gap_str("other")}};
    gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = chat, .ids = ids, .id_count = 1};
    gap_outbox_item_t react = {.kind = GAP_OUTBOX_REACT,
                               .chat = chat,
                               .ids = ids,
                               .id_count = 1,
                               .emoji = gap_str("\xf0\x9f\x91\x8d")};
    gap_outbox_item_t forward = {
        .kind = GAP_OUTBOX_FORWARD, .chat = other, .from = chat, .ids = ids, .id_count = 2};
    gap_outbox_item_t del = {
        .kind = GAP_OUTBOX_DELETE, .chat = chat, .ids = ids + 1, .id_count = 1};
    const int64_t rows[] = {outbox_world_put(&o, &edit), outbox_world_put(&o, &pin),
                            outbox_world_put(&o, &react), outbox_world_put(&o, &forward),
                            outbox_world_put(&o, &del)};

    for (size_t i = 0; i < 5; i++) REACH(rows[i], GAP_OUTBOX_SENT, 120 * SECOND);
    ck_assert_int_eq(message_of(rows[0]), ids[0]);
    ck_assert(gap_bytes_equal(outbox_world_text(&o, chat, ids[0]), gap_str("other")));
    ck_assert_int_eq(message_of(rows[1]), ids[0]);
    ck_assert_uint_eq(caused(DC_PIN), 1);
    ck_assert_int_gt(message_of(rows[3]), 0);
    ck_assert_uint_eq(caused(DC_DELETE_MESSAGES), 1);
    ck_assert_uint_eq(caused(DC_NEW_MESSAGE), 4);
}
END_TEST

/* What a chain of rows means: the message of one is what the next is about. */
START_TEST(rows_about_rows)
{
    gap_peer_t chat = outbox_world_chat(0);
    int64_t first = outbox_world_send(&o, chat, "first");
    gap_outbox_item_t answer = {.kind = GAP_OUTBOX_SEND,
                                .chat = chat,
                                .content = {.text = gap_str("answer")},
                                .reply_to_row = first};
    gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = chat, .message_row = first};
    int64_t rows[2] = {outbox_world_put(&o, &answer), outbox_world_put(&o, &pin)};

    REACH(rows[1], GAP_OUTBOX_SENT, 60 * SECOND);
    ck_assert_int_eq(message_of(rows[1]), message_of(first));
    ck_assert_uint_eq(outbox_world_messages(&o, "answer"), 1);
}
END_TEST

/* Errors: what the row becomes. */
static const struct {
    int32_t code;
    const char *name;
    gap_outbox_state_t state;
} refusals[] = {
    {400, "MESSAGE_TOO_LONG", GAP_OUTBOX_PARKED},
    {403, "CHAT_SEND_PLAIN_FORBIDDEN", GAP_OUTBOX_PARKED},
    {403, "CHAT_WRITE_FORBIDDEN", GAP_OUTBOX_PARKED},
    {400, "CHANNEL_PRIVATE", GAP_OUTBOX_PARKED},
    {406, "SOMETHING_NEW", GAP_OUTBOX_PARKED},
    {420, "FLOOD_WAIT_1000", GAP_OUTBOX_SNOOZED},
    {420, "SLOWMODE_WAIT_1000", GAP_OUTBOX_SNOOZED},
    {500, "RPC_CALL_FAIL", GAP_OUTBOX_UNKNOWN},
    {500, "RANDOM_ID_DUPLICATE", GAP_OUTBOX_UNKNOWN},
    {400, "MSG_WAIT_FAILED", GAP_OUTBOX_SNOOZED},
};

START_TEST(a_refused_text)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, refusals[_i].code, refusals[_i].name);
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "refused");
    REACH(row, refusals[_i].state, 5 * SECOND);
    ck_assert_ptr_nonnull(strstr(outbox_world_reason(&o, row), refusals[_i].name));
    ck_assert_uint_eq(outbox_world_messages(&o, "refused"), 0);
}
END_TEST

/* The server has trouble of its own, and may have sent it: nobody may take it back, and it goes out
 * once. */
START_TEST(trouble_leaves_it_open)
{
    outbox_world_refuse(&o, GAP_TL_MESSAGES_SEND_MESSAGE, 500, "RPC_CALL_FAIL");
    int64_t row = outbox_world_send(&o, outbox_world_chat(0), "troubled");
    REACH(row, GAP_OUTBOX_UNKNOWN, 5 * SECOND);
    outbox_world_sql(&o, "BEGIN IMMEDIATE");
    ck_assert_int_eq(gap_outbox_cancel(o.db, row), GAP_E_STATE);
    outbox_world_sql(&o, "COMMIT");
    outbox_world_refuse(&o, 0, 0, NULL);
    REACH(row, GAP_OUTBOX_SENT, 60 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "troubled"), 1);
}
END_TEST

/* A pin whose answer is lost is looked up, and not made again. */
START_TEST(a_lost_pin_is_looked_up)
{
    int32_t id = sent(0, "to be pinned");
    gap_outbox_item_t pin = {
        .kind = GAP_OUTBOX_PIN, .chat = outbox_world_chat(0), .ids = &id, .id_count = 1};

    outbox_world_lose_sessions(&o, 1);
    int64_t row = outbox_world_put(&o, &pin);
    for (int i = 0; i < 300 && caused(DC_PIN) == 0; i++) (void)client_world_run(&o.w, 100000, NULL);
    outbox_world_lose_sessions(&o, 0);
    REACH(row, GAP_OUTBOX_SENT, 120 * SECOND);
    ck_assert_uint_eq(caused(DC_PIN), 1);
    ck_assert_int_eq(message_of(row), id);
}
END_TEST

/* One that did not happen is made, once. */
START_TEST(a_pin_that_did_not_happen)
{
    int32_t id = sent(0, "to be pinned");
    gap_outbox_item_t pin = {
        .kind = GAP_OUTBOX_PIN, .chat = outbox_world_chat(0), .ids = &id, .id_count = 1};

    outbox_world_refuse(&o, GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, 500, "RPC_CALL_FAIL");
    int64_t row = outbox_world_put(&o, &pin);
    REACH(row, GAP_OUTBOX_UNKNOWN, 30 * SECOND);
    ck_assert_uint_eq(caused(DC_PIN), 0);
    outbox_world_refuse(&o, 0, 0, NULL);
    REACH(row, GAP_OUTBOX_SENT, 120 * SECOND);
    ck_assert_uint_eq(caused(DC_PIN), 1);
}
END_TEST

/* Forwards of several whose answers are lost: each once. */
START_TEST(lost_forwards_are_repeated)
{
    int32_t ids[2] = {sent(0, "one"), sent(0, "two")};
    gap_outbox_item_t forward = {.kind = GAP_OUTBOX_FORWARD,
                                 .chat = outbox_world_chat(1),
                                 .from = outbox_world_chat(0),
                                 .ids = ids,
                                 .id_count = 2};

    o.w.dc->options.lose_methods =
        (gap_dc_methods_t){.ids = {GAP_TL_MESSAGES_FORWARD_MESSAGES}, .count = 1};
    o.w.dc->options.lose_session = 1;
    int64_t row = outbox_world_put(&o, &forward);
    for (int i = 0; i < 300 && caused(DC_NEW_MESSAGE) < 4; i++)
        (void)client_world_run(&o.w, 100000, NULL);
    o.w.dc->options.lose_session = 0;
    REACH(row, GAP_OUTBOX_SENT, 120 * SECOND);
    ck_assert_uint_eq(caused(DC_NEW_MESSAGE), 4);
    ck_assert_int_gt(message_of(row), 0);
}
END_TEST

/* A call of one's own whose answer is lost: by the class that it was given. */
START_TEST(raw_calls_by_their_class)
{
    gap_peer_t chat = outbox_world_chat(0);
    gap_tl_input_peer_channel_t peer = {.channel_id = chat.id};
    gap_tl_messages_send_message_t send = {.message = gap_str("raw")};
    gap_outbox_item_t item = {.kind = GAP_OUTBOX_RAW, .chat = chat};

    peer.access_hash = dc_model_access_hash(gap_dc_model(o.w.dc), gap_client_self(o.w.client),
                                            (dc_peer_t){DC_CHANNEL, chat.id});
    send.peer = GAP_TL_OF(GAP_TL_INPUT_PEER_CHANNEL, &peer);
    item.query = GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &send);
    outbox_world_lose_sessions(&o, 1);
    item.replay = GAP_REPLAY_NEVER;
    int64_t never = outbox_world_put(&o, &item);
    REACH(never, GAP_OUTBOX_PARKED, 60 * SECOND);
    ck_assert_ptr_nonnull(strstr(outbox_world_reason(&o, never), "may have been done"));
    ck_assert_uint_eq(outbox_world_messages(&o, "raw"), 1);
    send.message = gap_str("raw, known by its random_id");
    item.replay = GAP_REPLAY_RANDOM_ID;
    int64_t known = outbox_world_put(&o, &item);
    for (int i = 0; i < 300 && outbox_world_messages(&o, "raw, known by its random_id") == 0; i++)
        (void)client_world_run(&o.w, 100000, NULL);
    outbox_world_lose_sessions(&o, 0);
    REACH(known, GAP_OUTBOX_SENT, 120 * SECOND);
    ck_assert_uint_eq(outbox_world_messages(&o, "raw, known by its random_id"), 1);
    ck_assert_int_gt(message_of(known), 0);
}
END_TEST

/* All kinds while one call in three loses its session or its answer: each is done once. */
START_TEST(all_kinds_under_losses)
{
    gap_dc_options_t *dc;
    gap_outbox_stats_t stats;
    int64_t rows[4][6];
    char text[4][2][24];

    teardown();
    outbox_world_begin(&o, (uint64_t)_i);
    outbox_world_live(&o);
    dc = &o.w.dc->options;
    dc->lose_methods =
        (gap_dc_methods_t){.ids = {GAP_TL_MESSAGES_SEND_MESSAGE, GAP_TL_MESSAGES_EDIT_MESSAGE,
                                   GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE,
                                   GAP_TL_MESSAGES_SEND_REACTION, GAP_TL_MESSAGES_FORWARD_MESSAGES,
                                   GAP_TL_CHANNELS_DELETE_MESSAGES, GAP_TL_CHANNELS_GET_MESSAGES},
                           .count = 7};
    dc->lose_session = 0.33;
    for (unsigned i = 0; i < 4; i++) {
        gap_peer_t chat = outbox_world_chat(i);
        (void)snprintf(text[i][0], sizeof text[i][0], "first of %u", i);
        (void)snprintf(text[i][1], sizeof text[i][1], "second of %u", i);
        rows[i][0] = outbox_world_send(&o, chat, text[i][0]);
        rows[i][1] = outbox_world_send(&o, chat, text[i][1]);
        gap_outbox_item_t pin = {.kind = GAP_OUTBOX_PIN, .chat = chat, .message_row = rows[i][0]};
        gap_outbox_item_t edit = {.kind = GAP_OUTBOX_EDIT,
                                  .chat = chat,
                                  .message_row = rows[i][0],
                                  .content = {.text = gap_str("edited")}};
        gap_outbox_item_t react = {.kind = GAP_OUTBOX_REACT,
                                   .chat = chat,
                                   .message_row = rows[i][0],
                                   .emoji = gap_str("\xf0\x9f\x91\x8d")};
        gap_outbox_item_t del = {
            .kind = GAP_OUTBOX_DELETE, .chat = chat, .message_row = rows[i][1]};
        REACH(rows[i][1], GAP_OUTBOX_SENT, 300 * SECOND); /* or these would change the rows */
        rows[i][2] = outbox_world_put(&o, &pin);
        rows[i][3] = outbox_world_put(&o, &edit);
        rows[i][4] = outbox_world_put(&o, &react);
        rows[i][5] = outbox_world_put(&o, &del);
    }
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 6; k++) REACH(rows[i][k], GAP_OUTBOX_SENT, 600 * SECOND);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(outbox_world_messages(&o, text[i][0]), 1);
        ck_assert_uint_eq(outbox_world_messages(&o, text[i][1]), 1);
        ck_assert(
            gap_bytes_equal(outbox_world_text(&o, outbox_world_chat(i), message_of(rows[i][0])),
                            gap_str("edited")));
    }
    ck_assert_int_eq(gap_outbox_stats(o.w.client, &stats), 0);
    ck_assert_uint_gt(stats.repeated, 0);
    ck_assert_uint_eq(caused(DC_PIN), 4);
    ck_assert_uint_eq(caused(DC_DELETE_MESSAGES), 4);
    ck_assert_uint_eq(caused(DC_EDIT_MESSAGE), 4);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("outbox_calls");
    TCase *tc = tcase_create("calls");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, every_kind_goes_out);
    tcase_add_test(tc, rows_about_rows);
    tcase_add_loop_test(tc, a_refused_text, 0, GAP_ARRAY_LEN(refusals));
    tcase_add_test(tc, trouble_leaves_it_open);
    tcase_add_test(tc, a_lost_pin_is_looked_up);
    tcase_add_test(tc, a_pin_that_did_not_happen);
    tcase_add_test(tc, lost_forwards_are_repeated);
    tcase_add_test(tc, raw_calls_by_their_class);
    tcase_add_loop_test(tc, all_kinds_under_losses, 1, 6);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
