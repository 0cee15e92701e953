/*
 * outbox/answer.h - what the server's answer means for a row. One table has the names of errors
 * with what is done about each and a line for people: what happened, and what to do.
 *
 * Names and meaning: core.telegram.org/api/errors and the pages of the methods. A name that is not
 * in the table goes by its code: 420 wait, 500 and below 0 try again, 401 wait for the sign-in,
 * all others need people.
 *
 * Pure; any thread. Owns nothing.
 */
#ifndef GAP_OUTBOX_ANSWER_H
#define GAP_OUTBOX_ANSWER_H

#include "outbox/request.h"

/** What becomes of a row. */
enum gap_outcome_kind {
    GAP_OUTCOME_SENT,      /* done; message_id, if one is known */
    GAP_OUTCOME_UNCHANGED, /* done: it was so already (MESSAGE_NOT_MODIFIED) */
    GAP_OUTCOME_UNKNOWN,   /* no answer: repeat, probe or park by its replay class */
    GAP_OUTCOME_DUPLICATE, /* RANDOM_ID_DUPLICATE, the first call still runs: as UNKNOWN, wait
                              `seconds`, uses up no attempt; GAP_DUPLICATES_QUICK */
    GAP_OUTCOME_WAIT,      /* a limit: not before `seconds` have passed, for `scope`; uses up no
                              attempt */
    GAP_OUTCOME_RETRY,    /* it failed, and may be made again: back-off, at least `seconds`; uses up
                             an attempt, then dead. See `maybe_done` */
    GAP_OUTCOME_PARK_ROW, /* needs people, this row alone */
    GAP_OUTCOME_PARK_CHAT, /* needs people, nothing of this chat would go through */
    GAP_OUTCOME_STOP_BULK, /* PEER_FLOOD, a frozen account: class BULK stops until people release
                              it. The row waits with it if it is BULK, else it is parked */
    GAP_OUTCOME_DEAD,      /* will never be possible, and no one can help it */
    GAP_OUTCOME_GONE,      /* EDIT: MESSAGE_ID_INVALID, the message was deleted. Parked, but for
                              posts, which have a policy */
    GAP_OUTCOME_EXPIRED,   /* EDIT: MESSAGE_EDIT_TIME_EXPIRED. The same */
    GAP_OUTCOME_NOT_YET    /* of a probe only: it has not happened, make the call */
};

/** Whom a wait is for. */
enum gap_wait_scope {
    GAP_WAIT_ROW,    /* this row; its chat waits behind it */
    GAP_WAIT_METHOD, /* the method in this chat; a second chat within that time: the method */
    GAP_WAIT_SENDING /* everything that makes a message in this chat: slow mode */
};

/** Shortest and longest wait that the server is believed, seconds. */
#define GAP_WAIT_SECONDS_MIN 1U
#define GAP_WAIT_SECONDS_MAX (14U * 86400U)
/** After RANDOM_ID_DUPLICATE, and after errors that say "a moment, please". */
#define GAP_DUPLICATE_SECONDS 1U
/** So often; then with back-off, and after as many of these as a row has attempts it is parked:
 * after some 10 min, by default. */
#define GAP_DUPLICATES_QUICK 30U

/** GAP_OUTBOX_REASON_MAX, and an end. */
#define GAP_REASON_BYTES 161

struct gap_outcome {
    enum gap_outcome_kind kind;
    enum gap_wait_scope scope; /* WAIT */
    uint32_t seconds;          /* WAIT, DUPLICATE, RETRY: at least; clamped */
    int32_t message_id; /* SENT, UNCHANGED: the message made or changed, the first of several;
                           0: none */
    uint32_t parts;     /* SENT, FORWARD: messages that were forwarded, of as many as asked */
    bool maybe_done;    /* RETRY: it may have been carried out, so what comes is a repeat */
    int32_t error;      /* code of the rpc_error, or a result of this library; 0 */
    char reason[GAP_REASON_BYTES]; /* one line for people; "" for SENT */
};

/** What was asked: what a judge has to know. */
struct gap_asked {
    gap_outbox_kind_t kind; /* of the call: a post's is SEND, MEDIA or EDIT */
    gap_replay_t replay;    /* gap_outbox_replay() */
    int64_t random_id;      /* of the row, or 0 */
    uint32_t random_ids;    /* how many: 1; FORWARD: its messages */
    int32_t message_id;     /* EDIT, PIN, REACT: which; else 0 */
    bool repeated;          /* it was made before, and may have been done then */
};
/** Fill it for an item. @param target  As in gap_request. */
void gap_outbox_asked(const gap_outbox_item_t *item, int64_t random_id, int32_t target,
                      bool repeated, struct gap_asked *out);

/**
 * What an answer means.
 *
 * An answer that is no rpc_error but can't be read (GAP_E_TL, GAP_E_TL_ID, or no message_id in it
 * where there must be one) was a success: a row with a random_id is repeated to learn the message's
 * id (RETRY), others are SENT. An rpc_error of the 500s leaves open whether something was done:
 * RETRY where a repeat does no harm, with maybe_done, else UNKNOWN. All other errors say that
 * nothing was done. Without an answer (GAP_E_TIMEOUT, _DISCONNECTED, _CLOSED ...): UNKNOWN.
 *
 * @param result  Borrowed. @param out Always filled.
 */
void gap_outbox_judge(const gap_result_t *result, const struct gap_asked *asked,
                      struct gap_outcome *out);

/**
 * What the answer to gap_outbox_probe_query means.
 * @return by out->kind: SENT it has happened; NOT_YET make the call; PARK_ROW the message is gone;
 *         WAIT, RETRY, UNKNOWN, ... the question itself failed: ask again.
 */
void gap_outbox_probe_judge(const gap_result_t *result, const struct gap_asked *asked,
                            struct gap_outcome *out);

/** One updateMessageID. @return 0 go on; else it ends and is the result. */
typedef int (*gap_message_id_cb)(void *arg, int64_t random_id, int32_t message_id);
/**
 * Find every updateMessageID in an Updates object (all forms), an updates.Difference or an
 * updates.ChannelDifference. Other objects hold none.
 * @param object  Serialised; not trusted.
 * @return 0; what @p each returned; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT: those before the fault were
 * told.
 */
GAP_NODISCARD int gap_outbox_message_ids(gap_bytes_t object, gap_message_id_cb each, void *arg);

#endif
