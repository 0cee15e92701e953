/*
 * tests/unit/test_dc_bind.c - MTProto 1.0 as far as it is needed, and the binding of a temporary
 * key: the computed vector, every field that may be wrong, truncation and garbage; and methods of
 * older layers.
 */
#include "base/bytes.h"
#include "base/prng.h"
#include "crypto/ige.h"
#include "crypto/message1.h"
#include "dc/bind.h"
#include "dc/layer.h"
#include "tests/check_main.h"
#include "tests/unit/hex.h"
#include "tests/unit/vectors_clients.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define CALL_MAX   256
#define EXPIRES_IN 86400
#define MADE_S     ((uint64_t)vector_bind.expires_at - EXPIRES_IN)

static gap_crypto_t crypto;
static gap_gzip_t zip;
static gap_dc_keys_t keys;
static gap_dc_key_t *perm;
static gap_dc_key_t *temp;

static gap_dc_key_t *add_key(const char *hex, int32_t expires_in)
{
    gap_auth_key_t key;
    gap_dc_key_t *out;

    hex_exactly(hex, key.key, sizeof key.key);
    ck_assert_int_eq(gap_auth_key_derive(&crypto, &key), 0);
    ck_assert_int_eq(gap_dc_keys_add(&keys, &key, 1, 2, MADE_S, &out), 0);
    out->expires_in = expires_in;
    return out;
}

static void set_up(void)
{
    ck_assert_int_eq(gap_crypto_init(&crypto), 0);
    gap_gzip_init(&zip, gap_alloc_default());
    gap_dc_keys_init(&keys, gap_alloc_default(), &zip);
    perm = add_key(vector_bind.perm_auth_key, 0);
    temp = add_key(vector_bind.temp_auth_key, EXPIRES_IN);
}

static void tear_down(void)
{
    gap_dc_keys_fini(&keys);
    gap_gzip_fini(&zip);
    gap_crypto_fini(&crypto);
}

/* --- MTProto 1.0 --------------------------------------------------------------------------- */

START_TEST(test_derive)
{
    const struct vector_kdf1 *v = &vectors_kdf1[_i];
    gap_auth_key_t key;
    uint8_t msg_key[16];
    uint8_t expected[32];
    uint8_t aes_key[32];
    uint8_t aes_iv[32];

    for (size_t i = 0; i < sizeof key.key; i++) key.key[i] = (uint8_t)i;
    hex_exactly(v->msg_key, msg_key, sizeof msg_key);
    gap_direction_t x = v->x == 0 ? GAP_TO_SERVER : GAP_TO_CLIENT;
    ck_assert_int_eq(gap_message1_derive(&crypto, &key, x, msg_key, aes_key, aes_iv), 0);
    hex_exactly(v->aes_key, expected, sizeof expected);
    ck_assert(memcmp(aes_key, expected, sizeof expected) == 0);
    hex_exactly(v->aes_iv, expected, sizeof expected);
    ck_assert(memcmp(aes_iv, expected, sizeof expected) == 0);
}
END_TEST

START_TEST(test_message_key)
{
    uint8_t expected[16];
    uint8_t got[16];

    hex_exactly(VECTOR_KDF1_MSG_KEY, expected, sizeof expected);
    ck_assert_int_eq(gap_message1_key(&crypto, gap_str(VECTOR_KDF1_MESSAGE), got), 0);
    ck_assert(memcmp(got, expected, sizeof got) == 0);
}
END_TEST

START_TEST(test_open)
{
    uint8_t packet[104];
    uint8_t plain[80];
    gap_plaintext_t m;

    hex_exactly(vector_bind.encrypted_message, packet, sizeof packet);
    gap_bytes_t whole = gap_bytes(packet, sizeof packet);
    ck_assert_int_eq(gap_message1_open(&crypto, &perm->auth, whole, plain, &m), 0);
    ck_assert_uint_eq((uint64_t)m.msg_id, hex_u64(vector_bind.msg_id));
    ck_assert_int_eq(m.seqno, 0);
    ck_assert_uint_eq(m.body.len, 40);
    ck_assert_uint_eq(gap_load32(m.body.data), GAP_MT_BIND_AUTH_KEY_INNER);
    ck_assert_int_eq(gap_message1_open(&crypto, &temp->auth, whole, plain, &m), GAP_E_CRYPTO);
    for (size_t len = 0; len < sizeof packet; len++)
        ck_assert_int_eq(gap_message1_open(&crypto, &perm->auth, gap_bytes(packet, len), plain, &m),
                         GAP_E_CRYPTO);
    for (size_t i = 0; i < sizeof packet; i++) {
        packet[i] ^= 0x10;
        /* The last block's second half is padding, which nothing protects. */
        int r = gap_message1_open(&crypto, &perm->auth, whole, plain, &m);
        ck_assert_msg(r == GAP_E_CRYPTO, "byte %zu: %d", i, r);
        packet[i] ^= 0x10;
    }
}
END_TEST

/* --- binding --------------------------------------------------------------------------------- */

struct fields {
    uint32_t id;
    uint64_t nonce;
    uint64_t temp_id;
    uint64_t perm_id;
    uint64_t session_id;
    uint32_t expires_at;
    uint64_t msg_id;
    uint32_t seqno;
    uint32_t len;
    uint64_t call_perm_id;
    uint64_t call_nonce;
    uint32_t call_expires_at;
};

static struct fields good(void)
{
    struct fields f = {GAP_MT_BIND_AUTH_KEY_INNER,
                       hex_u64(vector_bind.nonce),
                       (uint64_t)temp->auth.id,
                       (uint64_t)perm->auth.id,
                       hex_u64(vector_bind.temp_session_id),
                       (uint32_t)vector_bind.expires_at,
                       hex_u64(vector_bind.msg_id),
                       0,
                       40,
                       (uint64_t)perm->auth.id,
                       hex_u64(vector_bind.nonce),
                       (uint32_t)vector_bind.expires_at};
    return f;
}

/* A call made of these, sealed as a client does. @return its length. */
static size_t make_call(const struct fields *f, uint8_t out[CALL_MAX])
{
    uint8_t plain[80] = {0};
    uint8_t aes_key[32];
    uint8_t aes_iv[32];

    hex_exactly(vector_bind.random_prefix, plain, 16);
    gap_store64(plain + 16, f->msg_id);
    gap_store32(plain + 24, f->seqno);
    gap_store32(plain + 28, f->len);
    gap_store32(plain + 32, f->id);
    gap_store64(plain + 36, f->nonce);
    gap_store64(plain + 44, f->temp_id);
    gap_store64(plain + 52, f->perm_id);
    gap_store64(plain + 60, f->session_id);
    gap_store32(plain + 68, f->expires_at);
    hex_exactly(vector_bind.padding, plain + 72, 8);
    gap_store32(out, GAP_TL_AUTH_BIND_TEMP_AUTH_KEY);
    gap_store64(out + 4, f->call_perm_id);
    gap_store64(out + 12, f->call_nonce);
    gap_store32(out + 20, f->call_expires_at);
    out[24] = 104;
    gap_store64(out + 25, (uint64_t)perm->auth.id);
    ck_assert_int_eq(gap_message1_key(&crypto, gap_bytes(plain, 72), out + 33), 0);
    ck_assert_int_eq(
        gap_message1_derive(&crypto, &perm->auth, GAP_TO_SERVER, out + 33, aes_key, aes_iv), 0);
    ck_assert_int_eq(gap_ige_encrypt(&crypto, aes_key, aes_iv, plain, out + 49, sizeof plain), 0);
    memset(out + 129, 0, 3);
    return 132;
}

static int check_call(const uint8_t *call, size_t len, const char **error)
{
    gap_dc_bind_t b = {temp, (int64_t)hex_u64(vector_bind.temp_session_id),
                       (int64_t)hex_u64(vector_bind.msg_id), MADE_S + 5};
    gap_dc_key_t *to = NULL;
    int32_t expires_at = 0;

    *error = "";
    int r = gap_dc_bind_check(&crypto, &keys, &b, gap_bytes(call, len), error, &to, &expires_at);
    if (r == 0) ck_assert_ptr_eq(to, perm);
    if (r == 0) ck_assert_int_eq(expires_at, (int32_t)gap_load32(call + 20));
    return r;
}

START_TEST(test_vector)
{
    uint8_t call[CALL_MAX];
    uint8_t made[CALL_MAX];
    struct fields f = good();
    const char *error;
    size_t n = hex_to(vector_bind.call, call, sizeof call);

    ck_assert_uint_eq((uint64_t)perm->auth.id, hex_u64(vector_bind.perm_auth_key_id));
    ck_assert_uint_eq((uint64_t)temp->auth.id, hex_u64(vector_bind.temp_auth_key_id));
    ck_assert_int_eq(check_call(call, n, &error), 0);
    ck_assert_uint_eq(make_call(&f, made), n);
    ck_assert(memcmp(call, made, n) == 0);
    for (size_t len = 0; len < n; len++)
        ck_assert_int_eq(check_call(call, len - len % 4, &error), GAP_DC_BIND_REFUSED);
}
END_TEST

static const struct {
    size_t at; /* of a field */
    uint32_t value;
    const char *error;
    const char *why;
} wrongs[] = {
#define AT(member) offsetof(struct fields, member)
    {AT(id), 1, "ENCRYPTED_MESSAGE_INVALID", "another object"},
    {AT(nonce), 1, "ENCRYPTED_MESSAGE_INVALID", "another nonce inside"},
    {AT(temp_id), 1, "ENCRYPTED_MESSAGE_INVALID", "another temporary key"},
    {AT(perm_id), 1, "ENCRYPTED_MESSAGE_INVALID", "another permanent key inside"},
    {AT(session_id), 1, "ENCRYPTED_MESSAGE_INVALID", "another session"},
    {AT(expires_at), 1, "ENCRYPTED_MESSAGE_INVALID", "another time inside"},
    {AT(msg_id), 4, "ENCRYPTED_MESSAGE_INVALID", "an older proof"},
    {AT(seqno), 1, "ENCRYPTED_MESSAGE_INVALID", "a number"},
    {AT(len), 36, "ENCRYPTED_MESSAGE_INVALID", "shorter than it is"},
    {AT(len), 0xfffffff0U, "ENCRYPTED_MESSAGE_INVALID", "a negative length"},
    {AT(call_perm_id), 1, "ENCRYPTED_MESSAGE_INVALID", "no such permanent key"},
    {AT(call_nonce), 1, "ENCRYPTED_MESSAGE_INVALID", "another nonce outside"},
    {AT(call_expires_at), 1, "ENCRYPTED_MESSAGE_INVALID", "another time outside"},
#undef AT
};

START_TEST(test_wrong_fields)
{
    struct fields f = good();
    uint8_t call[CALL_MAX];
    const char *error;

    memcpy((uint8_t *)&f + wrongs[_i].at, &wrongs[_i].value, 4);
    size_t n = make_call(&f, call);
    ck_assert_msg(check_call(call, n, &error) == GAP_DC_BIND_REFUSED, "%s", wrongs[_i].why);
    ck_assert_msg(strcmp(error, wrongs[_i].error) == 0, "%s: %s", wrongs[_i].why, error);
}
END_TEST

START_TEST(test_expiry)
{
    static const struct {
        int64_t after_made_s;
        bool ok;
    } times[] = {{-1, false},
                 {5, false},
                 {6, true},
                 {EXPIRES_IN, true},
                 {EXPIRES_IN + 5, true},
                 {EXPIRES_IN + 10000, false},
                 {INT32_MAX, false}};
    uint8_t call[CALL_MAX];
    const char *error;

    for (size_t i = 0; i < GAP_ARRAY_LEN(times); i++) {
        struct fields f = good();
        f.expires_at = f.call_expires_at = (uint32_t)((int64_t)MADE_S + times[i].after_made_s);
        size_t n = make_call(&f, call);
        int r = check_call(call, n, &error);
        ck_assert_msg(r == (times[i].ok ? 0 : GAP_DC_BIND_REFUSED), "time %zu: %d", i, r);
        if (r != 0) ck_assert_str_eq(error, "EXPIRES_AT_INVALID");
    }
}
END_TEST

START_TEST(test_kinds_of_keys)
{
    struct fields f = good();
    uint8_t call[CALL_MAX];
    const char *error;
    size_t n = make_call(&f, call);
    gap_dc_key_t other = {0};

    temp->expires_in = 0;
    ck_assert_int_eq(check_call(call, n, &error), GAP_DC_BIND_REFUSED);
    ck_assert_str_eq(error, "TEMP_AUTH_KEY_EMPTY");
    temp->expires_in = EXPIRES_IN;
    perm->expires_in = EXPIRES_IN;
    ck_assert_int_eq(check_call(call, n, &error), GAP_DC_BIND_REFUSED);
    ck_assert_str_eq(error, "ENCRYPTED_MESSAGE_INVALID");
    perm->expires_in = 0;
    temp->perm = &other;
    ck_assert_int_eq(check_call(call, n, &error), GAP_DC_BIND_REFUSED);
    ck_assert_str_eq(error, "TEMP_AUTH_KEY_ALREADY_BOUND");
    temp->perm = NULL;
    gap_dc_keys_bind(temp, perm, (int32_t)MADE_S + 100);
    ck_assert_ptr_eq(gap_dc_key_main(temp), perm);
    ck_assert_ptr_eq(gap_dc_key_main(perm), perm);
    ck_assert_int_eq(temp->expires_in, 100);
    temp->expires_in = EXPIRES_IN;
    ck_assert_int_eq(check_call(call, n, &error), 0); /* again, to the same */
    gap_dc_keys_remove(&keys, temp);
    ck_assert_ptr_null(perm->temp);
}
END_TEST

START_TEST(test_garbage)
{
    gap_prng_t prng = {(uint64_t)_i + 1};
    struct fields f = good();
    uint8_t call[CALL_MAX];
    const char *error;

    for (unsigned round = 0; round < 200; round++) {
        size_t n = make_call(&f, call);
        size_t at = 4 + gap_prng_below(&prng, n - 7);
        call[at] ^= (uint8_t)(1 + gap_prng_below(&prng, 255));
        int r = check_call(call, n, &error);
        ck_assert_msg(r == GAP_DC_BIND_REFUSED, "seed %d, byte %zu: %d", _i, at, r);
    }
}
END_TEST

/* --- methods of older layers ----------------------------------------------------------------- */

static const struct {
    int32_t layer;
    const char *method;
    const char *expected; /* NULL: refused */
    int result;
    const char *why;
} methods[] = {
    {144,
     "51969325"
     "00000000"
     "05000000"
     "06000000"
     "07000000",
     "63f7c219"
     "00000000"
     "05000000"
     "06000000"
     "07000000",
     0, "getDifference"},
    {144,
     "51969325"
     "03000000"
     "05000000"
     "09000000"
     "06000000"
     "07000000",
     "63f7c219"
     "01000000"
     "05000000"
     "09000000"
     "06000000"
     "07000000",
     0, "a flag that came later is dropped"},
    {144,
     "63f7c219"
     "00000000"
     "05000000"
     "06000000"
     "07000000",
     NULL, GAP_DC_NO_METHOD, "the schema's getDifference"},
    {198,
     "51969325"
     "00000000"
     "05000000"
     "06000000"
     "07000000",
     NULL, GAP_DC_NO_METHOD, "one that is gone"},
    {227,
     "63f7c219"
     "00000000",
     "63f7c219"
     "00000000",
     0, "the schema's own"},
    {144,
     "a4759d0d"
     "00000000"
     "c97ea07d"
     "0161"
     "0000"
     "0102030405060708",
     "628ff4fe"
     "00000000"
     "c97ea07d"
     "0161"
     "0000"
     "0102030405060708",
     0, "sendMessage"},
    {144,
     "a4759d0d"
     "01000000"
     "c97ea07d"
     "2a000000"
     "0161"
     "0000"
     "0102030405060708",
     "628ff4fe"
     "01000000"
     "c97ea07d"
     "c2b7d43b"
     "00000000"
     "2a000000"
     "0161"
     "0000"
     "0102030405060708",
     0, "sendMessage as a reply"},
    {158,
     "8703c21c"
     "01020000"
     "c97ea07d"
     "2a000000"
     "07000000"
     "01610000"
     "0102030405060708",
     "628ff4fe"
     "01000000"
     "c97ea07d"
     "c2b7d43b"
     "01000000"
     "2a000000"
     "07000000"
     "01610000"
     "0102030405060708",
     0, "sendMessage as a reply in a topic"},
    {198,
     "45973f98"
     "01000000"
     "c97ea07d"
     "d5f6c022"
     "00000000"
     "2a000000"
     "01610000"
     "0102030405060708",
     "628ff4fe"
     "01000000"
     "c97ea07d"
     "c2b7d43b"
     "00000000"
     "2a000000"
     "01610000"
     "0102030405060708",
     0, "sendMessage with an older reply"},
    {144,
     "a4759d0d"
     "01000000"
     "c97ea07d",
     NULL, GAP_E_TL, "cut off before the reply"},
    {144,
     "a4759d0d"
     "00000000"
     "c97e",
     NULL, GAP_E_TL, "cut off in the peer"},
    {144, "a4759d0d", NULL, GAP_E_TL, "cut off before the flags"},
    {144,
     "a3cb3cf9"
     "0161"
     "0000",
     "bcfb5a72"
     "00000000"
     "0161"
     "0000",
     0, "resolveUsername"},
    {144,
     "0b2930cc"
     "20000080"
     "c97ea07d"
     "15c4b51c00000000"
     "15c4b51c00000000"
     "c97ea07d",
     "7c4a7013"
     "20000000"
     "c97ea07d"
     "15c4b51c00000000"
     "15c4b51c00000000"
     "c97ea07d",
     0, "forwardMessages, with a flag that its layer does not know"},
    {227, "0b2930cc00000000", NULL, GAP_DC_NO_METHOD, "forwardMessages of another layer"},
    {144, "10419198",
     "54f8e361"
     "00000000",
     0, "getAppConfig"},
    {144, "6b18f9c4", "6b18f9c4", 0, "what never changed"},
    {144, "6b18", NULL, GAP_E_TL, "no whole id"},
};

START_TEST(test_methods)
{
    uint8_t in[CALL_MAX];
    uint8_t expected[CALL_MAX];
    gap_bytes_t out;
    gap_buf_t buf;
    size_t n = hex_to(methods[_i].method, in, sizeof in);

    gap_buf_init(&buf, gap_alloc_default());
    int r = gap_dc_layer_method(methods[_i].layer, gap_bytes(in, n), &buf, &out);
    ck_assert_msg(r == methods[_i].result, "%s: %d", methods[_i].why, r);
    if (r == 0) {
        n = hex_to(methods[_i].expected, expected, sizeof expected);
        ck_assert_msg(gap_bytes_equal(out, gap_bytes(expected, n)), "%s", methods[_i].why);
    }
    gap_buf_fini(&buf);
}
END_TEST

START_TEST(test_garbage_in_methods)
{
    static const uint32_t ids[] = {0x25939651, 0x0d9d75a4, 0x1cc20387, 0x983f9745, 0x48f71778,
                                   0xdfd14005, 0xf93ccba3, 0x98914110, 0xcc30290b, 0xc661bbc4};
    static const int32_t layers[] = {1, 144, 158, 198, 227, 229};
    gap_prng_t prng = {(uint64_t)_i + 1};
    uint8_t in[CALL_MAX];
    gap_bytes_t out;
    gap_buf_t buf;

    gap_buf_init(&buf, gap_alloc_default());
    for (unsigned round = 0; round < 500; round++) {
        size_t n = gap_prng_below(&prng, 64);
        for (size_t i = 0; i < n; i++) in[i] = (uint8_t)gap_prng_next(&prng);
        if (n >= 4) gap_store32(in, ids[gap_prng_below(&prng, GAP_ARRAY_LEN(ids))]);
        if (n >= 12) gap_store32(in + 8, GAP_TL_INPUT_PEER_SELF);
        int32_t layer = layers[gap_prng_below(&prng, GAP_ARRAY_LEN(layers))];
        int r = gap_dc_layer_method(layer, gap_bytes(in, n), &buf, &out);
        ck_assert_msg(r == 0 || r == GAP_DC_NO_METHOD || r == GAP_E_TL, "seed %d: %d", _i, r);
    }
    gap_buf_fini(&buf);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *s = suite_create("dc_bind");
    TCase *tc = tcase_create("bind");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_loop_test(tc, test_derive, 0, GAP_ARRAY_LEN(vectors_kdf1));
    tcase_add_test(tc, test_message_key);
    tcase_add_test(tc, test_open);
    tcase_add_test(tc, test_vector);
    tcase_add_loop_test(tc, test_wrong_fields, 0, GAP_ARRAY_LEN(wrongs));
    tcase_add_test(tc, test_expiry);
    tcase_add_test(tc, test_kinds_of_keys);
    tcase_add_loop_test(tc, test_garbage, 0, 10);
    tcase_add_loop_test(tc, test_methods, 0, GAP_ARRAY_LEN(methods));
    tcase_add_loop_test(tc, test_garbage_in_methods, 0, 10);
    suite_add_tcase(s, tc);
    return s;
}

GAP_TEST_MAIN(make_suite)
