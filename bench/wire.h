/*
 * bench/wire.h - the receive path as a fixture: an engine behind a session, and sealed packets.
 */
#ifndef GAP_BENCH_WIRE_H
#define GAP_BENCH_WIRE_H

#include "bench/account.h"
#include "bench/serial_limit.h"

#include "mtproto/session.h"

struct wire {
    struct account account;
    gap_crypto_t crypto;
    gap_auth_key_t key;
    gap_session_t *session;
    int64_t session_id;
    gap_buf_t out;
    bench_serial_limit_t limit;
    uint32_t packets;  /* of a round */
    uint32_t messages; /* in a packet */
    uint32_t text_len;
    size_t size; /* of a packet */
    int32_t pts;
    uint64_t sent; /* packets so far: message ids */
    gap_packet_t **round;
    void (*turn)(void *arg); /* the host's loop, after each read; NULL: there is none */
    void *turn_arg;
};

/** @param packets Of a round. @param messages In a packet. @param wanted Bytes of a packet at most.
 */
void wire_init(struct wire *w, uint32_t packets, uint32_t messages, size_t wanted);
void wire_fini(struct wire *w);
/** Seal the packets of the next round, as the server would. */
void wire_seal_round(struct wire *w);
/** Receive them; they are gone then. @return nanoseconds, without those of `turn`. */
double wire_measure_round(struct wire *w);
/** A new session and a new engine, as at the beginning: the packets of the first round fit again.
 * @param changed As in gap_engine_config; may be NULL. */
void wire_restart(struct wire *w, void (*changed)(void *data), void *data);

#endif
