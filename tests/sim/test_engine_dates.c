/*
 * The date in the question for the common difference: the server names the channels that have
 * changed since. It must not be later than anything that may have been missed.
 */
#include "world_steps.h"

#include <string.h>

#define SEEDS   8
#define EARLIER 1 /* seconds: the same second may have had more */

/* The date of the question for the common difference that is in flight. */
static int32_t asked_date(void)
{
    for (size_t i = 0; i < WORLD_CALLS; i++) {
        if (w.calls[i].used && w.calls[i].channel == 0) return w.calls[i].date;
    }
    ck_abort_msg("no difference is asked for");
    return 0;
}

static gap_packet_t *state_later(int32_t pts, int32_t seconds)
{
    gap_tl_updates_state_t s = {pts, 5, PACK_DATE + seconds, 1, 0};
    return pack_object(GAP_TL_UPDATES_STATE, &s);
}

/* What a channel loses while an account that begins has no state yet. */
START_TEST(updates_before_the_state)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, state_later(10, 100));
    w.p.later = 3;
    feed_channel(7, 50);
    w.p.later = 4;
    feed_channel(7, 51);
    w.p.later = 0;
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE + 3 - EARLIER);
    world_fini(&w);
}
END_TEST

START_TEST(nothing_before_the_state)
{
    gap_engine_config_t c;

    memset(&c, 0, sizeof c);
    world_init(&w, (uint64_t)_i, &c);
    gap_engine_start(w.engine);
    world_answer(&w, 0, state_later(10, 100));
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE + 100 - EARLIER);
    feed_channel(7, 50); /* too late to matter */
    world_run(&w, 2);
    ck_assert_int_eq(asked_date(), PACK_DATE + 100 - EARLIER);
    world_fini(&w);
}
END_TEST

/* Asking where the server stands says nothing about the channels. */
START_TEST(position_refused)
{
    begin(_i);
    gap_engine_missed(w.engine);
    world_error(&w, 0, 400, "PERSISTENT_TIMESTAMP_INVALID");
    world_answer(&w, 0, state_later(40, 100));
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE - EARLIER);
    world_fini(&w);
}
END_TEST

START_TEST(pts_changed)
{
    begin(_i);
    pack_pts_changed(&w.p);
    world_answer(&w, 0, state_later(3, 100));
    (void)world_feed(&w, pack_updates(&w.p, 0));
    world_run(&w, 1);
    ck_assert_int_eq(asked_date(), PACK_DATE - EARLIER);
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_dates");
    TCase *t = tcase_create("dates");

    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, updates_before_the_state, 0, SEEDS);
    tcase_add_loop_test(t, nothing_before_the_state, 0, SEEDS);
    tcase_add_loop_test(t, position_refused, 0, SEEDS);
    tcase_add_loop_test(t, pts_changed, 0, SEEDS);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
