/*
 * tests/sim/globe_keep.h - a process with a store, a journal and a runner (globe_keep.c), and the
 * judge of what its handlers are given (globe_runs.c).
 */
#ifndef GAP_TESTS_SIM_GLOBE_KEEP_H
#define GAP_TESTS_SIM_GLOBE_KEEP_H

#include "globe_int.h"

#include "loops/journal.h"
#include "loops/runner.h"
#include "loops/store_loop.h"

struct gap_worker;

/** What a world with a runner has besides. */
struct keeper {
    struct globe *g;
    gap_env_t env;
    gap_prng_t random;
    STAILQ_HEAD(, gap_worker) workers;
    bool on_thread;
    gap_env_post_t *posts;
    gap_storage_t gate; /* what the store works with */
    gap_storage_t *disk;
    gap_store_t *store;
    gap_journal_t *journal;
    gap_runner_t *runner;
    gap_boot_record_t boot;
    bool was_clean; /* the process before ended in order */
    uint64_t epoch; /* on the disk */
    bool dead;      /* the process is: nothing reaches the disk any more */
    bool opened;    /* the store is */
    bool ready;     /* and all rows have been handed out */
    bool drained;   /* the end has begun */
    bool collected; /* for the last time */
    bool runner_closed;
    bool store_closed;
    /* what is on the disk */
    gap_map_t by_number; /* rows: number -> event */
    gap_map_t by_eid;    /* names of events: hash -> event */
    uint32_t rows;
    uint32_t dones;
    uint32_t letters;
    /* transactions of the commit that is being made */
    uint32_t staged[64];
    uint32_t staged_count;
};

/* globe_keep.c */
void keep_open(struct globe *g);
void keep_fini(struct globe *g);
gap_env_t *keep_env(struct globe *g);
/** The store of a new process opens, and what needs no engine. */
bool keep_birth(struct globe *g);
/** Its engine is open: rows are handed out, and then it starts (globe_begin). */
void keep_opened(struct globe *g);
/** gap_engine_config.handler, press and changed. */
int keep_take(gap_update_t *update, void *g);
void keep_press(void *g, gap_update_t *oldest);
void keep_changed(struct globe *g);
/** What threads have done by now. */
void keep_work(struct globe *g);
/** The process ends, or dies: before gap_engine_close. */
void keep_close(struct globe *g);
/** And after it: until nothing is left. */
void keep_end(struct globe *g);

/* globe_runs.c */
/** gap_runner_hooks.handler. */
int globe_run_handler(gap_update_t *run, void *g);
/** The engine hands the event over, and may: one that comes again after it was lost is new. */
void runs_taken(struct globe *g, uint32_t n, const gap_update_t *update);
void runs_event(void *g, const struct gap_runner_event *ev);
/** A handler that went on later comes to its end. */
void runs_finish(struct globe *g, gap_update_t *run, uint32_t n, int status);
/** Handlers are not waited for any more. */
void runs_forget(struct globe *g);
/** The record is on the disk. */
void runs_kept(struct globe *g, const gap_record_t *r);
/** And all that was committed with it. */
void runs_committed(struct globe *g);
/** The commit failed. */
void runs_rolled_back(struct globe *g);
/** How far stored positions lag. */
void runs_lag(struct globe *g);
/** A process begins. */
void runs_process(struct globe *g);
/** All is quiet. */
void runs_end(struct globe *g);

#endif
