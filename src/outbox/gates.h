/*
 * outbox/gates.h - what the server said to wait for, and for whom: closed until a time.
 *
 *   FLOOD_WAIT_X       the method in this chat. If another chat's gate for the same method is still
 *                      closed then: the method, in all chats
 *   SLOWMODE_WAIT_X    the methods that send, in this chat
 *
 * X is taken as 1 s to 14 days. A gate that is open again is forgotten. At most GAP_GATES_MAX are
 * in memory; for one more the one that opens soonest is forgotten (the server will say so again;
 * its chat waits all the same, in the schedule).
 *
 * Times are those of gap_steady. Pure.
 */
#ifndef GAP_OUTBOX_GATES_H
#define GAP_OUTBOX_GATES_H

#include "base/heap.h"
#include "base/map.h"
#include "base/pool.h"

#define GAP_GATES_MAX        4096
#define GAP_GATE_MIN_US      INT64_C(1000000)
#define GAP_GATE_MAX_US      INT64_C(1209600000000) /* 14 days */
#define GAP_GATE_LEARNED_MAX 2
/** Instead of a method: all of them. */
#define GAP_GATE_ANY UINT32_C(0)
/** Instead of a method: those that send (slow mode). */
#define GAP_GATE_SENDING UINT32_C(1)

struct gap_gate {
    int64_t chat; /* marked id; 0: all chats */
    int64_t until_us;
    uint32_t method; /* constructor of a method, GAP_GATE_ANY, GAP_GATE_SENDING */
};

struct gap_gates {
    gap_map_t map;   /* hash of method and chat -> struct node */
    gap_heap_t heap; /* by until */
    gap_pool_t pool;
    uint64_t forgotten; /* closed ones, for want of room */
};

void gap_gates_init(struct gap_gates *g, const gap_alloc_t *alloc);
/** Safe twice. */
void gap_gates_fini(struct gap_gates *g);
/** A gate as it was stored. One that is open is not kept; `until_us` counts at most 14 days from
 * now. @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD int gap_gates_load(struct gap_gates *g, const struct gap_gate *gate, int64_t now_us);
/**
 * The server said: wait.
 *
 * @param method   Of the call. @param chat  It went to; 0: none.
 * @param wait_s   What it said; any number.
 * @param slow     SLOWMODE_WAIT.
 * @param learned  What is closed now: to be stored and told. The first one holds for this call, a
 *                 second one is the method for all chats.
 * @param count    Of these: 1 or 2.
 * @return 0; GAP_E_NOMEM: they are not kept in memory, but told and to be stored all the same.
 */
GAP_NODISCARD int gap_gates_learn(struct gap_gates *g, uint32_t method, int64_t chat,
                                  int64_t wait_s, bool slow, int64_t now_us,
                                  struct gap_gate learned[GAP_GATE_LEARNED_MAX], size_t *count);
/** Until when such a call has to wait. @param which The gate that decides; may be NULL; written if
 * there is one. @return 0: it need not; else above @p now_us. */
int64_t gap_gate_until(struct gap_gates *g, uint32_t method, int64_t chat, int64_t now_us,
                       struct gap_gate *which);
/** Gates that are closed. */
size_t gap_gates_count(struct gap_gates *g, int64_t now_us);
/** Is it one of the methods that slow mode holds back? */
bool gap_gate_sends(uint32_t method);

#endif
