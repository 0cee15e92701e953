/*
 * dc/people.c - the records of persons.
 * Owns them, with their codes, passwords and tokens; all are wiped before they are given back.
 * Never decides what a call is answered (sign_in.c, password.c), never looks at a clock.
 *
 * Their user ids have a range of their own: a number is the same user at every data centre and in
 * every run, and no bot's token can be that user.
 */
#include "dc/people.h"

#include "base/alloc.h"
#include "base/bytes.h"

#include <gapless/tl.h>
#include <stdio.h>

#define PHONE_PREFIX   "99966"
#define PHONE_PREFIX_N 5
#define UNOCCUPIED     '9' /* YYYY begins with it: there is no account yet */
#define PASSWORD_G     3
#define CLIENT_SALT    32 /* what a client adds to salt1 */
#define FIRST_NAME     "Person"
#define PASSWORD_HINT  "the one given with --password"

void gap_dc_people_init(gap_dc_people_t *t, const gap_alloc_t *alloc, const gap_random_t *random)
{
    memset(t, 0, sizeof *t);
    t->alloc = alloc;
    t->random = random;
    gap_map_init(&t->by_id, alloc);
    TAILQ_INIT(&t->list);
}

int gap_dc_people_open(gap_dc_people_t *t, const char *password)
{
    int r = gap_random_fill(t->random, t->salt1, sizeof t->salt1);

    if (r == 0) r = gap_random_fill(t->random, t->salt2, sizeof t->salt2);
    if (r < 0 || password == NULL) return r;
    return gap_dc_password_set(t, &t->password, password);
}

static void token_drop(gap_dc_people_t *t, gap_dc_person_t *p, gap_dc_token_t *token)
{
    TAILQ_REMOVE(&p->tokens, token, link);
    p->token_count--;
    gap_wipe(token, sizeof *token);
    gap_free(t->alloc, token);
}

static void person_free(gap_dc_people_t *t, gap_dc_person_t *p)
{
    while (!TAILQ_EMPTY(&p->codes)) gap_dc_code_drop(t, p, TAILQ_FIRST(&p->codes));
    gap_dc_srp_t *srp;
    while ((srp = TAILQ_FIRST(&p->srps)) != NULL) gap_dc_srp_free(t, gap_dc_srp_take(p, srp->id));
    while (!TAILQ_EMPTY(&p->tokens)) token_drop(t, p, TAILQ_FIRST(&p->tokens));
    gap_wipe(p, sizeof *p);
    gap_free(t->alloc, p);
}

void gap_dc_people_fini(gap_dc_people_t *t)
{
    gap_dc_person_t *p;

    while ((p = TAILQ_FIRST(&t->list)) != NULL) {
        TAILQ_REMOVE(&t->list, p, link);
        person_free(t, p);
    }
    gap_map_fini(&t->by_id);
    gap_wipe(&t->password, sizeof t->password);
}

/* --- phones -------------------------------------------------------------------------------- */

static bool is_filler(uint8_t c)
{
    return c == ' ' || c == '-' || c == '(' || c == ')' || c == '+';
}

bool gap_dc_phone_read(gap_bytes_t text, char out[GAP_DC_PHONE_DIGITS + 1])
{
    size_t count = 0;

    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (is_filler(c)) continue;
        if (c < '0' || c > '9' || count == GAP_DC_PHONE_DIGITS) return false;
        out[count++] = (char)c;
    }
    if (count != GAP_DC_PHONE_DIGITS) return false;
    out[count] = '\0';
    return memcmp(out, PHONE_PREFIX, PHONE_PREFIX_N) == 0 && out[PHONE_PREFIX_N] != '0';
}

int64_t gap_dc_phone_user(const char phone[GAP_DC_PHONE_DIGITS + 1])
{
    int64_t id = 0;

    for (size_t i = PHONE_PREFIX_N; i < GAP_DC_PHONE_DIGITS; i++) id = id * 10 + (phone[i] - '0');
    return DC_PERSON_ID_FIRST + id;
}

/* --- persons ------------------------------------------------------------------------------- */

int gap_dc_person_get(gap_dc_people_t *t, const char *phone, gap_dc_person_t **out)
{
    int64_t id = gap_dc_phone_user(phone);
    gap_dc_person_t *p = gap_dc_person_find(t, id);

    if (p == NULL) {
        if (t->by_id.count >= GAP_DC_PEOPLE_MAX) return GAP_E_LIMIT;
        if ((p = gap_calloc(t->alloc, 1, sizeof *p)) == NULL) return GAP_E_NOMEM;
        if (gap_map_set(&t->by_id, (uint64_t)id, p) < 0) {
            gap_free(t->alloc, p);
            return GAP_E_NOMEM;
        }
        p->id = id;
        memcpy(p->phone, phone, GAP_DC_PHONE_DIGITS);
        p->has_account = phone[PHONE_PREFIX_N + 1] != UNOCCUPIED;
        memcpy(p->first_name, FIRST_NAME, sizeof FIRST_NAME);
        (void)snprintf(p->last_name, sizeof p->last_name, "%.5s", phone + PHONE_PREFIX_N);
        p->password = t->password;
        TAILQ_INIT(&p->codes);
        TAILQ_INIT(&p->srps);
        TAILQ_INIT(&p->tokens);
        TAILQ_INSERT_TAIL(&t->list, p, link);
    }
    *out = p;
    return 0;
}

int gap_dc_person_by_id(gap_dc_people_t *t, int64_t id, gap_dc_person_t **out)
{
    char phone[GAP_DC_PHONE_DIGITS + 1];

    if (id < DC_PERSON_ID_FIRST || id >= DC_PERSON_ID_FIRST + DC_PERSON_IDS) return GAP_E_ARGUMENT;
    (void)snprintf(phone, sizeof phone, PHONE_PREFIX "%05d", (int)(id - DC_PERSON_ID_FIRST));
    return gap_dc_person_get(t, phone, out);
}

dc_person_t gap_dc_person_names(const gap_dc_person_t *p)
{
    dc_person_t names = {gap_str(p->phone), gap_str(p->first_name), gap_str(p->last_name)};

    return names;
}

gap_dc_person_t *gap_dc_person_find(const gap_dc_people_t *t, int64_t id)
{
    return id == 0 ? NULL : gap_map_get(&t->by_id, (uint64_t)id);
}

/* --- codes --------------------------------------------------------------------------------- */

static int draw_hash(gap_dc_people_t *t, char out[GAP_DC_CODE_HASH + 1])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[GAP_DC_CODE_HASH / 2];
    int r = gap_random_fill(t->random, bytes, sizeof bytes);

    for (size_t i = 0; i < sizeof bytes && r == 0; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[GAP_DC_CODE_HASH] = '\0';
    return r;
}

/* What makes room for a new code of this key. */
static gap_dc_code_t *outdated(const gap_dc_person_t *p, int64_t key_id)
{
    gap_dc_code_t *code;

    TAILQ_FOREACH (code, &p->codes, link)
        if (code->key_id == key_id) return code;
    return p->code_count == GAP_DC_CODES_MAX ? TAILQ_FIRST(&p->codes) : NULL;
}

int gap_dc_code_send(gap_dc_people_t *t, gap_dc_person_t *p, int64_t key_id, gap_dc_code_t **out)
{
    gap_dc_code_t *code = gap_calloc(t->alloc, 1, sizeof *code);
    gap_dc_code_t *old;

    if (code == NULL) return GAP_E_NOMEM;
    int r = draw_hash(t, code->hash);
    if (r < 0) {
        gap_free(t->alloc, code);
        return r;
    }
    code->key_id = key_id;
    if ((old = outdated(p, key_id)) != NULL) gap_dc_code_drop(t, p, old);
    TAILQ_INSERT_TAIL(&p->codes, code, link);
    p->code_count++;
    *out = code;
    return 0;
}

gap_dc_code_t *gap_dc_code_find(const gap_dc_person_t *p, int64_t key_id, gap_bytes_t hash)
{
    gap_dc_code_t *code;

    TAILQ_FOREACH (code, &p->codes, link)
        if (code->key_id == key_id &&
            gap_bytes_equal(hash, gap_bytes(code->hash, GAP_DC_CODE_HASH)))
            return code;
    return NULL;
}

void gap_dc_code_drop(gap_dc_people_t *t, gap_dc_person_t *p, gap_dc_code_t *code)
{
    TAILQ_REMOVE(&p->codes, code, link);
    p->code_count--;
    gap_wipe(code, sizeof *code);
    gap_free(t->alloc, code);
}

bool gap_dc_code_is(const gap_dc_person_t *p, gap_bytes_t code)
{
    if (code.len != GAP_DC_CODE_DIGITS) return false;
    for (size_t i = 0; i < code.len; i++)
        if (code.data[i] != (uint8_t)p->phone[PHONE_PREFIX_N]) return false;
    return true;
}

/* --- tokens -------------------------------------------------------------------------------- */

int gap_dc_token_new(gap_dc_people_t *t, gap_dc_person_t *p, gap_dc_token_t **out)
{
    gap_dc_token_t *token = gap_calloc(t->alloc, 1, sizeof *token);

    if (token == NULL) return GAP_E_NOMEM;
    int r = gap_random_fill(t->random, token->bytes, sizeof token->bytes);
    if (r < 0) {
        gap_free(t->alloc, token);
        return r;
    }
    if (p->token_count == GAP_DC_TOKENS_MAX) token_drop(t, p, TAILQ_FIRST(&p->tokens));
    TAILQ_INSERT_TAIL(&p->tokens, token, link);
    p->token_count++;
    *out = token;
    return 0;
}

bool gap_dc_token_take(gap_dc_people_t *t, gap_dc_person_t *p, gap_bytes_t bytes)
{
    gap_dc_token_t *token;

    if (bytes.len != GAP_DC_TOKEN_BYTES) return false;
    TAILQ_FOREACH (token, &p->tokens, link) {
        if (!gap_secret_equal(token->bytes, bytes.data, bytes.len)) continue;
        token_drop(t, p, token);
        return true;
    }
    return false;
}

/* --- passwords ----------------------------------------------------------------------------- */

gap_srp_algo_t gap_dc_password_algo(const gap_dc_people_t *t, const gap_dc_password_t *password)
{
    gap_srp_algo_t algo = {
        .salt1 = gap_bytes(password->salt1, password->salt1_len),
        .salt2 = gap_bytes(t->salt2, sizeof t->salt2),
        .g = PASSWORD_G,
        .p = gap_bytes(gap_dh_known_prime, sizeof gap_dh_known_prime),
    };

    return algo;
}

int gap_dc_password_set(gap_dc_people_t *t, gap_dc_password_t *password, const char *text)
{
    gap_dc_password_t made = {.is_set = text != NULL, .version = password->version + 1};
    int r = 0;

    if (text != NULL) {
        made.salt1_len = sizeof t->salt1 + CLIENT_SALT;
        memcpy(made.salt1, t->salt1, sizeof t->salt1);
        r = gap_random_fill(t->random, made.salt1 + sizeof t->salt1, CLIENT_SALT);
        gap_srp_algo_t algo = gap_dc_password_algo(t, &made);
        if (r == 0) r = gap_srp_verifier(gap_bytes(text, strlen(text)), &algo, made.v);
        memcpy(made.hint, PASSWORD_HINT, sizeof PASSWORD_HINT);
    }
    if (r == 0) *password = made;
    gap_wipe(&made, sizeof made);
    return r;
}

int gap_dc_srp_new(gap_dc_people_t *t, gap_dc_person_t *p, gap_dc_srp_t **out)
{
    gap_dc_srp_t *srp = gap_calloc(t->alloc, 1, sizeof *srp);

    if (srp == NULL) return GAP_E_NOMEM;
    int r = gap_random_fill(t->random, srp->b, sizeof srp->b);
    if (r == 0) r = gap_random_fill(t->random, (uint8_t *)&srp->id, sizeof srp->id);
    if (r < 0) {
        gap_dc_srp_free(t, srp);
        return r;
    }
    srp->version = p->password.version;
    if (p->srp_count == GAP_DC_SRP_MAX)
        gap_dc_srp_free(t, gap_dc_srp_take(p, TAILQ_FIRST(&p->srps)->id));
    TAILQ_INSERT_TAIL(&p->srps, srp, link);
    p->srp_count++;
    *out = srp;
    return 0;
}

gap_dc_srp_t *gap_dc_srp_take(gap_dc_person_t *p, int64_t id)
{
    gap_dc_srp_t *srp;

    TAILQ_FOREACH (srp, &p->srps, link) {
        if (srp->id != id) continue;
        TAILQ_REMOVE(&p->srps, srp, link);
        p->srp_count--;
        return srp;
    }
    return NULL;
}

void gap_dc_srp_free(gap_dc_people_t *t, gap_dc_srp_t *srp)
{
    gap_wipe(srp, sizeof *srp);
    gap_free(t->alloc, srp);
}
