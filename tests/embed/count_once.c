/*
 * count_once.c - counts every message exactly once in a table of its own, whatever happens to the
 * process: a row of the table and "this message is handled" are written in one transaction. Kill it
 * at any moment, start it again with the same files, and no count is missing or doubled.
 *
 *     STATE=FILE.db BOT_TOKEN=... SERVER_PORT=... SERVER_KEY=... ./count_once
 *     sqlite3 FILE.db 'select chat, count(*) from my_messages group by chat'
 *
 * SIGTERM ends it in good order; it says what became of what was at work. A second one hurries it.
 */
#include <gapless/gapless.h>
#include <gapless/uv.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct app {
    uv_loop_t loop;
    uv_signal_t terminated;
    gap_client_t *client;
} app_t;

/* ---- the transaction ---- */

/* On the library's writer thread, inside the commit that records the update as handled. */
static int count(gap_update_t *update, struct sqlite3 *db, void *data)
{
    sqlite3_stmt *s = NULL;
    gap_message_t m;
    int r;

    (void)data;
    if (gap_message_read(update, &m) != 0) return 0;
    r = sqlite3_prepare_v2(db,
                           "INSERT INTO my_messages VALUES(?1, ?2, ?3, 1) "
                           "ON CONFLICT(kind, chat, id) DO UPDATE SET times = times + 1",
                           -1, &s, NULL);
    if (r == SQLITE_OK) r = sqlite3_bind_int(s, 1, m.chat.kind);
    if (r == SQLITE_OK) r = sqlite3_bind_int64(s, 2, m.chat.id);
    if (r == SQLITE_OK) r = sqlite3_bind_int(s, 3, m.id);
    if (r == SQLITE_OK) r = sqlite3_step(s);
    sqlite3_finalize(s);
    return r == SQLITE_DONE ? 0 : GAP_E_STORAGE; /* an error: rolled back, and tried again */
}

static int on_message(gap_update_t *update, const gap_message_t *message, void *data)
{
    if (message->edit || message->service) return 0;
    return gap_update_in_transaction(update, count, data);
}

/* ---- the end ---- */

static void on_closed(void *data)
{
    app_t *app = data;

    uv_close((uv_handle_t *)&app->terminated, NULL);
}

static void on_shut_down(gap_client_t *client, const gap_shutdown_report_t *report, void *data)
{
    printf("end drained=%" PRIu64 " journalled=%" PRIu64 " unknown=%" PRIu64 "\n", report->drained,
           report->journalled, report->unknown);
    gap_client_close(client, on_closed, data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    app_t *app = handle->data;

    (void)number;
    if (gap_client_shutdown(app->client, NULL, on_shut_down, app) != 0) exit(1);
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    fprintf(stderr, "%s\n", event->text);
    if (event->kind == GAP_CLIENT_CAUGHT_UP) {
        printf("caught up\n");
        fflush(stdout);
    }
    if (event->kind == GAP_CLIENT_FATAL) gap_client_close(client, on_closed, data);
}

/* ---- the beginning ---- */

/* The library uses the same file, side by side with the program. */
static int make_table(const char *path)
{
    sqlite3 *db = NULL;
    int r = sqlite3_open(path, &db);

    if (r == SQLITE_OK) r = sqlite3_busy_timeout(db, 5000);
    if (r == SQLITE_OK) r = sqlite3_exec(db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if (r == SQLITE_OK)
        r = sqlite3_exec(db,
                         "CREATE TABLE IF NOT EXISTS my_messages(kind INTEGER, chat INTEGER, "
                         "id INTEGER, times INTEGER, PRIMARY KEY(kind, chat, id))",
                         NULL, NULL, NULL);
    if (r != SQLITE_OK) fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(db));
    sqlite3_close(db);
    return r == SQLITE_OK ? 0 : -1;
}

static int open_client(app_t *app, const char *state, const char *session)
{
    const gap_sqlite_config_t sqlite = {.path = state};
    const char *api_id = getenv("API_ID"), *port = getenv("SERVER_PORT");
    gap_client_config_t config = {
        .network = port ? GAP_NETWORK_CUSTOM : GAP_NETWORK_PRODUCTION,
        .host = port ? "127.0.0.1" : NULL,
        .port = (uint16_t)(port ? atoi(port) : 0),
        .rsa_key = getenv("SERVER_KEY"),
        .api_id = api_id ? atoi(api_id) : 0,
        .api_hash = getenv("API_HASH"),
        .bot_token = getenv("BOT_TOKEN"),
        .session = session,
    };
    int r = gap_storage_sqlite(NULL, &sqlite, &config.storage);

    if (r == 0) r = gap_client_open(&app->loop, &config, &app->client);
    if (r != 0) {
        fprintf(stderr, "%s\n", gap_strerror(r));
        return r;
    }
    gap_client_on_message(app->client, on_message, app);
    gap_client_on_event(app->client, on_event, app);
    return gap_client_start(app->client);
}

int main(void)
{
    const char *state = getenv("STATE");
    char session[4096];
    app_t app;

    if (state == NULL) state = "count_once.db";
    snprintf(session, sizeof session, "%s.session", state);
    memset(&app, 0, sizeof app);
    if (make_table(state) != 0 || uv_loop_init(&app.loop) != 0) return 1;
    app.terminated.data = &app;
    if (uv_signal_init(&app.loop, &app.terminated) != 0) return 1;
    if (uv_signal_start(&app.terminated, on_signal, SIGTERM) != 0) return 1;
    if (open_client(&app, state, session) != 0) return 1;
    uv_run(&app.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&app.loop) == 0 ? 0 : 1;
}
