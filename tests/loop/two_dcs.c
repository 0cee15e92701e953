/* tests/loop/two_dcs.c - see two_dcs.h. */
#include "tests/loop/two_dcs.h"

#include "base/bytes.h"

#include <unistd.h>

#define TOKEN "4242:secret"

struct bench b;

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
unsigned calls(unsigned dc, const char *method, const char *error)
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

void know(dc_thread_t *d, int32_t id, uint16_t port, bool media)
{
    const gap_dc_peer_t peer = {id, {.ip = {127, 0, 0, 1}, .port = port}, media};
    ck_assert_int_eq(gap_dc_peers_add(&d->options.peers, &peer), 0);
}

void start_four(void)
{
    dc_thread_start(&b.four);
    b.four_runs = true;
}

/* Data centre 2 has to know 4 before it is started and the other way round, so one port is found
 * first. */
uint16_t free_port(void)
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

void bench_init(void)
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

void play(const char *text)
{
    char error[256] = "";

    ck_assert_msg(
        gap_dc_script_read(gap_alloc_default(), gap_str(text), &b.script, error, sizeof error) == 0,
        "%s", error);
    b.scripted = true;
    b.two.options.script = &b.script;
    b.four.options.script = &b.script;
}

void start_two(uint16_t port)
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

void run_to(gap_event_kind_t kind)
{
    account_init(&b.a, &b.loop);
    account_open(&b.a, &b.config);
    account_start(&b.a);
    account_await(&b.a, kind);
}

/* The client is there, 4 is not yet. */
void bench_start_with_two(void)
{
    uint16_t port = free_port();

    know(&b.two, 4, port, false);
    start_two(port);
    run_to(GAP_CLIENT_CAUGHT_UP);
    /* The table of data centres is asked for when the account is signed in. */
    while (!b.a.client->links.config_known) (void)uv_run(&b.loop, UV_RUN_ONCE);
}

void bench_start(void)
{
    bench_start_with_two();
    start_four();
}

void bench_fini(void)
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

void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
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

struct answer *next_answer(void)
{
    ck_assert_uint_lt(b.asked, CALLS_MAX);
    return &b.answers[b.asked++];
}

gap_tl_object_t a_graph(void)
{
    static gap_tl_stats_load_async_graph_t q;

    q = (gap_tl_stats_load_async_graph_t){.token = gap_str("any")};
    return GAP_TL_OF(GAP_TL_STATS_LOAD_ASYNC_GRAPH, &q);
}

gap_tl_object_t a_file(void)
{
    static gap_tl_input_document_file_location_t where;
    static gap_tl_upload_get_file_t q;

    where = (gap_tl_input_document_file_location_t){.id = 7};
    q = (gap_tl_upload_get_file_t){
        .location = GAP_TL_OF(GAP_TL_INPUT_DOCUMENT_FILE_LOCATION, &where), .limit = 4096};
    return GAP_TL_OF(GAP_TL_UPLOAD_GET_FILE, &q);
}

struct answer *call_at(int32_t dc, gap_connection_kind_t kind, gap_tl_object_t query)
{
    struct answer *a = next_answer();

    ck_assert_int_eq(gap_client_call_at(b.a.client, dc, kind, query, on_answer, a), 0);
    ck_assert_uint_eq(a->count, 0);
    return a;
}

struct answer *call(gap_tl_object_t query)
{
    struct answer *a = next_answer();

    ck_assert_int_eq(gap_client_call(b.a.client, query, on_answer, a), 0);
    ck_assert_uint_eq(a->count, 0);
    return a;
}

void await_all(void)
{
    ck_assert_msg(account_until(&b.loop, &b.answered, b.asked, ACCOUNT_WAIT_MS), "%u of %u answers",
                  b.answered, b.asked);
}

void check_made_at(const struct answer *a, int32_t dc)
{
    ck_assert_msg(a->status == 0, "%s %s", gap_strerror(a->status), a->rpc_name);
    ck_assert_int_eq(a->dc, dc);
}
