/*
 * dc/keys.c - the table of authorization keys.
 * Owns keys and, through them, sessions. Never decides who may do what.
 */
#include "dc/keys.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"

void gap_dc_keys_init(gap_dc_keys_t *t, const gap_alloc_t *alloc, gap_gzip_t *zip)
{
    t->alloc = alloc;
    t->zip = zip;
    gap_map_init(&t->by_id, alloc);
    TAILQ_INIT(&t->list);
}

void gap_dc_keys_fini(gap_dc_keys_t *t)
{
    gap_dc_key_t *key;

    while ((key = TAILQ_FIRST(&t->list)) != NULL) gap_dc_keys_remove(t, key);
    gap_map_fini(&t->by_id);
}

gap_dc_key_t *gap_dc_keys_find(const gap_dc_keys_t *t, int64_t id)
{
    return id == 0 ? NULL : gap_map_get(&t->by_id, (uint64_t)id);
}

/* A key that nobody signed in with and no connection uses makes room. */
static void evict(gap_dc_keys_t *t)
{
    gap_dc_key_t *key;
    gap_dc_session_t *s;

    TAILQ_FOREACH (key, &t->list, link) {
        bool in_use = key->account != 0 || key->temp != NULL;
        TAILQ_FOREACH (s, &key->sessions, link) in_use = in_use || s->conn != NULL || s->is_dirty;
        if (in_use) continue;
        gap_dc_keys_remove(t, key);
        return;
    }
}

int gap_dc_keys_add(gap_dc_keys_t *t, const gap_auth_key_t *auth, int64_t first_salt,
                    uint64_t salt_seed, uint64_t now_s, gap_dc_key_t **out)
{
    GAP_ASSERT(auth->id != 0);
    GAP_ASSERT(gap_dc_keys_find(t, auth->id) == NULL);
    if (t->by_id.count >= GAP_DC_KEYS_MAX) evict(t);
    if (t->by_id.count >= GAP_DC_KEYS_MAX) return GAP_E_LIMIT;
    gap_dc_key_t *key = gap_calloc(t->alloc, 1, sizeof *key);
    if (key == NULL) return GAP_E_NOMEM;
    key->auth = *auth;
    key->first_salt = first_salt;
    key->salt_seed = salt_seed;
    key->made_s = now_s;
    TAILQ_INIT(&key->sessions);
    int r = gap_map_set(&t->by_id, (uint64_t)auth->id, key);
    if (r < 0) {
        gap_wipe(key, sizeof *key);
        gap_free(t->alloc, key);
        return r;
    }
    TAILQ_INSERT_TAIL(&t->list, key, link);
    *out = key;
    return 0;
}

void gap_dc_keys_remove(gap_dc_keys_t *t, gap_dc_key_t *key)
{
    gap_dc_session_t *s;

    while ((s = TAILQ_FIRST(&key->sessions)) != NULL) gap_dc_key_drop_session(key, s);
    if (key->perm != NULL) key->perm->temp = NULL;
    if (key->temp != NULL) key->temp->perm = NULL;
    (void)gap_map_remove(&t->by_id, (uint64_t)key->auth.id);
    TAILQ_REMOVE(&t->list, key, link);
    gap_wipe(key, sizeof *key);
    gap_free(t->alloc, key);
}

void gap_dc_keys_bind(gap_dc_key_t *temp, gap_dc_key_t *perm, int32_t expires_at)
{
    GAP_ASSERT(temp->expires_in > 0);
    GAP_ASSERT(perm->expires_in == 0);
    GAP_ASSERT(perm->temp == NULL || perm->temp == temp);
    GAP_ASSERT(temp->perm == NULL || temp->perm == perm);
    temp->perm = perm;
    perm->temp = temp;
    temp->expires_in = (int32_t)((int64_t)expires_at - (int64_t)temp->made_s);
}

int64_t gap_dc_key_salt(const gap_dc_key_t *key, uint64_t period)
{
    if (period == 0) return key->first_salt;
    uint64_t salt = gap_hash64(key->salt_seed + period * 0x9e3779b97f4a7c15U);
    return (int64_t)(salt == 0 ? 1 : salt);
}

uint64_t gap_dc_key_unique(const gap_dc_key_t *key, int64_t session_id, int64_t first_msg_id)
{
    return gap_hash64(gap_hash64(key->salt_seed ^ (uint64_t)session_id) ^ (uint64_t)first_msg_id);
}

uint64_t gap_dc_key_period(const gap_dc_key_t *key, uint64_t now_s)
{
    return now_s < key->made_s ? 0 : (now_s - key->made_s) / GAP_DC_SALT_PERIOD_S;
}

bool gap_dc_key_salt_ok(const gap_dc_key_t *key, int64_t salt, uint64_t now_s)
{
    uint64_t period = gap_dc_key_period(key, now_s);

    return salt == gap_dc_key_salt(key, period) ||
           (period > 0 && salt == gap_dc_key_salt(key, period - 1));
}

gap_dc_session_t *gap_dc_key_find_session(const gap_dc_key_t *key, int64_t id)
{
    gap_dc_session_t *s;

    TAILQ_FOREACH (s, &key->sessions, link)
        if (s->id == id) return s;
    return NULL;
}

/* The session unused for longest among those that are not connected. */
static gap_dc_session_t *idle_session(const gap_dc_key_t *key)
{
    gap_dc_session_t *s;

    TAILQ_FOREACH_REVERSE(s, &key->sessions, gap_dc_sessions, link)
    if (s->conn == NULL && !s->is_dirty) return s;
    return NULL;
}

int gap_dc_key_session(gap_dc_keys_t *t, gap_dc_key_t *key, int64_t id, gap_dc_session_t **out)
{
    gap_dc_session_t *s = gap_dc_key_find_session(key, id);
    int r;

    if (s != NULL) {
        if (s != TAILQ_FIRST(&key->sessions)) {
            TAILQ_REMOVE(&key->sessions, s, link);
            TAILQ_INSERT_HEAD(&key->sessions, s, link);
        }
        *out = s;
        return 0;
    }
    if (key->session_count >= GAP_DC_KEY_SESSIONS_MAX) {
        if ((s = idle_session(key)) == NULL) return GAP_E_LIMIT;
        gap_dc_key_drop_session(key, s);
    }
    if ((r = gap_dc_session_new(t->alloc, t->zip, key, id, &s)) < 0) return r;
    TAILQ_INSERT_HEAD(&key->sessions, s, link);
    key->session_count++;
    *out = s;
    return 0;
}

void gap_dc_key_drop_session(gap_dc_key_t *key, gap_dc_session_t *s)
{
    GAP_ASSERT(s->key == key);
    GAP_ASSERT(!s->is_dirty);
    gap_dc_key_t *main = gap_dc_key_main(key);
    if (main->subscribed == s) main->subscribed = NULL;
    TAILQ_REMOVE(&key->sessions, s, link);
    key->session_count--;
    gap_dc_session_free(s);
}
