/*
 * outbox/peer_mark.c - a peer as one number, as people know it from elsewhere: a user's id, minus a
 * basic group's, minus 10^12 and a channel's. Pure.
 */
#include "outbox/sql.h"

#define CHANNEL INT64_C(1000000000000)
/* Ids of channels end before the numbers of basic groups and secret chats would begin. */
#define CHANNEL_MAX INT64_C(997852516352)
#define USER_MAX    ((INT64_C(1) << 52) - 1)

int64_t gap_outbox_mark(gap_peer_t peer)
{
    if (peer.kind == GAP_PEER_NONE || peer.id <= 0) return 0;
    if (peer.kind == GAP_PEER_USER) return peer.id <= USER_MAX ? peer.id : 0;
    if (peer.kind == GAP_PEER_CHAT) return peer.id < CHANNEL ? -peer.id : 0;
    if (peer.kind != GAP_PEER_CHANNEL) return 0;
    return peer.id <= CHANNEL_MAX ? -CHANNEL - peer.id : 0;
}

gap_peer_t gap_outbox_peer(int64_t mark)
{
    gap_peer_t peer = {0, GAP_PEER_NONE};

    if (mark > 0 && mark <= USER_MAX) {
        peer = (gap_peer_t){mark, GAP_PEER_USER};
    } else if (mark < 0 && mark > -CHANNEL) {
        peer = (gap_peer_t){-mark, GAP_PEER_CHAT};
    } else if (mark < -CHANNEL && mark >= -CHANNEL - CHANNEL_MAX) {
        peer = (gap_peer_t){-CHANNEL - mark, GAP_PEER_CHANNEL};
    }
    return peer;
}
