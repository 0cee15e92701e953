/*
 * userbot/sign_in.c - answers what a sign-in asks: with what flags and environment gave, each once;
 * then by asking at the terminal. Where there is none, one line says which flag and variable.
 *
 *   [api id and hash] -> connect -> question -> answer -> question ... -> signed in
 *
 * An answer that is refused three times ends the program. A bot token instead of a phone number
 * opens the client anew. Never prints an answer.
 */
#include "userbot/app.h"

#include "userbot/text.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define API_HINT "from my.telegram.org, 'API development tools'"

static const struct {
    enum secret secret;
    bool hidden;
    const char *name;
    const char *question;
} steps[] = {
    [GAP_SIGN_IN_PHONE] = {SECRET_PHONE, false, "the phone number",
                           "Phone number in international form, or a bot token: "},
    [GAP_SIGN_IN_CODE] = {SECRET_CODE, false, "the code", "Code"},
    [GAP_SIGN_IN_PASSWORD] = {SECRET_PASSWORD, true, "the two-step password", "Two-step password"},
    [GAP_SIGN_IN_NAME] = {SECRET_FIRST_NAME, false, "the first name", "Your first name: "},
};

static void ask(struct app *app, const char *question, bool hidden, terminal_answer_cb answer)
{
    int r = terminal_ask(&app->asks, &app->loop, question, hidden, answer, app);

    if (r == 0) return;
    app_complain(app, "can't ask at the terminal: %s", gap_strerror(r));
    app_end(app, APP_FAILED);
}

static void no_answer(struct app *app)
{
    app_complain(app, "no answer came: not signed in");
    app_end(app, APP_FAILED);
}

/* ---- api id and hash ---- */

static void ask_credentials(struct app *app);

static bool credentials_missing(const struct app *app)
{
    return app->options.api_id == 0 || app->options.secrets[SECRET_API_HASH] == NULL;
}

static void on_api_hash(void *arg, const char *line)
{
    struct app *app = arg;

    if (line == NULL) {
        no_answer(app);
        return;
    }
    if (*line != '\0' && options_set_secret(&app->options, SECRET_API_HASH, line) < 0) {
        app_complain(app, "out of memory");
        app_end(app, APP_FAILED);
        return;
    }
    ask_credentials(app);
}

static void on_api_id(void *arg, const char *line)
{
    struct app *app = arg;

    if (line == NULL) {
        no_answer(app);
        return;
    }
    app->options.api_id = options_api_id(line);
    ask_credentials(app);
}

static void ask_credentials(struct app *app)
{
    if (!credentials_missing(app)) {
        app_open(app);
    } else if (++app->sign_in.credentials_asked > SIGN_IN_TRIES + 1) {
        app_complain(app, "no api id and hash: get yours " API_HINT);
        app_end(app, APP_FAILED);
    } else if (app->options.api_id == 0) {
        ask(app, "Api id, a number (" API_HINT "): ", false, on_api_id);
    } else {
        ask(app, "Api hash (" API_HINT "; not shown): ", true, on_api_hash);
    }
}

/* Without them nothing goes on. */
static void need_credentials(struct app *app)
{
    if (terminal_is_there()) {
        ask_credentials(app);
        return;
    }
    app_complain(app, "not signed in yet: give --api-id (GAPLESS_API_ID) and %s (%s), " API_HINT,
                 options_flag(SECRET_API_HASH), options_variable(SECRET_API_HASH));
    app_end(app, APP_FAILED);
}

bool sign_in_can_help(struct app *app)
{
    bool signs_in = app->options.job != JOB_LOGOUT && app->options.job != JOB_SESSIONS;

    if (!signs_in || !credentials_missing(app)) return false;
    app_reopen(app, need_credentials);
    return true;
}

void sign_in_begin(struct app *app)
{
    const char *session = app->options.session;

    if (credentials_missing(app) && (session == NULL || access(session, F_OK) != 0)) {
        need_credentials(app);
    } else {
        app_open(app); /* with a session that is signed in, they are not needed */
    }
}

/* ---- questions of the library ---- */

static void put_question(struct app *app, const char *said);

static void answered(struct app *app, int r)
{
    if (r == 0 || r == GAP_E_CLOSED) return;
    if (r == GAP_E_ARGUMENT) {
        put_question(app, "An empty answer is none.");
    } else if (r != GAP_E_STATE) { /* asked anew meanwhile, or signed in */
        app_complain(app, "can't sign in: %s", gap_strerror(r));
        app_end(app, APP_FAILED);
    }
}

static void give(struct app *app, const char *text)
{
    app->sign_in.answered = (int)app->sign_in.step;
    switch (app->sign_in.step) {
    case GAP_SIGN_IN_PHONE:
        answered(app, gap_client_sign_in_phone(app->client, text));
        break;
    case GAP_SIGN_IN_CODE:
        answered(app, gap_client_sign_in_code(app->client, text));
        break;
    case GAP_SIGN_IN_PASSWORD:
        answered(app, gap_client_sign_in_password(app->client, text));
        break;
    default:
        answered(app, gap_client_sign_in_name(app->client, text, NULL));
        break;
    }
}

static void resend(struct app *app)
{
    struct sign_in *s = &app->sign_in;
    uint64_t now_ms = app_elapsed_ms(app);
    char text[80];

    s->answered = SIGN_IN_NOTHING;
    if (!s->can_resend) {
        put_question(app, "There is no other way to send the code.");
        return;
    }
    int r = now_ms < s->resend_at_ms ? GAP_E_BUSY : gap_client_sign_in_resend(app->client);
    if (r != GAP_E_BUSY) {
        answered(app, r);
        return;
    }
    uint64_t wait_s = s->resend_at_ms > now_ms ? (s->resend_at_ms - now_ms + 999) / 1000 : 1;
    (void)snprintf(text, sizeof text, "It can be sent again in %" PRIu64 " s.", wait_s);
    put_question(app, text);
}

static void on_answer(void *arg, const char *line)
{
    struct app *app = arg;

    if (line == NULL) {
        no_answer(app);
    } else if (app->client == NULL) {
        return;
    } else if (app->sign_in.step == GAP_SIGN_IN_CODE &&
               (*line == '\0' || strcmp(line, "resend") == 0)) {
        resend(app);
    } else if (app->sign_in.step == GAP_SIGN_IN_PHONE && strchr(line, ':') != NULL) {
        if (options_set_secret(&app->options, SECRET_BOT_TOKEN, line) < 0) {
            answered(app, GAP_E_NOMEM);
        } else {
            app_reopen(app, app_open);
        }
    } else {
        give(app, line);
    }
}

static const char *way(gap_code_delivery_t delivery)
{
    switch (delivery) {
    case GAP_CODE_SMS:
    case GAP_CODE_SMS_WORD:
    case GAP_CODE_SMS_PHRASE:
        return " by SMS";
    case GAP_CODE_CALL:
    case GAP_CODE_FLASH_CALL:
    case GAP_CODE_MISSED_CALL:
        return " by a call";
    case GAP_CODE_EMAIL:
        return " by e-mail";
    case GAP_CODE_FRAGMENT:
        return " through fragment.com";
    default:
        return "";
    }
}

/* `said`: what goes before it, a line. */
static void put_question(struct app *app, const char *said)
{
    const struct sign_in *s = &app->sign_in;
    char question[TERMINAL_QUESTION_MAX];
    int n = snprintf(question, sizeof question, "%s%s%s%s", said, *said != '\0' ? "\n" : "",
                     steps[s->step].question, s->detail);

    if (n >= 0 && (size_t)n >= sizeof question) {
        (void)snprintf(question, sizeof question, "%s%s", steps[s->step].question, s->detail);
    }
    ask(app, question, steps[s->step].hidden, on_answer);
}

/* What is known of a code before it is there. */
static const char *hint_of_code(gap_code_delivery_t delivery)
{
    switch (delivery) {
    case GAP_CODE_FLASH_CALL:
        return "the number looks like";
    case GAP_CODE_MISSED_CALL:
        return "the number begins with";
    case GAP_CODE_SMS_WORD:
    case GAP_CODE_SMS_PHRASE:
        return "it begins with";
    default:
        return "look at"; /* an address, a page */
    }
}

static void detail_code(struct sign_in *s, const gap_sign_in_t *q)
{
    char hint[120];
    char about[160] = "";
    char again[120] = "";
    char wait[40] = "";

    if (*q->pattern != '\0') {
        (void)text_printable(gap_str(q->pattern), 60, hint, sizeof hint);
        (void)snprintf(about, sizeof about, "%s %s", hint_of_code(q->delivery), hint);
    }
    if (q->resend_in_s > 0) {
        (void)snprintf(wait, sizeof wait, ", in %" PRIu32 " s", q->resend_in_s);
    }
    if (s->can_resend) {
        (void)snprintf(again, sizeof again, "an empty line sends it again%s%s", way(q->next), wait);
    }
    bool both = *about != '\0' && *again != '\0';
    bool any = *about != '\0' || *again != '\0';
    (void)snprintf(s->detail, sizeof s->detail, "%s%s%s%s%s: ", any ? " (" : "", about,
                   both ? "; " : "", again, any ? ")" : "");
}

/* What a question needs to be put again later. */
static void remember(struct app *app, const gap_sign_in_t *q)
{
    struct sign_in *s = &app->sign_in;
    char hint[120];

    s->step = q->step;
    s->can_resend = q->next != GAP_CODE_NONE || q->delivery == GAP_CODE_OTHER;
    s->resend_at_ms = app_elapsed_ms(app) + (uint64_t)q->resend_in_s * 1000;
    s->detail[0] = '\0';
    if (q->step == GAP_SIGN_IN_CODE) {
        detail_code(s, q);
    } else if (q->step == GAP_SIGN_IN_PASSWORD && *q->hint != '\0') {
        (void)text_printable(gap_str(q->hint), 60, hint, sizeof hint);
        (void)snprintf(s->detail, sizeof s->detail, " (hint: %s): ", hint);
    } else if (q->step == GAP_SIGN_IN_PASSWORD) {
        (void)snprintf(s->detail, sizeof s->detail, ": ");
    }
}

void sign_in_question(struct app *app, const gap_event_t *event)
{
    const gap_sign_in_t *q = event->sign_in;
    struct sign_in *s = &app->sign_in;
    bool refused = *q->refused != '\0';
    enum secret which = steps[q->step].secret;

    remember(app, q);
    if (q->step == GAP_SIGN_IN_PHONE && credentials_missing(app)) {
        app_reopen(app, need_credentials);
        return;
    }
    if (refused && s->answered == (int)q->step && ++s->refusals[q->step] >= SIGN_IN_TRIES) {
        app_complain(app, "%s; that was the third time: not signed in, try again later",
                     event->text);
        app_end(app, APP_FAILED);
        return;
    }
    const char *given = app->options.secrets[which];
    if (given != NULL && !s->used[which]) {
        s->used[which] = true;
        give(app, given);
        return;
    }
    if (!terminal_is_there()) {
        app_complain(app, "%s: %s comes with %s or in %s", event->text, steps[q->step].name,
                     options_flag(which), options_variable(which));
        app_end(app, APP_FAILED);
        return;
    }
    /* The others say it themselves. */
    bool tell = refused || q->step == GAP_SIGN_IN_CODE || q->step == GAP_SIGN_IN_NAME;
    char said[300] = "";
    if (tell) (void)text_printable(gap_str(event->text), sizeof said, said, sizeof said);
    put_question(app, said);
}
