/* tests/unit/test_text.c - what others wrote can't move the cursor of a terminal. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "userbot/text.h"

#include <gapless/tl.h>
#include <string.h>

static const struct {
    const char *why;
    const char *in;
    size_t columns;
    size_t cap;
    const char *out;
    size_t count;
} cases[] = {
    {"plain", "Pixel 9", 20, 64, "Pixel 9", 7},
    {"empty", "", 20, 64, "", 0},
    {"escape sequences", "a\033[2Jb", 20, 64, "a?[2Jb", 6},
    {"line ends and tabs", "a\r\n\tb", 20, 64, "a???b", 5},
    {"delete", "a\177b", 20, 64, "a?b", 3},
    {"a C1 control: CSI in one character",
     "a\xc2\x9b"
     "2Jb",
     20, 64,
     "a?"
     "?2Jb",
     6},
    {"other letters stay whole",
     "Gr\xc3\xbc\xc3\x9f"
     "e",
     20, 64,
     "Gr\xc3\xbc\xc3\x9f"
     "e",
     5},
    {"four bytes", "\xf0\x9f\x98\x80!", 20, 64, "\xf0\x9f\x98\x80!", 2},
    {"right to left override",
     "a\xe2\x80\xae"
     "b",
     20, 64, "a???b", 5},
    {"a cut character", "a\xf0\x9f\x98", 20, 64, "a???", 4},
    {"bytes that begin nothing", "\x80\xff\xc0\xaf", 20, 64, "????", 4},
    {"by columns, not bytes", "\xc3\xbc\xc3\xbc\xc3\xbc", 2, 64, "\xc3\xbc\xc3\xbc", 2},
    {"no half character at the end of the room", "a\xc3\xbc", 20, 3, "a", 1},
    {"room for nothing", "abc", 20, 1, "", 0},
};

START_TEST(test_printable)
{
    char out[64];

    size_t n = text_printable(gap_str(cases[_i].in), cases[_i].columns, out, cases[_i].cap);
    ck_assert_msg(strcmp(out, cases[_i].out) == 0, "%s: %s", cases[_i].why, out);
    ck_assert_msg(n == cases[_i].count, "%s: %zu", cases[_i].why, n);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("text");
    TCase *tc = tcase_create("printable");

    tcase_add_loop_test(tc, test_printable, 0, (int)GAP_ARRAY_LEN(cases));
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(suite)
