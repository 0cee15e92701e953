/* tests/loop/scripted.c - see scripted.h. */
#include "tests/loop/scripted.h"

#include "crypto/srp.h"
#include "tests/loop/mt_server.h"
#include "uv/uv_env.h"

#define RULES    16
#define METHODS  64
#define LAST_MAX 2048
#define SALT1    "salt one"
#define SALT2    "salt two"

struct rule {
    uint32_t method;
    int32_t code;
    const char *name;
    unsigned times;
};

struct called {
    uint32_t method;
    unsigned count;
    size_t len;
    uint8_t last[LAST_MAX];
};

struct scripted {
    mt_server_t mt;
    gap_env_t *env;
    int32_t dc;
    int64_t user_id;
    struct rule rules[RULES];
    size_t rule_count;
    int32_t all_code;
    const char *all_name;
    struct called called[METHODS];
    size_t called_count;
    uint8_t type[256]; /* auth.SentCodeType */
    size_t type_len;
    uint32_t next;
    int32_t timeout_s;
    uint8_t sent[1024]; /* instead of auth.sentCode */
    size_t sent_len;
    const char *hint; /* NULL: no password */
    bool want_name;
    const char *token;
    int32_t other_dc;
    uint16_t other_port;
    uint8_t v[GAP_DH_BYTES]; /* of the password */
    uint8_t b[GAP_DH_BYTES];
    int64_t srp_id;
};

/* ---- answering ---- */

static void say(struct mt_conn *c, uint64_t msg_id, gap_tl_object_t object)
{
    uint8_t body[4096];

    gap_store32(body, GAP_MT_RPC_RESULT);
    gap_store64(body + 4, msg_id);
    int64_t n = gap_tl_write(object, body + 12, sizeof body - 12);
    ck_assert_int_gt(n, 0);
    mt_server_say(c, gap_bytes(body, 12 + (size_t)n), true, true);
}

static void refuse(struct mt_conn *c, uint64_t msg_id, int32_t code, const char *name)
{
    gap_mt_rpc_error_t error = {.error_code = code, .error_message = gap_str(name)};
    say(c, msg_id, GAP_TL_OF(GAP_MT_RPC_ERROR, &error));
}

static void say_authorised(scripted_t *s, struct mt_conn *c, uint64_t msg_id)
{
    gap_tl_user_t user = {.flags = GAP_TL_USER_F_SELF, .id = s->user_id};
    gap_tl_auth_authorization_t auth = {.user = GAP_TL_OF(GAP_TL_USER, &user)};

    if (s->token != NULL) {
        auth.flags = GAP_TL_AUTH_AUTHORIZATION_F_FUTURE_AUTH_TOKEN;
        auth.future_auth_token = gap_str(s->token);
    }
    say(c, msg_id, GAP_TL_OF(GAP_TL_AUTH_AUTHORIZATION, &auth));
}

static void say_sent(scripted_t *s, struct mt_conn *c, uint64_t msg_id)
{
    static const uint8_t nothing[4];
    gap_tl_auth_sent_code_t sent = {
        .type = {s->type, s->type_len, NULL, gap_load32(s->type)},
        .phone_code_hash = gap_str(SCRIPTED_HASH),
    };

    if (s->sent_len > 0) {
        say(c, msg_id, (gap_tl_object_t){s->sent, s->sent_len, NULL, gap_load32(s->sent)});
        return;
    }
    if (s->next != 0) {
        sent.flags |= GAP_TL_AUTH_SENT_CODE_F_NEXT_TYPE;
        sent.next_type = GAP_TL_OF(s->next, nothing);
    }
    if (s->timeout_s != 0) {
        sent.flags |= GAP_TL_AUTH_SENT_CODE_F_TIMEOUT;
        sent.timeout = s->timeout_s;
    }
    say(c, msg_id, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE, &sent));
}

static gap_srp_algo_t algo_of(void)
{
    return (gap_srp_algo_t){gap_str(SALT1), gap_str(SALT2), 3,
                            gap_bytes(gap_dh_known_prime, GAP_DH_BYTES)};
}

static void say_password(scripted_t *s, struct mt_conn *c, uint64_t msg_id)
{
    gap_srp_algo_t algo = algo_of();
    uint8_t public[GAP_DH_BYTES];
    gap_tl_password_kdf_algo_unknown_t unknown = {0};
    gap_tl_secure_password_kdf_algo_unknown_t secure = {0};
    gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t kdf = {
        .salt1 = algo.salt1, .salt2 = algo.salt2, .g = algo.g, .p = algo.p};
    gap_tl_account_password_t password = {
        .new_algo = GAP_TL_OF(GAP_TL_PASSWORD_KDF_ALGO_UNKNOWN, &unknown),
        .new_secure_algo = GAP_TL_OF(GAP_TL_SECURE_PASSWORD_KDF_ALGO_UNKNOWN, &secure),
    };

    if (s->hint != NULL) {
        for (size_t i = 0; i < sizeof s->b; i++) s->b[i] = (uint8_t)gap_prng_next(&s->mt.prng);
        ck_assert_int_eq(gap_srp_server_public(&algo, s->v, s->b, public), 0);
        password.flags = GAP_TL_ACCOUNT_PASSWORD_F_HAS_PASSWORD | GAP_TL_ACCOUNT_PASSWORD_F_HINT;
        password.current_algo = GAP_TL_OF(
            GAP_TL_PASSWORD_KDF_ALGO_SHA256_SHA256_PBKDF2_HMACSHA512ITER100000_SHA256_MOD_POW,
            &kdf);
        password.srp_b = gap_bytes(public, sizeof public);
        password.srp_id = ++s->srp_id;
        password.hint = gap_str(s->hint);
    }
    say(c, msg_id, GAP_TL_OF(GAP_TL_ACCOUNT_PASSWORD, &password));
}

static void check_password(scripted_t *s, struct mt_conn *c, uint64_t msg_id, gap_bytes_t body)
{
    gap_srp_algo_t algo = algo_of();
    gap_tl_auth_check_password_t check;
    gap_tl_input_check_password_srp_t input;
    gap_srp_proof_t proof;

    ck_assert_int_gt(gap_tl_read(body, GAP_TL_AUTH_CHECK_PASSWORD, &check, sizeof check), 0);
    ck_assert_int_gt(GAP_TL_READ(check.password, GAP_TL_INPUT_CHECK_PASSWORD_SRP, &input), 0);
    ck_assert_uint_eq(input.a.len, sizeof proof.a);
    ck_assert_uint_eq(input.m1.len, sizeof proof.m1);
    memcpy(proof.a, input.a.data, sizeof proof.a);
    memcpy(proof.m1, input.m1.data, sizeof proof.m1);
    if (input.srp_id != s->srp_id) {
        refuse(c, msg_id, 400, "SRP_ID_INVALID");
        return;
    }
    s->srp_id++; /* good for one try */
    int r = gap_srp_check(&algo, s->v, s->b, &proof);
    ck_assert_int_ge(r, 0);
    if (r == GAP_SRP_WRONG)
        refuse(c, msg_id, 400, "PASSWORD_HASH_INVALID");
    else
        say_authorised(s, c, msg_id);
}

static void say_config(scripted_t *s, struct mt_conn *c, uint64_t msg_id)
{
    gap_tl_dc_option_t here = {
        .id = s->dc, .ip_address = gap_str("127.0.0.1"), .port = scripted_port(s)};
    gap_tl_dc_option_t there = {
        .id = s->other_dc, .ip_address = gap_str("127.0.0.1"), .port = s->other_port};
    gap_tl_object_t options[2] = {GAP_TL_OF(GAP_TL_DC_OPTION, &here),
                                  GAP_TL_OF(GAP_TL_DC_OPTION, &there)};
    gap_tl_config_t config = {
        .this_dc = s->dc,
        .dc_options = gap_tl_array(options, s->other_dc != 0 ? 2 : 1),
        .dc_txt_domain_name = gap_str(""),
        .me_url_prefix = gap_str(""),
    };
    say(c, msg_id, GAP_TL_OF(GAP_TL_CONFIG, &config));
}

static void say_logged_out(scripted_t *s, struct mt_conn *c, uint64_t msg_id)
{
    gap_tl_auth_logged_out_t out = {0};

    if (s->token != NULL) {
        out.flags = GAP_TL_AUTH_LOGGED_OUT_F_FUTURE_AUTH_TOKEN;
        out.future_auth_token = gap_str(s->token);
    }
    say(c, msg_id, GAP_TL_OF(GAP_TL_AUTH_LOGGED_OUT, &out));
}

static void say_state(struct mt_conn *c, uint64_t msg_id)
{
    static const gap_tl_updates_state_t state = {.pts = 1, .date = 1, .seq = 0};
    say(c, msg_id, GAP_TL_OF(GAP_TL_UPDATES_STATE, &state));
}

static void say_no_difference(struct mt_conn *c, uint64_t msg_id)
{
    static const gap_tl_updates_difference_empty_t empty = {.date = 1};
    say(c, msg_id, GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &empty));
}

static void say_code(scripted_t *s, struct mt_conn *c, uint64_t msg_id)
{
    gap_tl_auth_authorization_sign_up_required_t sign_up = {0};

    if (s->hint != NULL)
        refuse(c, msg_id, 401, "SESSION_PASSWORD_NEEDED");
    else if (s->want_name)
        say(c, msg_id, GAP_TL_OF(GAP_TL_AUTH_AUTHORIZATION_SIGN_UP_REQUIRED, &sign_up));
    else
        say_authorised(s, c, msg_id);
}

static void serve(scripted_t *s, struct mt_conn *c, uint64_t msg_id, gap_bytes_t body)
{
    switch (gap_load32(body.data)) {
    case GAP_TL_AUTH_SEND_CODE:
    case GAP_TL_AUTH_RESEND_CODE:
        say_sent(s, c, msg_id);
        break;
    case GAP_TL_AUTH_SIGN_IN:
        say_code(s, c, msg_id);
        break;
    case GAP_TL_AUTH_SIGN_UP:
    case GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION:
        say_authorised(s, c, msg_id);
        break;
    case GAP_TL_ACCOUNT_GET_PASSWORD:
        say_password(s, c, msg_id);
        break;
    case GAP_TL_AUTH_CHECK_PASSWORD:
        check_password(s, c, msg_id, body);
        break;
    case GAP_TL_HELP_GET_CONFIG:
        say_config(s, c, msg_id);
        break;
    case GAP_TL_AUTH_LOG_OUT:
        say_logged_out(s, c, msg_id);
        break;
    case GAP_TL_UPDATES_GET_STATE:
        say_state(c, msg_id);
        break;
    case GAP_TL_UPDATES_GET_DIFFERENCE:
        say_no_difference(c, msg_id);
        break;
    default:
        refuse(c, msg_id, 400, "METHOD_INVALID");
    }
}

/* ---- being asked ---- */

/* Take off what a first call is wrapped in. */
static gap_bytes_t unwrap(gap_bytes_t body)
{
    gap_tl_invoke_with_layer_t layer;
    gap_tl_init_connection_t init;

    if (gap_load32(body.data) != GAP_TL_INVOKE_WITH_LAYER) return body;
    ck_assert_int_gt(gap_tl_read(body, GAP_TL_INVOKE_WITH_LAYER, &layer, sizeof layer), 0);
    ck_assert_int_gt(
        gap_tl_read(gap_tl_bytes(layer.query), GAP_TL_INIT_CONNECTION, &init, sizeof init), 0);
    return gap_tl_bytes(init.query);
}

static struct called *called_of(scripted_t *s, uint32_t method)
{
    for (size_t i = 0; i < s->called_count; i++)
        if (s->called[i].method == method) return &s->called[i];
    ck_assert_uint_lt(s->called_count, METHODS);
    s->called[s->called_count].method = method;
    return &s->called[s->called_count++];
}

static bool is_sign_in(uint32_t method)
{
    const char *name = gap_tl_name(method);
    return strncmp(name, "auth.", 5) == 0 || method == GAP_TL_ACCOUNT_GET_PASSWORD ||
           method == GAP_TL_HELP_GET_CONFIG;
}

static void on_query(mt_server_t *mt, struct mt_conn *c, uint64_t msg_id, gap_bytes_t body)
{
    scripted_t *s = mt->data;
    gap_bytes_t query = unwrap(body);
    uint32_t method = gap_load32(query.data);
    struct called *called = called_of(s, method);

    called->count++;
    called->len = query.len < LAST_MAX ? query.len : LAST_MAX;
    memcpy(called->last, query.data, called->len);
    if (s->all_name != NULL && !is_sign_in(method)) {
        refuse(c, msg_id, s->all_code, s->all_name);
        return;
    }
    for (size_t i = 0; i < s->rule_count; i++) {
        struct rule *rule = &s->rules[i];
        if (rule->method != method || rule->times == 0) continue;
        rule->times--;
        refuse(c, msg_id, rule->code, rule->name);
        return;
    }
    serve(s, c, msg_id, query);
}

/* ---- the script ---- */

scripted_t *scripted_open(uv_loop_t *loop, int32_t dc, int64_t user_id)
{
    static const gap_tl_auth_sent_code_type_app_t app = {.length = 5};
    scripted_t *s = calloc(1, sizeof *s);

    ck_assert_ptr_nonnull(s);
    ck_assert_int_eq(gap_uv_env_open(loop, gap_alloc_default(), &s->env), 0);
    mt_server_open(&s->mt, s->env);
    s->mt.query = on_query;
    s->mt.data = s;
    s->dc = dc;
    s->user_id = user_id;
    scripted_deliver(s, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_APP, &app), 0, 0);
    return s;
}

uint16_t scripted_port(const scripted_t *s)
{
    return s->mt.listener->addr.port;
}

const char *scripted_pem(const scripted_t *s)
{
    return mt_server_pem(&s->mt);
}

void scripted_close(scripted_t *s)
{
    mt_server_close(&s->mt);
    gap_uv_env_close(s->env, NULL, NULL);
}

void scripted_free(scripted_t *s)
{
    free(s);
}

void scripted_refuse(scripted_t *s, uint32_t method, int32_t code, const char *name, unsigned times)
{
    ck_assert_uint_lt(s->rule_count, RULES);
    s->rules[s->rule_count++] = (struct rule){method, code, name, times};
}

void scripted_refuse_all(scripted_t *s, int32_t code, const char *name)
{
    s->all_code = code;
    s->all_name = name;
}

unsigned scripted_calls(const scripted_t *s, uint32_t method)
{
    for (size_t i = 0; i < s->called_count; i++)
        if (s->called[i].method == method) return s->called[i].count;
    return 0;
}

gap_bytes_t scripted_last(const scripted_t *s, uint32_t method)
{
    for (size_t i = 0; i < s->called_count; i++)
        if (s->called[i].method == method) return gap_bytes(s->called[i].last, s->called[i].len);
    return gap_bytes(NULL, 0);
}

void scripted_deliver(scripted_t *s, gap_tl_object_t type, uint32_t next, int32_t timeout_s)
{
    int64_t n = gap_tl_write(type, s->type, sizeof s->type);

    ck_assert_int_gt(n, 0);
    s->type_len = (size_t)n;
    s->next = next;
    s->timeout_s = timeout_s;
}

void scripted_send_code(scripted_t *s, gap_tl_object_t answer)
{
    s->sent_len = 0;
    if (answer.id == 0) return;
    int64_t n = gap_tl_write(answer, s->sent, sizeof s->sent);
    ck_assert_int_gt(n, 0);
    s->sent_len = (size_t)n;
}

void scripted_want_password(scripted_t *s, const char *hint)
{
    static uint8_t v[GAP_DH_BYTES]; /* always the same, and slow to make */
    static bool made;
    gap_srp_algo_t algo = algo_of();

    s->hint = hint;
    if (!made) ck_assert_int_eq(gap_srp_verifier(gap_str(SCRIPTED_PASSWORD), &algo, v), 0);
    made = true;
    memcpy(s->v, v, sizeof v);
}

void scripted_want_name(scripted_t *s)
{
    s->want_name = true;
}

void scripted_give_token(scripted_t *s, const char *token)
{
    s->token = token;
}

void scripted_know(scripted_t *s, int32_t dc, uint16_t port)
{
    s->other_dc = dc;
    s->other_port = port;
}

void scripted_forget_key(scripted_t *s)
{
    s->mt.keyed = false;
    mt_server_hang_up(&s->mt);
}

int scripted_handshakes(const scripted_t *s)
{
    return s->mt.handshakes;
}
