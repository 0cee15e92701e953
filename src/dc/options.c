/*
 * dc/options.c - the command line of gapless-dc: one table of options from which both the parser
 * and --help are made. Owns nothing; never prints.
 */
#include "dc/options.h"

#include "base/bytes.h"

#include <errno.h>
#include <gapless/tl.h>
#include <stdio.h>
#include <stdlib.h>

enum kind {
    ADDRESS,
    TEXT,
    WORDS,
    NUMBER,
    SEED,
    CHANCE,
    KINDS,
    SECRET,
    PEER,
    SWITCH,
    SLOW,
    ROLE,
    FLOOD,
    DROP,
    LOSE,
    REFUSE,
    WINDOW
};

struct option {
    const char *name;
    const char *argument;
    enum kind kind;
    size_t offset; /* of the value in gap_dc_cli_t */
    uint32_t min;  /* NUMBER */
    uint32_t max;
    const char *what;
};

#define IN_DC(member)  (offsetof(gap_dc_cli_t, dc) + offsetof(gap_dc_options_t, member))
#define IN_CLI(member) offsetof(gap_dc_cli_t, member)

#define EVENTS_DEFAULT   1000U
#define CHANNELS_DEFAULT 20U

static const struct option options[] = {
    {"--listen", "ADDRESS:PORT", ADDRESS, IN_DC(listen), 0, 0,
     "where to listen; port 0 takes a free one"},
    {"--dc", "N", NUMBER, IN_DC(dc), 1, GAP_DC_ID_MAX, "id of this data centre"},
    {"--peer-dc", "ID=ADDRESS:PORT", PEER, IN_DC(peers), 0, 0,
     "another data centre, ID=ADDRESS:PORT,media for files only; may be repeated"},
    {"--peer-dc-file", "FILE", TEXT, IN_CLI(peer_file), 0, 0,
     "the same from a file, one a line, to which this one adds itself"},
    {"--peer-secret", "TEXT", WORDS, IN_DC(peer_secret), 0, 0,
     "what data centres that trust each other's exported authorizations share"},
    {"--bots-dc", "ID", NUMBER, IN_DC(bots_dc), 0, GAP_DC_ID_MAX,
     "the data centre where bots live; 0: this one"},
    {"--key", "FILE.pem", TEXT, IN_CLI(key), 0, 0,
     "RSA private key of 2048 bits; a new one is made without it"},
    {"--pubkey-out", "FILE.pem", TEXT, IN_CLI(pubkey_out), 0, 0,
     "write the public key here, for clients"},
    {"--ledger", "FILE", TEXT, IN_CLI(ledger), 0, 0,
     "write what happens here, one line of JSON each"},
    {"--seed", "N", SEED, IN_DC(seed), 0, 0, "the same seed gives the same events and fates"},
    {"--channels", "N", NUMBER, IN_DC(world.channels), 0, 1000000,
     "channels and supergroups: @channel1 and so on"},
    {"--users", "N", NUMBER, IN_DC(world.users), 1, 1000000, "invented users: @user1 and so on"},
    {"--events", "N", NUMBER, IN_DC(traffic.events), 0, 100000000, "events of the traffic"},
    {"--rate", "PER_SECOND", NUMBER, IN_DC(rate), 0, 100000000,
     "events a second; 0: as fast as clients read"},
    {"--kinds", "LIST", KINDS, IN_DC(traffic.kinds), 0, 0, "kinds of traffic, separated by commas"},
    {"--reorder", "P", CHANCE, IN_DC(reorder), 0, 0, "chance of a push to come late"},
    {"--reorder-ms", "N", NUMBER, IN_DC(reorder_ms), 0, 3600000, "by at most so much"},
    {"--loss", "P", CHANCE, IN_DC(loss), 0, 0, "chance of a push to be dropped"},
    {"--duplicate", "P", CHANCE, IN_DC(duplicate), 0, 0, "chance of a push to be doubled"},
    {"--delay-ms", "N", NUMBER, IN_DC(delay_ms), 0, 3600000,
     "answers and pushes take so much longer"},
    {"--rpc-error", "P", CHANCE, IN_DC(rpc_error), 0, 0,
     "chance of a signed-in call to get 500 RPC_CALL_FAIL"},
    {"--flood", "P", CHANCE, IN_DC(flood), 0, 0,
     "chance of a signed-in call to get 420 FLOOD_WAIT_1"},
    {"--refuse", "RULE", REFUSE, IN_CLI(dc), 0, 0,
     "METHODS:P:CODE:TEXT, chance of a signed-in call of these to get this error; may be repeated"},
    {"--drop-answer", "P[:METHODS]", DROP, IN_CLI(dc), 0, 0,
     "chance of a signed-in call (of METHODS) to be carried out and never answered"},
    {"--lose-session", "P[:METHODS]", LOSE, IN_CLI(dc), 0, 0,
     "chance of it to be carried out, then its connection ends and its session is forgotten"},
    {"--answer-ms", "N", NUMBER, IN_DC(answer_ms), 0, 3600000,
     "answers take longer, each by at most so much; pushes overtake them"},
    {"--slow-mode", "S[:N]", SLOW, IN_CLI(dc), 0, 0,
     "slow mode of supergroup N, or of all: S seconds between messages of who is no admin"},
    {"--role", "ROLE[:N]", ROLE, IN_CLI(dc), 0, 0,
     "what accounts are in channel N, or in all: admin (so without slow mode), member, reader"},
    {"--flood-rule", "RULE", FLOOD, IN_CLI(dc), 0, 0,
     "METHODS:SCOPE:LIMIT/SECONDS[:WAIT|:peer-flood], see --script-help; may be repeated"},
    {"--edit-window", "S", WINDOW, IN_CLI(dc), 0, 2000000000,
     "messages can be edited for so long, by anybody; without it 48 h, by persons"},
    {"--disconnect", "P", CHANCE, IN_DC(disconnect), 0, 0,
     "chance per second of a connection to be dropped"},
    {"--slice", "N", NUMBER, IN_DC(world.slice), 1, 1000000, "events in one difference"},
    {"--min", "P", CHANCE, IN_CLI(min), 0, 0,
     "chance of a user or channel in a push to be a min one"},
    {"--short", "P", CHANCE, IN_CLI(shorts), 0, 0,
     "chance of a text in a private chat or group to be pushed in a short form"},
    {"--gzip", "P", CHANCE, IN_DC(gzip), 0, 0, "chance of a push to be packed"},
    {"--text-length", "N", NUMBER, IN_CLI(text_length), 0, DC_TEXT_CHARS_MAX,
     "characters of invented texts; 0: 20 to 120"},
    {"--await-clients", "N", NUMBER, IN_DC(await_clients), 1, 1000000,
     "accounts that must be ready before traffic starts"},
    {"--secret", "HEX32", SECRET, IN_CLI(dc), 0, 0,
     "let clients in that use this secret as with a proxy"},
    {"--password", "TEXT", TEXT, IN_DC(password), 0, 0,
     "two-step password of every person who has an account"},
    {"--code-expires", "S", NUMBER, IN_DC(code_expires_s), 1, 86400, "a code is good for so long"},
    {"--code-timeout", "S", NUMBER, IN_DC(code_timeout_s), 0, 86400,
     "before a code may be sent in another way"},
    {"--script", "FILE", TEXT, IN_CLI(script), 0, 0, "play this sequence instead of traffic"},
    {"--until-eof", NULL, SWITCH, IN_CLI(until_eof), 0, 0,
     "end when the standard input, a pipe, ends: with who started this"},
    {"--script-help", NULL, SWITCH, IN_CLI(script_help), 0, 0, "print what a script may say"},
    {"--help", NULL, SWITCH, IN_CLI(help), 0, 0, "print this"},
};

static void set_defaults(gap_dc_cli_t *cli)
{
    memset(cli, 0, sizeof *cli);
    gap_dc_options_init(&cli->dc);
    cli->dc.seed = 1;
    cli->dc.traffic.events = EVENTS_DEFAULT;
    cli->dc.world.channels = CHANNELS_DEFAULT;
}

static const struct option *find(const char *name)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(options); i++)
        if (strcmp(options[i].name, name) == 0) return &options[i];
    return NULL;
}

static bool read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;

    if (text[0] < '0' || text[0] > '9') return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || n < min || n > max) return false;
    *out = n;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static bool read_secret(const char *text, gap_dc_options_t *o)
{
    if (strlen(text) != 2 * sizeof o->secret) return false;
    for (size_t i = 0; i < sizeof o->secret; i++) {
        int high = hex_digit(text[2 * i]);
        int low = hex_digit(text[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        o->secret[i] = (uint8_t)(high << 4 | low);
    }
    o->has_secret = true;
    return true;
}

/* @return NULL, or what is expected instead. */
static const char *store_peer(const char *value, gap_dc_cli_t *cli)
{
    gap_dc_peer_t peer;

    if (gap_dc_peer_parse(gap_bytes(value, strlen(value)), &peer) < 0)
        return "an id and a numeric address like 4=127.0.0.1:4431 or 4=[::1]:4431,media";
    if (gap_dc_peers_add(&cli->dc.peers, &peer) < 0) return "fewer of them, there is room for 64";
    return NULL;
}

/* [:N] after a word of a setting for channels. @return NULL, or what is expected instead. */
static const char *store_house(const char *at, const dc_house_rule_t *rule, gap_dc_options_t *o)
{
    uint64_t channel = 0;

    if (*at != '\0' && (*at != ':' || !read_number(at + 1, 1, 1000000, &channel)))
        return "a channel's number behind a colon, or nothing for all";
    if (o->world.house_count == DC_HOUSE_RULES_MAX) return "fewer of them, there is room for 32";
    o->world.houses[o->world.house_count] = *rule;
    o->world.houses[o->world.house_count++].channel = (uint32_t)channel;
    return NULL;
}

static const char *store_slow(const char *value, gap_dc_options_t *o)
{
    dc_house_rule_t rule = {0, 0, DC_ROLE_UNSET, false};
    char seconds[16];
    size_t len = strcspn(value, ":");
    uint64_t n;

    (void)snprintf(seconds, sizeof seconds, "%.*s", (int)(len < 15 ? len : 15), value);
    if (!read_number(seconds, 1, 86400, &n)) return "seconds from 1 to 86400, as in 10 or 10:3";
    rule.slow_s = (uint32_t)n;
    return store_house(value + len, &rule, o);
}

static const char *store_role(const char *value, gap_dc_options_t *o)
{
    static const char *const names[] = {"admin", "member", "reader"};
    size_t len = strcspn(value, ":");

    for (unsigned i = 0; i < GAP_ARRAY_LEN(names); i++) {
        dc_house_rule_t rule = {0, 0, (dc_role_t)(DC_ROLE_ADMIN + i), true};
        if (strlen(names[i]) == len && memcmp(names[i], value, len) == 0)
            return store_house(value + len, &rule, o);
    }
    return "admin, member or reader, as in member or member:3";
}

static const char *store_flood(const char *value, gap_dc_options_t *o)
{
    dc_flood_rule_t rule;
    const char *expected;

    if (dc_flood_rule_parse(gap_bytes(value, strlen(value)), &rule, &expected) < 0) return expected;
    if (o->world.flood_count == DC_FLOOD_RULES_MAX) return "fewer of them, there is room for 16";
    o->world.floods[o->world.flood_count++] = rule;
    return NULL;
}

/* A probability, and of which methods' answers it is. */
static const char *store_fate(const char *value, double *chance, gap_dc_methods_t *methods)
{
    size_t len = strcspn(value, ":");
    const char *names = value + len + (value[len] == ':' ? 1 : 0);

    if (gap_dc_chance_parse(gap_bytes(value, len), chance) < 0) return "a probability from 0 to 1";
    methods->count = 0;
    if (value[len] == '\0' || gap_dc_methods_parse(gap_str(names), methods) == 0) return NULL;
    return "up to 8 methods behind the colon, like messages.sendMessage+messages.editMessage";
}

static const char *store_refusal(const char *value, gap_dc_options_t *o)
{
    gap_dc_refusal_t rule;
    const char *expected;

    if (gap_dc_refusal_parse(gap_str(value), &rule, &expected) < 0) return expected;
    if (o->refusal_count == GAP_DC_REFUSALS_MAX) return "fewer of them, there is room for 8";
    o->refusals[o->refusal_count++] = rule;
    return NULL;
}

static const char *store_window(const char *value, gap_dc_options_t *o)
{
    uint64_t n;

    if (!read_number(value, 1, 2000000000, &n)) return "seconds, at least 1";
    o->world.edit_window_s = (uint32_t)n;
    o->world.edit_window_all = true;
    return NULL;
}

/* Store a value. @return NULL, or what is expected instead. */
static const char *store(const struct option *o, const char *value, gap_dc_cli_t *cli, char *hint,
                         size_t hint_cap)
{
    uint8_t *at = (uint8_t *)cli + o->offset;
    uint64_t n;
    double p;
    uint32_t narrow;
    bool ok = true;

    switch (o->kind) {
    case ADDRESS: {
        gap_addr_t addr;
        if (gap_addr_parse(value, &addr) < 0) return "a numeric address like 127.0.0.1:0";
        memcpy(at, &addr, sizeof addr);
        return NULL;
    }
    case TEXT:
        memcpy(at, &value, sizeof value);
        return value[0] == '\0' ? "a file name" : NULL;
    case WORDS:
        memcpy(at, &value, sizeof value);
        return value[0] == '\0' ? "a text" : NULL;
    case PEER:
        return store_peer(value, cli);
    case SLOW:
        return store_slow(value, &cli->dc);
    case ROLE:
        return store_role(value, &cli->dc);
    case FLOOD:
        return store_flood(value, &cli->dc);
    case DROP:
        return store_fate(value, &cli->dc.drop_answer, &cli->dc.drop_methods);
    case LOSE:
        return store_fate(value, &cli->dc.lose_session, &cli->dc.lose_methods);
    case REFUSE:
        return store_refusal(value, &cli->dc);
    case WINDOW:
        return store_window(value, &cli->dc);
    case SEED:
        if (!read_number(value, 0, UINT64_MAX, &n)) return "a whole number of at most 64 bits";
        memcpy(at, &n, sizeof n);
        return NULL;
    case CHANCE:
        if (gap_dc_chance_parse(gap_str(value), &p) < 0) return "a probability from 0 to 1";
        memcpy(at, &p, sizeof p);
        return NULL;
    case SECRET:
        return read_secret(value, &cli->dc) ? NULL : "32 hexadecimal digits";
    case KINDS:
        if (dc_kinds_parse(value, &narrow) < 0)
            return "a list of new_message, edit_message, delete_messages, pin, read, qts, "
                   "callback_query, status";
        break;
    default:
        ok = read_number(value, o->min, o->max, &n);
        narrow = ok ? (uint32_t)n : 0;
        break;
    }
    if (!ok) {
        (void)snprintf(hint, hint_cap, "a number from %u to %u", (unsigned)o->min,
                       (unsigned)o->max);
        return hint;
    }
    memcpy(at, &narrow, sizeof narrow);
    return NULL;
}

/* What only shows when all options are read. */
static int check_peers(const gap_dc_cli_t *cli, char *error, size_t cap)
{
    const gap_dc_options_t *o = &cli->dc;
    bool is_known = o->bots_dc == 0 || o->bots_dc == o->dc || cli->peer_file != NULL ||
                    gap_dc_peers_has(&o->peers, o->bots_dc);

    if (cli->peer_file != NULL && gap_dc_peer_is_anywhere(&o->listen)) {
        (void)snprintf(
            error, cap,
            "--peer-dc-file: clients can't be sent to every address: --listen on the one "
            "that they can reach");
        return GAP_E_ARGUMENT;
    }
    if (gap_dc_peers_has(&o->peers, o->dc)) {
        (void)snprintf(error, cap,
                       "--peer-dc: %d is this data centre itself: give it another id with --dc, or "
                       "add ,media to the address",
                       (int)o->dc);
        return GAP_E_ARGUMENT;
    }
    if (is_known) return 0;
    (void)snprintf(error, cap, "--bots-dc: nobody could find %d: add --peer-dc %d=ADDRESS:PORT",
                   (int)o->bots_dc, (int)o->bots_dc);
    return GAP_E_ARGUMENT;
}

static int check_houses(const dc_options_t *o, char *error, size_t cap)
{
    for (uint32_t i = 0; i < o->house_count; i++) {
        const dc_house_rule_t *rule = &o->houses[i];
        const char *name = rule->is_role ? "--role" : "--slow-mode";
        if (rule->channel > o->channels) {
            (void)snprintf(error, cap, "%s: there is no channel %u: raise --channels, now %u", name,
                           (unsigned)rule->channel, (unsigned)o->channels);
            return GAP_E_ARGUMENT;
        }
        if (!rule->is_role && rule->channel != 0 && dc_is_broadcast(rule->channel - 1)) {
            (void)snprintf(error, cap, "%s: channel %u is a broadcast: name a supergroup", name,
                           (unsigned)rule->channel);
            return GAP_E_ARGUMENT;
        }
    }
    return 0;
}

int gap_dc_cli_parse(int argc, char **argv, gap_dc_cli_t *out, char *error, size_t error_cap)
{
    static const bool yes = true;
    char name[64];
    char hint[64];

    set_defaults(out);
    for (int i = 1; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        size_t len = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        (void)snprintf(name, sizeof name, "%.*s", (int)(len < 60 ? len : 60), argv[i]);
        const struct option *o = find(name);
        if (o == NULL) {
            (void)snprintf(error, error_cap, "unknown option '%s': see gapless-dc --help", name);
            return GAP_E_ARGUMENT;
        }
        if (o->kind == SWITCH) {
            memcpy((uint8_t *)out + o->offset, &yes, sizeof yes);
            continue;
        }
        const char *value = equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (value == NULL) {
            (void)snprintf(error, error_cap, "%s needs a value: %s %s", name, name, o->argument);
            return GAP_E_ARGUMENT;
        }
        const char *expected = store(o, value, out, hint, sizeof hint);
        if (expected != NULL) {
            (void)snprintf(error, error_cap, "%s: '%.64s' will not do: give %s", name, value,
                           expected);
            return GAP_E_ARGUMENT;
        }
    }
    out->dc.world.seed = out->dc.seed;
    out->dc.traffic.seed = out->dc.seed;
    out->dc.world.channel_slice = out->dc.world.slice;
    out->dc.world.min_percent = (uint32_t)(out->min * 100.0 + 0.5);
    out->dc.world.short_percent = (uint32_t)(out->shorts * 100.0 + 0.5);
    if (out->text_length > 0) out->dc.world.text_min = out->dc.world.text_max = out->text_length;
    int r = check_houses(&out->dc.world, error, error_cap);
    return r < 0 ? r : check_peers(out, error, error_cap);
}

/* --- help ---------------------------------------------------------------------------------- */

static void show_default(const struct option *o, const gap_dc_cli_t *cli, char *out, size_t cap)
{
    const uint8_t *at = (const uint8_t *)cli + o->offset;
    uint64_t seed;
    uint32_t number;
    const char *words;
    double p;

    switch (o->kind) {
    case ADDRESS:
        (void)snprintf(out, cap, "127.0.0.1:0");
        break;
    case SEED:
        memcpy(&seed, at, sizeof seed);
        (void)snprintf(out, cap, "%llu", (unsigned long long)seed);
        break;
    case WORDS:
        memcpy(&words, at, sizeof words);
        (void)snprintf(out, cap, "%s", words);
        break;
    case CHANCE:
        memcpy(&p, at, sizeof p);
        (void)snprintf(out, cap, "%g", p);
        break;
    case KINDS:
        (void)snprintf(out, cap, "all");
        break;
    case NUMBER:
        memcpy(&number, at, sizeof number);
        (void)snprintf(out, cap, "%u", (unsigned)number);
        break;
    default:
        (void)snprintf(out, cap, "none");
        break;
    }
}

static void add(char *out, size_t cap, size_t *len, const char *text)
{
    for (; *text != '\0'; text++, (*len)++)
        if (*len + 1 < cap) out[*len] = *text;
    if (cap > 0) out[*len < cap ? *len : cap - 1] = '\0';
}

int gap_dc_cli_help(char *out, size_t cap)
{
    gap_dc_cli_t cli;
    char left[64];
    char value[64];
    char line[256];
    size_t len = 0;

    set_defaults(&cli);
    add(out, cap, &len,
        "gapless-dc: a simulated Telegram data centre that speaks MTProto 2.0.\n"
        "Any bot token ID:SECRET signs in as bot ID. A person signs in with a phone number\n"
        "99966XYYYY and the code XXXXX: number 9996621234 has the code 22222. X is the data\n"
        "centre where the account lives, unless there is none of that number. If YYYY begins with\n"
        "a 9 there is no account yet: it signs up first.\n"
        "Prints a line of JSON when it listens, one when all traffic is out, and serves until\n"
        "SIGTERM or SIGINT.\n\n");
    for (size_t i = 0; i < GAP_ARRAY_LEN(options); i++) {
        const struct option *o = &options[i];
        (void)snprintf(left, sizeof left, "%s%s%s", o->name, o->argument == NULL ? "" : " ",
                       o->argument == NULL ? "" : o->argument);
        if (o->kind == SWITCH) {
            (void)snprintf(line, sizeof line, "  %-24s %s\n", left, o->what);
        } else {
            show_default(o, &cli, value, sizeof value);
            (void)snprintf(line, sizeof line, "  %-24s %s (default %s)\n", left, o->what, value);
        }
        add(out, cap, &len, line);
    }
    add(out, cap, &len,
        "\nSeveral data centres: start each with its own --dc and the same --peer-dc-file. Each "
        "adds\n"
        "its address when it listens and reads the others' when a client asks, or on SIGHUP. Or\n"
        "choose the ports and give them by --peer-dc: that may name one that does not run yet.\n"
        "A person lives in data centre X if that is known, else in the one that is asked.\n"
        "\nMETHODS: one or several joined by +, or *, as in "
        "messages.sendMessage+messages.editMessage.\n"
        "\nKinds: new_message, edit_message, delete_messages, pin, read, qts, callback_query, "
        "status.\nFaults touch the traffic's pushes only; the last push of every sequence is "
        "clean, and so is\nthe first of every channel.\n"
        "Exit status: 0 ended by a signal, 1 failed, 2 wrong usage, 3 a script expected\n"
        "something that did not come.\n");
    return (int)len;
}
