/*
 * tests/loop/sign_in.h - what tests of a person's sign-in share: a data centre, two clients of
 * their own with a key each, and the calls.
 */
#ifndef GAP_TESTS_LOOP_SIGN_IN_H
#define GAP_TESTS_LOOP_SIGN_IN_H

#include "tests/loop/dc_client.h"

#include "base/bytes.h"
#include "base/gzip.h"
#include "base/packet.h"
#include "crypto/srp.h"
#include "dc/people.h"
#include "tl/tl.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define PHONE     "9996621234"
#define NEW_PHONE "9996629876"
#define CODE      "22222"
#define PASSWORD  "open sesame"
#define HASH      24 /* room for a phone_code_hash */
#define TEXT      512
#define NO_KEY    (-404)
#define SRP_KDF_NAME                                                                               \
    GAP_TL_PASSWORD_KDF_ALGO_SHA256_SHA256_PBKDF2_HMACSHA512ITER100000_SHA256_MOD_POW
typedef gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t kdf_t;

static const struct peer_style style = {PEER_INNER_DC, false, false, 2};

static struct dc_thread server;
static struct client client;
static struct client second;
static gap_dc_script_t script;
static bool is_running;

static inline void setup(void)
{
    dc_thread_init(&server);
    server.options.traffic.events = 0;
    server.options.code_timeout_s = 0;
    is_running = false;
}

static inline gap_bytes_t nearest(struct client *c)
{
    uint32_t nothing = 0;
    return client_first_call(c, 227, GAP_TL_OF(GAP_TL_HELP_GET_NEAREST_DC, &nothing));
}

static inline void come(struct client *c, uint64_t seed)
{
    client_init(c, seed);
    client_connect(c, server.port, WIRE_INTERMEDIATE);
    client_shake_hands(c, &style);
    ck_assert_uint_eq(gap_load32(nearest(c).data), GAP_TL_NEAREST_DC);
}

/* Two clients with keys of their own, signed in as nobody. */
static inline void start(void)
{
    dc_thread_start(&server);
    is_running = true;
    come(&client, 5);
    come(&second, 6);
}

static inline void start_with(const char *text)
{
    char error[256] = "";

    ck_assert_msg(
        gap_dc_script_read(gap_alloc_default(), gap_str(text), &script, error, sizeof error) == 0,
        "%s", error);
    server.options.script = &script;
    start();
}

static inline void teardown(void)
{
    if (is_running) {
        client_fini(&client);
        client_fini(&second);
    }
    dc_thread_stop(&server);
    gap_dc_script_fini(&script);
}

/* --- calls --------------------------------------------------------------------------------- */

#define CALL(c, id, query) client_call(c, GAP_TL_OF(id, query), NULL)

static inline void expect_error(gap_bytes_t r, int32_t code, const char *text)
{
    gap_mt_rpc_error_t e;

    ck_assert_msg(gap_load32(r.data) == GAP_MT_RPC_ERROR, "%s expected, got %08x", text,
                  (unsigned)gap_load32(r.data));
    ck_assert_int_gt(gap_tl_read(r, GAP_MT_RPC_ERROR, &e, sizeof e), 0);
    ck_assert_msg(gap_bytes_equal(e.error_message, gap_str(text)) && e.error_code == code,
                  "%d %s expected, got %d %.*s", (int)code, text, (int)e.error_code,
                  (int)e.error_message.len, (const char *)e.error_message.data);
}

static inline void expect_true(gap_bytes_t r)
{
    ck_assert_uint_eq(gap_load32(r.data), GAP_MT_BOOL_TRUE);
}

static inline gap_bytes_t plain_call(struct client *c, uint32_t id)
{
    uint32_t nothing = 0;
    return CALL(c, id, &nothing);
}

static inline gap_bytes_t send_settings(struct client *c, const char *phone,
                                        const gap_tl_code_settings_t *settings)
{
    gap_tl_auth_send_code_t q = {gap_str(phone), 1, gap_str("hash"),
                                 GAP_TL_OF(GAP_TL_CODE_SETTINGS, settings)};
    return CALL(c, GAP_TL_AUTH_SEND_CODE, &q);
}

static inline gap_bytes_t send_code(struct client *c, const char *phone)
{
    gap_tl_code_settings_t settings = {0};
    return send_settings(c, phone, &settings);
}

static inline void keep(gap_bytes_t text, char *out, size_t cap)
{
    ck_assert_uint_lt(text.len, cap);
    if (text.len > 0) memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

/* What auth.sentCode says; the hash is kept. */
static inline gap_tl_auth_sent_code_t sent(gap_bytes_t r, char hash[HASH])
{
    gap_tl_auth_sent_code_t s;

    ck_assert_msg(gap_load32(r.data) == GAP_TL_AUTH_SENT_CODE, "got %08x: %.40s",
                  (unsigned)gap_load32(r.data), (const char *)r.data + 9);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_AUTH_SENT_CODE, &s, sizeof s), 0);
    ck_assert_int_eq(gap_tl_skip(r), (int64_t)r.len);
    keep(s.phone_code_hash, hash, HASH);
    return s;
}

static inline gap_bytes_t sign_in(struct client *c, const char *phone, const char *hash,
                                  const char *code)
{
    gap_tl_auth_sign_in_t q = {.flags = GAP_TL_AUTH_SIGN_IN_F_PHONE_CODE,
                               .phone_number = gap_str(phone),
                               .phone_code_hash = gap_str(hash),
                               .phone_code = gap_str(code)};
    return CALL(c, GAP_TL_AUTH_SIGN_IN, &q);
}

static inline gap_bytes_t resend(struct client *c, const char *hash)
{
    gap_tl_auth_resend_code_t q = {.phone_number = gap_str(PHONE),
                                   .phone_code_hash = gap_str(hash)};
    return CALL(c, GAP_TL_AUTH_RESEND_CODE, &q);
}

static inline gap_tl_user_t expect_user(gap_bytes_t r)
{
    gap_tl_auth_authorization_t a;
    gap_tl_user_t user;

    ck_assert_msg(gap_load32(r.data) == GAP_TL_AUTH_AUTHORIZATION, "got %08x: %.40s",
                  (unsigned)gap_load32(r.data), (const char *)r.data + 9);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_AUTH_AUTHORIZATION, &a, sizeof a), 0);
    ck_assert_int_gt(GAP_TL_READ(a.user, GAP_TL_USER, &user), 0);
    return user;
}

/* By code; @return whatever signIn says. */
static inline gap_bytes_t try_code(struct client *c, const char *phone)
{
    char hash[HASH];

    (void)sent(send_code(c, phone), hash);
    return sign_in(c, phone, hash, CODE);
}

static inline void enter(struct client *c)
{
    (void)expect_user(try_code(c, PHONE));
}

static inline void expect_signed_in(struct client *c, bool is_in)
{
    gap_bytes_t r = plain_call(c, GAP_TL_UPDATES_GET_STATE);

    if (is_in)
        ck_assert_uint_eq(gap_load32(r.data), GAP_TL_UPDATES_STATE);
    else
        expect_error(r, 401, "AUTH_KEY_UNREGISTERED");
}

/* A result, unpacked if it is a long one; packet is to be given back. */
static inline gap_bytes_t inflated(gap_bytes_t r, gap_packet_t **packet)
{
    gap_gzip_t zip;
    gap_bytes_t packed;
    const uint8_t *at = r.data + 4;

    *packet = NULL;
    if (gap_load32(r.data) != GAP_MT_GZIP_PACKED) return r;
    gap_gzip_init(&zip, gap_alloc_default());
    ck_assert_int_eq(gap_tl_pass_bytes(&at, r.data + r.len, &packed), 0);
    ck_assert_int_eq(gap_inflate(&zip, packed, 1U << 20, packet), 0);
    gap_gzip_fini(&zip);
    return gap_bytes((*packet)->data, (*packet)->len);
}

/* --- passwords ------------------------------------------------------------------------------ */

/** What account.getPassword said, kept. */
struct question {
    uint8_t salt1[64];
    uint8_t salt2[64];
    uint8_t p[GAP_DH_BYTES];
    uint8_t b[GAP_DH_BYTES];
    uint8_t new_salt1[64];
    uint8_t new_salt2[64];
    gap_srp_algo_t now;
    gap_srp_algo_t next;
    int64_t id;
    bool has_password;
    char hint[80];
};

static inline gap_bytes_t kept(gap_bytes_t bytes, uint8_t *out, size_t cap)
{
    ck_assert_uint_le(bytes.len, cap);
    if (bytes.len > 0) memcpy(out, bytes.data, bytes.len);
    return gap_bytes(out, bytes.len);
}

static inline struct question *ask(struct client *c)
{
    static struct question q[4];
    static unsigned turn;
    struct question *out = &q[turn++ % GAP_ARRAY_LEN(q)];
    gap_tl_account_password_t p;
    kdf_t kdf;
    gap_packet_t *packet;
    gap_bytes_t r = inflated(plain_call(c, GAP_TL_ACCOUNT_GET_PASSWORD), &packet);

    memset(out, 0, sizeof *out);
    ck_assert_int_gt(gap_tl_read(r, GAP_TL_ACCOUNT_PASSWORD, &p, sizeof p), 0);
    ck_assert_int_gt(GAP_TL_READ(p.new_algo, SRP_KDF_NAME, &kdf), 0);
    out->next.salt1 = kept(kdf.salt1, out->new_salt1, sizeof out->new_salt1);
    out->next.salt2 = kept(kdf.salt2, out->new_salt2, sizeof out->new_salt2);
    out->next.g = kdf.g;
    out->next.p = kept(kdf.p, out->p, sizeof out->p);
    ck_assert_uint_eq(p.secure_random.len, 256);
    out->has_password = (p.flags & GAP_TL_ACCOUNT_PASSWORD_F_HAS_PASSWORD) != 0;
    if (!out->has_password) goto end;
    ck_assert_int_gt(GAP_TL_READ(p.current_algo, SRP_KDF_NAME, &kdf), 0);
    out->now.salt1 = kept(kdf.salt1, out->salt1, sizeof out->salt1);
    out->now.salt2 = kept(kdf.salt2, out->salt2, sizeof out->salt2);
    out->now.g = kdf.g;
    out->now.p = out->next.p;
    ck_assert_uint_eq(p.srp_b.len, GAP_DH_BYTES);
    memcpy(out->b, p.srp_b.data, GAP_DH_BYTES);
    out->id = p.srp_id;
    keep(p.hint, out->hint, sizeof out->hint);
end:
    gap_packet_unref(packet);
    return out;
}

/** inputCheckPasswordSRP with what it points to. */
struct shown {
    gap_srp_proof_t proof;
    gap_tl_input_check_password_srp_t srp;
};

static inline gap_tl_object_t show(const struct question *q, const char *password,
                                   struct shown *out)
{
    ck_assert_int_eq(gap_srp_prove(gap_str(password), &q->now, gap_bytes(q->b, sizeof q->b),
                                   &client.peer.random, &out->proof),
                     0);
    out->srp.srp_id = q->id;
    out->srp.a = gap_bytes(out->proof.a, sizeof out->proof.a);
    out->srp.m1 = gap_bytes(out->proof.m1, sizeof out->proof.m1);
    return GAP_TL_OF(GAP_TL_INPUT_CHECK_PASSWORD_SRP, &out->srp);
}

static inline gap_bytes_t check_password(struct client *c, const struct question *q,
                                         const char *password)
{
    struct shown shown;
    gap_tl_auth_check_password_t call = {show(q, password, &shown)};

    return CALL(c, GAP_TL_AUTH_CHECK_PASSWORD, &call);
}

#endif
