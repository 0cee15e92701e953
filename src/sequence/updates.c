/*
 * sequence/updates.c - the one pass over an Updates object that finds where each update begins and
 * what the engine must know about it.
 *
 * Seen from the end of an update its pts and pts_count have fixed places, so once the skipper has
 * found the end there is nothing left to search; only the channel of a message is looked for, no
 * further than to its peer_id. Owns nothing; never keeps a pointer beyond the bytes it was given.
 */
#include "sequence/updates.h"

#include "sequence/classes.h"
#include "sequence/update.h"
#include "sequence/walk.h"

/* A class in one word, so that the lookup returns it in a register. */
#define CLASS_KNOWN 0x80000000U
#define CLASS(box, place, channel, flags)                                                          \
    (CLASS_KNOWN | (uint32_t)(box) << 24 | (uint32_t)(place) << 20 | (uint32_t)(channel) << 16 |   \
     (uint32_t)(flags))
#define CLASS_BOX(c)     ((uint8_t)((c) >> 24 & 0x3))
#define CLASS_PLACE(c)   ((c) >> 20 & 0xf)
#define CLASS_CHANNEL(c) ((c) >> 16 & 0xf)
#define CLASS_FLAGS(c)   ((uint16_t)((c)&0xffff))

/* 0: not an Update. Most are new messages; the others are found by a search. */
static uint32_t class_of(uint32_t id)
{
    if (id == GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE)
        return CLASS(GAP_BOX_CHANNEL, P_PTS, C_MESSAGE, GAP_ITEM_HAS_MESSAGE);
    if (id == GAP_TL_UPDATE_NEW_MESSAGE)
        return CLASS(GAP_BOX_COMMON, P_PTS, C_NONE, GAP_ITEM_HAS_MESSAGE);
    switch (id) {
#define X(name, box, place, channel, flags)                                                        \
    case GAP_TL_##name:                                                                            \
        return CLASS(GAP_BOX_##box, place, channel, flags);
        GAP_CLASSES_ORDERED(X)
        GAP_CLASSES_SPECIAL(X)
#undef X
#define X(name) case GAP_TL_##name:
        GAP_CLASSES_PLAIN(X)
#undef X
        return CLASS(GAP_BOX_NONE, P_NONE, C_NONE, 0);
    default:
        return 0;
    }
}

bool gap_update_known(uint32_t id, gap_box_t *box, uint16_t *flags)
{
    uint32_t c = class_of(id);

    if (c == 0) return false;
    *box = (gap_box_t)CLASS_BOX(c);
    *flags = CLASS_FLAGS(c);
    return true;
}

static int32_t load_i32(const uint8_t *p)
{
    return (int32_t)gap_load32(p);
}

/* The object was skipped, so its fixed fields are there: len is at least what `place` reads. */
static void read_place(const uint8_t *p, size_t len, uint32_t place, struct gap_item *out)
{
    const uint8_t *end = p + len;

    switch (place) {
    case P_PTS_DATE:
        if ((gap_load32(p + 4) & GAP_TL_UPDATE_READ_MESSAGES_CONTENTS_F_DATE) != 0) end -= 4;
        GAP_FALLTHROUGH;
    case P_PTS:
        out->pts = load_i32(end - 8);
        out->pts_count = load_i32(end - 4);
        break;
    case P_PTS_MAYBE:
        if ((gap_load32(p + 4) & GAP_TL_UPDATE_CHANNEL_TOO_LONG_F_PTS) == 0) break;
        GAP_FALLTHROUGH;
    case P_PTS_ALONE:
        out->pts = load_i32(end - 4);
        break;
    case P_QTS_QUERY:
        if ((gap_load32(p + 4) & GAP_TL_UPDATE_BOT_CHAT_INVITE_REQUESTER_F_QUERY_ID) != 0) end -= 8;
        GAP_FALLTHROUGH;
    case P_QTS:
        out->pts = load_i32(end - 4);
        out->pts_count = 1;
        break;
    default:
        break;
    }
}

/* A channel message without its channel can only be an empty one: nothing to order, nothing to
 * deliver. */
static int read_message_channel(const uint8_t *p, size_t len, struct gap_item *out)
{
    uint32_t id;
    int32_t message_id;
    gap_peer_t from;
    gap_peer_t peer;

    if (gap_message_plain(gap_bytes(p + 4, len - 4), &from, &peer) > 0 &&
        peer.kind == GAP_PEER_CHANNEL) {
        out->channel_id = peer.id;
        return 0;
    }
    int r = gap_message_peer(gap_bytes(p + 4, len - 4), &id, &message_id, &peer);
    if (r < 0) return r;
    if (peer.kind == GAP_PEER_CHANNEL) {
        out->channel_id = peer.id;
        return 0;
    }
    if (id != GAP_TL_MESSAGE_EMPTY || peer.kind != GAP_PEER_NONE) return GAP_E_TL;
    out->box = GAP_BOX_NONE;
    return 0;
}

static int read_channel(const uint8_t *p, size_t len, uint32_t place, struct gap_item *out)
{
    switch (place) {
    case C_FIRST:
        out->channel_id = (int64_t)gap_load64(p + 4);
        return 0;
    case C_FLAGS:
        out->channel_id = (int64_t)gap_load64(p + 8);
        return 0;
    case C_FOLDER: {
        bool folder = (gap_load32(p + 4) & GAP_TL_UPDATE_READ_CHANNEL_INBOX_F_FOLDER_ID) != 0;
        out->channel_id = (int64_t)gap_load64(p + (folder ? 12 : 8));
        return 0;
    }
    case C_MESSAGE:
        return read_message_channel(p, len, out);
    default:
        return 0;
    }
}

/* The most frequent updates are of one shape, message pts pts_count: their message can be passed
 * without going through the function for the update, which saves 50 instructions. */
static int pass_update(const uint8_t **at, const uint8_t *end, uint32_t class, uint32_t depth)
{
    const uint32_t shape = CLASS(0, P_PTS, 0, GAP_ITEM_HAS_MESSAGE);
    const uint8_t *p = *at + 4;

    if ((class & ~CLASS(3, 0, 0xf, 0)) != (shape & ~CLASS_KNOWN))
        return gap_tl_pass(at, end, 0, depth);
    int r = gap_tl_pass(&p, end, gap_tl_slot(GAP_TL_MESSAGE)->type, depth + 1);
    if (r < 0) return r;
    if (end - p < 8) return GAP_E_TL;
    *at = p + 8;
    return 0;
}

/* Pass one boxed update and say what it is. */
static int pass_item(const uint8_t **at, const uint8_t *end, uint32_t depth, struct gap_item *out)
{
    const uint8_t *p = *at;

    if (end - p < 4) return GAP_E_TL;
    out->id = gap_load32(p);
    uint32_t class = class_of(out->id);
    if (class == 0) return gap_tl_slot(out->id) == NULL ? GAP_E_TL_ID : GAP_E_TL;
    int r = pass_update(at, end, class, depth);
    if (r < 0) return r;
    size_t len = (size_t)(*at - p);
    out->bytes = gap_bytes(p, len);
    out->channel_id = 0;
    out->pts = -1;
    out->pts_count = 0;
    out->flags = CLASS_FLAGS(class);
    out->box = CLASS_BOX(class);
    read_place(p, len, CLASS_PLACE(class), out);
    if ((out->flags & GAP_ITEM_HAS_MESSAGE) != 0 && gap_load32(p + 4) == GAP_TL_MESSAGE_EMPTY)
        out->flags |= GAP_ITEM_EMPTY;
    return read_channel(p, len, CLASS_CHANNEL(class), out);
}

int gap_item_read(gap_bytes_t in, struct gap_item *out)
{
    const uint8_t *at = in.data;
    struct gap_item item;

    int r = pass_item(&at, in.data + in.len, 1, &item);
    if (r == 0) *out = item;
    return r;
}

/* ---- Updates objects --------------------------------------------------------------------------
 */

static void reset(struct gap_updates *u, gap_bytes_t bytes, uint32_t id)
{
    static const gap_tl_vector_t none = {NULL, 0, NULL, 0};

    u->kind = GAP_UPDATES_TOO_LONG;
    u->id = id;
    u->count = 0;
    u->date = 0;
    u->seq = 0;
    u->seq_start = 0;
    u->error = 0;
    u->used = 0;
    u->users = none;
    u->chats = none;
    u->flags = 0;
    u->same_peers = false;
    u->bytes = bytes;
    u->at = 0;
    u->behind_first = 0;
    u->index = 0;
}

/* Pass a boxed vector of boxed objects of the type that @p sample constructs. */
int gap_walk_objects(struct gap_walk *w, uint32_t sample, gap_tl_vector_t *out)
{
    if (w->error < 0) return w->error;
    int r = gap_tl_pass_typed(&w->at, w->end, gap_tl_slot(sample)->type, 2, out);
    if (r < 0) gap_walk_fail(w, r);
    return r;
}

/* The items, the first ones remembered. Stops at the first one that can't be decoded. */
static void open_items(struct gap_updates *u, struct gap_walk *w)
{
    uint32_t count = gap_walk_vector(w);
    struct gap_item spare;

    u->at = (size_t)(w->at - u->bytes.data);
    for (; u->count < count; u->count++) {
        /* cppcheck-suppress uninitvar ; only the address is taken, pass_item fills it */
        struct gap_item *item = u->count < GAP_UPDATES_INLINE ? &u->first[u->count] : &spare;
        const uint8_t *at = w->at;
        int r = pass_item(&at, w->end, 3, item);
        if (r < 0) {
            gap_walk_fail(w, r);
            break;
        }
        w->at = at;
        u->flags |= item->flags;
        if (u->count < GAP_UPDATES_INLINE) u->at = (size_t)(w->at - u->bytes.data);
    }
    u->behind_first = u->at;
}

#define VECTOR_HEAD 8

/* What parsed once parses again: the same bytes are the same vectors. */
static bool recall(const struct gap_updates_memo *memo, struct gap_walk *w, gap_tl_vector_t *users,
                   gap_tl_vector_t *chats)
{
    if (memo == NULL || memo->len == 0 || memo->len > (size_t)(w->end - w->at)) return false;
    if (memcmp(memo->bytes, w->at, memo->len) != 0) return false;
    const uint8_t *at = w->at + VECTOR_HEAD;
    *users = (gap_tl_vector_t){at, memo->users_len, NULL, memo->users_count};
    at += memo->users_len + VECTOR_HEAD;
    *chats = (gap_tl_vector_t){at, memo->chats_len, NULL, memo->chats_count};
    w->at += memo->len;
    return true;
}

/* Of objects that could be opened to their end: the users and chats of others are not learned. */
static void remember(struct gap_updates_memo *memo, const gap_tl_vector_t *users,
                     const gap_tl_vector_t *chats)
{
    size_t len = VECTOR_HEAD + users->len + VECTOR_HEAD + chats->len;

    if (memo == NULL) return;
    memo->len = 0;
    if (len > sizeof memo->bytes) return;
    memcpy(memo->bytes, users->data - VECTOR_HEAD, len);
    memo->len = (uint32_t)len;
    memo->users_len = (uint32_t)users->len;
    memo->users_count = users->count;
    memo->chats_len = (uint32_t)chats->len;
    memo->chats_count = chats->count;
}

static int walk_peers(struct gap_updates *u, struct gap_walk *w,
                      const struct gap_updates_memo *memo, gap_tl_vector_t *users,
                      gap_tl_vector_t *chats)
{
    u->same_peers = recall(memo, w, users, chats);
    if (u->same_peers) return 0;
    int r = gap_walk_objects(w, GAP_TL_USER, users);
    return r < 0 ? r : gap_walk_objects(w, GAP_TL_CHAT, chats);
}

static int open_sequenced(struct gap_updates *u, struct gap_walk *w, struct gap_updates_memo *memo,
                          bool combined)
{
    gap_tl_vector_t users;
    gap_tl_vector_t chats;

    u->kind = GAP_UPDATES_SEQ;
    open_items(u, w);
    if (w->error == 0 && walk_peers(u, w, memo, &users, &chats) == 0) {
        int32_t date = gap_walk_i32(w);
        int32_t seq_start = gap_walk_i32(w);
        int32_t seq = combined ? gap_walk_i32(w) : seq_start;
        if (w->error == 0) {
            if (!u->same_peers) remember(memo, &users, &chats);
            u->users = users;
            u->chats = chats;
            u->date = date;
            u->seq_start = seq_start;
            u->seq = seq;
            u->used = (size_t)(w->at - u->bytes.data);
            return 0;
        }
    }
    u->error = w->error;
    return u->count > 0 ? 0 : u->error;
}

static int open_short(struct gap_updates *u, struct gap_walk *w)
{
    int r = pass_item(&w->at, w->end, 2, &u->first[0]);
    if (r < 0) return r;
    u->kind = GAP_UPDATES_SHORT;
    u->count = 1;
    u->flags = u->first[0].flags;
    u->date = gap_walk_i32(w);
    u->used = (size_t)(w->at - u->bytes.data);
    return w->error;
}

/* The three short messages: the whole object is the item. */
static int open_short_message(struct gap_updates *u, struct gap_walk *w)
{
    struct gap_item *item = &u->first[0];
    bool sent = u->id == GAP_TL_UPDATE_SHORT_SENT_MESSAGE;
    gap_bytes_t object = u->bytes;
    const uint8_t *at = u->bytes.data;

    int r = gap_tl_pass(&at, w->end, 0, 1);
    if (r < 0) return r;
    object.len = (size_t)(at - u->bytes.data);
    *item =
        (struct gap_item){.bytes = object, .id = GAP_TL_UPDATE_NEW_MESSAGE, .box = GAP_BOX_COMMON};
    item->flags = sent ? GAP_ITEM_SENT : GAP_ITEM_SHORT;
    gap_walk_skip(w, 4 + 4); /* flags, id */
    if (u->id == GAP_TL_UPDATE_SHORT_MESSAGE) gap_walk_skip(w, 8);
    if (u->id == GAP_TL_UPDATE_SHORT_CHAT_MESSAGE) gap_walk_skip(w, 16);
    if (!sent) (void)gap_walk_bytes(w);
    item->pts = gap_walk_i32(w);
    item->pts_count = gap_walk_i32(w);
    u->date = gap_walk_i32(w);
    u->kind = GAP_UPDATES_SHORT;
    u->count = 1;
    u->flags = item->flags;
    u->used = object.len;
    return w->error;
}

int gap_updates_open(gap_bytes_t bytes, struct gap_updates *out)
{
    return gap_updates_open_next(bytes, NULL, out);
}

int gap_updates_open_next(gap_bytes_t bytes, struct gap_updates_memo *memo, struct gap_updates *out)
{
    struct gap_walk w = gap_walk(bytes, 0);
    uint32_t id = gap_walk_u32(&w);

    reset(out, bytes, id);
    if (w.error < 0) return w.error;
    switch (id) {
    case GAP_TL_UPDATES:
        return open_sequenced(out, &w, memo, false);
    case GAP_TL_UPDATES_COMBINED:
        return open_sequenced(out, &w, memo, true);
    case GAP_TL_UPDATE_SHORT:
        return open_short(out, &w);
    case GAP_TL_UPDATE_SHORT_MESSAGE:
    case GAP_TL_UPDATE_SHORT_CHAT_MESSAGE:
    case GAP_TL_UPDATE_SHORT_SENT_MESSAGE:
        return open_short_message(out, &w);
    case GAP_TL_UPDATES_TOO_LONG:
        out->used = 4;
        return 0;
    default:
        return gap_tl_slot(id) == NULL ? GAP_E_TL_ID : GAP_E_TL;
    }
}

bool gap_updates_next(struct gap_updates *u, struct gap_item *out)
{
    if (u->index >= u->count) return false;
    if (u->index < GAP_UPDATES_INLINE) {
        *out = u->first[u->index++];
        return true;
    }
    const uint8_t *at = u->bytes.data + u->at;
    if (pass_item(&at, u->bytes.data + u->bytes.len, 3, out) < 0) {
        u->index = u->count; /* the bytes changed under us: they are pinned, so this can't be */
        return false;
    }
    u->at = (size_t)(at - u->bytes.data);
    u->index++;
    return true;
}

void gap_updates_rewind(struct gap_updates *u)
{
    u->index = 0;
    u->at = u->behind_first;
}
