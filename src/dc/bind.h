/*
 * dc/bind.h - auth.bindTempAuthKey: the proof that who made a temporary key also has the permanent
 * one. Pure. (core.telegram.org/method/auth.bindTempAuthKey, core.telegram.org/api/pfs)
 */
#ifndef GAP_DC_BIND_H
#define GAP_DC_BIND_H

#include "dc/keys.h"

/** gap_dc_bind_check: refused, *error says why. */
#define GAP_DC_BIND_REFUSED 1

/** Where and when the call came. */
typedef struct gap_dc_bind {
    const gap_dc_key_t *temp; /* the key it came under */
    int64_t session_id;
    int64_t msg_id;
    uint64_t now_s;
} gap_dc_bind_t;

/**
 * Check a call.
 *
 * @param method  auth.bindTempAuthKey, boxed and well-formed.
 * @param error   Static, like "ENCRYPTED_MESSAGE_INVALID"; code 400.
 * @param perm    The permanent key to be bound to.
 * @param expires_at  When the temporary key ends.
 * @return 0; GAP_DC_BIND_REFUSED; GAP_E_LIBCRYPTO.
 */
GAP_NODISCARD int gap_dc_bind_check(gap_crypto_t *c, const gap_dc_keys_t *keys,
                                    const gap_dc_bind_t *b, gap_bytes_t method, const char **error,
                                    gap_dc_key_t **perm, int32_t *expires_at);

#endif
