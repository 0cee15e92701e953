/*
 * store/waiting.h - records on their way to a storage: each key once, the latest version. While a
 * commit is in flight the records in it stay as they are, and what comes meanwhile waits for the
 * next one; a commit that failed gives its records back, under those that came since.
 *
 * A peer's names stay what an earlier version said if a later one says nothing of them, and a name
 * belongs to the peer that was given it last: the order of records with names is kept. So is that
 * of done records, dead letters, values and calls, which wait one by one.
 */
#ifndef GAP_STORE_WAITING_H
#define GAP_STORE_WAITING_H

#include "base/map.h"

#include <gapless/store.h>
#include <sys/queue.h>

struct gap_waiting_entry;
TAILQ_HEAD(gap_waiting_list, gap_waiting_entry);

/** Phone and usernames of a peer, in one block. */
struct gap_names {
    gap_bytes_t phone;
    size_t count;
    gap_bytes_t usernames[];
};

typedef struct gap_waiting {
    const gap_alloc_t *alloc;
    size_t peers_max;
    size_t bytes_max;
    size_t peers;                        /* entries of peers, those in flight included */
    size_t bytes;                        /* of the journal's records, those in flight included */
    size_t calls;                        /* waiting */
    size_t rows;                         /* dead letters and values that wait */
    size_t count;                        /* waiting */
    size_t flying;                       /* in the commit that is in flight */
    uint64_t inbox_seen;                 /* greatest number that may be in the storage */
    struct gap_waiting_entry *single[3]; /* account, state, boot */
    gap_map_t
        keyed[5]; /* newest version, by id: channels' positions; users, chats, channels; inbox */
    struct gap_waiting_list waiting;
    struct gap_waiting_list taken;
    struct gap_waiting_list settled; /* calls that are through */
    gap_record_t *records;           /* those in flight */
} gap_waiting_t;

/** @param bytes_max Of the journal's records that wait; one more is taken if none does. */
void gap_waiting_init(gap_waiting_t *w, const gap_alloc_t *alloc, size_t peers_max,
                      size_t bytes_max);
/** Safe twice. No commit is in flight; calls have been abandoned and asked for. */
void gap_waiting_fini(gap_waiting_t *w);

/** Add or replace; copied. A row of the inbox that is removed before any commit took it vanishes.
 * @return 0; GAP_E_NOMEM (nothing has changed); GAP_E_LIMIT a peer, or bytes, too many;
 * GAP_E_ARGUMENT no id, an unknown kind, or a call. */
GAP_NODISCARD int gap_waiting_put(gap_waiting_t *w, const gap_record_t *record);
/** Add a call; copied but for its argument. @param owner gap_waiting_settled() gives it back.
 * @return 0, GAP_E_NOMEM, GAP_E_ARGUMENT. */
GAP_NODISCARD int gap_waiting_call(gap_waiting_t *w, const gap_call_record_t *call, void *owner);
/** The next call that is through. @return false: there is none. */
bool gap_waiting_settled(gap_waiting_t *w, void **owner, int *result);
/** All calls that wait are through: they will not be run. */
void gap_waiting_abandon(gap_waiting_t *w);

/** Everything that waits goes into a commit. @param out w->flying of them, oldest first; pinned
 * until gap_waiting_done. @return 0, GAP_E_NOMEM (nothing was taken). */
GAP_NODISCARD int gap_waiting_take(gap_waiting_t *w, const gap_record_t **out);
/** The commit is over. @param stored false: its records wait again. */
void gap_waiting_done(gap_waiting_t *w, bool stored);

/** @return the waiting record, or NULL. No commit is in flight. */
const gap_record_t *gap_waiting_get(const gap_waiting_t *w, gap_record_kind_t kind,
                                    gap_peer_t peer);
/** The last waiting row of a dead letter, value or inbox number (only @p key's key counts), put or
 * removed; NULL: none. No commit is in flight. */
const gap_record_t *gap_waiting_row(const gap_waiting_t *w, const gap_record_t *key);
/** Those that wait of a kind, in their order, into @p out: at most @p room. @return how many there
 * are. No commit is in flight. */
size_t gap_waiting_rows(const gap_waiting_t *w, gap_record_kind_t kind, const gap_record_t **out,
                        size_t room);
/** Who was given that name last. @return NULL: none of those that wait. No commit is in flight. */
const gap_record_t *gap_waiting_named(const gap_waiting_t *w, const gap_peer_key_t *key);

/** Copy a peer's names. @return 0 with *out (NULL: it has none), GAP_E_NOMEM. Free with gap_free.
 */
GAP_NODISCARD int gap_names_copy(const gap_alloc_t *alloc, const gap_peer_record_t *peer,
                                 struct gap_names **out);
/** Point the record's names at the copy. @param names NULL: none. */
void gap_names_apply(gap_peer_record_t *peer, const struct gap_names *names);

#endif
