/*
 * userbot/embedded.c - the demo: a data centre of our own, and the verdict against its ledger.
 *
 *   child ready -> connect -> traffic ... -> child says done -> complete and quiet -> verdict
 */
#include "userbot/app.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* No learned wait is longer: what is later than that can't heal by itself. */
#define GAP_WAIT_US GAP_ENGINE_GAP_WAIT_US
#define KEY_MAX     16384

/* Any token signs in at the simulated data centre; its number becomes the account's id. */
static const char demo_token[] = "7000001:demo";
#define DEMO_ACCOUNT 7000001

static void on_child_ready(void *arg, uint16_t port, int dc)
{
    struct app *app = arg;
    char pem[KEY_MAX];
    FILE *f = fopen(app->child.key_path, "r");

    if (f == NULL) {
        app_complain(app, "the simulated data centre left no key at %s: %s", app->child.key_path,
                     strerror(errno));
        app_end(app, APP_FAILED);
        return;
    }
    size_t len = fread(pem, 1, sizeof pem - 1, f);
    (void)fclose(f);
    pem[len] = '\0';
    app->options.api_id = 1;
    if (app->options.job == JOB_PUBLISH) app->options.state = app->child.state_path;
    if (options_set_secret(&app->options, SECRET_API_HASH, "demo") < 0 ||
        options_set_secret(&app->options, SECRET_BOT_TOKEN, demo_token) < 0) {
        app_complain(app, "out of memory");
        app_end(app, APP_FAILED);
    } else if (app_target(app, "127.0.0.1", port, dc, pem) == 0) {
        app_open(app);
    }
}

static void on_traffic_done(void *arg)
{
    struct app *app = arg;

    app->traffic_done = true;
    app->last_news_ms = app_elapsed_ms(app);
}

static void on_child_exited(void *arg, const char *text)
{
    struct app *app = arg;

    app->child_alive = false;
    if (app->ending) return;
    app_complain(app, "the simulated data centre %s", text);
    app_end(app, APP_FAILED);
}

static const struct child_events child_events = {on_child_ready, on_traffic_done, on_child_exited};

int embedded_start(struct app *app)
{
    if (app->options.job == JOB_RUN) {
        app->verdict = verdict_new(DEMO_ACCOUNT, GAP_WAIT_US);
        if (app->verdict == NULL) {
            app_complain(app, "out of memory");
            return GAP_E_NOMEM;
        }
    }
    int r = child_start(&app->child, &app->loop, &app->options, &child_events, app);
    app->child_alive = app->child.handles > 0;
    if (r < 0) {
        app_complain(app, "can't start gapless-dc beside this program: %s; './run build' makes it",
                     gap_strerror(r));
    }
    return r;
}

int embedded_delivered(struct app *app, const char *line, size_t len, int64_t at_us)
{
    return verdict_delivered_line(app->verdict, line, len, at_us);
}

/* Read what the ledger has grown by. A last line without its end is read again next time. */
static int read_ledger(struct app *app)
{
    ssize_t len;

    if (app->ledger == NULL) app->ledger = fopen(app->child.ledger_path, "r");
    if (app->ledger == NULL) return 0;
    for (;;) {
        off_t start = ftello(app->ledger);
        len = getline(&app->ledger_line, &app->ledger_cap, app->ledger);
        if (len <= 0) break;
        if (app->ledger_line[len - 1] != '\n') {
            if (fseeko(app->ledger, start, SEEK_SET) != 0) return -errno;
            break;
        }
        int r = verdict_ledger_line(app->verdict, app->ledger_line, (size_t)len - 1);
        if (r < 0) return r;
    }
    clearerr(app->ledger);
    return 0;
}

static bool compare(struct app *app)
{
    int r = read_ledger(app);

    if (r == 0) r = verdict_compare(app->verdict, &app->report);
    if (r == 0) return true;
    app_complain(app, "can't read the ledger %s: %s", app->child.ledger_path, gap_strerror(r));
    app_end(app, APP_FAILED);
    return false;
}

void embedded_tick(struct app *app)
{
    if (!app->traffic_done || app->ending) return;
    if (app_elapsed_ms(app) - app->last_news_ms < APP_QUIET_MS) return;
    if (compare(app) && app->report.lost == 0) app_end(app, APP_DONE);
}

static void print_json(const struct verdict_report *r)
{
    printf("{\"event\":\"verdict\",\"expected\":%llu,\"delivered\":%llu,\"lost\":%llu,"
           "\"doubled\":%llu,\"out_of_order\":%llu,\"superseded\":%llu,\"unexpected\":%llu,"
           "\"outside\":%llu,\"differences\":%llu,\"gaps\":%llu,\"p50_ms\":%.3f,"
           "\"p99_ms\":%.3f,\"clean_p50_ms\":%.3f}\n",
           (unsigned long long)r->expected, (unsigned long long)r->delivered,
           (unsigned long long)r->lost, (unsigned long long)r->doubled,
           (unsigned long long)r->out_of_order, (unsigned long long)r->superseded,
           (unsigned long long)r->unexpected, (unsigned long long)r->outside,
           (unsigned long long)r->differences, (unsigned long long)r->gaps, r->p50_ms, r->p99_ms,
           r->clean_p50_ms);
}

static void print_text(const struct verdict_report *r)
{
    if (r->first_problem[0] != '\0') printf("first problem: %s\n", r->first_problem);
    printf("%llu of %llu events are not judged: typing, status, and queries never pushed\n",
           (unsigned long long)r->outside, (unsigned long long)(r->expected + r->outside));
    printf("%llu gaps that could not heal by themselves, %.2f differences for each\n"
           "p50 of undisturbed updates %.2f ms\n",
           (unsigned long long)r->gaps,
           r->gaps > 0 ? (double)r->differences / (double)r->gaps : 0.0, r->clean_p50_ms);
    printf("delivered %llu/%llu, lost %llu, doubled %llu, out of order %llu, superseded %llu, "
           "differences %llu, p50 %.1f ms, p99 %.1f ms\n",
           (unsigned long long)r->delivered, (unsigned long long)(r->expected - r->superseded),
           (unsigned long long)r->lost, (unsigned long long)(r->doubled + r->unexpected),
           (unsigned long long)r->out_of_order, (unsigned long long)r->superseded,
           (unsigned long long)r->differences, r->p50_ms, r->p99_ms);
}

int embedded_verdict(struct app *app)
{
    if (!compare(app)) return APP_FAILED;
    const struct verdict_report *r = &app->report;
    if (app->options.json) {
        print_json(r);
    } else {
        print_text(r);
    }
    bool good = r->lost == 0 && r->doubled == 0 && r->out_of_order == 0 && r->unexpected == 0 &&
                r->expected > 0;
    return good ? APP_DONE : APP_NOT_MET;
}

void embedded_fini(struct app *app)
{
    if (app->ledger != NULL) (void)fclose(app->ledger);
    free(app->ledger_line);
    verdict_free(app->verdict);
    child_fini(&app->child);
}
