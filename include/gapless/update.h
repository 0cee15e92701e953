/*
 * gapless/update.h - one update on its way to a handler: what it is, where it stands in its
 * sequence, how it came, and the users and chats that came with it.
 *
 * The typed form of an update is a generated struct of <gapless/tl_api.h>; <gapless/message.h> has
 * a friendlier view of those that carry a message.
 *
 * Everything here is for the loop thread of the account; an update may also be looked at on the
 * thread or in the transaction where its handler goes on (<gapless/runner.h>).
 */
#ifndef GAPLESS_UPDATE_H
#define GAPLESS_UPDATE_H

#include <gapless/tl.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An update. Valid inside the handler; after GAP_LATER until done or failed has been called. */
typedef struct gap_update gap_update_t;

/** Returned by a handler that goes on later: gap_update_done() or gap_update_failed() follows,
 * exactly one of them, once. */
#define GAP_LATER 1

/**
 * A handler. Called on the loop thread, for every update, in the order promised for its sequence:
 * by an engine once. By a client's runner in the order of its lanes, and again if it fails or times
 * out; each attempt has an update of its own (<gapless/runner.h>).
 *
 * @param update  Borrowed; pinned if the handler returns GAP_LATER.
 * @return 0 handled; GAP_LATER goes on later; negative: failed, the account's error event names it.
 */
typedef int (*gap_update_cb)(gap_update_t *update, void *data);

/** Which sequence an update belongs to. */
typedef enum gap_box {
    GAP_BOX_NONE = 0,   /* none of its own: ordered by its container, or not at all */
    GAP_BOX_COMMON = 1, /* pts of the account: private chats and basic groups */
    GAP_BOX_QTS = 2,    /* qts of the account: secret chats, most bot events */
    GAP_BOX_CHANNEL = 3 /* pts of one channel or supergroup */
} gap_box_t;

/** How an update reached the account. */
typedef enum gap_via {
    GAP_VIA_PUSH = 0,       /* sent by the server on its own */
    GAP_VIA_DIFFERENCE = 1, /* fetched: it had been missed */
    GAP_VIA_RESULT = 2,     /* the answer to a call of this account */
    GAP_VIA_JOURNAL = 3,    /* kept from before a restart */
    GAP_VIA_BACKFILL = 4    /* fetched by gap_engine_backfill, out of the order of its sequence */
} gap_via_t;

/** Kinds of peers. */
typedef enum gap_peer_kind {
    GAP_PEER_NONE = 0,
    GAP_PEER_USER = 1,
    GAP_PEER_CHAT = 2,   /* basic group */
    GAP_PEER_CHANNEL = 3 /* channel or supergroup */
} gap_peer_kind_t;

/** A user, basic group or channel. Ids of different kinds may be equal. */
typedef struct gap_peer {
    int64_t id; /* 0 for GAP_PEER_NONE */
    gap_peer_kind_t kind;
} gap_peer_t;

/** Constructor of the update, for instance GAP_TL_UPDATE_NEW_MESSAGE. New messages that a
 * difference brought, or a short form, count as GAP_TL_UPDATE_NEW_MESSAGE or
 * GAP_TL_UPDATE_NEW_CHANNEL_MESSAGE. */
GAP_API uint32_t gap_update_id(const gap_update_t *update);
/** The sequence it belongs to. */
GAP_API gap_box_t gap_update_box(const gap_update_t *update);
/** The channel whose sequence it belongs to; 0 outside GAP_BOX_CHANNEL. */
GAP_API int64_t gap_update_channel_id(const gap_update_t *update);
/** pts (or qts) of its sequence after this update; -1 if it has none: box none, or brought by a
 * difference or a back-fill. */
GAP_API int32_t gap_update_pts(const gap_update_t *update);
/** Number of events it stands for (1 for qts); 0 where gap_update_pts() is -1. */
GAP_API int32_t gap_update_pts_count(const gap_update_t *update);
/** How it came. */
GAP_API gap_via_t gap_update_via(const gap_update_t *update);
/** True if it may have been delivered already: before a restart, or because it came with the newest
 * messages of a channel whose difference was too long, or with a back-fill. */
GAP_API bool gap_update_maybe_repeated(const gap_update_t *update);

/**
 * Read the update into the struct of its constructor.
 *
 *     gap_tl_update_new_message_t m;
 *     if (gap_update_id(update) == GAP_TL_UPDATE_NEW_MESSAGE &&
 *         GAP_UPDATE_READ(update, GAP_TL_UPDATE_NEW_MESSAGE, &m) == 0) ...
 *
 * A new message that a difference brought is read into the same struct: `message` is the message,
 * pts and pts_count are 0. The same holds for new encrypted messages (qts 0), and for a message
 * that had come already and that the difference brought as it was after an edit: that is an
 * updateEditMessage.
 *
 * @param id        Constructor; must be gap_update_id(update).
 * @param out       Struct of that constructor; views in it are valid as long as @p update is.
 * @param out_size  sizeof that struct.
 * @return 0; GAP_E_ARGUMENT another constructor or a wrong size; otherwise as gap_tl_read().
 */
GAP_API GAP_NODISCARD int gap_update_read(const gap_update_t *update, uint32_t id, void *out,
                                          size_t out_size);
/** gap_update_read() with the size filled in. */
#define GAP_UPDATE_READ(update, constructor, out)                                                  \
    gap_update_read((update), (constructor), (out), sizeof *(out))

/**
 * Print the update as one line of JSON, as gap_tl_print() does.
 * @return 0; what @p sink returned; or as gap_tl_print().
 */
GAP_API GAP_NODISCARD int gap_update_print(const gap_update_t *update, gap_tl_print_cb sink,
                                           void *data);

/** The users that came with the update (Vector<User>); empty if none did. */
GAP_API gap_tl_vector_t gap_update_users(const gap_update_t *update);
/** The basic groups and channels that came with the update (Vector<Chat>); empty if none did. */
GAP_API gap_tl_vector_t gap_update_chats(const gap_update_t *update);

/**
 * Find a user, basic group or channel among those that came with the update.
 *
 * @param out  The User or Chat object; set only if found.
 * @return 1 found; 0 it did not come with this update; negative as gap_tl_next().
 */
GAP_API GAP_NODISCARD int gap_update_find(const gap_update_t *update, gap_peer_t peer,
                                          gap_tl_object_t *out);

/** The update has been handled, after its handler returned GAP_LATER. Invalidates @p update. Of a
 * run that has timed out: nothing but that. */
GAP_API void gap_update_done(gap_update_t *update);
/**
 * The update could not be handled, after its handler returned GAP_LATER; a client's runner tries
 * again. Invalidates @p update. Of a run that has timed out: nothing but that.
 * @param error  Negative; goes to the account's error event.
 */
GAP_API void gap_update_failed(gap_update_t *update, int error);

#ifdef __cplusplus
}
#endif
#endif
