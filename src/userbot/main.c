/*
 * userbot/main.c - gapless-userbot: an account that writes down what it receives and answers /ping
 * with pong.
 *
 * Owns the uv loop, the client, the signals and the output file. Ends in one place, app_end, which
 * closes everything; the loop then runs empty and the status is returned. The client may be opened
 * more than once, one after the other: a sign-in can turn out to need other settings.
 */
#include "userbot/publish.h"

#include "base/bytes.h"
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_FILE_MAX 65536
/* Pauses that the server wants and that nobody needs to hear of. */
#define SHORT_WAIT_US 2000000

uint64_t app_elapsed_ms(const struct app *app)
{
    return uv_hrtime() / 1000000 - app->started_ms;
}

static void end_progress(struct app *app)
{
    if (app->progress_shown) (void)fputs("\r\033[K", stderr);
    app->progress_shown = false;
}

void app_progress(struct app *app, const char *format, ...)
{
    struct winsize size = {0};
    char line[256];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    /* A line that goes on in the next one could not be taken back. */
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
        size.ws_col < sizeof line)
        line[size.ws_col - 1] = '\0';
    (void)fprintf(stderr, "\r\033[K%s", line);
    (void)fflush(stderr);
    app->progress_shown = true;
}

void app_complain(struct app *app, const char *format, ...)
{
    va_list args;

    end_progress(app);
    if (app->asks.asking) (void)fputc('\n', stderr);
    va_start(args, format);
    (void)fputs("gapless-userbot: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
}

static void on_client_closed(void *data)
{
    struct app *app = data;

    app->client = NULL;
    if (app->ending) {
        handle_close(app);
        child_stop(&app->child);
    } else {
        app->reopen(app);
    }
}

void app_reopen(struct app *app, void (*next)(struct app *app))
{
    app->reopen = next;
    gap_client_close(app->client, on_client_closed, app);
}

void app_end(struct app *app, int status)
{
    if (app->ending) return;
    app->ending = true;
    app->status = status;
    terminal_close(&app->asks);
    uv_close((uv_handle_t *)&app->tick, NULL);
    uv_close((uv_handle_t *)&app->interrupted, NULL);
    uv_close((uv_handle_t *)&app->terminated, NULL);
    if (status != APP_DONE) handle_give_up(app);
    if (app->client != NULL) {
        gap_client_stats(app->client, &app->stats);
        gap_client_stop(app->client);
        gap_client_close(app->client, on_client_closed, app);
    } else {
        handle_close(app);
        child_stop(&app->child);
    }
}

static void on_disconnected(struct app *app, const gap_event_t *event)
{
    if (app->ending) return;
    if (app->connected) {
        app_complain(app, "%s", event->text);
        terminal_repeat(&app->asks);
        return;
    }
    /* Never once connected: more likely a wrong address than a bad day. So it ends here, and the
     * event's last words, when the next attempt will be, are left out. The address may be another
     * one than was given: that of the session's data centre. */
    const char *end = strrchr(event->text, ';');
    app_complain(app, "%.*s", end != NULL ? (int)(end - event->text) : (int)strlen(event->text),
                 event->text);
    app_end(app, APP_FAILED);
}

/* Connecting and signing in. @return false: the event is about something else. */
static bool on_sign_in_event(struct app *app, const gap_event_t *event)
{
    bool job = app->options.job != JOB_RUN;

    switch (event->kind) {
    case GAP_CLIENT_CONNECTED:
        if (job) account_connected(app);
        app->connected = true;
        return true;
    case GAP_CLIENT_SIGN_IN:
        if (app->options.job == JOB_LOGOUT || app->options.job == JOB_SESSIONS) {
            account_not_signed_in(app);
        } else {
            sign_in_question(app, event);
        }
        return true;
    case GAP_CLIENT_SIGNED_IN:
        options_forget(&app->options);
        account_signed_in(app, event->user_id);
        return true;
    case GAP_CLIENT_SIGNED_OUT:
        if (account_signed_out(app)) return true;
        app_complain(app, "%s", event->text);
        app_end(app, APP_FAILED);
        return true;
    default:
        return false;
    }
}

static void on_event(gap_client_t *client, const gap_event_t *event, void *data)
{
    struct app *app = data;

    (void)client;
    if (app->ending || on_sign_in_event(app, event)) return;
    switch (event->kind) {
    case GAP_CLIENT_FATAL:
        if (event->error == GAP_E_ARGUMENT && sign_in_can_help(app)) break;
        app_complain(app, "%s", event->text);
        app_end(app, APP_FAILED);
        break;
    case GAP_CLIENT_DISCONNECTED:
        on_disconnected(app, event);
        break;
    case GAP_CLIENT_STARTED:
        app->flowing = true;
        account_started(app);
        if (app->publish != NULL) publish_started(app);
        break;
    case GAP_CLIENT_GAP_ABANDONED:
    case GAP_CLIENT_RESYNCHRONISED:
    case GAP_CLIENT_CHANNEL_LOST:
    case GAP_CLIENT_HANDLER_FAILED:
    case GAP_CLIENT_HANDLER_TIMEOUT:
    case GAP_CLIENT_DEAD_LETTER:
    case GAP_CLIENT_OVERLOADED:
    case GAP_CLIENT_STORE_FAILED:
    case GAP_CLIENT_STORE_RECOVERED:
    case GAP_CLIENT_ERROR:
    case GAP_CLIENT_OUTBOX_STOPPED:
    case GAP_CLIENT_OUTBOX_CASCADE:
        app_complain(app, "%s", event->text);
        terminal_repeat(&app->asks);
        break;
    case GAP_CLIENT_OUTBOX_LIMITED:
        if (event->us >= SHORT_WAIT_US) app_complain(app, "%s", event->text);
        break;
    case GAP_CLIENT_OUTBOX_PARKED:
    case GAP_CLIENT_OUTBOX_DEAD:
        /* Of its own posts publish says it itself. */
        if (app->publish == NULL) app_complain(app, "%s", event->text);
        break;
    default:
        break;
    }
}

int app_target(struct app *app, const char *host, uint16_t port, int dc, const char *rsa_key)
{
    if (host != NULL) {
        (void)snprintf(app->target, sizeof app->target, "%s:%u", host, (unsigned)port);
    } else {
        (void)snprintf(app->target, sizeof app->target, "Telegram");
    }
    app->port = port;
    app->dc = dc;
    app->host = host != NULL ? strdup(host) : NULL;
    app->rsa_key = rsa_key != NULL ? strdup(rsa_key) : NULL;
    if ((host == NULL || app->host != NULL) && (rsa_key == NULL || app->rsa_key != NULL)) return 0;
    app_complain(app, "out of memory");
    app_end(app, APP_FAILED);
    return GAP_E_NOMEM;
}

/* Only what takes or begins a state needs it. @return 0, or negative: said already. */
static int open_storage(struct app *app, gap_storage_t **out)
{
    gap_sqlite_config_t config = {.path = app->options.state};
    bool wanted = app->options.job == JOB_RUN || app->options.job == JOB_LOGIN ||
                  app->options.job == JOB_PUBLISH;

    *out = NULL;
    if (config.path == NULL || !wanted) return 0;
    int r = gap_storage_sqlite(NULL, &config, out);
    if (r == GAP_E_NOT_FOUND) {
        app_complain(app, "--state needs SQLite, and this program was built without it: install "
                          "libsqlite3-dev and build again, or give --session FILE, which keeps "
                          "the session alone");
    } else if (r < 0) {
        app_complain(app, "can't use %s: %s", config.path, gap_strerror(r));
    }
    return r;
}

/* Events end when closing begins; that the last changes were not stored is only logged. What came
 * before was said as an event. */
static void on_log(void *data, gap_log_level_t level, const char *text)
{
    struct app *app = data;

    if (app->ending && app->flowing && level == GAP_LOG_ERROR) app_complain(app, "%s", text);
}

static int open_client(struct app *app, gap_storage_t *storage)
{
    const struct options *o = &app->options;
    const gap_runner_config_t runner = {
        .concurrency = o->concurrency,
        .journal = (gap_journal_mode_t)o->journal,
    };
    const gap_outbox_config_t outbox = {
        .account = o->account_rate,
        .user = o->chat_rate,
        .group = o->group_rate,
        .debounce_us = o->debounce_us,
        .on_row = app->publish != NULL ? publish_row : NULL,
        .data = app,
    };
    gap_client_config_t config;

    memset(&config, 0, sizeof config);
    config.outbox = o->outbox || o->job == JOB_PUBLISH ? &outbox : NULL;
    config.network = app->host != NULL ? GAP_NETWORK_CUSTOM : GAP_NETWORK_PRODUCTION;
    config.host = app->host;
    config.port = app->port;
    config.dc = app->dc;
    config.rsa_key = app->rsa_key;
    config.api_id = o->api_id;
    config.api_hash = o->secrets[SECRET_API_HASH];
    config.bot_token = o->secrets[SECRET_BOT_TOKEN];
    config.phone = config.bot_token == NULL ? o->secrets[SECRET_PHONE] : NULL;
    config.session = o->session;
    config.runner = &runner;
    config.storage = storage;
    config.device_model = "gapless-userbot";
    config.log = on_log;
    config.log_data = app;
    config.log_level = GAP_LOG_ERROR;
    app->sign_in.used[SECRET_PHONE] = config.phone != NULL;
    app->sign_in.answered = config.phone != NULL ? GAP_SIGN_IN_PHONE : SIGN_IN_NOTHING;
    int r = gap_client_open(&app->loop, &config, &app->client);
    if (r < 0) {
        app->client = NULL;
        if (storage != NULL) storage->ops->destroy(storage);
        return r;
    }
    gap_client_on_event(app->client, on_event, app);
    if (o->job == JOB_RUN) gap_client_on_update(app->client, handle_update, app);
    return gap_client_start(app->client);
}

void app_open(struct app *app)
{
    gap_storage_t *storage;

    if (open_storage(app, &storage) < 0) {
        app_end(app, APP_FAILED);
        return;
    }
    int r = open_client(app, storage);
    if (r == 0) return;
    if (r == GAP_E_PEM) {
        app_complain(app,
                     "%s holds no RSA public key in PEM form: give the file that the server "
                     "wrote with --pubkey-out",
                     app->options.server_key != NULL ? app->options.server_key : "the key");
    } else {
        app_complain(app, "can't start: %s", gap_strerror(r));
    }
    app_end(app, APP_FAILED);
}

static void show_progress(struct app *app)
{
    gap_client_stats_t s;

    if (!app->terminal || app->client == NULL || app->ending || !app->flowing) return;
    if (app->publish != NULL) {
        publish_progress(app);
        return;
    }
    gap_client_stats(app->client, &s);
    app_progress(app,
                 "%" PRIu64 " updates, %" PRIu64 " duplicates, %" PRIu64 " gaps (%" PRIu64
                 " healed, %" PRIu64 " fetched), %.1f s",
                 app->delivered, s.duplicates, s.gaps, s.healed, s.fetched,
                 (double)app_elapsed_ms(app) / 1000.0);
}

static void on_tick(uv_timer_t *timer)
{
    struct app *app = timer->data;

    show_progress(app);
    if (app->verdict != NULL) embedded_tick(app);
    if (app->publish != NULL) publish_tick(app);
    if (app->ending || app->options.timeout_s == 0) return;
    if (app_elapsed_ms(app) < (uint64_t)app->options.timeout_s * 1000) return;
    if (app->options.job == JOB_RUN) {
        app_complain(app,
                     "not complete after %u s: %" PRIu64 " updates came; --timeout allows more",
                     app->options.timeout_s, app->delivered);
    } else {
        app_complain(app, "not done after %u s; --timeout allows more", app->options.timeout_s);
    }
    app_end(app, APP_NOT_MET);
}

/* ---- ending by a signal ---- */

static void on_shut_down(gap_client_t *client, const gap_shutdown_report_t *report, void *data)
{
    struct app *app = data;
    bool unmet = app->options.expect != 0 || app->verdict != NULL;

    (void)client;
    if (app->ending) return; /* it ended another way meanwhile */
    if (app->publish != NULL) {
        app_end(app, APP_NOT_MET);
        return;
    }
    app_complain(app, "drained %" PRIu64 ", journalled %" PRIu64 ", unknown %" PRIu64,
                 report->drained, report->journalled, report->unknown);
    if (report->sends_unknown > 0)
        app_complain(app, "%" PRIu64 " requests were not answered", report->sends_unknown);
    if (report->status < 0)
        app_complain(app, "the last changes could not be stored: %s; the next start repeats them",
                     gap_strerror(report->status));
    handle_give_up(app);
    app_end(app, report->status < 0 ? APP_FAILED : unmet ? APP_NOT_MET : APP_DONE);
}

/* The first signal lets handlers finish, the second one does not, the third one kills. */
static void shut_down(struct app *app, int number)
{
    const gap_shutdown_config_t config = {
        .deadline_us = (uint64_t)app->options.drain_s * 1000000,
    };
    bool at_once = app->signals > 1 || app->options.drain_s == 0;

    if (app->signals > 2) {
        (void)signal(number, SIG_DFL);
        (void)raise(number);
        return;
    }
    if (app->signals == 1 && app->publish != NULL)
        app_complain(app, "interrupted: publish again to go on");
    else if (app->signals == 1)
        app_complain(app, "interrupted after %" PRIu64 " updates", app->delivered);
    int r = gap_client_shutdown(app->client, &config, on_shut_down, app);
    if (r == 0 && at_once) r = gap_client_shutdown(app->client, NULL, NULL, NULL);
    if (r < 0) {
        app_complain(app, "can't end in good order: %s", gap_strerror(r));
        app_end(app, APP_FAILED);
    }
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct app *app = handle->data;
    bool unmet = app->options.expect != 0 || app->verdict != NULL;

    app->signals++;
    if (app->options.job != JOB_RUN && (app->publish == NULL || app->client == NULL)) {
        app_complain(app, "interrupted");
        app_end(app, APP_FAILED);
    } else if (app->asks.asking) {
        app_complain(app, "interrupted: not signed in");
        app_end(app, APP_FAILED);
    } else if (app->client == NULL) {
        app_complain(app, "interrupted");
        app_end(app, unmet ? APP_NOT_MET : APP_DONE);
    } else {
        shut_down(app, number);
    }
}

static char *read_file(struct app *app, const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = f == NULL ? NULL : malloc(KEY_FILE_MAX);

    if (text == NULL) {
        app_complain(app,
                     "can't read the server's key %s: %s; give the file that the server wrote "
                     "with --pubkey-out",
                     path, strerror(errno));
        if (f != NULL) (void)fclose(f);
        return NULL;
    }
    size_t len = fread(text, 1, KEY_FILE_MAX - 1, f);
    text[len] = '\0';
    (void)fclose(f);
    return text;
}

static void begin(struct app *app)
{
    struct options *o = &app->options;

    if (o->job == JOB_PUBLISH && publish_begin(app) < 0) return;
    if (o->mode == MODE_EMBEDDED) {
        if (embedded_start(app) < 0) app_end(app, APP_FAILED);
        return;
    }
    char *pem = NULL;
    if (o->mode == MODE_SERVER) {
        pem = read_file(app, o->server_key);
        if (pem == NULL) {
            app_end(app, APP_FAILED);
            return;
        }
    }
    int r = app_target(app, o->host, o->port, o->mode == MODE_SERVER ? o->dc : 0, pem);
    free(pem);
    if (r < 0) return;
    if ((o->job == JOB_LOGOUT || o->job == JOB_SESSIONS) && access(o->session, F_OK) != 0) {
        account_not_signed_in(app); /* nothing is made where there is nothing */
    } else {
        sign_in_begin(app);
    }
}

/* With a state the output goes on, too. Where a kill has torn the last line, a new one begins. */
static FILE *open_output(const struct options *o)
{
    struct stat there;
    FILE *f;

    if (strcmp(o->out, "-") == 0) return stdout;
    /* A pipe or a terminal has no end to go on from. */
    bool is_stream = stat(o->out, &there) == 0 && !S_ISREG(there.st_mode);
    if (o->state == NULL || is_stream) return fopen(o->out, "w");
    f = fopen(o->out, "a+");
    if (f == NULL) return NULL;
    bool torn = fseek(f, -1, SEEK_END) == 0 && fgetc(f) != '\n';
    /* Reading and writing take turns only over a change of position. */
    if (fseek(f, 0, SEEK_END) == 0 && (!torn || fputc('\n', f) == '\n') && fflush(f) == 0) return f;
    (void)fclose(f);
    return NULL;
}

static int open_files(struct app *app)
{
    app->line_stream = open_memstream(&app->line, &app->line_len);
    if (app->line_stream == NULL) {
        app_complain(app, "out of memory");
        return -1;
    }
    if (app->options.out == NULL) return 0;
    if (app->options.job != JOB_RUN && app->options.job != JOB_PUBLISH) return 0;
    app->out = open_output(&app->options);
    if (app->out != NULL) return 0;
    app_complain(app, "can't write to %s: %s; name a file in a folder that is there with --out",
                 app->options.out, strerror(errno));
    return -1;
}

static int setup(struct app *app)
{
    int r = uv_loop_init(&app->loop);

    if (r < 0) return r;
    terminal_init(&app->asks);
    app->started_ms = uv_hrtime() / 1000000;
    app->terminal = isatty(STDERR_FILENO) != 0 && !app->options.json;
    app->tick.data = app->interrupted.data = app->terminated.data = app;
    if ((r = handle_open(app)) < 0) return r;
    if ((r = uv_timer_init(&app->loop, &app->tick)) < 0) return r;
    if ((r = uv_signal_init(&app->loop, &app->interrupted)) < 0) return r;
    if ((r = uv_signal_init(&app->loop, &app->terminated)) < 0) return r;
    if ((r = uv_timer_start(&app->tick, on_tick, APP_TICK_MS, APP_TICK_MS)) < 0) return r;
    if ((r = uv_signal_start(&app->interrupted, on_signal, SIGINT)) < 0) return r;
    return uv_signal_start(&app->terminated, on_signal, SIGTERM);
}

static int finish(struct app *app)
{
    int status = app->status;

    end_progress(app);
    if (app->options.job == JOB_PUBLISH) {
        status = publish_finish(app, status);
        publish_fini(app);
    } else if (app->options.job != JOB_RUN) {
        if (status == APP_DONE) account_finish(app);
    } else if (app->verdict != NULL && (status == APP_DONE || status == APP_NOT_MET)) {
        int verdict = embedded_verdict(app);
        if (status == APP_DONE) status = verdict;
    } else if (app->options.json) {
        printf("{\"event\":\"end\",\"delivered\":%" PRIu64 ",\"status\":%d}\n", app->delivered,
               status);
    } else if (app->verdict == NULL && app->flowing && app->out != stdout) {
        printf("received %" PRIu64 " updates; dropped %" PRIu64 " duplicates; %" PRIu64
               " gaps, %" PRIu64 " of them healed by late updates\n",
               app->delivered, app->stats.duplicates, app->stats.gaps, app->stats.healed);
    }
    embedded_fini(app);
    if (app->line_stream != NULL) (void)fclose(app->line_stream);
    free(app->line);
    if (app->out != NULL && app->out != stdout && fclose(app->out) != 0 && status == APP_DONE) {
        app_complain(app, "writing %s failed: %s", app->options.out, strerror(errno));
        status = APP_FAILED;
    }
    options_fini(&app->options);
    free(app->host);
    free(app->rsa_key);
    return status;
}

int main(int argc, char **argv)
{
    struct app app;

    memset(&app, 0, sizeof app);
    switch (options_parse(argc, argv, &app.options)) {
    case OPTIONS_HELP:
        return APP_DONE;
    case OPTIONS_WRONG:
        return APP_USAGE;
    default:
        break;
    }
    if (app.options.job == JOB_OUTBOX) {
        int status = outbox_command(&app.options);
        options_fini(&app.options);
        return status;
    }
    int r = setup(&app);
    if (r < 0) {
        app_complain(&app, "can't set the event loop up: %s", gap_strerror(r));
        return APP_FAILED;
    }
    if (open_files(&app) < 0) {
        app_end(&app, APP_FAILED);
    } else {
        begin(&app);
    }
    (void)uv_run(&app.loop, UV_RUN_DEFAULT);
    r = uv_loop_close(&app.loop);
    if (r < 0) {
        app_complain(&app, "something was left open on the event loop: %s", gap_strerror(r));
        app.status = APP_FAILED;
    }
    return finish(&app);
}
