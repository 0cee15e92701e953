/*
 * dc/rpc.c - API calls: who may call what, signing in and out, and whom a call makes listen.
 *
 *   query -> wrappers off -> known? initialised? signed in? -> fault -> help | sign-in | model
 *         -> rpc_result; what the call caused is pushed to everybody else
 *
 * Owns nothing. Every call is answered; never with silence.
 */
#include "dc/script_run.h"

#include "base/alloc.h"
#include "base/packet.h"
#include "dc/bind.h"
#include "dc/layer.h"
#include "dc/wire.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define LAYER_MIN 1
#define LAYER_MAX 9999

#define NO_CONSTRUCTOR 0x0bad0badU /* is in no schema */

/** One call while it is answered. */
struct call {
    gap_dc_t *dc;
    gap_dc_session_t *s;
    gap_dc_key_t *key;
    int64_t msg_id;
    gap_dc_query_t query;
    gap_dc_error_t error; /* code 0: none */
    int64_t caller;       /* who was signed in before it; 0: nobody */
    gap_dc_rule_t rule;   /* what a script says */
    dc_about_t about;     /* chat, message, random_ids */
    gap_dc_call_fate_t fate;
};

static int fail(struct call *c, int32_t code, const char *text)
{
    c->error.code = code;
    c->error.text = text;
    return GAP_DC_IS_ERROR;
}

static int put_error(gap_buf_t *out, const gap_dc_error_t *error)
{
    int r = gap_buf_append32(out, GAP_MT_RPC_ERROR);

    if (r == 0) r = gap_buf_append32(out, (uint32_t)error->code);
    return r < 0 ? r : gap_dc_put_bytes(out, gap_bytes(error->text, strlen(error->text)));
}

/* --- who may call what ----------------------------------------------------------------------- */

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Callable by whoever has not signed in. */
static bool is_open_to_all(uint32_t id, const char *name)
{
    return id == GAP_TL_ACCOUNT_GET_PASSWORD || starts_with(name, "help.") ||
           starts_with(name, "auth.") || starts_with(name, "langpack.");
}

/* Callable with a temporary key that is bound to nothing; auth.bindTempAuthKey besides. */
static bool is_open_to_unbound(uint32_t id)
{
    return id == GAP_TL_HELP_GET_CONFIG || id == GAP_TL_HELP_GET_NEAREST_DC;
}

/* The queries that this one waits for have all been executed by now, or never came. */
static int check_after(struct call *c)
{
    for (uint32_t i = 0; i < c->query.after_count; i++) {
        int seen = gap_dc_session_seen(c->s, c->query.after[i]);
        if (seen < 0) return fail(c, 400, "MSG_WAIT_TIMEOUT");
        if ((seen & GAP_DC_SEEN_FAILED) != 0) return fail(c, 400, "MSG_WAIT_FAILED");
    }
    return 0;
}

/* The method as the schema has it, whatever layer it came in. */
static int translate(struct call *c)
{
    int r =
        gap_dc_layer_method(c->key->layer, c->query.method, &c->dc->translated, &c->query.method);

    if (r == GAP_DC_NO_METHOD) return fail(c, 400, "INPUT_METHOD_INVALID");
    if (r == GAP_E_TL) return fail(c, 400, "INPUT_FETCH_ERROR");
    c->query.id = gap_load32(c->query.method.data);
    return r;
}

/* Who was signed out from elsewhere is told so until a new sign-in; a doubled key never gets that
 * far. */
static int check_signed_in(struct call *c, const char *name)
{
    gap_dc_key_t *key = c->key;

    if (key->lost != NULL && key->lost_code != 401) {
        key->is_dead = true;
        return fail(c, key->lost_code, key->lost);
    }
    if (key->account != 0 || is_open_to_all(c->query.id, name)) return 0;
    return fail(c, 401, key->lost != NULL ? key->lost : "AUTH_KEY_UNREGISTERED");
}

static int check(struct call *c)
{
    gap_dc_key_t *key = c->key;
    int r;

    if (c->query.layer != 0) {
        if (c->query.layer < LAYER_MIN || c->query.layer > LAYER_MAX)
            return fail(c, 400, "CONNECTION_LAYER_INVALID");
        key->layer = c->query.layer;
    }
    if (c->query.has_init) {
        key->inited = true;
        gap_dc_device_note(key, &c->query.device);
    }
    if (key->layer != 0 && (r = translate(c)) != 0) return r;
    const char *name = gap_tl_name(c->query.id);
    if (name == NULL || !gap_tl_is_method(c->query.id)) return fail(c, 400, "INPUT_METHOD_INVALID");
    if (gap_tl_skip(c->query.method) < 0) return fail(c, 400, "INPUT_FETCH_ERROR");
    if (c->query.id == GAP_TL_AUTH_BIND_TEMP_AUTH_KEY) return 0; /* comes before all others */
    if (!key->inited || key->layer == 0) return fail(c, 400, "CONNECTION_NOT_INITED");
    if (key->expires_in > 0 && !is_open_to_unbound(c->query.id))
        return fail(c, 401, "AUTH_KEY_PERM_EMPTY");
    if ((r = check_signed_in(c, name)) != 0) return r;
    return check_after(c);
}

/* Faults befall the calls of those who have signed in. */
static int chance(struct call *c)
{
    if (c->key->account == 0) return 0;
    c->fate = gap_dc_call_fate(&c->dc->options, c->key->account, c->key->calls++, c->query.id);
    return c->fate.code != 0 ? fail(c, c->fate.code, c->fate.text) : 0;
}

/* Pushes of this key go to the session that called last, unless it asked not to get any. */
static int subscribe(struct call *c)
{
    gap_dc_session_t *before = c->key->subscribed;
    const char *name = gap_tl_name(c->query.id);

    if (c->query.no_updates || before == c->s) return 0;
    if (!gap_dc_gets_updates(c->dc, c->key)) return 0;
    if (starts_with(name, "upload.")) return 0;
    c->key->subscribed = c->s;
    if (before == NULL || before->conn != NULL) return 0;
    /* A client that came back with a new session has given the old one up. What that one was owed
     * can't be sent again; not every client looks for it by itself. */
    bool owes = gap_dc_session_owes_pushes(before);
    gap_dc_unmark_dirty(c->dc, before);
    gap_dc_key_drop_session(before->key, before);
    if (!owes || c->query.id == GAP_TL_UPDATES_GET_DIFFERENCE) return 0;
    return gap_dc_session_too_long(c->s, &c->dc->now);
}

/* --- signing in and out ---------------------------------------------------------------------- */

static int import_bot(struct call *c, gap_buf_t *out)
{
    gap_tl_auth_import_bot_authorization_t q;

    if (gap_tl_read(c->query.method, c->query.id, &q, sizeof q) < 0)
        return fail(c, 400, "INPUT_FETCH_ERROR");
    int64_t id = gap_dc_token_id(q.bot_auth_token);
    if (id <= 0) return fail(c, 400, "ACCESS_TOKEN_INVALID");
    int r = gap_dc_check_home(c->dc, gap_bytes(NULL, 0), id, &c->error);
    if (r != 0) return r;
    r = gap_dc_sign_in(c->dc, c->key, id, NULL);
    if (r == GAP_E_ARGUMENT) return fail(c, 400, "ACCESS_TOKEN_INVALID");
    if (r == GAP_E_LIMIT) return fail(c, 420, "FLOOD_WAIT_60");
    if (r < 0) return r;
    return gap_dc_put_authorization(c->dc, c->key, out);
}

static int import_authorization(struct call *c, gap_buf_t *out)
{
    int r = gap_dc_import(c->dc, c->key, &c->query, &c->error);

    return r != 0 ? r : gap_dc_put_authorization(c->dc, c->key, out);
}

/* From now on the temporary key stands for the permanent one. */
static int bind_key(struct call *c, gap_buf_t *out)
{
    gap_dc_t *dc = c->dc;
    gap_dc_key_t *temp = c->s->key;
    gap_dc_bind_t bind = {temp, c->s->id, c->msg_id, dc->now.wall_us / 1000000};
    gap_dc_key_t *perm;
    const char *error;
    int32_t expires_at;
    int r = gap_dc_bind_check(&dc->crypto, &dc->keys, &bind, c->query.method, &error, &perm,
                              &expires_at);

    if (r == GAP_DC_BIND_REFUSED) return fail(c, 400, error);
    if (r < 0) return r;
    /* One temporary key a permanent one: the new takes the old one's place. */
    if (perm->temp != NULL && perm->temp != temp) gap_dc_forget_key(dc, perm->temp);
    gap_dc_keys_bind(temp, perm, expires_at);
    return gap_buf_append32(out, GAP_MT_BOOL_TRUE);
}

/* --- dispatch -------------------------------------------------------------------------------- */

static int call_model(struct call *c)
{
    gap_dc_t *dc = c->dc;
    dc_view_t view = {c->key->account, c->key->layer, c->key->seq};

    if (c->key->account == 0) return DC_NOT_MINE;
    int r = dc_model_call(dc->model, &view, c->query.method, (int64_t)dc->now.wall_us, &dc->answer);
    if (r == DC_RPC_ERROR) return fail(c, dc->answer.error_code, dc->answer.error);
    return r;
}

static int dispatch(struct call *c)
{
    gap_dc_t *dc = c->dc;
    gap_buf_t *out = &dc->answer.body;
    gap_dc_ask_t ask = {dc, c->key, &c->query, out, &c->error};
    int r;

    gap_dc_look_at_peers(dc, c->query.id);
    switch (c->query.id) {
    case GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION:
        return import_bot(c, out);
    case GAP_TL_AUTH_EXPORT_AUTHORIZATION:
        return gap_dc_export(dc, c->key, &c->query, out, &c->error);
    case GAP_TL_AUTH_IMPORT_AUTHORIZATION:
        return import_authorization(c, out);
    case GAP_TL_AUTH_BIND_TEMP_AUTH_KEY:
        return bind_key(c, out);
    default:
        r = gap_dc_help(dc, &c->query, c->key->layer, out);
        if (r == DC_NOT_MINE) r = gap_dc_more(&c->query, out);
        if (r == DC_NOT_MINE) r = gap_dc_sign_in_call(&ask);
        if (r == DC_NOT_MINE) r = gap_dc_password_call(&ask);
        if (r == DC_NOT_MINE) r = gap_dc_device_call(&ask);
        if (r == DC_NOT_MINE) r = gap_dc_files(dc, &c->query, out, &c->error);
        if (r == DC_NOT_MINE) r = call_model(c);
        return r == DC_NOT_MINE ? fail(c, 501, "METHOD_NOT_IMPLEMENTED") : r;
    }
}

/* As dispatch, but as a script has it. */
static int follow_rule(struct call *c)
{
    int r;

    switch (c->rule.act) {
    case GAP_DC_ACT_ERROR:
        return fail(c, c->rule.code, c->rule.text);
    case GAP_DC_ACT_NOTHING:
    case GAP_DC_ACT_HANG_UP:
        return 0;
    case GAP_DC_ACT_REVOKE:
        gap_dc_revoke(c->dc, c->key, 401, c->rule.text);
        return fail(c, 401, c->rule.text);
    case GAP_DC_ACT_DUPLICATE:
        gap_dc_revoke(c->dc, c->key, 406, "AUTH_KEY_DUPLICATED");
        c->key->is_dead = true;
        return fail(c, 406, c->key->lost);
    case GAP_DC_ACT_STUCK:
        r = gap_dc_script_stuck(&c->query, &c->dc->answer.body);
        return r == DC_NOT_MINE ? dispatch(c) : r;
    default:
        gap_dc_script_limit(c->dc, &c->rule);
        r = dispatch(c);
        gap_dc_script_limit(c->dc, NULL);
        return r;
    }
}

/* --- sends in flight -------------------------------------------------------------------------- */

static int refuse_running(struct call *c)
{
    const dc_about_t *a = &c->about;
    int64_t account = c->key->account;

    for (uint32_t i = 0; i < a->random_count && account != 0; i++)
        if (gap_dc_sending_has(&c->dc->sending, account, a->peer, a->random_ids[i],
                               c->dc->now.mono_us))
            return fail(c, 500, "RANDOM_ID_DUPLICATE");
    return 0;
}

/* How much later than at once the answer goes out. */
static uint64_t late_us(const struct call *c)
{
    return c->rule.act == GAP_DC_ACT_LATE ? (uint64_t)c->rule.number * 1000 : c->fate.late_us;
}

/* A send whose answer is late counts as running until then. */
static void note_running(struct call *c)
{
    const dc_about_t *a = &c->about;
    uint64_t us = late_us(c) > 0 ? late_us(c) : (uint64_t)c->dc->options.delay_ms * 1000;

    if (us == 0 || c->key->account == 0) return;
    for (uint32_t i = 0; i < a->random_count; i++)
        gap_dc_sending_add(&c->dc->sending, c->key->account, a->peer, a->random_ids[i],
                           c->dc->now.mono_us + us);
}

/* What becomes of the answer: as a script says, or else as is drawn. */
static gap_dc_faith_t faith(const struct call *c)
{
    switch (c->rule.act) {
    case GAP_DC_ACT_DROP:
        return GAP_DC_ANSWER_DROPPED;
    case GAP_DC_ACT_LOSE:
        return GAP_DC_SESSION_LOST;
    case GAP_DC_ACT_NONE:
        return c->fate.answer;
    default:
        return GAP_DC_FAITHFUL;
    }
}

/* The result, or an error, in dc->answer.body. @return 0 or negative. */
static int execute(struct call *c)
{
    int r = check(c);

    if (r == 0) dc_about(c->query.method, &c->about);
    if (r == 0) r = gap_dc_check_moved(c->dc, c->key, c->query.id, &c->error);
    if (r == 0) r = chance(c);
    if (r == 0) r = gap_dc_script_called(c->dc, &c->query, &c->rule);
    if (r == 0) r = refuse_running(c);
    if (r == 0) r = follow_rule(c);
    if (r == 0) note_running(c);
    if (r == 0) r = subscribe(c);
    return r;
}

/* Make an answer that nobody can read. */
static int spoil(gap_buf_t *body, gap_dc_act_t act)
{
    if (act == GAP_DC_ACT_CUT) {
        body->len = (body->len / 2 + 3) & ~(size_t)3;
        return 0;
    }
    gap_buf_clear(body);
    return gap_buf_append32(body, NO_CONSTRUCTOR);
}

/* Send what is in dc->answer.body, or what a script wants instead. */
static int send_answer(struct call *c)
{
    gap_dc_t *dc = c->dc;
    gap_buf_t *body = &dc->answer.body;
    uint64_t delay_us = (uint64_t)dc->options.delay_ms * 1000;
    uint64_t due_us = delay_us == 0 ? 0 : dc->now.mono_us + delay_us;
    bool failed = c->error.code != 0;
    int r = 0;

    switch (c->rule.act) {
    case GAP_DC_ACT_NOTHING:
    case GAP_DC_ACT_HANG_UP:
        gap_dc_script_unsee(c->s, c->msg_id);
        if (c->rule.act == GAP_DC_ACT_HANG_UP && c->s->conn != NULL) gap_dc_conn_close(c->s->conn);
        return 0;
    case GAP_DC_ACT_GARBAGE:
    case GAP_DC_ACT_CUT:
        r = spoil(body, c->rule.act);
        break;
    default:
        break;
    }
    if (r < 0 || faith(c) != GAP_DC_FAITHFUL) return r;
    if (late_us(c) > 0)
        return gap_dc_late_answer(dc, c->s, c->msg_id, delay_us + late_us(c), gap_buf_view(body),
                                  failed);
    return gap_dc_session_answer(c->s, &dc->now, c->msg_id, due_us, gap_buf_view(body), failed);
}

/* What the ledger says of a call: its error, or why it has no answer. */
static const char *outcome(const struct call *c)
{
    switch (c->rule.act) {
    case GAP_DC_ACT_NOTHING:
    case GAP_DC_ACT_HANG_UP:
        return "NOT_ANSWERED";
    case GAP_DC_ACT_GARBAGE:
    case GAP_DC_ACT_CUT:
        return "ANSWERED_WITH_GARBAGE";
    default:
        return c->error.code == 0 ? NULL : c->error.text;
    }
}

/* A line about the call. */
static int write_down(const struct call *c, int64_t account)
{
    static const char *const fates[] = {NULL, "dropped", "session_lost"};
    const dc_answer_t *a = &c->dc->answer;
    dc_ledger_call_t line = {.account = account,
                             .method = gap_tl_name(c->query.id),
                             .channel = a->channel != 0 ? a->channel : c->about.channel,
                             .error = outcome(c),
                             .answer = fates[faith(c)],
                             .msg_id = c->msg_id,
                             .about = &c->about,
                             .late_us = faith(c) == GAP_DC_FAITHFUL ? late_us(c) : 0,
                             .id = a->id != 0 ? a->id : c->about.id};

    return dc_ledger_call(&c->dc->ledger, &line, (int64_t)c->dc->now.wall_us);
}

/* Tell the ledger, then everybody else. */
static int aftermath(struct call *c)
{
    gap_dc_t *dc = c->dc;
    const dc_answer_t *a = &dc->answer;
    const char *error = outcome(c);
    /* A sign-in counts as a call of who got in. */
    int64_t account = c->caller != 0 ? c->caller : c->key->account;
    int r = write_down(c, account);

    if (r == 0 && error == NULL && faith(c) == GAP_DC_FAITHFUL)
        r = dc_ledger_difference(&dc->ledger, account, a);
    for (uint32_t i = 0; i < a->count && r == 0; i++)
        r = gap_dc_push_clean(dc, a->first_n + i, c->key);
    if (r == 0 && c->error.code == 0 && c->caller != 0 && gap_dc_gets_updates(dc, c->key)) {
        gap_dc_account_called(dc, c->caller, c->query.id == GAP_TL_UPDATES_GET_DIFFERENCE);
        if (dc->phase == GAP_DC_AWAITING) gap_dc_push_turn(dc);
    }
    if (r < 0) gap_dc_fail(dc, r);
    return r;
}

/* Hang up, and know nothing of the session any more. What the ledger says of the call is readable
 * before the client can notice. */
static int lose_session(struct call *c)
{
    gap_dc_t *dc = c->dc;
    gap_dc_key_t *main = gap_dc_key_main(c->s->key);
    int r = dc->options.ledger_flush == NULL ? 0 : dc->options.ledger_flush(dc->options.data);

    if (c->s->conn != NULL) gap_dc_conn_close(c->s->conn);
    if (main->subscribed == c->s) main->subscribed = NULL;
    gap_dc_unmark_dirty(dc, c->s);
    gap_dc_key_drop_session(c->s->key, c->s);
    c->s = NULL;
    return r;
}

static void clear_answer(dc_answer_t *a)
{
    gap_buf_clear(&a->body);
    a->channel = 0;
    a->id = 0;
    a->count = 0;
    a->range_count = 0;
    a->folded_count = 0;
}

int gap_dc_rpc(gap_dc_t *dc, gap_dc_session_t *s, const gap_dc_call_t *call)
{
    struct call c = {.dc = dc, .s = s, .key = gap_dc_key_main(s->key), .msg_id = call->msg_id};
    gap_packet_t *inflated = NULL;
    int r;

    c.caller = c.key->account;
    c.key->active_s = dc->now.wall_us / 1000000;
    clear_answer(&dc->answer);
    r = gap_dc_unwrap(call->query, &dc->zip, &c.query, &inflated, &c.error);
    if (r == 0) r = execute(&c);
    if (r == GAP_DC_IS_ERROR) {
        gap_buf_clear(&dc->answer.body);
        r = put_error(&dc->answer.body, &c.error);
    }
    if (r == 0) r = send_answer(&c);
    if (r == 0) r = aftermath(&c);
    if (r == 0 && faith(&c) == GAP_DC_SESSION_LOST) r = lose_session(&c);
    gap_packet_unref(inflated);
    return r;
}
