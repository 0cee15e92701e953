/*
 * outbox_sender.c - a client that works off the outbox in a database, with limits from the command
 * line; what outbox_torture.py kills.
 *
 *     outbox_sender FILE.db --port N --key FILE.pem [--token T] [--find FILE] [--account C/MS/B]
 *         [--user C/MS/B] [--group C/MS/B] [--in-flight N] [--attempts N] [--retry-min-ms N]
 *         [--retry-max-ms N] [--poll-ms N] [--debounce-ms N]
 *
 * --find: looks for each chat of the file (as outbox_writer reads it) and ends when all
 * are known. C/MS/B: so many calls in so many milliseconds, so many at once. A line on stdout for
 * each row whose fate is on disk, and one with figures at the end; events go to stderr. SIGTERM
 * ends it in good order. Exit status: 0, 1 failed, 2 wrong usage.
 */
#include <gapless/gapless.h>
#include <gapless/outbox.h>
#include <gapless/uv.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define KEY_BYTES 8192

struct app {
    uv_loop_t loop;
    uv_signal_t terminated;
    gap_client_t *client;
    const char *path;
    const char *key_path;
    const char *token;
    const char *find;
    uint16_t port;
    gap_outbox_config_t outbox;
    char key[KEY_BYTES];
    unsigned looked_for;
    unsigned found;
    bool failed;
};

/* ---- the end ---- */

static void on_closed(void *data)
{
    struct app *app = data;

    uv_close((uv_handle_t *)&app->terminated, NULL);
}

static void on_shut_down(gap_client_t *client, const gap_shutdown_report_t *report, void *data)
{
    gap_outbox_stats_t s;

    memset(&s, 0, sizeof s);
    if (report->status != 0) fprintf(stderr, "shutdown: %s\n", gap_strerror(report->status));
    if (gap_outbox_stats(client, &s) == 0)
        printf("end sent=%" PRIu64 " edited=%" PRIu64 " unchanged=%" PRIu64 " repeated=%" PRIu64
               " snoozed=%" PRIu64 " parked=%" PRIu64 " dead=%" PRIu64 " rendered=%" PRIu64
               " in_flight=%" PRIu32 "\n",
               s.sent, s.edited, s.unchanged, s.repeated, s.snoozed, s.parked, s.dead, s.rendered,
               s.in_flight);
    gap_client_close(client, on_closed, data);
}

static void end(struct app *app)
{
    if (gap_client_shutdown(app->client, NULL, on_shut_down, app) != 0) exit(1);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    end(handle->data);
}

/* ---- what it tells ---- */

static void on_row(gap_client_t *client, const gap_outbox_row_t *row, void *data)
{
    (void)client;
    (void)data;
    printf("row %" PRId64 " kind %d state %d message %" PRId32 " attempts %" PRIu32
           " error %" PRId32 " %.*s\n",
           row->row, (int)row->kind, (int)row->state, row->message_id, row->attempts, row->error,
           (int)row->reason.len, (const char *)row->reason.data);
}

static void on_found(gap_client_t *client, const gap_found_peer_t *found, void *data)
{
    struct app *app = data;

    (void)client;
    if (found->status != 0) {
        fprintf(stderr, "not found: %s %s\n", found->rpc_name, found->text);
        app->failed = true;
    }
    if (++app->found == app->looked_for) end(app);
}

/* Each chat of the file, as the Bot API marks it. */
static void find_all(struct app *app)
{
    FILE *f = fopen(app->find, "r");
    char line[128];
    char kind[16];
    char who[32];
    int64_t id;

    if (f == NULL) exit(1);
    while (fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "%15s %" SCNd64, kind, &id) != 2) continue;
        (void)snprintf(who, sizeof who, "%s%" PRId64,
                       strcmp(kind, "user") == 0   ? ""
                       : strcmp(kind, "chat") == 0 ? "-"
                                                   : "-100",
                       id);
        app->looked_for++;
        if (gap_client_find_peer(app->client, who, on_found, app) != 0) exit(1);
    }
    (void)fclose(f);
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct app *app = data;

    fprintf(stderr, "%d %s\n", (int)event->kind, event->text);
    if (event->kind == GAP_CLIENT_STARTED && app->find != NULL && app->looked_for == 0)
        find_all(app);
    if (event->kind != GAP_CLIENT_FATAL) return;
    app->failed = true;
    gap_client_close(client, on_closed, app);
}

static int on_update(gap_update_t *update, void *data)
{
    (void)update;
    (void)data;
    return 0;
}

/* ---- the beginning ---- */

static bool read_rate(const char *text, gap_outbox_rate_t *out)
{
    return sscanf(text, "%" SCNu32 "/%" SCNu32 "/%" SCNu32, &out->calls, &out->per_ms,
                  &out->burst) == 3;
}

static bool read_number(struct app *app, const char *name, uint64_t n)
{
    gap_outbox_config_t *o = &app->outbox;

    if (strcmp(name, "--port") == 0)
        app->port = (uint16_t)n;
    else if (strcmp(name, "--in-flight") == 0)
        o->in_flight = (uint32_t)n;
    else if (strcmp(name, "--attempts") == 0)
        o->attempts_max = (uint32_t)n;
    else if (strcmp(name, "--retry-min-ms") == 0)
        o->retry_min_us = n * 1000;
    else if (strcmp(name, "--retry-max-ms") == 0)
        o->retry_max_us = n * 1000;
    else if (strcmp(name, "--poll-ms") == 0)
        o->poll_us = n * 1000;
    else if (strcmp(name, "--debounce-ms") == 0)
        o->debounce_us = n * 1000;
    else
        return false;
    return n > 0;
}

static bool read_option(struct app *app, const char *name, const char *value)
{
    if (strcmp(name, "--key") == 0)
        app->key_path = value;
    else if (strcmp(name, "--token") == 0)
        app->token = value;
    else if (strcmp(name, "--find") == 0)
        app->find = value;
    else if (strcmp(name, "--account") == 0)
        return read_rate(value, &app->outbox.account);
    else if (strcmp(name, "--user") == 0)
        return read_rate(value, &app->outbox.user);
    else if (strcmp(name, "--group") == 0)
        return read_rate(value, &app->outbox.group);
    else
        return read_number(app, name, strtoull(value, NULL, 10));
    return true;
}

static int read_key(struct app *app)
{
    FILE *f = app->key_path == NULL ? NULL : fopen(app->key_path, "r");

    if (f == NULL) return GAP_E_NOT_FOUND;
    size_t n = fread(app->key, 1, sizeof app->key - 1, f);
    (void)fclose(f);
    return n > 0 ? 0 : GAP_E_NOT_FOUND;
}

static int open_client(struct app *app)
{
    const gap_sqlite_config_t sqlite = {.path = app->path};
    char session[4096];
    gap_client_config_t config = {
        .network = GAP_NETWORK_CUSTOM,
        .host = "127.0.0.1",
        .port = app->port,
        .rsa_key = app->key,
        .api_id = 1,
        .api_hash = "x",
        .bot_token = app->token,
        .session = session,
        .outbox = &app->outbox,
    };

    (void)snprintf(session, sizeof session, "%s.session", app->path);
    app->outbox.on_row = on_row;
    app->outbox.data = app;
    int r = gap_storage_sqlite(NULL, &sqlite, &config.storage);
    if (r == 0) r = gap_client_open(&app->loop, &config, &app->client);
    if (r != 0) return r;
    gap_client_on_update(app->client, on_update, app);
    gap_client_on_event(app->client, on_event, app);
    return gap_client_start(app->client);
}

int main(int argc, char **argv)
{
    static struct app app;
    bool is_right = argc >= 2 && argc % 2 == 0;

    app.token = "7000001:test";
    for (int i = 2; i + 1 < argc && is_right; i += 2)
        is_right = read_option(&app, argv[i], argv[i + 1]);
    if (!is_right || app.port == 0 || app.key_path == NULL) {
        fprintf(stderr, "usage: outbox_sender FILE.db --port N --key FILE.pem ...\n");
        return 2;
    }
    app.path = argv[1];
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    int r = read_key(&app);
    if (r == 0) r = uv_loop_init(&app.loop);
    app.terminated.data = &app;
    if (r == 0) r = uv_signal_init(&app.loop, &app.terminated);
    if (r == 0) r = uv_signal_start(&app.terminated, on_signal, SIGTERM);
    if (r == 0) r = open_client(&app);
    if (r != 0) {
        fprintf(stderr, "outbox_sender: %s\n", gap_strerror(r));
        return 1;
    }
    (void)uv_run(&app.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&app.loop) == 0 && !app.failed ? 0 : 1;
}
