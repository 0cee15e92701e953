/*
 * client/find_internal.h - what the files of the finder share.
 *
 *   find.c          who waits for whom, in which order; telling them
 *   find_ask.c      the questions to the server, and what the answers mean
 *   find_dialogs.c  the walk through the dialogs
 */
#ifndef GAP_CLIENT_FIND_INTERNAL_H
#define GAP_CLIENT_FIND_INTERNAL_H

#include "client/find.h"

struct finder_waiter {
    STAILQ_ENTRY(finder_waiter) next;
    gap_found_cb callback;
    void *data;
};
STAILQ_HEAD(finder_waiters, finder_waiter);

enum lookup_state {
    LOOKUP_NEW = 0,
    LOOKUP_STORED,  /* the storage is asked */
    LOOKUP_ASKING,  /* the server is asked */
    LOOKUP_WALKING, /* waits for the dialogs */
    LOOKUP_DONE,    /* to be told */
};

/** Longest name of an rpc_error that is handed on, the final 0 included. */
#define FINDER_NAME_MAX 64
/** Longest text for people, the final 0 included. */
#define FINDER_TEXT_MAX 160

struct lookup {
    STAILQ_ENTRY(lookup) next;
    struct client_finder *finder;
    struct finder_waiters waiters;
    struct client_who who; /* kind 0: the text means nobody */
    enum lookup_state state;
    bool by_message;               /* ASKING: a partial peer by the message that names it */
    int status;                    /* DONE */
    struct client_address address; /* DONE with status 0 */
    char rpc_name[FINDER_NAME_MAX];
    char text[FINDER_TEXT_MAX];
};
STAILQ_HEAD(lookups, lookup);

/** How far the dialogs have been gone through. */
struct dialogs_walk {
    bool asking;
    bool ended; /* there are no further ones, or enough were seen */
    unsigned pages;
    uint64_t began_us;
    int32_t offset_date;
    int32_t offset_id;
    gap_peer_t offset_peer;
};

struct client_finder {
    struct client_finder_config config;
    gap_loop_t loop;
    struct lookups lookups;
    size_t waiting;
    struct dialogs_walk walk;
    void (*closed)(void *arg);
    void *closed_arg;
};

/* ---- find.c ---- */

/** It is over: a status with a text for people, or the address that was found. */
void lookup_fail(struct lookup *l, int status, const char *format, ...) GAP_PRINTF(3, 4);
void lookup_found(struct lookup *l, const struct client_address *address);
/** Can it be addressed well by now? Then it is over. @return true: it is. */
bool lookup_try(struct lookup *l);
/** A question has left. */
void lookup_hold(struct client_finder *f);
/** Its answer is there. @return false: the finder closes, nothing is of interest any more. */
bool lookup_drop(struct client_finder *f);

/* ---- find_ask.c ---- */

/** Ask the server, whatever that takes for this kind. */
void lookup_ask(struct lookup *l);
/** The server says no: what that means. */
void lookup_refused(struct lookup *l, const gap_answer_t *answer);

/* ---- find_dialogs.c ---- */

/** Look for it among the dialogs. */
void lookup_walk(struct lookup *l);

#endif
