/*
 * tests/embed/glib_loop.c - the whole client inside GLib's main loop.
 *
 *   GMainLoop --prepare/check--> backend fd of a uv loop: readable, or its time has come?
 *       |     --dispatch-------> uv_run(NOWAIT) --> the client's handlers
 *       +-- SIGTERM, a second's tick, windows, D-Bus ...: GLib's own sources, as ever
 *
 * No thread: handlers run on the thread of the main loop and may touch what lives there. Prints a
 * line for each new message, closes on SIGTERM, and says how often each loop turned.
 *
 * Environment: SERVER_PORT, SERVER_KEY, BOT_TOKEN.
 */
#include <gapless/gapless.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* --- a uv loop as a source of GLib --------------------------------------------------------- */

typedef struct uv_source {
    GSource source;
    uv_loop_t *loop;
    gpointer tag;
    unsigned long turns;
} uv_source_t;

/* How long GLib may sleep: what uv's nearest timer leaves. Its clock stands still while GLib
 * sleeps, so it is read anew. A loop with nothing to do would ask to be run at once, for ever. */
static gboolean uv_source_prepare(GSource *source, gint *timeout_ms)
{
    uv_source_t *s = (uv_source_t *)source;

    if (!uv_loop_alive(s->loop)) {
        *timeout_ms = -1;
        return FALSE;
    }
    uv_update_time(s->loop);
    *timeout_ms = uv_backend_timeout(s->loop);
    return *timeout_ms == 0;
}

static gboolean uv_source_check(GSource *source)
{
    uv_source_t *s = (uv_source_t *)source;
    gint timeout_ms;

    if ((g_source_query_unix_fd(source, s->tag) & G_IO_IN) != 0) return TRUE;
    return uv_source_prepare(source, &timeout_ms);
}

static gboolean uv_source_dispatch(GSource *source, GSourceFunc unused, gpointer unused_data)
{
    uv_source_t *s = (uv_source_t *)source;

    (void)unused;
    (void)unused_data;
    s->turns++;
    (void)uv_run(s->loop, UV_RUN_NOWAIT);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs uv_source_funcs = {
    .prepare = uv_source_prepare, .check = uv_source_check, .dispatch = uv_source_dispatch};

static uv_source_t *uv_source_attach(uv_loop_t *loop, GMainContext *context)
{
    GSource *source = g_source_new(&uv_source_funcs, sizeof(uv_source_t));
    uv_source_t *s = (uv_source_t *)source;

    s->loop = loop;
    s->turns = 0;
    s->tag = g_source_add_unix_fd(source, uv_backend_fd(loop), G_IO_IN);
    g_source_attach(source, context);
    return s;
}

/* --- the program --------------------------------------------------------------------------- */

typedef struct app {
    GMainLoop *main;
    gap_client_t *client; /* NULL: close has begun */
    unsigned long messages;
    unsigned long ticks; /* of GLib's own timer */
    int status;
} app_t;

static void on_closed(void *data)
{
    app_t *app = data;
    g_main_loop_quit(app->main);
}

static void end(app_t *app)
{
    if (app->client != NULL) gap_client_close(app->client, on_closed, app);
    app->client = NULL;
}

static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    static const char *const kinds[] = {"none", "user", "chat", "channel"};
    app_t *app = data;

    (void)update;
    if (message->edit) return 0;
    app->messages++;
    printf("message %s:%lld %d\n", kinds[message->chat.kind], (long long)message->chat.id,
           (int)message->id);
    return 0;
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    app_t *app = data;

    (void)client;
    fprintf(stderr, "%s\n", event->text);
    if (event->kind != GAP_CLIENT_FATAL) return;
    app->status = 1;
    end(app);
}

static gboolean on_terminate(gpointer data)
{
    end(data);
    return G_SOURCE_CONTINUE;
}

static gboolean on_tick(gpointer data)
{
    app_t *app = data;
    app->ticks++;
    return G_SOURCE_CONTINUE;
}

static int run(app_t *app, uv_loop_t *loop, const gap_client_config_t *config)
{
    int r = gap_client_open(loop, config, &app->client);

    if (r != 0) goto failed;
    gap_client_on_message(app->client, on_message, app);
    gap_client_on_event(app->client, on_event, app);
    uv_source_t *source = uv_source_attach(loop, NULL);
    guint signal = g_unix_signal_add(SIGTERM, on_terminate, app);
    guint tick = g_timeout_add(50, on_tick, app);
    app->main = g_main_loop_new(NULL, FALSE);

    r = gap_client_start(app->client);
    if (r != 0) end(app); /* the main loop still has to see it closed */
    g_main_loop_run(app->main);
    printf("end messages=%lu turns=%lu ticks=%lu\n", app->messages, source->turns, app->ticks);

    g_source_remove(tick);
    g_source_remove(signal);
    g_source_destroy(&source->source);
    g_source_unref(&source->source);
    g_main_loop_unref(app->main);
failed:
    if (r != 0) fprintf(stderr, "the client does not start: %s\n", gap_strerror(r));
    return r;
}

int main(void)
{
    const char *port = getenv("SERVER_PORT");
    gap_client_config_t config = {
        .host = "127.0.0.1",
        .port = (uint16_t)(port != NULL ? atoi(port) : 0),
        .rsa_key = getenv("SERVER_KEY"),
        .api_id = 1,
        .api_hash = "x",
        .bot_token = getenv("BOT_TOKEN"),
    };
    app_t app = {0};
    uv_loop_t loop;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (uv_loop_init(&loop) != 0) return 1;
    if (run(&app, &loop, &config) != 0) app.status = 1;
    if (uv_loop_close(&loop) != 0) app.status = 1; /* a handle was left behind */
    return app.status;
}
