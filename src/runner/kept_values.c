/*
 * runner/kept_values.c - values by key within a bound. Pure; owns the values.
 */
#include "runner/kept_values.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/packet.h"

#include <string.h>

void gap_kept_values_init(struct gap_kept_values *k, const gap_alloc_t *alloc, size_t bytes_max)
{
    k->alloc = alloc;
    gap_map_init(&k->map, alloc);
    TAILQ_INIT(&k->lru);
    k->bytes = 0;
    k->bytes_max = bytes_max;
}

gap_bytes_t gap_kept_value_bytes(const gap_packet_t *packet)
{
    return packet == NULL ? gap_bytes(NULL, 0) : gap_bytes(packet->data, packet->len);
}

static size_t cost(const struct gap_kept_value *v)
{
    return sizeof *v + v->key_len + gap_kept_value_bytes(v->packet).len;
}

static uint64_t hash_of(gap_bytes_t key)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325) + key.len;

    for (size_t i = 0; i < key.len; i++) {
        h ^= key.data[i];
        h *= UINT64_C(0x100000001b3);
    }
    h = gap_hash64(h);
    return h == 0 ? 1 : h;
}

static void forget(struct gap_kept_values *k, struct gap_kept_value *v)
{
    struct gap_kept_value *at = gap_map_get(&k->map, v->hash);

    if (at == v && v->next == NULL) {
        (void)gap_map_remove(&k->map, v->hash);
    } else if (at == v) {
        /* The key is there already: nothing is allocated. */
        int r = gap_map_set(&k->map, v->hash, v->next);
        GAP_ASSERT(r == 0);
    } else {
        while (at->next != v) at = at->next;
        at->next = v->next;
    }
    k->bytes -= cost(v);
    gap_packet_unref(v->packet);
    gap_free(k->alloc, v);
}

static void trim(struct gap_kept_values *k)
{
    struct gap_kept_value *v;

    while (k->bytes > k->bytes_max && (v = TAILQ_FIRST(&k->lru)) != NULL) {
        TAILQ_REMOVE(&k->lru, v, lru);
        forget(k, v);
    }
}

void gap_kept_values_fini(struct gap_kept_values *k)
{
    struct gap_kept_value *v;

    while ((v = TAILQ_FIRST(&k->lru)) != NULL) {
        TAILQ_REMOVE(&k->lru, v, lru);
        forget(k, v);
    }
    GAP_ASSERT(k->bytes == 0);
    gap_map_fini(&k->map);
}

struct gap_kept_value *gap_kept_values_take(struct gap_kept_values *k, gap_bytes_t key)
{
    uint64_t hash = hash_of(key);
    struct gap_kept_value *first = gap_map_get(&k->map, hash);

    for (struct gap_kept_value *v = first; v != NULL; v = v->next) {
        if (!gap_bytes_equal(gap_bytes(v->key, v->key_len), key)) continue;
        if (v->taken++ == 0) TAILQ_REMOVE(&k->lru, v, lru);
        return v;
    }
    struct gap_kept_value *v = gap_calloc(k->alloc, 1, sizeof *v + key.len);
    if (v == NULL) return NULL;
    v->hash = hash;
    v->next = first;
    v->taken = 1;
    v->key_len = (uint8_t)key.len;
    memcpy(v->key, key.data, key.len);
    if (gap_map_set(&k->map, hash, v) < 0) {
        gap_free(k->alloc, v);
        return NULL;
    }
    k->bytes += cost(v);
    return v;
}

void gap_kept_values_release(struct gap_kept_values *k, struct gap_kept_value *v)
{
    GAP_ASSERT(v->taken > 0);
    if (--v->taken > 0) return;
    GAP_ASSERT(v->holder == NULL);
    if (v->known) {
        TAILQ_INSERT_TAIL(&k->lru, v, lru);
        trim(k);
    } else {
        forget(k, v);
    }
}

void gap_kept_values_set(struct gap_kept_values *k, struct gap_kept_value *v, gap_packet_t *packet)
{
    k->bytes -= cost(v);
    gap_packet_unref(v->packet);
    v->packet = packet;
    v->known = true;
    k->bytes += cost(v);
}
