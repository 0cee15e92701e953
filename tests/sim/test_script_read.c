/* tests/sim/test_script_read.c - scripts of the virtual world: what is read, what is refused, in
 * which line and why, and that memory may run out at any moment. */
#include "../check_main.h"
#include "base/bytes.h"
#include "base/prng.h"
#include "script_read.h"

#include <gapless/tl_api.h>

static sim_script_t s;
static uint32_t at_line;
static char error[256];

static int read_text(const gap_alloc_t *alloc, const char *text)
{
    error[0] = '\0';
    return sim_script_read(alloc, gap_str(text), &s, &at_line, error, sizeof error);
}

static const struct {
    const char *text;
    uint32_t line;     /* 0: it is taken */
    const char *error; /* part of what is said */
} cases[] = {
    {"", 0, NULL},
    {"# nothing\n\n  \t# at all\r\n", 0, NULL},
    {"message user:1", 0, NULL},
    {"message user:1 a text, with # all in it", 0, NULL},
    /* words */
    {"jump user:1", 1, "'jump' is no command; gapless-sim --help"},
    {"wait 1\n\nmesage user:1", 3, "is 'message' meant?"},
    {"send user:1", 1, "'send' is no command; write own message CHAT"},
    {"crahs", 1, "is 'crash' meant?"},
    {"wait", 1, "a time is missing: write 500, 2s"},
    {"wait 5x", 1, "'5x' is no time"},
    {"wait -5", 1, "'-5' is no time"},
    {"wait 99999999999999999999", 1, "is no time"},
    {"wait 2s 3", 1, "'3' is one word too many"},
    {"restart now", 1, "'now' is one word too many"},
    {"wait 8h\nwait 15min\nwait 3ms", 0, NULL},
    /* time */
    {"at 500\nat 400", 2, "400 ms is over"},
    {"wait 2s\nat 1999 message user:1", 2, "1999 ms is over: the commands above take 2000 ms"},
    {"at 100 message user:1\nat 100 wait 0\nat 200 expect applied 1", 0, NULL},
    {"at 100 at 200", 1, "one time is enough"},
    {"at 100 channels 3", 1, "is a setting"},
    {"at home", 1, "'home' is no time"},
    {"await getDifference\nat 0", 0, NULL},
    /* settings */
    {"account bot\ngap-wait learned\ncontinue on\ntail-sweep on\nown-updates off\nrtt 100\n"
     "delay 5\nlimit inbox 10\nlimit channel-requests 3\nlimit difference 100\nlimit idle 1min\n"
     "jitter 200\njitter off\ndecisions on\norder 7\norder fifo\nstore never\nstore 0\nbegin pts "
     "10 qts 5 seq 1\n"
     "begin channel:1 50\nbegin channel:2..5 70\nstored pts 8 ago 60\nstored nothing\n"
     "stored channel:1 40 unfinished no-hash\nchannels 100\nusers 3\ngroups 0\nslice 5\n"
     "channel-slice 6\ntoo-long 100\nchannel-too-long 100\ntimeout 300\nmin 30%\nshort 50",
     0, NULL},
    {"message user:1\nchannels 3", 2, "it stands at the top, above line 1"},
    {"answer getState error 500 X\nnetwork loss 5%\nhandler fail\nchannels 3", 0, NULL},
    {"account 1", 1, "bot or user belongs here, not '1'"},
    {"gap-wait 0", 1, "1 ms at least"},
    {"continue maybe", 1, "on or off belongs here, not 'maybe'"},
    {"limit speed 1", 1, "'speed' is no limit: inbox"},
    {"limit inbox 0", 1, "from 1 to 1000000, not 0"},
    {"limit inbox", 1, "inbox is missing"},
    {"limit inbox many", 1, "inbox is a number, not 'many'"},
    {"jitter 0", 1, "from 1 to 1000"},
    {"order 0", 1, "order is from 1"},
    {"begin", 1, "pts N, qts N, seq N or channel:N PTS"},
    {"begin pts 0", 1, "from 1 to"},
    {"begin channel:0 5", 1, "'channel:0' is no channel"},
    {"begin channel:3..1 5", 1, "is no channel"},
    {"begin channel:1", 1, "pts is missing"},
    {"stored", 1, "stored is followed by nothing, pts N"},
    {"stored ago", 1, "ago is missing"},
    {"min 101%", 1, "'101%' is no percentage"},
    {"min", 1, "a percentage belongs here"},
    {"start", 1, "start needs `stored ...` at the top"},
    {"stored nothing\nmessage user:1\nstart\nstart", 4, "has started already"},
    /* events: the data centre's reader */
    {"message", 1, "'' is no chat"},
    {"3 drop message user:1\nlate 50 edit user:1 last x\ntwice pin user:1\nhold A read user:1\n"
     "release A\nunpin user:1\nread-by-them user:1\nquery user:1 7\nstatus user:2\n"
     "qts stopped user:1\nswap\nmessage user:1\nmessage user:1\ntogether\nmessage user:1\nend\n"
     "skip-seq 2\npush-too-long\npush-too-long channel:1\nleave channel:1\njoin channel:1\n"
     "reset common 5\nreset channel:1 9\nrevoke\n",
     0, NULL},
    {"wait 1\nqts nonsense user:1", 2, "'nonsense' is no qts event"},
    {"release A", 1, "nothing is held as 'A'"},
    {"hold A raw query id 1\nrelease A", 0, NULL},
    {"together\nmessage user:1", 2, "never ended"},
    {"together\nwait 5\nend", 2, "'wait' can't stand in a container"},
    {"together\ndrop message user:1\nend", 2, "stands alone"},
    {"together\ndrop raw query id 1\nend", 2, "stands alone"},
    {"together\nown message user:1\nend", 2, "can't stand in a container"},
    {"together seq 5 seq-start 4\nmessage user:1\nraw message channel:1\nend", 0, NULL},
    {"together late 10 seq 5\nmessage user:1\nend", 0, NULL},
    {"together seq\nend", 1, "seq is missing"},
    {"together seq 5 6\nend", 1, "'6' is one word too many"},
    {"swap\nraw message user:1\nmessage user:1", 0, NULL},
    {"swap\nraw message user:1", 2, "followed by two events"},
    {"drop wait 5", 1, "'wait' is no event"},
    {"5", 1, "'' is no event"},
    {"peer-dc 4=127.0.0.1:5", 1, "for gapless-dc only"},
    {"own message user:1\nown echo 50 message channel:1 hello\nlate 10 own edit user:1\n"
     "drop own message user:1\nunreadable message user:1",
     0, NULL},
    {"own", 1, "an event belongs here"},
    {"own echo message user:1", 1, "'message' is no time"},
    {"own jump user:1", 1, "'jump'"},
    /* raw */
    {"raw", 1, "'' is no raw update: message, edit"},
    {"raw massage user:1", 1, "'massage' is no raw update"},
    {"raw new_message channel:1 pts 12 count 1 id 5", 0, NULL},
    {"raw updateNewChannelMessage channel:1 pts 12 pts_count 1 id 5", 0, NULL},
    {"raw updateNewChannelMessage user:1", 1, "is about channel:1, not 'user:1'"},
    {"raw updatesTooLong", 0, NULL},
    {"raw message user:1 pts -5 count -2147483648 id -1", 0, NULL},
    {"raw message user:1 pts 3000000000", 1, "pts is from -2147483648 to 2147483647"},
    {"raw message user:1 pts", 1, "pts is missing"},
    {"raw message user:1 pts x", 1, "pts is a number, not 'x'"},
    {"raw message user:1 colour 5", 1, "'colour' is no key of a raw update: pts"},
    {"raw message", 1, "a chat is missing"},
    {"raw message bot:1", 1, "'bot:1' is no chat"},
    {"raw delete user:1 id 3..7 count 5", 0, NULL},
    {"raw delete user:1 id 7..3", 1, "id is a number or FIRST..LAST"},
    {"raw delete user:1 id 1..1000", 1, "at most 100 ids"},
    {"raw read-by-them channel:1", 1, "is about user:1 or group:1, not 'channel:1'"},
    {"raw status group:1", 1, "is about user:1"},
    {"raw pts-changed channel:1", 1, "names no chat"},
    {"raw encrypted id 3", 1, "'raw encrypted' needs qts"},
    {"raw query", 1, "needs id"},
    {"raw affected count 2", 1, "needs pts"},
    {"raw qts stopped user:1 qts 7", 0, NULL},
    {"raw message channel:1 short-message", 1, "short-message is for"},
    {"together\nraw message user:1 short\nend", 2, "not inside one"},
    {"together\nraw garbage\nend", 2, "an object of its own"},
    {"raw message user:1 text \"two words\" from user:2 forward user:99 mention user:98 lonely min "
     "service out seq 5 seq-start 4 edited 9",
     0, NULL},
    {"raw message user:1 text \"open", 1, "never closed"},
    {"raw message user:1 text", 1, "followed by the text"},
    {"raw message user:1 from channel:1", 1, "is no user"},
    {"late 50 raw message user:1\n3 raw query id 5", 0, NULL},
    {"late raw message user:1", 1, "a number belongs here, not 'raw'"},
    {"late 2s message user:1\nlate 1min raw query id 5\nlate 1s own message user:1\n"
     "answer getDifference late 2s\nawait getDifference 5s\ntogether late 1s\nend",
     0, NULL},
    /* answers */
    {"answer getDifference well", 1, "'well' is no way to answer"},
    {"answer getDifference with", 1, "'' is no answer by hand: with difference"},
    {"answer getDifference with slice pts 10", 1, "has no `end`"},
    {"answer getDifference with slice pts 10\nwait 5\nend", 2, "raw lines, then end"},
    {"answer getDifference with slice colour 10\nend", 1, "no key of an answer by hand"},
    {"answer always getChannelDifference channel:1 with too-long pts 90 no-pts folder timeout 3\n"
     "raw message channel:1 id 4\nend\nmessage user:1",
     0, NULL},
    {"answer getDifference with difference\nraw garbage\nend", 2, "an object of its own"},
    {"answer getNothing with empty\nend", 1, "no method 'getNothing'"},
    {"end", 1, "no container to end"},
    /* network, host, account */
    {"network loss 5%\nnetwork twice 0.25\nnetwork late 0.5 200\nnetwork loss 0\ndisconnect\n"
     "disconnect 2s\nforget-session 500\nnew-session\nstall 50\nstall-socket 10\nstall-host 700\n"
     "suspend 8h\nsuspend 5s clock-stops\nclock-jump -3600",
     0, NULL},
    {"network colour 5%", 1, "network loss P, twice P or late P MS, not 'colour'"},
    {"network loss 2", 1, "'2' is no probability: write 0.05 or 5%"},
    {"network loss 2.5%\nnetwork late 0.125 5", 0, NULL},
    {"network loss 0.", 1, "is no probability"},
    {"network loss .5", 1, "is no probability"},
    {"network loss 5%%", 1, "is no probability"},
    {"network loss 101%", 1, "is no probability"},
    {"network late 0.5", 1, "a time is missing"},
    {"restart\ncrash\ncrash-in-handler\ncrash-in-handler 3\nfail-commits 2\nhandler fail\n"
     "handler 3 later 100\nhandler always channel:1 never\nhandler user:1 ok\nfinish\n"
     "open channel:1\nclose channel:1\ntrack channel:2 50\ntrack channel:3\nuntrack channel:2\n"
     "backfill channel:1 5..90\nbackfill common 1..3\nmissed\ngarbled\nlogout",
     0, NULL},
    {"handler well", 1, "'well' is no way to handle an update: ok, fail"},
    {"handler 0 fail", 1, "so many times"},
    {"handler later", 1, "a time is missing"},
    {"open user:1", 1, "a channel belongs here (channel:1), not 'user:1'"},
    {"backfill channel:1", 1, "FROM..TO"},
    {"crash-in-handler 0", 1, "from 1 to"},
    /* judgement */
    {"expect getDifference 2\nexpect getChannelDifference channel:1 0 3\nexpect applied nothing\n"
     "expect applied 11..14, 1:12, edit 12 edit 1:5..7 delete 3 query 7 status 1 updateChannel\n"
     "expect applied any-order 1 2\nexpect not-applied 5\nexpect trace \"difference from 11\"\n"
     "expect trace \"x y\" 2\nexpect no trace \"z\"\nexpect no calls\nexpect calls 2 or-more\n"
     "expect event gap common 11..13\nexpect event resynchronised channel:1 50..60 1\n"
     "expect event behind 2\nexpect event started\nexpect no event lost\n"
     "expect position common 12\nexpect position channel:1 50\nexpect stored qts 5\n"
     "expect stored channel:1 nothing\nexpect counter duplicates 1 3\nawait getDifference 2000\n"
     "await applied edit 5\nawait applied 1:5 2s\nawait trace \"x\" 5s\nawait quiet",
     0, NULL},
    {"expect something", 1, "nothing called 'something' can be expected: METHOD, applied"},
    {"expect getNothing 1", 1, "no method 'getNothing'"},
    {"expect getDifference", 1, "a number belongs here"},
    {"expect applied", 1, "labels belong here: 12, 1:12, edit 12; or nothing"},
    {"expect applied twelve", 1, "'twelve' is no label"},
    {"expect applied a:12", 1, "is message 12 of channel:1"},
    {"expect applied edit", 1, "'edit' is followed by its number"},
    {"expect applied 5..1", 1, "'5..1' is no label"},
    {"expect applied 1..9999999", 1, "are too many"},
    {"expect trace", 1, "a text in quotes is missing"},
    {"expect trace \"\"", 1, "every line contains"},
    {"expect trace \"abc", 1, "never closed"},
    {"expect event party", 1, "'party' is no event: started"},
    {"expect event gap somewhere", 1, "'somewhere' is no sequence"},
    {"expect position common", 1, "the position is missing"},
    {"expect position 5", 1, "'5' is no sequence: common, qts"},
    {"expect counter gaps", 1, "the number of times is missing"},
    {"expect counter gaps 3 2", 1, "at most is less"},
    {"expect no applied", 1, "expect no trace, no event or no calls"},
    {"await applied 1..3", 1, "one label is awaited"},
    {"await something", 1, "can't be awaited: METHOD, applied LABEL"},
    {"await quiet soon", 1, "'soon' is no time"},
};

START_TEST(reads_or_says_why_not)
{
    int r = read_text(gap_alloc_default(), cases[_i].text);

    if (cases[_i].line == 0) {
        ck_assert_msg(r == 0, "\"%s\": line %u: %s", cases[_i].text, at_line, error);
    } else {
        ck_assert_msg(r == GAP_E_ARGUMENT, "\"%s\": taken", cases[_i].text);
        ck_assert_msg(strstr(error, cases[_i].error) != NULL, "\"%s\": %s", cases[_i].text, error);
        ck_assert_msg(at_line == cases[_i].line, "\"%s\": line %u", cases[_i].text, at_line);
    }
    sim_script_fini(&s);
    sim_script_fini(&s);
}
END_TEST

/* Both readers' steps lie in one row, in the order of their lines, and belong together. */
START_TEST(puts_the_steps_in_order)
{
    const char *text = "gap-wait 250\n"
                       "at 100 late 40 raw edit channel:2 pts 7 count -1 id 9 lonely\n"
                       "own echo 30 message user:1 hello\n"
                       "answer 2 getDifference with slice pts 10\n"
                       "  raw message user:1 id 5\n"
                       "  raw unknown\n"
                       "end\n"
                       "swap\n"
                       "raw query id 3\n"
                       "message user:2\n"
                       "together seq 8 seq-start 7\n"
                       "message user:1\n"
                       "end\n"
                       "expect applied 1 edit 1:2..3\n";

    ck_assert_msg(read_text(gap_alloc_default(), text) == 0, "%u: %s", at_line, error);
    static const sim_do_t whats[] = {SIM_DO_AT, SIM_DO_DC, SIM_DO_DC,    SIM_DO_DC,
                                     SIM_DO_DC, SIM_DO_DC, SIM_DO_DC,    SIM_DO_DC,
                                     SIM_DO_DC, SIM_DO_DC, SIM_DO_EXPECT};
    ck_assert_uint_eq(s.count, GAP_ARRAY_LEN(whats));
    for (size_t i = 0; i < s.count; i++) ck_assert_int_eq(s.steps[i].what, whats[i]);
    ck_assert_uint_eq(s.set.gap_wait_ms, 250);
    ck_assert_uint_eq(s.steps[0].ms, 100);
    ck_assert_uint_eq(s.steps[1].line, 2);
    ck_assert_int_eq(s.steps[1].dc.way, GAP_DC_WAY_LATE);
    ck_assert_uint_eq(s.steps[1].dc.number, 40);
    const sim_raw_t *raw = &s.raws[s.steps[1].raw - 1];
    ck_assert_int_eq(raw->kind, SIM_RAW_EDIT);
    ck_assert_int_eq(raw->chat, DC_CHANNEL);
    ck_assert_uint_eq(raw->index, 1);
    ck_assert_int_eq(raw->pts, 7);
    ck_assert_int_eq(raw->count, -1);
    ck_assert_int_eq(raw->id, 9);
    ck_assert_uint_eq(raw->flags, SIM_RAW_PTS | SIM_RAW_COUNT | SIM_RAW_ID | SIM_RAW_LONELY);
    ck_assert(s.steps[2].own && s.steps[2].echoed);
    ck_assert_uint_eq(s.steps[2].ms, 30);
    ck_assert_str_eq(s.steps[2].dc.text, "hello");
    const sim_with_t *with = &s.withs[s.steps[3].with - 1];
    ck_assert_uint_eq(s.steps[3].dc.times, 2);
    ck_assert_uint_eq(s.steps[3].dc.method, GAP_TL_UPDATES_GET_DIFFERENCE);
    ck_assert_int_eq(with->kind, SIM_WITH_SLICE);
    ck_assert(with->has_pts && !with->has_qts);
    ck_assert_int_eq(with->pts, 10);
    ck_assert_uint_eq(with->raw_count, 2);
    ck_assert_int_eq(s.raws[with->raw].id, 5);
    ck_assert_int_eq(s.raws[with->raw + 1].kind, SIM_RAW_UNKNOWN);
    /* swap: the first is held, the second goes out, the first follows */
    ck_assert_uint_ne(s.steps[4].raw, 0);
    ck_assert_int_eq(s.steps[4].dc.way, GAP_DC_WAY_HELD);
    ck_assert_uint_eq(s.steps[5].raw, 0);
    ck_assert_int_eq(s.steps[6].dc.what, GAP_DC_DO_RELEASE);
    ck_assert_int_eq(s.steps[7].dc.what, GAP_DC_DO_TOGETHER);
    ck_assert(s.steps[7].has_seq);
    ck_assert_int_eq(s.steps[7].number, 8);
    ck_assert_int_eq(s.steps[7].from, 7);
    ck_assert(!s.steps[8].has_seq);
    ck_assert_uint_eq(s.steps[10].label_count, 3);
    ck_assert_str_eq(s.labels[s.steps[10].label], "1");
    ck_assert_str_eq(s.labels[s.steps[10].label + 2], "edit 1:3");
    sim_script_fini(&s);
}
END_TEST

/* Bytes that no text has: what stands behind one would go unread. */
START_TEST(zero_bytes_are_refused)
{
    static const char *const texts[] = {"wait 1\nwait 1%wait 2\n", "wait 1\n%%%\n",
                                        "wait 1\nmessage user:1 a%b\n", "wait 1\n# a%b\n"};

    for (size_t i = 0; i < GAP_ARRAY_LEN(texts); i++) {
        char text[64];
        size_t len = strlen(texts[i]);
        for (size_t k = 0; k < len; k++) text[k] = texts[i][k];
        for (size_t k = 0; k < len; k++)
            if (text[k] == '%') text[k] = '\0';
        ck_assert_int_eq(sim_script_read(gap_alloc_default(), gap_bytes(text, len), &s, &at_line,
                                         error, sizeof error),
                         GAP_E_ARGUMENT);
        ck_assert_uint_eq(at_line, 2);
        ck_assert_str_eq(error, "this is no text: there is a zero byte in it");
        sim_script_fini(&s);
    }
}
END_TEST

/* Times with units, where the other reader takes milliseconds; texts stay as they are. */
START_TEST(times_have_units)
{
    const char *text = "late 2s message user:1 not late 5s\nlate 1min raw query id 5\n"
                       "answer getDifference late 3s\nawait getDifference 4s\n";

    ck_assert_msg(read_text(gap_alloc_default(), text) == 0, "%u: %s", at_line, error);
    ck_assert_uint_eq(s.steps[0].dc.number, 2000);
    ck_assert_str_eq(s.steps[0].dc.text, "not late 5s");
    ck_assert_uint_eq(s.steps[1].dc.number, 60000);
    ck_assert_uint_ne(s.steps[1].raw, 0);
    ck_assert_uint_eq(s.steps[2].dc.number, 3000);
    ck_assert_uint_eq(s.steps[3].dc.number, 4000);
    sim_script_fini(&s);
}
END_TEST

/* Every beginning of every text above is taken or refused with a line and a reason; so is every
 * text with a byte changed. */
START_TEST(cut_and_garbled_texts)
{
    gap_prng_t random = {(uint64_t)_i + 1};
    size_t len = strlen(cases[_i].text);
    char *text = malloc(len + 1);

    ck_assert_ptr_nonnull(text);
    for (size_t n = 0; n <= 2 * len; n++) {
        memcpy(text, cases[_i].text, len + 1);
        if (n < len)
            text[n] = '\0';
        else if (len > 0)
            text[gap_prng_below(&random, len)] = (char)(1 + gap_prng_below(&random, 255));
        int r = read_text(gap_alloc_default(), text);
        ck_assert_msg(r == 0 || (r == GAP_E_ARGUMENT && at_line > 0 && error[0] != '\0'),
                      "\"%s\": %d", text, r);
        ck_assert_msg(strchr(error, '\n') == NULL, "%s", error);
        sim_script_fini(&s);
    }
    free(text);
}
END_TEST

START_TEST(memory_may_run_out)
{
    struct fault_alloc fault;
    long calls;

    fault_alloc_init(&fault, 0);
    int whole = read_text(&fault.alloc, cases[_i].text);
    sim_script_fini(&s);
    calls = fault.calls;
    for (long n = 1; n <= calls; n++) {
        fault_alloc_init(&fault, n);
        int r = read_text(&fault.alloc, cases[_i].text);
        ck_assert_msg(r == GAP_E_NOMEM || r == whole, "\"%s\": %d", cases[_i].text, r);
        sim_script_fini(&s);
        ck_assert_int_eq(fault.live, 0);
    }
}
END_TEST

START_TEST(too_much_is_refused)
{
    static char text[SIM_SCRIPT_BYTES + 2];

    memset(text, '\n', sizeof text - 1);
    ck_assert_int_eq(read_text(gap_alloc_default(), text), GAP_E_LIMIT);
    sim_script_fini(&s);
    for (size_t i = 0; i + 7 < sizeof text; i += 7) memcpy(text + i, "missed\n", 7);
    text[sizeof text - 2] = '\0';
    ck_assert_int_eq(read_text(gap_alloc_default(), text), GAP_E_LIMIT);
    sim_script_fini(&s);
}
END_TEST

/* The help is all there, no line of it is wider than a terminal likes, and its examples are read.
 */
START_TEST(help_can_be_read)
{
    const char *part;
    const char *line;
    unsigned parts = 0;

    while ((part = sim_script_help(parts)) != NULL) {
        parts++;
        for (line = part; *line != '\0'; line = strchr(line, '\n') + 1) {
            ck_assert_ptr_nonnull(strchr(line, '\n'));
            ck_assert_msg(strcspn(line, "\n") <= 100, "%.60s", line);
        }
    }
    ck_assert_uint_ge(parts, 5);
    ck_assert_ptr_null(sim_script_help(parts + 100));
    const char *first = strstr(sim_script_help(parts - 1), "\n  ");
    const char *second = strstr(first, "\nLies");
    ck_assert_ptr_nonnull(second);
    char text[2048];
    (void)snprintf(text, sizeof text, "%.*s", (int)(second - first), first);
    ck_assert_msg(read_text(gap_alloc_default(), text) == 0, "%u: %s", at_line, error);
    sim_script_fini(&s);
    ck_assert_msg(read_text(gap_alloc_default(), strchr(second + 1, '\n')) == 0, "%u: %s", at_line,
                  error);
    sim_script_fini(&s);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("script_read");
    TCase *reading = tcase_create("reading");

    tcase_set_timeout(reading, 60);
    tcase_add_loop_test(reading, reads_or_says_why_not, 0, (int)GAP_ARRAY_LEN(cases));
    tcase_add_loop_test(reading, cut_and_garbled_texts, 0, (int)GAP_ARRAY_LEN(cases));
    tcase_add_loop_test(reading, memory_may_run_out, 0, (int)GAP_ARRAY_LEN(cases));
    tcase_add_test(reading, puts_the_steps_in_order);
    tcase_add_test(reading, zero_bytes_are_refused);
    tcase_add_test(reading, times_have_units);
    tcase_add_test(reading, too_much_is_refused);
    tcase_add_test(reading, help_can_be_read);
    suite_add_tcase(suite, reading);
    return suite;
}

GAP_TEST_MAIN(make_suite)
