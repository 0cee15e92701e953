/*
 * bench/bench.h - what every benchmark shares: the clock, results as lines and JSON, and a hash of
 * what was computed, so that a benchmark that does nothing shows.
 */
#ifndef GAP_BENCH_BENCH_H
#define GAP_BENCH_BENCH_H

#include <gapless/base.h>
#include <stdio.h>

struct bench {
    FILE *json;      /* NULL: none */
    const char *svg; /* file for a plot; NULL: none */
    bool wide;       /* further sweeps of recover */
    bool quick;      /* small inputs: a smoke test, not a measurement */
    uint64_t hash;
};

/** One measured figure. */
struct bench_row {
    const char *bench;
    const char *name; /* the case */
    const char *metric;
    double value;
    const char *unit;
    const char *against; /* what ratio compares with, in the same run; NULL: nothing */
    double ratio;
};

/** Print a row, and write it to the JSON file. */
void bench_report(struct bench *b, const struct bench_row *row);
/** Write a row to the JSON file only. */
void bench_note(struct bench *b, const struct bench_row *row);
/** Mix a result into the run's hash. */
void bench_hash(struct bench *b, uint64_t value);
/** Nanoseconds of processor time of this thread: what "on one core" is measured by, whatever else
 * the machine is doing. */
uint64_t bench_cpu_ns(void);
/** The same of all threads of this process. */
uint64_t bench_process_cpu_ns(void);
/** The median of @p count values; sorts them. */
double bench_median(double *values, size_t count);
/** End the program with a message. */
_Noreturn void bench_fail(int status, const char *what);

/** End the program if @p status is negative: a benchmark that fails measures nothing. */
static inline void bench_must(int status, const char *what)
{
    if (status < 0) bench_fail(status, what);
}

/* The benchmarks. */
void bench_order(struct bench *b);
void bench_recover(struct bench *b);
void bench_scale(struct bench *b);
void bench_wire(struct bench *b);
void bench_store(struct bench *b);
void bench_isolation(struct bench *b);
void bench_routes(struct bench *b);
void bench_runner(struct bench *b);
void bench_outbox(struct bench *b);

#endif
