/*
 * tests/loop/test_client_links.c - a client and two data centres: calls at the other one, files,
 * what is sent elsewhere by X_MIGRATE, accounts that move, and what goes wrong on the way.
 */
#include "tests/loop/two_dcs.h"

#include "base/bytes.h"

START_TEST(test_a_call_at_another_data_centre)
{
    bench_init();
    bench_start();
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    const struct answer *file = call_at(4, GAP_CONNECTION_MEDIA, a_file());
    const struct answer *other = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    check_made_at(graph, 4);
    check_made_at(file, 4);
    check_made_at(other, 4);
    /* All waited for one import. */
    ck_assert_uint_eq(calls(2, "auth.exportAuthorization", NULL), 1);
    ck_assert_uint_eq(calls(4, "auth.importAuthorization", NULL), 1);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_CONNECTED], 1);
    bench_fini();
}
END_TEST

START_TEST(test_at_home)
{
    bench_init();
    bench_start();
    const struct answer *graph = call_at(0, GAP_CONNECTION_MAIN, a_graph());
    const struct answer *same = call_at(2, GAP_CONNECTION_MAIN, a_graph());
    const struct answer *file = call_at(0, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    check_made_at(graph, 2);
    check_made_at(same, 2);
    check_made_at(file, 2);
    ck_assert_uint_eq(calls(2, "auth.exportAuthorization", NULL), 0);
    bench_fini();
}
END_TEST

START_TEST(test_single_queries_are_sent_elsewhere)
{
    bench_init();
    play("answer always upload.getFile migrate FILE 4\n"
         "answer always stats.loadAsyncGraph migrate STATS 4\n");
    bench_start();
    const struct answer *file = call(a_file());
    const struct answer *graph = call(a_graph());
    await_all();
    check_made_at(file, 4);
    check_made_at(graph, 4);
    ck_assert_uint_eq(calls(2, "upload.getFile", "FILE_MIGRATE_4"), 1);
    ck_assert_uint_eq(calls(4, "auth.importAuthorization", NULL), 1);
    /* Nothing is remembered: the next one asks at home again. */
    file = call(a_file());
    await_all();
    check_made_at(file, 4);
    ck_assert_uint_eq(calls(2, "upload.getFile", "FILE_MIGRATE_4"), 2);
    bench_fini();
}
END_TEST

START_TEST(test_a_restart_keeps_key_and_authorisation)
{
    bench_init();
    bench_start();
    (void)call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    account_close(&b.a);
    run_to(GAP_CLIENT_CAUGHT_UP);
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    check_made_at(graph, 4);
    ck_assert_uint_eq(calls(2, "auth.exportAuthorization", NULL), 1);
    ck_assert_uint_eq(calls(4, "auth.importAuthorization", NULL), 1);
    bench_fini();
}
END_TEST

START_TEST(test_an_account_that_moves)
{
    bench_init();
    play("await stats.loadAsyncGraph 20000\n"
         "move 4\n");
    bench_start();
    (void)call(a_graph());
    await_all();
    account_run(&b.loop, 300);
    const struct answer *first = call(a_graph());
    const struct answer *second = call(a_graph());
    await_all();
    check_made_at(first, 4);
    check_made_at(second, 4);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_CONNECTED], 2);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_OUT], 0);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_ERROR], 0);
    const struct answer *third = call(a_graph());
    await_all();
    check_made_at(third, 4);
    account_close(&b.a);
    run_to(GAP_CLIENT_CAUGHT_UP);
    third = call(a_graph());
    await_all();
    check_made_at(third, 4);
    bench_fini();
}
END_TEST

/* ---- what goes wrong there --------------------------------------------------------------------
 */

static const struct {
    const char *script;
    int32_t at; /* 0: gap_client_call */
    int status;
    const char *error; /* GAP_E_RPC */
    int32_t made_at;
    unsigned exports;
    const char *why;
} troubles[] = {
    {"at 4 answer stats.loadAsyncGraph revoke\n", 4, 0, "", 4, 2, "let in anew"},
    {"at 4 answer stats.loadAsyncGraph error 401 AUTH_KEY_UNREGISTERED\n", 4, 0, "", 4, 2,
     "let in anew"},
    {"at 4 answer stats.loadAsyncGraph duplicate\n", 4, 0, "", 4, 2, "with a new key"},
    {"at 4 answer stats.loadAsyncGraph error 401 AUTH_KEY_INVALID\n", 4, 0, "", 4, 2,
     "with a new key"},
    {"at 4 answer always stats.loadAsyncGraph revoke\n", 4, GAP_E_RPC, "SESSION_REVOKED", 0, 2,
     "once, then it is told"},
    {"at 4 answer always stats.loadAsyncGraph error 401 AUTH_KEY_INVALID\n", 4, GAP_E_RPC,
     "AUTH_KEY_INVALID", 0, 2, "once, then it is told"},
    {"at 2 answer auth.exportAuthorization error 400 DC_ID_INVALID\n", 4, GAP_E_RPC,
     "DC_ID_INVALID", 0, 1, "the export's error is the call's"},
    {"at 2 answer auth.exportAuthorization error 400 DC_ID_INVALID\n"
     "answer stats.loadAsyncGraph migrate STATS 4\n",
     0, GAP_E_RPC, "DC_ID_INVALID", 0, 1, "the same when it was sent there"},
    {"at 4 answer auth.importAuthorization error 400 AUTH_BYTES_INVALID\n", 4, 0, "", 4, 2,
     "too old: exported anew"},
    {"at 4 answer always auth.importAuthorization error 400 AUTH_BYTES_INVALID\n", 4, GAP_E_RPC,
     "AUTH_BYTES_INVALID", 0, 2, "but not for ever"},
    {"at 4 answer auth.importAuthorization error 400 USER_ID_INVALID\n", 4, GAP_E_RPC,
     "USER_ID_INVALID", 0, 1, "the import's error is the call's"},
    {"at 4 answer stats.loadAsyncGraph error 303 STATS_MIGRATE_2\n", 4, 0, "", 2, 1, "sent home"},
    {"at 2 answer always stats.loadAsyncGraph error 303 STATS_MIGRATE_4\n"
     "at 4 answer always stats.loadAsyncGraph error 303 STATS_MIGRATE_2\n",
     0, GAP_E_RPC, "STATS_MIGRATE_2", 0, 1, "to and fro"},
    {"at 2 answer stats.loadAsyncGraph error 303 STATS_MIGRATE_9\n", 0, GAP_E_NOT_FOUND, "", 0, 0,
     "nobody knows 9"},
    {"at 2 answer stats.loadAsyncGraph error 303 NETWORK_MIGRATE_4\n", 0, GAP_E_RPC,
     "NETWORK_MIGRATE_4", 0, 0, "is for signing in"},
    {"at 2 answer stats.loadAsyncGraph error 303 USER_MIGRATE_2\n", 0, GAP_E_RPC, "USER_MIGRATE_2",
     0, 0, "it is there"},
    {"at 4 answer stats.loadAsyncGraph error 303 USER_MIGRATE_2\n", 4, 0, "", 4, 2,
     "is not a guest there: let in anew"},
    {"at 4 answer stats.loadAsyncGraph error 400 GRAPH_INVALID_RELOAD\n", 4, GAP_E_RPC,
     "GRAPH_INVALID_RELOAD", 0, 1, "an error as any"},
};

START_TEST(test_trouble)
{
    bench_init();
    play(troubles[_i].script);
    bench_start();
    const struct answer *a = troubles[_i].at == 0
                                 ? call(a_graph())
                                 : call_at(troubles[_i].at, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    ck_assert_msg(a->status == troubles[_i].status, "%s: %s %s", troubles[_i].why,
                  gap_strerror(a->status), a->rpc_name);
    ck_assert_msg(strcmp(a->rpc_name, troubles[_i].error) == 0, "%s: %s", troubles[_i].why,
                  a->rpc_name);
    ck_assert_msg(a->dc == troubles[_i].made_at, "%s: at %d", troubles[_i].why, a->dc);
    unsigned exports = calls(2, "auth.exportAuthorization", NULL);
    ck_assert_msg(exports == troubles[_i].exports, "%s: %u exports", troubles[_i].why, exports);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_OUT], 0);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_FATAL], 0);
    const struct answer *home = call_at(0, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    check_made_at(home, 2);
    bench_fini();
}
END_TEST

START_TEST(test_a_key_that_is_forgotten_there)
{
    bench_init();
    bench_start();
    (void)call_at(4, GAP_CONNECTION_MAIN, a_graph());
    (void)call_at(4, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    account_close(&b.a);
    dc_thread_stop(&b.four); /* and with it everything it knew */
    dc_thread_t fresh;
    dc_thread_init(&fresh);
    fresh.options.dc = 4;
    fresh.options.listen = b.four.options.listen;
    fresh.options.peers = b.four.options.peers;
    b.four = fresh;
    b.four.options.data = &b.four;
    b.four.rsa = fresh.rsa;
    b.four.options.rsa = &b.four.rsa;
    start_four();
    run_to(GAP_CLIENT_CAUGHT_UP);
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    const struct answer *file = call_at(4, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    check_made_at(graph, 4);
    check_made_at(file, 4);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_OUT], 0);
    ck_assert_uint_eq(calls(2, "auth.exportAuthorization", NULL), 2);
    bench_fini();
}
END_TEST

START_TEST(test_a_data_centre_that_comes_late)
{
    bench_init();
    bench_start_with_two();
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    account_run(&b.loop, 300);
    ck_assert_uint_eq(graph->count, 0);
    start_four();
    await_all();
    check_made_at(graph, 4);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_DISCONNECTED], 0); /* that is about the main one */
    bench_fini();
}
END_TEST

START_TEST(test_a_data_centre_that_does_not_come)
{
    bench_init();
    bench_start_with_two();
    b.a.client->links.join_us = 300000;
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    const struct answer *file = call_at(4, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    ck_assert_int_eq(graph->status, GAP_E_TIMEOUT);
    ck_assert_int_eq(file->status, GAP_E_TIMEOUT);
    b.a.client->links.join_us = GAP_CLIENT_JOIN_US;
    start_four();
    graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    check_made_at(graph, 4);
    bench_fini();
}
END_TEST

START_TEST(test_arguments)
{
    bench_init();
    bench_start();
    gap_client_t *c = b.a.client;
    ck_assert_int_eq(gap_client_call_at(c, 9, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL),
                     GAP_E_NOT_FOUND);
    ck_assert_int_eq(gap_client_call_at(c, -4, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL),
                     GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_client_call_at(c, 4, (gap_connection_kind_t)2, a_graph(), NULL, NULL),
                     GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_client_call_at(c, 4, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL), 0);
    gap_client_close(c, NULL, NULL);
    ck_assert_int_eq(gap_client_call_at(c, 4, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL),
                     GAP_E_CLOSED);
    b.a.client = NULL;
    (void)uv_run(&b.loop, UV_RUN_DEFAULT);
    account_init(&b.a, &b.loop);
    account_open(&b.a, &b.config);
    ck_assert_int_eq(gap_client_call_at(b.a.client, 4, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL),
                     GAP_E_STATE);
    bench_fini();
}
END_TEST

/* ---- updates ----------------------------------------------------------------------------------
 */

START_TEST(test_files_take_no_updates)
{
    bench_init();
    play("at 2 await upload.getFile 20000\n"
         "at 2 message user:1\n"
         "at 2 message user:1\n");
    bench_start();
    const struct answer *file = call_at(0, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    check_made_at(file, 2);
    ck_assert(account_until(&b.loop, &b.a.updates, 2, ACCOUNT_WAIT_MS));
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_GAP_OPENED], 0);
    ck_assert_ptr_null(strstr(b.a.log, "of updates from data centre"));
    bench_fini();
}
END_TEST

START_TEST(test_new_addresses_are_learned)
{
    char script[128];

    bench_init();
    uint16_t port = free_port();
    (void)snprintf(script, sizeof script,
                   "at 2 await stats.loadAsyncGraph 20000\n"
                   "at 2 peer-dc 4=127.0.0.1:%u\n",
                   port);
    play(script);
    start_two(port);
    run_to(GAP_CLIENT_CAUGHT_UP);
    while (!b.a.client->links.config_known) (void)uv_run(&b.loop, UV_RUN_ONCE);
    start_four();
    ck_assert_int_eq(gap_client_call_at(b.a.client, 4, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL),
                     GAP_E_NOT_FOUND);
    (void)call(a_graph());
    await_all();
    for (int i = 0; i < 200 && !client_dc_is_known(b.a.client, 4); i++) account_run(&b.loop, 20);
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    check_made_at(graph, 4);
    bench_fini();
}
END_TEST

/* ---- moving -----------------------------------------------------------------------------------
 */

START_TEST(test_an_account_that_may_not_move)
{
    bench_init();
    play("at 2 answer auth.exportAuthorization error 400 DC_ID_INVALID\n"
         "at 2 await stats.loadAsyncGraph 20000\n"
         "at 2 move 4\n");
    bench_start();
    (void)call(a_graph());
    await_all();
    account_run(&b.loop, 300);
    const struct answer *a = call(a_graph());
    await_all();
    ck_assert_int_eq(a->status, GAP_E_RPC);
    ck_assert_str_eq(a->rpc_name, "DC_ID_INVALID");
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_ERROR], 1);
    ck_assert(account_says(b.a.text[GAP_CLIENT_ERROR], "moved centre 4 DC_ID_INVALID"));
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_OUT], 0);
    a = call(a_graph()); /* and tries again */
    await_all();
    check_made_at(a, 4);
    bench_fini();
}
END_TEST

START_TEST(test_an_account_that_moves_gets_its_updates_there)
{
    bench_init();
    play("at 2 await stats.loadAsyncGraph 20000\n"
         "at 2 move 4\n"
         "at 4 message user:1\n"
         "at 4 wait 300\n"
         "at 4 message user:1\n");
    bench_start();
    (void)call(a_graph());
    (void)call_at(0, GAP_CONNECTION_MEDIA, a_file());
    (void)call_at(4, GAP_CONNECTION_MEDIA, a_file()); /* a guest so far */
    await_all();
    account_run(&b.loop, 300);
    const struct answer *graph = call(a_graph());
    const struct answer *file = call_at(0, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    check_made_at(graph, 4);
    check_made_at(file, 4);
    ck_assert_msg(account_until(&b.loop, &b.a.updates, 2, ACCOUNT_WAIT_MS), "%s", b.a.log);
    const struct answer *back = call_at(2, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    check_made_at(back, 2);
    ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_OUT], 0);
    bench_fini();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_links");
    const struct {
        const char *name;
        const TTest *tests[8];
    } cases[] = {
        {"calls",
         {test_a_call_at_another_data_centre, test_at_home, test_single_queries_are_sent_elsewhere,
          test_a_restart_keeps_key_and_authorisation, test_arguments}},
        {"trouble",
         {test_a_key_that_is_forgotten_there, test_a_data_centre_that_comes_late,
          test_a_data_centre_that_does_not_come}},
        {"updates", {test_files_take_no_updates, test_new_addresses_are_learned}},
        {"moving",
         {test_an_account_that_moves, test_an_account_that_may_not_move,
          test_an_account_that_moves_gets_its_updates_there}},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        TCase *t = tcase_create(cases[i].name);
        tcase_set_timeout(t, 120);
        for (const TTest *const *test = cases[i].tests; *test != NULL; test++)
            tcase_add_test(t, *test);
        suite_add_tcase(s, t);
    }
    TCase *each = tcase_create("each trouble");
    tcase_set_timeout(each, 60);
    tcase_add_loop_test(each, test_trouble, 0, (int)GAP_ARRAY_LEN(troubles));
    suite_add_tcase(s, each);
    return s;
}

GAP_TEST_MAIN(suite)
