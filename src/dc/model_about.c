/*
 * dc/model_about.c - what a request is about, read from its bytes alone: which chat, which message,
 * which random_id. For whoever has to count or write down calls without answering them.
 *
 * Owns nothing. Never: looks whether there is such a chat or message.
 */
#include "dc/model.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <string.h>

static dc_peer_t peer_of(gap_tl_object_t peer)
{
    union {
        gap_tl_input_peer_user_t user;
        gap_tl_input_peer_chat_t chat;
        gap_tl_input_peer_channel_t channel;
        gap_tl_input_channel_t input;
        gap_tl_input_peer_user_from_message_t user_from;
        gap_tl_input_peer_channel_from_message_t channel_from;
        gap_tl_input_channel_from_message_t input_from;
    } in;
    dc_peer_t nobody = {DC_NOBODY, 0};

#define NAMED(constructor, member, type, id)                                                       \
    (GAP_TL_READ(peer, constructor, &in.member) < 0 ? nobody : (dc_peer_t){type, in.member.id})
    switch (peer.id) {
    case GAP_TL_INPUT_PEER_USER:
        return NAMED(GAP_TL_INPUT_PEER_USER, user, DC_USER, user_id);
    case GAP_TL_INPUT_PEER_CHAT:
        return NAMED(GAP_TL_INPUT_PEER_CHAT, chat, DC_CHAT, chat_id);
    case GAP_TL_INPUT_PEER_CHANNEL:
        return NAMED(GAP_TL_INPUT_PEER_CHANNEL, channel, DC_CHANNEL, channel_id);
    case GAP_TL_INPUT_CHANNEL:
        return NAMED(GAP_TL_INPUT_CHANNEL, input, DC_CHANNEL, channel_id);
    case GAP_TL_INPUT_PEER_USER_FROM_MESSAGE:
        return NAMED(GAP_TL_INPUT_PEER_USER_FROM_MESSAGE, user_from, DC_USER, user_id);
    case GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE:
        return NAMED(GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE, channel_from, DC_CHANNEL, channel_id);
    case GAP_TL_INPUT_CHANNEL_FROM_MESSAGE:
        return NAMED(GAP_TL_INPUT_CHANNEL_FROM_MESSAGE, input_from, DC_CHANNEL, channel_id);
    default:
        return nobody;
    }
#undef NAMED
}

static void add_random_id(dc_about_t *out, int64_t random_id)
{
    if (random_id != 0 && out->random_count < DC_FORWARD_MAX)
        out->random_ids[out->random_count++] = random_id;
}

static void about_forward(gap_bytes_t method, dc_about_t *out)
{
    gap_tl_messages_forward_messages_t q;
    int64_t random_id;

    if (gap_tl_read(method, GAP_TL_MESSAGES_FORWARD_MESSAGES, &q, sizeof q) < 0) return;
    out->peer = peer_of(q.to_peer);
    gap_tl_iter_t it = gap_tl_iter(q.random_id);
    while (gap_tl_next_long(&it, &random_id) > 0) add_random_id(out, random_id);
}

static void about_message(gap_bytes_t method, uint32_t id, dc_about_t *out)
{
    union {
        gap_tl_messages_edit_message_t edit;
        gap_tl_messages_update_pinned_message_t pin;
        gap_tl_messages_send_reaction_t react;
    } q;

    switch (id) {
    case GAP_TL_MESSAGES_EDIT_MESSAGE:
        if (gap_tl_read(method, id, &q.edit, sizeof q.edit) < 0) return;
        out->peer = peer_of(q.edit.peer);
        out->id = q.edit.id;
        return;
    case GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE:
        if (gap_tl_read(method, id, &q.pin, sizeof q.pin) < 0) return;
        out->peer = peer_of(q.pin.peer);
        out->id = q.pin.id;
        return;
    case GAP_TL_MESSAGES_SEND_REACTION:
        if (gap_tl_read(method, id, &q.react, sizeof q.react) < 0) return;
        out->peer = peer_of(q.react.peer);
        out->id = q.react.msg_id;
        return;
    default:
        return;
    }
}

static void about_chat(gap_bytes_t method, uint32_t id, dc_about_t *out)
{
    union {
        gap_tl_messages_read_history_t read;
        gap_tl_channels_read_history_t channel_read;
        gap_tl_channels_delete_messages_t del;
        gap_tl_messages_set_typing_t typing;
        gap_tl_messages_get_history_t history;
    } q;

    switch (id) {
    case GAP_TL_MESSAGES_READ_HISTORY:
        if (gap_tl_read(method, id, &q.read, sizeof q.read) < 0) return;
        out->peer = peer_of(q.read.peer);
        out->max_id = q.read.max_id;
        return;
    case GAP_TL_CHANNELS_READ_HISTORY:
        if (gap_tl_read(method, id, &q.channel_read, sizeof q.channel_read) < 0) return;
        out->peer = peer_of(q.channel_read.channel);
        out->max_id = q.channel_read.max_id;
        return;
    case GAP_TL_CHANNELS_DELETE_MESSAGES:
        if (gap_tl_read(method, id, &q.del, sizeof q.del) < 0) return;
        out->peer = peer_of(q.del.channel);
        return;
    case GAP_TL_MESSAGES_SET_TYPING:
        if (gap_tl_read(method, id, &q.typing, sizeof q.typing) < 0) return;
        out->peer = peer_of(q.typing.peer);
        return;
    case GAP_TL_MESSAGES_GET_HISTORY:
        if (gap_tl_read(method, id, &q.history, sizeof q.history) < 0) return;
        out->peer = peer_of(q.history.peer);
        return;
    default:
        return;
    }
}

/** Questions about a channel; they are no calls into its chat. */
static int64_t asked_channel(gap_bytes_t method, uint32_t id)
{
    union {
        gap_tl_updates_get_channel_difference_t difference;
        gap_tl_channels_get_full_channel_t full;
        gap_tl_channels_get_messages_t messages;
    } q;

    switch (id) {
    case GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE:
        if (gap_tl_read(method, id, &q.difference, sizeof q.difference) < 0) return 0;
        return peer_of(q.difference.channel).id;
    case GAP_TL_CHANNELS_GET_FULL_CHANNEL:
        if (gap_tl_read(method, id, &q.full, sizeof q.full) < 0) return 0;
        return peer_of(q.full.channel).id;
    case GAP_TL_CHANNELS_GET_MESSAGES:
        if (gap_tl_read(method, id, &q.messages, sizeof q.messages) < 0) return 0;
        return peer_of(q.messages.channel).id;
    default:
        return 0;
    }
}

static void about_any(gap_bytes_t method, uint32_t id, dc_about_t *out)
{
    union {
        gap_tl_messages_send_message_t message;
        gap_tl_messages_send_media_t media;
    } q;

    switch (id) {
    case GAP_TL_MESSAGES_SEND_MESSAGE:
        if (gap_tl_read(method, id, &q.message, sizeof q.message) < 0) return;
        out->peer = peer_of(q.message.peer);
        add_random_id(out, q.message.random_id);
        return;
    case GAP_TL_MESSAGES_SEND_MEDIA:
        if (gap_tl_read(method, id, &q.media, sizeof q.media) < 0) return;
        out->peer = peer_of(q.media.peer);
        add_random_id(out, q.media.random_id);
        return;
    case GAP_TL_MESSAGES_FORWARD_MESSAGES:
        about_forward(method, out);
        return;
    case GAP_TL_MESSAGES_EDIT_MESSAGE:
    case GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE:
    case GAP_TL_MESSAGES_SEND_REACTION:
        about_message(method, id, out);
        return;
    default:
        about_chat(method, id, out);
        return;
    }
}

void dc_about(gap_bytes_t method, dc_about_t *out)
{
    uint32_t id = method.len < 4 ? 0 : gap_load32(method.data);

    out->peer = (dc_peer_t){DC_NOBODY, 0};
    out->id = out->max_id = 0;
    out->random_count = 0;
    about_any(method, id, out);
    out->channel = out->peer.type == DC_CHANNEL ? out->peer.id : asked_channel(method, id);
}
