/* tests/fuzz/plain/check.h - what tests/sim/pack.c uses of Check, for a program that is no test
 * runner. */
#ifndef GAP_TESTS_FUZZ_CHECK_H
#define GAP_TESTS_FUZZ_CHECK_H

#include "base/assert.h"

#define ck_assert_int_eq(a, b)   GAP_ASSERT((a) == (b))
#define ck_assert_int_gt(a, b)   GAP_ASSERT((a) > (b))
#define ck_assert_ptr_nonnull(p) GAP_ASSERT((p) != NULL)

#endif
