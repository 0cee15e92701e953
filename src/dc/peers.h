/*
 * dc/peers.h - the table of data centres: which others there are, and where. Pure. A data centre
 * never connects to another; it only tells clients of them.
 */
#ifndef GAP_DC_PEERS_H
#define GAP_DC_PEERS_H

#include "dc/limits.h"
#include "env/env.h"

#define GAP_DC_PEER_TEXT 80U  /* bytes of the longest written address, NUL included */
#define GAP_DC_ID_MAX    1000 /* of a data centre; the least is 1 */

/** One address of a data centre. */
typedef struct gap_dc_peer {
    int32_t id;
    gap_addr_t addr;
    bool is_media; /* for files only */
} gap_dc_peer_t;

/** Zero-initialise; no resources. In the order in which clients are to try them. */
typedef struct gap_dc_peers {
    gap_dc_peer_t list[GAP_DC_PEERS_MAX];
    uint32_t count;
} gap_dc_peers_t;

/**
 * Read ID=HOST:PORT or ID=HOST:PORT,media; HOST is numeric, IPv6 in brackets.
 * @return 0; GAP_E_ARGUMENT it is nothing of the kind.
 */
GAP_NODISCARD int gap_dc_peer_parse(gap_bytes_t text, gap_dc_peer_t *out);

bool gap_dc_peer_equal(const gap_dc_peer_t *a, const gap_dc_peer_t *b);
/** Is it 0.0.0.0 or ::, good for listening only? */
bool gap_dc_peer_is_anywhere(const gap_addr_t *addr);
/** Write an address down as gap_dc_peer_parse reads it. @return its length; @p cap suffices if it
 * is GAP_DC_PEER_TEXT. */
size_t gap_dc_peer_format(const gap_dc_peer_t *peer, char *out, size_t cap);

/** Append an address; one that is there already stays as it is. @return 0; GAP_E_LIMIT. */
GAP_NODISCARD int gap_dc_peers_add(gap_dc_peers_t *peers, const gap_dc_peer_t *peer);
/** Put an address in the place of the first one at or behind @p from of the same data centre,
 * family and kind, or append it. @return 0; GAP_E_LIMIT. */
GAP_NODISCARD int gap_dc_peers_replace(gap_dc_peers_t *peers, uint32_t from,
                                       const gap_dc_peer_t *peer);
/** Take all addresses of a data centre out. @return whether there were any. */
bool gap_dc_peers_drop(gap_dc_peers_t *peers, int32_t id);
/** Is there an address of this data centre that is good for everything? */
bool gap_dc_peers_has(const gap_dc_peers_t *peers, int32_t id);
bool gap_dc_peers_equal(const gap_dc_peers_t *a, const gap_dc_peers_t *b);

/**
 * Add what a file says: one address a line, # begins a comment; a later line takes the place of an
 * earlier one of the same data centre, family and kind.
 * @param own  Id of the data centre that reads: lines that say where it is itself are passed over.
 * @param error  On failure one line: which line is wrong, and what would be right.
 * @return 0; GAP_E_ARGUMENT; GAP_E_LIMIT more addresses than a table holds.
 */
GAP_NODISCARD int gap_dc_peers_read(gap_dc_peers_t *peers, gap_bytes_t text, int32_t own,
                                    char *error, size_t error_cap);

#endif
