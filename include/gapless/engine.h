/*
 * gapless/engine.h - the gap engine alone: one account's updates, complete, in order and once, for
 * a program that has an MTProto stack of its own.
 *
 *   received Updates --gap_engine_feed----> +--------+ --handler--> every update once, in order
 *   answers to calls --gap_engine_result--> | engine | --event----> what happened to the stream
 *   the clock        --gap_engine_tick----> +--------+ --invoke---> getDifference and its kind
 *
 * The engine knows no socket, no thread and no clock. Bytes come by gap_engine_feed; it calls the
 * server through one function, invoke; it runs in gap_engine_tick, which the program calls after it
 * has read its socket, and again when gap_engine_timeout_ms says so:
 *
 *   gap_engine_open; once signed in: gap_engine_start; then for ever
 *       wait for the socket, at most gap_engine_timeout_ms
 *       read it: Updates to gap_engine_feed, rpc_results to whoever asked
 *       gap_engine_tick(engine, now_us, everything was read)
 *
 * One thread at a time may use an engine, always the same one ("the thread" below); engines are
 * independent of each other. Handlers and events are called from ticks only, never from inside
 * gap_engine_feed, _result, _missed or _undecodable. From inside a handler or an event every
 * function here may be called but gap_engine_tick and, where it says so, gap_engine_collect.
 *
 * Rules of the sequences: core.telegram.org/api/updates.
 */
#ifndef GAPLESS_ENGINE_H
#define GAPLESS_ENGINE_H

#include <gapless/decision.h>
#include <gapless/update.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The updates of one account. Opaque. */
typedef struct gap_engine gap_engine_t;

/** gap_engine_feed: the update was dropped on purpose and will be fetched by a difference. */
#define GAP_BEHIND 1
/** gap_engine_result: the result holds nothing that concerns the engine. */
#define GAP_UNCONCERNED 2
/** How long a gap waits for its missing update according to core.telegram.org/api/updates: for
 * those who set a fixed gap_engine_config.gap_wait_us. A learned wait is never longer. */
#define GAP_ENGINE_GAP_WAIT_US UINT32_C(500000)
/** Default of gap_engine_config.gap_wait_lambda_us. */
#define GAP_ENGINE_GAP_WAIT_LAMBDA_US UINT32_C(100000)
/** Default of gap_engine_limits.inbox: updates held and queued of one sequence. */
#define GAP_ENGINE_INBOX_MAX 4096
/** Default of gap_engine_limits.overflow: updates waiting in the engine, of all sequences, up to
 * which a channel of a user's account may go beyond its inbox. */
#define GAP_ENGINE_OVERFLOW_MAX 65536
/** Default of gap_engine_limits.channel_requests: channel differences in flight. */
#define GAP_ENGINE_CHANNEL_REQUESTS_MAX 10
/** Default of gap_engine_limits.start_spread_us: over how long the questions of the start about
 * single channels are spread. */
#define GAP_ENGINE_START_SPREAD_US UINT32_C(500000)
/** Channels that may be open at a time (gap_engine_open_channel). */
#define GAP_ENGINE_OPEN_CHANNELS_MAX 10
/** Limit of getChannelDifference, for users and for bots: events. */
#define GAP_ENGINE_USER_LIMIT 100
#define GAP_ENGINE_BOT_LIMIT  100000
/** Default of gap_engine_limits.idle_us: silence after which the account asks for a difference. */
#define GAP_ENGINE_IDLE_US (UINT64_C(15) * 60 * 1000000)
/** Back-fills that wait or are at work. */
#define GAP_ENGINE_BACKFILLS_MAX 64
/** Back-off after a failed difference: first pause and the cap it doubles up to. */
#define GAP_ENGINE_RETRY_MIN_US UINT64_C(1000000)
#define GAP_ENGINE_RETRY_MAX_US UINT64_C(60000000)
/** Least time between two differences of gap_engine_config.tail_sweep. */
#define GAP_ENGINE_TAIL_SWEEP_US UINT64_C(15000000)
/** Least time between two differences asked for because of bytes that could not be read. */
#define GAP_ENGINE_UNDECODABLE_US UINT64_C(10000000)

/** The server's answer to a query. Borrowed, as are its views. */
typedef struct gap_answer {
    /** 0 an answer is in `value`; GAP_E_RPC the server said no; any other failure: no answer. */
    int status;
    int32_t error_code;     /* GAP_E_RPC: 400, 420 ... */
    gap_bytes_t error_text; /* GAP_E_RPC: the text as it came: "FLOOD_WAIT_15" */
    gap_bytes_t value;      /* the boxed result, unpacked if it was gzip_packed */
    gap_packet_t *packet;   /* owns value (the engine takes its own reference), or NULL: copied */
} gap_answer_t;

/**
 * Takes the answer to a query: the @p cb of gap_invoke_cb. It stores the answer and calls nobody
 * back; the engine acts upon it in its next tick.
 *
 * @param answer_arg  As invoke was given it.
 * @param answer      Borrowed. An answer that can't be kept for lack of memory counts as none: the
 *                    query is sent again.
 * The thread.
 */
typedef void (*gap_answer_cb)(void *answer_arg, const gap_answer_t *answer);

/**
 * How the engine calls the server: updates.getState, updates.getDifference,
 * updates.getChannelDifference, channels.getFullChannel; for a back-fill messages.getHistory,
 * messages.getMessages, channels.getMessages. Called from ticks. The program sends the
 * query as it sends its own; the connection must have announced a layer whose objects this library
 * knows (invokeWithLayer with the one <gapless/tl_api.h> was made from).
 *
 * @param arg    gap_engine_config.invoke_arg.
 * @param query  A method, to be serialised (gap_tl_write) before the call returns. Borrowed.
 * @param cb     To be called exactly once if 0 is returned: from anywhere on the loop thread, but
 *               never from inside invoke. When the engine is closed every call still open must be
 *               answered (GAP_E_CLOSED will do): the engine is not closed before.
 * @return 0; negative: not sent, @p cb must not be called; the engine tries again later.
 */
typedef int (*gap_invoke_cb)(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg);

/** What the engine tells. */
typedef enum gap_engine_event_kind {
    /** The state is known (fresh: asked from the server; or handed over); updates flow. Once. */
    GAP_EVENT_STARTED = 0,
    /** The common difference of the start, and those of the channels it named, are dispatched.
     * Once. */
    GAP_EVENT_CAUGHT_UP,
    /** An update is missing behind `from`; one that ends at `to` has come. */
    GAP_EVENT_GAP_OPENED,
    /** The sequence is whole again, up to `to`; `fetched`: a difference was needed. `us`: how long
     * it was held up. */
    GAP_EVENT_GAP_FILLED,
    /** What lay between `from` and `to` can't be had, though the server never said so: its answers
     * don't bring it, can't be decoded, or the channel can't be asked. These events are lost to the
     * sequence; `reason` is why. */
    GAP_EVENT_GAP_ABANDONED,
    /** The server says that it can't tell what lay between `from` and `to` (difference too long,
     * reset, position refused): these events are lost to the sequence; `reason` is why. from or to
     * 0: not known. `last_id` and `top_id` are what gap_engine_backfill wants to know. */
    GAP_EVENT_RESYNCHRONISED,
    /** No access to the channel any more (`error`); its state is dropped. */
    GAP_EVENT_CHANNEL_LOST,
    /** A difference failed or was of no use; tried again in `us`. */
    GAP_EVENT_DIFFERENCE_FAILED,
    /** There was no room for what came of the sequence: the events behind `from`, up to `to` (0:
     * not known), are fetched now. `reason` GAP_REASON_TOO_LONG: in a channel these are more than
     * half of what a difference may have, and the server may refuse to tell them. Also, once per
     * stretch, if handlers are so far behind that this holds after a restart. */
    GAP_EVENT_BEHIND,
    /** An update that no difference brings back was dropped (out of memory, overload). */
    GAP_EVENT_SHED,
    /** The account is signed out: nothing is asked any more. */
    GAP_EVENT_UNAUTHORIZED,
    /** A back-fill is through: messages with ids behind `from`, up to `to`; `count` were delivered.
     * `error` 0: that is all of it. GAP_E_RPC: the server refused (`error_code`), or the channel
     * was lost; GAP_E_UNAUTHORIZED; GAP_E_TL and its like: the answer behind `to` can't be decoded;
     * GAP_E_STATE: the channel was untracked. */
    GAP_EVENT_BACKFILLED,
    /** A handler failed; `error` is what it returned or was told. */
    GAP_EVENT_HANDLER_FAILED
} gap_engine_event_kind_t;

/** Why a range of events could not be had. */
typedef enum gap_engine_reason {
    GAP_REASON_NONE = 0,
    GAP_REASON_TOO_LONG,    /* differenceTooLong, channelDifferenceTooLong */
    GAP_REASON_RESET,       /* the server restarted its count (updatePtsChanged, a large drop), or
                             * has been found to stand lower than we do */
    GAP_REASON_INVALID,     /* PERSISTENT_TIMESTAMP_INVALID or _EMPTY: our position is refused */
    GAP_REASON_NO_HASH,     /* the channel's access hash can't be had */
    GAP_REASON_NO_PROGRESS, /* the server's answers, asked again and again, don't bring it */
    GAP_REASON_UNREADABLE   /* the difference can't be decoded */
} gap_engine_reason_t;

/** An event. Borrowed, as is everything it points to. */
typedef struct gap_engine_event {
    gap_engine_event_kind_t kind;
    gap_sequence_kind_t sequence;
    int64_t channel_id; /* GAP_SEQUENCE_CHANNEL, else 0 */
    int32_t from;       /* position before */
    int32_t to;         /* position after */
    /** GAP_ABANDONED, RESYNCHRONISED: the highest id of a new message that was delivered of this
     * channel, or of the common box, since the engine was opened; 0: none. */
    int32_t last_id;
    /** The same: the id of the newest message that the server names; 0: it names none. */
    int32_t top_id;
    int error;          /* negative, or 0 */
    int32_t error_code; /* rpc_error's code if error is GAP_E_RPC */
    gap_engine_reason_t reason;
    bool fetched;
    uint64_t count;             /* BACKFILLED: messages */
    uint64_t us;                /* microseconds */
    const gap_update_t *update; /* GAP_EVENT_HANDLER_FAILED, GAP_EVENT_SHED: which one; or NULL */
} gap_engine_event_t;

/** Takes an event. From ticks; the thread. */
typedef void (*gap_engine_event_cb)(void *data, const gap_engine_event_t *event);

/** A channel in the state. */
typedef struct gap_engine_channel {
    int64_t id;
    int64_t access_hash; /* 0: not known */
    int32_t pts;
    bool unfinished; /* there is or may be more behind pts: an engine that begins with this asks */
} gap_engine_channel_t;

/** Positions of an account, as updates.state has them; 0 is "unset". */
typedef struct gap_engine_state {
    int32_t pts; /* 0: not known; with a date: the server counts anew since, and the engine begins
                  * with where it stands then and tells what may be missing */
    int32_t qts;
    int32_t seq;
    int32_t date;                         /* unix time, the server's clock */
    const gap_engine_channel_t *channels; /* no two with the same id; NULL with count 0 */
    size_t channel_count;
} gap_engine_state_t;

/** Limits of one engine; 0 takes the default. */
typedef struct gap_engine_limits {
    uint32_t inbox;            /* updates queued and held per sequence; 0: GAP_ENGINE_INBOX_MAX */
    uint32_t overflow;         /* updates; 0: GAP_ENGINE_OVERFLOW_MAX */
    uint32_t channel_requests; /* 0: GAP_ENGINE_CHANNEL_REQUESTS_MAX */
    uint32_t difference_limit; /* events; 0: GAP_ENGINE_USER_LIMIT or _BOT_LIMIT */
    uint64_t idle_us;          /* 0: GAP_ENGINE_IDLE_US */
    uint32_t jitter_permille;  /* of a back-off, both ways; 0: 200. GAP_ENGINE_NO_JITTER: no
                                  jitter of any kind */
    uint32_t start_spread_us;  /* 0: GAP_ENGINE_START_SPREAD_US; GAP_ENGINE_NO_JITTER: none */
} gap_engine_limits_t;

#define GAP_ENGINE_NO_JITTER UINT32_MAX

/** A hole: events that are missing from a sequence. For gap_engine_config.gap_wait. */
typedef struct gap_engine_hole {
    gap_sequence_kind_t sequence;
    int64_t channel_id; /* GAP_SEQUENCE_CHANNEL, else 0 */
    int32_t position;   /* of the sequence: what is missing lies behind it, */
    int32_t first;      /* up to here, where the first update that is held begins */
    uint32_t held;      /* updates that wait behind it */
    uint64_t since_us;  /* when its first sign came, by the clock of gap_engine_tick */
    uint64_t now_us;    /* the same clock now */
} gap_engine_hole_t;

/** Settings of an engine. Zero-initialise, then set what is wanted. Copied; every `data` and `arg`
 * is handed back as it is, and pinned until the engine is closed. */
typedef struct gap_engine_config {
    const gap_alloc_t *alloc; /* NULL: gap_alloc_default(). Pinned until closed */
    int64_t self_id;          /* user id of the account */
    bool bot;
    /** How long each gap waits for its missing update before the difference is asked for, in
     * microseconds. 0: learned from how long gaps stayed open before, 2 ms to
     * GAP_ENGINE_GAP_WAIT_US. */
    uint32_t gap_wait_us;
    /** What a request costs when the wait is learned: as much as one update that is held back so
     * many microseconds. 0: GAP_ENGINE_GAP_WAIT_LAMBDA_US. */
    uint32_t gap_wait_lambda_us;
    /** A waiting policy of the caller's own instead of both: how long a hole waits from its
     * since_us on, in microseconds; asked when it opens and at each update that is held behind it.
     * @p hole is borrowed. Must not call the engine. May be NULL. */
    uint32_t (*gap_wait)(void *data, const gap_engine_hole_t *hole);
    void *gap_wait_data;
    /** While a difference is on its way, go on with what comes and fits, and take from the answer
     * only what is new (messages by id), instead of holding everything until the answer has been
     * delivered: a difference that was asked for too early then holds nobody up. */
    bool gap_continue;
    /** When a difference shows that several updates in a row or of several sequences were lost, ask
     * for the common difference too, which names channels that went silent with them (at most once
     * in GAP_ENGINE_TAIL_SWEEP_US). */
    bool tail_sweep;
    gap_engine_limits_t limits;
    /** The account's own messages (sent by whichever of its devices), and all that is in the chat
     * with itself, move positions but reach no handler; nor does updateMessageID. Edits, deletes
     * and read marks do, whoever caused them: an edit of an own message may be somebody's reaction.
     */
    bool no_own_updates;
    /** Each update that no_own_updates keeps back, borrowed. From ticks. May be NULL. */
    void (*own)(void *data, const gap_update_t *update);
    void *own_data;
    uint64_t jitter_seed; /* any; two accounts should differ */
    gap_invoke_cb invoke; /* required */
    void *invoke_arg;
    gap_update_cb handler; /* required; from ticks */
    void *handler_data;
    gap_engine_event_cb event; /* may be NULL */
    void *event_data;
    const gap_engine_state_t *state; /* copied; NULL: begin with what the server says is now */
    /** What gap_engine_collect would hand over has changed since it was called last (or never
     * was): called once, from a tick or from gap_engine_open. May be NULL. */
    void (*changed)(void *data);
    void *changed_data;
    /** @p oldest, whose handler said GAP_LATER, keeps the position of its sequence back: in a
     * channel of a user's account by more than half of what a difference may have, elsewhere by
     * more than 4096. Who can is to write it down and let it pass. From ticks; it must not call the
     * engine but for that. May be NULL; then, or if it does not pass, GAP_EVENT_BEHIND tells, where
     * the server may refuse. */
    void (*press)(void *data, gap_update_t *oldest);
    void *press_data;
    gap_engine_tap_cb tap; /* takes every decision; NULL: none */
    void *tap_data;
    /** Users (Vector<User>) and chats (Vector<Chat>) that came with updates or results and are not
     * the same as just before; the engine has learned them. Borrowed. From ticks, gap_engine_feed
     * and gap_engine_result; only gap_engine_peer and gap_engine_access_hash
     * may be called. May be NULL. */
    void (*peers)(void *data, gap_tl_vector_t users, gap_tl_vector_t chats);
    void *peers_data;
} gap_engine_config_t;

/** Takes what is to be stored. Borrowed. Each returns 0, or negative if it could not take it. */
typedef struct gap_engine_collector {
    /** A channel's position, or that it is finished or unfinished, has changed. */
    int (*channel)(void *arg, const gap_engine_channel_t *channel);
    /** The channel is not followed any more (no access). */
    int (*channel_gone)(void *arg, int64_t channel_id);
    /** Positions of the account (channels NULL): they have changed. Last, and only if everything
     * before was taken: `date` makes the server keep silent about channels. */
    int (*state)(void *arg, const gap_engine_state_t *state);
    void *arg;
} gap_engine_collector_t;

/** Of one engine, since open. */
typedef struct gap_engine_counters {
    uint64_t applied;     /* updates handed to the handler */
    uint64_t duplicates;  /* dropped: had been applied */
    uint64_t malformed;   /* dropped: pts_count < 0, pts <= count ... */
    uint64_t gaps;        /* gaps opened */
    uint64_t healed;      /* closed by a push */
    uint64_t fetched;     /* closed by a difference */
    uint64_t differences; /* updates.getDifference sent */
    uint64_t channel_differences;
    uint64_t behind;         /* updates dropped on purpose, to be fetched */
    uint64_t shed;           /* updates dropped for good */
    uint64_t held;           /* updates waiting behind a gap or a difference now */
    uint64_t held_bytes;     /* copied for them now */
    uint64_t later;          /* updates in handlers that said GAP_LATER now */
    uint64_t pinned_bytes;   /* of the packets that these lie in; counted for each */
    uint64_t sequences;      /* known now */
    uint64_t active;         /* of these: with a record for activity now */
    uint64_t undecodable;    /* objects that could not be read */
    uint64_t failed_handler; /* handlers that failed */
    uint64_t abandoned;      /* ranges that could not be had: GAP_ABANDONED and RESYNCHRONISED */
    uint64_t own;            /* of the account itself, kept back (no_own_updates) */
    uint64_t untracked;      /* updates dropped, and orders to fetch ignored, of channels that are
                                not tracked */
} gap_engine_counters_t;

/** Of one sequence, since the engine was opened; `missing` and `lag_us` are of now. */
typedef struct gap_engine_sequence {
    int32_t position;    /* handlers that are still at work included; 0: not known */
    int32_t last_id;     /* highest id of a new message delivered; 0: none */
    uint64_t applied;    /* updates handed to the handler */
    uint32_t duplicates; /* dropped: had been applied */
    uint32_t gaps;       /* opened */
    uint32_t healed;     /* closed by pushes */
    uint32_t fetched;    /* closed by a difference */
    uint32_t abandoned;  /* ranges that could not be had */
    uint32_t behind;     /* updates dropped on purpose, to be fetched */
    uint32_t held;       /* updates that wait behind a gap or a difference now */
    uint32_t missing;    /* events known to have happened that are neither applied nor held */
    uint64_t lag_us; /* how long it had known, at the last tick, that something is missing; 0: it
                        is whole */
} gap_engine_sequence_t;

/**
 * Make an engine. It holds what it is fed, and asks nothing, until gap_engine_start.
 *
 * @param config  Copied, its state included.
 * @param out     The engine, to be closed with gap_engine_close; not set on failure.
 * @return 0; GAP_E_NOMEM; GAP_E_ARGUMENT invoke or handler is missing, a position of the state is
 *         negative, or a channel of it is listed twice or has an id <= 0; GAP_E_LIMIT the state
 *         names more channels than peers are remembered.
 * Any thread; it becomes the thread of the engine.
 */
GAP_API GAP_NODISCARD int gap_engine_open(const gap_engine_config_t *config, gap_engine_t **out);

/**
 * The account is signed in and connected: begin. Without state: one updates.getState, then one
 * updates.getDifference from it; with state: updates.getDifference. Idempotent; after
 * GAP_EVENT_UNAUTHORIZED it begins again.
 *
 * @param engine  Borrowed.
 * The thread. Calls nobody back: the first call of invoke comes from the next tick.
 * (core.telegram.org/api/updates, "Recovering gaps")
 */
GAP_API void gap_engine_start(gap_engine_t *engine);

/**
 * Hand one Updates object to the engine: the body of a message from the server that is not about
 * MTProto itself. In the order of arrival.
 *
 * @param engine  Borrowed.
 * @param bytes   TL-serialised Updates (boxed), unpacked if it was gzip_packed. Pinned by
 *                @p packet, or copied.
 * @param len     Bytes; a multiple of 4.
 * @param packet  Reference-counted owner of @p bytes, the engine takes its own reference; NULL: the
 *                bytes are copied.
 * @return 0 queued; GAP_BEHIND (>0) something in it was dropped on purpose because its sequence's
 *         inbox is full: it will be fetched by difference, nothing is lost; GAP_E_TL, GAP_E_TL_ID,
 *         GAP_E_LIMIT malformed or of an unknown constructor: a difference has been scheduled;
 *         GAP_E_NOMEM likewise; GAP_E_CLOSED close has begun.
 * The thread. Never calls handler, event or invoke before it returns.
 */
GAP_API GAP_NODISCARD int gap_engine_feed(gap_engine_t *engine, const uint8_t *bytes, size_t len,
                                          gap_packet_t *packet);

/**
 * Hand over the result of a call that the account itself made, before the caller sees it: Updates
 * of all forms, messages.affected*, messages.invitedUsers, and what else holds Updates. What the
 * engine asked through invoke is not handed over here.
 *
 * @param engine  Borrowed.
 * @param query   The serialised call (wrappers such as invokeWithLayer taken off); tells the
 *                channel that messages.affected* are about and what updateShortSentMessage leaves
 *                out. Borrowed; may be empty if not known.
 * @param result  The boxed result, unpacked. Pinned by @p packet, or copied if that is NULL.
 * @param packet  As of gap_engine_feed.
 * @return as gap_engine_feed, or GAP_UNCONCERNED (>0).
 * The thread. Never calls handler, event or invoke before it returns.
 */
GAP_API GAP_NODISCARD int gap_engine_result(gap_engine_t *engine, gap_bytes_t query,
                                            gap_bytes_t result, gap_packet_t *packet);

/**
 * Updates may have been missed (new_session_created, the host slept, a connection was made anew
 * after a long time): ask for the difference in the next tick. Idempotent until it has been asked.
 * @param engine  Borrowed.
 * The thread. Calls nobody back.
 */
GAP_API void gap_engine_missed(gap_engine_t *engine);
/**
 * A connection was made anew, and updates come by it from now on. Most of what was learned about
 * how long late updates take is forgotten, and gaps that are open now teach nothing and wait a
 * moment longer. That updates may have been missed is for gap_engine_missed to say.
 * @param engine   Borrowed.
 * @param same_dc  To the data centre of the one before; false: all that was learned is forgotten.
 * The thread. Calls nobody back.
 */
GAP_API void gap_engine_reconnected(gap_engine_t *engine, bool same_dc);
/**
 * A message from the server could not be read (of an unknown constructor, or it does not inflate):
 * as gap_engine_missed, at most once in GAP_ENGINE_UNDECODABLE_US.
 * @param engine  Borrowed.
 * The thread. Calls nobody back.
 */
GAP_API void gap_engine_undecodable(gap_engine_t *engine);

/**
 * Run: hand out what has come, act upon answers and upon time. After some thousand updates it
 * returns true, as there is more, so that the program can read its socket in between.
 *
 * @param engine   Not from inside a callback. Gone if the callback of gap_engine_close has run.
 * @param now_us   A monotonic clock in microseconds; never smaller than the time before.
 * @param drained  Everything that could be read from the connection has been fed. Gap waits end
 *                 only in such ticks: what is missing may lie in the socket.
 * @return true there is more to do now; also while a gap's wait is over and @p drained is false:
 *         read the socket, then tick again. false nothing before gap_engine_timeout_ms.
 * The thread. Calls handler, event, invoke, changed, peers, and the callback of close.
 */
GAP_API bool gap_engine_tick(gap_engine_t *engine, uint64_t now_us, bool drained);
/**
 * When gap_engine_tick is due, if nothing comes before.
 *
 * @param engine  Borrowed.
 * @param now_us  As of gap_engine_tick.
 * @return milliseconds from @p now_us, rounded up; 0 now; -1 only after the next call of another
 *         function here.
 * The thread.
 */
GAP_API int gap_engine_timeout_ms(const gap_engine_t *engine, uint64_t now_us);

/**
 * Hold updates back, or let them go on. While held no handler is called and no difference is asked
 * for (an account without a state still asks where the server stands); what is fed is queued as far
 * as the limits go, and then dropped to be fetched later (GAP_BEHIND), as always. From inside a
 * handler: what is being handed out in one step (the rest of a container, what is held when a count
 * begins anew) is still handed out.
 *
 * @param engine  Borrowed. No-op if it is so already, or close has begun.
 * The thread. Calls nobody back.
 */
GAP_API void gap_engine_hold(gap_engine_t *engine, bool hold);

/**
 * Fetch the messages of a range of ids: what a difference that was too long has skipped (see
 * GAP_EVENT_RESYNCHRONISED), or any other range. They are delivered to the handler as new messages,
 * by ascending id, each id once, flagged as maybe repeated and with GAP_VIA_BACKFILL; after what is
 * delivered already, and with what comes meanwhile in between. A message comes as it is now, edits
 * included; deleted ones don't come.
 *
 * Users read a channel's history, 100 ids a call; bots, and the common box, are asked by id, 200 a
 * call. One call is in flight at a time, after the channels that wait for a difference; the next
 * one waits while more handlers are at work (GAP_LATER) than limits.inbox. Failures are tried again
 * with the pauses of a difference, but a refusal with code 4xx (FLOOD_WAIT is waited for) or three
 * answers that can't be decoded end it. Back-fills run one after the other.
 *
 * It is no part of the sequence's position: gap_engine_collect neither waits for it nor tells of
 * it, and a restart forgets it. A channel that is lost ends it, and so does gap_engine_close,
 * untold.
 *
 * @param engine      Borrowed. Before gap_engine_start it waits for that.
 * @param channel_id  0: the common box.
 * @param after_id    >= 0; the first id wanted is one more.
 * @param up_to_id    The last id wanted; more than @p after_id.
 * @return 0: GAP_EVENT_BACKFILLED follows; GAP_E_ARGUMENT not such ids; GAP_E_NOT_FOUND the
 *         channel's access hash is not known; GAP_E_STATE the channel is untracked; GAP_E_LIMIT
 *         there are GAP_ENGINE_BACKFILLS_MAX; GAP_E_NOMEM; GAP_E_CLOSED close has begun.
 * The thread. Calls nobody back. (messages.getHistory, messages.getMessages, channels.getMessages)
 */
GAP_API GAP_NODISCARD int gap_engine_backfill(gap_engine_t *engine, int64_t channel_id,
                                              int32_t after_id, int32_t up_to_id);

/** What is known about a peer. */
typedef struct gap_engine_peer {
    int64_t access_hash; /* 0 if none was ever given */
    bool has_hash;
    bool min;       /* only ever seen as a partial object: the hash does not address it */
    bool forbidden; /* last seen as channelForbidden or chatForbidden: no access */
} gap_engine_peer_t;

/**
 * What is known about a peer, from all that was fed, fetched and learned.
 *
 * @param engine  Borrowed.
 * @param out     Set if true is returned.
 * @return true the peer was seen, be it in part (core.telegram.org/api/min); false never.
 * The thread.
 */
GAP_API bool gap_engine_peer(const gap_engine_t *engine, gap_peer_t peer, gap_engine_peer_t *out);

/**
 * Learn users and chats that came another way than with updates: in the answer to a call. The
 * `peers` callback is not called for them.
 *
 * @param engine  Borrowed.
 * @param users   Vector<User>; borrowed, may be empty.
 * @param chats   Vector<Chat>; borrowed, may be empty.
 * @return 0; GAP_E_CLOSED close has begun; GAP_E_NOMEM, GAP_E_LIMIT too many peers, GAP_E_TL,
 *         GAP_E_TL_ID malformed: not all were learned.
 * The thread.
 */
GAP_API GAP_NODISCARD int gap_engine_learn(gap_engine_t *engine, gap_tl_vector_t users,
                                           gap_tl_vector_t chats);

/**
 * What addresses a user or channel in a request.
 *
 * @param engine  Borrowed.
 * @param out     The access hash; set if true is returned.
 * @return true; false no full object of it was seen.
 * The thread.
 */
GAP_API bool gap_engine_access_hash(const gap_engine_t *engine, gap_peer_t peer, int64_t *out);

/**
 * Take a peer from a former run, or from another source, in place of what was known.
 *
 * @param engine       Borrowed.
 * @param access_hash  Of a user or channel; a basic group has none.
 * @param min          The hash is that of a partial object.
 * @return 0; GAP_E_NOMEM; GAP_E_LIMIT too many peers; GAP_E_ARGUMENT no peer has this kind or id.
 * The thread.
 */
GAP_API GAP_NODISCARD int gap_engine_know(gap_engine_t *engine, gap_peer_t peer,
                                          int64_t access_hash, bool min);

/**
 * The counters now.
 * @param engine  Borrowed.
 * @param out     Always set.
 * The thread.
 */
GAP_API void gap_engine_counters(const gap_engine_t *engine, gap_engine_counters_t *out);

/**
 * The counters of one sequence now.
 *
 * @param engine      Borrowed.
 * @param kind        Which.
 * @param channel_id  Of GAP_SEQUENCE_CHANNEL; else 0.
 * @param out         Set if true is returned.
 * @return true; false nothing is known of that channel.
 * The thread.
 */
GAP_API bool gap_engine_sequence(const gap_engine_t *engine, gap_sequence_kind_t kind,
                                 int64_t channel_id, gap_engine_sequence_t *out);
/**
 * How far behind the account is: looks at every sequence, a few milliseconds for a million.
 *
 * @param engine   Borrowed.
 * @param missing  Sum of what the sequences miss (containers not counted). Set.
 * @return microseconds for which the sequence that has waited longest has known that something is
 *         missing, at the last tick; 0: nothing is known to be missing.
 * The thread.
 */
GAP_API uint64_t gap_engine_lag(const gap_engine_t *engine, uint64_t *missing);

/**
 * The positions that may be stored now, as gap_engine_collect hands them over, but all of them at
 * any time. With the channels and peers, all of one moment, they are the whole state of an account:
 * an engine elsewhere that is given it (gap_engine_import, gap_engine_know) goes on with it, and
 * has delivered again what was in handlers.
 *
 * @param engine  Borrowed.
 * @param out     Set on 0. `channels` is NULL: they come by gap_engine_next_channel, of which there
 *                are no more than channel_count.
 * @return 0; GAP_E_STATE the state is not known yet (before GAP_EVENT_STARTED).
 * The thread.
 */
GAP_API GAP_NODISCARD int gap_engine_export(const gap_engine_t *engine, gap_engine_state_t *out);
/**
 * Iterate over the channels with a known pts, or with something unfinished (then pts may be 0), in
 * no order. Those that are lost or untracked are left out.
 *
 * @param engine  Borrowed; no other call of it in between.
 * @param it      Starts with *it = 0.
 * @param out     Set if true is returned.
 * @return true; false at the end.
 * The thread.
 */
GAP_API bool gap_engine_next_channel(const gap_engine_t *engine, size_t *it,
                                     gap_engine_channel_t *out);
/**
 * Iterate over the peers, in no order.
 *
 * @param engine  Borrowed; no other call of it in between.
 * @param it      Starts with *it = 0.
 * @param peer    Set if true is returned, as is @p out.
 * @return true; false at the end.
 * The thread.
 */
GAP_API bool gap_engine_next_peer(const gap_engine_t *engine, size_t *it, gap_peer_t *peer,
                                  gap_engine_peer_t *out);
/**
 * Begin with a state that comes from elsewhere, in place of the one the engine was opened with;
 * channels that it does not name stay. Other than gap_engine_config.state it counts as not stored:
 * gap_engine_collect hands all of it over.
 *
 * @param engine  Borrowed. Not started, and nothing has been fed.
 * @param state   Borrowed.
 * @return 0; GAP_E_STATE it was started, or fed; GAP_E_ARGUMENT a number is negative, or a channel
 *         is listed twice or has an id <= 0: nothing was taken; GAP_E_NOMEM, GAP_E_LIMIT too many
 *         peers: a part was taken, import it again or close; GAP_E_CLOSED close has begun.
 * The thread. Calls nobody back.
 */
GAP_API GAP_NODISCARD int gap_engine_import(gap_engine_t *engine, const gap_engine_state_t *state);

/**
 * Somebody looks at a channel: it is asked at once, and again as long as it is open, so many
 * seconds after each answer as that says (1 if it does not say), whatever came by pushes meanwhile:
 * the server pushes updates of a channel that the account is no member of only to those that ask,
 * and those of large ones sooner. An open channel goes before all others where channels wait for
 * their turn. Counted: it stays open until it was closed as often. Not stored: after a restart it
 * is to be opened again. A bot's channel goes first, but is asked once only.
 *
 * A channel without access is reported (GAP_EVENT_CHANNEL_LOST) and stays open; it is asked again
 * when something came of it.
 *
 * @param engine      Borrowed.
 * @param channel_id  Of a channel whose access hash is known (gap_engine_learn, gap_engine_know); a
 *                    bot needs none. If its position is not known the server is asked for it, and
 *                    what was before is no concern.
 * @return 0; GAP_E_LIMIT GAP_ENGINE_OPEN_CHANNELS_MAX others are open; GAP_E_NOT_FOUND the access
 *         hash is not known: learn it first; GAP_E_STATE the channel is untracked; GAP_E_ARGUMENT
 *         no channel has this id; GAP_E_NOMEM; GAP_E_CLOSED close has begun.
 * The thread. Calls nobody back. (core.telegram.org/api/updates, "Subscribing to updates of
 * channels/supergroups")
 */
GAP_API GAP_NODISCARD int gap_engine_open_channel(gap_engine_t *engine, int64_t channel_id);
/**
 * Undo one gap_engine_open_channel. After the last one it is not asked any more for looking at it;
 * an answer that is on its way is still delivered.
 *
 * @param engine      Borrowed.
 * @param channel_id  Of an open channel.
 * @return 0; GAP_E_ARGUMENT it is not open; GAP_E_CLOSED close has begun.
 * The thread. Calls nobody back.
 */
GAP_API GAP_NODISCARD int gap_engine_close_channel(gap_engine_t *engine, int64_t channel_id);

/**
 * Track a channel, beginning at a position: one that was untracked, or lost, or is not known yet.
 * If it is tracked already, its position stays.
 *
 * @param engine       Borrowed.
 * @param channel_id   > 0.
 * @param access_hash  As of gap_engine_know; 0: as it is known (a bot needs none).
 * @param pts          Where to begin: what came since is fetched. 0: the server is asked where it
 *                     stands (channels.getFullChannel), what was before is no concern.
 * @return 0; GAP_E_NOT_FOUND the access hash is not known; GAP_E_ARGUMENT no channel has this id,
 *         or pts < 0; GAP_E_LIMIT too many peers; GAP_E_NOMEM; GAP_E_CLOSED close has begun.
 * The thread. Calls nobody back.
 */
GAP_API GAP_NODISCARD int gap_engine_track_channel(gap_engine_t *engine, int64_t channel_id,
                                                   int64_t access_hash, int32_t pts);
/**
 * Do not track a channel any more: what is held of it and its position are dropped (it goes to
 * gap_engine_collector.channel_gone), it is closed if it was open, no handler gets updates of it
 * after this returns, and what comes of it later is counted and dropped without a request, until it
 * is tracked again. Updates whose handlers said GAP_LATER are finished as usual. Not stored: after
 * a restart it is to be untracked again. Idempotent.
 *
 * @param engine      Borrowed.
 * @param channel_id  Also of a channel that was never heard of.
 * @return 0; GAP_E_ARGUMENT no channel has this id; GAP_E_NOMEM; GAP_E_CLOSED close has begun.
 * The thread. Calls nobody back.
 */
GAP_API GAP_NODISCARD int gap_engine_untrack_channel(gap_engine_t *engine, int64_t channel_id);

/** How a channel is doing. */
typedef struct gap_engine_channel_status {
    int32_t pts;     /* 0: not known */
    uint32_t opened; /* how often it has been opened and not closed */
    uint32_t queued; /* updates that wait in the engine */
    uint32_t behind; /* events dropped on purpose, to be fetched */
    bool tracked;    /* false: gap_engine_untrack_channel */
    bool lost;       /* no access */
    bool fetching;   /* a difference is under way, or waits for its turn */
    bool unfinished; /* as gap_engine_channel_t */
} gap_engine_channel_status_t;

/**
 * Look at one channel.
 *
 * @param engine      Borrowed.
 * @param channel_id  Any.
 * @param out         Set if true is returned.
 * @return true; false nothing was heard of it.
 * The thread.
 */
GAP_API bool gap_engine_channel_status(const gap_engine_t *engine, int64_t channel_id,
                                       gap_engine_channel_status_t *out);

/**
 * Hand over the positions that have changed since the last time: the watermarks, below which every
 * handler has finished (one that said GAP_LATER has not, before its update is done or failed; what
 * a difference brings counts as one step). All that is handed over in one call is to be stored in
 * one step: a channel that may hold unfinished updates comes marked as `unfinished` no later than a
 * `date` that would let the server keep silent about it. Nothing is handed over before
 * GAP_EVENT_STARTED.
 *
 * @param engine  Not from inside a handler.
 * @param to      Borrowed. Its members are called before this returns; none of them may call the
 *                engine.
 * @return 0; what a member of @p to returned, if negative: it ends the collecting. What was handed
 *         over until then may be stored all the same; the rest comes in the next call.
 * The thread.
 */
GAP_API GAP_NODISCARD int gap_engine_collect(gap_engine_t *engine,
                                             const gap_engine_collector_t *to);

/**
 * Close. No handler and no event is called after this returns; updates that are queued are dropped
 * (their sequences' state does not cover them). Ticks go on until it is closed. Idempotent; the
 * first callback counts.
 *
 * @param engine  Taken.
 * @param cb      Called once, from a tick, when every invoke has been answered and every GAP_LATER
 *                update is done; the memory is gone when it returns, and gap_engine_collect may be
 *                called from inside it, for what was finished after the close began. May be NULL.
 * The thread. Calls nobody back.
 */
GAP_API void gap_engine_close(gap_engine_t *engine, void (*cb)(void *arg), void *arg);

#ifdef __cplusplus
}
#endif
#endif
