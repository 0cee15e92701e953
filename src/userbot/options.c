/*
 * userbot/options.c - reads the command line and the environment. Every refusal is one line that
 * says what is wrong and what to write instead. Secrets are copied, and blotted out where the list
 * of processes and /proc show them: arguments and environment.
 */
#include "userbot/options_in.h"

#include <errno.h>
#include <gapless/runner.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    {"api-hash", required_argument, NULL, OPT_SECRET + SECRET_API_HASH},
    {"bot-token", required_argument, NULL, OPT_SECRET + SECRET_BOT_TOKEN},
    {"phone", required_argument, NULL, OPT_SECRET + SECRET_PHONE},
    {"code", required_argument, NULL, OPT_SECRET + SECRET_CODE},
    {"password", required_argument, NULL, OPT_SECRET + SECRET_PASSWORD},
    {"first-name", required_argument, NULL, OPT_SECRET + SECRET_FIRST_NAME},
    {"state", required_argument, NULL, OPT_STATE},
    {"session", required_argument, NULL, OPT_SESSION},
    {"out", required_argument, NULL, OPT_OUT},
    {"expect", required_argument, NULL, OPT_EXPECT},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {"journal", required_argument, NULL, OPT_JOURNAL},
    {"concurrency", required_argument, NULL, OPT_CONCURRENCY},
    {"handler-ms", required_argument, NULL, OPT_HANDLER_MS},
    {"drain", required_argument, NULL, OPT_DRAIN},
    {"count", no_argument, NULL, OPT_COUNT},
    {"reply", no_argument, NULL, OPT_REPLY},
    {"outbox", no_argument, NULL, OPT_OUTBOX},
    {"account-rate", required_argument, NULL, OPT_ACCOUNT_RATE},
    {"chat-rate", required_argument, NULL, OPT_CHAT_RATE},
    {"group-rate", required_argument, NULL, OPT_GROUP_RATE},
    {"debounce", required_argument, NULL, OPT_DEBOUNCE},
    {"chat", required_argument, NULL, OPT_CHAT},
    {"long", required_argument, NULL, OPT_LONG},
    {"delete", no_argument, NULL, OPT_DELETE},
    {"strict", no_argument, NULL, OPT_STRICT},
    {"state-of", required_argument, NULL, OPT_STATE_OF},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"json", no_argument, NULL, OPT_JSON},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

static const struct {
    const char *flag;
    const char *variable;
} secret_names[SECRETS] = {
    [SECRET_API_HASH] = {"--api-hash", "GAPLESS_API_HASH"},
    [SECRET_BOT_TOKEN] = {"--bot-token", "GAPLESS_BOT_TOKEN"},
    [SECRET_PHONE] = {"--phone", "GAPLESS_PHONE"},
    [SECRET_CODE] = {"--code", "GAPLESS_CODE"},
    [SECRET_PASSWORD] = {"--password", "GAPLESS_PASSWORD"},
    [SECRET_FIRST_NAME] = {"--first-name", "GAPLESS_FIRST_NAME"},
};

#define API_ID_VARIABLE "GAPLESS_API_ID"

const char *options_flag(enum secret which)
{
    return secret_names[which].flag;
}

const char *options_variable(enum secret which)
{
    return secret_names[which].variable;
}

static void forget(char **secret)
{
    if (*secret != NULL) explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

int options_set_secret(struct options *o, enum secret which, const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL) return GAP_E_NOMEM;
    forget(&o->secrets[which]);
    o->secrets[which] = copy;
    return 0;
}

void options_complain(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)fputs("gapless-userbot: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputs("; --help lists the options\n", stderr);
    va_end(args);
}

bool options_number(const char *name, const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || v < min || v > max) {
        options_complain("--%s takes a whole number from %llu to %llu, not '%s'", name,
                         (unsigned long long)min, (unsigned long long)max, text);
        return false;
    }
    *out = v;
    return true;
}

int32_t options_api_id(const char *text)
{
    char *end;

    errno = 0;
    long v = strtol(text, &end, 10);
    return errno != 0 || end == text || *end != '\0' || v < 1 || v > INT32_MAX ? 0 : (int32_t)v;
}

static bool host_and_port(const char *text, struct options *o)
{
    const char *colon = strrchr(text, ':');
    uint64_t port;

    if (colon == NULL || colon == text || colon[1] == '\0') {
        options_complain("--server takes HOST:PORT, for example 127.0.0.1:4430, not '%s'", text);
        return false;
    }
    if (!options_number("server's port", colon + 1, 1, 65535, &port)) return false;
    const char *start = text;
    size_t len = (size_t)(colon - text);
    if (len > 2 && start[0] == '[' && start[len - 1] == ']') {
        start++;
        len -= 2;
    }
    char *host = strndup(start, len);
    if (host == NULL) {
        options_complain("out of memory");
        return false;
    }
    free((void *)(uintptr_t)o->host);
    o->host = host;
    o->port = (uint16_t)port;
    return true;
}

/* The embedded data centre's, when it only takes notes. */
#define PUBLISH_CHANNELS 4

struct parse {
    struct options o;
    bool embedded;
    bool server;
    bool telegram;
    bool simulation_option; /* --seed and its like */
    bool timeout_given;
    const char *session;
    bool events_given;
    bool channels_given;
    struct options_about about;
};

static bool set_number(struct parse *p, int opt, const char *text)
{
    uint64_t v = 0;
    bool ok = true;

    switch (opt) {
    case OPT_SEED:
        ok = options_number("seed", text, 0, UINT64_MAX, &p->o.seed);
        break;
    case OPT_EVENTS:
        ok = options_number("events", text, 1, 10000000, &p->o.events);
        break;
    case OPT_EXPECT:
        ok = options_number("expect", text, 1, UINT64_MAX, &p->o.expect);
        break;
    case OPT_CHANNELS:
        ok = options_number("channels", text, 0, 1000000, &v);
        p->o.channels = (uint32_t)v;
        break;
    case OPT_DELAY_MS:
        ok = options_number("delay-ms", text, 0, 60000, &v);
        p->o.delay_ms = (int)v;
        break;
    case OPT_DC:
        ok = options_number("dc", text, 1, 9999, &v);
        p->o.dc = (int)v;
        break;
    case OPT_API_ID:
        ok = options_number("api-id", text, 1, INT32_MAX, &v);
        p->o.api_id = (int32_t)v;
        break;
    case OPT_CONCURRENCY:
        ok = options_number("concurrency", text, 1, 1000000, &v);
        p->o.concurrency = (uint32_t)v;
        break;
    case OPT_HANDLER_MS:
        ok = options_number("handler-ms", text, 0, 3600000, &v);
        p->o.handler_ms = (uint32_t)v;
        break;
    case OPT_DRAIN:
        ok = options_number("drain", text, 0, 3600, &v);
        p->o.drain_s = (uint32_t)v;
        break;
    default:
        ok = options_number("timeout", text, 1, 1000000, &v);
        p->o.timeout_s = (uint32_t)v;
        p->timeout_given = true;
        break;
    }
    return ok;
}

/* A secret of the command line: copied, then blotted out. */
static bool set_secret(struct parse *p, enum secret which, char *text)
{
    if (*text == '\0') {
        options_complain("%s is empty", secret_names[which].flag);
        return false;
    }
    if (options_set_secret(&p->o, which, text) < 0) {
        options_complain("out of memory");
        return false;
    }
    if (which != SECRET_FIRST_NAME) memset(text, '*', strlen(text));
    return true;
}

static bool set_text(struct parse *p, int opt, const char *text)
{
    if (*text == '\0') {
        options_complain("a file has a name: an option was given an empty one");
        return false;
    }
    if (opt == OPT_SERVER_KEY) p->o.server_key = text;
    if (opt == OPT_OUT) p->o.out = text;
    if (opt == OPT_STATE) p->o.state = text;
    if (opt == OPT_SESSION) p->session = text;
    return true;
}

static bool set_journal(struct parse *p, const char *text)
{
    static const struct {
        const char *word;
        gap_journal_mode_t mode;
    } modes[] = {
        {"light", GAP_JOURNAL_LIGHT}, {"lazy", GAP_JOURNAL_LAZY}, {"full", GAP_JOURNAL_FULL}};

    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(text, modes[i].word) != 0) continue;
        p->o.journal = (int)modes[i].mode;
        return true;
    }
    options_complain("--journal takes light, lazy or full, not '%s'", text);
    return false;
}

/* How updates are handled: for the job that handles some. */
static bool set_handling(struct parse *p, int opt, const char *text)
{
    static const char *const names[] = {"--journal", "--concurrency", "--handler-ms",
                                        "--drain",   "--count",       "--reply"};

    p->about.handling = names[opt - OPT_JOURNAL];
    switch (opt) {
    case OPT_JOURNAL:
        return set_journal(p, text);
    case OPT_COUNT:
        p->o.count = true;
        return true;
    case OPT_REPLY:
        p->o.reply = true;
        return true;
    default:
        return set_number(p, opt, text);
    }
}

static bool set_option(struct parse *p, int opt, char *text)
{
    if (opt >= OPT_SECRET) return set_secret(p, (enum secret)(opt - OPT_SECRET), text);
    if (opt >= OPT_OUTBOX && opt <= OPT_LIMIT)
        return options_publish_set(&p->o, &p->about, opt, text);
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
    case OPT_OUT:
    case OPT_STATE:
    case OPT_SESSION:
        return set_text(p, opt, text);
    case OPT_SEED:
    case OPT_EVENTS:
    case OPT_CHANNELS:
    case OPT_DELAY_MS:
        p->events_given = p->events_given || opt == OPT_EVENTS;
        p->channels_given = p->channels_given || opt == OPT_CHANNELS;
        p->simulation_option = true;
        return set_number(p, opt, text);
    case OPT_JOURNAL:
    case OPT_CONCURRENCY:
    case OPT_HANDLER_MS:
    case OPT_DRAIN:
    case OPT_COUNT:
    case OPT_REPLY:
        return set_handling(p, opt, text);
    default:
        return set_number(p, opt, text);
    }
}

/* What flags left open comes from the environment. */
static bool read_environment(struct options *o)
{
    bool person = o->secrets[SECRET_PHONE] != NULL;
    bool bot = o->secrets[SECRET_BOT_TOKEN] != NULL;
    const char *id = getenv(API_ID_VARIABLE);

    if (o->api_id == 0 && id != NULL && *id != '\0') {
        o->api_id = options_api_id(id);
        if (o->api_id == 0) {
            options_complain(API_ID_VARIABLE " is not a whole number: '%s'", id);
            return false;
        }
    }
    for (int i = 0; i < SECRETS; i++) {
        char *text = getenv(secret_names[i].variable);
        bool unwanted = (i == SECRET_BOT_TOKEN && person) || (i == SECRET_PHONE && bot);
        if (text == NULL || *text == '\0') continue;
        if (o->secrets[i] == NULL && !unwanted && options_set_secret(o, (enum secret)i, text) < 0) {
            options_complain("out of memory");
            return false;
        }
        if (i != SECRET_FIRST_NAME) memset(text, '*', strlen(text));
    }
    return true;
}

/* A program without a terminal can't ask: what is missing, then, is wrong usage; unless a session
 * may make it unnecessary. */
static bool check_credentials(const struct options *o)
{
    if (o->secrets[SECRET_BOT_TOKEN] != NULL && o->secrets[SECRET_PHONE] != NULL) {
        options_complain("a bot token and a phone number: give one of %s (%s) and %s (%s)",
                         "--bot-token", "GAPLESS_BOT_TOKEN", "--phone", "GAPLESS_PHONE");
        return false;
    }
    if (o->session != NULL || isatty(STDIN_FILENO) != 0) return true;
    if (o->api_id == 0 || o->secrets[SECRET_API_HASH] == NULL) {
        options_complain("--api-id (" API_ID_VARIABLE
                         ") and --api-hash (GAPLESS_API_HASH) are needed: get "
                         "yours at my.telegram.org, 'API development tools'");
        return false;
    }
    if (o->secrets[SECRET_BOT_TOKEN] == NULL && o->secrets[SECRET_PHONE] == NULL) {
        options_complain(
            "--bot-token (GAPLESS_BOT_TOKEN, @BotFather on Telegram gives one) or --phone "
            "(GAPLESS_PHONE) is needed");
        return false;
    }
    return true;
}

static bool check_embedded(const struct parse *p)
{
    const struct options *o = &p->o;
    const char *misplaced = o->expect != 0          ? "--expect"
                            : o->server_key != NULL ? "--server-key"
                            : o->state != NULL      ? "--state"
                            : p->session != NULL    ? "--session"
                                                    : NULL;

    if (o->job == JOB_PUBLISH && (o->state != NULL || p->session != NULL)) {
        options_complain("%s is not for the embedded simulation, whose messages are gone when it "
                         "ends: start gapless-dc and give --server too",
                         o->state != NULL ? "--state" : "--session");
        return false;
    }
    if (o->job != JOB_RUN && o->job != JOB_PUBLISH) {
        options_complain("say where: --telegram, or --server HOST:PORT for a server of your own");
        return false;
    }
    if (misplaced != NULL)
        options_complain("%s is not for the embedded simulation: give --server too", misplaced);
    return misplaced == NULL;
}

/* Where the session is kept. */
static bool set_session(struct parse *p)
{
    struct options *o = &p->o;

    if (p->session == NULL && o->state == NULL) {
        if (o->job == JOB_RUN) return true;
        options_complain("say where the session is kept: --state FILE.db or --session FILE");
        return false;
    }
    int n = p->session != NULL ? asprintf(&o->session, "%s", p->session)
                               : asprintf(&o->session, "%s.session", o->state);
    if (n >= 0) return true;
    o->session = NULL;
    options_complain("out of memory");
    return false;
}

/* No connection, so nothing about one. */
static bool check_outbox(const struct parse *p)
{
    bool connects = p->embedded || p->server || p->telegram || p->simulation_option;

    if (connects || p->session != NULL || p->o.server_key != NULL || p->o.out != NULL) {
        options_complain("outbox looks into a file and connects to nobody: give --state alone");
        return false;
    }
    if (p->o.state == NULL) options_complain("say which outbox: --state FILE.db");
    return p->o.state != NULL;
}

/* Nobody's traffic is in the way of notes, unless it is asked for. */
static void set_embedded(struct parse *p)
{
    struct options *o = &p->o;

    if (!p->timeout_given) o->timeout_s = 120;
    if (o->job != JOB_PUBLISH) return;
    if (!p->events_given) o->events = 0;
    if (!p->channels_given) o->channels = PUBLISH_CHANNELS;
    if (o->publish.chat == NULL) o->publish.chat = "@channel1";
}

static bool check(struct parse *p)
{
    struct options *o = &p->o;

    if (p->embedded + p->server + p->telegram > 1) {
        options_complain("choose one of --embedded, --server and --telegram");
        return false;
    }
    if (o->job != JOB_RUN && p->about.handling != NULL) {
        options_complain("%s is for receiving updates: leave out the first word",
                         p->about.handling);
        return false;
    }
    if (!options_publish_check(o, &p->about)) return false;
    if (o->job == JOB_OUTBOX) return check_outbox(p);
    if (o->count && o->state == NULL) {
        options_complain("--count needs --state FILE.db: that is where it counts");
        return false;
    }
    o->mode = p->server ? MODE_SERVER : p->telegram ? MODE_TELEGRAM : MODE_EMBEDDED;
    if (o->mode != MODE_EMBEDDED && p->simulation_option) {
        options_complain(
            "--seed, --events, --channels and --delay-ms are for the embedded simulation");
        return false;
    }
    if (o->mode == MODE_EMBEDDED && !check_embedded(p)) return false;
    if (o->mode == MODE_SERVER && o->server_key == NULL) {
        options_complain(
            "--server needs --server-key FILE, the server's RSA public key in PEM form");
        return false;
    }
    if (o->mode == MODE_TELEGRAM && o->server_key != NULL) {
        options_complain("--telegram has Telegram's own keys: leave --server-key out");
        return false;
    }
    if (o->mode == MODE_EMBEDDED) {
        set_embedded(p);
        return true;
    }
    if (o->job == JOB_PUBLISH && o->state == NULL) {
        options_complain("publish needs --state FILE.db: that is where it keeps which note is "
                         "which message");
        return false;
    }
    return set_session(p) && read_environment(o) && check_credentials(o);
}

/* The job, if the first word is one; it is taken out of the arguments. */
static bool take_job(int *argc, char **argv, struct options *o)
{
    static const struct {
        const char *word;
        enum userbot_job job;
    } jobs[] = {{"login", JOB_LOGIN},
                {"logout", JOB_LOGOUT},
                {"sessions", JOB_SESSIONS},
                {"publish", JOB_PUBLISH},
                {"outbox", JOB_OUTBOX}};

    if (*argc < 2 || argv[1][0] == '-') return true;
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        if (strcmp(argv[1], jobs[i].word) != 0) continue;
        o->job = jobs[i].job;
        memmove(argv + 1, argv + 2, (size_t)(*argc - 1) * sizeof *argv);
        (*argc)--;
        return true;
    }
    options_complain("there is no job '%s': login, sessions, logout, publish or outbox", argv[1]);
    return false;
}

static void set_defaults(struct options *o)
{
    o->seed = 1;
    o->events = 23000;
    o->channels = 200;
    o->dc = 2;
    o->drain_s = OPTIONS_DRAIN_S;
    o->rows.limit = OPTIONS_ROWS;
    o->journal = (int)GAP_JOURNAL_LAZY;
}

/* A word is what is no option; numbers below zero are ids of chats. */
static bool is_word(const char *text)
{
    return text[0] != '-' || text[1] == '\0' || (text[1] >= '0' && text[1] <= '9');
}

/* Words may stand between options; they end up one behind the other in argv. */
static enum options_result parse_all(struct parse *p, int argc, char **argv)
{
    char **words = argv + 1;
    int count = 0;
    bool only_words = false;

    if (!take_job(&argc, argv, &p->o)) return OPTIONS_WRONG;
    opterr = 0;
    optind = 1;
    while (optind < argc) {
        if (only_words || is_word(argv[optind])) {
            words[count++] = argv[optind++];
            continue;
        }
        int opt = getopt_long(argc, argv, "+:", long_options, NULL);
        only_words = opt == -1; /* behind -- */
        if (opt == -1) continue;
        if (opt == OPT_HELP) {
            for (size_t i = 0; options_help[i] != NULL; i++) (void)fputs(options_help[i], stdout);
            return OPTIONS_HELP;
        }
        if (opt < OPT_EMBEDDED) {
            options_complain(opt == ':' ? "%s needs a value" : "there is no option %s",
                             argv[optind - 1]);
            return OPTIONS_WRONG;
        }
        if (!set_option(p, opt, optarg)) return OPTIONS_WRONG;
    }
    if (!options_publish_words(&p->o, words, count)) return OPTIONS_WRONG;
    return check(p) ? OPTIONS_RUN : OPTIONS_WRONG;
}

enum options_result options_parse(int argc, char **argv, struct options *out)
{
    struct parse p;

    memset(&p, 0, sizeof p);
    memset(out, 0, sizeof *out);
    set_defaults(&p.o);
    enum options_result result = parse_all(&p, argc, argv);
    if (result == OPTIONS_RUN) {
        *out = p.o;
    } else {
        options_fini(&p.o);
    }
    return result;
}

void options_forget(struct options *o)
{
    for (int i = 0; i < SECRETS; i++) forget(&o->secrets[i]);
}

void options_fini(struct options *o)
{
    free((void *)(uintptr_t)o->host);
    o->host = NULL;
    options_forget(o);
    free(o->session);
    o->session = NULL;
}
