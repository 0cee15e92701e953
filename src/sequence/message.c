/*
 * sequence/message.c - the message inside an update: a walk over its head for the engine and the
 * peers, and the public view that handlers read.
 *
 * Reads no more than is asked for: the fields behind the text are walked only for an edit date or
 * for entities. Never trusts a length: the walk is bounded even where the bytes were checked
 * before.
 */
#include "sequence/update.h"
#include "sequence/walk.h"

#include <gapless/message.h>

/* The reply header up to the id; a reply into another chat counts as none. */
static int32_t walk_reply(struct gap_walk *w)
{
    if (!gap_walk_need(w, 4)) return 0;
    uint32_t id = gap_load32(w->at);
    gap_bytes_t object = gap_walk_object(w);
    if (w->error < 0 || id != GAP_TL_MESSAGE_REPLY_HEADER) return 0;
    struct gap_walk r = gap_walk(object, 4);
    uint32_t flags = gap_walk_u32(&r);
    if ((flags & GAP_TL_MESSAGE_REPLY_HEADER_F_REPLY_TO_PEER_ID) != 0) return 0;
    if ((flags & GAP_TL_MESSAGE_REPLY_HEADER_F_REPLY_TO_MSG_ID) == 0) return 0;
    int32_t reply_to = gap_walk_i32(&r);
    if (r.error < 0) gap_walk_fail(w, r.error);
    return reply_to;
}

static gap_peer_t walk_forward(struct gap_walk *w)
{
    gap_peer_t peer = {0, GAP_PEER_NONE};
    gap_bytes_t object = gap_walk_object(w);
    if (w->error < 0) return peer;
    struct gap_walk f = gap_walk(object, 4);
    uint32_t flags = gap_walk_u32(&f);
    if ((flags & GAP_TL_MESSAGE_FWD_HEADER_F_FROM_ID) != 0) peer = gap_walk_peer(&f);
    if (f.error < 0) gap_walk_fail(w, f.error);
    return peer;
}

static void head_empty(struct gap_walk *w, struct gap_message_head *h)
{
    h->flags = gap_walk_u32(w);
    h->message_id = gap_walk_i32(w);
    if ((h->flags & GAP_TL_MESSAGE_EMPTY_F_PEER_ID) != 0) h->peer = gap_walk_peer(w);
}

static void head_service(struct gap_walk *w, struct gap_message_head *h)
{
    h->flags = gap_walk_u32(w);
    h->message_id = gap_walk_i32(w);
    if ((h->flags & GAP_TL_MESSAGE_SERVICE_F_FROM_ID) != 0) h->from = gap_walk_peer(w);
    h->peer = gap_walk_peer(w);
    if ((h->flags & GAP_TL_MESSAGE_SERVICE_F_SAVED_PEER_ID) != 0) (void)gap_walk_peer(w);
    if ((h->flags & GAP_TL_MESSAGE_SERVICE_F_REPLY_TO) != 0) h->reply_to = walk_reply(w);
    h->date = gap_walk_i32(w);
}

/* Up to peer_id: what the engine needs of every message. */
static void head_chat(struct gap_walk *w, struct gap_message_head *h)
{
    h->flags = gap_walk_u32(w);
    h->flags2 = gap_walk_u32(w);
    h->message_id = gap_walk_i32(w);
    if ((h->flags & GAP_TL_MESSAGE_F_FROM_ID) != 0) h->from = gap_walk_peer(w);
    if ((h->flags & GAP_TL_MESSAGE_F_FROM_BOOSTS_APPLIED) != 0) gap_walk_skip(w, 4);
    if ((h->flags2 & GAP_TL_MESSAGE_F2_FROM_RANK) != 0) (void)gap_walk_bytes(w);
    h->peer = gap_walk_peer(w);
}

static void head_text(struct gap_walk *w, struct gap_message_head *h)
{
    if ((h->flags & GAP_TL_MESSAGE_F_SAVED_PEER_ID) != 0) (void)gap_walk_peer(w);
    if ((h->flags & GAP_TL_MESSAGE_F_FWD_FROM) != 0) h->forward = walk_forward(w);
    if ((h->flags & GAP_TL_MESSAGE_F_VIA_BOT_ID) != 0) h->via_bot = gap_walk_i64(w);
    if ((h->flags2 & GAP_TL_MESSAGE_F2_VIA_BUSINESS_BOT_ID) != 0) gap_walk_skip(w, 8);
    if ((h->flags2 & GAP_TL_MESSAGE_F2_GUESTCHAT_VIA_FROM) != 0) (void)gap_walk_peer(w);
    if ((h->flags & GAP_TL_MESSAGE_F_REPLY_TO) != 0) h->reply_to = walk_reply(w);
    h->date = gap_walk_i32(w);
    h->text = gap_walk_bytes(w);
}

/* Member by member: zeroing the struct as a whole costs as much as the walk. */
static inline void head_init(struct gap_walk *w, struct gap_message_head *h)
{
    static const gap_peer_t nobody = {0, GAP_PEER_NONE};

    h->id = gap_walk_u32(w);
    h->flags = 0;
    h->flags2 = 0;
    h->message_id = 0;
    h->date = 0;
    h->reply_to = 0;
    h->via_bot = 0;
    h->from = nobody;
    h->peer = nobody;
    h->forward = nobody;
    h->text.data = NULL;
    h->text.len = 0;
}

/* @return false: it is of another shape, or malformed; the walk has not moved. */
static inline bool start_plain(struct gap_walk *w, struct gap_message_head *h)
{
    const uint8_t *p = w->at;
    size_t end = gap_message_plain(gap_bytes(p, (size_t)(w->end - p)), &h->from, &h->peer);

    if (end == 0) return false;
    h->id = GAP_TL_MESSAGE;
    h->flags = gap_load32(p + 4);
    h->flags2 = gap_load32(p + 8);
    h->message_id = (int32_t)gap_load32(p + 12);
    h->date = 0;
    h->forward = (gap_peer_t){0, GAP_PEER_NONE};
    h->via_bot = 0;
    h->reply_to = 0;
    h->text = (gap_bytes_t){NULL, 0};
    w->at = p + end;
    return true;
}

/* What may stand between the chat and the date. */
#define SELDOM                                                                                     \
    (GAP_TL_MESSAGE_F_SAVED_PEER_ID | GAP_TL_MESSAGE_F_FWD_FROM | GAP_TL_MESSAGE_F_VIA_BOT_ID |    \
     GAP_TL_MESSAGE_F_REPLY_TO)
#define SELDOM_2 (GAP_TL_MESSAGE_F2_VIA_BUSINESS_BOT_ID | GAP_TL_MESSAGE_F2_GUESTCHAT_VIA_FROM)

int gap_message_head(struct gap_walk *w, struct gap_message_head *out)
{
    if (start_plain(w, out)) {
        if ((out->flags & SELDOM) == 0 && (out->flags2 & SELDOM_2) == 0) {
            out->date = gap_walk_i32(w);
            out->text = gap_walk_bytes(w);
        } else {
            head_text(w, out);
        }
        return w->error;
    }
    head_init(w, out);
    switch (out->id) {
    case GAP_TL_MESSAGE:
        head_chat(w, out);
        head_text(w, out);
        break;
    case GAP_TL_MESSAGE_SERVICE:
        head_service(w, out);
        break;
    case GAP_TL_MESSAGE_EMPTY:
        head_empty(w, out);
        break;
    default:
        gap_walk_fail(w, GAP_E_TL);
    }
    return w->error;
}

int gap_message_start(struct gap_walk *w, struct gap_message_head *out)
{
    if (start_plain(w, out)) return 0;
    head_init(w, out);
    if (out->id == GAP_TL_MESSAGE) {
        head_chat(w, out);
    } else if (out->id == GAP_TL_MESSAGE_SERVICE) {
        head_service(w, out);
    } else if (out->id == GAP_TL_MESSAGE_EMPTY) {
        head_empty(w, out);
    } else {
        gap_walk_fail(w, GAP_E_TL);
    }
    return w->error;
}

int gap_message_peer(gap_bytes_t message, uint32_t *id, int32_t *message_id, gap_peer_t *peer)
{
    struct gap_walk w = gap_walk(message, 0);
    struct gap_message_head h;

    int r = gap_message_start(&w, &h);
    if (r < 0) return r;
    *id = h.id;
    *message_id = h.message_id;
    *peer = h.peer;
    return 0;
}

gap_bytes_t gap_update_message_at(uint32_t id, gap_bytes_t bytes, bool *edit)
{
    struct gap_walk w = gap_walk(bytes, 4);

    *edit = false;
    switch (id) {
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        *edit = true;
        break;
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
        break;
    case GAP_TL_UPDATE_BOT_EDIT_BUSINESS_MESSAGE:
        *edit = true;
        GAP_FALLTHROUGH;
    case GAP_TL_UPDATE_BOT_NEW_BUSINESS_MESSAGE:
        gap_walk_skip(&w, 4);
        (void)gap_walk_bytes(&w);
        break;
    default:
        return gap_bytes(NULL, 0);
    }
    return gap_bytes(w.at, (size_t)(w.end - w.at));
}

/* ---- the public view --------------------------------------------------------------------------
 */

/* From the media to what stands in front of the edit date. @p entities may be NULL. */
static void walk_tail(struct gap_walk *w, uint32_t flags, gap_tl_vector_t *entities)
{
    if ((flags & GAP_TL_MESSAGE_F_MEDIA) != 0) (void)gap_walk_object(w);
    if ((flags & GAP_TL_MESSAGE_F_REPLY_MARKUP) != 0) (void)gap_walk_object(w);
    if ((flags & GAP_TL_MESSAGE_F_ENTITIES) == 0) return;
    uint32_t count = gap_walk_vector(w);
    const uint8_t *start = w->at;
    for (uint32_t i = 0; i < count && w->error == 0; i++) (void)gap_walk_object(w);
    if (entities != NULL && w->error == 0) {
        entities->data = start;
        entities->len = (size_t)(w->at - start);
        entities->count = count;
    }
}

static int32_t walk_edit_date(struct gap_walk *w, uint32_t flags)
{
    if ((flags & GAP_TL_MESSAGE_F_EDIT_DATE) == 0) return 0;
    walk_tail(w, flags, NULL);
    if ((flags & GAP_TL_MESSAGE_F_VIEWS) != 0) gap_walk_skip(w, 8); /* views and forwards */
    if ((flags & GAP_TL_MESSAGE_F_REPLIES) != 0) (void)gap_walk_object(w);
    return gap_walk_i32(w);
}

/* In channel posts and private chats the sender is left out. */
static gap_peer_t sender_of(const struct gap_message_head *h, bool out)
{
    gap_peer_t nobody = {0, GAP_PEER_NONE};
    if (h->from.kind != GAP_PEER_NONE) return h->from;
    if (h->peer.kind == GAP_PEER_USER && out) return nobody;
    return h->peer.kind == GAP_PEER_CHAT ? nobody : h->peer;
}

int gap_message_view(gap_bytes_t message, gap_message_t *out)
{
    struct gap_message_head h;
    struct gap_walk w = gap_walk(message, 0);

    int r = gap_message_head(&w, &h);
    if (r < 0) return r;
    if (h.id == GAP_TL_MESSAGE_EMPTY) return GAP_NO_MESSAGE;
    out->chat = h.peer;
    out->id = h.message_id;
    out->date = h.date;
    out->edit_date = 0;
    out->reply_to = h.reply_to;
    out->via_bot = h.via_bot;
    out->text = h.text;
    out->action = 0;
    out->edit = false;
    /* These bits mean the same in message and messageService. */
    out->out = (h.flags & GAP_TL_MESSAGE_F_OUT) != 0;
    out->mentioned = (h.flags & GAP_TL_MESSAGE_F_MENTIONED) != 0;
    out->silent = (h.flags & GAP_TL_MESSAGE_F_SILENT) != 0;
    out->post = (h.flags & GAP_TL_MESSAGE_F_POST) != 0;
    out->service = h.id == GAP_TL_MESSAGE_SERVICE;
    out->has_media = false;
    out->has_entities = false;
    out->object = message;
    out->tail = (uint32_t)(w.at - message.data);
    out->sender = sender_of(&h, out->out);
    if (out->service) {
        out->action = gap_walk_u32(&w);
    } else {
        out->has_media = (h.flags & GAP_TL_MESSAGE_F_MEDIA) != 0;
        out->has_entities = (h.flags & GAP_TL_MESSAGE_F_ENTITIES) != 0;
        out->edit_date = walk_edit_date(&w, h.flags);
    }
    return w.error;
}

int gap_message_read(const gap_update_t *update, gap_message_t *out)
{
    gap_bytes_t bytes = update->bytes;
    bool edit = false;

    if ((update->flags & GAP_ITEM_ENCRYPTED) != 0) return GAP_NO_MESSAGE;
    if ((update->flags & GAP_ITEM_MESSAGE) == 0)
        bytes = gap_update_message_at(update->id, bytes, &edit);
    else
        edit = update->id == GAP_TL_UPDATE_EDIT_MESSAGE ||
               update->id == GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE;
    if (bytes.len == 0) return GAP_NO_MESSAGE;
    int r = gap_message_view(bytes, out);
    if (r == 0) out->edit = edit;
    return r;
}

int gap_message_entities(const gap_message_t *message, gap_entities_t *out)
{
    gap_tl_vector_t entities = {NULL, 0, NULL, 0};

    if (message->has_entities) {
        struct gap_walk w = gap_walk(message->object, message->tail);
        uint32_t flags = gap_load32(message->object.data + 4);
        walk_tail(&w, flags, &entities);
        if (w.error < 0) return w.error;
    }
    gap_entities_init(out, message->text, entities);
    return 0;
}
