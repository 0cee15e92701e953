/*
 * dc/homes.h - who lives in which data centre, and what clients are told of the others.
 *
 * A phone number 99966XYYYY lives in data centre X if that is known, bots where --bots-dc says, and
 * an account that was moved where it was moved to; everybody else lives here.
 */
#ifndef GAP_DC_HOMES_H
#define GAP_DC_HOMES_H

#include "base/buf.h"
#include "base/map.h"
#include "dc/dc.h"
#include "dc/transfer.h"
#include "tl/tl.h"

#include <gapless/tl_api.h>

struct gap_dc_error;
struct gap_dc_key;
struct gap_dc_query;

/** What a script did to the table. */
struct gap_dc_edit {
    gap_dc_peer_t peer;
    bool is_known; /* else its data centre is dropped */
};

/** The server's. */
typedef struct gap_dc_homes {
    gap_dc_peers_t peers; /* what counts: those told, then edited */
    gap_dc_peers_t told;  /* by options and gap_dc_set_peers */
    struct gap_dc_edit edits[GAP_DC_PEERS_MAX];
    uint32_t edit_count;
    gap_map_t moved;               /* account -> id of a data centre, as a pointer */
    uint8_t key[GAP_SHA256_BYTES]; /* of authorizations that are exported */
    gap_dc_used_list_t used;       /* those imported lately */
    char error[32];                /* text of the error made last */
    bool is_looking;               /* options.look_at_peers is running */
} gap_dc_homes_t;

void gap_dc_homes_init(gap_dc_t *dc);
/** With dc->crypto open. @return 0; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dc_homes_open(gap_dc_t *dc);
/** Safe twice. */
void gap_dc_homes_fini(gap_dc_t *dc);

/**
 * Where does somebody live who wants to sign in?
 * @param phone    As the client wrote it; empty: a bot.
 * @param account  Its id; 0: not known yet.
 * @return 0 here; GAP_DC_IS_ERROR: *error is 303 PHONE_MIGRATE_X, for a bot USER_MIGRATE_X (its
 *         text lives until the next call).
 */
GAP_NODISCARD int gap_dc_check_home(gap_dc_t *dc, gap_bytes_t phone, int64_t account,
                                    struct gap_dc_error *error);
/** May this key's account call this method here? One that was moved away has to go after what is
 * its own; who has come back as a guest may. @return 0; GAP_DC_IS_ERROR: *error is 303
 * USER_MIGRATE_X. */
GAP_NODISCARD int gap_dc_check_moved(gap_dc_t *dc, const struct gap_dc_key *key, uint32_t method,
                                     struct gap_dc_error *error);
/** *error is 303 <kind>_MIGRATE_<id>. @return GAP_DC_IS_ERROR. */
int gap_dc_migrate(gap_dc_t *dc, const char *kind, int32_t id, struct gap_dc_error *error);

/** An account lives in data centre @p id from now on; if that is elsewhere its keys here get no
 * more updates, if it is this one guests become residents. @return 0; GAP_E_LIMIT; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_move(gap_dc_t *dc, int64_t account, int32_t id);
/** The account of a bot's id or, as a number, of a phone 99966XYYYY. */
int64_t gap_dc_account_of(int64_t who);
/** Know an address in the place of the one of its kind, or forget a data centre; that outlasts
 * gap_dc_set_peers. Those who get updates are told. @return 0; GAP_E_LIMIT; GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_change_peers(gap_dc_t *dc, const gap_dc_peer_t *peer, bool is_known);

/** auth.exportAuthorization. @param out Appended to.
 * @return 0; GAP_DC_IS_ERROR; GAP_E_NOMEM, GAP_E_LIBCRYPTO, what the random source returned. */
GAP_NODISCARD int gap_dc_export(gap_dc_t *dc, const struct gap_dc_key *key,
                                const struct gap_dc_query *q, gap_buf_t *out,
                                struct gap_dc_error *error);
/** auth.importAuthorization: the key is signed in then, as a guest unless its account has moved to
 * here. @return 0; GAP_DC_IS_ERROR; GAP_E_NOMEM, GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_dc_import(gap_dc_t *dc, struct gap_dc_key *key, const struct gap_dc_query *q,
                                struct gap_dc_error *error);
/** Are pushes to go to this key: does its account live here? */
bool gap_dc_gets_updates(const gap_dc_t *dc, const struct gap_dc_key *key);
/** Let the owner bring the table up to date if this method makes use of it. */
void gap_dc_look_at_peers(gap_dc_t *dc, uint32_t method);

/** Room for what dc_options is written from. */
typedef struct gap_dc_option_list {
    gap_tl_dc_option_t options[GAP_DC_PEERS_MAX + 1];
    gap_tl_object_t objects[GAP_DC_PEERS_MAX + 1];
    char ips[GAP_DC_PEERS_MAX + 1][46];
    uint32_t count;
} gap_dc_option_list_t;

/** This data centre's own address, then the others'. */
void gap_dc_list_options(const gap_dc_t *dc, gap_dc_option_list_t *out);
/** Push updateDcOptions to every key that gets updates. @return 0 or negative. */
GAP_NODISCARD int gap_dc_push_options(gap_dc_t *dc);

#endif
