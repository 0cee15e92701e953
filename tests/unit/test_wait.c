/* tests/unit/test_wait.c - how long a hole waits: what is learned, and what it costs. */
#include "tests/check_main.h"

#include "base/prng.h"
#include "sequence/wait.h"

#include <math.h>

static bool near(float a, float b)
{
    return fabsf(a - b) <= 1e-3F;
}

static gap_wait_t fresh(bool continues, uint32_t lambda_us)
{
    const struct gap_wait_config config = {.lambda_us = lambda_us, .continues = continues};
    gap_wait_t w;

    gap_wait_init(&w, &config);
    return w;
}

START_TEST(fixed_is_fixed)
{
    const struct gap_wait_config config = {.fixed_us = 500000};
    gap_wait_t w;

    gap_wait_init(&w, &config);
    for (int i = 0; i < 100; i++) {
        gap_wait_healed(&w, 1000);
        gap_wait_answered(&w, 500000);
        gap_wait_rtt(&w, 30000);
        gap_wait_flooded(&w, 5);
    }
    ck_assert_uint_eq(gap_wait_us(&w, 1, 10), 500000);
    ck_assert_uint_eq(gap_wait_us(&w, 9, 10), 500000);
}
END_TEST

/* Nothing seen yet, round trip 100 ms, one update held: about 40 ms. */
START_TEST(first_wait)
{
    gap_wait_t w = fresh(true, 0);
    uint32_t us = gap_wait_us(&w, 1, 0);

    ck_assert_uint_ge(us, 27000);
    ck_assert_uint_le(us, 60000);
    ck_assert_uint_le(gap_wait_us(&w, 4, 0), us);
    ck_assert_uint_eq(gap_wait_us(&w, 4, 0), gap_wait_us(&w, 1000, 0));
    ck_assert_uint_eq(gap_wait_us(&w, 0, 0), us);
}
END_TEST

/* Held until the answer: it begins more patiently. */
START_TEST(first_wait_held)
{
    gap_wait_t w = fresh(false, 0);
    uint32_t us = gap_wait_us(&w, 1, 0);

    ck_assert_uint_ge(us, 100000);
    ck_assert_uint_le(us, 215000);
    ck_assert_uint_le(gap_wait_us(&w, 4, 0), us);
}
END_TEST

/* Holes that never heal: there is nothing to wait for. */
START_TEST(all_lost)
{
    for (int continues = 0; continues < 2; continues++) {
        gap_wait_t w = fresh(continues == 1, 0);
        for (int i = 0; i < 400; i++)
            gap_wait_answered(&w, (uint64_t)gap_wait_us(&w, 1, 0) + 100000);
        ck_assert_uint_le(gap_wait_us(&w, 1, 0), 8000);
    }
}
END_TEST

/* Holes that always heal, all after some 50 ms: wait until then. Where a request holds nobody up,
 * not much longer; where it does, a longer wait costs nothing. */
START_TEST(all_late)
{
    for (int continues = 0; continues < 2; continues++) {
        gap_wait_t w = fresh(continues == 1, 0);
        for (int i = 0; i < 400; i++) gap_wait_healed(&w, 46000 + 13000U * (uint64_t)(i % 2));
        uint32_t us = gap_wait_us(&w, 1, 0);
        ck_assert_uint_ge(us, 60000);
        if (continues == 1) ck_assert_uint_le(us, 125000);
    }
}
END_TEST

/* Mostly lost, the few others very late: a wait for those would cost all the rest. */
START_TEST(not_fooled_by_a_tail)
{
    gap_wait_t w = fresh(false, 0);

    for (int i = 0; i < 400; i++) {
        if (i % 10 == 0)
            gap_wait_healed(&w, 400000);
        else
            gap_wait_answered(&w, 120000);
    }
    ck_assert_uint_le(gap_wait_us(&w, 1, 0), 8000);
}
END_TEST

/* One half heals within 10 ms, the other about 300 ms late: ask after the first half. */
START_TEST(two_humps)
{
    gap_wait_t w = fresh(true, 0);
    gap_prng_t p = {7};

    for (int i = 0; i < 1000; i++) {
        bool soon = gap_prng_unit(&p) < 0.5;
        double ms = soon ? -4 * log(1 - gap_prng_unit(&p)) : 290 + 20 * gap_prng_unit(&p);
        gap_wait_healed(&w, (uint64_t)(ms * 1000));
    }
    uint32_t us = gap_wait_us(&w, 1, 0);
    ck_assert_uint_ge(us, 6000);
    ck_assert_uint_le(us, 35000);
    /* Where requests are dear it pays to wait for the others, too. */
    gap_wait_t dear = w;
    dear.config.lambda_us = 4000000;
    dear.stale = true;
    ck_assert_uint_ge(gap_wait_us(&dear, 1, 0), 290000);
}
END_TEST

/* All that was missing came within 3 ms: a request costs, a longer wait does not. Where requests
 * hold nobody up the first of equal waits is as good. */
START_TEST(longest_of_equal_waits)
{
    gap_wait_t holds = fresh(false, 0);
    gap_wait_t goes_on = fresh(true, 0);

    for (int i = 0; i < 2000; i++) {
        /* two in a thousand never came */
        if (i % 500 == 250) {
            gap_wait_answered(&holds, 600000);
            gap_wait_answered(&goes_on, 600000);
        }
        gap_wait_healed(&holds, 2500);
        gap_wait_healed(&goes_on, 2500);
    }
    uint32_t us = gap_wait_us(&holds, 1, 0);
    ck_assert_uint_gt(us, gap_wait_us(&goes_on, 1, 0));
    ck_assert_uint_ge(us, 6000);
    ck_assert_uint_lt(us, 100000); /* those two in a thousand would wait for nothing */
}
END_TEST

/* A hole that was answered says nothing about what comes after. */
START_TEST(censored_samples)
{
    gap_wait_t w = fresh(false, 0);
    gap_wait_t before = w;

    gap_wait_answered(&w, 5000); /* bin 4 to 6 ms: half of it */
    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        float more = b < 4 ? 1.0F : b == 4 ? 0.5F : 0.0F;
        ck_assert(near(w.expo[b], before.expo[b] * 0.995F + more));
        ck_assert(near(w.heal[b], before.heal[b] * 0.995F));
    }
}
END_TEST

START_TEST(healed_samples)
{
    gap_wait_t w = fresh(false, 0);
    gap_wait_t before = w;

    gap_wait_healed(&w, 5000);
    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        ck_assert(near(w.expo[b], before.expo[b] * 0.995F + (b <= 4 ? 1.0F : 0.0F)));
        ck_assert(near(w.heal[b], before.heal[b] * 0.995F + (b == 4 ? 1.0F : 0.0F)));
    }
    gap_wait_t late = fresh(false, 0);
    before = late;
    gap_wait_healed(&late, 60000000);
    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        ck_assert(near(late.heal[b], before.heal[b] * 0.995F));
        ck_assert(near(late.expo[b], before.expo[b] * 0.995F + 1));
    }
}
END_TEST

/* A longer round trip makes a difference dearer for those who wait for it. */
START_TEST(round_trips)
{
    gap_wait_t close = fresh(false, 0);
    gap_wait_t far = fresh(false, 0);

    for (int i = 0; i < 50; i++) {
        gap_wait_rtt(&close, 30000);
        gap_wait_rtt(&far, 300000);
    }
    ck_assert_uint_le(close.rtt_us, 31000);
    ck_assert_uint_ge(far.rtt_us, 299000);
    ck_assert_uint_le(gap_wait_us(&close, 1, 0), gap_wait_us(&far, 1, 0));
    gap_wait_t once = fresh(false, 0);
    gap_wait_rtt(&once, 40000); /* the first one is taken as it is */
    ck_assert_uint_eq(once.rtt_us, 40000);
    gap_wait_rtt(&once, UINT64_MAX);
    ck_assert_uint_le(once.rtt_us, GAP_WAIT_SEEN_US);
}
END_TEST

/* After FLOOD_WAIT requests are dearer, the more so the fewer are left; it passes. */
START_TEST(floods)
{
    gap_wait_t w = fresh(false, 0);
    uint64_t now = 1000000;

    for (int i = 0; i < 200; i++) {
        gap_wait_healed(&w, 20000);
        for (int lost = 0; lost < 4; lost++) gap_wait_answered(&w, 450000);
        gap_wait_healed(&w, 300000);
    }
    uint32_t calm = gap_wait_us(&w, 1, now);
    for (int i = 0; i < 20; i++) gap_wait_asked(&w, now);
    ck_assert_uint_eq(gap_wait_us(&w, 1, now), calm); /* no price yet */
    for (int i = 0; i < 5; i++) gap_wait_flooded(&w, now);
    uint32_t flooded = gap_wait_us(&w, 1, now);
    ck_assert_uint_gt(flooded, calm);
    ck_assert(w.price <= 15);
    uint32_t rested = gap_wait_us(&w, 1, now + 60000000);
    ck_assert_uint_le(rested, flooded);
    ck_assert_uint_eq(gap_wait_us(&w, 1, now + UINT64_C(3600000000)), calm);
}
END_TEST

START_TEST(reconnects)
{
    gap_wait_t w = fresh(false, 0);

    for (int i = 0; i < 400; i++) gap_wait_answered(&w, 300000);
    float before = w.expo[0];
    gap_wait_reconnected(&w, true);
    ck_assert(near(w.expo[0], before / 4));
    ck_assert_uint_le(gap_wait_us(&w, 1, 0), 8000); /* still known */
    gap_wait_t anew = fresh(false, 0);
    gap_wait_reconnected(&w, false);
    ck_assert_uint_eq(gap_wait_us(&w, 1, 0), gap_wait_us(&anew, 1, 0));
}
END_TEST

/* Whatever is sampled, the wait stays within its bounds and the curve is one. */
START_TEST(always_within_bounds)
{
    gap_prng_t p = {(uint64_t)_i + 1};
    gap_wait_t w = fresh(_i % 2 == 0, (uint32_t)gap_prng_below(&p, 2000000));
    uint64_t now = 0;

    for (int i = 0; i < 2000; i++) {
        uint64_t x = gap_prng_next(&p) >> gap_prng_below(&p, 64);
        switch (gap_prng_below(&p, 6)) {
        case 0:
            gap_wait_healed(&w, x);
            break;
        case 1:
            gap_wait_answered(&w, x);
            break;
        case 2:
            gap_wait_rtt(&w, x);
            break;
        case 3:
            gap_wait_asked(&w, now);
            break;
        case 4:
            if (gap_prng_below(&p, 20) == 0) gap_wait_flooded(&w, now);
            break;
        default:
            now += gap_prng_below(&p, 3000000);
        }
        uint32_t us = gap_wait_us(&w, (uint32_t)gap_prng_below(&p, 8), now);
        ck_assert_uint_ge(us, GAP_WAIT_MIN_US);
        ck_assert_uint_le(us, GAP_WAIT_MAX_US);
    }
    for (size_t b = 0; b < GAP_WAIT_BINS; b++) {
        ck_assert(isfinite(w.heal[b]) && isfinite(w.expo[b]));
        ck_assert(w.heal[b] <= w.expo[b] * 1.0001F);
    }
}
END_TEST

static Suite *wait_suite(void)
{
    Suite *s = suite_create("wait");
    TCase *c = tcase_create("wait");

    tcase_add_test(c, fixed_is_fixed);
    tcase_add_test(c, first_wait);
    tcase_add_test(c, first_wait_held);
    tcase_add_test(c, all_lost);
    tcase_add_test(c, all_late);
    tcase_add_test(c, not_fooled_by_a_tail);
    tcase_add_test(c, two_humps);
    tcase_add_test(c, longest_of_equal_waits);
    tcase_add_test(c, censored_samples);
    tcase_add_test(c, healed_samples);
    tcase_add_test(c, round_trips);
    tcase_add_test(c, floods);
    tcase_add_test(c, reconnects);
    tcase_add_loop_test(c, always_within_bounds, 0, 50);
    suite_add_tcase(s, c);
    return s;
}

GAP_TEST_MAIN(wait_suite)
