/*
 * bench/recover_plot.h - the plot of `recover`: p99 of held-back time against requests.
 */
#ifndef GAP_BENCH_RECOVER_PLOT_H
#define GAP_BENCH_RECOVER_PLOT_H

#include <stddef.h>

/** A policy in the plot. */
struct recover_dot {
    const char *name;
    double requests; /* per 1000 updates */
    double p99_ms;
};

/** Write the plot as an SVG file. Ends the program if that fails. */
void recover_plot(const char *path, const struct recover_dot *dots, size_t count);

#endif
