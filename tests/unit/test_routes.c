/* runner/routes, facts, pattern: which route an update is for, whatever it brings. */
#include "tests/check_main.h"

#include "base/prng.h"
#include "runner/routes.h"
#include "tests/unit/route_build.h"

#include <string.h>
#include <time.h>

static struct gap_routes routes;
static struct gap_facts facts;
static struct fault_alloc fault;

static int handler(gap_update_t *update, const gap_match_t *match, void *data)
{
    (void)update;
    (void)match;
    (void)data;
    return 0;
}

static void begin(void)
{
    fault_alloc_init(&fault, 0);
    gap_routes_init(&routes, &fault.alloc);
}

static void end(void)
{
    gap_routes_fini(&routes);
    gap_routes_fini(&routes);
    ck_assert_int_eq((int)fault.live, 0);
}

static int try_add(gap_filter_t filter)
{
    const gap_route_t route = {.filter = filter, .handler = handler};
    return gap_routes_add(&routes, &route);
}

static void add(gap_filter_t filter)
{
    ck_assert_int_eq(try_add(filter), 0);
}

/* Numbers of the routes that fit, "0 2 5". */
static const char *fitting(struct made *made)
{
    static char text[256];
    const struct gap_rule *rule;
    uint32_t at = 0;
    int r;

    text[0] = 0;
    gap_facts_read(&facts, &made->update, "ThisBot");
    while ((r = gap_routes_next(&routes, &facts, &at, &rule)) == 1) {
        ck_assert_ptr_eq(rule, &routes.rules[at - 1]);
        char number[16];
        snprintf(number, sizeof number, "%s%u", text[0] == 0 ? "" : " ", (unsigned)(at - 1));
        strcat(text, number);
    }
    ck_assert_int_eq(r, 0);
    return text;
}

static void expect(struct made *made, const char *numbers, const char *why)
{
    const char *got = fitting(made);
    ck_assert_msg(strcmp(got, numbers) == 0, "%s: '%s' instead of '%s'", why, got, numbers);
    made_free(made);
}

static bool is(gap_bytes_t bytes, const char *text)
{
    return gap_bytes_equal(bytes, gap_str(text));
}

/* ---- commands ---- */

START_TEST(test_commands)
{
    static const struct {
        const char *text;
        int32_t offset;
        int32_t length;
        bool fits;
        const char *arguments;
        const char *why;
    } cases[] = {
        {"/start", 0, 6, true, "", "alone"},
        {"/start one two", 0, 6, true, "one two", "with arguments"},
        {"/start  \n one \t", 0, 6, true, "one", "blanks around the arguments"},
        {"/START x", 0, 6, true, "x", "letters of both cases are one command"},
        {"/start@ThisBot go", 0, 14, true, "go", "names this bot"},
        {"/start@thisBOT", 0, 14, true, "", "names have no case"},
        {"/start@OtherBot", 0, 15, false, "", "is for another bot"},
        {"/start@ThisBot2", 0, 15, false, "", "a longer name is another one"},
        {"/start@This", 0, 11, false, "", "a shorter one too"},
        {"/start@", 0, 7, false, "", "names nobody"},
        {"/starting", 0, 9, false, "", "another command"},
        {"/star", 0, 5, false, "", "another command"},
        {"/start", 0, 0, false, "", "not marked as one: a bot's text, or code"},
        {"say /start", 4, 6, false, "", "not at the beginning"},
        {"start", 0, 5, false, "", "no slash"},
        {"/", 0, 1, false, "", "nothing behind the slash"},
        {"//start", 0, 7, false, "", "two slashes"},
        {"/start", -6, 6, false, "", "an offset before the text"},
        {"/start", 0, -6, false, "", "a length below 0"},
        {"/start", 0, 7, false, "", "longer than the text"},
        {"/start", 0, INT32_MAX, false, "", "much longer than the text"},
        {"/start", INT32_MAX, 6, false, "", "behind the text"},
        {"/start now", 0, 10, false, "", "a blank inside"},
        {"/start", 0, 3, false, "", "only part of the word"},
        {"/start\xff\xfe", 0, 8, false, "", "broken UTF-8 inside"},
        {"/start \xff\xfe", 0, 6, true, "\xff\xfe", "broken UTF-8 behind"},
        {"\xef\xbc\x8fstart", 0, 6, false, "", "a slash of another script"},
    };

    begin();
    add((gap_filter_t){.command = "start"});
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        for (int bold = 0; bold < 2; bold++) {
            struct made m;
            made_message(&m, &(struct message_like){.text = gap_str(cases[i].text),
                                                    .offset = cases[i].offset,
                                                    .length = cases[i].length,
                                                    .bold = bold == 1});
            const char *got = fitting(&m);
            ck_assert_msg(strcmp(got, cases[i].fits ? "0" : "") == 0, "%s: %s", cases[i].text,
                          cases[i].why);
            if (cases[i].fits) {
                ck_assert_msg(is(facts.match.arguments, cases[i].arguments), "%s: %s",
                              cases[i].text, cases[i].why);
                ck_assert(gap_bytes_equal_fold(facts.match.command, gap_str("start")));
            }
            made_free(&m);
        }
    }
    end();
}
END_TEST

START_TEST(test_commands_everywhere_but_not_in_edits)
{
    static const gap_peer_t chats[] = {
        {7, GAP_PEER_USER}, {5, GAP_PEER_CHAT}, {9, GAP_PEER_CHANNEL}};
    struct made m;

    begin();
    add((gap_filter_t){.command = "start"});
    add((gap_filter_t){.command = "start", .kinds = GAP_KIND_EDIT});
    for (size_t i = 0; i < GAP_ARRAY_LEN(chats); i++) {
        struct message_like like = {
            .chat = chats[i], .from = 8, .text = gap_str("/start"), .length = 6};
        made_message(&m, &like);
        expect(&m, "0", "a new message");
        like.edit = true;
        made_message(&m, &like);
        expect(&m, "1", "an edit, for the route that wants it");
    }
    end();
}
END_TEST

START_TEST(test_without_a_name_none_is_ours)
{
    const struct gap_rule *rule;
    uint32_t at = 0;
    struct made m;

    begin();
    add((gap_filter_t){.command = "start"});
    made_command(&m, "/start@ThisBot");
    gap_facts_read(&facts, &m.update, "");
    ck_assert_int_eq(gap_routes_next(&routes, &facts, &at, &rule), 0);
    ck_assert_uint_eq(facts.match.command.len, 0);
    made_free(&m);
    end();
}
END_TEST

/* ---- texts ---- */

/* What fits, and what is captured. */
static const struct {
    const char *pattern;
    const char *text;
    const char *captures; /* "a|b"; NULL: does not fit */
    const char *why;
} patterns[] = {
    {"hello", "hello", "", "literal"},
    {"hello", "hello!", NULL, "the whole text"},
    {"hello", "Hello", NULL, "case counts"},
    {"", "", "", "nothing fits nothing"},
    {"", "x", NULL, "and nothing else"},
    {"*", "", "", "any text, also none"},
    {"*", "any\nthing", "any\nthing", "ends of lines too"},
    {"*b", "aab", "aa", "up to what follows"},
    {"*b*", "aabab", "aa|ab", "as short as can be"},
    {"buy *", "buy milk", "milk", "prefix"},
    {"buy *", "buy   milk", "milk", "any number of blanks"},
    {"buy *", "buy\tmilk", "milk", "of all kinds"},
    {"buy *", "buy", NULL, "but one"},
    {"buy *", "buy ", "", "nothing behind it"},
    {"*buy*", "I want to buy", "I want to |", "inside"},
    {"+", "word", "word", "a word"},
    {"+", "", NULL, "is not nothing"},
    {"+", "two words", NULL, "is not two"},
    {"+ +", "two words", "two|words", "two of them"},
    {"+*", "word, more", "word,|\x20more", "as long as can be"},
    {"#", "007", "007", "a number"},
    {"#", "", NULL, "is not nothing"},
    {"#", "-7", NULL, "has no sign"},
    {"#*", "12ab", "12|ab", "as long as can be"},
    {"remind me in # *", "remind me in 10 minutes to go", "10|minutes to go", "an order"},
    {"#.#", "3.14", "3|14", "a dot means itself"},
    {"?", "x", "", "one character"},
    {"?", "", NULL, "not none"},
    {"?", "xy", NULL, "not two"},
    {"?", "\xf0\x9f\x98\x80", "", "of four bytes"},
    {"??", "\xf0\x9f\x98\x80", NULL, "four bytes are not two characters"},
    {"??", "\xd0\xb0z", "", "of two bytes and one"},
    {"\\*", "*", "", "taken literally"},
    {"\\*", "x", NULL, "and nothing else"},
    {"\\\\", "\\", "", "itself"},
    {"a\\ b", "a b", "", "one blank"},
    {"a\\ b", "a  b", NULL, "one blank only"},
    {"\xd0\xbf\xd1\x80\xd0\xb8 *", "\xd0\xbf\xd1\x80\xd0\xb8 x", "x", "another script"},
    {"*\xd0\xb0*", "\xd1\x8f\xd0\xb0\xd1\x8f", "\xd1\x8f|\xd1\x8f", "whole characters"},
    {"*", "\xff\xfe\x80", "\xff\xfe\x80", "broken UTF-8"},
    {"?", "\x80", NULL, "half a character"},
    {"?*", "\xff\x80\x80z", "z", "a broken one takes what looks like the rest of it"},
    {"+", "\xff", "\xff", "is not blank"},
    {"*a*a*a*", "aaaa", "|||a", "several ways: the first"},
    {"#####", "12345", "1|2|3|4|5", "one digit each"},
    {"##", "123", "12|3", "the first one takes what it can"},
};

START_TEST(test_patterns)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(patterns); i++) {
        struct made m;
        begin();
        add((gap_filter_t){.pattern = patterns[i].pattern});
        made_text(&m, patterns[i].text);
        const char *got = fitting(&m);
        ck_assert_msg((got[0] != 0) == (patterns[i].captures != NULL), "%s on %s: %s",
                      patterns[i].pattern, patterns[i].text, patterns[i].why);
        if (patterns[i].captures != NULL) {
            char text[128] = "";
            for (size_t k = 0; k < facts.match.capture_count; k++) {
                gap_bytes_t c = facts.match.captures[k];
                if (k > 0) strcat(text, "|");
                if (c.len > 0) strncat(text, (const char *)c.data, c.len);
            }
            ck_assert_msg(strcmp(text, patterns[i].captures) == 0, "%s on %s: %s: '%s'",
                          patterns[i].pattern, patterns[i].text, patterns[i].why, text);
        }
        made_free(&m);
        end();
    }
}
END_TEST

START_TEST(test_case_of_letters)
{
    struct made m;

    begin();
    add((gap_filter_t){.pattern = "Buy *", .ignore_case = true});
    add((gap_filter_t){.pattern = "Buy *"});
    add((gap_filter_t){.prefix = "bUY", .ignore_case = true});
    add((gap_filter_t){.prefix = "buy"});
    made_text(&m, "buy @[`{");
    expect(&m, "0 2 3", "letters");
    add((gap_filter_t){.prefix = "[", .ignore_case = true});
    made_text(&m, "{");
    expect(&m, "", "nothing but letters");
    end();
}
END_TEST

START_TEST(test_bad_patterns)
{
    char text[GAP_PATTERN_MAX + 2];
    struct made m;

    begin();
    ck_assert_int_eq(try_add((gap_filter_t){.pattern = "a\\"}), GAP_E_ARGUMENT);
    ck_assert_int_eq(try_add((gap_filter_t){.pattern = "*a*a*a*a*a*a*a*a*"}), GAP_E_ARGUMENT);
    add((gap_filter_t){.pattern = "*a*a*a*a*a*a*a*a"});
    memset(text, 'a', sizeof text);
    text[GAP_PATTERN_MAX + 1] = 0;
    ck_assert_int_eq(try_add((gap_filter_t){.pattern = text}), GAP_E_ARGUMENT);
    text[GAP_PATTERN_MAX] = 0;
    add((gap_filter_t){.pattern = text});
    made_text(&m, text);
    expect(&m, "0 1", "as long as can be");
    text[GAP_PATTERN_MAX - 1] = 0;
    made_text(&m, text);
    expect(&m, "0", "one too few");
    ck_assert_int_eq(try_add((gap_filter_t){.command = ""}), GAP_E_ARGUMENT);
    ck_assert_int_eq(try_add((gap_filter_t){.command = "/start"}), GAP_E_ARGUMENT);
    ck_assert_int_eq(try_add((gap_filter_t){.command = "two words"}), GAP_E_ARGUMENT);
    ck_assert_int_eq(try_add((gap_filter_t){.command = text}), GAP_E_ARGUMENT);
    ck_assert_int_eq(try_add((gap_filter_t){.prefix = ""}), GAP_E_ARGUMENT);
    ck_assert_int_eq(try_add((gap_filter_t){.data_prefix = ""}), GAP_E_ARGUMENT);
    ck_assert_uint_eq(routes.count, 2);
    end();
}
END_TEST

/* The slow way: try everything. */
static bool tries(const char *p, const char *end, const uint8_t *t, const uint8_t *stop)
{
    if (p == end) return t == stop;
    if (*p == '*') return tries(p + 1, end, t, stop) || (t < stop && tries(p, end, t + 1, stop));
    if (*p == '?') {
        if (t == stop || (*t & 0xc0) == 0x80) return false;
        do {
            t++;
            if (tries(p + 1, end, t, stop)) return true;
        } while (t < stop && (*t & 0xc0) == 0x80);
        return false;
    }
    if (*p == '#' || *p == '+' || *p == ' ') {
        while (t < stop) {
            uint8_t c = *t++;
            bool takes = *p == '#'   ? c >= '0' && c <= '9'
                         : *p == '+' ? c > ' ' && c != 0x7f
                                     : c == ' ' || c == '\t' || c == '\n' || c == '\r';
            if (!takes) return false;
            if (tries(p + 1, end, t, stop)) return true;
        }
        return false;
    }
    return t < stop && *t == (uint8_t)*p && tries(p + 1, end, t + 1, stop);
}

START_TEST(test_patterns_against_the_slow_way)
{
    static const char in_patterns[] = "aab1**??#+  \xc3\xa4";
    static const char in_texts[] = "aaab12  \n\xc3\xa4\xa4";
    static struct gap_pattern_set room[64];
    gap_prng_t rng = {(uint64_t)_i + 1};
    unsigned fit = 0;

    for (int n = 0; n < 20000; n++) {
        char pattern[10];
        uint8_t text[12];
        size_t pattern_len = gap_prng_below(&rng, sizeof pattern);
        size_t text_len = gap_prng_below(&rng, sizeof text);
        gap_bytes_t captures[GAP_CAPTURES_MAX];
        struct gap_pattern p;
        for (size_t i = 0; i < pattern_len; i++)
            pattern[i] = in_patterns[gap_prng_below(&rng, sizeof in_patterns - 1)];
        for (size_t i = 0; i < text_len; i++)
            text[i] = (uint8_t)in_texts[gap_prng_below(&rng, sizeof in_texts - 1)];
        pattern[pattern_len] = 0;
        if (gap_pattern_compile(&p, pattern, false) < 0) continue; /* too many captures */
        bool fits = tries(pattern, pattern + pattern_len, text, text + text_len);
        ck_assert_msg(gap_pattern_match(&p, room, gap_bytes(text, text_len), captures) == fits,
                      "seed %d: '%s' on '%.*s'", _i, pattern, (int)text_len, (const char *)text);
        if (!fits) continue;
        fit++;
        /* What is captured lies in the text, one behind the other. */
        const uint8_t *at = text;
        for (size_t i = 0; i < p.captures; i++) {
            if (captures[i].len == 0) continue;
            ck_assert(captures[i].data >= at);
            at = captures[i].data + captures[i].len;
            ck_assert(at <= text + text_len);
        }
    }
    ck_assert_uint_gt(fit, 500);
}
END_TEST

/* Time for one match, the least of five, in microseconds. */
static double match_us(const struct gap_pattern *p, struct gap_pattern_set *room, gap_bytes_t text,
                       bool expected)
{
    gap_bytes_t captures[GAP_CAPTURES_MAX];
    double best = 1e9;

    for (int i = 0; i < 5; i++) {
        struct timespec a;
        struct timespec b;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
        ck_assert(gap_pattern_match(p, room, text, captures) == expected);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
        double us = (double)(b.tv_sec - a.tv_sec) * 1e6 + (double)(b.tv_nsec - a.tv_nsec) / 1e3;
        if (us < best) best = us;
    }
    return best;
}

/* What makes others try 2^n ways takes as long as any text of that length. */
START_TEST(test_patterns_can_not_explode)
{
    static const char *const hard[] = {
        "*a*a*a*a*a*a*a*b", "*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "+*+*+*+b",
        "??????????????????????????????????????????????????????????????b", "* * * * * * * *b"};
    static struct gap_pattern_set room[GAP_PATTERN_TEXT_MAX + 1];
    static char text[GAP_PATTERN_TEXT_MAX];
    struct gap_pattern p;

    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < GAP_ARRAY_LEN(hard); i++) {
        ck_assert_int_eq(gap_pattern_compile(&p, hard[i], false), 0);
        double us = match_us(&p, room, gap_bytes(text, sizeof text), false);
        /* A few nanoseconds a byte; a sanitiser's and a busy machine's share included. */
        ck_assert_msg(us < 20000, "%s took %.0f us", hard[i], us);
    }
    ck_assert_int_eq(gap_pattern_compile(&p, "*a*a*a*a*a*a*a*", false), 0);
    double us = match_us(&p, room, gap_bytes(text, sizeof text), true);
    ck_assert_msg(us < 20000, "captures took %.0f us", us);
}
END_TEST

/* A text of 4096 emojis, as long as Telegram's are, and one that is too long for patterns. */
START_TEST(test_long_texts)
{
    static char text[GAP_PATTERN_TEXT_MAX + 1];
    struct made m;

    begin();
    add((gap_filter_t){.pattern = "*"});
    add((gap_filter_t){.prefix = "\xf0\x9f\x98\x80"});
    add((gap_filter_t){.pattern = "?*?"});
    for (size_t i = 0; i < 4096; i++) memcpy(text + 4 * i, "\xf0\x9f\x98\x80", 4);
    made_message(&m, &(struct message_like){.text = gap_bytes(text, 16384)});
    expect(&m, "0 1 2", "4096 emojis");
    ck_assert_uint_eq(facts.match.capture_count, 1);
    ck_assert_uint_eq(facts.captures[0].len, (size_t)4094 * 4);
    text[16384] = 'x';
    made_message(&m, &(struct message_like){.text = gap_bytes(text, 16385)});
    expect(&m, "1", "a byte too many for patterns");
    end();
}
END_TEST

START_TEST(test_prefix)
{
    struct made m;

    begin();
    add((gap_filter_t){.prefix = "buy "});
    add((gap_filter_t){.prefix = "buy m"});
    made_text(&m, "buy milk");
    ck_assert_str_eq(fitting(&m), "0 1");
    ck_assert(is(facts.match.rest, "ilk"));
    made_free(&m);
    made_text(&m, "buy ");
    ck_assert_str_eq(fitting(&m), "0");
    ck_assert_uint_eq(facts.match.rest.len, 0);
    made_free(&m);
    made_text(&m, "buy");
    expect(&m, "", "too short");
    made_callback(&m, (gap_peer_t){7, GAP_PEER_USER}, 7, "buy milk");
    expect(&m, "", "a callback has no text");
    end();
}
END_TEST

/* ---- callbacks, kinds, chats ---- */

START_TEST(test_callback_data)
{
    const gap_bytes_t yes = gap_str("yes");
    const gap_bytes_t none = {NULL, 0};
    gap_peer_t chat = {7, GAP_PEER_USER};
    struct made m;

    begin();
    add((gap_filter_t){.data = &yes});
    add((gap_filter_t){.data_prefix = "page:"});
    add((gap_filter_t){.kinds = GAP_KIND_CALLBACK});
    add((gap_filter_t){.data = &none});
    add((gap_filter_t){.kinds = GAP_KIND_INLINE_QUERY});
    made_callback(&m, chat, 8, "yes");
    ck_assert_str_eq(fitting(&m), "0 2");
    ck_assert_int_eq(facts.match.sender.id, 8);
    ck_assert_int_eq(facts.match.chat.id, 7);
    ck_assert_int_eq(facts.match.query_id, 99);
    ck_assert_ptr_null(facts.match.message);
    made_free(&m);
    made_callback(&m, chat, 8, "page:12");
    ck_assert(gap_routes_next(&routes, (gap_facts_read(&facts, &m.update, ""), &facts),
                              &(uint32_t){0}, &(const struct gap_rule *){NULL}) == 1);
    ck_assert(is(facts.match.rest, "12"));
    made_free(&m);
    made_callback(&m, chat, 8, "Yes");
    expect(&m, "2", "bytes are compared as they are");
    made_callback(&m, chat, 8, NULL);
    expect(&m, "2 3", "a game's button has no data");
    made_inline_query(&m, 8, "yes");
    ck_assert_str_eq(fitting(&m), "4");
    ck_assert(is(facts.match.data, "yes"));
    ck_assert_int_eq(facts.match.query_id, 98);
    made_free(&m);
    end();
}
END_TEST

START_TEST(test_chats)
{
    static const gap_peer_t two[] = {{5, GAP_PEER_CHAT}, {9, GAP_PEER_CHANNEL}};
    struct made m;

    begin();
    add((gap_filter_t){.chats = two, .chat_count = 2});
    add((gap_filter_t){.chat_kinds = GAP_CHAT_PRIVATE});
    add((gap_filter_t){.chat_kinds = GAP_CHAT_GROUPS});
    add((gap_filter_t){.chat_kinds = GAP_CHAT_BROADCAST});
    made_message(&m, &(struct message_like){.chat = {5, GAP_PEER_CHAT}, .from = 8});
    expect(&m, "0 2", "a basic group");
    made_message(&m, &(struct message_like){.chat = {5, GAP_PEER_CHANNEL}, .from = 8});
    expect(&m, "2", "a supergroup with the same id");
    made_message(&m, &(struct message_like){.chat = {9, GAP_PEER_CHANNEL}, .post = true});
    expect(&m, "0 3", "a channel");
    made_message(&m, &(struct message_like){.chat = {5, GAP_PEER_USER}});
    expect(&m, "1", "a private chat with the same id");
    made_callback(&m, (gap_peer_t){9, GAP_PEER_CHANNEL}, 8, "x");
    expect(&m, "0 2 3", "a channel of which nothing else is known");
    end();
}
END_TEST

START_TEST(test_members_are_all_wanted)
{
    static const uint32_t ids[] = {GAP_TL_UPDATE_NEW_MESSAGE, GAP_TL_UPDATE_BOT_CALLBACK_QUERY};
    struct made m;

    begin();
    add((gap_filter_t){0});
    add((gap_filter_t){.ids = ids, .id_count = 2});
    add((gap_filter_t){.ids = ids, .id_count = 2, .kinds = GAP_KIND_CALLBACK});
    add((gap_filter_t){.ids = ids, .id_count = 2, .prefix = "x", .incoming = true});
    add((gap_filter_t){.kinds = GAP_KIND_MESSAGE | GAP_KIND_EDIT});
    add((gap_filter_t){.command = "start", .chat_kinds = GAP_CHAT_GROUPS});
    made_text(&m, "x");
    expect(&m, "0 1 3 4", "a message");
    made_message(&m, &(struct message_like){.text = gap_str("x"), .out = true});
    expect(&m, "0 1 4", "of the account itself");
    made_message(&m, &(struct message_like){.text = gap_str("x"), .edit = true});
    expect(&m, "0 4", "an edit");
    made_callback(&m, (gap_peer_t){7, GAP_PEER_USER}, 7, "x");
    expect(&m, "0 1 2", "a callback");
    made_command(&m, "/start");
    expect(&m, "0 1 4", "a command, but not in a group");
    end();
}
END_TEST

START_TEST(test_an_id_named_twice_counts_once)
{
    static const uint32_t ids[] = {GAP_TL_UPDATE_NEW_MESSAGE, GAP_TL_UPDATE_NEW_MESSAGE};
    struct made m;

    begin();
    add((gap_filter_t){.ids = ids, .id_count = 2});
    made_text(&m, "x");
    expect(&m, "0", "once");
    end();
}
END_TEST

/* Every list is gone through in the order of adding, whatever is in between. */
START_TEST(test_a_thousand_in_order)
{
    char names[1000][16];
    struct made m;
    uint32_t at = 0;
    const struct gap_rule *rule;

    begin();
    for (int i = 0; i < 1000; i++) {
        snprintf(names[i], sizeof names[i], "do_%d", i / 2);
        add(i % 4 == 1 ? (gap_filter_t){.kinds = GAP_KIND_MESSAGE, .prefix = "/do_249"}
                       : (gap_filter_t){.command = names[i]});
    }
    made_command(&m, "/do_249 now");
    gap_facts_read(&facts, &m.update, "");
    uint32_t last = 0;
    unsigned count = 0;
    while (gap_routes_next(&routes, &facts, &at, &rule) == 1) {
        ck_assert(count == 0 || at > last);
        last = at;
        count++;
    }
    ck_assert_uint_eq(count, 250 + 2); /* the prefixes, and 498 and 499 but those that are one */
    made_free(&m);
    end();
}
END_TEST

/* ---- no memory ---- */

START_TEST(test_out_of_memory)
{
    static const uint32_t ids[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};
    const gap_filter_t filters[] = {
        {.ids = ids, .id_count = GAP_ARRAY_LEN(ids)},
        {.command = "start"},
        {.pattern = "*"},
        {.kinds = GAP_KIND_MESSAGE | GAP_KIND_EDIT},
    };

    for (long n = 1; n < 200; n++) {
        struct made m;
        begin();
        fault.fail_at = n;
        uint32_t added = 0;
        for (size_t i = 0; i < GAP_ARRAY_LEN(filters); i++) {
            int r = try_add(filters[i]);
            ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "n = %ld: %d", n, r);
            if (r == 0) added++;
            ck_assert_uint_eq(routes.count, added);
        }
        ck_assert_uint_ge(added, GAP_ARRAY_LEN(filters) - 1);
        made_command(&m, "/start");
        gap_facts_read(&facts, &m.update, "");
        uint32_t at = 0;
        uint32_t fit = 0;
        const struct gap_rule *rule;
        int r;
        while ((r = gap_routes_next(&routes, &facts, &at, &rule)) == 1) fit++;
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "n = %ld: %d", n, r);
        if (added == GAP_ARRAY_LEN(filters) && r == 0) ck_assert_uint_eq(fit, 3);
        made_free(&m);
        end();
    }
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("routes");
    TCase *t = tcase_create("routes");

    tcase_add_test(t, test_commands);
    tcase_add_test(t, test_commands_everywhere_but_not_in_edits);
    tcase_add_test(t, test_without_a_name_none_is_ours);
    tcase_add_test(t, test_patterns);
    tcase_add_loop_test(t, test_patterns_against_the_slow_way, 0, gap_test_seeds(10));
    tcase_add_test(t, test_case_of_letters);
    tcase_add_test(t, test_bad_patterns);
    tcase_add_test(t, test_patterns_can_not_explode);
    tcase_add_test(t, test_long_texts);
    tcase_add_test(t, test_prefix);
    tcase_add_test(t, test_callback_data);
    tcase_add_test(t, test_chats);
    tcase_add_test(t, test_members_are_all_wanted);
    tcase_add_test(t, test_an_id_named_twice_counts_once);
    tcase_add_test(t, test_a_thousand_in_order);
    tcase_add_test(t, test_out_of_memory);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(make_suite)
