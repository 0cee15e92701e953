/*
 * tests/loop/test_dc_program.c - gapless-dc as a program: what it prints, writes and returns. The
 * program's path comes by the environment variable GAPLESS_DC.
 */
#include "tests/check_main.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct run {
    pid_t pid;
    int fd; /* its output, stderr too */
    char text[4096];
    size_t len;
};

static void start(struct run *r, const char *const *args)
{
    const char *program = getenv("GAPLESS_DC");
    char *argv[12];
    int ends[2];
    int argc = 0;

    ck_assert_msg(program != NULL, "GAPLESS_DC is not set");
    memset(r, 0, sizeof *r);
    argv[argc++] = strdup(program);
    for (; args[argc - 1] != NULL; argc++) argv[argc] = strdup(args[argc - 1]);
    argv[argc] = NULL;
    ck_assert_int_eq(pipe(ends), 0);
    r->pid = fork();
    ck_assert_int_ge(r->pid, 0);
    if (r->pid == 0) {
        (void)dup2(ends[1], 1);
        (void)dup2(ends[1], 2);
        (void)close(ends[0]);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(ends[1]);
    r->fd = ends[0];
    for (int i = 0; i < argc; i++) free(argv[i]);
}

/* Read until there is a line, or the end. */
static void read_line(struct run *r)
{
    while (strchr(r->text, '\n') == NULL && r->len + 1 < sizeof r->text) {
        ssize_t n = read(r->fd, r->text + r->len, sizeof r->text - 1 - r->len);
        if (n <= 0) return;
        r->len += (size_t)n;
    }
}

/* @return its exit status; 256 and more: a signal. */
static int finish(struct run *r)
{
    int status;

    for (ssize_t n = 1; n > 0 && r->len + 1 < sizeof r->text; r->len += n > 0 ? (size_t)n : 0)
        n = read(r->fd, r->text + r->len, sizeof r->text - 1 - r->len);
    (void)close(r->fd);
    ck_assert_int_eq(waitpid(r->pid, &status, 0), r->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static const struct {
    const char *args[6];
    int status;
    const char *says;
} failures[] = {
    {{"--loss", "7", NULL}, 2, "--loss"},
    {{"--no-such-thing", NULL}, 2, "--no-such-thing"},
    {{"--key", "/no/such/key.pem", NULL}, 1, "/no/such/key.pem"},
    {{"--key", "/dev/null", NULL}, 1, "PEM"},
    {{"--pubkey-out", "/no/such/dir/x.pem", NULL}, 1, "--pubkey-out"},
    {{"--ledger", "/no/such/dir/x.jsonl", NULL}, 1, "--ledger"},
    {{"--listen", "192.0.2.1:9", NULL}, 1, "--listen"},
    {{"--peer-dc", "4=localhost:1", NULL}, 2, "4=127.0.0.1:4431"},
    {{"--peer-dc", "2=127.0.0.1:1", NULL}, 2, "--dc"},
    {{"--bots-dc", "4", NULL}, 2, "--peer-dc 4="},
    {{"--peer-dc-file", "/dev/zero", NULL}, 1, "--peer-dc-file"},
    {{"--peer-dc-file", "/", NULL}, 1, "choose another --peer-dc-file"},
    {{"--peer-dc-file", "/no/such/dir/x", NULL}, 1, "choose another --peer-dc-file"},
    {{"--peer-dc-file", "x", "--listen", "[::]:0", NULL}, 2, "--listen on the one"},
};

START_TEST(test_failures_take_one_line)
{
    struct run r;

    start(&r, failures[_i].args);
    int status = finish(&r);
    ck_assert_msg(status == failures[_i].status, "%d: %s", status, r.text);
    ck_assert_msg(strstr(r.text, failures[_i].says) != NULL, "%s", r.text);
    ck_assert_msg(strchr(r.text, '\n') == r.text + r.len - 1, "one line: %s", r.text);
}
END_TEST

START_TEST(test_ready_then_ended_by_a_signal)
{
    static const int signals[] = {SIGTERM, SIGINT};
    char pubkey[64];
    char ledger[64];
    char pem[64] = "";
    struct run r;

    (void)snprintf(pubkey, sizeof pubkey, "/tmp/gapless-dc-test-%d.pem", (int)getpid());
    (void)snprintf(ledger, sizeof ledger, "/tmp/gapless-dc-test-%d.jsonl", (int)getpid());
    const char *const args[] = {"--pubkey-out", pubkey, "--ledger", ledger, NULL};
    start(&r, args);
    read_line(&r);
    ck_assert_msg(strstr(r.text, "{\"event\":\"ready\",\"host\":\"127.0.0.1\",\"port\":") == r.text,
                  "%s", r.text);
    ck_assert_ptr_nonnull(strstr(r.text, ",\"dc\":2,\"pubkey\":\""));
    ck_assert_ptr_nonnull(strstr(r.text, pubkey));
    FILE *f = fopen(pubkey, "r");
    ck_assert_ptr_nonnull(f);
    ck_assert_ptr_nonnull(fgets(pem, sizeof pem, f));
    (void)fclose(f);
    ck_assert_str_eq(pem, "-----BEGIN RSA PUBLIC KEY-----\n");
    ck_assert_int_eq(kill(r.pid, signals[_i]), 0);
    ck_assert_int_eq(finish(&r), 0);
    ck_assert_int_eq(unlink(pubkey), 0);
    ck_assert_int_eq(unlink(ledger), 0);
}
END_TEST

/* Data centre 4 begins after 2, and both stand in the file; SIGHUP reads it and ends nobody. */
START_TEST(test_data_centres_find_each_other)
{
    char name[64];
    char text[256] = "";
    struct run two;
    struct run four;

    (void)snprintf(name, sizeof name, "/tmp/gapless-dc-test-%d.dcs", (int)getpid());
    const char *const first[] = {"--dc", "2", "--peer-dc-file", name, NULL};
    const char *const second[] = {"--dc", "4", "--peer-dc-file", name, NULL};
    start(&two, first);
    read_line(&two);
    start(&four, second);
    read_line(&four);
    FILE *f = fopen(name, "r+");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, f), 0);
    ck_assert_msg(strncmp(text, "2=127.0.0.1:", 12) == 0, "%s", text);
    ck_assert_msg(strstr(text, "\n4=127.0.0.1:") != NULL, "%s", text);
    ck_assert_int_eq(fseek(f, 0, SEEK_SET), 0);
    ck_assert_int_gt(fputs("hello", f), 0);
    ck_assert_int_eq(fclose(f), 0);
    two.len = 0;
    memset(two.text, 0, sizeof two.text);
    ck_assert_int_eq(kill(two.pid, SIGHUP), 0);
    read_line(&two);
    ck_assert_msg(strstr(two.text, "line 1 is no address") != NULL, "%s", two.text);
    ck_assert_int_eq(kill(two.pid, SIGTERM), 0);
    ck_assert_int_eq(kill(four.pid, SIGTERM), 0);
    ck_assert_int_eq(finish(&two), 0);
    ck_assert_int_eq(finish(&four), 0);
    ck_assert_int_eq(unlink(name), 0);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_program");
    TCase *tc = tcase_create("program");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, test_failures_take_one_line, 0,
                        (int)(sizeof failures / sizeof failures[0]));
    tcase_add_test(tc, test_data_centres_find_each_other);
    tcase_add_loop_test(tc, test_ready_then_ended_by_a_signal, 0, 2);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
