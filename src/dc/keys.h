/*
 * dc/keys.h - authorization keys: who is signed in with them, the layer their client speaks, their
 * salts and sessions. In memory, as long as the server runs.
 */
#ifndef GAP_DC_KEYS_H
#define GAP_DC_KEYS_H

#include "dc/session.h"

TAILQ_HEAD(gap_dc_sessions, gap_dc_session);

/** What a client says about itself in initConnection; each ends in a NUL. */
typedef struct gap_dc_device {
    int32_t api_id;
    char model[GAP_DC_DEVICE_BYTES];
    char system[GAP_DC_DEVICE_BYTES];
    char app[GAP_DC_DEVICE_BYTES];
} gap_dc_device_t;

typedef struct gap_dc_key {
    TAILQ_ENTRY(gap_dc_key) link;         /* the table's, oldest first */
    TAILQ_ENTRY(gap_dc_key) account_link; /* the keys of its account */
    gap_auth_key_t auth;
    int64_t first_salt;
    uint64_t salt_seed;
    uint64_t made_s;         /* seconds since 1970 */
    int32_t expires_in;      /* s; 0: a permanent key */
    struct gap_dc_key *perm; /* a temporary key: what it is bound to; NULL: not yet */
    struct gap_dc_key *temp; /* a permanent key: what is bound to it; NULL: nothing */
    int32_t layer;           /* announced last; 0: none yet */
    bool inited;             /* initConnection was seen */
    gap_dc_device_t device;
    int64_t account;      /* signed in; 0: nobody */
    bool is_guest;        /* it lives in another data centre: no updates */
    int64_t awaiting;     /* a person who has shown a code, but no password yet; 0: nobody */
    uint64_t signed_in_s; /* since when */
    uint64_t active_s;    /* the last call */
    const char *lost;     /* why calls fail since the sign-in was ended; NULL: it was not */
    int32_t lost_code;    /* 401, or 406: and the key is dead with the first such answer */
    bool is_dead;         /* transport error -404 from now on */
    int32_t seq;          /* last container seq sent */
    uint32_t ordinal;     /* which key of its account this is, from 0 */
    uint32_t calls;       /* API calls made while signed in */
    struct gap_dc_sessions sessions;
    uint32_t session_count;
    gap_dc_session_t *subscribed; /* where pushes go; NULL: nowhere */
} gap_dc_key_t;

TAILQ_HEAD(gap_dc_key_list, gap_dc_key);

typedef struct gap_dc_keys {
    const gap_alloc_t *alloc;
    gap_gzip_t *zip;
    gap_map_t by_id;
    struct gap_dc_key_list list;
} gap_dc_keys_t;

void gap_dc_keys_init(gap_dc_keys_t *t, const gap_alloc_t *alloc, gap_gzip_t *zip);
/** Wipe and free all keys and their sessions. Safe twice. */
void gap_dc_keys_fini(gap_dc_keys_t *t);

/** @return the key, or NULL. */
gap_dc_key_t *gap_dc_keys_find(const gap_dc_keys_t *t, int64_t id);
/**
 * Remember a new key.
 * @param auth  Copied. @param salt_seed Random; later salts come from it.
 * @return 0; GAP_E_LIMIT the table is full; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_keys_add(gap_dc_keys_t *t, const gap_auth_key_t *auth, int64_t first_salt,
                                  uint64_t salt_seed, uint64_t now_s, gap_dc_key_t **out);
/** Forget a key and its sessions; none may be connected. */
void gap_dc_keys_remove(gap_dc_keys_t *t, gap_dc_key_t *key);

/** Bind a temporary key to a permanent one that has none, until @p expires_at. */
void gap_dc_keys_bind(gap_dc_key_t *temp, gap_dc_key_t *perm, int32_t expires_at);
/** The key that a client is known by: what a temporary key is bound to, or the key itself. */
static inline gap_dc_key_t *gap_dc_key_main(gap_dc_key_t *key)
{
    return key->perm != NULL ? key->perm : key;
}

/** The salt of a period; period 0 begins when the key was made. */
int64_t gap_dc_key_salt(const gap_dc_key_t *key, uint64_t period);
/** unique_id of new_session_created: the same for the same session, hardly ever for two. */
uint64_t gap_dc_key_unique(const gap_dc_key_t *key, int64_t session_id, int64_t first_msg_id);
/** The period in which @p now_s lies. */
uint64_t gap_dc_key_period(const gap_dc_key_t *key, uint64_t now_s);
/** Is this salt good now: that of the running period or of the one before? */
bool gap_dc_key_salt_ok(const gap_dc_key_t *key, int64_t salt, uint64_t now_s);

/** The session with this id, made if need be; it becomes the most recently used. The session that
 * makes room for it is one that is not connected.
 * @return 0; GAP_E_LIMIT all sessions of the key are connected; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_key_session(gap_dc_keys_t *t, gap_dc_key_t *key, int64_t id,
                                     gap_dc_session_t **out);
/** @return the session with this id, or NULL. */
gap_dc_session_t *gap_dc_key_find_session(const gap_dc_key_t *key, int64_t id);
/** Forget a session; it must not be connected nor in the server's list. */
void gap_dc_key_drop_session(gap_dc_key_t *key, gap_dc_session_t *s);

#endif
