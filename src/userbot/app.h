/*
 * userbot/app.h - the running userbot: one client, its output, and in embedded mode the simulated
 * data centre and the verdict.
 */
#ifndef GAP_USERBOT_APP_H
#define GAP_USERBOT_APP_H

#include "userbot/child.h"
#include "userbot/options.h"
#include "userbot/verdict.h"

#include <gapless/gapless.h>
#include <stdio.h>

/** Milliseconds between looks at the ledger and lines of progress. */
#define APP_TICK_MS 100
/** Embedded: complete and without news for this long means done; doubles would show up here. */
#define APP_QUIET_MS 1000

/** Exit statuses; a contract. */
enum app_status { APP_DONE = 0, APP_FAILED = 1, APP_USAGE = 2, APP_NOT_MET = 3 };

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
    bool connected;           /* it has been, at least once */
    uint64_t delivered;       /* updates */
    uint64_t started_ms;
    uint64_t last_news_ms;
    int status;  /* enum app_status, once ending */
    bool ending; /* everything is being closed */
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

/** Say one line on stderr, with the program's name, on a line of its own. */
void app_complain(struct app *app, const char *format, ...) GAP_PRINTF(2, 3);
/** Open the client and start it. @p host is copied. Ends the app on failure. */
void app_connect(struct app *app, const char *host, uint16_t port, int dc, const char *rsa_key);
/** Begin to close everything and remember the status; the first call counts. */
void app_end(struct app *app, int status);
/** Milliseconds since the app started. */
uint64_t app_elapsed_ms(const struct app *app);

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
