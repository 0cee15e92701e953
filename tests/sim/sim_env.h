/*
 * tests/sim/sim_env.h - the virtual world: hosts with an environment each, virtual time, a network,
 * a disk.
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
/** Free the world. @return what had not been closed: hosts, streams, listeners, jobs, workers, open
 * files. 0 = no leak. */
size_t sim_free(sim_t *sim);

/** A host and its environment. Allocations that may fail (streams, listeners, workers, open files)
 * go to @p alloc. The
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

/** The next @p count starts of a worker's thread on this host fail with -EAGAIN. */
void sim_refuse_threads(gap_env_t *env, unsigned count);

/*
 * The disk: one for all hosts of the world. What was written is seen by everybody at once, and is
 * kept over a crash for certain only after a successful sync. Paths are names, without folders.
 */
enum sim_disk_op { SIM_DISK_OPEN, SIM_DISK_READ, SIM_DISK_WRITE, SIM_DISK_SYNC, SIM_DISK_OPS };

/** How many there have been. Operations on files that died in a crash don't count. */
uint64_t sim_disk_count(const sim_t *sim, enum sim_disk_op op);
/** Operation number @p nth from now (1: the next) fails with @p error (a negated errno), and so do
 * those after it, @p count in all; 0: all. A write that fails has written some of its bytes; a sync
 * that fails leaves on the disk some of what it should have brought there, and never tries the rest
 * again. A new call replaces the one before for this kind. @p nth 0: none fails any more. */
void sim_disk_fail(sim_t *sim, enum sim_disk_op op, uint64_t nth, uint64_t count, int error);
/** Power failure: of what was written since its file's last successful sync nothing, all, the first
 * bytes or any sectors are kept, as the dice say; a file whose name was never synced may be gone.
 * Files that are open are dead: their operations return -EIO, their locks are gone. */
void sim_disk_crash(sim_t *sim);
/** The same in the middle of write or sync number @p nth from now (1: the next). 0: never. */
void sim_disk_crash_at(sim_t *sim, uint64_t nth);
/** Writes and syncs so far. */
uint64_t sim_disk_changes(const sim_t *sim);
/** The host's process is killed, as far as its files go: they are dead and their locks gone, but
 * nothing that was written is lost. */
void sim_disk_kill(gap_env_t *env);
/** What a file holds; borrowed until it is next written. @return false: there is none. */
bool sim_disk_get(const sim_t *sim, const char *path, gap_bytes_t *out);
/** Make a file hold exactly this, safely on the disk; NULL: there is none. It is not open. */
void sim_disk_put(sim_t *sim, const char *path, const void *bytes, size_t len);
/** The process id that this host notes where it holds a file alone. */
int64_t sim_pid(const gap_env_t *env);

/** The world's dice, for fates of a test's own. */
gap_prng_t *sim_prng(sim_t *sim);
/** For gap_rt.choose, with the world as choose_arg. */
size_t sim_choose(void *sim, size_t count);

/** Append "[ms] text\n" to the trace. */
void sim_trace(sim_t *sim, const char *format, ...) GAP_PRINTF(2, 3);
/** The trace so far, "" at first. Valid until the next sim_trace. */
const char *sim_trace_text(const sim_t *sim);

#endif
