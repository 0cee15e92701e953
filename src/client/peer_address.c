/*
 * client/peer_address.c - how to address a peer, and what that looks like in a request.
 *
 *   self -> inputPeerSelf       hash of a full object -> inputPeerUser, inputPeerChannel
 *   basic group -> inputPeerChat
 *   seen in part: a person says in which message (inputPeerUserFromMessage ...), a bot says hash 0
 *
 * Owns nothing. A chat is named only if it can be addressed itself without another message.
 */
#include "client/peer_book.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>

_Static_assert(4 + 20 + 4 + 8 <= 64, "the longest InputPeer fits");

/* By hash or id alone. @return false: not known well enough. */
static bool plain(const struct client_book *b, gap_peer_t peer, int64_t *hash)
{
    gap_engine_peer_t known;

    *hash = 0;
    if (peer.kind == GAP_PEER_CHAT) return true;
    if (b->engine == NULL || !gap_engine_peer(b->engine, peer, &known)) return false;
    if (!known.has_hash || known.min) return false;
    *hash = known.access_hash;
    return true;
}

static bool is_self(const struct client_book *b, gap_peer_t peer)
{
    return peer.kind == GAP_PEER_USER && peer.id == b->self_id;
}

/* By the message that it was seen in. */
static bool seen(const struct client_book *b, struct client_address *a)
{
    struct client_context where;

    if (b->bot || !client_contexts_get(&b->contexts, a->peer, &where)) return false;
    a->chat_is_self = is_self(b, where.chat);
    if (!a->chat_is_self && !plain(b, where.chat, &a->chat_hash)) return false;
    a->how = CLIENT_ADDRESS_SEEN;
    a->chat = where.chat;
    a->msg_id = where.msg_id;
    return true;
}

int client_book_address(const struct client_book *b, gap_peer_t peer, struct client_address *out)
{
    struct client_address a = {.how = CLIENT_ADDRESS_PLAIN, .peer = peer};
    gap_engine_peer_t known;

    if (peer.id <= 0 || peer.kind < GAP_PEER_USER || peer.kind > GAP_PEER_CHANNEL)
        return GAP_E_ARGUMENT;
    if (is_self(b, peer)) {
        a.how = CLIENT_ADDRESS_SELF;
    } else if (!plain(b, peer, &a.access_hash) && !seen(b, &a)) {
        if (!b->bot || b->engine == NULL || !gap_engine_peer(b->engine, peer, &known))
            return GAP_E_NOT_FOUND;
        a.how = CLIENT_ADDRESS_ZERO;
    }
    *out = a;
    return 0;
}

/* ---- in requests ---- */

static size_t put_id(uint8_t *at, uint32_t id, int64_t peer_id)
{
    gap_store32(at, id);
    gap_store64(at + 4, (uint64_t)peer_id);
    return 12;
}

static size_t put_hashed(uint8_t *at, uint32_t id, int64_t peer_id, int64_t hash)
{
    size_t len = put_id(at, id, peer_id);

    gap_store64(at + len, (uint64_t)hash);
    return len + 8;
}

static size_t put_plain(uint8_t *at, gap_peer_t peer, int64_t hash)
{
    if (peer.kind == GAP_PEER_CHAT) return put_id(at, GAP_TL_INPUT_PEER_CHAT, peer.id);
    bool user = peer.kind == GAP_PEER_USER;
    return put_hashed(at, user ? GAP_TL_INPUT_PEER_USER : GAP_TL_INPUT_PEER_CHANNEL, peer.id, hash);
}

/* How constructors of InputPeer, InputUser and InputChannel are called. Their fields are alike. */
struct forms {
    uint32_t self;
    uint32_t hashed;
    uint32_t seen;
};

static void put(const struct client_address *a, const struct forms *f, uint8_t storage[64],
                gap_tl_object_t *out)
{
    uint8_t *at = storage;
    size_t len;

    switch (a->how) {
    case CLIENT_ADDRESS_SELF:
        gap_store32(at, f->self);
        len = 4;
        break;
    case CLIENT_ADDRESS_SEEN:
        gap_store32(at, f->seen);
        len = 4;
        if (a->chat_is_self) {
            gap_store32(at + len, GAP_TL_INPUT_PEER_SELF);
            len += 4;
        } else {
            len += put_plain(at + len, a->chat, a->chat_hash);
        }
        gap_store32(at + len, (uint32_t)a->msg_id);
        gap_store64(at + len + 4, (uint64_t)a->peer.id);
        len += 12;
        break;
    default:
        len = put_hashed(at, f->hashed, a->peer.id, a->access_hash);
    }
    *out = (gap_tl_object_t){storage, len, NULL, gap_load32(storage)};
}

void client_address_peer(const struct client_address *a, uint8_t storage[64], gap_tl_object_t *out)
{
    static const struct forms user = {GAP_TL_INPUT_PEER_SELF, GAP_TL_INPUT_PEER_USER,
                                      GAP_TL_INPUT_PEER_USER_FROM_MESSAGE};
    static const struct forms channel = {0, GAP_TL_INPUT_PEER_CHANNEL,
                                         GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE};

    if (a->peer.kind == GAP_PEER_CHAT) {
        size_t len = put_plain(storage, a->peer, 0);
        *out = (gap_tl_object_t){storage, len, NULL, GAP_TL_INPUT_PEER_CHAT};
        return;
    }
    put(a, a->peer.kind == GAP_PEER_USER ? &user : &channel, storage, out);
}

void client_address_bare(const struct client_address *a, uint8_t storage[64], gap_tl_object_t *out)
{
    static const struct forms user = {GAP_TL_INPUT_USER_SELF, GAP_TL_INPUT_USER,
                                      GAP_TL_INPUT_USER_FROM_MESSAGE};
    static const struct forms channel = {0, GAP_TL_INPUT_CHANNEL,
                                         GAP_TL_INPUT_CHANNEL_FROM_MESSAGE};

    put(a, a->peer.kind == GAP_PEER_USER ? &user : &channel, storage, out);
}
