/*
 * tests/loop/test_client_watch.c - what a client shows of its updates, and what it fetches by order
 * of the program: the engine behind it, the tap, back-fills, the account's own messages. Against a
 * data centre on a thread of its own, as a bot and as a person.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "tests/loop/dc_thread.h"

#define EVENTS 300

static struct {
    int64_t channel;
    int32_t top;       /* highest id of a message in it */
    unsigned messages; /* of it, that were pushed or fetched by differences */
    unsigned filled;   /* of it, that a back-fill brought */
    int32_t filled_id; /* the last of them */
    unsigned own;
    unsigned answers;
    unsigned decisions[GAP_DECISION_COUNT];
} seen;

static int on_update(gap_update_t *update, void *data)
{
    gap_message_t m;

    (void)data;
    if (gap_message_read(update, &m) != 0 || m.edit) return 0;
    if (m.out) seen.own++;
    if (m.chat.kind != GAP_PEER_CHANNEL) return 0;
    if (seen.channel == 0) seen.channel = m.chat.id;
    if (m.chat.id != seen.channel) return 0;
    if (gap_update_via(update) == GAP_VIA_BACKFILL) {
        ck_assert(gap_update_maybe_repeated(update));
        ck_assert_int_gt(m.id, seen.filled_id);
        seen.filled_id = m.id;
        seen.filled++;
    } else {
        seen.messages++;
        if (m.id > seen.top) seen.top = m.id;
    }
    return 0;
}

static void on_decision(void *data, const gap_engine_decision_t *d)
{
    (void)data;
    seen.decisions[d->kind]++;
}

struct bench {
    dc_thread_t dc;
    uv_loop_t loop;
    gap_client_config_t config;
    struct account a;
};

static void bench_init(struct bench *b, bool bot)
{
    memset(b, 0, sizeof *b);
    memset(&seen, 0, sizeof seen);
    dc_thread_init(&b->dc);
    b->dc.options.traffic.events = EVENTS;
    b->dc.options.world.channels = 2;
    b->dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    b->dc.options.rate = 3000;
    b->dc.options.loss = 0.05;
    b->dc.options.duplicate = 0.05;
    dc_thread_start(&b->dc);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    b->config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = b->dc.port,
        .rsa_key = b->dc.pem,
        .api_id = 1,
        .api_hash = "hash",
        .bot_token = bot ? "1000:secret" : NULL,
        .gap_wait_ms = 50,
        .tap = on_decision,
    };
    account_init(&b->a, &b->loop);
    b->a.on_update = on_update;
    if (bot) return;
    b->a.phone = "9996621234";
    b->a.code = "22222";
}

static void bench_start(struct bench *b)
{
    account_open(&b->a, &b->config);
    ck_assert_ptr_null(gap_client_engine(b->a.client));
    account_start(&b->a);
    ck_assert_msg(account_until(&b->loop, &b->a.updates, EVENTS, ACCOUNT_WAIT_MS), "%u of %d",
                  b->a.updates, EVENTS);
    ck_assert_ptr_nonnull(gap_client_engine(b->a.client));
}

static void bench_fini(struct bench *b)
{
    account_close(&b->a);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    dc_thread_stop(&b->dc);
}

/* Everything that a channel ever had, once more: by id for a bot, from the history for a person. */
START_TEST(test_whole_channel_again)
{
    static struct bench b;
    gap_engine_sequence_t s;
    uint64_t missing;

    bench_init(&b, _i == 0);
    bench_start(&b);
    account_run(&b.loop, 300);
    gap_engine_t *engine = gap_client_engine(b.a.client);
    ck_assert_int_ne(seen.channel, 0);
    ck_assert(gap_engine_sequence(engine, GAP_SEQUENCE_CHANNEL, seen.channel, &s));
    ck_assert_uint_eq(s.applied, seen.messages);
    ck_assert_int_eq(s.last_id, seen.top);
    ck_assert_uint_eq(gap_engine_lag(engine, &missing), 0);
    ck_assert_uint_eq(missing, 0);
    ck_assert_int_eq(gap_engine_backfill(engine, seen.channel, 0, seen.top), 0);
    account_await(&b.a, GAP_CLIENT_BACKFILLED);
    ck_assert_int_eq(b.a.error[GAP_CLIENT_BACKFILLED], 0);
    ck_assert_uint_eq(seen.filled, seen.messages);
    ck_assert_int_eq(seen.filled_id, seen.top);
    ck_assert_uint_eq(seen.decisions[GAP_DECISION_BACKFILLED], seen.filled);
    ck_assert_uint_gt(seen.decisions[GAP_DECISION_APPLIED], 0);
    ck_assert_uint_gt(seen.decisions[GAP_DECISION_DUPLICATE], 0);
    ck_assert_uint_gt(seen.decisions[GAP_DECISION_FILLED], 0);
    gap_client_stop(b.a.client);
    ck_assert_ptr_null(gap_client_engine(b.a.client));
    bench_fini(&b);
}
END_TEST

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    (void)client;
    (void)data;
    ck_assert_int_eq(result->status, 0);
    seen.answers++;
}

static void send_to_channel(struct bench *b)
{
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    gap_tl_messages_send_message_t q;
    gap_peer_t peer = {seen.channel, GAP_PEER_CHANNEL};

    memset(&q, 0, sizeof q);
    ck_assert_int_eq(gap_client_input_peer(b->a.client, peer, storage, &q.peer), 0);
    q.message = gap_str("mine");
    q.random_id = 4711;
    ck_assert_int_eq(gap_tl_messages_send_message(b->a.client, &q, on_answer, NULL), 0);
    ck_assert(account_until(&b->loop, &seen.answers, 1, ACCOUNT_WAIT_MS));
    account_run(&b->loop, 300);
}

/* S64 over the wire: with the option own sends reach no handler, without it they do, once; they
 * leave no gap in either case. */
START_TEST(test_own_messages)
{
    static struct bench b;
    gap_engine_sequence_t s;

    bench_init(&b, true);
    b.config.no_own_updates = _i == 1;
    bench_start(&b);
    account_run(&b.loop, 300);
    send_to_channel(&b);
    ck_assert_uint_eq(seen.own, _i == 1 ? 0 : 1);
    ck_assert_uint_eq(seen.decisions[GAP_DECISION_OWN] > 0, _i == 1);
    ck_assert(
        gap_engine_sequence(gap_client_engine(b.a.client), GAP_SEQUENCE_CHANNEL, seen.channel, &s));
    ck_assert_int_gt(s.last_id, seen.top - (_i == 1 ? 0 : 1));
    ck_assert_uint_eq(s.missing, 0);
    bench_fini(&b);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("client_watch");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, test_whole_channel_again, 0, 2);
    tcase_add_loop_test(t, test_own_messages, 0, 2);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
