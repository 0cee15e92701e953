/*
 * sequence/difference.c - answers of updates.getDifference and updates.getChannelDifference: checks
 * them whole, then hands their contents out in the order in which they are to be applied.
 *
 *   EARLY -> MESSAGES -> ENCRYPTED -> OTHERS -> LAST -> END
 *
 * Owns nothing. Never looks at pts: inside a difference they are historic or zero.
 */
#include "sequence/updates.h"

#include "sequence/update.h"
#include "sequence/walk.h"

enum stage { EARLY = 0, MESSAGES, ENCRYPTED, OTHERS, LAST, END };

#define STAGE_EARLY GAP_ITEM_EARLY
#define STAGE_LAST  GAP_ITEM_PTS_CHANGED

/* Classify every update once, so that a difference with a broken one is refused as a whole. */
static int check_updates(struct gap_difference *d)
{
    if (d->updates.count == 0) return 0; /* there may be no vector at all */
    struct gap_walk w = {d->updates.data, d->updates.data + d->updates.len, 0};
    struct gap_item item;

    for (uint32_t i = 0; i < d->updates.count; i++) {
        int r = gap_item_read(gap_bytes(w.at, (size_t)(w.end - w.at)), &item);
        if (r < 0) return r;
        w.at += item.bytes.len;
        d->flags |= item.flags;
    }
    return 0;
}

static int check_messages(struct gap_difference *d)
{
    gap_tl_iter_t it = gap_tl_iter(d->messages);
    gap_tl_object_t object;
    int64_t last = INT64_MIN;
    int r;

    d->sorted = true;
    while ((r = gap_tl_next(&it, &object)) > 0) {
        uint32_t id;
        int32_t message_id;
        gap_peer_t peer;
        r = gap_message_peer(gap_tl_bytes(object), &id, &message_id, &peer);
        if (r < 0) return r;
        if (message_id < last) d->sorted = false;
        last = message_id;
    }
    if (d->messages.count > GAP_DIFFERENCE_SORT_MAX) d->sorted = true;
    return r;
}

static int walk_state(struct gap_walk *w, struct gap_difference *d)
{
    if (gap_walk_u32(w) != GAP_TL_UPDATES_STATE) gap_walk_fail(w, GAP_E_TL);
    d->pts = gap_walk_i32(w);
    d->qts = gap_walk_i32(w);
    d->date = gap_walk_i32(w);
    d->seq = gap_walk_i32(w);
    gap_walk_skip(w, 4);
    d->has_pts = true;
    return w->error;
}

static int walk_contents(struct gap_walk *w, struct gap_difference *d)
{
    int r = gap_walk_objects(w, GAP_TL_MESSAGE, &d->messages);
    if (r == 0 && !d->channel) r = gap_walk_objects(w, GAP_TL_ENCRYPTED_MESSAGE, &d->encrypted);
    if (r == 0 && d->kind != GAP_DIFFERENCE_TOO_LONG)
        r = gap_walk_objects(w, GAP_TL_UPDATE_NEW_MESSAGE, &d->updates);
    if (r == 0) r = gap_walk_objects(w, GAP_TL_CHAT, &d->chats);
    if (r == 0) r = gap_walk_objects(w, GAP_TL_USER, &d->users);
    if (r == 0) r = check_updates(d);
    return r == 0 ? check_messages(d) : r;
}

static int open_common(struct gap_walk *w, struct gap_difference *d)
{
    int r;

    switch (d->id) {
    case GAP_TL_UPDATES_DIFFERENCE_EMPTY:
        d->kind = GAP_DIFFERENCE_EMPTY;
        d->final = true;
        d->date = gap_walk_i32(w);
        d->seq = gap_walk_i32(w);
        return w->error;
    case GAP_TL_UPDATES_DIFFERENCE_TOO_LONG:
        d->kind = GAP_DIFFERENCE_TOO_LONG;
        d->has_pts = true;
        d->pts = gap_walk_i32(w);
        return w->error;
    case GAP_TL_UPDATES_DIFFERENCE:
    case GAP_TL_UPDATES_DIFFERENCE_SLICE:
        d->final = d->id == GAP_TL_UPDATES_DIFFERENCE;
        d->kind = d->final ? GAP_DIFFERENCE_FINAL : GAP_DIFFERENCE_SLICE;
        r = walk_contents(w, d);
        return r < 0 ? r : walk_state(w, d);
    default:
        return gap_tl_slot(d->id) == NULL ? GAP_E_TL_ID : GAP_E_TL;
    }
}

/* The dialog of a TOO_LONG: pts to go on from, and the newest message. */
static int walk_dialog(struct gap_walk *w, struct gap_difference *d)
{
    gap_bytes_t object = gap_walk_object(w);
    if (w->error < 0) return w->error;
    if (gap_load32(object.data) != GAP_TL_DIALOG) return 0; /* a folder: no pts */
    gap_tl_dialog_t dialog;
    int64_t used = gap_tl_read(object, GAP_TL_DIALOG, &dialog, sizeof dialog);
    if (used < 0) return (int)used;
    gap_tl_peer_channel_t peer;
    if (GAP_TL_READ(dialog.peer, GAP_TL_PEER_CHANNEL, &peer) < 0) return GAP_E_TL;
    if (peer.channel_id != d->channel_id) return GAP_E_TL;
    d->has_pts = (dialog.flags & GAP_TL_DIALOG_F_PTS) != 0;
    d->pts = dialog.pts;
    d->top_message = dialog.top_message;
    return 0;
}

static int open_channel(struct gap_walk *w, struct gap_difference *d)
{
    uint32_t flags = gap_walk_u32(w);
    bool too_long = d->id == GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG;

    /* The three constructors share these two bits. */
    d->final = (flags & GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_FINAL) != 0;
    if (!too_long) {
        d->pts = gap_walk_i32(w);
        d->has_pts = true;
    }
    if ((flags & GAP_TL_UPDATES_CHANNEL_DIFFERENCE_F_TIMEOUT) != 0) d->timeout = gap_walk_i32(w);
    switch (d->id) {
    case GAP_TL_UPDATES_CHANNEL_DIFFERENCE_EMPTY:
        d->kind = GAP_DIFFERENCE_EMPTY;
        return w->error;
    case GAP_TL_UPDATES_CHANNEL_DIFFERENCE:
        d->kind = d->final ? GAP_DIFFERENCE_FINAL : GAP_DIFFERENCE_SLICE;
        break;
    case GAP_TL_UPDATES_CHANNEL_DIFFERENCE_TOO_LONG: {
        d->kind = GAP_DIFFERENCE_TOO_LONG;
        int r = walk_dialog(w, d);
        if (r < 0) return r;
        break;
    }
    default:
        return gap_tl_slot(d->id) == NULL ? GAP_E_TL_ID : GAP_E_TL;
    }
    return walk_contents(w, d);
}

static void enter(struct gap_difference *d, uint8_t stage)
{
    d->stage = stage;
    d->last_id = INT32_MIN;
    d->last_index = 0;
    if (stage == MESSAGES) {
        d->iter = gap_tl_iter(d->messages);
    } else if (stage == ENCRYPTED) {
        d->iter = gap_tl_iter(d->encrypted);
    } else {
        d->iter = gap_tl_iter(d->updates);
    }
}

int gap_difference_open(gap_bytes_t bytes, int64_t channel_id, struct gap_difference *out)
{
    struct gap_walk w = gap_walk(bytes, 0);

    *out = (struct gap_difference){.timeout = -1, .sorted = true};
    out->id = gap_walk_u32(&w);
    out->channel = channel_id != 0;
    out->channel_id = channel_id;
    if (w.error < 0) return w.error;
    int r = out->channel ? open_channel(&w, out) : open_common(&w, out);
    enter(out, EARLY);
    return r;
}

/* ---- handing out ------------------------------------------------------------------------------
 */

static void message_item(gap_tl_object_t object, gap_peer_t peer, struct gap_item *out)
{
    bool channel = peer.kind == GAP_PEER_CHANNEL;

    *out = (struct gap_item){
        .bytes = gap_tl_bytes(object),
        .channel_id = channel ? peer.id : 0,
        .id = channel ? GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE : GAP_TL_UPDATE_NEW_MESSAGE,
        .pts = -1,
        .flags = GAP_ITEM_MESSAGE,
        .box = channel ? GAP_BOX_CHANNEL : GAP_BOX_COMMON,
    };
}

/* The next message of the vector that is not empty. @return 1, 0 at the end, negative. */
static int next_message(gap_tl_iter_t *it, int32_t *message_id, struct gap_item *out)
{
    gap_tl_object_t object;
    int r;

    while ((r = gap_tl_next(it, &object)) > 0) {
        uint32_t id;
        gap_peer_t peer;
        r = gap_message_peer(gap_tl_bytes(object), &id, message_id, &peer);
        if (r < 0) return r;
        if (id == GAP_TL_MESSAGE_EMPTY) continue;
        message_item(object, peer, out);
        return 1;
    }
    return r;
}

/* The message with the smallest id above the last one, or the next one with that id (of another
 * chat): a selection sort, a step a call. */
static bool next_unsorted(struct gap_difference *d, struct gap_item *out)
{
    gap_tl_iter_t it = gap_tl_iter(d->messages);
    struct gap_item item;
    int32_t id;
    int32_t best = 0;
    uint32_t at = 0;
    bool found = false;

    while (next_message(&it, &id, &item) > 0) {
        bool passed = id < d->last_id || (id == d->last_id && it.index <= d->last_index);
        if (passed || (found && id >= best)) continue;
        *out = item;
        best = id;
        at = it.index;
        found = true;
    }
    if (found) {
        d->last_id = best;
        d->last_index = at;
    }
    return found;
}

static bool next_encrypted(struct gap_difference *d, struct gap_item *out)
{
    gap_tl_object_t object;

    if (gap_tl_next(&d->iter, &object) <= 0) return false;
    *out = (struct gap_item){
        .bytes = gap_tl_bytes(object),
        .id = GAP_TL_UPDATE_NEW_ENCRYPTED_MESSAGE,
        .pts = -1,
        .flags = GAP_ITEM_ENCRYPTED,
        .box = GAP_BOX_QTS,
    };
    return true;
}

/* The next update whose flags among @p mask are @p want. */
static bool next_update(struct gap_difference *d, uint16_t mask, bool want, struct gap_item *out)
{
    gap_tl_iter_t *it = &d->iter;

    while (it->index < it->vector.count) {
        int r = gap_item_read(gap_bytes(it->vector.data + it->at, it->vector.len - it->at), out);
        if (r < 0) return false; /* it was checked when the difference was opened */
        it->at += out->bytes.len;
        it->index++;
        if (((out->flags & mask) != 0) == want && (out->flags & GAP_ITEM_EMPTY) == 0) return true;
    }
    return false;
}

static bool next_of_stage(struct gap_difference *d, struct gap_item *out)
{
    int32_t id;

    switch (d->stage) {
    case EARLY:
        return (d->flags & STAGE_EARLY) != 0 && next_update(d, STAGE_EARLY, true, out);
    case MESSAGES:
        return d->sorted ? next_message(&d->iter, &id, out) > 0 : next_unsorted(d, out);
    case ENCRYPTED:
        return next_encrypted(d, out);
    case OTHERS:
        return next_update(d, STAGE_EARLY | STAGE_LAST, false, out);
    default:
        return (d->flags & STAGE_LAST) != 0 && next_update(d, STAGE_LAST, true, out);
    }
}

bool gap_difference_next(struct gap_difference *d, struct gap_item *out)
{
    for (; d->stage != END; enter(d, (uint8_t)(d->stage + 1))) {
        if (next_of_stage(d, out)) return true;
    }
    return false;
}

bool gap_difference_ids(const struct gap_difference *d, int32_t *lowest, int32_t *highest)
{
    gap_tl_iter_t it = gap_tl_iter(d->messages);
    struct gap_item item;
    bool found = false;
    int32_t id;

    while (next_message(&it, &id, &item) > 0) {
        if (!found || id < *lowest) *lowest = id;
        if (!found || id > *highest) *highest = id;
        found = true;
    }
    return found;
}

int32_t gap_item_message_id(gap_bytes_t update)
{
    uint32_t constructor;
    int32_t id;
    gap_peer_t peer;
    gap_bytes_t message = gap_bytes(update.data + 4, update.len - 4);

    if (update.len < 8 || gap_message_peer(message, &constructor, &id, &peer) < 0) return 0;
    return id;
}
