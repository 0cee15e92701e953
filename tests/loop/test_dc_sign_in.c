/*
 * tests/loop/test_dc_sign_in.c - a person signs in to the data centre, call by call: codes, signing
 * up, the list of sign-ins, and all of it in older layers.
 */
#include "tests/loop/sign_in.h"

#include <unistd.h>

/* --- phones and codes ---------------------------------------------------------------------- */

static const struct {
    const char *why;
    const char *phone;
    bool is_good;
} phones[] = {
    {"the plain number", PHONE, true},
    {"as people write it", "+999 66 (2) 12-34", true},
    {"another data centre's, of which there is none", "9996611234", true},
    {"nothing", "", false},
    {"no number", "hello", false},
    {"a digit too few", "999662123", false},
    {"a digit too many", "99966212345", false},
    {"another country", "4915112345678", false},
    {"no data centre 0", "9996601234", false},
    {"a letter inside", "99966212x4", false},
};

START_TEST(test_phones)
{
    char hash[HASH];

    start();
    gap_bytes_t r = send_code(&client, phones[_i].phone);
    if (phones[_i].is_good)
        ck_assert_msg(sent(r, hash).type.id == GAP_TL_AUTH_SENT_CODE_TYPE_APP, "%s",
                      phones[_i].why);
    else
        expect_error(r, 400, "PHONE_NUMBER_INVALID");
}
END_TEST

START_TEST(test_by_code)
{
    char hash[HASH];

    server.options.code_timeout_s = 77;
    start();
    expect_signed_in(&client, false);
    gap_tl_auth_sent_code_t s = sent(send_code(&client, PHONE), hash);
    gap_tl_auth_sent_code_type_app_t app;
    ck_assert_int_gt(GAP_TL_READ(s.type, GAP_TL_AUTH_SENT_CODE_TYPE_APP, &app), 0);
    ck_assert_int_eq(app.length, 5);
    ck_assert_uint_eq(s.next_type.id, GAP_TL_AUTH_CODE_TYPE_SMS);
    ck_assert_int_eq(s.timeout, 77);
    gap_tl_user_t user = expect_user(sign_in(&client, PHONE, hash, CODE));
    ck_assert_uint_eq(user.flags & GAP_TL_USER_F_BOT, 0);
    ck_assert(gap_bytes_equal(user.phone, gap_str(PHONE)));
    ck_assert_uint_gt(user.first_name.len, 0);
    ck_assert_int_eq(user.id, DC_PERSON_ID_FIRST + 21234);
    expect_signed_in(&client, true);
    /* A code is good once. */
    expect_error(sign_in(&client, PHONE, hash, CODE), 400, "PHONE_CODE_EXPIRED");
}
END_TEST

START_TEST(test_other_ways_of_delivery)
{
    char hash[HASH];
    char again[HASH];

    start();
    (void)sent(send_code(&client, PHONE), hash);
    gap_tl_auth_sent_code_t s = sent(resend(&client, hash), again);
    ck_assert_str_eq(again, hash);
    ck_assert_uint_eq(s.type.id, GAP_TL_AUTH_SENT_CODE_TYPE_SMS);
    ck_assert_uint_eq(s.next_type.id, GAP_TL_AUTH_CODE_TYPE_CALL);
    s = sent(resend(&client, hash), again);
    ck_assert_uint_eq(s.type.id, GAP_TL_AUTH_SENT_CODE_TYPE_CALL);
    ck_assert_uint_eq(s.flags & GAP_TL_AUTH_SENT_CODE_F_NEXT_TYPE, 0);
    expect_error(resend(&client, hash), 406, "SEND_CODE_UNAVAILABLE");
    (void)expect_user(sign_in(&client, PHONE, hash, CODE));
}
END_TEST

START_TEST(test_too_early_for_another_way)
{
    char hash[HASH];

    server.options.code_timeout_s = 60;
    start();
    (void)sent(send_code(&client, PHONE), hash);
    expect_error(resend(&client, hash), 406, "SEND_CODE_UNAVAILABLE");
    (void)expect_user(sign_in(&client, PHONE, hash, CODE));
}
END_TEST

START_TEST(test_missed_call)
{
    gap_tl_code_settings_t settings = {.flags = GAP_TL_CODE_SETTINGS_F_ALLOW_MISSED_CALL};
    gap_tl_auth_sent_code_type_missed_call_t call;
    char hash[HASH];

    start();
    (void)sent(send_settings(&client, PHONE, &settings), hash);
    gap_tl_auth_sent_code_t s = sent(resend(&client, hash), hash);
    ck_assert_uint_eq(s.next_type.id, GAP_TL_AUTH_CODE_TYPE_MISSED_CALL);
    s = sent(resend(&client, hash), hash);
    ck_assert_int_gt(GAP_TL_READ(s.type, GAP_TL_AUTH_SENT_CODE_TYPE_MISSED_CALL, &call), 0);
    ck_assert_int_eq(call.length, 5);
    ck_assert_uint_gt(call.prefix.len, 1);
}
END_TEST

START_TEST(test_wrong_codes)
{
    char hash[HASH];

    start();
    (void)sent(send_code(&client, PHONE), hash);
    expect_error(sign_in(&client, PHONE, hash, ""), 400, "PHONE_CODE_EMPTY");
    expect_error(sign_in(&client, PHONE, "", CODE), 400, "PHONE_CODE_HASH_EMPTY");
    expect_error(sign_in(&client, PHONE, "0123456789abcdef01", CODE), 400, "PHONE_CODE_EXPIRED");
    expect_error(sign_in(&client, "12", hash, CODE), 400, "PHONE_NUMBER_INVALID");
    expect_error(sign_in(&client, "9996621235", hash, CODE), 400, "PHONE_CODE_EXPIRED");
    expect_error(sign_in(&second, PHONE, hash, CODE), 400, "PHONE_CODE_EXPIRED");
    static const char *const wrong[] = {"22221", "2222", "222222", "abcde"};
    for (size_t i = 0; i < GAP_ARRAY_LEN(wrong); i++)
        expect_error(sign_in(&client, PHONE, hash, wrong[i]), 400, "PHONE_CODE_INVALID");
    (void)expect_user(sign_in(&client, PHONE, hash, CODE)); /* the fifth try */
}
END_TEST

START_TEST(test_too_many_wrong_codes)
{
    char hash[HASH];

    start();
    (void)sent(send_code(&client, PHONE), hash);
    for (unsigned i = 0; i < GAP_DC_CODE_TRIES; i++)
        expect_error(sign_in(&client, PHONE, hash, "11111"), 400, "PHONE_CODE_INVALID");
    expect_error(sign_in(&client, PHONE, hash, CODE), 400, "PHONE_CODE_EXPIRED");
    expect_error(resend(&client, hash), 400, "PHONE_CODE_EXPIRED");
    enter(&client);
}
END_TEST

START_TEST(test_expired)
{
    char hash[HASH];

    server.options.code_expires_s = 1;
    start();
    (void)sent(send_code(&client, PHONE), hash);
    (void)usleep(1100000);
    expect_error(sign_in(&client, PHONE, hash, CODE), 400, "PHONE_CODE_EXPIRED");
    enter(&client);
}
END_TEST

START_TEST(test_cancelled_and_replaced)
{
    gap_tl_auth_cancel_code_t q = {gap_str(PHONE), {NULL, 0}};
    char hash[HASH];
    char newer[HASH];

    start();
    (void)sent(send_code(&client, PHONE), hash);
    q.phone_code_hash = gap_str(hash);
    expect_true(CALL(&client, GAP_TL_AUTH_CANCEL_CODE, &q));
    expect_error(CALL(&client, GAP_TL_AUTH_CANCEL_CODE, &q), 400, "PHONE_CODE_EXPIRED");
    expect_error(sign_in(&client, PHONE, hash, CODE), 400, "PHONE_CODE_EXPIRED");
    (void)sent(send_code(&client, PHONE), hash);
    (void)sent(send_code(&client, PHONE), newer);
    ck_assert_str_ne(hash, newer);
    expect_error(sign_in(&client, PHONE, hash, CODE), 400, "PHONE_CODE_EXPIRED");
    (void)expect_user(sign_in(&client, PHONE, newer, CODE));
}
END_TEST

/* Two devices at once do not disturb each other. */
START_TEST(test_two_devices)
{
    char first[HASH];
    char other[HASH];

    start();
    (void)sent(send_code(&client, PHONE), first);
    (void)sent(send_code(&second, PHONE), other);
    (void)expect_user(sign_in(&client, PHONE, first, CODE));
    (void)expect_user(sign_in(&second, PHONE, other, CODE));
    expect_signed_in(&client, true);
    expect_signed_in(&second, true);
}
END_TEST

/* --- signing up ---------------------------------------------------------------------------- */

static gap_bytes_t sign_up(struct client *c, const char *phone, const char *hash, const char *first)
{
    gap_tl_auth_sign_up_t q = {.phone_number = gap_str(phone),
                               .phone_code_hash = gap_str(hash),
                               .first_name = gap_str(first),
                               .last_name = gap_str("Lovelace")};
    return CALL(c, GAP_TL_AUTH_SIGN_UP, &q);
}

START_TEST(test_sign_up)
{
    char hash[HASH];
    char longer[100];

    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    server.options.password = PASSWORD; /* of accounts that exist */
    start();
    gap_tl_auth_sent_code_t s = sent(send_code(&client, NEW_PHONE), hash);
    ck_assert_uint_eq(s.type.id, GAP_TL_AUTH_SENT_CODE_TYPE_SMS); /* there is no app yet */
    expect_error(sign_up(&client, NEW_PHONE, hash, "Ada"), 400, "PHONE_CODE_EMPTY");
    gap_bytes_t r = sign_in(&client, NEW_PHONE, hash, CODE);
    ck_assert_uint_eq(gap_load32(r.data), GAP_TL_AUTH_AUTHORIZATION_SIGN_UP_REQUIRED);
    expect_signed_in(&client, false);
    expect_error(sign_up(&client, NEW_PHONE, hash, ""), 400, "FIRSTNAME_INVALID");
    expect_error(sign_up(&client, NEW_PHONE, hash, longer), 400, "FIRSTNAME_INVALID");
    gap_tl_user_t user = expect_user(sign_up(&client, NEW_PHONE, hash, "Ada"));
    ck_assert(gap_bytes_equal(user.first_name, gap_str("Ada")));
    ck_assert(gap_bytes_equal(user.last_name, gap_str("Lovelace")));
    expect_signed_in(&client, true);
    expect_error(sign_up(&client, NEW_PHONE, hash, "Ada"), 400, "PHONE_NUMBER_OCCUPIED");
    (void)expect_user(try_code(&second, NEW_PHONE)); /* now there is an account */
}
END_TEST

/* --- the sign-ins of an account ------------------------------------------------------------- */

/* How many there are; the hash of one that is not the asking one. */
static unsigned sign_ins(struct client *c, int64_t *other)
{
    gap_bytes_t r = plain_call(c, GAP_TL_ACCOUNT_GET_AUTHORIZATIONS);
    gap_tl_account_authorizations_t all;
    gap_tl_authorization_t one;
    gap_tl_object_t o;
    unsigned count = 0;
    unsigned current = 0;

    ck_assert_int_gt(gap_tl_read(r, GAP_TL_ACCOUNT_AUTHORIZATIONS, &all, sizeof all), 0);
    gap_tl_iter_t it = gap_tl_iter(all.authorizations);
    while (gap_tl_next(&it, &o) == 1) {
        ck_assert_int_gt(GAP_TL_READ(o, GAP_TL_AUTHORIZATION, &one), 0);
        bool is_current = (one.flags & GAP_TL_AUTHORIZATION_F_CURRENT) != 0;
        ck_assert_int_eq(one.hash == 0, is_current);
        ck_assert(gap_bytes_equal(one.device_model, gap_str("test")));
        ck_assert_int_gt(one.date_created, 1600000000);
        ck_assert_int_ge(one.date_active, one.date_created);
        if (!is_current) *other = one.hash;
        current += is_current;
        count++;
    }
    ck_assert_uint_eq(current, 1);
    return count;
}

START_TEST(test_one_sign_in_is_ended)
{
    gap_tl_account_reset_authorization_t q = {1};
    int64_t other = 0;

    start();
    enter(&client);
    ck_assert_uint_eq(sign_ins(&client, &other), 1);
    enter(&second);
    ck_assert_uint_eq(sign_ins(&client, &other), 2);
    expect_error(CALL(&client, GAP_TL_ACCOUNT_RESET_AUTHORIZATION, &q), 400, "HASH_INVALID");
    q.hash = other;
    expect_true(CALL(&client, GAP_TL_ACCOUNT_RESET_AUTHORIZATION, &q));
    expect_error(CALL(&client, GAP_TL_ACCOUNT_RESET_AUTHORIZATION, &q), 400, "HASH_INVALID");
    ck_assert_uint_eq(sign_ins(&client, &other), 1);
    expect_error(plain_call(&second, GAP_TL_UPDATES_GET_STATE), 401, "SESSION_REVOKED");
    expect_error(plain_call(&second, GAP_TL_UPDATES_GET_STATE), 401, "SESSION_REVOKED");
    enter(&second); /* the same key may sign in anew */
    expect_signed_in(&second, true);
}
END_TEST

START_TEST(test_all_others_are_ended)
{
    int64_t other = 0;

    start();
    expect_error(plain_call(&client, GAP_TL_AUTH_RESET_AUTHORIZATIONS), 401,
                 "AUTH_KEY_UNREGISTERED");
    enter(&client);
    enter(&second);
    expect_true(plain_call(&second, GAP_TL_AUTH_RESET_AUTHORIZATIONS));
    ck_assert_uint_eq(sign_ins(&second, &other), 1);
    expect_error(plain_call(&client, GAP_TL_UPDATES_GET_STATE), 401, "SESSION_REVOKED");
}
END_TEST

/* --- older layers --------------------------------------------------------------------------- */

static const int32_t layers[] = {144, 158, 198, 227, 228, 229};

static size_t put_text(uint8_t *at, const char *text)
{
    size_t len = strlen(text);
    size_t all = (len + 1 + 3) & ~(size_t)3;

    memset(at, 0, all);
    at[0] = (uint8_t)len;
    memcpy(at + 1, text, len);
    return all;
}

static size_t put_word(uint8_t *at, uint32_t word)
{
    gap_store32(at, word);
    return 4;
}

/* Methods as each layer has them, byte for byte. */
static gap_bytes_t raw_send_code(int32_t layer)
{
    static uint8_t b[TEXT];
    size_t n = put_word(b, 0xa677244f);

    n += put_text(b + n, PHONE);
    n += put_word(b + n, 1);
    n += put_text(b + n, "hash");
    n += put_word(b + n, layer < 158 ? 0x8a6469c2 : 0xad253d78);
    n += put_word(b + n, 0);
    return client_result(&client, client_send(&client, gap_bytes(b, n), true), NULL);
}

static gap_bytes_t raw_resend(int32_t layer, const char *hash)
{
    static uint8_t b[TEXT];
    size_t n = put_word(b, layer < 198 ? 0x3ef1a9bf : 0xcae47523);

    if (layer >= 198) n += put_word(b + n, 0);
    n += put_text(b + n, PHONE);
    n += put_text(b + n, hash);
    return client_result(&client, client_send(&client, gap_bytes(b, n), true), NULL);
}

static gap_bytes_t raw_sign_in(int32_t layer, const char *hash, const char *code)
{
    static uint8_t b[TEXT];
    size_t n = put_word(b, layer < 158 ? 0xbcd51581 : 0x8d52a951);

    if (layer >= 158) n += put_word(b + n, 1);
    n += put_text(b + n, PHONE);
    n += put_text(b + n, hash);
    n += put_text(b + n, code);
    return client_result(&client, client_send(&client, gap_bytes(b, n), true), NULL);
}

START_TEST(test_layers)
{
    const int32_t layer = layers[_i];
    gap_tl_auth_sent_code_t s;
    uint32_t nothing = 0;
    char hash[HASH];

    server.options.password = PASSWORD;
    start();
    (void)client_first_call(&client, layer, GAP_TL_OF(GAP_TL_HELP_GET_NEAREST_DC, &nothing));
    (void)sent(raw_send_code(layer), hash);
    s = sent(raw_resend(layer, hash), hash);
    ck_assert_uint_eq(s.type.id, GAP_TL_AUTH_SENT_CODE_TYPE_SMS);
    expect_error(raw_sign_in(layer, hash, "11111"), 400, "PHONE_CODE_INVALID");
    expect_error(raw_sign_in(layer, hash, CODE), 401, "SESSION_PASSWORD_NEEDED");
    gap_packet_t *packet;
    gap_bytes_t r = inflated(plain_call(&client, GAP_TL_ACCOUNT_GET_PASSWORD), &packet);
    ck_assert_uint_eq(gap_load32(r.data), layer < 158 ? 0x185b184f : 0x957b50fb);
    gap_packet_unref(packet);
    (void)client_first_call(&client, 227, GAP_TL_OF(GAP_TL_HELP_GET_NEAREST_DC, &nothing));
    const struct question *q = ask(&client);
    (void)client_first_call(&client, layer, GAP_TL_OF(GAP_TL_HELP_GET_NEAREST_DC, &nothing));
    r = check_password(&client, q, PASSWORD);
    ck_assert_uint_eq(gap_load32(r.data), layer < 158 ? 0x33fb7bb8 : 0x2ea2c0d4);
    expect_signed_in(&client, true);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("dc_sign_in");
    TCase *tc = tcase_create("sign_in");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, test_phones, 0, GAP_ARRAY_LEN(phones));
    tcase_add_test(tc, test_by_code);
    tcase_add_test(tc, test_other_ways_of_delivery);
    tcase_add_test(tc, test_too_early_for_another_way);
    tcase_add_test(tc, test_missed_call);
    tcase_add_test(tc, test_wrong_codes);
    tcase_add_test(tc, test_too_many_wrong_codes);
    tcase_add_test(tc, test_expired);
    tcase_add_test(tc, test_cancelled_and_replaced);
    tcase_add_test(tc, test_two_devices);
    tcase_add_test(tc, test_sign_up);
    tcase_add_test(tc, test_one_sign_in_is_ended);
    tcase_add_test(tc, test_all_others_are_ended);
    tcase_add_loop_test(tc, test_layers, 0, GAP_ARRAY_LEN(layers));
    suite_add_tcase(suite, tc);
    return suite;
}

GAP_TEST_MAIN(make_suite)
