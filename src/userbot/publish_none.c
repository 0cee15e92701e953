/*
 * userbot/publish_none.c - publish and outbox in a build without SQLite: there is no file that an
 * outbox could be in, and that is said.
 */
#include "userbot/publish.h"

#define NEEDS                                                                                      \
    "needs SQLite, and this program was built without it: install libsqlite3-dev and build again"

int publish_begin(struct app *app)
{
    app_complain(app, "publish " NEEDS);
    app_end(app, APP_FAILED);
    return GAP_E_NOT_FOUND;
}

void publish_started(struct app *app)
{
    (void)app;
}

void publish_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    (void)client;
    (void)row;
    (void)data;
}

void publish_tick(struct app *app)
{
    (void)app;
}

void publish_progress(struct app *app)
{
    (void)app;
}

int publish_finish(struct app *app, int status)
{
    (void)app;
    return status;
}

void publish_fini(struct app *app)
{
    (void)app;
}

int outbox_command(const struct options *o)
{
    (void)o;
    (void)fputs("gapless-userbot: outbox " NEEDS "\n", stderr);
    return APP_FAILED;
}
