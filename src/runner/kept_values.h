/*
 * runner/kept_values.h - values by key, kept in memory within a bound: those not used longest leave
 * it first. Who uses a value takes it, and lets it go again; one that is taken stays. Pure.
 */
#ifndef GAP_RUNNER_KEPT_VALUES_H
#define GAP_RUNNER_KEPT_VALUES_H

#include "base/map.h"

#include <gapless/route.h>
#include <sys/queue.h>

struct gap_kept_value {
    TAILQ_ENTRY(gap_kept_value) lru; /* nobody has taken it */
    struct gap_kept_value *next;     /* with the same hash */
    uint64_t hash;
    gap_packet_t *packet; /* NULL: empty */
    void *holder;         /* the user's: who works with it */
    void *first;          /* the user's: who waits for it, from */
    void *last;           /* to */
    uint32_t taken;
    bool known; /* what it is; false: it has to be read first */
    uint8_t key_len;
    uint8_t key[];
};

TAILQ_HEAD(gap_kept_list, gap_kept_value);

struct gap_kept_values {
    const gap_alloc_t *alloc;
    gap_map_t map; /* hash -> first struct gap_kept_value */
    struct gap_kept_list lru;
    size_t bytes; /* of all */
    size_t bytes_max;
};

void gap_kept_values_init(struct gap_kept_values *k, const gap_alloc_t *alloc, size_t bytes_max);
/** None may be taken. Safe twice. */
void gap_kept_values_fini(struct gap_kept_values *k);
/** @param key 1 to GAP_SESSION_KEY_MAX bytes. @return NULL: out of memory. */
struct gap_kept_value *gap_kept_values_take(struct gap_kept_values *k, gap_bytes_t key);
/** Let it go. One that is not known is forgotten with the last who has it. */
void gap_kept_values_release(struct gap_kept_values *k, struct gap_kept_value *v);
/** It is known to be this. @param packet Taken; NULL: empty. Who still looks at what it was has a
 * reference of their own. */
void gap_kept_values_set(struct gap_kept_values *k, struct gap_kept_value *v, gap_packet_t *packet);
/** What it is; empty if it is not known. */
gap_bytes_t gap_kept_value_bytes(const gap_packet_t *packet);

#endif
