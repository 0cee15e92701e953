/*
 * tests/sim/globe_find.c - which event of the model an update is. A push is known by its place in
 * its box; what a difference brings by what it says: message and text, the first deleted id, the
 * read's limit, the query's number.
 *
 * Never: judges, changes anything.
 */
#include "globe_int.h"

#include <gapless/message.h>
#include <gapless/tl_api.h>
#include <string.h>

/* ---- identities ---- */

static uint64_t mix(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t h = gap_hash64(a * 0x9e3779b97f4a7c15U + 1);

    h = gap_hash64(h ^ b);
    h = gap_hash64(h + c);
    h = gap_hash64(h ^ (d + 0x51ed2701U));
    return h != 0 ? h : 1;
}

static uint64_t text_hash(gap_bytes_t text)
{
    uint64_t h = text.len + 1;

    for (size_t i = 0; i < text.len; i++) h = gap_hash64(h ^ text.data[i]);
    return h;
}

static uint64_t content_key(int box, int32_t id, gap_bytes_t text)
{
    return mix(DC_NEW_MESSAGE, (uint64_t)box, (uint64_t)id, text_hash(text));
}

static uint64_t chat_key(dc_peer_t chat)
{
    return gap_hash64((uint64_t)chat.id * 4 + (uint64_t)chat.type);
}

uint64_t find_key(const dc_event_t *ev, int box)
{
    switch (ev->kind) {
    case DC_NEW_MESSAGE:
    case DC_EDIT_MESSAGE:
        return content_key(box, ev->id, ev->text);
    case DC_DELETE_MESSAGES:
        return mix(ev->kind, (uint64_t)box, (uint64_t)ev->ids[0], 0);
    case DC_PIN:
        return mix(ev->kind, (uint64_t)box, (uint64_t)ev->id, ev->pinned);
    case DC_READ:
        return mix(ev->kind, chat_key(ev->chat), (uint64_t)ev->max_id, ev->outbox);
    case DC_QTS:
        return mix(ev->kind, (uint64_t)ev->pts, 0, 0);
    default:
        return mix(ev->kind, (uint64_t)ev->query_id, ev->kind == DC_STATUS ? ev->n : 0, 0);
    }
}

/* Of several with one identity: the one at this pts (-1: not known), else the oldest that has not
 * been delivered in this process, else the newest. */
static uint32_t among(const struct globe *g, uint64_t key, int32_t pts)
{
    const struct seen *seen = g->j.seen;
    uint32_t newest = (uint32_t)(uintptr_t)gap_map_get(&g->j.by_identity, key);
    uint32_t found = newest;

    for (uint32_t n = newest; n != 0; n = seen[n].same) {
        if (pts >= 0 && seen[n].pts == pts) return n;
        if (pts < 0 && seen[n].life != g->process) found = n;
    }
    return found;
}

uint32_t find_message(const struct globe *g, int box, int32_t id)
{
    if (box < 0 || id <= 0) return 0;
    const struct judged_box *b = &g->j.boxes[box];
    return (uint32_t)id <= b->id_count ? b->ids[id - 1] : 0;
}

/* ---- updates ---- */

static int32_t first_int(gap_tl_vector_t v)
{
    gap_tl_iter_t it = gap_tl_iter(v);
    int32_t id = 0;

    return gap_tl_next_int(&it, &id) == 1 ? id : 0;
}

static dc_peer_t peer_of(gap_tl_object_t peer)
{
    gap_tl_peer_user_t user;
    gap_tl_peer_chat_t chat;
    gap_tl_peer_channel_t channel;

    if (peer.id == GAP_TL_PEER_USER && GAP_TL_READ(peer, GAP_TL_PEER_USER, &user) > 0)
        return (dc_peer_t){DC_USER, user.user_id};
    if (peer.id == GAP_TL_PEER_CHAT && GAP_TL_READ(peer, GAP_TL_PEER_CHAT, &chat) > 0)
        return (dc_peer_t){DC_CHAT, chat.chat_id};
    if (peer.id == GAP_TL_PEER_CHANNEL && GAP_TL_READ(peer, GAP_TL_PEER_CHANNEL, &channel) > 0)
        return (dc_peer_t){DC_CHANNEL, channel.channel_id};
    return (dc_peer_t){DC_NOBODY, 0};
}

static uint32_t known(uint32_t n)
{
    return n == 0 ? FIND_UNKNOWN : n;
}

static int box_of(const struct globe *g, const gap_update_t *u)
{
    return gap_update_box(u) == GAP_BOX_CHANNEL ? judge_channel_box(g, gap_update_channel_id(u))
                                                : BOX_COMMON;
}

static uint32_t find_text(const struct globe *g, const gap_update_t *u, uint32_t *content)
{
    gap_message_t m;
    int box = box_of(g, u);

    if (gap_message_read(u, &m) != 0 || box < 0) return FIND_UNKNOWN;
    *content = among(g, content_key(box, m.id, m.text), m.edit ? gap_update_pts(u) : -1);
    if (*content == 0) return FIND_UNKNOWN;
    if (!m.edit) return known(find_message(g, box, m.id));
    return g->j.seen[*content].kind == DC_EDIT_MESSAGE ? *content : FIND_UNKNOWN;
}

gap_tl_vector_t find_deleted(const gap_update_t *u)
{
    gap_tl_vector_t none = {NULL, 0, NULL, 0};
    gap_tl_update_delete_messages_t d;
    gap_tl_update_delete_channel_messages_t c;

    if (gap_update_id(u) == GAP_TL_UPDATE_DELETE_MESSAGES &&
        GAP_UPDATE_READ(u, GAP_TL_UPDATE_DELETE_MESSAGES, &d) == 0)
        return d.messages;
    if (gap_update_id(u) == GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES &&
        GAP_UPDATE_READ(u, GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES, &c) == 0)
        return c.messages;
    return none;
}

static uint32_t find_pin(const struct globe *g, const gap_update_t *u)
{
    gap_tl_update_pinned_messages_t p;
    gap_tl_update_pinned_channel_messages_t c;
    gap_tl_vector_t ids;
    bool pinned;

    if (gap_update_id(u) == GAP_TL_UPDATE_PINNED_MESSAGES) {
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_PINNED_MESSAGES, &p) != 0) return FIND_UNKNOWN;
        ids = p.messages;
        pinned = (p.flags & GAP_TL_UPDATE_PINNED_MESSAGES_F_PINNED) != 0;
    } else {
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES, &c) != 0) return FIND_UNKNOWN;
        ids = c.messages;
        pinned = (c.flags & GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES_F_PINNED) != 0;
    }
    return known(among(g, mix(DC_PIN, (uint64_t)box_of(g, u), (uint64_t)first_int(ids), pinned),
                       gap_update_pts(u)));
}

static uint32_t find_read(const struct globe *g, const gap_update_t *u)
{
    gap_tl_update_read_history_inbox_t in;
    gap_tl_update_read_history_outbox_t out;

    if (gap_update_id(u) == GAP_TL_UPDATE_READ_HISTORY_OUTBOX) {
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_READ_HISTORY_OUTBOX, &out) != 0) return FIND_UNKNOWN;
        return known(among(g, mix(DC_READ, chat_key(peer_of(out.peer)), (uint64_t)out.max_id, 1),
                           gap_update_pts(u)));
    }
    if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_READ_HISTORY_INBOX, &in) != 0) return FIND_UNKNOWN;
    return known(among(g, mix(DC_READ, chat_key(peer_of(in.peer)), (uint64_t)in.max_id, 0),
                       gap_update_pts(u)));
}

static uint32_t find_qts(const struct globe *g, const gap_update_t *u)
{
    union {
        gap_tl_update_bot_stopped_t stopped;
        gap_tl_update_chat_participant_t chat;
        gap_tl_update_channel_participant_t channel;
        gap_tl_update_bot_message_reaction_t reaction;
        gap_tl_update_bot_message_reactions_t reactions;
    } x;
    int32_t qts = 0;

    switch (gap_update_id(u)) {
    case GAP_TL_UPDATE_BOT_STOPPED:
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_BOT_STOPPED, &x.stopped) == 0) qts = x.stopped.qts;
        break;
    case GAP_TL_UPDATE_CHAT_PARTICIPANT:
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_CHAT_PARTICIPANT, &x.chat) == 0) qts = x.chat.qts;
        break;
    case GAP_TL_UPDATE_CHANNEL_PARTICIPANT:
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_CHANNEL_PARTICIPANT, &x.channel) == 0)
            qts = x.channel.qts;
        break;
    case GAP_TL_UPDATE_BOT_MESSAGE_REACTION:
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_BOT_MESSAGE_REACTION, &x.reaction) == 0)
            qts = x.reaction.qts;
        break;
    default:
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_BOT_MESSAGE_REACTIONS, &x.reactions) == 0)
            qts = x.reactions.qts;
        break;
    }
    return known(among(g, mix(DC_QTS, (uint64_t)qts, 0, 0), -1));
}

uint32_t find_event(const struct globe *g, const gap_update_t *u, uint32_t *content)
{
    gap_tl_update_bot_callback_query_t query;

    switch (gap_update_id(u)) {
    case GAP_TL_UPDATE_NEW_MESSAGE:
    case GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE:
    case GAP_TL_UPDATE_EDIT_MESSAGE:
    case GAP_TL_UPDATE_EDIT_CHANNEL_MESSAGE:
        return find_text(g, u, content);
    case GAP_TL_UPDATE_DELETE_MESSAGES:
    case GAP_TL_UPDATE_DELETE_CHANNEL_MESSAGES:
        return known(among(g,
                           mix(DC_DELETE_MESSAGES, (uint64_t)box_of(g, u),
                               (uint64_t)first_int(find_deleted(u)), 0),
                           -1));
    case GAP_TL_UPDATE_PINNED_MESSAGES:
    case GAP_TL_UPDATE_PINNED_CHANNEL_MESSAGES:
        return find_pin(g, u);
    case GAP_TL_UPDATE_READ_HISTORY_INBOX:
    case GAP_TL_UPDATE_READ_HISTORY_OUTBOX:
        return find_read(g, u);
    case GAP_TL_UPDATE_BOT_CALLBACK_QUERY:
        if (GAP_UPDATE_READ(u, GAP_TL_UPDATE_BOT_CALLBACK_QUERY, &query) != 0) return FIND_UNKNOWN;
        return known(among(g, mix(DC_CALLBACK_QUERY, (uint64_t)query.query_id, 0, 0), -1));
    default:
        return gap_update_box(u) == GAP_BOX_QTS ? find_qts(g, u) : 0;
    }
}
