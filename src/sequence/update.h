/*
 * sequence/update.h - what is behind gap_update_t. Whoever delivers updates (the engine) embeds one
 * in its node, fills it, and calls the handler with it.
 */
#ifndef GAP_SEQUENCE_UPDATE_H
#define GAP_SEQUENCE_UPDATE_H

#include "sequence/updates.h"

#include <gapless/update.h>

/** Who delivered it. */
struct gap_update_owner {
    /** gap_update_done (status 0) or gap_update_failed (negative) was called: the handler is
     * through with it. */
    void (*finished)(gap_update_t *update, int status);
    /** It calls gap_relay_ops.ended: being handled may take it longer than the handler. */
    bool ends;
};

struct gap_relay;

/** Who stands between an owner and the handlers that it calls itself (a router). */
struct gap_relay_ops {
    /** The handler is through, after GAP_LATER: the relay has its word and tells the owner by
     * gap_update_tell_owner, now or later. */
    void (*finished)(struct gap_relay *relay, gap_update_t *update, int status);
    /** What came of the update: with @p status 0 it is recorded as handled in this very step, and
     * what the relay stores now is stored in the same commit; negative: it has failed, or does not
     * count any more, though its handler may still be at work: then the relay may stay, to hear of
     * its end; otherwise it takes itself away. Once, by owners that say so, if there is a relay.
     * @return 0; negative, for status 0: it could not be stored, the update has failed. */
    int (*ended)(struct gap_relay *relay, gap_update_t *update, int status);
};

struct gap_relay {
    const struct gap_relay_ops *ops;
};

struct gap_update {
    gap_bytes_t bytes; /* boxed Update; with GAP_ITEM_MESSAGE a boxed Message, with
                          GAP_ITEM_ENCRYPTED a boxed EncryptedMessage */
    const struct gap_update_owner *owner;
    struct gap_relay *relay; /* NULL: none */
    union {
        void *account; /* the client it came to, set by its handler; NULL without one */
        void *keeper;  /* of one that a runner keeps: the runner's */
    };
    int64_t channel_id;
    const uint8_t *users; /* elements of Vector<User>, NULL if none came along */
    const uint8_t *chats; /* elements of Vector<Chat> */
    uint32_t users_len;   /* bytes */
    uint32_t chats_len;
    uint32_t users_count; /* elements */
    uint32_t chats_count;
    uint32_t id; /* constructor of the update (never of the message) */
    int32_t pts; /* or qts; -1: none */
    int32_t pts_count;
    uint16_t flags; /* GAP_ITEM_... */
    uint8_t box;    /* gap_box_t */
    uint8_t via;    /* gap_via_t */
    bool maybe_repeated;
    bool give_up; /* if it fails now it is not tried again: gap_update_give_up */
};

/** Fill an update from an item. The owner sets via, owner and maybe_repeated itself; both vectors
 * may be empty. Items of a difference get pts -1. */
static inline void gap_update_init(gap_update_t *u, const struct gap_item *item,
                                   gap_tl_vector_t users, gap_tl_vector_t chats)
{
    u->bytes = item->bytes;
    u->owner = NULL;
    u->relay = NULL;
    u->account = NULL;
    u->channel_id = item->box == GAP_BOX_CHANNEL ? item->channel_id : 0;
    u->users = users.data;
    u->chats = chats.data;
    u->users_len = (uint32_t)users.len;
    u->chats_len = (uint32_t)chats.len;
    u->users_count = users.count;
    u->chats_count = chats.count;
    u->id = item->id;
    u->pts = item->pts;
    u->pts_count = item->pts_count;
    u->flags = item->flags;
    u->box = item->box;
    u->via = GAP_VIA_PUSH;
    u->maybe_repeated = false;
    u->give_up = false;
}

/** Let an update show what another one does: all but owner, relay, account and verdicts. Member by
 * member: copying the struct as a whole takes longer than many a handler. */
static inline void gap_update_show(gap_update_t *u, const gap_update_t *from)
{
    u->bytes = from->bytes;
    u->relay = NULL;
    u->channel_id = from->channel_id;
    u->users = from->users;
    u->chats = from->chats;
    u->users_len = from->users_len;
    u->chats_len = from->chats_len;
    u->users_count = from->users_count;
    u->chats_count = from->chats_count;
    u->id = from->id;
    u->pts = from->pts;
    u->pts_count = from->pts_count;
    u->flags = from->flags;
    u->box = from->box;
    u->via = from->via;
    u->maybe_repeated = from->maybe_repeated;
    u->give_up = false;
}

/** The handler is through with it, which is for the relay to hear first, if there is one. Owners
 * call this as well where a handler ends in a way of their own (on a thread, in a transaction). */
static inline void gap_update_finish(gap_update_t *u, int status)
{
    if (u->relay != NULL)
        u->relay->ops->finished(u->relay, u, status);
    else
        u->owner->finished(u, status);
}

/** From a relay: the handler is through with it. */
static inline void gap_update_tell_owner(gap_update_t *u, int status)
{
    u->owner->finished(u, status);
}

/** From an owner that `ends`: gap_relay_ops.ended, if there is a relay. */
GAP_NODISCARD static inline int gap_update_end(gap_update_t *u, int status)
{
    return u->relay == NULL ? 0 : u->relay->ops->ended(u->relay, u, status);
}

#endif
