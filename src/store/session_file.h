/*
 * store/session_file.h - what an account needs to stay signed in, in a small file: its
 * authorization keys, where its data centres are, who it is. When it is read and written is the
 * store loop's business; the bytes are described in store/session_slot.h.
 *
 * The file is a header and two slots of fixed size. A save goes into the slot that is not the
 * newest valid one, whole, and is then synced: whatever happens on the way, the other slot still
 * holds what was saved before. Each slot carries a generation and a SHA-256 over itself.
 */
#ifndef GAP_STORE_SESSION_FILE_H
#define GAP_STORE_SESSION_FILE_H

#include "env/env.h"

#include <gapless/store.h>

#define GAP_SESSION_KEY_BYTES   256
#define GAP_SESSION_DCS_MAX     16 /* data centres with a key or an address of their own */
#define GAP_SESSION_ADDRS_MAX   8  /* addresses of one data centre; more are not kept */
#define GAP_SESSION_TOKENS_MAX  20 /* log-out tokens; the oldest goes */
#define GAP_SESSION_TOKEN_BYTES 64 /* a longer one is not kept */
#define GAP_SESSION_SLOT_BYTES  ((size_t)16 << 10)
#define GAP_SESSION_FILE_BYTES  (64 + 2 * GAP_SESSION_SLOT_BYTES)

/** One address of a data centre (dcOption). */
struct gap_session_addr {
    gap_addr_t addr;
    bool media_only;
};

/** One data centre. */
struct gap_session_dc {
    int32_t id;
    bool has_key;
    bool authorised; /* the account is signed in with this key */
    uint8_t key[GAP_SESSION_KEY_BYTES];
    uint64_t salt;
    struct gap_session_addr addrs[GAP_SESSION_ADDRS_MAX];
    size_t addr_count;
};

/** Everything. Secret: wiped with gap_wipe when done with. */
struct gap_session_data {
    int32_t network; /* gap_network_t; a session of another network is refused */
    int32_t main_dc; /* 0: none yet */
    int32_t api_id;
    int64_t user_id; /* 0: not signed in */
    bool bot;
    struct gap_session_dc dcs[GAP_SESSION_DCS_MAX];
    size_t dc_count;
    uint8_t tokens[GAP_SESSION_TOKENS_MAX][GAP_SESSION_TOKEN_BYTES]; /* oldest first */
    size_t token_lens[GAP_SESSION_TOKENS_MAX];
    size_t token_count;
};

/** The data centre's entry. @return NULL: not there. */
struct gap_session_dc *gap_session_find_dc(struct gap_session_data *d, int32_t id);
/** The entry, made if need be. @return NULL: GAP_SESSION_DCS_MAX are there. */
struct gap_session_dc *gap_session_make_dc(struct gap_session_data *d, int32_t id);

/** An open session file, held alone. */
typedef struct gap_session_file gap_session_file_t;

/*
 * Blocking; on the writer thread. Failures, all with a text in *fault: GAP_E_HELD, GAP_E_FOREIGN,
 * GAP_E_NEWER (nothing is touched); GAP_E_DAMAGED neither slot is whole (nothing is touched; the
 * file has to be moved away by hand); GAP_E_STORAGE; GAP_E_NOMEM; GAP_E_LIBCRYPTO.
 */

/** Open or create (mode 0600; one that was made wider is narrowed), take it alone, read the newest
 * whole slot. An empty or new file
 * reads as zeroes, and so does one whose very first save was cut short. @param path Copied.
 * @param data Filled in. */
GAP_NODISCARD int gap_session_file_open(gap_env_t *env, const char *path, gap_session_file_t **out,
                                        struct gap_session_data *data, gap_storage_fault_t *fault);
/** Write and sync. After a failure the file holds what was saved before, or already this; it may be
 * tried again (also after a failed sync: the slot is written anew). @param data Within the limits
 * above, each data centre once. */
GAP_NODISCARD int gap_session_file_save(gap_session_file_t *f, const struct gap_session_data *data,
                                        gap_storage_fault_t *fault);
/** Close and free; the lock goes with it. */
void gap_session_file_close(gap_session_file_t *f);

#endif
