/*
 * dc/model_push.c - the Updates objects that are pushed: containers and the short forms.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "dc/model_int.h"

#include <gapless/tl_api.h>

#define SHORT_SALT 0x73686f7274000000U

/** A text of somebody whom the account has seen write in this chat, drawn for the short form? */
static bool wants_short(dc_model_t *m, const struct dc_rec *rec, uint32_t n)
{
    if (rec->kind != DC_NEW_MESSAGE || rec->box != DC_BOX_COMMON) return false;
    if (m->options.short_percent == 0 || (rec->flags & DC_R_POISON) != 0) return false;
    const struct dc_store *store = dc_store_of(m, &m->chats[rec->chat]);
    const struct dc_msg *msg = dc_msg_at(store, rec->id);
    struct dc_content content;
    dc_content_of(m, n, &content);
    if (content.media != DC_MEDIA_NONE || content.fwd_n != 0 || content.entity_count > 0 ||
        content.markup.len > 0)
        return false;
    if (msg->prev == 0) return false;
    const struct dc_rec *before = dc_rec_at(m, dc_msg_at(store, msg->prev)->new_n);
    if (m->chats[rec->chat].type == DC_CHAT && before->from != rec->from) return false;
    return gap_hash64(gap_hash64(m->options.seed ^ SHORT_SALT) ^ n) % 100 <
           m->options.short_percent;
}

/** updateShortMessage or updateShortChatMessage, whose flags are the same. */
static void put_short_message(dc_writer_t *w, const struct dc_rec *rec, uint32_t n)
{
    const struct dc_chat *chat = &w->m->chats[rec->chat];
    bool out = (rec->flags & DC_R_OUT) != 0;
    bool group = chat->type == DC_CHAT;

    dc_put32(w, group ? GAP_TL_UPDATE_SHORT_CHAT_MESSAGE : GAP_TL_UPDATE_SHORT_MESSAGE);
    dc_put32(w, out ? GAP_TL_UPDATE_SHORT_MESSAGE_F_OUT : 0);
    dc_put32(w, (uint32_t)rec->id);
    if (group) dc_put64(w, (uint64_t)dc_user_id(w->m, rec->from));
    dc_put64(w, (uint64_t)chat->id);
    dc_put_string(w, dc_text_of(w->m, n));
    dc_put32(w, (uint32_t)rec->pts);
    dc_put32(w, (uint32_t)rec->pts_count);
    dc_put32(w, (uint32_t)rec->date);
}

int dc_model_push(dc_model_t *m, const dc_view_t *view, const uint32_t *ns, size_t count,
                  gap_buf_t *out)
{
    uint32_t account = dc_account_index(m, view->account);
    bool seq = false;
    dc_writer_t w;

    GAP_ASSERT(account != DC_NONE);
    GAP_ASSERT(count >= 1);
    const struct dc_rec *rec = dc_rec_at(m, ns[count - 1]);
    dc_writer_init(&w, m, view, account, out);
    if (rec->kind == DC_STATUS) {
        GAP_ASSERT(count == 1);
        dc_put32(&w, GAP_TL_UPDATE_SHORT);
        dc_put_update(&w, ns[0], 0, 0);
        dc_put32(&w, (uint32_t)rec->date);
        return dc_writer_end(&w);
    }
    if (count == 1 && wants_short(m, rec, ns[0])) {
        put_short_message(&w, rec, ns[0]);
        return dc_writer_end(&w);
    }
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        const struct dc_rec *one = dc_rec_at(m, ns[i]);
        GAP_ASSERT(one->kind != DC_STATUS);
        seq |= one->box == DC_BOX_NONE;
        dc_put_update(&w, ns[i], one->pts, one->pts_count);
    }
    w.min_n = ns[0];
    dc_put_users(&w);
    dc_put_chats(&w);
    dc_put32(&w, (uint32_t)rec->date);
    dc_put32(&w, seq ? (uint32_t)view->seq + 1 : 0);
    int r = dc_writer_end(&w);
    return r < 0 ? r : seq ? DC_SEQ_USED : 0;
}

int dc_model_push_too_long(dc_model_t *m, const dc_view_t *view, int64_t channel, int64_t now_us,
                           gap_buf_t *out)
{
    uint32_t account = dc_account_index(m, view->account);
    uint32_t chat = dc_channel_index(m, channel);
    dc_writer_t w;

    if (account == DC_NONE || chat == DC_NONE) return GAP_E_NOT_FOUND;
    dc_writer_init(&w, m, view, account, out);
    dc_put32(&w, GAP_TL_UPDATES);
    dc_put32(&w, GAP_TL_VECTOR);
    dc_put32(&w, 1);
    dc_put_too_long(&w, chat);
    dc_put_users(&w);
    dc_put_chats(&w);
    dc_put32(&w, (uint32_t)dc_date(now_us));
    dc_put32(&w, 0);
    return dc_writer_end(&w);
}

int dc_model_self(dc_model_t *m, const dc_view_t *view, gap_buf_t *out)
{
    uint32_t account = dc_account_index(m, view->account);
    dc_writer_t w;

    if (account == DC_NONE) return GAP_E_NOT_FOUND;
    dc_writer_init(&w, m, view, account, out);
    dc_put_user(&w, m->options.users + account);
    return dc_writer_end(&w);
}
