/* tests/unit/test_link_text.c - whom a text means: a table of what people write, and noise. */
#include "tests/check_main.h"

#include "base/bytes.h"
#include "base/prng.h"
#include "client/link_text.h"

#include <string.h>

struct text_case {
    const char *text;
    enum client_who_kind kind; /* 0: nobody */
    const char *expected;      /* text, or the id */
    gap_peer_kind_t peer;
    const char *why;
};

#define SELF(t)                                                                                    \
    {                                                                                              \
        t, CLIENT_WHO_SELF, "", GAP_PEER_NONE, "the account itself"                                \
    }
#define NAME(t, e, why)                                                                            \
    {                                                                                              \
        t, CLIENT_WHO_USERNAME, e, GAP_PEER_NONE, why                                              \
    }
#define CALL(t, e, why)                                                                            \
    {                                                                                              \
        t, CLIENT_WHO_PHONE, e, GAP_PEER_NONE, why                                                 \
    }
#define USER(t, e, why)                                                                            \
    {                                                                                              \
        t, CLIENT_WHO_ID, e, GAP_PEER_USER, why                                                    \
    }
#define CHAT(t, e, why)                                                                            \
    {                                                                                              \
        t, CLIENT_WHO_ID, e, GAP_PEER_CHAT, why                                                    \
    }
#define CHAN(t, e, why)                                                                            \
    {                                                                                              \
        t, CLIENT_WHO_ID, e, GAP_PEER_CHANNEL, why                                                 \
    }
#define JOIN(t, e, why)                                                                            \
    {                                                                                              \
        t, CLIENT_WHO_INVITE, e, GAP_PEER_NONE, why                                                \
    }
#define NONE(t, why)                                                                               \
    {                                                                                              \
        t, 0, "", GAP_PEER_NONE, why                                                               \
    }

static const struct text_case cases[] = {
    SELF("me"),
    SELF("self"),
    SELF(" Me\n"),

    NAME("@durov", "durov", "as people write it"),
    NAME("durov", "durov", "the same without @"),
    NAME("  @Durov_1 ", "Durov_1", "blanks around; spelled as it was"),
    NAME("news", "news", "four characters: bought on Fragment"),
    NAME("@gif", "gif", "an inline bot of the first days"),
    NAME("@ya", "ya", "another one"),
    NAME("abcdefghijklmnopqrstuvwxyz_12345", "abcdefghijklmnopqrstuvwxyz_12345", "32 characters"),
    NONE("abcdefghijklmnopqrstuvwxyz_123456", "33 characters"),
    NONE("abc", "too short"),
    NONE("@abc", "too short"),
    NONE("@", "nothing behind @"),
    NONE("@1abc", "begins with a digit"),
    NONE("_abcd", "begins with an underscore"),
    NONE("ab cd", "a blank inside"),
    NONE("@abc-d", "a dash inside"),
    NONE("d\xc3\xbcrov", "not ASCII"),
    NONE("", "empty"),
    NONE("   ", "blanks alone"),

    CALL("+491234567", "491234567", "a phone number"),
    CALL("+49 (123) 45-67", "491234567", "as people write it"),
    CALL("+1.415.555.0100", "14155550100", "with dots"),
    CALL("+42777", "42777", "Telegram's own"),
    CALL("+123456789012345", "123456789012345", "15 digits"),
    NONE("+1234567890123456", "16 digits"),
    NONE("+1234", "4 digits"),
    NONE("+0123456", "no country's code begins with 0"),
    NONE("+", "nothing behind +"),
    NONE("+49123abc", "letters inside"),
    NONE("++49123456", "two of them"),

    USER("123", "123", "a user's id"),
    USER("5000000000", "5000000000", "beyond 32 bits"),
    USER("1099511627775", "1099511627775", "the largest"),
    NONE("1099511627776", "larger than the largest"),
    NONE("0", "nobody has it"),
    NONE("007", "no id begins with 0"),
    NONE("0171234567", "a phone number needs its country"),
    NONE("123a", "neither id nor name"),
    NONE("12 3", "a blank inside"),
    NONE("18446744073709551617", "2^64 + 1 is not 1"),
    NONE("99999999999999999999999999999999999999", "overflow"),
    CHAT("-123", "123", "a basic group"),
    CHAT("-5000000000", "5000000000", "beyond 32 bits"),
    CHAT("-999999999999", "999999999999", "the largest basic group"),
    NONE("-1000000000000", "channel 0"),
    CHAN("-1000000000001", "1", "the first channel"),
    CHAN("-1001234567890", "1234567890", "a channel"),
    CHAN("-1997852516352", "997852516352", "the last one below the secret chats"),
    NONE("-1997852516353", "a secret chat"),
    NONE("-2002147483648", "a secret chat"),
    CHAN("-2002147483649", "1002147483649", "the first one above the secret chats"),
    CHAN("-4000000000000", "3000000000000", "the last one"),
    NONE("-4000000000001", "beyond the last one"),
    NONE("-18446744073709551617", "overflow"),
    NONE("-", "no number"),
    NONE("-0", "nobody has it"),
    NONE("--5", "two of them"),
    NONE("-+5", "a sign too many"),

    NAME("https://t.me/durov", "durov", "a link"),
    NAME("http://t.me/durov", "durov", "unencrypted"),
    NAME("t.me/durov", "durov", "without scheme"),
    NAME("HTTPS://T.ME/Durov", "Durov", "host in capitals"),
    NAME("https://www.t.me/durov/", "durov", "www and a slash at the end"),
    NAME("telegram.me/durov", "durov", "the other host"),
    NAME("https://telegram.dog/durov", "durov", "the third host"),
    NAME("t.me/durov/123", "durov", "a message"),
    NAME("t.me/durov/12/345?single", "durov", "a message of a topic"),
    NAME("t.me/durov?start=abc", "durov", "a start parameter"),
    NAME("t.me/durov#x", "durov", "a fragment"),
    NAME("t.me/s/durov", "durov", "the preview"),
    NAME("t.me/s/durov/12", "durov", "a message of the preview"),
    NAME("durov.t.me", "durov", "name as host"),
    NAME("https://durov.t.me/12", "durov", "name as host, a message"),
    NAME("t.me/%64urov", "durov", "a percent escape"),
    NAME("t.me/gif", "gif", "short ones in links as well"),
    NONE("t.me", "a host alone"),
    NONE("t.me/", "a host alone"),
    NONE("t.me/abc", "too short"),
    NONE("t.me//durov", "nothing between the slashes"),
    NONE("t.me/s/", "no name"),
    NONE("t.me/%00durov", "a NUL in disguise"),
    NONE("t.me/durov%2", "a broken escape"),
    NONE("t.me/addstickers/Animals", "stickers are no chat"),
    NONE("t.me/proxy?server=x", "a proxy is no chat"),
    NONE("t.me/share/url?url=x", "sharing is no chat"),
    NONE("t.me/addlist/abcdef", "a folder is no chat"),
    NONE("web.t.me", "a host of Telegram's own"),
    NONE("www.t.me", "a host alone"),
    NONE(".t.me/durov", "no name before the dot"),
    NONE("a.b.t.me", "no username has a dot"),
    NONE("https://example.com/durov", "another site"),
    NONE("https://t.me.example.com/durov", "another site in disguise"),
    NONE("https://examplet.me/durov", "another site in disguise"),
    NONE("https://t.me@example.com/durov", "another site in disguise"),
    NONE("ftp://t.me/durov", "another scheme"),

    CHAN("t.me/c/1234567890/55", "1234567890", "a message of a private channel"),
    CHAN("https://t.me/c/5000000000", "5000000000", "beyond 32 bits"),
    NONE("t.me/c/", "no id"),
    NONE("t.me/c/abc/5", "no id"),
    NONE("t.me/c/-1001234567890/5", "links have it unmarked"),
    NONE("t.me/c/18446744073709551617/5", "overflow"),

    CALL("t.me/+491234567", "491234567", "all digits: a phone number"),
    JOIN("t.me/+AbC-12_3xyz", "AbC-12_3xyz", "an invitation"),
    JOIN("https://t.me/+12345a", "12345a", "not all digits"),
    JOIN("t.me/%2BAbC123", "AbC123", "an escaped plus"),
    JOIN("t.me/joinchat/AbC-12_3", "AbC-12_3", "an invitation of the old kind"),
    JOIN("https://telegram.me/joinchat/123456", "123456", "there digits are a hash"),
    NONE("t.me/joinchat", "no hash"),
    NONE("t.me/joinchat/", "no hash"),
    NONE("t.me/+", "no hash"),
    NONE("t.me/+ab!c", "no hash has this"),

    NAME("tg://resolve?domain=durov", "durov", "inside the system"),
    NAME("tg:resolve?domain=durov", "durov", "without slashes"),
    NAME("TG://RESOLVE?DOMAIN=durov", "durov", "in capitals"),
    NAME("tg://resolve?post=5&domain=durov&x", "durov", "among others"),
    NAME("tg://resolve/?domain=durov", "durov", "with a slash"),
    CALL("tg://resolve?phone=491234567", "491234567", "by phone"),
    CALL("tg://resolve?phone=+491234567", "491234567", "by phone, with plus"),
    JOIN("tg://join?invite=AbC-1", "AbC-1", "an invitation"),
    CHAN("tg://privatepost?channel=123&post=5", "123", "a message of a private channel"),
    USER("tg://user?id=123", "123", "a mention of the Bot API"),
    USER("tg://openmessage?user_id=5000000000", "5000000000", "a private chat"),
    CHAT("tg://openmessage?chat_id=7", "7", "a basic group"),
    NONE("tg://resolve", "nothing asked"),
    NONE("tg://resolve?domain=", "an empty name"),
    NONE("tg://resolve?mydomain=durov", "another parameter"),
    NONE("tg://settings", "no chat"),
    NONE("tg:", "nothing"),
    NONE("tg://join?invite=", "an empty hash"),
};

START_TEST(test_what_people_write)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        const struct text_case *c = &cases[i];
        struct client_who who = {0};
        int r = client_who_parse(c->text, &who);
        char id[32];

        ck_assert_msg(r == (c->kind == 0 ? GAP_E_ARGUMENT : 0), "\"%s\" (%s): %d", c->text, c->why,
                      r);
        ck_assert_msg(who.kind == c->kind, "\"%s\" (%s): kind %d", c->text, c->why, who.kind);
        ck_assert_msg(who.peer.kind == c->peer, "\"%s\" (%s)", c->text, c->why);
        (void)snprintf(id, sizeof id, "%lld", (long long)who.peer.id);
        const char *is = c->kind == CLIENT_WHO_ID ? id : who.text;
        ck_assert_msg(strcmp(is, c->expected) == 0, "\"%s\" (%s): %s", c->text, c->why, is);
    }
}
END_TEST

START_TEST(test_long_texts_mean_nobody)
{
    struct client_who who;
    char text[2 * CLIENT_WHO_MAX];

    for (size_t len = 1; len < sizeof text; len++) {
        memset(text, 'a', len);
        text[len] = 0;
        bool good = len >= CLIENT_USERNAME_MIN && len <= CLIENT_USERNAME_MAX;
        ck_assert_msg((client_who_parse(text, &who) == 0) == good, "%zu characters", len);
        if (len < 6) continue;
        memcpy(text, "t.me/+", 6);
        good = len > 6 && len - 6 <= CLIENT_INVITE_MAX;
        ck_assert_msg((client_who_parse(text, &who) == 0) == good, "hash of %zu", len - 6);
    }
}
END_TEST

START_TEST(test_which_mean_the_same)
{
    static const struct {
        const char *a, *b;
        bool same;
    } pairs[] = {
        {"@Durov", "t.me/durov/5", true},
        {"durov", "durova", false},
        {"durova", "durov", false},
        {"123", "-123", false},
        {"123", "123", true},
        {"me", "self", true},
        {"+491234567", "tg://resolve?phone=491234567", true},
        {"t.me/+abC1", "t.me/joinchat/abC1", true},
        {"t.me/+abC1", "t.me/+abc1", false},
        {"t.me/c/5/1", "-1000000000005", true},
        {"me", "123", false},
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(pairs); i++) {
        struct client_who a, b;
        ck_assert_int_eq(client_who_parse(pairs[i].a, &a), 0);
        ck_assert_int_eq(client_who_parse(pairs[i].b, &b), 0);
        ck_assert_msg(client_who_equal(&a, &b) == pairs[i].same, "%s, %s", pairs[i].a, pairs[i].b);
        ck_assert(client_who_equal(&b, &a) == pairs[i].same);
    }
}
END_TEST

/* Whatever comes out is of one of the kinds, within its bounds. */
static void check_sound(const char *text, const struct client_who *who)
{
    size_t len = strlen(who->text);

    switch (who->kind) {
    case CLIENT_WHO_SELF:
        ck_assert_uint_eq(len, 0);
        break;
    case CLIENT_WHO_USERNAME:
        ck_assert_msg(len >= 2 && len <= CLIENT_USERNAME_MAX, "%s", text);
        break;
    case CLIENT_WHO_PHONE:
        ck_assert_msg(len >= CLIENT_PHONE_MIN && len <= CLIENT_PHONE_MAX, "%s", text);
        ck_assert_msg(strspn(who->text, "0123456789") == len, "%s", text);
        break;
    case CLIENT_WHO_ID:
        ck_assert_msg(who->peer.id > 0 && who->peer.id <= INT64_C(3000000000000), "%s", text);
        ck_assert_msg(who->peer.kind != GAP_PEER_NONE, "%s", text);
        break;
    case CLIENT_WHO_INVITE:
        ck_assert_msg(len > 0 && len <= CLIENT_INVITE_MAX, "%s", text);
        break;
    default:
        ck_abort_msg("%s: kind %d", text, who->kind);
    }
}

/* Pieces of real texts, cut and glued at random, with noise. */
START_TEST(test_noise)
{
    static const char *const parts[] = {
        "https://", "t.me", "/",     "+",  "@",    "durov",   "telegram.me", "joinchat",   "c",
        "12345",    "-100", "tg:",   "//", "?",    "resolve", "domain=",     "phone=",     "&",
        "%2B",      "%",    ".t.me", "#",  " ",    "s",       "0",           "9999999999", "join",
        "invite=",  "\xff", "_",     "\t", "user", "id=",
    };
    gap_prng_t rng = {11};
    int rounds = gap_test_seeds(50000);
    int sound = 0;

    for (int i = 0; i < rounds; i++) {
        char text[256] = "";
        size_t n = 1 + gap_prng_below(&rng, 8);
        for (size_t k = 0; k < n; k++)
            strncat(text, parts[gap_prng_below(&rng, GAP_ARRAY_LEN(parts))],
                    sizeof text - strlen(text) - 1);
        if (text[0] != 0 && gap_prng_below(&rng, 4) == 0)
            text[gap_prng_below(&rng, strlen(text))] = (char)(1 + gap_prng_below(&rng, 255));
        struct client_who who = {0};
        int r = client_who_parse(text, &who);
        ck_assert_msg(r == 0 || r == GAP_E_ARGUMENT, "%s: %d", text, r);
        if (r == 0) check_sound(text, &who);
        sound += r == 0;
    }
    ck_assert_msg(sound > rounds / 100, "%d of %d mean somebody", sound, rounds);
}
END_TEST

static Suite *link_text_suite(void)
{
    Suite *s = suite_create("link_text");
    TCase *t = tcase_create("all");

    tcase_set_timeout(t, 60);
    tcase_add_test(t, test_what_people_write);
    tcase_add_test(t, test_long_texts_mean_nobody);
    tcase_add_test(t, test_which_mean_the_same);
    tcase_add_test(t, test_noise);
    suite_add_tcase(s, t);
    return s;
}

GAP_TEST_MAIN(link_text_suite)
