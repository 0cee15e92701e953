/*
 * client/find.h - looking peers up: in memory, in the storage, at the server.
 *
 *   NEW --> [STORED] --> [ASKING] --> DONE          found on the way: DONE at once
 *                             \--> [WALKING] -/     a person's unknown id: through the dialogs
 *
 * Who asks for what is being looked for already waits with the first. Knows no client: the book and
 * the way to the server are handed in.
 */
#ifndef GAP_CLIENT_FIND_H
#define GAP_CLIENT_FIND_H

#include "client/link_text.h"
#include "client/peer_book.h"
#include "loops/loop.h"

#include <gapless/client.h>

/** Callers that wait, in all. */
#define GAP_CLIENT_FINDS_MAX 256
/** Dialogs of one page, and pages of one walk through them. */
#define GAP_CLIENT_DIALOGS_PAGE  100
#define GAP_CLIENT_DIALOGS_PAGES 5
/** The dialogs are gone through again after this long. */
#define GAP_CLIENT_DIALOGS_AGAIN_US UINT64_C(600000000)

struct client_finder;

struct client_finder_config {
    const gap_alloc_t *alloc;
    gap_rt_t *rt;
    struct client_book *book; /* pinned until closed */
    gap_client_t *client;     /* handed to callbacks */
    gap_invoke_cb invoke;     /* how to ask; errors are told, not repeated */
    void *invoke_arg;
};

/** @return 0, GAP_E_NOMEM. */
GAP_NODISCARD int client_finder_open(const struct client_finder_config *config,
                                     struct client_finder **out);
/** Look for somebody; @p callback follows from a tick, exactly once. @return 0; GAP_E_NOMEM;
 * GAP_E_LIMIT too many wait; GAP_E_CLOSED. */
GAP_NODISCARD int client_finder_find(struct client_finder *f, const char *who,
                                     gap_found_cb callback, void *data);
/** Close: who waits is told GAP_E_CLOSED, then @p closed runs, from a tick; what was asked must be
 * answered first. */
void client_finder_close(struct client_finder *f, void (*closed)(void *arg), void *arg);

#endif
