/*
 * loops/engine_peers.c - what the engine knows about users, basic groups and channels, for those
 * who address them.
 *
 * Owns nothing: the table is the engine's. Never: asks.
 */
#include "loops/engine_internal.h"

bool gap_engine_peer(const gap_engine_t *e, gap_peer_t peer, gap_engine_peer_t *out)
{
    struct gap_peer_info info;

    if (!gap_peers_find(&e->peers, peer, &info)) return false;
    *out = (gap_engine_peer_t){
        .access_hash = info.access_hash,
        .has_hash = info.has_hash,
        .min = info.min,
        .forbidden = info.forbidden,
    };
    return true;
}

int gap_engine_know(gap_engine_t *e, gap_peer_t peer, int64_t access_hash, bool min)
{
    struct gap_peer_info info = {.min = min};

    if (peer.kind != GAP_PEER_CHAT) {
        info.access_hash = access_hash;
        info.has_hash = true;
    }
    return gap_peers_set(&e->peers, peer, &info);
}

int gap_engine_learn(gap_engine_t *e, gap_tl_vector_t users, gap_tl_vector_t chats)
{
    if (e->closing) return GAP_E_CLOSED;
    int r = gap_peers_learn(&e->peers, users);
    int q = gap_peers_learn(&e->peers, chats);
    return r < 0 ? r : q;
}

void gap_engine_tell_peers(gap_engine_t *e, gap_tl_vector_t users, gap_tl_vector_t chats)
{
    if (e->config.peers == NULL || (users.count == 0 && chats.count == 0)) return;
    e->config.peers(e->config.peers_data, users, chats);
}
