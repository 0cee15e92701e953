/*
 * client/sign_in_ask.c - the questions of a sign-in, as events, and the host's answers.
 *
 * An answer is taken only if it is what is asked for; it sends a request and returns, what comes of
 * it is told by an event. Owns nothing.
 */
#include "client/sign_in.h"

#include "base/assert.h"
#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

/* ---- questions ---- */

static const char *code_text(const struct client_sign_in *s)
{
    static const char *const texts[] = {
        [GAP_CODE_NONE] = "give the code",
        [GAP_CODE_APP] = "a code was sent to the account's other clients; give it",
        [GAP_CODE_SMS] = "a code was sent by SMS; give it",
        [GAP_CODE_CALL] = "the number is called and told a code; give it",
        [GAP_CODE_FLASH_CALL] = "the number is called; the number that calls is the code",
        [GAP_CODE_MISSED_CALL] = ("the number is called; the last digits of the number that calls "
                                  "are the code"),
        [GAP_CODE_EMAIL] = "a code was sent by e-mail; give it",
        [GAP_CODE_FRAGMENT] = "a code waits on fragment.com; give it",
        [GAP_CODE_SMS_WORD] = "a word was sent by SMS; give it",
        [GAP_CODE_SMS_PHRASE] = "words were sent by SMS; give them",
        [GAP_CODE_OTHER] = ("the code goes a way that only official clients know; have it sent "
                            "again"),
    };
    return texts[s->delivery];
}

static const char *question_text(const struct client_sign_in *s)
{
    switch (s->at) {
    case AT_ASK_CODE:
        return code_text(s);
    case AT_ASK_PASSWORD:
        return "give the account's two-step password";
    case AT_ASK_NAME:
        return "the number has no account; give a name to make one, which accepts Telegram's terms "
               "of service";
    default:
        return "give the phone number of the account, in international form";
    }
}

static gap_sign_in_step_t step_of(enum sign_in_at at)
{
    switch (at) {
    case AT_ASK_CODE:
        return GAP_SIGN_IN_CODE;
    case AT_ASK_PASSWORD:
        return GAP_SIGN_IN_PASSWORD;
    case AT_ASK_NAME:
        return GAP_SIGN_IN_NAME;
    default:
        return GAP_SIGN_IN_PHONE;
    }
}

static uint32_t seconds_until(gap_client_t *c, uint64_t at_us)
{
    uint64_t now = gap_rt_now_us(&c->rt);
    return at_us <= now ? 0 : (uint32_t)((at_us - now + 999999) / 1000000);
}

static void tell(gap_client_t *c, gap_event_t event, const char *refused, const char *text)
{
    const char *question = question_text(c->sign_in);

    if (event.error == 0)
        client_emit(c, event, "%s", question);
    else if (event.us > 0)
        client_emit(c, event, "%s of %.0f s; then %s (%d %s)", text, (double)event.us / 1e6,
                    c->sign_in->at == AT_ASK_CODE ? "give the code" : question, event.rpc_code,
                    refused);
    else
        client_emit(c, event, "%s (%d %s)", text, event.rpc_code, refused);
}

void sign_in_ask(gap_client_t *c)
{
    struct client_sign_in *s = c->sign_in;
    const char *text = s->refused_text;
    char refused[GAP_SIGN_IN_NAME_MAX];
    gap_sign_in_t question = {
        .step = step_of(s->at),
        .refused = refused,
        .pattern = "",
        .hint = "",
    };
    gap_event_t event = {
        .kind = GAP_CLIENT_SIGN_IN,
        .error = text == NULL ? 0 : GAP_E_RPC,
        .rpc_code = s->refused_code,
        .us = s->wait_us,
        .sign_in = &question,
    };

    memcpy(refused, s->refused, sizeof refused);
    if (s->at == AT_ASK_CODE) {
        question.delivery = s->delivery;
        question.next = s->next;
        question.resend_in_s = seconds_until(c, s->resend_at_us);
        question.length = s->length;
        if (s->pattern != NULL) question.pattern = s->pattern;
    }
    if (s->at == AT_ASK_PASSWORD && s->hint != NULL) question.hint = s->hint;
    s->refused[0] = 0;
    s->refused_code = 0;
    s->refused_text = NULL;
    s->wait_us = 0;
    tell(c, event, refused, text);
}

/* ---- answers ---- */

static int may_answer(const gap_client_t *c, enum sign_in_at at)
{
    client_enter(c);
    if (c->env_ops->forked(c->env)) return GAP_E_FORKED;
    if (c->closing || c->state == CLIENT_FATAL) return GAP_E_CLOSED;
    if (c->state != CLIENT_SIGNING_IN || c->sign_in == NULL || c->sign_in->at != at)
        return GAP_E_STATE;
    return 0;
}

/* Keep an answer. @return 0; GAP_E_ARGUMENT empty or too long; GAP_E_NOMEM. */
static int keep_answer(gap_client_t *c, char **slot, const char *text)
{
    if (text == NULL || text[0] == 0 || strlen(text) > GAP_SIGN_IN_TEXT_MAX) return GAP_E_ARGUMENT;
    return sign_in_keep(c, slot, gap_str(text));
}

static int answer(gap_client_t *c, enum sign_in_at at)
{
    c->sign_in->restarts = 0;
    return sign_in_go(c, at);
}

void sign_in_digits(char *phone)
{
    char *to = phone;

    for (const char *from = phone; *from != 0; from++)
        if (strchr(" -+()./\t", *from) == NULL) *to++ = *from;
    *to = 0;
}

int gap_client_sign_in_phone(gap_client_t *client, const char *phone)
{
    int r = may_answer(client, AT_ASK_PHONE);
    if (r < 0) return r;
    r = keep_answer(client, &client->sign_in->phone, phone);
    if (r < 0) return r;
    sign_in_digits(client->sign_in->phone);
    if (client->sign_in->phone[0] == 0) return GAP_E_ARGUMENT;
    return answer(client, AT_SEND_CODE);
}

int gap_client_sign_in_code(gap_client_t *client, const char *code)
{
    int r = may_answer(client, AT_ASK_CODE);
    if (r < 0) return r;
    r = keep_answer(client, &client->sign_in->code, code);
    return r < 0 ? r : answer(client, AT_CODE);
}

int gap_client_sign_in_resend(gap_client_t *client)
{
    int r = may_answer(client, AT_ASK_CODE);
    if (r < 0) return r;
    if (seconds_until(client, client->sign_in->resend_at_us) > 0) return GAP_E_BUSY;
    return answer(client, AT_RESEND);
}

int gap_client_sign_in_password(gap_client_t *client, const char *password)
{
    int r = may_answer(client, AT_ASK_PASSWORD);
    if (r < 0) return r;
    r = keep_answer(client, &client->sign_in->password, password);
    if (r < 0) return r;
    return answer(client, client->sign_in->packet != NULL ? AT_PROVE : AT_GET_PASSWORD);
}

int gap_client_sign_in_name(gap_client_t *client, const char *first_name, const char *last_name)
{
    int r = may_answer(client, AT_ASK_NAME);
    if (r < 0) return r;
    r = keep_answer(client, &client->sign_in->first_name, first_name);
    if (r < 0) return r;
    sign_in_forget(client, &client->sign_in->last_name);
    if (last_name != NULL && last_name[0] != 0) {
        r = keep_answer(client, &client->sign_in->last_name, last_name);
        if (r < 0) return r;
    }
    return answer(client, AT_NAME);
}
