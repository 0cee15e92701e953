/*
 * post_linked.c - a table of notes, kept in step with a channel: each note is a post with a link to
 * the list, and the list is a post with the titles of all notes and links to them. Change a title
 * in the table and two messages are edited: the note's and, by itself, the list's. Kill it at any
 * moment, start it again with the same files, and nothing is sent twice.
 *
 *     STATE=FILE.db CHANNEL=ID BOT_TOKEN=... SERVER_PORT=... SERVER_KEY=... ./post_linked
 *
 * Prints "KEY LINK" for each post that is as it should be. When all are for the first time, it
 * gives the first note another title. SIGTERM ends it in good order.
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
    gap_peer_t channel;
    sqlite3 *db;     /* this thread's */
    sqlite3 *reader; /* for the renderer, which the client calls on a thread of its own */
    int renamed;
} app_t;

/* ---- what posts hold ---- */

/* The list: each title is a link to its note. */
static int render_list(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    gap_outbox_entity_t links[16];
    gap_outbox_content_t content = {.entities = links};
    char text[1024] = "Notes:", keys[16][32];
    size_t len = strlen(text);
    sqlite3_stmt *s = NULL;
    int rc = sqlite3_prepare_v2(data, "SELECT key FROM my_notes ORDER BY key", -1, &s, NULL);

    (void)key;
    while (rc == SQLITE_OK && content.entity_count < 16 && sqlite3_step(s) == SQLITE_ROW) {
        char *name = keys[content.entity_count];
        gap_bytes_t title;
        snprintf(name, sizeof keys[0], "%s", (const char *)sqlite3_column_text(s, 0));
        if (gap_post_title(r, gap_str(name), &title) != 0) continue; /* not written yet */
        if (title.len == 0 || title.len > 60) continue;
        links[content.entity_count++] =
            (gap_outbox_entity_t){.id = GAP_POST_LINK, /* UTF-16 units: these titles are ASCII */
                                  .offset = (uint32_t)len + 3,
                                  .length = (uint32_t)title.len,
                                  .value = gap_str(name)};
        len += (size_t)snprintf(text + len, sizeof text - len, "\n- %.*s", (int)title.len,
                                (const char *)title.data);
    }
    sqlite3_finalize(s);
    if (rc != SQLITE_OK) return GAP_E_STORAGE;
    content.text = gap_str(text);
    return gap_post_put(r, &content, gap_str("The list"));
}

/* A note: its title, and a link to the list. */
static int put_note(app_t *app, const char *key, const char *title)
{
    gap_outbox_entity_t back = {.id = GAP_POST_LINK, .length = 9, .value = gap_str("list")};
    gap_outbox_content_t content = {.entities = &back, .entity_count = 1};
    gap_post_t post = {.key = gap_str(key), .chat = app->channel, .title = gap_str(title)};
    char text[128];

    snprintf(text, sizeof text, "%s. All notes", title);
    content.text = gap_str(text);
    back.offset = (uint32_t)strlen(title) + 2; /* "All notes" */
    post.content = &content;
    return gap_post_upsert(app->db, &post, NULL);
}

/* ---- the program's own table, and posts, in one transaction ---- */

static int run(app_t *app, const char *sql)
{
    int rc = sqlite3_exec(app->db, sql, NULL, NULL, NULL);

    if (rc != SQLITE_OK) fprintf(stderr, "%s: %s\n", sql, sqlite3_errmsg(app->db));
    return rc == SQLITE_OK ? 0 : GAP_E_STORAGE;
}

static int put_all(app_t *app)
{
    gap_post_t list = {.key = gap_str("list"),
                       .chat = app->channel,
                       .render = render_list,
                       .data = app->db}; /* in here: what this transaction has written counts */
    sqlite3_stmt *s = NULL;
    int r = run(app, "BEGIN IMMEDIATE");

    if (r == 0)
        r = run(app,
                "INSERT OR IGNORE INTO my_notes VALUES('apples', 'Apples'), ('pears', 'Pears'),"
                " ('plums', 'Plums')");
    if (r == 0 && sqlite3_prepare_v2(app->db, "SELECT key, title FROM my_notes", -1, &s, NULL) != 0)
        r = GAP_E_STORAGE;
    while (r >= 0 && sqlite3_step(s) == SQLITE_ROW)
        r = put_note(app, (const char *)sqlite3_column_text(s, 0),
                     (const char *)sqlite3_column_text(s, 1));
    sqlite3_finalize(s);
    if (r >= 0) r = gap_post_upsert(app->db, &list, NULL);
    if (r < 0) fprintf(stderr, "posts: %s\n", gap_strerror(r));
    return run(app, r >= 0 ? "COMMIT" : "ROLLBACK");
}

/* One title changes: the note is asked for anew, the list follows. */
static int rename_one(app_t *app)
{
    int r = run(app, "BEGIN IMMEDIATE");

    if (r == 0) r = run(app, "UPDATE my_notes SET title = 'Green apples' WHERE key = 'apples'");
    if (r == 0) r = put_note(app, "apples", "Green apples");
    if (r >= 0) r = run(app, "COMMIT");
    if (r < 0) fprintf(stderr, "apples: %s\n", gap_strerror(r));
    gap_outbox_wake(app->client);
    return r;
}

/* ---- what becomes of them ---- */

static int count_done(void *arg, const gap_post_status_t *post)
{
    *(int *)arg += post->in_step;
    return 0;
}

static int print_done(void *arg, const gap_post_status_t *post)
{
    (void)arg;
    if (post->in_step)
        printf("%.*s %.*s\n", (int)post->key.len, (const char *)post->key.data, (int)post->link.len,
               (const char *)post->link.data);
    return 0;
}

static void on_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    app_t *app = data;
    int done = 0;

    (void)client;
    fprintf(stderr, "row %" PRId64 " is in state %d %.*s\n", row->row, row->state,
            (int)row->reason.len, (const char *)row->reason.data);
    if (gap_post_list(app->db, count_done, &done) != 0 || done < 4) return;
    if (gap_post_list(app->db, print_done, NULL) != 0) return;
    fflush(stdout);
    if (!app->renamed) app->renamed = rename_one(app) == 0;
}

/* The client's: it reads what has been committed. */
static int render_later(gap_post_renderer_t *r, gap_bytes_t key, void *data)
{
    const app_t *app = data;

    return render_list(r, key, app->reader);
}

/* ---- the end ---- */

static void on_closed(void *data)
{
    app_t *app = data;

    sqlite3_close(app->db);
    sqlite3_close(app->reader);
    uv_close((uv_handle_t *)&app->terminated, NULL);
}

static void on_shut_down(gap_client_t *client, const gap_shutdown_report_t *report, void *data)
{
    printf("end unknown=%" PRIu64 "\n", report->unknown);
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
    if (event->kind == GAP_CLIENT_FATAL) gap_client_close(client, on_closed, data);
}

/* ---- the beginning ---- */

static int open_database(const char *path, sqlite3 **db)
{
    int rc = sqlite3_open(path, db);

    if (rc == SQLITE_OK) rc = sqlite3_busy_timeout(*db, 5000);
    if (rc == SQLITE_OK) rc = sqlite3_exec(*db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(*db, "CREATE TABLE IF NOT EXISTS my_notes(key TEXT PRIMARY KEY, title)",
                          NULL, NULL, NULL);
    if (rc != SQLITE_OK) fprintf(stderr, "%s: %s\n", path, sqlite3_errmsg(*db));
    return rc == SQLITE_OK ? 0 : -1;
}

static int open_client(app_t *app, const char *state, const char *session)
{
    const gap_sqlite_config_t sqlite = {.path = state};
    const gap_outbox_config_t outbox = {.on_row = on_row, .render = render_later, .data = app};
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
        .outbox = &outbox,
    };
    int r = gap_storage_sqlite(NULL, &sqlite, &config.storage);

    if (r == 0) r = gap_client_open(&app->loop, &config, &app->client);
    if (r != 0) {
        fprintf(stderr, "%s\n", gap_strerror(r));
        return r;
    }
    gap_client_on_event(app->client, on_event, app);
    return gap_client_start(app->client);
}

int main(void)
{
    const char *state = getenv("STATE"), *channel = getenv("CHANNEL");
    char session[4096];
    app_t app;

    if (state == NULL) state = "post_linked.db";
    snprintf(session, sizeof session, "%s.session", state);
    memset(&app, 0, sizeof app);
    app.channel = (gap_peer_t){channel != NULL ? atoll(channel) : 0, GAP_PEER_CHANNEL};
    if (open_database(state, &app.db) != 0 || open_database(state, &app.reader) != 0) return 1;
    if (put_all(&app) != 0) return 1;
    if (uv_loop_init(&app.loop) != 0) return 1;
    app.terminated.data = &app;
    if (uv_signal_init(&app.loop, &app.terminated) != 0) return 1;
    if (uv_signal_start(&app.terminated, on_signal, SIGTERM) != 0) return 1;
    if (open_client(&app, state, session) != 0) return 1;
    uv_run(&app.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&app.loop) == 0 ? 0 : 1;
}
