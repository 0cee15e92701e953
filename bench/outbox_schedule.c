/*
 * bench/outbox_schedule.c - what a chat costs that has something to send, and how many turns a
 * second there can be, with 100,000 such chats: all of them ready, and all of them held back by
 * their own limits most of the time, so that each turn goes through the heap. Processor time of one
 * thread; time itself is made up.
 */
#include "bench/outbox_schedule.h"

#include "outbox/schedule.h"

#include <gapless/tl_api.h>
#include <stdlib.h>

#define BEGIN_US INT64_C(1700000000000000)

static size_t live_bytes;

static void *counted(void *ctx, void *ptr, size_t size)
{
    size_t *block = ptr == NULL ? NULL : (size_t *)ptr - 2;
    size_t had = block == NULL ? 0 : block[0];

    (void)ctx;
    if (size == 0) {
        free(block);
        live_bytes -= had;
        return NULL;
    }
    size_t *grown = realloc(block, size + 2 * sizeof *block);
    if (grown == NULL) return NULL;
    grown[0] = size;
    live_bytes += size - had;
    return grown + 2;
}

static const gap_alloc_t counting = {.realloc_fn = counted};
static const gap_outbox_rate_t endless = {1000000, 1, 1000000};

static void turns(struct bench *b, const gap_outbox_config_t *config, const char *name,
                  uint32_t chats, uint32_t count)
{
    struct gap_limits limits;
    struct gap_schedule s;
    int64_t now = BEGIN_US;
    int64_t chat;
    size_t before = live_bytes;

    gap_limits_init(&limits, &counting, config, now);
    limits.chats_max = chats;
    gap_schedule_init(&s, &counting, &limits, chats, 0);
    for (int64_t c = 1; c <= chats; c++) {
        bench_must(gap_schedule_add(&s, c, GAP_OUTBOX_BULK, GAP_TL_MESSAGES_SEND_MESSAGE, c, now),
                   "add");
    }
    double per_chat = (double)(live_bytes - before) / chats;
    uint64_t start = bench_cpu_ns();
    for (uint32_t i = 0; i < count; i++) {
        int r;
        while ((r = gap_schedule_next(&s, now, &chat)) == GAP_SCHEDULE_NONE)
            now = gap_schedule_next_time(&s, now);
        bench_must(r, "next");
        bench_hash(b, (uint64_t)chat);
        gap_schedule_sent(&s, chat, now);
        gap_schedule_done(&s, chat, now);
    }
    double seconds = (double)(bench_cpu_ns() - start) / 1e9;
    bench_report(b, &(struct bench_row){.bench = "outbox",
                                        .name = name,
                                        .metric = "turns_per_s",
                                        .value = count / seconds,
                                        .unit = "1/s"});
    bench_report(b, &(struct bench_row){.bench = "outbox",
                                        .name = name,
                                        .metric = "chat_waiting",
                                        .value = per_chat,
                                        .unit = "bytes"});
    bench_report(b, &(struct bench_row){.bench = "outbox",
                                        .name = name,
                                        .metric = "chat_limited",
                                        .value = (double)(live_bytes - before) / chats,
                                        .unit = "bytes"});
    gap_schedule_fini(&s);
    gap_limits_fini(&limits);
}

void bench_outbox_schedule(struct bench *b)
{
    const gap_outbox_config_t none = {.account = endless, .user = endless};
    const gap_outbox_config_t own = {.account = endless, .user = {1, 60000, 1}};
    uint32_t chats = b->quick ? 1000 : 100000;

    turns(b, &none, "turn_ready", chats, 10 * chats);
    turns(b, &own, "turn_blocked", chats, 10 * chats);
}
