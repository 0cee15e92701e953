/*
 * tests/loop/test_client_many.c - several accounts in one process on one loop: each with loops,
 * storage and session of its own, and what one more costs.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "tests/loop/dc_thread.h"

#include <malloc.h>
#include <sys/wait.h>
#include <unistd.h>

static gap_storage_t *storage_of(const char *path)
{
    const gap_sqlite_config_t sqlite = {.path = path};
    gap_storage_t *out = NULL;
    int r = gap_storage_has_sqlite() ? gap_storage_sqlite(NULL, &sqlite, &out)
                                     : gap_storage_memory(NULL, &out);

    ck_assert_int_eq(r, 0);
    return out;
}

static gap_client_config_t config_of(const char *pem, uint16_t port)
{
    return (gap_client_config_t){
        .host = "127.0.0.1",
        .port = port,
        .rsa_key = pem,
        .api_id = 1,
        .api_hash = "hash",
    };
}

/* ---- three at once ----------------------------------------------------------------------------
 */

#define EVENTS 300

static const struct {
    const char *token;
    const char *phone;
    int64_t id; /* 0: the server's choice */
} people[3] = {
    {"1001:secret", NULL, 1001},
    {"1002:secret", NULL, 1002},
    {NULL, "9996620001", 0},
};

static void open_one(struct account *a, dc_thread_t *dc, uv_loop_t *loop,
                     const struct account_folder *f, int i)
{
    gap_client_config_t config = config_of(dc->pem, dc->port);
    char session[128], state[128];

    (void)snprintf(session, sizeof session, "%s/%d.session", f->path, i);
    (void)snprintf(state, sizeof state, "%s/%d.db", f->path, i);
    config.session = session;
    config.storage = storage_of(state);
    config.bot_token = people[i].token;
    config.phone = people[i].phone;
    account_init(a, loop);
    a->code = "22222";
    account_open(a, &config);
    account_start(a);
}

START_TEST(test_three_accounts_on_one_loop)
{
    dc_thread_t dc;
    uv_loop_t loop;
    struct account_folder f;
    struct account a[3];

    account_folder_make(&f);
    dc_thread_init(&dc);
    dc.options.traffic.events = EVENTS;
    dc.options.traffic.kinds = 1U << DC_NEW_MESSAGE;
    dc.options.await_clients = 3;
    dc.options.rate = 1000;
    dc_thread_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    for (int i = 0; i < 3; i++) open_one(&a[i], &dc, &loop, &f, i);
    for (int i = 0; i < 3; i++) account_await(&a[i], GAP_CLIENT_CAUGHT_UP);
    int64_t person = gap_client_self(a[2].client);
    ck_assert_int_eq(gap_client_self(a[0].client), 1001);
    ck_assert_int_eq(gap_client_self(a[1].client), 1002);
    ck_assert_int_gt(person, 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_msg(account_until(&loop, &a[i].updates, 20, ACCOUNT_WAIT_MS), "%d: %u updates", i,
                      a[i].updates);
        ck_assert_uint_eq(a[i].seen[GAP_CLIENT_FATAL], 0);
    }

    /* One goes and comes back; the others don't notice. */
    unsigned before = a[0].seen[GAP_CLIENT_DISCONNECTED];
    account_close(&a[2]);
    open_one(&a[2], &dc, &loop, &f, 2);
    account_await(&a[2], GAP_CLIENT_CAUGHT_UP);
    ck_assert_uint_eq(a[2].questions, 0);
    ck_assert_int_eq(gap_client_self(a[2].client), person);
    ck_assert_uint_eq(a[0].seen[GAP_CLIENT_DISCONNECTED], before);
    ck_assert_int_eq(gap_client_log_out(a[1].client), 0);
    account_await(&a[1], GAP_CLIENT_SIGNED_OUT);
    ck_assert_int_eq(gap_client_self(a[0].client), 1001);
    ck_assert_int_eq(gap_client_self(a[2].client), person);
    for (int i = 0; i < 3; i++) account_close(&a[i]);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    dc_thread_stop(&dc);
    account_folder_remove(&f);
}
END_TEST

/* ---- what one more costs ----------------------------------------------------------------------
 * The data centre is a process of its own, so that its memory is not counted.
 */

struct child {
    pid_t pid;
    int to;
    uint16_t port;
    char pem[4096];
};

static void serve(int in, int out)
{
    dc_thread_t dc;
    char c;

    dc_thread_init(&dc);
    dc_thread_start(&dc);
    size_t len = strlen(dc.pem) + 1;
    bool told = write(out, &dc.port, sizeof dc.port) == (ssize_t)sizeof dc.port &&
                write(out, dc.pem, len) == (ssize_t)len;
    (void)close(out);
    if (told) (void)!read(in, &c, 1); /* until the parent goes */
    dc_thread_stop(&dc);
    _exit(told ? 0 : 1);
}

static void child_start(struct child *c)
{
    int to[2], from[2];
    size_t len = 0;
    ssize_t n;

    ck_assert_int_eq(pipe(to), 0);
    ck_assert_int_eq(pipe(from), 0);
    c->pid = fork();
    ck_assert_int_ge(c->pid, 0);
    if (c->pid == 0) {
        (void)close(to[1]);
        (void)close(from[0]);
        serve(to[0], from[1]);
    }
    (void)close(to[0]);
    (void)close(from[1]);
    c->to = to[1];
    ck_assert_int_eq(read(from[0], &c->port, sizeof c->port), (ssize_t)sizeof c->port);
    while ((n = read(from[0], c->pem + len, sizeof c->pem - 1 - len)) > 0) len += (size_t)n;
    c->pem[len] = 0;
    (void)close(from[0]);
}

static void child_stop(struct child *c)
{
    int status;

    (void)close(c->to);
    ck_assert_int_eq(waitpid(c->pid, &status, 0), c->pid);
    ck_assert_int_eq(status, 0);
}

static size_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long size = 0, resident = 0;

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%lu %lu", &size, &resident), 2);
    (void)fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* Counts bytes, from any thread. */
static atomic_long allocated;

static void *counting_realloc(void *ctx, void *ptr, size_t size)
{
    long before = ptr == NULL ? 0 : (long)malloc_usable_size(ptr);
    void *p = NULL;

    (void)ctx;
    if (size == 0)
        free(ptr);
    else
        p = realloc(ptr, size);
    if (size == 0 || p != NULL)
        atomic_fetch_add(&allocated, (p == NULL ? 0 : (long)malloc_usable_size(p)) - before);
    return p;
}

static const gap_alloc_t counting = {counting_realloc, NULL};

START_TEST(test_what_one_more_idle_account_costs)
{
    enum { FIRST = 10, MORE = 50, LIMIT = 256 << 10 };
    static struct account a[FIRST + MORE];
    struct child dc;
    uv_loop_t loop;
    struct account_folder f;
    size_t resident = 0;
    long bytes = 0;

    account_folder_make(&f);
    child_start(&dc);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    memset(a, 1, sizeof a); /* the test's own pages are there beforehand */
    /* Who fills what is allocated (MALLOC_PERTURB_, as `meson test` sets it) touches pages that
     * nobody uses: they are no cost. A sanitiser's heap fills nothing, and says so. */
    (void)mallopt(M_PERTURB, 0);
    for (int i = 0; i < FIRST + MORE; i++) {
        gap_client_config_t config = config_of(dc.pem, dc.port);
        char session[128], state[128], token[32];
        (void)snprintf(session, sizeof session, "%s/%d.session", f.path, i);
        (void)snprintf(state, sizeof state, "%s/%d.db", f.path, i);
        (void)snprintf(token, sizeof token, "%d:secret", 2000 + i);
        config.session = session;
        config.storage = storage_of(state);
        config.bot_token = token;
        config.alloc = &counting;
        account_init(&a[i], &loop);
        account_open(&a[i], &config);
        account_start(&a[i]);
        account_await(&a[i], GAP_CLIENT_CAUGHT_UP);
        account_run(&loop, 100); /* its first commits */
        if (i + 1 == FIRST) {
            resident = resident_bytes();
            bytes = atomic_load(&allocated);
        }
    }
    account_run(&loop, 10500); /* and the read buffers of the silent */
    size_t each = (resident_bytes() - resident) / MORE;
    long own = (atomic_load(&allocated) - bytes) / MORE;
    printf(
        "one more idle account, signed in: %zu KiB resident, of these %ld KiB from the library's "
        "allocator\n",
        each >> 10, own >> 10);
    if (getenv("GAP_SANITISED") == NULL) ck_assert_msg(each < LIMIT, "%zu bytes resident", each);
    ck_assert_msg(own < LIMIT, "%ld bytes allocated", own);
    for (int i = 0; i < FIRST + MORE; i++) account_close(&a[i]);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    ck_assert_int_eq(atomic_load(&allocated), 0);
    child_stop(&dc);
    account_folder_remove(&f);
}
END_TEST

static Suite *many_suite(void)
{
    Suite *s = suite_create("client_many");
    TCase *t = tcase_create("many");

    tcase_set_timeout(t, 200);
    tcase_add_test(t, test_three_accounts_on_one_loop);
    tcase_add_test(t, test_what_one_more_idle_account_costs);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(many_suite)
