/*
 * userbot/handle.c - the handler of updates.
 *
 *   line of --out -> answer (/ping, --reply) -> --handler-ms later -> --count -> handled
 *
 * The line comes first, so an update that counts as handled has been written; after a crash it may
 * be written again, and then says so. Owns the list of updates that go on later.
 */
#include "userbot/handle.h"

#include "base/bytes.h"
#include "base/failpoint.h"
#include "userbot/app.h"
#include "userbot/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct handle_later {
    struct handle_later *next;
    gap_update_t *update;
    uint64_t due_ms; /* uv_now */
};

static int64_t wall_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- its line ---- */

/* In memory first: a line is written whole or not at all. */
static int make_line(struct app *app, gap_update_t *update, int64_t now_us)
{
    rewind(app->line_stream);
    int r = output_update(app->line_stream, update, gap_client_self(app->client), now_us);
    if (r < 0) return r;
    return fflush(app->line_stream) == 0 ? 0 : -errno;
}

static int write_line(struct app *app, gap_update_t *update)
{
    int64_t now_us = wall_us();
    int r = make_line(app, update, now_us);

    if (r < 0) return r;
    if (app->out != NULL &&
        (fwrite(app->line, 1, app->line_len, app->out) != app->line_len || fflush(app->out) != 0)) {
        int error = -errno;
        app_complain(app, "can't write to %s: %s; make room, or name another file with --out",
                     app->options.out, gap_strerror(error));
        app_end(app, APP_FAILED);
        return error;
    }
    app->delivered++;
    app->last_news_ms = app_elapsed_ms(app);
    if (app->verdict == NULL) return 0;
    return embedded_delivered(app, app->line, app->line_len - 1, now_us);
}

/* ---- answers ---- */

static void on_answer(gap_client_t *client, const gap_result_t *result, void *data)
{
    (void)client;
    if (result->status < 0 && result->status != GAP_E_CLOSED) {
        app_complain(data, "an answer was not sent: %s%s%s", gap_strerror(result->status),
                     result->rpc_name[0] != '\0' ? ": " : "", result->rpc_name);
    }
}

static int answer(struct app *app, gap_update_t *update)
{
    gap_message_t message;
    char text[64];

    int r = gap_message_read(update, &message);
    if (r == GAP_NO_MESSAGE) return 0;
    if (r < 0) return r;
    if (message.out || message.edit || message.service) return 0;
    if (gap_bytes_equal(message.text, gap_str("/ping")))
        return gap_reply(update, "pong", on_answer, app);
    if (!app->options.reply) return 0;
    (void)snprintf(text, sizeof text, "got %" PRId32, message.id);
    r = gap_reply(update, text, on_answer, app);
    if (r != GAP_E_NOT_FOUND) return r;
    app_complain(app, "a message of a chat that can't be addressed is not answered");
    return 0;
}

/* ---- being through ---- */

static int finish(struct app *app, gap_update_t *update)
{
    gap_eid_t eid;

    if (!app->options.count) return 0;
    int r = gap_update_eid(update, &eid);
    if (r == GAP_E_NOT_FOUND) return 0; /* reads, pins, deletes: nobody can tell two from one */
    return r < 0 ? r : gap_update_in_transaction(update, count_event, app);
}

static void go_on(struct app *app, gap_update_t *update)
{
    int r = gap_update_is_current(update) ? finish(app, update) : GAP_E_TIMEOUT;

    if (r == 0) gap_update_done(update);
    if (r < 0) gap_update_failed(update, r);
}

static struct handle_later *take_first(struct handle *h)
{
    struct handle_later *later = h->first;

    h->first = later->next;
    if (h->first == NULL) h->last = &h->first;
    return later;
}

static void on_due(uv_timer_t *timer)
{
    struct app *app = timer->data;
    struct handle *h = &app->handle;
    uint64_t now_ms = uv_now(&app->loop);

    while (h->first != NULL && h->first->due_ms <= now_ms) {
        struct handle_later *later = take_first(h);
        gap_update_t *update = later->update;
        free(later);
        go_on(app, update);
    }
    if (h->first != NULL && h->open)
        (void)uv_timer_start(timer, on_due, h->first->due_ms - now_ms, 0);
}

static int go_on_later(struct app *app, gap_update_t *update)
{
    struct handle *h = &app->handle;
    struct handle_later *later = malloc(sizeof *later);

    if (later == NULL) return GAP_E_NOMEM;
    *later = (struct handle_later){
        .update = update,
        .due_ms = uv_now(&app->loop) + app->options.handler_ms,
    };
    *h->last = later;
    h->last = &later->next;
    if (h->first == later) (void)uv_timer_start(&h->timer, on_due, app->options.handler_ms, 0);
    return GAP_LATER;
}

int handle_update(gap_update_t *update, void *data)
{
    struct app *app = data;

    int r = write_line(app, update);
    GAP_FAILPOINT("handler.inside");
    if (r == 0) r = answer(app, update);
    GAP_FAILPOINT("handler.answered");
    if (r < 0) return r;
    r = app->options.handler_ms > 0 ? go_on_later(app, update) : finish(app, update);
    if (app->options.expect != 0 && app->delivered == app->options.expect) app_end(app, APP_DONE);
    return r;
}

/* ---- beginning and end ---- */

int handle_open(struct app *app)
{
    struct handle *h = &app->handle;

    h->first = NULL;
    h->last = &h->first;
    h->timer.data = app;
    int r = uv_timer_init(&app->loop, &h->timer);
    h->open = r == 0;
    return r;
}

void handle_give_up(struct app *app)
{
    while (app->handle.first != NULL) {
        struct handle_later *later = take_first(&app->handle);
        gap_update_t *update = later->update;
        free(later);
        gap_update_failed(update, GAP_E_CLOSED);
    }
}

void handle_close(struct app *app)
{
    if (!app->handle.open) return;
    app->handle.open = false;
    uv_close((uv_handle_t *)&app->handle.timer, NULL);
}
