/*
 * dc/devices.c - the sign-ins of an account: what each key's client says about itself, the list of
 * them, and ending others. Owns nothing.
 */
#include "dc/rpc.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <gapless/tl_mt.h>

static void copy_text(gap_bytes_t text, char out[GAP_DC_DEVICE_BYTES])
{
    size_t len = text.len < GAP_DC_DEVICE_BYTES ? text.len : GAP_DC_DEVICE_BYTES - 1;

    /* A cut never goes through a character. */
    while (len < text.len && len > 0 && (text.data[len] & 0xc0) == 0x80) len--;
    memset(out, 0, GAP_DC_DEVICE_BYTES);
    if (len > 0) memcpy(out, text.data, len);
}

void gap_dc_device_note(gap_dc_key_t *key, const gap_dc_device_words_t *words)
{
    key->device.api_id = words->api_id;
    copy_text(words->model, key->device.model);
    copy_text(words->system, key->device.system);
    copy_text(words->app, key->device.app);
}

void gap_dc_revoke(gap_dc_t *dc, gap_dc_key_t *key, int32_t code, const char *text)
{
    gap_dc_sign_out(dc, key);
    key->awaiting = 0;
    key->lost_code = code;
    key->lost = text;
}

/* What a key is called by other keys of its account; never 0, which is the asking one. */
static int64_t name_of(const gap_dc_key_t *key)
{
    int64_t name = (int64_t)gap_hash64((uint64_t)key->auth.id);

    return name == 0 ? 1 : name;
}

static gap_tl_authorization_t describe(const gap_dc_key_t *k, bool is_current)
{
    gap_tl_authorization_t one = {
        .flags = is_current ? GAP_TL_AUTHORIZATION_F_CURRENT : 0,
        .hash = is_current ? 0 : name_of(k),
        .device_model = gap_str(k->device.model),
        .platform = gap_str(""),
        .system_version = gap_str(k->device.system),
        .api_id = k->device.api_id,
        .app_name = gap_str("gapless-dc"),
        .app_version = gap_str(k->device.app),
        .date_created = (int32_t)k->signed_in_s,
        .date_active = (int32_t)k->active_s,
        .ip = gap_str("127.0.0.1"),
        .country = gap_str(""),
        .region = gap_str(""),
    };

    return one;
}

static int list(gap_dc_ask_t *a)
{
    const gap_dc_account_t *account =
        gap_map_get(&a->dc->accounts_by_id, (uint64_t)a->key->account);
    gap_tl_authorization_t each[GAP_DC_SHOWN_KEYS_MAX];
    gap_tl_object_t objects[GAP_DC_SHOWN_KEYS_MAX];
    gap_tl_account_authorizations_t all = {.authorization_ttl_days = 365};
    const gap_dc_key_t *k;
    uint32_t count = 1;

    if (account == NULL) return DC_NOT_MINE;
    each[0] = describe(a->key, true);
    TAILQ_FOREACH (k, &account->keys, account_link) {
        if (k == a->key) continue;
        if (count == GAP_DC_SHOWN_KEYS_MAX) break;
        each[count++] = describe(k, false);
    }
    for (uint32_t i = 0; i < count; i++) objects[i] = GAP_TL_OF(GAP_TL_AUTHORIZATION, &each[i]);
    all.authorizations = gap_tl_array(objects, count);
    return gap_dc_put_object(a->out, GAP_TL_OF(GAP_TL_ACCOUNT_AUTHORIZATIONS, &all));
}

static int reset_one(gap_dc_ask_t *a)
{
    const gap_dc_account_t *account =
        gap_map_get(&a->dc->accounts_by_id, (uint64_t)a->key->account);
    gap_tl_account_reset_authorization_t q;
    gap_dc_key_t *k;

    if (gap_tl_read(a->q->method, a->q->id, &q, sizeof q) < 0)
        return gap_dc_refuse(a, 400, "INPUT_FETCH_ERROR");
    if (account == NULL) return DC_NOT_MINE;
    TAILQ_FOREACH (k, &account->keys, account_link) {
        if (k == a->key || name_of(k) != q.hash) continue;
        gap_dc_revoke(a->dc, k, 401, "SESSION_REVOKED");
        return gap_buf_append32(a->out, GAP_MT_BOOL_TRUE);
    }
    return gap_dc_refuse(a, 400, "HASH_INVALID");
}

static int reset_others(gap_dc_ask_t *a)
{
    const gap_dc_account_t *account =
        gap_map_get(&a->dc->accounts_by_id, (uint64_t)a->key->account);
    gap_dc_key_t *k;
    gap_dc_key_t *next;

    if (account == NULL) return gap_dc_refuse(a, 401, "AUTH_KEY_UNREGISTERED");
    for (k = TAILQ_FIRST(&account->keys); k != NULL; k = next) {
        next = TAILQ_NEXT(k, account_link);
        if (k != a->key) gap_dc_revoke(a->dc, k, 401, "SESSION_REVOKED");
    }
    return gap_buf_append32(a->out, GAP_MT_BOOL_TRUE);
}

int gap_dc_device_call(gap_dc_ask_t *a)
{
    switch (a->q->id) {
    case GAP_TL_ACCOUNT_GET_AUTHORIZATIONS:
        return list(a);
    case GAP_TL_ACCOUNT_RESET_AUTHORIZATION:
        return reset_one(a);
    case GAP_TL_AUTH_RESET_AUTHORIZATIONS:
        return reset_others(a);
    default:
        return DC_NOT_MINE;
    }
}
