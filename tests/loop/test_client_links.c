/*
 * tests/loop/test_client_links.c - a client and two data centres: calls at the other one, files,
 * what is sent elsewhere by X_MIGRATE, accounts that move, and what goes wrong on the way.
 */
#include "tests/loop/account.h"
#include "tests/loop/dc_thread.h"

#include "base/bytes.h"

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

static void start_servers(void)
{
    uint16_t port = free_port();

    b.four.options.listen = (gap_addr_t){.ip = {127, 0, 0, 1}, .port = port};
    know(&b.two, 4, port, false);
    dc_thread_start(&b.two);
    know(&b.four, 2, b.two.port, false);
    dc_thread_start(&b.four);
    b.four_runs = true;
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

static void bench_start(void)
{
    start_servers();
    run_to(GAP_CLIENT_CAUGHT_UP);
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

static Suite *suite(void)
{
    Suite *s = suite_create("client_links");
    TCase *t = tcase_create("links");

    tcase_set_timeout(t, 120);
    tcase_add_test(t, test_a_call_at_another_data_centre);
    tcase_add_test(t, test_at_home);
    tcase_add_test(t, test_single_queries_are_sent_elsewhere);
    tcase_add_test(t, test_a_restart_keeps_key_and_authorisation);
    tcase_add_test(t, test_an_account_that_moves);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(suite)
