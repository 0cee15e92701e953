/*
 * mtproto/session_internal.h - the session's record, for the files session*.c only.
 *
 *   session.c          making, time, salts, connection, what is due when
 *   session_request.c  the table of requests: their states, repeats and ends
 *   session_send.c     requests, service messages and acks -> packets
 *   session_receive.c  packets -> messages -> events; duplicates, containers, gzip, results
 *   session_service.c  what the server says about messages, salts and sessions
 */
#ifndef GAP_MTPROTO_SESSION_INTERNAL_H
#define GAP_MTPROTO_SESSION_INTERNAL_H

#include "base/alloc.h"
#include "base/bytes.h"
#include "base/gzip.h"
#include "base/heap.h"
#include "base/map.h"
#include "base/prng.h"
#include "mtproto/session.h"

#include <gapless/tl_mt.h>
#include <sys/queue.h>

/** Room in front of the first message of a packet under construction: that of the body, and the
 * head of a container. */
#define SESSION_FRONT_BYTES (GAP_SESSION_ROOM_BYTES + 8)
/** Head of a message in a container: id, seqno, length. */
#define SESSION_MESSAGE_HEAD_BYTES 16

/** A list of message ids. */
struct session_ids {
    uint64_t *ids;
    size_t count;
    size_t cap;
};

enum request_state {
    REQUEST_QUEUED,  /* in s->queue; a msg_id that is not 0 may still be answered */
    REQUEST_SENT,    /* in s->flight */
    REQUEST_ACKED,   /* in s->flight */
    REQUEST_DELAYED, /* in s->wakes */
    REQUEST_ENDED,   /* in s->ended */
};

struct session_request {
    TAILQ_ENTRY(session_request) link;
    gap_heap_node_t deadline;
    gap_heap_node_t wake;
    uint64_t call;
    uint64_t msg_id;       /* as last sent; 0: none */
    uint64_t container_id; /* of the container it was last sent in; 0: none */
    uint64_t sent_us;
    uint64_t ask_us; /* in flight: when msgs_state_req asks about it */
    gap_session_tag_t tag;
    uint32_t seqno;
    uint32_t flags;
    int status; /* ENDED */
    uint32_t flood_s;
    uint32_t error_s;
    uint8_t state;
    uint8_t asked;    /* times the server was asked about it since it was sent */
    uint8_t rejected; /* times the server refused the message */
    uint8_t errors;   /* times it was repeated after 500 */
    bool keep_id;     /* QUEUED: send it under msg_id, in a container */
    bool wrapped;     /* sent with initConnection */
    bool packed;
    size_t len;
    uint8_t query[];
};

TAILQ_HEAD(session_requests, session_request);

enum service_kind {
    SERVICE_ACK,
    SERVICE_PING,
    SERVICE_STATE_REQ,
    SERVICE_STATE_INFO,
    SERVICE_RESEND_REQ,
    SERVICE_FUTURE_SALTS,
    SERVICE_DROP_ANSWER,
    SERVICE_DESTROY_SESSION,
};

/** A service message of ours: waiting, or sent and remembered for a while. */
struct session_service {
    TAILQ_ENTRY(session_service) link;
    uint64_t msg_id;
    uint64_t container_id;
    uint8_t kind;
    uint8_t rejected;
    size_t len;
    uint8_t body[];
};

TAILQ_HEAD(session_services, session_service);

/** A received message whose turn has not come. */
struct session_item {
    uint64_t msg_id;
    uint64_t req_msg_id; /* is_result */
    gap_bytes_t body;    /* a view into packet; of a result what is behind its head */
    gap_packet_t *packet;
    int failed; /* what inflating it ended with */
    bool is_result;
    bool inflated;
};

struct session_salt {
    int32_t since; /* server time, seconds */
    int32_t until;
    uint64_t salt;
};

struct gap_session {
    const gap_alloc_t *alloc;
    gap_gzip_t gzip;
    gap_prng_t prng;
    gap_buf_t init; /* invokeWithLayer(initConnection( without the query */

    /* identity and time */
    uint64_t id;
    uint64_t old_id; /* of the session given up last; 0: none */
    uint64_t last_msg_id;
    uint32_t content_sent;
    int64_t offset_us; /* server time - our clock */
    bool synced;
    bool connected;
    bool keyed;
    bool inited; /* an answer to a wrapped query came */
    uint8_t time_failures;

    /* is a new_session_created news? */
    bool fresh;         /* nothing of this session was answered yet */
    bool missed;        /* a MISSED event is due */
    uint64_t fresh_id;  /* highest id sent while fresh */
    uint64_t unique_id; /* of the last new_session_created */

    uint64_t salt;
    struct session_salt salts[GAP_SESSION_SALTS]; /* ascending */
    size_t salt_count;
    uint64_t salts_ask_us; /* not before */

    /* sending */
    struct session_requests queue;  /* ascending by call */
    struct session_requests flight; /* in the order sent */
    struct session_requests ended;
    struct session_services services;
    struct session_services services_sent;
    size_t service_count;
    size_t service_sent_count;
    gap_map_t by_call;
    gap_map_t by_msg;
    gap_heap_t deadlines;
    gap_heap_t wakes;
    uint64_t last_call;
    size_t request_bytes;
    uint64_t check_us; /* when the flight is looked through for questions */
    struct session_ids acks;
    uint64_t first_ack_us;
    struct session_ids resends; /* for a msg_resend_req */

    /* receiving */
    uint64_t window[GAP_SESSION_WINDOW]; /* ring */
    size_t window_count;
    size_t window_next;
    uint64_t window_max;
    struct session_item *inbox;
    size_t inbox_head;
    size_t inbox_count; /* from inbox_head */
    size_t inbox_cap;
    bool slow;             /* the head is being inflated elsewhere */
    gap_packet_t *current; /* of the event handed out last */
};

/* session.c */
GAP_NODISCARD int session_ids_reserve(gap_session_t *s, struct session_ids *v, size_t more);
uint64_t session_next_msg_id(gap_session_t *s, uint64_t now_us);
int64_t session_id_us(uint64_t msg_id);
void session_set_time(gap_session_t *s, uint64_t now_us, int64_t server_us);
/** Begin a new session: new id, everything unanswered is sent again under new ids. */
void session_reset(gap_session_t *s);
void session_choose_salt(gap_session_t *s, uint64_t now_us);

/* session_request.c */
struct session_request *session_request_by_msg(gap_session_t *s, uint64_t msg_id);
void session_request_end(gap_session_t *s, struct session_request *r);
void session_request_fail(gap_session_t *s, struct session_request *r, int status);
void session_request_requeue(gap_session_t *s, struct session_request *r, bool keep_id);
/** The server refused or never saw it: again under a new id, or fail after too many times. */
void session_request_reject(gap_session_t *s, struct session_request *r);
/** The server does not know any more whether it saw it: the same, or, with NO_RESEND, it fails. */
void session_request_lost(gap_session_t *s, struct session_request *r);
/** The connection is lost: who goes out again, and who ends. */
void session_request_disconnect(gap_session_t *s);
void session_request_delay(gap_session_t *s, struct session_request *r, uint64_t until_us);
void session_request_forget_id(gap_session_t *s, struct session_request *r);
/** An rpc_error to a request. @return 1 hand it up; 0 it is repeated. */
int session_request_error(gap_session_t *s, struct session_request *r, uint64_t now_us,
                          const struct gap_session_event *error);

/* session_send.c */
/** Queue a service message of @p len bytes; the caller writes (*out)->body. @return 0, GAP_E_NOMEM,
 * GAP_E_LIMIT the queue is full. */
GAP_NODISCARD int session_service_new(gap_session_t *s, enum service_kind kind, size_t len,
                                      struct session_service **out);
struct session_service *session_service_sent(gap_session_t *s, uint64_t msg_id);
void session_service_again(gap_session_t *s, struct session_service *m);
void session_services_clear(gap_session_t *s, struct session_services *list, size_t *count);
void session_service_free(gap_session_t *s, struct session_service *m);

/* session_receive.c */
/** Was this id received? @return 1 yes, 0 no, -1 too old to know. */
int session_window_find(const gap_session_t *s, uint64_t msg_id);
void session_ack(gap_session_t *s, uint64_t now_us, uint64_t msg_id);

/* session_service.c */
#define SESSION_NOT_SERVICE 2
/** @return 1 with an event; 0 done; SESSION_NOT_SERVICE another constructor; GAP_E_TL malformed;
 * GAP_E_NOMEM nothing was done. */
GAP_NODISCARD int session_service_receive(gap_session_t *s, uint64_t now_us,
                                          const struct session_item *item,
                                          struct gap_session_event *out);

#endif
