/*
 * bench/main.c - gapless-bench: chooses benchmarks, prints the machine and the figures.
 */
#include "bench/bench.h"

#include "base/bytes.h"
#include "base/map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name;
    void (*run)(struct bench *b);
    const char *what;
} benches[] = {
    /* First, so that it measures memory in a fresh process: what others freed would be used again.
     */
    {"scale", bench_scale, "a million sequences: memory of an idle one, time to start"},
    {"order", bench_order, "boxed Updates through the engine to a handler"},
    {"recover", bench_recover, "gap recovery under reordering and loss, by waiting policy"},
    {"wire", bench_wire, "encrypted packets through session and engine to a handler"},
    {"store", bench_store, "what storing an account's state costs beside that"},
    {"routes", bench_routes, "finding the handler of an update among a thousand routes"},
    {"runner", bench_runner, "updates through lanes to handlers; how soon beside a full lane"},
    {"outbox", bench_outbox, "rows written down and claimed; turns of chats"},
    {"isolation", bench_isolation, "another channel's updates during a slow difference"},
};

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

uint64_t bench_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t bench_process_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return count == 0 ? 0 : values[count / 2];
}

void bench_hash(struct bench *b, uint64_t value)
{
    b->hash = gap_hash64(b->hash ^ value) + 1;
}

void bench_fail(int status, const char *what)
{
    (void)fprintf(stderr, "gapless-bench: %s: %s\n", what, gap_strerror(status));
    exit(1);
}

void bench_report(struct bench *b, const struct bench_row *row)
{
    printf("%-8s %-18s %-16s %14.2f %-6s", row->bench, row->name, row->metric, row->value,
           row->unit);
    if (row->against != NULL) printf("  %.3f of %s", row->ratio, row->against);
    printf("\n");
    (void)fflush(stdout);
    bench_note(b, row);
}

void bench_note(struct bench *b, const struct bench_row *row)
{
    if (b->json == NULL) return;
    (void)fprintf(b->json,
                  "{\"bench\":\"%s\",\"case\":\"%s\",\"metric\":\"%s\",\"value\":%.6g,"
                  "\"unit\":\"%s\"",
                  row->bench, row->name, row->metric, row->value, row->unit);
    if (row->against != NULL) {
        (void)fprintf(b->json, ",\"against\":\"%s\",\"ratio\":%.6g", row->against, row->ratio);
    }
    (void)fprintf(b->json, "}\n");
}

static void print_machine(void)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            printf("processor:%s", strchr(line, ':') + 1);
            break;
        }
    }
    if (f != NULL) (void)fclose(f);
}

static void usage(FILE *out)
{
    (void)fputs("Usage: gapless-bench NAME... [--json FILE] [--svg FILE] [--wide] [--quick]\n"
                "  all        every benchmark\n",
                out);
    for (size_t i = 0; i < GAP_ARRAY_LEN(benches); i++)
        (void)fprintf(out, "  %-10s %s\n", benches[i].name, benches[i].what);
    (void)fputs("  --json F   one JSON object per figure\n"
                "  --svg F    the plot of recover\n"
                "  --wide     further sweeps of recover, without targets\n"
                "  --quick    small inputs, to see that it works\n",
                out);
}

static int wrong(const char *what, const char *word)
{
    (void)fprintf(stderr, "gapless-bench: %s '%s'; --help lists what there is\n", what, word);
    return 2;
}

/** Which benchmarks an argument names, as a bit set; 0: none. */
static unsigned named(const char *word)
{
    if (strcmp(word, "all") == 0) return (1U << GAP_ARRAY_LEN(benches)) - 1;
    for (size_t i = 0; i < GAP_ARRAY_LEN(benches); i++) {
        if (strcmp(word, benches[i].name) == 0) return 1U << i;
    }
    return 0;
}

static int run_all(struct bench *b, unsigned chosen, const char *json)
{
    if (json != NULL && (b->json = fopen(json, "w")) == NULL) {
        (void)fprintf(stderr, "gapless-bench: can't write %s: %s\n", json, strerror(errno));
        return 1;
    }
    print_machine();
    for (size_t i = 0; i < GAP_ARRAY_LEN(benches); i++) {
        if ((chosen & (1U << i)) != 0) benches[i].run(b);
    }
    printf("result hash %016" PRIx64 "\n", b->hash);
    if (b->quick) printf("%d passed, 0 failed\n", __builtin_popcount(chosen));
    if (b->json != NULL && fclose(b->json) != 0) {
        (void)fprintf(stderr, "gapless-bench: writing %s failed: %s\n", json, strerror(errno));
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct bench b = {0};
    unsigned chosen = 0;
    const char *json = NULL;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0) {
            usage(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--quick") == 0) {
            b.quick = true;
        } else if (strcmp(argv[i], "--wide") == 0) {
            b.wide = true;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            json = argv[++i];
        } else if (strcmp(argv[i], "--svg") == 0 && i + 1 < argc) {
            b.svg = argv[++i];
        } else if (argv[i][0] == '-') {
            return wrong("unknown or incomplete option", argv[i]);
        } else if (named(argv[i]) == 0) {
            return wrong("there is no benchmark", argv[i]);
        } else {
            chosen |= named(argv[i]);
        }
    }
    if (chosen == 0) {
        usage(stderr);
        return 2;
    }
    return run_all(&b, chosen, json);
}
