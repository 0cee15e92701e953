/*
 * archive.c - takes updates when it wants them, and writes messages by the batch into a database of
 * its own, on a thread: an update is handled when the batch that it is in is on the disk. Kill it
 * at any moment, start it again, and no message is missing.
 *
 *     STATE=FILE.db BOT_TOKEN=... SERVER_PORT=... SERVER_KEY=... ./archive
 *     sqlite3 FILE.db.archive 'select count(*) from messages'
 *
 * SIGTERM ends it in good order.
 */
#include <gapless/gapless.h>
#include <gapless/uv.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define BATCH 256

/* A message, copied for the thread. */
typedef struct row {
    gap_peer_t chat;
    int id;
    char *text;
    int text_len;
} row_t;

typedef struct app {
    uv_loop_t loop;
    uv_signal_t terminated;
    gap_client_t *client;
    gap_sink_t *sink;
    sqlite3 *archive; /* the thread's while `work` is under way */
    uv_work_t work;
    row_t rows[BATCH];
    size_t row_count;
    uint64_t first; /* of the batch */
    uint64_t last;
    int result;
} app_t;

/* ---- from the account to the sink ---- */

/* The sink keeps the order: no update waits for another one before. */
static int no_lanes(const gap_update_t *update, uint64_t keys[GAP_RUNNER_KEYS_MAX], void *data)
{
    (void)update;
    (void)keys;
    (void)data;
    return 0;
}

/* There is something to take. */
static void on_ready(void *data)
{
    app_t *app = data;
    gap_update_t *update;

    while (gap_runner_next(gap_client_runner(app->client), &update) == 1) {
        int r = gap_sink_take(update, app->sink);
        if (r < 0) gap_update_failed(update, r); /* it comes again */
    }
}

/* ---- from the sink to the disk ---- */

static int insert(sqlite3_stmt *s, const row_t *row)
{
    int r = sqlite3_bind_int(s, 1, row->chat.kind);

    if (r == SQLITE_OK) r = sqlite3_bind_int64(s, 2, row->chat.id);
    if (r == SQLITE_OK) r = sqlite3_bind_int(s, 3, row->id);
    if (r == SQLITE_OK) r = sqlite3_bind_text(s, 4, row->text, row->text_len, SQLITE_STATIC);
    if (r == SQLITE_OK && sqlite3_step(s) != SQLITE_DONE) r = SQLITE_ERROR;
    sqlite3_reset(s);
    return r;
}

/* On a thread: all of a batch, or nothing. */
static void write_batch(uv_work_t *work)
{
    app_t *app = work->data;
    sqlite3_stmt *s = NULL;
    int r = sqlite3_exec(app->archive, "BEGIN", NULL, NULL, NULL);

    if (r == SQLITE_OK)
        r = sqlite3_prepare_v2(app->archive, "INSERT OR REPLACE INTO messages VALUES(?,?,?,?)", -1,
                               &s, NULL);
    for (size_t i = 0; i < app->row_count && r == SQLITE_OK; i++) r = insert(s, &app->rows[i]);
    sqlite3_finalize(s);
    if (r == SQLITE_OK) r = sqlite3_exec(app->archive, "COMMIT", NULL, NULL, NULL);
    if (r != SQLITE_OK) sqlite3_exec(app->archive, "ROLLBACK", NULL, NULL, NULL);
    app->result = r == SQLITE_OK ? 0 : GAP_E_STORAGE;
}

/* Back on the loop: only now these updates are handled. */
static void on_written(uv_work_t *work, int status)
{
    app_t *app = work->data;
    int r = status < 0 ? status : app->result;

    for (size_t i = 0; i < app->row_count; i++) free(app->rows[i].text);
    r = r == 0 ? gap_sink_ack_through(app->sink, app->last)
               : gap_sink_fail(app->sink, app->first, r);
    if (r < 0) fprintf(stderr, "%s\n", gap_strerror(r));
}

/* One batch at a time is handed out: unacknowledged_max is batch_max. */
static int on_batch(gap_sink_t *sink, const gap_sink_item_t *items, size_t count, void *data)
{
    app_t *app = data;
    gap_message_t m;

    (void)sink;
    app->row_count = 0;
    app->first = items[0].number;
    app->last = items[count - 1].number;
    for (size_t i = 0; i < count; i++) {
        if (gap_message_read(items[i].update, &m) != 0 || m.service) continue;
        row_t *row = &app->rows[app->row_count];
        row->text = malloc(m.text.len + 1);
        if (row->text == NULL) abort();
        if (m.text.len > 0) memcpy(row->text, m.text.data, m.text.len);
        row->text_len = (int)m.text.len;
        row->chat = m.chat;
        row->id = m.id;
        app->row_count++;
    }
    app->work.data = app;
    return uv_queue_work(&app->loop, &app->work, write_batch, on_written) == 0 ? GAP_LATER
                                                                               : GAP_E_NOMEM;
}

/* ---- the end ---- */

static void on_closed(void *data)
{
    app_t *app = data;

    uv_close((uv_handle_t *)&app->terminated, NULL);
}

/* What was on its way to the disk has had its time: the sink goes, then the client. */
static void on_shut_down(gap_client_t *client, const gap_shutdown_report_t *report, void *data)
{
    app_t *app = data;

    printf("end drained=%" PRIu64 " journalled=%" PRIu64 " unknown=%" PRIu64 "\n", report->drained,
           report->journalled, report->unknown);
    gap_sink_close(app->sink, NULL, NULL);
    gap_client_close(client, on_closed, data);
}

static void on_signal(uv_signal_t *handle, int number)
{
    app_t *app = handle->data;

    (void)number;
    if (gap_client_shutdown(app->client, NULL, on_shut_down, app) != 0) exit(1);
    gap_sink_flush(app->sink);
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    app_t *app = data;

    fprintf(stderr, "%s\n", event->text);
    if (event->kind == GAP_CLIENT_CAUGHT_UP) {
        printf("caught up\n");
        fflush(stdout);
    }
    if (event->kind != GAP_CLIENT_FATAL) return;
    gap_sink_close(app->sink, NULL, NULL);
    gap_client_close(client, on_closed, data);
}

/* ---- the beginning ---- */

static int open_archive(app_t *app, const char *state)
{
    char path[4096];

    snprintf(path, sizeof path, "%s.archive", state);
    if (sqlite3_open(path, &app->archive) != SQLITE_OK) return -1;
    sqlite3_busy_timeout(app->archive, 5000);
    return sqlite3_exec(app->archive,
                        "PRAGMA journal_mode = WAL;"
                        "CREATE TABLE IF NOT EXISTS messages(kind INTEGER, chat INTEGER, "
                        "id INTEGER, text TEXT, PRIMARY KEY(kind, chat, id))",
                        NULL, NULL, NULL) == SQLITE_OK
               ? 0
               : -1;
}

static int open_client(app_t *app, const char *state, const char *session)
{
    const gap_sqlite_config_t sqlite = {.path = state};
    const gap_runner_config_t runner = {.pull = true,
                                        .ready = on_ready,
                                        .ready_data = app,
                                        .keys = no_lanes,
                                        .concurrency = 4 * BATCH};
    const gap_sink_config_t sink = {.flush = on_batch,
                                    .data = app,
                                    .batch_max = BATCH,
                                    .unacknowledged_max = BATCH,
                                    .interval_us = 20000};
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
        .runner = &runner,
    };
    int r = gap_storage_sqlite(NULL, &sqlite, &config.storage);

    if (r == 0) r = gap_client_open(&app->loop, &config, &app->client);
    if (r == 0) r = gap_client_sink(app->client, &sink, &app->sink);
    if (r != 0) {
        fprintf(stderr, "%s\n", gap_strerror(r));
        return r;
    }
    gap_client_on_event(app->client, on_event, app);
    return gap_client_start(app->client);
}

int main(void)
{
    const char *state = getenv("STATE");
    char session[4096];
    static app_t app;

    if (state == NULL) state = "archive.db";
    snprintf(session, sizeof session, "%s.session", state);
    if (open_archive(&app, state) != 0 || uv_loop_init(&app.loop) != 0) return 1;
    app.terminated.data = &app;
    if (uv_signal_init(&app.loop, &app.terminated) != 0) return 1;
    if (uv_signal_start(&app.terminated, on_signal, SIGTERM) != 0) return 1;
    if (open_client(&app, state, session) != 0) return 1;
    uv_run(&app.loop, UV_RUN_DEFAULT);
    sqlite3_close(app.archive);
    return uv_loop_close(&app.loop) == 0 ? 0 : 1;
}
