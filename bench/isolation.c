/*
 * bench/isolation.c - what one channel's slow difference costs everybody else: nothing. A data
 * centre of our own, in a process of its own and reached by loopback, answers the differences of
 * one channel after a second; meanwhile it pushes messages to another one. Measured is the time
 * from just before the server wrote such a message (its ledger says when) to the handler, of those
 * that were handled while a difference was on its way.
 */
#include "bench/bench.h"

#include "base/bytes.h"

#include <gapless/gapless.h>
#include <gapless/uv.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#define SLOW_MS    1000 /* of the slow channel's differences */
#define SAMPLES    1000
#define PACE_MS    4
#define ROUND_MS   2000 /* a round: one update of the slow channel is lost, one difference */
#define PER_ROUND  (ROUND_MS / PACE_MS)
#define ROUNDS     6
#define PATIENCE_S 60
#define MESSAGES   (ROUNDS * PER_ROUND)

struct run {
    struct bench *b;
    uv_loop_t loop;
    uv_timer_t patience;
    gap_client_t *client;
    uint32_t rounds;
    uint32_t pushed; /* messages of the other channel that the script makes */
    bool open;       /* the slow channel has a gap */
    uint32_t seen;
    bool late;
    uint64_t handled_us[MESSAGES]; /* CLOCK_REALTIME; 0: not while a difference was on its way */
    char folder[64];
    char key[8192];
    int port;
    pid_t server;
};

static uint64_t real_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

static void path_of(const struct run *r, const char *name, char out[96])
{
    (void)snprintf(out, 96, "%s/%s", r->folder, name);
}

/* ---- the server ---- */

static void write_script(const struct run *r)
{
    char path[96];
    uint32_t n = 0;

    path_of(r, "script", path);
    FILE *f = fopen(path, "w");
    bench_must(f == NULL ? GAP_E_STORAGE : 0, "writing the script");
    (void)fprintf(f, "answer always getChannelDifference channel:1 late %d\n", SLOW_MS);
    (void)fputs("wait 300\nmessage channel:1\nmessage channel:2 first\nwait 300\n", f);
    for (uint32_t i = 0; i < r->rounds; i++) {
        (void)fputs("drop message channel:1\nmessage channel:1\n", f);
        for (uint32_t k = 0; k < r->pushed / r->rounds; k++)
            (void)fprintf(f, "message channel:2 number %" PRIu32 "\nwait %d\n", n++, PACE_MS);
    }
    bench_must(fclose(f) == 0 ? 0 : GAP_E_STORAGE, "writing the script");
}

static _Noreturn void be_server(const struct run *r, int out)
{
    char self[4096];
    char script[96], key[96], ledger[96];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 16);

    /* It goes when this program goes, however that ends. */
    if (n <= 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0) _exit(127);
    self[n] = 0;
    char *name = strrchr(self, '/');
    (void)memcpy(name + 1, "gapless-dc", sizeof "gapless-dc");
    path_of(r, "script", script);
    path_of(r, "key", key);
    path_of(r, "ledger", ledger);
    (void)dup2(out, STDOUT_FILENO);
    (void)execl(self, self, "--script", script, "--pubkey-out", key, "--ledger", ledger,
                "--channels", "2", (char *)NULL);
    _exit(127);
}

static void start_server(struct run *r)
{
    int fds[2];
    char line[512];

    bench_must(pipe(fds) == 0 ? 0 : GAP_E_STATE, "a pipe");
    r->server = fork();
    if (r->server == 0) be_server(r, fds[1]);
    (void)close(fds[1]);
    bench_must(r->server > 0 ? 0 : GAP_E_STATE, "starting gapless-dc");
    FILE *f = fdopen(fds[0], "r");
    const char *at =
        f == NULL || fgets(line, sizeof line, f) == NULL ? NULL : strstr(line, "\"port\":");
    bench_must(at == NULL ? GAP_E_STATE : 0, "gapless-dc beside this program does not start");
    r->port = (int)strtol(at + strlen("\"port\":"), NULL, 10);
    bench_must(r->port > 0 && r->port <= UINT16_MAX ? 0 : GAP_E_PROTOCOL, "gapless-dc's port");
    char path[96];
    path_of(r, "key", path);
    FILE *key = fopen(path, "r");
    bench_must(key == NULL ? GAP_E_STORAGE : 0, "reading the server's key");
    r->key[fread(r->key, 1, sizeof r->key - 1, key)] = 0;
    (void)fclose(key);
}

static void stop_server(struct run *r)
{
    static const char *const names[] = {"script", "key", "ledger"};
    char path[96];

    (void)kill(r->server, SIGTERM);
    (void)waitpid(r->server, NULL, 0);
    for (size_t i = 0; i < GAP_ARRAY_LEN(names); i++) {
        path_of(r, names[i], path);
        (void)unlink(path);
    }
    (void)rmdir(r->folder);
}

/* ---- the client ---- */

static void on_closed(void *data)
{
    struct run *r = data;
    uv_close((uv_handle_t *)&r->patience, NULL);
}

static void end(struct run *r)
{
    if (r->client != NULL) gap_client_close(r->client, on_closed, r);
    r->client = NULL;
}

static void on_patience(uv_timer_t *timer)
{
    struct run *r = timer->data;
    r->late = true;
    end(r);
}

static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    struct run *r = data;
    uint64_t now = real_us();
    static const char before[] = "number ";
    char text[32];
    char *last;

    (void)update;
    if (message->text.len >= sizeof text) return 0;
    (void)memcpy(text, message->text.data, message->text.len);
    text[message->text.len] = 0;
    if (strncmp(text, before, sizeof before - 1) != 0) return 0;
    unsigned long n = strtoul(text + sizeof before - 1, &last, 10);
    if (last == text + sizeof before - 1 || n >= r->pushed) return 0;
    if (r->open) r->handled_us[n] = now;
    if (++r->seen == r->pushed) end(r);
    return 0;
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct run *r = data;

    (void)client;
    if (event->kind == GAP_CLIENT_GAP_OPENED) r->open = true;
    if (event->kind == GAP_CLIENT_GAP_FILLED) r->open = false;
    if (event->kind == GAP_CLIENT_FATAL) bench_fail(event->error, event->text);
}

static void run_client(struct run *r)
{
    gap_client_config_t config;

    memset(&config, 0, sizeof config);
    config.host = "127.0.0.1";
    config.port = (uint16_t)r->port;
    config.rsa_key = r->key;
    config.api_id = 1;
    config.api_hash = "bench";
    config.bot_token = "1:bench";
    bench_must(uv_loop_init(&r->loop), "a loop");
    bench_must(uv_timer_init(&r->loop, &r->patience), "a timer");
    r->patience.data = r;
    bench_must(uv_timer_start(&r->patience, on_patience, PATIENCE_S * 1000, 0), "a timer");
    bench_must(gap_client_open(&r->loop, &config, &r->client), "opening a client");
    gap_client_on_message(r->client, on_message, r);
    gap_client_on_event(r->client, on_event, r);
    bench_must(gap_client_start(r->client), "starting a client");
    (void)uv_run(&r->loop, UV_RUN_DEFAULT);
    bench_must(uv_loop_close(&r->loop), "closing the loop");
    bench_must(r->late ? GAP_E_TIMEOUT : 0, "waiting for the messages");
}

/* ---- the verdict ---- */

/* When the server was about to write each of them. @return how many samples. */
static size_t read_ledger(const struct run *r, double *ms)
{
    char path[96];
    char line[4096];
    size_t count = 0;

    path_of(r, "ledger", path);
    FILE *f = fopen(path, "r");
    bench_must(f == NULL ? GAP_E_STORAGE : 0, "reading the ledger");
    while (fgets(line, sizeof line, f) != NULL) {
        const char *text = strstr(line, "\"text\":\"number ");
        const char *at = strstr(line, "\"t_us\":");
        if (text == NULL || at == NULL) continue;
        unsigned long n = strtoul(text + strlen("\"text\":\"number "), NULL, 10);
        uint64_t written = strtoull(at + strlen("\"t_us\":"), NULL, 10);
        if (n >= r->pushed || r->handled_us[n] == 0) continue;
        ms[count++] = ((double)r->handled_us[n] - (double)written) / 1000;
    }
    (void)fclose(f);
    return count;
}

static void report(struct bench *b, const char *metric, double ms)
{
    bench_report(b, &(struct bench_row){"isolation", "slow_difference", metric, ms, "ms",
                                        "the aim, 1 ms", ms});
}

void bench_isolation(struct bench *b)
{
    static double ms[MESSAGES];
    static struct run r;

    memset(&r, 0, sizeof r);
    r.rounds = b->quick ? 1 : ROUNDS;
    r.pushed = b->quick ? 50 : MESSAGES;
    (void)snprintf(r.folder, sizeof r.folder, "/tmp/gapless-bench-XXXXXX");
    bench_must(mkdtemp(r.folder) == NULL ? GAP_E_STORAGE : 0, "a folder for the server's files");
    write_script(&r);
    start_server(&r);
    run_client(&r);
    size_t count = read_ledger(&r, ms);
    stop_server(&r);
    bench_must(count >= (b->quick ? 20 : SAMPLES) ? 0 : GAP_E_STATE, "too few samples");
    double median = bench_median(ms, count);
    bench_hash(b, r.pushed);
    report(b, "p50_ms", median);
    report(b, "p99_ms", ms[count * 99 / 100]);
    report(b, "max_ms", ms[count - 1]);
}
