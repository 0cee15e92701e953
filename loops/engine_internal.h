/*
 * loops/engine_internal.h - what the files of the engine share: its records, and who calls whom.
 *
 *   engine.c        open, start, close, the account's one timer
 *   engine_state.c  import, export      engine_peers.c  who is known, for those who address them
 *   engine_feed.c   bytes -> nodes in the arrivals (parses, never delivers)
 *   seq_loop.c      arrivals -> feeders; the order of containers
 *   feed_loop.c     one sequence's FIFO: apply, drop, hold, replay; delivers what was fetched
 *   episode.c       a hole: how long it waits, what it teaches
 *   update_loop.c   fetches differences until its sequence is whole
 *   turns.c         which channel asks next
 *   open_channels.c channels that somebody looks at, and those that are followed no more
 *   update_ask.c    the queries, and what the answers mean
 *   update_shrink.c answers that can't be read: finds the event that is to blame
 *   engine_mark.c   the watermarks: what may be stored
 *   engine_press.c  back-pressure, and watermarks that are kept back
 *   backfill.c      messages of a range that a difference skipped, by order of the program
 *   tail_sweep.c    looks for channels that went silent in a loss
 *   meanwhile.c     what a sequence does while its question is on its way
 *   engine_watch.c  the tap, the counters, the events of lost ranges
 *   doubt.c         is the server's count lower than ours?
 *   node.c          one update on its way      copies.c  memory for those that are held
 *
 * A sequence costs a `gap_track` for ever (64 bytes and its place in the map) and a `gap_active`
 * only while something is held, fetched or waited for. Updates that fit are delivered without one.
 */
#ifndef GAP_LOOPS_ENGINE_INTERNAL_H
#define GAP_LOOPS_ENGINE_INTERNAL_H

#include "base/map.h"
#include "base/pool.h"
#include "base/prng.h"
#include "loops/backfill.h"
#include "loops/copies.h"
#include "loops/engine.h"
#include "loops/loop.h"
#include "sequence/applied.h"
#include "sequence/ask.h"
#include "sequence/held.h"
#include "sequence/peers.h"
#include "sequence/room.h"
#include "sequence/sequence.h"
#include "sequence/shrink.h"
#include "sequence/turns.h"
#include "sequence/update.h"
#include "sequence/updates.h"
#include "sequence/wait.h"

/** Nodes that one batch of a loop handles. */
#define GAP_SEQ_BATCH_MAX  64
#define GAP_FEED_BATCH_MAX 64
/** Nodes of one slab. */
#define GAP_NODE_SLAB 128
/** Nodes in the arrivals, of all sequences: beyond it everything counts as behind. */
#define GAP_ARRIVALS_MAX (1U << 20)
/** Bytes pinned by updates in handlers that said GAP_LATER: above it the next ones are copied out
 * of their packets before their handlers see them. */
#define GAP_PINNED_MAX ((uint64_t)4 << 20)
/** Least time between a difference that did not bring an unknown peer and the next one asked for
 * because of an unknown peer. */
#define GAP_UNKNOWN_PEER_US UINT64_C(60000000)
/** Answers in a row that lead nowhere before the sequence goes on without them. */
#define GAP_FRUITLESS_MAX 6
/** A hole that the server's answers leave open is asked for again after pauses that double up to
 * this, */
#define GAP_FRUITLESS_PAUSE_US UINT64_C(15000000)
/** and given up, with an event, so long after the first of them: a server may be behind itself. */
#define GAP_FRUITLESS_US UINT64_C(60000000)
/** A gap's timer that fires later than this says that the host was away: the hole teaches nothing,
 * and is given a moment more in which what was on its way can arrive. */
#define GAP_WAIT_STALL_US UINT64_C(100000)
#define GAP_WAIT_REST_US  UINT64_C(20000)
/** An answer that takes this much longer than usual says that the connection stood still. */
#define GAP_WAIT_SOCKET_US UINT64_C(200000)
_Static_assert(GAP_ENGINE_GAP_WAIT_LAMBDA_US == GAP_WAIT_LAMBDA_US, "as the public header says");
_Static_assert(GAP_ENGINE_GAP_WAIT_US == GAP_WAIT_MAX_US, "as the public header says");
/** Positions that the oldest unfinished update of a sequence may be behind before it is to be kept
 * elsewhere; of a user's channel half of what its difference may have. */
#define GAP_WATERMARK_WINDOW 4096
/** Retry of what failed for lack of memory. */
#define GAP_SWEEP_US UINT64_C(1000000)

struct gap_node;
struct gap_track;
struct gap_feed;
struct gap_updater;
STAILQ_HEAD(gap_node_list, gap_node);
TAILQ_HEAD(gap_updater_list, gap_updater);

/** A loop that would call handlers or ask while the engine is held. */
struct gap_stall {
    STAILQ_ENTRY(gap_stall) next;
    gap_loop_t *loop;
    bool listed;
};
STAILQ_HEAD(gap_stall_list, gap_stall);

/** What a sequence counts besides applied updates. */
enum gap_watch_what {
    GAP_WATCH_DUPLICATE = 0,
    GAP_WATCH_GAP,
    GAP_WATCH_HEALED,
    GAP_WATCH_FETCHED,
    GAP_WATCH_ABANDONED,
    GAP_WATCH_BEHIND,
    GAP_WATCH_KINDS
};

enum gap_node_kind {
    NODE_UPDATE = 0,
    NODE_SILENT,      /* moves the position, nothing to deliver: affected*, messageEmpty */
    NODE_CONTAINER,   /* the unordered updates of a container with seq, in `rest` */
    NODE_TOO_LONG,    /* order to fetch `track`; update.pts is the hint or -1 */
    NODE_PTS_CHANGED, /* common pts starts anew */
    NODE_FETCH,       /* order to fetch the common difference */
};

enum gap_node_state {
    NODE_QUEUED = 0, /* in the arrivals, held, or in a container's rest */
    NODE_HANDLING,   /* its handler runs */
    NODE_FINISHED,   /* finished while its handler runs */
    NODE_LATER,      /* its handler said GAP_LATER */
    NODE_FAILED,     /* failed after GAP_LATER: the event is due */
    NODE_RETURNED,   /* given back unhandled at the end: it keeps its place in the ring */
};

/** An update on its way. */
struct gap_node {
    gap_update_t update;
    STAILQ_ENTRY(gap_node) next; /* arrivals, rest, failed */
    gap_engine_t *engine;
    struct gap_track *track;    /* its sequence; NULL: none */
    gap_packet_t *packet;       /* owns update.bytes */
    gap_packet_t *peers_packet; /* owns update.users and .chats; NULL: packet does */
    int status;                 /* of NODE_FINISHED, NODE_FAILED */
    union {
        struct gap_node_list rest; /* NODE_CONTAINER */
        struct {                   /* NODE_LATER, NODE_FAILED: a ring in order of delivery */
            struct gap_node *older;
            struct gap_node *newer;
        } ring;
    } u;
    uint8_t kind;
    uint8_t state;
    int32_t date;     /* NODE_CONTAINER; in the ring: the account's before it */
    bool unknown;     /* names a peer that is not known; a container: one of its updates does;
                       * NODE_TOO_LONG: has been put behind what came with it */
    bool copied;      /* its bytes are its own */
    bool former;      /* held: of a count that the server has ended since */
    uint64_t held_us; /* since when it is held */
    int32_t before;   /* of what a container orders, and in the ring: position before it */
};

/** One sequence, for ever. */
struct gap_track {
    int64_t channel_id;    /* 0: of the account */
    struct gap_feed *feed; /* NULL: a channel with nothing to do */
    struct gap_node *ring; /* updates in handlers that said GAP_LATER: the oldest; NULL: none */
    gap_sequence_t core;
    uint32_t queued;            /* nodes in the arrivals and held */
    int32_t read_max_id;        /* last updateReadChannelInbox delivered */
    int32_t handed;             /* position handed over last, 0: none */
    uint16_t behind;            /* events dropped on purpose since the last question */
    uint8_t sequence;           /* gap_sequence_kind_t */
    bool changed : 1;           /* since it was handed over */
    bool untracked : 1;         /* not followed: what comes is dropped */
    bool startup : 1;           /* named by the common difference of the start, not yet caught up */
    bool hash_tried : 1;        /* its access hash was looked for in vain */
    bool lost : 1;              /* no access */
    bool handed_unfinished : 1; /* as what it was handed over last */
    bool restored : 1;          /* from a former run, and no difference has been through since */
    bool ask : 1;               /* from a former run, unfinished: asked at the start */
    bool goes_on : 1;           /* its question is on its way, and what fits is applied */
    bool recorded : 1;          /* it has a record of what it counted, see engine_watch.c */
    bool hearsay : 1;           /* it stands where the server said; nothing of it was delivered */
    bool garbled : 1;           /* no difference could be read since a search ended in vain */
    bool pressed : 1;           /* its oldest unfinished is too far behind, and was not passed */
    bool based : 1;             /* a position of it is stored: gap_engine_is_based */
    uint32_t applied;           /* updates handed to the handler, modulo 2^32 */
    int32_t last_id;            /* highest id of a new message delivered */
};
_Static_assert(sizeof(struct gap_track) <= 64, "a sequence costs as little as that");

/** Events of it were dropped on purpose, or for lack of memory: they are fetched. */
static inline void gap_track_behind(struct gap_track *track, uint32_t events)
{
    uint32_t sum = track->behind + events;
    track->behind = (uint16_t)(sum > UINT16_MAX ? UINT16_MAX : sum);
}

/** How many events the server tells about a sequence in one difference; 0: as many as it takes. */
uint32_t gap_track_limit(const gap_engine_t *e, const struct gap_track *track);

/** The feeder: what a sequence needs while something is held or waited for. */
struct gap_feed {
    gap_loop_t loop;
    gap_engine_t *engine;
    struct gap_track *track;
    struct gap_updater *updater;
    struct gap_stall stall;
    gap_timer_t wait; /* runs while an episode is open and nothing is fetched */
    gap_held_t held;
    uint64_t opened_us;          /* when the episode began */
    uint32_t wait_us;            /* and how long it waits */
    uint64_t due_us;             /* when its timer is due */
    int32_t opened_from;         /* position before the hole */
    int32_t dropped_to;          /* where the last that was dropped on purpose ends; 0: none */
    int32_t dropped_from;        /* where a channel begins whose first were dropped; 0: none */
    int32_t held_to;             /* where the last of what is held ends */
    int32_t asked_to;            /* where its hole ended then */
    int32_t asked_at;            /* position when the question went out */
    int32_t frozen_at;           /* position when it was frozen */
    uint64_t frozen_us;          /* and when that was */
    uint8_t fruitless;           /* differences in a row that left its hole open */
    uint64_t barren_us;          /* since the first of them */
    uint64_t pause_us;           /* how long it waited after the last one */
    struct gap_applied *applied; /* new messages since the question went out; NULL: none */
    int32_t until;               /* what overlapped the position ends here; 0: none */
    bool asked;                  /* a difference has been through since the wait began */
    bool open;                   /* an episode is open: told by GAP_EVENT_GAP_OPENED */
    bool expired;                /* its wait is over, and it was not asked for yet */
    bool pressed;                /* its wait is shorter because the hole is pressing */
    bool asked_hole;             /* there was a hole when the question went out */
    bool hopeless;               /* no answer will fill it */
    bool keep;                   /* something held needs the answer, though it fits */
    bool asked_keep;             /* also when the question went out */
    bool moved;                  /* pushes were applied between question and answer */
    bool sampled;                /* it has taught how long a hole waits, or must not */
    bool former;                 /* some of what is held is of a former count */
};

enum gap_updater_state {
    UPDATER_IDLE = 0,
    UPDATER_QUEUED,     /* waits for its turn (channels) or for gap_engine_start */
    UPDATER_HASH,       /* waits for a common difference to bring the channel's access hash */
    UPDATER_ASKING,     /* a question is in flight */
    UPDATER_DELIVERING, /* its answer is at the head of the feeder's FIFO */
    UPDATER_BACKOFF,    /* the last question failed */
};

/** What came back, until the loop runs. */
struct gap_updater_answer {
    bool have;
    int status;
    struct gap_refusal refusal; /* status GAP_E_RPC */
    gap_bytes_t value;
    gap_packet_t *packet;
};

/** The updater: asks, one question at a time. */
struct gap_updater {
    gap_loop_t loop;
    gap_engine_t *engine;
    struct gap_track *track;       /* NULL: common, qts and seq */
    struct gap_feed *feed;         /* who delivers */
    TAILQ_ENTRY(gap_updater) next; /* in `turns` or `hashless` */
    gap_timer_t retry;
    struct gap_stall stall;
    uint8_t state;
    uint8_t turn;      /* gap_turn_class: of `turns`, if listed there */
    bool named;        /* the server said that there is more */
    bool spread;       /* its question of the start has been put off, or not */
    bool put_off;      /* it is now */
    bool stale;        /* untracked: what it asks or delivers is of no use */
    bool flooded;      /* FLOOD_WAIT is why it waits */
    bool want;         /* an order came since the last question */
    bool listed;       /* in `turns` or `hashless` */
    bool anew;         /* ask where the server stands (getState, getFullChannel), not what is new */
    bool owed;         /* the question in flight was not for holes alone */
    bool parts;        /* a slice has been delivered, and the rest has not come: its messages are as
                          they are now, so that no update of before may be applied after it */
    bool under_way;    /* answers came since the first question of this order */
    bool asked_anew;   /* that was the question in flight */
    uint8_t anew_why;  /* gap_engine_reason_t; NONE: at the start */
    bool resynced;     /* the hole was not filled but given up */
    bool delivered;    /* the feeder is through with the answer */
    bool slice;        /* and it said that more follows */
    bool probe;        /* the base is not known: ask from 1 */
    uint8_t useless;   /* answers without progress in a row */
    uint8_t refused;   /* positions that the server refused, in a row */
    bool offline;      /* it waits because there was no answer, not because of one */
    int32_t want_pts;  /* highest hint since the last question; 0: none */
    int32_t hinted;    /* highest hint since it was idle; 0: none */
    int32_t before;    /* position before what is being delivered */
    int32_t top_id;    /* newest message that a TOO_LONG named; 0: none */
    uint64_t pause_us; /* last back-off; 0: none */
    uint64_t asked_us; /* when the question went out */
    struct gap_updater_answer answer;
    struct gap_shrink shrink;         /* answers could not be read */
    struct gap_difference difference; /* being delivered */
    gap_packet_t *packet;             /* owns it */
};

/** What a channel has only while it is busy. */
struct gap_active {
    struct gap_feed feed;
    struct gap_updater updater;
    STAILQ_ENTRY(gap_active) next; /* to be looked at by the keeper */
    bool listed;
};
STAILQ_HEAD(gap_active_list, gap_active);

/** A channel that somebody looks at. */
struct gap_open {
    int64_t channel_id;
    uint32_t count;   /* how many do */
    uint64_t poll_us; /* when it is asked again; UINT64_MAX: once it has been asked */
};

/** The server's count may be lower than ours, see doubt.c. */
struct gap_doubt {
    int64_t channel_id; /* 0: the account's pts */
    int32_t position;   /* ours: once it moves there is no doubt */
    int32_t base;       /* the lowest place that showed since */
    int32_t highest;    /* that a push named */
    uint8_t pushes;     /* one above the other */
    uint8_t answers;    /* of the server's that stood below ours, in a row */
    uint64_t since_us;
    uint64_t due_us; /* when the server is asked; UINT64_MAX: not planned */
};
/** Sequences that are doubted at a time; the oldest doubt makes room. */
#define GAP_DOUBTS_MAX 8
/** Pushes below our position, each above the one before, over so long, that are no late ones. */
#define GAP_DOUBT_PUSHES  2
#define GAP_DOUBT_SPAN_US 10000000
/** Answers below our position that are believed, and the pause after the first of them; it
 * doubles. */
#define GAP_DOUBT_ANSWERS  3
#define GAP_DOUBT_PAUSE_US UINT64_C(5000000)

/** Losses that a difference has shown. */
struct gap_tail {
    int64_t lost; /* which sequence's was last; 0: none */
    uint64_t lost_us;
    uint64_t swept_us;
    bool swept;
};

struct gap_engine {
    gap_engine_config_t config;
    const gap_alloc_t *alloc;
    gap_rt_t *rt;
    gap_rt_t own_rt;
    bool owns_rt;
    bool started;      /* gap_engine_start was called */
    bool known;        /* the state is */
    bool fresh;        /* no state was handed over: what was before is no concern */
    bool told;         /* GAP_EVENT_STARTED */
    bool fetched_once; /* a common difference is through */
    bool missed;       /* until the common difference is there: it may name channels that began
                          meanwhile */
    bool caught_up;
    bool unauthorized;
    bool closing;
    bool dead;     /* own runtime: free after the tick */
    bool held;     /* gap_engine_hold */
    bool released; /* held no more: the loops put aside are to be woken */
    struct gap_stall_list stalled;
    bool queries_first;
    struct gap_node_list queries; /* these, if queries_first; else they are among the arrivals */
    uint32_t held_queries;        /* handed out since it is held */
    struct gap_stall backfill_stall;

    gap_loop_t keeper; /* gives idle records back, closes the engine */
    gap_loop_t seq;
    struct gap_node_list arrivals;
    uint32_t arrival_count;
    uint32_t plain_count; /* of these without a sequence, and in `queries` */
    uint32_t rest_count;  /* in containers that are queued or held */
    struct gap_node_list failed;
    uint64_t shed_untold;
    gap_map_t records; /* what sequences have counted */
    gap_pool_t record_pool;

    struct gap_track common[3]; /* by gap_sequence_kind_t */
    struct gap_feed feeds[3];
    struct gap_updater updater;
    gap_window_t window;
    int32_t date;
    gap_wait_t wait; /* how long holes wait */
    struct gap_tail tail;
    bool taint;        /* taint_us is to be now */
    uint64_t taint_us; /* holes that opened before teach nothing */

    gap_map_t channels;
    struct gap_track *last_track;
    gap_peers_t peers;
    struct gap_updates_memo memo; /* users and chats that came last */
    uint64_t memo_puts;           /* peers.puts when they had been learned */
    gap_pool_t nodes;
    gap_copies_t copies; /* of what is held */
    gap_pool_t tracks;
    gap_pool_t actives;
    gap_pool_t applied;                              /* struct gap_applied */
    struct gap_active_list idle;                     /* active records that may have become idle */
    struct gap_updater_list turns[GAP_TURN_CLASSES]; /* channels that wait for their turn */
    struct gap_turns turn_order;
    struct gap_floods floods;
    struct gap_updater_list hashless;
    struct gap_open open[GAP_ENGINE_OPEN_CHANNELS_MAX]; /* the first open_count of them */
    uint32_t open_count;
    uint32_t channel_inflight; /* the back-fill's included */
    struct gap_backfill backfill;
    struct gap_doubt doubts[GAP_DOUBTS_MAX]; /* the first doubt_count of them */
    uint32_t doubt_count;
    uint32_t starting;          /* channels with `startup` */
    struct gap_track **changed; /* channels with `changed` */
    size_t changed_count;
    size_t changed_cap;
    bool changed_all; /* and others: there was no memory for the list */
    bool notified;    /* config.changed was called, or is about to be */
    bool notify;      /* it is */
    struct {
        int32_t pts, qts, seq, date;
    } handed; /* handed over last */

    gap_timer_t house; /* always running: watchdog, put-off orders, sweep */
    uint64_t quiet_since_us;
    bool undecodable; /* an order was put off */
    bool sweep;
    uint64_t undecodable_us; /* not before */
    uint64_t unknown_us;     /* unknown peers are no reason before */
    gap_prng_t random;

    /* the container whose users and chats were copied last */
    gap_packet_t *peers_copy;
    gap_packet_t *peers_from; /* where they lie; referenced, so that its address is not reused */
    const uint8_t *peers_of;
    const uint8_t *chats_of;
    uint32_t users_len; /* bytes in the copy */
    uint32_t chats_len;
    size_t peers_at; /* where they begin in the copy */

    uint64_t loops_open; /* loops whose closed has not run */
    uint64_t inflight;   /* questions without an answer */
    void (*close_cb)(void *arg);
    void *close_arg;
    gap_engine_counters_t count;
};

/* engine.c */
void gap_engine_tell(gap_engine_t *e, const gap_engine_event_t *event);
gap_engine_event_t gap_engine_event(gap_engine_event_kind_t kind, const struct gap_track *track);
/** The feeder of @p track, made if there is none; NULL: out of memory (a sweep is planned). */
struct gap_feed *gap_engine_activate(gap_engine_t *e, struct gap_track *track);
/** @p track may have nothing to do any more: its record is looked at soon. */
void gap_engine_rest(gap_engine_t *e, struct gap_track *track);
/** Can the channel be asked? @p out may be NULL. */
bool gap_engine_hash(const gap_engine_t *e, int64_t channel_id, int64_t *out);
void gap_engine_sweep_later(gap_engine_t *e);
/** Something else than the way of an update took time (host, connection, FLOOD_WAIT): holes that
 * are open teach nothing, and are given a moment more. */
void gap_engine_taint(gap_engine_t *e);
/** The account's timer is needed earlier. */
void gap_engine_house(gap_engine_t *e);
/** @return NULL if not known (or out of memory, if @p make). */
struct gap_track *gap_engine_track(gap_engine_t *e, int64_t channel_id, bool make);
/** A loop has closed, or something that close waits for is over. */
void gap_engine_closed_one(gap_engine_t *e);
void gap_engine_check_closed(gap_engine_t *e);
void gap_engine_check_caught_up(gap_engine_t *e);
/** GAP_EVENT_STARTED, once the state is known. */
void gap_engine_tell_started(gap_engine_t *e);

/** It begins with a stored state, and is not yet through with what came since. */
static inline bool gap_engine_is_returning(const gap_engine_t *e)
{
    return !e->fresh && !e->caught_up;
}
/** Has the channel nothing to do? */
bool gap_engine_is_resting(const struct gap_track *track);
/** A channel without access, for which nothing is to be done: nothing is kept of it. */
void gap_engine_drop_lost(gap_engine_t *e, struct gap_track *track);

/* engine_state.c */
/** Begin with a state; NULL: with none. @p stored: what it says has been handed over already.
 * @return 0; GAP_E_ARGUMENT, GAP_E_NOMEM, GAP_E_LIMIT: a part of it may have been taken. */
GAP_NODISCARD int gap_engine_take_state(gap_engine_t *e, const gap_engine_state_t *s, bool stored);

/* engine_mark.c */
void gap_mark_changed(gap_engine_t *e, struct gap_track *track);
/** What would be handed over of @p track may have changed. */
static inline void gap_mark(gap_engine_t *e, struct gap_track *track)
{
    if (!track->changed) gap_mark_changed(e, track);
}
/** The position may have fallen: what is in handlers stands no higher. */
void gap_mark_fallen(gap_engine_t *e, struct gap_track *track);
/** Its handler said GAP_LATER. */
void gap_mark_later(struct gap_node *node);
/** And is through. */
void gap_mark_done(struct gap_node *node);
/** It is kept elsewhere: the watermark may pass it. */
void gap_mark_pass(struct gap_node *node);
/** Where its sequence falls back to if it is unfinished; while its handler runs. */
int32_t gap_mark_before(const struct gap_node *node);
/** The position below which everything has been handed out. */
int32_t gap_mark_delivered(const struct gap_track *track);
/** Call config.changed if it is due. */
void gap_mark_notify(gap_engine_t *e);
/** The account's date that may be stored. */
int32_t gap_mark_date(const gap_engine_t *e);
/** The position that may be stored. */
int32_t gap_mark_position(const struct gap_track *track);
/** The same of the account's pts; 0: the server counts anew, and has not said from where. */
int32_t gap_mark_pts(const gap_engine_t *e);
bool gap_mark_is_unfinished(const struct gap_track *track);
/** It stands where the server said, and updates of before that place may wait for their turn: the
 * lowest of these is where it begins. 0: there are too many to look at. */
int32_t gap_mark_beginning(const gap_engine_t *e, const struct gap_track *track);
/** What may be stored of a channel, without its access hash. */
gap_engine_channel_t gap_mark_channel(const gap_engine_t *e, const struct gap_track *track);

/* engine_press.c */
/** Put a loop aside until the engine is held no more. */
void gap_stall(gap_engine_t *e, struct gap_stall *stall, gap_loop_t *loop);
/** The keeper's: it may have been released. Asks. */
void gap_engine_resume(gap_engine_t *e);
/** Is its oldest unfinished update too far behind? Calls config.press, events. */
void gap_press(gap_engine_t *e, struct gap_track *track);
static inline void gap_press_check(gap_engine_t *e, struct gap_track *track)
{
    if (track->ring != NULL) gap_press(e, track);
}
/** Something was taken out of its ring. */
void gap_press_over(gap_engine_t *e, struct gap_track *track);

/* node.c */
/** The node of an update; NULL: it is none of an engine's. */
struct gap_node *gap_node_find(const gap_update_t *update);
/** @return a node with a reference to packet; NULL: out of memory. */
struct gap_node *gap_node_new(gap_engine_t *e, enum gap_node_kind kind, gap_packet_t *packet);
/** Fill in the update. */
void gap_node_fill(struct gap_node *node, const struct gap_item *item, const gap_tl_vector_t *users,
                   const gap_tl_vector_t *chats, gap_via_t via);
void gap_node_free(struct gap_node *node);
/** Have the processor fetch a node that will be needed soon; once it is there, its bytes. */
void gap_node_prefetch(const struct gap_node *node);
void gap_node_prefetch_bytes(const struct gap_node *node);
/** Is a peer that it names still not known? */
bool gap_node_is_unknown(const struct gap_node *node);
/** Make its bytes its own, so that it pins no packet; out of memory: it goes on pinning. */
void gap_node_detach(struct gap_node *node);
/** Free them untold: close has begun. */
void gap_node_drop_failed(gap_engine_t *e);
/** Let go of the users and chats that were copied last. */
void gap_node_forget_copy(gap_engine_t *e);
/** Hand to the handler; the node is gone or LATER afterwards. */
void gap_node_deliver(struct gap_node *node);
/** Tell of the updates that failed after GAP_LATER. */
void gap_node_tell_failed(gap_engine_t *e);
/** Deliver a container's rest and free it. */
void gap_node_deliver_rest(struct gap_node *node);

/* engine_peers.c */
/** Users and chats have been learned: gap_engine_config.peers. */
void gap_engine_tell_peers(gap_engine_t *e, gap_tl_vector_t users, gap_tl_vector_t chats);

/* engine_feed.c */
/** Put an item of a difference that belongs to another sequence into the arrivals. The node is
 * taken. @return false: out of memory. */
GAP_NODISCARD bool gap_engine_pass_on(gap_engine_t *e, const struct gap_item *item,
                                      struct gap_node *node);

/* seq_loop.c */
extern const struct gap_loop_class gap_seq_loop_class;

/* feed_loop.c */
extern const struct gap_loop_class gap_feed_loop_class;
void gap_feed_init(struct gap_feed *f, gap_engine_t *e, struct gap_track *track,
                   struct gap_updater *u);
/** The next update of a sequence has come. Taken. */
void gap_feed_take(gap_engine_t *e, struct gap_track *track, struct gap_node *node);
/** What a channel begins with is held until all that came at once is there: begin now. Calls
 * handlers. */
void gap_feed_settle(gap_engine_t *e, struct gap_track *track);
/** An account that begins took the server's word for where the channel stands. What came from
 * before that place while a question was on its way from there is in no answer: deliver it. */
void gap_feed_begin(struct gap_feed *f);
/** Stop: a difference is wanted. Nothing happens to one that is frozen. */
void gap_feed_freeze(struct gap_feed *f);
/** No question is on its way for the time being: go on with what comes. A hole that was asked for
 * is asked for again. @p always: nothing is wanted any more. */
void gap_feed_release(struct gap_feed *f, bool always);
/** Is there a hole whose wait is over? */
static inline bool gap_feed_is_due(const struct gap_feed *f)
{
    return f->open && f->expired;
}
/** Go on: the position is set. @p resynced: the hole was given up. */
void gap_feed_thaw(struct gap_feed *f, bool resynced);
/** The position has been set to another one than @p from, with a hole that nobody fills: deliver
 * what is held and was counted in between, or before the count began anew. Calls handlers. */
void gap_feed_flush(struct gap_feed *f, int32_t from);
/** The same where the newest messages, of these ids, are about to be delivered: what comes along
 * with them is dropped. The position may not be known yet: it is @p from still. Calls handlers. */
void gap_feed_flush_for(struct gap_feed *f, int32_t from, int32_t lowest, int32_t highest);
/** The count is about to begin anew: drop what is held and was applied, and mark the rest, so that
 * it is not taken for the new count's. Calls handlers. */
void gap_feed_purge(struct gap_feed *f);
/** Drop everything held. */
void gap_feed_drop(struct gap_feed *f);
/** Wait for nothing any more. */
void gap_feed_stop(struct gap_feed *f);

/* episode.c */
/** Is the wait learned, neither fixed nor the caller's own policy? */
bool gap_episode_is_learned(const gap_engine_config_t *c);
/** @param to Where what shows the hole ends. @param since_us When its first sign came. */
void gap_episode_open(struct gap_feed *f, int32_t to, uint64_t since_us);
void gap_episode_close(struct gap_feed *f, bool fetched, bool resynced);
/** One more is held: those that wait pay for the wait. */
void gap_episode_hurry(struct gap_feed *f);
/** What it teaches. @param fetched A difference filled it. */
void gap_episode_sample(struct gap_feed *f, bool fetched);
/** The timer. */
void gap_episode_over(gap_rt_t *rt, gap_timer_t *timer);
/** A difference did not bring what is missing. */
void gap_episode_stays(struct gap_feed *f);
/** Its wait was interrupted: it goes on. */
void gap_episode_on(struct gap_feed *f);

/* doubt.c */
/** A push of a sequence says that it was applied before: from..to is not above the position. */
void gap_doubt_push(gap_engine_t *e, const struct gap_track *track, int32_t from, int32_t to);
/** The server says where it stands. @return true: lower than we do, and that is to be believed now.
 */
GAP_NODISCARD bool gap_doubt_answer(gap_engine_t *e, const struct gap_track *track,
                                    int32_t position);
/** The place to go on from. The doubt is over. */
int32_t gap_doubt_base(gap_engine_t *e, const struct gap_track *track);
/** When the next is to be asked about; UINT64_MAX: none. */
uint64_t gap_doubt_due_us(const gap_engine_t *e);
/** Ask about those that are due. */
void gap_doubt_poll(gap_engine_t *e);

/* tail_sweep.c */
/** A difference has shown that so many events of it were lost. */
void gap_tail_lost(struct gap_feed *f, int64_t events);

/* meanwhile.c */
/** A difference is wanted: freeze, unless it may go on until the answer. */
void gap_feed_ordered(struct gap_feed *f);
/** The question goes out. */
void gap_feed_asked(struct gap_feed *f);
/** The answer is there: freeze until it has been delivered. */
void gap_feed_answered(struct gap_feed *f);
/** The question is settled, or failed. */
void gap_feed_settled(struct gap_feed *f);
/** May the update be looked at while the question is on its way? false: freeze. */
bool gap_meanwhile_may(struct gap_feed *f, const struct gap_node *n);
/** It was applied. */
void gap_meanwhile_applied(struct gap_feed *f, const struct gap_node *n);
/** Was this item of the answer applied meanwhile? May turn a message into an edit of it. */
bool gap_meanwhile_had(struct gap_feed *f, struct gap_item *item);
/** A held edit that a slice has brought already, with its message as it is after it? */
bool gap_meanwhile_anticipated(const struct gap_feed *f, const struct gap_node *n);

/* update_loop.c */
extern const struct gap_loop_class gap_update_loop_class;
void gap_updater_init(struct gap_updater *u, gap_engine_t *e, struct gap_track *track,
                      struct gap_feed *feed);
void gap_updater_fini(struct gap_updater *u);
void gap_updater_for_each_feed(struct gap_updater *u, void (*fn)(struct gap_feed *f));
/** An order to fetch; freezes at once. @p hint: a pts that the sequence should reach, 0: none. */
void gap_updater_want(struct gap_updater *u, int32_t hint);
/** There is a connection again: a pause that only the lack of one caused is over. */
void gap_updater_hurry(struct gap_updater *u);
/** A hole's wait is over: gap_feed_is_due. */
void gap_updater_hole(struct gap_updater *u);
/** Ask where the server stands. */
void gap_updater_want_anew(struct gap_updater *u, gap_engine_reason_t why);
/** Does an item of its difference belong to another sequence? */
bool gap_updater_is_foreign(const struct gap_updater *u, const struct gap_item *item);
/** The feeder has delivered the answer. */
void gap_updater_delivered(struct gap_updater *u);
/** Its turn has come: ask. */
void gap_updater_turn(struct gap_updater *u);
/** Out of the line that it waits in. */
void gap_updater_unlist(struct gap_updater *u);
/** If its pause is over it asks now. */
void gap_updater_due(struct gap_updater *u);
/** A common difference is through: channels that waited for a hash try again. */
void gap_updater_retry_hashless(gap_engine_t *e);
void gap_updater_fail(struct gap_updater *u, int error, int32_t code, gap_engine_reason_t why,
                      uint64_t pause_us);
void gap_updater_finish(struct gap_updater *u);

/* turns.c */
void gap_turns_open(gap_engine_t *e);
/** A channel's updater, QUEUED, gets in line, and asks if it may at once. */
void gap_turn_wait(struct gap_updater *u);
/** Out of the line, if it is in it. */
void gap_turn_leave(struct gap_updater *u);
/** It may have become more urgent. */
void gap_turn_better(struct gap_updater *u);
/** Let waiting channels ask. */
void gap_turns_go(gap_engine_t *e);
/** May something ask that comes after all of them? */
bool gap_turns_are_over(const gap_engine_t *e);
/** The server told @p u to wait. */
void gap_turns_flooded(struct gap_updater *u, uint64_t pause_us);
/** When the line may go on after a block; UINT64_MAX: nobody waits. */
uint64_t gap_turns_due_us(const gap_engine_t *e);

/* open_channels.c */
bool gap_open_is(const gap_engine_t *e, int64_t channel_id);
/** A channel's updater is through: if it is open it asks again after @p u->timeout. */
void gap_open_finished(struct gap_updater *u);
/** Ask those that are due. */
void gap_open_poll(gap_engine_t *e);
/** When the next one is; UINT64_MAX: none. */
uint64_t gap_open_due_us(const gap_engine_t *e);
/** Untracked while an updater was at work: it is idle again. Calls events. */
void gap_open_unfollowed(struct gap_updater *u);

/* update_ask.c */
/** @return 0 in flight; negative: not sent. */
GAP_NODISCARD int gap_updater_ask(struct gap_updater *u);
void gap_updater_answered(struct gap_updater *u);
/** The state that the difference leads to. @return true if it goes on with a further slice. */
bool gap_updater_take_state(struct gap_updater *u);
/** Tell that what lay between @p from and the position is given up. */
void gap_updater_resynced(struct gap_updater *u, struct gap_track *track, int32_t from,
                          gap_engine_reason_t why);
/** Ask again, without a pause. */
void gap_updater_again(struct gap_updater *u);

/* update_shrink.c */
/** The answer could not be decoded, or the place that was asked from is refused. */
void gap_updater_unreadable(struct gap_updater *u, int error, int32_t code);
/** It could. @return true to use it; false: it was a search's, and the next question is under way.
 */
bool gap_updater_readable(struct gap_updater *u);

static inline bool gap_updater_is_common(const struct gap_updater *u)
{
    return u->track == NULL;
}

#include "loops/engine_watch.h"

#endif
