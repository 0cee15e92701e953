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
        if (methods[i].id == id) return methods[i].answer(&c);
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

    if (channel.id != GAP_TL_INPUT_CHANNEL) return dc_fail(c, 400, "CHANNEL_INVALID");
    if (GAP_TL_READ(channel, GAP_TL_INPUT_CHANNEL, &in) < 0) return dc_fail_read(c);
    return find_channel(c, in.channel_id, in.access_hash, out);
}

static int find_private(dc_call_t *c, int64_t id, int64_t hash, uint32_t *out)
{
    uint32_t user = dc_user_index(c->m, id);

    if (user == DC_NONE || !hash_ok(c, DC_USER, id, hash))
        return dc_fail(c, 400, "PEER_ID_INVALID");
    if (user >= c->m->options.users) return dc_fail(c, 400, "USER_IS_BOT");
    return dc_private_chat(c->m, c->account, user, out);
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
    default:
        return dc_fail(c, 400, "PEER_ID_INVALID");
    }
}

int dc_input_user(dc_call_t *c, gap_tl_object_t user, uint32_t *out)
{
    gap_tl_input_user_t in;

    *out = DC_NONE;
    if (user.id == GAP_TL_INPUT_USER_SELF) {
        *out = c->m->options.users + c->account;
        return 0;
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
