/*
 * env/env.h - the one door to the outside: clocks, randomness, the host loop's phases, timers,
 * streams, name resolution and work on other threads. The same actors run on libuv (src/uv) and in
 * the virtual world (tests/sim).
 *
 * Rules that hold for every environment:
 *   - everything but gap_env_post() is called on the loop thread;
 *   - callbacks never run from inside the call that asked for them;
 *   - every started operation ends in exactly one callback; after a close the operations of that
 *     object end with GAP_ENV_ECANCELED before its closed callback;
 *   - statuses are 0 or negative libuv codes (a negated errno on Unix).
 */
#ifndef GAP_ENV_H
#define GAP_ENV_H

#include "base/bytes.h"

#include <sys/types.h>

#define GAP_ENV_EOF       (-4095)
#define GAP_ENV_ECANCELED (-125)
#define GAP_ENV_NEVER     UINT64_MAX
#define GAP_RESOLVE_MAX   16 /* addresses of one look-up */

typedef struct gap_env gap_env_t;

/** An IP address and port; `v6` tells which bytes of `ip` count. Network byte order in ip, host
 * order in port. */
typedef struct gap_addr {
    uint8_t ip[16];
    uint16_t port;
    bool v6;
} gap_addr_t;

/** Something to run on the loop thread. Caller's memory, pinned until fn runs. */
typedef struct gap_env_post {
    struct gap_env_post *next;
    void (*fn)(struct gap_env_post *self);
} gap_env_post_t;

/** A slow job. Caller's memory, pinned until done runs. `run` on a library thread, `done` on the
 * loop thread. */
typedef struct gap_work {
    void (*run)(struct gap_work *self);
    /** 0: run has returned. Negative: run never ran (GAP_ENV_ECANCELED: the environment closes;
     * otherwise no thread could be started). */
    void (*done)(struct gap_work *self, int status);
    struct gap_work *next; /* the environment's */
} gap_work_t;

/** A thread of its own that runs jobs one after the other, in the order in which they were sent.
 * The environment's memory until its closed callback. */
typedef struct gap_worker gap_worker_t;

/** An open file. The environment's memory until gap_env's file_close. */
typedef struct gap_file gap_file_t;

enum gap_file_flags {
    /** Create it if it is missing (mode 0600). Otherwise a missing file is -ENOENT. */
    GAP_FILE_CREATE = 1U << 0,
    /** Not for writing; locks nothing. */
    GAP_FILE_READ_ONLY = 1U << 1,
    /** Refuse if somebody else, in this process or another, has it open with this flag: GAP_E_HELD.
     * The lock goes with the file's close or the process's end, however that comes. */
    GAP_FILE_ALONE = 1U << 2,
};

/** A write. Caller's memory, pinned (bytes too) until done runs. */
typedef struct gap_write {
    gap_bytes_t bytes;
    void (*done)(struct gap_write *self, int status); /* 0: handed to the kernel in full */
    struct gap_write *next;                           /* the environment's */
    size_t at;                                        /* the environment's: bytes already out */
} gap_write_t;

/** A name look-up. Caller's memory, pinned until done runs. `addrs` is borrowed; on success count
 * is at least 1 and at most GAP_RESOLVE_MAX, in the resolver's order of preference. */
typedef struct gap_resolve {
    void (*done)(struct gap_resolve *self, int status, const gap_addr_t *addrs, size_t count);
    void *env_data; /* the environment's */
} gap_resolve_t;

/** An open connection. The environment's memory, from connect or accept until its closed callback.
 */
typedef struct gap_stream {
    const struct gap_stream_events *events;
    void *arg;
} gap_stream_t;

/** What happens on a stream. Every member is required. */
struct gap_stream_events {
    /** The outcome of a connect, once; not called for accepted streams. After a failure close it.
     */
    void (*connected)(gap_stream_t *s, int status);
    /** Where the next bytes go: *cap > 0 bytes at *buf. *cap = 0: no room (out of memory), the
     * stream reports GAP_E_NOMEM by read. */
    void (*alloc)(gap_stream_t *s, uint8_t **buf, size_t *cap);
    /** nread > 0: that many bytes are in the buffer last given by alloc. 0: nothing this time
     * (legal). < 0: GAP_ENV_EOF or an error; no further read follows. */
    void (*read)(gap_stream_t *s, ssize_t nread);
    /** The stream's memory goes away after this call. Once, after close. */
    void (*closed)(gap_stream_t *s);
};

/** A listening socket. The environment's memory until closed runs. */
typedef struct gap_listener {
    /** A connection was accepted; the callee sets s->events and s->arg before it returns, reading
     * starts by itself. */
    void (*accepted)(struct gap_listener *l, gap_stream_t *s);
    void (*closed)(struct gap_listener *l);
    void *arg;
    gap_addr_t addr; /* the bound address, the real port in it */
} gap_listener_t;

/** Whom the environment calls: the runtime. */
struct gap_env_host {
    /**
     * Run a tick. Called when the timer set last is due (the timer is off then), in the check phase
     * of every loop iteration while idle is on, and never from inside another call.
     * @param drained  The poll just before this call left nothing to read on any stream of this
     * environment: what the peers had sent when that poll began has been delivered. A turn that
     * does not directly follow a poll has drained = false. Whoever waits for a deadline "and what
     * was sent by then" notes the deadline in one turn and acts in a later drained one, never in
     * the same: the host may have stalled between the poll and this call.
     */
    void (*turn)(void *arg, bool drained);
    /**
     * Brackets: the environment calls enter just before and leave just after every callback into
     * the library (turns, posts, stream and listener events, every kind of done), so that its
     * processor time can be measured without a word in the callbacks themselves. NULL: not wanted.
     */
    void (*enter)(void *arg);
    void (*leave)(void *arg, bool was_turn);
    void *arg;
};

struct gap_env_ops {
    uint64_t (*now_us)(gap_env_t *env);  /* monotonic; fresh at each call */
    uint64_t (*wall_us)(gap_env_t *env); /* microseconds since 1970, the host's clock */
    /** Processor time of the calling thread, any of ours; 0 in virtual worlds. */
    uint64_t (*cpu_us)(gap_env_t *env);
    int (*random)(gap_env_t *env, void *out, size_t len); /* cryptographic; 0 or negative */
    bool (*on_loop_thread)(gap_env_t *env);

    /** One host at a time; pinned until NULL detaches it. */
    void (*attach)(gap_env_t *env, const struct gap_env_host *host);
    void (*set_timer)(gap_env_t *env, uint64_t deadline_us); /* GAP_ENV_NEVER: off */
    void (*set_idle)(gap_env_t *env, bool on); /* on: don't block in poll; turn in the next check */
    void (*post)(gap_env_t *env, gap_env_post_t *post); /* any thread; not once close has begun */
    void (*work)(gap_env_t *env, gap_work_t *work);

    /* Workers: loop thread. */

    /** A worker; its thread starts with its first job. @return 0, GAP_E_NOMEM. */
    int (*worker_open)(gap_env_t *env, gap_worker_t **out);
    /** `done` as of work, in the order of the jobs. If the thread can't be started, done comes with
     * its code; a later job tries again. */
    void (*worker_send)(gap_worker_t *w, gap_work_t *work);
    /** No more jobs; those sent before still run (unlike work's when the environment closes). Then
     * @p closed, once, on the loop thread; may be NULL. Every worker is closed before its
     * environment. */
    void (*worker_close)(gap_worker_t *w, void (*closed)(void *arg), void *arg);

    /* Files: blocking, from any thread, one call at a time for one file. Codes are 0 or negative
     * (a negated errno, GAP_E_NOMEM). */

    /** @param flags enum gap_file_flags; READ_ONLY stands alone. @param holder With GAP_E_HELD the
     * process id of who has it, 0 if not known; may be NULL. With GAP_FILE_ALONE the file notes who
     * holds it in a companion, `path`.lock, which stays. @return also GAP_E_HELD; -EISDIR, -ELOOP,
     * -EINVAL: a folder, a symbolic link, something else that is no file. On failure nothing but
     * the companion may have been created. Every file is closed before its environment. */
    int (*file_open)(gap_env_t *env, const char *path, unsigned flags, gap_file_t **out,
                     int64_t *holder);
    int (*file_size)(gap_file_t *f, uint64_t *out);
    /** @param got Bytes read: less than @p len only at the end of the file. */
    int (*file_read)(gap_file_t *f, uint64_t at, void *out, size_t len, size_t *got);
    /** All of it or an error; after an error any part of it may have been written. */
    int (*file_write)(gap_file_t *f, uint64_t at, const void *bytes, size_t len);
    /** What was written is on the disk (and the file's name in its folder, if this open created
     * it). After a failure nobody knows what is. */
    int (*file_sync)(gap_file_t *f);
    void (*file_close)(gap_file_t *f);
    /** Let nobody but its owner read and write it (mode 0600), as if it had been created here. A
     * file that is as narrow or narrower stays as it is. */
    int (*file_private)(gap_file_t *f);

    /** Reading starts by itself once connected. @return 0 (the outcome comes by `connected`),
     * GAP_E_NOMEM, or the code of a socket that could not be made (too many files). */
    int (*connect)(gap_env_t *env, const gap_addr_t *to, const struct gap_stream_events *events,
                   void *arg, gap_stream_t **out);
    /** Writes go out in order, also those made before `connected`. After a failed one the others
     * fail with the same status. A write to a stream that is closing ends with ECANCELED. */
    void (*write)(gap_stream_t *s, gap_write_t *w);
    void (*close)(gap_stream_t *s); /* idempotent; pending operations end with ECANCELED */
    /** @param at Port 0: any. @return 0, GAP_E_NOMEM, or the code of a failed socket call. */
    int (*listen)(gap_env_t *env, const gap_addr_t *at, void *arg,
                  void (*accepted)(gap_listener_t *, gap_stream_t *),
                  void (*closed)(gap_listener_t *), gap_listener_t **out);
    void (*close_listener)(gap_listener_t *l);
    void (*resolve)(gap_env_t *env, const char *host, uint16_t port, gap_resolve_t *r);
    void (*resolve_cancel)(gap_env_t *env, gap_resolve_t *r); /* done follows with ECANCELED */
};

struct gap_env {
    const struct gap_env_ops *ops;
    const gap_alloc_t *alloc;
};

static inline uint64_t gap_env_now_us(gap_env_t *env)
{
    return env->ops->now_us(env);
}
static inline uint64_t gap_env_wall_us(gap_env_t *env)
{
    return env->ops->wall_us(env);
}
GAP_NODISCARD static inline int gap_env_random(gap_env_t *env, void *out, size_t len)
{
    return env->ops->random(env, out, len);
}

/** Parse "127.0.0.1:443" or "[::1]:443". @return 0, GAP_E_ARGUMENT (not a numeric address with a
 * port). */
GAP_NODISCARD int gap_addr_parse(const char *text, gap_addr_t *out);
/** Format the address without the port; @p out holds at least 46 bytes. */
void gap_addr_format_ip(const gap_addr_t *addr, char out[46]);

#endif
