/*
 * gapless/runner.h - how updates reach handlers: in lanes, one at a time in each, lanes side by
 * side; again when they fail; and how a handler says when it is through.
 *
 *   update -> its lanes (by default: its chat) -> first in each, a slot free -> handler
 *   handler -- 0, gap_update_done ------> handled
 *           -- negative, gap_update_failed, time-out -> again after a pause, in its place
 *                                         -> after attempts_max: a dead letter
 *
 * What a handler is given is the *run*: one attempt to handle the update. When a run has timed out
 * its gap_update_t is refused by every function here and by gap_update_done and gap_update_failed
 * (they do nothing), while what it shows stays readable until the handler has returned, or has
 * called one of those two.
 *
 * Every client has a runner (gap_client_runner in <gapless/client.h>); its settings are
 * gap_client_config_t.runner. All functions are for the thread of the client's loop, unless they
 * say otherwise; from inside a handler every one of them may be called.
 */
#ifndef GAPLESS_RUNNER_H
#define GAPLESS_RUNNER_H

#include <gapless/update.h>

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;

/** The runner of one account. Opaque. */
typedef struct gap_runner gap_runner_t;

/** Lanes that one update may stand in. */
#define GAP_RUNNER_KEYS_MAX 8
/** Default of gap_runner_config.concurrency: handlers at work at a time. */
#define GAP_RUNNER_CONCURRENCY 500
/** Default of gap_runner_config.waiting_max: updates that wait or are being handled. */
#define GAP_RUNNER_WAITING_MAX 131072
/** Default of gap_runner_config.pinned_max: bytes that waiting updates may pin. */
#define GAP_RUNNER_PINNED_MAX (UINT64_C(64) << 20)
/** Default of gap_runner_config.timeout_us. */
#define GAP_RUNNER_TIMEOUT_US (UINT64_C(5) * 60 * 1000000)
/** gap_runner_config.timeout_us: handlers may take for ever. */
#define GAP_RUNNER_NO_TIMEOUT UINT64_MAX
/** Default of gap_runner_config.attempts_max. */
#define GAP_RUNNER_ATTEMPTS_MAX 5
/** Defaults of gap_runner_config.retry_min_us and retry_max_us: the pause after the first failure,
 * and what it doubles up to. */
#define GAP_RUNNER_RETRY_MIN_US UINT64_C(1000000)
#define GAP_RUNNER_RETRY_MAX_US UINT64_C(60000000)
/** Default of gap_runner_config.threads. */
#define GAP_RUNNER_THREADS 2
/** Most threads that may be asked for. */
#define GAP_RUNNER_THREADS_MAX 64
/** Default of gap_runner_config.journal_after_us. */
#define GAP_RUNNER_JOURNAL_AFTER_US UINT64_C(200000)
/** Dead letters that are kept where there is no storage. */
#define GAP_RUNNER_DEAD_MAX 64

/** What is written to the journal before it is handled. */
typedef enum gap_journal_mode {
    /** What is unfinished after journal_after_us, keeps the stored position back, waits at a
     * shutdown, is of a channel that was not known, or can't be fetched again (queries). */
    GAP_JOURNAL_LAZY = 0,
    /** Nothing: what is unfinished at a crash is fetched again; queries are lost. The first update
     * of a channel still waits until it is stored where the channel begins. */
    GAP_JOURNAL_LIGHT = 1,
    /** Everything, before its handler is called. */
    GAP_JOURNAL_FULL = 2
} gap_journal_mode_t;

/**
 * Which lanes an update stands in. Updates with a lane in common are handled one after the other in
 * the order in which they came.
 *
 * @param update  Borrowed. Not yet a run: only to be looked at.
 * @param keys    To be filled; none of them 0; one that occurs twice counts once.
 * @return how many, at most GAP_RUNNER_KEYS_MAX; 0: it waits for nobody and nobody for it;
 *         negative: the default (gap_runner_chat_keys).
 * Must not call the runner. It may be called more than once for an update.
 */
typedef int (*gap_runner_keys_cb)(const gap_update_t *update, uint64_t keys[GAP_RUNNER_KEYS_MAX],
                                  void *data);

/** Settings of a runner. Zero-initialise, then set what is wanted. Copied; `data` is handed back as
 * it is and pinned until the client is closed. */
typedef struct gap_runner_config {
    uint32_t concurrency; /* handlers at work at a time; 0: GAP_RUNNER_CONCURRENCY */
    /** Updates that wait or are being handled; at this number, or when they pin `pinned_max` bytes,
     * the account takes no further updates until a quarter of it is free: see
     * GAP_CLIENT_OVERLOADED. 0: GAP_RUNNER_WAITING_MAX. */
    uint32_t waiting_max;
    uint64_t pinned_max;     /* bytes; 0: GAP_RUNNER_PINNED_MAX */
    gap_runner_keys_cb keys; /* NULL: by chat */
    void *keys_data;
    /** A run that takes longer counts as failed. 0: GAP_RUNNER_TIMEOUT_US; GAP_RUNNER_NO_TIMEOUT.
     */
    uint64_t timeout_us;
    uint32_t attempts_max; /* runs of one update; 0: GAP_RUNNER_ATTEMPTS_MAX */
    /** The pause after the n-th failure: retry_min_us * 2^(n-1), at most retry_max_us, of that a
     * half to the whole, at random. 0: GAP_RUNNER_RETRY_MIN_US, _MAX_US. */
    uint64_t retry_min_us;
    uint64_t retry_max_us; /* below retry_min_us: refused */
    /** An update that waits for its next attempt lets later ones of its lanes pass. */
    bool unordered_retry;
    /** For gap_update_on_thread; 0: GAP_RUNNER_THREADS. Above GAP_RUNNER_THREADS_MAX: refused. For
     * each one whose handler has timed out another is opened, up to as many again. */
    uint32_t threads;
    /** Runs begun in a second, at most; 0: no limit. Queries don't wait for it. */
    uint32_t pace_per_s;
    gap_journal_mode_t journal;
    uint64_t journal_after_us; /* 0: GAP_RUNNER_JOURNAL_AFTER_US */
    /** No handler is called: the program takes updates itself with gap_runner_next. */
    bool pull;
    /** There is something to take: called once, then again after gap_runner_next has returned 0.
     * From a tick. With `pull`; may be NULL. */
    void (*ready)(void *data);
    void *ready_data;
} gap_runner_config_t;

/** What a runner is at. Counters are since it was opened. */
typedef struct gap_runner_stats {
    uint64_t depth;         /* updates that wait, run, or wait for another attempt now */
    uint64_t running;       /* of these: being handled */
    uint64_t retrying;      /* of these: wait for another attempt */
    uint64_t lanes;         /* that are not empty */
    uint64_t oldest_us;     /* how long the oldest of them has been here; 0: there is none */
    uint64_t pinned_bytes;  /* of what they show */
    uint64_t handled;       /* updates that are through */
    uint64_t at_once;       /* of these: handled where they came, without waiting */
    uint64_t failed;        /* runs that failed, time-outs included */
    uint64_t timed_out;     /* runs that timed out */
    uint64_t retried;       /* runs after a failure */
    uint64_t dead;          /* updates given up */
    uint64_t overran;       /* runs that have timed out and whose handler is not through now */
    uint64_t overloads;     /* times the account was held back */
    uint64_t journalled;    /* updates written to the journal */
    uint64_t spilled;       /* waiting updates whose bytes are in the journal alone, now */
    uint64_t threads_stuck; /* threads in handlers that have timed out, now */
    bool paused;
    bool held; /* the account takes no updates: waiting_max, pinned_max, or out of memory */
} gap_runner_stats_t;

/* ---- keys ---- */

/** The key of a chat, as the default uses it. @param peer Not of GAP_PEER_NONE. @return never 0. */
GAP_API uint64_t gap_runner_chat_key(gap_peer_t peer);
/** The key of the account's own lane: of updates that are about no chat. */
#define GAP_RUNNER_ACCOUNT_KEY UINT64_C(1)
/**
 * The default keys: the chat that the update is about (private chat, basic group, channel),
 * otherwise GAP_RUNNER_ACCOUNT_KEY. updateDeleteMessages names no chat: it stands in the lanes of
 * the chats in which messages with its ids came lately, and in the account's own for those not
 * known.
 *
 * @return how many keys there are, 1 to GAP_RUNNER_KEYS_MAX. From inside a gap_runner_keys_cb and
 * anywhere else.
 */
GAP_API GAP_NODISCARD int gap_runner_chat_keys(const gap_runner_t *runner,
                                               const gap_update_t *update,
                                               uint64_t keys[GAP_RUNNER_KEYS_MAX]);

/* ---- load ---- */

/** No further run is begun until gap_runner_resume; those at work go on. Idempotent. */
GAP_API void gap_runner_pause(gap_runner_t *runner);
/** Begin runs again. Idempotent. */
GAP_API void gap_runner_resume(gap_runner_t *runner);
/** Another number of handlers at work at a time; those at work go on. @param concurrency 0:
 * GAP_RUNNER_CONCURRENCY. */
GAP_API void gap_runner_set_concurrency(gap_runner_t *runner, uint32_t concurrency);
/** Another pace. @param per_s Runs in a second; 0: no limit. */
GAP_API void gap_runner_set_pace(gap_runner_t *runner, uint32_t per_s);
/** What it is at. */
GAP_API void gap_runner_stats(const gap_runner_t *runner, gap_runner_stats_t *out);
/** Updates in the lane of a key: those that wait and the one that is being handled. */
GAP_API uint32_t gap_runner_lane_depth(const gap_runner_t *runner, uint64_t key);

/**
 * Take the update whose turn it is, in place of a handler: it is being handled from now on, and
 * gap_update_done or gap_update_failed must follow. Only with gap_runner_config.pull.
 *
 * @param out  A run; set on 1.
 * @return 1; 0 none may be handled now (`ready` tells when); GAP_E_STATE without `pull`;
 *         GAP_E_CLOSED the client closes; GAP_E_NOMEM.
 */
GAP_API GAP_NODISCARD int gap_runner_next(gap_runner_t *runner, gap_update_t **out);

/* ---- a run ---- */

/** Is this run still the one that counts? false: it has timed out. From inside its handler, or
 * before gap_update_done has been called; also from its thread. */
GAP_API bool gap_update_is_current(const gap_update_t *update);
/** Which attempt this is: 1 for the first. Attempts of before a crash are counted where the journal
 * knows of them. */
GAP_API uint32_t gap_update_attempt(const gap_update_t *update);

/**
 * Go on with this run on one of the library's threads: `return gap_update_on_thread(update, work,
 * data);` from a handler. There @p update may be looked at (every function of <gapless/update.h>
 * but done and failed, <gapless/message.h>, gap_update_is_current, gap_update_attempt, and of
 * <gapless/client.h> gap_update_client, gap_update_eid and gap_update_random_id). A router's
 * handler has its session data, too; nothing else of the library is for that thread.
 *
 * @param work  Runs on the thread. 0: handled; negative: failed; GAP_LATER: done or failed follows
 *              on the loop thread.
 * @param data  Pinned until @p work has returned.
 * @return GAP_LATER; GAP_E_STATE the run has timed out or is on a thread or in a transaction
 *         already, or @p update is no run.
 */
GAP_API GAP_NODISCARD int gap_update_on_thread(gap_update_t *update, gap_update_cb work,
                                               void *data);

/**
 * Work of a transaction: runs on the thread that writes the storage, inside a savepoint of the
 * commit that also records the update as handled. It must not wait and must not end the
 * transaction.
 *
 * @param update  Borrowed; to be looked at, as on a thread.
 * @param db      The connection; NULL if the storage is not SQLite.
 * @return 0 (or positive): both are committed; negative: what it has done is rolled back and the
 *         run has failed.
 */
typedef int (*gap_update_tx_cb)(gap_update_t *update, struct sqlite3 *db, void *data);

/**
 * Go on with this run in a transaction: `return gap_update_in_transaction(update, work, data);`
 * from a handler. It begins when the replies made by this run before have been answered: once it is
 * committed nobody would send them again, and a reply made later that fails changes nothing: the
 * update is handled. If the commit fails @p work is called again with the next
 * one. A run is not timed out while its transaction is under way: whether it has happened must be
 * known first.
 *
 * @param data  Pinned until the update is through, or its next attempt begins.
 * @return GAP_LATER; GAP_E_STATE as gap_update_on_thread, or there is no storage; GAP_E_LIMIT,
 *         GAP_E_NOMEM, GAP_E_CLOSED the storage does not take it.
 */
GAP_API GAP_NODISCARD int gap_update_in_transaction(gap_update_t *update, gap_update_tx_cb work,
                                                    void *data);

/**
 * Record the update as handled inside a transaction of the caller's own, on a connection of the
 * caller's own to the file of the account's storage: then its rows and the update's completion are
 * committed together. gap_update_done still follows after the commit; gap_update_failed after a
 * roll-back. The replies made by this run are answered before: once it is committed nobody would
 * send them again. The callback of the last of them is a good place.
 *
 * @param db      Has a transaction open. Borrowed. Others that are attached to it don't commit
 *                together with it.
 * @param update  A run. Borrowed.
 * @return 0; GAP_E_STATE the run has timed out, is on a thread or in a transaction of the
 *         library's, or a reply has not been answered, or @p update is no run, or there is no
 *         storage, or no transaction is open;
 *         GAP_E_FOREIGN the main database of @p db does not hold this account; GAP_E_NEWER a newer
 *         version of the library wrote it; GAP_E_BUSY another connection writes, or has written
 *         since this transaction read first: begin again, best with BEGIN IMMEDIATE; GAP_E_NOMEM;
 *         GAP_E_STORAGE (disk full, read-only ...); GAP_E_DAMAGED; GAP_E_NOT_FOUND the library was
 *         built without SQLite. After a failure the transaction is to be rolled back; the run goes
 *         on.
 * The loop thread.
 */
GAP_API GAP_NODISCARD int gap_update_complete(struct sqlite3 *db, gap_update_t *update);

/* ---- dead letters ---- */

/** An update that was given up. Borrowed. */
typedef struct gap_dead_letter {
    uint64_t number; /* its name, ascending in the order in which they came */
    uint32_t attempts;
    int error;          /* of the last run */
    const char *reason; /* in words; "" */
    int64_t created_us; /* when it came: microseconds since 1970, the host's clock */
    int64_t died_us;    /* and when it was given up */
    gap_box_t box;
    int64_t channel_id;
    const gap_update_t *update; /* to be looked at; NULL: it can't be read any more */
} gap_dead_letter_t;

typedef void (*gap_dead_letter_cb)(void *data, const gap_dead_letter_t *letter);

/**
 * List dead letters, the oldest first.
 *
 * @param after  Those behind this number; 0: from the first.
 * @param limit  At most so many; > 0.
 * @param each   Called for each of them, then
 * @param done   once: 0, or why the list ends early. Both from a tick, also after a close has
 * begun.
 * @return 0; GAP_E_NOMEM, GAP_E_CLOSED: nobody is called.
 */
GAP_API GAP_NODISCARD int gap_runner_dead_letters(gap_runner_t *runner, uint64_t after,
                                                  uint32_t limit, gap_dead_letter_cb each,
                                                  void (*done)(void *data, int status), void *data);
/**
 * Hand a dead letter to its handler again, at the end of its lanes, with all attempts before it,
 * flagged as maybe repeated.
 *
 * @return 0 it is under way (from a storage: if there is no such letter, nothing happens);
 *         GAP_E_NOT_FOUND there is none (without a storage); GAP_E_NOMEM; GAP_E_LIMIT too many
 *         wait; GAP_E_CLOSED the client closes or is being shut down.
 */
GAP_API GAP_NODISCARD int gap_runner_redrive(gap_runner_t *runner, uint64_t number);
/** Forget a dead letter. @return 0 (also if there is none); GAP_E_NOMEM, GAP_E_LIMIT, GAP_E_CLOSED.
 */
GAP_API GAP_NODISCARD int gap_runner_forget(gap_runner_t *runner, uint64_t number);

#ifdef __cplusplus
}
#endif
#endif
