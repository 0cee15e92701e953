/*
 * outbox/request.c - the call that a row stands for. A call is written behind what the caller's
 * buffer holds; its entities are written first and moved out of the way afterwards, so nothing else
 * is allocated. Owns nothing.
 *
 * A mention of somebody who is not known is not left out: the row is parked, and what goes out is
 * what was asked for.
 */
#include "outbox/content_in.h"

#include "base/bytes.h"
#include "outbox/answer.h"

#include <gapless/tl_api.h>

/* ---- peers ---- */

struct address {
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    gap_tl_object_t peer;
};

static bool is_address_of(gap_peer_kind_t kind, uint32_t id)
{
    switch (kind) {
    case GAP_PEER_USER:
        return id == GAP_TL_INPUT_PEER_USER || id == GAP_TL_INPUT_PEER_SELF ||
               id == GAP_TL_INPUT_PEER_USER_FROM_MESSAGE;
    case GAP_PEER_CHAT:
        return id == GAP_TL_INPUT_PEER_CHAT;
    case GAP_PEER_CHANNEL:
        return id == GAP_TL_INPUT_PEER_CHANNEL || id == GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE;
    default:
        return false;
    }
}

static int find_address(const struct gap_request *q, gap_peer_t peer, struct address *out)
{
    if (!gap_is_peer(peer)) return GAP_E_ARGUMENT;
    int r = q->address(q->arg, peer, out->storage, &out->peer);
    if (r < 0) return r;
    bool fits =
        out->peer.data != NULL && out->peer.len >= 4 && out->peer.len <= sizeof out->storage;
    return fits && is_address_of(peer.kind, gap_load32(out->peer.data)) ? 0 : GAP_E_ARGUMENT;
}

/* InputUser and InputChannel have the fields of the InputPeer of that name. */
static uint32_t bare_id(uint32_t id)
{
    switch (id) {
    case GAP_TL_INPUT_PEER_SELF:
        return GAP_TL_INPUT_USER_SELF;
    case GAP_TL_INPUT_PEER_USER:
        return GAP_TL_INPUT_USER;
    case GAP_TL_INPUT_PEER_USER_FROM_MESSAGE:
        return GAP_TL_INPUT_USER_FROM_MESSAGE;
    case GAP_TL_INPUT_PEER_CHANNEL:
        return GAP_TL_INPUT_CHANNEL;
    case GAP_TL_INPUT_PEER_CHANNEL_FROM_MESSAGE:
        return GAP_TL_INPUT_CHANNEL_FROM_MESSAGE;
    default:
        return 0;
    }
}

/* The same as InputUser or InputChannel. The peer's kind has been looked at. */
static gap_tl_object_t bare(const struct address *a, uint8_t storage[GAP_INPUT_PEER_BYTES])
{
    uint32_t id = bare_id(gap_load32(a->peer.data));

    memcpy(storage, a->peer.data, a->peer.len);
    gap_store32(storage, id);
    return (gap_tl_object_t){storage, a->peer.len, NULL, id};
}

/* ---- writing ---- */

/* A call in the making, behind `unread` bytes of the caller's. */
struct call {
    const struct gap_request *q;
    const gap_outbox_item_t *item;
    gap_buf_t *out;
    size_t unread;
    size_t entities_len; /* serialised in front of the call */
    struct address chat;
};

static int append(gap_buf_t *b, gap_tl_object_t object)
{
    int64_t size = gap_tl_size(object);

    if (size < 0) return (int)size;
    int r = gap_buf_reserve(b, (size_t)size);
    if (r < 0) return r;
    size = gap_tl_write(object, b->data + b->len, (size_t)size);
    if (size < 0) return (int)size;
    b->len += (size_t)size;
    return 0;
}

/* Entities are written: they are in front of the call until it is. */
static int finish(struct call *c, gap_tl_object_t method, gap_tl_vector_t *entities)
{
    int64_t size = gap_tl_size(method);

    if (size < 0) return (int)size;
    int r = gap_buf_reserve(c->out, (size_t)size);
    if (r < 0) return r;
    if (entities != NULL && c->entities_len > 0)
        entities->data = c->out->data + c->out->head + c->unread; /* it may have moved */
    r = append(c->out, method);
    if (r < 0) return r;
    uint8_t *start = c->out->data + c->out->head + c->unread;
    memmove(start, start + c->entities_len, (size_t)size);
    c->out->len -= c->entities_len;
    return 0;
}

/* ---- entities ---- */

static int put_mention(struct call *c, const gap_outbox_entity_t *e)
{
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    struct address user;

    int r = find_address(c->q, (gap_peer_t){e->number, GAP_PEER_USER}, &user);
    if (r < 0) return r;
    gap_tl_input_message_entity_mention_name_t mention = {.offset = (int32_t)e->offset,
                                                          .length = (int32_t)e->length,
                                                          .user_id = bare(&user, storage)};
    return append(c->out, GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ENTITY_MENTION_NAME, &mention));
}

static int put_entity(struct call *c, const gap_outbox_entity_t *e)
{
    const struct gap_entity_form *form = gap_entity_form(e->id);
    int32_t offset = (int32_t)e->offset, length = (int32_t)e->length;

    if (form == NULL) return GAP_E_ARGUMENT;
    switch (form->what) {
    case GAP_ENTITY_PLAIN: {
        /* the form of all these: an offset and a length */
        gap_tl_message_entity_bold_t plain = {.offset = offset, .length = length};
        return append(c->out, GAP_TL_OF(e->id, &plain));
    }
    case GAP_ENTITY_PRE: {
        gap_tl_message_entity_pre_t pre = {
            .offset = offset, .length = length, .language = e->value};
        return append(c->out, GAP_TL_OF(e->id, &pre));
    }
    case GAP_ENTITY_URL: {
        gap_tl_message_entity_text_url_t url = {
            .offset = offset, .length = length, .url = e->value};
        return append(c->out, GAP_TL_OF(e->id, &url));
    }
    case GAP_ENTITY_EMOJI: {
        gap_tl_message_entity_custom_emoji_t emoji = {
            .offset = offset, .length = length, .document_id = e->number};
        return append(c->out, GAP_TL_OF(e->id, &emoji));
    }
    case GAP_ENTITY_QUOTE: {
        gap_tl_message_entity_blockquote_t quote = {
            .flags = e->number != 0 ? GAP_TL_MESSAGE_ENTITY_BLOCKQUOTE_F_COLLAPSED : 0,
            .offset = offset,
            .length = length};
        return append(c->out, GAP_TL_OF(e->id, &quote));
    }
    case GAP_ENTITY_MENTION:
        return put_mention(c, e);
    default: /* a link to a post is rendered before */
        return GAP_E_ARGUMENT;
    }
}

static int put_entities(struct call *c, gap_tl_vector_t *out)
{
    const gap_outbox_content_t *content = &c->item->content;
    size_t from = c->out->len;
    int r = 0;

    for (size_t i = 0; i < content->entity_count && r == 0; i++)
        r = put_entity(c, &content->entities[i]);
    c->entities_len = c->out->len - from;
    *out = (gap_tl_vector_t){NULL, c->entities_len, NULL, (uint32_t)content->entity_count};
    if (r == 0 && c->entities_len > 0) out->data = c->out->data + from;
    return r;
}

/* ---- messages ---- */

/* The message that is answered; 0: none. @return 0, GAP_E_STATE it is not known yet. */
static int answered(const struct call *c, int32_t *out)
{
    *out = c->item->reply_to_row != 0 ? c->q->target : c->item->reply_to;
    return c->item->reply_to_row != 0 && *out <= 0 ? GAP_E_STATE : 0;
}

static int build_send(struct call *c)
{
    const gap_outbox_content_t *content = &c->item->content;
    gap_tl_input_reply_to_message_t reply = {.flags = 0};
    gap_tl_messages_send_message_t m = {.peer = c->chat.peer,
                                        .reply_to =
                                            GAP_TL_OF(GAP_TL_INPUT_REPLY_TO_MESSAGE, &reply),
                                        .message = content->text,
                                        .random_id = c->q->random_id,
                                        .reply_markup = content->markup};

    int r = answered(c, &reply.reply_to_msg_id);
    if (r == 0) r = put_entities(c, &m.entities);
    if (r < 0) return r;
    if (reply.reply_to_msg_id != 0) m.flags |= GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_TO;
    if (content->no_preview) m.flags |= GAP_TL_MESSAGES_SEND_MESSAGE_F_NO_WEBPAGE;
    if (content->silent) m.flags |= GAP_TL_MESSAGES_SEND_MESSAGE_F_SILENT;
    if (content->protect) m.flags |= GAP_TL_MESSAGES_SEND_MESSAGE_F_NOFORWARDS;
    if (gap_object_is_set(content->markup)) m.flags |= GAP_TL_MESSAGES_SEND_MESSAGE_F_REPLY_MARKUP;
    if (m.entities.count > 0) m.flags |= GAP_TL_MESSAGES_SEND_MESSAGE_F_ENTITIES;
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_SEND_MESSAGE, &m), &m.entities);
}

static int build_media(struct call *c)
{
    const gap_outbox_content_t *content = &c->item->content;
    gap_tl_input_reply_to_message_t reply = {.flags = 0};
    gap_tl_messages_send_media_t m = {.peer = c->chat.peer,
                                      .reply_to = GAP_TL_OF(GAP_TL_INPUT_REPLY_TO_MESSAGE, &reply),
                                      .media = content->media,
                                      .message = content->text,
                                      .random_id = c->q->random_id,
                                      .reply_markup = content->markup};

    int r = answered(c, &reply.reply_to_msg_id);
    if (r == 0) r = put_entities(c, &m.entities);
    if (r < 0) return r;
    if (reply.reply_to_msg_id != 0) m.flags |= GAP_TL_MESSAGES_SEND_MEDIA_F_REPLY_TO;
    if (content->silent) m.flags |= GAP_TL_MESSAGES_SEND_MEDIA_F_SILENT;
    if (content->protect) m.flags |= GAP_TL_MESSAGES_SEND_MEDIA_F_NOFORWARDS;
    if (gap_object_is_set(content->markup)) m.flags |= GAP_TL_MESSAGES_SEND_MEDIA_F_REPLY_MARKUP;
    if (m.entities.count > 0) m.flags |= GAP_TL_MESSAGES_SEND_MEDIA_F_ENTITIES;
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_SEND_MEDIA, &m), &m.entities);
}

/* The one message that a row is about. @return 0, GAP_E_STATE it is not known yet. */
static int about(const struct gap_request *q, const gap_outbox_item_t *item, int32_t *out)
{
    if (item->id_count > 0)
        *out = item->ids[0];
    else
        *out = q->target;
    return *out <= 0 ? GAP_E_STATE : 0;
}

static int build_edit(struct call *c)
{
    const gap_outbox_content_t *content = &c->item->content;
    bool has_media = gap_object_is_set(content->media);
    gap_tl_messages_edit_message_t m = {.peer = c->chat.peer,
                                        .message = content->text,
                                        .media = content->media,
                                        .reply_markup = content->markup};

    int r = about(c->q, c->item, &m.id);
    if (r == 0) r = put_entities(c, &m.entities);
    if (r < 0) return r;
    /* without both, the markup alone is changed */
    if (content->text.len > 0 || has_media) m.flags |= GAP_TL_MESSAGES_EDIT_MESSAGE_F_MESSAGE;
    if (has_media)
        m.flags |= GAP_TL_MESSAGES_EDIT_MESSAGE_F_MEDIA;
    else if (content->no_preview)
        m.flags |= GAP_TL_MESSAGES_EDIT_MESSAGE_F_NO_WEBPAGE;
    if (gap_object_is_set(content->markup)) m.flags |= GAP_TL_MESSAGES_EDIT_MESSAGE_F_REPLY_MARKUP;
    if (m.entities.count > 0) m.flags |= GAP_TL_MESSAGES_EDIT_MESSAGE_F_ENTITIES;
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_EDIT_MESSAGE, &m), &m.entities);
}

static int build_forward(struct call *c)
{
    const gap_outbox_item_t *item = c->item;
    int64_t random_ids[GAP_OUTBOX_IDS_MAX];
    uint32_t count = (uint32_t)item->id_count;
    struct address from;

    if (count > GAP_OUTBOX_IDS_MAX) return GAP_E_LIMIT;
    int r = find_address(c->q, item->from, &from);
    if (r < 0) return r;
    for (uint32_t i = 0; i < count; i++) random_ids[i] = gap_outbox_random_at(c->q->random_id, i);
    gap_tl_messages_forward_messages_t m = {.from_peer = from.peer,
                                            .id = gap_tl_array(item->ids, count),
                                            .random_id = gap_tl_array(random_ids, count),
                                            .to_peer = c->chat.peer};
    if (item->content.silent) m.flags |= GAP_TL_MESSAGES_FORWARD_MESSAGES_F_SILENT;
    if (item->content.protect) m.flags |= GAP_TL_MESSAGES_FORWARD_MESSAGES_F_NOFORWARDS;
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_FORWARD_MESSAGES, &m), NULL);
}

/* ---- what is done to messages ---- */

static int build_delete(struct call *c)
{
    const gap_outbox_item_t *item = c->item;
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    int32_t one;

    int r = about(c->q, item, &one);
    if (r < 0) return r;
    gap_tl_vector_t ids = item->id_count > 0 ? gap_tl_array(item->ids, (uint32_t)item->id_count)
                                             : gap_tl_array(&one, 1);
    if (c->q->chat.kind == GAP_PEER_CHANNEL) {
        gap_tl_channels_delete_messages_t m = {.channel = bare(&c->chat, storage), .id = ids};
        return finish(c, GAP_TL_OF(GAP_TL_CHANNELS_DELETE_MESSAGES, &m), NULL);
    }
    gap_tl_messages_delete_messages_t m = {
        .flags = item->for_me_only ? 0 : GAP_TL_MESSAGES_DELETE_MESSAGES_F_REVOKE, .id = ids};
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_DELETE_MESSAGES, &m), NULL);
}

static int build_pin(struct call *c)
{
    gap_tl_messages_update_pinned_message_t m = {.peer = c->chat.peer};

    int r = about(c->q, c->item, &m.id);
    if (r < 0) return r;
    if (c->item->unpin) m.flags |= GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_UNPIN;
    if (c->item->content.silent) m.flags |= GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE_F_SILENT;
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE, &m), NULL);
}

static int build_read(struct call *c)
{
    uint8_t storage[GAP_INPUT_PEER_BYTES];

    if (c->q->chat.kind == GAP_PEER_CHANNEL) {
        gap_tl_channels_read_history_t m = {.channel = bare(&c->chat, storage),
                                            .max_id = c->item->max_id};
        return finish(c, GAP_TL_OF(GAP_TL_CHANNELS_READ_HISTORY, &m), NULL);
    }
    gap_tl_messages_read_history_t m = {.peer = c->chat.peer, .max_id = c->item->max_id};
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_READ_HISTORY, &m), NULL);
}

static int build_react(struct call *c)
{
    gap_tl_reaction_emoji_t emoji = {.emoticon = c->item->emoji};
    gap_tl_object_t reaction = GAP_TL_OF(GAP_TL_REACTION_EMOJI, &emoji);
    gap_tl_messages_send_reaction_t m = {.peer = c->chat.peer,
                                         .reaction = gap_tl_array(&reaction, 1)};

    int r = about(c->q, c->item, &m.msg_id);
    if (r < 0) return r;
    if (c->item->emoji.len > 0) m.flags |= GAP_TL_MESSAGES_SEND_REACTION_F_REACTION;
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_SEND_REACTION, &m), NULL);
}

static int build_raw(struct call *c)
{
    int r = append(c->out, c->item->query);
    if (r < 0) return r;
    uint8_t *start = c->out->data + c->out->head + c->unread;
    return gap_raw_fill(start, c->out->len - c->out->head - c->unread, c->q->random_id);
}

static int build(struct call *c)
{
    if (c->item->kind == GAP_OUTBOX_RAW) return build_raw(c);
    int r = find_address(c->q, c->q->chat, &c->chat);
    if (r < 0) return r;
    switch (c->item->kind) {
    case GAP_OUTBOX_SEND:
        return build_send(c);
    case GAP_OUTBOX_MEDIA:
        return build_media(c);
    case GAP_OUTBOX_EDIT:
        return build_edit(c);
    case GAP_OUTBOX_DELETE:
        return build_delete(c);
    case GAP_OUTBOX_FORWARD:
        return build_forward(c);
    case GAP_OUTBOX_PIN:
        return build_pin(c);
    case GAP_OUTBOX_READ:
        return build_read(c);
    case GAP_OUTBOX_REACT:
        return build_react(c);
    default:
        return GAP_E_ARGUMENT;
    }
}

int gap_outbox_query(const struct gap_request *request, const gap_outbox_item_t *item,
                     gap_buf_t *out)
{
    struct call c = {.q = request, .item = item, .out = out, .unread = out->len - out->head};

    int r = build(&c);
    if (r < 0) out->len = out->head + c.unread;
    return r;
}

/* ---- has it happened? ---- */

static int build_question(struct call *c)
{
    uint8_t storage[GAP_INPUT_PEER_BYTES];
    gap_tl_input_message_id_t id = {.id = 0};
    gap_tl_object_t message = GAP_TL_OF(GAP_TL_INPUT_MESSAGE_ID, &id);

    int r = about(c->q, c->item, &id.id);
    if (r == 0) r = find_address(c->q, c->q->chat, &c->chat);
    if (r < 0) return r;
    if (c->q->chat.kind == GAP_PEER_CHANNEL) {
        gap_tl_channels_get_messages_t m = {.channel = bare(&c->chat, storage),
                                            .id = gap_tl_array(&message, 1)};
        return finish(c, GAP_TL_OF(GAP_TL_CHANNELS_GET_MESSAGES, &m), NULL);
    }
    gap_tl_messages_get_messages_t m = {.id = gap_tl_array(&message, 1)};
    return finish(c, GAP_TL_OF(GAP_TL_MESSAGES_GET_MESSAGES, &m), NULL);
}

int gap_outbox_probe_query(const struct gap_request *request, const gap_outbox_item_t *item,
                           gap_buf_t *out)
{
    struct call c = {.q = request, .item = item, .out = out, .unread = out->len - out->head};

    if (item->kind != GAP_OUTBOX_PIN) return GAP_E_NOT_FOUND;
    int r = build_question(&c);
    if (r < 0) out->len = out->head + c.unread;
    return r;
}

/* ---- by kind ---- */

uint32_t gap_outbox_method(gap_outbox_kind_t kind, gap_peer_kind_t chat, uint32_t raw)
{
    bool is_channel = chat == GAP_PEER_CHANNEL;

    switch (kind) {
    case GAP_OUTBOX_SEND:
    case GAP_OUTBOX_POST:
        return GAP_TL_MESSAGES_SEND_MESSAGE;
    case GAP_OUTBOX_MEDIA:
        return GAP_TL_MESSAGES_SEND_MEDIA;
    case GAP_OUTBOX_EDIT:
        return GAP_TL_MESSAGES_EDIT_MESSAGE;
    case GAP_OUTBOX_DELETE:
        return is_channel ? GAP_TL_CHANNELS_DELETE_MESSAGES : GAP_TL_MESSAGES_DELETE_MESSAGES;
    case GAP_OUTBOX_FORWARD:
        return GAP_TL_MESSAGES_FORWARD_MESSAGES;
    case GAP_OUTBOX_PIN:
        return GAP_TL_MESSAGES_UPDATE_PINNED_MESSAGE;
    case GAP_OUTBOX_READ:
        return is_channel ? GAP_TL_CHANNELS_READ_HISTORY : GAP_TL_MESSAGES_READ_HISTORY;
    case GAP_OUTBOX_REACT:
        return GAP_TL_MESSAGES_SEND_REACTION;
    case GAP_OUTBOX_RAW:
        return raw;
    default:
        return 0;
    }
}

gap_replay_t gap_outbox_replay(const gap_outbox_item_t *item)
{
    switch (item->kind) {
    case GAP_OUTBOX_SEND:
    case GAP_OUTBOX_MEDIA:
    case GAP_OUTBOX_FORWARD:
        return GAP_REPLAY_RANDOM_ID;
    case GAP_OUTBOX_PIN:
        return item->unpin ? GAP_REPLAY_IDEMPOTENT : GAP_REPLAY_PROBE;
    case GAP_OUTBOX_RAW:
        return item->replay;
    default:
        return GAP_REPLAY_IDEMPOTENT;
    }
}

/* How many random ids its call has. */
static uint32_t random_ids(const gap_outbox_item_t *item)
{
    gap_raw_ids_t ids = {.count = 0};

    switch (item->kind) {
    case GAP_OUTBOX_SEND:
    case GAP_OUTBOX_MEDIA:
        return 1;
    case GAP_OUTBOX_FORWARD:
        return (uint32_t)item->id_count;
    case GAP_OUTBOX_RAW:
        return gap_raw_ids(gap_tl_bytes(item->query), &ids) == 0 && !ids.is_int ? ids.count : 0;
    default:
        return 0;
    }
}

bool gap_outbox_is_named(const gap_outbox_item_t *item)
{
    return random_ids(item) == 1;
}

void gap_outbox_asked(const gap_outbox_item_t *item, int64_t random_id, int32_t target,
                      bool repeated, struct gap_asked *out)
{
    *out = (struct gap_asked){.kind = item->kind,
                              .replay = gap_outbox_replay(item),
                              .random_id = random_id,
                              .random_ids = random_ids(item),
                              .repeated = repeated};
    bool is_about = item->kind == GAP_OUTBOX_EDIT || item->kind == GAP_OUTBOX_PIN ||
                    item->kind == GAP_OUTBOX_REACT;
    if (is_about) out->message_id = item->id_count > 0 ? item->ids[0] : target;
}
