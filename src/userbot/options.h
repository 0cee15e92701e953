/*
 * userbot/options.h - the command line and the environment of gapless-userbot.
 */
#ifndef GAP_USERBOT_OPTIONS_H
#define GAP_USERBOT_OPTIONS_H

#include <gapless/outbox.h>

/** Default of --drain. */
#define OPTIONS_DRAIN_S 10

enum userbot_mode { MODE_EMBEDDED, MODE_SERVER, MODE_TELEGRAM };

/** What to do; the first word of the command line. */
enum userbot_job { JOB_RUN, JOB_LOGIN, JOB_LOGOUT, JOB_SESSIONS, JOB_PUBLISH, JOB_OUTBOX };

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

/** publish: what to do with a folder. */
struct publish_options {
    const char *dir;
    const char *chat; /* of notes that name none; NULL: there is none */
    bool refuse_long; /* a note longer than a message is an error */
    bool delete_gone; /* messages of notes that are gone */
    bool strict;      /* nothing is sent if a note is broken */
};

/** What outbox is asked to do. */
enum outbox_verb {
    OUTBOX_LIST,
    OUTBOX_SHOW,
    OUTBOX_RETRY,
    OUTBOX_CANCEL,
    OUTBOX_RELEASE,
    OUTBOX_ADD
};

/** Rows that outbox lists if nothing is said. */
#define OPTIONS_ROWS 1000

struct outbox_options {
    enum outbox_verb verb;
    char **words; /* behind the verb; in argv */
    int count;
    uint32_t states; /* bits 1 << gap_outbox_state_t; 0: whatever is not done */
    uint64_t limit;  /* rows listed; 0: all */
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
    bool outbox;          /* work off the state file's outbox */
    gap_outbox_rate_t account_rate;
    gap_outbox_rate_t chat_rate;
    gap_outbox_rate_t group_rate;
    uint64_t debounce_us; /* 0: the library's default */
    struct publish_options publish;
    struct outbox_options rows;
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

/** The text of --help, in pieces; NULL ends it. */
extern const char *const options_help[];

#endif
