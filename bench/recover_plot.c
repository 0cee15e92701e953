/*
 * bench/recover_plot.c - a scatter plot as SVG: one dot a policy, logarithmic in both directions,
 * lower left is better.
 */
#include "bench/recover_plot.h"

#include "bench/bench.h"

#include <errno.h>
#include <math.h>

#define WIDTH  760
#define HEIGHT 480
#define LEFT   70.0
#define RIGHT  150.0 /* room for names */
#define TOP    40.0
#define BOTTOM 60.0

/** One direction of the plot. */
struct axis {
    double from, to; /* values */
    double at, len;  /* pixels of from, and up to to */
};

static double place(const struct axis *a, double value)
{
    return a->at + a->len * (log(value) - log(a->from)) / (log(a->to) - log(a->from));
}

/* 1, 2 or 5 times a power of ten: the next one above. */
static double next_tick(double v)
{
    double ten = pow(10, floor(log10(v) + 1e-9));
    double m = v / ten;

    return (m < 1.5 ? 2 : m < 3 ? 5 : 10) * ten;
}

static double tick_below(double v)
{
    double ten = pow(10, floor(log10(v)));
    double m = v / ten;

    return (m >= 5 ? 5 : m >= 2 ? 2 : 1) * ten;
}

static void range(struct axis *a, double least, double most)
{
    a->from = tick_below(least * 0.95);
    for (a->to = a->from; a->to < most * 1.05;) a->to = next_tick(a->to);
}

static void draw_axes(FILE *f, const struct axis *x, const struct axis *y)
{
    double bottom = HEIGHT - BOTTOM;
    double right = WIDTH - RIGHT;

    /* NOLINTNEXTLINE(cert-flp30-c,*FloatLoopCounter): a tick is a factor from the next */
    for (double v = x->from; v < x->to * 1.01; v = next_tick(v))
        (void)fprintf(f,
                      "<path d='M%.1f %.1fV%.1f' stroke='#ddd'/>\n"
                      "<text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n",
                      place(x, v), TOP, bottom, place(x, v), bottom + 20, v);
    /* NOLINTNEXTLINE(cert-flp30-c,*FloatLoopCounter): a tick is a factor from the next */
    for (double v = y->from; v < y->to * 1.01; v = next_tick(v))
        (void)fprintf(f,
                      "<path d='M%.1f %.1fH%.1f' stroke='#ddd'/>\n"
                      "<text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n",
                      LEFT, place(y, v), right, LEFT - 8, place(y, v) + 4, v);
    (void)fprintf(f,
                  "<text x='%.1f' y='%d' text-anchor='middle'>requests per 1000 updates</text>\n",
                  (LEFT + right) / 2, HEIGHT - 15);
    (void)fprintf(f,
                  "<text x='20' y='%.1f' text-anchor='middle' transform='rotate(-90 20 %.1f)'>"
                  "held back, p99, ms</text>\n",
                  (TOP + bottom) / 2, (TOP + bottom) / 2);
}

void recover_plot(const char *path, const struct recover_dot *dots, size_t count)
{
    struct axis x = {1, 10, LEFT, WIDTH - LEFT - RIGHT};
    struct axis y = {1, 10, HEIGHT - BOTTOM, -(HEIGHT - TOP - BOTTOM)};
    double least[2] = {HUGE_VAL, HUGE_VAL};
    double most[2] = {0, 0};
    FILE *f = fopen(path, "w");

    if (f == NULL) bench_fail(-errno, path);
    for (size_t i = 0; i < count; i++) {
        least[0] = fmin(least[0], dots[i].requests);
        most[0] = fmax(most[0], dots[i].requests);
        least[1] = fmin(least[1], dots[i].p99_ms);
        most[1] = fmax(most[1], dots[i].p99_ms);
    }
    range(&x, fmax(least[0], 0.01), fmax(most[0], 0.02));
    range(&y, fmax(least[1], 0.01), fmax(most[1], 0.02));
    (void)fprintf(
        f,
        "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
        "font-family='sans-serif' font-size='13'>\n"
        "<rect width='100%%' height='100%%' fill='white'/>\n"
        "<text x='%.1f' y='24' font-size='15'>What a waiting policy costs: means over all "
        "conditions</text>\n",
        WIDTH, HEIGHT, LEFT);
    draw_axes(f, &x, &y);
    for (size_t i = 0; i < count; i++) {
        double px = place(&x, fmax(dots[i].requests, x.from));
        double py = place(&y, fmax(dots[i].p99_ms, y.from));
        (void)fprintf(f,
                      "<circle cx='%.1f' cy='%.1f' r='5' fill='#1f6fb2'/>\n"
                      "<text x='%.1f' y='%.1f'>%s</text>\n",
                      px, py, px + 9, py + 4, dots[i].name);
    }
    (void)fputs("</svg>\n", f);
    if (fclose(f) != 0) bench_fail(-errno, path);
}
