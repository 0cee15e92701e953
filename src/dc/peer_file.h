/*
 * dc/peer_file.h - the file in which data centres that are started one after the other tell each
 * other where they are. The program's part: it opens files.
 */
#ifndef GAP_DC_PEER_FILE_H
#define GAP_DC_PEER_FILE_H

#include "dc/peers.h"

#include <sys/stat.h>

#define GAP_DC_PEER_FILE_BYTES 65536U /* longer: refused */

/** Set name, own and given; the rest is zero. */
typedef struct gap_dc_peer_file {
    const char *name;
    int32_t own;          /* id of this data centre */
    gap_dc_peers_t given; /* the command line's, which come first */
    struct stat seen;     /* as it was when it was read */
} gap_dc_peer_file_t;

#define GAP_DC_PEER_FILE_SAME 1

/**
 * Read the file; one that is not there is empty.
 * @param always  Even if it has not changed.
 * @param out     The given ones, then the file's.
 * @param error   On failure one line: what is wrong and what to do.
 * @return 0; GAP_DC_PEER_FILE_SAME it has not changed since it was read, nothing is written;
 *         GAP_E_ARGUMENT, GAP_E_LIMIT, -errno.
 */
GAP_NODISCARD int gap_dc_peer_file_read(gap_dc_peer_file_t *f, bool always, gap_dc_peers_t *out,
                                        char *error, size_t error_cap);
/** Append where this data centre is, unless that is the file's last word about it.
 * @return 0; as gap_dc_peer_file_read. */
GAP_NODISCARD int gap_dc_peer_file_add(gap_dc_peer_file_t *f, const gap_addr_t *addr, char *error,
                                       size_t error_cap);

#endif
