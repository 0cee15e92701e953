/*
 * loops/runner_internal.h - what the files of the runner share: its records, and who calls whom.
 *
 *   runner.c         open, take, turns, close
 *   runner_run.c     a run: begins, ends, times out; what comes of it
 *   runner_thread.c  runs on threads
 *   runner_commit.c  runs in transactions
 *   runner_load.c    back-pressure, pause, pace, figures; pull
 *   runner_drain.c   the end: drain, journal, report
 *   runner_rows.c    what is in the journal: replayed, spilled and read back
 *   runner_dead.c    dead letters
 *
 * A task is an update in the runner's hands, from its arrival until it is through for good. A run
 * is one attempt to handle it, and what the handler is given. The engine's update (the node) shows
 * the bytes; it stays until the task is through and nobody looks at it any more.
 */
#ifndef GAP_LOOPS_RUNNER_INTERNAL_H
#define GAP_LOOPS_RUNNER_INTERNAL_H

#include "base/heap.h"
#include "base/pool.h"
#include "base/prng.h"
#include "loops/journal.h"
#include "loops/loop.h"
#include "loops/runner.h"
#include "runner/chats.h"
#include "runner/lanes.h"
#include "runner/pace.h"
#include "sequence/update.h"

_Static_assert(GAP_RUNNER_KEYS_MAX == GAP_LANES_KEYS_MAX, "as the public header says");
_Static_assert(GAP_RUNNER_KEYS_MAX >= GAP_CHATS_KEYS_MAX, "room for the default");
_Static_assert(GAP_RUNNER_ACCOUNT_KEY == GAP_CHATS_ACCOUNT, "as the public header says");

/** Handlers that one batch calls at most, */
#define GAP_RUNNER_BATCH_MAX 64
/** and how long it goes on calling them. */
#define GAP_RUNNER_BATCH_US UINT64_C(500)
/** When what failed for lack of memory is tried again. */
#define GAP_RUNNER_AGAIN_US UINT64_C(100000)
/** Nodes of one slab. */
#define GAP_RUNNER_SLAB 64
/** Memory of more than so many updates goes back when there has been none for so long. */
#define GAP_RUNNER_KEPT    256
#define GAP_RUNNER_TRIM_US UINT64_C(10000000)
/** Bytes of dead letters that are kept where there is no storage. */
#define GAP_RUNNER_DEAD_BYTES ((size_t)1 << 20)

/** Why updates don't go straight to their handlers. */
enum gap_runner_gate {
    GATE_PAUSED = 1 << 0,
    GATE_FRONT = 1 << 1, /* others wait in front of the lanes */
    GATE_DRAINING = 1 << 2,
    GATE_CLOSING = 1 << 3,
    GATE_PULL = 1 << 4,
    GATE_SHUT = 1 << 5, /* gap_runner_shut */
};

/** Nothing that comes gets into the lanes. */
#define GATES_SHUT ((uint32_t)GATE_DRAINING | GATE_CLOSING | GATE_SHUT)

struct gap_thread;

/** An attempt. */
struct gap_run {
    gap_update_t update; /* what the handler has */
    gap_runner_t *runner;
    struct gap_task *task;
    TAILQ_ENTRY(gap_run) by_time; /* runs that may time out, by deadline */
    uint64_t deadline_us;
    uint32_t attempt;
    uint32_t ordinal;
    uint32_t holds;      /* answers that it waits for */
    uint32_t unanswered; /* of these have not come */
    int status;          /* the first failure */
    bool current;        /* it counts; read by its thread, too */
    bool listed;         /* in by_time */
    bool inside;         /* its handler is on the stack */
    bool finished;       /* its handler is through */
    bool elsewhere;      /* on a thread, waiting for one, or in a transaction */
    bool commits;        /* of these: in a transaction */
    bool awaiting;       /* its transaction begins when its answers are there */
    bool committed;      /* its transaction is */
    bool completed;      /* a transaction of the handler's own will do it */
    bool adopted;        /* its task is in the runner's hands, not the spare one */
    /* on a thread, in a transaction */
    gap_work_t work;
    STAILQ_ENTRY(gap_run) next; /* waits for a thread */
    struct gap_thread *thread;  /* which it is on; NULL: none */
    gap_update_cb thread_cb;
    gap_update_tx_cb tx_cb;
    void *data;
    int result; /* of thread_cb */
};
TAILQ_HEAD(gap_run_times, gap_run);
STAILQ_HEAD(gap_run_queue, gap_run);

/** An update that is not through. */
struct gap_task {
    gap_job_t job;
    gap_runner_t *runner;
    gap_update_t *node;
    struct gap_run *run; /* the one that counts; NULL: it waits */
    TAILQ_ENTRY(gap_task)
    age;                 /* all, in order of arrival; or those that are through, but looked
                            at by runs that have timed out */
    gap_heap_node_t due; /* when the next attempt may begin */
    uint64_t came_us;
    uint32_t attempts; /* begun */
    uint32_t overruns; /* runs that timed out and are not through */
    uint32_t bytes;    /* that it shows */
    int error;         /* burying: why */
    bool over;         /* through, */
    bool unhandled;    /* or not, at the end */
    bool followed;     /* the journal has its entry */
    bool aside;        /* parked until the journal has answered */
    bool reading;      /* its bytes are being read back */
    bool counted;      /* its next attempt is */
    bool burying;      /* given up, and the journal could not take it yet */
    bool front;        /* in front of the lanes */
    struct gap_journal_entry entry;
};
TAILQ_HEAD(gap_task_list, gap_task);

/** A thread for handlers. */
struct gap_thread {
    gap_runner_t *runner;
    gap_worker_t *worker;
    struct gap_run *run; /* NULL: idle */
    bool stuck;          /* its run has timed out */
    bool closing;
    TAILQ_ENTRY(gap_thread) next;
};
TAILQ_HEAD(gap_threads, gap_thread);

/** An update that the runner holds itself: one of the journal. */
struct gap_stored {
    gap_update_t update;
    gap_runner_t *runner;
    gap_packet_t *packet;
};

/** A dead letter where there is no journal. */
struct gap_letter {
    TAILQ_ENTRY(gap_letter) next;
    uint64_t number;
    uint32_t attempts;
    int error;
    int64_t created_us;
    int64_t died_us;
    gap_packet_t *packed;
};
TAILQ_HEAD(gap_letters, gap_letter);

/** Somebody wants to see them. */
struct gap_letter_call {
    STAILQ_ENTRY(gap_letter_call) next;
    gap_runner_t *runner;
    uint64_t after;
    uint32_t limit;
    gap_dead_letter_cb each;
    void (*done)(void *data, int status);
    void *data;
};
STAILQ_HEAD(gap_letter_calls, gap_letter_call);

struct gap_runner {
    gap_loop_t loop;
    gap_rt_t *rt;
    const gap_alloc_t *alloc;
    gap_runner_config_t config; /* without zeroes */
    struct gap_runner_hooks hooks;
    gap_lanes_t lanes;
    gap_chats_t chats;
    uint32_t gates; /* enum gap_runner_gate */
    gap_pool_t tasks;
    gap_pool_t runs;
    gap_pool_t stored;
    struct gap_task *spare_task; /* for the next update */
    struct gap_run *spare_run;
    struct gap_task_list by_age;
    uint64_t in_hand; /* of these */
    struct gap_task_list gone;
    struct gap_run_times by_time;
    gap_heap_t due; /* parked tasks */
    uint32_t aside; /* tasks with `aside` */
    uint32_t
        reading; /* and calls of the journal's for dead letters: answers that close waits for */
    struct gap_run *at_once; /* the run whose handler is called where its update came; or NULL */
    gap_update_t *node;      /* that update, */
    const uint64_t *keys;    /* and its keys; NULL: not known */
    int key_count;
    gap_pace_t pace;
    uint64_t paced_us; /* nothing may begin before; 0: it may */
    gap_prng_t random;
    /* in front of the lanes: no room, or not yet */
    struct gap_job_queue front[GAP_JOB_CLASSES]; /* tasks, which the journal knows */
    uint64_t front_count;
    uint64_t front_bytes; /* that they show */
    gap_update_t *kept; /* and behind them those without, for lack of memory: a list by `keeper` */
    gap_update_t *kept_last;
    uint64_t kept_count;
    bool kept_query; /* one is among them */
    uint64_t pinned; /* bytes that tasks show */
    bool held;       /* the engine is */
    bool yielding;   /* the host has its turn, then `post` comes */
    gap_env_post_t post;
    bool told_ready; /* with pull */
    /* threads */
    struct gap_threads threads;
    uint32_t thread_count;
    uint32_t stuck;
    struct gap_run_queue unthreaded;
    bool told_stuck;
    uint64_t overran; /* runs that have timed out and go on */
    /* the timer */
    gap_timer_t timer;
    uint64_t timer_us; /* when it is due; GAP_ENV_NEVER: off */
    uint64_t trim_us;  /* when memory goes back; 0: none is to */
    size_t most;       /* tasks at a time since it last did */
    uint64_t again_us; /* something failed for lack of memory; GAP_ENV_NEVER: nothing */
    /* the journal */
    gap_journal_t *journal;
    bool replay_waits; /* for room */
    void (*replayed)(void *arg, int status);
    void *replayed_arg;
    struct gap_task *spill_at; /* the next one to look at; NULL: the oldest */
    uint64_t spilled;
    /* dead letters without it */
    struct gap_letters letters;
    uint32_t letter_count;
    size_t letter_bytes;
    uint64_t letter_number;
    struct gap_letter_calls letter_calls;
    /* the end */
    struct {
        bool begun;
        bool told;
        uint64_t deadline_us;
        uint64_t handled; /* when it began */
        void (*done)(void *arg, const struct gap_runner_report *report);
        void *arg;
    } drain;
    bool closing;
    void (*close_cb)(void *arg);
    void *close_arg;
    gap_runner_stats_t count;
};

static inline struct gap_task *gap_task_of_job(gap_job_t *job)
{
    return GAP_CONTAINER_OF(job, struct gap_task, job);
}

/* runner.c */
/** The runner has something to do. */
static inline void gap_runner_wake(gap_runner_t *r)
{
    gap_loop_signal(r->rt, &r->loop);
}
/** Something is due then. */
void gap_runner_alarm(gap_runner_t *r, uint64_t due_us);
/** Something failed for lack of memory: it is tried again in a moment. */
void gap_runner_again(gap_runner_t *r);
/** The next one whose turn it is; NULL: none, or not now. */
gap_job_t *gap_runner_next_job(gap_runner_t *r, uint64_t now_us);
/** Memory for the next update: a task, a run, its lanes. */
GAP_NODISCARD int gap_runner_reserve(gap_runner_t *r);
/** The keys of an update. @return how many. */
int gap_runner_keys(const gap_runner_t *r, const gap_update_t *update,
                    uint64_t keys[GAP_RUNNER_KEYS_MAX]);
/** As of a task. */
int gap_runner_keys_of(const gap_runner_t *r, struct gap_task *task,
                       uint64_t keys[GAP_RUNNER_KEYS_MAX]);
/** A task of the spare one. */
struct gap_task *gap_runner_adopt(gap_runner_t *r, gap_update_t *node);

/** An update for which there is memory enters its lanes. */
struct gap_task *gap_runner_enter(gap_runner_t *r, gap_update_t *node, const uint64_t *keys,
                                  int key_count);
/** A task that was in front of the lanes is there no more. */
void gap_runner_leave_front(gap_runner_t *r, struct gap_task *task);
/** What waits in front of the lanes goes in, as far as there is room. */
void gap_runner_take_front(gap_runner_t *r);
/** Is there room for one more? */
static inline bool gap_runner_has_room(const gap_runner_t *r)
{
    return r->in_hand - r->front_count < r->config.waiting_max && r->pinned < r->config.pinned_max;
}

/* runner_rows.c */
void gap_rows_init(gap_runner_t *r);
/** What is done before a run: its bytes are there, and the attempt is counted. @return false: not
 * now; it has been set aside. */
bool gap_rows_prepare(gap_runner_t *r, struct gap_task *task);
/** Let go of bytes that the journal has, if many are pinned. */
void gap_rows_spill(gap_runner_t *r);
/** There may be room for what is replayed. */
void gap_rows_go_on(gap_runner_t *r);
/** A task goes: nobody is to point to it. */
void gap_rows_forget(gap_runner_t *r, struct gap_task *task);
/** An update of the runner's own. @return NULL: no memory. */
gap_update_t *gap_stored_new(gap_runner_t *r, const gap_update_t *view, gap_packet_t *packet);
/** The journal knows of the task. */
void gap_rows_follow(gap_runner_t *r, struct gap_task *task);

/* runner_run.c */
extern const struct gap_update_owner *const gap_run_owner;
/** Make the spare run one of @p task. */
struct gap_run *gap_run_new(gap_runner_t *r, struct gap_task *task);
/** It shows what the engine's update shows. */
static inline void gap_run_show(struct gap_run *run, const gap_update_t *node)
{
    gap_update_show(&run->update, node);
    run->update.owner = gap_run_owner;
    run->update.account = run->runner->hooks.client;
}
/** It will time out. */
void gap_run_clock(struct gap_run *run);
/** The handler of a task whose turn it is. */
void gap_run_begin(gap_runner_t *r, struct gap_task *task);
/** The same, but nobody is called. */
struct gap_run *gap_run_start(gap_runner_t *r, struct gap_task *task);
/** Its task is in the runner's hands from now on. */
void gap_run_adopt(struct gap_run *run);
/** The handler has returned. */
void gap_run_returned(struct gap_run *run, int status);
/** Something that it waited for is over. */
void gap_run_settle(struct gap_run *run);
/** What has taken too long. */
void gap_run_expire(gap_runner_t *r, uint64_t now_us);
/** The run that an update is; NULL: it is none. */
struct gap_run *gap_run_of(const gap_update_t *update);
/** A task's pause is over. */
void gap_task_wake(gap_runner_t *r, uint64_t now_us);
/** It is through; or, if not @p handled, goes back at the end. */
void gap_task_free(gap_runner_t *r, struct gap_task *task, bool handled);
void gap_runner_tell(gap_runner_t *r, const struct gap_runner_event *event);

/** A task is given up; once more, if it was so. */
void gap_task_bury(gap_runner_t *r, struct gap_task *task, int error);

/* runner_commit.c */
/** A run of which the handler's own transaction recorded that it is handled has ended. */
void gap_commit_own(struct gap_run *run, int status);
/** The last answer that its transaction waits for has come, or failed. The run is to be settled. */
void gap_commit_answered(struct gap_run *run);

/* runner_thread.c */
/** The run that is on a thread, or waits for one, does not count any more. */
void gap_thread_overrun(struct gap_run *run);
/** Runs that wait may find a thread now. */
void gap_thread_pump(gap_runner_t *r);
/** The runner closes: runs that wait for a thread end, and idle threads. */
void gap_thread_close(gap_runner_t *r);

/* runner_load.c */
/** Hold the engine, or let it go on. */
void gap_runner_balance(gap_runner_t *r);
/** Tell whoever pulls that there is something. */
void gap_runner_tell_ready(gap_runner_t *r);

/* runner_drain.c */
void gap_runner_check_drained(gap_runner_t *r, uint64_t now_us);

/* runner_dead.c */
/** A task is given up. @return 0 it is a dead letter now; negative: not yet. */
GAP_NODISCARD int gap_dead_add(gap_runner_t *r, struct gap_task *task, int error);
/** Answer those who asked. */
void gap_dead_answer(gap_runner_t *r);
void gap_dead_fini(gap_runner_t *r);

#endif
