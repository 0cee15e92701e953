/*
 * tests/loop/test_client_sign_in.c - signing in, against a server that refuses by script: every
 * question, every answer, every error of Telegram's that concerns it, and what people are told.
 */
#include "tests/loop/account.h"

#include "base/bytes.h"
#include "tests/loop/scripted.h"

#include <unistd.h>

#define USER_ID INT64_C(4242)

struct bench {
    uv_loop_t loop;
    scripted_t *server;
    struct account a;
    gap_client_config_t config;
};

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    b->server = scripted_open(&b->loop, 2, USER_ID);
    b->config = (gap_client_config_t){
        .host = "127.0.0.1",
        .port = scripted_port(b->server),
        .dc = 2,
        .rsa_key = scripted_pem(b->server),
        .api_id = 7,
        .api_hash = "app hash",
    };
    account_init(&b->a, &b->loop);
}

static void bench_start(struct bench *b)
{
    account_open(&b->a, &b->config);
    account_start(&b->a);
}

static void bench_fini(struct bench *b)
{
    account_close(&b->a);
    scripted_close(b->server);
    (void)uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    scripted_free(b->server);
}

/* Nothing that is secret is told or logged. */
static void check_secrets(const struct account *a)
{
    static const char *const secrets[] = {"5550100",  "555-0100",        "12345",      "Ada",
                                          "app hash", SCRIPTED_PASSWORD, SCRIPTED_HASH};

    for (size_t i = 0; i < GAP_ARRAY_LEN(secrets); i++)
        ck_assert_msg(strstr(a->log, secrets[i]) == NULL, "'%s' is logged:\n%s", secrets[i],
                      a->log);
}

/* ---- the ways in ------------------------------------------------------------------------------
 */

START_TEST(test_number_and_code)
{
    struct bench b;
    gap_tl_auth_send_code_t send;
    gap_tl_auth_sign_in_t sign_in;

    bench_init(&b);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_int_eq(gap_client_self(b.a.client), USER_ID);
    ck_assert_uint_eq(b.a.questions, 2);
    ck_assert_int_eq(b.a.asked[0].step, GAP_SIGN_IN_PHONE);
    ck_assert_int_eq(b.a.asked[0].error, 0);
    ck_assert_str_eq(b.a.asked[0].refused, "");
    ck_assert_int_eq(b.a.asked[1].step, GAP_SIGN_IN_CODE);
    ck_assert_int_eq(b.a.asked[1].delivery, GAP_CODE_APP);
    ck_assert_uint_eq(b.a.asked[1].length, 5);
    gap_bytes_t q = scripted_last(b.server, GAP_TL_AUTH_SEND_CODE);
    ck_assert_int_gt(gap_tl_read(q, GAP_TL_AUTH_SEND_CODE, &send, sizeof send), 0);
    ck_assert(gap_bytes_equal(send.phone_number, gap_str("15550100")));
    ck_assert(gap_bytes_equal(send.api_hash, gap_str("app hash")));
    ck_assert_int_eq(send.api_id, 7);
    q = scripted_last(b.server, GAP_TL_AUTH_SIGN_IN);
    ck_assert_int_gt(gap_tl_read(q, GAP_TL_AUTH_SIGN_IN, &sign_in, sizeof sign_in), 0);
    ck_assert(gap_bytes_equal(sign_in.phone_code, gap_str("12345")));
    ck_assert(gap_bytes_equal(sign_in.phone_code_hash, gap_str(SCRIPTED_HASH)));
    check_secrets(&b.a);
    bench_fini(&b);
}
END_TEST

START_TEST(test_number_of_the_configuration_is_not_asked_for)
{
    struct bench b;

    bench_init(&b);
    b.config.phone = "+1 (555) 0100";
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 1);
    ck_assert_int_eq(b.a.asked[0].step, GAP_SIGN_IN_CODE);
    check_secrets(&b.a);
    bench_fini(&b);
}
END_TEST

START_TEST(test_two_step_password)
{
    struct bench b;

    bench_init(&b);
    scripted_want_password(b.server, "a horse");
    b.a.wrong_password = "incorrect horse";
    b.a.password = SCRIPTED_PASSWORD;
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 4);
    ck_assert_int_eq(b.a.asked[2].step, GAP_SIGN_IN_PASSWORD);
    ck_assert_str_eq(b.a.asked[2].hint, "a horse");
    ck_assert_str_eq(b.a.asked[2].refused, "");
    ck_assert_int_eq(b.a.asked[3].step, GAP_SIGN_IN_PASSWORD);
    ck_assert_str_eq(b.a.asked[3].refused, "PASSWORD_HASH_INVALID");
    ck_assert_int_eq(b.a.asked[3].error, GAP_E_RPC);
    ck_assert(account_says(b.a.asked[3].text, "password wrong again"));
    ck_assert_str_eq(b.a.asked[3].hint, "a horse");
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_CHECK_PASSWORD), 2);
    check_secrets(&b.a);
    bench_fini(&b);
}
END_TEST

START_TEST(test_old_parameters_are_got_anew_by_itself)
{
    struct bench b;

    bench_init(&b);
    scripted_want_password(b.server, "");
    scripted_refuse(b.server, GAP_TL_AUTH_CHECK_PASSWORD, 400, "SRP_ID_INVALID", 2);
    b.a.password = SCRIPTED_PASSWORD;
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 3);
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_ACCOUNT_GET_PASSWORD), 3);
    bench_fini(&b);
}
END_TEST

START_TEST(test_parameters_that_are_never_right)
{
    struct bench b;

    bench_init(&b);
    scripted_want_password(b.server, "");
    scripted_refuse(b.server, GAP_TL_AUTH_CHECK_PASSWORD, 400, "SRP_ID_INVALID", 100);
    b.a.password = SCRIPTED_PASSWORD;
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_FATAL);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "password later SRP_ID_INVALID"));
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_number_without_account_gets_a_name)
{
    struct bench b;
    gap_tl_auth_sign_up_t sign_up;

    bench_init(&b);
    scripted_want_name(b.server);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 3);
    ck_assert_int_eq(b.a.asked[2].step, GAP_SIGN_IN_NAME);
    ck_assert(account_says(b.a.asked[2].text, "no account name terms"));
    gap_bytes_t q = scripted_last(b.server, GAP_TL_AUTH_SIGN_UP);
    ck_assert_int_gt(gap_tl_read(q, GAP_TL_AUTH_SIGN_UP, &sign_up, sizeof sign_up), 0);
    ck_assert(gap_bytes_equal(sign_up.first_name, gap_str("Ada")));
    ck_assert_uint_eq(sign_up.last_name.len, 0);
    check_secrets(&b.a);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_token_makes_the_code_needless)
{
    static const gap_tl_user_t user = {.id = USER_ID};
    struct bench b;

    bench_init(&b);
    const gap_tl_auth_authorization_t auth = {.user = GAP_TL_OF(GAP_TL_USER, &user)};
    const gap_tl_auth_sent_code_success_t success = {
        .authorization = GAP_TL_OF(GAP_TL_AUTH_AUTHORIZATION, &auth)};
    scripted_send_code(b.server, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_SUCCESS, &success));
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 1);
    ck_assert_int_eq(gap_client_self(b.a.client), USER_ID);
    bench_fini(&b);
}
END_TEST

START_TEST(test_a_code_that_costs_money)
{
    static const gap_tl_auth_sent_code_payment_required_t payment = {.premium_days = 1};
    struct bench b;

    bench_init(&b);
    scripted_send_code(b.server, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_PAYMENT_REQUIRED, &payment));
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_FATAL);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "payment official app"));
    bench_fini(&b);
}
END_TEST

/* ---- how codes travel -------------------------------------------------------------------------
 */

static const gap_tl_auth_sent_code_type_app_t by_app = {.length = 5};
static const gap_tl_auth_sent_code_type_sms_t by_sms = {.length = 6};
static const gap_tl_auth_sent_code_type_call_t by_call = {.length = 4};
static const gap_tl_auth_sent_code_type_flash_call_t by_flash = {
    .pattern = {(const uint8_t *)"+7*", 3}};
static const gap_tl_auth_sent_code_type_missed_call_t by_missed = {
    .prefix = {(const uint8_t *)"+44", 3}, .length = 6};
static const gap_tl_auth_sent_code_type_email_code_t by_email = {
    .email_pattern = {(const uint8_t *)"a*@b.c", 6}, .length = 8};
static const gap_tl_auth_sent_code_type_fragment_sms_t by_fragment = {
    .url = {(const uint8_t *)"https://fragment.com/x", 22}, .length = 5};
static const gap_tl_auth_sent_code_type_sms_word_t by_word = {
    .flags = 1, .beginning = {(const uint8_t *)"q", 1}};
static const gap_tl_auth_sent_code_type_sms_phrase_t by_phrase = {.flags = 0};
static const gap_tl_auth_sent_code_type_set_up_email_required_t by_setup = {.flags = 0};
static const gap_tl_auth_sent_code_type_firebase_sms_t by_firebase = {.length = 5};

static const struct {
    uint32_t id;
    const void *type;
    uint32_t next_id;
    gap_code_delivery_t delivery;
    gap_code_delivery_t next;
    uint32_t length;
    const char *pattern;
    const char *words;
} ways[] = {
    {GAP_TL_AUTH_SENT_CODE_TYPE_APP, &by_app, GAP_TL_AUTH_CODE_TYPE_SMS, GAP_CODE_APP, GAP_CODE_SMS,
     5, "", "other clients"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_SMS, &by_sms, GAP_TL_AUTH_CODE_TYPE_CALL, GAP_CODE_SMS,
     GAP_CODE_CALL, 6, "", "SMS"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_CALL, &by_call, GAP_TL_AUTH_CODE_TYPE_FLASH_CALL, GAP_CODE_CALL,
     GAP_CODE_FLASH_CALL, 4, "", "called"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_FLASH_CALL, &by_flash, GAP_TL_AUTH_CODE_TYPE_MISSED_CALL,
     GAP_CODE_FLASH_CALL, GAP_CODE_MISSED_CALL, 0, "+7*", "number calls"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_MISSED_CALL, &by_missed, GAP_TL_AUTH_CODE_TYPE_FRAGMENT_SMS,
     GAP_CODE_MISSED_CALL, GAP_CODE_FRAGMENT, 6, "+44", "last digits"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_EMAIL_CODE, &by_email, 0, GAP_CODE_EMAIL, GAP_CODE_NONE, 8,
     "a*@b.c", "e-mail"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_FRAGMENT_SMS, &by_fragment, 0, GAP_CODE_FRAGMENT, GAP_CODE_NONE, 5,
     "https://fragment.com/x", "fragment.com"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_SMS_WORD, &by_word, 0, GAP_CODE_SMS_WORD, GAP_CODE_NONE, 0, "q",
     "word SMS"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_SMS_PHRASE, &by_phrase, 0, GAP_CODE_SMS_PHRASE, GAP_CODE_NONE, 0,
     "", "words SMS"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_SET_UP_EMAIL_REQUIRED, &by_setup, 0, GAP_CODE_OTHER, GAP_CODE_NONE,
     0, "", "official again"},
    {GAP_TL_AUTH_SENT_CODE_TYPE_FIREBASE_SMS, &by_firebase, GAP_TL_AUTH_CODE_TYPE_SMS,
     GAP_CODE_OTHER, GAP_CODE_SMS, 0, "", "official again"},
};

START_TEST(test_every_way_of_a_code)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(ways); i++) {
        struct bench b;
        bench_init(&b);
        scripted_deliver(b.server, GAP_TL_OF(ways[i].id, ways[i].type), ways[i].next_id, 0);
        bench_start(&b);
        account_await(&b.a, GAP_CLIENT_SIGNED_IN);
        const struct asked *q = &b.a.asked[1];
        ck_assert_int_eq(q->step, GAP_SIGN_IN_CODE);
        ck_assert_msg(q->delivery == ways[i].delivery, "way %zu: %d", i, q->delivery);
        ck_assert_msg(q->next == ways[i].next, "way %zu: next %d", i, q->next);
        ck_assert_msg(q->length == ways[i].length, "way %zu: length %u", i, q->length);
        ck_assert_str_eq(q->pattern, ways[i].pattern);
        ck_assert_msg(account_says(q->text, ways[i].words), "way %zu: %s", i, q->text);
        bench_fini(&b);
    }
}
END_TEST

START_TEST(test_a_code_by_mail_is_a_verification)
{
    struct bench b;
    gap_tl_auth_sign_in_t q;
    gap_tl_email_verification_code_t code;

    bench_init(&b);
    scripted_deliver(b.server, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_EMAIL_CODE, &by_email), 0, 0);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    gap_bytes_t bytes = scripted_last(b.server, GAP_TL_AUTH_SIGN_IN);
    ck_assert_int_gt(gap_tl_read(bytes, GAP_TL_AUTH_SIGN_IN, &q, sizeof q), 0);
    ck_assert_uint_eq(q.flags, GAP_TL_AUTH_SIGN_IN_F_EMAIL_VERIFICATION);
    ck_assert_int_gt(GAP_TL_READ(q.email_verification, GAP_TL_EMAIL_VERIFICATION_CODE, &code), 0);
    ck_assert(gap_bytes_equal(code.code, gap_str("12345")));
    bench_fini(&b);
}
END_TEST

START_TEST(test_resend)
{
    struct bench b;
    gap_tl_auth_resend_code_t q;

    bench_init(&b);
    b.a.resend = true;
    scripted_deliver(b.server, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_SMS, &by_sms),
                     GAP_TL_AUTH_CODE_TYPE_CALL, 0);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_uint_eq(b.a.questions, 3);
    gap_bytes_t bytes = scripted_last(b.server, GAP_TL_AUTH_RESEND_CODE);
    ck_assert_int_gt(gap_tl_read(bytes, GAP_TL_AUTH_RESEND_CODE, &q, sizeof q), 0);
    ck_assert(gap_bytes_equal(q.phone_number, gap_str("15550100")));
    ck_assert(gap_bytes_equal(q.phone_code_hash, gap_str(SCRIPTED_HASH)));
    bench_fini(&b);
}
END_TEST

START_TEST(test_resend_only_after_its_wait)
{
    struct bench b;

    bench_init(&b);
    b.a.code = NULL;
    scripted_deliver(b.server, GAP_TL_OF(GAP_TL_AUTH_SENT_CODE_TYPE_SMS, &by_sms),
                     GAP_TL_AUTH_CODE_TYPE_CALL, 1);
    bench_start(&b);
    ck_assert(account_until(&b.loop, &b.a.questions, 2, ACCOUNT_WAIT_MS));
    ck_assert_uint_eq(b.a.asked[1].resend_in_s, 1);
    ck_assert_int_eq(gap_client_sign_in_resend(b.a.client), GAP_E_BUSY);
    account_run(&b.loop, 1100);
    ck_assert_int_eq(gap_client_sign_in_resend(b.a.client), 0);
    ck_assert_int_eq(gap_client_sign_in_resend(b.a.client), GAP_E_STATE);
    ck_assert(account_until(&b.loop, &b.a.questions, 3, ACCOUNT_WAIT_MS));
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_RESEND_CODE), 1);
    bench_fini(&b);
}
END_TEST

START_TEST(test_answers_to_what_is_not_asked)
{
    struct bench b;

    bench_init(&b);
    b.a.phone = NULL;
    account_open(&b.a, &b.config);
    ck_assert_int_eq(gap_client_sign_in_phone(b.a.client, "1"), GAP_E_STATE);
    account_start(&b.a);
    ck_assert(account_until(&b.loop, &b.a.questions, 1, ACCOUNT_WAIT_MS));
    ck_assert_int_eq(gap_client_sign_in_code(b.a.client, "1"), GAP_E_STATE);
    ck_assert_int_eq(gap_client_sign_in_resend(b.a.client), GAP_E_STATE);
    ck_assert_int_eq(gap_client_sign_in_password(b.a.client, "1"), GAP_E_STATE);
    ck_assert_int_eq(gap_client_sign_in_name(b.a.client, "1", "2"), GAP_E_STATE);
    ck_assert_int_eq(gap_client_sign_in_phone(b.a.client, ""), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_client_sign_in_phone(b.a.client, "+ -"), GAP_E_ARGUMENT);
    ck_assert_int_eq(gap_client_sign_in_phone(b.a.client, "1 555"), 0);
    ck_assert_int_eq(gap_client_sign_in_phone(b.a.client, "1 555"), GAP_E_STATE);
    ck_assert(account_until(&b.loop, &b.a.questions, 2, ACCOUNT_WAIT_MS));
    account_await(&b.a, GAP_CLIENT_SIGNED_IN);
    ck_assert_int_eq(gap_client_sign_in_code(b.a.client, "1"), GAP_E_STATE);
    gap_client_close(b.a.client, NULL, NULL);
    ck_assert_int_eq(gap_client_sign_in_code(b.a.client, "1"), GAP_E_CLOSED);
    b.a.closed = 1; /* that callback was not ours */
    b.a.client = NULL;
    bench_fini(&b);
}
END_TEST

/* ---- refusals ---------------------------------------------------------------------------------
 */

enum { FATAL = -1, PHONE, CODE, PASSWORD, NAME, NOTHING };

/* A method refuses once. What comes of it: the end, or the question that comes next (NOTHING: none
 * besides the usual ones), with a text that holds these words. */
static const struct {
    uint32_t method;
    int32_t code;
    const char *name;
    int then;
    const char *words;
} refusals[] = {
    /* the program */
    {GAP_TL_AUTH_SEND_CODE, 400, "API_ID_INVALID", FATAL, "api_id api_hash my.telegram.org"},
    {GAP_TL_AUTH_SEND_CODE, 400, "API_ID_PUBLISHED_FLOOD", FATAL, "published own my.telegram.org"},
    {GAP_TL_AUTH_SEND_CODE, 400, "CONNECTION_API_ID_INVALID", FATAL, "api_id my.telegram.org"},
    {GAP_TL_AUTH_SEND_CODE, 400, "CONNECTION_APP_VERSION_EMPTY", FATAL, "app_version set"},
    {GAP_TL_AUTH_SEND_CODE, 400, "CONNECTION_DEVICE_MODEL_EMPTY", FATAL, "device_model set"},
    {GAP_TL_AUTH_SEND_CODE, 400, "CONNECTION_SYSTEM_EMPTY", FATAL, "system_version set"},
    {GAP_TL_AUTH_SEND_CODE, 400, "CONNECTION_SYSTEM_LANG_CODE_EMPTY", FATAL, "lang_code set"},
    {GAP_TL_AUTH_SEND_CODE, 400, "CONNECTION_LANG_PACK_INVALID", FATAL, "language lang_code"},
    {GAP_TL_AUTH_SEND_CODE, 400, "INPUT_LAYER_INVALID", FATAL, "layer update library"},
    {GAP_TL_AUTH_SEND_CODE, 406, "UPDATE_APP_TO_LOGIN", FATAL, "newer update official"},
    {GAP_TL_AUTH_SIGN_IN, 406, "UPDATE_APP_TO_LOGIN", FATAL, "newer update official"},
    /* the number */
    {GAP_TL_AUTH_SEND_CODE, 400, "PHONE_NUMBER_INVALID", PHONE, "no phone number international"},
    {GAP_TL_AUTH_SEND_CODE, 400, "PHONE_NUMBER_BANNED", PHONE, "banned recover@telegram.org"},
    {GAP_TL_AUTH_SEND_CODE, 400, "PHONE_NUMBER_FLOOD", PHONE, "too often wait day"},
    {GAP_TL_AUTH_SEND_CODE, 406, "PHONE_PASSWORD_FLOOD", PHONE, "passwords wait day"},
    {GAP_TL_AUTH_SEND_CODE, 400, "PHONE_PASSWORD_PROTECTED", PHONE, "protected official"},
    {GAP_TL_AUTH_SEND_CODE, 400, "PHONE_NUMBER_APP_SIGNUP_FORBIDDEN", PHONE, "official app"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_NUMBER_UNOCCUPIED", NAME, "no account name"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_NUMBER_INVALID", PHONE, "no phone number"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_NUMBER_OCCUPIED", CODE, "has an account new code"},
    /* the code */
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_CODE_INVALID", CODE, "code wrong again"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_CODE_EMPTY", CODE, "code missing"},
    {GAP_TL_AUTH_SIGN_IN, 400, "CODE_INVALID", CODE, "code wrong again"},
    {GAP_TL_AUTH_SIGN_IN, 400, "CODE_EMPTY", CODE, "code missing"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_CODE_EXPIRED", CODE, "expired new one sent"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_CODE_HASH_EMPTY", CODE, "forgot new one sent"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PHONE_HASH_EXPIRED", CODE, "forgot new one sent"},
    {GAP_TL_AUTH_SIGN_IN, 400, "CODE_HASH_INVALID", CODE, "forgot new one sent"},
    {GAP_TL_AUTH_SEND_CODE, 406, "SEND_CODE_UNAVAILABLE", PHONE, "all ways wait"},
    {GAP_TL_AUTH_RESEND_CODE, 406, "SEND_CODE_UNAVAILABLE", CODE, "all ways give the code"},
    {GAP_TL_AUTH_RESEND_CODE, 400, "PHONE_CODE_EXPIRED", CODE, "expired new one sent"},
    {GAP_TL_AUTH_SEND_CODE, 400, "SMS_CODE_CREATE_FAILED", PHONE, "could not send few minutes"},
    {GAP_TL_AUTH_SEND_CODE, 400, "EMAIL_NOT_SETUP", FATAL, "official apps first"},
    {GAP_TL_AUTH_SEND_CODE, 400, "EMAIL_UNCONFIRMED", FATAL, "official apps first"},
    /* the password */
    {GAP_TL_AUTH_CHECK_PASSWORD, 400, "PASSWORD_HASH_INVALID", PASSWORD, "password wrong again"},
    {GAP_TL_AUTH_CHECK_PASSWORD, 400, "PASSWORD_EMPTY", PASSWORD, "password missing"},
    {GAP_TL_AUTH_CHECK_PASSWORD, 400, "SRP_ID_INVALID", NOTHING, ""},
    {GAP_TL_AUTH_CHECK_PASSWORD, 400, "SRP_PASSWORD_CHANGED", PASSWORD, "changed new"},
    {GAP_TL_AUTH_CHECK_PASSWORD, 400, "PASSWORD_MISSING", CODE, "no two-step password new code"},
    {GAP_TL_AUTH_SEND_CODE, 401, "SESSION_PASSWORD_NEEDED", PASSWORD, "two-step password"},
    {GAP_TL_AUTH_SEND_CODE, 400, "SESSION_PASSWORD_NEEDED", PASSWORD, "two-step password"},
    {GAP_TL_AUTH_SIGN_IN, 400, "PASSWORD_REQUIRED", PASSWORD, "two-step password"},
    {GAP_TL_AUTH_CHECK_PASSWORD, 406, "PHONE_PASSWORD_FLOOD", PHONE, "passwords wait"},
    {GAP_TL_AUTH_CHECK_PASSWORD, 401, "AUTH_KEY_UNREGISTERED", CODE, "forgot new code"},
    /* the name */
    {GAP_TL_AUTH_SIGN_UP, 400, "FIRSTNAME_INVALID", NAME, "first name another"},
    {GAP_TL_AUTH_SIGN_UP, 400, "LASTNAME_INVALID", NAME, "last name another"},
    {GAP_TL_AUTH_SIGN_UP, 400, "PHONE_CODE_EXPIRED", CODE, "expired new one sent"},
    /* pauses */
    {GAP_TL_AUTH_SEND_CODE, 420, "FLOOD_WAIT_86", PHONE, "too many pause 86 s"},
    {GAP_TL_AUTH_RESEND_CODE, 420, "FLOOD_WAIT_7", CODE, "too many pause 7 s"},
    {GAP_TL_AUTH_SIGN_IN, 420, "FLOOD_WAIT_3600", CODE, "too many pause 3600 s"},
    {GAP_TL_AUTH_SIGN_UP, 420, "FLOOD_WAIT_9", NAME, "too many pause 9 s"},
    {GAP_TL_AUTH_CHECK_PASSWORD, 420, "FLOOD_WAIT_30", PASSWORD, "too many pause 30 s"},
    {GAP_TL_ACCOUNT_GET_PASSWORD, 420, "FLOOD_WAIT_31", PASSWORD, "too many pause 31 s"},
    {GAP_TL_AUTH_SEND_CODE, 420, "FLOOD_TEST_PHONE_WAIT_12", PHONE, "pause 12 s"},
    {GAP_TL_AUTH_SEND_CODE, 420, "FLOOD_PREMIUM_WAIT_13", PHONE, "pause 13 s"},
    {GAP_TL_AUTH_CHECK_PASSWORD, 420, "2FA_CONFIRM_WAIT_14", PASSWORD, "pause 14 s"},
    /* the server */
    {GAP_TL_AUTH_SEND_CODE, 500, "AUTH_RESTART", CODE, "begin anew"},
    {GAP_TL_AUTH_SIGN_IN, 500, "AUTH_RESTART", CODE, "begin anew new code"},
    {GAP_TL_AUTH_SIGN_IN, 401, "SESSION_EXPIRED", CODE, "expired new code"},
    {GAP_TL_AUTH_SIGN_IN, 401, "SESSION_REVOKED", CODE, "another device new code"},
    {GAP_TL_AUTH_SIGN_IN, 401, "AUTH_KEY_INVALID", FATAL, "key start again"},
    {GAP_TL_AUTH_SIGN_IN, 406, "AUTH_KEY_DUPLICATED", FATAL, "two programs own session"},
    {GAP_TL_AUTH_SIGN_IN, 401, "USER_DEACTIVATED", FATAL, "deleted another"},
    {GAP_TL_AUTH_SIGN_IN, 401, "USER_DEACTIVATED_BAN", FATAL, "banned recover@telegram.org"},
    {GAP_TL_AUTH_SIGN_IN, 400, "SOMETHING_NEW_5", FATAL, "refuses 400 SOMETHING_NEW_5"},
};

static bool is_password(uint32_t method)
{
    return method == GAP_TL_AUTH_CHECK_PASSWORD || method == GAP_TL_ACCOUNT_GET_PASSWORD;
}

static uint64_t seconds_of(const char *name)
{
    const char *digits = strrchr(name, '_');
    return strstr(name, "WAIT_") == NULL ? 0 : strtoull(digits + 1, NULL, 10);
}

static void check_question(const struct account *a, size_t i)
{
    const struct asked *q = NULL;
    bool silent = strstr(refusals[i].name, "NEEDED") != NULL ||
                  strcmp(refusals[i].name, "PASSWORD_REQUIRED") == 0 ||
                  strcmp(refusals[i].name, "PHONE_NUMBER_UNOCCUPIED") == 0;

    for (unsigned k = 0; k < a->questions && q == NULL; k++) {
        bool it = silent ? (int)a->asked[k].step == refusals[i].then
                         : strcmp(a->asked[k].refused, refusals[i].name) == 0;
        if (it) q = &a->asked[k];
    }
    ck_assert_msg(q != NULL, "%s was not told", refusals[i].name);
    ck_assert_msg((int)q->step == refusals[i].then, "%s: step %d", refusals[i].name, q->step);
    ck_assert_msg(account_says(q->text, refusals[i].words), "%s: '%s'", refusals[i].name, q->text);
    ck_assert_int_eq(q->error, silent ? 0 : GAP_E_RPC);
    ck_assert_int_eq(q->rpc_code, silent ? 0 : refusals[i].code);
    ck_assert_uint_eq(q->us, seconds_of(refusals[i].name) * 1000000);
}

START_TEST(test_refusal)
{
    size_t i = (size_t)_i;
    struct bench b;

    bench_init(&b);
    scripted_refuse(b.server, refusals[i].method, refusals[i].code, refusals[i].name, 1);
    if (is_password(refusals[i].method) || refusals[i].then == PASSWORD)
        scripted_want_password(b.server, "");
    if (refusals[i].method == GAP_TL_AUTH_SIGN_UP) scripted_want_name(b.server);
    b.a.resend = refusals[i].method == GAP_TL_AUTH_RESEND_CODE;
    b.a.password = SCRIPTED_PASSWORD;
    bench_start(&b);
    if (refusals[i].then == FATAL) {
        account_await(&b.a, GAP_CLIENT_FATAL);
        ck_assert_int_eq(b.a.error[GAP_CLIENT_FATAL], GAP_E_RPC);
        ck_assert_int_eq(b.a.rpc_code[GAP_CLIENT_FATAL], refusals[i].code);
        ck_assert_msg(account_says(b.a.text[GAP_CLIENT_FATAL], refusals[i].words), "%s: '%s'",
                      refusals[i].name, b.a.text[GAP_CLIENT_FATAL]);
        ck_assert_int_eq(gap_client_sign_in_code(b.a.client, "1"), GAP_E_CLOSED);
    } else {
        account_await(&b.a, GAP_CLIENT_SIGNED_IN);
        if (refusals[i].then != NOTHING) check_question(&b.a, i);
    }
    check_secrets(&b.a);
    bench_fini(&b);
}
END_TEST

static const struct {
    int32_t code;
    const char *name;
    const char *words; /* NULL: signed in all the same */
} bot_refusals[] = {
    {400, "ACCESS_TOKEN_INVALID", "token wrong @BotFather"},
    {400, "ACCESS_TOKEN_EXPIRED", "token revoked @BotFather"},
    {400, "BOT_TOKEN_INVALID", "token wrong @BotFather"},
    {400, "API_ID_INVALID", "api_id my.telegram.org"},
    {420, "FLOOD_WAIT_600", "pause 600 s start again"},
    {500, "AUTH_RESTART", NULL},
    {401, "SESSION_PASSWORD_NEEDED", "SESSION_PASSWORD_NEEDED"},
};

START_TEST(test_refusals_of_bots)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(bot_refusals); i++) {
        struct bench b;
        bench_init(&b);
        b.config.bot_token = "4242:secret token";
        scripted_refuse(b.server, GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, bot_refusals[i].code,
                        bot_refusals[i].name, 1);
        bench_start(&b);
        account_await(&b.a,
                      bot_refusals[i].words == NULL ? GAP_CLIENT_SIGNED_IN : GAP_CLIENT_FATAL);
        if (bot_refusals[i].words != NULL) {
            ck_assert_msg(account_says(b.a.text[GAP_CLIENT_FATAL], bot_refusals[i].words), "%s: %s",
                          bot_refusals[i].name, b.a.text[GAP_CLIENT_FATAL]);
            ck_assert_uint_eq(b.a.us[GAP_CLIENT_FATAL], seconds_of(bot_refusals[i].name) * 1000000);
        }
        ck_assert_ptr_null(strstr(b.a.log, "secret token"));
        bench_fini(&b);
    }
}
END_TEST

START_TEST(test_a_server_that_always_begins_anew)
{
    struct bench b;

    bench_init(&b);
    scripted_refuse(b.server, GAP_TL_AUTH_SEND_CODE, 500, "AUTH_RESTART", 100);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_FATAL);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "again and again later AUTH_RESTART"));
    ck_assert_uint_le(scripted_calls(b.server, GAP_TL_AUTH_SEND_CODE), 5);
    bench_fini(&b);
}
END_TEST

/* ---- another data centre ----------------------------------------------------------------------
 */

static const struct {
    const char *why;
    uint32_t method;
    const char *name;
    bool bot;
} moves[] = {
    {"the number lives there", GAP_TL_AUTH_SEND_CODE, "PHONE_MIGRATE_4", false},
    {"the network is nearer there", GAP_TL_AUTH_SEND_CODE, "NETWORK_MIGRATE_4", false},
    {"the user lives there", GAP_TL_AUTH_SIGN_IN, "USER_MIGRATE_4", false},
    {"the user has moved", GAP_TL_ACCOUNT_GET_PASSWORD, "USER_MIGRATE_4", false},
    {"the new user lives there", GAP_TL_AUTH_SIGN_UP, "USER_MIGRATE_4", false},
    {"the bot lives there", GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, "USER_MIGRATE_4", true},
    {"the bot lives there", GAP_TL_AUTH_IMPORT_BOT_AUTHORIZATION, "PHONE_MIGRATE_4", true},
};

START_TEST(test_moves_to_another_data_centre)
{
    for (size_t i = 0; i < GAP_ARRAY_LEN(moves); i++) {
        struct bench b;
        bench_init(&b);
        scripted_t *other = scripted_open(&b.loop, 4, USER_ID);
        scripted_know(b.server, 4, scripted_port(other));
        scripted_refuse(b.server, moves[i].method, 303, moves[i].name, 1);
        if (is_password(moves[i].method)) {
            scripted_want_password(b.server, "");
            scripted_want_password(other, "");
        }
        if (moves[i].method == GAP_TL_AUTH_SIGN_UP) scripted_want_name(b.server);
        b.a.password = SCRIPTED_PASSWORD;
        if (moves[i].bot) b.config.bot_token = "4242:token";
        bench_start(&b);
        account_await(&b.a, GAP_CLIENT_SIGNED_IN);
        ck_assert_msg(scripted_calls(other, moves[i].method) == 1, "%s: not repeated there",
                      moves[i].why);
        ck_assert_int_eq(scripted_handshakes(other), 1);
        ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_UPDATES_GET_STATE), 0);
        ck_assert_uint_eq(b.a.seen[GAP_CLIENT_CONNECTED], 2);
        account_close(&b.a);
        scripted_close(other);
        bench_fini(&b);
        scripted_free(other);
    }
}
END_TEST

START_TEST(test_a_data_centre_that_nobody_knows)
{
    struct bench b;

    bench_init(&b);
    scripted_refuse(b.server, GAP_TL_AUTH_SEND_CODE, 303, "PHONE_MIGRATE_5", 1);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_FATAL);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "data centre 5 address"));
    bench_fini(&b);
}
END_TEST

START_TEST(test_sent_in_circles)
{
    struct bench b;

    bench_init(&b);
    scripted_t *other = scripted_open(&b.loop, 4, USER_ID);
    scripted_know(b.server, 4, scripted_port(other));
    scripted_know(other, 2, scripted_port(b.server));
    scripted_refuse(b.server, GAP_TL_AUTH_SEND_CODE, 303, "PHONE_MIGRATE_4", 100);
    scripted_refuse(other, GAP_TL_AUTH_SEND_CODE, 303, "PHONE_MIGRATE_2", 100);
    bench_start(&b);
    account_await(&b.a, GAP_CLIENT_FATAL);
    ck_assert(account_says(b.a.text[GAP_CLIENT_FATAL], "from one data centre to the next"));
    account_close(&b.a);
    scripted_close(other);
    bench_fini(&b);
    scripted_free(other);
}
END_TEST

/* ---- ends -------------------------------------------------------------------------------------
 */

START_TEST(test_close_at_any_question)
{
    for (int at = 1; at <= 4; at++) {
        struct bench b;
        bench_init(&b);
        scripted_want_password(b.server, "");
        b.a.wrong_password = "wrong";
        b.a.close_at_question = at;
        bench_start(&b);
        ck_assert(account_until(&b.loop, &b.a.closed, 1, ACCOUNT_WAIT_MS));
        ck_assert_uint_eq(b.a.questions, (unsigned)at);
        bench_fini(&b);
    }
}
END_TEST

START_TEST(test_close_while_the_proof_is_computed)
{
    struct bench b;

    bench_init(&b);
    scripted_want_password(b.server, "");
    bench_start(&b);
    ck_assert(account_until(&b.loop, &b.a.questions, 3, ACCOUNT_WAIT_MS));
    ck_assert_int_eq(gap_client_sign_in_password(b.a.client, "x"), 0);
    account_close(&b.a);
    ck_assert_uint_eq(scripted_calls(b.server, GAP_TL_AUTH_CHECK_PASSWORD), 0);
    bench_fini(&b);
}
END_TEST

/* Every allocation of a sign-in with a password fails once. An answer that could not be taken is
 * given again; what has no memory elsewhere ends the client, or is tried again by the link. */
START_TEST(test_out_of_memory)
{
    bool whole = false;
    long step = getenv("GAP_SANITISED") == NULL ? 3 : 17;

    for (long n = 1; !whole && n < 4000; n += step) {
        struct bench b;
        struct fault_alloc f;
        bench_init(&b);
        scripted_want_password(b.server, "hint");
        b.a.password = SCRIPTED_PASSWORD;
        b.a.may_fail = true;
        fault_alloc_init(&f, n);
        b.config.alloc = &f.alloc;
        int r = account_try_open(&b.a, &b.config);
        if (r == 0) r = gap_client_start(b.a.client);
        ck_assert_msg(r == 0 || r == GAP_E_NOMEM, "allocation %ld: %s", n, gap_strerror(r));
        for (int i = 0; r == 0 && i < 20000; i++) {
            if (b.a.seen[GAP_CLIENT_SIGNED_IN] + b.a.seen[GAP_CLIENT_FATAL] > 0) break;
            if (b.a.seen[GAP_CLIENT_DISCONNECTED] > 0) break; /* it would come later */
            (void)uv_run(&b.loop, UV_RUN_NOWAIT);
            usleep(100);
        }
        if (b.a.seen[GAP_CLIENT_FATAL] > 0)
            ck_assert_msg(b.a.error[GAP_CLIENT_FATAL] == GAP_E_NOMEM, "allocation %ld: %s", n,
                          b.a.text[GAP_CLIENT_FATAL]);
        whole = b.a.seen[GAP_CLIENT_SIGNED_IN] > 0 && f.calls < n;
        check_secrets(&b.a);
        if (b.a.client == NULL) b.a.closed = 1;
        bench_fini(&b);
        ck_assert_msg(f.live == 0, "allocation %ld: %ld blocks left", n, f.live);
    }
    ck_assert_msg(whole, "never came through");
}
END_TEST

static Suite *sign_in_suite(void)
{
    Suite *s = suite_create("client_sign_in");
    const struct {
        const char *name;
        const TTest *tests[10];
    } cases[] = {
        {"ways",
         {test_number_and_code, test_number_of_the_configuration_is_not_asked_for,
          test_two_step_password, test_old_parameters_are_got_anew_by_itself,
          test_parameters_that_are_never_right, test_a_number_without_account_gets_a_name,
          test_a_token_makes_the_code_needless, test_a_code_that_costs_money}},
        {"codes",
         {test_every_way_of_a_code, test_a_code_by_mail_is_a_verification, test_resend,
          test_resend_only_after_its_wait, test_answers_to_what_is_not_asked}},
        {"refusals", {test_refusals_of_bots, test_a_server_that_always_begins_anew}},
        {"moves",
         {test_moves_to_another_data_centre, test_a_data_centre_that_nobody_knows,
          test_sent_in_circles}},
        {"ends",
         {test_close_at_any_question, test_close_while_the_proof_is_computed, test_out_of_memory}},
    };
    for (size_t i = 0; i < GAP_ARRAY_LEN(cases); i++) {
        TCase *t = tcase_create(cases[i].name);
        tcase_set_timeout(t, 120);
        for (const TTest *const *test = cases[i].tests; *test != NULL; test++)
            tcase_add_test(t, *test);
        suite_add_tcase(s, t);
    }
    TCase *each = tcase_create("each refusal");
    tcase_set_timeout(each, 60);
    tcase_add_loop_test(each, test_refusal, 0, (int)GAP_ARRAY_LEN(refusals));
    suite_add_tcase(s, each);
    return s;
}

GAP_TEST_MAIN(sign_in_suite)
