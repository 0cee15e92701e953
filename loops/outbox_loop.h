/*
 * loops/outbox_loop.h - WHEN rows of an outbox are sent: the actor that works them off.
 *
 *   OPENING --> OPEN --stop--> STOPPED          any --close--> CLOSING -> CLOSED
 *
 *   look: has anything changed, what is new --> schedule --> turn: claim --> on disk --> call
 *         ^ poll, wake, a connection                           ^                          |
 *         |                                                    +-- outcome is stored <----+
 *
 * A look is a query on the writer thread, a turn is one function inside a commit: outcomes, limits
 * that were learned, claims of what may go next, posts that are due, rows that are old. One of each
 * is out at a time. What a turn says happens when it is on disk: a call is made after its claim is,
 * the host is told after the outcome is. If a turn fails nothing of it has happened; it is made
 * again.
 *
 * A row in hand:
 *
 *   claimed --> CLAIMED -> [FINDING] -> [PROBING] -> CALLING --> ENDED -> STORING -> free
 *                   \_________\_____________\________given back__^
 *
 * Everything here is for the loop thread; callbacks come from the runtime's ticks.
 */
#ifndef GAP_LOOPS_OUTBOX_LOOP_H
#define GAP_LOOPS_OUTBOX_LOOP_H

#include "loops/loop.h"
#include "loops/store_loop.h"

#include <gapless/outbox.h>

typedef struct gap_outbox gap_outbox_t;

/** Calls without an answer at most. */
#define GAP_OUTBOX_FLIGHT_MAX 64
/** Heads that one look brings. */
#define GAP_OUTBOX_LOOK_MAX 256
/** All chats are looked over, because of a change that no new row explains, at most so often; and
 * after other changes. */
#define GAP_OUTBOX_CHATS_US UINT64_C(1000000)
#define GAP_OUTBOX_STALE_US UINT64_C(30000000)
/** A turn that could not be stored is made again after this, doubling up to the second. */
#define GAP_OUTBOX_AGAIN_US     UINT64_C(100000)
#define GAP_OUTBOX_AGAIN_MAX_US UINT64_C(10000000)
/** Tables that can't be read or written are told at most so often, unless it is something else. */
#define GAP_OUTBOX_TROUBLE_US UINT64_C(600000000)
/** Old rows are removed with a turn that is made anyway, so many at a time, at most so often. */
#define GAP_OUTBOX_PRUNE_ROWS 1000
#define GAP_OUTBOX_PRUNE_US   UINT64_C(60000000)
/** While nothing waits, buckets that are full again are looked for at most so often. */
#define GAP_OUTBOX_TRIM_US UINT64_C(10000000)
/** Rows that may have been sent and are known by their random_id, besides those in hand. */
#define GAP_OUTBOX_UNKNOWN_MAX 256
/** Peers of one row that are looked for before it is given up. */
#define GAP_OUTBOX_FINDS_MAX 8
/** A row whose call could not be made for want of memory or room waits so long. */
#define GAP_OUTBOX_PAUSE_US UINT64_C(1000000)

/* Defaults of gap_outbox_config_t. */
#define GAP_OUTBOX_ATTEMPTS_MAX UINT32_C(10)
#define GAP_OUTBOX_RETRY_MIN_US UINT64_C(1000000)
#define GAP_OUTBOX_RETRY_MAX_US UINT64_C(600000000)
#define GAP_OUTBOX_POLL_US      UINT64_C(100000)
#define GAP_OUTBOX_DEBOUNCE_US  UINT64_C(2000000)
#define GAP_OUTBOX_KEEP_SENT_US UINT64_C(86400000000)

/** What the actor needs of an account. Every member is required. */
struct gap_outbox_hooks {
    /** May calls be made: signed in, connected? */
    bool (*ready)(void *arg);
    /** As gap_client_input_peer. */
    int (*address)(void *arg, gap_peer_t peer, uint8_t storage[GAP_INPUT_PEER_BYTES],
                   gap_tl_object_t *out);
    /** Look for a peer: @p found follows, from a tick. @return as gap_client_find_peer. */
    int (*find)(void *arg, gap_peer_t peer, gap_found_cb found, void *data);
    /** Make a call that is never repeated by itself; @p callback follows, from a tick. A call that
     * never went out ends with GAP_ENV_ECANCELED, one that may have with another status without
     * answer. @return as gap_client_call. */
    int (*call)(void *arg, gap_tl_object_t query, gap_call_cb callback, void *data);
    /** Something to be told; @p text is its line. */
    void (*event)(void *arg, gap_event_t event, const char *text);
    /** A row has come to something. */
    void (*row)(void *arg, const gap_outbox_row_t *row);
    /** gap_outbox_config.probe. @return false: there is none. */
    bool (*probe)(void *arg, const gap_outbox_row_t *row, gap_tl_object_t query);
    /** It is open, or can't be: @p status as gap_outdb_open, or GAP_E_STATE the storage has no SQL;
     * @p text its line. Once. What fails for a time only is tried again. */
    void (*opened)(void *arg, int status, const char *text);
    /** Stopped, and nothing is in hand. May come again. */
    void (*quiet)(void *arg);
    void *arg;
};

struct gap_outbox_setup {
    gap_store_t *store; /* pinned until closed */
    int64_t epoch;      /* of the account's opening: never the same twice */
    uint64_t jitter_seed;
    const gap_outbox_config_t *config;    /* copied */
    const struct gap_outbox_hooks *hooks; /* copied */
};

/** Open: `opened` follows. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int gap_outbox_open(gap_rt_t *rt, const struct gap_outbox_setup *setup,
                                  gap_outbox_t **out);
/** Look at the tables now: somebody has committed, or people have seen to something. */
void gap_outbox_look(gap_outbox_t *ob);
/** What the hooks say has changed: a connection is there, or gone. */
void gap_outbox_signal(gap_outbox_t *ob);
/** An updateMessageID has come. */
void gap_outbox_named(gap_outbox_t *ob, int64_t random_id, int32_t message_id);
/** The answer to a probe of the host's. @return 0, GAP_E_NOT_FOUND. */
GAP_NODISCARD int gap_outbox_happened(gap_outbox_t *ob, int64_t row, bool happened);
/** Claim nothing any more; rows that were not handed to the connection are given back. Idempotent.
 */
void gap_outbox_stop(gap_outbox_t *ob);
/** Is nothing in hand, and everything stored? */
bool gap_outbox_is_quiet(const gap_outbox_t *ob);
void gap_outbox_count(const gap_outbox_t *ob, gap_outbox_stats_t *out);
/** Close: once the calls have ended (somebody ends them) and what became of them has been stored,
 * or can't be, @p closed runs, once, from a tick; the memory is gone when it returns. */
void gap_outbox_close(gap_outbox_t *ob, void (*closed)(void *arg), void *arg);

#endif
