/* tests/unit/test_dc_script.c - scripts of the data centre: what is read, what is refused and why,
 * and that memory may run out at any moment. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "base/map.h"
#include "dc/script.h"

#include <gapless/tl_api.h>

static int read_text(const gap_alloc_t *alloc, const char *text, gap_dc_script_t *out, char *error)
{
    return gap_dc_script_read(alloc, gap_str(text), out, error, 256);
}

static const struct {
    const char *why;
    const char *text;
    const char *error; /* part of what is said; NULL: it is taken */
} cases[] = {
    {"nothing at all", "", NULL},
    {"comments and empty lines", "# a\n\n   # b\n\twait 1 # c\r\n", NULL},
    {"a text with blanks", "message user:1 two  words", NULL},
    {"what nobody can decode", "poison message user:1\n2 poison drop edit channel:2 last b", NULL},
    {"what is no event", "poison wait 1", "'wait' is no event"},
    {"no such command", "jump user:1", "'jump' is no command"},
    {"what is allowed",
     "slow-mode channel:1 10\nrole group:1 reader\nblock user:2\nunblock user:2\nedit-window 60\n"
     "flood-rule messages.sendMessage:each:20/60 # often enough\nflood-rule none",
     NULL},
    {"a call without an answer", "answer messages.sendMessage drop", NULL},
    {"a session lost", "answer always messages.sendMessage lose-session", NULL},
    {"a slow group", "slow-mode group:1 10", "is no channel"},
    {"a role between two", "role user:1 admin", "roles are for channels and groups"},
    {"no role", "role channel:1 king", "'king' is no role"},
    {"a channel that blocks", "block channel:1", "only users block"},
    {"half a flood rule", "flood-rule *:each", "is no flood rule: then calls and seconds"},
    {"the line's number", "wait 1\nwait 1\nwait\n", "line 3: "},
    {"a number that is none", "wait 1x", "a number belongs here, not '1x'"},
    {"a number too large", "wait 99999999999", "a number belongs here"},
    {"no chat", "message", "'' is no chat"},
    {"chats count from 1", "message user:0", "'user:0' is no chat"},
    {"a chat of no kind", "message bot:1", "'bot:1' is no chat"},
    {"a way without an event", "drop wait 1", "'wait' is no event"},
    {"many of what is no event", "3 wait 1", "'wait' is no event"},
    {"a word too many", "wait 1 2", "'2' is one word too many"},
    {"no such method", "await getNothing", "no method 'getNothing'"},
    {"a constructor is no method", "await message", "no method 'message'"},
    {"no way to answer", "answer getDifference well", "'well' is no way to answer"},
    {"an error below zero", "answer getDifference error -503 Timeout", NULL},
    {"an error that is none", "answer getDifference error 5x BAD",
     "a number belongs here, not '5x'"},
    {"an error without its text", "answer getDifference error 500", "needs its text"},
    {"a channel belongs here", "leave user:1", "is no channel"},
    {"a name that is not held", "release A", "nothing is held as 'A'"},
    {"a message id of 0", "edit user:1 0", "is no message id"},
    {"no qts event", "qts nonsense user:1", "'nonsense' is no qts event"},
    {"a container without an end", "together\nmessage user:1\n", "never ended"},
    {"an end without a container", "end", "no container to end"},
    {"a container in a container", "together\ntogether\n", "can't stand in a container"},
    {"a wait in a container", "together\nwait 1\nend", "can't stand in a container"},
    {"a lost event in a container", "together\ndrop message user:1\nend", "stands alone"},
    {"a status in a container", "together\nstatus user:1\nend", "never stands in a container"},
    {"swap without events", "swap\n", "followed by two events"},
    {"swap with one", "swap\nmessage user:1\n", "followed by two events"},
    {"swap with something else", "swap\nwait 1\n", "followed by two events"},
    {"at most less than at least", "expect getDifference 3 2", "less than at least"},
    {"pts 0", "reset common 0", "at least 1"},
    {"accounts count from 1", "account 0", "counted from 1"},
    {"sign-ins", "revoke\nrevoke USER_DEACTIVATED\nduplicate\npassword 9996621234 a b\n", NULL},
    {"no person's phone", "password 12345 secret", "'12345' is no person's phone"},
    {"a word behind duplicate", "duplicate all", "'all' is one word too many"},
    {"another data centre", "peer-dc 1000=[2001:db8:1111:2222:3333:4444:5555:6666]:65535,media",
     NULL},
    {"another data centre by name", "peer-dc 4=localhost:1",
     "'4=localhost:1' is no address: write 4="},
    {"data centres count from 1", "drop-dc 0", "ids from 1 to 1000, not 0"},
    {"and end", "move 1001", "ids from 1 to 1000, not 1001"},
    {"a move of the account that is spoken of", "move 4", NULL},
    {"a move of somebody", "move 4 9996621234", NULL},
    {"a move of nobody", "move 4 0", "no account has the id 0"},
    {"a move of what is no id", "move 4 @name", "neither a bot's id nor a phone number"},
    {"a move of too many digits", "move 4 1234567890123456", "neither a bot's id"},
    {"a migration", "answer always upload.getFile migrate FILE 4", NULL},
    {"a migration of no kind", "answer upload.getFile migrate file 4", "'file' is no migration"},
    {"a migration to nowhere", "answer upload.getFile migrate FILE", "a number belongs here"},
    {"for one data centre", "at 4 answer getState flood 3\nat 2 2 message user:1\n", NULL},
    {"for one, but what", "at 4", "followed by a command"},
    {"for which one", "at home wait 1", "a number belongs here, not 'home'"},
    {"not before a container", "at 4 together", "one command, not before a container"},
    {"nor in one", "together\nat 4 message user:1\nend", "can't stand in a container"},
    {"not before swap", "at 4 swap", "one command, not two"},
    {"nor after it", "swap\nat 4 message user:1\nmessage user:1", "or after swap"},
};

START_TEST(reads_or_says_why_not)
{
    gap_dc_script_t s;
    char error[256] = "";
    int r = read_text(gap_alloc_default(), cases[_i].text, &s, error);

    if (cases[_i].error == NULL) {
        ck_assert_msg(r == 0, "%s: %s", cases[_i].why, error);
    } else {
        ck_assert_msg(r == GAP_E_ARGUMENT, "%s: taken", cases[_i].why);
        ck_assert_msg(strstr(error, cases[_i].error) != NULL, "%s: %s", cases[_i].why, error);
    }
    gap_dc_script_fini(&s);
    gap_dc_script_fini(&s);
}
END_TEST

/* Bytes that no text has: what stands behind one would go unread. */
START_TEST(zero_bytes_are_refused)
{
    static const char text[] = "wait 1\nwait 1\0wait 2\n";
    gap_dc_script_t s;
    char error[256] = "";

    ck_assert_int_eq(gap_dc_script_read(gap_alloc_default(), gap_bytes(text, sizeof text - 1), &s,
                                        error, sizeof error),
                     GAP_E_ARGUMENT);
    ck_assert_str_eq(error, "line 2: this is no text: there is a zero byte in it");
    gap_dc_script_fini(&s);
}
END_TEST

START_TEST(fills_in_the_steps)
{
    gap_dc_script_t s;
    char error[256] = "";
    const char *text = "answer always getChannelDifference channel:2 slice 7\n"
                       "3 drop edit channel:2 last new text \n"
                       "late 40 read-by-them user:5 9\n"
                       "expect messages.getHistory 2 or-more\n"
                       "answer getDifference flood 30\n";

    ck_assert_msg(read_text(gap_alloc_default(), text, &s, error) == 0, "%s", error);
    ck_assert_uint_eq(s.count, 5);
    const gap_dc_step_t *a = &s.steps[0];
    ck_assert_int_eq(a->what, GAP_DC_DO_ANSWER);
    ck_assert_uint_eq(a->times, UINT32_MAX);
    ck_assert_uint_eq(a->method, GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE);
    ck_assert_int_eq(a->chat, DC_CHANNEL);
    ck_assert_uint_eq(a->index, 1);
    ck_assert_int_eq(a->act, GAP_DC_ACT_SLICE);
    ck_assert_uint_eq(a->number, 7);
    const gap_dc_step_t *e = &s.steps[1];
    ck_assert_int_eq(e->what, GAP_DC_DO_EVENT);
    ck_assert_uint_eq(e->line, 2);
    ck_assert_uint_eq(e->times, 3);
    ck_assert_int_eq(e->way, GAP_DC_WAY_DROPPED);
    ck_assert_int_eq(e->kind, DC_EDIT_MESSAGE);
    ck_assert_int_eq(e->id, 0);
    ck_assert_str_eq(e->text, "new text");
    ck_assert_int_eq(s.steps[2].way, GAP_DC_WAY_LATE);
    ck_assert_uint_eq(s.steps[2].number, 40);
    ck_assert_int_eq(s.steps[2].id, 9);
    ck_assert(s.steps[2].flag);
    ck_assert_uint_eq(s.steps[3].method, GAP_TL_MESSAGES_GET_HISTORY);
    ck_assert_uint_eq(s.steps[3].number, 2);
    ck_assert_uint_eq(s.steps[3].most, UINT32_MAX);
    ck_assert_int_eq(s.steps[4].code, 420);
    ck_assert_str_eq(s.steps[4].text, "FLOOD_WAIT_30");
    gap_dc_script_fini(&s);
}
END_TEST

START_TEST(fills_in_sign_ins)
{
    gap_dc_script_t s;
    char error[256] = "";
    const char *text = "password +9996621234 two words\n"
                       "password 9996621234\n"
                       "revoke\n"
                       "answer 3 getState revoke USER_DEACTIVATED\n"
                       "answer getState duplicate\n";

    ck_assert_msg(read_text(gap_alloc_default(), text, &s, error) == 0, "%s", error);
    ck_assert_uint_eq(s.count, 5);
    ck_assert_int_eq(s.steps[0].what, GAP_DC_DO_PASSWORD);
    ck_assert_int_eq(s.steps[0].person, DC_PERSON_ID_FIRST + 21234);
    ck_assert_str_eq(s.steps[0].text, "two words");
    ck_assert_str_eq(s.steps[1].text, "");
    ck_assert_int_eq(s.steps[2].what, GAP_DC_DO_REVOKE);
    ck_assert_str_eq(s.steps[2].text, "SESSION_REVOKED");
    ck_assert_int_eq(s.steps[3].act, GAP_DC_ACT_REVOKE);
    ck_assert_uint_eq(s.steps[3].times, 3);
    ck_assert_str_eq(s.steps[3].text, "USER_DEACTIVATED");
    ck_assert_int_eq(s.steps[4].act, GAP_DC_ACT_DUPLICATE);
    gap_dc_script_fini(&s);
}
END_TEST

/* The first of a swapped pair waits until the second is out. */
START_TEST(swap_is_a_hold_and_a_release)
{
    gap_dc_script_t s;
    char error[256] = "";

    ck_assert_int_eq(
        read_text(gap_alloc_default(), "swap\nmessage user:1\n\nmessage user:2\nwait 1", &s, error),
        0);
    ck_assert_uint_eq(s.count, 4);
    ck_assert_int_eq(s.steps[0].way, GAP_DC_WAY_HELD);
    ck_assert_int_eq(s.steps[1].way, GAP_DC_WAY_SENT);
    ck_assert_int_eq(s.steps[2].what, GAP_DC_DO_RELEASE);
    ck_assert_uint_eq(s.steps[0].slot, s.steps[2].slot);
    gap_dc_script_fini(&s);
}
END_TEST

/* Any bytes are taken or refused, never more than that. */
START_TEST(random_bytes_do_no_harm)
{
    static const char *const words[] = {"message", "drop",   "user:1", "answer", "getDifference",
                                        "error",   "500",    "swap",   "end",    "together",
                                        "\n",      "hold",   "A",      "late",   "channel:2",
                                        "release", "expect", "#",      "\xff",   "qts"};
    char text[400];
    char error[256];
    uint64_t state = 7;

    for (int round = 0; round < 20000; round++) {
        size_t len = 0;
        gap_dc_script_t s;
        for (int i = 0; i < 12; i++) {
            state = gap_hash64(state);
            len += (size_t)snprintf(text + len, sizeof text - len, "%s ",
                                    words[state % GAP_ARRAY_LEN(words)]);
        }
        int r = gap_dc_script_read(gap_alloc_default(), gap_bytes(text, len), &s, error, 256);
        ck_assert(r == 0 || r == GAP_E_ARGUMENT);
        gap_dc_script_fini(&s);
    }
}
END_TEST

/* Every allocation may fail; nothing is left over. */
START_TEST(memory_may_run_out)
{
    char text[800];
    char error[256];
    size_t len = 0;
    int r = GAP_E_NOMEM;

    for (int i = 0; i < 70; i++) len += (size_t)snprintf(text + len, sizeof text - len, "wait 1\n");
    for (long at = 1; r == GAP_E_NOMEM; at++) {
        struct fault_alloc f;
        gap_dc_script_t s;
        fault_alloc_init(&f, at);
        r = gap_dc_script_read(&f.alloc, gap_bytes(text, len), &s, error, sizeof error);
        gap_dc_script_fini(&s);
        ck_assert_int_eq(f.live, 0);
        ck_assert(r == 0 || r == GAP_E_NOMEM);
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("dc_script");
    TCase *tc = tcase_create("read");

    tcase_add_loop_test(tc, reads_or_says_why_not, 0, GAP_ARRAY_LEN(cases));
    tcase_add_test(tc, zero_bytes_are_refused);
    tcase_add_test(tc, fills_in_the_steps);
    tcase_add_test(tc, fills_in_sign_ins);
    tcase_add_test(tc, swap_is_a_hold_and_a_release);
    tcase_add_test(tc, random_bytes_do_no_harm);
    tcase_add_test(tc, memory_may_run_out);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
