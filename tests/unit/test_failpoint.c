/* tests/unit/test_failpoint.c - the point that the environment names ends the process, or fails,
 * at the passage it names and at no other. Every case is a process of its own. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "base/failpoint.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
    const char *text; /* of GAPLESS_FAILPOINT; NULL: unset */
    int passages;     /* of "part.place" until its end; -1: it lives through all of them */
    int fails_at;     /* the passage that is told to fail; 0: none */
    const char *why;
} cases[] = {
    {NULL, -1, 0, "nothing is asked for"},
    {"", -1, 0, "nothing is said"},
    {"part.place:1", 1, 0, "the first passage"},
    {"part.place:3", 3, 0, "the third"},
    {"part.place:3:kill", 3, 0, "the same in full"},
    {"part.place:2:error", -1, 2, "one passage fails"},
    {"part.place:0", -1, 0, "there is no passage 0"},
    {"part.other:1", -1, 0, "another point"},
    {"part:1", -1, 0, "half a name"},
    {"part.place", -1, 0, "no number"},
    {"part.place:", -1, 0, "an empty number"},
    {"part.place:1:sleep", -1, 0, "an unknown deed"},
    {"part.place:1x", -1, 0, "more than a number"},
};

#define PASSAGES 5

/* In the child: what was passed goes through the pipe, one byte each: did it have to fail? */
static void pass_all(const char *text, int to)
{
    if (text != NULL ? setenv("GAPLESS_FAILPOINT", text, 1) : unsetenv("GAPLESS_FAILPOINT"))
        _exit(9);
    for (int i = 1; i <= PASSAGES; i++) {
        GAP_FAILPOINT("part.before");
        bool fails = GAP_FAILPOINT_FAILS("part.place");
        if (write(to, fails ? "f" : ".", 1) != 1) _exit(9);
    }
    _exit(0);
}

START_TEST(test_passages)
{
    const char *why = cases[_i].why;
    char seen[PASSAGES + 1];
    int ends[2];
    int status;

    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) pass_all(cases[_i].text, ends[1]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    (void)close(ends[1]);
    ssize_t got = read(ends[0], seen, sizeof seen);
    (void)close(ends[0]);
    if (cases[_i].passages > 0) {
        ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s: %d", why, status);
        ck_assert_msg(got == cases[_i].passages - 1, "%s: after %zd", why, got);
    } else {
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%s: %d", why, status);
        ck_assert_msg(got == PASSAGES, "%s: after %zd", why, got);
    }
    for (ssize_t i = 0; i < got; i++)
        ck_assert_msg((seen[i] == 'f') == (i + 1 == cases[_i].fails_at), "%s: %zd", why, i + 1);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("failpoint");
    TCase *tc = tcase_create("passages");

    tcase_add_loop_test(tc, test_passages, 0, (int)GAP_ARRAY_LEN(cases));
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
