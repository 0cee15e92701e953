/*
 * client/reply.c - addressing peers, and answering a message.
 *
 * Owns nothing: access hashes are the engine's, which learns them from everything that arrives.
 */
#include "client/client.h"

#include "base/bytes.h"
#include "sequence/update.h"

#include <gapless/tl_api.h>
#include <string.h>

gap_client_t *gap_update_client(const gap_update_t *update)
{
    return update->account;
}

static void store_peer(uint8_t storage[GAP_INPUT_PEER_BYTES], uint32_t id, gap_peer_t peer,
                       const int64_t *hash, gap_tl_object_t *out)
{
    size_t len = 12;

    gap_store32(storage, id);
    gap_store64(storage + 4, (uint64_t)peer.id);
    if (hash != NULL) {
        gap_store64(storage + 12, (uint64_t)*hash);
        len = 20;
    }
    *out = (gap_tl_object_t){storage, len, NULL, id};
}

int gap_client_input_peer(gap_client_t *client, gap_peer_t peer,
                          uint8_t storage[GAP_INPUT_PEER_BYTES], gap_tl_object_t *out)
{
    int64_t hash = 0;

    client_enter(client);
    if (peer.id <= 0) return GAP_E_ARGUMENT;
    switch (peer.kind) {
    case GAP_PEER_USER:
        if (peer.id == client->session.user_id) {
            gap_store32(storage, GAP_TL_INPUT_PEER_SELF);
            *out = (gap_tl_object_t){storage, 4, NULL, GAP_TL_INPUT_PEER_SELF};
            return 0;
        }
        break;
    case GAP_PEER_CHAT:
        store_peer(storage, GAP_TL_INPUT_PEER_CHAT, peer, NULL, out);
        return 0;
    case GAP_PEER_CHANNEL:
        break;
    default:
        return GAP_E_ARGUMENT;
    }
    if (client->engine == NULL || !gap_engine_access_hash(client->engine, peer, &hash))
        return GAP_E_NOT_FOUND;
    uint32_t id = peer.kind == GAP_PEER_USER ? GAP_TL_INPUT_PEER_USER : GAP_TL_INPUT_PEER_CHANNEL;
    store_peer(storage, id, peer, &hash, out);
    return 0;
}

int gap_reply(gap_update_t *update, const char *text, gap_call_cb callback, void *data)
{
    gap_client_t *c = gap_update_client(update);
    gap_message_t message;
    gap_tl_object_t peer;
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    uint64_t random_id = 0;

    if (c == NULL) return GAP_E_ARGUMENT;
    client_enter(c);
    int r = gap_message_read(update, &message);
    if (r < 0) return r;
    if (r == GAP_NO_MESSAGE || text[0] == 0 ||
        gap_utf16_length(gap_str(text)) > GAP_CLIENT_TEXT_MAX)
        return GAP_E_ARGUMENT;
    r = gap_client_input_peer(c, message.chat, storage, &peer);
    if (r < 0) return r;
    r = gap_env_random(c->env, &random_id, sizeof random_id);
    if (r < 0) return r;
    gap_tl_input_reply_to_message_t reply_to = {.reply_to_msg_id = message.id};
    gap_tl_messages_send_message_t query = {
        .flags = GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_TO,
        .peer = peer,
        .reply_to = GAP_TL_OF(GAP_TL_INPUT_REPLY_TO_MESSAGE, &reply_to),
        .message = gap_str(text),
        .random_id = (int64_t)random_id,
    };
    return gap_client_call(c, GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &query), callback, data);
}
