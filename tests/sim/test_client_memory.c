/*
 * tests/sim/test_client_memory.c - a client whose nth allocation fails: with its runner and its
 * store, from its start over differences, pushes and handlers that take their time to its end, for
 * every n. It may complain, or give up; it must not crash, leak or lose an update: what it has not
 * brought the next life brings.
 */
#include "tests/loop/kept.h"
#include "tests/sim/client_world.h"

#include <string.h>

#define EVERY_MAX 2000 /* each n up to this; beyond, SAMPLES of them */
#define SAMPLES   60
#define DROUGHTS  60 /* runs in which all allocations fail for a while */

static struct client_world w;
static struct kept kept;

static gap_storage_t *storage(void *arg)
{
    (void)arg;
    return &kept.base;
}

static void setup(void)
{
    client_world_begin(&w, 1);
    kept_init(&kept);
    w.storage = storage;
    /* The first life signs in, and finds out where things stand. */
    client_world_fresh(&w);
    ck_assert_int_eq(client_world_open(&w), 0);
    ck_assert_msg(client_world_run(&w, 60000000, client_world_is_caught_up), "%s", w.trouble);
    client_world_say(&w, 3 * CLIENT_WORLD_CHANNELS);
    w.first = 1;
    ck_assert(client_world_run(&w, 60000000, client_world_is_complete));
    client_world_close(&w);
}

static void teardown(void)
{
    client_world_end(&w);
    kept_fini(&kept);
}

/* One life with a fault, and if that has not brought everything, one without. @return how many
 * allocations the first one made. */
static long trial(long fail_at, bool drought)
{
    w.first = dc_model_event_count(gap_dc_model(w.dc)) + 1;
    client_world_say(&w, 40); /* to be fetched */
    client_world_fresh(&w);
    w.alloc.fail_at = fail_at;
    w.alloc.fail_on = drought;
    if (client_world_open(&w) == 0) {
        (void)client_world_run(&w, 800000, client_world_is_caught_up);
        for (int i = 0; i < 4; i++) { /* to be pushed */
            client_world_say(&w, 20);
            (void)client_world_run(&w, 100000, NULL);
        }
        if (drought) w.alloc.fail_at = 0;
        (void)client_world_run(&w, 700000, client_world_is_complete);
    }
    long calls = w.alloc.calls;
    client_world_close(&w);
    if (client_world_is_complete(&w)) return calls;
    client_world_fresh(&w);
    ck_assert_int_eq(client_world_open(&w), 0);
    ck_assert_msg(client_world_run(&w, 120000000, client_world_is_complete),
                  "allocation %ld failed, and event %u is lost", fail_at,
                  (unsigned)client_world_missing(&w));
    client_world_close(&w);
    return calls;
}

START_TEST(each_allocation_fails_once)
{
    long calls = trial(0, false);
    long step = calls > EVERY_MAX ? (calls - EVERY_MAX) / SAMPLES + 1 : 1;
    long stride = 2000 / gap_test_seeds(2000); /* under the sanitisers some of them */

    ck_assert_int_gt(calls, 100);
    for (long n = 1; n <= calls; n += n < EVERY_MAX ? (stride > 1 ? stride : 1) : step)
        (void)trial(n, false);
}
END_TEST

START_TEST(there_is_no_memory_for_a_while)
{
    long calls = trial(0, false);
    int droughts = gap_test_seeds(DROUGHTS);

    for (int i = 0; i < droughts; i++) (void)trial(1 + calls * i / droughts, true);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("client_memory");
    TCase *tc = tcase_create("faults");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, each_allocation_fails_once);
    tcase_add_test(tc, there_is_no_memory_for_a_while);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
