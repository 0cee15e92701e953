/*
 * client/reply.c - addressing peers, and answering a message.
 *
 * Owns nothing: access hashes are the engine's, which learns them from everything that arrives; the
 * book knows what to do about partial peers.
 */
#include "client/client.h"

#include "sequence/update.h"

#include <gapless/tl_api.h>

gap_client_t *gap_update_client(const gap_update_t *update)
{
    return update->account;
}

int gap_client_input_peer(gap_client_t *client, gap_peer_t peer,
                          uint8_t storage[GAP_INPUT_PEER_BYTES], gap_tl_object_t *out)
{
    struct client_address address;

    client_enter(client);
    int r = client_book_address(&client->book, peer, &address);
    if (r == 0) client_address_peer(&address, storage, out);
    return r;
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
