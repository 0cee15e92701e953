/*
 * bench/recover_plot.h - the plot of `recover`: p99 of held-back time against requests.
 */
#ifndef GAP_BENCH_RECOVER_PLOT_H
#define GAP_BENCH_RECOVER_PLOT_H

#include <stddef.h>

#define RECOVER_CURVES     8
#define RECOVER_CURVE_DOTS 10

/** A policy in the plot. */
struct recover_dot {
    const char *label; /* beside it; may be empty */
    double requests;   /* per 1000 updates */
    double p99_ms;
};

/** Policies that differ in one figure, joined by a line; or a single one. */
struct recover_curve {
    const char *name; /* in the legend */
    struct recover_dot dots[RECOVER_CURVE_DOTS];
    size_t count;
};

/** Write the plot of RECOVER_CURVES curves, means over @p points conditions, as an SVG file. Ends
 * the program if that fails. */
void recover_plot(const char *path, const struct recover_curve *curves, size_t points);

#endif
