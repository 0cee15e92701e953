/*
 * runner/chats.h - which chat an update is about: the default key of its lane.
 *
 * An update of a channel's sequence is about that channel. For the others the first field of the
 * update that names somebody is found once for each constructor, by its name in the schema: its
 * message, peer, channel, basic group, user. Deleted messages of private chats and basic groups
 * come by their ids alone: the chats of the last GAP_CHATS_RECENT ids are remembered.
 *
 * A query without a chat (inline, shipping, pre-checkout) is about the private chat with who asks:
 * in the account's own lane they would wait for each other. A deletion that is about too many chats
 * stands in the account's lane instead of the last ones: overtaking an update of a chat that it
 * does not name is harmless.
 *
 * Pure. Bytes were checked by whoever read them from the wire; what can't be read is about nobody.
 */
#ifndef GAP_RUNNER_CHATS_H
#define GAP_RUNNER_CHATS_H

#include "sequence/update.h"

/** Message ids of private chats and basic groups whose chats are remembered: a power of two. They
 * ascend by one, so these are the last ones. */
#define GAP_CHATS_RECENT 4096
/** Of what is about no chat. */
#define GAP_CHATS_ACCOUNT UINT64_C(1)
/** Keys of one update at most. */
#define GAP_CHATS_KEYS_MAX 8

struct gap_chats_slot;
struct gap_chats_rule;

typedef struct gap_chats {
    const gap_alloc_t *alloc;
    struct gap_chats_slot *recent; /* GAP_CHATS_RECENT of them, or NULL: no message yet */
    struct gap_chats_rule *rules;  /* by constructor */
} gap_chats_t;

/** @return 0 or GAP_E_NOMEM. */
GAP_NODISCARD int gap_chats_init(gap_chats_t *c, const gap_alloc_t *alloc);
/** Safe twice. */
void gap_chats_fini(gap_chats_t *c);

/** @param peer Not GAP_PEER_NONE. */
static inline uint64_t gap_chats_key(gap_peer_t peer)
{
    return (uint64_t)peer.id << 2 | (uint64_t)peer.kind;
}

/** Learn the chat of a new or edited message. Without memory nothing is learned. */
void gap_chats_learn(gap_chats_t *c, const gap_update_t *update);
/** May gap_chats_learn find something? A quick look. */
static inline bool gap_chats_concerns(const gap_update_t *update)
{
    return update->box == GAP_BOX_COMMON &&
           (update->flags & (GAP_ITEM_MESSAGE | GAP_ITEM_HAS_MESSAGE)) != 0;
}

/** The keys of an update. @return how many: 1 to GAP_CHATS_KEYS_MAX. */
int gap_chats_keys(const gap_chats_t *c, const gap_update_t *update,
                   uint64_t keys[GAP_CHATS_KEYS_MAX]);

#endif
