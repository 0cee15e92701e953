/*
 * outbox/schedule.h - which chat is next: fair, urgent ones first, within the limits.
 *
 *            add                next                      sent, then done
 *   unknown ----> READY <----------------------> IN FLIGHT ----+--> READY or BLOCKED
 *                   |  ^    back: did not leave                \--> unknown, if drop was said
 *                   v  | its time has come
 *                  BLOCKED: its bucket is empty, a gate is closed, or gap_schedule_block
 *
 * A chat stands in the class of its oldest row and has one row under way at a time. Every row costs
 * one call, so chats of a class simply take turns: with k of them nobody waits for more than k
 * turns of the class. Classes share what the account has in proportion 12 : 3 : 1 (replies, edits,
 * bulk) as long as all of them have something to do, replies first within each round; a class that
 * has nothing leaves its share to the others. Edits and bulk leave something in the account's
 * bucket (gap_limits_keep) while nobody more urgent waits, so that a reply goes at once; it is
 * there for whoever's turn it is when one does, so that nobody starves. An eighth of the places in
 * flight is left to replies.
 *
 * A blocked chat is one entry of a heap: no timer, nothing to do until its time. A chat that has
 * nothing to send is not known. At most chats_max are: add says FULL, and whoever reads them pauses
 * until gap_schedule_room. (Chats that are not in have waited since: whoever goes on does so where
 * it stopped, round and round, so that they come in.)
 *
 * Times are those of gap_steady. Pure. next, done, block are O(log n); next moves at most
 * GAP_SCHEDULE_STEPS_MAX chats in one call (when a gate closes or opens that concerns many), and
 * gap_schedule_next_time is in the past then: call it again.
 */
#ifndef GAP_OUTBOX_SCHEDULE_H
#define GAP_OUTBOX_SCHEDULE_H

#include "outbox/limits.h"

/** Chats with something to send in memory. */
#define GAP_OUTBOX_CHATS_MAX 65536
/** Calls without an answer. */
#define GAP_OUTBOX_IN_FLIGHT 64
/** Chats that one gap_schedule_next moves. */
#define GAP_SCHEDULE_STEPS_MAX 1024

/** gap_schedule_next(): nobody, now. */
#define GAP_SCHEDULE_NONE 1
/** gap_schedule_add(): it is known already. */
#define GAP_SCHEDULE_KNOWN 1
/** gap_schedule_add(): no room. Not taken in. */
#define GAP_SCHEDULE_FULL 2

struct gap_turn;
TAILQ_HEAD(gap_turns_ready, gap_turn);

struct gap_schedule {
    const gap_alloc_t *alloc;
    struct gap_limits *limits;
    gap_map_t map; /* chat -> struct gap_turn */
    gap_pool_t pool;
    gap_heap_t blocked;
    struct gap_turns_ready ready[GAP_OUTBOX_BULK + 1]; /* by class; 0 is unused */
    uint32_t credit[GAP_OUTBOX_BULK + 1];              /* turns left in this round */
    size_t chats_max;
    uint32_t in_flight_max;
    uint32_t in_flight;
    bool busy; /* the last next ended before it was through */
};

/** What is known of a chat. */
struct gap_schedule_head {
    int64_t row; /* as last told; 0: not known */
    bool oldest; /* that one was read as its oldest row, and rows only come behind it */
    uint32_t method;
    gap_outbox_class_t urgency;
    bool in_flight;
    bool blocked;
};

/** @param limits Pinned. @param chats_max 0: GAP_OUTBOX_CHATS_MAX. @param in_flight_max 0:
 * GAP_OUTBOX_IN_FLIGHT. */
void gap_schedule_init(struct gap_schedule *s, const gap_alloc_t *alloc, struct gap_limits *limits,
                       size_t chats_max, uint32_t in_flight_max);
/** Safe twice. */
void gap_schedule_fini(struct gap_schedule *s);

/**
 * A row of a chat waits. If the chat is known only that is remembered: while it is in flight, a
 * gap_schedule_drop will not forget it.
 *
 * @param chat     Marked id; 0: about no chat.
 * @param urgency  REPLY, EDITS or BULK; anything else counts as BULK.
 * @param method   What the row calls (gates are looked up by it); 0: not known yet.
 * @param row      Its number.
 * @return 0; GAP_SCHEDULE_KNOWN; GAP_SCHEDULE_FULL; GAP_E_NOMEM; GAP_E_ARGUMENT INT64_MIN is no
 *         chat.
 */
GAP_NODISCARD int gap_schedule_add(struct gap_schedule *s, int64_t chat, gap_outbox_class_t urgency,
                                   uint32_t method, int64_t row, int64_t now_us);
/** Can another chat be taken in? */
bool gap_schedule_room(const struct gap_schedule *s);
/**
 * Whose turn it is. The chat is in flight from now on and one call is taken from the buckets: store
 * them (gap_limits_store) with the claim, before the call leaves. Ends with gap_schedule_done or
 * gap_schedule_back.
 * @return 0; GAP_SCHEDULE_NONE; GAP_E_NOMEM, nothing was taken.
 */
GAP_NODISCARD int gap_schedule_next(struct gap_schedule *s, int64_t now_us, int64_t *chat);
/** When to call next again. @return at most @p now_us: at once; INT64_MAX: not before something
 * else happens (add, done, unblock, gap_limits_stop_bulk). */
int64_t gap_schedule_next_time(struct gap_schedule *s, int64_t now_us);
/** The claim is on disk, the call leaves now. In flight only. May be left out: it counts as having
 * left at done then, which is slower. */
void gap_schedule_sent(struct gap_schedule *s, int64_t chat, int64_t now_us);
/** The answer is stored, or there will be none: the chat's next row may follow. Learn gates first.
 * A chat that is not in flight: no-op. */
void gap_schedule_done(struct gap_schedule *s, int64_t chat, int64_t now_us);
/** The claim came to nothing (nothing there, not before a time, another head than was thought), or
 * was taken back: the call did not leave. The chat has its next turn at the end of the queue. Only
 * before gap_schedule_sent. A chat that is not in flight: no-op. */
void gap_schedule_back(struct gap_schedule *s, int64_t chat, int64_t now_us);
/** What its next row is now. No-op if the chat is not known. In flight: from done on.
 * @param oldest  It was read as the oldest one that waits, not just as one that does. */
void gap_schedule_set_head(struct gap_schedule *s, int64_t chat, gap_outbox_class_t urgency,
                           uint32_t method, int64_t row, bool oldest, int64_t now_us);
/** @return false: it is not known. */
bool gap_schedule_head(const struct gap_schedule *s, int64_t chat, struct gap_schedule_head *out);
/** Not before a time (not_before, back-off): in flight: after done or back. No-op if the chat is
 * not known. @param until_us INT64_MAX: until gap_schedule_unblock. */
void gap_schedule_block(struct gap_schedule *s, int64_t chat, int64_t until_us, int64_t now_us);
/** Look at it again: what it waited for may be over. No-op if not blocked. */
void gap_schedule_unblock(struct gap_schedule *s, int64_t chat, int64_t now_us);
/** The same for all chats: the wall clock was set, gates or limits changed. */
void gap_schedule_recheck(struct gap_schedule *s, int64_t now_us);
/** Nothing of it waits, or it is parked: forget it; in flight: at done or back, unless add was
 * called meanwhile. No-op if not known. */
void gap_schedule_drop(struct gap_schedule *s, int64_t chat);
/** Chats that are known. */
size_t gap_schedule_count(const struct gap_schedule *s);

#endif
