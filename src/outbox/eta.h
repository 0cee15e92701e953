/*
 * outbox/eta.h - when a row will go out at the earliest, and because of what.
 *
 * A lower bound: it counts only what has to pass before. Those are the rows of its chat before it,
 * one after the other, each at its time; gates; the chat's bucket; and of the account's bucket what
 * other chats will have taken by then: chats of the same class take turns with this one, as far as
 * they have rows and their own buckets let them.
 *
 *   gap_eta_begin(&eta, &row), gap_eta_other() for chats, gap_eta_end(&eta, &out)
 *
 * Pure: stored figures in, wall clock times of the storing client. Never fails.
 */
#ifndef GAP_OUTBOX_ETA_H
#define GAP_OUTBOX_ETA_H

#include "outbox/limits.h"

/** A bucket as it is on disk. */
struct gap_eta_bucket {
    int64_t at_us;
    int64_t millionths;
    bool stored; /* else it is full */
};

/** What is asked about. Strings are borrowed until the end. */
struct gap_eta_row {
    int64_t now_us;
    int64_t chat;   /* marked id; 0: none */
    uint64_t ahead; /* rows of its chat that wait before it, one that is under way included */
    bool under_way; /* it, or the first of those ahead, is leased: its call is taken already */
    int64_t not_before_us;      /* of itself and of rows ahead, the latest; 0: none */
    bool not_before_ahead;      /* it is one ahead that has it */
    gap_outbox_class_t urgency; /* of the chat: that of its oldest row */
    struct gap_eta_bucket account;
    struct gap_eta_bucket own;    /* its chat's */
    struct gap_rate account_rate; /* the three as the last client stored them */
    struct gap_rate user_rate;
    struct gap_rate group_rate;
    const struct gap_gate *gates; /* stored ones that concern its method and chat; open ones may be
                                     among them */
    size_t gate_count;
    const char *parked;       /* why its chat is parked, with a final 0; NULL: it is not */
    const char *bulk_stopped; /* likewise the account for bulk: PEER_FLOOD and its like */
    bool bulk;                /* the row, or one ahead of it, is of that class */
};

struct gap_eta {
    struct gap_eta_row row;
    struct gap_gate gate; /* the latest that is closed */
    int64_t chat_us;      /* what its own chat says */
    uint64_t others;      /* calls of other chats before it */
    bool stopped;
};

/** @param row Copied; its views are pinned until gap_eta_end. */
void gap_eta_begin(struct gap_eta *e, const struct gap_eta_row *row);
/** Can other chats matter? If not, there is no need to look for them (the first row of a chat may
 * be next). */
bool gap_eta_wants_others(const struct gap_eta *e);
/** Another chat that is neither parked nor snoozed nor behind a gate and whose oldest row is of the
 * same class as that of this row's chat. Leaving some out is honest, too.
 * @param rows Of it that wait, without one that is leased; no more than row.ahead are needed. */
void gap_eta_other(struct gap_eta *e, int64_t chat, uint64_t rows,
                   const struct gap_eta_bucket *bucket);
/** The answer: at_us, ahead, because. */
void gap_eta_end(const struct gap_eta *e, gap_outbox_eta_t *out);

#endif
