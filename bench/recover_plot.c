/*
 * bench/recover_plot.c - SVG: curves of policies, requests to the right, p99 upwards (logarithmic),
 * lower left is better. Labels go where they cover least: each takes the best of some places around
 * its dot, given the dots, lines and labels that are there.
 */
#include "bench/recover_plot.h"

#include "base/bytes.h"
#include "bench/bench.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>

#define WIDTH       900
#define HEIGHT      680
#define LEFT        70.0
#define RIGHT       25.0
#define TOP         65.0
#define BOTTOM      150.0 /* names of the axis, and the legend */
#define FONT        12.0
#define GLYPH       6.6 /* width of a letter, about */
#define RADIUS      4.5
#define LABEL_MAX   128
#define LEGEND_ROWS (RECOVER_CURVES / 2)

static const struct {
    const char *colour;
    bool dashed;
    bool hollow;
    double radius;
} styles[RECOVER_CURVES] = {
    {"#8a8a8a", false, false, RADIUS}, {"#8a8a8a", true, true, RADIUS},
    {"#1f6fb2", false, false, RADIUS}, {"#1f6fb2", true, true, RADIUS},
    {"#a0522d", false, false, RADIUS}, {"#2b8a3e", false, false, RADIUS},
    {"#2b8a3e", true, true, RADIUS},   {"#c92a2a", true, true, RADIUS + 3},
};

struct spot {
    double x, y;
};
struct box {
    double x, y, w, h; /* upper left corner */
};

/** What has been drawn, in pixels. */
struct canvas {
    FILE *f;
    double x_from, x_to; /* values at the edges */
    double y_from, y_to;
    struct spot dots[RECOVER_CURVES * RECOVER_CURVE_DOTS];
    size_t dot_count;
    struct box labels[LABEL_MAX];
    size_t label_count;
};

static double x_of(const struct canvas *c, double requests)
{
    return LEFT + (WIDTH - LEFT - RIGHT) * (requests - c->x_from) / (c->x_to - c->x_from);
}

static double y_of(const struct canvas *c, double ms)
{
    double share = log(ms / c->y_from) / log(c->y_to / c->y_from);

    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share;
}

static struct spot spot_of(const struct canvas *c, const struct recover_dot *d)
{
    return (struct spot){x_of(c, d->requests), y_of(c, fmax(d->p99_ms, c->y_from))};
}

/* ---- axes ---- */

static const double y_ticks[] = {1,  1.5, 2,   3,   5,   7,   10,  15,   20,   30,  50,
                                 70, 100, 150, 200, 300, 500, 700, 1000, 1500, 2000};

static double x_step(double span)
{
    return span <= 12 ? 1 : span <= 30 ? 2 : span <= 75 ? 5 : 10;
}

static void range(struct canvas *c, const struct recover_curve *curves)
{
    double x[2] = {HUGE_VAL, 0};
    double y[2] = {HUGE_VAL, 0};

    for (size_t i = 0; i < RECOVER_CURVES; i++)
        for (size_t k = 0; k < curves[i].count; k++) {
            const struct recover_dot *d = &curves[i].dots[k];
            x[0] = fmin(x[0], d->requests);
            x[1] = fmax(x[1], d->requests);
            y[0] = fmin(y[0], fmax(d->p99_ms, y_ticks[0]));
            y[1] = fmax(y[1], fmax(d->p99_ms, y_ticks[0]));
        }
    double step = x_step(x[1] - x[0]);
    c->x_from = floor((x[0] - step / 3) / step) * step;
    c->x_to = ceil((x[1] + step / 3) / step) * step;
    c->y_from = y_ticks[0];
    for (size_t i = 0; i < GAP_ARRAY_LEN(y_ticks) && y_ticks[i] < y[0] * 0.95; i++)
        c->y_from = y_ticks[i];
    c->y_to = y[1] * 1.2;
}

static void draw_axes(struct canvas *c)
{
    double bottom = HEIGHT - BOTTOM;
    double right = WIDTH - RIGHT;
    double step = x_step(c->x_to - c->x_from);
    int steps = (int)lround((c->x_to - c->x_from) / step);

    for (int i = 0; i <= steps; i++) {
        double v = c->x_from + i * step;
        (void)fprintf(c->f,
                      "<path d='M%.1f %.1fV%.1f' stroke='#e4e4e4'/>\n"
                      "<text x='%.1f' y='%.1f' text-anchor='middle'>%g</text>\n",
                      x_of(c, v), TOP, bottom, x_of(c, v), bottom + 18, v);
    }
    for (size_t i = 0; i < GAP_ARRAY_LEN(y_ticks); i++) {
        double v = y_ticks[i];
        if (v < c->y_from || v > c->y_to) continue;
        (void)fprintf(c->f,
                      "<path d='M%.1f %.1fH%.1f' stroke='#e4e4e4'/>\n"
                      "<text x='%.1f' y='%.1f' text-anchor='end'>%g</text>\n",
                      LEFT, y_of(c, v), right, LEFT - 8, y_of(c, v) + 4, v);
    }
    (void)fprintf(c->f,
                  "<path d='M%.1f %.1fV%.1fH%.1f' stroke='#444' fill='none'/>\n"
                  "<text x='%.1f' y='%.1f' text-anchor='middle'>requests per 1000 updates</text>\n"
                  "<text x='20' y='%.1f' text-anchor='middle' transform='rotate(-90 20 %.1f)'>"
                  "held back, 99th percentile, ms (logarithmic)</text>\n",
                  LEFT, TOP, bottom, right, (LEFT + right) / 2, bottom + 42, (TOP + bottom) / 2,
                  (TOP + bottom) / 2);
}

/* ---- curves ---- */

static void draw_mark(struct canvas *c, size_t style, double x, double y)
{
    (void)fprintf(c->f,
                  "<circle cx='%.1f' cy='%.1f' r='%.1f' fill='%s' stroke='%s' "
                  "stroke-width='1.6'/>\n",
                  x, y, styles[style].radius,
                  styles[style].radius > RADIUS ? "none"
                  : styles[style].hollow        ? "white"
                                                : styles[style].colour,
                  styles[style].colour);
}

static void draw_line(struct canvas *c, const struct recover_curve *curve, size_t style)
{
    (void)fputs("<path d='", c->f);
    for (size_t k = 0; k < curve->count; k++) {
        struct spot at = spot_of(c, &curve->dots[k]);
        (void)fprintf(c->f, "%c%.1f %.1f", k == 0 ? 'M' : 'L', at.x, at.y);
    }
    (void)fprintf(c->f, "' fill='none' stroke='%s' stroke-width='1.6'%s/>\n", styles[style].colour,
                  styles[style].dashed ? " stroke-dasharray='6 4'" : "");
}

/* Below the axis, in two columns: nothing lies under it. */
static void draw_legend(struct canvas *c, const struct recover_curve *curves)
{
    for (size_t i = 0; i < RECOVER_CURVES; i++) {
        size_t row = i % LEGEND_ROWS;
        double x = i < LEGEND_ROWS ? LEFT : (LEFT + WIDTH - RIGHT) / 2;
        double y = HEIGHT - BOTTOM + 75 + 19 * (double)row;
        if (curves[i].count > 1)
            (void)fprintf(c->f, "<path d='M%.1f %.1fh28' stroke='%s' stroke-width='1.6'%s/>\n", x,
                          y - 4, styles[i].colour,
                          styles[i].dashed ? " stroke-dasharray='6 4'" : "");
        draw_mark(c, i, x + 14, y - 4);
        (void)fprintf(c->f, "<text x='%.1f' y='%.1f'>%s</text>\n", x + 38, y, curves[i].name);
    }
}

/* ---- labels ---- */

static double label_width(const char *text)
{
    size_t letters = 0;

    for (; *text != '\0'; text++) letters += ((unsigned char)*text & 0xc0) != 0x80;
    return GLYPH * (double)letters;
}

static bool overlap(const struct box *a, const struct box *b)
{
    return a->x < b->x + b->w && b->x < a->x + a->w && a->y < b->y + b->h && b->y < a->y + a->h;
}

static bool covers(const struct box *b, double x, double y, double margin)
{
    return x > b->x - margin && x < b->x + b->w + margin && y > b->y - margin &&
           y < b->y + b->h + margin;
}

/* How much of the lines lies under it: they are looked at every few pixels. */
static double lines_under(const struct canvas *c, const struct recover_curve *curves,
                          const struct box *b)
{
    double n = 0;

    for (size_t i = 0; i < RECOVER_CURVES; i++)
        for (size_t k = 1; k < curves[i].count; k++) {
            struct spot from = spot_of(c, &curves[i].dots[k - 1]);
            struct spot to = spot_of(c, &curves[i].dots[k]);
            double dx = to.x - from.x;
            double dy = to.y - from.y;
            int steps = 1 + (int)(hypot(dx, dy) / 4);
            for (int j = 0; j <= steps; j++)
                n += covers(b, from.x + dx * j / steps, from.y + dy * j / steps, 1);
        }
    return n;
}

static double badness(const struct canvas *c, const struct recover_curve *curves,
                      const struct box *b)
{
    double bad = 0;

    if (b->x < LEFT || b->x + b->w > WIDTH - RIGHT || b->y < TOP || b->y + b->h > HEIGHT - BOTTOM)
        bad += 1000;
    for (size_t i = 0; i < c->label_count; i++) bad += overlap(b, &c->labels[i]) ? 1000 : 0;
    for (size_t i = 0; i < c->dot_count; i++)
        bad += covers(b, c->dots[i].x, c->dots[i].y, RADIUS) ? 100 : 0;
    return bad + 3 * lines_under(c, curves, b);
}

static void draw_label(struct canvas *c, const struct recover_curve *curves, const char *text,
                       size_t style, double x, double y)
{
    struct box best = {0, 0, 0, 0};
    double least = HUGE_VAL;

    if (*text == '\0' || c->label_count == LABEL_MAX) return;
    for (int far = 0; far < 3; far++)
        for (int i = 0; i < 16; i++) {
            double angle = i * M_PI / 8;
            struct box b = {0, 0, label_width(text), FONT};
            double reach = RADIUS + 3 + far * 7;
            b.x = x + cos(angle) * (reach + b.w / 2) - b.w / 2;
            b.y = y - sin(angle) * (reach + b.h / 2) - b.h / 2;
            double bad = badness(c, curves, &b) + far * 4;
            if (bad >= least) continue;
            least = bad;
            best = b;
        }
    c->labels[c->label_count++] = best;
    (void)fprintf(c->f,
                  "<text x='%.1f' y='%.1f' fill='%s' stroke='white' stroke-width='3' "
                  "paint-order='stroke'>%s</text>\n",
                  best.x, best.y + FONT - 2, styles[style].colour, text);
}

static void draw_curves(struct canvas *c, const struct recover_curve *curves)
{
    for (size_t i = 0; i < RECOVER_CURVES; i++) draw_line(c, &curves[i], i);
    for (size_t i = 0; i < RECOVER_CURVES; i++)
        for (size_t k = 0; k < curves[i].count; k++) {
            struct spot at = spot_of(c, &curves[i].dots[k]);
            draw_mark(c, i, at.x, at.y);
            c->dots[c->dot_count++] = at;
        }
    draw_legend(c, curves);
    for (size_t i = 0, n = 0; i < RECOVER_CURVES; i++)
        for (size_t k = 0; k < curves[i].count; k++, n++)
            draw_label(c, curves, curves[i].dots[k].label, i, c->dots[n].x, c->dots[n].y);
}

void recover_plot(const char *path, const struct recover_curve *curves, size_t points)
{
    struct canvas c = {.f = fopen(path, "w")};

    if (c.f == NULL) bench_fail(-errno, path);
    range(&c, curves);
    (void)fprintf(c.f,
                  "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' "
                  "font-family='sans-serif' font-size='%g'>\n"
                  "<rect width='100%%' height='100%%' fill='white'/>\n"
                  "<text x='%.1f' y='26' font-size='16'>What a waiting policy costs</text>\n"
                  "<text x='%.1f' y='46' fill='#555'>Means over %zu conditions of arrival, "
                  "lateness, loss and round trip; \xce\xbb: what a request is worth in ms; lower "
                  "left is better.</text>\n",
                  WIDTH, HEIGHT, FONT, LEFT, LEFT, points);
    draw_axes(&c);
    draw_curves(&c, curves);
    (void)fputs("</svg>\n", c.f);
    if (fclose(c.f) != 0) bench_fail(-errno, path);
}
