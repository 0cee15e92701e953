/*
 * client/client.h - what is behind gap_client_t, for the files of src/client.
 *
 *   IDLE --start--> [OPENING] --> SIGNING_IN --> SAVING --> SIGNED_IN --401, log-out--> SIGNED_OUT
 *                       |         |    ^ \                   ^
 *                       |         v    |  \--refused--> FATAL | (also from the link, in any state)
 *                       |      [LOOKING_UP], moving           |
 *                       \--a session is stored--> RESUMING ---/
 *   any --close--> closing: engine, runner, finder and links close, then the store, the actor, the
 *   runtime, the environment
 *
 *   client.c    open, close, accessors        start.c     the order of starting; signed in, out
 *   link.c      the main link                 sign_in.c   the sign-in; its header says the rest
 *   dcs.c       where the data centres are    call.c      requests
 *   events.c    telling the host              settings.c  the configuration
 *   keep.c      session file and storage
 *   links*.c    further links, see links.h    people.c    who is known, looking peers up
 *   run.c       the runner, handlers          reply.c     addressing peers, answering
 *   boot.c      the secret, orderly ends      shutdown.c  the way to one
 *   outbox.c    the outbox's actor
 *
 * The client is an actor of its runtime to count its children, the engine, the runner and the
 * links, and to take the steps of a shutdown; all else it does happens in their events.
 */
#ifndef GAP_CLIENT_CLIENT_H
#define GAP_CLIENT_CLIENT_H

#include "client/links.h"
#include "client/peer_book.h"
#include "loops/engine.h"
#include "loops/journal.h"
#include "loops/loop.h"
#include "loops/outbox_loop.h"
#include "loops/runner.h"
#include "loops/session_loop.h"
#include "loops/store_loop.h"
#include "store/session_file.h"

#include <gapless/client.h>
#include <gapless/outbox.h>
#include <stdatomic.h>

/** Server keys taken at most. */
#define GAP_CLIENT_KEYS_MAX 8
/** Times a sign-in may be sent to another data centre. */
#define GAP_CLIENT_MOVES_MAX 4
/** Longest line of an event or log, the final 0 included; longer ones are cut. */
#define GAP_CLIENT_LINE_MAX 256
/** Room for a server's name in a line: an address or host, and the port. */
#define GAP_CLIENT_NAME_MAX 128
/** Longest text of gap_reply in UTF-16 code units (Telegram's message_length_max). */
#define GAP_CLIENT_TEXT_MAX 4096

enum client_state {
    CLIENT_IDLE = 0,
    CLIENT_OPENING, /* session file and storage */
    CLIENT_SIGNING_IN,
    CLIENT_LOOKING_UP, /* asking for the address of the data centre to move to */
    CLIENT_SAVING,     /* signed in, to be told when the session is saved */
    CLIENT_RESUMING,   /* connecting with a stored session */
    CLIENT_SIGNED_IN,
    CLIENT_SIGNED_OUT,
    CLIENT_FATAL,
};

/** What the client needs of its environment beyond gap_env_ops. */
struct client_env_ops {
    void (*close)(gap_env_t *env, void (*closed)(void *arg), void *arg);
    bool (*forked)(const gap_env_t *env);
    void (*abandon)(gap_env_t *env);
};

/** The configuration, copied and checked. */
struct client_settings {
    gap_network_t network;
    enum gap_link_transport transport;
    char *host; /* custom only */
    uint16_t port;
    int32_t dc; /* where to begin */
    int32_t api_id;
    char *api_hash;
    char *bot_token; /* "": a person */
    char *phone;     /* digits; "": asked for */
    char *session;   /* file; "": none */
    char *device_model;
    char *system_version;
    char *app_version;
    char *lang_code;
    gap_runner_config_t runner;
    bool has_outbox;
    gap_outbox_config_t outbox;
    char *keys; /* all PEM texts, each ended by 0 */
    const char *pems[GAP_CLIENT_KEYS_MAX];
    size_t pem_count;
    uint32_t gap_wait_us;
    uint32_t gap_wait_lambda_us;
    bool gap_continue;
    bool tail_sweep;
    bool no_own_updates;
    gap_engine_tap_cb tap;
    void *tap_data;
};

struct client_sign_in;

/** Who holds the engine back. */
enum client_held {
    HELD_BY_RUNNER = 1U << 0,   /* too much waits */
    HELD_BY_REPLAY = 1U << 1,   /* what was journalled comes first */
    HELD_BY_SHUTDOWN = 1U << 2, /* for good */
};

/** See boot.c. */
struct client_boot {
    gap_boot_record_t record; /* as this process puts it */
    struct gap_eid_key key;   /* of the secret, once the account is known; for any thread then */
    enum { BOOT_NONE = 0, BOOT_PUT, BOOT_STORED } state;
    bool has_secret;
    bool was_stored; /* and it was loaded */
    bool unclean;    /* the last client did not end in order */
};

enum client_shutdown_phase {
    SHUTDOWN_NONE = 0,
    SHUTDOWN_DRAINING,
    SHUTDOWN_SENDING,
    SHUTDOWN_COMMITTING,
    SHUTDOWN_DONE
};

/** See shutdown.c. */
struct client_shutdown {
    enum client_shutdown_phase phase;
    gap_shutdown_cb callback;
    void *data;
    uint64_t sends_us;
    gap_timer_t timer; /* of SENDING; in the heap from the beginning */
    gap_shutdown_report_t report;
    bool drained;
    bool hurried; /* nothing is waited for any more */
    bool committed;
    int status; /* of the last commit */
};

struct gap_client {
    const gap_alloc_t *alloc;
    gap_env_t *env;
    const struct client_env_ops *env_ops;
    struct gap_env_host host; /* wraps the runtime's: the end comes after a tick, not inside */
    gap_rt_t rt;
    gap_loop_t loop;
    gap_link_t *link; /* the main one */
    struct client_links links;
    gap_engine_t *engine;
    gap_runner_t *runner;   /* from the engine's opening until its last handler is through */
    gap_outbox_t *outbox;   /* from the sign-in on, if one is wanted */
    gap_env_post_t outbox_post;
    atomic_bool outbox_woken; /* the post is under way */
    gap_journal_t *journal;   /* NULL: nothing is journalled. Until the store has gone */
    unsigned held;          /* enum client_held */
    uint32_t calls;         /* requests of the host that have no answer yet */
    struct client_boot boot;
    struct client_shutdown shutdown;
    struct client_book book;
    struct client_finder *finder; /* NULL: nobody was looked for yet */
    struct client_settings settings;
    /** Who the account is, its data centres and keys: the one copy. */
    struct gap_session_data session;
    gap_store_t *store;     /* NULL: nothing is kept, or not open yet */
    gap_storage_t *storage; /* the host's, until the store has taken it */
    bool has_storage;       /* the store has one */
    bool state_stored;      /* it holds the account's positions: the first ones, at least */
    bool replayed;          /* what was journalled is in the lanes */
    bool store_closing;
    int64_t stored_id; /* whose the storage is; 0: nobody's yet */
    enum client_state state;
    struct client_sign_in *sign_in; /* NULL but while signing in */
    unsigned moves;
    struct {
        int32_t code;
        const char *text;
        char name[32]; /* of the rpc_error; "": none */
    } ended;           /* SIGNED_OUT: why */
    bool logging_out;
    int32_t moving_to; /* LOOKING_UP */
    bool moving;       /* the link closes, the next one goes to session.main_dc */
    bool link_closing;
    bool stopped; /* the engine is closed or closing */
    bool closing;
    bool finished; /* every child is gone */
    bool caught_up;
    bool was_ready; /* the present link has been connected once */

    gap_event_cb on_event;
    void *event_data;
    gap_update_cb on_update;
    void *update_data;
    gap_message_cb on_message;
    void *message_data;
    void (*closed)(void *data);
    void *closed_data;

    gap_log_cb log;
    void *log_data;
    gap_log_level_t log_level;
    gap_engine_counters_t counters; /* as they were when the engine was closed */
    char line[GAP_CLIENT_LINE_MAX];
};

/* ---- client.c ---- */

/** A client without environment. @return as gap_client_open, without libuv's codes. */
GAP_NODISCARD int client_new(const gap_client_config_t *config, gap_client_t **out);
/** Free a client that has no environment (any more). */
void client_free(gap_client_t *c);
/** Put it on an environment, which the client closes in the end. */
void client_attach(gap_client_t *c, gap_env_t *env, const struct client_env_ops *ops,
                   const gap_client_config_t *config);

/** Asserts the thread. */
void client_enter(const gap_client_t *c);
/** Close the engine. No-op without one, and twice. */
void client_close_engine(gap_client_t *c);

/* ---- settings.c ---- */

/** @return 0; GAP_E_ARGUMENT with *why set; GAP_E_PEM; GAP_E_NOMEM; GAP_E_LIBCRYPTO. On failure
 * what was copied is still to be freed. */
GAP_NODISCARD int client_settings_copy(struct client_settings *s, const gap_alloc_t *alloc,
                                       const gap_client_config_t *config, const char **why);
/** Wipes what is secret. Safe twice. */
void client_settings_free(struct client_settings *s, const gap_alloc_t *alloc);
/** Where a data centre of Telegram is. @return false: not known. */
bool client_published_address(gap_network_t network, int32_t dc, gap_addr_t *out);

/* ---- events.c ---- */

/** Tell the host. The client may be closing when this returns. @param event  Its text is formatted
 * from @p format. */
void client_emit(gap_client_t *c, gap_event_t event, const char *format, ...) GAP_PRINTF(3, 4);
/** Tell the host that the client can't go on, and let the connection go. */
void client_fatal(gap_client_t *c, int error, int32_t rpc_code, const char *format, ...)
    GAP_PRINTF(4, 5);
/** The same with an event of its own. */
void client_fatal_event(gap_client_t *c, gap_event_t event, const char *format, ...)
    GAP_PRINTF(3, 4);
void client_on_engine_event(void *data, const gap_engine_event_t *event);

/* ---- run.c ---- */

/** Open journal and runner: before the engine. @param loaded What was stored; NULL: nothing.
 * @return as gap_eid_key_init, gap_journal_open, gap_runner_open. */
GAP_NODISCARD int client_run_open(gap_client_t *c, const struct gap_store_loaded *loaded);
/** The engine is open: the journal is told, and nothing is handed out before the replay. */
void client_run_begin(gap_client_t *c);
/** The engine is about to start: what was journalled is put into the lanes before it hands out
 * anything. @return 0; as gap_runner_replay. */
GAP_NODISCARD int client_run_replay(gap_client_t *c);
/** The first positions may be stored now: handlers may be called if so, and if the replay is over.
 */
void client_run_go(gap_client_t *c);
/** Hold the engine for a reason, or no more for that one. */
void client_run_hold(gap_client_t *c, unsigned why, bool on);
/** The engine has gone. */
void client_run_without_engine(gap_client_t *c);
/** The store has gone: nobody reads or writes the journal any more. */
void client_run_fini(gap_client_t *c);
/** Close it. No-op without one. */
void client_run_close(gap_client_t *c);
/** gap_engine_config.handler */
int client_run_take(gap_update_t *update, void *data);
/** gap_engine_config.press */
void client_run_press(void *data, gap_update_t *oldest);

/* ---- boot.c ---- */

/** Take the secret over, or draw one. @return 0; as gap_env_random. */
GAP_NODISCARD int client_boot_loaded(gap_client_t *c, const struct gap_store_loaded *loaded);
/** This process has begun, and the storage is the account's: draw a secret if there is none, store
 * that it began. client_booted follows if client_boot_is_stored does not say so already. No-op for
 * the second time. @return 0; as gap_env_random, gap_store_put, gap_store_flush. */
GAP_NODISCARD int client_boot(gap_client_t *c);
bool client_boot_is_stored(const gap_client_t *c);
/** The last commit is about to be made, in order. */
void client_boot_end(gap_client_t *c);

/* ---- shutdown.c ---- */

/** The client's actor runs. */
void client_shutdown_step(gap_client_t *c);
/** A request was answered. */
void client_shutdown_answered(gap_client_t *c);
/** Handlers are called no more, though a shutdown may still be draining: it goes on without. */
void client_shutdown_stopped(gap_client_t *c);
/** The client is closed: if a shutdown is under way that is its end. */
void client_shutdown_closed(gap_client_t *c);

/* ---- start.c ---- */

/** The main link is ready, for the first time since it was opened. */
void client_connected(gap_client_t *c);
/** The server has signed the account in. @param authorization  auth.authorization, boxed. */
void client_authorised(gap_client_t *c, gap_bytes_t authorization);
/** Session and storage are open. @param loaded  Borrowed. */
void client_restored(gap_client_t *c, const struct gap_store_loaded *loaded);
/** That this process has begun is stored, or can't be now. */
void client_booted(gap_client_t *c);
/** What could not be saved is. */
void client_kept(gap_client_t *c);
/** The session is over: everything ends but the storage, the key is forgotten, then it is told.
 * @param name  Of the rpc_error; empty: logged out. */
void client_signed_out(gap_client_t *c, int32_t code, gap_bytes_t name);

/* ---- link.c ---- */

/** Open the main link, to session.main_dc. @return 0; as client_dc_target and gap_link_open. */
GAP_NODISCARD int client_connect(gap_client_t *c);
/** Close the main link. No-op without one. */
void client_close_link(gap_client_t *c);
/** Close the main link and open one to another data centre, which is the account's from now on;
 * client_connected follows. The data centre is known. */
void client_move_to(gap_client_t *c, int32_t dc);

/* ---- dcs.c ---- */

/** What is known of a data centre. @return NULL: nothing. */
struct gap_session_dc *client_dc(gap_client_t *c, int32_t dc);
/** The same, made if need be. @return NULL: there are GAP_SESSION_DCS_MAX others. */
struct gap_session_dc *client_dc_make(gap_client_t *c, int32_t dc);
/** Is an address of it known? */
bool client_dc_is_known(gap_client_t *c, int32_t dc);
/** Its address and port, for people. @return out. */
const char *client_dc_name(gap_client_t *c, int32_t dc, char out[GAP_CLIENT_NAME_MAX]);
/** Take the addresses of a config or updateDcOptions in place of those known. @return 0; as
 * gap_tl_read, and nothing is changed. */
GAP_NODISCARD int client_dcs_learn(gap_client_t *c, gap_tl_vector_t options);

/** Where a link is to go, complete: addresses, key, device. Views of the client's. */
struct client_target {
    struct gap_link_config link;
    gap_addr_t addrs[GAP_SESSION_ADDRS_MAX];
};
/** @param media  For files: addresses that are for that alone come first. A key can't be made
 * there.
 * @return 0; GAP_E_NOT_FOUND no address is known. */
GAP_NODISCARD int client_dc_target(gap_client_t *c, int32_t dc, bool media,
                                   struct client_target *out);

/** Forget the keys of all data centres: nobody is signed in any more. */
void client_dcs_forget(gap_client_t *c);
/** Forget the key of the main data centre, and who is signed in with it. */
void client_drop_key(gap_client_t *c);

/* ---- sign_in.c ---- */

/** A sign-in will be needed. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int client_sign_in_begin(gap_client_t *c);
/** It is over; wipes all that was answered. No-op without one. */
void client_sign_in_end(gap_client_t *c);
/** The link is ready and the account not signed in: do what is next. */
void client_sign_in(gap_client_t *c);

/* ---- refusal.c ---- */

/** Why a session is over and what to do, for people. @param name  Of the rpc_error; empty: logged
 * out. */
const char *client_ended(gap_bytes_t name);

/* ---- keep.c ---- */

/** Open session file and storage; client_restored follows, or a fatal event. @return as
 * gap_store_open. */
GAP_NODISCARD int client_keep_open(gap_client_t *c);
/** Close them if nothing needs them any more: to be called when a child of a closing client has
 * gone. No-op without, and twice. */
void client_keep_close(gap_client_t *c);
/** Destroy a storage that was never opened. */
void client_keep_free(gap_client_t *c);
/** Save c->session: after every change of it. Failures are told by themselves. */
void client_keep_session(gap_client_t *c);
/** The same; @p saved (with the client as argument) when it is saved, at once if it is not kept, or
 * with the first failure. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int client_keep_session_then(gap_client_t *c, void (*saved)(void *arg, int status));
/** Save the main link's salt if it is a new one. */
void client_keep_salt(gap_client_t *c);
/** Whose the storage is from now on. @return as gap_store_put. */
GAP_NODISCARD int client_keep_account(gap_client_t *c);
/** Put what the engine has finished. @return as gap_engine_collect. */
GAP_NODISCARD int client_keep_collect(gap_client_t *c);
/** gap_engine_config.changed. */
void client_keep_changed(void *data);
/** Is there a stored position to go on from, or none wanted? Until then the server is not asked for
 * what has happened since: a kill would lose it. */
bool client_keep_has_begun(const gap_client_t *c);
/** The engine knows where the server stands: that is to be stored, if it is the beginning. */
void client_keep_begin(gap_client_t *c);
/** It is; or it can't be now. */
void client_keep_began(gap_client_t *c);

/* ---- people.c ---- */

/** The engine is open, not yet started: the book goes with it until client_close_engine. What was
 * stored is handed over by client_book_know.
 * @param store  Of a client with a storage; NULL: nothing is stored. Pinned until the client is
 * freed. */
void client_people_begin(gap_client_t *c, gap_store_t *store);
/** gap_engine_config.peers. */
void client_on_engine_peers(void *data, gap_tl_vector_t users, gap_tl_vector_t chats);
/** The answer to a call of the host that does not concern the engine. */
void client_people_answer(gap_client_t *c, gap_bytes_t value);
/** An update, before the host's handlers. */
void client_people_update(gap_client_t *c, const gap_update_t *update);
/** Nobody is looked for any more. No-op without a finder, and twice. */
void client_people_close(gap_client_t *c);

/* ---- outbox.c ---- */

/** Signed in: open it, if one is wanted. What can't be is FATAL. @return 0; as gap_outbox_open. */
GAP_NODISCARD int client_outbox_open(gap_client_t *c);
/** There is a connection, or none any more. */
void client_outbox_signal(gap_client_t *c);
/** Nothing is sent any more. */
void client_outbox_stop(gap_client_t *c);
/** Is nothing of it under way? */
bool client_outbox_is_quiet(const gap_client_t *c);
/** Close it. No-op without one, and twice. */
void client_outbox_close(gap_client_t *c);
/** An update: it may say which message one of its rows has become. */
void client_outbox_update(gap_client_t *c, const gap_update_t *update);
/** gap_engine_config.own */
void client_outbox_own(void *data, const gap_update_t *update);
/** gap_store_call() of a function of the host's, which may write rows. @param arg The client. */
int client_outbox_call(void *arg, const gap_call_record_t *record,
                       void (*done)(void *arg, int status, int result), void *done_arg);

/* ---- call.c ---- */

/** The host's callback, and nothing is left of the call. The client may be closing then. */
void client_call_end(struct client_call *call, const struct gap_call_result *result);
/** The same with a failure. */
void client_call_end_with(struct client_call *call, int status);
/** Send a call by the main link. @return 0; GAP_E_STATE there is none; GAP_E_LIMIT; as
 * gap_link_call. */
GAP_NODISCARD int client_call_main(struct client_call *call);

/** gap_client_call() that is never sent again where it may have been carried out: then it ends with
 * GAP_E_DISCONNECTED (with GAP_ENV_ECANCELED if it never went out). No error is waited out.
 * @return as gap_client_call. */
GAP_NODISCARD int client_call_once(gap_client_t *c, gap_tl_object_t query, gap_call_cb callback,
                                   void *data);

/** gap_engine_config.invoke. */
int client_invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg);

#endif
