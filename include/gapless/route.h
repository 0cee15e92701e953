/*
 * gapless/route.h - which handler an update is for: routes in order, middleware around them, data
 * per chat or user, routers within routers.
 *
 *     gap_router_t *router;
 *     gap_router_new(NULL, &router);
 *     gap_router_command(router, "start", on_start, NULL);
 *     gap_router_add(router, &(gap_route_t){.filter.pattern = "remind me in # *",
 *                                           .handler = on_remind});
 *     gap_client_on_update(client, gap_router_handle, router);
 *
 *   update -> routes in the order in which they were added; of the first one whose filter fits
 *          -> before (once, the first time that one fits) -> handler
 *                 handler: GAP_NEXT -> the next route that fits
 *                          0, done  -> after -> handled
 *                          negative, failed -> error handler -> after -> handled, or failed
 *          -> none is left: default handler
 *
 * gap_router_handle is an ordinary gap_update_cb: for a client, its runner, or a bare engine. A
 * router may serve several accounts, unless it has session data. Everything here is for the loop
 * thread that the updates come on; nothing calls back before an update comes. Routes are added
 * before the first update.
 */
#ifndef GAPLESS_ROUTE_H
#define GAPLESS_ROUTE_H

#include <gapless/message.h>

#ifdef __cplusplus
extern "C" {
#endif

struct gap_client;
struct sqlite3;

/** A router. Opaque. */
typedef struct gap_router gap_router_t;

/** Returned by a handler: this update is not for it, the next route that fits is asked. Not after
 * GAP_LATER, and not by one that runs on a thread or in a transaction. */
#define GAP_NEXT 2
/** Returned by middleware: the update is handled, no route and nothing further is asked. */
#define GAP_STOP 3

/** Routes of one router. */
#define GAP_ROUTES_MAX 65536
/** Routers within each other. */
#define GAP_ROUTER_DEPTH_MAX 8
/** Middleware of one router. */
#define GAP_ROUTER_USES_MAX 32
/** Bytes of a compiled pattern: characters of more than one byte count as that many, `+` and `#`
 * as two. */
#define GAP_PATTERN_MAX 127
/** A longer text, in bytes, fits no pattern. (Telegram's own limit is 4096 UTF-16 units.) */
#define GAP_PATTERN_TEXT_MAX 16384
/** What one pattern captures. */
#define GAP_CAPTURES_MAX 8
/** Bytes of a session key. */
#define GAP_SESSION_KEY_MAX 64
/** Defaults of gap_session_config.value_max and cache_max. */
#define GAP_SESSION_VALUE_MAX 65536
#define GAP_SESSION_CACHE_MAX (4 << 20)

/** What an update is about; bits of gap_filter.kinds. */
enum {
    GAP_KIND_MESSAGE = 1 << 0,       /* a new message, of whatever chat */
    GAP_KIND_EDIT = 1 << 1,          /* an edited one */
    GAP_KIND_CALLBACK = 1 << 2,      /* a button was pressed, on a message or an inline one */
    GAP_KIND_INLINE_QUERY = 1 << 3,  /* "@bot text" is being typed */
    GAP_KIND_INLINE_RESULT = 1 << 4, /* one of the answers to it was chosen */
    GAP_KIND_SHIPPING = 1 << 5,      /* a shipping query */
    GAP_KIND_PRECHECKOUT = 1 << 6,   /* a pre-checkout query */
    GAP_KIND_DELETE = 1 << 7,        /* messages were deleted */
    GAP_KIND_REACTION = 1 << 8,      /* to a message, as bots see them */
    GAP_KIND_MEMBER = 1 << 9,        /* somebody came, went, or got other rights */
    GAP_KIND_JOIN_REQUEST = 1 << 10, /* somebody wants to come */
    GAP_KIND_POLL = 1 << 11,         /* results or votes */
    GAP_KIND_READ = 1 << 12,         /* a chat was read, here or there */
    GAP_KIND_PIN = 1 << 13,          /* messages were pinned or unpinned */
    GAP_KIND_PRESENCE = 1 << 14,     /* typing and status */
    GAP_KIND_OTHER = 1 << 15         /* anything else */
};

/** Kinds of chats; bits of gap_filter.chat_kinds. */
enum {
    GAP_CHAT_PRIVATE = 1 << 0,
    GAP_CHAT_BASIC_GROUP = 1 << 1,
    GAP_CHAT_SUPERGROUP = 1 << 2,
    GAP_CHAT_BROADCAST = 1 << 3, /* a channel in which only its owners write */
    GAP_CHAT_GROUPS = GAP_CHAT_BASIC_GROUP | GAP_CHAT_SUPERGROUP
};

/** What was found out about an update. Valid as long as the update. */
typedef struct gap_match {
    const gap_message_t *message; /* NULL: it is not about a message */
    gap_peer_t chat;              /* where it happened; GAP_PEER_NONE: nowhere, or not said */
    gap_peer_t sender;            /* who did it; GAP_PEER_NONE: not said */
    gap_bytes_t command;          /* as typed, without slash and name; empty: none */
    gap_bytes_t arguments;        /* what follows the command, blanks around it taken away */
    gap_bytes_t data;             /* callback: the button's; inline query: its text */
    gap_bytes_t rest;             /* what follows filter.prefix or data_prefix */
    int64_t query_id;             /* of a query; 0: it is none */
    const gap_bytes_t *captures;  /* what filter.pattern captured, in its order */
    size_t capture_count;
    struct sqlite3 *db; /* GAP_ROUTE_TRANSACTION: the connection; NULL: not SQLite, or no such route
                         */
} gap_match_t;

/**
 * A filter of one's own. Asked after everything else of the filter fits.
 * @param match  Borrowed.
 * @return true: it fits. Must not finish the update.
 */
typedef bool (*gap_filter_cb)(gap_update_t *update, const gap_match_t *match, void *data);

/**
 * Which updates a route is for: all members that are set must fit. Zero-initialised it fits every
 * update. Everything is copied.
 *
 * Bytes and texts are compared as they are; with ignore_case ASCII letters count as equal.
 */
typedef struct gap_filter {
    const uint32_t *ids; /* constructors, GAP_TL_UPDATE_...: one of them */
    size_t id_count;
    uint32_t kinds;          /* GAP_KIND_ bits; 0: any */
    const gap_peer_t *chats; /* one of them */
    size_t chat_count;
    uint32_t chat_kinds; /* GAP_CHAT_ bits; 0: any. Of a channel that is not known to be the one or
                            the other both count */
    /** "start": a new message (or what `kinds` or `ids` say) that begins with "/start" or
     * "/start@NAME", marked as a command by the server; NAME must be that of gap_router_username.
     * Letters of both cases are equal here, as in Telegram's names. In every kind of chat. */
    const char *command;
    const char *prefix; /* the text (or caption) begins so */
    /** The whole text is like this. "*" is any text, as short as can be; "+" a word: whatever is
     * neither blank nor control character; "#" a number: digits. These three are captured. "?" is
     * one character, a blank any number of blanks, tabs and ends of lines, "\" takes its meaning
     * from what follows it. */
    const char *pattern;
    const gap_bytes_t *data; /* the callback's data is this */
    const char *data_prefix; /* the callback's data begins so */
    bool ignore_case;        /* for prefix, pattern, data_prefix */
    bool incoming;           /* a message that the account did not write itself */
    gap_filter_cb accepts;   /* NULL: none */
    void *accepts_data;
} gap_filter_t;

/**
 * A handler of a route; otherwise as gap_update_cb.
 * @param match  Valid as long as @p update.
 * @return 0 handled; GAP_NEXT not for me; GAP_LATER; negative: failed.
 */
typedef int (*gap_route_cb)(gap_update_t *update, const gap_match_t *match, void *data);

/** The handler runs on one of the library's threads, as by gap_update_on_thread. It may read the
 * update, its match, and its session data, which it may also set. */
#define GAP_ROUTE_ON_THREAD 1U
/** The handler runs in a transaction, as by gap_update_in_transaction: match->db is its connection.
 * What it writes there, its session data and the update's completion are committed together. It may
 * run again if a commit fails. Its result is 0 or negative. */
#define GAP_ROUTE_TRANSACTION 2U

/** A route. */
typedef struct gap_route {
    gap_filter_t filter;
    gap_route_cb handler; /* this, or */
    gap_router_t *group;  /* a router of its own: taken. It is asked if the filter fits; if none of
                             its routes wants the update the next route is asked */
    void *data;           /* for the handler */
    uint32_t flags;       /* GAP_ROUTE_... */
} gap_route_t;

/**
 * Middleware in front of the handlers of a router: called once for an update, when the first route
 * that fits has been found (its `accepts` not yet asked), or the default handler is about to be.
 * @return 0 go on; GAP_STOP handled here, nothing further is asked; negative: failed. Any other
 *         number counts as failed, with GAP_E_STATE.
 */
typedef int (*gap_before_cb)(gap_update_t *update, const gap_match_t *match, void *data);
/**
 * Middleware behind them: called once, at the end, if the one in front of it returned 0 (or there
 * is none): in the opposite order, those of inner routers before those of outer ones; also when a
 * handler went on later. Not when the run had timed out before it ended.
 * @param result  0 handled; GAP_NEXT nobody here wanted it; negative: failed, after the error
 *                handler. Afterwards a run can still fail because a reply of it was not answered,
 * or its session data not taken by the storage; it is tried again then.
 */
typedef void (*gap_after_cb)(gap_update_t *update, const gap_match_t *match, int result,
                             void *data);
/**
 * Error handler of a router: a handler, a middleware or an inner router's error handler failed, or
 * session data could not be loaded. Not called for runs that have timed out.
 * @return 0: that is as good as handled; negative: it has failed with that, and is tried again as
 *         usual, unless gap_update_give_up() was called. Any other number counts as @p error.
 */
typedef int (*gap_error_cb)(gap_update_t *update, const gap_match_t *match, int error, void *data);

/**
 * Make a router.
 * @param alloc  NULL: gap_alloc_default(). Pinned.
 * @return 0; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_router_new(const gap_alloc_t *alloc, gap_router_t **out);
/** Free it and the routers within. No update may be in it: the client or engine is closed, or
 * another handler was set and every GAP_LATER is finished. @param router NULL: no-op. */
GAP_API void gap_router_free(gap_router_t *router);

/**
 * The name of the bot, for commands that name one ("/start@ThisBot"). Routers within use that of
 * the outermost. Until it is set such commands fit nothing. May be set again at any time.
 * @param username  With or without "@"; copied.
 * @return 0; GAP_E_ARGUMENT empty, or over 64 bytes.
 */
GAP_API GAP_NODISCARD int gap_router_username(gap_router_t *router, const char *username);

/**
 * Add a route behind those that are there.
 *
 * @param route  Copied; its group is taken if this succeeds.
 * @return 0; GAP_E_ARGUMENT neither or both of handler and group, unknown or both flags, flags with
 *         a group, a command that is not of letters, digits and "_" (1 to 64), a pattern that is
 *         too long (GAP_PATTERN_MAX), captures too much or ends with a single "\", an empty prefix,
 *         a group that is in a router or has session data; GAP_E_LIMIT too many routes, or routers
 *         nested too deep; GAP_E_STATE an update has been handled already; GAP_E_NOMEM. On failure
 *         nothing has changed.
 */
GAP_API GAP_NODISCARD int gap_router_add(gap_router_t *router, const gap_route_t *route);
/** gap_router_add for a command. @return as gap_router_add; GAP_E_ARGUMENT also for NULL. */
GAP_API GAP_NODISCARD int gap_router_command(gap_router_t *router, const char *command,
                                             gap_route_cb handler, void *data);
/**
 * Add middleware around the handlers of this router (and of those within).
 * @param before  NULL: nothing in front. @param after NULL: nothing behind.
 * @return 0; GAP_E_ARGUMENT both are NULL; GAP_E_LIMIT; GAP_E_STATE as gap_router_add; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_router_use(gap_router_t *router, gap_before_cb before,
                                         gap_after_cb after, void *data);
/** Called for updates that no route has handled. One at most; NULL: none, then they count as
 * handled (within a router: the outer one goes on). Its GAP_NEXT means the same. */
GAP_API void gap_router_default(gap_router_t *router, gap_route_cb handler, void *data);
/** Called for what fails. One at most; NULL: none. */
GAP_API void gap_router_on_error(gap_router_t *router, gap_error_cb callback, void *data);

/**
 * Hand an update to a router, as a gap_update_cb.
 * @param router  A gap_router_t, the outermost one.
 * @return 0 handled, or nobody wanted it; GAP_LATER; negative: what a handler failed with;
 *         GAP_E_NOMEM; GAP_E_ARGUMENT it is within another router; GAP_E_STATE the update is in a
 *         router already (routers within each other are groups). With GAP_ROUTE_ON_THREAD and
 *         GAP_ROUTE_TRANSACTION also as gap_update_on_thread() and gap_update_in_transaction():
 *         GAP_E_STATE without a runner, or without a storage.
 */
GAP_API GAP_NODISCARD int gap_router_handle(gap_update_t *update, void *router);

/** If this run of the update fails, it is not tried again but put among the dead letters at once.
 * From a handler or an error handler, before the update is finished; also without a router. Without
 * a runner nothing changes: a failed update is told of and done with. */
GAP_API void gap_update_give_up(gap_update_t *update);

/*
 * Session data: some bytes for each chat, user or whatever a key says. They are loaded before the
 * first middleware or `accepts` sees an update for which a route fits, and written in the same
 * commit that records the update as handled: after a crash either both have happened or neither.
 * (An update without an identity of its own, such as a read or a pin, may come again all the same,
 * and see what it has written.) If the update fails, so does what was set.
 *
 * Two updates with the same key are never in handlers at the same time: where the runner's lanes
 * don't see to it, the later one waits in the router, with its slot, until the earlier one is
 * through. A run that has timed out does not count any more: the next one has the key, and what the
 * handler that is still at work sets is refused, though what it looks at stays.
 */

/** Brings a value. @param status 0, or why it can't be read. @param value Borrowed; empty: none. */
typedef void (*gap_value_cb)(void *arg, int status, gap_bytes_t value);

/** Where values are kept. All on the loop thread, but `save_in`. */
typedef struct gap_values {
    /** Read a value. @p loaded is called exactly once if 0 is returned, also from inside. What was
     * saved before is found, on disk or not. @return 0 or negative. */
    int (*load)(void *self, gap_bytes_t key, gap_value_cb loaded, void *arg);
    /** Write it (empty: remove it) in the next commit. Copied. @return 0 or negative: not taken. */
    int (*save)(void *self, gap_bytes_t key, gap_bytes_t value);
    /** Write it inside a commit, on its thread. NULL: can't be done; then it is saved right after
     * the commit. @return 0 or negative. */
    int (*save_in)(void *self, struct sqlite3 *db, gap_bytes_t key, gap_bytes_t value);
    void *self;
} gap_values_t;

/** The storage of a client, for session data. Valid until the client is closed; without a storage
 * nothing is found and nothing kept. Loop thread. */
GAP_API gap_values_t gap_client_values(struct gap_client *client);

/**
 * The key of an update's session data.
 * @param out  GAP_SESSION_KEY_MAX bytes to be filled.
 * @return its length; 0: it has none, and is handled without; negative: failed.
 */
typedef int (*gap_session_key_cb)(const gap_update_t *update, const gap_match_t *match,
                                  uint8_t *out, void *data);

/** What gap_session_config.key NULL uses: the chat and the sender of the match; nothing for updates
 * that name neither. */
GAP_API int gap_session_chat_and_sender(const gap_update_t *update, const gap_match_t *match,
                                        uint8_t *out, void *data);
/** The chat alone. */
GAP_API int gap_session_chat(const gap_update_t *update, const gap_match_t *match, uint8_t *out,
                             void *data);

/** Settings of session data. Zero-initialise. */
typedef struct gap_session_config {
    gap_session_key_cb key; /* NULL: gap_session_chat_and_sender */
    void *key_data;
    size_t value_max; /* bytes of one value; 0: GAP_SESSION_VALUE_MAX */
    /** Bytes of values and keys kept in memory; those not used longest leave it first. 0:
     * GAP_SESSION_CACHE_MAX. */
    size_t cache_max;
    gap_values_t values; /* zeroes: memory only; what leaves the memory is forgotten */
} gap_session_config_t;

/**
 * Keep session data. On the outermost router, which then serves one account.
 * @return 0; GAP_E_ARGUMENT `values` without load or save; GAP_E_STATE it has some already, is
 *         within another router, or has handled an update; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_router_session(gap_router_t *router,
                                             const gap_session_config_t *config);

/** The session data of an update in a router, as set last. Loop thread, and where the handler of a
 * route with flags runs: from inside a handler, middleware,
 * `accepts` or error handler of it, until the update is finished; valid as long as nothing is set.
 * @return empty: there is none. */
GAP_API gap_bytes_t gap_update_session(const gap_update_t *update);
/**
 * Replace it; it is kept when the update has been handled.
 * @param value  Copied; empty: remove it.
 * @return 0; GAP_E_STATE the update is in no router with session data, has no key, has timed out,
 * or is through (also from an `after`); GAP_E_LIMIT longer than value_max; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_update_session_set(gap_update_t *update, gap_bytes_t value);

#ifdef __cplusplus
}
#endif
#endif
