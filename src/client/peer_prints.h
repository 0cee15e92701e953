/*
 * client/peer_prints.h - what was stored last of a peer, and who has a name, as fingerprints: so
 * that the same objects over and over cost no write.
 *
 * A cache of sets of four, 8 bytes an entry: 16 bits tell which key, 48 what it is. It begins with
 * CLIENT_PRINTS_MIN entries and doubles, empty, when it turns out too small. Forgetting costs a
 * write, nothing else.
 */
#ifndef GAP_CLIENT_PEER_PRINTS_H
#define GAP_CLIENT_PEER_PRINTS_H

#include <gapless/base.h>

/** Entries at first and at most; powers of two. 8 KiB, 256 KiB. */
#define CLIENT_PRINTS_MIN 1024
#define CLIENT_PRINTS_MAX 32768

struct client_prints {
    const gap_alloc_t *alloc;
    uint64_t *slots;
    size_t cap;     /* 0: out of memory; nothing is remembered */
    size_t evicted; /* entries that made room for others, since it has this size */
    uint32_t turn;
};

/** No memory is taken before the first entry. */
void client_prints_init(struct client_prints *t, const gap_alloc_t *alloc);
/** Forget everything. Safe twice. */
void client_prints_fini(struct client_prints *t);

/** Is this what was remembered of the key? @param key, print  Well mixed. */
bool client_prints_same(const struct client_prints *t, uint64_t key, uint64_t print);
void client_prints_set(struct client_prints *t, uint64_t key, uint64_t print);
void client_prints_drop(struct client_prints *t, uint64_t key);

#endif
