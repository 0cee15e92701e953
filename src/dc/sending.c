/*
 * dc/sending.c - a ring of calls in flight. Owns nothing; time is an argument.
 */
#include "dc/sending.h"

bool gap_dc_sending_has(const gap_dc_sending_t *s, int64_t account, dc_peer_t peer,
                        int64_t random_id, uint64_t now_us)
{
    for (uint32_t i = 0; i < GAP_DC_SENDING_MAX; i++) {
        if (s->calls[i].random_id == random_id && s->calls[i].account == account &&
            s->calls[i].peer.id == peer.id && s->calls[i].peer.type == peer.type &&
            s->calls[i].until_us > now_us)
            return true;
    }
    return false;
}

void gap_dc_sending_add(gap_dc_sending_t *s, int64_t account, dc_peer_t peer, int64_t random_id,
                        uint64_t until_us)
{
    s->calls[s->next].account = account;
    s->calls[s->next].peer = peer;
    s->calls[s->next].random_id = random_id;
    s->calls[s->next].until_us = until_us;
    s->next = (s->next + 1) % GAP_DC_SENDING_MAX;
}
