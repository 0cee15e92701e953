/* runner/lanes: order within a lane, turns between lanes, slots, several keys, out of memory. */
#include "../check_main.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "runner/lanes.h"

#include <string.h>

#define JOBS 64

static struct fault_alloc fault;
static gap_lanes_t lanes;
static gap_job_t jobs[JOBS];

static void begin(uint32_t slots)
{
    fault_alloc_init(&fault, 0);
    gap_lanes_init(&lanes, &fault.alloc, slots, JOBS);
    for (int i = 0; i < JOBS; i++) gap_job_init(&jobs[i], GAP_JOB_NORMAL);
}

static void end(void)
{
    for (int i = 0; i < JOBS; i++) {
        if (jobs[i].state != GAP_JOB_OUT) gap_lanes_done(&lanes, &jobs[i]);
    }
    ck_assert_uint_eq(gap_lanes_count(&lanes), 0);
    ck_assert_uint_eq(lanes.jobs, 0);
    ck_assert_uint_eq(lanes.running, 0);
    gap_lanes_fini(&lanes);
    gap_lanes_fini(&lanes);
    ck_assert_int_eq((int)fault.live, 0);
}

static void add(int i, uint64_t key)
{
    ck_assert_int_eq(gap_lanes_add(&lanes, &jobs[i], &key, 1), 0);
}

static void add_two(int i, uint64_t a, uint64_t b)
{
    uint64_t keys[] = {a, b};
    ck_assert_int_eq(gap_lanes_add(&lanes, &jobs[i], keys, 2), 0);
}

/* The number of the job whose turn it is; -1: none. */
static int next(void)
{
    gap_job_t *job = gap_lanes_next(&lanes);
    return job == NULL ? -1 : (int)(job - jobs);
}

static void done(int i)
{
    gap_lanes_done(&lanes, &jobs[i]);
}

START_TEST(a_lane_runs_one_at_a_time_in_order)
{
    begin(10);
    for (int i = 0; i < 4; i++) add(i, 7);
    ck_assert_uint_eq(gap_lanes_depth(&lanes, 7), 4);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(next(), i);
        ck_assert_int_eq(next(), -1);
        done(i);
    }
    ck_assert_uint_eq(gap_lanes_depth(&lanes, 7), 0);
    end();
}
END_TEST

START_TEST(lanes_go_side_by_side_up_to_the_slots)
{
    begin(2);
    for (int i = 0; i < 3; i++) add(i, (uint64_t)i + 1);
    ck_assert_int_eq(next(), 0);
    ck_assert_int_eq(next(), 1);
    ck_assert_int_eq(next(), -1);
    done(0);
    ck_assert_int_eq(next(), 2);
    end();
}
END_TEST

/* grammY's waiting updates fill its 500 places; here only what runs has one. */
START_TEST(who_waits_holds_no_slot)
{
    begin(2);
    for (int i = 0; i < 20; i++) add(i, 1);
    add(20, 2);
    ck_assert_int_eq(next(), 0);
    ck_assert_int_eq(next(), 20);
    end();
}
END_TEST

START_TEST(a_hot_lane_gets_one_turn_in_two)
{
    int order[8];

    begin(1);
    for (int i = 0; i < 4; i++) add(i, 1); /* hot */
    for (int i = 4; i < 8; i++) add(i, 2);
    for (int i = 0; i < 8; i++) {
        order[i] = next();
        done(order[i]);
    }
    static const int expected[] = {0, 4, 1, 5, 2, 6, 3, 7};
    ck_assert_mem_eq(order, expected, sizeof order);
    end();
}
END_TEST

START_TEST(several_keys_wait_for_all_and_block_all)
{
    begin(10);
    add(0, 1);
    add(1, 2);
    add_two(2, 1, 2);
    add(3, 1);
    add(4, 2);
    ck_assert_int_eq(next(), 0);
    ck_assert_int_eq(next(), 1);
    ck_assert_int_eq(next(), -1);
    done(0);
    ck_assert_int_eq(next(), -1); /* 2 still waits in the second lane, 3 behind it */
    done(1);
    ck_assert_int_eq(next(), 2);
    ck_assert_int_eq(next(), -1);
    done(2);
    ck_assert_int_eq(next(), 3);
    ck_assert_int_eq(next(), 4);
    end();
}
END_TEST

START_TEST(opposite_orders_of_keys_do_not_block_each_other)
{
    begin(10);
    add_two(0, 1, 2);
    add_two(1, 2, 1);
    ck_assert_int_eq(next(), 0);
    ck_assert_int_eq(next(), -1);
    done(0);
    ck_assert_int_eq(next(), 1);
    end();
}
END_TEST

START_TEST(the_same_key_twice_counts_once)
{
    begin(10);
    add_two(0, 5, 5);
    ck_assert_uint_eq(gap_lanes_depth(&lanes, 5), 1);
    ck_assert_int_eq(next(), 0);
    end();
}
END_TEST

START_TEST(no_key_waits_for_nobody)
{
    begin(10);
    add(0, 1);
    ck_assert_int_eq(gap_lanes_add(&lanes, &jobs[1], NULL, 0), 0);
    ck_assert_int_eq(next(), 0);
    ck_assert_int_eq(next(), 1);
    end();
}
END_TEST

/* A predecessor that failed and is to be tried again lets nobody pass, and needs no slot. */
START_TEST(a_parked_job_keeps_its_lane_and_no_slot)
{
    begin(1);
    add(0, 1);
    add(1, 1);
    add(2, 2);
    ck_assert_int_eq(next(), 0);
    gap_lanes_park(&lanes, &jobs[0]);
    ck_assert_int_eq(next(), 2);
    gap_lanes_resume(&lanes, &jobs[0]);
    ck_assert_int_eq(next(), -1);
    done(2);
    ck_assert_int_eq(next(), 0);
    done(0);
    ck_assert_int_eq(next(), 1);
    end();
}
END_TEST

START_TEST(urgent_ones_first_but_not_for_ever)
{
    int normal = 0;

    begin(1);
    for (int i = 0; i < 40; i++) gap_job_init(&jobs[i], GAP_JOB_URGENT);
    for (int i = 0; i < 44; i++) add(i, (uint64_t)i + 1);
    for (int i = 0; i < 44; i++) {
        int at = next();
        if (at >= 40) {
            normal++;
            ck_assert_int_eq((i + 1) % (GAP_LANES_URGENT_MAX + 1) == 0 || i >= 42, 1);
        }
        if (i < GAP_LANES_URGENT_MAX) ck_assert_int_lt(at, 40);
        done(at);
    }
    ck_assert_int_eq(normal, 4);
    end();
}
END_TEST

START_TEST(urgent_does_not_overtake_in_its_own_lane)
{
    begin(1);
    gap_job_init(&jobs[1], GAP_JOB_URGENT);
    add(0, 1);
    add(1, 1);
    ck_assert_int_eq(next(), 0);
    done(0);
    ck_assert_int_eq(next(), 1);
    end();
}
END_TEST

START_TEST(one_in_the_middle_is_given_up)
{
    begin(1);
    for (int i = 0; i < 3; i++) add(i, 1);
    done(1);
    ck_assert_int_eq(next(), 0);
    done(0);
    ck_assert_int_eq(next(), 2);
    end();
}
END_TEST

START_TEST(a_ready_one_is_given_up)
{
    begin(1);
    add(0, 1);
    add(1, 1);
    done(0);
    ck_assert_int_eq(next(), 1);
    end();
}
END_TEST

START_TEST(pause_and_fewer_slots)
{
    begin(3);
    for (int i = 0; i < 4; i++) add(i, (uint64_t)i + 1);
    ck_assert_int_eq(next(), 0);
    gap_lanes_pause(&lanes, true);
    ck_assert_int_eq(next(), -1);
    gap_lanes_pause(&lanes, false);
    ck_assert_int_eq(next(), 1);
    gap_lanes_slots(&lanes, 1);
    ck_assert_int_eq(next(), -1);
    done(0);
    ck_assert_int_eq(next(), -1); /* one of the two still runs */
    done(1);
    ck_assert_int_eq(next(), 2);
    end();
}
END_TEST

START_TEST(bounds)
{
    uint64_t keys[GAP_LANES_KEYS_MAX + 1];
    gap_job_t more;

    for (size_t i = 0; i < GAP_ARRAY_LEN(keys); i++) keys[i] = i + 1;
    begin(1);
    gap_job_init(&more, GAP_JOB_NORMAL);
    ck_assert_int_eq(gap_lanes_add(&lanes, &more, keys, GAP_ARRAY_LEN(keys)), GAP_E_LIMIT);
    ck_assert_uint_eq(gap_lanes_count(&lanes), 0);
    ck_assert_int_eq(gap_lanes_add(&lanes, &jobs[0], keys, GAP_LANES_KEYS_MAX), 0);
    ck_assert_uint_eq(gap_lanes_count(&lanes), GAP_LANES_KEYS_MAX);
    for (int i = 1; i < JOBS; i++) add(i, 1);
    ck_assert_int_eq(gap_lanes_add(&lanes, &more, keys, 1), GAP_E_LIMIT);
    ck_assert_int_eq(more.state, GAP_JOB_OUT);
    end();
}
END_TEST

START_TEST(out_of_memory_leaves_nothing)
{
    uint64_t keys[] = {1, 2, 3};

    for (long fail_at = 1;; fail_at++) {
        begin(1);
        fault.fail_at = fail_at;
        int r = gap_lanes_add(&lanes, &jobs[0], keys, 3);
        if (r == 0) break;
        ck_assert_int_eq(r, GAP_E_NOMEM);
        ck_assert_int_eq(jobs[0].state, GAP_JOB_OUT);
        ck_assert_uint_eq(gap_lanes_count(&lanes), 0);
        fault.fail_at = 0;
        ck_assert_int_eq(gap_lanes_add(&lanes, &jobs[0], keys, 3), 0);
        ck_assert_int_eq(next(), 0);
        end();
    }
    end();
}
END_TEST

START_TEST(steady_state_allocates_nothing)
{
    begin(1);
    add(0, 1);
    (void)next();
    done(0);
    long calls = fault.calls;
    for (int i = 0; i < 1000; i++) {
        add(0, (uint64_t)i + 1);
        ck_assert_int_eq(next(), 0);
        done(0);
    }
    ck_assert_int_eq((int)(fault.calls - calls), 0);
    end();
}
END_TEST

/* ---- against a plain model ---- */

struct model {
    uint64_t keys[3];
    size_t count;
    unsigned long entered;
    bool in, runs, parked;
};

static bool shares(const struct model *a, const struct model *b)
{
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            if (a->keys[i] == b->keys[k]) return true;
        }
    }
    return false;
}

/* Nobody who shares a lane with it came before it and is still in. */
static bool may_run(const struct model *m, int at)
{
    for (int i = 0; i < JOBS; i++) {
        if (i == at || !m[i].in || m[i].entered > m[at].entered) continue;
        if (shares(&m[i], &m[at])) return false;
    }
    return true;
}

START_TEST(any_history_agrees_with_the_model)
{
    struct model m[JOBS];
    gap_prng_t rng = {(uint64_t)_i + 1};
    unsigned long entered = 0;
    uint32_t running = 0;

    memset(m, 0, sizeof m);
    begin(5);
    for (int step = 0; step < 3000; step++) {
        int at = (int)gap_prng_below(&rng, JOBS);
        switch (gap_prng_below(&rng, 5)) {
        case 0:
            if (m[at].in) break;
            m[at].count = (size_t)gap_prng_below(&rng, 4);
            for (size_t i = 0; i < m[at].count; i++) m[at].keys[i] = gap_prng_below(&rng, 9) + 1;
            ck_assert_int_eq(gap_lanes_add(&lanes, &jobs[at], m[at].keys, m[at].count), 0);
            m[at].in = true;
            m[at].runs = m[at].parked = false;
            m[at].entered = entered++;
            break;
        case 1:
            if (!m[at].in) break;
            done(at);
            running -= m[at].runs;
            m[at].in = m[at].runs = false;
            break;
        case 2:
            if (m[at].runs) {
                gap_lanes_park(&lanes, &jobs[at]);
                running--;
                m[at].runs = false;
                m[at].parked = true;
            } else if (m[at].in && m[at].parked) {
                gap_lanes_resume(&lanes, &jobs[at]);
                m[at].parked = false;
            }
            break;
        default: {
            bool somebody = false;
            for (int i = 0; i < JOBS; i++)
                somebody |= m[i].in && !m[i].runs && !m[i].parked && may_run(m, i);
            int got = next();
            ck_assert_msg((got >= 0) == (somebody && running < 5), "seed %d step %d", _i, step);
            if (got < 0) break;
            ck_assert(m[got].in && !m[got].runs && !m[got].parked);
            ck_assert_msg(may_run(m, got), "seed %d: %d overtook", _i, got);
            m[got].runs = true;
            running++;
        }
        }
    }
    end();
}
END_TEST

START_TEST(one_that_is_held_back_keeps_its_place)
{
    begin(10);
    gap_job_hold(&jobs[0]);
    add(0, 7);
    add(1, 7);
    add(2, 8);
    ck_assert_int_eq(next(), 2);
    ck_assert_int_eq(next(), -1);
    gap_lanes_release(&lanes, &jobs[0]);
    ck_assert_int_eq(next(), 0);
    ck_assert_int_eq(next(), -1);
    done(0);
    ck_assert_int_eq(next(), 1);
    /* Held back, and behind somebody: both must be over. */
    gap_job_hold(&jobs[3]);
    add(3, 7);
    done(1);
    ck_assert_int_eq(next(), -1);
    gap_lanes_release(&lanes, &jobs[3]);
    ck_assert_int_eq(next(), 3);
    end();
}
END_TEST

START_TEST(one_may_begin_out_of_turn)
{
    begin(1);
    add(0, 7);
    add(1, 8);
    gap_lanes_begin(&lanes, &jobs[1]);
    ck_assert_int_eq(next(), -1); /* it has the slot */
    ck_assert_uint_eq(lanes.ready_count, 1);
    done(1);
    ck_assert_int_eq(next(), 0);
    ck_assert_uint_eq(lanes.ready_count, 0);
    end();
}
END_TEST

START_TEST(turns_of_one_class_alone)
{
    begin(1);
    gap_job_init(&jobs[1], GAP_JOB_URGENT);
    add(0, 7);
    ck_assert_ptr_null(gap_lanes_next_of(&lanes, GAP_JOB_URGENT));
    add(1, 8);
    ck_assert_ptr_eq(gap_lanes_next_of(&lanes, GAP_JOB_URGENT), &jobs[1]);
    ck_assert_ptr_null(gap_lanes_next_of(&lanes, GAP_JOB_NORMAL)); /* no slot */
    done(1);
    gap_lanes_pause(&lanes, true);
    ck_assert_ptr_null(gap_lanes_next_of(&lanes, GAP_JOB_NORMAL));
    gap_lanes_pause(&lanes, false);
    ck_assert_ptr_eq(gap_lanes_next_of(&lanes, GAP_JOB_NORMAL), &jobs[0]);
    end();
}
END_TEST

START_TEST(what_is_reserved_is_there)
{
    static const uint64_t keys[GAP_LANES_KEYS_MAX] = {1, 2, 3, 4, 5, 6, 7, 8};

    begin(10);
    ck_assert_int_eq(gap_lanes_reserve(&lanes), 0);
    ck_assert_int_eq(gap_lanes_reserve(&lanes), 0);
    fault.fail_at = fault.calls + 1;
    fault.fail_on = true;
    ck_assert_int_eq(gap_lanes_add(&lanes, &jobs[0], keys, GAP_LANES_KEYS_MAX), 0);
    ck_assert_int_eq(gap_lanes_reserve(&lanes), GAP_E_NOMEM); /* the places are taken */
    ck_assert(gap_lanes_busy(&lanes, 8));
    ck_assert(!gap_lanes_busy(&lanes, 9));
    fault.fail_at = 0;
    end();
}
END_TEST

START_TEST(memory_goes_back_when_nobody_is_in)
{
    begin(10);
    long before = fault.live;
    add(0, 7);
    ck_assert_int_gt((int)fault.live, (int)before);
    gap_lanes_trim(&lanes);
    ck_assert_uint_eq(gap_lanes_depth(&lanes, 7), 1);
    ck_assert_int_eq(next(), 0);
    done(0);
    gap_lanes_trim(&lanes);
    ck_assert_int_eq((int)fault.live, (int)before);
    add(0, 7);
    ck_assert_int_eq(next(), 0);
    end();
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("lanes");
    TCase *t = tcase_create("lanes");

    tcase_add_test(t, a_lane_runs_one_at_a_time_in_order);
    tcase_add_test(t, lanes_go_side_by_side_up_to_the_slots);
    tcase_add_test(t, who_waits_holds_no_slot);
    tcase_add_test(t, a_hot_lane_gets_one_turn_in_two);
    tcase_add_test(t, several_keys_wait_for_all_and_block_all);
    tcase_add_test(t, opposite_orders_of_keys_do_not_block_each_other);
    tcase_add_test(t, the_same_key_twice_counts_once);
    tcase_add_test(t, no_key_waits_for_nobody);
    tcase_add_test(t, a_parked_job_keeps_its_lane_and_no_slot);
    tcase_add_test(t, urgent_ones_first_but_not_for_ever);
    tcase_add_test(t, urgent_does_not_overtake_in_its_own_lane);
    tcase_add_test(t, one_in_the_middle_is_given_up);
    tcase_add_test(t, a_ready_one_is_given_up);
    tcase_add_test(t, pause_and_fewer_slots);
    tcase_add_test(t, bounds);
    tcase_add_test(t, out_of_memory_leaves_nothing);
    tcase_add_test(t, steady_state_allocates_nothing);
    tcase_add_test(t, one_that_is_held_back_keeps_its_place);
    tcase_add_test(t, one_may_begin_out_of_turn);
    tcase_add_test(t, turns_of_one_class_alone);
    tcase_add_test(t, what_is_reserved_is_there);
    tcase_add_test(t, memory_goes_back_when_nobody_is_in);
    tcase_add_loop_test(t, any_history_agrees_with_the_model, 0, 100);
    suite_add_tcase(suite, t);
    return suite;
}

GAP_TEST_MAIN(make_suite)
