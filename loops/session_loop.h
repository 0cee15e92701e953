/*
 * loops/session_loop.h - the link: one account's connection to one data centre. It owns the TCP
 * connection with its reconnects, the key exchange and the encrypted session with its requests.
 *
 *   CONNECTING -> HANDSHAKING -> READY          any -> DOWN (retry planned) -> CONNECTING
 *        \______________________/ (a key is known: no handshake)     any -> CLOSING -> CLOSED
 *
 * Everything here is for the loop thread. Events and answers come from the runtime's ticks, never
 * from inside a call of this header, and in the order in which the server's messages arrived:
 * answers and updates share one path. From inside an event or an answer every function here may be
 * called, gap_link_close included (then nothing but the closing calls follows).
 */
#ifndef GAP_LOOPS_SESSION_LOOP_H
#define GAP_LOOPS_SESSION_LOOP_H

#include "loops/loop.h"

#include <gapless/tl.h>

typedef struct gap_link gap_link_t;

/** A request in flight. 0 is none; numbers are never used twice, so an old one is harmless. */
typedef uint64_t gap_call_id_t;

enum gap_link_state {
    GAP_LINK_DOWN = 0,    /* no connection; a retry is planned, or none after `fatal` */
    GAP_LINK_CONNECTING,  /* resolving the name or connecting */
    GAP_LINK_HANDSHAKING, /* making an authorization key */
    GAP_LINK_READY,       /* connected, a key is there: requests go out */
};

enum gap_link_transport {
    GAP_LINK_INTERMEDIATE = 0,
    GAP_LINK_ABRIDGED,
};

/** What the server is told about this client (initConnection). Texts are UTF-8, copied. */
struct gap_link_device {
    int32_t api_id;
    const char *device_model;
    const char *system_version;
    const char *app_version;
    const char *system_lang_code;
    const char *lang_pack;
    const char *lang_code;
};

/** Everything is copied by gap_link_open. */
struct gap_link_config {
    const gap_addr_t *addrs; /* tried in turn */
    size_t addr_count;
    const char *host; /* used if addr_count is 0: a name or an IP, resolved at each connect */
    uint16_t port;    /* of host */
    enum gap_link_transport transport;
    int32_t dc_id;               /* as in p_q_inner_data_dc: 10000 more for test servers */
    const char *const *rsa_pems; /* PEM texts of the server keys that are trusted */
    size_t rsa_count;
    const uint8_t *auth_key; /* 256 bytes, or NULL: a handshake makes one */
    uint64_t server_salt;    /* of auth_key; 0 if not known */
    int32_t layer;           /* GAP_TL_LAYER */
    struct gap_link_device device;
};

struct gap_link_down {
    int status;           /* why: a code of libuv or of this library, never 0 */
    int32_t code;         /* the transport error (-404, -429 ...) if status is GAP_E_TRANSPORT */
    uint64_t retry_in_us; /* until the next attempt; GAP_ENV_NEVER: there will be none */
};

/** What the link tells. Every member is required. Views are borrowed; the packet may be kept by
 * gap_packet_ref, which keeps the view valid. */
struct gap_link_events {
    /** The state changed. @p down is not NULL for GAP_LINK_DOWN only. */
    void (*state)(void *arg, enum gap_link_state state, const struct gap_link_down *down);
    /** A handshake made this key (256 bytes, secret: to be stored in safety or wiped). Comes before
     * GAP_LINK_READY. */
    void (*auth_key_created)(void *arg, const uint8_t *auth_key, uint64_t server_salt);
    /** One boxed object that is no service message: Updates of whatever form. */
    void (*updates)(void *arg, gap_bytes_t object, gap_packet_t *packet);
    /** The server has no memory of this session, or the host's clock jumped: updates may have been
     * missed, ask for the difference. Not for the first session of this link. */
    void (*updates_missed)(void *arg);
    /** A message could not be read (GAP_E_TL, GAP_E_TL_ID, GAP_E_GZIP): if it was an update, only a
     * difference brings it back. It has been acknowledged. */
    void (*undecodable)(void *arg, int status);
    /** The server answered a call with 401 AUTH_KEY_UNREGISTERED, AUTH_KEY_INVALID,
     * SESSION_REVOKED, SESSION_EXPIRED, USER_DEACTIVATED(_BAN) or 406 AUTH_KEY_DUPLICATED. Before
     * signing in that is the normal answer; later it means signed out. The call's own answer
     * follows. The link goes on. */
    void (*unauthorized)(void *arg, int32_t code, gap_bytes_t name);
    /**
     * The link gave up; no further attempt. All calls end with @p status, then GAP_LINK_DOWN is
     * told. What is left to do is gap_link_close.
     * @param status GAP_E_TRANSPORT with code -404 (this server does not know the key, twice in a
     * row) or -444 (it is not data centre dc_id); GAP_E_KEY no trusted RSA key is offered.
     */
    void (*fatal)(void *arg, int status, int32_t code);
};

/** The outcome of a call. Views are borrowed; keep the packet to keep `value`. */
struct gap_call_result {
    /** 0 an answer is in `value`; GAP_E_RPC the server said no; GAP_E_TIMEOUT;
     * GAP_ENV_ECANCELED cancelled; GAP_E_DISCONNECTED (GAP_CALL_NO_RESEND only); GAP_E_CLOSED;
     * GAP_E_GZIP, GAP_E_TL the answer is broken; GAP_E_LIMIT the query is larger than the server
     * takes; GAP_E_NOMEM; GAP_E_TRANSPORT, GAP_E_KEY the link gave up. */
    int status;
    int32_t error_code;     /* GAP_E_RPC: 400, 420 ... */
    int32_t error_value;    /* the number at the end of the text, 0 if there is none */
    gap_bytes_t error_name; /* the text without "_number" at its end: "FLOOD_WAIT" */
    gap_bytes_t error_text; /* the text as it came: "FLOOD_WAIT_15" */
    gap_bytes_t value;      /* the boxed result, inflated; not yet checked beyond its frame */
    gap_packet_t *packet;   /* owns value; NULL if status is not 0 */
};

/** Exactly once per successful gap_link_call. */
typedef void (*gap_link_call_cb)(void *arg, gap_call_id_t call,
                                 const struct gap_call_result *result);

enum gap_call_flags {
    /** Report FLOOD_WAIT and FLOOD_PREMIUM_WAIT instead of waiting and repeating (up to
     * GAP_SESSION_FLOOD_MAX_S in all). */
    GAP_CALL_NO_FLOOD_REPEAT = 1U << 0,
    /** Report 500 and -503 instead of repeating after 1, 2, 4 ... s. */
    GAP_CALL_NO_ERROR_REPEAT = 1U << 1,
    /** Never send it where it may have been carried out: end with GAP_E_DISCONNECTED when, after
     * the query went out, the connection is lost or the server forgot the session; and with
     * GAP_ENV_ECANCELED when the connection is lost before. */
    GAP_CALL_NO_RESEND = 1U << 2,
    /** Wrap in invokeWithoutUpdates: this connection gets no updates because of this call. */
    GAP_CALL_WITHOUT_UPDATES = 1U << 3,
};

struct gap_call_options {
    uint64_t timeout_us; /* from now until GAP_E_TIMEOUT; 0: GAP_LINK_CALL_TIMEOUT_US */
    uint32_t flags;      /* enum gap_call_flags */
};

/** Default of gap_call_options.timeout_us. */
#define GAP_LINK_CALL_TIMEOUT_US UINT64_C(60000000)

/**
 * Make a link and begin to connect.
 *
 * @param rt      Borrowed until the closed callback; has an environment.
 * @param config  Copied.
 * @param events  Pinned until the closed callback.
 * @param arg     Handed to every event.
 * @param out     The link; its own memory until the closed callback has returned.
 * @return 0; GAP_E_NOMEM; GAP_E_PEM a key text does not parse; GAP_E_ARGUMENT no address and no
 * host, no RSA key and no auth key, or a NULL text; GAP_E_LIBCRYPTO; or what the environment's
 * random returned.
 */
GAP_NODISCARD int gap_link_open(gap_rt_t *rt, const struct gap_link_config *config,
                                const struct gap_link_events *events, void *arg, gap_link_t **out);

/**
 * Send a query. It may be called in any state: queries wait for a connection.
 *
 * @param query    A method, or GAP_TL_OF of one: serialised before the call returns.
 * @param options  Borrowed; NULL for the defaults.
 * @param cb       Called exactly once, if 0 is returned; @p arg is handed to it.
 * @param out      The handle for gap_link_cancel; may be NULL.
 * @return 0; GAP_E_CLOSED close has begun or the link gave up; GAP_E_LIMIT the queue of unanswered
 * queries is full (GAP_SESSION_REQUESTS_MAX, GAP_SESSION_REQUEST_BYTES_MAX) or the query is too
 * large; GAP_E_NOMEM; otherwise as gap_tl_size.
 */
GAP_NODISCARD int gap_link_call(gap_link_t *link, gap_tl_object_t query,
                                const struct gap_call_options *options, gap_link_call_cb cb,
                                void *arg, gap_call_id_t *out);

/** Give a call up: the server is told (rpc_drop_answer) and the callback comes with
 * GAP_ENV_ECANCELED. No-op if its answer was already handed up. */
void gap_link_cancel(gap_link_t *link, gap_call_id_t call);

/** @return the present state. */
enum gap_link_state gap_link_state(const gap_link_t *link);
/** @return the salt to store beside the key; 0 if there is none. */
uint64_t gap_link_salt(const gap_link_t *link);
/** @return the server's time in seconds since 1970, as well as it is known. */
int64_t gap_link_server_time(gap_link_t *link);
/** @return calls without an answer. */
size_t gap_link_pending(const gap_link_t *link);

/** Don't wait for the back-off: if the link is down, connect in the next tick (the host knows that
 * the network came back). No-op in other states and after `fatal`. */
void gap_link_retry_now(gap_link_t *link);

/**
 * Close: flushes nothing, ends every call with GAP_E_CLOSED, then calls @p cb once, from a later
 * tick; the link's memory is gone when @p cb returns. Call it once.
 * @param cb May be NULL.
 */
void gap_link_close(gap_link_t *link, void (*cb)(void *arg), void *arg);

#endif
