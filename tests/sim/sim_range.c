/*
 * tests/sim/sim_range.c - ranges of seeds.
 *
 *   block of seeds --> one process or several --> outcomes in the order of the seeds --> totals
 *                                                          \--> progress file, after each block
 *
 * Several processes get a block's seeds in turn and send their outcomes back through pipes; the
 * totals are added up in the order of the seeds, so that they do not depend on how many there are.
 * The progress file is one line of totals and one for each seed that failed, replaced as a whole.
 *
 * Owns: the children, the file. Never: goes on without what it can't read.
 */
#include "sim_range.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BLOCK_SEEDS 128 /* of one process */
#define FAILED_MAX  200 /* seeds that are listed */
#define MAGIC       "gapless-sim progress 1"
#define SAVE_S      1.0

struct total {
    uint64_t next; /* seed */
    uint64_t seeds;
    uint64_t failed;
    uint64_t events;
    uint64_t deliveries;
    uint64_t differences;
    uint64_t gaps;
    uint64_t restarts;
    double cpu_ms;
    double cpu_max_ms;
};

struct failed {
    uint64_t seed;
    char verdict[GLOBE_VERDICT_MAX];
};

struct run {
    const struct sim_range *range;
    struct total total;
    struct failed failed[FAILED_MAX];
    struct globe_outcome *outcomes; /* of a block */
    double began_s;
    double saved_s;
    double shown_s;
    uint64_t resumed; /* seeds that were done before */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- totals ---- */

static void add(struct run *r, uint64_t seed, const struct globe_outcome *o)
{
    struct total *t = &r->total;

    t->next = seed + 1;
    t->seeds++;
    t->events += o->count.events;
    t->deliveries += o->count.deliveries;
    t->differences += o->count.differences;
    t->gaps += o->count.gaps;
    t->restarts += o->count.restarts;
    t->cpu_ms += o->cpu_ms;
    if (o->cpu_ms > t->cpu_max_ms) t->cpu_max_ms = o->cpu_ms;
    if (o->held) return;
    if (t->failed < FAILED_MAX) {
        struct failed *f = &r->failed[t->failed];
        f->seed = seed;
        memcpy(f->verdict, o->verdict, sizeof f->verdict);
    }
    t->failed++;
}

/* ---- the progress file ---- */

static int save_failed(const struct run *r)
{
    (void)fprintf(r->range->err,
                  "gapless-sim: %s can't be written: %s; give --progress another file\n",
                  r->range->progress, strerror(errno));
    return 1;
}

static int save(struct run *r)
{
    const struct total *t = &r->total;
    char path[4096];

    if (r->range->progress == NULL) return 0;
    if ((size_t)snprintf(path, sizeof path, "%s.new", r->range->progress) >= sizeof path) {
        errno = ENAMETOOLONG;
        return save_failed(r);
    }
    FILE *f = fopen(path, "w");
    if (f == NULL) return save_failed(r);
    (void)fprintf(f, MAGIC " %" PRIu64 "..%" PRIu64 "\n", r->range->from, r->range->to);
    (void)fprintf(f,
                  "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64
                  " %" PRIu64 " %.6f %.6f\n",
                  t->next, t->seeds, t->failed, t->events, t->deliveries, t->differences, t->gaps,
                  t->restarts, t->cpu_ms, t->cpu_max_ms);
    for (uint64_t i = 0; i < t->failed && i < FAILED_MAX; i++)
        (void)fprintf(f, "%" PRIu64 " %s\n", r->failed[i].seed, r->failed[i].verdict);
    bool bad = ferror(f) != 0;
    bad |= fclose(f) != 0;
    if (bad || rename(path, r->range->progress) != 0) return save_failed(r);
    r->saved_s = now_s();
    return 0;
}

static bool load_from(struct run *r, FILE *f)
{
    struct total *t = &r->total;
    uint64_t from;
    uint64_t to;
    char line[GLOBE_VERDICT_MAX + 32];

    if (fgets(line, sizeof line, f) == NULL) return false;
    if (sscanf(line, MAGIC " %" SCNu64 "..%" SCNu64, &from, &to) != 2) return false;
    if (from != r->range->from || to != r->range->to) return false;
    if (fgets(line, sizeof line, f) == NULL) return false;
    if (sscanf(line,
               "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %lf %lf",
               &t->next, &t->seeds, &t->failed, &t->events, &t->deliveries, &t->differences,
               &t->gaps, &t->restarts, &t->cpu_ms, &t->cpu_max_ms) != 10)
        return false;
    for (uint64_t i = 0; i < t->failed && i < FAILED_MAX; i++) {
        struct failed *one = &r->failed[i];
        char *end;
        if (fgets(line, sizeof line, f) == NULL) return false;
        line[strcspn(line, "\n")] = 0;
        one->seed = strtoull(line, &end, 10);
        if (*end == ' ') end++;
        (void)snprintf(one->verdict, sizeof one->verdict, "%s", end);
    }
    return t->next >= from && t->next <= to + 1 && t->seeds == t->next - from;
}

static int load(struct run *r)
{
    r->total.next = r->range->from;
    if (r->range->progress == NULL) return 0;
    FILE *f = fopen(r->range->progress, "r");
    if (f == NULL) {
        if (errno == ENOENT) return 0;
        return save_failed(r);
    }
    bool ok = load_from(r, f);
    (void)fclose(f);
    if (!ok) {
        (void)fprintf(
            r->range->err,
            "gapless-sim: %s holds no progress of this range; remove it, or name another\n",
            r->range->progress);
        return 1;
    }
    r->resumed = r->total.seeds;
    return 0;
}

/* ---- one block ---- */

static int run_one(const struct run *r, uint64_t seed, struct globe_outcome *out)
{
    int s = globe_run_seed(seed, false, NULL, NULL, out);

    if (s < 0)
        (void)fprintf(r->range->err, "gapless-sim: seed %" PRIu64 ": %s\n", seed, gap_strerror(s));
    return s;
}

static bool write_all(int fd, const void *data, size_t len)
{
    const char *at = data;

    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t len)
{
    char *at = data;

    while (len > 0) {
        ssize_t n = read(fd, at, len);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

static void child(const struct run *r, uint64_t first, uint64_t count, int fd)
{
    struct globe_outcome out;

    for (uint64_t i = 0; i < count; i++) {
        if (run_one(r, first + i, &out) < 0 || !write_all(fd, &out, sizeof out)) _exit(1);
    }
    _exit(0);
}

struct worker {
    pid_t pid;
    int fd;
    uint64_t first;
    uint64_t count;
};

static int start_worker(const struct run *r, struct worker *w)
{
    int fds[2];

    if (pipe(fds) != 0) return -1;
    (void)fflush(NULL);
    w->pid = fork();
    if (w->pid == 0) {
        (void)close(fds[0]);
        child(r, w->first, w->count, fds[1]);
    }
    (void)close(fds[1]);
    w->fd = fds[0];
    if (w->pid > 0) return 0;
    (void)close(fds[0]);
    return -1;
}

/* What a child that died was at has failed; the rest of its seeds is left to another one. */
static int gather(struct run *r, struct worker *w, uint64_t base)
{
    int status = 0;

    while (w->count > 0) {
        struct globe_outcome *o = &r->outcomes[w->first - base];
        if (!read_all(w->fd, o, sizeof *o)) break;
        w->first++;
        w->count--;
    }
    (void)close(w->fd);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR) continue;
    if (w->count == 0) return 0;
    if (!WIFSIGNALED(status)) return -1;
    struct globe_outcome *o = &r->outcomes[w->first - base];
    memset(o, 0, sizeof *o);
    (void)snprintf(o->verdict, sizeof o->verdict, "seed %" PRIu64 ": the world crashes: signal %d",
                   w->first, WTERMSIG(status));
    w->first++;
    w->count--;
    if (w->count == 0) return 0;
    return start_worker(r, w) < 0 ? -1 : gather(r, w, base);
}

static int run_block(struct run *r, uint64_t first, uint64_t count)
{
    uint32_t jobs = r->range->jobs;
    struct worker workers[SIM_JOBS_MAX];
    uint32_t started = 0;
    int result = 0;

    if (jobs <= 1) {
        for (uint64_t i = 0; i < count && result == 0; i++)
            result = run_one(r, first + i, &r->outcomes[i]);
        return result;
    }
    for (uint64_t at = 0; started < jobs && at < count; started++) {
        struct worker *w = &workers[started];
        w->first = first + at;
        w->count = (count - at) / (jobs - started);
        if (w->count == 0) w->count = 1;
        at += w->count;
        if (start_worker(r, w) < 0) {
            result = -1;
            break;
        }
    }
    for (uint32_t i = 0; i < started; i++) {
        if (gather(r, &workers[i], first) < 0) result = -1;
    }
    if (result < 0) (void)fprintf(r->range->err, "gapless-sim: a process could not do its part\n");
    return result;
}

/* ---- what is shown ---- */

static void show(struct run *r, bool last)
{
    const struct sim_range *g = r->range;
    double now = now_s();

    if (g->quiet || (!last && now - r->shown_s < 0.2)) return;
    r->shown_s = now;
    uint64_t all = g->to - g->from + 1;
    double rate = (double)(r->total.seeds - r->resumed) / (now - r->began_s + 1e-9);
    double left = rate > 0 ? (double)(all - r->total.seeds) / rate : 0;
    (void)fprintf(g->err,
                  "\r%" PRIu64 "/%" PRIu64 " seeds, %.0f/s, %u:%02u left, %" PRIu64 " failed  %s",
                  r->total.seeds, all, rate, (unsigned)(left / 60), (unsigned)left % 60,
                  r->total.failed, last ? "\n" : "");
    (void)fflush(g->err);
}

static void summary(const struct run *r)
{
    const struct total *t = &r->total;
    FILE *out = r->range->out;

    for (uint64_t i = 0; i < t->failed && i < FAILED_MAX; i++)
        (void)fprintf(out, "%s\n    %s --seed %" PRIu64 " --trace\n", r->failed[i].verdict,
                      r->range->program, r->failed[i].seed);
    if (t->failed > FAILED_MAX)
        (void)fprintf(out, "... and %" PRIu64 " more\n", t->failed - FAILED_MAX);
    (void)fprintf(out,
                  "seeds %" PRIu64 ", passed %" PRIu64 ", failed %" PRIu64 ", events %" PRIu64
                  ", deliveries %" PRIu64 ", differences %" PRIu64 ", gaps %" PRIu64
                  ", restarts %" PRIu64 ", processor ms per world: mean %.3f, max %.3f\n",
                  t->seeds, t->seeds - t->failed, t->failed, t->events, t->deliveries,
                  t->differences, t->gaps, t->restarts,
                  t->seeds == 0 ? 0 : t->cpu_ms / (double)t->seeds, t->cpu_max_ms);
}

static int stopped(struct run *r)
{
    int s = save(r);

    (void)fprintf(r->range->err, "gapless-sim: interrupted before seed %" PRIu64 "%s\n",
                  r->total.next,
                  r->range->progress == NULL ? "" : "; the same command goes on from there");
    summary(r);
    return s != 0 ? s : 1;
}

static int run_all(struct run *r)
{
    const struct sim_range *g = r->range;
    uint64_t block = (uint64_t)BLOCK_SEEDS * (g->jobs == 0 ? 1 : g->jobs);

    while (r->total.seeds < g->to - g->from + 1) {
        uint64_t first = r->total.next;
        uint64_t count = g->to - first + 1;
        if (count > block) count = block;
        if (interrupted) return stopped(r);
        if (run_block(r, first, count) < 0) return 1;
        for (uint64_t i = 0; i < count; i++) add(r, first + i, &r->outcomes[i]);
        if (now_s() - r->saved_s >= SAVE_S && save(r) != 0) return 1;
        show(r, false);
    }
    show(r, true);
    if (save(r) != 0) return 1;
    summary(r);
    return r->total.failed > 0 ? 3 : 0;
}

int sim_range_run(const struct sim_range *range)
{
    struct run *r = calloc(1, sizeof *r);
    size_t block = (size_t)BLOCK_SEEDS * (range->jobs == 0 ? 1 : range->jobs);
    struct sigaction act;
    int result = 1;

    memset(&act, 0, sizeof act);
    act.sa_handler = on_signal;
    (void)sigaction(SIGINT, &act, NULL);
    (void)sigaction(SIGTERM, &act, NULL);
    if (r != NULL) r->outcomes = calloc(block, sizeof *r->outcomes);
    if (r == NULL || r->outcomes == NULL) {
        (void)fprintf(range->err, "gapless-sim: out of memory\n");
    } else {
        r->range = range;
        r->began_s = r->saved_s = now_s();
        result = load(r);
        if (result == 0) result = run_all(r);
    }
    if (r != NULL) free(r->outcomes);
    free(r);
    return result;
}
