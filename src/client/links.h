/*
 * client/links.h - further links of an account: to other data centres, and for files at its own.
 *
 *   links.c       the table, the calls on its links, closing
 *   links_join.c  being let in at another data centre: key, export, import
 *   links_home.c  where the data centres are, and an account that moves to another one
 *
 *   a link:  CONNECTING -> EXPORTING -> IMPORTING -> OPEN -> CLOSING
 *                            ^                           |
 *                            +- 401 at that data centre -+
 *
 *            WAITING   another link is being let in there
 *            RENEWING  the key is dead
 *            OPEN      at once where key and authorisation are known
 *
 * The links are an actor, a child of the client, from the sign-in to its end.
 */
#ifndef GAP_CLIENT_LINKS_H
#define GAP_CLIENT_LINKS_H

#include "loops/session_loop.h"

#include <gapless/client.h>
#include <sys/queue.h>

/** Links besides the main one; an idle one makes room for the next. */
#define GAP_CLIENT_LINKS_MAX 8
/** A link without a call is closed after this time. */
#define GAP_CLIENT_LINK_IDLE_US UINT64_C(60000000)
/** Time to be let in at another data centre, connecting included. */
#define GAP_CLIENT_JOIN_US UINT64_C(60000000)
/** Exports for one import. */
#define GAP_CLIENT_EXPORTS_MAX 2
/** Times a call is sent elsewhere by X_MIGRATE; then the error is its answer. */
#define GAP_CLIENT_HOPS_MAX 3
/** Calls that wait for a link, and the bytes of their queries. */
#define GAP_CLIENT_WAITING_MAX       1024
#define GAP_CLIENT_WAITING_BYTES_MAX ((size_t)32 << 20)
/** help.getConfig is asked again when it says so, but not sooner and not later than this. */
#define GAP_CLIENT_CONFIG_MIN_S 60
#define GAP_CLIENT_CONFIG_MAX_S 86400

/** A request of the host. */
struct client_call {
    TAILQ_ENTRY(client_call) next; /* while it waits */
    gap_client_t *client;
    gap_call_cb callback;
    void *data;
    struct client_link *link; /* in flight there; NULL: on the main one, or waiting */
    int32_t dc;               /* where it is to go; 0: the account's own */
    gap_connection_kind_t kind;
    uint32_t id; /* of the method */
    uint8_t hops;
    bool repeated; /* because a link or an authorisation was lost: that is done once */
    bool once;     /* never sent again where it may have been carried out; errors are told */
    size_t query_len;
    uint8_t query[];
};
TAILQ_HEAD(client_calls, client_call);

enum client_link_state {
    CLIENT_LINK_WAITING = 0,
    CLIENT_LINK_CONNECTING,
    CLIENT_LINK_EXPORTING,
    CLIENT_LINK_IMPORTING,
    CLIENT_LINK_OPEN, /* calls go out, as soon as it is connected */
    CLIENT_LINK_RENEWING,
    CLIENT_LINK_CLOSING,
};

struct client_link {
    LIST_ENTRY(client_link) list;
    gap_client_t *client;
    int32_t dc;
    gap_connection_kind_t kind;
    enum client_link_state state;
    gap_link_t *link; /* NULL: WAITING, between two, or gone */
    bool ready;
    bool asking;   /* an export is in flight on the main link */
    bool outdated; /* what it is being let in with is from before the account moved */
    bool refused;  /* the answer that comes next is a 401 or 406 */
    bool renewed;  /* has had a new key since the last good answer */
    unsigned exports;
    size_t in_flight;
    struct client_calls waiting;
    gap_timer_t timer; /* idle, or join */
};
LIST_HEAD(client_link_list, client_link);

struct client_links {
    gap_loop_t loop;
    bool open;
    uint64_t idle_us; /* GAP_CLIENT_LINK_IDLE_US and GAP_CLIENT_JOIN_US, but in tests */
    uint64_t join_us;
    struct client_link_list list;
    size_t waiting; /* calls, in all lists */
    size_t waiting_bytes;
    struct client_calls unplaced; /* wait for the configuration: where is that data centre? */
    struct client_calls moving;   /* wait for the main link to the account's new home */
    struct client_calls ending;   /* end with GAP_E_CLOSED */
    int32_t moving_to;            /* the account's new home; 0: it does not move */
    bool moved;                   /* it has: the main link is being exchanged */
    bool config_asking;
    bool config_again;
    bool config_known;
    gap_timer_t config; /* when it is asked for again */
};

/* ---- links.c ---- */

/** Signed in: from now on there may be links. @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int client_links_open(gap_client_t *c);
/** End them; calls end with GAP_E_CLOSED, from later ticks. No-op if they aren't open, and twice.
 */
void client_links_close(gap_client_t *c);
/** Open and not closing? */
bool client_links_are_open(const gap_client_t *c);
/** Send a call to where it is to go, now or later. @return 0; as gap_client_call_at, and the call
 * is still the caller's. */
GAP_NODISCARD int client_links_send(struct client_call *call);
/** The answer to a call is that it has to go elsewhere, or its link has gone for another one.
 * @return true: it has been sent again, or has ended; false: the answer stands. */
bool client_links_follow(struct client_call *call, const struct gap_call_result *result);
/** Put a call in a list of the links'. @return 0, GAP_E_LIMIT. */
GAP_NODISCARD int client_links_wait(struct client_calls *list, struct client_call *call);
/** Take the first one out. @return NULL: there is none. */
struct client_call *client_links_next(gap_client_t *c, struct client_calls *list);
/** Send every call of a list again; what can't be sent ends. */
void client_links_send_all(gap_client_t *c, struct client_calls *list);
/** Every call of a list ends so. The client may be closing then. */
void client_links_end_all(struct client_calls *list, const struct gap_call_result *result);
/** Move all of a list of the links' to one that is not. */
void client_links_take(gap_client_t *c, struct client_calls *from, struct client_calls *to);

/** The link of a data centre, made if need be. @return 0; GAP_E_NOT_FOUND, GAP_E_LIMIT and what
 * opening returned. */
GAP_NODISCARD int client_link_get(gap_client_t *c, int32_t dc, gap_connection_kind_t kind,
                                  struct client_link **out);
/** Open it, or wait for another link to the same data centre. */
GAP_NODISCARD int client_link_begin(struct client_link *l);
/** It may be spoken on: send what waits. */
void client_link_opened(struct client_link *l);
/** Close it; it may be gone when this returns. What waits has been taken away. */
void client_link_close(struct client_link *l);
/** RENEWING: close its link; the next one is opened then. */
void client_link_reopen(struct client_link *l);
/** Free it if nothing is to come any more. */
void client_link_gone(struct client_link *l);
/** Plan what happens if nothing does: idle, or not let in. */
void client_link_plan(struct client_link *l);

/* ---- links_join.c ---- */

/** Is another link being let in at this data centre? */
bool client_link_has_joiner(const struct client_link *l);
/** CONNECTING: go on if everything for it is there. */
void client_link_join(struct client_link *l);
/** Who is being let in there has to be let in once more. */
void client_links_join_anew(gap_client_t *c, int32_t dc);
/** OPEN, but the data centre doesn't know the account (any more). */
void client_link_lapsed(struct client_link *l);
/** The key is dead: all links of the data centre get a new one. */
void client_link_renew(struct client_link *l);
/** It was not let in: its calls, and those that wait for the same, end so. */
void client_link_fail(struct client_link *l, const struct gap_call_result *result);
/** The same with a status. */
void client_link_fail_with(struct client_link *l, int status);

/* ---- links_home.c ---- */

/** Ask for the configuration, if it is not being asked for. */
void client_links_ask_config(gap_client_t *c);
void client_links_on_config_timer(gap_rt_t *rt, gap_timer_t *timer);
/** 303 USER_MIGRATE: the account lives elsewhere now; follow it. @return false: that can't be. */
bool client_links_move(gap_client_t *c, int32_t dc);
/** Let in at the new home. */
void client_links_arrive(gap_client_t *c);
/** Not let in there. */
void client_links_stay(gap_client_t *c, const struct gap_call_result *result);
/** There is a main link again. */
void client_links_home(gap_client_t *c);

#endif
