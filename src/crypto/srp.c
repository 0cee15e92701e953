/*
 * crypto/srp.c - both halves of the two-step password's proof.
 *
 *   client   x = hash(password), v = g^x, A = g^a, u = H(A | B), S = (B - k v)^(a + u x)
 *   server   B = k v + g^b,               u = H(A | B), S = (A v^u)^b
 *   both     K = H(S), M1 = H(H(p) ^ H(g) | H(salt1) | H(salt2) | A | B | K)
 *
 * One `struct srp` holds everything of one call, all numbers in a frame of its BN_CTX; what is in
 * it is wiped before the call returns. Powers with a secret exponent take constant time. Owns
 * nothing beyond a call. Never compares passwords, only proofs.
 */
#include "crypto/srp.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#define ROUNDS       100000
#define STRETCHED    64 /* bytes of PBKDF2 */
#define SECRET_TRIES 16 /* values of a drawn before the random source counts as broken */

/** One call. */
struct srp {
    gap_crypto_t crypto;
    BN_CTX *ctx;
    const gap_srp_algo_t *algo;
    uint8_t g[GAP_DH_BYTES]; /* padded */
    uint8_t a[GAP_DH_BYTES]; /* A */
    uint8_t b[GAP_DH_BYTES]; /* B, padded */
    BIGNUM *p;
    BIGNUM *k;
    BIGNUM *u;
    BIGNUM *x; /* secret */
    BIGNUM *v; /* secret */
    BIGNUM *e; /* secret: an exponent */
    BIGNUM *s; /* secret: what both sides share */
    BIGNUM *t; /* secret: whatever is needed on the way */
};

/* Whatever OpenSSL puts into the error queue of the thread, which is the host's, is taken out. */
static int begin(struct srp *c, const gap_srp_algo_t *algo)
{
    int r;

    memset(c, 0, sizeof *c);
    ERR_set_mark();
    c->algo = algo;
    if ((r = gap_crypto_init(&c->crypto)) < 0) return r;
    if ((c->ctx = BN_CTX_new()) == NULL) return GAP_E_LIBCRYPTO;
    BN_CTX_start(c->ctx);
    c->p = BN_CTX_get(c->ctx);
    c->k = BN_CTX_get(c->ctx);
    c->u = BN_CTX_get(c->ctx);
    c->x = BN_CTX_get(c->ctx);
    c->v = BN_CTX_get(c->ctx);
    c->e = BN_CTX_get(c->ctx);
    c->s = BN_CTX_get(c->ctx);
    c->t = BN_CTX_get(c->ctx);
    if (c->t == NULL) return GAP_E_LIBCRYPTO; /* once one fails, all later ones do */
    if ((r = gap_dh_check_prime(algo->p)) != 0) return r;
    if ((r = gap_dh_check_generator(algo->g, algo->p.data)) != 0) return r;
    c->g[GAP_DH_BYTES - 1] = (uint8_t)algo->g;
    return BN_bin2bn(algo->p.data, GAP_DH_BYTES, c->p) != NULL ? 0 : GAP_E_LIBCRYPTO;
}

static int end(struct srp *c, int r)
{
    BIGNUM *secrets[] = {c->x, c->v, c->e, c->s, c->t};

    for (size_t i = 0; i < GAP_ARRAY_LEN(secrets); i++)
        if (secrets[i] != NULL) BN_clear(secrets[i]);
    if (c->ctx != NULL) BN_CTX_end(c->ctx);
    BN_CTX_free(c->ctx);
    gap_crypto_fini(&c->crypto);
    gap_wipe(c, sizeof *c);
    ERR_pop_to_mark();
    return r;
}

/* --- hashes -------------------------------------------------------------------------------- */

/* H(salt | data | salt) */
static int salted(struct srp *c, gap_bytes_t data, gap_bytes_t salt, uint8_t out[GAP_SHA256_BYTES])
{
    const gap_bytes_t pieces[] = {salt, data, salt};

    return gap_sha256(&c->crypto, pieces, GAP_ARRAY_LEN(pieces), out);
}

static int hash_pair(struct srp *c, const uint8_t *a, const uint8_t *b, BIGNUM *out)
{
    const gap_bytes_t pieces[] = {gap_bytes(a, GAP_DH_BYTES), gap_bytes(b, GAP_DH_BYTES)};
    uint8_t hash[GAP_SHA256_BYTES];
    int r = gap_sha256(&c->crypto, pieces, GAP_ARRAY_LEN(pieces), hash);

    if (r < 0) return r;
    return BN_bin2bn(hash, sizeof hash, out) != NULL ? 0 : GAP_E_LIBCRYPTO;
}

/* The password as a number: x. */
static int stretch(struct srp *c, gap_bytes_t password)
{
    const gap_srp_algo_t *algo = c->algo;
    uint8_t hash[GAP_SHA256_BYTES];
    uint8_t key[STRETCHED];
    int r = GAP_E_ARGUMENT;

    if (algo->salt1.len > INT32_MAX) goto out;
    if ((r = salted(c, password, algo->salt1, hash)) < 0) goto out;
    if ((r = salted(c, gap_bytes(hash, sizeof hash), algo->salt2, hash)) < 0) goto out;
    r = GAP_E_LIBCRYPTO;
    if (PKCS5_PBKDF2_HMAC((const char *)hash, sizeof hash, algo->salt1.data, (int)algo->salt1.len,
                          ROUNDS, EVP_sha512(), sizeof key, key) != 1)
        goto out;
    if ((r = salted(c, gap_bytes(key, sizeof key), algo->salt2, hash)) < 0) goto out;
    r = BN_bin2bn(hash, sizeof hash, c->x) != NULL ? 0 : GAP_E_LIBCRYPTO;
out:
    gap_wipe(hash, sizeof hash);
    gap_wipe(key, sizeof key);
    return r;
}

/* --- numbers ------------------------------------------------------------------------------- */

static int power(struct srp *c, BIGNUM *out, const BIGNUM *base, BIGNUM *exponent)
{
    BN_set_flags(exponent, BN_FLG_CONSTTIME);
    return BN_mod_exp_mont_consttime(out, base, exponent, c->p, c->ctx, NULL) == 1
               ? 0
               : GAP_E_LIBCRYPTO;
}

static int power_of_g(struct srp *c, BIGNUM *out, BIGNUM *exponent)
{
    if (BN_set_word(c->t, (BN_ULONG)c->algo->g) != 1) return GAP_E_LIBCRYPTO;
    return power(c, out, c->t, exponent);
}

static int store(const BIGNUM *n, uint8_t out[GAP_DH_BYTES])
{
    return BN_bn2binpad(n, out, GAP_DH_BYTES) == GAP_DH_BYTES ? 0 : GAP_E_LIBCRYPTO;
}

/* t = k v mod p */
static int multiplied(struct srp *c)
{
    int r = hash_pair(c, c->algo->p.data, c->g, c->k);

    if (r < 0) return r;
    return BN_mod_mul(c->t, c->k, c->v, c->p, c->ctx) == 1 ? 0 : GAP_E_LIBCRYPTO;
}

/* u = H(A | B), which nobody may bring to 0: the password would not matter then. */
static int scramble(struct srp *c)
{
    int r = hash_pair(c, c->a, c->b, c->u);

    if (r < 0) return r;
    return BN_is_zero(c->u) ? GAP_E_CRYPTO : 0;
}

/* M1 from A, B and s. */
static int proof(struct srp *c, uint8_t out[GAP_SHA256_BYTES])
{
    const gap_bytes_t once[] = {c->algo->p, gap_bytes(c->g, GAP_DH_BYTES), c->algo->salt1,
                                c->algo->salt2};
    uint8_t hashes[GAP_ARRAY_LEN(once)][GAP_SHA256_BYTES];
    uint8_t shared[GAP_DH_BYTES];
    uint8_t key[GAP_SHA256_BYTES];
    int r = store(c->s, shared);

    const gap_bytes_t whole = gap_bytes(shared, sizeof shared);
    if (r == 0) r = gap_sha256(&c->crypto, &whole, 1, key);
    for (size_t i = 0; i < GAP_ARRAY_LEN(once) && r == 0; i++)
        r = gap_sha256(&c->crypto, &once[i], 1, hashes[i]);
    if (r == 0) {
        for (size_t i = 0; i < GAP_SHA256_BYTES; i++) hashes[0][i] ^= hashes[1][i];
        const gap_bytes_t all[] = {
            gap_bytes(hashes[0], GAP_SHA256_BYTES), gap_bytes(hashes[2], GAP_SHA256_BYTES),
            gap_bytes(hashes[3], GAP_SHA256_BYTES), gap_bytes(c->a, GAP_DH_BYTES),
            gap_bytes(c->b, GAP_DH_BYTES),          gap_bytes(key, sizeof key)};
        r = gap_sha256(&c->crypto, all, GAP_ARRAY_LEN(all), out);
    }
    gap_wipe(shared, sizeof shared);
    gap_wipe(key, sizeof key);
    return r;
}

/* --- the client ---------------------------------------------------------------------------- */

/* A secret whose public value the server has no reason to refuse: A = g^a, a in e. */
static int draw(struct srp *c, const gap_random_t *random)
{
    uint8_t secret[GAP_DH_BYTES];
    int r = GAP_E_CRYPTO;

    for (int i = 0; i < SECRET_TRIES && r == GAP_E_CRYPTO; i++) {
        if ((r = gap_random_fill(random, secret, sizeof secret)) < 0) break;
        r = BN_bin2bn(secret, sizeof secret, c->e) != NULL ? 0 : GAP_E_LIBCRYPTO;
        if (r == 0) r = power_of_g(c, c->s, c->e);
        if (r == 0) r = store(c->s, c->a);
        if (r == 0) r = gap_dh_check_public(gap_bytes(c->a, sizeof c->a), c->algo->p.data);
    }
    gap_wipe(secret, sizeof secret);
    return r;
}

/* s = (B - k v)^(a + u x); a is in e */
static int share_as_client(struct srp *c)
{
    int r = multiplied(c);

    if (r < 0) return r;
    if (BN_bin2bn(c->b, sizeof c->b, c->s) == NULL) return GAP_E_LIBCRYPTO;
    if (BN_mod_sub(c->t, c->s, c->t, c->p, c->ctx) != 1) return GAP_E_LIBCRYPTO;
    if (BN_is_zero(c->t)) return GAP_E_CRYPTO;
    if (BN_mul(c->x, c->u, c->x, c->ctx) != 1) return GAP_E_LIBCRYPTO;
    if (BN_add(c->e, c->e, c->x) != 1) return GAP_E_LIBCRYPTO;
    return power(c, c->s, c->t, c->e);
}

int gap_srp_prove(gap_bytes_t password, const gap_srp_algo_t *algo, gap_bytes_t b,
                  const gap_random_t *random, gap_srp_proof_t *out)
{
    struct srp c;
    uint8_t m1[GAP_SHA256_BYTES];
    int r = begin(&c, algo);

    if (r == 0) r = gap_dh_check_public(b, algo->p.data);
    if (r != 0) return end(&c, r);
    memcpy(c.b + sizeof c.b - b.len, b.data, b.len);
    r = draw(&c, random);
    if (r == 0) r = scramble(&c);
    if (r == 0) r = stretch(&c, password);
    if (r == 0) r = power_of_g(&c, c.v, c.x);
    if (r == 0) r = share_as_client(&c);
    if (r == 0) r = proof(&c, m1);
    if (r == 0) {
        memcpy(out->a, c.a, sizeof out->a);
        memcpy(out->m1, m1, sizeof out->m1);
    }
    return end(&c, r);
}

int gap_srp_verifier(gap_bytes_t password, const gap_srp_algo_t *algo, uint8_t out[GAP_DH_BYTES])
{
    struct srp c;
    int r = begin(&c, algo);

    if (r == 0) r = stretch(&c, password);
    if (r == 0) r = power_of_g(&c, c.v, c.x);
    if (r == 0) r = store(c.v, out);
    return end(&c, r);
}

/* --- the server ---------------------------------------------------------------------------- */

/* B = k v + g^b; b is in e */
static int server_public(struct srp *c, const uint8_t v[GAP_DH_BYTES],
                         const uint8_t b[GAP_DH_BYTES])
{
    int r;

    if (BN_bin2bn(v, GAP_DH_BYTES, c->v) == NULL) return GAP_E_LIBCRYPTO;
    if (BN_bin2bn(b, GAP_DH_BYTES, c->e) == NULL) return GAP_E_LIBCRYPTO;
    if ((r = power_of_g(c, c->s, c->e)) < 0) return r;
    if ((r = multiplied(c)) < 0) return r;
    if (BN_mod_add(c->s, c->s, c->t, c->p, c->ctx) != 1) return GAP_E_LIBCRYPTO;
    return store(c->s, c->b);
}

int gap_srp_server_public(const gap_srp_algo_t *algo, const uint8_t v[GAP_DH_BYTES],
                          const uint8_t b[GAP_DH_BYTES], uint8_t out[GAP_DH_BYTES])
{
    struct srp c;
    int r = begin(&c, algo);

    if (r == 0) r = server_public(&c, v, b);
    if (r == 0) memcpy(out, c.b, GAP_DH_BYTES);
    return end(&c, r);
}

/* s = (A v^u)^b; b is in e */
static int share_as_server(struct srp *c)
{
    int r = power(c, c->t, c->v, c->u);

    if (r < 0) return r;
    if (BN_bin2bn(c->a, sizeof c->a, c->s) == NULL) return GAP_E_LIBCRYPTO;
    if (BN_mod_mul(c->t, c->s, c->t, c->p, c->ctx) != 1) return GAP_E_LIBCRYPTO;
    return power(c, c->s, c->t, c->e);
}

int gap_srp_check(const gap_srp_algo_t *algo, const uint8_t v[GAP_DH_BYTES],
                  const uint8_t b[GAP_DH_BYTES], const gap_srp_proof_t *shown)
{
    struct srp c;
    uint8_t m1[GAP_SHA256_BYTES];
    int r = begin(&c, algo);

    if (r == 0) r = gap_dh_check_public(gap_bytes(shown->a, sizeof shown->a), algo->p.data);
    if (r != 0) return end(&c, r);
    memcpy(c.a, shown->a, sizeof c.a);
    r = server_public(&c, v, b);
    if (r == 0) r = scramble(&c);
    if (r == 0) r = share_as_server(&c);
    if (r == 0) r = proof(&c, m1);
    if (r == 0 && !gap_secret_equal(m1, shown->m1, sizeof m1)) r = GAP_SRP_WRONG;
    gap_wipe(m1, sizeof m1);
    return end(&c, r);
}
