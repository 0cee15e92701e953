/*
 * sequence/history.c - answers of messages.getHistory, messages.getMessages, channels.getMessages.
 *
 * Owns nothing. A page is small, so the next id is looked for among all of it.
 */
#include "sequence/history.h"

#include "sequence/walk.h"

/* Up to the vector of messages. */
static void walk_head(struct gap_walk *w, uint32_t id)
{
    uint32_t flags;

    switch (id) {
    case GAP_TL_MESSAGES_MESSAGES:
        return;
    case GAP_TL_MESSAGES_MESSAGES_SLICE:
        flags = gap_walk_u32(w);
        gap_walk_skip(w, 4);
        if ((flags & GAP_TL_MESSAGES_MESSAGES_SLICE_F_NEXT_RATE) != 0) gap_walk_skip(w, 4);
        if ((flags & GAP_TL_MESSAGES_MESSAGES_SLICE_F_OFFSET_ID_OFFSET) != 0) gap_walk_skip(w, 4);
        if ((flags & GAP_TL_MESSAGES_MESSAGES_SLICE_F_SEARCH_FLOOD) != 0) (void)gap_walk_object(w);
        return;
    case GAP_TL_MESSAGES_CHANNEL_MESSAGES:
        flags = gap_walk_u32(w);
        gap_walk_skip(w, 8);
        if ((flags & GAP_TL_MESSAGES_CHANNEL_MESSAGES_F_OFFSET_ID_OFFSET) != 0) gap_walk_skip(w, 4);
        return;
    default:
        gap_walk_fail(w, GAP_E_TL);
    }
}

static int check_messages(const struct gap_history *h)
{
    gap_tl_iter_t it = gap_tl_iter(h->messages);
    gap_tl_object_t object;
    int r;

    if (h->messages.count > 2 * GAP_HISTORY_IDS_PAGE) return GAP_E_LIMIT;
    while ((r = gap_tl_next(&it, &object)) > 0) {
        uint32_t id;
        int32_t message_id;
        gap_peer_t peer;
        r = gap_message_peer(gap_tl_bytes(object), &id, &message_id, &peer);
        if (r < 0) return r;
    }
    return r;
}

int gap_history_open(gap_bytes_t bytes, int64_t channel_id, int32_t after, int32_t up_to,
                     struct gap_history *out)
{
    struct gap_walk w = gap_walk(bytes, 0);
    uint32_t id = gap_walk_u32(&w);
    gap_tl_vector_t topics;

    if (w.error == 0 && gap_tl_name(id) == NULL) return GAP_E_TL_ID;
    walk_head(&w, id);
    if (w.error < 0) return w.error;
    int r = gap_walk_objects(&w, GAP_TL_MESSAGE, &out->messages);
    if (r == 0) r = gap_walk_objects(&w, GAP_TL_FORUM_TOPIC, &topics);
    if (r == 0) r = gap_walk_objects(&w, GAP_TL_CHAT, &out->chats);
    if (r == 0) r = gap_walk_objects(&w, GAP_TL_USER, &out->users);
    if (r < 0) return r;
    out->channel_id = channel_id;
    out->last = after;
    out->up_to = up_to;
    return check_messages(out);
}

static bool is_asked_for(const struct gap_history *h, gap_peer_t peer)
{
    if (h->channel_id != 0) return peer.kind == GAP_PEER_CHANNEL && peer.id == h->channel_id;
    return peer.kind != GAP_PEER_CHANNEL && peer.kind != GAP_PEER_NONE;
}

static void message_item(const struct gap_history *h, gap_tl_object_t object, struct gap_item *out)
{
    bool channel = h->channel_id != 0;

    *out = (struct gap_item){
        .bytes = gap_tl_bytes(object),
        .channel_id = h->channel_id,
        .id = channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE,
        .pts = -1,
        .flags = GAP_ITEM_MESSAGE,
        .box = channel ? GAP_BOX_CHANNEL : GAP_BOX_COMMON,
    };
}

bool gap_history_next(struct gap_history *h, struct gap_item *out)
{
    gap_tl_iter_t it = gap_tl_iter(h->messages);
    gap_tl_object_t object;
    int32_t best = 0;
    bool found = false;

    while (gap_tl_next(&it, &object) > 0) {
        uint32_t id;
        int32_t message_id;
        gap_peer_t peer;
        if (gap_message_peer(gap_tl_bytes(object), &id, &message_id, &peer) < 0) continue;
        if (id == GAP_TL_MESSAGE_EMPTY || !is_asked_for(h, peer)) continue;
        if (message_id <= h->last || message_id > h->up_to) continue;
        if (found && message_id >= best) continue;
        message_item(h, object, out);
        best = message_id;
        found = true;
    }
    if (found) h->last = best;
    return found;
}
