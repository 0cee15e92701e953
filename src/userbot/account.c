/*
 * userbot/account.c - the jobs that end by themselves: login, logout, sessions.
 *
 *   login     signed in -> its name; with --state: until the state is stored -> end
 *   logout    signed in -> auth.logOut -> signed out -> end
 *   sessions  signed in -> account.getAuthorizations -> a table -> end
 *
 * None of them takes updates: what comes meanwhile is for the run after it.
 */
#include "userbot/app.h"

#include "userbot/json.h"
#include "userbot/text.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define COLUMN_MAX 28

/* ---- login ---- */

static void login_step(struct app *app)
{
    if (app->account.named && (app->options.state == NULL || app->account.started)) {
        app_end(app, APP_DONE);
    }
}

static int read_name(struct app *app, gap_bytes_t answer)
{
    gap_tl_vector_t users;
    gap_tl_object_t object;
    gap_tl_user_t user;
    char text[512];

    int r = gap_tl_read_result(answer, GAP_TL_USERS_GET_USERS, &users);
    if (r < 0) return r;
    gap_tl_iter_t it = gap_tl_iter(users);
    if (gap_tl_next(&it, &object) != 1 || object.id != GAP_TL_USER) return GAP_E_NOT_FOUND;
    int64_t n = GAP_TL_READ(object, GAP_TL_USER, &user);
    if (n < 0) return (int)n;
    (void)snprintf(text, sizeof text, "%.*s%s%.*s", (int)user.first_name.len,
                   (const char *)user.first_name.data, user.last_name.len > 0 ? " " : "",
                   (int)user.last_name.len, (const char *)user.last_name.data);
    (void)text_printable(gap_str(text), 64, app->account.name, sizeof app->account.name);
    return 0;
}

static void on_name(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct app *app = data;

    (void)client;
    if (app->ending || result->status == GAP_E_UNAUTHORIZED) return; /* the event says it */
    int r = result->status;
    if (r == 0) r = read_name(app, gap_tl_bytes(result->object));
    if (r < 0) {
        app_complain(app, "the account's name could not be had: %s%s%s", gap_strerror(r),
                     result->rpc_name[0] != '\0' ? ": " : "", result->rpc_name);
        app_end(app, APP_FAILED);
        return;
    }
    app->account.named = true;
    login_step(app);
}

static int ask_name(struct app *app)
{
    gap_tl_input_user_self_t self;
    gap_tl_users_get_users_t query;

    memset(&self, 0, sizeof self);
    gap_tl_object_t id = GAP_TL_OF(GAP_TL_INPUT_USER_SELF, &self);
    query.id = gap_tl_array(&id, 1);
    return gap_tl_users_get_users(app->client, &query, on_name, app);
}

/* ---- sessions ---- */

static void put_cell(const char *text, size_t chars, size_t width)
{
    (void)fputs(text, stdout);
    for (; chars < width + 2; chars++) (void)fputc(' ', stdout);
}

static const char *moment(int32_t date, char out[24])
{
    time_t at = date;
    struct tm parts;

    if (gmtime_r(&at, &parts) == NULL || strftime(out, 24, "%Y-%m-%d %H:%M", &parts) == 0)
        out[0] = '\0';
    return out;
}

static gap_bytes_t join(char out[256], gap_bytes_t a, gap_bytes_t b)
{
    (void)snprintf(out, 256, "%.*s%s%.*s", (int)a.len, (const char *)a.data,
                   a.len > 0 && b.len > 0 ? " " : "", (int)b.len, (const char *)b.data);
    return gap_str(out);
}

/* The cells of a session: device, app, where, when. */
static void make_row(const gap_tl_authorization_t *a, char cells[4][4 * COLUMN_MAX + 1],
                     size_t chars[4])
{
    char text[256];
    char when[24];

    chars[0] = text_printable(join(text, a->device_model, a->system_version), COLUMN_MAX, cells[0],
                              sizeof cells[0]);
    chars[1] = text_printable(join(text, a->app_name, a->app_version), COLUMN_MAX, cells[1],
                              sizeof cells[1]);
    chars[2] = text_printable(a->country.len > 0 ? a->country : a->ip, COLUMN_MAX, cells[2],
                              sizeof cells[2]);
    chars[3] = text_printable(gap_str(moment(a->date_active, when)), COLUMN_MAX, cells[3],
                              sizeof cells[3]);
}

static void put_member(const char *key, gap_bytes_t text)
{
    printf(",\"%s\":", key);
    json_put_string(stdout, text);
}

static void put_json(const gap_tl_authorization_t *a, bool current)
{
    char text[256];

    printf("{\"event\":\"session\",\"current\":%s", current ? "true" : "false");
    put_member("device", join(text, a->device_model, a->system_version));
    put_member("app", join(text, a->app_name, a->app_version));
    put_member("country", a->country);
    put_member("ip", a->ip);
    printf(",\"created\":%" PRId32 ",\"active\":%" PRId32 "}\n", a->date_created, a->date_active);
}

/* Once for the widths, once for the lines. */
static int walk_sessions(gap_tl_vector_t list, bool json, bool print, size_t widths[4])
{
    char cells[4][4 * COLUMN_MAX + 1];
    gap_tl_authorization_t a;
    gap_tl_object_t object;
    size_t chars[4];
    int r;

    for (gap_tl_iter_t it = gap_tl_iter(list); (r = gap_tl_next(&it, &object)) == 1;) {
        int64_t n = GAP_TL_READ(object, GAP_TL_AUTHORIZATION, &a);
        if (n < 0) return (int)n;
        bool current = (a.flags & GAP_TL_AUTHORIZATION_F_CURRENT) != 0;
        make_row(&a, cells, chars);
        for (int i = 0; i < 4; i++) widths[i] = chars[i] > widths[i] ? chars[i] : widths[i];
        if (print && json) {
            put_json(&a, current);
        } else if (print) {
            (void)fputs(current ? "* " : "  ", stdout);
            for (int i = 0; i < 3; i++) put_cell(cells[i], chars[i], widths[i]);
            (void)puts(cells[3]);
        }
    }
    return r;
}

static int print_sessions(struct app *app, gap_tl_object_t answer)
{
    static const char *const heads[4] = {"device", "app", "where", "last active (UTC)"};
    gap_tl_account_authorizations_t list;
    size_t widths[4];

    int64_t n = GAP_TL_READ(answer, GAP_TL_ACCOUNT_AUTHORIZATIONS, &list);
    if (n < 0) return (int)n;
    for (int i = 0; i < 4; i++) widths[i] = strlen(heads[i]);
    int r = walk_sessions(list.authorizations, app->options.json, false, widths);
    if (r < 0) return r;
    if (!app->options.json) {
        (void)fputs("  ", stdout);
        for (int i = 0; i < 3; i++) put_cell(heads[i], strlen(heads[i]), widths[i]);
        (void)puts(heads[3]);
    }
    r = walk_sessions(list.authorizations, app->options.json, true, widths);
    if (r == 0 && !app->options.json) (void)puts("* this one");
    return r;
}

static void on_sessions(gap_client_t *client, const gap_result_t *result, void *data)
{
    struct app *app = data;

    (void)client;
    if (app->ending || result->status == GAP_E_UNAUTHORIZED) return;
    int r = result->status;
    if (r == 0) r = print_sessions(app, result->object);
    if (r < 0 && strcmp(result->rpc_name, "BOT_METHOD_INVALID") == 0) {
        app_complain(app, "Telegram lists the sessions of persons only, and this is a bot");
    } else if (r < 0) {
        app_complain(app, "the sessions could not be listed: %s%s%s", gap_strerror(r),
                     result->rpc_name[0] != '\0' ? ": " : "", result->rpc_name);
    }
    app_end(app, r < 0 ? APP_FAILED : APP_DONE);
}

static int ask_sessions(struct app *app)
{
    gap_tl_account_get_authorizations_t query;

    memset(&query, 0, sizeof query);
    return gap_tl_account_get_authorizations(app->client, &query, on_sessions, app);
}

/* ---- events ---- */

void account_connected(struct app *app)
{
    /* Known before anything was asked: from the session. */
    if (!app->connected) app->account.already = gap_client_self(app->client) != 0;
}

void account_signed_in(struct app *app, int64_t user_id)
{
    int r;

    app->account.user_id = user_id;
    switch (app->options.job) {
    case JOB_LOGIN:
        r = ask_name(app);
        break;
    case JOB_LOGOUT:
        app->account.leaving = true;
        r = gap_client_log_out(app->client);
        break;
    case JOB_SESSIONS:
        r = ask_sessions(app);
        break;
    default:
        return;
    }
    if (r == 0) return;
    app_complain(app, "can't go on: %s", gap_strerror(r));
    app_end(app, APP_FAILED);
}

void account_started(struct app *app)
{
    app->account.started = true;
    if (app->options.job == JOB_LOGIN) login_step(app);
}

void account_not_signed_in(struct app *app)
{
    if (app->options.job == JOB_LOGOUT) {
        app->account.out = true;
        app_end(app, APP_DONE);
        return;
    }
    app_complain(app, "not signed in: 'gapless-userbot login' with the same options signs in");
    app_end(app, APP_FAILED);
}

bool account_signed_out(struct app *app)
{
    if (!app->account.leaving) return false;
    app->account.left = true;
    app_end(app, APP_DONE);
    return true;
}

void account_finish(struct app *app)
{
    const struct account *a = &app->account;
    const char *session = app->options.session;

    if (app->options.job == JOB_LOGOUT && app->options.json) {
        printf("{\"event\":\"signed_out\",\"already\":%s}\n", a->out ? "true" : "false");
    } else if (app->options.job == JOB_LOGOUT) {
        printf(a->out ? "not signed in: %s holds no session\n"
                      : "signed out; %s holds no key any more\n",
               session);
    } else if (app->options.job == JOB_LOGIN && app->options.json) {
        printf("{\"event\":\"signed_in\",\"already\":%s,\"user_id\":%" PRId64 ",\"name\":",
               a->already ? "true" : "false", a->user_id);
        json_put_string(stdout, gap_str(a->name));
        (void)fputs(",\"session\":", stdout);
        json_put_string(stdout, gap_str(session));
        (void)puts("}");
    } else if (app->options.job == JOB_LOGIN) {
        printf("%ssigned in as %s (%" PRId64 "), session in %s\n", a->already ? "already " : "",
               a->name, a->user_id, session);
    }
}
