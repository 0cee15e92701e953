/*
 * userbot/options.c - reads the command line. Every refusal is one line that says what is wrong
 * and what to write instead.
 */
#include "userbot/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPT_EMBEDDED = 256,
    OPT_SEED,
    OPT_EVENTS,
    OPT_CHANNELS,
    OPT_DELAY_MS,
    OPT_SERVER,
    OPT_DC,
    OPT_SERVER_KEY,
    OPT_TELEGRAM,
    OPT_API_ID,
    OPT_API_HASH,
    OPT_BOT_TOKEN,
    OPT_OUT,
    OPT_EXPECT,
    OPT_TIMEOUT,
    OPT_JSON,
    OPT_HELP
};

static const struct option long_options[] = {
    {"embedded", no_argument, NULL, OPT_EMBEDDED},
    {"seed", required_argument, NULL, OPT_SEED},
    {"events", required_argument, NULL, OPT_EVENTS},
    {"channels", required_argument, NULL, OPT_CHANNELS},
    {"delay-ms", required_argument, NULL, OPT_DELAY_MS},
    {"server", required_argument, NULL, OPT_SERVER},
    {"dc", required_argument, NULL, OPT_DC},
    {"server-key", required_argument, NULL, OPT_SERVER_KEY},
    {"telegram", no_argument, NULL, OPT_TELEGRAM},
    {"api-id", required_argument, NULL, OPT_API_ID},
    {"api-hash", required_argument, NULL, OPT_API_HASH},
    {"bot-token", required_argument, NULL, OPT_BOT_TOKEN},
    {"out", required_argument, NULL, OPT_OUT},
    {"expect", required_argument, NULL, OPT_EXPECT},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] =
    "Usage: gapless-userbot [OPTION]...\n"
    "Receive an account's updates, complete, in order and once, and answer /ping with pong.\n"
    "\n"
    "Without --server or --telegram it starts a simulated data centre of its own, with lost,\n"
    "repeated and reordered updates, and ends with a verdict against the server's ledger.\n"
    "  --embedded            the same, said aloud\n"
    "  --seed N              seed of the simulated traffic (default 1)\n"
    "  --events N            events to receive (default 23000)\n"
    "  --channels N          channels in the simulated world (default 200)\n"
    "  --delay-ms N          delay of every simulated push (default 0)\n"
    "A server of your own:\n"
    "  --server HOST:PORT    connect there (needs --server-key, --api-id, --api-hash, "
    "--bot-token)\n"
    "  --dc N                its data centre number (default 2)\n"
    "  --server-key FILE     its RSA public key, PEM\n"
    "Telegram itself:\n"
    "  --telegram            connect to Telegram (needs --api-id, --api-hash, --bot-token)\n"
    "Credentials:\n"
    "  --api-id N, --api-hash H   from my.telegram.org, 'API development tools'\n"
    "  --bot-token T              from @BotFather\n"
    "Output:\n"
    "  --out FILE            one JSON line for every delivered update ('-' for standard output)\n"
    "  --expect N            end with success once N updates were delivered\n"
    "  --timeout S           give up after S seconds (default 120 embedded, none otherwise)\n"
    "  --json                print the end result as JSON\n"
    "  --help                this text\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 expectation or verdict not met.\n";

static void complain(const char *format, ...) GAP_PRINTF(1, 2);

static void complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("gapless-userbot: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputs("; --help lists the options\n", stderr);
    va_end(args);
}

static bool number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || v < min || v > max) {
        complain("--%s takes a whole number from %llu to %llu, not '%s'", name,
                 (unsigned long long)min, (unsigned long long)max, text);
        return false;
    }
    *out = v;
    return true;
}

static bool host_and_port(const char *text, struct options *o)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;

    if (colon == NULL || colon == text || colon[1] == '\0') {
        complain("--server takes HOST:PORT, for example 127.0.0.1:4430, not '%s'", text);
        return false;
    }
    if (!number("server's port", colon + 1, 1, 65535, &port)) return false;
    const char *start = text;
    size_t len = (size_t)(colon - text);
    if (len > 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    char *host = strndup(start, len);
    if (host == NULL) {
        complain("out of memory");
        return false;
    }
    free((void *)(uintptr_t)o->host);
    o->host = host;
    o->port = (uint16_t)port;
    return true;
}

struct parse {
    struct options o;
    bool embedded;
    bool server;
    bool telegram;
    bool simulation_option; /* --seed and its like */
    bool timeout_given;
};

static bool set_number(struct parse *p, int opt, const char *text)
{
    uint64_t v = 0;
    bool ok = true;

    switch (opt) {
    case OPT_SEED:
        ok = number("seed", text, 0, UINT64_MAX, &p->o.seed);
        break;
    case OPT_EVENTS:
        ok = number("events", text, 1, 10000000, &p->o.events);
        break;
    case OPT_EXPECT:
        ok = number("expect", text, 1, UINT64_MAX, &p->o.expect);
        break;
    case OPT_CHANNELS:
        ok = number("channels", text, 0, 1000000, &v);
        p->o.channels = (uint32_t)v;
        break;
    case OPT_DELAY_MS:
        ok = number("delay-ms", text, 0, 60000, &v);
        p->o.delay_ms = (int)v;
        break;
    case OPT_DC:
        ok = number("dc", text, 1, 9999, &v);
        p->o.dc = (int)v;
        break;
    case OPT_API_ID:
        ok = number("api-id", text, 1, INT32_MAX, &v);
        p->o.api_id = (int32_t)v;
        break;
    default:
        ok = number("timeout", text, 1, 1000000, &v);
        p->o.timeout_s = (uint32_t)v;
        p->timeout_given = true;
        break;
    }
    return ok;
}

static bool set_option(struct parse *p, int opt, const char *text)
{
    switch (opt) {
    case OPT_EMBEDDED:
        p->embedded = true;
        return true;
    case OPT_TELEGRAM:
        p->telegram = true;
        return true;
    case OPT_JSON:
        p->o.json = true;
        return true;
    case OPT_SERVER:
        p->server = true;
        return host_and_port(text, &p->o);
    case OPT_SERVER_KEY:
        p->o.server_key = text;
        return true;
    case OPT_API_HASH:
        p->o.api_hash = text;
        return true;
    case OPT_BOT_TOKEN:
        p->o.bot_token = text;
        return true;
    case OPT_OUT:
        p->o.out = text;
        return true;
    case OPT_SEED:
    case OPT_EVENTS:
    case OPT_CHANNELS:
    case OPT_DELAY_MS:
        p->simulation_option = true;
        return set_number(p, opt, text);
    default:
        return set_number(p, opt, text);
    }
}

static bool check_credentials(const struct options *o)
{
    if (o->api_id == 0 || o->api_hash == NULL) {
        complain("--api-id and --api-hash are needed: get yours at my.telegram.org, "
                 "'API development tools'");
        return false;
    }
    if (o->bot_token == NULL) {
        complain("--bot-token is needed: @BotFather on Telegram gives one");
        return false;
    }
    return true;
}

static bool check(struct parse *p)
{
    struct options *o = &p->o;

    if (p->embedded + p->server + p->telegram > 1) {
        complain("choose one of --embedded, --server and --telegram");
        return false;
    }
    o->mode = p->server ? MODE_SERVER : p->telegram ? MODE_TELEGRAM : MODE_EMBEDDED;
    if (o->mode != MODE_EMBEDDED && p->simulation_option) {
        complain("--seed, --events, --channels and --delay-ms are for the embedded simulation");
        return false;
    }
    if (o->mode == MODE_EMBEDDED && (o->server_key != NULL || o->expect != 0)) {
        complain("%s is not for the embedded simulation: give --server too",
                 o->expect != 0 ? "--expect" : "--server-key");
        return false;
    }
    if (o->mode == MODE_SERVER && o->server_key == NULL) {
        complain("--server needs --server-key FILE, the server's RSA public key in PEM form");
        return false;
    }
    if (o->mode == MODE_TELEGRAM && o->server_key != NULL) {
        complain("--telegram has Telegram's own keys: leave --server-key out");
        return false;
    }
    if (o->mode == MODE_EMBEDDED && !p->timeout_given) o->timeout_s = 120;
    return true;
}

enum options_result options_parse(int argc, char **argv, struct options *out)
{
    struct parse p;
    int opt;

    memset(&p, 0, sizeof p);
    memset(out, 0, sizeof *out);
    p.o.seed = 1;
    p.o.events = 23000;
    p.o.channels = 200;
    p.o.dc = 2;
    opterr = 0;
    optind = 1;
    while ((opt = getopt_long(argc, argv, ":", long_options, NULL)) != -1) {
        if (opt == OPT_HELP) {
            (void)fputs(help_text, stdout);
            options_fini(&p.o);
            return OPTIONS_HELP;
        }
        bool known = opt >= OPT_EMBEDDED;
        if (!known) {
            complain(opt == ':' ? "%s needs a value" : "there is no option %s", argv[optind - 1]);
        }
        if (!known || !set_option(&p, opt, optarg)) {
            options_fini(&p.o);
            return OPTIONS_WRONG;
        }
    }
    if (optind < argc) complain("'%s' is not an option", argv[optind]);
    if (optind < argc || !check(&p) || (p.o.mode != MODE_EMBEDDED && !check_credentials(&p.o))) {
        options_fini(&p.o);
        return OPTIONS_WRONG;
    }
    *out = p.o;
    return OPTIONS_RUN;
}

void options_fini(struct options *o)
{
    free((void *)(uintptr_t)o->host);
    o->host = NULL;
}
