/*
 * tests/loop/test_dc_answers.c - calls that are carried out though their answer is late, dropped,
 * or lost together with the session: over real sockets, as a client that publishes meets them.
 */
#include "tests/loop/dc_client.h"

#include <gapless/tl_api.h>
#include <string.h>

#define BOT 4242

static const struct peer_style ordinary = {PEER_INNER_DC, false, false, 2};

static struct dc_thread server;
static struct client client;
static gap_dc_script_t script;

/* A server that follows this script, and a bot that is signed in. */
static void begin(const char *text)
{
    char error[128];

    dc_thread_init(&server);
    ck_assert_msg(
        gap_dc_script_read(gap_alloc_default(), gap_str(text), &script, error, sizeof error) == 0,
        "%s", error);
    server.options.script = &script;
    dc_thread_start(&server);
    client_init(&client, 3);
    client_connect(&client, server.port, WIRE_INTERMEDIATE);
    client_shake_hands(&client, &ordinary);
    client_sign_in(&client, BOT);
}

static void end(void)
{
    client_fini(&client);
    dc_thread_stop(&server);
    gap_dc_script_fini(&script);
}

static int64_t ask_to(gap_tl_object_t peer, const char *text, int64_t random_id)
{
    gap_tl_messages_send_message_t q = {
        .peer = peer, .message = gap_str(text), .random_id = random_id};
    uint8_t bytes[256];
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &q), bytes, sizeof bytes);

    ck_assert_int_gt(n, 0);
    return client_send(&client, gap_bytes(bytes, (size_t)n), true);
}

/* Send a text to the first group; the msg_id. */
static int64_t ask(const char *text, int64_t random_id)
{
    gap_tl_input_peer_chat_t group = {DC_CHAT_ID_FIRST};

    return ask_to(GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, &group), text, random_id);
}

/* The result is the message that this random_id created. */
static void expect_message(gap_bytes_t result, int64_t random_id, int32_t id, int32_t pts_count)
{
    gap_tl_updates_t u;
    gap_tl_object_t o;
    gap_tl_update_message_id_t mid;
    gap_tl_update_new_message_t nm;

    ck_assert_int_gt(gap_tl_read(result, GAP_TL_UPDATES, &u, sizeof u), 0);
    gap_tl_iter_t it = gap_tl_iter(u.updates);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_MESSAGE_ID, &mid), 0);
    ck_assert(mid.random_id == random_id);
    ck_assert_int_eq(mid.id, id);
    ck_assert_int_eq(gap_tl_next(&it, &o), 1);
    ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_UPDATE_NEW_MESSAGE, &nm), 0);
    ck_assert_int_eq(nm.pts_count, pts_count);
}

static void expect_error(gap_bytes_t result, int32_t code, const char *text)
{
    gap_mt_rpc_error_t e;

    ck_assert_int_gt(gap_tl_read(result, GAP_MT_RPC_ERROR, &e, sizeof e), 0);
    ck_assert_int_eq(e.error_code, code);
    ck_assert(gap_bytes_equal(e.error_message, gap_str(text)));
}

/* Nothing comes that answers this query. */
static void expect_silence(int64_t msg_id)
{
    struct client_message m;

    while (client_receive(&client, &m)) {
        bool is_result = gap_load32(m.body.data) == GAP_MT_RPC_RESULT;
        ck_assert(!is_result || (int64_t)gap_load64(m.body.data + 4) != msg_id);
    }
}

static unsigned count_lines(const char *ledger, const char *pattern)
{
    unsigned count = 0;

    for (const char *p = ledger; (p = strstr(p, pattern)) != NULL; p++) count++;
    return count;
}

static void expect_in_ledger(const char *pattern, unsigned times)
{
    char *ledger = dc_thread_ledger(&server);

    ck_assert_msg(count_lines(ledger, pattern) == times, "%s is not there %u times in:\n%s",
                  pattern, times, ledger);
    free(ledger);
}

START_TEST(a_dropped_answer_leaves_the_message)
{
    begin("answer messages.sendMessage drop\n");
    expect_silence(ask("once", 77));
    expect_in_ledger("\"text\":\"once\",\"out\":true,\"random_id\":77,\"via\":\"call\"", 1);
    expect_in_ledger("\"answer\":\"dropped\"", 1);
    expect_message(client_result(&client, ask("once", 77), NULL), 77, 1, 0);
    expect_in_ledger("\"kind\":\"new_message\"", 1);
    expect_in_ledger("\"peer\":\"chat:800000001\",\"random_id\":77,\"id\":1", 2);
    end();
}
END_TEST

START_TEST(a_lost_session_leaves_the_message)
{
    struct client_message m;

    begin("answer messages.sendMessage lose-session\n");
    (void)ask("once", 77);
    while (client_receive(&client, &m))
        ck_assert_uint_ne(gap_load32(m.body.data), GAP_MT_RPC_RESULT);
    expect_in_ledger("\"answer\":\"session_lost\"", 1);
    expect_in_ledger("\"random_id\":77,\"via\":\"call\"", 1);
    client_hang_up(&client);
    client_connect(&client, server.port, WIRE_INTERMEDIATE);
    int64_t again = ask("once", 77);
    /* The session is unknown, so the server greets it once more. */
    ck_assert(client_receive(&client, &m));
    ck_assert_uint_eq(gap_load32(m.body.data), GAP_MT_NEW_SESSION_CREATED);
    ck_assert_int_eq((int64_t)gap_load64(m.body.data + 4), again);
    expect_message(client_result(&client, again, NULL), 77, 1, 0);
    expect_in_ledger("\"kind\":\"new_message\"", 1);
    end();
}
END_TEST

/* While the first call runs, the same random_id to the same peer is refused; to another peer it is
 * another message. */
START_TEST(a_call_that_still_runs_refuses_its_double)
{
    gap_tl_input_peer_chat_t other = {DC_CHAT_ID_FIRST + 1};
    gap_tl_object_t other_group = GAP_TL_OF(GAP_TL_INPUT_PEER_CHAT, &other);

    begin("answer messages.sendMessage late 600\n");
    int64_t first = ask("once", 77);
    expect_error(client_result(&client, ask("once", 77), NULL), 500, "RANDOM_ID_DUPLICATE");
    expect_message(client_result(&client, ask_to(other_group, "there", 77), NULL), 77, 2, 1);
    expect_message(client_result(&client, first, NULL), 77, 1, 1);
    expect_message(client_result(&client, ask("once", 77), NULL), 77, 1, 0);
    expect_in_ledger("\"kind\":\"new_message\"", 2);
    end();
}
END_TEST

/* By chance: what is not answered was carried out all the same, once for each random_id. */
START_TEST(answers_lost_by_chance_lose_nothing_else)
{
    const unsigned count = 12;
    unsigned answered = 0;

    dc_thread_init(&server);
    server.options.traffic.events = 0;
    server.options.drop_answer = 0.5;
    server.options.answer_ms = 20;
    dc_thread_start(&server);
    client_init(&client, 3);
    client_connect(&client, server.port, WIRE_INTERMEDIATE);
    client_shake_hands(&client, &ordinary);
    client_sign_in(&client, BOT);
    for (unsigned i = 0; i < count; i++) (void)ask("t", 100 + (int64_t)i);
    struct client_message m;
    while (client_receive(&client, &m)) answered += gap_load32(m.body.data) == GAP_MT_RPC_RESULT;
    ck_assert_uint_gt(answered, 0);
    ck_assert_uint_lt(answered, count);
    expect_in_ledger("\"answer\":\"dropped\"", count - answered);
    expect_in_ledger("\"via\":\"call\"", count);
    client_fini(&client);
    dc_thread_stop(&server);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_answers");
    TCase *tc = tcase_create("answers");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_dropped_answer_leaves_the_message);
    tcase_add_test(tc, a_lost_session_leaves_the_message);
    tcase_add_test(tc, a_call_that_still_runs_refuses_its_double);
    tcase_add_test(tc, answers_lost_by_chance_lose_nothing_else);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
