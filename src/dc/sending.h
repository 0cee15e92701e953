/*
 * dc/sending.h - calls that create messages and whose answer is still on its way: the same
 * random_id to the same peer meanwhile gets 500 RANDOM_ID_DUPLICATE, afterwards the first message.
 */
#ifndef GAP_DC_SENDING_H
#define GAP_DC_SENDING_H

#include "dc/limits.h"
#include "dc/model.h"

/** Zero-initialise; no resources. When full the oldest is forgotten. */
typedef struct gap_dc_sending {
    struct {
        int64_t account;
        dc_peer_t peer;
        int64_t random_id;
        uint64_t until_us;
    } calls[GAP_DC_SENDING_MAX];
    uint32_t next;
} gap_dc_sending_t;

/** Is this account's call with this random_id to this peer still running? */
bool gap_dc_sending_has(const gap_dc_sending_t *s, int64_t account, dc_peer_t peer,
                        int64_t random_id, uint64_t now_us);
/** One was executed; its answer goes out at @p until_us. */
void gap_dc_sending_add(gap_dc_sending_t *s, int64_t account, dc_peer_t peer, int64_t random_id,
                        uint64_t until_us);

#endif
