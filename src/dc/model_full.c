/*
 * dc/model_full.c - the calls that tell all about one user, group or channel. Their constructors
 * changed with nearly every layer: who speaks an older one than FULL_LAYER is told that there is no
 * such method.
 */
#include "dc/model_int.h"

#include <gapless/tl_api.h>

#define FULL_LAYER 227

/* Append an object to be written. */
static void put_object(dc_writer_t *w, gap_tl_object_t object)
{
    int64_t n = gap_tl_size(object);

    if (w->result != 0) return;
    if (n < 0) {
        w->result = (int)n;
        return;
    }
    if (!dc_room(w, (size_t)n)) return;
    n = gap_tl_write(object, w->buf->data + w->buf->len, w->buf->cap - w->buf->len);
    if (n < 0)
        w->result = (int)n;
    else
        w->buf->len += (size_t)n;
}

static int too_old(dc_call_t *c)
{
    return dc_fail(c, 400, "METHOD_INVALID");
}

static const gap_tl_peer_notify_settings_t no_settings;

int dc_get_full_user(dc_call_t *c)
{
    gap_tl_users_get_full_user_t q;
    gap_tl_peer_settings_t settings = {0};
    gap_tl_user_full_t full = {0};
    uint32_t user;
    dc_writer_t w;

    if (c->view->layer < FULL_LAYER) return too_old(c);
    if (gap_tl_read(c->method, GAP_TL_USERS_GET_FULL_USER, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_user(c, q.id, &user);
    if (r != 0) return r;
    full.id = dc_user_id(c->m, user);
    full.settings = GAP_TL_OF(GAP_TL_PEER_SETTINGS, &settings);
    full.notify_settings = GAP_TL_OF(GAP_TL_PEER_NOTIFY_SETTINGS, &no_settings);
    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_USERS_USER_FULL);
    put_object(&w, GAP_TL_OF(GAP_TL_USER_FULL, &full));
    dc_see_user(&w, user);
    dc_put_chats(&w);
    dc_put_users(&w);
    return dc_writer_end(&w);
}

static int answer_chat_full(dc_call_t *c, uint32_t chat, gap_tl_object_t full)
{
    dc_writer_t w;

    dc_writer_init(&w, c->m, c->view, c->account, &c->answer->body);
    dc_put32(&w, GAP_TL_MESSAGES_CHAT_FULL);
    put_object(&w, full);
    dc_see_chat(&w, chat);
    dc_put_chats(&w);
    dc_put_users(&w);
    return dc_writer_end(&w);
}

int dc_get_full_channel(dc_call_t *c)
{
    gap_tl_channels_get_full_channel_t q;
    gap_tl_photo_empty_t photo = {0};
    gap_tl_channel_full_t full = {0};
    uint32_t index;

    if (c->view->layer < FULL_LAYER) return too_old(c);
    if (gap_tl_read(c->method, GAP_TL_CHANNELS_GET_FULL_CHANNEL, &q, sizeof q) < 0)
        return dc_fail_read(c);
    int r = dc_input_channel(c, q.channel, &index);
    if (r != 0) return r;
    const struct dc_chat *chat = &c->m->chats[index];
    full.flags = GAP_TL_CHANNEL_FULL_F_PARTICIPANTS_COUNT;
    full.id = chat->id;
    full.about = gap_str("");
    full.participants_count = (int32_t)(c->m->account_count - chat->left_count);
    full.read_inbox_max_id = chat->read_in;
    full.read_outbox_max_id = chat->read_out;
    full.chat_photo = GAP_TL_OF(GAP_TL_PHOTO_EMPTY, &photo);
    full.notify_settings = GAP_TL_OF(GAP_TL_PEER_NOTIFY_SETTINGS, &no_settings);
    full.bot_info = gap_tl_array(NULL, 0);
    full.pts = chat->log.pts;
    return answer_chat_full(c, index, GAP_TL_OF(GAP_TL_CHANNEL_FULL, &full));
}

int dc_get_full_chat(dc_call_t *c)
{
    gap_tl_messages_get_full_chat_t q;
    gap_tl_chat_participants_forbidden_t participants = {0};
    gap_tl_chat_full_t full = {0};

    if (c->view->layer < FULL_LAYER) return too_old(c);
    if (gap_tl_read(c->method, GAP_TL_MESSAGES_GET_FULL_CHAT, &q, sizeof q) < 0)
        return dc_fail_read(c);
    uint32_t index = dc_group_index(c->m, c->account, q.chat_id);
    if (index == DC_NONE) return dc_fail(c, 400, "CHAT_ID_INVALID");
    participants.chat_id = q.chat_id;
    full.id = q.chat_id;
    full.about = gap_str("");
    full.participants = GAP_TL_OF(GAP_TL_CHAT_PARTICIPANTS_FORBIDDEN, &participants);
    full.notify_settings = GAP_TL_OF(GAP_TL_PEER_NOTIFY_SETTINGS, &no_settings);
    return answer_chat_full(c, index, GAP_TL_OF(GAP_TL_CHAT_FULL, &full));
}
