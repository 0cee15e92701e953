/* tests/unit/test_copies.c - packets from pools: whole and apart from each other, given back
 * without a rest, refused without memory. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "base/prng.h"
#include "loops/copies.h"

START_TEST(test_copies_come_and_go_in_any_order)
{
    enum { N = 400 };
    gap_packet_t *packets[N] = {NULL};
    gap_prng_t rng = {(uint64_t)_i + 1};
    struct fault_alloc f;
    gap_copies_t c;

    fault_alloc_init(&f, 0);
    gap_copies_init(&c, &f.alloc);
    for (int step = 0; step < 20 * N; step++) {
        int k = (int)gap_prng_below(&rng, N);
        if (packets[k] != NULL) {
            for (uint32_t i = 0; i < packets[k]->cap; i++)
                if (packets[k]->data[i] != (uint8_t)k) ck_abort_msg("byte %u of %d", i, k);
            gap_packet_unref(packets[k]);
            packets[k] = NULL;
            continue;
        }
        size_t cap = gap_prng_below(&rng, GAP_COPY_MAX + 200);
        ck_assert_int_eq(gap_copies_get(&c, cap, &packets[k]), 0);
        ck_assert_uint_eq(packets[k]->cap, cap);
        if (cap > 0) memset(packets[k]->data, k, cap);
    }
    ck_assert_uint_gt(c.most, GAP_COPIES_KEPT);
    for (int k = 0; k < N; k++) gap_packet_unref(packets[k]);
    ck_assert_uint_eq(c.in_use, 0);
    ck_assert_msg(f.live == 0, "after so many, their memory goes back");
    gap_copies_fini(&c);
    gap_copies_fini(&c);
}
END_TEST

START_TEST(test_a_few_leave_their_memory_for_the_next)
{
    gap_packet_t *packet;
    struct fault_alloc f;
    gap_copies_t c;

    fault_alloc_init(&f, 2);
    gap_copies_init(&c, &f.alloc);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(gap_copies_get(&c, 200, &packet), 0);
        gap_packet_unref(packet);
    }
    ck_assert_int_eq(f.calls, 1);
    ck_assert_int_eq(gap_copies_get(&c, 500, &packet), GAP_E_NOMEM);
    ck_assert_uint_eq(c.in_use, 0);
    ck_assert_int_eq(gap_copies_get(&c, 500, &packet), 0);
    gap_packet_unref(packet);
    gap_copies_fini(&c);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

static Suite *copies_suite(void)
{
    Suite *s = suite_create("copies");
    TCase *t = tcase_create("copies");

    tcase_add_loop_test(t, test_copies_come_and_go_in_any_order, 0, 5);
    tcase_add_test(t, test_a_few_leave_their_memory_for_the_next);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(copies_suite)
