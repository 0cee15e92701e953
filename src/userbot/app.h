/*
 * userbot/app.h - the running userbot: one client, its output, and in embedded mode the simulated
 * data centre and the verdict.
 */
#ifndef GAP_USERBOT_APP_H
#define GAP_USERBOT_APP_H

#include "userbot/child.h"
#include "userbot/handle.h"
#include "userbot/options.h"
#include "userbot/terminal.h"
#include "userbot/verdict.h"

#include <gapless/gapless.h>
#include <stdio.h>

/** Milliseconds between looks at the ledger and lines of progress. */
#define APP_TICK_MS 100
/** Embedded: complete and without news for this long means done; doubles would show up here. */
#define APP_QUIET_MS 1000

/** Refused answers to one question of the sign-in; the last one ends the program. */
#define SIGN_IN_TRIES   3
#define SIGN_IN_NOTHING (-1)
/** Longest name of an account that is printed, in bytes with the final 0. */
#define NAME_MAX_BYTES 257

/** Exit statuses; a contract. */
enum app_status { APP_DONE = 0, APP_FAILED = 1, APP_USAGE = 2, APP_NOT_MET = 3 };

/** The sign-in so far (sign_in.c). */
struct sign_in {
    gap_sign_in_step_t step; /* of the question that is open */
    int answered;            /* step of the last answer, or SIGN_IN_NOTHING */
    unsigned refusals[4];    /* by step */
    bool used[SECRETS];      /* what was given has been answered with */
    unsigned credentials_asked;
    bool can_resend;
    uint64_t resend_at_ms; /* not before; app_elapsed_ms */
    char detail[320];      /* end of the question */
};

/** What the jobs that end by themselves know of the account (account.c). */
struct account {
    int64_t user_id;
    char name[NAME_MAX_BYTES];
    bool named;
    bool started; /* the state is known, and stored if there is a store */
    bool already; /* login: it was signed in before */
    bool leaving; /* logout: asked for */
    bool left;    /* and done */
    bool out;     /* logout: there was nothing to end */
};

struct app {
    struct options options;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t interrupted;
    uv_signal_t terminated;
    gap_client_t *client; /* NULL: not open, or closed */
    FILE *out;            /* NULL: no --out */
    char *line;           /* of the memory stream that lines are made in */
    size_t line_len;
    FILE *line_stream;
    gap_client_stats_t stats; /* of the client, when it was stopped */
    char target[300];         /* where it connects to, for messages */
    int dc;
    char *host; /* NULL: Telegram */
    uint16_t port;
    char *rsa_key;
    void (*reopen)(struct app *app); /* what follows when the client is closed */
    struct terminal asks;
    struct sign_in sign_in;
    struct account account;
    struct handle handle;
    unsigned signals;   /* that asked to end */
    bool flowing;       /* updates do */
    bool connected;     /* it has been, at least once */
    uint64_t delivered; /* updates */
    uint64_t started_ms;
    uint64_t last_news_ms;
    struct publish *publish; /* NULL: another job */
    int status;              /* enum app_status, once ending */
    bool ending;             /* everything is being closed */
    bool terminal;
    bool progress_shown;
    /* embedded */
    struct child child;
    bool child_alive;
    bool traffic_done;
    verdict_t *verdict;
    FILE *ledger;
    char *ledger_line; /* getline's */
    size_t ledger_cap;
    struct verdict_report report;
};

/** Put a line of progress in place of the last one, as far as the terminal is wide. ASCII. */
void app_progress(struct app *app, const char *format, ...) GAP_PRINTF(2, 3);
/** Say one line on stderr, with the program's name, on a line of its own. A question that is open
 * is to be repeated (terminal_repeat) if the program goes on. */
void app_complain(struct app *app, const char *format, ...) GAP_PRINTF(2, 3);
/** Remember where to connect to; host (NULL: Telegram) and key are copied. Then app_open, or
 * sign_in_begin. Ends the app on failure. @return 0 or negative: said already. */
GAP_NODISCARD int app_target(struct app *app, const char *host, uint16_t port, int dc,
                             const char *rsa_key);
/** Open the client and start it. Ends the app on failure. */
void app_open(struct app *app);
/** Close the client; @p next follows, unless the app ends meanwhile. */
void app_reopen(struct app *app, void (*next)(struct app *app));
/** Begin to close everything and remember the status; the first call counts. */
void app_end(struct app *app, int status);
/** Milliseconds since the app started. */
uint64_t app_elapsed_ms(const struct app *app);

/* Signing in (sign_in.c). */

/** Open the client; asks for what is needed before. */
void sign_in_begin(struct app *app);
/** The client can't sign in with these settings. @return true: what is missing is asked for. */
GAP_NODISCARD bool sign_in_can_help(struct app *app);
/** GAP_CLIENT_SIGN_IN came. */
void sign_in_question(struct app *app, const gap_event_t *event);

/* login, logout, sessions (account.c). */

void account_connected(struct app *app);
void account_signed_in(struct app *app, int64_t user_id);
void account_started(struct app *app);
/** A sign-in would be needed, and the job is another one. */
void account_not_signed_in(struct app *app);
/** The session is over. @return true: as was wanted. */
GAP_NODISCARD bool account_signed_out(struct app *app);
/** Print the result of the job, which was done. */
void account_finish(struct app *app);

/* The embedded mode (embedded.c). */

/** Start the data centre. @return 0, or negative: said already. */
GAP_NODISCARD int embedded_start(struct app *app);
/** An update was delivered as this line. @return 0 or negative. */
GAP_NODISCARD int embedded_delivered(struct app *app, const char *line, size_t len, int64_t at_us);
/** Look whether all is there; ends the app when it is. */
void embedded_tick(struct app *app);
/** Compare with the whole ledger and print the verdict line. @return the exit status. */
int embedded_verdict(struct app *app);
void embedded_fini(struct app *app);

#endif
