/*
 * sequence/history.h - messages of a range of ids, fetched page by page: what to ask next, and what
 * an answer (messages.Messages) holds. Pure.
 *
 * A page asks for all ids behind the last one, as many as it may name at once; so nothing depends
 * on how the server counts, and an empty page only means that these ids are gone.
 */
#ifndef GAP_SEQUENCE_HISTORY_H
#define GAP_SEQUENCE_HISTORY_H

#include "sequence/updates.h"

/** Ids of a page of messages.getHistory, and of messages.getMessages and channels.getMessages. */
#define GAP_HISTORY_PAGE     100
#define GAP_HISTORY_IDS_PAGE 200

/** An answer that has been opened. */
struct gap_history {
    gap_tl_vector_t messages;
    gap_tl_vector_t chats;
    gap_tl_vector_t users;

    /* private */
    int64_t channel_id;
    int32_t last;  /* id handed out last */
    int32_t up_to; /* none above it is handed out */
};

/**
 * Open a messages.Messages; checks all of it.
 *
 * @param bytes       Pinned while @p out or an item is in use.
 * @param channel_id  Whose messages were asked for; 0: those of the common box. Others are passed
 *                    over.
 * @param after       Ids up to this one are passed over,
 * @param up_to       and those above this one.
 * @return 0; GAP_E_TL malformed, or messages.messagesNotModified; GAP_E_TL_ID; GAP_E_LIMIT, also if
 *         there are more than 2 * GAP_HISTORY_IDS_PAGE messages.
 */
GAP_NODISCARD int gap_history_open(gap_bytes_t bytes, int64_t channel_id, int32_t after,
                                   int32_t up_to, struct gap_history *out);
/**
 * The next message by ascending id, whatever their order in the answer; each id once; a
 * messageEmpty is left out. The item is like one of a difference.
 * @return true with *out set, false at the end.
 */
bool gap_history_next(struct gap_history *h, struct gap_item *out);

#endif
