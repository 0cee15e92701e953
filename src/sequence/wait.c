/*
 * sequence/wait.c - the learned wait: a survival curve from a histogram, and the cheapest edge of
 * it. See the header for the idea; the figures (edges, prior, fading, prices) were found by
 * simulating policies over lateness laws, losses and round trips.
 *
 * Where a sequence is held during its question (`holding`) learned waits begin longer: a question
 * that was not needed holds up what follows.
 *
 * Owns nothing. Never reads a clock.
 */
#include "sequence/wait.h"

#include "base/bytes.h"

#include <math.h>
#include <string.h>

/* Milliseconds; bin b lies between edges[b] and edges[b + 1]. */
static const float edges[GAP_WAIT_BINS + 1] = {
    0,   1,   2,   3,   4,   6,   8,   11,  15,  20,  27,  35,  45,   60,   80,   100, 125,
    150, 180, 215, 250, 290, 330, 380, 440, 500, 600, 700, 850, 1000, 1500, 2000, 3000};

#define FADE          0.995F /* what an older sample counts when a new one comes */
#define EQUAL         1.015F /* costs that differ less are equal: a longer wait saves requests */
#define FADE_CONN     0.25F  /* what is left of everything on a new connection */
#define RTT_GAIN      0.125F
#define PRICE_MAX     15.0F
#define PRICE_LEAST   0.05F /* below it a request costs what it always does */
#define PRICE_HALF_US 60e6F
#define PRICE_POWER   3.0F /* doublings of the cost between a full and an empty bucket */
#define US_PER_MS     1000.0F

/** Imagined holes to begin with. */
struct prior {
    float never;   /* that never heal, */
    float late;    /* and that do, */
    float late_ms; /* after so long on average */
};
/* Where a question that was not needed holds everybody up, it begins more patiently, and with so
 * little weight that the first holes count for more. */
static const struct prior going_on = {2, 2, 25};
static const struct prior holding = {0.25F, 1, 70};

static void begin_anew(gap_wait_t *w)
{
    const struct prior *p = w->config.continues ? &going_on : &holding;

    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        float open = p->late * expf(-edges[b] / p->late_ms);
        float later = p->late * expf(-edges[b + 1] / p->late_ms);
        w->heal[b] = open - later;
        w->expo[b] = p->never + open;
    }
    w->stale = true;
}

void gap_wait_init(gap_wait_t *w, const struct gap_wait_config *config)
{
    memset(w, 0, sizeof *w);
    w->config = *config;
    if (w->config.lambda_us == 0) w->config.lambda_us = GAP_WAIT_LAMBDA_US;
    w->rtt_us = GAP_WAIT_RTT_US;
    w->tokens = GAP_WAIT_TOKENS;
    begin_anew(w);
}

void gap_wait_reconnected(gap_wait_t *w, bool same_dc)
{
    if (!same_dc) {
        begin_anew(w);
        w->rtt_known = false;
        w->rtt_us = GAP_WAIT_RTT_US;
        return;
    }
    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        w->heal[b] *= FADE_CONN;
        w->expo[b] *= FADE_CONN;
    }
    w->stale = true;
}

/* ---- samples ---- */

static void fade(gap_wait_t *w)
{
    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        w->heal[b] *= FADE;
        w->expo[b] *= FADE;
    }
    w->stale = true;
}

/* Count the exposure up to x and return the bin in which it ends; GAP_WAIT_BINS: beyond the last.
 */
static size_t expose(gap_wait_t *w, float x_ms)
{
    size_t b = 0;

    for (; b < GAP_WAIT_BINS && x_ms >= edges[b + 1]; b++) w->expo[b] += 1;
    return b;
}

void gap_wait_healed(gap_wait_t *w, uint64_t open_us)
{
    if (w->config.fixed_us != 0) return;
    if (open_us > GAP_WAIT_SEEN_US) {
        gap_wait_answered(w, open_us);
        return;
    }
    fade(w);
    size_t b = expose(w, (float)open_us / US_PER_MS);
    if (b == GAP_WAIT_BINS) return;
    w->expo[b] += 1;
    w->heal[b] += 1;
}

void gap_wait_answered(gap_wait_t *w, uint64_t open_us)
{
    if (w->config.fixed_us != 0) return;
    fade(w);
    float x_ms = (float)(open_us > GAP_WAIT_SEEN_US ? GAP_WAIT_SEEN_US : open_us) / US_PER_MS;
    size_t b = expose(w, x_ms);
    if (b < GAP_WAIT_BINS) w->expo[b] += (x_ms - edges[b]) / (edges[b + 1] - edges[b]);
}

void gap_wait_rtt(gap_wait_t *w, uint64_t rtt_us)
{
    if (rtt_us > GAP_WAIT_SEEN_US) rtt_us = GAP_WAIT_SEEN_US;
    if (w->rtt_known) {
        float rtt = (float)w->rtt_us;
        w->rtt_us = (uint32_t)(rtt + ((float)rtt_us - rtt) * RTT_GAIN);
    } else {
        w->rtt_us = (uint32_t)rtt_us;
    }
    w->rtt_known = true;
    w->stale = true;
}

/* ---- the price of a request ---- */

static float tokens_at(const gap_wait_t *w, uint64_t now_us)
{
    float more = (float)(now_us - w->tokens_us) / (float)GAP_WAIT_TOKEN_US;

    return fminf(GAP_WAIT_TOKENS, w->tokens + more);
}

static float price_at(const gap_wait_t *w, uint64_t now_us)
{
    return w->price == 0 ? 0 : w->price * exp2f(-(float)(now_us - w->price_us) / PRICE_HALF_US);
}

void gap_wait_asked(gap_wait_t *w, uint64_t now_us)
{
    w->tokens = fmaxf(0, tokens_at(w, now_us) - 1);
    w->tokens_us = now_us;
}

void gap_wait_flooded(gap_wait_t *w, uint64_t now_us)
{
    w->price = fminf(PRICE_MAX, 2 * price_at(w, now_us) + 1);
    w->price_us = now_us;
}

static float lambda_ms(const gap_wait_t *w, uint64_t now_us, bool *priced)
{
    float lambda = (float)w->config.lambda_us / US_PER_MS;
    float price = price_at(w, now_us);

    *priced = price > PRICE_LEAST;
    if (!*priced) return lambda;
    float empty = 1 - tokens_at(w, now_us) / GAP_WAIT_TOKENS;
    return lambda * (1 + price) * exp2f(PRICE_POWER * empty);
}

/* ---- the wait ---- */

/** How many stay open, and for how long in all, at each edge. */
struct survival {
    float s[GAP_WAIT_BINS + 1];
    float area[GAP_WAIT_BINS + 1]; /* integral of s from 0, ms */
};

static void survive(const gap_wait_t *w, struct survival *v)
{
    v->s[0] = 1;
    v->area[0] = 0;
    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        float hazard = w->expo[b] > 0 ? fminf(1, w->heal[b] / w->expo[b]) : 0;
        v->s[b + 1] = v->s[b] * (1 - hazard);
        v->area[b + 1] = v->area[b] + (edges[b + 1] - edges[b]) * (v->s[b] + v->s[b + 1]) / 2;
    }
}

/* The integral up to any t; beyond the last edge nothing heals any more. @p b: an edge at or below
 * t to begin with. */
static float area_at(const struct survival *v, size_t b, float t_ms)
{
    while (b < GAP_WAIT_BINS && t_ms >= edges[b + 1]) b++;
    float past = t_ms - edges[b];
    if (b == GAP_WAIT_BINS) return v->area[b] + past * v->s[b];
    float slope = (v->s[b + 1] - v->s[b]) / (edges[b + 1] - edges[b]);
    return v->area[b] + past * (v->s[b] + past * slope / 2);
}

static uint32_t edge_us(size_t b)
{
    return (uint32_t)(edges[b] * US_PER_MS);
}

static bool is_legal(size_t b)
{
    return edge_us(b) >= GAP_WAIT_MIN_US && edge_us(b) <= GAP_WAIT_MAX_US;
}

static uint32_t cheapest(const gap_wait_t *w, const struct survival *v, float cost_ms)
{
    float rtt_ms = (float)w->rtt_us / US_PER_MS;
    float costs[GAP_WAIT_BINS + 1];
    float best = INFINITY;
    uint32_t wait = GAP_WAIT_MAX_US;

    for (size_t b = 0; b <= GAP_WAIT_BINS; b++) {
        costs[b] = w->config.continues ? area_at(v, b, edges[b] + rtt_ms) + v->s[b] * cost_ms
                                       : v->area[b] + v->s[b] * (rtt_ms + cost_ms);
        if (is_legal(b)) best = fminf(best, costs[b]);
    }
    float enough = w->config.continues ? best : best * EQUAL;
    for (size_t b = 0; b <= GAP_WAIT_BINS; b++) {
        if (!is_legal(b) || costs[b] > enough) continue;
        wait = edge_us(b);
        if (w->config.continues) break;
    }
    return wait;
}

uint32_t gap_wait_us(gap_wait_t *w, uint32_t held, uint64_t now_us)
{
    bool priced;
    struct survival v;

    if (w->config.fixed_us != 0) return w->config.fixed_us;
    uint32_t weight = held < 1 ? 1 : held > GAP_WAIT_WEIGHTS ? GAP_WAIT_WEIGHTS : held;
    float lambda = lambda_ms(w, now_us, &priced);
    if (priced || w->stale) survive(w, &v);
    if (priced) {
        w->stale = true; /* the table is made anew once the price is gone */
        return cheapest(w, &v, lambda / (float)weight);
    }
    if (w->stale)
        for (size_t i = 0; i < GAP_WAIT_WEIGHTS; i++)
            w->table[i] = cheapest(w, &v, lambda / (float)(i + 1));
    w->stale = false;
    return w->table[weight - 1];
}
