/*
 * client/link_text.c - from what people write to whom they mean.
 *
 *   text -> blanks off -> "me" | "+..." phone | number: marked id | tg:... | http(s)://HOST/PATH
 *                         | HOST/PATH | NAME.t.me | @name | name
 *
 * Pure: nothing is owned, kept or asked. What a link carries behind the name (message, topic,
 * start parameter) is passed over. Links to what is no chat (stickers, proxies, themes, folders)
 * mean nobody, even though their first part could be a username: Telegram reserves those words.
 */
#include "client/link_text.h"

#include "base/bytes.h"

#include <string.h>

/* The Bot API's marked ids: a basic group is negative, a channel is this much lower still.
 * Between the channels lie the ids of secret chats, which are no peers. */
#define CHANNEL_MARK INT64_C(1000000000000)
#define USER_MAX     INT64_C(0xffffffffff)
#define CHAT_MAX     INT64_C(999999999999)
#define CHANNEL_MAX  INT64_C(3000000000000)
#define SECRET_FIRST INT64_C(997852516353)
#define SECRET_LAST  INT64_C(1002147483648)

/* A link, percent escapes undone: at most as long as the text was. */
struct piece {
    const char *at;
    size_t len;
};

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return lower(c) >= 'a' && lower(c) <= 'z';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool same(struct piece p, const char *word)
{
    size_t i = 0;

    while (i < p.len && word[i] != 0 && lower(p.at[i]) == word[i]) i++;
    return i == p.len && word[i] == 0;
}

static bool take_word(struct piece *p, const char *word)
{
    size_t len = strlen(word);
    struct piece head = {p->at, len};

    if (p->len < len || !same(head, word)) return false;
    p->at += len;
    p->len -= len;
    return true;
}

/* What stands before the first of @p ends, which is passed as well; all of it if there is none. */
static struct piece take_until(struct piece *p, const char *ends)
{
    struct piece head = {p->at, 0};

    while (head.len < p->len && strchr(ends, p->at[head.len]) == NULL) head.len++;
    size_t used = head.len < p->len ? head.len + 1 : head.len;
    p->at += used;
    p->len -= used;
    return head;
}

static bool keep(struct client_who *out, enum client_who_kind kind, struct piece p)
{
    if (p.len == 0 || p.len >= sizeof out->text) return false;
    *out = (struct client_who){.kind = kind};
    memcpy(out->text, p.at, p.len);
    return true;
}

/* ---- the kinds ---- */

static bool is_short_name(struct piece p)
{
    static const char *const known[] = {"gif", "pic", "vid", "ya"};

    for (size_t i = 0; i < GAP_ARRAY_LEN(known); i++)
        if (same(p, known[i])) return true;
    return false;
}

static bool username(struct piece p, struct client_who *out)
{
    if (p.len > CLIENT_USERNAME_MAX || p.len == 0 || !is_letter(p.at[0])) return false;
    for (size_t i = 0; i < p.len; i++)
        if (!is_letter(p.at[i]) && !is_digit(p.at[i]) && p.at[i] != '_') return false;
    if (p.len < CLIENT_USERNAME_MIN && !is_short_name(p)) return false;
    return keep(out, CLIENT_WHO_USERNAME, p);
}

/* Digits, with what people put between them. */
static bool phone(struct piece p, struct client_who *out)
{
    struct client_who who = {.kind = CLIENT_WHO_PHONE};
    size_t n = 0;

    for (size_t i = 0; i < p.len; i++) {
        if (strchr(" -.()", p.at[i]) != NULL) continue;
        if (!is_digit(p.at[i]) || n == CLIENT_PHONE_MAX) return false;
        who.text[n++] = p.at[i];
    }
    if (n < CLIENT_PHONE_MIN || who.text[0] == '0') return false;
    *out = who;
    return true;
}

/* A number without leading zero. @return false: none, or over @p max. */
static bool number(struct piece p, int64_t max, int64_t *out)
{
    int64_t n = 0;

    if (p.len == 0 || p.at[0] == '0') return false;
    for (size_t i = 0; i < p.len; i++) {
        if (!is_digit(p.at[i])) return false;
        n = n * 10 + (p.at[i] - '0');
        if (n > max) return false; /* far from where the next digit overflows */
    }
    *out = n;
    return true;
}

static bool peer_id(gap_peer_kind_t kind, struct piece p, struct client_who *out)
{
    int64_t max = kind == GAP_PEER_USER ? USER_MAX : kind == GAP_PEER_CHAT ? CHAT_MAX : CHANNEL_MAX;
    struct client_who who = {.kind = CLIENT_WHO_ID, .peer = {0, kind}};

    if (!number(p, max, &who.peer.id)) return false;
    if (kind == GAP_PEER_CHANNEL && who.peer.id >= SECRET_FIRST && who.peer.id <= SECRET_LAST)
        return false;
    *out = who;
    return true;
}

static bool marked_id(struct piece p, struct client_who *out)
{
    int64_t n;

    if (p.at[0] != '-') return peer_id(GAP_PEER_USER, p, out);
    p.at++;
    p.len--;
    if (peer_id(GAP_PEER_CHAT, p, out)) return true;
    if (!number(p, CHANNEL_MARK + CHANNEL_MAX, &n) || n <= CHANNEL_MARK) return false;
    int64_t id = n - CHANNEL_MARK;
    if (id >= SECRET_FIRST && id <= SECRET_LAST) return false;
    *out = (struct client_who){.kind = CLIENT_WHO_ID, .peer = {id, GAP_PEER_CHANNEL}};
    return true;
}

static bool invite(struct piece p, struct client_who *out)
{
    for (size_t i = 0; i < p.len; i++)
        if (!is_letter(p.at[i]) && !is_digit(p.at[i]) && p.at[i] != '_' && p.at[i] != '-')
            return false;
    return keep(out, CLIENT_WHO_INVITE, p);
}

/* Behind "+" in a link: a hash, unless it is all digits. */
static bool plus(struct piece p, struct client_who *out)
{
    bool digits = p.len > 0;

    for (size_t i = 0; i < p.len; i++) digits = digits && is_digit(p.at[i]);
    return digits ? phone(p, out) : invite(p, out);
}

/* ---- links ---- */

/* First parts of a path that are no usernames. */
static bool is_reserved(struct piece p)
{
    static const char *const words[] = {
        "addemoji", "addlist", "addstickers",  "addtheme", "auction",  "auth",    "bg",
        "boost",    "call",    "confirmphone", "contact",  "giftcode", "invoice", "iv",
        "joinchat", "login",   "msg",          "newbot",   "nft",      "proxy",   "setlanguage",
        "share",    "socks",   "stargift",     "theme",    "themes",   "web",     "www",
    };

    for (size_t i = 0; i < GAP_ARRAY_LEN(words); i++)
        if (same(p, words[i])) return true;
    return false;
}

/* PATH of t.me/PATH. */
static bool path(struct piece p, struct client_who *out)
{
    if (p.len > 0 && p.at[0] == '+') {
        take_word(&p, "+");
        return plus(take_until(&p, "/?#"), out);
    }
    struct piece first = take_until(&p, "/?#");
    if (same(first, "joinchat")) return invite(take_until(&p, "/?#"), out);
    if (same(first, "c")) return peer_id(GAP_PEER_CHANNEL, take_until(&p, "/?#"), out);
    if (same(first, "s")) first = take_until(&p, "/?#");
    return !is_reserved(first) && username(first, out);
}

/* The value of a parameter. @return false: it is not there. */
static bool parameter(struct piece query, const char *name, struct piece *out)
{
    while (query.len > 0) {
        struct piece value = take_until(&query, "&#");
        struct piece key = take_until(&value, "=");
        if (!same(key, name)) continue;
        *out = value;
        return true;
    }
    return false;
}

/* What follows "tg:". */
static bool tg(struct piece p, struct client_who *out)
{
    struct piece value;

    (void)take_word(&p, "//");
    struct piece what = take_until(&p, "?");
    if (what.len > 0 && what.at[what.len - 1] == '/') what.len--;
    if (same(what, "resolve") && parameter(p, "domain", &value)) return username(value, out);
    if (same(what, "resolve") && parameter(p, "phone", &value)) {
        (void)take_word(&value, "+");
        return phone(value, out);
    }
    if (same(what, "join") && parameter(p, "invite", &value)) return invite(value, out);
    if (same(what, "privatepost") && parameter(p, "channel", &value))
        return peer_id(GAP_PEER_CHANNEL, value, out);
    if (same(what, "user") && parameter(p, "id", &value)) return peer_id(GAP_PEER_USER, value, out);
    if (same(what, "openmessage") && parameter(p, "user_id", &value))
        return peer_id(GAP_PEER_USER, value, out);
    if (same(what, "openmessage") && parameter(p, "chat_id", &value))
        return peer_id(GAP_PEER_CHAT, value, out);
    return false;
}

/* HOST/PATH. @return false: it is no host of ours, or the link means nobody. */
static bool web(struct piece p, struct client_who *out)
{
    static const char *const hosts[] = {"t.me", "telegram.me", "telegram.dog"};
    static const char under[] = ".t.me";
    size_t tail = sizeof under - 1;
    struct piece host = take_until(&p, "/?#");

    (void)take_word(&host, "www.");
    for (size_t i = 0; i < GAP_ARRAY_LEN(hosts); i++)
        if (same(host, hosts[i])) return path(p, out);
    if (host.len <= tail) return false;
    struct piece end = {host.at + host.len - tail, tail};
    host.len -= tail;
    return same(end, under) && !is_reserved(host) && username(host, out);
}

static int hex(char c)
{
    if (is_digit(c)) return c - '0';
    c = lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo percent escapes; one that is broken or means no printable ASCII stays as it is, which no
 * kind accepts. */
static struct piece unescape(struct piece p, char out[CLIENT_WHO_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < p.len; i++) {
        int c = p.at[i] == '%' && i + 2 < p.len && hex(p.at[i + 1]) >= 0 && hex(p.at[i + 2]) >= 0
                    ? hex(p.at[i + 1]) * 16 + hex(p.at[i + 2])
                    : 0;
        bool good = c > 0x20 && c < 0x7f;
        out[n++] = good ? (char)c : p.at[i];
        if (good) i += 2;
    }
    return (struct piece){out, n};
}

static bool as_link(struct piece p, struct client_who *out)
{
    char plain[CLIENT_WHO_MAX];

    p = unescape(p, plain);
    if (take_word(&p, "tg:")) return tg(p, out);
    if (!take_word(&p, "https://")) (void)take_word(&p, "http://");
    return web(p, out);
}

int client_who_parse(const char *text, struct client_who *out)
{
    struct piece p = {text, strnlen(text, CLIENT_WHO_MAX + 1)};
    bool good;

    while (p.len > 0 && is_blank(p.at[0])) {
        p.at++;
        p.len--;
    }
    while (p.len > 0 && is_blank(p.at[p.len - 1])) p.len--;
    if (p.len == 0 || p.len > CLIENT_WHO_MAX) return GAP_E_ARGUMENT;
    if (same(p, "me") || same(p, "self")) {
        *out = (struct client_who){.kind = CLIENT_WHO_SELF};
        return 0;
    }
    if (take_word(&p, "+")) {
        good = phone(p, out);
    } else if (is_digit(p.at[0]) || p.at[0] == '-') {
        good = marked_id(p, out);
    } else if (take_word(&p, "@")) {
        good = username(p, out);
    } else {
        good = username(p, out) || as_link(p, out);
    }
    return good ? 0 : GAP_E_ARGUMENT;
}

bool client_who_equal(const struct client_who *a, const struct client_who *b)
{
    struct piece text = {a->text, strlen(a->text)};

    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case CLIENT_WHO_SELF:
        return true;
    case CLIENT_WHO_ID:
        return a->peer.id == b->peer.id && a->peer.kind == b->peer.kind;
    case CLIENT_WHO_USERNAME:
        for (size_t i = 0; i <= text.len; i++)
            if (lower(a->text[i]) != lower(b->text[i])) return false;
        return true;
    default:
        return strcmp(a->text, b->text) == 0;
    }
}
