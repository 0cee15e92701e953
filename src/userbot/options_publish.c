/*
 * userbot/options_publish.c - the command line of publish, of outbox, and of a run with --outbox.
 */
#include "userbot/options_in.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- rates ---- */

/* Digits up to one of the characters in @p ends; the end itself is one. */
static bool take_number(const char **at, const char *ends, uint64_t max, uint32_t *out)
{
    char *end;

    if (**at < '0' || **at > '9') return false;
    errno = 0;
    unsigned long long v = strtoull(*at, &end, 10);
    if (errno != 0 || v < 1 || v > max || (*end != '\0' && strchr(ends, *end) == NULL))
        return false;
    *out = (uint32_t)v;
    *at = *end == '\0' ? end : end + 1;
    return true;
}

/* CALLS/SECONDS[:BURST]. */
static bool set_rate(const char *name, const char *text, gap_outbox_rate_t *out)
{
    const char *at = text;
    const char *colon = strchr(text, ':');
    gap_outbox_rate_t rate = {0, 0, 0};
    uint32_t seconds = 0;

    bool ok = strchr(text, '/') != NULL && take_number(&at, "/", 1000000, &rate.calls) &&
              take_number(&at, ":", 86400, &seconds);
    if (ok && colon != NULL) ok = take_number(&at, "", 1000000, &rate.burst);
    if (!ok || *at != '\0') {
        options_complain("%s takes CALLS/SECONDS or CALLS/SECONDS:BURST, for example 20/60:3, not "
                         "'%s'",
                         name, text);
        return false;
    }
    rate.per_ms = seconds * 1000;
    *out = rate;
    return true;
}

static bool set_debounce(struct options *o, const char *text)
{
    uint64_t ms = 0;

    if (!options_number("debounce", text, 1, 600000, &ms)) return false;
    o->debounce_us = ms * 1000;
    return true;
}

static bool set_sending(struct options *o, struct options_about *about, int opt, const char *text)
{
    static const char *const names[] = {"--account-rate", "--chat-rate", "--group-rate",
                                        "--debounce"};
    const char *name = names[opt - OPT_ACCOUNT_RATE];

    about->sending = name;
    switch (opt) {
    case OPT_ACCOUNT_RATE:
        return set_rate(name, text, &o->account_rate);
    case OPT_CHAT_RATE:
        return set_rate(name, text, &o->chat_rate);
    case OPT_GROUP_RATE:
        return set_rate(name, text, &o->group_rate);
    default:
        return set_debounce(o, text);
    }
}

/* ---- notes ---- */

static bool set_notes(struct options *o, struct options_about *about, int opt, const char *text)
{
    static const char *const names[] = {"--chat", "--long", "--delete", "--strict"};

    about->notes = names[opt - OPT_CHAT];
    switch (opt) {
    case OPT_CHAT:
        o->publish.chat = text;
        if (*text != '\0') return true;
        options_complain("--chat is empty: give @name, an id or a link");
        return false;
    case OPT_LONG:
        o->publish.refuse_long = strcmp(text, "refuse") == 0;
        if (o->publish.refuse_long || strcmp(text, "split") == 0) return true;
        options_complain("--long takes split or refuse, not '%s'", text);
        return false;
    case OPT_DELETE:
        o->publish.delete_gone = true;
        return true;
    default:
        o->publish.strict = true;
        return true;
    }
}

/* ---- rows ---- */

#define BIT(state) (1U << (state))
#define WAITING                                                                                    \
    (BIT(GAP_OUTBOX_READY) | BIT(GAP_OUTBOX_SNOOZED) | BIT(GAP_OUTBOX_LEASED) |                    \
     BIT(GAP_OUTBOX_UNKNOWN))

static uint32_t states_of(const char *word, size_t len)
{
    static const struct {
        const char *word;
        uint32_t states;
    } words[] = {{"ready", BIT(GAP_OUTBOX_READY)},
                 {"snoozed", BIT(GAP_OUTBOX_SNOOZED)},
                 {"leased", BIT(GAP_OUTBOX_LEASED)},
                 {"unknown", BIT(GAP_OUTBOX_UNKNOWN)},
                 {"sent", BIT(GAP_OUTBOX_SENT)},
                 {"parked", BIT(GAP_OUTBOX_PARKED)},
                 {"dead", BIT(GAP_OUTBOX_DEAD)},
                 {"cancelled", BIT(GAP_OUTBOX_CANCELLED)},
                 {"waiting", WAITING},
                 {"all", UINT32_MAX}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == len && memcmp(words[i].word, word, len) == 0)
            return words[i].states;
    return 0;
}

static bool set_rows(struct options *o, struct options_about *about, int opt, const char *text)
{
    about->rows = opt == OPT_LIMIT ? "--limit" : "--state-of";
    if (opt == OPT_LIMIT) return options_number("limit", text, 0, UINT64_MAX, &o->rows.limit);
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        uint32_t states = states_of(at, len);
        if (states == 0) {
            options_complain("--state-of takes ready, snoozed, leased, unknown, sent, parked, "
                             "dead, cancelled, waiting or all, with commas between them, not '%s'",
                             text);
            return false;
        }
        o->rows.states |= states;
        at += len;
        if (*at == '\0') return true;
    }
}

bool options_publish_set(struct options *o, struct options_about *about, int opt, const char *text)
{
    switch (opt) {
    case OPT_OUTBOX:
        o->outbox = true;
        return true;
    case OPT_ACCOUNT_RATE:
    case OPT_CHAT_RATE:
    case OPT_GROUP_RATE:
    case OPT_DEBOUNCE:
        return set_sending(o, about, opt, text);
    case OPT_CHAT:
    case OPT_LONG:
    case OPT_DELETE:
    case OPT_STRICT:
        return set_notes(o, about, opt, text);
    default:
        return set_rows(o, about, opt, text);
    }
}

/* ---- words ---- */

static bool outbox_words(struct options *o, char **words, int count)
{
    static const struct {
        const char *word;
        enum outbox_verb verb;
        int min;
        int max;
        const char *usage;
    } verbs[] = {{"list", OUTBOX_LIST, 0, 0, "list"},
                 {"show", OUTBOX_SHOW, 1, 1, "show ROW"},
                 {"retry", OUTBOX_RETRY, 1, INT32_MAX, "retry ROW..."},
                 {"cancel", OUTBOX_CANCEL, 1, INT32_MAX, "cancel ROW..."},
                 {"release", OUTBOX_RELEASE, 0, 1, "release [CHAT]"},
                 {"add", OUTBOX_ADD, 2, 2, "add CHAT TEXT"}};
    const char *word = count > 0 ? words[0] : "list";

    o->rows.words = words + 1;
    o->rows.count = count > 0 ? count - 1 : 0;
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        if (strcmp(word, verbs[i].word) != 0) continue;
        o->rows.verb = verbs[i].verb;
        if (o->rows.count >= verbs[i].min && o->rows.count <= verbs[i].max) return true;
        options_complain("it is: gapless-userbot outbox --state FILE.db %s", verbs[i].usage);
        return false;
    }
    options_complain("outbox knows list, show, retry, cancel, release and add, not '%s'", word);
    return false;
}

bool options_publish_words(struct options *o, char **words, int count)
{
    if (o->job == JOB_OUTBOX) return outbox_words(o, words, count);
    if (o->job == JOB_PUBLISH) {
        o->publish.dir = count == 1 ? words[0] : NULL;
        if (count != 1) options_complain("publish takes one folder of notes");
        return count == 1;
    }
    if (count > 0) options_complain("'%s' is not an option", words[0]);
    return count == 0;
}

bool options_publish_check(const struct options *o, const struct options_about *about)
{
    const char *misplaced = NULL;
    const char *where = "";

    if (o->job != JOB_PUBLISH && about->notes != NULL) {
        misplaced = about->notes;
        where = "gapless-userbot publish DIR";
    } else if (o->job != JOB_OUTBOX && about->rows != NULL) {
        misplaced = about->rows;
        where = "gapless-userbot outbox";
    } else if (o->job != JOB_PUBLISH && !o->outbox && about->sending != NULL) {
        misplaced = about->sending;
        where = "publish, or a run with --outbox";
    } else if (o->job != JOB_RUN && o->outbox) {
        misplaced = "--outbox";
        where = "receiving updates: leave out the first word";
    } else if (o->job == JOB_PUBLISH && o->expect != 0) {
        misplaced = "--expect";
        where = "receiving updates: leave out the first word";
    }
    if (misplaced != NULL) {
        options_complain("%s is for %s", misplaced, where);
        return false;
    }
    if (o->outbox && o->state == NULL)
        options_complain("--outbox needs --state FILE.db: that is where the outbox is");
    return !o->outbox || o->state != NULL;
}
