/*
 * dc/sign_in.c - a person signs in, for each key and phone:
 *
 *   sendCode -> CODE SENT --right code--> account? --yes--> password? --no--> signed in
 *                | ^  |                     | no              | yes
 *       resendCode-+  | cancelled,          v                 v
 *                     | expired,        MAY SIGN UP       PASSWORD NEEDED --checkPassword--> in
 *                     v 5 wrong             \--signUp--> in           (password.c)
 *                    gone
 *
 * A log-out token in sendCode takes the place of the code. Owns nothing: what waits is the
 * person's (people.c) and the key's (`awaiting`).
 */
#include "dc/rpc.h"

#include "dc/layer.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define MISSED_CALL_PREFIX "+99966"

/* auth.authorization before GAP_DC_LAYER_LATER; the same fields. */
#define OLD_AUTHORIZATION 0x33fb7bb8U

int gap_dc_put_authorization(gap_dc_t *dc, const gap_dc_key_t *key, gap_buf_t *out)
{
    dc_view_t view = {key->account, key->layer, key->seq};
    gap_buf_t self;

    gap_buf_init(&self, dc->alloc);
    int r = dc_model_self(dc->model, &view, &self);
    /* The user may be of another layer than the schema's: bytes, not an object. */
    bool is_later = key->layer >= GAP_DC_LAYER_LATER;
    if (r == 0) r = gap_buf_append32(out, is_later ? GAP_TL_AUTH_AUTHORIZATION : OLD_AUTHORIZATION);
    if (r == 0) r = gap_buf_append32(out, 0);
    if (r == 0) r = gap_buf_append(out, self.data, self.len);
    gap_buf_fini(&self);
    return r;
}

/* --- whose phone ---------------------------------------------------------------------------- */

static int person_of(gap_dc_ask_t *a, gap_bytes_t text, gap_dc_person_t **out)
{
    char phone[GAP_DC_PHONE_DIGITS + 1];

    if (!gap_dc_phone_read(text, phone)) return gap_dc_refuse(a, 400, "PHONE_NUMBER_INVALID");
    int r = gap_dc_check_home(a->dc, text, gap_dc_phone_user(phone), a->error);
    if (r != 0) return r;
    r = gap_dc_person_get(&a->dc->people, phone, out);
    return r == GAP_E_LIMIT ? gap_dc_refuse(a, 420, "FLOOD_WAIT_60") : r;
}

/* The code that was sent for this hash, if it is still good. */
static int code_of(gap_dc_ask_t *a, gap_dc_person_t *p, gap_bytes_t hash, gap_dc_code_t **out)
{
    if (hash.len == 0) return gap_dc_refuse(a, 400, "PHONE_CODE_HASH_EMPTY");
    *out = gap_dc_code_find(p, a->key->auth.id, hash);
    if (*out == NULL) return gap_dc_refuse(a, 400, "PHONE_CODE_EXPIRED");
    if (a->dc->now.mono_us < (*out)->dead_us) return 0;
    gap_dc_code_drop(&a->dc->people, p, *out);
    return gap_dc_refuse(a, 400, "PHONE_CODE_EXPIRED");
}

/* --- getting in ----------------------------------------------------------------------------- */

/* The key is the person's from now on. */
int gap_dc_person_enter(gap_dc_ask_t *a, gap_dc_person_t *p)
{
    const dc_person_t names = gap_dc_person_names(p);
    int r = gap_dc_sign_in(a->dc, a->key, p->id, &names);

    if (r == GAP_E_LIMIT) return gap_dc_refuse(a, 420, "FLOOD_WAIT_60");
    return r < 0 ? r : gap_dc_put_authorization(a->dc, a->key, a->out);
}

/* Who has shown a code or a token gets in, or is asked for the password. */
static int enter_or_ask(gap_dc_ask_t *a, gap_dc_person_t *p)
{
    if (!p->password.is_set) return gap_dc_person_enter(a, p);
    gap_dc_sign_out(a->dc, a->key);
    a->key->awaiting = p->id;
    return gap_dc_refuse(a, 401, "SESSION_PASSWORD_NEEDED");
}

/* --- codes ---------------------------------------------------------------------------------- */

static gap_tl_object_t type_of(const gap_dc_code_t *code, gap_tl_auth_sent_code_type_app_t *same,
                               gap_tl_auth_sent_code_type_missed_call_t *missed)
{
    same->length = missed->length = GAP_DC_CODE_DIGITS;
    missed->prefix = gap_str(MISSED_CALL_PREFIX);
    switch (code->way) {
    case GAP_DC_CODE_APP:
        return GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_APP, same);
    case GAP_DC_CODE_SMS:
        return GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_SMS, same); /* the same field */
    case GAP_DC_CODE_CALL:
        break;
    }
    return code->missed_call ? GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_MISSED_CALL, missed)
                             : GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_CALL, same);
}

static uint32_t next_of(const gap_dc_code_t *code)
{
    if (code->way == GAP_DC_CODE_APP) return GAP_TL_AUTH_CODE_TYPE_SMS;
    return code->missed_call ? GAP_TL_AUTH_CODE_TYPE_MISSED_CALL : GAP_TL_AUTH_CODE_TYPE_CALL;
}

/* The code goes out, now or once more: tell how. */
static int put_sent_code(gap_dc_ask_t *a, gap_dc_code_t *code)
{
    const gap_dc_options_t *o = &a->dc->options;
    gap_tl_auth_sent_code_type_app_t same;
    gap_tl_auth_sent_code_type_missed_call_t missed;
    const uint32_t nothing = 0;
    gap_tl_auth_sent_code_t sent = {
        .type = type_of(code, &same, &missed),
        .phone_code_hash = gap_str(code->hash),
    };

    code->dead_us = a->dc->now.mono_us + (uint64_t)o->code_expires_s * 1000000;
    code->again_us = a->dc->now.mono_us + (uint64_t)o->code_timeout_s * 1000000;
    if (code->way != GAP_DC_CODE_CALL) {
        sent.flags = GAP_TL_AUTH_SENT_CODE_F_NEXT_TYPE | GAP_TL_AUTH_SENT_CODE_F_TIMEOUT;
        sent.next_type = GAP_TL_OF(next_of(code), &nothing);
        sent.timeout = (int32_t)o->code_timeout_s;
    }
    return gap_dc_put_object(a->out, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE, &sent));
}

/* Is one of the log-out tokens good for this person? Older layers have no answer for it. */
static bool has_token(gap_dc_ask_t *a, gap_dc_person_t *p, const gap_tl_code_settings_t *settings)
{
    gap_bytes_t token;

    if (a->key->layer < GAP_DC_LAYER_LATER ||
        (settings->flags & GAP_TL_CODE_SETTINGS_F_LOGOUT_TOKENS) == 0)
        return false;
    gap_tl_iter_t it = gap_tl_iter(settings->logout_tokens);
    for (unsigned i = 0; i < GAP_DC_TOKENS_READ_MAX; i++) {
        if (gap_tl_next_bytes(&it, &token) <= 0) return false;
        if (gap_dc_token_take(&a->dc->people, p, token)) return true;
    }
    return false;
}

static int enter_by_token(gap_dc_ask_t *a, gap_dc_person_t *p)
{
    int r = gap_buf_append32(a->out, GAP_TL_AUTH_SENT_CODE_SUCCESS);

    return r < 0 ? r : enter_or_ask(a, p);
}

static int send_code(gap_dc_ask_t *a)
{
    gap_tl_auth_send_code_t q;
    gap_tl_code_settings_t settings;
    gap_dc_person_t *p = NULL;
    gap_dc_code_t *code;

    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0 ||
        GAP_TL_READ(q.settings, GAP_TL_CODE_SETTINGS, &settings) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    int r = person_of(a, q.phone_number, &p);
    if (r != 0) return r;
    if (p->has_account && has_token(a, p, &settings)) return enter_by_token(a, p);
    r = gap_dc_code_send(&a->dc->people, p, a->key->auth.id, &code);
    if (r < 0) return r;
    code->missed_call = (settings.flags & GAP_TL_CODE_SETTINGS_F_ALLOW_MISSED_CALL) != 0;
    /* Where there is no account yet, there is no app to send it to. */
    code->way = p->has_account ? GAP_DC_CODE_APP : GAP_DC_CODE_SMS;
    return put_sent_code(a, code);
}

static int resend_code(gap_dc_ask_t *a)
{
    gap_tl_auth_resend_code_t q;
    gap_dc_person_t *p = NULL;
    gap_dc_code_t *code = NULL;

    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    int r = person_of(a, q.phone_number, &p);
    if (r == 0) r = code_of(a, p, q.phone_code_hash, &code);
    if (r != 0) return r;
    if (code->way == GAP_DC_CODE_CALL || a->dc->now.mono_us < code->again_us)
        return gap_dc_refuse(a, 406, "SEND_CODE_UNAVAILABLE");
    code->way = code->way == GAP_DC_CODE_APP ? GAP_DC_CODE_SMS : GAP_DC_CODE_CALL;
    code->is_right = false;
    return put_sent_code(a, code);
}

static int cancel_code(gap_dc_ask_t *a)
{
    gap_tl_auth_cancel_code_t q;
    gap_dc_person_t *p = NULL;
    gap_dc_code_t *code = NULL;

    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    int r = person_of(a, q.phone_number, &p);
    if (r == 0) r = code_of(a, p, q.phone_code_hash, &code);
    if (r != 0) return r;
    gap_dc_code_drop(&a->dc->people, p, code);
    return gap_buf_append32(a->out, GAP_MT_BOOL_TRUE);
}

/* --- signIn, signUp ------------------------------------------------------------------------- */

static int wrong_code(gap_dc_ask_t *a, gap_dc_person_t *p, gap_dc_code_t *code)
{
    if (++code->wrong >= GAP_DC_CODE_TRIES) gap_dc_code_drop(&a->dc->people, p, code);
    return gap_dc_refuse(a, 400, "PHONE_CODE_INVALID");
}

static int sign_in(gap_dc_ask_t *a)
{
    gap_tl_auth_sign_in_t q;
    gap_dc_person_t *p = NULL;
    gap_dc_code_t *code = NULL;

    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    int r = person_of(a, q.phone_number, &p);
    if (r != 0) return r;
    if ((q.flags & GAP_TL_AUTH_SIGN_IN_F_PHONE_CODE) == 0 || q.phone_code.len == 0)
        return gap_dc_refuse(a, 400, "PHONE_CODE_EMPTY");
    if ((r = code_of(a, p, q.phone_code_hash, &code)) != 0) return r;
    if (!gap_dc_code_is(p, q.phone_code)) return wrong_code(a, p, code);
    if (!p->has_account) {
        code->is_right = true;
        r = gap_buf_append32(a->out, GAP_TL_AUTH_AUTHORIZATION_SIGN_UP_REQUIRED);
        return r < 0 ? r : gap_buf_append32(a->out, 0);
    }
    gap_dc_code_drop(&a->dc->people, p, code);
    return enter_or_ask(a, p);
}

static bool copy_name(gap_bytes_t name, char out[GAP_DC_NAME_BYTES + 1])
{
    if (name.len > GAP_DC_NAME_BYTES) return false;
    memset(out, 0, GAP_DC_NAME_BYTES + 1);
    if (name.len > 0) memcpy(out, name.data, name.len);
    return memchr(out, '\0', GAP_DC_NAME_BYTES + 1) == out + name.len;
}

static int sign_up(gap_dc_ask_t *a)
{
    gap_tl_auth_sign_up_t q;
    char first_name[GAP_DC_NAME_BYTES + 1];
    char last_name[GAP_DC_NAME_BYTES + 1];
    gap_dc_person_t *p = NULL;
    gap_dc_code_t *code = NULL;

    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    int r = person_of(a, q.phone_number, &p);
    if (r != 0) return r;
    if (p->has_account) return gap_dc_refuse(a, 400, "PHONE_NUMBER_OCCUPIED");
    if ((r = code_of(a, p, q.phone_code_hash, &code)) != 0) return r;
    if (!code->is_right) return gap_dc_refuse(a, 400, "PHONE_CODE_EMPTY");
    if (q.first_name.len == 0 || !copy_name(q.first_name, first_name))
        return gap_dc_refuse(a, 400, "FIRSTNAME_INVALID");
    if (!copy_name(q.last_name, last_name)) return gap_dc_refuse(a, 400, "LASTNAME_INVALID");
    gap_dc_code_drop(&a->dc->people, p, code);
    memcpy(p->first_name, first_name, sizeof first_name);
    memcpy(p->last_name, last_name, sizeof last_name);
    p->has_account = true;
    memset(&p->password, 0, sizeof p->password); /* a new account has none */
    return gap_dc_person_enter(a, p);
}

/* --- out again ------------------------------------------------------------------------------ */

static int log_out(gap_dc_ask_t *a)
{
    gap_dc_person_t *p = gap_dc_person_find(&a->dc->people, a->key->account);
    gap_tl_auth_logged_out_t out = {0};
    gap_dc_token_t *token;

    if (a->key->account == 0) return gap_dc_refuse(a, 401, "AUTH_KEY_UNREGISTERED");
    if (p != NULL) {
        int r = gap_dc_token_new(&a->dc->people, p, &token);
        if (r < 0) return r;
        out.flags = GAP_TL_AUTH_LOGGED_OUT_F_FUTURE_AUTH_TOKEN;
        out.future_auth_token = gap_bytes(token->bytes, sizeof token->bytes);
    }
    gap_dc_sign_out(a->dc, a->key);
    return gap_dc_put_object(a->out, GAP_TL_OF(GAP_TL_AUTH_LOGGED_OUT, &out));
}

int gap_dc_sign_in_call(gap_dc_ask_t *a)
{
    switch (a->q->id) {
    case GAP_TL_AUTH_SEND_CODE:
        return send_code(a);
    case GAP_TL_AUTH_RESEND_CODE:
        return resend_code(a);
    case GAP_TL_AUTH_CANCEL_CODE:
        return cancel_code(a);
    case GAP_TL_AUTH_SIGN_IN:
        return sign_in(a);
    case GAP_TL_AUTH_SIGN_UP:
        return sign_up(a);
    case GAP_TL_AUTH_LOG_OUT:
        return log_out(a);
    default:
        return DC_NOT_MINE;
    }
}
