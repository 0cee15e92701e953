/*
 * bench/account.c - the engine in a vacuum. Every difference is empty: what the benchmarks feed is
 * all there is.
 */
#include "bench/account.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "bench/bench.h"
#include "bench/fixture.h"

#include <gapless/message.h>
#include <gapless/tl_api.h>

#include <stdlib.h>
#include <string.h>

static int handle(gap_update_t *update, void *data)
{
    struct account *a = data;
    gap_message_t m;
    int r = gap_message_read(update, &m);

    if (r < 0) return r;
    a->handled++;
    if (r == 0) {
        a->sum += (uint64_t)m.chat.id + (uint64_t)m.sender.id + (uint64_t)m.id + (uint64_t)m.date +
                  m.text.len;
    }
    return 0;
}

static int invoke(void *arg, gap_tl_object_t query, gap_answer_cb cb, void *answer_arg)
{
    struct account *a = arg;

    GAP_ASSERT(query.id == GAP_TL_UPDATES_GET_DIFFERENCE);
    if (a->call_count == ACCOUNT_CALLS_MAX) return GAP_E_LIMIT;
    a->calls[a->call_count].cb = cb;
    a->calls[a->call_count++].arg = answer_arg;
    return 0;
}

static void answer_calls(struct account *a)
{
    gap_tl_updates_difference_empty_t empty = {1800000000, 1};
    uint8_t bytes[64];
    int64_t len =
        gap_tl_write(GAP_TL_OF(GAP_TL_UPDATES_DIFFERENCE_EMPTY, &empty), bytes, sizeof bytes);
    gap_answer_t answer;

    bench_must(len < 0 ? (int)len : 0, "an empty difference");
    memset(&answer, 0, sizeof answer);
    answer.value = gap_bytes(bytes, (size_t)len);
    while (a->call_count > 0) {
        a->call_count--;
        a->calls[a->call_count].cb(a->calls[a->call_count].arg, &answer);
    }
}

void account_run(struct account *a)
{
    do {
        answer_calls(a);
        a->now_us++;
    } while (gap_engine_tick(a->engine, a->now_us, true) || a->call_count > 0);
}

void account_open(struct account *a, uint32_t channels, uint32_t inbox_max)
{
    account_open_watched(a, channels, inbox_max, NULL, NULL);
}

void account_open_watched(struct account *a, uint32_t channels, uint32_t inbox_max,
                          void (*changed)(void *data), void *data)
{
    gap_engine_channel_t *known = calloc(channels + 1, sizeof *known);
    gap_engine_config_t config;
    gap_engine_state_t state = {1, 1, 1, 1800000000, known, channels};

    bench_must(known == NULL ? GAP_E_NOMEM : 0, "the state");
    for (uint32_t i = 0; i < channels; i++) {
        known[i].id = FIXTURE_CHANNEL + i;
        known[i].access_hash = 1;
        known[i].pts = 1;
    }
    memset(a, 0, sizeof *a);
    memset(&config, 0, sizeof config);
    a->now_us = 1000000;
    config.self_id = 7;
    config.bot = true;
    config.limits.inbox = inbox_max;
    config.invoke = invoke;
    config.invoke_arg = a;
    config.handler = handle;
    config.handler_data = a;
    config.state = &state;
    config.changed = changed;
    config.changed_data = data;
    uint64_t start = bench_cpu_ns();
    bench_must(gap_engine_open(&config, &a->engine), "opening the engine");
    gap_engine_start(a->engine);
    account_run(a);
    a->open_ns = bench_cpu_ns() - start;
    free(known);
}

static void on_closed(void *arg)
{
    struct account *a = arg;
    a->engine = NULL;
}

void account_close(struct account *a)
{
    gap_engine_close(a->engine, on_closed, a);
    while (a->engine != NULL) {
        answer_calls(a);
        (void)gap_engine_tick(a->engine, ++a->now_us, true);
    }
}
