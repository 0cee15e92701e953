/*
 * dc/model_call.c - which method is answered by what, and how the peers in a request are
 * understood.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl.h>
#include <gapless/tl_api.h>
#include <string.h>

struct method {
    uint32_t id;
    int (*answer)(dc_call_t *c);
};

static const struct method methods[] = {
    {GAP_TL_UPDATES_GET_STATE, dc_get_state},
    {GAP_TL_UPDATES_GET_DIFFERENCE, dc_get_difference},
    {GAP_TL_UPDATES_GET_CHANNEL_DIFFERENCE, dc_get_channel_difference},
    {GAP_TL_MESSAGES_SEND_MESSAGE, dc_send_message},
    {GAP_TL_MESSAGES_SEND_MEDIA, dc_send_media},
    {GAP_TL_MESSAGES_FORWARD_MESSAGES, dc_forward_messages},
    {GAP_TL_MESSAGES_SEND_REACTION, dc_send_reaction},
    {GAP_TL_MESSAGES_EDIT_MESSAGE, dc_edit_message},
    {GAP_TL_MESSAGES_DELETE_MESSAGES, dc_delete_messages},
    {GAP_TL_CHANNELS_DELETE_MESSAGES, dc_channel_delete_messages},
    {GAP_TL_MESSAGES_READ_HISTORY, dc_read_history},
    {GAP_TL_CHANNELS_READ_HISTORY, dc_channel_read_history},
    {GAP_TL_MESSAGES_SET_TYPING, dc_set_typing},
    {GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, dc_pin_message},
    {GAP_TL_MESSAGES_SET_BOT_CALLBACK_ANSWER, dc_answer_callback},
    {GAP_TL_USERS_GET_FULL_USER, dc_get_full_user},
    {GAP_TL_CHANNELS_GET_FULL_CHANNEL, dc_get_full_channel},
    {GAP_TL_MESSAGES_GET_FULL_CHAT, dc_get_full_chat},
    {GAP_TL_MESSAGES_GET_HISTORY, dc_get_history},
    {GAP_TL_MESSAGES_GET_MESSAGES, dc_get_messages},
    {GAP_TL_CHANNELS_GET_MESSAGES, dc_channel_get_messages},
    {GAP_TL_CHANNELS_GET_CHANNELS, dc_get_channels},
    {GAP_TL_MESSAGES_GET_CHATS, dc_get_chats},
    {GAP_TL_USERS_GET_USERS, dc_get_users},
    {GAP_TL_MESSAGES_GET_DIALOGS, dc_get_dialogs},
    {GAP_TL_CONTACTS_RESOLVE_USERNAME, dc_resolve_username},
    {GAP_TL_CONTACTS_RESOLVE_PHONE, dc_resolve_phone},
};

void dc_answer_init(dc_answer_t *a, const gap_alloc_t *alloc)
{
    memset(a, 0, sizeof *a);
    gap_buf_init(&a->body, alloc);
    a->method = "";
}

void dc_answer_fini(dc_answer_t *a)
{
    if (a->body.alloc != NULL) gap_free(a->body.alloc, a->folded);
    a->folded = NULL;
    a->folded_count = a->folded_cap = 0;
    gap_buf_fini(&a->body);
}

static void answer_clear(dc_answer_t *a)
{
    gap_buf_clear(&a->body);
    a->error_code = 0;
    a->error = NULL;
    a->method = "";
    a->channel = 0;
    a->id = 0;
    a->first_n = 0;
    a->count = 0;
    a->range_count = 0;
    a->folded_count = 0;
}

int dc_fail(dc_call_t *c, int32_t code, const char *error)
{
    gap_buf_clear(&c->answer->body);
    c->answer->error_code = code;
    c->answer->error = error;
    c->answer->range_count = 0;
    c->answer->folded_count = 0;
    return DC_RPC_ERROR;
}

int dc_fail_read(dc_call_t *c)
{
    return dc_fail(c, 400, "INPUT_FETCH_ERROR");
}

int dc_model_call(dc_model_t *m, const dc_view_t *view, gap_bytes_t method, int64_t now_us,
                  dc_answer_t *answer)
{
    dc_call_t c = {m, view, dc_account_index(m, view->account), method, now_us, answer};

    GAP_ASSERT(c.account != DC_NONE);
    answer_clear(answer);
    if (method.len < 4) return dc_fail_read(&c);
    uint32_t id = gap_load32(method.data);
    const char *name = gap_tl_name(id);
    if (name != NULL) answer->method = name;
    for (size_t i = 0; i < GAP_ARRAY_LEN(methods); i++) {
        if (methods[i].id != id) continue;
        int r = dc_flood_check(&c, id);
        return r != 0 ? r : methods[i].answer(&c);
    }
    return DC_NOT_MINE;
}

/* --- peers in requests --------------------------------------------------------------------- */

/** Bots may leave the hash out. */
static bool hash_ok(const dc_call_t *c, dc_peer_type_t type, int64_t id, int64_t hash)
{
    if (hash == 0 && c->m->accounts[c->account].bot) return true;
    return hash == dc_hash_of(c->m, c->account, type, id);
}

static int find_named_channel(dc_call_t *c, gap_tl_object_t peer, int32_t id, int64_t channel,
                              uint32_t *out);

static int find_channel(dc_call_t *c, int64_t id, int64_t hash, uint32_t *out)
{
    uint32_t index = dc_channel_index(c->m, id);

    c->answer->channel = id;
    if (index == DC_NONE || !hash_ok(c, DC_CHANNEL, id, hash))
        return dc_fail(c, 400, "CHANNEL_INVALID");
    if (!dc_is_member(&c->m->chats[index], c->account)) return dc_fail(c, 400, "CHANNEL_PRIVATE");
    *out = index;
    return 0;
}

int dc_input_channel(dc_call_t *c, gap_tl_object_t channel, uint32_t *out)
{
    gap_tl_input_channel_t in;

    gap_tl_input_channel_from_message_t named;

    if (channel.id == GAP_TL_INPUT_CHANNEL_FROM_MESSAGE) {
        if (GAP_TL_READ(channel, GAP_TL_INPUT_CHANNEL_FROM_MESSAGE, &named) < 0)
            return dc_fail_read(c);
        return find_named_channel(c, named.peer, named.msg_id, named.channel_id, out);
    }
    if (channel.id != GAP_TL_INPUT_CHANNEL) return dc_fail(c, 400, "CHANNEL_INVALID");
    if (GAP_TL_READ(channel, GAP_TL_INPUT_CHANNEL, &in) < 0) return dc_fail_read(c);
    return find_channel(c, in.channel_id, in.access_hash, out);
}

/** The message by which a request names a peer that it has no hash of. */
static int find_message(dc_call_t *c, gap_tl_object_t peer, int32_t id, const struct dc_rec **out)
{
    uint32_t chat = DC_NONE;

    /* One is enough: there is no end to messages that name messages. */
    if (peer.id == GAP_TL_INPUT_PEER_USER_FROM_MESSAGE ||
        peer.id == GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE)
        return dc_fail(c, 400, "PEER_ID_INVALID");
    int r = dc_input_peer(c, peer, &chat);
    if (r != 0) return r;
    const struct dc_msg *msg = dc_msg_in(c->m, chat, id);
    if (msg == NULL) return dc_fail(c, 400, "MSG_ID_INVALID");
    *out = dc_rec_at(c->m, msg->new_n);
    return 0;
}

/** A user who wrote that message, or whose chat it is in. */
static int find_named_user(dc_call_t *c, gap_tl_object_t peer, int32_t id, int64_t user,
                           uint32_t *out)
{
    const struct dc_rec *rec = NULL;
    int r = find_message(c, peer, id, &rec);

    if (r != 0) return r;
    *out = dc_user_index(c->m, user);
    if (*out != DC_NONE && (*out == rec->from || *out == c->m->chats[rec->chat].user)) return 0;
    return dc_fail(c, 400, "PEER_ID_INVALID");
}

/** The channel that the message is in. */
static int find_named_channel(dc_call_t *c, gap_tl_object_t peer, int32_t id, int64_t channel,
                              uint32_t *out)
{
    const struct dc_rec *rec = NULL;
    int r = find_message(c, peer, id, &rec);

    if (r != 0) return r;
    *out = dc_channel_index(c->m, channel);
    if (*out != DC_NONE && *out == rec->chat) return 0;
    return dc_fail(c, 400, "CHANNEL_INVALID");
}

static int private_with(dc_call_t *c, uint32_t user, uint32_t *out)
{
    const dc_model_t *m = c->m;

    if (user < m->options.users) return dc_private_chat(c->m, c->account, user, out);
    return m->accounts[user - m->options.users].bot ? dc_fail(c, 400, "USER_IS_BOT")
                                                    : dc_fail(c, 403, "USER_PRIVACY_RESTRICTED");
}

static int find_private(dc_call_t *c, int64_t id, int64_t hash, uint32_t *out)
{
    uint32_t user = dc_user_index(c->m, id);

    if (user == DC_NONE || !hash_ok(c, DC_USER, id, hash))
        return dc_fail(c, 400, "PEER_ID_INVALID");
    return private_with(c, user, out);
}

/** inputPeerUserFromMessage and inputPeerChannelFromMessage. */
static int find_named_peer(dc_call_t *c, gap_tl_object_t peer, uint32_t *out)
{
    gap_tl_input_peer_user_from_message_t user;
    gap_tl_input_peer_channel_from_message_t channel;
    uint32_t index = DC_NONE;

    if (peer.id == GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE) {
        if (GAP_TL_READ(peer, GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE, &channel) < 0)
            return dc_fail_read(c);
        return find_named_channel(c, channel.peer, channel.msg_id, channel.channel_id, out);
    }
    if (GAP_TL_READ(peer, GAP_TL_INPUT_PEER_USER_FROM_MESSAGE, &user) < 0) return dc_fail_read(c);
    int r = find_named_user(c, user.peer, user.msg_id, user.user_id, &index);
    return r != 0 ? r : private_with(c, index, out);
}

int dc_input_peer(dc_call_t *c, gap_tl_object_t peer, uint32_t *out)
{
    union {
        gap_tl_input_peer_user_t user;
        gap_tl_input_peer_chat_t chat;
        gap_tl_input_peer_channel_t channel;
    } in;

    switch (peer.id) {
    case GAP_TL_INPUT_PEER_USER:
        if (GAP_TL_READ(peer, GAP_TL_INPUT_PEER_USER, &in.user) < 0) return dc_fail_read(c);
        return find_private(c, in.user.user_id, in.user.access_hash, out);
    case GAP_TL_INPUT_PEER_CHANNEL:
        if (GAP_TL_READ(peer, GAP_TL_INPUT_PEER_CHANNEL, &in.channel) < 0) return dc_fail_read(c);
        return find_channel(c, in.channel.channel_id, in.channel.access_hash, out);
    case GAP_TL_INPUT_PEER_CHAT:
        if (GAP_TL_READ(peer, GAP_TL_INPUT_PEER_CHAT, &in.chat) < 0) return dc_fail_read(c);
        *out = dc_group_index(c->m, c->account, in.chat.chat_id);
        return *out == DC_NONE ? dc_fail(c, 400, "CHAT_ID_INVALID") : 0;
    case GAP_TL_INPUT_PEER_USER_FROM_MESSAGE:
    case GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE:
        return find_named_peer(c, peer, out);
    default:
        return dc_fail(c, 400, "PEER_ID_INVALID");
    }
}

int dc_input_user(dc_call_t *c, gap_tl_object_t user, uint32_t *out)
{
    gap_tl_input_user_from_message_t named;
    gap_tl_input_user_t in;

    *out = DC_NONE;
    if (user.id == GAP_TL_INPUT_USER_SELF) {
        *out = c->m->options.users + c->account;
        return 0;
    }
    if (user.id == GAP_TL_INPUT_USER_FROM_MESSAGE) {
        if (GAP_TL_READ(user, GAP_TL_INPUT_USER_FROM_MESSAGE, &named) < 0) return dc_fail_read(c);
        return find_named_user(c, named.peer, named.msg_id, named.user_id, out);
    }
    if (user.id != GAP_TL_INPUT_USER) return dc_fail(c, 400, "USER_ID_INVALID");
    if (GAP_TL_READ(user, GAP_TL_INPUT_USER, &in) < 0) return dc_fail_read(c);
    *out = dc_user_index(c->m, in.user_id);
    if (*out == DC_NONE || !hash_ok(c, DC_USER, in.user_id, in.access_hash))
        return dc_fail(c, 400, "USER_ID_INVALID");
    return 0;
}

/** Ids of a Vector<int>; at most DC_IDS_MAX. */
int dc_input_ids(dc_call_t *c, gap_tl_vector_t vector, int32_t *ids, uint32_t *out_count)
{
    gap_tl_iter_t it = gap_tl_iter(vector);
    uint32_t count = 0;
    int32_t id;
    int r;

    while ((r = gap_tl_next_int(&it, &id)) > 0) {
        if (count == DC_IDS_MAX) return dc_fail(c, 400, "LIMIT_INVALID");
        ids[count++] = id;
    }
    if (r < 0) return dc_fail_read(c);
    *out_count = count;
    return 0;
}
