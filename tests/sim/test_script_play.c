/*
 * tests/sim/test_script_play.c - scripts carried out: those in tests/sim/scripts hold, and fail as
 * soon as they expect anything else; what a world has not is refused with its line; the trace is
 * what the help says.
 */
#include "../check_main.h"
#include "base/bytes.h"
#include "script_run.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#define FILES_MAX 256

static char names[FILES_MAX][64];
static int name_count;
static char text[1 << 16];
static char *shown;
static char *said;

static int play(const char *script, bool json)
{
    size_t len;
    free(shown);
    free(said);
    FILE *out = open_memstream(&shown, &len);
    FILE *err = open_memstream(&said, &len);
    int status = sim_script_play("x.sim", gap_str(script), json, out, err);
    (void)fclose(out);
    (void)fclose(err);
    return status;
}

static void load(int i)
{
    char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", SCRIPTS, names[i]);
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    size_t len = fread(text, 1, sizeof text / 2, f);
    text[len] = '\0';
    (void)fclose(f);
}

/* ---- the scripts ---- */

START_TEST(holds)
{
    load(_i);
    int status = play(text, false);
    ck_assert_msg(status == 0, "%s: %d\n%s%s", names[_i], status, said, shown);
}
END_TEST

/* Whatever the order in which loops run. */
START_TEST(holds_in_other_orders)
{
    static char ordered[sizeof text + 16];

    load(_i);
    for (int seed = 1; seed <= 5; seed++) {
        (void)snprintf(ordered, sizeof ordered, "order %d\n%s", seed, text);
        int status = play(ordered, false);
        ck_assert_msg(status == 0, "%s: order %d: %d\n%s%s", names[_i], seed, status, said, shown);
    }
}
END_TEST

/* One more expectation than it meets: it fails, and says in which line. */
START_TEST(fails_with_another_expectation)
{
    char line[32];

    load(_i);
    unsigned lines = 1;
    for (const char *at = text; *at != '\0'; at++) lines += *at == '\n';
    (void)strcat(text, "expect applied 987654\n");
    (void)snprintf(line, sizeof line, "x.sim:%u: ", lines);
    ck_assert_int_eq(play(text, false), 3);
    ck_assert_msg(strncmp(said, line, strlen(line)) == 0, "%s: %s", names[_i], said);
    ck_assert_ptr_nonnull(strstr(said, "987654 expected"));
    ck_assert_ptr_nonnull(strstr(shown, "] unmet "));
}
END_TEST

/* Cut off behind any line it still ends well or in an honest complaint. */
START_TEST(cut_off_anywhere)
{
    load(_i);
    size_t len = strlen(text);
    for (size_t n = 0; n < len; n++) {
        if (text[n] != '\n') continue;
        char kept = text[n + 1];
        text[n + 1] = '\0';
        int status = play(text, false);
        ck_assert_msg(status == 0 || (status == 2 && said[0] != '\0'), "%s: %d: %s", text, status,
                      said);
        text[n + 1] = kept;
    }
}
END_TEST

/* ---- what the world allows ---- */

START_TEST(own_calls_meet_the_rules)
{
    static const char script[] = "slow-mode channel:1 10\n"
                                 "flood-rule messages.sendMessage:user:1:1/60:300\n"
                                 "own message channel:1 a\n"
                                 "own message channel:1 b\n"
                                 "own message user:1 a\n"
                                 "own message user:1 b\n"
                                 "wait 11000\n"
                                 "own message channel:1 c\n"
                                 "flood-rule none\n"
                                 "own message user:1 c\n"
                                 "wait 1000\n";

    ck_assert_msg(play(script, false) == 0, "%s%s", said, shown);
    /* The second message of each chat is refused; what is sent later is the chat's second one. */
    const char *behind = strstr(shown, "> flood-rule none");
    ck_assert_ptr_nonnull(behind);
    ck_assert_ptr_nonnull(strstr(behind, "apply 1:2 via result"));
    ck_assert_ptr_nonnull(strstr(behind, "apply 2 via result"));
    ck_assert(strstr(shown, "apply 1:2 via result") > behind);
    ck_assert(strstr(shown, "apply 2 via result") > behind);
    ck_assert_ptr_null(strstr(behind, "apply 3 via result"));
}
END_TEST

/* ---- what is shown ---- */

START_TEST(trace_of_a_loss)
{
    ck_assert_int_eq(play("answer getDifference error 500 INTERNAL\n"
                          "message user:1\n"
                          "drop message user:1\n"
                          "  message user:1   # the third\n"
                          "at 600\n"
                          "await quiet\n"
                          "expect applied 1 2 3\n",
                          false),
                     0);
    ck_assert_str_eq(shown, "[   0] > answer getDifference error 500 INTERNAL\n"
                            "[   0] > message user:1\n"
                            "[   0] > drop message user:1\n"
                            "[   0] > message user:1   # the third\n"
                            "[   0] push 1\n"
                            "[   0] push 3\n"
                            "[   0] apply 1\n"
                            "[   0] gap in common 2..4\n"
                            "[  50] store 2 1 0\n"
                            "[ 500] difference from 2\n"
                            "[ 520] answer getDifference error 500 INTERNAL\n"
                            "[ 520] common failed, again in 1000 ms\n"
                            "[1520] difference from 2\n"
                            "[1540] answer getDifference difference to 4\n"
                            "[1540] apply 2 via difference\n"
                            "[1540] apply 3 via difference\n"
                            "[1540] gap in common fetched after 1540 ms\n"
                            "[1540] > expect applied 1 2 3\n"
                            "[1540] end\n");
    ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(trace_of_decisions)
{
    ck_assert_int_eq(play("decisions on\ntwice message user:1\nwait 1\n", false), 0);
    ck_assert_ptr_nonnull(strstr(shown, "] decide common at 1 updateNewMessage pts 2: "));
    ck_assert_ptr_nonnull(strstr(shown, "] decide common at 2 updateNewMessage pts 2: "));
    ck_assert_int_eq(play("twice message user:1\n", false), 0);
    ck_assert_ptr_null(strstr(shown, "] decide "));
}
END_TEST

START_TEST(trace_as_objects)
{
    ck_assert_int_eq(play("message user:1 \"x\\y\"\n", true), 0);
    ck_assert_str_eq(shown,
                     "{\"t_ms\":0,\"what\":\"script\",\"text\":\"message user:1 \\\"x\\\\y\\\"\"}\n"
                     "{\"t_ms\":0,\"what\":\"end\",\"text\":\"\"}\n"
                     "{\"t_ms\":0,\"what\":\"push\",\"text\":\"1\"}\n"
                     "{\"t_ms\":0,\"what\":\"apply\",\"text\":\"1\"}\n");
}
END_TEST

/* The word of gapless-dc --script for it, before the way as there, or behind it. */
START_TEST(poison_is_unreadable)
{
    ck_assert_int_eq(play("poison message user:1\nwait 0\nexpect applied nothing\n"
                          "expect trace \"push unreadable\"\n",
                          false),
                     0);
    ck_assert_int_eq(play("poison drop message user:1\nwait 0\nexpect applied nothing\n"
                          "expect no trace \"push unreadable\"\n",
                          false),
                     0);
}
END_TEST

START_TEST(small_scripts)
{
    ck_assert_int_eq(play("", false), 0);
    ck_assert_str_eq(shown, "[   0] end\n");
    ck_assert_int_eq(play("# nothing", false), 0);
    ck_assert_int_eq(play("message user:1", false), 0);
    ck_assert_int_eq(play("message", false), 2);
    ck_assert_str_eq(said, "x.sim:1: '' is no chat: write user:1, group:1 or channel:1\n");
    ck_assert_str_eq(shown, "");
}
END_TEST

/* Events of the server and raw updates in one container: one seq, the server's next. */
START_TEST(trace_of_a_mixed_container)
{
    ck_assert_int_eq(play("begin seq 5\n"
                          "together\n"
                          "message user:1\n"
                          "query user:1\n"
                          "query user:1\n"
                          "raw status user:4\n"
                          "end\n"
                          "query user:1\n"
                          "together seq 9 seq-start 8\n"
                          "message user:1\n"
                          "end\n",
                          false),
                     0);
    ck_assert_ptr_nonnull(strstr(shown, "[   0] push 1, query 1, query 1, status 4 seq 6\n"
                                        "[   0] push query 1 seq 7\n"
                                        "[   0] push 2 seq 8..9\n"));
}
END_TEST

/* The same world, byte for byte; another order of loops is another one, and as good. */
START_TEST(a_world_repeats)
{
    static char first[1 << 18];

    for (_i = 0; strcmp(names[_i], "x03_chaos.sim") != 0; _i++) continue;
    load(_i);
    ck_assert_int_eq(play(text, false), 0);
    (void)snprintf(first, sizeof first, "%s", shown);
    ck_assert_int_eq(play(text, false), 0);
    ck_assert_str_eq(first, shown);
    ck_assert_ptr_nonnull(strstr(first, " again\n"));
}
END_TEST

START_TEST(files_and_the_lack_of_them)
{
    char name[] = "/tmp/gapless-sim-XXXXXX";
    int fd = mkstemp(name);
    size_t len;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, "edit user:1\n", 12), 12);
    (void)close(fd);
    free(said);
    FILE *err = open_memstream(&said, &len);
    ck_assert_int_eq(sim_script_program(name, false, err, err), 2);
    (void)unlink(name);
    ck_assert_int_eq(sim_script_program(name, false, err, err), 2);
    (void)fclose(err);
    ck_assert_ptr_nonnull(strstr(said, ":1: there is no such chat or message"));
    ck_assert_ptr_nonnull(strstr(said, "can't be read: No such file"));
}
END_TEST

/* ---- what a world has not ---- */

static const struct {
    const char *script;
    const char *said;
} refusals[] = {
    {"message user:1\nedit user:1 99", "x.sim:2: there is no such chat or message"},
    {"message channel:11", "x.sim:1: there is no channel:11: add `channels 11` at the top"},
    {"begin channel:11 5", "x.sim: channel:11 is named at the top, but there are 10 channels"},
    {"own status user:1", "x.sim:1: the account itself can message"},
    {"unreadable message user:1\nunreadable message user:1", "x.sim:2: one unreadable event"},
    {"answer getChannelDifference with empty\nend", "x.sim:1: say which channel"},
    {"answer getState migrate USER 4", "x.sim:1: this way to answer is for gapless-dc only"},
    {"await getDifference 100\nat 50", "x.sim:2: 50 ms is over"},
    {"stored nothing\nopen channel:1\nstart", "x.sim:2: the account is not running here"},
};

START_TEST(refuses)
{
    ck_assert_int_eq(play(refusals[_i].script, false), 2);
    ck_assert_msg(strstr(said, refusals[_i].said) != NULL, "%s: %s", refusals[_i].script, said);
}
END_TEST

/* ---- expectations that are not met ---- */

static const struct {
    const char *script;
    const char *said;
} disappointments[] = {
    {"message user:1\nwait 1\nexpect applied 1 2",
     "x.sim:3: at 1 ms: applied, at place 2: 2 expected, there is nothing more; in all: 1"},
    {"message user:1\nwait 1\nexpect applied nothing",
     "at place 1: nothing more expected, there is 1"},
    {"2 message user:1\nwait 1\nexpect applied any-order 1 1 2", "1 2 times expected, it came 1"},
    {"2 message user:1\nwait 1\nexpect applied any-order 1", "2 0 times expected, it came 1"},
    {"message user:1\nwait 1\nexpect not-applied 1", "x.sim:3: at 1 ms: 1 was applied"},
    {"expect getDifference 1", "updates.getDifference: 1 expected, there are 0"},
    {"missed\nwait 1\nexpect no calls", "calls: 0 expected, there are 1"},
    {"expect trace \"apply\"", "lines with \"apply\": 1 or more expected, there are 0"},
    {"message user:1\nwait 1\nexpect no trace \"apply\"", "0 expected, there are 1"},
    {"expect event gap", "such events: 1 or more expected, there are 0"},
    {"expect position common 5", "position 5 expected, it is 1"},
    {"expect position channel:1 5", "position 5 expected, it is 0"},
    {"message user:1\nwait 1s\nexpect stored common 5", "5 expected, 2 is stored"},
    {"expect stored common 5", "5 expected, nothing is stored"},
    {"message user:1\nwait 1s\nexpect stored common nothing", "nothing expected, 2 is stored"},
    {"expect counter gaps 2 3", "gaps: 2 to 3 expected, there are 0"},
    {"await getDifference 50", "x.sim:1: at 50 ms: updates.getDifference did not come in time"},
    {"await applied 7 1s", "at 1000 ms: what is awaited did not come in time"},
    {"handler never\nmessage user:1\nawait quiet 1s", "did not come in time"},
};

START_TEST(says_what_was_not_met)
{
    int status = play(disappointments[_i].script, false);

    ck_assert_msg(status == 3, "%s: %d", disappointments[_i].script, status);
    ck_assert_msg(strstr(said, disappointments[_i].said) != NULL, "%s: %s",
                  disappointments[_i].script, said);
    ck_assert_ptr_nonnull(strstr(shown, "] unmet "));
}
END_TEST

/* ---- the list of files ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void list_files(void)
{
    DIR *dir = opendir(SCRIPTS);
    const struct dirent *e;

    if (dir == NULL) return;
    while ((e = readdir(dir)) != NULL && name_count < FILES_MAX) {
        size_t len = strlen(e->d_name);
        if (len < 5 || len >= sizeof names[0] || strcmp(e->d_name + len - 4, ".sim") != 0) continue;
        (void)strcpy(names[name_count++], e->d_name);
    }
    (void)closedir(dir);
    qsort(names, (size_t)name_count, sizeof names[0], by_name);
}

START_TEST(there_are_scripts)
{
    ck_assert_int_ge(name_count, 60);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("script_play");
    TCase *files = tcase_create("files");
    TCase *words = tcase_create("words");

    list_files();
    tcase_set_timeout(files, 120);
    tcase_add_test(files, there_are_scripts);
    tcase_add_loop_test(files, holds, 0, name_count);
    tcase_add_loop_test(files, holds_in_other_orders, 0, name_count);
    tcase_add_loop_test(files, fails_with_another_expectation, 0, name_count);
    tcase_add_loop_test(files, cut_off_anywhere, 0, name_count);
    suite_add_tcase(suite, files);
    tcase_add_test(words, own_calls_meet_the_rules);
    tcase_add_test(words, trace_of_a_loss);
    tcase_add_test(words, trace_of_a_mixed_container);
    tcase_add_test(words, trace_of_decisions);
    tcase_add_test(words, trace_as_objects);
    tcase_add_test(words, small_scripts);
    tcase_add_test(words, poison_is_unreadable);
    tcase_add_test(words, a_world_repeats);
    tcase_add_test(words, files_and_the_lack_of_them);
    tcase_add_loop_test(words, refuses, 0, (int)GAP_ARRAY_LEN(refusals));
    tcase_add_loop_test(words, says_what_was_not_met, 0, (int)GAP_ARRAY_LEN(disappointments));
    suite_add_tcase(suite, words);
    return suite;
}

GAP_TEST_MAIN(make_suite)
