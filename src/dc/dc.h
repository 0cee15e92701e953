/*
 * dc/dc.h - the simulated data centre: a server that speaks MTProto 2.0 on any environment (libuv,
 * or a virtual world), signs bots in, and pushes the events of its world to them through a layer
 * that loses, reorders and doubles them as told.
 */
#ifndef GAP_DC_DC_H
#define GAP_DC_DC_H

#include "crypto/rsa.h"
#include "dc/call_rules.h"
#include "dc/model.h"
#include "dc/obfuscate.h"
#include "dc/peers.h"
#include "dc/script.h"
#include "dc/traffic.h"
#include "env/env.h"

#define GAP_DC_PEER_SECRET "gapless" /* the default: no secret at all */

typedef struct gap_dc gap_dc_t;

/** What a data centre is like. gap_dc_options_init fills in the defaults. */
typedef struct gap_dc_options {
    gap_addr_t listen;        /* default 127.0.0.1, a free port */
    int32_t dc;               /* id, default 2 */
    const gap_rsa_key_t *rsa; /* whole key; pinned until closed; required */
    bool has_secret;          /* obfuscated connections may use the secret, as with a proxy */
    uint8_t secret[GAP_DC_SECRET_BYTES];
    dc_options_t world; /* the model's */
    dc_traffic_options_t traffic;
    uint64_t seed;       /* of the faults */
    double reorder;      /* probability that a push comes late */
    uint32_t reorder_ms; /* by at most so much, default 100 */
    double loss;         /* probability that a push is dropped */
    double duplicate;    /* probability that a push is doubled */
    uint32_t delay_ms;   /* everything from the server takes this long, default 0 */
    double rpc_error;    /* probability that a signed-in call gets 500 RPC_CALL_FAIL */
    double flood;        /* probability that it gets 420 FLOOD_WAIT_1 */
    double drop_answer;  /* probability that it is carried out and never answered */
    double lose_session; /* the same, and its connection ends and its session is forgotten */
    gap_dc_methods_t drop_methods; /* these calls only */
    gap_dc_methods_t lose_methods;
    uint32_t refusal_count;
    gap_dc_refusal_t refusals[GAP_DC_REFUSALS_MAX]; /* signed-in calls; the first that hits */
    uint32_t answer_ms;     /* answers take longer, each by at most so much, default 0 */
    double disconnect;      /* probability per second that a connection is dropped */
    double gzip;            /* probability that a push is packed */
    uint32_t rate;          /* events per second, default 5000; 0: as fast as they are read */
    uint32_t await_clients; /* accounts that must be ready before traffic starts, at
                               least and by default 1 */

    gap_dc_peers_t peers;    /* the other data centres; media addresses of this one */
    int32_t bots_dc;         /* where bots live, if it is this one or known; 0: here */
    const char *peer_secret; /* both ends of a transferred authorization know it; pinned */
    const char *password;    /* two-step password of every person; NULL: none. Pinned */
    uint32_t code_expires_s; /* a code is good for so long, default 300 */
    uint32_t code_timeout_s; /* before it may be sent in another way, default 5 */

    const gap_dc_script_t *script; /* instead of traffic; pinned. May be NULL */

    /** The table of the other data centres is about to be used: the last moment for
     * gap_dc_set_peers. Loop thread. May be NULL. */
    void (*look_at_peers)(void *data);
    /** What a script expects was met or not, with its line and what was found. May be NULL. */
    void (*expected)(void *data, uint32_t line, bool is_met, const char *what);
    /** One line of the ledger, newline included; borrowed. May be NULL. @return 0 or negative: the
     * data centre fails with it. */
    int (*ledger)(void *data, const char *line, size_t len);
    /** The lines written so far must be readable now; runs before what they tell of is sent. May
     * be NULL. @return as ledger. */
    int (*ledger_flush)(void *data);
    /** All traffic is out. Once, loop thread. May be NULL. */
    void (*done)(void *data, uint32_t events);
    /** The ledger could not be written or memory ran out: nothing more is pushed. Once. May be
     * NULL. */
    void (*failed)(void *data, int status);
    void *data;
} gap_dc_options_t;

void gap_dc_options_init(gap_dc_options_t *o);

/**
 * Open a data centre and listen.
 *
 * @param env      Attached to by this server alone until it is closed; pinned.
 * @param alloc    Thread-safe; pinned.
 * @param options  Copied.
 * @return 0; GAP_E_ARGUMENT options out of range; GAP_E_NOMEM; GAP_E_LIBCRYPTO; what listening or
 *         the random source returned. Loop thread.
 */
GAP_NODISCARD int gap_dc_open(gap_env_t *env, const gap_alloc_t *alloc,
                              const gap_dc_options_t *options, gap_dc_t **out);
/** Close: connections end, then @p closed runs once, from the loop; the memory is gone by then.
 * The environment is detached. @param closed May be NULL. */
void gap_dc_close(gap_dc_t *dc, void (*closed)(void *arg), void *arg);

/** Where it listens, the real port in it. */
gap_addr_t gap_dc_addr(const gap_dc_t *dc);
/** The other data centres are these from now on (copied); if they are not the same as before, all
 * clients that get updates are told by updateDcOptions. What a script changed in the table stays
 * changed. Loop thread. @return 0; GAP_E_LIMIT with the script's they are too many, the table stays
 * as it was; GAP_E_NOMEM, and what pushing returned. */
GAP_NODISCARD int gap_dc_set_peers(gap_dc_t *dc, const gap_dc_peers_t *peers);
/** The ones it knows now. */
const gap_dc_peers_t *gap_dc_peers(const gap_dc_t *dc);
/** The world behind it, to look at or to make things happen in tests. */
dc_model_t *gap_dc_model(gap_dc_t *dc);
/** Make one event happen and push it to everybody it concerns, without faults. @return as
 * dc_model_add, and what the ledger returned. */
GAP_NODISCARD int gap_dc_event(gap_dc_t *dc, const dc_spec_t *spec, uint32_t *out_n);
/** Drop every connection (tests). */
void gap_dc_disconnect_all(gap_dc_t *dc);

#endif
