/*
 * remember.c - a bot with routes and a memory: it counts the messages of every chat in data that is
 * kept beside the account's positions, in one commit with the message that was counted. Kill it at
 * any moment, start it again with the same files, and it goes on at the right number.
 *
 *     STATE=FILE.db BOT_TOKEN=... SERVER_PORT=... SERVER_KEY=... ./remember
 *
 * Prints "count CHAT N" for each message. WHERE=thread counts on a thread, WHERE=transaction inside
 * the commit. SIGTERM ends it in good order.
 */
#include <gapless/gapless.h>
#include <gapless/uv.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

typedef struct app {
    uv_loop_t loop;
    uv_signal_t terminated;
    gap_client_t *client;
    gap_router_t *router;
    uint32_t where; /* GAP_ROUTE_..., of the handler that counts */
} app_t;

/* ---- routes ---- */

static int on_start(gap_update_t *update, const gap_match_t *match, void *data)
{
    (void)match;
    (void)data;
    return gap_reply(update, "I count. Say \"add 5\" and I count faster.", NULL, NULL);
}

static int64_t remembered(const gap_update_t *update)
{
    gap_bytes_t was = gap_update_session(update);
    int64_t count = 0;

    if (was.len == sizeof count) memcpy(&count, was.data, sizeof count);
    return count;
}

static int remember(gap_update_t *update, int64_t count)
{
    gap_bytes_t value = {(const uint8_t *)&count, sizeof count};

    return gap_update_session_set(update, value);
}

/* The "#" of the pattern is the first of its captures. */
static int on_add(gap_update_t *update, const gap_match_t *match, void *data)
{
    char digits[16];

    (void)data;
    if (match->captures[0].len >= sizeof digits) return GAP_NEXT;
    memcpy(digits, match->captures[0].data, match->captures[0].len);
    digits[match->captures[0].len] = 0;
    return remember(update, remembered(update) + atoll(digits));
}

static int on_message(gap_update_t *update, const gap_match_t *match, void *data)
{
    static const char *const kinds[] = {"none", "user", "chat", "channel"};
    int64_t count = remembered(update) + 1;

    (void)data;
    if (match->message->service) return 0;
    printf("count %s:%" PRId64 " %" PRId64 "\n", kinds[match->chat.kind], match->chat.id, count);
    fflush(stdout);
    return remember(update, count);
}

static int make_routes(app_t *app)
{
    const gap_session_config_t sessions = {.key = gap_session_chat,
                                           .values = gap_client_values(app->client)};
    const gap_route_t add = {.filter.pattern = "add #", .handler = on_add};
    const gap_route_t message = {
        .filter.kinds = GAP_KIND_MESSAGE, .handler = on_message, .flags = app->where};
    int r = gap_router_new(NULL, &app->router);

    if (r == 0) r = gap_router_session(app->router, &sessions);
    if (r == 0) r = gap_router_command(app->router, "start", on_start, app);
    if (r == 0) r = gap_router_add(app->router, &add);
    if (r == 0) r = gap_router_add(app->router, &message);
    if (r == 0) gap_client_on_update(app->client, gap_router_handle, app->router);
    return r;
}

/* ---- the end ---- */

static void on_closed(void *data)
{
    app_t *app = data;

    gap_router_free(app->router);
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
    if (event->kind == GAP_CLIENT_CAUGHT_UP) {
        printf("caught up\n");
        fflush(stdout);
    }
    if (event->kind == GAP_CLIENT_FATAL) gap_client_close(client, on_closed, data);
}

/* ---- the beginning ---- */

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
    if (r == 0) r = make_routes(app);
    if (r != 0) {
        fprintf(stderr, "%s\n", gap_strerror(r));
        return r;
    }
    gap_client_on_event(app->client, on_event, app);
    return gap_client_start(app->client);
}

int main(void)
{
    const char *state = getenv("STATE"), *where = getenv("WHERE");
    char session[4096];
    app_t app;

    if (state == NULL) state = "remember.db";
    snprintf(session, sizeof session, "%s.session", state);
    memset(&app, 0, sizeof app);
    if (where != NULL && strcmp(where, "thread") == 0) app.where = GAP_ROUTE_ON_THREAD;
    if (where != NULL && strcmp(where, "transaction") == 0) app.where = GAP_ROUTE_TRANSACTION;
    if (uv_loop_init(&app.loop) != 0) return 1;
    app.terminated.data = &app;
    if (uv_signal_init(&app.loop, &app.terminated) != 0) return 1;
    if (uv_signal_start(&app.terminated, on_signal, SIGTERM) != 0) return 1;
    if (open_client(&app, state, session) != 0) return 1;
    uv_run(&app.loop, UV_RUN_DEFAULT);
    return uv_loop_close(&app.loop) == 0 ? 0 : 1;
}
