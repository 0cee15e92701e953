/*
 * tests/loop/test_client_links.c - a client and two data centres: calls at the other one, files,
 * what is sent elsewhere by X_MIGRATE, accounts that move, and what goes wrong on the way.
 */
#include "tests/loop/account.h"
#include "tests/loop/dc_thread.h"

#include "base/bytes.h"
#include "client/client.h"

#include <unistd.h>

#define BOT        INT64_C(4242)
#define TOKEN      "4242:secret"
#define CALLS_MAX  64
#define LEDGER_MAX (1U << 20)

/* ---- two data centres -------------------------------------------------------------------------
 */

/* What a data centre wrote; it is read only when nothing is written. */
struct book {
    pthread_mutex_t lock;
    char text[LEDGER_MAX];
    size_t len;
};

struct answer {
    unsigned count; /* of callbacks: one */
    int status;
    int32_t rpc_code;
    char rpc_name[64];
    int32_t dc; /* which data centre made it; 0: it does not say */
};

struct bench {
    dc_thread_t two;
    dc_thread_t four;
    bool four_runs;
    gap_dc_script_t script;
    bool scripted;
    struct book book[2];
    uv_loop_t loop;
    gap_client_config_t config;
    struct account a;
    struct answer answers[CALLS_MAX];
    unsigned asked;
    unsigned answered;
    char folder[64];
    char session[96];
};

static struct bench b; /* a large one */

static int on_ledger(void *data, const char *line, size_t len)
{
    dc_thread_t *d = data;
    struct book *k = &b.book[d == &b.two ? 0 : 1];

    pthread_mutex_lock(&k->lock);
    ck_assert_uint_lt(k->len + len, LEDGER_MAX);
    memcpy(&k->text[k->len], line, len);
    k->len += len;
    k->text[k->len] = 0;
    pthread_mutex_unlock(&k->lock);
    return 0;
}

/* How often a method was called at a data centre; with @p error: and answered so. */
static unsigned calls(unsigned dc, const char *method, const char *error)
{
    struct book *k = &b.book[dc == 2 ? 0 : 1];
    unsigned count = 0;
    char name[96];
    char end[96];

    (void)snprintf(name, sizeof name, "\"method\":\"%s\"", method);
    (void)snprintf(end, sizeof end, "\"error\":\"%s\"", error == NULL ? "" : error);
    pthread_mutex_lock(&k->lock);
    for (const char *line = k->text; *line != 0; line = strchr(line, '\n') + 1) {
        const char *next = strchr(line, '\n');
        const char *at = strstr(line, name);
        const char *why = strstr(line, end);
        count += at != NULL && at < next && (error == NULL || (why != NULL && why < next));
    }
    pthread_mutex_unlock(&k->lock);
    return count;
}

static void know(dc_thread_t *d, int32_t id, uint16_t port, bool media)
{
    const gap_dc_peer_t peer = {id, {.ip = {127, 0, 0, 1}, .port = port}, media};
    ck_assert_int_eq(gap_dc_peers_add(&d->options.peers, &peer), 0);
}

static void start_four(void)
{
    dc_thread_start(&b.four);
    b.four_runs = true;
}

/* Data centre 2 has to know 4 before it is started and the other way round, so one port is found
 * first. */
static uint16_t free_port(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    (void)close(fd);
    return ntohs(in.sin_port);
}

static void bench_init(void)
{
    memset(&b, 0, sizeof b);
    (void)snprintf(b.folder, sizeof b.folder, "/tmp/gapless-links-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b.folder));
    (void)snprintf(b.session, sizeof b.session, "%s/session", b.folder);
    dc_thread_init(&b.two);
    dc_thread_init(&b.four);
    b.two.options.ledger = on_ledger;
    b.four.options.ledger = on_ledger;
    b.four.options.dc = 4;
    for (int i = 0; i < 2; i++) ck_assert_int_eq(pthread_mutex_init(&b.book[i].lock, NULL), 0);
    ck_assert_int_eq(uv_loop_init(&b.loop), 0);
}

static void play(const char *text)
{
    char error[256] = "";

    ck_assert_msg(
        gap_dc_script_read(gap_alloc_default(), gap_str(text), &b.script, error, sizeof error) == 0,
        "%s", error);
    b.scripted = true;
    b.two.options.script = &b.script;
    b.four.options.script = &b.script;
}

static void start_two(uint16_t port)
{
    b.four.options.listen = (gap_addr_t){.ip = {127, 0, 0, 1}, .port = port};
    dc_thread_start(&b.two);
    know(&b.four, 2, b.two.port, false);
    b.config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = b.two.port,
        .rsa_key = b.two.pem,
        .api_id = 7,
        .api_hash = "app hash",
        .bot_token = TOKEN,
        .session = b.session,
    };
}

static void run_to(gap_event_kind_t kind)
{
    account_init(&b.a, &b.loop);
    account_open(&b.a, &b.config);
    account_start(&b.a);
    account_await(&b.a, kind);
}

/* The client is there, 4 is not yet. */
static void bench_start_with_two(void)
{
    uint16_t port = free_port();

    know(&b.two, 4, port, false);
    start_two(port);
    run_to(GAP_CLIENT_CAUGHT_UP);
    /* The table of data centres is asked for when the account is signed in. */
    while (!b.a.client->links.config_known) (void)uv_run(&b.loop, UV_RUN_ONCE);
}

static void bench_start(void)
{
    bench_start_with_two();
    start_four();
}

static void bench_fini(void)
{
    char lock[128];

    if (b.a.client != NULL) account_close(&b.a);
    (void)uv_run(&b.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b.loop), 0);
    for (unsigned i = 0; i < b.asked; i++) ck_assert_uint_eq(b.answers[i].count, 1);
    if (b.four_runs) dc_thread_stop(&b.four);
    dc_thread_stop(&b.two);
    if (b.scripted) gap_dc_script_fini(&b.script);
    for (int i = 0; i < 2; i++) pthread_mutex_destroy(&b.book[i].lock);
    (void)snprintf(lock, sizeof lock, "%s.lock", b.session);
    (void)unlink(lock);
    (void)unlink(b.session);
    ck_assert_int_eq(rmdir(b.folder), 0);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

/* Pieces of files and graphs say "data centre N". */
static int32_t made_at(gap_bytes_t bytes)
{
    static const char words[] = "data centre ";
    const size_t len = sizeof words - 1;

    for (size_t i = 0; i + len < bytes.len; i++)
        if (memcmp(bytes.data + i, words, len) == 0) return bytes.data[i + len] - '0';
    return 0;
}

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct answer *a = data;

    ck_assert_ptr_eq(client, b.a.client);
    a->count++;
    a->status = result->status;
    a->rpc_code = result->rpc_code;
    (void)snprintf(a->rpc_name, sizeof a->rpc_name, "%s", result->rpc_name);
    if (result->status == 0) a->dc = made_at(gap_tl_bytes(result->object));
    b.answered++;
}

static struct answer *next_answer(void)
{
    ck_assert_uint_lt(b.asked, CALLS_MAX);
    return &b.answers[b.asked++];
}

static gap_tl_object_t a_graph(void)
{
    static gap_tl_stats_load_async_graph_t q;

    q = (gap_tl_stats_load_async_graph_t){.token = gap_str("any")};
    return GAP_TL_OF(GAP_TL_STATS_LOAD_ASYNC_GRAPH, &q);
}

static gap_tl_object_t a_file(void)
{
    static gap_tl_input_document_file_location_t where;
    static gap_tl_upload_get_file_t q;

    where = (gap_tl_input_document_file_location_t){.id = 7};
    q = (gap_tl_upload_get_file_t){
        .location = GAP_TL_OF(GAP_TL_INPUT_DOCUMENT_FILE_LOCATION, &where), .limit = 4096};
    return GAP_TL_OF(GAP_TL_UPLOAD_GET_FILE, &q);
}

static struct answer *call_at(int32_t dc, gap_connection_kind_t kind, gap_tl_object_t query)
{
    struct answer *a = next_answer();

    ck_assert_int_eq(gap_client_call_at(b.a.client, dc, kind, query, on_answer, a), 0);
    ck_assert_uint_eq(a->count, 0);
    return a;
}

static struct answer *call(gap_tl_object_t query)
{
    struct answer *a = next_answer();

    ck_assert_int_eq(gap_client_call(b.a.client, query, on_answer, a), 0);
    ck_assert_uint_eq(a->count, 0);
    return a;
}

static void await_all(void)
{
    ck_assert_msg(account_until(&b.loop, &b.answered, b.asked, ACCOUNT_WAIT_MS), "%u of %u answers",
                  b.answered, b.asked);
}

static void check_made_at(const struct answer *a, int32_t dc)
{
    ck_assert_msg(a->status == 0, "%s %s", gap_strerror(a->status), a->rpc_name);
    ck_assert_int_eq(a->dc, dc);
}

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
    long step = 10 / gap_test_seeds(10);

    bench_init();
    play("answer always upload.getFile migrate FILE 4\n");
    bench_start();
    account_close(&b.a);
    b.config.alloc = &f.alloc;
    for (long n = 1; n < 400; n += step) {
        fault_alloc_init(&f, 0);
        run_to(GAP_CLIENT_SIGNED_IN);
        forget_four();
        b.a.client->links.join_us = 400000;
        f.fail_at = f.calls + n;
        some_calls();
        for (int i = 0; b.answered < b.asked && i < 400; i++) {
            if (b.a.seen[GAP_CLIENT_FATAL] > 0 || b.a.seen[GAP_CLIENT_DISCONNECTED] > 0) break;
            (void)uv_run(&b.loop, UV_RUN_ONCE);
        }
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
        {"limits and ends",
         {test_an_idle_link_is_closed, test_the_table_is_bounded, test_signed_out_ends_everything,
          test_close_at_any_turn, test_close_while_it_moves, test_out_of_memory}},
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
