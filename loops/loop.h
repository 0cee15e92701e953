/*
 * loops/loop.h - the actor base and the runtime that schedules actors.
 *
 * An actor ("loop") is a record with a state, owned by whoever embeds it. It runs only from the
 * runtime's tick, one batch at a time, in the order in which it became ready. A signal is never
 * lost: it makes a paused or waiting loop ready, and one that is running ready again when its batch
 * ends.
 *
 *        signal        tick
 *   PAUSED ----> READY ----> RUNNING ----> PAUSED | WAITING | READY (signalled meanwhile)
 *   WAITING --signal--> READY
 *   any --close--> CLOSING --last child gone--> CLOSED
 *
 * The class's `closed` runs once, from a tick, never from inside close.
 *
 * One runtime has one ready list, one timer heap, and one environment (or none: then its owner
 * calls gap_rt_tick itself, with the time as argument). No locks: everything here is for the loop
 * thread only, but gap_env's post.
 */
#ifndef GAP_LOOPS_LOOP_H
#define GAP_LOOPS_LOOP_H

#include "base/heap.h"
#include "env/env.h"

#include <sys/queue.h>

/** Microseconds of work after which a tick yields to the host (measured between batches). */
#define GAP_TICK_BUDGET_US 1000
/** Batches after which a tick yields: the bound where no clock moves within a tick. */
#define GAP_TICK_BATCHES_MAX 256

typedef struct gap_rt gap_rt_t;
typedef struct gap_loop gap_loop_t;
typedef struct gap_timer gap_timer_t;

enum gap_loop_state {
    GAP_LOOP_PAUSED = 0,
    GAP_LOOP_READY,
    GAP_LOOP_RUNNING,
    GAP_LOOP_WAITING, /* paused with something outstanding: an answer, a timer */
    GAP_LOOP_CLOSING,
    GAP_LOOP_CLOSED,
};

/** What kind of actor this is; one constant per kind. */
struct gap_loop_class {
    const char *name;
    /** One batch. Must bound its own work; signals itself if there is more. Not called once
     * closing. */
    void (*run)(gap_rt_t *rt, gap_loop_t *self);
    /** Closed, and no child is left. May free the memory. */
    void (*closed)(gap_rt_t *rt, gap_loop_t *self);
};

struct gap_loop {
    STAILQ_ENTRY(gap_loop) ready;
    const struct gap_loop_class *cls;
    uint16_t children; /* open handles, queued jobs, requests in flight */
    uint8_t state;     /* enum gap_loop_state */
    uint8_t flags;     /* the base's */
};

/** A deadline of an actor. Embed, zero-initialise, set fn. `fn` runs from a tick. */
struct gap_timer {
    gap_heap_node_t node;
    void (*fn)(gap_rt_t *rt, gap_timer_t *self);
    /** Fire only in a turn whose poll began after the deadline had been noticed and left nothing to
     * read. Set before the start, not while it runs. */
    bool after_drain;
    bool expired; /* the runtime's: waits in `undrained` */
};

/**
 * Processor time of the runtime's turns; bucket i counts turns below 2^i microseconds (the last
 * one: all others). A turn's cost includes every callback of the environment (stream events, posts,
 * work done ...) since the turn before, so what is counted is what the host's thread pays.
 */
struct gap_rt_stats {
    uint64_t turns;
    uint64_t over_2ms;
    uint64_t max_us;
    uint64_t histogram[24];
};

STAILQ_HEAD(gap_ready_list, gap_loop);

struct gap_rt {
    const gap_alloc_t *alloc;
    gap_env_t *env; /* NULL: driven by gap_rt_tick */
    struct gap_ready_list ready;
    gap_heap_t timers;
    gap_heap_t undrained; /* expired after_drain timers, waiting for a drained turn */
    uint64_t now_us;      /* read once per tick */
    uint64_t budget_us;
    uint64_t timer_set_us;   /* what the environment's timer is set to */
    uint64_t entered_cpu_us; /* processor clock at the entry from the environment */
    uint64_t cost_us;        /* of the entries since the last turn ended */
    struct gap_env_host host;
    bool in_tick;
    bool idle_on;
    bool measure; /* keep stats (two clock reads a turn) */
    struct gap_rt_stats stats;
    gap_log_cb log_cb;
    void *log_data;
    gap_log_level_t log_level;
    /** For the virtual world: which of `count` ready loops runs next; NULL = first in, first out.
     */
    size_t (*choose)(void *arg, size_t count);
    void *choose_arg;
};

/** @param env NULL for a runtime that its owner ticks. Attaches to env. */
void gap_rt_init(gap_rt_t *rt, const gap_alloc_t *alloc, gap_env_t *env);
/** Every loop must be closed and every timer stopped. Detaches. Safe twice. */
void gap_rt_fini(gap_rt_t *rt);
/** One tick: expired timers, then ready loops until the list is empty or the budget is used up.
 * With an environment the runtime calls this itself. A tick is never nested.
 * @param drained See gap_env_host.turn: what is ready runs before the waits that end in it.
 * @return true if there is more to do now. */
bool gap_rt_tick(gap_rt_t *rt, uint64_t now_us, bool drained);
/** @return when the next tick is due: 0 = now, GAP_ENV_NEVER = only on a signal; else microseconds
 * on the clock of now_us. */
uint64_t gap_rt_deadline_us(const gap_rt_t *rt);
/** The time of this tick; outside a tick a fresh reading of the environment's clock (or the last
 * tick's time without one). */
uint64_t gap_rt_now_us(gap_rt_t *rt);
/** @return the time in @p us microseconds; GAP_ENV_NEVER if that is too long to be counted. */
uint64_t gap_rt_after_us(gap_rt_t *rt, uint64_t us);

void gap_loop_init(gap_loop_t *loop, const struct gap_loop_class *cls);
/** Wake: never lost. No-op for closing and closed loops. */
void gap_loop_signal(gap_rt_t *rt, gap_loop_t *loop);
/** From inside run: end this batch as WAITING instead of PAUSED. */
void gap_loop_wait(gap_loop_t *loop);
/** A child began (handle, job, request). */
void gap_loop_hold(gap_loop_t *loop);
/** A child ended; the last one of a closing loop closes it. */
void gap_loop_drop(gap_rt_t *rt, gap_loop_t *loop);
/** Begin closing; idempotent. `closed` runs from a later tick, once, when no child is left. */
void gap_loop_close(gap_rt_t *rt, gap_loop_t *loop);

static inline bool gap_loop_is_closing(const gap_loop_t *loop)
{
    return loop->state >= GAP_LOOP_CLOSING;
}

/** (Re)start. Room in the heap is reserved by gap_timer_reserve. @return 0 or GAP_E_NOMEM (timer as
 * it was). */
GAP_NODISCARD int gap_timer_start(gap_rt_t *rt, gap_timer_t *timer, uint64_t deadline_us);
/** Reserve places for @p count timers in all, after which that many starts can't fail. @return 0 or
 * GAP_E_NOMEM. */
GAP_NODISCARD int gap_timer_reserve(gap_rt_t *rt, size_t count);
/** No-op if it isn't running. */
void gap_timer_stop(gap_rt_t *rt, gap_timer_t *timer);

/** Log one line at @p level if the runtime has a sink that wants it. Never keys, tokens, phones,
 * texts. */
void gap_rt_log(gap_rt_t *rt, gap_log_level_t level, const char *format, ...) GAP_PRINTF(3, 4);

#endif
