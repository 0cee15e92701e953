/*
 * gapless/decision.h - what the engine decides, one record a decision, each with its reason: for
 * traces, tests, and for finding out why an update did or did not reach a handler.
 *
 * gap_engine_config.tap takes them. Without a tap they cost one branch each.
 */
#ifndef GAPLESS_DECISION_H
#define GAPLESS_DECISION_H

#include <gapless/update.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which ordered stream. */
typedef enum gap_sequence_kind {
    GAP_SEQUENCE_COMMON = 0, /* pts of private chats and basic groups */
    GAP_SEQUENCE_QTS,
    GAP_SEQUENCE_SEQ, /* order of containers */
    GAP_SEQUENCE_CHANNEL
} gap_sequence_kind_t;

/** What was decided, and why. gap_engine_decision_text says it for people. */
typedef enum gap_decision {
    /* an update is delivered */
    GAP_DECISION_APPLIED = 0, /* it is the next of its sequence */
    GAP_DECISION_PLAIN,       /* it has no place in the order */
    GAP_DECISION_REPLAYED,    /* it was held, and its turn has come */
    GAP_DECISION_FETCHED,     /* a difference brought it */
    GAP_DECISION_RESET,       /* it shows that the server counts anew */
    GAP_DECISION_FLUSHED,     /* it lies in a range that nobody fills any more */
    GAP_DECISION_BACKFILLED,  /* a back-fill brought it */
    /* an update counts, but reaches no handler */
    GAP_DECISION_SILENT, /* there is nothing in it to deliver */
    GAP_DECISION_OWN,    /* the account sent it itself, and own updates are not wanted */
    /* an update is dropped */
    GAP_DECISION_DUPLICATE, /* it was applied before */
    GAP_DECISION_COVERED,   /* it was held, and what was delivered meanwhile covers it */
    GAP_DECISION_OVERLAP,   /* a part of it was applied: there is a hole */
    GAP_DECISION_OLD_READ,  /* a read mark that is not higher than the last one */
    GAP_DECISION_SEEN,      /* its container was seen before */
    GAP_DECISION_MALFORMED, /* its numbers contradict each other */
    GAP_DECISION_BEHIND,    /* the inbox of its sequence is full: it is fetched later */
    GAP_DECISION_STARVED,   /* there is no memory: it is fetched later */
    GAP_DECISION_SHED,      /* overload or no memory, and no difference brings it back */
    GAP_DECISION_IGNORED,   /* it is about a channel that is not followed */
    /* an update is kept */
    GAP_DECISION_GAP,          /* something before it is missing, nothing was until now */
    GAP_DECISION_HELD,         /* something before it is still missing */
    GAP_DECISION_FROZEN,       /* its sequence is being fetched */
    GAP_DECISION_QUEUED,       /* others before it are being delivered */
    GAP_DECISION_FIRST,        /* the first of its channel: until what came with it is there */
    GAP_DECISION_UNKNOWN_PEER, /* it names somebody never seen: the difference is asked for */
    GAP_DECISION_PASSED_ON,    /* a difference brought it for another sequence */
    /* orders */
    GAP_DECISION_CHANNEL_MOVED, /* the server names a channel that has moved: it is asked */
    GAP_DECISION_IN_STEP,       /* the server names a channel that is where it says: nothing */
    GAP_DECISION_BASE,          /* the server names a channel's position: begin there */
    GAP_DECISION_PTS_CHANGED,   /* the server counts anew: its state is asked for */
    GAP_DECISION_DOUBTED,       /* the server may count lower: its state is asked for */
    GAP_DECISION_MISSED,        /* updates may have been missed: the difference is asked for */
    GAP_DECISION_UNDECODABLE,   /* bytes could not be read: the difference is asked for */
    GAP_DECISION_SILENCE,       /* nothing came for long: the difference is asked for */
    GAP_DECISION_TAIL_SWEEP,    /* several were lost: who went silent with them is asked for */
    GAP_DECISION_LOOKED_AT,     /* the channel is open: it is asked every few seconds */
    /* gaps */
    GAP_DECISION_WAIT,      /* the missing update may still come: wait `us` from when it opened */
    GAP_DECISION_WAIT_OVER, /* it did not come: the difference is asked for */
    GAP_DECISION_HEALED,    /* pushes closed the gap after `us` */
    GAP_DECISION_FILLED,    /* a difference closed it after `us` */
    GAP_DECISION_GIVEN_UP,  /* the range position..pts can't be had: go on behind it */
    /* questions */
    GAP_DECISION_ASKED,          /* for the difference from `position`, at most `limit` events */
    GAP_DECISION_ASKED_STATE,    /* where the server stands */
    GAP_DECISION_ASKED_MESSAGES, /* for messages behind id `position`, at most `limit` */
    GAP_DECISION_NOT_SENT,       /* the question could not be sent: `error` */
    GAP_DECISION_NO_HASH,        /* the channel's access hash is not known: the common difference
                                    may bring it */
    /* answers */
    GAP_DECISION_EMPTY,      /* nothing new */
    GAP_DECISION_SLICE,      /* a part, up to `pts`: more follows */
    GAP_DECISION_FINAL,      /* all of it, up to `pts` */
    GAP_DECISION_TOO_LONG,   /* the server does not say what happened; it stands at `pts` */
    GAP_DECISION_STATE,      /* the server stands at `pts` */
    GAP_DECISION_MESSAGES,   /* `count` messages */
    GAP_DECISION_UNREADABLE, /* it can't be decoded: `error` */
    GAP_DECISION_USELESS,    /* it leads nowhere */
    GAP_DECISION_REFUSED,    /* rpc_error `error_code` */
    GAP_DECISION_NO_ANSWER,  /* none came: `error` */
    GAP_DECISION_LATER,      /* the question is put again after `us` */
    GAP_DECISION_COUNT
} gap_decision_t;

/** A decision. Borrowed. */
typedef struct gap_engine_decision {
    gap_decision_t kind;
    gap_sequence_kind_t sequence; /* if `sequenced` */
    bool sequenced;               /* it is about a sequence */
    gap_via_t via;                /* how the update came, if `update` is not 0 */
    int64_t channel_id;           /* of GAP_SEQUENCE_CHANNEL, else 0 */
    int32_t position;             /* where the sequence stood; 0: not known */
    int32_t pts;                  /* of the update or the answer (qts, seq likewise); -1: none */
    int32_t count;                /* of the update: events in it */
    uint32_t update;              /* constructor; 0: it is about no update */
    int32_t limit;
    int error;          /* negative, or 0 */
    int32_t error_code; /* of an rpc_error, or 0 */
    uint64_t us;        /* microseconds */
} gap_engine_decision_t;

/**
 * Takes a decision, before it is acted upon. From ticks, and from every call that feeds the engine
 * or has it do something, those included that otherwise call nobody back (gap_engine_missed,
 * gap_engine_undecodable, gap_engine_open_channel). It must not call the engine.
 */
typedef void (*gap_engine_tap_cb)(void *data, const gap_engine_decision_t *decision);

/**
 * A decision in words, with its reason: "held: something before it is missing".
 * @return static text; never NULL.
 * Any thread.
 */
GAP_API const char *gap_engine_decision_text(gap_decision_t kind);

#ifdef __cplusplus
}
#endif
#endif
