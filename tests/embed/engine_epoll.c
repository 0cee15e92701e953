/*
 * tests/embed/engine_epoll.c - the gap engine alone: a program with an MTProto stack of its own
 * (tiny_mtproto.h), on plain epoll, gets updates that are complete, in order and once.
 *
 *   socket readable --> tiny_read --Updates---------> gap_engine_feed
 *                                 --answers---------> whoever asked, the engine among them
 *   timerfd due ------> gap_engine_tick --invoke----> tiny_call
 *                                       --handler---> a line for each new message
 *   signalfd: SIGTERM -> gap_engine_close
 *
 * No libuv, no thread. Environment: SERVER_PORT, SERVER_KEY, BOT_TOKEN.
 */
#include "tiny_mtproto.h"

#include <gapless/engine.h>
#include <gapless/message.h>
#include <gapless/tl_api.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

typedef struct app {
    tiny_t *server;
    gap_engine_t *engine; /* NULL: not signed in yet, or closed */
    bool ending;
    int poll, timer, signal;
    unsigned long messages, turns;
    int status;
} app_t;

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* --- the engine calls the server ----------------------------------------------------------- */

typedef struct question {
    gap_answer_cb cb;
    void *arg;
} question_t;

static void on_answer(void *arg, int error_code, gap_bytes_t value)
{
    question_t *q = arg;
    gap_answer_t answer = {.status = 0};

    if (error_code == -1) {
        answer.status = GAP_E_CLOSED;
    } else if (error_code != 0) {
        answer.status = GAP_E_RPC;
        answer.error_code = error_code;
        answer.error_text = value;
    } else {
        answer.value = value;
    }
    q->cb(q->arg, &answer);
    free(q);
}

static int invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    app_t *app = arg;
    question_t *q = malloc(sizeof *q);

    if (q == NULL) return GAP_E_NOMEM;
    q->cb = cb;
    q->arg = answer_arg;
    if (tiny_call(app->server, query, on_answer, q) == 0) return 0;
    free(q);
    return GAP_E_DISCONNECTED;
}

/* --- and hands out what has come ----------------------------------------------------------- */

static int on_update(gap_update_t *update, void *data)
{
    static const char *const kinds[] = {"none", "user", "chat", "channel"};
    app_t *app = data;
    gap_message_t message;
    int r = gap_message_read(update, &message);

    if (r != 0) return r < 0 ? r : 0; /* an update of another kind */
    if (message.edit) return 0;
    app->messages++;
    printf("message %s:%lld %d\n", kinds[message.chat.kind], (long long)message.chat.id,
           (int)message.id);
    return 0;
}

static void on_event(void *data, const gap_engine_event_t *event)
{
    (void)data;
    if (event->kind == GAP_EVENT_RESYNCHRONISED || event->kind == GAP_EVENT_GAP_ABANDONED ||
        event->kind == GAP_EVENT_HANDLER_FAILED)
        fprintf(stderr, "event %d of sequence %d: %d to %d\n", (int)event->kind,
                (int)event->sequence, (int)event->from, (int)event->to);
}

/* --- the connection ------------------------------------------------------------------------ */

static void on_updates(void *data, gap_bytes_t object)
{
    app_t *app = data;

    if (app->engine == NULL || app->ending) return;
    int r = gap_engine_feed(app->engine, object.data, object.len, NULL);
    if (r < 0) fprintf(stderr, "an object was not taken: %s\n", gap_strerror(r)); /* asked for */
}

static void on_new_session(void *data)
{
    app_t *app = data;
    if (app->engine != NULL && !app->ending) gap_engine_missed(app->engine);
}

static void on_unreadable(void *data)
{
    app_t *app = data;
    if (app->engine != NULL && !app->ending) gap_engine_undecodable(app->engine);
}

static void on_signed_in(void *arg, int error_code, gap_bytes_t value)
{
    app_t *app = arg;
    gap_engine_config_t config = {
        .self_id = atoll(getenv("BOT_TOKEN")),
        .bot = true,
        .gap_wait_us = 100000,
        .invoke = invoke,
        .invoke_arg = app,
        .handler = on_update,
        .handler_data = app,
        .event = on_event,
    };

    if (error_code != 0 || gap_engine_open(&config, &app->engine) != 0) {
        fprintf(stderr, "not signed in: %d %.*s\n", error_code, (int)value.len,
                (const char *)value.data);
        app->status = 1;
        app->ending = true;
        return;
    }
    gap_engine_start(app->engine);
}

static int sign_in(app_t *app)
{
    gap_tl_auth_import_bot_authorization_t bot = {
        .api_id = 1, .api_hash = gap_str("x"), .bot_auth_token = gap_str(getenv("BOT_TOKEN"))};
    gap_tl_init_connection_t init = {.api_id = 1,
                                     .device_model = gap_str("tiny"),
                                     .system_version = gap_str("1"),
                                     .app_version = gap_str("1"),
                                     .system_lang_code = gap_str("en"),
                                     .lang_code = gap_str("en"),
                                     .query =
                                         GAP_TL_OF(GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, &bot)};
    gap_tl_invoke_with_layer_t layer = {GAP_TL_LAYER, GAP_TL_OF(GAP_TL_INIT_CONNECTION, &init)};

    return tiny_call(app->server, GAP_TL_OF(GAP_TL_INVOKE_WITH_LAYER, &layer), on_signed_in, app);
}

/* --- the loop ------------------------------------------------------------------------------ */

static void on_closed(void *arg)
{
    app_t *app = arg;
    app->engine = NULL;
}

static void end(app_t *app)
{
    if (app->ending) return;
    app->ending = true;
    if (app->engine != NULL) gap_engine_close(app->engine, on_closed, app);
    tiny_fail_calls(app->server); /* the engine waits for its answers */
}

/* Run the engine, and have the timer wake us when it is due. */
static void tick(app_t *app, bool drained)
{
    struct itimerspec due = {{0, 0}, {0, 0}}; /* zero stops the timer */
    int ms = -1;

    if (app->engine != NULL && gap_engine_tick(app->engine, now_us(), drained)) ms = 0;
    if (app->engine != NULL && ms < 0) ms = gap_engine_timeout_ms(app->engine, now_us());
    due.it_value.tv_sec = ms < 0 ? 0 : ms / 1000;
    due.it_value.tv_nsec = ms == 0 ? 1 : ms < 0 ? 0 : ms % 1000 * 1000000L;
    if (timerfd_settime(app->timer, 0, &due, NULL) != 0) app->status = 1;
}

static void turn(app_t *app)
{
    struct epoll_event events[3];
    uint64_t count;
    int n = epoll_wait(app->poll, events, 3, -1);

    app->turns++;
    for (int i = 0; i < n; i++) {
        if (events[i].data.fd == app->signal) end(app);
        if (events[i].data.fd == app->timer) (void)!read(app->timer, &count, sizeof count);
    }
    /* Also when the timer woke us: a wait must not end while what it waits for lies unread. */
    int r = app->ending ? 1 : tiny_read(app->server);
    if (r < 0) {
        fprintf(stderr, "the connection ended\n");
        app->status = 1;
        end(app);
    }
    tick(app, r > 0);
}

static int watch(app_t *app, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    return fd < 0 ? -1 : epoll_ctl(app->poll, EPOLL_CTL_ADD, fd, &event);
}

int main(void)
{
    static app_t app;
    const tiny_sink_t sink = {on_updates, on_new_session, on_unreadable, &app};
    const char *port = getenv("SERVER_PORT"), *key = getenv("SERVER_KEY");
    sigset_t signals;

    if (port == NULL || key == NULL || getenv("BOT_TOKEN") == NULL) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    app.server = tiny_open((uint16_t)atoi(port), key, &sink);
    app.poll = epoll_create1(EPOLL_CLOEXEC);
    app.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    app.signal = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
    if (app.poll < 0 || watch(&app, tiny_fd(app.server)) != 0 || watch(&app, app.timer) != 0 ||
        watch(&app, app.signal) != 0 || sign_in(&app) != 0)
        return 1;
    while (!app.ending || app.engine != NULL) turn(&app);
    printf("end messages=%lu turns=%lu\n", app.messages, app.turns);
    tiny_close(app.server);
    (void)close(app.signal);
    (void)close(app.timer);
    (void)close(app.poll);
    return app.status;
}
