/*
 * loops/journal.h - updates that are written down until their handlers are through, and what is
 * remembered of those that are, so that
 *   - the stored positions never run ahead of the handlers,
 *   - an update that takes long holds no position back,
 *   - what was recorded as done is not handled again.
 *
 * An entry is a part of the runner's task:
 *
 *   follow -> LISTED --after_us, press, shutdown, or at once--> WRITTEN (a row is put to the store,
 *     |                                                          and the engine's update passed)
 *     +--------------------- done | bury | drop ------------------> gone
 *
 * A row is put before its update is passed, and commits are in order: no position on disk is ahead
 * of what is on disk. Rows are written in the order of arrival, of one sequence always the oldest
 * first, so that after a restart rows come before what is fetched.
 *
 *     take(update):  r = gap_journal_admit(j, update)
 *         GAP_JOURNAL_SKIP    return 0: it was handled before the restart
 *         0                   run the handler if there is nobody before it; if it returns 0:
 *                             gap_journal_at_once(j, update), return 0
 *         else, or GAP_JOURNAL_FOLLOW: make a task, gap_journal_follow(j, &task->entry, update),
 *                             return GAP_LATER
 *     its turn:      gap_journal_attempt(j, &task->entry, n): 0 run it now; GAP_JOURNAL_WAIT: when
 *                    `ready` comes
 *     through:       gap_journal_done(j, &task->entry), then gap_update_done(the engine's update)
 *
 * Everything is for the loop thread. No call here calls back; `ready`, `replay` ... come from
 * ticks.
 */
#ifndef GAP_LOOPS_JOURNAL_H
#define GAP_LOOPS_JOURNAL_H

#include "loops/engine.h"
#include "loops/store_loop.h"
#include "runner/eid.h"

#include <gapless/runner.h>
#include <sys/queue.h>

typedef struct gap_journal gap_journal_t;

/** gap_journal_admit: it was handled, or is in the journal. */
#define GAP_JOURNAL_SKIP 1
/** gap_journal_admit: its handler may be called only after gap_journal_follow and _attempt. */
#define GAP_JOURNAL_FOLLOW 2
/** gap_journal_attempt: `ready` follows when that has been written. */
#define GAP_JOURNAL_WAIT 3

/** Names of updates of a former run that are remembered at most: more are forgotten, oldest first,
 * and may be handled again. */
#define GAP_JOURNAL_RECALL_MAX 65536
/** Updates done above a watermark since the last commit that are remembered at most. */
#define GAP_JOURNAL_DONE_MAX 16384
/** Rows that are read at a time when they are handed out again. */
#define GAP_JOURNAL_PAGE 64
/** Runs of an update that may have ended the process which begin side by side with others; further
 * ones are tried alone, */
#define GAP_JOURNAL_TOGETHER_MAX 2
/** and have so long to end it again before the next one is tried. */
#define GAP_JOURNAL_ALONE_US UINT64_C(2000000)
/** Pause after the store could not take a row. */
#define GAP_JOURNAL_RETRY_US UINT64_C(100000)

/** What the journal keeps of an update: embed it in the task. Members are the journal's, but where
 * it says so. */
struct gap_journal_entry {
    TAILQ_ENTRY(gap_journal_entry) next;
    const gap_update_t *update; /* what is to be written; the runner may point it to a copy */
    gap_update_t *node;         /* the engine's; the runner sets NULL before gap_update_done */
    uint64_t number;            /* of its row; 0: none. To be read */
    uint64_t since_us;
    uint64_t round; /* of the flush that it waits for */
    int64_t created_us;
    struct gap_identity identity;
    struct gap_place place;
    uint32_t attempts; /* runs begun, as far as the journal knows. To be read */
    uint8_t list;
    bool named;    /* identity is set */
    bool guarded;  /* its attempts are counted on disk before they begin */
    bool baseless; /* its channel is not known to the storage: not handled before it is */
    bool asked;    /* an attempt waits until it is written */
    bool busy;     /* its completion is in a transaction, */
    bool own;      /* of the caller's own connection */
    bool late;     /* its row was written while that was under way: nothing removes it there */
    bool replayed; /* came from a row */
};

/** A row that is handed out again, or read back. Borrowed. */
struct gap_journal_row {
    uint64_t number;
    uint32_t attempts;
    int64_t created_us;
    struct gap_identity identity;
    struct gap_place place;
    gap_update_t *update; /* to be copied; NULL: the row is gone */
    gap_packet_t *packet; /* owns its bytes: take a reference */
};

/** A row that was given up while it was being replayed, with a dead letter. Borrowed. */
struct gap_journal_loss {
    uint64_t number;
    uint32_t attempts;
    int error;
    const char *reason;
    const gap_update_t *update; /* NULL: it can't be read */
};

/** Who is served: the runner. */
struct gap_journal_user {
    /** gap_journal_attempt said WAIT, and it has been written (or can't be, and needs not be). */
    void (*ready)(void *arg, struct gap_journal_entry *entry);
    /** A row of a former run; gap_journal_adopt follows inside the call. @return 0 taken; positive:
     * no room, the same row again after gap_journal_replay_on; negative: the same after a pause. */
    int (*replay)(void *arg, const struct gap_journal_row *row);
    /** All rows have been handed out; or @p status negative: the storage failed. */
    void (*replayed)(void *arg, int status);
    /** A row could not be handed out and is a dead letter now. */
    void (*lost)(void *arg, const struct gap_journal_loss *loss);
};

struct gap_journal_config {
    gap_store_t *store; /* with a storage. Pinned */
    int64_t account;
    uint8_t secret[32];
    uint64_t epoch; /* of this opening: gap_boot_record_t, as it was put */
    bool unclean;   /* the last run did not end in order */
    gap_journal_mode_t mode;
    uint64_t after_us;     /* 0: GAP_RUNNER_JOURNAL_AFTER_US */
    uint32_t attempts_max; /* 0: GAP_RUNNER_ATTEMPTS_MAX */
    /** As the store loaded them; what is needed is copied. */
    const gap_done_record_t *dones;
    size_t done_count;
    const gap_inbox_record_t *inbox;
    size_t inbox_count;
};

/** Of one journal, since it was opened. */
struct gap_journal_counters {
    uint64_t written;  /* rows put */
    uint64_t rows;     /* not yet removed, those of a former run included */
    uint64_t skipped;  /* updates that came again and were done */
    uint64_t edits;    /* that came again with another content */
    uint64_t recorded; /* done records put */
    uint64_t buried;
    uint64_t refused; /* times that the store could not take a row */
    uint64_t recall;  /* names of a former run that are remembered now */
    uint64_t listed;  /* updates followed and not written now */
};

/** @return 0; GAP_E_NOMEM; GAP_E_LIBCRYPTO. */
GAP_NODISCARD int gap_journal_open(gap_rt_t *rt, const struct gap_journal_config *config,
                                   gap_journal_t **out);
/** Whom it serves; before anything else. Pinned. NULL: nobody any more, whatever was asked for. */
void gap_journal_serve(gap_journal_t *j, const struct gap_journal_user *user, void *arg);
/** Whose positions count: NULL before the engine is open and after it has closed. */
void gap_journal_engine(gap_journal_t *j, gap_engine_t *engine);
/** Free it at once: every entry must be gone or is forgotten. Nobody is called any more. After this
 * no callback of the store's that it has asked for may come: close the store first. */
void gap_journal_close(gap_journal_t *j);
void gap_journal_count(const gap_journal_t *j, struct gap_journal_counters *out);
/** The key of identities (gap_update_random_id). */
const struct gap_eid_key *gap_journal_key(const gap_journal_t *j);

/* ---- updates ---- */

/** May the update that has come be handled? One that was handled with another content becomes an
 * edit of it. @param update The engine's, in its handler. @return 0, GAP_JOURNAL_SKIP,
 * GAP_JOURNAL_FOLLOW. */
int gap_journal_admit(gap_journal_t *j, gap_update_t *update);
/** Its handler was called where it came, and is through. */
void gap_journal_at_once(gap_journal_t *j, const gap_update_t *update);
/** It goes on later, or waits. In the order of arrival, from inside the engine's handler.
 * @param entry Taken until done, bury or drop. @param node The engine's update; it stays until
 * entry->node has been set to NULL. */
void gap_journal_follow(gap_journal_t *j, struct gap_journal_entry *entry, gap_update_t *node);
/** The same for a row: from inside `replay`, or for a redriven one. */
void gap_journal_adopt(gap_journal_t *j, struct gap_journal_entry *entry,
                       const struct gap_journal_row *row);
/** Its handler is about to be called for the @p attempts-th time. @return 0 call it; or
 * GAP_JOURNAL_WAIT: `ready` follows (not if the entry goes before). */
int gap_journal_attempt(gap_journal_t *j, struct gap_journal_entry *entry, uint32_t attempts);
/** Write it now: of its sequence everything older must be written, or through (the one that
 * gap_engine_config.press names is the oldest). The engine's update is passed. @return 0 (also if
 * it was written already); GAP_E_STATE mode LIGHT, or its completion is under way; GAP_E_LIMIT,
 * GAP_E_NOMEM the store takes no more. */
int gap_journal_write(gap_journal_t *j, struct gap_journal_entry *entry);
/** Write all that is followed, the oldest first. @return how many are not written. */
uint64_t gap_journal_write_all(gap_journal_t *j);
/** What its name is; computed if it is not known. Never fails: has is false then. */
const struct gap_identity *gap_journal_name(gap_journal_t *j, struct gap_journal_entry *entry);

/** It has been handled: before gap_update_done of the engine's update. The row is removed. */
void gap_journal_done(gap_journal_t *j, struct gap_journal_entry *entry);
/** It is given up untold: at the end. Its row, if any, stays. */
void gap_journal_drop(gap_journal_t *j, struct gap_journal_entry *entry);
/** It has failed for good: it becomes a dead letter. @param update What to keep of it: the engine's
 * or the task's; NULL: nothing, it can't be read. @return 0; GAP_E_LIMIT, GAP_E_NOMEM nothing has
 * happened: try again later. */
GAP_NODISCARD int gap_journal_bury(gap_journal_t *j, struct gap_journal_entry *entry,
                                   const gap_update_t *update, int error, const char *reason);

/** What a transaction has to do with it to complete it. */
struct gap_journal_completion {
    uint64_t inbox; /* row to be removed; 0: none */
    bool has_done;
    gap_done_record_t done;
};
/** It is about to be completed by a transaction: until _completed or _reopened only
 * gap_journal_write_all writes it.
 * @param own  The caller's own connection, beside the store's. */
void gap_journal_complete(gap_journal_t *j, struct gap_journal_entry *entry, bool own,
                          struct gap_journal_completion *out);
/** The transaction was committed: the entry is gone. Before gap_update_done of the engine's. */
void gap_journal_completed(gap_journal_t *j, struct gap_journal_entry *entry);
/** It was not. */
void gap_journal_reopened(gap_journal_t *j, struct gap_journal_entry *entry);

/** Before gap_engine_collect: put what is done above the watermarks. @return 0. */
int gap_journal_collect(gap_journal_t *j);

/* ---- rows ---- */

/** Hand out the rows of former runs, the oldest first; before the engine delivers anything. What
 * has been put is committed before: the record of this opening, by which the next one knows that it
 * did not end in order, is on disk before a handler can end the process.
 * @return 0: `replayed` follows; GAP_E_NOMEM, GAP_E_CLOSED. */
GAP_NODISCARD int gap_journal_replay(gap_journal_t *j);
/** There is room again. */
void gap_journal_replay_on(gap_journal_t *j);
/** Read a row back: @p got once, from a tick; row->update NULL with @p status 0: it is gone; with
 * @p status negative it can't be read: GAP_E_DAMAGED (bury it), else try again. @return 0,
 * GAP_E_NOMEM, GAP_E_CLOSED. */
GAP_NODISCARD int
gap_journal_read(gap_journal_t *j, uint64_t number,
                 void (*got)(void *arg, int status, const struct gap_journal_row *row), void *arg);
/** Take a dead letter back: it is removed, and a row with a new number put in its place, which @p
 * got is given as gap_journal_read does (adopt it); row->update NULL: there is none, or @p status
 * GAP_E_DAMAGED: it can't be read and stays. @return as gap_journal_read. */
GAP_NODISCARD int gap_journal_redrive(gap_journal_t *j, uint64_t number,
                                      void (*got)(void *arg, int status,
                                                  const struct gap_journal_row *row),
                                      void *arg);
/** List dead letters: @p each with the record, and its update or NULL; then @p done. @return as
 * gap_journal_read. */
GAP_NODISCARD int gap_journal_dead(gap_journal_t *j, uint64_t after, uint32_t limit,
                                   void (*each)(void *arg, const gap_dead_record_t *record,
                                                gap_update_t *update),
                                   void (*done)(void *arg, int status), void *arg);
/** Remove a dead letter. @return 0, GAP_E_NOMEM, GAP_E_LIMIT. */
GAP_NODISCARD int gap_journal_forget(gap_journal_t *j, uint64_t number);

#endif
