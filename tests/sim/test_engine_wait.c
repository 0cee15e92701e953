/*
 * How long holes wait: the wait that is learned, a policy of the caller's own, and what follows
 * from a wait. Each trace is what the rules say, in virtual time. A learned wait begins at 45 ms
 * (round trip 100 ms, one update held) and is told in each case.
 */
#include "world_steps.h"

/* ---- a policy of the caller's own ---- */

/* A single event may be on its way, more than that are rather lost. */
static uint32_t by_size(void *data, const gap_engine_hole_t *hole)
{
    world_trace(data, "hole %d of %lld: %d..%d, %u held, open %llu ms", hole->sequence,
                (long long)hole->channel_id, hole->position, hole->first, hole->held,
                (unsigned long long)(hole->now_us - hole->since_us) / 1000);
    return hole->first - hole->position == 1 ? 300000 : 20000;
}

/* S18: the wait depends on how much is missing, the result does not. */
START_TEST(test_s18_a_policy_sees_the_size)
{
    gap_engine_config_t c = world_config(&w);

    c.gap_wait = by_size;
    c.gap_wait_data = &w;
    begin_with(_i, &c);
    feed_channel(7, 50);
    world_run(&w, 0);
    world_forget(&w);
    feed_message(12); /* 11 is missing */
    world_run(&w, 100);
    feed_channel(7, 54); /* 51 to 53 are */
    world_run(&w, 110);
    feed_message(13);
    world_answer(&w, 10, channel_difference(7, 51, 54, true));
    world_answer(&w, 10, difference(11, 13));
    world_run(&w, 1000);
    world_expect(&w, "[   0] hole 0 of 0: 10..11, 1 held, open 0 ms\n"
                     "[ 100] hole 3 of 7: 50..53, 1 held, open 0 ms\n"
                     "[ 110] hole 0 of 0: 10..11, 2 held, open 110 ms\n"
                     "[ 120] channel 7 difference from 50\n"
                     "[ 130] apply 7:51\n[ 130] apply 7:52\n[ 130] apply 7:53\n[ 130] apply 7:54\n"
                     "[ 300] difference from 10\n"
                     "[ 310] apply 11\n[ 310] apply 12\n[ 310] apply 13\n");
    world_fini(&w);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("engine_wait");
    TCase *t = tcase_create("policy");

    tcase_add_loop_test(t, test_s18_a_policy_sees_the_size, 0, 8);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
