/*
 * runner/facts.c - what routes ask of an update. Pure; owns nothing.
 *
 * A command is what the server marked as one, a messageEntityBotCommand that begins with the text:
 * "/word" or "/word@NAME", in ASCII, so that its length in UTF-16 units is its length in bytes.
 * Whatever an entity claims is held against the text; one that lies is none.
 */
#include "runner/facts.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>

/** Entities looked at for a command: one that begins with the text is among the first. */
#define ENTITIES_MAX 16

bool gap_bytes_equal_fold(gap_bytes_t a, gap_bytes_t b)
{
    if (a.len != b.len) return false;
    for (size_t i = 0; i < a.len; i++) {
        if (gap_fold(a.data[i]) != gap_fold(b.data[i])) return false;
    }
    return true;
}

uint32_t gap_facts_kind(uint32_t id)
{
    switch (id) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
    case GAP_TL_UPDATE_BOT_NEW_BUSINESS_MESSAGE:
        return GAP_KIND_MESSAGE;
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
    case GAP_TL_UPDATE_BOT_EDIT_BUSINESS_MESSAGE:
        return GAP_KIND_EDIT;
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
    case GAP_TL_UPDATE_INLINE_BOT_CALLBACK_QUERY:
    case GAP_TL_UPDATE_BUSINESS_BOT_CALLBACK_QUERY:
        return GAP_KIND_CALLBACK;
    case GAP_TL_UPDATE_BOT_INLINE_QUERY:
        return GAP_KIND_INLINE_QUERY;
    case GAP_TL_UPDATE_BOT_INLINE_SEND:
        return GAP_KIND_INLINE_RESULT;
    case GAP_TL_UPDATE_BOT_SHIPPING_QUERY:
        return GAP_KIND_SHIPPING;
    case GAP_TL_UPDATE_BOT_PRECHECKOUT_QUERY:
        return GAP_KIND_PRECHECKOUT;
    case GAP_TL_UPDATE_DELETE_MESSAGES:
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
    case GAP_TL_UPDATE_BOT_DELETE_BUSINESS_MESSAGE:
        return GAP_KIND_DELETE;
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTION:
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTIONS:
        return GAP_KIND_REACTION;
    case GAP_TL_UPDATE_CHANNEL_PARTICIPANT:
    case GAP_TL_UPDATE_CHAT_PARTICIPANT:
        return GAP_KIND_MEMBER;
    case GAP_TL_UPDATE_BOT_CHAT_INVITE_REQUESTER:
        return GAP_KIND_JOIN_REQUEST;
    case GAP_TL_UPDATE_MESSAGE_POLL:
    case GAP_TL_UPDATE_MESSAGE_POLL_VOTE:
        return GAP_KIND_POLL;
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
    case GAP_TL_UPDATE_READ_CHANNEL_INBOX:
    case GAP_TL_UPDATE_READ_CHANNEL_OUTBOX:
        return GAP_KIND_READ;
    case GAP_TL_UPDATE_PINNED_MESSAGES:
    case GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES:
        return GAP_KIND_PIN;
    case GAP_TL_UPDATE_USER_TYPING:
    case GAP_TL_UPDATE_CHAT_USER_TYPING:
    case GAP_TL_UPDATE_CHANNEL_USER_TYPING:
    case GAP_TL_UPDATE_USER_STATUS:
        return GAP_KIND_PRESENCE;
    default:
        return GAP_KIND_OTHER;
    }
}

static gap_peer_t peer(gap_peer_kind_t kind, int64_t id)
{
    return (gap_peer_t){id, kind};
}

static gap_peer_t peer_of(gap_tl_object_t o)
{
    gap_peer_kind_t kind = o.id == GAP_TL_PEER_USER      ? GAP_PEER_USER
                           : o.id == GAP_TL_PEER_CHAT    ? GAP_PEER_CHAT
                           : o.id == GAP_TL_PEER_CHANNEL ? GAP_PEER_CHANNEL
                                                         : GAP_PEER_NONE;

    if (kind == GAP_PEER_NONE || o.len < 12) return peer(GAP_PEER_NONE, 0);
    return peer(kind, (int64_t)gap_load64(o.data + 4));
}

/* ---- commands ---- */

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static gap_bytes_t trimmed(gap_bytes_t text)
{
    for (; text.len > 0 && is_blank(text.data[0]); text.len--) text.data++;
    while (text.len > 0 && is_blank(text.data[text.len - 1])) text.len--;
    return text;
}

/* The first @p len bytes of a text were marked as a command. */
static void take_command(struct gap_facts *f, size_t len, const char *username)
{
    const uint8_t *p = f->message.text.data;
    gap_bytes_t name = {NULL, 0};
    size_t end = 1;

    if (p[0] != '/') return;
    while (end < len && gap_is_name(p[end])) end++;
    gap_bytes_t command = gap_bytes(p + 1, end - 1);
    if (end < len && p[end] == '@') name = gap_bytes(p + end + 1, len - end - 1);
    if (name.len == 0 && end != len) return;
    if (command.len == 0 || command.len > GAP_COMMAND_MAX) return;
    if (name.len > 0 && !gap_bytes_equal_fold(name, gap_str(username))) return;
    f->match.command = command;
    f->match.arguments = trimmed(gap_bytes(p + len, f->message.text.len - len));
}

static void find_command(struct gap_facts *f, const char *username)
{
    gap_bytes_t text = f->message.text;
    gap_entities_t all;
    gap_tl_object_t e;

    if (!f->message.has_entities || text.len < 2 || text.data[0] != '/') return;
    if (gap_message_entities(&f->message, &all) < 0) return;
    for (unsigned i = 0; i < ENTITIES_MAX && gap_tl_next(&all.iter, &e) > 0; i++) {
        if (e.id != GAP_TL_MESSAGE_ENTITY_BOT_COMMAND || e.len < 12) continue;
        uint32_t length = gap_load32(e.data + 8);
        if (gap_load32(e.data + 4) != 0 || length < 2 || length > text.len) continue;
        take_command(f, length, username);
        return;
    }
}

static void read_message(struct gap_facts *f, const char *username)
{
    if (gap_message_read(f->update, &f->message) != 0) return;
    f->match.message = &f->message;
    f->match.chat = f->message.chat;
    f->match.sender = f->message.sender;
    find_command(f, username);
}

/* ---- others ---- */

#define READ(f, constructor, out) (GAP_UPDATE_READ((f)->update, (constructor), (out)) == 0)

static void take_query(struct gap_facts *f, int64_t query_id, int64_t user_id, gap_bytes_t data)
{
    f->match.query_id = query_id;
    f->match.sender = peer(GAP_PEER_USER, user_id);
    f->match.data = data;
}

static void read_callback(struct gap_facts *f)
{
    gap_tl_update_bot_callback_query_t q;
    gap_tl_update_inline_bot_callback_query_t in;
    gap_tl_update_business_bot_callback_query_t b;
    gap_message_t m;

    if (f->id == GAP_TL_UPDATE_BOT_CALLBACK_QUERY) {
        if (!READ(f, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &q)) return;
        take_query(f, q.query_id, q.user_id, q.data);
        f->match.chat = peer_of(q.peer);
    } else if (f->id == GAP_TL_UPDATE_INLINE_BOT_CALLBACK_QUERY) {
        if (!READ(f, GAP_TL_UPDATE_INLINE_BOT_CALLBACK_QUERY, &in)) return;
        take_query(f, in.query_id, in.user_id, in.data);
    } else {
        if (!READ(f, GAP_TL_UPDATE_BUSINESS_BOT_CALLBACK_QUERY, &b)) return;
        take_query(f, b.query_id, b.user_id, b.data);
        if (gap_message_view(gap_tl_bytes(b.message), &m) == 0) f->match.chat = m.chat;
    }
}

static void read_query(struct gap_facts *f)
{
    gap_tl_update_bot_inline_query_t q;
    gap_tl_update_bot_inline_send_t s;
    gap_tl_update_bot_shipping_query_t h;
    gap_tl_update_bot_precheckout_query_t c;

    if (f->kind == GAP_KIND_INLINE_QUERY) {
        if (READ(f, GAP_TL_UPDATE_BOT_INLINE_QUERY, &q))
            take_query(f, q.query_id, q.user_id, q.query);
    } else if (f->kind == GAP_KIND_INLINE_RESULT) {
        if (READ(f, GAP_TL_UPDATE_BOT_INLINE_SEND, &s)) take_query(f, 0, s.user_id, s.query);
    } else if (f->kind == GAP_KIND_SHIPPING) {
        if (READ(f, GAP_TL_UPDATE_BOT_SHIPPING_QUERY, &h))
            take_query(f, h.query_id, h.user_id, h.payload);
    } else if (READ(f, GAP_TL_UPDATE_BOT_PRECHECKOUT_QUERY, &c)) {
        take_query(f, c.query_id, c.user_id, c.payload);
    }
}

/* What bots see of members and reactions. */
static void read_people(struct gap_facts *f)
{
    gap_tl_update_channel_participant_t in_channel;
    gap_tl_update_chat_participant_t in_chat;
    gap_tl_update_bot_chat_invite_requester_t wants;
    gap_tl_update_bot_message_reaction_t one;
    gap_tl_update_bot_message_reactions_t all;

    switch (f->id) {
    case GAP_TL_UPDATE_CHANNEL_PARTICIPANT:
        if (!READ(f, GAP_TL_UPDATE_CHANNEL_PARTICIPANT, &in_channel)) return;
        f->match.chat = peer(GAP_PEER_CHANNEL, in_channel.channel_id);
        f->match.sender = peer(GAP_PEER_USER, in_channel.actor_id);
        break;
    case GAP_TL_UPDATE_CHAT_PARTICIPANT:
        if (!READ(f, GAP_TL_UPDATE_CHAT_PARTICIPANT, &in_chat)) return;
        f->match.chat = peer(GAP_PEER_CHAT, in_chat.chat_id);
        f->match.sender = peer(GAP_PEER_USER, in_chat.actor_id);
        break;
    case GAP_TL_UPDATE_BOT_CHAT_INVITE_REQUESTER:
        if (!READ(f, GAP_TL_UPDATE_BOT_CHAT_INVITE_REQUESTER, &wants)) return;
        f->match.chat = peer_of(wants.peer);
        f->match.sender = peer(GAP_PEER_USER, wants.user_id);
        break;
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTION:
        if (!READ(f, GAP_TL_UPDATE_BOT_MESSAGE_REACTION, &one)) return;
        f->match.chat = peer_of(one.peer);
        f->match.sender = peer_of(one.actor);
        break;
    default:
        if (READ(f, GAP_TL_UPDATE_BOT_MESSAGE_REACTIONS, &all)) f->match.chat = peer_of(all.peer);
    }
}

/* Reads, pins and typing of private chats and basic groups; those of channels name their channel.
 */
static void read_chat(struct gap_facts *f)
{
    gap_tl_update_read_history_inbox_t in;
    gap_tl_update_read_history_outbox_t out;
    gap_tl_update_pinned_messages_t pin;
    gap_tl_update_user_typing_t user;
    gap_tl_update_chat_user_typing_t chat;
    gap_tl_update_channel_user_typing_t channel;

    switch (f->id) {
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
        if (READ(f, GAP_TL_UPDATE_READ_HISTORY_INBOX, &in)) f->match.chat = peer_of(in.peer);
        break;
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
        if (READ(f, GAP_TL_UPDATE_READ_HISTORY_OUTBOX, &out)) f->match.chat = peer_of(out.peer);
        break;
    case GAP_TL_UPDATE_PINNED_MESSAGES:
        if (READ(f, GAP_TL_UPDATE_PINNED_MESSAGES, &pin)) f->match.chat = peer_of(pin.peer);
        break;
    case GAP_TL_UPDATE_USER_TYPING:
        if (!READ(f, GAP_TL_UPDATE_USER_TYPING, &user)) return;
        f->match.chat = peer(GAP_PEER_USER, user.user_id);
        f->match.sender = f->match.chat;
        break;
    case GAP_TL_UPDATE_CHAT_USER_TYPING:
        if (!READ(f, GAP_TL_UPDATE_CHAT_USER_TYPING, &chat)) return;
        f->match.chat = peer(GAP_PEER_CHAT, chat.chat_id);
        f->match.sender = peer_of(chat.from_id);
        break;
    case GAP_TL_UPDATE_CHANNEL_USER_TYPING:
        if (!READ(f, GAP_TL_UPDATE_CHANNEL_USER_TYPING, &channel)) return;
        f->match.chat = peer(GAP_PEER_CHANNEL, channel.channel_id);
        f->match.sender = peer_of(channel.from_id);
        break;
    default:
        break;
    }
}

static void read_other(struct gap_facts *f)
{
    int64_t channel_id = gap_update_channel_id(f->update);

    if (channel_id != 0) f->match.chat = peer(GAP_PEER_CHANNEL, channel_id);
    switch (f->kind) {
    case GAP_KIND_CALLBACK:
        read_callback(f);
        break;
    case GAP_KIND_INLINE_QUERY:
    case GAP_KIND_INLINE_RESULT:
    case GAP_KIND_SHIPPING:
    case GAP_KIND_PRECHECKOUT:
        read_query(f);
        break;
    case GAP_KIND_MEMBER:
    case GAP_KIND_JOIN_REQUEST:
    case GAP_KIND_REACTION:
        read_people(f);
        break;
    case GAP_KIND_READ:
    case GAP_KIND_PIN:
    case GAP_KIND_PRESENCE:
        read_chat(f);
        break;
    default:
        break;
    }
}

void gap_facts_read(struct gap_facts *f, const gap_update_t *update, const char *username)
{
    f->match = (gap_match_t){.captures = f->captures};
    f->update = update;
    f->id = gap_update_id(update);
    f->kind = gap_facts_kind(f->id);
    if ((f->kind & (GAP_KIND_MESSAGE | GAP_KIND_EDIT)) != 0)
        read_message(f, username);
    else
        read_other(f);
}

/* Of a channel: what its object says, if it came along; a message says it itself. */
static uint32_t channel_kinds(const struct gap_facts *f)
{
    gap_tl_object_t chat;

    if (f->match.message != NULL) return f->message.post ? GAP_CHAT_BROADCAST : GAP_CHAT_SUPERGROUP;
    if (gap_update_find(f->update, f->match.chat, &chat) == 1 && chat.id == GAP_TL_CHANNEL &&
        chat.len >= 8) {
        bool broadcast = (gap_load32(chat.data + 4) & GAP_TL_CHANNEL_F_BROADCAST) != 0;
        return broadcast ? GAP_CHAT_BROADCAST : GAP_CHAT_SUPERGROUP;
    }
    return GAP_CHAT_BROADCAST | GAP_CHAT_SUPERGROUP;
}

uint32_t gap_facts_chat_kinds(const struct gap_facts *f)
{
    switch (f->match.chat.kind) {
    case GAP_PEER_USER:
        return GAP_CHAT_PRIVATE;
    case GAP_PEER_CHAT:
        return GAP_CHAT_BASIC_GROUP;
    case GAP_PEER_CHANNEL:
        return channel_kinds(f);
    default:
        return 0;
    }
}
