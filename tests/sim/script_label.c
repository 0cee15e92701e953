/*
 * tests/sim/script_label.c - see script_label.h. An update is read either out of the engine's or
 * out of serialised bytes; its name comes the same way from both. Owns nothing.
 */
#include "script_label.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <stdio.h>

/** Where an update is read from: one of the two is set. */
struct source {
    const gap_update_t *update;
    gap_bytes_t bytes;
    uint32_t id;
};

static bool read_into(const struct source *s, void *out, size_t size)
{
    if (s->update != NULL) return gap_update_read(s->update, s->id, out, size) == 0;
    return gap_tl_read(s->bytes, s->id, out, size) > 0;
}

#define READ(source, to) read_into((source), &(to), sizeof(to))

int64_t sim_channel_number(int64_t id)
{
    return id >= DC_CHANNEL_ID_FIRST ? id - DC_CHANNEL_ID_FIRST + 1 : id;
}

static int64_t user_number(int64_t id)
{
    return id >= DC_USER_ID_FIRST ? id - DC_USER_ID_FIRST + 1 : id;
}

static int64_t group_number(int64_t id)
{
    return id >= DC_CHAT_ID_FIRST ? id - DC_CHAT_ID_FIRST + 1 : id;
}

/* The channel of a peer; 0: it is none. */
static int64_t channel_of(gap_tl_object_t peer)
{
    gap_tl_peer_channel_t channel;

    if (peer.id != GAP_TL_PEER_CHANNEL) return 0;
    return GAP_TL_READ(peer, GAP_TL_PEER_CHANNEL, &channel) > 0 ? channel.channel_id : 0;
}

static void name(char out[SIM_LABEL], const char *kind, int64_t channel, int64_t id)
{
    const char *space = kind[0] == '\0' ? "" : " ";

    if (channel != 0)
        (void)snprintf(out, SIM_LABEL, "%s%s%lld:%lld", kind, space,
                       (long long)sim_channel_number(channel), (long long)id);
    else
        (void)snprintf(out, SIM_LABEL, "%s%s%lld", kind, space, (long long)id);
}

static bool name_message(char out[SIM_LABEL], const char *kind, gap_tl_object_t message)
{
    gap_tl_message_t m;
    gap_tl_message_service_t s;
    gap_tl_message_empty_t e;

    switch (message.id) {
    case GAP_TL_MESSAGE:
        if (GAP_TL_READ(message, GAP_TL_MESSAGE, &m) < 0) return false;
        name(out, kind, channel_of(m.peer_id), m.id);
        return true;
    case GAP_TL_MESSAGE_SERVICE:
        if (GAP_TL_READ(message, GAP_TL_MESSAGE_SERVICE, &s) < 0) return false;
        name(out, kind, channel_of(s.peer_id), s.id);
        return true;
    case GAP_TL_MESSAGE_EMPTY:
        if (GAP_TL_READ(message, GAP_TL_MESSAGE_EMPTY, &e) < 0) return false;
        name(out, "empty",
             (e.flags & GAP_TL_MESSAGE_EMPTY_F_PEER_ID) != 0 ? channel_of(e.peer_id) : 0, e.id);
        return true;
    default:
        return false;
    }
}

static int32_t first_int(gap_tl_vector_t v)
{
    gap_tl_iter_t it = gap_tl_iter(v);
    int32_t id = 0;

    return gap_tl_next_int(&it, &id) == 1 ? id : 0;
}

/* Messages, and what is about messages. */
static bool name_content(const struct source *s, char out[SIM_LABEL])
{
    union {
        gap_tl_update_new_message_t message;
        gap_tl_update_new_channel_message_t channel_message;
        gap_tl_update_edit_message_t edit;
        gap_tl_update_edit_channel_message_t channel_edit;
        gap_tl_update_delete_messages_t del;
        gap_tl_update_delete_channel_messages_t channel_del;
        gap_tl_update_pinned_messages_t pin;
        gap_tl_update_pinned_channel_messages_t channel_pin;
    } x;

    switch (s->id) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
        return READ(s, x.message) && name_message(out, "", x.message.message);
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
        return READ(s, x.channel_message) && name_message(out, "", x.channel_message.message);
    case GAP_TL_UPDATE_EDIT_MESSAGE:
        return READ(s, x.edit) && name_message(out, "edit", x.edit.message);
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        return READ(s, x.channel_edit) && name_message(out, "edit", x.channel_edit.message);
    case GAP_TL_UPDATE_DELETE_MESSAGES:
        if (!READ(s, x.del)) return false;
        name(out, "delete", 0, first_int(x.del.messages));
        return true;
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
        if (!READ(s, x.channel_del)) return false;
        name(out, "delete", x.channel_del.channel_id, first_int(x.channel_del.messages));
        return true;
    case GAP_TL_UPDATE_PINNED_MESSAGES:
        if (!READ(s, x.pin)) return false;
        name(out, (x.pin.flags & GAP_TL_UPDATE_PINNED_MESSAGES_F_PINNED) != 0 ? "pin" : "unpin",
             channel_of(x.pin.peer), first_int(x.pin.messages));
        return true;
    case GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES:
        if (!READ(s, x.channel_pin)) return false;
        name(out,
             (x.channel_pin.flags & GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES_F_PINNED) != 0 ? "pin"
                                                                                         : "unpin",
             x.channel_pin.channel_id, first_int(x.channel_pin.messages));
        return true;
    default:
        return false;
    }
}

/* Reads and pages. */
static bool name_mark(const struct source *s, char out[SIM_LABEL])
{
    union {
        gap_tl_update_read_history_inbox_t in;
        gap_tl_update_read_history_outbox_t out;
        gap_tl_update_read_channel_inbox_t channel;
        gap_tl_update_web_page_t page;
        gap_tl_update_channel_web_page_t channel_page;
    } x;
    gap_tl_web_page_empty_t empty;

    switch (s->id) {
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
        if (!READ(s, x.in)) return false;
        name(out, "read", 0, x.in.max_id);
        return true;
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
        if (!READ(s, x.out)) return false;
        name(out, "read-by-them", 0, x.out.max_id);
        return true;
    case GAP_TL_UPDATE_READ_CHANNEL_INBOX:
        if (!READ(s, x.channel)) return false;
        name(out, "read", x.channel.channel_id, x.channel.max_id);
        return true;
    case GAP_TL_UPDATE_WEB_PAGE:
        if (!READ(s, x.page)) return false;
        if (GAP_TL_READ(x.page.webpage, GAP_TL_WEB_PAGE_EMPTY, &empty) < 0) return false;
        name(out, "webpage", 0, empty.id);
        return true;
    case GAP_TL_UPDATE_CHANNEL_WEB_PAGE:
        if (!READ(s, x.channel_page)) return false;
        if (GAP_TL_READ(x.channel_page.webpage, GAP_TL_WEB_PAGE_EMPTY, &empty) < 0) return false;
        name(out, "webpage", x.channel_page.channel_id, empty.id);
        return true;
    default:
        return false;
    }
}

/* What the qts box holds. */
static bool name_qts(const struct source *s, char out[SIM_LABEL])
{
    union {
        gap_tl_update_bot_stopped_t stopped;
        gap_tl_update_chat_participant_t chat;
        gap_tl_update_channel_participant_t channel;
        gap_tl_update_bot_message_reaction_t reaction;
        gap_tl_update_bot_message_reactions_t reactions;
        gap_tl_update_new_encrypted_message_t encrypted;
        gap_tl_update_bot_delete_business_message_t business;
    } x;
    gap_tl_encrypted_message_t m;

    switch (s->id) {
    case GAP_TL_UPDATE_BOT_STOPPED:
        if (!READ(s, x.stopped)) return false;
        name(out, "stopped", 0, user_number(x.stopped.user_id));
        return true;
    case GAP_TL_UPDATE_CHAT_PARTICIPANT:
        if (!READ(s, x.chat)) return false;
        name(out, "chat-participant", 0, group_number(x.chat.chat_id));
        return true;
    case GAP_TL_UPDATE_CHANNEL_PARTICIPANT:
        if (!READ(s, x.channel)) return false;
        name(out, "channel-participant", 0, sim_channel_number(x.channel.channel_id));
        return true;
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTION:
        if (!READ(s, x.reaction)) return false;
        name(out, "reaction", channel_of(x.reaction.peer), x.reaction.msg_id);
        return true;
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTIONS:
        if (!READ(s, x.reactions)) return false;
        name(out, "reactions", channel_of(x.reactions.peer), x.reactions.msg_id);
        return true;
    case GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE:
        if (!READ(s, x.encrypted)) return false;
        if (GAP_TL_READ(x.encrypted.message, GAP_TL_ENCRYPTED_MESSAGE, &m) < 0) return false;
        name(out, "encrypted", 0, m.random_id);
        return true;
    case GAP_TL_UPDATE_BOT_DELETE_BUSINESS_MESSAGE:
        if (!READ(s, x.business)) return false;
        name(out, "business-delete", 0, first_int(x.business.messages));
        return true;
    default:
        return false;
    }
}

/* What is in no box. */
static bool name_passing(const struct source *s, char out[SIM_LABEL])
{
    union {
        gap_tl_update_bot_callback_query_t query;
        gap_tl_update_user_status_t status;
        gap_tl_update_user_typing_t typing;
        gap_tl_update_message_id_t random;
    } x;

    switch (s->id) {
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
        if (!READ(s, x.query)) return false;
        /* The server's query ids are drawn: the message says more. */
        if (x.query.query_id > INT32_MAX)
            name(out, "query", channel_of(x.query.peer), x.query.msg_id);
        else
            name(out, "query", 0, x.query.query_id);
        return true;
    case GAP_TL_UPDATE_USER_STATUS:
        if (!READ(s, x.status)) return false;
        name(out, "status", 0, user_number(x.status.user_id));
        return true;
    case GAP_TL_UPDATE_USER_TYPING:
        if (!READ(s, x.typing)) return false;
        name(out, "typing", 0, user_number(x.typing.user_id));
        return true;
    case GAP_TL_UPDATE_MESSAGE_ID:
        if (!READ(s, x.random)) return false;
        name(out, "random", 0, x.random.id);
        return true;
    default:
        return false;
    }
}

static void label(const struct source *s, char out[SIM_LABEL])
{
    const char *constructor = gap_tl_name(s->id);

    if (name_content(s, out) || name_mark(s, out) || name_qts(s, out) || name_passing(s, out))
        return;
    (void)snprintf(out, SIM_LABEL, "%s", constructor == NULL ? "unreadable" : constructor);
}

void sim_label(const gap_update_t *update, char out[SIM_LABEL])
{
    struct source s = {update, {NULL, 0}, gap_update_id(update)};

    label(&s, out);
}

/* --- whole objects ---------------------------------------------------------------------------- */

struct list {
    char *out;
    size_t cap;
    size_t len;
};

static void add(struct list *l, const char *text)
{
    int n = snprintf(l->out + l->len, l->cap - l->len, "%s%s", l->len == 0 ? "" : ", ", text);

    l->len += (size_t)n;
    if (l->len >= l->cap) l->len = l->cap - 1;
}

static void add_update(struct list *l, gap_bytes_t bytes)
{
    struct source s = {NULL, bytes, gap_load32(bytes.data)};
    char text[SIM_LABEL];

    label(&s, text);
    add(l, text);
}

static void add_updates(struct list *l, gap_tl_vector_t updates, int32_t seq_start, int32_t seq)
{
    gap_tl_iter_t it = gap_tl_iter(updates);
    gap_tl_object_t update;
    char text[SIM_LABEL];

    while (gap_tl_next(&it, &update) == 1) add_update(l, gap_tl_bytes(update));
    if (updates.count == 0) add(l, "nothing");
    if (seq == 0) return;
    if (seq_start == seq)
        (void)snprintf(text, sizeof text, " seq %d", seq);
    else
        (void)snprintf(text, sizeof text, " seq %d..%d", seq_start, seq);
    size_t len = strlen(text);
    if (l->len + len >= l->cap) return;
    memcpy(l->out + l->len, text, len + 1);
    l->len += len;
}

static void add_id(struct list *l, int32_t id)
{
    char text[SIM_LABEL];

    (void)snprintf(text, sizeof text, "%d", id);
    add(l, text);
}

void sim_label_object(gap_bytes_t object, char *out, size_t cap)
{
    union {
        gap_tl_updates_t updates;
        gap_tl_updates_combined_t combined;
        gap_tl_update_short_t one;
        gap_tl_update_short_message_t message;
        gap_tl_update_short_chat_message_t chat_message;
        gap_tl_update_short_sent_message_t sent;
        gap_tl_messages_affected_messages_t affected;
        gap_tl_messages_invited_users_t invited;
    } x;
    struct list l = {out, cap, 0};
    uint32_t id = object.len >= 4 ? gap_load32(object.data) : 0;

    out[0] = '\0';
    if (id == GAP_TL_UPDATES && gap_tl_read(object, id, &x.updates, sizeof x.updates) > 0)
        add_updates(&l, x.updates.updates, x.updates.seq, x.updates.seq);
    else if (id == GAP_TL_UPDATES_COMBINED &&
             gap_tl_read(object, id, &x.combined, sizeof x.combined) > 0)
        add_updates(&l, x.combined.updates, x.combined.seq_start, x.combined.seq);
    else if (id == GAP_TL_UPDATE_SHORT && gap_tl_read(object, id, &x.one, sizeof x.one) > 0)
        add_update(&l, gap_tl_bytes(x.one.update));
    else if (id == GAP_TL_UPDATE_SHORT_MESSAGE &&
             gap_tl_read(object, id, &x.message, sizeof x.message) > 0)
        add_id(&l, x.message.id);
    else if (id == GAP_TL_UPDATE_SHORT_CHAT_MESSAGE &&
             gap_tl_read(object, id, &x.chat_message, sizeof x.chat_message) > 0)
        add_id(&l, x.chat_message.id);
    else if (id == GAP_TL_UPDATE_SHORT_SENT_MESSAGE &&
             gap_tl_read(object, id, &x.sent, sizeof x.sent) > 0)
        add_id(&l, x.sent.id);
    else if (id == GAP_TL_MESSAGES_INVITED_USERS &&
             gap_tl_read(object, id, &x.invited, sizeof x.invited) > 0)
        sim_label_object(gap_tl_bytes(x.invited.updates), out, cap);
    else
        add(&l,
            gap_tl_name(id) == NULL || gap_tl_skip(object) < 0 ? "unreadable" : gap_tl_name(id));
}
