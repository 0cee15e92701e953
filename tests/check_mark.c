/*
 * tests/check_mark.c - fewer of Check's marks. For each assertion that holds, Check writes into a
 * file where it stands, so that after a crash it can name the last one. That is a system call, and
 * was most of the time of suites that assert in loops. Here some of a test's marks are written:
 * what a report says ("after this point") stays true, but the point may be a few hundred assertions
 * back.
 *
 * Linked into every test in place of Check's own function (-Wl,--wrap).
 */
#include <stdatomic.h>

enum { FIRST = 16, THEN_EACH = 256 };

void __real__mark_point(const char *file, int line);
void __wrap__mark_point(const char *file, int line);

void __wrap__mark_point(const char *file, int line)
{
    static atomic_uint marks; /* of this process, which is one test's if tests are forked */
    unsigned n = atomic_fetch_add_explicit(&marks, 1, memory_order_relaxed);

    if (n < FIRST || n % THEN_EACH == 0) __real__mark_point(file, line);
}
