/*
 * loops/runner.h - the runner as its owner sees it: what it needs of others (hooks), and how
 * updates get in. What handlers and the host see is public: <gapless/runner.h>.
 *
 *   engine -> gap_runner_take -> lanes -> hooks.handler(the run) -> done -> gap_update_done(the
 *   engine's update)
 *
 * The order of an end: gap_runner_drain (or not), gap_engine_collect, gap_engine_close and at once
 * gap_runner_close, and when both have closed the store and the journal.
 */
#ifndef GAP_LOOPS_RUNNER_H
#define GAP_LOOPS_RUNNER_H

#include <gapless/runner.h>
#include <gapless/store.h>

struct gap_rt;
struct gap_identity;
struct gap_journal;

/** What a runner tells. */
enum gap_runner_event_kind {
    GAP_RUNNER_FAILED = 0, /* a run failed with `error`; the next one in `us` */
    GAP_RUNNER_TIMED_OUT,  /* a run has taken too long; the next one in `us` */
    GAP_RUNNER_DEAD,       /* given up after `attempt` runs; `error` of the last */
    GAP_RUNNER_OVERLOADED, /* `count` updates wait: the account is held back. Once per stretch */
    GAP_RUNNER_RELIEVED,   /* and takes updates again */
    GAP_RUNNER_SLOW,       /* a run in a transaction has taken `us` and is waited for */
    GAP_RUNNER_STUCK       /* `count` threads are in handlers that have timed out: no other one is
                              opened, what needs a thread waits */
};

/** An event. Borrowed. */
struct gap_runner_event {
    enum gap_runner_event_kind kind;
    const gap_update_t *update; /* FAILED, TIMED_OUT, DEAD, SLOW; else NULL */
    int error;
    const char *reason; /* DEAD: why, where no error says it; else NULL */
    uint32_t attempt;
    uint64_t us;
    uint64_t count;
};

/** Whom a runner works for and with. Pinned until it is closed. */
struct gap_runner_hooks {
    /** Handles a run. Required, but with gap_runner_config.pull. */
    gap_update_cb handler;
    void *handler_data;
    /** May be NULL. From ticks, and from inside whatever ends a run. */
    void (*event)(void *arg, const struct gap_runner_event *event);
    /** Hold the engine back, or go on (gap_engine_hold). Alternately. From ticks, and from inside
     * whatever ends a run. May be NULL. */
    void (*hold)(void *arg, bool on);
    void *arg;
    struct gap_journal *journal; /* NULL: nothing is journalled */
    /** gap_store_call, with call_arg for the store. NULL: no transactions. */
    int (*call)(void *call_arg, const gap_call_record_t *call,
                void (*done)(void *arg, int status, int result), void *arg);
    void *call_arg;
    void *client;         /* gap_update.account of the runs */
    int64_t user_id;      /* whose updates, for gap_update_complete */
    uint64_t jitter_seed; /* any; two accounts should differ */
};

/** The ends of a drain. */
struct gap_runner_report {
    uint64_t drained;    /* updates that were finished since it began */
    uint64_t journalled; /* unfinished, and in the journal */
    uint64_t unknown;    /* unfinished and not in the journal: to be fetched again, or lost */
};

/**
 * @param rt      Pinned until closed; with an environment if there are to be threads.
 * @param config  Copied; NULL: the defaults.
 * @return 0; GAP_E_ARGUMENT a value is out of range, or the handler is missing; GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_runner_open(struct gap_rt *rt, const gap_runner_config_t *config,
                                  const struct gap_runner_hooks *hooks, gap_runner_t **out);
/**
 * Take an update: gap_engine_config.handler, with the runner as data. Its `account` is the
 * runner's from now on.
 * @return 0 it is handled; GAP_LATER gap_update_done(update) follows.
 */
int gap_runner_take(gap_update_t *update, void *runner);
/** gap_engine_config.press: the engine's @p update keeps its sequence's position back. Journal it
 * and what came before it. */
void gap_runner_press(void *runner, gap_update_t *update);
/**
 * Take over what a former run has left in the journal, before the engine delivers anything.
 * @return 0: @p done follows once, from a tick: 0, or the storage failed; as gap_journal_replay.
 * Only with a journal.
 */
GAP_NODISCARD int gap_runner_replay(gap_runner_t *runner, void (*done)(void *arg, int status),
                                    void *arg);
/** What comes waits in front of the lanes, and is journalled as always, but no handler is called
 * with it; what a former run has left is none of that. Or no more. */
void gap_runner_shut(gap_runner_t *runner, bool shut);
/** Before gap_engine_collect: what is finished is to be known to the journal. @return as
 * gap_journal_collect. */
GAP_NODISCARD int gap_runner_collect(gap_runner_t *runner);
/**
 * Finish what is here until @p deadline_us (of the runtime's clock), journal the rest, tell.
 * Updates that come meanwhile are not handled any more, but kept for the journal. A second call
 * sets another deadline; one that has gone by: at once. @p done once, from a tick; that of the
 * first call.
 */
void gap_runner_drain(gap_runner_t *runner, uint64_t deadline_us,
                      void (*done)(void *arg, const struct gap_runner_report *report), void *arg);
/**
 * Begin no further run; @p cb when the handlers at work are through (those that hang, too: what
 * they look at is pinned), from a tick. What waits goes back by gap_engine_return: gap_engine_close
 * comes before this, in the same step. The store and the journal are closed after @p cb.
 * Idempotent.
 */
void gap_runner_close(gap_runner_t *runner, void (*cb)(void *arg), void *arg);

/** The run is not handled before gap_run_release has been called once more: an answer is waited
 * for. @return 0; GAP_E_STATE it has timed out; also 0 for what is no run. */
GAP_NODISCARD int gap_run_hold(gap_update_t *update);
/** An answer has come that gap_run_release follows for: before the host is told. */
void gap_run_answered(gap_update_t *update);
/** @param status Negative: the run fails. The run may be over when this returns. */
void gap_run_release(gap_update_t *update, int status);
/** What the event of a run is called, for what is derived from it. @return NULL: it has no name, or
 * there is no journal, or the run does not count any more, or it is no run. */
const struct gap_identity *gap_run_identity(gap_update_t *update);
/** The ordinal of a run's next reply, from 0. 0 for what is no run. */
uint32_t gap_run_ordinal(const gap_update_t *update);
/** It was sent: the next one has another. */
void gap_run_ordinal_used(gap_update_t *update);

#endif
