/*
 * outbox/gates.c - closed gates in a map and in a heap by the time at which they open.
 */
#include "outbox/gates.h"

#include "base/assert.h"

#include <gapless/tl_api.h>

#define PER_SLAB 64

struct node {
    gap_heap_node_t heap; /* first: the heap gives it back */
    struct node *next;    /* of the same hash */
    struct gap_gate gate;
};

void gap_gates_init(struct gap_gates *g, const gap_alloc_t *alloc)
{
    gap_map_init(&g->map, alloc);
    gap_heap_init(&g->heap, alloc);
    gap_pool_init(&g->pool, alloc, sizeof(struct node), PER_SLAB);
    g->forgotten = 0;
}

void gap_gates_fini(struct gap_gates *g)
{
    gap_map_fini(&g->map);
    gap_heap_fini(&g->heap);
    gap_pool_fini(&g->pool);
}

bool gap_gate_sends(uint32_t method)
{
    switch (method) {
    case GAP_TL_MESSAGES_SEND_MESSAGE:
    case GAP_TL_MESSAGES_SEND_MEDIA:
    case GAP_TL_MESSAGES_SEND_MULTI_MEDIA:
    case GAP_TL_MESSAGES_FORWARD_MESSAGES:
    case GAP_TL_MESSAGES_SEND_INLINE_BOT_RESULT:
        return true;
    default:
        return false;
    }
}

static uint64_t key_of(uint32_t method, int64_t chat)
{
    uint64_t key = gap_hash64((uint64_t)chat + gap_hash64((uint64_t)method + 1));

    return key == 0 ? 1 : key;
}

static struct node *find(const struct gap_gates *g, uint32_t method, int64_t chat)
{
    struct node *n = gap_map_get(&g->map, key_of(method, chat));

    while (n != NULL && (n->gate.method != method || n->gate.chat != chat)) n = n->next;
    return n;
}

static void forget(struct gap_gates *g, struct node *n)
{
    uint64_t key = key_of(n->gate.method, n->gate.chat);
    struct node *first = gap_map_get(&g->map, key);

    if (first != n) {
        while (first->next != n) first = first->next;
        first->next = n->next;
    } else if (n->next == NULL) {
        (void)gap_map_remove(&g->map, key);
    } else {
        int r = gap_map_set(&g->map, key, n->next);
        GAP_ASSERT(r == 0); /* the key is there: nothing is allocated */
    }
    gap_heap_remove(&g->heap, &n->heap);
    gap_pool_put(&g->pool, n);
}

static struct node *soonest(const struct gap_gates *g)
{
    return (struct node *)gap_heap_min(&g->heap);
}

static void expire(struct gap_gates *g, int64_t now_us)
{
    for (struct node *n; (n = soonest(g)) != NULL && n->gate.until_us <= now_us;) forget(g, n);
}

/* Close it, or keep it closed for longer. until_us is above 0. */
static int close_gate(struct gap_gates *g, const struct gap_gate *gate)
{
    struct node *n = find(g, gate->method, gate->chat);

    if (n != NULL) {
        if (gate->until_us <= n->gate.until_us) return 0;
        n->gate.until_us = gate->until_us;
        gap_heap_remove(&g->heap, &n->heap);
        return gap_heap_insert(&g->heap, &n->heap, (uint64_t)gate->until_us);
    }
    if (g->heap.count >= GAP_GATES_MAX) {
        forget(g, soonest(g));
        g->forgotten++;
    }
    int r = gap_map_reserve(&g->map, 1);
    if (r == 0) r = gap_heap_reserve(&g->heap, g->heap.count + 1);
    if (r == 0) r = gap_pool_reserve(&g->pool, 1);
    if (r < 0) return r;
    n = gap_pool_get(&g->pool);
    GAP_ASSERT(n != NULL);
    uint64_t key = key_of(gate->method, gate->chat);
    n->heap.place = 0;
    n->gate = *gate;
    n->next = gap_map_get(&g->map, key);
    r = gap_map_set(&g->map, key, n);
    return r < 0 ? r : gap_heap_insert(&g->heap, &n->heap, (uint64_t)gate->until_us);
}

int gap_gates_load(struct gap_gates *g, const struct gap_gate *gate, int64_t now_us)
{
    struct gap_gate kept = *gate;

    expire(g, now_us);
    if (kept.until_us <= now_us || kept.until_us <= 0) return 0;
    if (kept.until_us - now_us > GAP_GATE_MAX_US) kept.until_us = now_us + GAP_GATE_MAX_US;
    return close_gate(g, &kept);
}

/* Did another chat run into the same limit, so that it is not the chat's? */
static bool hit_elsewhere(const struct gap_gates *g, uint32_t method, int64_t chat)
{
    for (size_t i = 0; i < g->heap.count; i++) {
        const struct node *n = (const struct node *)g->heap.nodes[i];
        if (n->gate.method == method && n->gate.chat != chat && n->gate.chat != 0) return true;
    }
    return false;
}

int gap_gates_learn(struct gap_gates *g, uint32_t method, int64_t chat, int64_t wait_s, bool slow,
                    int64_t now_us, struct gap_gate learned[GAP_GATE_LEARNED_MAX], size_t *count)
{
    int64_t wait_us = wait_s <= 1                                    ? GAP_GATE_MIN_US
                      : wait_s >= GAP_GATE_MAX_US / INT64_C(1000000) ? GAP_GATE_MAX_US
                                                                     : wait_s * INT64_C(1000000);

    expire(g, now_us);
    learned[0] = (struct gap_gate){
        .chat = chat, .until_us = now_us + wait_us, .method = slow ? GAP_GATE_SENDING : method};
    *count = 1;
    if (!slow && chat != 0 && hit_elsewhere(g, method, chat)) {
        learned[1] = learned[0];
        learned[1].chat = 0;
        *count = 2;
    }
    int r = 0;
    for (size_t i = *count; i-- > 0;) {
        int status = close_gate(g, &learned[i]);
        if (status < 0) {
            r = status;
            continue;
        }
        /* It may have been closed for longer. */
        learned[i] = find(g, learned[i].method, learned[i].chat)->gate;
    }
    return r;
}

static void later(const struct node *n, const struct node **latest)
{
    if (n != NULL && (*latest == NULL || n->gate.until_us > (*latest)->gate.until_us)) *latest = n;
}

int64_t gap_gate_until(struct gap_gates *g, uint32_t method, int64_t chat, int64_t now_us,
                       struct gap_gate *which)
{
    const struct node *latest = NULL;

    if (g->heap.count == 0) return 0;
    expire(g, now_us);
    later(find(g, method, chat), &latest);
    if (chat != 0) {
        later(find(g, method, 0), &latest);
        if (gap_gate_sends(method)) later(find(g, GAP_GATE_SENDING, chat), &latest);
    }
    later(find(g, GAP_GATE_ANY, 0), &latest);
    if (latest == NULL) return 0;
    if (which != NULL) *which = latest->gate;
    return latest->gate.until_us;
}

size_t gap_gates_count(struct gap_gates *g, int64_t now_us)
{
    expire(g, now_us);
    return g->heap.count;
}
