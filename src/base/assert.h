/*
 * base/assert.h - assertions are for bugs of ours or a broken contract of the caller, on in
 * release, one condition each. Never on bytes from the wire or from disk.
 */
#ifndef GAP_BASE_ASSERT_H
#define GAP_BASE_ASSERT_H

_Noreturn void gap_assert_failed(const char *expr, const char *file, int line);

#define GAP_ASSERT(expr)                                                                           \
    do {                                                                                           \
        if (__builtin_expect(!(expr), 0)) gap_assert_failed(#expr, __FILE__, __LINE__);            \
    } while (0)

#endif
