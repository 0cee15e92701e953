/*
 * sequence/walk.h - a bounded cursor over serialised TL for the few hand-written walks that read
 * only the head of an object. After a failure it stands at its end and keeps the first error, so a
 * walk may look once, when it is through.
 */
#ifndef GAP_SEQUENCE_WALK_H
#define GAP_SEQUENCE_WALK_H

#include "tl/tl.h"

#include <gapless/tl_api.h>
#include <gapless/update.h>

struct gap_walk {
    const uint8_t *at;
    const uint8_t *end;
    int error; /* 0 or the first failure */
};

static inline struct gap_walk gap_walk(gap_bytes_t bytes, size_t skip)
{
    struct gap_walk w = {bytes.data, bytes.data + bytes.len, 0};
    if (skip > bytes.len) {
        w.error = GAP_E_TL;
        skip = bytes.len;
    }
    if (skip > 0) w.at += skip;
    return w;
}

static inline void gap_walk_fail(struct gap_walk *w, int error)
{
    if (w->error == 0) w->error = error;
    w->at = w->end;
}

static inline bool gap_walk_need(struct gap_walk *w, size_t n)
{
    if ((size_t)(w->end - w->at) >= n) return true;
    gap_walk_fail(w, GAP_E_TL);
    return false;
}

static inline uint32_t gap_walk_u32(struct gap_walk *w)
{
    if (!gap_walk_need(w, 4)) return 0;
    uint32_t v = gap_load32(w->at);
    w->at += 4;
    return v;
}

static inline int32_t gap_walk_i32(struct gap_walk *w)
{
    return (int32_t)gap_walk_u32(w);
}

static inline int64_t gap_walk_i64(struct gap_walk *w)
{
    if (!gap_walk_need(w, 8)) return 0;
    uint64_t v = gap_load64(w->at);
    w->at += 8;
    return (int64_t)v;
}

static inline void gap_walk_skip(struct gap_walk *w, size_t n)
{
    if (gap_walk_need(w, n)) w->at += n;
}

static inline gap_bytes_t gap_walk_bytes(struct gap_walk *w)
{
    gap_bytes_t out = {NULL, 0};
    if (gap_tl_pass_bytes(&w->at, w->end, &out) < 0) gap_walk_fail(w, GAP_E_TL);
    return out;
}

/** Pass a boxed object of any type; its bytes. */
static inline gap_bytes_t gap_walk_object(struct gap_walk *w)
{
    const uint8_t *start = w->at;
    int r = w->error < 0 ? w->error : gap_tl_pass(&w->at, w->end, 0, 1);
    gap_bytes_t out = {start, 0};
    if (r < 0) {
        gap_walk_fail(w, r);
        return out;
    }
    out.len = (size_t)(w->at - start);
    return out;
}

/** A boxed Peer. */
static inline gap_peer_t gap_walk_peer(struct gap_walk *w)
{
    gap_peer_t peer = {0, GAP_PEER_NONE};
    if (!gap_walk_need(w, 12)) return peer;
    switch (gap_load32(w->at)) {
    case GAP_TL_PEER_USER:
        peer.kind = GAP_PEER_USER;
        break;
    case GAP_TL_PEER_CHAT:
        peer.kind = GAP_PEER_CHAT;
        break;
    case GAP_TL_PEER_CHANNEL:
        peer.kind = GAP_PEER_CHANNEL;
        break;
    default:
        gap_walk_fail(w, GAP_E_TL);
        return peer;
    }
    peer.id = (int64_t)gap_load64(w->at + 4);
    w->at += 12;
    return peer;
}

/** Head of a boxed vector. @return its count; 0 after a failure. */
static inline uint32_t gap_walk_vector(struct gap_walk *w)
{
    if (!gap_walk_need(w, 8)) return 0;
    if (gap_load32(w->at) != GAP_TL_VECTOR) {
        gap_walk_fail(w, GAP_E_TL);
        return 0;
    }
    uint32_t count = gap_load32(w->at + 4);
    w->at += 8;
    if (count > (size_t)(w->end - w->at) / 4) {
        gap_walk_fail(w, GAP_E_TL);
        return 0;
    }
    return count;
}

/**
 * Pass a boxed vector of boxed objects of one type.
 * @param sample  A constructor of that type.
 * @param out     Set on 0.
 * @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT, which the walk keeps.
 */
GAP_NODISCARD int gap_walk_objects(struct gap_walk *w, uint32_t sample, gap_tl_vector_t *out);

static inline bool gap_peer_equal(gap_peer_t a, gap_peer_t b)
{
    return a.id == b.id && a.kind == b.kind;
}

/** Who a boxed User or Chat object is; kind NONE if it is neither. */
gap_peer_t gap_peer_of(gap_bytes_t object);

/* The head of a message: what stands before and at its text. */
struct gap_message_head {
    uint32_t id; /* constructor */
    uint32_t flags;
    uint32_t flags2;
    int32_t message_id;
    int32_t date;
    gap_peer_t from;    /* kind NONE: absent */
    gap_peer_t peer;    /* kind NONE: absent (messageEmpty) */
    gap_peer_t forward; /* whom it was forwarded from; kind NONE: nobody or hidden */
    int64_t via_bot;
    int32_t reply_to;
    gap_bytes_t text; /* message only */
};

/** The Peer at @p p, of which 12 bytes are there. @return false: it is none. */
static inline bool gap_peer_load(const uint8_t *p, gap_peer_t *out)
{
    uint32_t id = gap_load32(p);

    out->id = (int64_t)gap_load64(p + 4);
    out->kind = id == GAP_TL_PEER_CHANNEL ? GAP_PEER_CHANNEL
                : id == GAP_TL_PEER_USER  ? GAP_PEER_USER
                                          : GAP_PEER_CHAT;
    return out->kind != GAP_PEER_CHAT || id == GAP_TL_PEER_CHAT;
}

/**
 * Sender and chat of an ordinary message. Nearly every one has no from_rank, so that all up to its
 * chat has a fixed place once the flags are known: looking there costs a third of the walk.
 *
 * @param from  Kind NONE: absent.
 * @return the place behind the chat; 0: it is of another shape or malformed, walk it.
 */
static inline size_t gap_message_plain(gap_bytes_t message, gap_peer_t *from, gap_peer_t *peer)
{
    const uint8_t *p = message.data;
    size_t chat = 16; /* behind id, flags, flags2 and the message's id */

    if (message.len < 16 || gap_load32(p) != GAP_TL_MESSAGE) return 0;
    uint32_t flags = gap_load32(p + 4);
    if ((gap_load32(p + 8) & GAP_TL_MESSAGE_F2_FROM_RANK) != 0) return 0;
    if ((flags & GAP_TL_MESSAGE_F_FROM_ID) != 0) chat += 12;
    if ((flags & GAP_TL_MESSAGE_F_FROM_BOOSTS_APPLIED) != 0) chat += 4;
    if (message.len < chat + 12 || !gap_peer_load(p + chat, peer)) return 0;
    if ((flags & GAP_TL_MESSAGE_F_FROM_ID) == 0) {
        *from = (gap_peer_t){0, GAP_PEER_NONE};
    } else if (!gap_peer_load(p + 16, from)) {
        return 0;
    }
    return chat + 12;
}

/**
 * Walk a boxed Message up to the text (message) or the action (messageService); the walk is left
 * standing behind the text, or on the action.
 * @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT.
 */
GAP_NODISCARD int gap_message_head(struct gap_walk *w, struct gap_message_head *out);

/** The same without what stands between chat and text; enough of it to say whether somebody is
 * named there. The walk is left standing behind the chat. */
GAP_NODISCARD int gap_message_start(struct gap_walk *w, struct gap_message_head *out);

/**
 * Constructor and chat of a boxed Message, reading no further than to its chat.
 * @param id    GAP_TL_MESSAGE, GAP_TL_MESSAGE_SERVICE or GAP_TL_MESSAGE_EMPTY.
 * @param peer  Kind NONE for a messageEmpty without one.
 * @return 0 with *message_id set; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT.
 */
GAP_NODISCARD int gap_message_peer(gap_bytes_t message, uint32_t *id, int32_t *message_id,
                                   gap_peer_t *peer);

/**
 * Where the message of an update begins.
 * @param id     Constructor of the update.
 * @param bytes  The boxed update.
 * @param edit   Set if the update is an edit.
 * @return bytes of the Message and what follows it; empty if this kind of update has none.
 */
gap_bytes_t gap_update_message_at(uint32_t id, gap_bytes_t bytes, bool *edit);

#endif
