/*
 * dc/password.c - two-step passwords (core.telegram.org/api/srp): every question for it gets a
 * srp_id and a B of its own, and an srp_id is good for one try, right or wrong.
 *
 *   getPassword -> (srp_id, B) -> checkPassword          -> signed in, if the code was right before
 *                              -> updatePasswordSettings -> set, changed, removed
 *
 * Owns nothing; never learns a password, but those of its own command line.
 */
#include "dc/rpc.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "dc/layer.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

#define SECURE_RANDOM_BYTES 256

/* account.password before GAP_DC_LAYER_LATER: the same but for a field that is never set here. */
#define OLD_PASSWORD 0x185b184fU

/* Whose password it is: of who is signed in, or has shown a code and is asked for it. */
static int person_of(gap_dc_ask_t *a, gap_dc_person_t **out)
{
    int64_t id = a->key->account != 0 ? a->key->account : a->key->awaiting;

    if (id == 0) return gap_dc_refuse(a, 401, "AUTH_KEY_UNREGISTERED");
    *out = gap_dc_person_find(&a->dc->people, id);
    return *out == NULL ? gap_dc_refuse(a, 400, "BOT_METHOD_INVALID") : 0;
}

static gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t
kdf_of(const gap_srp_algo_t *algo)
{
    gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t kdf = {
        algo->salt1, algo->salt2, algo->g, algo->p};

    return kdf;
}

static int put_password(gap_dc_ask_t *a, gap_tl_account_password_t *password)
{
    gap_tl_secure_password_kdf_algo_unknown_t secure = {0};
    gap_dc_password_t next = {.salt1_len = sizeof a->dc->people.salt1};
    uint8_t random[SECURE_RANDOM_BYTES];
    size_t at = a->out->len;

    memcpy(next.salt1, a->dc->people.salt1, sizeof a->dc->people.salt1);
    const gap_srp_algo_t algo = gap_dc_password_algo(&a->dc->people, &next);
    const gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t kdf =
        kdf_of(&algo);
    int r = gap_random_fill(&a->dc->random, random, sizeof random);
    if (r < 0) return r;
    password->new_algo = GAP_TL_OF(
        GAP_TL_PASSWORD_KDF_ALGO_SHA256_SHA256_PBKDF2_HMACSHA512ITER100000_SHA256_MOD_POW, &kdf);
    password->new_secure_algo = GAP_TL_OF(GAP_TL_SECURE_PASSWORD_KDF_ALGO_UNKNOWN, &secure);
    password->secure_random = gap_bytes(random, sizeof random);
    r = gap_dc_put_object(a->out, GAP_TL_OF(GAP_TL_ACCOUNT_PASSWORD, password));
    if (r == 0 && a->key->layer < GAP_DC_LAYER_LATER) gap_store32(a->out->data + at, OLD_PASSWORD);
    return r;
}

static int get_password(gap_dc_ask_t *a)
{
    gap_tl_account_password_t password = {0};
    uint8_t b[GAP_DH_BYTES];
    gap_dc_person_t *p = NULL;
    gap_dc_srp_t *srp;
    int r = person_of(a, &p);

    if (r != 0) return r;
    if (!p->password.is_set) return put_password(a, &password);
    const gap_srp_algo_t algo = gap_dc_password_algo(&a->dc->people, &p->password);
    const gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t kdf =
        kdf_of(&algo);
    if ((r = gap_dc_srp_new(&a->dc->people, p, &srp)) < 0) return r;
    if ((r = gap_srp_server_public(&algo, p->password.v, srp->b, b)) < 0) return r;
    password.flags = GAP_TL_ACCOUNT_PASSWORD_F_HAS_PASSWORD;
    password.current_algo = GAP_TL_OF(
        GAP_TL_PASSWORD_KDF_ALGO_SHA256_SHA256_PBKDF2_HMACSHA512ITER100000_SHA256_MOD_POW, &kdf);
    password.srp_b = gap_bytes(b, sizeof b);
    password.srp_id = srp->id;
    if (p->password.hint[0] != '\0') {
        password.flags |= GAP_TL_ACCOUNT_PASSWORD_F_HINT;
        password.hint = gap_str(p->password.hint);
    }
    return put_password(a, &password);
}

/* --- proofs --------------------------------------------------------------------------------- */

static int check_proof(gap_dc_ask_t *a, const gap_dc_person_t *p, const gap_dc_srp_t *srp,
                       const gap_tl_input_check_password_srp_t *in)
{
    const gap_srp_algo_t algo = gap_dc_password_algo(&a->dc->people, &p->password);
    gap_srp_proof_t proof;

    if (srp->version != p->password.version) return gap_dc_refuse(a, 400, "SRP_PASSWORD_CHANGED");
    if (in->a.len > sizeof proof.a || in->m1.len != sizeof proof.m1)
        return gap_dc_refuse(a, 400, "PASSWORD_HASH_INVALID");
    memset(&proof, 0, sizeof proof);
    if (in->a.len > 0) memcpy(proof.a + sizeof proof.a - in->a.len, in->a.data, in->a.len);
    memcpy(proof.m1, in->m1.data, sizeof proof.m1);
    int r = gap_srp_check(&algo, p->password.v, srp->b, &proof);
    if (r == GAP_SRP_WRONG || r == GAP_E_CRYPTO)
        return gap_dc_refuse(a, 400, "PASSWORD_HASH_INVALID");
    return r;
}

/* @return 0: the password was shown, or there is none and none was. */
static int check(gap_dc_ask_t *a, gap_dc_person_t *p, gap_tl_object_t shown)
{
    gap_tl_input_check_password_srp_t in;

    if (shown.id != GAP_TL_INPUT_CHECK_PASSWORD_SRP)
        return p->password.is_set ? gap_dc_refuse(a, 400, "PASSWORD_HASH_INVALID") : 0;
    if (GAP_TL_READ(shown, GAP_TL_INPUT_CHECK_PASSWORD_SRP, &in) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    gap_dc_srp_t *srp = gap_dc_srp_take(p, in.srp_id);
    if (srp == NULL) return gap_dc_refuse(a, 400, "SRP_ID_INVALID");
    int r = check_proof(a, p, srp, &in);
    gap_dc_srp_free(&a->dc->people, srp);
    return r;
}

static int check_password(gap_dc_ask_t *a)
{
    gap_tl_auth_check_password_t q;
    gap_dc_person_t *p = NULL;
    int r = person_of(a, &p);

    if (r != 0) return r;
    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    if ((r = check(a, p, q.password)) != 0) return r;
    return gap_dc_person_enter(a, p);
}

/* --- setting it ----------------------------------------------------------------------------- */

static bool starts_with(gap_bytes_t bytes, const uint8_t *start, size_t len)
{
    return bytes.len > len && memcmp(bytes.data, start, len) == 0;
}

/* The new password as the client sends it, or why not. */
static const char *read_new(const gap_dc_people_t *t,
                            const gap_tl_account_password_input_settings_t *in,
                            gap_dc_password_t *out)
{
    gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t kdf;
    const gap_srp_algo_t ours = gap_dc_password_algo(t, out);

    if (in->new_password_hash.len == 0) return NULL; /* removed; some send an algorithm even so */
    if (GAP_TL_READ(
            in->new_algo,
            GAP_TL_PASSWORD_KDF_ALGO_SHA256_SHA256_PBKDF2_HMACSHA512ITER100000_SHA256_MOD_POW,
            &kdf) < 0)
        return "NEW_SETTINGS_INVALID";
    if (!starts_with(kdf.salt1, t->salt1, sizeof t->salt1) || kdf.salt1.len > sizeof out->salt1)
        return "NEW_SALT_INVALID";
    if (!gap_bytes_equal(kdf.salt2, ours.salt2) || kdf.g != ours.g ||
        !gap_bytes_equal(kdf.p, ours.p))
        return "NEW_SETTINGS_INVALID";
    if (in->new_password_hash.len != GAP_DH_BYTES || in->hint.len > GAP_DC_HINT_BYTES ||
        gap_dh_check_public(in->new_password_hash, gap_dh_known_prime) != 0)
        return "NEW_SETTINGS_INVALID";
    out->is_set = true;
    out->salt1_len = kdf.salt1.len;
    memcpy(out->salt1, kdf.salt1.data, kdf.salt1.len);
    memcpy(out->v, in->new_password_hash.data, sizeof out->v);
    if (in->hint.len > 0) memcpy(out->hint, in->hint.data, in->hint.len);
    return NULL;
}

static int update_settings(gap_dc_ask_t *a)
{
    gap_tl_account_update_password_settings_t q;
    gap_tl_account_password_input_settings_t in;
    gap_dc_password_t made = {0};
    gap_dc_person_t *p = NULL;
    int r = person_of(a, &p);

    if (r != 0) return r;
    if (a->key->account == 0) return gap_dc_refuse(a, 401, "AUTH_KEY_UNREGISTERED");
    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0 ||
        GAP_TL_READ(q.new_settings, GAP_TL_ACCOUNT_PASSWORD_INPUT_SETTINGS, &in) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    if ((r = check(a, p, q.password)) != 0) return r;
    if ((in.flags & GAP_TL_ACCOUNT_PASSWORD_INPUT_SETTINGS_F_NEW_ALGO) == 0)
        return gap_dc_refuse(a, 400, "NEW_SETTINGS_EMPTY");
    const char *wrong = read_new(&a->dc->people, &in, &made);
    if (wrong != NULL) return gap_dc_refuse(a, 400, wrong);
    made.version = p->password.version + 1;
    p->password = made;
    gap_wipe(&made, sizeof made);
    return gap_buf_append32(a->out, GAP_MT_BOOL_TRUE);
}

int gap_dc_password_call(gap_dc_ask_t *a)
{
    switch (a->q->id) {
    case GAP_TL_ACCOUNT_GET_PASSWORD:
        return get_password(a);
    case GAP_TL_AUTH_CHECK_PASSWORD:
        return check_password(a);
    case GAP_TL_ACCOUNT_UPDATE_PASSWORD_SETTINGS:
        return update_settings(a);
    default:
        return DC_NOT_MINE;
    }
}
