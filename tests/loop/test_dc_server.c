/* tests/loop/test_dc_server.c - the data centre over real sockets, seen by a client of its own. */
#include "tests/loop/dc_client.h"

#include "base/map.h"

#include <gapless/tl_api.h>
#include <string.h>
#include <sys/socket.h>

static const struct peer_style ordinary = {PEER_INNER_DC, false, false, 2};

static gap_bytes_t simple_call(struct client *c, uint32_t id, gap_buf_t *pushes)
{
    uint32_t nothing = 0;
    return client_call(c, GAP_TL_OF(id, &nothing), pushes);
}

static void expect_error(gap_bytes_t result, int32_t code, const char *text)
{
    gap_mt_rpc_error_t e;

    ck_assert_int_gt(gap_tl_read(result, GAP_MT_RPC_ERROR, &e, sizeof e), 0);
    ck_assert_int_eq(e.error_code, code);
    ck_assert_uint_eq(e.error_message.len, strlen(text));
    ck_assert_mem_eq(e.error_message.data, text, strlen(text));
}

static gap_bytes_t get_difference(struct client *c, int32_t pts, gap_buf_t *pushes)
{
    gap_tl_updates_get_difference_t q = {.pts = pts, .date = 1, .qts = 1};
    return client_call(c, GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), pushes);
}

static const struct {
    enum wire wire;
    struct peer_style style;
    const char *why;
} handshakes[] = {
    {WIRE_INTERMEDIATE, {PEER_INNER_DC, false, false, 2}, "what most clients do"},
    {WIRE_ABRIDGED, {PEER_INNER, true, false, 0}, "no data centre named, retired padding"},
    {WIRE_FULL, {PEER_INNER, false, true, 0}, "req_pq"},
    {WIRE_PADDED, {PEER_INNER_DC, false, false, 10002}, "a test data centre's id"},
    {WIRE_INTERMEDIATE, {PEER_INNER_DC, true, false, -2}, "a media connection's id"},
};

START_TEST(test_handshake_and_ping_over_every_transport)
{
    struct dc_thread t;
    struct client c;
    struct client_message m;
    gap_buf_t ping;

    dc_thread_init(&t);
    dc_thread_start(&t);
    client_init(&c, 7);
    client_connect(&c, t.port, handshakes[_i].wire);
    client_shake_hands(&c, &handshakes[_i].style);
    gap_buf_init(&ping, gap_alloc_default());
    put32(&ping, GAP_MT_PING);
    put64(&ping, 0x1122334455667788U);
    int64_t id = client_send(&c, gap_buf_view(&ping), false);
    ck_assert_msg(client_receive(&c, &m), "%s: nothing came", handshakes[_i].why);
    ck_assert_uint_eq(gap_load32(m.body.data), GAP_MT_NEW_SESSION_CREATED);
    ck_assert_int_eq((int64_t)gap_load64(m.body.data + 4), id);
    ck_assert_int_eq((int64_t)gap_load64(m.body.data + 20), c.peer.salt);
    ck_assert(client_receive(&c, &m));
    ck_assert_uint_eq(gap_load32(m.body.data), GAP_MT_PONG);
    ck_assert_int_eq((int64_t)gap_load64(m.body.data + 4), id);
    ck_assert_uint_eq(gap_load64(m.body.data + 12), 0x1122334455667788U);
    gap_buf_fini(&ping);
    client_fini(&c);
    dc_thread_stop(&t);
}
END_TEST

START_TEST(test_calls_before_and_after_signing_in)
{
    struct dc_thread t;
    struct client c;
    gap_tl_updates_state_t state;

    dc_thread_init(&t);
    dc_thread_start(&t);
    client_init(&c, 8);
    client_connect(&c, t.port, WIRE_ABRIDGED);
    client_shake_hands(&c, &ordinary);
    expect_error(simple_call(&c, GAP_TL_UPDATES_GET_STATE, NULL), 400, "CONNECTION_NOT_INITED");
    client_sign_in(&c, 4242);
    gap_bytes_t r = simple_call(&c, GAP_TL_UPDATES_GET_STATE, NULL);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_UPDATES_STATE, &state, sizeof state), 0);
    ck_assert_int_eq(state.pts, 1);
    r = simple_call(&c, GAP_TL_HELP_GET_CONFIG, NULL);
    gap_tl_config_t config;
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_CONFIG, &config, sizeof config), 0);
    ck_assert_int_eq(config.this_dc, 2);
    ck_assert_int_ge(config.expires - config.date, 60);
    r = simple_call(&c, GAP_TL_AUTH_LOG_OUT, NULL);
    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_AUTH_LOGGED_OUT);
    expect_error(simple_call(&c, GAP_TL_UPDATES_GET_STATE, NULL), 401, "AUTH_KEY_UNREGISTERED");
    client_fini(&c);
    dc_thread_stop(&t);
}
END_TEST

/* Every pts of the pushes' updates is noted; @return how many pushes there were. */
static uint32_t count_pushes(gap_buf_t *pushes)
{
    gap_bytes_t rest = gap_buf_view(pushes);
    uint32_t count = 0;

    while (rest.len > 0) {
        int64_t n = gap_tl_skip(rest);
        ck_assert_msg(n > 0, "a push is not well formed");
        rest = gap_bytes(rest.data + n, rest.len - (size_t)n);
        count++;
    }
    return count;
}

static uint32_t count_lines(const char *ledger, const char *pattern)
{
    uint32_t count = 0;

    for (const char *p = ledger; (p = strstr(p, pattern)) != NULL; p++) count++;
    return count;
}

/* Read pushes until nothing comes for a second. */
static void collect(struct client *c, gap_buf_t *pushes)
{
    struct client_message m;

    while (client_receive(c, &m))
        if ((m.msg_id & 3) == 3 && gap_load32(m.body.data) != GAP_MT_NEW_SESSION_CREATED)
            put(pushes, m.body.data, m.body.len);
}

START_TEST(test_pushes_are_what_the_ledger_says)
{
    struct dc_thread t;
    struct client c;
    gap_buf_t pushes;

    dc_thread_init(&t);
    t.options.traffic.events = 500;
    t.options.loss = 0.05;
    t.options.reorder = 0.1;
    t.options.reorder_ms = 20;
    t.options.duplicate = 0.05;
    dc_thread_start(&t);
    client_init(&c, 9);
    gap_buf_init(&pushes, gap_alloc_default());
    client_connect(&c, t.port, WIRE_INTERMEDIATE);
    client_shake_hands(&c, &ordinary);
    client_sign_in(&c, 4242);
    (void)simple_call(&c, GAP_TL_UPDATES_GET_STATE, NULL);
    gap_bytes_t r = get_difference(&c, 1, &pushes);
    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_UPDATES_DIFFERENCE_EMPTY);
    dc_thread_wait_done(&t);
    ck_assert_uint_eq(t.events, 500);
    collect(&c, &pushes);
    char *ledger = dc_thread_ledger(&t);
    uint32_t sent = count_lines(ledger, "\"fate\":\"sent\"");
    uint32_t dropped = count_lines(ledger, "\"fate\":\"dropped\"");
    uint32_t late = count_lines(ledger, "\"fate\":\"late\"");
    uint32_t twice = count_lines(ledger, "\"fate\":\"twice\"");
    ck_assert_uint_eq(sent + dropped + late + twice, 500);
    ck_assert_uint_gt(dropped, 5);
    ck_assert_uint_gt(late, 20);
    ck_assert_uint_gt(twice, 5);
    /* A doubled push comes once more under its own msg_id and once under a new one. */
    ck_assert_uint_eq(count_pushes(&pushes), sent + late + 3 * twice);
    free(ledger);
    gap_buf_fini(&pushes);
    client_fini(&c);
    dc_thread_stop(&t);
}
END_TEST

START_TEST(test_unacked_pushes_survive_the_connection)
{
    struct dc_thread t;
    struct client c;
    struct client_message m;
    gap_buf_t pushes;
    gap_map_t ids;
    uint32_t again = 0;

    dc_thread_init(&t);
    t.options.traffic.events = 50;
    dc_thread_start(&t);
    client_init(&c, 10);
    gap_buf_init(&pushes, gap_alloc_default());
    gap_map_init(&ids, gap_alloc_default());
    client_connect(&c, t.port, WIRE_INTERMEDIATE);
    client_shake_hands(&c, &ordinary);
    client_sign_in(&c, 4242);
    (void)get_difference(&c, 1, &pushes);
    dc_thread_wait_done(&t);
    while (client_receive(&c, &m))
        if ((m.msg_id & 3) == 3) ck_assert_int_eq(gap_map_set(&ids, (uint64_t)m.msg_id, &c), 0);
    ck_assert_uint_ge(ids.count, 49);
    dc_thread_drop_connections(&t);
    ck_assert(!client_receive(&c, &m));
    client_connect(&c, t.port, WIRE_ABRIDGED);
    uint32_t ping[3] = {GAP_MT_PING, 1, 2};
    (void)client_send(&c, gap_bytes(ping, sizeof ping), false);
    while (client_receive(&c, &m))
        if (gap_map_get(&ids, (uint64_t)m.msg_id) != NULL) again++;
    ck_assert_msg(again == ids.count, "%u of %zu came again under their own ids", again, ids.count);
    gap_map_fini(&ids);
    gap_buf_fini(&pushes);
    client_fini(&c);
    dc_thread_stop(&t);
}
END_TEST

START_TEST(test_acked_pushes_do_not_come_again)
{
    struct dc_thread t;
    struct client c;
    struct client_message m;
    gap_buf_t acks;
    uint32_t count = 0;

    dc_thread_init(&t);
    t.options.traffic.events = 50;
    dc_thread_start(&t);
    client_init(&c, 11);
    gap_buf_init(&acks, gap_alloc_default());
    client_connect(&c, t.port, WIRE_INTERMEDIATE);
    client_shake_hands(&c, &ordinary);
    client_sign_in(&c, 4242);
    (void)get_difference(&c, 1, NULL);
    dc_thread_wait_done(&t);
    put32(&acks, GAP_MT_MSGS_ACK);
    put32(&acks, GAP_TL_VECTOR);
    put32(&acks, 0);
    while (client_receive(&c, &m)) {
        if ((m.seqno & 1) == 0) continue;
        put64(&acks, (uint64_t)m.msg_id);
        count++;
    }
    gap_store32(acks.data + 8, count);
    /* With an odd seqno, as one client sends them. */
    (void)client_send(&c, gap_buf_view(&acks), true);
    ck_assert_msg(!client_receive(&c, &m), "acknowledgements were answered");
    dc_thread_drop_connections(&t);
    client_connect(&c, t.port, WIRE_INTERMEDIATE);
    uint32_t ping[3] = {GAP_MT_PING, 1, 2};
    (void)client_send(&c, gap_bytes(ping, sizeof ping), false);
    ck_assert(client_receive(&c, &m));
    while (gap_load32(m.body.data) != GAP_MT_PONG) {
        ck_assert_uint_ne(gap_load32(m.body.data), GAP_TL_UPDATES);
        ck_assert(client_receive(&c, &m));
    }
    gap_buf_fini(&acks);
    client_fini(&c);
    dc_thread_stop(&t);
}
END_TEST

static const struct {
    const char *bytes;
    size_t len;
    int32_t error; /* the transport error expected; 0: the connection ends */
    const char *why;
} rubbish[] = {
    {"GET / HTTP/1.1\r\n\r\n", 18, 0, "another protocol"},
    {"\xef\x00", 2, 0, "an empty frame"},
    {"\xee\xee\xee\xee\x08\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\x08", 16, -404, "unknown key"},
    {"\xee\xee\xee\xee\xff\xff\xff\x7f", 8, -429, "a frame of two gigabytes"},
    {"\xee\xee\xee\xee\x03\x00\x00\x00zzz", 11, 0, "no multiple of four"},
    {"\xee\xee\xee\xee\x18\x00\x00\x00\0\0\0\0\0\0\0\0aaaabbbb\xff\xff\xff\x7f....", 32, -404,
     "a plain message that is longer than its frame"},
    {"\xee\xee\xee\xee\x18\x00\x00\x00\0\0\0\0\0\0\0\0aaaabbbb\x04\0\0\0....", 32, -404,
     "no question of the handshake"},
};

START_TEST(test_rubbish_is_refused)
{
    struct dc_thread t;
    struct client c;

    dc_thread_init(&t);
    dc_thread_start(&t);
    client_init(&c, 12);
    client_connect(&c, t.port, WIRE_FULL); /* no tag */
    ck_assert_int_eq(send(c.fd, rubbish[_i].bytes, rubbish[_i].len, MSG_NOSIGNAL),
                     (ssize_t)rubbish[_i].len);
    c.wire = WIRE_INTERMEDIATE;
    ssize_t n = client_receive_frame(&c);
    if (rubbish[_i].error == 0) {
        ck_assert_msg(n < 0, "%s: answered", rubbish[_i].why);
    } else {
        ck_assert_msg(n == 4, "%s: not refused", rubbish[_i].why);
        ck_assert_int_eq((int32_t)gap_load32(gap_buf_view(&c.in).data), rubbish[_i].error);
    }
    /* And the server is still there. */
    client_connect(&c, t.port, WIRE_ABRIDGED);
    client_shake_hands(&c, &ordinary);
    client_fini(&c);
    dc_thread_stop(&t);
}
END_TEST

START_TEST(test_a_server_that_is_closed_frees_everything)
{
    struct dc_thread t;
    struct client clients[8];

    dc_thread_init(&t);
    t.options.traffic.events = 100000;
    t.options.reorder = 0.5;
    t.options.reorder_ms = 5000;
    dc_thread_start(&t);
    for (size_t i = 0; i < GAP_ARRAY_LEN(clients); i++) {
        client_init(&clients[i], 20 + i);
        client_connect(&clients[i], t.port, (enum wire)(i % 4));
        if (i == 7) continue; /* one that never says a word */
        client_shake_hands(&clients[i], &ordinary);
        if (i == 6) continue;
        client_sign_in(&clients[i], 100 + (int64_t)i % 3);
        (void)get_difference(&clients[i], 1, NULL);
    }
    dc_thread_stop(&t);
    for (size_t i = 0; i < GAP_ARRAY_LEN(clients); i++) client_fini(&clients[i]);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_server");
    TCase *tc = tcase_create("server");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_handshake_and_ping_over_every_transport, 0,
                        GAP_ARRAY_LEN(handshakes));
    tcase_add_test(tc, test_calls_before_and_after_signing_in);
    tcase_add_test(tc, test_pushes_are_what_the_ledger_says);
    tcase_add_test(tc, test_unacked_pushes_survive_the_connection);
    tcase_add_test(tc, test_acked_pushes_do_not_come_again);
    tcase_add_loop_test(tc, test_rubbish_is_refused, 0, GAP_ARRAY_LEN(rubbish));
    tcase_add_test(tc, test_a_server_that_is_closed_frees_everything);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
