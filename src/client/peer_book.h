/*
 * client/peer_book.h - what the client adds to the engine's table of peers: where partial ones were
 * seen, what of them is stored, and how to address any of them.
 *
 *   engine's `peers` --+
 *   answers -----------+--> partial or new? --> context; fingerprint differs --> storage
 *   updates -----------+--> names and phones that changed: read, patch, write
 *
 * Knows no client: the engine and the storage are handed in. Loop thread.
 */
#ifndef GAP_CLIENT_PEER_BOOK_H
#define GAP_CLIENT_PEER_BOOK_H

#include "client/peer_context.h"
#include "client/peer_prints.h"
#include "client/peer_record.h"
#include "loops/store_loop.h"

#include <gapless/engine.h>

/** Changes of names that wait for what is stored; beyond it the rest of a record is given up for
 * the change, and learned again. */
#define GAP_CLIENT_PATCHES_MAX 64

/** The storage, as a book sees it. */
struct client_book_ops {
    /** As gap_store_put. */
    int (*put)(void *arg, const gap_record_t *record);
    /** As gap_store_find; @p found is never called from inside. */
    int (*stored)(void *arg, const gap_peer_key_t *key, gap_store_found_cb found, void *found_arg);
    void *arg;
};

struct client_patch;
STAILQ_HEAD(client_patches, client_patch);

struct client_book {
    const gap_alloc_t *alloc;
    gap_engine_t *engine; /* NULL: none */
    struct client_book_ops ops;
    int64_t self_id;
    bool bot;
    bool storing;
    bool partials; /* some peer is known in part: worth looking at messages */
    bool patching; /* the first patch waits for the storage */
    size_t patch_count;
    struct client_patches patches;
    struct client_contexts contexts;
    struct client_prints prints; /* of records, by peer; of peers, by name and phone */
};

/** How a peer can be addressed. */
struct client_address {
    enum {
        CLIENT_ADDRESS_SELF = 1,
        CLIENT_ADDRESS_PLAIN, /* by access hash; basic groups by id alone */
        CLIENT_ADDRESS_ZERO,  /* partial; for bots a hash of 0 will often do */
        CLIENT_ADDRESS_SEEN,  /* by a message that names it */
    } how;
    gap_peer_t peer;
    int64_t access_hash;
    gap_peer_t chat; /* SEEN */
    int64_t chat_hash;
    bool chat_is_self;
    int32_t msg_id;
};

void client_book_init(struct client_book *b, const gap_alloc_t *alloc);
/** Safe twice. No call to ops.stored may be open. */
void client_book_fini(struct client_book *b);

/** The account is known; what was noted of another one is forgotten.
 * @param ops  Copied; NULL: nothing is stored. */
void client_book_begin(struct client_book *b, int64_t self_id, bool bot,
                       const struct client_book_ops *ops);
/** The engine to learn from and to ask; NULL: it closes. Borrowed. */
void client_book_use(struct client_book *b, gap_engine_t *engine);

/** A record that was stored; the engine learns it unless it knows better. @return 0; as
 * gap_engine_know. */
GAP_NODISCARD int client_book_know(struct client_book *b, const gap_peer_record_t *record);
/** Users and chats that the engine has learned. */
void client_book_peers(struct client_book *b, gap_tl_vector_t users, gap_tl_vector_t chats);
/** The answer to a call that does not concern the engine: learn whom it names. What can't be read
 * names nobody. */
void client_book_answer(struct client_book *b, gap_bytes_t value, uint32_t now_s);
/** An update on its way to the handlers. */
void client_book_update(struct client_book *b, const gap_update_t *update, uint32_t now_s);
/** Is a stored record of this peer about to be changed? */
bool client_book_is_changing(const struct client_book *b, gap_peer_t peer);

/**
 * How to address a peer. A basic group is always PLAIN, known or not.
 * @return 0; GAP_E_NOT_FOUND it can't be; GAP_E_ARGUMENT no such id or kind.
 */
GAP_NODISCARD int client_book_address(const struct client_book *b, gap_peer_t peer,
                                      struct client_address *out);

/** Serialise an address: as an InputPeer, or an InputUser or InputChannel (not of basic groups). */
void client_address_peer(const struct client_address *a, uint8_t storage[64], gap_tl_object_t *out);
void client_address_bare(const struct client_address *a, uint8_t storage[64], gap_tl_object_t *out);

#endif
