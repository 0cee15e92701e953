/*
 * sequence/peers.h - the users, basic groups and channels that an account has seen: id, access
 * hash, and whether the hash came with a full object or a partial ("min") one.
 *
 * One sorted table with gaps, 16 bytes a slot, 67 to 88 % full: at most 24 bytes an entry, nothing
 * else. A peer is never forgotten; beyond GAP_PEERS_MAX no new one is learned.
 */
#ifndef GAP_SEQUENCE_PEERS_H
#define GAP_SEQUENCE_PEERS_H

#include "sequence/updates.h"

/** Entries; about 100 MB. */
#define GAP_PEERS_MAX ((size_t)4 << 20)

struct gap_peer_slot;

typedef struct gap_peers {
    const gap_alloc_t *alloc;
    struct gap_peer_slot *slots;
    size_t cap;    /* slots */
    size_t count;  /* peers */
    uint64_t puts; /* rises with everything that may change the table */
    struct {
        int64_t id; /* 0: none */
        int64_t access_hash;
    } last[4]; /* by gap_peer_kind_t: the peer learned last from a full object with a hash. Most
                  containers name the users and chats of the one before, or ask at once about
                  those they brought */
} gap_peers_t;

/** What is known about a peer. */
struct gap_peer_info {
    int64_t access_hash; /* 0 if none was ever given; always 0 for basic groups */
    bool min;            /* only ever seen as a partial object: the hash does not open it */
    bool forbidden;      /* last seen as channelForbidden or chatForbidden */
    bool has_hash;
};

void gap_peers_init(gap_peers_t *p, const gap_alloc_t *alloc);
/** Safe twice. */
void gap_peers_fini(gap_peers_t *p);

/**
 * Learn everybody of a Vector<User> or Vector<Chat>. A partial ("min") object never replaces what a
 * full one said. Ids that are not positive or above 2^53 are passed over.
 *
 * @param vector  Elements that were checked, as in struct gap_updates and gap_difference.
 * @return 0; GAP_E_NOMEM (what came before is learned); GAP_E_LIMIT the table is full (known peers
 * were brought up to date); GAP_E_TL... malformed.
 */
GAP_NODISCARD int gap_peers_learn(gap_peers_t *p, gap_tl_vector_t vector);
/** Learn or correct one. @return 0, GAP_E_NOMEM, GAP_E_LIMIT, GAP_E_ARGUMENT id out of range. */
GAP_NODISCARD int gap_peers_set(gap_peers_t *p, gap_peer_t peer, const struct gap_peer_info *info);
/** @return true with *out set (out may be NULL) if the peer is known, be it as a partial one. */
bool gap_peers_find(const gap_peers_t *p, gap_peer_t peer, struct gap_peer_info *out);

/** Iterate over all of them, in no order: *it starts with 0; nothing is learned in between.
 * @return false at the end. */
bool gap_peers_next(const gap_peers_t *p, size_t *it, gap_peer_t *peer, struct gap_peer_info *out);

enum gap_peers_verdict {
    GAP_PEERS_KNOWN = 0,   /* everybody it names */
    GAP_PEERS_MIN = 1,     /* everybody, but some only from partial objects */
    GAP_PEERS_UNKNOWN = 2, /* somebody was never seen */
};

/**
 * Are the peers that a message names known: chat, sender, origin of a forward, inline bot, users
 * mentioned by id? Service messages: chat and sender only (their content is never a reason to
 * fetch). Updates without a message: known.
 *
 * @param item  An item with a message (GAP_ITEM_HAS_MESSAGE or GAP_ITEM_MESSAGE), not a short form.
 * @param who   The first peer that decided a verdict other than KNOWN; may be NULL.
 * @return gap_peers_verdict; GAP_E_TL, GAP_E_TL_ID, GAP_E_LIMIT malformed.
 */
GAP_NODISCARD int gap_peers_check(const gap_peers_t *p, const struct gap_item *item,
                                  gap_peer_t *who);

#endif
