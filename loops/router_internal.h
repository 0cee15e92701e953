/*
 * loops/router_internal.h - what the files of the router share.
 *
 *   router.c          adding routes; an update's way through them
 *   router_session.c  session data: who has a key, loading, writing
 *
 * A run is an update on its way through a router. It is the update's relay (sequence/update.h) from
 * the moment a route fits until the owner lets go of it, or until the router has returned what came
 * of it, if nothing is left to be done at the end.
 *
 *   FINDING -> [WAITING for a key -> LOADING its value] -> HANDLING -> LATER -> (ENDING) -> gone
 *
 * A run that its owner gives up meanwhile (a time-out) is `over`: its key goes on to the next, its
 * memory stays until nobody looks at it.
 *
 * Everything belongs to the loop thread; while a handler runs on a thread of the library it has
 * `match`, `shown` and `pending` of its run to itself.
 */
#ifndef GAP_LOOPS_ROUTER_INTERNAL_H
#define GAP_LOOPS_ROUTER_INTERNAL_H

#include "base/pool.h"
#include "runner/kept_values.h"
#include "runner/routes.h"
#include "sequence/update.h"

#include <sys/queue.h>

struct router_use {
    gap_before_cb before;
    gap_after_cb after;
    void *data;
};

struct router_run;
TAILQ_HEAD(router_runs, router_run);

/** Session data of the outermost router. */
struct router_sessions {
    gap_session_config_t config;
    struct gap_kept_values values;
    struct router_runs woken; /* they have their key now */
    bool waking;
};

struct gap_router {
    const gap_alloc_t *alloc;
    gap_router_t *parent; /* NULL: the outermost */
    struct gap_routes routes;
    gap_pool_t runs; /* of the outermost */
    struct router_sessions *sessions;
    gap_route_cb fallback; /* the default handler */
    void *fallback_data;
    gap_error_cb error;
    void *error_data;
    bool used; /* of the outermost: an update has come */
    uint8_t use_count;
    struct router_use uses[GAP_ROUTER_USES_MAX];
    char username[GAP_USERNAME_MAX + 1];
};

/** Where an update is in one router. */
struct router_frame {
    gap_router_t *router;
    uint32_t at;   /* the route to look at next */
    uint8_t begun; /* middleware that is in front of it by now */
    bool entered;  /* the middleware had its turn */
    bool last;     /* the default handler had its */
};

enum router_run_state {
    RUN_FINDING = 0,
    RUN_WAITING,  /* for its key */
    RUN_LOADING,  /* its value */
    RUN_HANDLING, /* a handler is being called */
    RUN_LATER,    /* it goes on later */
    RUN_ENDING,   /* the owner's gap_update_end is awaited */
};

struct router_run {
    struct gap_relay relay;
    gap_router_t *root;
    gap_update_t *update;
    struct gap_facts facts;
    struct router_frame frames[GAP_ROUTER_DEPTH_MAX];
    uint8_t depth;
    uint8_t state;   /* enum router_run_state */
    bool found;      /* `rule`, or the default handler, is next */
    bool finished;   /* from inside the handler, with `status` */
    bool opened;     /* session data had its turn */
    bool after;      /* an `after` is being called */
    bool loaded_now; /* the value came from inside the call that asked for it */
    int status;
    const struct gap_rule *rule; /* NULL: the default handler */

    bool over;                    /* it does not count any more */
    TAILQ_ENTRY(router_run) turn; /* woken */
    struct router_run *behind;    /* waits for the same key */
    struct gap_kept_value *value; /* whose key it has or waits for; NULL: none, or not any more */
    gap_packet_t *shown;          /* what it was, for the handler; NULL: empty */
    gap_packet_t *pending;        /* what it is to be; NULL: empty */
    gap_packet_t *front;          /* what that was in front of its transaction; NULL: empty */
    bool keyed;                   /* it has session data */
    bool has_pending;
    bool had_pending; /* in front of its transaction */
    bool saved;       /* in the commit of its transaction */
};

extern const struct gap_relay_ops router_relay_ops;

/* ---- router.c ---- */

/** Go on with a run that has waited: @p status 0, or why it can't go on. May call handlers; the run
 * may be gone. */
void router_resume(struct router_run *run, int status);

/* ---- router_session.c ---- */

/** Get hold of the key and its value. @return 0 there, or there are none; GAP_LATER router_resume
 * follows; negative: failed. */
GAP_NODISCARD int router_session_open(struct router_run *run);
/** The run is at its end. @param status 0: write what was set. @return @p status, or why it can't
 * be written. The key goes to the next who waits, which router_session_wake calls. */
GAP_NODISCARD int router_session_close(struct router_run *run, int status);
/** Call those who have got their keys. */
void router_session_wake(gap_router_t *root);
/** It does not count any more, though its handler may be at work: let the key go. */
void router_session_leave(struct router_run *run);
/** Inside a transaction: write what was set. @return 0 or negative. */
GAP_NODISCARD int router_session_save_in(struct router_run *run, struct sqlite3 *db);
/** A transaction follows: what is set until now is not its own. */
void router_session_begin(struct router_run *run);
/** It is run, perhaps again: what it has set is forgotten. */
void router_session_again(struct router_run *run);
void router_sessions_free(gap_router_t *router);

#endif
