/*
 * sequence/ask.h - what the server's answers to the engine's questions mean, apart from the
 * differences themselves (those are in sequence/updates.h). Pure.
 */
#ifndef GAP_SEQUENCE_ASK_H
#define GAP_SEQUENCE_ASK_H

#include <gapless/tl.h>

enum gap_refusal_kind {
    GAP_REFUSAL_RETRY = 0, /* PERSISTENT_TIMESTAMP_OUTDATED, HISTORY_GET_FAILED, 500 ...: later */
    GAP_REFUSAL_FLOOD,     /* 420: not before `seconds` have gone by */
    GAP_REFUSAL_POSITION,  /* PERSISTENT_TIMESTAMP_INVALID, _EMPTY: our pts is refused */
    GAP_REFUSAL_NO_ACCESS, /* CHANNEL_PRIVATE, CHANNEL_INVALID, CHANNEL_PUBLIC_GROUP_NA */
    GAP_REFUSAL_SIGNED_OUT /* 401 */
};

struct gap_refusal {
    enum gap_refusal_kind kind;
    int32_t code;
    uint32_t seconds; /* FLOOD: at least 1 */
};

/** Classify an rpc_error. @param text As it came. */
struct gap_refusal gap_refusal_read(int32_t code, gap_bytes_t text);

struct gap_server_state {
    int32_t pts;
    int32_t qts;
    int32_t date;
    int32_t seq;
};

/** Read an updates.State. @return 0, GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT. */
GAP_NODISCARD int gap_server_state_read(gap_bytes_t bytes, struct gap_server_state *out);
/** Read the pts out of a messages.ChatFull about a channel. @return 0; GAP_E_TL (not a channel
 * too), GAP_E_TL_ID, GAP_E_LIMIT. */
GAP_NODISCARD int gap_full_channel_read(gap_bytes_t bytes, int64_t channel_id, int32_t *pts);

#endif
