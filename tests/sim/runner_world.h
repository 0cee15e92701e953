/*
 * tests/sim/runner_world.h - a small virtual world around one runner: updates of the test's own,
 * handlers that do as they were told for each attempt, threads that take as long as they were told,
 * a trace.
 *
 * An update is a label (its number) in a chat. The trace has a line for each call of a handler
 * ("begin 3", "begin 3 again" for later attempts), for its end ("done 3", "fail 3"), for what the
 * runner tells ("failed 3", "timeout 3", "dead 3", "hold", "go on"), and for the update that goes
 * back to whoever brought it ("through 3").
 */
#ifndef GAP_TESTS_SIM_RUNNER_WORLD_H
#define GAP_TESTS_SIM_RUNNER_WORLD_H

#include "../check_main.h"
#include "loops/journal.h"
#include "loops/loop.h"
#include "loops/runner.h"
#include "sequence/update.h"
#include "sim_env.h"

#define RW_PLANS   4
#define RW_UPDATES 512
#define RW_NO_KEY  (-2) /* rw_update.key_count: it stands in no lane */
#define RW_MS      UINT64_C(1000)
#define RW_S       UINT64_C(1000000)

/** What a handler does in one attempt. */
enum rw_act {
    RW_DONE = 0, /* returns 0 */
    RW_FAIL,     /* returns GAP_E_STATE */
    RW_LATER,    /* GAP_LATER, done after `us` */
    RW_LATER_FAIL,
    RW_INSIDE, /* calls done before it returns GAP_LATER */
    RW_HANG,   /* GAP_LATER; the test ends it */
    RW_THREAD, /* on a thread for `us`, which returns `result` */
    RW_THREAD_HANG,
    RW_COMMIT, /* in a transaction, whose work returns `result` */
    RW_REPLY   /* returns 0, but holds the run for `us`; then releases it with `result` */
};

struct rw_plan {
    enum rw_act act;
    uint64_t us;
    int result;
};

/** An update. */
struct rw_update {
    gap_update_t update; /* what the runner takes */
    int label;
    struct rw_plan plans[RW_PLANS]; /* by attempt; the last one counts for all later ones */
    int planned;
    uint64_t keys[GAP_RUNNER_KEYS_MAX]; /* with key_count > 0 instead of the chat */
    int key_count;                      /* 0: by chat */
    bool taken;
    int begun;
    int handled; /* attempts that ended well */
    int worked;  /* calls of a transaction's work */
    bool through;
    gap_update_t *run;     /* the latest attempt */
    gap_update_t *hung[4]; /* attempts that hang */
    int hung_count;
    gap_timer_t timer;
    int timer_attempt;
    void (*inside)(struct rw_update *u, gap_update_t *run); /* called by its handler; or NULL */
};

extern struct fault_alloc rw_fault;
extern sim_t *rw_sim;
extern gap_env_t *rw_env;
extern gap_rt_t rw_rt;
extern gap_runner_t *rw_runner;
extern struct rw_update rw_updates[RW_UPDATES];
extern int rw_closed;
extern bool rw_held;
extern bool rw_quiet; /* nothing is traced */
extern struct gap_runner_report rw_report;
extern int rw_reported;

/** A world with a runner. @param config NULL: the defaults, but no jitter of the test's concern. */
void rw_begin(const gap_runner_config_t *config);
/** The world alone; and the runner. @return as gap_runner_open. */
void rw_world(void);
int rw_open(const gap_runner_config_t *config);
/** Close, run until closed; nothing may be left. */
void rw_end(void);
void rw_close(void);

/** An update of a chat: done at once unless it is told otherwise. */
struct rw_update *rw_make(int label, int64_t chat);
/** A callback query. */
struct rw_update *rw_make_query(int label);
/** Its next attempt. @return u. */
struct rw_update *rw_plan(struct rw_update *u, enum rw_act act, uint64_t us);
struct rw_update *rw_plan_result(struct rw_update *u, enum rw_act act, uint64_t us, int result);
/** Hand it to the runner. @return what the runner said. */
int rw_take(struct rw_update *u);
/** All at once. */
struct rw_update *rw_send(int label, int64_t chat, enum rw_act act, uint64_t us);
/** The hanging attempt ends: with 0 done, else failed. */
void rw_unhang(struct rw_update *u, int which, int status);
/** The hanging thread of an attempt returns. */
void rw_unhang_thread(int which, int result);

void rw_run(uint64_t ms);
/** Forget the trace. */
void rw_forget(void);
const char *rw_trace(void);
#define rw_expect(text)                                                                            \
    do {                                                                                           \
        ck_assert_str_eq(rw_trace(), (text));                                                      \
        rw_forget();                                                                               \
    } while (0)

/** The same with a storage in memory, a store and a journal; what is stored stays for the next
 * life. @param unclean The last life did not end in order. */
void rw_begin_kept(const gap_runner_config_t *config, bool unclean);
/** Rows of a kind in the storage. */
int rw_rows(gap_record_kind_t kind);
/** The next commits fail with GAP_E_STORAGE. */
extern int rw_commits_fail;
/** And the next reads. */
extern int rw_reads_fail;
/** The last life is over: nothing is kept any more. */
void rw_forget_disk(void);
/** Take over what the last life has left; run until that is so. */
void rw_replay(void);

gap_runner_stats_t rw_stats(void);
void rw_drain(uint64_t deadline_ms);

#endif
