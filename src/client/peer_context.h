/*
 * client/peer_context.h - where partial peers were seen: chat and message, the newest one. With
 * them the server finds a peer whose access hash is not known (inputPeerUserFromMessage).
 *
 * A table of sets of four; it grows to GAP_CLIENT_CONTEXTS_MAX entries, then the oldest of a set
 * makes room.
 */
#ifndef GAP_CLIENT_PEER_CONTEXT_H
#define GAP_CLIENT_PEER_CONTEXT_H

#include <gapless/update.h>

/** Entries; 2 MiB. */
#define GAP_CLIENT_CONTEXTS_MAX 65536
/** A context that goes on changing is stored anew at most this often. */
#define GAP_CLIENT_CONTEXT_STORE_S 3600

struct client_context {
    gap_peer_t chat;
    int32_t msg_id;
};

struct client_context_slot;

struct client_contexts {
    const gap_alloc_t *alloc;
    struct client_context_slot *slots;
    size_t cap; /* 0 or a power of two */
    size_t count;
    uint32_t clock;
};

void client_contexts_init(struct client_contexts *t, const gap_alloc_t *alloc);
/** Safe twice. */
void client_contexts_fini(struct client_contexts *t);
/**
 * Keep where a peer was seen, in place of what was kept before. Out of memory: an older entry makes
 * room, or nothing is kept.
 * @param now_s  Any clock in seconds. @return true if it is time to store it.
 */
bool client_contexts_set(struct client_contexts *t, gap_peer_t peer, struct client_context where,
                         uint32_t now_s);
bool client_contexts_get(const struct client_contexts *t, gap_peer_t peer,
                         struct client_context *out);
/** It led nowhere: the message is gone. */
void client_contexts_drop(struct client_contexts *t, gap_peer_t peer);

#endif
