/* dc/server.h - what the parts of the server share: the server itself, connections, accounts. */
#ifndef GAP_DC_SERVER_H
#define GAP_DC_SERVER_H

#include "base/heap.h"
#include "base/prng.h"
#include "dc/sending.h"
#include "dc/dc.h"
#include "dc/frame.h"
#include "dc/handshake.h"
#include "dc/homes.h"
#include "dc/keys.h"
#include "dc/ledger.h"
#include "dc/people.h"

/** Something to be done at a time. */
typedef struct gap_dc_timer {
    gap_heap_node_t node;
    void (*fire)(gap_dc_t *dc, struct gap_dc_timer *t);
} gap_dc_timer_t;

typedef struct gap_dc_conn {
    LIST_ENTRY(gap_dc_conn) link;
    gap_dc_t *dc;
    gap_stream_t *stream;
    gap_dc_framer_t framer;
    gap_dc_handshake_t *handshake; /* NULL until a plain message comes */
    gap_dc_session_t *session;     /* NULL until an encrypted one comes */
    gap_dc_timer_t wake;           /* a queued message becomes due */
    uint64_t deadline_us;          /* closed at the latest; GAP_ENV_NEVER */
    uint64_t progress_us;          /* when bytes last went out, or none were waiting */
    int64_t plain_id;              /* last msg_id of a plain answer */
    size_t unsent;                 /* bytes given to the environment and not written yet */
    uint32_t refusals;             /* plain messages answered by -404 */
    bool is_congested;             /* counted in dc->congested */
    bool is_refused;               /* nothing more is read; closed when all is written */
    bool is_closing;
} gap_dc_conn_t;

TAILQ_HEAD(gap_dc_account_keys, gap_dc_key);

/** An account that is signed in. */
typedef struct gap_dc_account {
    TAILQ_ENTRY(gap_dc_account) link;
    int64_t id;
    struct gap_dc_account_keys keys;
    uint32_t keys_ever; /* ordinal of the next key */
    uint64_t ready_us;  /* counts as ready from then on; 0: has not called yet */
    bool is_ready;
} gap_dc_account_t;

TAILQ_HEAD(gap_dc_accounts, gap_dc_account);

/** A push that is held back. */
typedef struct gap_dc_held {
    gap_dc_timer_t timer;
    TAILQ_ENTRY(gap_dc_held) link;
    int64_t key_id;
    uint32_t n; /* the event */
    uint32_t len;
    uint8_t body[];
} gap_dc_held_t;

typedef enum gap_dc_phase {
    GAP_DC_AWAITING, /* accounts are not ready */
    GAP_DC_PUSHING,
    GAP_DC_DRAINING, /* all events happened; late ones are still held */
    GAP_DC_DONE
} gap_dc_phase_t;

struct gap_dc {
    gap_env_t *env;
    const gap_alloc_t *alloc;
    gap_dc_options_t options;
    struct gap_env_host host;
    gap_crypto_t crypto;
    gap_random_t random;
    gap_gzip_t zip;
    gap_listener_t *listener;
    LIST_HEAD(gap_dc_conns, gap_dc_conn) conns;
    uint32_t conn_count;
    uint32_t congested; /* connections that read too slowly */
    gap_dc_keys_t keys;
    gap_map_t accounts_by_id;
    struct gap_dc_accounts accounts;
    gap_dc_people_t people;
    TAILQ_HEAD(gap_dc_dirty, gap_dc_session) dirty; /* sessions with something new to send */
    gap_heap_t timers;
    gap_dc_timer_t tick; /* once a second while there are connections */
    gap_dc_now_t now;    /* read once per callback */
    gap_dc_inbox_t inbox;
    gap_buf_t scratch;    /* body of a packet being made */
    gap_buf_t push;       /* an Updates object being made */
    gap_buf_t plain;      /* a plain answer being made */
    gap_buf_t translated; /* a method of an older layer in the schema's form */

    dc_model_t *model;
    dc_traffic_t traffic;
    dc_ledger_t ledger;
    dc_answer_t answer;
    gap_dc_phase_t phase;
    gap_dc_timer_t pace; /* the next event, or the next account that becomes ready */
    uint64_t start_us;   /* when traffic began */
    uint32_t ready;      /* accounts that are ready */
    uint8_t *clean;      /* for each event: must it have no faults? NULL: none has */
    gap_map_t missed;    /* boxes of keys whose newest push was dropped (push.c) */
    TAILQ_HEAD(gap_dc_helds, gap_dc_held) held;
    uint32_t held_count;
    uint64_t push_count;                         /* handed to sessions so far */
    struct gap_dc_run *run;                      /* the script's; NULL: there is none */
    TAILQ_HEAD(gap_dc_lates, gap_dc_late) lates; /* answers that are not out yet */
    gap_dc_sending_t sending;
    gap_dc_homes_t homes;
    gap_prng_t chance; /* of disconnects */
    bool more;         /* there is work left for the next turn */
    bool has_failed;
    bool is_closing;
    uint32_t children; /* closed callbacks to come */
    void (*closed)(void *arg);
    void *closed_arg;
};

/* server.c */

/** Read the clocks. */
void gap_dc_look_at_clock(gap_dc_t *dc);
/** Fail for good: the callback is told once. */
void gap_dc_fail(gap_dc_t *dc, int status);
/** Arm a timer anew. Out of memory fails the server. */
void gap_dc_arm(gap_dc_t *dc, gap_dc_timer_t *t, uint64_t at_us);
void gap_dc_disarm(gap_dc_t *dc, gap_dc_timer_t *t);
/** The session has something to send: it will be packed at the end of this callback. */
void gap_dc_mark_dirty(gap_dc_t *dc, gap_dc_session_t *s);
void gap_dc_unmark_dirty(gap_dc_t *dc, gap_dc_session_t *s);
/** Pack and write what is due, then set the environment's timer. To be called last in each callback
 * that may have changed something. */
void gap_dc_settle(gap_dc_t *dc);
/** One child less; the last one ends a close. */
void gap_dc_child_closed(gap_dc_t *dc);

/* conn.c */

void gap_dc_conn_accept(gap_dc_t *dc, gap_stream_t *stream);
void gap_dc_conn_close(gap_dc_conn_t *conn);
/** Pack and write what its session has due. */
void gap_dc_conn_flush(gap_dc_conn_t *conn);

/** Sign out and forget an authorization key; its connections stay and get -404. */
void gap_dc_forget_key(gap_dc_t *dc, gap_dc_key_t *key);

/* rpc.c */

/** Answer one API call of a session. @return 0, or negative: the connection cannot go on. */
GAP_NODISCARD int gap_dc_rpc(gap_dc_t *dc, gap_dc_session_t *s, const gap_dc_call_t *call);

/* accounts.c */

/** The account, made if need be, now signed in with this key. @param person NULL: a bot.
 * @return 0, GAP_E_NOMEM, GAP_E_LIMIT, GAP_E_ARGUMENT the id can't be a bot's. */
GAP_NODISCARD int gap_dc_sign_in(gap_dc_t *dc, gap_dc_key_t *key, int64_t account,
                                 const dc_person_t *person);
void gap_dc_sign_out(gap_dc_t *dc, gap_dc_key_t *key);
/** An account made a call; @p is_difference: updates.getDifference. */
void gap_dc_account_called(gap_dc_t *dc, int64_t account, bool is_difference);
/** Count those who have become ready. @return when the next one will, or GAP_ENV_NEVER. */
uint64_t gap_dc_accounts_ready(gap_dc_t *dc);
void gap_dc_accounts_fini(gap_dc_t *dc);

/* devices.c */

/** End the key's sign-in from elsewhere: its pushes end, and its calls get this error (401; or 406,
 * and the key is dead with that answer). @param text Static, or the script's. */
void gap_dc_revoke(gap_dc_t *dc, gap_dc_key_t *key, int32_t code, const char *text);

/* push.c */

/** Start, go on or end the traffic as far as it is due, and arm its timer. */
void gap_dc_push_turn(gap_dc_t *dc);
/** Write an event into the ledger and push it without faults to all keys but @p except (may be
 * NULL). @return 0 or negative. */
GAP_NODISCARD int gap_dc_push_clean(gap_dc_t *dc, uint32_t n, const gap_dc_key_t *except);
/** Queue a built Updates object for the session that gets the key's pushes, if there is one.
 * @return 0 or negative. */
GAP_NODISCARD int gap_dc_push_deliver(gap_dc_t *dc, gap_dc_key_t *key, gap_bytes_t body,
                                      bool twice);
void gap_dc_push_fini(gap_dc_t *dc);

/* fate.c */

/** What happens to a push; the same for the same seed, event, account and key. */
typedef struct gap_dc_fate {
    dc_fate_t fate;
    uint64_t late_us; /* DC_LATE */
} gap_dc_fate_t;

gap_dc_fate_t gap_dc_fate(const gap_dc_options_t *o, uint32_t index, int64_t account,
                          uint32_t ordinal, bool is_clean, bool has_box);
/** What becomes of the answer to a call that was carried out. */
typedef enum gap_dc_faith {
    GAP_DC_FAITHFUL,       /* it is sent */
    GAP_DC_ANSWER_DROPPED, /* it never is */
    GAP_DC_SESSION_LOST    /* nor is it, and connection and session are gone */
} gap_dc_faith_t;

/** What happens to a call; the same for the same seed, account and number of the call. */
typedef struct gap_dc_call_fate {
    int32_t code;     /* 0; or it is refused by chance, */
    const char *text; /* with this error; in the options or static */
    gap_dc_faith_t answer;
    uint64_t late_us; /* its answer takes so much longer */
} gap_dc_call_fate_t;

gap_dc_call_fate_t gap_dc_call_fate(const gap_dc_options_t *o, int64_t account, uint32_t index,
                                    uint32_t method);

/* late.c */

/** Keep an answer back: it goes to the session if that is still there then. @return 0; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_late_answer(gap_dc_t *dc, const gap_dc_session_t *s, int64_t msg_id,
                                     uint64_t late_us, gap_bytes_t body, bool failed);
void gap_dc_late_fini(gap_dc_t *dc);

#endif
