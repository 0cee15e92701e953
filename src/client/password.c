/*
 * client/password.c - the two-step password: its parameters, and the proof, which is computed on a
 * thread of the library because it costs a tenth of a second.
 *
 * The parameters are asked for anew for each proof: they are good for one try.
 *
 * Owns the job, until its thread is done with it, also when the sign-in has ended meanwhile. Random
 * bytes are drawn on the loop thread beforehand. Never: shows the password to anybody.
 */
#include "client/sign_in.h"

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/packet.h"
#include "crypto/srp.h"

#include <string.h>

/* Enough for the proof's secret and for drawing it anew a few times. */
#define RANDOM_BYTES ((size_t)4 * GAP_DH_BYTES)

struct password_job {
    gap_work_t work;
    gap_client_t *client;
    struct client_sign_in *sign_in; /* NULL: not wanted any more */
    gap_packet_t *packet;           /* owns what algo and b point to */
    char *password;
    gap_srp_algo_t algo;
    gap_bytes_t b;
    uint8_t random[RANDOM_BYTES];
    size_t drawn;
    gap_srp_proof_t proof;
    int status;
};

/* ---- parameters ---- */

void password_drop(struct client_sign_in *s)
{
    gap_packet_unref(s->packet);
    s->packet = NULL;
    memset(&s->account, 0, sizeof s->account);
}

int password_take(gap_client_t *c, const struct gap_call_result *result)
{
    struct client_sign_in *s = c->sign_in;
    gap_tl_account_password_t account;

    int64_t used = gap_tl_read(result->value, GAP_TL_ACCOUNT_PASSWORD, &account, sizeof account);
    if (used < 0) return (int)used;
    if ((account.flags & GAP_TL_ACCOUNT_PASSWORD_F_HAS_PASSWORD) == 0) return GAP_E_NOT_FOUND;
    if (account.current_algo.id !=
        GAP_TL_PASSWORD_KDF_ALGO_SHA256_SHA256_PBKDF2_HMACSHA512ITER100000_SHA256_MOD_POW)
        return GAP_E_TL_ID;
    int r = sign_in_keep(c, &s->hint, account.hint);
    if (r < 0) return r;
    password_drop(s);
    s->packet = gap_packet_ref(result->packet);
    s->account = account;
    return 0;
}

/* ---- the proof ---- */

static int draw(void *arg, uint8_t *out, size_t len)
{
    struct password_job *job = arg;

    if (len > RANDOM_BYTES - job->drawn) return GAP_E_CRYPTO;
    memcpy(out, job->random + job->drawn, len);
    job->drawn += len;
    return 0;
}

static void job_free(struct password_job *job)
{
    const gap_alloc_t *alloc = job->client->alloc;

    gap_packet_unref(job->packet);
    gap_wipe(job->password, strlen(job->password));
    gap_free(alloc, job->password);
    gap_wipe(job, sizeof *job);
    gap_free(alloc, job);
}

static void job_run(gap_work_t *work)
{
    struct password_job *job = GAP_CONTAINER_OF(work, struct password_job, work);
    const gap_random_t random = {draw, job};

    job->status = gap_srp_prove(gap_str(job->password), &job->algo, job->b, &random, &job->proof);
}

static void job_done(gap_work_t *work, int status)
{
    struct password_job *job = GAP_CONTAINER_OF(work, struct password_job, work);
    struct client_sign_in *s = job->sign_in;
    gap_client_t *c = job->client;
    int r = status != 0 ? status : job->status;

    if (s != NULL) {
        s->job = NULL;
        memcpy(s->a, job->proof.a, sizeof s->a);
        memcpy(s->m1, job->proof.m1, sizeof s->m1);
    }
    job_free(job);
    if (s != NULL && !c->closing && c->state == CLIENT_SIGNING_IN) {
        if (r == 0)
            sign_in_go_on(c, AT_PASSWORD);
        else if (r == GAP_E_CRYPTO)
            client_fatal(c, r, 0,
                         "sign-in: the server's numbers for the password are not sound, so nothing "
                         "of it was sent; check the server's address and key");
        else
            client_fatal(c, r, 0, "sign-in: the password can't be proved: %s", gap_strerror(r));
    }
    gap_loop_drop(&c->rt, &c->loop);
}

void password_abandon(struct client_sign_in *s)
{
    if (s->job != NULL) s->job->sign_in = NULL;
    s->job = NULL;
}

static int fill(gap_client_t *c, struct password_job *job)
{
    const struct client_sign_in *s = c->sign_in;
    gap_tl_password_kdf_algo_sha256_sha256_pbkdf2_hmacsha512iter100000_sha256_mod_pow_t algo;

    int64_t used = gap_tl_read(gap_tl_bytes(s->account.current_algo), s->account.current_algo.id,
                               &algo, sizeof algo);
    if (used < 0) return (int)used;
    int r = gap_env_random(c->env, job->random, sizeof job->random);
    if (r < 0) return r;
    r = sign_in_keep(c, &job->password, gap_str(s->password));
    if (r < 0) return r;
    job->algo = (gap_srp_algo_t){algo.salt1, algo.salt2, algo.g, algo.p};
    job->b = s->account.srp_b;
    return 0;
}

int password_prove(gap_client_t *c)
{
    struct client_sign_in *s = c->sign_in;
    struct password_job *job = gap_calloc(c->alloc, 1, sizeof *job);

    if (job == NULL) return GAP_E_NOMEM;
    int r = fill(c, job);
    if (r < 0) {
        gap_wipe(job, sizeof *job);
        gap_free(c->alloc, job);
        return r;
    }
    job->client = c;
    job->sign_in = s;
    job->packet = gap_packet_ref(s->packet);
    job->work = (gap_work_t){.run = job_run, .done = job_done};
    s->job = job;
    gap_loop_hold(&c->loop);
    c->env->ops->work(c->env, &job->work);
    return 0;
}
