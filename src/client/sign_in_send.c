/*
 * client/sign_in_send.c - the requests of a sign-in.
 *
 * Owns nothing; what is secret is wiped by its owners, link and session included.
 */
#include "client/sign_in.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>

/* The sign-in tells of a pause instead of making one; failures of the server are repeated. */
static int call(gap_client_t *c, gap_tl_object_t query)
{
    static const struct gap_call_options options = {.flags = GAP_CALL_NO_FLOOD_REPEAT};

    return gap_link_call(c->link, query, &options, sign_in_answered, c, NULL);
}

static int send_bot(gap_client_t *c)
{
    const gap_tl_auth_import_bot_authorization_t query = {
        .flags = 0,
        .api_id = c->settings.api_id,
        .api_hash = gap_str(c->settings.api_hash),
        .bot_auth_token = gap_str(c->settings.bot_token),
    };
    return call(c, GAP_TL_OF(GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, &query));
}

/* Tokens of former sessions may let the account in without a code. */
static int send_phone(gap_client_t *c)
{
    const struct gap_session_data *d = &c->session;
    gap_bytes_t tokens[GAP_SESSION_TOKENS_MAX];
    gap_tl_code_settings_t settings = {0};
    const gap_tl_auth_send_code_t query = {
        .phone_number = gap_str(c->sign_in->phone),
        .api_id = c->settings.api_id,
        .api_hash = gap_str(c->settings.api_hash),
        .settings = GAP_TL_OF(GAP_TL_CODE_SETTINGS, &settings),
    };

    for (size_t i = 0; i < d->token_count; i++)
        tokens[i] = gap_bytes(d->tokens[i], d->token_lens[i]);
    if (d->token_count > 0) {
        settings.flags = GAP_TL_CODE_SETTINGS_F_LOGOUT_TOKENS;
        settings.logout_tokens = gap_tl_array(tokens, (uint32_t)d->token_count);
    }
    return call(c, GAP_TL_OF(GAP_TL_AUTH_SEND_CODE, &query));
}

static int send_resend(gap_client_t *c)
{
    const gap_tl_auth_resend_code_t query = {
        .phone_number = gap_str(c->sign_in->phone),
        .phone_code_hash = gap_str(c->sign_in->code_hash),
    };
    return call(c, GAP_TL_OF(GAP_TL_AUTH_RESEND_CODE, &query));
}

static int send_code(gap_client_t *c)
{
    const gap_tl_auth_sign_in_t query = {
        .flags = GAP_TL_AUTH_SIGN_IN_F_PHONE_CODE,
        .phone_number = gap_str(c->sign_in->phone),
        .phone_code_hash = gap_str(c->sign_in->code_hash),
        .phone_code = gap_str(c->sign_in->code),
    };
    /* A code that came by e-mail goes as a verification of that address. */
    const gap_tl_email_verification_code_t email = {.code = gap_str(c->sign_in->code)};
    gap_tl_auth_sign_in_t by_email = query;

    if (c->sign_in->delivery != GAP_CODE_EMAIL)
        return call(c, GAP_TL_OF(GAP_TL_AUTH_SIGN_IN, &query));
    by_email.flags = GAP_TL_AUTH_SIGN_IN_F_EMAIL_VERIFICATION;
    by_email.email_verification = GAP_TL_OF(GAP_TL_EMAIL_VERIFICATION_CODE, &email);
    return call(c, GAP_TL_OF(GAP_TL_AUTH_SIGN_IN, &by_email));
}

static int send_name(gap_client_t *c)
{
    const struct client_sign_in *s = c->sign_in;
    const gap_tl_auth_sign_up_t query = {
        .phone_number = gap_str(s->phone),
        .phone_code_hash = gap_str(s->code_hash),
        .first_name = gap_str(s->first_name),
        .last_name = s->last_name == NULL ? gap_bytes(NULL, 0) : gap_str(s->last_name),
    };
    return call(c, GAP_TL_OF(GAP_TL_AUTH_SIGN_UP, &query));
}

static int send_password(gap_client_t *c)
{
    const struct client_sign_in *s = c->sign_in;
    const gap_tl_input_check_password_srp_t proof = {
        .srp_id = s->account.srp_id,
        .a = gap_bytes(s->a, sizeof s->a),
        .m1 = gap_bytes(s->m1, sizeof s->m1),
    };
    const gap_tl_auth_check_password_t query = {
        .password = GAP_TL_OF(GAP_TL_INPUT_CHECK_PASSWORD_SRP, &proof)};

    return call(c, GAP_TL_OF(GAP_TL_AUTH_CHECK_PASSWORD, &query));
}

int sign_in_send(gap_client_t *c, enum sign_in_at at)
{
    static const gap_tl_account_get_password_t get_password = {0};

    switch (at) {
    case AT_BOT:
        return send_bot(c);
    case AT_SEND_CODE:
        return send_phone(c);
    case AT_RESEND:
        return send_resend(c);
    case AT_CODE:
        return send_code(c);
    case AT_NAME:
        return send_name(c);
    case AT_GET_PASSWORD:
        return call(c, GAP_TL_OF(GAP_TL_ACCOUNT_GET_PASSWORD, &get_password));
    case AT_PASSWORD:
        return send_password(c);
    default:
        return GAP_E_STATE;
    }
}
