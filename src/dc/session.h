/*
 * dc/session.h - the server's side of an MTProto session: what it remembers of a client's messages
 * and of its own. Pure: opened messages in; queued messages and calls to be made out. A session
 * belongs to an authorization key and outlives its connections.
 * (core.telegram.org/mtproto/description, /mtproto/service_messages)
 */
#ifndef GAP_DC_SESSION_H
#define GAP_DC_SESSION_H

#include "base/buf.h"
#include "base/gzip.h"
#include "base/map.h"
#include "crypto/message.h"
#include "dc/limits.h"

#include <sys/queue.h>

/** The two clocks, read once for everything that is done at a time. */
typedef struct gap_dc_now {
    uint64_t mono_us; /* deadlines */
    uint64_t wall_us; /* message ids, since 1970 */
} gap_dc_now_t;

/* Flags of a message to the client. */
#define GAP_DC_CONTENT 1U /* content-related: kept until it is acknowledged */
#define GAP_DC_PUSH    2U /* nobody asked for it: msg_id % 4 == 3 */
#define GAP_DC_REPEAT  4U /* the same msg_id once more; not kept */

/** A message to the client. */
typedef struct gap_dc_out {
    TAILQ_ENTRY(gap_dc_out) link;
    int64_t msg_id;
    int64_t req_msg_id; /* rpc_result: the query; else 0 */
    uint64_t due_us;    /* not to be sent before */
    uint64_t made_us;   /* when msg_id was drawn */
    int32_t seqno;
    uint32_t flags;
    uint32_t len; /* bytes of body */
    uint8_t body[];
} gap_dc_out_t;

TAILQ_HEAD(gap_dc_outs, gap_dc_out);

/* What is known of a message received. */
#define GAP_DC_SEEN_CALL   1U /* it was an API call */
#define GAP_DC_SEEN_FAILED 2U /* and ended in an rpc_error */

struct gap_dc_key;

typedef struct gap_dc_session {
    TAILQ_ENTRY(gap_dc_session) link;       /* the key's, most recently used first */
    TAILQ_ENTRY(gap_dc_session) dirty_link; /* the server's */
    struct gap_dc_key *key;
    void *conn; /* the server's; NULL: not connected */
    const gap_alloc_t *alloc;
    gap_gzip_t *zip;
    int64_t id;
    int64_t last_id;            /* msg_id drawn last */
    uint32_t content;           /* content-related messages sent */
    bool greeted;               /* new_session_created is out */
    bool is_dirty;              /* in the server's list */
    bool pushes_lost;           /* unacked pushes had to be forgotten */
    int64_t top_id;             /* highest content-related msg_id received, */
    int32_t top_seqno;          /* and its seqno */
    struct gap_dc_outs queue;   /* to be sent, oldest first */
    struct gap_dc_outs unacked; /* sent, oldest first */
    gap_map_t unacked_by_id;
    size_t bytes;         /* of both lists */
    size_t unacked_count; /* messages */
    gap_buf_t acks;       /* int64 msg_ids to acknowledge */
    uint32_t seen_next;   /* ring position */
    uint32_t seen_count;
    int64_t seen[GAP_DC_SEEN_IDS];
    uint8_t seen_flags[GAP_DC_SEEN_IDS];
} gap_dc_session_t;

/** An API call found in a message; the view lies in the packet or in the inbox. */
typedef struct gap_dc_call {
    int64_t msg_id;
    gap_bytes_t query; /* empty: packed data that does not inflate */
} gap_dc_call_t;

#define GAP_DC_DESTROY_MAX 16U

/** What one packet asked for beyond the session itself. */
typedef struct gap_dc_inbox {
    const gap_alloc_t *alloc;
    gap_buf_t calls;      /* gap_dc_call_t, in order */
    gap_buf_t arena;      /* gap_packet_t pointers: inflated bytes that calls point into */
    int64_t disconnect_s; /* ping_delay_disconnect; -1: none */
    int64_t destroy[GAP_DC_DESTROY_MAX]; /* destroy_session: ids to be forgotten */
    uint32_t destroy_count;
    int64_t destroy_key; /* msg_id of a destroy_auth_key; 0: none */
} gap_dc_inbox_t;

void gap_dc_inbox_init(gap_dc_inbox_t *in, const gap_alloc_t *alloc);
/** Empty it for the next packet, keeping memory. */
void gap_dc_inbox_clear(gap_dc_inbox_t *in);
/** Safe twice. */
void gap_dc_inbox_fini(gap_dc_inbox_t *in);

/** @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_session_new(const gap_alloc_t *alloc, gap_gzip_t *zip,
                                     struct gap_dc_key *key, int64_t id, gap_dc_session_t **out);
/** @param s May be NULL; in no list any more. */
void gap_dc_session_free(gap_dc_session_t *s);

/**
 * Take in one opened message: check salt, ids and order, queue the answers of the service layer,
 * and collect what others must answer in @p in.
 * @return 0 (refused messages too: the answer says why); GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_session_receive(gap_dc_session_t *s, const gap_dc_now_t *now,
                                         const gap_plaintext_t *m, gap_dc_inbox_t *in);

/**
 * Queue a message.
 * @param req_msg_id  rpc_result: what it answers, else 0.
 * @param body        Copied.
 * @return 0; GAP_E_NOMEM; GAP_E_LIMIT more is queued unsent than a session may hold: the client
 * does not read, end it.
 */
GAP_NODISCARD int gap_dc_session_send(gap_dc_session_t *s, const gap_dc_now_t *now, uint32_t flags,
                                      int64_t req_msg_id, uint64_t due_us, gap_bytes_t body);
/** Queue the result of a call: in rpc_result, packed where that pays. @param failed It is an
 * rpc_error. @return as gap_dc_session_send. */
GAP_NODISCARD int gap_dc_session_answer(gap_dc_session_t *s, const gap_dc_now_t *now,
                                        int64_t msg_id, uint64_t due_us, gap_bytes_t result,
                                        bool failed);
/** Queue the message that was queued last once more under its own msg_id. @return 0, GAP_E_NOMEM.
 */
GAP_NODISCARD int gap_dc_session_repeat(gap_dc_session_t *s, uint64_t due_us);

/** Are there pushes that the client may not have got? */
bool gap_dc_session_owes_pushes(const gap_dc_session_t *s);
/** Forget them: whoever comes next with this key may be somebody else. */
void gap_dc_session_forget_pushes(gap_dc_session_t *s);
/** Queue updatesTooLong: the client is to fetch what it missed. @return as gap_dc_session_send. */
GAP_NODISCARD int gap_dc_session_too_long(gap_dc_session_t *s, const gap_dc_now_t *now);

/** The session goes on over a new connection: what is unacked will be sent again. @return 0,
 * GAP_E_NOMEM. */
GAP_NODISCARD int gap_dc_session_resume(gap_dc_session_t *s, const gap_dc_now_t *now);

/**
 * Take what is due from the queue and make one message of it, a container if it is several.
 * @param body  Cleared, then the message's body.
 * @param out   Its msg_id and seqno; salt and session too; body a view into @p body.
 * @return 1 a message; 0 nothing is due; GAP_E_NOMEM (nothing was taken).
 */
GAP_NODISCARD int gap_dc_session_pack(gap_dc_session_t *s, const gap_dc_now_t *now, gap_buf_t *body,
                                      gap_plaintext_t *out);
/** When the first queued message is due, or UINT64_MAX. */
uint64_t gap_dc_session_due(const gap_dc_session_t *s);

/** What is known of a message received: a set of GAP_DC_SEEN_..., or -1 for never seen. */
int gap_dc_session_seen(const gap_dc_session_t *s, int64_t msg_id);

#endif
