/* tests/unit/test_env.c - numeric addresses as text. */
#include "tests/check_main.h"

#include "env/env.h"

#include <string.h>

static const struct {
    const char *text;
    const char *ip; /* NULL: refused */
    uint16_t port;
    bool v6;
    const char *why;
} cases[] = {
    {"127.0.0.1:443", "127.0.0.1", 443, false, "plain"},
    {"0.0.0.0:0", "0.0.0.0", 0, false, "port 0: any"},
    {"149.154.167.50:65535", "149.154.167.50", 65535, false, "largest port"},
    {"[::1]:443", "::1", 443, true, "IPv6 in brackets"},
    {"[2001:67C:4E8:F002::A]:80", "2001:67c:4e8:f002::a", 80, true, "upper case"},
    {"[::ffff:1.2.3.4]:5", "::ffff:1.2.3.4", 5, true, "mapped"},
    {"", NULL, 0, false, "empty"},
    {"127.0.0.1", NULL, 0, false, "no port"},
    {"127.0.0.1:", NULL, 0, false, "empty port"},
    {"127.0.0.1:65536", NULL, 0, false, "port too large"},
    {"127.0.0.1:99999999999999999999", NULL, 0, false, "port far too large"},
    {"127.0.0.1:+1", NULL, 0, false, "sign"},
    {"127.0.0.1: 1", NULL, 0, false, "space"},
    {"127.0.0.1:1x", NULL, 0, false, "rest after the port"},
    {"127.0.0:1", NULL, 0, false, "three parts"},
    {"256.0.0.1:1", NULL, 0, false, "part too large"},
    {"::1:443", NULL, 0, false, "IPv6 without brackets"},
    {"[::1]443", NULL, 0, false, "no colon after the bracket"},
    {"[::1", NULL, 0, false, "open bracket"},
    {"[127.0.0.1]:1", NULL, 0, false, "IPv4 in brackets"},
    {"[]:1", NULL, 0, false, "nothing in the brackets"},
    {"localhost:1", NULL, 0, false, "a name"},
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:1", NULL, 0, false, "too long"},
};

START_TEST(test_addr)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        gap_addr_t addr;
        gap_addr_t untouched;
        char ip[46];
        memset(&addr, 0xee, sizeof addr);
        untouched = addr;
        int r = gap_addr_parse(cases[i].text, &addr);
        if (cases[i].ip == NULL) {
            ck_assert_msg(r == GAP_E_ARGUMENT, "%s: %s", cases[i].why, cases[i].text);
            ck_assert_msg(memcmp(&addr, &untouched, sizeof addr) == 0, "%s", cases[i].why);
            continue;
        }
        ck_assert_msg(r == 0, "%s: %s", cases[i].why, cases[i].text);
        ck_assert_uint_eq(addr.port, cases[i].port);
        ck_assert_int_eq(addr.v6, cases[i].v6);
        gap_addr_format_ip(&addr, ip);
        ck_assert_str_eq(ip, cases[i].ip);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("env");
    TCase *tc = tcase_create("addr");

    tcase_add_test(tc, test_addr);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
