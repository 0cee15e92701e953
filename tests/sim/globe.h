/*
 * tests/sim/globe.h - the virtual world of gapless-sim: one account's engine, the simulated data
 * centre's model as its server, a network, a host, a disk and a judge between and beside them. No
 * sockets: Updates objects, queries and answers travel as bytes through virtual time.
 *
 *   happens at the server            the network               the host
 *   globe_event, globe_add  --push-->  loss, delays,   --read-->  gap_engine_feed  --> handler
 *   dc_model_call  <--query, answer->  cuts, stalls    --read-->  the engine's answers
 *                                                                 gap_engine_collect --> what is
 * stored
 *
 * What is called here happens now; globe_run lets time go by. So a world is told in the order of
 * its time:
 *
 *     globe_open(&g, &options);
 *     globe_start(g);
 *     globe_run(g, 1000);
 *     globe_event(g, &spec, &(struct globe_push){.fate = GLOBE_LOST}, &n);
 *     globe_run(g, 60000);
 *     globe_settle(g);
 *     verdict = globe_verdict(g);
 *
 * The same options and calls give the same trace, byte for byte. The judge looks at everything that
 * is handed over, asked and stored, from outside: it knows the model's events and what the host did
 * and saw, nothing of the engine's inside. The first thing that breaks a promise is kept as the
 * verdict; the world goes on, and what follows is not judged any more.
 *
 * Times are milliseconds of virtual time since the world began where a name ends in _ms.
 */
#ifndef GAP_TESTS_SIM_GLOBE_H
#define GAP_TESTS_SIM_GLOBE_H

#include "dc/model.h"

#include <gapless/engine.h>
#include <gapless/runner.h>

struct globe;

#define GLOBE_NEVER UINT64_MAX
/** Unix time at which every world begins. */
#define GLOBE_DATE 1700000000
/** The account, unless the options name another. */
#define GLOBE_ACCOUNT 777000111
/** Longest name of what is held back. */
#define GLOBE_NAME_MAX 32

/** How a world is made. globe_options() fills in a quiet one: a person with two channels, no
 * faults, answers after 20 ms, pushes after 10. */
struct globe_options {
    /** Told by hand: of all that the seed would draw only the order of loops is. */
    bool told;
    uint64_t seed; /* of all that is drawn; 0: loops run first in, first out, and ties likewise */
    int64_t account;
    bool bot;
    dc_options_t dc; /* channels, users, slices ...; its seed is the above */

    /* the engine */
    gap_engine_config_t engine; /* only limits, gap_wait_*, and the like: what is no callback */
    bool stored;                /* the host keeps the state: commits, and restarts with it */
    uint32_t commit_ms;         /* from `changed` to the collecting, at most */
    uint32_t write_ms;          /* from the collecting to the disk, at most */

    /* the network, one way */
    uint32_t push_ms;   /* least time that a push takes */
    uint32_t query_ms;  /* a query */
    uint32_t answer_ms; /* an answer */
    uint32_t jitter_ms; /* and up to so much more, drawn for each */

    /* probabilities of what goes wrong by itself */
    double loss;      /* a push is never sent */
    double twice;     /* and is sent again later */
    double late;      /* takes up to late_ms longer, so that others overtake it */
    double error;     /* an answer is an error or something else than wanted */
    double silent;    /* an answer never comes */
    uint32_t answers; /* of `error`: which, bits of 1 << enum globe_answer; 0: errors alone */
    uint32_t late_ms;
    uint32_t timeout_ms; /* an answer that never comes ends as GAP_E_TIMEOUT after this */
    double later;        /* a handler goes on later, up to later_ms */
    double failing;      /* a handler fails */
    double stuck;        /* a handler never ends */
    uint32_t later_ms;

    /** A store, a journal and a runner between engine and handlers, with what the options above say
     * of disk and handlers. Needs `stored`. */
    bool runner;
    gap_runner_config_t run; /* only limits, times and the mode: what is no callback */
    double poison;           /* every handler of an event fails */
    double transaction;      /* a handler goes on in a transaction */

    /** Takes the lines of the trace, each without its newline. NULL: no trace. */
    void (*line)(void *data, const char *text);
    void *line_data;
    bool decisions; /* and every decision of the engine */

    /** Looks on, beside the judge, and decides what handlers do. Each may be NULL. */
    struct globe_watch {
        /** An update reaches the handler. @param ms Set with GLOBE_LATER and GLOBE_LATER_FAILS.
         * @return what the handler does with it: enum globe_handling; negative: as without this
         * function. */
        int (*handle)(void *data, gap_update_t *update, uint32_t *ms);
        /** A handler that went on later ends. */
        void (*finished)(void *data, const gap_update_t *update, int status);
        void (*event)(void *data, const gap_engine_event_t *event);
        /** An object is handed to the engine: pushed, or the result of a call. */
        void (*arrive)(void *data, gap_bytes_t object, bool is_result);
        void (*ask)(void *data, gap_tl_object_t query);
        /** An answer reaches the engine. */
        void (*answer)(void *data, uint32_t method, int64_t channel, const gap_answer_t *answer);
        /** The state of the account is on the disk, or (state NULL) a channel's, or it is gone. */
        void (*store)(void *data, const gap_engine_state_t *state,
                      const gap_engine_channel_t *channel, bool is_gone);
        void *data;
    } watch;
};

void globe_options(struct globe_options *o);

/** Make a world. @return 0; GAP_E_NOMEM; GAP_E_ARGUMENT the options contradict themselves. */
GAP_NODISCARD int globe_open(const struct globe_options *o, struct globe **out);
/** End it: closes the engine, checks that all memory is given back (a leak is a verdict too), then
 * frees everything. @param verdict Room for GLOBE_VERDICT_MAX, may be NULL. @return true if all
 * promises were kept to the end. */
bool globe_close(struct globe *g, char *verdict);

#define GLOBE_VERDICT_MAX 320

/** Begin: gap_engine_start. */
void globe_start(struct globe *g);
/** Let time go by up to @p until_ms, all that is due then included. */
void globe_run(struct globe *g, uint64_t until_ms);
uint64_t globe_now_ms(const struct globe *g);
/** A line for the trace: "[time] text". */
void globe_trace(struct globe *g, const char *format, ...) GAP_PRINTF(2, 3);

/** The faults end: nothing that goes wrong by itself does so any more, rules are forgotten, what is
 * held is sent, handlers that were to end end. Time goes by until all is quiet; then it is judged
 * that everything is there, and that nothing more is asked until the watchdog's next turn. */
void globe_settle(struct globe *g);
/** What was violated first, or NULL: "seed 7 at 12.345 s: twice: ...". */
const char *globe_verdict(const struct globe *g);

/* --- what happens at the server ------------------------------------------------------------- */

enum globe_fate {
    GLOBE_DRAWN = 0, /* by the options' probabilities */
    GLOBE_SENT,
    GLOBE_LOST,
    GLOBE_LATE,  /* takes `ms` longer */
    GLOBE_TWICE, /* comes again `ms` later */
    GLOBE_HELD,  /* until globe_release(name) */
    GLOBE_PACKED /* goes into the next container: globe_container */
};

/** How a push travels. */
struct globe_push {
    enum globe_fate fate;
    uint32_t ms;
    const char *name; /* GLOBE_HELD: at most GLOBE_NAME_MAX - 1 bytes; copied */
};

/**
 * Make one event happen and push it, if the account gets it.
 * @param spec  As of dc_model_add. A text with NULL data and len 0 is invented: "e<n>".
 * @param push  NULL: drawn.
 * @param out_n Number of the event; may be NULL.
 * @return as dc_model_add.
 */
GAP_NODISCARD int globe_event(struct globe *g, const dc_spec_t *spec, const struct globe_push *push,
                              uint32_t *out_n);
/** Send what was GLOBE_PACKED as one container. @param swapped In reverse order. */
void globe_container(struct globe *g, bool swapped, const struct globe_push *push);
/** Send what is held under this name; NULL: all. @return how many pushes. */
size_t globe_release(struct globe *g, const char *name);
/** updateChannelTooLong, updateChannel, updatePtsChanged, updatesTooLong. */
void globe_push_too_long(struct globe *g, int64_t channel, const struct globe_push *push);
void globe_push_channel(struct globe *g, int64_t channel, const struct globe_push *push);
void globe_push_reset(struct globe *g, const struct globe_push *push);
void globe_push_updates_too_long(struct globe *g, const struct globe_push *push);
/** Bytes that no one can read, where a push should be. */
void globe_push_garbage(struct globe *g);
/** The server forgets a box (channel, or 0: the common one) and counts on from @p pts. Tells
 * nobody: globe_push_reset does. @return as dc_model_reset. */
GAP_NODISCARD int globe_reset(struct globe *g, int64_t channel, int32_t pts);
/** The account leaves a channel or joins it again; updateChannel is pushed. @return as dc_model_*.
 */
GAP_NODISCARD int globe_leave(struct globe *g, int64_t channel);
GAP_NODISCARD int globe_join(struct globe *g, int64_t channel);
/** Other limits of differences from now on. */
void globe_limit(struct globe *g, const dc_limits_t *limits);
/** The model itself, to look things up (message ids, channels: DC_CHANNEL_ID_FIRST + i). */
dc_model_t *globe_model(struct globe *g);
/** Texts of messages; the judge knows events by them. */
uint32_t globe_event_count(const struct globe *g);

/* --- answers -------------------------------------------------------------------------------- */

enum globe_question {
    GLOBE_ANY = 0,
    GLOBE_STATE,        /* updates.getState */
    GLOBE_DIFFERENCE,   /* updates.getDifference */
    GLOBE_CHANNEL,      /* updates.getChannelDifference */
    GLOBE_FULL_CHANNEL, /* channels.getFullChannel */
    GLOBE_OTHER         /* whatever else the engine asks */
};

enum globe_answer {
    GLOBE_TRUE = 0, /* as the model says */
    GLOBE_ERROR,    /* rpc_error code, text */
    GLOBE_SLICE,    /* slices of at most `value` events */
    GLOBE_TOO_LONG, /* difference too long */
    GLOBE_SLOW,     /* comes `value` ms later */
    GLOBE_OLD,      /* comes `value` ms later, and was made at once (GLOBE_SLOW: when it comes) */
    GLOBE_SILENT,   /* never comes; ends as GAP_E_TIMEOUT after `value` ms, 0: the options' */
    GLOBE_FAILED,   /* fails with status `value` (negative) */
    GLOBE_GARBAGE,  /* can't be decoded */
    GLOBE_SHORT,    /* ends too early */
    GLOBE_STUCK,    /* a slice that leads nowhere */
    GLOBE_POLL,     /* a channel's: timeout of `value` s */
    GLOBE_GIVEN     /* bytes given by hand: globe_rule_given */
};

/** How answers differ from the truth. The first rule that fits and is not used up is used. */
struct globe_rule {
    enum globe_question question;
    int64_t channel; /* 0: any */
    uint32_t skip;   /* so many fitting questions are answered otherwise first */
    uint32_t count;  /* then it is used so often; 0: for ever */
    enum globe_answer answer;
    int32_t code;     /* GLOBE_ERROR */
    const char *text; /* GLOBE_ERROR: copied, at most 63 bytes */
    int64_t value;
};

/** Add a rule. @return 0; GAP_E_LIMIT there are 64 already. */
GAP_NODISCARD int globe_rule(struct globe *g, const struct globe_rule *rule);
/** Every difference that contains event @p n can't be decoded; 0: none is poisoned any more. */
void globe_poison(struct globe *g, uint32_t n);

/* --- network and host ----------------------------------------------------------------------- */

/** Probabilities from now on, of the options: 0..1; negative: as it is. */
struct globe_chances {
    double loss, twice, late, error, silent, later, failing, stuck;
};
void globe_chances(struct globe *g, const struct globe_chances *chances);
/**
 * The connection is lost for @p ms: queries and answers under way fail at once, pushes under way
 * are gone, as is what is pushed meanwhile; then a new session begins (gap_engine_missed).
 * @param resumed The session goes on instead: what was pushed is sent again afterwards, and nobody
 * says that anything was missed.
 */
void globe_cut(struct globe *g, uint32_t ms, bool resumed);
/** Nothing arrives for @p ms; then all at once. */
void globe_stall_network(struct globe *g, uint32_t ms);
/** What arrives lies in the socket unread for @p ms while the host's loop turns. */
void globe_stall_socket(struct globe *g, uint32_t ms);
/** The host's loop does not turn for @p ms. */
void globe_stall_host(struct globe *g, uint32_t ms);
/** The host sleeps for @p ms: its loop does not turn, and its monotonic clock goes on or (@p counts
 * false) stands still. The connection is lost meanwhile if @p cut. */
void globe_suspend(struct globe *g, uint32_t ms, bool counts, bool cut);
/** The server's wall clock (dates of events and differences) jumps by so many seconds. */
void globe_clock_jump(struct globe *g, int32_t seconds);
/** The host says that updates may have been missed. */
void globe_missed(struct globe *g);

/* --- life of the process -------------------------------------------------------------------- */

/** The process dies now; what was committed is left. The next begins after @p ms; as without a
 * store if the options say so (a fresh account). */
void globe_crash(struct globe *g, uint32_t ms);
/** It dies inside the handler of the @p deliveries-th update from now (1: the next one). */
void globe_crash_in_handler(struct globe *g, uint32_t deliveries, uint32_t ms);
/** The engine is closed, its state is stored, and it begins again after @p ms. */
void globe_restart(struct globe *g, uint32_t ms);
/** So many of the next commits fail before they have taken everything. */
void globe_fail_commits(struct globe *g, uint32_t count);
/** Channels of an open chat, and the like, are the caller's: the engine now, or NULL. */
gap_engine_t *globe_engine(struct globe *g);

enum globe_handling {
    GLOBE_DONE = 0,
    GLOBE_HANDLER_FAILS,
    GLOBE_LATER,        /* goes on for `ms`, then is done */
    GLOBE_LATER_FAILS,  /* or failed */
    GLOBE_STUCK_HANDLER /* never ends (but with the process) */
};

/** What the handler does with event @p n (0: the next one delivered), once. @return 0; GAP_E_LIMIT
 * there are 64 orders already. */
GAP_NODISCARD int globe_handler(struct globe *g, uint32_t n, enum globe_handling how, uint32_t ms);

/* --- calls of the account itself ------------------------------------------------------------ */

enum globe_call_kind { GLOBE_SEND, GLOBE_EDIT, GLOBE_DELETE, GLOBE_PIN, GLOBE_READ };

struct globe_call {
    enum globe_call_kind kind;
    dc_peer_t chat;
    int32_t id;         /* GLOBE_EDIT, GLOBE_PIN: the message (of an own one); GLOBE_READ: max_id */
    const int32_t *ids; /* GLOBE_DELETE */
    uint32_t ids_count;
    gap_bytes_t text; /* NULL data: invented, "own<n>" */
    bool elsewhere;   /* by another session of the account: what it causes is pushed */
    bool echo;        /* by this one, and pushed as well */
    bool lost;        /* by this one, and its result never comes */
    uint32_t ms;      /* the result comes so much later */
};

/** Call. An error of the server goes to the trace. @param push Of the echo or what another session
 * causes; NULL: drawn. @return 0; GAP_E_NOMEM; GAP_E_ARGUMENT. */
GAP_NODISCARD int globe_call(struct globe *g, const struct globe_call *call,
                             const struct globe_push *push);

/* --- by hand: what no honest server would do, and no chance draws (globe_hand.c) ---------------
 */

/**
 * Push bytes where an Updates object should be.
 * @param bytes  Copied.
 * @param ns     Events of the server that it holds; may be none.
 */
void globe_push_bytes(struct globe *g, gap_bytes_t bytes, const uint32_t *ns, uint32_t count,
                      const struct globe_push *push);
/** The account made a call and this is its result, @p ms from now: gap_engine_result. Copied. */
void globe_result_bytes(struct globe *g, gap_bytes_t query, gap_bytes_t result, uint32_t ms);
/** globe_rule for GLOBE_GIVEN: what is answered are these bytes. Copied. @return as globe_rule. */
GAP_NODISCARD int globe_rule_given(struct globe *g, const struct globe_rule *rule,
                                   gap_bytes_t answer);
/** A box that bytes made by hand may touch: it is no longer judged what arrives from it, only that
 * all becomes quiet and memory stays bounded. @param channel 0: the boxes of the account. */
void globe_untrusted(struct globe *g, int64_t channel);
/** Before anything has happened: the server stands at these numbers; 0: as it is. */
void globe_number(struct globe *g, int32_t pts, int32_t qts, int32_t seq);
/** The last seq that the server has used, and containers that are missing behind it. */
int32_t globe_seq(const struct globe *g);
void globe_skip_seq(struct globe *g, int32_t count);
/** Before globe_start: what an earlier process has stored; NULL: nothing, as without this call.
 * Copied. @return 0; GAP_E_LIMIT too many channels. */
GAP_NODISCARD int globe_stored(struct globe *g, const gap_engine_state_t *state);
/** How late what chance makes late is, at most. */
void globe_late_ms(struct globe *g, uint32_t ms);
/** Questions in any number are to be expected from now on: the account looks at channels. */
void globe_allow(struct globe *g);
/** Handlers that were never to end do now. */
void globe_finish_all(struct globe *g);
/** Nothing is on its way, at work or waited for but the watchdog. */
bool globe_is_quiet(const struct globe *g);

/* --- what came of it ------------------------------------------------------------------------ */

struct globe_counts {
    uint64_t events; /* that the account should get */
    uint64_t deliveries;
    uint64_t runs;        /* of a runner */
    uint64_t dead;        /* events that it gave up */
    uint64_t repeated;    /* of these, marked as such */
    uint64_t superseded;  /* events that a difference folded */
    uint64_t excused;     /* events that the engine said could not be had */
    uint64_t questions;   /* getState, getDifference ... */
    uint64_t differences; /* of both kinds */
    uint64_t gaps;        /* GAP_EVENT_GAP_OPENED */
    uint64_t restarts;
    uint64_t turns;      /* of the host's loop */
    uint64_t peak_bytes; /* of the engine */
};

void globe_counts(const struct globe *g, struct globe_counts *out);

#endif
