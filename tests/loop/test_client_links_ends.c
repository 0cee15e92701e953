/*
 * tests/loop/test_client_links_ends.c - further links of a client: their limits, and how they end,
 * at any step and when memory does.
 */
#include "tests/loop/two_dcs.h"

#include "base/bytes.h"

#include <unistd.h>

/* ---- limits and ends --------------------------------------------------------------------------
 */

START_TEST(test_an_idle_link_is_closed)
{
    bench_init();
    bench_start();
    b.a.client->links.idle_us = 200000;
    (void)call_at(4, GAP_CONNECTION_MAIN, a_graph());
    (void)call_at(0, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    ck_assert(!LIST_EMPTY(&b.a.client->links.list));
    account_run(&b.loop, 600);
    ck_assert(LIST_EMPTY(&b.a.client->links.list));
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    check_made_at(graph, 4);
    ck_assert_uint_eq(calls(4, "auth.importAuthorization", NULL), 1);
    bench_fini();
}
END_TEST

START_TEST(test_the_table_is_bounded)
{
    bench_init();
    uint16_t nobody = free_port();
    for (int32_t dc = 11; dc < 11 + GAP_CLIENT_LINKS_MAX; dc++) know(&b.two, dc, nobody, false);
    bench_start();
    (void)call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    b.asked = 0; /* what follows ends with the client */
    b.answered = 0;
    memset(b.answers, 0, sizeof b.answers);
    for (int32_t dc = 11; dc < 11 + GAP_CLIENT_LINKS_MAX; dc++) /* the idle one makes room */
        (void)call_at(dc, GAP_CONNECTION_MAIN, a_graph());
    ck_assert_int_eq(gap_client_call_at(b.a.client, 4, GAP_CONNECTION_MEDIA, a_file(), NULL, NULL),
                     GAP_E_LIMIT);
    for (unsigned i = b.asked; i < GAP_CLIENT_WAITING_MAX; i++)
        ck_assert_int_eq(
            gap_client_call_at(b.a.client, 11, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL), 0);
    ck_assert_int_eq(gap_client_call_at(b.a.client, 11, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL),
                     GAP_E_LIMIT);
    account_close(&b.a);
    for (unsigned i = 0; i < b.asked; i++) ck_assert_int_eq(b.answers[i].status, GAP_E_CLOSED);
    bench_fini();
}
END_TEST

START_TEST(test_signed_out_ends_everything)
{
    bench_init();
    play("at 4 answer always stats.loadAsyncGraph nothing\n"
         "at 2 await upload.getFile 20000\n"
         "at 2 wait 500\n"
         "at 2 revoke\n");
    bench_start();
    (void)call_at(0, GAP_CONNECTION_MEDIA, a_file());
    await_all();
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    for (int i = 0; i < 200 && calls(4, "stats.loadAsyncGraph", NULL) == 0; i++)
        account_run(&b.loop, 10);
    account_run(&b.loop, 600);
    struct answer *file = next_answer();
    int r = gap_client_call_at(b.a.client, 0, GAP_CONNECTION_MEDIA, a_file(), on_answer, file);
    if (r < 0) b.asked--; /* the main link has heard of it */
    account_await(&b.a, GAP_CLIENT_SIGNED_OUT);
    await_all();
    ck_assert_int_eq(graph->status, GAP_E_CLOSED);
    ck_assert(r < 0 || file->status != 0);
    for (size_t i = 0; i < b.a.client->session.dc_count; i++)
        ck_assert(!b.a.client->session.dcs[i].has_key);
    ck_assert_int_eq(gap_client_call_at(b.a.client, 4, GAP_CONNECTION_MAIN, a_graph(), NULL, NULL),
                     GAP_E_STATE);
    bench_fini();
}
END_TEST

/* Some calls of every kind; what can't be taken is not waited for. */
static void some_calls(void)
{
    static const struct {
        int32_t dc;
        gap_connection_kind_t kind;
    } where[] = {{4, GAP_CONNECTION_MAIN},
                 {4, GAP_CONNECTION_MEDIA},
                 {0, GAP_CONNECTION_MEDIA},
                 {0, GAP_CONNECTION_MAIN}};

    for (size_t i = 0; i < GAP_ARRAY_LEN(where); i++) {
        struct answer *a = next_answer();
        gap_tl_object_t query = i % 2 == 0 ? a_graph() : a_file();
        int r = gap_client_call_at(b.a.client, where[i].dc, where[i].kind, query, on_answer, a);
        if (r < 0) b.asked--;
    }
}

/* Everybody has been answered; forget it. */
static void all_answered(const char *what, long n)
{
    for (unsigned i = 0; i < b.asked; i++)
        ck_assert_msg(b.answers[i].count == 1, "%s %ld: call %u: %u answers", what, n, i,
                      b.answers[i].count);
    memset(b.answers, 0, sizeof b.answers);
    b.asked = 0;
    b.answered = 0;
}

/* Data centre 4 is to be joined again by the next start. */
static void forget_four(void)
{
    struct gap_session_dc *d = client_dc(b.a.client, 4);

    if (d == NULL) return;
    d->authorised = false;
    d->has_key = d->has_key && b.asked % 2 == 0;
}

START_TEST(test_close_at_any_turn)
{
    int rounds = gap_test_seeds(120);

    bench_init();
    play("answer always upload.getFile migrate FILE 4\n");
    bench_start();
    account_close(&b.a);
    for (int n = 0; n < rounds; n++) {
        run_to(GAP_CLIENT_SIGNED_IN);
        forget_four();
        some_calls();
        for (int i = 0; i < n; i++) {
            (void)uv_run(&b.loop, UV_RUN_NOWAIT);
            usleep(200);
        }
        account_close(&b.a);
        all_answered("turn", n);
    }
    bench_fini();
}
END_TEST

START_TEST(test_close_while_it_moves)
{
    int rounds = gap_test_seeds(40);

    bench_init();
    play("at 2 answer always stats.loadAsyncGraph migrate USER 4\n");
    bench_start();
    b.config.session = NULL;
    account_close(&b.a);
    for (int n = 0; n < rounds; n++) {
        run_to(GAP_CLIENT_SIGNED_IN);
        some_calls();
        (void)call(a_graph());
        for (int i = 0; i < n * 4; i++) {
            (void)uv_run(&b.loop, UV_RUN_NOWAIT);
            usleep(200);
        }
        account_close(&b.a);
        all_answered("turn", n);
    }
    bench_fini();
}
END_TEST

START_TEST(test_out_of_memory)
{
    struct fault_alloc f;
    long step = gap_test_seeds(10) < 10 ? 5 : 1;

    bench_init();
    play("answer always upload.getFile migrate FILE 4\n");
    bench_start();
    account_close(&b.a);
    b.config.alloc = &f.alloc;
    for (long n = 1; n < 600; n += n < 50 ? step : 5 * step) {
        fault_alloc_init(&f, 0);
        run_to(GAP_CLIENT_SIGNED_IN);
        forget_four();
        f.fail_at = f.calls + n;
        some_calls();
        (void)account_until(&b.loop, &b.answered, b.asked, 150); /* or it would come later */
        bool whole = f.calls < f.fail_at;
        ck_assert_uint_eq(b.a.seen[GAP_CLIENT_SIGNED_OUT], 0);
        account_close(&b.a);
        ck_assert_msg(f.live == 0, "allocation %ld: %ld blocks left", n, f.live);
        all_answered("allocation", n);
        if (whole) break;
    }
    b.config.alloc = NULL;
    run_to(GAP_CLIENT_CAUGHT_UP);
    const struct answer *graph = call_at(4, GAP_CONNECTION_MAIN, a_graph());
    await_all();
    check_made_at(graph, 4);
    bench_fini();
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("client_links_ends");
    const struct {
        const char *name;
        const TTest *tests[8];
    } cases[] = {
        {"limits", {test_an_idle_link_is_closed, test_the_table_is_bounded}},
        {"ends",
         {test_signed_out_ends_everything, test_close_at_any_turn, test_close_while_it_moves,
          test_out_of_memory}},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        TCase *t = tcase_create(cases[i].name);
        tcase_set_timeout(t, 120);
        for (const TTest *const *test = cases[i].tests; *test != NULL; test++)
            tcase_add_test(t, *test);
        suite_add_tcase(s, t);
    }
    return s;
}

GAP_TEST_MAIN(suite)
