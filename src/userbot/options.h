/*
 * userbot/options.h - the command line and the environment of gapless-userbot.
 */
#ifndef GAP_USERBOT_OPTIONS_H
#define GAP_USERBOT_OPTIONS_H

#include <gapless/base.h>

/** Default of --drain. */
#define OPTIONS_DRAIN_S 10

enum userbot_mode { MODE_EMBEDDED, MODE_SERVER, MODE_TELEGRAM };

/** What to do; the first word of the command line. */
enum userbot_job { JOB_RUN, JOB_LOGIN, JOB_LOGOUT, JOB_SESSIONS };

/** What a sign-in may need. Copies: the command line's and the environment's
 * own are blotted out. */
enum secret {
    SECRET_API_HASH,
    SECRET_BOT_TOKEN,
    SECRET_PHONE,
    SECRET_CODE,
    SECRET_PASSWORD,
    SECRET_FIRST_NAME,
    SECRETS
};

struct options {
    enum userbot_mode mode;
    enum userbot_job job;
    uint64_t seed;
    uint64_t events;
    uint32_t channels;
    const char *host; /* --server: a copy without the port */
    uint16_t port;
    int dc;
    const char *server_key; /* path of a PEM file */
    int32_t api_id;         /* 0: not given */
    char *secrets[SECRETS]; /* NULL: not given; freed by options_fini */
    const char *state;      /* path of the SQLite database, NULL for none */
    char *session;          /* path of the session file, NULL for none; freed by options_fini */
    const char *out;        /* path, "-" for stdout, NULL for none */
    uint64_t expect;        /* updates; 0 = no expectation */
    uint32_t timeout_s;     /* 0 = no limit */
    int delay_ms;           /* embedded: the data centre's delay of every push */
    bool json;
    int journal;          /* gap_journal_mode_t */
    uint32_t concurrency; /* handlers at a time; 0: the library's default */
    uint32_t handler_ms;  /* a handler takes so long; 0: it is through at once */
    uint32_t drain_s;     /* how long handlers may still take after a signal */
    bool count;           /* count every event in a table of the state file */
    bool reply;           /* answer every message */
};

/** What parsing ended with. */
enum options_result { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/**
 * Parse and check. A problem is said in one line on stderr, help goes to stdout.
 * @param out  Points into argv, into the environment and into memory that options_fini frees.
 */
enum options_result options_parse(int argc, char **argv, struct options *out);
/** Wipe and free all secrets: nobody asks for them any more. */
void options_forget(struct options *o);
/** Wipes and frees; safe twice. */
void options_fini(struct options *o);

/** The flag that gives a secret ("--code") and the variable that does ("GAPLESS_CODE"). */
const char *options_flag(enum secret which);
const char *options_variable(enum secret which);
/** Keep a copy of a secret, in place of what there was. @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD int options_set_secret(struct options *o, enum secret which, const char *text);
/** A number for --api-id. @return 0: it is none. */
int32_t options_api_id(const char *text);

/** The text of --help. */
extern const char options_help[];

#endif
