/*
 * tests/loop/test_dc_password.c - two-step passwords, log-out tokens, and what a script does to the
 * sign-ins of persons.
 */
#include "tests/loop/sign_in.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- passwords ----------------------------------------------------------------------------- */

START_TEST(test_password)
{
    server.options.password = PASSWORD;
    start();
    expect_error(plain_call(&client, GAP_TL_ACCOUNT_GET_PASSWORD), 401, "AUTH_KEY_UNREGISTERED");
    expect_error(try_code(&client, PHONE), 401, "SESSION_PASSWORD_NEEDED");
    expect_signed_in(&client, false);
    const struct question *q = ask(&client);
    ck_assert(q->has_password);
    ck_assert_uint_gt(strlen(q->hint), 0);
    expect_error(check_password(&client, q, "wrong"), 400, "PASSWORD_HASH_INVALID");
    expect_error(check_password(&client, q, PASSWORD), 400, "SRP_ID_INVALID"); /* used up */
    expect_signed_in(&client, false);
    const struct question *again = ask(&client);
    ck_assert_int_ne(again->id, q->id);
    ck_assert_mem_ne(again->b, q->b, sizeof q->b);
    (void)expect_user(check_password(&client, again, PASSWORD));
    expect_signed_in(&client, true);
    /* Another key has shown no code. */
    expect_error(plain_call(&second, GAP_TL_ACCOUNT_GET_PASSWORD), 401, "AUTH_KEY_UNREGISTERED");
    expect_error(check_password(&second, ask(&client), PASSWORD), 401, "AUTH_KEY_UNREGISTERED");
}
END_TEST

START_TEST(test_garbage_for_a_password)
{
    uint8_t bytes[GAP_DH_BYTES] = {0};
    gap_tl_input_check_password_empty_t empty = {0};
    gap_tl_input_check_password_srp_t srp = {0};
    gap_tl_auth_check_password_t call = {GAP_TL_OF(GAP_TL_INPUT_CHECK_PASSWORD_EMPTY, &empty)};

    server.options.password = PASSWORD;
    start();
    expect_error(try_code(&client, PHONE), 401, "SESSION_PASSWORD_NEEDED");
    expect_error(CALL(&client, GAP_TL_AUTH_CHECK_PASSWORD, &call), 400, "PASSWORD_HASH_INVALID");
    call.password = GAP_TL_OF(GAP_TL_INPUT_CHECK_PASSWORD_SRP, &srp);
    for (size_t len = 0; len <= sizeof bytes; len += 64) { /* A = 0, and too short ones */
        srp.srp_id = ask(&client)->id;
        srp.a = gap_bytes(bytes, len);
        srp.m1 = gap_bytes(bytes, len < GAP_SHA256_BYTES ? len : GAP_SHA256_BYTES);
        expect_error(CALL(&client, GAP_TL_AUTH_CHECK_PASSWORD, &call), 400,
                     "PASSWORD_HASH_INVALID");
    }
    srp.srp_id = 1;
    expect_error(CALL(&client, GAP_TL_AUTH_CHECK_PASSWORD, &call), 400, "SRP_ID_INVALID");
}
END_TEST

/* Only so many questions are remembered. */
START_TEST(test_oldest_question_is_forgotten)
{
    server.options.password = PASSWORD;
    start();
    expect_error(try_code(&client, PHONE), 401, "SESSION_PASSWORD_NEEDED");
    const struct question oldest = *ask(&client);
    const struct question next = *ask(&client);
    for (unsigned i = 0; i < GAP_DC_SRP_MAX - 1; i++) (void)ask(&client);
    struct question forgotten = oldest;
    forgotten.now.salt1.data = forgotten.salt1;
    forgotten.now.salt2.data = forgotten.salt2;
    forgotten.now.p.data = forgotten.p;
    expect_error(check_password(&client, &forgotten, PASSWORD), 400, "SRP_ID_INVALID");
    struct question good = next;
    good.now.salt1.data = good.salt1;
    good.now.salt2.data = good.salt2;
    good.now.p.data = good.p;
    (void)expect_user(check_password(&client, &good, PASSWORD));
}
END_TEST

/* account.updatePasswordSettings: show the old one (NULL: there is none), set the new one (NULL:
 * remove it). */
static gap_bytes_t set_password(struct client *c, const char *old, const char *new,
                                const char *hint, size_t salt)
{
    struct question *q = ask(c);
    gap_tl_input_check_password_empty_t empty = {0};
    struct shown shown;
    kdf_t kdf = {.g = q->next.g, .salt2 = q->next.salt2, .p = q->next.p};
    gap_tl_password_kdf_algo_unknown_t unknown = {0};
    uint8_t v[GAP_DH_BYTES];
    gap_tl_account_password_input_settings_t in = {
        .flags = GAP_TL_ACCOUNT_PASSWORD_INPUT_SETTINGS_F_NEW_ALGO,
        .new_algo = GAP_TL_OF(GAP_TL_PASSWORD_KDF_ALGO_UNKNOWN, &unknown),
        .hint = gap_str(hint),
    };
    gap_tl_account_update_password_settings_t call = {
        old == NULL ? GAP_TL_OF(GAP_TL_INPUT_CHECK_PASSWORD_EMPTY, &empty) : show(q, old, &shown),
        GAP_TL_OF(GAP_TL_ACCOUNT_PASSWORD_INPUT_SETTINGS, &in)};

    if (new != NULL) {
        memset(q->new_salt1 + q->next.salt1.len, 0x5c, salt);
        q->next.salt1.len += salt;
        kdf.salt1 = q->next.salt1;
        ck_assert_int_eq(gap_srp_verifier(gap_str(new), &q->next, v), 0);
        in.new_algo = GAP_TL_OF(SRP_KDF_NAME, &kdf);
        in.new_password_hash = gap_bytes(v, sizeof v);
    }
    return CALL(c, GAP_TL_ACCOUNT_UPDATE_PASSWORD_SETTINGS, &call);
}

START_TEST(test_password_is_set_changed_removed)
{
    start();
    enter(&client);
    ck_assert(!ask(&client)->has_password);
    expect_true(set_password(&client, NULL, "first", "a hint", 32));
    const struct question *q = ask(&client);
    ck_assert(q->has_password);
    ck_assert_str_eq(q->hint, "a hint");
    expect_error(try_code(&second, PHONE), 401, "SESSION_PASSWORD_NEEDED");
    (void)expect_user(check_password(&second, ask(&second), "first"));
    expect_error(set_password(&client, "wrong", "second", "", 32), 400, "PASSWORD_HASH_INVALID");
    expect_error(set_password(&client, NULL, "second", "", 32), 400, "PASSWORD_HASH_INVALID");
    q = ask(&second);
    expect_true(set_password(&client, "first", "second", "", 32));
    expect_error(check_password(&second, q, "first"), 400, "SRP_PASSWORD_CHANGED");
    expect_true(set_password(&client, "second", NULL, "", 0));
    ck_assert(!ask(&client)->has_password);
    enter(&second);
}
END_TEST

START_TEST(test_password_settings_that_are_refused)
{
    gap_tl_input_check_password_empty_t empty = {0};
    gap_tl_account_password_input_settings_t in = {0};
    gap_tl_account_update_password_settings_t call = {
        GAP_TL_OF(GAP_TL_INPUT_CHECK_PASSWORD_EMPTY, &empty),
        GAP_TL_OF(GAP_TL_ACCOUNT_PASSWORD_INPUT_SETTINGS, &in)};
    static const char hint[] = "a hint that is longer than what the server is ready to keep of it, "
                               "and than anybody needs";
    uint8_t zeros[GAP_DH_BYTES] = {0};

    start();
    enter(&client);
    expect_error(CALL(&client, GAP_TL_ACCOUNT_UPDATE_PASSWORD_SETTINGS, &call), 400,
                 "NEW_SETTINGS_EMPTY");
    /* The client must add to the server's salt. */
    expect_error(set_password(&client, NULL, "x", "", 0), 400, "NEW_SALT_INVALID");
    expect_error(set_password(&client, NULL, "x", hint, 32), 400, "NEW_SETTINGS_INVALID");
    const struct question *q = ask(&client);
    kdf_t kdf = {q->next.salt1, q->next.salt2, q->next.g, q->next.p};
    kdf.salt1.len += 8;
    in.flags = GAP_TL_ACCOUNT_PASSWORD_INPUT_SETTINGS_F_NEW_ALGO;
    in.new_algo = GAP_TL_OF(SRP_KDF_NAME, &kdf);
    in.new_password_hash = gap_bytes(zeros, sizeof zeros);
    expect_error(CALL(&client, GAP_TL_ACCOUNT_UPDATE_PASSWORD_SETTINGS, &call), 400,
                 "NEW_SETTINGS_INVALID");
    kdf.g = 4;
    expect_error(CALL(&client, GAP_TL_ACCOUNT_UPDATE_PASSWORD_SETTINGS, &call), 400,
                 "NEW_SETTINGS_INVALID");
    ck_assert(!ask(&client)->has_password);
}
END_TEST

START_TEST(test_bots_have_no_password)
{
    start();
    client_sign_in(&client, 4711);
    expect_error(plain_call(&client, GAP_TL_ACCOUNT_GET_PASSWORD), 400, "BOT_METHOD_INVALID");
    expect_error(client_import_bot(&second, DC_PERSON_ID_FIRST + 21234), 400,
                 "ACCESS_TOKEN_INVALID");
}
END_TEST

/* --- out, and in again by a token ---------------------------------------------------------- */

static void log_out(struct client *c, uint8_t token[GAP_DC_TOKEN_BYTES])
{
    gap_tl_auth_logged_out_t out;
    gap_bytes_t r = plain_call(c, GAP_TL_AUTH_LOG_OUT);

    ck_assert_int_gt(gap_tl_read(r, GAP_TL_AUTH_LOGGED_OUT, &out, sizeof out), 0);
    ck_assert_uint_eq(out.future_auth_token.len, GAP_DC_TOKEN_BYTES);
    memcpy(token, out.future_auth_token.data, GAP_DC_TOKEN_BYTES);
}

static gap_bytes_t send_token(struct client *c, const char *phone,
                              const uint8_t token[GAP_DC_TOKEN_BYTES])
{
    const gap_bytes_t tokens[2] = {gap_bytes("another", 7), gap_bytes(token, GAP_DC_TOKEN_BYTES)};
    gap_tl_code_settings_t settings = {.flags = GAP_TL_CODE_SETTINGS_F_LOGOUT_TOKENS,
                                       .logout_tokens = gap_tl_array(tokens, 2)};
    return send_settings(c, phone, &settings);
}

START_TEST(test_log_out_token)
{
    uint8_t token[GAP_DC_TOKEN_BYTES];
    gap_tl_auth_sent_code_success_t success;
    char hash[HASH];

    start();
    enter(&client);
    log_out(&client, token);
    expect_signed_in(&client, false);
    expect_error(plain_call(&client, GAP_TL_AUTH_LOG_OUT), 401, "AUTH_KEY_UNREGISTERED");
    (void)sent(send_token(&second, "9996621235", token), hash); /* somebody else's */
    gap_bytes_t r = send_token(&second, PHONE, token);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_AUTH_SENT_CODE_SUCCESS, &success, sizeof success), 0);
    ck_assert_uint_eq(success.authorization.id, GAP_TL_AUTH_AUTHORIZATION);
    expect_signed_in(&second, true);
    (void)sent(send_token(&client, PHONE, token), hash); /* good once */
}
END_TEST

START_TEST(test_token_and_password)
{
    uint8_t token[GAP_DC_TOKEN_BYTES];

    server.options.password = PASSWORD;
    start();
    expect_error(try_code(&client, PHONE), 401, "SESSION_PASSWORD_NEEDED");
    (void)expect_user(check_password(&client, ask(&client), PASSWORD));
    log_out(&client, token);
    expect_error(send_token(&client, PHONE, token), 401, "SESSION_PASSWORD_NEEDED");
    (void)expect_user(check_password(&client, ask(&client), PASSWORD));
}
END_TEST

/* --- scripts ------------------------------------------------------------------------------- */

START_TEST(test_script_refuses_sign_ins)
{
    char hash[HASH];

    start_with("answer auth.sendCode error 400 PHONE_NUMBER_BANNED\n"
               "answer auth.sendCode flood 30\n"
               "answer auth.signIn error 500 AUTH_RESTART\n"
               "password " PHONE " sesame\n"
               "wait 1\n");
    expect_error(send_code(&client, PHONE), 400, "PHONE_NUMBER_BANNED");
    expect_error(send_code(&client, PHONE), 420, "FLOOD_WAIT_30");
    (void)sent(send_code(&client, PHONE), hash);
    expect_error(sign_in(&client, PHONE, hash, CODE), 500, "AUTH_RESTART");
    expect_error(sign_in(&client, PHONE, hash, CODE), 401, "SESSION_PASSWORD_NEEDED");
    (void)expect_user(check_password(&client, ask(&client), "sesame"));
    (void)expect_user(try_code(&second, "9996621235")); /* others have none */
}
END_TEST

START_TEST(test_script_revokes_at_a_call)
{
    start_with("answer 2 getState ok\n"
               "answer getState revoke USER_DEACTIVATED\n"
               "wait 1\n");
    enter(&client);
    expect_signed_in(&client, true);
    expect_signed_in(&client, true);
    for (int i = 0; i < 3; i++)
        expect_error(plain_call(&client, GAP_TL_UPDATES_GET_STATE), 401, "USER_DEACTIVATED");
    expect_error(plain_call(&client, GAP_TL_MESSAGES_GET_ALL_DRAFTS), 401, "USER_DEACTIVATED");
}
END_TEST

/* The key is known no more. */
static void expect_no_key(struct client *c)
{
    uint8_t ping[12];

    gap_store32(ping, GAP_MT_PING);
    gap_store64(ping + 4, 1);
    (void)client_send(c, gap_bytes(ping, sizeof ping), true);
    while (client_receive_frame(c) > 4) { /* acks and the like, on their way before */
    }
    ck_assert_uint_eq(c->in.len, 4);
    ck_assert_int_eq((int32_t)gap_load32(c->in.data), NO_KEY);
}

START_TEST(test_script_doubles_a_key)
{
    start_with("answer getState duplicate\nwait 1\n");
    enter(&client);
    expect_error(plain_call(&client, GAP_TL_UPDATES_GET_STATE), 406, "AUTH_KEY_DUPLICATED");
    expect_no_key(&client);
}
END_TEST

/* The packet after the one that is refused comes with it: the answer goes out all the same. */
START_TEST(test_doubled_key_is_told_before_it_dies)
{
    uint8_t get_state[4], get_config[4];
    int hold = 1, go = 0;

    gap_store32(get_state, GAP_TL_UPDATES_GET_STATE);
    gap_store32(get_config, GAP_TL_HELP_GET_CONFIG);
    start_with("answer getState duplicate\nwait 1\n");
    enter(&client);
    ck_assert_int_eq(setsockopt(client.fd, IPPROTO_TCP, TCP_CORK, &hold, sizeof hold), 0);
    int64_t asked = client_send(&client, gap_bytes(get_state, 4), true);
    (void)client_send(&client, gap_bytes(get_config, 4), true);
    ck_assert_int_eq(setsockopt(client.fd, IPPROTO_TCP, TCP_CORK, &go, sizeof go), 0);
    expect_error(client_result(&client, asked, NULL), 406, "AUTH_KEY_DUPLICATED");
    expect_no_key(&client);
}
END_TEST

static bool pushed(struct client *c)
{
    struct client_message m;

    while (client_receive(c, &m))
        if ((m.msg_id & 3) == 3 && gap_load32(m.body.data) != GAP_MT_NEW_SESSION_CREATED)
            return true;
    return false;
}

static gap_bytes_t get_difference(struct client *c)
{
    gap_tl_updates_get_difference_t q = {.pts = 1, .date = 1};
    return CALL(c, GAP_TL_UPDATES_GET_DIFFERENCE, &q);
}

/* Both by a step of the script, while the client is silent. */
START_TEST(test_script_ends_sign_ins)
{
    start_with("message user:1\n"
               "await messages.getAllDrafts\n"
               "revoke AUTH_KEY_UNREGISTERED\n"
               "message channel:1\n"
               "await help.getNearestDc\n"
               "account 2\n"
               "duplicate\n");
    enter(&client);
    (void)get_difference(&client);
    ck_assert(pushed(&client));
    (void)plain_call(&client, GAP_TL_MESSAGES_GET_ALL_DRAFTS);
    ck_assert(!pushed(&client));
    expect_error(plain_call(&client, GAP_TL_UPDATES_GET_STATE), 401, "AUTH_KEY_UNREGISTERED");
    (void)expect_user(try_code(&second, "9996621235"));
    (void)plain_call(&second, GAP_TL_HELP_GET_NEAREST_DC);
    (void)usleep(50000);
    expect_error(plain_call(&second, GAP_TL_UPDATES_GET_STATE), 406, "AUTH_KEY_DUPLICATED");
    expect_no_key(&second);
}
END_TEST

/* What was pushed and never acknowledged is not sent again to who has been signed out. */
START_TEST(test_pushes_end_with_the_sign_in)
{
    uint32_t nothing = 0;
    gap_buf_t pushes;

    start_with("message user:1\n"
               "await messages.getAllDrafts\n"
               "revoke\n");
    enter(&client);
    (void)get_difference(&client);
    ck_assert(pushed(&client));
    (void)plain_call(&client, GAP_TL_MESSAGES_GET_ALL_DRAFTS);
    (void)usleep(50000);
    client_hang_up(&client);
    client_connect(&client, server.port, WIRE_INTERMEDIATE); /* the same session */
    gap_buf_init(&pushes, gap_alloc_default());
    expect_error(client_call(&client, GAP_TL_OF(GAP_TL_UPDATES_GET_STATE, &nothing), &pushes), 401,
                 "SESSION_REVOKED");
    ck_assert_uint_eq(pushes.len, 0);
    ck_assert(!pushed(&client));
    gap_buf_fini(&pushes);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("dc_password");
    TCase *tc = tcase_create("password");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, test_password);
    tcase_add_test(tc, test_garbage_for_a_password);
    tcase_add_test(tc, test_oldest_question_is_forgotten);
    tcase_add_test(tc, test_password_is_set_changed_removed);
    tcase_add_test(tc, test_password_settings_that_are_refused);
    tcase_add_test(tc, test_bots_have_no_password);
    tcase_add_test(tc, test_log_out_token);
    tcase_add_test(tc, test_token_and_password);
    tcase_add_test(tc, test_script_refuses_sign_ins);
    tcase_add_test(tc, test_script_revokes_at_a_call);
    tcase_add_test(tc, test_script_doubles_a_key);
    tcase_add_test(tc, test_doubled_key_is_told_before_it_dies);
    tcase_add_test(tc, test_script_ends_sign_ins);
    tcase_add_test(tc, test_pushes_end_with_the_sign_in);
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
