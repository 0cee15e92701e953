/* tests/unit/test_base.c - buffers, heap, map, pool, packets, errors. */
#include "tests/check_main.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/packet.h"
#include "base/pool.h"
#include "base/prng.h"

#include <string.h>

START_TEST(test_buf_append_consume)
{
    gap_buf_t b;
    gap_buf_init(&b, gap_alloc_default());
    for (uint32_t i = 0; i < 1000; i++) ck_assert_int_eq(gap_buf_append32(&b, i), 0);
    ck_assert_uint_eq(gap_buf_view(&b).len, 4000);
    gap_buf_consume(&b, 3996);
    ck_assert_uint_eq(gap_load32(gap_buf_view(&b).data), 999);
    gap_buf_consume(&b, 4);
    ck_assert_uint_eq(gap_buf_view(&b).len, 0);
    gap_buf_fini(&b);
    gap_buf_fini(&b);
}
END_TEST

START_TEST(test_buf_out_of_memory_leaves_it_untouched)
{
    struct fault_alloc f;
    gap_buf_t b;
    fault_alloc_init(&f, 2);
    gap_buf_init(&b, &f.alloc);
    ck_assert_int_eq(gap_buf_append64(&b, 7), 0);
    ck_assert_int_eq(gap_buf_reserve(&b, 4096), GAP_E_NOMEM);
    ck_assert_uint_eq(gap_buf_view(&b).len, 8);
    gap_buf_fini(&b);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(test_heap_orders_and_removes)
{
    enum { N = 500 };
    static gap_heap_node_t nodes[N];
    gap_heap_t h;
    gap_prng_t rng = {42};

    memset(nodes, 0, sizeof nodes);
    gap_heap_init(&h, gap_alloc_default());
    for (int i = 0; i < N; i++)
        ck_assert_int_eq(gap_heap_insert(&h, &nodes[i], gap_prng_below(&rng, 50)), 0);
    for (int i = 0; i < N; i += 3) gap_heap_remove(&h, &nodes[i]);
    gap_heap_remove(&h, &nodes[0]);
    uint64_t key = 0;
    uint64_t order = 0;
    size_t left = h.count;
    for (gap_heap_node_t *n; (n = gap_heap_min(&h)) != NULL; left--) {
        ck_assert(n->key > key || (n->key == key && n->order >= order));
        key = n->key;
        order = n->order;
        gap_heap_remove(&h, n);
    }
    ck_assert_uint_eq(left, 0);
    gap_heap_fini(&h);
}
END_TEST

START_TEST(test_map_agrees_with_a_plain_array)
{
    enum { KEYS = 300 };
    static int present[KEYS + 1];
    gap_map_t m;
    gap_prng_t rng = {7};

    memset(present, 0, sizeof present);
    gap_map_init(&m, gap_alloc_default());
    for (int step = 0; step < 20000; step++) {
        uint64_t k = 1 + gap_prng_below(&rng, KEYS);
        if (gap_prng_below(&rng, 2) == 0) {
            ck_assert_int_eq(gap_map_set(&m, k, &present[k]), 0);
            present[k] = 1;
        } else {
            ck_assert_ptr_eq(gap_map_remove(&m, k), present[k] != 0 ? &present[k] : NULL);
            present[k] = 0;
        }
    }
    size_t n = 0;
    for (uint64_t k = 1; k <= KEYS; k++) {
        ck_assert_ptr_eq(gap_map_get(&m, k), present[k] != 0 ? &present[k] : NULL);
        n += (size_t)present[k];
    }
    ck_assert_uint_eq(m.count, n);
    size_t it = 0;
    uint64_t key;
    void *value;
    while (gap_map_next(&m, &it, &key, &value)) n--;
    ck_assert_uint_eq(n, 0);
    gap_map_fini(&m);
}
END_TEST

START_TEST(test_pool_reuses_nodes)
{
    struct fault_alloc f;
    gap_pool_t p;
    fault_alloc_init(&f, 2);
    gap_pool_init(&p, &f.alloc, 24, 2);
    void *a = gap_pool_get(&p);
    void *b = gap_pool_get(&p);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(gap_pool_get(&p));
    gap_pool_put(&p, a);
    ck_assert_ptr_eq(gap_pool_get(&p), a);
    ck_assert_int_eq(f.calls, 2);
    gap_pool_fini(&p);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

START_TEST(test_packet_counts_references)
{
    struct fault_alloc f;
    gap_packet_t *p = NULL;
    fault_alloc_init(&f, 0);
    ck_assert_int_eq(gap_packet_copy(&f.alloc, gap_bytes("abcd", 4), &p), 0);
    ck_assert_ptr_eq(gap_packet_ref(p), p);
    gap_packet_unref(p);
    ck_assert_int_eq(f.live, 1);
    gap_packet_unref(p);
    ck_assert_int_eq(f.live, 0);
    gap_packet_unref(NULL);
    ck_assert_int_eq(gap_packet_new(&f.alloc, (size_t)1 << 31, &p), GAP_E_LIMIT);
}
END_TEST

START_TEST(test_strerror_knows_every_code)
{
#define GAP_X(name, value, text) ck_assert_str_eq(gap_strerror(name), text);
    GAP_ERRORS(GAP_X)
#undef GAP_X
    ck_assert_str_eq(gap_strerror(-4095), "end of file");
    ck_assert_str_eq(gap_strerror(-111), "Connection refused");
    ck_assert_str_eq(gap_strerror(0), "success");
    ck_assert_str_eq(gap_strerror(-123456), "unknown error");
}
END_TEST

START_TEST(test_map_reserve_makes_room)
{
    struct fault_alloc f;
    gap_map_t m;

    fault_alloc_init(&f, 0);
    gap_map_init(&m, &f.alloc);
    ck_assert_int_eq(gap_map_reserve(&m, 0), 0);
    ck_assert_int_eq(f.calls, 0);
    for (uint64_t k = 1; k <= 5; k++) ck_assert_int_eq(gap_map_set(&m, k, &m), 0);
    ck_assert_int_eq(gap_map_reserve(&m, 1000), 0);
    f.fail_at = f.calls + 1;
    f.fail_on = true;
    for (uint64_t k = 6; k <= 1005; k++) ck_assert_int_eq(gap_map_set(&m, k, &f), 0);
    for (uint64_t k = 1; k <= 1005; k++)
        ck_assert_ptr_eq(gap_map_get(&m, k), k <= 5 ? (void *)&m : (void *)&f);
    ck_assert_int_eq(gap_map_reserve(&m, 100000), GAP_E_NOMEM);
    ck_assert_int_eq(gap_map_reserve(&m, SIZE_MAX), GAP_E_NOMEM);
    ck_assert_uint_eq(m.count, 1005);
    gap_map_fini(&m);
    ck_assert_int_eq(f.live, 0);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("base");
    TCase *tc = tcase_create("base");
    tcase_add_test(tc, test_buf_append_consume);
    tcase_add_test(tc, test_buf_out_of_memory_leaves_it_untouched);
    tcase_add_test(tc, test_heap_orders_and_removes);
    tcase_add_test(tc, test_map_agrees_with_a_plain_array);
    tcase_add_test(tc, test_map_reserve_makes_room);
    tcase_add_test(tc, test_pool_reuses_nodes);
    tcase_add_test(tc, test_packet_counts_references);
    tcase_add_test(tc, test_strerror_knows_every_code);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(suite)
