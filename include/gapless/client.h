/*
 * gapless/client.h - one Telegram account: its connection, its requests, its updates.
 *
 *     gap_client_open (gapless/uv.h) -> gap_client_on_message ... -> gap_client_start
 *                                    -> a person signs in: GAP_CLIENT_SIGN_IN and answers
 *                                    -> handlers and events run on the host's loop
 *     gap_client_shutdown            -> handlers finish, the rest is kept, a report says so
 *     gap_client_close               -> closed callback, exactly once
 *
 * Everything here is for the thread of the loop that the client was opened on, and asserts it.
 * Callbacks never run from inside the call that asked for them. From inside a callback every
 * function may be called, gap_client_close included. What runs on another thread of the library
 * (gap_update_on_thread, gap_update_in_transaction) may look at its update and call
 * gap_update_client, gap_update_eid and gap_update_random_id; nothing else here.
 */
#ifndef GAPLESS_CLIENT_H
#define GAPLESS_CLIENT_H

#include <gapless/engine.h>
#include <gapless/message.h>
#include <gapless/runner.h>
#include <gapless/store.h>
#include <gapless/tl_api.h>
#include <gapless/update.h>

#ifdef __cplusplus
extern "C" {
#endif

/** An account in this process. Opaque. */
typedef struct gap_client gap_client_t;

/** Framing of the TCP connection. */
typedef enum gap_transport {
    GAP_TRANSPORT_INTERMEDIATE = 0,
    GAP_TRANSPORT_ABRIDGED = 1
} gap_transport_t;

/** Which servers to talk to. */
typedef enum gap_network {
    GAP_NETWORK_CUSTOM = 0,     /* host, port, dc and rsa_key of the configuration */
    GAP_NETWORK_PRODUCTION = 1, /* Telegram: published addresses and keys; dc is where to begin */
    GAP_NETWORK_TEST = 2        /* Telegram's test servers */
} gap_network_t;

/** Settings of a client. Zero-initialise, then set what is wanted; everything is copied. */
typedef struct gap_client_config {
    gap_network_t network;
    gap_transport_t transport;
    const char *host;      /* custom: name or address; others: NULL */
    uint16_t port;         /* custom */
    int32_t dc;            /* data centre number, 1 to 5 on Telegram; 0: 2 */
    const char *rsa_key;   /* custom: the server's public keys, PEM (PKCS#1 or SPKI), one after the
                              other; others: NULL */
    int32_t api_id;        /* from my.telegram.org; 0: as when the session was made */
    const char *api_hash;  /* the same; not needed with a session that is signed in */
    const char *bot_token; /* "ID:SECRET" from @BotFather; NULL: a person signs in, see
                              gap_sign_in_t */
    const char *phone;     /* a person's number in international form; NULL: asked for */
    /** File that keeps the account signed in: keys, addresses. Created with mode 0600, used by one
     * process at a time. NULL: the next start signs in anew. */
    const char *session;
    /** Keeps positions and peers, so that the next start goes on where this one was. Taken by
     * gap_client_open if it succeeds. NULL: the next start begins with what is then. */
    gap_storage_t *storage;
    /** How updates reach handlers: lanes, how many at a time, retries, the journal. Copied. NULL:
     * all defaults. */
    const gap_runner_config_t *runner;
    /** Send what is written into the storage's database: see gapless/outbox.h. Copied. A storage
     * without SQL, or whose tables a newer version of the library made, ends in GAP_CLIENT_FATAL.
     * NULL: nobody looks for rows. */
    const struct gap_outbox_config *outbox;
    const char *device_model;    /* NULL: "Gapless" */
    const char *system_version;  /* NULL: "1.0" */
    const char *app_version;     /* NULL: the library's version */
    const char *lang_code;       /* NULL: "en" */
    uint32_t gap_wait_ms;        /* how long each gap waits for its missing update;
                                    0: learned from the gaps before, 2 to 500 */
    uint32_t gap_wait_lambda_ms; /* if learned: a request is worth one update held back so long;
                                    0: 100; 400 suits those who share a budget of requests */
    bool gap_continue; /* go on with what fits while the missing is fetched; see gapless/engine.h */
    bool tail_sweep;   /* look for channels that went silent in a loss; see gapless/engine.h */
    bool no_own_updates;   /* what the account sends reaches no handler; see gapless/engine.h */
    gap_engine_tap_cb tap; /* takes every decision about updates; NULL: none; loop thread */
    void *tap_data;
    const gap_alloc_t *alloc; /* NULL: gap_alloc_default(). Pinned until closed */
    gap_log_cb log;           /* NULL: none */
    void *log_data;
    gap_log_level_t log_level; /* most detailed level wanted */
    bool measure; /* keep gap_client_stats' turn figures (costs two clock reads a turn) */
} gap_client_config_t;

/** What a client tells besides updates. */
typedef enum gap_event_kind {
    GAP_CLIENT_CONNECTED = 0,   /* connected, encrypted */
    GAP_CLIENT_DISCONNECTED,    /* `error` why; tried again after `us` */
    GAP_CLIENT_SIGNED_IN,       /* `user_id` is the account */
    GAP_CLIENT_SIGN_IN,         /* an answer is wanted: `sign_in` says which */
    GAP_CLIENT_SIGNED_OUT,      /* the session is over (401, 406, log-out): `text` says why and what
                                   to do; its key is no longer kept */
    GAP_CLIENT_STARTED,         /* the state is known, updates flow */
    GAP_CLIENT_CAUGHT_UP,       /* what was missed before the start has been handed to handlers */
    GAP_CLIENT_GAP_OPENED,      /* an update is missing behind `from`; one that ends at `to` came */
    GAP_CLIENT_GAP_FILLED,      /* whole again up to `to` after `us`; `fetched`: by a difference */
    GAP_CLIENT_GAP_ABANDONED,   /* what lay between `from` and `to` can't be had, though the server
                                   never said so; `text`: why */
    GAP_CLIENT_RESYNCHRONISED,  /* the server says that it can't tell what lay between `from` and
                                   `to`; `text`: why. `last_id` and `top_id` say what is missed */
    GAP_CLIENT_CHANNEL_LOST,    /* no access to channel_id any more; it stood at `from` */
    GAP_CLIENT_BACKFILLED,      /* a gap_engine_backfill is through, from behind id `from` to `to`:
                                   `count` messages; `error` 0, or why it ended there */
    GAP_CLIENT_HANDLER_FAILED,  /* a handler returned or was told `error`, or a reply of it got no
                                   answer; `attempt` which it was, `us` until the next one,
                                   0: there is none */
    GAP_CLIENT_HANDLER_TIMEOUT, /* a handler took longer than gap_runner_config.timeout_us; the
                                   same members */
    GAP_CLIENT_DEAD_LETTER,     /* an update was given up after `attempt` attempts, the last one
                                   with `error`: see gap_runner_dead_letters */
    GAP_CLIENT_OVERLOADED,      /* `count` updates wait for handlers: no more are taken (`held`),
                                   or they are again */
    GAP_CLIENT_OUTBOX_LIMITED,  /* the server wants a pause of `us` from `chat`, or (NONE) from a
                                   method in all chats: `text` says which. It is stored */
    GAP_CLIENT_OUTBOX_PARKED,   /* `row` of the outbox needs people, or all rows of `chat` (`row` 0)
                                   do: `text` says why; gap_outbox_retry, gap_outbox_release */
    GAP_CLIENT_OUTBOX_DEAD,     /* `row` of the outbox was given up: `text` says why */
    GAP_CLIENT_OUTBOX_STOPPED,  /* PEER_FLOOD: nothing is published any more (GAP_OUTBOX_BULK) until
                                   gap_outbox_release of GAP_PEER_NONE */
    GAP_CLIENT_OUTBOX_CASCADE,  /* posts change each other without end: `text`: which */
    GAP_CLIENT_STORE_FAILED,    /* positions or session can't be stored; tried again after `us` */
    GAP_CLIENT_STORE_RECOVERED, /* they are stored again */
    GAP_CLIENT_ERROR,           /* something failed and is tried again, or dropped: `text` */
    GAP_CLIENT_FATAL            /* the client can't go on; `text` says what and what to do */
} gap_event_kind_t;

/** What a sign-in waits for. */
typedef enum gap_sign_in_step {
    GAP_SIGN_IN_PHONE = 0, /* gap_client_sign_in_phone */
    GAP_SIGN_IN_CODE,      /* gap_client_sign_in_code or gap_client_sign_in_resend */
    GAP_SIGN_IN_PASSWORD,  /* gap_client_sign_in_password */
    GAP_SIGN_IN_NAME       /* the number has no account: gap_client_sign_in_name makes one */
} gap_sign_in_step_t;

/** How a code travels. */
typedef enum gap_code_delivery {
    GAP_CODE_NONE = 0,
    GAP_CODE_APP, /* in another client of the account */
    GAP_CODE_SMS,
    GAP_CODE_CALL,        /* a voice says it */
    GAP_CODE_FLASH_CALL,  /* it is the number that calls; `pattern` */
    GAP_CODE_MISSED_CALL, /* its last digits are; `pattern` is how the number begins */
    GAP_CODE_EMAIL,       /* `pattern` is the address, in part */
    GAP_CODE_FRAGMENT,    /* on fragment.com; `pattern` is the page */
    GAP_CODE_SMS_WORD,    /* a word; `pattern` is its first letter */
    GAP_CODE_SMS_PHRASE,  /* words; `pattern` is the first one */
    GAP_CODE_OTHER        /* a way that only official clients know: try gap_client_sign_in_resend */
} gap_code_delivery_t;

/** A question of the sign-in. Borrowed. The event's text says it for people; after an answer that
 * was refused the same question comes again (or an earlier one, if it has to begin anew), its text
 * says what was wrong and `error` of the event is GAP_E_RPC. Pauses that the server wants
 * (FLOOD_WAIT) are not made but told: `us` of the event is how long any answer will be refused
 * again. A bot is not asked; what refuses it is FATAL, with the pause in `us`. */
typedef struct gap_sign_in {
    gap_sign_in_step_t step;
    const char *refused;          /* the rpc_error that refused the last answer,
                                     "FLOOD_WAIT_30"; "" */
    gap_code_delivery_t delivery; /* CODE */
    gap_code_delivery_t next;     /* CODE: what gap_client_sign_in_resend leads to; NONE: nothing */
    uint32_t resend_in_s;         /* CODE: not before; 0: now */
    uint32_t length;              /* CODE: characters; 0: not known */
    const char *pattern;          /* CODE; "" if there is none */
    const char *hint;             /* PASSWORD: the owner's; "" if there is none */
} gap_sign_in_t;

/** An event. Borrowed, as is everything it points to. */
typedef struct gap_event {
    gap_event_kind_t kind;
    int error;          /* a result code, or 0 */
    int32_t rpc_code;   /* code of an rpc_error, or 0 */
    const char *text;   /* one line for people, never NULL; no secrets */
    int64_t user_id;    /* SIGNED_IN */
    gap_box_t box;      /* gap events: which sequence; GAP_BOX_NONE is the order of containers */
    int64_t channel_id; /* of GAP_BOX_CHANNEL */
    int32_t from;
    int32_t to;
    int32_t last_id; /* GAP_ABANDONED, RESYNCHRONISED: highest id of a new message delivered of that
                        channel, or of the common box; 0: none */
    int32_t top_id;  /* the same: the newest message that the server names; 0: none */
    uint64_t us;     /* microseconds */
    bool fetched;
    uint64_t count;               /* BACKFILLED: messages; OVERLOADED: updates */
    const gap_sign_in_t *sign_in; /* SIGN_IN */
    uint32_t attempt;             /* HANDLER_FAILED, HANDLER_TIMEOUT, DEAD_LETTER; from 1 */
    bool held;                    /* OVERLOADED: it begins; false: it is over */
    const gap_update_t *update;   /* HANDLER_FAILED, HANDLER_TIMEOUT, DEAD_LETTER: to be looked at;
                                     NULL if it can't be */
    gap_peer_t chat;              /* OUTBOX_LIMITED, OUTBOX_PARKED, OUTBOX_DEAD; or GAP_PEER_NONE */
    int64_t row;                  /* OUTBOX_PARKED, OUTBOX_DEAD; or 0 */
} gap_event_t;

/** Event callback. Loop thread. */
typedef void (*gap_event_cb)(gap_client_t *client, const gap_event_t *event, void *data);

/**
 * Message handler: new and edited messages of all kinds; otherwise as gap_update_cb.
 * @param message  Valid as long as @p update is.
 */
typedef int (*gap_message_cb)(gap_update_t *update, const gap_message_t *message, void *data);

/** The outcome of a request. Borrowed. */
typedef struct gap_result {
    /** 0: `object` is the answer. GAP_E_RPC: the server said no, see the rpc_ members.
     * GAP_E_TIMEOUT, GAP_E_CLOSED, GAP_E_DISCONNECTED, GAP_E_UNAUTHORIZED, GAP_E_TL, GAP_E_TL_ID,
     * GAP_E_NOMEM and others: no answer. */
    int status;
    int32_t rpc_code;       /* 400, 420 ... */
    int32_t rpc_value;      /* the number in the error's name, 0 if there is none */
    const char *rpc_name;   /* "FLOOD_WAIT_30"; "" if it is no rpc_error */
    gap_tl_object_t object; /* the boxed result; a vector has the id GAP_TL_VECTOR */
    gap_packet_t *packet;   /* owns object; gap_packet_ref to keep it */
} gap_result_t;

/** Callback of a request. Exactly once per request that was taken. Loop thread. */
typedef void (*gap_call_cb)(gap_client_t *client, const gap_result_t *result, void *data);

/** Counters since open. */
typedef struct gap_client_stats {
    uint64_t updates;     /* handed to handlers */
    uint64_t duplicates;  /* dropped because they had been */
    uint64_t gaps;        /* opened */
    uint64_t healed;      /* closed by a late update */
    uint64_t fetched;     /* closed by a difference */
    uint64_t differences; /* asked of the server, channels included */
    uint64_t turns;       /* of the host's loop spent in the library (config.measure) */
    uint64_t turns_over_2ms;
    uint64_t turn_max_us; /* longest, processor time */
    bool caught_up;
} gap_client_stats_t;

/** All events. One callback at most; NULL: none. Before or after start. */
GAP_API void gap_client_on_event(gap_client_t *client, gap_event_cb callback, void *data);
/**
 * Every update, before message handlers. One callback at most.
 * If it returns GAP_LATER or an error, message handlers don't see the update.
 */
GAP_API void gap_client_on_update(gap_client_t *client, gap_update_cb callback, void *data);
/** New and edited messages. One callback at most. */
GAP_API void gap_client_on_message(gap_client_t *client, gap_message_cb callback, void *data);

/**
 * Connect, sign in (unless the session file says that it is), and receive. Progress comes as
 * events.
 * @return 0; GAP_E_STATE started or stopped before; GAP_E_CLOSED; GAP_E_FORKED; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_client_start(gap_client_t *client);
/**
 * Stop handing updates to handlers; requests still work, the connection stays. Handlers that are at
 * work may finish; what waits for one is kept in the journal, or comes again with the next start.
 * Rows of an outbox are not sent any more. Idempotent. gap_client_shutdown is the gentler way.
 */
GAP_API void gap_client_stop(gap_client_t *client);

/** Default of gap_shutdown_config.deadline_us. */
#define GAP_SHUTDOWN_DEADLINE_US (UINT64_C(10) * 1000000)
/** Default of gap_shutdown_config.sends_us. */
#define GAP_SHUTDOWN_SENDS_US (UINT64_C(5) * 1000000)

/** How long a shutdown may take. Zero-initialise. */
typedef struct gap_shutdown_config {
    uint64_t deadline_us; /* for handlers; 0: GAP_SHUTDOWN_DEADLINE_US */
    uint64_t sends_us;    /* after that, for requests in flight; 0: GAP_SHUTDOWN_SENDS_US */
} gap_shutdown_config_t;

/** What became of the updates that had come. Borrowed. */
typedef struct gap_shutdown_report {
    /** 0: what is handled and what is journalled is on disk (or nothing is kept); GAP_E_CLOSED
     * gap_client_close came first; otherwise what the last commit failed with: what was handled
     * since the last good one comes again. */
    int status;
    uint64_t drained;    /* handled since the shutdown began */
    uint64_t journalled; /* not handled, but kept: the next start hands them to handlers first */
    /** Neither: the storage took them not, or there is none. What a difference can bring comes
     * again with the next start, the rest is lost. */
    uint64_t unknown;
    uint64_t sends_unknown; /* requests without an answer yet */
} gap_shutdown_report_t;

/** Once. Loop thread, from a tick. */
typedef void (*gap_shutdown_cb)(gap_client_t *client, const gap_shutdown_report_t *report,
                                void *data);

/**
 * End in good order:
 *   1. no further update is taken, no further row of an outbox is sent, the connection stays;
 *   2. what was taken is handled, until the deadline; handlers may call, reply, and be run again;
 *   3. what is left then is written to the journal; a handler that is at work may still finish, as
 *      long as the client is not closed, and its update counts as handled then;
 *   4. requests in flight, those of an outbox included, are waited for;
 *   5. everything is committed, and @p callback gets the report.
 * Then the client is as after gap_client_stop, and gap_client_close ends it.
 *
 * At any time after gap_client_open, also in a handler, before the sign-in, without a connection,
 * after GAP_CLIENT_FATAL. Called again it goes straight to 3, and does not wait at 4; that call's
 * other arguments don't count.
 *
 * @param config    Copied; NULL: the defaults.
 * @param callback  May be NULL. With gap_client_close it comes before the closed callback.
 * @return 0; GAP_E_CLOSED; GAP_E_FORKED; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_client_shutdown(gap_client_t *client,
                                              const gap_shutdown_config_t *config,
                                              gap_shutdown_cb callback, void *data);
/**
 * Close. Requests in flight end with GAP_E_CLOSED; then @p callback runs, once, after which the
 * client is gone and none of its handles is left on the loop. What is handled by then is stored;
 * what is not is journalled as far as the last commit allows, or comes again. Handlers that are at
 * work must finish first, the callback waits for them: gap_update_done or gap_update_failed of what
 * was kept with GAP_LATER, the return of what is on a thread. Idempotent; the first callback
 * counts.
 * @param callback  May be NULL.
 */
GAP_API void gap_client_close(gap_client_t *client, void (*callback)(void *data), void *data);
/**
 * In a child process after fork: close the client's descriptors and free what can be freed without
 * its loop. The only function that a child may call.
 */
GAP_API void gap_client_abandon(gap_client_t *client);

/**
 * Call any method. <gapless/tl_calls.h> has a typed wrapper for each.
 *
 * @param query     GAP_TL_OF(a method's id, its struct), or serialised bytes; copied.
 * @param callback  May be NULL.
 * @return 0; GAP_E_CLOSED, also after GAP_CLIENT_FATAL; GAP_E_FORKED; GAP_E_STATE not started;
 *         GAP_E_LIMIT too many requests are waiting, or the query is too large; GAP_E_NOMEM;
 *         GAP_E_TL_ID, GAP_E_ARGUMENT as gap_tl_size().
 */
GAP_API GAP_NODISCARD int gap_client_call(gap_client_t *client, gap_tl_object_t query,
                                          gap_call_cb callback, void *data);

/**
 * What an event is known by, whichever way it comes and however often: a key for what handlers do
 * elsewhere, which can then be done once. Derived from the account, the kind, and the message's id
 * (of an edit also its content), the place in qts, or the query's id.
 *
 * @param update  Borrowed.
 * @param out     Set on 0.
 * @return 0; GAP_E_NOT_FOUND events of this kind have none (reads, pins, deletes, status): they may
 *         be repeated; GAP_E_STATE the update came to no client; GAP_E_NOMEM, GAP_E_LIBCRYPTO.
 * Loop thread, and the thread or transaction of a run.
 */
GAP_API GAP_NODISCARD int gap_update_eid(const gap_update_t *update, gap_eid_t *out);

/**
 * A random_id for something that is sent because of an update: always the same for the same event
 * and key, whatever has happened to this process meanwhile, so that the server drops the second of
 * two. For others nobody can tell it. (core.telegram.org/api/updates, "updateMessageID")
 *
 * The server knows what it was first used for: another text with the same random_id gets the first
 * message for an answer.
 *
 * @param key  Which of the messages that this update causes: one of your own for each.
 * @param out  Never 0; set on 0.
 * @return as gap_update_eid.
 * Loop thread, and the thread or transaction of a run.
 */
GAP_API GAP_NODISCARD int gap_update_random_id(const gap_update_t *update, uint32_t key,
                                               int64_t *out);

/**
 * Send a text to the chat of an update, as an answer to its message: once, even if the handler runs
 * again after a failure or a crash. Its random_id is derived from the event and from how many
 * replies this run has sent before it. A handler whose replies don't always come in the same order
 * says which is which: gap_reply_with.
 *
 * The update counts as handled when its handler is through and the answer has come. Without an
 * answer (no connection until the request timed out, FLOOD_WAIT, an error of the server's own) the
 * run has failed: it is tried again with the same random_id.
 *
 * @param update    One with a message; borrowed. A run that has timed out is refused.
 * @param text      UTF-8, 1 to 4096 UTF-16 code units; copied.
 * @param callback  As of gap_client_call. Sent for the second time it may be told updates with
 *                  updateMessageID and the first message, instead of updateShortSentMessage. NULL:
 *                  a refusal of the server is told by GAP_CLIENT_ERROR.
 * @return 0; GAP_E_ARGUMENT the update has no message, or the text is empty or too long;
 *         GAP_E_STATE the run has timed out; GAP_E_NOT_FOUND the chat's access hash did not come
 *         with the update and is not known: gap_client_find_peer may get it; otherwise as
 *         gap_client_call.
 */
GAP_API GAP_NODISCARD int gap_reply(gap_update_t *update, const char *text, gap_call_cb callback,
                                    void *data);
/** gap_reply() whose random_id is gap_update_random_id() of @p key. */
GAP_API GAP_NODISCARD int gap_reply_with(gap_update_t *update, uint32_t key, const char *text,
                                         gap_call_cb callback, void *data);
/**
 * Answer a callback query (messages.setBotCallbackAnswer): what was pressed stops spinning. As with
 * gap_reply the update counts as handled when the server has answered. That the query is too old
 * (QUERY_ID_INVALID), or was answered before, is no failure: it is told to @p callback and that is
 * all.
 *
 * @param update    updateBotCallbackQuery or updateInlineBotCallbackQuery; borrowed.
 * @param text      To be shown, up to 200 UTF-16 code units; NULL or "": nothing. Copied.
 * @param alert     Shown until it is put away; otherwise for a moment.
 * @param callback  As of gap_reply.
 * @return 0; GAP_E_ARGUMENT another update, or the text is too long; GAP_E_STATE the run has timed
 *         out; otherwise as gap_client_call.
 */
GAP_API GAP_NODISCARD int gap_answer_callback(gap_update_t *update, const char *text, bool alert,
                                              gap_call_cb callback, void *data);

/*
 * Signing in as a person: each GAP_CLIENT_SIGN_IN is answered by one of these, from inside the
 * event or later. Texts are copied and wiped after use. All return 0; GAP_E_STATE that is not what
 * is asked for now; GAP_E_ARGUMENT empty, or over 1024 bytes; GAP_E_NOMEM; GAP_E_CLOSED;
 * GAP_E_FORKED. What comes of it is told by the next event: SIGN_IN again, SIGNED_IN, or FATAL.
 * (core.telegram.org/api/auth, api/srp)
 */

/** @param phone  In international form; blanks, dashes and a plus are passed over. */
GAP_API GAP_NODISCARD int gap_client_sign_in_phone(gap_client_t *client, const char *phone);
/** @param code  What arrived: digits, or the words of an SMS. */
GAP_API GAP_NODISCARD int gap_client_sign_in_code(gap_client_t *client, const char *code);
/** Send the code again, by the next way. Besides: GAP_E_BUSY not yet, see resend_in_s. */
GAP_API GAP_NODISCARD int gap_client_sign_in_resend(gap_client_t *client);
/** @param password  The two-step password, UTF-8. It does not leave the process. */
GAP_API GAP_NODISCARD int gap_client_sign_in_password(gap_client_t *client, const char *password);
/** @param last_name  May be NULL. */
GAP_API GAP_NODISCARD int gap_client_sign_in_name(gap_client_t *client, const char *first_name,
                                                  const char *last_name);
/**
 * End the session at the server; SIGNED_OUT follows, and the session file forgets the key. Stored
 * positions are kept: they are good for the next sign-in of the same account.
 * @return 0; GAP_E_STATE not signed in; otherwise as gap_client_call.
 */
GAP_API GAP_NODISCARD int gap_client_log_out(gap_client_t *client);

/** A connection of its own, for calls that must not stand in line with the account's. */
typedef enum gap_connection_kind {
    GAP_CONNECTION_MAIN = 0, /* the one that updates come by */
    GAP_CONNECTION_MEDIA = 1 /* for files and other bulk; never gets updates */
} gap_connection_kind_t;

/**
 * gap_client_call() at a data centre of choice. The connection is made when it is first needed and
 * closed after a minute without a call. At another data centre than the account's own the
 * authorisation is exported and imported first, once; if that fails the call ends with its error,
 * or with GAP_E_TIMEOUT, and the account stays signed in. The same if that data centre answers
 * with 401 for a second time.
 *
 * What is sent elsewhere by 303 FILE_MIGRATE_X, STATS_MIGRATE_X and their kind is followed here and
 * by gap_client_call, as is an account that moves (USER_MIGRATE_X); PHONE_ and NETWORK_MIGRATE_X
 * are told. Answers of the account's own data centre feed its updates, others don't.
 * (core.telegram.org/api/datacenter)
 *
 * @param dc        Its number; 0: the account's own.
 * @param kind      MAIN at the account's own data centre: as gap_client_call.
 * @param query     As of gap_client_call; copied.
 * @param callback  As of gap_client_call. Besides: GAP_E_NOT_FOUND the server does not know that
 *                  data centre either.
 * @return as gap_client_call; GAP_E_NOT_FOUND the data centre is not known; GAP_E_STATE not signed
 *         in; GAP_E_LIMIT too many calls wait, or too many connections are busy; GAP_E_ARGUMENT a
 *         negative number or no kind; what opening the connection returned.
 * Loop thread.
 */
GAP_API GAP_NODISCARD int gap_client_call_at(gap_client_t *client, int32_t dc,
                                             gap_connection_kind_t kind, gap_tl_object_t query,
                                             gap_call_cb callback, void *data);

/** A peer that was looked for. Borrowed. */
typedef struct gap_found_peer {
    /** 0; GAP_E_NOT_FOUND there is none; GAP_E_ARGUMENT the text means no peer; GAP_E_RPC see
     * rpc_name; others as of a request. */
    int status;
    const char *rpc_name; /* "" if it is no rpc_error */
    gap_peer_t peer;
    gap_tl_object_t input; /* InputPeer, ready for a request; its bytes are good during the call */
    const char *text;      /* what went wrong and what to do, or "" */
} gap_found_peer_t;

typedef void (*gap_found_cb)(gap_client_t *client, const gap_found_peer_t *found, void *data);

/**
 * Find a user, group or channel.
 *
 * @param who  "me"; "@name", "name"; "+49 123 4567"; "https://t.me/name/5", "name.t.me",
 *             "t.me/c/ID/5", "tg://resolve?domain=name" and their like; "t.me/+HASH", an invitation
 *             to a chat that the account is in; or an id: "123" a user, "-123" a basic group,
 *             "-100123..." a channel (the marked ids of the Bot API). Copied, wiped after use.
 *             Looked for in what the account has seen, in the storage, then asked of the server
 *             (contacts.resolveUsername, contacts.resolvePhone, messages.checkChatInvite; ids:
 *             users.getUsers, channels.getChannels, messages.getChats, and for persons some pages
 *             of messages.getDialogs). Who looks for the same at once is answered together.
 * @param callback  May be NULL: what is found is stored all the same. FLOOD_WAIT is told, not
 *             waited for.
 * @return 0, the callback follows; GAP_E_STATE not signed in; GAP_E_LIMIT too many look-ups wait;
 * GAP_E_NOMEM; GAP_E_CLOSED.
 */
GAP_API GAP_NODISCARD int gap_client_find_peer(gap_client_t *client, const char *who,
                                               gap_found_cb callback, void *data);

/** The client an update came to. */
GAP_API gap_client_t *gap_update_client(const gap_update_t *update);

/** Longest InputPeer. */
#define GAP_INPUT_PEER_BYTES 64
/**
 * What is needed to address a peer in a request, from what this account has seen.
 * @param out  inputPeerUser, inputPeerChat, inputPeerChannel, inputPeerSelf, or for one that was
 *             only seen in part inputPeerUserFromMessage or inputPeerChannelFromMessage; serialised
 *             into @p storage, GAP_INPUT_PEER_BYTES.
 *             A bot gets an access hash of 0 for such a peer, which the server often takes.
 * @return 0; GAP_E_NOT_FOUND its access hash is not known: gap_client_find_peer may get it;
 * GAP_E_ARGUMENT.
 */
GAP_API GAP_NODISCARD int gap_client_input_peer(gap_client_t *client, gap_peer_t peer,
                                                uint8_t storage[GAP_INPUT_PEER_BYTES],
                                                gap_tl_object_t *out);

/** User id of the account; 0 before SIGNED_IN. */
GAP_API int64_t gap_client_self(const gap_client_t *client);
/**
 * The engine behind the account's updates, for what gapless/engine.h offers beyond this header:
 * gap_engine_sequence, _lag, _counters, _backfill, _channel_status, _open_channel, _close_channel,
 * _track_channel, _untrack_channel, _peer, _access_hash, _next_channel, _next_peer, _export. All
 * else is the client's own business: don't feed, start, tick, collect or close it, nor have it
 * learn, know or import anything.
 *
 * @return the engine, borrowed: ask again in each callback. NULL before the account's state has
 *         been loaded (it is there with STARTED at the latest), and after gap_client_stop,
 *         gap_client_close or GAP_CLIENT_FATAL.
 * Loop thread.
 */
GAP_API gap_engine_t *gap_client_engine(gap_client_t *client);
/**
 * What hands the account's updates to handlers, for gapless/runner.h: pause, pace, how much waits,
 * dead letters.
 *
 * @return the runner, borrowed: ask again in each callback. NULL before the account is known (it is
 *         there with SIGNED_IN at the latest), and after gap_client_stop, gap_client_close, the end
 *         of a shutdown, or GAP_CLIENT_FATAL.
 * Loop thread.
 */
GAP_API gap_runner_t *gap_client_runner(gap_client_t *client);
/** Counters now. */
GAP_API void gap_client_stats(const gap_client_t *client, gap_client_stats_t *out);

#ifdef __cplusplus
}
#endif
#endif
