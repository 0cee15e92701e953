/*
 * tests/sim/sim_env.h - the virtual world: hosts with an environment each, virtual time, a network.
 *
 * One world is one thread, one seed, no real clock. Every host runs iterations like libuv's:
 * timers, poll, check, closing; whenever several things may happen next, the seed decides. What may
 * go wrong is set in struct sim_options or done by a call: latency, 1-byte reads, partial writes,
 * zero-byte reads, late timers, stalls of a host (time jumps while bytes lie in its sockets), cuts,
 * a network that is down. The same seed and the same calls give the same world.
 */
#ifndef GAP_TESTS_SIM_ENV_H
#define GAP_TESTS_SIM_ENV_H

#include "base/prng.h"
#include "env/env.h"

typedef struct sim sim_t;

/** All zero: a polite world (instant network, whole reads and writes, exact timers, first come
 * first served). */
struct sim_options {
    bool shuffle;        /* pick at random among everything that may run now */
    uint32_t latency_us; /* one way */
    uint32_t jitter_us;  /* added to the latency, at random below this; order is kept */
    uint32_t read_max;   /* bytes of one read, at random from 1 to this; 0 = all that fits */
    uint32_t window;     /* bytes in flight and unread of one direction; 0 = 262144 */
    uint32_t
        partial_writes;     /* per mille of writes of which the kernel takes only a part at first */
    uint32_t zero_reads;    /* per mille of polls that report a read of nothing on a stream */
    uint32_t late_timer_us; /* a timer is late by less than this */
    uint32_t stall_us;      /* a host stalls for less than this ... */
    uint32_t stalls;        /* ... per mille of the phases of its loop */
    uint32_t work_us;       /* work and look-ups take less than this */
};

/** Options for the rough worlds: everything on, its measure drawn from @p seed. */
struct sim_options sim_options_rough(uint64_t seed);

/** Never NULL: out of memory aborts the test. */
sim_t *sim_new(uint64_t seed, const struct sim_options *options);
/** Free the world. @return what had not been closed: hosts, streams, listeners, jobs. 0 = no leak.
 */
size_t sim_free(sim_t *sim);

/** A host and its environment. Allocations that may fail (streams, listeners) go to @p alloc. The
 * host's random numbers come from the seed. Never NULL. */
gap_env_t *sim_env_open(sim_t *sim, const gap_alloc_t *alloc);
/** As gap_uv_env_close. */
void sim_env_close(gap_env_t *env, void (*closed)(void *arg), void *arg);

uint64_t sim_now_us(const sim_t *sim);
/** Run to virtual time @p t_us; it is that time then. Not from inside a callback. */
void sim_run_until(sim_t *sim, uint64_t t_us);
/** The same, for a time from now. */
void sim_run_for(sim_t *sim, uint64_t us);
/** Run until nothing would ever happen again, or @p limit_us is reached. @return true if quiet. */
bool sim_run_until_quiet(sim_t *sim, uint64_t limit_us);
/** One step: one iteration of one host, or a jump to the next time at which something happens, if
 * that is not after @p limit_us. @return false if there was nothing to do. */
bool sim_step(sim_t *sim, uint64_t limit_us);
/** Iterations of this host's loop so far, and how often its timer fired. */
uint64_t sim_iterations(const gap_env_t *env);

/** This host does nothing for @p us while the rest of the world goes on. May be called from inside
 * the host's callbacks (a slow handler) or from outside. */
void sim_stall(gap_env_t *env, uint64_t us);
/** Nothing arrives before now + @p us; then all of it. Connects hang as well. */
void sim_net_down(sim_t *sim, uint64_t us);
/** Reset every open connection: both ends read ECONNRESET; what is in flight is lost. */
void sim_cut_all(sim_t *sim);
/** Reset the connection on which the world's byte number @p byte (1-based, both directions) is
 * sent, just after it. 0: never. */
void sim_cut_at_byte(sim_t *sim, uint64_t byte);
/** Bytes sent so far in this world. */
uint64_t sim_bytes_sent(const sim_t *sim);
/** Shift this host's wall clock (not its monotonic one). */
void sim_shift_wall(gap_env_t *env, int64_t us);
/** Names that resolve; "localhost" and numeric addresses do anyway. Borrowed for the world's life.
 */
void sim_add_name(sim_t *sim, const char *host, const gap_addr_t *addr);
/** Run @p fn as if on another thread: on_loop_thread is false meanwhile. */
void sim_as_thread(sim_t *sim, void (*fn)(void *arg), void *arg);

/** The world's dice, for fates of a test's own. */
gap_prng_t *sim_prng(sim_t *sim);
/** For gap_rt.choose, with the world as choose_arg. */
size_t sim_choose(void *sim, size_t count);

/** Append "[ms] text\n" to the trace. */
void sim_trace(sim_t *sim, const char *format, ...) GAP_PRINTF(2, 3);
/** The trace so far, "" at first. Valid until the next sim_trace. */
const char *sim_trace_text(const sim_t *sim);

#endif
