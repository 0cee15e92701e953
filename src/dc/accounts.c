/*
 * dc/accounts.c - who is signed in, with which keys, and who counts as ready for traffic: an
 * account that has called updates.getDifference, or made any other call a second ago.
 * Owns the accounts' records; the model owns what they see.
 */
#include "base/alloc.h"
#include "dc/server.h"

#define READY_AFTER_US 1000000U

static gap_dc_account_t *account_new(gap_dc_t *dc, int64_t id)
{
    gap_dc_account_t *a = gap_calloc(dc->alloc, 1, sizeof *a);

    if (a == NULL) return NULL;
    a->id = id;
    TAILQ_INIT(&a->keys);
    if (gap_map_set(&dc->accounts_by_id, (uint64_t)id, a) < 0) {
        gap_free(dc->alloc, a);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&dc->accounts, a, link);
    return a;
}

static int inhabit(gap_dc_t *dc, int64_t account, const dc_person_t *person)
{
    int64_t now_us = (int64_t)dc->now.wall_us;

    if (person != NULL) return dc_model_person(dc->model, account, person, now_us);
    return dc_model_account(dc->model, account, true, now_us);
}

static void forget_pushes(gap_dc_key_t *key)
{
    gap_dc_session_t *s;

    TAILQ_FOREACH (s, &key->sessions, link) gap_dc_session_forget_pushes(s);
    if (key->temp != NULL)
        TAILQ_FOREACH (s, &key->temp->sessions, link) gap_dc_session_forget_pushes(s);
}

/* The key is nobody's; what its sessions hold stays. */
static void part(gap_dc_t *dc, gap_dc_key_t *key)
{
    key->awaiting = 0;
    if (key->account == 0) return;
    gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)key->account);
    TAILQ_REMOVE(&a->keys, key, account_link);
    key->account = 0;
    key->subscribed = NULL;
}

void gap_dc_sign_out(gap_dc_t *dc, gap_dc_key_t *key)
{
    if (key->account != 0) forget_pushes(key);
    part(dc, key);
}

int gap_dc_sign_in(gap_dc_t *dc, gap_dc_key_t *key, int64_t account, const dc_person_t *person)
{
    gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)account);
    int r;

    if (a == NULL) {
        if (dc->accounts_by_id.count >= GAP_DC_ACCOUNTS_MAX) return GAP_E_LIMIT;
        if ((r = inhabit(dc, account, person)) < 0) return r;
        if ((a = account_new(dc, account)) == NULL) return GAP_E_NOMEM;
    }
    /* Who signs in once more with the same key has not missed anything. */
    if (key->account != 0 && key->account != account) forget_pushes(key);
    part(dc, key);
    key->account = account;
    key->is_guest = false;
    dc_model_away(dc->model, account, false);
    key->awaiting = 0;
    key->lost = NULL;
    key->signed_in_s = dc->now.wall_us / 1000000;
    key->ordinal = a->keys_ever++;
    TAILQ_INSERT_TAIL(&a->keys, key, account_link);
    return 0;
}

void gap_dc_account_called(gap_dc_t *dc, int64_t account, bool is_difference)
{
    gap_dc_account_t *a = gap_map_get(&dc->accounts_by_id, (uint64_t)account);

    if (a == NULL || a->is_ready) return;
    if (is_difference)
        a->ready_us = dc->now.mono_us > 0 ? dc->now.mono_us : 1;
    else if (a->ready_us == 0)
        a->ready_us = dc->now.mono_us + READY_AFTER_US;
}

uint64_t gap_dc_accounts_ready(gap_dc_t *dc)
{
    uint64_t next = GAP_ENV_NEVER;
    gap_dc_account_t *a;

    TAILQ_FOREACH (a, &dc->accounts, link) {
        if (a->is_ready || a->ready_us == 0) continue;
        if (a->ready_us <= dc->now.mono_us) {
            a->is_ready = true;
            dc->ready++;
        } else if (a->ready_us < next) {
            next = a->ready_us;
        }
    }
    return next;
}

void gap_dc_accounts_fini(gap_dc_t *dc)
{
    gap_dc_account_t *a;

    while ((a = TAILQ_FIRST(&dc->accounts)) != NULL) {
        TAILQ_REMOVE(&dc->accounts, a, link);
        gap_free(dc->alloc, a);
    }
    gap_map_fini(&dc->accounts_by_id);
}
