/*
 * loops/store_loop.h - WHEN an account's state is stored: the actor that owns the writer thread,
 * the storage and the session file.
 *
 *   OPENING --> IDLE --touched--> DUE --interval over--> COMMITTING --> IDLE | DUE
 *      \           ^                                        | failed
 *       \-> FAILED +------------- reopened ---- WAITING <---+
 *
 * Group commit: one commit is in flight; what comes meanwhile makes the next one. The pause between
 * commits is GAP_STORE_INTERVAL_US, longer if commits cost much (GAP_STORE_COST_FACTOR), shorter
 * only on a flush. After GAP_E_STORAGE the same records are tried again (1 s doubling to 60 s);
 * after GAP_E_SYNC the storage is closed, opened and loaded anew first, and what it then holds
 * must not be ahead of what is committed next. Records in memory are bounded: positions come from
 * the engine when they are needed, peers beyond GAP_STORE_PEERS_MAX are dropped (they are learned
 * again).
 *
 * Everything here is for the loop thread; callbacks come from the runtime's ticks, never from
 * inside a call.
 */
#ifndef GAP_LOOPS_STORE_LOOP_H
#define GAP_LOOPS_STORE_LOOP_H

#include "loops/loop.h"
#include "store/session_file.h"

#include <gapless/store.h>

typedef struct gap_store gap_store_t;

/** Least pause between two commits. */
#define GAP_STORE_INTERVAL_US UINT64_C(50000)
/** The pause is at least this many times the processor time that the last commit took. */
#define GAP_STORE_COST_FACTOR 300
/** And never longer than this. */
#define GAP_STORE_INTERVAL_MAX_US UINT64_C(2000000)
/** Bytes of inbox rows, dead letters and values that wait to be committed. */
#define GAP_STORE_INBOX_BYTES 8388608
/** Hurried commits: how long records may wait for company, and how many make a commit due at once.
 */
#define GAP_STORE_GROUP_US  UINT64_C(5000)
#define GAP_STORE_GROUP_MAX 256
/** Peers waiting to be committed; more are dropped. */
#define GAP_STORE_PEERS_MAX    4096
#define GAP_STORE_RETRY_MIN_US UINT64_C(1000000)
#define GAP_STORE_RETRY_MAX_US UINT64_C(60000000)

struct gap_store_config {
    gap_storage_t *storage;   /* taken; NULL: nothing is kept but the session */
    const char *session_path; /* copied; NULL: the session is not kept */
};

/** What storage and session file held. Borrowed. */
struct gap_store_loaded {
    const struct gap_session_data *session; /* zeroes if there was none */
    bool has_account;
    gap_account_record_t account;
    bool has_state;
    gap_state_record_t state;
    const gap_channel_record_t *channels;
    size_t channel_count;
    const gap_peer_record_t *peers; /* without names */
    size_t peer_count;
    bool has_boot;
    gap_boot_record_t boot;
    const gap_done_record_t *dones;
    size_t done_count;
    const gap_inbox_record_t *inbox; /* ascending by number, without updates */
    size_t inbox_count;
};

/** What the store tells. Every member is required. */
struct gap_store_events {
    /** Open, or it can't be opened (@p loaded is NULL then, and nothing follows but closing): once.
     * @p status as of gap_storage_ops.open and load, and gap_session_file_open; @p fault->text says
     * what and what to do. */
    void (*opened)(void *arg, int status, const struct gap_store_loaded *loaded,
                   const gap_storage_fault_t *fault);
    /** A commit or save failed; it is tried again in @p retry_us. Told at the first failure in a
     * row. */
    void (*failed)(void *arg, int status, uint64_t retry_us, const gap_storage_fault_t *fault);
    /** And then it worked. */
    void (*recovered)(void *arg);
    /** A commit is about to begin: hand over the positions that have changed since the last time,
     * by gap_store_put. Called from a tick, never inside a handler. @return 0; negative: not all
     * could be put (gap_engine_collect's result): what was is committed, and the rest collected
     * again after GAP_STORE_RETRY_MIN_US. */
    int (*collect)(void *arg);
};

/** A peer that was looked for. @param peer NULL: not known; or @p status < 0. Borrowed. */
typedef void (*gap_store_found_cb)(void *arg, int status, const gap_peer_record_t *peer);

/**
 * Open: the writer thread opens session file and storage, in this order, and loads them; `opened`
 * follows.
 * @return 0; GAP_E_NOMEM; what the environment's worker_open returned. On failure the storage is
 * still the caller's.
 */
GAP_NODISCARD int gap_store_open(gap_rt_t *rt, const struct gap_store_config *config,
                                 const struct gap_store_events *events, void *arg,
                                 gap_store_t **out);

/** Something will have to be collected: a commit comes when it is due. Cheap, idempotent. */
void gap_store_touch(gap_store_t *store);
/** A record for the next commit; copied. Legal at any time; no-op without a storage. Not for
 * GAP_RECORD_CALL. What is put is never on disk before something that was put earlier; what is put
 * without a tick between is in one commit. A number that is put into the inbox and removed before
 * any commit took it is not written at all.
 * @return 0; GAP_E_NOMEM; GAP_E_LIMIT a peer too many (dropped, harmless), or
 * GAP_STORE_INBOX_BYTES wait (not taken; removals always are); GAP_E_ARGUMENT no key, or an unknown
 * kind. */
GAP_NODISCARD int gap_store_put(gap_store_t *store, const gap_record_t *record);
/** Save the session; copied. A later one replaces an earlier one that waits. @p saved is called
 * once with 0, or with the first failure (which is then tried again); may be NULL. @return 0,
 * GAP_E_NOMEM, GAP_E_CLOSED closing is as good as over. */
GAP_NODISCARD int gap_store_save_session(gap_store_t *store, const struct gap_session_data *data,
                                         void (*saved)(void *arg, int status), void *arg);
/** Read rows of the inbox, dead letters or a value, on the writer thread. What was put before is
 * found even if it is not yet committed. @p each once a record, then @p done once with 0, with what
 * @p each returned if not 0, or with a failure; both from a tick. @p what is copied. @return 0;
 * GAP_E_NOMEM; GAP_E_CLOSED; GAP_E_ARGUMENT it asks for nothing that could be. */
GAP_NODISCARD int gap_store_read(gap_store_t *store, const gap_read_t *what, gap_record_cb each,
                                 void (*done)(void *arg, int status), void *arg);
/** Run a function on the writer thread that looks at what is committed (gap_storage_ops.query; what
 * was put and is not committed yet it does not see). @p done once, from a tick: @p status 0 and
 * what the function returned, or why it was not run. In line with gap_store_read. @return 0;
 * GAP_E_NOMEM; GAP_E_CLOSED; GAP_E_STATE no storage, or it has no SQL. */
GAP_NODISCARD int gap_store_query(gap_store_t *store, int (*query)(void *arg, struct sqlite3 *db),
                                  void (*done)(void *arg, int status, int result), void *arg);
/** Run a function inside the next commit, in its place among the records put (gap_call_record_t;
 * copied, its `result` is not used), and commit soon (gap_store_hurry). @p done once, from a tick:
 * @p status 0 and what the function returned, when that is on disk; or negative: the store was
 * closed or could not be opened, and nothing of it is. While commits fail it waits; the function is
 * run with every try. @return 0; GAP_E_NOMEM; GAP_E_CLOSED; GAP_E_STATE no storage;
 * GAP_E_ARGUMENT. */
GAP_NODISCARD int gap_store_call(gap_store_t *store, const gap_call_record_t *call,
                                 void (*done)(void *arg, int status, int result), void *arg);
/** The owner is about to close: calls that a failing commit holds up end with GAP_E_CLOSED, now or
 * when the next commit has failed, though it is not known of all that they were not stored. */
void gap_store_give_up_calls(gap_store_t *store);
/** Commit what waits soon, however much commits cost: at once if the last commit began more than
 * GAP_STORE_GROUP_US ago or GAP_STORE_GROUP_MAX records wait, else that long after it. Positions
 * are collected only if they are due anyway, or a value waits: what a handler has written is never
 * on disk before its update is through there. */
void gap_store_hurry(gap_store_t *store);
/** Look a peer up, on the writer thread. Peers put before are found even if they are not yet
 * committed. @p found is called exactly once if 0 is returned. @return 0, GAP_E_NOMEM,
 * GAP_E_CLOSED. */
GAP_NODISCARD int gap_store_find(gap_store_t *store, const gap_peer_key_t *key,
                                 gap_store_found_cb found, void *arg);
/** Commit everything now. @p done once, when it is on disk or could not be stored. @return 0,
 * GAP_E_NOMEM, GAP_E_CLOSED. */
GAP_NODISCARD int gap_store_flush(gap_store_t *store, void (*done)(void *arg, int status),
                                  void *arg);
/** Is the last commit younger than every touch? (Tests, stats.) */
bool gap_store_is_clean(const gap_store_t *store);

/** Close: a last commit with what `collect` gives now (called from inside if need be later, so the
 * engine is closed only after @p cb, or has been collected and put before), then the storage is
 * closed and destroyed. @p cb once, from a tick; the memory is gone when it returns. */
void gap_store_close(gap_store_t *store, void (*cb)(void *arg, int last_status), void *arg);

#endif
