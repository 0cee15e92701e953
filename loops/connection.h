/*
 * loops/connection.h - one TCP connection at a time to a data centre: addresses in turn, name
 * look-up, transport tag, frames in both directions, connect time-out. It belongs to a link
 * (session_loop.h), which decides when to connect, and is woken by everything that happens here.
 *
 *   IDLE -> RESOLVING -> CONNECTING -> OPEN -> CLOSING -> IDLE
 *                \____________\__________________/
 *
 * Nothing here calls back: the owner's loop is signalled and looks.
 */
#ifndef GAP_LOOPS_CONNECTION_H
#define GAP_LOOPS_CONNECTION_H

#include "base/buf.h"
#include "loops/loop.h"
#include "mtproto/frame.h"

/** From the first step of a connect until it counts as failed. */
#define GAP_CONNECT_TIMEOUT_US UINT64_C(10000000)
/** Received and not yet processed frames of one connection, bytes; beyond it the connection is
 * given up (the processing is stuck behind slow work, or the server floods). */
#define GAP_CONNECTION_BACKLOG_BYTES ((size_t)64 << 20)
/** Bytes handed to the environment and not yet written, beyond which nothing more is sent. */
#define GAP_CONNECTION_UNSENT_BYTES ((size_t)1 << 20)
/** Silence after which the read buffer is given back. */
#define GAP_CONNECTION_REST_US UINT64_C(10000000)

enum gap_connection_state {
    GAP_CONNECTION_IDLE = 0,
    GAP_CONNECTION_RESOLVING,
    GAP_CONNECTION_CONNECTING,
    GAP_CONNECTION_OPEN,
    GAP_CONNECTION_CLOSING,
};

/** A packet on its way out. */
typedef struct gap_outgoing {
    gap_write_t write;
    struct gap_connection *connection;
    struct gap_outgoing *next;
    gap_buf_t buf;
} gap_outgoing_t;

typedef struct gap_connection {
    gap_rt_t *rt;
    gap_loop_t *owner; /* signalled; holds a child for every handle and write */
    gap_addr_t *addrs; /* configured, in turn */
    size_t addr_count;
    size_t addr_next;
    char *host; /* NULL: addrs */
    uint16_t port;
    gap_transport_t transport;

    enum gap_connection_state state;
    int status; /* not 0: the connection is of no more use; why */
    gap_stream_t *stream;
    gap_resolve_t resolve;
    gap_timer_t timeout;
    gap_deframer_t deframer;
    gap_frame_t *frames; /* received; each holds a reference to its packet */
    size_t frame_head;
    size_t frame_count;
    size_t frame_cap;
    size_t backlog; /* bytes in frames */
    gap_outgoing_t *spare;
    size_t unsent;    /* bytes */
    uint64_t read_us; /* when bytes last came, or the connection opened */
    uint32_t reads;   /* times that bytes came */
    bool tagged;      /* the transport tag went out */
    bool resting;     /* `timeout` is for giving the read buffer back */
} gap_connection_t;

/**
 * @param owner  Pinned. @param addrs Copied. @param host Copied, NULL if there are addrs.
 * @return 0 or GAP_E_NOMEM (nothing to fini).
 */
GAP_NODISCARD int gap_connection_init(gap_connection_t *c, gap_rt_t *rt, gap_loop_t *owner,
                                      gap_transport_t transport, const gap_addr_t *addrs,
                                      size_t addr_count, const char *host, uint16_t port);
/** IDLE, and no write is left. */
void gap_connection_fini(gap_connection_t *c);

/** Begin to connect, to the next address. IDLE. Success shows as OPEN, failure as a status. */
void gap_connection_open(gap_connection_t *c);
/** Begin to close; frames not yet taken are dropped. No-op if IDLE or CLOSING. */
void gap_connection_close(gap_connection_t *c);

/** The next frame. @return false: none. The frame's packet reference is the caller's. */
bool gap_connection_next(gap_connection_t *c, gap_frame_t *out);

/** A buffer for a packet. @return NULL out of memory. */
gap_outgoing_t *gap_connection_outgoing(gap_connection_t *c);
/** Give an unused one back. */
void gap_connection_discard(gap_connection_t *c, gap_outgoing_t *o);
/**
 * Send @p packet, which lies in o->buf with at least 8 bytes in front of it for tag and frame head.
 * OPEN. The outgoing record is taken.
 * @return 0; GAP_E_ARGUMENT, GAP_E_LIMIT as gap_frame_head.
 */
GAP_NODISCARD int gap_connection_send(gap_connection_t *c, gap_outgoing_t *o, gap_bytes_t packet);

/** May more be sent now? */
static inline bool gap_connection_writable(const gap_connection_t *c)
{
    return c->state == GAP_CONNECTION_OPEN && c->status == 0 &&
           c->unsent < GAP_CONNECTION_UNSENT_BYTES;
}

#endif
