/*
 * client/sign_in.c - from a connection to a signed-in account.
 *
 *   bot:    BOT --authorization--> done
 *   person: ASK_PHONE -> SEND_CODE -> ASK_CODE -> CODE --authorization--> done
 *                                      | ^ RESEND  |--no account--> ASK_NAME -> NAME --> done
 *                                      v_|         |--two-step--> GET_PASSWORD -> ASK_PASSWORD
 *                                                                 -> PROVE -> PASSWORD --> done
 *   any request --X_MIGRATE--> the same request there (help.getConfig first, if nobody knows where)
 *               --refused-->   what refusal.c says: a question again, an earlier step, or fatal
 *
 * A pause that the server wants (FLOOD_WAIT) is not made but told: a person gets the same question
 * again with the time, a bot ends. Failures of the server (500) are repeated by the link.
 *
 * Owns c->sign_in. Never: logs or tells a number, code, password or token.
 */
#include "client/sign_in.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"

#include <stdio.h>
#include <string.h>

/* ---- the record ---- */

void sign_in_forget(gap_client_t *c, char **slot)
{
    if (*slot != NULL) gap_wipe(*slot, strlen(*slot));
    gap_free(c->alloc, *slot);
    *slot = NULL;
}

int sign_in_keep(gap_client_t *c, char **slot, gap_bytes_t text)
{
    char *copy = gap_malloc(c->alloc, text.len + 1);

    if (copy == NULL) return GAP_E_NOMEM;
    if (text.len > 0) memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    sign_in_forget(c, slot);
    *slot = copy;
    return 0;
}

int client_sign_in_begin(gap_client_t *c)
{
    GAP_ASSERT(c->sign_in == NULL);
    c->sign_in = gap_calloc(c->alloc, 1, sizeof *c->sign_in);
    return c->sign_in == NULL ? GAP_E_NOMEM : 0;
}

void client_sign_in_end(gap_client_t *c)
{
    struct client_sign_in *s = c->sign_in;

    if (s == NULL) return;
    char **const texts[] = {&s->phone,      &s->code_hash, &s->code,    &s->password,
                            &s->first_name, &s->last_name, &s->pattern, &s->hint};
    for (size_t i = 0; i < GAP_ARRAY_LEN(texts); i++) sign_in_forget(c, texts[i]);
    password_drop(s);
    password_abandon(s);
    gap_wipe(s, sizeof *s);
    gap_free(c->alloc, s);
    c->sign_in = NULL;
}

/* ---- going on ---- */

static bool is_question(enum sign_in_at at)
{
    return at == AT_ASK_PHONE || at == AT_ASK_CODE || at == AT_ASK_PASSWORD || at == AT_ASK_NAME;
}

int sign_in_go(gap_client_t *c, enum sign_in_at at)
{
    struct client_sign_in *s = c->sign_in;

    if (is_question(at)) {
        s->at = at;
        sign_in_ask(c);
        return 0;
    }
    int r = at == AT_PROVE ? password_prove(c) : sign_in_send(c, at);
    if (r == 0) s->at = at;
    return r;
}

void sign_in_go_on(gap_client_t *c, enum sign_in_at at)
{
    int r = sign_in_go(c, at);
    if (r < 0) client_fatal(c, r, 0, "sign-in can't be sent: %s", gap_strerror(r));
}

void client_sign_in(gap_client_t *c)
{
    struct client_sign_in *s = c->sign_in;

    if (s->at == AT_START && c->settings.bot_token[0] != 0) {
        sign_in_go_on(c, AT_BOT);
    } else if (s->at == AT_START && c->settings.phone[0] != 0) {
        int r = sign_in_keep(c, &s->phone, gap_str(c->settings.phone));
        if (r < 0) {
            client_fatal(c, r, 0, "sign-in: %s", gap_strerror(r));
            return;
        }
        sign_in_go_on(c, AT_SEND_CODE);
    } else if (s->at == AT_START) {
        sign_in_go_on(c, AT_ASK_PHONE);
    } else if (!is_question(s->at) && s->at != AT_PROVE) {
        sign_in_go_on(c, s->at); /* moved: the same request here */
    }
}

/* ---- moving to another data centre ---- */

static void on_config(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    gap_client_t *c = arg;
    gap_tl_config_t config;

    (void)call;
    if (c->closing || c->state != CLIENT_LOOKING_UP) return;
    int r = result->status;
    if (r == 0) {
        int64_t used = gap_tl_read(result->value, GAP_TL_CONFIG, &config, sizeof config);
        r = used < 0 ? (int)used : client_dcs_learn(c, config.dc_options);
    }
    if (r == 0 && !client_dc_is_known(c, c->moving_to)) r = GAP_E_NOT_FOUND;
    if (r == 0) {
        c->state = CLIENT_SIGNING_IN;
        client_move_to(c, c->moving_to);
        return;
    }
    client_fatal(c, r, result->error_code,
                 "the account lives in data centre %d, whose address the server does not tell: %s",
                 c->moving_to, gap_strerror(r));
}

static void migrate(gap_client_t *c, int32_t dc)
{
    static const gap_tl_help_get_config_t query = {0};

    if (++c->moves > GAP_CLIENT_MOVES_MAX) {
        client_fatal(c, GAP_E_PROTOCOL, 0,
                     "the servers send the sign-in from one data centre to the next");
        return;
    }
    if (client_dc_is_known(c, dc)) {
        client_move_to(c, dc);
        return;
    }
    c->state = CLIENT_LOOKING_UP;
    c->moving_to = dc;
    int r =
        gap_link_call(c->link, GAP_TL_OF(GAP_TL_HELP_GET_CONFIG, &query), NULL, on_config, c, NULL);
    if (r < 0)
        client_fatal(c, r, 0, "can't ask for the address of data centre %d: %s", dc,
                     gap_strerror(r));
}

/* ---- refusals ---- */

/* The question that leads to a request. */
static enum sign_in_at question_of(const struct client_sign_in *s)
{
    switch (s->at) {
    case AT_RESEND:
    case AT_CODE:
        return AT_ASK_CODE;
    case AT_NAME:
        return AT_ASK_NAME;
    case AT_GET_PASSWORD:
    case AT_PASSWORD:
        return AT_ASK_PASSWORD;
    default:
        return AT_ASK_PHONE;
    }
}

static void tell_fatal(gap_client_t *c, const struct gap_call_result *result, const char *text)
{
    client_fatal(c, GAP_E_RPC, result->error_code, "sign-in: %s (%d %.*s)", text,
                 result->error_code, (int)result->error_text.len,
                 (const char *)result->error_text.data);
}

/* To be told with the next question. */
static void note(struct client_sign_in *s, const struct gap_call_result *result, const char *text)
{
    if (text[0] == 0) return;
    (void)snprintf(s->refused, sizeof s->refused, "%.*s", (int)result->error_text.len,
                   (const char *)result->error_text.data);
    s->refused_code = result->error_code;
    s->refused_text = text;
}

static void begin_anew(gap_client_t *c, const struct gap_call_result *result, const char *text)
{
    struct client_sign_in *s = c->sign_in;

    if (++s->restarts > GAP_SIGN_IN_RESTARTS_MAX) {
        tell_fatal(c, result, "the server has it begin anew, again and again; try later");
        return;
    }
    note(s, result, text);
    sign_in_go_on(c, c->settings.bot_token[0] != 0 ? AT_BOT : AT_SEND_CODE);
}

static void refused_bot(gap_client_t *c, const struct gap_call_result *result,
                        const struct refusal *rule)
{
    gap_event_t event = {
        .kind = GAP_CLIENT_FATAL,
        .error = GAP_E_RPC,
        .rpc_code = result->error_code,
        .us = (uint64_t)(result->error_value > 0 ? result->error_value : 0) * 1000000,
    };

    if (rule->action == REFUSAL_RESTART) {
        begin_anew(c, result, "");
    } else if (rule->action == REFUSAL_WAIT) {
        client_fatal_event(c, event, "sign-in: %s of %d s: start again after it (%d %.*s)",
                           rule->text, result->error_value, result->error_code,
                           (int)result->error_text.len, (const char *)result->error_text.data);
    } else {
        tell_fatal(c, result, rule->text);
    }
}

static void refused_person(gap_client_t *c, const struct gap_call_result *result,
                           const struct refusal *rule)
{
    struct client_sign_in *s = c->sign_in;

    if (rule->action == REFUSAL_RESTART ||
        (rule->action == REFUSAL_NEW_CODE && s->at == AT_SEND_CODE)) {
        begin_anew(c, result, rule->text);
        return;
    }
    if (rule->action == REFUSAL_NEW_B) {
        if (++s->restarts > GAP_SIGN_IN_RESTARTS_MAX)
            tell_fatal(c, result, "the server refuses every proof of the password; try later");
        else
            sign_in_go_on(c, AT_GET_PASSWORD);
        return;
    }
    note(s, result, rule->text);
    switch (rule->action) {
    case REFUSAL_PHONE:
        sign_in_go_on(c, AT_ASK_PHONE);
        break;
    case REFUSAL_CODE:
        sign_in_go_on(c, s->code_hash == NULL ? AT_ASK_PHONE : AT_ASK_CODE);
        break;
    case REFUSAL_NEW_CODE:
        sign_in_go_on(c, AT_SEND_CODE);
        break;
    case REFUSAL_PASSWORD:
        sign_in_go_on(c, AT_ASK_PASSWORD);
        break;
    case REFUSAL_NEEDED:
        sign_in_go_on(c, AT_GET_PASSWORD);
        break;
    case REFUSAL_NAME:
        sign_in_go_on(c, AT_ASK_NAME);
        break;
    case REFUSAL_WAIT:
        s->wait_us = (uint64_t)(result->error_value > 0 ? result->error_value : 0) * 1000000;
        sign_in_go_on(c, question_of(s));
        break;
    default: /* REFUSAL_SAME */
        if (s->at == AT_RESEND) s->next = GAP_CODE_NONE;
        sign_in_go_on(c, question_of(s));
    }
}

static void refused(gap_client_t *c, const struct gap_call_result *result)
{
    struct client_sign_in *s = c->sign_in;
    const struct refusal *rule = client_refusal(result->error_name);

    if (rule->action == REFUSAL_MIGRATE && result->error_value > 0) {
        migrate(c, result->error_value);
        return;
    }
    sign_in_forget(c, &s->code);
    if (s->at == AT_PASSWORD) password_drop(s);
    if (rule->action != REFUSAL_NEW_B) sign_in_forget(c, &s->password);
    if (rule->action == REFUSAL_KEY) client_drop_key(c);
    if (rule->action == REFUSAL_FATAL || rule->action == REFUSAL_KEY ||
        rule->action == REFUSAL_MIGRATE)
        tell_fatal(c, result, rule->text);
    else if (c->settings.bot_token[0] != 0)
        refused_bot(c, result, rule);
    else
        refused_person(c, result, rule);
}

/* ---- answers ---- */

#define NOT_THERE       SIZE_MAX
#define AT(type, field) offsetof(gap_tl_auth_sent_code_type_##type##_t, field)
#define WAY(name, type, how, length_at, pattern_at)                                                \
    {                                                                                              \
        GAP_TL_AUTH_SENT_CODE_TYPE_##name, how, sizeof(gap_tl_auth_sent_code_type_##type##_t),     \
            length_at, pattern_at                                                                  \
    }

/* How a code travels. Only some ways say how long it is, or what it looks like. */
static const struct way {
    uint32_t id;
    gap_code_delivery_t how;
    size_t size;
    size_t length_at;
    size_t pattern_at;
} ways[] = {
    WAY(APP, app, GAP_CODE_APP, AT(app, length), NOT_THERE),
    WAY(SMS, sms, GAP_CODE_SMS, AT(sms, length), NOT_THERE),
    WAY(CALL, call, GAP_CODE_CALL, AT(call, length), NOT_THERE),
    WAY(FLASH_CALL, flash_call, GAP_CODE_FLASH_CALL, NOT_THERE, AT(flash_call, pattern)),
    WAY(MISSED_CALL, missed_call, GAP_CODE_MISSED_CALL, AT(missed_call, length),
        AT(missed_call, prefix)),
    WAY(EMAIL_CODE, email_code, GAP_CODE_EMAIL, AT(email_code, length),
        AT(email_code, email_pattern)),
    WAY(FRAGMENT_SMS, fragment_sms, GAP_CODE_FRAGMENT, AT(fragment_sms, length),
        AT(fragment_sms, url)),
    WAY(SMS_WORD, sms_word, GAP_CODE_SMS_WORD, NOT_THERE, AT(sms_word, beginning)),
    WAY(SMS_PHRASE, sms_phrase, GAP_CODE_SMS_PHRASE, NOT_THERE, AT(sms_phrase, beginning)),
};

static int read_delivery(gap_client_t *c, gap_tl_object_t type)
{
    struct client_sign_in *s = c->sign_in;
    union {
        _Alignas(max_align_t) uint8_t bytes[128];
    } u;
    gap_bytes_t pattern = {NULL, 0};
    int32_t length = 0;

    s->delivery = GAP_CODE_OTHER; /* what only official clients can receive */
    for (size_t i = 0; i < GAP_ARRAY_LEN(ways); i++) {
        const struct way *way = &ways[i];
        if (way->id != type.id) continue;
        GAP_ASSERT(way->size <= sizeof u);
        int64_t used = gap_tl_read(gap_tl_bytes(type), way->id, &u, way->size);
        if (used < 0) return (int)used;
        s->delivery = way->how;
        if (way->length_at != NOT_THERE) memcpy(&length, u.bytes + way->length_at, sizeof length);
        if (way->pattern_at != NOT_THERE)
            memcpy(&pattern, u.bytes + way->pattern_at, sizeof pattern);
    }
    s->length = length > 0 ? (uint32_t)length : 0;
    return sign_in_keep(c, &s->pattern, pattern);
}

static gap_code_delivery_t next_of(const gap_tl_auth_sent_code_t *sent)
{
    if ((sent->flags & GAP_TL_AUTH_SENT_CODE_F_NEXT_TYPE) == 0) return GAP_CODE_NONE;
    switch (sent->next_type.id) {
    case GAP_TL_AUTH_CODE_TYPE_SMS:
        return GAP_CODE_SMS;
    case GAP_TL_AUTH_CODE_TYPE_CALL:
        return GAP_CODE_CALL;
    case GAP_TL_AUTH_CODE_TYPE_FLASH_CALL:
        return GAP_CODE_FLASH_CALL;
    case GAP_TL_AUTH_CODE_TYPE_MISSED_CALL:
        return GAP_CODE_MISSED_CALL;
    case GAP_TL_AUTH_CODE_TYPE_FRAGMENT_SMS:
        return GAP_CODE_FRAGMENT;
    default:
        return GAP_CODE_OTHER;
    }
}

static int read_sent(gap_client_t *c, gap_bytes_t value)
{
    struct client_sign_in *s = c->sign_in;
    gap_tl_auth_sent_code_t sent;

    int64_t used = gap_tl_read(value, GAP_TL_AUTH_SENT_CODE, &sent, sizeof sent);
    if (used < 0) return (int)used;
    int r = sign_in_keep(c, &s->code_hash, sent.phone_code_hash);
    if (r == 0) r = read_delivery(c, sent.type);
    if (r < 0) return r;
    bool pause = (sent.flags & GAP_TL_AUTH_SENT_CODE_F_TIMEOUT) != 0 && sent.timeout > 0;
    s->next = next_of(&sent);
    s->resend_at_us = gap_rt_now_us(&c->rt) + (pause ? (uint64_t)sent.timeout * 1000000 : 0);
    return 0;
}

static void unreadable(gap_client_t *c, int error)
{
    client_fatal(c, error, 0, "the server's answer to the sign-in can't be used: %s",
                 gap_strerror(error));
}

static void accept_authorization(gap_client_t *c, gap_bytes_t value)
{
    if (value.len >= 4 && gap_load32(value.data) == GAP_TL_AUTH_AUTHORIZATION_SIGN_UP_REQUIRED) {
        sign_in_forget(c, &c->sign_in->code);
        sign_in_go_on(c, AT_ASK_NAME);
        return;
    }
    client_sign_in_end(c);
    client_authorised(c, value);
}

static void accept_sent(gap_client_t *c, gap_bytes_t value)
{
    gap_tl_auth_sent_code_success_t success;
    uint32_t id = value.len >= 4 ? gap_load32(value.data) : 0;

    if (id == GAP_TL_AUTH_SENT_CODE_PAYMENT_REQUIRED) {
        client_fatal(c, GAP_E_RPC, 0,
                     "sign-in: Telegram sends this number a code only after a payment in its "
                     "official app; sign in there first, then try again");
        return;
    }
    if (id == GAP_TL_AUTH_SENT_CODE_SUCCESS) {
        int64_t used = gap_tl_read(value, id, &success, sizeof success);
        if (used < 0)
            unreadable(c, (int)used);
        else
            accept_authorization(c, gap_tl_bytes(success.authorization));
        return;
    }
    int r = read_sent(c, value);
    if (r < 0)
        unreadable(c, r);
    else
        sign_in_go_on(c, AT_ASK_CODE);
}

static void accept_password(gap_client_t *c, const struct gap_call_result *result)
{
    int r = password_take(c, result);

    if (r == GAP_E_NOT_FOUND)
        begin_anew(c, result, "the account has no two-step password any more; a new code was sent");
    else if (r == GAP_E_TL_ID)
        client_fatal(c, r, 0,
                     "sign-in: the account's password is kept in a way that this library does not "
                     "know; update the library");
    else if (r < 0)
        unreadable(c, r);
    else
        sign_in_go_on(c, c->sign_in->password != NULL ? AT_PROVE : AT_ASK_PASSWORD);
}

static void accept(gap_client_t *c, const struct gap_call_result *result)
{
    switch (c->sign_in->at) {
    case AT_SEND_CODE:
    case AT_RESEND:
        accept_sent(c, result->value);
        break;
    case AT_GET_PASSWORD:
        accept_password(c, result);
        break;
    default:
        accept_authorization(c, result->value);
    }
}

void sign_in_answered(void *arg, gap_call_id_t call, const struct gap_call_result *result)
{
    gap_client_t *c = arg;

    (void)call;
    if (c->closing || c->state != CLIENT_SIGNING_IN || c->sign_in == NULL) return;
    switch (result->status) {
    case 0:
        accept(c, result);
        break;
    case GAP_E_RPC:
        refused(c, result);
        break;
    case GAP_E_TIMEOUT: /* not connected all the while: the events have told why */
    case GAP_E_DISCONNECTED:
        sign_in_go_on(c, c->sign_in->at);
        break;
    case GAP_E_TRANSPORT: /* the link gave up and says so itself */
    case GAP_E_KEY:
    case GAP_E_CLOSED:
        break;
    default:
        client_fatal(c, result->status, 0, "sign-in failed: %s", gap_strerror(result->status));
    }
}
