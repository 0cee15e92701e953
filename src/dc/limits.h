/*
 * dc/limits.h - every limit of the simulated data centre's protocol side. What happens when one is
 * reached stands beside it.
 */
#ifndef GAP_DC_LIMITS_H
#define GAP_DC_LIMITS_H

/* Frames. Too long: transport error -429, then the connection is closed. */
#define GAP_DC_FRAME_MAX_BYTES       (2U << 20) /* from a client that has shown a key */
#define GAP_DC_FRAME_PLAIN_MAX_BYTES 8192U      /* before that */
#define GAP_DC_READ_BYTES            65536U     /* room offered to one read */

/* Connections. */
#define GAP_DC_CONNS_MAX 8192U /* one more is closed at once */
#define GAP_DC_UNSENT_PAUSE_BYTES                                                                  \
    (1U << 20)                              /* traffic waits while one connection has more unsent */
#define GAP_DC_UNSENT_HOLD_BYTES (4U << 20) /* no more is encrypted for a connection with more */
#define GAP_DC_STALL_US          60000000U  /* bytes unsent for this long: closed */
#define GAP_DC_GREETING_US       60000000U  /* no key shown for this long: closed */

/* Handshakes. One more: -404. */
#define GAP_DC_HANDSHAKES_MAX 16U /* begun on one connection */
#define GAP_DC_DH_TRIES_MAX   5U  /* set_client_DH_params in one handshake */

/* Keys and sessions. */
#define GAP_DC_KEYS_MAX         65536U      /* one more: dh_gen_fail */
#define GAP_DC_KEY_SESSIONS_MAX 64U         /* one more: the one unused for longest is forgotten */
#define GAP_DC_SEEN_IDS         1024U       /* received msg_ids remembered by a session */
#define GAP_DC_SESSION_BYTES    (16U << 20) /* queued and unacked; the oldest unacked goes */
#define GAP_DC_UNACKED_MAX      65536U      /* messages; the same */
#define GAP_DC_ACKS_MAX         8192U       /* ids in one message; more: the rest is ignored */
#define GAP_DC_RESEND_AGE_US    200000000U /* an older unacked message is sent under a new msg_id */

#define GAP_DC_SHOWN_KEYS_MAX 16U    /* sign-ins that are listed; the others are not shown */
#define GAP_DC_ACCOUNTS_MAX   16384U /* one more: 420 FLOOD_WAIT_60 */

/* Other data centres. */
#define GAP_DC_PEERS_MAX   64U   /* addresses; one more is refused */
#define GAP_DC_TRANSFER_S  60U   /* an exported authorization is good for so long */
#define GAP_DC_IMPORTS_MAX 1024U /* of them remembered as used; one more: 420 FLOOD_WAIT_60 */
#define GAP_DC_FILE_LINES  1024  /* of a file, of 64 bytes each; pieces beyond are empty */
#define GAP_DC_MOVED_MAX   1024U /* accounts that moved away; one more stays */
/* Persons signing in. */
#define GAP_DC_PEOPLE_MAX      16384U /* phones that were asked for; one more: 420 FLOOD_WAIT_60 */
#define GAP_DC_CODES_MAX       8U     /* on their way to one phone; the oldest is forgotten */
#define GAP_DC_CODE_TRIES      5U     /* wrong ones; then PHONE_CODE_EXPIRED */
#define GAP_DC_SRP_MAX         8U     /* srp_ids of one person; the oldest is forgotten */
#define GAP_DC_TOKENS_MAX      20U    /* log-out tokens of one person; the oldest is forgotten */
#define GAP_DC_TOKENS_READ_MAX 20U    /* in one call; the rest is ignored */
#define GAP_DC_NAME_BYTES      64U    /* of a person; more: FIRSTNAME_INVALID, LASTNAME_INVALID */
#define GAP_DC_HINT_BYTES      64U    /* of a password; more: NEW_SETTINGS_INVALID */
#define GAP_DC_DEVICE_BYTES    48U    /* of each text a client says about itself; cut */

/* Messages. */
#define GAP_DC_CONTAINER_IN_MAX    1024U /* members; more: bad_msg_notification 64 */
#define GAP_DC_CONTAINER_OUT_MAX   1000U /* members we send at once */
#define GAP_DC_CONTAINER_OUT_BYTES (128U << 10)
#define GAP_DC_INFLATED_MAX_BYTES  (4U << 20) /* a query; more: 400 INPUT_FETCH_ERROR */
#define GAP_DC_GZIP_RESULT_BYTES   1024U      /* longer results are packed if that saves a tenth */
#define GAP_DC_WRAPPERS_MAX        8U         /* invokeWith... around one query */
#define GAP_DC_SENDING_MAX         1024U /* sends with a delayed answer; the oldest is forgotten */
#define GAP_DC_AFTER_MAX           64U   /* ids in invokeAfterMsgs; more: 400 INPUT_FETCH_ERROR */

/* Salts. */
#define GAP_DC_SALT_PERIOD_S   1800
#define GAP_DC_SALT_LIFETIME_S 3600 /* Message ids, seconds against the server's clock. */
#define GAP_DC_ID_OLD_S        300
#define GAP_DC_ID_AHEAD_S      30     /* Pushes. */
#define GAP_DC_TRAFFIC_BATCH   64U    /* events between two looks at the sockets; */
#define GAP_DC_LATE_BATCH      4096U  /* while behind the rate: then several share a packet */
#define GAP_DC_HELD_MAX        65536U /* pushes held back at a time; one more goes at once */

#endif
