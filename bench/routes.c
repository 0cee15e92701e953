/*
 * bench/routes.c - what finding the handler of an update costs: a router with ten commands beside
 * one with a thousand, and the longest text against a pattern that fits it in many ways.
 */
#include "bench/bench.h"

#include "base/bytes.h"
#include "sequence/update.h"

#include <gapless/route.h>
#include <gapless/tl_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS  11
#define ROUTES  1000
#define UPDATES 1000
#define PASSES  100

struct work {
    gap_update_t updates[UPDATES];
    gap_bytes_t bytes[UPDATES];
    uint64_t handled;
    uint64_t sum;
};

static gap_bytes_t serialise(gap_tl_object_t object)
{
    int64_t size = gap_tl_size(object);
    bench_must(size < 0 ? (int)size : 0, "a message");
    uint8_t *data = malloc((size_t)size);
    bench_must(data == NULL ? GAP_E_NOMEM : 0, "a message");
    size = gap_tl_write(object, data, (size_t)size);
    bench_must(size < 0 ? (int)size : 0, "a message");
    return gap_bytes(data, (size_t)size);
}

/* "/do_N argument", from a user in a group. */
static void make(struct work *w, uint32_t i, gap_bytes_t text, int32_t command)
{
    static const gap_tl_vector_t nobody = {NULL, 0, NULL, 0};
    static const struct gap_update_owner owner = {NULL, false};
    gap_tl_peer_user_t user = {4711};
    gap_tl_peer_chat_t chat = {815};
    gap_tl_message_entity_bot_command_t entity = {0, command};
    gap_tl_object_t entities[] = {GAP_TL_OF(GAP_TL_MESSAGE_ENTITY_BOT_COMMAND, &entity)};
    gap_tl_message_t m = {
        .flags = GAP_TL_MESSAGE_F_FROM_ID | (command > 0 ? GAP_TL_MESSAGE_F_ENTITIES : 0),
        .id = (int32_t)i + 1,
        .from_id = GAP_TL_OF(GAP_TL_PEER_USER, &user),
        .peer_id = GAP_TL_OF(GAP_TL_PEER_CHAT, &chat),
        .date = 1700000000,
        .message = text,
        .entities = gap_tl_array(entities, 1),
    };
    gap_tl_update_new_message_t u = {GAP_TL_OF(GAP_TL_MESSAGE, &m), 1, 1};
    struct gap_item item;

    w->bytes[i] = serialise(GAP_TL_OF(GAP_TL_UPDATE_NEW_MESSAGE, &u));
    bench_must(gap_item_read(w->bytes[i], &item), "an update");
    gap_update_init(&w->updates[i], &item, nobody, nobody);
    w->updates[i].owner = &owner;
}

static void unmake(struct work *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        union {
            const uint8_t *in;
            void *out;
        } pointer = {w->bytes[i].data};
        free(pointer.out);
    }
}

static int handler(gap_update_t *update, const gap_match_t *match, void *data)
{
    struct work *w = data;

    (void)update;
    w->handled++;
    w->sum += (uint64_t)match->chat.id + match->arguments.len + match->capture_count;
    return 0;
}

/* What a handler without a router would do. */
static int bare(gap_update_t *update, void *data)
{
    struct work *w = data;
    gap_message_t message;

    int r = gap_message_read(update, &message);
    if (r != 0) return r;
    w->handled++;
    w->sum += (uint64_t)message.chat.id + message.text.len;
    return 0;
}

/* Nanoseconds for one update. */
static double measure(struct bench *b, struct work *w, uint32_t count, gap_update_cb handle,
                      void *data)
{
    double ns[ROUNDS];
    int rounds = b->quick ? 2 : ROUNDS;
    uint32_t passes = b->quick ? 1 : count == 1 ? PASSES : PASSES / 10;

    for (int round = 0; round < rounds; round++) {
        w->handled = 0;
        uint64_t start = bench_cpu_ns();
        for (uint32_t p = 0; p < passes; p++) {
            for (uint32_t i = 0; i < count; i++)
                bench_must(handle(&w->updates[i], data), "a handler");
        }
        ns[round] = (double)(bench_cpu_ns() - start) / ((double)passes * count);
        bench_must(w->handled == (uint64_t)passes * count ? 0 : GAP_E_STATE,
                   "not every update found its handler");
    }
    bench_hash(b, w->handled);
    return bench_median(ns, (size_t)rounds);
}

static double commands(struct bench *b, struct work *w, uint32_t routes)
{
    gap_router_t *router;
    char name[32];

    bench_must(gap_router_new(NULL, &router), "a router");
    for (uint32_t i = 0; i < routes; i++) {
        (void)snprintf(name, sizeof name, "do_%u", (unsigned)i);
        bench_must(gap_router_command(router, name, handler, w), "a route");
    }
    for (uint32_t i = 0; i < UPDATES; i++) {
        int len = snprintf(name, sizeof name, "/do_%u", (unsigned)(i * 7 % routes));
        (void)snprintf(name + len, sizeof name - (size_t)len, " argument");
        make(w, i, gap_str(name), len);
    }
    double ns = measure(b, w, UPDATES, gap_router_handle, router);
    gap_router_free(router);
    return ns;
}

static double pattern(struct bench *b, struct work *w)
{
    const gap_route_t route = {.filter.pattern = "*a*a*a*a*a*a*a*", .handler = handler, .data = w};
    static char text[4096];
    gap_router_t *router;

    memset(text, 'a', sizeof text);
    make(w, 0, gap_bytes(text, sizeof text), 0);
    bench_must(gap_router_new(NULL, &router), "a router");
    bench_must(gap_router_add(router, &route), "a route");
    double ns = measure(b, w, 1, gap_router_handle, router);
    gap_router_free(router);
    return ns;
}

void bench_routes(struct bench *b)
{
    struct work *w = calloc(1, sizeof *w);

    bench_must(w == NULL ? GAP_E_NOMEM : 0, "memory");
    double ten = commands(b, w, 10);
    unmake(w, UPDATES);
    double thousand = commands(b, w, ROUTES);
    double none = measure(b, w, UPDATES, bare, w);
    unmake(w, UPDATES);
    bench_report(b, &(struct bench_row){"runner", "routes", "ns_per_update", thousand, "ns",
                                        "a router with 10 commands", thousand / ten});
    bench_report(b, &(struct bench_row){"runner", "routes", "message_alone_ns", none, "ns",
                                        "1000 commands", none / thousand});
    double long_text = pattern(b, w);
    unmake(w, 1);
    bench_report(b, &(struct bench_row){"runner", "routes", "pattern_4096_ns", long_text, "ns",
                                        "a byte a nanosecond", long_text / 4096});
    bench_hash(b, w->sum != 0);
    free(w);
}
