/*
 * tests/sim/scenario_steps.h - what the tests of the catalogue (scenarios.txt) share besides
 * world_steps.h: traces that are put together line by line, and traces whose lines of one moment
 * may come in any order when the scheduler chooses at random.
 */
#ifndef GAP_TESTS_SIM_SCENARIO_STEPS_H
#define GAP_TESTS_SIM_SCENARIO_STEPS_H

#include "world_steps.h"

#include <stdarg.h>
#include <stdlib.h>

#define SEEDS 8

static char expected[1 << 15];

static inline void expect_nothing(void)
{
    expected[0] = 0;
}

/* One more line. */
GAP_PRINTF(2, 3) static inline void expect_at(uint64_t ms, const char *format, ...)
{
    size_t at = strlen(expected);
    va_list args;

    ck_assert_uint_lt(at, sizeof expected - 256);
    at += (size_t)snprintf(expected + at, sizeof expected - at, "[%4llu] ", (unsigned long long)ms);
    va_start(args, format);
    at += (size_t)vsnprintf(expected + at, sizeof expected - at, format, args);
    va_end(args);
    (void)snprintf(expected + at, sizeof expected - at, "\n");
}

static inline int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, sorted. */
static inline void sort_lines(const char *text, char *out, size_t size)
{
    static char copy[sizeof expected];
    char *lines[1024];
    size_t count = 0;

    ck_assert_uint_lt(strlen(text), sizeof copy);
    memcpy(copy, text, strlen(text) + 1);
    for (char *at = copy; *at != 0; count++) {
        char *end = strchr(at, '\n');
        ck_assert(end != NULL && count < 1024);
        *end = 0;
        lines[count] = at;
        at = end + 1;
    }
    qsort(lines, count, sizeof *lines, compare_lines);
    out[0] = 0;
    for (size_t i = 0, at = 0; i < count; i++)
        at += (size_t)snprintf(out + at, size - at, "%s\n", lines[i]);
}

/* Exactly this trace if the scheduler is polite (seed 0); otherwise the same lines: sequences that
 * have nothing to do with each other may take turns at one moment. */
static inline void expect_lines(int seed, const char *text)
{
    static char got[sizeof expected];
    static char want[sizeof expected];

    if (seed == 0) {
        world_expect(&w, text);
        return;
    }
    sort_lines(w.trace, got, sizeof got);
    sort_lines(text, want, sizeof want);
    ck_assert_str_eq(got, want);
    world_forget(&w);
}

#endif
