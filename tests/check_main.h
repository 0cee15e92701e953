/*
 * tests/check_main.h - what every test program shares: Check, a main that runs one suite, and an
 * allocator that counts and fails on demand.
 *
 * The last line a program prints is Check's summary "P%: Checks: N, Failures: N, Errors: N";
 * `./run test` adds these up.
 */
#ifndef GAP_TESTS_CHECK_MAIN_H
#define GAP_TESTS_CHECK_MAIN_H

#include <check.h>
#include <gapless/base.h>
#include <stdio.h>
#include <stdlib.h>

#define GAP_TEST_MAIN(make_suite)                                                                  \
    int main(void)                                                                                 \
    {                                                                                              \
        SRunner *runner = srunner_create(make_suite());                                            \
        srunner_run_all(runner, CK_NORMAL);                                                        \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? 0 : 1;                                                                \
    }

/*
 * How many seeds a randomised test runs: @p normal, scaled by the environment's GAP_SEED_SCALE
 * (0.1 under the sanitisers, 20 in long campaigns), at least 1.
 */
static inline int gap_test_seeds(int normal)
{
    const char *text = getenv("GAP_SEED_SCALE");
    double scale = text != NULL ? strtod(text, NULL) : 1.0;
    int seeds = (int)(normal * (scale > 0 ? scale : 1.0));

    return seeds > 0 ? seeds : 1;
}

/*
 * Fault allocator: counts live blocks; fails call number `fail_at` (1-based; 0 = never) and, if
 * `fail_on` is set, every call after it.
 */
struct fault_alloc {
    gap_alloc_t alloc;
    long live;
    long calls;
    long fail_at;
    bool fail_on;
};

static inline void *fault_alloc_realloc(void *ctx, void *ptr, size_t size)
{
    struct fault_alloc *f = ctx;

    if (size == 0) {
        if (ptr != NULL) f->live--;
        free(ptr);
        return NULL;
    }
    f->calls++;
    if (f->fail_at > 0 && (f->calls == f->fail_at || (f->fail_on && f->calls > f->fail_at)))
        return NULL;
    void *p = realloc(ptr, size);
    if (p != NULL && ptr == NULL) f->live++;
    return p;
}

static inline void fault_alloc_init(struct fault_alloc *f, long fail_at)
{
    f->alloc.realloc_fn = fault_alloc_realloc;
    f->alloc.ctx = f;
    f->live = 0;
    f->calls = 0;
    f->fail_at = fail_at;
    f->fail_on = false;
}

#endif
