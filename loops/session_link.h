/*
 * loops/session_link.h - the link's record, for loops/session_*.c only.
 *
 *   session_loop.c     opening and closing, states, reconnects, calls, the batch
 *   session_traffic.c  frames in, packets out, events handed up, pings
 *   session_key.c      the key exchange, and slow work on other threads
 */
#ifndef GAP_LOOPS_SESSION_LINK_H
#define GAP_LOOPS_SESSION_LINK_H

#include "base/assert.h"
#include "base/gzip.h"
#include "base/prng.h"
#include "loops/connection.h"
#include "loops/session_loop.h"
#include "mtproto/handshake.h"
#include "mtproto/session.h"

/* Limits. */
#define GAP_LINK_RETRY_FIRST_US  UINT64_C(100000)   /* after a connection that had worked */
#define GAP_LINK_RETRY_MIN_US    UINT64_C(1000000)  /* then doubling */
#define GAP_LINK_RETRY_MAX_US    UINT64_C(60000000) /* all with a quarter of jitter */
#define GAP_LINK_PROVEN_US       UINT64_C(2000000)  /* working this long ends the doubling */
#define GAP_LINK_WORKED_FAILURES 2 /* most that count if it worked, but not so long */
#define GAP_LINK_HANDSHAKE_US    UINT64_C(30000000)  /* for the whole key exchange */
#define GAP_LINK_PING_US         UINT64_C(60000000)  /* period */
#define GAP_LINK_PING_BUSY_US    UINT64_C(10000000)  /* silence while answers are due */
#define GAP_LINK_PONG_US         UINT64_C(15000000)  /* silence after a ping: connection lost */
#define GAP_LINK_DISCONNECT_S    75                  /* the server hangs up without a ping */
#define GAP_LINK_JUMP_US         5000000             /* drift of the host's clocks that counts */
#define GAP_LINK_SLOW_BYTES      ((size_t)256 << 10) /* decrypting more is slow work */
#define GAP_LINK_BATCH_FRAMES    16
#define GAP_LINK_BATCH_EVENTS    64
#define GAP_LINK_BATCH_BYTES     ((size_t)128 << 10) /* decrypted in one batch */

enum link_job_kind { LINK_JOB_NONE = 0, LINK_JOB_HANDSHAKE, LINK_JOB_OPEN, LINK_JOB_INFLATE };

/** Slow work of a link, one at a time. */
struct link_job {
    gap_work_t work;
    enum link_job_kind kind;
    uint32_t generation; /* of the connection it belongs to */
    gap_handshake_job_t handshake;
    gap_frame_t frame;       /* OPEN */
    gap_plaintext_t message; /* OPEN: what came out */
    gap_bytes_t packed;      /* INFLATE */
    gap_packet_t *owner;     /* INFLATE: of packed */
    gap_packet_t *packet;    /* INFLATE: what came out */
    int status;
    bool ended; /* to be used by the next batch */
};

struct gap_link {
    gap_loop_t loop;
    gap_rt_t *rt;
    const struct gap_link_events *events;
    void *arg;
    gap_connection_t connection;
    gap_session_t *session;
    gap_crypto_t crypto;
    gap_crypto_t job_crypto; /* of the thread that runs the job */
    gap_random_t random;
    gap_prng_t prng; /* jitter */
    gap_rsa_key_t *rsa;
    size_t rsa_count;
    int32_t dc_id;
    gap_auth_key_t key;
    bool keyed;

    enum gap_link_state state;
    bool started;        /* the first batch has run */
    bool dead;           /* gave up */
    uint32_t generation; /* of the connection */
    uint32_t failures;   /* connections in a row that came to nothing */
    uint32_t refusals;   /* -404 in a row */
    uint64_t ready_us;   /* when READY began */
    bool received;       /* something valid came on this connection */

    gap_handshake_t *handshake; /* NULL but while HANDSHAKING */
    uint8_t safe_prime[GAP_DH_BYTES];
    bool prime_known;
    struct link_job job;

    gap_timer_t retry; /* DOWN: the next attempt */
    gap_timer_t due;   /* the session's deadline, the handshake's time-out */
    gap_timer_t ping;
    bool due_passed; /* to be acted on when everything that came has been taken in */
    uint64_t ping_sent_us;
    uint32_t ping_reads; /* connection.reads when it was sent */
    int64_t clock_us;    /* wall clock - monotonic clock */

    void (*close_cb)(void *arg);
    void *close_arg;
};

/**
 * All timers of a link run from open to closed, parked at UINT64_MAX when they are not needed: a
 * running one can be set anew without memory. A timer that has fired is parked first thing.
 */
static inline void link_arm(gap_rt_t *rt, gap_timer_t *timer, uint64_t deadline_us)
{
    int r = gap_timer_start(rt, timer, deadline_us);
    GAP_ASSERT(r == 0);
}

/** Has nothing come since the last ping? */
static inline bool link_is_silent(const gap_link_t *link)
{
    return link->connection.reads == link->ping_reads;
}

/* session_loop.c */
void link_set_state(gap_link_t *link, enum gap_link_state state, const struct gap_link_down *down);
/** The connection is of no more use: close it and plan the next, or give up. */
void link_lost(gap_link_t *link, int status, int32_t code);
/** Connected and keyed. */
void link_ready(gap_link_t *link);

/* session_traffic.c */
/** @return true: there is more to do. */
bool link_receive(gap_link_t *link);
bool link_send(gap_link_t *link);
/** Hand up what the session has. @return true: there is more. */
bool link_events(gap_link_t *link);
void link_ping(gap_link_t *link);
void link_ping_plan(gap_link_t *link);
void link_opened(gap_link_t *link, int status, const gap_plaintext_t *message,
                 gap_packet_t *packet);
void link_answer(const struct gap_session_event *event, uint64_t call);

/* session_key.c */
GAP_NODISCARD int link_handshake_start(gap_link_t *link);
void link_handshake_end(gap_link_t *link);
/** A frame during the key exchange. @return 0 or what ended it. */
GAP_NODISCARD int link_handshake_frame(gap_link_t *link, const gap_frame_t *frame);
/** Run the job, whose input is in link->job, on another thread. */
void link_job_start(gap_link_t *link, enum link_job_kind kind);
/** Use the outcome of a job that has ended. */
void link_job_finish(gap_link_t *link);
void link_job_fini(struct link_job *job);

#endif
