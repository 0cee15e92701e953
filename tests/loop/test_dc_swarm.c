/*
 * tests/loop/test_dc_swarm.c - many signed-in connections, each with a key of its own, to which
 * gapless-dc pushes at a given rate: does everything come, how late, and what memory does the
 * server need? The environment: GAPLESS_DC is the program; GAP_SWARM is "CONNECTIONS,RATE,SECONDS"
 * (a small one without it). RATE counts messages a second over all connections together; each is an
 * event of its own, kept in the server's history.
 */
#include "tests/loop/dc_client.h"
#include "tests/unit/vectors_crypto.h"

#include <fcntl.h>
#include <gapless/tl_api.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TEXT_CHARS  "300"
#define RSS_MAX_KIB (256L * 1024)
#define BUCKET_US   100U /* of the latencies */
#define BUCKETS     100000U
#define ACK_EVERY   32U
#define IN_BYTES    65536U
#define FIRST_BOT   1000000
#define PATIENCE_S  20 /* over the time that the traffic takes */
#define FRAME_BYTES (1U << 20)

struct member {
    struct client client;
    gap_buf_t in; /* bytes of the stream */
    int64_t acks[ACK_EVERY];
    uint32_t ack_count;
};

struct swarm {
    uint32_t connections;
    uint32_t rate;
    uint32_t seconds;
    struct member *members;
    pid_t pid;
    FILE *says; /* the server's output */
    uint16_t port;
    char folder[32];
    uint64_t received;
    uint64_t calls;
    uint32_t *buckets;
    double last_s; /* when the last message came */
};

static double now_s(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* --- the server ------------------------------------------------------------------------------ */

static void write_key(const char *name)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(vector_rsa_private_pem, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void start_server(struct swarm *s)
{
    char numbers[3][16];
    char key[64];
    char line[256];
    int ends[2];
    const char *program = getenv("GAPLESS_DC");

    ck_assert_msg(program != NULL, "GAPLESS_DC is not set");
    (void)snprintf(s->folder, sizeof s->folder, "/tmp/gapless-swarm-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(s->folder));
    (void)snprintf(key, sizeof key, "%s/key.pem", s->folder);
    write_key(key);
    (void)snprintf(numbers[0], sizeof numbers[0], "%u", (unsigned)(s->rate * s->seconds));
    (void)snprintf(numbers[1], sizeof numbers[1], "%u", (unsigned)s->rate);
    (void)snprintf(numbers[2], sizeof numbers[2], "%u", (unsigned)s->connections);
    ck_assert_int_eq(pipe(ends), 0);
    s->pid = fork();
    ck_assert_int_ge(s->pid, 0);
    if (s->pid == 0) {
        (void)dup2(ends[1], 1);
        (void)execl(program, program, "--key", key, "--channels", "0", "--kinds", "new_message",
                    "--events", numbers[0], "--rate", numbers[1], "--await-clients", numbers[2],
                    "--text-length", TEXT_CHARS, (char *)NULL);
        _exit(127);
    }
    (void)close(ends[1]);
    ck_assert_ptr_nonnull(s->says = fdopen(ends[0], "r"));
    ck_assert_ptr_nonnull(fgets(line, sizeof line, s->says));
    const char *port = strstr(line, "\"port\":");
    ck_assert_msg(port != NULL, "%s", line);
    s->port = (uint16_t)strtoul(port + 7, NULL, 10);
    (void)unlink(key);
    (void)rmdir(s->folder);
}

/* A line of /proc/PID/status, in KiB. */
static long server_memory(const struct swarm *s, const char *name)
{
    char file[64];
    char line[128];
    long kib = -1;

    (void)snprintf(file, sizeof file, "/proc/%ld/status", (long)s->pid);
    FILE *f = fopen(file, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) kib = strtol(line + strlen(name) + 1, NULL, 10);
    (void)fclose(f);
    return kib;
}

/* --- the clients ----------------------------------------------------------------------------- */

static void join_swarm(struct swarm *s, uint32_t index)
{
    static const struct peer_style style = {PEER_INNER_DC, false, false, 2};
    struct client *c = &s->members[index].client;
    gap_tl_updates_get_difference_t q = {.pts = 1, .date = 1, .qts = 1};

    client_init(c, 77 + index);
    client_connect(c, s->port, WIRE_INTERMEDIATE);
    client_shake_hands(c, &style);
    client_sign_in(c, FIRST_BOT + index);
    gap_buf_init(&s->members[index].in, gap_alloc_default());
    /* The last one to call starts the traffic: nobody waits for these answers. */
    uint8_t body[64];
    int64_t n = gap_tl_write(GAP_TL_OF(GAP_TL_UPDATES_GET_DIFFERENCE, &q), body, sizeof body);
    ck_assert_int_gt(n, 0);
    (void)client_send(c, gap_bytes(body, (size_t)n), true);
    ck_assert_int_eq(fcntl(c->fd, F_SETFL, O_NONBLOCK), 0);
}

static void send_acks(struct member *m)
{
    uint8_t b[12 + ACK_EVERY * 8];

    if (m->ack_count == 0) return;
    gap_store32(b, GAP_MT_MSGS_ACK);
    gap_store32(b + 4, GAP_TL_VECTOR);
    gap_store32(b + 8, m->ack_count);
    memcpy(b + 12, m->acks, m->ack_count * sizeof m->acks[0]);
    (void)client_send(&m->client, gap_bytes(b, 12 + (size_t)m->ack_count * 8), false);
    m->ack_count = 0;
}

static void take_message(struct swarm *s, struct member *m, int64_t msg_id, int32_t seqno,
                         gap_bytes_t body)
{
    if ((seqno & 1) != 0) {
        m->acks[m->ack_count++] = msg_id;
        if (m->ack_count == ACK_EVERY) send_acks(m);
    }
    if (gap_load32(body.data) != GAP_TL_UPDATES) return;
    double sent_s = (double)(msg_id >> 32) + (double)(uint32_t)msg_id / 4294967296.0;
    double late_us = (now_s(CLOCK_REALTIME) - sent_s) * 1e6;
    uint64_t bucket = late_us < 0 ? 0 : (uint64_t)(late_us / BUCKET_US);
    s->buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    s->received++;
    s->last_s = now_s(CLOCK_MONOTONIC);
}

static void take_packet(struct swarm *s, struct member *m, uint8_t *packet, size_t len)
{
    gap_plaintext_t p;

    ck_assert_int_eq(gap_message_open(&m->client.peer.crypto, &m->client.peer.key, GAP_TO_CLIENT,
                                      packet, len, &p),
                     0);
    if (gap_load32(p.body.data) != GAP_MT_MSG_CONTAINER) {
        take_message(s, m, p.msg_id, p.seqno, p.body);
        return;
    }
    const uint8_t *at = p.body.data + 8;
    for (uint32_t i = gap_load32(p.body.data + 4); i > 0; i--) {
        uint32_t size = gap_load32(at + 12);
        take_message(s, m, (int64_t)gap_load64(at), (int32_t)gap_load32(at + 8),
                     gap_bytes(at + 16, size));
        at += 16 + size;
    }
}

static void read_member(struct swarm *s, struct member *m)
{
    ck_assert_int_eq(gap_buf_reserve(&m->in, IN_BYTES), 0);
    ssize_t n = recv(m->client.fd, m->in.data + m->in.len, IN_BYTES, 0);
    ck_assert_msg(n > 0, "a connection ended");
    m->in.len += (size_t)n;
    for (;;) {
        gap_bytes_t all = gap_buf_view(&m->in);
        if (all.len < 4) break;
        size_t len = gap_load32(all.data);
        ck_assert_uint_le(len, FRAME_BYTES);
        if (all.len < 4 + len) break;
        take_packet(s, m, m->in.data + m->in.head + 4, len);
        gap_buf_consume(&m->in, 4 + len);
    }
    if (gap_buf_view(&m->in).len == 0) gap_buf_clear(&m->in);
}

static void receive_all(struct swarm *s, uint64_t expected)
{
    struct epoll_event events[256];
    int poll = epoll_create1(0);
    double end = now_s(CLOCK_MONOTONIC) + s->seconds + PATIENCE_S;

    ck_assert_int_ge(poll, 0);
    for (uint32_t i = 0; i < s->connections; i++) {
        struct epoll_event e = {.events = EPOLLIN, .data.u32 = i};
        ck_assert_int_eq(epoll_ctl(poll, EPOLL_CTL_ADD, s->members[i].client.fd, &e), 0);
    }
    while (s->received < expected && now_s(CLOCK_MONOTONIC) < end) {
        int n = epoll_wait(poll, events, 256, 100);
        for (int i = 0; i < n; i++) read_member(s, &s->members[events[i].data.u32]);
    }
    (void)close(poll);
}

static double percentile_ms(const struct swarm *s, double share)
{
    uint64_t want = (uint64_t)((double)s->received * share);
    uint64_t seen = 0;

    for (uint32_t i = 0; i < BUCKETS; i++)
        if ((seen += s->buckets[i]) > want) return (double)(i + 1) * BUCKET_US / 1000.0;
    return (double)BUCKETS * BUCKET_US / 1000.0;
}

static double server_cpu_s(void)
{
    struct rusage u;

    ck_assert_int_eq(getrusage(RUSAGE_CHILDREN, &u), 0);
    return (double)u.ru_utime.tv_sec + (double)u.ru_stime.tv_sec +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void stop_server(struct swarm *s)
{
    int status;

    ck_assert_int_eq(kill(s->pid, SIGTERM), 0);
    ck_assert_int_eq(waitpid(s->pid, &status, 0), s->pid);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    (void)fclose(s->says);
}

static void read_size(struct swarm *s)
{
    const char *size = getenv("GAP_SWARM");

    *s = (struct swarm){.connections = 20, .rate = 2000, .seconds = 1};
    if (size == NULL) return;
    int n = sscanf(size, "%u,%u,%u", &s->connections, &s->rate, &s->seconds);
    ck_assert_msg(n == 3, "GAP_SWARM is CONNECTIONS,RATE,SECONDS, not '%s'", size);
}

START_TEST(everything_comes_to_everybody)
{
    struct rlimit files = {8192, 8192};
    struct swarm s;

    (void)setrlimit(RLIMIT_NOFILE, &files);
    read_size(&s);
    uint64_t expected = (uint64_t)s.rate * s.seconds;
    ck_assert_ptr_nonnull(s.members = calloc(s.connections, sizeof *s.members));
    ck_assert_ptr_nonnull(s.buckets = calloc(BUCKETS, sizeof *s.buckets));
    start_server(&s);
    for (uint32_t i = 0; i < s.connections; i++) join_swarm(&s, i);
    double start = now_s(CLOCK_MONOTONIC);
    receive_all(&s, expected);
    long peak = server_memory(&s, "VmHWM:");
    stop_server(&s);
    double took = s.last_s - start;
    printf("%u connections, %u messages/s asked: %llu of %llu messages in %.1f s, %.0f/s over all "
           "connections; push to receipt p50 %.1f ms, p99 %.1f ms; server %.1f MiB at most, "
           "%.1f s of processor\n",
           (unsigned)s.connections, (unsigned)s.rate, (unsigned long long)s.received,
           (unsigned long long)expected, took, (double)s.received / took, percentile_ms(&s, 0.5),
           percentile_ms(&s, 0.99), (double)peak / 1024.0, server_cpu_s());
    ck_assert_uint_eq(s.received, expected);
    if (getenv("GAP_BUILD_DIR") == NULL || strstr(getenv("GAP_BUILD_DIR"), "asan") == NULL)
        ck_assert_int_le(peak, RSS_MAX_KIB);
    for (uint32_t i = 0; i < s.connections; i++) {
        gap_buf_fini(&s.members[i].in);
        client_fini(&s.members[i].client);
    }
    free(s.members);
    free(s.buckets);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("dc_swarm");
    TCase *tc = tcase_create("swarm");

    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, everything_comes_to_everybody);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
