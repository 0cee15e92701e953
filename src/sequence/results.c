/*
 * sequence/results.c - answers of the account's own calls, seen with the engine's eyes: the Updates
 * in them, and the messages.affected* that move a sequence without saying what happened; and the
 * short forms of messages, which become ordinary updates here.
 *
 * Owns nothing but the packets it makes, and these are the caller's.
 */
#include "sequence/updates.h"

#include "base/packet.h"
#include "sequence/walk.h"

/* ---- queries ----------------------------------------------------------------------------------
 */

/* Fields in front of the query that a wrapper holds. @return false: not a wrapper. */
static bool pass_wrapper(struct gap_walk *w, uint32_t id)
{
    switch (id) {
    case GAP_TL_INVOKE_WITHOUT_UPDATES:
        return true;
    case GAP_TL_INVOKE_WITH_LAYER:
        gap_walk_skip(w, 4);
        return true;
    case GAP_TL_INVOKE_AFTER_MSG:
    case GAP_TL_INVOKE_WITH_TAKEOUT:
        gap_walk_skip(w, 8);
        return true;
    case GAP_TL_INVOKE_AFTER_MSGS: {
        uint32_t count = gap_walk_vector(w);
        gap_walk_skip(w, (size_t)count * 8);
        return true;
    }
    case GAP_TL_INVOKE_WITH_MESSAGES_RANGE:
        (void)gap_walk_object(w);
        return true;
    case GAP_TL_INVOKE_WITH_GOOGLE_PLAY_INTEGRITY:
    case GAP_TL_INVOKE_WITH_APNS_SECRET:
        (void)gap_walk_bytes(w);
        GAP_FALLTHROUGH;
    case GAP_TL_INVOKE_WITH_BUSINESS_CONNECTION:
    case GAP_TL_INVOKE_WITH_RE_CAPTCHA:
        (void)gap_walk_bytes(w);
        return true;
    case GAP_TL_INIT_CONNECTION: {
        uint32_t flags = gap_walk_u32(w);
        gap_walk_skip(w, 4);
        for (int i = 0; i < 6; i++) (void)gap_walk_bytes(w);
        if ((flags & GAP_TL_INIT_CONNECTION_F_PROXY) != 0) (void)gap_walk_object(w);
        if ((flags & GAP_TL_INIT_CONNECTION_F_PARAMS) != 0) (void)gap_walk_object(w);
        return true;
    }
    default:
        return false;
    }
}

/* The query inside of its wrappers; empty if it can't be found. */
static gap_bytes_t unwrap(gap_bytes_t query)
{
    struct gap_walk w = gap_walk(query, 0);
    const uint8_t *start;

    do {
        start = w.at;
    } while (pass_wrapper(&w, gap_walk_u32(&w)));
    if (w.error < 0) return gap_bytes(NULL, 0);
    return gap_bytes(start, (size_t)(w.end - start));
}

/* The channel that an InputPeer or InputChannel names; 0: something else. */
static int64_t channel_of(struct gap_walk *w)
{
    gap_bytes_t object = gap_walk_object(w);
    if (w->error < 0) return 0;
    switch (gap_load32(object.data)) {
    case GAP_TL_INPUT_PEER_CHANNEL:
    case GAP_TL_INPUT_CHANNEL:
        return (int64_t)gap_load64(object.data + 4);
    case GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE: /* peer, msg_id, channel_id */
    case GAP_TL_INPUT_CHANNEL_FROM_MESSAGE:
        return (int64_t)gap_load64(object.data + object.len - 8);
    default:
        return 0;
    }
}

/* Every method that is answered with messages.affected*: which channel does it address? */
static int64_t addressed_channel(gap_bytes_t query)
{
    struct gap_walk w = gap_walk(query, 0);

    switch (gap_walk_u32(&w)) {
    case GAP_TL_MESSAGES_DELETE_SAVED_HISTORY: {
        uint32_t flags = gap_walk_u32(&w);
        if ((flags & GAP_TL_MESSAGES_DELETE_SAVED_HISTORY_F_PARENT_PEER) == 0) return 0;
        return channel_of(&w);
    }
    case GAP_TL_MESSAGES_DELETE_HISTORY:
    case GAP_TL_MESSAGES_READ_MENTIONS:
    case GAP_TL_MESSAGES_READ_POLL_VOTES:
    case GAP_TL_MESSAGES_READ_REACTIONS:
    case GAP_TL_MESSAGES_UNPIN_ALL_MESSAGES:
        gap_walk_skip(&w, 4); /* flags */
        return channel_of(&w);
    case GAP_TL_CHANNELS_DELETE_MESSAGES:
    case GAP_TL_CHANNELS_DELETE_PARTICIPANT_HISTORY:
    case GAP_TL_CHANNELS_DELETE_TOPIC_HISTORY:
    case GAP_TL_MESSAGES_DELETE_TOPIC_HISTORY:
    case GAP_TL_MESSAGES_READ_HISTORY:
        return channel_of(&w);
    default: /* messages.deleteMessages, readMessageContents, deletePhoneCallHistory */
        return 0;
    }
}

void gap_result_inspect(gap_bytes_t query, gap_bytes_t result, struct gap_result_view *out)
{
    struct gap_walk w = gap_walk(result, 0);

    *out = (struct gap_result_view){.kind = GAP_RESULT_NONE};
    query = unwrap(query);
    if (query.len >= 4) out->method = gap_load32(query.data);
    switch (gap_walk_u32(&w)) {
    case GAP_TL_UPDATES:
    case GAP_TL_UPDATES_COMBINED:
    case GAP_TL_UPDATES_TOO_LONG:
    case GAP_TL_UPDATE_SHORT:
    case GAP_TL_UPDATE_SHORT_MESSAGE:
    case GAP_TL_UPDATE_SHORT_CHAT_MESSAGE:
    case GAP_TL_UPDATE_SHORT_SENT_MESSAGE:
        out->kind = GAP_RESULT_UPDATES;
        out->updates = result;
        break;
    case GAP_TL_MESSAGES_INVITED_USERS:
    case GAP_TL_MESSAGES_CHAT_INVITE_JOIN_RESULT_OK:
    case GAP_TL_PAYMENTS_PAYMENT_RESULT:
        out->kind = GAP_RESULT_UPDATES;
        out->updates = gap_bytes(w.at, (size_t)(w.end - w.at));
        break;
    case GAP_TL_MESSAGES_AFFECTED_MESSAGES:
    case GAP_TL_MESSAGES_AFFECTED_HISTORY:
    case GAP_TL_MESSAGES_AFFECTED_FOUND_MESSAGES:
        out->pts = gap_walk_i32(&w);
        out->pts_count = gap_walk_i32(&w);
        out->channel_id = addressed_channel(query);
        if (w.error == 0) out->kind = GAP_RESULT_AFFECTED;
        break;
    default:
        break;
    }
}

/* ---- short forms ------------------------------------------------------------------------------
 */

/* Serialise @p update (updateNewMessage or updateNewChannelMessage) into a packet of its own. */
static int make_packet(const gap_alloc_t *alloc, gap_tl_object_t update, gap_packet_t **packet,
                       struct gap_item *out)
{
    gap_packet_t *p = NULL;
    struct gap_item item;

    int64_t size = gap_tl_size(update);
    if (size < 0) return (int)size;
    int r = gap_packet_new(alloc, (size_t)size, &p);
    if (r < 0) return r;
    int64_t written = gap_tl_write(update, p->data, (size_t)size);
    r = written < 0 ? (int)written : 0;
    if (r == 0) {
        p->len = (uint32_t)written;
        r = gap_item_read(gap_bytes(p->data, p->len), &item);
    }
    if (r < 0) {
        gap_packet_unref(p);
        return r;
    }
    *packet = p;
    *out = item;
    return 0;
}

static gap_tl_object_t object_of(gap_bytes_t bytes)
{
    gap_tl_object_t object = {bytes.data, bytes.len, NULL, gap_load32(bytes.data)};
    return object;
}

/* Bits that short messages and messages share. */
#define SHORT_FLAGS                                                                                \
    (GAP_TL_MESSAGE_F_OUT | GAP_TL_MESSAGE_F_MENTIONED | GAP_TL_MESSAGE_F_MEDIA_UNREAD |           \
     GAP_TL_MESSAGE_F_SILENT | GAP_TL_MESSAGE_F_FWD_FROM | GAP_TL_MESSAGE_F_VIA_BOT_ID |           \
     GAP_TL_MESSAGE_F_REPLY_TO | GAP_TL_MESSAGE_F_ENTITIES | GAP_TL_MESSAGE_F_TTL_PERIOD)

static int expand(const gap_alloc_t *alloc, const gap_tl_update_short_message_t *s, int64_t from,
                  gap_tl_object_t peer, gap_packet_t **packet, struct gap_item *out)
{
    gap_tl_peer_user_t sender = {from};
    gap_tl_message_t m = {
        .flags = (s->flags & SHORT_FLAGS) | GAP_TL_MESSAGE_F_FROM_ID,
        .id = s->id,
        .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &sender),
        .peer_id = peer,
        .fwd_from = s->fwd_from,
        .via_bot_id = s->via_bot_id,
        .reply_to = s->reply_to,
        .date = s->date,
        .message = s->message,
        .entities = s->entities,
        .ttl_period = s->ttl_period,
    };
    gap_tl_update_new_message_t update = {
        .message = GAP_TL_OF(GAP_TL_MESSAGE, &m),
        .pts = s->pts,
        .pts_count = s->pts_count,
    };
    return make_packet(alloc, GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &update), packet, out);
}

static int expand_chat(const gap_alloc_t *alloc, const struct gap_item *item, gap_packet_t **packet,
                       struct gap_item *out)
{
    gap_tl_update_short_chat_message_t c;

    int64_t used = GAP_TL_READ(object_of(item->bytes), GAP_TL_UPDATE_SHORT_CHAT_MESSAGE, &c);
    if (used < 0) return (int)used;
    gap_tl_peer_chat_t chat = {c.chat_id};
    gap_tl_update_short_message_t s = {
        .flags = c.flags,
        .id = c.id,
        .message = c.message,
        .pts = c.pts,
        .pts_count = c.pts_count,
        .date = c.date,
        .fwd_from = c.fwd_from,
        .via_bot_id = c.via_bot_id,
        .reply_to = c.reply_to,
        .entities = c.entities,
        .ttl_period = c.ttl_period,
    };
    return expand(alloc, &s, c.from_id, GAP_TL_OF(GAP_TL_PEER_CHAT, &chat), packet, out);
}

int gap_short_expand(const gap_alloc_t *alloc, const struct gap_item *item, int64_t self_id,
                     gap_packet_t **packet, struct gap_item *out)
{
    gap_tl_update_short_message_t s;

    if (item->bytes.len < 4) return GAP_E_TL;
    if (gap_load32(item->bytes.data) == GAP_TL_UPDATE_SHORT_CHAT_MESSAGE)
        return expand_chat(alloc, item, packet, out);
    int64_t used = GAP_TL_READ(object_of(item->bytes), GAP_TL_UPDATE_SHORT_MESSAGE, &s);
    if (used < 0) return (int)used;
    gap_tl_peer_user_t user = {s.user_id};
    bool sent = (s.flags & GAP_TL_UPDATE_SHORT_MESSAGE_F_OUT) != 0;
    return expand(alloc, &s, sent ? self_id : s.user_id, GAP_TL_OF(GAP_TL_PEER_USER, &user), packet,
                  out);
}

/* Whom a message was sent to. @return 0, GAP_E_ARGUMENT: not one of the kinds that have an id. */
static int sent_to(gap_tl_object_t input, int64_t self_id, gap_peer_t *out)
{
    struct gap_walk w = gap_walk(gap_tl_bytes(input), 4);
    gap_peer_kind_t kind = GAP_PEER_USER;
    int64_t id;

    switch (input.id) {
    case GAP_TL_INPUT_PEER_SELF:
        id = self_id;
        break;
    case GAP_TL_INPUT_PEER_USER:
        id = gap_walk_i64(&w);
        break;
    case GAP_TL_INPUT_PEER_CHAT:
        kind = GAP_PEER_CHAT;
        id = gap_walk_i64(&w);
        break;
    case GAP_TL_INPUT_PEER_CHANNEL:
        kind = GAP_PEER_CHANNEL;
        id = gap_walk_i64(&w);
        break;
    case GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE:
        kind = GAP_PEER_CHANNEL;
        GAP_FALLTHROUGH;
    case GAP_TL_INPUT_PEER_USER_FROM_MESSAGE:
        gap_walk_skip(&w, input.len - 12); /* the id is the last field */
        id = gap_walk_i64(&w);
        break;
    default:
        return GAP_E_ARGUMENT;
    }
    if (w.error < 0) return w.error;
    *out = (gap_peer_t){id, kind};
    return 0;
}

/* What the query told and the answer leaves out. */
static void fill_sent(const gap_tl_messages_send_message_t *q,
                      const gap_tl_update_short_sent_message_t *s,
                      gap_tl_message_reply_header_t *reply, gap_tl_message_t *m)
{
    gap_tl_input_reply_to_message_t to;

    *m = (gap_tl_message_t){
        .flags = (s->flags & (GAP_TL_MESSAGE_F_MEDIA | GAP_TL_MESSAGE_F_ENTITIES |
                              GAP_TL_MESSAGE_F_TTL_PERIOD)) |
                 GAP_TL_MESSAGE_F_OUT | GAP_TL_MESSAGE_F_FROM_ID,
        .id = s->id,
        .date = s->date,
        .message = q->message,
        .media = s->media,
        .entities = s->entities,
        .ttl_period = s->ttl_period,
    };
    if ((q->flags & GAP_TL_MESSAGES_SEND_MESSAGE_F_SILENT) != 0)
        m->flags |= GAP_TL_MESSAGE_F_SILENT;
    if ((q->flags & GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_MARKUP) != 0) {
        m->flags |= GAP_TL_MESSAGE_F_REPLY_MARKUP;
        m->reply_markup = q->reply_markup;
    }
    if ((q->flags & GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_TO) != 0 &&
        q->reply_to.id == GAP_TL_INPUT_REPLY_TO_MESSAGE &&
        GAP_TL_READ(q->reply_to, GAP_TL_INPUT_REPLY_TO_MESSAGE, &to) > 0) {
        *reply = (gap_tl_message_reply_header_t){
            .flags = GAP_TL_MESSAGE_REPLY_HEADER_F_REPLY_TO_MSG_ID,
            .reply_to_msg_id = to.reply_to_msg_id,
        };
        m->flags |= GAP_TL_MESSAGE_F_REPLY_TO;
        m->reply_to = GAP_TL_OF(GAP_TL_MESSAGE_REPLY_HEADER, reply);
    }
}

static gap_tl_object_t peer_object(gap_peer_kind_t kind, const int64_t *id)
{
    /* peerUser, peerChat and peerChannel all hold one id. */
    uint32_t constructor = kind == GAP_PEER_USER   ? GAP_TL_PEER_USER
                           : kind == GAP_PEER_CHAT ? GAP_TL_PEER_CHAT
                                                   : GAP_TL_PEER_CHANNEL;
    return GAP_TL_OF(constructor, id);
}

int gap_sent_expand(const gap_alloc_t *alloc, const struct gap_item *item, gap_bytes_t query,
                    int64_t self_id, gap_packet_t **packet, struct gap_item *out)
{
    gap_tl_update_short_sent_message_t s;
    gap_tl_messages_send_message_t q;
    gap_tl_message_reply_header_t reply;
    gap_tl_message_t m;
    gap_peer_t to = {0, GAP_PEER_NONE};

    query = unwrap(query);
    if (query.len < 4 || gap_load32(query.data) != GAP_TL_MESSAGES_SEND_MESSAGE)
        return GAP_E_ARGUMENT;
    int64_t used = gap_tl_read(item->bytes, GAP_TL_UPDATE_SHORT_SENT_MESSAGE, &s, sizeof s);
    if (used < 0) return (int)used;
    used = gap_tl_read(query, GAP_TL_MESSAGES_SEND_MESSAGE, &q, sizeof q);
    if (used < 0) return (int)used;
    int r = sent_to(q.peer, self_id, &to);
    if (r < 0) return r;
    fill_sent(&q, &s, &reply, &m);
    m.from_id = peer_object(GAP_PEER_USER, &self_id);
    m.peer_id = peer_object(to.kind, &to.id);
    gap_tl_update_new_message_t update = {GAP_TL_OF(GAP_TL_MESSAGE, &m), s.pts, s.pts_count};
    bool channel = to.kind == GAP_PEER_CHANNEL;
    /* updateNewMessage and updateNewChannelMessage have the same fields. */
    return make_packet(
        alloc,
        GAP_TL_OF(channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE, &update),
        packet, out);
}
