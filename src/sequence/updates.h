/*
 * sequence/updates.h - what the engine must know about updates: which sequence each constructor
 * belongs to, and one pass over Updates objects, differences and results that finds the boundaries
 * of the updates in them with their box, channel, pts and count. Nothing is copied or allocated
 * (but for short forms, which become ordinary updates in a packet of their own).
 */
#ifndef GAP_SEQUENCE_UPDATES_H
#define GAP_SEQUENCE_UPDATES_H

#include "base/bytes.h"

#include <gapless/tl.h>
#include <gapless/update.h>

/* What is special about an update. The first eight come from the table of constructors. */
enum gap_item_flag {
    GAP_ITEM_EARLY = 1 << 0,       /* to be applied before the others of its container:
                                      updateMessageID, updateStoryID, updateEncryption, and
                                      updateFolderPeers (which is common pts all the same) */
    GAP_ITEM_AT_ONCE = 1 << 1,     /* whatever seq says: typing, login token, service notes ... */
    GAP_ITEM_TOO_LONG = 1 << 2,    /* updateChannelTooLong: an order to fetch; pts -1 if it names
                                      none. Box none, channel_id set */
    GAP_ITEM_PTS_CHANGED = 1 << 3, /* updatePtsChanged: common pts starts anew; comes last */
    GAP_ITEM_REFETCH = 1 << 4,     /* updateUser, updateChat, updateChannel (channel_id set): only
                                      says that the peer changed; no use inside a difference */
    GAP_ITEM_NO_COUNT = 1 << 5,    /* pts without pts_count (updateReadChannelInbox): count is 0 */
    GAP_ITEM_HAS_MESSAGE = 1 << 6, /* its first field but flags and strings is a Message whose peers
                                     may be unknown: see gap_peers_check */
    GAP_ITEM_QUERY = 1 << 7,       /* a user waits for the answer and no difference brings it back:
                                      callback, inline, shipping, pre-checkout queries */
    GAP_ITEM_MESSAGE = 1 << 8,     /* `bytes` is a boxed Message of a difference, no Update */
    GAP_ITEM_ENCRYPTED = 1 << 9,   /* `bytes` is a boxed EncryptedMessage of a difference */
    GAP_ITEM_SHORT = 1 << 10,      /* `bytes` is an updateShortMessage or updateShortChatMessage:
                                      make it an ordinary one by gap_short_expand */
    GAP_ITEM_SENT = 1 << 11,       /* `bytes` is an updateShortSentMessage: make it an ordinary one
                                      by gap_sent_expand; as a push it is an order to fetch */
    GAP_ITEM_EMPTY = 1 << 12,      /* its message is a messageEmpty: nothing to deliver, pts counts;
                                      in a channel without peer the box is none */
    GAP_ITEM_TYPING = 1 << 13,     /* typing and status: first to be shed, at most once */
};

/** One update inside a container, a difference or a result. */
struct gap_item {
    gap_bytes_t bytes;  /* the boxed update (see the flags for exceptions) */
    int64_t channel_id; /* box channel; also of TOO_LONG and updateChannel; else 0 */
    uint32_t id;        /* constructor of the update */
    int32_t pts;        /* pts or qts as sent; -1: none */
    int32_t pts_count;  /* as sent; 1 for qts; 0: none */
    uint16_t flags;     /* GAP_ITEM_... */
    uint8_t box;        /* gap_box_t */
};

/** Does this id construct an Update? With its box and flags for logs and tests. */
bool gap_update_known(uint32_t id, gap_box_t *box, uint16_t *flags);

/**
 * Classify one boxed update.
 *
 * @param in   Bytes that begin with it; may be longer.
 * @param out  Filled on 0.
 * @return 0; GAP_E_TL malformed; GAP_E_TL_ID a constructor that is not in the schema (or not an
 * Update); GAP_E_LIMIT nested too deep.
 */
GAP_NODISCARD int gap_item_read(gap_bytes_t in, struct gap_item *out);

/* ---- Updates objects --------------------------------------------------------------------------
 */

/** Updates that the first pass remembers; later ones are found again by gap_updates_next. */
#define GAP_UPDATES_INLINE 8

enum gap_updates_kind {
    GAP_UPDATES_TOO_LONG = 0, /* updatesTooLong: ask for the difference; no items */
    GAP_UPDATES_SHORT,        /* updateShort and the short messages: one item, no seq */
    GAP_UPDATES_SEQ,          /* updates, updatesCombined */
};

/** An Updates object that has been opened. Read-only for users. */
struct gap_updates {
    enum gap_updates_kind kind;
    uint32_t id;           /* constructor */
    uint32_t count;        /* items */
    int32_t date;          /* 0: none */
    int32_t seq;           /* 0: none */
    int32_t seq_start;     /* seq_start of updatesCombined; seq of updates */
    int error;             /* why it could not be decoded to its end; 0 if it was */
    size_t used;           /* bytes of the object; 0 if error */
    gap_tl_vector_t users; /* elements checked; empty if error */
    gap_tl_vector_t chats;
    uint16_t flags;  /* of all items (with error: of those before it), or-ed */
    bool same_peers; /* users and chats are byte for byte those of the memo */

    /* private */
    gap_bytes_t bytes;
    size_t at;           /* of the next item that is not in `first` */
    size_t behind_first; /* of the first one that is not */
    uint32_t index;      /* items handed out */
    struct gap_item first[GAP_UPDATES_INLINE];
};

/**
 * Open an Updates object: one pass over all of it.
 *
 * An update that can't be decoded makes the container undecodable from there: the items before it
 * are handed out, users, chats, date and seq are not known, out->error says why. The caller uses
 * the items and asks for the difference.
 *
 * @param bytes  Begins with the object, may be longer. Pinned while @p out or an item is in use.
 * @param out    Set on 0.
 * @return 0; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT nothing of it can be used (not an Updates object,
 * or the first update is undecodable already).
 */
GAP_NODISCARD int gap_updates_open(gap_bytes_t bytes, struct gap_updates *out);

/** Bytes of users and chats that are remembered. */
#define GAP_UPDATES_MEMO_MAX 512

/** The users and chats of the object opened last. In a busy chat most objects bring the same as the
 * one before; comparing them costs a tenth of passing them and learning whom they name. Zero it
 * before the first use. */
struct gap_updates_memo {
    uint32_t len; /* of both vectors with their heads; 0: nothing is remembered */
    uint32_t users_len;
    uint32_t users_count;
    uint32_t chats_len;
    uint32_t chats_count;
    uint8_t bytes[GAP_UPDATES_MEMO_MAX];
};

/** As gap_updates_open, with a memory of the object before. */
GAP_NODISCARD int gap_updates_open_next(gap_bytes_t bytes, struct gap_updates_memo *memo,
                                        struct gap_updates *out);
/** The next item. @return true with *out set, false at the end. */
bool gap_updates_next(struct gap_updates *u, struct gap_item *out);
/** Begin again with the first item. */
void gap_updates_rewind(struct gap_updates *u);

/* ---- differences ------------------------------------------------------------------------------
 */

/** Messages of an answer that are sorted if the server did not. */
#define GAP_DIFFERENCE_SORT_MAX 256

enum gap_difference_kind {
    GAP_DIFFERENCE_EMPTY = 0, /* date and seq (common), or pts (channel) */
    GAP_DIFFERENCE_SLICE,     /* more follows: ask again with the state given */
    GAP_DIFFERENCE_FINAL,     /* that was all */
    GAP_DIFFERENCE_TOO_LONG,  /* continuity is lost; pts to go on from */
};

/** An updates.Difference or updates.ChannelDifference that has been opened. */
struct gap_difference {
    enum gap_difference_kind kind; /* of a channel: SLICE if `final` was not set */
    uint32_t id;                   /* constructor */
    bool channel;                  /* an updates.ChannelDifference */
    bool final;                    /* flag of channel differences; true for EMPTY and FINAL of the
                                      common one */
    bool has_pts;                  /* pts below was given (common EMPTY has none; a channel's
                                      TOO_LONG may come without) */
    int32_t pts;
    int32_t qts;         /* common SLICE and FINAL */
    int32_t date;        /* common, but for TOO_LONG; 0: none */
    int32_t seq;         /* common, but for TOO_LONG */
    int32_t timeout;     /* channel: seconds until the next poll of an open chat; -1: not given */
    int32_t top_message; /* channel TOO_LONG: newest message id of its dialog */
    gap_tl_vector_t messages;
    gap_tl_vector_t encrypted;
    gap_tl_vector_t updates;
    gap_tl_vector_t chats;
    gap_tl_vector_t users;

    /* private: where gap_difference_next stands */
    gap_tl_iter_t iter;
    int64_t channel_id;
    int32_t last_id; /* message handed out last */
    uint32_t last_index;
    uint16_t flags; /* of all updates, or-ed */
    uint8_t stage;
    bool sorted;
};

/**
 * Open the answer of updates.getDifference or updates.getChannelDifference; checks all of it.
 *
 * @param bytes       Begins with the object. Pinned while @p out or an item is in use.
 * @param channel_id  The channel asked about; 0 for the common difference.
 * @return 0; GAP_E_TL malformed, or a channel difference where a common one was asked for and the
 * other way round; GAP_E_TL_ID unknown constructor inside; GAP_E_LIMIT. On failure nothing of it is
 * usable.
 */
GAP_NODISCARD int gap_difference_open(gap_bytes_t bytes, int64_t channel_id,
                                      struct gap_difference *out);
/**
 * The next item, in the order in which they are to be applied: early updates, new messages, new
 * encrypted messages, other updates, updatePtsChanged. Messages come by ascending id, whatever
 * their order in the answer (as long as there are no more than GAP_DIFFERENCE_SORT_MAX); the latest
 * messages of a channel's TOO_LONG are handed out like new ones. pts and pts_count are as sent and
 * not to be checked against the box that was asked about (messages: pts -1, count 0; box common, or
 * channel for messages of a channel). A messageEmpty is left out.
 * @return true with *out set, false at the end.
 */
bool gap_difference_next(struct gap_difference *d, struct gap_item *out);
/** The range of the ids of its messages. @return false: it has none. */
bool gap_difference_ids(const struct gap_difference *d, int32_t *lowest, int32_t *highest);
/** The id of the message that an update of GAP_ITEM_HAS_MESSAGE holds; 0: none. */
int32_t gap_item_message_id(gap_bytes_t update);

/* ---- results of calls -------------------------------------------------------------------------
 */

/** What the result of a call means to the engine. */
enum gap_result_kind {
    GAP_RESULT_NONE = 0, /* nothing */
    GAP_RESULT_UPDATES,  /* feed `updates` like a push */
    GAP_RESULT_AFFECTED, /* pts and pts_count of the common box, or of the channel addressed */
};

struct gap_result_view {
    enum gap_result_kind kind;
    gap_bytes_t updates; /* boxed Updates, maybe nested in the result (messages.invitedUsers ...) */
    int32_t pts;
    int32_t pts_count;
    int64_t channel_id; /* AFFECTED: the channel that the query addressed; 0: common */
    uint32_t method;    /* constructor of the query, wrappers taken off */
};

/**
 * Look at the answer of a call with the engine's eyes.
 *
 * @param query   The boxed query as sent; invokeWith... wrappers are looked through. May be empty.
 * @param result  The boxed result.
 * @param out     Always filled; kind NONE also for what can't be read.
 */
void gap_result_inspect(gap_bytes_t query, gap_bytes_t result, struct gap_result_view *out);

/* ---- short forms ------------------------------------------------------------------------------
 */

/**
 * Make an ordinary updateNewMessage of an updateShortMessage or updateShortChatMessage.
 *
 * @param item     With GAP_ITEM_SHORT.
 * @param self_id  User id of the account: sender of outgoing ones.
 * @param packet   New packet that holds the update, one reference, the caller's.
 * @param out      The item that replaces it: bytes in @p packet; same box, pts and count.
 * @return 0; GAP_E_NOMEM; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT malformed.
 */
GAP_NODISCARD int gap_short_expand(const gap_alloc_t *alloc, const struct gap_item *item,
                                   int64_t self_id, gap_packet_t **packet, struct gap_item *out);
/**
 * Make an ordinary updateNewMessage, or updateNewChannelMessage, of the updateShortSentMessage that
 * answered messages.sendMessage.
 *
 * @param item   With GAP_ITEM_SENT.
 * @param query  The boxed query, wrappers included.
 * @return 0; GAP_E_ARGUMENT the query is not messages.sendMessage to a user, basic group, channel
 * or self; GAP_E_NOMEM; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT.
 */
GAP_NODISCARD int gap_sent_expand(const gap_alloc_t *alloc, const struct gap_item *item,
                                  gap_bytes_t query, int64_t self_id, gap_packet_t **packet,
                                  struct gap_item *out);

#endif
