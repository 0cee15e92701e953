/*
 * mtproto/session.h - the encrypted session of a client: message ids, sequence numbers, salts,
 * acknowledgements, containers, service messages, and the table of requests with their repeats.
 *
 * Pure: time is an argument (microseconds of a monotonic clock), packets go in by
 * gap_session_receive and out by gap_session_poll, what happened is pulled by gap_session_next.
 * Encryption is the caller's: the session sees opened messages and hands out bodies to be sealed.
 * Rules: core.telegram.org/mtproto/description, /service_messages,
 * /service_messages_about_messages.
 *
 * A request:
 *
 *   QUEUED --poll--> SENT --msgs_ack--> ACKED          any --answer, time-out, cancel--> gone
 *     ^                |                  |
 *     +-- connection lost, server forgot, bad_* ------+--- FLOOD_WAIT, 500 --> DELAYED --> QUEUED
 *
 * A query whose connection was lost before the server acknowledged it is sent again under its own
 * message id, inside a container with a newer one: the server recognises it, so it is executed
 * once. Only when the id is too old for that, or the server said that it never saw the message, the
 * query gets a new id.
 */
#ifndef GAP_MTPROTO_SESSION_H
#define GAP_MTPROTO_SESSION_H

#include "base/buf.h"
#include "crypto/message.h"

/* Limits. */
#define GAP_SESSION_REQUESTS_MAX      16384U      /* requests without an answer */
#define GAP_SESSION_REQUEST_BYTES_MAX (32U << 20) /* bytes of their queries */
#define GAP_SESSION_QUERY_MAX_BYTES   1000000U    /* one query; servers take about 1 MB */
#define GAP_SESSION_CONTAINER_MAX     1000U       /* messages in a container we send */
#define GAP_SESSION_CONTAINER_BYTES   32768U      /* bytes after which no more is added */
#define GAP_SESSION_CONTAINER_ACCEPT  1024U       /* messages in a container we accept */
#define GAP_SESSION_IDS_MAX           8192U       /* ids in one service message */
#define GAP_SESSION_WINDOW            2048U       /* received ids remembered */
#define GAP_SESSION_ACKS_MAX          100U        /* acks that go out at once ... */
#define GAP_SESSION_ACKS_RESTORED     4U /* ack messages sent again after a lost connection */
#define GAP_SESSION_ACK_DELAY_US      UINT64_C(30000000) /* ... or after this time */
#define GAP_SESSION_GZIP_MIN_BYTES    256U               /* shorter queries are not packed */
#define GAP_SESSION_GZIP_MAX_BYTES    65536U       /* nor longer ones: that would take too long */
#define GAP_SESSION_SLOW_BYTES        (256U << 10) /* inflating to more is slow work */
#define GAP_SESSION_PAST_S            300          /* age of a message that is accepted */
#define GAP_SESSION_FUTURE_S          30           /* and how far ahead it may be */
#define GAP_SESSION_KEEP_ID_S         150          /* a message id is used again up to this age */
#define GAP_SESSION_ASK_US            UINT64_C(10000000) /* unanswered: msgs_state_req, doubling */
#define GAP_SESSION_ASK_AGAIN_US      UINT64_C(2000000)  /* the same, acked before a reconnect */
#define GAP_SESSION_FLOOD_MAX_S       60U /* FLOOD_WAIT waited for a request in all */
#define GAP_SESSION_ERROR_MAX_S       60U /* waited after 500 for a request in all */
#define GAP_SESSION_BAD_MAX           8U  /* rejections of one request, then it fails */
#define GAP_SESSION_SALTS             64U /* future salts kept and asked for */
#define GAP_SESSION_SALTS_EVERY_US    UINT64_C(3600000000) /* least time between two asks */
#define GAP_SESSION_SERVICE_SENT_MAX  32U                  /* sent service messages remembered */
#define GAP_SESSION_SERVICE_QUEUE_MAX 64U                  /* service messages waiting to go out */

/** How a request with GAP_SESSION_NO_RESEND ends whose connection was lost before it went out. */
#define GAP_SESSION_E_UNSENT (-125) /* GAP_ENV_ECANCELED */

/** The session ignored the message: a duplicate, or of a session given up. */
#define GAP_SESSION_IGNORED 1

typedef struct gap_session gap_session_t;

/** Values of gap_session_request.flags; the link's gap_call_flags are the same numbers. */
enum gap_session_flags {
    GAP_SESSION_NO_FLOOD_REPEAT = 1U << 0,
    GAP_SESSION_NO_ERROR_REPEAT = 1U << 1,
    GAP_SESSION_NO_RESEND = 1U << 2,
    GAP_SESSION_WITHOUT_UPDATES = 1U << 3,
};

/** What initConnection says. Texts are copied. */
struct gap_session_device {
    int32_t layer;
    int32_t api_id;
    const char *device_model;
    const char *system_version;
    const char *app_version;
    const char *system_lang_code;
    const char *lang_pack;
    const char *lang_code;
};

/** What the owner of a request wants back with its answer. */
typedef struct gap_session_tag {
    void (*fn)(void); /* a function pointer of any type, cast */
    void *arg;
} gap_session_tag_t;

struct gap_session_request {
    gap_bytes_t query;    /* boxed, copied */
    uint64_t deadline_us; /* UINT64_MAX: none */
    uint32_t flags;       /* enum gap_session_flags */
    gap_session_tag_t tag;
};

enum gap_session_event_kind {
    GAP_SESSION_UPDATES = 1, /* value, packet: a boxed Updates object */
    GAP_SESSION_RESULT,      /* call, tag, value, packet: an answer, inflated */
    GAP_SESSION_ERROR,       /* call, tag, code, number, name, text: rpc_error */
    GAP_SESSION_FAILED,      /* call, tag, status: no answer will come */
    GAP_SESSION_MISSED,      /* the server lost the session: updates may have been missed */
    GAP_SESSION_UNDECODABLE, /* status: a message that makes no sense here, perhaps an update */
    GAP_SESSION_PONG,        /* ping_id */
    GAP_SESSION_SLOW,        /* value, packet: inflate it elsewhere, then gap_session_inflated */
};

/** Views and packet are valid until the next call of gap_session_next or gap_session_fini. */
struct gap_session_event {
    enum gap_session_event_kind kind;
    int status;
    uint64_t call;
    gap_session_tag_t tag;
    gap_bytes_t value;
    gap_packet_t *packet;
    int32_t code;
    int32_t number;
    gap_bytes_t name;
    gap_bytes_t text;
    bool unauthorized; /* ERROR: the login of this key is gone, or not there yet */
    uint64_t ping_id;
};

/**
 * A session without a connection.
 *
 * @param random   Borrowed; asked once, for the seed of session ids and the low bits of message ids
 *                 (both travel encrypted and are no secrets).
 * @param wall_us  The host's clock (microseconds since 1970) at @p now_us: the first guess of the
 *                 server's time.
 * @param out      The session; gap_session_free gives it back.
 * @return 0; GAP_E_NOMEM; GAP_E_ARGUMENT a text is NULL; what the random source returned.
 */
GAP_NODISCARD int gap_session_new(const gap_alloc_t *alloc, const gap_random_t *random,
                                  const struct gap_session_device *device, uint64_t now_us,
                                  uint64_t wall_us, gap_session_t **out);
/** Every request is forgotten without an event. NULL is allowed. */
void gap_session_free(gap_session_t *s);

/** A new key begins: salt as given, initConnection again. With @p server_time_s > 0 (from the
 * handshake) the clock is set too. */
void gap_session_set_key(gap_session_t *s, uint64_t now_us, uint64_t salt, int64_t server_time_s);
/** @return the present salt. */
uint64_t gap_session_salt(const gap_session_t *s);
/** @return server time in microseconds since 1970. */
int64_t gap_session_server_us(const gap_session_t *s, uint64_t now_us);
/** A message id for an unencrypted message of the key exchange. */
uint64_t gap_session_plain_id(gap_session_t *s, uint64_t now_us);
/** The host's clock jumped or the machine slept: believe the server's next message about time. */
void gap_session_unsync(gap_session_t *s);

/** A connection is there: gap_session_poll has packets. */
void gap_session_connected(gap_session_t *s, uint64_t now_us);
/** The connection is lost: unacknowledged requests wait to be sent again, those with NO_RESEND end
 * with GAP_E_DISCONNECTED, or with GAP_SESSION_E_UNSENT if they had not gone out. */
void gap_session_disconnected(gap_session_t *s);

/**
 * Add a request.
 * @param call Its number: > 0, ascending.
 * @return 0; GAP_E_NOMEM; GAP_E_LIMIT too many, too many bytes, or too long.
 */
GAP_NODISCARD int gap_session_call(gap_session_t *s, const struct gap_session_request *request,
                                   uint64_t *call);
/** End a request with @p status; a FAILED event follows and the server is told if it had the query.
 * @return false: there is no such request. */
bool gap_session_cancel(gap_session_t *s, uint64_t call, int status);
/** End all requests with @p status. */
void gap_session_cancel_all(gap_session_t *s, int status);
/** @return requests without an answer. */
size_t gap_session_pending(const gap_session_t *s);

/** Queue a ping_delay_disconnect. @return 0 with its id, or GAP_E_NOMEM. */
GAP_NODISCARD int gap_session_ping(gap_session_t *s, int32_t delay_s, uint64_t *ping_id);

/** Room in front of a body from gap_session_poll: for the packet's head and a frame's. */
#define GAP_SESSION_ROOM_BYTES (GAP_MESSAGE_HEAD_BYTES + 8)

/**
 * The next packet to send, if there is one. Call it until it returns 0.
 *
 * @param body  Cleared, then filled with the message body.
 * @param out   What is to be sealed. out->body is a view into @p body, with at least
 *              GAP_SESSION_ROOM_BYTES bytes in front of it, so that it can be sealed in place.
 * @return 1 a packet; 0 nothing to send now; GAP_E_NOMEM nothing was sent, try again later.
 */
GAP_NODISCARD int gap_session_poll(gap_session_t *s, uint64_t now_us, gap_buf_t *body,
                                   gap_plaintext_t *out);

/**
 * Take one opened message.
 *
 * @param message  message->body is a view into @p packet, of which references are kept as needed.
 * @return 0 accepted: pull its events; GAP_SESSION_IGNORED; GAP_E_PROTOCOL refused (another
 *         session, an even id, outside the time window, a broken container): nothing was taken in,
 *         drop the connection; GAP_E_NOMEM nothing was taken in, drop the connection: the server
 *         sends it again.
 */
GAP_NODISCARD int gap_session_receive(gap_session_t *s, uint64_t now_us,
                                      const gap_plaintext_t *message, gap_packet_t *packet);

/**
 * The next event.
 * @return 1; 0 there is none (or a slow job is unfinished); GAP_E_PROTOCOL drop the connection and
 *         go on; GAP_E_NOMEM try again later, nothing is lost.
 */
GAP_NODISCARD int gap_session_next(gap_session_t *s, uint64_t now_us,
                                   struct gap_session_event *out);
/** The outcome of a SLOW event: @p status of gap_inflate, and the packet if it is 0 (taken). */
void gap_session_inflated(gap_session_t *s, int status, gap_packet_t *packet);

/** @return when gap_session_expire is due, UINT64_MAX for never. */
uint64_t gap_session_deadline_us(const gap_session_t *s);
/** End what timed out, wake what was delayed, ask about what has no answer. Only to be called when
 * everything that had arrived by @p now_us has been received. */
void gap_session_expire(gap_session_t *s, uint64_t now_us);

#endif
